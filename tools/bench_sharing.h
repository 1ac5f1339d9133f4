/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench false-sharing: what is varied, and what comes out.
 */
#ifndef SHMRING_BENCH_SHARING_H
#define SHMRING_BENCH_SHARING_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench_crew.h"

#define SHARING_LAYOUTS		3
#define SHARING_OPS		2
#define SHARING_KINDS		2	/* CREW_THREADS, CREW_FORK */
#define SHARING_COUNTS_MAX	16

/**
 * struct sharing_layout - where the counters of the workers are
 * @name: for people and results
 * @stride: from one to the next
 */
struct sharing_layout {
	const char *name;
	size_t stride;
};

extern const struct sharing_layout sharing_layouts[SHARING_LAYOUTS];

/**
 * struct sharing_op - how a worker adds to its own counter
 * @name: for people, options and results
 * @title: what it is
 * @add: so many times
 */
struct sharing_op {
	const char *name;
	const char *title;
	void (*add)(uint64_t *counter, unsigned int times);
};

extern const struct sharing_op sharing_ops[SHARING_OPS];
extern const char *const sharing_kind[SHARING_KINDS];

/* bench_sharing_args.c */

struct sharing_args {
	bool op[SHARING_OPS];
	bool kind[SHARING_KINDS];
	bool memory[BENCH_MEMORIES];
	bool chosen;		/* memories were named: one that cannot be had is an error */
	unsigned int most;	/* workers; 0: as many as there are CPUs */
	uint64_t target_ns;
	unsigned int rounds;
	struct bench_place place;
	bool placed;
	bool json;
	bool tsv;
};

void sharing_parse(struct sharing_args *args, int argc, char **argv);

/* bench_sharing_run.c */

/**
 * struct sharing_run - workers, a layout, a memory, once
 * @kind: memory
 * @crew: threads or processes
 * @workers: how many
 * @cpu: where each runs
 * @layout: in sharing_layouts
 * @op: in sharing_ops
 * @time_ns: how long
 * @rate: out: additions a second, of each worker on average
 * @done: out: additions of all
 * @address: out: of each worker's counter
 */
struct sharing_run {
	const struct bench_memory_kind *kind;
	enum crew_kind crew;
	unsigned int workers;
	const int *cpu;
	unsigned int layout;
	unsigned int op;
	uint64_t time_ns;
	double rate;
	uint64_t done;
	uint64_t address[CREW_MAX];
};

/* -EBADMSG: a counter does not hold what was added to it. */
int sharing_run(struct sharing_run *run);

/* bench_sharing_report.c */

/**
 * struct sharing_group - one comparison: the same in every layout
 * @kind: memory
 * @crew: threads or processes
 * @op: in sharing_ops
 * @workers: how many
 * @v: additions a second of each worker, of each layout and round
 * @done: additions of all rounds
 * @address: of the counters, in each layout
 */
struct sharing_group {
	const struct bench_memory_kind *kind;
	enum crew_kind crew;
	unsigned int op;
	unsigned int workers;
	double *v[SHARING_LAYOUTS];
	uint64_t done;
	uint64_t address[SHARING_LAYOUTS][CREW_MAX];
};

/**
 * struct sharing_report - all of it
 * @line: bytes of a cache line here, as the kernel has it
 */
struct sharing_report {
	const struct sharing_args *args;
	struct sharing_group *group;
	unsigned int groups;
	unsigned int cpus;
	unsigned int most;
	unsigned int line;
	json_t *environment;
	json_t *skipped;
};

int sharing_print(const struct sharing_report *report);

#endif /* SHMRING_BENCH_SHARING_H */
