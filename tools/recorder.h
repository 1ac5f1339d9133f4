/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recording that is being made.
 */
#ifndef SHMRING_RECORDER_H
#define SHMRING_RECORDER_H

#include "tool.h"

struct record_args {
	struct tool_args common;
	const char *name;
	const char *file;
	const char *tee;
	uint64_t count;
	uint64_t timeout_ns;
	bool force;
	bool verbose;
};

/**
 * struct recorder - a recording being made
 * @args: how
 * @in: the sender of the ring
 * @out: the receiver of the ring of --tee
 * @tee: is there one?
 * @fd: the file
 * @cuttable: it is a regular file
 * @size: bytes written to it
 * @start: CLOCK_MONOTONIC of its beginning
 * @buf: what is written at once
 * @cap: bytes there
 * @records: in the file
 * @bytes: of payload in the file
 */
struct recorder {
	const struct record_args *args;
	struct tool_peer in;
	struct tool_peer out;
	bool tee;
	int fd;
	bool cuttable;
	uint64_t size;
	uint64_t start;
	char *buf;
	size_t cap;
	uint64_t records;
	uint64_t bytes;
};

/*
 * These return exit codes and have said what is wrong; recorder_failed() says it of
 * an error in writing.
 */
int recorder_begin(struct recorder *rec);
int recorder_run(struct recorder *rec);
int recorder_failed(const struct recorder *rec, int err);

/* So that a reader can tell that nothing is missing; 0 or -errno. */
int recorder_end(struct recorder *rec);

#endif /* SHMRING_RECORDER_H */
