// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench many: one measurement of one contender.
 *
 * Every producer and every consumer is a process, dealt out over the CPUs in turn, and
 * one more keeps the time: it looks at what the consumers have got, sleeps, looks again,
 * and then stops the producers. So nothing that is timed has a beginning or an end.
 * Afterwards the consumers empty the channel, and what they had of each producer is
 * compared with what it sent: in its order, each record once.
 */
#include <sys/resource.h>
#include <time.h>

#include "bench_crew.h"
#include "many.h"

#define TIMEOUT_NS	60000000000ULL
#define WARM_PART	4	/* of the time */
#define TIMED_MOST	100000	/* of each consumer */

struct job {
	struct many_run *run;
	struct many_field *field;
	struct many_channel *c;
	uint32_t *ns;			/* latency: TIMED_MOST of each consumer; shared */
	size_t *timed;			/* likewise: how many */
	double *rate;			/* shared */
};

void many_pause(struct many_work *w, uint64_t k)
{
	const struct timespec ts = { .tv_nsec = (long)w->pause_ns };

	nanosleep(&ts, NULL);
	shmring_store(&w->field->stamp[w->who][k % MANY_STAMPS], bench_now());
}

void many_time(struct many_work *w, unsigned int p, uint64_t k)
{
	uint64_t now = bench_now(), ns = now - shmring_load(&w->field->stamp[p][k % MANY_STAMPS]);

	if (w->timed < TIMED_MOST)
		w->ns[w->timed++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000),
	};

	nanosleep(&ts, NULL);
}

static uint64_t got_by_all(const struct job *job)
{
	const struct many_shape *shape = &job->run->shape;
	uint64_t got = 0;
	unsigned int i;

	for (i = 0; i < shape->consumers; i++)
		got += shmring_load(&job->field->worker[shape->producers + i].got);
	return got;
}

static int keep_time(const struct job *job)
{
	const struct many_run *run = job->run;
	uint64_t begin, end, before, got;

	sleep_ns(run->target_ns / WARM_PART);
	begin = bench_now();
	before = got_by_all(job);
	do {	/* on a busy machine nobody may have had a turn yet */
		sleep_ns(run->target_ns);
		end = bench_now();
		got = got_by_all(job) - before;
	} while (got < run->shape.consumers);
	shmring_store(&job->field->stop, 1);
	if (run->who->everyone)
		got /= run->shape.consumers;
	*job->rate = (double)got / ((double)(end - begin) / 1e9);
	return 0;
}

static int use(const struct job *job, struct many_work *w, bool producer)
{
	const struct many_contender *who = job->run->who;
	int err = producer ? who->produce(job->c, w) : who->consume(job->c, w);

	if (!producer || err)
		return err;
	/* pairs with the load-acquire in the consumers' loops */
	if (__atomic_sub_fetch(&job->field->producers_left, 1, __ATOMIC_ACQ_REL) || !who->finish)
		return 0;
	return who->finish(job->c, &job->run->shape);
}

static int worker(void *arg, unsigned int i)
{
	const struct job *job = (const struct job *)arg;
	const struct many_shape *shape = &job->run->shape;
	const struct many_contender *who = job->run->who;
	unsigned int n = shape->producers + shape->consumers;
	bool producer = i < shape->producers;
	struct many_work w = {
		.field = job->field, .mine = &job->field->worker[i], .shape = shape,
		.who = producer ? i : i - shape->producers,
		.every = who->everyone || shape->consumers == 1,
		.pause_ns = producer ? job->run->pause_ns : 0,
	};
	struct rusage usage;
	int err;

	if (i == n) {
		bench_crew_meet(&job->field->arrived, n + 1);
		return keep_time(job);
	}
	if (!producer && job->run->pause_ns)
		w.ns = job->ns + (size_t)w.who * TIMED_MOST;
	err = who->join(job->c, producer, w.who);
	if (err)
		return err;
	bench_crew_meet(&job->field->arrived, n + 1);
	err = use(job, &w, producer);
	if (err)
		return err;
	if (w.ns)
		job->timed[w.who] = w.timed;
	if (who->counters)
		who->counters(job->c, &w.mine->sleeps, &w.mine->kicks);
	getrusage(RUSAGE_SELF, &usage);
	w.mine->switches = (uint64_t)usage.ru_nvcsw;
	who->leave(job->c);
	return 0;
}

/* Was every record of every producer received, and none twice? */
static int settle(const struct job *job)
{
	const struct many_shape *shape = &job->run->shape;
	uint64_t copies = job->run->who->everyone ? shape->consumers : 1, sent, hash, k;
	const struct many_field *f = job->field;
	unsigned int p, c;

	for (p = 0; p < shape->producers; p++) {
		struct many_seen all = { 0 };

		sent = f->worker[p].got;
		for (hash = 0, k = 0; k < sent; k++)
			hash += many_mix(k);
		for (c = 0; c < shape->consumers; c++) {
			all.records += f->worker[shape->producers + c].seen[p].records;
			all.hash += f->worker[shape->producers + c].seen[p].hash;
		}
		if (all.records != sent * copies || all.hash != hash * copies)
			return -EBADMSG;
		job->run->records += sent;
	}
	return 0;
}

/* Of all consumers together. */
static void latency(const struct job *job)
{
	struct many_run *run = job->run;
	size_t n = job->timed[0];
	unsigned int i;

	for (i = 1; i < run->shape.consumers; i++) {
		memmove(job->ns + n, job->ns + (size_t)i * TIMED_MOST,
			job->timed[i] * sizeof(*job->ns));
		n += job->timed[i];
	}
	if (!n)
		return;
	bench_latency(job->ns, n, &run->latency);
	run->value = bench_percentile(job->ns, n, 50);
}

static int measure(struct job *job)
{
	struct many_run *run = job->run;
	unsigned int n = run->shape.producers + run->shape.consumers, i;
	struct bench_crew crew = {
		.kind = CREW_FORK, .n = n + 1, .run = worker, .arg = job, .timeout_ns = TIMEOUT_NS,
	};
	int cpu[2 * MANY_EACH + 1], err;

	crew.cpu = cpu;
	err = bench_crew_place(run->place, cpu, n + 1);
	if (!err)
		err = run->who->make(&run->shape, &job->c);
	if (err)
		return err;
	job->field->producers_left = run->shape.producers;
	err = bench_crew_run(&crew);
	run->who->destroy(job->c);
	if (!err)
		err = settle(job);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		run->sleeps += job->field->worker[i].sleeps;
		run->kicks += job->field->worker[i].kicks;
		run->switches += job->field->worker[i].switches;
	}
	if (run->pause_ns)
		latency(job);
	else
		run->value = *job->rate;
	return 0;
}

int many_measure(struct many_run *run)
{
	size_t times = run->pause_ns ? (size_t)run->shape.consumers * TIMED_MOST : 0;
	size_t bytes = sizeof(struct many_field) + 128 + MANY_EACH * sizeof(size_t) +
		       times * sizeof(uint32_t);
	struct job job = { .run = run };
	char *p = (char *)peer_map(bytes);
	int err;

	if (!p)
		return -errno;
	run->records = 0;
	run->sleeps = 0;
	run->kicks = 0;
	run->switches = 0;
	job.field = (struct many_field *)p;
	p += sizeof(struct many_field);
	job.rate = (double *)p;
	job.timed = (size_t *)(p + 128);
	job.ns = (uint32_t *)(job.timed + MANY_EACH);
	err = measure(&job);
	munmap(job.field, bytes);
	return err;
}
