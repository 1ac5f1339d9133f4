/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Endpoints of rings with many, and the ring core on top of them: what a library does,
 * in as few lines as a test can do with.
 */
#ifndef GROUP_H
#define GROUP_H

#include "shmring_test.h"
#include <shmring/broadcast.h>
#include <shmring/queue.h>

#define MPSC		SHMRING_TOPO_MPSC
#define QUEUE		SHMRING_TOPO_QUEUE
#define BROADCAST	SHMRING_TOPO_BROADCAST

#define IN	SHMRING_EV_IN
#define OUT	SHMRING_EV_OUT
#define PEER	SHMRING_EV_PEER
#define NOW	SHMRING_DEADLINE_NOW
#define NEVER	SHMRING_DEADLINE_NEVER

struct member {
	int fd;
	struct shmring_ioc_info info;
	const struct shmring_meta *meta;
	struct shmring_cursor *cursor[SHMRING_SLOTS_MAX];	/* own: writable */
	struct shmring_cursor *mine;
	struct shmring_shared *shared;
	unsigned char *lane[SHMRING_SLOTS_MAX];			/* each twice in a row */
	struct shmring_group g;
	union {
		struct shmring_spsc_tx tx;
		struct shmring_merge merge;
		struct shmring_claims claims;
	};
};

/* A ring of records, without endpoints but the observer that is returned; or -errno. */
HELPER int group_create(__u32 topology, __u32 policy, __u32 producers, __u32 consumers)
{
	struct shmring_ioc_create arg = create_args(topology, OBSERVER, 4096);

	arg.full_policy = policy;
	arg.producers = producers;
	arg.consumers = consumers;
	return ring_create_with(&arg);
}

HELPER off_t cursor_offset(const struct shmring_ioc_info *info, __u32 slot)
{
	return (off_t)(info->cursor_offset + slot * info->cursor_stride);
}

HELPER off_t lane_offset(const struct shmring_ioc_info *info, __u32 lane)
{
	return (off_t)(info->data_offset + lane * info->data_size);
}

HELPER bool writes_shared(const struct shmring_ioc_info *info)
{
	return info->role == (info->topology == QUEUE ? CONSUMER : PRODUCER);
}

HELPER void *map_twice(int fd, size_t size, int prot, off_t offset)
{
	char *p = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    mmap(p, size, prot, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED ||
	    mmap(p + size, size, prot, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED)
		return NULL;
	return p;
}

/* Others say where it is: a core that is given no position of a record may fault (aarch64). */
HELPER bool is_position(__u64 pos)
{
	if (!(pos % SHMRING_REC_ALIGN))
		return true;
	errno = EPROTO;
	return false;
}

HELPER bool member_start_tx(struct member *m)
{
	struct shmring_spsc_tx *tx = &m->tx;
	__u32 lane = m->info.slot;
	__u64 pos;

	tx->data = m->lane[lane];
	tx->mask = m->info.data_size - 1;
	tx->fence = 1;
	tx->chain = m->info.topology == QUEUE ? 0 : SHMRING_REC_CHAIN;
	tx->mine = m->mine;
	switch (m->info.topology) {
	case MPSC:
		pos = shmring_load(&m->cursor[m->g.producers]->lane[lane].pos);
		if (!is_position(pos))
			return false;
		shmring_lane_recover(tx, pos);
		return true;
	case QUEUE:
		shmring_queue_recover(tx, &m->g);
		return true;
	default:
		shmring_broadcast_recover(tx, m->info.full_policy == SHMRING_FULL_OVERWRITE);
		return true;
	}
}

HELPER bool member_start_merge(struct member *m)
{
	struct shmring_merge *merge = &m->merge;

	merge->g = m->g;
	merge->mine = m->mine;
	merge->mask = m->info.data_size - 1;
	merge->last = SHMRING_NO_LANE;
	merge->first = SHMRING_NO_LANE;
	merge->tickets = m->g.producers > 1;
	merge->fence = 1;
	merge->overwrite = m->info.full_policy == SHMRING_FULL_OVERWRITE;
	merge->rejoin = m->info.topology == BROADCAST;
	for (__u32 l = 0; l < m->g.producers; l++) {
		merge->lane[l].data = m->lane[l];
		merge->lane[l].generation = m->meta->slot[l].generation;
		merge->lane[l].done = shmring_load(&m->mine->lane[l].pos);
		if (m->info.topology == BROADCAST)	/* the producer's say */
			merge->lane[l].done &= ~(__u64)(SHMRING_REC_ALIGN - 1);
		else if (!is_position(merge->lane[l].done))
			return false;
		merge->lane[l].head = merge->lane[l].done;
	}
	shmring_merge_join(merge);
	return true;
}

HELPER void member_start_claims(struct member *m)
{
	struct shmring_claims *c = &m->claims;

	c->g = m->g;
	c->mine = m->mine;
	c->mask = m->info.data_size - 1;
	c->fence = 1;
	for (__u32 l = 0; l < m->g.producers; l++)
		c->data[l] = m->lane[l];
}

/* Map what @fd may have and begin. False: see errno. */
HELPER bool member_start(struct member *m, int fd)
{
	__u32 role;
	char *p;

	memset(m, 0, sizeof(*m));
	m->fd = fd;
	if (fd < 0 || ring_info(fd, &m->info))
		return false;
	role = m->info.role;
	p = mmap(NULL, (size_t)m->info.control_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return false;
	m->meta = (void *)p;
	m->shared = (void *)(p + m->info.shared_offset);
	for (__u32 s = 0; s < m->info.slots; s++)
		m->cursor[s] = (void *)(p + cursor_offset(&m->info, s));
	if (role != OBSERVER) {
		m->mine = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			       cursor_offset(&m->info, m->info.slot));
		m->cursor[m->info.slot] = m->mine;
	}
	if (writes_shared(&m->info))
		m->shared = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				 (off_t)m->info.shared_offset);
	if (m->mine == MAP_FAILED || m->shared == MAP_FAILED)
		return false;
	for (__u32 l = 0; l < m->info.producers; l++) {
		bool own = role == PRODUCER && l == m->info.slot;

		/* Who may only write has its own. */
		if (role == PRODUCER && !own && !(m->info.rights & 4))
			continue;
		m->lane[l] = map_twice(fd, (size_t)m->info.data_size,
				       PROT_READ | (own ? PROT_WRITE : 0),
				       lane_offset(&m->info, l));
		if (!m->lane[l])
			return false;
	}
	m->g = (struct shmring_group) {
		.meta = m->meta,
		.cursor = m->cursor,
		.shared = m->shared,
		.peers = role == PRODUCER ? &m->meta->rx_state : &m->meta->tx_state,
		.producers = m->info.producers,
		.consumers = m->info.consumers,
		.slot = m->info.slot,
	};
	if (role == PRODUCER)
		return member_start_tx(m);
	if (role == CONSUMER && m->info.topology != QUEUE)
		return member_start_merge(m);
	if (role == CONSUMER)
		member_start_claims(m);
	return true;
}

HELPER bool member_attach(struct member *m, __u32 role, int via)
{
	return member_start(m, ring_attach_fd(role, via));
}

/* Close the endpoint: a file lives as long as it is mapped. */
HELPER void member_close(struct member *m)
{
	size_t page = page_size();

	for (__u32 l = 0; l < m->info.producers; l++)
		if (m->lane[l])
			munmap(m->lane[l], 2 * (size_t)m->info.data_size);
	if (m->mine)
		munmap(m->mine, page);
	if (writes_shared(&m->info))
		munmap(m->shared, page);
	munmap((void *)(uintptr_t)m->meta, (size_t)m->info.control_size);
	close(m->fd);
}

/* Look at the other side's positions again: 0 or -EPROTO. */
HELPER int member_refresh(struct member *m)
{
	switch (m->info.topology) {
	case MPSC:
		return shmring_mpsc_refresh(&m->tx, &m->g);
	case QUEUE:
		return shmring_queue_refresh(&m->tx, &m->g);
	default:
		shmring_broadcast_refresh(&m->tx, &m->g);
		return 0;
	}
}

/* Put a record of @len bytes, all @fill, and do not publish: 0, -EAGAIN, -EPROTO. */
HELPER int member_put(struct member *m, size_t len, int fill)
{
	void *to = shmring_spsc_reserve(&m->tx, len);

	if (!to && m->info.full_policy == SHMRING_FULL_OVERWRITE) {
		shmring_overwrite_advance(&m->tx, len);
		to = shmring_spsc_reserve(&m->tx, len);
	} else if (!to) {
		int err = member_refresh(m);

		if (err)
			return err;
		to = shmring_spsc_reserve(&m->tx, len);
	}
	if (!to) {
		shmring_store(&m->mine->want, shmring_record_size(len));
		return -EAGAIN;
	}
	memset(to, fill, len);
	shmring_spsc_put(&m->tx, len);
	return 0;
}

/* As above, and publish. Return: whether a consumer asked to be kicked, or -errno. */
HELPER int member_send_quietly(struct member *m, size_t len, int fill)
{
	int err = member_put(m, len, fill), changed;

	if (err)
		return err;
	if (!shmring_lane_publish(&m->tx, &m->g, m->tx.chain != 0))
		return 0;
	return shmring_group_armed(&m->g, &changed) != 0;
}

/* As above, and kick. 0 or -errno. */
HELPER int member_send(struct member *m, size_t len, int fill)
{
	int ret = member_send_quietly(m, len, fill);

	return ret > 0 ? ring_kick(m->fd) : ret;
}

HELPER int member_release(struct member *m)
{
	struct shmring_group *g = m->info.topology == QUEUE ? &m->claims.g : &m->merge.g;
	int changed, ret;

	ret = m->info.topology == QUEUE ? shmring_claim_release(&m->claims) :
					  shmring_merge_release(&m->merge);
	return ret && shmring_group_armed(g, &changed) ? ring_kick(m->fd) : 0;
}

/* Deliver a record and keep it: its first byte, or -errno. */
HELPER int member_get(struct member *m)
{
	const void *from = "";
	long len;
	int ret;

	if (m->info.topology == QUEUE) {
		shmring_claim_join(&m->claims);
		ret = shmring_claim(&m->claims, 1);
		if (shmring_claim_withdrawn(&m->claims))
			ring_kick(m->fd);
		if (ret)
			return ret;
		len = shmring_claim_peek(&m->claims, &from);
		if (len >= 0)
			shmring_claim_next(&m->claims, len);
	} else {
		shmring_merge_join(&m->merge);
		len = shmring_merge_peek(&m->merge, &from);
		if (shmring_merge_skipped(&m->merge))
			ring_kick(m->fd);
		if (len >= 0)
			shmring_merge_next(&m->merge, len);
	}
	return len < 0 ? (int)len : *(const unsigned char *)from;
}

/* Receive a record: its first byte, or -errno. */
HELPER int member_take(struct member *m)
{
	int ret = member_get(m), err;

	if (ret < 0)
		return ret;
	err = member_release(m);
	return err ? err : ret;
}

HELPER int ring_adopt(int fd, struct shmring_ioc_adopt *arg, __u32 op)
{
	arg->size = sizeof(*arg);
	arg->op = op;
	return dev_ioctl(fd, SHMRING_IOC_ADOPT, arg);
}

HELPER int ring_wait_records(int fd, __u64 need, __u64 records, __u64 deadline)
{
	struct shmring_ioc_wait arg = {
		.size = sizeof(arg),
		.events = IN,
		.need = need,
		.need_records = records,
		.deadline = deadline,
	};
	int err = dev_ioctl(fd, SHMRING_IOC_WAIT, &arg);

	return err ? err : (int)arg.revents;
}

HELPER bool in_state(__u64 state, __u32 slot)
{
	return state >> slot & 1;
}

#endif /* GROUP_H */
