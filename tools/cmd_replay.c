// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring replay - send what was recorded, with the same timing
 *
 * The first record goes at once, the others as long after it as they came. A file that
 * was cut or is damaged is sent up to there, which is said and has an exit status.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "capture.h"
#include "watch.h"

enum {
	KEY_SPEED = 0x100,
	KEY_MAX,
	KEY_CHECK,
	KEY_NO_DRAIN,
};

struct replay_args {
	struct tool_args common;
	const char *name;
	const char *file;
	double speed;		/* 0: as fast as can be */
	uint64_t count;
	uint64_t timeout_ns;
	bool check;
	bool no_drain;
	bool verbose;
};

/**
 * struct replayer - a recording being sent
 * @args: how
 * @in: the file
 * @live: the file is a pipe or the like, reading it can take any time
 * @peer: the receiver
 * @begin: when the first record was sent
 * @first: when it was recorded
 * @late_ns: by how much a record was sent too late, at most
 * @cut: a signal came before all was sent
 * @records: sent
 * @bytes: of payload sent
 */
struct replayer {
	const struct replay_args *args;
	struct capture_reader in;
	bool live;
	struct tool_peer peer;
	uint64_t begin;
	uint64_t first;
	uint64_t late_ns;
	bool cut;
	uint64_t records;
	uint64_t bytes;
};

static const struct argp_option options[] = {
	{ "speed", KEY_SPEED, "X", 0, "X times as fast as it was recorded, such as 2 or 0.5", 1 },
	{ "max", KEY_MAX, NULL, 0, "As fast as the receiver takes it", 1 },
	{ "check", KEY_CHECK, NULL, 0, "Send nothing, tell what is in FILE", 1 },
	{ NULL, 0, NULL, 0, "When to leave:", 2 },
	{ "count", 'c', "N", 0, "After N records", 2 },
	{ "timeout", 't', "SECONDS", 0,
	  "If the receiver makes no room for that long (exit status 4; default: never)", 2 },
	{ "no-drain", KEY_NO_DRAIN, NULL, 0,
	  "At the end of FILE, instead of when everything was received", 2 },
	{ "verbose", 'v', NULL, 0, "Say on stderr what was sent", 12 },
	{ 0 }
};

static double parse_speed(struct argp_state *state, const char *text)
{
	double speed = (double)tool_parse_decimal(state, "--speed", text) / 1e9;

	if (speed < 0.001 || speed > 1000000)
		argp_error(state, "--speed: %s is not between 0.001 and 1000000", text);
	return speed;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct replay_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		state->child_inputs[2] = &args->common;
		return 0;
	case KEY_SPEED:
		args->speed = parse_speed(state, arg);
		return 0;
	case KEY_MAX:
		args->speed = 0;
		return 0;
	case KEY_CHECK:
		args->check = true;
		return 0;
	case KEY_NO_DRAIN:
		args->no_drain = true;
		return 0;
	case 'c':
		args->count = tool_parse_number(state, "--count", arg, 1, UINT64_MAX - 1);
		return 0;
	case 't':
		args->timeout_ns = tool_parse_seconds(state, "--timeout", arg);
		return 0;
	case 'v':
		args->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			args->file = arg;
		else if (state->arg_num == 1)
			args->name = tool_parse_name(state, arg);
		else
			argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->file)
			argp_error(state, "which file? its name is missing (-: stdin)");
		if (!args->name && !args->check)
			argp_error(state, "which ring? its name is missing");
		if (args->name && args->check)
			argp_error(state, "--check sends nothing, not to ring '%s' either",
				   args->name);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Why there is no more to be read, in a sentence; returns the exit code. */
static int read_failed(const struct replay_args *args, const struct capture_reader *in, int err)
{
	unsigned long long records = in->records, offset = in->offset;

	switch (err) {
	case -ENODATA:
		return tool_say(TOOL_DAMAGED,
				"%s is cut at byte %llu: the %llu records before that are whole, what came after them is missing",
				args->file, offset, records);
	case -EBADMSG:
		return tool_say(TOOL_DAMAGED,
				"%s is damaged before byte %llu: the %llu records before the damage are whole",
				args->file, offset, records);
	case -EBADFD:
		return tool_say(TOOL_ERROR, "%s is not a recording of shmring record", args->file);
	case -EOPNOTSUPP:
		return tool_say(TOOL_ERROR, "%s has format %u, which this version cannot read: update shmring",
				args->file, in->header.version);
	case -ENOMEM:
		return tool_fail(err, "cannot read %s", args->file);
	default:
		if (tool_stopped)
			return tool_signal_exit();
		return tool_say(TOOL_ERROR, "cannot read %s: %s", args->file, strerror(-err));
	}
}

/* Until it is time for the record that was read; -EINTR. */
static int wait_turn(struct replayer *rep)
{
	uint64_t now, due, after = rep->in.time - rep->first;

	if (rep->args->speed <= 0 || rep->in.time < rep->first)
		return 0;
	due = rep->begin + (uint64_t)((double)after / rep->args->speed);
	now = tool_now();
	if (due > now) {
		shmring_flush(rep->peer.r);
		watch_sleep(due);
		return tool_stopped ? -EINTR : 0;
	}
	if (now - due > rep->late_ns)
		rep->late_ns = now - due;
	return 0;
}

static int send_one(struct replayer *rep)
{
	int err;

	if (rep->in.records == 1) {
		rep->begin = tool_now();
		rep->first = rep->in.time;
	}
	err = wait_turn(rep);
	if (!err)
		err = tool_put(&rep->peer, rep->in.payload, rep->in.length, rep->args->timeout_ns);
	if (err)
		return err == -ENOBUFS ? 0 : err;
	/* Of a file the next record is known soon: wait_turn() shows this one if it is late. */
	if (rep->live)
		shmring_flush(rep->peer.r);
	rep->records++;
	rep->bytes += rep->in.length;
	return 0;
}

/* All of the file; returns the exit code. */
static int send_all(struct replayer *rep)
{
	const struct replay_args *args = rep->args;
	int code, got = 1, err = 0;

	while (rep->in.records < args->count && !tool_stopped) {
		got = capture_next(&rep->in);
		if (got <= 0)
			break;
		err = send_one(rep);
		if (err)
			break;
	}
	shmring_flush(rep->peer.r);
	if (err == -EMSGSIZE)
		return tool_say(TOOL_ERROR,
				"record %llu has %zu bytes, more than ring '%s' can take; make a larger ring with --size",
				(unsigned long long)rep->in.records, rep->in.length, args->name);
	rep->cut = tool_stopped && (err || (got && rep->in.records < args->count));
	if (err || tool_stopped)
		return tool_send_failed(rep->peer.r, args->name, err ? err : -EINTR);
	code = got < 0 ? read_failed(args, &rep->in, got) : TOOL_OK;
	if ((!code || code == TOOL_DAMAGED) && !args->no_drain) {
		err = tool_drain(&rep->peer, args->name, args->timeout_ns);
		if (err)
			return err;
	}
	return code;
}

static int tell(const struct replayer *rep, int code)
{
	double seconds = rep->records ? (double)(tool_now() - rep->begin) / 1e9 : 0;

	if (rep->args->common.json)
		return tool_print_json(json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:i}",
						 "ring", rep->args->name, "file", rep->args->file,
						 "records", (json_int_t)rep->records,
						 "bytes", (json_int_t)rep->bytes,
						 "seconds", seconds,
						 "late", (double)rep->late_ns / 1e9,
						 "status", code));
	if (rep->args->verbose)
		tool_say(0, "sent %llu records, %llu bytes in %.3f s, at most %.3f ms late",
			 (unsigned long long)rep->records, (unsigned long long)rep->bytes, seconds,
			 (double)rep->late_ns / 1e6);
	return TOOL_OK;
}

static int replay(struct replayer *rep)
{
	struct replay_args args = *rep->args;
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *r;
	int code, err, out;

	/* A ring that has to be made is made as large as that which was recorded. */
	if (!args.common.opts.data_size && rep->in.header.data_size <= SHMRING_DATA_MAX)
		args.common.opts.data_size = rep->in.header.data_size;
	err = shmring_open(args.name, SHMRING_ROLE_PRODUCER, &args.common.opts, &r);
	if (err)
		return tool_ring_failed(err, args.common.opts.backend, "send to", args.name);
	if (!shmring_info(r, &info) && info.topology == SHMRING_TOPO_RAW) {
		code = tool_say(TOOL_ERROR, "ring '%s' is raw memory, it takes no records",
				args.name);
	} else {
		tool_peer_init(&rep->peer, r, SHMRING_ROLE_PRODUCER);
		code = send_all(rep);
		tool_tell_dropped(&rep->peer, args.name);
		out = tell(rep, code);
		code = code ? code : out;
	}
	tool_leave(r, rep->cut);
	return code;
}

/* What is in the file, and whether all of it is. */
static int check(struct replayer *rep)
{
	const struct capture_header *h = &rep->in.header;
	time_t start = (time_t)(h->start / 1000000000);
	uint64_t first = 0, last = 0;
	int code, got, out;
	char when[32];
	struct tm tm;

	while ((got = capture_next(&rep->in)) > 0 && !tool_stopped) {
		if (rep->in.records == 1)
			first = rep->in.time;
		last = rep->in.time;
	}
	if (tool_stopped)
		return tool_signal_exit();
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&start, &tm));
	code = got < 0 ? read_failed(rep->args, &rep->in, got) : TOOL_OK;
	if (rep->args->common.json) {
		out = tool_print_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:b, s:i}",
						"file", rep->args->file, "ring", h->ring,
						"start", when,
						"data_size", (json_int_t)h->data_size,
						"records", (json_int_t)rep->in.records,
						"bytes", (json_int_t)rep->in.bytes,
						"seconds", (double)(last - first) / 1e9,
						"whole", !got, "status", code));
	} else {
		printf("%s: ring %s, %s, %llu records, %llu bytes, %.3f s, %s\n", rep->args->file,
		       h->ring, when, (unsigned long long)rep->in.records,
		       (unsigned long long)rep->in.bytes, (double)(last - first) / 1e9,
		       !got ? "whole" : got == -ENODATA ? "cut" : "damaged");
		out = tool_flush_stdout(TOOL_OK);
	}
	return code ? code : out;
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_ring, 0, NULL, 0 }, { &tool_argp_backend, 0, NULL, 0 },
		{ &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "FILE NAME\n--check FILE",
		"Send the records of FILE (-: stdin), which `shmring record` has written, to ring NAME, "
		"with the time between them that there was. The ring is made if there is none, as "
		"large as the one that was recorded."
		"\v"
		"The first record goes at once. A record that finds no room goes when there is some, "
		"and the others do not wait for it. A file that was cut is sent up to the cut: exit "
		"status 6, likewise at damage. The others are as of `shmring send`.",
		children, NULL, NULL
	};
	struct replay_args args = { .speed = 1, .count = UINT64_MAX, .timeout_ns = UINT64_MAX };
	struct replayer rep = { .args = &args };
	FILE *file = stdin;
	struct stat st;
	int code, err;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring replay", argc, argv, &args);
	tool_signals_init();
	if (strcmp(args.file, "-"))
		file = fopen(args.file, "re");
	if (!file)
		return tool_say(TOOL_ERROR, "cannot read %s: %s", args.file, strerror(errno));
	rep.live = fstat(fileno(file), &st) || !S_ISREG(st.st_mode);
	err = capture_open(&rep.in, file);
	if (err)
		code = read_failed(&args, &rep.in, err);
	else
		code = args.check ? check(&rep) : replay(&rep);
	capture_close(&rep.in);
	if (file != stdin)
		fclose(file);
	return code;
}
