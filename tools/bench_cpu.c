// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which CPUs there are, which two make the best pair, and staying on one.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define CPUS	1024

static long read_number(int cpu, const char *file, long otherwise)
{
	char path[128];
	long value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/%s", cpu, file);
	f = fopen(path, "re");
	if (!f)
		return otherwise;
	if (fscanf(f, "%ld", &value) != 1)
		value = otherwise;
	fclose(f);
	return value;
}

static int node_of(int cpu)
{
	const struct dirent *e;
	char path[64];
	int node = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	d = opendir(path);
	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (sscanf(e->d_name, "node%d", &node) == 1)
			break;
	closedir(d);
	return node;
}

static int llc_of(int cpu)
{
	char file[64];
	int index;

	/* The list of sharers begins with the same CPU for all of them. */
	for (index = 8; index >= 0; index--) {
		snprintf(file, sizeof(file), "cache/index%d/shared_cpu_list", index);
		long first = read_number(cpu, file, -1);

		if (first >= 0)
			return (int)first;
	}
	return -1;
}

static void look_at(struct bench_cpu *cpu, int id)
{
	cpu->id = id;
	cpu->core = (int)read_number(id, "topology/core_id", id);
	cpu->package = (int)read_number(id, "topology/physical_package_id", 0);
	cpu->node = node_of(id);
	cpu->llc = llc_of(id);
}

static bool same_core(const struct bench_cpu *a, const struct bench_cpu *b)
{
	return a->package == b->package && a->core == b->core;
}

/* Cores of their own, as near to each other as can be, and not CPU 0 if others do. */
static int score(const struct bench_cpu *a, const struct bench_cpu *b)
{
	int s = 0;

	if (!same_core(a, b))
		s += 16;
	if (a->node == b->node)
		s += 8;
	if (a->llc >= 0 && a->llc == b->llc)
		s += 4;
	if (a->package == b->package)
		s += 2;
	if (a->id && b->id)
		s += 1;
	return s;
}

static void describe(struct bench_place *place)
{
	const struct bench_cpu *a = &place->cpu[0], *b = &place->cpu[1];

	if (a->id == b->id)
		snprintf(place->how, sizeof(place->how), "one CPU for both");
	else if (same_core(a, b))
		snprintf(place->how, sizeof(place->how), "two threads of one core");
	else
		snprintf(place->how, sizeof(place->how), "two cores, %s, %s",
			 a->node == b->node ? "one NUMA node" : "two NUMA nodes",
			 a->llc >= 0 && a->llc == b->llc ? "shared last-level cache" :
							   "no shared cache known");
}

int bench_place_pick(struct bench_place *place)
{
	struct bench_cpu *cpus;
	int i, j, n = 0, best = -1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	cpus = calloc(CPUS, sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	for (i = 0; i < CPU_SETSIZE && n < CPUS; i++)
		if (CPU_ISSET(i, &set))
			look_at(&cpus[n++], i);
	place->cpu[0] = place->cpu[1] = cpus[0];
	for (i = 0; i < n; i++) {
		for (j = i + 1; j < n; j++) {
			if (score(&cpus[i], &cpus[j]) <= best)
				continue;
			best = score(&cpus[i], &cpus[j]);
			place->cpu[0] = cpus[i];
			place->cpu[1] = cpus[j];
		}
	}
	free(cpus);
	describe(place);
	return 0;
}

int bench_place_parse(struct bench_place *place, const char *text)
{
	cpu_set_t set;
	int a, b, end = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	if (sscanf(text, "%d,%d%n", &a, &b, &end) != 2 || text[end])
		return -EINVAL;
	if (a < 0 || b < 0 || a >= CPU_SETSIZE || b >= CPU_SETSIZE ||
	    !CPU_ISSET(a, &set) || !CPU_ISSET(b, &set))
		return -EINVAL;
	look_at(&place->cpu[0], a);
	look_at(&place->cpu[1], b);
	describe(place);
	return 0;
}

int bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}
