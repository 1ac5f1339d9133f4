// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench html: the page. Which figures a document gets follows from what its results
 * have: several payloads, percentiles, nodes, rows.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_html.h"

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1a1c20;--dim:#5c6470;--rule:#d5d9e0;"
	"--fine:#eef0f3;--card:#f7f8fa;--l:42%;--heat:94%}\n"
	"@media (prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e4e7ec;--dim:#9aa3b0;"
	"--rule:#3a404a;--fine:#23272e;--card:#1b1e24;--l:64%;--heat:18%}}\n"
	"body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--bg);color:var(--fg);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--rule)}\n"
	"h3{margin-bottom:.3rem}.sub{color:var(--dim);font-weight:normal}\n"
	".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));"
	"gap:1rem;align-items:start;margin-top:1rem}\n"
	"figure{max-width:46rem;margin:0;padding:.8rem;background:var(--card);border-radius:.5rem;"
	"overflow-x:auto}\n"
	/* Where a figure is narrower than this it is scrolled, since text has to be read. */
	"figcaption{font-weight:600}svg{display:block;width:100%;min-width:19rem;height:auto}\n"
	"svg text{fill:var(--fg);font-size:12px}svg .row{font-weight:600}svg .dim{fill:var(--dim)}\n"
	".grid{stroke:var(--rule)}.fine{stroke:var(--fine)}\n"
	".curve{fill:none;stroke:hsl(var(--hue) 70% var(--l));stroke-width:2}\n"
	".dot,.bar{fill:hsl(var(--hue) 70% var(--l))}.span{stroke:var(--fg)}\n"
	".heat{fill:hsl(calc(8 + 132*var(--good)) 55% calc(var(--heat) - (var(--heat) - 50%)*.55))}\n"
	".legend{list-style:none;padding:0;margin:.5rem 0 0;display:flex;flex-wrap:wrap;"
	"gap:.1rem 1rem;font-size:13px}\n"
	".legend li{display:flex;align-items:center;gap:.4rem}"
	".legend svg{width:28px;min-width:0;flex:none}\n"
	".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
	"td,th{padding:.15rem .7rem;text-align:right;border-bottom:1px solid var(--rule);"
	"white-space:nowrap}\n"
	"td:first-child,th:first-child{text-align:left;padding-left:0}th{color:var(--dim)}\n"
	".words td,.words th{text-align:left;vertical-align:top}.words td:last-child"
	"{white-space:normal;min-width:20rem}\n"
	"details{margin-top:1rem}summary{cursor:pointer;font-weight:600}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{color:var(--dim)}"
	"dd{margin:0;overflow-wrap:anywhere}\n";

static bool has_payload(const json_t *o)
{
	return json_is_integer(json_object_get(o, "payload")) && html_number(o, "payload") > 0;
}

/* The group's name without the payload: what is one plot over all payloads */
static void family(const json_t *o, char *buf, size_t n)
{
	const char *group = html_text(o, "group"), *hit;
	char number[32];

	snprintf(number, sizeof(number), "%.0f", html_number(o, "payload"));
	hit = has_payload(o) ? strstr(group, number) : NULL;
	if (hit)
		snprintf(buf, n, "%.*sN%s", (int)(hit - group), group, hit + strlen(number));
	else
		snprintf(buf, n, "%s", group);
}

static bool same_family(const json_t *a, const json_t *b)
{
	char x[256], y[256];

	family(a, x, sizeof(x));
	family(b, y, sizeof(y));
	return !strcmp(x, y) && !strcmp(html_text(a, "metric"), html_text(b, "metric")) &&
	       !strcmp(html_text(a, "unit"), html_text(b, "unit"));
}

/* One figure: what says so itself, else what is compared with each other */
static bool same_figure(const json_t *a, const json_t *b)
{
	const char *x = html_text(a, "figure"), *y = html_text(b, "figure");

	if (!*x && !*y)
		return html_same_group(a, b);
	return !strcmp(x, y) && !strcmp(html_text(a, "metric"), html_text(b, "metric")) &&
	       !strcmp(html_text(a, "unit"), html_text(b, "unit"));
}

static bool several_payloads(const json_t **r, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!has_payload(r[i]))
			return false;
	for (i = 1; i < n; i++)
		if (html_number(r[i], "payload") != html_number(r[0], "payload"))
			return true;
	return false;
}

static void note_contenders(const json_t *results, struct html_series *s)
{
	const json_t *o;
	size_t i, k;

	json_array_foreach(results, i, o) {
		for (k = 0; k < s->who_count && strcmp(s->who[k], html_text(o, "contender")); k++)
			;
		if (k == s->who_count && k < HTML_WHO_MAX)
			s->who[s->who_count++] = html_text(o, "contender");
	}
}

static void put_plots(FILE *f, const json_t *results, const json_t **list)
{
	struct html_series s = { .result = list };
	const char *figure;
	char title[256];
	bool lines;
	size_t i;

	s.title = title;
	note_contenders(results, &s);
	fputs("<div class=\"plots\">\n", f);
	for (i = 0; i < json_array_size(results); i++) {
		s.n = html_gather(results, i, same_family, list);
		if (!s.n || !several_payloads(list, s.n))
			continue;
		family(list[0], title, sizeof(title));
		html_plot_payload(f, &s);
	}
	for (i = 0; i < json_array_size(results); i++) {
		s.n = html_gather(results, i, same_figure, list);
		if (!s.n)
			continue;
		figure = html_text(list[0], "figure");
		snprintf(title, sizeof(title), "%s",
			 *figure ? figure : html_text(list[0], "group"));
		lines = json_is_object(json_object_get(list[0], "percentiles"));
		if (html_plot_heat(f, &s))
			continue;
		html_plot_bars(f, &s);
		if (lines)
			html_plot_latency(f, &s);
	}
	fputs("</div>\n", f);
}

static void put_members(FILE *f, const json_t *o)
{
	const char *key;
	json_t *value;
	char *text;

	fputs("<dl>\n", f);
	json_object_foreach((json_t *)(uintptr_t)o, key, value) {
		fputs("<dt>", f);
		html_put(f, key);
		fputs("</dt><dd>", f);
		text = json_is_string(value) ? NULL :
		       json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
		html_put(f, text ? text : json_is_string(value) ? json_string_value(value) : "");
		free(text);
		fputs("</dd>\n", f);
	}
	fputs("</dl>\n", f);
}

static void put_skipped(FILE *f, const json_t *skipped)
{
	const json_t *o;
	size_t i;

	if (!json_array_size(skipped))
		return;
	fputs("<h3>Did not take part</h3>\n<ul>\n", f);
	json_array_foreach(skipped, i, o) {
		fputs("<li>", f);
		html_put(f, html_text(o, "contender"));
		fputs(": ", f);
		html_put(f, html_text(o, "why"));
		fputs("</li>\n", f);
	}
	fputs("</ul>\n", f);
}

static void put_document(FILE *f, const json_t *doc, const json_t **list)
{
	const json_t *checks = json_object_get(doc, "checks");

	fputs("<h2>bench ", f);
	html_put(f, html_text(doc, "bench"));
	fputs("<span class=\"sub\"> ", f);
	html_put(f, html_text(doc, "date"));
	fputs("</span></h2>\n<p>", f);
	html_put(f, html_text(json_object_get(doc, "environment"), "cpu"));
	fputs(", Linux ", f);
	html_put(f, html_text(json_object_get(doc, "environment"), "kernel"));
	fprintf(f, "; %.0f records checked", html_number(checks, "records"));
	if (html_number(checks, "marked") > 0)
		fprintf(f, ", %.0f by their first and last word", html_number(checks, "marked"));
	fputs(", none wrong.</p>\n", f);
	html_put_advice(f, doc);
	put_plots(f, json_object_get(doc, "results"), list);
	put_skipped(f, json_object_get(doc, "skipped"));
	fputs("<details><summary>All values as tables</summary>\n", f);
	html_put_tables(f, doc, list);
	fputs("</details>\n<details><summary>What was asked for, and the machine</summary>\n", f);
	put_members(f, json_object_get(doc, "parameters"));
	put_members(f, json_object_get(doc, "environment"));
	fputs("</details>\n", f);
}

void html_put_page(FILE *f, json_t *const *doc, const json_t ***list, unsigned int n)
{
	unsigned int i;

	fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
	      "<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<title>shmring bench</title>\n<style>\n", f);
	fputs(style, f);
	fputs("</style>\n</head>\n<body>\n<h1>shmring bench</h1>\n"
	      "<p>Medians of interleaved rounds; every record was checked. Figures hold for one machine "
	      "and one moment: compare within a plot.</p>\n", f);
	for (i = 0; i < n; i++)
		put_document(f, doc[i], list[i]);
	fputs("</body>\n</html>\n", f);
}
