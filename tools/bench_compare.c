// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench compare - what changed between two documents, beyond noise.
 *
 * A result changed if both hold: the medians differ by at least --threshold, and the
 * values of the two do not mix: less than one in twenty of all pairs (one of the old,
 * one of the new) goes the other way. The second is what a rank test looks at; it asks
 * for three rounds on each side, since with fewer even noise is often in order.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_result.h"

#define LEAST_ROUNDS	3
#define AGAINST		0.05	/* of the pairs may go the other way */

struct compare_args {
	const char *path[2];
	unsigned int paths;
	double threshold;
	bool json;
	bool all;
};

enum verdict {
	SAME,
	BETTER,
	WORSE,
	TOO_FEW,
	VERDICTS
};

static const char *const verdict_name[VERDICTS] = { "same", "better", "worse", "too few rounds" };

static const struct argp_option options[] = {
	{ "threshold", 't', "PERCENT", 0, "Changes of less are none (default 5)", 1 },
	{ "all", 'a', NULL, 0, "Show also what did not change", 1 },
	{ "json", 'j', NULL, 0, "Print JSON for programs instead of text for people", 1 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare_args *args = state->input;

	switch (key) {
	case 't':
		args->threshold = (double)tool_parse_number(state, "--threshold", arg, 0, 1000);
		args->threshold /= 100;
		return 0;
	case 'a':
		args->all = true;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case TOOL_KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case ARGP_KEY_ARG:
		if (args->paths == 2)
			argp_error(state, "'%s' is one argument too many", arg);
		args->path[args->paths++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->paths != 2)
			argp_error(state, "two files are needed: the old result and the new one");
		if (!strcmp(args->path[0], "-") && !strcmp(args->path[1], "-"))
			argp_error(state, "only one of the two can be the standard input");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool same_thing(const json_t *a, const json_t *b)
{
	return !strcmp(text(a, "group"), text(b, "group")) &&
	       !strcmp(text(a, "contender"), text(b, "contender")) &&
	       !strcmp(text(a, "metric"), text(b, "metric")) &&
	       !strcmp(text(a, "unit"), text(b, "unit"));
}

static const json_t *find(const json_t *doc, const json_t *like)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(doc, "results"), i, o)
		if (same_thing(o, like))
			return o;
	return NULL;
}

/* How much of all pairs has the new one above the old one; an equal pair is half. */
static double above(const json_t *old, const json_t *new)
{
	const json_t *a = json_object_get(old, "rounds"), *b = json_object_get(new, "rounds");
	const json_t *v, *w;
	double hits = 0;
	size_t i, k;

	json_array_foreach(a, i, v)
		json_array_foreach(b, k, w) {
			double d = json_number_value(w) - json_number_value(v);

			hits += d > 0 ? 1 : d < 0 ? 0 : 0.5;
		}
	return hits / ((double)json_array_size(a) * (double)json_array_size(b));
}

static enum verdict judge(const json_t *old, const json_t *new, double threshold, double *change)
{
	double a = json_number_value(json_object_get(old, "median"));
	double b = json_number_value(json_object_get(new, "median")), up;

	*change = a ? (b - a) / fabs(a) : b ? INFINITY : 0;
	if (json_array_size(json_object_get(old, "rounds")) < LEAST_ROUNDS ||
	    json_array_size(json_object_get(new, "rounds")) < LEAST_ROUNDS)
		return TOO_FEW;
	if (b == a || fabs(*change) < threshold)
		return SAME;
	up = above(old, new);
	if (b > a ? 1 - up > AGAINST : up > AGAINST)
		return SAME;
	return (b > a) == json_is_true(json_object_get(new, "less_is_better")) ? WORSE : BETTER;
}

/* Figures of two machines say nothing about a change of the program. */
static const char *const must_match[] = {
	"cpu", "kernel", "cpus_online", "topology", "governor", "mitigations",
};

static bool differs(const json_t *a, const json_t *b, size_t i)
{
	const json_t *x = json_object_get(json_object_get(a, "environment"), must_match[i]);
	const json_t *y = json_object_get(json_object_get(b, "environment"), must_match[i]);

	return (x || y) && !json_equal(x, y);
}

static json_t *compare(const json_t *old, const json_t *new, double threshold,
		       unsigned int *count)
{
	json_t *list = json_array(), *item;
	const json_t *o, *before;
	double change;
	size_t i;

	json_array_foreach(json_object_get(new, "results"), i, o) {
		enum verdict verdict;

		before = find(old, o);
		if (!before)
			continue;
		verdict = judge(before, o, threshold, &change);
		count[verdict]++;
		item = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:o, s:s}",
				 "group", text(o, "group"), "contender", text(o, "contender"),
				 "metric", text(o, "metric"), "unit", text(o, "unit"),
				 "old", json_object_get(before, "median"),
				 "new", json_object_get(o, "median"),
				 "change", isfinite(change) ? json_real(change) : json_null(),
				 "verdict", verdict_name[verdict]);
		json_array_append_new(list, item);
	}
	return list;
}

/* What only @a has. */
static json_t *missing(const json_t *a, const json_t *b)
{
	json_t *list = json_array();
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(a, "results"), i, o)
		if (!find(b, o))
			json_array_append_new(list,
					      json_pack("{s:s, s:s}", "group", text(o, "group"),
							"contender", text(o, "contender")));
	return list;
}

static void print_missing(const json_t *list, const char *which)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		printf("only in the %s: %s, %s\n", which, text(o, "group"), text(o, "contender"));
}

static void print_text(const struct compare_args *args, const json_t *report,
		       const unsigned int *count)
{
	const json_t *o, *change;
	const char *verdict;
	char a[32], b[32];
	size_t i;

	json_array_foreach(json_object_get(report, "environment"), i, o)
		printf("the two differ in %s: figures of different machines do not compare\n",
		       json_string_value(o));
	if (json_is_true(json_object_get(report, "busy")))
		printf("others used the CPUs when one was taken: a change may be theirs\n");
	json_array_foreach(json_object_get(report, "results"), i, o) {
		verdict = text(o, "verdict");
		if (!args->all && !strcmp(verdict, verdict_name[SAME]))
			continue;
		change = json_object_get(o, "change");
		printf("%-7s ", verdict);
		if (json_is_number(change))
			printf("%+7.1f %%", 100 * json_number_value(change));
		else
			printf("%9s", "from 0");
		printf("  %s, %s: %s -> %s %s\n", text(o, "group"), text(o, "contender"),
		       bench_number(a, sizeof(a), json_number_value(json_object_get(o, "old"))),
		       bench_number(b, sizeof(b), json_number_value(json_object_get(o, "new"))),
		       text(o, "unit"));
	}
	print_missing(json_object_get(report, "only_old"), "old");
	print_missing(json_object_get(report, "only_new"), "new");
	printf("%u better, %u worse, %u the same, %u with too few rounds to tell (3 are needed)\n",
	       count[BETTER], count[WORSE], count[SAME], count[TOO_FEW]);
}

static int run(const struct compare_args *args, const json_t *old, const json_t *new)
{
	unsigned int count[VERDICTS] = { 0 };
	json_t *report, *differing = json_array(), *list;
	size_t i;
	int code;

	if (strcmp(text(old, "bench"), text(new, "bench"))) {
		json_decref(differing);
		return tool_say(TOOL_ERROR, "'%s' is of bench %s and '%s' of bench %s: they do not compare",
				args->path[0], text(old, "bench"), args->path[1],
				text(new, "bench"));
	}
	for (i = 0; i < sizeof(must_match) / sizeof(must_match[0]); i++)
		if (differs(old, new, i))
			json_array_append_new(differing, json_string(must_match[i]));
	list = compare(old, new, args->threshold, count);
	if (!json_array_size(list)) {
		json_decref(list);
		json_decref(differing);
		return tool_say(TOOL_ERROR, "the two have no result in common");
	}
	report = json_pack("{s:s, s:f, s:b, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i}",
			   "bench", text(new, "bench"), "threshold", args->threshold, "busy",
			   bench_busy(json_object_get(old, "environment")) ||
			   bench_busy(json_object_get(new, "environment")),
			   "environment", differing, "results", list,
			   "only_old", missing(old, new), "only_new", missing(new, old),
			   "better", (int)count[BETTER], "worse", (int)count[WORSE],
			   "same", (int)count[SAME], "too_few_rounds", (int)count[TOO_FEW]);
	if (args->json) {
		code = tool_print_json(report);
	} else {
		print_text(args, report, count);
		json_decref(report);
		code = tool_flush_stdout(TOOL_OK);
	}
	return !code && count[WORSE] ? TOOL_ERROR : code;
}

int bench_compare(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "OLD NEW",
		"Show what changed between two results of 'shmring bench ... --json', beyond noise."
		"\v"
		"A result changed if its median differs by the threshold or more, and fewer than one in "
		"twenty of all pairs of an old and a new round say the opposite; both need three rounds. "
		"Exit status: 0 nothing is worse, 1 something is worse or the two cannot be compared, 2 "
		"the command line makes no sense.",
		NULL, NULL, NULL
	};
	struct compare_args args = { .threshold = 0.05 };
	json_t *old, *new;
	int code = TOOL_ERROR;

	tool_parse(&argp, "shmring bench compare", argc, argv, &args);
	old = bench_doc_load(args.path[0]);
	new = old ? bench_doc_load(args.path[1]) : NULL;
	if (new)
		code = run(&args, old, new);
	json_decref(new);
	json_decref(old);
	return code;
}
