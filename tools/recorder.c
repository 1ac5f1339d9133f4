// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a ring into a file, and with --tee into another ring.
 *
 * A record is given back to the ring when it is in the file and the other ring, so what
 * cannot be written stays where it is: the file is cut back to whole records, and the
 * ring to those that are not in it. Every batch is written before the next is waited for.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "recorder.h"

#define BATCH		512		/* records at a time */
#define BUFFER		(1u << 20)	/* bytes at a time, if a record is not larger */

/* @done: out: bytes that were written, also when not all were */
static int write_all(int fd, const char *from, size_t len, size_t *done)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t put;

	for (*done = 0; *done < len;) {
		put = write(fd, from + *done, len - *done);
		if (put > 0) {
			*done += (size_t)put;
			continue;
		}
		if (!put)
			return -ENOSPC;
		if (errno == EAGAIN)
			poll(&pfd, 1, -1);
		else if (errno != EINTR)
			return -errno;
		if (tool_stopped)
			return -EINTR;
	}
	return 0;
}

int recorder_failed(const struct recorder *rec, int err)
{
	if (err == -EINTR)
		return tool_signal_exit();
	if (err == -EPIPE)
		return TOOL_SIGNAL + SIGPIPE;
	return tool_say(TOOL_ERROR,
			"cannot write %s: %s; it holds %llu records, what came after them is still in ring '%s'",
			rec->args->file, strerror(-err), (unsigned long long)rec->records,
			rec->args->name);
}

int recorder_begin(struct recorder *rec)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct capture_header header;
	size_t done;
	int err = shmring_info(rec->in.r, &info);

	if (err)
		return tool_fail(err, "cannot look at ring '%s'", rec->args->name);
	if (info.topology == SHMRING_TOPO_RAW)
		return tool_say(TOOL_ERROR, "ring '%s' is raw memory, it has no records",
				rec->args->name);
	rec->cap = info.max_record + sizeof(struct capture_record);
	if (rec->cap < BUFFER)
		rec->cap = BUFFER;
	rec->buf = malloc(rec->cap);
	if (!rec->buf)
		return tool_fail(-ENOMEM, "cannot hold a record of %llu bytes",
				 (unsigned long long)info.max_record);
	capture_make_header(&header, rec->args->name, info.data_size);
	rec->start = tool_now();
	err = write_all(rec->fd, (const char *)&header, sizeof(header), &done);
	rec->size = done;
	return err ? recorder_failed(rec, err) : TOOL_OK;
}

int recorder_end(struct recorder *rec)
{
	struct capture_end end = {
		.records = htole64(rec->records),
		.bytes = htole64(rec->bytes),
	};
	char text[sizeof(struct capture_record) + sizeof(end)];
	size_t done;
	int err;

	capture_make_record((struct capture_record *)(void *)text, CAPTURE_END,
			    tool_now() - rec->start, &end, sizeof(end));
	memcpy(text + sizeof(struct capture_record), &end, sizeof(end));
	err = write_all(rec->fd, text, sizeof(text), &done);
	if (!err && rec->cuttable && fsync(rec->fd))
		err = -errno;
	return err;
}

/* Gives @n records back, the first of those that were peeked at. */
static void give_back(struct recorder *rec, unsigned int n)
{
	struct iovec msgs[BATCH];

	/* Of a ring that overwrites they were given back when they were copied. */
	if (n && !rec->in.room && shmring_peek_batch(rec->in.r, msgs, n, SHMRING_NOWAIT) == (long)n)
		shmring_release(rec->in.r);
}

/* How many of @msgs fit the buffer; their bytes there in @len. */
static unsigned int fill(struct recorder *rec, const struct iovec *msgs, unsigned int n,
			 uint64_t time, size_t *len)
{
	struct capture_record head;
	unsigned int i;
	char *payload;
	size_t size;

	for (i = 0, *len = 0; i < n; i++, *len += sizeof(head) + size) {
		size = msgs[i].iov_len;
		if (*len + sizeof(head) + size > rec->cap)
			break;
		/* Copied before it is looked at: the sender could still change it. */
		payload = rec->buf + *len + sizeof(head);
		if (size)
			memcpy(payload, msgs[i].iov_base, size);
		capture_make_record(&head, (uint32_t)size, time, payload, size);
		memcpy(rec->buf + *len, &head, sizeof(head));
	}
	return i;
}

/* Cuts the file back to what is whole in it; returns how many of the batch those are. */
static unsigned int salvage(struct recorder *rec, const struct iovec *msgs, unsigned int n,
			    size_t done)
{
	size_t whole = 0, size;
	unsigned int i;

	for (i = 0; i < n; i++, whole += size) {
		size = sizeof(struct capture_record) + msgs[i].iov_len;
		if (whole + size > done)
			break;
		rec->bytes += msgs[i].iov_len;
	}
	rec->records += i;
	if (rec->cuttable && !ftruncate(rec->fd, (off_t)(rec->size + whole)))
		lseek(rec->fd, (off_t)(rec->size + whole), SEEK_SET);
	rec->size += whole;
	return i;
}

static int pass_on(struct recorder *rec, const char *from, unsigned int n)
{
	struct capture_record head;
	int err = 0;

	for (; n && !err; n--) {
		memcpy(&head, from, sizeof(head));
		from += sizeof(head);
		err = tool_put(&rec->out, from, le32toh(head.length), UINT64_MAX);
		if (err == -ENOBUFS)
			err = 0;
		from += le32toh(head.length);
	}
	shmring_flush(rec->out.r);
	return err;
}

/* A batch from the ring into the file; returns an exit code. */
static int record_batch(struct recorder *rec, const struct iovec *msgs, unsigned int n)
{
	unsigned int take, whole;
	size_t len, done;
	int err, out = 0;

	take = fill(rec, msgs, n, tool_now() - rec->start, &len);
	err = write_all(rec->fd, rec->buf, len, &done);
	whole = salvage(rec, msgs, take, done);
	if (rec->tee)
		out = pass_on(rec, rec->buf, whole);
	if (whole < n)
		give_back(rec, whole);
	else
		shmring_release(rec->in.r);
	if (err)
		return recorder_failed(rec, err);
	return out ? tool_send_failed(rec->out.r, rec->args->tee, out) : TOOL_OK;
}

/* Until something ends it; returns the exit code. */
int recorder_run(struct recorder *rec)
{
	const struct record_args *args = rec->args;
	struct iovec msgs[BATCH];
	int pipe = tool_pipe(rec->fd);
	int code = TOOL_OK;
	uint64_t left;
	long n;

	while (!code && rec->records < args->count) {
		if (tool_stopped)
			return tool_signal_exit();
		left = args->count - rec->records;
		n = tool_next_batch(&rec->in, msgs, left < BATCH ? (unsigned int)left : BATCH,
				    args->timeout_ns, pipe);
		if (n < 0)
			return tool_recv_failed(args->name, (int)n, rec->records);
		code = record_batch(rec, msgs, (unsigned int)n);
	}
	return code;
}
