// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc --race: what became of the records, as one table for people, and as the
 * document that every benchmark leaves.
 */
#include "bench_pc_race.h"

static int add_rate(json_t *doc, const struct race_toll *t)
{
	const struct bench_result out = {
		.group = "Taken out by all consumers, of rings that are correct",
		.contender = t->kind->name, .metric = "throughput", .unit = "records/s",
		.payload = RACE_LEN, .rounds = &t->rate, .n = 1,
		.extra = json_pack("{s:i, s:i}", "producers", (int)t->producers, "consumers",
				   (int)t->consumers),
	};

	return bench_doc_add(doc, &out);
}

static int add(json_t *doc, const struct race_toll *t)
{
	const struct {
		const char *group;
		const char *metric;
		double v;
	} row[] = {
		{ "Lost: put in and never taken out", "lost", t->lost },
		{ "Doubled: taken out once more", "doubled", t->doubled },
		{ "Torn: of no record, or of several", "torn", t->torn },
	};
	size_t i;
	int err;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct bench_result out = {
			.group = row[i].group, .contender = t->kind->name, .metric = row[i].metric,
			.unit = "records", .less_is_better = true, .payload = RACE_LEN,
			.rounds = &row[i].v, .n = 1,
			.extra = json_pack("{s:I, s:I, s:b}", "put", (json_int_t)t->put,
					   "taken", (json_int_t)t->got, "stopped", t->stopped),
		};

		err = bench_doc_add(doc, &out);
		if (err)
			return err;
	}
	return t->kind->correct ? add_rate(doc, t) : 0;
}

static json_t *document(const struct pc_args *args, const struct race_toll *toll, unsigned int n)
{
	unsigned int i;
	json_t *doc;

	doc = bench_doc_new("pc-race", bench_environment(&args->place),
			    json_pack("{s:i, s:i, s:i}", "producers", (int)args->producers,
				      "consumers", (int)args->consumers, "slots", RACE_SLOTS));
	for (i = 0; doc && i < n; i++) {
		if (toll[i].skipped) {
			bench_doc_skip(doc, toll[i].kind->name, toll[i].skipped);
			continue;
		}
		if (toll[i].kind->correct)
			bench_doc_checked(doc, (uint64_t)toll[i].got);
		if (add(doc, &toll[i])) {
			json_decref(doc);
			return NULL;
		}
	}
	return doc;
}

static const char *verdict(const struct race_toll *t)
{
	if (t->stopped)
		return "WRONG, and never ended";
	return race_right(t) ? "right" : "WRONG";
}

static void print_text(const struct pc_args *args, const json_t *doc, const struct race_toll *toll,
		       unsigned int n)
{
	unsigned int i;

	bench_print_head(doc);
	printf("\n%u producer%s and %u consumer%s at a time: what became of their records\n",
	       args->producers, args->producers == 1 ? "" : "s", args->consumers,
	       args->consumers == 1 ? "" : "s");
	printf("%-32s %9s %9s %9s %9s %7s\n", "ring", "put in", "taken", "lost", "doubled", "torn");
	for (i = 0; i < n; i++)
		if (!toll[i].skipped)
			printf("%-32s %9.0f %9.0f %9.0f %9.0f %7.0f  %s\n", toll[i].kind->name,
			       toll[i].put, toll[i].got, toll[i].lost, toll[i].doubled,
			       toll[i].torn, verdict(&toll[i]));
	puts("\nHead, tail and count need one owner each, or a lock around all three: with several of a kind\n"
	     "two write one slot, two take one record, and a count that both sides change drifts even with one\n"
	     "of each. An atomic count mends the count and nothing else. shmring needs no lock: MPSC is for one\n"
	     "consumer, in a QUEUE each record goes to one of them, in BROADCAST to all, so more are taken than\n"
	     "were put in. How fast they are with several of both: shmring bench many.");
}

int race_print(const struct pc_args *args, const struct race_toll *toll, unsigned int n)
{
	json_t *doc = document(args, toll, n);
	int code;

	if (!doc)
		return tool_fail(-ENOMEM, "cannot hold the results");
	if (args->json || args->tsv) {
		code = bench_doc_print(doc, args->json ? BENCH_JSON : BENCH_TSV, NULL);
	} else {
		print_text(args, doc, toll, n);
		code = tool_flush_stdout(TOOL_OK);
	}
	json_decref(doc);
	return code;
}
