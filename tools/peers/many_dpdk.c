// SPDX-License-Identifier: GPL-2.0-only
/*
 * DPDK's rte_ring (libdpdk-dev) with several producers and consumers, in memory of ours;
 * records are entries of the ring.
 */
#include <rte_ring.h>

#include "many.h"

struct many_channel {
	size_t bytes;
	struct rte_ring ring __attribute__((aligned(128)));
};

static inline __attribute__((always_inline))
long rte_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	return rte_ring_enqueue_burst_elem(&c->ring, buf, (unsigned int)len, n, NULL);
}

static inline __attribute__((always_inline))
long rte_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	return rte_ring_dequeue_burst_elem(&c->ring, buf, (unsigned int)len, n, NULL);
}

MANY_LOOPS(rte)

static const char *rte_unfit(const struct many_shape *shape)
{
	return shape->len % 4 ? "its entries are multiples of 4 bytes" : NULL;
}

static const char *rte_one_unfit(const struct many_shape *shape)
{
	if (shape->producers > 1 && shape->consumers > 1)
		return "there are several of both";
	return rte_unfit(shape);
}

static int make(const struct many_shape *shape, unsigned int flags, struct many_channel **out)
{
	uint32_t slots = (uint32_t)many_slots(shape);
	ssize_t ring = rte_ring_get_memsize_elem((unsigned int)shape->len, slots);
	struct many_channel *c;
	size_t bytes;
	int err;

	if (ring < 0)
		return (int)ring;
	bytes = offsetof(struct many_channel, ring) + (size_t)ring;
	c = peer_map(bytes);
	if (!c)
		return -errno;
	err = rte_ring_init(&c->ring, "bench", slots, flags);
	if (err) {
		munmap(c, bytes);
		return err;
	}
	c->bytes = bytes;
	*out = c;
	return 0;
}

static void rte_destroy(struct many_channel *c)
{
	munmap(c, c->bytes);
}

static unsigned int one(const struct many_shape *shape)
{
	return shape->consumers == 1 ? RING_F_SC_DEQ : RING_F_SP_ENQ;
}

#define RTE_CONTENDER(NAME, TITLE, WHAT, UNFIT, FLAGS)			\
static int NAME##_make(const struct many_shape *shape, struct many_channel **out)	\
{									\
	return make(shape, FLAGS, out);					\
}									\
									\
const struct many_contender many_##NAME = {				\
	.name = TITLE,							\
	.what = WHAT,							\
	.available = peer_ready,					\
	.unfit = UNFIT,							\
	.make = NAME##_make,						\
	.destroy = rte_destroy,						\
	.join = many_join_nothing,					\
	.leave = many_leave_nothing,					\
	.produce = rte_produce,						\
	.consume = rte_consume,						\
}

RTE_CONTENDER(rte, "rte_ring-mpmc", "DPDK rte_ring, many producers and consumers", rte_unfit, 0);
RTE_CONTENDER(rte_one, "rte_ring-one", "DPDK rte_ring, one consumer, or else one producer",
	      rte_one_unfit, one(shape));
RTE_CONTENDER(rte_rts, "rte_ring-rts", "DPDK rte_ring, many of each, relaxed tail", rte_unfit,
	      RING_F_MP_RTS_ENQ | RING_F_MC_RTS_DEQ);
RTE_CONTENDER(rte_hts, "rte_ring-hts", "DPDK rte_ring, many of each, serialized head and tail",
	      rte_unfit, RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ);
