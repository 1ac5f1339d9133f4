// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring recv - write what arrives in a ring to stdout
 */
#include "tool.h"

struct recv_args {
	struct tool_args common;
	const char *name;
	struct tool_pump pump;
	bool verbose;
	bool json;
};

static const struct argp_option options[] = {
	{ "lines", 'l', NULL, 0, "End every record that does not end in a newline with one", 1 },
	{ NULL, 0, NULL, 0, "When to leave, apart from when the sender does:", 2 },
	{ "count", 'c', "N", 0, "After N records", 2 },
	{ "timeout", 't', "SECONDS", 0,
	  "If nothing arrives for that long (exit status 4; 0: take what is there; default: never)",
	  2 },
	{ "verbose", 'v', NULL, 0, "Say on stderr what was received", 12 },
	{ "json", 'j', NULL, 0, "The same as a line of JSON", 12 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct recv_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		return 0;
	case 'l':
		args->pump.newline = true;
		return 0;
	case 'c':
		args->pump.count = tool_parse_number(state, "--count", arg, 1, UINT64_MAX - 1);
		return 0;
	case 't':
		args->pump.timeout_ns = tool_parse_seconds(state, "--timeout", arg);
		return 0;
	case 'v':
		args->verbose = true;
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

int cmd_recv(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_ring, 0, NULL, 0 }, { &tool_argp_backend, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME",
		"Write every record that arrives in ring NAME to stdout, as it was sent. The ring is "
		"made if there is none, so receiver and sender may start in either order."
		"\v"
		"Sleeps while there is nothing to do. Leaves when the sender has closed and all is "
		"written. Exit status 3: the sender died, or a signal ended it before the end of its "
		"input (what it had finished is written first); 4: --timeout passed; 141: nobody reads "
		"the output any more (noticed within a second). "
		"What could not be written stays in the ring for the next receiver.",
		children, NULL, NULL
	};
	struct recv_args args = { .pump = { .count = UINT64_MAX, .timeout_ns = UINT64_MAX } };
	struct tool_peer peer;
	struct shmring *r;
	int code, err;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring recv", argc, argv, &args);
	tool_signals_init();
	err = shmring_open(args.name, SHMRING_ROLE_CONSUMER, &args.common.opts, &r);
	if (err)
		return tool_ring_failed(err, args.common.opts.backend, "receive from", args.name);
	tool_peer_init(&peer, r, SHMRING_ROLE_CONSUMER);
	code = tool_pump_out(&peer, args.name, &args.pump);
	tool_peer_free(&peer);
	shmring_close(r);
	if (args.json)
		tool_tell_carried(args.name, "received", args.pump.records, args.pump.bytes, code);
	else if (args.verbose)
		tool_say(0, "received %llu records, %llu bytes",
			 (unsigned long long)args.pump.records,
			 (unsigned long long)args.pump.bytes);
	return code;
}
