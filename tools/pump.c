// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a ring to stdout, without ever sitting on anything: what arrived is written
 * before the ring is waited for.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define BATCH		512		/* records per write; twice that in pieces is IOV_MAX */
#define LAPS_MOST	16		/* batches that were overwritten while they were copied */
#define LOOK_NS		1000000000ULL	/* how often a pipe nobody reads is looked for */

static int write_all(int fd, const struct iovec *iov, int n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	size_t done = 0;		/* bytes of iov[0] */
	struct iovec part;
	ssize_t put;

	while (n) {
		if (done) {
			part.iov_base = (char *)iov->iov_base + done;
			part.iov_len = iov->iov_len - done;
			put = write(fd, part.iov_base, part.iov_len);
		} else {
			put = writev(fd, iov, n);
		}
		if (put < 0) {
			if (errno == EAGAIN) {
				/* Somebody else made the descriptor non-blocking. */
				poll(&pfd, 1, -1);
			} else if (errno != EINTR) {
				return -errno;
			}
			if (tool_stopped)
				return -EINTR;
			continue;
		}
		done += (size_t)put;
		while (n && done >= iov->iov_len) {
			done -= iov->iov_len;
			iov++;
			n--;
		}
	}
	return 0;
}

/* @fd if it is something whose reader can leave, else -1 */
int tool_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) ? fd : -1;
}

static bool reader_left(int fd)
{
	struct pollfd pfd = { .fd = fd };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLERR | POLLHUP | POLLNVAL));
}

/* Copies as many of @msgs as there is room for; returns how many. */
static unsigned int copy_batch(const struct tool_peer *peer, struct iovec *msgs, unsigned int n)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < n && msgs[i].iov_len <= peer->room - used; i++) {
		if (msgs[i].iov_len)
			memcpy(peer->copy + used, msgs[i].iov_base, msgs[i].iov_len);
		msgs[i].iov_base = peer->copy + used;
		used += msgs[i].iov_len;
	}
	return i;
}

/*
 * Looks at records. A sender that overwrites does not wait until they are written: so those
 * are copied, and are records only once it is known that they were whole.
 */
static long peek_batch(struct tool_peer *peer, struct iovec *msgs, unsigned int want,
		       uint64_t deadline)
{
	unsigned int whole, laps = 0;
	long n;

	if (!peer->room)
		return shmring_peek_batch(peer->r, msgs, want, deadline);
	if (!peer->copy)
		peer->copy = malloc(peer->room);
	if (!peer->copy)
		return -ENOMEM;
	for (;;) {
		n = shmring_peek_batch(peer->r, msgs, want, deadline);
		if (n <= 0)
			return n;
		whole = copy_batch(peer, msgs, (unsigned int)n);
		if (whole == n && !shmring_release(peer->r))
			return n;
		if (tool_stopped)
			return -EINTR;
		if (++laps >= LAPS_MOST && deadline != SHMRING_FOREVER && tool_now() >= deadline)
			return deadline == SHMRING_NOWAIT ? -EAGAIN : -ETIMEDOUT;
		/* All that were peeked at would be released; or were too many for its pace. */
		want = whole < n ? whole : (whole + 1) / 2;
	}
}

/*
 * The next batch. A pipe's reader can leave while nothing arrives, and only a look
 * at the pipe tells: hence the slices. Where nobody sleeps, a signal is seen after one.
 */
long tool_next_batch(struct tool_peer *peer, struct iovec *msgs, unsigned int want,
		     uint64_t timeout_ns, int pipe)
{
	uint64_t deadline, until, look;
	int err;
	long n;

	n = peek_batch(peer, msgs, want, SHMRING_NOWAIT);
	if (n > 0)
		return n;
	deadline = tool_deadline(timeout_ns);
	while (!tool_stopped) {
		if ((n == -EPIPE || n == -EOWNERDEAD) && tool_peer_stale(peer)) {
			err = tool_peer_wait(peer, deadline);
			if (err)
				return err;
		} else if (n != -EAGAIN && n != -EINTR) {
			return tool_peer_left(peer, (int)n);
		}
		look = tool_now() + LOOK_NS;
		until = tool_peer_slice(peer, pipe >= 0 && deadline > look ? look : deadline);
		n = peek_batch(peer, msgs, want, until);
		if (n == -ETIMEDOUT && until != deadline) {
			if (pipe >= 0 && reader_left(pipe))
				return -ESTRPIPE;
			n = -EAGAIN;
		} else if (n == -EAGAIN) {
			return -ETIMEDOUT;
		}
	}
	return -EINTR;
}

static int write_batch(const struct iovec *msgs, long n, struct tool_pump *pump)
{
	struct iovec out[2 * BATCH];
	int used = 0;
	long i;

	for (i = 0; i < n; i++) {
		const char *text = msgs[i].iov_base;
		size_t len = msgs[i].iov_len;

		if (len)
			out[used++] = msgs[i];
		if (pump->newline && (!len || text[len - 1] != '\n'))
			out[used++] = (struct iovec){ (char *)(uintptr_t)"\n", 1 };
		pump->bytes += len;
	}
	pump->records += (uint64_t)n;
	return write_all(STDOUT_FILENO, out, used);
}

/* Why receiving ended, in a sentence; returns the exit code. */
int tool_recv_failed(const char *name, int err, uint64_t records)
{
	switch (err) {
	case -EPIPE:
		return TOOL_OK;
	case -EINTR:
		return tool_signal_exit();
	case -ESTRPIPE:
		return TOOL_SIGNAL + SIGPIPE;
	case -EOWNERDEAD:
		return tool_say(TOOL_PEER_DIED,
				"the sender of ring '%s' died without closing; the %llu records that it had finished were written",
				name, (unsigned long long)records);
	case -ETIMEDOUT:
		return tool_say(TOOL_TIMEOUT, "nothing came through ring '%s' in time", name);
	default:
		return tool_fail(err, "cannot receive from ring '%s'", name);
	}
}

/*
 * Ring to stdout. Records are given back when they are written, so what cannot be
 * written stays in the ring for the next receiver. Returns the exit code.
 */
int tool_pump_out(struct tool_peer *peer, const char *name, struct tool_pump *pump)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	int pipe = tool_pipe(STDOUT_FILENO);
	struct iovec msgs[BATCH];
	unsigned int want;
	long n;
	int err;

	err = shmring_info(peer->r, &info);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", name);
	if (info.topology == SHMRING_TOPO_RAW)
		return tool_say(TOOL_ERROR, "ring '%s' is raw memory, it has no records", name);

	while (pump->records < pump->count) {
		want = pump->count - pump->records < BATCH ?
			(unsigned int)(pump->count - pump->records) : BATCH;
		if (tool_stopped)
			return tool_signal_exit();
		n = tool_next_batch(peer, msgs, want, pump->timeout_ns, pipe);
		if (n < 0)
			return tool_recv_failed(name, (int)n, pump->records);
		err = write_batch(msgs, n, pump);
		if (err == -EINTR)
			return tool_signal_exit();
		if (err == -EPIPE)
			return TOOL_SIGNAL + SIGPIPE;
		if (err)
			return tool_say(TOOL_ERROR, "cannot write what came through ring '%s': %s",
					name, strerror(-err));
		shmring_release(peer->r);
	}
	return TOOL_OK;
}
