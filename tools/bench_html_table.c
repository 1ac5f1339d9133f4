// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench html: all values as tables, what is special to the benchmark in columns of its
 * own, and the table of advice.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_html.h"

#define COLUMNS	12	/* of what a benchmark has to say besides */
#define LISTED	4	/* members of an array that are shown */

/* A group while it is written. */
struct table {
	const json_t *doc;
	const json_t **row;
	size_t rows;
	bool p99;
	bool ratios;
	const char *column[COLUMNS];
	unsigned int columns;
};

static void note_columns(struct table *t, const json_t *extra)
{
	const char *key;
	json_t *value;
	unsigned int i;

	json_object_foreach((json_t *)(uintptr_t)extra, key, value) {
		if (json_is_object(value)) {	/* one level is all that there is */
			note_columns(t, value);
			continue;
		}
		for (i = 0; i < t->columns && strcmp(t->column[i], key); i++)
			;
		if (i == t->columns && i < COLUMNS)
			t->column[t->columns++] = key;
	}
}

static const json_t *find(const json_t *extra, const char *column)
{
	const json_t *found = json_object_get(extra, column);
	const char *key;
	json_t *value;

	if (found && !json_is_object(found))
		return found;
	json_object_foreach((json_t *)(uintptr_t)extra, key, value)
		if (json_is_object(value) && json_object_get(value, column))
			return json_object_get(value, column);
	return NULL;
}

static void put_number(FILE *f, double v)
{
	char text[32];

	fprintf(f, "<td>%s</td>", bench_number(text, sizeof(text), v));
}

static void put_value(FILE *f, const json_t *v)
{
	size_t i;

	if (json_is_integer(v)) {
		fprintf(f, "<td>%lld</td>", (long long)json_integer_value(v));
		return;
	}
	if (json_is_real(v)) {
		put_number(f, json_real_value(v));
		return;
	}
	fputs("<td>", f);
	if (json_is_string(v))
		html_put(f, json_string_value(v));
	else if (json_is_boolean(v))
		fputs(json_is_true(v) ? "yes" : "no", f);
	for (i = 0; i < json_array_size(v) && i < LISTED; i++) {
		fputs(i ? " " : "", f);
		if (json_is_string(json_array_get(v, i)))
			html_put(f, json_string_value(json_array_get(v, i)));
	}
	if (json_array_size(v) > LISTED)
		fputs(" ...", f);
	fputs("</td>", f);
}

static void put_row(FILE *f, const struct table *t, const json_t *o)
{
	const json_t *p99 = json_object_get(json_object_get(o, "percentiles"), "p99");
	struct bench_ratio ratio;
	unsigned int i;

	fputs("<tr><td>", f);
	html_put(f, html_text(o, "contender"));
	fputs("</td>", f);
	put_number(f, html_number(o, "median"));
	put_number(f, html_number(o, "min"));
	put_number(f, html_number(o, "max"));
	put_number(f, html_number(o, "mad"));
	if (t->p99)
		put_value(f, p99);
	if (t->ratios && bench_result_ratio(t->doc, o, &ratio))
		fprintf(f, "<td>%.2f (%.2f..%.2f)</td>", ratio.median, ratio.min, ratio.max);
	else if (t->ratios)
		fputs("<td></td>", f);
	for (i = 0; i < t->columns; i++)
		put_value(f, find(json_object_get(o, "extra"), t->column[i]));
	fputs("</tr>\n", f);
}

static void put_head(FILE *f, const struct table *t)
{
	const char *base = html_text(t->row[0], "baseline");
	size_t rounds = json_array_size(json_object_get(t->row[0], "rounds"));
	unsigned int i;

	fputs("<h3>", f);
	html_put(f, html_text(t->row[0], "group"));
	fputs("<span class=\"sub\"> ", f);
	html_put(f, html_text(t->row[0], "unit"));
	fprintf(f, "; %s is better; %zu round%s</span></h3>\n<div class=\"scroll\"><table>\n",
		json_is_true(json_object_get(t->row[0], "less_is_better")) ? "less" : "more",
		rounds, rounds == 1 ? "" : "s");
	fputs("<tr><th>contender</th><th>median</th><th>least</th><th>most</th><th>MAD</th>", f);
	if (t->p99)
		fputs("<th>p99</th>", f);
	if (t->ratios) {
		fputs("<th>times ", f);
		html_put(f, *base ? base :
			    html_text(json_object_get(t->doc, "parameters"), "baseline"));
		fputs("</th>", f);
	}
	for (i = 0; i < t->columns; i++) {
		fputs("<th>", f);
		html_put(f, t->column[i]);
		fputs("</th>", f);
	}
	fputs("</tr>\n", f);
}

static void put_table(FILE *f, struct table *t)
{
	struct bench_ratio ratio;
	size_t i;

	for (i = 0; i < t->rows; i++) {
		t->p99 |= json_is_number(json_object_get(json_object_get(t->row[i], "percentiles"),
							 "p99"));
		t->ratios |= bench_result_ratio(t->doc, t->row[i], &ratio);
		note_columns(t, json_object_get(t->row[i], "extra"));
	}
	put_head(f, t);
	for (i = 0; i < t->rows; i++)
		put_row(f, t, t->row[i]);
	fputs("</table></div>\n", f);
}

void html_put_tables(FILE *f, const json_t *doc, const json_t **list)
{
	const json_t *results = json_object_get(doc, "results");
	size_t i;

	for (i = 0; i < json_array_size(results); i++) {
		struct table t = { .doc = doc, .row = list };

		t.rows = html_gather(results, i, html_same_group, list);
		if (t.rows)
			put_table(f, &t);
	}
}

void html_put_advice(FILE *f, const json_t *doc)
{
	static const char *const key[] = { "need", "take", "why" };
	const json_t *advice = json_object_get(doc, "advice"), *o;
	size_t i, k;

	if (!json_array_size(advice))
		return;
	fputs("<h3>Which to take</h3>\n<div class=\"scroll\"><table class=\"words\">\n"
	      "<tr><th>for</th><th>take</th><th>because here</th></tr>\n", f);
	json_array_foreach(advice, i, o) {
		fputs("<tr>", f);
		for (k = 0; k < sizeof(key) / sizeof(key[0]); k++) {
			fputs("<td>", f);
			html_put(f, html_text(o, key[k]));
			fputs("</td>", f);
		}
		fputs("</tr>\n", f);
	}
	fputs("</table></div>\n", f);
}
