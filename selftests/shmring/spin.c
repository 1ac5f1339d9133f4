// SPDX-License-Identifier: GPL-2.0-only
/*
 * A SPIN ring has no sleepers: whoever would have to be woken by a record is refused,
 * and poll and eventfd tell of a peer's end only.
 */
#include <sys/eventfd.h>

#include "endpoint.h"

FIXTURE(spin) {
	int producer, consumer;
	struct endpoint p, c;
	struct shmring_spsc_tx tx;
};

FIXTURE_SETUP(spin)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 4096);

	arg.flags = SHMRING_CREATE_SPIN;
	self->producer = ring_create_with(&arg);
	ASSERT_LE(0, self->producer);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_EQ(0, endpoint_map(&self->p, self->producer));
	ASSERT_EQ(0, endpoint_map(&self->c, self->consumer));
	ASSERT_EQ(SHMRING_CREATE_SPIN, self->c.meta->flags);
	ASSERT_EQ(0, tx_init(&self->tx, &self->p));
}

FIXTURE_TEARDOWN(spin)
{
	close(self->producer);
	close(self->consumer);
}

TEST_F(spin, wait_does_not_sleep)
{
	EXPECT_EQ(-EOPNOTSUPP, ring_wait(self->consumer, SHMRING_EV_IN, SHMRING_DEADLINE_NEVER));
	EXPECT_EQ(-EOPNOTSUPP, ring_wait(self->consumer, SHMRING_EV_IN, now_ns() + 1000000));
	EXPECT_EQ(-EOPNOTSUPP, ring_wait(self->producer, SHMRING_EV_OUT | SHMRING_EV_PEER,
					 SHMRING_DEADLINE_NEVER));
}

TEST_F(spin, wait_looks)
{
	EXPECT_EQ(-EAGAIN, ring_wait(self->consumer, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	ASSERT_EQ(0, tx_try(&self->p, &self->tx, "x", 1));
	EXPECT_EQ(SHMRING_EV_IN, ring_wait(self->consumer, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(SHMRING_EV_OUT, ring_wait(self->producer, SHMRING_EV_OUT, SHMRING_DEADLINE_NOW));
}

TEST_F(spin, nobody_is_armed)
{
	poll_now(self->consumer, POLLIN);
	poll_now(self->producer, POLLOUT);
	ring_wait(self->consumer, SHMRING_EV_IN, SHMRING_DEADLINE_NOW);
	EXPECT_EQ(SHMRING_ARMED_NO, shmring_load(&self->c.cursor->armed));
	EXPECT_EQ(SHMRING_ARMED_NO, shmring_load(&self->p.cursor->armed));
}

TEST_F(spin, eventfd)
{
	int efd = eventfd(0, EFD_NONBLOCK);
	__u64 n;

	EXPECT_EQ(-EOPNOTSUPP, ring_eventfd(self->consumer, SHMRING_EV_IN, efd));
	EXPECT_EQ(-EOPNOTSUPP, ring_eventfd(self->producer, SHMRING_EV_OUT, efd));
	ASSERT_EQ(0, ring_eventfd(self->consumer, SHMRING_EV_PEER, efd));
	EXPECT_EQ(-1, read(efd, &n, sizeof(n)));
	endpoint_unmap(&self->p);
	close(self->producer);
	EXPECT_EQ(sizeof(n), read(efd, &n, sizeof(n)));
	close(efd);
}

TEST_F(spin, poll_tells_of_the_peer_only)
{
	ASSERT_EQ(0, tx_try(&self->p, &self->tx, "x", 1));
	EXPECT_EQ(0, poll_now(self->consumer, POLLIN));
	EXPECT_EQ(0, poll_now(self->producer, POLLOUT));
	endpoint_unmap(&self->p);
	close(self->producer);
	EXPECT_EQ(POLLHUP, poll_now(self->consumer, POLLIN));
}

/* Waiting for the end of a peer is no waiting for a record. */
TEST_F(spin, wait_for_the_peer_sleeps)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		endpoint_unmap(&self->p);
		close(self->producer);
		CHECK_EQ(SHMRING_EV_PEER, ring_wait(self->consumer, SHMRING_EV_PEER,
						    SHMRING_DEADLINE_NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	endpoint_unmap(&self->p);
	close(self->producer);
	EXPECT_EQ(0, child_end(&c));
}

TEST_HARNESS_MAIN
