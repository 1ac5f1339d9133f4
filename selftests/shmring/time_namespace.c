// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines are of the clock that the caller sees: in a time namespace CLOCK_MONOTONIC is
 * ahead of the kernel's, or behind it.
 */
#include "pair.h"
#include "uring.h"

#define MS	1000000ull
#define LOST	10	/* seconds after which a deadline will not pass any more */

FIXTURE(offset) {
	FIXTURE_DATA(pair) pair;
	int err;	/* no such namespaces */
};

FIXTURE_VARIANT(offset) {
	const char *offset;
};

FIXTURE_VARIANT_ADD(offset, none) { "monotonic 0 0" };
FIXTURE_VARIANT_ADD(offset, ahead) { "monotonic 1000 0" };
FIXTURE_VARIANT_ADD(offset, behind) { "monotonic -1 0" };

/* Children are in it, the test is not. */
FIXTURE_SETUP(offset)
{
	pair_setup(_metadata, &self->pair, NULL);
	self->err = unshare(CLONE_NEWTIME) ? errno : 0;
	if (self->err) {
		ASSERT_EQ(EINVAL, self->err);
		return;
	}
	ASSERT_TRUE(write_text("/proc/self/timens_offsets", variant->offset));
}

FIXTURE_TEARDOWN(offset)
{
	pair_teardown(_metadata, &self->pair, NULL);
}

static __u64 soon(void)
{
	return now_ns() + 30 * MS;
}

/* A WAIT until then has timed out: now, and not long after. */
static void check_late(int ret, __u64 until)
{
	__u64 now = now_ns();

	CHECK_EQ(-ETIMEDOUT, ret);
	CHECK(now >= until);
	CHECK(now < until + LOST * 1000 * MS / 2);
}

static void by_ioctl(FIXTURE_DATA(pair) *p)
{
	struct shmring_ioc_wait arg = { .size = sizeof(arg), .events = IN };
	__u64 until = soon(), later = until + 1000000 * MS;

	check_late(ring_wait(p->consumer, IN, until), until);
	CHECK_EQ(-EAGAIN, ring_wait(p->consumer, IN, NOW));
	/* Long ago, and not NOW. */
	CHECK_EQ(-ETIMEDOUT, ring_wait(p->consumer, IN, 1));
	CHECK_EQ(0, send_one(p, 8));
	CHECK_EQ(IN, ring_wait(p->consumer, IN, NEVER));
	/* The struct can be used again. */
	arg.deadline = later;
	CHECK_EQ(0, dev_ioctl(p->consumer, SHMRING_IOC_WAIT, &arg));
	CHECK_EQ(IN, arg.revents);
	CHECK_EQ(later, arg.deadline);
}

static int uring_result(struct uring *u, int fd, __u64 deadline, __u8 flags)
{
	struct shmring_uring_wait w = wait_args(IN, deadline);
	struct io_uring_cqe cqe;
	int err = uring_cmd(u, fd, SHMRING_URING_WAIT, &w, flags) ?: uring_wait(u, &cqe, LOST);

	return err ? err : cqe.res;
}

static void by_uring(FIXTURE_DATA(pair) *p)
{
	struct uring u;
	int err = uring_open(&u);
	__u64 until;

	if (err == -ENOSYS || err == -EPERM)
		_exit(KSFT_SKIP);
	CHECK_EQ(0, err);
	until = soon();
	check_late(uring_result(&u, p->consumer, until, 0), until);
	until = soon();
	check_late(uring_result(&u, p->consumer, until, IOSQE_ASYNC), until);
	CHECK_EQ(-EAGAIN, uring_result(&u, p->consumer, NOW, 0));
	CHECK_EQ(-ETIMEDOUT, uring_result(&u, p->consumer, 1, 0));
	CHECK_EQ(0, send_one(p, 8));
	CHECK_EQ(IN, uring_result(&u, p->consumer, NEVER, 0));
	uring_close(&u);
}

/* In a child, which a deadline that is far off does not keep: its exit status. */
static int in_namespace(FIXTURE_DATA(offset) *self, void (*run)(FIXTURE_DATA(pair) *p))
{
	struct child c;
	pid_t pid;

	if (self->err)
		return KSFT_SKIP;
	pid = child_start(&c);
	if (pid)
		return pid < 0 ? -errno : child_end(&c);
	alarm(LOST);
	run(&self->pair);
	_exit(0);
}

TEST_F(offset, of_the_ioctl)
{
	int status = in_namespace(self, by_ioctl);

	if (status == KSFT_SKIP)
		SKIP(return, "no time namespaces");
	EXPECT_EQ(0, status);
}

TEST_F(offset, of_io_uring)
{
	int status = in_namespace(self, by_uring);

	if (status == KSFT_SKIP)
		SKIP(return, "no time namespaces, or no io_uring");
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
