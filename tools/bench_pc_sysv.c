// SPDX-License-Identifier: GPL-2.0-only
/*
 * The textbook's producer and consumer: a bounded buffer of 1024 slots in a System V
 * shared memory segment, and two POSIX semaphores that count its empty and its full
 * slots.
 */
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "bench_pc.h"

#define SLOTS	1024

struct pc_channel {
	sem_t empty;
	sem_t full;
	size_t len;
	size_t in;
	size_t out;
	char slot[];
};

static int sem_take(sem_t *sem)
{
	while (sem_wait(sem))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static inline int sysv_send(struct pc_channel *c, const void *buf, size_t len)
{
	int err = sem_take(&c->empty);

	if (err)
		return err;
	memcpy(c->slot + c->in * len, buf, len);
	c->in = (c->in + 1) % SLOTS;
	return sem_post(&c->full) ? -errno : 0;
}

static inline int sysv_recv(struct pc_channel *c, void *buf, size_t len)
{
	int err = sem_take(&c->full);

	if (err)
		return err;
	memcpy(buf, c->slot + c->out * len, len);
	c->out = (c->out + 1) % SLOTS;
	return sem_post(&c->empty) ? -errno : 0;
}

PC_LOOPS(sysv)

static int sysv_available(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	if (id < 0)
		return -errno;
	shmctl(id, IPC_RMID, NULL);
	return 0;
}

static int sysv_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c;
	int id, err = 0;

	id = shmget(IPC_PRIVATE, sizeof(*c) + SLOTS * shape->len, IPC_CREAT | 0600);
	if (id < 0)
		return -errno;
	c = shmat(id, NULL, 0);
	if (c == (void *)-1)
		err = -errno;
	/* It goes away with the last process that has it attached. */
	shmctl(id, IPC_RMID, NULL);
	if (err)
		return err;
	if (sem_init(&c->empty, 1, SLOTS) || sem_init(&c->full, 1, 0)) {
		err = -errno;
		shmdt(c);
		return err;
	}
	c->len = shape->len;
	*out = c;
	return 0;
}

static void sysv_destroy(struct pc_channel *c)
{
	shmdt(c);
}

static int sysv_join(struct pc_channel *c, unsigned int side)
{
	(void)c;
	(void)side;
	return 0;	/* attached across fork(2) */
}

static void sysv_leave(struct pc_channel *c)
{
	(void)c;
}

const struct pc_contender pc_sysv_sem = {
	.name = "sysv-sem",
	.what = "textbook: System V shared memory, 1024 slots, two POSIX semaphores",
	.available = sysv_available,
	.make = sysv_make,
	.destroy = sysv_destroy,
	.join = sysv_join,
	.leave = sysv_leave,
	.produce = sysv_produce,
	.consume = sysv_consume,
	.client = sysv_client,
	.server = sysv_server,
};
