// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench sem - one counter, several adders, with and without a guard: what to
 * run, in which order, and what to do when it goes wrong.
 */
#include "bench_sem.h"

#define LEAST_STEPS	1000
#define MOST_STEPS	1000000000
#define KILL_STEPS	1000

/**
 * struct job - all that a run needs
 * @steps: of each guard
 * @log: NULL, or where steps go
 */
struct job {
	const struct sem_args *args;
	struct sem_report *report;
	int cpu[SEM_WORKERS_MAX];
	uint64_t steps[SEM_GUARDS];
	FILE *log;
	struct bench_progress progress;
};

static int failed(struct job *job, const struct sem_run *run, int err)
{
	const char *guard = sem_guards[run->guard].name, *memory = run->kind->name;
	const char *relation = sem_relation[run->unrelated];

	bench_progress_end(&job->progress);
	switch (err) {
	case -EINTR:
		return tool_signal_exit();
	case -EBADMSG:
		return tool_say(TOOL_DAMAGED, "a step of a %s worker made what cannot be (%s, %s): there are no figures",
				relation, guard, memory);
	case -ECHILD:
		return tool_say(TOOL_ERROR, "a %s worker crashed or was killed (%s, %s)", relation,
				guard, memory);
	case -ETIMEDOUT:
		return tool_say(TOOL_ERROR, "the %s workers hang (%s, %s)", relation, guard,
				memory);
	default:
		return tool_fail(err, "the %s workers failed (%s, %s)", relation, guard, memory);
	}
}

static int wrong_sum(struct job *job, const struct sem_run *run, uint64_t expected)
{
	bench_progress_end(&job->progress);
	return tool_say(TOOL_DAMAGED, "the sum is %llu and should be %llu (%s workers, %s, %s): there are no figures",
			(unsigned long long)run->sum, (unsigned long long)expected,
			sem_relation[run->unrelated], sem_guards[run->guard].name, run->kind->name);
}

static void prepare(const struct job *job, const struct sem_result *r, struct sem_run *run)
{
	*run = (struct sem_run){
		.kind = r->kind, .unrelated = r->unrelated, .guard = r->guard,
		.workers = job->args->workers, .cpu = job->cpu, .steps = job->steps[r->guard],
		.timeout_ns = job->args->timeout_ns,
	};
}

/* As many steps as take the time that a run shall take: for each guard, in any memory. */
static int calibrate(struct job *job, const struct sem_result *r)
{
	uint64_t *steps = &job->steps[r->guard], target = job->args->target_ns, more;
	struct sem_run run;
	int err;

	if (*steps)
		return TOOL_OK;
	*steps = job->args->steps ? job->args->steps : LEAST_STEPS;
	while (!job->args->steps) {
		prepare(job, r, &run);
		err = sem_run(&run);
		if (err)
			return failed(job, &run, err);
		more = (uint64_t)((double)*steps * (double)target / (double)run.elapsed_ns);
		if (run.elapsed_ns >= target / 4 || *steps == MOST_STEPS) {
			*steps = more;
			break;
		}
		*steps = more > *steps * 10 ? *steps * 10 : more + 1;
		if (*steps > MOST_STEPS)
			*steps = MOST_STEPS;
	}
	if (*steps < LEAST_STEPS && !job->args->steps)
		*steps = LEAST_STEPS;
	return TOOL_OK;
}

static int run_once(struct job *job, struct sem_result *r, unsigned int round)
{
	const struct sem_guard *guard = &sem_guards[r->guard];
	uint64_t expected;
	struct sem_run run;
	int err;

	bench_progress(&job->progress, "round %u: %s, %s, %s", round + 1,
		       sem_relation[r->unrelated], r->kind->name, guard->name);
	prepare(job, r, &run);
	run.log = round ? NULL : job->log;
	err = sem_run(&run);
	if (err)
		return failed(job, &run, err);
	expected = run.steps * run.workers;
	if (run.sum > expected || (guard->right && run.sum != expected))
		return wrong_sum(job, &run, expected);
	if (guard->right && run.twice) {
		bench_progress_end(&job->progress);
		return tool_say(TOOL_DAMAGED, "%llu steps made a value that another had made (%s workers, %s, %s): there are no figures",
				(unsigned long long)run.twice, sem_relation[r->unrelated],
				guard->name, r->kind->name);
	}
	r->v[round] = (double)expected / ((double)run.elapsed_ns / 1e9);
	r->steps = run.steps;
	r->done += expected;
	r->lost += expected - run.sum;
	r->twice += run.twice;
	return TOOL_OK;
}

static int kill_once(struct job *job, struct sem_result *r)
{
	const struct sem_guard *guard = &sem_guards[r->guard];
	struct sem_run run;
	int err;

	bench_progress(&job->progress, "killing the holder: %s, %s, %s",
		       sem_relation[r->unrelated], r->kind->name, guard->name);
	prepare(job, r, &run);
	run.steps = KILL_STEPS;
	run.workers = 2;
	err = sem_kill(&run);
	if (err)
		return failed(job, &run, err);
	/* The second adds when the first is no more, so that this is right without a guard. */
	if (!run.hung && run.sum != 2 * run.steps)
		return wrong_sum(job, &run, 2 * run.steps);
	r->outcome = run.hung ? SEM_HANGS : guard->recovers ? SEM_RECOVERS : SEM_GOES_ON;
	r->waited_ns = run.waited_ns;
	return TOOL_OK;
}

static int run_all(struct job *job)
{
	struct sem_report *report = job->report;
	unsigned int n = report->results, i, round;
	int code = TOOL_OK;

	bench_progress_init(&job->progress, n * (job->args->rounds + job->args->kill));
	for (i = 0; i < n && !code; i++)
		code = calibrate(job, &report->result[i]);
	for (round = 0; round < job->args->rounds; round++)
		for (i = 0; i < n && !code; i++)
			code = run_once(job, &report->result[(i + round) % n], round);
	for (i = 0; job->args->kill && i < n && !code; i++)
		code = kill_once(job, &report->result[i]);
	bench_progress_end(&job->progress);
	return code;
}

/* Which memories can be had here; those that cannot are left out and named. */
static int choose(struct sem_args *args, struct sem_report *report)
{
	const struct bench_memory_kind *kind;
	unsigned int i, n = 0;
	struct bench_memory m;
	const char *why;
	int err;

	for (i = 0; i < BENCH_MEMORIES; i++) {
		if (!args->memory[i])
			continue;
		kind = &bench_memory_kinds[i];
		err = bench_memory_make(&m, kind, sizeof(struct sem_area), -1);
		if (!err) {
			bench_memory_free(&m);
			n++;
			continue;
		}
		why = bench_memory_obstacle(kind, err);
		if (args->chosen)
			return tool_say(TOOL_ERROR, "%s cannot be had here: %s", kind->name, why);
		args->memory[i] = false;
		json_array_append_new(report->skipped, json_pack("{s:s, s:s}", "contender",
								 kind->name, "why", why));
	}
	return n ? TOOL_OK : tool_say(TOOL_ERROR, "no memory can be had here");
}

static int plan(const struct sem_args *args, struct sem_report *report)
{
	unsigned int relation, m, g;
	struct sem_result *r;

	report->result = calloc(SEM_RELATIONS * BENCH_MEMORIES * SEM_GUARDS, sizeof(*r));
	if (!report->result)
		return -ENOMEM;
	for (relation = 0; relation < SEM_RELATIONS; relation++) {
		for (m = 0; m < BENCH_MEMORIES; m++) {
			const struct bench_memory_kind *kind = &bench_memory_kinds[m];

			if (!args->relation[relation] || !args->memory[m] ||
			    (relation && !kind->attach))
				continue;
			for (g = 0; g < SEM_GUARDS; g++) {
				if (!args->guard[g])
					continue;
				r = &report->result[report->results++];
				r->kind = kind;
				r->unrelated = relation;
				r->guard = g;
				r->v = calloc(args->rounds, sizeof(*r->v));
				if (!r->v)
					return -ENOMEM;
			}
		}
	}
	return 0;
}

static int open_log(struct job *job)
{
	if (!job->args->log)
		return TOOL_OK;
	job->log = fopen(job->args->log, "we");
	if (!job->log)
		return tool_say(TOOL_ERROR, "cannot write the log '%s': %s", job->args->log,
				strerror(errno));
	fputs("relation\tmemory\tguard\tworker\tstep\tns\tvalue\n", job->log);
	return TOOL_OK;
}

static int close_log(struct job *job, int code)
{
	int bad;

	if (!job->log)
		return code;
	errno = 0;
	bad = ferror(job->log);
	bad |= fclose(job->log);
	if (!bad || code)
		return code;
	return tool_say(TOOL_ERROR, "cannot write the log '%s': %s", job->args->log,
			errno ? strerror(errno) : "an earlier write failed");
}

static void free_report(struct sem_report *report)
{
	unsigned int i;

	for (i = 0; i < report->results; i++)
		free(report->result[i].v);
	free(report->result);
	json_decref(report->environment);
	json_decref(report->skipped);
}

int bench_sem(int argc, char **argv)
{
	struct sem_report report = { 0 };
	struct sem_args args;
	struct job job = { .args = &args, .report = &report };
	int code, err;

	if (argc > 1 && !strcmp(argv[1], "--worker"))
		return sem_worker_main(argc, argv);
	sem_parse(&args, argc, argv);
	err = args.placed ? 0 : bench_place_pick(&args.place);
	if (!err)
		err = bench_crew_place(&args.place, job.cpu, SEM_WORKERS_MAX);
	if (err)
		return tool_fail(err, "cannot find out which CPUs may be used");
	tool_signals_init();
	report.args = &args;
	report.skipped = json_array();
	code = choose(&args, &report);
	if (!code && plan(&args, &report))
		code = tool_fail(-ENOMEM, "cannot hold the results");
	if (!code)
		code = open_log(&job);
	if (!code) {
		report.environment = bench_environment(&args.place);
		code = run_all(&job);
	}
	code = close_log(&job, code);
	if (!code)
		code = sem_print(&report);
	free_report(&report);
	return code;
}
