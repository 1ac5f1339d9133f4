// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc: the contenders there are, and the command line.
 */
#include "bench_pc.h"

#define ROUNDS_MAX	1001

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
	KEY_SURVIVE,
	KEY_RACE,
	KEY_PRODUCERS,
	KEY_CONSUMERS,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to measure:", 1 },
	{ "contenders", 'c', "LIST", 0,
	  "Names with commas between them (default: all that can run here; 'list' shows them)", 1 },
	{ "baseline", KEY_BASELINE, "NAME", 0,
	  "What the others are compared to (default: pc sysv-sem, peers the best peer)", 1 },
	{ "mode", KEY_MODE, "WHICH", 0, "throughput, roundtrip or both (default)", 1 },
	{ "sizes", KEY_SIZES, "LIST", 0,
	  "Throughput: bytes of a record (default: pc 4,8,64,1024)", 1 },
	{ "trip-size", KEY_TRIP_SIZE, "LIST", 0,
	  "Round trip: bytes of a record (default: pc 64)", 1 },
	{ "ring", KEY_RING, "BYTES", 0,
	  "Memory for records in rings; K and M may follow (default: 256K)", 1 },
	{ NULL, 0, NULL, 0, "How:", 2 },
	{ "rounds", 'r', "N", 0, "Rounds; in each, every contender runs once (default: pc 9)", 2 },
	{ "time", KEY_TIME, "MS", 0, "About how long one run takes (default: pc 50)", 2 },
	{ "cpus", KEY_CPUS, "A,B", 0,
	  "Where the two processes run (default: two cores that are near to each other)", 2 },
	{ "quick", KEY_QUICK, NULL, 0, "3 rounds of 10 ms: to see that it works", 2 },
	{ "no-trace", KEY_NO_TRACE, NULL, 0, "Do not count system calls", 2 },
	{ NULL, 0, NULL, 0, "Demonstrations, in place of measuring (pc only):", 4 },
	{ "race", KEY_RACE, NULL, 0,
	  "Several producers and consumers: what the textbook's ring loses, doubles and tears, and "
	  "shmring in each topology does not", 4 },
	{ "producers", KEY_PRODUCERS, "N", 0, "With --race: how many, 1 to 16 (default 2)", 4 },
	{ "consumers", KEY_CONSUMERS, "N", 0, "With --race: how many, 1 to 16 (default 2)", 4 },
	{ "survive", KEY_SURVIVE, NULL, 0,
	  "Messages in an mmap'ed file, read after their sender was killed", 4 },
	{ NULL, 0, NULL, 0, "How to show it:", 3 },
	{ "json", 'j', NULL, 0, "JSON, with every round", 3 },
	{ "tsv", KEY_TSV, NULL, 0, "Values with tabs between them, a line each", 3 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static const struct pc_contender *find(struct argp_state *state, const char *what, const char *name)
{
	const struct pc_bench *bench = ((struct pc_args *)state->input)->bench;
	unsigned int i;

	for (i = 0; i < bench->n; i++)
		if (!strcmp(bench->all[i]->name, name))
			return bench->all[i];
	argp_error(state, "%s: there is no contender '%s'; --contenders list shows them", what,
		   name);
	return NULL;
}

static void list_contenders(const struct pc_bench *bench)
{
	unsigned int i;

	for (i = 0; i < bench->n; i++)
		printf("%-24s %s\n", bench->all[i]->name, bench->all[i]->what);
	exit(tool_flush_stdout(TOOL_OK));
}

static void parse_contenders(struct argp_state *state, char *list)
{
	struct pc_args *args = state->input;
	const struct pc_contender *who;
	char *name, *rest = list;
	unsigned int i;

	if (!strcmp(list, "list"))
		list_contenders(args->bench);
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

/* 1024 slots of PC_SLOTS_LEN_MAX are 64 MiB; more would be about memory alone. */
size_t pc_len_max(const struct pc_bench *bench, const struct pc_contender *who)
{
	if (who->most)
		return who->most;
	return bench->small_slots ? PC_LEN_MAX : PC_SLOTS_LEN_MAX;
}

/* Of anyone: who takes part may not be known yet. */
static size_t len_max(const struct pc_args *args)
{
	size_t most = 0, len;
	unsigned int i;

	for (i = 0; i < args->bench->n; i++) {
		len = pc_len_max(args->bench, args->bench->all[i]);
		if (len > most)
			most = len;
	}
	return most;
}

static size_t len_min(const struct pc_args *args)
{
	return args->bench->demonstrations ? 4 : 8;	/* peers take no less */
}

/* Return: how many are in @list; they are in @sizes then. */
static unsigned int parse_sizes(struct argp_state *state, const char *what, char *list,
				size_t *sizes)
{
	const struct pc_args *args = state->input;
	char *size, *rest = list;
	unsigned int n = 0;

	while ((size = strsep(&rest, ","))) {
		if (n == PC_SIZES_MAX)
			argp_error(state, "%s: more than %d", what, PC_SIZES_MAX);
		sizes[n++] = tool_parse_size(state, what, size, len_min(args), len_max(args));
	}
	return n;
}

static size_t longest(const size_t *sizes, unsigned int n)
{
	size_t most = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (sizes[i] > most)
			most = sizes[i];
	return most;
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
	size_t stream = args->throughput ? longest(args->sizes, args->n_sizes) : 0;
	size_t trip = args->round_trip ? longest(args->trip_sizes, args->n_trip_sizes) : 0;
	size_t most = stream > trip ? stream : trip;

	if (args->json && args->tsv)
		argp_error(state, "--json and --tsv exclude each other");
	if ((args->producers || args->consumers) && !args->race)
		argp_error(state, "--producers and --consumers are for 'shmring bench pc --race'; several of both are measured by 'shmring bench many'");
	if (args->ring_bytes & (args->ring_bytes - 1))
		argp_error(state, "--ring: %zu is not a power of two", args->ring_bytes);
	if (!args->least_slots && args->ring_bytes < 4 * most)
		argp_error(state, "--ring: %zu bytes are not enough for 4 records of %zu",
			   args->ring_bytes, most);
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
		args->n_sizes = parse_sizes(state, "--sizes", arg, args->sizes);
		return 0;
	case KEY_TRIP_SIZE:
		args->n_trip_sizes = parse_sizes(state, "--trip-size", arg, args->trip_sizes);
		return 0;
	case KEY_RING:
		args->ring_bytes = tool_parse_size(state, "--ring", arg, 4096, 64 << 20);
		return 0;
	case 'r':
		args->rounds = (unsigned int)tool_parse_number(state, "--rounds", arg, 1,
							       ROUNDS_MAX);
		return 0;
	case KEY_TIME:
		args->target_ns = tool_parse_number(state, "--time", arg, 1, 60000) * 1000000;
		args->trip_target_ns = 0;
		return 0;
	case KEY_CPUS:
		if (bench_place_parse(&args->place, arg))
			argp_error(state, "--cpus: '%s' is not two usable CPUs such as 0,1", arg);
		args->placed = true;
		return 0;
	case KEY_QUICK:
		args->quick = true;
		args->rounds = 3;
		args->target_ns = args->bench->costs ? 1000000 : 10000000;
		args->trip_target_ns = 0;
		return 0;
	case KEY_NO_TRACE:
		args->trace = false;
		return 0;
	case KEY_SURVIVE:
	case KEY_RACE:
		if (!args->bench->demonstrations)
			argp_error(state, "only 'shmring bench pc' has --race and --survive");
		if (key == KEY_SURVIVE)
			args->survive = true;
		else
			args->race = true;
		if (args->survive && args->race)
			argp_error(state, "--race and --survive exclude each other");
		return 0;
	case KEY_PRODUCERS:
		args->producers = (unsigned int)tool_parse_number(state, "--producers", arg, 1,
								  PC_RACERS_MAX);
		return 0;
	case KEY_CONSUMERS:
		args->consumers = (unsigned int)tool_parse_number(state, "--consumers", arg, 1,
								  PC_RACERS_MAX);
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

void pc_parse(struct pc_args *args, const struct pc_bench *bench, int argc, char **argv)
{
	const struct argp argp = { options, parse, "", bench->doc, NULL, NULL, NULL };

	*args = *bench->defaults;
	args->bench = bench;
	args->contenders = bench->n;
	memcpy(args->who, bench->all, bench->n * sizeof(*bench->all));
	tool_parse(&argp, bench->self, argc, argv, args);
	args->producers = args->producers ? args->producers : 2;
	args->consumers = args->consumers ? args->consumers : 2;
}
