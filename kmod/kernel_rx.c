// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers of other modules: asked by their module, or calling it from a workqueue.
 *
 * One that calls sleeps like everybody: it has an entry in its endpoint's wait queue,
 * which queues the work; the work takes records until there are none, arms, looks once
 * more (wake.c has the ordering), and returns. So it is woken by the same KICKs, and by
 * the same ends of peers, as a program in WAIT.
 *
 * After shmring_consumer_detach() nothing is called: the entry is removed, so nobody
 * queues the work any more, and then the work is waited for.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel.h"

#define SHMRING_BUDGET		64
#define SHMRING_RELEASE_EVERY	16
#define SHMRING_READ_TRIES	4

static long shmring_rx_peek(struct shmring_consumer *c, const void **payload)
{
	long len;

	rcu_read_lock();
	len = c->in->peek(c, payload);
	rcu_read_unlock();
	return len;
}

static void shmring_rx_next(struct shmring_consumer *c, long len)
{
	rcu_read_lock();
	c->in->next(c, len);
	rcu_read_unlock();
	c->ahead++;
}

static int shmring_rx_release(struct shmring_consumer *c)
{
	int err;

	c->ahead = 0;
	rcu_read_lock();
	err = c->in->release(c);
	rcu_read_unlock();
	return err;
}

/* Nothing was found: can that be? */
static int shmring_rx_check(struct shmring_consumer *c)
{
	int err;

	rcu_read_lock();
	err = c->in->check(c);
	rcu_read_unlock();
	return err;
}

/*
 * The next record, copied and given back. One that was overwritten meanwhile is left out, but a
 * producer can have that happen to all of them, for ever.
 *
 * Return: payload bytes, or -errno: -ESTALE: a few were left out, and there may be more.
 */
static ssize_t shmring_rx_read(struct shmring_consumer *c, void *buf, size_t cap)
{
	const void *payload;
	unsigned int tries;
	long len;

	for (tries = 0; tries < SHMRING_READ_TRIES; tries++) {
		len = shmring_rx_peek(c, &payload);
		if (len < 0)
			return len;
		if (len > cap)
			return -EMSGSIZE;
		shmring_copy(buf, payload, len);
		shmring_rx_next(c, len);
		if (!shmring_rx_release(c))
			return len;
	}
	return -ESTALE;
}

/* ---- called by its module -------------------------------------------------- */

/**
 * shmring_peek() - look at the next record, and step over it
 * @c: consumer without record()
 * @payload: out: where it is, until shmring_release()
 *
 * The producer may change it meanwhile, if it is hostile: copy what must not change
 * between check and use. Of an OVERWRITE ring use shmring_read().
 *
 * Context: atomic; one call at a time for each consumer.
 * Return: payload bytes; -EAGAIN (there is none now; of a QUEUE: or what was peeked at has
 * to be released first), -EPIPE, -EOWNERDEAD (nor will there be, unless somebody attaches:
 * every producer has closed, or died), -EBADMSG, -EPROTO as
 * &struct shmring_consumer_opts has it.
 */
ssize_t shmring_peek(struct shmring_consumer *c, const void **payload)
{
	int gone = 0, err;
	long len;

	len = shmring_rx_peek(c, payload);
	if (len == -EAGAIN) {
		gone = shmring_peers_gone(&c->m.ep, c->m.ring);
		len = shmring_rx_peek(c, payload);	/* what a peer left is seen first */
	}
	if (len >= 0)
		shmring_rx_next(c, len);
	if (len != -EAGAIN || c->ahead)
		return len;
	err = shmring_rx_check(c);
	return err ?: gone ?: len;
}
EXPORT_SYMBOL_GPL(shmring_peek);

/**
 * shmring_release() - give back all records that were peeked at
 * @c: consumer without record()
 *
 * Context: atomic; one call at a time for each consumer.
 * Return: 0, or -ESTALE: of an OVERWRITE ring; they were being overwritten while they
 * were looked at, and will be counted as lost.
 */
int shmring_release(struct shmring_consumer *c)
{
	return c->ahead ? shmring_rx_release(c) : 0;
}
EXPORT_SYMBOL_GPL(shmring_release);

/**
 * shmring_read() - copy the next record out and give it back
 * @c: consumer without record(), with nothing peeked at
 * @buf: where to
 * @cap: its bytes
 *
 * Context: atomic; one call at a time for each consumer.
 * Return: payload bytes, -EMSGSIZE (it has more than @cap, and stays), or an error as
 * shmring_peek(). -EAGAIN also where records of an OVERWRITE ring were overwritten while they
 * were copied, one after the other: there may be more.
 */
ssize_t shmring_read(struct shmring_consumer *c, void *buf, size_t cap)
{
	int gone = 0, err;
	ssize_t len;

	len = shmring_rx_read(c, buf, cap);
	if (len == -EAGAIN) {
		gone = shmring_peers_gone(&c->m.ep, c->m.ring);
		len = shmring_rx_read(c, buf, cap);
	}
	if (len == -ESTALE)
		return -EAGAIN;
	if (len != -EAGAIN)
		return len;
	err = shmring_rx_check(c);
	return err ?: gone ?: len;
}
EXPORT_SYMBOL_GPL(shmring_read);

/**
 * shmring_consumer_wait() - sleep until there is a record
 * @c: consumer without record()
 * @deadline: as in &struct shmring_ioc_wait
 *
 * Context: task.
 * Return: 0, -EAGAIN, -ETIMEDOUT, -EINTR, -EPIPE, -EOWNERDEAD, -EPROTO, -EOPNOTSUPP
 * (nobody sleeps on this ring).
 */
int shmring_consumer_wait(struct shmring_consumer *c, u64 deadline)
{
	cond_resched();		/* a producer may have it return at once, each time */
	return shmring_member_wait(&c->m, SHMRING_EV_IN, 0, deadline);
}
EXPORT_SYMBOL_GPL(shmring_consumer_wait);

/* ---- calling --------------------------------------------------------------- */

static int shmring_rx_wake(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct shmring_consumer *c = container_of(wait, struct shmring_consumer, wait);

	queue_work(shmring_wq, &c->work);
	return 1;
}

/* Each event once, until there is a record. */
static void shmring_rx_tell(struct shmring_consumer *c, int err)
{
	u32 event = err == -EPIPE ? BIT(0) : err == -EOWNERDEAD ? BIT(1) :
		    err == -EBADMSG ? BIT(2) : BIT(3);

	if (c->told & event)
		return;
	c->told |= event;
	if (c->opts.event)
		c->opts.event(c->opts.ctx, err);
}

/* Ask to be woken. Return: as shmring_peers_gone(), before the ring is looked at. */
static int shmring_rx_arm(struct shmring_consumer *c)
{
	struct shmring_ring *ring = c->m.ring;
	int gone;

	spin_lock(&ring->lock);
	shmring_ready(&c->m.ep, ring, SHMRING_EV_IN, 0, 0, true);
	gone = shmring_peers_gone(&c->m.ep, ring);
	spin_unlock(&ring->lock);
	return gone;
}

/* Of an OVERWRITE ring: is what was just looked at worth another look, without being woken? */
static bool shmring_rx_moving(struct shmring_consumer *c)
{
	bool moving;

	if (c->m.ring->full_policy != SHMRING_FULL_OVERWRITE)
		return false;
	rcu_read_lock();
	moving = shmring_merge_moving(&c->merge);
	rcu_read_unlock();
	return moving;
}

/* Return: 0, 1: not now. It may be resumed before it has returned that. */
static int shmring_rx_record(struct shmring_consumer *c, const void *payload, size_t len)
{
	c->told = 0;
	WRITE_ONCE(c->paused, true);
	if (c->opts.record(c->opts.ctx, payload, len))
		return 1;
	WRITE_ONCE(c->paused, false);
	return 0;
}

/* Of an OVERWRITE ring a copy is a record only once it is known to be whole: given back. */
static int shmring_rx_deliver_whole(struct shmring_consumer *c)
{
	if (c->copied < 0)
		c->copied = shmring_rx_read(c, c->copy, c->max_record);
	if (c->copied < 0)
		return c->copied;
	if (shmring_rx_record(c, c->copy, c->copied))
		return 1;
	c->copied = -1;
	return 0;
}

/* Deliver the next record. Return: 0, 1 (not now), or why there is none. */
static int shmring_rx_deliver(struct shmring_consumer *c)
{
	const void *payload;
	long len;

	if (c->m.ring->full_policy == SHMRING_FULL_OVERWRITE)
		return shmring_rx_deliver_whole(c);
	len = shmring_rx_peek(c, &payload);
	if (len < 0)
		return len;
	if (c->copy) {
		shmring_copy(c->copy, payload, len);
		payload = c->copy;
	}
	if (shmring_rx_record(c, payload, len))
		return 1;
	shmring_rx_next(c, len);
	return 0;
}

static void shmring_rx_work(struct work_struct *work)
{
	struct shmring_consumer *c = container_of(work, struct shmring_consumer, work);
	unsigned int left = c->opts.budget;
	bool armed = false, more;
	int ret = 0, gone = 0, err;

	/* Whoever wakes the endpoint comes here, paused or not. */
	if (READ_ONCE(c->paused))
		return;
	atomic_set(&c->m.ep.sleepers, 0);
	while (left) {
		cond_resched();		/* there may have been much to copy */
		ret = shmring_rx_deliver(c);
		if (ret > 0)
			break;
		/* Of several lanes the others may have something. */
		more = !ret || (ret != -EAGAIN && shmring_is_group(c->m.ring));
		if (more)
			armed = false;	/* whose it was may have come since */
		if (ret != -EAGAIN)
			left--;	/* a liar has no more than its turn, either */
		if (ret && ret != -EAGAIN && ret != -ESTALE)
			shmring_rx_tell(c, ret);
		if (c->ahead >= SHMRING_RELEASE_EVERY || (c->ahead && ret)) {
			shmring_rx_release(c);
			continue;
		}
		if (more)
			continue;
		if (armed) {
			err = shmring_rx_check(c);
			if (err)
				shmring_rx_tell(c, err);
			/* Behind a lie in one of several lanes may be more. */
			if (!(err && shmring_is_group(c->m.ring)) && !shmring_rx_moving(c))
				break;
			left--;
			continue;
		}
		gone = shmring_rx_arm(c);
		armed = true;
	}
	if (c->ahead)
		shmring_rx_release(c);
	if (!left) {
		queue_work(shmring_wq, &c->work);
		return;
	}
	if (ret > 0)
		return;
	if (gone)
		shmring_rx_tell(c, gone);
	atomic_set(&c->m.ep.sleepers, 1);
}

/**
 * shmring_consumer_resume() - go on after record() said: not now
 * @c: consumer with record(), which nobody detaches meanwhile
 *
 * Whoever lets a record() go that detaching waits for calls this before, or not at all.
 *
 * Context: any but NMI, and not under the lock of a run queue (in a tracepoint of the
 * scheduler): it queues work.
 */
void shmring_consumer_resume(struct shmring_consumer *c)
{
	/* There would be nobody to call, and detaching would not wait for it. */
	if (WARN_ON_ONCE(!c->opts.record))
		return;
	/* Before it is queued: if the work is queued already, it sees that. */
	WRITE_ONCE(c->paused, false);
	queue_work(shmring_wq, &c->work);
}
EXPORT_SYMBOL_GPL(shmring_consumer_resume);

/* ---- beginning and end ----------------------------------------------------- */

/* Before it joins: who could not stay would have been there, and closed, for the producers. */
static int shmring_rx_prepare(struct shmring_consumer *c, const struct shmring_ring *ring)
{
	c->in = shmring_kernel_in_of(ring);
	c->max_record = ring->full_policy == SHMRING_FULL_OVERWRITE ?
			shmring_overwrite_max(ring->data_size) :
			shmring_record_max(ring->data_size);
	if (c->opts.record && ((c->opts.flags & SHMRING_CONSUMER_COPY) ||
			       ring->full_policy == SHMRING_FULL_OVERWRITE)) {
		c->copy = kvmalloc(c->max_record, GFP_KERNEL | __GFP_NOWARN);
		if (!c->copy)
			return -ENOMEM;
	}
	return 0;
}

static int shmring_rx_check_opts(const struct shmring_ref *ref,
				 const struct shmring_consumer_opts *opts)
{
	if (!opts)
		return 0;
	if (opts->size != sizeof(*opts) || !opts->record ||
	    (opts->flags & ~SHMRING_CONSUMER_COPY))
		return -EINVAL;
	/* Nobody wakes it there. */
	return ref->ring->flags & SHMRING_CREATE_SPIN ? -EOPNOTSUPP : 0;
}

/**
 * shmring_consumer_attach() - become a consumer
 * @ref: ring; may be let go of afterwards
 * @node: NUMA node of whoever will consume, or NUMA_NO_NODE: the caller's
 * @opts: whom to call; NULL: nobody, the module asks
 *
 * record() may be called before this returns.
 *
 * Context: task.
 * Return: the consumer, for shmring_consumer_detach(), or an error pointer: -EINVAL
 * (@opts), -EACCES (not within the ref's rights), -EBUSY (no slot is free), -EOPNOTSUPP (a
 * RAW ring; with record() one on which nobody sleeps), -ENOMEM, -EAGAIN (producers of
 * an OVERWRITE ring are too fast to begin anywhere).
 */
struct shmring_consumer *shmring_consumer_attach(const struct shmring_ref *ref, int node,
						 const struct shmring_consumer_opts *opts)
{
	struct shmring_consumer *c;
	int err;

	err = shmring_rx_check_opts(ref, opts);
	if (err)
		return ERR_PTR(err);
	c = kzalloc_node(sizeof(*c), GFP_KERNEL, node);
	if (!c)
		return ERR_PTR(-ENOMEM);
	if (opts)
		c->opts = *opts;
	c->opts.budget = c->opts.budget ?: SHMRING_BUDGET;
	c->copied = -1;
	INIT_WORK(&c->work, shmring_rx_work);
	err = shmring_rx_prepare(c, ref->ring);
	if (err)
		goto err_free;
	err = shmring_member_attach(&c->m, ref, SHMRING_ROLE_CONSUMER, node);
	if (err)
		goto err_free;
	err = c->in->start(c);
	if (err)
		goto err_detach;
	if (opts) {
		init_waitqueue_func_entry(&c->wait, shmring_rx_wake);
		add_wait_queue(&c->m.ep.wq, &c->wait);
		queue_work(shmring_wq, &c->work);
	}
	return c;

err_detach:
	shmring_member_detach(&c->m);
err_free:
	kvfree(c->copy);
	kfree(c);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(shmring_consumer_attach);

/**
 * shmring_consumer_detach() - stop being a consumer
 * @c: consumer; nobody calls anything with it any more
 *
 * When it returns no call of record() or event() is under way, and none will come. What
 * was not taken stays in the ring, for a successor if there is one (of an OVERWRITE ring
 * but for a record that record() did not want yet). Producers are told as by a consumer
 * that closed in order.
 *
 * Context: task; not from record() or event(), which it waits for.
 */
void shmring_consumer_detach(struct shmring_consumer *c)
{
	if (c->opts.record) {
		remove_wait_queue(&c->m.ep.wq, &c->wait);
		cancel_work_sync(&c->work);
	}
	shmring_member_detach(&c->m);
	kvfree(c->copy);
	kfree(c);
}
EXPORT_SYMBOL_GPL(shmring_consumer_detach);
