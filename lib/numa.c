// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Placement on the memfd backend: memory policies by system call, and the truth
 * about where pages are and how large, from the kernel.
 *
 * A kernel without NUMA, or a container that forbids the calls, is a machine with
 * the one node 0: what is asked for there is had without them.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memfd.h"

#define SHMRING_NODES		1024
#define SHMRING_MASK_LONGS	(SHMRING_NODES / (8 * sizeof(unsigned long)))
#define SHMRING_NODE_DIR	"/sys/devices/system/node/"

struct shmring_nodes {
	unsigned long bits[SHMRING_MASK_LONGS];
};

static void shmring_nodes_set(struct shmring_nodes *nodes, unsigned int node)
{
	const unsigned int bits = 8 * sizeof(unsigned long);

	nodes->bits[node / bits] |= 1ul << (node % bits);
}

static bool shmring_nodes_test(const struct shmring_nodes *nodes, unsigned int node)
{
	const unsigned int bits = 8 * sizeof(unsigned long);

	return nodes->bits[node / bits] >> (node % bits) & 1;
}

/* Read a list like "0-3,5". */
static void shmring_nodes_read(const char *path, struct shmring_nodes *nodes)
{
	unsigned int from, to;
	FILE *f = fopen(path, "re");
	char sep;

	memset(nodes, 0, sizeof(*nodes));
	if (!f) {
		shmring_nodes_set(nodes, 0);
		return;
	}
	while (fscanf(f, "%u", &from) == 1) {
		to = from;
		sep = (char)fgetc(f);
		if (sep == '-') {
			if (fscanf(f, "%u", &to) != 1)
				break;
			fgetc(f);
		}
		for (; from <= to && from < SHMRING_NODES; from++)
			shmring_nodes_set(nodes, from);
	}
	fclose(f);
}

/**
 * shmring_place_check() - check a placement
 * @placement: SHMRING_PLACE_*
 * @node: its node, -1 for none
 * @may_interleave: INTERLEAVE means something here
 *
 * Return: 0, -EINVAL, -ENXIO (no such node, or offline), -ENODEV (no memory there).
 */
int shmring_place_check(uint32_t placement, int32_t node, bool may_interleave)
{
	struct shmring_nodes nodes;

	switch (placement) {
	case SHMRING_PLACE_INTERLEAVE:
		if (!may_interleave)
			return -EINVAL;
		/* fallthrough */
	case SHMRING_PLACE_LOCAL:
		return node == -1 ? 0 : -EINVAL;
	case SHMRING_PLACE_STRICT:
	case SHMRING_PLACE_PREFERRED:
		break;
	default:
		return -EINVAL;
	}
	if (node < 0)
		return -EINVAL;
	if (node >= SHMRING_NODES)
		return -ENXIO;
	shmring_nodes_read(SHMRING_NODE_DIR "online", &nodes);
	if (!shmring_nodes_test(&nodes, (unsigned int)node))
		return -ENXIO;
	shmring_nodes_read(SHMRING_NODE_DIR "has_memory", &nodes);
	if (placement == SHMRING_PLACE_STRICT && !shmring_nodes_test(&nodes, (unsigned int)node))
		return -ENODEV;
	return 0;
}

/*
 * A strict policy that cannot be met wakes the OOM killer, not an error: ask first
 * whether the node has the room. Return: 0, -ENOMEM.
 */
int shmring_place_room(uint32_t placement, int32_t node, uint64_t len)
{
	char path[64], line[128], key[32];
	uint64_t kib, room = 0;
	FILE *f;

	if (placement != SHMRING_PLACE_STRICT)
		return 0;
	snprintf(path, sizeof(path), SHMRING_NODE_DIR "node%d/meminfo", node);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %*d %31s %" SCNu64, key, &kib) != 2)
			continue;
		if (!strcmp(key, "MemFree:") || !strcmp(key, "Active(file):") ||
		    !strcmp(key, "Inactive(file):"))
			room += kib << 10;
	}
	fclose(f);
	return len <= room ? 0 : -ENOMEM;
}

static int shmring_mbind(void *addr, size_t len, int mode, const struct shmring_nodes *nodes,
			 unsigned int flags)
{
	return syscall(SYS_mbind, addr, len, mode, nodes->bits, SHMRING_NODES + 1, flags) ?
	       -errno : 0;
}

/**
 * shmring_place() - put a range of the file on nodes: pages there and pages to come
 * @addr: where it is mapped
 * @len: bytes
 * @placement: SHMRING_PLACE_*, checked
 * @node: its node
 *
 * Return: 0; -ENOMEM if STRICT cannot be had.
 */
int shmring_place(void *addr, size_t len, uint32_t placement, int32_t node)
{
	struct shmring_nodes nodes = { { 0 } };
	int mode = MPOL_PREFERRED;
	unsigned int here = 0;
	int err;

	switch (placement) {
	case SHMRING_PLACE_INTERLEAVE:
		mode = MPOL_INTERLEAVE;
		shmring_nodes_read(SHMRING_NODE_DIR "has_memory", &nodes);
		break;
	case SHMRING_PLACE_LOCAL:
		if (syscall(SYS_getcpu, NULL, &here, NULL) || here >= SHMRING_NODES)
			return 0;
		shmring_nodes_set(&nodes, here);
		break;
	case SHMRING_PLACE_STRICT:
		mode = MPOL_BIND;
		/* fallthrough */
	default:
		shmring_nodes_set(&nodes, (unsigned int)node);
	}
	/* Pages that others map too are moved for the privileged only. */
	err = shmring_mbind(addr, len, mode, &nodes, MPOL_MF_MOVE_ALL);
	if (err == -EPERM)
		err = shmring_mbind(addr, len, mode, &nodes, MPOL_MF_MOVE);
	if (placement != SHMRING_PLACE_STRICT)
		return 0;
	/* One node needs no call, and the truth is in the pages anyway. */
	return err && err != -ENOSYS && err != -EPERM ? -ENOMEM : 0;
}

/* The node of all pages, one looked at each @step bytes; -1 if they are on several. */
int32_t shmring_node_of_range(const void *addr, size_t len, size_t step)
{
	void *pages[256];
	int status[256], node = -1;
	size_t at = 0, n, k;

	while (at < len) {
		for (n = 0; n < 256 && at < len; n++, at += step)
			pages[n] = (unsigned char *)(uintptr_t)addr + at;
		if (syscall(SYS_move_pages, 0, n, pages, NULL, status, 0))
			return -1;
		for (k = 0; k < n; k++) {
			if (status[k] < 0 || (node >= 0 && status[k] != node))
				return -1;
			node = status[k];
		}
	}
	return node;
}

/* The node of the page at @addr, -1 if the kernel does not tell. */
int32_t shmring_node_of(const void *addr)
{
	return shmring_node_of_range(addr, 1, 1);
}

/**
 * shmring_place_page() - put one page that is there on a node
 * @addr: where it is mapped
 * @len: its size
 * @placement: SHMRING_PLACE_*, checked, not INTERLEAVE
 * @node: its node
 *
 * Most often it lies there already. To ask that it be moved has the kernel empty the page
 * lists of every CPU first, whether or not there is anything to move.
 *
 * Return: as shmring_place().
 */
int shmring_place_page(void *addr, size_t len, uint32_t placement, int32_t node)
{
	unsigned int here;

	if (placement == SHMRING_PLACE_LOCAL && !syscall(SYS_getcpu, NULL, &here, NULL))
		node = (int32_t)here;
	if (node >= 0 && shmring_node_of(addr) == node)
		return 0;
	return shmring_place(addr, len, placement, node);
}

/*
 * The size of the pages by which a mapping is mapped, as the page tables have it: 2 MiB
 * only if all of it is.
 */
uint64_t shmring_page_size_of(const void *addr, size_t len)
{
	uint64_t kib, huge = 0, from, to;
	bool inside = false;
	char line[512];
	FILE *f = fopen(SHMRING_PROC_SELF "/smaps", "re");

	if (f) {
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2) {
				if (inside)
					break;
				/* The kernel may have merged it with its double. */
				inside = from <= (uintptr_t)addr && (uintptr_t)addr < to;
				if (inside)
					len = to - from;
			} else if (inside && (sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1 ||
					      sscanf(line, "FilePmdMapped: %" SCNu64, &kib) == 1)) {
				huge += kib << 10;
			}
		}
		fclose(f);
	}
	return huge && huge >= len ? SHMRING_HUGE_BYTES : (uint64_t)sysconf(_SC_PAGESIZE);
}
