// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Consumers of MPSC and BROADCAST rings: a merge of all lanes (mpsc.h), and where it
 * begins.
 */
#include <errno.h>
#include <sched.h>

#include "internal.h"

#define SHMRING_MARK_LOOKS	1000
#define SHMRING_MARK_WALKS	4	/* through as many bytes as a lane has */

/*
 * Go on at the end of what is in a lane: from its newest mark, header by header. A producer can
 * have that overwritten whenever the walk is done, so there are only so many.
 */
static int shmring_merge_to_end(struct shmring_merge *m, uint32_t l)
{
	const struct shmring_cursor *producer = m->g.cursor[l];
	struct shmring_merge_lane *lane = &m->lane[l];
	__u64 pos, records, walked = 0, size = m->mask + 1;
	unsigned int tries;
	uint32_t word;
	long len;
	int err;

	for (tries = 0; tries < SHMRING_MARK_LOOKS && walked < SHMRING_MARK_WALKS * size;
	     tries++) {
		if (tries)
			sched_yield();
		err = shmring_overwrite_mark(producer, size, 1, &pos, &records);
		if (err == -EPROTO) {
			/* Its producer lies: the first look will tell. */
			lane->done = shmring_load(&producer->pos) & ~(__u64)(SHMRING_REC_ALIGN - 1);
			lane->records = shmring_load(&producer->records);
			return 0;
		}
		if (err)
			continue;
		lane->done = pos;
		do {
			/* pairs with the store-release in shmring_lane_publish() */
			word = shmring_load_acquire(shmring_merge_word(m, l, pos));
			len = shmring_lane_header(word, SHMRING_REC_CHAIN,
						  m->mask - (pos - lane->done));
			if (len < 0)
				break;
			pos += shmring_record_size((uint64_t)len);
			records++;
		} while (1);
		walked += pos - lane->done;
		if (shmring_overwritten(producer, lane->done, size))
			continue;
		lane->done = pos;
		lane->records = records;
		return 0;
	}
	return -EAGAIN;
}

/* Where an earlier consumer, or joining, left this one. */
static int shmring_merge_at(struct shmring_handle *h, struct shmring_merge *m, uint32_t l)
{
	struct shmring_merge_lane *lane = &m->lane[l];

	lane->done = shmring_load(&h->mine->lane[l].pos);
	if (h->geo.topology == SHMRING_TOPO_BROADCAST)
		lane->done &= ~(uint64_t)(SHMRING_REC_ALIGN - 1);	/* the producer's say */
	else if (lane->done & (SHMRING_REC_ALIGN - 1))
		return -EPROTO;
	/* Not at a record, or not any more by what a liar tells: all of it counts as read. */
	else
		lane->done = shmring_kept(h, l, lane->data, lane->done);
	return 0;
}

static int shmring_merge_start(struct shmring_handle *h)
{
	struct shmring_merge *m = &h->many->merge;
	bool moved = false;
	uint32_t l;
	int err;

	shmring_group_start(h, &m->g);
	m->mine = h->mine;
	m->mask = h->geo.data_size - 1;
	m->records = shmring_load(&h->mine->records);
	m->lost = shmring_load(&h->mine->lost);
	m->tickets = shmring_has_tickets(&h->geo);
	m->fence = !(h->geo.flags & SHMRING_CREATE_SPIN);
	m->overwrite = h->geo.full_policy == SHMRING_FULL_OVERWRITE;
	m->rejoin = h->geo.topology == SHMRING_TOPO_BROADCAST;
	m->last = SHMRING_NO_LANE;
	m->first = SHMRING_NO_LANE;
	for (l = 0; l < h->geo.producers; l++) {
		m->lane[l].data = shmring_lane(h, l);
		shmring_merge_producer(m, l);
		err = m->overwrite ? shmring_merge_to_end(m, l) : shmring_merge_at(h, m, l);
		if (err)
			return err;
	}
	for (l = 0; l < h->geo.producers; l++)
		moved |= shmring_load(&h->mine->lane[l].pos) != m->lane[l].done;
	shmring_merge_begin(m);
	shmring_merge_join(m);
	for (l = 0; moved && l < h->geo.producers; l++)
		h->ops->wake(h, l);
	return 0;
}

/* A producer may wait for the room that nonsense was in. */
static void shmring_merge_made_room(struct shmring_handle *h)
{
	int kick = shmring_merge_skipped(&h->many->merge);

	if (shmring_unlikely(kick))
		shmring_notice(h, kick);
}

static long shmring_merge_first(struct shmring_handle *h, const void **payload)
{
	long len = shmring_merge_peek(&h->many->merge, payload);

	if (len < 0)
		shmring_merge_made_room(h);
	return len;
}

static int shmring_merge_lies(struct shmring_handle *h)
{
	int err = shmring_merge_check(&h->many->merge);

	shmring_merge_made_room(h);
	return err;
}

static void shmring_merge_over(struct shmring_handle *h, long len)
{
	shmring_merge_next(&h->many->merge, len);
	shmring_merge_made_room(h);
	h->core.rx.ahead++;
}

static void shmring_merge_back(struct shmring_handle *h)
{
	shmring_merge_rewind(&h->many->merge);
}

static int shmring_merge_give_back(struct shmring_handle *h, int kick)
{
	struct shmring_merge *m = &h->many->merge;
	uint64_t bytes = 0;
	uint32_t rest, l;

	if (m->overwrite && !shmring_merge_whole(m)) {
		shmring_merge_rewind(m);
		return -ESTALE;
	}
	for (rest = m->touched; rest; rest &= rest - 1) {
		l = (uint32_t)__builtin_ctz(rest);
		bytes += m->lane[l].head - m->lane[l].done;
	}
	shmring_store(&h->mine->pos, shmring_load(&h->mine->pos) + bytes);
	kick = shmring_merge_release(m);
	if (kick)
		shmring_notice(h, kick);
	return 0;
}

static bool shmring_merge_lane_ready(const struct shmring_merge *m, uint32_t l,
				     const struct shmring_goal *goal)
{
	const struct shmring_merge_lane *lane = &m->lane[l];

	if (shmring_merge_lapped(m, l, lane->done))
		return true;
	/* The record's second line with each look, as in shmring_pair_ready_in(). */
	shmring_prefetch((const char *)shmring_merge_word(m, l, lane->done) + SHMRING_AHEAD_LINE);
	/* pairs with the store-release in shmring_lane_publish() */
	return !goal->need && !goal->records &&
	       shmring_load_acquire(shmring_merge_word(m, l, lane->done));
}

static uint64_t shmring_merge_amount(const struct shmring_handle *h, bool records)
{
	const struct shmring_merge *m = &h->many->merge;
	uint64_t sum = 0, end;
	uint32_t rest, l;

	for (rest = m->lanes & ~m->broken; rest; rest &= rest - 1) {
		const struct shmring_merge_lane *lane;

		l = (uint32_t)__builtin_ctz(rest);
		lane = &m->lane[l];
		/* pairs with the store-release in shmring_lane_publish() */
		end = shmring_load_acquire(&m->g.cursor[l]->pos);
		if (records)
			sum += shmring_lane_records(lane->data, m->mask, lane->done, m->mask);
		else
			sum += shmring_lane_bytes(lane->data, m->mask, lane->done, end);
	}
	return sum;
}

static bool shmring_merge_gap(const struct shmring_handle *h)
{
	const struct shmring_merge *m = &h->many->merge;
	uint32_t rest, l;

	for (rest = m->lanes & ~m->broken; rest; rest &= rest - 1) {
		const struct shmring_merge_lane *lane;

		l = (uint32_t)__builtin_ctz(rest);
		lane = &m->lane[l];
		/* pairs with the store-release in shmring_lane_publish() */
		if (shmring_lane_gap(lane->data, m->mask, lane->done,
				     shmring_load_acquire(&m->g.cursor[l]->pos)) &&
		    !shmring_merge_lapped(m, l, lane->done))
			return true;
	}
	return false;
}

static bool shmring_merge_ready(struct shmring_handle *h, const struct shmring_goal *goal)
{
	struct shmring_merge *m = &h->many->merge;
	uint32_t rest;

	shmring_group_look(h);
	if (shmring_unlikely(m->broken)) {
		shmring_merge_mend(m);
		shmring_merge_made_room(h);
	}
	for (rest = m->lanes & ~m->broken; rest; rest &= rest - 1)
		if (shmring_merge_lane_ready(m, (uint32_t)__builtin_ctz(rest), goal))
			return true;
	return shmring_amount_ready(h, goal);
}

static void shmring_merge_joined(struct shmring_handle *h)
{
	shmring_merge_join(&h->many->merge);
}

/* The run of one lane goes on (shmring_merge_more()), and nothing was peeked at. */
static long shmring_merge_recv(struct shmring_handle *h, void *buf, size_t cap)
{
	struct shmring_merge *m = &h->many->merge;
	const void *payload;
	uint32_t last = m->last;
	uint64_t from;
	long len;
	int kick;

	if (m->touched || last == SHMRING_NO_LANE || ((m->ready | m->broken) & 1u << last) ||
	    h->untold)
		return -EAGAIN;
	from = m->lane[last].head;
	len = shmring_merge_more(m, cap, &payload);
	if (len < 0)
		return len;
	shmring_copy(buf, payload, (size_t)len);
	m->touched = 1u << last;
	shmring_store(&h->mine->pos, shmring_load(&h->mine->pos) + m->lane[last].head - from);
	kick = shmring_merge_release(m);
	if (kick)
		shmring_notice(h, kick);
	return len;
}

static unsigned int shmring_merge_drain(struct shmring_handle *h, struct iovec *msgs,
					unsigned int n)
{
	struct shmring_merge *m = &h->many->merge;
	const void *payload = NULL;
	unsigned int k;
	long len = 0;

	for (k = 0; k < n; k++) {
		len = shmring_merge_more(m, msgs[k].iov_len, &payload);
		if (len < 0) {
			len = shmring_merge_first(h, &payload);
			if (len < 0 || (size_t)len > msgs[k].iov_len)
				break;
			shmring_merge_next(m, len);
			shmring_merge_made_room(h);
		}
		if (len)
			shmring_copy(msgs[k].iov_base, payload, (size_t)len);
		if (shmring_unlikely(msgs[k].iov_len != (size_t)len))
			msgs[k].iov_len = (size_t)len;
	}
	h->core.rx.ahead += k;
	if (len < 0 && len != -EAGAIN)
		h->untold = len;
	return k;
}

static uint64_t shmring_merge_ahead(const struct shmring_handle *h)
{
	const struct shmring_merge *m = &h->many->merge;
	uint64_t ahead = 0, more;
	uint32_t rest, l;

	for (rest = m->lanes & ~m->broken; rest; rest &= rest - 1) {
		l = (uint32_t)__builtin_ctz(rest);
		more = shmring_load(&m->g.cursor[l]->pos) - m->lane[l].head;
		ahead += (int64_t)more > 0 ? more : 0;
	}
	return ahead;
}

const struct shmring_in shmring_merge_in = {
	.start = shmring_merge_start,
	.peek = shmring_merge_first,
	.next = shmring_merge_over,
	.check = shmring_merge_lies,
	.rewind = shmring_merge_back,
	.release = shmring_merge_give_back,
	.ready = shmring_merge_ready,
	.amount = shmring_merge_amount,
	.gap = shmring_merge_gap,
	.join = shmring_merge_joined,
	.recv = shmring_merge_recv,
	.drain = shmring_merge_drain,
	.ahead = shmring_merge_ahead,
};
