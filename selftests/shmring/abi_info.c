// SPDX-License-Identifier: GPL-2.0-only
/*
 * INFO, LIST, commands and system calls that do not exist, and a file that is not
 * bound to anything.
 */
#include "shmring_test.h"

FIXTURE(info) {
	int ring;
	char name[SHMRING_NAME_MAX];
	struct shmring_ioc_info info;
};

FIXTURE_VARIANT(info) {
	unsigned long cmd;
};

FIXTURE_VARIANT_ADD(info, info) { SHMRING_IOC_INFO };
FIXTURE_VARIANT_ADD(info, list) { SHMRING_IOC_LIST };

FIXTURE_SETUP(info)
{
	strcpy(self->name, unique_name());
	self->ring = ring_create(SPSC, PRODUCER, page_size(), self->name);
	ASSERT_LE(0, self->ring);
	self->info.size = sizeof(self->info);
}

FIXTURE_TEARDOWN(info)
{
	close(self->ring);
}

TEST_F(info, size_zero)
{
	self->info.size = 0;
	EXPECT_EQ(-EINVAL, dev_ioctl(self->ring, variant->cmd, &self->info));
}

TEST_F(info, size_short)
{
	struct shmring_ioc_info before;

	self->info.size--;
	before = self->info;
	EXPECT_EQ(-EINVAL, dev_ioctl(self->ring, variant->cmd, &self->info));
	EXPECT_EQ(0, memcmp(&before, &self->info, sizeof(before)));
}

TEST_F(info, tail)
{
	struct {
		struct shmring_ioc_info info;
		__u64 later[2];
	} big = { .info = self->info, .later = { 0, 1 } };

	big.info.size = sizeof(big);
	EXPECT_EQ(-E2BIG, dev_ioctl(self->ring, variant->cmd, &big));
	big.later[1] = 0;
	EXPECT_EQ(0, dev_ioctl(self->ring, variant->cmd, &big));
	EXPECT_EQ(0, big.later[0] | big.later[1]);
}

TEST_F(info, null_argument)
{
	EXPECT_EQ(-EFAULT, dev_ioctl(self->ring, variant->cmd, NULL));
}

TEST_F(info, argument_read_only)
{
	struct shmring_ioc_info *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)page);
	*page = self->info;
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, dev_ioctl(self->ring, variant->cmd, page));
}

/* ---- what INFO says ---- */

FIXTURE(truth) {
	int ring;
	char name[SHMRING_NAME_MAX];
	struct shmring_ioc_info info;
};

FIXTURE_SETUP(truth)
{
	struct shmring_ioc_create arg = create_args(SPSC, CONSUMER, 5 * page_size());

	strcpy(self->name, unique_name());
	set_name(arg.name, self->name);
	arg.mode = 0640;
	arg.flags = SHMRING_CREATE_SPIN;
	self->ring = ring_create_with(&arg);
	ASSERT_LE(0, self->ring);
}

FIXTURE_TEARDOWN(truth)
{
	close(self->ring);
}

TEST_F(truth, of_the_creator)
{
	const struct shmring_ioc_info *info = &self->info;

	ASSERT_EQ(0, ring_info(self->ring, &self->info));
	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(SHMRING_CREATE_SPIN, info->flags);
	EXPECT_EQ(SPSC, info->topology);
	EXPECT_EQ(SHMRING_FULL_WAIT, info->full_policy);
	EXPECT_EQ(CONSUMER, info->role);
	EXPECT_EQ(2, info->slots);
	EXPECT_GT(2, info->slot);
	EXPECT_EQ(1, info->slots_live);
	EXPECT_EQ(0, info->observers);
	EXPECT_EQ(6, info->rights);
	EXPECT_EQ(3 * page_size(), info->control_size);
	EXPECT_EQ(page_size(), info->cursor_offset);
	EXPECT_EQ(page_size(), info->cursor_stride);
	EXPECT_EQ(8 * page_size(), info->data_size);
	EXPECT_EQ(8 * page_size() - 16, info->max_record);
	EXPECT_EQ(page_size(), info->data_page_size);
	EXPECT_EQ(0, info->data_offset % page_size());
	EXPECT_EQ(SHMRING_PLACE_LOCAL, info->placement);
	EXPECT_LE(0, info->data_node);
	EXPECT_LE(0, info->cursor_node);
	EXPECT_LE(0, info->meta_node);
	EXPECT_EQ(0640, info->mode);
	EXPECT_EQ(getuid(), info->uid);
	EXPECT_EQ(getgid(), info->gid);
	EXPECT_EQ(0, info->resv);
	EXPECT_EQ(0, info->produced);
	EXPECT_EQ(0, info->consumed);
	EXPECT_STREQ(self->name, (const char *)info->name);
}

TEST_F(truth, of_an_observer)
{
	int fd = ring_attach(OBSERVER, self->name);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_info(fd, &self->info));
	EXPECT_EQ(OBSERVER, self->info.role);
	EXPECT_EQ(SHMRING_NO_SLOT, self->info.slot);
	EXPECT_EQ(1, self->info.observers);
	EXPECT_EQ(1, self->info.slots_live);
	EXPECT_EQ(-1, self->info.cursor_node);
	close(fd);
}

TEST_F(truth, of_raw)
{
	int fd = ring_create(RAW, PRODUCER | CONSUMER, page_size(), NULL);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_info(fd, &self->info));
	EXPECT_EQ(0, self->info.max_record);
	EXPECT_EQ(0, self->info.name[0]);
	EXPECT_EQ(0, self->info.produced);
	close(fd);
}

/* From LIST there is no endpoint to speak of. */
TEST_F(truth, of_the_list)
{
	int fd = dev_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_list_find(fd, self->name, &self->info));
	EXPECT_EQ(0, self->info.role);
	EXPECT_EQ(SHMRING_NO_SLOT, self->info.slot);
	EXPECT_EQ(-1, self->info.cursor_node);
	EXPECT_EQ(6, self->info.rights);	/* this is root */
	EXPECT_EQ(8 * page_size(), self->info.data_size);
	EXPECT_EQ(1, self->info.slots_live);
	close(fd);
}

TEST_F(truth, list_is_in_order_and_ends)
{
	int other = ring_create(SPSC, PRODUCER, page_size(), unique_name());
	struct shmring_ioc_info first, second;
	__u64 seen = 0;
	int err;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, ring_info(self->ring, &first));
	ASSERT_EQ(0, ring_info(other, &second));
	while (!(err = ring_list(other, seen, &self->info))) {
		ASSERT_LT(seen, self->info.ring_id);
		seen = self->info.ring_id;
	}
	EXPECT_EQ(-ENOENT, err);
	EXPECT_LE(second.ring_id, seen);
	EXPECT_EQ(-ENOENT, ring_list(other, ~0ull, &self->info));
	EXPECT_EQ(0, ring_list(other, first.ring_id - 1, &self->info));
	EXPECT_EQ(first.ring_id, self->info.ring_id);
	close(other);
}

/* ---- what there is not ---- */

FIXTURE(nothing) {
	int fd;
};

FIXTURE_VARIANT(nothing) {
	bool bound;
};

FIXTURE_VARIANT_ADD(nothing, unbound) { false };
FIXTURE_VARIANT_ADD(nothing, bound) { true };

FIXTURE_SETUP(nothing)
{
	self->fd = variant->bound ? ring_create(SPSC, PRODUCER, page_size(), NULL) : dev_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(nothing)
{
	close(self->fd);
}

TEST_F(nothing, command_before_the_first)
{
	EXPECT_EQ(-ENOTTY, dev_ioctl(self->fd, SHMRING_IOC_CREATE - 1, NULL));
}

TEST_F(nothing, command_after_the_last)
{
	EXPECT_EQ(-ENOTTY, dev_ioctl(self->fd, SHMRING_IOC_ADOPT + 1, NULL));
}

TEST_F(nothing, command_of_another_type)
{
	EXPECT_EQ(-ENOTTY, dev_ioctl(self->fd, _IO(0xBC, 0x40), NULL));
}

TEST_F(nothing, command_with_a_size)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };

	EXPECT_EQ(-ENOTTY, dev_ioctl(self->fd, _IOWR(0xBB, 0x42, struct shmring_ioc_info), &info));
}

TEST_F(nothing, read_write_seek_truncate)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_NE(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

FIXTURE(unbound) {
	int fd;
};

FIXTURE_SETUP(unbound)
{
	self->fd = dev_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(unbound)
{
	close(self->fd);
}

TEST_F(unbound, info)
{
	struct shmring_ioc_info info;

	EXPECT_EQ(-ENOTCONN, ring_info(self->fd, &info));
}

TEST_F(unbound, eventfd)
{
	EXPECT_EQ(-ENOTCONN, ring_eventfd(self->fd, SHMRING_EV_PEER, -1));
}

TEST_F(unbound, kick)
{
	EXPECT_EQ(-ENOTCONN, ring_kick(self->fd));
}

TEST_F(unbound, wait)
{
	EXPECT_EQ(-ENOTCONN, ring_wait(self->fd, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
}

TEST_F(unbound, mmap)
{
	EXPECT_EQ(-ENOTCONN, try_mmap(self->fd, page_size(), PROT_READ, MAP_SHARED, 0));
}

/* poll(2) has no errno of its own for this. */
TEST_F(unbound, poll)
{
	EXPECT_EQ(POLLERR, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_HARNESS_MAIN
