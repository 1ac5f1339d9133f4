// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench numa - memory on each node, a worker on each node: the command line,
 * what to run, in which order, and what to do when it goes wrong.
 */
#include "bench_numa.h"

#define ROUNDS_MAX	1001
#define SIZE_MIN	(1 << 16)
#define SIZE_DEFAULT	(64 << 20)	/* more than most caches hold */
#define SIZE_QUICK	(2 << 20)

struct args {
	bool placer[NUMA_PLACERS];
	bool chosen;
	size_t bytes;
	unsigned int rounds;
	bool json;
	bool tsv;
};

struct job {
	struct args args;
	struct numa_topology topology;
	struct numa_place place[NUMA_PLACERS * NUMA_NODES_MAX];
	unsigned int places;
	struct numa_report report;
	struct bench_progress progress;
};

/* ---- the command line -------------------------------------------------------------------- */

enum {
	KEY_SIZE = 0x100,
	KEY_QUICK,
	KEY_TSV,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to measure:", 1 },
	{ "placed-by", 'p', "LIST", 0,
	  "Who places the memory: libnuma, ring-memfd, ring-device, with commas between them "
	  "(default: all that can here; 'list' says what they are)", 1 },
	{ "size", KEY_SIZE, "BYTES", 0,
	  "Memory on each node, a power of two; K, M or G may follow (default 64M)", 1 },
	{ NULL, 0, NULL, 0, "How:", 2 },
	{ "rounds", 'r', "N", 0, "Rounds; in each, everything runs once (default 5)", 2 },
	{ "quick", KEY_QUICK, NULL, 0, "2 rounds with 2 MiB: to see that it works", 2 },
	{ NULL, 0, NULL, 0, "How to show it:", 3 },
	{ "json", 'j', NULL, 0, "JSON, with every round", 3 },
	{ "tsv", KEY_TSV, NULL, 0, "Values with tabs between them, a line each", 3 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static void parse_placers(struct argp_state *state, char *list)
{
	struct args *args = state->input;
	char *name, *rest = list;
	size_t i;

	for (i = 0; !strcmp(list, "list") && i < NUMA_PLACERS; i++)
		printf("%-12s %s\n", numa_placers[i].name, numa_placers[i].what);
	if (i)
		exit(tool_flush_stdout(TOOL_OK));
	memset(args->placer, 0, sizeof(args->placer));
	args->chosen = true;
	while ((name = strsep(&rest, ","))) {
		for (i = 0; i < NUMA_PLACERS && strcmp(numa_placers[i].name, name); i++)
			;
		if (i == NUMA_PLACERS)
			argp_error(state, "--placed-by: '%s' is not libnuma, ring-memfd or ring-device",
				   name);
		args->placer[i] = true;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case 'p':
		parse_placers(state, arg);
		return 0;
	case KEY_SIZE:
		args->bytes = tool_parse_size(state, "--size", arg, SIZE_MIN, SHMRING_DATA_MAX);
		if (args->bytes & (args->bytes - 1))
			argp_error(state, "--size: %s is not a power of two", arg);
		return 0;
	case 'r':
		args->rounds = (unsigned int)tool_parse_number(state, "--rounds", arg, 1,
							       ROUNDS_MAX);
		return 0;
	case KEY_QUICK:
		args->rounds = 2;
		args->bytes = SIZE_QUICK;
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
		if (args->json && args->tsv)
			argp_error(state, "--json and --tsv exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	options, parse, "",
	"Put memory on every NUMA node and a worker on every node that has CPUs, and measure from "
	"each to each: writing, reading, and loads that need the one before."
	"\v"
	"All that is written is read and compared, and the kernel is asked where every page is: "
	"data that is wrong and memory that is elsewhere end the benchmark with exit status 6. "
	"Figures are medians of interleaved rounds. They hold for this machine and this moment.",
	NULL, NULL, NULL
};

/* ---- placing ------------------------------------------------------------------------------ */

static const char *obstacle(const struct job *job, unsigned int placer, int err)
{
	const char *memory = numa_placers[placer].memory;

	if (!memory && !job->topology.supported)
		return "this kernel or container has no NUMA calls";
	return memory ? bench_memory_obstacle(bench_memory_find(memory), err) :
			shmring_strerror(err);
}

static int not_placed(struct job *job, unsigned int placer, int node, int err)
{
	const char *who = numa_placers[placer].name, *why;

	if (err == -EXDEV)
		return tool_say(TOOL_DAMAGED, "%s placed memory for node %d on another node: there are no figures",
				who, node);
	why = obstacle(job, placer, err);
	if (job->args.chosen)
		return tool_say(TOOL_ERROR, "%s cannot place memory on node %d: %s", who, node,
				why);
	json_array_append_new(job->report.skipped,
			      json_pack("{s:s, s:s}", "contender", who, "why", why));
	return TOOL_OK;
}

/* A placer that fails on one node is left out on all: its matrix would have holes. */
static int place_all(struct job *job, unsigned int placer)
{
	const struct numa_topology *t = &job->topology;
	unsigned int first = job->places, m;
	int err;

	for (m = 0; m < t->memories; m++) {
		/* What a strict policy cannot get, the OOM killer does. */
		if (numa_room(t->memory[m]) < 2 * job->args.bytes)
			err = -ENOMEM;
		else if (!numa_placers[placer].memory && !t->supported)
			err = -ENOSYS;
		else
			err = numa_place_make(&job->place[job->places], placer, t->memory[m],
					      job->args.bytes);
		if (!err) {
			job->places++;
			continue;
		}
		while (job->places > first)
			numa_place_free(&job->place[--job->places]);
		return not_placed(job, placer, t->memory[m], err);
	}
	return TOOL_OK;
}

static int place(struct job *job)
{
	unsigned int placer;
	int code = TOOL_OK;

	for (placer = 0; placer < NUMA_PLACERS && !code; placer++)
		if (job->args.placer[placer])
			code = place_all(job, placer);
	if (!code && !job->places)
		code = tool_say(TOOL_ERROR, "nobody can place %zu bytes of memory here; try --size with less",
				job->args.bytes);
	return code;
}

static int plan(struct job *job)
{
	struct numa_report *report = &job->report;
	unsigned int i, w, metric;

	report->cell = calloc(job->places * job->topology.workers, sizeof(*report->cell));
	if (!report->cell)
		return -ENOMEM;
	for (i = 0; i < job->places; i++) {
		for (w = 0; w < job->topology.workers; w++) {
			struct numa_cell *c = &report->cell[report->cells++];

			c->place = &job->place[i];
			c->worker = w;
			for (metric = 0; metric < NUMA_METRICS; metric++) {
				c->v[metric] = calloc(report->rounds, sizeof(double));
				if (!c->v[metric])
					return -ENOMEM;
			}
		}
	}
	return 0;
}

/* ---- measuring ---------------------------------------------------------------------------- */

static int failed(struct job *job, const struct numa_cell *c, int err)
{
	const char *who = numa_placers[c->place->placer].name;
	int worker = job->topology.worker[c->worker], node = c->place->node;

	bench_progress_end(&job->progress);
	switch (err) {
	case -EINTR:
		return tool_signal_exit();
	case -EBADMSG:
		return tool_say(TOOL_DAMAGED, "a worker on node %d read what it had not written to memory of node %d (%s): there are no figures",
				worker, node, who);
	case -ECHILD:
		return tool_say(TOOL_ERROR, "a worker on node %d crashed or was killed (%s, memory of node %d)",
				worker, who, node);
	case -ETIMEDOUT:
		return tool_say(TOOL_ERROR, "a worker on node %d hangs (%s, memory of node %d)",
				worker, who, node);
	default:
		return tool_fail(err, "a worker on node %d failed (%s, memory of node %d)", worker,
				 who, node);
	}
}

static int run_cell(struct job *job, struct numa_cell *c, unsigned int round, bool latency)
{
	int cpu = job->topology.cpu[c->worker], err;

	bench_progress(&job->progress, "%s, round %u: node %d, memory of node %d, %s",
		       latency ? "latency" : "bandwidth", round + 1,
		       job->topology.worker[c->worker], c->place->node,
		       numa_placers[c->place->placer].name);
	if (latency)
		err = numa_latency(c->place, cpu, &c->v[NUMA_LATENCY][round]);
	else
		err = numa_bandwidth(c->place, cpu, round * 1000003ull + c->worker,
				     &c->v[NUMA_WRITE][round], &c->v[NUMA_READ][round]);
	c->checked += c->place->bytes / (latency ? 64 : sizeof(uint64_t));
	return err ? failed(job, c, err) : TOOL_OK;
}

static int run_all(struct job *job)
{
	struct numa_report *report = &job->report;
	unsigned int n = report->cells, latency, round, i;
	int code = TOOL_OK;

	bench_progress_init(&job->progress, 2 * n * report->rounds);
	for (latency = 0; latency < 2; latency++) {
		for (i = 0; latency && i < job->places && !code; i++)
			if (numa_shuffle(&job->place[i]))
				code = tool_signal_exit();
		/* Each round begins with another. */
		for (round = 0; round < report->rounds; round++)
			for (i = 0; i < n && !code; i++)
				code = run_cell(job, &report->cell[(i + round) % n], round,
						latency);
	}
	bench_progress_end(&job->progress);
	return code;
}

static void free_job(struct job *job)
{
	unsigned int i, metric;

	for (i = 0; i < job->report.cells; i++)
		for (metric = 0; metric < NUMA_METRICS; metric++)
			free(job->report.cell[i].v[metric]);
	free(job->report.cell);
	for (i = 0; i < job->places; i++)
		numa_place_free(&job->place[i]);
	json_decref(job->report.environment);
	json_decref(job->report.skipped);
	free(job);
}

int bench_numa(int argc, char **argv)
{
	struct job *job = calloc(1, sizeof(*job));
	int code, err;

	if (!job)
		return tool_fail(-ENOMEM, "cannot hold the results");
	job->args = (struct args){
		.placer = { true, true, true }, .bytes = SIZE_DEFAULT, .rounds = 5,
	};
	tool_parse(&argp, "shmring bench numa", argc, argv, &job->args);
	err = numa_look(&job->topology);
	if (err) {
		free(job);
		return tool_fail(err, "cannot find out which CPUs and nodes may be used");
	}
	tool_signals_init();
	job->report.topology = &job->topology;
	job->report.rounds = job->args.rounds;
	job->report.bytes = job->args.bytes;
	job->report.json = job->args.json;
	job->report.tsv = job->args.tsv;
	job->report.skipped = json_array();
	code = place(job);
	if (!code && plan(job))
		code = tool_fail(-ENOMEM, "cannot hold the results");
	if (!code) {
		job->report.environment = bench_environment(NULL);
		code = run_all(job);
	}
	if (!code)
		code = numa_print(&job->report);
	free_job(job);
	return code;
}
