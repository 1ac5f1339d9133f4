// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contenders that the kernel carries as streams of bytes: pipe, FIFO, UNIX stream socket
 * and TCP over the loopback. Both ends know how long a record is. A FIFO's name is gone
 * as soon as it is open, so nothing can be left behind.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_pc_loops.h"

struct pc_channel {
	int from;
	int to;
};

static inline int stream_send(struct pc_channel *c, const void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(c->to, (const char *)buf + done, len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static inline int stream_recv(struct pc_channel *c, void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(c->from, (char *)buf + done, len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return -EPIPE;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

PC_LOOPS(stream)

static int new_channel(int from, int to, struct pc_channel **out)
{
	struct pc_channel *c = malloc(sizeof(*c));

	if (!c) {
		close(from);
		close(to);
		return -ENOMEM;
	}
	c->from = from;
	c->to = to;
	*out = c;
	return 0;
}

static void stream_destroy(struct pc_channel *c)
{
	close(c->from);
	close(c->to);
	free(c);
}

/* As much as the others have, or as near to it as the system allows. */
static int new_pipe(int from, int to, const struct pc_shape *shape, struct pc_channel **out)
{
	int want = (int)shape->ring_bytes;

	while (fcntl(to, F_SETPIPE_SZ, want) < 0 && want > fcntl(to, F_GETPIPE_SZ))
		want /= 2;
	return new_channel(from, to, out);
}

static int pipe_make(const struct pc_shape *shape, struct pc_channel **out)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	return new_pipe(fd[0], fd[1], shape, out);
}

static int fifo_open(const char *path, const struct pc_shape *shape, struct pc_channel **out)
{
	int from, to, err;

	/* Without O_NONBLOCK each open would wait for the other. */
	from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (from < 0)
		return -errno;
	to = open(path, O_WRONLY | O_CLOEXEC);
	if (to < 0 || fcntl(from, F_SETFL, O_RDONLY)) {
		err = -errno;
		close(from);
		if (to >= 0)
			close(to);
		return err;
	}
	return new_pipe(from, to, shape, out);
}

static int fifo_make(const struct pc_shape *shape, struct pc_channel **out)
{
	char path[256];
	int fd, err;

	/* A file of that name first: it is known to be nobody else's then. */
	fd = pc_temporary(path, sizeof(path));
	if (fd < 0)
		return fd;
	close(fd);
	unlink(path);
	if (mkfifo(path, 0600))
		return -errno;
	err = fifo_open(path, shape, out);
	unlink(path);
	return err;
}

static int unix_make(const struct pc_shape *shape, struct pc_channel **out)
{
	int fd[2];

	(void)shape;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return -errno;
	return new_channel(fd[0], fd[1], out);
}

static int tcp_connect(int listener, const struct sockaddr_in *to, struct pc_channel **out)
{
	int from, sock, on = 1, err;

	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (const struct sockaddr *)to, sizeof(*to)))
		goto err_close;
	from = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (from < 0)
		goto err_close;
	/* A record is to leave at once. */
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return new_channel(from, sock, out);

err_close:
	err = -errno;
	close(sock);
	return err;
}

static int tcp_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t n = sizeof(to);
	int listener, err;

	(void)shape;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&to, &n))
		err = -errno;
	else
		err = tcp_connect(listener, &to, out);
	close(listener);
	return err;
}

/* By trying: a sandbox may have no TMPDIR, no loopback and no sockets. */
static int available(int (*make)(const struct pc_shape *shape, struct pc_channel **out))
{
	const struct pc_shape least = { .len = 8, .batch = 1, .ring_bytes = 4096, .slots = 1 };
	struct pc_channel *c;
	int err = make(&least, &c);

	if (!err)
		stream_destroy(c);
	return err;
}

static int pipe_available(void)
{
	return available(pipe_make);
}

static int fifo_available(void)
{
	return available(fifo_make);
}

static int unix_available(void)
{
	return available(unix_make);
}

static int tcp_available(void)
{
	return available(tcp_make);
}

static uint64_t pipe_memory(const struct pc_channel *c)
{
	int n = fcntl(c->to, F_GETPIPE_SZ);

	return n < 0 ? 0 : (uint64_t)n;
}

static uint64_t socket_memory(const struct pc_channel *c)
{
	int sent = 0, received = 0;
	socklen_t n = sizeof(int);

	getsockopt(c->to, SOL_SOCKET, SO_SNDBUF, &sent, &n);
	getsockopt(c->from, SOL_SOCKET, SO_RCVBUF, &received, &n);
	return (uint64_t)sent + (uint64_t)received;
}

#define STREAM_CONTENDER(NAME, TITLE, WHAT, WHERE, MEMORY)	\
const struct pc_contender pc_##NAME = {			\
	.name = TITLE,					\
	.what = WHAT,					\
	.where = WHERE,					\
	.available = NAME##_available,			\
	.make = NAME##_make,				\
	.destroy = stream_destroy,			\
	.join = pc_join_nothing,			\
	.leave = pc_leave_nothing,			\
	.memory = MEMORY##_memory,			\
	.produce = stream_produce,			\
	.consume = stream_consume,			\
	.client = stream_client,			\
	.server = stream_server,			\
}

STREAM_CONTENDER(pipe, "pipe", "pipe(2), as large as the rings", NULL, pipe);
STREAM_CONTENDER(fifo, "fifo", "named pipe, as large as the rings", PC_WHERE_FILES, pipe);
STREAM_CONTENDER(unix, "unix-stream", "UNIX socket pair, SOCK_STREAM", NULL, socket);
STREAM_CONTENDER(tcp, "tcp", "TCP over the loopback, TCP_NODELAY", NULL, socket);
