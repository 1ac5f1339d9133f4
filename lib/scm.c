// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Passing an endpoint's descriptor over a UNIX socket. One byte travels with it,
 * so that a stream socket cannot split the message.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define SHMRING_SCM_BYTE	'R'
/* What a socket may be set to tell besides: credentials, a security label, a pidfd. */
#define SHMRING_SCM_OTHER	(CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(256) + \
				 CMSG_SPACE(sizeof(int)))
#ifndef SCM_PIDFD
#define SCM_PIDFD		0x04
#endif

int shmring_send_fd(int sock, const struct shmring *r)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = SHMRING_SCM_BYTE;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = shmring_fd(r);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int shmring_recv_fd(int sock)
{
	/* Room for more than one, so that what should not be there can be closed. */
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(8 * sizeof(int)) + SHMRING_SCM_OTHER];
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *c;
	unsigned int fds = 0;
	bool rights;
	int first = -1;
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t k, count;

		rights = c->cmsg_type == SCM_RIGHTS;
		if (c->cmsg_level != SOL_SOCKET || (!rights && c->cmsg_type != SCM_PIDFD))
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (k = 0; k < count; k++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + k * sizeof(int), sizeof(fd));
			if (rights && !fds++)
				first = fd;
			else
				close(fd);
		}
	}
	if (fds == 1 && n == 1 && byte == SHMRING_SCM_BYTE && !(msg.msg_flags & MSG_CTRUNC))
		return first;
	if (first >= 0)
		close(first);
	return n ? -EBADMSG : -EPIPE;
}
