/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which NUMA nodes there are, and where pages are: as the kernel tells every process.
 */
#ifndef NODES_H
#define NODES_H

#include "shmring_test.h"

#define NODES_MAX	64

HELPER bool node_has(const char *what, int node)
{
	char path[64], text[256], *p = text;
	int fd, first, last, used;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/devices/system/node/%s", what);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	while (sscanf(p, "%d%n", &first, &used) == 1) {
		p += used;
		last = first;
		if (sscanf(p, "-%d%n", &last, &used) == 1)
			p += used;
		if (node >= first && node <= last)
			return true;
		if (*p++ != ',')
			break;
	}
	return false;
}

/*
 * The node of a page of a mapping, or -errno. Compaction unmaps a page before it is told that
 * it stays (Documentation/design.rst): then it is touched once more.
 */
HELPER int node_of(void *page)
{
	int status;

	do {
		(void)*(const volatile char *)page;
		status = -ENOENT;
		if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0))
			return -errno;
	} while (status == -ENOENT);
	return status;
}

HELPER void touch(const volatile unsigned char *p, size_t size)
{
	for (size_t i = 0; i < size; i += page_size())
		(void)p[i];
}

/* Pages of the mapping at @addr on @node, as /proc/self/numa_maps counts them. */
HELPER long numa_maps_pages(const void *addr, int node)
{
	FILE *f = fopen("/proc/self/numa_maps", "r");
	char line[512], key[16], *p;
	unsigned long start;
	long pages = -1;

	snprintf(key, sizeof(key), " N%d=", node);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx", &start) != 1 || start != (unsigned long)addr)
			continue;
		p = strstr(line, key);
		pages = p && strstr(line, DEVICE) ? strtol(p + strlen(key), NULL, 10) : 0;
	}
	if (f)
		fclose(f);
	return pages;
}

/* Run on a CPU of the node from now on. */
HELPER bool run_on_node(int node)
{
	char path[80];
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpu%d", node, cpu);
		if (!access(path, F_OK))
			CPU_SET(cpu, &set);
	}
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* The first node after @node of which the kernel says @what ("online"...), or -1. */
HELPER int next_node(const char *what, int node)
{
	while (++node < NODES_MAX)
		if (node_has(what, node))
			return node;
	return -1;
}

/* By the kernel's own distances, which are in the order of the online nodes. */
HELPER int nearest_with_memory(int node)
{
	int other, distance, best = -1, least = 256;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/distance", node);
	f = fopen(path, "r");
	for (other = next_node("online", -1); f && other >= 0; other = next_node("online", other)) {
		if (fscanf(f, "%d", &distance) != 1)
			break;
		if (node_has("has_memory", other) && distance < least) {
			least = distance;
			best = other;
		}
	}
	if (f)
		fclose(f);
	return best;
}

#endif /* NODES_H */
