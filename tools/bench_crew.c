// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers: threads, children, or programs started anew, each on its CPU. Whatever
 * happens, none outlives its benchmark: a worker is reaped, killed at its deadline,
 * and dies with us.
 *
 * Threads are those of a child, so that they too can be killed.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_crew.h"

#define MEET_SPINS	2000	/* then yield: another may need this CPU */

/* A worker's error travels in its exit status, which has 8 bits. */
#define STATUS_OTHER	255

struct thread {
	const struct bench_crew *crew;
	unsigned int who;
	pthread_t id;
};

unsigned int bench_crew_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned int)CPU_COUNT(&set);
}

int bench_crew_place(const struct bench_place *place, int *cpu, unsigned int n)
{
	int all[CPU_SETSIZE], c;
	unsigned int cpus = 0, i;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (i = 0; i < BENCH_SIDES; i++) {
		if (i && place->cpu[i].id == place->cpu[0].id)
			break;
		all[cpus++] = place->cpu[i].id;
		CPU_CLR(place->cpu[i].id, &set);
	}
	for (c = 0; c < CPU_SETSIZE; c++)
		if (CPU_ISSET(c, &set))
			all[cpus++] = c;
	for (i = 0; i < n; i++)
		cpu[i] = all[i % cpus];
	return 0;
}

void bench_crew_meet(uint32_t *arrived, unsigned int n)
{
	unsigned int spins = 0;

	/* Each pairs with the others': what was done before is seen after. */
	__atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(arrived, __ATOMIC_ACQUIRE) < n) {
		if (++spins < MEET_SPINS)
			shmring_pause();
		else
			sched_yield();
	}
}

int bench_crew_adopted(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	int err = bench_pin(t->crew->cpu[t->who]);

	if (!err)
		err = t->crew->run(t->crew->arg, t->who);
	return (void *)(intptr_t)err;
}

static int run_threads(const struct bench_crew *crew)
{
	struct thread thread[CREW_MAX];
	int err = 0, failed;
	unsigned int i;
	void *result;

	for (i = 0; i < crew->n; i++) {
		thread[i].crew = crew;
		thread[i].who = i;
		failed = pthread_create(&thread[i].id, NULL, thread_main, &thread[i]);
		/* The others wait for all to arrive: leave, and take them along. */
		if (failed)
			return -failed;
	}
	for (i = 0; i < crew->n; i++) {
		pthread_join(thread[i].id, &result);
		if (!err)
			err = (int)(intptr_t)result;
	}
	return err;
}

static int exec_self(const struct bench_crew *crew, unsigned int who, pid_t parent)
{
	char number[16], pid[16];
	const char *argv[CREW_ARGS_MAX];
	unsigned int n = 0;

	while (crew->argv[n] && n < CREW_ARGS_MAX - 3) {
		argv[n] = crew->argv[n];
		n++;
	}
	snprintf(number, sizeof(number), "%u", who);
	snprintf(pid, sizeof(pid), "%ld", (long)parent);
	argv[n++] = number;
	argv[n++] = pid;
	argv[n] = NULL;
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	return -errno;
}

static int status_of(int err)
{
	return !err ? 0 : -err > 0 && -err < STATUS_OTHER ? -err : STATUS_OTHER;
}

static void child(const struct bench_crew *crew, unsigned int who, pid_t parent)
{
	int err = bench_crew_adopted(parent);

	bench_child_signals();
	if (!err && crew->kind != CREW_THREADS)
		err = bench_pin(crew->cpu[who]);
	if (!err) {
		switch (crew->kind) {
		case CREW_THREADS:
			err = run_threads(crew);
			break;
		case CREW_FORK:
			err = crew->run(crew->arg, who);
			break;
		case CREW_EXEC:
			err = exec_self(crew, who, parent);
			break;
		}
	}
	_exit(status_of(err));
}

pid_t bench_crew_start(const struct bench_crew *crew, unsigned int who, int *pidfd)
{
	pid_t parent = getpid(), pid;
	int err;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		child(crew, who, parent);
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd >= 0)
		return pid;
	err = -errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

static int result_of(int status)
{
	if (!WIFEXITED(status))
		return tool_stopped ? -EINTR : -ECHILD;
	if (WEXITSTATUS(status) == STATUS_OTHER)
		return -ECHILD;
	return -WEXITSTATUS(status);
}

/* How long to poll: a signal that comes before poll(2) must not be slept over long. */
static int patience(uint64_t deadline)
{
	uint64_t now = bench_now();

	if (now >= deadline)
		return 0;
	return deadline - now > 200000000 ? 200 : (int)((deadline - now) / 1000000 + 1);
}

int bench_crew_reap(pid_t pid, int pidfd, uint64_t deadline)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	int status, err = 0;

	while (!err && poll(&pfd, 1, patience(deadline)) != 1) {
		if (tool_stopped)
			err = -EINTR;
		else if (bench_now() >= deadline)
			err = -ETIMEDOUT;
	}
	if (err)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		;
	return err ? err : result_of(status);
}

int bench_crew_run(const struct bench_crew *crew)
{
	unsigned int n = crew->kind == CREW_THREADS ? 1 : crew->n, i, left = 0;
	uint64_t deadline = bench_now() + crew->timeout_ns;
	struct pollfd pfd[CREW_MAX];
	pid_t pid[CREW_MAX];
	int err = 0, status;

	for (i = 0; i < n && !err; i++) {
		pid[i] = bench_crew_start(crew, i, &pfd[i].fd);
		if (pid[i] < 0) {
			err = pid[i];
			break;
		}
		pfd[i].events = POLLIN;
		left++;
	}
	n = left;
	while (left && !err) {
		if (tool_stopped)
			err = -EINTR;
		else if (bench_now() >= deadline)
			err = -ETIMEDOUT;
		else
			poll(pfd, n, patience(deadline));
		for (i = 0; i < n; i++) {
			if (pfd[i].fd < 0 || waitpid(pid[i], &status, WNOHANG) != pid[i])
				continue;
			close(pfd[i].fd);
			pfd[i].fd = -1;
			left--;
			if (!err)
				err = result_of(status);
		}
	}
	for (i = 0; i < n; i++) {
		if (pfd[i].fd < 0)
			continue;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		close(pfd[i].fd);
	}
	return err;
}
