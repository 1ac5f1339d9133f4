/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench html: the page, and the plots in it. All of it is XML as well as HTML.
 */
#ifndef SHMRING_BENCH_HTML_H
#define SHMRING_BENCH_HTML_H

#include "bench_result.h"

/* bench_html.c */

/* @text with what means something in HTML made harmless */
void html_put(FILE *f, const char *text);
const char *html_text(const json_t *o, const char *key);
double html_number(const json_t *o, const char *key);

/* bench_plot.c: one figure each, of @n results with one unit */

/**
 * struct html_series - results that belong to one plot
 * @title: of the plot
 * @result: with one metric and unit
 * @n: how many
 */
struct html_series {
	const char *title;
	const json_t **result;
	size_t n;
};

/* Medians with the span from the least to the most */
void html_plot_bars(FILE *f, const struct html_series *s);
/* Percentiles: the share of what was slower on the x axis */
void html_plot_latency(FILE *f, const struct html_series *s);
/* Values against payload, both axes logarithmic; a line for each contender */
void html_plot_payload(FILE *f, const struct html_series *s);
/* Values of processor node against memory node; false: these are no such results */
bool html_plot_heat(FILE *f, const struct html_series *s);

#endif /* SHMRING_BENCH_HTML_H */
