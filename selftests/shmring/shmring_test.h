/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of shmring.ko share: the ioctls as functions that return 0 or
 * -errno, arguments that are right unless a test spoils them, and children that
 * report by their exit status.
 */
#ifndef SHMRING_TEST_H
#define SHMRING_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/shmring.h>
#include <kselftest_harness.h>

/* Its alarm is for what hangs, and a gigabyte takes its time on an emulated debug kernel. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

#define DEVICE		"/dev/shmring"
#define PARAM_DIR	"/sys/module/shmring/parameters/"
#define HELPER		__attribute__((unused)) static

#define SPSC		SHMRING_TOPO_SPSC
#define RAW		SHMRING_TOPO_RAW
#define PRODUCER	SHMRING_ROLE_PRODUCER
#define CONSUMER	SHMRING_ROLE_CONSUMER
#define OBSERVER	SHMRING_ROLE_OBSERVER

/* ---- ioctls: 0 or -errno ---- */

HELPER int dev_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

HELPER int dev_open_as(int flags)
{
	int fd = open(DEVICE, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

HELPER int dev_open(void)
{
	return dev_open_as(O_RDWR);
}

HELPER void set_name(__u8 *to, const char *name)
{
	memset(to, 0, SHMRING_NAME_MAX);
	if (name)
		memcpy(to, name, strnlen(name, SHMRING_NAME_MAX));
}

/* A name that no other test and no other run has. */
HELPER const char *unique_name(void)
{
	static char name[SHMRING_NAME_MAX];
	static int count;

	snprintf(name, sizeof(name), "kst-%d.%d", getpid(), count++);
	return name;
}

HELPER struct shmring_ioc_create create_args(__u32 topology, __u32 role, __u64 data_size)
{
	return (struct shmring_ioc_create) {
		.size = sizeof(struct shmring_ioc_create),
		.topology = topology,
		.role = role,
		.data_size = data_size,
		.mode = 0600,
		.node = -1,
		.cursor_node = -1,
	};
}

HELPER struct shmring_ioc_attach attach_args(__u32 role, const char *name)
{
	struct shmring_ioc_attach arg = {
		.size = sizeof(arg),
		.role = role,
		.fd = -1,
		.cursor_node = -1,
	};

	set_name(arg.name, name);
	return arg;
}

HELPER struct shmring_ioc_attach attach_fd_args(__u32 role, int fd)
{
	struct shmring_ioc_attach arg = attach_args(role, NULL);

	arg.flags = SHMRING_ATTACH_FD;
	arg.fd = fd;
	return arg;
}

/* A new file on which @cmd has succeeded, or -errno with nothing left open. */
HELPER int open_and(unsigned long cmd, void *arg)
{
	int fd = dev_open();
	int err;

	if (fd < 0)
		return fd;
	err = dev_ioctl(fd, cmd, arg);
	if (!err)
		return fd;
	close(fd);
	return err;
}

HELPER int ring_create_with(struct shmring_ioc_create *arg)
{
	return open_and(SHMRING_IOC_CREATE, arg);
}

HELPER int ring_create(__u32 topology, __u32 role, __u64 data_size, const char *name)
{
	struct shmring_ioc_create arg = create_args(topology, role, data_size);

	set_name(arg.name, name);
	return ring_create_with(&arg);
}

HELPER int ring_attach(__u32 role, const char *name)
{
	struct shmring_ioc_attach arg = attach_args(role, name);

	return open_and(SHMRING_IOC_ATTACH, &arg);
}

HELPER int ring_attach_fd(__u32 role, int fd)
{
	struct shmring_ioc_attach arg = attach_fd_args(role, fd);

	return open_and(SHMRING_IOC_ATTACH, &arg);
}

HELPER int ring_info(int fd, struct shmring_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return dev_ioctl(fd, SHMRING_IOC_INFO, info);
}

/* The ring after @ring_id, -ENOENT at the end of the list. */
HELPER int ring_list(int fd, __u64 ring_id, struct shmring_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->ring_id = ring_id;
	return dev_ioctl(fd, SHMRING_IOC_LIST, info);
}

/* The ring of this name as LIST shows it to the caller, or -errno. */
HELPER int ring_list_find(int fd, const char *name, struct shmring_ioc_info *info)
{
	__u64 seen = 0;
	int err;

	while (!(err = ring_list(fd, seen, info))) {
		if (!strcmp((const char *)info->name, name))
			return 0;
		seen = info->ring_id;
	}
	return err;
}

/* The events that hold, or -errno. */
HELPER int ring_wait_need(int fd, __u32 events, __u64 need, __u64 deadline)
{
	struct shmring_ioc_wait arg = {
		.size = sizeof(arg),
		.events = events,
		.need = need,
		.deadline = deadline,
	};
	int err = dev_ioctl(fd, SHMRING_IOC_WAIT, &arg);

	return err ? err : (int)arg.revents;
}

HELPER int ring_wait(int fd, __u32 events, __u64 deadline)
{
	return ring_wait_need(fd, events, 0, deadline);
}

HELPER int ring_eventfd(int fd, __u32 events, int efd)
{
	struct shmring_ioc_eventfd arg = { .size = sizeof(arg), .events = events, .fd = efd };

	return dev_ioctl(fd, SHMRING_IOC_EVENTFD, &arg);
}

HELPER int ring_kick(int fd)
{
	return dev_ioctl(fd, SHMRING_IOC_KICK, NULL);
}

HELPER __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000u + (__u64)ts.tv_nsec;
}

/* The poll(2) events that hold now. */
HELPER int poll_now(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	return n < 0 ? -errno : n ? p.revents : 0;
}

HELPER size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* 0 and unmapped again, or the -errno of mmap(2). */
HELPER int try_mmap(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

/* ---- children: exit status 0 is good; a failed CHECK says where and ends them ---- */

#define CHECK(cond) do {							\
	if (!(cond)) {								\
		fprintf(stderr, "# child: %s:%d: %s (errno %d)\n",		\
			__FILE__, __LINE__, #cond, errno);			\
		_exit(1);							\
	}									\
} while (0)

/* @seen is evaluated once and printed: errnos are what these tests are about. */
#define CHECK_EQ(want, seen) do {						\
	long long want_ = (want), seen_ = (seen);				\
	if (want_ != seen_) {							\
		fprintf(stderr, "# child: %s:%d: %s is %lld, not %lld\n",	\
			__FILE__, __LINE__, #seen, seen_, want_);		\
		_exit(1);							\
	}									\
} while (0)

struct child {
	pid_t pid;
	int sock;	/* a word each way: tell() and hear() */
};

HELPER bool tell(int sock)
{
	return write(sock, "!", 1) == 1;
}

/* False when the other end has gone. */
HELPER bool hear(int sock)
{
	char c;

	return read(sock, &c, 1) == 1;
}

/* Returns in both, 0 in the child. It shares every descriptor opened before. */
HELPER pid_t child_start(struct child *c)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	fflush(NULL);
	c->pid = fork();
	c->sock = pair[c->pid == 0];
	close(pair[c->pid != 0]);
	return c->pid;
}

/* Exit status, or 128 and the signal that ended it. */
HELPER int child_end(struct child *c)
{
	int status;

	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
	if (waitpid(c->pid, &status, 0) != c->pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* When it returns, everything that the child held has been let go. */
HELPER int child_kill(struct child *c)
{
	kill(c->pid, SIGKILL);
	return child_end(c);
}

/*
 * Who is about to sleep says so in stat before it looks for the last time at what it waits for, and
 * arms; this file says that it runs until it does not.
 */
HELPER bool still_runs(pid_t pid)
{
	char path[64], first = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, &first, 1) != 1)
		first = 0;
	close(fd);
	return first == 'r';
}

/*
 * Until the process sleeps, interruptibly ('S') or until what it waits for, or its end
 * ('D'); a test may rely on nothing but that it has.
 */
HELPER bool until_state(pid_t pid, char state)
{
	char path[64], line[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		fd = open(path, O_RDONLY);
		if (fd < 0)
			return false;
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
		if (n <= 0)
			return false;
		line[n] = 0;
		p = strrchr(line, ')');
		if (p && p[2] == state && !still_runs(pid))
			return true;
		if (p && (p[2] == 'Z' || p[2] == 'X'))
			return false;
		sched_yield();
	}
}

HELPER bool until_asleep(pid_t pid)
{
	return until_state(pid, 'S');
}

HELPER bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

/* -1 if it cannot be read. */
HELPER long long read_number(const char *path)
{
	char text[64];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	return strtoll(text, NULL, 0);
}

#endif /* SHMRING_TEST_H */
