/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that can fail inside a call fails, one after the other: each allocation of the
 * module's and of what it calls, each copy. The call then says so with an errno that it is
 * allowed, everything is as before, and the same call on the same file succeeds.
 *
 * Nothing is left: all is done by a user who may lock the pages of one ring and no more, so
 * a charge that stays is the next call's EDQUOT; and after each call there is no ring.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "fault.h"
#include "kernel.h"
#include "uring.h"

#define USER	1000
#define NAME	"failnth"

/* The call under test, and what it is made on. */
struct trial {
	int fd;			/* where it is made */
	int peer;		/* the ring's first endpoint, if @fd is not it; or -1 */
	int other;		/* an epoll, an eventfd; or -1 */
	int user;		/* of the kernel's API: shmring_test.ko; or -1 */
	struct uring u;		/* fd: or -1 */
	void *map;
	size_t size;
	struct member sender;
	struct shmring_ioc_create create;
	struct shmring_ioc_attach attach;
	struct shmring_ioc_adopt adopt;
};

/* ---- files, before the call ---- */

HELPER bool unbound(struct trial *t)
{
	t->fd = dev_open();
	return t->fd >= 0;
}

HELPER bool create_as(struct trial *t, __u32 topology, __u32 role, __u64 size)
{
	t->create = create_args(topology, role, size);
	set_name(t->create.name, NAME);
	return unbound(t);
}

HELPER bool an_spsc(struct trial *t)
{
	return create_as(t, SPSC, PRODUCER, 65536);
}

HELPER bool a_ring(struct trial *t)
{
	return an_spsc(t) && !dev_ioctl(t->fd, SHMRING_IOC_CREATE, &t->create);
}

/* ---- the sweep ---- */

struct sweep {
	const char *name;
	bool (*prepare)(struct trial *t);
	int (*call)(struct trial *t);
	int may[4];			/* errnos, up to the first 0 */
	unsigned int most;		/* failures, 0 for all: see a_large() */
};

HELPER bool nothing(struct trial *t)
{
	return true;
}

HELPER bool may_be(const struct sweep *s, int err)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->may) && s->may[i]; i++)
		if (err == -s->may[i])
			return true;
	return false;
}

/* Of the trial's ring, whoever has it. */
HELPER rlim_t pages_of(const struct trial *t)
{
	struct shmring_ioc_info info;

	if (t->peer >= 0 ? ring_info(t->peer, &info) :
	    t->fd >= 0 ? ring_info(t->fd, &info) : kt_with(t->user, KT_INFO, &info))
		return 0;
	return (info.control_size + info.data_size * (info.producers ? info.producers : 1)) /
	       page_size();
}

HELPER bool may_lock(rlim_t pages)
{
	struct rlimit limit = { pages * page_size(), RLIM_INFINITY };

	return !setrlimit(RLIMIT_MEMLOCK, &limit);
}

HELPER void trial_end(struct trial *t)
{
	if (t->map)
		munmap(t->map, t->size);
	if (t->sender.meta)
		member_close(&t->sender);
	if (t->fd >= 0)
		close(t->fd);
	if (t->peer >= 0)
		close(t->peer);
	if (t->other >= 0)
		close(t->other);
	if (t->user >= 0)
		close(t->user);
	if (t->u.fd >= 0)
		uring_close(&t->u);
}

HELPER bool no_ring(void)
{
	struct shmring_ioc_info info;
	int fd = dev_open(), err = ring_list(fd, 0, &info);

	close(fd);
	return err == -ENOENT;
}

/* Once with the @nth failure, 0 for none. Return: whether there was one to have. */
HELPER bool try_once(struct __test_metadata *_metadata, const struct sweep *s, int fault,
		     unsigned int nth)
{
	struct trial t = { .fd = -1, .peer = -1, .other = -1, .user = -1, .u.fd = -1 };
	rlim_t before, after;
	bool hit = false;
	int err;

	ASSERT_TRUE(s->prepare(&t)) { TH_LOG("%s: nth %u: errno %d", s->name, nth, errno); }
	before = pages_of(&t);
	if (nth)
		fault_arm(fault, nth);
	err = s->call(&t);
	if (nth)
		hit = fault_disarm(fault);
	if (err) {
		EXPECT_TRUE(hit && may_be(s, err)) { TH_LOG("%s: nth %u: %d", s->name, nth, err); }
		EXPECT_EQ(0, s->call(&t)) { TH_LOG("%s again: nth %u", s->name, nth); }
	}
	after = pages_of(&t);
	if (!nth)
		ASSERT_TRUE(may_lock(before > after ? before : after));
	trial_end(&t);
	/* A worker, and an io_uring that is closed, let go of files a little later. */
	while (t.u.fd >= 0 && !no_ring())
		sched_yield();
	ASSERT_TRUE(no_ring()) { TH_LOG("%s: nth %u", s->name, nth); }
	return hit;
}

HELPER void sweep(struct __test_metadata *_metadata, const struct sweep *s, size_t n)
{
	int fault = fault_open();

	ASSERT_LE(0, fault);
	for (; n--; s++) {
		unsigned int nth = 0, failed = 0;

		ASSERT_TRUE(may_lock(RLIM_INFINITY / page_size()));
		try_once(_metadata, s, fault, 0);
		while (try_once(_metadata, s, fault, ++nth) && ++failed != s->most)
			;
		printf("# %s: %u failures%s\n", s->name, failed,
		       s->most && failed == s->most ? ", and there are more" : "");
		fflush(stdout);
	}
	close(fault);
}

/* A user of the device who may do nothing special but arm failures, and unload modules. */
HELPER void become_user(struct __test_metadata *_metadata)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const __u32 caps = 1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_MODULE;
	struct __user_cap_data_struct data[2] = { { .effective = caps, .permitted = caps } };
	struct stat st;

	ASSERT_EQ(0, stat(DEVICE, &st));
	ASSERT_EQ(0, setgroups(1, &st.st_gid));
	ASSERT_EQ(0, prctl(PR_SET_KEEPCAPS, 1));
	ASSERT_EQ(0, setresuid(USER, USER, USER));
	ASSERT_EQ(0, syscall(SYS_capset, &head, data));
	/* A process that has changed its user may not look at itself in /proc. */
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

/* In the setup of a fixture, last. */
#define SWEEP_SETUP() do {							\
	int fault_ = fault_open();						\
	if (fault_ < 0)								\
		SKIP(return, "no /proc/thread-self/fail-nth: the kernel cannot inject faults"); \
	close(fault_);								\
	ASSERT_EQ(0, geteuid());						\
	ASSERT_TRUE(fault_all());						\
	/* Rings of others would be in the list. */				\
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));					\
	become_user(_metadata);							\
} while (0)

/* The harness of 6.1 runs the body after a SKIP in the setup. */
#define SWEEP(...) do {								\
	static const struct sweep sweeps_[] = { __VA_ARGS__ };			\
	if (geteuid())								\
		sweep(_metadata, sweeps_, ARRAY_SIZE(sweeps_));			\
} while (0)

#endif /* SWEEP_H */
