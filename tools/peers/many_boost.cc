// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boost (libboost-dev) with several producers and consumers: the lock-free queue of a
 * capacity that is part of its type, which has all of its nodes inside, and the
 * interprocess message queue. Neither has a call for batches.
 */
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/queue.hpp>
#include <new>
#include <unistd.h>

#include "many.h"

namespace bi = boost::interprocess;

#define MQ_HEADER	64	/* of a message, at most */

template<size_t LEN>
struct record {
	uint64_t word[LEN / 8];
};

struct many_channel {
	size_t bytes;
	void *queue;
	bi::message_queue *mq;
};

/* What the tool gives by default for rings, but no more nodes than its indices can name. */
#define BYTES	(256 << 10)
#define MOST	65000

template<size_t LEN>
using queue = boost::lockfree::queue<record<LEN>, boost::lockfree::capacity<BYTES / LEN < MOST ?
				     BYTES / LEN : MOST>>;

#define BY_TYPE(len, call)			\
	switch (len) {				\
	case 8: { enum { N = 8 }; call; }	\
	case 64: { enum { N = 64 }; call; }	\
	case 256: { enum { N = 256 }; call; }	\
	case 1024: { enum { N = 1024 }; call; }	\
	}

#define Q	(static_cast<queue<N> *>(c->queue))
#define IN(buf)	(static_cast<const record<N> *>(buf))
#define OUT(buf) (static_cast<record<N> *>(buf))

static inline __attribute__((always_inline))
long queue_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	(void)n;
	BY_TYPE(len, return Q->bounded_push(*IN(buf)));
	return -EINVAL;
}

static inline __attribute__((always_inline))
long queue_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	(void)n;
	BY_TYPE(len, return Q->pop(*OUT(buf)));
	return -EINVAL;
}

MANY_LOOPS(queue)

static const char *no_batch(const struct many_shape *shape)
{
	return shape->batch > 1 ? "it has no call for batches" : NULL;
}

static const char *queue_unfit(const struct many_shape *shape)
{
	if (shape->ring_bytes != BYTES)
		return "its capacity is part of its type, here 256 KiB";
	BY_TYPE(shape->len, return no_batch(shape));
	return "the length is part of its type, here 8, 64, 256 or 1024";
}

static size_t size_of(size_t len)
{
	BY_TYPE(len, return sizeof(queue<N>));
	return 0;
}

static void construct(void *at, size_t len)
{
	BY_TYPE(len, new (at) queue<N>(); return);
}

static int queue_make(const struct many_shape *shape, struct many_channel **out)
{
	struct many_channel *c = static_cast<struct many_channel *>(calloc(1, sizeof(*c)));

	if (!c)
		return -ENOMEM;
	c->bytes = size_of(shape->len);
	c->queue = peer_map(c->bytes);
	if (!c->queue) {
		free(c);
		return -errno;
	}
	construct(c->queue, shape->len);
	*out = c;
	return 0;
}

static void queue_destroy(struct many_channel *c)
{
	munmap(c->queue, c->bytes);
	free(c);
}

static inline long mq_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	(void)n;
	try {
		c->mq->send(buf, len, 0);
	} catch (const bi::interprocess_exception &e) {
		return -EIO;
	}
	return 1;
}

/* A message of no length is the end: there is one for each consumer. */
static inline long mq_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	bi::message_queue::size_type got;
	unsigned int priority;

	(void)n;
	try {
		c->mq->receive(buf, len, got, priority);
	} catch (const bi::interprocess_exception &e) {
		return -EIO;
	}
	if (!got)
		return -EPIPE;
	return got == len ? 1 : -EBADMSG;
}

MANY_LOOPS(mq)

static int mq_finish(struct many_channel *c, const struct many_shape *shape)
{
	unsigned int i;
	long sent = 1;

	for (i = 0; i < shape->consumers && sent == 1; i++)
		sent = mq_send(c, "", 0, 1);
	return sent == 1 ? 0 : (int)sent;
}

/* Its name goes away at once; the mapping goes on across fork(2). */
static int mq_make(const struct many_shape *shape, struct many_channel **out)
{
	struct many_channel *c = static_cast<struct many_channel *>(calloc(1, sizeof(*c)));
	static unsigned int number;
	char name[64];
	int err;

	if (!c)
		return -ENOMEM;
	err = peer_shm_room(many_slots(shape) * (shape->len + MQ_HEADER));
	if (err) {
		free(c);
		return err;
	}
	snprintf(name, sizeof(name), "shmring-bench-many-%d-%u", (int)getpid(), number++);
	try {
		c->mq = new bi::message_queue(bi::create_only, name, many_slots(shape), shape->len);
	} catch (const std::exception &e) {
		bi::message_queue::remove(name);
		free(c);
		return -ENOSPC;
	}
	bi::message_queue::remove(name);
	*out = c;
	return 0;
}

static void mq_destroy(struct many_channel *c)
{
	delete c->mq;
	free(c);
}

extern "C" const struct many_contender many_boost_queue = {
	.name = "boost-queue",
	.what = "boost::lockfree::queue",
	.ours = false,
	.everyone = false,
	.available = peer_ready,
	.unfit = queue_unfit,
	.make = queue_make,
	.destroy = queue_destroy,
	.join = many_join_nothing,
	.leave = many_leave_nothing,
	.finish = NULL,
	.counters = NULL,
	.produce = queue_produce,
	.consume = queue_consume,
};

extern "C" const struct many_contender many_boost_mq = {
	.name = "boost-mq",
	.what = "boost::interprocess::message_queue: sleeps",
	.ours = false,
	.everyone = false,
	.available = peer_ready,
	.unfit = no_batch,
	.make = mq_make,
	.destroy = mq_destroy,
	.join = many_join_nothing,
	.leave = many_leave_nothing,
	.finish = mq_finish,
	.counters = NULL,
	.produce = mq_produce,
	.consume = mq_consume,
};
