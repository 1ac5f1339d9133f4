// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring send - lines or blocks of a file or stdin into a ring
 *
 * A record is a line with its newline, so that what recv writes is the input, byte
 * for byte: a last line without a newline, empty lines and NUL bytes included.
 * Records are put in batches as large as one read(2) was, and shown before the
 * next read(2) could block.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum {
	KEY_CHUNK = 0x100,
	KEY_NO_DRAIN,
	KEY_NO_SPLIT,
	KEY_CHOMP,
};

struct send_args {
	struct tool_args common;
	const char *name;
	const char *file;
	uint64_t chunk;		/* fixed blocks; 0: lines */
	uint64_t timeout_ns;
	int delimiter;
	bool no_drain;
	bool no_split;
	bool chomp;
	bool verbose;
	bool json;
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What a record is:", 1 },
	{ "chunk", KEY_CHUNK, "BYTES", 0,
	  "A block of BYTES (the last one may be shorter) instead of a line", 1 },
	{ "lines0", '0', NULL, 0,
	  "What ends in a NUL byte (as of find -print0) instead of a line", 1 },
	{ "chomp", KEY_CHOMP, NULL, 0,
	  "Leave the newline or NUL out of the record (receive with recv --lines)", 1 },
	{ "no-split", KEY_NO_SPLIT, NULL, 0,
	  "Fail at a line that is too long for one record, instead of sending it in pieces", 1 },
	{ NULL, 0, NULL, 0, "When to leave:", 2 },
	{ "no-drain", KEY_NO_DRAIN, NULL, 0,
	  "At the end of the input, instead of when everything was received. A ring vanishes "
	  "with its last user: what nobody else holds is lost then", 2 },
	{ "timeout", 't', "SECONDS", 0,
	  "If the receiver makes no room for that long (exit status 4; default: never)", 2 },
	{ "verbose", 'v', NULL, 0, "Say on stderr what was sent", 12 },
	{ "json", 'j', NULL, 0, "The same as a line of JSON", 12 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct send_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		return 0;
	case KEY_CHUNK:
		args->chunk = tool_parse_size(state, "--chunk", arg, 1, SHMRING_DATA_MAX);
		return 0;
	case '0':
		args->delimiter = '\0';
		return 0;
	case KEY_CHOMP:
		args->chomp = true;
		return 0;
	case KEY_NO_SPLIT:
		args->no_split = true;
		return 0;
	case KEY_NO_DRAIN:
		args->no_drain = true;
		return 0;
	case 't':
		args->timeout_ns = tool_parse_seconds(state, "--timeout", arg);
		return 0;
	case 'v':
		args->verbose = true;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			args->name = tool_parse_name(state, arg);
		else if (state->arg_num == 1)
			args->file = arg;
		else
			argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->name)
			argp_error(state, "which ring? its name is missing");
		if (args->chunk && (!args->delimiter || args->chomp || args->no_split))
			argp_error(state, "--chunk makes no lines: --lines0, --chomp and --no-split do not go with it");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/*
 * struct input - what was read and not yet sent
 * @scanned: bytes from @start on that are known to hold no delimiter
 */
struct input {
	int fd;
	char *buf;
	size_t cap;
	size_t start;
	size_t end;
	size_t scanned;
	bool eof;
};

struct sender {
	const struct send_args *args;
	struct tool_peer peer;
	size_t max_record;
	uint64_t records;
	uint64_t bytes;
	uint64_t line;
};

static int put_record(struct sender *s, const char *data, size_t len)
{
	int err;

	err = tool_put(&s->peer, data, len, s->args->timeout_ns);
	if (err)
		return err == -ENOBUFS ? 0 : err;
	s->records++;
	s->bytes += len;
	return 0;
}

/*
 * The next record in @in, its length in @take, of which @drop bytes at the end are
 * not to be sent. Returns false if more input is needed to know.
 */
static bool next_record(struct sender *s, struct input *in, size_t *take, size_t *drop)
{
	size_t have = in->end - in->start;
	const char *hit;

	*drop = 0;
	if (s->args->chunk) {
		*take = have < s->args->chunk ? have : s->args->chunk;
		return *take == s->args->chunk || (in->eof && have);
	}
	hit = memchr(in->buf + in->start + in->scanned, s->args->delimiter, have - in->scanned);
	if (hit) {
		*take = (size_t)(hit - (in->buf + in->start)) + 1;
		*drop = s->args->chomp;
		in->scanned = 0;
		return true;
	}
	in->scanned = have;
	*take = have;
	return (in->eof && have) || have > s->max_record;
}

/* Puts every record that is complete. Returns 0, an error, or -EMSGSIZE for --no-split. */
static int put_records(struct sender *s, struct input *in)
{
	size_t take, drop, piece;
	int err;

	while (next_record(s, in, &take, &drop)) {
		if (take - drop <= s->max_record) {
			err = put_record(s, in->buf + in->start, take - drop);
			if (err)
				return err;
			s->line++;
		} else {
			if (s->args->no_split)
				return -EMSGSIZE;
			/* Whole pieces only: what is left is the line's next beginning. */
			piece = s->max_record;
			err = put_record(s, in->buf + in->start, piece);
			if (err)
				return err;
			take = piece;
			in->scanned = in->scanned > piece ? in->scanned - piece : 0;
		}
		in->start += take;
		if (in->scanned > in->end - in->start)
			in->scanned = 0;
		if (tool_stopped)
			return -EINTR;
	}
	return 0;
}

static int make_room(struct input *in)
{
	char *bigger;

	if (in->start) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	if (in->end < in->cap)
		return 0;
	bigger = realloc(in->buf, in->cap * 2);
	if (!bigger)
		return -ENOMEM;
	in->buf = bigger;
	in->cap *= 2;
	return 0;
}

static int read_failed(const struct send_args *args, int err)
{
	return tool_say(TOOL_ERROR, "cannot read %s: %s", args->file ? args->file : "stdin",
			strerror(err));
}

/* All of the input; returns the exit code. */
static int send_all(struct sender *s, struct input *in)
{
	const struct send_args *args = s->args;
	ssize_t got;
	int err;

	while (!in->eof) {
		if (make_room(in))
			return tool_fail(-ENOMEM, "cannot hold a record of %zu bytes", in->cap);
		err = tool_wait_input(&s->peer, in->fd);
		if (err)
			return tool_send_failed(s->peer.r, args->name, err);
		got = read(in->fd, in->buf + in->end, in->cap - in->end);
		if (got < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return read_failed(args, errno);
		}
		in->eof = !got;
		in->end += (size_t)got;
		err = put_records(s, in);
		shmring_flush(s->peer.r);
		if (err == -EMSGSIZE)
			return tool_say(TOOL_ERROR,
					"line %llu is longer than the %zu bytes that a record of ring '%s' can have; make a larger ring with --size",
					(unsigned long long)s->line + 1, s->max_record, args->name);
		if (err)
			return tool_send_failed(s->peer.r, args->name, err);
	}
	return TOOL_OK;
}

/* @cut: out: a signal came before all was sent */
static int run(const struct send_args *args, struct shmring *r, int fd, bool *cut)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct sender s = { .args = args };
	struct input in = { .fd = fd, .cap = 256 * 1024 };
	int code, err;

	err = shmring_info(r, &info);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", args->name);
	if (info.topology == SHMRING_TOPO_RAW)
		return tool_say(TOOL_ERROR, "ring '%s' is raw memory, it takes no records",
				args->name);
	tool_peer_init(&s.peer, r, info.role);
	s.max_record = info.max_record;
	if (args->chunk > s.max_record)
		return tool_say(TOOL_ERROR,
				"blocks of %llu bytes do not fit ring '%s', whose records have at most %zu; make a larger ring with --size",
				(unsigned long long)args->chunk, args->name, s.max_record);
	in.buf = malloc(in.cap);
	if (!in.buf)
		return tool_fail(-ENOMEM, "cannot buffer the input");
	code = send_all(&s, &in);
	*cut = code > TOOL_SIGNAL;
	free(in.buf);
	tool_tell_dropped(&s.peer, args->name);
	if (!code && !args->no_drain)
		code = tool_drain(&s.peer, args->name, args->timeout_ns);
	if (args->json)
		tool_tell_carried(args->name, "sent", s.records, s.bytes, code);
	else if (args->verbose)
		tool_say(0, "sent %llu records, %llu bytes", (unsigned long long)s.records,
			 (unsigned long long)s.bytes);
	return code;
}

int cmd_send(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_ring, 0, NULL, 0 }, { &tool_argp_backend, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME [FILE]",
		"Send every line of FILE (default, or -: stdin) as a record of ring NAME, which is made "
		"if there is none."
		"\v"
		"A record holds its line's newline, so `shmring recv` writes exactly what was sent. A "
		"line that is longer than the largest record (the size of the ring less 16 bytes) "
		"goes in pieces of that size. A line is sent at once when no more input is ready.\n"
		"\n"
		"Leaves when the receiver has taken everything. A ring that is kept (by `shmring create`) "
		"and that its last receiver has left takes nothing until the next receiver comes; send "
		"waits for it. Exit status 3: the receiver died; 5: it "
		"closed and left something unread; 4: --timeout passed. Ended by a signal before the end of "
		"the input it leaves without closing: what came until then is not taken for all.",
		children, NULL, NULL
	};
	struct send_args args = { .timeout_ns = UINT64_MAX, .delimiter = '\n' };
	struct shmring *r;
	int fd = STDIN_FILENO;
	bool cut = false;
	int code, err;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring send", argc, argv, &args);
	if (args.file && strcmp(args.file, "-")) {
		fd = open(args.file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return read_failed(&args, errno);
	}
	tool_signals_init();
	err = shmring_open(args.name, SHMRING_ROLE_PRODUCER, &args.common.opts, &r);
	if (err)
		return tool_ring_failed(err, args.common.opts.backend, "send to", args.name);
	code = run(&args, r, fd, &cut);
	tool_leave(r, cut);
	return code;
}
