/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all calls of the fuzzer share: the state of a process, and chance.
 *
 * Chance is a function of seed, process and step alone, so a step does the same thing
 * whatever became of those before it.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "uring.h"

#define FUZZ_FDS	12
#define FUZZ_MAPS	10
#define FUZZ_CHILDREN	1
#define FUZZ_NAP_NS	200000		/* the longest that a call may sleep */

enum fuzz_count {
	COUNT_OPEN, COUNT_CREATE, COUNT_ATTACH, COUNT_INFO, COUNT_LIST, COUNT_EVENTFD,
	COUNT_KICK, COUNT_WAIT, COUNT_ADOPT, COUNT_OTHER_IOCTL, COUNT_MMAP, COUNT_MEMORY,
	COUNT_SCRIBBLE, COUNT_POLL, COUNT_FILE, COUNT_URING, COUNT_PASS, COUNT_FORK, COUNTS
};

/* Of all processes together. */
struct fuzz_total {
	unsigned long calls;
	unsigned long good;
};

struct fuzz_map {
	char *at;
	size_t size;
};

struct fuzz {
	__u64 chance;
	__u64 seed;
	bool mortal;			/* runs until it is killed */
	int fd[FUZZ_FDS];		/* of the device; -1: none */
	int epoll, eventfd, post, pipe[2];
	struct fuzz_map map[FUZZ_MAPS];
	pid_t child[FUZZ_CHILDREN];
	struct uring uring;		/* fd < 0: there is none */
	char *page;			/* two: writable, and none after it */
	struct fuzz_total *total;	/* shared */
};

/* splitmix64, by Vigna */
HELPER __u64 fuzz_next(struct fuzz *f)
{
	__u64 z = f->chance += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

HELPER void fuzz_step(struct fuzz *f, __u64 step)
{
	f->chance = f->seed ^ (step * 0xd1342543de82ef95ull);
	fuzz_next(f);
}

HELPER unsigned int below(struct fuzz *f, unsigned int n)
{
	return (unsigned int)((fuzz_next(f) >> 32) % n);
}

HELPER bool one_in(struct fuzz *f, unsigned int n)
{
	return !below(f, n);
}

#define ONE_OF(f, array)	((array)[below(f, ARRAY_SIZE(array))])

/* A number of the kind that goes wrong. */
HELPER __u64 strange(struct fuzz *f)
{
	switch (below(f, 7)) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return 1ull << below(f, 64);
	case 3:
		return (1ull << below(f, 64)) - 1;
	case 4:
		return below(f, 64);
	case 5:
		return (__u64)page_size() << below(f, 8);
	default:
		return fuzz_next(f);
	}
}

HELPER int any_fd(struct fuzz *f)
{
	return f->fd[below(f, FUZZ_FDS)];
}

/* In place of whatever was there; -1 closes. */
HELPER void put_fd(struct fuzz *f, int fd)
{
	int *at = &f->fd[below(f, FUZZ_FDS)];

	if (*at >= 0)
		close(*at);
	*at = fd;
}

HELPER int counted(struct fuzz *f, enum fuzz_count what, int ret)
{
	__atomic_fetch_add(&f->total[what].calls, 1, __ATOMIC_RELAXED);
	if (ret >= 0)
		__atomic_fetch_add(&f->total[what].good, 1, __ATOMIC_RELAXED);
	return ret;
}

#define COUNTED(f, what, call)	counted(f, what, (int)(call) < 0 ? -errno : 0)

/* ---- memory that may be gone, or not ours to write ---- */

static sigjmp_buf fuzz_back;
static volatile sig_atomic_t fuzz_guarded;

HELPER void fuzz_fault(int sig)
{
	if (!fuzz_guarded)
		_exit(128 + sig);
	fuzz_guarded = 0;
	siglongjmp(fuzz_back, 1);
}

/* memcpy() as far as it gets. */
__attribute__((noinline))
HELPER void fuzz_copy(void *to, const void *from, size_t size)
{
	if (!sigsetjmp(fuzz_back, 1)) {
		fuzz_guarded = 1;
		memcpy(to, from, size);
	}
	fuzz_guarded = 0;
}

__attribute__((noinline))
HELPER void fuzz_fill(void *to, int byte, size_t size)
{
	if (!sigsetjmp(fuzz_back, 1)) {
		fuzz_guarded = 1;
		memset(to, byte, size);
	}
	fuzz_guarded = 0;
}

#endif /* FUZZ_H */
