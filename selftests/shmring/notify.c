// SPDX-License-Identifier: GPL-2.0-only
/*
 * eventfd and epoll, level- and edge-triggered: told once, told again, never forgotten.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "pair.h"

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
