// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench numa: which nodes there are, and memory on one of them. Wherever the kernel
 * tells, every single page is looked at: memory that is not where it was asked to be
 * is an error, not a figure.
 */
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_numa.h"

#define PAGES_AT_ONCE	1024

const struct numa_placer numa_placers[NUMA_PLACERS] = {
	{ "libnuma", "anonymous shared memory, bound by libnuma's mbind(2)", NULL },
	{ "ring-memfd", "a RAW ring without the module, placed by libshmring", "ring-memfd" },
	{ "ring-device", "a RAW ring of /dev/shmring, placed by the module", "ring-device" },
};

static void add_worker(struct numa_topology *t, int node, int cpu)
{
	unsigned int i;

	for (i = 0; i < t->workers; i++)
		if (t->worker[i] == node)
			return;
	if (t->workers == NUMA_NODES_MAX)
		return;
	t->worker[t->workers] = node;
	t->cpu[t->workers++] = cpu;
}

static void sort_workers(struct numa_topology *t)
{
	unsigned int i, k;

	for (i = 1; i < t->workers; i++) {
		for (k = i; k && t->worker[k] < t->worker[k - 1]; k--) {
			int node = t->worker[k], cpu = t->cpu[k];

			t->worker[k] = t->worker[k - 1];
			t->cpu[k] = t->cpu[k - 1];
			t->worker[k - 1] = node;
			t->cpu[k - 1] = cpu;
		}
	}
}

int numa_look(struct numa_topology *topology)
{
	struct bitmask *allowed;
	cpu_set_t set;
	int i, node;

	memset(topology, 0, sizeof(*topology));
	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	topology->supported = numa_available() >= 0;
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		node = topology->supported ? numa_node_of_cpu(i) : 0;
		add_worker(topology, node < 0 ? 0 : node, i);
	}
	sort_workers(topology);
	allowed = topology->supported ? numa_get_mems_allowed() : NULL;
	for (i = 0; allowed && i <= numa_max_node() && topology->memories < NUMA_NODES_MAX; i++)
		if (numa_bitmask_isbitset(allowed, (unsigned int)i) &&
		    numa_node_size64(i, NULL) > 0)
			topology->memory[topology->memories++] = i;
	if (allowed)
		numa_bitmask_free(allowed);
	/* Without any word on nodes there is one. */
	if (!topology->memories)
		topology->memory[topology->memories++] = 0;
	return 0;
}

int numa_far(int from, int to)
{
	return numa_available() < 0 ? 0 : numa_distance(from, to);
}

uint64_t numa_room(int node)
{
	char path[64], line[128], key[32];
	unsigned long long kib, room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	f = fopen(path, "re");
	if (!f)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Node %*d %31s %llu", key, &kib) == 2 &&
		    (!strcmp(key, "MemFree:") || !strcmp(key, "Active(file):") ||
		     !strcmp(key, "Inactive(file):")))
			room += kib << 10;
	fclose(f);
	return room;
}

static int bound_make(struct numa_place *place)
{
	unsigned long mask[NUMA_NODES_MAX / (8 * sizeof(unsigned long)) + 1] = { 0 };
	void *p;
	int err;

	p = mmap(NULL, place->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	mask[(size_t)place->node / (8 * sizeof(*mask))] |=
		1UL << ((size_t)place->node % (8 * sizeof(*mask)));
	if (mbind(p, place->bytes, MPOL_BIND, mask, NUMA_NODES_MAX + 1, 0)) {
		err = -errno;
		munmap(p, place->bytes);
		return err;
	}
	memset(p, 0, place->bytes);
	place->base = p;
	place->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int ring_make(struct numa_place *place, const char *memory)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	int err;

	err = bench_memory_make(&place->memory, bench_memory_find(memory), place->bytes,
				place->node);
	if (err)
		return err;
	place->base = place->memory.base;
	memset(place->base, 0, place->bytes);
	err = shmring_info(place->memory.ring, &info);
	place->page_bytes = info.data_page_size;
	if (err)
		bench_memory_free(&place->memory);
	return err;
}

/* Is every page where it was asked to be? */
static int look_at_pages(struct numa_place *place)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), at = 0;
	void *pages[PAGES_AT_ONCE];
	int status[PAGES_AT_ONCE];
	unsigned long n, i;

	place->told = true;
	while (at < place->bytes) {
		for (n = 0; n < PAGES_AT_ONCE && at < place->bytes; n++, at += page)
			pages[n] = (char *)place->base + at;
		if (move_pages(0, n, pages, NULL, status, 0)) {
			place->told = false;	/* a kernel or a container that does not tell */
			return 0;
		}
		for (i = 0; i < n; i++)
			if (status[i] != place->node)
				return status[i] < 0 ? status[i] : -EXDEV;
	}
	return 0;
}

int numa_place_make(struct numa_place *place, unsigned int placer, int node, size_t bytes)
{
	int err;

	memset(place, 0, sizeof(*place));
	place->placer = placer;
	place->node = node;
	place->bytes = bytes;
	if (numa_placers[placer].memory)
		err = ring_make(place, numa_placers[placer].memory);
	else
		err = bound_make(place);
	if (err)
		return err;
	err = look_at_pages(place);
	if (err)
		numa_place_free(place);
	return err;
}

void numa_place_free(struct numa_place *place)
{
	if (!place->base)
		return;
	if (numa_placers[place->placer].memory)
		bench_memory_free(&place->memory);
	else
		munmap(place->base, place->bytes);
	place->base = NULL;
}
