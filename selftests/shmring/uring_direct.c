// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring memory as io_uring's registered buffers, and files written from it and read into it
 * past the page cache. Registering gives no right that a mapping does not have.
 */
#include <linux/version.h>
#include <sys/utsname.h>

#include "endpoint.h"
#include "uring.h"

#define SIZE	(64u * 1024)

FIXTURE(direct) {
	struct uring u;
	int fd, file;
	unsigned char *mem;
	bool registers;		/* since 6.5 files other than of shared memory are registered */
};

FIXTURE_VARIANT(direct) {
	__u64 data_size;
};

FIXTURE_VARIANT_ADD(direct, base_pages) { 2 * SIZE };
FIXTURE_VARIANT_ADD(direct, huge_pages) { 2ul << 20 };

static bool kernel_registers(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname uts;

	if (uname(&uts))
		return false;
	if (sscanf(uts.release, "%u.%u", &major, &minor) != 2)
		return false;
	return KERNEL_VERSION(major, minor, 0) >= KERNEL_VERSION(6, 5, 0);
}

FIXTURE_SETUP(direct)
{
	char path[128];
	const char *dir = getenv("SHMRING_TEST_DISK");

	self->u.fd = -1;
	self->registers = kernel_registers();
	snprintf(path, sizeof(path), "%s/direct.%d", dir ? dir : ".", getpid());
	self->file = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT, 0600);
	if (self->file >= 0)
		unlink(path);
	else if (errno == EINVAL)
		self->file = -2;
	self->fd = ring_create(RAW, PRODUCER, variant->data_size, NULL);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(direct)
{
	if (self->u.fd >= 0)
		uring_close(&self->u);
	close(self->file);
	close(self->fd);
}

static unsigned char *map_data(int fd, int prot)
{
	struct shmring_ioc_info info;

	if (ring_info(fd, &info))
		return MAP_FAILED;
	return mmap(NULL, (size_t)info.data_size, prot, MAP_SHARED, fd, (off_t)info.data_offset);
}

static int uring_register(struct uring *u, void *at, size_t len)
{
	struct iovec iov = { at, len };

	return syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_BUFFERS, &iov, 1) ? -errno : 0;
}

static int transfer(struct uring *u, int op, int file, void *at, __u64 off)
{
	struct io_uring_sqe sqe = {
		.opcode = (__u8)op,
		.fd = file,
		.addr = (uintptr_t)at,
		.len = SIZE,
		.off = off,
	};
	struct io_uring_cqe cqe;
	int err = uring_submit(u, &sqe) ?: uring_wait(u, &cqe, 10);

	return err ? err : cqe.res;
}

static void there_and_back(struct __test_metadata *_metadata, FIXTURE_DATA(direct) *self,
			   int write_op, int read_op)
{
	for (unsigned int k = 0; k < SIZE; k++)
		self->mem[k] = (unsigned char)(k * 31 >> 3);
	memset(self->mem + SIZE, 0, SIZE);
	ASSERT_EQ(SIZE, transfer(&self->u, write_op, self->file, self->mem, 0));
	ASSERT_EQ(SIZE, transfer(&self->u, read_op, self->file, self->mem + SIZE, 0));
	EXPECT_EQ(0, memcmp(self->mem, self->mem + SIZE, SIZE));
}

#define NEED_DISK() do {							\
	if (self->file == -2)							\
		SKIP(return, "no O_DIRECT here: set SHMRING_TEST_DISK");	\
	ASSERT_LE(0, self->file);						\
} while (0)

TEST_F(direct, unregistered)
{
	URING_OPEN(&self->u);
	NEED_DISK();
	self->mem = map_data(self->fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, self->mem);
	there_and_back(_metadata, self, IORING_OP_WRITE, IORING_OP_READ);
}

TEST_F(direct, registered)
{
	URING_OPEN(&self->u);
	NEED_DISK();
	self->mem = map_data(self->fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, self->mem);
	if (!self->registers) {
		EXPECT_EQ(-EOPNOTSUPP, uring_register(&self->u, self->mem, 2 * SIZE));
		return;
	}
	ASSERT_EQ(0, uring_register(&self->u, self->mem, 2 * SIZE));
	there_and_back(_metadata, self, IORING_OP_WRITE_FIXED, IORING_OP_READ_FIXED);
}

/* What a reader maps, nothing writes for him: neither registered nor by a plain read. */
TEST_F(direct, gives_no_right_to_write)
{
	unsigned char *mine;
	int reader;

	URING_OPEN(&self->u);
	NEED_DISK();
	self->mem = map_data(self->fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, self->mem);
	memset(self->mem, 0x5a, SIZE);
	reader = ring_attach_fd(CONSUMER, self->fd);
	ASSERT_LE(0, reader);
	mine = map_data(reader, PROT_READ);
	ASSERT_NE(MAP_FAILED, mine);
	EXPECT_EQ(-EFAULT, uring_register(&self->u, mine, SIZE));
	EXPECT_EQ(SIZE, transfer(&self->u, IORING_OP_WRITE, self->file, mine, 0));
	memset(self->mem, 0, SIZE);
	EXPECT_EQ(-EFAULT, transfer(&self->u, IORING_OP_READ, self->file, mine, 0));
	for (unsigned int k = 0; k < SIZE; k++)
		ASSERT_EQ(0, self->mem[k]);
	close(reader);
}

/* What is registered outlives the mapping and the descriptor, and is then nobody's harm. */
TEST_F(direct, registered_and_gone)
{
	struct shmring_ioc_info info;

	URING_OPEN(&self->u);
	NEED_DISK();
	if (!self->registers)
		SKIP(return, "nothing is registered before Linux 6.5");
	self->mem = map_data(self->fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, self->mem);
	ASSERT_EQ(0, ring_info(self->fd, &info));
	ASSERT_EQ(0, uring_register(&self->u, self->mem, SIZE));
	munmap(self->mem, (size_t)info.data_size);
	close(self->fd);
	EXPECT_EQ(SIZE, transfer(&self->u, IORING_OP_WRITE_FIXED, self->file, self->mem, 0));
	EXPECT_EQ(SIZE, transfer(&self->u, IORING_OP_READ_FIXED, self->file, self->mem, 0));
}

TEST_HARNESS_MAIN
