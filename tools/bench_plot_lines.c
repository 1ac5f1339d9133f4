// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines: values against payload, and the distribution of latencies.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_plot.h"

static const char *bytes(char *buf, size_t n, double v)
{
	if (v >= 1048576)
		snprintf(buf, n, "%g MiB", v / 1048576);
	else if (v >= 1024)
		snprintf(buf, n, "%g KiB", v / 1024);
	else
		snprintf(buf, n, "%g B", v);
	return buf;
}

/* "p999" is 99.9 %; the largest is put where one in 100,000 is. */
static double share_above(const char *name)
{
	char *end;
	double p;

	if (!strcmp(name, "max"))
		return 0.00001;
	if (name[0] != 'p')
		return 0;
	p = strtod(name + 1, &end);
	if (*end || end - name < 3)
		return 0;
	return 1 - p / pow(10, (double)(end - name - 1));
}

static void curve(FILE *f, const struct html_series *s, const json_t *o, const struct plot_axis *x,
		  const struct plot_axis *y)
{
	const char *key;
	json_t *value;
	double v, share;

	fputs("<polyline class=\"curve\" ", f);
	plot_style(f, s, plot_who(s, o));
	fputs(" points=\"", f);
	json_object_foreach(json_object_get(o, "percentiles"), key, value) {
		share = share_above(key);
		v = json_number_value(value);
		if (share > 0 && v > 0)
			fprintf(f, "%.1f,%.1f ", plot_place(x, share), plot_place(y, v));
	}
	fputs("\"><title>", f);
	html_put(f, html_text(o, "contender"));
	fputs("</title></polyline>\n", f);
}

void html_plot_latency(FILE *f, const struct html_series *s)
{
	static const struct {
		double share;
		const char *text;
	} ticks[] = {
		{ 0.5, "50 %" }, { 0.1, "90 %" }, { 0.01, "99 %" }, { 0.001, "99.9 %" },
		{ 0.0001, "99.99 %" }, { 0.00001, "max" },
	};
	struct plot_axis x = { .least = 1, .most = 0.00001, .from = PLOT_LEFT, .to = PLOT_RIGHT - 8,
			       .log = true };
	struct plot_axis y = { .from = PLOT_BOTTOM, .to = PLOT_TOP, .least = HUGE_VAL, .most = 0 };
	bool there[HTML_WHO_MAX] = { false };
	const char *key;
	json_t *value;
	double v;
	size_t i;

	for (i = 0; i < s->n; i++) {
		there[plot_who(s, s->result[i])] = true;
		json_object_foreach(json_object_get(s->result[i], "percentiles"), key, value) {
			v = json_number_value(value);
			if (v <= 0 || share_above(key) <= 0)
				continue;
			y.least = v < y.least ? v : y.least;
			y.most = v > y.most ? v : y.most;
		}
	}
	if (!(y.most > 0))
		return;
	plot_decades(&y);
	plot_open(f, s, "distribution: this share took at most so long", PLOT_HEIGHT);
	plot_value_axis(f, &y, html_text(s->result[0], "unit"));
	for (i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		v = plot_place(&x, ticks[i].share);
		plot_line(f, "grid", v, PLOT_TOP, v, PLOT_BOTTOM);
		plot_label(f, "dim", v, PLOT_BOTTOM + 17, "middle", ticks[i].text);
	}
	for (i = 0; i < s->n; i++)
		curve(f, s, s->result[i], &x, &y);
	plot_close(f, s, there);
}

static void dot(FILE *f, const struct html_series *s, const json_t *o, double x, double y)
{
	const char *unit = html_text(o, "unit");
	char text[32];

	fprintf(f, "<circle class=\"dot\" style=\"--hue:%.0f\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>",
		plot_hue(s, plot_who(s, o)), x, y);
	html_put(f, html_text(o, "contender"));
	fprintf(f, ": %s ", plot_number(text, sizeof(text), html_number(o, "median"), unit));
	html_put(f, strcmp(unit, "ns") ? unit : "");
	fputs("</title></circle>\n", f);
}

/* One contender: its line, then its points on top */
static bool one_line(FILE *f, const struct html_series *s, size_t who, const struct plot_axis *x,
		     const struct plot_axis *y)
{
	unsigned int points = 0;
	const json_t *o;
	double v;
	size_t i;

	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "median");
		if (plot_who(s, s->result[i]) != who || v <= 0)
			continue;
		if (!points++) {
			fputs("<polyline class=\"curve\" ", f);
			plot_style(f, s, who);
			fputs(" points=\"", f);
		}
		fprintf(f, "%.1f,%.1f ", plot_place(x, html_number(s->result[i], "payload")),
			plot_place(y, v));
	}
	if (!points)
		return false;
	fputs("\"/>\n", f);
	for (i = 0; i < s->n; i++) {
		o = s->result[i];
		v = html_number(o, "median");
		if (plot_who(s, o) == who && v > 0)
			dot(f, s, o, plot_place(x, html_number(o, "payload")), plot_place(y, v));
	}
	return true;
}

/* A label for each payload that is there, but for those that would meet the one before */
static void payload_axis(FILE *f, const struct html_series *s, const struct plot_axis *x)
{
	double v, last = -HUGE_VAL;
	char text[32];
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "payload");
		for (k = 0; k < i && html_number(s->result[k], "payload") != v; k++)
			;
		if (k < i)
			continue;
		plot_line(f, "grid", plot_place(x, v), PLOT_TOP, plot_place(x, v), PLOT_BOTTOM);
		if (fabs(plot_place(x, v) - last) < 34)
			continue;
		last = plot_place(x, v);
		plot_label(f, "dim", last, PLOT_BOTTOM + 17, "middle",
			   bytes(text, sizeof(text), v));
	}
}

void html_plot_payload(FILE *f, const struct html_series *s)
{
	struct plot_axis x = { .from = PLOT_LEFT, .to = PLOT_RIGHT - 12, .least = HUGE_VAL,
			       .log = true };
	struct plot_axis y = { .from = PLOT_BOTTOM, .to = PLOT_TOP, .least = HUGE_VAL, .most = 0 };
	bool there[HTML_WHO_MAX] = { false };
	size_t i;
	double v;

	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "payload");
		x.least = v < x.least ? v : x.least;
		x.most = v > x.most ? v : x.most;
		v = html_number(s->result[i], "median");
		y.least = v > 0 && v < y.least ? v : y.least;
		y.most = v > y.most ? v : y.most;
	}
	if (!(y.most > 0) || !(x.least > 0))
		return;
	plot_decades(&y);
	plot_open(f, s, "against bytes of a record, both axes logarithmic", PLOT_HEIGHT);
	plot_value_axis(f, &y, html_text(s->result[0], "unit"));
	payload_axis(f, s, &x);
	for (i = 0; i < s->who_count; i++)
		there[i] = one_line(f, s, i, &x, &y);
	plot_close(f, s, there);
}
