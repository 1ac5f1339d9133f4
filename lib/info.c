// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What a ring is and what its endpoints have done. Counters come from pages that
 * other endpoints write: they are shown, never relied on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* sizeof(struct shmring_stats) when it was first published */
#define SHMRING_STATS_FIRST	72

/**
 * shmring_look_at() - a part of CONTROL, to read
 * @h: handle
 * @offset: where it is
 * @len: its bytes
 * @copy: room for as many
 *
 * Who shares a ring trusts those who may write its file. Who looks at the rings of others
 * does not, and a mapped file that is cut is a signal: so that one gets a copy.
 *
 * Return: where to look; NULL: the file has been cut.
 */
const void *shmring_look_at(const struct shmring_handle *h, uint64_t offset, size_t len,
			    void *copy)
{
	if (h->mine || !h->ops->copy)
		return h->control + offset;
	return h->ops->copy(h, offset, len, copy) ? NULL : copy;
}

int shmring_info(const struct shmring *r, struct shmring_ioc_info *info)
{
	const struct shmring_handle *h = shmring_handle(r);

	if (info->size != sizeof(*info))
		return -EINVAL;
	return h->ops->info(h, info);
}

/* Who died holds nobody up, though META may not say so yet. The own lock is not seen. */
static void shmring_forget_dead(const struct shmring_handle *h, struct shmring_meta *meta)
{
	unsigned int slot;

	for (slot = 0; slot < h->geo.slots; slot++)
		if (meta->slot[slot].state == SHMRING_SLOT_LIVE && slot != h->slot &&
		    !h->ops->lives(h, slot))
			meta->slot[slot].state = SHMRING_SLOT_DEAD;
}

/* How far a lane's records have been released. */
static uint64_t shmring_lane_consumed(const struct shmring_group *g, unsigned int lane,
				      uint32_t topology, uint64_t told)
{
	const struct shmring_cursor *consumer = g->cursor[g->producers];
	__u64 gate;

	switch (topology) {
	case SHMRING_TOPO_SPSC:
		return shmring_load(&consumer->pos);
	case SHMRING_TOPO_MPSC:
		return shmring_load(&consumer->lane[lane].pos);
	case SHMRING_TOPO_QUEUE:
		return shmring_queue_gate(g, lane, &gate) ? 0 : gate;
	default:
		/* Who is joining begins about where the producer is. */
		shmring_broadcast_gate(g, lane, told, &gate);
		return gate;
	}
}

static void shmring_sum_up(const struct shmring_group *g, struct shmring_ioc_info *info)
{
	unsigned int slot, lane;

	for (slot = 0; slot < info->slots; slot++)
		info->lost += shmring_load(&g->cursor[slot]->lost);
	for (lane = 0; lane < g->producers; lane++) {
		uint64_t told = shmring_load(&g->cursor[lane]->pos);
		uint64_t consumed = shmring_lane_consumed(g, lane, info->topology, told);
		uint64_t produced = shmring_spsc_produced(told, consumed, info->data_size);

		if (info->full_policy == SHMRING_FULL_OVERWRITE)
			consumed = shmring_overwrite_left(g->cursor[lane], consumed, produced,
							  info->data_size);
		info->produced += produced;
		info->consumed += consumed;
	}
}

/* What was produced, consumed and lost by all, as the pages tell: 0, -ENOMEM, -EPROTO. */
int shmring_totals(const struct shmring_handle *h, struct shmring_ioc_info *info)
{
	struct shmring_cursor *cursor[SHMRING_SLOTS_MAX];
	struct shmring_group g = {
		.cursor = cursor,
		.producers = h->geo.producers,
		.consumers = h->geo.consumers,
	};
	unsigned char *copy = malloc(h->control_size), *control;
	unsigned int slot;

	if (!copy)
		return -ENOMEM;
	control = (unsigned char *)(uintptr_t)shmring_look_at(h, 0, h->control_size, copy);
	if (control) {
		g.meta = (void *)control;
		g.shared = (void *)(control + h->geo.shared_offset);
		for (slot = 0; slot < h->geo.slots; slot++)
			cursor[slot] = (void *)(control + h->geo.cursor_offset +
						slot * h->geo.cursor_stride);
		if (h->geo.topology == SHMRING_TOPO_BROADCAST) {
			memmove(copy, control, sizeof(struct shmring_meta));
			shmring_forget_dead(h, (void *)copy);
			g.meta = (void *)copy;
		}
		shmring_sum_up(&g, info);
	}
	free(copy);
	return control ? 0 : -EPROTO;
}

uint64_t shmring_lost(const struct shmring *r)
{
	const struct shmring_handle *h = shmring_handle(r);

	return h->mine ? shmring_load(&h->mine->lost) - h->lost : 0;
}

int shmring_get_stats(const struct shmring *r, unsigned int slot, struct shmring_stats *stats)
{
	const struct shmring_handle *h = shmring_handle(r);
	const struct shmring_meta *meta;
	const struct shmring_witness *w;
	const struct shmring_cursor *cursor;
	const struct shmring_slot *s;
	struct shmring_cursor cursor_copy;
	struct shmring_meta meta_copy;
	struct shmring_stats known;

	if (stats->size < SHMRING_STATS_FIRST || slot >= h->geo.slots)
		return -EINVAL;
	meta = shmring_look_at(h, 0, sizeof(meta_copy), &meta_copy);
	cursor = shmring_look_at(h, h->geo.cursor_offset + slot * h->geo.cursor_stride,
				 sizeof(cursor_copy), &cursor_copy);
	if (!meta || !cursor)
		return -EPROTO;
	s = &meta->slot[slot];
	w = &meta->witness[slot];
	known = (struct shmring_stats) {
		.size = stats->size,
		.state = shmring_slot_state(h, slot, shmring_load(&s->state)),
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
