// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the machine itself allows: blocks of cache lines handed from one core to the
 * other, and for round trips one line that both look at.
 *
 * This is no channel. A record is seen only when its block is full, and the mailbox
 * knows that the first word of a record is its number. It says what is left to gain.
 */
#include "peers.h"

#define BLOCK		4096		/* as long as one record may be longer */
#define LINE		_Alignas(128)

struct pc_channel {
	LINE uint64_t filled;		/* blocks, by the sender */
	LINE uint64_t emptied;		/* by the receiver */
	LINE uint64_t blocks;
	uint64_t per_block;
	size_t block;
	size_t bytes;
	/* each side's own */
	LINE uint64_t out;
	uint64_t out_left;		/* records that fit the open block; 0: none is open */
	char *out_to;
	LINE uint64_t in;
	uint64_t in_left;
	const char *in_from;
	LINE char data[];
};

static inline int limit_send(struct pc_channel *c, const void *buf, size_t len)
{
	if (!c->out_left) {
		/* pairs with the store-release in limit_recv() and limit_skip() */
		while (c->out - shmring_load_acquire(&c->emptied) == c->blocks)
			shmring_pause();
		c->out_to = c->data + c->out % c->blocks * c->block;
		c->out_left = c->per_block;
	}
	memcpy(c->out_to, buf, len);
	c->out_to += len;
	if (!--c->out_left)
		shmring_store_release(&c->filled, ++c->out);
	return 0;
}

static inline int limit_recv(struct pc_channel *c, void *buf, size_t len)
{
	if (!c->in_left) {
		/* pairs with the store-release in limit_send() and limit_flush() */
		while (shmring_load_acquire(&c->filled) == c->in)
			shmring_pause();
		c->in_from = c->data + c->in % c->blocks * c->block;
		c->in_left = c->per_block;
	}
	memcpy(buf, c->in_from, len);
	c->in_from += len;
	if (!--c->in_left)
		shmring_store_release(&c->emptied, ++c->in);
	return 0;
}

/* The last block of a run: both sides skip what was left of it. */
static void limit_flush(struct pc_channel *c)
{
	if (c->out_left) {
		c->out_left = 0;
		shmring_store_release(&c->filled, ++c->out);
	}
}

static void limit_skip(struct pc_channel *c)
{
	if (c->in_left) {
		c->in_left = 0;
		shmring_store_release(&c->emptied, ++c->in);
	}
}

/* Round trips: word 0 last, and it is never the same twice. */
static inline void mail_send(struct pc_channel *c, const uint64_t *buf, size_t len)
{
	uint64_t *box = (uint64_t *)c->data;

	memcpy(box + 1, buf + 1, len - sizeof(*box));
	shmring_store_release(box, ~buf[0]);
}

static inline void mail_recv(struct pc_channel *c, uint64_t *buf, size_t len, uint64_t seq)
{
	const uint64_t *box = (const uint64_t *)c->data;

	while (shmring_load_acquire(box) != ~seq)
		shmring_pause();
	buf[0] = ~box[0];
	memcpy(buf + 1, box + 1, len - sizeof(*box));
}

PC_STREAM_LOOPS(limit)

static int limit_produce_all(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	int err = limit_produce(c, first, count, len);

	limit_flush(c);
	return err;
}

static int limit_consume_all(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	int err = limit_consume(c, first, count, len);

	limit_skip(c);
	return err;
}

static inline __attribute__((always_inline))
int mail_client_len(struct pc_channel *out, struct pc_channel *in, uint64_t first, uint64_t count,
		    size_t len, uint32_t *ns)
{
	static uint64_t buf[PC_LEN_MAX / 8];
	uint64_t seq, then = bench_now(), t;

	for (seq = first; seq < first + count; seq++) {
		pc_fill(buf, seq, len);
		mail_send(out, buf, len);
		mail_recv(in, buf, len, seq);
		if (!pc_right(buf, seq, len))
			return -EBADMSG;
		if (!ns)
			continue;
		t = bench_now();
		ns[seq - first] = t - then < UINT32_MAX ? (uint32_t)(t - then) : UINT32_MAX;
		then = t;
	}
	return 0;
}

static inline __attribute__((always_inline))
int mail_server_len(struct pc_channel *in, struct pc_channel *out, uint64_t first, uint64_t count,
		    size_t len)
{
	static uint64_t buf[PC_LEN_MAX / 8];
	uint64_t seq;

	for (seq = first; seq < first + count; seq++) {
		mail_recv(in, buf, len, seq);
		if (!pc_right(buf, seq, len))
			return -EBADMSG;
		mail_send(out, buf, len);
	}
	return 0;
}

static int mail_client(struct pc_channel *out, struct pc_channel *in, uint64_t first,
		       uint64_t count, size_t len, uint32_t *ns)
{
	PC_BY_LEN(len, mail_client_len(out, in, first, count, LEN, ns));
}

static int mail_server(struct pc_channel *in, struct pc_channel *out, uint64_t first,
		       uint64_t count, size_t len)
{
	PC_BY_LEN(len, mail_server_len(in, out, first, count, LEN));
}

static int limit_make(const struct pc_shape *shape, struct pc_channel **out)
{
	size_t block = shape->len > BLOCK ? shape->len : BLOCK, bytes;
	struct pc_channel *c;

	if (block > shape->ring_bytes / 2)
		block = shape->ring_bytes / 2;
	bytes = sizeof(*c) + shape->ring_bytes;
	c = peer_map(bytes);
	if (!c)
		return -errno;
	c->per_block = block / shape->len;
	c->block = block;
	c->blocks = shape->ring_bytes / block;
	c->bytes = bytes;
	*out = c;
	return 0;
}

static void limit_destroy(struct pc_channel *c)
{
	munmap(c, c->bytes);
}

const struct pc_contender peer_limit = {
	.name = "limit",
	.what = "no channel: blocks of cache lines handed over; round trip: one shared mailbox",
	.spins = true,
	.ours = true,
	.available = peer_ready,
	.make = limit_make,
	.destroy = limit_destroy,
	.join = peer_join,
	.leave = peer_leave,
	.produce = limit_produce_all,
	.consume = limit_consume_all,
	.client = mail_client,
	.server = mail_server,
};
