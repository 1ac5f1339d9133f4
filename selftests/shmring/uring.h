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

HELPER size_t uring_size(const struct uring *u)
{
	return u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe);
}

/* 0 or -errno: -ENOSYS or -EPERM where there is no io_uring for the caller. */
HELPER int uring_open(struct uring *u)
{
	memset(u, 0, sizeof(*u));
	u->fd = (int)syscall(SYS_io_uring_setup, URING_ENTRIES, &u->p);
	if (u->fd < 0)
		return -errno;
	u->rings = mmap(NULL, uring_size(u), PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
			IORING_OFF_SQ_RING);
	if (u->rings == MAP_FAILED)
		return -errno;
	u->sqes = mmap(NULL, URING_ENTRIES * sizeof(*u->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		       u->fd, IORING_OFF_SQES);
	return u->sqes == MAP_FAILED ? -errno : 0;
}

HELPER void uring_close(struct uring *u)
{
	munmap(u->rings, uring_size(u));
	munmap(u->sqes, URING_ENTRIES * sizeof(*u->sqes));
	close(u->fd);
}

/* 0 when the kernel has taken it, or -errno. */
HELPER int uring_submit(struct uring *u, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = uring_word(u, u->p.sq_off.tail);
	unsigned int at = *tail & (u->p.sq_entries - 1);

	u->sqes[at] = *sqe;
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
	struct io_uring_cqe *cqes = (void *)(u->rings + u->p.cq_off.cqes);

	/* Also with nothing to wait for: the kernel finishes in it what was begun. */
	if (syscall(SYS_io_uring_enter, u->fd, 0, seconds ? 1 : 0,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)) < 0)
		return -errno;
	if (*head == __atomic_load_n(uring_word(u, u->p.cq_off.tail), __ATOMIC_ACQUIRE))
		return -ETIME;
	*cqe = cqes[*head & (u->p.cq_entries - 1)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return 0;
}

#endif /* URING_H */
