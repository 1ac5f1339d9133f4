// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring hz - at which rate records come, and how regularly
 *
 * The producers' counters are looked at every so often, by default a thousand times a
 * second: one cache line each, nothing is taken or written. What came since the last
 * look came somewhere in between, so times are known to that resolution, and of several
 * records in one look only the mean interval is.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/prctl.h>

#include "watch.h"

#define POLL_NS		1000000
#define SECOND_NS	1000000000

enum {
	KEY_POLL = 0x100,
};

struct hz_args {
	struct watch_args watch;
	const char *name;
	uint64_t poll_ns;
};

/**
 * struct hz - what was seen since the last report, or since the beginning
 * @start: of the time it is about
 * @records: that came
 * @crowded: of them, those that came with others in one look
 * @n: intervals
 * @mean: of them, in seconds
 * @m2: sum of squares of differences from it
 * @min: the shortest
 * @max: the longest
 */
struct hz {
	uint64_t start;
	uint64_t records;
	uint64_t crowded;
	uint64_t n;
	double mean;
	double m2;
	double min;
	double max;
};

static const struct argp_option options[] = {
	{ "poll", KEY_POLL, "SECONDS", 0, "Look at the counters that often (default 0.001)", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct hz_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->watch.common;
		state->child_inputs[1] = &args->watch.common;
		return 0;
	case KEY_POLL:
		args->poll_ns = tool_parse_seconds(state, "--poll", arg);
		if (args->poll_ns < 10000 || args->poll_ns > SECOND_NS)
			argp_error(state, "--poll: %s is not between 0.00001 and 1", arg);
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

static void begin(struct hz *hz, uint64_t now)
{
	memset(hz, 0, sizeof(*hz));
	hz->start = now;
	hz->min = INFINITY;
}

/* @k intervals of @each seconds */
static void add(struct hz *hz, uint64_t k, double each)
{
	double delta = each - hz->mean;

	hz->n += k;
	hz->mean += delta * (double)k / (double)hz->n;
	hz->m2 += delta * (each - hz->mean) * (double)k;
	hz->min = fmin(hz->min, each);
	hz->max = fmax(hz->max, each);
}

static uint64_t produced(struct shmring *r, unsigned int slots)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < slots; i++)
		if (!shmring_get_stats(r, i, &stats) && (stats.role & SHMRING_ROLE_PRODUCER))
			sum += stats.records;
	return sum;
}

static int report(const struct hz_args *args, const struct hz *hz, uint64_t now, bool total)
{
	double seconds = (double)(now - hz->start) / 1e9;
	double rate = seconds > 0 ? (double)hz->records / seconds : 0;
	double jitter = hz->n ? sqrt(hz->m2 / (double)hz->n) : 0;
	json_t *o;

	if (args->watch.common.json) {
		o = json_pack("{s:s, s:b, s:f, s:I, s:f, s:f, s:I, s:I}", "ring", args->name,
			      "total", total, "seconds", seconds,
			      "records", (json_int_t)hz->records, "rate", rate,
			      "resolution", (double)args->poll_ns / 1e9,
			      "intervals", (json_int_t)hz->n,
			      "crowded", (json_int_t)hz->crowded);
		if (o && hz->n)
			json_object_update_new(o, json_pack("{s:f, s:f, s:f, s:f}",
							    "mean", hz->mean, "min", hz->min,
							    "max", hz->max, "jitter", jitter));
		return tool_print_json_line(o);
	}
	if (total)
		printf("in all: ");
	printf("%llu records in %.3f s, %.*f/s", (unsigned long long)hz->records, seconds,
	       rate < 100 ? 3 : 0, rate);
	if (hz->n)
		printf("; interval in ms: mean %.4g, min %.4g, max %.4g, jitter %.3g",
		       hz->mean * 1e3, hz->min * 1e3, hz->max * 1e3, jitter * 1e3);
	if (hz->crowded)
		printf(" (%.0f %% came several in %.3g ms)",
		       100 * (double)hz->crowded / (double)hz->records,
		       (double)args->poll_ns / 1e6);
	putchar('\n');
	return tool_flush_stdout(TOOL_OK);
}

/* Has everybody but us left? Observers that only watch each other count as users. */
static bool ended(struct shmring *r)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };

	return !shmring_info(r, &info) && !info.slots_live && info.observers <= 1;
}

static int watch(const struct hz_args *args, struct shmring *r, unsigned int slots)
{
	uint64_t now = tool_now(), due = now, next = now + args->watch.interval_ns;
	uint64_t have = produced(r, slots), last = 0, nth = 0, sum, new;
	struct hz all, part;
	int code = TOOL_OK;
	bool over = false;

	begin(&all, now);
	begin(&part, now);
	while (!code && !over && !tool_stopped) {
		due += args->poll_ns;
		watch_sleep(due);
		now = tool_now();
		if (due + args->poll_ns < now)	/* late: do not make up for it */
			due = now;
		sum = produced(r, slots);
		new = sum > have ? sum - have : 0;	/* a successor may begin at zero */
		have = sum;
		if (new) {
			all.records += new;
			part.records += new;
			if (new > 1) {
				all.crowded += new;
				part.crowded += new;
			}
			if (last) {
				add(&all, new, (double)(now - last) / 1e9 / (double)new);
				add(&part, new, (double)(now - last) / 1e9 / (double)new);
			}
			last = now;
		}
		if (now < next || tool_stopped)
			continue;
		code = report(args, &part, now, false);
		begin(&part, now);
		next = now + args->watch.interval_ns;
		over = (args->watch.count && ++nth >= args->watch.count) || ended(r);
	}
	if (code)
		return code;
	code = report(args, &all, now, true);
	if (tool_stopped)
		return code ? code : tool_signal_exit();
	if (!code && args->watch.count && nth < args->watch.count)
		code = tool_say(TOOL_PEER_CLOSED, "ring '%s' has ended: its last user left",
				args->name);
	return code;
}

int cmd_hz(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME [SECONDS [COUNT]]",
		"Tell at which rate records come into ring NAME and how regularly, every SECONDS "
		"(default 1), COUNT times or until everybody has left it; then for the whole time."
		"\v"
		"Looks at the producers' counters as an observer and takes no record. An interval is "
		"known to the time between two looks; records that came several in one look count with "
		"their mean interval, and the output says how many those were. Jitter is the standard "
		"deviation. With -j every report is one line of JSON, times in seconds. Exit status 5: "
		"everybody left before COUNT reports.",
		children, NULL, NULL
	};
	struct hz_args args = { .poll_ns = POLL_NS, .watch.interval_ns = SECOND_NS };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *r;
	int err;

	tool_args_init(&args.watch.common);
	tool_parse(&argp, "shmring hz", argc, argv, &args);
	tool_signals_init();
	err = shmring_attach(args.name, SHMRING_ROLE_OBSERVER, &args.watch.common.opts, &r);
	if (err)
		return tool_look_failed(err, args.watch.common.opts.backend, args.name);
	err = shmring_info(r, &info);
	if (!err && info.topology == SHMRING_TOPO_RAW)
		err = tool_say(TOOL_ERROR, "ring '%s' is raw memory, it has no records", args.name);
	else if (err)
		err = tool_fail(err, "cannot look at ring '%s'", args.name);
	if (!err) {
		prctl(PR_SET_TIMERSLACK, 1UL);	/* the default would blur 50 us */
		err = watch(&args, r, info.slots);
	}
	shmring_close(r);
	return err;
}
