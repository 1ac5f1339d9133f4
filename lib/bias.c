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
 * Only in an SPSC ring of the memfd backend: of the device the kernel arms as well.
 *
 * Ordering:
 *
 *   shmring_bias_begin()   unfenced, full fence, the peer's armed
 *     pairs with           armed, full fence, unfenced in shmring_bias_meet()
 *     so that              either the sleeper knows that it needs membarrier(2), or it is
 *                          seen here, and woken
 *   shmring_bias_end()     positions, unfenced, full fence, the peer's armed
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
	return h->in ? &h->core.rx.fence : &h->core.tx.fence;
}

static uint64_t shmring_bias_records(const struct shmring_handle *h)
{
	return h->in ? h->core.rx.records : h->core.tx.records;
}

static struct shmring_cursor *shmring_bias_peer(const struct shmring_handle *h)
{
	return h->cursor[h->peers];
}

/**
 * shmring_bias_start() - an endpoint begins, with fences
 * @h: handle
 */
void shmring_bias_start(struct shmring_handle *h)
{
	uint32_t say = SHMRING_FENCED;

	if (!h->ops->light || h->group || !h->mine || (h->geo.flags & SHMRING_CREATE_SPIN))
		return;
	h->bias = shmring_bias_records(h);
	/*
	 * Both: to be interrupted by the peer's, and to know that the own one works. Children
	 * that go on with this handle inherit the registration.
	 */
	if (shmring_membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) ||
	    shmring_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED))
		say = SHMRING_FENCES_NEEDED;
	else
		*shmring_bias_fence(h) = SHMRING_FENCE_LEARN;
	shmring_store(&h->mine->unfenced, say);
}

static void shmring_bias_begin(struct shmring_handle *h)
{
	struct shmring_cursor *peer = shmring_bias_peer(h);

	*shmring_bias_fence(h) = 0;
	shmring_store(&h->mine->unfenced, SHMRING_UNFENCED);
	shmring_fence();	/* pairs with the fence in shmring_arm_begin() */
	if (shmring_load_acquire(&peer->armed) == SHMRING_ARMED_YES)
		shmring_wake(h, h->peers);
}

static void shmring_bias_end(struct shmring_handle *h)
{
	*shmring_bias_fence(h) = SHMRING_FENCE_LEARN;
	shmring_store(&h->mine->unfenced, SHMRING_FENCED);
	shmring_fence();	/* pairs with the fence in shmring_arm_begin(); the caller wakes */
}

/**
 * shmring_bias_due() - a thousand records more: were there no sleepers among them?
 * @h: handle, with fences
 */
void shmring_bias_due(struct shmring_handle *h)
{
	if (shmring_bias_records(h) - h->bias > SHMRING_FENCE_LEARN &&
	    shmring_load(&shmring_bias_peer(h)->unfenced) != SHMRING_FENCES_NEEDED)
		shmring_bias_begin(h);
}

/**
 * shmring_bias_met() - there is a sleeper, and the caller will wake it
 * @h: handle
 */
void shmring_bias_met(struct shmring_handle *h)
{
	uint64_t records = shmring_bias_records(h), run = records - h->bias;

	h->bias = records;
	if (!*shmring_bias_fence(h) &&
	    (run <= SHMRING_FENCE_LEARN ||
	     shmring_load(&shmring_bias_peer(h)->unfenced) == SHMRING_FENCES_NEEDED))
		shmring_bias_end(h);
}

/**
 * shmring_bias_meet() - this endpoint is armed, and about to sleep
 * @h: handle that has made its full fence
 *
 * Where membarrier(2) fails though the peer relies on it, the ring is looked at in slices
 * anyway.
 */
void shmring_bias_meet(const struct shmring_handle *h)
{
	if (h->ops->light && !h->group &&
	    shmring_load(&shmring_bias_peer(h)->unfenced) == SHMRING_UNFENCED)
		shmring_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}
