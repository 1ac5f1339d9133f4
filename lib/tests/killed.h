/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * Endpoints that can be killed at each access, all of them in one process; and the model of the
 * ring that killed.c holds their calls against.
 *
 * What SIGKILL leaves of an endpoint is what it has stored: its descriptors go, with the locks, and
 * its mappings. So whoever is killed returns from the call by longjmp(3), and what it had and
 * nobody else has is closed and unmapped.
 */
#ifndef SHMRING_TEST_KILLED_H
#define SHMRING_TEST_KILLED_H

#include <setjmp.h>

#include "many.h"

#define LANES		3u
#define READERS		3u
#define BATCH		16u
#define MOST		(1u << 13)	/* records of one run */
#define BYTES_MAX	4096u		/* of a lane */
#define FDS		32		/* more than all endpoints together have */
#define MAPS		64		/* more than one has */

/* What an endpoint has that ends with it. */
struct owned {
	unsigned char fd[FDS];
	unsigned int maps;
	struct { uintptr_t from, to; } map[MAPS];
};

/* A record says whose it is and which; the rest of it is like that of no other. */
struct head {
	uint32_t lane;
	uint32_t len;
	uint64_t nth;
};

struct record {
	uint64_t id;		/* of all that were made, this is the how manieth */
	uint64_t known;		/* the last that had been made when this one was certain */
	uint32_t len;
	unsigned char taken;	/* QUEUE: given back */
	unsigned char perhaps;	/* QUEUE: given back, or not */
	unsigned char holder;	/* QUEUE: consumer that it was shown to, plus one */
};

struct lane {
	struct shmring *r;	/* its producer; NULL: has none */
	struct owned owned;
	struct record *rec;
	uint64_t made;		/* there may be so many records; ... */
	uint64_t certain;	/* ... there are so many; ... */
	uint64_t told;		/* ... and of so many the call that published them returned */
	uint64_t lost;		/* by this producer */
	uint64_t lost_before;	/* by earlier ones, ... */
	uint64_t lost_perhaps;	/* ... and by those that were killed losing one */
	size_t reserved;
	void *payload;
};

struct reader {
	struct shmring *r;	/* NULL: nobody */
	struct owned owned;
	uint64_t next[LANES];	/* what comes is this one, ... */
	uint64_t slack[LANES];	/* ... or one of so many that follow */
	uint64_t latest;	/* id of the latest that it had */
	uint64_t got;		/* by all that were in this slot, ... */
	uint64_t got_perhaps;	/* ... and by those that were killed receiving */
	uint64_t here;		/* the same, by this one */
	uint64_t least, most;	/* OVERWRITE: records that there were when it joined */
	unsigned int seen;	/* records that it looks at */
	struct { uint32_t lane; uint64_t nth; } what[BATCH];
};

static struct {
	uint64_t seed;
	uint32_t topology;
	uint32_t policy;
	uint32_t producers;
	uint32_t consumers;
	struct shmring *watch;
	struct owned owned;	/* by nobody who can be killed */
	struct owned next;	/* by who attaches */
	size_t max;
	struct lane lane[LANES + 1];
	struct reader reader[READERS + 1];
	uint64_t ids;
	uint64_t kills;
	uint64_t rnd;
	uint64_t step;
	int trace;
} m;

static struct record records[LANES][MOST];
static unsigned char buf[BATCH][BYTES_MAX];

static uint64_t any(uint64_t n)
{
	return n ? test_random(&m.rnd) % n : 0;
}

static int one_in(uint64_t n)
{
	return !any(n);
}

#define TELL(...)							\
	do {								\
		if (m.trace) {						\
			printf("# %llu: ", (unsigned long long)m.step);	\
			printf(__VA_ARGS__);				\
			printf("\n");					\
		}							\
	} while (0)

/* ---- calls that end anywhere ---------------------------------------------------------- */

/* A call, and what comes of it. Nothing of it is lost by longjmp(3): it is not on the stack. */
static struct {
	struct shmring *r;
	uint32_t role;
	size_t len;
	unsigned int n;
	struct iovec msgs[BATCH];
	void *payload;
	long ret;
} call;

static jmp_buf out;
static unsigned int until_kill;	/* accesses; 0: it lives */
static struct owned *caller;	/* NULL: nobody calls who can be killed */

void test_step(void)
{
	if (caller && until_kill && !--until_kill)
		longjmp(out, 1);
}

/* Return: was @who killed? */
static int is_killed(struct owned *who, void (*fn)(void))
{
	int killed = 1;

	if (!setjmp(out)) {
		caller = who;
		fn();
		killed = 0;
	}
	caller = NULL;
	until_kill = 0;
	return killed;
}

static void call_attach(void)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);

	call.ret = shmring_attach_fd(shmring_fd(m.watch), call.role, &o, &call.r);
}

static void call_close(void)
{
	shmring_close(call.r);
}

static void call_probe(void)
{
	call.ret = shmring_wait(call.r, SHMRING_EV_PEER, SHMRING_NOWAIT);
}

/* ---- what an endpoint has ------------------------------------------------------------- */

static void note_map(struct owned *o, uintptr_t from, uintptr_t to)
{
	if (from == to)
		return;
	if (o->maps == MAPS)
		abort();
	o->map[o->maps].from = from;
	o->map[o->maps++].to = to;
}

/* Parts of it may be mapped anew, and then are noted twice. */
void *test_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *p = (mmap)(at, len, prot, flags, fd, offset);

	/* guard.c: a robust mutex is in a list of this thread's until it is unlocked. */
	if (p != MAP_FAILED && caller && !(flags & MAP_ANONYMOUS && flags & MAP_SHARED))
		note_map(caller, (uintptr_t)p, (uintptr_t)p + len);
	return p;
}

int test_munmap(void *at, size_t len)
{
	uintptr_t from = (uintptr_t)at, to = from + len, before, behind;
	unsigned int k;

	for (k = 0; caller && k < caller->maps;) {
		before = caller->map[k].from;
		behind = caller->map[k].to;
		if (behind <= from || before >= to) {
			k++;
			continue;
		}
		caller->map[k] = caller->map[--caller->maps];
		if (before < from)
			note_map(caller, before, from);
		if (behind > to)
			note_map(caller, to, behind);
	}
	return (munmap)(at, len);
}

/* Does anybody have this descriptor, other than @but? */
static int has_fd(const struct owned *but, int fd)
{
	int has = &m.owned != but && m.owned.fd[fd];
	unsigned int k;

	for (k = 0; k < LANES; k++)
		has |= &m.lane[k].owned != but && m.lane[k].owned.fd[fd];
	for (k = 0; k < READERS; k++)
		has |= &m.reader[k].owned != but && m.reader[k].owned.fd[fd];
	return has;
}

/* What is open and nobody else's is this endpoint's. */
static void own_fds(struct owned *o)
{
	int fd;

	for (fd = 3; fd < FDS; fd++)
		o->fd[fd] = !has_fd(o, fd) && fcntl(fd, F_GETFD) >= 0;
}

static void disown(struct owned *o)
{
	memset(o, 0, sizeof(*o));
}

/* As the kernel does it. What it has opened amid a call goes too. */
static void bury(struct owned *o)
{
	int fd;

	for (fd = 3; fd < FDS; fd++)
		if (!has_fd(o, fd))
			close(fd);
	while (o->maps) {
		o->maps--;
		(munmap)((void *)o->map[o->maps].from, o->map[o->maps].to - o->map[o->maps].from);
	}
	disown(o);
	m.kills++;
}

/* ---- the model ------------------------------------------------------------------------ */

static int is_overwrite(void)
{
	return m.policy == SHMRING_FULL_OVERWRITE;
}

static unsigned int live_producers(void)
{
	unsigned int k, n = 0;

	for (k = 0; k < m.producers; k++)
		n += !!m.lane[k].r;
	return n;
}

static unsigned int live_consumers(void)
{
	unsigned int k, n = 0;

	for (k = 0; k < m.consumers; k++)
		n += !!m.reader[k].r;
	return n;
}

static uint32_t lane_nr(const struct lane *l)
{
	return (uint32_t)(l - m.lane);
}

static uint32_t reader_nr(const struct reader *x)
{
	return (uint32_t)(x - m.reader);
}

/* The first @n of a lane are there, whatever happens from here on. */
static void are_certain(struct lane *l, uint64_t n)
{
	for (; l->certain < n; l->certain++)
		l->rec[l->certain].known = m.ids;
}

/* A call that was to publish all that was made has returned. */
static void are_told(struct lane *l)
{
	are_certain(l, l->made);
	l->told = l->made;
}

/* A dead consumer looks at nothing, and a new one at what it claims. */
static void drop_holds(const struct reader *x)
{
	uint64_t nth;
	uint32_t k;

	for (k = 0; k < m.producers && m.topology == QUEUE; k++)
		for (nth = 0; nth < m.lane[k].made; nth++)
			if (m.lane[k].rec[nth].holder == reader_nr(x) + 1)
				m.lane[k].rec[nth].holder = 0;
}

#endif /* SHMRING_TEST_KILLED_H */
