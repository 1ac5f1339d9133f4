// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel counts of each slot, in META and in fdinfo: each thing that happens, once,
 * where it belongs, and the same in both. An endpoint cannot change it.
 */
#include "endpoint.h"
#include "group.h"

/* The counters of a slot as META has them. */
static struct shmring_witness seen(const struct shmring_meta *meta, __u32 slot)
{
	return *(const volatile struct shmring_witness *)&meta->witness[slot];
}

/* A line of fdinfo, or -1. */
static long long fdinfo(int fd, const char *key)
{
	char path[64], line[128], name[64];
	long long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "shmring-%63[^:]:\t%lld", name, &value) == 2 &&
		    !strcmp(name, key)) {
			fclose(f);
			return value;
		}
	if (f)
		fclose(f);
	return -1;
}

FIXTURE(witness) {
	struct endpoint p, c;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
	struct child child;
};

FIXTURE_SETUP(witness)
{
	int fd = ring_create(SPSC, PRODUCER, page_size(), NULL);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->p, fd));
	ASSERT_EQ(0, endpoint_map(&self->c, ring_attach_fd(CONSUMER, fd)));
	ASSERT_EQ(0, tx_init(&self->tx, &self->p));
	rx_init(&self->rx, &self->c);
}

FIXTURE_TEARDOWN(witness)
{
	endpoint_unmap(&self->p);
	endpoint_unmap(&self->c);
	close(self->p.fd);
	close(self->c.fd);
}

TEST_F(witness, a_sleeper_and_who_wakes_it)
{
	struct shmring_witness w;

	ASSERT_LE(0, child_start(&self->child));
	if (!self->child.pid) {
		CHECK_EQ(IN, ring_wait(self->c.fd, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(self->child.pid));
	w = seen(self->p.meta, 1);
	EXPECT_EQ(1, w.waits);
	EXPECT_EQ(0, w.wakes);
	ASSERT_EQ(0, tx_try(&self->p, &self->tx, "1234", 4));
	ASSERT_EQ(0, child_end(&self->child));
	w = seen(self->p.meta, 1);
	EXPECT_EQ(1, w.waits);
	EXPECT_EQ(1, w.wakes);
	EXPECT_EQ(0, w.spurious);
	EXPECT_EQ(0, w.kicks);
	w = seen(self->c.meta, 0);
	EXPECT_EQ(0, w.waits);
	EXPECT_EQ(0, w.wakes);
	EXPECT_EQ(1, w.kicks);
	EXPECT_EQ(0, w.kicks_idle);
}

TEST_F(witness, kicks_that_wake_nobody)
{
	ASSERT_EQ(0, ring_kick(self->c.fd));
	ASSERT_EQ(0, ring_kick(self->c.fd));
	EXPECT_EQ(2, seen(self->p.meta, 1).kicks);
	EXPECT_EQ(2, seen(self->p.meta, 1).kicks_idle);
	EXPECT_EQ(0, seen(self->p.meta, 0).wakes);
}

/* A look and a deadline are no sleep, or one that nobody ended. */
TEST_F(witness, waits_that_are_none)
{
	ASSERT_EQ(-EAGAIN, ring_wait(self->c.fd, IN, NOW));
	ASSERT_EQ(OUT, ring_wait(self->p.fd, OUT, NEVER));
	EXPECT_EQ(0, seen(self->p.meta, 0).waits);
	EXPECT_EQ(0, seen(self->p.meta, 1).waits);
	ASSERT_EQ(-ETIMEDOUT, ring_wait(self->c.fd, IN, now_ns() + 1000000));
	EXPECT_EQ(1, seen(self->p.meta, 1).waits);
	EXPECT_EQ(0, seen(self->p.meta, 1).wakes);
	EXPECT_EQ(0, seen(self->p.meta, 1).spurious);
}

TEST_F(witness, a_peer_that_ends_wakes)
{
	close(ring_attach_fd(OBSERVER, self->c.fd));
	EXPECT_EQ(0, seen(self->c.meta, 1).wakes);
	endpoint_unmap(&self->p);
	close(self->p.fd);
	EXPECT_EQ(1, seen(self->c.meta, 1).wakes);
	EXPECT_EQ(0, seen(self->c.meta, 1).kicks);
	/* They are the slot's: a successor goes on from there. */
	ASSERT_EQ(0, endpoint_map(&self->p, ring_attach_fd(PRODUCER, self->c.fd)));
	ASSERT_EQ(0, ring_kick(self->p.fd));
	endpoint_unmap(&self->p);
	close(self->p.fd);
	ASSERT_EQ(0, endpoint_map(&self->p, ring_attach_fd(PRODUCER, self->c.fd)));
	ASSERT_EQ(0, ring_kick(self->p.fd));
	EXPECT_EQ(2, seen(self->c.meta, 0).kicks);
}

TEST_F(witness, fdinfo_says_the_same)
{
	struct shmring_cursor *mine = self->c.cursor;
	int observer = ring_attach_fd(OBSERVER, self->c.fd);
	char buf[8];

	ASSERT_EQ(0, tx_try(&self->p, &self->tx, "1234", 4));
	ASSERT_EQ(4, rx_try(&self->c, &self->rx, buf, sizeof(buf)));
	ASSERT_EQ(-ETIMEDOUT, ring_wait(self->c.fd, IN, now_ns() + 1000000));
	ASSERT_EQ(0, ring_kick(self->c.fd));
	mine->stalls = 7;
	mine->high = 8;
	EXPECT_EQ(1, fdinfo(self->c.fd, "records"));
	EXPECT_EQ(7, fdinfo(self->c.fd, "stalls"));
	EXPECT_EQ(8, fdinfo(self->c.fd, "high"));
	EXPECT_EQ(1, fdinfo(self->c.fd, "waits"));
	EXPECT_EQ(0, fdinfo(self->c.fd, "wakes"));
	EXPECT_EQ(0, fdinfo(self->c.fd, "spurious"));
	EXPECT_EQ(1, fdinfo(self->c.fd, "kicks"));
	EXPECT_EQ(1, fdinfo(self->c.fd, "kicks-idle"));
	EXPECT_EQ(0, fdinfo(self->p.fd, "waits"));
	/* Who has no slot has no counters, but sees the ring's. */
	EXPECT_EQ(16, fdinfo(observer, "produced"));
	EXPECT_EQ(-1, fdinfo(observer, "waits"));
	close(observer);
}

/* As hostile as it may be, META is not its own. */
TEST_F(witness, an_endpoint_cannot_write_it)
{
	EXPECT_EQ(-EACCES, try_mmap(self->p.fd, (size_t)self->p.info.control_size,
				    PROT_READ | PROT_WRITE, MAP_SHARED, 0));
	EXPECT_EQ(-1, mprotect((void *)(uintptr_t)self->p.meta, page_size(),
			       PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
}

/* A consumer that waits for a lot computes its share anew when a producer comes. */
TEST(a_wake_up_for_nothing_is_counted)
{
	int ring = group_create(MPSC, SHMRING_FULL_WAIT, 2, 1);
	struct member p, q, c;
	struct child child;

	ASSERT_LE(0, ring);
	ASSERT_TRUE(member_attach(&p, PRODUCER, ring));
	ASSERT_TRUE(member_attach(&c, CONSUMER, ring));
	ASSERT_LE(0, child_start(&child));
	if (!child.pid) {
		CHECK_EQ(IN, ring_wait_need(c.fd, IN, 64, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(child.pid));
	ASSERT_TRUE(member_attach(&q, PRODUCER, ring));
	while (!seen(p.meta, 2).spurious)	/* counted by the one that was woken */
		sched_yield();
	EXPECT_EQ(1, seen(p.meta, 2).wakes);
	EXPECT_EQ(2, seen(p.meta, 2).waits);
	ASSERT_TRUE(until_asleep(child.pid));
	ASSERT_EQ(0, member_send(&p, 56, 'a'));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ(2, seen(p.meta, 2).wakes);
	EXPECT_EQ(1, seen(p.meta, 2).spurious);
	member_close(&p);
	member_close(&q);
	member_close(&c);
	close(ring);
}

TEST_HARNESS_MAIN
