// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATTACH: each wrong argument has its own errno and leaves the file unbound and the
 * ring without a trace of it; roles and slots are given out as the topology says.
 */
#include <sys/resource.h>

#include "shmring_test.h"

#define LONG_NAME	"0123456789012345678901234567890123456789012345678901234567890123"

FIXTURE(attach) {
	int ring;		/* producer of an SPSC ring that has a name */
	int fd;			/* not bound yet */
	char name[SHMRING_NAME_MAX];
};

FIXTURE_SETUP(attach)
{
	strcpy(self->name, unique_name());
	self->ring = ring_create(SPSC, PRODUCER, page_size(), self->name);
	ASSERT_LE(0, self->ring);
	self->fd = dev_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(attach)
{
	close(self->fd);
	close(self->ring);
}

static void refuse(struct __test_metadata *_metadata, int fd, int ring, const char *name,
		   int err, struct shmring_ioc_attach arg)
{
	struct shmring_ioc_attach before = arg, good = attach_args(CONSUMER, name);
	struct shmring_ioc_info info;

	EXPECT_EQ(-err, dev_ioctl(fd, SHMRING_IOC_ATTACH, &arg));
	EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg)));
	EXPECT_EQ(-ENOTCONN, ring_info(fd, &info));
	EXPECT_EQ(0, ring_info(ring, &info));
	EXPECT_EQ(1, info.slots_live);
	EXPECT_EQ(0, info.observers);
	EXPECT_EQ(0, dev_ioctl(fd, SHMRING_IOC_ATTACH, &good));
}

#define REFUSED(what, err, change) \
TEST_F(attach, what) \
{ \
	struct shmring_ioc_attach by_name = attach_args(CONSUMER, self->name); \
	struct shmring_ioc_attach by_fd = attach_fd_args(CONSUMER, self->ring); \
	struct shmring_ioc_attach *arg; \
\
	(void)by_name; \
	(void)by_fd; \
	change; \
	refuse(_metadata, self->fd, self->ring, self->name, err, *arg); \
}

#define BY_NAME(...)	({ arg = &by_name; __VA_ARGS__; })
#define BY_FD(...)	({ arg = &by_fd; __VA_ARGS__; })

REFUSED(size_zero, EINVAL, BY_NAME(arg->size = 0))
REFUSED(size_short, EINVAL, BY_NAME(arg->size = sizeof(*arg) - 1))
REFUSED(flags_unknown, EINVAL, BY_NAME(arg->flags = 0x2))
REFUSED(flags_unknown_by_fd, EINVAL, BY_FD(arg->flags |= 0x80000000))
REFUSED(role_zero, EINVAL, BY_NAME(arg->role = 0))
REFUSED(role_unknown, EINVAL, BY_NAME(arg->role = 0x8))
REFUSED(role_both, EINVAL, BY_NAME(arg->role = PRODUCER | CONSUMER))
REFUSED(role_consumer_observer, EINVAL, BY_NAME(arg->role = CONSUMER | OBSERVER))
REFUSED(name_with_fd, EINVAL, BY_FD(set_name(arg->name, self->name)))
REFUSED(fd_without_flag, EINVAL, BY_NAME(arg->fd = self->ring))
REFUSED(fd_zero_without_flag, EINVAL, BY_NAME(arg->fd = 0))
REFUSED(neither, EINVAL, BY_NAME(set_name(arg->name, "")))
REFUSED(name_bad, EINVAL, BY_NAME(set_name(arg->name, "a/b")))
REFUSED(name_leading_dot, EINVAL, BY_NAME(set_name(arg->name, ".a")))
REFUSED(name_unterminated, ENAMETOOLONG, BY_NAME(set_name(arg->name, LONG_NAME)))
REFUSED(name_unknown, ENOENT, BY_NAME(set_name(arg->name, "no-such-ring")))
REFUSED(name_is_a_prefix, ENOENT, BY_NAME(arg->name[strlen(self->name) - 1] = 0))
REFUSED(fd_minus_one, EBADF, BY_FD(arg->fd = -1))
REFUSED(fd_closed, EBADF, BY_FD(arg->fd = 999))
REFUSED(fd_of_another_driver, EBADFD, BY_FD(arg->fd = open("/dev/null", O_RDWR)))
REFUSED(fd_of_a_pipe, EBADFD, BY_FD(int p[2]; ASSERT_EQ(0, pipe(p)); arg->fd = p[0]))
REFUSED(fd_unbound, EBADFD, BY_FD(arg->fd = dev_open()))
REFUSED(fd_itself, EBADFD, BY_FD(arg->fd = self->fd))
REFUSED(role_taken, EBUSY, BY_NAME(arg->role = PRODUCER))
REFUSED(role_taken_by_fd, EBUSY, BY_FD(arg->role = PRODUCER))
REFUSED(cursor_placement_unknown, EINVAL, BY_NAME(arg->cursor_placement = 4))
REFUSED(cursor_interleave, EINVAL,
	BY_NAME(arg->cursor_placement = SHMRING_PLACE_INTERLEAVE))
REFUSED(cursor_node_with_local, EINVAL, BY_NAME(arg->cursor_node = 0))
REFUSED(cursor_strict_without_node, EINVAL,
	BY_NAME(arg->cursor_placement = SHMRING_PLACE_STRICT))
REFUSED(cursor_node_out_of_range, ENXIO,
	BY_NAME(arg->cursor_placement = SHMRING_PLACE_STRICT; arg->cursor_node = 0x7fffffff))

TEST_F(attach, null_argument)
{
	EXPECT_EQ(-EFAULT, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, NULL));
}

/* The slot is taken before the identity can be written back: it has to be free again. */
TEST_F(attach, argument_read_only)
{
	struct shmring_ioc_attach good = attach_args(CONSUMER, self->name);
	struct shmring_ioc_info info;
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	memcpy(page, &good, sizeof(good));
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, page));
	EXPECT_EQ(-ENOTCONN, ring_info(self->fd, &info));
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(1, info.slots_live);
	EXPECT_EQ(0, poll_now(self->ring, POLLIN) & POLLHUP);	/* nobody came, nobody went */
	EXPECT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &good));
}

/* They take no slot, but whoever ends has all of them to wake. */
TEST_F(attach, observers_have_a_limit)
{
	struct rlimit files = { 2 * SHMRING_OBSERVERS_MAX, 2 * SHMRING_OBSERVERS_MAX };
	struct shmring_ioc_attach *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct shmring_ioc_info info;
	int fd = -1;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	for (int i = 0; i < SHMRING_OBSERVERS_MAX; i++) {
		fd = ring_attach_fd(OBSERVER, self->ring);
		ASSERT_LE(0, fd);
	}
	EXPECT_EQ(-EBUSY, ring_attach_fd(OBSERVER, self->ring));
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(SHMRING_OBSERVERS_MAX, info.observers);
	close(ring_attach_fd(CONSUMER, self->ring));	/* has a slot */

	/* Who does not become one after all is not counted. */
	close(fd);
	ASSERT_NE(MAP_FAILED, (void *)page);
	*page = attach_fd_args(OBSERVER, self->ring);
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, open_and(SHMRING_IOC_ATTACH, page));
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(SHMRING_OBSERVERS_MAX - 1, info.observers);
	EXPECT_LE(0, ring_attach_fd(OBSERVER, self->ring));
	EXPECT_EQ(-EBUSY, ring_attach_fd(OBSERVER, self->ring));
}

TEST_F(attach, tail)
{
	struct {
		struct shmring_ioc_attach arg;
		__u64 later;
	} big = { .arg = attach_args(CONSUMER, self->name), .later = 1 };

	big.arg.size = sizeof(big);
	EXPECT_EQ(-E2BIG, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &big));
	big.later = 0;
	EXPECT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &big));
}

TEST_F(attach, bound_already)
{
	struct shmring_ioc_attach arg = attach_args(CONSUMER, self->name);
	struct shmring_ioc_create make = create_args(SPSC, PRODUCER, page_size());

	EXPECT_EQ(-EISCONN, dev_ioctl(self->ring, SHMRING_IOC_ATTACH, &arg));
	ASSERT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &arg));
	EXPECT_EQ(-EISCONN, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &arg));
	EXPECT_EQ(-EISCONN, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &make));
}

TEST_F(attach, tells_the_ring)
{
	struct shmring_ioc_attach arg = attach_args(CONSUMER, self->name);
	struct shmring_ioc_info info;

	ASSERT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &arg));
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(info.ring_id, arg.ring_id);
	EXPECT_EQ(2, info.slots_live);
}

TEST_F(attach, second_consumer)
{
	int fd = ring_attach_fd(CONSUMER, self->ring);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, ring_attach_fd(CONSUMER, self->ring));
	EXPECT_EQ(-EBUSY, ring_attach(CONSUMER, self->name));
	close(fd);
	fd = ring_attach(CONSUMER, self->name);
	EXPECT_LE(0, fd);
	close(fd);
}

/* Observers take no slot and are seen by nobody but INFO. */
TEST_F(attach, many_observers)
{
	struct shmring_ioc_info info;
	int fd[SHMRING_SLOTS_MAX + 8];

	for (unsigned int i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = ring_attach(OBSERVER, self->name);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, ring_info(fd[0], &info));
	EXPECT_EQ(ARRAY_SIZE(fd), info.observers);
	EXPECT_EQ(SHMRING_NO_SLOT, info.slot);
	EXPECT_EQ(-1, info.cursor_node);
	EXPECT_EQ(1, info.slots_live);
	for (unsigned int i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(0, info.observers);
	EXPECT_EQ(0, poll_now(self->ring, POLLIN) & POLLHUP);
}

FIXTURE(read_only) {
	int ring;
	int fd;
};

FIXTURE_VARIANT(read_only) {
	__u32 topology, role;
	int err;
};

FIXTURE_VARIANT_ADD(read_only, producer) { SPSC, PRODUCER, EACCES };
FIXTURE_VARIANT_ADD(read_only, consumer) { SPSC, CONSUMER, EACCES };
FIXTURE_VARIANT_ADD(read_only, observer) { SPSC, OBSERVER, 0 };
FIXTURE_VARIANT_ADD(read_only, raw_producer) { RAW, PRODUCER, EACCES };
FIXTURE_VARIANT_ADD(read_only, raw_consumer) { RAW, CONSUMER, EACCES };
FIXTURE_VARIANT_ADD(read_only, raw_observer) { RAW, OBSERVER, 0 };

FIXTURE_SETUP(read_only)
{
	self->ring = ring_create(variant->topology, OBSERVER, page_size(), NULL);
	ASSERT_LE(0, self->ring);
	self->fd = dev_open_as(O_RDONLY);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(read_only)
{
	close(self->fd);
	close(self->ring);
}

TEST_F(read_only, may_observe)
{
	struct shmring_ioc_attach arg = attach_fd_args(variant->role, self->ring);

	EXPECT_EQ(-variant->err, dev_ioctl(self->fd, SHMRING_IOC_ATTACH, &arg));
}

FIXTURE(raw) {
	int ring;
};

FIXTURE_SETUP(raw)
{
	struct shmring_ioc_create arg = create_args(RAW, PRODUCER, page_size());

	arg.slots = 3;
	self->ring = ring_create_with(&arg);
	ASSERT_LE(0, self->ring);
}

FIXTURE_TEARDOWN(raw)
{
	close(self->ring);
}

TEST_F(raw, slots_run_out)
{
	struct shmring_ioc_info info;
	int second = ring_attach_fd(PRODUCER, self->ring);
	int third = ring_attach_fd(CONSUMER, self->ring);
	int watcher;

	ASSERT_LE(0, second);
	ASSERT_LE(0, third);
	EXPECT_EQ(-EBUSY, ring_attach_fd(CONSUMER, self->ring));
	EXPECT_EQ(-EBUSY, ring_attach_fd(PRODUCER, self->ring));
	watcher = ring_attach_fd(OBSERVER, self->ring);
	EXPECT_LE(0, watcher);
	close(second);
	second = ring_attach_fd(PRODUCER | CONSUMER, self->ring);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, ring_info(second, &info));
	EXPECT_EQ(1, info.slot);		/* the one that was let go */
	EXPECT_EQ(3, info.slots_live);
	close(watcher);
	close(third);
	close(second);
}

TEST_HARNESS_MAIN
