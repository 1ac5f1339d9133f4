// SPDX-License-Identifier: GPL-2.0-only
/*
 * Concurrency Kit's bounded ring with records as its entries (libck-dev).
 */
#include <ck_ring.h>

#include "peers.h"

struct pc_channel {
	struct ck_ring ring;
	size_t bytes;
	char slot[] __attribute__((aligned(128)));
};

#define CK_LOOPS(NAME, ENQUEUE, DEQUEUE)				\
static inline int NAME##_send(struct pc_channel *c, const void *buf, size_t len) \
{									\
	while (!ENQUEUE(&c->ring, c->slot, buf, (unsigned int)len, NULL)) \
		shmring_pause();					\
	return 0;							\
}									\
									\
static inline int NAME##_recv(struct pc_channel *c, void *buf, size_t len) \
{									\
	while (!DEQUEUE(&c->ring, c->slot, buf, (unsigned int)len))	\
		shmring_pause();					\
	return 0;							\
}									\
									\
PC_LOOPS(NAME)

CK_LOOPS(ck_spsc, _ck_ring_enqueue_sp, _ck_ring_dequeue_sc)
CK_LOOPS(ck_mpmc, _ck_ring_enqueue_mp, _ck_ring_dequeue_mc)

static int ck_make(const struct pc_shape *shape, struct pc_channel **out)
{
	uint64_t slots = peer_slots(shape);
	size_t bytes = sizeof(**out) + slots * shape->len;
	struct pc_channel *c = peer_map(bytes);

	if (!c)
		return -errno;
	ck_ring_init(&c->ring, (unsigned int)slots);
	c->bytes = bytes;
	*out = c;
	return 0;
}

static void ck_destroy(struct pc_channel *c)
{
	munmap(c, c->bytes);
}

#define CK_CONTENDER(NAME, TITLE, WHAT)		\
const struct pc_contender peer_##NAME = {	\
	.name = TITLE,				\
	.what = WHAT,				\
	.spins = true,				\
	.available = peer_ready,		\
	.make = ck_make,			\
	.destroy = ck_destroy,			\
	.join = peer_join,			\
	.leave = peer_leave,			\
	.produce = NAME##_produce,		\
	.consume = NAME##_consume,		\
	.client = NAME##_client,		\
	.server = NAME##_server,		\
}

CK_CONTENDER(ck_spsc, "ck-ring-spsc", "Concurrency Kit ck_ring, one producer, one consumer");
CK_CONTENDER(ck_mpmc, "ck-ring-mpmc", "Concurrency Kit ck_ring, many producers and consumers");
