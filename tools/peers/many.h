/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench many: what a contender with several producers and consumers is, and the loops
 * that every one is measured in.
 */
#ifndef SHMRING_PEERS_MANY_H
#define SHMRING_PEERS_MANY_H

#include "peers.h"

#ifdef __cplusplus
extern "C" {
#endif

#include <sched.h>

#define MANY_EACH	16	/* producers, and consumers, at most */
#define MANY_SPINS	64	/* looks in vain before the CPU is given to another */
#define MANY_SHIFT	48	/* a record's number: its producer, then how many it sent before */
#define MANY_STAMPS	4096	/* records of a producer that may be under way, timed */

/**
 * struct many_shape - what a channel has to carry
 * @len: bytes of a record
 * @batch: records handed over at once: 1 or PC_BATCH
 * @ring_bytes: memory for records of all producers together, a power of two
 * @producers: how many processes send
 * @consumers: how many receive
 */
struct many_shape {
	size_t len;
	unsigned int batch;
	size_t ring_bytes;
	unsigned int producers;
	unsigned int consumers;
};

/**
 * struct many_seen - what one consumer had of one producer
 * @records: how many
 * @hash: many_mix() of all their numbers, added up
 */
struct many_seen {
	uint64_t records;
	uint64_t hash;
};

/**
 * struct many_worker - what one process says; in shared memory
 * @got: consumer: records so far; producer: records sent
 * @sleeps: where the contender counts them
 * @kicks: likewise
 * @switches: voluntary context switches
 * @seen: consumer: by producer
 */
struct many_worker {
	uint64_t got;
	uint64_t sleeps;
	uint64_t kicks;
	uint64_t switches;
	struct many_seen seen[MANY_EACH];
} __attribute__((aligned(128)));

/**
 * struct many_field - what the processes of one run share
 * @arrived: those who have joined
 * @stop: producers shall send no more
 * @producers_left: those who may still send
 * @stamp: latency: when a record was sent, by producer
 */
struct many_field {
	uint32_t arrived __attribute__((aligned(128)));
	uint32_t stop __attribute__((aligned(128)));
	uint32_t producers_left __attribute__((aligned(128)));
	struct many_worker worker[2 * MANY_EACH];
	uint64_t stamp[MANY_EACH][MANY_STAMPS];
};

/**
 * struct many_work - what one process has to do
 * @field: shared with the others
 * @mine: its own part of that
 * @shape: of the channel
 * @who: its number among those of its role
 * @every: each consumer gets each record, or there is only one: nothing may be missing
 * @pause_ns: producer: between two records; 0: as fast as can be
 * @ns: consumer: how long records were under way, or NULL; shared
 * @timed: how many there are room for, then how many there are
 */
struct many_work {
	struct many_field *field;
	struct many_worker *mine;
	const struct many_shape *shape;
	unsigned int who;
	bool every;
	uint64_t pause_ns;
	uint32_t *ns;
	size_t timed;
};

/* A channel; each contender has its own kind behind it. */
struct many_channel;

/**
 * struct many_contender - a way for several processes to pass records to several
 * @name: for people, options and results
 * @what: one line on what it is
 * @ours: no peer
 * @everyone: each consumer gets each record
 * @available: 0, or why it cannot run here: a negative errno
 * @unfit: why it cannot carry records of this shape, or NULL; may itself be NULL
 * @make: a channel, before the processes are
 * @destroy: afterwards
 * @join: become an end of it, in the process that will use it
 * @leave: stop being one, in order
 * @finish: the last producer has sent its last: tell consumers that sleep; may be NULL
 * @counters: how often this end slept and had to wake another; may be NULL
 * @produce: send records until work->field->stop
 * @consume: receive and check them until there are no more
 */
struct many_contender {
	const char *name;
	const char *what;
	bool ours;
	bool everyone;
	int (*available)(void);
	const char *(*unfit)(const struct many_shape *shape);
	int (*make)(const struct many_shape *shape, struct many_channel **out);
	void (*destroy)(struct many_channel *c);
	int (*join)(struct many_channel *c, bool producer, unsigned int who);
	void (*leave)(struct many_channel *c);
	int (*finish)(struct many_channel *c, const struct many_shape *shape);
	void (*counters)(struct many_channel *c, uint64_t *sleeps, uint64_t *kicks);
	int (*produce)(struct many_channel *c, struct many_work *work);
	int (*consume)(struct many_channel *c, struct many_work *work);
};

extern const struct many_contender many_memfd_mpsc_spin;	/* many_shmring.c */
extern const struct many_contender many_memfd_mpsc;
extern const struct many_contender many_memfd_queue_spin;
extern const struct many_contender many_memfd_queue;
extern const struct many_contender many_memfd_broadcast_spin;
extern const struct many_contender many_memfd_broadcast;
extern const struct many_contender many_device_mpsc_spin;
extern const struct many_contender many_device_mpsc;
extern const struct many_contender many_device_queue_spin;
extern const struct many_contender many_device_queue;
extern const struct many_contender many_device_broadcast_spin;
extern const struct many_contender many_device_broadcast;
extern const struct many_contender many_rte;		/* many_dpdk.c */
extern const struct many_contender many_rte_one;
extern const struct many_contender many_rte_rts;
extern const struct many_contender many_rte_hts;
extern const struct many_contender many_ck;		/* many_ck.c */
extern const struct many_contender many_ck_one;
extern const struct many_contender many_boost_queue;	/* many_boost.cc */
extern const struct many_contender many_boost_mq;
extern const struct many_contender many_cq;		/* many_moodycamel.cc */

static inline uint64_t many_slots(const struct many_shape *shape)
{
	uint64_t slots = 1;

	while (slots * 2 * shape->len <= shape->ring_bytes)
		slots *= 2;
	return slots;
}

static inline int many_join_nothing(struct many_channel *c, bool producer, unsigned int who)
{
	(void)c;
	(void)producer;
	(void)who;
	return 0;
}

static inline void many_leave_nothing(struct many_channel *c)
{
	(void)c;
}

/* For sums over numbers in which one that is missing cannot be made up by another. */
static inline uint64_t many_mix(uint64_t k)
{
	k = (k + 1) * PC_STEP;
	return k ^ k >> 29;
}

/*
 * The same patience for all: with more processes than CPUs another has to run. Return:
 * shall a producer try again? One may wait for memory that another does not give back.
 */
static inline bool many_wait(const struct many_work *w, unsigned int *waits)
{
	if (++*waits < MANY_SPINS)
		shmring_pause();
	else
		sched_yield();
	return !shmring_load(&w->field->stop);
}

/* many.c: between two records that are timed */
void many_pause(struct many_work *w, uint64_t k);
/* A record came in: how long was it under way? */
void many_time(struct many_work *w, unsigned int p, uint64_t k);

/* Is it what some producer sent, once, and in its turn? */
static inline __attribute__((always_inline))
bool many_check(struct many_work *w, struct many_seen *seen, uint64_t *next, const uint64_t *buf,
		size_t len)
{
	uint64_t seq = buf[0], k = seq & ((1ULL << MANY_SHIFT) - 1);
	unsigned int p = (unsigned int)(seq >> MANY_SHIFT);

	if (p >= w->shape->producers || k < next[p] || (w->every && k != next[p]) ||
	    !pc_right(buf, seq, len))
		return false;
	if (w->ns)
		many_time(w, p, k);
	next[p] = k + 1;
	seen[p].records++;
	seen[p].hash += many_mix(k);
	return true;
}

/*
 * The loops, for a contender that has
 *
 *	long NAME_send(struct many_channel *c, const void *buf, size_t len, unsigned int n);
 *	long NAME_recv(struct many_channel *c, void *buf, size_t len, unsigned int n);
 *
 * which pass up to @n records that lie one behind the other and return how many; 0: it
 * is full or empty, and they did not wait for that to change; -EPIPE: nothing more will
 * come. Inlined, and with the usual lengths known to the compiler.
 */
#define MANY_LOOPS(NAME)						\
static inline __attribute__((always_inline))				\
int NAME##_produce_len(struct many_channel *c, struct many_work *w, size_t len, unsigned int n)	\
{									\
	static uint64_t buf[PC_BATCH * PC_BATCH_LEN / 8];		\
	uint64_t k, first = (uint64_t)w->who << MANY_SHIFT;		\
	unsigned int i, done, waits = 0;				\
	long did;							\
									\
	for (k = 0; !shmring_load(&w->field->stop); k += n) {		\
		if (w->pause_ns)					\
			many_pause(w, k);				\
		for (i = 0; i < n; i++)					\
			pc_fill(buf + i * len / 8, first + k + i, len);	\
		for (done = 0; done < n; done += (unsigned int)did) {	\
			did = NAME##_send(c, buf + done * len / 8, len, n - done); \
			if (shmring_unlikely(did < 0))			\
				return (int)did;			\
			waits = did ? 0 : waits;			\
			if (shmring_unlikely(!did) && !many_wait(w, &waits)) { \
				shmring_store(&w->mine->got, k + done);	\
				return 0;				\
			}						\
		}							\
		shmring_store(&w->mine->got, k + n);			\
	}								\
	return 0;							\
}									\
									\
static inline __attribute__((always_inline))				\
int NAME##_consume_len(struct many_channel *c, struct many_work *w, size_t len, unsigned int n)	\
{									\
	static uint64_t buf[PC_BATCH * PC_BATCH_LEN / 8];		\
	uint64_t next[MANY_EACH] = { 0 }, got = 0;			\
	struct many_seen seen[MANY_EACH];				\
	unsigned int waits = 0, left;					\
	long did, i;							\
									\
	memset(seen, 0, sizeof(seen));					\
	for (;;) {							\
		/* Before: what the last one sent is found after. */	\
		left = shmring_load_acquire(&w->field->producers_left);	\
		did = NAME##_recv(c, buf, len, n);			\
		if (shmring_unlikely(did <= 0)) {			\
			if (did == -EPIPE || (!did && !left))		\
				break;					\
			if (did < 0)					\
				return (int)did;			\
			many_wait(w, &waits);				\
			continue;					\
		}							\
		waits = 0;						\
		for (i = 0; i < did; i++)				\
			if (!many_check(w, seen, next, buf + (size_t)i * len / 8, len)) \
				return -EBADMSG;			\
		got += (uint64_t)did;					\
		shmring_store(&w->mine->got, got);			\
	}								\
	memcpy(w->mine->seen, seen, sizeof(seen));			\
	return 0;							\
}									\
									\
static int NAME##_produce(struct many_channel *c, struct many_work *w)	\
{									\
	if (w->shape->batch == 1)					\
		PC_BY_LEN(w->shape->len, NAME##_produce_len(c, w, LEN, 1)); \
	PC_BY_LEN(w->shape->len, NAME##_produce_len(c, w, LEN, PC_BATCH)); \
}									\
									\
static int NAME##_consume(struct many_channel *c, struct many_work *w)	\
{									\
	if (w->shape->batch == 1)					\
		PC_BY_LEN(w->shape->len, NAME##_consume_len(c, w, LEN, 1)); \
	PC_BY_LEN(w->shape->len, NAME##_consume_len(c, w, LEN, PC_BATCH)); \
}

/* many.c: one measurement */

/**
 * struct many_run - what to measure and what came out
 * @who: the contender
 * @place: where its processes run
 * @shape: of its channel
 * @target_ns: how long
 * @pause_ns: measure how long records are under way that each producer sends at these
 *	intervals; 0: measure throughput
 * @value: out: records a second, or the median latency in ns
 * @latency: out: of the records
 * @records: out: sent in all, and checked
 * @sleeps: out: of all processes, in the whole run
 * @kicks: likewise
 * @switches: likewise: voluntary context switches
 */
struct many_run {
	const struct many_contender *who;
	const struct bench_place *place;
	struct many_shape shape;
	uint64_t target_ns;
	uint64_t pause_ns;
	double value;
	struct bench_latency latency;
	uint64_t records;
	uint64_t sleeps;
	uint64_t kicks;
	uint64_t switches;
};

/* 0, -EBADMSG if a record was wrong, lost or doubled, or what else went wrong. */
int many_measure(struct many_run *run);

/* many_bench.c; returns an exit code */
int many_bench(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif /* SHMRING_PEERS_MANY_H */
