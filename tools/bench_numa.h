/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench numa: nodes, memory on each, and what a worker on each measures.
 */
#ifndef SHMRING_BENCH_NUMA_H
#define SHMRING_BENCH_NUMA_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench_crew.h"

#define NUMA_NODES_MAX	64
#define NUMA_PLACERS	3

enum numa_metric {
	NUMA_WRITE,	/* MB/s */
	NUMA_READ,	/* MB/s */
	NUMA_LATENCY,	/* ns of a load that needs the one before */
	NUMA_METRICS,
};

/**
 * struct numa_placer - who puts memory on a node
 * @name: for people, options and results
 * @what: one line on what it is
 * @memory: a kind of bench_memory that takes a node; NULL: anonymous memory and libnuma
 */
struct numa_placer {
	const char *name;
	const char *what;
	const char *memory;
};

extern const struct numa_placer numa_placers[NUMA_PLACERS];

/**
 * struct numa_place - memory on one node
 * @placer: in numa_placers
 * @node: where it was asked to be, and is
 * @base: where it is mapped
 * @bytes: how much
 * @page_bytes: of its pages
 * @told: the kernel told that every page is on @node
 * @memory: behind it, for rings
 */
struct numa_place {
	unsigned int placer;
	int node;
	void *base;
	size_t bytes;
	uint64_t page_bytes;
	bool told;
	struct bench_memory memory;
};

/* bench_numa_place.c */

/**
 * struct numa_topology - the nodes that we may use
 * @memory: those with memory
 * @worker: those with a CPU
 * @cpu: one of each of @worker
 * @supported: the kernel can place memory
 */
struct numa_topology {
	int memory[NUMA_NODES_MAX];
	unsigned int memories;
	int worker[NUMA_NODES_MAX];
	int cpu[NUMA_NODES_MAX];
	unsigned int workers;
	bool supported;
};

int numa_look(struct numa_topology *topology);
/* As the firmware tells it: 10 is local; 0 if it is not told. */
int numa_far(int from, int to);
/* What is free there, or could be at once. */
uint64_t numa_room(int node);
/* 0; -EXDEV: pages are on another node than was asked for; ... */
int numa_place_make(struct numa_place *place, unsigned int placer, int node, size_t bytes);
void numa_place_free(struct numa_place *place);

/* bench_numa_run.c */

/* Both -EBADMSG when what is read is not what was written. */
int numa_bandwidth(const struct numa_place *place, int cpu, uint64_t seed, double *write,
		   double *read);
int numa_latency(const struct numa_place *place, int cpu, double *ns);
/* Makes one cycle of all lines of the memory, in no order. */
int numa_shuffle(const struct numa_place *place);

/* bench_numa_report.c */

/**
 * struct numa_cell - a worker's node and a memory
 * @place: the memory
 * @worker: index of the node in the topology
 * @v: of each metric and round
 * @checked: words that were written, read and compared
 */
struct numa_cell {
	const struct numa_place *place;
	unsigned int worker;
	double *v[NUMA_METRICS];
	uint64_t checked;
};

struct numa_report {
	const struct numa_topology *topology;
	struct numa_cell *cell;
	unsigned int cells;
	unsigned int rounds;
	size_t bytes;
	bool json;
	bool tsv;
	json_t *environment;
	json_t *skipped;
};

int numa_print(const struct numa_report *report);

#endif /* SHMRING_BENCH_NUMA_H */
