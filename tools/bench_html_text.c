// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench html: what is read of documents, which anybody may have written, and text that
 * goes into the page.
 */
#include <string.h>

#include "bench_html.h"

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

bool html_same_group(const json_t *a, const json_t *b)
{
	return !strcmp(html_text(a, "group"), html_text(b, "group")) &&
	       !strcmp(html_text(a, "metric"), html_text(b, "metric")) &&
	       !strcmp(html_text(a, "unit"), html_text(b, "unit"));
}

size_t html_gather(const json_t *results, size_t first,
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
