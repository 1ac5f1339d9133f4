// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds (ready.c), told in three ways: WAIT, poll and eventfd. All queue or register
 * first, then arm, then look (wake.c says why).
 */
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <linux/time_namespace.h>

#include "trace.h"

/**
 * shmring_deadline_to_host() - a program's deadline by the kernel's clock
 * @deadline: CLOCK_MONOTONIC of the caller's time namespace in ns, or SHMRING_DEADLINE_*
 *
 * Context: process, of a task that has not lost its namespaces.
 * Return: the same time as the kernel has it; NOW and NEVER as they are, and no other as these.
 */
u64 shmring_deadline_to_host(u64 deadline)
{
	struct timespec64 ts = { 0 };
	s64 offset;

	/* From KTIME_MAX on it is never, too. */
	if (deadline == SHMRING_DEADLINE_NOW || deadline >= KTIME_MAX)
		return deadline;
	timens_add_monotonic(&ts);
	offset = timespec64_to_ns(&ts);
	if (offset > 0)
		return deadline <= offset ? 1 : deadline - offset;
	return min_t(u64, deadline - offset, KTIME_MAX - 1);
}

/**
 * shmring_wait_check() - may this endpoint wait for that?
 * @ep: endpoint
 * @ring: its ring
 * @arg: what it asks for
 *
 * Return: 0, -EINVAL, -ERANGE, -EOPNOTSUPP.
 */
int shmring_wait_check(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
		       const struct shmring_ioc_wait *arg)
{
	u32 data = arg->events & SHMRING_EV_DATA;
	u64 most = ring->data_size - SHMRING_REC_TAIL;

	if (arg->flags || !arg->events ||
	    (arg->events & ~(shmring_data_event(ep, ring) | SHMRING_EV_PEER)))
		return -EINVAL;
	if ((arg->need && !data) || (arg->need_records && data != SHMRING_EV_IN))
		return -EINVAL;
	/* What others took, or what is from before a consumer joined, is in the counts. */
	if (arg->need_records && (ring->topology == SHMRING_TOPO_QUEUE ||
				  ring->topology == SHMRING_TOPO_BROADCAST))
		return -EOPNOTSUPP;
	if (data == SHMRING_EV_IN)
		most *= ring->lanes;
	if (arg->need > most || arg->need_records > most / sizeof(struct shmring_record))
		return -ERANGE;
	if ((ring->flags & SHMRING_CREATE_SPIN) && data && arg->deadline != SHMRING_DEADLINE_NOW)
		return -EOPNOTSUPP;
	return 0;
}

/**
 * shmring_wait_look() - look once: what holds, or why it never will
 * @ep: endpoint
 * @ring: its ring
 * @arg: what is waited for, checked
 * @arm: ask to be kicked first; the caller is in the queue of @ep
 *
 * Return: SHMRING_EV_*; 0: wait; -EPIPE, -EOWNERDEAD, -EPROTO.
 */
int shmring_wait_look(struct shmring_endpoint *ep, struct shmring_ring *ring,
		      const struct shmring_ioc_wait *arg, bool arm)
{
	/* Without consumers a BROADCAST ring is free, not broken. */
	bool alone = ring->topology == SHMRING_TOPO_BROADCAST &&
		     (arg->events & SHMRING_EV_OUT);
	int ready;

	spin_lock(&ring->lock);
	ready = shmring_ready(ep, ring, arg->events, arg->need, arg->need_records, arm);
	if (!alone && (ready == 0 || ready == SHMRING_EV_OUT) && !(arg->events & SHMRING_EV_PEER))
		ready = shmring_peers_gone(ep, ring) ?: ready;
	spin_unlock(&ring->lock);
	return ready;
}

/**
 * shmring_wait_on() - somebody has looked, and is about to sleep
 * @ep: endpoint
 * @ring: its ring
 * @again: was woken, and there was not enough: of a QUEUE the kick is passed on, for it may
 *	have been meant for less than this one waits for
 */
void shmring_wait_on(const struct shmring_endpoint *ep, struct shmring_ring *ring, bool again)
{
	struct shmring_witness *witness = shmring_witness_of(ep, ring);

	if (!witness)
		return;
	spin_lock(&ring->lock);
	shmring_count(&witness->waits);
	if (again) {
		shmring_count(&witness->spurious);
		if (ring->topology == SHMRING_TOPO_QUEUE && ep->role == SHMRING_ROLE_CONSUMER)
			shmring_kick_role(ring, SHMRING_ROLE_CONSUMER);
	}
	spin_unlock(&ring->lock);
}

/**
 * shmring_wait_end() - somebody does not wait any more
 * @ep: endpoint; the caller has left its queue
 * @ring: its ring
 * @events: what was waited for
 * @ret: what came of it: SHMRING_EV_* or an error
 */
void shmring_wait_end(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 events, int ret)
{
	if (events & SHMRING_EV_DATA)
		shmring_disarm(ep, ring, ret < 0 || !(ret & SHMRING_EV_IN));
}

/**
 * shmring_wait() - sleep until something can be done
 * @ep: endpoint
 * @arg: what to wait for and how long; revents is set on success
 * @looks: whoever calls is who looks at the ring then, if it waits for records, and not a worker
 *	for a program that may be busy: see shmring_kick_role()
 *
 * Context: process; sleeps; a signal ends it.
 * Return: 0 or an error as &struct shmring_ioc_wait has it.
 */
int shmring_wait(struct shmring_endpoint *ep, struct shmring_ioc_wait *arg, bool looks)
{
	struct shmring_ring *ring = ep->ring;
	bool sleep = arg->deadline != SHMRING_DEADLINE_NOW, late = false;
	ktime_t deadline = min_t(u64, arg->deadline, KTIME_MAX);
	u64 slack = rt_task(current) ? 0 : current->timer_slack_ns;
	unsigned int sleeps = 0;
	DEFINE_WAIT(wait);
	int ret;

	ret = shmring_wait_check(ep, ring, arg);
	if (ret)
		return ret;

	trace_shmring_wait_begin(ep, ring, arg);
	looks &= sleep && (arg->events & SHMRING_EV_DATA);
	if (looks)
		atomic_inc(&ep->sleepers);
	for (;;) {
		if (sleep)
			prepare_to_wait(&ep->wq, &wait, TASK_INTERRUPTIBLE);
		ret = shmring_wait_look(ep, ring, arg, sleep);
		if (ret)
			break;
		ret = !sleep ? -EAGAIN : late ? -ETIMEDOUT : 0;
		if (ret)
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTNOHAND;
			break;
		}
		shmring_wait_on(ep, ring, sleeps++);
		late = !schedule_hrtimeout_range(deadline == KTIME_MAX ? NULL : &deadline,
						 slack, HRTIMER_MODE_ABS);
	}
	if (looks)
		atomic_dec(&ep->sleepers);
	if (sleep) {
		finish_wait(&ep->wq, &wait);
		shmring_wait_end(ep, ring, arg->events, ret);
	}
	trace_shmring_wait_end(ep, ring, ret, sleeps);
	if (ret < 0)
		return ret;
	arg->revents = ret;
	return 0;
}

static __poll_t shmring_poll_bits(u32 events)
{
	__poll_t mask = 0;

	if (events & SHMRING_EV_IN)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (events & SHMRING_EV_OUT)
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (events & SHMRING_EV_PEER)
		mask |= EPOLLHUP;
	return mask;
}

/**
 * shmring_poll() - poll, select, epoll, io_uring
 * @file: file of /dev/shmring
 * @wait: poll table
 *
 * Arms every time, also when ready: an edge-triggered waiter reads until the ring
 * is empty and must hear of the first record after that.
 */
__poll_t shmring_poll(struct file *file, poll_table *wait)
{
	struct shmring_endpoint *ep = file->private_data;
	struct shmring_ring *ring;
	u32 events = SHMRING_EV_PEER;
	int ready;

	/* Before the look at the ring: epoll queues once, maybe before the file is bound. */
	poll_wait(file, &ep->wq, wait);
	ring = shmring_ring_of(ep);
	if (!ring)
		return EPOLLERR;
	if (!(ring->flags & SHMRING_CREATE_SPIN))
		events |= shmring_data_event(ep, ring);
	spin_lock(&ring->lock);
	ready = shmring_ready(ep, ring, events, 0, 0, true);
	spin_unlock(&ring->lock);
	return ready < 0 ? EPOLLERR : shmring_poll_bits(ready);
}

/**
 * shmring_set_eventfd() - register, replace or remove an eventfd
 * @ep: endpoint
 * @arg: which
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP, -EBADF, -EBADFD.
 */
int shmring_set_eventfd(struct shmring_endpoint *ep, const struct shmring_ioc_eventfd *arg)
{
	struct eventfd_ctx *ctx[SHMRING_EVENTS] = { NULL };
	struct shmring_ring *ring = ep->ring;
	u32 data = arg->events & SHMRING_EV_DATA;
	int i, err = 0, ready;

	if (arg->flags || !arg->events || arg->fd < -1 ||
	    (arg->events & ~(shmring_data_event(ep, ring) | SHMRING_EV_PEER)))
		return -EINVAL;
	if ((ring->flags & SHMRING_CREATE_SPIN) && data)
		return -EOPNOTSUPP;

	for (i = 0; i < SHMRING_EVENTS && arg->fd >= 0; i++) {
		struct eventfd_ctx *new;

		if (!(arg->events & BIT(i)))
			continue;
		new = eventfd_ctx_fdget(arg->fd);
		if (IS_ERR(new)) {
			err = PTR_ERR(new) == -EINVAL ? -EBADFD : PTR_ERR(new);
			goto out_put;
		}
		ctx[i] = new;
	}

	spin_lock(&ring->lock);
	for (i = 0; i < SHMRING_EVENTS; i++)
		if (arg->events & BIT(i))
			swap(ep->eventfd[i], ctx[i]);
	if (arg->fd >= 0) {
		ready = shmring_ready(ep, ring, arg->events, 0, 0, true);
		if (ready)
			shmring_signal(ep, ready < 0 ? arg->events : ready);
	}
	spin_unlock(&ring->lock);

out_put:	/* the earlier ones, or those of a failed call */
	for (i = 0; i < SHMRING_EVENTS; i++)
		if (ctx[i])
			eventfd_ctx_put(ctx[i]);
	return err;
}
