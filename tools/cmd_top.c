// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring top - all rings, live
 *
 * On a terminal a screen that is drawn anew every so often; anywhere else, and with
 * --plain, one table after the other; with -j a line of JSON per look.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"
#include "watch.h"

#define SECOND_NS	1000000000
#define BAR		8
#define WIDE		100	/* columns from which on there is room for bars */

enum order { BY_RATE, BY_FILL, BY_NAME, ORDERS };

static const char *const order_names[ORDERS] = { "rate", "fill", "name" };

struct top_args {
	struct watch_args watch;
	enum order order;
	bool plain;
};

/* A ring, what it did, and where it goes in the table. */
struct line {
	const struct watch_ring *ring;
	struct watch_flow flow;
	enum order order;
};

enum {
	KEY_PLAIN = 0x100,
};

static const struct argp_option options[] = {
	{ "plain", KEY_PLAIN, NULL, 0, "One table after the other, also on a terminal", 1 },
	{ "order", 'o', "WHAT", 0, "Sort by rate (default), fill or name", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top_args *args = state->input;
	unsigned int i;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->watch.common;
		state->child_inputs[1] = &args->watch.common;
		return 0;
	case KEY_PLAIN:
		args->plain = true;
		return 0;
	case 'o':
		for (i = 0; i < ORDERS && strcmp(arg, order_names[i]);)
			i++;
		if (i == ORDERS)
			argp_error(state, "--order: '%s' is not rate, fill or name", arg);
		args->order = (enum order)i;
		return 0;
	case ARGP_KEY_ARG:
		watch_parse_when(state, &args->watch, state->arg_num, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static double rate(const struct line *l)
{
	return l->flow.seconds > 0 ?
	       (double)(l->flow.in.bytes + l->flow.out.bytes) / l->flow.seconds : 0;
}

static int compare(const void *a, const void *b)
{
	const struct line *l = a, *m = b;
	double x, y;

	if (l->order != BY_NAME) {
		x = l->order == BY_RATE ? rate(l) : watch_fill(l->ring);
		y = l->order == BY_RATE ? rate(m) : watch_fill(m->ring);
		if (x > y || x < y)
			return x > y ? -1 : 1;
	}
	return strcmp((const char *)l->ring->info.name, (const char *)m->ring->info.name);
}

static void print_bar(FILE *f, double fill)
{
	int i, full = (int)(fill * BAR + 0.5);

	fputc('[', f);
	for (i = 0; i < BAR; i++)
		fputc(i < full ? '#' : ' ', f);
	fputs("] ", f);
}

static void print_line(FILE *f, const struct line *l, bool wide)
{
	const struct shmring_ioc_info *info = &l->ring->info;
	const struct watch_flow *w = &l->flow;
	char t[7][16], id[24];
	double s = w->seconds;

	snprintf(id, sizeof(id), "#%llu", (unsigned long long)info->ring_id);
	fprintf(f, "%-16.16s %-13s ", *info->name ? (const char *)info->name : id,
		watch_state(l->ring, w));
	if (wide)
		print_bar(f, watch_fill(l->ring));
	fprintf(f, "%3.0f%%", 100 * watch_fill(l->ring));
	if (s > 0)
		fprintf(f, " %6s %6s %6s %6s %6s %6s", watch_rate(t[0], 16, w->in.records, s),
			watch_rate(t[1], 16, w->out.records, s),
			watch_rate(t[2], 16, w->in.bytes, s),
			watch_rate(t[3], 16, w->in.stalls + w->out.stalls, s),
			watch_rate(t[4], 16, w->in.sleeps + w->out.sleeps, s),
			watch_rate(t[5], 16, w->in.kicks + w->out.kicks, s));
	else
		fprintf(f, " %6s %6s %6s %6s %6s %6s", "-", "-", "-", "-", "-", "-");
	fprintf(f, " %2u/%-2u %-9s %s\n", info->slots_live, info->slots,
		tool_topology_name(info->topology), tool_backend_name(l->ring->backend));
}

/* The table of what is there @now, and what it did since @then. */
static int print_table(FILE *f, const struct top_args *args, const struct watch_list *now,
		       const struct watch_list *then, bool screen, bool wide)
{
	struct line *lines = calloc(now->n + 1, sizeof(*lines));
	size_t i;

	if (!lines)
		return tool_fail(-ENOMEM, "cannot sort %zu rings", now->n);
	for (i = 0; i < now->n; i++) {
		lines[i].ring = &now->ring[i];
		lines[i].order = args->order;
		watch_flow(&lines[i].flow, &now->ring[i], watch_find(then, &now->ring[i]));
		/* The first look has nothing to compare with. */
		if (lines[i].flow.seconds <= 0)
			lines[i].flow.seconds = 0;
	}
	qsort(lines, now->n, sizeof(*lines), compare);
	fprintf(f, "%s%-16s %-13s %*s%4s %6s %6s %6s %6s %6s %6s %-5s %-9s %s%s\n",
		screen ? "\033[7m" : "", "RING", "STATE", wide ? BAR + 3 : 0, "", "FULL", "IN/S",
		"OUT/S", "B/S", "STALL", "SLEEP", "KICK", "ENDS", "KIND", "BACKEND",
		screen ? "\033[m" : "");
	for (i = 0; i < now->n; i++)
		print_line(f, &lines[i], wide);
	if (!now->n)
		fputs("There is no ring that you may read.\n", f);
	free(lines);
	return TOOL_OK;
}

static int print_json(const struct watch_list *now, const struct watch_list *then)
{
	json_t *rings = json_array();
	struct timespec t;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &t);
	for (i = 0; i < now->n; i++)
		json_array_append_new(rings, watch_json(&now->ring[i],
							watch_find(then, &now->ring[i])));
	return tool_print_json_line(json_pack("{s:f, s:o}", "time",
					      (double)t.tv_sec + (double)t.tv_nsec / 1e9,
					      "rings", rings));
}

static int read_failed(int err)
{
	return tool_fail(err, "cannot list the rings");
}

/* One look after the other, as text or JSON. */
static int top_plain(const struct top_args *args)
{
	struct watch_list then = { 0 }, now;
	uint64_t due = tool_now(), nth;
	int code = TOOL_OK, err;

	err = watch_read(&then, args->watch.common.opts.backend, NULL);
	if (err)
		return read_failed(err);
	for (nth = 0; !code && (!args->watch.count || nth < args->watch.count); nth++) {
		due += args->watch.interval_ns;
		watch_sleep(due);
		if (tool_stopped) {
			code = tool_signal_exit();
			break;
		}
		err = watch_read(&now, args->watch.common.opts.backend, NULL);
		if (err) {
			code = read_failed(err);
			break;
		}
		if (args->watch.common.json) {
			code = print_json(&now, &then);
		} else {
			if (nth)
				putchar('\n');
			code = print_table(stdout, args, &now, &then, false, true);
			code = tool_flush_stdout(code);
		}
		watch_free(&then);
		then = now;
		if (due + args->watch.interval_ns < tool_now())	/* stopped and continued */
			due = tool_now();
	}
	watch_free(&then);
	return code;
}

static int draw(const struct top_args *args, const struct watch_list *now,
		const struct watch_list *then, bool paused)
{
	unsigned int rows, columns;
	char *text = NULL;
	char clock[16];
	size_t size;
	struct tm tm;
	time_t t = time(NULL);
	FILE *f = open_memstream(&text, &size);
	int code;

	if (!f)
		return tool_fail(-ENOMEM, "cannot draw");
	screen_size(&rows, &columns);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&t, &tm));
	fprintf(f, "shmring top  %s  %zu rings  every %.3g s  by %s%s\n", clock, now->n,
		(double)args->watch.interval_ns / 1e9, order_names[args->order],
		paused ? "  PAUSED" : "");
	fprintf(f, "q quit   s sort   space pause   + - interval\n\n");
	code = print_table(f, args, now, then, true, columns >= WIDE);
	fclose(f);
	if (!code)
		screen_draw(text);
	free(text);
	return code;
}

/* What a key asks for; true: to look at once. */
static bool on_key(struct top_args *args, int key, bool *paused, bool *quit)
{
	switch (key) {
	case 'q':
	case 'Q':
		*quit = true;
		return false;
	case 's':
		args->order = (args->order + 1) % ORDERS;
		return false;
	case ' ':
		*paused = !*paused;
		return !*paused;
	case '+':
		if (args->watch.interval_ns < 60ULL * SECOND_NS)
			args->watch.interval_ns *= 2;
		return false;
	case '-':
		if (args->watch.interval_ns > SECOND_NS / 16)
			args->watch.interval_ns /= 2;
		return true;
	default:
		return false;
	}
}

static int top_screen(struct top_args *args)
{
	struct watch_list then = { 0 }, now = { 0 };
	uint64_t due, nth = 0;
	bool paused = false, quit = false, look = true;
	int code = TOOL_OK, err, key;

	err = screen_open();
	if (err)
		return tool_say(TOOL_ERROR, "cannot set up the terminal: %s", strerror(-err));
	due = tool_now();
	while (!code && !quit) {
		if (look) {
			watch_free(&then);
			then = now;
			err = watch_read(&now, args->watch.common.opts.backend, NULL);
			/* Rates over the first moments would be of nothing. */
			due = tool_now() + (nth ? args->watch.interval_ns : SECOND_NS / 4);
			nth++;
		}
		if (!err)
			code = draw(args, &now, &then, paused);
		if (err || code || (args->watch.count && nth > args->watch.count))
			break;
		key = screen_wait(paused ? UINT64_MAX / 2 : due);
		if (key == SCREEN_END)
			break;
		look = key == SCREEN_TIME ||
		       (key > 0 && on_key(args, key, &paused, &quit));
	}
	screen_close();
	watch_free(&now);
	watch_free(&then);
	if (err)
		return read_failed(err);
	return tool_stopped ? tool_signal_exit() : code;
}

int cmd_top(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "[SECONDS [COUNT]]",
		"Watch all rings that you may read, drawn anew every SECONDS (default 1), COUNT times or "
		"until q."
		"\v"
		"Per second: records in and out, bytes in, times a side found the ring full or empty "
		"(STALL), slept (SLEEP) and had to wake the other (KICK). Counters are read as an "
		"observer, which neither disturbs a ring nor keeps it. If stdout or stdin is no terminal, or "
		"with --plain, one table follows the other; with -j every look is one line of JSON.",
		children, NULL, NULL
	};
	struct top_args args = { .watch.interval_ns = SECOND_NS };

	tool_args_init(&args.watch.common);
	tool_parse(&argp, "shmring top", argc, argv, &args);
	if (args.watch.common.opts.backend == SHMRING_BACKEND_DEVICE && access(TOOL_DEVICE, F_OK))
		return tool_say(TOOL_ERROR, "cannot list the rings: " TOOL_NO_DEVICE);
	tool_signals_init();
	if (args.plain || args.watch.common.json || !screen_there())
		return top_plain(&args);
	return top_screen(&args);
}
