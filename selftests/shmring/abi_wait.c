// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT, EVENTFD and KICK: each wrong argument has its own errno. What they do with
 * right ones is in event.c.
 */
#include <sys/eventfd.h>

#include "shmring_test.h"

FIXTURE(wait) {
	int producer, consumer;
	struct shmring_ioc_wait arg;
};

FIXTURE_SETUP(wait)
{
	self->producer = ring_create(SPSC, PRODUCER, page_size(), NULL);
	ASSERT_LE(0, self->producer);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_LE(0, self->consumer);
	self->arg.size = sizeof(self->arg);
	self->arg.events = SHMRING_EV_IN;
}

FIXTURE_TEARDOWN(wait)
{
	close(self->consumer);
	close(self->producer);
}

#define REFUSED(what, err, change) \
TEST_F(wait, what) \
{ \
	struct shmring_ioc_wait before; \
\
	change; \
	before = self->arg; \
	EXPECT_EQ(-err, dev_ioctl(self->consumer, SHMRING_IOC_WAIT, &self->arg)); \
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before))); \
}

REFUSED(size_zero, EINVAL, self->arg.size = 0)
REFUSED(size_short, EINVAL, self->arg.size--)
REFUSED(flags, EINVAL, self->arg.flags = 1)
REFUSED(events_none, EINVAL, self->arg.events = 0)
REFUSED(events_unknown, EINVAL, self->arg.events |= 8)
REFUSED(need_over, ERANGE, self->arg.need = page_size() + 1)
REFUSED(need_all_ones, ERANGE, self->arg.need = ~0ull)
REFUSED(need_records_over, ERANGE, self->arg.need_records = page_size() / 8)
REFUSED(need_records_all_ones, ERANGE, self->arg.need_records = ~0ull)
REFUSED(not_ready, EAGAIN, self->arg.revents = 7)
REFUSED(deadline_passed, ETIMEDOUT, self->arg.deadline = 1)

TEST_F(wait, null_argument)
{
	EXPECT_EQ(-EFAULT, dev_ioctl(self->consumer, SHMRING_IOC_WAIT, NULL));
}

TEST_F(wait, argument_read_only)
{
	struct shmring_ioc_wait *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)page);
	*page = self->arg;
	page->events = SHMRING_EV_OUT;
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, dev_ioctl(self->producer, SHMRING_IOC_WAIT, page));
}

TEST_F(wait, tail)
{
	struct {
		struct shmring_ioc_wait arg;
		__u64 later;
	} big = { .arg = self->arg, .later = 1 };

	big.arg.size = sizeof(big);
	EXPECT_EQ(-E2BIG, dev_ioctl(self->consumer, SHMRING_IOC_WAIT, &big));
	big.later = 0;
	EXPECT_EQ(-EAGAIN, dev_ioctl(self->consumer, SHMRING_IOC_WAIT, &big));
}

/* ERANGE begins where a record can never fit. */
TEST_F(wait, need_at_the_limit)
{
	__u64 whole = page_size() - 8;

	EXPECT_EQ(SHMRING_EV_OUT, ring_wait_need(self->producer, SHMRING_EV_OUT, whole,
						 SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-ERANGE, ring_wait_need(self->producer, SHMRING_EV_OUT, whole + 1,
					  SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EAGAIN, ring_wait_need(self->consumer, SHMRING_EV_IN, whole,
					  SHMRING_DEADLINE_NOW));
}

/* IN is for consumers, OUT for producers, neither for observers and RAW. */
TEST_F(wait, event_of_another_role)
{
	int raw = ring_create(RAW, PRODUCER | CONSUMER, page_size(), NULL);
	int observer = ring_attach_fd(OBSERVER, self->producer);

	ASSERT_LE(0, raw);
	ASSERT_LE(0, observer);
	EXPECT_EQ(-EINVAL, ring_wait(self->producer, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EINVAL, ring_wait(self->consumer, SHMRING_EV_OUT, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EINVAL, ring_wait(observer, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EINVAL, ring_wait(observer, SHMRING_EV_OUT, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EINVAL, ring_wait(raw, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EINVAL, ring_wait(raw, SHMRING_EV_OUT, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EAGAIN, ring_wait(raw, SHMRING_EV_PEER, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EAGAIN, ring_wait(observer, SHMRING_EV_PEER, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(-EINVAL, ring_eventfd(self->producer, SHMRING_EV_IN, -1));
	EXPECT_EQ(-EINVAL, ring_eventfd(raw, SHMRING_EV_OUT, -1));
	EXPECT_EQ(-EOPNOTSUPP, ring_kick(raw));
	EXPECT_EQ(-EINVAL, ring_wait_need(self->consumer, SHMRING_EV_PEER, 8,
					  SHMRING_DEADLINE_NOW));
	close(observer);
	close(raw);
}

TEST_F(wait, kick_takes_no_argument)
{
	EXPECT_EQ(0, ring_kick(self->consumer));
	EXPECT_EQ(-EINVAL, dev_ioctl(self->consumer, SHMRING_IOC_KICK, &self->arg));
}

FIXTURE(eventfd) {
	int ring;
	int efd;
	struct shmring_ioc_eventfd arg;
};

FIXTURE_SETUP(eventfd)
{
	self->ring = ring_create(SPSC, CONSUMER, page_size(), NULL);
	ASSERT_LE(0, self->ring);
	self->efd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->efd);
	self->arg.size = sizeof(self->arg);
	self->arg.events = SHMRING_EV_IN;
	self->arg.fd = self->efd;
}

FIXTURE_TEARDOWN(eventfd)
{
	close(self->efd);
	close(self->ring);
}

#define REFUSED_EVENTFD(what, err, change) \
TEST_F(eventfd, what) \
{ \
	change; \
	EXPECT_EQ(-err, dev_ioctl(self->ring, SHMRING_IOC_EVENTFD, &self->arg)); \
}

REFUSED_EVENTFD(size_zero, EINVAL, self->arg.size = 0)
REFUSED_EVENTFD(size_short, EINVAL, self->arg.size--)
REFUSED_EVENTFD(flags, EINVAL, self->arg.flags = 1)
REFUSED_EVENTFD(events_none, EINVAL, self->arg.events = 0)
REFUSED_EVENTFD(events_unknown, EINVAL, self->arg.events |= 8)
REFUSED_EVENTFD(fd_closed, EBADF, self->arg.fd = 999)
REFUSED_EVENTFD(fd_minus_two, EINVAL, self->arg.fd = -2)
REFUSED_EVENTFD(fd_of_another_driver, EBADFD, self->arg.fd = open("/dev/null", O_RDWR))
REFUSED_EVENTFD(fd_of_a_ring, EBADFD, self->arg.fd = self->ring)

TEST_F(eventfd, null_argument)
{
	EXPECT_EQ(-EFAULT, dev_ioctl(self->ring, SHMRING_IOC_EVENTFD, NULL));
}

TEST_F(eventfd, tail)
{
	struct {
		struct shmring_ioc_eventfd arg;
		__u64 later;
	} big = { .arg = self->arg, .later = 1 };

	big.arg.size = sizeof(big);
	EXPECT_EQ(-E2BIG, dev_ioctl(self->ring, SHMRING_IOC_EVENTFD, &big));
	big.later = 0;
	EXPECT_EQ(0, dev_ioctl(self->ring, SHMRING_IOC_EVENTFD, &big));
}

/* A registration that fails leaves the earlier one as it was. */
TEST_F(eventfd, none_is_registered_by_a_failure)
{
	EXPECT_EQ(0, dev_ioctl(self->ring, SHMRING_IOC_EVENTFD, &self->arg));
	EXPECT_EQ(-EBADF, ring_eventfd(self->ring, SHMRING_EV_IN, 999));
	EXPECT_EQ(0, ring_eventfd(self->ring, SHMRING_EV_IN, -1));
	EXPECT_EQ(0, ring_eventfd(self->ring, SHMRING_EV_IN | SHMRING_EV_PEER, -1));
}

TEST_HARNESS_MAIN
