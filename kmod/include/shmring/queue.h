/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * Many producers, many consumers, each record to exactly one of them.
 *
 * A consumer claims the next records of a lane by moving the lane's front in SHARED
 * with one compare-and-swap. Before, it says in its own CURSOR page from where on it
 * is going to read (its hold: Michael's hazard pointer), so that the producer, which
 * may write up to the front, spares what is still being read. Nobody waits: a consumer
 * that is stopped keeps its own records, and the others go on.
 *
 * Of a consumer that dies it has to be known whether it had made its last claim, or
 * had only said so. The front names who claimed last, and whoever moves it on first
 * writes down for that one how far its claims went (proof). So a hold is a claim
 * exactly if the front or the proof says that it reaches to its end. What was claimed
 * and not released becomes an orphan in META, and some consumer takes it over; both
 * are done under a lock that itself outlives a death (the kernel's, or a lock of an
 * open file), for it is rare. What was taken over is held like a claim from then on.
 *
 * A claim is of several records where there is plenty: of what the producer says to be
 * there, a part that leaves twice as much for every other consumer (Polychronopoulos and
 * Kuck's guided self-scheduling).
 *
 * A hostile consumer can move a front as it likes: it can take records from the other
 * consumers anyway. A front that cannot be is an error for the lane's producer, and
 * no more than a lane without records for consumers.
 *
 * A hold that turns out to be no claim is taken back. Meanwhile it hid room: whoever released
 * the records saw them held by another, and let a producer that waits for their room sleep.
 * So whoever takes a hold back looks for sleepers, as whoever releases does.
 *
 * Ordering:
 *
 *   shmring_claim_hold     hold, then the fully ordered swap of the front (claim_try)
 *     pairs with           load-acquire of the front, then of holds in
 *                          shmring_queue_refresh()
 *     so that              a producer that sees the front moved sees the hold
 *   shmring_claim_hold     store-release of hold, after what was read (claim_release)
 *     pairs with           load-acquire of hold in shmring_queue_refresh()
 *     so that              the payload was read before it is overwritten
 *   shmring_claim_hold     hold, full fence, the peers' state (claim_release, claim_withdrawn)
 *     pairs with           armed, full fence, then holds in whoever waits for room;
 *                          likewise hold, full fence, holds of the others in whoever releases
 *     so that              of those who hold the same records the last that lets go wakes
 *   shmring_claim_try      proof, then the swap
 *     pairs with           load-acquire of the front, then proof in shmring_claim_made()
 */
#ifndef SHMRING_QUEUE_H
#define SHMRING_QUEUE_H

#include <shmring/group.h>

#define SHMRING_CLAIM_TRIES	64
#define SHMRING_GATE_TRIES	4
/* No lane gets so far. Tagged positions wrap at twice that, others later. */
#define SHMRING_QUEUE_END	(1ull << 60)

static inline __u64 shmring_tagged(__u64 pos, __u64 tag)
{
	return pos << SHMRING_TAG_SHIFT | tag;
}

static inline __u64 shmring_tagged_pos(__u64 word)
{
	return (word & ~SHMRING_TAG_MASK) >> SHMRING_TAG_SHIFT;
}

/* Where the proof of a slot's claims in a lane is. */
static inline __aligned_u64 *shmring_proof(const struct shmring_group *g, __u32 lane, __u32 slot)
{
	return &g->shared->proof[lane * g->consumers + (slot - g->producers)];
}

/**
 * struct shmring_claims - private state of a consumer
 * @g: its group
 * @mine: its CURSOR page
 * @mask: bytes of a lane - 1
 * @pos: position of the first record that is held
 * @end: end of the last; equal to @pos when nothing is held
 * @head: position of the next record to deliver
 * @records: records released
 * @lane: where they are
 * @turn: lane to look into first
 * @ahead: records between @pos and @head
 * @broken: lanes with nonsense at their front, until it is gone
 * @fence: producers may sleep
 * @most: how many records a claim may have where there is plenty
 * @claimed: how many the last one had
 * @withdrew: a hold was taken back, and nobody was told
 * @noted: which place of @mine->tally was written last
 * @generation: how many producers each lane had when that was last looked at
 * @word: the nonsense in a broken lane
 * @front: where it is: the lane's front as it was
 * @blamed: position at which the last nonsense in a lane was told of, plus one; 0: none of
 *	this producer's
 * @told: how far each producer said to be when shmring_claim_doubt() last asked and it could be
 * @plenty: the same, when shmring_claim_share() did; not to be believed
 * @data: the lanes, each mapped twice in a row
 */
struct shmring_claims {
	struct shmring_group g;
	struct shmring_cursor *mine;
	__u64 mask;
	__u64 pos;
	__u64 end;
	__u64 head;
	__u64 records;
	__u32 lane;
	__u32 turn;
	__u32 ahead;
	__u32 broken;
	__u32 fence;
	__u32 most;
	__u32 claimed;
	__u32 withdrew;
	__u32 noted;
	__u32 generation[SHMRING_SLOTS_MAX];
	__u32 word[SHMRING_SLOTS_MAX];
	__u64 front[SHMRING_SLOTS_MAX];
	__u64 blamed[SHMRING_SLOTS_MAX];
	__u64 told[SHMRING_SLOTS_MAX];
	__u64 plenty[SHMRING_SLOTS_MAX];
	const unsigned char *data[SHMRING_SLOTS_MAX];
};

static inline const __u32 *shmring_claim_word(const struct shmring_claims *c, __u32 lane,
					      __u64 pos)
{
	const void *header = c->data[lane] + (pos & c->mask);

	return &((const struct shmring_record *)header)->word;
}

/* Producers came or went: what a new one writes is not its predecessor's. */
static inline void shmring_claim_join(struct shmring_claims *c)
{
	__u32 l, generation;

	for (l = 0; l < c->g.producers; l++) {
		generation = shmring_load(&c->g.meta->slot[l].generation);
		if (generation == c->generation[l])
			continue;
		c->generation[l] = generation;
		c->blamed[l] = 0;
		if (c->broken & 1u << l)
			shmring_lane_leave(c->mine, l, shmring_tagged_pos(c->front[l]),
					   c->word[l], generation, 0);
	}
}

/*
 * There is nonsense at a lane's front. It is told of once for each position: a producer that
 * writes one after the other must not keep others from being heard. Return: @err, or 0.
 */
static inline int shmring_claim_nonsense(struct shmring_claims *c, __u32 lane, __u64 front,
					 __u32 word, int err)
{
	__u64 at = shmring_tagged_pos(front) + 1;

	c->front[lane] = front;
	c->word[lane] = word;
	c->broken |= 1u << lane;
	shmring_lane_leave(c->mine, lane, at - 1, word, c->generation[lane], 0);
	if (c->blamed[lane] == at)
		return 0;
	c->blamed[lane] = at;
	return err;
}

/*
 * Records of @lane from @pos, its front, to @end: can there be any? By what was told before, too,
 * unless the front was set back since. Return: 0; -EAGAIN: that has to be seen again; -EPROTO.
 */
static inline int shmring_claim_doubt(struct shmring_claims *c, __u32 lane, __u64 pos, __u64 end)
{
	__u64 bound;

	if (shmring_likely((__s64)(end - c->told[lane]) <= (__s64)c->mask &&
			   (__s64)(c->told[lane] - pos) <= (__s64)c->mask + 1))
		return 0;
	if (shmring_lane_beyond(&shmring_group_cursor(&c->g, lane)->pos, pos, end, c->mask, &bound))
		return -EPROTO;
	c->told[lane] = bound - c->mask;
	return -EAGAIN;
}

/* Was the record at a lane's front too far on only by what was told then? */
static inline int shmring_claim_believed(struct shmring_claims *c, __u32 lane)
{
	__u64 pos = shmring_tagged_pos(c->front[lane]);
	long len = shmring_lane_header(c->word[lane], 0, c->mask);

	return len >= 0 && shmring_claim_doubt(c, lane, pos,
					       pos + shmring_record_size((__u64)len)) != -EPROTO;
}

/*
 * Lanes with nonsense: is something else there by now? A successor is seen to have come before
 * it has removed what it finds, so that it came means nothing.
 */
static inline void shmring_claim_mend(struct shmring_claims *c)
{
	__u32 rest = c->broken, l;

	for (; rest; rest &= rest - 1) {
		__u64 front;

		l = (__u32)__builtin_ctz(rest);
		front = shmring_load(&c->g.shared->head[l].claim);
		if (front != c->front[l] ||
		    shmring_load(shmring_claim_word(c, l, shmring_tagged_pos(front))) !=
		    c->word[l] || shmring_claim_believed(c, l))
			c->broken &= ~(1u << l);
	}
}

/* Say what is held from now on. */
static inline void shmring_claim_hold(struct shmring_claims *c, __u64 hold)
{
	shmring_tally_note(c->mine->tally, &c->noted, hold, c->records);
	/* pairs with the load-acquire in shmring_claim_made(), shmring_queue_gate() */
	shmring_store_release(&c->mine->hold, hold);
}

/*
 * A consumer's claims went to @pos at least. Each of the others can be behind and in the way once.
 * Whoever scribbles over it all the time does without.
 */
static inline void shmring_claim_prove(const struct shmring_group *g, __u32 lane, __u32 slot,
				       __u64 pos)
{
	__aligned_u64 *proof = shmring_proof(g, lane, slot);
	unsigned int left = SHMRING_CLAIM_TRIES;
	__u64 old;

	do
		old = shmring_load(proof);
	while ((__s64)(pos - old) > 0 && !shmring_swap_if(proof, old, pos) && --left);
}

/* Records from @pos to @end of a lane are held now. */
static inline void shmring_claim_got(struct shmring_claims *c, __u32 lane, __u64 pos, __u64 end,
				     unsigned int records)
{
	c->lane = lane;
	c->pos = pos;
	c->head = pos;
	c->end = end;
	c->ahead = 0;
	c->claimed = records;
}

/*
 * How many bytes of a lane this consumer may claim at once. The producer's position is
 * asked for when what it had told is used up, and decides nothing but this: header words were
 * loaded before it, and would have to be loaded again.
 */
static inline __u64 shmring_claim_share(struct shmring_claims *c, __u32 lane, __u64 pos)
{
	__u64 rest = c->plenty[lane] - pos, told;

	if (c->most < 2)
		return 0;
	if (!rest || rest > c->mask) {
		told = shmring_load(&shmring_group_cursor(&c->g, lane)->pos);
		rest = told - pos;
		if (rest > c->mask)
			return 0;
		c->plenty[lane] = told;
	}
	return rest / (2 * c->g.consumers);
}

/*
 * Claim up to @n records of @lane, and up to c->most where there is plenty. Return: 1,
 * 0 (there is none), -EBADMSG, -EPROTO: the lane is not looked into again until
 * shmring_claim_mend() finds something else there.
 */
static inline int shmring_claim_try(struct shmring_claims *c, __u32 lane, unsigned int n)
{
	__aligned_u64 *front = &c->g.shared->head[lane].claim;
	unsigned int tries, k, most = c->most;
	int doubt;

	for (tries = 0; tries < SHMRING_CLAIM_TRIES; tries++) {
		/* pairs with the swap of whoever moved it */
		__u64 was = shmring_load_acquire(front);
		__u64 pos = shmring_tagged_pos(was), end = pos;
		__u32 owner = (__u32)(was & SHMRING_TAG_MASK), slot = owner - 1;
		__u64 share = 0;
		long len = -EAGAIN;
		__u32 word = 0, first = 0;

		for (k = 0; k < n || (k < most && end - pos < share); k++) {
			/* pairs with the store-release in shmring_lane_publish() */
			word = shmring_load_acquire(shmring_claim_word(c, lane, end));
			len = shmring_lane_header(word, 0, c->mask - (end - pos));
			if (len < 0)
				break;
			end += shmring_record_size((__u64)len);
			if (!k) {
				first = word;
				share = shmring_claim_share(c, lane, pos);
			}
			if ((__s64)(c->plenty[lane] - end) > SHMRING_FETCH_AHEAD)
				shmring_fetch(shmring_claim_word(c, lane, end),
					      SHMRING_FETCH_AHEAD);
		}
		if (end == pos) {
			if (shmring_load_acquire(front) != was)
				continue;	/* not the words of a record any more */
			if (len == -EAGAIN)
				return 0;
			return shmring_claim_nonsense(c, lane, was, word, -EBADMSG);
		}
		doubt = shmring_claim_doubt(c, lane, pos, end);
		if (shmring_unlikely(doubt)) {
			/* With the front as it was it is no matter of others that claim. */
			if (doubt == -EAGAIN || shmring_load_acquire(front) != was)
				continue;
			if (k == 1)
				return shmring_claim_nonsense(c, lane, was, first, -EPROTO);
			n = 1;		/* the first of them may be one */
			most = 1;
			continue;
		}
		shmring_store(&c->mine->hold_end, end);
		shmring_claim_hold(c, shmring_tagged(pos, SHMRING_HOLD_VALID | lane));
		if (owner && slot != c->g.slot && slot >= c->g.producers &&
		    slot < c->g.producers + c->g.consumers)
			shmring_claim_prove(&c->g, lane, slot, pos);
		/* pairs with the load-acquire in shmring_queue_refresh() */
		if (shmring_swap_if(front, was, shmring_tagged(end, c->g.slot + 1))) {
			shmring_claim_got(c, lane, pos, end, k);
			return 1;
		}
		shmring_claim_hold(c, 0);
		c->withdrew = 1;
	}
	return 0;
}

/**
 * shmring_claim() - get records to deliver, unless some are held
 * @c: consumer
 * @n: how many at most
 *
 * Lanes are served in turn. Whatever it returns, shmring_claim_withdrawn() comes next.
 *
 * Return: 0, -EAGAIN (there are none), -EBADMSG, -EPROTO (a producer wrote nonsense and its
 * lane is left out until it, or its successor, writes something else there; told once).
 */
static inline int shmring_claim(struct shmring_claims *c, unsigned int n)
{
	__u32 k, lane = c->turn;
	int got;

	if (c->head != c->end)
		return 0;
	if (c->ahead)
		return -EAGAIN;	/* one claim at a time: release first */
	if (shmring_unlikely(c->broken))
		shmring_claim_mend(c);
	for (k = 0; k < c->g.producers; k++) {
		got = c->broken & 1u << lane ? 0 : shmring_claim_try(c, lane, n);
		lane = lane + 1 < c->g.producers ? lane + 1 : 0;
		if (got) {
			c->turn = lane;
			return got < 0 ? got : 0;
		}
	}
	return -EAGAIN;
}

/**
 * shmring_claim_adopted() - hold what a dead consumer had claimed
 * @c: consumer that holds nothing
 * @lane: where META says that is
 * @pos: the first record
 * @end: behind the last
 *
 * By META it is this consumer's; to be given back there right after this. From then on what is
 * not released becomes an orphan again if this one ends, and no more than that.
 *
 * Return: 0, or -EPROTO: that cannot be.
 */
static inline int shmring_claim_adopted(struct shmring_claims *c, __u32 lane, __u64 pos, __u64 end)
{
	if (lane >= c->g.producers || ((pos | end) & (SHMRING_REC_ALIGN - 1)) ||
	    end - pos - 1 >= c->mask)
		return -EPROTO;
	shmring_store(&c->mine->hold_end, end);
	shmring_claim_hold(c, shmring_tagged(pos, SHMRING_HOLD_VALID | lane));
	/* Before META is told; pairs with the load of proof in shmring_claim_made(). */
	shmring_claim_prove(&c->g, lane, c->g.slot, end);
	shmring_claim_got(c, lane, pos, end, 0);
	return 0;
}

/**
 * shmring_claim_check() - nothing was found: can that be?
 * @c: consumer, before it sleeps
 *
 * As shmring_merge_check().
 *
 * Return: 0, or -EPROTO; told once.
 */
static inline int shmring_claim_check(struct shmring_claims *c)
{
	int err = 0, bad;
	__u32 l;

	for (l = 0; l < c->g.producers; l++) {
		const __u64 *pos = &shmring_group_cursor(&c->g, l)->pos;
		const __u64 *front = &c->g.shared->head[l].claim;
		/* pairs with the swap of whoever moved it */
		__u64 was = shmring_load_acquire(front), head = shmring_tagged_pos(was);
		/* pairs with the store-release in shmring_lane_publish() */
		__u64 end = shmring_load_acquire(pos);

		/* Both again: the position pairs with the store-release in lane_recover() */
		if (c->broken & 1u << l || !shmring_spsc_used(end, head, c->mask + 1) ||
		    shmring_load_acquire(shmring_claim_word(c, l, head)) ||
		    shmring_load(front) != was || shmring_load(pos) != end)
			continue;
		bad = shmring_claim_nonsense(c, l, was, 0, -EPROTO);
		err = err ? err : bad;
	}
	return err;
}

/**
 * shmring_claim_withdrawn() - after shmring_claim(): tell of a hold that was taken back
 * @c: consumer
 *
 * Return: as shmring_group_check(); 0 if there was none.
 */
static inline int shmring_claim_withdrawn(struct shmring_claims *c)
{
	if (shmring_likely(!c->withdrew))
		return 0;
	c->withdrew = 0;
	return shmring_group_check(&c->g, c->records, (int)c->fence);
}

/**
 * shmring_claim_peek() - look at the next record that is held
 * @c: consumer, after shmring_claim()
 * @payload: out: where its payload is
 *
 * Return: payload bytes, -EAGAIN (all were delivered), or -EBADMSG (they were changed
 * since they were claimed).
 */
static inline long shmring_claim_peek(const struct shmring_claims *c, const void **payload)
{
	const __u32 *header = shmring_claim_word(c, c->lane, c->head);
	long len;

	if (c->head == c->end)
		return -EAGAIN;
	*payload = header + 2;
	len = shmring_lane_header(shmring_load(header), 0, c->end - c->head);
	return len == -EAGAIN ? -EBADMSG : len;
}

/* shmring_claim_next() - step over the record that was peeked at */
static inline void shmring_claim_next(struct shmring_claims *c, long len)
{
	c->head += shmring_record_size((__u64)len);
	c->ahead++;
}

/* shmring_claim_rewind() - go back to the first record that is held */
static inline void shmring_claim_rewind(struct shmring_claims *c)
{
	c->head = c->pos;
	c->ahead = 0;
}

/**
 * shmring_claim_release() - give back all records that were stepped over
 * @c: consumer
 *
 * Those that were not delivered yet stay held.
 *
 * Return: as shmring_group_check().
 */
static inline int shmring_claim_release(struct shmring_claims *c)
{
	c->records += c->ahead;
	c->ahead = 0;
	c->pos = c->head;
	shmring_store(&c->mine->records, c->records);
	shmring_claim_hold(c, c->pos == c->end ? 0 :
			      shmring_tagged(c->pos, SHMRING_HOLD_VALID | c->lane));
	return shmring_group_check(&c->g, c->records, (int)c->fence);
}

/**
 * shmring_claim_made() - had a consumer that is gone made the claim that it holds
 * @g: a group of the ring
 * @slot: its slot
 * @orphan: out: lane, pos and end of what it had claimed and not released
 * @mask: bytes of a lane - 1
 *
 * Return: whether there is such a thing.
 */
static inline int shmring_claim_made(const struct shmring_group *g, __u32 slot,
				     struct shmring_orphan *orphan, __u64 mask)
{
	const struct shmring_cursor *cursor = shmring_group_cursor(g, slot);
	/* pairs with the store-release in shmring_claim_hold(); hold_end comes before it */
	__u64 hold = shmring_load_acquire(&cursor->hold);
	__u64 end = shmring_load(&cursor->hold_end);
	__u64 pos = shmring_tagged_pos(hold), front;
	__u32 lane = (__u32)(hold & (SHMRING_HOLD_VALID - 1));

	if (!(hold & SHMRING_HOLD_VALID) || lane >= g->producers ||
	    (end & (SHMRING_REC_ALIGN - 1)) || end - pos - 1 >= mask)
		return 0;	/* a claim has room for a header behind it */
	/* pairs with the swap in shmring_claim_try(): proof is written before it */
	front = shmring_load_acquire(&g->shared->head[lane].claim);
	if ((__s64)(shmring_tagged_pos(front) - end) < 0)
		return 0;
	if (front != shmring_tagged(end, slot + 1) &&
	    (__s64)(shmring_load(shmring_proof(g, lane, slot)) - end) < 0)
		return 0;
	orphan->lane = lane;
	orphan->pos = pos;
	orphan->end = end;
	return 1;
}

/**
 * shmring_queue_repaired() - where the front of a lane is to be, with no consumer alive
 * @front: where it is
 * @told: where the lane's producer tells to be
 * @size: data_size
 *
 * At a position that cannot be what is there counts as read. But a producer that told of one which
 * no lane reaches is a liar, and from there none that comes after it could begin; from half as far
 * on only one that a lie about the front had begin there is not.
 */
static inline __u64 shmring_queue_repaired(__u64 front, __u64 told, __u64 size)
{
	int far = front >= SHMRING_QUEUE_END / 2;

	if (front < SHMRING_QUEUE_END &&
	    shmring_spsc_used(told, front, size) != SHMRING_SPSC_IMPOSSIBLE)
		return front;
	if (told < (far ? SHMRING_QUEUE_END : SHMRING_QUEUE_END / 2))
		return told & ~(__u64)(SHMRING_REC_ALIGN - 1);
	return far ? 0 : front;
}

/* How far nobody reads in a lane any more. Return: 0; -EAGAIN: consumers come and go. */
static inline int shmring_queue_gate(const struct shmring_group *g, __u32 lane, __u64 *gate)
{
	__u32 first = g->producers, slot;
	unsigned int tries;

	for (tries = 0; tries < SHMRING_GATE_TRIES; tries++) {
		/* pairs with the store-release of the count after a change in META */
		__u64 state = shmring_load_acquire(&g->meta->rx_state);
		/* pairs with the swap in shmring_claim_try() */
		__u64 front = shmring_load_acquire(&g->shared->head[lane].claim);
		__u64 least = shmring_tagged_pos(front), word, pos;

		for (slot = first; slot < first + g->consumers; slot++) {
			if (!shmring_group_live(g, slot))
				continue;
			/* pairs with the store-release in shmring_claim_hold() */
			word = shmring_load_acquire(&shmring_group_cursor(g, slot)->hold);
			pos = shmring_tagged_pos(word);
			if ((word & SHMRING_TAG_MASK) == (SHMRING_HOLD_VALID | lane) &&
			    (__s64)(least - pos) > 0)
				least = pos;
		}
		/* After the slots: an orphan is written before its slot is not live. */
		for (slot = first; slot < first + g->consumers; slot++) {
			const struct shmring_orphan *o = &g->meta->orphan[slot];

			/* pairs with the store-release of whoever writes orphans */
			if (shmring_load_acquire(&o->state) == SHMRING_ORPHAN_NONE ||
			    shmring_load(&o->lane) != lane)
				continue;
			pos = shmring_load(&o->pos);
			if ((__s64)(least - pos) > 0)
				least = pos;
		}
		/* pairs with the store-release of the count; holds were loaded before */
		shmring_rmb();
		if ((shmring_load_acquire(&g->meta->rx_state) ^ state) & ~SHMRING_STATE_ARMED)
			continue;
		*gate = least;
		return 0;
	}
	return -EAGAIN;
}

/**
 * shmring_queue_refresh() - look again how far consumers are
 * @tx: producer
 * @g: its group
 *
 * Return: 0, or -EPROTO.
 */
static inline int shmring_queue_refresh(struct shmring_spsc_tx *tx, const struct shmring_group *g)
{
	__u64 gate;

	/* A hold that will be taken back is behind what was seen: what was free still is. */
	if (shmring_queue_gate(g, g->slot, &gate) || (__s64)(gate - tx->seen) < 0)
		gate = tx->seen;
	return shmring_lane_gate(tx, gate);
}

/**
 * shmring_queue_recover() - take over from earlier producers
 * @tx: producer, with @data, @mask and @mine set
 * @g: its group
 *
 * The walk begins at the front: what is claimed and still read is not free, but is no matter of
 * this producer's, and its words may be anything by now.
 *
 * Return: as shmring_lane_recover(), or -EPROTO: the front cannot be.
 */
static inline int shmring_queue_recover(struct shmring_spsc_tx *tx, const struct shmring_group *g)
{
	/* pairs with the swap in shmring_claim_try() */
	__u64 front = shmring_tagged_pos(shmring_load_acquire(&g->shared->head[g->slot].claim));
	int found;

	if (front >= SHMRING_QUEUE_END)
		return -EPROTO;
	found = shmring_lane_recover(tx, front);
	/* Nothing is known of who reads what: ask before the first record. */
	tx->seen = tx->tail - tx->mask - 1;
	tx->limit = tx->tail;
	return found;
}

#endif /* SHMRING_QUEUE_H */
