// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test guest.
 *
 * Mounts what programs expect, runs "/bin/sh /guest/run" with its output on the
 * second serial port, reaps whatever is orphaned meanwhile, and ends the machine
 * with QEMU's isa-debug-exit device. The exit code is offset by 16: QEMU makes
 * (code << 1) | 1 of it, and 0 (a panic, a power-off) and 1 (QEMU's own trouble)
 * thereby stay failures.
 *
 * On aarch64, whose machine has no such device, the code is a line of the kernel's log, and
 * the machine powers off.
 *
 * If anything here fails, init returns, and the kernel panics: a failure too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT	0xf4
#define EXIT_OFFSET	16

static const struct {
	const char *what, *where, *type, *data;
} mounts[] = {
	{ "proc", "/proc", "proc", NULL },
	{ "sysfs", "/sys", "sysfs", NULL },
	{ "devtmpfs", "/dev", "devtmpfs", NULL },
	{ "devpts", "/dev/pts", "devpts", NULL },
	{ "tmpfs", "/dev/shm", "tmpfs", "mode=1777" },
	{ "tmpfs", "/tmp", "tmpfs", "mode=1777" },
	{ "debugfs", "/sys/kernel/debug", "debugfs", NULL },
	{ "cgroup2", "/sys/fs/cgroup", "cgroup2", NULL },
};

/* Opens a serial port as the file descriptor given, without line discipline. */
static int serial(const char *path, int fd)
{
	struct termios t;
	int s = open(path, O_RDWR | O_NOCTTY);

	if (s < 0 || tcgetattr(s, &t))
		return -1;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL;
	if (tcsetattr(s, TCSANOW, &t) || dup2(s, fd) != fd)
		return -1;
	return s == fd ? 0 : close(s);
}

#ifdef __x86_64__
#define TAP	"/dev/ttyS1"

static void end(int status)
{
	if (!ioperm(EXIT_PORT, 1, 1))
		outb((unsigned char)status, EXIT_PORT);
}
#else
#define TAP	"/dev/ttyS0"		/* the console is another kind of port */

static void end(int status)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "harness: EXIT %d\n", status);

	/* In one piece, and not by stdio, which seeks first, which this file refuses. */
	if (write(open("/dev/kmsg", O_WRONLY), line, (size_t)len) == len)
		reboot(RB_POWER_OFF);
}
#endif

static void run(void)
{
	char *const argv[] = { "sh", "/guest/run", NULL };
	char *const env[] = {
		"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "HOME=/root", "TERM=vt100",
		"LC_ALL=C", NULL
	};

	setsid();
	if (serial(TAP, 1) || dup2(1, 2) != 2)
		_exit(125);
	execve("/bin/sh", argv, env);
	_exit(126);
}

int main(void)
{
	pid_t pid, child;
	int status, fd;
	size_t i;

	umask(022);
	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].what, mounts[i].where, mounts[i].type, 0, mounts[i].data)) {
			perror(mounts[i].where);
			return 1;
		}
	}
	child = fork();
	if (child < 0)
		return 1;
	if (!child)
		run();
	do {
		pid = wait(&status);
	} while (pid > 0 && pid != child);
	status = pid == child && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : 1;
	sync();
	/* What is still in the transmit buffer of the serial port would be lost. */
	fd = open(TAP, O_RDWR | O_NOCTTY);
	tcdrain(fd);
	end(EXIT_OFFSET + status);
	return 1;
}
