// SPDX-License-Identifier: GPL-2.0-only
/*
 * DPDK's rte_ring (libdpdk-dev) in memory of ours, so without its environment layer
 * and its huge pages.
 *
 * Records up to 64 bytes are entries of the ring. Longer ones lie in slots beside it
 * and their numbers go through the ring, as rings of pointers are used. There are as
 * many more slots than entries as can be in the hands of both sides, so a slot that is
 * filled again was read before.
 */
#include <rte_ring.h>

#include "peers.h"

#define BY_VALUE	64

struct pc_channel {
	uint32_t slots;
	uint32_t next;		/* the producer's */
	size_t bytes;
	char *slot;
	struct rte_ring ring __attribute__((aligned(128)));
};

static inline __attribute__((always_inline))
long rte_send_some(struct pc_channel *c, const void *buf, size_t len, unsigned int n)
{
	uint64_t index[PC_BATCH];
	unsigned int i, did;

	if (len <= BY_VALUE) {
		while (!(did = rte_ring_enqueue_burst_elem(&c->ring, buf, (unsigned int)len, n,
							   NULL)))
			shmring_pause();
		return did;
	}
	for (i = 0; i < n; i++) {
		index[i] = c->next;
		memcpy(c->slot + index[i] * len, (const char *)buf + i * len, len);
		if (++c->next == c->slots)
			c->next = 0;
	}
	for (i = 0; i < n; i += did)
		while (!(did = rte_ring_enqueue_burst_elem(&c->ring, index + i, sizeof(*index),
							   n - i, NULL)))
			shmring_pause();
	return n;
}

static inline __attribute__((always_inline))
long rte_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n)
{
	uint64_t index[PC_BATCH];
	unsigned int i, did;

	if (len <= BY_VALUE) {
		while (!(did = rte_ring_dequeue_burst_elem(&c->ring, buf, (unsigned int)len, n,
							   NULL)))
			shmring_pause();
		return did;
	}
	while (!(did = rte_ring_dequeue_burst_elem(&c->ring, index, sizeof(*index), n, NULL)))
		shmring_pause();
	for (i = 0; i < did; i++)
		memcpy((char *)buf + i * len, c->slot + index[i] * len, len);
	return did;
}

static inline int rte_send(struct pc_channel *c, const void *buf, size_t len)
{
	rte_send_some(c, buf, len, 1);
	return 0;
}

static inline int rte_recv(struct pc_channel *c, void *buf, size_t len)
{
	rte_recv_some(c, buf, len, 1);
	return 0;
}

PC_LOOPS(rte)
PC_BATCH_LOOPS(rte)

/* An entry is a multiple of 4 bytes. */
static const char *rte_unfit(const struct pc_shape *shape)
{
	return shape->len % 4 ? "its entries are multiples of 4 bytes" : NULL;
}

static int make(const struct pc_shape *shape, unsigned int flags, struct pc_channel **out)
{
	size_t entry = shape->len <= BY_VALUE ? shape->len : sizeof(uint64_t);
	uint32_t slots = (uint32_t)peer_slots(shape);
	ssize_t ring = rte_ring_get_memsize_elem((unsigned int)entry, slots);
	size_t head = offsetof(struct pc_channel, ring), bytes;
	uint32_t hands = 2 * shape->batch + 1;
	struct pc_channel *c;
	int err;

	if (ring < 0)
		return (int)ring;
	bytes = head + (size_t)ring;
	if (entry != shape->len)
		bytes += (slots + hands) * shape->len;
	c = peer_map(bytes);
	if (!c)
		return -errno;
	err = rte_ring_init(&c->ring, "bench", slots, flags);
	if (err) {
		munmap(c, bytes);
		return err;
	}
	c->slots = slots + hands;
	c->bytes = bytes;
	c->slot = (char *)c + head + ring;
	*out = c;
	return 0;
}

static void rte_destroy(struct pc_channel *c)
{
	munmap(c, c->bytes);
}

#define RTE_CONTENDER(NAME, TITLE, WHAT, FLAGS)				\
static int NAME##_make(const struct pc_shape *shape, struct pc_channel **out) \
{									\
	return make(shape, FLAGS, out);					\
}									\
									\
const struct pc_contender peer_##NAME = {				\
	.name = TITLE,							\
	.what = WHAT,							\
	.spins = true,							\
	.available = peer_ready,					\
	.unfit = rte_unfit,						\
	.make = NAME##_make,						\
	.destroy = rte_destroy,						\
	.join = peer_join,						\
	.leave = peer_leave,						\
	.produce = rte_produce,						\
	.consume = rte_consume,						\
	.produce_batch = rte_produce_batch,				\
	.consume_batch = rte_consume_batch,				\
	.client = rte_client,						\
	.server = rte_server,						\
}

RTE_CONTENDER(rte_spsc, "rte_ring-spsc", "DPDK rte_ring, one producer, one consumer",
	      RING_F_SP_ENQ | RING_F_SC_DEQ);
RTE_CONTENDER(rte_mpmc, "rte_ring-mpmc", "DPDK rte_ring, many producers and consumers", 0);
RTE_CONTENDER(rte_hts, "rte_ring-hts", "DPDK rte_ring, many of each, serialized head and tail",
	      RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ);
