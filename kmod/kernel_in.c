// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the consumers of other modules work: an SPSC ring's, a merge of lanes (MPSC and
 * BROADCAST), claims (QUEUE). Whom to wake after a release as well: a consumer is in
 * process context and may take ring->lock.
 */
#include <linux/rcupdate.h>

#include "kernel.h"

#define SHMRING_MARK_LOOKS	1000
#define SHMRING_MARK_WALKS	4	/* through as many bytes as a lane has */
#define SHMRING_WALK_HEADERS	4096	/* before others get the CPU */

static u64 shmring_lane_end(struct shmring_ring *ring, u32 lane)
{
	u64 end;

	rcu_read_lock();
	/* pairs with the store-release in shmring_spsc_publish(), shmring_lane_publish() */
	end = smp_load_acquire(&READ_ONCE(ring->cursor[lane])->pos);
	rcu_read_unlock();
	return end;
}

/*
 * What a predecessor said to have read need not end at a record: then all there is counts.
 * Return: where to begin.
 */
static u64 shmring_kept(struct shmring_ring *ring, u32 lane, const unsigned char *data, u64 pos)
{
	u64 end = shmring_lane_end(ring, lane), mask = ring->data_size - 1;
	u64 kept = shmring_lane_kept(data, mask, pos, end);

	if (kept == pos || shmring_lane_end(ring, lane) == end)
		return kept;
	return shmring_lane_kept(data, mask, pos, shmring_lane_end(ring, lane));
}

/* ---- SPSC ------------------------------------------------------------------ */

static int shmring_pair_start(struct shmring_consumer *c)
{
	struct shmring_ring *ring = c->m.ring;
	struct shmring_spsc_rx *rx = &c->rx;

	/* The position was repaired when the slot was taken. */
	rx->data = shmring_member_lane(&c->m, 0);
	rx->mask = ring->data_size - 1;
	rx->mine = ring->cursor[c->m.ep.slot];
	rx->done = shmring_kept(ring, SHMRING_SLOT_PRODUCER, rx->data, READ_ONCE(rx->mine->pos));
	if (rx->done != READ_ONCE(rx->mine->pos)) {
		/* pairs with the load-acquire in shmring_spsc_refresh() */
		smp_store_release(&rx->mine->pos, rx->done);
		smp_mb();	/* pairs with the one in shmring_arm() */
		shmring_kick(&c->m.ep);
	}
	rx->head = rx->done;
	rx->bound = rx->done;
	rx->records = READ_ONCE(rx->mine->records);
	rx->fence = !(ring->flags & SHMRING_CREATE_SPIN);
	return 0;
}

static long shmring_pair_peek(struct shmring_consumer *c, const void **payload)
{
	c->rx.peer = READ_ONCE(c->m.ring->cursor[SHMRING_SLOT_PRODUCER]);
	return shmring_spsc_peek(&c->rx, payload);
}

static void shmring_pair_next(struct shmring_consumer *c, long len)
{
	shmring_spsc_next(&c->rx, len);
}

/* A producer whose position says more than its headers would be waited for in vain. */
static int shmring_pair_check(struct shmring_consumer *c)
{
	const struct shmring_cursor *peer = READ_ONCE(c->m.ring->cursor[SHMRING_SLOT_PRODUCER]);
	/* pairs with the store-release in shmring_spsc_publish() */
	u64 end = smp_load_acquire(&peer->pos);
	const void *payload;

	if (shmring_pair_peek(c, &payload) != -EAGAIN)
		return 0;
	return shmring_spsc_used(end, c->rx.head, c->rx.mask + 1) ? -EPROTO : 0;
}

static int shmring_pair_release(struct shmring_consumer *c)
{
	c->rx.peer = READ_ONCE(c->m.ring->cursor[SHMRING_SLOT_PRODUCER]);
	if (shmring_spsc_release(&c->rx) > 0)
		shmring_kick(&c->m.ep);
	return 0;
}

static const struct shmring_kernel_in shmring_pair_in = {
	.start = shmring_pair_start,
	.peek = shmring_pair_peek,
	.next = shmring_pair_next,
	.check = shmring_pair_check,
	.release = shmring_pair_release,
};

/* ---- MPSC, BROADCAST ------------------------------------------------------- */

/* Header by header to the end of what is in a lane. Return: where that is. */
static u64 shmring_merge_walk(const struct shmring_merge *m, u32 l, u64 from, u64 *records)
{
	u64 pos = from;
	long len;

	for (;;) {
		/* pairs with the store-release in shmring_lane_publish() */
		u32 word = smp_load_acquire(shmring_merge_word(m, l, pos));

		len = shmring_lane_header(word, SHMRING_REC_CHAIN, m->mask - (pos - from));
		if (len < 0)
			return pos;
		pos += shmring_record_size(len);
		if (!(++*records % SHMRING_WALK_HEADERS))
			cond_resched();
	}
}

/*
 * Go on at the end of what is in a lane, from its newest mark. A producer can have that
 * overwritten whenever the walk is done, so there are only so many.
 */
static int shmring_merge_to_end(struct shmring_merge *m, u32 l)
{
	u64 from, pos, records, walked = 0, size = m->mask + 1;
	const struct shmring_cursor *producer;
	unsigned int looks;
	int again;

	for (looks = 0; looks < SHMRING_MARK_LOOKS && walked < SHMRING_MARK_WALKS * size;
	     looks++) {
		rcu_read_lock();
		producer = shmring_group_cursor(&m->g, l);
		again = shmring_overwrite_mark(producer, size, 1, &from, &records);
		pos = READ_ONCE(producer->pos);
		if (again)
			records = READ_ONCE(producer->records);
		rcu_read_unlock();
		if (again == -EPROTO) {
			/* Its producer lies: the first look will tell. */
			m->lane[l].done = ALIGN_DOWN(pos, SHMRING_REC_ALIGN);
			m->lane[l].records = records;
			return 0;
		}
		if (again)
			continue;
		pos = shmring_merge_walk(m, l, from, &records);
		walked += pos - from;
		rcu_read_lock();
		again = shmring_overwritten(shmring_group_cursor(&m->g, l), from, size);
		rcu_read_unlock();
		if (again)
			continue;
		m->lane[l].done = pos;
		m->lane[l].records = records;
		return 0;
	}
	return -EAGAIN;
}

static int shmring_merge_start(struct shmring_consumer *c)
{
	struct shmring_ring *ring = c->m.ring;
	struct shmring_merge *m = &c->merge;
	bool moved = false;
	u32 l;

	shmring_member_group(&c->m, &m->g);
	m->mine = ring->cursor[c->m.ep.slot];
	m->mask = ring->data_size - 1;
	m->records = READ_ONCE(m->mine->records);
	m->lost = READ_ONCE(m->mine->lost);
	m->tickets = ring->producers > 1;
	m->fence = !(ring->flags & SHMRING_CREATE_SPIN);
	m->overwrite = ring->full_policy == SHMRING_FULL_OVERWRITE;
	m->rejoin = ring->topology == SHMRING_TOPO_BROADCAST;
	m->last = SHMRING_NO_LANE;
	m->first = SHMRING_NO_LANE;
	for (l = 0; l < ring->producers; l++) {
		struct shmring_merge_lane *lane = &m->lane[l];

		lane->data = shmring_member_lane(&c->m, l);
		shmring_merge_producer(m, l);
		/* Positions were repaired, or set, when the slot was taken. */
		lane->done = READ_ONCE(m->mine->lane[l].pos);
		if (m->overwrite && shmring_merge_to_end(m, l))
			return -EAGAIN;
		if (ring->topology == SHMRING_TOPO_MPSC)
			lane->done = shmring_kept(ring, l, lane->data, lane->done);
		moved |= lane->done != READ_ONCE(m->mine->lane[l].pos);
	}
	shmring_merge_begin(m);
	rcu_read_lock();
	shmring_merge_join(m);
	rcu_read_unlock();
	if (moved)
		shmring_kick(&c->m.ep);
	return 0;
}

/* Is there room enough for an armed producer? If in doubt, yes. */
static bool shmring_merge_enough(const struct shmring_consumer *c, u32 slot)
{
	const struct shmring_cursor *peer = shmring_group_cursor(&c->merge.g, slot);

	return c->m.ring->topology != SHMRING_TOPO_MPSC ||
	       (s64)(c->merge.lane[slot].done - READ_ONCE(peer->wake_at)) >= 0;
}

/* Producers are armed, or came or went. */
static void shmring_merge_notice(struct shmring_consumer *c)
{
	struct shmring_merge *m = &c->merge;
	int changed = 0;
	u32 rest, slot;

	rest = shmring_group_armed(&m->g, &changed);
	if (changed)
		shmring_merge_join(m);
	for (; rest; rest &= rest - 1) {
		slot = __ffs(rest);
		if (slot < m->g.producers && shmring_merge_enough(c, slot)) {
			shmring_kick(&c->m.ep);
			break;
		}
	}
}

/* A producer may wait for the room that nonsense was in. */
static void shmring_merge_made_room(struct shmring_consumer *c)
{
	if (shmring_merge_skipped(&c->merge))
		shmring_merge_notice(c);
}

static long shmring_merge_first(struct shmring_consumer *c, const void **payload)
{
	long len = shmring_merge_peek(&c->merge, payload);

	if (len < 0)
		shmring_merge_made_room(c);
	return len;
}

static int shmring_merge_lies(struct shmring_consumer *c)
{
	int err = shmring_merge_check(&c->merge);

	shmring_merge_made_room(c);
	return err;
}

static void shmring_merge_over(struct shmring_consumer *c, long len)
{
	shmring_merge_next(&c->merge, len);
	shmring_merge_made_room(c);
}

static int shmring_merge_give_back(struct shmring_consumer *c)
{
	struct shmring_merge *m = &c->merge;
	u64 bytes = READ_ONCE(m->mine->pos);
	u32 rest, slot;

	if (m->overwrite && !shmring_merge_whole(m)) {
		shmring_merge_rewind(m);
		return -ESTALE;
	}
	for (rest = m->touched; rest; rest &= rest - 1) {
		slot = __ffs(rest);
		bytes += m->lane[slot].head - m->lane[slot].done;
	}
	WRITE_ONCE(m->mine->pos, bytes);
	if (shmring_merge_release(m))
		shmring_merge_notice(c);
	return 0;
}

static const struct shmring_kernel_in shmring_merge_in = {
	.start = shmring_merge_start,
	.peek = shmring_merge_first,
	.next = shmring_merge_over,
	.check = shmring_merge_lies,
	.release = shmring_merge_give_back,
};

/* ---- QUEUE ----------------------------------------------------------------- */

static int shmring_claim_start(struct shmring_consumer *c)
{
	struct shmring_ring *ring = c->m.ring;
	struct shmring_claims *claims = &c->claims;
	u32 l;

	shmring_member_group(&c->m, &claims->g);
	claims->mine = ring->cursor[c->m.ep.slot];
	claims->mask = ring->data_size - 1;
	claims->records = READ_ONCE(claims->mine->records);
	claims->fence = !(ring->flags & SHMRING_CREATE_SPIN);
	claims->turn = c->m.ep.slot % ring->producers;	/* not all at the same lane */
	for (l = 0; l < ring->producers; l++) {
		claims->data[l] = shmring_member_lane(&c->m, l);
		claims->generation[l] = READ_ONCE(claims->g.meta->slot[l].generation);
	}
	return 0;
}

/* Read what a dead consumer had claimed. Return: 0, or -EAGAIN: there is none (any more). */
static int shmring_claim_adopt(struct shmring_consumer *c)
{
	struct shmring_ioc_adopt orphan = { .op = SHMRING_ADOPT_TAKE };
	struct shmring_claims *claims = &c->claims;
	const struct shmring_meta *meta = claims->g.meta;
	int err;

	if (!READ_ONCE(meta->orphans) &&
	    READ_ONCE(meta->orphan[c->m.ep.slot].state) == SHMRING_ORPHAN_NONE)
		return -EAGAIN;
	if (shmring_adopt(&c->m.ep, &orphan))
		return -EAGAIN;
	err = shmring_claim_adopted(claims, orphan.lane, orphan.pos, orphan.end);
	if (err)
		return err;
	orphan.op = SHMRING_ADOPT_DONE;
	shmring_adopt(&c->m.ep, &orphan);
	return 0;
}

/* Producers are armed, or came or went. */
static void shmring_claim_notice(struct shmring_consumer *c)
{
	struct shmring_claims *claims = &c->claims;
	int changed = 0;

	if (shmring_group_armed(&claims->g, &changed))
		shmring_kick(&c->m.ep);
	if (changed)
		shmring_claim_join(claims);
}

static int shmring_claim_more(struct shmring_consumer *c)
{
	struct shmring_claims *claims = &c->claims;
	struct shmring_ring *ring = c->m.ring;
	u64 state;
	int err;

	if (claims->head != claims->end)
		return 0;
	if (claims->ahead)
		return -EAGAIN;		/* one claim at a time: release first */
	err = shmring_claim_adopt(c);
	if (err != -EAGAIN)
		return err;
	/* pairs with the store-release of the count by whoever begins or ends */
	state = smp_load_acquire(claims->g.peers) & ~SHMRING_STATE_ARMED;
	if (state != claims->g.quiet) {
		claims->g.quiet = state;
		shmring_claim_join(claims);
	}
	err = shmring_claim(claims, 1);
	if (shmring_claim_withdrawn(claims))
		shmring_claim_notice(c);
	/* A publication wakes one: if there is more, the next one's turn. */
	if (!err && (READ_ONCE(claims->g.meta->rx_state) & SHMRING_STATE_ARMED)) {
		spin_lock(&ring->lock);
		shmring_kick_role(ring, SHMRING_ROLE_CONSUMER);
		spin_unlock(&ring->lock);
	}
	return err;
}

static int shmring_claim_lies(struct shmring_consumer *c)
{
	return shmring_claim_check(&c->claims);
}

static void shmring_claim_over(struct shmring_consumer *c, long len)
{
	shmring_claim_next(&c->claims, len);
}

static int shmring_claim_give_back(struct shmring_consumer *c)
{
	struct shmring_claims *claims = &c->claims;
	u64 pos = READ_ONCE(claims->mine->pos) + claims->head - claims->pos;

	WRITE_ONCE(claims->mine->pos, pos);
	if (shmring_claim_release(claims))
		shmring_claim_notice(c);
	return 0;
}

static long shmring_claim_first(struct shmring_consumer *c, const void **payload)
{
	struct shmring_claims *claims = &c->claims;
	long len = shmring_claim_more(c);

	if (len)
		return len;
	len = shmring_claim_peek(claims, payload);
	if (len < 0 && !claims->ahead) {
		/* Changed after it was claimed: nobody can read it. The lane goes on behind it. */
		claims->head = claims->end;
		shmring_claim_give_back(c);
	}
	return len;
}

static const struct shmring_kernel_in shmring_claim_in = {
	.start = shmring_claim_start,
	.peek = shmring_claim_first,
	.next = shmring_claim_over,
	.check = shmring_claim_lies,
	.release = shmring_claim_give_back,
};

/* How the consumers of a ring work. */
const struct shmring_kernel_in *shmring_kernel_in_of(const struct shmring_ring *ring)
{
	switch (ring->topology) {
	case SHMRING_TOPO_SPSC:
		return &shmring_pair_in;
	case SHMRING_TOPO_QUEUE:
		return &shmring_claim_in;
	default:
		return &shmring_merge_in;
	}
}
