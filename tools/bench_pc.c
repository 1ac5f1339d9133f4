// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench pc - one producer and one consumer, each a process on a CPU of its
 * own: what to measure, in which order, and what to do when it goes wrong.
 */
#include "bench_pc.h"

/*
 * Each call is stopped twice, so where each record is some calls few records have to do;
 * many are for those who make a call now and then.
 */
#define TRACED_FEW	1000
#define TRACED_MANY	200000
#define CALLS_RARE	0.1	/* of a record */

/* What an errno means that is not shmring's, and where. */
static const char *plainly(const struct pc_contender *who, int err)
{
	static char text[160];

	snprintf(text, sizeof(text), "%s%s%s", who->where ? who->where : "",
		 who->where ? ": " : "", strerror(-err));
	return text;
}

/* Why @who cannot run, in words; NULL: it can. */
static const char *obstacle(const struct pc_args *args, const struct pc_contender *who)
{
	int err;

	if (who->spins && args->place.cpu[0].id == args->place.cpu[1].id)
		return "it spins, which needs two CPUs";
	err = who->available();
	if (err == -ENOENT && who->ours)	/* only opening the device can say so */
		return "there is no /dev/shmring, so the module is not loaded";
	if (err == -EBUSY)
		return "its daemon cannot be started: another one runs, or /dev/shm is too small";
	if (err == -ENOPKG)
		return "its library was not there when this was built";
	if (err && !who->ours)
		return plainly(who, err);
	return err ? shmring_strerror(err) : NULL;
}

/* Leaves in @args those that can run. */
static int choose(struct pc_args *args, struct pc_report *report)
{
	unsigned int i, n = 0;
	const char *why;

	for (i = 0; i < args->contenders; i++) {
		why = obstacle(args, args->who[i]);
		if (!why) {
			args->who[n++] = args->who[i];
			continue;
		}
		if (args->chosen)
			return tool_say(TOOL_ERROR, "%s cannot run here: %s", args->who[i]->name,
					why);
		json_array_append_new(report->skipped,
				      json_pack("{s:s, s:s}", "contender", args->who[i]->name,
						"why", why));
	}
	if (!n)
		return tool_say(TOOL_ERROR, "no contender can run here");
	args->contenders = report->contenders = n;
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
		return tool_say(TOOL_ERROR, "%s hangs (%s, %zu bytes)", run->who->name, what,
				run->shape.len);
	default:
		if (!run->who->ours)	/* what an errno means with shmring is not meant then */
			return tool_say(TOOL_ERROR, "%s failed (%s, %zu bytes): %s",
					run->who->name, what, run->shape.len,
					plainly(run->who, err));
		return tool_fail(err, "%s failed (%s, %zu bytes)", run->who->name, what,
				 run->shape.len);
	}
}

static void prepare(const struct pc_args *args, const struct pc_result *result, struct pc_run *run)
{
	memset(run, 0, sizeof(*run));
	run->who = result->who;
	run->place = &args->place;
	run->shape.len = result->len;
	run->shape.batch = result->batch;
	run->shape.ring_bytes = result->ring_bytes;
	run->shape.slots = result->slots;
	run->round_trip = result->round_trip;
	run->count = result->count;
}

static int trace_some(const struct pc_args *args, const struct pc_result *result, uint64_t most,
		      struct pc_run *run)
{
	prepare(args, result, run);
	if (run->count > most)
		run->count = most;
	run->traced = true;
	return pc_measure(run);
}

/* How many system calls: runs of their own, which are not timed. */
static int trace(const struct pc_args *args, struct pc_result *result,
		 struct bench_progress *progress)
{
	struct pc_run run;
	int err;

	if (result->unfit)
		return TOOL_OK;
	bench_progress(progress, "counting system calls of %s", result->who->name);
	err = trace_some(args, result, TRACED_FEW, &run);
	if (!err && !args->bench->costs && (double)run.calls < CALLS_RARE * (double)run.count)
		err = trace_some(args, result, TRACED_MANY, &run);
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
	unsigned int side;
	int err;

	if (result->unfit)
		return TOOL_OK;
	prepare(args, result, &run);
	bench_progress(progress, "%s, %zu bytes, round %u: %s",
		       run.round_trip ? "round trip" : "throughput", result->len, round + 1,
		       run.who->name);
	err = pc_measure(&run);
	if (err)
		return failed(&run, err, progress);
	result->v[round] = run.value;
	result->latency[round] = run.latency;
	result->counted += run.count;
	result->sleeps += run.sleeps;
	result->kicks += run.kicks;
	result->switches += run.switches;
	result->cpu_ns += run.cpu_ns;
	result->memory = run.memory;
	for (side = 0; side < BENCH_SIDES; side++) {
		result->side[side].records += run.counted[side].records;
		result->side[side].blocked += run.counted[side].blocked;
	}
	return TOOL_OK;
}

/* How many records are measured, of all contenders at one length. */
static int warm_up(const struct pc_args *args, struct pc_result *group,
		   struct bench_progress *progress)
{
	unsigned int i;
	int err;

	for (i = 0; i < args->contenders; i++) {
		struct pc_run run;

		if (group[i].unfit)
			continue;
		prepare(args, &group[i], &run);
		bench_progress(progress, "warming up %s", run.who->name);
		err = pc_calibrate(&run, run.round_trip && args->trip_target_ns ?
					 args->trip_target_ns : args->target_ns);
		if (err)
			return failed(&run, err, progress);
		group[i].count = run.count;
	}
	return TOOL_OK;
}

/* All there is once: each round begins with another length and another contender. */
static int run_round(const struct pc_args *args, struct pc_report *report, unsigned int round,
		     struct bench_progress *progress)
{
	unsigned int n = args->contenders, groups = report->results / n, g, i;
	struct pc_result *group;
	int code = TOOL_OK;

	for (g = 0; g < groups; g++) {
		group = report->result + (g + round) % groups * n;
		for (i = 0; i < n && !code; i++)
			code = run_once(args, &group[(i + round) % n], round, progress);
	}
	return code;
}

/* Warm up, round by round, count calls. */
static int run_all(const struct pc_args *args, struct pc_report *report)
{
	struct bench_progress progress;
	unsigned int i, round;
	int code = TOOL_OK;

	bench_progress_init(&progress, report->results * (1 + args->rounds + args->trace));
	for (i = 0; i < report->results && !code; i += args->contenders)
		code = warm_up(args, report->result + i, &progress);
	for (round = 0; round < args->rounds && !code; round++)
		code = run_round(args, report, round, &progress);
	for (i = 0; args->trace && i < report->results && !code; i++)
		code = trace(args, &report->result[i], &progress);
	bench_progress_end(&progress);
	return code;
}

static void free_report(struct pc_report *report)
{
	unsigned int i;

	for (i = 0; report->result && i < report->results; i++) {
		free(report->result[i].v);
		free(report->result[i].latency);
	}
	free(report->result);
	json_decref(report->environment);
	json_decref(report->skipped);
}

/* Why @who takes no part in a group; NULL: it does. */
static const char *unfit(const struct pc_bench *bench, const struct pc_contender *who,
			 const struct pc_shape *shape)
{
	size_t most = pc_len_max(bench, who);

	if (shape->len > most)
		return most == PC_SLOTS_LEN_MAX ? "it is measured with records of up to 64 KiB" :
						  "it is measured with records of up to 1 MiB";
	return who->unfit ? who->unfit(shape) : NULL;
}

/* One more group: everyone at one length. */
static int plan_group(const struct pc_args *args, struct pc_report *report, size_t len,
		      unsigned int batch, bool round_trip)
{
	struct pc_shape shape = { .len = len, .batch = batch, .ring_bytes = args->ring_bytes };
	unsigned int i;

	while (shape.ring_bytes < args->least_slots * len)
		shape.ring_bytes *= 2;
	shape.slots = args->bench->small_slots ? shape.ring_bytes / len : PC_SLOTS;
	for (i = 0; i < args->contenders; i++) {
		struct pc_result *r = &report->result[report->results++];

		r->who = args->who[i];
		r->unfit = unfit(args->bench, r->who, &shape);
		r->round_trip = round_trip;
		r->len = len;
		r->ring_bytes = shape.ring_bytes;
		r->slots = shape.slots;
		r->batch = batch;
		r->calls_per_record = -1;
		r->v = calloc(args->rounds, sizeof(double));
		r->latency = calloc(args->rounds, sizeof(*r->latency));
		if (!r->v || !r->latency)
			return -ENOMEM;
	}
	return 0;
}

static int plan(const struct pc_args *args, struct pc_report *report)
{
	unsigned int i;
	int err = 0;

	report->result = calloc(3 * PC_SIZES_MAX * args->contenders, sizeof(*report->result));
	if (!report->result)
		return -ENOMEM;
	for (i = 0; args->throughput && i < args->n_sizes && !err; i++)
		err = plan_group(args, report, args->sizes[i], 1, false);
	for (i = 0; args->throughput && args->batches && i < args->n_sizes && !err; i++)
		if (args->sizes[i] <= PC_BATCH_LEN && args->sizes[i] % 8 == 0)
			err = plan_group(args, report, args->sizes[i], PC_BATCH, false);
	for (i = 0; args->round_trip && i < args->n_trip_sizes && !err; i++)
		err = plan_group(args, report, args->trip_sizes[i], 1, true);
	return err;
}

/* Is there anything to measure? */
static int anyone_fits(const struct pc_report *report)
{
	const struct pc_result *first = report->result;
	unsigned int i;

	for (i = 0; i < report->results; i++)
		if (!report->result[i].unfit)
			return TOOL_OK;
	return tool_say(TOOL_USAGE, "nobody who takes part carries such records; %s and %zu bytes: %s",
			first->who->name, first->len, first->unfit);
}

static int print(const struct pc_args *args, const struct pc_report *report)
{
	json_t *doc = pc_document(report);
	char *advice = NULL;
	int code;

	if (!doc)
		return tool_fail(-ENOMEM, "cannot hold the results");
	if (args->bench->advise)
		advice = args->bench->advise(doc);
	code = bench_doc_print(doc, args->json ? BENCH_JSON : args->tsv ? BENCH_TSV : BENCH_TEXT,
			       advice ? advice : args->bench->legend);
	free(advice);
	json_decref(doc);
	return code;
}

int pc_bench_run(const struct pc_bench *bench, int argc, char **argv)
{
	struct pc_report report = { 0 };
	struct pc_args args;
	int code, err;

	pc_parse(&args, bench, argc, argv);
	err = args.placed ? 0 : bench_place_pick(&args.place);
	if (err)
		return tool_fail(err, "cannot find out which CPUs may be used");
	tool_signals_init();
	if (args.survive)
		return pc_survive(&args);
	if (args.race)
		return pc_race(&args);
	report.costs = bench->costs;
	report.bench = bench->name;
	report.baseline = args.baseline;
	report.rounds = args.rounds;
	report.ring_bytes = args.ring_bytes;
	report.skipped = json_array();
	code = choose(&args, &report);
	if (!code && plan(&args, &report))
		code = tool_fail(-ENOMEM, "cannot hold the results");
	if (!code)
		code = anyone_fits(&report);
	if (!code) {
		report.environment = bench_environment(&args.place);
		code = run_all(&args, &report);
	}
	if (!code)
		code = print(&args, &report);
	free_report(&report);
	return code;
}

static const struct pc_contender *const all[] = {
	&pc_sysv_sem, &pc_sysv_int, &pc_msg_file, &pc_textbook, &pc_plain, &pc_memfd,
	&pc_memfd_spin, &pc_memfd_in_place, &pc_memfd_mpsc, &pc_memfd_queue,
	&pc_memfd_broadcast, &pc_device, &pc_device_spin, &pc_device_in_place, &pc_device_mpsc,
	&pc_device_queue, &pc_device_broadcast,
};

static const struct pc_args defaults = {
	.baseline = &pc_sysv_sem, .sizes = { 4, 8, 64, 1024 }, .n_sizes = 4,
	.trip_sizes = { 64 }, .n_trip_sizes = 1, .rounds = 9, .target_ns = 50000000,
	.ring_bytes = 256 << 10, .throughput = true, .round_trip = true, .trace = true,
};

#define LEGEND PC_LEGEND "\n"						\
	"in-place: nothing is copied, and the first and the last word of each record are written " \
	"and checked; the others copy and check all of it."

/* The legend, and what the channels that keep statistics counted themselves. */
static char *advise(json_t *doc)
{
	const json_t *o, *s;
	char *text = NULL;
	size_t n, i;
	FILE *f;

	f = open_memstream(&text, &n);
	if (!f)
		return NULL;
	fputs(LEGEND, f);
	json_array_foreach(json_object_get(doc, "results"), i, o) {
		s = json_object_get(json_object_get(o, "extra"), "statistics");
		if (!s)
			continue;
		fprintf(f, "\n%s, %s: by its own statistics produced %lld, consumed %lld; found full %lld times, empty %lld times.",
			json_string_value(json_object_get(o, "contender")),
			json_string_value(json_object_get(o, "group")),
			(long long)json_integer_value(json_object_get(s, "produced")),
			(long long)json_integer_value(json_object_get(s, "consumed")),
			(long long)json_integer_value(json_object_get(s, "found_full")),
			(long long)json_integer_value(json_object_get(s, "found_empty")));
	}
	fclose(f);
	return text;
}

int bench_pc(int argc, char **argv)
{
	static const struct pc_bench bench = {
		.name = "pc",
		.self = "shmring bench pc",
		.doc =
		"Pass records from one process to another, each on a CPU of its own, in several ways, and "
		"compare them."
		"\v"
		"Every record carries its number and a pattern, is copied in, copied out and checked in "
		"full; only shmring in place copies nothing, and writes and checks the first and the last "
		"word of each. A wrong one ends the benchmark with exit status 6. Figures are medians of "
		"interleaved rounds; ratios are taken round by round. They hold for this machine and "
		"this moment. Several producers and consumers: --race shows that they are served right, "
		"'shmring bench many' how fast.",
		.legend = LEGEND,
		.advise = advise,
		.demonstrations = true,
		.all = all,
		.n = sizeof(all) / sizeof(all[0]),
		.defaults = &defaults,
	};

	return pc_bench_run(&bench, argc, argv);
}
