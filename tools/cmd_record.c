// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring record - write records and their times to a file
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"

enum {
	KEY_TEE = 0x100,
};

static const struct argp_option options[] = {
	{ "tee", KEY_TEE, "RING", 0,
	  "Pass every record on to RING, which is made if there is none", 1 },
	{ "force", 'f', NULL, 0, "Overwrite FILE if it exists", 1 },
	{ NULL, 0, NULL, 0, "When to leave, apart from when the sender does:", 2 },
	{ "count", 'c', "N", 0, "After N records", 2 },
	{ "timeout", 't', "SECONDS", 0,
	  "If nothing arrives for that long (exit status 4; 0: take what is there; default: never)",
	  2 },
	{ "verbose", 'v', NULL, 0, "Say on stderr what was recorded", 12 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		state->child_inputs[2] = &args->common;
		return 0;
	case KEY_TEE:
		args->tee = tool_parse_name(state, arg);
		return 0;
	case 'f':
		args->force = true;
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
			args->name = tool_parse_name(state, arg);
		else if (state->arg_num == 1)
			args->file = arg;
		else
			argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->name)
			argp_error(state, "which ring? its name is missing");
		if (!args->file)
			argp_error(state, "which file? its name is missing (-: stdout)");
		if (args->tee && !strcmp(args->tee, args->name))
			argp_error(state, "--tee: '%s' is the ring that is recorded", args->tee);
		if (args->common.json && !strcmp(args->file, "-"))
			argp_error(state, "--json: stdout is the recording already");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int open_file(const struct record_args *args, bool *made)
{
	struct stat st;
	int fd;

	*made = false;
	if (!strcmp(args->file, "-")) {
		if (isatty(STDOUT_FILENO)) {
			tool_say(0, "a recording is no text: it does not go to a terminal");
			return -1;
		}
		return STDOUT_FILENO;
	}
	fd = open(args->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	*made = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		if (!args->force && !stat(args->file, &st) && S_ISREG(st.st_mode)) {
			tool_say(0, "%s exists: name another file, or overwrite it with --force",
				 args->file);
			return -1;
		}
		fd = open(args->file, O_WRONLY | O_CLOEXEC);
	}
	if (fd < 0 && !tool_stopped)
		tool_say(0, "cannot write %s: %s", args->file, strerror(errno));
	return fd;
}

static int tell(const struct recorder *rec, int code)
{
	double seconds = (double)(tool_now() - rec->start) / 1e9;

	if (rec->args->common.json)
		return tool_print_json(json_pack("{s:s, s:s, s:I, s:I, s:f, s:i}",
						 "ring", rec->args->name, "file", rec->args->file,
						 "records", (json_int_t)rec->records,
						 "bytes", (json_int_t)rec->bytes,
						 "seconds", seconds, "status", code));
	if (rec->args->verbose)
		tool_say(0, "recorded %llu records, %llu bytes in %.3f s to %s",
			 (unsigned long long)rec->records, (unsigned long long)rec->bytes, seconds,
			 rec->args->file);
	return TOOL_OK;
}

/* The rings are open and the file is. */
static int record(struct recorder *rec)
{
	int code, err, out;
	struct stat st;

	rec->cuttable = !fstat(rec->fd, &st) && S_ISREG(st.st_mode);
	/* Not before now: what was in it is gone only when something can take its place. */
	if (rec->cuttable && rec->fd != STDOUT_FILENO && ftruncate(rec->fd, 0))
		return recorder_failed(rec, -errno);
	/* With >> a recording goes behind what is there, and is cut back to that. */
	if (rec->cuttable)
		rec->size = (uint64_t)lseek(rec->fd, 0, SEEK_END);
	code = recorder_begin(rec);
	if (code)
		return code;
	code = recorder_run(rec);
	/* Nobody reads it any more, or it is full: then it stays without an end. */
	if (code != TOOL_SIGNAL + SIGPIPE) {
		err = recorder_end(rec);
		if (err && !code)
			code = recorder_failed(rec, err);
	}
	if (!code && rec->tee)
		code = tool_drain(&rec->out, rec->args->tee, UINT64_MAX);
	tool_tell_dropped(&rec->out, rec->args->tee);
	out = tell(rec, code);
	return code ? code : out;
}

static int open_rings(struct recorder *rec, struct shmring **in, struct shmring **out)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	const struct record_args *args = rec->args;
	struct shmring_opts opts = args->common.opts;
	int err;

	err = shmring_open(args->name, SHMRING_ROLE_CONSUMER, &opts, in);
	if (err)
		return tool_ring_failed(err, opts.backend, "record", args->name);
	tool_peer_init(&rec->in, *in, SHMRING_ROLE_CONSUMER);
	if (!args->tee)
		return TOOL_OK;
	if (!opts.data_size && !shmring_info(*in, &info))
		opts.data_size = info.data_size;
	err = shmring_open(args->tee, SHMRING_ROLE_PRODUCER, &opts, out);
	if (err)
		return tool_ring_failed(err, opts.backend, "pass records on to", args->tee);
	tool_peer_init(&rec->out, *out, SHMRING_ROLE_PRODUCER);
	rec->tee = true;
	return TOOL_OK;
}

int cmd_record(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_ring, 0, NULL, 0 }, { &tool_argp_backend, 0, NULL, 0 },
		{ &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME FILE",
		"Receive what arrives in ring NAME and write it to FILE (-: stdout), with the time at "
		"which it came, for `shmring replay`. The ring is made if there is none."
		"\v"
		"Takes the receiver's place; --tee passes everything on to whoever would have it. Leaves "
		"as `shmring recv` does, exit status included, also when the file cannot be written "
		"(1) or the receiver of --tee leaves (3, 5). What is not in the file by then stays in the "
		"ring. -j tells at the end what was recorded.",
		children, NULL, NULL
	};
	struct record_args args = { .count = UINT64_MAX, .timeout_ns = UINT64_MAX };
	struct recorder rec = { .args = &args };
	struct shmring *in = NULL, *out = NULL;
	bool made;
	int code;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring record", argc, argv, &args);
	tool_signals_init();
	/* The file first: who came and left again would end a sender that waits. */
	rec.fd = open_file(&args, &made);
	if (rec.fd < 0)
		return tool_stopped ? tool_signal_exit() : TOOL_ERROR;
	code = open_rings(&rec, &in, &out);
	if (!code)
		code = record(&rec);
	if (made && !rec.size)
		unlink(args.file);
	shmring_close(in);
	shmring_close(out);
	tool_peer_free(&rec.in);
	free(rec.buf);
	if (rec.fd != STDOUT_FILENO)
		close(rec.fd);
	return code;
}
