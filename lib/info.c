// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What a ring is and what its endpoints have done. Counters come from pages that
 * other endpoints write: they are shown, never relied on.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* sizeof(struct shmring_stats) when it was first published */
#define SHMRING_STATS_FIRST	72

int shmring_info(const struct shmring *r, struct shmring_ioc_info *info)
{
	const struct shmring_handle *h = shmring_handle(r);

	if (info->size != sizeof(*info))
		return -EINVAL;
	return h->ops->info(h, info);
}

/* How far the slowest live consumer of a BROADCAST ring is in all lanes; or the end. */
static uint64_t shmring_slowest(const struct shmring_handle *h, uint64_t end)
{
	uint64_t least = end, sum, pos;
	unsigned int slot, lane;

	for (slot = h->geo.producers; slot < h->geo.slots; slot++) {
		if (shmring_load(&shmring_meta(h)->slot[slot].state) != SHMRING_SLOT_LIVE)
			continue;
		for (sum = 0, lane = 0; lane < h->geo.producers; lane++) {
			pos = shmring_load(&h->cursor[slot]->lane[lane].pos);
			sum += pos == SHMRING_POS_JOINING ? 0 : pos;
		}
		if (sum < least)
			least = sum;
	}
	return least;
}

/* What was produced, consumed and lost by all, as the pages tell. */
void shmring_totals(const struct shmring_handle *h, struct shmring_ioc_info *info)
{
	const struct shmring_group g = {
		.meta = shmring_meta(h),
		.cursor = (struct shmring_cursor **)(uintptr_t)h->cursor,
		.shared = h->shared,
		.producers = h->geo.producers,
		.consumers = h->geo.consumers,
	};
	unsigned int slot, lane;
	__u64 gate;

	for (slot = 0; slot < h->geo.slots; slot++)
		info->lost += shmring_load(&h->cursor[slot]->lost);
	for (lane = 0; lane < h->geo.producers; lane++) {
		info->produced += shmring_load(&h->cursor[lane]->pos);
		if (h->geo.topology == SHMRING_TOPO_MPSC)
			info->consumed +=
				shmring_load(&h->cursor[h->geo.producers]->lane[lane].pos);
		else if (h->geo.topology == SHMRING_TOPO_QUEUE &&
			 !shmring_queue_gate(&g, lane, &gate))
			info->consumed += gate;
	}
	if (h->geo.topology == SHMRING_TOPO_SPSC)
		info->consumed = shmring_load(&h->cursor[1]->pos);
	else if (h->geo.topology == SHMRING_TOPO_BROADCAST)
		info->consumed = shmring_slowest(h, info->produced);
}

uint64_t shmring_lost(const struct shmring *r)
{
	const struct shmring_handle *h = shmring_handle(r);

	return h->mine ? shmring_load(&h->mine->lost) - h->lost : 0;
}

int shmring_get_stats(const struct shmring *r, unsigned int slot, struct shmring_stats *stats)
{
	const struct shmring_handle *h = shmring_handle(r);
	const struct shmring_witness *w;
	const struct shmring_cursor *cursor;
	const struct shmring_slot *s;
	struct shmring_stats known;

	if (stats->size < SHMRING_STATS_FIRST || slot >= h->geo.slots)
		return -EINVAL;
	s = &shmring_meta(h)->slot[slot];
	w = &shmring_meta(h)->witness[slot];
	cursor = h->cursor[slot];
	known = (struct shmring_stats) {
		.size = stats->size,
		.state = shmring_load(&s->state),
		.role = shmring_load(&s->role),
		.pid = shmring_load(&s->pid),
		.bytes = shmring_load(&cursor->pos),
		.records = shmring_load(&cursor->records),
		.stalls = shmring_load(&cursor->stalls),
		.sleeps = shmring_load(&cursor->sleeps),
		.kicks = shmring_load(&cursor->kicks),
		.lost = shmring_load(&cursor->lost),
		.high = shmring_load(&cursor->high),
		.waits = shmring_load(&w->waits),
		.wakes = shmring_load(&w->wakes),
		.spurious = shmring_load(&w->spurious),
		.kicks_idle = shmring_load(&w->kicks_idle),
	};
	/* A program may know less than this library, or more: then the rest is zero. */
	if (known.size > sizeof(known))
		memset(stats, 0, known.size);
	memcpy(stats, &known, known.size < sizeof(known) ? known.size : sizeof(known));
	return 0;
}

void *shmring_raw(struct shmring *r, size_t *bytes)
{
	const struct shmring_handle *h = shmring_handle(r);

	if (h->geo.topology != SHMRING_TOPO_RAW)
		return NULL;
	if (bytes)
		*bytes = h->geo.data_size;
	return h->data;
}

int shmring_list(uint32_t backend,
		 int (*fn)(uint32_t backend, const struct shmring_ioc_info *info, void *arg),
		 void *arg)
{
	int err = 0;

	if (backend > SHMRING_BACKEND_MEMFD || !fn)
		return -EINVAL;
	if (backend == SHMRING_BACKEND_DEVICE ||
	    (backend == SHMRING_BACKEND_AUTO && shmring_device_usable()))
		err = shmring_device_ops.list(fn, arg);
	if (!err && backend != SHMRING_BACKEND_DEVICE)
		err = shmring_memfd_ops.list(fn, arg);
	return err;
}
