// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may find a ring and what they may do with it: IPC namespaces, owner, group and
 * mode by name, inherited rights by descriptor, CAP_IPC_OWNER, LIST.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "shmring_test.h"

#define OWNER		1000
#define OTHER		1001
#define GROUP		1100
#define NOGROUP		1200

/* Who the caller is from now on, with no capability. */
static bool become(uid_t uid, gid_t gid)
{
	return !setgroups(0, NULL) && !setresgid(gid, gid, gid) && !setresuid(uid, uid, uid);
}

static bool keep_capability(uid_t uid, gid_t gid, int cap)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[cap / 32].effective = data[cap / 32].permitted = 1u << cap % 32;
	return !prctl(PR_SET_KEEPCAPS, 1) && become(uid, gid) && !syscall(SYS_capset, &head, data);
}

/*
 * A ring of OWNER and GROUP, made by a child that holds it until it is told. The device
 * is opened while still root: whose it may be is the administrator's business.
 */
static int hold_ring(struct child *c, const char *name, __u32 mode, __u32 topology, __u32 role)
{
	struct shmring_ioc_create arg = create_args(topology, role, page_size());
	int fd;

	if (child_start(c) < 0)
		return -errno;
	if (!c->pid) {
		fd = dev_open();
		CHECK(fd >= 0);
		CHECK(become(OWNER, GROUP));
		arg.mode = mode;
		set_name(arg.name, name);
		CHECK_EQ(0, dev_ioctl(fd, SHMRING_IOC_CREATE, &arg));
		CHECK(tell(c->sock));
		hear(c->sock);
		_exit(0);
	}
	return hear(c->sock) ? 0 : -EIO;
}

FIXTURE(mode) {
	struct child holder;
	char name[SHMRING_NAME_MAX];
};

FIXTURE_VARIANT(mode) {
	__u32 mode;
	uid_t uid;
	gid_t gid;
	int producer, consumer;		/* what ATTACH says */
	bool listed;
};

#define MODE(what, ...)	FIXTURE_VARIANT_ADD(mode, what) { __VA_ARGS__ }

MODE(owner_all, 0600, OWNER, NOGROUP, 0, 0, true);
MODE(owner_read, 0400, OWNER, NOGROUP, EACCES, 0, true);
MODE(owner_write, 0200, OWNER, NOGROUP, 0, EACCES, false);
MODE(owner_none, 0066, OWNER, GROUP, EACCES, EACCES, false);
MODE(group_all, 0660, OTHER, GROUP, 0, 0, true);
MODE(group_read, 0640, OTHER, GROUP, EACCES, 0, true);
MODE(group_write, 0620, OTHER, GROUP, 0, EACCES, false);
MODE(group_none, 0606, OTHER, GROUP, EACCES, EACCES, false);
MODE(other_all, 0606, OTHER, NOGROUP, 0, 0, true);
MODE(other_read, 0604, OTHER, NOGROUP, EACCES, 0, true);
MODE(other_write, 0602, OTHER, NOGROUP, 0, EACCES, false);
MODE(other_none, 0660, OTHER, NOGROUP, EACCES, EACCES, false);
MODE(execute_means_nothing, 0711, OTHER, GROUP, EACCES, EACCES, false);

FIXTURE_SETUP(mode)
{
	ASSERT_EQ(0, geteuid());
	strcpy(self->name, unique_name());
	ASSERT_EQ(0, hold_ring(&self->holder, self->name, variant->mode, SPSC, OBSERVER));
}

FIXTURE_TEARDOWN(mode)
{
	tell(self->holder.sock);
	child_end(&self->holder);
}

static int attach_on(int fd, __u32 role, const char *name)
{
	struct shmring_ioc_attach arg = attach_args(role, name);

	return dev_ioctl(fd, SHMRING_IOC_ATTACH, &arg);
}

TEST_F(mode, decides_by_name)
{
	struct shmring_ioc_info info;
	__u32 rights = (variant->consumer ? 0 : 4) | (variant->producer ? 0 : 2);
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), r = dev_open(), o = dev_open(), l = dev_open();

		CHECK(p >= 0 && r >= 0 && o >= 0 && l >= 0);
		CHECK(become(variant->uid, variant->gid));
		CHECK_EQ(variant->listed ? 0 : -ENOENT, ring_list_find(l, self->name, &info));
		if (variant->listed)
			CHECK_EQ(rights, info.rights);
		CHECK_EQ(-variant->producer, attach_on(p, PRODUCER, self->name));
		CHECK_EQ(-variant->consumer, attach_on(r, CONSUMER, self->name));
		CHECK_EQ(-variant->consumer, attach_on(o, OBSERVER, self->name));
		if (!variant->producer) {
			CHECK_EQ(0, ring_info(p, &info));
			CHECK_EQ(rights, info.rights);
			CHECK_EQ(OWNER, info.uid);
			CHECK_EQ(GROUP, info.gid);
			CHECK_EQ(variant->mode, info.mode);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

TEST_F(mode, supplementary_group_counts)
{
	const gid_t groups[] = { variant->gid };
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), r = dev_open();

		CHECK(!setgroups(1, groups));
		CHECK(!setresgid(NOGROUP, NOGROUP, NOGROUP));
		CHECK(!setresuid(variant->uid, variant->uid, variant->uid));
		CHECK_EQ(-variant->producer, attach_on(p, PRODUCER, self->name));
		CHECK_EQ(-variant->consumer, attach_on(r, CONSUMER, self->name));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

TEST_F(mode, cap_ipc_owner_overrides)
{
	struct shmring_ioc_info info;
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), r = dev_open();

		CHECK(keep_capability(OTHER, NOGROUP, CAP_IPC_OWNER));
		CHECK_EQ(0, ring_list_find(p, self->name, &info));
		CHECK_EQ(6, info.rights);
		CHECK_EQ(0, attach_on(p, PRODUCER, self->name));
		CHECK_EQ(0, attach_on(r, CONSUMER, self->name));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

/* Another capability does not. */
TEST_F(mode, cap_dac_override_does_not)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), r = dev_open();

		CHECK(keep_capability(variant->uid, variant->gid, CAP_DAC_OVERRIDE));
		CHECK_EQ(-variant->producer, attach_on(p, PRODUCER, self->name));
		CHECK_EQ(-variant->consumer, attach_on(r, CONSUMER, self->name));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

/* ---- by descriptor ---- */

FIXTURE(passed) {
	char name[SHMRING_NAME_MAX];
	struct shmring_ioc_info info;
};

FIXTURE_SETUP(passed)
{
	strcpy(self->name, unique_name());
}

FIXTURE_TEARDOWN(passed) {}

static int attach_by(int fd, __u32 role, int via)
{
	struct shmring_ioc_attach arg = attach_fd_args(role, via);

	return dev_ioctl(fd, SHMRING_IOC_ATTACH, &arg);
}

/* The creator's endpoint passes on everything, whatever the mode and its own role. */
TEST_F(passed, creator_gives_all)
{
	struct shmring_ioc_create arg = create_args(SPSC, OBSERVER, page_size());
	struct child c;
	int fd;

	arg.mode = 0;
	fd = ring_create_with(&arg);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), r = dev_open(), o = dev_open();

		CHECK(become(OTHER, NOGROUP));
		CHECK_EQ(0, attach_by(p, PRODUCER, fd));
		CHECK_EQ(0, attach_by(r, CONSUMER, p));
		CHECK_EQ(0, ring_info(r, &self->info));
		CHECK_EQ(6, self->info.rights);
		CHECK_EQ(0, attach_by(o, OBSERVER, r));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
	close(fd);
}

/* What was read-only by name stays read-only, through any number of hands. */
TEST_F(passed, never_grows)
{
	struct child holder, c;

	ASSERT_EQ(0, hold_ring(&holder, self->name, 0604, SPSC, OBSERVER));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int fd[5];

		for (unsigned int i = 0; i < ARRAY_SIZE(fd); i++)
			CHECK((fd[i] = dev_open()) >= 0);
		CHECK(become(OTHER, NOGROUP));
		CHECK_EQ(0, attach_on(fd[0], OBSERVER, self->name));
		CHECK_EQ(-EACCES, attach_by(fd[1], PRODUCER, fd[0]));
		CHECK_EQ(0, attach_by(fd[2], CONSUMER, fd[0]));
		CHECK_EQ(0, ring_info(fd[2], &self->info));
		CHECK_EQ(4, self->info.rights);
		CHECK_EQ(-EACCES, attach_by(fd[3], PRODUCER, fd[2]));
		CHECK_EQ(0, attach_by(fd[3], OBSERVER, fd[2]));
		CHECK_EQ(-EACCES, attach_by(fd[4], PRODUCER, fd[3]));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
	tell(holder.sock);
	EXPECT_EQ(0, child_end(&holder));
}

/* Not even when who got it could have had more by name. */
TEST_F(passed, is_not_mixed_with_the_name)
{
	struct child holder, c;
	int reader;

	ASSERT_EQ(0, hold_ring(&holder, self->name, 0604, SPSC, OBSERVER));
	reader = dev_open();
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK(become(OTHER, NOGROUP));
		CHECK_EQ(0, attach_on(reader, OBSERVER, self->name));
		_exit(0);
	}
	ASSERT_EQ(0, child_end(&c));
	EXPECT_EQ(-EACCES, ring_attach_fd(PRODUCER, reader));	/* this is root */
	reader = ring_attach(PRODUCER, self->name);
	EXPECT_LE(0, reader);
	tell(holder.sock);
	EXPECT_EQ(0, child_end(&holder));
}

/* write without read: a producer that cannot even observe */
TEST_F(passed, write_alone)
{
	struct child holder, c;

	ASSERT_EQ(0, hold_ring(&holder, self->name, 0602, RAW, OBSERVER));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), q = dev_open(), both = dev_open(), o = dev_open();

		CHECK(become(OTHER, NOGROUP));
		CHECK_EQ(-EACCES, attach_on(both, PRODUCER | CONSUMER, self->name));
		CHECK_EQ(0, attach_on(p, PRODUCER, self->name));
		CHECK_EQ(0, attach_by(q, PRODUCER, p));
		CHECK_EQ(-EACCES, attach_by(o, OBSERVER, p));
		CHECK_EQ(0, ring_info(p, &self->info));
		CHECK_EQ(2, self->info.rights);
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
	tell(holder.sock);
	EXPECT_EQ(0, child_end(&holder));
}

/* ---- what others have sent ---- */

FIXTURE(lanes) {
	char name[SHMRING_NAME_MAX];
	struct child holder;
};

FIXTURE_VARIANT(lanes) {
	__u32 topology;
};

FIXTURE_VARIANT_ADD(lanes, mpsc) { SHMRING_TOPO_MPSC };
FIXTURE_VARIANT_ADD(lanes, queue) { SHMRING_TOPO_QUEUE };
FIXTURE_VARIANT_ADD(lanes, broadcast) { SHMRING_TOPO_BROADCAST };

FIXTURE_SETUP(lanes)
{
	strcpy(self->name, unique_name());
	/* Those of the group may read and write, others only write. */
	ASSERT_EQ(0, hold_ring(&self->holder, self->name, 0662, variant->topology, PRODUCER));
}

FIXTURE_TEARDOWN(lanes)
{
	tell(self->holder.sock);
	EXPECT_EQ(0, child_end(&self->holder));
}

/* The lane of @slot, mapped by a producer: 0 or -errno. */
static int map_lane(int fd, __u32 slot, int prot)
{
	struct shmring_ioc_info info;

	CHECK_EQ(0, ring_info(fd, &info));
	CHECK(slot < info.producers);
	return try_mmap(fd, (size_t)info.data_size, prot, MAP_SHARED,
			(off_t)(info.data_offset + slot * info.data_size));
}

/* The holder's lane is 0, @p's is 1. */
static void check_lanes(int p, int others)
{
	CHECK_EQ(others, map_lane(p, 0, PROT_READ));
	CHECK_EQ(others, map_lane(p, 0, PROT_NONE));
	CHECK_EQ(-EACCES, map_lane(p, 0, PROT_READ | PROT_WRITE));
	CHECK_EQ(0, map_lane(p, 1, PROT_READ));
	CHECK_EQ(0, map_lane(p, 1, PROT_READ | PROT_WRITE));
	CHECK_EQ(others, map_lane(p, 2, PROT_READ));
}

TEST_F(lanes, who_may_read_sees_all)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open();

		CHECK(become(OTHER, GROUP));
		CHECK_EQ(0, attach_on(p, PRODUCER, self->name));
		check_lanes(p, 0);
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

TEST_F(lanes, who_may_only_write_sees_its_own)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int p = dev_open(), q = dev_open();
		struct shmring_ioc_info info;

		CHECK(become(OTHER, NOGROUP));
		CHECK_EQ(0, attach_on(p, PRODUCER, self->name));
		check_lanes(p, -EACCES);
		CHECK_EQ(0, ring_info(p, &info));
		CHECK_EQ(0, try_mmap(p, (size_t)info.control_size, PROT_READ, MAP_SHARED, 0));
		/* Nor does who attaches through it. */
		CHECK_EQ(0, attach_by(q, PRODUCER, p));
		CHECK_EQ(-EACCES, map_lane(q, 1, PROT_READ));
		CHECK_EQ(0, map_lane(q, 2, PROT_READ));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

/* What the endpoint may counts, and not who maps. */
TEST_F(lanes, whoever_has_the_descriptor)
{
	int p = dev_open();
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK(become(OTHER, NOGROUP));
		CHECK_EQ(0, attach_on(p, PRODUCER, self->name));
		_exit(0);
	}
	ASSERT_EQ(0, child_end(&c));
	EXPECT_EQ(0, map_lane(p, 1, PROT_READ));
	EXPECT_EQ(-EACCES, map_lane(p, 0, PROT_READ));	/* this is root */
	close(p);
}

/* ---- namespaces ---- */

TEST_F(passed, names_belong_to_an_ipc_namespace)
{
	int fd = ring_create(SPSC, PRODUCER, page_size(), self->name);
	struct child c;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int other;

		CHECK(!unshare(CLONE_NEWIPC));
		CHECK_EQ(-ENOENT, ring_attach(CONSUMER, self->name));
		other = dev_open();
		CHECK_EQ(-ENOENT, ring_list(other, 0, &self->info));
		close(other);
		other = ring_create(SPSC, CONSUMER, page_size(), self->name);
		CHECK(other >= 0);
		CHECK_EQ(0, ring_list(other, 0, &self->info));
		CHECK_EQ(-ENOENT, ring_list(other, self->info.ring_id, &self->info));
		CHECK(tell(c.sock));
		CHECK(hear(c.sock));
		/* a descriptor crosses */
		close(other);
		CHECK((other = ring_attach_fd(CONSUMER, fd)) >= 0);
		_exit(0);
	}
	ASSERT_TRUE(hear(c.sock));
	EXPECT_EQ(-EBUSY, ring_attach(PRODUCER, self->name));	/* mine, not the other */
	EXPECT_EQ(-EEXIST, ring_create(SPSC, PRODUCER, page_size(), self->name));
	ASSERT_TRUE(tell(c.sock));
	EXPECT_EQ(0, child_end(&c));
	close(fd);
}

/* Root in a user namespace of its own is nobody to a ring of another. */
TEST_F(passed, user_namespace)
{
	struct child holder, c;

	ASSERT_EQ(0, hold_ring(&holder, self->name, 0600, SPSC, OBSERVER));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int fd = dev_open(), keep = ring_attach(OBSERVER, self->name);

		CHECK(fd >= 0 && keep >= 0);
		CHECK(become(OTHER, NOGROUP));
		if (unshare(CLONE_NEWUSER))
			_exit(KSFT_SKIP);
		CHECK_EQ(-EACCES, attach_on(fd, CONSUMER, self->name));
		CHECK_EQ(0, ring_info(keep, &self->info));
		CHECK_EQ(65534, self->info.uid);
		CHECK_EQ(65534, self->info.gid);
		_exit(0);
	}
	switch (child_end(&c)) {
	case 0:
		break;
	case KSFT_SKIP:
		SKIP(break, "no user namespaces for users");
	default:
		EXPECT_TRUE(false);
	}
	tell(holder.sock);
	EXPECT_EQ(0, child_end(&holder));
}

TEST_HARNESS_MAIN
