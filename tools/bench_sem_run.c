// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench sem: one run. The area is made in the memory under test, the workers come,
 * add, and go; or one of them is killed in the critical section, and another wants in.
 *
 * In the second, whoever holds the guard has set the counter to nonsense and noted
 * what it was: a waiter that is told of the death can put it right, one that is not
 * told waits for good, which here ends at a timeout.
 */
#include <inttypes.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_sem.h"

#define RUN_TIMEOUT_NS	60000000000ull	/* a run that takes this long hangs */
#define COME_TIMEOUT_NS	30000000000ull	/* for processes to start, on any machine */
#define TELL_TIMEOUT_NS	30000000000ull	/* for a death to be told where it is told */
#define LOOK_NS		50000
#define NONSENSE	0xdeadbeefdeadbeefull

static size_t area_bytes(uint64_t logged)
{
	return sizeof(struct sem_area) + logged * sizeof(struct sem_step);
}

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = LOOK_NS };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* ---- what a worker does -------------------------------------------------------------- */

static int add(struct sem_area *a, unsigned int who, struct bench_memory *m)
{
	struct sem_worker *w = &a->worker[who];
	int err;

	bench_crew_meet(&a->arrived[0], a->workers);
	/* Everybody is here: nobody needs the name any more, whatever happens from now on. */
	if (!who && m)
		bench_memory_unname(m);
	bench_crew_meet(&a->arrived[1], a->workers);
	w->begin = bench_now();
	err = sem_guards[a->guard].add(a, a->log ? a->step + who * a->steps : NULL);
	w->end = bench_now();
	return err;
}

static int hold(struct sem_area *a)
{
	const struct sem_guard *guard = &sem_guards[a->guard];
	int err = guard->add(a, NULL);

	if (!err && guard->lock) {
		err = guard->lock(a);
		a->before = a->counter;
		a->busy = 1;
		a->counter = NONSENSE;
	}
	if (err)
		return err;
	__atomic_store_n(&a->holding, 1, __ATOMIC_RELEASE);	/* pairs with come() */
	for (;;)
		pause();
}

static int come_after(struct sem_area *a)
{
	const struct sem_guard *guard = &sem_guards[a->guard];
	int err;

	__atomic_store_n(&a->waiting, 1, __ATOMIC_RELEASE);	/* pairs with come() */
	if (guard->lock) {
		a->told = guard->lock(a);
		a->entered = bench_now();
		if (a->told && a->told != -EOWNERDEAD)
			return a->told;
		if (a->busy)
			a->counter = a->before;
		a->busy = 0;
		err = a->told ? guard->repaired(a) : 0;
		if (!err)
			err = guard->unlock(a);
		if (err)
			return err;
	} else {
		a->entered = bench_now();
	}
	return guard->add(a, NULL);
}

static int work(struct sem_area *a, unsigned int who, struct bench_memory *m)
{
	if (a->part == SEM_ADD)
		return add(a, who, m);
	return who ? come_after(a) : hold(a);
}

static int related_work(void *arg, unsigned int who)
{
	return work(arg, who, NULL);
}

int sem_worker_main(int argc, char **argv)
{
	const struct bench_memory_kind *kind;
	struct bench_memory m;
	unsigned int who;
	size_t bytes;
	long parent;
	int err;

	kind = argc == 7 ? bench_memory_find(argv[2]) : NULL;
	if (!kind || !kind->attach ||
	    sscanf(argv[4], "%zu", &bytes) != 1 || sscanf(argv[5], "%u", &who) != 1 ||
	    sscanf(argv[6], "%ld", &parent) != 1 || bytes < sizeof(struct sem_area) ||
	    who >= SEM_WORKERS_MAX)
		return tool_say(TOOL_USAGE, "--worker is how shmring bench sem starts its workers; it is of no use by hand");
	err = bench_crew_adopted((pid_t)parent);
	if (!err)
		err = bench_memory_attach(&m, kind, argv[3], bytes);
	if (err)
		return -err;
	m.named = true;		/* by whoever made it, who need not do it any more */
	err = work(m.base, who, &m);
	m.named = false;
	bench_memory_free(&m);
	return -err;
}

/* ---- what we do ------------------------------------------------------------------------ */

/* The area in its memory, and who will work there. @text: for @argv. */
static int prepare(const struct sem_run *run, enum sem_part part, struct bench_memory *m,
		   struct bench_crew *crew, const char **argv, char text[32])
{
	uint64_t logged = run->log ? run->steps * run->workers : 0;
	struct sem_area *a;
	int err;

	err = bench_memory_make(m, run->kind, area_bytes(logged), -1);
	if (err)
		return err;
	if (!run->unrelated)		/* all inherit it */
		bench_memory_unname(m);
	a = m->base;
	memset(a, 0, area_bytes(logged));
	a->guard = run->guard;
	a->part = part;
	a->workers = run->workers;
	a->steps = run->steps;
	a->log = !!run->log;
	err = sem_guards[run->guard].init(a);
	if (err) {
		bench_memory_free(m);
		return err;
	}
	snprintf(text, 32, "%zu", m->bytes);
	argv[0] = "shmring";
	argv[1] = "bench";
	argv[2] = "sem";
	argv[3] = "--worker";
	argv[4] = run->kind->name;
	argv[5] = m->name;
	argv[6] = text;
	argv[7] = NULL;
	*crew = (struct bench_crew){
		.kind = run->unrelated ? CREW_EXEC : CREW_FORK, .n = run->workers, .cpu = run->cpu,
		.run = related_work, .arg = a, .argv = argv, .timeout_ns = RUN_TIMEOUT_NS,
	};
	return 0;
}

static int by_time(const void *x, const void *y)
{
	const struct sem_step *const *a = x, *const *b = y;

	if ((*a)->ns != (*b)->ns)
		return (*a)->ns < (*b)->ns ? -1 : 1;
	return ((*a)->value > (*b)->value) - ((*a)->value < (*b)->value);
}

/* All steps of all workers in the order of time, and how many made a value again. */
static int write_log(struct sem_run *run, const struct sem_area *a, uint64_t begin)
{
	uint64_t n = run->steps * run->workers, i, value, worker;
	const struct sem_step **order = calloc(n, sizeof(*order));
	unsigned char *seen = calloc(n + 1, 1);
	int err = order && seen ? 0 : -ENOMEM;

	for (i = 0; i < n && !err; i++)
		order[i] = &a->step[i];
	if (!err)
		qsort(order, n, sizeof(*order), by_time);
	for (i = 0; i < n && !err; i++) {
		value = order[i]->value;
		if (!value || value > n)
			err = -EBADMSG;
		else if (seen[value]++)
			run->twice++;
		worker = (uint64_t)(order[i] - a->step) / run->steps;
		if (fprintf(run->log, "%s\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
			    sem_relation[run->unrelated], run->kind->name,
			    sem_guards[run->guard].name, worker,
			    (uint64_t)(order[i] - a->step) % run->steps + 1,
			    order[i]->ns - begin, value) < 0)
			err = -errno;
	}
	free(seen);
	free(order);
	return err;
}

int sem_run(struct sem_run *run)
{
	uint64_t begin = UINT64_MAX, end = 0;
	const char *argv[CREW_ARGS_MAX];
	struct bench_memory m;
	struct bench_crew crew;
	struct sem_area *a;
	unsigned int i;
	char text[32];
	int err;

	err = prepare(run, SEM_ADD, &m, &crew, argv, text);
	if (err)
		return err;
	a = m.base;
	err = bench_crew_run(&crew);
	for (i = 0; i < run->workers; i++) {
		if (a->worker[i].begin < begin)
			begin = a->worker[i].begin;
		if (a->worker[i].end > end)
			end = a->worker[i].end;
	}
	run->elapsed_ns = end > begin ? end - begin : 1;
	/* Once nobody adds: a worker that is at it would write over what we take away. */
	if (bench_spoil())
		a->counter--;
	run->sum = a->counter;
	run->twice = 0;
	if (!err && run->log)
		err = write_log(run, a, begin);
	bench_memory_free(&m);
	return err;
}

/* Until the worker behind @pidfd has set @flag. */
static int come(const uint32_t *flag, pid_t pid)
{
	uint64_t deadline = bench_now() + COME_TIMEOUT_NS;

	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) {
		siginfo_t info = { 0 };

		if (tool_stopped)
			return -EINTR;
		if (bench_now() > deadline)
			return -ETIMEDOUT;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
			return -ECHILD;
		nap();
	}
	return 0;
}

/* Both are where they should be; then one is no more. */
static int kill_holder(struct sem_run *run, struct sem_area *a, const pid_t *pid, const int *pidfd)
{
	bool told = sem_guards[run->guard].recovers || !sem_guards[run->guard].lock;
	uint64_t killed = bench_now();
	int err;

	kill(pid[0], SIGKILL);
	err = bench_crew_reap(pid[1], pidfd[1],
			      killed + (told ? TELL_TIMEOUT_NS : run->timeout_ns));
	run->hung = err == -ETIMEDOUT;
	run->waited_ns = run->hung ? bench_now() - killed :
		a->entered > killed ? a->entered - killed : 0;
	run->sum = a->counter;
	return run->hung ? 0 : err;
}

int sem_kill(struct sem_run *run)
{
	const char *argv[CREW_ARGS_MAX];
	struct bench_memory m;
	struct bench_crew crew;
	int pidfd[2] = { -1, -1 }, err;
	pid_t pid[2] = { 0, 0 };
	struct sem_area *a;
	char text[32];
	int i;

	err = prepare(run, SEM_KILL, &m, &crew, argv, text);
	if (err)
		return err;
	a = m.base;
	for (i = 0; i < 2 && !err; i++) {
		pid[i] = bench_crew_start(&crew, (unsigned int)i, &pidfd[i]);
		err = pid[i] < 0 ? pid[i] : come(i ? &a->waiting : &a->holding, pid[i]);
	}
	bench_memory_unname(&m);
	if (!err) {
		err = kill_holder(run, a, pid, pidfd);
		pid[1] = 0;	/* reaped */
	}
	for (i = 0; i < 2; i++) {
		if (pid[i] > 0)
			bench_crew_reap(pid[i], pidfd[i], 0);
		if (pidfd[i] >= 0)
			close(pidfd[i]);
	}
	bench_memory_free(&m);
	return err;
}
