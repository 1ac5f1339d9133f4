// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring on each backend: SPSC in the two ways that programs use it, sleeping when there
 * is nothing to do (all defaults) and never sleeping, the latter in place as well; and the
 * topologies for several, with one producer and one consumer, so that what they cost beside
 * SPSC is seen.
 */
#include "bench_pc_loops.h"
#include "bench_pc_shmring.h"

static inline __attribute__((always_inline))
int ring_send(struct pc_channel *c, const void *buf, size_t len)
{
	return shmring_send(c->r, buf, len, SHMRING_FOREVER);
}

static inline __attribute__((always_inline))
int ring_recv(struct pc_channel *c, void *buf, size_t len)
{
	long got = shmring_recv(c->r, buf, len, SHMRING_FOREVER);

	if (shmring_likely(got == (long)len))
		return 0;
	return got < 0 ? (int)got : -EBADMSG;
}

static inline __attribute__((always_inline))
long ring_send_some(struct pc_channel *c, const void *buf, size_t len, unsigned int n)
{
	pc_vec(c->msg, buf, len);
	return shmring_send_batch(c->r, c->msg, n, SHMRING_FOREVER);
}

static inline __attribute__((always_inline))
long ring_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n)
{
	pc_vec(c->msg, buf, len);
	return pc_vec_got(c->msg, shmring_recv_batch(c->r, c->msg, n, SHMRING_FOREVER), len);
}

PC_LOOPS(ring)
PC_BATCH_LOOPS(ring)

/* How a contender makes its rings. */
struct kind {
	uint32_t backend;
	uint32_t topology;
	bool spin;
};

static int make(const struct pc_shape *shape, const struct kind *kind, struct pc_channel **out)
{
	struct pc_channel *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->opts.size = sizeof(c->opts);
	c->opts.backend = kind->backend;
	c->opts.topology = kind->topology;
	c->opts.data_size = shape->ring_bytes;
	if (kind->topology != SHMRING_TOPO_SPSC) {
		c->opts.producers = 1;
		c->opts.consumers = 1;
	}
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

static int available(const struct kind *kind)
{
	const struct pc_shape least = { .len = 8, .ring_bytes = 4096 };
	struct pc_channel *c;
	int err;

	err = make(&least, kind, &c);
	if (err)
		return err;
	shmring_close(c->keeper);
	free(c);
	return 0;
}

static void ring_destroy(struct pc_channel *c)
{
	shmring_close(c->keeper);
	free(c);
}

static int ring_join(struct pc_channel *c, unsigned int side)
{
	uint32_t role = side ? SHMRING_ROLE_CONSUMER : SHMRING_ROLE_PRODUCER;

	return shmring_attach_fd(shmring_fd(c->keeper), role, &c->opts, &c->r);
}

static void ring_leave(struct pc_channel *c)
{
	shmring_close(c->r);
	c->r = NULL;
}

static void ring_counters(struct pc_channel *c, unsigned int side, uint64_t *sleeps,
			  uint64_t *kicks)
{
	struct shmring_stats stats = { .size = sizeof(stats) };

	if (shmring_get_stats(c->r, side, &stats))
		return;
	*sleeps += stats.sleeps;
	*kicks += stats.kicks;
}

static uint64_t ring_memory(const struct pc_channel *c)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };

	return shmring_info(c->keeper, &info) ? 0 : info.control_size + info.data_size;
}

#define BY_COPY								\
	.most = PC_LEN_MAX,						\
	.produce = ring_produce,					\
	.consume = ring_consume,					\
	.produce_batch = ring_produce_batch,				\
	.consume_batch = ring_consume_batch,				\
	.client = ring_client,						\
	.server = ring_server

#define IN_PLACE							\
	.most = PC_PLACE_LEN_MAX,					\
	.in_place = true,						\
	.unfit = pc_place_unfit,					\
	.produce = pc_place_produce,					\
	.consume = pc_place_consume,					\
	.client = pc_place_client,					\
	.server = pc_place_server

#define RING_CONTENDER(NAME, TITLE, WHAT, BACKEND, TOPOLOGY, SPINS, HOW)	\
static const struct kind NAME##_kind = {				\
	SHMRING_BACKEND_##BACKEND, SHMRING_TOPO_##TOPOLOGY, SPINS	\
};									\
									\
static int NAME##_available(void)					\
{									\
	return available(&NAME##_kind);					\
}									\
									\
static int NAME##_make(const struct pc_shape *shape, struct pc_channel **out)	\
{									\
	return make(shape, &NAME##_kind, out);				\
}									\
									\
const struct pc_contender pc_##NAME = {					\
	.name = TITLE,							\
	.what = "shmring on " WHAT,					\
	.spins = SPINS,							\
	.ours = true,							\
	.available = NAME##_available,					\
	.make = NAME##_make,						\
	.destroy = ring_destroy,					\
	.join = ring_join,						\
	.leave = ring_leave,						\
	.counters = ring_counters,					\
	.memory = ring_memory,						\
	HOW,								\
}

RING_CONTENDER(memfd, "shmring-memfd", "memfd, all defaults: SPSC, sleeps when idle",
	       MEMFD, SPSC, false, BY_COPY);
RING_CONTENDER(memfd_spin, "shmring-memfd-spin", "memfd, SPSC, never sleeps", MEMFD, SPSC, true,
	       BY_COPY);
RING_CONTENDER(memfd_in_place, "shmring-memfd-in-place",
	       "memfd, SPSC, never sleeps, no copy: two words of each record", MEMFD, SPSC, true,
	       IN_PLACE);
RING_CONTENDER(memfd_mpsc, "shmring-memfd-mpsc", "memfd, MPSC", MEMFD, MPSC, false, BY_COPY);
RING_CONTENDER(memfd_queue, "shmring-memfd-queue", "memfd, QUEUE", MEMFD, QUEUE, false, BY_COPY);
RING_CONTENDER(memfd_broadcast, "shmring-memfd-broadcast", "memfd, BROADCAST", MEMFD, BROADCAST,
	       false, BY_COPY);
RING_CONTENDER(device, "shmring-device", "/dev/shmring, all defaults: SPSC, sleeps when idle",
	       DEVICE, SPSC, false, BY_COPY);
RING_CONTENDER(device_spin, "shmring-device-spin", "/dev/shmring, SPSC, never sleeps", DEVICE, SPSC,
	       true, BY_COPY);
RING_CONTENDER(device_in_place, "shmring-device-in-place",
	       "/dev/shmring, SPSC, never sleeps, no copy: two words of each record", DEVICE, SPSC,
	       true, IN_PLACE);
RING_CONTENDER(device_mpsc, "shmring-device-mpsc", "/dev/shmring, MPSC", DEVICE, MPSC, false,
	       BY_COPY);
RING_CONTENDER(device_queue, "shmring-device-queue", "/dev/shmring, QUEUE", DEVICE, QUEUE, false,
	       BY_COPY);
RING_CONTENDER(device_broadcast, "shmring-device-broadcast", "/dev/shmring, BROADCAST", DEVICE,
	       BROADCAST, false, BY_COPY);
