// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments that mean the same for every subcommand, and numbers read strictly.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum {
	KEY_PREFER_NODE = 0x1000,
	KEY_INTERLEAVE,
	KEY_HUGE,
	KEY_SMALL,
};

void tool_args_init(struct tool_args *args)
{
	memset(args, 0, sizeof(*args));
	args->opts.size = sizeof(args->opts);
	args->opts.node = -1;
	args->opts.cursor_node = -1;
}

static bool read_digits(const char *text, const char **end, int base, uint64_t *value)
{
	char *stop;

	*value = 0;
	/* strtoull() takes blanks and signs, which mean nothing here. */
	if (!isdigit((unsigned char)*text))
		return false;
	/* What is too large becomes the largest, which no limit lets pass. */
	*value = strtoull(text, &stop, base);
	*end = stop;
	return stop != text;
}

uint64_t tool_parse_number(struct argp_state *state, const char *what, const char *text,
			   uint64_t min, uint64_t max)
{
	const char *end;
	uint64_t value;

	if (!read_digits(text, &end, 10, &value) || *end)
		argp_error(state, "%s: '%s' is not a whole number", what, text);
	if (value < min || value > max)
		argp_error(state, "%s: %s is not between %llu and %llu", what, text,
			   (unsigned long long)min, (unsigned long long)max);
	return value;
}

uint64_t tool_parse_size(struct argp_state *state, const char *what, const char *text,
			 uint64_t min, uint64_t max)
{
	unsigned int shift = 0;
	const char *end;
	uint64_t value;

	if (!read_digits(text, &end, 10, &value))
		goto bad;
	switch (toupper((unsigned char)*end)) {
	case '\0':
		break;
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	default:
		goto bad;
	}
	if (*end && end[1])
		goto bad;
	if (value > max >> shift || value << shift < min)
		argp_error(state, "%s: %s is not between %llu and %llu bytes", what, text,
			   (unsigned long long)min, (unsigned long long)max);
	return value << shift;
bad:
	argp_error(state, "%s: '%s' is not a size: a whole number, and K, M or G behind it if wanted",
		   what, text);
	return 0;
}

/* @kind: what it should be, for who reads that it is not */
static uint64_t parse_decimal(struct argp_state *state, const char *what, const char *text,
			      const char *kind)
{
	uint64_t whole = 0, frac = 0, unit = 1000000000;
	const char *end = text;

	if (*text != '.' && !read_digits(text, &end, 10, &whole))
		goto bad;
	if (*end == '.') {
		if (!isdigit((unsigned char)*++end))
			goto bad;
		for (; isdigit((unsigned char)*end); end++) {
			unit /= 10;
			frac += unit * (uint64_t)(*end - '0');
		}
	}
	if (*end)
		goto bad;
	if (whole > 1000000000)
		argp_error(state, "%s: %s is more than 1000000000", what, text);
	return whole * 1000000000 + frac;
bad:
	argp_error(state, "%s: '%s' is not %s", what, text, kind);
	return 0;
}

uint64_t tool_parse_seconds(struct argp_state *state, const char *what, const char *text)
{
	return parse_decimal(state, what, text, "a number of seconds such as 5 or 0.25");
}

uint64_t tool_parse_decimal(struct argp_state *state, const char *what, const char *text)
{
	return parse_decimal(state, what, text, "a number such as 2 or 0.5");
}

const char *tool_parse_name(struct argp_state *state, const char *text)
{
	const char *c;

	if (!*text)
		argp_error(state, "a ring's name cannot be empty");
	if (*text == '.')
		argp_error(state, "'%s': a ring's name cannot begin with a dot", text);
	for (c = text; *c; c++)
		if (!isascii((unsigned char)*c) ||
		    (!isalnum((unsigned char)*c) && !strchr("._-", *c)))
			argp_error(state, "'%s': a ring's name is made of letters, digits and . _ -",
				   text);
	if (strlen(text) >= SHMRING_NAME_MAX)
		argp_error(state, "'%s': a ring's name has at most %d characters", text,
			   SHMRING_NAME_MAX - 1);
	return text;
}

/* -h and -b */

static const struct argp_option backend_options[] = {
	{ "backend", 'b', "WHICH", 0,
	  "auto (default: the device where it can be opened, else memfd), device "
	  "(/dev/shmring), or memfd (needs no module)", 10 },
	{ "help", 'h', NULL, 0, "Give this help list", -1 },
	{ "usage", TOOL_KEY_USAGE, NULL, 0, "Give a short usage message", -1 },
	{ 0 }
};

static error_t parse_backend(int key, char *arg, struct argp_state *state)
{
	struct tool_args *args = state->input;

	switch (key) {
	case 'b':
		if (!strcmp(arg, "auto"))
			args->opts.backend = SHMRING_BACKEND_AUTO;
		else if (!strcmp(arg, "device"))
			args->opts.backend = SHMRING_BACKEND_DEVICE;
		else if (!strcmp(arg, "memfd"))
			args->opts.backend = SHMRING_BACKEND_MEMFD;
		else
			argp_error(state, "--backend: '%s' is not auto, device or memfd", arg);
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case TOOL_KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp tool_argp_backend = {
	backend_options, parse_backend, NULL, NULL, NULL, NULL, NULL
};

/* -j */

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON for programs instead of text for people", 11 },
	{ 0 }
};

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	struct tool_args *args = state->input;

	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	args->json = true;
	return 0;
}

const struct argp tool_argp_json = { json_options, parse_json, NULL, NULL, NULL, NULL, NULL };

/* How to make a ring */

static const struct argp_option ring_options[] = {
	{ NULL, 0, NULL, 0, "If the ring has to be made:", 5 },
	{ "size", 's', "BYTES", 0,
	  "Room for records, of several producers for those of each; K, M or G may follow; rounded "
	  "up to a power of two, all together up to 1G (default 1M, for each of several 128K)", 5 },
	{ "mode", 'm', "OCTAL", 0,
	  "Permissions as of a file: read to receive, write to send; memfd: both for either, e.g. "
	  "660 (default 600)", 5 },
	{ "node", 'n', "N", 0, "Memory on NUMA node N and no other", 5 },
	{ "prefer-node", KEY_PREFER_NODE, "N", 0,
	  "Memory on NUMA node N, else on the nearest that has some", 5 },
	{ "interleave", KEY_INTERLEAVE, NULL, 0, "Memory on all NUMA nodes, page after page", 5 },
	{ "huge", KEY_HUGE, NULL, 0, "2 MiB pages or an error", 5 },
	{ "small", KEY_SMALL, NULL, 0, "Base pages whatever the size", 5 },
	{ 0 }
};

static void set_placement(struct argp_state *state, uint32_t placement, const char *node)
{
	const char *what = placement == SHMRING_PLACE_STRICT ? "--node" : "--prefer-node";
	struct tool_args *args = state->input;

	if (args->opts.placement)
		argp_error(state, "only one of --node, --prefer-node and --interleave can be given");
	args->opts.placement = placement;
	if (node)
		args->opts.node = (int32_t)tool_parse_number(state, what, node, 0, INT32_MAX);
}

static void set_pages(struct argp_state *state, uint32_t flag)
{
	struct tool_args *args = state->input;

	args->opts.flags |= flag;
	if ((args->opts.flags & SHMRING_CREATE_HUGE) && (args->opts.flags & SHMRING_CREATE_SMALL))
		argp_error(state, "--huge and --small exclude each other");
}

static error_t parse_ring(int key, char *arg, struct argp_state *state)
{
	struct tool_args *args = state->input;
	const char *end;
	uint64_t mode;

	switch (key) {
	case 's':
		args->opts.data_size = tool_parse_size(state, "--size", arg, 1, SHMRING_DATA_MAX);
		return 0;
	case 'm':
		if (!read_digits(arg, &end, 8, &mode) || *end || mode > 0777)
			argp_error(state, "--mode: '%s' is not an octal mode from 0 to 777", arg);
		if (!mode)
			argp_error(state, "--mode: with 0 nobody could use the ring");
		args->opts.mode = (uint32_t)mode;
		return 0;
	case 'n':
		set_placement(state, SHMRING_PLACE_STRICT, arg);
		return 0;
	case KEY_PREFER_NODE:
		set_placement(state, SHMRING_PLACE_PREFERRED, arg);
		return 0;
	case KEY_INTERLEAVE:
		set_placement(state, SHMRING_PLACE_INTERLEAVE, NULL);
		return 0;
	case KEY_HUGE:
		set_pages(state, SHMRING_CREATE_HUGE);
		return 0;
	case KEY_SMALL:
		set_pages(state, SHMRING_CREATE_SMALL);
		return 0;
	case ARGP_KEY_END:
		if ((args->opts.flags & SHMRING_CREATE_HUGE) && args->opts.data_size &&
		    args->opts.data_size < TOOL_HUGE_MIN)
			argp_error(state, "--huge: pages of 2 MiB need a --size of at least 2M");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp tool_argp_ring = { ring_options, parse_ring, NULL, NULL, NULL, NULL, NULL };

void tool_parse(const struct argp *argp, const char *self, int argc, char **argv, void *input)
{
	char *name = argv[0];

	argp_err_exit_status = TOOL_USAGE;
	/* argp calls the program by argv[0] in what it prints, and help by -? alone. */
	argv[0] = (char *)(uintptr_t)self;
	argp_parse(argp, argc, argv, ARGP_NO_HELP, NULL, input);
	argv[0] = name;
}
