// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readiness, and who is told of it: one rule computed from the ring's positions,
 * offered as WAIT, poll and eventfd.
 *
 * Positions are what endpoints wrote into their CURSOR pages, so they may be
 * anything. They decide who wakes and nothing else; for an endpoint's own wait, a
 * distance that cannot be is EPROTO (EPOLLERR).
 *
 * Ordering:
 *
 *   shmring_arm()   wake_at, store-release of armed, smp_mb, read positions
 *     pairs with    shmring_spsc_armed(): position, full fence, load-acquire of
 *                   armed, wake_at
 *     so that       either the sleeper sees the position and does not sleep, or the
 *                   publisher sees armed and kicks
 *   shmring_wake()  clears armed, then wakes
 *     pairs with    prepare_to_wait() before shmring_arm() in shmring_wait(), and
 *                   poll_wait() before it in shmring_poll(): both queue, then look
 *
 * armed is written under ring->lock here, and without it by the endpoint itself.
 * Both may clear it only if a wake-up follows, so that no order of theirs loses one.
 */
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <shmring/spsc.h>

#include "shmring.h"

#define SHMRING_EV_DATA		(SHMRING_EV_IN | SHMRING_EV_OUT)

/* The event of records or space that this endpoint can have; 0: none. */
static u32 shmring_data_event(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	if (ring->topology != SHMRING_TOPO_SPSC)
		return 0;
	switch (ep->role) {
	case SHMRING_ROLE_PRODUCER:
		return SHMRING_EV_OUT;
	case SHMRING_ROLE_CONSUMER:
		return SHMRING_EV_IN;
	default:
		return 0;
	}
}

/* What has to be there (IN: used, OUT: free) for the event to hold. */
static u64 shmring_threshold(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			     u32 event, u64 need)
{
	if (event == SHMRING_EV_IN)
		return need ?: 1;
	if (!need)
		need = max_t(u64, READ_ONCE(ring->cursor[ep->slot]->want),
			     sizeof(struct shmring_record));
	return min_t(u64, need, ring->data_size - SHMRING_REC_TAIL) + SHMRING_REC_TAIL;
}

/*
 * Does the event of records or space hold? 0, 1, or -EPROTO.
 *
 * The consumer's position is read first: it is behind. Both may move in between when
 * another thread works on the ring while this one waits, so a distance that cannot be
 * counts only if the consumer stood still; if it never does, there is something to do.
 */
static int shmring_holds(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			 u32 event, u64 need, bool gone)
{
	const u64 *consumer = &ring->cursor[SHMRING_SLOT_CONSUMER]->pos;
	const u64 *producer = &ring->cursor[SHMRING_SLOT_PRODUCER]->pos;
	u64 threshold = shmring_threshold(ep, ring, event, need);
	int tries;

	for (tries = 0; tries < 4; tries++) {
		/* pairs with the store-release in shmring_spsc_release() */
		u64 head = smp_load_acquire(consumer);
		/* pairs with the store-release in shmring_spsc_publish() */
		u64 tail = smp_load_acquire(producer);
		u64 used = shmring_spsc_used(tail, head, ring->data_size);

		if (used == SHMRING_SPSC_IMPOSSIBLE) {
			if (READ_ONCE(*consumer) == head)
				return -EPROTO;
			continue;
		}
		if (event == SHMRING_EV_OUT)
			return ring->data_size - used >= threshold;
		return used >= threshold || (gone && used);
	}
	return 1;
}

/* Did every peer that this endpoint ever had go? 0, -EPIPE, -EOWNERDEAD. */
static int shmring_peers_gone(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	u32 slot;
	int err = 0;

	for (slot = 0; slot < ring->slots; slot++) {
		if (slot == ep->slot)
			continue;
		switch (ring->meta->slot[slot].state) {
		case SHMRING_SLOT_LIVE:
			return 0;
		case SHMRING_SLOT_DEAD:
			err = -EOWNERDEAD;
			break;
		case SHMRING_SLOT_CLOSED:
			err = err ?: -EPIPE;
			break;
		}
	}
	return err;
}

/* Ask to be kicked when the event holds. Under ring->lock. */
static void shmring_arm(const struct shmring_endpoint *ep, struct shmring_ring *ring,
			u32 event, u64 need)
{
	struct shmring_cursor *cursor = ring->cursor[ep->slot];
	u64 at = READ_ONCE(cursor->pos) + shmring_threshold(ep, ring, event, need);

	if (event == SHMRING_EV_OUT)
		at -= ring->data_size;
	/* The earliest of several sleepers decides; the others sleep on. */
	if (READ_ONCE(cursor->armed) != SHMRING_ARMED_YES ||
	    (s64)(at - READ_ONCE(cursor->wake_at)) < 0)
		WRITE_ONCE(cursor->wake_at, at);
	WRITE_ONCE(cursor->wake_records, SHMRING_WAKE_NEVER);
	/* wake_at first: pairs with the load-acquire in shmring_spsc_armed() */
	smp_store_release(&cursor->armed, SHMRING_ARMED_YES);
	smp_mb();	/* pairs with the fence in shmring_spsc_armed() */
}

/*
 * Which of @events hold? With @arm, ask to be kicked first. Under ring->lock.
 * Return: SHMRING_EV_*, or -EPROTO.
 */
static int shmring_ready(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 events,
			 u64 need, bool arm)
{
	u32 data = events & SHMRING_EV_DATA;
	int ready = 0, gone, holds;

	if (arm && data)
		shmring_arm(ep, ring, data, need);
	gone = shmring_peers_gone(ep, ring);
	if (data) {
		holds = shmring_holds(ep, ring, data, need, gone);
		if (holds < 0)
			return holds;
		if (holds)
			ready |= data;
	}
	if (gone)
		ready |= events & SHMRING_EV_PEER;
	return ready;
}

static void shmring_signal(struct shmring_endpoint *ep, u32 events)
{
	int i;

	for (i = 0; i < SHMRING_EVENTS; i++)
		if ((events & BIT(i)) && ep->eventfd[i])
			shmring_eventfd_signal(ep->eventfd[i]);
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

/*
 * Wake an endpoint's sleepers. Under ring->lock; armed has been cleared.
 *
 * Without a key: aio and io_uring take a key for the answer and do not ask
 * shmring_poll() again, which is what arms for the next time.
 */
static void shmring_wake(struct shmring_endpoint *ep, u32 events)
{
	wake_up_all(&ep->wq);
	shmring_signal(ep, events);
}

/**
 * shmring_wake_all() - wake everybody: an endpoint with a slot has gone
 * @ring: ring; ring->lock is held
 */
void shmring_wake_all(struct shmring_ring *ring)
{
	struct shmring_endpoint *ep;

	list_for_each_entry(ep, &ring->endpoints, link)
		shmring_wake(ep, shmring_data_event(ep, ring) |
				 (shmring_peers_gone(ep, ring) ? SHMRING_EV_PEER : 0));
}

/**
 * shmring_kick() - wake the peers that asked for it
 * @ep: endpoint that has published
 *
 * Return: 0, -EOPNOTSUPP (no records in this ring).
 */
int shmring_kick(struct shmring_endpoint *ep)
{
	struct shmring_ring *ring = ep->ring;
	u32 slot;

	if (ring->topology == SHMRING_TOPO_RAW)
		return -EOPNOTSUPP;
	spin_lock(&ring->lock);
	for (slot = 0; slot < ring->slots; slot++) {
		struct shmring_cursor *cursor = ring->cursor[slot];
		struct shmring_endpoint *peer = ring->slot[slot];
		u64 pos;

		if (!peer || peer == ep || READ_ONCE(cursor->armed) != SHMRING_ARMED_YES)
			continue;
		pos = READ_ONCE(ring->cursor[!slot]->pos);
		if ((s64)(pos - READ_ONCE(cursor->wake_at)) < 0)
			continue;
		WRITE_ONCE(cursor->armed, SHMRING_ARMED_NO);
		shmring_wake(peer, shmring_data_event(peer, ring));
	}
	spin_unlock(&ring->lock);
	return 0;
}

/* Nobody sleeps any more: spare the peer its kick. */
static void shmring_disarm(struct shmring_endpoint *ep, struct shmring_ring *ring)
{
	spin_lock(&ring->lock);
	/* Who queues, queues before arming under this lock: seen here, or arms after. */
	if (!waitqueue_active(&ep->wq) && !ep->eventfd[ilog2(SHMRING_EV_IN)] &&
	    !ep->eventfd[ilog2(SHMRING_EV_OUT)])
		WRITE_ONCE(ring->cursor[ep->slot]->armed, SHMRING_ARMED_NO);
	spin_unlock(&ring->lock);
}

static int shmring_wait_check(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			      const struct shmring_ioc_wait *arg)
{
	u32 data = arg->events & SHMRING_EV_DATA;

	if (arg->flags || !arg->events ||
	    (arg->events & ~(shmring_data_event(ep, ring) | SHMRING_EV_PEER)))
		return -EINVAL;
	if (arg->need && !data)
		return -EINVAL;
	if (arg->need > ring->data_size - SHMRING_REC_TAIL)
		return -ERANGE;
	if ((ring->flags & SHMRING_CREATE_SPIN) && data && arg->deadline != SHMRING_DEADLINE_NOW)
		return -EOPNOTSUPP;
	return 0;
}

/* Look once: what holds, or why it never will. */
static int shmring_wait_look(struct shmring_endpoint *ep, struct shmring_ring *ring,
			     const struct shmring_ioc_wait *arg, bool arm)
{
	int ready;

	spin_lock(&ring->lock);
	ready = shmring_ready(ep, ring, arg->events, arg->need, arm);
	if ((ready == 0 || ready == SHMRING_EV_OUT) && !(arg->events & SHMRING_EV_PEER))
		ready = shmring_peers_gone(ep, ring) ?: ready;
	spin_unlock(&ring->lock);
	return ready;
}

/**
 * shmring_wait() - sleep until something can be done
 * @ep: endpoint
 * @arg: what to wait for and how long; revents is set on success
 *
 * Context: process; sleeps; a signal ends it.
 * Return: 0 or an error as &struct shmring_ioc_wait has it.
 */
int shmring_wait(struct shmring_endpoint *ep, struct shmring_ioc_wait *arg)
{
	struct shmring_ring *ring = ep->ring;
	bool sleep = arg->deadline != SHMRING_DEADLINE_NOW, late = false;
	ktime_t deadline = min_t(u64, arg->deadline, KTIME_MAX);
	u64 slack = rt_task(current) ? 0 : current->timer_slack_ns;
	DEFINE_WAIT(wait);
	int ret;

	ret = shmring_wait_check(ep, ring, arg);
	if (ret)
		return ret;

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
		late = !schedule_hrtimeout_range(deadline == KTIME_MAX ? NULL : &deadline,
						 slack, HRTIMER_MODE_ABS);
	}
	if (sleep) {
		finish_wait(&ep->wq, &wait);
		if (arg->events & SHMRING_EV_DATA)
			shmring_disarm(ep, ring);
	}
	if (ret < 0)
		return ret;
	arg->revents = ret;
	return 0;
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
	ready = shmring_ready(ep, ring, events, 0, true);
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
		ready = shmring_ready(ep, ring, arg->events, 0, true);
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
