// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mapping lets nobody do afterwards: get back a right that was not granted, grow,
 * or lose a page. And what it does let: fork, partial unmap, two mappings in a row,
 * access by another process.
 */
#include <sys/uio.h>

#include "endpoint.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

FIXTURE(map) {
	int producer, consumer;
	struct endpoint tx, rx;
	size_t page, size;
};

FIXTURE_SETUP(map)
{
	self->page = page_size();
	self->producer = ring_create(SPSC, PRODUCER, 4 * self->page, NULL);
	ASSERT_LE(0, self->producer);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, endpoint_map(&self->tx, self->producer));
	ASSERT_EQ(0, endpoint_map(&self->rx, self->consumer));
	self->size = (size_t)self->tx.info.data_size;
	for (size_t i = 0; i < self->size; i++)
		self->tx.data[i] = (unsigned char)(i * 7 + i / self->page);
}

FIXTURE_TEARDOWN(map)
{
	endpoint_unmap(&self->rx);
	endpoint_unmap(&self->tx);
	close(self->consumer);
	close(self->producer);
}

static bool intact(const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != (unsigned char)(i * 7 + i / page_size()))
			return false;
	return true;
}

static void *control(const struct endpoint *e)
{
	return (void *)(uintptr_t)e->meta;
}

TEST_F(map, mprotect_does_not_make_writable)
{
	size_t size = (size_t)self->rx.info.control_size;

	EXPECT_EQ(-1, mprotect(self->rx.data, self->size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(control(&self->rx), size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(control(&self->tx), size, PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(map, mprotect_does_not_make_executable)
{
	EXPECT_EQ(-1, mprotect(self->tx.data, self->size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->tx.cursor, self->page, PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(map, mprotect_gives_back_what_was_granted)
{
	EXPECT_EQ(0, mprotect(self->tx.data, self->size, PROT_READ));
	EXPECT_EQ(0, mprotect(self->tx.data, self->size, PROT_READ | PROT_WRITE));
	self->tx.data[0] = 0;
}

TEST_F(map, mremap_does_not_grow)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->rx.cursor, self->page, 2 * self->page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);	/* VM_DONTEXPAND */
	EXPECT_EQ(MAP_FAILED, mremap(control(&self->rx), (size_t)self->rx.info.control_size,
				     (size_t)self->rx.info.data_offset + self->size,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
}

/* With an old size of 0 mremap makes a second mapping: of no more than the first. */
TEST_F(map, mremap_duplicate_has_the_same_rights)
{
	void *p = mremap(self->rx.data, 0, self->size, MREMAP_MAYMOVE);

	if (p != MAP_FAILED) {
		EXPECT_TRUE(intact(p, self->size));
		EXPECT_EQ(-1, mprotect(p, self->size, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
		munmap(p, self->size);
	}
	p = mremap(self->rx.data, 0, 2 * self->size, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, p);
}

TEST_F(map, mremap_moves)
{
	void *hole = mmap(NULL, self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *p;

	ASSERT_NE(MAP_FAILED, hole);
	p = mremap(self->rx.data, self->size, self->size, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	ASSERT_EQ(hole, p);
	EXPECT_TRUE(intact(p, self->size));
	EXPECT_EQ(-1, mprotect(p, self->size, PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
}

static ssize_t write_by_proc(void *to)
{
	int fd = open("/proc/self/mem", O_RDWR);
	ssize_t n = pwrite(fd, "x", 1, (off_t)(uintptr_t)to);

	close(fd);
	return n;
}

/* ptrace access forces its way into a private mapping, never into this one. */
TEST_F(map, proc_mem_does_not_write)
{
	EXPECT_EQ(-1, write_by_proc(self->rx.data));
	EXPECT_EQ(-1, write_by_proc(control(&self->rx)));
	EXPECT_EQ(-1, write_by_proc((char *)control(&self->tx) + self->page));
	EXPECT_TRUE(intact(self->rx.data, self->size));
	EXPECT_EQ(1, write_by_proc(self->tx.data));
	EXPECT_EQ('x', self->rx.data[0]);
}

TEST_SIGNAL(store_to_read_only_data_faults, SIGSEGV)
{
	int producer = ring_create(SPSC, PRODUCER, page_size(), NULL);
	struct endpoint rx;

	ASSERT_EQ(0, endpoint_map(&rx, ring_attach_fd(CONSUMER, producer)));
	*(volatile unsigned char *)rx.data = 1;
}

TEST_SIGNAL(store_to_meta_faults, SIGSEGV)
{
	struct endpoint tx;

	ASSERT_EQ(0, endpoint_map(&tx, ring_create(SPSC, PRODUCER, page_size(), NULL)));
	*(volatile __u32 *)control(&tx) = 0;
}

TEST_F(map, kernel_does_not_write_for_a_reader)
{
	int fd = open("/dev/zero", O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, read(fd, self->rx.data, 64));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(intact(self->rx.data, self->size));
	EXPECT_EQ(64, read(fd, self->tx.data, 64));
	EXPECT_EQ(0, self->rx.data[1]);
	close(fd);
}

TEST_F(map, two_in_a_row_are_one_ring)
{
	EXPECT_TRUE(intact(self->rx.data, self->size));
	EXPECT_TRUE(intact(self->rx.data + self->size, self->size));
	memcpy(self->tx.data + self->size - 4, "wrapped", 8);
	EXPECT_EQ(0, memcmp(self->rx.data + self->size - 4, "wrapped", 8));
	EXPECT_EQ(0, memcmp(self->rx.data, "ped", 4));
	EXPECT_EQ(0, memcmp(self->rx.data + self->size, "ped", 4));
}

TEST_F(map, fresh_data_is_zero)
{
	struct endpoint e;
	int fd = ring_create(SPSC, PRODUCER, self->size, NULL);

	ASSERT_EQ(0, endpoint_map(&e, fd));
	for (size_t i = 0; i < self->size; i++)
		ASSERT_EQ(0, e.data[i]);
	for (size_t i = self->page; i < e.info.control_size; i++)
		ASSERT_EQ(0, ((unsigned char *)control(&e))[i]);
	endpoint_unmap(&e);
	close(fd);
}

TEST_F(map, cursor_page_is_seen_in_control)
{
	self->rx.cursor->stalls = 0x1234;
	EXPECT_EQ(0x1234, endpoint_peer(&self->tx)->stalls);
	self->tx.cursor->stalls = 0x4321;
	EXPECT_EQ(0x4321, endpoint_peer(&self->rx)->stalls);
	EXPECT_EQ(0x1234, endpoint_slot_cursor(&self->rx, self->rx.info.slot)->stalls);
}

TEST_F(map, fork_inherits)
{
	struct child c;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK(intact(self->rx.data, self->size));
		self->tx.data[0] = 0xee;
		CHECK(mprotect(self->rx.data, self->size, PROT_WRITE) && errno == EACCES);
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
	EXPECT_EQ(0xee, self->rx.data[0]);
}

/* The pages left over go on working; the hole is a hole. */
TEST_F(map, part_is_unmapped)
{
	unsigned char vec;

	ASSERT_EQ(0, munmap(self->rx.data + self->page, self->page));
	EXPECT_TRUE(intact(self->rx.data, self->page));
	EXPECT_EQ(self->tx.data[2 * self->page], self->rx.data[2 * self->page]);
	EXPECT_EQ(-1, mincore(self->rx.data + self->page, self->page, &vec));
	EXPECT_EQ(ENOMEM, errno);
}

TEST_F(map, another_process_reads_and_writes_it)
{
	struct iovec local, remote;
	unsigned char *buf = malloc(self->size);
	struct child c;

	ASSERT_NE(NULL, buf);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		hear(c.sock);
		_exit(0);
	}
	local = (struct iovec) { buf, self->size };
	remote = (struct iovec) { self->rx.data, self->size };
	EXPECT_EQ((ssize_t)self->size, process_vm_readv(c.pid, &local, 1, &remote, 1, 0));
	EXPECT_TRUE(intact(buf, self->size));
	local.iov_len = remote.iov_len = 1;
	EXPECT_EQ(-1, process_vm_writev(c.pid, &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	remote.iov_base = self->tx.data;
	buf[0] = 0x77;
	EXPECT_EQ(1, process_vm_writev(c.pid, &local, 1, &remote, 1, 0));
	EXPECT_EQ(0x77, self->rx.data[0]);
	tell(c.sock);
	EXPECT_EQ(0, child_end(&c));
	free(buf);
}

/* vmsplice takes references to the pages: they outlive the ring. */
TEST_F(map, spliced_pages_outlive_the_ring)
{
	struct iovec iov = { self->tx.data, self->page };
	unsigned char *buf = malloc(self->page);
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ((ssize_t)self->page, vmsplice(p[1], &iov, 1, 0));
	endpoint_unmap(&self->rx);
	endpoint_unmap(&self->tx);
	close(self->consumer);
	close(self->producer);
	EXPECT_EQ((ssize_t)self->page, read(p[0], buf, self->page));
	EXPECT_TRUE(intact(buf, self->page));
	self->producer = ring_create(SPSC, PRODUCER, self->size, NULL);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_EQ(0, endpoint_map(&self->tx, self->producer));
	ASSERT_EQ(0, endpoint_map(&self->rx, self->consumer));
	free(buf);
}

/* ---- advice that would throw pages away ---- */

FIXTURE(advice) {
	int fd;
	struct endpoint e;
};

FIXTURE_VARIANT(advice) {
	int advice;
};

FIXTURE_VARIANT_ADD(advice, dontneed) { MADV_DONTNEED };
FIXTURE_VARIANT_ADD(advice, pageout) { MADV_PAGEOUT };
FIXTURE_VARIANT_ADD(advice, remove) { MADV_REMOVE };
FIXTURE_VARIANT_ADD(advice, free) { MADV_FREE };
FIXTURE_VARIANT_ADD(advice, cold) { 20 /* MADV_COLD */ };
FIXTURE_VARIANT_ADD(advice, wipeonfork) { MADV_WIPEONFORK };
FIXTURE_VARIANT_ADD(advice, mergeable) { MADV_MERGEABLE };

FIXTURE_SETUP(advice)
{
	self->fd = ring_create(SPSC, PRODUCER, 8 * page_size(), NULL);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, endpoint_map(&self->e, self->fd));
	for (size_t i = 0; i < self->e.info.data_size; i++)
		self->e.data[i] = (unsigned char)(i * 7 + i / page_size());
}

FIXTURE_TEARDOWN(advice)
{
	endpoint_unmap(&self->e);
	close(self->fd);
}

/* Whether it is refused is the kernel's business; that nothing is lost is ours. */
TEST_F(advice, loses_nothing)
{
	struct child c;

	madvise(self->e.data, (size_t)self->e.info.data_size, variant->advice);
	EXPECT_TRUE(intact(self->e.data, (size_t)self->e.info.data_size));
	EXPECT_TRUE(intact(self->e.data + self->e.info.data_size, (size_t)self->e.info.data_size));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK(intact(self->e.data, (size_t)self->e.info.data_size));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

TEST_HARNESS_MAIN
