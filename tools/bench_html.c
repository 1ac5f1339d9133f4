// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench html - documents of benchmarks as one page that needs nothing else: no
 * network, no script, plots inside; light or dark as the reader's system is. Here: the
 * command line, and a file that is whole or not there.
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

static int write_page(const struct html_args *args, json_t *const *doc, const json_t ***list)
{
	FILE *f = args->out ? fopen(args->out, "we") : stdout;
	int err;

	if (!f)
		return tool_say(TOOL_ERROR, "cannot write '%s': %s", args->out, strerror(errno));
	errno = 0;
	html_put_page(f, doc, list, args->paths);
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
