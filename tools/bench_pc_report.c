// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc: the results as tables for people, as TSV and as JSON.
 */
#include "bench_pc.h"

struct summary {
	struct bench_stats v;
	struct bench_stats p99;
	struct bench_ratio ratio;
	double sleeps;
	double kicks;
	double switches;
};

static const struct pc_result *baseline_of(const struct pc_report *report, unsigned int i)
{
	return &report->result[i - i % report->contenders + report->baseline];
}

static void summarize(const struct pc_report *report, unsigned int i, struct summary *s)
{
	const struct pc_result *r = &report->result[i];
	double counted = (double)r->counted;

	bench_stats(r->v, report->rounds, &s->v);
	bench_ratio(r->v, baseline_of(report, i)->v, report->rounds, r->round_trip, &s->ratio);
	if (r->round_trip)
		bench_stats(r->p99, report->rounds, &s->p99);
	s->sleeps = (double)r->sleeps / counted;
	s->kicks = (double)r->kicks / counted;
	s->switches = (double)r->switches / counted;
}

static void print_ratio(const struct pc_report *report, unsigned int i, const struct summary *s)
{
	if (i % report->contenders == report->baseline)
		printf("  %7s %17s %6s", "1", "", "");
	else
		printf("  %7.2f  (%6.2f..%6.2f) %3u/%-2u", s->ratio.median, s->ratio.min,
		       s->ratio.max, s->ratio.ahead, report->rounds);
}

static void print_calls(const struct pc_result *r)
{
	if (r->calls_per_record < 0)
		printf("  %10s", "-");
	else
		printf("  %10.4f", r->calls_per_record);
}

static void print_sleeps(const struct pc_result *r, const struct summary *s)
{
	if (r->who->counters)
		printf("  %10.4f", s->sleeps + s->kicks);
	else
		printf("  %10s", "-");
	printf("  %10.4f\n", s->switches);
}

static void print_group_title(const struct pc_report *report, unsigned int i)
{
	const struct pc_result *r = &report->result[i];
	const char *base = baseline_of(report, i)->who->name;

	if (r->round_trip)
		printf("\nRound trip of %zu-byte records, ns; %u rounds, interleaved\n", r->len,
		       report->rounds);
	else
		printf("\nThroughput of %zu-byte records, million a second; %u rounds, interleaved\n",
		       r->len, report->rounds);
	printf("%-20s %8s %8s %8s %7s", "contender", r->round_trip ? "p50" : "median", "min", "max",
	       "MAD");
	if (r->round_trip)
		printf(" %8s", "p99");
	printf("  x %-26.26s ahead  %10s  %10s  %10s\n", base, "calls", "slept+woke", "switches");
}

void pc_print_text(const struct pc_report *report)
{
	struct summary s;
	const char *why;
	unsigned int i;
	json_t *o;
	size_t k;

	bench_print_environment(report->environment, stdout);
	printf("rings     %zu KiB for records; every record is written, received and checked in full\n",
	       report->ring_bytes / 1024);
	json_array_foreach(report->skipped, k, o) {
		why = json_string_value(json_object_get(o, "why"));
		printf("skipped   %s: %s\n", json_string_value(json_object_get(o, "contender")),
		       why);
	}
	for (i = 0; i < report->results; i++) {
		const struct pc_result *r = &report->result[i];
		double unit = r->round_trip ? 1 : 1e6;

		if (i % report->contenders == 0)
			print_group_title(report, i);
		summarize(report, i, &s);
		printf("%-20s %8.2f %8.2f %8.2f %7.2f", r->who->name, s.v.median / unit,
		       s.v.min / unit, s.v.max / unit, s.v.mad / unit);
		if (r->round_trip)
			printf(" %8.0f", s.p99.median);
		print_ratio(report, i, &s);
		print_calls(r);
		print_sleeps(r, &s);
	}
	printf("\nx, ahead: how many times as good as the baseline, round by round: median, least and "
	       "most, and the rounds in which it was better.\n"
	       "calls: system calls of both sides for each record, counted by ptrace in a run of its own. "
	       "slept+woke: by the library's own count, in the\ntimed runs. switches: voluntary context "
	       "switches of both sides. A round trip includes one reading of the clock.\n");
}

void pc_print_tsv(const struct pc_report *report)
{
	struct summary s;
	unsigned int i;

	printf("mode\tbytes\tcontender\tmedian\tmin\tmax\tmad\tp99\tratio\tratio_min\tratio_max\tahead\t"
	       "rounds\tbaseline\tcalls_per_record\tsleeps_per_record\tkicks_per_record\t"
	       "switches_per_record\n");
	for (i = 0; i < report->results; i++) {
		const struct pc_result *r = &report->result[i];

		summarize(report, i, &s);
		printf("%s\t%zu\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t", r->round_trip ? "roundtrip" : "throughput",
		       r->len, r->who->name, s.v.median, s.v.min, s.v.max, s.v.mad);
		if (r->round_trip)
			printf("%.1f", s.p99.median);
		printf("\t%.4f\t%.4f\t%.4f\t%u\t%u\t%s\t", s.ratio.median, s.ratio.min, s.ratio.max,
		       s.ratio.ahead, report->rounds, baseline_of(report, i)->who->name);
		if (r->calls_per_record >= 0)
			printf("%.6f", r->calls_per_record);
		if (r->who->counters)
			printf("\t%.6f\t%.6f", s.sleeps, s.kicks);
		else
			printf("\t\t");
		printf("\t%.6f\n", s.switches);
	}
}

static json_t *numbers(const double *v, unsigned int n)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; i < n; i++)
		json_array_append_new(a, json_real(v[i]));
	return a;
}

static json_t *stats_json(const struct bench_stats *s, const double *v, unsigned int n)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:o}", "median", s->median, "min", s->min,
			 "max", s->max, "mad", s->mad, "rounds", numbers(v, n));
}

static json_t *result_json(const struct pc_report *report, unsigned int i)
{
	const struct pc_result *r = &report->result[i];
	struct summary s;
	json_t *o;

	summarize(report, i, &s);
	o = json_pack("{s:s, s:I, s:I, s:o, s:f}", "contender", r->who->name,
		      "bytes", (json_int_t)r->len, "count", (json_int_t)r->count,
		      r->round_trip ? "p50_ns" : "records_per_second",
		      stats_json(&s.v, r->v, report->rounds),
		      "switches_per_record", s.switches);
	if (r->round_trip)
		json_object_set_new(o, "p99_ns", stats_json(&s.p99, r->p99, report->rounds));
	json_object_set_new(o, "times_baseline",
			    json_pack("{s:f, s:f, s:f, s:i}", "median", s.ratio.median,
				      "min", s.ratio.min, "max", s.ratio.max,
				      "rounds_ahead", (int)s.ratio.ahead));
	json_object_set_new(o, "system_calls_per_record",
			    r->calls_per_record < 0 ? json_null() : json_real(r->calls_per_record));
	json_object_set_new(o, "sleeps_per_record",
			    r->who->counters ? json_real(s.sleeps) : json_null());
	json_object_set_new(o, "kicks_per_record",
			    r->who->counters ? json_real(s.kicks) : json_null());
	return o;
}

json_t *pc_report_json(const struct pc_report *report)
{
	json_t *throughput = json_array(), *trips = json_array();
	unsigned int i;

	for (i = 0; i < report->results; i++)
		json_array_append_new(report->result[i].round_trip ? trips : throughput,
				      result_json(report, i));
	return json_pack("{s:s, s:O, s:O, s:i, s:I, s:s, s:o, s:o}", "bench", "pc",
			 "environment", report->environment, "skipped", report->skipped,
			 "rounds", (int)report->rounds,
			 "ring_bytes", (json_int_t)report->ring_bytes,
			 "baseline",
			 report->results ? report->result[report->baseline].who->name : "",
			 "throughput", throughput, "roundtrip", trips);
}
