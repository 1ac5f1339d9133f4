// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc: the results as the document that every benchmark leaves.
 */
#include "bench_pc.h"

const char pc_legend[] =
	"x, ahead: how many times as good as the baseline, round by round: median, least and most, "
	"and the rounds in which it was better.\n"
	"calls: system calls of both sides for each record, counted by ptrace in a run of its own. "
	"sleeps, kicks: how often a side slept "
	"or had to wake the other, by the library's own count, and "
	"switches: voluntary context switches of both sides, all for each record in the timed runs.\n"
	"A round trip includes one reading of the clock.";

static json_t *extra(const struct pc_result *r)
{
	double counted = (double)r->counted;
	json_t *o = json_object();

	if (r->calls_per_record >= 0)
		json_object_set_new(o, "calls", json_real(r->calls_per_record));
	if (r->who->counters) {
		json_object_set_new(o, "sleeps", json_real((double)r->sleeps / counted));
		json_object_set_new(o, "kicks", json_real((double)r->kicks / counted));
	}
	json_object_set_new(o, "switches", json_real((double)r->switches / counted));
	return o;
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
		.extra = extra(r),
	};
	char group[64];

	snprintf(group, sizeof(group), "%s of %zu-byte records",
		 r->round_trip ? "Round trip" : "Throughput", r->len);
	out.group = group;
	if (r->round_trip)
		out.percentiles = bench_latency_json(r->latency, report->rounds);
	return bench_doc_add(doc, &out);
}

json_t *pc_document(const struct pc_report *report)
{
	json_t *parameters, *doc;
	unsigned int i;

	parameters = json_pack("{s:i, s:I, s:s}", "rounds", (int)report->rounds,
			       "ring_bytes", (json_int_t)report->ring_bytes, "baseline",
			       report->results ? report->result[report->baseline].who->name : "");
	doc = bench_doc_new(report->bench, json_incref(report->environment), parameters);
	if (!doc)
		return NULL;
	json_object_set(doc, "skipped", report->skipped);
	for (i = 0; i < report->results; i++) {
		if (add(doc, report, &report->result[i])) {
			json_decref(doc);
			return NULL;
		}
		bench_doc_checked(doc, report->result[i].counted);
	}
	return doc;
}
