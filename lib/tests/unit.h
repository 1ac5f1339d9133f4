/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * What the tests of the ring core by topology share: one ring, its endpoints in arrays, and
 * words to say which record is to be next. Who is killed where is in step.c.
 */
#ifndef SHMRING_TESTS_UNIT_H
#define SHMRING_TESTS_UNIT_H

#include "ring.h"

#define SIZE	4096u

static struct ring r;
static struct ring_tx tx[RING_SLOTS];
static struct ring_rx rx[RING_SLOTS];

/* Everybody has noticed who is there. */
static inline void settle(void)
{
	__u32 k;
	int changed;

	for (k = 0; k < r.producers; k++)
		shmring_group_armed(&tx[k].g, &changed);
}

static inline void begin(__u32 topology, __u32 producers, __u32 consumers, int overwrite)
{
	__u32 k;

	ring_make(&r, topology, producers, consumers, SIZE, overwrite);
	for (k = 0; k < producers; k++)
		CHECK(ring_tx_begin(&r, k, &tx[k]) >= 0);
	for (k = 0; k < consumers; k++)
		ring_rx_begin(&r, producers + k, &rx[k]);
	settle();
}

/* Record @id is next, for consumer @k. */
#define NEXT(k, want)							\
	do {								\
		__u32 id_ = ~0u;					\
									\
		CHECK(ring_next(&rx[k], &id_, 1) >= 0);			\
		CHECK_EQ(id_, want);					\
	} while (0)

#define NOTHING(k)							\
	do {								\
		__u32 id_;						\
									\
		CHECK_EQ(ring_next(&rx[k], &id_, 1), -EAGAIN);		\
	} while (0)

static inline struct shmring_record *record(__u32 lane, __u64 pos)
{
	return (void *)(r.data[lane] + (pos & (r.size - 1)));
}

#endif /* SHMRING_TESTS_UNIT_H */
