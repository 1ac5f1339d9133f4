/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers of a benchmark, and the kinds of memory that they can share.
 */
#ifndef SHMRING_BENCH_CREW_H
#define SHMRING_BENCH_CREW_H

#include "bench.h"

#define CREW_MAX	64

/* ---- bench_crew.c: workers ------------------------------------------------- */

enum crew_kind {
	CREW_THREADS,	/* of one process, which is a child of ours */
	CREW_FORK,	/* related: children that inherit the memory */
	CREW_EXEC,	/* unrelated: programs that inherit nothing and attach by name */
};

/**
 * struct bench_crew - workers that do something at the same time
 * @kind: what they are
 * @n: how many, up to CREW_MAX
 * @cpu: where each runs
 * @run: THREADS, FORK: what worker @who does; 0 or a negative errno
 * @arg: for @run
 * @argv: EXEC: arguments of this program; the worker's number and our pid follow,
 *	for bench_crew_adopted()
 * @timeout_ns: then all are killed and the result is -ETIMEDOUT
 */
struct bench_crew {
	enum crew_kind kind;
	unsigned int n;
	const int *cpu;
	int (*run)(void *arg, unsigned int who);
	void *arg;
	const char *const *argv;
	uint64_t timeout_ns;
};

#define CREW_ARGS_MAX	12

/* CPUs for @n workers: all that we may use in turn, beginning with @place. */
int bench_crew_place(const struct bench_place *place, int *cpu, unsigned int n);
/* How many CPUs we may use. */
unsigned int bench_crew_cpus(void);

/*
 * 0 when every worker ended well; the first error of one; -ECHILD if one crashed;
 * -ETIMEDOUT; -EINTR when the user asked for the end. None is left.
 */
int bench_crew_run(const struct bench_crew *crew);

/* One at a time. @pidfd tells the end, and is the caller's to close. */
pid_t bench_crew_start(const struct bench_crew *crew, unsigned int who, int *pidfd);
/* 0 or the worker's error; as above. Kills what does not end by @deadline. */
int bench_crew_reap(pid_t pid, int pidfd, uint64_t deadline);

/* For an EXEC worker: dies with @parent. */
int bench_crew_adopted(pid_t parent);

/* Where all meet before they begin; @n come. */
void bench_crew_meet(uint32_t *arrived, unsigned int n);

/* ---- bench_memory.c: memory ------------------------------------------------ */

struct bench_memory;

/**
 * struct bench_memory_kind - a way to share memory
 * @name: for people, options and results
 * @what: one line on what it is
 * @make: fills in @base, and @name where there is one to attach by
 * @attach: by @name; NULL: for related processes only
 * @unname: nobody else shall come; NULL: the name goes with the memory
 * @release: of what make or attach did
 */
struct bench_memory_kind {
	const char *name;
	const char *what;
	int (*make)(struct bench_memory *m);
	int (*attach)(struct bench_memory *m);
	void (*unname)(struct bench_memory *m);
	void (*release)(struct bench_memory *m);
};

/**
 * struct bench_memory - memory that processes share
 * @kind: how
 * @bytes: how much was asked for
 * @node: NUMA node to be on, and no other; -1: any. Rings only.
 * @base: where it is
 * @name: by which another program finds it
 * @named: there is something under @name to remove
 * @fd: behind it, or -1
 * @ring: behind it, or NULL
 */
struct bench_memory {
	const struct bench_memory_kind *kind;
	size_t bytes;
	int node;
	void *base;
	char name[160];
	bool named;
	int fd;
	struct shmring *ring;
};

#define BENCH_MEMORIES	6
extern const struct bench_memory_kind bench_memory_kinds[BENCH_MEMORIES];

/* NULL if there is none of this name. */
const struct bench_memory_kind *bench_memory_find(const char *name);
int bench_memory_make(struct bench_memory *m, const struct bench_memory_kind *kind, size_t bytes,
		      int node);
int bench_memory_attach(struct bench_memory *m, const struct bench_memory_kind *kind,
			const char *name, size_t bytes);
void bench_memory_unname(struct bench_memory *m);
void bench_memory_free(struct bench_memory *m);
/* Why memory cannot be had, in words. */
const char *bench_memory_obstacle(const struct bench_memory_kind *kind, int err);

#endif /* SHMRING_BENCH_CREW_H */
