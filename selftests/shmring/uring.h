/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of io_uring as a test needs: one request at a time, by system call.
 */
#ifndef URING_H
#define URING_H

#include "shmring_test.h"
#include <linux/io_uring.h>
#include <linux/time_types.h>

#define URING_ENTRIES	8

struct uring {
	int fd;
	char *rings;			/* both queues: IORING_FEAT_SINGLE_MMAP */
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

HELPER unsigned int *uring_word(const struct uring *u, __u32 offset)
{
	return (void *)(u->rings + offset);
}

HELPER size_t uring_cqe_size(const struct uring *u)
{
	return sizeof(struct io_uring_cqe) << !!(u->p.flags & IORING_SETUP_CQE32);
}

HELPER size_t uring_size(const struct uring *u)
{
	return u->p.cq_off.cqes + u->p.cq_entries * uring_cqe_size(u);
}

HELPER size_t uring_sqe_size(const struct uring *u)
{
	return sizeof(struct io_uring_sqe) << !!(u->p.flags & IORING_SETUP_SQE128);
}

/* 0 or -errno: -ENOSYS or -EPERM where there is no io_uring for the caller. */
HELPER int uring_open_as(struct uring *u, unsigned int flags)
{
	memset(u, 0, sizeof(*u));
	u->p.flags = flags;
	u->fd = (int)syscall(SYS_io_uring_setup, URING_ENTRIES, &u->p);
	if (u->fd < 0)
		return -errno;
	u->rings = mmap(NULL, uring_size(u), PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
			IORING_OFF_SQ_RING);
	if (u->rings == MAP_FAILED)
		return -errno;
	u->sqes = mmap(NULL, URING_ENTRIES * uring_sqe_size(u), PROT_READ | PROT_WRITE, MAP_SHARED,
		       u->fd, IORING_OFF_SQES);
	return u->sqes == MAP_FAILED ? -errno : 0;
}

HELPER int uring_open(struct uring *u)
{
	return uring_open_as(u, 0);
}

/* In a test: open, or skip loudly. */
#define URING_OPEN_AS(u, flags) do {						\
	int err_ = uring_open_as(u, flags);					\
	if (err_ == -ENOSYS || err_ == -EPERM)					\
		SKIP(return, "no io_uring: %s", strerror(-err_));		\
	ASSERT_EQ(0, err_);							\
} while (0)

#define URING_OPEN(u)	URING_OPEN_AS(u, 0)

HELPER void uring_close(struct uring *u)
{
	munmap(u->rings, uring_size(u));
	munmap(u->sqes, URING_ENTRIES * uring_sqe_size(u));
	close(u->fd);
}

/* 0 when the kernel has taken it, or -errno. */
HELPER int uring_submit(struct uring *u, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = uring_word(u, u->p.sq_off.tail);
	unsigned int at = *tail & (u->p.sq_entries - 1);

	memcpy((char *)u->sqes + at * uring_sqe_size(u), sqe, sizeof(*sqe));
	uring_word(u, u->p.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) == 1 ? 0 : -errno;
}

/* The next completion: 0, or -ETIME if there is none within @seconds. */
HELPER int uring_wait(struct uring *u, struct io_uring_cqe *cqe, int seconds)
{
	struct __kernel_timespec ts = { .tv_sec = seconds };
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&ts };
	unsigned int *head = uring_word(u, u->p.cq_off.head);
	const char *cqes = u->rings + u->p.cq_off.cqes;

	/* Also with nothing to wait for: the kernel finishes in it what was begun. */
	if (syscall(SYS_io_uring_enter, u->fd, 0, seconds ? 1 : 0,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)) < 0)
		return -errno;
	if (*head == __atomic_load_n(uring_word(u, u->p.cq_off.tail), __ATOMIC_ACQUIRE))
		return -ETIME;
	memcpy(cqe, cqes + (*head & (u->p.cq_entries - 1)) * uring_cqe_size(u), sizeof(*cqe));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return 0;
}

HELPER int uring_poll(struct uring *u, int fd, unsigned int events, unsigned int how)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = events,
		.len = how,
	};

	return uring_submit(u, &sqe);
}

/* A command of /dev/shmring; @payload: 16 bytes, or NULL for zeros. */
HELPER int uring_cmd_as(struct uring *u, int fd, __u32 op, const void *payload, __u8 flags,
			__u64 user_data)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_URING_CMD,
		.flags = flags,
		.fd = fd,
		.cmd_op = op,
		.user_data = user_data,
	};

	/* What a normal SQE ends with; its own member of it is an array without a size. */
	if (payload)
		memcpy((char *)&sqe + offsetof(struct io_uring_sqe, cmd), payload, 16);
	return uring_submit(u, &sqe);
}

HELPER int uring_cmd(struct uring *u, int fd, __u32 op, const void *payload, __u8 flags)
{
	return uring_cmd_as(u, fd, op, payload, flags, op);
}

HELPER struct shmring_uring_wait wait_args(__u16 events, __u64 deadline)
{
	return (struct shmring_uring_wait) { .deadline = deadline, .events = events };
}

HELPER int uring_cmd_wait(struct uring *u, int fd, __u16 events, __u64 deadline)
{
	struct shmring_uring_wait w = wait_args(events, deadline);

	return uring_cmd(u, fd, SHMRING_URING_WAIT, &w, 0);
}

/*
 * End what waits: on a kernel where CANCEL cannot, by the request's user_data. The answer
 * comes under its complement.
 */
HELPER int uring_async_cancel(struct uring *u, __u64 user_data)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_ASYNC_CANCEL,
		.fd = -1,
		.addr = user_data,
		.user_data = ~user_data,
	};

	return uring_submit(u, &sqe);
}

#endif /* URING_H */
