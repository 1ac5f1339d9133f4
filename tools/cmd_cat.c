// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring cat - stdin to a ring or a ring to stdout, as a stream of bytes
 *
 * Records are whatever one read(2) gave, read straight into the ring's memory.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum {
	KEY_NO_DRAIN = 0x100,
};

/* As much as a pipe holds; a quarter of small rings, so that both sides can work. */
#define PIECE	65536

enum direction { BY_STDIN, INTO_RING, OUT_OF_RING };

struct cat_args {
	struct tool_args common;
	const char *name;
	enum direction direction;
	uint64_t timeout_ns;
	bool no_drain;
	bool json;
};

/* What went through. */
struct carried {
	uint64_t records;
	uint64_t bytes;
};

static const struct argp_option options[] = {
	{ "in", 'i', NULL, 0, "From stdin into the ring", 1 },
	{ "out", 'o', NULL, 0, "From the ring to stdout", 1 },
	{ "no-drain", KEY_NO_DRAIN, NULL, 0,
	  "Leave at the end of the input instead of when everything was received", 2 },
	{ "timeout", 't', "SECONDS", 0,
	  "Leave if the other side does nothing for that long (exit status 4; default: never)", 2 },
	{ "json", 'j', NULL, 0, "Tell as a line of JSON on stderr how much it was", 12 },
	{ 0 }
};

static void set_direction(struct argp_state *state, enum direction direction)
{
	struct cat_args *args = state->input;

	if (args->direction && args->direction != direction)
		argp_error(state, "--in and --out exclude each other");
	args->direction = direction;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cat_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		return 0;
	case 'i':
		set_direction(state, INTO_RING);
		return 0;
	case 'o':
		set_direction(state, OUT_OF_RING);
		return 0;
	case KEY_NO_DRAIN:
		args->no_drain = true;
		return 0;
	case 't':
		args->timeout_ns = tool_parse_seconds(state, "--timeout", arg);
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "'%s' is one argument too many", arg);
		args->name = tool_parse_name(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->name)
			argp_error(state, "which ring? its name is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/*
 * The next piece of stdin. In @room it becomes a record; with NULL it is copied into one, or
 * dropped by a ring that is full. Return: its length; 0: the end; -1: see errno. *@err: what
 * sending it said.
 */
static ssize_t carry(struct tool_peer *peer, void *room, size_t piece, int *err)
{
	static char copy[PIECE];
	ssize_t got;

	got = read(STDIN_FILENO, room ? room : copy, piece);
	if (got <= 0)
		return got;
	if (room) {
		shmring_commit(peer->r, (size_t)got);
		return got;
	}
	*err = tool_put(peer, copy, (size_t)got, UINT64_MAX);
	shmring_flush(peer->r);
	return got;
}

/* @cut: out: a signal came before all was sent */
static int stdin_to_ring(const struct cat_args *args, struct shmring *r,
			 struct carried *carried, bool *cut)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct tool_peer peer;
	void *room = NULL;
	size_t piece;
	ssize_t got;
	int err;

	err = shmring_info(r, &info);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", args->name);
	if (info.topology == SHMRING_TOPO_RAW)
		return tool_say(TOOL_ERROR, "ring '%s' is raw memory, it takes no records",
				args->name);
	tool_peer_init(&peer, r, info.role);
	piece = info.data_size / 4 < PIECE ? info.data_size / 4 : PIECE;
	for (;;) {
		/* A ring that drops would count what is not there yet: ask when it is. */
		if (info.full_policy != SHMRING_FULL_DROP_NEWEST)
			err = tool_reserve(&peer, piece, &room, args->timeout_ns);
		if (!err)
			err = tool_wait_input(&peer, STDIN_FILENO);
		*cut = err == -EINTR;
		if (err)
			return tool_send_failed(r, args->name, err);
		got = carry(&peer, room, piece, &err);
		if (!got) {
			tool_tell_dropped(&peer, args->name);
			return args->no_drain ? TOOL_OK :
			       tool_drain(&peer, args->name, args->timeout_ns);
		}
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return tool_say(TOOL_ERROR, "cannot read stdin: %s", strerror(errno));
		*cut = err == -EINTR;
		if (err && err != -ENOBUFS)
			return tool_send_failed(r, args->name, err);
		if (got > 0 && !err) {
			carried->records++;
			carried->bytes += (uint64_t)got;
		}
		err = 0;
	}
}

static int ring_to_stdout(const struct cat_args *args, struct shmring *r, struct carried *carried)
{
	struct tool_pump pump = { .count = UINT64_MAX, .timeout_ns = args->timeout_ns };
	struct tool_peer peer;
	int code;

	tool_peer_init(&peer, r, SHMRING_ROLE_CONSUMER);
	code = tool_pump_out(&peer, args->name, &pump);
	tool_peer_free(&peer);
	carried->records = pump.records;
	carried->bytes = pump.bytes;
	return code;
}

int cmd_cat(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_ring, 0, NULL, 0 }, { &tool_argp_backend, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME",
		"Copy stdin into ring NAME if stdin is not a terminal, else what arrives in ring NAME to "
		"stdout; --in and --out say which. The ring is made if there is none."
		"\v"
		"Bytes are passed as they come: where one record ends and the next begins has no "
		"meaning. Otherwise as `shmring send` and `shmring recv`, exit status included. In "
		"scripts, where stdin may be anything, say --in or --out.",
		children, NULL, NULL
	};
	struct cat_args args = { .timeout_ns = UINT64_MAX };
	struct carried carried = { 0 };
	struct shmring *r;
	bool in, cut = false;
	int code, err;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring cat", argc, argv, &args);
	in = args.direction == INTO_RING || (args.direction == BY_STDIN && !isatty(STDIN_FILENO));
	tool_signals_init();
	err = shmring_open(args.name, in ? SHMRING_ROLE_PRODUCER : SHMRING_ROLE_CONSUMER,
			   &args.common.opts, &r);
	if (err)
		return tool_ring_failed(err, args.common.opts.backend, in ? "send to" : "receive from",
					args.name);
	code = in ? stdin_to_ring(&args, r, &carried, &cut) :
		    ring_to_stdout(&args, r, &carried);
	tool_leave(r, cut);
	if (args.json)
		tool_tell_carried(args.name, in ? "sent" : "received", carried.records,
				  carried.bytes, code);
	return code;
}
