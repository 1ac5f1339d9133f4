/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench html: the page, and the plots in it. All of it is XML as well as HTML.
 */
#ifndef SHMRING_BENCH_HTML_H
#define SHMRING_BENCH_HTML_H

#include "bench_result.h"

/* bench_html_text.c: reading documents, and text that means nothing in HTML */

/* @text with what means something in HTML made harmless */
void html_put(FILE *f, const char *text);
const char *html_text(const json_t *o, const char *key);
double html_number(const json_t *o, const char *key);

/* Two results that are compared with each other */
bool html_same_group(const json_t *a, const json_t *b);

/*
 * In @out, which has room for all: those of @results that go with number @first. 0 if
 * that is not the first of them.
 */
size_t html_gather(const json_t *results, size_t first,
		   bool (*same)(const json_t *, const json_t *), const json_t **out);

/* bench_html_page.c: one document after the other; @list has room for all results of each */
void html_put_page(FILE *f, json_t *const *doc, const json_t ***list, unsigned int n);

/* bench_html_table.c: all values of a document, and what its benchmark advises */
void html_put_tables(FILE *f, const json_t *doc, const json_t **list);
void html_put_advice(FILE *f, const json_t *doc);

/* bench_plot_*.c: one figure each, of @n results with one unit */

#define HTML_WHO_MAX	64

/**
 * struct html_series - results that belong to one plot
 * @title: of the plot
 * @result: with one metric and unit
 * @n: how many
 * @who: all contenders of the document: one has one colour in all its plots
 * @who_count: how many
 */
struct html_series {
	const char *title;
	const json_t **result;
	size_t n;
	const char *who[HTML_WHO_MAX];
	size_t who_count;
};

/* Medians with the span from the least to the most; what shares a "row" is together */
void html_plot_bars(FILE *f, const struct html_series *s);
/* Percentiles: the share of what was slower on the x axis */
void html_plot_latency(FILE *f, const struct html_series *s);
/* Values against payload, both axes logarithmic; a line for each contender */
void html_plot_payload(FILE *f, const struct html_series *s);
/* Values of worker node against memory node; false: these are no such results */
bool html_plot_heat(FILE *f, const struct html_series *s);

#endif /* SHMRING_BENCH_HTML_H */
