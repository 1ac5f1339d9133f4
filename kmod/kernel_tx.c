// SPDX-License-Identifier: GPL-2.0-only
/*
 * Producers of other modules: the record path, and how it wakes consumers.
 *
 * A producer is one lane, so one writer at a time. Who finds it busy (an interrupt on top
 * of a writer, another CPU) is refused and never waits: the record is lost, and counted
 * where losses are counted at all. A writer holds no lock and keeps nobody else out.
 *
 * Waking takes ring->lock, which process context holds with interrupts on. So it is done
 * from an irq_work, which tries the lock, and leaves it to a work item if somebody has it.
 *
 * Ordering:
 *
 *   shmring_tx_unlock()  store-release of busy
 *     pairs with         the acquiring exchange in shmring_tx_lock()
 *     so that            the next writer finds the private state as it was left
 *   irq_work_queue()     the record is published before it; a full barrier
 *     pairs with         the full barrier before an irq_work runs
 *     so that            the handler, or one that is still to run, sees the record
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "kernel.h"

/* ---- waking ---------------------------------------------------------------- */

static void shmring_tx_kick_later(struct work_struct *work)
{
	struct shmring_producer *p = container_of(work, struct shmring_producer, kick_later);

	shmring_kick(&p->m.ep);
}

/* Hard interrupt. The lock may be held by whom it interrupted, so it is not waited for. */
static void shmring_tx_kick(struct irq_work *work)
{
	struct shmring_producer *p = container_of(work, struct shmring_producer, kick);
	struct shmring_ring *ring = p->m.ring;

	if (!spin_trylock(&ring->lock)) {
		queue_work(shmring_wq, &p->kick_later);
		return;
	}
	shmring_kick_peers(&p->m.ep, ring);
	spin_unlock(&ring->lock);
}

/* Is what was published enough for the consumer in @slot? If in doubt, yes. */
static bool shmring_tx_enough(const struct shmring_producer *p, u32 slot)
{
	const struct shmring_cursor *peer = shmring_group_cursor(&p->group, slot);
	const struct shmring_ring *ring = p->m.ring;
	u64 records, ahead, used;
	u32 lane;

	if (ring->topology != SHMRING_TOPO_MPSC)
		return true;	/* who has read what is for the kicker to find out */
	/* pairs with the store-release in shmring_merge_tell() */
	used = p->tx.tail - smp_load_acquire(&peer->lane[p->m.ep.slot].pos);
	if (used > p->tx.mask || used >= READ_ONCE(peer->wake_at))
		return true;
	records = READ_ONCE(peer->wake_records);
	if (records == SHMRING_WAKE_NEVER)
		return false;
	ahead = -READ_ONCE(peer->records);
	for (lane = 0; lane < ring->producers; lane++)
		ahead += READ_ONCE(shmring_group_cursor(&p->group, lane)->records);
	return ahead >= records;
}

/* Somebody is armed, or came or went. */
static void shmring_tx_notice(struct shmring_producer *p)
{
	bool kick = false;
	int changed = 0;
	u32 armed, slot;

	armed = shmring_group_armed(&p->group, &changed);
	if (changed && !p->alone)
		p->tx.limit = p->tx.tail;	/* the next reservation asks META */
	for (; armed && !kick; armed &= armed - 1) {
		slot = __ffs(armed);
		kick = slot >= p->group.producers &&
		       slot < p->group.producers + p->group.consumers &&
		       shmring_tx_enough(p, slot);
	}
	if (kick) {
		shmring_store(&p->tx.mine->kicks, shmring_load(&p->tx.mine->kicks) + 1);
		irq_work_queue(&p->kick);
	}
}

static void shmring_tx_publish(struct shmring_producer *p)
{
	int armed;

	if (shmring_is_group(p->m.ring)) {
		if (shmring_lane_publish(&p->tx, &p->group, p->tickets))
			shmring_tx_notice(p);
		return;
	}
	armed = shmring_spsc_publish(&p->tx);
	if (armed > 0) {
		shmring_store(&p->tx.mine->kicks, shmring_load(&p->tx.mine->kicks) + 1);
		irq_work_queue(&p->kick);
	} else if (armed) {
		p->tx.limit = p->tx.tail;
	}
}

/* ---- one writer at a time -------------------------------------------------- */

/* The consumer's CURSOR page of an SPSC ring, for as long as preemption is off. */
static void shmring_tx_find_peer(struct shmring_producer *p)
{
	if (!shmring_is_group(p->m.ring))
		p->tx.peer = READ_ONCE(p->m.ring->cursor[SHMRING_SLOT_CONSUMER]);
}

/* Preemption is off: CURSOR pages stay, and another task does not find the lane busy. */
bool shmring_tx_lock(struct shmring_producer *p)
{
	/* acquire: pairs with the store-release in shmring_tx_unlock() */
	if (atomic_read(&p->busy) || atomic_xchg_acquire(&p->busy, 1))
		return false;
	shmring_tx_find_peer(p);
	return true;
}

void shmring_tx_unlock(struct shmring_producer *p)
{
	/* pairs with the exchange in shmring_tx_lock() */
	atomic_set_release(&p->busy, 0);
}

/* A record is not taken; where producers wait it is still the caller's. Any writer. */
void shmring_tx_refused(struct shmring_producer *p)
{
	if (p->m.ring->full_policy != SHMRING_FULL_WAIT)
		atomic64_inc((atomic64_t *)&p->tx.mine->lost);
}

/* ---- the record path ------------------------------------------------------- */

static int shmring_tx_refresh(struct shmring_producer *p, size_t len)
{
	const struct shmring_ring *ring = p->m.ring;
	struct shmring_spsc_tx *tx = &p->tx;
	int err;

	switch (ring->topology) {
	case SHMRING_TOPO_SPSC:
		return shmring_spsc_refresh(tx);
	case SHMRING_TOPO_MPSC:
		err = shmring_mpsc_refresh(tx, &p->group);
		if (err) {	/* a consumer that is ahead may be asleep, and is to look */
			smp_mb();	/* want, then armed: pairs with shmring_arm() */
			shmring_tx_notice(p);
		}
		return err;
	case SHMRING_TOPO_QUEUE:
		return shmring_queue_refresh(tx, &p->group);
	default:
		break;
	}
	if (ring->full_policy != SHMRING_FULL_OVERWRITE) {
		shmring_broadcast_refresh(tx, &p->group);
		return 0;
	}
	if (tx->hold_word)
		shmring_tx_publish(p);
	if (tx->limit - tx->tail < shmring_record_size(len) + SHMRING_REC_TAIL)
		shmring_overwrite_advance(tx, len);
	return 0;
}

static void *shmring_tx_reserve_slow(struct shmring_producer *p, size_t len)
{
	struct shmring_spsc_tx *tx = &p->tx;
	struct shmring_cursor *mine = tx->mine;
	int err = p->alone ? 0 : shmring_peers_gone(&p->m.ep, p->m.ring);
	void *payload;

	if (err) {
		tx->limit = tx->tail;	/* and ask again the next time */
		return ERR_PTR(err);
	}
	err = shmring_tx_refresh(p, len);
	if (err)
		return ERR_PTR(err);
	payload = shmring_spsc_reserve(tx, len);
	if (payload)
		return payload;
	shmring_store(&mine->stalls, shmring_load(&mine->stalls) + 1);
	shmring_store(&mine->want, shmring_record_size(len));
	shmring_tx_refused(p);
	return ERR_PTR(p->m.ring->full_policy == SHMRING_FULL_WAIT ? -EAGAIN : -ENOBUFS);
}

/* Preemption is off and the lane is the caller's. */
void *shmring_tx_reserve(struct shmring_producer *p, size_t len)
{
	void *payload;

	if (unlikely(len > p->max_record))
		return ERR_PTR(-EMSGSIZE);
	payload = shmring_spsc_reserve(&p->tx, len);
	if (unlikely(!payload))
		payload = shmring_tx_reserve_slow(p, len);
	p->open = len;
	return payload;
}

/* Preemption is off and the lane is the caller's; it is no more. */
int shmring_tx_write(struct shmring_producer *p, const void *buf, size_t len)
{
	void *payload = shmring_tx_reserve(p, len);
	int err = PTR_ERR_OR_ZERO(payload);

	if (!err) {
		shmring_copy(payload, buf, len);
		shmring_spsc_put(&p->tx, len);
		shmring_tx_publish(p);
	}
	shmring_tx_unlock(p);
	return err;
}

/**
 * shmring_reserve() - find room for a record
 * @p: producer
 * @len: payload bytes
 *
 * Until shmring_commit() or shmring_discard() the producer is busy, and whoever else
 * comes is refused. In process context preemption is better off meanwhile.
 *
 * What was refused because there was no room or because the producer was busy counts as
 * lost (in its CURSOR page, INFO, and shmring_producer_lost()) on rings that do not wait.
 *
 * Context: any.
 * Return: where the payload goes, or an error pointer: -ENOBUFS (full), -EAGAIN (full, on
 * a ring that waits), -EBUSY (somebody else is writing), -EPIPE, -EOWNERDEAD (every
 * consumer there was has closed, or died; not of a BROADCAST ring), -EMSGSIZE, -EPROTO.
 */
void *shmring_reserve(struct shmring_producer *p, size_t len)
{
	void *payload = ERR_PTR(-EBUSY);

	preempt_disable_notrace();
	if (shmring_tx_lock(p)) {
		payload = shmring_tx_reserve(p, len);
		if (IS_ERR(payload))
			shmring_tx_unlock(p);
	} else {
		shmring_tx_refused(p);
	}
	preempt_enable_notrace();
	return payload;
}
EXPORT_SYMBOL_GPL(shmring_reserve);

/**
 * shmring_commit() - publish the reserved record
 * @p: producer
 * @len: payload bytes, at most those reserved
 *
 * Context: any.
 */
void shmring_commit(struct shmring_producer *p, size_t len)
{
	if (WARN_ON_ONCE(len > p->open))
		len = p->open;
	preempt_disable_notrace();
	shmring_tx_find_peer(p);	/* it may have been replaced since reserve */
	shmring_spsc_put(&p->tx, len);
	shmring_tx_publish(p);
	shmring_tx_unlock(p);
	preempt_enable_notrace();
}
EXPORT_SYMBOL_GPL(shmring_commit);

/**
 * shmring_discard() - forget the reserved record
 * @p: producer
 *
 * Context: any.
 */
void shmring_discard(struct shmring_producer *p)
{
	shmring_tx_unlock(p);
}
EXPORT_SYMBOL_GPL(shmring_discard);

/**
 * shmring_write() - reserve, copy, commit
 * @p: producer
 * @buf: payload
 * @len: its bytes
 *
 * Context: any.
 * Return: 0 or an error as shmring_reserve().
 */
int shmring_write(struct shmring_producer *p, const void *buf, size_t len)
{
	int err = -EBUSY;

	preempt_disable_notrace();
	if (shmring_tx_lock(p))
		err = shmring_tx_write(p, buf, len);
	else
		shmring_tx_refused(p);
	preempt_enable_notrace();
	return err;
}
EXPORT_SYMBOL_GPL(shmring_write);

/**
 * shmring_write_batch() - write records that become visible together
 * @p: producer
 * @vec: a payload each
 * @count: how many
 *
 * One publication and at most one wake-up for all. If not all fit, the first ones are
 * published, and each of the rest was refused as by shmring_reserve().
 *
 * Context: any; preemption is off all along.
 * Return: how many were written, or, if none was, an error as shmring_reserve(); -EINVAL:
 * @count is 0.
 */
int shmring_write_batch(struct shmring_producer *p, const struct kvec *vec, unsigned int count)
{
	unsigned int done, refused = 0;
	int err = -EBUSY;

	if (!count)
		return -EINVAL;
	preempt_disable_notrace();
	if (!shmring_tx_lock(p)) {
		for (; refused < count; refused++)
			shmring_tx_refused(p);
		preempt_enable_notrace();
		return err;
	}
	for (done = 0; done < count; done++) {
		void *payload = shmring_tx_reserve(p, vec[done].iov_len);

		err = PTR_ERR_OR_ZERO(payload);
		if (err)
			break;
		shmring_copy(payload, vec[done].iov_base, vec[done].iov_len);
		shmring_spsc_put(&p->tx, vec[done].iov_len);
	}
	if (p->tx.hold_word)
		shmring_tx_publish(p);
	/* The one that found no room has been counted. */
	for (refused = done + 1; err == -ENOBUFS && refused < count; refused++)
		shmring_tx_refused(p);
	shmring_tx_unlock(p);
	preempt_enable_notrace();
	return done ?: err;
}
EXPORT_SYMBOL_GPL(shmring_write_batch);

/**
 * shmring_producer_wait() - sleep until a record fits
 * @p: producer
 * @len: its payload bytes
 * @deadline: as in &struct shmring_ioc_wait
 *
 * Context: task.
 * Return: 0, -EMSGSIZE, -EAGAIN, -ETIMEDOUT, -EINTR, -EPIPE, -EOWNERDEAD, -EPROTO,
 * -EOPNOTSUPP (nobody sleeps on this ring).
 */
int shmring_producer_wait(struct shmring_producer *p, size_t len, u64 deadline)
{
	if (len > p->max_record)
		return -EMSGSIZE;
	return shmring_member_wait(&p->m, SHMRING_EV_OUT, shmring_record_size(len), deadline);
}
EXPORT_SYMBOL_GPL(shmring_producer_wait);

/**
 * shmring_producer_lost() - records that were lost since it attached
 * @p: producer
 *
 * Context: any.
 */
u64 shmring_producer_lost(const struct shmring_producer *p)
{
	return READ_ONCE(p->tx.mine->lost) - p->lost;
}
EXPORT_SYMBOL_GPL(shmring_producer_lost);

/* ---- beginning and end ----------------------------------------------------- */

/*
 * Of an SPSC ring. The consumer's CURSOR page is looked at all along, and a lane may be long: so it
 * is not RCU that keeps the page, but a reference.
 */
static int shmring_tx_recover_pair(struct shmring_producer *p)
{
	struct shmring_cursor *const *peer = &p->m.ring->cursor[SHMRING_SLOT_CONSUMER];
	struct shmring_spsc_tx *tx = &p->tx;
	struct folio *folio;
	int found;

	rcu_read_lock();
	tx->peer = READ_ONCE(*peer);
	folio = virt_to_folio(tx->peer);
	folio_get(folio);
	rcu_read_unlock();
	found = shmring_spsc_recover(tx);
	/*
	 * If the page was replaced it does not tell whether who came with the new one is armed.
	 * If not, who comes arms after the position that was told: the fence in
	 * shmring_spsc_armed() pairs with the one in shmring_arm().
	 */
	if (!found && READ_ONCE(*peer) != tx->peer)
		found = 1;
	folio_put(folio);
	return found;
}

/*
 * Take over from earlier producers. Return: whether there are records nobody was told of.
 *
 * Peers' CURSOR pages are looked at under RCU; lanes, which may be long, are not.
 */
static int shmring_tx_recover(struct shmring_producer *p)
{
	struct shmring_ring *ring = p->m.ring;
	bool overwrite = ring->full_policy == SHMRING_FULL_OVERWRITE;
	u64 from;

	switch (ring->topology) {
	case SHMRING_TOPO_SPSC:
		return shmring_tx_recover_pair(p);
	case SHMRING_TOPO_MPSC:
		rcu_read_lock();
		/* pairs with the store-release in shmring_merge_tell() */
		from = smp_load_acquire(&shmring_group_cursor(&p->group, ring->producers)
					->lane[p->m.ep.slot].pos);
		rcu_read_unlock();
		if (!IS_ALIGNED(from, SHMRING_REC_ALIGN))
			return -EPROTO;
		return shmring_lane_recover(&p->tx, from);
	case SHMRING_TOPO_QUEUE:
		return shmring_queue_recover(&p->tx, &p->group);
	default:
		return shmring_broadcast_recover(&p->tx, overwrite);
	}
}

static int shmring_tx_start(struct shmring_producer *p)
{
	struct shmring_ring *ring = p->m.ring;
	struct shmring_spsc_tx *tx = &p->tx;
	int ret;

	p->alone = ring->topology == SHMRING_TOPO_BROADCAST;
	p->tickets = ring->producers > 1 && (ring->topology == SHMRING_TOPO_MPSC ||
					     ring->topology == SHMRING_TOPO_BROADCAST);
	p->max_record = ring->full_policy == SHMRING_FULL_OVERWRITE ?
			shmring_overwrite_max(ring->data_size) :
			shmring_record_max(ring->data_size);
	tx->data = shmring_member_lane(&p->m, p->m.ep.slot);
	tx->mask = ring->data_size - 1;
	tx->mine = ring->cursor[p->m.ep.slot];
	tx->fence = !(ring->flags & SHMRING_CREATE_SPIN);
	tx->chain = p->tickets ? SHMRING_REC_CHAIN : 0;
	p->lost = READ_ONCE(tx->mine->lost);
	if (shmring_is_group(ring))
		shmring_member_group(&p->m, &p->group);
	ret = shmring_tx_recover(p);
	if (ret < 0)
		return ret;
	/* The first reservation asks META: the consumers that there were may have gone. */
	if (!p->alone)
		tx->limit = tx->tail;
	if (ret)
		shmring_kick(&p->m.ep);
	return 0;
}

/**
 * shmring_producer_attach() - become a producer
 * @ref: ring; may be let go of afterwards
 * @node: NUMA node of whoever will produce, or NUMA_NO_NODE: the caller's
 *
 * Context: task.
 * Return: the producer, for shmring_producer_detach(), or an error pointer: -EACCES (not
 * within the ref's rights), -EBUSY (no slot is free), -EOPNOTSUPP (a RAW ring), -ENOMEM,
 * -EPROTO (a consumer's position cannot be).
 */
struct shmring_producer *shmring_producer_attach(const struct shmring_ref *ref, int node)
{
	struct shmring_producer *p = kzalloc_node(sizeof(*p), GFP_KERNEL, node);
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	init_irq_work(&p->kick, shmring_tx_kick);
	INIT_WORK(&p->kick_later, shmring_tx_kick_later);
	err = shmring_member_attach(&p->m, ref, SHMRING_ROLE_PRODUCER, node);
	if (err)
		goto err_free;
	err = shmring_tx_start(p);
	if (err)
		goto err_detach;
	return p;

err_detach:
	shmring_member_detach(&p->m);
err_free:
	kfree(p);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(shmring_producer_attach);

/**
 * shmring_producer_detach() - stop being a producer
 * @p: producer; nobody calls anything with it any more (a tracepoint's probe has been
 *	unregistered and waited for, an interrupt has been freed), no record is reserved
 *
 * Consumers are told as by a producer that closed in order, after what it published.
 *
 * Context: task.
 */
void shmring_producer_detach(struct shmring_producer *p)
{
	WARN_ON_ONCE(atomic_read(&p->busy));
	irq_work_sync(&p->kick);
	flush_work(&p->kick_later);
	shmring_member_detach(&p->m);
	kfree(p);
}
EXPORT_SYMBOL_GPL(shmring_producer_detach);
