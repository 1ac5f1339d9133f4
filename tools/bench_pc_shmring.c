// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring on each backend, in the two ways that programs use it: sleeping when there
 * is nothing to do (all defaults), and never sleeping.
 */
#include <sys/uio.h>

#include "bench_pc.h"

/**
 * struct pc_channel - a ring
 * @keeper: holds it open while the processes are made
 * @r: this process's end
 * @opts: how it was made
 */
struct pc_channel {
	struct shmring *keeper;
	struct shmring *r;
	struct shmring_opts opts;
};

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
	struct iovec msg[PC_BATCH];
	unsigned int i;

	for (i = 0; i < n; i++) {
		msg[i].iov_base = (char *)(uintptr_t)buf + i * len;
		msg[i].iov_len = len;
	}
	return shmring_send_batch(c->r, msg, n, SHMRING_FOREVER);
}

static inline __attribute__((always_inline))
long ring_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n)
{
	struct iovec msg[PC_BATCH];
	unsigned int i;
	long got;

	for (i = 0; i < n; i++) {
		msg[i].iov_base = (char *)buf + i * len;
		msg[i].iov_len = len;
	}
	got = shmring_recv_batch(c->r, msg, n, SHMRING_FOREVER);
	for (i = 0; (long)i < got; i++)
		if (msg[i].iov_len != len)
			return -EBADMSG;
	return got;
}

PC_LOOPS(ring)
PC_BATCH_LOOPS(ring)

static int make(const struct pc_shape *shape, uint32_t backend, bool spin, struct pc_channel **out)
{
	struct pc_channel *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->opts.size = sizeof(c->opts);
	c->opts.backend = backend;
	c->opts.data_size = shape->ring_bytes;
	if (spin) {
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

static int available(uint32_t backend)
{
	const struct pc_shape least = { .len = 8, .ring_bytes = 4096 };
	struct pc_channel *c;
	int err;

	err = make(&least, backend, false, &c);
	if (err)
		return err;
	shmring_close(c->keeper);
	free(c);
	return 0;
}

static int memfd_available(void)
{
	return available(SHMRING_BACKEND_MEMFD);
}

static int device_available(void)
{
	return available(SHMRING_BACKEND_DEVICE);
}

static int memfd_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return make(shape, SHMRING_BACKEND_MEMFD, false, out);
}

static int memfd_spin_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return make(shape, SHMRING_BACKEND_MEMFD, true, out);
}

static int device_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return make(shape, SHMRING_BACKEND_DEVICE, false, out);
}

static int device_spin_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return make(shape, SHMRING_BACKEND_DEVICE, true, out);
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

#define RING_CONTENDER(NAME, TITLE, WHAT, BACKEND, SPINS)	\
const struct pc_contender pc_##NAME = {				\
	.name = TITLE,						\
	.what = WHAT,						\
	.spins = SPINS,						\
	.ours = true,						\
	.available = BACKEND##_available,			\
	.make = NAME##_make,					\
	.destroy = ring_destroy,				\
	.join = ring_join,					\
	.leave = ring_leave,					\
	.counters = ring_counters,				\
	.memory = ring_memory,					\
	.produce = ring_produce,				\
	.consume = ring_consume,				\
	.produce_batch = ring_produce_batch,			\
	.consume_batch = ring_consume_batch,			\
	.client = ring_client,					\
	.server = ring_server,					\
}

RING_CONTENDER(memfd, "shmring-memfd", "shmring on memfd, all defaults: sleeps when idle",
	       memfd, false);
RING_CONTENDER(memfd_spin, "shmring-memfd-spin", "shmring on memfd, never sleeps", memfd, true);
RING_CONTENDER(device, "shmring-device", "shmring on /dev/shmring, all defaults: sleeps when idle",
	       device, false);
RING_CONTENDER(device_spin, "shmring-device-spin", "shmring on /dev/shmring, never sleeps",
	       device, true);
