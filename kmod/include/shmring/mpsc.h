/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * Many producers, one consumer, one order: a merge of lanes by tickets.
 *
 * A publication takes a ticket, the next number of a counter in SHARED, and writes it
 * beside its header word. The consumer delivers the smallest ticket that it sees, but
 * only once it has looked into every other lane *after* it had seen that record: what had
 * been published before the ticket was taken is found by such a look. So a record whose
 * commit had returned before another commit began is delivered before it, whoever the
 * producers are; and no producer waits for another, ever: a ticket that was taken and not
 * used (its producer was killed) is a number that nobody misses.
 *
 * One look is enough for all records that were in the lane before it. How far those go the
 * producer's position says, which is loaded first; so a lane is delivered in a row up to
 * there, while its tickets are smaller than what is known of the others.
 *
 * This is the order of a ticket lock (Reed and Kanodia's sequencer) without the lock;
 * looking again before delivering is the second collect of an atomic snapshot. The counter
 * is the producers' own: the consumer reads it once in many looks, for the sake of floors.
 *
 * Tickets are advice. A producer that forges them, or the counter, or its position, delays
 * others by as much as it forges, for a bounded number of records, and can lose nothing
 * of theirs:
 *
 *  - in a lane tickets rise by one at least, and never fall behind what the counter was
 *    (the horizon) before a look that found the lane empty;
 *  - one that is far ahead of the horizon is no later than the counter, which is read again;
 *  - a position allows no more records in a row than a lane can hold;
 *  - a batch is delivered in a row, but no longer than a lane can hold.
 *
 * Ordering:
 *
 *   shmring_lane_publish   ticket, then store-release of the header word
 *     pairs with           load-acquire of the word in shmring_merge_look()
 *     so that              ticket, payload and the zeroed next header are seen
 *   shmring_lane_publish   ticket, then store-release of the word, and of the position
 *     pairs with           load-acquire of the word in shmring_merge_look(), or of the
 *                          position in shmring_merge_told(), then a look into each lane
 *     so that              what had been published before a ticket was taken is found
 *   shmring_merge_tell     store-release of the position in the lane
 *     pairs with           load-acquire of it in shmring_mpsc_refresh()
 *     so that              the payload was read before it is overwritten
 *   shmring_lane_recover   position, write barrier, then want in shmring_mpsc_refresh()
 *     pairs with           load-acquire of want, then of the position, in shmring_merge_misled()
 *     so that              who finds that it asked for room finds where it began
 *   shmring_merge_skip     position, full fence, the peers' state (merge_skipped)
 *     pairs with           armed, full fence, then positions in whoever waits for room
 *     so that              room that was made without a release is not slept through
 */
#ifndef SHMRING_MPSC_H
#define SHMRING_MPSC_H

#include <shmring/group.h>
#include <shmring/overwrite.h>

/**
 * shmring_mpsc_refresh() - look at the consumer's position again
 * @tx: producer
 * @g: its group
 *
 * Return: 0, or -EPROTO: then @want says that it asked.
 */
static inline int shmring_mpsc_refresh(struct shmring_spsc_tx *tx, const struct shmring_group *g)
{
	const struct shmring_cursor *consumer = shmring_group_cursor(g, g->producers);
	/* pairs with the store-release in shmring_merge_tell() */
	int err = shmring_lane_gate(tx, shmring_load_acquire(&consumer->lane[g->slot].pos));

	/* pairs with the load-acquire in shmring_merge_misled(); _lane_recover() has the barrier */
	if (shmring_unlikely(err) && !shmring_load(&tx->mine->want))
		shmring_store(&tx->mine->want, sizeof(struct shmring_record));
	return err;
}

/**
 * struct shmring_merge_lane - private state of a consumer in one lane
 * @data: the lane, mapped twice in a row
 * @done: position up to which records are released
 * @head: position of the next record to deliver
 * @chain: while below it, records that belong to the last one's publication follow it
 * @word: header word of that record, while the lane is ready; the nonsense in its place, while
 *	it is broken
 * @ticket: its ticket, made to rise
 * @floor: the least that the next ticket can be
 * @base: the same of the record at @done
 * @told: where the producer said to be when that was last asked
 * @records: OVERWRITE: number of the record at @done, counted by its producer
 * @ahead: records between @done and @head
 * @generation: how many producers the lane had when that was last looked at
 * @limit: OVERWRITE: its producer's limit before that was last judged
 * @back: OVERWRITE: the limit by which it was last found to be too far ahead, plus one
 * @begin: where the last of them began: nonsense before it is a predecessor's
 * @blamed: position at which the last nonsense was told of, plus one; 0: none of this
 *	producer's
 * @bound: of a record that ends behind it shmring_lane_beyond() is to be asked; not where the
 *	limit says how far records can be (OVERWRITE)
 * @astray: what its producer writes will never come here: go on where it began
 * @led: it went on where that producer told to be, which it does once
 * @released: records released from this lane
 * @noted: which place of its tally was written last
 */
struct shmring_merge_lane {
	const unsigned char *data;
	__u64 done;
	__u64 head;
	__u64 chain;
	__u64 told;
	__u32 word;
	__u32 ticket;
	__u32 floor;
	__u32 base;
	__u32 ahead;
	__u32 generation;
	__u64 records;
	__u64 limit;
	__u64 back;
	__u64 begin;
	__u64 blamed;
	__u64 bound;
	__u64 released;
	__u32 noted;
	__u32 astray : 1;
	__u32 led : 1;
};

/**
 * struct shmring_merge - private state of a consumer of an MPSC or BROADCAST ring
 * @g: its group
 * @mine: its CURSOR page
 * @mask: bytes of a lane - 1
 * @records: records released
 * @lost: records overwritten before they were read
 * @lanes: lanes to look into: a bit for each
 * @ready: lanes whose next record is known
 * @touched: lanes with records that were delivered and not released
 * @broken: lanes with nonsense where the next record belongs, until it is gone
 * @horizon: the counter before some look into all lanes
 * @counted: the same, all of it
 * @looks: such looks since positions and counter were last asked for
 * @last: lane of the last record peeked at
 * @turn: lane of the last record stepped over
 * @run: records of @last are next before @until, while their tickets are before @bound
 * @bound: the least ticket of the other lanes that are ready
 * @until: position
 * @first: lane of the first record since the last release
 * @tickets: there is more than one lane
 * @fence: producers may sleep
 * @overwrite: producers do not wait
 * @skipped: nonsense was stepped over, and nobody was told of the room
 * @rejoin: a lane with nonsense goes on where its next producer began; otherwise that one
 *	cuts it off
 */
struct shmring_merge {
	struct shmring_group g;
	struct shmring_cursor *mine;
	__u64 mask;
	__u64 records;
	__u64 lost;
	__u64 until;
	__u64 counted;
	__u32 lanes;
	__u32 ready;
	__u32 touched;
	__u32 broken;
	__u32 horizon;
	__u32 looks;
	__u32 last;
	__u32 turn;
	__u32 run;
	__u32 bound;
	__u32 first;
	__u32 tickets;
	__u32 fence;
	__u32 overwrite;
	__u32 skipped;
	__u32 rejoin;
	struct shmring_merge_lane lane[SHMRING_SLOTS_MAX];
};

#define SHMRING_NO_LANE		32u
#define SHMRING_RESYNC_TRIES	4
#define SHMRING_TOLD_AGAIN	4096	/* bytes: the producer's line is not to be taken often */
#define SHMRING_LOOKS_AGAIN	64	/* looks: likewise, and the counter's */
#define SHMRING_TICKETS_AHEAD	(1u << 30)
#define SHMRING_TICKETS_UNSEEN	(1 << 16)	/* since the counter was last read, if so many */

static inline const __u32 *shmring_merge_word(const struct shmring_merge *m, __u32 lane,
					      __u64 pos)
{
	const void *header = m->lane[lane].data + (pos & m->mask);

	return &((const struct shmring_record *)header)->word;
}

/* What is at the lane's head, or was: may it have been overwritten? */
static inline int shmring_merge_lapped(const struct shmring_merge *m, __u32 l, __u64 pos)
{
	return m->overwrite &&
	       shmring_overwritten(shmring_group_cursor(&m->g, l), pos, m->mask + 1);
}

/* Tell how far a lane is read. */
static inline void shmring_merge_tell(struct shmring_merge *m, __u32 l)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	struct shmring_lane_pos *mine = &m->mine->lane[l];

	shmring_tally_note(mine->tally, &lane->noted, shmring_tally_key(lane->done),
			   lane->released);
	/* pairs with the load-acquire in shmring_mpsc_refresh(), shmring_broadcast_gate() */
	shmring_store_release(&mine->pos, lane->done);
}

/* Before a lane is judged: with another limit that will not hold. */
static inline void shmring_merge_limit(struct shmring_merge *m, __u32 l)
{
	if (m->overwrite)
		/* pairs with the store-release in shmring_overwrite_advance() */
		m->lane[l].limit = shmring_load_acquire(&shmring_group_cursor(&m->g, l)->limit);
}

/* The least ticket of what is in a lane now: it is from not longer ago than fits. */
static inline __u32 shmring_merge_oldest(const struct shmring_merge *m)
{
	__u64 room = (m->mask + 1) / sizeof(struct shmring_record) * m->g.producers;

	return m->horizon - (__u32)(room < SHMRING_TICKETS_AHEAD ? room : SHMRING_TICKETS_AHEAD);
}

/*
 * So much was published since the counter was last read that tickets from before cannot be
 * compared any more: producers of an OVERWRITE ring wait for no consumer that is stopped. All
 * begin anew. What is left of that time in a lane whose producer was idle comes in any order.
 */
static inline void shmring_merge_anew(struct shmring_merge *m)
{
	__u32 rest;

	m->run = 0;
	for (rest = m->lanes; rest; rest &= rest - 1) {
		struct shmring_merge_lane *lane = &m->lane[__builtin_ctz(rest)];

		lane->floor = shmring_merge_oldest(m);
		lane->base = lane->floor;
		lane->ticket = lane->floor;
	}
}

static inline void shmring_merge_count(struct shmring_merge *m)
{
	__u64 counted = m->counted;

	/* pairs with the addition in shmring_lane_publish() */
	m->counted = shmring_load_acquire(&m->g.shared->tickets);
	m->horizon = (__u32)m->counted;
	if (m->overwrite && m->counted - counted > SHMRING_TICKETS_AHEAD)
		shmring_merge_anew(m);
}

/* The tickets in a lane, from the record on that is next there, are not less. */
static inline void shmring_merge_lift(struct shmring_merge_lane *lane, __u32 least)
{
	if ((__s32)(least - lane->floor) <= 0)
		return;
	lane->floor = least;
	if (!lane->ahead)
		lane->base = least;
}

/* What was first there is gone, or may be: others' may come before what is there now. */
static inline void shmring_merge_unfirst(struct shmring_merge *m, __u32 l)
{
	if (m->first == l)
		m->first = SHMRING_NO_LANE;
}

/*
 * A lane was lapped: go on from a mark, the @newest or the oldest, and count what lies
 * between. Return: 1; 0: not now; -EPROTO: there is none, and none will come by itself.
 */
static inline int shmring_merge_resync(struct shmring_merge *m, __u32 l, int newest)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	__u64 pos, records;
	int err;

	if (lane->ahead)
		return 0;	/* release first */
	err = shmring_overwrite_mark(shmring_group_cursor(&m->g, l), m->mask + 1, newest, &pos,
				     &records);
	if (err)
		return err == -EPROTO ? err : 0;	/* or the next look will do */
	if (newest && (__s64)(pos - lane->head) <= 0)
		return 0;
	if ((__s64)(pos - lane->head) < 0) {
		/* From where the records lead beyond the limit, they would again. */
		if (lane->back == lane->limit + 1)
			return -EPROTO;
		lane->back = lane->limit + 1;
	}
	/* Of what a liar had it go to nobody knows how much there was. */
	if ((__s64)(pos - lane->head) > 0)
		m->lost += records - lane->records;
	lane->records = records;
	lane->done = pos;
	lane->head = pos;
	shmring_merge_unfirst(m, l);
	shmring_store(&m->mine->lost, m->lost);
	shmring_merge_tell(m, l);
	if (m->tickets)
		shmring_merge_count(m);	/* how long was it away? */
	return 1;
}

/*
 * Is the lane's producer, and where it began, so far away that nothing of it will ever come here?
 * A predecessor and another consumer, liars both, had it begin there.
 */
static inline int shmring_merge_astray(const struct shmring_merge *m, __u32 l)
{
	const struct shmring_merge_lane *lane = &m->lane[l];
	/* pairs with the store-release in shmring_lane_publish() */
	__u64 told = shmring_load_acquire(&shmring_group_cursor(&m->g, l)->pos);
	__u64 size = m->mask + 1;

	return m->rejoin && !m->overwrite &&
	       shmring_spsc_used(lane->begin, lane->head, size) == SHMRING_SPSC_IMPOSSIBLE &&
	       shmring_spsc_used(told, lane->head, size) == SHMRING_SPSC_IMPOSSIBLE;
}

/* What is before @pos in a lane is given up: there is nothing ahead of it. */
static inline void shmring_merge_go(struct shmring_merge *m, __u32 l, __u64 pos)
{
	m->lane[l].done = pos;
	m->lane[l].head = pos;
	m->lane[l].bound = pos;
	m->lane[l].told = pos;
	shmring_merge_unfirst(m, l);
	shmring_merge_tell(m, l);
	m->skipped = 1;
}

/*
 * Nonsense that a predecessor of the lane's producer left: go on where that one began, or
 * at a mark. Return: whether it is such.
 */
static inline int shmring_merge_skip(struct shmring_merge *m, __u32 l)
{
	struct shmring_merge_lane *lane = &m->lane[l];

	if (!m->rejoin || ((__s64)(lane->begin - lane->head) <= 0 && !lane->astray))
		return 0;
	if (lane->ahead)
		return 1;	/* once that is released */
	if (m->overwrite)
		return shmring_merge_resync(m, l, 1) > 0;
	lane->astray = 0;
	shmring_merge_go(m, l, lane->begin);
	return 1;
}

/*
 * Is it ahead of where the lane's producer tells to be, with nothing published there? Then no
 * header of that one's led here. Who has published and not told yet has a record there.
 */
static inline int shmring_merge_farther(const struct shmring_merge *m, __u32 l)
{
	const struct shmring_cursor *cursor = shmring_group_cursor(&m->g, l);
	const struct shmring_merge_lane *lane = &m->lane[l];
	const __u64 *pos = &cursor->pos;
	__u64 want, told;

	if (m->overwrite || lane->generation < 2 || lane->ahead)
		return 0;
	/* pairs with the write barrier in shmring_lane_recover(): then it tells its own position */
	want = shmring_load_acquire(&cursor->want);
	/* pairs with the store-release in shmring_lane_publish(): the position, word, position */
	told = shmring_load_acquire(pos);
	/* An MPSC ring's producer begins where its consumer says to be, not where META says. */
	return !(told & (SHMRING_REC_ALIGN - 1)) && lane->head - told - 1 < m->mask &&
	       (m->rejoin || told != lane->begin || want) &&
	       !shmring_load_acquire(shmring_merge_word(m, l, told)) && shmring_load(pos) == told;
}

/* The same, and it has not gone back for that producer yet. */
static inline int shmring_merge_misled(const struct shmring_merge *m, __u32 l)
{
	return !m->lane[l].led && shmring_merge_farther(m, l);
}

/*
 * Back to where the lane's producer tells to be. It may not have been gated by this consumer's
 * position, so it is asked again once that is told, as by who joins.
 */
static inline void shmring_merge_return(struct shmring_merge *m, __u32 l, __u64 told)
{
	struct shmring_merge_lane *lane = &m->lane[l];

	lane->led = 1;
	shmring_merge_go(m, l, told);
	shmring_fence();	/* pairs with the fence in shmring_broadcast_refresh() */
	/* pairs with the store-release in shmring_lane_publish() */
	told = shmring_load_acquire(&shmring_group_cursor(&m->g, l)->pos);
	/* A successor that is not noticed yet has all it sends received. */
	if (!(told & (SHMRING_REC_ALIGN - 1)) &&
	    shmring_load(&m->g.meta->slot[l].generation) == lane->generation)
		shmring_merge_go(m, l, told);
}

/*
 * A record of @len bytes is at the lane's head: can that be? Return: 0; -EAGAIN: it is not there
 * any more; -EBADMSG, -EPROTO.
 */
static inline int shmring_merge_doubt(struct shmring_merge *m, __u32 l, __u32 word, long len)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	__u64 end = lane->head + shmring_record_size((__u64)len);

	if (m->overwrite)	/* So long a one nobody could read before it is overwritten. */
		return (__u64)len > shmring_overwrite_max(m->mask + 1) ? -EBADMSG : 0;
	if (shmring_likely((__s64)(end - lane->bound) <= 0))
		return 0;
	if (shmring_merge_misled(m, l) ||
	    shmring_lane_beyond(&shmring_group_cursor(&m->g, l)->pos, lane->done, end, m->mask,
				&lane->bound))
		return -EPROTO;
	return shmring_load(shmring_merge_word(m, l, lane->head)) == word ? 0 : -EAGAIN;
}

/* A record was farther on than its producer told: is it still, of what is told now? */
static inline int shmring_merge_believed(struct shmring_merge *m, __u32 l, __u32 word)
{
	const struct shmring_merge_lane *lane = &m->lane[l];
	long len = shmring_lane_header(word, m->tickets ? SHMRING_REC_CHAIN : 0,
				       m->mask - (lane->head - lane->done));

	return len >= 0 && !m->overwrite && !shmring_merge_doubt(m, l, word, len);
}

/*
 * Did a predecessor of this consumer say where it was to begin? If that was behind what it had said
 * before, producers that saw that write over it.
 */
static inline int shmring_merge_heir(const struct shmring_merge *m)
{
	return !m->rejoin && shmring_load(&m->g.meta->slot[m->g.slot].generation) > 1;
}

/*
 * Nonsense that no header of the lane's producer leads to: a predecessor changed some between this
 * consumer's look and its successor's, or had that one begin behind it; or a predecessor of this
 * consumer had this one begin there. Go on where the producer tells to be, if it told anything
 * itself; once, for it may be the one that lies. Return: likewise.
 */
static inline int shmring_merge_follow(struct shmring_merge *m, __u32 l, __u32 word)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	int heir = shmring_merge_heir(m);
	__u64 told, used;

	if (m->overwrite || (lane->generation < 2 && !heir) || lane->led || lane->ahead)
		return 0;
	/* pairs with the store-release in shmring_lane_publish(): then the word, once more */
	told = shmring_load_acquire(&shmring_group_cursor(&m->g, l)->pos);
	if (told & (SHMRING_REC_ALIGN - 1))
		return 0;
	if (shmring_merge_misled(m, l)) {
		shmring_merge_return(m, l, told);
		return 1;
	}
	used = shmring_spsc_used(told, lane->head, m->mask + 1);
	if (told == lane->begin || !used ||
	    shmring_load(shmring_merge_word(m, l, lane->head)) != word ||
	    shmring_merge_believed(m, l, word) ||	/* it is its first, and told by now */
	    shmring_load(&m->g.meta->slot[l].generation) != lane->generation)
		return 0;
	if (used != SHMRING_SPSC_IMPOSSIBLE || heir) {
		lane->led = 1;
		shmring_merge_go(m, l, told);
	} else {
		if (!m->rejoin)
			return 0;
		shmring_merge_return(m, l, told);
	}
	return 1;
}

/*
 * The ticket of the record at the lane's head, made to rise: a batch has one for all of
 * its records, but no longer than a lane can hold.
 */
static inline __u32 shmring_merge_ticket(const struct shmring_merge *m,
					 const struct shmring_merge_lane *lane, __u32 word,
					 __u32 ticket)
{
	if (word & SHMRING_REC_CHAIN)
		return lane->floor - (lane->head - lane->chain <= m->mask);
	return (__s32)(ticket - lane->floor) < 0 ? lane->floor : ticket;
}

/* Is a ticket so far ahead of the counter, as last read, that it may be one that nobody took? */
static inline int shmring_merge_early(const struct shmring_merge *m, __u32 ticket)
{
	return (__s32)(ticket - m->horizon) >= SHMRING_TICKETS_UNSEEN;
}

/* Then who comes after its producer in this lane would wait behind all others for that long. */
static inline __u32 shmring_merge_taken(struct shmring_merge *m, __u32 ticket)
{
	if (shmring_likely(!shmring_merge_early(m, ticket)))
		return ticket;
	shmring_merge_count(m);
	return (__s32)(ticket - m->horizon) < 0 ? ticket : m->horizon - 1;
}

/* Ask a lane's producer how far it is. */
static inline void shmring_merge_told(struct shmring_merge *m, __u32 l)
{
	/* pairs with the store-release in shmring_lane_publish() */
	m->lane[l].told = shmring_load_acquire(&shmring_group_cursor(&m->g, l)->pos);
}

/* Ask for lines ahead of @header, which is at the lane's head. */
static inline void shmring_merge_fetch(struct shmring_merge *m, __u32 l, const void *header)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	__s64 ahead = (__s64)(lane->told - lane->head);

	if (ahead > SHMRING_FETCH_AHEAD)
		shmring_fetch(header, SHMRING_FETCH_AHEAD);
	else if (ahead < -SHMRING_TOLD_AGAIN)
		shmring_merge_told(m, l);
}

/*
 * There is nonsense where the next record of a lane belongs. It is told of once for each
 * position: a producer that writes one after the other must not keep others from being heard.
 * Return: @err, or 0.
 */
static inline int shmring_merge_nonsense(struct shmring_merge *m, __u32 l, __u32 word, int err)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	__u64 at = lane->head + 1;

	if (shmring_merge_skip(m, l))
		return lane->ahead ? 0 : err;
	if (shmring_merge_follow(m, l, word))
		return err;
	lane->word = word;
	m->broken |= 1u << l;
	shmring_lane_leave(m->mine, l, lane->head, word, lane->generation, lane->limit);
	if (lane->blamed == at)
		return 0;
	lane->blamed = at;
	return err;
}

/*
 * Lanes with nonsense: is something else there by now, or is it a predecessor's? A successor
 * is seen to have come before it has removed what it finds, so that it came means nothing.
 */
static inline void shmring_merge_mend(struct shmring_merge *m)
{
	__u32 rest = m->broken, l;

	for (; rest; rest &= rest - 1) {
		struct shmring_merge_lane *lane;
		__u64 limit;
		__u32 word;
		int mended;

		l = (__u32)__builtin_ctz(rest);
		lane = &m->lane[l];
		/* Left out for as long as may be, its tickets have to be compared with others'. */
		shmring_merge_lift(lane, shmring_merge_oldest(m));
		limit = lane->limit;
		shmring_merge_limit(m, l);
		/* pairs with the store-release in shmring_lane_publish(): before the limit */
		word = shmring_load_acquire(shmring_merge_word(m, l, lane->head));
		mended = word != lane->word || shmring_merge_believed(m, l, word);
		if (shmring_merge_lapped(m, l, lane->head))	/* then no word says anything */
			mended = shmring_merge_resync(m, l, 0) > 0;
		if (mended || (!lane->ahead && shmring_merge_skip(m, l)) ||
		    shmring_merge_follow(m, l, word)) {
			m->broken &= ~(1u << l);
		} else if (lane->limit != limit) {
			lane->word = word;
			shmring_lane_leave(m->mine, l, lane->head, word, lane->generation,
					   lane->limit);
		}
	}
}

/*
 * Look for the next record of a lane that is not ready. Return: 0, or -EBADMSG, -EPROTO: the
 * lane is not looked into again until shmring_merge_mend() finds something else there.
 */
static inline int shmring_merge_look(struct shmring_merge *m, __u32 l, int all)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	__u32 flags = m->tickets ? SHMRING_REC_CHAIN : 0;
	unsigned int tries = SHMRING_RESYNC_TRIES;
	const __u32 *header;
	__u32 word, ticket = 0;
	long len;
	int err;

	for (;;) {
		shmring_merge_limit(m, l);
		header = shmring_merge_word(m, l, lane->head);
		/* pairs with the store-release in shmring_lane_publish() */
		word = shmring_load_acquire(header);
		if (word)
			ticket = shmring_load(header + 1);
		if (shmring_likely(!shmring_merge_lapped(m, l, lane->head)))
			break;
		len = shmring_merge_resync(m, l, 0);
		if (shmring_unlikely(len < 0))
			return shmring_merge_nonsense(m, l, word, (int)len);
		if (!len || !--tries)
			return 0;
	}
	if (!word) {
		/* Whatever comes is published after the counter was read. */
		if (all)
			shmring_merge_lift(lane, m->horizon - 1);
		return 0;
	}
	len = shmring_lane_header(word, flags, m->mask - (lane->head - lane->done));
	if (shmring_unlikely(len < 0)) {
		/* Fuller than can be is only full of what was not released yet. */
		if ((word & SHMRING_REC_READY) && lane->head != lane->done &&
		    shmring_record_size(word & SHMRING_REC_LEN) <= m->mask)
			return 0;
		return shmring_merge_nonsense(m, l, word, -EBADMSG);
	}
	err = shmring_merge_doubt(m, l, word, len);
	if (shmring_unlikely(err))
		return err == -EAGAIN ? 0 : shmring_merge_nonsense(m, l, word, err);
	if (m->tickets && !(word & SHMRING_REC_CHAIN))
		ticket = shmring_merge_taken(m, ticket);
	ticket = shmring_merge_ticket(m, lane, word, ticket);
	if (!(word & SHMRING_REC_CHAIN))
		lane->chain = lane->head;
	lane->word = word;
	lane->ticket = ticket;
	m->ready |= 1u << l;
	return 0;
}

/* Which producer a lane has, and where it began: before the consumer looks into the lane. */
static inline void shmring_merge_producer(struct shmring_merge *m, __u32 l)
{
	struct shmring_merge_lane *lane = &m->lane[l];

	/* pairs with the store-release of whoever begins an endpoint, after where it begins */
	lane->generation = shmring_load_acquire(&m->g.meta->slot[l].generation);
	lane->begin = shmring_load(&m->g.meta->begin[l]) & ~(__u64)(SHMRING_REC_ALIGN - 1);
}

/* If the producer of a lane was replaced: what it writes is not its predecessor's. */
static inline void shmring_merge_replaced(struct shmring_merge *m, __u32 l)
{
	struct shmring_merge_lane *lane = &m->lane[l];
	__u32 generation = lane->generation;

	shmring_merge_producer(m, l);
	if (generation == lane->generation)
		return;
	lane->blamed = 0;
	lane->led = 0;
	lane->bound = lane->done;
	lane->told = lane->head;	/* what its predecessor told is nothing to go by ... */
	m->run = 0;
	m->ready &= ~(1u << l);		/* ... and that one may have changed that header */
	if (!m->touched)
		shmring_merge_unfirst(m, l);
	lane->astray = shmring_merge_astray(m, l);
	if (lane->astray)
		shmring_merge_skip(m, l);
	if (m->broken & 1u << l)
		shmring_lane_leave(m->mine, l, lane->head, lane->word, lane->generation,
				   lane->limit);
}

/**
 * shmring_merge_begin() - tell where a new consumer begins
 * @m: consumer, with @records and each lane's @done set
 */
static inline void shmring_merge_begin(struct shmring_merge *m)
{
	__u32 l;

	shmring_store_release(&m->mine->tally[0], 0);	/* no notes of a predecessor's ... */
	for (l = 0; l < m->g.producers; l++) {
		struct shmring_merge_lane *lane = &m->lane[l];

		lane->head = lane->done;
		lane->bound = lane->done;
		lane->told = lane->done;
		lane->released = l ? 0 : m->records;
		shmring_tally_note(m->mine->lane[l].tally, &lane->noted,
				   shmring_tally_key(lane->done), lane->released);
		shmring_merge_tell(m, l);	/* in both places, that is */
	}
	shmring_store_release(&m->mine->tally[0], 1);	/* ... are among them now */
}

/**
 * shmring_merge_join() - which lanes have, or ever had, a producer
 * @m: consumer
 *
 * To be called at the start, and when producers came or went.
 */
static inline void shmring_merge_join(struct shmring_merge *m)
{
	__u32 fresh = 0, l;

	for (l = 0; l < m->g.producers; l++) {
		/* pairs with the store-release of whoever begins an endpoint */
		if (shmring_load_acquire(&m->g.meta->slot[l].state) == SHMRING_SLOT_VACANT)
			continue;
		fresh |= 1u << l;
		shmring_merge_replaced(m, l);
	}
	fresh &= ~m->lanes;
	if (!fresh)
		return;
	if (m->tickets && !m->lanes)
		shmring_merge_count(m);
	m->lanes |= fresh;
	for (; fresh; fresh &= fresh - 1) {
		l = (__u32)__builtin_ctz(fresh);
		m->lane[l].floor = shmring_merge_oldest(m);
		m->lane[l].base = m->lane[l].floor;
		/* It may have been replaced since this consumer was given a position. */
		m->lane[l].astray = shmring_merge_astray(m, l);
	}
}

/* The ready lane with the smallest ticket; of equals the one that is next in turn. */
static inline __u32 shmring_merge_least(const struct shmring_merge *m)
{
	__u32 ready = m->ready, best = SHMRING_NO_LANE, l;

	for (; ready; ready &= ready - 1) {
		l = (__u32)__builtin_ctz(ready);
		if (best == SHMRING_NO_LANE ||
		    (__s32)(m->lane[l].ticket - m->lane[best].ticket) < 0 ||
		    (m->lane[l].ticket == m->lane[best].ticket && best == m->turn))
			best = l;
	}
	return best;
}

/*
 * Was a producer just moving on when its lane was looked into? Then that looked empty, or is still
 * left out, and may hold records that nobody wakes this consumer for.
 */
static inline int shmring_merge_moving(const struct shmring_merge *m)
{
	__u32 rest, l;

	for (rest = m->lanes & ~m->ready; rest; rest &= rest - 1) {
		const struct shmring_merge_lane *lane;

		l = (__u32)__builtin_ctz(rest);
		lane = &m->lane[l];
		/* A lie may stay lapped; it is judged by its limit. */
		if (!(m->broken & 1u << l) ? shmring_merge_lapped(m, l, lane->head) :
		    shmring_load_acquire(&shmring_group_cursor(&m->g, l)->limit) != lane->limit)
			return 1;
	}
	return 0;
}

/* Look into all lanes of which no record is known, those of newcomers among them. */
static inline int shmring_merge_look_all(struct shmring_merge *m)
{
	__u64 state;
	__u32 rest;
	int err = 0;

	/* Who took a ticket before was counted before that; pairs as in group_armed. */
	state = shmring_load_acquire(m->g.peers) & ~SHMRING_STATE_ARMED;
	if (shmring_unlikely(state != m->g.quiet)) {
		m->g.quiet = state;
		shmring_merge_join(m);
	}
	if (shmring_unlikely(m->broken))
		shmring_merge_mend(m);
	for (rest = m->lanes & ~m->ready & ~m->broken; rest; rest &= rest - 1) {
		int bad = shmring_merge_look(m, (__u32)__builtin_ctz(rest), 1);

		err = err ? err : bad;
	}
	return err;
}

/* Before the look that lets records of lane @l be delivered: where do they end, at least? */
static inline void shmring_merge_ask(struct shmring_merge *m, __u32 l)
{
	const struct shmring_merge_lane *lane = &m->lane[l];

	if (!(m->looks++ % SHMRING_LOOKS_AGAIN)) {
		shmring_merge_count(m);
		shmring_merge_told(m, l);
	}
	m->until = lane->told;
	if (lane->told - lane->head - 1 > m->mask)
		m->until = lane->head + 1;	/* this one, which was seen */
}

/* Lane @l is chosen: until when is it the only one that can be? */
static inline void shmring_merge_bound(struct shmring_merge *m, __u32 l)
{
	__u32 rest = m->ready & ~(1u << l), other;

	m->run = 1;
	m->bound = m->lane[l].ticket + SHMRING_TICKETS_AHEAD;
	for (; rest; rest &= rest - 1) {
		other = m->lane[__builtin_ctz(rest)].ticket;
		if ((__s32)(other - m->bound) < 0)
			m->bound = other;
	}
}

/* Is the record at the head of lane @last still of the run? */
static inline int shmring_merge_runs(const struct shmring_merge *m, __u32 ticket)
{
	return m->run && (__s32)(ticket - m->bound) < 0 &&
	       (__s64)(m->until - m->lane[m->last].head) > 0;
}

/*
 * The same among all lanes. The look after some record was seen is one for all records with
 * smaller tickets as well: what was published before theirs was published before its own.
 */
static inline int shmring_merge_search(struct shmring_merge *m, __u32 *chosen)
{
	__u32 l = shmring_merge_least(m), seen, generation;
	int err;

	m->run = 0;
	if (l == SHMRING_NO_LANE) {
		err = shmring_merge_look_all(m);
		if (err)
			return err;
		l = shmring_merge_least(m);
	}
	while (m->tickets && l != SHMRING_NO_LANE) {
		seen = l;
		generation = m->lane[seen].generation;
		shmring_merge_ask(m, seen);
		err = shmring_merge_look_all(m);
		if (err)
			return err;
		l = shmring_merge_least(m);
		/* If its producer was replaced this look is the first one at what is there now. */
		if (shmring_unlikely(m->lane[seen].generation != generation))
			continue;
		if (l != seen)
			m->until = m->lane[l].head + m->mask;	/* @seen is their bound */
		shmring_merge_bound(m, l);
		break;
	}
	*chosen = l;
	return 0;
}

/* Which lane has the next record; SHMRING_NO_LANE: none has. -EBADMSG: see look. */
static inline int shmring_merge_choose(struct shmring_merge *m, __u32 *chosen)
{
	__u32 last = m->last;
	int err;

	/* The lane of the last record is the only one that is not known to be as it was. */
	if (last != SHMRING_NO_LANE && !(m->ready & 1u << last) && !(m->broken & 1u << last)) {
		err = shmring_merge_look(m, last, 0);
		if (err)
			return err;
	}
	if (last != SHMRING_NO_LANE && (m->ready & 1u << last) &&
	    (!m->tickets || shmring_merge_runs(m, m->lane[last].ticket) ||
	     ((m->lane[last].word & SHMRING_REC_CHAIN) &&
	      m->lane[last].head - m->lane[last].chain <= m->mask))) {
		*chosen = last;
		return 0;
	}
	return shmring_merge_search(m, chosen);
}

/* OVERWRITE: what is known of a lane may be from long ago, and overwritten since. */
static inline void shmring_merge_forget(struct shmring_merge *m)
{
	__u32 rest, l;

	for (rest = m->ready; rest; rest &= rest - 1) {
		l = (__u32)__builtin_ctz(rest);
		if (shmring_merge_lapped(m, l, m->lane[l].head))
			m->ready &= ~(1u << l);
	}
}

/**
 * shmring_merge_peek() - look at the next record
 * @m: consumer
 * @payload: out: where its payload is, until it is released
 *
 * After shmring_merge_rewind() it is the first record that is not released.
 * shmring_merge_skipped() comes next, but after shmring_merge_next() where there is a record:
 * who joins goes elsewhere in a lane that nothing is delivered of.
 *
 * Return: payload bytes, -EAGAIN, or -EBADMSG, -EPROTO: a producer wrote nonsense and its
 * lane is left out until it, or its successor, writes something else there; told once.
 */
static inline long shmring_merge_peek(struct shmring_merge *m, const void **payload)
{
	__u32 l;
	int err;

	if (m->overwrite)
		shmring_merge_forget(m);
	l = m->first;
	if (m->touched || l == SHMRING_NO_LANE || !(m->ready & 1u << l)) {
		err = shmring_merge_choose(m, &l);
		if (err)
			return err;
		if (l == SHMRING_NO_LANE)
			return -EAGAIN;
	}
	m->last = l;
	*payload = shmring_merge_word(m, l, m->lane[l].head) + 2;
	return m->lane[l].word & SHMRING_REC_LEN;
}

/**
 * shmring_merge_check() - nothing was found: can that be?
 * @m: consumer, before it sleeps
 *
 * A producer that tells of records that are not there would be waited for in vain. Its lane is
 * left out as one with nonsense is. shmring_merge_skipped() comes next.
 *
 * Return: 0, or -EPROTO; told once.
 */
static inline int shmring_merge_check(struct shmring_merge *m)
{
	__u32 rest = m->lanes & ~m->ready & ~m->broken, l;
	int err = 0, bad;

	for (; rest; rest &= rest - 1) {
		const __u64 *pos;
		__u64 end, head;

		l = (__u32)__builtin_ctz(rest);
		pos = &shmring_group_cursor(&m->g, l)->pos;
		head = m->lane[l].head;
		shmring_merge_limit(m, l);
		/* pairs with the store-release in shmring_lane_publish() */
		end = shmring_load_acquire(pos);
		if (shmring_unlikely(m->lane[l].led && shmring_merge_farther(m, l))) {
			/* Only once does it go back: it is not to be told of the same again. */
			shmring_lane_leave(m->mine, l, head, 0, m->lane[l].generation,
					   m->lane[l].limit);
			continue;
		}
		/* The position again: pairs with the store-release in shmring_lane_recover() */
		if (!shmring_merge_misled(m, l) &&
		    (!shmring_spsc_used(end, head, m->mask + 1) ||
		     shmring_load_acquire(shmring_merge_word(m, l, head)) ||
		     shmring_load(pos) != end || shmring_merge_lapped(m, l, head)))
			continue;
		bad = shmring_merge_nonsense(m, l, 0, -EPROTO);
		err = err ? err : bad;
	}
	return err;
}

/**
 * shmring_merge_skipped() - after a look for records: tell of room that nonsense was in
 * @m: consumer, after shmring_merge_peek() without a record, shmring_merge_next(),
 *	shmring_merge_mend() or shmring_merge_check()
 *
 * Return: as shmring_group_check(); 0 if there was none.
 */
static inline int shmring_merge_skipped(struct shmring_merge *m)
{
	if (shmring_likely(!m->skipped))
		return 0;
	m->skipped = 0;
	return shmring_group_check(&m->g, m->records, (int)m->fence);
}

/**
 * shmring_merge_next() - step over the record that was peeked at
 * @m: consumer
 * @len: what shmring_merge_peek() returned
 */
static inline void shmring_merge_next(struct shmring_merge *m, long len)
{
	struct shmring_merge_lane *lane = &m->lane[m->last];

	if (!m->touched)
		m->first = m->last;
	lane->head += shmring_record_size((__u64)len);
	lane->floor = lane->ticket + 1;
	lane->ahead++;
	m->ready &= ~(1u << m->last);
	m->touched |= 1u << m->last;
	m->turn = m->last;
}

/**
 * shmring_merge_more() - step over the next record as well, if that is cheap
 * @m: consumer, after shmring_merge_next()
 * @cap: the most payload bytes that are wanted
 * @payload: out: where its payload is
 *
 * The records of a batch, and of a lane that is known to be the next one for a while.
 *
 * Return: payload bytes; -EAGAIN: it takes shmring_merge_peek() to say what is next.
 */
static inline long shmring_merge_more(struct shmring_merge *m, __u64 cap, const void **payload)
{
	struct shmring_merge_lane *lane = &m->lane[m->last];
	const __u32 *header = shmring_merge_word(m, m->last, lane->head);
	/* pairs with the store-release in shmring_lane_publish() */
	__u32 word = shmring_load_acquire(header), ticket;
	long len = shmring_lane_header(word, m->tickets ? SHMRING_REC_CHAIN : 0,
				       m->mask - (lane->head - lane->done));
	__u64 next = lane->head + shmring_record_size((__u64)len);

	if (len < 0 || (__u64)len > cap || m->overwrite || (__s64)(next - lane->bound) > 0)
		return -EAGAIN;
	if (m->tickets) {
		ticket = shmring_load(header + 1);
		if (!(word & SHMRING_REC_CHAIN) && shmring_merge_early(m, ticket))
			return -EAGAIN;
		ticket = shmring_merge_ticket(m, lane, word, ticket);
		if (!(word & SHMRING_REC_CHAIN))
			lane->chain = lane->head;
		else if (lane->head - lane->chain > m->mask)
			return -EAGAIN;
		if (!(word & SHMRING_REC_CHAIN) && !shmring_merge_runs(m, ticket))
			return -EAGAIN;
		lane->floor = ticket + 1;
	}
	shmring_merge_fetch(m, m->last, header);
	*payload = header + 2;
	lane->head = next;
	lane->ahead++;
	return len;
}

/* shmring_merge_rewind() - go back to the first record that is not released */
static inline void shmring_merge_rewind(struct shmring_merge *m)
{
	__u32 l;

	if (!m->touched)
		return;
	m->run = 0;
	m->ready &= ~m->touched;
	m->broken &= ~m->touched;
	/* All are looked into: choose() does not expect anything in a lane that is not ready. */
	for (; m->touched; m->touched &= m->touched - 1) {
		l = (__u32)__builtin_ctz(m->touched);
		m->lane[l].head = m->lane[l].done;
		m->lane[l].chain = m->lane[l].done;	/* it may be inside of a batch */
		m->lane[l].floor = m->lane[l].base;
		m->lane[l].ahead = 0;
		if (shmring_unlikely(shmring_merge_look(m, l, 0) < 0)) {
			m->broken &= ~(1u << l);	/* for the next look to tell */
			m->lane[l].blamed = 0;
		}
	}
	m->last = m->first;
}

/**
 * shmring_merge_whole() - is what was delivered since the last release still there
 * @m: consumer
 *
 * To be asked after the payload was used, of an OVERWRITE ring only. If it is not,
 * shmring_merge_rewind() counts it as lost and goes on behind.
 */
static inline int shmring_merge_whole(const struct shmring_merge *m)
{
	__u32 rest = m->touched, l;

	for (; rest; rest &= rest - 1) {
		l = (__u32)__builtin_ctz(rest);
		if (shmring_merge_lapped(m, l, m->lane[l].done))
			return 0;
	}
	return 1;
}

/**
 * shmring_merge_release() - give back all records that were stepped over
 * @m: consumer
 *
 * Return: as shmring_group_check().
 */
static inline int shmring_merge_release(struct shmring_merge *m)
{
	__u32 rest = m->touched, l;

	m->touched = 0;
	while (rest) {
		struct shmring_merge_lane *lane;

		l = (__u32)__builtin_ctz(rest);
		/*
		 * The lane of the last record comes last: it may end inside of a batch, where there
		 * are no tickets, and who goes on there begins with it.
		 */
		if (shmring_unlikely(rest & (rest - 1)) && l == m->turn)
			l = (__u32)__builtin_ctz(rest & (rest - 1));
		rest &= ~(1u << l);
		lane = &m->lane[l];
		lane->done = lane->head;
		lane->records += lane->ahead;
		m->records += lane->ahead;
		lane->released += lane->ahead;
		lane->ahead = 0;
		lane->base = lane->floor;
		shmring_merge_tell(m, l);
	}
	m->first = SHMRING_NO_LANE;
	shmring_store(&m->mine->records, m->records);
	return shmring_group_check(&m->g, m->records, (int)m->fence);
}

#endif /* SHMRING_MPSC_H */
