// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boost (libboost-dev): the lock-free queue of one producer and one consumer with
 * records as its elements, and the interprocess message queue.
 */
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <new>
#include <unistd.h>

#include "peers.h"

namespace bi = boost::interprocess;

template<size_t LEN>
struct record {
	uint64_t word[LEN / 8];
};

struct pc_channel {
	size_t bytes;
	void *queue;
	bi::message_queue *mq;
};

/* What the tool gives by default for rings; a queue's capacity is part of its type. */
#define BYTES	(256 << 10)
#define MQ_HEADER	64	/* of a message, at most */
#define LEAST	64

template<size_t LEN>
using queue = boost::lockfree::spsc_queue<record<LEN>, boost::lockfree::capacity<BYTES / LEN >= LEAST ?
				BYTES / LEN : LEAST>>;

#define BY_BATCH_TYPE(len, call)		\
	switch (len) {				\
	case 8: { enum { N = 8 }; call; }	\
	case 64: { enum { N = 64 }; call; }	\
	case 256: { enum { N = 256 }; call; }	\
	case 1024: { enum { N = 1024 }; call; }	\
	}

#define BY_TYPE(len, call)			\
	BY_BATCH_TYPE(len, call)		\
	switch (len) {				\
	case 4096: { enum { N = 4096 }; call; }	\
	case 65536: { enum { N = 65536 }; call; } \
	}

#define Q	(static_cast<queue<N> *>(c->queue))
#define IN(buf)	(static_cast<const record<N> *>(buf))
#define OUT(buf) (static_cast<record<N> *>(buf))

#define WAIT(call)				\
	do {					\
		while (!(call))			\
			shmring_pause();	\
		return 0;			\
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
int spsc_send(struct pc_channel *c, const void *buf, size_t len)
{
	BY_TYPE(len, WAIT(Q->push(*IN(buf))));
	return -EINVAL;
}

static inline __attribute__((always_inline))
int spsc_recv(struct pc_channel *c, void *buf, size_t len)
{
	BY_TYPE(len, WAIT(Q->pop(*OUT(buf))));
	return -EINVAL;
}

static inline __attribute__((always_inline))
long spsc_send_some(struct pc_channel *c, const void *buf, size_t len, unsigned int n)
{
	BY_BATCH_TYPE(len, WAIT_SOME(Q->push(IN(buf), n)));
	return -EINVAL;
}

static inline __attribute__((always_inline))
long spsc_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n)
{
	BY_BATCH_TYPE(len, WAIT_SOME(Q->pop(OUT(buf), n)));
	return -EINVAL;
}

PC_LOOPS(spsc)
PC_BATCH_LOOPS(spsc)

static const char *spsc_unfit(const struct pc_shape *shape)
{
	if (shape->ring_bytes != (shape->len * LEAST > BYTES ? shape->len * LEAST : BYTES))
		return "its capacity is part of its type, here 256 KiB or 64 records";
	BY_TYPE(shape->len, return NULL);
	return "the length is part of its type, here 8, 64, 256, 1024, 4096 or 65536";
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

static int spsc_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c = static_cast<struct pc_channel *>(calloc(1, sizeof(*c)));

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

static void spsc_destroy(struct pc_channel *c)
{
	munmap(c->queue, c->bytes);
	free(c);
}

static inline int mq_send(struct pc_channel *c, const void *buf, size_t len)
{
	try {
		c->mq->send(buf, len, 0);
	} catch (const bi::interprocess_exception &e) {
		return -EIO;
	}
	return 0;
}

static inline int mq_recv(struct pc_channel *c, void *buf, size_t len)
{
	bi::message_queue::size_type got;
	unsigned int priority;

	try {
		c->mq->receive(buf, len, got, priority);
	} catch (const bi::interprocess_exception &e) {
		return -EIO;
	}
	return got == len ? 0 : -EBADMSG;
}

PC_LOOPS(mq)

/* Its name goes away at once; the mapping goes on across fork(2). */
static int mq_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c = static_cast<struct pc_channel *>(calloc(1, sizeof(*c)));
	static unsigned int number;
	char name[64];
	int err;

	if (!c)
		return -ENOMEM;
	err = peer_shm_room(peer_slots(shape) * (shape->len + MQ_HEADER));
	if (err) {
		free(c);
		return err;
	}
	snprintf(name, sizeof(name), "shmring-bench-%d-%u", (int)getpid(), number++);
	try {
		c->mq = new bi::message_queue(bi::create_only, name, peer_slots(shape), shape->len);
	} catch (const std::exception &e) {
		bi::message_queue::remove(name);
		free(c);
		return -ENOSPC;
	}
	bi::message_queue::remove(name);
	*out = c;
	return 0;
}

static void mq_destroy(struct pc_channel *c)
{
	delete c->mq;
	free(c);
}

extern "C" const struct pc_contender peer_boost_spsc = {
	.name = "boost-spsc",
	.what = "boost::lockfree::spsc_queue",
	.where = NULL,
	.most = 0,
	.in_place = false,
	.spins = true,
	.ours = false,
	.available = peer_ready,
	.unfit = spsc_unfit,
	.make = spsc_make,
	.destroy = spsc_destroy,
	.join = peer_join,
	.leave = peer_leave,
	.counters = NULL,
	.statistics = NULL,
	.memory = NULL,
	.produce = spsc_produce,
	.consume = spsc_consume,
	.produce_batch = spsc_produce_batch,
	.consume_batch = spsc_consume_batch,
	.client = spsc_client,
	.server = spsc_server,
};

extern "C" const struct pc_contender peer_boost_mq = {
	.name = "boost-mq",
	.what = "boost::interprocess::message_queue",
	.where = "/dev/shm",
	.most = 0,
	.in_place = false,
	.spins = false,
	.ours = false,
	.available = peer_ready,
	.unfit = NULL,
	.make = mq_make,
	.destroy = mq_destroy,
	.join = peer_join,
	.leave = peer_leave,
	.counters = NULL,
	.statistics = NULL,
	.memory = NULL,
	.produce = mq_produce,
	.consume = mq_consume,
	.produce_batch = NULL,
	.consume_batch = NULL,
	.client = mq_client,
	.server = mq_server,
};
