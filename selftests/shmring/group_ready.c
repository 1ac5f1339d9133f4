// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings with many endpoints: when records or space are there, by whatever way it is asked,
 * and who is woken. Bits in META tell who is armed: no test here goes by time.
 */
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "group.h"

#define LOST_MS		10000	/* after which a wake-up will not come any more */
#define RECORDS		127	/* of 32 bytes fill a lane */

FIXTURE(ready) {
	int ring, consumers;
	struct member p[2], c[2];
};

FIXTURE_VARIANT(ready) {
	__u32 topology;
};

FIXTURE_VARIANT_ADD(ready, mpsc) { MPSC };
FIXTURE_VARIANT_ADD(ready, queue) { QUEUE };
FIXTURE_VARIANT_ADD(ready, broadcast) { BROADCAST };

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(ready) *self, __u32 topology)
{
	self->consumers = topology == MPSC ? 1 : 2;
	self->ring = group_create(topology, SHMRING_FULL_WAIT, 3, (__u32)self->consumers);
	ASSERT_LE(0, self->ring);
	for (int k = 0; k < 2; k++)
		ASSERT_TRUE(member_attach(&self->p[k], PRODUCER, self->ring));
	for (int k = 0; k < self->consumers; k++)
		ASSERT_TRUE(member_attach(&self->c[k], CONSUMER, self->ring));
}

FIXTURE_SETUP(ready)
{
	start(_metadata, self, variant->topology);
}

FIXTURE_TEARDOWN(ready)
{
	close(self->ring);
}

static bool armed(const struct member *m)
{
	return in_state(m->info.role == PRODUCER ? m->meta->tx_state : m->meta->rx_state,
			m->info.slot);
}

/* A child that waits for IN; when it returns, the child is armed and asleep. */
static bool sleeper(struct child *child, const struct member *c, __u64 need, __u64 records)
{
	if (child_start(child))
		return child->pid > 0 && until_asleep(child->pid);
	CHECK_EQ(IN, ring_wait_records(c->fd, need, records, NEVER));
	_exit(0);
}

/* Publish and kick if asked to; whether the core asked. */
static int send32(struct member *p)
{
	int ret = member_send_quietly(p, 24, 'x');

	return ret > 0 ? ring_kick(p->fd) ?: 1 : ret;
}

static void fill(struct __test_metadata *_metadata, struct member *p)
{
	for (int k = 0; k < RECORDS; k++)
		ASSERT_LE(0, member_send_quietly(p, 24, 'x'));
	ASSERT_EQ(-EAGAIN, member_send_quietly(p, 24, 'x'));
}

/* ---- records ---- */

TEST_F(ready, with_a_record_in_any_lane)
{
	struct member *c = &self->c[0];

	for (int k = 0; k < 2; k++) {
		EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
		EXPECT_EQ(0, poll_now(c->fd, POLLIN));
		ASSERT_LE(0, send32(&self->p[k]));
		EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
		EXPECT_EQ(POLLIN, poll_now(c->fd, POLLIN));
		EXPECT_EQ('x', member_take(c));
	}
	EXPECT_EQ(0, poll_now(c->fd, POLLIN));
}

/* Claimed or looked at, it is there until it is released. */
TEST_F(ready, while_a_record_is_not_released)
{
	struct member *c = &self->c[0];

	ASSERT_LE(0, send32(&self->p[1]));
	EXPECT_EQ('x', member_get(c));
	EXPECT_EQ(POLLIN, poll_now(c->fd, POLLIN));
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ(0, member_release(c));
	EXPECT_EQ(0, poll_now(c->fd, POLLIN));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
}

/* Killed between a record and the position behind it, with other producers alive. */
TEST_F(ready, with_a_record_that_was_not_told_of)
{
	struct child child;
	struct member p;

	ASSERT_TRUE(sleeper(&child, &self->c[0], 0, 0));
	/* After the fork: the child must not have it, too. */
	ASSERT_TRUE(member_attach(&p, PRODUCER, self->ring));
	ASSERT_EQ(0, member_put(&p, 24, 'x'));
	shmring_store_release(shmring_spsc_word(&p.tx, p.tx.hold_pos), p.tx.hold_word);
	EXPECT_EQ(-EAGAIN, ring_wait(self->c[0].fd, IN, NOW));
	member_close(&p);
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ('x', member_take(&self->c[0]));
	EXPECT_EQ(-EAGAIN, ring_wait(self->c[0].fd, IN, NOW));
}

TEST_F(ready, wakes_wait)
{
	struct member *c = &self->c[0];
	struct child child;

	ASSERT_TRUE(sleeper(&child, c, 0, 0));
	EXPECT_TRUE(armed(c));
	EXPECT_EQ(SHMRING_ARMED_YES, c->mine->armed);
	EXPECT_EQ(1, c->mine->wake_at);
	EXPECT_EQ(SHMRING_WAKE_NEVER, c->mine->wake_records);
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_FALSE(armed(c));	/* not before: who is woken arms, looks and disarms */
	EXPECT_EQ(SHMRING_ARMED_NO, c->mine->armed);
	EXPECT_EQ(0, send32(&self->p[1]));	/* nobody asks any more */
}

TEST_F(ready, wakes_edge_triggered_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->c[0].fd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	for (int k = 0; k < 4; k++) {
		EXPECT_EQ(1, send32(&self->p[k & 1]));
		EXPECT_EQ(1, epoll_wait(ep, &ev, 1, LOST_MS));
		EXPECT_EQ(EPOLLIN, ev.events);
		EXPECT_EQ('x', member_take(&self->c[0]));
	}
	close(ep);
}

TEST_F(ready, signals_an_eventfd)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	__u64 count;

	ASSERT_EQ(0, ring_eventfd(self->c[0].fd, IN, efd));
	EXPECT_EQ(-1, read(efd, &count, sizeof(count)));
	EXPECT_TRUE(armed(&self->c[0]));
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_EQ(sizeof(count), read(efd, &count, sizeof(count)));
	EXPECT_FALSE(armed(&self->c[0]));
	close(efd);
}

TEST_F(ready, with_enough_bytes_in_all_lanes)
{
	struct member *c = &self->c[0];
	struct child child;

	ASSERT_TRUE(sleeper(&child, c, 96, 0));
	EXPECT_EQ(48, c->mine->wake_at);	/* of either producer */
	EXPECT_EQ(1, send32(&self->p[0]));
	EXPECT_TRUE(armed(c));
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_TRUE(armed(c));
	EXPECT_EQ(-EAGAIN, ring_wait_need(c->fd, IN, 65, NOW));
	EXPECT_EQ(IN, ring_wait_need(c->fd, IN, 64, NOW));
	EXPECT_EQ(1, send32(&self->p[0]));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_FALSE(armed(c));
	EXPECT_EQ(-EAGAIN, ring_wait_need(c->fd, IN, 3 * 4088, NOW));
	EXPECT_EQ(-ERANGE, ring_wait_need(c->fd, IN, 3 * 4088 + 1, NOW));
}

/* More producers, more lanes that could have it together. */
TEST_F(ready, asks_a_producer_that_joins_for_its_share)
{
	struct member *c = &self->c[0], third;
	struct child child;

	ASSERT_TRUE(sleeper(&child, c, 96, 0));
	ASSERT_TRUE(member_attach(&third, PRODUCER, self->ring));
	while (shmring_load(&c->mine->wake_at) != 32)
		sched_yield();
	EXPECT_EQ(1, send32(&third));
	EXPECT_EQ(1, send32(&self->p[0]));
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_EQ(0, child_end(&child));
}

/* What a gone producer left counts, and nobody has to bring it any more. */
TEST_F(ready, counts_what_the_dead_left)
{
	struct member *c = &self->c[0];
	struct child child;

	ASSERT_LE(0, send32(&self->p[0]));
	member_close(&self->p[0]);
	ASSERT_TRUE(sleeper(&child, c, 96, 0));
	EXPECT_EQ(64, c->mine->wake_at);
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_TRUE(armed(c));
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_EQ(0, child_end(&child));
}

TEST_F(ready, with_what_is_left_when_all_producers_are_gone)
{
	struct member *c = &self->c[0];

	ASSERT_LE(0, send32(&self->p[0]));
	EXPECT_EQ(-EAGAIN, ring_wait_need(c->fd, IN, 64, NOW));
	member_close(&self->p[0]);
	EXPECT_EQ(-EAGAIN, ring_wait_need(c->fd, IN, 64, NOW));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, PEER, NOW));
	self->p[1].mine->closed = (__u32)getpid();
	member_close(&self->p[1]);
	EXPECT_EQ(IN, ring_wait_need(c->fd, IN, 64, NOW));
	EXPECT_EQ(IN | PEER, ring_wait_need(c->fd, IN | PEER, 64, NOW));
	EXPECT_EQ('x', member_take(c));
	EXPECT_EQ(-EOWNERDEAD, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ(POLLHUP, poll_now(c->fd, POLLIN));
}

TEST_F(ready, with_enough_records)
{
	struct member *c = &self->c[0];
	struct child child;

	if (variant->topology != MPSC) {
		EXPECT_EQ(-EOPNOTSUPP, ring_wait_records(c->fd, 0, 1, NOW));
		return;
	}
	EXPECT_EQ(-EINVAL, ring_wait_records(self->p[0].fd, 0, 1, NOW));
	EXPECT_EQ(-ERANGE, ring_wait_records(c->fd, 0, 3 * 4088 / 8 + 1, NOW));
	ASSERT_LE(0, send32(&self->p[0]));
	EXPECT_EQ(-EAGAIN, ring_wait_records(c->fd, 0, 2, NOW));
	EXPECT_EQ(IN, ring_wait_records(c->fd, 32, 2, NOW));	/* either */
	ASSERT_TRUE(sleeper(&child, c, 0, 3));
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_TRUE(armed(c));
	EXPECT_EQ(1, send32(&self->p[1]));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_FALSE(armed(c));
	EXPECT_EQ(IN, ring_wait_records(c->fd, 0, 3, NOW));
	EXPECT_EQ('x', member_take(c));
	EXPECT_EQ(-EAGAIN, ring_wait_records(c->fd, 4000, 3, NOW));
}

/* ---- space ---- */

TEST_F(ready, with_space_in_the_own_lane)
{
	struct member *p = &self->p[0];

	fill(_metadata, p);
	EXPECT_EQ(-EAGAIN, ring_wait(p->fd, OUT, NOW));
	EXPECT_EQ(0, poll_now(p->fd, POLLOUT));
	EXPECT_TRUE(armed(p));
	EXPECT_EQ(OUT, ring_wait(self->p[1].fd, OUT, NOW));
	EXPECT_EQ(OUT, ring_wait_need(self->p[1].fd, OUT, 4088, NOW));
	if (variant->topology == QUEUE)
		EXPECT_LE(0, member_get(&self->c[1]));	/* held: not free yet */
	EXPECT_EQ('x', member_take(&self->c[0]));
	if (self->consumers == 2) {
		EXPECT_TRUE(armed(p));
		EXPECT_EQ(-EAGAIN, ring_wait(p->fd, OUT, NOW));
		EXPECT_EQ(variant->topology == QUEUE ? 0 : 'x',
			  variant->topology == QUEUE ? member_release(&self->c[1]) :
						       member_take(&self->c[1]));
	}
	EXPECT_FALSE(armed(p));
	EXPECT_EQ(OUT, ring_wait(p->fd, OUT, NOW));
	EXPECT_EQ(POLLOUT, poll_now(p->fd, POLLOUT));
	EXPECT_EQ(0, member_send(p, 24, 'y'));
}

/* Consumers that are gone gate nobody but where the records wait for the next. */
TEST_F(ready, when_consumers_are_gone)
{
	fill(_metadata, &self->p[0]);
	self->c[0].mine->closed = (__u32)getpid();
	member_close(&self->c[0]);
	if (self->consumers == 2) {
		EXPECT_EQ(-EAGAIN, ring_wait(self->p[0].fd, OUT, NOW));
		self->c[1].mine->closed = (__u32)getpid();
		member_close(&self->c[1]);
	}
	EXPECT_EQ(PEER, ring_wait(self->p[0].fd, PEER, NOW));
	if (variant->topology == BROADCAST) {
		EXPECT_EQ(OUT, ring_wait_need(self->p[0].fd, OUT, 4088, NOW));
		EXPECT_EQ(OUT | PEER, ring_wait(self->p[0].fd, OUT | PEER, NOW));
	} else {
		EXPECT_EQ(-EPIPE, ring_wait(self->p[0].fd, OUT, NOW));
		EXPECT_EQ(-EPIPE, ring_wait(self->p[1].fd, OUT, NOW));
	}
}

TEST(overwrite_always_has_space)
{
	int ring = group_create(BROADCAST, SHMRING_FULL_OVERWRITE, 2, 2);
	struct member p, c;

	ASSERT_TRUE(member_attach(&p, PRODUCER, ring));
	ASSERT_TRUE(member_attach(&c, CONSUMER, ring));
	for (int k = 0; k < 3 * RECORDS; k++) {
		EXPECT_LE(0, member_send_quietly(&p, 24, 'x'));
		EXPECT_EQ(OUT, ring_wait(p.fd, OUT, NOW));
		EXPECT_EQ(POLLOUT, poll_now(p.fd, POLLOUT));
		EXPECT_EQ(IN, ring_wait(c.fd, IN, NOW));	/* however far behind */
	}
	EXPECT_FALSE(armed(&p));	/* nobody has to kick it */
	member_close(&p);
	EXPECT_EQ(IN, ring_wait(c.fd, IN, NOW));
}

/* ---- a QUEUE wakes one consumer a record ---- */

TEST(queue_wakes_one)
{
	FIXTURE_DATA(ready) self;
	struct child child[2];
	int status, other;

	start(_metadata, &self, QUEUE);
	for (int k = 0; k < 2; k++)
		ASSERT_TRUE(sleeper(&child[k], &self.c[k], 0, 0));
	EXPECT_EQ(1, send32(&self.p[0]));
	other = wait(&status) == child[0].pid;
	EXPECT_EQ(0, status);
	EXPECT_EQ(other == 1, armed(&self.c[1]));
	EXPECT_EQ(other == 0, armed(&self.c[0]));
	EXPECT_EQ(1, send32(&self.p[0]));
	EXPECT_EQ(0, child_end(&child[other]));
	EXPECT_EQ(0, armed(&self.c[0]) + armed(&self.c[1]));
}

/* One that asked once and listens no more is not the one. */
TEST(queue_wakes_one_that_listens)
{
	FIXTURE_DATA(ready) self;
	struct child child;

	start(_metadata, &self, QUEUE);
	EXPECT_EQ(0, poll_now(self.c[0].fd, POLLIN));
	EXPECT_TRUE(armed(&self.c[0]));
	ASSERT_TRUE(sleeper(&child, &self.c[1], 0, 0));
	EXPECT_EQ(1, send32(&self.p[0]));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ(0, armed(&self.c[0]) + armed(&self.c[1]));
}

/* Nor is one that waits for more, whatever it had asked for before. */
TEST(queue_wakes_one_that_has_enough)
{
	FIXTURE_DATA(ready) self;
	struct child much, little;

	start(_metadata, &self, QUEUE);
	EXPECT_EQ(0, poll_now(self.c[0].fd, POLLIN));
	ASSERT_TRUE(sleeper(&much, &self.c[0], 4000, 0));
	ASSERT_TRUE(sleeper(&little, &self.c[1], 0, 0));
	EXPECT_EQ(1, send32(&self.p[0]));
	EXPECT_EQ(0, child_end(&little));
	EXPECT_EQ(128 + SIGKILL, child_kill(&much));
}

/* Nor one that will be told, and has perhaps something else to do. */
TEST(queue_wakes_one_that_sleeps)
{
	FIXTURE_DATA(ready) self;
	struct child child;
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	ASSERT_TRUE(efd >= 0 && epfd >= 0);
	start(_metadata, &self, QUEUE);
	ASSERT_EQ(0, ring_eventfd(self.c[0].fd, IN, efd));
	ASSERT_TRUE(armed(&self.c[0]));
	ASSERT_TRUE(sleeper(&child, &self.c[1], 0, 0));
	EXPECT_EQ(1, send32(&self.p[0]));
	EXPECT_EQ(0, child_end(&child));
	ASSERT_EQ(0, ring_eventfd(self.c[0].fd, IN, -1));

	EXPECT_EQ('x', member_take(&self.c[1]));
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self.c[0].fd, &ev));
	ASSERT_TRUE(armed(&self.c[0]));
	ASSERT_TRUE(sleeper(&child, &self.c[1], 0, 0));
	EXPECT_EQ(1, send32(&self.p[0]));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ(1, epoll_wait(epfd, &ev, 1, 0));
	close(epfd);
	close(efd);
}

static void interrupted(int sig)
{
	(void)sig;
}

/* On one CPU, so that who has it says who comes next. */
static bool share_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	return !sched_setaffinity(0, sizeof(cpus), &cpus);
}

/*
 * Nor one that waits for its peers' end: it does not look for records, and here gives up before it
 * can pass the kick on.
 */
TEST(queue_wakes_one_that_waits_for_records)
{
	__u64 until = now_ns() + LOST_MS * 1000000ull;
	struct sched_param first = { .sched_priority = 1 }, usual = { 0 };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct sigaction sa = { .sa_handler = interrupted };
	struct epoll_event ev = { .events = EPOLLIN };
	struct child end, records;
	FIXTURE_DATA(ready) self;

	start(_metadata, &self, QUEUE);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self.c[0].fd, &ev));
	ASSERT_TRUE(armed(&self.c[0]));
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_TRUE(share_cpu());
	if (!child_start(&end)) {
		CHECK_EQ(-EINTR, ring_wait(self.c[0].fd, PEER, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(end.pid));
	if (!child_start(&records)) {
		CHECK_EQ(IN, ring_wait(self.c[1].fd, IN, until));
		/* When its time is over WAIT looks once more. */
		CHECK(now_ns() < until);
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(records.pid));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &first));
	EXPECT_EQ(0, kill(end.pid, SIGUSR1));
	EXPECT_EQ(1, send32(&self.p[0]));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &usual));
	EXPECT_EQ(0, child_end(&end));
	EXPECT_EQ(0, child_end(&records));
	EXPECT_EQ(1, epoll_wait(epfd, &ev, 1, 0));
	close(epfd);
}

/* Two sleepers of one endpoint: what the first of them needs wakes. */
TEST_F(ready, for_the_first_of_two_sleepers)
{
	struct child much, little;

	ASSERT_TRUE(sleeper(&much, &self->c[0], 4000, 0));
	ASSERT_TRUE(sleeper(&little, &self->c[0], 32, 0));
	EXPECT_EQ(1, send32(&self->p[0]));
	EXPECT_EQ(0, child_end(&little));
	EXPECT_EQ(128 + SIGKILL, child_kill(&much));
}

TEST_HARNESS_MAIN
