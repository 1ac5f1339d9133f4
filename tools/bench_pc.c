// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench pc - one producer and one consumer, each a process on a CPU of its
 * own: what to measure, in which order, and what to do when it goes wrong.
 */
#include "bench_pc.h"

#define CONTENDERS_MAX	16
#define SIZES_MAX	16
#define ROUNDS_MAX	1001
#define TRACED_MAX	200000

enum {
	KEY_SIZES = 0x100,
	KEY_CPUS,
	KEY_TIME,
	KEY_RING,
	KEY_TRIP_SIZE,
	KEY_MODE,
	KEY_BASELINE,
	KEY_TSV,
	KEY_QUICK,
	KEY_NO_TRACE,
};

static const struct pc_contender *const all[] = {
	&pc_sysv_sem, &pc_plain, &pc_memfd, &pc_memfd_spin, &pc_device, &pc_device_spin,
};

#define ALL	(sizeof(all) / sizeof(all[0]))

struct pc_args {
	const struct pc_contender *who[CONTENDERS_MAX];
	unsigned int contenders;
	const struct pc_contender *baseline;
	size_t sizes[SIZES_MAX];
	unsigned int n_sizes;
	size_t trip_size;
	unsigned int rounds;
	uint64_t target_ns;
	size_t ring_bytes;
	struct bench_place place;
	bool placed;
	bool chosen;		/* the contenders were named: a missing one is an error */
	bool throughput;
	bool round_trip;
	bool trace;
	bool json;
	bool tsv;
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to measure:", 1 },
	{ "contenders", 'c', "LIST", 0,
	  "Names with commas between them (default: all that can run here; 'list' shows them)", 1 },
	{ "baseline", KEY_BASELINE, "NAME", 0, "What the others are compared to (default sysv-sem)", 1 },
	{ "mode", KEY_MODE, "WHICH", 0, "throughput, roundtrip or both (default)", 1 },
	{ "sizes", KEY_SIZES, "LIST", 0, "Throughput: bytes of a record (default 8,64,1024)", 1 },
	{ "trip-size", KEY_TRIP_SIZE, "BYTES", 0, "Round trip: bytes of a record (default 64)", 1 },
	{ "ring", KEY_RING, "BYTES", 0,
	  "Memory for records in rings; K and M may follow (default 64K)", 1 },
	{ NULL, 0, NULL, 0, "How:", 2 },
	{ "rounds", 'r', "N", 0, "Rounds; in each, every contender runs once (default 9)", 2 },
	{ "time", KEY_TIME, "MS", 0, "About how long one run takes (default 100)", 2 },
	{ "cpus", KEY_CPUS, "A,B", 0,
	  "Where the two processes run (default: two cores that are near to each other)", 2 },
	{ "quick", KEY_QUICK, NULL, 0, "3 rounds of 10 ms: to see that it works", 2 },
	{ "no-trace", KEY_NO_TRACE, NULL, 0, "Do not count system calls", 2 },
	{ NULL, 0, NULL, 0, "How to show it:", 3 },
	{ "json", 'j', NULL, 0, "JSON, with every round", 3 },
	{ "tsv", KEY_TSV, NULL, 0, "Values with tabs between them, a line each", 3 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static const struct pc_contender *find(struct argp_state *state, const char *what, const char *name)
{
	size_t i;

	for (i = 0; i < ALL; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	argp_error(state, "%s: there is no contender '%s'; --contenders list shows them", what, name);
	return NULL;
}

static void list_contenders(void)
{
	size_t i;

	for (i = 0; i < ALL; i++)
		printf("%-20s %s\n", all[i]->name, all[i]->what);
	exit(tool_flush_stdout(TOOL_OK));
}

static void parse_contenders(struct argp_state *state, char *list)
{
	struct pc_args *args = state->input;
	const struct pc_contender *who;
	char *name, *rest = list;
	unsigned int i;

	if (!strcmp(list, "list"))
		list_contenders();
	args->contenders = 0;
	args->chosen = true;
	while ((name = strsep(&rest, ","))) {
		who = find(state, "--contenders", name);
		for (i = 0; i < args->contenders; i++)
			if (args->who[i] == who)
				argp_error(state, "--contenders: '%s' is named twice", name);
		args->who[args->contenders++] = who;
	}
}

static void parse_sizes(struct argp_state *state, char *list)
{
	struct pc_args *args = state->input;
	char *size, *rest = list;

	args->n_sizes = 0;
	while ((size = strsep(&rest, ","))) {
		if (args->n_sizes == SIZES_MAX)
			argp_error(state, "--sizes: more than %d", SIZES_MAX);
		args->sizes[args->n_sizes++] = tool_parse_size(state, "--sizes", size, 8, PC_LEN_MAX);
	}
}

static void parse_mode(struct argp_state *state, const char *mode)
{
	struct pc_args *args = state->input;

	args->throughput = !strcmp(mode, "throughput") || !strcmp(mode, "both");
	args->round_trip = !strcmp(mode, "roundtrip") || !strcmp(mode, "both");
	if (!args->throughput && !args->round_trip)
		argp_error(state, "--mode: '%s' is not throughput, roundtrip or both", mode);
}

static void check(struct argp_state *state)
{
	const struct pc_args *args = state->input;
	size_t most = args->round_trip ? args->trip_size : 0;
	unsigned int i;

	if (args->json && args->tsv)
		argp_error(state, "--json and --tsv exclude each other");
	for (i = 0; args->throughput && i < args->n_sizes; i++)
		if (args->sizes[i] > most)
			most = args->sizes[i];
	if (args->ring_bytes & (args->ring_bytes - 1))
		argp_error(state, "--ring: %zu is not a power of two", args->ring_bytes);
	if (args->ring_bytes < 4 * most)
		argp_error(state, "--ring: %zu bytes are not enough for 4 records of %zu", args->ring_bytes,
			   most);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pc_args *args = state->input;

	switch (key) {
	case 'c':
		parse_contenders(state, arg);
		return 0;
	case KEY_BASELINE:
		args->baseline = find(state, "--baseline", arg);
		return 0;
	case KEY_MODE:
		parse_mode(state, arg);
		return 0;
	case KEY_SIZES:
		parse_sizes(state, arg);
		return 0;
	case KEY_TRIP_SIZE:
		args->trip_size = tool_parse_size(state, "--trip-size", arg, 8, PC_LEN_MAX);
		return 0;
	case KEY_RING:
		args->ring_bytes = tool_parse_size(state, "--ring", arg, 4096, 64 << 20);
		return 0;
	case 'r':
		args->rounds = (unsigned int)tool_parse_number(state, "--rounds", arg, 1, ROUNDS_MAX);
		return 0;
	case KEY_TIME:
		args->target_ns = tool_parse_number(state, "--time", arg, 1, 60000) * 1000000;
		return 0;
	case KEY_CPUS:
		if (bench_place_parse(&args->place, arg))
			argp_error(state, "--cpus: '%s' is not two usable CPUs such as 0,1", arg);
		args->placed = true;
		return 0;
	case KEY_QUICK:
		args->rounds = 3;
		args->target_ns = 10000000;
		return 0;
	case KEY_NO_TRACE:
		args->trace = false;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case KEY_TSV:
		args->tsv = true;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case TOOL_KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	case ARGP_KEY_END:
		check(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Why @who cannot run, in words; NULL: it can. */
static const char *obstacle(const struct pc_args *args, const struct pc_contender *who)
{
	int err;

	if (who->spins && args->place.cpu[0].id == args->place.cpu[1].id)
		return "it spins, which needs two CPUs";
	err = who->available();
	if (err == -ENOENT)	/* only opening the device can say so */
		return "there is no /dev/shmring, so the module is not loaded";
	return err ? shmring_strerror(err) : NULL;
}

/* Leaves in @args those that can run. */
static int choose(struct pc_args *args, struct pc_report *report)
{
	unsigned int i, n = 0;
	const char *why;

	for (i = 0; i < args->contenders; i++) {
		why = obstacle(args, args->who[i]);
		if (!why)
			args->who[n++] = args->who[i];
		else if (args->chosen)
			return tool_say(TOOL_ERROR, "%s cannot run here: %s", args->who[i]->name, why);
		else
			json_array_append_new(report->skipped,
					      json_pack("{s:s, s:s}", "contender", args->who[i]->name,
							"why", why));
	}
	if (!n)
		return tool_say(TOOL_ERROR, "no contender can run here");
	args->contenders = report->contenders = n;
	for (i = 0; i < n; i++)
		if (args->who[i] == args->baseline)
			report->baseline = i;
	return TOOL_OK;
}

static int failed(const struct pc_run *run, int err, struct bench_progress *progress)
{
	const char *what = run->round_trip ? "round trip" : "throughput";

	bench_progress_end(progress);
	switch (err) {
	case -EINTR:
		return tool_signal_exit();
	case -EBADMSG:
		return tool_say(TOOL_DAMAGED, "%s delivered a record that is not what was sent (%s, %zu bytes): there are no figures",
				run->who->name, what, run->shape.len);
	case -ECHILD:
		return tool_say(TOOL_ERROR, "a process of %s crashed or was killed (%s, %zu bytes)",
				run->who->name, what, run->shape.len);
	case -ETIMEDOUT:
		return tool_say(TOOL_ERROR, "%s hangs (%s, %zu bytes)", run->who->name, what, run->shape.len);
	default:
		return tool_fail(err, "%s failed (%s, %zu bytes)", run->who->name, what, run->shape.len);
	}
}

static void prepare(const struct pc_args *args, const struct pc_result *result, struct pc_run *run)
{
	memset(run, 0, sizeof(*run));
	run->who = result->who;
	run->place = &args->place;
	run->shape.len = result->len;
	run->shape.ring_bytes = args->ring_bytes;
	run->round_trip = result->round_trip;
	run->count = result->count;
}

/* How many system calls: a run of its own, which is not timed. */
static int trace(const struct pc_args *args, struct pc_result *result, struct bench_progress *progress)
{
	struct pc_run run;
	int err;

	prepare(args, result, &run);
	if (run.count > TRACED_MAX)
		run.count = TRACED_MAX;
	run.traced = true;
	bench_progress(progress, "counting system calls of %s", run.who->name);
	err = pc_measure(&run);
	if (err == -EPERM || err == -ENOSYS || err == -EIO) {
		result->calls_per_record = -1;	/* no ptrace(2) here */
		return TOOL_OK;
	}
	if (err)
		return failed(&run, err, progress);
	result->calls_per_record = (double)run.calls / (double)run.count;
	return TOOL_OK;
}

static int run_once(const struct pc_args *args, struct pc_result *result, unsigned int round,
		    struct bench_progress *progress)
{
	struct pc_run run;
	int err;

	prepare(args, result, &run);
	bench_progress(progress, "%s, %zu bytes, round %u: %s",
		       run.round_trip ? "round trip" : "throughput", result->len, round + 1,
		       run.who->name);
	err = pc_measure(&run);
	if (err)
		return failed(&run, err, progress);
	result->v[round] = run.value;
	result->p99[round] = run.p99;
	result->counted += run.count;
	result->sleeps += run.sleeps;
	result->kicks += run.kicks;
	result->switches += run.switches;
	return TOOL_OK;
}

/* All contenders at one length: warm up, round by round, count calls. */
static int run_group(const struct pc_args *args, struct pc_result *group, struct bench_progress *progress)
{
	unsigned int n = args->contenders, i, round;
	int err, code = TOOL_OK;

	for (i = 0; i < n; i++) {
		struct pc_run run;

		prepare(args, &group[i], &run);
		bench_progress(progress, "warming up %s", run.who->name);
		err = pc_calibrate(&run, args->target_ns);
		if (err)
			return failed(&run, err, progress);
		group[i].count = run.count;
	}
	/* Each round begins with another contender. */
	for (round = 0; round < args->rounds; round++)
		for (i = 0; i < n && !code; i++)
			code = run_once(args, &group[(i + round) % n], round, progress);
	for (i = 0; args->trace && i < n && !code; i++)
		code = trace(args, &group[i], progress);
	return code;
}

static int run_all(const struct pc_args *args, struct pc_report *report)
{
	unsigned int groups = report->results / report->contenders, g;
	struct bench_progress progress;
	int code = TOOL_OK;

	bench_progress_init(&progress, report->results * (1 + args->rounds + args->trace));
	for (g = 0; g < groups && !code; g++)
		code = run_group(args, report->result + g * report->contenders, &progress);
	bench_progress_end(&progress);
	return code;
}

static void free_report(struct pc_report *report)
{
	unsigned int i;

	for (i = 0; report->result && i < report->results; i++) {
		free(report->result[i].v);
		free(report->result[i].p99);
	}
	free(report->result);
	json_decref(report->environment);
	json_decref(report->skipped);
}

static int plan(const struct pc_args *args, struct pc_report *report)
{
	unsigned int groups = (args->throughput ? args->n_sizes : 0) + args->round_trip;
	unsigned int i;

	report->results = groups * args->contenders;
	report->result = calloc(report->results, sizeof(*report->result));
	if (!report->result)
		return -ENOMEM;
	for (i = 0; i < report->results; i++) {
		struct pc_result *r = &report->result[i];
		unsigned int g = i / args->contenders;

		r->who = args->who[i % args->contenders];
		r->round_trip = !args->throughput || g == args->n_sizes;
		r->len = r->round_trip ? args->trip_size : args->sizes[g];
		r->calls_per_record = -1;
		r->v = calloc(args->rounds, sizeof(double));
		r->p99 = calloc(args->rounds, sizeof(double));
		if (!r->v || !r->p99)
			return -ENOMEM;
	}
	return 0;
}

static int print(const struct pc_args *args, const struct pc_report *report)
{
	if (args->json)
		return tool_print_json(pc_report_json(report));
	if (args->tsv)
		pc_print_tsv(report);
	else
		pc_print_text(report);
	return tool_flush_stdout(TOOL_OK);
}

int bench_pc(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "",
		"Pass records from one process to another, each on a CPU of its own, in several ways, and "
		"compare them."
		"\v"
		"Every record carries its number and a pattern, is copied in, copied out and checked in "
		"full; a wrong one ends the benchmark with exit status 6. Figures are medians of "
		"interleaved rounds; ratios are taken round by round. They hold for this machine and "
		"this moment.",
		NULL, NULL, NULL
	};
	struct pc_args args = {
		.baseline = &pc_sysv_sem, .sizes = { 8, 64, 1024 }, .n_sizes = 3, .trip_size = 64,
		.rounds = 9, .target_ns = 100000000, .ring_bytes = 65536, .throughput = true,
		.round_trip = true, .trace = true, .contenders = ALL,
	};
	struct pc_report report = { 0 };
	int code, err;

	memcpy(args.who, all, sizeof(all));
	tool_parse(&argp, "shmring bench pc", argc, argv, &args);
	err = args.placed ? 0 : bench_place_pick(&args.place);
	if (err)
		return tool_fail(err, "cannot find out which CPUs may be used");
	tool_signals_init();
	report.rounds = args.rounds;
	report.ring_bytes = args.ring_bytes;
	report.skipped = json_array();
	code = choose(&args, &report);
	if (!code && plan(&args, &report))
		code = tool_fail(-ENOMEM, "cannot hold the results");
	if (!code) {
		report.environment = bench_environment(&args.place);
		code = run_all(&args, &report);
	}
	if (!code)
		code = print(&args, &report);
	free_report(&report);
	return code;
}
