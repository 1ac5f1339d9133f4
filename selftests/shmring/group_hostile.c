// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings with many endpoints whose words are lies, and where consumers begin: the kernel
 * computes with what anybody wrote, harms nobody else, and puts right what a successor needs.
 */
#include "group.h"

#define ROUNDS	300

FIXTURE(lies) {
	int ring;
	struct member p[2], c;
};

FIXTURE_VARIANT(lies) {
	__u32 topology, policy;
};

FIXTURE_VARIANT_ADD(lies, mpsc) { MPSC };
FIXTURE_VARIANT_ADD(lies, queue) { QUEUE };
FIXTURE_VARIANT_ADD(lies, broadcast) { BROADCAST };
FIXTURE_VARIANT_ADD(lies, overwrite) { BROADCAST, SHMRING_FULL_OVERWRITE };

FIXTURE_SETUP(lies)
{
	self->ring = group_create(variant->topology, variant->policy, 2,
				  variant->topology == MPSC ? 1 : 2);
	ASSERT_LE(0, self->ring);
	for (int k = 0; k < 2; k++)
		ASSERT_TRUE(member_attach(&self->p[k], PRODUCER, self->ring));
	ASSERT_TRUE(member_attach(&self->c, CONSUMER, self->ring));
}

FIXTURE_TEARDOWN(lies)
{
	close(self->ring);
}

/* The same in every run. Small numbers and large ones, as positions and as noise. */
static __u64 lie(__u64 *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	switch (*seed >> 61) {
	case 0:
		return ~0ull;
	case 1:
		return *seed >> 50 & ~7ull;
	case 2:
		return *seed >> 53;
	case 3:
		return 1ull << (*seed >> 40 & 63);
	default:
		return *seed;
	}
}

static void scribble(void *page, __u64 *seed)
{
	__u64 *word = page;

	for (size_t i = 0; i < page_size() / sizeof(*word); i++)
		shmring_store(&word[i], lie(seed));
}

static bool answers(int ret)
{
	return ret > 0 || ret == -EAGAIN || ret == -EPROTO;
}

/* Everything that looks at positions, on pages of noise; a successor can begin anyway. */
TEST_F(lies, are_computed_with)
{
	struct shmring_ioc_adopt adopt = { 0 };
	struct shmring_ioc_info info;
	__u64 seed = variant->topology + 1;

	for (int k = 0; k < ROUNDS; k++) {
		scribble(self->p[0].mine, &seed);
		scribble(self->c.mine, &seed);
		scribble(variant->topology == QUEUE ? self->c.shared : self->p[0].shared, &seed);
		scribble(self->p[0].lane[0], &seed);
		EXPECT_TRUE(answers(ring_wait(self->p[0].fd, OUT, NOW)));
		EXPECT_TRUE(answers(ring_wait(self->p[1].fd, OUT, NOW)));
		EXPECT_TRUE(answers(ring_wait(self->c.fd, IN, NOW)));
		EXPECT_TRUE(answers(ring_wait_need(self->c.fd, IN, 4000, NOW)));
		poll_now(self->p[0].fd, POLLOUT);
		poll_now(self->c.fd, POLLIN);
		EXPECT_EQ(0, ring_kick(self->p[0].fd));
		EXPECT_EQ(0, ring_kick(self->c.fd));
		EXPECT_EQ(0, ring_info(self->ring, &info));
		if (variant->topology == QUEUE)
			ring_adopt(self->c.fd, &adopt, SHMRING_ADOPT_TAKE);
		if (k % 16 == 0) {
			member_close(&self->c);
			ASSERT_LE(0, self->c.fd = ring_attach_fd(CONSUMER, self->ring));
			ASSERT_TRUE(member_start(&self->c, self->c.fd));
		}
	}
}

/* ---- a liar harms itself, and its successor begins where it can ---- */

/* Nothing is there: what a consumer does before it sleeps. 0, -EPROTO. */
static int check(struct member *c)
{
	int err = member_take(c);

	if (err != -EAGAIN)
		return err;
	return c->info.topology == QUEUE ? shmring_claim_check(&c->claims) :
					   shmring_merge_check(&c->merge);
}

TEST_F(lies, of_a_producer_make_the_consumer_look)
{
	struct member *p = &self->p[0];

	shmring_store(&p->mine->pos, 1ull << 40);
	/* Of a QUEUE it is a lane without records. */
	EXPECT_EQ(variant->topology == QUEUE ? -EAGAIN : IN, ring_wait(self->c.fd, IN, NOW));
	EXPECT_EQ(variant->topology == QUEUE ? 0 : POLLIN, poll_now(self->c.fd, POLLIN));
	/* It has looked, and left the lane out. */
	EXPECT_EQ(-EPROTO, check(&self->c));
	EXPECT_EQ(0, check(&self->c));
	EXPECT_EQ(-EAGAIN, ring_wait(self->c.fd, IN, NOW));
	EXPECT_EQ(0, poll_now(self->c.fd, POLLIN));
	ASSERT_EQ(0, member_send(&self->p[1], 24, 'b'));
	EXPECT_EQ(IN, ring_wait(self->c.fd, IN, NOW));
	EXPECT_EQ(OUT, ring_wait(self->p[1].fd, OUT, NOW));
}

/* A position that can be, with no record before it, or nonsense: likewise, until it is gone. */
TEST_F(lies, of_a_producer_make_it_look_once)
{
	static const __u32 words[] = { 0, 0x12345678 };
	struct member *p, *c = &self->c;
	struct shmring_record *rec;
	__u64 base;

	for (int k = 0; k < 2; k++) {
		p = &self->p[k];
		base = p->tx.tail;
		rec = (void *)(p->lane[k] + base);
		shmring_store(&rec->word, words[k]);
		shmring_store(&p->mine->pos, base + 64);
		EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
		EXPECT_EQ(words[k] ? -EBADMSG : -EPROTO, check(c));
		EXPECT_EQ(0, check(c));
		EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
		EXPECT_EQ(-EAGAIN, ring_wait_need(c->fd, IN, 32, NOW));
		/* Another word is worth another look, but no other error. */
		shmring_store(&rec->word, 0x11111111);
		EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
		EXPECT_EQ(0, check(c));
		EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
		/* So is a successor, who does not have the lane in order yet. */
		if (variant->topology == BROADCAST)
			shmring_store(&p->mine->pos, base);
		member_close(p);
		ASSERT_LE(0, p->fd = ring_attach_fd(PRODUCER, self->ring));
		EXPECT_EQ(variant->topology == BROADCAST ? -EAGAIN : IN,
			  ring_wait(c->fd, IN, NOW));
		EXPECT_EQ(0, check(c));
		EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
		ASSERT_TRUE(member_start(p, p->fd));
		ASSERT_EQ(0, member_send(p, 24, 's'));
		EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
		EXPECT_EQ('s', member_take(c));
		EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
	}
}

/* Who sleeps beside a lane that it leaves out hears of a successor in it. */
TEST_F(lies, of_a_producer_do_not_hide_its_successor)
{
	struct member *p = &self->p[0], *c = &self->c;
	struct child child;
	int fd;

	/* The child must not have the liar's file, too. */
	member_close(p);
	if (!child_start(&child)) {
		CHECK_EQ(IN, ring_wait(c->fd, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(child.pid > 0 && until_asleep(child.pid));
	ASSERT_TRUE(member_attach(p, PRODUCER, self->ring));
	shmring_store(&p->mine->pos, p->tx.tail + 64);
	EXPECT_EQ(-EPROTO, check(c));
	/* Where a lane's second producer tells to be a consumer goes once. */
	shmring_store(&p->mine->pos, p->tx.tail + 128);
	check(c);
	member_close(p);
	ASSERT_TRUE(until_asleep(child.pid));
	ASSERT_LE(0, fd = ring_attach_fd(PRODUCER, self->ring));
	EXPECT_EQ(0, child_end(&child));
	close(fd);
}

/*
 * Who was led ahead of where a successor begins hears of that one's records, and goes back to
 * it; but once, or a liar could keep it from sleeping.
 */
TEST_F(lies, of_a_producer_do_not_hide_who_begins_behind)
{
	struct member *p = &self->p[0], *c = &self->c;
	struct shmring_merge_lane *lane = &c->merge.lane[0];
	struct child child;

	if (variant->topology != BROADCAST || variant->policy)
		SKIP(return, "others begin where consumers are, or have marks");
	lane->head += 64;
	lane->done = lane->head;
	shmring_store(&c->mine->lane[0].pos, lane->done);
	member_close(p);
	if (!child_start(&child)) {
		CHECK_EQ(IN, ring_wait(c->fd, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(child.pid > 0 && until_asleep(child.pid));
	ASSERT_TRUE(member_attach(p, PRODUCER, self->ring));
	ASSERT_EQ(0, member_send(p, 24, 'a'));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ(-EPROTO, check(c));
	ASSERT_EQ(0, member_send(p, 24, 'a'));
	EXPECT_EQ('a', member_take(c));
	/* A producer that makes it appear so again is not believed again. */
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
	shmring_store(&p->mine->pos, p->tx.tail - 32);
	shmring_store((__u32 *)(p->lane[0] + ((p->tx.tail - 32) & p->tx.mask)), 0);
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ(0, check(c));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
}

/*
 * Likewise of an MPSC ring whose producer tells what was told before it: it is known to have begun
 * by its asking for room.
 */
TEST_F(lies, of_a_producer_do_not_hide_who_begins_where_told)
{
	struct member *p = &self->p[0], *c = &self->c;
	struct shmring_merge_lane *lane = &c->merge.lane[0];
	struct child child;

	if (variant->topology != MPSC)
		SKIP(return, "of others META says where a producer begins");
	member_close(p);
	ASSERT_TRUE(member_attach(p, PRODUCER, self->ring));
	EXPECT_EQ(0, check(c));
	lane->head += 64;
	lane->done = lane->head;
	shmring_store(&c->mine->lane[0].pos, lane->done);
	if (!child_start(&child)) {
		CHECK_EQ(IN, ring_wait(c->fd, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(child.pid > 0 && until_asleep(child.pid));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ(-EPROTO, member_refresh(p));
	EXPECT_EQ(0, ring_kick(p->fd));
	EXPECT_EQ(0, child_end(&child));
	EXPECT_EQ(-EPROTO, check(c));
	ASSERT_EQ(0, member_send(p, 24, 'a'));
	EXPECT_EQ('a', member_take(c));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
}

/*
 * A consumer leaves the lane out once more for a successor that has not begun yet. That one writes
 * elsewhere: not the word that was judged says that there are records, but the limit.
 */
TEST_F(lies, of_a_limit_do_not_hide_its_successor)
{
	struct member *p = &self->p[0], *c = &self->c;
	int fd;

	if (variant->policy != SHMRING_FULL_OVERWRITE)
		return;
	shmring_store(&p->mine->limit, 1ull << 40);
	shmring_store(&p->mine->pos, (1ull << 40) + 64);
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ(-EPROTO, member_take(c));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
	member_close(p);
	ASSERT_LE(0, fd = ring_attach_fd(PRODUCER, self->ring));
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ(-EAGAIN, member_take(c));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
	ASSERT_TRUE(member_start(p, fd));
	ASSERT_EQ(0, member_send(p, 24, 's'));
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	EXPECT_EQ('s', member_take(c));
	EXPECT_EQ(-EAGAIN, ring_wait(c->fd, IN, NOW));
	/* Nor is one that a liar sent far ahead left there. */
	shmring_store(&c->mine->lane[0].pos, 1ull << 50);
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	member_close(p);
}

TEST_F(lies, of_a_consumer_end_with_it)
{
	struct member *p = &self->p[0], *c = &self->c;
	bool group_wait = variant->policy == SHMRING_FULL_WAIT;

	ASSERT_EQ(0, member_send(p, 24, 'a'));
	if (variant->topology == QUEUE)
		shmring_store(&c->shared->head[0].claim, shmring_tagged(1ull << 40, 0));
	shmring_store(&c->mine->lane[0].pos, (1ull << 40) + 3);
	EXPECT_EQ(variant->topology == BROADCAST ? OUT : -EPROTO, ring_wait(p->fd, OUT, NOW));
	shmring_store(&c->mine->lane[0].pos, SHMRING_POS_JOINING);
	if (variant->topology == BROADCAST)
		EXPECT_EQ(group_wait ? -EAGAIN : OUT, ring_wait(p->fd, OUT, NOW));
	member_close(c);
	ASSERT_TRUE(member_attach(c, CONSUMER, self->ring));
	EXPECT_EQ(32, variant->topology == QUEUE ?
		      shmring_tagged_pos(c->shared->head[0].claim) : c->mine->lane[0].pos);
	EXPECT_EQ(OUT, ring_wait(p->fd, OUT, NOW));
	ASSERT_EQ(0, member_send(p, 24, 'b'));
	EXPECT_EQ(IN, ring_wait(c->fd, IN, NOW));
	if (group_wait)
		EXPECT_EQ('b', member_take(c));
}

/* ---- where a consumer of a BROADCAST ring begins ---- */

TEST_F(lies, a_consumer_begins_where_producers_are)
{
	struct member second;

	if (variant->topology != BROADCAST)
		return;
	ASSERT_EQ(0, member_send(&self->p[0], 24, 'a'));
	ASSERT_EQ(0, member_send(&self->p[1], 40, 'b'));
	ASSERT_TRUE(member_attach(&second, CONSUMER, self->ring));
	EXPECT_EQ(32, second.mine->lane[0].pos);
	EXPECT_EQ(48, second.mine->lane[1].pos);
	EXPECT_EQ(-EAGAIN, ring_wait(second.fd, IN, NOW));
	EXPECT_EQ(IN, ring_wait(self->c.fd, IN, NOW));
	ASSERT_EQ(0, member_send(&self->p[0], 24, 'c'));
	EXPECT_EQ(IN, ring_wait(second.fd, IN, NOW));
	member_close(&second);

	/* Its slot's next one begins anew, at a place where a record can be. */
	shmring_store(&self->p[1].mine->pos, 77);
	ASSERT_TRUE(member_attach(&second, CONSUMER, self->ring));
	EXPECT_EQ(64, second.mine->lane[0].pos);
	EXPECT_EQ(72, second.mine->lane[1].pos);
	EXPECT_EQ(2, second.meta->slot[second.info.slot].generation);
}

TEST_HARNESS_MAIN
