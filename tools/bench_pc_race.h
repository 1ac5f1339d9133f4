/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench pc --race: several that produce into one ring, and several that consume.
 */
#ifndef SHMRING_BENCH_PC_RACE_H
#define SHMRING_BENCH_PC_RACE_H

#include <pthread.h>

#include "bench_pc_loops.h"

#define RACE_EACH	2	/* producers, and consumers */
#define RACE_SLOTS	64
#define RACE_LEN	64

/* What the processes share. */
struct field {
	uint32_t head;
	uint32_t tail;
	uint32_t count;
	uint32_t arrived;
	uint32_t producers_left;
	uint32_t consumers_left;
	int32_t err;
	pthread_mutex_t lock;
	uint64_t slot[RACE_SLOTS][RACE_LEN / 8];
	uint64_t begin[2 * RACE_EACH];
	uint64_t end[2 * RACE_EACH];
	uint64_t got[RACE_EACH];
	uint64_t torn[RACE_EACH];
	uint64_t records;	/* of each producer */
	uint32_t put[RACE_EACH];	/* how many of them were put in */
	uint32_t seen[];	/* RACE_EACH * records */
};

/* One ring in use: as its maker sees it, then each process its own copy. */
struct race {
	const struct race_kind *kind;
	struct field *f;
	size_t bytes;
	struct shmring *keeper[RACE_EACH][RACE_EACH];
	struct shmring *end[RACE_EACH];
	unsigned int who;
	unsigned int turn;
};

/**
 * struct race_kind - a ring that several use
 * @name: as a contender
 * @correct: a wrong record is our fault
 * @one_consumer: it has no more
 * @everyone: every consumer gets every record
 * @backend: of a shmring for all of them
 * @topology: likewise
 * @make: what it needs besides the field; may be NULL
 * @free: afterwards
 * @join: become producer or consumer number r->who; may be NULL
 * @leave: the end of that, in order; may be NULL
 * @put: 0, or -EAGAIN while it is full
 * @get: 0, or -EAGAIN while it is empty
 */
struct race_kind {
	const char *name;
	bool correct;
	bool one_consumer;
	bool everyone;
	uint32_t backend;
	uint32_t topology;
	int (*make)(struct race *r);
	void (*free)(struct race *r);
	int (*join)(struct race *r, bool producer);
	void (*leave)(struct race *r);
	int (*put)(struct race *r, const uint64_t *record);
	int (*get)(struct race *r, uint64_t *record);
};

static inline unsigned int race_consumers(const struct race_kind *kind)
{
	return kind->one_consumer ? 1 : RACE_EACH;
}

/* bench_pc_race_rings.c: ends with one that has no name */
extern const struct race_kind race_kinds[];

#endif /* SHMRING_BENCH_PC_RACE_H */
