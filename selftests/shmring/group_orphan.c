// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a consumer of a QUEUE had claimed when it died: exactly that becomes an orphan,
 * keeps its place in the lane, and is taken over by one consumer at a time.
 */
#include "group.h"

#define TAKE	SHMRING_ADOPT_TAKE
#define DONE	SHMRING_ADOPT_DONE
#define FIRST	2	/* slot of the first consumer */

FIXTURE(orphan) {
	int ring;
	struct member p, other;		/* the other producer, in lane 1 */
	struct shmring_ioc_adopt adopt;
};

FIXTURE_SETUP(orphan)
{
	self->ring = group_create(QUEUE, SHMRING_FULL_WAIT, 2, 4);
	ASSERT_LE(0, self->ring);
	ASSERT_TRUE(member_attach(&self->p, PRODUCER, self->ring));
	ASSERT_TRUE(member_attach(&self->other, PRODUCER, self->ring));
}

FIXTURE_TEARDOWN(orphan)
{
	member_close(&self->p);
	member_close(&self->other);
	close(self->ring);
}

/* What a child does before it is killed; it holds nothing else of the ring. */
static void claim_one(struct member *m)
{
	CHECK(member_get(m) >= 0);
}

static void claim_and_release(struct member *m)
{
	CHECK(member_take(m) >= 0);
}

/* Dies after saying what it is going to claim, before it does. */
static void announce(struct member *m)
{
	__u64 front = shmring_tagged_pos(m->shared->head[0].claim);

	m->mine->hold_end = front + 32;
	m->mine->hold = shmring_tagged(front, SHMRING_HOLD_VALID);
}

/* Its claim was the last but one: the proof has to tell. */
static void claim_and_have_it_passed(struct member *m)
{
	struct member next;

	CHECK(member_get(m) >= 0);
	CHECK(member_attach(&next, CONSUMER, m->fd));
	CHECK(member_take(&next) >= 0);
	member_close(&next);
}

static void take_over(struct member *m)
{
	struct shmring_ioc_adopt adopt = { 0 };

	CHECK_EQ(0, ring_adopt(m->fd, &adopt, TAKE));
}

/* A consumer that ignores its own slot's orphan. */
static void claim_anew(struct member *m)
{
	CHECK(m->meta->orphan[m->info.slot].state == SHMRING_ORPHAN_TAKEN);
	CHECK(member_get(m) >= 0);
}

static void die_after(struct __test_metadata *_metadata, int ring, void (*act)(struct member *m))
{
	struct child c;
	struct member m;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK(member_attach(&m, CONSUMER, ring));
		act(&m);
		CHECK(tell(c.sock));
		pause();
	}
	ASSERT_TRUE(hear(c.sock));
	ASSERT_EQ(128 + SIGKILL, child_kill(&c));
}

/* ---- what is one ---- */

TEST_F(orphan, is_exactly_what_was_claimed)
{
	struct shmring_ioc_info info;
	struct member c;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ(0, member_send(&self->p, 40, 'b'));
	die_after(_metadata, self->ring, claim_one);
	EXPECT_EQ(1ull << FIRST, self->p.meta->orphans);
	EXPECT_EQ(SHMRING_ORPHAN_WAITING, self->p.meta->orphan[FIRST].state);
	EXPECT_EQ(SHMRING_SLOT_DEAD, self->p.meta->slot[FIRST].state);
	/* It was claimed, and is in the ring all the same. */
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(32 + 48, info.produced);
	EXPECT_EQ(0, info.consumed);
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	EXPECT_EQ(0, self->p.meta->orphans);	/* taken with the slot */
	EXPECT_EQ(SHMRING_ORPHAN_TAKEN, self->p.meta->orphan[FIRST].state);
	for (int again = 0; again < 2; again++) {
		self->adopt.lane = 7;
		ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
		EXPECT_EQ(FIRST, self->adopt.slot);
		EXPECT_EQ(0, self->adopt.lane);
		EXPECT_EQ(0, self->adopt.pos);
		EXPECT_EQ(32, self->adopt.end);
	}
	EXPECT_EQ('b', member_take(&c));	/* the rest is as it was */
	self->adopt.slot = FIRST;
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(0, info.consumed);
	EXPECT_EQ(0, ring_adopt(c.fd, &self->adopt, DONE));
	EXPECT_EQ(SHMRING_ORPHAN_NONE, self->p.meta->orphan[FIRST].state);
	ASSERT_EQ(0, ring_info(self->ring, &info));
	EXPECT_EQ(32 + 48, info.consumed);
	EXPECT_EQ(-EINVAL, ring_adopt(c.fd, &self->adopt, DONE));
	member_close(&c);
	EXPECT_EQ(0, self->p.meta->orphans);
}

TEST_F(orphan, is_told_by_the_proof_as_well)
{
	struct member c;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ(0, member_send(&self->p, 24, 'b'));
	die_after(_metadata, self->ring, claim_and_have_it_passed);
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ(0, self->adopt.pos);
	EXPECT_EQ(32, self->adopt.end);
	member_close(&c);
}

TEST_F(orphan, is_not_what_was_released)
{
	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	die_after(_metadata, self->ring, claim_and_release);
	EXPECT_EQ(0, self->p.meta->orphans);
}

TEST_F(orphan, is_not_what_was_only_announced)
{
	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	die_after(_metadata, self->ring, announce);
	EXPECT_EQ(0, self->p.meta->orphans);
	EXPECT_EQ(IN, ring_wait(ring_attach_fd(CONSUMER, self->ring), IN, NOW));
}

/* An end in order with records still held is an end like any other. */
TEST_F(orphan, is_left_by_a_close_as_well)
{
	struct member c;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	ASSERT_EQ('a', member_get(&c));
	c.mine->closed = (__u32)getpid();
	member_close(&c);
	EXPECT_EQ(SHMRING_SLOT_CLOSED, self->p.meta->slot[FIRST].state);
	EXPECT_EQ(1ull << FIRST, self->p.meta->orphans);
}

/* ---- who gets it ---- */

TEST_F(orphan, goes_on_when_its_owner_dies)
{
	struct member c;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	die_after(_metadata, self->ring, claim_one);
	die_after(_metadata, self->ring, take_over);
	EXPECT_EQ(1ull << FIRST, self->p.meta->orphans);
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ(FIRST, self->adopt.slot);
	EXPECT_EQ(32, self->adopt.end);
	member_close(&c);
	EXPECT_EQ(1ull << FIRST, self->p.meta->orphans);
}

TEST_F(orphan, is_its_owners_alone)
{
	struct member a, b;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_TRUE(member_attach(&a, CONSUMER, self->ring));
	ASSERT_TRUE(member_attach(&b, CONSUMER, self->ring));
	die_after(_metadata, self->ring, claim_one);
	self->adopt.slot = FIRST + 1;
	EXPECT_EQ(-EINVAL, ring_adopt(b.fd, &self->adopt, DONE));	/* not taken */
	ASSERT_EQ(0, ring_adopt(b.fd, &self->adopt, TAKE));
	EXPECT_EQ(FIRST + 1, self->adopt.slot);
	EXPECT_EQ(SHMRING_ORPHAN_NONE, self->p.meta->orphan[FIRST + 2].state);
	EXPECT_EQ(SHMRING_ORPHAN_TAKEN, self->p.meta->orphan[FIRST + 1].state);
	EXPECT_EQ(-EINVAL, ring_adopt(a.fd, &self->adopt, DONE));
	EXPECT_EQ(-ENOENT, ring_adopt(a.fd, &self->adopt, TAKE));
	self->adopt.slot = FIRST + 1;
	EXPECT_EQ(0, ring_adopt(b.fd, &self->adopt, DONE));
	member_close(&a);
	member_close(&b);
}

/* It has moved on when its slot has a new consumer: that one may leave another. */
TEST_F(orphan, leaves_its_slot_to_the_next)
{
	struct member a, b;

	ASSERT_TRUE(member_attach(&a, CONSUMER, self->ring));
	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ(0, member_send(&self->p, 24, 'b'));
	die_after(_metadata, self->ring, claim_one);
	ASSERT_EQ(0, ring_adopt(a.fd, &self->adopt, TAKE));
	ASSERT_TRUE(member_attach(&b, CONSUMER, self->ring));
	EXPECT_EQ(-ENOENT, ring_adopt(b.fd, &self->adopt, TAKE));
	ASSERT_EQ('b', member_get(&b));
	member_close(&b);
	EXPECT_EQ(2ull << FIRST, self->p.meta->orphans);
	EXPECT_EQ(32, self->p.meta->orphan[FIRST + 1].pos);
	self->adopt.slot = FIRST;
	ASSERT_EQ(0, ring_adopt(a.fd, &self->adopt, DONE));
	ASSERT_EQ(0, ring_adopt(a.fd, &self->adopt, TAKE));
	EXPECT_EQ(32, self->adopt.pos);
	member_close(&a);
}

/* A successor has its own slot's, and no other before. */
TEST_F(orphan, of_the_own_slot_comes_first)
{
	struct member a, b, c;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ(0, member_send(&self->other, 24, 'b'));
	ASSERT_TRUE(member_attach(&a, CONSUMER, self->ring));
	ASSERT_TRUE(member_attach(&b, CONSUMER, self->ring));
	ASSERT_EQ('a', member_get(&a));
	ASSERT_EQ('b', member_get(&b));
	member_close(&a);
	member_close(&b);
	EXPECT_EQ(3ull << FIRST, self->p.meta->orphans);
	ASSERT_TRUE(member_attach(&a, CONSUMER, self->ring));
	ASSERT_TRUE(member_attach(&b, CONSUMER, self->ring));
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	EXPECT_EQ(0, a.mine->hold | b.mine->hold);
	EXPECT_EQ(-ENOENT, ring_adopt(c.fd, &self->adopt, TAKE));
	ASSERT_EQ(0, ring_adopt(b.fd, &self->adopt, TAKE));
	EXPECT_EQ(FIRST + 1, self->adopt.slot);
	EXPECT_EQ(1, self->adopt.lane);
	ASSERT_EQ(0, ring_adopt(a.fd, &self->adopt, TAKE));
	EXPECT_EQ(FIRST, self->adopt.slot);
	EXPECT_EQ(0, self->adopt.lane);
	member_close(&a);
	member_close(&b);
	member_close(&c);
}

TEST_F(orphan, of_a_slot_is_one_at_a_time)
{
	struct member c;

	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ(0, member_send(&self->p, 24, 'b'));
	die_after(_metadata, self->ring, claim_one);
	die_after(_metadata, self->ring, claim_anew);
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ(0, self->adopt.pos);
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, DONE));
	EXPECT_EQ(-ENOENT, ring_adopt(c.fd, &self->adopt, TAKE));
	member_close(&c);
}

/* ---- what it does to the others ---- */

TEST_F(orphan, keeps_its_place_in_the_lane)
{
	struct member c;

	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	for (int k = 0; k < 127; k++)
		ASSERT_EQ(0, member_send(&self->p, 24, k));
	EXPECT_EQ(-EAGAIN, member_send(&self->p, 24, 0));
	die_after(_metadata, self->ring, claim_one);
	EXPECT_EQ(1, member_take(&c));	/* what is behind it frees nothing */
	EXPECT_EQ(-EAGAIN, member_send(&self->p, 24, 0));
	EXPECT_EQ(0, poll_now(self->p.fd, POLLOUT));
	EXPECT_TRUE(in_state(self->p.meta->tx_state, 0));
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ(-EAGAIN, ring_wait(self->p.fd, OUT, NOW));
	EXPECT_TRUE(in_state(self->p.meta->tx_state, 0));
	EXPECT_EQ(0, ring_adopt(c.fd, &self->adopt, DONE));
	EXPECT_FALSE(in_state(self->p.meta->tx_state, 0));	/* it has been woken */
	EXPECT_EQ(POLLOUT, poll_now(self->p.fd, POLLOUT));
	EXPECT_EQ(0, member_send(&self->p, 24, 0));
	member_close(&c);
}

TEST_F(orphan, wakes_a_consumer)
{
	struct member c, dying;
	struct child child;

	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	ASSERT_TRUE(member_attach(&dying, CONSUMER, self->ring));
	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ('a', member_get(&dying));
	EXPECT_EQ(-EAGAIN, ring_wait(c.fd, IN, NOW));
	ASSERT_LE(0, child_start(&child));
	if (!child.pid) {
		member_close(&dying);
		CHECK_EQ(IN, ring_wait_need(c.fd, IN, 4000, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(child.pid));
	member_close(&dying);
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ(POLLIN, poll_now(c.fd, POLLIN));
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ(POLLIN, poll_now(c.fd, POLLIN));	/* until it is released */
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, DONE));
	EXPECT_EQ(0, poll_now(c.fd, POLLIN));
	member_close(&c);
}

/* What another one has taken over is not the slot's any more, whoever tries to get that. */
TEST_F(orphan, is_not_left_by_an_attach_that_fails)
{
	struct shmring_ioc_attach *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct member c;

	ASSERT_NE(MAP_FAILED, (void *)page);
	*page = attach_fd_args(CONSUMER, self->ring);
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_EQ(0, member_send(&self->p, 24, 'b'));
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	die_after(_metadata, self->ring, claim_one);
	EXPECT_EQ(2ull << FIRST, self->p.meta->orphans);
	EXPECT_EQ(-EFAULT, open_and(SHMRING_IOC_ATTACH, page));
	EXPECT_EQ(2ull << FIRST, self->p.meta->orphans);	/* it waits on */
	EXPECT_EQ(SHMRING_ORPHAN_WAITING, self->p.meta->orphan[FIRST + 1].state);

	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	ASSERT_EQ(0, ring_adopt(c.fd, &self->adopt, DONE));
	EXPECT_EQ(-EFAULT, open_and(SHMRING_IOC_ATTACH, page));
	EXPECT_EQ(0, self->p.meta->orphans);
	EXPECT_EQ(-ENOENT, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ('b', member_take(&c));
	member_close(&c);
	munmap(page, page_size());
}

/* ---- wrong arguments ---- */

TEST_F(orphan, adopt_refuses)
{
	struct shmring_ioc_adopt *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int mpsc = ring_create(MPSC, CONSUMER, 4096, NULL);
	struct member c;
	struct {
		struct shmring_ioc_adopt arg;
		__u64 later;
	} big = { .later = 1 };

	ASSERT_NE(MAP_FAILED, (void *)page);
	ASSERT_EQ(0, member_send(&self->p, 24, 'a'));
	ASSERT_TRUE(member_attach(&c, CONSUMER, self->ring));
	die_after(_metadata, self->ring, claim_one);
	EXPECT_EQ(-EINVAL, ring_adopt(self->p.fd, &self->adopt, TAKE));
	EXPECT_EQ(-EINVAL, ring_adopt(self->ring, &self->adopt, TAKE));
	EXPECT_EQ(-EINVAL, ring_adopt(mpsc, &self->adopt, TAKE));
	EXPECT_EQ(-ENOTCONN, ring_adopt(dev_open(), &self->adopt, TAKE));
	EXPECT_EQ(-EINVAL, ring_adopt(c.fd, &self->adopt, 0));
	EXPECT_EQ(-EINVAL, ring_adopt(c.fd, &self->adopt, 3));
	for (__u32 slot = 0; slot < 2 * SHMRING_SLOTS_MAX; slot++) {
		self->adopt.slot = slot;
		EXPECT_EQ(-EINVAL, ring_adopt(c.fd, &self->adopt, DONE));
	}
	self->adopt.slot = 0xffffffff;
	EXPECT_EQ(-EINVAL, ring_adopt(c.fd, &self->adopt, DONE));
	EXPECT_EQ(-EFAULT, dev_ioctl(c.fd, SHMRING_IOC_ADOPT, NULL));
	big.arg.op = TAKE;
	big.arg.size = sizeof(big);
	EXPECT_EQ(-E2BIG, dev_ioctl(c.fd, SHMRING_IOC_ADOPT, &big));
	big.arg.size = sizeof(big.arg) - 1;
	EXPECT_EQ(-EINVAL, dev_ioctl(c.fd, SHMRING_IOC_ADOPT, &big));

	/* Who cannot be told asks again. */
	page->size = sizeof(*page);
	page->op = TAKE;
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, dev_ioctl(c.fd, SHMRING_IOC_ADOPT, page));
	EXPECT_EQ(0, ring_adopt(c.fd, &self->adopt, TAKE));
	EXPECT_EQ(32, self->adopt.end);
	close(mpsc);
	member_close(&c);
}

TEST_HARNESS_MAIN
