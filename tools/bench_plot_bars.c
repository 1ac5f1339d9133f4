// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bars: medians, thin lines from the least to the most of the rounds, values beside
 * them. Results with a "row" stand under it, such as two workers under "2 workers".
 */
#include <math.h>
#include <string.h>

#include "bench_plot.h"

#define BAR		18.0	/* height of one, with the space below it */
#define HEADING		20.0
#define LETTER		7.0	/* about the width of one */
#define NAMES_MOST	230.0	/* room for contenders */
#define VALUES		52.0	/* room for values at the right */
#define TICKS		5
#define SPREAD		50	/* more than that and the axis is logarithmic */

static bool new_row(const struct html_series *s, size_t i)
{
	const char *row = html_text(s->result[i], "row");

	return *row && (!i || strcmp(row, html_text(s->result[i - 1], "row")));
}

static double names_width(const struct html_series *s)
{
	double width, most = 0;
	size_t i;

	for (i = 0; i < s->n; i++) {
		width = LETTER * (double)strlen(html_text(s->result[i], "contender")) + 10;
		most = width > most ? width : most;
	}
	return most < NAMES_MOST ? most : NAMES_MOST;
}

/* false: there is nothing to show */
static bool scale(const struct html_series *s, struct plot_axis *x)
{
	double least = HUGE_VAL, most = 0, v;
	size_t i;

	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "max");
		most = v > most ? v : most;
		v = html_number(s->result[i], "min");
		least = v > 0 && v < least ? v : least;
	}
	if (!(most > 0) || !isfinite(least))
		return false;
	x->least = least;
	x->most = most;
	if (most / least > SPREAD)
		plot_decades(x);
	else
		x->least = 0;
	return true;
}

/* Round steps, few enough that their labels do not meet */
static double step_of(const struct plot_axis *x)
{
	static const double round[] = { 1, 2, 5, 10 };
	double unit = pow(10, floor(log10(x->most / TICKS)));
	unsigned int i;

	for (i = 0; i < 3 && unit * round[i] * TICKS < x->most; i++)
		;
	return unit * round[i];
}

static void put_axis(FILE *f, const struct plot_axis *x, double bottom, const char *unit)
{
	double v, step = step_of(x), decades = x->log ? log10(x->most / x->least) : 0;
	double each = decades > TICKS + 1 ? 100 : 10;
	char text[32];

	for (v = x->log ? x->least : 0; v <= x->most * 1.0001; v = x->log ? v * each : v + step) {
		plot_line(f, "grid", plot_place(x, v), PLOT_TOP, plot_place(x, v), bottom);
		plot_label(f, "dim", plot_place(x, v), bottom + 15, "middle",
			   plot_number(text, sizeof(text), v, unit));
	}
}

static void put_bar(FILE *f, const struct html_series *s, const struct plot_axis *x, size_t i,
		    double y)
{
	const json_t *o = s->result[i];
	double v = html_number(o, "median"), max = html_number(o, "max");
	double min = html_number(o, "min"), from = min > 0 ? plot_place(x, min) : x->from;
	const char *unit = html_text(o, "unit");
	char text[32];

	plot_label(f, "name", x->from - 6, y + 12, "end", html_text(o, "contender"));
	if (v > 0)
		fprintf(f, "<rect class=\"bar\" style=\"--hue:%.0f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\"/>\n",
			plot_hue(s, plot_who(s, o)), x->from, y + 2, plot_place(x, v) - x->from,
			BAR - 4);
	if (max > 0 && plot_place(x, max) - from >= 1)
		plot_line(f, "span", from, y + BAR / 2, plot_place(x, max), y + BAR / 2);
	plot_label(f, "dim", PLOT_WIDTH - 2, y + 12, "end",
		   plot_number(text, sizeof(text), v, unit));
}

void html_plot_bars(FILE *f, const struct html_series *s)
{
	struct plot_axis x = { .from = names_width(s), .to = PLOT_WIDTH - VALUES };
	double y = PLOT_TOP, bottom;
	bool several = false;
	char what[128];
	size_t i;

	if (!scale(s, &x))
		return;
	bottom = PLOT_TOP + BAR * (double)s->n + 2;
	for (i = 0; i < s->n; i++) {
		bottom += new_row(s, i) ? HEADING : 0;
		several |= json_array_size(json_object_get(s->result[i], "rounds")) > 1;
	}
	snprintf(what, sizeof(what), "%.32s%s%s", plot_unit(html_text(s->result[0], "unit")),
		 several ? ", median; thin: least to most" : "", x.log ? "; logarithmic" : "");
	plot_open(f, s, what, bottom + 22);
	put_axis(f, &x, bottom, html_text(s->result[0], "unit"));
	for (i = 0; i < s->n; i++) {
		if (new_row(s, i)) {
			plot_label(f, "row", 0, y + 14, "start", html_text(s->result[i], "row"));
			y += HEADING;
		}
		put_bar(f, s, &x, i, y);
		y += BAR;
	}
	plot_close(f, s, NULL);
}
