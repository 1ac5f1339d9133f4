/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * One producer, one consumer, records of any length.
 *
 * The record is its own publication. Its header word is zero until the record is
 * complete, and the consumer looks at nothing else: a message costs the transfer
 * of the lines that it lies in and of no index. Before the producer writes a
 * header it zeroes the *next* one, so that the consumer always finds a word that
 * was written for it and never a leftover of the lap before.
 *
 * Both sides also keep their position in their own CURSOR page, where the other
 * side looks only when it is out of work: the producer when the space that it
 * knows of is used up, the sleeper before it sleeps, the kernel to tell readiness.
 *
 * The algorithm is Lamport's bounded queue with a cached remote index
 * (FastForward's idea of a slot that carries its own full/empty mark; MCRingBuffer's
 * of a private copy of the other side's index), made safe against a peer that
 * writes nonsense: own positions live in private memory, a word of the peer is
 * loaded once and checked, and a wrong one costs an error, not an access.
 *
 * Ordering; the litmus tests are in Documentation/ordering.rst:
 *
 *   shmring_spsc_publish   store-release of the header word
 *     pairs with           load-acquire of it in shmring_spsc_peek
 *     so that              payload and the zeroed next header are seen with it
 *   shmring_spsc_release   store-release of the consumer's pos
 *     pairs with           load-acquire of it in shmring_spsc_refresh
 *     so that              the payload was read before it is overwritten
 *   shmring_spsc_publish   store-release of the producer's pos, then the next header word
 *     pairs with           load-acquire of the word, then of pos in shmring_lane_beyond()
 *     so that              a record is never found farther beyond pos than it can be
 *   shmring_lane_recover   store-release of zero, then of the producer's pos
 *     pairs with           load-acquire of pos in shmring_lane_beyond(), then of the word
 *     so that              what a successor cuts off is not taken for a record any more
 *   shmring_spsc_gated     own position, write barrier, then records in the room that was found
 *     pairs with           load-acquire of pos, of a word, then of pos in shmring_kept(),
 *                          shmring_merge_misled()
 *     so that              what is written over records is not met by who knows no later pos
 *   shmring_spsc_armed     full fence between own position and the peer's armed
 *     pairs with           the full fence between armed and the position in
 *                          whoever arms (kernel: shmring_arm(); library: arm)
 *     so that              one of the two sees the other: no lost wake-up
 *   shmring_spsc_armed     without fence: that order for the compiler alone
 *     pairs with           in its place, one on this side's CPUs by whoever arms (library:
 *                          membarrier(2) in shmring_bias_meet(); kernel: shmring_meet())
 *     so that              the same
 *
 * Everything here is for one thread at a time per side, does not sleep, takes no
 * lock and makes no call: any context will do, signal handlers included so long
 * as they do not interrupt the same side's own call.
 */
#ifndef SHMRING_SPSC_H
#define SHMRING_SPSC_H

#include <linux/shmring.h>
#include <shmring/barrier.h>
#include <shmring/tally.h>

#ifndef __KERNEL__
#include <errno.h>
#include <stddef.h>
#include <string.h>
#endif

/* What a record of @len payload bytes occupies. */
static inline __u64 shmring_record_size(__u64 len)
{
	return (len + sizeof(struct shmring_record) + SHMRING_REC_ALIGN - 1) &
	       ~(__u64)(SHMRING_REC_ALIGN - 1);
}

/* Every record needs the word after it free as well: the next header. */
#define SHMRING_REC_TAIL	sizeof(struct shmring_record)

/* The largest payload in a ring of @data_size bytes. */
static inline __u64 shmring_record_max(__u64 data_size)
{
	__u64 max = data_size - sizeof(struct shmring_record) - SHMRING_REC_TAIL;

	return max < SHMRING_REC_LEN ? max : SHMRING_REC_LEN;
}

/*
 * How far ahead of its position each side asks for the lines that it will need, in bytes.
 * A line comes from the other CPU in the time of many records, so that several have to be
 * under way. Only speed depends on these, and on what the size of a line is taken to be.
 */
#define SHMRING_AHEAD_WRITE	512
#define SHMRING_AHEAD_WRITE_MID	1024	/* for records, or runs of short ones, of two lines */
#define SHMRING_AHEAD_WRITE_BIG	2048	/* ... of eight and more */
#define SHMRING_AHEAD_READ	1024
#define SHMRING_AHEAD_MOST	8192	/* longer copies are ahead by themselves */
#define SHMRING_AHEAD_PLACE	1024	/* of longer ones written in place who knows which lines */
#define SHMRING_AHEAD_LINE	64

#define SHMRING_DATA_MIN	4096	/* the smallest lane */

#define SHMRING_SPSC_IMPOSSIBLE	(~(__u64)0)
#define SHMRING_RECOUNT_TRIES	64
#define SHMRING_RESCHED_EVERY	4096	/* headers looked at in a row */

/**
 * shmring_spsc_used() - bytes between two positions that the sides told
 * @tail: the producer's pos
 * @head: the consumer's pos
 * @size: data_size
 *
 * The header word publishes a record, the producer's position follows: a consumer
 * may be ahead of it, for ever if the producer died in between. Then nothing is
 * left.
 *
 * Return: bytes, or SHMRING_SPSC_IMPOSSIBLE.
 */
static inline __u64 shmring_spsc_used(__u64 tail, __u64 head, __u64 size)
{
	if (tail - head <= size)
		return tail - head;
	/* Less than @size: the header that ended what was published was not read. */
	return head - tail < size ? 0 : SHMRING_SPSC_IMPOSSIBLE;
}

/**
 * shmring_spsc_produced() - how far a producer is, by what both sides told
 * @tail: the producer's pos
 * @head: the consumer's pos
 * @size: data_size
 *
 * What was released had been published, though its producer died before it told so.
 *
 * Return: position.
 */
static inline __u64 shmring_spsc_produced(__u64 tail, __u64 head, __u64 size)
{
	return head - tail < size ? head : tail;
}

/**
 * shmring_lane_beyond() - is a record farther on than its producer can have written?
 * @pos: the producer's pos
 * @from: position of a record that is not released, or of the end
 * @end: of a record there or later, whose header word was loaded before
 * @mask: data_size - 1
 * @bound: out: up to here there is no need to ask again
 *
 * Whoever follows headers asks once a lane's length, so that those which lead round it in a
 * circle end. A publication comes after the position of the one before it was told, and ends
 * within a lane's length from there, with the next header.
 *
 * The word has to be loaded again after this: a successor may have cut it off.
 *
 * Return: whether it is; then @bound is as it was.
 */
static inline int shmring_lane_beyond(const __u64 *pos, __u64 from, __u64 end, __u64 mask,
				      __u64 *bound)
{
	/* pairs with the store-release in shmring_spsc_publish(), shmring_lane_recover() */
	__u64 told = shmring_load_acquire(pos);

	if (shmring_spsc_used(told, from, mask + 1) == SHMRING_SPSC_IMPOSSIBLE ||
	    (__s64)(end - told) > (__s64)mask)
		return 1;
	*bound = told + mask;
	return 0;
}

/**
 * struct shmring_spsc_tx - private state of a producer
 * @data: DATA, mapped twice in a row, writable
 * @mask: data_size - 1
 * @tail: position of the next record
 * @limit: the consumer's pos as last seen, plus data_size: nothing is written
 *	at or after it
 * @seen: the consumer's pos as last seen
 * @hold_pos: position of the first record that is written but held back
 * @hold_word: its header word; 0 when nothing is held back
 * @fence: the consumer may sleep: order publication before reading its armed;
 *	SHMRING_FENCE_LEARN: and see whether that is needed
 * @chain: what records of a batch but the first have in their header word besides
 *	READY: 0, or SHMRING_REC_CHAIN where publications have tickets
 * @records: records published
 * @noted: which place of @mine->tally was written last; not used by an SPSC ring
 * @mine: this side's CURSOR page
 * @peer: the consumer's CURSOR page; NULL where there are several
 */
struct shmring_spsc_tx {
	unsigned char *data;
	__u64 mask;
	__u64 tail;
	__u64 limit;
	__u64 seen;
	__u64 hold_pos;
	__u32 hold_word;
	__u32 fence;
	__u32 chain;
	__u32 noted;
	__u64 records;
	struct shmring_cursor *mine;
	const struct shmring_cursor *peer;
};

/**
 * struct shmring_spsc_rx - private state of a consumer
 * @data: DATA, mapped twice in a row
 * @mask: data_size - 1
 * @done: position up to which records are released
 * @head: position of the next record to peek at
 * @records: records released
 * @ahead: records between @done and @head
 * @fence: the producer may sleep
 * @noted: which place of @mine->tally was written last
 * @mine: this side's CURSOR page
 * @peer: the producer's CURSOR page
 * @near: position before which the producer is likely to be writing; 0: nowhere
 * @bound: of a record that ends behind it shmring_lane_beyond() is to be asked
 */
struct shmring_spsc_rx {
	const unsigned char *data;
	__u64 mask;
	__u64 done;
	__u64 head;
	__u64 records;
	__u32 ahead;
	__u32 fence;
	__u32 noted;
	struct shmring_cursor *mine;
	const struct shmring_cursor *peer;
	__u64 near;
	__u64 bound;
};

static inline __u32 *shmring_spsc_word(const struct shmring_spsc_tx *tx, __u64 pos)
{
	void *header = tx->data + (pos & tx->mask);

	return &((struct shmring_record *)header)->word;
}

/* How @fence is set where it may be done without one day: what comes due, how often. */
#define SHMRING_FENCE_LEARN	1023u	/* records; and for so many of them: */
#define SHMRING_FENCE_DUE	64u

/* The fence after a publication or a release. Return: 2: it is time to see about fences. */
static inline int shmring_fence_published(__u64 records, int fence)
{
	if (!fence) {
		shmring_light_fence();	/* pairs with shmring_bias_meet(), shmring_meet() */
		return 0;
	}
	shmring_fence();	/* pairs with the fence of whoever arms */
	return fence > 1 && (records & SHMRING_FENCE_LEARN) < SHMRING_FENCE_DUE ? 2 : 0;
}

/*
 * Is there a sleeper to kick, now that this side has published (released) up to @pos,
 * @records in all? 0: no. 1: yes. 2: no, but it is time to see whether fences are needed
 * (only with @fence SHMRING_FENCE_LEARN). -EPIPE: the peer is gone, META says how.
 */
static inline int shmring_spsc_armed(const struct shmring_cursor *peer, __u64 pos, __u64 records,
				     int fence)
{
	int due = shmring_fence_published(records, fence);
	__u32 armed;

	/* pairs with the store-release of armed after wake_at in whoever arms */
	armed = shmring_load_acquire(&peer->armed);
	if (shmring_likely(armed == SHMRING_ARMED_NO))
		return due;
	if (armed == SHMRING_ARMED_GONE)
		return -EPIPE;
	return (__s64)(pos - shmring_load(&peer->wake_at)) >= 0 ||
	       records >= shmring_load(&peer->wake_records);
}

/* So much the lane holds, by what was last seen of the consumers. */
static inline void shmring_spsc_high(struct shmring_spsc_tx *tx)
{
	__u64 used = tx->tail - tx->seen;

	if (used > shmring_load(&tx->mine->high))
		shmring_store(&tx->mine->high, used);
}

/* Nobody reads before @pos any more: so much is free. */
static inline void shmring_spsc_gated(struct shmring_spsc_tx *tx, __u64 pos)
{
	tx->seen = pos;
	tx->limit = pos + tx->mask + 1;
	/*
	 * Consumers know what they have read by the header word, before the position is told. Pairs
	 * with the load-acquire of words in shmring_kept(), shmring_merge_misled().
	 */
	shmring_wmb();
	shmring_spsc_high(tx);
}

/**
 * shmring_spsc_refresh() - look at the consumer's position again
 * @tx: producer
 *
 * Return: 0, or -EPROTO if the position cannot be: then nothing was learnt.
 */
static inline int shmring_spsc_refresh(struct shmring_spsc_tx *tx)
{
	/* pairs with the store-release in shmring_spsc_release() */
	__u64 pos = shmring_load_acquire(&tx->peer->pos);

	/* The consumer moves forward only, and never past what was published. */
	if (shmring_unlikely(pos - tx->seen > tx->tail - tx->seen))
		return -EPROTO;
	shmring_spsc_gated(tx, pos);
	return 0;
}

/**
 * shmring_spsc_reserve() - find room for a record, by what is known already
 * @tx: producer
 * @len: payload bytes, at most shmring_record_max()
 *
 * Nothing is taken until the record is committed, so a reservation that is not
 * wanted is simply forgotten, and one that its owner's death interrupts does not
 * exist for anybody.
 *
 * Return: where the payload goes, or NULL: call shmring_spsc_refresh() and ask
 * once more.
 */
static inline void *shmring_spsc_reserve(struct shmring_spsc_tx *tx, __u64 len)
{
	__u64 need = shmring_record_size(len) + SHMRING_REC_TAIL;

	/* What was reserved before the known room was taken away is beyond the limit. */
	if (shmring_unlikely((__s64)(tx->limit - tx->tail) < (__s64)need))
		return NULL;
	return tx->data + (tx->tail & tx->mask) + sizeof(struct shmring_record);
}

/*
 * The producer went from @from to @to: ask for as much beyond. The consumer has read
 * those lines in the lap before, so they are in its cache.
 */
static inline void shmring_spsc_ahead_write(const struct shmring_spsc_tx *tx, __u64 from, __u64 to)
{
	const __u64 size = to - from;
	const __u64 ahead = size < 2 * SHMRING_AHEAD_LINE ? SHMRING_AHEAD_WRITE :
			    size < 8 * SHMRING_AHEAD_LINE ? SHMRING_AHEAD_WRITE_MID :
							     SHMRING_AHEAD_WRITE_BIG;

	if (shmring_unlikely(size > SHMRING_AHEAD_MOST))
		return;
	for (from |= SHMRING_AHEAD_LINE - 1; from < to; from += SHMRING_AHEAD_LINE)
		shmring_prefetch_write(tx->data + ((from + ahead) & tx->mask));
}

/*
 * A long record was written in place, and the next one is likely to be as long: ask for the
 * lines where it will end, which nobody has touched for a lap.
 */
static inline void shmring_spsc_ahead_end(const struct shmring_spsc_tx *tx, __u64 size)
{
	shmring_prefetch_write(tx->data + ((tx->tail + size - 1) & tx->mask));
	shmring_prefetch_write(tx->data + ((tx->tail + size) & tx->mask));
}

/*
 * The consumer went from @from to @to, likewise: but where it has just found the ring empty
 * it would take lines from a producer that is about to write them.
 */
static inline void shmring_spsc_ahead_read(const struct shmring_spsc_rx *rx, __u64 from, __u64 to)
{
	if (shmring_unlikely(from < rx->near || to - from > SHMRING_AHEAD_MOST))
		return;
	for (from |= SHMRING_AHEAD_LINE - 1; from < to; from += SHMRING_AHEAD_LINE)
		shmring_prefetch(rx->data + ((from + SHMRING_AHEAD_READ) & rx->mask));
}

/**
 * shmring_spsc_put() - make the reserved record part of the batch
 * @tx: producer
 * @len: payload bytes, at most those reserved
 *
 * The first record of a batch keeps its header word zero and thereby hides all
 * that follow, until shmring_spsc_publish() writes it.
 */
static inline void shmring_spsc_put(struct shmring_spsc_tx *tx, __u64 len)
{
	__u32 *word = shmring_spsc_word(tx, tx->tail);
	__u64 next = tx->tail + shmring_record_size(len);

	shmring_spsc_ahead_write(tx, tx->tail, next);
	shmring_store(shmring_spsc_word(tx, next), 0);
	if (tx->hold_word) {
		shmring_store(word, SHMRING_REC_READY | tx->chain | (__u32)len);
	} else {
		tx->hold_pos = tx->tail;
		tx->hold_word = SHMRING_REC_READY | (__u32)len;
	}
	tx->tail = next;
	tx->records++;
}

/**
 * shmring_spsc_publish() - let the consumer see everything that was put
 * @tx: producer
 *
 * Return: as shmring_spsc_armed(): 1 if the caller has to wake the consumer.
 */
static inline int shmring_spsc_publish(struct shmring_spsc_tx *tx)
{
	/* pairs with the load-acquire in shmring_spsc_peek() */
	shmring_store_release(shmring_spsc_word(tx, tx->hold_pos), tx->hold_word);
	tx->hold_word = 0;
	shmring_store(&tx->mine->records, tx->records);
	/* pairs with the load-acquire of a consumer about to sleep, and the kernel's */
	shmring_store_release(&tx->mine->pos, tx->tail);
	return shmring_spsc_armed(tx->peer, tx->tail, tx->records, tx->fence);
}

/*
 * Put and publish in one: the same stores to the ring, without the private ones between. A
 * call would be a third of what 8 bytes cost.
 */
static __always_inline int shmring_spsc_put_one(struct shmring_spsc_tx *tx, __u64 len)
{
	__u32 *word = shmring_spsc_word(tx, tx->tail);
	__u64 next = tx->tail + shmring_record_size(len);
	__u64 records = tx->records + 1;

	shmring_store(shmring_spsc_word(tx, next), 0);
	/* pairs with the load-acquire in shmring_spsc_peek() */
	shmring_store_release(word, SHMRING_REC_READY | (__u32)len);
	tx->tail = next;
	tx->records = records;
	shmring_store(&tx->mine->records, records);
	/* pairs with the load-acquire of a consumer about to sleep, and the kernel's */
	shmring_store_release(&tx->mine->pos, next);
	return shmring_spsc_armed(tx->peer, next, records, tx->fence);
}

/**
 * shmring_spsc_commit() - put and publish in one, where nothing is held back
 * @tx: producer, with @hold_word zero
 * @len: payload bytes, at most those reserved; all of them were written
 *
 * Return: as shmring_spsc_armed(): 1 if the caller has to wake the consumer.
 */
static __always_inline int shmring_spsc_commit(struct shmring_spsc_tx *tx, __u64 len)
{
	shmring_spsc_ahead_write(tx, tx->tail, tx->tail + shmring_record_size(len));
	return shmring_spsc_put_one(tx, len);
}

/**
 * shmring_spsc_commit_in_place() - the same where the payload was no copy, and is long
 * @tx: producer, with @hold_word zero
 * @len: payload bytes, at most those reserved; perhaps a few of them were written. Above
 *	SHMRING_AHEAD_PLACE
 *
 * Return: likewise.
 */
static inline int shmring_spsc_commit_in_place(struct shmring_spsc_tx *tx, __u64 len)
{
	int kick = shmring_spsc_put_one(tx, len);

	shmring_spsc_ahead_end(tx, shmring_record_size(len));
	return kick;
}

/**
 * shmring_spsc_peek() - look at the next record
 * @rx: consumer
 * @payload: out: where its payload is, until shmring_spsc_release()
 *
 * A hostile producer may still change the payload while it is looked at: copy
 * first what must not change between check and use.
 *
 * Return: payload bytes, -EAGAIN if there is no record yet, -EBADMSG if there is
 * one whose length cannot be, -EPROTO if it is where none can be.
 */
static inline long shmring_spsc_peek(struct shmring_spsc_rx *rx, const void **payload)
{
	const unsigned char *rec = rx->data + (rx->head & rx->mask);
	const void *header = rec;
	/* pairs with the store-release in shmring_spsc_publish() */
	__u32 word = shmring_load_acquire(&((const struct shmring_record *)header)->word);
	__u32 len = word & SHMRING_REC_LEN;
	__u64 end = rx->head + shmring_record_size(len);

	if (!word)
		return -EAGAIN;
	if (shmring_unlikely((word & ~SHMRING_REC_LEN) != SHMRING_REC_READY ||
			     end - rx->done > rx->mask))
		return -EBADMSG;
	if (shmring_unlikely((__s64)(end - rx->bound) > 0)) {
		if (shmring_lane_beyond(&rx->peer->pos, rx->done, end, rx->mask, &rx->bound))
			return -EPROTO;
		if (shmring_load(&((const struct shmring_record *)header)->word) != word)
			return -EAGAIN;
	}
	*payload = rec + sizeof(struct shmring_record);
	return len;
}

/**
 * shmring_spsc_expect() - is the next record, from the first that is not released, so long?
 * @rx: consumer
 * @len: payload bytes
 *
 * As shmring_spsc_peek(), for whoever can guess: a length that has to be loaded delays the
 * look at the record after it, one that was compared does not.
 *
 * Return: where the payload is; NULL if there is no record, or another one, or if
 * shmring_spsc_peek() has to ask how far records can be.
 */
static inline const void *shmring_spsc_expect(const struct shmring_spsc_rx *rx, __u64 len)
{
	const unsigned char *rec = rx->data + (rx->done & rx->mask);
	const __u64 size = shmring_record_size(len);
	const void *header = rec;

	/* pairs with the store-release in shmring_spsc_publish() */
	if (shmring_unlikely(shmring_load_acquire(&((const struct shmring_record *)header)->word) !=
			     (SHMRING_REC_READY | len) ||
			     (__s64)(rx->done + size - rx->bound) > 0 ||
			     (size >= SHMRING_DATA_MIN && size > rx->mask)))
		return NULL;
	return rec + sizeof(struct shmring_record);
}

/**
 * shmring_spsc_next() - step over the record that was peeked at
 * @rx: consumer
 * @len: what shmring_spsc_peek() returned
 */
static inline void shmring_spsc_next(struct shmring_spsc_rx *rx, long len)
{
	const __u64 next = rx->head + shmring_record_size((__u64)len);

	shmring_spsc_ahead_read(rx, rx->head, next);
	rx->head = next;
	rx->ahead++;
}

/* shmring_spsc_rewind() - go back to the first record that is not released */
static inline void shmring_spsc_rewind(struct shmring_spsc_rx *rx)
{
	rx->head = rx->done;
	rx->ahead = 0;
}

/**
 * shmring_spsc_release() - give back all records that were stepped over
 * @rx: consumer
 *
 * Return: as shmring_spsc_armed(): 1 if the caller has to wake the producer.
 */
static inline int shmring_spsc_release(struct shmring_spsc_rx *rx)
{
	const __u64 pos = rx->head, records = rx->records + rx->ahead;

	rx->done = pos;
	rx->records = records;
	rx->ahead = 0;
	shmring_tally_note(rx->mine->tally, &rx->noted, shmring_tally_key(pos), records);
	shmring_store(&rx->mine->records, records);
	/* pairs with the load-acquire in shmring_spsc_refresh() */
	shmring_store_release(&rx->mine->pos, pos);
	return shmring_spsc_armed(rx->peer, pos, records, rx->fence);
}

/*
 * Records between two positions, and whether the second one is met: what lies between may be
 * any bytes.
 */
static inline int shmring_lane_count(const struct shmring_spsc_tx *tx, __u64 from, __u64 to,
				     __u64 *records)
{
	__u64 pos = from, n;

	if ((from & (SHMRING_REC_ALIGN - 1)) || to - from > tx->mask + 1)
		return 0;
	for (n = 0; pos - from < to - from; n++) {
		pos += shmring_record_size(shmring_load(shmring_spsc_word(tx, pos)) &
					   SHMRING_REC_LEN);
		if (!((n + 1) % SHMRING_RESCHED_EVERY))
			shmring_resched();
	}
	*records += n;
	return pos == to;
}

/*
 * How many records an SPSC ring's producers published up to @end, where they told of @records and
 * got to @told. A producer notes nothing, for the consumer does: the last one may have counted
 * its last publication or not, and the consumer's count tells which.
 */
static inline __u64 shmring_spsc_recount(const struct shmring_spsc_tx *tx, __u64 told, __u64 end,
					 __u64 records)
{
	const struct shmring_cursor *peer = tx->peer;
	__u64 pos, count = shmring_load(&peer->records), last = 0;
	unsigned int tries;

	if (told == end || !shmring_lane_count(tx, told, end, &last))
		return records;
	for (tries = 0; tries < SHMRING_RECOUNT_TRIES; tries++) {
		/* pairs with the store-release in shmring_spsc_release() */
		pos = shmring_load_acquire(&peer->pos);
		if (shmring_tally_find(peer->tally, shmring_tally_key(pos), &count))
			break;
	}
	if (tries == SHMRING_RECOUNT_TRIES || !shmring_lane_count(tx, pos, end, &count) ||
	    count != records)
		records += last;
	return records;
}

/**
 * shmring_lane_recover() - find the end of what earlier producers published
 * @tx: producer, with @data, @mask and @mine set; @peer only of an SPSC ring
 * @from: position of a record, or of the end
 *
 * A producer may have died between the header word and its position, so the
 * records are asked, not the position: from @from to the first zero word.
 * Batches that were held back end there too, and vanish. Where the words make no
 * sense an earlier producer wrote nonsense: what is there counts as its end. So does
 * a record that consumers do not believe because it is beyond what was told. May take long.
 *
 * Return: whether records were found that nobody was told of.
 */
static inline int shmring_lane_recover(struct shmring_spsc_tx *tx, __u64 from)
{
	__u64 told = shmring_load(&tx->mine->pos), records = shmring_load(&tx->mine->records);
	__u64 pos = from, next, counted;
	int cut = shmring_spsc_used(told, from, tx->mask + 1) == SHMRING_SPSC_IMPOSSIBLE;
	__u32 word, walked = 0;

	/* pairs with the store-release in shmring_spsc_publish(), of a former life */
	while (!cut && (word = shmring_load_acquire(shmring_spsc_word(tx, pos)))) {
		next = pos + shmring_record_size(word & SHMRING_REC_LEN);
		if ((word & ~SHMRING_REC_LEN & ~tx->chain) != SHMRING_REC_READY ||
		    next - from > tx->mask || (__s64)(next - told) > (__s64)tx->mask) {
			cut = 1;
			break;
		}
		pos = next;
		if (!(++walked % SHMRING_RESCHED_EVERY))
			shmring_resched();
	}
	/* Before the position is told: nobody after this one could correct the count. */
	counted = records;
	if (tx->peer)
		records = shmring_spsc_recount(tx, told, pos, records);
	/* What it had noted is the count where it told to be; the rest it did not tell of. */
	else if (shmring_tally_find(tx->mine->tally, shmring_tally_key(told), &counted) &&
		 shmring_lane_count(tx, told, pos, &counted))
		records = counted;
	tx->tail = pos;
	tx->seen = from;
	tx->limit = from + tx->mask + 1;
	tx->hold_word = 0;
	tx->records = records;
	shmring_tally_note(tx->mine->tally, &tx->noted, shmring_tally_key(pos), records);
	shmring_store(&tx->mine->records, records);
	/*
	 * Where more is told zero would be a lie, and is written when that was taken back: pairs
	 * with _check(). Elsewhere what is here would be a record once this position is told:
	 * pairs with the load-acquire in shmring_lane_beyond().
	 */
	if (cut && told - pos - 1 > tx->mask)
		shmring_store_release(shmring_spsc_word(tx, pos), 0);
	shmring_store_release(&tx->mine->pos, pos);
	if (cut)
		shmring_store_release(shmring_spsc_word(tx, pos), 0);
	shmring_wmb();	/* there may be room already: as in shmring_spsc_gated() */
	return pos != told;
}

/**
 * shmring_spsc_recover() - take over from earlier producers
 * @tx: producer, with @data, @mask, @peer, @mine and @fence set
 *
 * Return: 0; 1 if records were found that nobody was told of, and the caller has to
 * wake the consumer; -EPROTO if the consumer's position cannot be.
 */
static inline int shmring_spsc_recover(struct shmring_spsc_tx *tx)
{
	/* pairs with the store-release in shmring_spsc_release() */
	__u64 head = shmring_load_acquire(&tx->peer->pos);

	if (head & (SHMRING_REC_ALIGN - 1))
		return -EPROTO;
	shmring_lane_recover(tx, head);
	return shmring_spsc_armed(tx->peer, tx->tail, tx->records, tx->fence) > 0;
}

#endif /* SHMRING_SPSC_H */
