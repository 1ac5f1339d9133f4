// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings with many endpoints: each producer writes its own lane and nobody else's, SHARED is
 * written by one role, and no way around it gives more.
 */
#include "group.h"

#define RO	PROT_READ
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(rights) {
	int ring, producer[3], consumer;
	struct shmring_ioc_info info;
	size_t page;
};

FIXTURE_VARIANT(rights) {
	__u32 topology;
};

FIXTURE_VARIANT_ADD(rights, mpsc) { MPSC };
FIXTURE_VARIANT_ADD(rights, queue) { QUEUE };
FIXTURE_VARIANT_ADD(rights, broadcast) { BROADCAST };

FIXTURE_SETUP(rights)
{
	struct shmring_ioc_create arg = create_args(variant->topology, OBSERVER, 8192);

	arg.producers = 3;
	arg.consumers = 1;
	self->ring = ring_create_with(&arg);
	ASSERT_LE(0, self->ring);
	for (int k = 0; k < 3; k++)
		self->producer[k] = ring_attach_fd(PRODUCER, self->ring);
	self->consumer = ring_attach_fd(CONSUMER, self->ring);
	ASSERT_LE(0, self->producer[2]);
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, ring_info(self->ring, &self->info));
	self->page = page_size();
}

FIXTURE_TEARDOWN(rights)
{
	for (int k = 0; k < 3; k++)
		close(self->producer[k]);
	close(self->consumer);
	close(self->ring);
}

TEST_F(rights, to_lanes)
{
	size_t size = (size_t)self->info.data_size;

	for (__u32 lane = 0; lane < 3; lane++) {
		off_t at = lane_offset(&self->info, lane);

		for (__u32 k = 0; k < 3; k++) {
			EXPECT_EQ(0, try_mmap(self->producer[k], size, RO, MAP_SHARED, at));
			EXPECT_EQ(k == lane ? 0 : -EACCES,
				  try_mmap(self->producer[k], size, RW, MAP_SHARED, at));
		}
		EXPECT_EQ(0, try_mmap(self->consumer, size, RO, MAP_SHARED, at));
		EXPECT_EQ(-EACCES, try_mmap(self->consumer, size, RW, MAP_SHARED, at));
		EXPECT_EQ(0, try_mmap(self->ring, size, RO, MAP_SHARED, at));
		EXPECT_EQ(-EACCES, try_mmap(self->ring, size, RW, MAP_SHARED, at));
		EXPECT_EQ(-EACCES, try_mmap(self->producer[lane], size, RO | PROT_EXEC,
					    MAP_SHARED, at));
		EXPECT_EQ(-EINVAL, try_mmap(self->producer[lane], size, RW, MAP_PRIVATE, at));
	}
}

TEST_F(rights, to_shared)
{
	bool consumers = variant->topology == QUEUE;
	off_t at = (off_t)self->info.shared_offset;

	EXPECT_EQ(0, try_mmap(self->producer[0], self->page, RO, MAP_SHARED, at));
	EXPECT_EQ(0, try_mmap(self->consumer, self->page, RO, MAP_SHARED, at));
	EXPECT_EQ(0, try_mmap(self->ring, self->page, RO, MAP_SHARED, at));
	EXPECT_EQ(consumers ? -EACCES : 0,
		  try_mmap(self->producer[2], self->page, RW, MAP_SHARED, at));
	EXPECT_EQ(consumers ? 0 : -EACCES,
		  try_mmap(self->consumer, self->page, RW, MAP_SHARED, at));
	EXPECT_EQ(-EACCES, try_mmap(self->ring, self->page, RW, MAP_SHARED, at));
	EXPECT_EQ(-EINVAL, try_mmap(self->ring, 2 * self->page, RO, MAP_SHARED, at));
}

TEST_F(rights, to_cursors_and_control)
{
	for (__u32 slot = 0; slot < 4; slot++) {
		off_t at = cursor_offset(&self->info, slot);

		for (__u32 k = 0; k < 3; k++)
			EXPECT_EQ(k == slot ? 0 : -EACCES, try_mmap(self->producer[k], self->page,
								    RW, MAP_SHARED, at));
		EXPECT_EQ(slot == 3 ? 0 : -EACCES,
			  try_mmap(self->consumer, self->page, RW, MAP_SHARED, at));
	}
	EXPECT_EQ(0, try_mmap(self->consumer, (size_t)self->info.control_size, RO, MAP_SHARED, 0));
	EXPECT_EQ(-EACCES, try_mmap(self->consumer, (size_t)self->info.control_size, RW,
				    MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, try_mmap(self->consumer, (size_t)self->info.shared_offset, RO,
				    MAP_SHARED, 0));
}

TEST_F(rights, to_ranges_that_are_no_lane)
{
	size_t size = (size_t)self->info.data_size;
	off_t data = (off_t)self->info.data_offset, page = (off_t)self->page;
	int fd = self->producer[1];

	EXPECT_EQ(-EINVAL, try_mmap(fd, 2 * size, RO, MAP_SHARED, data));
	EXPECT_EQ(-EINVAL, try_mmap(fd, 3 * size, RO, MAP_SHARED, data));
	EXPECT_EQ(-EINVAL, try_mmap(fd, size, RO, MAP_SHARED, data + page));
	EXPECT_EQ(-EINVAL, try_mmap(fd, size - self->page, RO, MAP_SHARED, data));
	EXPECT_EQ(-EINVAL, try_mmap(fd, size, RO, MAP_SHARED, data + 3 * (off_t)size));
	EXPECT_EQ(-EINVAL, try_mmap(fd, size, RO, MAP_SHARED, data - (off_t)size));
	EXPECT_EQ(-EINVAL, try_mmap(fd, size, RO, MAP_SHARED, 1ul << 30));
}

/* mprotect, mremap, /proc/self/mem: what may not be written stays so. */
TEST_F(rights, are_not_got_back)
{
	int fd = self->producer[1], mem = open("/proc/self/mem", O_RDWR);
	size_t size = (size_t)self->info.data_size;
	char *other = mmap(NULL, size, RO, MAP_SHARED, fd, lane_offset(&self->info, 0));
	char *own = mmap(NULL, size, RO, MAP_SHARED, fd, lane_offset(&self->info, 1));

	ASSERT_LE(0, mem);
	ASSERT_NE(MAP_FAILED, (void *)other);
	ASSERT_NE(MAP_FAILED, (void *)own);
	EXPECT_EQ(-1, mprotect(other, size, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, pwrite(mem, "x", 1, (off_t)(uintptr_t)other));
	EXPECT_EQ(0, other[0]);
	EXPECT_EQ(MAP_FAILED, mremap(other, size, 2 * size, MREMAP_MAYMOVE));
	EXPECT_EQ(0, mprotect(own, size, RW));	/* this one was never refused */
	own[0] = 'y';
	EXPECT_EQ(1, pwrite(mem, "x", 1, (off_t)(uintptr_t)own + 1));
	EXPECT_EQ('x', own[1]);
	munmap(other, size);
	munmap(own, size);
	close(mem);
}

/* Lanes are apart: what one producer writes, all see there and nowhere else. */
TEST_F(rights, lanes_are_apart)
{
	size_t size = (size_t)self->info.data_size;
	char *lane[3], *seen;

	for (__u32 k = 0; k < 3; k++) {
		lane[k] = mmap(NULL, size, RW, MAP_SHARED, self->producer[k],
			       lane_offset(&self->info, k));
		ASSERT_NE(MAP_FAILED, (void *)lane[k]);
		memset(lane[k], 'a' + (int)k, size);
	}
	for (__u32 k = 0; k < 3; k++) {
		seen = mmap(NULL, size, RO, MAP_SHARED, self->consumer,
			    lane_offset(&self->info, k));
		ASSERT_NE(MAP_FAILED, (void *)seen);
		EXPECT_EQ(0, memcmp(seen, lane[k], size));
		EXPECT_EQ('a' + (int)k, seen[size - 1]);
		munmap(seen, size);
		munmap(lane[k], size);
	}
}

TEST_HARNESS_MAIN
