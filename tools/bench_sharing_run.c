// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench false-sharing: one run. Every worker adds to a counter that is its own alone;
 * all that is varied is how far it is from the next one.
 */
#include "bench_sharing.h"

#define RUN_TIMEOUT_NS	60000000000ull
#define BLOCK		1024		/* additions between two looks at the clock */
#define STRIDE_MAX	128
#define COUNTERS_AT	16384		/* behind struct area, at the begin of a page */

struct worker {
	uint64_t begin;
	uint64_t end;
	uint64_t done;
	uint64_t address;
} __attribute__((aligned(128)));

struct area {
	struct sharing_run run;
	uint8_t gap[128];
	uint32_t arrived;
	struct worker worker[CREW_MAX];
};

_Static_assert(sizeof(struct area) <= COUNTERS_AT, "struct area ends before the counters");

static void add_locked(uint64_t *counter, unsigned int times)
{
	while (times--)
		__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void add_plain(uint64_t *counter, unsigned int times)
{
	while (times--)
		__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1,
				 __ATOMIC_RELAXED);
}

const struct sharing_layout sharing_layouts[SHARING_LAYOUTS] = {
	{ "packed", 8 }, { "64 B apart", 64 }, { "128 B apart", STRIDE_MAX },
};

const struct sharing_op sharing_ops[SHARING_OPS] = {
	{ "locked", "locked add", add_locked },
	{ "plain", "load and store", add_plain },
};

const char *const sharing_kind[SHARING_KINDS] = { "threads", "processes" };

static uint64_t *counter_of(struct area *a, unsigned int who)
{
	return (uint64_t *)(void *)((char *)a + COUNTERS_AT +
				    who * sharing_layouts[a->run.layout].stride);
}

static int work(void *arg, unsigned int who)
{
	struct area *a = arg;
	void (*add)(uint64_t *counter, unsigned int times) = sharing_ops[a->run.op].add;
	struct worker *w = &a->worker[who];
	uint64_t *counter = counter_of(a, who), done = 0, until;

	w->address = (uint64_t)(uintptr_t)counter;
	bench_crew_meet(&a->arrived, a->run.workers);
	w->begin = bench_now();
	until = w->begin + a->run.time_ns;
	do {
		add(counter, BLOCK);
		done += BLOCK;
		w->end = bench_now();
	} while (w->end < until);
	w->done = done + bench_spoil();
	return 0;
}

int sharing_run(struct sharing_run *run)
{
	struct bench_crew crew = {
		.kind = run->crew, .n = run->workers, .cpu = run->cpu, .run = work,
		.timeout_ns = RUN_TIMEOUT_NS,
	};
	struct bench_memory m;
	struct area *a;
	unsigned int i;
	int err;

	err = bench_memory_make(&m, run->kind, COUNTERS_AT + CREW_MAX * STRIDE_MAX, -1);
	if (err)
		return err;
	/* Nobody attaches: all inherit. */
	bench_memory_unname(&m);
	a = m.base;
	memset(a, 0, m.bytes);
	a->run = *run;
	crew.arg = a;
	err = bench_crew_run(&crew);
	run->rate = 0;
	run->done = 0;
	for (i = 0; i < run->workers && !err; i++) {
		const struct worker *w = &a->worker[i];

		if (*counter_of(a, i) != w->done || !w->done)
			err = -EBADMSG;
		run->rate += (double)w->done / ((double)(w->end - w->begin) / 1e9) / run->workers;
		run->done += w->done;
		run->address[i] = w->address;
	}
	bench_memory_free(&m);
	return err;
}
