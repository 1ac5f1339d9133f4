// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring with several endpoints, on each backend, in each topology and in the two ways
 * that programs use it: sleeping when there is nothing to do (all defaults), and never
 * sleeping. The lanes of all producers together have the memory that a peer's one buffer has.
 */
#include <sys/uio.h>

#include "many.h"

#define LANE_LEAST	4096

/**
 * struct many_channel - a ring
 * @keeper: holds it open while the processes are made
 * @r: this process's end
 * @opts: how it was made
 * @msg: where the records of a batch are
 */
struct many_channel {
	struct shmring *keeper;
	struct shmring *r;
	struct shmring_opts opts;
	struct iovec msg[PC_BATCH];
};

static inline __attribute__((always_inline))
long ring_send(struct many_channel *c, const void *buf, size_t len, unsigned int n)
{
	int err;

	if (n == 1) {
		err = shmring_send(c->r, buf, len, SHMRING_FOREVER);
		return err ? err : 1;
	}
	pc_vec(c->msg, buf, len);
	return shmring_send_batch(c->r, c->msg, n, SHMRING_FOREVER);
}

static inline __attribute__((always_inline))
long ring_recv(struct many_channel *c, void *buf, size_t len, unsigned int n)
{
	long got;

	if (n == 1) {
		got = shmring_recv(c->r, buf, len, SHMRING_FOREVER);
		return got == (long)len ? 1 : got < 0 ? got : -EBADMSG;
	}
	pc_vec(c->msg, buf, len);
	return pc_vec_got(c->msg, shmring_recv_batch(c->r, c->msg, n, SHMRING_FOREVER), len);
}

MANY_LOOPS(ring)

/* How a contender makes its rings. */
struct kind {
	uint32_t backend;
	uint32_t topology;
	bool spin;
};

static int make(const struct many_shape *shape, const struct kind *kind, struct many_channel **out)
{
	struct many_channel *c = calloc(1, sizeof(*c));
	uint64_t lane = shape->ring_bytes;
	int err;

	if (!c)
		return -ENOMEM;
	while (lane * shape->producers > shape->ring_bytes && lane > LANE_LEAST)
		lane /= 2;
	c->opts.size = sizeof(c->opts);
	c->opts.backend = kind->backend;
	c->opts.data_size = lane;
	c->opts.topology = kind->topology;
	c->opts.producers = shape->producers;
	c->opts.consumers = shape->consumers;
	if (kind->spin) {
		c->opts.flags = SHMRING_CREATE_SPIN;
		c->opts.spin_ns = SHMRING_SPIN_ALWAYS;
	}
	err = shmring_create(NULL, SHMRING_ROLE_OBSERVER, &c->opts, &c->keeper);
	if (err)
		free(c);
	else
		*out = c;
	return err;
}

static void ring_destroy(struct many_channel *c)
{
	shmring_close(c->keeper);
	free(c);
}

static int ring_join(struct many_channel *c, bool producer, unsigned int who)
{
	uint32_t role = producer ? SHMRING_ROLE_PRODUCER : SHMRING_ROLE_CONSUMER;

	(void)who;
	return shmring_attach_fd(shmring_fd(c->keeper), role, &c->opts, &c->r);
}

static void ring_leave(struct many_channel *c)
{
	shmring_close(c->r);
	c->r = NULL;
}

/* Consumers learn that all producers are gone when these leave: before the last of them does. */
static void ring_counters(struct many_channel *c, uint64_t *sleeps, uint64_t *kicks)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_stats stats = { .size = sizeof(stats) };

	if (shmring_info(c->r, &info) || info.slot == SHMRING_NO_SLOT ||
	    shmring_get_stats(c->r, info.slot, &stats))
		return;
	*sleeps = stats.sleeps;
	*kicks = stats.kicks;
}

static const char *one_consumer(const struct many_shape *shape)
{
	return shape->consumers > 1 ? "it is for one consumer" : NULL;
}

static int available(const struct kind *kind)
{
	const struct many_shape least = {
		.ring_bytes = LANE_LEAST, .producers = 1, .consumers = 1,
	};
	struct many_channel *c;
	int err;

	err = make(&least, kind, &c);
	if (!err)
		ring_destroy(c);
	return err;
}

#define RING_CONTENDER(NAME, TITLE, WHAT, BACKEND, TOPOLOGY, SPIN, UNFIT, EVERYONE)	\
static const struct kind NAME##_kind = {				\
	SHMRING_BACKEND_##BACKEND, SHMRING_TOPO_##TOPOLOGY, SPIN	\
};									\
									\
static int NAME##_available(void)					\
{									\
	return available(&NAME##_kind);					\
}									\
									\
static int NAME##_make(const struct many_shape *shape, struct many_channel **out)	\
{									\
	return make(shape, &NAME##_kind, out);				\
}									\
									\
const struct many_contender many_##NAME = {				\
	.name = TITLE,							\
	.what = "shmring on " WHAT,					\
	.ours = true,							\
	.everyone = EVERYONE,						\
	.available = NAME##_available,					\
	.unfit = UNFIT,							\
	.make = NAME##_make,						\
	.destroy = ring_destroy,					\
	.join = ring_join,						\
	.leave = ring_leave,						\
	.counters = ring_counters,					\
	.produce = ring_produce,					\
	.consume = ring_consume,					\
}

RING_CONTENDER(memfd_mpsc_spin, "shmring-memfd-mpsc-spin",
	       "memfd, MPSC: one order of all, never sleeps",
	       MEMFD, MPSC, true, one_consumer, false);
RING_CONTENDER(memfd_mpsc, "shmring-memfd-mpsc",
	       "memfd, MPSC: one order of all, sleeps when idle",
	       MEMFD, MPSC, false, one_consumer, false);
RING_CONTENDER(memfd_queue_spin, "shmring-memfd-queue-spin",
	       "memfd, QUEUE: each record to one consumer, never sleeps",
	       MEMFD, QUEUE, true, NULL, false);
RING_CONTENDER(memfd_queue, "shmring-memfd-queue",
	       "memfd, QUEUE: each record to one consumer, sleeps when idle",
	       MEMFD, QUEUE, false, NULL, false);
RING_CONTENDER(memfd_broadcast_spin, "shmring-memfd-broadcast-spin",
	       "memfd, BROADCAST: each record to all consumers, never sleeps",
	       MEMFD, BROADCAST, true, NULL, true);
RING_CONTENDER(memfd_broadcast, "shmring-memfd-broadcast",
	       "memfd, BROADCAST: each record to all consumers, sleeps when idle",
	       MEMFD, BROADCAST, false, NULL, true);
RING_CONTENDER(device_mpsc_spin, "shmring-device-mpsc-spin",
	       "/dev/shmring, MPSC: one order of all, never sleeps",
	       DEVICE, MPSC, true, one_consumer, false);
RING_CONTENDER(device_mpsc, "shmring-device-mpsc",
	       "/dev/shmring, MPSC: one order of all, sleeps when idle",
	       DEVICE, MPSC, false, one_consumer, false);
RING_CONTENDER(device_queue_spin, "shmring-device-queue-spin",
	       "/dev/shmring, QUEUE: each record to one consumer, never sleeps",
	       DEVICE, QUEUE, true, NULL, false);
RING_CONTENDER(device_queue, "shmring-device-queue",
	       "/dev/shmring, QUEUE: each record to one consumer, sleeps when idle",
	       DEVICE, QUEUE, false, NULL, false);
RING_CONTENDER(device_broadcast_spin, "shmring-device-broadcast-spin",
	       "/dev/shmring, BROADCAST: each record to all consumers, never sleeps",
	       DEVICE, BROADCAST, true, NULL, true);
RING_CONTENDER(device_broadcast, "shmring-device-broadcast",
	       "/dev/shmring, BROADCAST: each record to all consumers, sleeps when idle",
	       DEVICE, BROADCAST, false, NULL, true);
