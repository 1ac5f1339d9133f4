// SPDX-License-Identifier: GPL-2.0-only
/*
 * eventfd(2): a counter, and so a signal and no channel. In one direction every signal
 * adds one and what arrives is counted, several at once as it happens; in round trips
 * the counter carries the number of the trip.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench_pc.h"

struct pc_channel {
	int fd;
};

static int signal_by(const struct pc_channel *c, uint64_t n)
{
	while (write(c->fd, &n, sizeof(n)) != sizeof(n))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int wait_for(const struct pc_channel *c, uint64_t *n)
{
	while (read(c->fd, n, sizeof(*n)) != sizeof(*n))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int eventfd_produce(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	int err = 0;

	(void)first;
	(void)len;
	while (count-- && !err)
		err = signal_by(c, 1);
	return err;
}

static int eventfd_consume(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	uint64_t n;
	int err;

	(void)first;
	(void)len;
	while (count) {
		err = wait_for(c, &n);
		if (err)
			return err;
		if (n > count)
			return -EBADMSG;
		count -= n;
	}
	return 0;
}

/* The counter cannot be 0. */
static int expect(const struct pc_channel *c, uint64_t seq)
{
	uint64_t n;
	int err = wait_for(c, &n);

	if (err)
		return err;
	return n == seq + 1 ? 0 : -EBADMSG;
}

static int eventfd_client(struct pc_channel *out, struct pc_channel *in, uint64_t first,
			  uint64_t count, size_t len, uint32_t *ns)
{
	uint64_t seq, then, t;
	int err;

	(void)len;
	then = ns ? bench_now() : 0;
	for (seq = first; seq < first + count; seq++) {
		err = signal_by(out, seq + 1);
		if (!err)
			err = expect(in, seq);
		if (err)
			return err;
		if (!ns)
			continue;
		t = bench_now();
		ns[seq - first] = t - then < UINT32_MAX ? (uint32_t)(t - then) : UINT32_MAX;
		then = t;
	}
	return 0;
}

static int eventfd_server(struct pc_channel *in, struct pc_channel *out, uint64_t first,
			  uint64_t count, size_t len)
{
	uint64_t seq;
	int err;

	(void)len;
	for (seq = first; seq < first + count; seq++) {
		err = expect(in, seq);
		if (!err)
			err = signal_by(out, seq + 1);
		if (err)
			return err;
	}
	return 0;
}

static int eventfd_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c = malloc(sizeof(*c));
	int err;

	(void)shape;
	if (!c)
		return -ENOMEM;
	c->fd = eventfd(0, EFD_CLOEXEC);
	if (c->fd < 0) {
		err = -errno;
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

static void eventfd_destroy(struct pc_channel *c)
{
	close(c->fd);
	free(c);
}

static int eventfd_available(void)
{
	struct pc_channel *c;
	int err = eventfd_make(NULL, &c);

	if (!err)
		eventfd_destroy(c);
	return err;
}

static const char *eventfd_unfit(const struct pc_shape *shape)
{
	return shape->len == sizeof(uint64_t) ? NULL : "it carries a signal of 8 bytes, no data";
}

static uint64_t eventfd_memory(const struct pc_channel *c)
{
	(void)c;
	return sizeof(uint64_t);
}

const struct pc_contender pc_eventfd = {
	.name = "eventfd",
	.what = "eventfd(2): a signal of 8 bytes, no data",
	.available = eventfd_available,
	.unfit = eventfd_unfit,
	.make = eventfd_make,
	.destroy = eventfd_destroy,
	.join = pc_join_nothing,
	.leave = pc_leave_nothing,
	.memory = eventfd_memory,
	.produce = eventfd_produce,
	.consume = eventfd_consume,
	.client = eventfd_client,
	.server = eventfd_server,
};
