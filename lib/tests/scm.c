// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Endpoints passed over UNIX sockets, to processes that share nothing else.
 */
#include "test.h"

static void over_a_socket(int type)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p;
	int socks[2], n;
	pid_t pid;

	NEED(!socketpair(AF_UNIX, type, 0, socks));
	/* The child is made first: what it gets comes through the socket alone. */
	pid = test_fork();
	if (!pid) {
		struct shmring *c;
		int fd = shmring_recv_fd(socks[1]);
		uint64_t in;

		CHECK(fd >= 0);
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &c), 0);
		close(fd);
		test_tell(socks[1]);
		for (n = 0; n < 1000 && !test_bad; n++) {
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
			CHECK_EQ(in, n);
		}
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPIPE);
		shmring_close(c);
		test_exit();
	}
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_send_fd(socks[0], p), 0);
	CHECK_EQ(test_hear(socks[0]), 0);
	for (n = 0; n < 1000; n++) {
		uint64_t out = (uint64_t)n;

		CHECK_EQ(shmring_send(p, &out, 8, SHMRING_FOREVER), 0);
	}
	shmring_close(p);
	CHECK_EQ(test_reap(pid), 0);
	close(socks[0]);
	close(socks[1]);
}

static void over_a_stream(void) { over_a_socket(SOCK_STREAM); }
static void over_seqpacket(void) { over_a_socket(SOCK_SEQPACKET); }

static void what_is_no_descriptor(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p;
	int socks[2], pipes[2];

	NEED(!shmring_create(NULL, PROD, &o, &p));
	NEED(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	CHECK_EQ(send(socks[0], "R", 1, 0), 1);
	CHECK_EQ(shmring_recv_fd(socks[1]), -EBADMSG);
	close(socks[0]);
	CHECK_EQ(shmring_recv_fd(socks[1]), -EPIPE);
	CHECK_EQ(shmring_send_fd(socks[1], p), -EPIPE);
	close(socks[1]);
	CHECK_EQ(shmring_recv_fd(200), -EBADF);
	NEED(!pipe(pipes));
	CHECK_EQ(shmring_send_fd(pipes[1], p), -ENOTSOCK);
	close(pipes[0]);
	close(pipes[1]);
	shmring_close(p);
}

/* Two descriptors in one message are refused, and both are closed. */
static void two_descriptors(void)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (char *)"R", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space, .msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int socks[2], fds[2] = { 0, 1 }, next;

	NEED(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	NEED(sendmsg(socks[0], &msg, 0) == 1);
	next = dup(0);
	close(next);
	CHECK_EQ(shmring_recv_fd(socks[1]), -EBADMSG);
	CHECK_EQ(fcntl(next, F_GETFD), -1);
	CHECK_EQ(fcntl(next + 1, F_GETFD), -1);
	close(socks[0]);
	close(socks[1]);
}

static int fds_open(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A socket that tells of the sender as well, as a service's may be set to. */
static void with_credentials(void)
{
	static const int options[] = { SO_PASSCRED, SO_PASSSEC, 76 /* SO_PASSPIDFD */ };
	struct shmring_opts o = test_opts(0, 0);
	int socks[2], on = 1, before, fd;
	struct shmring *p, *c;
	size_t k;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	NEED(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, socks));
	for (k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
		/* Not each kernel has the last of them. */
		CHECK(!setsockopt(socks[1], SOL_SOCKET, options[k], &on, sizeof(on)) || k);
		before = fds_open();
		CHECK_EQ(shmring_send_fd(socks[0], p), 0);
		NEED((fd = shmring_recv_fd(socks[1])) >= 0);
		CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &c), 0);
		shmring_close(c);
		close(fd);
		CHECK_EQ(fds_open(), before);	/* a pidfd may have come along */
	}
	close(socks[0]);
	close(socks[1]);
	shmring_close(p);
}

/* A read-only endpoint passes on reading and nothing else. */
static void rights_do_not_grow(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(0, 0);
	char name[64];
	struct shmring *p, *b, *r;
	pid_t pid;

	if (geteuid())
		SKIP("needs root to become another user");
	if (test_backend() == SHMRING_BACKEND_DEVICE && chmod("/dev/shmring", 0666))
		SKIP("cannot let other users open the device");
	snprintf(name, sizeof(name), "scm-%d", (int)getpid());
	o.mode = 0604;
	NEED(!shmring_create(name, PROD, &o, &p));
	pid = test_fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			test_exit();
		CHECK_EQ(shmring_attach(name, OBS, &o, &b), 0);
		if (!test_bad) {
			CHECK_EQ(shmring_info(b, &info), 0);
			CHECK_EQ(info.rights, 4);
			CHECK_EQ(shmring_attach_fd(shmring_fd(b), PROD, &o, &r), -EACCES);
			CHECK_EQ(shmring_attach_fd(shmring_fd(b), OBS, &o, &r), 0);
			shmring_close(r);
			shmring_close(b);
		}
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(p);
}

int main(void)
{
	START();
	signal(SIGPIPE, SIG_DFL);
	RUN(over_a_stream);
	RUN(over_seqpacket);
	RUN(what_is_no_descriptor);
	RUN(two_descriptors);
	RUN(with_credentials);
	RUN(rights_do_not_grow);
	DONE();
}
