/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every benchmark leaves behind: one document, in JSON, as TSV, or as tables
 * with bars for people. shmring-bench(1) describes it; bench html and bench compare
 * read it.
 */
#ifndef SHMRING_BENCH_RESULT_H
#define SHMRING_BENCH_RESULT_H

#include "bench.h"

#define BENCH_FORMAT	"shmring-bench"
#define BENCH_VERSION	1

enum bench_form {
	BENCH_TEXT,
	BENCH_TSV,
	BENCH_JSON,
};

/**
 * struct bench_result - all rounds of one contender in one comparison
 * @group: what is compared with each other, such as "throughput, 64 B"
 * @contender: who
 * @metric: throughput, latency, bandwidth, ...
 * @unit: of the values: records/s, ns, MB/s, ...
 * @less_is_better: as for latencies
 * @payload: bytes of a record; below 0: there is no such thing
 * @baseline: who the others of the group are compared to; NULL: the document's
 * @figure: what a page shows in one plot, groups that belong together; NULL: each its own
 * @row: what the group is called in it
 * @rounds: the values
 * @n: how many
 * @percentiles: what bench_latency_json() gave, or NULL; taken over
 * @extra: more to know, by name; numbers become columns; NULL: nothing; taken over
 */
struct bench_result {
	const char *group;
	const char *contender;
	const char *metric;
	const char *unit;
	bool less_is_better;
	int64_t payload;
	const char *baseline;
	const char *figure;
	const char *row;
	const double *rounds;
	unsigned int n;
	json_t *percentiles;
	json_t *extra;
};

/*
 * @environment and @parameters are taken over. A "baseline" in @parameters is the
 * contender that the others of its group are compared to, round by round.
 */
json_t *bench_doc_new(const char *bench, json_t *environment, json_t *parameters);
/* 0 or -ENOMEM; a value that is no finite number is -EBADMSG. */
int bench_doc_add(json_t *doc, const struct bench_result *r);
void bench_doc_skip(json_t *doc, const char *contender, const char *why);
/* So many more records were checked, and all were right. */
void bench_doc_checked(json_t *doc, uint64_t records);
/* The same by the first and the last word of each only. */
void bench_doc_marked(json_t *doc, uint64_t records);
/* @advice: what to make of it, for people; may be NULL. Returns an exit code. */
int bench_doc_print(json_t *doc, enum bench_form form, const char *advice);

/* Latencies: from single measurements to the quantiles of a round, to the document. */

#define BENCH_QUANTILES	11

struct bench_latency {
	double v[BENCH_QUANTILES];
};

extern const char *const bench_quantile_name[BENCH_QUANTILES];

/* Sorts @ns. */
void bench_latency(uint32_t *ns, size_t n, struct bench_latency *out);
/* Each the median of the rounds, but for the maximum, which is that of all. */
json_t *bench_latency_json(const struct bench_latency *rounds, unsigned int n);

/* bench_table.c: the document as text; bench_doc_print() calls them */
void bench_print_text(const json_t *doc, const char *advice);
/* What stands above the tables: the machine, what was asked, checked and skipped. */
void bench_print_head(const json_t *doc);
void bench_print_skipped(const json_t *skipped);
/* "a=1 b=2", all on one line */
void bench_print_extra(const json_t *extra);
void bench_print_tsv(const json_t *doc);

/* Round by round against the baseline of its group; false: there is none to compare to. */
bool bench_result_ratio(const json_t *doc, const json_t *result, struct bench_ratio *out);
/* "1.23", "45.6", "7890": as many digits as mean something */
const char *bench_number(char *buf, size_t n, double v);

/* bench_load.c: reading it back; "-" is stdin */

/* NULL: it was said on stderr why @path is no such document. */
json_t *bench_doc_load(const char *path);

#endif /* SHMRING_BENCH_RESULT_H */
