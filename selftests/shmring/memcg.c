// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory cgroup of who makes a ring is charged for it, refuses at its limit without
 * killing anybody, gets it all back, and reclaims nothing of it.
 */
#include "endpoint.h"

#define MIB		(1ul << 20)

FIXTURE(memcg) {
	char root[64], dir[96];
	struct child c;
};

/* A cgroup of its own under the place where cgroup2 is, or is put by this test. */
static const char *memcg_make(FIXTURE_DATA(memcg) *self)
{
	char path[128];

	strcpy(self->root, "/sys/fs/cgroup");
	snprintf(path, sizeof(path), "%s/cgroup.controllers", self->root);
	if (access(path, F_OK))
		return "no cgroup2 at /sys/fs/cgroup";
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", self->root);
	write_text(path, "+memory");
	snprintf(self->dir, sizeof(self->dir), "%s/kst-%d", self->root, getpid());
	if (mkdir(self->dir, 0755))
		return "cannot make a cgroup";
	snprintf(path, sizeof(path), "%s/memory.current", self->dir);
	return access(path, F_OK) ? "no memory controller" : NULL;
}

static long long memcg_read(FIXTURE_DATA(memcg) *self, const char *file)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", self->dir, file);
	return read_number(path);
}

static bool memcg_write(FIXTURE_DATA(memcg) *self, const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", self->dir, file);
	return write_text(path, text);
}

FIXTURE_SETUP(memcg) {}

FIXTURE_TEARDOWN(memcg)
{
	if (self->dir[0])
		rmdir(self->dir);
}

#define NEED_MEMCG() do {						\
	const char *why_ = memcg_make(self);				\
									\
	if (why_)							\
		SKIP(return, "%s", why_);				\
} while (0)

static long long number_after(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	char line[128];
	long long n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ' ')
			n = strtoll(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return n;
}

TEST_F(memcg, charged_and_given_back)
{
	long long with, after;
	char path[160];

	NEED_MEMCG();
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		int fd;

		CHECK(memcg_write(self, "cgroup.procs", "0"));
		CHECK((fd = ring_create(SPSC, PRODUCER, 32 * MIB, NULL)) >= 0);
		CHECK(tell(self->c.sock));
		CHECK(hear(self->c.sock));
		close(fd);
		CHECK(tell(self->c.sock));
		hear(self->c.sock);
		_exit(0);
	}
	ASSERT_TRUE(hear(self->c.sock));
	with = memcg_read(self, "memory.current");
	snprintf(path, sizeof(path), "%s/memory.stat", self->dir);
	EXPECT_LE((long long)(32 * MIB), number_after(path, "file"));
	ASSERT_TRUE(tell(self->c.sock));
	ASSERT_TRUE(hear(self->c.sock));
	after = memcg_read(self, "memory.current");
	EXPECT_LE((long long)(32 * MIB), with);
	EXPECT_LE((long long)(31 * MIB), with - after);
	EXPECT_GT((long long)MIB, number_after(path, "file"));
	tell(self->c.sock);
	EXPECT_EQ(0, child_end(&self->c));
}

/* At the limit CREATE fails; nobody is killed for it. */
TEST_F(memcg, limit_is_enomem)
{
	char path[160];

	NEED_MEMCG();
	snprintf(path, sizeof(path), "%s/memory.events", self->dir);
	ASSERT_TRUE(memcg_write(self, "memory.max", "16777216"));
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		int fd;

		CHECK(memcg_write(self, "cgroup.procs", "0"));
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(-ENOMEM, ring_create(SPSC, PRODUCER, 32 * MIB, NULL));
			CHECK((fd = ring_create(SPSC, PRODUCER, 8 * MIB, NULL)) >= 0);
			CHECK_EQ(-ENOMEM, ring_create(SPSC, PRODUCER, 8 * MIB, NULL));
			close(fd);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
	EXPECT_EQ(0, number_after(path, "oom_kill"));
}

/* Reclaim finds nothing of a ring that it could take. */
TEST_F(memcg, reclaim_takes_nothing)
{
	NEED_MEMCG();
	ASSERT_LE(0, child_start(&self->c));
	if (!self->c.pid) {
		struct endpoint e;

		CHECK(memcg_write(self, "cgroup.procs", "0"));
		CHECK_EQ(0, endpoint_map(&e, ring_create(SPSC, PRODUCER, 8 * MIB, NULL)));
		memset(e.data, 0xa5, 8 * MIB);
		memcg_write(self, "memory.reclaim", "16777216");
		for (size_t i = 0; i < 8 * MIB; i++)
			CHECK_EQ(0xa5, e.data[i]);
		CHECK(memcg_read(self, "memory.current") >= (long long)(8 * MIB));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&self->c));
}

TEST_HARNESS_MAIN
