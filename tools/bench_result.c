// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making the document that every benchmark leaves behind.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_result.h"

const char *const bench_quantile_name[BENCH_QUANTILES] = {
	"p01", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p999", "p9999", "max",
};

static const double quantile[BENCH_QUANTILES] = {
	1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100,
};

json_t *bench_doc_new(const char *bench, json_t *environment, json_t *parameters)
{
	time_t t = time(NULL);
	char when[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:[], s:[], s:{s:I, s:I, s:i}}",
			 "format", BENCH_FORMAT, "version", BENCH_VERSION, "bench", bench,
			 "date", when, "environment", environment, "parameters", parameters,
			 "results", "skipped", "checks", "records", (json_int_t)0, "marked",
			 (json_int_t)0, "failed", 0);
}

static json_t *numbers(const double *v, unsigned int n)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; i < n; i++)
		if (json_array_append_new(a, json_real(v[i]))) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static int add(json_t *doc, const struct bench_result *r)
{
	struct bench_stats s;
	json_t *o;

	bench_stats(r->rounds, r->n, &s);
	o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:f, s:f, s:f, s:f}",
		      "group", r->group, "contender", r->contender, "metric", r->metric,
		      "unit", r->unit, "less_is_better", r->less_is_better,
		      "payload", r->payload < 0 ? json_null() : json_integer(r->payload),
		      "rounds", numbers(r->rounds, r->n), "median", s.median, "min", s.min,
		      "max", s.max, "mad", s.mad);
	if (!o)
		return -ENOMEM;
	if ((r->baseline && json_object_set_new(o, "baseline", json_string(r->baseline))) ||
	    (r->figure && json_object_set_new(o, "figure", json_string(r->figure))) ||
	    (r->row && json_object_set_new(o, "row", json_string(r->row))) ||
	    (r->percentiles && json_object_set(o, "percentiles", r->percentiles)) ||
	    (r->extra && json_object_set(o, "extra", r->extra)) ||
	    json_array_append(json_object_get(doc, "results"), o)) {
		json_decref(o);
		return -ENOMEM;
	}
	json_decref(o);
	return 0;
}

int bench_doc_add(json_t *doc, const struct bench_result *r)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < r->n; i++)
		if (!isfinite(r->rounds[i]))
			err = -EBADMSG;
	if (!err)
		err = add(doc, r);
	json_decref(r->percentiles);
	json_decref(r->extra);
	return err;
}

void bench_doc_skip(json_t *doc, const char *contender, const char *why)
{
	json_array_append_new(json_object_get(doc, "skipped"),
			      json_pack("{s:s, s:s}", "contender", contender, "why", why));
}

static void count(json_t *doc, const char *what, uint64_t records)
{
	json_t *n = json_object_get(json_object_get(doc, "checks"), what);

	json_integer_set(n, json_integer_value(n) + (json_int_t)records);
}

void bench_doc_checked(json_t *doc, uint64_t records)
{
	count(doc, "records", records);
}

void bench_doc_marked(json_t *doc, uint64_t records)
{
	count(doc, "marked", records);
}

int bench_doc_print(json_t *doc, enum bench_form form, const char *advice)
{
	switch (form) {
	case BENCH_JSON:
		return tool_print_json(json_incref(doc));
	case BENCH_TSV:
		bench_print_tsv(doc);
		break;
	default:
		bench_print_text(doc, advice);
		break;
	}
	return tool_flush_stdout(TOOL_OK);
}

void bench_latency(uint32_t *ns, size_t n, struct bench_latency *out)
{
	unsigned int q;

	out->v[0] = bench_percentile(ns, n, quantile[0]);
	for (q = 1; q < BENCH_QUANTILES; q++)
		out->v[q] = ns[(size_t)(quantile[q] / 100 * (double)(n - 1) + 0.5)];
}

json_t *bench_latency_json(const struct bench_latency *rounds, unsigned int n)
{
	double *v = calloc(n, sizeof(*v));
	struct bench_stats s;
	json_t *o = json_object();
	unsigned int q, i;

	for (q = 0; v && q < BENCH_QUANTILES; q++) {
		for (i = 0; i < n; i++)
			v[i] = rounds[i].v[q];
		bench_stats(v, n, &s);
		json_object_set_new(o, bench_quantile_name[q],
				    json_real(q == BENCH_QUANTILES - 1 ? s.max : s.median));
	}
	free(v);
	return o;
}
