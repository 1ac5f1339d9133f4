// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench false-sharing - what neighbours in a cache line cost each other: what
 * to run, in which order, and what to do when it goes wrong.
 */
#include <unistd.h>

#include "bench_sharing.h"

#define LINE_DEFAULT	64

static int failed(const struct sharing_run *run, int err, struct bench_progress *progress)
{
	const char *layout = sharing_layouts[run->layout].name, *memory = run->kind->name;
	const char *kind = sharing_kind[run->crew];

	bench_progress_end(progress);
	switch (err) {
	case -EINTR:
		return tool_signal_exit();
	case -EBADMSG:
		return tool_say(TOOL_DAMAGED, "a counter does not hold what was added to it (%u %s, %s, %s): there are no figures",
				run->workers, kind, memory, layout);
	case -ECHILD:
		return tool_say(TOOL_ERROR, "a worker crashed or was killed (%u %s, %s, %s)",
				run->workers, kind, memory, layout);
	case -ETIMEDOUT:
		return tool_say(TOOL_ERROR, "the workers hang (%u %s, %s, %s)", run->workers, kind,
				memory, layout);
	default:
		return tool_fail(err, "the workers failed (%u %s, %s, %s)", run->workers, kind,
				 memory, layout);
	}
}

static int run_group(const struct sharing_args *args, struct sharing_group *group, const int *cpu,
		     unsigned int round, struct bench_progress *progress)
{
	unsigned int i, layout;
	struct sharing_run run;
	int err;

	bench_progress(progress, "round %u: %u %s, %s, %s", round + 1, group->workers,
		       sharing_kind[group->crew], group->kind->name, sharing_ops[group->op].title);
	/* Each round begins with another layout. */
	for (i = 0; i < SHARING_LAYOUTS; i++) {
		layout = (i + round) % SHARING_LAYOUTS;
		run = (struct sharing_run){
			.kind = group->kind, .crew = group->crew, .workers = group->workers,
			.cpu = cpu, .layout = layout, .op = group->op, .time_ns = args->target_ns,
		};
		err = sharing_run(&run);
		if (err)
			return failed(&run, err, progress);
		group->v[layout][round] = run.rate;
		group->done += run.done;
		memcpy(group->address[layout], run.address, sizeof(run.address));
	}
	return TOOL_OK;
}

static int run_all(const struct sharing_args *args, struct sharing_report *report, const int *cpu)
{
	struct bench_progress progress;
	unsigned int i, round;
	int code = TOOL_OK;

	bench_progress_init(&progress, report->groups * (args->rounds + 1));
	/* The first is a warm-up, which the next round writes over. */
	for (i = 0; i < report->groups && !code; i++)
		code = run_group(args, &report->group[i], cpu, 0, &progress);
	for (round = 0; round < args->rounds; round++)
		for (i = 0; i < report->groups && !code; i++)
			code = run_group(args, &report->group[i], cpu, round, &progress);
	bench_progress_end(&progress);
	return code;
}

static int choose(struct sharing_args *args, struct sharing_report *report)
{
	const struct bench_memory_kind *kind;
	struct bench_memory m;
	unsigned int i, n = 0;
	const char *why;
	int err;

	for (i = 0; i < BENCH_MEMORIES; i++) {
		if (!args->memory[i])
			continue;
		kind = &bench_memory_kinds[i];
		err = bench_memory_make(&m, kind, 4096, -1);
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

/* 1, 2, 3 and 4 workers, from there on twice as many each time, and the most. */
static unsigned int counts(unsigned int most, unsigned int *count)
{
	unsigned int n = 0, i;

	for (i = 1; i < most; i = i < 4 ? i + 1 : 2 * i)
		count[n++] = i;
	count[n++] = most;
	return n;
}

static int add_groups(const struct sharing_args *args, struct sharing_report *report,
		      unsigned int op, unsigned int memory)
{
	unsigned int count[SHARING_COUNTS_MAX], n, i, crew, layout;
	struct sharing_group *g;

	n = counts(report->most, count);
	for (crew = 0; crew < SHARING_KINDS; crew++) {
		for (i = 0; i < n && args->kind[crew]; i++) {
			g = &report->group[report->groups++];
			g->kind = &bench_memory_kinds[memory];
			g->crew = crew;
			g->op = op;
			g->workers = count[i];
			for (layout = 0; layout < SHARING_LAYOUTS; layout++) {
				g->v[layout] = calloc(args->rounds, sizeof(double));
				if (!g->v[layout])
					return -ENOMEM;
			}
		}
	}
	return 0;
}

static int plan(const struct sharing_args *args, struct sharing_report *report)
{
	unsigned int op, memory;
	int err = 0;

	report->group = calloc(SHARING_OPS * BENCH_MEMORIES * SHARING_KINDS * SHARING_COUNTS_MAX,
			       sizeof(*report->group));
	if (!report->group)
		return -ENOMEM;
	for (op = 0; op < SHARING_OPS; op++)
		for (memory = 0; memory < BENCH_MEMORIES && !err; memory++)
			if (args->op[op] && args->memory[memory])
				err = add_groups(args, report, op, memory);
	return err;
}

static unsigned int line_size(void)
{
	long line = sysconf(_SC_LEVEL1_DCACHE_LINESIZE);

	return line > 0 ? (unsigned int)line : LINE_DEFAULT;
}

static void free_report(struct sharing_report *report)
{
	unsigned int i, layout;

	for (i = 0; i < report->groups; i++)
		for (layout = 0; layout < SHARING_LAYOUTS; layout++)
			free(report->group[i].v[layout]);
	free(report->group);
	json_decref(report->environment);
	json_decref(report->skipped);
}

int bench_false_sharing(int argc, char **argv)
{
	struct sharing_report report = { 0 };
	struct sharing_args args;
	int cpu[CREW_MAX], code, err;

	sharing_parse(&args, argc, argv);
	err = args.placed ? 0 : bench_place_pick(&args.place);
	if (!err)
		err = bench_crew_place(&args.place, cpu, CREW_MAX);
	if (err)
		return tool_fail(err, "cannot find out which CPUs may be used");
	tool_signals_init();
	report.args = &args;
	report.cpus = bench_crew_cpus();
	report.most = args.most ? args.most : report.cpus < CREW_MAX ? report.cpus : CREW_MAX;
	report.line = line_size();
	report.skipped = json_array();
	code = choose(&args, &report);
	if (!code && plan(&args, &report))
		code = tool_fail(-ENOMEM, "cannot hold the results");
	if (!code) {
		report.environment = bench_environment(&args.place);
		code = run_all(&args, &report, cpu);
	}
	if (!code)
		code = sharing_print(&report);
	free_report(&report);
	return code;
}
