// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the next endpoint of a role makes of what the last one left: records that nobody
 * was told of wake the consumer, and a position that cannot be ends with who wrote it.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "endpoint.h"

#define IN		SHMRING_EV_IN
#define OUT		SHMRING_EV_OUT
#define NOW		SHMRING_DEADLINE_NOW
#define LOST_MS		10000	/* after which a wake-up will not come any more */
#define PAYLOAD		24	/* a record of 32 bytes */

/* ---- a producer after one that died between header and position ---- */

FIXTURE(recovery) {
	int consumer, efd, epoll;
	struct endpoint c;
	struct shmring_spsc_rx rx;
};

FIXTURE_VARIANT(recovery) {
	enum { WAIT, POLL, EPOLL_LEVEL, EPOLL_EDGE, EVENTFD } by;
};

FIXTURE_VARIANT_ADD(recovery, wait) { WAIT };
FIXTURE_VARIANT_ADD(recovery, poll) { POLL };
FIXTURE_VARIANT_ADD(recovery, epoll_level) { EPOLL_LEVEL };
FIXTURE_VARIANT_ADD(recovery, epoll_edge) { EPOLL_EDGE };
FIXTURE_VARIANT_ADD(recovery, eventfd) { EVENTFD };

FIXTURE_SETUP(recovery)
{
	struct epoll_event ev = {
		.events = EPOLLIN | (variant->by == EPOLL_EDGE ? EPOLLET : 0),
	};

	self->consumer = ring_create(SPSC, CONSUMER, 4096, NULL);
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, endpoint_map(&self->c, self->consumer));
	rx_init(&self->rx, &self->c);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (variant->by == EVENTFD)
		ASSERT_EQ(0, ring_eventfd(self->consumer, IN, self->efd));
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (variant->by == EPOLL_LEVEL || variant->by == EPOLL_EDGE)
		ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->consumer, &ev));
}

FIXTURE_TEARDOWN(recovery)
{
	endpoint_unmap(&self->c);
	close(self->consumer);
	close(self->efd);
	close(self->epoll);
}

/*
 * Return: 1 when it was woken, 0 when it was not, or -errno. (WAIT and poll look once more
 * when their time is over: there only the core's answer tells that nobody would have woken
 * them.)
 */
static int sleep_until_in(const FIXTURE_DATA(recovery) *self, int by)
{
	struct pollfd fd = { self->consumer, POLLIN, 0 }, efd = { self->efd, POLLIN, 0 };
	struct epoll_event ev;
	int ret;

	switch (by) {
	case WAIT:
		ret = ring_wait(self->consumer, IN, now_ns() + LOST_MS * 1000000ull);
		return ret == -ETIMEDOUT ? 0 : ret;
	case POLL:
		return poll(&fd, 1, LOST_MS);
	case EVENTFD:
		return poll(&efd, 1, LOST_MS);
	default:
		return epoll_wait(self->epoll, &ev, 1, LOST_MS);
	}
}

/* The first of two stores by which shmring_spsc_publish() publishes. */
static void publish_by_halves(struct shmring_spsc_tx *tx)
{
	shmring_store_release(shmring_spsc_word(tx, tx->hold_pos), tx->hold_word);
}

static void die_in_publish(struct __test_metadata *_metadata, int via)
{
	struct shmring_spsc_tx tx;
	struct endpoint e;
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, via)));
		CHECK_EQ(0, tx_init(&tx, &e));
		CHECK(shmring_spsc_reserve(&tx, PAYLOAD));
		shmring_spsc_put(&tx, PAYLOAD);
		publish_by_halves(&tx);
		_exit(0);
	}
	ASSERT_EQ(0, child_end(&c));
}

/* What a producer does first, as the core says: 1 asks for a kick. */
static int recover(struct shmring_spsc_tx *tx, const struct endpoint *e)
{
	*tx = (struct shmring_spsc_tx) {
		.data = e->data,
		.mask = e->info.data_size - 1,
		.fence = 1,
		.mine = e->cursor,
		.peer = endpoint_peer(e),
	};
	return shmring_spsc_recover(tx);
}

TEST_F(recovery, wakes_the_consumer)
{
	char buf[PAYLOAD];
	struct shmring_spsc_tx tx;
	struct endpoint p;
	struct child c;
	eventfd_t hint;
	int kick;

	die_in_publish(_metadata, self->consumer);
	eventfd_read(self->efd, &hint);		/* of the death */
	ASSERT_EQ(0, endpoint_map(&p, ring_attach_fd(PRODUCER, self->consumer)));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(1, sleep_until_in(self, variant->by));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(SHMRING_ARMED_YES, shmring_load(&self->c.cursor->armed));

	kick = recover(&tx, &p);
	EXPECT_EQ(1, kick);
	if (kick > 0)
		EXPECT_EQ(0, ring_kick(p.fd));
	EXPECT_EQ(0, child_end(&c));
	EXPECT_EQ(32, shmring_load(&p.cursor->pos));
	EXPECT_EQ(PAYLOAD, rx_try(&self->c, &self->rx, buf, sizeof(buf)));
	EXPECT_EQ(-EAGAIN, rx_try(&self->c, &self->rx, buf, sizeof(buf)));
	EXPECT_EQ(-EAGAIN, ring_wait(self->consumer, IN, NOW));
	endpoint_unmap(&p);
	close(p.fd);
}

/* Nobody sleeps, or there is nothing to tell: no kick is asked for. */
TEST_F(recovery, asks_for_no_kick_in_vain)
{
	char buf[PAYLOAD];
	struct shmring_spsc_tx tx;
	struct endpoint p;
	struct child c;

	if (variant->by != WAIT)
		return;		/* the others are armed now */
	die_in_publish(_metadata, self->consumer);
	ASSERT_EQ(0, endpoint_map(&p, ring_attach_fd(PRODUCER, self->consumer)));
	EXPECT_EQ(0, recover(&tx, &p));
	endpoint_unmap(&p);
	close(p.fd);
	EXPECT_EQ(PAYLOAD, rx_try(&self->c, &self->rx, buf, sizeof(buf)));

	ASSERT_EQ(0, endpoint_map(&p, ring_attach_fd(PRODUCER, self->consumer)));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(IN, ring_wait(self->consumer, IN, SHMRING_DEADLINE_NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	EXPECT_EQ(0, recover(&tx, &p));
	EXPECT_EQ(0, tx_try(&p, &tx, buf, PAYLOAD));
	EXPECT_EQ(0, child_end(&c));
	endpoint_unmap(&p);
	close(p.fd);
}

/* ---- a consumer after one that left a position which cannot be ---- */

#define SENT	(8 * 32)	/* the producer's position */

FIXTURE(position) {
	struct endpoint p;
	struct shmring_spsc_tx tx;
};

FIXTURE_VARIANT(position) {
	__u64 left;
	__u64 found;
};

/* 4096 bytes of DATA. */
FIXTURE_VARIANT_ADD(position, nothing_read) { 0, 0 };
FIXTURE_VARIANT_ADD(position, some_read) { 96, 96 };
FIXTURE_VARIANT_ADD(position, all_read) { SENT, SENT };
FIXTURE_VARIANT_ADD(position, ahead_as_far_as_can_be) { SENT + 4088, SENT + 4088 };
FIXTURE_VARIANT_ADD(position, too_far_ahead) { SENT + 4096, SENT };
FIXTURE_VARIANT_ADD(position, behind_as_far_as_can_be) { SENT - 4096ull, SENT - 4096ull };
FIXTURE_VARIANT_ADD(position, too_far_behind) { SENT - 4096ull - 8, SENT };
FIXTURE_VARIANT_ADD(position, far) { 1ull << 63, SENT };
FIXTURE_VARIANT_ADD(position, last) { ~7ull << 20, SENT };
FIXTURE_VARIANT_ADD(position, between_words) { 97, SENT };
FIXTURE_VARIANT_ADD(position, all_ones) { ~0ull, SENT };

FIXTURE_SETUP(position)
{
	char buf[PAYLOAD] = { 0 };

	ASSERT_EQ(0, endpoint_map(&self->p, ring_create(SPSC, PRODUCER, 4096, NULL)));
	ASSERT_EQ(0, tx_init(&self->tx, &self->p));
	for (int i = 0; i < SENT / 32; i++)
		ASSERT_EQ(0, tx_try(&self->p, &self->tx, buf, sizeof(buf)));
}

FIXTURE_TEARDOWN(position)
{
	endpoint_unmap(&self->p);
	close(self->p.fd);
}

TEST_F(position, ends_with_its_writer)
{
	char buf[PAYLOAD] = { 0 };
	struct shmring_spsc_rx rx;
	struct endpoint c;
	struct child dies;

	ASSERT_LE(0, child_start(&dies));
	if (!dies.pid) {
		CHECK_EQ(0, endpoint_map(&c, ring_attach_fd(CONSUMER, self->p.fd)));
		shmring_store(&c.cursor->pos, variant->left);
		_exit(0);
	}
	ASSERT_EQ(0, child_end(&dies));
	ASSERT_EQ(SHMRING_SLOT_DEAD, self->p.meta->slot[1].state);

	ASSERT_EQ(0, endpoint_map(&c, ring_attach_fd(CONSUMER, self->p.fd)));
	ASSERT_EQ(variant->found, shmring_load(&c.cursor->pos));
	EXPECT_EQ(0, poll_now(self->p.fd, 0));
	EXPECT_EQ(0, poll_now(c.fd, 0));
	if (variant->found > SENT)
		goto out;	/* legal for the kernel, the producer's core knows better */

	/* What was not read is read, what comes after as well. */
	rx_init(&rx, &c);
	for (__u64 pos = variant->found; pos < SENT; pos += 32)
		EXPECT_EQ(PAYLOAD, rx_try(&c, &rx, buf, sizeof(buf)));
	EXPECT_EQ(-EAGAIN, rx_try(&c, &rx, buf, sizeof(buf)));
	EXPECT_EQ(-EAGAIN, ring_wait(c.fd, IN, NOW));
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, tx_try(&self->p, &self->tx, buf, sizeof(buf)));
		ASSERT_EQ(IN, ring_wait(c.fd, IN, NOW));
		ASSERT_EQ(PAYLOAD, rx_try(&c, &rx, buf, sizeof(buf)));
		ASSERT_EQ(OUT, ring_wait(self->p.fd, OUT, NOW));
	}
out:
	endpoint_unmap(&c);
	close(c.fd);
}

TEST_HARNESS_MAIN
