/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * Many producers, many consumers, every record to each of them from where it joined.
 *
 * Consumers merge lanes as in mpsc.h, each with positions of its own. A producer is
 * gated by the slowest live consumer; by none if there is none: what nobody has
 * joined for is gone.
 *
 * Joining: whoever joins must not be overrun before the producer knows of it. It is
 * counted first, and then begins at what the producer has published by then. A
 * producer that was not told of it in its last look around may write a lane's length
 * beyond what it had published at that time, and no further.
 *
 * Ordering:
 *
 *   shmring_broadcast_refresh  position, full fence, then who is there
 *     pairs with               joining in META, full fence, then the position in
 *                              shmring_broadcast_join()
 *     so that                  the producer counts the new consumer, or the consumer
 *                              begins where it is not going to be overrun
 *
 * With SHMRING_FULL_OVERWRITE nobody gates: see overwrite.h.
 */
#ifndef SHMRING_BROADCAST_H
#define SHMRING_BROADCAST_H

#include <shmring/mpsc.h>

#define SHMRING_BROADCAST_TRIES	4

/*
 * Where the slowest live consumer is in a lane, whose producer is at @tail. -EAGAIN: somebody is
 * just joining. Each is compared with the producer, not with each other: of three positions, one
 * of them a lie, each could be behind the next.
 */
static inline int shmring_broadcast_gate(const struct shmring_group *g, __u32 lane, __u64 tail,
					 __u64 *gate)
{
	__s64 most = 0;
	__u32 slot;

	*gate = tail;
	for (slot = g->producers; slot < g->producers + g->consumers; slot++) {
		__u64 pos;

		if (!shmring_group_live(g, slot))
			continue;
		/* pairs with the store-release in shmring_merge_tell() */
		pos = shmring_load_acquire(&shmring_group_cursor(g, slot)->lane[lane].pos);
		if (pos == SHMRING_POS_JOINING)
			return -EAGAIN;
		/* Ahead of the producer only a liar can be, to its own loss. */
		if ((__s64)(tail - pos) > most) {
			most = (__s64)(tail - pos);
			*gate = pos;
		}
	}
	return 0;
}

/**
 * shmring_broadcast_refresh() - look again how far consumers are
 * @tx: producer
 * @g: its group
 *
 * A consumer that goes back gates nothing that was free before.
 */
static inline void shmring_broadcast_refresh(struct shmring_spsc_tx *tx,
					     const struct shmring_group *g)
{
	/* What is held back is not published: it must not be overwritten either. */
	__u64 told = shmring_load(&tx->mine->pos);
	unsigned int tries;
	__u64 state, gate;

	shmring_fence();	/* pairs with the fence in shmring_broadcast_join() */
	for (tries = 0; tries < SHMRING_BROADCAST_TRIES; tries++) {
		/* pairs with the store-release of the count by whoever joins */
		state = shmring_load_acquire(&g->meta->rx_state);
		if (shmring_broadcast_gate(g, g->slot, told, &gate))
			return;
		if ((__s64)(gate - tx->seen) <= 0) {
			shmring_spsc_high(tx);
			return;
		}
		if (!((shmring_load_acquire(&g->meta->rx_state) ^ state) &
		      ~SHMRING_STATE_ARMED)) {
			shmring_lane_gate(tx, gate);
			return;
		}
	}
}

/**
 * shmring_broadcast_join() - where a new consumer begins in a lane
 * @producer: the lane's producer's CURSOR page
 *
 * The consumer's slot is live, its position is JOINING, and the count in META's
 * rx_state has been raised since.
 *
 * Return: the position.
 */
static inline __u64 shmring_broadcast_join(const struct shmring_cursor *producer)
{
	shmring_fence();	/* pairs with the fence in shmring_broadcast_refresh() */
	/* pairs with the store-release in shmring_lane_publish() */
	return shmring_load_acquire(&producer->pos);
}

/**
 * shmring_overwrite_left() - where the records begin that there are to be read
 * @cursor: the producer's CURSOR page
 * @gate: how far the slowest consumer is
 * @produced: how far the producer is
 * @size: data_size
 *
 * To be shown, not relied on: the producer may have gone on since @produced was loaded, or lie.
 *
 * Return: @gate, or where the oldest record is that has not been overwritten, if that is later;
 * at most @size before @produced.
 */
static inline __u64 shmring_overwrite_left(const struct shmring_cursor *cursor, __u64 gate,
					   __u64 produced, __u64 size)
{
	__u64 kept = shmring_load(&cursor->limit) - size;

	if (produced - gate > size)
		gate = produced - size;
	return kept - gate <= produced - gate ? kept : gate;
}

/*
 * A limit and a mark of this producer's, for who was lapped to go on from: a limit that nobody has
 * judged the lane by.
 */
static inline void shmring_overwrite_begin(struct shmring_spsc_tx *tx)
{
	__u64 was = shmring_load(&tx->mine->limit);

	shmring_overwrite_advance(tx, 0);
	if (tx->limit == was)
		shmring_overwrite_advance(tx, (tx->mask + 1) / SHMRING_MARKS);
}

/*
 * What a successor in an OVERWRITE lane has to keep: the number of records, counted from a
 * mark, for the predecessor may have died between telling that and telling its position;
 * and the limit, for it may have written up to there. An impossible one was a liar's: then who
 * comes by finds a limit and a mark of this producer's.
 */
static inline void shmring_overwrite_recover(struct shmring_spsc_tx *tx, __u64 pos,
					     __u64 records)
{
	__u64 limit = shmring_load(&tx->mine->limit);

	for (; (__s64)(tx->tail - pos) > 0; records++) {
		pos += shmring_record_size(shmring_load(shmring_spsc_word(tx, pos)) &
					   SHMRING_REC_LEN);
		if (!(records % SHMRING_RESCHED_EVERY))
			shmring_resched();
	}
	tx->records = records;
	shmring_store(&tx->mine->records, records);
	if (limit - tx->tail <= (tx->mask + 1) / 2 &&
	    !(limit & ((tx->mask + 1) / SHMRING_MARKS - 1)))
		tx->limit = limit;
	else
		shmring_overwrite_begin(tx);
}

/**
 * shmring_broadcast_told() - where what earlier producers published ends, as they told
 * @g: a group of the ring
 * @lane: the lane
 * @size: data_size
 *
 * If no live consumer can be there a predecessor lied, and one of their positions is taken;
 * a consumer that lies alone is not believed.
 *
 * Return: the position, which may have more behind it that was not told of.
 */
static inline __u64 shmring_broadcast_told(const struct shmring_group *g, __u32 lane, __u64 size)
{
	__u64 told = shmring_load(&shmring_group_cursor(g, lane)->pos) &
		     ~(__u64)(SHMRING_REC_ALIGN - 1);
	__u64 other = told, pos;
	__u32 slot;

	for (slot = g->producers; slot < g->producers + g->consumers; slot++) {
		if (!shmring_group_live(g, slot))
			continue;
		/* pairs with the store-release in shmring_merge_tell() */
		pos = shmring_load_acquire(&shmring_group_cursor(g, slot)->lane[lane].pos);
		if (pos == SHMRING_POS_JOINING || (pos & (SHMRING_REC_ALIGN - 1)))
			continue;
		if (shmring_spsc_used(told, pos, size) != SHMRING_SPSC_IMPOSSIBLE)
			return told;
		other = pos;
	}
	return other;
}

/**
 * shmring_broadcast_recover() - take over a lane from earlier producers
 * @tx: producer, with @data, @mask and @mine set
 * @overwrite: consumers gate nothing
 *
 * The walk begins at the position that the predecessor told, or what shmring_broadcast_told()
 * made of it when the slot was taken; in an OVERWRITE lane at its last mark. Nonsense before it
 * is the consumers' to step over: a position of one of them is not to decide where records of
 * the others end.
 *
 * Return: whether records were found that nobody was told of.
 */
static inline int shmring_broadcast_recover(struct shmring_spsc_tx *tx, int overwrite)
{
	__u64 from = shmring_load(&tx->mine->pos) & ~(__u64)(SHMRING_REC_ALIGN - 1);
	__u64 pos, records = 0;
	int found, marked = 0;

	if (overwrite && !shmring_overwrite_mark(tx->mine, tx->mask + 1, 1, &pos, &records)) {
		marked = 1;
		from = pos;
	}
	found = shmring_lane_recover(tx, from);
	/* Nothing is known of who reads what: ask before the first record. */
	tx->seen = tx->tail - tx->mask - 1;
	tx->limit = tx->tail;
	if (marked)
		shmring_overwrite_recover(tx, from, records);
	else if (overwrite)
		shmring_overwrite_begin(tx);
	return found;
}

#endif /* SHMRING_BROADCAST_H */
