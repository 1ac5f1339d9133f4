/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all calls of the fuzzer share: the state of a process, chance, and descriptors to
 * make calls on.
 *
 * Chance is a function of seed, process and step alone, so a step means the same thing
 * whatever became of those before it. Most calls are aimed: they look for a descriptor that
 * they can succeed on, or few would ever meet a ring that somebody uses.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "group.h"
#include "uring.h"

#define FUZZ_FDS	24
#define FUZZ_MAPS	10
#define FUZZ_PLAYERS	8
#define FUZZ_CHILDREN	1
#define FUZZ_NAP_NS	200000		/* the longest that a call may sleep */

enum fuzz_count {
	COUNT_OPEN, COUNT_CREATE, COUNT_ATTACH, COUNT_INFO, COUNT_LIST, COUNT_EVENTFD,
	COUNT_KICK, COUNT_WAIT, COUNT_ADOPT, COUNT_URING_CMD, COUNT_OTHER_IOCTL, COUNT_MMAP,
	COUNT_MEMORY, COUNT_SCRIBBLE, COUNT_SEND, COUNT_TAKE, COUNT_POLL, COUNT_FILE, COUNT_URING,
	COUNT_BUFFER, COUNT_PASS, COUNT_FORK, COUNTS
};

#define FUZZ_ERRNOS	134

/* Of all processes together; by[0]: succeeded. */
struct fuzz_total {
	unsigned long calls;
	unsigned long by[FUZZ_ERRNOS];
};

struct fuzz_map {
	char *at;
	size_t size;
};

struct fuzz {
	__u64 chance;
	__u64 seed;
	__u64 until;			/* ns */
	bool mortal;			/* runs until it is killed */
	int fd[FUZZ_FDS];		/* of the device; -1: none */
	int epoll, eventfd, post, memfd, pipe[2];
	struct fuzz_map map[FUZZ_MAPS];
	struct member player[FUZZ_PLAYERS];	/* meta: it plays */
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

/* ---- descriptors that calls are aimed at ---- */

HELPER bool is_unbound(int err, const struct shmring_ioc_info *info)
{
	return err == -ENOTCONN;
}

HELPER bool is_bound(int err, const struct shmring_ioc_info *info)
{
	return !err;
}

/* Of whatever role: who attaches finds out. */
HELPER bool has_room(int err, const struct shmring_ioc_info *info)
{
	return !err && info->slots_live < info->slots;
}

HELPER bool group_has_room(int err, const struct shmring_ioc_info *info)
{
	return has_room(err, info) && info->shared_offset;
}

HELPER bool queue_has_room(int err, const struct shmring_ioc_info *info)
{
	return has_room(err, info) && info->topology == QUEUE;
}

HELPER bool is_queue_consumer(int err, const struct shmring_ioc_info *info)
{
	return !err && info->topology == QUEUE && info->role == CONSUMER;
}

/* One that fits, if there is one; sometimes any. @info: what it is, zeros if it is nothing. */
HELPER int aimed_fd(struct fuzz *f, bool (*fits)(int err, const struct shmring_ioc_info *info),
		    struct shmring_ioc_info *info)
{
	unsigned int from = below(f, FUZZ_FDS);
	bool any = one_in(f, 8);

	for (unsigned int k = 0; k < FUZZ_FDS; k++) {
		int fd = f->fd[(from + k) % FUZZ_FDS];

		if (fits(ring_info(fd, info), info) || any)
			return fd;
	}
	memset(info, 0, sizeof(*info));
	return f->fd[from];
}

/* What an endpoint may wait for, mostly. */
HELPER __u32 any_events(struct fuzz *f, const struct shmring_ioc_info *info)
{
	__u32 events = info->topology == RAW ? SHMRING_EV_PEER :
		       info->role == PRODUCER ? SHMRING_EV_OUT :
		       info->role == CONSUMER ? SHMRING_EV_IN : SHMRING_EV_PEER;

	if (one_in(f, 8))
		return 1 + below(f, 7);
	return one_in(f, 3) ? events | SHMRING_EV_PEER : events;
}

/* ---- what came of it ---- */

HELPER int counted(struct fuzz *f, enum fuzz_count what, int ret)
{
	int err = ret < 0 ? -ret : 0;

	__atomic_fetch_add(&f->total[what].calls, 1, __ATOMIC_RELAXED);
	if (err < FUZZ_ERRNOS)
		__atomic_fetch_add(&f->total[what].by[err], 1, __ATOMIC_RELAXED);
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
