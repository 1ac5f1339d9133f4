// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring in place: records are written and looked at where they lie in the ring, and
 * nothing is copied. So that it is the ring that is measured and not the memory, only
 * the first and the last word of each are written and checked; they are those that
 * pc_fill() writes there.
 *
 * No barriers of its own: those of shmring_commit() and shmring_peek(), shmring_release()
 * and shmring_reserve() order what is done to a record.
 */
#include "bench_pc_loops.h"
#include "bench_pc_shmring.h"

static inline __attribute__((always_inline))
int place_put(struct pc_channel *c, uint64_t seq, size_t len)
{
	uint64_t *word;
	void *record;
	int err;

	err = shmring_reserve(c->r, len, &record, SHMRING_FOREVER);
	if (shmring_unlikely(err))
		return err;
	word = record;
	word[0] = seq;
	word[len / 8 - 1] = seq + (len / 8 - 1) * PC_STEP;
	return shmring_commit(c->r, len);
}

static inline __attribute__((always_inline))
int place_take(struct pc_channel *c, uint64_t seq, size_t len)
{
	const uint64_t *word;
	const void *record;
	uint64_t wrong;
	long got;

	got = shmring_peek(c->r, &record, SHMRING_FOREVER);
	if (shmring_unlikely(got != (long)len))
		return got < 0 ? (int)got : -EBADMSG;
	word = record;
	wrong = word[0] ^ seq;
	wrong |= word[len / 8 - 1] ^ (seq + (len / 8 - 1) * PC_STEP);
	if (shmring_unlikely(wrong))
		return -EBADMSG;
	return shmring_release(c->r);
}

static inline __attribute__((always_inline))
int produce_len(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	uint64_t seq;
	int err = 0;

	for (seq = first; seq < first + count && !err; seq++)
		err = place_put(c, seq, len);
	return err;
}

static inline __attribute__((always_inline))
int consume_len(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	uint64_t seq;
	int err = 0;

	for (seq = first; seq < first + count && !err; seq++)
		err = place_take(c, seq, len);
	return err;
}

static inline __attribute__((always_inline))
int client_len(struct pc_channel *out, struct pc_channel *in, uint64_t first, uint64_t count,
	       size_t len, uint32_t *ns)
{
	uint64_t seq, then = 0, t;
	int err;

	if (ns)
		then = bench_now();
	for (seq = first; seq < first + count; seq++) {
		err = place_put(out, seq, len);
		if (!err)
			err = place_take(in, seq, len);
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

static inline __attribute__((always_inline))
int server_len(struct pc_channel *in, struct pc_channel *out, uint64_t first, uint64_t count,
	       size_t len)
{
	uint64_t seq;
	int err = 0;

	for (seq = first; seq < first + count && !err; seq++) {
		err = place_take(in, seq, len);
		if (!err)
			err = place_put(out, seq, len);
	}
	return err;
}

int pc_place_produce(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	PC_BY_LEN(len, produce_len(c, first, count, LEN));
}

int pc_place_consume(struct pc_channel *c, uint64_t first, uint64_t count, size_t len)
{
	PC_BY_LEN(len, consume_len(c, first, count, LEN));
}

int pc_place_client(struct pc_channel *out, struct pc_channel *in, uint64_t first, uint64_t count,
		    size_t len, uint32_t *ns)
{
	PC_BY_LEN(len, client_len(out, in, first, count, LEN, ns));
}

int pc_place_server(struct pc_channel *in, struct pc_channel *out, uint64_t first, uint64_t count,
		    size_t len)
{
	PC_BY_LEN(len, server_len(in, out, first, count, LEN));
}

const char *pc_place_unfit(const struct pc_shape *shape)
{
	if (shape->len < 16 || shape->len % 8)
		return "it marks the first and the last word: multiples of 8 bytes from 16 on";
	return NULL;
}
