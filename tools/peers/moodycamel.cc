// SPDX-License-Identifier: GPL-2.0-only
/*
 * moodycamel's queues (libreaderwriterqueue-dev, libconcurrentqueue-dev). They are made
 * for threads and take their blocks from malloc(); here they get them from shared
 * memory that both processes have at the same address, before the processes are, and
 * only the calls that never allocate are used.
 */
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

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

/* The whole arena is unmapped at once. */
static inline void arena_give(void *p)
{
	(void)p;
}

/* The first of the two has no other way to say where its memory comes from. */
namespace std {
using ::arena_give;
using ::arena_take;
}

#define malloc	arena_take
#define free	arena_give
#include <readerwriterqueue/readerwriterqueue.h>
#undef malloc
#undef free

#include <concurrentqueue/concurrentqueue.h>

#include "peers.h"

#define MOST	1024	/* bytes of a record: concurrentqueue's blocks hold 32 */

template<size_t LEN>
struct record {
	uint64_t word[LEN / 8];
};

struct traits : public moodycamel::ConcurrentQueueDefaultTraits {
	static const size_t EXPLICIT_INITIAL_INDEX_SIZE = 4096;
	static void *malloc(size_t bytes) { return arena_take(bytes); }
	static void free(void *p) { arena_give(p); }
};

template<size_t LEN>
using rwq = moodycamel::ReaderWriterQueue<record<LEN>>;

template<size_t LEN>
struct cq {
	moodycamel::ConcurrentQueue<record<LEN>, traits> q;
	moodycamel::ProducerToken out;
	moodycamel::ConsumerToken in;

	explicit cq(size_t slots) : q(slots, 1, 0), out(q), in(q) { }
};

struct pc_channel {
	char *memory;
	size_t bytes;
	void *queue;
};

#define BY_TYPE(len, call)			\
	switch (len) {				\
	case 8: { enum { N = 8 }; call; }	\
	case 64: { enum { N = 64 }; call; }	\
	case 256: { enum { N = 256 }; call; }	\
	case 1024: { enum { N = 1024 }; call; }	\
	}

#define AS(kind)	(static_cast<kind<N> *>(c->queue))
#define IN(buf)		(static_cast<const record<N> *>(buf))
#define OUT(buf)	(static_cast<record<N> *>(buf))

#define WAIT(call)			\
	do {				\
		while (!(call))		\
			shmring_pause(); \
		return 0;		\
	} while (0)

#define WAIT_SOME(call)				\
	do {					\
		size_t did;			\
						\
		while (!(did = (call)))		\
			shmring_pause();	\
		return (long)did;		\
	} while (0)

static inline __attribute__((always_inline))
int rwq_send(struct pc_channel *c, const void *buf, size_t len)
{
	BY_TYPE(len, WAIT(AS(rwq)->try_enqueue(*IN(buf))));
	return -EINVAL;
}

static inline __attribute__((always_inline))
int rwq_recv(struct pc_channel *c, void *buf, size_t len)
{
	BY_TYPE(len, WAIT(AS(rwq)->try_dequeue(*OUT(buf))));
	return -EINVAL;
}

PC_LOOPS(rwq)

static inline __attribute__((always_inline))
int cq_send(struct pc_channel *c, const void *buf, size_t len)
{
	BY_TYPE(len, WAIT(AS(cq)->q.try_enqueue(AS(cq)->out, *IN(buf))));
	return -EINVAL;
}

static inline __attribute__((always_inline))
int cq_recv(struct pc_channel *c, void *buf, size_t len)
{
	BY_TYPE(len, WAIT(AS(cq)->q.try_dequeue(AS(cq)->in, *OUT(buf))));
	return -EINVAL;
}

/* All or nothing: nothing is allocated for it. */
static inline __attribute__((always_inline))
long cq_send_some(struct pc_channel *c, const void *buf, size_t len, unsigned int n)
{
	BY_TYPE(len, WAIT_SOME(AS(cq)->q.try_enqueue_bulk(AS(cq)->out, IN(buf), n) ? n : 0));
	return -EINVAL;
}

static inline __attribute__((always_inline))
long cq_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n)
{
	BY_TYPE(len, WAIT_SOME(AS(cq)->q.try_dequeue_bulk(AS(cq)->in, OUT(buf), n)));
	return -EINVAL;
}

PC_LOOPS(cq)
PC_BATCH_LOOPS(cq)

static const char *unfit(const struct pc_shape *shape)
{
	BY_TYPE(shape->len, return NULL);
	return "the length is part of its type, here 8, 64, 256 or 1024";
}

static int make(const struct pc_shape *shape, bool many, struct pc_channel **out)
{
	struct pc_channel *c = static_cast<struct pc_channel *>(calloc(1, sizeof(*c)));
	uint64_t slots = peer_slots(shape);

	if (!c)
		return -ENOMEM;
	/* Headers of blocks and the index besides. */
	c->bytes = 4 * shape->ring_bytes + (1 << 20);
	c->memory = static_cast<char *>(peer_map(c->bytes));
	if (!c->memory) {
		free(c);
		return -errno;
	}
	arena = c->memory;
	arena_end = arena + c->bytes;
	try {
		BY_TYPE(shape->len,
			c->queue = arena_take(many ? sizeof(cq<N>) : sizeof(rwq<N>));
			if (many)
				new (c->queue) cq<N>(slots);
			else
				new (c->queue) rwq<N>(slots);
			break);
	} catch (const std::bad_alloc &e) {
		munmap(c->memory, c->bytes);
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

static int rwq_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return make(shape, false, out);
}

static int cq_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return make(shape, true, out);
}

/* Nothing in it lives anywhere else, so no destructor is missed. */
static void destroy(struct pc_channel *c)
{
	munmap(c->memory, c->bytes);
	free(c);
}

extern "C" const struct pc_contender peer_rwq = {
	.name = "moodycamel-spsc",
	.what = "moodycamel::ReaderWriterQueue",
	.where = NULL,
	.most = 0,
	.in_place = false,
	.spins = true,
	.ours = false,
	.available = peer_ready,
	.unfit = unfit,
	.make = rwq_make,
	.destroy = destroy,
	.join = peer_join,
	.leave = peer_leave,
	.counters = NULL,
	.statistics = NULL,
	.memory = NULL,
	.produce = rwq_produce,
	.consume = rwq_consume,
	.produce_batch = NULL,
	.consume_batch = NULL,
	.client = rwq_client,
	.server = rwq_server,
};

extern "C" const struct pc_contender peer_cq = {
	.name = "moodycamel-mpmc",
	.what = "moodycamel::ConcurrentQueue, with tokens",
	.where = NULL,
	.most = 0,
	.in_place = false,
	.spins = true,
	.ours = false,
	.available = peer_ready,
	.unfit = unfit,
	.make = cq_make,
	.destroy = destroy,
	.join = peer_join,
	.leave = peer_leave,
	.counters = NULL,
	.statistics = NULL,
	.memory = NULL,
	.produce = cq_produce,
	.consume = cq_consume,
	.produce_batch = cq_produce_batch,
	.consume_batch = cq_consume_batch,
	.client = cq_client,
	.server = cq_server,
};
