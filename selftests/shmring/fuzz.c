// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of the device: processes that make calls at random on descriptors, names and
 * mappings which they share, play the protocol on some of the rings, write anything into
 * every page that they can write, and are killed in the midst of it. What it looks for: a
 * kernel that complains (the harness watches its log), an errno that no manual knows, a
 * call that never returns, and anything that is left when all of them have ended.
 *
 *   SHMRING_FUZZ_SEED=N       do the same calls again (each run prints its seed)
 *   SHMRING_FUZZ_CALLS=N      calls of each process
 *   SHMRING_FUZZ_SECONDS=N    no more once these are over; without CALLS: as many as there are
 *   SHMRING_FUZZ_PROCESSES=N  with 1 nothing is left to chance
 *   SHMRING_FUZZ_RATES=1      say what came of the calls of each kind, by errno
 */
#include <grp.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "fuzz_files.h"
#include "fuzz_ioctl.h"
#include "fuzz_memory.h"
#include "fuzz_play.h"
#include "fuzz_uring.h"

#define USER		1000
#define LIMIT_PAGES	8192
#define CALLS		1500
#define PROCESSES	4

static void fuzz_run(struct fuzz *f, __u64 steps);

/* A child works on what it inherits until its parent, some steps later, kills it. */
static void fuzz_fork(struct fuzz *f)
{
	pid_t *child = &f->child[below(f, FUZZ_CHILDREN)];
	__u64 seed = fuzz_next(f);
	bool fresh = one_in(f, 2);

	if (f->mortal)
		return;		/* children of children would be too many */
	if (*child) {
		kill(*child, SIGKILL);
		waitpid(*child, NULL, 0);
	}
	*child = fork();
	if (COUNTED(f, COUNT_FORK, *child) || *child) {
		*child = *child > 0 ? *child : 0;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	f->seed = seed;
	f->mortal = true;
	memset(f->child, 0, sizeof(f->child));
	/* The parent's queues are shared memory that two must not write. */
	if (f->uring.fd >= 0)
		uring_close(&f->uring);
	f->uring.fd = -1;
	if (fresh)
		fuzz_uring_open(f);
	fuzz_run(f, ~0ull);
	_exit(0);
}

static const struct {
	void (*call)(struct fuzz *f);
	unsigned int weight;
} calls[] = {
	{ fuzz_open, 3 }, { fuzz_create, 8 }, { fuzz_attach, 12 }, { fuzz_info, 3 },
	{ fuzz_eventfd, 4 }, { fuzz_wait, 8 }, { fuzz_adopt, 4 }, { fuzz_kick, 8 },
	{ fuzz_other_ioctl, 1 }, { fuzz_mmap, 12 }, { fuzz_munmap, 4 }, { fuzz_mremap, 2 },
	{ fuzz_mprotect, 3 }, { fuzz_madvise, 3 }, { fuzz_move_pages, 2 }, { fuzz_lock, 1 },
	{ fuzz_msync, 1 }, { fuzz_gup, 4 }, { fuzz_futex, 3 }, { fuzz_scribble, 12 },
	{ fuzz_wipe, 1 }, { fuzz_team, 4 }, { fuzz_play, 24 }, { fuzz_dup, 1 }, { fuzz_close, 1 },
	{ fuzz_send, 3 }, { fuzz_receive, 3 }, { fuzz_poll, 4 }, { fuzz_epoll, 6 },
	{ fuzz_eventfd_use, 1 }, { fuzz_file, 3 }, { fuzz_uring, 16 }, { fuzz_fork, 1 },
};

static void fuzz_one(struct fuzz *f)
{
	unsigned int all = 0, at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		all += calls[i].weight;
	at = below(f, all);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	calls[i].call(f);
}

static void fuzz_run(struct fuzz *f, __u64 steps)
{
	for (__u64 step = 0; step < steps && now_ns() < f->until; step++) {
		fuzz_step(f, step);
		fuzz_one(f);
	}
}

/* Without privileges, in whatever the machine is: nobody may harm it from here. */
static void become_user(void)
{
	struct rlimit limit = { LIMIT_PAGES * page_size(), LIMIT_PAGES * page_size() };

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setgroups(0, NULL));
	CHECK(!setresgid(USER, USER, USER));
	CHECK(!setresuid(USER, USER, USER));
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

static void fuzz_process(struct fuzz *f, struct child *c, __u64 steps)
{
	struct sigaction on_fault = { .sa_handler = fuzz_fault, .sa_flags = SA_NODEFER };
	char *p;

	become_user();
	CHECK(!sigaction(SIGSEGV, &on_fault, NULL));
	CHECK(!sigaction(SIGBUS, &on_fault, NULL));
	signal(SIGPIPE, SIG_IGN);
	p = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK(!munmap(p + page_size(), page_size()));
	f->page = p;
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(f->epoll >= 0 && f->eventfd >= 0);
	CHECK(!pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK));
	f->memfd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(f->memfd >= 0);
	for (int i = 0; i < FUZZ_FDS; i++)
		f->fd[i] = dev_open();
	f->uring.fd = -1;
	fuzz_uring_open(f);
	CHECK(tell(c->sock));
	fuzz_run(f, steps);
	for (int i = 0; i < FUZZ_CHILDREN; i++) {
		if (!f->child[i])
			continue;
		kill(f->child[i], SIGKILL);
		waitpid(f->child[i], NULL, 0);
	}
	_exit(0);
}

static __u64 number_of(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

FIXTURE(fuzz) {
	struct stat before;
	struct fuzz_total *total;
};

FIXTURE_SETUP(fuzz)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	ASSERT_EQ(0, stat(DEVICE, &self->before));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
	self->total = mmap(NULL, COUNTS * sizeof(*self->total), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->total);
}

FIXTURE_TEARDOWN(fuzz)
{
	chmod(DEVICE, self->before.st_mode & 0777);
}

/* io_uring lets go of files some time after its own has been closed. */
static void until_no_ring(void)
{
	struct shmring_ioc_info info;
	int fd = dev_open();

	while (ring_list(fd, 0, &info) != -ENOENT)
		sched_yield();
	close(fd);
}

/*
 * Every page that USER may lock is free to lock; at last, for io_uring gives back what it
 * has charged for buffers as late as it lets go of files.
 */
static void expect_no_charge(struct __test_metadata *_metadata)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 2048 * page_size());
		struct rlimit limit = { 2051 * page_size(), 2051 * page_size() };
		int more;

		become_user();
		CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
		arg.flags = SHMRING_CREATE_SMALL;
		while ((more = ring_create_with(&arg)) == -EDQUOT)
			sched_yield();
		CHECK(more >= 0);
		more = ring_create(SPSC, PRODUCER, page_size(), NULL);
		CHECK_EQ(-EDQUOT, more);
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

static void show_rate(const char *what, const struct fuzz_total *t)
{
	printf("# %-11s %8lu calls, %5.1f %% succeeded", what, t->calls,
	       t->calls ? 100.0 * t->by[0] / t->calls : 0.0);
	for (int err = 1; err < FUZZ_ERRNOS; err++)
		if (t->by[err])
			printf(", %s %lu", strerrorname_np(err), t->by[err]);
	printf("\n");
}

TEST_F_TIMEOUT(fuzz, leaves_nothing_behind, 3000)
{
	static const char *const what[COUNTS] = {
		"open", "create", "attach", "info", "list", "eventfd", "kick", "wait", "adopt",
		"uring_cmd", "other ioctl", "mmap", "memory", "scribble", "send", "take", "poll",
		"file", "io_uring", "buffer", "pass", "fork",
	};
	__u64 seed = 0, seconds = number_of("SHMRING_FUZZ_SECONDS", 0);
	__u64 steps = number_of("SHMRING_FUZZ_CALLS", seconds ? ~0ull : CALLS);
	__u64 end = now_ns() + seconds * 1000000000;
	int processes = (int)number_of("SHMRING_FUZZ_PROCESSES", PROCESSES), post[2];
	const char *never = "";
	unsigned long sum = 0;
	struct child c[64];

	ASSERT_EQ((ssize_t)sizeof(seed), getrandom(&seed, sizeof(seed), 0));
	seed = number_of("SHMRING_FUZZ_SEED", seed);
	/* At once: the harness shows it last, if it comes to that. */
	printf("# SHMRING_FUZZ_SEED=%llu\n", seed);
	fflush(stdout);
	ASSERT_TRUE(processes > 0 && processes <= (int)ARRAY_SIZE(c));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, post));
	for (int i = 0; i < processes; i++) {
		ASSERT_LE(0, child_start(&c[i]));
		if (!c[i].pid) {
			struct fuzz f = { .seed = seed + (__u64)i * 0x9e3779b97f4a7c15ull,
					  .until = seconds ? end : ~0ull,
					  .post = post[i & 1], .total = self->total };

			fuzz_process(&f, &c[i], steps);
		}
		ASSERT_TRUE(hear(c[i].sock));
	}
	for (int i = 0; i < processes; i++)
		EXPECT_EQ(0, child_end(&c[i]));
	close(post[0]);
	close(post[1]);
	until_no_ring();
	expect_no_charge(_metadata);
	for (int i = 0; i < COUNTS; i++) {
		if (number_of("SHMRING_FUZZ_RATES", 0))
			show_rate(what[i], &self->total[i]);
		sum += self->total[i].calls;
	}
	TH_LOG("%lu calls", sum);
	/* A fuzzer that gets nowhere tests nothing; but orphans are rare, for a short one. */
	for (int i = COUNT_OPEN; i <= COUNT_URING_CMD && sum >= CALLS * PROCESSES; i++) {
		if (i == COUNT_ADOPT && sum < 20 * CALLS * PROCESSES)
			continue;
		if (!self->total[i].by[0] && (i != COUNT_URING_CMD || self->total[i].calls))
			never = what[i];
	}
	EXPECT_STREQ("", never);
}

TEST_HARNESS_MAIN
