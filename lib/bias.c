// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Publishing without a fence.
 *
 * The full fence between a position and the look at the peer's armed is most of what a short
 * record costs. Its partner is a sleeper, and who sleeps has time: it can have membarrier(2)
 * make that fence on every CPU where a peer runs. But then each sleep next to a running peer
 * interrupts it, and two that answer each other sleep all the time. So a side is biased, as a
 * lock can be: it begins with fences, does without (and says so in its CURSOR page) once it
 * met no sleeper for a thousand records, and returns to them when it meets two within as
 * many.
 *
 * Where several share a role each sleeper is met by one of them, so each reckons with that
 * many times the records. Rings whose publications take tickets keep their fences: an addition
 * to one counter costs as much, and less if producers are not too quick with it.
 *
 * Of the device the kernel arms, for poll(2) and others that do not ask this library as well: it
 * has the CPUs of an endpoint that says unfenced make their fences itself, where it can
 * (SHMRING_FEATURE_UNFENCED), and no membarrier(2) is called.
 *
 * Ordering:
 *
 *   shmring_bias_say()     unfenced = 1, full fence, the peers' armed
 *     pairs with           armed, full fence, unfenced in shmring_bias_meet(), or in
 *                          shmring_meet() of the module
 *     so that              either the sleeper knows that it needs membarrier(2), or it is
 *                          seen here, and woken
 *   shmring_bias_say()     positions, unfenced = 0, full fence, the peers' armed
 *     pairs with           the same
 *     so that              what was published without a fence is seen, or the sleeper is
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

static int shmring_membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0) ? -errno : 0;
}

static uint32_t *shmring_bias_fence(struct shmring_handle *h)
{
	if (!h->in)
		return &h->core.tx.fence;
	if (!h->group)
		return &h->core.rx.fence;
	return h->geo.topology == SHMRING_TOPO_QUEUE ? &h->many->claims.fence :
						       &h->many->merge.fence;
}

static uint64_t shmring_bias_records(const struct shmring_handle *h)
{
	if (!h->in)
		return h->core.tx.records;
	if (!h->group)
		return h->core.rx.records;
	return h->geo.topology == SHMRING_TOPO_QUEUE ? h->many->claims.records :
						       h->many->merge.records;
}

static bool shmring_bias_live(const struct shmring_handle *h, unsigned int slot)
{
	/* pairs with the store-release of whoever ends or begins an endpoint */
	return shmring_load_acquire(&shmring_meta(h)->slot[slot].state) == SHMRING_SLOT_LIVE;
}

/* Does a peer say so in its CURSOR page? */
static bool shmring_bias_said(const struct shmring_handle *h, uint32_t say)
{
	unsigned int slot;

	for (slot = h->peers; slot < h->peers_end; slot++)
		if (shmring_load(&h->cursor[slot]->unfenced) == say && shmring_bias_live(h, slot))
			return true;
	return false;
}

/* Have there been few sleepers since the last one? */
static bool shmring_bias_calm(const struct shmring_handle *h)
{
	unsigned int first = h->in ? h->peers_end : 0, end = h->in ? h->geo.slots : h->peers;
	unsigned int slot, sharers = 0;

	for (slot = first; slot < end; slot++)
		sharers += shmring_bias_live(h, slot);
	return shmring_bias_records(h) - h->bias > (uint64_t)SHMRING_FENCE_LEARN * sharers;
}

/**
 * shmring_bias_start() - an endpoint begins, with fences
 * @h: handle
 */
void shmring_bias_start(struct shmring_handle *h)
{
	uint32_t say = SHMRING_FENCED;

	bool tickets = shmring_has_tickets(&h->geo);

	if (!h->mine || tickets || (h->geo.flags & SHMRING_CREATE_SPIN) ||
	    !(shmring_load(&shmring_meta(h)->features) & SHMRING_FEATURE_UNFENCED))
		return;
	h->bias = shmring_bias_records(h);
	/*
	 * Of the device the kernel makes up for it. Else both: to be interrupted by the peer's
	 * membarrier, and to know that the own one works. Children that go on with this handle
	 * inherit the registration.
	 */
	if (!h->ops->arm && (shmring_membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) ||
			     shmring_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED)))
		say = SHMRING_FENCES_NEEDED;
	else
		*shmring_bias_fence(h) = SHMRING_FENCE_LEARN;
	shmring_store(&h->mine->unfenced, say);
}

/* From now on as @say. Who has armed and may not know is woken. */
static void shmring_bias_say(struct shmring_handle *h, uint32_t say)
{
	unsigned int slot;

	*shmring_bias_fence(h) = say == SHMRING_UNFENCED ? 0 : SHMRING_FENCE_LEARN;
	shmring_store(&h->mine->unfenced, say);
	shmring_fence();	/* pairs with the fence in shmring_arm_begin() */
	for (slot = h->peers; slot < h->peers_end; slot++)
		/* pairs with the store-release in shmring_arm_begin() */
		if (shmring_load_acquire(&h->cursor[slot]->armed) == SHMRING_ARMED_YES) {
			shmring_wake(h, slot);
			if (h->ops->wakes_all)
				break;
		}
}

/**
 * shmring_bias_due() - a thousand records more: were there no sleepers among them?
 * @h: handle, with fences
 */
void shmring_bias_due(struct shmring_handle *h)
{
	if (shmring_bias_calm(h) && !shmring_bias_said(h, SHMRING_FENCES_NEEDED))
		shmring_bias_say(h, SHMRING_UNFENCED);
}

/**
 * shmring_bias_met() - there was a sleeper, and it has been woken
 * @h: handle
 */
void shmring_bias_met(struct shmring_handle *h)
{
	bool calm = shmring_bias_calm(h);

	h->bias = shmring_bias_records(h);
	if (!*shmring_bias_fence(h) && (!calm || shmring_bias_said(h, SHMRING_FENCES_NEEDED)))
		shmring_bias_say(h, SHMRING_FENCED);
}

/**
 * shmring_bias_meet() - this endpoint is armed, and about to sleep
 * @h: handle that has made its full fence
 *
 * Where membarrier(2) fails though a peer relies on it, the ring is looked at in slices
 * anyway (shmring_bias_unsure()). On the device the kernel has to be asked (shmring_arm()).
 */
void shmring_bias_meet(const struct shmring_handle *h)
{
	if (!h->ops->arm && shmring_bias_said(h, SHMRING_UNFENCED))
		shmring_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

/**
 * shmring_bias_unsure() - may a publication have missed this endpoint, which is armed
 * @h: handle of the memfd backend
 *
 * It cannot call membarrier(2), and a peer relies on that until it makes fences again, which it
 * begins with a look at who is armed (shmring_bias_say()).
 */
bool shmring_bias_unsure(const struct shmring_handle *h)
{
	return shmring_load(&h->mine->unfenced) == SHMRING_FENCES_NEEDED &&
	       shmring_bias_said(h, SHMRING_UNFENCED);
}

/* shmring_bias_unfenced() - does a peer make no fences? */
bool shmring_bias_unfenced(const struct shmring_handle *h)
{
	return shmring_bias_said(h, SHMRING_UNFENCED);
}

/**
 * shmring_bias_catch_up() - a sleeper was seen; what others publish is to be seen as well
 * @h: handle that has published or released, perhaps without a fence
 */
void shmring_bias_catch_up(struct shmring_handle *h)
{
	/* pairs with the fence in shmring_arm_share(), and with itself in those who share a role */
	if (!*shmring_bias_fence(h))
		shmring_fence();
}
