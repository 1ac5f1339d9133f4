// SPDX-License-Identifier: GPL-2.0-only
/*
 * Orphans: what the dead consumers of a QUEUE had claimed and not released.
 *
 * Each slot has one entry in META. It is WAITING from the end of the slot's consumer on,
 * TAKEN while another one reads it (or the slot's next one), NONE when that has said so.
 * All under ring->lock. Producers look at entries without it: in whatever state but NONE
 * one keeps the records from being overwritten, and rx_state counts every change.
 */
#include <linux/nospec.h>
#include <shmring/queue.h>

#include "trace.h"

static void shmring_orphan_offer(struct shmring_ring *ring, u32 slot)
{
	struct shmring_meta *meta = ring->meta;

	/* Who sees the state finds the rest; pairs with the one in shmring_queue_gate(). */
	smp_store_release(&meta->orphan[slot].state, SHMRING_ORPHAN_WAITING);
	WRITE_ONCE(meta->orphans, meta->orphans | BIT_ULL(slot));
	trace_shmring_orphan(ring, slot, SHMRING_ORPHAN_WAITING);
}

/* Is @slot's entry being read by @owner? ring->lock is held. */
bool shmring_orphan_is_of(const struct shmring_ring *ring, u32 slot, u32 owner)
{
	const struct shmring_orphan *orphan = &ring->meta->orphan[slot];

	return orphan->state == SHMRING_ORPHAN_TAKEN && orphan->owner == owner;
}

/**
 * shmring_orphan_leave() - a consumer of a QUEUE ends: what does it leave?
 * @ring: ring; ring->lock is held
 * @slot: its slot, still live in META
 *
 * An entry of this slot that still is in use stays: a consumer that finds one adopts it
 * before it claims anything, so only one that does not play by the rules loses a claim.
 */
void shmring_orphan_leave(struct shmring_ring *ring, u32 slot)
{
	struct shmring_orphan *orphan = &ring->meta->orphan[slot], claim;
	u32 other;

	if (orphan->state == SHMRING_ORPHAN_NONE &&
	    shmring_claim_made(&ring->group, slot, &claim, ring->data_size - 1)) {
		WRITE_ONCE(orphan->lane, claim.lane);
		WRITE_ONCE(orphan->pos, claim.pos);
		WRITE_ONCE(orphan->end, claim.end);
		shmring_orphan_offer(ring, slot);
	}
	for (other = ring->producers; other < ring->slots; other++)
		if (shmring_orphan_is_of(ring, other, slot))
			shmring_orphan_offer(ring, other);
}

static int shmring_adopt_take(struct shmring_endpoint *ep, struct shmring_ring *ring,
			      struct shmring_ioc_adopt *arg)
{
	struct shmring_meta *meta = ring->meta;
	struct shmring_orphan *orphan;

	if (!meta->orphans)
		return -ENOENT;
	arg->slot = meta->orphans & BIT_ULL(ep->slot) ? ep->slot : __ffs64(meta->orphans);
	orphan = &meta->orphan[arg->slot];
	arg->lane = orphan->lane;
	arg->pos = orphan->pos;
	arg->end = orphan->end;
	WRITE_ONCE(orphan->owner, ep->slot);
	/* owner first: for people who look on */
	smp_store_release(&orphan->state, SHMRING_ORPHAN_TAKEN);
	WRITE_ONCE(meta->orphans, meta->orphans & ~BIT_ULL(arg->slot));
	trace_shmring_orphan(ring, arg->slot, SHMRING_ORPHAN_TAKEN);
	shmring_state_count(ring, SHMRING_ROLE_CONSUMER);
	return 0;
}

static int shmring_adopt_done(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 slot)
{
	if (slot >= ring->slots)
		return -EINVAL;
	slot = array_index_nospec(slot, ring->slots);
	if (!shmring_orphan_is_of(ring, slot, ep->slot))
		return -EINVAL;
	/* What was read comes before it is free; pairs with shmring_queue_gate(). */
	smp_store_release(&ring->meta->orphan[slot].state, SHMRING_ORPHAN_NONE);
	trace_shmring_orphan(ring, slot, SHMRING_ORPHAN_NONE);
	shmring_state_count(ring, SHMRING_ROLE_CONSUMER);
	shmring_kick_role(ring, SHMRING_ROLE_PRODUCER);
	return 0;
}

/**
 * shmring_adopt() - take over an orphan, or be done with it
 * @ep: endpoint
 * @arg: which; for TAKE slot, lane, pos and end are set
 *
 * Return: 0, -EINVAL, -ENOENT.
 */
int shmring_adopt(struct shmring_endpoint *ep, struct shmring_ioc_adopt *arg)
{
	struct shmring_ring *ring = ep->ring;
	int err = -EINVAL;

	if (ring->topology != SHMRING_TOPO_QUEUE || ep->role != SHMRING_ROLE_CONSUMER)
		return -EINVAL;
	spin_lock(&ring->lock);
	if (arg->op == SHMRING_ADOPT_TAKE)
		err = shmring_adopt_take(ep, ring, arg);
	else if (arg->op == SHMRING_ADOPT_DONE)
		err = shmring_adopt_done(ep, ring, arg->slot);
	spin_unlock(&ring->lock);
	return err;
}

/**
 * shmring_adopt_undo() - the caller could not be told what it took
 * @ep: consumer
 * @slot: what shmring_adopt() told
 */
void shmring_adopt_undo(struct shmring_endpoint *ep, u32 slot)
{
	struct shmring_ring *ring = ep->ring;

	spin_lock(&ring->lock);
	if (shmring_orphan_is_of(ring, slot, ep->slot)) {
		shmring_orphan_offer(ring, slot);
		shmring_state_count(ring, SHMRING_ROLE_CONSUMER);
		shmring_kick_role(ring, SHMRING_ROLE_CONSUMER);
	}
	spin_unlock(&ring->lock);
}
