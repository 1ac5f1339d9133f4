// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring on rings with many endpoints: multishot poll hears of each record and of each
 * space after there was none, and of the peers' end; so does WAIT; and of a QUEUE's
 * consumers one that is busy is not all who are told.
 */
#include <pthread.h>

#include "group.h"
#include "uring.h"

#define ROUNDS	50
#define LOST	10	/* seconds after which a completion will not come any more */

FIXTURE(ring) {
	int ring, consumers;
	struct member p[2], c[2];
	struct uring u;
};

FIXTURE_VARIANT(ring) {
	__u32 topology;
	unsigned int setup;
};

#define DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

FIXTURE_VARIANT_ADD(ring, mpsc) { MPSC, 0 };
FIXTURE_VARIANT_ADD(ring, queue) { QUEUE, 0 };
FIXTURE_VARIANT_ADD(ring, broadcast) { BROADCAST, 0 };
FIXTURE_VARIANT_ADD(ring, mpsc_deferred) { MPSC, DEFER };
FIXTURE_VARIANT_ADD(ring, queue_deferred) { QUEUE, DEFER };
FIXTURE_VARIANT_ADD(ring, broadcast_deferred) { BROADCAST, DEFER };

FIXTURE_SETUP(ring)
{
	self->u.fd = -1;
	self->consumers = variant->topology == MPSC ? 1 : 2;
	self->ring = group_create(variant->topology, SHMRING_FULL_WAIT, 2,
				  (__u32)self->consumers);
	ASSERT_LE(0, self->ring);
	for (int k = 0; k < 2; k++)
		ASSERT_TRUE(member_attach(&self->p[k], PRODUCER, self->ring));
	for (int k = 0; k < self->consumers; k++)
		ASSERT_TRUE(member_attach(&self->c[k], CONSUMER, self->ring));
}

FIXTURE_TEARDOWN(ring)
{
	if (self->u.fd >= 0)
		uring_close(&self->u);
	close(self->ring);
}

/* The next completion of a multishot poll. */
static int next_poll(struct uring *u)
{
	struct io_uring_cqe cqe;
	int err = uring_wait(u, &cqe, LOST);

	if (err)
		return err;
	return cqe.flags & IORING_CQE_F_MORE ? cqe.res : -ESRCH;
}

/* Everybody who reads has read everything. */
static int drain(FIXTURE_DATA(ring) *self)
{
	int n = 0;

	for (int k = 0; k < self->consumers; k++)
		while (member_take(&self->c[k]) >= 0)
			n++;
	return n;
}

static void fill(struct __test_metadata *_metadata, struct member *p)
{
	int err;

	while (!(err = member_send(p, 1000, 'x')))
		;
	ASSERT_EQ(-EAGAIN, err);
}

TEST_F(ring, multishot_hears_of_each_record)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	ASSERT_EQ(0, uring_poll(&self->u, self->c[0].fd, POLLIN, IORING_POLL_ADD_MULTI));
	ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, member_send(&self->p[i & 1], 8, i));
		ASSERT_EQ(POLLIN, next_poll(&self->u)) TH_LOG("record %d", i);
		ASSERT_LT(0, drain(self));
		/* An edge is told once. */
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0)) TH_LOG("record %d", i);
	}
}

TEST_F(ring, multishot_hears_of_space_each_time)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	fill(_metadata, &self->p[0]);
	ASSERT_EQ(0, uring_poll(&self->u, self->p[0].fd, POLLOUT, IORING_POLL_ADD_MULTI));
	ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_LT(0, drain(self));
		ASSERT_EQ(POLLOUT, next_poll(&self->u)) TH_LOG("round %d", i);
		fill(_metadata, &self->p[0]);
		while (!uring_wait(&self->u, &cqe, 0))
			;	/* several consumers may have released one after the other */
	}
}

TEST_F(ring, multishot_hears_of_the_peers_end)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	ASSERT_EQ(0, uring_poll(&self->u, self->c[0].fd, POLLIN, IORING_POLL_ADD_MULTI));
	member_close(&self->p[0]);
	EXPECT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));	/* one is left */
	member_close(&self->p[1]);
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(POLLHUP, cqe.res & POLLHUP);
}

/* The request holds the file: a closed endpoint lives until its poll is removed. */
TEST_F(ring, polled_while_it_is_closed)
{
	struct io_uring_sqe remove = { .opcode = IORING_OP_POLL_REMOVE, .user_data = 1 };
	struct io_uring_cqe cqe;
	int left = 2;

	URING_OPEN_AS(&self->u, variant->setup);
	if (self->consumers > 1)
		member_close(&self->c[1]);
	ASSERT_EQ(0, uring_poll(&self->u, self->c[0].fd, POLLIN, IORING_POLL_ADD_MULTI));
	ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
	member_close(&self->c[0]);
	EXPECT_EQ(-EAGAIN, ring_wait(self->p[0].fd, PEER, NOW));
	ASSERT_EQ(0, uring_submit(&self->u, &remove));
	while (left--) {
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
		EXPECT_EQ(cqe.user_data ? 0 : -ECANCELED, cqe.res);
	}
	EXPECT_EQ(PEER, ring_wait(self->p[0].fd, PEER, now_ns() + LOST * 1000000000ull));
}

TEST_F(ring, wait_for_records)
{
	struct shmring_uring_wait w = wait_args(IN, NEVER);
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	for (int i = 0; i < ROUNDS; i++) {
		/* Now one record, now three, by whichever producer. */
		w.need = i & 1 ? 3 * 16 : 0;
		ASSERT_EQ(0, uring_cmd(&self->u, self->c[0].fd, SHMRING_URING_WAIT, &w, 0));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		if (i & 1) {
			ASSERT_EQ(0, member_send(&self->p[0], 8, i));
			ASSERT_EQ(0, member_send(&self->p[1], 8, i));
			ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		}
		ASSERT_EQ(0, member_send(&self->p[i / 2 & 1], 8, i));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("round %d", i);
		ASSERT_EQ(IN, cqe.res);
		ASSERT_LT(0, drain(self));
	}
}

TEST_F(ring, wait_for_space)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	for (int i = 0; i < ROUNDS; i++) {
		fill(_metadata, &self->p[0]);
		ASSERT_EQ(0, uring_cmd_wait(&self->u, self->p[0].fd, OUT, NEVER));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		ASSERT_LT(0, drain(self));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("round %d", i);
		ASSERT_EQ(OUT, cqe.res);
	}
}

TEST_F(ring, peers_end)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	ASSERT_EQ(0, uring_cmd_wait(&self->u, self->c[0].fd, IN, NEVER));
	member_close(&self->p[0]);
	ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
	member_close(&self->p[1]);
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(-EOWNERDEAD, cqe.res);
}

/* ---- a queue's consumers ---- */

FIXTURE(queue) {
	FIXTURE_DATA(ring) ring;
};

FIXTURE_VARIANT(queue) {
	FIXTURE_VARIANT(ring) ring;
};

FIXTURE_VARIANT_ADD(queue, plain) { { QUEUE, 0 } };
FIXTURE_VARIANT_ADD(queue, deferred) { { QUEUE, DEFER } };

FIXTURE_SETUP(queue)
{
	ring_setup(_metadata, &self->ring, &variant->ring);
}

FIXTURE_TEARDOWN(queue)
{
	ring_teardown(_metadata, &self->ring, &variant->ring);
}

/* Both consumers are armed: workers arm when they come to it. */
static void until_both_armed(const FIXTURE_DATA(ring) *r)
{
	while (r->c[0].meta->rx_state << 32 >> 32 != 0xc)
		sched_yield();
}

/* Both consumers wait, and either may be busy: a record ends both WAITs. */
TEST_F(queue, tells_both)
{
	FIXTURE_DATA(ring) *r = &self->ring;
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&r->u, variant->ring.setup);
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < 2; k++)
			ASSERT_EQ(0, uring_cmd_wait(&r->u, r->c[k].fd, IN, NEVER));
		ASSERT_EQ(-ETIME, uring_wait(&r->u, &cqe, 0));
		until_both_armed(r);
		ASSERT_EQ(0, member_send(&r->p[i & 1], 8, i));
		for (int k = 0; k < 2; k++) {
			ASSERT_EQ(0, uring_wait(&r->u, &cqe, LOST)) TH_LOG("round %d", i);
			ASSERT_EQ(IN, cqe.res);
		}
		ASSERT_EQ(1, drain(r));
	}
}

struct sleeper {
	int fd, ret;
	__u64 until, woken;
};

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	s->ret = ring_wait(s->fd, IN, s->until);
	s->woken = now_ns();
	return NULL;
}

/* One has a WAIT under way and is busy: the other, which sleeps, gets the record. */
TEST_F(queue, does_not_leave_it_to_one_that_is_busy)
{
	FIXTURE_DATA(ring) *r = &self->ring;
	struct io_uring_cqe cqe;
	pthread_t thread;

	URING_OPEN_AS(&r->u, variant->ring.setup);
	for (int i = 0; i < ROUNDS; i++) {
		/* Whose turn it is, is either's. */
		struct member *busy = &r->c[i & 1], *idle = &r->c[~i & 1];
		struct sleeper s = { .fd = idle->fd, .until = now_ns() + LOST * 1000000000ull };

		ASSERT_EQ(0, uring_cmd_wait(&r->u, busy->fd, IN, NEVER));
		ASSERT_EQ(0, pthread_create(&thread, NULL, sleeper_run, &s));
		until_both_armed(r);
		ASSERT_EQ(0, member_send(&r->p[0], 8, i));
		pthread_join(thread, NULL);
		/* Who has slept too long finds the record as well. */
		ASSERT_EQ(IN, s.ret);
		ASSERT_GT(s.until, s.woken) TH_LOG("round %d", i);
		ASSERT_EQ((__u8)i, member_take(idle));
		/* The other has been told, or waits on. */
		ASSERT_EQ(0, member_send(&r->p[0], 8, i));
		ASSERT_EQ(0, uring_wait(&r->u, &cqe, LOST)) TH_LOG("round %d", i);
		ASSERT_EQ(IN, cqe.res);
		ASSERT_EQ(1, drain(r));
	}
}

/* One that gives up hands the record that it was woken for to the other. */
TEST_F(queue, hands_on)
{
	FIXTURE_DATA(ring) *r = &self->ring;
	struct io_uring_cqe cqe;
	int waiting, told;

	URING_OPEN_AS(&r->u, variant->ring.setup);
	for (int i = 0; i < ROUNDS; i++) {
		__u64 soon = now_ns() + (__u64)(i % 10) * 50000;

		ASSERT_EQ(0, uring_cmd_wait(&r->u, r->c[0].fd, IN, soon));
		ASSERT_EQ(0, uring_cmd_wait(&r->u, r->c[1].fd, IN, NEVER));
		while (now_ns() < soon)
			;
		ASSERT_EQ(0, member_send(&r->p[0], 8, i));
		/* Late or not, somebody hears of the record; a second one is for the other. */
		for (waiting = 2, told = 0; waiting; waiting--) {
			ASSERT_EQ(0, uring_wait(&r->u, &cqe, LOST)) TH_LOG("round %d", i);
			if (cqe.res == -ETIMEDOUT)
				continue;
			ASSERT_EQ(IN, cqe.res);
			if (!told++)
				ASSERT_EQ(0, member_send(&r->p[0], 8, i));
		}
		ASSERT_LT(0, told);
		ASSERT_EQ(2, drain(r));
	}
}

TEST_HARNESS_MAIN
