// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring that is big enough is mapped by 2 MiB pages, in both halves of the double
 * mapping; SMALL is not; HUGE is all or nothing.
 */
#include <pthread.h>
#include <sys/resource.h>

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

#define BALANCING	"/sys/kernel/debug/sched/numa_balancing/"

/* How NUMA balancing is hurried, and left as it was. */
struct knob {
	char path[80];
	char was[24];
};

static bool knob_turn(struct knob *knob, const char *name)
{
	snprintf(knob->path, sizeof(knob->path), BALANCING "%s", name);
	snprintf(knob->was, sizeof(knob->was), "%lld", read_number(knob->path));
	return write_text(knob->path, "1");
}

static void *idle(void *arg)
{
	pause();
	return arg;
}

/* Page faults taken while each page is written once. */
static long faults_of_writing(volatile unsigned char *p, size_t size)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < size; i += page_size())
		p[i] = 1;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

/*
 * NUMA balancing takes away what a program has mapped, so that it faults and tells where it
 * uses memory from. A ring's memory stays where it is, so nobody need ask: as many huge pages
 * at each look. Private memory tells that balancing is at work: that of a process with two
 * threads, for one alone is asked only about the other node's.
 */
TEST(not_sampled_by_numa_balancing)
{
	size_t size = 8 << 20, own_size = 64 << 10;
	struct knob delay, least, most;
	int fd, looks = 0, wrong = 0;
	struct endpoint e;
	unsigned char *own;
	pthread_t thread;
	long sampled = 0;

	if (read_number("/proc/sys/kernel/numa_balancing") != 1 || access(BALANCING, F_OK))
		SKIP(return, "no NUMA balancing, or no debugfs to hurry it");
	ASSERT_TRUE(knob_turn(&delay, "scan_delay_ms"));
	ASSERT_TRUE(knob_turn(&least, "scan_period_min_ms"));
	ASSERT_TRUE(knob_turn(&most, "scan_period_max_ms"));
	fd = ring_create(SPSC, PRODUCER, size, NULL);
	ASSERT_EQ(0, endpoint_map(&e, fd));
	memset(e.data, 1, size);
	own = mmap(NULL, own_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)own);
	ASSERT_EQ(0, pthread_create(&thread, NULL, idle, NULL));
	faults_of_writing(own, own_size);
	while (sampled < 64) {
		sampled += faults_of_writing(own, own_size);
		wrong += pmd_mapped(e.data) != (long)(size >> 10);
		looks++;
	}
	EXPECT_EQ(0, wrong);
	TH_LOG("%d looks while %ld pages were sampled", looks, sampled);
	EXPECT_TRUE(write_text(most.path, most.was));
	EXPECT_TRUE(write_text(least.path, least.was));
	EXPECT_TRUE(write_text(delay.path, delay.was));
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	munmap(own, own_size);
	endpoint_unmap(&e);
	close(fd);
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
