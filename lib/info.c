// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What a ring is and what its endpoints have done. Counters come from pages that
 * other endpoints write: they are shown, never relied on.
 */
#include <errno.h>

#include "internal.h"

int shmring_info(const struct shmring *r, struct shmring_ioc_info *info)
{
	const struct shmring_handle *h = shmring_handle(r);

	if (info->size != sizeof(*info))
		return -EINVAL;
	return h->ops->info(h, info);
}

int shmring_get_stats(const struct shmring *r, unsigned int slot, struct shmring_stats *stats)
{
	const struct shmring_handle *h = shmring_handle(r);
	const struct shmring_cursor *cursor;
	const struct shmring_slot *s;

	if (stats->size != sizeof(*stats) || slot >= h->geo.slots)
		return -EINVAL;
	s = &shmring_meta(h)->slot[slot];
	cursor = shmring_cursor(h, slot);
	stats->state = shmring_load(&s->state);
	stats->role = shmring_load(&s->role);
	stats->pid = shmring_load(&s->pid);
	stats->bytes = shmring_load(&cursor->pos);
	stats->records = shmring_load(&cursor->records);
	stats->stalls = shmring_load(&cursor->stalls);
	stats->sleeps = shmring_load(&cursor->sleeps);
	stats->kicks = shmring_load(&cursor->kicks);
	stats->resv = 0;
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
