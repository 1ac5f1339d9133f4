// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plain ring as one would write it today: Lamport's bounded queue of fixed slots
 * with free-running indexes 128 bytes apart, acquire and release, and a private
 * copy of the other side's index that is refreshed only when it says full or empty.
 * It spins when there is nothing to do, knows no records of other sizes and nothing
 * of a peer that dies.
 */
#include "bench_pc_loops.h"

#define LINE	_Alignas(128)

struct pc_channel {
	LINE uint64_t tail;		/* the producer's, shared */
	LINE uint64_t seen_head;	/* the producer's own */
	LINE uint64_t head;		/* the consumer's, shared */
	LINE uint64_t seen_tail;	/* the consumer's own */
	LINE uint64_t mask;
	size_t bytes;			/* of the whole mapping */
	LINE char slot[];
};

static inline int plain_send(struct pc_channel *c, const void *buf, size_t len)
{
	uint64_t tail = c->tail;

	if (tail - c->seen_head > c->mask) {
		/* pairs with the store-release of head in plain_recv() */
		while (tail - (c->seen_head = shmring_load_acquire(&c->head)) > c->mask)
			shmring_pause();
	}
	memcpy(c->slot + (tail & c->mask) * len, buf, len);
	/* pairs with the load-acquire of tail in plain_recv() */
	shmring_store_release(&c->tail, tail + 1);
	return 0;
}

static inline int plain_recv(struct pc_channel *c, void *buf, size_t len)
{
	uint64_t head = c->head;

	if (head == c->seen_tail) {
		/* pairs with the store-release of tail in plain_send() */
		while (head == (c->seen_tail = shmring_load_acquire(&c->tail)))
			shmring_pause();
	}
	memcpy(buf, c->slot + (head & c->mask) * len, len);
	/* pairs with the load-acquire of head in plain_send() */
	shmring_store_release(&c->head, head + 1);
	return 0;
}

static inline
long plain_send_some(struct pc_channel *c, const void *buf, size_t len, unsigned int n)
{
	uint64_t tail = c->tail, room;
	unsigned int i;

	while (!(room = c->mask + 1 - (tail - c->seen_head))) {
		shmring_pause();
		c->seen_head = shmring_load_acquire(&c->head);
	}
	if (n > room)
		n = (unsigned int)room;
	for (i = 0; i < n; i++)
		memcpy(c->slot + ((tail + i) & c->mask) * len, (const char *)buf + i * len, len);
	shmring_store_release(&c->tail, tail + n);
	return n;
}

static inline
long plain_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n)
{
	uint64_t head = c->head, there;
	unsigned int i;

	while (!(there = c->seen_tail - head)) {
		shmring_pause();
		c->seen_tail = shmring_load_acquire(&c->tail);
	}
	if (n > there)
		n = (unsigned int)there;
	for (i = 0; i < n; i++)
		memcpy((char *)buf + i * len, c->slot + ((head + i) & c->mask) * len, len);
	shmring_store_release(&c->head, head + n);
	return n;
}

PC_LOOPS(plain)
PC_BATCH_LOOPS(plain)

static int plain_available(void)
{
	return 0;
}

static int plain_make(const struct pc_shape *shape, struct pc_channel **out)
{
	uint64_t slots = 1;
	struct pc_channel *c;
	size_t bytes;

	while (slots * 2 * shape->len <= shape->ring_bytes)
		slots *= 2;
	bytes = sizeof(*c) + slots * shape->len;
	c = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (c == MAP_FAILED)
		return -errno;
	c->mask = slots - 1;
	c->bytes = bytes;
	*out = c;
	return 0;
}

static void plain_destroy(struct pc_channel *c)
{
	munmap(c, c->bytes);
}

static int plain_join(struct pc_channel *c, unsigned int side)
{
	(void)c;
	(void)side;
	return 0;	/* mapped across fork(2) */
}

static void plain_leave(struct pc_channel *c)
{
	(void)c;
}

const struct pc_contender pc_plain = {
	.name = "plain-ring",
	.what = "best-practice SPSC ring of fixed slots: cached indexes, 128 bytes apart, spinning",
	.most = PC_LEN_MAX,
	.spins = true,
	.ours = true,
	.available = plain_available,
	.make = plain_make,
	.destroy = plain_destroy,
	.join = plain_join,
	.leave = plain_leave,
	.produce = plain_produce,
	.consume = plain_consume,
	.produce_batch = plain_produce_batch,
	.consume_batch = plain_consume_batch,
	.client = plain_client,
	.server = plain_server,
};
