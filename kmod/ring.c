// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making and ending a ring: geometry, META, registration. A ring is complete
 * before anybody can find it, and is freed with its last endpoint.
 */
#include <linux/cred.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include "trace.h"

/* Where everything goes in the file. DATA starts where a huge page may. */
static void shmring_ring_layout(struct shmring_ring *ring)
{
	u64 huge = (u64)PAGE_SIZE << SHMRING_HUGE_ORDER;
	u64 align = PAGE_SIZE;

	if (!(ring->flags & SHMRING_CREATE_SMALL) && ring->data_size >= huge)
		align = huge;
	ring->control_size = (u64)PAGE_SIZE * (1 + ring->slots);
	if (ring->producers && ring->topology != SHMRING_TOPO_SPSC) {
		ring->shared_offset = ring->control_size;
		ring->control_size += PAGE_SIZE;
	}
	ring->data_offset = ALIGN(ring->control_size, align);
}

static void shmring_meta_fill(struct shmring_ring *ring)
{
	struct shmring_meta *meta = ring->meta;

	meta->abi = SHMRING_ABI;
	meta->ring_id = ring->id;
	meta->data_size = ring->data_size;
	meta->data_offset = ring->data_offset;
	meta->cursor_offset = PAGE_SIZE;
	meta->cursor_stride = PAGE_SIZE;
	meta->flags = ring->flags;
	meta->topology = ring->topology;
	meta->full_policy = ring->full_policy;
	meta->slots = ring->slots;
	meta->producers = ring->producers;
	meta->consumers = ring->consumers;
	meta->shared_offset = ring->shared_offset;
	meta->features = SHMRING_KNOWS_CPUS ? SHMRING_FEATURE_UNFENCED : 0;
	meta->magic = SHMRING_MAGIC;
}

/* How many endpoints of which kind. Return: 0, or -EINVAL (unknown topologies, too). */
static int shmring_ring_slots(struct shmring_ring *ring, const struct shmring_ioc_create *arg)
{
	u32 most_producers = SHMRING_SLOTS_MAX, most_consumers = SHMRING_SLOTS_MAX;

	switch (arg->topology) {
	case SHMRING_TOPO_RAW:
		if (arg->producers || arg->consumers || arg->slots > SHMRING_SLOTS_MAX)
			return -EINVAL;
		ring->slots = arg->slots ?: 16;
		ring->lanes = 1;
		return 0;
	case SHMRING_TOPO_SPSC:
		most_producers = 1;
		most_consumers = 1;
		break;
	case SHMRING_TOPO_MPSC:
		most_consumers = 1;
		break;
	case SHMRING_TOPO_QUEUE:
	case SHMRING_TOPO_BROADCAST:
		break;
	default:
		return -EINVAL;
	}
	if (arg->producers > most_producers || arg->consumers > most_consumers)
		return -EINVAL;
	ring->producers = arg->producers ?: min(most_producers, 8u);
	ring->consumers = arg->consumers ?: min(most_consumers, 8u);
	ring->slots = ring->producers + ring->consumers;
	ring->lanes = ring->producers;
	if (ring->slots > SHMRING_SLOTS_MAX || (arg->slots && arg->slots != ring->slots))
		return -EINVAL;
	return 0;
}

/* The slot that the creator's role takes in a ring with no endpoints yet. */
static u32 shmring_first_slot(const struct shmring_ring *ring, u32 role)
{
	if (role == SHMRING_ROLE_OBSERVER)
		return SHMRING_NO_SLOT;
	/* Of a RAW ring no slots are producers' alone. */
	return role == SHMRING_ROLE_CONSUMER ? ring->producers : 0;
}

/**
 * shmring_ring_create() - make a ring that nobody can find yet
 * @arg: what the user asked for, checked, but for the slots
 * @data: where DATA is wanted
 * @cursor: where the creator's CURSOR page is wanted
 *
 * Context: process; sleeps; a fatal signal interrupts it.
 * Return: the ring with one reference, or an error pointer: -EINVAL, -ERANGE, -EEXIST, -EDQUOT,
 * -ENOSPC, -ENOMEM, -EINTR.
 */
struct shmring_ring *shmring_ring_create(const struct shmring_ioc_create *arg,
					 const struct shmring_place *data,
					 const struct shmring_place *cursor)
{
	struct shmring_ring *ring;
	int err;

	ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return ERR_PTR(-ENOMEM);

	refcount_set(&ring->refs, 1);
	spin_lock_init(&ring->lock);
	INIT_LIST_HEAD(&ring->endpoints);
	INIT_HLIST_NODE(&ring->name_node);
	ring->place = *data;
	ring->flags = arg->flags;
	ring->topology = arg->topology;
	ring->full_policy = arg->full_policy;
	ring->data_size = roundup_pow_of_two(max_t(u64, arg->data_size, PAGE_SIZE));
	ring->uid = current_fsuid();
	ring->gid = current_fsgid();
	ring->mode = arg->mode;
	memcpy(ring->name, arg->name, sizeof(ring->name));
	err = shmring_ring_slots(ring, arg);
	if (err)
		goto err_free;
	shmring_ring_layout(ring);
	if (ring->data_size * ring->lanes > SHMRING_DATA_MAX) {
		err = -ERANGE;
		goto err_free;
	}

	/* The name first: a taken one is told before memory is sought. */
	err = shmring_register(ring);
	if (err)
		goto err_free;
	err = shmring_memory_alloc(ring, cursor, shmring_first_slot(ring, arg->role));
	if (err)
		goto err_unregister;
	ring->group.meta = ring->meta;
	ring->group.cursor = ring->cursor;
	ring->group.producers = ring->producers;
	ring->group.consumers = ring->consumers;
	shmring_meta_fill(ring);
	trace_shmring_create(ring);
	return ring;

err_unregister:
	shmring_put_and_unregister(ring);	/* unlisted: the reference is the last */
err_free:
	kfree(ring);
	return ERR_PTR(err);
}

/**
 * shmring_ring_put() - drop a reference, and the ring with the last
 * @ring: ring
 *
 * Context: process; sleeps.
 */
void shmring_ring_put(struct shmring_ring *ring)
{
	if (!shmring_put_and_unregister(ring))
		return;
	trace_shmring_destroy(ring);
	shmring_memory_free(ring);
	kfree(ring);
}
