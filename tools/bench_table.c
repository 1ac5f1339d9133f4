// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document of a benchmark as tables with bars. Nothing is known here of any
 * particular benchmark: what is compared is what shares a group and a metric.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench_result.h"

#define BAR		20
#define EXTRAS		8	/* columns of what a benchmark has to say besides */
#define NAME_MAX_WIDTH	44

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static bool same_group(const json_t *a, const json_t *b)
{
	return !strcmp(text(a, "group"), text(b, "group")) &&
	       !strcmp(text(a, "metric"), text(b, "metric")) &&
	       !strcmp(text(a, "unit"), text(b, "unit"));
}

const char *bench_number(char *buf, size_t n, double v)
{
	double size = fabs(v);

	snprintf(buf, n, "%.*f", size >= 1000 ? 0 : size >= 100 ? 1 : size >= 0.1 || !size ? 2 : 4,
		 v);
	return buf;
}

static const char *baseline_name(const json_t *doc, const json_t *result)
{
	const char *own = text(result, "baseline");

	return *own ? own : text(json_object_get(doc, "parameters"), "baseline");
}

static const json_t *baseline_of(const json_t *doc, const json_t *result)
{
	const char *name = baseline_name(doc, result);
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(doc, "results"), i, o)
		if (same_group(o, result) && !strcmp(text(o, "contender"), name))
			return o;
	return NULL;
}

bool bench_result_ratio(const json_t *doc, const json_t *result, struct bench_ratio *out)
{
	const json_t *base = baseline_of(doc, result), *a, *b;
	double *v, *w;
	size_t n, i;

	memset(out, 0, sizeof(*out));
	a = json_object_get(result, "rounds");
	b = json_object_get(base, "rounds");
	n = json_array_size(a);
	if (!base || !n || n != json_array_size(b))
		return false;
	v = calloc(2 * n, sizeof(*v));
	if (!v)
		return false;
	w = v + n;
	for (i = 0; i < n; i++) {
		v[i] = json_number_value(json_array_get(a, i));
		w[i] = json_number_value(json_array_get(b, i));
	}
	bench_ratio(v, w, (unsigned int)n, json_is_true(json_object_get(result, "less_is_better")),
		    out);
	free(v);
	return true;
}

/* A group while it is printed. */
struct table {
	const json_t *doc;
	const json_t *first;
	double unit;			/* the values are divided by it */
	double most;
	int name_width;
	bool ratios;
	bool p99;
	const char *extra[EXTRAS];
	unsigned int extras;
	bool no_range;			/* of the ratios; what follows: see fit() */
	bool no_spread;			/* min and max */
	bool no_ahead;
	bool no_bar;
	bool cut;			/* something was left out */
};

static void note_extras(struct table *t, const json_t *result)
{
	const char *key;
	json_t *value;
	unsigned int i;

	json_object_foreach(json_object_get(result, "extra"), key, value) {
		if (!json_is_number(value) || t->extras == EXTRAS)
			continue;
		for (i = 0; i < t->extras && strcmp(t->extra[i], key); i++)
			;
		if (i == t->extras)
			t->extra[t->extras++] = key;
	}
}

static const char *prefix(struct table *t)
{
	size_t n = strlen(text(t->first, "unit"));

	/* Rates have no prefix of their own, as MB/s has. */
	t->unit = 1;
	if (n < 2 || strcmp(text(t->first, "unit") + n - 2, "/s") ||
	    !strcmp(text(t->first, "unit"), "MB/s"))
		return "";
	if (t->most >= 1e6) {
		t->unit = 1e6;
		return "million ";
	}
	if (t->most >= 1e4) {
		t->unit = 1e3;
		return "thousand ";
	}
	return "";
}

static bool unicode(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = getenv(names[i]);
		if (value && *value)
			return strstr(value, "UTF-8") || strstr(value, "utf8");
	}
	return false;
}

static void print_bar(const struct table *t, double v)
{
	static const char *const eighth[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int steps = t->most > 0 ? (int)(v / t->most * BAR * 8 + 0.5) : 0, i;
	int width;

	if (v > 0 && !steps)
		steps = 1;
	if (!unicode()) {
		steps = (steps + 7) / 8;
		for (i = 0; i < BAR; i++)
			putchar(i < steps ? '#' : ' ');
		return;
	}
	for (i = 0; i < steps / 8; i++)
		fputs("█", stdout);
	fputs(eighth[steps % 8], stdout);
	for (width = (steps + 7) / 8; width < BAR; width++)
		putchar(' ');
}

/* Columns of the terminal, or as many as there may be. */
static int columns(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return INT_MAX;
	return size.ws_col;
}

static int width(const struct table *t)
{
	int n = t->name_width + 9 + (t->no_bar ? 0 : BAR + 2) + (t->no_spread ? 0 : 18) + 8;

	n += t->p99 ? 9 : 0;
	n += t->ratios ? 9 + (t->no_range ? 0 : 18) + (t->no_ahead ? 0 : 7) : 0;
	return n + (int)t->extras * 12;
}

/* Leaves out of a table what a narrow terminal has no room for, the least telling first. */
static void fit(struct table *t)
{
	bool *const least[] = { &t->no_range, NULL, &t->no_spread, &t->no_ahead, &t->no_bar };
	int room = columns();
	size_t i;

	t->cut = width(t) > room;
	for (i = 0; i < sizeof(least) / sizeof(least[0]) && width(t) > room; i++) {
		if (least[i])
			*least[i] = true;
		while (!least[i] && t->extras && width(t) > room)
			t->extras--;
	}
}

static void print_head(struct table *t, size_t rounds)
{
	const char *base = baseline_name(t->doc, t->first);
	char title[32];
	unsigned int i;

	printf("\n%s: %s%s; %s is better; %zu round%s\n", text(t->first, "group"), prefix(t),
	       text(t->first, "unit"),
	       json_is_true(json_object_get(t->first, "less_is_better")) ? "less" : "more", rounds,
	       rounds == 1 ? "" : "s, interleaved");
	if (t->ratios && t->no_range)
		printf("x: times as good as %s\n", base);
	printf("%-*s %8s", t->name_width, "contender", "median");
	if (!t->no_bar)
		printf("  %-*s", BAR, "");
	if (!t->no_spread)
		printf(" %8s %8s", "min", "max");
	printf(" %7s", "MAD");
	if (t->p99)
		printf(" %8s", "p99");
	if (t->ratios && t->no_range) {
		printf("  %7s", "x");
	} else if (t->ratios) {
		snprintf(title, sizeof(title), "x %s", base);
		printf("  %-25.25s", title);
	}
	if (t->ratios && !t->no_ahead)
		printf(" %6s", "ahead");
	for (i = 0; i < t->extras; i++)
		printf("  %10s", t->extra[i]);
	putchar('\n');
}

static void print_ratio(const struct table *t, const json_t *o)
{
	char range[32] = "", ahead[32] = "", ratio[32] = "-";
	struct bench_ratio r;

	if (!t->ratios)
		return;
	if (!strcmp(text(o, "contender"), baseline_name(t->doc, o))) {
		snprintf(ratio, sizeof(ratio), "1");
	} else if (bench_result_ratio(t->doc, o, &r)) {
		snprintf(ratio, sizeof(ratio), "%.2f", r.median);
		snprintf(range, sizeof(range), "(%6.2f..%6.2f)", r.min, r.max);
		snprintf(ahead, sizeof(ahead), "%3u/%-2zu", r.ahead,
			 json_array_size(json_object_get(o, "rounds")));
	}
	printf("  %7s", ratio);
	if (!t->no_range)
		printf(" %17s", range);
	if (!t->no_ahead)
		printf(" %6s", ahead);
}

static void print_row(const struct table *t, const json_t *o)
{
	const json_t *p99 = json_object_get(json_object_get(o, "percentiles"), "p99"), *extra;
	char a[32], b[32], c[32], d[32];
	unsigned int i;

	printf("%-*s %8s", t->name_width, text(o, "contender"),
	       bench_number(a, sizeof(a), number(o, "median") / t->unit));
	if (!t->no_bar) {
		fputs("  ", stdout);
		print_bar(t, number(o, "median"));
	}
	if (!t->no_spread)
		printf(" %8s %8s", bench_number(b, sizeof(b), number(o, "min") / t->unit),
		       bench_number(c, sizeof(c), number(o, "max") / t->unit));
	printf(" %7s", bench_number(d, sizeof(d), number(o, "mad") / t->unit));
	if (t->p99)
		printf(" %8s", p99 ? bench_number(a, sizeof(a), json_number_value(p99) / t->unit) :
				     "-");
	print_ratio(t, o);
	for (i = 0; i < t->extras; i++) {
		extra = json_object_get(json_object_get(o, "extra"), t->extra[i]);
		if (json_is_number(extra))
			printf("  %10.*f", json_is_integer(extra) ? 0 : 4,
			       json_number_value(extra));
		else
			printf("  %10s", "-");
	}
	putchar('\n');
}

/* Returns: was something left out? */
static bool print_group(const json_t *doc, const json_t *first)
{
	struct table t = { .doc = doc, .first = first, .name_width = 9 };
	struct bench_ratio ratio;
	size_t i, rounds = 0;
	const json_t *o;
	int name;

	json_array_foreach(json_object_get(doc, "results"), i, o) {
		if (!same_group(o, first))
			continue;
		name = (int)strlen(text(o, "contender"));
		if (name > t.name_width)
			t.name_width = name < NAME_MAX_WIDTH ? name : NAME_MAX_WIDTH;
		if (number(o, "median") > t.most)
			t.most = number(o, "median");
		if (json_object_get(json_object_get(o, "percentiles"), "p99"))
			t.p99 = true;
		if (o != baseline_of(doc, o) && bench_result_ratio(doc, o, &ratio))
			t.ratios = true;
		note_extras(&t, o);
		if (json_array_size(json_object_get(o, "rounds")) > rounds)
			rounds = json_array_size(json_object_get(o, "rounds"));
	}
	fit(&t);
	print_head(&t, rounds);
	json_array_foreach(json_object_get(doc, "results"), i, o)
		if (same_group(o, first))
			print_row(&t, o);
	return t.cut;
}

void bench_print_extra(const json_t *extra)
{
	const char *key, *sep = "";
	json_t *value;
	char *s;

	json_object_foreach((json_t *)(uintptr_t)extra, key, value) {
		s = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(8));
		printf("%s%s=%s", sep, key, s ? s : "");
		free(s);
		sep = " ";
	}
}

void bench_print_skipped(const json_t *skipped)
{
	const json_t *o, *other;
	size_t i, k;

	/* A reason is told where it first stands, for all that it holds for. */
	json_array_foreach(skipped, i, o) {
		for (k = 0; k < i; k++)
			if (!strcmp(text(json_array_get(skipped, k), "why"), text(o, "why")))
				break;
		if (k < i)
			continue;
		printf("skipped   %s", text(o, "contender"));
		json_array_foreach(skipped, k, other)
			if (k > i && !strcmp(text(other, "why"), text(o, "why")))
				printf(", %s", text(other, "contender"));
		printf(": %s\n", text(o, "why"));
	}
}

void bench_print_head(const json_t *doc)
{
	const json_t *checks = json_object_get(doc, "checks");
	long long checked = json_integer_value(json_object_get(checks, "records"));
	long long marked = json_integer_value(json_object_get(checks, "marked"));

	bench_print_environment(json_object_get(doc, "environment"), stdout);
	printf("asked     ");
	bench_print_extra(json_object_get(doc, "parameters"));
	putchar('\n');
	if (checked)
		printf("checked   %lld records in full, all as they were sent\n", checked);
	if (marked)
		printf("checked   %lld records by their first and last word, all as they were sent\n",
		       marked);
	bench_print_skipped(json_object_get(doc, "skipped"));
}

void bench_print_text(const json_t *doc, const char *advice)
{
	const json_t *results = json_object_get(doc, "results"), *o;
	bool cut = false;
	size_t i, k;

	bench_print_head(doc);
	/* A group is printed where its first result stands. */
	json_array_foreach(results, i, o) {
		for (k = 0; k < i && !same_group(json_array_get(results, k), o); k++)
			;
		if (k == i)
			cut |= print_group(doc, o);
	}
	if (cut)
		puts("\nThis terminal is too narrow for all columns; in a file, or by --tsv and --json, they are there.");
	if (advice)
		printf("\n%s\n", advice);
}
