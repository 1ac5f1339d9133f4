/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * What all tests of the library share. A test is a function that uses CHECK(); main()
 * RUN()s each and ends with DONE(). Output is TAP. SHMRING_TEST_BACKEND (memfd, device)
 * chooses the backend of the whole program; SHMRING_TEST_ONLY runs the tests that it names.
 *
 * An alarm, set anew for each test, ends a program that hangs; nothing else depends on time.
 */
#ifndef SHMRING_TEST_H
#define SHMRING_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmring.h>

#define TEST_ALARM	240

#define PROD	SHMRING_ROLE_PRODUCER
#define CONS	SHMRING_ROLE_CONSUMER
#define OBS	SHMRING_ROLE_OBSERVER

static int test_nr;
static int test_failures;
static int test_bad;
static const char *test_skip;

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			test_bad++;					\
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
		}							\
	} while (0)

#define CHECK_EQ(got, want)						\
	do {								\
		long long got_ = (long long)(got), want_ = (long long)(want); \
									\
		if (got_ != want_) {					\
			test_bad++;					\
			printf("# %s:%d: %s is %lld, not %s (%lld)\n",	\
			       __FILE__, __LINE__, #got, got_, #want, want_); \
		}							\
	} while (0)

/* For what later lines need: leaves the test. */
#define NEED(cond)							\
	do {								\
		if (!(cond)) {						\
			test_bad++;					\
			printf("# %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
			return;						\
		}							\
	} while (0)

#define SKIP(reason)							\
	do {								\
		test_skip = (reason);					\
		return;							\
	} while (0)

static inline void test_alarm(void)
{
	alarm(getenv("SHMRING_STRESS") ? 0 : TEST_ALARM);
}

/* Is this test among those that SHMRING_TEST_ONLY names? */
static inline int test_wanted(const char *fn)
{
	const char *only = getenv("SHMRING_TEST_ONLY");
	size_t len = strlen(fn);

	for (; only; only = strchr(only, ' ')) {
		only += strspn(only, " ");
		if (!strncmp(only, fn, len) && (!only[len] || only[len] == ' '))
			return 1;
	}
	return !getenv("SHMRING_TEST_ONLY");
}

#define RUN(fn)								\
	do {								\
		if (!test_wanted(#fn))					\
			break;						\
		test_bad = 0;						\
		test_skip = NULL;					\
		test_alarm();						\
		fn();							\
		test_nr++;						\
		if (test_bad)						\
			test_failures++;				\
		printf("%sok %d - %s%s%s\n", test_bad ? "not " : "", test_nr, #fn, \
		       test_skip ? " # SKIP " : "", test_skip ? test_skip : ""); \
		fflush(stdout);						\
	} while (0)

#define START()								\
	do {								\
		setvbuf(stdout, NULL, _IOLBF, 0);			\
		printf("TAP version 13\n");				\
		test_alarm();						\
	} while (0)

#define DONE()								\
	do {								\
		printf("1..%d\n", test_nr);				\
		return test_failures ? 1 : 0;				\
	} while (0)

static inline uint32_t test_backend(void)
{
	const char *name = getenv("SHMRING_TEST_BACKEND");

	if (!name || !strcmp(name, "memfd"))
		return SHMRING_BACKEND_MEMFD;
	if (!strcmp(name, "device"))
		return SHMRING_BACKEND_DEVICE;
	printf("Bail out! SHMRING_TEST_BACKEND=%s is neither memfd nor device\n", name);
	exit(2);
}

static inline struct shmring_opts test_opts(uint64_t data_size, int64_t spin_ns)
{
	struct shmring_opts o = {
		.size = sizeof(o),
		.backend = test_backend(),
		.data_size = data_size,
		.spin_ns = spin_ns,
	};

	return o;
}

/* How often: a tenth where each sleep is a device's in an emulated machine. */
static inline uint64_t test_rounds(uint64_t rounds)
{
	return test_backend() == SHMRING_BACKEND_DEVICE ? rounds / 10 : rounds;
}

/* How many times as much as in every run: "make stress" asks for more. */
static inline uint64_t test_stress(void)
{
	const char *times = getenv("SHMRING_STRESS");

	return times ? strtoull(times, NULL, 0) : 1;
}

/* An unnamed ring with both ends in this process. */
static inline int test_pair(struct shmring_opts *o, struct shmring **p, struct shmring **c)
{
	int err = shmring_create(NULL, PROD, o, p);

	if (err)
		return err;
	err = shmring_attach_fd(shmring_fd(*p), CONS, o, c);
	if (err)
		shmring_close(*p);
	return err;
}

/*
 * The memfd backend looks for deaths every 100 ms, and would so find lost wake-ups too.
 * A library built without that shows them: whoever waits for one hangs.
 */
static inline int test_no_slices(void)
{
	return !!getenv("SHMRING_TEST_NO_SLICES");
}

static inline uint64_t test_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t test_in_ms(unsigned int ms)
{
	return test_now() + (uint64_t)ms * 1000000u;
}

/* A child that dies with its parent. Its failures are its exit status. */
static inline pid_t test_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		test_bad = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
	}
	return pid;
}

static inline void test_exit(void)
{
	fflush(stdout);
	_exit(test_bad ? 1 : 0);
}

/* Exit status, or 128 + signal. */
static inline int test_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A pipe to hand over turns: one byte says "go on". */
static inline void test_tell(int fd)
{
	if (write(fd, "", 1) != 1)
		abort();
}

static inline int test_hear(int fd)
{
	char c;

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

/* Is a process asleep in the kernel? Asks until it is or has ended. */
static inline int test_until_asleep(pid_t pid)
{
	char path[64], line[512], *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (;;) {
		f = fopen(path, "r");
		if (!f)
			return -1;
		if (!fgets(line, sizeof(line), f))
			line[0] = 0;
		fclose(f);
		state = strrchr(line, ')');
		if (!state || state[2] == 'Z')
			return -1;
		if (state[2] == 'S')
			return 0;
		sched_yield();
	}
}

/* A cheap random stream that both ends can make. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Fill or check a payload that depends on its number in the stream. */
static inline void test_fill(void *buf, size_t len, uint64_t nth)
{
	unsigned char *p = buf;
	size_t k;

	for (k = 0; k < len; k++)
		p[k] = (unsigned char)(nth * 131 + k * 7 + (k >> 8));
}

static inline int test_match(const void *buf, size_t len, uint64_t nth)
{
	const unsigned char *p = buf;
	size_t k;

	for (k = 0; k < len; k++)
		if (p[k] != (unsigned char)(nth * 131 + k * 7 + (k >> 8)))
			return 0;
	return 1;
}

#endif /* SHMRING_TEST_H */
