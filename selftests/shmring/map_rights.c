// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which region may be mapped by whom and how: each region and role, each wrong range,
 * each wrong flag.
 */
#include <sys/personality.h>

#include "shmring_test.h"

enum region { CONTROL, OWN_CURSOR, PEER_CURSOR, DATA };

static off_t region_offset(const struct shmring_ioc_info *info, enum region region)
{
	__u32 own = info->slot == SHMRING_NO_SLOT ? 0 : info->slot;

	switch (region) {
	case OWN_CURSOR:
		return (off_t)(info->cursor_offset + own * info->cursor_stride);
	case PEER_CURSOR:
		return (off_t)(info->cursor_offset + (own ^ 1) * info->cursor_stride);
	case DATA:
		return (off_t)info->data_offset;
	default:
		return 0;
	}
}

static size_t region_size(const struct shmring_ioc_info *info, enum region region)
{
	switch (region) {
	case CONTROL:
		return (size_t)info->control_size;
	case DATA:
		return (size_t)info->data_size;
	default:
		return (size_t)info->cursor_stride;
	}
}

FIXTURE(region) {
	int ring, fd;
	struct shmring_ioc_info info;
};

FIXTURE_VARIANT(region) {
	__u32 role;
	enum region region;
	int prot;
	int err;
};

FIXTURE_SETUP(region)
{
	self->ring = ring_create(SPSC, OBSERVER, 4 * page_size(), NULL);
	ASSERT_LE(0, self->ring);
	self->fd = ring_attach_fd(variant->role, self->ring);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ring_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(region)
{
	close(self->fd);
	close(self->ring);
}

TEST_F(region, mapping_is_granted_as_the_role_says)
{
	off_t offset = region_offset(&self->info, variant->region);
	size_t size = region_size(&self->info, variant->region);

	EXPECT_EQ(-variant->err, try_mmap(self->fd, size, variant->prot, MAP_SHARED, offset));
}

#define RO	PROT_READ
#define WO	PROT_WRITE
#define RW	(PROT_READ | PROT_WRITE)
#define RX	(PROT_READ | PROT_EXEC)
#define REGION(what, ...)	FIXTURE_VARIANT_ADD(region, what) { __VA_ARGS__ }

REGION(producer_control_ro, PRODUCER, CONTROL, RO, 0);
REGION(producer_control_rw, PRODUCER, CONTROL, RW, EACCES);
REGION(producer_control_wo, PRODUCER, CONTROL, WO, EACCES);
REGION(producer_control_rx, PRODUCER, CONTROL, RX, EACCES);
REGION(producer_cursor_ro, PRODUCER, OWN_CURSOR, RO, 0);
REGION(producer_cursor_rw, PRODUCER, OWN_CURSOR, RW, 0);
REGION(producer_cursor_rx, PRODUCER, OWN_CURSOR, RX, EACCES);
REGION(producer_peer_ro, PRODUCER, PEER_CURSOR, RO, 0);
REGION(producer_peer_rw, PRODUCER, PEER_CURSOR, RW, EACCES);
REGION(producer_peer_wo, PRODUCER, PEER_CURSOR, WO, EACCES);
REGION(producer_data_ro, PRODUCER, DATA, RO, 0);
REGION(producer_data_rw, PRODUCER, DATA, RW, 0);
REGION(producer_data_none, PRODUCER, DATA, PROT_NONE, 0);
REGION(producer_data_rx, PRODUCER, DATA, RX, EACCES);
REGION(producer_data_exec, PRODUCER, DATA, PROT_EXEC, EACCES);
REGION(consumer_control_ro, CONSUMER, CONTROL, RO, 0);
REGION(consumer_control_rw, CONSUMER, CONTROL, RW, EACCES);
REGION(consumer_cursor_rw, CONSUMER, OWN_CURSOR, RW, 0);
REGION(consumer_peer_rw, CONSUMER, PEER_CURSOR, RW, EACCES);
REGION(consumer_data_ro, CONSUMER, DATA, RO, 0);
REGION(consumer_data_rw, CONSUMER, DATA, RW, EACCES);
REGION(consumer_data_wo, CONSUMER, DATA, WO, EACCES);
REGION(consumer_data_rx, CONSUMER, DATA, RX, EACCES);
REGION(observer_control_ro, OBSERVER, CONTROL, RO, 0);
REGION(observer_control_rw, OBSERVER, CONTROL, RW, EACCES);
REGION(observer_cursor0_ro, OBSERVER, OWN_CURSOR, RO, 0);
REGION(observer_cursor0_rw, OBSERVER, OWN_CURSOR, RW, EACCES);
REGION(observer_cursor1_rw, OBSERVER, PEER_CURSOR, RW, EACCES);
REGION(observer_data_ro, OBSERVER, DATA, RO, 0);
REGION(observer_data_rw, OBSERVER, DATA, RW, EACCES);

/* ---- ranges and flags, by an endpoint that has every right ---- */

FIXTURE(range) {
	int fd;
	struct shmring_ioc_info info;
	size_t page;
};

FIXTURE_SETUP(range)
{
	self->fd = ring_create(SPSC, PRODUCER, 4 * page_size(), NULL);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ring_info(self->fd, &self->info));
	self->page = page_size();
}

FIXTURE_TEARDOWN(range)
{
	close(self->fd);
}

#define RANGE(what, err, length, flags, offset) \
TEST_F(range, what) \
{ \
	const struct shmring_ioc_info *i = &self->info; \
	size_t page = self->page; \
\
	(void)i; \
	(void)page; \
	EXPECT_EQ(-err, try_mmap(self->fd, length, PROT_READ, flags, (off_t)(offset))); \
}

RANGE(control_whole, 0, i->control_size, MAP_SHARED, 0)
RANGE(meta_alone, EINVAL, page, MAP_SHARED, 0)
RANGE(control_short, EINVAL, i->control_size - page, MAP_SHARED, 0)
RANGE(control_long, EINVAL, i->control_size + page, MAP_SHARED, 0)
RANGE(control_tail, EINVAL, i->control_size - page, MAP_SHARED, page)
RANGE(cursors_together, EINVAL, 2 * page, MAP_SHARED, i->cursor_offset)
RANGE(data_whole, 0, i->data_size, MAP_SHARED, i->data_offset)
RANGE(data_short, EINVAL, i->data_size - page, MAP_SHARED, i->data_offset)
RANGE(data_long, EINVAL, i->data_size + page, MAP_SHARED, i->data_offset)
RANGE(data_twice, EINVAL, 2 * i->data_size, MAP_SHARED, i->data_offset)
RANGE(data_shifted, EINVAL, i->data_size, MAP_SHARED, i->data_offset + page)
RANGE(data_last_page, EINVAL, page, MAP_SHARED, i->data_offset + i->data_size - page)
RANGE(data_from_control, EINVAL, i->data_size, MAP_SHARED, i->data_offset - page)
RANGE(whole_file, EINVAL, i->data_offset + i->data_size, MAP_SHARED, 0)
RANGE(behind_the_end, EINVAL, page, MAP_SHARED, i->data_offset + i->data_size)
RANGE(far_away, EINVAL, page, MAP_SHARED, 1ul << 30)
RANGE(private_data, EINVAL, i->data_size, MAP_PRIVATE, i->data_offset)
RANGE(private_control, EINVAL, i->control_size, MAP_PRIVATE, 0)
RANGE(shared_validate, 0, i->data_size, MAP_SHARED_VALIDATE, i->data_offset)
RANGE(populate, 0, i->data_size, MAP_SHARED | MAP_POPULATE, i->data_offset)

TEST_F(range, private_writable_of_read_only)
{
	int fd = ring_attach_fd(CONSUMER, self->fd);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, try_mmap(fd, (size_t)self->info.data_size, RW, MAP_PRIVATE,
				    (off_t)self->info.data_offset));
	close(fd);
}

/* A hole between CONTROL and DATA, if there is one, belongs to nobody. */
TEST_F(range, nothing_between_control_and_data)
{
	for (__u64 at = self->info.control_size; at < self->info.data_offset; at += self->page)
		ASSERT_EQ(-EINVAL, try_mmap(self->fd, self->page, PROT_READ, MAP_SHARED,
					    (off_t)at));
}

/* Programs with an executable stack ask for PROT_EXEC without meaning it: not given. */
TEST_F(range, read_implies_exec)
{
	void *p;

	ASSERT_NE(-1, personality(READ_IMPLIES_EXEC));
	p = mmap(NULL, (size_t)self->info.data_size, PROT_READ, MAP_SHARED, self->fd,
		 (off_t)self->info.data_offset);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(-1, personality(0));
	EXPECT_EQ(-1, mprotect(p, (size_t)self->info.data_size, RX));
	EXPECT_EQ(EACCES, errno);
}

/* A file opened for reading alone maps what an observer may read. */
TEST_F(range, read_only_file)
{
	struct shmring_ioc_attach arg = attach_fd_args(OBSERVER, self->fd);
	int fd = dev_open_as(O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dev_ioctl(fd, SHMRING_IOC_ATTACH, &arg));
	EXPECT_EQ(0, try_mmap(fd, (size_t)self->info.data_size, RO, MAP_SHARED,
			      (off_t)self->info.data_offset));
	EXPECT_EQ(0, try_mmap(fd, (size_t)self->info.control_size, RO, MAP_SHARED, 0));
	EXPECT_EQ(-EACCES, try_mmap(fd, (size_t)self->info.data_size, RW, MAP_SHARED,
				    (off_t)self->info.data_offset));
	EXPECT_EQ(-EINVAL, try_mmap(fd, (size_t)self->info.data_size, RO, MAP_PRIVATE,
				    (off_t)self->info.data_offset));
	close(fd);
}

/* RAW: a consumer reads DATA only, both roles together write it. */
TEST_F(range, raw_roles)
{
	int both = ring_create(RAW, PRODUCER | CONSUMER, self->page, NULL);
	int reader = ring_attach_fd(CONSUMER, both);
	struct shmring_ioc_info info;
	off_t data;

	ASSERT_LE(0, both);
	ASSERT_LE(0, reader);
	ASSERT_EQ(0, ring_info(both, &info));
	data = (off_t)info.data_offset;
	EXPECT_EQ(0, try_mmap(both, self->page, RW, MAP_SHARED, data));
	EXPECT_EQ(-EACCES, try_mmap(reader, self->page, RW, MAP_SHARED, data));
	EXPECT_EQ(0, try_mmap(reader, self->page, RO, MAP_SHARED, data));
	close(reader);
	close(both);
}

TEST_HARNESS_MAIN
