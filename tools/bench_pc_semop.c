// SPDX-License-Identifier: GPL-2.0-only
/*
 * System V throughout: a bounded buffer of slots in a shared memory segment, and a
 * set of two counting semaphores, of its empty and of its full slots. With slots of
 * an int each and 1024 of them it is the textbooks' first example.
 *
 * A set of semaphores does not go away with its users: pc_channel is private, so
 * that semop_destroy() knows which to remove.
 */
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "bench_pc_loops.h"

enum { EMPTY, FULL, SEMAPHORES };

struct buffer {
	size_t in;
	size_t out;
	char slot[];
};

struct pc_channel {
	struct buffer *buffer;
	size_t slots;
	size_t bytes;
	int sems;
};

/* For semctl(2), which the C library leaves to the caller. */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static int sem_change(int sems, unsigned short which, short by)
{
	struct sembuf op = { .sem_num = which, .sem_op = by };

	while (semop(sems, &op, 1))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static inline int semop_send(struct pc_channel *c, const void *buf, size_t len)
{
	struct buffer *b = c->buffer;
	int err = sem_change(c->sems, EMPTY, -1);

	if (err)
		return err;
	memcpy(b->slot + b->in * len, buf, len);
	b->in = (b->in + 1) % c->slots;
	return sem_change(c->sems, FULL, 1);
}

static inline int semop_recv(struct pc_channel *c, void *buf, size_t len)
{
	struct buffer *b = c->buffer;
	int err = sem_change(c->sems, FULL, -1);

	if (err)
		return err;
	memcpy(buf, b->slot + b->out * len, len);
	b->out = (b->out + 1) % c->slots;
	return sem_change(c->sems, EMPTY, 1);
}

PC_LOOPS(semop)

static int make_sems(size_t slots, int *out)
{
	unsigned short values[SEMAPHORES] = { (unsigned short)slots, 0 };
	union semun arg = { .array = values };
	int sems, err;

	sems = semget(IPC_PRIVATE, SEMAPHORES, IPC_CREAT | 0600);
	if (sems < 0)
		return -errno;
	if (semctl(sems, 0, SETALL, arg)) {
		err = -errno;
		semctl(sems, 0, IPC_RMID);
		return err;
	}
	*out = sems;
	return 0;
}

static int make_buffer(size_t bytes, struct buffer **out)
{
	void *p;
	int id, err = 0;

	id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	if (id < 0)
		return -errno;
	p = shmat(id, NULL, 0);
	if (p == (void *)-1)
		err = -errno;
	else
		*out = p;
	/* It goes away with the last process that has it attached. */
	shmctl(id, IPC_RMID, NULL);
	return err;
}

static int semop_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->slots = shape->slots;
	c->bytes = sizeof(*c->buffer) + shape->slots * shape->len;
	err = make_sems(c->slots, &c->sems);
	if (err)
		goto err_free;
	err = make_buffer(c->bytes, &c->buffer);
	if (err)
		goto err_remove_sems;
	*out = c;
	return 0;

err_remove_sems:
	semctl(c->sems, 0, IPC_RMID);
err_free:
	free(c);
	return err;
}

static void semop_destroy(struct pc_channel *c)
{
	shmdt(c->buffer);
	semctl(c->sems, 0, IPC_RMID);
	free(c);
}

static int semop_available(void)
{
	const struct pc_shape least = { .len = 8, .slots = 1 };
	struct pc_channel *c;
	int err;

	err = semop_make(&least, &c);
	if (!err)
		semop_destroy(c);
	return err;
}

static uint64_t semop_memory(const struct pc_channel *c)
{
	return c->bytes;
}

static const char *int_unfit(const struct pc_shape *shape)
{
	return shape->len == sizeof(int) ? NULL : "its slots are ints";
}

#define SEMOP_CONTENDER(NAME, TITLE, WHAT, UNFIT)		\
const struct pc_contender pc_##NAME = {				\
	.name = TITLE,						\
	.what = WHAT,						\
	.unfit = UNFIT,						\
	.available = semop_available,				\
	.make = semop_make,					\
	.destroy = semop_destroy,				\
	.join = pc_join_nothing,				\
	.leave = pc_leave_nothing,				\
	.memory = semop_memory,					\
	.produce = semop_produce,				\
	.consume = semop_consume,				\
	.client = semop_client,					\
	.server = semop_server,					\
}

SEMOP_CONTENDER(sysv_int, "sysv-int",
		"textbook: System V shared memory, 1024 ints, two System V semaphores",
		int_unfit);
SEMOP_CONTENDER(sysv_semop, "sysv-semop",
		"System V shared memory, slots, two System V semaphores", NULL);
