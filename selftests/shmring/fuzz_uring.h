/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's io_uring: requests that stay when the call returns and hold the file, the
 * device's own commands, and ring memory as buffers. The oracle for the commands: no errno
 * that the UAPI header does not name.
 */
#ifndef FUZZ_URING_H
#define FUZZ_URING_H

#include "fuzz_ioctl.h"

#define FUZZ_WORKERS	16	/* a WAIT of Linux 6.1 occupies one */

/*
 * Requests of a kind share few names, so that some are found by who cancels. The kind is
 * there to judge the completion by.
 */
HELPER __u64 uring_name(struct fuzz *f, __u8 op)
{
	return (__u64)op << 8 | below(f, 4);
}

/* What can be registered is: its own page, and a mapping of a ring if the kernel lets it. */
HELPER void fuzz_uring_buffers(struct fuzz *f)
{
	const struct fuzz_map *m = &f->map[below(f, FUZZ_MAPS)];
	struct iovec iov[] = { { f->page, page_size() }, { m->at, page_size() } };

	for (unsigned int n = m->at ? 2 : 1; n; n--)
		if (!COUNTED(f, COUNT_BUFFER, syscall(SYS_io_uring_register, f->uring.fd,
						      IORING_REGISTER_BUFFERS, iov, n)))
			break;
}

/*
 * Another one, in place of what there was with all that it had under way. What is registered
 * is never unregistered but by that: it would wait for requests that wait for ever.
 */
HELPER void fuzz_uring_open(struct fuzz *f)
{
	static const unsigned int setups[] = {
		0, 0, IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	__u32 workers[] = { FUZZ_WORKERS, FUZZ_WORKERS };

	if (f->uring.fd >= 0)
		uring_close(&f->uring);
	if (COUNTED(f, COUNT_URING, uring_open_as(&f->uring, ONE_OF(f, setups)))) {
		f->uring.fd = -1;
		return;
	}
	syscall(SYS_io_uring_register, f->uring.fd, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
	syscall(SYS_io_uring_register, f->uring.fd, IORING_REGISTER_FILES, f->fd, FUZZ_FDS);
	fuzz_uring_buffers(f);
}

/* Mostly a WAIT that can be. It may be for ever: it ends with its io_uring. */
HELPER void uring_command(struct fuzz *f, struct io_uring_sqe *sqe)
{
	static const __u32 commands[] = { SHMRING_URING_WAIT, SHMRING_URING_WAIT,
					  SHMRING_URING_WAIT, SHMRING_URING_KICK,
					  SHMRING_URING_CANCEL };
	struct shmring_uring_wait w = { 0 };
	struct shmring_ioc_info info;

	sqe->fd = aimed_fd(f, is_bound, &info);
	sqe->cmd_op = ONE_OF(f, commands);
	if (sqe->cmd_op == SHMRING_URING_WAIT) {
		const __u64 deadlines[] = { SHMRING_DEADLINE_NOW, SHMRING_DEADLINE_NEVER, 1,
					    now_ns() + FUZZ_NAP_NS, now_ns() + 50 * FUZZ_NAP_NS };

		w.deadline = ONE_OF(f, deadlines);
		w.events = (__u16)any_events(f, &info);
		if (one_in(f, 3))
			w.need = one_in(f, 4) ? (__u32)strange(f) : below(f, 64);
		if (one_in(f, 6))
			w.flags = SHMRING_URING_RECORDS;
	}
	mutate(f, &w, sizeof(w));
	if (one_in(f, 16))
		sqe->cmd_op = _IO(SHMRING_IOC_TYPE, 0x40 + below(f, 64));
	memcpy((char *)sqe + offsetof(struct io_uring_sqe, cmd), &w, sizeof(w));
	/* As it was when it was registered. */
	if (one_in(f, 8)) {
		sqe->flags |= IOSQE_FIXED_FILE;
		sqe->fd = (int)below(f, FUZZ_FDS);
	}
}

/* From and to ring memory, registered or not; a file that answers at once. */
HELPER void uring_transfer(struct fuzz *f, struct io_uring_sqe *sqe)
{
	const struct fuzz_map *m = &f->map[below(f, FUZZ_MAPS)];

	sqe->fd = f->memfd;
	sqe->off = below(f, 8192);
	sqe->len = below(f, (unsigned int)page_size());
	sqe->addr = (uintptr_t)(m->at && !one_in(f, 4) ? m->at : f->page);
	sqe->buf_index = (__u16)below(f, 3);
}

HELPER void uring_judge(struct fuzz *f, const struct io_uring_cqe *cqe)
{
	switch (cqe->user_data >> 8) {
	case IORING_OP_URING_CMD:
		documented(counted(f, COUNT_URING_CMD, cqe->res));
		break;
	case IORING_OP_READ:
	case IORING_OP_WRITE:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE_FIXED:
		counted(f, COUNT_BUFFER, cqe->res);
	}
}

HELPER void fuzz_uring(struct fuzz *f)
{
	static const __u8 ops[] = { IORING_OP_POLL_ADD, IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE,
				    IORING_OP_ASYNC_CANCEL, IORING_OP_ASYNC_CANCEL, IORING_OP_NOP,
				    IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READ_FIXED,
				    IORING_OP_WRITE_FIXED, IORING_OP_URING_CMD, IORING_OP_URING_CMD,
				    IORING_OP_URING_CMD, IORING_OP_URING_CMD, IORING_OP_URING_CMD,
				    IORING_OP_URING_CMD };
	static const __u8 waits[] = { IORING_OP_POLL_ADD, IORING_OP_URING_CMD };
	struct io_uring_sqe sqe = { .opcode = ONE_OF(f, ops), .fd = any_fd(f) };
	struct io_uring_cqe cqe;

	if (one_in(f, 64))
		fuzz_uring_open(f);
	if (f->uring.fd < 0)
		return;
	sqe.user_data = uring_name(f, sqe.opcode);
	switch (sqe.opcode) {
	case IORING_OP_POLL_ADD:
		sqe.poll32_events = POLLIN | POLLOUT;
		sqe.len = one_in(f, 2) ? IORING_POLL_ADD_MULTI : 0;
		break;
	case IORING_OP_URING_CMD:
		uring_command(f, &sqe);
		break;
	case IORING_OP_POLL_REMOVE:
		sqe.addr = uring_name(f, IORING_OP_POLL_ADD);
		break;
	case IORING_OP_ASYNC_CANCEL:
		sqe.addr = uring_name(f, ONE_OF(f, waits));
		if (one_in(f, 4))
			sqe.cancel_flags = IORING_ASYNC_CANCEL_ALL |
				(one_in(f, 2) ? IORING_ASYNC_CANCEL_ANY : IORING_ASYNC_CANCEL_FD);
		break;
	case IORING_OP_READ:
	case IORING_OP_WRITE:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE_FIXED:
		uring_transfer(f, &sqe);
		break;
	}
	/*
	 * POLL_REMOVE is never left to a worker: 6.1 forgets the poll it removed there until
	 * the next submission, and without one holds the polled file for ever.
	 */
	if (sqe.opcode != IORING_OP_POLL_REMOVE && one_in(f, 8))
		sqe.flags |= IOSQE_ASYNC;
	counted(f, COUNT_URING, uring_submit(&f->uring, &sqe));
	for (unsigned int n = below(f, 6); n && !uring_wait(&f->uring, &cqe, 0); n--)
		uring_judge(f, &cqe);
}

#endif /* FUZZ_URING_H */
