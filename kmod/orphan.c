// SPDX-License-Identifier: GPL-2.0-only
/*
 * Orphans: what the dead consumers of a QUEUE had claimed and not released.
 *
 * META has one entry a slot. It is WAITING from the end of the slot's consumer on, until
 * another consumer takes it over: then it moves to that one's own entry, which is TAKEN
 * until it says that it is done: that it has read it, or holds it like a claim of its own. The
 * next consumer of a slot where one waits has taken it with the slot. So whoever ends leaves one
 * entry at most, in its own slot: a consumer that has one does not claim anything before.
 *
 * All under ring->lock. Producers look at entries without it: in whatever state but NONE
 * one keeps the records from being overwritten, and rx_state counts every change, before
 * an entry becomes NONE that lives on elsewhere.
 */
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

static void shmring_orphan_keep(struct shmring_ring *ring, u32 slot)
{
	struct shmring_meta *meta = ring->meta;

	/* pairs with the one in shmring_queue_gate() */
	smp_store_release(&meta->orphan[slot].state, SHMRING_ORPHAN_TAKEN);
	WRITE_ONCE(meta->orphans, meta->orphans & ~BIT_ULL(slot));
	trace_shmring_orphan(ring, slot, SHMRING_ORPHAN_TAKEN);
}

static void shmring_orphan_fill(struct shmring_orphan *orphan, const struct shmring_orphan *from)
{
	WRITE_ONCE(orphan->lane, from->lane);
	WRITE_ONCE(orphan->pos, from->pos);
	WRITE_ONCE(orphan->end, from->end);
}

/**
 * shmring_orphan_enter() - a slot is given to somebody: so is what waits there
 * @ring: ring; ring->lock is held
 * @slot: slot
 */
void shmring_orphan_enter(struct shmring_ring *ring, u32 slot)
{
	if (ring->meta->orphan[slot].state == SHMRING_ORPHAN_WAITING)
		shmring_orphan_keep(ring, slot);
}

/**
 * shmring_orphan_return() - a slot is not taken after all: what waited there waits again
 * @ring: ring; ring->lock is held
 * @slot: slot
 *
 * Its CURSOR page is still the predecessor's, of whose claim the end was told already.
 */
void shmring_orphan_return(struct shmring_ring *ring, u32 slot)
{
	if (ring->meta->orphan[slot].state == SHMRING_ORPHAN_TAKEN)
		shmring_orphan_offer(ring, slot);
}

/**
 * shmring_orphan_leave() - a consumer of a QUEUE ends: what does it leave?
 * @ring: ring; ring->lock is held
 * @slot: its slot, still live in META
 *
 * What it had taken over waits again. Only one that does not play by the rules has another
 * claim besides, and loses it.
 */
void shmring_orphan_leave(struct shmring_ring *ring, u32 slot)
{
	struct shmring_orphan *orphan = &ring->meta->orphan[slot], claim;

	if (orphan->state == SHMRING_ORPHAN_TAKEN) {
		shmring_orphan_offer(ring, slot);
	} else if (shmring_claim_made(&ring->group, slot, &claim, ring->data_size - 1)) {
		shmring_orphan_fill(orphan, &claim);
		shmring_orphan_offer(ring, slot);
	}
}

/* The entry that the caller has to read, if there is any; its own comes first. */
static int shmring_adopt_take(struct shmring_endpoint *ep, struct shmring_ring *ring,
			      struct shmring_ioc_adopt *arg)
{
	struct shmring_meta *meta = ring->meta;
	struct shmring_orphan *mine = &meta->orphan[ep->slot];

	if (mine->state == SHMRING_ORPHAN_NONE) {
		u32 other;

		if (!meta->orphans)
			return -ENOENT;
		other = __ffs64(meta->orphans);
		shmring_orphan_fill(mine, &meta->orphan[other]);
		shmring_orphan_keep(ring, ep->slot);
		WRITE_ONCE(meta->orphans, meta->orphans & ~BIT_ULL(other));
		/* Counted first: who sees the other one gone looks at ours again. */
		shmring_state_count(ring, SHMRING_ROLE_CONSUMER);
		/* pairs with the load-acquire in shmring_queue_gate() */
		smp_store_release(&meta->orphan[other].state, SHMRING_ORPHAN_NONE);
		trace_shmring_orphan(ring, other, SHMRING_ORPHAN_NONE);
	}
	arg->slot = ep->slot;
	arg->lane = mine->lane;
	arg->pos = mine->pos;
	arg->end = mine->end;
	return 0;
}

static int shmring_adopt_done(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 slot)
{
	struct shmring_orphan *mine = &ring->meta->orphan[ep->slot];

	if (slot != ep->slot || mine->state != SHMRING_ORPHAN_TAKEN)
		return -EINVAL;
	/* Counted first: who sees it gone looks at holds again, of which it may be one now. */
	shmring_state_count(ring, SHMRING_ROLE_CONSUMER);
	/* What was read comes before it is free; pairs with shmring_queue_gate(). */
	smp_store_release(&mine->state, SHMRING_ORPHAN_NONE);
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
