/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * A lane whose producer waits for nobody: the oldest records make room.
 *
 * The producer tells how far it may write (limit) before it writes, an eighth of the
 * lane ahead, so that the line with the limit moves rarely. A consumer reads, and then
 * looks whether the limit has come past what it read: a sequence lock with positions
 * for the sequence. One that was lapped goes on from a mark: the beginning of a record,
 * noted at every move of the limit together with the number of records before it, and
 * so knows exactly how many it has lost.
 *
 * Ordering:
 *
 *   shmring_overwrite_advance  limit, full fence, then the writing
 *     pairs with               reading, read barrier, then limit in
 *                              shmring_overwritten()
 *     so that                  what was read in time is known to be whole
 *   shmring_overwrite_advance  mark.pos = NONE, fence, mark.records, release mark.pos
 *     pairs with               the loads in shmring_overwrite_mark()
 *     so that                  position and number belong together
 *   shmring_overwrite_advance  mark.pos, store-release of the limit
 *     pairs with               load-acquire of the limit, then the marks in
 *                              shmring_overwrite_mark()
 *     so that                  who finds no mark of a limit that stands was lied to
 */
#ifndef SHMRING_OVERWRITE_H
#define SHMRING_OVERWRITE_H

#include <shmring/spsc.h>

/*
 * The largest payload: while a record of this size is written over the oldest, the one
 * before it, of this size as well, can still be read and has a mark to go on from.
 */
static inline __u64 shmring_overwrite_max(__u64 data_size)
{
	return data_size / SHMRING_MARKS * 3 - sizeof(struct shmring_record) - SHMRING_REC_TAIL;
}

/**
 * shmring_overwrite_advance() - make room by giving up the oldest records
 * @tx: producer, with nothing held back
 * @len: payload bytes that shall fit, at most shmring_overwrite_max()
 */
static inline void shmring_overwrite_advance(struct shmring_spsc_tx *tx, __u64 len)
{
	__u64 need = tx->tail + shmring_record_size(len) + SHMRING_REC_TAIL;
	__u64 step = (tx->mask + 1) / SHMRING_MARKS;
	struct shmring_mark *mark;

	/* In whole steps: each has a mark, of the first record that is not below it. */
	mark = &tx->mine->mark[(need + step - 1) / step % SHMRING_MARKS];
	tx->limit = (need + step - 1) / step * step;
	shmring_store(&mark->pos, SHMRING_MARK_NONE);
	shmring_fence();	/* pairs with the load of pos in shmring_overwrite_mark() */
	shmring_store(&mark->records, tx->records);
	/* pairs with the load-acquire in shmring_overwrite_mark() */
	shmring_store_release(&mark->pos, tx->tail);
	/* pairs with the load-acquire in shmring_overwrite_mark(): a limit has its mark */
	shmring_store_release(&tx->mine->limit, tx->limit);
	shmring_fence();	/* pairs with the read barrier in shmring_overwritten() */
	tx->seen = tx->tail;
}

/**
 * shmring_overwritten() - may what begins at @pos have been overwritten
 * @producer: CURSOR page of the lane's producer
 * @pos: position of a record that has been read before this call
 * @size: data_size
 *
 * Also true of what lies beyond the limit: nothing was written there. A predecessor lied to who
 * is there, and the records that there are lie elsewhere.
 */
static inline int shmring_overwritten(const struct shmring_cursor *producer, __u64 pos,
				      __u64 size)
{
	shmring_rmb();	/* pairs with the fence in shmring_overwrite_advance() */
	return shmring_load_acquire(&producer->limit) - pos > size;
}

/**
 * shmring_overwrite_mark() - find the beginning of a record
 * @producer: CURSOR page of the lane's producer
 * @size: data_size
 * @newest: as late as possible; otherwise as early as it is safe
 * @at: out: its position
 * @records: out: how many records were published before it
 *
 * Return: 0; -EAGAIN: the producer is just moving on, ask again; -EPROTO: it is not, and there
 * is none. While a limit stands the mark that came before it is not written. A lane that was never
 * written has its mark at 0.
 */
static inline int shmring_overwrite_mark(const struct shmring_cursor *producer, __u64 size,
					 int newest, __u64 *at, __u64 *records)
{
	/*
	 * A step more than what is gone: not to be lapped at once. Pairs with the store-release in
	 * shmring_overwrite_advance().
	 */
	__u64 limit = shmring_load_acquire(&producer->limit);
	__u64 oldest = limit > size ? limit - size + size / SHMRING_MARKS : 0;
	unsigned int k;

	*at = SHMRING_MARK_NONE;
	for (k = 0; k < SHMRING_MARKS; k++) {
		const struct shmring_mark *mark = &producer->mark[k];
		/* pairs with the store-release in shmring_overwrite_advance() */
		__u64 pos = shmring_load_acquire(&mark->pos);
		__u64 count = shmring_load_acquire(&mark->records);

		if (pos == SHMRING_MARK_NONE || shmring_load(&mark->pos) != pos ||
		    pos < oldest || pos > limit || (pos & (SHMRING_REC_ALIGN - 1)))
			continue;
		if (*at == SHMRING_MARK_NONE || (newest ? pos > *at : pos < *at)) {
			*at = pos;
			*records = count;
		}
	}
	/* Marks, then the limit: pairs with the fence after a limit, before the next marks. */
	shmring_rmb();
	if (*at == SHMRING_MARK_NONE)
		return shmring_load(&producer->limit) == limit ? -EPROTO : -EAGAIN;
	return shmring_overwritten(producer, *at, size) ? -EAGAIN : 0;
}

#endif /* SHMRING_OVERWRITE_H */
