/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench pc: the data of records, and the loops that every contender is measured in,
 * written once for all of them.
 */
#ifndef SHMRING_BENCH_PC_LOOPS_H
#define SHMRING_BENCH_PC_LOOPS_H

#include "bench_pc.h"

/*
 * Record @seq is its number, or in 4 bytes the low half, then words that differ from
 * record to record and from place to place: a record that is late, torn or shifted
 * does not match.
 */
#define PC_STEP	0x9e3779b97f4a7c15ULL

/* Several words at a time: what is measured should not be the pattern. */
typedef uint64_t pc_pair __attribute__((vector_size(16), aligned(8), may_alias));

static inline __attribute__((always_inline))
void pc_fill(uint64_t *buf, uint64_t seq, size_t len)
{
	pc_pair a = { seq, seq + PC_STEP }, b = a + 2 * PC_STEP;
	size_t fours = len / 32, rest = len / 8 % 4, i;
	uint64_t word;

	for (i = 0; i < fours; i++) {
		*(pc_pair *)(buf + 4 * i) = a;
		*(pc_pair *)(buf + 4 * i + 2) = b;
		a += 4 * PC_STEP;
		b += 4 * PC_STEP;
	}
	for (i = 0; i < rest; i++)
		buf[4 * fours + i] = seq + (4 * fours + i) * PC_STEP;
	word = seq + (4 * fours + rest) * PC_STEP;
	if (len % 8)
		memcpy(buf + 4 * fours + rest, &word, len % 8);
}

static inline __attribute__((always_inline))
bool pc_right(const uint64_t *buf, uint64_t seq, size_t len)
{
	pc_pair a = { seq, seq + PC_STEP }, b = a + 2 * PC_STEP, off = { 0, 0 };
	size_t fours = len / 32, rest = len / 8 % 4, i;
	uint64_t wrong, word;

	for (i = 0; i < fours; i++) {
		off |= *(const pc_pair *)(buf + 4 * i) ^ a;
		off |= *(const pc_pair *)(buf + 4 * i + 2) ^ b;
		a += 4 * PC_STEP;
		b += 4 * PC_STEP;
	}
	wrong = off[0] | off[1];
	for (i = 0; i < rest; i++)
		wrong |= buf[4 * fours + i] ^ (seq + (4 * fours + i) * PC_STEP);
	word = seq + (4 * fours + rest) * PC_STEP;
	if (len % 8)
		wrong |= (uint64_t)!!memcmp(buf + 4 * fours + rest, &word, len % 8);
	return !wrong;
}

/*
 * The loops, for a contender that has
 *
 *	int NAME_send(struct pc_channel *c, const void *buf, size_t len);
 *	int NAME_recv(struct pc_channel *c, void *buf, size_t len);
 *
 * both of which wait as long as it takes, inlined, and with the usual lengths known
 * to the compiler, as they would be in a program.
 */
#define PC_BY_LEN(len, call)						\
	do {								\
		switch (len) {						\
		case 8: {						\
			enum { LEN = 8 };				\
			return call;					\
		}							\
		case 64: {						\
			enum { LEN = 64 };				\
			return call;					\
		}							\
		case 256: {						\
			enum { LEN = 256 };				\
			return call;					\
		}							\
		case 1024: {						\
			enum { LEN = 1024 };				\
			return call;					\
		}							\
		default: {						\
			const size_t LEN = (len);			\
			return call;					\
		}							\
		}							\
	} while (0)

#define PC_STREAM_LOOPS(NAME)						\
static inline __attribute__((always_inline))				\
int NAME##_produce_len(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	static uint64_t buf[PC_LEN_MAX / 8];				\
	uint64_t seq;							\
	int err;							\
									\
	for (seq = first; seq < first + count; seq++) {			\
		pc_fill(buf, seq, len);					\
		err = NAME##_send(c, buf, len);				\
		if (err)						\
			return err;					\
	}								\
	return 0;							\
}									\
									\
static inline __attribute__((always_inline))				\
int NAME##_consume_len(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	static uint64_t buf[PC_LEN_MAX / 8];				\
	uint64_t seq;							\
	int err;							\
									\
	for (seq = first; seq < first + count; seq++) {			\
		err = NAME##_recv(c, buf, len);				\
		if (err)						\
			return err;					\
		if (!pc_right(buf, seq, len))				\
			return -EBADMSG;				\
	}								\
	return 0;							\
}									\
									\
static int NAME##_produce(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	PC_BY_LEN(len, NAME##_produce_len(c, first, count, LEN));	\
}									\
									\
static int NAME##_consume(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	PC_BY_LEN(len, NAME##_consume_len(c, first, count, LEN));	\
}

#define PC_TRIP_LOOPS(NAME)						\
static inline __attribute__((always_inline))				\
int NAME##_client_len(struct pc_channel *out, struct pc_channel *in, uint64_t first,	\
		      uint64_t count, size_t len, uint32_t *ns)		\
{									\
	static uint64_t buf[PC_LEN_MAX / 8];				\
	uint64_t seq, then = 0, t;					\
	int err;							\
									\
	if (ns)								\
		then = bench_now();					\
	for (seq = first; seq < first + count; seq++) {			\
		pc_fill(buf, seq, len);					\
		err = NAME##_send(out, buf, len);			\
		if (!err)						\
			err = NAME##_recv(in, buf, len);		\
		if (err)						\
			return err;					\
		if (!pc_right(buf, seq, len))				\
			return -EBADMSG;				\
		if (!ns)						\
			continue;					\
		t = bench_now();					\
		ns[seq - first] = t - then < UINT32_MAX ?		\
				  (uint32_t)(t - then) : UINT32_MAX;	\
		then = t;						\
	}								\
	return 0;							\
}									\
									\
static inline __attribute__((always_inline))				\
int NAME##_server_len(struct pc_channel *in, struct pc_channel *out, uint64_t first,	\
		      uint64_t count, size_t len)			\
{									\
	static uint64_t buf[PC_LEN_MAX / 8];				\
	uint64_t seq;							\
	int err;							\
									\
	for (seq = first; seq < first + count; seq++) {			\
		err = NAME##_recv(in, buf, len);			\
		if (err)						\
			return err;					\
		if (!pc_right(buf, seq, len))				\
			return -EBADMSG;				\
		err = NAME##_send(out, buf, len);			\
		if (err)						\
			return err;					\
	}								\
	return 0;							\
}									\
									\
static int NAME##_client(struct pc_channel *out, struct pc_channel *in, uint64_t first,	\
			 uint64_t count, size_t len, uint32_t *ns)	\
{									\
	PC_BY_LEN(len, NAME##_client_len(out, in, first, count, LEN, ns));	\
}									\
									\
static int NAME##_server(struct pc_channel *in, struct pc_channel *out, uint64_t first,	\
			 uint64_t count, size_t len)			\
{									\
	PC_BY_LEN(len, NAME##_server_len(in, out, first, count, LEN));	\
}

#define PC_LOOPS(NAME)	PC_STREAM_LOOPS(NAME) PC_TRIP_LOOPS(NAME)

/* Where the records of a batch are: filled once, as by who calls in a loop. */
static inline __attribute__((always_inline))
void pc_vec(struct iovec *msg, const void *buf, size_t len)
{
	unsigned int i;

	if (shmring_likely(msg[0].iov_base == buf && msg[0].iov_len == len))
		return;
	for (i = 0; i < PC_BATCH; i++) {
		msg[i].iov_base = (char *)(uintptr_t)buf + i * len;
		msg[i].iov_len = len;
	}
}

/* Were @got records of @len bytes received? Return: how many, or an error. */
static inline __attribute__((always_inline))
long pc_vec_got(const struct iovec *msg, long got, size_t len)
{
	long i;

	for (i = 0; i < got; i++)
		if (msg[i].iov_len != len)
			return -EBADMSG;
	return got;
}

/*
 * The same for batches, for a contender that also has
 *
 *	long NAME_send_some(struct pc_channel *c, const void *buf, size_t len, unsigned int n);
 *	long NAME_recv_some(struct pc_channel *c, void *buf, size_t len, unsigned int n);
 *
 * which wait until they can pass at least one of @n records that lie one behind the
 * other, and return how many.
 */
#define PC_BATCH_LOOPS(NAME)						\
static inline __attribute__((always_inline))				\
int NAME##_produce_batch_len(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	static uint64_t buf[PC_BATCH * PC_BATCH_LEN / 8];		\
	uint64_t seq, end = first + count;				\
	unsigned int n, i, done;					\
	long did;							\
									\
	for (seq = first; seq < end; seq += n) {			\
		n = end - seq < PC_BATCH ? (unsigned int)(end - seq) : PC_BATCH; \
		for (i = 0; i < n; i++)					\
			pc_fill(buf + i * len / 8, seq + i, len);	\
		for (done = 0; done < n; done += (unsigned int)did) {	\
			did = NAME##_send_some(c, buf + done * len / 8, len, n - done); \
			if (did < 0)					\
				return (int)did;			\
		}							\
	}								\
	return 0;							\
}									\
									\
static inline __attribute__((always_inline))				\
int NAME##_consume_batch_len(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	static uint64_t buf[PC_BATCH * PC_BATCH_LEN / 8];		\
	uint64_t seq, end = first + count;				\
	unsigned int n;							\
	long did, i;							\
									\
	for (seq = first; seq < end; seq += (uint64_t)did) {		\
		n = end - seq < PC_BATCH ? (unsigned int)(end - seq) : PC_BATCH; \
		did = NAME##_recv_some(c, buf, len, n);			\
		if (did < 0)						\
			return (int)did;				\
		for (i = 0; i < did; i++)				\
			if (!pc_right(buf + (size_t)i * len / 8, seq + (uint64_t)i, len)) \
				return -EBADMSG;			\
	}								\
	return 0;							\
}									\
									\
static int NAME##_produce_batch(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	PC_BY_LEN(len, NAME##_produce_batch_len(c, first, count, LEN));	\
}									\
									\
static int NAME##_consume_batch(struct pc_channel *c, uint64_t first, uint64_t count, size_t len) \
{									\
	PC_BY_LEN(len, NAME##_consume_batch_len(c, first, count, LEN));	\
}

#endif /* SHMRING_BENCH_PC_LOOPS_H */
