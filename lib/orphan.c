// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What dead consumers of a QUEUE had claimed and not released, on the memfd backend: the
 * device does the same in the kernel, and kmod/orphan.c says how entries of META move. All
 * but the end of what was taken over is written under the guard, a consumer's own claim
 * before its slot stops being live, so that a producer sees the hold or the orphan.
 *
 * Who holds the guard may be killed like anybody else. What it leaves half done is seen by
 * the next one: an orphan of a slot that still is live was not offered to the end, and two
 * equal entries are one that was to move.
 */
#include <errno.h>

#include "memfd.h"

static struct shmring_orphan *shmring_orphan(const struct shmring_handle *h, unsigned int slot)
{
	return &shmring_meta(h)->orphan[slot];
}

static bool shmring_has_orphans(const struct shmring_handle *h, unsigned int slot)
{
	return h->geo.topology == SHMRING_TOPO_QUEUE && slot >= h->geo.producers;
}

static void shmring_orphan_wait(struct shmring_handle *h, unsigned int slot)
{
	/* pairs with the load-acquire in shmring_queue_gate() */
	shmring_store_release(&shmring_orphan(h, slot)->state, SHMRING_ORPHAN_WAITING);
	__atomic_fetch_or(&shmring_meta(h)->orphans, 1ull << slot, __ATOMIC_SEQ_CST);
}

static void shmring_orphan_keep(struct shmring_handle *h, unsigned int slot)
{
	/* pairs with the load-acquire in shmring_queue_gate() */
	shmring_store_release(&shmring_orphan(h, slot)->state, SHMRING_ORPHAN_TAKEN);
	__atomic_fetch_and(&shmring_meta(h)->orphans, ~(1ull << slot), __ATOMIC_SEQ_CST);
}

static void shmring_orphan_fill(struct shmring_orphan *orphan, const struct shmring_orphan *from)
{
	shmring_store(&orphan->lane, shmring_load(&from->lane));
	shmring_store(&orphan->pos, shmring_load(&from->pos));
	shmring_store(&orphan->end, shmring_load(&from->end));
}

/* Who has seen orphans looks at them again; pairs with shmring_queue_gate(). */
static void shmring_orphan_count(struct shmring_handle *h)
{
	__atomic_fetch_add(&shmring_meta(h)->rx_state, SHMRING_STATE_ARMED + 1, __ATOMIC_SEQ_CST);
}

/* The entry of @slot is the one to go on with: what equals it was on its way there. */
static void shmring_orphan_unique(struct shmring_handle *h, unsigned int slot)
{
	const struct shmring_orphan *orphan = shmring_orphan(h, slot);
	struct shmring_orphan *other;
	unsigned int k;

	for (k = h->geo.producers; k < h->geo.slots; k++) {
		other = shmring_orphan(h, k);
		if (k == slot || shmring_load(&other->state) == SHMRING_ORPHAN_NONE ||
		    shmring_load(&other->lane) != shmring_load(&orphan->lane) ||
		    shmring_load(&other->pos) != shmring_load(&orphan->pos))
			continue;
		/* pairs with the load-acquire in shmring_queue_gate() */
		shmring_store_release(&other->state, SHMRING_ORPHAN_NONE);
	}
}

/* The endpoint begins in its slot: what waits there is its own. */
void shmring_orphan_begin(struct shmring_handle *h)
{
	if (!shmring_has_orphans(h, h->slot))
		return;
	shmring_store(&h->mine->hold, 0);
	if (shmring_load(&shmring_orphan(h, h->slot)->state) != SHMRING_ORPHAN_NONE)
		shmring_orphan_keep(h, h->slot);
}

/* An endpoint ends: what it had taken over waits again, and so does its own claim. */
void shmring_orphan_end(struct shmring_handle *h, unsigned int slot)
{
	const struct shmring_group g = {
		.meta = shmring_meta(h),
		.cursor = h->cursor,
		.shared = h->shared,
		.producers = h->geo.producers,
		.consumers = h->geo.consumers,
	};
	struct shmring_orphan made;

	if (!shmring_has_orphans(h, slot))
		return;
	if (shmring_load(&shmring_orphan(h, slot)->state) != SHMRING_ORPHAN_NONE) {
		shmring_orphan_unique(h, slot);
		shmring_orphan_wait(h, slot);
	} else if (shmring_claim_made(&g, slot, &made, h->geo.data_size - 1)) {
		shmring_orphan_fill(shmring_orphan(h, slot), &made);
		shmring_orphan_wait(h, slot);
	}
}

/**
 * shmring_orphan_settle() - what somebody was killed in the middle of moving
 * @h: handle that has the guard
 *
 * An entry that one took over who never came to live waits again; and a bit stands for an entry
 * that waits, or consumers look for it without end.
 */
void shmring_orphan_settle(struct shmring_handle *h)
{
	struct shmring_meta *meta = shmring_meta(h);
	unsigned int slot;

	for (slot = h->geo.producers; shmring_has_orphans(h, slot) && slot < h->geo.slots; slot++) {
		uint32_t state = shmring_load(&shmring_orphan(h, slot)->state);

		if (state != SHMRING_ORPHAN_NONE &&
		    shmring_load(&meta->slot[slot].state) != SHMRING_SLOT_LIVE)
			shmring_orphan_wait(h, slot);
		else if (state != SHMRING_ORPHAN_WAITING)
			__atomic_fetch_and(&meta->orphans, ~(1ull << slot), __ATOMIC_SEQ_CST);
	}
}

/* An entry that waits, and waits for certain; SHMRING_SLOTS_MAX: none does. */
static unsigned int shmring_orphan_find(struct shmring_handle *h)
{
	unsigned int slot;

	for (slot = h->geo.producers; slot < h->geo.slots; slot++) {
		if (shmring_load(&shmring_orphan(h, slot)->state) != SHMRING_ORPHAN_WAITING)
			continue;
		if (shmring_load(&shmring_meta(h)->slot[slot].state) == SHMRING_SLOT_LIVE)
			shmring_slot_end(h, slot);
		shmring_orphan_unique(h, slot);
		return slot;
	}
	return SHMRING_SLOTS_MAX;
}

/* The own entry first; from another's it moves there. */
static int shmring_adopt_take(struct shmring_handle *h, struct shmring_ioc_adopt *arg)
{
	struct shmring_orphan *mine = shmring_orphan(h, h->slot);
	unsigned int other;

	shmring_orphan_settle(h);
	if (shmring_load(&mine->state) == SHMRING_ORPHAN_NONE) {
		other = shmring_orphan_find(h);
		if (other == SHMRING_SLOTS_MAX)
			return -ENOENT;
		shmring_orphan_fill(mine, shmring_orphan(h, other));
		shmring_orphan_keep(h, h->slot);
		__atomic_fetch_and(&shmring_meta(h)->orphans, ~(1ull << other), __ATOMIC_SEQ_CST);
		shmring_orphan_count(h);
		/* pairs with the load-acquire in shmring_queue_gate(), which then counts */
		shmring_store_release(&shmring_orphan(h, other)->state, SHMRING_ORPHAN_NONE);
	} else {
		/* It came with the slot, from where somebody may have been killed moving it. */
		shmring_orphan_unique(h, h->slot);
	}
	arg->slot = h->slot;
	arg->lane = shmring_load(&mine->lane);
	arg->pos = shmring_load(&mine->pos);
	arg->end = shmring_load(&mine->end);
	return 0;
}

/*
 * Without the guard: nobody else writes the entry that a live endpoint has taken over, and this
 * may not fail.
 */
static void shmring_adopt_done(struct shmring_handle *h)
{
	shmring_orphan_count(h);
	/* The own hold comes before it; pairs with shmring_queue_gate(), which then counts */
	shmring_store_release(&shmring_orphan(h, h->slot)->state, SHMRING_ORPHAN_NONE);
}

/* As SHMRING_IOC_ADOPT; and -EBUSY: somebody has the guard, ask again. */
int shmring_memfd_adopt(struct shmring_handle *h, struct shmring_ioc_adopt *arg)
{
	int guard, err;

	if (arg->op == SHMRING_ADOPT_DONE) {
		shmring_adopt_done(h);
		return 0;
	}
	/* Who holds it may be stopped, and the caller has a deadline. */
	guard = shmring_guard_take(h, 1);
	if (guard < 0)
		return guard;
	err = shmring_adopt_take(h, arg);
	/* A dead one was found on the way. */
	if (shmring_load(&shmring_meta(h)->wake_due))
		shmring_memfd_wake_all(h);
	shmring_guard_drop(h, guard);
	return err;
}
