// SPDX-License-Identifier: GPL-2.0-only
/*
 * Axes, labels, colours and the frame of a figure.
 */
#include <math.h>
#include <string.h>

#include "bench_plot.h"

double plot_place(const struct plot_axis *a, double v)
{
	double t;

	if (a->log)
		t = log(v / a->least) / log(a->most / a->least);
	else
		t = (v - a->least) / (a->most - a->least);
	return a->from + t * (a->to - a->from);
}

void plot_decades(struct plot_axis *a)
{
	a->log = true;
	a->least = pow(10, floor(log10(a->least) + 0.000000001));
	a->most = pow(10, ceil(log10(a->most) - 0.000000001));
	if (a->most <= a->least)
		a->most = a->least * 10;
}

const char *plot_number(char *buf, size_t n, double v, const char *unit)
{
	static const char *const thousands[] = { "", " k", " M", " G", " T" };
	static const char *const times[] = { " ns", " us", " ms", " s" };
	bool time = !strcmp(unit, "ns");
	unsigned int i = 0;

	while (fabs(v) >= 999.5 && i < (time ? 3 : 4)) {
		v /= 1000;
		i++;
	}
	snprintf(buf, n, "%.3g%s", v, time ? times[i] : thousands[i]);
	return buf;
}

const char *plot_unit(const char *unit)
{
	return strcmp(unit, "ns") ? unit : "time";
}

void plot_open(FILE *f, const struct html_series *s, const char *what, double height)
{
	fputs("<figure>\n<figcaption>", f);
	html_put(f, s->title);
	fputs("<span class=\"sub\"> ", f);
	html_put(f, what);
	fprintf(f, "</span></figcaption>\n<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"",
		PLOT_WIDTH, height);
	html_put(f, s->title);
	fputs("\">\n", f);
}

void plot_close(FILE *f, const struct html_series *s, const bool *legend)
{
	size_t i;

	fputs("</svg>\n", f);
	if (legend) {
		fputs("<ul class=\"legend\">\n", f);
		for (i = 0; i < s->who_count; i++) {
			if (!legend[i])
				continue;
			fputs("<li><svg viewBox=\"0 0 28 10\"><line class=\"curve\" ", f);
			plot_style(f, s, i);
			fputs(" x1=\"0\" y1=\"5\" x2=\"28\" y2=\"5\"/></svg> ", f);
			html_put(f, s->who[i]);
			fputs("</li>\n", f);
		}
		fputs("</ul>\n", f);
	}
	fputs("</figure>\n", f);
}

void plot_label(FILE *f, const char *class, double x, double y, const char *anchor,
		const char *text)
{
	fprintf(f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
		anchor);
	html_put(f, text);
	fputs("</text>\n", f);
}

void plot_line(FILE *f, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(f, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
		x1, y1, x2, y2);
}

void plot_value_axis(FILE *f, const struct plot_axis *y, const char *unit)
{
	char text[32];
	double v, at;
	int k;

	for (v = y->least; v <= y->most * 1.0001; v *= 10) {
		at = plot_place(y, v);
		plot_line(f, "grid", PLOT_LEFT, at, PLOT_RIGHT, at);
		plot_label(f, "tick", PLOT_LEFT - 6, at + 4, "end",
			   plot_number(text, sizeof(text), v, unit));
		for (k = 2; k < 10 && v * k < y->most; k++)
			plot_line(f, "fine", PLOT_LEFT, plot_place(y, v * k), PLOT_RIGHT,
				  plot_place(y, v * k));
	}
	fprintf(f, "<text class=\"dim\" transform=\"translate(13 %.1f) rotate(-90)\" text-anchor=\"middle\">",
		(PLOT_TOP + PLOT_BOTTOM) / 2);
	html_put(f, plot_unit(unit));
	fputs("</text>\n", f);
}

size_t plot_who(const struct html_series *s, const json_t *result)
{
	size_t i;

	for (i = 0; i + 1 < s->who_count; i++)
		if (!strcmp(s->who[i], html_text(result, "contender")))
			break;
	return i;
}

double plot_hue(const struct html_series *s, size_t who)
{
	return 360.0 * (double)who / (double)s->who_count;
}

void plot_style(FILE *f, const struct html_series *s, size_t who)
{
	static const char *const dash[] = { "none", "7 3", "2 3" };

	fprintf(f, "style=\"--hue:%.0f;stroke-dasharray:%s\"", plot_hue(s, who), dash[who % 3]);
}
