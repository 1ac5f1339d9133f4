// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench numa: what a worker does, in a process of its own, on a CPU of its node: write
 * a pattern, read it, compare it; or follow a chain through all cache lines, where each
 * load needs the one before.
 *
 * A child has no page tables for shared memory yet, so it touches all of it first.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bench_numa.h"

#define RUN_TIMEOUT_NS	120000000000ull
#define FACTOR		0x9e3779b97f4a7c15ull
#define LINE_WORDS	8		/* 64 bytes; the chain has a link in each */

/* What goes to the worker and comes back. */
struct job {
	const struct numa_place *place;
	uint64_t seed;
	bool chain;
	uint64_t write_ns;
	uint64_t read_ns;
	uint64_t chain_ns;
};

static void touch(const struct numa_place *place)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), at;
	volatile uint64_t *word;

	for (at = 0; at < place->bytes; at += page) {
		word = (volatile uint64_t *)(void *)((char *)place->base + at);
		*word = *word;
	}
}

static void write_all(uint64_t *p, uint64_t words, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < words; i++)
		p[i] = seed + i * FACTOR;
	__asm__ __volatile__("" : : : "memory");
}

static uint64_t sum_all(const uint64_t *p, uint64_t words)
{
	uint64_t a = 0, b = 0, c = 0, d = 0, i;

	for (i = 0; i < words; i += 4) {
		a += p[i];
		b += p[i + 1];
		c += p[i + 2];
		d += p[i + 3];
	}
	return a + b + c + d;
}

/* The sum of seed + i * FACTOR for i below @words, which is even. */
static uint64_t expected_sum(uint64_t words, uint64_t seed)
{
	return words * seed + words / 2 * (words - 1) * FACTOR;
}

static int compare_all(const uint64_t *p, uint64_t words, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < words; i++)
		if (p[i] != seed + i * FACTOR)
			return -EBADMSG;
	return 0;
}

static int bandwidth(struct job *job)
{
	uint64_t words = job->place->bytes / sizeof(uint64_t), begin, sum;
	uint64_t *p = job->place->base;

	begin = bench_now();
	write_all(p, words, job->seed);
	job->write_ns = bench_now() - begin;
	if (bench_spoil())
		p[words / 2] ^= 1;
	begin = bench_now();
	sum = sum_all(p, words);
	job->read_ns = bench_now() - begin;
	if (sum != expected_sum(words, job->seed))
		return -EBADMSG;
	return compare_all(p, words, job->seed);
}

/* All lines once, which their sum shows, and then at the begin again. */
static int chain(struct job *job)
{
	uint64_t lines = job->place->bytes / (LINE_WORDS * sizeof(uint64_t)), i, begin;
	const uint64_t *p = job->place->base;
	uint64_t at = 0, sum = 0;

	begin = bench_now();
	for (i = 0; i < lines; i++) {
		at = p[at * LINE_WORDS];
		if (at >= lines)
			return -EBADMSG;
		sum += at;
	}
	job->chain_ns = bench_now() - begin;
	return !at && sum == lines / 2 * (lines - 1) ? 0 : -EBADMSG;
}

static int work(void *arg, unsigned int who)
{
	struct job *job = arg;

	(void)who;
	touch(job->place);
	return job->chain ? chain(job) : bandwidth(job);
}

/* In a child on @cpu; @job goes there and comes back. */
static int run(struct job *job, int cpu)
{
	struct bench_crew crew = {
		.kind = CREW_FORK, .n = 1, .cpu = &cpu, .run = work,
		.timeout_ns = RUN_TIMEOUT_NS,
	};
	struct job *shared;
	int err;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	*shared = *job;
	crew.arg = shared;
	err = bench_crew_run(&crew);
	*job = *shared;
	munmap(shared, sizeof(*shared));
	return err;
}

static double per_second(size_t bytes, uint64_t ns)
{
	return (double)bytes / 1e6 / ((double)(ns ? ns : 1) / 1e9);
}

int numa_bandwidth(const struct numa_place *place, int cpu, uint64_t seed, double *write,
		   double *read)
{
	struct job job = { .place = place, .seed = seed };
	int err = run(&job, cpu);

	*write = per_second(place->bytes, job.write_ns);
	*read = per_second(place->bytes, job.read_ns);
	return err;
}

int numa_latency(const struct numa_place *place, int cpu, double *ns)
{
	struct job job = { .place = place, .chain = true };
	int err = run(&job, cpu);

	*ns = (double)job.chain_ns /
		((double)place->bytes / (LINE_WORDS * sizeof(uint64_t)));
	return err;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += FACTOR;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

int numa_shuffle(const struct numa_place *place)
{
	uint64_t lines = place->bytes / (LINE_WORDS * sizeof(uint64_t)), state = 1, i, k, was;
	uint64_t *p = place->base;

	/* Sattolo's: swapping with lower ones only leaves one cycle of all. */
	for (i = 0; i < lines; i++)
		p[i * LINE_WORDS] = i;
	for (i = lines - 1; i; i--) {
		k = next_random(&state) % i;
		was = p[i * LINE_WORDS];
		p[i * LINE_WORDS] = p[k * LINE_WORDS];
		p[k * LINE_WORDS] = was;
		if (!(i & 0xffff) && tool_stopped)
			return -EINTR;
	}
	return 0;
}
