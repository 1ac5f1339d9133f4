// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring over a UNIX stream socket: each end has an io_uring of its own, made in the
 * process that uses it, and hands over one send or receive at a time. (IORING_OP_MSG_RING
 * carries no more than 12 bytes, and needs the other process's descriptor.)
 */
#include <sys/socket.h>
#include <unistd.h>

#include "bench_pc_loops.h"

#ifdef HAVE_URING
#include <liburing.h>

#define ENTRIES	4

struct pc_channel {
	int from;
	int to;
	struct io_uring ring;
};

/* Does what is prepared and waits for it: bytes, or -errno. */
static int do_one(struct pc_channel *c)
{
	struct io_uring_cqe *cqe;
	int err;

	err = io_uring_submit_and_wait(&c->ring, 1);
	while (err == -EINTR)
		err = io_uring_wait_cqe(&c->ring, &cqe);
	if (err < 0)
		return err;
	while ((err = io_uring_wait_cqe(&c->ring, &cqe)) == -EINTR)
		;
	if (err)
		return err;
	err = cqe->res;
	io_uring_cqe_seen(&c->ring, cqe);
	return err;
}

static inline int uring_send(struct pc_channel *c, const void *buf, size_t len)
{
	struct io_uring_sqe *sqe;
	size_t done = 0;
	int n;

	while (done < len) {
		sqe = io_uring_get_sqe(&c->ring);
		io_uring_prep_send(sqe, c->to, (const char *)buf + done, len - done,
				   MSG_NOSIGNAL | MSG_WAITALL);
		n = do_one(c);
		if (n < 0 && n != -EINTR && n != -EAGAIN)
			return n;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static inline int uring_recv(struct pc_channel *c, void *buf, size_t len)
{
	struct io_uring_sqe *sqe;
	size_t done = 0;
	int n;

	while (done < len) {
		sqe = io_uring_get_sqe(&c->ring);
		io_uring_prep_recv(sqe, c->from, (char *)buf + done, len - done, MSG_WAITALL);
		n = do_one(c);
		if (n < 0 && n != -EINTR && n != -EAGAIN)
			return n;
		if (!n)
			return -EPIPE;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

PC_LOOPS(uring)

static int uring_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c = calloc(1, sizeof(*c));
	int fd[2], err;

	(void)shape;
	if (!c)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd)) {
		err = -errno;
		free(c);
		return err;
	}
	c->from = fd[0];
	c->to = fd[1];
	*out = c;
	return 0;
}

static void uring_destroy(struct pc_channel *c)
{
	close(c->from);
	close(c->to);
	free(c);
}

static int uring_join(struct pc_channel *c, unsigned int side)
{
	(void)side;
	return io_uring_queue_init(ENTRIES, &c->ring, 0);
}

static void uring_leave(struct pc_channel *c)
{
	io_uring_queue_exit(&c->ring);
}

static int uring_available(void)
{
	struct io_uring ring;
	int err = io_uring_queue_init(ENTRIES, &ring, 0);

	if (!err)
		io_uring_queue_exit(&ring);
	return err;
}

static uint64_t uring_memory(const struct pc_channel *c)
{
	int sent = 0, received = 0;
	socklen_t n = sizeof(int);

	getsockopt(c->to, SOL_SOCKET, SO_SNDBUF, &sent, &n);
	getsockopt(c->from, SOL_SOCKET, SO_RCVBUF, &received, &n);
	return (uint64_t)sent + (uint64_t)received;
}

const struct pc_contender pc_uring = {
	.name = "io_uring",
	.what = "io_uring: one send or receive at a time over a UNIX stream socket pair",
	.available = uring_available,
	.make = uring_make,
	.destroy = uring_destroy,
	.join = uring_join,
	.leave = uring_leave,
	.memory = uring_memory,
	.produce = uring_produce,
	.consume = uring_consume,
	.client = uring_client,
	.server = uring_server,
};

#else /* HAVE_URING */

static int uring_available(void)
{
	return -ENOPKG;
}

const struct pc_contender pc_uring = {
	.name = "io_uring",
	.what = "io_uring: not built in, liburing was not there",
	.available = uring_available,
};

#endif
