// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document of a benchmark as TSV: a line each, always of the same columns.
 */
#include "bench_result.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void print_percentile(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(json_object_get(o, "percentiles"), key);

	if (v)
		printf("%.10g", json_number_value(v));
	putchar('\t');
}

void bench_print_tsv(const json_t *doc)
{
	struct bench_ratio r;
	const json_t *o;
	size_t i;

	printf("bench\tgroup\tcontender\tmetric\tunit\tpayload\tmedian\tmin\tmax\tmad\tp50\tp99\tp999\t"
	       "longest\tratio\tratio_min\tratio_max\tahead\trounds\textra\n");
	json_array_foreach(json_object_get(doc, "results"), i, o) {
		printf("%s\t%s\t%s\t%s\t%s\t", text(doc, "bench"), text(o, "group"),
		       text(o, "contender"), text(o, "metric"), text(o, "unit"));
		if (json_is_integer(json_object_get(o, "payload")))
			printf("%.0f", number(o, "payload"));
		printf("\t%.10g\t%.10g\t%.10g\t%.10g\t", number(o, "median"), number(o, "min"),
		       number(o, "max"), number(o, "mad"));
		print_percentile(o, "p50");
		print_percentile(o, "p99");
		print_percentile(o, "p999");
		print_percentile(o, "max");
		if (bench_result_ratio(doc, o, &r))
			printf("%.4f\t%.4f\t%.4f\t%u\t", r.median, r.min, r.max, r.ahead);
		else
			printf("\t\t\t\t");
		printf("%zu\t", json_array_size(json_object_get(o, "rounds")));
		bench_print_extra(json_object_get(o, "extra"));
		putchar('\n');
	}
}
