// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting system calls with ptrace(2): what the kernel says was called, not what
 * the program believes. It slows every call down, so nothing is timed meanwhile.
 *
 * What is to be counted lies between two calls of prctl(2) with an option that
 * means nothing to the kernel.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "bench.h"

#define MARK_OPTION	0x73726e67
#define MARK_BEGIN	1
#define MARK_END	2

int bench_trace_me(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return -errno;
	/* The tracer sets its options here. */
	raise(SIGSTOP);
	return 0;
}

void bench_trace_mark(bool begin)
{
	syscall(SYS_prctl, MARK_OPTION, begin ? MARK_BEGIN : MARK_END, 0, 0, 0);
}

/* A stop at the beginning of a system call: is it a mark, or to be counted? */
static int count(pid_t pid, bool *counting, uint64_t *calls)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return -errno;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return 0;
	if (info.entry.nr == SYS_prctl && info.entry.args[0] == MARK_OPTION)
		*counting = info.entry.args[1] == MARK_BEGIN;
	else
		*calls += *counting;
	return 0;
}

/* SIGCHLD must be blocked since before the children were made. */
int bench_trace_wait(const pid_t *pid, int *status, uint64_t *calls, uint64_t deadline)
{
	bool counting[BENCH_SIDES] = { false }, gone[BENCH_SIDES] = { false };
	bool set[BENCH_SIDES] = { false };
	const struct timespec look = { .tv_nsec = 200000000 };
	unsigned int i, left = BENCH_SIDES;
	int err = 0, st, sig;
	sigset_t chld;
	pid_t p;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (left) {
		p = waitpid(-1, &st, __WALL | WNOHANG);
		if (!p) {
			if (!err && (tool_stopped || bench_now() > deadline)) {
				err = tool_stopped ? -EINTR : -ETIMEDOUT;
				for (i = 0; i < BENCH_SIDES; i++)
					if (!gone[i])
						kill(pid[i], SIGKILL);
			}
			sigtimedwait(&chld, NULL, &look);
			continue;
		}
		if (p < 0)
			return -errno;
		for (i = 0; i < BENCH_SIDES && pid[i] != p; i++)
			;
		if (i == BENCH_SIDES)
			continue;
		if (!WIFSTOPPED(st)) {
			gone[i] = true;
			status[i] = st;
			left--;
			if (st && left && !err) {
				err = -ECHILD;
				kill(pid[!i], SIGKILL);
			}
			continue;
		}
		sig = WSTOPSIG(st);
		if (sig == (SIGTRAP | 0x80)) {
			count(p, &counting[i], &calls[i]);
			sig = 0;
		} else if (sig == SIGSTOP && !set[i]) {
			ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
			set[i] = true;
			sig = 0;
		}
		ptrace(PTRACE_SYSCALL, p, 0, sig);
	}
	if (err == -ECHILD)
		for (i = 0; i < BENCH_SIDES; i++)
			if (WIFSIGNALED(status[i]) && WTERMSIG(status[i]) == SIGKILL)
				status[i] = 0;
	return err;
}
