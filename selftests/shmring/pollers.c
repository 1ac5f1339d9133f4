// SPDX-License-Identifier: GPL-2.0-only
/*
 * Those who hear of readiness without asking each time: io_uring, aio, and an epoll that
 * was there before the file was bound. Nothing is lost to them; and the coming and going
 * of observers, who are no peers, is told to nobody.
 */
#include <linux/aio_abi.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "pair.h"
#include "uring.h"

#define ROUNDS		100
#define LOST		10	/* seconds after which a wake-up will not come any more */

/* ---- io_uring ---- */

/* One request, any number of records: each is the first after an empty ring. */
TEST_F(pair, uring_multishot_hears_of_each_record)
{
	struct io_uring_cqe cqe;
	struct uring u;

	URING_OPEN(&u);
	ASSERT_EQ(0, uring_poll(&u, self->consumer, POLLIN, IORING_POLL_ADD_MULTI));
	EXPECT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, send_one(self, 8));
		ASSERT_EQ(0, uring_wait(&u, &cqe, LOST)) TH_LOG("record %d", i);
		ASSERT_EQ(POLLIN, cqe.res);
		ASSERT_TRUE(cqe.flags & IORING_CQE_F_MORE);
		ASSERT_EQ(8, take_one(self));
	}
	EXPECT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	uring_close(&u);
}

TEST_F(pair, uring_multishot_hears_of_space_each_time)
{
	struct io_uring_cqe cqe;
	struct uring u;

	URING_OPEN(&u);
	while (!send_one(self, 1000))
		;
	ASSERT_EQ(0, uring_poll(&u, self->producer, POLLOUT, IORING_POLL_ADD_MULTI));
	EXPECT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(1000, take_one(self));
		ASSERT_EQ(0, uring_wait(&u, &cqe, LOST)) TH_LOG("record %d", i);
		ASSERT_EQ(POLLOUT, cqe.res);
		ASSERT_TRUE(cqe.flags & IORING_CQE_F_MORE);
		ASSERT_EQ(0, send_one(self, 1000));
		ASSERT_EQ(-EAGAIN, send_one(self, 1000));
	}
	EXPECT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	uring_close(&u);
}

TEST_F(pair, uring_single_shot_hears_once)
{
	struct io_uring_cqe cqe;
	struct uring u;

	URING_OPEN(&u);
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, uring_poll(&u, self->consumer, POLLIN, 0));
		ASSERT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
		ASSERT_EQ(0, send_one(self, 8));
		ASSERT_EQ(0, uring_wait(&u, &cqe, LOST));
		ASSERT_EQ(POLLIN, cqe.res);
		ASSERT_EQ(8, take_one(self));
	}
	uring_close(&u);
}

TEST(uring_hears_of_the_peers_end)
{
	int consumer = ring_create(SPSC, CONSUMER, 4096, NULL);
	int producer = ring_attach_fd(PRODUCER, consumer);
	struct io_uring_cqe cqe;
	struct uring u;

	ASSERT_LE(0, producer);
	URING_OPEN(&u);
	ASSERT_EQ(0, uring_poll(&u, consumer, POLLIN, IORING_POLL_ADD_MULTI));
	EXPECT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	close(producer);
	ASSERT_EQ(0, uring_wait(&u, &cqe, LOST));
	EXPECT_EQ(POLLHUP, cqe.res);
	uring_close(&u);
	close(consumer);
}

/* ---- aio ---- */

static int aio_poll(aio_context_t ctx, int fd, short events)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = fd, .aio_buf = events };
	struct iocb *list = &cb;

	return syscall(SYS_io_submit, ctx, 1, &list) == 1 ? 0 : -errno;
}

/* How many of at most one have come within @seconds. */
static int aio_wait(aio_context_t ctx, struct io_event *ev, int seconds)
{
	struct timespec ts = { .tv_sec = seconds };
	long n = syscall(SYS_io_getevents, ctx, seconds ? 1 : 0, 1, ev, &ts);

	return n < 0 ? -errno : (int)n;
}

#define AIO_OPEN(ctx) do {							\
	if (syscall(SYS_io_setup, 4, ctx) && errno == ENOSYS)			\
		SKIP(return, "no aio");						\
	ASSERT_NE(0, *(ctx));							\
} while (0)

TEST_F(pair, aio_hears_of_each_record)
{
	aio_context_t ctx = 0;
	struct io_event ev;

	AIO_OPEN(&ctx);
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, aio_poll(ctx, self->consumer, POLLIN));
		ASSERT_EQ(0, aio_wait(ctx, &ev, 0));
		ASSERT_EQ(0, send_one(self, 8));
		ASSERT_EQ(1, aio_wait(ctx, &ev, LOST)) TH_LOG("record %d", i);
		ASSERT_EQ(POLLIN, ev.res);
		ASSERT_EQ(8, take_one(self));
	}
	syscall(SYS_io_destroy, ctx);
}

/* ---- observers are seen by nobody ---- */

static void observer_comes_and_goes(struct __test_metadata *_metadata, int via)
{
	struct endpoint e;
	int fd = ring_attach_fd(OBSERVER, via);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&e, fd));
	endpoint_unmap(&e);
	close(fd);
}

TEST_F(pair, observers_end_no_aio_poll)
{
	aio_context_t ctx = 0;
	struct io_event ev;

	AIO_OPEN(&ctx);
	ASSERT_EQ(0, aio_poll(ctx, self->consumer, POLLIN));
	observer_comes_and_goes(_metadata, self->consumer);
	EXPECT_EQ(0, aio_wait(ctx, &ev, 0));
	ASSERT_EQ(0, send_one(self, 8));
	ASSERT_EQ(1, aio_wait(ctx, &ev, LOST));
	EXPECT_EQ(POLLIN, ev.res);
	syscall(SYS_io_destroy, ctx);
}

static bool signalled(int efd)
{
	eventfd_t count;

	return !eventfd_read(efd, &count);
}

TEST_F(pair, observers_signal_no_eventfd)
{
	int in = eventfd(0, EFD_NONBLOCK), in_peer = eventfd(0, EFD_NONBLOCK);
	int out = eventfd(0, EFD_NONBLOCK), out_peer = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ring_eventfd(self->consumer, PEER, in_peer));
	ASSERT_EQ(0, ring_eventfd(self->producer, PEER, out_peer));
	ASSERT_EQ(0, ring_eventfd(self->consumer, IN, in));
	observer_comes_and_goes(_metadata, self->producer);
	EXPECT_FALSE(signalled(in));
	while (!send_one(self, 1000))
		;
	EXPECT_TRUE(signalled(in));
	ASSERT_EQ(0, ring_eventfd(self->producer, OUT, out));
	observer_comes_and_goes(_metadata, self->producer);
	EXPECT_FALSE(signalled(in));
	EXPECT_FALSE(signalled(out));
	EXPECT_FALSE(signalled(in_peer));
	EXPECT_FALSE(signalled(out_peer));
	close(in);
	close(out);
	close(in_peer);
	close(out_peer);
}

/* What has been told once is not told again because of them. */
TEST_F(pair, observers_are_no_edge)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct io_uring_cqe cqe;
	struct uring u;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->consumer, &ev));
	ASSERT_EQ(0, send_one(self, 8));
	ASSERT_EQ(1, epoll_wait(epoll, &got, 1, 0));
	ASSERT_EQ(0, epoll_wait(epoll, &got, 1, 0));
	observer_comes_and_goes(_metadata, self->consumer);
	EXPECT_EQ(0, epoll_wait(epoll, &got, 1, 0));

	URING_OPEN(&u);
	ASSERT_EQ(0, uring_poll(&u, self->consumer, POLLIN, IORING_POLL_ADD_MULTI));
	ASSERT_EQ(0, uring_wait(&u, &cqe, LOST));
	ASSERT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	observer_comes_and_goes(_metadata, self->consumer);
	EXPECT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	uring_close(&u);
	close(epoll);
}

/* ---- epoll first, then CREATE or ATTACH ---- */

FIXTURE(early) {
	int epoll;
	int consumer, producer;
	struct endpoint p, c;
	struct shmring_spsc_tx tx;
};

FIXTURE_VARIANT(early) {
	unsigned int trigger;
	bool create;		/* bound by CREATE, or by ATTACH */
	int before;		/* records that are there when the file is bound */
};

FIXTURE_VARIANT_ADD(early, level_attach) { 0, false, 0 };
FIXTURE_VARIANT_ADD(early, level_attach_ready) { 0, false, 1 };
FIXTURE_VARIANT_ADD(early, level_create) { 0, true, 0 };
FIXTURE_VARIANT_ADD(early, edge_attach) { EPOLLET, false, 0 };
FIXTURE_VARIANT_ADD(early, edge_attach_ready) { EPOLLET, false, 1 };
FIXTURE_VARIANT_ADD(early, edge_create) { EPOLLET, true, 0 };

static int early_send(FIXTURE_DATA(early) *self)
{
	return tx_try(&self->p, &self->tx, "early", 5);
}

FIXTURE_SETUP(early)
{
	struct epoll_event ev = { .events = EPOLLIN | variant->trigger };

	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	self->consumer = dev_open();
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->consumer, &ev));
	ASSERT_EQ(1, epoll_wait(self->epoll, &ev, 1, 0));
	ASSERT_EQ(EPOLLERR, ev.events);			/* not bound */
	if (variant->create) {
		struct shmring_ioc_create arg = create_args(SPSC, CONSUMER, 4096);

		ASSERT_EQ(0, dev_ioctl(self->consumer, SHMRING_IOC_CREATE, &arg));
		self->producer = ring_attach_fd(PRODUCER, self->consumer);
	} else {
		self->producer = ring_create(SPSC, PRODUCER, 4096, NULL);
	}
	ASSERT_EQ(0, endpoint_map(&self->p, self->producer));
	ASSERT_EQ(0, tx_init(&self->tx, &self->p));
	if (variant->before)
		ASSERT_EQ(0, early_send(self));
	if (!variant->create) {
		struct shmring_ioc_attach arg = attach_fd_args(CONSUMER, self->producer);

		ASSERT_EQ(0, dev_ioctl(self->consumer, SHMRING_IOC_ATTACH, &arg));
	}
	ASSERT_EQ(0, endpoint_map(&self->c, self->consumer));
}

FIXTURE_TEARDOWN(early)
{
	endpoint_unmap(&self->p);
	endpoint_unmap(&self->c);
	close(self->consumer);
	close(self->producer);
	close(self->epoll);
}

/* Being bound is news; what is said then is what holds for the ring. */
TEST_F(early, bound)
{
	struct epoll_event ev;

	ASSERT_EQ(variant->before, epoll_wait(self->epoll, &ev, 1, 0));
	if (variant->before)
		EXPECT_EQ(EPOLLIN, ev.events);
}

TEST_F(early, sleeper_is_woken)
{
	struct shmring_spsc_rx rx;
	struct epoll_event ev;
	struct child c;
	char buf[8];

	rx_init(&rx, &self->c);
	epoll_wait(self->epoll, &ev, 1, 0);
	if (variant->before)
		ASSERT_EQ(5, rx_try(&self->c, &rx, buf, sizeof(buf)));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(1, epoll_wait(self->epoll, &ev, 1, LOST * 1000));
		CHECK_EQ(EPOLLIN, ev.events);
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	EXPECT_EQ(0, early_send(self));
	EXPECT_EQ(0, child_end(&c));
}

TEST_HARNESS_MAIN
