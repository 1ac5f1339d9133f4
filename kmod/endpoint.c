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
#include <shmring/spsc.h>

#include "shmring.h"

/**
 * shmring_slot_take() - reserve the slot for a role
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
		return 0;
	if (ring->topology == SHMRING_TOPO_SPSC) {
		first = role == SHMRING_ROLE_PRODUCER ? SHMRING_SLOT_PRODUCER :
							SHMRING_SLOT_CONSUMER;
		end = first + 1;
	}

	spin_lock(&ring->lock);
	for (slot = first; slot < end; slot++) {
		if (!ring->slot[slot]) {
			ring->slot[slot] = ep;
			ep->slot = slot;
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
	if (ep->slot == SHMRING_NO_SLOT)
		return;
	spin_lock(&ring->lock);
	ring->slot[ep->slot] = NULL;
	spin_unlock(&ring->lock);
}

/*
 * A consumer that left a position which cannot be must not spoil the ring for its
 * successor: what is there counts as read. Under ring->lock. (A producer's successor
 * does not believe its predecessor's position anyway.)
 */
static void shmring_pos_repair(struct shmring_ring *ring, u32 slot)
{
	struct shmring_cursor *mine = ring->cursor[slot];
	u64 head, tail;

	if (ring->topology != SHMRING_TOPO_SPSC || slot != SHMRING_SLOT_CONSUMER)
		return;
	head = READ_ONCE(mine->pos);
	/* pairs with the store-release in shmring_spsc_publish() */
	tail = smp_load_acquire(&ring->cursor[SHMRING_SLOT_PRODUCER]->pos);
	if (!IS_ALIGNED(head, SHMRING_REC_ALIGN) ||
	    shmring_spsc_used(tail, head, ring->data_size) == SHMRING_SPSC_IMPOSSIBLE)
		WRITE_ONCE(mine->pos, tail);
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
	spin_lock(&ring->lock);
	list_add_tail(&ep->link, &ring->endpoints);
	if (ep->slot == SHMRING_NO_SLOT) {
		ring->observers++;
	} else {
		struct shmring_cursor *cursor = ring->cursor[ep->slot];
		struct shmring_slot *slot = &ring->meta->slot[ep->slot];

		ring->slots_live++;
		shmring_pos_repair(ring, ep->slot);
		WRITE_ONCE(cursor->closed, 0);
		WRITE_ONCE(cursor->want, 0);
		WRITE_ONCE(cursor->armed, SHMRING_ARMED_NO);
		WRITE_ONCE(slot->role, ep->role);
		WRITE_ONCE(slot->generation, slot->generation + 1);
		/* Who sees the slot live finds its CURSOR page ready. */
		smp_store_release(&slot->state, SHMRING_SLOT_LIVE);
	}
	spin_unlock(&ring->lock);

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
 * shmring_unbind() - the end of an endpoint
 * @ep: endpoint whose file has no reference and no mapping left
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
	} else {
		struct shmring_cursor *cursor = ring->cursor[ep->slot];
		u32 closed = READ_ONCE(cursor->closed);

		/* What it published comes before its end; pairs with the reader's acquire. */
		smp_store_release(&ring->meta->slot[ep->slot].state,
				  closed ? SHMRING_SLOT_CLOSED : SHMRING_SLOT_DEAD);
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
