/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench sem: what the workers share, and the guards.
 */
#ifndef SHMRING_BENCH_SEM_H
#define SHMRING_BENCH_SEM_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "bench_crew.h"

#define SEM_WORKERS_MAX	16	/* fewer than a RAW ring takes endpoints */
#define SEM_GUARDS	5
#define SEM_LOG_MAX	1000000	/* steps of all workers together */

enum sem_part {
	SEM_ADD,	/* all workers add, and are timed */
	SEM_KILL,	/* worker 0 adds, and stays in the critical section; 1 comes after */
};

/* One step of one worker: when, and what it made of the counter. */
struct sem_step {
	uint64_t ns;
	uint64_t value;
};

#define SEM_GAP	128	/* no two of them in a line or its neighbour */

struct sem_worker {
	uint64_t begin;
	uint64_t end;
} __attribute__((aligned(128)));

/**
 * struct sem_area - all that the workers share; the memory under test
 * @guard: in sem_guards
 * @part: what to do
 * @workers: how many come
 * @steps: of each
 * @log: steps are written down, behind this struct
 * @gap1: and all others: so that what follows shares no line with what is before
 * @arrived: at the places where all meet
 * @counter: what they add to
 * @before: KILL: its value before the step that is under way
 * @busy: KILL: there is one, so @counter holds nothing of use
 * @holding: worker 0 is where it will be killed
 * @waiting: worker 1 is about to enter
 * @told: what it was told when it did
 * @entered: when that was
 * @worker: what each measured
 */
struct sem_area {
	uint32_t guard;
	uint32_t part;
	uint32_t workers;
	uint32_t log;
	uint64_t steps;
	uint8_t gap1[SEM_GAP];
	uint32_t arrived[2];
	uint8_t gap2[SEM_GAP];
	sem_t sem;
	uint8_t gap3[SEM_GAP];
	pthread_mutex_t mutex;
	uint8_t gap4[SEM_GAP];
	uint32_t futex;
	uint8_t gap5[SEM_GAP];
	uint64_t counter;
	uint64_t before;
	uint32_t busy;
	uint8_t gap6[SEM_GAP];
	uint32_t holding;
	uint32_t waiting;
	int32_t told;
	uint64_t entered;
	struct sem_worker worker[SEM_WORKERS_MAX];
	struct sem_step step[];
};

/* bench_sem_guard.c */

/**
 * struct sem_guard - a way to keep the others out while one adds
 * @name: for people, options and results
 * @what: one line on what it is
 * @right: the sum has to be right
 * @recovers: who waits for a holder that died is told, and goes on
 * @init: in @a, before anybody comes
 * @lock: 0, or a negative errno; -EOWNERDEAD: entered, the last one in there died.
 *	NULL: there is nothing to hold
 * @repaired: after -EOWNERDEAD
 * @unlock: leave
 * @add: @a->steps times, as fast as can be; @log: NULL, or write down each
 */
struct sem_guard {
	const char *name;
	const char *what;
	bool right;
	bool recovers;
	int (*init)(struct sem_area *a);
	int (*lock)(struct sem_area *a);
	int (*repaired)(struct sem_area *a);
	int (*unlock)(struct sem_area *a);
	int (*add)(struct sem_area *a, struct sem_step *log);
};

extern const struct sem_guard sem_guards[SEM_GUARDS];

/* bench_sem_args.c */

#define SEM_RELATIONS	2	/* 0: related, 1: unrelated */
extern const char *const sem_relation[SEM_RELATIONS];

struct sem_args {
	bool guard[SEM_GUARDS];
	bool memory[BENCH_MEMORIES];
	bool relation[SEM_RELATIONS];
	bool chosen;		/* memories were named: one that cannot be had is an error */
	unsigned int workers;
	uint64_t steps;		/* 0: as many as take target_ns */
	uint64_t target_ns;
	unsigned int rounds;
	bool kill;
	uint64_t timeout_ns;	/* of who waits for a dead holder */
	const char *log;
	struct bench_place place;
	bool placed;
	bool json;
	bool tsv;
};

void sem_parse(struct sem_args *args, int argc, char **argv);

/* bench_sem_run.c */

/**
 * struct sem_run - a memory, a guard, and workers, once
 * @kind: memory
 * @unrelated: the workers are programs started anew
 * @guard: in sem_guards
 * @workers: how many
 * @cpu: where each runs
 * @steps: of each
 * @timeout_ns: KILL: how long a waiter may wait
 * @log: NULL, or where every step goes, after the run
 * @elapsed_ns: out, from the first begin to the last end
 * @sum: out
 * @hung: out, KILL: it waited until the timeout
 * @waited_ns: out, KILL: from the kill to its entering, or to the timeout
 * @twice: out, with a log: values that two steps made
 */
struct sem_run {
	const struct bench_memory_kind *kind;
	bool unrelated;
	unsigned int guard;
	unsigned int workers;
	const int *cpu;
	uint64_t steps;
	uint64_t timeout_ns;
	FILE *log;
	uint64_t elapsed_ns;
	uint64_t sum;
	bool hung;
	uint64_t waited_ns;
	uint64_t twice;
};

int sem_run(struct sem_run *run);
int sem_kill(struct sem_run *run);
/* What an unrelated worker's command line calls. */
int sem_worker_main(int argc, char **argv);

/* bench_sem_report.c */

enum sem_outcome {
	SEM_UNTRIED,
	SEM_HANGS,
	SEM_RECOVERS,
	SEM_GOES_ON,	/* there was nothing to hold */
};

/**
 * struct sem_result - one guard in one memory among one kind of workers
 * @kind: memory
 * @unrelated: the workers are programs started anew
 * @guard: in sem_guards
 * @v: additions a second, of each round
 * @steps: of each worker in a round
 * @lost: additions that are not in the sum, of all rounds
 * @done: additions, likewise
 * @twice: values that two steps made, of those in the log
 * @outcome: when the holder was killed
 * @waited_ns: how long it took to get in, or how long was waited in vain
 */
struct sem_result {
	const struct bench_memory_kind *kind;
	bool unrelated;
	unsigned int guard;
	double *v;
	uint64_t steps;
	uint64_t lost;
	uint64_t done;
	uint64_t twice;
	enum sem_outcome outcome;
	uint64_t waited_ns;
};

struct sem_report {
	const struct sem_args *args;
	struct sem_result *result;
	unsigned int results;
	json_t *environment;
	json_t *skipped;
};

int sem_print(const struct sem_report *report);

#endif /* SHMRING_BENCH_SEM_H */
