// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a benchmark's document back: from a file, and not trusted to be one.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_result.h"

static bool is_result(const json_t *o)
{
	static const char *const texts[] = { "group", "contender", "metric", "unit" };
	static const char *const values[] = { "median", "min", "max", "mad" };
	const json_t *rounds = json_object_get(o, "rounds"), *v;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!json_is_string(json_object_get(o, texts[i])))
			return false;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!json_is_number(json_object_get(o, values[i])))
			return false;
	if (!json_is_array(rounds) || !json_array_size(rounds))
		return false;
	json_array_foreach(rounds, i, v)
		if (!json_is_number(v))
			return false;
	return json_is_boolean(json_object_get(o, "less_is_better"));
}

json_t *bench_doc_load(const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	const json_t *format, *o;
	json_error_t error;
	json_t *doc;
	size_t i;

	if (!f) {
		tool_say(0, "cannot read '%s': %s", path, strerror(errno));
		return NULL;
	}
	doc = json_loadf(f, 0, &error);
	if (f != stdin)
		fclose(f);
	if (!doc) {
		tool_say(0, "'%s' is no JSON: line %d: %s", path, error.line, error.text);
		return NULL;
	}
	format = json_object_get(doc, "format");
	if (!json_is_string(format) || strcmp(json_string_value(format), BENCH_FORMAT)) {
		tool_say(0, "'%s' is no result of 'shmring bench ... --json'", path);
		goto bad;
	}
	if (json_integer_value(json_object_get(doc, "version")) != BENCH_VERSION) {
		tool_say(0, "'%s' has another version of the format than %d, which is what this program reads",
			 path, BENCH_VERSION);
		goto bad;
	}
	if (!json_is_array(json_object_get(doc, "results")) ||
	    !json_is_string(json_object_get(doc, "bench")))
		goto incomplete;
	json_array_foreach(json_object_get(doc, "results"), i, o)
		if (!is_result(o))
			goto incomplete;
	return doc;
incomplete:
	tool_say(0, "'%s' is damaged: a result lacks what every result has", path);
bad:
	json_decref(doc);
	return NULL;
}
