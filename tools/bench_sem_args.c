// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench sem: the command line.
 */
#include "bench_sem.h"

#define ROUNDS_MAX	1001
#define LOGGED_STEPS	1000	/* of each worker, unless it was said */

enum {
	KEY_CPUS = 0x100,
	KEY_TIME,
	KEY_RELATION,
	KEY_STEPS,
	KEY_LOG,
	KEY_TIMEOUT,
	KEY_NO_KILL,
	KEY_QUICK,
	KEY_TSV,
};

const char *const sem_relation[SEM_RELATIONS] = { "related", "unrelated" };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to measure:", 1 },
	{ "guards", 'g', "LIST", 0,
	  "Names with commas between them (default: none,atomic,sem,mutex,futex; 'list' says "
	  "what they are)", 1 },
	{ "memory", 'm', "LIST", 0,
	  "Names with commas between them (default: all that can be had here; 'list' says what "
	  "they are)", 1 },
	{ "relation", KEY_RELATION, "WHICH", 0,
	  "related (the workers are forked), unrelated (they are started anew and attach by "
	  "name) or both (default)", 1 },
	{ "workers", 'w', "N", 0, "How many add (default 2)", 1 },
	{ "no-kill", KEY_NO_KILL, NULL, 0, "Do not kill a holder to see who waits in vain", 1 },
	{ NULL, 0, NULL, 0, "How:", 2 },
	{ "steps", KEY_STEPS, "N", 0,
	  "How often each worker adds in a run (default: as often as --time allows)", 2 },
	{ "rounds", 'r', "N", 0, "Rounds; in each, everything runs once (default 5)", 2 },
	{ "time", KEY_TIME, "MS", 0, "About how long one run takes (default 25)", 2 },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0,
	  "How long one waits for a holder that was killed (default 0.2)", 2 },
	{ "cpus", KEY_CPUS, "A,B", 0,
	  "Where the first two run (default: two cores that are near to each other)", 2 },
	{ "quick", KEY_QUICK, NULL, 0, "2 rounds of 2 ms: to see that it works", 2 },
	{ NULL, 0, NULL, 0, "How to show it:", 3 },
	{ "log", KEY_LOG, "FILE", 0,
	  "Write every step of every worker in the first round to FILE, and look that no two made "
	  "the same value (1000 steps unless --steps says otherwise)", 3 },
	{ "json", 'j', NULL, 0, "JSON, with every round", 3 },
	{ "tsv", KEY_TSV, NULL, 0, "Values with tabs between them, a line each", 3 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static void list_guards(void)
{
	size_t i;

	for (i = 0; i < SEM_GUARDS; i++)
		printf("%-12s %s\n", sem_guards[i].name, sem_guards[i].what);
	exit(tool_flush_stdout(TOOL_OK));
}

static void list_memory(void)
{
	size_t i;

	for (i = 0; i < BENCH_MEMORIES; i++)
		printf("%-12s %s\n", bench_memory_kinds[i].name, bench_memory_kinds[i].what);
	exit(tool_flush_stdout(TOOL_OK));
}

static void parse_guards(struct argp_state *state, char *list)
{
	struct sem_args *args = state->input;
	char *name, *rest = list;
	size_t i;

	if (!strcmp(list, "list"))
		list_guards();
	memset(args->guard, 0, sizeof(args->guard));
	while ((name = strsep(&rest, ","))) {
		for (i = 0; i < SEM_GUARDS && strcmp(sem_guards[i].name, name); i++)
			;
		if (i == SEM_GUARDS)
			argp_error(state, "--guards: there is no guard '%s'; --guards list shows them",
				   name);
		args->guard[i] = true;
	}
}

static void parse_memory(struct argp_state *state, char *list)
{
	struct sem_args *args = state->input;
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

static void parse_relation(struct argp_state *state, const char *which)
{
	struct sem_args *args = state->input;

	args->relation[0] = !strcmp(which, "related") || !strcmp(which, "both");
	args->relation[1] = !strcmp(which, "unrelated") || !strcmp(which, "both");
	if (!args->relation[0] && !args->relation[1])
		argp_error(state, "--relation: '%s' is not related, unrelated or both", which);
}

static void check(struct argp_state *state)
{
	struct sem_args *args = state->input;
	size_t i, memories = 0;

	if (args->json && args->tsv)
		argp_error(state, "--json and --tsv exclude each other");
	if (args->log && !args->steps)
		args->steps = LOGGED_STEPS;
	if (args->log && args->steps * args->workers > SEM_LOG_MAX)
		argp_error(state, "--log: %llu steps are too many to write down; %d of all workers together are not",
			   (unsigned long long)(args->steps * args->workers), SEM_LOG_MAX);
	/* What has no name is for related processes. */
	for (i = 0; i < BENCH_MEMORIES; i++)
		if (args->memory[i] && (args->relation[0] || bench_memory_kinds[i].attach))
			memories++;
	if (!memories)
		argp_error(state, "anonymous memory has no name, so unrelated processes cannot share it");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sem_args *args = state->input;

	switch (key) {
	case 'g':
		parse_guards(state, arg);
		return 0;
	case 'm':
		parse_memory(state, arg);
		return 0;
	case KEY_RELATION:
		parse_relation(state, arg);
		return 0;
	case 'w':
		args->workers = (unsigned int)tool_parse_number(state, "--workers", arg, 1,
								SEM_WORKERS_MAX);
		return 0;
	case KEY_NO_KILL:
		args->kill = false;
		return 0;
	case KEY_STEPS:
		args->steps = tool_parse_number(state, "--steps", arg, 1, 1000000000);
		return 0;
	case 'r':
		args->rounds = (unsigned int)tool_parse_number(state, "--rounds", arg, 1,
							       ROUNDS_MAX);
		return 0;
	case KEY_TIME:
		args->target_ns = tool_parse_number(state, "--time", arg, 1, 10000) * 1000000;
		return 0;
	case KEY_TIMEOUT:
		args->timeout_ns = tool_parse_seconds(state, "--timeout", arg);
		if (!args->timeout_ns || args->timeout_ns > 60000000000ull)
			argp_error(state, "--timeout: %s is not more than 0 and at most 60 seconds",
				   arg);
		return 0;
	case KEY_CPUS:
		if (bench_place_parse(&args->place, arg))
			argp_error(state, "--cpus: '%s' is not two usable CPUs such as 0,1", arg);
		args->placed = true;
		return 0;
	case KEY_QUICK:
		args->rounds = 2;
		args->target_ns = 2000000;
		args->timeout_ns = 50000000;
		return 0;
	case KEY_LOG:
		args->log = arg;
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

void sem_parse(struct sem_args *args, int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "",
		"Let processes add to one counter, with and without a guard around it, in several kinds "
		"of shared memory; look at the sum, and at what becomes of those who wait for a holder "
		"that was killed."
		"\v"
		"A sum that is wrong under a guard ends the benchmark with exit status 6. Without a guard "
		"it is expected to be wrong, and what was lost is shown. Figures are medians of "
		"interleaved rounds. They hold for this machine and this moment.",
		NULL, NULL, NULL
	};

	*args = (struct sem_args){
		.guard = { true, true, true, true, true },
		.memory = { true, true, true, true, true, true },
		.relation = { true, true },
		.workers = 2, .target_ns = 25000000, .rounds = 5, .kill = true,
		.timeout_ns = 200000000,
	};
	tool_parse(&argp, "shmring bench sem", argc, argv, args);
}
