// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring create - make a ring and keep it
 *
 * A ring lives as long as anybody has it open, so somebody has to: this process
 * does, as an observer that takes nobody's place, until it is told to leave.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum {
	KEY_SPIN = 0x100,
	KEY_SLOTS,
	KEY_PRODUCERS,
	KEY_CONSUMERS,
	KEY_POLICY,
};

struct create_args {
	struct tool_args common;
	const char *name;
	bool quiet;
};

static const struct argp_option options[] = {
	{ "quiet", 'q', NULL, 0, "Say nothing", 1 },
	{ "topology", 'T', "WHICH", 0,
	  "spsc (default: one producer, one consumer), mpsc (many producers, one consumer), queue "
	  "(many of both, a record to one), broadcast (many of both, a record to all) or raw "
	  "(memory for structures of your own)", 4 },
	{ "producers", KEY_PRODUCERS, "N", 0,
	  "mpsc, queue, broadcast: how many may send at once (default 8)", 4 },
	{ "consumers", KEY_CONSUMERS, "N", 0,
	  "queue, broadcast: how many may receive at once (default 8)", 4 },
	{ "policy", KEY_POLICY, "WHICH", 0,
	  "When it is full: wait (default), drop what is new, or overwrite what is old "
	  "(broadcast)", 4 },
	{ "slots", KEY_SLOTS, "N", 0, "raw: how many may use it at once (default 16)", 4 },
	{ "spin", KEY_SPIN, NULL, 0, "A ring on which nobody ever sleeps", 4 },
	{ 0 }
};

#define SIDE_DEFAULT	8	/* where there may be several, and it is not said */

/* How many may be there at once; 0: as many as @slots says. */
static void count_ends(const struct shmring_opts *opts, uint32_t *producers, uint32_t *consumers)
{
	bool several = opts->topology == SHMRING_TOPO_QUEUE ||
		       opts->topology == SHMRING_TOPO_BROADCAST;

	*producers = several || opts->topology == SHMRING_TOPO_MPSC ? SIDE_DEFAULT : 1;
	*consumers = several ? SIDE_DEFAULT : 1;
	if (opts->producers)
		*producers = opts->producers;
	if (opts->consumers)
		*consumers = opts->consumers;
}

/* Does what was said go together with the topology? */
static void check(struct argp_state *state, const struct shmring_opts *opts)
{
	uint32_t topology = opts->topology ? opts->topology : SHMRING_TOPO_SPSC;
	const char *name = tool_topology_name(topology);
	uint32_t producers, consumers;
	uint64_t lane;

	if (topology == SHMRING_TOPO_RAW) {
		if (opts->producers || opts->consumers)
			argp_error(state, "--topology raw has no producers and consumers: --slots says how many may use it");
		if (opts->full_policy)
			argp_error(state, "--policy: raw memory has no records to wait for, drop or overwrite");
		return;
	}
	if (opts->slots)
		argp_error(state, topology == SHMRING_TOPO_SPSC ?
			   "--slots is for --topology raw: %s always has two" :
			   "--slots is for --topology raw: %s has --producers and --consumers",
			   name);
	count_ends(opts, &producers, &consumers);
	if (topology == SHMRING_TOPO_SPSC && producers > 1)
		argp_error(state, "--producers: spsc has one; --topology mpsc, queue and broadcast can have more");
	if ((topology == SHMRING_TOPO_SPSC || topology == SHMRING_TOPO_MPSC) && consumers > 1)
		argp_error(state,
			   "--consumers: %s has one; --topology queue and broadcast can have more",
			   name);
	if (producers + consumers > SHMRING_SLOTS_MAX)
		argp_error(state, "%s has at most %d producers and consumers together, not %u and %u (who is not named: %d)",
			   name, SHMRING_SLOTS_MAX, producers, consumers, SIDE_DEFAULT);
	if (opts->full_policy == SHMRING_FULL_OVERWRITE && topology != SHMRING_TOPO_BROADCAST)
		argp_error(state, "--policy: overwrite is for --topology broadcast; %s can wait or drop",
			   name);
	/* Each producer has a lane, whose size is rounded up. */
	for (lane = 1; lane < opts->data_size; lane *= 2)
		;
	if (lane * producers > SHMRING_DATA_MAX)
		argp_error(state, "--size: each of %u producers has as much (rounded up to a power of two), and all together at most %lluM",
			   producers, (unsigned long long)SHMRING_DATA_MAX >> 20);
	if ((opts->flags & SHMRING_CREATE_HUGE) && !opts->data_size)
		argp_error(state, "--huge: pages of 2 MiB need a --size of at least 2M");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct create_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		state->child_inputs[2] = &args->common;
		return 0;
	case 'q':
		args->quiet = true;
		return 0;
	case 'T':
		if (!strcmp(arg, "spsc"))
			args->common.opts.topology = SHMRING_TOPO_SPSC;
		else if (!strcmp(arg, "mpsc"))
			args->common.opts.topology = SHMRING_TOPO_MPSC;
		else if (!strcmp(arg, "queue"))
			args->common.opts.topology = SHMRING_TOPO_QUEUE;
		else if (!strcmp(arg, "broadcast"))
			args->common.opts.topology = SHMRING_TOPO_BROADCAST;
		else if (!strcmp(arg, "raw"))
			args->common.opts.topology = SHMRING_TOPO_RAW;
		else
			argp_error(state,
				   "--topology: '%s' is not spsc, mpsc, queue, broadcast or raw",
				   arg);
		return 0;
	case KEY_PRODUCERS:
		args->common.opts.producers = (uint32_t)
			tool_parse_number(state, "--producers", arg, 1, SHMRING_SLOTS_MAX - 1);
		return 0;
	case KEY_CONSUMERS:
		args->common.opts.consumers = (uint32_t)
			tool_parse_number(state, "--consumers", arg, 1, SHMRING_SLOTS_MAX - 1);
		return 0;
	case KEY_POLICY:
		if (!strcmp(arg, "wait"))
			args->common.opts.full_policy = SHMRING_FULL_WAIT;
		else if (!strcmp(arg, "drop"))
			args->common.opts.full_policy = SHMRING_FULL_DROP_NEWEST;
		else if (!strcmp(arg, "overwrite"))
			args->common.opts.full_policy = SHMRING_FULL_OVERWRITE;
		else
			argp_error(state, "--policy: '%s' is not wait, drop or overwrite", arg);
		return 0;
	case KEY_SLOTS:
		args->common.opts.slots = (uint32_t)tool_parse_number(state, "--slots", arg, 1,
								     SHMRING_SLOTS_MAX);
		return 0;
	case KEY_SPIN:
		args->common.opts.flags |= SHMRING_CREATE_SPIN;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "'%s' is one argument too many", arg);
		args->name = tool_parse_name(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->name)
			argp_error(state, "which ring? its name is missing");
		check(state, &args->common.opts);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int tell(const struct create_args *args, struct shmring *r)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	char size[32], page[32], node[32], lanes[32] = "";
	int err;

	if (args->common.json)
		return tool_print_json(tool_ring_json(r));
	err = shmring_info(r, &info);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", args->name);
	if (info.data_node < 0)
		snprintf(node, sizeof(node), "several nodes");
	else
		snprintf(node, sizeof(node), "node %d", info.data_node);
	if (info.producers > 1)
		snprintf(lanes, sizeof(lanes), "%u lanes of ", info.producers);
	printf("ring %s (%s, id %llu): %s%s on %s in pages of %s, mode %04o, %s backend\n",
	       args->name, tool_topology_name(info.topology), (unsigned long long)info.ring_id,
	       lanes, tool_size(size, sizeof(size), info.data_size), node,
	       tool_size(page, sizeof(page), info.data_page_size), info.mode,
	       tool_backend_name(shmring_backend(r)));
	if (info.topology == SHMRING_TOPO_SPSC)
		printf("use it: seq 10 | shmring send %s    and: shmring recv %s    (Ctrl-C here lets it go)\n",
		       args->name, args->name);
	return tool_flush_stdout(TOOL_OK);
}

/* Says that there is one already, and what can be done about it. */
static int exists(const struct create_args *args)
{
	char path[sizeof(TOOL_SHM_DIR "/" TOOL_SHM_PREFIX) + SHMRING_NAME_MAX], user[64];
	const char *or_root;
	struct stat st;
	struct shmring *r;
	int err;

	err = shmring_attach(args->name, SHMRING_ROLE_OBSERVER, &args->common.opts, &r);
	if (!err)
		shmring_close(r);
	snprintf(path, sizeof(path), TOOL_SHM_DIR "/" TOOL_SHM_PREFIX "%s", args->name);
	if (!err || lstat(path, &st) || st.st_uid == geteuid())
		return tool_say(TOOL_ERROR,
				"ring '%s' exists already: use it, or take another name (shmring list shows all)",
				args->name);
	tool_user(user, sizeof(user), st.st_uid);
	or_root = st.st_uid ? " or root" : "";
	if (err == -EACCES)
		return tool_say(TOOL_ERROR,
				"ring '%s' exists already and is for user %s alone: take another name; if nobody uses it any more, %s%s can remove it (shmring rm %s)",
				args->name, user, user, or_root, args->name);
	return tool_say(TOOL_ERROR,
			"ring '%s' was left behind by user %s: take another name, or have %s%s remove it (shmring rm %s)",
			args->name, user, user, or_root, args->name);
}

int cmd_create(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_ring, 0, "How to make it:", 5 }, { &tool_argp_backend, 0, NULL, 0 },
		{ &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME",
		"Make ring NAME and keep it until SIGINT (Ctrl-C), SIGTERM or SIGHUP."
		"\v"
		"A ring vanishes with its last user (memfd: if that one was killed, when the next "
		"program meets it); this command is a user that takes nobody's place. `shmring send` and `shmring recv` make the ring "
		"themselves if need be: create is for choosing how, and for keeping it from one "
		"sender to the next. It is an error (exit status 1) if the ring exists.",
		children, NULL, NULL
	};
	struct create_args args = { 0 };
	struct shmring *r;
	sigset_t stops;
	int code, err, sig;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring create", argc, argv, &args);
	/* Blocked and waited for: no signal can fall between making and waiting. */
	sigemptyset(&stops);
	sigaddset(&stops, SIGINT);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGHUP);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	signal(SIGPIPE, SIG_IGN);
	err = shmring_create(args.name, SHMRING_ROLE_OBSERVER, &args.common.opts, &r);
	/* Of the device it is not the ring that may not be had. */
	if (err == -EEXIST || (err == -EPERM && args.common.opts.backend != SHMRING_BACKEND_DEVICE))
		return exists(&args);
	if (err)
		return tool_ring_failed(err, args.common.opts.backend, "make", args.name);
	code = args.quiet ? TOOL_OK : tell(&args, r);
	if (!code)
		sigwait(&stops, &sig);
	shmring_close(r);
	return code;
}
