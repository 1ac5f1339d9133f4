// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processes, each on its CPU, that do something together and leave what they
 * measured in shared memory. Whatever goes wrong in one stops the other.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MEET_SPINS	2000	/* then yield: the other may need this CPU */

int bench_pair_init(struct bench_pair *pair)
{
	void *p = mmap(NULL, BENCH_SIDES * sizeof(*pair->side), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	pair->side = p;
	return 0;
}

void bench_pair_free(struct bench_pair *pair)
{
	munmap(pair->side, BENCH_SIDES * sizeof(*pair->side));
}

void bench_pair_meet(struct bench_pair *pair, unsigned int side)
{
	uint32_t mine = shmring_load(&pair->side[side].arrived) + 1;
	unsigned int spins = 0;

	/* Each pairs with the other's: what was done before is seen after. */
	shmring_store_release(&pair->side[side].arrived, mine);
	while ((int32_t)(shmring_load_acquire(&pair->side[!side].arrived) - mine) < 0) {
		if (++spins < MEET_SPINS)
			shmring_pause();
		else
			sched_yield();
	}
}

bool bench_spoil(void)
{
	return getenv("SHMRING_BENCH_SPOIL");
}

static uint64_t switches(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_SELF, &ru) ? 0 : (uint64_t)ru.ru_nvcsw;
}

/* Reading the clock may be a system call, which must not be counted. */

void bench_mark_begin(struct bench_pair *pair, unsigned int side)
{
	pair->side[side].switches = switches();
	pair->side[side].cpu = bench_cpu_time();
	pair->side[side].begin = bench_now();
	if (pair->traced)
		bench_trace_mark(true);
}

void bench_mark_end(struct bench_pair *pair, unsigned int side)
{
	if (pair->traced)
		bench_trace_mark(false);
	pair->side[side].end = bench_now();
	pair->side[side].cpu = bench_cpu_time() - pair->side[side].cpu;
	pair->side[side].switches = switches() - pair->side[side].switches;
}

/*
 * Ctrl-C goes to all processes at once. Were a child the first to end of it, its parent would
 * take that for a crash.
 */
void bench_child_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void child(struct bench_pair *pair, unsigned int side, pid_t parent)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	bench_child_signals();
	err = bench_pin(pair->place->cpu[side].id);
	if (!err && pair->traced)
		err = bench_trace_me();
	if (!err)
		err = pair->run(pair, side);
	pair->side[side].err = err;
	_exit(err ? 1 : 0);
}

/* Waits for both, and stops the one that is left when the other failed. */
static int wait_plain(const pid_t *pid, int *status, uint64_t deadline)
{
	struct pollfd pfd[BENCH_SIDES];
	unsigned int i, left = BENCH_SIDES;
	int err = 0;

	for (i = 0; i < BENCH_SIDES; i++) {
		pfd[i].fd = (int)syscall(SYS_pidfd_open, pid[i], 0);
		pfd[i].events = POLLIN;
		if (pfd[i].fd < 0)
			err = -errno;
	}
	while (left && !err) {
		if (tool_stopped)
			err = -EINTR;
		else if (bench_now() > deadline)
			err = -ETIMEDOUT;
		else
			poll(pfd, BENCH_SIDES, 200);
		for (i = 0; i < BENCH_SIDES; i++) {
			if (pfd[i].fd < 0 || waitpid(pid[i], &status[i], WNOHANG) != pid[i])
				continue;
			close(pfd[i].fd);
			pfd[i].fd = -1;
			left--;
			if (status[i])
				err = -ECHILD;
		}
	}
	for (i = 0; i < BENCH_SIDES; i++) {
		if (pfd[i].fd < 0)
			continue;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status[i], 0);
		close(pfd[i].fd);
		if (err == -ECHILD)	/* stopped by us: nothing to say of its own */
			status[i] = 0;
	}
	return err;
}

int bench_pair_run(struct bench_pair *pair)
{
	uint64_t deadline = bench_now() + pair->timeout_ns;
	int status[BENCH_SIDES] = { 0 };
	pid_t pid[BENCH_SIDES], parent = getpid();
	sigset_t chld;
	unsigned int i;
	int err;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	memset(pair->side, 0, BENCH_SIDES * sizeof(*pair->side));
	memset(pair->calls, 0, sizeof(pair->calls));
	fflush(NULL);
	for (i = 0; i < BENCH_SIDES; i++) {
		pid[i] = fork();
		if (!pid[i])
			child(pair, i, parent);
		if (pid[i] < 0) {
			err = -errno;
			if (i) {
				kill(pid[0], SIGKILL);
				waitpid(pid[0], NULL, 0);
			}
			return err;
		}
	}
	if (pair->traced)
		err = bench_trace_wait(pid, status, pair->calls, deadline);
	else
		err = wait_plain(pid, status, deadline);
	if (err && err != -ECHILD)
		return err;
	/* Wrong data of one is why the other met a dead peer. */
	for (i = 0; i < BENCH_SIDES; i++)
		if (pair->side[i].err == -EBADMSG)
			return -EBADMSG;
	for (i = 0; i < BENCH_SIDES; i++) {
		if (pair->side[i].err)
			return pair->side[i].err;
		if (status[i])	/* it crashed, or was killed from outside */
			return -ECHILD;
	}
	return 0;
}
