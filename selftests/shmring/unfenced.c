// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints that publish and release without a fence, and say so: whoever arms in the kernel
 * is told of everything nevertheless. Nobody sleeps here, so that the two sides meet at
 * another instruction each time and soon: who is told by poll(2) that there is nothing looks
 * at its armed until a peer's KICK clears it.
 */
#include <sys/epoll.h>

#include "endpoint.h"

#define ROUNDS		200000u		/* or for how long: */
#define LONG_ENOUGH	20000000000ull	/* ns; a debug kernel takes minutes for all of them */
#define LAST		(~0u)
#define RECORD		2048u		/* of a ring of 4096 bytes: one at a time */
#define DELAYS		1024u		/* turns of a loop, to meet poll(2) anywhere */

/* How the kernel is asked for an event. */
enum ask { POLL, EPOLL_EDGE };

struct party {
	struct endpoint e;
	enum ask ask;
	int epoll;
	__u32 random;
};

static bool party_init(struct party *p, int fd, enum ask ask, __u32 seed)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };

	if (endpoint_map(&p->e, fd))
		return false;
	p->ask = ask;
	p->random = seed;
	shmring_store(&p->e.cursor->unfenced, SHMRING_UNFENCED);
	shmring_fence();	/* pairs with the barrier after armed in the kernel */
	p->epoll = epoll_create1(0);
	return p->epoll >= 0 && !epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void party_dawdle(struct party *p)
{
	p->random = p->random * 1664525 + 1013904223;
	for (__u32 n = (p->random >> 16) % DELAYS; n; n--)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Ask to be told, until something is there. 0, or -ETIMEDOUT: nobody tells. */
static int party_ask(struct party *p, short events)
{
	__u64 limit = now_ns() + 10 * 1000000000ull;
	struct epoll_event ev;
	bool ready;

	ready = p->ask == POLL ? poll_now(p->e.fd, events) & events :
				 epoll_wait(p->epoll, &ev, 1, 0) > 0;
	if (ready)
		return 0;
	while (shmring_load(&p->e.cursor->armed) == SHMRING_ARMED_YES)
		if (now_ns() > limit)
			return -ETIMEDOUT;
	return 0;
}

static int produce(struct party *p)
{
	__u64 end = now_ns() + LONG_ENOUGH;
	struct shmring_spsc_tx tx;
	__u32 record[RECORD / 4] = { 0 };
	int ret = tx_init(&tx, &p->e);

	tx.fence = 0;
	for (__u32 i = 0; record[0] != LAST && !ret; i++) {
		record[0] = i < ROUNDS && now_ns() < end ? i : LAST;
		while ((ret = tx_try(&p->e, &tx, record, sizeof(record))) == -EAGAIN) {
			ret = party_ask(p, POLLOUT);
			if (ret)
				return ret;
		}
		party_dawdle(p);
	}
	return ret;
}

static int consume(struct party *p)
{
	struct shmring_spsc_rx rx;
	__u32 record[RECORD / 4];
	long len;
	int ret;

	rx_init(&rx, &p->e);
	rx.fence = 0;
	record[0] = 0;
	for (__u32 i = 0; record[0] != LAST; i++) {
		while ((len = rx_try(&p->e, &rx, record, sizeof(record))) == -EAGAIN) {
			ret = party_ask(p, POLLIN);
			if (ret)
				return ret;
		}
		if (len != sizeof(record) || (record[0] != i && record[0] != LAST))
			return len < 0 ? (int)len : -EBADMSG;
		party_dawdle(p);
	}
	return 0;
}

FIXTURE(unfenced) {
	int producer, consumer;
};

FIXTURE_VARIANT(unfenced) {
	enum ask ask;
};

FIXTURE_VARIANT_ADD(unfenced, poll) { POLL };
FIXTURE_VARIANT_ADD(unfenced, epoll_edge) { EPOLL_EDGE };

FIXTURE_SETUP(unfenced)
{
	const struct shmring_meta *meta;
	struct shmring_ioc_info info;

	self->producer = ring_create(SPSC, PRODUCER, 4096, NULL);
	ASSERT_LE(0, self->producer);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, ring_info(self->producer, &info));
	meta = mmap(NULL, (size_t)info.control_size, PROT_READ, MAP_SHARED, self->producer, 0);
	ASSERT_NE(MAP_FAILED, (void *)(uintptr_t)meta);
	if (!(meta->features & SHMRING_FEATURE_UNFENCED))
		SKIP(return, "the kernel does not know where who publishes runs");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
}

FIXTURE_TEARDOWN(unfenced)
{
	close(self->producer);
	close(self->consumer);
}

static void run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

TEST_F_TIMEOUT(unfenced, nothing_is_missed, 120)
{
	struct party p;
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		run_on_cpu(1);
		CHECK_EQ(true, party_init(&p, self->consumer, variant->ask, 1));
		CHECK_EQ(0, consume(&p));
		_exit(0);
	}
	run_on_cpu(0);
	ASSERT_TRUE(party_init(&p, self->producer, variant->ask, 2));
	EXPECT_EQ(0, produce(&p));
	EXPECT_EQ(0, child_end(&c));
}

/* Both go on with what they were born with, and their parent has gone on to other things. */
TEST_F_TIMEOUT(unfenced, nothing_of_a_child_is_missed, 120)
{
	struct party p, q;
	struct child c[2];

	ASSERT_TRUE(party_init(&p, self->producer, variant->ask, 3));
	ASSERT_TRUE(party_init(&q, self->consumer, variant->ask, 4));
	for (int i = 0; i < 2; i++) {
		ASSERT_LE(0, child_start(&c[i]));
		if (!c[i].pid) {
			run_on_cpu(i);
			CHECK_EQ(0, i ? consume(&q) : produce(&p));
			_exit(0);
		}
	}
	endpoint_unmap(&p.e);
	endpoint_unmap(&q.e);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, child_end(&c[i]));
}

/* The kernel keeps to mappings that are there, however they come and go. */
TEST_F(unfenced, mappings_come_and_go)
{
	const size_t size = page_size();
	struct shmring_cursor *moved;
	struct party p, q;
	struct child c;

	ASSERT_TRUE(party_init(&p, self->producer, variant->ask, 5));
	ASSERT_TRUE(party_init(&q, self->consumer, variant->ask, 6));
	for (int i = 0; i < 100; i++) {
		off_t at = (off_t)(p.e.info.cursor_offset + p.e.info.slot * size);
		void *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *again;

		ASSERT_NE(MAP_FAILED, to);
		moved = mremap(p.e.cursor, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		ASSERT_EQ(to, (void *)moved);
		p.e.cursor = moved;
		EXPECT_EQ(0, poll_now(q.e.fd, POLLIN));

		again = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p.e.fd, at);
		ASSERT_NE(MAP_FAILED, again);
		ASSERT_LE(0, child_start(&c));
		if (!c.pid) {
			munmap(moved, size);
			CHECK_EQ(0, poll_now(q.e.fd, POLLIN));
			_exit(0);
		}
		EXPECT_EQ(0, poll_now(q.e.fd, POLLIN));
		ASSERT_EQ(0, munmap(again, size));
		EXPECT_EQ(0, child_end(&c));
		EXPECT_EQ(0, poll_now(q.e.fd, POLLIN));
	}
	ASSERT_EQ(0, munmap(moved, size));
	EXPECT_EQ(0, poll_now(q.e.fd, POLLIN));
}

TEST_HARNESS_MAIN
