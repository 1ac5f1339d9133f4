/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * Counts that are right after a kill.
 *
 * How far an endpoint is, its position says; how many records that were is a word beside
 * it. Whoever is killed between the two stores leaves a count that is not the position's.
 * So before a position moves its owner notes which count will belong to it: in one word,
 * and in two places by turns. Whatever it was doing when it was killed, one of the two
 * belongs to the position that is there. Whoever ends the endpoint corrects the count by it.
 *
 * A note has the low 36 bits of a key, which is made of the position, and the low 28 bits of
 * the count. The rest of the count is known: what is noted is at most one release ahead of
 * the count that is told, and no ring holds 2^27 records.
 *
 * Ordering: none among CPUs. A note is a store-release so that no compiler moves it before
 * the store of the position that the note in the other place belongs to.
 */
#ifndef SHMRING_TALLY_H
#define SHMRING_TALLY_H

#include <linux/shmring.h>
#include <shmring/barrier.h>

#define SHMRING_TALLY_BITS	36
#define SHMRING_TALLY_KEY	((1ull << SHMRING_TALLY_BITS) - 1)

/* Of a position; in a QUEUE it is the hold as it is, which names the lane as well. */
static inline __u64 shmring_tally_key(__u64 pos)
{
	return pos / SHMRING_REC_ALIGN;
}

/**
 * shmring_tally_note() - the owner is about to move to a position
 * @tally: its two places
 * @noted: which of them was written last
 * @key: of the position
 * @records: what the count is there
 */
static inline void shmring_tally_note(__u64 *tally, __u32 *noted, __u64 key,
				      __u64 records)
{
	*noted ^= 1;
	shmring_store_release(&tally[*noted], records << SHMRING_TALLY_BITS |
					     (key & SHMRING_TALLY_KEY));
}

/* The count that a note has, if @near is near it. */
static inline __u64 shmring_tally_count(__u64 note, __u64 near)
{
	__u64 apart = (note >> SHMRING_TALLY_BITS) - near;

	return near + (__u64)((__s64)(apart << SHMRING_TALLY_BITS) >> SHMRING_TALLY_BITS);
}

/**
 * shmring_tally_find() - how many records belong to a position
 * @tally: its owner's places
 * @key: of the position
 * @records: in: about how many; out: how many, if that is known
 *
 * Return: whether it is.
 */
static inline int shmring_tally_find(const __u64 *tally, __u64 key, __u64 *records)
{
	__u32 k;

	for (k = 0; k < 2; k++) {
		__u64 note = shmring_load(&tally[k]);

		if ((note ^ key) & SHMRING_TALLY_KEY)
			continue;
		*records = shmring_tally_count(note, *records);
		return 1;
	}
	return 0;
}

/*
 * The consumer of several lanes: the counts of all of them make one. Only if it got as
 * far as to begin with that: tally[0] says so.
 */
static inline int shmring_tally_find_lanes(const struct shmring_cursor *cursor, __u32 lanes,
					   __u64 *records)
{
	__u64 sum = 0, count;
	__u32 l;

	if (shmring_load(&cursor->tally[0]) != 1)
		return 0;
	for (l = 0; l < lanes; l++) {
		const struct shmring_lane_pos *lane = &cursor->lane[l];

		count = 0;
		if (!shmring_tally_find(lane->tally, shmring_tally_key(shmring_load(&lane->pos)),
					&count))
			return 0;
		sum += count;
	}
	*records = shmring_tally_count(sum << SHMRING_TALLY_BITS, *records);
	return 1;
}

/**
 * shmring_tally_settle() - an endpoint is gone: make its count that of its position
 * @meta: META
 * @cursor: its CURSOR page, which nobody writes any more
 * @slot: its slot
 *
 * Before what it held becomes an orphan. What a producer published without telling of it is
 * counted by its successor.
 */
static inline void shmring_tally_settle(const struct shmring_meta *meta,
					struct shmring_cursor *cursor, __u32 slot)
{
	__u32 topology = shmring_load(&meta->topology), lanes = shmring_load(&meta->producers);
	__u64 key = shmring_tally_key(shmring_load(&cursor->pos)), note;
	__u64 records = shmring_load(&cursor->records);
	int found;

	if (topology == SHMRING_TOPO_RAW || lanes > SHMRING_SLOTS_MAX)
		return;
	if (slot < lanes || topology == SHMRING_TOPO_SPSC) {
		found = shmring_tally_find(cursor->tally, key, &records);
		note = records << SHMRING_TALLY_BITS | (key & SHMRING_TALLY_KEY);
	} else if (topology == SHMRING_TOPO_QUEUE) {
		found = shmring_tally_find(cursor->tally, shmring_load(&cursor->hold), &records);
		note = records << SHMRING_TALLY_BITS;	/* its successor holds nothing */
	} else {
		found = shmring_tally_find_lanes(cursor, lanes, &records);
		note = 0;				/* ... begins anew */
	}
	if (!found)
		return;
	/* The count first: what is interrupted here can be done again. */
	shmring_store(&cursor->records, records);
	shmring_store(&cursor->tally[0], note);
	shmring_store(&cursor->tally[1], note);
}

#endif /* SHMRING_TALLY_H */
