// SPDX-License-Identifier: GPL-2.0-only
/*
 * RAW memory is memory like any other to the user's own synchronisation: process-shared
 * sem_t, robust mutexes and futexes between processes that have nothing in common but
 * the ring's name.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>

#include "endpoint.h"

#define ROUNDS	10000

struct shared {
	sem_t ping, pong;
	pthread_mutex_t lock;
	__u32 futex;
	__u32 turns;
};

/* A RAW ring of this name as this process has it, opened and mapped anew. */
static struct shared *open_shared(const char *name, struct endpoint *e)
{
	int fd = ring_attach(PRODUCER, name);

	if (fd < 0 || endpoint_map(e, fd))
		return NULL;
	return (void *)e->data;
}

FIXTURE(raw) {
	struct child other;
	struct endpoint e;
	struct shared *mem;
	char name[SHMRING_NAME_MAX];
};

FIXTURE_VARIANT(raw) {
	__u64 data_size;
};

FIXTURE_VARIANT_ADD(raw, page) { 4096 };
FIXTURE_VARIANT_ADD(raw, huge) { 2 << 20 };

/* The other process is forked before anything is open, so it inherits nothing. */
FIXTURE_SETUP(raw)
{
	pthread_mutexattr_t attr;
	int fd;

	strcpy(self->name, unique_name());
	ASSERT_LE(0, child_start(&self->other));
	if (!self->other.pid)
		return;
	fd = ring_create(RAW, PRODUCER | CONSUMER, variant->data_size, self->name);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->e, fd));
	self->mem = (void *)self->e.data;
	ASSERT_EQ(0, sem_init(&self->mem->ping, 1, 0));
	ASSERT_EQ(0, sem_init(&self->mem->pong, 1, 0));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	ASSERT_EQ(0, pthread_mutex_init(&self->mem->lock, &attr));
	ASSERT_TRUE(tell(self->other.sock));
}

FIXTURE_TEARDOWN(raw)
{
	endpoint_unmap(&self->e);
	close(self->e.fd);
}

TEST_F(raw, semaphores)
{
	struct endpoint mine;
	struct shared *mem;

	if (!self->other.pid) {
		CHECK(hear(self->other.sock));
		mem = open_shared(self->name, &mine);
		CHECK(mem);
		for (__u32 i = 0; i < ROUNDS; i++) {
			CHECK_EQ(0, sem_wait(&mem->ping));
			CHECK_EQ(2 * i + 1, mem->turns++);
			CHECK_EQ(0, sem_post(&mem->pong));
		}
		_exit(0);
	}
	for (__u32 i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(2 * i, self->mem->turns);
		self->mem->turns++;
		ASSERT_EQ(0, sem_post(&self->mem->ping));
		ASSERT_EQ(0, sem_wait(&self->mem->pong));
	}
	EXPECT_EQ(0, child_end(&self->other));
}

TEST_F(raw, robust_mutex_outlives_its_owner)
{
	struct endpoint mine;
	struct shared *mem;

	if (!self->other.pid) {
		CHECK(hear(self->other.sock));
		mem = open_shared(self->name, &mine);
		CHECK(mem);
		CHECK_EQ(0, pthread_mutex_lock(&mem->lock));
		CHECK(tell(self->other.sock));
		pause();
		_exit(1);
	}
	ASSERT_TRUE(hear(self->other.sock));
	EXPECT_EQ(EBUSY, pthread_mutex_trylock(&self->mem->lock));
	EXPECT_EQ(128 + SIGKILL, child_kill(&self->other));
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(&self->mem->lock));
	EXPECT_EQ(0, pthread_mutex_consistent(&self->mem->lock));
	EXPECT_EQ(0, pthread_mutex_unlock(&self->mem->lock));
	EXPECT_EQ(0, pthread_mutex_lock(&self->mem->lock));
}

/* The owner dies while this process sleeps in the lock. */
TEST_F(raw, robust_mutex_wakes_who_waits)
{
	struct endpoint mine;
	struct shared *mem;
	struct child killer;

	if (!self->other.pid) {
		CHECK(hear(self->other.sock));
		mem = open_shared(self->name, &mine);
		CHECK(mem);
		CHECK_EQ(0, pthread_mutex_lock(&mem->lock));
		CHECK(tell(self->other.sock));
		pause();
		_exit(1);
	}
	ASSERT_TRUE(hear(self->other.sock));
	ASSERT_LE(0, child_start(&killer));
	if (!killer.pid) {
		CHECK(until_asleep(getppid()));
		CHECK_EQ(0, kill(self->other.pid, SIGKILL));
		_exit(0);
	}
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(&self->mem->lock));
	EXPECT_EQ(128 + SIGKILL, child_end(&self->other));
	EXPECT_EQ(0, child_end(&killer));
}

TEST_F(raw, futex)
{
	struct endpoint mine;
	struct shared *mem;

	if (!self->other.pid) {
		CHECK(hear(self->other.sock));
		mem = open_shared(self->name, &mine);
		CHECK(mem);
		CHECK(tell(self->other.sock));
		CHECK_EQ(0, syscall(SYS_futex, &mem->futex, FUTEX_WAIT, 0, NULL, NULL, 0));
		CHECK_EQ(1, mem->futex);
		_exit(0);
	}
	ASSERT_TRUE(hear(self->other.sock));
	ASSERT_TRUE(until_asleep(self->other.pid));
	__atomic_store_n(&self->mem->futex, 1, __ATOMIC_SEQ_CST);
	EXPECT_EQ(1, syscall(SYS_futex, &self->mem->futex, FUTEX_WAKE, 1, NULL, NULL, 0));
	EXPECT_EQ(0, child_end(&self->other));
}

/* In the second of two mappings in a row the same words are the same futexes. */
TEST_F(raw, futex_in_the_second_mapping)
{
	struct endpoint mine;
	struct shared *mem;

	if (!self->other.pid) {
		CHECK(hear(self->other.sock));
		mem = open_shared(self->name, &mine);
		CHECK(mem);
		mem = (void *)(mine.data + mine.info.data_size);
		CHECK(tell(self->other.sock));
		CHECK_EQ(0, syscall(SYS_futex, &mem->futex, FUTEX_WAIT, 0, NULL, NULL, 0));
		_exit(0);
	}
	ASSERT_TRUE(hear(self->other.sock));
	ASSERT_TRUE(until_asleep(self->other.pid));
	EXPECT_EQ(1, syscall(SYS_futex, &self->mem->futex, FUTEX_WAKE, 1, NULL, NULL, 0));
	EXPECT_EQ(0, child_end(&self->other));
}

TEST_HARNESS_MAIN
