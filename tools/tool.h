/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the subcommands of shmring share: exit codes, arguments that mean the same
 * everywhere, errors as one sentence, signals, and rings as JSON.
 */
#ifndef SHMRING_TOOL_H
#define SHMRING_TOOL_H

#include <argp.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <shmring.h>

/* Exit codes; `shmring --help` and the man page list them. */
#define TOOL_OK			0
#define TOOL_ERROR		1	/* something failed at run time */
#define TOOL_USAGE		2	/* the command line makes no sense */
#define TOOL_PEER_DIED		3	/* the other end died without closing */
#define TOOL_TIMEOUT		4	/* --timeout passed */
#define TOOL_PEER_CLOSED	5	/* the other end closed before it had everything */
#define TOOL_DAMAGED		6	/* the data is not what was sent, or cannot be */
#define TOOL_SIGNAL		128	/* plus the signal that ended it */

struct tool_command {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
};

/* cmd_*.c, one each */
int cmd_create(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_recv(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_hz(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/* tool.c: running a table of subcommands, and saying what went wrong */

int tool_dispatch(const char *self, const char *doc, const char *tail,
		  const struct tool_command *table, int argc, char **argv);

/* "shmring: " and the sentence, on stderr; returns @code. */
int tool_say(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": " and what the library says of @err; returns the exit code of @err. */
int tool_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define TOOL_DEVICE	"/dev/shmring"
/* Where the files of named rings of the memfd backend are. */
#define TOOL_SHM_DIR	"/dev/shm"
#define TOOL_SHM_PREFIX	"shmring."
#define TOOL_NO_DEVICE	"there is no /dev/shmring: load the module, or use -b memfd"

/* "cannot DOING ring 'NAME'", and why. */
int tool_ring_failed(int err, uint32_t backend, const char *doing, const char *name);
/* The same for who would only look: nothing is made, so the ring may not be there. */
int tool_look_failed(int err, uint32_t backend, const char *name);

/* What stands in brackets in a line like "always [madvise] never", if anything does. */
const char *tool_chosen(char *line);

/* Did everything that was written to stdout get there? Returns @code or TOOL_ERROR. */
int tool_flush_stdout(int code);

/* args.c: arguments that several subcommands take */

/**
 * struct tool_args - what the common arguments said
 * @opts: for the library
 * @json: -j
 */
struct tool_args {
	struct shmring_opts opts;
	bool json;
};

/*
 * argp children; their input is a struct tool_args. The last also offers -j, the
 * first has -h and -b only.
 */
extern const struct argp tool_argp_backend;	/* -b, -h */
extern const struct argp tool_argp_json;	/* -j */
extern const struct argp tool_argp_ring;	/* -s, -n, -m, ...: how to make a ring */

#define TOOL_KEY_USAGE	0x2000
#define TOOL_HUGE_MIN	((1u << 20) + 1)	/* what is not less becomes 2 MiB or more */

void tool_args_init(struct tool_args *args);

/* Parses @argv; what is wrong with it ends the program with TOOL_USAGE. */
void tool_parse(const struct argp *argp, const char *self, int argc, char **argv, void *input);

/*
 * Each reads all of @text or fails with a usage error that names @what: "12x", an
 * empty text, a sign and a value beyond the limits are all refused.
 */
uint64_t tool_parse_size(struct argp_state *state, const char *what, const char *text,
			 uint64_t min, uint64_t max);
uint64_t tool_parse_number(struct argp_state *state, const char *what, const char *text,
			   uint64_t min, uint64_t max);
uint64_t tool_parse_seconds(struct argp_state *state, const char *what, const char *text);
/* A number with a point, in billionths. */
uint64_t tool_parse_decimal(struct argp_state *state, const char *what, const char *text);
const char *tool_parse_name(struct argp_state *state, const char *text);

/* signals.c: leaving in order when asked to */

/* The signal that asked for the end, or 0. */
extern volatile sig_atomic_t tool_stopped;

void tool_signals_init(void);
/* The program has looked: calls are interrupted no longer. What it writes now is written. */
void tool_signals_seen(void);
int tool_signal_exit(void);

/* peer.c: the other end of a ring, and sending */

/**
 * struct tool_end - who was in a slot and has left it
 * @state: SHMRING_SLOT_CLOSED or _DEAD; 0: nobody whom we need to tell from the next
 * @pid: its process, where that is told
 * @bytes: how far it had come
 */
struct tool_end {
	uint32_t state;
	uint32_t pid;
	uint64_t bytes;
};

/**
 * struct tool_peer - the other end of a ring, or those there where there may be several
 * @r: this end
 * @first: slot of the other end, or the first of those
 * @slots: how many there are
 * @stale: they had all left before this end came, and what they left is nothing to do with
 *	us: wait for the next one
 * @many: several endpoints may be there
 * @lone: without any of them sending goes on
 * @spin: nobody sleeps on this ring, so signals interrupt nothing
 * @old: those who had left then
 * @copy: of a ring that overwrites: the records of a batch
 * @room: its bytes; 0: records are looked at in the ring
 * @dropped: records that tool_put() brought to a full ring which drops what is new
 */
struct tool_peer {
	struct shmring *r;
	unsigned int first;
	unsigned int slots;
	bool stale;
	bool many;
	bool lone;
	bool spin;
	struct tool_end old[SHMRING_SLOTS_MAX];
	char *copy;
	size_t room;
	uint64_t dropped;
};

uint64_t tool_now(void);
uint64_t tool_deadline(uint64_t timeout_ns);
void tool_peer_init(struct tool_peer *peer, struct shmring *r, uint32_t role);
void tool_peer_free(struct tool_peer *peer);
bool tool_peer_stale(struct tool_peer *peer);
/* How those who are not stale left, who made a call fail with @err: -EPIPE or -EOWNERDEAD. */
int tool_peer_left(const struct tool_peer *peer, int err);
int tool_peer_wait(struct tool_peer *peer, uint64_t deadline);
/* How long to wait at once; if that is less than @deadline, look at tool_stopped and go on. */
uint64_t tool_peer_slice(const struct tool_peer *peer, uint64_t deadline);

/* -EINTR only when a signal asked for the end. */
int tool_reserve(struct tool_peer *peer, size_t len, void **payload, uint64_t timeout_ns);
/* A record of the batch that shmring_flush() shows. -ENOBUFS: dropped and counted, go on. */
int tool_put(struct tool_peer *peer, const void *data, size_t len, uint64_t timeout_ns);
void tool_tell_dropped(const struct tool_peer *peer, const char *name);
int tool_wait_input(struct tool_peer *peer, int fd);

/* These return exit codes. */
int tool_drain(struct tool_peer *peer, const char *name, uint64_t timeout_ns);
int tool_send_failed(struct shmring *r, const char *name, int err);

/* The end of a sender; @cut: a signal came before the end of what it should send. */
void tool_leave(struct shmring *r, bool cut);

/* pump.c: receiving */

/**
 * struct tool_pump - what recv and cat write, and wrote
 * @count: records to take; UINT64_MAX: all
 * @timeout_ns: for the next record; UINT64_MAX: none
 * @newline: end every record with a newline
 * @records: out
 * @bytes: out
 */
struct tool_pump {
	uint64_t count;
	uint64_t timeout_ns;
	bool newline;
	uint64_t records;
	uint64_t bytes;
};

int tool_pump_out(struct tool_peer *peer, const char *name, struct tool_pump *pump);

/*
 * The next records, at least one, or an error; -ESTRPIPE: the reader of @pipe left,
 * which is looked for now and then unless it is -1. They are to be released, and then
 * gone; of a ring that overwrites they are copies, which were released already.
 */
long tool_next_batch(struct tool_peer *peer, struct iovec *msgs, unsigned int want,
		     uint64_t timeout_ns, int pipe);
int tool_pipe(int fd);
/* Why tool_next_batch() failed, in a sentence; returns the exit code. */
int tool_recv_failed(const char *name, int err, uint64_t records);

/* describe.c: rings in words and in JSON */

const char *tool_backend_name(uint32_t backend);
const char *tool_topology_name(uint32_t topology);
const char *tool_placement_name(uint32_t placement);
const char *tool_policy_name(uint32_t policy);
const char *tool_role_name(uint32_t role);
const char *tool_state_name(uint32_t state);
const char *tool_size(char *buf, size_t n, uint64_t bytes);
const char *tool_user(char *buf, size_t n, uint32_t uid);
json_t *tool_info_json(uint32_t backend, const struct shmring_ioc_info *info);
json_t *tool_ring_json(struct shmring *r);

/* What the endpoints of a slot have done. */
json_t *tool_stats_json(unsigned int slot, const struct shmring_stats *s);
int tool_print_json(json_t *json);
/* The same on one line, for output that goes on. */
int tool_print_json_line(json_t *json);

/*
 * What was carried, as a line of JSON on stderr: stdout may be the data. Returns @code.
 */
int tool_tell_carried(const char *ring, const char *what, uint64_t records, uint64_t bytes,
		      int code);

/* Bytes of all lanes together, or of a ring without lanes. */
uint64_t tool_capacity(const struct shmring_ioc_info *info);

/* How many of these hold records not yet received; 0 where there is nothing to count. */
uint64_t tool_used(const struct shmring_ioc_info *info);

#endif /* SHMRING_TOOL_H */
