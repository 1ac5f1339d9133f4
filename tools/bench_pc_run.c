// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc: one measurement of one contender.
 *
 * Both processes first pass records until every ring has wrapped, meet, and only
 * then begin the part that is timed, with empty channels. It ends when the receiver
 * has checked the last record.
 */
#include "bench_pc.h"

#define TIMEOUT_NS	120000000000ULL
/* Twice in each call the tracer has to get a CPU, which may take until the next tick. */
#define TRACED_TIMEOUT_NS	(5 * TIMEOUT_NS)
#define WARM_TRIPS	1000
#define LEAST_TRIPS	500
#define MOST_TRIPS	200000
#define LEAST_ROUND_NS	5000000ULL

struct job {
	struct pc_run *run;
	struct pc_channel *to;		/* side 0 sends, side 1 receives */
	struct pc_channel *back;	/* round trip: the other way round */
	uint64_t warm;
	uint32_t *ns;			/* round trip: shared */
	struct pc_count *counted;	/* of each side; shared */
};

static int work(const struct job *job, unsigned int side, uint64_t first, uint64_t count,
		bool timed)
{
	const struct pc_contender *who = job->run->who;
	size_t len = job->run->shape.len;

	if (timed && !side && bench_spoil())
		first++;
	if (job->run->shape.batch > 1 && who->produce_batch)
		return side ? who->consume_batch(job->to, first, count, len) :
			      who->produce_batch(job->to, first, count, len);
	if (!job->run->round_trip)
		return side ? who->consume(job->to, first, count, len) :
			      who->produce(job->to, first, count, len);
	return side ? who->server(job->to, job->back, first, count, len) :
		      who->client(job->to, job->back, first, count, len,
				   timed && !job->run->traced ? job->ns : NULL);
}

static void counters(const struct job *job, unsigned int side, uint64_t *sleeps, uint64_t *kicks)
{
	*sleeps = 0;
	*kicks = 0;
	if (!job->run->who->counters)
		return;
	job->run->who->counters(job->to, side, sleeps, kicks);
	if (job->back)
		job->run->who->counters(job->back, !side, sleeps, kicks);
}

static int both(struct bench_pair *pair, unsigned int side)
{
	const struct job *job = pair->arg;
	const struct pc_contender *who = job->run->who;
	struct bench_side *out = &pair->side[side];
	uint64_t sleeps, kicks;
	int err;

	err = who->join(job->to, side);
	if (!err && job->back)
		err = who->join(job->back, !side);
	if (err)
		return err;
	/* What a BROADCAST is sent before a consumer is there is not for it. */
	bench_pair_meet(pair, side);
	err = work(job, side, 0, job->warm, false);
	if (err)
		return err;
	bench_pair_meet(pair, side);
	counters(job, side, &sleeps, &kicks);
	bench_mark_begin(pair, side);
	err = work(job, side, job->warm, job->run->count, true);
	bench_mark_end(pair, side);
	if (err)
		return err;
	counters(job, side, &out->sleeps, &out->kicks);
	if (who->statistics)
		who->statistics(job->to, side, &job->counted[side]);
	out->sleeps -= sleeps;
	out->kicks -= kicks;
	who->leave(job->to);
	if (job->back)
		who->leave(job->back);
	return 0;
}

static void take(struct pc_run *run, const struct bench_pair *pair, struct job *job)
{
	const struct bench_side *a = &pair->side[0], *b = &pair->side[1];

	run->calls = pair->calls[0] + pair->calls[1];
	run->sleeps = a->sleeps + b->sleeps;
	run->cpu_ns = a->cpu + b->cpu;
	memcpy(run->counted, job->counted, sizeof(run->counted));
	run->kicks = a->kicks + b->kicks;
	run->switches = a->switches + b->switches;
	if (run->traced)	/* not timed: the clock may be a system call itself */
		return;
	if (run->round_trip) {
		run->elapsed_ns = a->end - a->begin;
		bench_latency(job->ns, run->count, &run->latency);
		run->value = bench_percentile(job->ns, run->count, 50);
	} else {
		run->elapsed_ns = b->end - a->begin;
		run->value = (double)run->count / ((double)run->elapsed_ns / 1e9);
	}
}

static int measure_on(struct job *job, struct bench_pair *pair)
{
	struct pc_run *run = job->run;
	int err;

	err = run->who->make(&run->shape, &job->to);
	if (err)
		return err;
	run->memory = run->who->memory ? run->who->memory(job->to) : 0;
	if (run->round_trip)
		err = run->who->make(&run->shape, &job->back);
	if (!err) {
		err = bench_pair_run(pair);
		if (job->back)
			run->who->destroy(job->back);
	}
	run->who->destroy(job->to);
	return err;
}

/* Twice through every ring, and through every buffer of slots. */
static uint64_t two_laps(const struct pc_shape *shape)
{
	uint64_t slots = shape->ring_bytes / shape->len;

	return 2 * (slots > shape->slots ? slots : shape->slots);
}

int pc_measure(struct pc_run *run)
{
	struct job job = {
		.run = run,
		.warm = run->round_trip ? WARM_TRIPS : two_laps(&run->shape),
	};
	struct bench_pair pair = {
		.place = run->place, .run = both, .arg = &job, .traced = run->traced,
		.timeout_ns = run->traced ? TRACED_TIMEOUT_NS : TIMEOUT_NS,
	};
	size_t times = run->round_trip ? run->count * sizeof(*job.ns) : 0, bytes;
	int err;

	/* Calls are counted one by one, and need no warm cache. */
	if (run->traced && job.warm > run->count)
		job.warm = run->count;
	bytes = BENCH_SIDES * sizeof(*job.counted) + times;
	job.counted = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (job.counted == MAP_FAILED)
		return -errno;
	job.ns = (uint32_t *)(job.counted + BENCH_SIDES);
	err = bench_pair_init(&pair);
	if (!err) {
		err = measure_on(&job, &pair);
		if (!err)
			take(run, &pair, &job);
		bench_pair_free(&pair);
	}
	munmap(job.counted, bytes);
	return err;
}

int pc_calibrate(struct pc_run *run, uint64_t target_ns)
{
	uint64_t least = run->round_trip ? LEAST_TRIPS : two_laps(&run->shape);
	uint64_t most = run->round_trip ? MOST_TRIPS : UINT64_MAX / 16;
	uint64_t more;
	int err;

	run->count = least;
	for (;;) {
		err = pc_measure(run);
		if (err)
			return err;
		if (!run->elapsed_ns)
			run->elapsed_ns = 1;
		more = run->count * target_ns / run->elapsed_ns;
		/* From a run that is long enough to tell, or as far as tenfold. */
		if (run->elapsed_ns >= target_ns / 4 || run->elapsed_ns >= LEAST_ROUND_NS)
			break;
		run->count = more > run->count * 10 ? run->count * 10 : more + 1;
		if (run->count > most)
			break;
	}
	run->count = more < least ? least : more > most ? most : more;
	return 0;
}
