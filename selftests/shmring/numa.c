// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are on the node that was asked for, proved by move_pages(2) and numa_maps, and
 * INFO says the same.
 */
#include <linux/mempolicy.h>

#include "endpoint.h"

#define NODES_MAX	64

static bool node_has(const char *what, int node)
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

/* The node of a page that is mapped and present, or -errno. */
static int node_of(void *page)
{
	int status = -ENOENT;

	if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0))
		return -errno;
	return status;
}

static void touch(const volatile unsigned char *p, size_t size)
{
	for (size_t i = 0; i < size; i += page_size())
		(void)p[i];
}

/* Pages of the mapping at @addr on @node, as /proc/self/numa_maps counts them. */
static long numa_maps_pages(const void *addr, int node)
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
static bool run_on_node(int node)
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

#define NEED_NODE(n) do {						\
	if (!node_has("has_memory", n))					\
		SKIP(return, "no node %d with memory", n);		\
} while (0)

FIXTURE(placed) {
	struct endpoint e;
	size_t size;
};

FIXTURE_VARIANT(placed) {
	int node;
	__u32 placement;
	__u32 flags;
	__u64 data_size;
};

FIXTURE_VARIANT_ADD(placed, node0) { 0, SHMRING_PLACE_STRICT, 0, 64 << 10 };
FIXTURE_VARIANT_ADD(placed, node1) { 1, SHMRING_PLACE_STRICT, 0, 64 << 10 };
FIXTURE_VARIANT_ADD(placed, preferred0) { 0, SHMRING_PLACE_PREFERRED, 0, 64 << 10 };
FIXTURE_VARIANT_ADD(placed, preferred1) { 1, SHMRING_PLACE_PREFERRED, 0, 64 << 10 };
FIXTURE_VARIANT_ADD(placed, small0) { 0, SHMRING_PLACE_STRICT, SHMRING_CREATE_SMALL, 8 << 20 };
FIXTURE_VARIANT_ADD(placed, small1) { 1, SHMRING_PLACE_STRICT, SHMRING_CREATE_SMALL, 8 << 20 };
FIXTURE_VARIANT_ADD(placed, large0) { 0, SHMRING_PLACE_STRICT, 0, 8 << 20 };
FIXTURE_VARIANT_ADD(placed, large1) { 1, SHMRING_PLACE_STRICT, 0, 8 << 20 };

FIXTURE_SETUP(placed) {}

FIXTURE_TEARDOWN(placed)
{
	if (!self->size)
		return;
	endpoint_unmap(&self->e);
	close(self->e.fd);
}

/* DATA where the variant says, the CURSOR page on the other node. */
static int create_placed(struct endpoint *e, int node, __u32 placement, __u32 flags, __u64 size)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, size);
	int fd;

	arg.flags = flags;
	arg.placement = placement;
	arg.node = node;
	arg.cursor_placement = SHMRING_PLACE_STRICT;
	arg.cursor_node = !node;
	fd = ring_create_with(&arg);
	return fd < 0 ? fd : endpoint_map(e, fd);
}

TEST_F(placed, data_is_there)
{
	NEED_NODE(0);
	NEED_NODE(1);
	ASSERT_EQ(0, create_placed(&self->e, variant->node, variant->placement, variant->flags,
				   variant->data_size));
	self->size = (size_t)self->e.info.data_size;
	touch(self->e.data, self->size);
	for (size_t i = 0; i < self->size; i += page_size())
		ASSERT_EQ(variant->node, node_of(self->e.data + i));
	EXPECT_EQ((long)(self->size / page_size()),
		  numa_maps_pages(self->e.data, variant->node));
	EXPECT_EQ(0, numa_maps_pages(self->e.data, !variant->node));
	EXPECT_EQ(variant->node, self->e.info.data_node);
	EXPECT_EQ(variant->placement, self->e.info.placement);
}

TEST_F(placed, cursor_is_on_the_other)
{
	NEED_NODE(0);
	NEED_NODE(1);
	ASSERT_EQ(0, create_placed(&self->e, variant->node, variant->placement, variant->flags,
				   variant->data_size));
	self->size = (size_t)self->e.info.data_size;
	(void)*(volatile __u64 *)&self->e.cursor->pos;
	EXPECT_EQ(!variant->node, node_of(self->e.cursor));
	EXPECT_EQ(!variant->node, self->e.info.cursor_node);
	(void)*(volatile const __u32 *)&self->e.meta->magic;
	EXPECT_EQ(self->e.info.meta_node, node_of((void *)(uintptr_t)self->e.meta));
}

FIXTURE(node) {
	struct endpoint e;
};

FIXTURE_VARIANT(node) {
	int node;
};

FIXTURE_VARIANT_ADD(node, node0) { 0 };
FIXTURE_VARIANT_ADD(node, node1) { 1 };

FIXTURE_SETUP(node) {}
FIXTURE_TEARDOWN(node) {}

TEST_F(node, local_follows_the_cpu)
{
	int fd;

	NEED_NODE(variant->node);
	if (!run_on_node(variant->node))
		SKIP(return, "no CPU on node %d", variant->node);
	fd = ring_create(SPSC, PRODUCER, 64 << 10, NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->e, fd));
	touch(self->e.data, 64 << 10);
	for (size_t i = 0; i < 64 << 10; i += page_size())
		ASSERT_EQ(variant->node, node_of(self->e.data + i));
	(void)*(volatile __u64 *)&self->e.cursor->pos;
	EXPECT_EQ(variant->node, node_of(self->e.cursor));
	EXPECT_EQ(variant->node, self->e.info.data_node);
	EXPECT_EQ(variant->node, self->e.info.cursor_node);
	EXPECT_EQ(variant->node, self->e.info.meta_node);
}

/* The peer's page moves to where the peer is, under the eyes of who has it mapped. */
TEST_F(node, attach_brings_the_cursor_page)
{
	struct shmring_ioc_attach arg;
	const struct shmring_cursor *seen;
	struct endpoint peer;
	int fd;

	NEED_NODE(0);
	NEED_NODE(1);
	fd = ring_create(SPSC, CONSUMER, page_size(), NULL);
	ASSERT_EQ(0, endpoint_map(&self->e, fd));
	seen = endpoint_peer(&self->e);
	ASSERT_EQ(0, shmring_load(&seen->pos));		/* mapped before it moves */
	arg = attach_fd_args(PRODUCER, fd);
	arg.cursor_placement = SHMRING_PLACE_STRICT;
	arg.cursor_node = variant->node;
	fd = open_and(SHMRING_IOC_ATTACH, &arg);
	ASSERT_EQ(0, endpoint_map(&peer, fd));
	EXPECT_EQ(variant->node, peer.info.cursor_node);
	shmring_store(&peer.cursor->stalls, 77);
	EXPECT_EQ(variant->node, node_of(peer.cursor));
	EXPECT_EQ(77, shmring_load(&seen->stalls));
	EXPECT_EQ(variant->node, node_of((void *)(uintptr_t)seen));
}

/* Positions survive when a successor wants its page elsewhere. */
TEST_F(node, successor_keeps_the_position)
{
	struct shmring_ioc_attach arg;
	struct endpoint peer;
	int fd, last;

	NEED_NODE(0);
	NEED_NODE(1);
	fd = ring_create(SPSC, CONSUMER, page_size(), NULL);
	ASSERT_EQ(0, endpoint_map(&self->e, fd));
	for (__u32 turn = 0; turn < 4; turn++) {
		arg = attach_fd_args(PRODUCER, fd);
		arg.cursor_placement = SHMRING_PLACE_STRICT;
		arg.cursor_node = (int)(variant->node + turn) % 2;
		last = open_and(SHMRING_IOC_ATTACH, &arg);
		ASSERT_EQ(0, endpoint_map(&peer, last));
		EXPECT_EQ(8u * turn, shmring_load(&peer.cursor->pos));
		shmring_store(&peer.cursor->pos, 8u * (turn + 1));
		EXPECT_EQ(8u * (turn + 1), shmring_load(&endpoint_peer(&self->e)->pos));
		endpoint_unmap(&peer);
		close(last);
	}
}

TEST_F(node, pages_do_not_migrate)
{
	int status = 0, to = !variant->node;
	void *page;

	NEED_NODE(0);
	NEED_NODE(1);
	ASSERT_EQ(0, create_placed(&self->e, variant->node, SHMRING_PLACE_STRICT, 0, 64 << 10));
	memset(self->e.data, 0x5a, 64 << 10);
	page = self->e.data;
	syscall(SYS_move_pages, 0, 1ul, &page, &to, &status, MPOL_MF_MOVE);
	EXPECT_EQ(variant->node, node_of(page));
	for (int i = 0; i < 64 << 10; i++)
		ASSERT_EQ(0x5a, self->e.data[i]);
}

/* More than the node has: refused as a whole, and all of it given back. */
TEST_F(node, strict_beyond_the_node)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, SHMRING_DATA_MAX);
	long long max = read_number(PARAM_DIR "max_bytes");
	char text[32];

	NEED_NODE(variant->node);
	snprintf(text, sizeof(text), "%lld", max);
	ASSERT_TRUE(write_text(PARAM_DIR "max_bytes", "0"));
	arg.placement = SHMRING_PLACE_STRICT;
	arg.node = variant->node;
	for (int i = 0; i < 2; i++) {
		int fd = ring_create_with(&arg);

		if (fd >= 0) {
			close(fd);
			write_text(PARAM_DIR "max_bytes", text);
			SKIP(return, "node %d has a GiB to give", variant->node);
		}
		EXPECT_EQ(-ENOMEM, fd);
	}
	EXPECT_TRUE(write_text(PARAM_DIR "max_bytes", text));
	ASSERT_EQ(0, create_placed(&self->e, variant->node, SHMRING_PLACE_STRICT, 0, 64 << 20));
	close(self->e.fd);
}

FIXTURE(nodes) {
	struct endpoint e;
	struct shmring_ioc_create arg;
};

FIXTURE_SETUP(nodes)
{
	self->arg = create_args(SPSC, PRODUCER, 64 << 10);
}

FIXTURE_TEARDOWN(nodes) {}

TEST_F(nodes, interleave_takes_turns)
{
	long pages[2];
	int fd;

	NEED_NODE(0);
	NEED_NODE(1);
	if (node_has("has_memory", 2))
		SKIP(return, "more than two nodes");
	self->arg.placement = SHMRING_PLACE_INTERLEAVE;
	fd = ring_create_with(&self->arg);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->e, fd));
	touch(self->e.data, 64 << 10);
	for (size_t i = page_size(); i < 64 << 10; i += page_size())
		ASSERT_EQ(!node_of(self->e.data + i - page_size()), node_of(self->e.data + i));
	for (int node = 0; node < 2; node++)
		pages[node] = numa_maps_pages(self->e.data, node);
	EXPECT_EQ(pages[0], pages[1]);
	EXPECT_EQ(-1, self->e.info.data_node);
	EXPECT_EQ(SHMRING_PLACE_INTERLEAVE, self->e.info.placement);
}

/* A node without memory: named by STRICT; the others find the nearest that has some. */
TEST_F(nodes, without_memory)
{
	int node, fd;

	for (node = 0; node < NODES_MAX; node++)
		if (node_has("online", node) && !node_has("has_memory", node))
			break;
	if (node == NODES_MAX)
		SKIP(return, "every node has memory");
	self->arg.node = node;
	self->arg.placement = SHMRING_PLACE_STRICT;
	EXPECT_EQ(-ENODEV, ring_create_with(&self->arg));
	self->arg.placement = SHMRING_PLACE_PREFERRED;
	fd = ring_create_with(&self->arg);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_info(fd, &self->e.info));
	EXPECT_NE(node, self->e.info.data_node);
	EXPECT_LE(0, self->e.info.data_node);
	close(fd);
	self->arg.node = -1;
	self->arg.placement = SHMRING_PLACE_LOCAL;
	self->arg.cursor_placement = SHMRING_PLACE_STRICT;
	self->arg.cursor_node = node;
	EXPECT_EQ(-ENODEV, ring_create_with(&self->arg));
	self->arg.cursor_placement = SHMRING_PLACE_PREFERRED;
	fd = ring_create_with(&self->arg);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_HARNESS_MAIN
