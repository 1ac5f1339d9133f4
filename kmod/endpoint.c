// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints: how a file takes a role in a ring, and what its end means.
 *
 * A slot is taken in three steps, so that a failure at any point leaves nothing:
 * shmring_slot_take() reserves it, the caller does what can still fail (the CURSOR
 * page's node, the copy to user space), shmring_bind() makes it live. The end is one
 * step, shmring_unbind(), when the file's last reference is gone: by then no mapping
 * of it is left, and nobody can write its CURSOR page.
 */
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <shmring/broadcast.h>
#include <shmring/queue.h>

#include "trace.h"

/* All observers are in a list that is gone through with ring->lock held. */
static int shmring_observe(struct shmring_ring *ring)
{
	int err = 0;

	spin_lock(&ring->lock);
	if (ring->observers < SHMRING_OBSERVERS_MAX)
		ring->observers++;
	else
		err = -EBUSY;
	spin_unlock(&ring->lock);
	return err;
}

/**
 * shmring_slot_take() - reserve the slot for a role, or a place among the observers
 * @ring: ring
 * @ep: endpoint that is being bound; its role and slot are set
 * @role: SHMRING_ROLE_*, fit for the topology
 *
 * Return: 0, or -EBUSY.
 */
int shmring_slot_take(struct shmring_ring *ring, struct shmring_endpoint *ep, u32 role)
{
	u32 first = 0, end = ring->slots, slot;
	int err = -EBUSY;

	ep->role = role;
	ep->slot = SHMRING_NO_SLOT;
	if (role == SHMRING_ROLE_OBSERVER)
		return shmring_observe(ring);
	if (ring->producers && role == SHMRING_ROLE_PRODUCER)
		end = ring->producers;
	else if (ring->producers)
		first = ring->producers;

	spin_lock(&ring->lock);
	for (slot = first; slot < end; slot++) {
		if (!ring->slot[slot]) {
			ring->slot[slot] = ep;
			ep->slot = slot;
			shmring_orphan_enter(ring, slot);
			err = 0;
			break;
		}
	}
	spin_unlock(&ring->lock);
	return err;
}

/**
 * shmring_slot_give_back() - undo shmring_slot_take()
 * @ep: endpoint that was not bound after all
 * @ring: ring
 */
void shmring_slot_give_back(struct shmring_endpoint *ep, struct shmring_ring *ring)
{
	spin_lock(&ring->lock);
	if (ep->slot == SHMRING_NO_SLOT) {
		ring->observers--;
	} else {
		ring->slot[ep->slot] = NULL;
		if (ring->topology == SHMRING_TOPO_QUEUE && ep->role == SHMRING_ROLE_CONSUMER) {
			shmring_orphan_return(ring, ep->slot);
			shmring_kick_role(ring, SHMRING_ROLE_CONSUMER);
		}
	}
	spin_unlock(&ring->lock);
}

/**
 * shmring_endpoint_init() - an endpoint of no ring yet
 * @ep: zeroed memory
 */
void shmring_endpoint_init(struct shmring_endpoint *ep)
{
	mutex_init(&ep->bind_lock);
	init_waitqueue_head(&ep->wq);
	INIT_LIST_HEAD(&ep->publishers);
	ep->slot = SHMRING_NO_SLOT;
}

/**
 * shmring_role_check() - does a role mean anything in a topology?
 * @topology: SHMRING_TOPO_*
 * @role: SHMRING_ROLE_*, or anything
 *
 * Return: 0 or -EINVAL.
 */
int shmring_role_check(u32 topology, u32 role)
{
	if (role == SHMRING_ROLE_PRODUCER || role == SHMRING_ROLE_CONSUMER ||
	    role == SHMRING_ROLE_OBSERVER)
		return 0;
	if (topology == SHMRING_TOPO_RAW &&
	    role == (SHMRING_ROLE_PRODUCER | SHMRING_ROLE_CONSUMER))
		return 0;
	return -EINVAL;
}

/**
 * shmring_role_rights() - what a role asks of a ring's rights
 * @role: SHMRING_ROLE_*
 *
 * Return: SHMRING_MAY_*.
 */
u32 shmring_role_rights(u32 role)
{
	u32 rights = 0;

	if (role & SHMRING_ROLE_PRODUCER)
		rights |= SHMRING_MAY_WRITE;
	if (role & (SHMRING_ROLE_CONSUMER | SHMRING_ROLE_OBSERVER))
		rights |= SHMRING_MAY_READ;
	return rights;
}

/**
 * shmring_endpoint_prepare() - everything about attaching that can fail
 * @ep: endpoint of no ring; its role, slot and rights are set
 * @ring: ring
 * @role: SHMRING_ROLE_*
 * @rights: what whoever attaches has; may be passed on
 * @cursor: where its CURSOR page is wanted
 *
 * Context: process; sleeps. Undone by shmring_slot_give_back().
 * Return: 0, -EACCES, -EINVAL, -EBUSY, -ENOMEM.
 */
int shmring_endpoint_prepare(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 role,
			     u32 rights, const struct shmring_place *cursor)
{
	u32 need = shmring_role_rights(role);
	int err;

	if ((rights & need) != need)
		return -EACCES;
	err = shmring_role_check(ring->topology, role) ?: shmring_slot_take(ring, ep, role);
	if (err)
		return err;
	if (ep->slot != SHMRING_NO_SLOT) {
		err = shmring_cursor_place(ring, ep->slot, cursor);
		if (err) {
			shmring_slot_give_back(ep, ring);
			return err;
		}
	}
	ep->rights = rights;
	return 0;
}

/* A position that stays if it can be; otherwise what is there counts as read. */
static u64 shmring_repaired(const struct shmring_ring *ring, u32 slot, u32 lane, u64 head)
{
	/* pairs with the store-release in shmring_spsc_publish(), _lane_publish() */
	u64 tail = smp_load_acquire(&ring->cursor[lane]->pos), now = head;

	if (ring->topology == SHMRING_TOPO_QUEUE)
		now = shmring_queue_repaired(head, tail, ring->data_size);
	else if (!IS_ALIGNED(head, SHMRING_REC_ALIGN) ||
		 shmring_spsc_used(tail, head, ring->data_size) == SHMRING_SPSC_IMPOSSIBLE)
		now = ALIGN_DOWN(tail, SHMRING_REC_ALIGN);
	if (now != head)
		trace_shmring_recover(ring, slot, lane, head, now);
	return now;
}

static bool shmring_anybody_lives(const struct shmring_ring *ring, u32 first, u32 end)
{
	for (; first < end; first++)
		if (ring->meta->slot[first].state == SHMRING_SLOT_LIVE)
			return true;
	return false;
}

/*
 * A consumer that left a position which cannot be must not spoil the ring for its
 * successor. Under ring->lock; the slot is not live. (A producer's successor does not
 * believe its predecessor's position; for consumers of a BROADCAST ring, see below.)
 */
static void shmring_consumer_prepare(struct shmring_ring *ring, u32 slot)
{
	struct shmring_cursor *mine = ring->cursor[slot];
	u32 lane;

	for (lane = 0; lane < ring->producers; lane++)
		WRITE_ONCE(mine->lane[lane].left, 0);
	if (ring->topology == SHMRING_TOPO_QUEUE) {
		WRITE_ONCE(mine->hold, 0);
		if (shmring_anybody_lives(ring, ring->producers, ring->slots))
			return;		/* who claims meanwhile would be taken aback */
	}
	for (lane = 0; lane < ring->producers; lane++) {
		u64 *pos = &mine->lane[lane].pos, was, now;

		switch (ring->topology) {
		case SHMRING_TOPO_SPSC:
			pos = &mine->pos;
			fallthrough;
		case SHMRING_TOPO_MPSC:
			WRITE_ONCE(*pos, shmring_repaired(ring, slot, lane, READ_ONCE(*pos)));
			break;
		case SHMRING_TOPO_QUEUE:
			pos = &ring->group.shared->head[lane].claim;
			was = shmring_tagged_pos(READ_ONCE(*pos));
			now = shmring_repaired(ring, slot, lane, was);
			if (now != was)
				WRITE_ONCE(*pos, shmring_tagged(now, 0));
			break;
		default:
			WRITE_ONCE(*pos, SHMRING_POS_JOINING);
		}
	}
}

/* Consumers believe what is told of a lane when its producer is new. Likewise. */
static void shmring_producer_prepare(struct shmring_ring *ring, u32 slot)
{
	u64 told = READ_ONCE(ring->cursor[slot]->pos);

	if (ring->topology != SHMRING_TOPO_MPSC && ring->topology != SHMRING_TOPO_BROADCAST)
		return;
	if (ring->topology == SHMRING_TOPO_BROADCAST &&
	    ring->full_policy != SHMRING_FULL_OVERWRITE) {
		told = shmring_broadcast_told(&ring->group, slot, ring->data_size);
		WRITE_ONCE(ring->cursor[slot]->pos, told);
	}
	WRITE_ONCE(ring->meta->begin[slot], told);
}

/* A new consumer of a BROADCAST ring has been counted: it begins here. */
static void shmring_consumer_join(struct shmring_ring *ring, u32 slot)
{
	u32 lane;

	for (lane = 0; lane < ring->producers; lane++) {
		u64 pos = shmring_broadcast_join(ring->cursor[lane]);

		/* pairs with the load-acquire in shmring_broadcast_gate() */
		smp_store_release(&ring->cursor[slot]->lane[lane].pos,
				  ALIGN_DOWN(pos, SHMRING_REC_ALIGN));
	}
}

/* The slot is live: now whoever looks at the state word is told. */
static void shmring_bind_group(struct shmring_ring *ring, const struct shmring_endpoint *ep)
{
	shmring_state_count(ring, ep->role);
	if (ep->role == SHMRING_ROLE_PRODUCER)
		shmring_look_again(ring, ep->slot);
	else if (ring->topology == SHMRING_TOPO_BROADCAST)
		shmring_consumer_join(ring, ep->slot);
}

/* The slot is live no more: likewise. */
static void shmring_unbind_group(struct shmring_ring *ring, const struct shmring_endpoint *ep)
{
	u64 *state = shmring_state_of(ring, ep->role);

	WRITE_ONCE(*state, *state & ~BIT_ULL(ep->slot));
	shmring_state_count(ring, ep->role);
}

/**
 * shmring_join() - make an endpoint live; cannot fail
 * @ep: endpoint with slot taken and rights set
 * @ring: ring; the caller's reference becomes the endpoint's
 *
 * Context: process. Who looks at @ep->ring without a lock is the caller's business.
 */
void shmring_join(struct shmring_endpoint *ep, struct shmring_ring *ring)
{
	ep->pid = task_tgid_nr(current);
	spin_lock(&ring->lock);
	list_add_tail(&ep->link, &ring->endpoints);
	trace_shmring_attach(ep, ring, SHMRING_SLOT_LIVE);
	if (ep->slot != SHMRING_NO_SLOT) {
		struct shmring_cursor *cursor = ring->cursor[ep->slot];
		struct shmring_slot *slot = &ring->meta->slot[ep->slot];

		ring->slots_live++;
		if (ring->producers && ep->role == SHMRING_ROLE_CONSUMER)
			shmring_consumer_prepare(ring, ep->slot);
		else if (ep->role == SHMRING_ROLE_PRODUCER)
			shmring_producer_prepare(ring, ep->slot);
		WRITE_ONCE(cursor->closed, 0);
		WRITE_ONCE(cursor->want, 0);
		WRITE_ONCE(cursor->armed, SHMRING_ARMED_NO);
		WRITE_ONCE(cursor->unfenced, SHMRING_FENCED);
		WRITE_ONCE(slot->role, ep->role);
		/* Where it begins comes before that; pairs with shmring_merge_producer(). */
		smp_store_release(&slot->generation, slot->generation + 1);
		/* Who sees the slot live finds its CURSOR page ready. */
		smp_store_release(&slot->state, SHMRING_SLOT_LIVE);
		if (shmring_is_group(ring))
			shmring_bind_group(ring, ep);
	}
	spin_unlock(&ring->lock);
}

/**
 * shmring_bind() - make a file an endpoint; cannot fail
 * @file: file of /dev/shmring
 * @ep: its endpoint, with slot taken and rights set
 * @ring: ring; the caller's reference becomes the endpoint's
 *
 * Context: process, under ep->bind_lock.
 */
void shmring_bind(struct file *file, struct shmring_endpoint *ep, struct shmring_ring *ring)
{
	shmring_join(ep, ring);
	file->f_mapping = ring->inode->i_mapping;
	/*
	 * Pairs with shmring_ring_of(): who sees the ring sees f_mapping with it. An
	 * unbound file never gets past shmring_get_unmapped_area(), so no mmap in
	 * progress holds the old mapping.
	 */
	smp_store_release(&ep->ring, ring);
	wake_up_all(&ep->wq);	/* whoever polls the file already has to ask again */
}

static void put_eventfds(struct shmring_endpoint *ep)
{
	int i;

	for (i = 0; i < SHMRING_EVENTS; i++)
		if (ep->eventfd[i])
			eventfd_ctx_put(ep->eventfd[i]);
}

/**
 * shmring_leave() - a process closes an endpoint's file, or ends
 * @ep: endpoint, bound or not
 *
 * Several may have it after fork(2): how the last of them leaves is how it ends. So what
 * another one said does not count any more, now that it is not the last.
 */
void shmring_leave(struct shmring_endpoint *ep)
{
	struct shmring_ring *ring = shmring_ring_of(ep);
	struct shmring_cursor *cursor;

	if (!ring || ep->slot == SHMRING_NO_SLOT)
		return;
	spin_lock(&ring->lock);
	cursor = ring->cursor[ep->slot];
	if (READ_ONCE(cursor->closed) != (u32)task_tgid_vnr(current))
		WRITE_ONCE(cursor->closed, 0);
	spin_unlock(&ring->lock);
}

/**
 * shmring_unbind() - the end of an endpoint
 * @ep: endpoint whose file has no reference and no mapping left, or another module's
 *	that is used no more
 *
 * Tells the survivors: META says how it went (in order or not), armed in its CURSOR
 * page sends a publishing peer there, sleepers and eventfds are woken.
 *
 * Context: process; sleeps.
 */
void shmring_unbind(struct shmring_endpoint *ep)
{
	struct shmring_ring *ring = ep->ring;

	spin_lock(&ring->lock);
	list_del(&ep->link);
	if (ep->slot == SHMRING_NO_SLOT) {
		ring->observers--;
		trace_shmring_detach(ep, ring, SHMRING_SLOT_VACANT);
	} else {
		struct shmring_cursor *cursor = ring->cursor[ep->slot];
		u32 state = READ_ONCE(cursor->closed) ? SHMRING_SLOT_CLOSED : SHMRING_SLOT_DEAD;

		trace_shmring_detach(ep, ring, state);

		shmring_tally_settle(ring->meta, cursor, ep->slot);
		/* While the slot is live: producers look at slots, then at orphans. */
		if (ring->topology == SHMRING_TOPO_QUEUE && ep->role == SHMRING_ROLE_CONSUMER)
			shmring_orphan_leave(ring, ep->slot);
		/* What it published comes before its end; pairs with the reader's acquire. */
		smp_store_release(&ring->meta->slot[ep->slot].state, state);
		if (shmring_is_group(ring))
			shmring_unbind_group(ring, ep);
		/* The state before GONE: who reads that (acquire) finds out how. */
		smp_store_release(&cursor->armed, SHMRING_ARMED_GONE);
		ring->slot[ep->slot] = NULL;
		ring->slots_live--;
		shmring_wake_all(ring);
	}
	spin_unlock(&ring->lock);

	put_eventfds(ep);
	shmring_ring_put(ring);
}
