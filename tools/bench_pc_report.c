// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc: the results as the document that every benchmark leaves.
 */
#include "bench_pc.h"

#define TAIL	8	/* p999 among the quantiles */

/* What else it costs: CPU time and memory, and the tail of the round trips. */
static void add_costs(json_t *o, const struct pc_report *report, const struct pc_result *r)
{
	double *v, longest = 0;
	struct bench_stats s;
	unsigned int i;

	json_object_set_new(o, "cpu_ns", json_real((double)r->cpu_ns / (double)r->counted));
	json_object_set_new(o, "memory", json_integer((json_int_t)r->memory));
	if (!r->round_trip)
		return;
	v = calloc(report->rounds, sizeof(*v));
	for (i = 0; v && i < report->rounds; i++) {
		v[i] = r->latency[i].v[TAIL];
		if (r->latency[i].v[BENCH_QUANTILES - 1] > longest)
			longest = r->latency[i].v[BENCH_QUANTILES - 1];
	}
	if (v) {
		bench_stats(v, report->rounds, &s);
		json_object_set_new(o, "p999", json_integer((json_int_t)s.median));
		json_object_set_new(o, "longest", json_integer((json_int_t)longest));
	}
	free(v);
}

static json_t *extra(const struct pc_report *report, const struct pc_result *r)
{
	double counted = (double)r->counted;
	json_t *o = json_object();

	if (r->calls_per_record >= 0)
		json_object_set_new(o, "calls", json_real(r->calls_per_record));
	if (r->who->counters && !report->costs) {
		json_object_set_new(o, "sleeps", json_real((double)r->sleeps / counted));
		json_object_set_new(o, "kicks", json_real((double)r->kicks / counted));
	}
	json_object_set_new(o, "switches", json_real((double)r->switches / counted));
	if (r->who->statistics)
		json_object_set_new(o, "statistics",
				    json_pack("{s:I, s:I, s:I, s:I}",
					      "produced", (json_int_t)r->side[0].records,
					      "consumed", (json_int_t)r->side[1].records,
					      "found_full", (json_int_t)r->side[0].blocked,
					      "found_empty", (json_int_t)r->side[1].blocked));
	if (report->costs)
		add_costs(o, report, r);
	return o;
}

/* Where no baseline was asked for: who did best of those that are not ours. */
static const char *best_peer(const struct pc_report *report, const struct pc_result *r)
{
	const struct pc_result *group, *best = NULL;
	struct bench_stats most, s;
	unsigned int i;

	if (report->baseline)
		return NULL;
	group = r - (r - report->result) % report->contenders;
	for (i = 0; i < report->contenders; i++) {
		if (group[i].unfit || group[i].who->ours)
			continue;
		bench_stats(group[i].v, report->rounds, &s);
		if (best && (r->round_trip ? s.median >= most.median : s.median <= most.median))
			continue;
		best = &group[i];
		most = s;
	}
	return best ? best->who->name : NULL;
}

static int add(json_t *doc, const struct pc_report *report, const struct pc_result *r)
{
	struct bench_result out = {
		.contender = r->who->name,
		.metric = r->round_trip ? "latency" : "throughput",
		.unit = r->round_trip ? "ns" : "records/s",
		.less_is_better = r->round_trip,
		.payload = (int64_t)r->len,
		.rounds = r->v,
		.n = report->rounds,
		.extra = extra(report, r),
	};
	char group[64];

	snprintf(group, sizeof(group), "%s of %zu-byte records%s",
		 r->round_trip ? "Round trip" : "Throughput", r->len,
		 r->batch > 1 ? ", 32 at a time" : "");
	out.group = group;
	out.baseline = best_peer(report, r);
	if (r->round_trip)
		out.percentiles = bench_latency_json(r->latency, report->rounds);
	return bench_doc_add(doc, &out);
}

static void skip(json_t *doc, const struct pc_result *r)
{
	char what[96];

	snprintf(what, sizeof(what), "%s with %zu-byte records", r->who->name, r->len);
	bench_doc_skip(doc, what, r->unfit);
}

json_t *pc_document(const struct pc_report *report)
{
	json_t *parameters, *doc;
	unsigned int i;

	parameters = json_pack("{s:i, s:I, s:s}", "rounds", (int)report->rounds,
			       "ring_bytes", (json_int_t)report->ring_bytes, "baseline",
			       report->baseline ? report->baseline->name : "");
	doc = bench_doc_new(report->bench, json_incref(report->environment), parameters);
	if (!doc)
		return NULL;
	json_object_set(doc, "skipped", report->skipped);
	for (i = 0; i < report->results; i++) {
		if (report->result[i].unfit) {
			skip(doc, &report->result[i]);
			continue;
		}
		if (add(doc, report, &report->result[i])) {
			json_decref(doc);
			return NULL;
		}
		if (report->result[i].who->in_place)
			bench_doc_marked(doc, report->result[i].counted);
		else
			bench_doc_checked(doc, report->result[i].counted);
	}
	return doc;
}
