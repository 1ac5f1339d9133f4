// SPDX-License-Identifier: GPL-2.0-only
/*
 * No wake-up is lost: two processes that sleep and wake each other a hundred thousand
 * times on one CPU, where each switch is at another instruction, and some thousand
 * times on two, where they race. A lost wake-up is a sleep for ever, which the
 * harness's alarm ends.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "endpoint.h"
#include "uring.h"

#define CROSSINGS	2000u		/* between two CPUs: an emulator takes long for one */
#define RECORDS		200000u

/* How an endpoint that can do nothing more waits until it can. */
enum sleep_by { WAIT, POLL, EPOLL_LEVEL, EPOLL_EDGE, EVENTFD, URING_WAIT };

struct waiter {
	enum sleep_by by;
	const struct endpoint *e;
	__u32 event;
	int fd;			/* epoll or eventfd */
	struct uring u;
};

static int waiter_init(struct waiter *w, enum sleep_by by, const struct endpoint *e)
{
	struct epoll_event ev = { 0 };

	w->by = by;
	w->e = e;
	w->event = e->info.role == PRODUCER ? SHMRING_EV_OUT : SHMRING_EV_IN;
	switch (by) {
	case EPOLL_EDGE:
		ev.events = EPOLLET;
		/* fallthrough */
	case EPOLL_LEVEL:
		ev.events |= w->event == SHMRING_EV_IN ? EPOLLIN : EPOLLOUT;
		w->fd = epoll_create1(0);
		return epoll_ctl(w->fd, EPOLL_CTL_ADD, e->fd, &ev) ? -errno : 0;
	case EVENTFD:
		w->fd = eventfd(0, 0);
		return ring_eventfd(e->fd, w->event, w->fd);
	case URING_WAIT:
		return uring_open(&w->u);
	default:
		return 0;
	}
}

/* @wake_at: the peer's position that makes it worth while, for who arms itself. */
static int waiter_sleep(struct waiter *w, __u64 wake_at)
{
	struct pollfd p = {
		.fd = w->e->fd,
		.events = w->event == SHMRING_EV_IN ? POLLIN : POLLOUT,
	};
	struct io_uring_cqe cqe;
	struct epoll_event ev;
	__u64 n;
	int ret;

	switch (w->by) {
	case WAIT:
		ret = ring_wait(w->e->fd, w->event, SHMRING_DEADLINE_NEVER);
		return ret < 0 ? ret : 0;
	case POLL:
		return poll(&p, 1, -1) == 1 ? 0 : -errno;
	case EVENTFD:
		if (!cursor_arm(w->e->cursor, endpoint_peer(w->e), wake_at))
			return 0;
		return read(w->fd, &n, sizeof(n)) == sizeof(n) ? 0 : -errno;
	case URING_WAIT:
		ret = uring_cmd_wait(&w->u, w->e->fd, w->event, SHMRING_DEADLINE_NEVER) ?:
		      uring_wait(&w->u, &cqe, TEST_TIMEOUT_DEFAULT);
		return ret ? ret : cqe.res < 0 ? cqe.res : 0;
	default:
		return epoll_wait(w->fd, &ev, 1, -1) == 1 ? 0 : -errno;
	}
}

static int send_u32(const struct endpoint *e, struct shmring_spsc_tx *tx,
		    struct waiter *w, __u32 value)
{
	__u64 room = shmring_record_size(sizeof(value)) + SHMRING_REC_TAIL;
	int ret;

	while ((ret = tx_try(e, tx, &value, sizeof(value))) == -EAGAIN) {
		ret = waiter_sleep(w, tx->tail + room - e->info.data_size);
		if (ret)
			return ret;
	}
	return ret;
}

static int recv_u32(const struct endpoint *e, struct shmring_spsc_rx *rx,
		    struct waiter *w, __u32 *value)
{
	long len;
	int ret;

	while ((len = rx_try(e, rx, value, sizeof(*value))) == -EAGAIN) {
		ret = waiter_sleep(w, rx->done + 1);
		if (ret)
			return ret;
	}
	return len == sizeof(*value) ? 0 : len < 0 ? (int)len : -EMSGSIZE;
}

/* Two rings, there and back; each process maps what it uses. */
FIXTURE(rounds) {
	int there[2], back[2];		/* producer, consumer */
};

FIXTURE_VARIANT(rounds) {
	enum sleep_by by;
	__u32 switches;		/* on one CPU */
};

FIXTURE_VARIANT_ADD(rounds, wait) { WAIT, 100000 };
FIXTURE_VARIANT_ADD(rounds, poll) { POLL, 20000 };
FIXTURE_VARIANT_ADD(rounds, epoll_level) { EPOLL_LEVEL, 20000 };
FIXTURE_VARIANT_ADD(rounds, epoll_edge) { EPOLL_EDGE, 100000 };
FIXTURE_VARIANT_ADD(rounds, eventfd) { EVENTFD, 20000 };
FIXTURE_VARIANT_ADD(rounds, uring) { URING_WAIT, 20000 };

static void run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void ring_pair(struct __test_metadata *_metadata, int fd[2])
{
	fd[0] = ring_create(SPSC, PRODUCER, page_size(), NULL);
	ASSERT_LE(0, fd[0]);
	fd[1] = ring_attach_fd(CONSUMER, fd[0]);
	ASSERT_LE(0, fd[1]);
}

FIXTURE_SETUP(rounds)
{
	ring_pair(_metadata, self->there);
	ring_pair(_metadata, self->back);
}

FIXTURE_TEARDOWN(rounds)
{
	for (int i = 0; i < 2; i++) {
		close(self->there[i]);
		close(self->back[i]);
	}
}

struct side {
	struct endpoint in, out;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
	struct waiter in_waiter, out_waiter;
};

static int side_init(struct side *s, int in, int out, enum sleep_by by)
{
	int err = endpoint_map(&s->in, in) ?: endpoint_map(&s->out, out) ?:
		  tx_init(&s->tx, &s->out);

	if (err)
		return err;
	rx_init(&s->rx, &s->in);
	return waiter_init(&s->in_waiter, by, &s->in) ?: waiter_init(&s->out_waiter, by, &s->out);
}

/* Every message is waited for by somebody who has nothing else to do. */
static void there_and_back(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self,
			   enum sleep_by by, __u32 rounds, int cpu)
{
	struct side s;
	struct child c;
	__u32 value;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		run_on_cpu(cpu);
		CHECK_EQ(0, side_init(&s, self->there[1], self->back[0], by));
		for (__u32 i = 0; i < rounds; i++) {
			CHECK_EQ(0, recv_u32(&s.in, &s.rx, &s.in_waiter, &value));
			CHECK_EQ(i, value);
			CHECK_EQ(0, send_u32(&s.out, &s.tx, &s.out_waiter, value));
		}
		_exit(0);
	}
	run_on_cpu(0);
	ASSERT_EQ(0, side_init(&s, self->back[1], self->there[0], by));
	for (__u32 i = 0; i < rounds; i++) {
		ASSERT_EQ(0, send_u32(&s.out, &s.tx, &s.out_waiter, i));
		ASSERT_EQ(0, recv_u32(&s.in, &s.rx, &s.in_waiter, &value));
		ASSERT_EQ(i, value);
	}
	EXPECT_EQ(0, child_end(&c));
}

TEST_F(rounds, on_one_cpu)
{
	there_and_back(_metadata, self, variant->by, variant->switches / 2, 0);
}

TEST_F(rounds, between_two_cpus)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	there_and_back(_metadata, self, variant->by, CROSSINGS / 2, 1);
}

/* A stream through a page: now the one and now the other side finds nothing to do. */
TEST_F(rounds, stream)
{
	struct waiter w;
	struct endpoint e;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
	struct child c;
	__u32 value;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(0, endpoint_map(&e, self->there[1]));
		CHECK_EQ(0, waiter_init(&w, variant->by, &e));
		rx_init(&rx, &e);
		for (__u32 i = 0; i < RECORDS; i++) {
			CHECK_EQ(0, recv_u32(&e, &rx, &w, &value));
			CHECK_EQ(i, value);
		}
		_exit(0);
	}
	ASSERT_EQ(0, endpoint_map(&e, self->there[0]));
	ASSERT_EQ(0, waiter_init(&w, variant->by, &e));
	ASSERT_EQ(0, tx_init(&tx, &e));
	for (__u32 i = 0; i < RECORDS; i++)
		ASSERT_EQ(0, send_u32(&e, &tx, &w, i));
	EXPECT_EQ(0, child_end(&c));
}

TEST_HARNESS_MAIN
