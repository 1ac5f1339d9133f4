// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench false-sharing: the results as the document that every benchmark leaves; for
 * people with bars, the addresses, and why the ratio is what it is.
 */
#include <ctype.h>
#include <inttypes.h>

#include "bench_result.h"
#include "bench_sharing.h"

#define BAR		24
#define ADDRESSES	4	/* shown of each layout */

enum { PACKED, NEAR, FAR };	/* in sharing_layouts */

static uint64_t line_of(const struct sharing_report *report, uint64_t address)
{
	return address / report->line * report->line;
}

static unsigned int lines(const struct sharing_report *report, const struct sharing_group *g,
			  unsigned int layout)
{
	unsigned int i, n = 0;

	/* Counters are in the order of their addresses. */
	for (i = 0; i < g->workers; i++)
		if (!i || line_of(report, g->address[layout][i]) !=
			  line_of(report, g->address[layout][i - 1]))
			n++;
	return n;
}

/* ---- the document ----------------------------------------------------------------------- */

static json_t *addresses(const struct sharing_group *g, unsigned int layout)
{
	json_t *a = json_array();
	unsigned int i;
	char text[24];

	for (i = 0; i < g->workers; i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64, g->address[layout][i]);
		json_array_append_new(a, json_string(text));
	}
	return a;
}

static int add_group(json_t *doc, const struct sharing_report *report,
		     const struct sharing_group *g)
{
	char group[96], figure[96], row[32];
	unsigned int layout;
	int err = 0;

	if (g->workers == 1)
		snprintf(row, sizeof(row), "1 %s", g->crew ? "process" : "thread");
	else
		snprintf(row, sizeof(row), "%u %s", g->workers, sharing_kind[g->crew]);
	snprintf(group, sizeof(group), "%s, each of %s, %s memory", sharing_ops[g->op].title, row,
		 g->kind->name);
	snprintf(figure, sizeof(figure), "%s, each of several %s, %s memory",
		 sharing_ops[g->op].title, sharing_kind[g->crew], g->kind->name);
	group[0] = (char)toupper(group[0]);
	figure[0] = (char)toupper(figure[0]);
	for (layout = 0; layout < SHARING_LAYOUTS && !err; layout++) {
		const struct bench_result out = {
			.group = group, .contender = sharing_layouts[layout].name,
			.metric = "throughput", .unit = "additions/s", .payload = -1,
			.rounds = g->v[layout], .n = report->args->rounds,
			.baseline = sharing_layouts[PACKED].name, .figure = figure, .row = row,
			.extra = json_pack("{s:i, s:i, s:s, s:s, s:s, s:o}", "workers",
					   (int)g->workers, "lines",
					   (int)lines(report, g, layout), "memory", g->kind->name,
					   "kind", sharing_kind[g->crew], "op",
					   sharing_ops[g->op].name, "addresses",
					   addresses(g, layout)),
		};

		err = bench_doc_add(doc, &out);
	}
	bench_doc_checked(doc, g->done);
	return err;
}

static json_t *document(const struct sharing_report *report)
{
	const struct sharing_args *args = report->args;
	json_t *doc;
	unsigned int i;

	doc = bench_doc_new("false-sharing", json_incref(report->environment),
			    json_pack("{s:i, s:i, s:i, s:f}", "rounds", (int)args->rounds,
				      "workers", (int)report->most, "line_bytes",
				      (int)report->line, "time_ms",
				      (double)args->target_ns / 1e6));
	if (!doc)
		return NULL;
	json_object_set(doc, "skipped", report->skipped);
	for (i = 0; i < report->groups; i++) {
		if (add_group(doc, report, &report->group[i])) {
			json_decref(doc);
			return NULL;
		}
	}
	return doc;
}

/* ---- for people -------------------------------------------------------------------------- */

static double median(const struct sharing_report *report, const double *v)
{
	struct bench_stats s;

	bench_stats(v, report->args->rounds, &s);
	return s.median;
}

static void print_group(const struct sharing_report *report, const struct sharing_group *g,
			double most)
{
	struct bench_ratio near, far;
	double v[SHARING_LAYOUTS];
	unsigned int layout;
	int i, length;

	for (layout = 0; layout < SHARING_LAYOUTS; layout++)
		v[layout] = median(report, g->v[layout]);
	bench_ratio(g->v[NEAR], g->v[PACKED], report->args->rounds, false, &near);
	bench_ratio(g->v[FAR], g->v[NEAR], report->args->rounds, false, &far);
	printf("%-12s %2u %-10s", g->kind->name, g->workers, sharing_kind[g->crew]);
	for (layout = 0; layout < SHARING_LAYOUTS; layout++)
		printf(" %8.1f", v[layout] / 1e6);
	printf("  %6.2f (%6.2f..%6.2f)  %6.2f  ", near.median, near.min, near.max, far.median);
	length = most > 0 ? (int)(near.median / most * BAR + 0.5) : 0;
	for (i = 0; i < length || !i; i++)
		putchar('#');
	putchar('\n');
}

static double most_ratio(const struct sharing_report *report)
{
	struct bench_ratio r;
	double most = 0;
	unsigned int i;

	for (i = 0; i < report->groups; i++) {
		bench_ratio(report->group[i].v[NEAR], report->group[i].v[PACKED],
			    report->args->rounds, false, &r);
		if (r.median > most)
			most = r.median;
	}
	return most;
}

static void print_figures(const struct sharing_report *report)
{
	double most = most_ratio(report);
	unsigned int op, i;

	for (op = 0; op < SHARING_OPS; op++) {
		if (!report->args->op[op])
			continue;
		printf("\nEach worker adds to a counter of its own by %s: million a second, each\n",
		       sharing_ops[op].title);
		printf("%-12s %13s %8s %8s %8s  %-24s %8s\n", "memory", "workers", "packed", "64 B",
		       "128 B", "64 B / packed", "128/64");
		for (i = 0; i < report->groups; i++)
			if (report->group[i].op == op)
				print_group(report, &report->group[i], most);
	}
}

/* One group of each memory, with the most workers: where the counters are. */
static void print_addresses(const struct sharing_report *report)
{
	const struct bench_memory_kind *last = NULL;
	unsigned int i, k, layout;

	printf("\nWhere the counters are; a cache line has %u bytes\n", report->line);
	for (i = 0; i < report->groups; i++) {
		const struct sharing_group *g = &report->group[i];

		if (g->op != report->group[0].op || g->workers != report->most || g->kind == last)
			continue;
		last = g->kind;
		for (layout = 0; layout < SHARING_LAYOUTS; layout++) {
			printf("%-12s %-12s %2u line%s", g->kind->name,
			       sharing_layouts[layout].name, lines(report, g, layout),
			       lines(report, g, layout) == 1 ? ": " : "s:");
			for (k = 0; k < g->workers && k < ADDRESSES; k++)
				printf("  %#" PRIx64 " (line %#" PRIx64 ")", g->address[layout][k],
				       g->address[layout][k] / report->line);
			printf("%s\n", k < g->workers ? "  ..." : "");
		}
	}
}

/* More than noise: a tenth, and in every round. */
static bool gains(const struct sharing_report *report, const struct bench_ratio *r)
{
	return r->median >= 1.1 && r->ahead == report->args->rounds;
}

static void print_advice(const struct sharing_report *report)
{
	struct bench_ratio near, far;
	const struct sharing_group *g = NULL;
	unsigned int i;

	for (i = 0; i < report->groups; i++)
		if (report->group[i].op == report->group[0].op && report->group[i].workers > 1 &&
		    report->group[i].workers <= report->cpus)
			g = &report->group[i];
	if (report->cpus == 1) {
		printf("\nThere is one CPU: workers never run at the same time, no line ever travels, and packing costs nothing.\n");
		return;
	}
	if (!g) {
		printf("\nOne worker has all lines to itself: see with --workers 2 what a second one costs it.\n");
		return;
	}
	bench_ratio(g->v[NEAR], g->v[PACKED], report->args->rounds, false, &near);
	bench_ratio(g->v[FAR], g->v[NEAR], report->args->rounds, false, &far);
	if (!gains(report, &near)) {
		printf("\nHere a line of one's own gains nothing beyond noise: the CPUs are emulated, or others use them (see the load), so that the workers\n"
		       "hardly ever ran at the same time.\n");
		return;
	}
	printf("\nNo worker ever looks at another's counter, yet %u %s on one line get %.1f times less done each than on lines of their own "
	       "(%s):\na CPU can add only to a line that it alone has, so a shared line has to travel with every turn. A load and a store wait less\n"
	       "than a locked add, since a CPU buffers stores while the line is away. ",
	       g->workers, sharing_kind[g->crew], near.median, g->kind->name);
	if (gains(report, &far))
		printf("128 B gain another %.2f times: this CPU fetches lines in pairs.\n",
		       far.median);
	else
		printf("128 B gain nothing over 64 B here; they do on CPUs\nthat fetch lines in pairs.\n");
	printf("Give whatever different CPUs write a line of its own. Rings keep the two sides' positions on pages of their own.\n");
}

static void print_text(const struct sharing_report *report)
{
	bench_print_environment(report->environment, stdout);
	printf("asked     1 to %u workers on %u CPUs; %u rounds, interleaved; every counter is checked\n",
	       report->most, report->cpus, report->args->rounds);
	bench_print_skipped(report->skipped);
	print_figures(report);
	print_addresses(report);
	print_advice(report);
}

int sharing_print(const struct sharing_report *report)
{
	json_t *doc;

	if (!report->args->json && !report->args->tsv) {
		print_text(report);
		return tool_flush_stdout(TOOL_OK);
	}
	doc = document(report);
	if (!doc)
		return tool_fail(-ENOMEM, "cannot hold the results");
	return bench_doc_print(doc, report->args->json ? BENCH_JSON : BENCH_TSV, NULL);
}
