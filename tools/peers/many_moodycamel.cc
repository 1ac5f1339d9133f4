// SPDX-License-Identifier: GPL-2.0-only
/*
 * moodycamel's ConcurrentQueue (libconcurrentqueue-dev) with several producers and
 * consumers. It is made for threads; here its blocks and its tokens are in memory that
 * all processes have at the same address before they are made, and only the calls that
 * never allocate are used.
 */
#include <cstdlib>
#include <new>

#include <concurrentqueue/concurrentqueue.h>

#include "many.h"

/* Where the next block comes from; set while a queue is made. */
static char *arena, *arena_end;

static void *arena_take(size_t bytes)
{
	void *p = arena;

	bytes = (bytes + 127) & ~(size_t)127;
	if (bytes > (size_t)(arena_end - arena))
		return NULL;
	arena += bytes;
	return p;
}

template<size_t LEN>
struct record {
	uint64_t word[LEN / 8];
};

/* Named: the other user of this queue in this program has traits of its own. */
struct many_traits : public moodycamel::ConcurrentQueueDefaultTraits {
	static const size_t EXPLICIT_INITIAL_INDEX_SIZE = 4096;
	static void *malloc(size_t bytes) { return arena_take(bytes); }
	static void free(void *p) { (void)p; }	/* the whole arena is unmapped at once */
};

template<size_t LEN>
using cq = moodycamel::ConcurrentQueue<record<LEN>, many_traits>;

struct many_channel {
	char *memory;
	size_t bytes;
	void *queue;
	void *out[MANY_EACH];
	void *in[MANY_EACH];
	unsigned int who;
};

#define BY_TYPE(len, call)			\
	switch (len) {				\
	case 8: { enum { N = 8 }; call; }	\
	case 64: { enum { N = 64 }; call; }	\
	case 256: { enum { N = 256 }; call; }	\
	case 1024: { enum { N = 1024 }; call; }	\
	}

#define Q	(static_cast<cq<N> *>(c->queue))
#define TO	(*static_cast<moodycamel::ProducerToken *>(c->out[c->who]))
#define FROM	(*static_cast<moodycamel::ConsumerToken *>(c->in[c->who]))
#define IN(buf)	(static_cast<const record<N> *>(buf))
#define OUT(buf) (static_cast<record<N> *>(buf))

static inline __attribute__((always_inline))
long cq_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	if (n == 1)
		BY_TYPE(len, return Q->try_enqueue(TO, *IN(buf)));
	BY_TYPE(len, return Q->try_enqueue_bulk(TO, IN(buf), n) ? n : 0);
	return -EINVAL;
}

static inline __attribute__((always_inline))
long cq_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	if (n == 1)
		BY_TYPE(len, return Q->try_dequeue(FROM, *OUT(buf)));
	BY_TYPE(len, return (long)Q->try_dequeue_bulk(FROM, OUT(buf), n));
	return -EINVAL;
}

MANY_LOOPS(cq)

static const char *cq_unfit(const struct many_shape *shape)
{
	BY_TYPE(shape->len, return NULL);
	return "the length is part of its type, here 8, 64, 256 or 1024";
}

template<size_t N>
static void construct(struct many_channel *c, const struct many_shape *shape)
{
	unsigned int i;

	c->queue = arena_take(sizeof(cq<N>));
	new (c->queue) cq<N>(many_slots(shape), shape->producers, 0);
	for (i = 0; i < shape->producers; i++) {
		c->out[i] = arena_take(sizeof(moodycamel::ProducerToken));
		new (c->out[i]) moodycamel::ProducerToken(*Q);
	}
	for (i = 0; i < shape->consumers; i++) {
		c->in[i] = arena_take(sizeof(moodycamel::ConsumerToken));
		new (c->in[i]) moodycamel::ConsumerToken(*Q);
	}
}

static int cq_make(const struct many_shape *shape, struct many_channel **out)
{
	struct many_channel *c = static_cast<struct many_channel *>(calloc(1, sizeof(*c)));

	if (!c)
		return -ENOMEM;
	/* Headers of blocks and an index for each producer besides. */
	c->bytes = 4 * shape->ring_bytes + (1 << 20) * (1 + shape->producers);
	c->memory = static_cast<char *>(peer_map(c->bytes));
	if (!c->memory) {
		free(c);
		return -errno;
	}
	arena = c->memory;
	arena_end = arena + c->bytes;
	try {
		BY_TYPE(shape->len, construct<N>(c, shape); break);
	} catch (const std::bad_alloc &e) {
		munmap(c->memory, c->bytes);
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

/* Nothing in it lives anywhere else, so no destructor is missed. */
static void cq_destroy(struct many_channel *c)
{
	munmap(c->memory, c->bytes);
	free(c);
}

static int cq_join(struct many_channel *c, bool producer, unsigned int who)
{
	(void)producer;
	c->who = who;
	return 0;
}

extern "C" const struct many_contender many_cq = {
	.name = "moodycamel-mpmc",
	.what = "moodycamel::ConcurrentQueue, with tokens; no order between producers",
	.ours = false,
	.everyone = false,
	.available = peer_ready,
	.unfit = cq_unfit,
	.make = cq_make,
	.destroy = cq_destroy,
	.join = cq_join,
	.leave = many_leave_nothing,
	.finish = NULL,
	.counters = NULL,
	.produce = cq_produce,
	.consume = cq_consume,
};
