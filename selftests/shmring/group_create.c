// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings with many endpoints: what CREATE takes and makes of it, and who gets which slot.
 */
#include "group.h"

#define POLICY_WAIT	SHMRING_FULL_WAIT
#define POLICY_DROP	SHMRING_FULL_DROP_NEWEST
#define POLICY_OVER	SHMRING_FULL_OVERWRITE

FIXTURE(refused) {};

FIXTURE_VARIANT(refused) {
	int err;
	__u32 topology, policy, slots, producers, consumers;
	__u64 data_size;	/* 0: a page */
};

FIXTURE_SETUP(refused) {}
FIXTURE_TEARDOWN(refused) {}

TEST_F(refused, with_its_errno)
{
	struct shmring_ioc_create arg = create_args(variant->topology, PRODUCER,
						    variant->data_size ?: page_size());
	struct shmring_ioc_create before;

	arg.full_policy = variant->policy;
	arg.slots = variant->slots;
	arg.producers = variant->producers;
	arg.consumers = variant->consumers;
	before = arg;
	EXPECT_EQ(-variant->err, ring_create_with(&arg));
	EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg)));
}

#define REFUSED(what, ...)	FIXTURE_VARIANT_ADD(refused, what) { __VA_ARGS__ }

REFUSED(mpsc_two_consumers, EINVAL, MPSC, POLICY_WAIT, 0, 4, 2);
REFUSED(mpsc_too_many, EINVAL, MPSC, POLICY_WAIT, 0, SHMRING_SLOTS_MAX, 1);
REFUSED(mpsc_all_ones, EINVAL, MPSC, POLICY_WAIT, 0, 0xffffffff, 1);
REFUSED(mpsc_overwrite, EOPNOTSUPP, MPSC, POLICY_OVER);
REFUSED(mpsc_slots_short, EINVAL, MPSC, POLICY_WAIT, 4, 4, 1);
REFUSED(mpsc_slots_of_one, EINVAL, MPSC, POLICY_WAIT, 1);
REFUSED(queue_too_many, EINVAL, QUEUE, POLICY_WAIT, 0, 16, 17);
REFUSED(queue_default_is_too_many, EINVAL, QUEUE, POLICY_WAIT, 0, 25, 0);
REFUSED(queue_sum_wraps, EINVAL, QUEUE, POLICY_WAIT, 0, 0x80000001, 0x80000001);
REFUSED(queue_overwrite, EOPNOTSUPP, QUEUE, POLICY_OVER);
REFUSED(queue_slots_long, EINVAL, QUEUE, POLICY_WAIT, 6, 2, 3);
REFUSED(broadcast_too_many, EINVAL, BROADCAST, POLICY_OVER, 0, 31, 2);
REFUSED(broadcast_policy_unknown, EINVAL, BROADCAST, 3);
REFUSED(spsc_overwrite, EOPNOTSUPP, SPSC, POLICY_OVER);
REFUSED(raw_overwrite, EOPNOTSUPP, RAW, POLICY_OVER);
REFUSED(lanes_together_too_large, ERANGE, MPSC, POLICY_WAIT, 0, 2, 1, SHMRING_DATA_MAX);
REFUSED(lanes_together_too_large_rounded, ERANGE, QUEUE, POLICY_WAIT, 0, 16, 16,
	SHMRING_DATA_MAX / 16 + 1);

/* ---- geometry ---- */

FIXTURE(accepted) {
	struct member m;
};

FIXTURE_VARIANT(accepted) {
	__u32 topology, policy, slots, producers, consumers;
	__u32 want_producers, want_consumers;
	__u64 max_record;
};

FIXTURE_SETUP(accepted) {}
FIXTURE_TEARDOWN(accepted) {}

TEST_F(accepted, and_told)
{
	struct shmring_ioc_create arg = create_args(variant->topology, CONSUMER, 4096);
	__u32 slots = variant->want_producers + variant->want_consumers;
	const struct shmring_ioc_info *info = &self->m.info;
	const struct shmring_meta *meta;
	size_t page = page_size();
	int fd;

	arg.full_policy = variant->policy;
	arg.slots = variant->slots;
	arg.producers = variant->producers;
	arg.consumers = variant->consumers;
	fd = ring_create_with(&arg);
	ASSERT_LE(0, fd);
	EXPECT_EQ(variant->producers, arg.producers);	/* not written back */
	EXPECT_EQ(variant->slots, arg.slots);
	ASSERT_EQ(0, ring_info(fd, &self->m.info));
	EXPECT_EQ(variant->topology, info->topology);
	EXPECT_EQ(variant->policy, info->full_policy);
	EXPECT_EQ(slots, info->slots);
	EXPECT_EQ(variant->want_producers, info->producers);
	EXPECT_EQ(variant->want_consumers, info->consumers);
	EXPECT_EQ(variant->want_producers, info->slot);	/* the first consumer's */
	EXPECT_EQ(4096, info->data_size);
	EXPECT_EQ(variant->max_record, info->max_record);
	if (variant->topology == SPSC) {
		EXPECT_EQ(0, info->shared_offset);
		EXPECT_EQ((1 + slots) * page, info->control_size);
	} else {
		EXPECT_EQ((1 + slots) * page, info->shared_offset);
		EXPECT_EQ((2 + slots) * page, info->control_size);
	}
	EXPECT_LE(info->control_size, info->data_offset);
	EXPECT_EQ(0, info->produced | info->consumed | info->lost);

	meta = mmap(NULL, (size_t)info->control_size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)(uintptr_t)meta);
	EXPECT_EQ(variant->topology, meta->topology);
	EXPECT_EQ(variant->policy, meta->full_policy);
	EXPECT_EQ(slots, meta->slots);
	EXPECT_EQ(variant->want_producers, meta->producers);
	EXPECT_EQ(variant->want_consumers, meta->consumers);
	EXPECT_EQ(info->shared_offset, meta->shared_offset);
	EXPECT_EQ(0, meta->orphans);
}

#define ACCEPTED(what, ...)	FIXTURE_VARIANT_ADD(accepted, what) { __VA_ARGS__ }

ACCEPTED(mpsc, MPSC, POLICY_WAIT, 0, 0, 0, 8, 1, 4080);
ACCEPTED(mpsc_drop, MPSC, POLICY_DROP, 4, 3, 1, 3, 1, 4080);
ACCEPTED(mpsc_most, MPSC, POLICY_WAIT, SHMRING_SLOTS_MAX, 31, 1, 31, 1, 4080);
ACCEPTED(queue, QUEUE, POLICY_WAIT, 0, 0, 0, 8, 8, 4080);
ACCEPTED(queue_drop, QUEUE, POLICY_DROP, 0, 1, 1, 1, 1, 4080);
ACCEPTED(queue_most, QUEUE, POLICY_WAIT, 0, 16, 16, 16, 16, 4080);
ACCEPTED(queue_some_default, QUEUE, POLICY_WAIT, 0, 24, 0, 24, 8, 4080);
ACCEPTED(broadcast, BROADCAST, POLICY_WAIT, 0, 0, 0, 8, 8, 4080);
ACCEPTED(broadcast_drop, BROADCAST, POLICY_DROP, 5, 2, 3, 2, 3, 4080);
ACCEPTED(broadcast_overwrite, BROADCAST, POLICY_OVER, 0, 1, 31, 1, 31, 1520);
ACCEPTED(spsc_drop, SPSC, POLICY_DROP, 2, 1, 1, 1, 1, 4080);

/* The limit is for all lanes together; what is charged as well. */
TEST(huge_lanes_are_aligned)
{
	struct shmring_ioc_create arg = create_args(MPSC, CONSUMER, 2u << 20);
	struct shmring_ioc_info info;
	int fd;

	arg.producers = 3;
	fd = ring_create_with(&arg);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_info(fd, &info));
	EXPECT_EQ(0, info.data_offset % (2u << 20));
	for (__u32 lane = 0; lane < 3; lane++)
		EXPECT_EQ(0, try_mmap(fd, 2u << 20, PROT_READ, MAP_SHARED | MAP_POPULATE,
				      lane_offset(&info, lane)));
	close(fd);
}

/* ---- slots ---- */

FIXTURE(slots) {
	int ring, fd[SHMRING_SLOTS_MAX];
	struct shmring_ioc_info info;
};

FIXTURE_VARIANT(slots) {
	__u32 topology, producers, consumers;
};

FIXTURE_VARIANT_ADD(slots, mpsc) { MPSC, 5, 1 };
FIXTURE_VARIANT_ADD(slots, queue) { QUEUE, 3, 4 };
FIXTURE_VARIANT_ADD(slots, broadcast) { BROADCAST, 2, 30 };

FIXTURE_SETUP(slots)
{
	self->ring = group_create(variant->topology, POLICY_WAIT, variant->producers,
				  variant->consumers);
	ASSERT_LE(0, self->ring);
}

FIXTURE_TEARDOWN(slots)
{
	close(self->ring);
}

TEST_F(slots, are_given_by_role_up_to_the_limit)
{
	__u32 producers = variant->producers, slots = producers + variant->consumers;

	/* Consumers first: that no producer has come yet does not matter. */
	for (__u32 k = 0; k < slots; k++) {
		__u32 slot = (producers + k) % slots;

		self->fd[slot] = ring_attach_fd(slot < producers ? PRODUCER : CONSUMER,
						self->ring);
		ASSERT_LE(0, self->fd[slot]);
		ASSERT_EQ(0, ring_info(self->fd[slot], &self->info));
		EXPECT_EQ(slot, self->info.slot);
	}
	EXPECT_EQ(slots, self->info.slots_live);
	EXPECT_EQ(-EBUSY, ring_attach_fd(PRODUCER, self->ring));
	EXPECT_EQ(-EBUSY, ring_attach_fd(CONSUMER, self->ring));
	EXPECT_EQ(-EINVAL, ring_attach_fd(PRODUCER | CONSUMER, self->ring));

	/* What one leaves, the next of its role gets, and nobody else. */
	close(self->fd[1]);
	EXPECT_EQ(-EBUSY, ring_attach_fd(slots == 2 ? PRODUCER : CONSUMER, self->ring));
	self->fd[1] = ring_attach_fd(PRODUCER, self->ring);
	ASSERT_LE(0, self->fd[1]);
	ASSERT_EQ(0, ring_info(self->fd[1], &self->info));
	EXPECT_EQ(1, self->info.slot);
	for (__u32 slot = 0; slot < slots; slot++)
		close(self->fd[slot]);
	ASSERT_EQ(0, ring_info(self->ring, &self->info));
	EXPECT_EQ(0, self->info.slots_live);
}

/* Whoever comes or goes is counted in the state word of its role, after META says so. */
TEST_F(slots, comings_and_goings_are_counted)
{
	const struct shmring_meta *meta;
	int producer, consumer;

	ASSERT_EQ(0, ring_info(self->ring, &self->info));
	meta = mmap(NULL, (size_t)self->info.control_size, PROT_READ, MAP_SHARED, self->ring, 0);
	ASSERT_NE(MAP_FAILED, (void *)(uintptr_t)meta);
	producer = ring_attach_fd(PRODUCER, self->ring);
	EXPECT_EQ(1ull << 32, meta->tx_state);
	EXPECT_EQ(0, meta->rx_state);
	consumer = ring_attach_fd(CONSUMER, self->ring);
	EXPECT_EQ(1ull << 32, meta->rx_state);
	poll_now(consumer, POLLIN);
	EXPECT_EQ((1ull << 32) | (1ull << variant->producers), meta->rx_state);
	close(consumer);
	EXPECT_EQ(2ull << 32, meta->rx_state);
	EXPECT_EQ(SHMRING_SLOT_DEAD, meta->slot[variant->producers].state);
	close(producer);
	EXPECT_EQ(2ull << 32, meta->tx_state);
}

/* ---- what INFO counts ---- */

TEST(info_counts)
{
	const __u32 topologies[] = { MPSC, QUEUE, BROADCAST };
	struct member p[2], c[2];
	int ring;

	for (unsigned int t = 0; t < ARRAY_SIZE(topologies); t++) {
		int consumers = topologies[t] == MPSC ? 1 : 2;

		ring = group_create(topologies[t], POLICY_DROP, 2, (__u32)consumers);
		ASSERT_LE(0, ring);
		for (int k = 0; k < 2; k++)
			ASSERT_TRUE(member_attach(&p[k], PRODUCER, ring));
		for (int k = 0; k < consumers; k++)
			ASSERT_TRUE(member_attach(&c[k], CONSUMER, ring));
		for (int k = 0; k < 4; k++)
			ASSERT_EQ(0, member_send(&p[k & 1], 24, 'a' + k));
		ASSERT_EQ('a', member_take(&c[0]));
		c[0].mine->lost = 5;
		p[1].mine->lost = 2;
		ASSERT_EQ(0, ring_info(ring, &c[0].info));
		EXPECT_EQ(4 * 32, c[0].info.produced);
		EXPECT_EQ(topologies[t] == BROADCAST ? 0 : 32, c[0].info.consumed);
		EXPECT_EQ(7, c[0].info.lost);
		if (topologies[t] == BROADCAST) {
			member_close(&c[1]);	/* the slowest */
			ASSERT_EQ(0, ring_info(ring, &c[0].info));
			EXPECT_EQ(32, c[0].info.consumed);
			member_close(&c[0]);
			ASSERT_EQ(0, ring_info(ring, &c[0].info));
			EXPECT_EQ(4 * 32, c[0].info.consumed);
		}
		close(ring);
	}
}

TEST_HARNESS_MAIN
