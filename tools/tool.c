// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a table of subcommands, and saying what went wrong in one sentence.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static void print_help(FILE *f, const char *self, const char *doc, const char *tail,
		       const struct tool_command *table)
{
	const struct tool_command *c;
	int width = 0;

	for (c = table; c->name; c++)
		if ((int)strlen(c->name) > width)
			width = (int)strlen(c->name);
	fprintf(f, "Usage: %s COMMAND [ARGUMENTS]\n%s\n\nCommands:\n", self, doc);
	for (c = table; c->name; c++)
		fprintf(f, "  %-*s  %s\n", width, c->name, c->summary);
	fprintf(f, "\n%s COMMAND --help tells the arguments of each.\n", self);
	if (tail)
		fprintf(f, "\n%s", tail);
}

static bool told;	/* of what could not be written */

/* argp exits by itself after a help text. */
static void last_look(void)
{
	int code = told ? TOOL_OK : tool_flush_stdout(TOOL_OK);

	if (code)
		_exit(code);
}

int tool_dispatch(const char *self, const char *doc, const char *tail,
		  const struct tool_command *table, int argc, char **argv)
{
	const struct tool_command *c;

	atexit(last_look);
	if (argc < 2) {
		print_help(stderr, self, doc, tail, table);
		return TOOL_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout, self, doc, tail, table);
		return tool_flush_stdout(TOOL_OK);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("shmring %s (library), ABI %d\n", shmring_version(), SHMRING_ABI);
		return tool_flush_stdout(TOOL_OK);
	}
	for (c = table; c->name; c++)
		if (!strcmp(argv[1], c->name))
			return c->main(argc - 1, argv + 1);
	return tool_say(TOOL_USAGE, "there is no command '%s'; %s --help lists them", argv[1],
			self);
}

int tool_say(int code, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("shmring: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

static int exit_code(int err)
{
	switch (err) {
	case -EOWNERDEAD:
		return TOOL_PEER_DIED;
	case -EPIPE:
		return TOOL_PEER_CLOSED;
	case -ETIMEDOUT:
		return TOOL_TIMEOUT;
	case -EBADMSG:
	case -EPROTO:
		return TOOL_DAMAGED;
	default:
		return TOOL_ERROR;
	}
}

int tool_fail(int err, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("shmring: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", shmring_strerror(err));
	return exit_code(err);
}

int tool_ring_failed(int err, uint32_t backend, const char *doing, const char *name)
{
	/* Without the device the error is of the device's file, not of a ring. */
	if (backend == SHMRING_BACKEND_DEVICE && access(TOOL_DEVICE, F_OK))
		return tool_say(TOOL_ERROR, "cannot %s ring '%s': " TOOL_NO_DEVICE, doing, name);
	if (err == -EACCES && backend == SHMRING_BACKEND_DEVICE && access(TOOL_DEVICE, R_OK | W_OK))
		return tool_say(TOOL_ERROR, "cannot %s ring '%s': you may not open " TOOL_DEVICE ": be in its group (sudo usermod -aG shmring NAME, then log in again)",
				doing, name);
	/* A size that is too large is a usage error, so this one is too small. */
	if (err == -ERANGE)
		return tool_say(TOOL_ERROR, "cannot %s ring '%s': pages of 2 MiB (--huge) need a --size of at least 2M",
				doing, name);
	return tool_fail(err, "cannot %s ring '%s'", doing, name);
}

int tool_look_failed(int err, uint32_t backend, const char *name)
{
	if (err == -ENOENT && (backend != SHMRING_BACKEND_DEVICE || !access(TOOL_DEVICE, F_OK)))
		return tool_say(TOOL_ERROR, "there is no ring '%s': shmring list shows those there are",
				name);
	return tool_ring_failed(err, backend, "look at", name);
}

const char *tool_chosen(char *line)
{
	char *open = strchr(line, '['), *close = open ? strchr(open, ']') : NULL;

	if (!close)
		return line;
	*close = '\0';
	return open + 1;
}

int tool_flush_stdout(int code)
{
	int err;

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	err = errno;
	told = true;
	if (err == EPIPE)
		return TOOL_SIGNAL + SIGPIPE;
	tool_say(0, "cannot write the output: %s", err ? strerror(err) : "an earlier write failed");
	return code ? code : TOOL_ERROR;
}
