// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench html - documents of benchmarks as one page that needs nothing else: no
 * network, no script, plots inside; light or dark as the reader's system is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_html.h"

#define FILES_MAX	32

struct html_args {
	const char *path[FILES_MAX];
	unsigned int paths;
	const char *out;
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Where to write the page (default: stdout)", 1 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1a1c20;--dim:#5c6470;--rule:#d5d9e0;"
	"--fine:#eef0f3;--card:#f7f8fa;--l:42%;--heat:94%}\n"
	"@media (prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e4e7ec;--dim:#9aa3b0;"
	"--rule:#3a404a;--fine:#23272e;--card:#1b1e24;--l:64%;--heat:18%}}\n"
	"body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--bg);color:var(--fg);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--rule)}\n"
	"h3{margin-bottom:.3rem}.sub{color:var(--dim);font-weight:normal}\n"
	".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));"
	"gap:1rem}\n"
	"figure{max-width:46rem;margin:0;padding:.8rem;background:var(--card);border-radius:.5rem}\n"
	"figcaption{font-weight:600}svg{display:block;width:100%;height:auto}\n"
	"svg text{fill:var(--fg);font-size:13px}.grid{stroke:var(--rule)}.fine{stroke:var(--fine)}\n"
	".curve{fill:none;stroke:hsl(var(--hue) 70% var(--l));stroke-width:2}\n"
	".dot,.bar{fill:hsl(var(--hue) 70% var(--l))}.span{stroke:var(--fg)}\n"
	".heat{fill:hsl(calc(8 + 132*var(--good)) 55% calc(var(--heat) - (var(--heat) - 50%)*.55))}\n"
	".legend{list-style:none;padding:0;margin:.5rem 0 0;display:flex;flex-wrap:wrap;"
	"gap:.1rem 1rem;font-size:13px}\n"
	".legend li{display:flex;align-items:center;gap:.4rem}.legend svg{width:28px;flex:none}\n"
	".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
	"td,th{padding:.15rem .7rem;text-align:right;border-bottom:1px solid var(--rule);"
	"white-space:nowrap}\n"
	"td:first-child,th:first-child{text-align:left;padding-left:0}th{color:var(--dim)}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{color:var(--dim)}"
	"dd{margin:0;overflow-wrap:anywhere}\n";

void html_put(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			/* JSON may hold control characters, XML may not. */
			fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
		}
	}
}

const char *html_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

double html_number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static bool same_group(const json_t *a, const json_t *b)
{
	return !strcmp(html_text(a, "group"), html_text(b, "group")) &&
	       !strcmp(html_text(a, "metric"), html_text(b, "metric")) &&
	       !strcmp(html_text(a, "unit"), html_text(b, "unit"));
}

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

/* All results that go with @first, if @first is the first of them */
static size_t gather(const json_t *results, size_t first,
		     bool (*same)(const json_t *, const json_t *), const json_t **out)
{
	const json_t *o = json_array_get(results, first), *r;
	size_t i, n = 0;

	json_array_foreach(results, i, r) {
		if (!same(r, o))
			continue;
		if (i < first)
			return 0;
		out[n++] = r;
	}
	return n;
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

static void put_plots(FILE *f, const json_t *results, const json_t **list)
{
	struct html_series s = { .result = list };
	char title[256];
	bool lines;
	size_t i;

	s.title = title;
	fputs("<div class=\"plots\">\n", f);
	for (i = 0; i < json_array_size(results); i++) {
		s.n = gather(results, i, same_family, list);
		if (!s.n || !several_payloads(list, s.n))
			continue;
		family(list[0], title, sizeof(title));
		html_plot_payload(f, &s);
	}
	for (i = 0; i < json_array_size(results); i++) {
		s.n = gather(results, i, same_group, list);
		if (!s.n)
			continue;
		snprintf(title, sizeof(title), "%s", html_text(list[0], "group"));
		lines = json_is_object(json_object_get(list[0], "percentiles"));
		if (html_plot_heat(f, &s))
			continue;
		html_plot_bars(f, &s);
		if (lines)
			html_plot_latency(f, &s);
	}
	fputs("</div>\n", f);
}

static void put_cell(FILE *f, double v)
{
	char text[32];

	fprintf(f, "<td>%s</td>", bench_number(text, sizeof(text), v));
}

static void put_row(FILE *f, const json_t *doc, const json_t *o)
{
	const json_t *p99 = json_object_get(json_object_get(o, "percentiles"), "p99");
	struct bench_ratio ratio;

	fputs("<tr><td>", f);
	html_put(f, html_text(o, "contender"));
	fputs("</td>", f);
	put_cell(f, html_number(o, "median"));
	put_cell(f, html_number(o, "min"));
	put_cell(f, html_number(o, "max"));
	put_cell(f, html_number(o, "mad"));
	if (json_is_number(p99))
		put_cell(f, json_number_value(p99));
	else
		fputs("<td></td>", f);
	if (bench_result_ratio(doc, o, &ratio))
		fprintf(f, "<td>%.2f (%.2f..%.2f)</td>", ratio.median, ratio.min, ratio.max);
	else
		fputs("<td></td>", f);
	fputs("</tr>\n", f);
}

static void put_tables(FILE *f, const json_t *doc, const json_t **list)
{
	const json_t *results = json_object_get(doc, "results");
	const char *base;
	size_t i, k, n;

	for (i = 0; i < json_array_size(results); i++) {
		n = gather(results, i, same_group, list);
		if (!n)
			continue;
		fputs("<h3>", f);
		html_put(f, html_text(list[0], "group"));
		fputs("<span class=\"sub\"> ", f);
		html_put(f, html_text(list[0], "unit"));
		fprintf(f, "; %s is better; %zu rounds</span></h3>\n<div class=\"scroll\"><table>\n",
			json_is_true(json_object_get(list[0], "less_is_better")) ? "less" : "more",
			json_array_size(json_object_get(list[0], "rounds")));
		fputs("<tr><th>contender</th><th>median</th><th>least</th><th>most</th><th>MAD</th>"
		      "<th>p99</th><th>times ", f);
		base = html_text(list[0], "baseline");
		if (!*base)
			base = html_text(json_object_get(doc, "parameters"), "baseline");
		html_put(f, base);
		fputs("</th></tr>\n", f);
		for (k = 0; k < n; k++)
			put_row(f, doc, list[k]);
		fputs("</table></div>\n", f);
	}
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

static void put_document(FILE *f, const json_t *doc, const json_t **list)
{
	const json_t *skipped = json_object_get(doc, "skipped"), *o;
	size_t i;

	fputs("<h2>bench ", f);
	html_put(f, html_text(doc, "bench"));
	fputs("<span class=\"sub\"> ", f);
	html_put(f, html_text(doc, "date"));
	fputs("</span></h2>\n<p>", f);
	html_put(f, html_text(json_object_get(doc, "environment"), "cpu"));
	fputs(", Linux ", f);
	html_put(f, html_text(json_object_get(doc, "environment"), "kernel"));
	fprintf(f, "; %.0f records checked, none wrong.</p>\n",
		html_number(json_object_get(doc, "checks"), "records"));
	put_plots(f, json_object_get(doc, "results"), list);
	put_tables(f, doc, list);
	if (json_array_size(skipped)) {
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
	fputs("<details><summary>What was asked for, and the machine</summary>\n", f);
	put_members(f, json_object_get(doc, "parameters"));
	put_members(f, json_object_get(doc, "environment"));
	fputs("</details>\n", f);
}

static void put_page(FILE *f, json_t *const *doc, const json_t ***list, unsigned int n)
{
	unsigned int i;

	fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
	      "<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<title>shmring bench</title>\n<style>\n", f);
	fputs(style, f);
	fputs("</style>\n</head>\n<body>\n<h1>shmring bench</h1>\n"
	      "<p>Medians of interleaved rounds; every record was checked. Figures hold for one machine "
	      "and one moment: compare within a group.</p>\n", f);
	for (i = 0; i < n; i++)
		put_document(f, doc[i], list[i]);
	fputs("</body>\n</html>\n", f);
}

static int write_page(const struct html_args *args, json_t *const *doc, const json_t ***list)
{
	FILE *f = args->out ? fopen(args->out, "we") : stdout;
	int err;

	if (!f)
		return tool_say(TOOL_ERROR, "cannot write '%s': %s", args->out, strerror(errno));
	errno = 0;
	put_page(f, doc, list, args->paths);
	if (f == stdout)
		return tool_flush_stdout(TOOL_OK);
	err = ferror(f) | fflush(f);
	err |= fclose(f);
	if (!err)
		return TOOL_OK;
	err = errno;
	/* Half a page is none; what is no plain file is not ours to remove. */
	if (truncate(args->out, 0) == 0)
		unlink(args->out);
	return tool_say(TOOL_ERROR, "cannot write '%s': %s", args->out, strerror(err));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct html_args *args = state->input;

	switch (key) {
	case 'o':
		args->out = arg;
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case TOOL_KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case ARGP_KEY_ARG:
		if (args->paths == FILES_MAX)
			argp_error(state, "more than %d files", FILES_MAX);
		args->path[args->paths++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!args->paths)
			argp_error(state, "no file: give results of 'shmring bench ... --json'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int bench_html(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE...",
		"Make one HTML page with plots and tables of results of 'shmring bench ... --json'; '-' "
		"is the standard input. The page needs no network and no script.",
		NULL, NULL, NULL
	};
	const json_t **list[FILES_MAX] = { NULL };
	json_t *doc[FILES_MAX] = { NULL };
	struct html_args args = { 0 };
	int code = TOOL_OK;
	unsigned int i;

	tool_parse(&argp, "shmring bench html", argc, argv, &args);
	tool_signals_init();
	for (i = 0; i < args.paths && !code; i++) {
		doc[i] = bench_doc_load(args.path[i]);
		if (!doc[i]) {
			code = TOOL_ERROR;
			break;
		}
		list[i] = calloc(json_array_size(json_object_get(doc[i], "results")) + 1,
				 sizeof(**list));
		if (!list[i])
			code = tool_fail(-ENOMEM, "cannot hold '%s'", args.path[i]);
	}
	if (!code)
		code = write_page(&args, doc, list);
	for (i = 0; i < args.paths; i++) {
		json_decref(doc[i]);
		free(list[i]);
	}
	return code;
}
