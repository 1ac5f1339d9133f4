// SPDX-License-Identifier: GPL-2.0-only
/*
 * The textbook's ring: head, tail and a count of what is in it, side by side in
 * shared memory, and statistics that both sides keep there. A side that finds the
 * ring full or empty is blocked and asks again until it is not.
 *
 * The count is changed by both sides, so it is atomic, which many textbooks leave
 * out; the rest then holds for one producer and one consumer, and for no more: see
 * bench_pc_race.c.
 */
#include <sched.h>

#include "bench_pc_loops.h"

#define ASKS	1000	/* then yield: the other may need this CPU */

struct pc_channel {
	uint32_t head;		/* next to be read, the consumer's */
	uint32_t tail;		/* next to be written, the producer's */
	uint32_t count;		/* of both */
	uint32_t slots;
	uint64_t produced;	/* the producer's */
	uint64_t consumed;	/* the consumer's */
	uint64_t blocked[BENCH_SIDES];
	size_t bytes;
	char slot[];
};

/* Until @count is no longer @stop; acquires what the other side did before. */
static inline void wait_while(struct pc_channel *c, uint32_t stop, unsigned int side)
{
	unsigned int asks = 0;

	/* pairs with the other side's atomic change of count */
	if (shmring_load_acquire(&c->count) != stop)
		return;
	c->blocked[side]++;
	while (shmring_load_acquire(&c->count) == stop) {
		if (++asks % ASKS)
			shmring_pause();
		else
			sched_yield();
	}
}

static inline int textbook_send(struct pc_channel *c, const void *buf, size_t len)
{
	wait_while(c, c->slots, 0);
	memcpy(c->slot + c->tail * len, buf, len);
	c->tail = (c->tail + 1) % c->slots;
	/* pairs with the load-acquire in wait_while() */
	__atomic_fetch_add(&c->count, 1, __ATOMIC_RELEASE);
	c->produced++;
	return 0;
}

static inline int textbook_recv(struct pc_channel *c, void *buf, size_t len)
{
	wait_while(c, 0, 1);
	memcpy(buf, c->slot + c->head * len, len);
	c->head = (c->head + 1) % c->slots;
	/* pairs with the load-acquire in wait_while() */
	__atomic_fetch_sub(&c->count, 1, __ATOMIC_RELEASE);
	c->consumed++;
	return 0;
}

PC_LOOPS(textbook)

static int textbook_available(void)
{
	return 0;
}

static int textbook_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c;
	size_t bytes;

	bytes = sizeof(*c) + shape->slots * shape->len;
	c = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (c == MAP_FAILED)
		return -errno;
	c->slots = (uint32_t)shape->slots;
	c->bytes = bytes;
	*out = c;
	return 0;
}

static void textbook_destroy(struct pc_channel *c)
{
	munmap(c, c->bytes);
}

static void textbook_statistics(const struct pc_channel *c, unsigned int side,
				struct pc_count *out)
{
	out->records = side ? c->consumed : c->produced;
	out->blocked = c->blocked[side];
}

static uint64_t textbook_memory(const struct pc_channel *c)
{
	return c->bytes;
}

const struct pc_contender pc_textbook = {
	.name = "textbook-ring",
	.what = "textbook: ring with head, tail and an atomic count side by side, asking again",
	.available = textbook_available,
	.make = textbook_make,
	.destroy = textbook_destroy,
	.join = pc_join_nothing,
	.leave = pc_leave_nothing,
	.statistics = textbook_statistics,
	.memory = textbook_memory,
	.produce = textbook_produce,
	.consume = textbook_consume,
	.client = textbook_client,
	.server = textbook_server,
};
