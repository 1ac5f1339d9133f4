/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench pc --race: several that produce into one ring, and several that consume.
 */
#ifndef SHMRING_BENCH_PC_RACE_H
#define SHMRING_BENCH_PC_RACE_H

#include <pthread.h>

#include "bench_pc_loops.h"

#define RACE_MOST	PC_RACERS_MAX
#define RACE_SLOTS	64
#define RACE_LEN	64
#define RACE_KINDS	16	/* rings, at most */

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
	uint64_t begin[2 * RACE_MOST];
	uint64_t end[2 * RACE_MOST];
	uint64_t got[RACE_MOST];
	uint64_t torn[RACE_MOST];
	uint64_t records;	/* of each producer */
	uint32_t put[RACE_MOST];	/* how many of them were put in */
	uint32_t seen[];	/* of all producers, one behind the other */
};

/* One ring in use: as its maker sees it, then each process its own copy. */
struct race {
	const struct race_kind *kind;
	struct field *f;
	size_t bytes;
	unsigned int producers;
	unsigned int consumers;
	struct shmring *keeper[RACE_MOST][RACE_MOST];
	struct shmring *end[RACE_MOST];
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

/**
 * struct race_toll - what became of the records of one ring
 * @kind: the ring
 * @skipped: why it could not be had, and there is no more; or NULL
 * @producers: how many took part
 * @consumers: likewise
 * @put: records that went in
 * @got: that were taken out
 * @lost: of those put in, copies that nobody took
 * @doubled: copies beyond those due
 * @torn: of no record, or of several
 * @rate: taken a second, by all consumers
 * @stopped: it went astray so far that it did not end by itself
 */
struct race_toll {
	const struct race_kind *kind;
	const char *skipped;
	unsigned int producers;
	unsigned int consumers;
	double put;
	double got;
	double lost;
	double doubled;
	double torn;
	double rate;
	bool stopped;
};

static inline bool race_right(const struct race_toll *t)
{
	return !t->stopped && !t->lost && !t->doubled && !t->torn;
}

/* bench_pc_race_report.c: as table or document; returns an exit code */
int race_print(const struct pc_args *args, const struct race_toll *toll, unsigned int n);

/* bench_pc_race_rings.c: ends with one that has no name */
extern const struct race_kind race_kinds[];

#endif /* SHMRING_BENCH_PC_RACE_H */
