// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that is killed is gone, whatever its call waits for: another call on the same
 * file, or memory for a ring. What it had begun is undone.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>

#include "shmring_test.h"

/* ---- a CREATE that stops in the midst, where it copies its result out ---- */

struct stopped {
	int fd;
	int uffd;
	struct shmring_ioc_create *arg;		/* a page of its own, not to be written yet */
	pthread_t thread;
	__u64 ring_id;
	int err;
};

static void *create(void *arg)
{
	struct stopped *s = arg;

	s->err = dev_ioctl(s->fd, SHMRING_IOC_CREATE, s->arg);
	return NULL;
}

static int protect(const struct stopped *s, __u64 mode)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)s->arg, page_size() },
		.mode = mode,
	};

	return ioctl(s->uffd, UFFDIO_WRITEPROTECT, &wp) ? -errno : 0;
}

/* 0; -ENOENT: this kernel cannot stop it; -errno. */
static int stopped_start(struct stopped *s, int fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffd_msg msg;
	int err;

	s->fd = fd;
	s->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (s->uffd < 0 || ioctl(s->uffd, UFFDIO_API, &api))
		return -ENOENT;
	s->arg = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (s->arg == MAP_FAILED)
		return -errno;
	*s->arg = create_args(SPSC, PRODUCER, page_size());
	reg.range.start = (uintptr_t)s->arg;
	reg.range.len = page_size();
	if (ioctl(s->uffd, UFFDIO_REGISTER, &reg))
		return -errno;
	err = protect(s, UFFDIO_WRITEPROTECT_MODE_WP);
	if (err)
		return err;
	err = -pthread_create(&s->thread, NULL, create, s);
	if (err)
		return err;
	return read(s->uffd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

/* What came of it. */
static int stopped_go_on(struct stopped *s)
{
	int err = protect(s, 0);

	if (err)
		return err;
	pthread_join(s->thread, NULL);
	s->ring_id = s->arg->ring_id;
	munmap(s->arg, page_size());
	close(s->uffd);
	return s->err;
}

FIXTURE(waiting) {};

FIXTURE_VARIANT(waiting) {
	bool attach;
};

FIXTURE_VARIANT_ADD(waiting, in_create) { .attach = false };
FIXTURE_VARIANT_ADD(waiting, in_attach) { .attach = true };
FIXTURE_SETUP(waiting) {}
FIXTURE_TEARDOWN(waiting) {}

TEST_F(waiting, for_another_call)
{
	int other = ring_create(SPSC, OBSERVER, page_size(), NULL), fd = dev_open(), err;
	struct shmring_ioc_info info;
	struct stopped s;
	struct child c;

	ASSERT_LE(0, other);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		struct shmring_ioc_create create = create_args(SPSC, CONSUMER, page_size());
		struct shmring_ioc_attach attach = attach_fd_args(CONSUMER, other);

		CHECK(hear(c.sock));
		if (variant->attach)
			dev_ioctl(fd, SHMRING_IOC_ATTACH, &attach);
		else
			dev_ioctl(fd, SHMRING_IOC_CREATE, &create);
		_exit(0);
	}
	err = stopped_start(&s, fd);
	if (err == -ENOENT) {
		child_kill(&c);
		SKIP(return, "no userfaultfd to stop a call with");
	}
	ASSERT_EQ(0, err);
	ASSERT_TRUE(tell(c.sock));
	ASSERT_TRUE(until_state(c.pid, 'D'));
	EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	EXPECT_EQ(-ENOTCONN, ring_info(fd, &info));
	EXPECT_EQ(0, stopped_go_on(&s));
	ASSERT_EQ(0, ring_info(fd, &info));
	EXPECT_EQ(PRODUCER, info.role);
	EXPECT_EQ(s.ring_id, info.ring_id);
	close(fd);
	/* The slot that ATTACH wanted is free. */
	ASSERT_EQ(0, ring_info(other, &info));
	EXPECT_EQ(0, info.slots_live);
	close(other);
}

/* The name is there from the beginning; who else asks for it is told. */
TEST(taking_memory)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 256u << 20);
	const char *name = unique_name();

	arg.flags = SHMRING_CREATE_SMALL;
	for (int round = 0; round < 4; round++) {
		struct child c;
		int other;

		ASSERT_LE(0, child_start(&c));
		if (!c.pid) {
			set_name(arg.name, name);
			/* The parent, too, has it for moments. */
			while (ring_create_with(&arg) == -EEXIST)
				sched_yield();
			pause();
		}
		while ((other = ring_create(SPSC, OBSERVER, page_size(), name)) >= 0) {
			close(other);
			sched_yield();
		}
		EXPECT_EQ(-EEXIST, other);
		EXPECT_EQ(128 + SIGKILL, child_kill(&c));
		other = ring_create(SPSC, OBSERVER, page_size(), name);
		EXPECT_LE(0, other);
		close(other);
	}
}

TEST_HARNESS_MAIN
