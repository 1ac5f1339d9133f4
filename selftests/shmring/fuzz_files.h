/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's descriptors: opened, copied, passed on, polled in every way, and used as if
 * they were ordinary files.
 */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include <sys/file.h>
#include <sys/sendfile.h>

#include "fuzz.h"

HELPER void fuzz_open(struct fuzz *f)
{
	static const int flags[] = { O_RDWR, O_RDWR, O_RDWR | O_NONBLOCK, O_RDONLY, O_WRONLY,
				     O_RDWR | O_APPEND, O_RDWR | O_TRUNC, O_PATH };
	int fd = open(DEVICE, (one_in(f, 2) ? O_RDWR : ONE_OF(f, flags)) | O_CLOEXEC);

	COUNTED(f, COUNT_OPEN, fd);
	put_fd(f, fd);
}

HELPER void fuzz_dup(struct fuzz *f)
{
	int fd = dup(any_fd(f));

	COUNTED(f, COUNT_PASS, fd);
	put_fd(f, fd);
}

HELPER void fuzz_close(struct fuzz *f)
{
	put_fd(f, -1);
}

/* In flight it may be closed, received by another process, or both. */
HELPER void fuzz_send(struct fuzz *f)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = any_fd(f);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	COUNTED(f, COUNT_PASS, sendmsg(f->post, &msg, MSG_DONTWAIT));
}

HELPER void fuzz_receive(struct fuzz *f)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	int fd;

	if (COUNTED(f, COUNT_PASS, recvmsg(f->post, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)))
		return;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	put_fd(f, fd);
}

HELPER void fuzz_poll(struct fuzz *f)
{
	struct timespec nap = { 0, one_in(f, 4) ? FUZZ_NAP_NS : 0 };
	struct pollfd p[3];

	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = (struct pollfd){ any_fd(f), (short)strange(f), 0 };
	COUNTED(f, COUNT_POLL, ppoll(p, ARRAY_SIZE(p), &nap, NULL));
}

HELPER void fuzz_epoll(struct fuzz *f)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
	struct epoll_event ev = { .events = (__u32)strange(f) }, got[4];

	if (one_in(f, 2))
		ev.events = EPOLLIN | EPOLLOUT | (one_in(f, 2) ? EPOLLET : EPOLLEXCLUSIVE);
	if (one_in(f, 3))
		COUNTED(f, COUNT_POLL, epoll_wait(f->epoll, got, ARRAY_SIZE(got),
						  (int)below(f, 2)));
	else
		COUNTED(f, COUNT_POLL, epoll_ctl(f->epoll, ONE_OF(f, ops), any_fd(f), &ev));
}

HELPER void fuzz_eventfd_use(struct fuzz *f)
{
	__u64 n = one_in(f, 4) ? strange(f) : 1;

	/* It is nonblocking; full is as good as any other number. */
	COUNTED(f, COUNT_FILE, one_in(f, 2) ? read(f->eventfd, &n, sizeof(n)) :
					      write(f->eventfd, &n, sizeof(n)));
}

/* What a file may be asked and this one refuses or does not care about. */
HELPER void fuzz_file(struct fuzz *f)
{
	static const int commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETOWN, F_SETSIG,
					F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_ADD_SEALS };
	char path[64], text[1024];
	int fd = any_fd(f), fdinfo;

	switch (below(f, 10)) {
	case 0:
		COUNTED(f, COUNT_FILE, read(fd, f->page, 64));
		break;
	case 1:
		COUNTED(f, COUNT_FILE, write(fd, f->page, 64));
		break;
	case 2:
		COUNTED(f, COUNT_FILE, pread(fd, f->page, 64, (off_t)strange(f)));
		break;
	case 3:
		COUNTED(f, COUNT_FILE, ftruncate(fd, (off_t)strange(f)));
		break;
	case 4:
		COUNTED(f, COUNT_FILE, syscall(SYS_fallocate, fd, below(f, 128), 0,
					       strange(f) & 0xffffff));
		break;
	case 5:
		COUNTED(f, COUNT_FILE, fsync(fd));
		break;
	case 6:
		COUNTED(f, COUNT_FILE, fcntl(fd, ONE_OF(f, commands), (int)below(f, 4)));
		break;
	case 7:
		COUNTED(f, COUNT_FILE, flock(fd, (LOCK_SH + (int)below(f, 2)) | LOCK_NB));
		break;
	case 8:
		COUNTED(f, COUNT_FILE, splice(fd, NULL, f->pipe[1], NULL, 4096,
					      SPLICE_F_NONBLOCK));
		break;
	default:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		fdinfo = open(path, O_RDONLY | O_CLOEXEC);
		COUNTED(f, COUNT_FILE, read(fdinfo, text, sizeof(text)));
		if (fdinfo >= 0)
			close(fdinfo);
	}
}

#endif /* FUZZ_FILES_H */
