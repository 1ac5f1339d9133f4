/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * What the fuzzers of the ring core share: an input read byte by byte, a peer that scribbles
 * over what it may write (and more), between calls or before any access within one, and the
 * driver. With clang, libFuzzer drives (make -C lib fuzz); otherwise main() does, with
 * inputs that are the same every time: what libFuzzer had found to reach most (NAME.seeds),
 * those changed a little, and random ones.
 *
 * Memory is between guard pages, a call has a budget of accesses, and an error is one of
 * three: anything else ends the program.
 */
#ifndef SHMRING_TESTS_FUZZ_H
#define SHMRING_TESTS_FUZZ_H

static void fuzz_step(void);
#define SHMRING_STEP()	fuzz_step()

#include "ring.h"

#define FUZZ_SIZE	4096u
#define FUZZ_BUDGET	20000u
#define FUZZ_RUNS	30000u
#define FUZZ_INPUT	192u

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static struct ring r;
static const unsigned char *fuzz_at, *fuzz_end;
static unsigned int fuzz_left;
static int fuzz_within;
static unsigned long fuzz_delivered;

static inline __u32 fuzz_byte(void)
{
	return fuzz_at < fuzz_end ? *fuzz_at++ : 0;
}

/* Values that mean something somewhere. */
static inline __u64 fuzz_value(void)
{
	__u32 kind = fuzz_byte();
	__u64 low = fuzz_byte();

	switch (kind & 7) {
	case 0:
		return low;
	case 1:
		return SHMRING_REC_READY | low;
	case 2:
		return SHMRING_REC_READY | SHMRING_REC_CHAIN | low;
	case 3:
		return SHMRING_REC_READY | (low << 4);
	case 4:
		return ~low;
	case 5:
		return low << 3;
	case 6:
		return low << 6 | fuzz_byte();
	default:
		return 1ull << (low & 63);
	}
}

/* Endpoints seem to come, to go, to sleep, to have left something. */
static inline void fuzz_scribble_meta(__u32 slot, __u32 at, __u64 value)
{
	struct shmring_orphan *orphan = &r.meta->orphan[slot];

	if (at & 1) {
		__atomic_store_n(&r.meta->rx_state, value, __ATOMIC_RELAXED);
	} else if (at & 2) {
		__atomic_store_n(&r.meta->tx_state, value, __ATOMIC_RELAXED);
	} else if (at & 4) {
		__atomic_store_n(&orphan->pos, value, __ATOMIC_RELAXED);
		__atomic_store_n(&orphan->lane, at >> 3 & 1, __ATOMIC_RELAXED);
		__atomic_store_n(&orphan->state, at >> 4 & 3, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&r.meta->slot[slot].state, value & 3, __ATOMIC_RELAXED);
	}
}

static inline void fuzz_scribble(void)
{
	__u32 where = fuzz_byte(), at = fuzz_byte() | fuzz_byte() << 8, lane;
	__u64 value = fuzz_value();
	__u32 slots = r.producers + r.consumers;

	switch (where & 7) {
	case 0:
	case 1:
	case 2:		/* a word of a lane, mostly at its beginning */
		lane = (where >> 3) % r.producers;
		at = where & 1 ? at & 0x3c : at & (FUZZ_SIZE - 4);
		__atomic_store_n((__u32 *)(void *)(r.data[lane] + at), (__u32)value,
				 __ATOMIC_RELAXED);
		break;
	case 3:
	case 4:		/* any word of a CURSOR page */
		__atomic_store_n((__u64 *)(void *)r.cursor[(where >> 3) % slots] + at % 512, value,
				 __ATOMIC_RELAXED);
		break;
	case 5:		/* those that matter */
		{
			struct shmring_cursor *c = r.cursor[(where >> 3) % slots];
			__u64 *word[] = { (void *)&c->pos, (void *)&c->hold, (void *)&c->hold_end,
					  (void *)&c->lane[at & 1].pos, (void *)&c->limit,
					  (void *)&c->mark[at & 7].pos,
					  (void *)&c->mark[at & 7].records, (void *)&c->wake_at };

			__atomic_store_n(word[at >> 3 & 7], value, __ATOMIC_RELAXED);
		}
		break;
	case 6:		/* SHARED */
		__atomic_store_n((__u64 *)(void *)r.shared + (where & 8 ? at % 512 : at % 2 * 8),
				 value, __ATOMIC_RELAXED);
		break;
	default:
		fuzz_scribble_meta((where >> 3) % slots, at, value);
		break;
	}
}

static void fuzz_step(void)
{
	if (!fuzz_left)
		return;
	if (!--fuzz_left)
		abort();	/* a loop that a peer can feed */
	if (fuzz_within && fuzz_at < fuzz_end && !(fuzz_byte() & 3))
		fuzz_scribble();
}

static inline void fuzz_begin(const unsigned char *data, size_t size)
{
	fuzz_at = data;
	fuzz_end = data + size;
	fuzz_left = 0;
	fuzz_within = 0;
}

/* The result of a call that began with this budget. */
#define FUZZ_CALL(call)							\
	({								\
		long ret_;						\
									\
		fuzz_left = FUZZ_BUDGET;				\
		ret_ = (call);						\
		fuzz_left = 0;						\
		if (ret_ < 0 && ret_ != -EAGAIN && ret_ != -EBADMSG && ret_ != -EPROTO && \
		    ret_ != -EPIPE)					\
			abort();					\
		ret_;							\
	})

#ifndef FUZZ_LIBFUZZER
static const char *const fuzz_seeds[] = {
#include FUZZ_SEEDS
};

#define FUZZ_NSEEDS	(sizeof(fuzz_seeds) / sizeof(fuzz_seeds[0]))

/* Seeds are written in hex, two digits a byte. */
static size_t fuzz_seed(size_t nth, unsigned char *input)
{
	size_t len = strlen(fuzz_seeds[nth]) / 2, k;
	char byte[3] = "";

	for (k = 0; k < len; k++) {
		memcpy(byte, fuzz_seeds[nth] + 2 * k, 2);
		input[k] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return len;
}

/* A seed, perhaps with the end of another one or of itself, and a few bytes changed. */
static size_t fuzz_mutate(unsigned char *input, uint64_t *random)
{
	unsigned char other[FUZZ_INPUT];
	size_t len = fuzz_seed(test_random(random) % FUZZ_NSEEDS, input), n, from;
	unsigned int k;

	if (test_random(random) & 1) {
		n = fuzz_seed(test_random(random) % FUZZ_NSEEDS, other);
		from = test_random(random) % (n + 1);
		n = n - from < FUZZ_INPUT - len ? n - from : FUZZ_INPUT - len;
		memcpy(input + len, other + from, n);
		len += n;
	}
	for (k = test_random(random) % 4; k && len; k--)
		input[test_random(random) % len] = (unsigned char)test_random(random);
	return len;
}

/* For libFuzzer to begin with: each seed as a file. */
static int fuzz_write(const char *dir)
{
	unsigned char input[FUZZ_INPUT];
	char path[4096];
	size_t k, len;
	FILE *f;

	for (k = 0; k < FUZZ_NSEEDS; k++) {
		len = fuzz_seed(k, input);
		snprintf(path, sizeof(path), "%s/seed-%zu", dir, k);
		f = fopen(path, "w");
		if (!f || fwrite(input, 1, len, f) != len || fclose(f))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : FUZZ_RUNS, k;
	unsigned char input[FUZZ_INPUT];
	uint64_t random = 1;
	size_t n, len;

	if (argc > 2)
		return fuzz_write(argv[2]);
	START();
	for (k = 0; k < runs; k++) {
		if (k < FUZZ_NSEEDS) {
			len = fuzz_seed(k, input);
		} else if (k & 1) {
			len = fuzz_mutate(input, &random);
		} else {
			len = test_random(&random) % sizeof(input);
			for (n = 0; n < len; n++)
				input[n] = (unsigned char)test_random(&random);
		}
		LLVMFuzzerTestOneInput(input, len);
	}
	printf("# %lu inputs, %zu of them seeds, %lu records came through\n", runs, FUZZ_NSEEDS,
	       fuzz_delivered);
	test_nr = 1;
	test_failures = !fuzz_delivered;
	printf("%sok 1 - %lu inputs%s\n", test_failures ? "not " : "", runs,
	       test_skip ? test_skip : "");
	DONE();
}
#endif

#endif /* SHMRING_TESTS_FUZZ_H */
