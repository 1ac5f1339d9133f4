/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What plots are made of: SVG shapes only, coloured by the style sheet of the page and
 * by the place of a contender in its document.
 */
#ifndef SHMRING_BENCH_PLOT_H
#define SHMRING_BENCH_PLOT_H

#include "bench_html.h"

#define PLOT_WIDTH	480
#define PLOT_HEIGHT	300
#define PLOT_LEFT	72.0	/* of lines: where the axes are */
#define PLOT_RIGHT	466.0
#define PLOT_TOP	12.0
#define PLOT_BOTTOM	268.0

/**
 * struct plot_axis - from values to places
 * @least: value at @from
 * @most: value at @to
 * @log: logarithmic; values then are above 0
 */
struct plot_axis {
	double least;
	double most;
	double from;
	double to;
	bool log;
};

double plot_place(const struct plot_axis *a, double v);
/* A logarithmic axis that ends on powers of ten around what there is */
void plot_decades(struct plot_axis *a);
void plot_value_axis(FILE *f, const struct plot_axis *y, const char *unit);

/* "20", "1.5 k", "3 M"; nanoseconds as "1.5 us" */
const char *plot_number(char *buf, size_t n, double v, const char *unit);
/* What is left of the unit then */
const char *plot_unit(const char *unit);

void plot_open(FILE *f, const struct html_series *s, const char *what, double height);
/* With a legend of the contenders at @legend, places in @s->who; NULL: none */
void plot_close(FILE *f, const struct html_series *s, const bool *legend);
void plot_label(FILE *f, const char *class, double x, double y, const char *anchor,
		const char *text);
void plot_line(FILE *f, const char *class, double x1, double y1, double x2, double y2);
/* The place of @result's contender in @s->who */
size_t plot_who(const struct html_series *s, const json_t *result);
double plot_hue(const struct html_series *s, size_t who);
/* Neighbours in a plot differ in hue, and in how the line is drawn. */
void plot_style(FILE *f, const struct html_series *s, size_t who);

#endif /* SHMRING_BENCH_PLOT_H */
