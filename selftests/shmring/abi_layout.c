// SPDX-License-Identifier: GPL-2.0-only
/*
 * The structs have one layout for 32-bit and 64-bit programs: built for both, this
 * file compiles or it does not.
 */
#include "shmring_test.h"

#define SIZE(type, size)	_Static_assert(sizeof(struct type) == (size), #type)
#define AT(type, field, at) \
	_Static_assert(offsetof(struct type, field) == (at), #type "." #field)

SIZE(shmring_ioc_create, 136);
AT(shmring_ioc_create, size, 0);
AT(shmring_ioc_create, flags, 4);
AT(shmring_ioc_create, topology, 8);
AT(shmring_ioc_create, role, 12);
AT(shmring_ioc_create, data_size, 16);
AT(shmring_ioc_create, full_policy, 24);
AT(shmring_ioc_create, slots, 28);
AT(shmring_ioc_create, mode, 40);
AT(shmring_ioc_create, placement, 44);
AT(shmring_ioc_create, node, 48);
AT(shmring_ioc_create, cursor_placement, 52);
AT(shmring_ioc_create, cursor_node, 56);
AT(shmring_ioc_create, resv, 60);
AT(shmring_ioc_create, ring_id, 64);
AT(shmring_ioc_create, name, 72);
AT(shmring_ioc_create, producers, 32);
AT(shmring_ioc_create, consumers, 36);

SIZE(shmring_ioc_attach, 96);
AT(shmring_ioc_attach, size, 0);
AT(shmring_ioc_attach, flags, 4);
AT(shmring_ioc_attach, role, 8);
AT(shmring_ioc_attach, fd, 12);
AT(shmring_ioc_attach, cursor_placement, 16);
AT(shmring_ioc_attach, cursor_node, 20);
AT(shmring_ioc_attach, ring_id, 24);
AT(shmring_ioc_attach, name, 32);

SIZE(shmring_ioc_info, 240);
AT(shmring_ioc_info, size, 0);
AT(shmring_ioc_info, flags, 4);
AT(shmring_ioc_info, ring_id, 8);
AT(shmring_ioc_info, topology, 16);
AT(shmring_ioc_info, full_policy, 20);
AT(shmring_ioc_info, role, 24);
AT(shmring_ioc_info, slot, 28);
AT(shmring_ioc_info, slots, 32);
AT(shmring_ioc_info, slots_live, 44);
AT(shmring_ioc_info, observers, 48);
AT(shmring_ioc_info, rights, 52);
AT(shmring_ioc_info, control_size, 56);
AT(shmring_ioc_info, cursor_offset, 64);
AT(shmring_ioc_info, cursor_stride, 72);
AT(shmring_ioc_info, data_offset, 88);
AT(shmring_ioc_info, data_size, 96);
AT(shmring_ioc_info, max_record, 104);
AT(shmring_ioc_info, data_page_size, 112);
AT(shmring_ioc_info, placement, 120);
AT(shmring_ioc_info, data_node, 124);
AT(shmring_ioc_info, cursor_node, 128);
AT(shmring_ioc_info, meta_node, 132);
AT(shmring_ioc_info, mode, 136);
AT(shmring_ioc_info, uid, 140);
AT(shmring_ioc_info, gid, 144);
AT(shmring_ioc_info, resv, 148);
AT(shmring_ioc_info, produced, 152);
AT(shmring_ioc_info, consumed, 160);
AT(shmring_ioc_info, name, 176);
AT(shmring_ioc_info, producers, 36);
AT(shmring_ioc_info, consumers, 40);
AT(shmring_ioc_info, shared_offset, 80);
AT(shmring_ioc_info, lost, 168);

SIZE(shmring_ioc_eventfd, 16);
AT(shmring_ioc_eventfd, events, 8);
AT(shmring_ioc_eventfd, fd, 12);

SIZE(shmring_uring_wait, 16);
AT(shmring_uring_wait, deadline, 0);
AT(shmring_uring_wait, need, 8);
AT(shmring_uring_wait, events, 12);
AT(shmring_uring_wait, flags, 14);
SIZE(shmring_ioc_wait, 40);
AT(shmring_ioc_wait, events, 8);
AT(shmring_ioc_wait, revents, 12);
AT(shmring_ioc_wait, need, 16);
AT(shmring_ioc_wait, deadline, 32);
AT(shmring_ioc_wait, need_records, 24);

SIZE(shmring_slot, 16);
AT(shmring_slot, role, 4);
AT(shmring_slot, generation, 8);
AT(shmring_slot, pid, 12);

SIZE(shmring_witness, 48);
AT(shmring_witness, waits, 0);
AT(shmring_witness, wakes, 8);
AT(shmring_witness, spurious, 16);
AT(shmring_witness, kicks, 24);
AT(shmring_witness, kicks_idle, 32);

SIZE(shmring_meta, 4096);
AT(shmring_meta, magic, 0);
AT(shmring_meta, abi, 4);
AT(shmring_meta, ring_id, 8);
AT(shmring_meta, data_size, 16);
AT(shmring_meta, data_offset, 24);
AT(shmring_meta, cursor_offset, 32);
AT(shmring_meta, cursor_stride, 40);
AT(shmring_meta, flags, 48);
AT(shmring_meta, topology, 52);
AT(shmring_meta, full_policy, 56);
AT(shmring_meta, slots, 60);
AT(shmring_meta, features, 80);
AT(shmring_meta, resv, 88);
AT(shmring_meta, slot, 256);
AT(shmring_meta, producers, 64);
AT(shmring_meta, consumers, 68);
AT(shmring_meta, shared_offset, 72);
AT(shmring_meta, rx_state, 768);
AT(shmring_meta, tx_state, 896);
AT(shmring_meta, orphans, 904);
AT(shmring_meta, orphan, 1024);
AT(shmring_meta, witness, 2048);
AT(shmring_meta, begin, 3584);
AT(shmring_meta, resv3, 3840);

/* One 128-byte block for each use: no false sharing between the two sides. */
SIZE(shmring_cursor, 4096);
AT(shmring_cursor, pos, 0);
AT(shmring_cursor, armed, 128);
AT(shmring_cursor, wake_at, 136);
AT(shmring_cursor, want, 256);
AT(shmring_cursor, closed, 264);
AT(shmring_cursor, records, 384);
AT(shmring_cursor, stalls, 392);
AT(shmring_cursor, sleeps, 400);
AT(shmring_cursor, kicks, 408);
AT(shmring_cursor, wake_records, 144);
AT(shmring_cursor, lost, 416);
AT(shmring_cursor, high, 424);
AT(shmring_cursor, tally, 432);
AT(shmring_cursor, limit, 512);
AT(shmring_cursor, mark, 640);
AT(shmring_cursor, hold, 768);
AT(shmring_cursor, hold_end, 776);
AT(shmring_cursor, lane, 2048);

SIZE(shmring_record, 8);
AT(shmring_record, word, 0);
AT(shmring_record, aux, 4);

SIZE(shmring_ioc_adopt, 32);
AT(shmring_ioc_adopt, op, 4);
AT(shmring_ioc_adopt, slot, 8);
AT(shmring_ioc_adopt, lane, 12);
AT(shmring_ioc_adopt, pos, 16);
AT(shmring_ioc_adopt, end, 24);

SIZE(shmring_orphan, 32);
AT(shmring_orphan, state, 0);
AT(shmring_orphan, lane, 4);
AT(shmring_orphan, pos, 8);
AT(shmring_orphan, end, 16);
AT(shmring_orphan, resv, 24);

SIZE(shmring_mark, 16);
AT(shmring_mark, records, 8);

SIZE(shmring_lane_pos, 64);
AT(shmring_lane_pos, pos, 0);
AT(shmring_lane_pos, tally, 8);
AT(shmring_lane_pos, left, 24);
AT(shmring_lane_pos, left_at, 32);
AT(shmring_lane_pos, left_limit, 40);

SIZE(shmring_shared, 4096);
AT(shmring_shared, tickets, 0);
AT(shmring_shared, head, 0);
AT(shmring_shared, proof, 2048);

/* The numbers of the commands are ABI as well. */
TEST(command_numbers)
{
	EXPECT_EQ(0xbb40, SHMRING_IOC_CREATE);
	EXPECT_EQ(0xbb41, SHMRING_IOC_ATTACH);
	EXPECT_EQ(0xbb42, SHMRING_IOC_INFO);
	EXPECT_EQ(0xbb43, SHMRING_IOC_LIST);
	EXPECT_EQ(0xbb44, SHMRING_IOC_EVENTFD);
	EXPECT_EQ(0xbb45, SHMRING_IOC_KICK);
	EXPECT_EQ(0xbb46, SHMRING_IOC_WAIT);
	EXPECT_EQ(0xbb47, SHMRING_IOC_ADOPT);
}

/* A kernel that was built from another header would show here. */
TEST(kernel_agrees)
{
	const struct shmring_meta *meta;
	struct shmring_ioc_info info;
	int fd = ring_create(RAW, PRODUCER, 3 * page_size(), NULL);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_info(fd, &info));
	meta = mmap(NULL, (size_t)info.control_size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)(uintptr_t)meta);
	EXPECT_EQ(SHMRING_MAGIC, meta->magic);
	EXPECT_EQ(SHMRING_ABI, meta->abi);
	EXPECT_EQ(info.ring_id, meta->ring_id);
	EXPECT_EQ(4 * page_size(), meta->data_size);
	EXPECT_EQ(info.data_size, meta->data_size);
	EXPECT_EQ(info.data_offset, meta->data_offset);
	EXPECT_EQ(info.cursor_offset, meta->cursor_offset);
	EXPECT_EQ(info.cursor_stride, meta->cursor_stride);
	EXPECT_EQ(page_size(), meta->cursor_stride);
	EXPECT_EQ(0, meta->flags);
	EXPECT_EQ(RAW, meta->topology);
	EXPECT_EQ(SHMRING_FULL_WAIT, meta->full_policy);
	EXPECT_EQ(16, meta->slots);
	EXPECT_EQ(SHMRING_SLOT_LIVE, meta->slot[info.slot].state);
	EXPECT_EQ(PRODUCER, meta->slot[info.slot].role);
	EXPECT_EQ(1, meta->slot[info.slot].generation);
#if defined(__x86_64__) || defined(__i386__)
	EXPECT_EQ(SHMRING_FEATURE_UNFENCED, meta->features);
#else
	EXPECT_EQ(0, meta->features);
#endif
	EXPECT_EQ(0, meta->wake_due);
	for (unsigned int i = 0; i < ARRAY_SIZE(meta->resv); i++)
		EXPECT_EQ(0, meta->resv[i]);
}

TEST_HARNESS_MAIN
