// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a ring is, told to programs (INFO, LIST) and to people (fdinfo).
 */
#include <linux/cred.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>
#include <shmring/broadcast.h>
#include <shmring/queue.h>

#include "shmring.h"

static const char *shmring_topology_name(u32 topology)
{
	static const char *const names[] = {
		[SHMRING_TOPO_SPSC] = "spsc",
		[SHMRING_TOPO_MPSC] = "mpsc",
		[SHMRING_TOPO_QUEUE] = "queue",
		[SHMRING_TOPO_BROADCAST] = "broadcast",
		[SHMRING_TOPO_RAW] = "raw",
	};

	return names[topology];
}

static const char *shmring_policy_name(u32 policy)
{
	static const char *const names[] = {
		[SHMRING_FULL_WAIT] = "wait",
		[SHMRING_FULL_DROP_NEWEST] = "drop-newest",
		[SHMRING_FULL_OVERWRITE] = "overwrite",
	};

	return names[policy];
}

/* How far a lane's records have been released. Under ring->lock. */
static u64 shmring_lane_consumed(const struct shmring_ring *ring, u32 lane, u64 told)
{
	const struct shmring_cursor *consumer = ring->cursor[ring->producers];
	u64 gate;

	switch (ring->topology) {
	case SHMRING_TOPO_SPSC:
		return READ_ONCE(consumer->pos);
	case SHMRING_TOPO_MPSC:
		return READ_ONCE(consumer->lane[lane].pos);
	case SHMRING_TOPO_QUEUE:
		/* What is claimed is in the ring until it is released. The count stands still. */
		return shmring_queue_gate(&ring->group, lane, &gate) ? 0 : gate;
	default:
		shmring_broadcast_gate(&ring->group, lane, told, &gate);
		return gate;
	}
}

/* What endpoints tell of what they did. Under ring->lock. */
static void shmring_info_counts(const struct shmring_ring *ring, struct shmring_ioc_info *info)
{
	u32 i;

	for (i = 0; i < ring->producers; i++) {
		u64 told = READ_ONCE(ring->cursor[i]->pos);
		u64 consumed = shmring_lane_consumed(ring, i, told);
		u64 produced = shmring_spsc_produced(told, consumed, ring->data_size);

		if (ring->full_policy == SHMRING_FULL_OVERWRITE)
			consumed = shmring_overwrite_left(ring->cursor[i], consumed, produced,
							  ring->data_size);
		info->produced += produced;
		info->consumed += consumed;
	}
	for (i = 0; i < ring->producers + ring->consumers; i++)
		info->lost += READ_ONCE(ring->cursor[i]->lost);
}

/**
 * shmring_info() - describe a ring
 * @ring: ring
 * @ep: the endpoint that asks, or NULL for a caller who is none
 * @info: out; @info->size is left alone
 */
void shmring_info(struct shmring_ring *ring, const struct shmring_endpoint *ep,
		  struct shmring_ioc_info *info)
{
	u32 size = info->size;

	memset(info, 0, sizeof(*info));
	info->size = size;
	info->flags = ring->flags;
	info->ring_id = ring->id;
	info->topology = ring->topology;
	info->full_policy = ring->full_policy;
	info->role = ep ? ep->role : 0;
	info->slot = ep ? ep->slot : SHMRING_NO_SLOT;
	info->slots = ring->slots;
	info->producers = ring->producers;
	info->consumers = ring->consumers;
	info->rights = ep ? ep->rights : shmring_rights(ring);
	info->control_size = ring->control_size;
	info->cursor_offset = PAGE_SIZE;
	info->cursor_stride = PAGE_SIZE;
	info->shared_offset = ring->shared_offset;
	info->data_offset = ring->data_offset;
	info->data_size = ring->data_size;
	info->data_page_size = ring->data_page_size;
	info->placement = ring->place.placement;
	info->data_node = ring->data_node;
	info->meta_node = shmring_node_of(ring->meta);
	info->mode = ring->mode;
	info->uid = from_kuid_munged(current_user_ns(), ring->uid);
	info->gid = from_kgid_munged(current_user_ns(), ring->gid);
	memcpy(info->name, ring->name, sizeof(info->name));
	if (ring->full_policy == SHMRING_FULL_OVERWRITE)
		info->max_record = shmring_overwrite_max(ring->data_size);
	else if (ring->producers)
		info->max_record = shmring_record_max(ring->data_size);

	spin_lock(&ring->lock);
	info->observers = ring->observers;
	info->slots_live = ring->slots_live;
	info->cursor_node = info->slot == SHMRING_NO_SLOT ? NUMA_NO_NODE :
			    shmring_node_of(ring->cursor[info->slot]);
	shmring_info_counts(ring, info);
	spin_unlock(&ring->lock);
}

static const char *shmring_placement_name(u32 placement)
{
	static const char *const names[] = {
		[SHMRING_PLACE_LOCAL] = "local",
		[SHMRING_PLACE_STRICT] = "strict",
		[SHMRING_PLACE_PREFERRED] = "preferred",
		[SHMRING_PLACE_INTERLEAVE] = "interleave",
	};

	return names[placement];
}

/* What an endpoint tells of itself, and what was seen of its slot. */
static void shmring_show_counters(struct seq_file *m, const struct shmring_endpoint *ep,
				  struct shmring_ring *ring)
{
	struct shmring_witness witness;
	struct shmring_cursor *cursor;
	u64 records, stalls, high;

	if (ep->slot == SHMRING_NO_SLOT)
		return;
	spin_lock(&ring->lock);
	witness = *shmring_witness_of(ep, ring);
	cursor = ring->cursor[ep->slot];
	records = READ_ONCE(cursor->records);
	stalls = READ_ONCE(cursor->stalls);
	high = READ_ONCE(cursor->high);
	spin_unlock(&ring->lock);
	seq_printf(m, "shmring-records:\t%llu\n", records);
	seq_printf(m, "shmring-stalls:\t%llu\n", stalls);
	seq_printf(m, "shmring-high:\t%llu\n", high);
	seq_printf(m, "shmring-waits:\t%llu\n", witness.waits);
	seq_printf(m, "shmring-wakes:\t%llu\n", witness.wakes);
	seq_printf(m, "shmring-spurious:\t%llu\n", witness.spurious);
	seq_printf(m, "shmring-kicks:\t%llu\n", witness.kicks);
	seq_printf(m, "shmring-kicks-idle:\t%llu\n", witness.kicks_idle);
}

/**
 * shmring_show_fdinfo() - /proc/PID/fdinfo/FD
 * @m: where to
 * @file: file of /dev/shmring
 */
void shmring_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct shmring_endpoint *ep = file->private_data;
	struct shmring_ring *ring = shmring_ring_of(ep);
	struct shmring_ioc_info info = { };

	if (!ring) {
		seq_puts(m, "shmring-id:\tunbound\n");
		return;
	}
	shmring_info(ring, ep, &info);
	seq_printf(m, "shmring-id:\t%llu\n", info.ring_id);
	seq_printf(m, "shmring-name:\t%s\n", ring->name);
	seq_printf(m, "shmring-topology:\t%s\n", shmring_topology_name(info.topology));
	seq_printf(m, "shmring-full-policy:\t%s\n", shmring_policy_name(info.full_policy));
	seq_printf(m, "shmring-role:\t%s\n",
		   info.role == SHMRING_ROLE_PRODUCER ? "producer" :
		   info.role == SHMRING_ROLE_CONSUMER ? "consumer" :
		   info.role == SHMRING_ROLE_OBSERVER ? "observer" : "producer,consumer");
	seq_printf(m, "shmring-slot:\t%d\n", (s32)info.slot);
	seq_printf(m, "shmring-data-size:\t%llu\n", info.data_size);
	seq_printf(m, "shmring-placement:\t%s\n", shmring_placement_name(info.placement));
	seq_printf(m, "shmring-data-node:\t%d\n", info.data_node);
	seq_printf(m, "shmring-data-page-size:\t%llu\n", info.data_page_size);
	seq_printf(m, "shmring-cursor-node:\t%d\n", info.cursor_node);
	seq_printf(m, "shmring-meta-node:\t%d\n", info.meta_node);
	seq_printf(m, "shmring-produced:\t%llu\n", info.produced);
	seq_printf(m, "shmring-consumed:\t%llu\n", info.consumed);
	seq_printf(m, "shmring-lost:\t%llu\n", info.lost);
	shmring_show_counters(m, ep, ring);
}
