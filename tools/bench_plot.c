// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plots as SVG inside the page: shapes only, coloured by the style sheet of bench_html.c
 * and by the place of a contender in its plot.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_html.h"

#define LEFT	86.0
#define RIGHT	700.0
#define TOP	16.0
#define BOTTOM	330.0
#define WIDTH	720
#define HEIGHT	380
#define NAMES	200.0	/* bars: room for contenders */
#define NODES	64

/* One axis: from values to places */
struct axis {
	double least;
	double most;
	double from;
	double to;
	bool log;
};

static double place(const struct axis *a, double v)
{
	double t;

	if (a->log)
		t = log(v / a->least) / log(a->most / a->least);
	else
		t = (v - a->least) / (a->most - a->least);
	return a->from + t * (a->to - a->from);
}

/* "20", "1.5 k", "3 M" */
static const char *short_number(char *buf, size_t n, double v)
{
	static const char *const unit[] = { "", " k", " M", " G", " T" };
	unsigned int i = 0;

	while (fabs(v) >= 999.5 && i < 4) {
		v /= 1000;
		i++;
	}
	snprintf(buf, n, "%.3g%s", v, unit[i]);
	return buf;
}

static const char *short_bytes(char *buf, size_t n, double v)
{
	if (v >= 1048576)
		snprintf(buf, n, "%g MiB", v / 1048576);
	else if (v >= 1024)
		snprintf(buf, n, "%g KiB", v / 1024);
	else
		snprintf(buf, n, "%g B", v);
	return buf;
}

/* A logarithmic axis that ends on powers of ten around what there is */
static void decades(struct axis *a)
{
	a->log = true;
	a->least = pow(10, floor(log10(a->least) + 0.000000001));
	a->most = pow(10, ceil(log10(a->most) - 0.000000001));
	if (a->most <= a->least)
		a->most = a->least * 10;
}

static void open_figure(FILE *f, const struct html_series *s, const char *what, double height)
{
	fputs("<figure>\n<figcaption>", f);
	html_put(f, s->title);
	fprintf(f, "<span class=\"sub\"> %s</span></figcaption>\n", what);
	fprintf(f, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", WIDTH, height);
	html_put(f, s->title);
	fputs("\">\n", f);
}

static void label(FILE *f, double x, double y, const char *anchor, const char *text)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	html_put(f, text);
	fputs("</text>\n", f);
}

static void line(FILE *f, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(f, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
		x1, y1, x2, y2);
}

static void value_axis(FILE *f, const struct axis *y, const char *unit)
{
	char text[32];
	double v, at;
	int k;

	for (v = y->least; v <= y->most * 1.0001; v *= 10) {
		at = place(y, v);
		line(f, "grid", LEFT, at, RIGHT, at);
		label(f, LEFT - 6, at + 4, "end", short_number(text, sizeof(text), v));
		for (k = 2; k < 10 && v * k < y->most; k++)
			line(f, "fine", LEFT, place(y, v * k), RIGHT, place(y, v * k));
	}
	fprintf(f, "<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">",
		(TOP + BOTTOM) / 2);
	html_put(f, unit);
	fputs("</text>\n", f);
}

/* Neighbours in a plot differ in hue, and in how the line is drawn. */
static void style(FILE *f, size_t i, size_t n)
{
	static const char *const dash[] = { "none", "7 3", "2 3" };

	fprintf(f, "style=\"--hue:%.0f;stroke-dasharray:%s\"", 360.0 * (double)i / (double)n,
		dash[i % 3]);
}

static size_t contenders(const struct html_series *s, const char **name)
{
	size_t i, k, n = 0;

	for (i = 0; i < s->n; i++) {
		for (k = 0; k < n; k++)
			if (!strcmp(name[k], html_text(s->result[i], "contender")))
				break;
		if (k == n)
			name[n++] = html_text(s->result[i], "contender");
	}
	return n;
}

static void close_figure(FILE *f, const char **name, size_t n)
{
	size_t i;

	fputs("</svg>\n", f);
	if (n) {
		fputs("<ul class=\"legend\">\n", f);
		for (i = 0; i < n; i++) {
			fputs("<li><svg viewBox=\"0 0 28 10\"><line class=\"curve\" ", f);
			style(f, i, n);
			fputs(" x1=\"0\" y1=\"5\" x2=\"28\" y2=\"5\"/></svg> ", f);
			html_put(f, name[i]);
			fputs("</li>\n", f);
		}
		fputs("</ul>\n", f);
	}
	fputs("</figure>\n", f);
}

static void dot(FILE *f, double x, double y, size_t i, size_t n, const char *name, double v,
		const char *unit)
{
	char text[32];

	fprintf(f, "<circle class=\"dot\" style=\"--hue:%.0f\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>",
		360.0 * (double)i / (double)n, x, y);
	html_put(f, name);
	fprintf(f, ": %s ", short_number(text, sizeof(text), v));
	html_put(f, unit);
	fputs("</title></circle>\n", f);
}

void html_plot_bars(FILE *f, const struct html_series *s)
{
	double row = 24, height = TOP + row * (double)s->n + 40, least = HUGE_VAL, most = 0;
	double y, v, step;
	struct axis x = { .from = LEFT + NAMES, .to = RIGHT };
	char text[64];
	size_t i;

	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "max");
		most = v > most ? v : most;
		v = html_number(s->result[i], "min");
		least = v > 0 && v < least ? v : least;
	}
	if (!(most > 0) || !isfinite(least))
		return;
	x.least = least;
	x.most = most;
	if (most / least > 50)
		decades(&x);
	else
		x.least = 0;
	snprintf(text, sizeof(text), "%s, median; thin: least to most%s",
		 html_text(s->result[0], "unit"), x.log ? "; logarithmic" : "");
	open_figure(f, s, text, height);
	step = x.log ? 0 : pow(10, floor(log10(most)));
	if (step && most / step < 3)
		step /= 2;
	for (v = x.log ? x.least : 0; v <= x.most * 1.0001; v = x.log ? v * 10 : v + step) {
		line(f, "grid", place(&x, v), TOP, place(&x, v), height - 36);
		label(f, place(&x, v), height - 20, "middle", short_number(text, sizeof(text), v));
	}
	for (i = 0; i < s->n; i++) {
		y = TOP + row * (double)i;
		v = html_number(s->result[i], "median");
		label(f, LEFT + NAMES - 8, y + 16, "end", html_text(s->result[i], "contender"));
		if (v >= x.least && v > 0) {
			fprintf(f, "<rect class=\"bar\" style=\"--hue:%.0f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"16\"><title>%s ",
				360.0 * (double)i / (double)s->n, x.from, y + 4,
				place(&x, v) - x.from, short_number(text, sizeof(text), v));
			html_put(f, html_text(s->result[i], "unit"));
			fputs("</title></rect>\n", f);
		}
		v = html_number(s->result[i], "min");
		line(f, "span", v > 0 ? place(&x, v) : x.from, y + 12,
		     place(&x, html_number(s->result[i], "max")), y + 12);
	}
	close_figure(f, NULL, 0);
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

void html_plot_latency(FILE *f, const struct html_series *s)
{
	static const struct {
		double share;
		const char *text;
	} ticks[] = {
		{ 0.99, "1 %" }, { 0.5, "50 %" }, { 0.1, "90 %" }, { 0.01, "99 %" },
		{ 0.001, "99.9 %" }, { 0.0001, "99.99 %" }, { 0.00001, "max" },
	};
	struct axis x = { .least = 1, .most = 0.00001, .from = LEFT, .to = RIGHT, .log = true };
	struct axis y = { .from = BOTTOM, .to = TOP, .least = HUGE_VAL, .most = 0 };
	const char *name[64], *key;
	json_t *value;
	double v, share;
	size_t i, n;

	for (i = 0; i < s->n; i++)
		json_object_foreach(json_object_get(s->result[i], "percentiles"), key, value) {
			v = json_number_value(value);
			if (v <= 0 || share_above(key) <= 0)
				continue;
			y.least = v < y.least ? v : y.least;
			y.most = v > y.most ? v : y.most;
		}
	if (!(y.most > 0) || s->n > 64)
		return;
	decades(&y);
	n = contenders(s, name);
	open_figure(f, s, "how long the given share took at most", HEIGHT);
	value_axis(f, &y, html_text(s->result[0], "unit"));
	for (i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		v = place(&x, ticks[i].share);
		line(f, "grid", v, TOP, v, BOTTOM);
		label(f, v, BOTTOM + 18, i ? "middle" : "start", ticks[i].text);
	}
	for (i = 0; i < s->n; i++) {
		fputs("<polyline class=\"curve\" ", f);
		style(f, i, n);
		fputs(" points=\"", f);
		json_object_foreach(json_object_get(s->result[i], "percentiles"), key, value) {
			share = share_above(key);
			v = json_number_value(value);
			if (share > 0 && v > 0)
				fprintf(f, "%.1f,%.1f ", place(&x, share), place(&y, v));
		}
		fputs("\"><title>", f);
		html_put(f, html_text(s->result[i], "contender"));
		fputs("</title></polyline>\n", f);
	}
	close_figure(f, name, n);
}

void html_plot_payload(FILE *f, const struct html_series *s)
{
	struct axis x = { .from = LEFT, .to = RIGHT - 10, .least = HUGE_VAL, .log = true };
	struct axis y = { .from = BOTTOM, .to = TOP, .least = HUGE_VAL, .most = 0 };
	const char *name[256];
	size_t i, k, n, points;
	char text[32];
	double v;

	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "payload");
		x.least = v < x.least ? v : x.least;
		x.most = v > x.most ? v : x.most;
		v = html_number(s->result[i], "median");
		y.least = v > 0 && v < y.least ? v : y.least;
		y.most = v > y.most ? v : y.most;
	}
	if (!(y.most > 0) || !(x.least > 0) || s->n > 256)
		return;
	decades(&y);
	n = contenders(s, name);
	open_figure(f, s, "against bytes of a record, both axes logarithmic", HEIGHT);
	value_axis(f, &y, html_text(s->result[0], "unit"));
	for (i = 0; i < s->n; i++) {
		v = html_number(s->result[i], "payload");
		for (k = 0; k < i && html_number(s->result[k], "payload") != v; k++)
			;
		if (k < i)
			continue;
		line(f, "grid", place(&x, v), TOP, place(&x, v), BOTTOM);
		label(f, place(&x, v), BOTTOM + 18, "middle",
		      short_bytes(text, sizeof(text), v));
	}
	for (k = 0; k < n; k++) {
		fputs("<polyline class=\"curve\" ", f);
		style(f, k, n);
		fputs(" points=\"", f);
		points = 0;
		for (i = 0; i < s->n; i++) {
			v = html_number(s->result[i], "median");
			if (strcmp(name[k], html_text(s->result[i], "contender")) || v <= 0)
				continue;
			fprintf(f, "%s%.1f,%.1f", points++ ? " " : "",
				place(&x, html_number(s->result[i], "payload")), place(&y, v));
		}
		fputs("\"/>\n", f);
		for (i = 0; i < s->n; i++) {
			v = html_number(s->result[i], "median");
			if (strcmp(name[k], html_text(s->result[i], "contender")) || v <= 0)
				continue;
			dot(f, place(&x, html_number(s->result[i], "payload")), place(&y, v), k, n,
			    name[k], v, html_text(s->result[i], "unit"));
		}
	}
	close_figure(f, name, n);
}

/* Where the two nodes of a result are told: in "extra" */
static bool nodes_of(const json_t *o, int *cpu, int *memory)
{
	const json_t *extra = json_object_get(o, "extra");
	const json_t *a = json_object_get(extra, "cpu_node");
	const json_t *b = json_object_get(extra, "memory_node");

	if (!json_is_integer(a) || !json_is_integer(b))
		return false;
	*cpu = (int)json_integer_value(a);
	*memory = (int)json_integer_value(b);
	return *cpu >= 0 && *cpu < NODES && *memory >= 0 && *memory < NODES;
}

bool html_plot_heat(FILE *f, const struct html_series *s)
{
	double least = HUGE_VAL, most = 0, v, t, size, x, y;
	int cpu, memory, nodes = 0;
	char text[48];
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (!nodes_of(s->result[i], &cpu, &memory))
			return false;
		nodes = cpu >= nodes ? cpu + 1 : nodes;
		nodes = memory >= nodes ? memory + 1 : nodes;
		v = html_number(s->result[i], "median");
		least = v < least ? v : least;
		most = v > most ? v : most;
	}
	if (!s->n)
		return false;
	size = nodes > 8 ? 500.0 / nodes : 64;
	snprintf(text, sizeof(text), "%.24s, median", html_text(s->result[0], "unit"));
	open_figure(f, s, text, TOP + 30 + size * nodes + 30);
	label(f, LEFT + size * nodes / 2 + 40, TOP + 4, "middle", "memory on node");
	for (cpu = 0; cpu < nodes; cpu++) {
		snprintf(text, sizeof(text), "%d", cpu);
		label(f, LEFT + 40 + size * (cpu + 0.5), TOP + 22, "middle", text);
		snprintf(text, sizeof(text), "CPU on node %d", cpu);
		label(f, LEFT + 32, TOP + 30 + size * (cpu + 0.5) + 4, "end", text);
	}
	for (i = 0; i < s->n; i++) {
		nodes_of(s->result[i], &cpu, &memory);
		v = html_number(s->result[i], "median");
		t = most > least ? (v - least) / (most - least) : 1;
		if (json_is_true(json_object_get(s->result[i], "less_is_better")))
			t = most > least ? 1 - t : 1;
		x = LEFT + 40 + size * memory;
		y = TOP + 30 + size * cpu;
		fprintf(f, "<rect class=\"heat\" style=\"--good:%.2f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
			t, x, y, size - 2, size - 2);
		if (nodes <= 8)
			label(f, x + size / 2 - 1, y + size / 2 + 4, "middle",
			      short_number(text, sizeof(text), v));
	}
	close_figure(f, NULL, 0);
	return true;
}
