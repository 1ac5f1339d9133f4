// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench many - several producers and several consumers of one channel: the
 * command line, what to measure in which order, and the results.
 */
#include "many.h"

#define ROUNDS_MAX	1001
#define SHAPES_MAX	16
#define CONTENDERS_MAX	32
#define LATENCY_LEN	64
#define LATENCY_PAUSE	100000	/* ns between two records of a producer */

enum {
	KEY_SHAPES = 0x100,
	KEY_SIZES,
	KEY_BATCHES,
	KEY_BASELINE,
	KEY_MODE,
	KEY_RING,
	KEY_TIME,
	KEY_CPUS,
	KEY_QUICK,
	KEY_TSV,
};

struct many_args {
	const struct many_contender *who[CONTENDERS_MAX];
	unsigned int contenders;
	const struct many_contender *baseline;
	unsigned int producers[SHAPES_MAX];
	unsigned int consumers[SHAPES_MAX];
	unsigned int shapes;
	size_t sizes[PC_SIZES_MAX];
	unsigned int n_sizes;
	bool single;
	bool batched;
	bool throughput;
	bool latency;
	size_t ring_bytes;
	unsigned int rounds;
	uint64_t target_ns;
	struct bench_place place;
	bool placed;
	bool chosen;
	bool json;
	bool tsv;
};

static __attribute__((unused)) int absent(void)
{
	return -ENOPKG;
}

/* One that this program was built without: it can be named, and says what it lacks. */
#define ABSENT(NAME, TITLE)			\
static const struct many_contender NAME = {	\
	.name = TITLE,				\
	.what = "not built in",			\
	.available = absent,			\
}

#ifndef HAVE_CK
ABSENT(no_ck, "ck-ring-mpmc");
#endif
#ifndef HAVE_DPDK
ABSENT(no_dpdk, "rte_ring-mpmc");
#endif
#ifndef HAVE_BOOST
ABSENT(no_boost, "boost-queue");
#endif
#ifndef HAVE_MOODYCAMEL
ABSENT(no_moodycamel, "moodycamel-mpmc");
#endif

static const struct many_contender *const all[] = {
	&many_memfd_mpsc_spin, &many_memfd_queue_spin, &many_memfd_broadcast_spin,
	&many_memfd_mpsc, &many_memfd_queue, &many_memfd_broadcast,
	&many_device_mpsc_spin, &many_device_queue_spin, &many_device_broadcast_spin,
	&many_device_mpsc, &many_device_queue, &many_device_broadcast,
#ifdef HAVE_DPDK
	&many_rte, &many_rte_one, &many_rte_rts, &many_rte_hts,
#else
	&no_dpdk,
#endif
#ifdef HAVE_CK
	&many_ck, &many_ck_one,
#else
	&no_ck,
#endif
#ifdef HAVE_BOOST
	&many_boost_queue, &many_boost_mq,
#else
	&no_boost,
#endif
#ifdef HAVE_MOODYCAMEL
	&many_cq,
#else
	&no_moodycamel,
#endif
};

#define ALL	(sizeof(all) / sizeof(all[0]))

/* ---- the command line -------------------------------------------------------- */

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to measure:", 1 },
	{ "contenders", 'c', "LIST", 0,
	  "Names with commas between them (default: all that can run here; 'list' shows them)", 1 },
	{ "baseline", KEY_BASELINE, "NAME", 0,
	  "What the others are compared to (default: the best peer)", 1 },
	{ "shapes", KEY_SHAPES, "LIST", 0,
	  "Producers x consumers (default: 1x1,2x1,1x2,2x2,4x4,8x8)", 1 },
	{ "sizes", KEY_SIZES, "LIST", 0, "Bytes of a record (default: 8,64)", 1 },
	{ "batches", KEY_BATCHES, "WHICH", 0,
	  "Records handed over at once: 1, 32 or both (default)", 1 },
	{ "mode", KEY_MODE, "WHICH", 0,
	  "throughput (default), latency (how long records are under way that each producer sends "
	  "every 0.1 ms) or both", 1 },
	{ "ring", KEY_RING, "BYTES", 0,
	  "Memory for records of all producers together; K and M may follow (default: 256K)", 1 },
	{ NULL, 0, NULL, 0, "How:", 2 },
	{ "rounds", 'r', "N", 0, "Rounds; in each, every contender runs once (default 9)", 2 },
	{ "time", KEY_TIME, "MS", 0,
	  "How long one run takes (default 20; longer with more processes than CPUs)", 2 },
	{ "cpus", KEY_CPUS, "A,B", 0,
	  "Where the first two processes run (default: two cores that are near to each other)", 2 },
	{ "quick", KEY_QUICK, NULL, 0, "3 rounds of 5 ms: to see that it works", 2 },
	{ NULL, 0, NULL, 0, "How to show it:", 3 },
	{ "json", 'j', NULL, 0, "JSON, with every round", 3 },
	{ "tsv", KEY_TSV, NULL, 0, "Values with tabs between them, a line each", 3 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static const struct many_contender *find(struct argp_state *state, const char *what,
					 const char *name)
{
	size_t i;

	for (i = 0; i < ALL; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	argp_error(state, "%s: there is no contender '%s'; --contenders list shows them", what,
		   name);
	return NULL;
}

static void list_contenders(void)
{
	size_t i;

	for (i = 0; i < ALL; i++)
		printf("%-29s %s\n", all[i]->name, all[i]->what);
	exit(tool_flush_stdout(TOOL_OK));
}

static void parse_contenders(struct argp_state *state, char *list)
{
	struct many_args *args = state->input;
	const struct many_contender *who;
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

static void parse_shapes(struct argp_state *state, char *list)
{
	struct many_args *args = state->input;
	char *shape, *producers, *rest = list;

	args->shapes = 0;
	while ((shape = strsep(&rest, ","))) {
		if (args->shapes == SHAPES_MAX)
			argp_error(state, "--shapes: more than %d", SHAPES_MAX);
		producers = strsep(&shape, "x");
		if (!shape)
			argp_error(state, "--shapes: '%s' is not like 2x1", producers);
		args->producers[args->shapes] = (unsigned int)
			tool_parse_number(state, "--shapes", producers, 1, MANY_EACH);
		args->consumers[args->shapes++] = (unsigned int)
			tool_parse_number(state, "--shapes", shape, 1, MANY_EACH);
	}
}

static void parse_sizes(struct argp_state *state, char *list)
{
	struct many_args *args = state->input;
	char *size, *rest = list;

	args->n_sizes = 0;
	while ((size = strsep(&rest, ","))) {
		if (args->n_sizes == PC_SIZES_MAX)
			argp_error(state, "--sizes: more than %d", PC_SIZES_MAX);
		args->sizes[args->n_sizes] =
			tool_parse_size(state, "--sizes", size, 8, PC_BATCH_LEN);
		if (args->sizes[args->n_sizes++] % 8)
			argp_error(state, "--sizes: %s is not a multiple of 8", size);
	}
}

static void parse_batches(struct argp_state *state, const char *which)
{
	struct many_args *args = state->input;

	args->single = !strcmp(which, "1") || !strcmp(which, "both");
	args->batched = !strcmp(which, "32") || !strcmp(which, "both");
	if (!args->single && !args->batched)
		argp_error(state, "--batches: '%s' is not 1, 32 or both", which);
}

static void parse_mode(struct argp_state *state, const char *mode)
{
	struct many_args *args = state->input;

	args->throughput = !strcmp(mode, "throughput") || !strcmp(mode, "both");
	args->latency = !strcmp(mode, "latency") || !strcmp(mode, "both");
	if (!args->throughput && !args->latency)
		argp_error(state, "--mode: '%s' is not throughput, latency or both", mode);
}

static void check(struct argp_state *state)
{
	const struct many_args *args = state->input;

	if (args->json && args->tsv)
		argp_error(state, "--json and --tsv exclude each other");
	if (args->ring_bytes & (args->ring_bytes - 1))
		argp_error(state, "--ring: %zu is not a power of two", args->ring_bytes);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct many_args *args = state->input;

	switch (key) {
	case 'c':
		parse_contenders(state, arg);
		return 0;
	case KEY_BASELINE:
		args->baseline = find(state, "--baseline", arg);
		return 0;
	case KEY_SHAPES:
		parse_shapes(state, arg);
		return 0;
	case KEY_SIZES:
		parse_sizes(state, arg);
		return 0;
	case KEY_BATCHES:
		parse_batches(state, arg);
		return 0;
	case KEY_MODE:
		parse_mode(state, arg);
		return 0;
	case KEY_RING:
		args->ring_bytes = tool_parse_size(state, "--ring", arg, 65536, 64 << 20);
		return 0;
	case 'r':
		args->rounds = (unsigned int)tool_parse_number(state, "--rounds", arg, 1,
							       ROUNDS_MAX);
		return 0;
	case KEY_TIME:
		args->target_ns = tool_parse_number(state, "--time", arg, 1, 10000) * 1000000;
		return 0;
	case KEY_CPUS:
		if (bench_place_parse(&args->place, arg))
			argp_error(state, "--cpus: '%s' is not two usable CPUs such as 0,1", arg);
		args->placed = true;
		return 0;
	case KEY_QUICK:
		args->rounds = 3;
		args->target_ns = 5000000;
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

/* ---- one group: everyone with one shape ---------------------------------------- */

/**
 * struct group - what is compared with each other
 * @args: the command line
 * @doc: where the results go
 * @progress: for people who wait
 * @shape: of the channel
 * @latency: instead of throughput
 * @name: of the group
 * @who: those who can carry this shape
 * @n: how many
 * @v: their values, round by round
 * @sum: of all rounds: records, sleeps, kicks, switches
 * @tail: their latencies, round by round
 * @slow: peers that did not end in time once: they are left out of the rest
 */
struct group {
	const struct many_args *args;
	json_t *doc;
	struct bench_progress *progress;
	struct many_shape shape;
	bool latency;
	char name[96];
	const struct many_contender *who[CONTENDERS_MAX];
	unsigned int n;
	double *v[CONTENDERS_MAX];
	struct many_run sum[CONTENDERS_MAX];
	struct bench_latency *tail[CONTENDERS_MAX];
	bool slow[CONTENDERS_MAX];
};

static uint64_t how_long(const struct many_args *args, const struct many_shape *shape)
{
	unsigned int each = (shape->producers + shape->consumers + 1) / 2;

	/* Each gets its turn several times; the scheduler's are some ms. */
	return args->target_ns * (each < 4 ? each : 4);
}

static int failed(const struct group *g, const struct many_contender *who, int err)
{
	bench_progress_end(g->progress);
	switch (err) {
	case -EINTR:
		return tool_signal_exit();
	case -EBADMSG:
		return tool_say(TOOL_DAMAGED, "%s lost, doubled, reordered or changed a record (%s): there are no figures",
				who->name, g->name);
	case -ECHILD:
		return tool_say(TOOL_ERROR, "a process of %s crashed or was killed (%s)", who->name,
				g->name);
	case -ETIMEDOUT:
		return tool_say(TOOL_ERROR, "%s hangs (%s)", who->name, g->name);
	default:
		if (!who->ours)	/* what an errno means with shmring is not meant then */
			return tool_say(TOOL_ERROR, "%s failed (%s): %s", who->name, g->name,
					strerror(-err));
		return tool_fail(err, "%s failed (%s)", who->name, g->name);
	}
}

static void skip(const struct group *g, const struct many_contender *who, const char *why)
{
	char what[160];

	snprintf(what, sizeof(what), "%s: %s", who->name, g->name);
	bench_doc_skip(g->doc, what, why);
}

static int run_once(struct group *g, unsigned int i, unsigned int round)
{
	struct many_run run = {
		.who = g->who[i], .place = &g->args->place, .shape = g->shape,
		.target_ns = how_long(g->args, &g->shape),
		.pause_ns = g->latency ? LATENCY_PAUSE : 0,
	};
	int err;

	bench_progress(g->progress, "%s, round %u: %s", g->name, round + 1, run.who->name);
	if (g->slow[i])
		return TOOL_OK;
	err = many_measure(&run);
	/* Others are still worth it; who asked for this one wants to know. */
	if (err == -ETIMEDOUT && !run.who->ours && !g->args->chosen) {
		skip(g, run.who, "a run of it did not end in a minute");
		g->slow[i] = true;
		return TOOL_OK;
	}
	if (err)
		return failed(g, run.who, err);
	g->v[i][round] = run.value;
	g->tail[i][round] = run.latency;
	g->sum[i].records += run.records;
	g->sum[i].sleeps += run.sleeps;
	g->sum[i].kicks += run.kicks;
	g->sum[i].switches += run.switches;
	bench_doc_checked(g->doc, run.records);
	return TOOL_OK;
}

/* Who did best of those that are not ours. */
static const char *best_peer(const struct group *g)
{
	const char *best = NULL;
	struct bench_stats s;
	double most = 0;
	unsigned int i;

	for (i = 0; i < g->n; i++) {
		if (g->who[i]->ours || g->slow[i])
			continue;
		bench_stats(g->v[i], g->args->rounds, &s);
		if (best && (g->latency ? s.median >= most : s.median <= most))
			continue;
		best = g->who[i]->name;
		most = s.median;
	}
	return best;
}

static int report_one(const struct group *g, unsigned int i, const char *baseline)
{
	double records = (double)g->sum[i].records;
	struct bench_result out = {
		.group = g->name, .contender = g->who[i]->name, .baseline = baseline,
		.metric = g->latency ? "latency" : "throughput",
		.unit = g->latency ? "ns" : "records/s",
		.less_is_better = g->latency, .payload = (int64_t)g->shape.len,
		.rounds = g->v[i], .n = g->args->rounds,
		.extra = json_pack("{s:f}", "switches", (double)g->sum[i].switches / records),
	};

	if (g->who[i]->counters) {
		json_object_set_new(out.extra, "sleeps",
				    json_real((double)g->sum[i].sleeps / records));
		json_object_set_new(out.extra, "kicks",
				    json_real((double)g->sum[i].kicks / records));
	}
	if (g->latency)
		out.percentiles = bench_latency_json(g->tail[i], g->args->rounds);
	return bench_doc_add(g->doc, &out);
}

static int report(const struct group *g)
{
	const char *baseline = g->args->baseline ? g->args->baseline->name : NULL;
	unsigned int i;
	int err = 0;

	for (i = 0; i < g->n; i++)
		if (g->slow[i] && baseline && !strcmp(baseline, g->who[i]->name))
			baseline = NULL;
	if (!baseline)
		baseline = best_peer(g);
	for (i = 0; i < g->n && !err; i++)
		if (!g->slow[i])
			err = report_one(g, i, baseline);
	return err ? tool_fail(err, "cannot hold the results") : TOOL_OK;
}

static void free_group(struct group *g)
{
	unsigned int i;

	for (i = 0; i < g->n; i++) {
		free(g->v[i]);
		free(g->tail[i]);
	}
}

/* Leaves out who cannot carry this shape. */
static int gather(struct group *g)
{
	const struct many_args *args = g->args;
	const char *why;
	unsigned int i;

	for (i = 0; i < args->contenders; i++) {
		const struct many_contender *who = args->who[i];

		why = who->unfit ? who->unfit(&g->shape) : NULL;
		if (why) {
			skip(g, who, why);
			continue;
		}
		g->v[g->n] = calloc(args->rounds, sizeof(double));
		g->tail[g->n] = calloc(args->rounds, sizeof(struct bench_latency));
		g->who[g->n++] = who;
		if (!g->v[g->n - 1] || !g->tail[g->n - 1])
			return tool_fail(-ENOMEM, "cannot hold the results");
	}
	return TOOL_OK;
}

static void name_group(struct group *g)
{
	const struct many_shape *s = &g->shape;

	snprintf(g->name, sizeof(g->name), "%s %u x %u, %zu-byte records%s",
		 g->latency ? "Under way" : "Throughput", s->producers, s->consumers, s->len,
		 s->batch > 1 ? ", 32 at a time" : "");
}

static int run_group(const struct many_args *args, json_t *doc, struct bench_progress *progress,
		     const struct many_shape *shape, bool latency)
{
	struct group g = {
		.args = args, .doc = doc, .progress = progress, .shape = *shape, .latency = latency,
	};
	unsigned int round, i;
	int code;

	name_group(&g);
	code = gather(&g);
	/* Each round begins with another contender. */
	for (round = 0; round < args->rounds; round++)
		for (i = 0; i < g.n && !code; i++)
			code = run_once(&g, (i + round) % g.n, round);
	if (!code && g.n)
		code = report(&g);
	free_group(&g);
	return code;
}

static int run_shape(const struct many_args *args, json_t *doc, struct bench_progress *progress,
		     unsigned int s)
{
	struct many_shape shape = {
		.ring_bytes = args->ring_bytes, .producers = args->producers[s],
		.consumers = args->consumers[s], .batch = 1, .len = LATENCY_LEN,
	};
	int code = TOOL_OK;
	unsigned int i;

	if (args->latency)
		code = run_group(args, doc, progress, &shape, true);
	for (i = 0; args->throughput && i < args->n_sizes && !code; i++) {
		shape.len = args->sizes[i];
		shape.batch = 1;
		if (args->single)
			code = run_group(args, doc, progress, &shape, false);
		shape.batch = PC_BATCH;
		if (args->batched && !code)
			code = run_group(args, doc, progress, &shape, false);
	}
	return code;
}

/* ---- all of it ------------------------------------------------------------------- */

/* Why @who cannot run, in words; NULL: it can. */
static const char *obstacle(const struct many_contender *who)
{
	int err = who->available();

	if (err == -ENOPKG)
		return "its library was not there when this was built";
	if (err == -ENOENT)	/* only opening the device can say so */
		return "there is no /dev/shmring, so the module is not loaded";
	return err ? shmring_strerror(err) : NULL;
}

/* Leaves in @args those that can run. */
static int choose(struct many_args *args, json_t *doc)
{
	unsigned int i, n = 0;
	const char *why;

	for (i = 0; i < args->contenders; i++) {
		why = obstacle(args->who[i]);
		if (!why) {
			args->who[n++] = args->who[i];
			continue;
		}
		if (args->chosen)
			return tool_say(TOOL_ERROR, "%s cannot run here: %s", args->who[i]->name,
					why);
		bench_doc_skip(doc, args->who[i]->name, why);
	}
	args->contenders = n;
	return TOOL_OK;
}

static int run(struct many_args *args, json_t *doc)
{
	unsigned int modes = args->throughput * args->n_sizes * (args->single + args->batched) +
			     args->latency, s;
	struct bench_progress progress;
	int code = choose(args, doc);

	bench_progress_init(&progress, args->shapes * modes * args->rounds * args->contenders);
	for (s = 0; s < args->shapes && !code; s++)
		code = run_shape(args, doc, &progress, s);
	bench_progress_end(&progress);
	return code;
}

int many_bench(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "",
		"Let several producers send to several consumers, each a process: shmring's topologies "
		"against queues that others made."
		"\v"
		"Every record carries its producer, its number and a pattern. Each consumer looks at all "
		"of it and at the order; at the end what all had is compared with what was sent. A wrong, "
		"lost or doubled record ends the benchmark with exit status 6. MPSC rings take part with "
		"one consumer; of a BROADCAST a record counts once, when all have had it. With more "
		"processes than CPUs whoever finds nothing to do soon gives the CPU to another, whatever "
		"the queue. Figures are medians of interleaved rounds; ratios are taken round by round. "
		"They hold for this machine and this moment.",
		NULL, NULL, NULL
	};
	static const char legend[] =
		"x, ahead: how many times as good as the baseline, round by round: median, least and "
		"most, and the rounds in which it was better.\n"
		"sleeps, kicks: how often one slept or had to wake another, by the library's own count, "
		"and switches: voluntary context switches; of all processes, for each record.";
	struct many_args args = {
		.contenders = ALL, .shapes = 6,
		.producers = { 1, 2, 1, 2, 4, 8 }, .consumers = { 1, 1, 2, 2, 4, 8 },
		.sizes = { 8, 64 }, .n_sizes = 2, .single = true, .batched = true,
		.throughput = true, .ring_bytes = 256 << 10, .rounds = 9, .target_ns = 20000000,
	};
	json_t *doc;
	int code, err;

	memcpy(args.who, all, sizeof(all));
	tool_parse(&argp, "shmring bench many", argc, argv, &args);
	err = args.placed ? 0 : bench_place_pick(&args.place);
	if (err)
		return tool_fail(err, "cannot find out which CPUs may be used");
	tool_signals_init();
	doc = bench_doc_new("many", bench_environment(&args.place),
			    json_pack("{s:i, s:I, s:s}", "rounds", (int)args.rounds, "ring_bytes",
				      (json_int_t)args.ring_bytes, "baseline",
				      args.baseline ? args.baseline->name : ""));
	if (!doc)
		return tool_fail(-ENOMEM, "cannot hold the results");
	code = run(&args, doc);
	if (!code)
		code = bench_doc_print(doc, args.json ? BENCH_JSON : args.tsv ? BENCH_TSV :
				       BENCH_TEXT, legend);
	json_decref(doc);
	return code;
}
