// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are on the node that was asked for, proved by move_pages(2) and numa_maps, and
 * INFO says the same.
 */
#include <linux/mempolicy.h>

#include "endpoint.h"
#include "nodes.h"

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
	touch(self->e.data, self->size);
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

TEST_HARNESS_MAIN
