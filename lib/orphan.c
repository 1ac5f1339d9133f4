// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What dead consumers of a QUEUE had claimed and not released, on the memfd backend: the
 * device does the same in the kernel. META has an entry a slot; all of it is written
 * under the guard, and before the slot stops being live, so that a producer sees the
 * hold or the orphan.
 *
 * A slot with an entry is given to the next consumer only if nobody else reads it, and
 * then together with the entry: it may leave one of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

static void shmring_orphan_take(struct shmring_handle *h, unsigned int slot)
{
	struct shmring_orphan *orphan = shmring_orphan(h, slot);

	shmring_store(&orphan->owner, h->slot);
	shmring_store_release(&orphan->state, SHMRING_ORPHAN_TAKEN);
	__atomic_fetch_and(&shmring_meta(h)->orphans, ~(1ull << slot), __ATOMIC_SEQ_CST);
}

/* May a new consumer have this slot? */
bool shmring_orphan_free(const struct shmring_handle *h, unsigned int slot)
{
	return !shmring_has_orphans(h, slot) ||
	       shmring_load(&shmring_orphan(h, slot)->state) != SHMRING_ORPHAN_TAKEN;
}

/* The endpoint begins in its slot: what waits there is its own. */
void shmring_orphan_begin(struct shmring_handle *h)
{
	if (!shmring_has_orphans(h, h->slot))
		return;
	shmring_store(&h->mine->hold, 0);
	if (shmring_load(&shmring_orphan(h, h->slot)->state) == SHMRING_ORPHAN_WAITING)
		shmring_orphan_take(h, h->slot);
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
	struct shmring_orphan made, *orphan;
	unsigned int k;

	if (!shmring_has_orphans(h, slot))
		return;
	for (k = h->geo.producers; k < h->geo.slots; k++)
		if (shmring_load(&shmring_orphan(h, k)->state) == SHMRING_ORPHAN_TAKEN &&
		    shmring_load(&shmring_orphan(h, k)->owner) == slot)
			shmring_orphan_wait(h, k);
	orphan = shmring_orphan(h, slot);
	if (shmring_load(&orphan->state) != SHMRING_ORPHAN_NONE ||
	    !shmring_claim_made(&g, slot, &made, h->geo.data_size - 1))
		return;
	shmring_store(&orphan->lane, made.lane);
	shmring_store(&orphan->pos, made.pos);
	shmring_store(&orphan->end, made.end);
	shmring_orphan_wait(h, slot);
}

static int shmring_adopt_take(struct shmring_handle *h, struct shmring_ioc_adopt *arg)
{
	const struct shmring_orphan *orphan;
	unsigned int slot, found = h->geo.slots;
	uint32_t state;

	for (slot = h->geo.producers; slot < h->geo.slots; slot++) {
		orphan = shmring_orphan(h, slot);
		state = shmring_load(&orphan->state);
		if (state == SHMRING_ORPHAN_TAKEN && shmring_load(&orphan->owner) == h->slot) {
			found = slot;
			break;
		}
		if (state == SHMRING_ORPHAN_WAITING && found == h->geo.slots)
			found = slot;
	}
	if (found == h->geo.slots)
		return -ENOENT;
	orphan = shmring_orphan(h, found);
	shmring_orphan_take(h, found);
	arg->slot = found;
	arg->lane = shmring_load(&orphan->lane);
	arg->pos = shmring_load(&orphan->pos);
	arg->end = shmring_load(&orphan->end);
	return 0;
}

/* As SHMRING_IOC_ADOPT. */
int shmring_memfd_adopt(struct shmring_handle *h, struct shmring_ioc_adopt *arg)
{
	int guard = shmring_reopen(h->fd, O_RDWR), err;

	if (guard < 0)
		return guard;
	do
		err = shmring_guard(guard, false);
	while (err == -EINTR);
	if (!err && arg->op == SHMRING_ADOPT_TAKE)
		err = shmring_adopt_take(h, arg);
	else if (!err)
		/* pairs with the load-acquire in shmring_queue_gate() */
		shmring_store_release(&shmring_orphan(h, arg->slot)->state, SHMRING_ORPHAN_NONE);
	close(guard);
	return err;
}
