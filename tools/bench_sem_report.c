// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench sem: the results as the document that every benchmark leaves, and for people
 * as three questions: is the sum right, how fast, and what when a holder dies.
 */
#include "bench_result.h"
#include "bench_sem.h"

#define BAR	16

static double lost_percent(const struct sem_result *r)
{
	return r->done ? 100 * (double)r->lost / (double)r->done : 0;
}

static double millions(const struct sem_report *report, const struct sem_result *r)
{
	struct bench_stats s;

	bench_stats(r->v, report->args->rounds, &s);
	return s.median / 1e6;
}

static const struct sem_result *find(const struct sem_report *report, unsigned int relation,
				     unsigned int memory, unsigned int guard)
{
	unsigned int i;

	for (i = 0; i < report->results; i++) {
		const struct sem_result *r = &report->result[i];

		if (r->unrelated == relation && r->kind == &bench_memory_kinds[memory] &&
		    r->guard == guard)
			return r;
	}
	return NULL;
}

/* ---- the document ----------------------------------------------------------------------- */

static const char *outcome_name(enum sem_outcome outcome)
{
	switch (outcome) {
	case SEM_HANGS:
		return "hangs";
	case SEM_RECOVERS:
		return "recovers";
	case SEM_GOES_ON:
		return "goes on";
	default:
		return "";
	}
}

static int add_result(json_t *doc, const struct sem_report *report, const struct sem_result *r)
{
	double waited = (double)r->waited_ns / 1e6;
	char group[128], figure[64], row[32];
	struct bench_result out = {
		.group = group, .contender = sem_guards[r->guard].name, .metric = "throughput",
		.figure = figure, .row = row,
		.unit = "additions/s", .payload = -1, .rounds = r->v, .n = report->args->rounds,
		.extra = json_pack("{s:I, s:f, s:s, s:s}", "steps", (json_int_t)r->steps,
				   "lost_percent", lost_percent(r), "memory", r->kind->name,
				   "relation", sem_relation[r->unrelated]),
	};
	int err;

	snprintf(row, sizeof(row), "%s memory", r->kind->name);
	snprintf(figure, sizeof(figure), "Additions of %s workers", sem_relation[r->unrelated]);
	snprintf(group, sizeof(group), "%s in %s", figure, row);
	if (report->args->log)
		json_object_set_new(out.extra, "made_twice", json_integer((json_int_t)r->twice));
	err = bench_doc_add(doc, &out);
	if (err || !r->outcome)
		return err;
	snprintf(figure, sizeof(figure), "Wait after the holder was killed, %s workers",
		 sem_relation[r->unrelated]);
	snprintf(group, sizeof(group), "%s in %s", figure, row);
	out.metric = "wait";
	out.unit = "ms";
	out.less_is_better = true;
	out.rounds = &waited;
	out.n = 1;
	out.extra = json_pack("{s:i, s:s, s:s, s:s}", "hung", r->outcome == SEM_HANGS,
			      "outcome", outcome_name(r->outcome), "memory", r->kind->name,
			      "relation", sem_relation[r->unrelated]);
	return bench_doc_add(doc, &out);
}

static json_t *document(const struct sem_report *report)
{
	const struct sem_args *args = report->args;
	json_t *doc;
	unsigned int i;

	doc = bench_doc_new("sem", json_incref(report->environment),
			    json_pack("{s:i, s:i, s:I, s:f}", "rounds", (int)args->rounds,
				      "workers", (int)args->workers, "steps",
				      (json_int_t)args->steps, "kill_timeout_ms",
				      (double)args->timeout_ns / 1e6));
	if (!doc)
		return NULL;
	json_object_set(doc, "skipped", report->skipped);
	for (i = 0; i < report->results; i++) {
		if (add_result(doc, report, &report->result[i])) {
			json_decref(doc);
			return NULL;
		}
		if (sem_guards[report->result[i].guard].right)
			bench_doc_checked(doc, report->result[i].done);
	}
	return doc;
}

/* ---- for people -------------------------------------------------------------------------- */

static void print_head(const struct sem_report *report, const char *first)
{
	unsigned int g;

	printf("%-12s", first);
	for (g = 0; g < SEM_GUARDS; g++)
		if (report->args->guard[g])
			printf(" %14s", sem_guards[g].name);
	putchar('\n');
}

/* Can the sum be nothing else? */
static bool is_right(const struct sem_report *report, const struct sem_result *r)
{
	return sem_guards[r->guard].right || report->args->workers == 1;
}

enum table { TABLE_SPEED, TABLE_LOST, TABLE_KILL };

static void print_cell(const struct sem_report *report, const struct sem_result *r,
		       enum table table)
{
	char text[32];

	switch (table) {
	case TABLE_SPEED:
		printf(" %14.2f", millions(report, r));
		return;
	case TABLE_LOST:
		if (r->lost)
			snprintf(text, sizeof(text), "%.1f%% lost", lost_percent(r));
		printf(" %14s", r->lost ? text : is_right(report, r) ? "right" : "right by luck");
		return;
	case TABLE_KILL:
		if (r->outcome == SEM_RECOVERS)
			snprintf(text, sizeof(text), "in %.2f ms", (double)r->waited_ns / 1e6);
		printf(" %14s", r->outcome == SEM_RECOVERS ? text : outcome_name(r->outcome));
		return;
	}
}

static void print_table(const struct sem_report *report, unsigned int relation, enum table table)
{
	const struct sem_result *r;
	unsigned int m, g;

	print_head(report, "memory");
	for (m = 0; m < BENCH_MEMORIES; m++) {
		for (g = 0; g < SEM_GUARDS && !find(report, relation, m, g); g++)
			;
		if (g == SEM_GUARDS)
			continue;
		printf("%-12s", bench_memory_kinds[m].name);
		for (g = 0; g < SEM_GUARDS; g++) {
			r = find(report, relation, m, g);
			if (r)
				print_cell(report, r, table);
		}
		putchar('\n');
	}
}

/* The median of a guard over everything that it was measured in. */
static double over_all(const struct sem_report *report, unsigned int guard)
{
	double v[SEM_RELATIONS * BENCH_MEMORIES];
	struct bench_stats s = { 0 };
	unsigned int i, n = 0;

	for (i = 0; i < report->results; i++)
		if (report->result[i].guard == guard)
			v[n++] = millions(report, &report->result[i]);
	if (n)
		bench_stats(v, n, &s);
	return s.median;
}

static void print_bars(const struct sem_report *report)
{
	double most = 0, v;
	unsigned int g;
	int i, length;

	for (g = 0; g < SEM_GUARDS; g++)
		if (over_all(report, g) > most)
			most = over_all(report, g);
	printf("\nThe guards, over all memories, million additions a second:\n");
	for (g = 0; g < SEM_GUARDS; g++) {
		if (!report->args->guard[g])
			continue;
		v = over_all(report, g);
		length = most > 0 ? (int)(v / most * BAR + 0.5) : 0;
		printf("%-8s %9.2f ", sem_guards[g].name, v);
		for (i = 0; i < BAR; i++)
			putchar(i < length || !i ? '#' : ' ');
		printf(" %s\n", sem_guards[g].what);
	}
}

static void print_advice(const struct sem_report *report)
{
	const struct sem_args *args = report->args;
	bool lost = false, none = args->guard[0];
	unsigned int i;

	for (i = 0; i < report->results; i++)
		lost |= report->result[i].lost != 0;
	if (none && !lost && args->workers > 1)
		printf("\nWithout a guard the sum came out right this time, by luck: the workers were never in each other's way.\n");
	printf("\nAn atomic add where one word is all there is to guard; a robust mutex where a holder may die, since only it tells the next one; "
	       "a semaphore\nto count things. The kind of memory decides who can find it and who removes it, not how fast a lock in it is.\n");
}

static void print_text(const struct sem_report *report)
{
	const struct sem_args *args = report->args;
	unsigned int relation;

	bench_print_environment(report->environment, stdout);
	printf("asked     %u workers add to one counter; %u rounds, interleaved\n", args->workers,
	       args->rounds);
	bench_print_skipped(report->skipped);
	for (relation = 0; relation < SEM_RELATIONS; relation++) {
		if (!args->relation[relation])
			continue;
		printf("\n%s\n", relation ?
		       "UNRELATED workers: programs started anew, which attach by name" :
		       "RELATED workers: forked, and inherit the memory");
		printf("\nThe sum of all additions\n");
		print_table(report, relation, TABLE_LOST);
		printf("\nMillion additions a second, of all workers together, median\n");
		print_table(report, relation, TABLE_SPEED);
		if (!args->kill)
			continue;
		printf("\nThe holder is killed in the critical section, and another wants in "
		       "(\"hangs\": it waited %.0f ms, in vain)\n", (double)args->timeout_ns / 1e6);
		print_table(report, relation, TABLE_KILL);
	}
	print_bars(report);
	print_advice(report);
}

int sem_print(const struct sem_report *report)
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
