// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readiness: poll, epoll (level and edge), WAIT and eventfd tell the same, at the same
 * thresholds, once a publisher that found its peer armed has kicked.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "endpoint.h"

#define IN	SHMRING_EV_IN
#define OUT	SHMRING_EV_OUT
#define PEER	SHMRING_EV_PEER
#define NOW	SHMRING_DEADLINE_NOW
#define NEVER	SHMRING_DEADLINE_NEVER

FIXTURE(pair) {
	int producer, consumer;
	struct endpoint p, c;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
};

static void pair_open(struct __test_metadata *_metadata, FIXTURE_DATA(pair) *self, __u32 flags)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 4096);

	arg.flags = flags;
	self->producer = ring_create_with(&arg);
	ASSERT_LE(0, self->producer);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, endpoint_map(&self->p, self->producer));
	ASSERT_EQ(0, endpoint_map(&self->c, self->consumer));
	ASSERT_EQ(0, tx_init(&self->tx, &self->p));
	rx_init(&self->rx, &self->c);
}

FIXTURE_SETUP(pair)
{
	pair_open(_metadata, self, 0);
}

FIXTURE_TEARDOWN(pair)
{
	endpoint_unmap(&self->p);
	endpoint_unmap(&self->c);
	close(self->producer);
	close(self->consumer);
}

static int send_one(FIXTURE_DATA(pair) *self, size_t len)
{
	char buf[4096] = { 0 };

	return tx_try(&self->p, &self->tx, buf, len);
}

static long take_one(FIXTURE_DATA(pair) *self)
{
	char buf[4096];

	return rx_try(&self->c, &self->rx, buf, sizeof(buf));
}

static bool armed(const struct endpoint *e)
{
	return shmring_load(&e->cursor->armed) == SHMRING_ARMED_YES;
}

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

/* ---- eventfd ---- */

static __u64 drain(int efd)
{
	__u64 n = 0;

	return read(efd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST_F(pair, eventfd_signalled_at_once_if_ready)
{
	int efd = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, efd));
	EXPECT_EQ(0, drain(efd));
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_NE(0, drain(efd));
	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, efd));
	EXPECT_NE(0, drain(efd));		/* the record is still there */
	ASSERT_EQ(0, ring_eventfd(self->producer, OUT, efd));
	EXPECT_NE(0, drain(efd));
	close(efd);
}

TEST_F(pair, eventfd_after_arming_again)
{
	int efd = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, efd));
	for (int i = 0; i < 10; i++) {
		ASSERT_TRUE(cursor_arm(self->c.cursor, endpoint_peer(&self->c),
				       self->rx.done + 1));
		EXPECT_EQ(0, send_one(self, 4));
		EXPECT_NE(0, drain(efd));
		EXPECT_FALSE(cursor_arm(self->c.cursor, endpoint_peer(&self->c),
					self->rx.done + 1));
		EXPECT_EQ(4, take_one(self));
		drain(efd);
	}
	close(efd);
}

TEST_F(pair, eventfd_replaced_and_removed)
{
	int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, first));
	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, second));
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_EQ(0, drain(first));
	EXPECT_NE(0, drain(second));
	ASSERT_EQ(4, take_one(self));
	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, -1));
	cursor_arm(self->c.cursor, endpoint_peer(&self->c), self->rx.done + 1);
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_EQ(0, drain(first));
	EXPECT_EQ(0, drain(second));
	close(first);
	close(second);
}

/* The kernel holds the eventfd, not the number. */
TEST_F(pair, eventfd_number_is_closed)
{
	int efd = eventfd(0, EFD_NONBLOCK), copy = dup(efd);

	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, efd));
	close(efd);
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_NE(0, drain(copy));
	close(copy);
}

TEST_F(pair, eventfd_of_each_event)
{
	int in = eventfd(0, EFD_NONBLOCK), peer = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, in));
	ASSERT_EQ(0, ring_eventfd(self->consumer, PEER, peer));
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_NE(0, drain(in));
	EXPECT_EQ(0, drain(peer));
	endpoint_unmap(&self->p);
	close(self->producer);
	EXPECT_NE(0, drain(peer));
	EXPECT_NE(0, drain(in));		/* asleep for a record: none will come */
	ASSERT_EQ(0, ring_eventfd(self->consumer, PEER, peer));
	EXPECT_NE(0, drain(peer));
	self->producer = ring_attach_fd(PRODUCER, self->consumer);
	ASSERT_EQ(0, endpoint_map(&self->p, self->producer));
	close(in);
	close(peer);
}

/* ---- epoll ---- */

static int epoll_new(int fd, __u32 events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) ? -errno : ep;
}

/* Events that are reported now. */
static int epoll_now(int ep)
{
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, 0);

	return n < 0 ? -errno : n ? (int)ev.events : 0;
}

TEST_F(pair, epoll_level)
{
	int ep = epoll_new(self->consumer, EPOLLIN);

	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_now(ep));
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_EQ(EPOLLIN, epoll_now(ep));
	EXPECT_EQ(EPOLLIN, epoll_now(ep));
	ASSERT_EQ(4, take_one(self));
	EXPECT_EQ(0, epoll_now(ep));
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_EQ(EPOLLIN, epoll_now(ep));
	close(ep);
}

TEST_F(pair, epoll_edge)
{
	int ep = epoll_new(self->consumer, EPOLLIN | EPOLLET);

	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_now(ep));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, send_one(self, 4));
		EXPECT_EQ(EPOLLIN, epoll_now(ep));
		EXPECT_EQ(0, epoll_now(ep));	/* told once */
		ASSERT_EQ(4, take_one(self));
		EXPECT_EQ(-EAGAIN, take_one(self));
	}
	close(ep);
}

TEST_F(pair, epoll_edge_when_ready_before)
{
	int ep;

	ASSERT_EQ(0, send_one(self, 4));
	ep = epoll_new(self->consumer, EPOLLIN | EPOLLET);
	ASSERT_LE(0, ep);
	EXPECT_EQ(EPOLLIN, epoll_now(ep));
	ASSERT_EQ(4, take_one(self));
	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_EQ(EPOLLIN, epoll_now(ep));
	close(ep);
}

TEST_F(pair, epoll_edge_for_space)
{
	int ep = epoll_new(self->producer, EPOLLOUT | EPOLLET);

	ASSERT_LE(0, ep);
	EXPECT_EQ(EPOLLOUT, epoll_now(ep));
	for (int i = 0; i < 10; i++) {
		while (!send_one(self, 1000))
			;
		epoll_now(ep);		/* an edge that was on its way may come late */
		EXPECT_EQ(0, epoll_now(ep));
		ASSERT_EQ(1000, take_one(self));
		EXPECT_EQ(EPOLLOUT, epoll_now(ep));
	}
	close(ep);
}

TEST_F(pair, epoll_hup_both_ways)
{
	int level = epoll_new(self->consumer, EPOLLIN);
	int edge = epoll_new(self->consumer, EPOLLIN | EPOLLET);

	ASSERT_EQ(0, send_one(self, 4));
	EXPECT_EQ(EPOLLIN, epoll_now(level));
	EXPECT_EQ(EPOLLIN, epoll_now(edge));
	endpoint_unmap(&self->p);
	close(self->producer);
	EXPECT_EQ(EPOLLIN | EPOLLHUP, epoll_now(level));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, epoll_now(edge));
	ASSERT_EQ(4, take_one(self));
	EXPECT_EQ(EPOLLHUP, epoll_now(level));
	EXPECT_EQ(0, epoll_now(edge));
	self->producer = ring_attach_fd(PRODUCER, self->consumer);
	EXPECT_EQ(0, epoll_now(level));		/* until another attaches */
	ASSERT_EQ(0, endpoint_map(&self->p, self->producer));
	close(level);
	close(edge);
}

TEST_HARNESS_MAIN
