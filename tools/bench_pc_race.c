// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc --race: what becomes of the textbook's ring when several produce and several
 * consume.
 *
 * Every record has a number of its own and a pattern. Consumers write down in shared
 * memory how often they got each number, so what is lost, doubled or torn is counted
 * exactly, even where the ring's own count has gone astray and the run is stopped.
 * Next to it the same ring behind a lock, and shmring in each topology: of those, one
 * wrong record is exit status 6.
 *
 * A broken ring may never be empty or full again. A consumer ends after twice as many
 * records as there are, and what is left then is killed.
 */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_crew.h"
#include "bench_pc_race.h"

#define RECORDS		400000	/* of all producers together */
#define RECORDS_QUICK	40000
#define PATIENCE_NS	20000000000ULL	/* without a record put or taken */

static int produce(struct race *r)
{
	struct field *f = r->f;
	uint64_t record[RACE_LEN / 8];
	uint32_t i;
	int err;

	for (i = 0; i < f->records; i++) {
		pc_fill(record, r->who * f->records + i, RACE_LEN);
		if (!i && bench_spoil())
			record[1] ^= 1;
		while ((err = r->kind->put(r, record)) == -EAGAIN) {
			/* With all consumers gone astray nobody makes room. */
			if (!shmring_load(&f->consumers_left))
				return 0;
			sched_yield();
		}
		if (err)
			return err;
		shmring_store(&f->put[r->who], i + 1);
	}
	return 0;
}

static void note(struct race *r, const uint64_t *record)
{
	struct field *f = r->f;

	f->got[r->who]++;
	if (record[0] >= r->producers * f->records || !pc_right(record, record[0], RACE_LEN))
		f->torn[r->who]++;
	else
		__atomic_fetch_add(&f->seen[record[0]], 1, __ATOMIC_RELAXED);
}

static int consume(struct race *r)
{
	uint64_t record[RACE_LEN / 8] = { 0 };
	struct field *f = r->f;
	uint32_t left;
	int err;

	while (f->got[r->who] < 2 * r->producers * f->records) {
		/* Read before: what the last producer put in is found after. */
		left = shmring_load_acquire(&f->producers_left);
		err = r->kind->get(r, record);
		if (!err) {
			note(r, record);
			continue;
		}
		if (err != -EAGAIN || !left)
			return err == -EAGAIN ? 0 : err;
		sched_yield();
	}
	return 0;
}

/* What is sent before a consumer is there would not be for it. */
static void meet(struct race *r)
{
	uint32_t all = r->producers + r->consumers;

	/* Each pairs with those of the others: all have joined. */
	__atomic_fetch_add(&r->f->arrived, 1, __ATOMIC_RELEASE);
	while (shmring_load_acquire(&r->f->arrived) < all)
		sched_yield();
}

static void child(struct race *r, int cpu, unsigned int i, pid_t parent)
{
	bool producer = i < r->producers;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	bench_child_signals();
	r->who = producer ? i : i - r->producers;
	err = bench_pin(cpu);
	if (!err && r->kind->join)
		err = r->kind->join(r, producer);
	if (!err) {
		meet(r);
		r->f->begin[i] = bench_now();
		err = producer ? produce(r) : consume(r);
		r->f->end[i] = bench_now();
	}
	if (!err && r->kind->leave)
		r->kind->leave(r);
	if (err)
		shmring_store(&r->f->err, err);
	/* pairs with the load-acquire in consume() */
	__atomic_fetch_sub(producer ? &r->f->producers_left : &r->f->consumers_left, 1,
			   __ATOMIC_RELEASE);
	_exit(err ? 1 : 0);
}

/* Grows while anybody gets on. */
static uint64_t progress(const struct field *f)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < RACE_MOST; i++)
		n += shmring_load(&f->put[i]) + shmring_load(&f->got[i]);
	return n;
}

/* Waits for all; 1: some had to be stopped. */
static int reap(pid_t *pid, unsigned int n, struct field *f)
{
	const struct timespec look = { .tv_nsec = 100000000 };
	uint64_t deadline = bench_now() + PATIENCE_NS, was = 0;
	unsigned int i, left = n;
	int status, stopped = 0;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (left) {
		for (i = 0; i < n; i++) {
			if (pid[i] <= 0 || waitpid(pid[i], &status, WNOHANG) != pid[i])
				continue;
			pid[i] = 0;
			left--;
			if (status && !stopped && !f->err)
				f->err = -ECHILD;
		}
		if (progress(f) != was) {
			was = progress(f);
			deadline = bench_now() + PATIENCE_NS;
		}
		if (left && !stopped && (tool_stopped || f->err || bench_now() > deadline)) {
			for (i = 0; i < n; i++)
				if (pid[i] > 0)
					kill(pid[i], SIGKILL);
			stopped = 1;
		}
		if (left)
			sigtimedwait(&chld, NULL, &look);
	}
	if (tool_stopped)
		return -EINTR;
	return f->err ? f->err : stopped;
}

static int run(struct race *r, const struct bench_place *place)
{
	unsigned int n = r->producers + r->consumers, i;
	pid_t pid[2 * RACE_MOST], parent = getpid();
	int cpu[2 * RACE_MOST], err;
	sigset_t chld;

	err = bench_crew_place(place, cpu, n);
	if (err)
		return err;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	fflush(NULL);
	for (i = 0; i < n; i++) {
		pid[i] = fork();
		if (!pid[i])
			child(r, cpu[i], i, parent);
		if (pid[i] < 0) {
			r->f->err = -errno;
			break;
		}
	}
	return reap(pid, i, r->f);
}

static void count(const struct race *r, struct race_toll *t)
{
	uint32_t copies = r->kind->everyone ? r->consumers : 1;
	unsigned int n = r->producers + r->consumers, i;
	uint64_t begin = UINT64_MAX, end = 0;
	const struct field *f = r->f;
	uint64_t k;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < r->consumers; i++) {
		t->torn += (double)f->torn[i];
		t->got += (double)f->got[i];
	}
	for (i = 0; i < r->producers; i++) {
		t->put += f->put[i];
		for (k = 0; k < f->records; k++) {
			uint32_t seen = f->seen[i * f->records + k];

			if (k < f->put[i] && seen < copies)
				t->lost += copies - seen;
			if (seen > copies)
				t->doubled += seen - copies;
		}
	}
	for (i = 0; i < n; i++) {
		begin = f->begin[i] < begin ? f->begin[i] : begin;
		end = f->end[i] > end ? f->end[i] : end;
	}
	t->rate = end > begin ? t->got / ((double)(end - begin) / 1e9) : 0;
}

/* One ring, from nothing to what became of its records; an exit code. */
static int race(const struct pc_args *args, struct race *r, struct race_toll *toll)
{
	const struct race_kind *kind = r->kind;
	uint64_t records = (args->quick ? RECORDS_QUICK : RECORDS) / r->producers;
	int err;

	r->bytes = sizeof(*r->f) + r->producers * records * sizeof(r->f->seen[0]);
	r->f = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->f == MAP_FAILED)
		return tool_fail(-errno, "cannot share memory with the processes");
	r->f->records = records;
	r->f->producers_left = r->producers;
	r->f->consumers_left = r->consumers;
	err = kind->make ? kind->make(r) : 0;
	if (err && kind->backend == SHMRING_BACKEND_DEVICE) {
		munmap(r->f, r->bytes);
		toll->skipped = err == -ENOENT ?
				"there is no /dev/shmring, so the module is not loaded" :
				shmring_strerror(err);
		return TOOL_OK;
	}
	if (!err) {
		err = run(r, &args->place);
		if (kind->free)
			kind->free(r);
	}
	count(r, toll);
	toll->stopped = err > 0;
	munmap(r->f, r->bytes);
	if (err == -EINTR)
		return tool_signal_exit();
	if (err < 0)
		return tool_fail(err, "%s failed", kind->name);
	if (kind->correct && !race_right(toll))
		return tool_say(TOOL_DAMAGED, "%s lost %.0f, doubled %.0f and tore %.0f records%s",
				kind->name, toll->lost, toll->doubled, toll->torn,
				toll->stopped ? ", and had to be stopped" : "");
	return TOOL_OK;
}

int pc_race(const struct pc_args *args)
{
	struct race_toll toll[RACE_KINDS] = { 0 };
	struct bench_progress progress;
	int code = TOOL_OK;
	unsigned int n, i;

	for (n = 0; race_kinds[n].name; n++)
		;
	bench_progress_init(&progress, n);
	for (i = 0; i < n && !code; i++) {
		struct race r = {
			.kind = &race_kinds[i], .producers = args->producers,
			.consumers = race_kinds[i].one_consumer ? 1 : args->consumers,
		};

		bench_progress(&progress, "%s", race_kinds[i].name);
		code = race(args, &r, &toll[i]);
		toll[i].kind = r.kind;
		toll[i].producers = r.producers;
		toll[i].consumers = r.consumers;
	}
	bench_progress_end(&progress);
	return code ? code : race_print(args, toll, n);
}
