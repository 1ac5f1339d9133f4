/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench pc, and those who use its harness: what a contender is, how one is measured, and
 * what is left of it. The loops that contenders are made of are in bench_pc_loops.h.
 */
#ifndef SHMRING_BENCH_PC_H
#define SHMRING_BENCH_PC_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench_result.h"

#define PC_BATCH	32
#define PC_BATCH_LEN	1024	/* the longest record that batches are made of */
#define PC_LEN_MAX	1048576
#define PC_PLACE_LEN_MAX	(4 * PC_LEN_MAX)	/* of records that nobody copies */
#define PC_SLOTS_LEN_MAX	(PC_LEN_MAX / 16)	/* where PC_SLOTS have that length */
#define PC_SLOTS	1024	/* of the textbook's buffer */

/**
 * struct pc_shape - what a channel has to carry
 * @len: bytes of a record
 * @batch: records handed over at once: 1 or PC_BATCH
 * @ring_bytes: memory for records, a power of two
 * @slots: records that a buffer of slots has room for
 */
struct pc_shape {
	size_t len;
	unsigned int batch;
	size_t ring_bytes;
	size_t slots;
};

/**
 * struct pc_count - what a channel counted of one side
 * @records: produced or consumed
 * @blocked: times that it found the channel full or empty
 */
struct pc_count {
	uint64_t records;
	uint64_t blocked;
};

/* A channel in one direction; each contender has its own kind behind it. */
struct pc_channel;

/**
 * struct pc_contender - a way to pass records from one process to another
 * @name: for people, options and results
 * @what: one line on what it is
 * @where: what it needs room for, or a name in, for what goes wrong with that; or NULL
 * @most: bytes of the longest record that it is measured with; 0: PC_SLOTS_LEN_MAX, or
 *	PC_LEN_MAX where slots are few
 * @in_place: only the first and the last word of each record are written and checked
 * @spins: its ends never sleep, so they need a CPU each
 * @ours: no peer: a limit, a reference, or shmring itself
 * @available: 0, or why it cannot run here: a negative errno
 * @unfit: why it cannot carry records of this shape, or NULL; may itself be NULL
 * @make: a channel, before the processes are
 * @destroy: afterwards
 * @join: become an end of it, in the process that will use it; side 0 sends
 * @leave: stop being one, in order
 * @counters: how often this end slept and had to wake the other; may be NULL
 * @statistics: what the channel itself counted of this side; may be NULL
 * @memory: bytes that the channel holds or may come to hold; may be NULL
 * @produce: send records @first to @first + @count - 1
 * @consume: receive and check as many
 * @produce_batch: the same, PC_BATCH at a time; NULL: it has no such call
 * @consume_batch: likewise
 * @client: round trips: send, receive, check, write down how long in @ns unless NULL
 * @server: the other side
 */
struct pc_contender {
	const char *name;
	const char *what;
	const char *where;
	size_t most;
	bool in_place;
	bool spins;
	bool ours;
	int (*available)(void);
	const char *(*unfit)(const struct pc_shape *shape);
	int (*make)(const struct pc_shape *shape, struct pc_channel **out);
	void (*destroy)(struct pc_channel *c);
	int (*join)(struct pc_channel *c, unsigned int side);
	void (*leave)(struct pc_channel *c);
	void (*counters)(struct pc_channel *c, unsigned int side, uint64_t *sleeps,
			 uint64_t *kicks);
	void (*statistics)(const struct pc_channel *c, unsigned int side, struct pc_count *out);
	uint64_t (*memory)(const struct pc_channel *c);
	int (*produce)(struct pc_channel *c, uint64_t first, uint64_t count, size_t len);
	int (*consume)(struct pc_channel *c, uint64_t first, uint64_t count, size_t len);
	int (*produce_batch)(struct pc_channel *c, uint64_t first, uint64_t count, size_t len);
	int (*consume_batch)(struct pc_channel *c, uint64_t first, uint64_t count, size_t len);
	int (*client)(struct pc_channel *out, struct pc_channel *in, uint64_t first, uint64_t count,
		      size_t len, uint32_t *ns);
	int (*server)(struct pc_channel *in, struct pc_channel *out, uint64_t first, uint64_t count,
		      size_t len);
};

extern const struct pc_contender pc_sysv_sem;		/* bench_pc_slots.c */
extern const struct pc_contender pc_posix_sem;
extern const struct pc_contender pc_file_sem;
extern const struct pc_contender pc_msg_file;
extern const struct pc_contender pc_sysv_int;		/* bench_pc_semop.c */
extern const struct pc_contender pc_sysv_semop;
extern const struct pc_contender pc_pipe;		/* bench_pc_stream.c */
extern const struct pc_contender pc_fifo;
extern const struct pc_contender pc_unix;
extern const struct pc_contender pc_tcp;
extern const struct pc_contender pc_unix_seq;		/* bench_pc_message.c */
extern const struct pc_contender pc_posix_mq;
extern const struct pc_contender pc_sysv_msg;
extern const struct pc_contender pc_eventfd;		/* bench_pc_eventfd.c */
extern const struct pc_contender pc_uring;		/* bench_pc_uring.c */
extern const struct pc_contender pc_textbook;		/* bench_pc_textbook.c */
extern const struct pc_contender pc_plain;		/* bench_pc_plain.c */
extern const struct pc_contender pc_memfd;		/* bench_pc_shmring.c */
extern const struct pc_contender pc_memfd_spin;
extern const struct pc_contender pc_memfd_in_place;
extern const struct pc_contender pc_memfd_mpsc;
extern const struct pc_contender pc_memfd_queue;
extern const struct pc_contender pc_memfd_broadcast;
extern const struct pc_contender pc_device;
extern const struct pc_contender pc_device_spin;
extern const struct pc_contender pc_device_in_place;
extern const struct pc_contender pc_device_mpsc;
extern const struct pc_contender pc_device_queue;
extern const struct pc_contender pc_device_broadcast;

/* For ends that are mapped, or open, across fork(2). */
static inline int pc_join_nothing(struct pc_channel *c, unsigned int side)
{
	(void)c;
	(void)side;
	return 0;
}

static inline void pc_leave_nothing(struct pc_channel *c)
{
	(void)c;
}

/* bench_pc_slots.c: the message buffer in a file that others open by its path */

#define PC_MESSAGES	100
#define PC_MESSAGE_LEN	64

#define PC_WHERE_FILES	"TMPDIR or /tmp"

/* An open file of its own in $TMPDIR or /tmp, its path, or -errno. */
int pc_temporary(char *path, size_t n);
int pc_messages_make(int fd, struct pc_channel **out);
int pc_messages_open(const char *path, struct pc_channel **out);
unsigned int pc_messages_waiting(struct pc_channel *c);

/* bench_pc_survive.c, bench_pc_race.c: demonstrations; they return exit codes */

struct pc_args;
int pc_survive(const struct pc_args *args);
int pc_race(const struct pc_args *args);

/* bench_pc_args.c: the command line */

#define PC_CONTENDERS_MAX	32
#define PC_SIZES_MAX		16
#define PC_RACERS_MAX		16	/* producers, and consumers, of --race */

struct pc_args;

/**
 * struct pc_bench - a benchmark of this kind
 * @name: in the document
 * @self: on the command line
 * @doc: what --help says it does
 * @legend: what to know about the table
 * @advise: more text from what was measured, to be freed, or NULL; may be NULL
 * @costs: tell the memory and the CPU time as well, and the tail of latencies
 * @small_slots: buffers of slots have the memory of rings, not 1024 slots
 * @demonstrations: it has --race and --survive
 * @all: who takes part
 * @n: how many
 * @defaults: what holds unless the command line says otherwise
 */
struct pc_bench {
	const char *name;
	const char *self;
	const char *doc;
	const char *legend;
	char *(*advise)(json_t *doc);
	bool costs;
	bool small_slots;
	bool demonstrations;
	const struct pc_contender *const *all;
	unsigned int n;
	const struct pc_args *defaults;
};

/**
 * struct pc_args - what the command line said
 * @bench: of which benchmark
 * @baseline: what the others are compared to; NULL: the best peer of each group
 * @least_slots: make rings larger where this many records would not fit
 * @batches: measure batches as well
 * @trip_target_ns: how long a run of round trips takes; 0: as the others
 * @chosen: the contenders were named: one that cannot run is an error
 */
struct pc_args {
	const struct pc_bench *bench;
	const struct pc_contender *who[PC_CONTENDERS_MAX];
	unsigned int contenders;
	const struct pc_contender *baseline;
	size_t sizes[PC_SIZES_MAX];
	unsigned int n_sizes;
	size_t trip_sizes[PC_SIZES_MAX];
	unsigned int n_trip_sizes;
	unsigned int rounds;
	uint64_t target_ns;
	uint64_t trip_target_ns;
	size_t ring_bytes;
	struct bench_place place;
	bool placed;
	bool chosen;
	bool throughput;
	bool round_trip;
	bool batches;
	unsigned int least_slots;
	bool trace;
	bool survive;
	bool race;
	unsigned int producers;		/* of the race; 0: not said */
	unsigned int consumers;
	bool quick;
	bool json;
	bool tsv;
};

#define PC_LEGEND \
	"x, ahead: how many times as good as the baseline, round by round: median, least and most, " \
	"and the rounds in which it was better.\n" \
	"calls: system calls of both sides for each record, counted by ptrace in a run of its own. " \
	"sleeps, kicks: how often a side slept " \
	"or had to wake the other, by the library's own count, and " \
	"switches: voluntary context switches of both sides, all for each record in the timed runs.\n" \
	"A round trip includes one reading of the clock."

void pc_parse(struct pc_args *args, const struct pc_bench *bench, int argc, char **argv);
/* Bytes of the longest record that @bench measures @who with. */
size_t pc_len_max(const struct pc_bench *bench, const struct pc_contender *who);

/* bench_pc.c: all of it; returns an exit code */
int pc_bench_run(const struct pc_bench *bench, int argc, char **argv);

/* bench_pc_run.c: one measurement */

/**
 * struct pc_run - what to measure and what came out
 * @who: the contender
 * @place: where its two processes run
 * @shape: of its channel
 * @round_trip: instead of throughput
 * @count: records, or round trips
 * @traced: count system calls instead
 * @value: out: records a second, or the median round trip in ns
 * @latency: out: of the round trips
 * @elapsed_ns: out
 * @cpu_ns: out: CPU time of both sides
 * @memory: out: bytes of one channel, 0: not known
 * @counted: out: by the channel itself, of each side
 * @calls: out: system calls of both sides
 * @sleeps: out: by the contender's own counting
 * @kicks: out: likewise
 * @switches: out: voluntary context switches of both sides
 */
struct pc_run {
	const struct pc_contender *who;
	const struct bench_place *place;
	struct pc_shape shape;
	bool round_trip;
	uint64_t count;
	bool traced;
	double value;
	struct bench_latency latency;
	uint64_t elapsed_ns;
	uint64_t cpu_ns;
	uint64_t memory;
	uint64_t calls;
	uint64_t sleeps;
	struct pc_count counted[BENCH_SIDES];
	uint64_t kicks;
	uint64_t switches;
};

/* 0, -EBADMSG if a record was wrong, or what else went wrong. */
int pc_measure(struct pc_run *run);

/* Finds the @count that takes about @target_ns; the runs it needs are the warm-up. */
int pc_calibrate(struct pc_run *run, uint64_t target_ns);

/* bench_pc_report.c: what came out of many */

/**
 * struct pc_result - all rounds of one contender at one length
 * @unfit: why there are none
 * @v: records a second or median round trip in ns, a round each
 * @latency: a round each
 * @counted: records that the counters below are of
 * @cpu_ns: of both sides
 * @memory: bytes of a channel, 0: not known
 * @side: by the channel itself, of each side
 * @calls_per_record: below 0: not known
 */
struct pc_result {
	const struct pc_contender *who;
	const char *unfit;
	size_t len;
	unsigned int batch;
	size_t ring_bytes;
	size_t slots;
	bool round_trip;
	uint64_t count;
	double *v;
	struct bench_latency *latency;
	uint64_t counted;
	uint64_t cpu_ns;
	uint64_t memory;
	struct pc_count side[BENCH_SIDES];
	uint64_t sleeps;
	uint64_t kicks;
	uint64_t switches;
	double calls_per_record;
};

/**
 * struct pc_report - all that was measured
 * @bench: what the document is called
 * @environment: where
 * @result: groups of @contenders, one group for each mode and length
 * @results: how many in all
 * @contenders: how many in a group
 * @baseline: what the others are compared to; NULL: the best peer of each group
 * @rounds: of each
 * @ring_bytes: memory for records
 * @costs: see struct pc_bench
 * @skipped: array of {contender, why}
 */
struct pc_report {
	const char *bench;
	json_t *environment;
	struct pc_result *result;
	unsigned int results;
	unsigned int contenders;
	const struct pc_contender *baseline;
	unsigned int rounds;
	size_t ring_bytes;
	bool costs;
	json_t *skipped;
};

/* The document that bench_result.h describes; NULL: no memory. */
json_t *pc_document(const struct pc_report *report);

#endif /* SHMRING_BENCH_PC_H */
