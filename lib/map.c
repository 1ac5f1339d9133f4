// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The mappings of an endpoint: CONTROL, its own CURSOR page, SHARED if its role writes
 * it, and each lane of DATA twice in a row so that every record is contiguous: a
 * producer's own, or all of them. All are populated here: no page fault is left for the
 * data path.
 *
 * The geometry was checked by the backend before; it is read from the handle's
 * private copy and never from META.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

#define SHMRING_HUGE_SIZE	(2ul << 20)

/* What a handle that does not receive looks at: a record that is never there. */
static const struct shmring_record shmring_nothing;

int shmring_map_control(struct shmring_handle *h, bool writable)
{
	void *p = mmap(NULL, h->geo.control_size, PROT_READ | (writable ? PROT_WRITE : 0),
		       MAP_SHARED | MAP_POPULATE, h->fd, 0);
	unsigned int slot;

	if (p == MAP_FAILED)
		return -errno;
	h->control = p;
	h->control_size = h->geo.control_size;
	for (slot = 0; slot < h->geo.slots; slot++)
		h->cursor[slot] = (void *)(h->control + h->geo.cursor_offset +
					   slot * h->geo.cursor_stride);
	if (h->geo.shared_offset)
		h->shared = (void *)(h->control + h->geo.shared_offset);
	return 0;
}

/* A page of CONTROL that this endpoint writes. */
static void *shmring_map_page(struct shmring_handle *h, uint64_t offset)
{
	return mmap(NULL, h->geo.cursor_stride, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, h->fd, (off_t)offset);
}

static int shmring_map_own(struct shmring_handle *h, bool in_control)
{
	uint32_t writers = h->geo.topology == SHMRING_TOPO_QUEUE ? SHMRING_ROLE_CONSUMER :
								   SHMRING_ROLE_PRODUCER;
	void *p;

	if (h->slot == SHMRING_NO_SLOT)
		return 0;
	if (in_control) {
		h->mine = h->cursor[h->slot];
		return 0;
	}
	p = shmring_map_page(h, h->geo.cursor_offset + h->slot * h->geo.cursor_stride);
	if (p == MAP_FAILED)
		return -errno;
	h->mine = p;
	h->own_cursor = true;
	if (!h->geo.shared_offset || h->role != writers)
		return 0;
	p = shmring_map_page(h, h->geo.shared_offset);
	if (p == MAP_FAILED)
		return -errno;
	h->shared = p;
	h->own_shared = true;
	return 0;
}

/* Addresses for a mapping of @size bytes at a multiple of @align; NULL: errno tells. */
unsigned char *shmring_map_room(size_t size, size_t align)
{
	size_t span = size + align, head, tail;
	unsigned char *base;

	base = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)base & (align - 1);
	tail = span - head - size;
	if (head)
		munmap(base, head);
	if (tail)
		munmap(base + span - tail, tail);
	return base + head;
}

/* Where lanes are to begin, so that 2 MiB pages can be mapped as such. */
size_t shmring_data_align(const struct shmring_ioc_info *geo)
{
	return geo->data_size >= SHMRING_HUGE_SIZE ? SHMRING_HUGE_SIZE : geo->cursor_stride;
}

/*
 * Reserve addresses first, so that both halves of a lane are neighbours whatever else
 * the process maps meanwhile.
 */
static int shmring_map_data(struct shmring_handle *h)
{
	bool producer = shmring_is_producer(h);
	size_t size = h->geo.data_size, align = shmring_data_align(&h->geo);
	unsigned int maps = shmring_maps(&h->geo), k;
	int prot = PROT_READ | (h->role & SHMRING_ROLE_PRODUCER ? PROT_WRITE : 0), err;
	unsigned char *base;

	h->first_lane = producer ? h->slot : 0;
	h->lanes = producer ? 1 : shmring_lanes(&h->geo);
	if (size > (SIZE_MAX - align) / (maps * h->lanes))
		return -ENOMEM;
	base = shmring_map_room(maps * h->lanes * size, align);
	if (!base)
		return -errno;
	for (k = 0; k < maps * h->lanes; k++) {
		uint64_t lane = h->first_lane + k / maps;
		void *p = mmap(base + k * size, size, prot, MAP_SHARED | MAP_FIXED, h->fd,
			       (off_t)(h->geo.data_offset + lane * size));

		if (p == MAP_FAILED)
			goto err_unmap;
		/* A hint that a kernel without shared huge pages refuses: no loss. */
		if (h->ops->backend == SHMRING_BACKEND_MEMFD && align == SHMRING_HUGE_SIZE &&
		    !(h->geo.flags & SHMRING_CREATE_SMALL))
			madvise(p, size, MADV_HUGEPAGE);
	}
	/* Payload is not for core dumps; the file of a ring without a name would be in them. */
	madvise(base, maps * h->lanes * size, MADV_DONTDUMP);
	h->data = base;
	return 0;

err_unmap:
	err = -errno;
	munmap(base, maps * h->lanes * size);
	return err;
}

static size_t shmring_data_span(const struct shmring_handle *h)
{
	return shmring_maps(&h->geo) * h->lanes * (size_t)h->geo.data_size;
}

void *shmring_data(const struct shmring *r, size_t *bytes)
{
	const struct shmring_handle *h = shmring_handle(r);

	if (bytes)
		*bytes = shmring_data_span(h);
	return h->data;
}

/* Populate DATA: with an error code where the kernel can give one (since 5.14). */
static int shmring_populate(struct shmring_handle *h)
{
	size_t size = shmring_data_span(h);
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
		err = shmring_map_own(h, control_writable);
	if (!err && !h->data)
		err = shmring_map_data(h);
	if (!err)
		err = shmring_populate(h);
	return err;
}

/* DATA alone: the endpoint ends when its last mapping is gone. */
void shmring_unmap_data(struct shmring_handle *h)
{
	if (h->data)
		munmap(h->data, shmring_data_span(h));
	h->data = NULL;
}

void shmring_unmap(struct shmring_handle *h)
{
	shmring_unmap_data(h);
	if (h->own_cursor)
		munmap(h->mine, h->geo.cursor_stride);
	if (h->own_shared)
		munmap(h->shared, h->geo.cursor_stride);
	if (h->control)
		munmap(h->control, h->control_size);
	h->own_cursor = false;
	h->own_shared = false;
	h->mine = NULL;
	h->shared = NULL;
	h->control = NULL;
	free(h->many);
	h->many = NULL;
}

static const struct shmring_out *shmring_choose_out(const struct shmring_ioc_info *geo)
{
	switch (geo->topology) {
	case SHMRING_TOPO_MPSC:
		return &shmring_mpsc_out;
	case SHMRING_TOPO_QUEUE:
		return &shmring_queue_out;
	case SHMRING_TOPO_BROADCAST:
		return geo->full_policy == SHMRING_FULL_OVERWRITE ? &shmring_overwrite_out :
								    &shmring_broadcast_out;
	default:
		return &shmring_pair_out;
	}
}

static int shmring_start_producer(struct shmring_handle *h)
{
	struct shmring_spsc_tx *tx = &h->core.tx;
	int err;

	h->out = shmring_choose_out(&h->geo);
	h->lone = h->geo.topology == SHMRING_TOPO_BROADCAST;
	tx->data = h->data;
	tx->mask = h->geo.data_size - 1;
	tx->fence = !(h->geo.flags & SHMRING_CREATE_SPIN);
	tx->mine = h->mine;
	err = h->out->start(h);
	if (err)
		return err;
	/* The first reservation goes the slow way, which knows if the peer has left. */
	if (!h->lone)
		tx->limit = tx->tail;
	h->core.max_record = h->geo.max_record;
	return 0;
}

static int shmring_start_consumer(struct shmring_handle *h)
{
	if (!shmring_is_group(h->geo.topology)) {
		h->in = &shmring_pair_in;
		return h->in->start(h);
	}
	h->many = calloc(1, sizeof(*h->many));
	if (!h->many)
		return -ENOMEM;
	h->many->away.armed = SHMRING_ARMED_YES;
	h->core.rx.mine = &h->many->away;
	h->core.rx.peer = &h->many->away;
	h->in = h->geo.topology == SHMRING_TOPO_QUEUE ? &shmring_claim_in : &shmring_merge_in;
	return h->in->start(h);
}

/**
 * shmring_start() - set the private state of the role up from what is in the ring
 * @h: handle, mapped
 *
 * A role that the handle does not have, and a consumer that needs more than one look,
 * gets a state that sends every inline function to its slow path.
 */
int shmring_start(struct shmring_handle *h)
{
	int err;

	h->core.rx.data = (const unsigned char *)&shmring_nothing;
	h->core.rx.mask = sizeof(shmring_nothing) - 1;
	h->peers_end = h->geo.slots;
	if (h->mine)
		h->lost = shmring_load(&h->mine->lost);
	if (shmring_is_producer(h)) {
		h->peers = h->geo.producers;
		err = shmring_start_producer(h);
	} else if (shmring_is_consumer(h)) {
		h->peers_end = h->geo.producers;
		err = shmring_start_consumer(h);
	} else {
		return 0;
	}
	if (!err)
		shmring_bias_start(h);
	return err;
}
