// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring stat - the counters of one ring, once or every so often
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define HEADER_EVERY	20	/* lines */

struct stat_args {
	struct watch_args watch;
	const char *name;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stat_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->watch.common;
		state->child_inputs[1] = &args->watch.common;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			watch_parse_when(state, &args->watch, state->arg_num - 1, arg);
		else
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

/* One line of counters; the same for a side and for an endpoint. */
static void print_counters(const struct watch_side *s)
{
	printf(" %12llu %14llu %10llu %10llu %10llu %10llu %10llu %10llu\n",
	       (unsigned long long)s->records, (unsigned long long)s->bytes,
	       (unsigned long long)s->stalls, (unsigned long long)s->sleeps,
	       (unsigned long long)s->kicks, (unsigned long long)s->wakes,
	       (unsigned long long)s->spurious, (unsigned long long)s->high);
}

static void print_titles(void)
{
	printf(" %12s %14s %10s %10s %10s %10s %10s %10s\n", "RECORDS", "BYTES", "STALLS", "SLEEPS",
	       "KICKS", "WAKES", "SPURIOUS", "HIGH");
}

static void print_side(const char *name, const struct watch_side *s)
{
	printf("%-14s %5u", name, s->live);
	print_counters(s);
}

static void print_slot(unsigned int slot, const struct shmring_stats *stats)
{
	struct watch_side counters = { 0 };

	if (stats->state == SHMRING_SLOT_VACANT)
		return;
	watch_add(&counters, stats, NULL);
	printf("%4u %-8.8s %-6s", slot, tool_role_name(stats->role),
	       tool_state_name(stats->state));
	print_counters(&counters);
}

/* What there was since the ring was made. */
static int print_once(const struct watch_ring *ring)
{
	struct watch_flow flow;
	unsigned int i;
	char size[32];

	watch_flow(&flow, ring, NULL);
	printf("ring %s: %s, %s backend, %s, %.1f %% full, %s\n\n", ring->info.name,
	       tool_topology_name(ring->info.topology), tool_backend_name(ring->backend),
	       tool_size(size, sizeof(size), tool_capacity(&ring->info)), 100 * watch_fill(ring),
	       watch_state(ring, &flow));
	printf("%-14s %5s", "", "LIVE");
	print_titles();
	print_side("producers", &flow.in);
	print_side("consumers", &flow.out);
	if (ring->info.full_policy != SHMRING_FULL_WAIT)
		printf("%-14s %5s %12llu\n", "lost", "", (unsigned long long)flow.lost);
	if (ring->info.slots > 2) {
		printf("\n%4s %-8s %-6s", "SLOT", "ROLE", "STATE");
		print_titles();
		for (i = 0; i < ring->info.slots && i < SHMRING_SLOTS_MAX; i++)
			print_slot(i, &ring->slot[i]);
	}
	return tool_flush_stdout(TOOL_OK);
}

static int print_line(const struct watch_ring *now, const struct watch_ring *then, uint64_t nth)
{
	struct watch_flow f;
	char t[10][16];
	double s;

	watch_flow(&f, now, then);
	s = f.seconds;
	if (nth % HEADER_EVERY == 0)
		printf("%-5s  %-31s  %-31s\n%-5s %7s %7s %5s %5s %5s %7s %7s %5s %5s %5s  %s\n", "",
		       "-- producers, per second --", "-- consumers, per second --",
		       "FULL", "RECORDS", "BYTES", "STALL", "SLEEP", "KICK",
		       "RECORDS", "BYTES", "STALL", "SLEEP", "KICK", "STATE");
	printf("%4.0f%% %7s %7s %5s %5s %5s %7s %7s %5s %5s %5s  %s\n", 100 * watch_fill(now),
	       watch_rate(t[0], 16, f.in.records, s), watch_rate(t[1], 16, f.in.bytes, s),
	       watch_rate(t[2], 16, f.in.stalls, s), watch_rate(t[3], 16, f.in.sleeps, s),
	       watch_rate(t[4], 16, f.in.kicks, s),
	       watch_rate(t[5], 16, f.out.records, s), watch_rate(t[6], 16, f.out.bytes, s),
	       watch_rate(t[7], 16, f.out.stalls, s), watch_rate(t[8], 16, f.out.sleeps, s),
	       watch_rate(t[9], 16, f.out.kicks, s), watch_state(now, &f));
	return tool_flush_stdout(TOOL_OK);
}

/* The ring of the first look; a successor of the same name is another ring. */
static int look(const struct stat_args *args, const struct watch_ring *first,
		struct watch_ring *out)
{
	struct watch_list list;
	const struct watch_ring *ring;
	int err = watch_read(&list, args->watch.common.opts.backend, args->name);

	if (err)
		return err;
	/* Of two, one on each backend, that which a program would get. */
	ring = first ? watch_find(&list, first) : list.n ? &list.ring[0] : NULL;
	if (ring)
		*out = *ring;
	else
		err = -ENOENT;
	watch_free(&list);
	return err;
}

static int watch(const struct stat_args *args, struct watch_ring *then)
{
	uint64_t nth, due = then->time;
	struct watch_ring now;
	int code = TOOL_OK, err;

	for (nth = 0; !code && (!args->watch.count || nth < args->watch.count); nth++) {
		due += args->watch.interval_ns;
		watch_sleep(due);
		if (tool_stopped)
			return tool_signal_exit();
		err = look(args, then, &now);
		if (err == -ENOENT)
			return tool_say(args->watch.count ? TOOL_PEER_CLOSED : TOOL_OK,
					"ring '%s' has ended: its last user left", args->name);
		if (err)
			return tool_fail(err, "cannot look at ring '%s'", args->name);
		if (args->watch.common.json)
			code = tool_print_json_line(watch_json(&now, then));
		else
			code = print_line(&now, then, nth);
		*then = now;
		if (due < now.time)	/* stopped and continued */
			due = now.time;
	}
	return code;
}

/* Why there is nothing to look at: attaching tells what the list leaves out. */
static int no_ring(const struct stat_args *args)
{
	struct shmring *r;
	int err = shmring_attach(args->name, SHMRING_ROLE_OBSERVER, &args->watch.common.opts, &r);

	if (!err) {
		shmring_close(r);
		err = -ENOENT;
	}
	return tool_look_failed(err, args->watch.common.opts.backend, args->name);
}

int cmd_stat(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		NULL, parse, "NAME [SECONDS [COUNT]]",
		"Print what the endpoints of ring NAME have done since it was made; with SECONDS, what "
		"they did per second, every SECONDS, COUNT times or until the ring ends."
		"\v"
		"STALL: times the ring was found full (producers) or empty (consumers). SLEEP: times "
		"somebody slept over it. KICK: times the other side had to be woken by a system call. "
		"WAKES: times they were woken; SPURIOUS: and there was nothing to do. HIGH: most bytes that "
		"a producer found in its part of the ring. "
		"Counters are read as an observer, which neither disturbs the ring nor keeps it. With -j "
		"every look is one line of JSON. Exit status 5: the ring ended before COUNT looks.",
		children, NULL, NULL
	};
	struct stat_args args = { 0 };
	struct watch_ring ring;
	int err;

	tool_args_init(&args.watch.common);
	tool_parse(&argp, "shmring stat", argc, argv, &args);
	tool_signals_init();
	if (args.watch.common.opts.backend == SHMRING_BACKEND_DEVICE && access(TOOL_DEVICE, F_OK))
		return no_ring(&args);
	err = look(&args, NULL, &ring);
	if (err == -ENOENT)
		return no_ring(&args);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", args.name);
	if (args.watch.interval_ns)
		return watch(&args, &ring);
	if (args.watch.common.json)
		return tool_print_json(watch_json(&ring, NULL));
	return print_once(&ring);
}
