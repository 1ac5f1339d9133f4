// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readiness by poll and WAIT: both tell the same, at the same thresholds, and a sleeper
 * is woken once a publisher that found it armed has kicked.
 */
#include "pair.h"

/* ---- level ---- */

TEST_F(pair, poll_level)
{
	EXPECT_EQ(0, poll_now(self->consumer, POLLIN | POLLOUT));
	EXPECT_EQ(POLLOUT, poll_now(self->producer, POLLIN | POLLOUT));
	ASSERT_EQ(0, send_one(self, 10));
	EXPECT_EQ(POLLIN, poll_now(self->consumer, POLLIN | POLLOUT));
	EXPECT_EQ(POLLIN, poll_now(self->consumer, POLLIN));
	ASSERT_EQ(10, take_one(self));
	EXPECT_EQ(0, poll_now(self->consumer, POLLIN));
}

TEST_F(pair, poll_full)
{
	while (!send_one(self, 248))
		;
	EXPECT_EQ(0, poll_now(self->producer, POLLOUT));
	EXPECT_EQ(-EAGAIN, ring_wait(self->producer, OUT, NOW));
	ASSERT_EQ(248, take_one(self));
	EXPECT_EQ(POLLOUT, poll_now(self->producer, POLLOUT));
	EXPECT_EQ(OUT, ring_wait(self->producer, OUT, NOW));
	EXPECT_EQ(0, send_one(self, 248));
	EXPECT_EQ(0, poll_now(self->producer, POLLOUT));
}

/* EPOLLOUT means that the record fits for which there was no room, not any record. */
TEST_F(pair, poll_out_is_for_what_is_wanted)
{
	while (!send_one(self, 24))
		;
	ASSERT_EQ(-EAGAIN, send_one(self, 56));	/* want: 64, and 8 for the next header */
	for (int i = 0; i < 3; i++) {
		__u64 space = 4096 - (self->tx.tail - self->rx.done);

		EXPECT_EQ(space >= 72 ? POLLOUT : 0, poll_now(self->producer, POLLOUT));
		EXPECT_EQ(space >= 72 ? OUT : -EAGAIN, ring_wait(self->producer, OUT, NOW));
		ASSERT_EQ(24, take_one(self));
	}
	EXPECT_EQ(POLLOUT, poll_now(self->producer, POLLOUT));
	EXPECT_EQ(0, send_one(self, 56));
}

TEST_F(pair, need_in)
{
	EXPECT_EQ(0, send_one(self, 8));
	EXPECT_EQ(0, send_one(self, 9));		/* 16 and 24 bytes */
	EXPECT_EQ(IN, ring_wait(self->consumer, IN, NOW));
	EXPECT_EQ(IN, ring_wait_need(self->consumer, IN, 40, NOW));
	EXPECT_EQ(-EAGAIN, ring_wait_need(self->consumer, IN, 41, NOW));
	EXPECT_EQ(-ETIMEDOUT, ring_wait_need(self->consumer, IN, 41, now_ns()));
}

TEST_F(pair, need_out)
{
	ASSERT_EQ(0, send_one(self, 2040));		/* 2048 of 4096 */
	EXPECT_EQ(OUT, ring_wait_need(self->producer, OUT, 2040, NOW));
	EXPECT_EQ(-EAGAIN, ring_wait_need(self->producer, OUT, 2041, NOW));
	EXPECT_EQ(0, send_one(self, 2032));		/* exactly that */
	EXPECT_EQ(-EAGAIN, ring_wait(self->producer, OUT, NOW));
}

TEST_F(pair, deadline_is_not_early)
{
	__u64 deadline = now_ns() + 20000000;

	EXPECT_EQ(-ETIMEDOUT, ring_wait(self->consumer, IN, deadline));
	EXPECT_LE(deadline, now_ns());
	EXPECT_FALSE(armed(&self->c));		/* nobody sleeps: no kick is wanted */
}

TEST_F(pair, ready_beats_a_deadline_that_passed)
{
	ASSERT_EQ(0, send_one(self, 1));
	EXPECT_EQ(IN, ring_wait(self->consumer, IN, 1));
}

/* ---- sleep and wake ---- */

TEST_F(pair, wait_is_woken)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(IN, ring_wait(self->consumer, IN, NEVER));
		CHECK_EQ(5, take_one(self));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	EXPECT_TRUE(armed(&self->c));
	EXPECT_EQ(0, send_one(self, 5));
	EXPECT_EQ(0, child_end(&c));
	EXPECT_FALSE(armed(&self->c));
}

TEST_F(pair, wait_for_space_is_woken)
{
	struct child c;

	while (!send_one(self, 1000))
		;
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(OUT, ring_wait(self->producer, OUT, NEVER));
		CHECK_EQ(0, send_one(self, 1000));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	EXPECT_EQ(1000, take_one(self));
	EXPECT_EQ(0, child_end(&c));
}

/* Below the threshold nobody is disturbed: the publisher does not even see a reason. */
TEST_F(pair, threshold_spares_the_kick)
{
	char buf[56] = { 0 };
	struct child c;
	void *to;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(IN, ring_wait_need(self->consumer, IN, 256, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	for (int i = 1; i <= 4; i++) {
		to = shmring_spsc_reserve(&self->tx, sizeof(buf));
		ASSERT_NE(NULL, to);
		memcpy(to, buf, sizeof(buf));
		shmring_spsc_put(&self->tx, sizeof(buf));
		EXPECT_EQ(i == 4, shmring_spsc_publish(&self->tx));
	}
	EXPECT_EQ(0, ring_kick(self->producer));
	EXPECT_EQ(0, child_end(&c));
}

TEST_F(pair, kick_without_need_wakes_nobody)
{
	struct child c;

	EXPECT_EQ(0, ring_kick(self->producer));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(IN, ring_wait(self->consumer, IN, NEVER));
		CHECK_EQ(7, take_one(self));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	EXPECT_EQ(0, ring_kick(self->producer));
	EXPECT_EQ(0, ring_kick(self->consumer));
	EXPECT_TRUE(armed(&self->c));
	EXPECT_EQ(0, send_one(self, 7));
	EXPECT_EQ(0, child_end(&c));
}

/* Two sleepers of one endpoint: the one that needs more must not be forgotten. */
TEST_F(pair, two_sleepers)
{
	struct child small, large;

	ASSERT_LE(0, child_start(&large));
	if (!large.pid) {
		CHECK_EQ(IN, ring_wait_need(self->consumer, IN, 1024, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(large.pid));
	ASSERT_LE(0, child_start(&small));
	if (!small.pid) {
		CHECK_EQ(IN, ring_wait(self->consumer, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(small.pid));
	EXPECT_EQ(0, send_one(self, 8));
	EXPECT_EQ(0, child_end(&small));
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(0, send_one(self, 8));
	EXPECT_EQ(0, child_end(&large));
}

/* A sleeper that gives up must not take the arming of another with it. */
TEST_F(pair, one_of_two_sleepers_times_out)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(IN, ring_wait(self->consumer, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	EXPECT_EQ(-ETIMEDOUT, ring_wait(self->consumer, IN, now_ns() + 1000000));
	EXPECT_TRUE(armed(&self->c));
	EXPECT_EQ(0, send_one(self, 8));
	EXPECT_EQ(0, child_end(&c));
}

/* ---- signals ---- */

static void on_signal(int sig)
{
	(void)sig;
}

TEST_F(pair, signal_with_a_handler_ends_the_wait)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct child c;

	sigaction(SIGUSR1, &act, NULL);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(-EINTR, ring_wait(self->consumer, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(0, kill(c.pid, SIGUSR1));
	EXPECT_EQ(0, child_end(&c));
	EXPECT_FALSE(armed(&self->c));
}

TEST_F(pair, stop_and_continue_do_not)
{
	struct child c;
	int status;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(IN, ring_wait(self->consumer, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(0, kill(c.pid, SIGSTOP));
	ASSERT_EQ(c.pid, waitpid(c.pid, &status, WUNTRACED));
	ASSERT_EQ(0, send_one(self, 3));	/* while it cannot hear it */
	ASSERT_EQ(0, kill(c.pid, SIGCONT));
	EXPECT_EQ(0, child_end(&c));
}

/* ---- what is and is not an event ---- */

TEST_F(pair, peer_that_never_came_is_not_gone)
{
	int alone = ring_create(SPSC, CONSUMER, 4096, NULL);

	ASSERT_LE(0, alone);
	EXPECT_EQ(0, poll_now(alone, POLLIN));
	EXPECT_EQ(-EAGAIN, ring_wait(alone, PEER, NOW));
	EXPECT_EQ(-EAGAIN, ring_wait(alone, IN | PEER, NOW));
	EXPECT_EQ(-ETIMEDOUT, ring_wait(alone, IN, now_ns()));
	close(alone);
}

/*
 * A record is seen by its header, before its position is: a consumer may have taken it
 * when the producer, interrupted between the two, has not yet told the position. That
 * is no error.
 */
TEST_F(pair, consumer_ahead_of_the_position)
{
	void *to = shmring_spsc_reserve(&self->tx, 16);

	ASSERT_NE(NULL, to);
	memset(to, 1, 16);
	shmring_spsc_put(&self->tx, 16);
	shmring_store_release(shmring_spsc_word(&self->tx, self->tx.hold_pos), self->tx.hold_word);
	EXPECT_EQ(16, take_one(self));
	EXPECT_EQ(-EAGAIN, take_one(self));
	EXPECT_EQ(-EAGAIN, ring_wait(self->consumer, IN, NOW));
	EXPECT_EQ(-ETIMEDOUT, ring_wait(self->consumer, IN, now_ns() + 1000));
	EXPECT_EQ(0, poll_now(self->consumer, POLLIN));
	EXPECT_EQ(POLLOUT, poll_now(self->producer, POLLOUT));
	EXPECT_EQ(OUT, ring_wait_need(self->producer, OUT, 4088, NOW));

	/* the producer goes on */
	shmring_store_release(&self->tx.mine->pos, self->tx.tail);
	self->tx.hold_word = 0;
	EXPECT_EQ(-EAGAIN, ring_wait(self->consumer, IN, NOW));
	EXPECT_EQ(0, send_one(self, 8));
	EXPECT_EQ(IN, ring_wait(self->consumer, IN, NOW));
}

/* Nonsense in a peer's page is told, and harms nobody. */
TEST_F(pair, positions_that_cannot_be)
{
	static const __u64 wrong[] = { 1ull << 63, ~0ull >> 1, 0x123456789, 4096 * 3 };

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		shmring_store(&self->c.cursor->pos, wrong[i]);
		EXPECT_EQ(-EPROTO, ring_wait(self->producer, OUT, NOW));
		EXPECT_EQ(-EPROTO, ring_wait(self->producer, OUT, NEVER));
		EXPECT_EQ(POLLERR, poll_now(self->producer, POLLOUT));
		EXPECT_EQ(0, ring_kick(self->producer));
		shmring_store(&self->c.cursor->pos, 0);
		shmring_store(&self->p.cursor->pos, wrong[i]);
		EXPECT_EQ(-EPROTO, ring_wait(self->consumer, IN, NOW));
		EXPECT_EQ(POLLERR, poll_now(self->consumer, POLLIN));
		shmring_store(&self->p.cursor->pos, 0);
		EXPECT_EQ(OUT, ring_wait(self->producer, OUT, NOW));
	}
}

/* wake_at, want, armed and closed may hold anything; so may META's reader's page. */
TEST_F(pair, cursor_pages_full_of_noise)
{
	unsigned int seed = 1;

	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(struct shmring_cursor); i += 8) {
			__u64 noise = ((__u64)rand_r(&seed) << 33) ^ (unsigned int)rand_r(&seed);

			*(volatile __u64 *)((char *)self->p.cursor + i) = noise;
			*(volatile __u64 *)((char *)self->c.cursor + i) = noise >> (round % 60);
		}
		ring_kick(self->producer);
		ring_kick(self->consumer);
		poll_now(self->producer, POLLOUT);
		poll_now(self->consumer, POLLIN);
		ring_wait(self->producer, OUT, 1);
		ring_wait(self->consumer, IN, 1);
	}
	memset(self->p.cursor, 0, sizeof(*self->p.cursor));
	memset(self->c.cursor, 0, sizeof(*self->c.cursor));
	EXPECT_EQ(OUT, ring_wait(self->producer, OUT, NOW));
	EXPECT_EQ(-EAGAIN, ring_wait(self->consumer, IN, NOW));
}

TEST_HARNESS_MAIN
