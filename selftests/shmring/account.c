// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays: RLIMIT_MEMLOCK and the module's limits, for all and for one user. Everything
 * is refused at the limit with its own errno, and everything is given back. The memory
 * cgroup is in memcg.c.
 */
#include <grp.h>
#include <sys/resource.h>

#include "endpoint.h"

#define USER		1000
#define OTHER		1001
#define KIB		1024ul
#define MIB		(1024 * KIB)

/* A user without a capability, who may lock this much. */
static bool become(uid_t uid, rlim_t memlock)
{
	struct rlimit limit = { memlock, memlock };

	return !setrlimit(RLIMIT_MEMLOCK, &limit) && !setgroups(0, NULL) &&
	       !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid);
}

/* CREATE on a file that was opened before the privileges were dropped. */
static int create_on(int fd, __u64 data_size)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, data_size);

	arg.flags = SHMRING_CREATE_SMALL;
	return dev_ioctl(fd, SHMRING_IOC_CREATE, &arg);
}

/* The device for everybody, while this test runs. */
FIXTURE(memlock) {
	struct stat before;
	struct child c;
};

FIXTURE_SETUP(memlock)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_EQ(0, stat(DEVICE, &self->before));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
}

FIXTURE_TEARDOWN(memlock)
{
	chmod(DEVICE, self->before.st_mode & 0777);
}

TEST_F(memlock, refused_beyond_the_limit)
{
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		int fd = dev_open();

		CHECK(become(USER, MIB));
		CHECK_EQ(-EDQUOT, create_on(fd, MIB));	/* there is CONTROL as well */
		CHECK_EQ(0, create_on(fd, 512 * KIB));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
}

/* To the page: three pages of CONTROL, one of DATA. */
TEST_F(memlock, exactly_at_the_limit)
{
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		int fd = dev_open(), more = dev_open();

		CHECK(become(USER, 4 * page_size()));
		CHECK_EQ(0, create_on(fd, page_size()));
		CHECK_EQ(-EDQUOT, create_on(more, page_size()));
		close(fd);
		CHECK_EQ(0, create_on(more, page_size()));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		int fd = dev_open();

		CHECK(become(USER, 4 * page_size() - 1));
		CHECK_EQ(-EDQUOT, create_on(fd, page_size()));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
}

/* One page lost in a hundred rounds would show: there is none to spare. */
TEST_F(memlock, given_back_every_time)
{
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		CHECK(become(USER, (64 + 3) * page_size()));
		for (int i = 0; i < 500; i++) {
			struct endpoint e;
			int peer, fd = dev_open();

			CHECK(fd >= 0);
			CHECK_EQ(0, create_on(fd, 64 * page_size()));
			CHECK_EQ(0, endpoint_map(&e, fd));
			peer = ring_attach_fd(CONSUMER, fd);
			CHECK(peer >= 0);
			close(i & 1 ? fd : peer);
			endpoint_unmap(&e);
			close(i & 1 ? peer : fd);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
}

/* What failed has cost nothing. */
TEST_F(memlock, failures_are_free)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 64 * page_size());
	const char *name = unique_name();
	int holder = ring_create(SPSC, PRODUCER, page_size(), name);

	ASSERT_LE(0, holder);
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		struct shmring_ioc_create *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
						       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int fd = dev_open();

		CHECK(become(USER, (64 + 3) * page_size()));
		*page = arg;
		CHECK_EQ(0, mprotect(page, page_size(), PROT_READ));
		for (int i = 0; i < 100; i++) {
			CHECK_EQ(-EFAULT, dev_ioctl(fd, SHMRING_IOC_CREATE, page));
			CHECK_EQ(-EDQUOT, create_on(fd, 128 * page_size()));
			set_name(arg.name, name);
			CHECK_EQ(-EEXIST, dev_ioctl(fd, SHMRING_IOC_CREATE, &arg));
		}
		CHECK_EQ(0, create_on(fd, 64 * page_size()));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
	close(holder);
}

/* The charge stays with the user who made the ring, for as long as the ring is. */
TEST_F(memlock, follows_the_ring_not_the_process)
{
	struct child maker, again;
	const char *name = unique_name();
	int keeper;

	ASSERT_LE(0, child_start(&maker));
	if (!maker.pid) {
		struct shmring_ioc_create arg = create_args(RAW, PRODUCER, 64 * page_size());
		int fd = dev_open();

		CHECK(become(USER, (64 + 17) * page_size()));
		set_name(arg.name, name);
		CHECK_EQ(0, dev_ioctl(fd, SHMRING_IOC_CREATE, &arg));
		CHECK(tell(maker.sock));
		hear(maker.sock);
		_exit(0);
	}
	ASSERT_TRUE(hear(maker.sock));
	keeper = ring_attach(CONSUMER, name);
	ASSERT_LE(0, keeper);
	tell(maker.sock);
	ASSERT_EQ(0, child_end(&maker));
	for (int kept = 1; kept >= 0; kept--) {
		ASSERT_LE(0, child_start(&again));
		if (!again.pid) {
			int fd = dev_open();

			CHECK(become(USER, (64 + 17) * page_size()));
			CHECK_EQ(kept ? -EDQUOT : 0, create_on(fd, 64 * page_size()));
			_exit(0);
		}
		EXPECT_EQ(0, child_end(&again));
		close(keeper);
	}
}

/* All capabilities of a namespace of one's own: the user is the same, and pays the same. */
static void exhaust_in_a_user_namespace(void)
{
	int before = dev_open(), within = dev_open(), more = dev_open();

	CHECK_EQ(0, create_on(before, page_size()));
	CHECK_EQ(-EDQUOT, create_on(more, page_size()));
	if (unshare(CLONE_NEWUSER))
		_exit(KSFT_SKIP);
	CHECK_EQ(-EDQUOT, create_on(within, page_size()));
	close(before);
	CHECK_EQ(0, create_on(within, page_size()));
	CHECK_EQ(-EDQUOT, create_on(more, page_size()));
	_exit(0);
}

TEST_F(memlock, user_namespace_is_no_way_out)
{
	int ret;

	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		CHECK(become(USER, 4 * page_size()));
		exhaust_in_a_user_namespace();
	}
	ret = child_end(&self->c);
	if (ret == KSFT_SKIP)
		SKIP(return, "no user namespaces for users");
	EXPECT_EQ(0, ret);
}

TEST_F(memlock, is_not_for_who_may_lock)
{
	struct rlimit none = { 0, 0 };
	int fd;

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	fd = ring_create(SPSC, PRODUCER, MIB, NULL);
	EXPECT_LE(0, fd);
	close(fd);
}

/* ---- the module's own limits ---- */

FIXTURE(limit) {
	char max[32], user[32];
	struct stat before;
	struct child c;
};

static bool set_limit(const char *which, unsigned long bytes)
{
	char path[80], text[32];

	snprintf(path, sizeof(path), PARAM_DIR "%s", which);
	snprintf(text, sizeof(text), "%lu", bytes);
	return write_text(path, text);
}

FIXTURE_SETUP(limit)
{
	snprintf(self->max, sizeof(self->max), "%lld", read_number(PARAM_DIR "max_bytes"));
	snprintf(self->user, sizeof(self->user), "%lld", read_number(PARAM_DIR "max_user_bytes"));
	ASSERT_NE('-', self->max[0]);
	ASSERT_NE('-', self->user[0]);
	ASSERT_EQ(0, stat(DEVICE, &self->before));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
}

FIXTURE_TEARDOWN(limit)
{
	write_text(PARAM_DIR "max_bytes", self->max);
	write_text(PARAM_DIR "max_user_bytes", self->user);
	chmod(DEVICE, self->before.st_mode & 0777);
}

/* Rings that others hold count as well: these tests want the device for themselves. */
TEST_F(limit, of_all_rings)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, page_size());
	int fd, second;

	ASSERT_TRUE(set_limit("max_bytes", 1));
	EXPECT_EQ(-ENOSPC, ring_create_with(&arg));
	ASSERT_TRUE(set_limit("max_bytes", 4 * page_size()));
	fd = ring_create_with(&arg);
	ASSERT_LE(0, fd);
	second = dev_open();
	EXPECT_EQ(-ENOSPC, dev_ioctl(second, SHMRING_IOC_CREATE, &arg));
	close(fd);
	EXPECT_EQ(0, dev_ioctl(second, SHMRING_IOC_CREATE, &arg));
	close(second);
	ASSERT_TRUE(set_limit("max_bytes", 0));
	fd = ring_create(SPSC, PRODUCER, 4 * MIB, NULL);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(limit, of_all_rings_holds_without_a_leak)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, page_size());

	ASSERT_TRUE(set_limit("max_bytes", 4 * page_size()));
	for (int i = 0; i < 500; i++) {
		int fd = ring_create_with(&arg);

		ASSERT_LE(0, fd);
		close(fd);
	}
}

TEST_F(limit, of_a_user)
{
	struct child other;

	ASSERT_TRUE(set_limit("max_user_bytes", 4 * page_size()));
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		int fd = dev_open(), second = dev_open();

		CHECK(become(USER, RLIM_INFINITY));
		CHECK_EQ(-EDQUOT, create_on(fd, 2 * page_size()));
		CHECK_EQ(0, create_on(fd, page_size()));
		CHECK_EQ(-EDQUOT, create_on(second, page_size()));
		CHECK(tell(self->c.sock));
		hear(self->c.sock);
		close(fd);
		CHECK_EQ(0, create_on(second, page_size()));
		_exit(0);
	}
	ASSERT_TRUE(hear(self->c.sock));
	ASSERT_LE(0, child_start(&other));
	if (!other.pid) {
		int fd = dev_open();

		CHECK(become(OTHER, RLIM_INFINITY));
		CHECK_EQ(0, create_on(fd, page_size()));	/* has a limit of its own */
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&other));
	tell(self->c.sock);
	EXPECT_EQ(0, child_end(&self->c));
}

TEST_F(limit, of_a_user_in_a_user_namespace)
{
	int ret;

	ASSERT_TRUE(set_limit("max_user_bytes", 4 * page_size()));
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		CHECK(become(USER, RLIM_INFINITY));
		exhaust_in_a_user_namespace();
	}
	ret = child_end(&self->c);
	if (ret == KSFT_SKIP)
		SKIP(return, "no user namespaces for users");
	EXPECT_EQ(0, ret);
}

TEST_HARNESS_MAIN
