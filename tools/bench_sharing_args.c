// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench false-sharing: the command line.
 */
#include "bench_sharing.h"

#define ROUNDS_MAX	1001

enum {
	KEY_CPUS = 0x100,
	KEY_TIME,
	KEY_OP,
	KEY_KIND,
	KEY_QUICK,
	KEY_TSV,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to measure:", 1 },
	{ "memory", 'm', "LIST", 0,
	  "Names with commas between them (default: anonymous, and the rings that can be had here; "
	  "'list' says what there is)", 1 },
	{ "workers", 'w', "N", 0,
	  "Up to how many workers (default: as many as there are CPUs)", 1 },
	{ "kind", KEY_KIND, "WHICH", 0, "threads, processes or both (default)", 1 },
	{ "op", KEY_OP, "WHICH", 0, "locked, plain (load and store) or both (default)", 1 },
	{ NULL, 0, NULL, 0, "How:", 2 },
	{ "rounds", 'r', "N", 0, "Rounds; in each, everything runs once (default 5)", 2 },
	{ "time", KEY_TIME, "MS", 0, "How long one run takes (default 20)", 2 },
	{ "cpus", KEY_CPUS, "A,B", 0,
	  "Where the first two run (default: two cores that are near to each other)", 2 },
	{ "quick", KEY_QUICK, NULL, 0, "2 rounds of 2 ms: to see that it works", 2 },
	{ NULL, 0, NULL, 0, "How to show it:", 3 },
	{ "json", 'j', NULL, 0, "JSON, with every round", 3 },
	{ "tsv", KEY_TSV, NULL, 0, "Values with tabs between them, a line each", 3 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static void list_memory(void)
{
	size_t i;

	for (i = 0; i < BENCH_MEMORIES; i++)
		printf("%-12s %s\n", bench_memory_kinds[i].name, bench_memory_kinds[i].what);
	exit(tool_flush_stdout(TOOL_OK));
}

static void parse_memory(struct argp_state *state, char *list)
{
	struct sharing_args *args = state->input;
	const struct bench_memory_kind *kind;
	char *name, *rest = list;

	if (!strcmp(list, "list"))
		list_memory();
	memset(args->memory, 0, sizeof(args->memory));
	args->chosen = true;
	while ((name = strsep(&rest, ","))) {
		kind = bench_memory_find(name);
		if (!kind)
			argp_error(state, "--memory: there is no memory '%s'; --memory list shows them",
				   name);
		args->memory[kind - bench_memory_kinds] = true;
	}
}

static void parse_choice(struct argp_state *state, const char *what, const char *arg, bool out[2],
			 const char *first, const char *second)
{
	out[0] = !strcmp(arg, first) || !strcmp(arg, "both");
	out[1] = !strcmp(arg, second) || !strcmp(arg, "both");
	if (!out[0] && !out[1])
		argp_error(state, "%s: '%s' is not %s, %s or both", what, arg, first, second);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sharing_args *args = state->input;

	switch (key) {
	case 'm':
		parse_memory(state, arg);
		return 0;
	case 'w':
		args->most = (unsigned int)tool_parse_number(state, "--workers", arg, 1, CREW_MAX);
		return 0;
	case KEY_KIND:
		parse_choice(state, "--kind", arg, args->kind, sharing_kind[0], sharing_kind[1]);
		return 0;
	case KEY_OP:
		parse_choice(state, "--op", arg, args->op, sharing_ops[0].name,
			     sharing_ops[1].name);
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
		args->rounds = 2;
		args->target_ns = 2000000;
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

void sharing_parse(struct sharing_args *args, int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "",
		"Let workers add to a counter each, packed in one cache line, 64 and 128 bytes apart, and "
		"show what it costs that they have a line in common."
		"\v"
		"Every counter is checked; one that is wrong ends the benchmark with exit status 6. "
		"Figures are medians of interleaved rounds; ratios are taken round by round. They hold "
		"for this machine and this moment.",
		NULL, NULL, NULL
	};
	size_t i;

	*args = (struct sharing_args){
		.op = { true, true }, .kind = { true, true }, .target_ns = 20000000, .rounds = 5,
	};
	for (i = 0; i < BENCH_MEMORIES; i++)
		args->memory[i] = !i || !strncmp(bench_memory_kinds[i].name, "ring", 4);
	tool_parse(&argp, "shmring bench false-sharing", argc, argv, args);
}
