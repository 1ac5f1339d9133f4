// SPDX-License-Identifier: GPL-2.0-only
/*
 * An endpoint lives until its last descriptor and its last mapping are gone, wherever
 * they are; a ring and its name until the last endpoint is.
 */
#include "endpoint.h"

FIXTURE(life) {
	int ring;		/* an observer: sees everything, is no peer */
	int fd;			/* the endpoint in question: producer */
	struct shmring_ioc_info info;
	const struct shmring_meta *meta;
	char name[SHMRING_NAME_MAX];
};

FIXTURE_SETUP(life)
{
	strcpy(self->name, unique_name());
	self->ring = ring_create(SPSC, OBSERVER, page_size(), self->name);
	ASSERT_LE(0, self->ring);
	self->fd = ring_attach(PRODUCER, self->name);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ring_info(self->fd, &self->info));
	self->meta = mmap(NULL, (size_t)self->info.control_size, PROT_READ, MAP_SHARED,
			  self->ring, 0);
	ASSERT_NE(MAP_FAILED, (void *)(uintptr_t)self->meta);
}

FIXTURE_TEARDOWN(life) {}

#define EXPECT_LIVE()	EXPECT_EQ(SHMRING_SLOT_LIVE, self->meta->slot[0].state)
#define EXPECT_DEAD()	EXPECT_EQ(SHMRING_SLOT_DEAD, self->meta->slot[0].state)

TEST_F(life, close_ends_it)
{
	EXPECT_LIVE();
	close(self->fd);
	EXPECT_DEAD();
	EXPECT_EQ(POLLHUP, poll_now(self->ring, 0));
}

TEST_F(life, dup_keeps_it)
{
	int copy = dup(self->fd);

	close(self->fd);
	EXPECT_LIVE();
	EXPECT_EQ(-EBUSY, ring_attach(PRODUCER, self->name));
	ASSERT_EQ(0, ring_info(copy, &self->info));
	EXPECT_EQ(PRODUCER, self->info.role);
	close(copy);
	EXPECT_DEAD();
}

TEST_F(life, child_keeps_it)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		hear(c.sock);
		_exit(0);
	}
	close(self->fd);
	EXPECT_LIVE();
	tell(c.sock);
	EXPECT_EQ(0, child_end(&c));
	EXPECT_DEAD();
}

/* Every descriptor was opened with O_CLOEXEC, and the mappings go with the old image. */
TEST_F(life, exec_lets_it_go)
{
	char *const argv[] = { "lifetime", "--exec", NULL };
	struct endpoint e;
	struct child c;

	ASSERT_EQ(0, endpoint_map(&e, self->fd));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		dup2(c.sock, 0);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	endpoint_unmap(&e);
	close(self->fd);
	ASSERT_TRUE(hear(c.sock));		/* said by the new image */
	EXPECT_DEAD();
	ASSERT_TRUE(tell(c.sock));
	EXPECT_EQ(0, child_end(&c));
}

/* In flight: in a socket's queue, in no process's table. */
TEST_F(life, descriptor_in_flight_keeps_it)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], fd = -1;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &self->fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(pair[0], &msg, 0));
	close(self->fd);
	EXPECT_LIVE();
	ASSERT_EQ(1, recvmsg(pair[1], &msg, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	ASSERT_EQ(0, ring_info(fd, &self->info));
	EXPECT_EQ(PRODUCER, self->info.role);
	EXPECT_LIVE();
	close(fd);
	EXPECT_DEAD();
}

TEST_F(life, descriptor_lost_in_flight_ends_it)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &self->fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(pair[0], &msg, 0));
	close(self->fd);
	EXPECT_LIVE();
	close(pair[0]);
	close(pair[1]);
	EXPECT_DEAD();
}

TEST_F(life, each_mapping_keeps_it)
{
	const struct { __u64 offset, size; } region[] = {
		{ 0, self->info.control_size },
		{ self->info.cursor_offset, self->info.cursor_stride },
		{ self->info.data_offset, self->info.data_size },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(region); i++) {
		void *p = mmap(NULL, (size_t)region[i].size, PROT_READ, MAP_SHARED, self->fd,
			       (off_t)region[i].offset);

		ASSERT_NE(MAP_FAILED, p);
		close(self->fd);
		EXPECT_LIVE();
		EXPECT_EQ(-EBUSY, ring_attach(PRODUCER, self->name));
		ASSERT_EQ(0, munmap(p, (size_t)region[i].size));
		EXPECT_DEAD();
		self->fd = ring_attach(PRODUCER, self->name);
		ASSERT_LE(0, self->fd);
	}
}

TEST_F(life, a_single_page_keeps_it)
{
	size_t page = page_size();
	struct endpoint e;

	ASSERT_EQ(0, endpoint_map(&e, self->fd));
	close(self->fd);
	munmap(e.span, e.span_size);
	munmap(e.cursor, page);
	ASSERT_EQ(0, munmap((char *)(uintptr_t)e.meta + page, 2 * page));
	EXPECT_LIVE();
	ASSERT_EQ(0, munmap((void *)(uintptr_t)e.meta, page));
	EXPECT_DEAD();
}

TEST_F(life, a_childs_mapping_keeps_it)
{
	struct endpoint e;
	struct child c;

	ASSERT_EQ(0, endpoint_map(&e, self->fd));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		close(self->fd);
		CHECK(hear(c.sock));
		e.data[0] = 42;
		_exit(0);
	}
	endpoint_unmap(&e);
	close(self->fd);
	EXPECT_LIVE();
	tell(c.sock);
	EXPECT_EQ(0, child_end(&c));
	EXPECT_DEAD();
}

/* ---- the ring ---- */

FIXTURE(name) {
	char name[SHMRING_NAME_MAX];
};

FIXTURE_SETUP(name)
{
	strcpy(self->name, unique_name());
}

FIXTURE_TEARDOWN(name) {}

static bool gone(const char *name)
{
	struct shmring_ioc_info info;
	int fd = dev_open(), err;

	err = ring_list_find(fd, name, &info);
	close(fd);
	return err == -ENOENT && ring_attach(OBSERVER, name) == -ENOENT;
}

TEST_F(name, goes_with_the_last_endpoint)
{
	int a = ring_create(SPSC, PRODUCER, page_size(), self->name), b;

	ASSERT_LE(0, a);
	b = ring_attach(CONSUMER, self->name);
	ASSERT_LE(0, b);
	close(a);
	EXPECT_FALSE(gone(self->name));
	a = ring_attach(OBSERVER, self->name);
	ASSERT_LE(0, a);
	close(b);
	EXPECT_FALSE(gone(self->name));		/* an observer is enough */
	close(a);
	EXPECT_TRUE(gone(self->name));
}

TEST_F(name, goes_with_the_last_mapping)
{
	struct endpoint e;
	int fd = ring_create(SPSC, PRODUCER, page_size(), self->name);

	ASSERT_EQ(0, endpoint_map(&e, fd));
	close(fd);
	EXPECT_FALSE(gone(self->name));
	e.data[0] = 1;
	fd = ring_attach(CONSUMER, self->name);
	EXPECT_LE(0, fd);
	close(fd);
	endpoint_unmap(&e);
	EXPECT_TRUE(gone(self->name));
}

TEST_F(name, goes_with_a_killed_process)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		struct endpoint e;

		CHECK_EQ(0, endpoint_map(&e, ring_create(RAW, PRODUCER, 2 << 20, self->name)));
		memset(e.data, 1, 2 << 20);
		CHECK(tell(c.sock));
		pause();
	}
	ASSERT_TRUE(hear(c.sock));
	EXPECT_FALSE(gone(self->name));
	ASSERT_EQ(128 + SIGKILL, child_kill(&c));
	EXPECT_TRUE(gone(self->name));
}

/* The data outlives who wrote it, as long as somebody holds the ring. */
TEST_F(name, data_outlives_its_writer)
{
	int keeper = ring_create(RAW, OBSERVER, page_size(), self->name);
	struct endpoint e;
	struct child c;

	ASSERT_LE(0, keeper);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		close(keeper);
		CHECK_EQ(0, endpoint_map(&e, ring_attach(PRODUCER, self->name)));
		strcpy((char *)e.data, "still here");
		_exit(0);
	}
	ASSERT_EQ(0, child_end(&c));
	ASSERT_EQ(0, endpoint_map(&e, ring_attach(CONSUMER, self->name)));
	EXPECT_STREQ("still here", (char *)e.data);
	close(keeper);
}

/* The image of exec_lets_it_go: before the harness's main(), which knows no options. */
static void __attribute__((constructor)) after_exec(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exec"))
		_exit(tell(0) && hear(0) ? 0 : 1);
}

TEST_HARNESS_MAIN
