// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring that is big enough is mapped by 2 MiB pages, in both halves of the double
 * mapping; SMALL is not; HUGE is all or nothing.
 */
#include "endpoint.h"

/* "FilePmdMapped" in kB of the mapping that begins at @addr, -1 if there is none. */
static long pmd_mapped(const void *addr)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool here = false;
	char line[512];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (unsigned long)addr;
		if (here && sscanf(line, "FilePmdMapped: %ld", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

FIXTURE(huge) {
	struct endpoint e;
	int fd;
};

FIXTURE_VARIANT(huge) {
	__u32 flags;
	__u64 data_size;
	bool huge;
};

FIXTURE_VARIANT_ADD(huge, small_4m) { SHMRING_CREATE_SMALL, 4 << 20, false };
FIXTURE_VARIANT_ADD(huge, small_64k) { SHMRING_CREATE_SMALL, 64 << 10, false };
FIXTURE_VARIANT_ADD(huge, default_1m) { 0, 1 << 20, false };
FIXTURE_VARIANT_ADD(huge, default_2m) { 0, 2 << 20, true };
FIXTURE_VARIANT_ADD(huge, default_4m) { 0, 4 << 20, true };
FIXTURE_VARIANT_ADD(huge, default_16m) { 0, 16 << 20, true };
FIXTURE_VARIANT_ADD(huge, huge_rounded_to_2m) { SHMRING_CREATE_HUGE, (1 << 20) + 1, true };
FIXTURE_VARIANT_ADD(huge, huge_2m) { SHMRING_CREATE_HUGE, 2 << 20, true };
FIXTURE_VARIANT_ADD(huge, huge_8m) { SHMRING_CREATE_HUGE, 8 << 20, true };

FIXTURE_SETUP(huge)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, variant->data_size);

	arg.flags = variant->flags;
	self->fd = ring_create_with(&arg);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, endpoint_map(&self->e, self->fd));
	memset(self->e.data, 1, (size_t)self->e.info.data_size);
	memset(self->e.data + self->e.info.data_size, 2, (size_t)self->e.info.data_size);
}

FIXTURE_TEARDOWN(huge)
{
	endpoint_unmap(&self->e);
	close(self->fd);
}

TEST_F(huge, mapped_as_told)
{
	long all = (long)(self->e.info.data_size >> 10);
	long want = variant->huge ? all : 0;

	EXPECT_EQ(variant->huge ? PMD_SIZE : page_size(), self->e.info.data_page_size);
	EXPECT_EQ(want, pmd_mapped(self->e.data));
	EXPECT_EQ(want, pmd_mapped(self->e.data + self->e.info.data_size));
	EXPECT_EQ(2, self->e.data[0]);
}

/* Without an address of its own wish, a program gets one where huge pages fit. */
TEST_F(huge, address_chosen_by_the_kernel)
{
	size_t size = (size_t)self->e.info.data_size;
	unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
				(off_t)self->e.info.data_offset);

	ASSERT_NE(MAP_FAILED, (void *)p);
	memset(p, 3, size);
	EXPECT_EQ(variant->huge ? (long)(size >> 10) : 0, pmd_mapped(p));
	munmap(p, size);
}

/* A part unmapped splits the mapping, not the page: nothing is lost. */
TEST_F(huge, part_unmapped)
{
	size_t page = page_size();

	ASSERT_EQ(0, munmap(self->e.data + page, page));
	EXPECT_EQ(2, self->e.data[0]);
	EXPECT_EQ(2, self->e.data[2 * page]);
	EXPECT_EQ(2, self->e.data[self->e.info.data_size + page]);
	self->e.data[2 * page] = 9;
	EXPECT_EQ(9, self->e.data[self->e.info.data_size + 2 * page]);
}

FIXTURE(too_small) {};

FIXTURE_VARIANT(too_small) {
	__u64 data_size;
};

FIXTURE_VARIANT_ADD(too_small, one_byte) { 1 };
FIXTURE_VARIANT_ADD(too_small, one_mib) { 1 << 20 };

FIXTURE_SETUP(too_small) {}
FIXTURE_TEARDOWN(too_small) {}

TEST_F(too_small, huge_is_refused)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, variant->data_size);

	arg.flags = SHMRING_CREATE_HUGE;
	EXPECT_EQ(-ERANGE, ring_create_with(&arg));
}

TEST_HARNESS_MAIN
