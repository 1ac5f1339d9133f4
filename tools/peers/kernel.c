// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peers that the kernel carries: pipe, UNIX socket, POSIX message queue. None has a
 * name once it is made, so nothing can be left behind.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers.h"

struct pc_channel {
	int from;
	int to;
};

static inline int pipe_send(struct pc_channel *c, const void *buf, size_t len)
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

static inline int pipe_recv(struct pc_channel *c, void *buf, size_t len)
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

PC_LOOPS(pipe)

static inline int unix_seq_send(struct pc_channel *c, const void *buf, size_t len)
{
	ssize_t n = send(c->to, buf, len, MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EMSGSIZE;
}

static inline int unix_seq_recv(struct pc_channel *c, void *buf, size_t len)
{
	ssize_t n = recv(c->from, buf, len, MSG_TRUNC);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EBADMSG;
}

PC_LOOPS(unix_seq)

static inline int posix_mq_send(struct pc_channel *c, const void *buf, size_t len)
{
	return mq_send(c->to, buf, len, 0) ? -errno : 0;
}

static inline int posix_mq_recv(struct pc_channel *c, void *buf, size_t len)
{
	ssize_t n = mq_receive(c->from, buf, len, NULL);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EBADMSG;
}

PC_LOOPS(posix_mq)

static int new_channel(int from, int to, struct pc_channel **out)
{
	struct pc_channel *c = malloc(sizeof(*c));

	if (!c) {
		close(from);
		if (to != from)
			close(to);
		return -ENOMEM;
	}
	c->from = from;
	c->to = to;
	*out = c;
	return 0;
}

static void kernel_destroy(struct pc_channel *c)
{
	close(c->from);
	if (c->to != c->from)
		close(c->to);
	free(c);
}

static int pipe_make(const struct pc_shape *shape, struct pc_channel **out)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	/* As much as the others have; what the system does not allow stays as it was. */
	fcntl(fd[1], F_SETPIPE_SZ, (int)shape->ring_bytes);
	return new_channel(fd[0], fd[1], out);
}

static int unix_make(const struct pc_shape *shape, struct pc_channel **out)
{
	int fd[2];

	(void)shape;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		return -errno;
	return new_channel(fd[0], fd[1], out);
}

/* The system's default limit: 10 messages; and a length that root may exceed. */
static int mq_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = (long)shape->len };
	static unsigned int number;
	char name[64];
	mqd_t q;

	snprintf(name, sizeof(name), "/shmring-bench-%d-%u", (int)getpid(), number++);
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (q < 0)
		return -errno;
	mq_unlink(name);
	return new_channel(q, q, out);
}

static int mq_available(void)
{
	const struct pc_shape least = { .len = 8, .batch = 1, .ring_bytes = 4096 };
	struct pc_channel *c;
	int err = mq_make(&least, &c);

	if (!err)
		kernel_destroy(c);
	return err;
}

static const char *mq_unfit(const struct pc_shape *shape)
{
	struct pc_channel *c;

	if (mq_make(shape, &c))
		return "longer than /proc/sys/fs/mqueue/msgsize_max or RLIMIT_MSGQUEUE allow";
	kernel_destroy(c);
	return NULL;
}

#define KERNEL_CONTENDER(NAME, TITLE, WHAT, READY, UNFIT, MAKE, LOOPS)	\
const struct pc_contender peer_##NAME = {				\
	.name = TITLE,							\
	.what = WHAT,							\
	.available = READY,						\
	.unfit = UNFIT,							\
	.make = MAKE,							\
	.destroy = kernel_destroy,					\
	.join = peer_join,						\
	.leave = peer_leave,						\
	.produce = LOOPS##_produce,					\
	.consume = LOOPS##_consume,					\
	.client = LOOPS##_client,					\
	.server = LOOPS##_server,					\
}

KERNEL_CONTENDER(pipe, "pipe", "pipe(2), as large as the rings", peer_ready, NULL, pipe_make, pipe);
KERNEL_CONTENDER(unix_seq, "unix", "UNIX socket pair, SOCK_SEQPACKET", peer_ready, NULL, unix_make,
		 unix_seq);
KERNEL_CONTENDER(mq, "posix-mq", "POSIX message queue of 10 messages", mq_available, mq_unfit,
		 mq_make, posix_mq);
