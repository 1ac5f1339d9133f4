// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring outlives the IPC namespace that its name was given in, when somebody outside
 * holds its descriptor. The next namespace may get the memory and the number of the one
 * that ended: it gets no rights with them.
 *
 * The kernel frees a namespace some time after its last process. A limit of one at a
 * time tells when: the next can only be made then, and on the same CPU it is made of what
 * has just been freed. Whether it was shows in its number (and, where the names of a dead
 * namespace may be met again, in EACCES instead of ENOENT).
 */
#include <grp.h>
#include <sys/fsuid.h>

#include "shmring_test.h"

#define ROUNDS		15
#define USER		1000
#define LIMIT		"/proc/sys/user/max_ipc_namespaces"
#define NAME		"secret"

/* What the heir of the namespace is. */
enum heir {
	ROOT_OF_ITS_OWN,	/* all capabilities in a user namespace of its own */
	USER_OF_OURS,		/* none, in the user namespace that owned the old one */
};

struct found {
	int list, attach;	/* errors */
	ino_t ns;
};

FIXTURE(reuse) {
	char limit[32];
	int home;		/* the namespace that all start in */
};

FIXTURE_VARIANT(reuse) {
	enum heir heir;
	__u32 mode;
};

FIXTURE_VARIANT_ADD(reuse, by_another_user_namespace) { ROOT_OF_ITS_OWN, 0600 };
FIXTURE_VARIANT_ADD(reuse, by_another_user_namespace_for_all) { ROOT_OF_ITS_OWN, 0666 };
FIXTURE_VARIANT_ADD(reuse, by_an_unprivileged_user) { USER_OF_OURS, 0600 };

FIXTURE_SETUP(reuse)
{
	cpu_set_t set;

	ASSERT_EQ(0, geteuid());
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	snprintf(self->limit, sizeof(self->limit), "%lld", read_number(LIMIT));
	self->home = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->home);
}

FIXTURE_TEARDOWN(reuse)
{
	write_text(LIMIT, self->limit);
	close(self->home);
}

static ino_t ns_number(void)
{
	struct stat st;

	return stat("/proc/self/ns/ipc", &st) ? 0 : st.st_ino;
}

/* Once the one that is ending has ended: 0, or -ENOSPC if others keep theirs. */
static int new_namespace(void)
{
	__u64 deadline = now_ns() + 10000000000ull;

	while (unshare(CLONE_NEWIPC)) {
		if (errno != ENOSPC || now_ns() > deadline)
			return -errno;
		sched_yield();
	}
	return 0;
}

/*
 * It is made by whom the ring does not belong to. Its rights, if any, are those of the
 * namespace: USER is the ring's owner, and 0 in another user namespace is not 0 here.
 */
static void inherit(struct child *c, enum heir heir)
{
	struct shmring_ioc_attach arg = attach_args(PRODUCER, NAME);
	struct found found = { 0 };
	struct shmring_ioc_info info;
	int fd = dev_open();

	CHECK(fd >= 0);
	if (heir == ROOT_OF_ITS_OWN && unshare(CLONE_NEWUSER))
		_exit(errno == EPERM || errno == ENOSPC || errno == EINVAL ? KSFT_SKIP : 1);
	CHECK(tell(c->sock));
	CHECK(hear(c->sock));
	CHECK_EQ(0, new_namespace());
	found.ns = ns_number();
	if (heir == USER_OF_OURS) {
		CHECK(!setgroups(0, NULL));
		CHECK(!setresgid(USER + 1, USER + 1, USER + 1));
		CHECK(!setresuid(USER + 1, USER + 1, USER + 1));
	}
	found.list = ring_list_find(fd, NAME, &info);
	found.attach = dev_ioctl(fd, SHMRING_IOC_ATTACH, &arg);
	CHECK_EQ(sizeof(found), write(c->sock, &found, sizeof(found)));
	_exit(0);
}

/* A ring named in a namespace that then ends; the descriptor stays. */
static void leave_ring(struct child *c, int home, __u32 mode)
{
	struct shmring_ioc_create arg = create_args(SPSC, CONSUMER, page_size());
	int fd = dev_open();
	int err = new_namespace();
	ino_t ns;

	CHECK(fd >= 0);
	if (err == -ENOSPC)
		_exit(KSFT_SKIP);
	CHECK_EQ(0, err);
	ns = ns_number();
	arg.mode = mode;
	set_name(arg.name, NAME);
	setfsuid(USER);
	CHECK_EQ(0, dev_ioctl(fd, SHMRING_IOC_CREATE, &arg));
	setfsuid(0);
	CHECK(!setns(home, CLONE_NEWIPC));
	CHECK_EQ(sizeof(ns), write(c->sock, &ns, sizeof(ns)));
	hear(c->sock);
	_exit(0);
}

TEST_F(reuse, gives_no_rights)
{
	struct child victim, heir;
	struct found found;
	int ret, numbers = 0, names = 0;
	ino_t ns;

	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(write_text(LIMIT, self->limit));
		ASSERT_LE(0, child_start(&heir));
		if (!heir.pid)
			inherit(&heir, variant->heir);
		if (!hear(heir.sock)) {
			ASSERT_EQ(KSFT_SKIP, child_end(&heir));
			SKIP(return, "no user namespaces");
		}
		ASSERT_TRUE(write_text(LIMIT, "1"));
		ASSERT_LE(0, child_start(&victim));
		if (!victim.pid)
			leave_ring(&victim, self->home, variant->mode);
		if (read(victim.sock, &ns, sizeof(ns)) != sizeof(ns)) {
			child_kill(&heir);
			ret = child_end(&victim);
			ASSERT_EQ(KSFT_SKIP, ret);
			ASSERT_EQ(0, i);
			SKIP(return, "other IPC namespaces exist");
		}
		ASSERT_TRUE(tell(heir.sock));
		ASSERT_EQ(sizeof(found), read(heir.sock, &found, sizeof(found)));
		ASSERT_EQ(0, child_end(&heir));
		tell(victim.sock);
		ASSERT_EQ(0, child_end(&victim));

		numbers += found.ns == ns;
		EXPECT_EQ(-ENOENT, found.list);
		if (variant->heir == USER_OF_OURS && found.attach == -EACCES)
			names++;
		else
			EXPECT_EQ(-ENOENT, found.attach);
	}
	TH_LOG("of %d: %d with the same number, %d names met again and refused", ROUNDS,
	       numbers, names);
}

TEST_HARNESS_MAIN
