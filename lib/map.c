// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The three mappings of an endpoint: CONTROL, its own CURSOR page, and DATA twice
 * in a row so that every record is contiguous. All of them are populated here: no
 * page fault is left for the data path.
 *
 * The geometry was checked by the backend before; it is read from the handle's
 * private copy and never from META.
 */
#include <errno.h>
#include <sys/mman.h>

#include "internal.h"

#define SHMRING_HUGE_SIZE	(2ul << 20)

/* What a handle that does not receive looks at: a record that is never there. */
static const struct shmring_record shmring_nothing;

int shmring_map_control(struct shmring_handle *h, bool writable)
{
	void *p = mmap(NULL, h->geo.control_size, PROT_READ | (writable ? PROT_WRITE : 0),
		       MAP_SHARED | MAP_POPULATE, h->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	h->control = p;
	h->control_size = h->geo.control_size;
	return 0;
}

static int shmring_map_cursor(struct shmring_handle *h, bool in_control)
{
	void *p;

	if (h->slot == SHMRING_NO_SLOT)
		return 0;
	if (in_control) {
		h->mine = shmring_cursor(h, h->slot);
		return 0;
	}
	p = mmap(NULL, h->geo.cursor_stride, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		 h->fd, (off_t)(h->geo.cursor_offset + h->slot * h->geo.cursor_stride));
	if (p == MAP_FAILED)
		return -errno;
	h->mine = p;
	h->own_cursor = true;
	return 0;
}

/*
 * Reserve addresses first, so that both halves are neighbours whatever else the
 * process maps meanwhile, at a boundary that lets 2 MiB pages be mapped as such.
 */
int shmring_map_data(struct shmring_handle *h)
{
	size_t size = h->geo.data_size;
	size_t align = size >= SHMRING_HUGE_SIZE ? SHMRING_HUGE_SIZE : h->geo.cursor_stride;
	unsigned int maps = h->geo.topology == SHMRING_TOPO_RAW ? 1 : 2;
	int prot = PROT_READ | (h->role & SHMRING_ROLE_PRODUCER ? PROT_WRITE : 0);
	size_t span, head, tail;
	unsigned char *base;
	unsigned int k;
	int err;

	if (size > (SIZE_MAX / 2 - align))
		return -ENOMEM;
	span = maps * size + align;
	base = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	head = -(uintptr_t)base & (align - 1);
	tail = span - head - maps * size;
	if (head)
		munmap(base, head);
	if (tail)
		munmap(base + span - tail, tail);
	base += head;
	for (k = 0; k < maps; k++) {
		void *p = mmap(base + k * size, size, prot, MAP_SHARED | MAP_FIXED,
			       h->fd, (off_t)h->geo.data_offset);

		if (p == MAP_FAILED)
			goto err_unmap;
		/* A hint that a kernel without shared huge pages refuses: no loss. */
		if (h->ops->backend == SHMRING_BACKEND_MEMFD && align == SHMRING_HUGE_SIZE &&
		    !(h->geo.flags & SHMRING_CREATE_SMALL))
			madvise(p, size, MADV_HUGEPAGE);
	}
	h->data = base;
	h->data_maps = maps;
	return 0;

err_unmap:
	err = -errno;
	munmap(base, maps * size);
	return err;
}

/* Populate DATA: with an error code where the kernel can give one (since 5.14). */
static int shmring_populate(struct shmring_handle *h)
{
	size_t size = h->data_maps * h->geo.data_size;
	bool writer = h->role & SHMRING_ROLE_PRODUCER;
	volatile unsigned char *p = h->data;
	size_t at;

	if (!madvise(h->data, size, writer ? MADV_POPULATE_WRITE : MADV_POPULATE_READ))
		return 0;
	if (errno != EINVAL)
		return -errno;
	for (at = 0; at < size; at += h->geo.cursor_stride)
		(void)p[at];
	return 0;
}

/**
 * shmring_map() - make all mappings that are not there yet
 * @h: handle with @fd, @slot, @role and @geo set
 * @control_writable: CONTROL may be written: the own CURSOR page is used in place
 */
int shmring_map(struct shmring_handle *h, bool control_writable)
{
	int err = 0;

	if (!h->control)
		err = shmring_map_control(h, control_writable);
	if (!err)
		err = shmring_map_cursor(h, control_writable);
	if (!err && !h->data)
		err = shmring_map_data(h);
	if (!err)
		err = shmring_populate(h);
	return err;
}

void shmring_unmap(struct shmring_handle *h)
{
	if (h->data)
		munmap(h->data, h->data_maps * h->geo.data_size);
	if (h->own_cursor)
		munmap(h->mine, h->geo.cursor_stride);
	if (h->control)
		munmap(h->control, h->control_size);
	h->data = NULL;
	h->own_cursor = false;
	h->mine = NULL;
	h->control = NULL;
}

static int shmring_start_producer(struct shmring_handle *h)
{
	struct shmring_spsc_tx *tx = &h->core.tx;
	int err;

	tx->data = h->data;
	tx->mask = h->geo.data_size - 1;
	tx->fence = !(h->geo.flags & SHMRING_CREATE_SPIN);
	tx->mine = h->mine;
	tx->peer = shmring_cursor(h, 1);
	err = shmring_spsc_recover(tx);
	if (err < 0)
		return err;
	if (err)
		h->ops->wake(h);
	/* The first reservation goes the slow way, which knows if the peer has left. */
	tx->limit = tx->tail;
	h->core.max_record = h->geo.max_record;
	return 0;
}

static int shmring_start_consumer(struct shmring_handle *h)
{
	struct shmring_spsc_rx *rx = &h->core.rx;
	/* pairs with the store-release in shmring_spsc_publish() */
	uint64_t end = shmring_load_acquire(&shmring_cursor(h, 0)->pos);
	uint64_t pos = shmring_load(&h->mine->pos);

	if ((pos & (SHMRING_REC_ALIGN - 1)) ||
	    shmring_spsc_used(end, pos, h->geo.data_size) == SHMRING_SPSC_IMPOSSIBLE)
		return -EPROTO;
	rx->data = h->data;
	rx->mask = h->geo.data_size - 1;
	rx->done = pos;
	rx->head = pos;
	rx->records = shmring_load(&h->mine->records);
	rx->fence = !(h->geo.flags & SHMRING_CREATE_SPIN);
	rx->mine = h->mine;
	rx->peer = shmring_cursor(h, 0);
	h->pace.mark = rx->done;
	return 0;
}

/**
 * shmring_start() - set the private state of the role up from what is in the ring
 * @h: handle, mapped
 *
 * A role that the handle does not have gets a state that sends every inline
 * function to its slow path.
 */
int shmring_start(struct shmring_handle *h)
{
	h->core.rx.data = (const unsigned char *)&shmring_nothing;
	h->core.rx.mask = sizeof(shmring_nothing) - 1;
	if (shmring_is_producer(h))
		return shmring_start_producer(h);
	if (shmring_is_consumer(h))
		return shmring_start_consumer(h);
	return 0;
}
