/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rings as seen from outside, twice, and what happened in between.
 */
#ifndef SHMRING_WATCH_H
#define SHMRING_WATCH_H

#include "tool.h"

/**
 * struct watch_ring - one ring at one time
 * @backend: SHMRING_BACKEND_*
 * @time: when it was read, CLOCK_MONOTONIC in ns
 * @counted: @slot is known: not of a ring without a name, nor of one that had just ended
 * @info: what the list said
 * @slot: what its endpoints have done
 */
struct watch_ring {
	uint32_t backend;
	uint64_t time;
	bool counted;
	struct shmring_ioc_info info;
	struct shmring_stats slot[SHMRING_SLOTS_MAX];
};

struct watch_list {
	struct watch_ring *ring;
	size_t n;
};

/* Endpoints of one role: how many, and what they did together. */
struct watch_side {
	unsigned int live;
	unsigned int dead;
	uint64_t records;
	uint64_t bytes;
	uint64_t stalls;
	uint64_t sleeps;
	uint64_t kicks;
	uint64_t kicks_idle;
	uint64_t waits;
	uint64_t wakes;
	uint64_t spurious;
	uint64_t high;	/* of any one, since it was made */
};

/**
 * struct watch_flow - what happened between two looks, or since the ring was made
 * @seconds: between them; 0: since the ring was made
 * @in: producers
 * @out: consumers
 * @lost: records that were lost, whoever lost them
 */
struct watch_flow {
	double seconds;
	struct watch_side in;
	struct watch_side out;
	uint64_t lost;
};

/* All rings, or that of the name @only; 0 or -errno. */
int watch_read(struct watch_list *list, uint32_t backend, const char *only);
void watch_free(struct watch_list *list);
const struct watch_ring *watch_find(const struct watch_list *list, const struct watch_ring *like);
void watch_flow(struct watch_flow *flow, const struct watch_ring *now,
		const struct watch_ring *then);
/* Adds what the endpoints of a slot did since @then, which may be NULL. */
void watch_add(struct watch_side *side, const struct shmring_stats *now,
	       const struct shmring_stats *then);
const char *watch_state(const struct watch_ring *now, const struct watch_flow *flow);
double watch_fill(const struct watch_ring *now);

/* @count over @seconds in at most 6 characters: 0, 12.3, 4.56k, 789M */
const char *watch_rate(char *buf, size_t n, uint64_t count, double seconds);
json_t *watch_json(const struct watch_ring *now, const struct watch_ring *then);

/**
 * struct watch_args - arguments of who looks again and again: [SECONDS [COUNT]]
 * @common: -b, -j
 * @interval_ns: between two looks
 * @count: how many; 0: until told to stop
 */
struct watch_args {
	struct tool_args common;
	uint64_t interval_ns;
	uint64_t count;
};

void watch_parse_when(struct argp_state *state, struct watch_args *args, unsigned int nth,
		      const char *arg);

/* Sleeps until @when (CLOCK_MONOTONIC, ns) or until a signal asks for the end. */
void watch_sleep(uint64_t when);

#endif /* SHMRING_WATCH_H */
