/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * libshmring with liburing - rings among the things that one io_uring waits for
 *
 * Functions that prepare an SQE, as those of liburing do; user_data is the caller's.
 * Everything is inline: libshmring itself does not depend on liburing. Link with both.
 *
 * On the device WAIT and KICK are commands of the kernel (Linux 6.1 and later). The memfd
 * backend has shmring_pollfd() polled instead; the calls and what they mean are the same,
 * but for what they say.
 *
 * A request holds the endpoint's file: on the device an endpoint with a pending request
 * outlives shmring_close(). Cancel first: shmring_uring_prep_cancel().
 */
#ifndef SHMRING_URING_H
#define SHMRING_URING_H

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include <shmring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One of SHMRING_URING_*, with the 16 bytes that it takes. */
static inline void shmring_uring_prep_cmd(struct io_uring_sqe *sqe, const struct shmring *r,
					  uint32_t op, const struct shmring_uring_wait *arg)
{
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, shmring_fd(r), NULL, 0, 0);
	sqe->cmd_op = op;
	/* cmd[] begins there, and is an array without a size in some versions. */
	memcpy((char *)sqe + offsetof(struct io_uring_sqe, addr3), arg, sizeof(*arg));
}

/**
 * shmring_uring_prep_wait() - prepare a shmring_wait()
 * @sqe: SQE
 * @r: handle
 * @events: SHMRING_EV_*, those of its role
 * @deadline: how long; memfd: SHMRING_FOREVER only (link a timeout of io_uring)
 *
 * shmring_uring_result() says what the completion means. Nothing else that waits or arms
 * may be called on the handle meanwhile; sending and receiving may.
 *
 * Context: looks at the ring, so it is no business of a thread but the handle's.
 * Return: 0; -EINVAL, -EOPNOTSUPP: nothing was prepared but what completes at once.
 */
static inline int shmring_uring_prep_wait(struct io_uring_sqe *sqe, struct shmring *r,
					  uint32_t events, uint64_t deadline)
{
	struct shmring_uring_wait arg;
	int ready, fd;

	io_uring_prep_nop(sqe);
	if (shmring_backend(r) == SHMRING_BACKEND_DEVICE) {
		if (events & SHMRING_EV_OUT)
			shmring_flush(r);	/* nobody can free what he does not see */
		if (events > UINT16_MAX)
			return -EINVAL;
		memset(&arg, 0, sizeof(arg));
		arg.deadline = deadline;
		arg.events = (uint16_t)events;
		shmring_uring_prep_cmd(sqe, r, SHMRING_URING_WAIT, &arg);
		return 0;
	}
	if (deadline == SHMRING_NOWAIT)
		return 0;
	if (deadline != SHMRING_FOREVER)
		return -EOPNOTSUPP;
	fd = shmring_pollfd(r);
	if (fd < 0)
		return fd;
	ready = shmring_arm(r, events);
	if (ready)
		return ready < 0 ? ready : 0;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	return 0;
}

/**
 * shmring_uring_result() - what the completion of shmring_uring_prep_wait() means
 * @r: handle
 * @events: as they were given
 * @res: cqe->res
 *
 * Return: the SHMRING_EV_* that hold; -EAGAIN: wait again; -ETIMEDOUT, -ECANCELED, and
 * what shmring_wait() returns.
 */
static inline int shmring_uring_result(struct shmring *r, uint32_t events, int res)
{
	if (res < 0 || shmring_backend(r) == SHMRING_BACKEND_DEVICE)
		return res;
	return shmring_wait(r, events, SHMRING_NOWAIT);
}

/**
 * shmring_uring_prep_poll() - prepare a multishot poll
 * @sqe: SQE
 * @r: handle
 * @events: SHMRING_EV_*, those of its role
 *
 * A completion with IORING_CQE_F_MORE for each time that something came to a ring that had
 * nothing. On each: send or receive until -EAGAIN, then shmring_arm(), and begin again if
 * it says that there is something. Call shmring_arm() once before the first, too. One
 * without that flag is the poll's last, as when the completion queue was full: prepare it
 * again.
 *
 * Return: 0, or as shmring_pollfd().
 */
static inline int shmring_uring_prep_poll(struct io_uring_sqe *sqe, struct shmring *r,
					  uint32_t events)
{
	unsigned int mask = POLLIN;
	int fd = shmring_pollfd(r);

	io_uring_prep_nop(sqe);
	if (fd < 0)
		return fd;
	if (shmring_backend(r) == SHMRING_BACKEND_DEVICE)
		mask = (events & SHMRING_EV_IN ? POLLIN : 0) |
		       (events & SHMRING_EV_OUT ? POLLOUT : 0);
	io_uring_prep_poll_multishot(sqe, fd, mask);
	return 0;
}

/**
 * shmring_uring_prep_kick() - prepare to wake the peers that asked for it
 * @sqe: SQE
 * @r: handle
 *
 * For programs that publish by themselves; the library's calls wake whom they have to.
 * Does nothing on the memfd backend.
 */
static inline void shmring_uring_prep_kick(struct io_uring_sqe *sqe, const struct shmring *r)
{
	const struct shmring_uring_wait none = { 0, 0, 0, 0 };

	if (shmring_backend(r) == SHMRING_BACKEND_DEVICE)
		shmring_uring_prep_cmd(sqe, r, SHMRING_URING_KICK, &none);
	else
		io_uring_prep_nop(sqe);
}

/**
 * shmring_uring_prep_cancel() - prepare to end what waits for a ring
 * @sqe: SQE
 * @r: handle
 *
 * The waits of shmring_uring_prep_wait() complete with -ECANCELED. On the device a result
 * of -EOPNOTSUPP means a kernel before 6.7, where io_uring_prep_cancel_fd() of shmring_fd()
 * does it. That one, of shmring_pollfd(), also ends a multishot poll.
 */
static inline void shmring_uring_prep_cancel(struct io_uring_sqe *sqe, struct shmring *r)
{
	const struct shmring_uring_wait none = { 0, 0, 0, 0 };

	if (shmring_backend(r) == SHMRING_BACKEND_DEVICE)
		shmring_uring_prep_cmd(sqe, r, SHMRING_URING_CANCEL, &none);
	else
		io_uring_prep_cancel_fd(sqe, shmring_pollfd(r), IORING_ASYNC_CANCEL_ALL);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMRING_URING_H */
