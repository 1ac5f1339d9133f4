/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * What topologies with more than two endpoints share.
 *
 * Every producer has a lane: an SPSC stream (spsc.h) that it alone writes. What
 * differs is who reads it and whose positions gate the producer: mpsc.h, queue.h,
 * broadcast.h. So a record that is being written delays no other producer's, a
 * producer that dies leaves a lane that simply ends, and one that writes nonsense
 * spoils its own lane only.
 *
 * Nobody looks at every peer to find a sleeper. META has one word a side: a bit for
 * each endpoint that is armed, and a count of those who came or went. A publisher
 * remembers that word as it is when nothing is to be done, and compares.
 *
 * Ordering; the litmus tests are in Documentation/ordering.rst:
 *
 *   shmring_group_check    full fence between own position and the peers' state, or none:
 *                          then whoever arms has it made (shmring_bias_meet() of the
 *                          library by membarrier(2), shmring_meet() of the kernel)
 *     pairs with           the full fence between the bit in state and the position
 *                          in whoever arms
 *     so that              one of the two sees the other: no lost wake-up
 */
#ifndef SHMRING_GROUP_H
#define SHMRING_GROUP_H

#include <shmring/spsc.h>

#define SHMRING_STATE_ARMED	0xffffffffull	/* the rest counts joins and ends */

/*
 * Each header says where the next is, so a reader would wait for one line after the
 * other. Where a producer says that there is more, lines are asked for that far ahead.
 */
#define SHMRING_FETCH_AHEAD	512

static inline void shmring_fetch(const void *header, __u64 ahead)
{
	__builtin_prefetch((const char *)header + ahead);
}

/**
 * struct shmring_group - an endpoint's view of the others; private to it
 * @meta: META
 * @cursor: CURSOR pages by slot
 * @shared: SHARED, writable if the endpoint's role is the one that writes it
 * @peers: the state word of the other role, in @meta
 * @quiet: @peers without armed bits, as last seen
 * @producers: how many slots of producers; those of consumers follow
 * @consumers: how many slots of consumers
 * @slot: own slot; of a producer this is its lane as well
 */
struct shmring_group {
	const struct shmring_meta *meta;
	struct shmring_cursor **cursor;
	struct shmring_shared *shared;
	const __aligned_u64 *peers;
	__u64 quiet;
	__u32 producers;
	__u32 consumers;
	__u32 slot;
};

/**
 * shmring_group_check() - after publishing or releasing: is there anything to do?
 * @g: group
 * @records: how many this endpoint has published or released in all
 * @fence: somebody may sleep: as of &struct shmring_spsc_tx
 *
 * Return: 0; 1: shmring_group_armed() tells whom to wake, and endpoints may have come or
 * gone; 2: it is time to see whether fences are needed (only with @fence
 * SHMRING_FENCE_LEARN).
 */
static inline int shmring_group_check(const struct shmring_group *g, __u64 records, int fence)
{
	int due = shmring_fence_published(records, fence);

	/* pairs with the store-release of armed before the bit in whoever arms */
	return shmring_unlikely(shmring_load_acquire(g->peers) != g->quiet) ? 1 : due;
}

/**
 * shmring_group_armed() - which peers are armed; what else there was is seen with it
 * @g: group
 * @changed: out: did endpoints come or go since the last call
 *
 * Return: a bit for each slot.
 */
static inline __u32 shmring_group_armed(struct shmring_group *g, int *changed)
{
	/* pairs with the store-release of the count after META says who came or went */
	__u64 state = shmring_load_acquire(g->peers);
	__u64 quiet = state & ~SHMRING_STATE_ARMED;

	*changed = quiet != g->quiet;
	g->quiet = quiet;
	return (__u32)state;
}

/* A peer's CURSOR page; in the kernel it may be replaced while nobody lives in the slot. */
static inline struct shmring_cursor *shmring_group_cursor(const struct shmring_group *g,
							  __u32 slot)
{
	/* pairs with the store-release in shmring_cursor_place() */
	return shmring_pointer(&g->cursor[slot]);
}

static inline int shmring_group_live(const struct shmring_group *g, __u32 slot)
{
	/* pairs with the store-release of whoever begins or ends an endpoint */
	return shmring_load_acquire(&g->meta->slot[slot].state) == SHMRING_SLOT_LIVE;
}

/**
 * shmring_lane_gate() - a gate was found: how far may the producer write now
 * @tx: producer
 * @gate: position before which nobody reads any more
 *
 * Gates move forward only, and never past what was published.
 *
 * Return: 0, or -EPROTO if the position cannot be: then nothing was learnt.
 */
static inline int shmring_lane_gate(struct shmring_spsc_tx *tx, __u64 gate)
{
	if (shmring_unlikely(gate - tx->seen > tx->tail - tx->seen))
		return -EPROTO;
	shmring_spsc_gated(tx, gate);
	return 0;
}

/**
 * shmring_lane_publish() - let the consumers see everything that was put
 * @tx: producer
 * @g: its group
 * @tickets: whether this publication needs a ticket
 *
 * Return: as shmring_group_check().
 */
static inline int shmring_lane_publish(struct shmring_spsc_tx *tx, const struct shmring_group *g,
				       int tickets)
{
	__u32 *word = shmring_spsc_word(tx, tx->hold_pos);

	/*
	 * Taken after everything that this producer knew of was published, and before
	 * its own publication. Pairs with the load-acquire in shmring_merge_look().
	 */
	if (tickets)
		shmring_store(word + 1, (__u32)shmring_add(&g->shared->tickets, 1));
	/* pairs with the load-acquire of the word in merge, claim and spsc_peek */
	shmring_store_release(word, tx->hold_word);
	tx->hold_word = 0;
	shmring_tally_note(tx->mine->tally, &tx->noted, shmring_tally_key(tx->tail), tx->records);
	shmring_store(&tx->mine->records, tx->records);
	/* pairs with the load-acquire of whoever is about to sleep, and the kernel's */
	shmring_store_release(&tx->mine->pos, tx->tail);
	return shmring_group_check(g, tx->records, (int)tx->fence);
}

/**
 * shmring_lane_leave() - say that what is in a lane is no record
 * @mine: consumer's CURSOR page
 * @lane: the lane
 * @pos: where its next record belongs
 * @word: the header word there
 * @generation: of the lane's producer, as far as the consumer has noticed
 * @limit: of an OVERWRITE ring the producer's limit, loaded before the word
 *
 * The kernel would take it for one, by the producer's position, and not let this consumer sleep.
 * It looks whether that word is still there, so nothing has to be ordered or taken back.
 */
static inline void shmring_lane_leave(struct shmring_cursor *mine, __u32 lane, __u64 pos,
				      __u32 word, __u32 generation, __u64 limit)
{
	shmring_store(&mine->lane[lane].left_limit, limit);
	shmring_store(&mine->lane[lane].left_at, pos);
	shmring_store(&mine->lane[lane].left, (__u64)generation << 32 | word);
}

/**
 * shmring_lane_header() - what a header word says
 * @word: as loaded
 * @flags: flags that may be there besides READY
 * @room: bytes that a record may occupy here
 *
 * Return: payload bytes, -EAGAIN if there is no record yet, -EBADMSG if there is one
 * that cannot be.
 */
static inline long shmring_lane_header(__u32 word, __u32 flags, __u64 room)
{
	__u32 len = word & SHMRING_REC_LEN;

	if (!word)
		return -EAGAIN;
	if (shmring_unlikely((word & ~SHMRING_REC_LEN & ~flags) != SHMRING_REC_READY ||
			     shmring_record_size(len) > room))
		return -EBADMSG;
	return len;
}

/**
 * shmring_lane_gap() - do the records in a lane not lead to where its producer says to be?
 * @data: the lane, mapped twice in a row
 * @mask: its bytes - 1
 * @from: position of the first, which nobody gives back meanwhile
 * @end: the producer's position, loaded by acquire
 *
 * Then it lies, or @from is no position of a record. A producer that is behind may have been killed
 * before it told.
 *
 * Context: in the kernel a task that may be scheduled: it looks at each record.
 */
static inline int shmring_lane_gap(const unsigned char *data, __u64 mask, __u64 from, __u64 end)
{
	__u64 used = shmring_spsc_used(end, from, mask + 1), pos = from;
	unsigned int n = 0;

	if (!used || used == SHMRING_SPSC_IMPOSSIBLE)
		return !!used;
	while (pos - from < used) {
		const void *header = data + (pos & mask);
		/* Acquire, so that whoever asks for @from once more does so after this. */
		__u32 word = shmring_load_acquire(&((const struct shmring_record *)header)->word);
		long len = shmring_lane_header(word, SHMRING_REC_CHAIN, mask - (pos - from));

		if (len < 0)
			return 1;
		pos += shmring_record_size((__u64)len);
		if (!(++n % SHMRING_RESCHED_EVERY))
			shmring_resched();
	}
	return pos != end;
}

/**
 * shmring_lane_kept() - can a consumer begin where its predecessor was?
 * @data: the lane, mapped twice in a row
 * @mask: its bytes - 1
 * @from: that position, a multiple of SHMRING_REC_ALIGN
 * @end: the producer's position, loaded by acquire
 *
 * If records lead from there to where the producer tells to be; or from where that is to there, and
 * it has not told of what was read. What was read it may write over, but not before it told: then
 * this has to be asked once more.
 *
 * Context: as shmring_lane_gap().
 *
 * Return: @from; or @end, and what is there counts as read.
 */
static inline __u64 shmring_lane_kept(const unsigned char *data, __u64 mask, __u64 from, __u64 end)
{
	int ahead = (__s64)(from - end) > 0;

	if (end & (SHMRING_REC_ALIGN - 1))
		return from;
	return shmring_lane_gap(data, mask, ahead ? end : from, ahead ? from : end) ? end : from;
}

#endif /* SHMRING_GROUP_H */
