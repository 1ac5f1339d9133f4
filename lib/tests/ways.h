/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * Each way of waiting for an event of an endpoint, for the tests that look for lost wake-ups.
 */
#ifndef SHMRING_TEST_WAYS_H
#define SHMRING_TEST_WAYS_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "test.h"

enum way {
	BLOCK,			/* in the call: futex or WAIT */
	WAIT,			/* shmring_wait() */
	THRESHOLD,		/* shmring_wait_for() */
	POLL,
	EPOLL_LEVEL,
	EPOLL_EDGE,
	EVENTFD,
};

struct waiter {
	struct shmring *r;
	enum way way;
	uint32_t event;		/* SHMRING_EV_IN or OUT */
	int fd;			/* what to wait on */
	int ep;
	short events;
	uint64_t slept;		/* how often there was nothing, and it waited; not in calls */
};

static inline int waiter_open(struct waiter *w)
{
	struct epoll_event event;

	w->fd = -1;
	w->ep = -1;
	/* An eventfd, which pollfd is on memfd, becomes readable whatever the event. */
	w->events = POLLIN;
	if (w->event == SHMRING_EV_OUT && w->way != EVENTFD &&
	    test_backend() == SHMRING_BACKEND_DEVICE)
		w->events = POLLOUT;
	if (w->way == EVENTFD) {
		w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		return w->fd < 0 ? -1 : shmring_set_eventfd(w->r, w->event, w->fd);
	}
	if (w->way < POLL)
		return 0;
	w->fd = shmring_pollfd(w->r);
	if (w->fd < 0 || w->way == POLL)
		return w->fd < 0 ? -1 : 0;
	event.events = (uint32_t)w->events | (w->way == EPOLL_EDGE ? EPOLLET : 0);
	w->ep = epoll_create1(EPOLL_CLOEXEC);
	return epoll_ctl(w->ep, EPOLL_CTL_ADD, w->fd, &event);
}

static inline void waiter_close(struct waiter *w)
{
	if (w->ep >= 0)
		close(w->ep);
	if (w->way == EVENTFD)
		close(w->fd);
	shmring_close(w->r);
}

static inline void waiter_poll(struct waiter *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = w->events };
	struct epoll_event event;
	eventfd_t count;

	if (shmring_arm(w->r, w->event))
		return;
	w->slept++;
	if (w->ep >= 0)
		CHECK_EQ(epoll_wait(w->ep, &event, 1, -1), 1);
	else
		CHECK_EQ(poll(&pfd, 1, -1), 1);
	if (w->way == EVENTFD)
		CHECK_EQ(eventfd_read(w->fd, &count), 0);
}

/**
 * waiter_sleep() - the call said EAGAIN: wait as agreed
 * @w: waiter
 * @bytes: for THRESHOLD
 * @records: likewise
 */
static inline void waiter_sleep(struct waiter *w, uint64_t bytes, uint64_t records)
{
	int ret;

	switch (w->way) {
	case BLOCK:
		return;
	case WAIT:
		ret = shmring_wait(w->r, w->event, SHMRING_FOREVER);
		break;
	case THRESHOLD:
		ret = shmring_wait_for(w->r, w->event, bytes, records, SHMRING_FOREVER);
		break;
	default:
		waiter_poll(w);
		return;
	}
	CHECK(ret == (int)w->event || ret == -EPIPE);
}

/* A call of this way either waits itself or does not. */
static inline uint64_t waiter_deadline(const struct waiter *w)
{
	return w->way == BLOCK ? SHMRING_FOREVER : SHMRING_NOWAIT;
}

#endif /* SHMRING_TEST_WAYS_H */
