/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmarks share: where processes run, clocks, a pair of processes,
 * counting system calls, statistics, and how results look.
 */
#ifndef SHMRING_BENCH_H
#define SHMRING_BENCH_H

#include "tool.h"

int bench_pc(int argc, char **argv);
int bench_guide(int argc, char **argv);
int bench_peers(int argc, char **argv);
int bench_many(int argc, char **argv);
int bench_sem(int argc, char **argv);
int bench_false_sharing(int argc, char **argv);
int bench_numa(int argc, char **argv);
int bench_compare(int argc, char **argv);
int bench_html(int argc, char **argv);

/* bench_cpu.c: which CPUs there are, and staying on one */

struct bench_cpu {
	int id;
	int core;
	int package;
	int node;
	int llc;	/* one number for all CPUs that share the last cache */
};

/**
 * struct bench_place - where the two processes of a pair run
 * @cpu: of either; the same twice where there is only one
 * @how: what the two share, in words
 */
struct bench_place {
	struct bench_cpu cpu[2];
	char how[64];
};

/* Both return 0 or -errno; *_parse gives -EINVAL for what is no pair of usable CPUs. */
int bench_place_pick(struct bench_place *place);
int bench_place_parse(struct bench_place *place, const char *text);
int bench_pin(int cpu);

/* bench_stats.c: the clock, and what looking at it costs */

uint64_t bench_now(void);
/* CPU time of this process, in ns. */
uint64_t bench_cpu_time(void);
/* What one bench_now() costs, and the least difference that it can show. */
void bench_clock_cost(double *cost_ns, double *step_ns);
/* What the least of all system calls costs, in ns. */
double bench_call_cost(void);

/* bench_stats.c: statistics; each sorts a copy, or what it is given where it says so */

struct bench_stats {
	double median;
	double min;
	double max;
	double mad;	/* median absolute deviation */
};

struct bench_ratio {
	double median;
	double min;
	double max;
	unsigned int ahead;	/* rounds in which it was above 1 */
};

void bench_stats(const double *v, unsigned int n, struct bench_stats *out);
/* Round by round: @v over @base, or the inverse where less is better. */
void bench_ratio(const double *v, const double *base, unsigned int n, bool less_is_better,
		 struct bench_ratio *out);
/* Sorts @v. */
double bench_percentile(uint32_t *v, size_t n, double p);

/* bench_pair.c: two processes that do something together */

#define BENCH_SIDES	2

/**
 * struct bench_side - what one process says; in shared memory
 * @err: 0, or what went wrong: a negative errno
 * @begin: when the timed part began
 * @end: when it ended
 * @sleeps: in the timed part, where the contender counts them
 * @kicks: likewise
 * @switches: voluntary context switches in the timed part
 * @cpu: CPU time in ns in the timed part
 */
struct bench_side {
	int32_t err;
	uint32_t arrived;
	uint64_t begin;
	uint64_t end;
	uint64_t sleeps;
	uint64_t kicks;
	uint64_t switches;
	uint64_t cpu;
} __attribute__((aligned(128)));

/**
 * struct bench_pair - two processes on two CPUs
 * @place: where
 * @run: what each does; returns 0 or a negative errno
 * @arg: for @run
 * @timeout_ns: then both are stopped and the result is -ETIMEDOUT
 * @side: out, shared
 * @traced: count system calls between bench_mark_begin() and bench_mark_end()
 * @calls: out: how many there were, of each side
 */
struct bench_pair {
	const struct bench_place *place;
	int (*run)(struct bench_pair *pair, unsigned int side);
	void *arg;
	uint64_t timeout_ns;
	struct bench_side *side;
	bool traced;
	uint64_t calls[BENCH_SIDES];
};

int bench_pair_init(struct bench_pair *pair);
void bench_pair_free(struct bench_pair *pair);
/* 0, or the first error of a side; -EINTR when the user asked for the end. */
int bench_pair_run(struct bench_pair *pair);

/* In a child: leave it to the parent, which kills its children, to be stopped by a signal. */
void bench_child_signals(void);
/* For @run: wait until both are here. */
void bench_pair_meet(struct bench_pair *pair, unsigned int side);
void bench_mark_begin(struct bench_pair *pair, unsigned int side);
void bench_mark_end(struct bench_pair *pair, unsigned int side);

/* bench_trace.c: counting system calls with ptrace(2) */

int bench_trace_me(void);
void bench_trace_mark(bool begin);
/* Waits for both children; @status out. 0, -EINTR, -ETIMEDOUT, or what ptrace gave. */
int bench_trace_wait(const pid_t *pid, int *status, uint64_t *calls, uint64_t deadline);

/*
 * SHMRING_BENCH_SPOIL is in the environment: make one piece of the data wrong on its way.
 * For the tests, which show with it that every check can fail.
 */
bool bench_spoil(void);

/* bench_environment.c: what is measured on; @place may be NULL */

json_t *bench_environment(const struct bench_place *place);
void bench_print_environment(const json_t *env, FILE *f);
/* Did others use the CPUs? */
bool bench_busy(const json_t *env);

/* bench_progress.c */

struct bench_progress {
	bool on;
	unsigned int done;
	unsigned int total;
	uint64_t began;
};

void bench_progress_init(struct bench_progress *p, unsigned int total);
void bench_progress(struct bench_progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void bench_progress_end(struct bench_progress *p);

#endif /* SHMRING_BENCH_H */
