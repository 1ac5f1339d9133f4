// SPDX-License-Identifier: GPL-2.0-only
/*
 * Concurrency Kit's bounded ring (libck-dev) with several producers and consumers;
 * records are its entries. It has no call for batches.
 */
#include <ck_ring.h>

#include "many.h"

struct many_channel {
	struct ck_ring ring;
	size_t bytes;
	bool one_consumer;
	char slot[] __attribute__((aligned(128)));
};

static inline __attribute__((always_inline))
long ck_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	(void)n;
	return _ck_ring_enqueue_mp(&c->ring, c->slot, buf, (unsigned int)len, NULL);
}

static inline __attribute__((always_inline))
long ck_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	(void)n;
	return _ck_ring_dequeue_mc(&c->ring, c->slot, buf, (unsigned int)len);
}

static inline __attribute__((always_inline))
long ck_one_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	(void)n;
	return c->one_consumer ?
	       _ck_ring_enqueue_mp(&c->ring, c->slot, buf, (unsigned int)len, NULL) :
	       _ck_ring_enqueue_sp(&c->ring, c->slot, buf, (unsigned int)len, NULL);
}

static inline __attribute__((always_inline))
long ck_one_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	(void)n;
	return c->one_consumer ?
	       _ck_ring_dequeue_sc(&c->ring, c->slot, buf, (unsigned int)len) :
	       _ck_ring_dequeue_mc(&c->ring, c->slot, buf, (unsigned int)len);
}

MANY_LOOPS(ck)
MANY_LOOPS(ck_one)

static const char *ck_unfit(const struct many_shape *shape)
{
	return shape->batch > 1 ? "it has no call for batches" : NULL;
}

static const char *ck_one_unfit(const struct many_shape *shape)
{
	if (shape->producers > 1 && shape->consumers > 1)
		return "there are several of both";
	return ck_unfit(shape);
}

static int ck_make(const struct many_shape *shape, struct many_channel **out)
{
	uint64_t slots = many_slots(shape);
	size_t bytes = sizeof(**out) + slots * shape->len;
	struct many_channel *c = peer_map(bytes);

	if (!c)
		return -errno;
	ck_ring_init(&c->ring, (unsigned int)slots);
	c->bytes = bytes;
	c->one_consumer = shape->consumers == 1;
	*out = c;
	return 0;
}

static void ck_destroy(struct many_channel *c)
{
	munmap(c, c->bytes);
}

#define CK_CONTENDER(NAME, TITLE, WHAT)		\
const struct many_contender many_##NAME = {	\
	.name = TITLE,				\
	.what = WHAT,				\
	.available = peer_ready,		\
	.unfit = NAME##_unfit,			\
	.make = ck_make,			\
	.destroy = ck_destroy,			\
	.join = many_join_nothing,		\
	.leave = many_leave_nothing,		\
	.produce = NAME##_produce,		\
	.consume = NAME##_consume,		\
}

CK_CONTENDER(ck, "ck-ring-mpmc", "Concurrency Kit ck_ring, many producers and consumers");
CK_CONTENDER(ck_one, "ck-ring-one", "Concurrency Kit ck_ring, one consumer, or else one producer");
