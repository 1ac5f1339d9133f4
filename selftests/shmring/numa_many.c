// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machines with any number of NUMA nodes, some without memory: each node that has some gets
 * what it is asked for, in base and in huge pages; the others are told apart; what falls over
 * goes to the nearest; and what a node cannot give leaves nothing behind.
 *
 * INFO, fdinfo, move_pages(2) and numa_maps have to agree.
 */
#include "endpoint.h"
#include "nodes.h"

#define LOCAL		SHMRING_PLACE_LOCAL
#define STRICT		SHMRING_PLACE_STRICT
#define PREFERRED	SHMRING_PLACE_PREFERRED
#define INTERLEAVE	SHMRING_PLACE_INTERLEAVE

/* 0 or -errno; DATA on @node, the CURSOR page on @cursor_node, both as @placement says. */
static int create_on(struct endpoint *e, __u32 placement, int node, int cursor_node, __u64 size)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, size);
	int fd;

	arg.placement = placement;
	arg.node = node;
	if (placement != INTERLEAVE) {
		arg.cursor_placement = placement;
		arg.cursor_node = cursor_node;
	}
	fd = ring_create_with(&arg);
	return fd < 0 ? fd : endpoint_map(e, fd);
}

static void end(struct endpoint *e)
{
	endpoint_unmap(e);
	close(e->fd);
}

/* A line of /proc/self/fdinfo, or -100. */
static long long told(int fd, const char *key)
{
	char path[64], line[128], name[64];
	long long value, found = -100;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "shmring-%63[^:]:\t%lld", name, &value) == 2 && !strcmp(name, key))
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* Everything that tells where pages are tells the same. */
static void agree(struct __test_metadata *_metadata, struct endpoint *e, int node, int cursor)
{
	size_t size = (size_t)e->info.data_size;

	EXPECT_EQ(node, e->info.data_node);
	EXPECT_EQ(cursor, e->info.cursor_node);
	EXPECT_EQ(node_of((void *)(uintptr_t)e->meta), e->info.meta_node);
	for (size_t i = 0; i < size; i += page_size())
		ASSERT_EQ(node, node_of(e->data + i));
	EXPECT_EQ(cursor, node_of(e->cursor));
	EXPECT_EQ(node, told(e->fd, "data-node"));
	EXPECT_EQ(cursor, told(e->fd, "cursor-node"));
	EXPECT_EQ(e->info.meta_node, told(e->fd, "meta-node"));
	EXPECT_EQ((long long)e->info.data_page_size, told(e->fd, "data-page-size"));
	touch(e->data, size);
	EXPECT_LT(0, numa_maps_pages(e->data, node));
}

/* DATA and CURSOR on each pair of nodes, apart. */
TEST(each_pair_of_nodes)
{
	struct endpoint e;

	for (int node = next_node("has_memory", -1); node >= 0;
	     node = next_node("has_memory", node))
		for (int cursor = next_node("has_memory", -1); cursor >= 0;
		     cursor = next_node("has_memory", cursor)) {
			ASSERT_EQ(0, create_on(&e, STRICT, node, cursor, 64 << 10));
			EXPECT_EQ(page_size(), e.info.data_page_size);
			agree(_metadata, &e, node, cursor);
			end(&e);
			ASSERT_EQ(0, create_on(&e, PREFERRED, node, cursor, 64 << 10));
			agree(_metadata, &e, node, cursor);
			end(&e);
		}
}

TEST(huge_pages_on_each_node)
{
	struct endpoint e;

	for (int node = next_node("has_memory", -1); node >= 0;
	     node = next_node("has_memory", node)) {
		ASSERT_EQ(0, create_on(&e, STRICT, node, node, 4 << 20));
		EXPECT_EQ(PMD_SIZE, e.info.data_page_size);
		agree(_metadata, &e, node, node);
		end(&e);
	}
}

TEST(interleave_takes_all_in_turn)
{
	int node, first, count = 0;
	struct endpoint e;

	for (node = next_node("has_memory", -1); node >= 0; node = next_node("has_memory", node))
		count++;
	if (count < 2)
		SKIP(return, "a single node with memory");
	ASSERT_EQ(0, create_on(&e, INTERLEAVE, -1, -1, 64 << 10));
	first = node_of(e.data);
	for (size_t i = 0; i < 64 << 10; i += page_size()) {
		ASSERT_EQ(first, node_of(e.data + i));
		first = next_node("has_memory", first);
		if (first < 0)
			first = next_node("has_memory", -1);
	}
	EXPECT_EQ(INTERLEAVE, e.info.placement);
	EXPECT_EQ(-1, e.info.data_node);
	EXPECT_EQ(-1, told(e.fd, "data-node"));
	end(&e);
}

/* Nodes with CPUs alone: no must, and the nearest one otherwise, by what the kernel says. */
TEST(without_memory_the_nearest_gives)
{
	struct endpoint e;
	bool any = false;

	for (int node = next_node("online", -1); node >= 0; node = next_node("online", node)) {
		int near;

		if (node_has("has_memory", node))
			continue;
		any = true;
		near = nearest_with_memory(node);
		ASSERT_LE(0, near);
		EXPECT_EQ(-ENODEV, create_on(&e, STRICT, node, near, 64 << 10));
		EXPECT_EQ(-ENODEV, create_on(&e, STRICT, near, node, 64 << 10));
		ASSERT_EQ(0, create_on(&e, PREFERRED, node, node, 64 << 10));
		agree(_metadata, &e, near, near);
		end(&e);
		if (!node_has("has_cpu", node))
			continue;
		ASSERT_TRUE(run_on_node(node));
		ASSERT_EQ(0, create_on(&e, LOCAL, -1, -1, 64 << 10));
		agree(_metadata, &e, near, near);
		EXPECT_EQ(near, e.info.meta_node);
		end(&e);
	}
	if (!any)
		SKIP(return, "every node has memory");
}

/* Nodes that are not there: possible and offline, and beyond all that could be. */
TEST(nodes_that_are_not_there)
{
	static const int beyond[] = { 1023, 1024, 4096, 0x7fffffff };
	struct endpoint e;

	for (int node = 0; node < NODES_MAX; node++) {
		if (node_has("online", node))
			continue;
		for (__u32 placement = STRICT; placement <= PREFERRED; placement++) {
			EXPECT_EQ(-ENXIO, create_on(&e, placement, node, 0, 64 << 10));
			EXPECT_EQ(-ENXIO, create_on(&e, placement, 0, node, 64 << 10));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		EXPECT_EQ(-ENXIO, create_on(&e, PREFERRED, beyond[i], 0, 64 << 10));
	EXPECT_EQ(-EINVAL, create_on(&e, PREFERRED, -2, 0, 64 << 10));
	EXPECT_EQ(-EINVAL, create_on(&e, STRICT, -1, 0, 64 << 10));
	EXPECT_EQ(-EINVAL, create_on(&e, LOCAL, 0, -1, 64 << 10));
	EXPECT_EQ(-EINVAL, create_on(&e, INTERLEAVE, 0, -1, 64 << 10));
}

/*
 * Rings on the last node until it has no more: STRICT is refused then, PREFERRED takes from
 * elsewhere sooner or later (the kernel may find some more meanwhile) and says so. All of it
 * is given back: the harness compares memory before and after.
 */
TEST(a_node_runs_out)
{
	enum { PIECE = 32 << 20, MOST = 64 };
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, PIECE);
	long long max = read_number(PARAM_DIR "max_bytes");
	int fds[MOST], n = 0, node = -1, last, err = 0;
	struct shmring_ioc_info info = { 0 };
	char text[32];

	while ((last = next_node("has_memory", node)) >= 0)
		node = last;
	if (node <= 0)
		SKIP(return, "a single node with memory");
	ASSERT_TRUE(write_text(PARAM_DIR "max_bytes", "0"));
	arg.placement = STRICT;
	arg.node = node;
	while (n < MOST && !err) {
		fds[n] = ring_create_with(&arg);
		if (fds[n] < 0)
			err = fds[n];
		else
			n++;
	}
	EXPECT_LT(0, n);
	arg.placement = PREFERRED;
	info.data_node = node;
	while (n < MOST && info.data_node == node) {
		fds[n] = ring_create_with(&arg);
		if (fds[n] < 0)
			break;
		EXPECT_EQ(0, ring_info(fds[n++], &info));
	}
	while (n > 0)
		close(fds[--n]);
	snprintf(text, sizeof(text), "%lld", max);
	EXPECT_TRUE(write_text(PARAM_DIR "max_bytes", text));
	if (!err)
		SKIP(return, "node %d has 2 GiB to give", node);
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_NE(node, info.data_node);	/* -1: in part */
}

TEST_HARNESS_MAIN
