// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds what: rights that a module gets by a descriptor, rings that it makes and
 * hands on, how long they live, who pays, and in which order modules can be unloaded.
 */
#include "kernel.h"

FIXTURE(lifetime) {
	int loaded;
};

FIXTURE_SETUP(lifetime)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(lifetime)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

static struct shmring_ioc_create make_args(const char *name, __u32 mode)
{
	struct shmring_ioc_create arg = create_args(MPSC, 0, 4096);

	arg.mode = mode;
	set_name(arg.name, name);
	return arg;
}

/* A user of the module that has made a ring. */
static int made(const char *name, __u32 mode)
{
	struct shmring_ioc_create arg = make_args(name, mode);
	int user = kt_open(), err;

	if (user < 0)
		return user;
	err = kt_with(user, KT_CREATE, &arg);
	if (!err)
		return user;
	close(user);
	return err;
}

/* ---- rights ---------------------------------------------------------------- */

TEST_F(lifetime, rights_of_the_descriptor)
{
	struct kt_consumer pull = { 0 };
	struct shmring_ioc_info info;
	int maker, rx, tx, user;

	NEED_MODULE();
	maker = made(NULL, 0600);
	ASSERT_LE(0, maker);
	rx = kt(maker, KT_FILE, CONSUMER);
	ASSERT_LE(0, rx);
	user = kt_get(rx);
	ASSERT_EQ(0, kt_with(user, KT_INFO, &info));
	EXPECT_EQ(4, info.rights);
	EXPECT_EQ(-EACCES, kt(user, KT_PRODUCER, 0));
	EXPECT_EQ(-EACCES, kt(user, KT_LANES, 1));
	EXPECT_EQ(-EACCES, kt(user, KT_FILE, PRODUCER));
	EXPECT_EQ(-EBUSY, kt_with(user, KT_CONSUMER, &pull));
	EXPECT_EQ(-EACCES, ring_attach_fd(PRODUCER, rx));
	close(user);

	tx = kt(maker, KT_FILE, PRODUCER);
	ASSERT_LE(0, tx);
	user = kt_get(tx);
	ASSERT_EQ(0, kt_with(user, KT_INFO, &info));
	EXPECT_EQ(2, info.rights);
	EXPECT_EQ(-EACCES, kt_with(user, KT_CONSUMER, &pull));
	EXPECT_EQ(-EACCES, kt(user, KT_FILE, OBSERVER));
	EXPECT_EQ(0, kt(user, KT_PRODUCER, 0));
	close(user);
	close(rx);
	close(tx);
	close(maker);
}

/* A producer's file is for sending, not for seeing what others send. */
TEST_F(lifetime, rights_to_lanes)
{
	struct shmring_ioc_info info;
	int user, fd[2];
	size_t size;

	NEED_MODULE();
	user = made(NULL, 0600);
	ASSERT_LE(0, user);
	for (int k = 0; k < 2; k++) {
		fd[k] = kt(user, KT_FILE, PRODUCER);
		ASSERT_LE(0, fd[k]);
	}
	ASSERT_EQ(0, ring_info(fd[1], &info));
	EXPECT_EQ(2, info.rights);
	EXPECT_EQ(1, info.slot);
	size = (size_t)info.data_size;
	EXPECT_EQ(-EACCES, try_mmap(fd[1], size, PROT_READ, MAP_SHARED, (off_t)info.data_offset));
	EXPECT_EQ(0, try_mmap(fd[1], size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      (off_t)(info.data_offset + info.data_size)));
	for (int k = 0; k < 2; k++)
		close(fd[k]);
	close(user);
}

TEST_F(lifetime, wrong_descriptors)
{
	int null, unbound;

	NEED_MODULE();
	null = open("/dev/null", O_RDWR);
	unbound = dev_open();
	EXPECT_EQ(-EBADF, kt_get(-1));
	EXPECT_EQ(-EBADFD, kt_get(null));
	EXPECT_EQ(-EBADFD, kt_get(unbound));
	close(unbound);
	close(null);
}

TEST_F(lifetime, wrong_arguments)
{
	struct shmring_ioc_create arg = make_args(NULL, 0600);
	int user, ring;

	NEED_MODULE();
	user = kt_open();
	arg.size--;
	EXPECT_EQ(-EINVAL, kt_with(user, KT_CREATE, &arg));
	arg = make_args(NULL, 0600);
	arg.data_size = 0;
	EXPECT_EQ(-ERANGE, kt_with(user, KT_CREATE, &arg));
	arg = make_args(NULL, 0600);
	arg.node = 1000;
	arg.placement = SHMRING_PLACE_STRICT;
	EXPECT_EQ(-ENXIO, kt_with(user, KT_CREATE, &arg));
	arg = make_args(NULL, 0600);
	arg.topology = 77;
	EXPECT_EQ(-EINVAL, kt_with(user, KT_CREATE, &arg));
	arg = make_args(NULL, 0600);
	ASSERT_EQ(0, kt_with(user, KT_CREATE, &arg));
	EXPECT_EQ(-EINVAL, kt(user, KT_FILE, PRODUCER | CONSUMER));
	EXPECT_EQ(-EINVAL, kt(user, KT_LANES, 5));
	close(user);

	/* No records, no endpoints of a module. */
	ring = ring_create(RAW, PRODUCER, 4096, NULL);
	user = kt_get(ring);
	ASSERT_LE(0, user);
	EXPECT_EQ(-EOPNOTSUPP, kt(user, KT_PRODUCER, 0));
	EXPECT_EQ(-EOPNOTSUPP, kt(user, KT_LANES, 1));
	close(user);
	close(ring);
}

TEST_F(lifetime, called_only_where_somebody_wakes)
{
	struct kt_consumer called = { .flags = KT_CALLED }, pull = { 0 };
	struct shmring_ioc_create arg = make_args(NULL, 0600);
	int user;

	NEED_MODULE();
	user = kt_open();
	arg.flags = SHMRING_CREATE_SPIN;
	ASSERT_EQ(0, kt_with(user, KT_CREATE, &arg));
	EXPECT_EQ(-EOPNOTSUPP, kt_with(user, KT_CONSUMER, &called));
	EXPECT_EQ(0, kt_with(user, KT_CONSUMER, &pull));
	close(user);
}

TEST_F(lifetime, slots_are_given_back)
{
	struct shmring_ioc_create arg = make_args(NULL, 0600);
	struct shmring_ioc_info info;
	int user, other, ring;

	NEED_MODULE();
	arg.producers = 1;
	user = kt_open();
	ASSERT_EQ(0, kt_with(user, KT_CREATE, &arg));
	ring = kt(user, KT_FILE, OBSERVER);
	ASSERT_LE(0, ring);
	other = kt_get(kt(user, KT_FILE, CONSUMER));
	close(other);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	EXPECT_EQ(-EBUSY, kt(user, KT_FILE, PRODUCER));
	ASSERT_EQ(0, kt(user, KT_DETACH_TX, 0));
	/* More lanes than there are: what was taken is free again. */
	EXPECT_EQ(-EINVAL, kt(user, KT_LANES, 2));
	EXPECT_EQ(0, kt(user, KT_LANES, 1));
	ASSERT_EQ(0, kt(user, KT_DETACH_TX, 0));
	ASSERT_EQ(0, ring_info(ring, &info));
	EXPECT_EQ(1, info.slots_live);
	close(ring);
	close(user);
}

/* ---- names and life -------------------------------------------------------- */

TEST_F(lifetime, found_by_name)
{
	const char *name = unique_name();
	struct shmring_ioc_info info;
	int user, fd, list;

	NEED_MODULE();
	user = made(name, 0640);
	ASSERT_LE(0, user);
	EXPECT_EQ(-EEXIST, made(name, 0600));
	list = dev_open();
	ASSERT_EQ(0, ring_list_find(list, name, &info));
	EXPECT_EQ(0640, info.mode);
	EXPECT_EQ(0, info.uid);
	EXPECT_EQ(0, info.slots_live);
	fd = ring_attach(CONSUMER, name);
	EXPECT_LE(0, fd);
	/* The module lets go: the ring is the program's, then nobody's. */
	close(user);
	EXPECT_EQ(0, ring_list_find(list, name, &info));
	close(fd);
	EXPECT_EQ(-ENOENT, ring_list_find(list, name, &info));
	EXPECT_EQ(-ENOENT, ring_attach(CONSUMER, name));
	close(list);
}

TEST_F(lifetime, ref_holds_the_ring)
{
	const char *name = unique_name();
	struct kt_produce p = produce_args(KT_HARDIRQ, 5, 16);
	struct shmring_ioc_info info;
	int ring, user, list;

	NEED_MODULE();
	list = dev_open();
	ring = ring_create(MPSC, OBSERVER, 4096, name);
	user = kt_get(ring);
	ASSERT_LE(0, user);
	close(ring);
	EXPECT_EQ(0, ring_list_find(list, name, &info));
	/* A producer holds it without the ref. */
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt(user, KT_PUT, 0));
	EXPECT_EQ(0, ring_list_find(list, name, &info));
	EXPECT_EQ(1, info.slots_live);
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(5, p.written);
	ASSERT_EQ(0, kt(user, KT_DETACH_TX, 0));
	EXPECT_EQ(-ENOENT, ring_list_find(list, name, &info));
	close(user);
	close(list);
}

/* The process that made a user of the module is killed: so is what it held. */
TEST_F(lifetime, user_process_is_killed)
{
	const char *name = unique_name();
	struct shmring_ioc_info info;
	struct child c = { 0 };
	int list;

	NEED_MODULE();
	list = dev_open();
	for (int i = 0; i < 10; i++) {
		if (!child_start(&c)) {
			struct kt_consumer called = { .flags = KT_CALLED };
			struct kt_produce p = produce_args(KT_HARDIRQ, 1ull << 40, 16);
			int user = made(name, 0600);

			CHECK(user >= 0);
			CHECK_EQ(0, kt_with(user, KT_CONSUMER, &called));
			CHECK_EQ(0, kt(user, KT_PRODUCER, 0));
			p.count = 1000;
			CHECK_EQ(0, kt_with(user, KT_PRODUCE, &p));
			CHECK(tell(c.sock));
			for (;;)
				kt_with(user, KT_PRODUCE, &p);
		}
		ASSERT_TRUE(hear(c.sock));
		EXPECT_EQ(0, ring_list_find(list, name, &info));
		EXPECT_EQ(128 + SIGKILL, child_kill(&c));
		EXPECT_EQ(-ENOENT, ring_list_find(list, name, &info));
	}
	close(list);
}

TEST_F(lifetime, charged_to_the_caller)
{
	struct shmring_ioc_create arg = make_args(NULL, 0600);
	char before[32];
	int user;

	NEED_MODULE();
	snprintf(before, sizeof(before), "%lld", read_number(PARAM_DIR "max_user_bytes"));
	ASSERT_TRUE(write_text(PARAM_DIR "max_user_bytes", "65536"));
	user = kt_open();
	arg.data_size = 1 << 20;
	EXPECT_EQ(-EDQUOT, kt_with(user, KT_CREATE, &arg));
	ASSERT_TRUE(write_text(PARAM_DIR "max_user_bytes", before));
	EXPECT_EQ(0, kt_with(user, KT_CREATE, &arg));
	close(user);
}

/* ---- modules --------------------------------------------------------------- */

TEST_F(lifetime, module_in_use_is_not_unloaded)
{
	int user, fd;

	NEED_MODULE();
	/* By whoever uses its symbols. */
	EXPECT_EQ(-EWOULDBLOCK, module_unload("shmring"));
	user = made(NULL, 0600);
	ASSERT_LE(0, user);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("shmring_test"));
	fd = kt(user, KT_FILE, CONSUMER);
	ASSERT_LE(0, fd);
	close(user);
	/* A descriptor made by the module needs it no more, but still needs this one. */
	ASSERT_EQ(0, module_unload("shmring_test"));
	EXPECT_EQ(-EWOULDBLOCK, module_unload("shmring"));
	EXPECT_EQ(-EPIPE, ring_wait(fd, IN, NOW) == -EAGAIN ? -EPIPE : 0);
	close(fd);
	ASSERT_EQ(0, kt_load());
}

/* A file that the module made can be mapped like one that was opened. */
TEST_F(lifetime, file_is_an_endpoint)
{
	struct kt_produce p = produce_args(KT_SOFTIRQ, 100, 32);
	struct kt_record rec;
	struct member m;
	int user, fd;

	NEED_MODULE();
	user = made(NULL, 0600);
	fd = kt(user, KT_FILE, CONSUMER);
	ASSERT_TRUE(member_start(&m, fd));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	ASSERT_LT(20, p.written);
	for (__u64 i = 0; i < p.written; i++)
		ASSERT_EQ(32, member_record(&m, &rec));
	/* The right to write stays with those who have it. */
	EXPECT_EQ(-EACCES, try_mmap(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				    lane_offset(&m.info, 0)));
	EXPECT_EQ(-EISCONN, dev_ioctl(fd, SHMRING_IOC_ATTACH,
				      &(struct shmring_ioc_attach) { .size = 96, .role = CONSUMER,
				      .fd = fd, .flags = SHMRING_ATTACH_FD, .cursor_node = -1 }));
	member_close(&m);
	close(user);
}

TEST_HARNESS_MAIN
