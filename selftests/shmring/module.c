// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module stays as long as anybody needs it and goes when nobody does. Where the file
 * is, is told by SHMRING_KO; without it nothing is unloaded.
 */
#include "kernel.h"

static int unload(void)
{
	return module_unload("shmring");
}

FIXTURE(module) {
	const char *file;
	struct stat before;
};

FIXTURE_SETUP(module)
{
	self->file = getenv("SHMRING_KO");
	stat(DEVICE, &self->before);
}

FIXTURE_TEARDOWN(module) {}

#define NEED_FILE() do {						\
	if (!self->file)						\
		SKIP(return, "SHMRING_KO does not name the module");	\
} while (0)

/* Unload and load: what has to work as soon as nobody holds it any more. */
static void expect_free(struct __test_metadata *_metadata, FIXTURE_DATA(module) *self)
{
	EXPECT_EQ(0, unload());
	EXPECT_NE(0, access(DEVICE, F_OK));
	ASSERT_EQ(0, module_load(self->file));
	/* devtmpfs has made the node anew */
	EXPECT_EQ(0, chown(DEVICE, self->before.st_uid, self->before.st_gid));
	EXPECT_EQ(0, chmod(DEVICE, self->before.st_mode & 0777));
}

TEST_F(module, unloads_and_loads)
{
	NEED_FILE();
	for (int i = 0; i < 3; i++)
		expect_free(_metadata, self);
}

TEST_F(module, held_by_an_unbound_file)
{
	int fd;

	NEED_FILE();
	fd = dev_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(fd);
	expect_free(_metadata, self);
}

TEST_F(module, held_by_an_endpoint)
{
	int fd;

	NEED_FILE();
	fd = ring_create(SPSC, PRODUCER, page_size(), NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(fd);
	expect_free(_metadata, self);
}

TEST_F(module, held_by_a_mapping)
{
	struct endpoint e;
	int fd;

	NEED_FILE();
	fd = ring_create(SPSC, PRODUCER, 4 << 20, NULL);
	ASSERT_EQ(0, endpoint_map(&e, fd));
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	e.data[0] = 1;
	endpoint_unmap(&e);
	expect_free(_metadata, self);
}

TEST_F(module, held_by_a_descriptor_in_flight)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], fd;

	NEED_FILE();
	fd = ring_create(SPSC, PRODUCER, page_size(), NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(pair[0], &msg, 0));
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(pair[0]);
	close(pair[1]);
	expect_free(_metadata, self);
}

/* Page references that others took are theirs: they do not need the module. */
TEST_F(module, not_held_by_spliced_pages)
{
	struct endpoint e;
	struct iovec iov;
	char buf[64];
	int p[2];

	NEED_FILE();
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, endpoint_map(&e, ring_create(SPSC, PRODUCER, page_size(), NULL)));
	strcpy((char *)e.data, "left behind");
	iov = (struct iovec) { e.data, sizeof(buf) };
	ASSERT_EQ((ssize_t)sizeof(buf), vmsplice(p[1], &iov, 1, 0));
	endpoint_unmap(&e);
	close(e.fd);
	expect_free(_metadata, self);
	EXPECT_EQ((ssize_t)sizeof(buf), read(p[0], buf, sizeof(buf)));
	EXPECT_STREQ("left behind", buf);
	close(p[0]);
	close(p[1]);
}

TEST_HARNESS_MAIN
