// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc --race: the rings. One more is one more entry of the table at the end.
 *
 * Those of the textbook live in struct field. What is atomic there is so that the
 * compiler does not make it worse than it is written; nothing is ordered against
 * another of the same side, which is what goes wrong.
 */
#include "bench_pc_race.h"

/* The textbook, word for word, but that the compiler must not make it worse. */

static int unlocked_put(struct race *r, const uint64_t *record, bool atomic)
{
	struct field *f = r->f;
	uint32_t tail;

	if (shmring_load_acquire(&f->count) == RACE_SLOTS)
		return -EAGAIN;
	tail = shmring_load(&f->tail);
	memcpy(f->slot[tail], record, RACE_LEN);
	shmring_store(&f->tail, (tail + 1) % RACE_SLOTS);
	if (atomic)
		__atomic_fetch_add(&f->count, 1, __ATOMIC_RELEASE);
	else
		shmring_store_release(&f->count, shmring_load(&f->count) + 1);
	return 0;
}

static int unlocked_get(struct race *r, uint64_t *record, bool atomic)
{
	struct field *f = r->f;
	uint32_t head;

	if (!shmring_load_acquire(&f->count))
		return -EAGAIN;
	head = shmring_load(&f->head);
	memcpy(record, f->slot[head], RACE_LEN);
	shmring_store(&f->head, (head + 1) % RACE_SLOTS);
	if (atomic)
		__atomic_fetch_sub(&f->count, 1, __ATOMIC_RELEASE);
	else
		shmring_store_release(&f->count, shmring_load(&f->count) - 1);
	return 0;
}

static int textbook_put(struct race *r, const uint64_t *record)
{
	return unlocked_put(r, record, false);
}

static int textbook_get(struct race *r, uint64_t *record)
{
	return unlocked_get(r, record, false);
}

static int atomic_put(struct race *r, const uint64_t *record)
{
	return unlocked_put(r, record, true);
}

static int atomic_get(struct race *r, uint64_t *record)
{
	return unlocked_get(r, record, true);
}

static int locked_make(struct race *r)
{
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	err = -pthread_mutex_init(&r->f->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return err;
}

static int locked_put(struct race *r, const uint64_t *record)
{
	int err;

	pthread_mutex_lock(&r->f->lock);
	err = unlocked_put(r, record, false);
	pthread_mutex_unlock(&r->f->lock);
	return err;
}

static int locked_get(struct race *r, uint64_t *record)
{
	int err;

	pthread_mutex_lock(&r->f->lock);
	err = unlocked_get(r, record, false);
	pthread_mutex_unlock(&r->f->lock);
	return err;
}

/* A ring of one producer and one consumer for each pair of them, dealt in turn. */

static void grid_free(struct race *r)
{
	unsigned int p, c;

	for (p = 0; p < r->producers; p++)
		for (c = 0; c < r->consumers; c++)
			shmring_close(r->keeper[p][c]);
}

static int grid_make(struct race *r)
{
	struct shmring_opts opts = {
		.size = sizeof(opts), .backend = r->kind->backend,
		.data_size = RACE_SLOTS * RACE_LEN,
	};
	unsigned int p, c;
	int err = 0;

	for (p = 0; p < r->producers; p++)
		for (c = 0; c < r->consumers && !err; c++)
			err = shmring_create(NULL, SHMRING_ROLE_OBSERVER, &opts, &r->keeper[p][c]);
	if (err)
		grid_free(r);
	return err;
}

static int grid_join(struct race *r, bool producer)
{
	const struct shmring_opts opts = { .size = sizeof(opts), .backend = r->kind->backend };
	uint32_t role = producer ? SHMRING_ROLE_PRODUCER : SHMRING_ROLE_CONSUMER;
	unsigned int i, others = producer ? r->consumers : r->producers;
	int err = 0;

	for (i = 0; i < others && !err; i++)
		err = shmring_attach_fd(shmring_fd(producer ? r->keeper[r->who][i] :
							      r->keeper[i][r->who]),
					role, &opts, &r->end[i]);
	return err;
}

static void grid_leave(struct race *r)
{
	unsigned int i;

	for (i = 0; i < RACE_MOST; i++)
		shmring_close(r->end[i]);
}

static int grid_put(struct race *r, const uint64_t *record)
{
	int err = shmring_send(r->end[r->turn % r->consumers], record, RACE_LEN, SHMRING_NOWAIT);

	r->turn++;
	return err;
}

static int grid_get(struct race *r, uint64_t *record)
{
	unsigned int i;
	long got;

	for (i = 0; i < r->producers; i++) {
		got = shmring_recv(r->end[r->turn++ % r->producers], record, RACE_LEN,
				   SHMRING_NOWAIT);
		if (got == RACE_LEN)
			return 0;
		/* A producer that has ended leaves its ring closed and empty. */
		if (got != -EAGAIN && got != -EPIPE)
			return got < 0 ? (int)got : -EBADMSG;
	}
	return -EAGAIN;
}

/* One shmring for all of them. */

static int ring_make(struct race *r)
{
	struct shmring_opts opts = {
		.size = sizeof(opts), .backend = r->kind->backend, .topology = r->kind->topology,
		.data_size = RACE_SLOTS * RACE_LEN, .producers = r->producers,
		.consumers = r->consumers,
	};

	return shmring_create(NULL, SHMRING_ROLE_OBSERVER, &opts, &r->keeper[0][0]);
}

static void ring_free(struct race *r)
{
	shmring_close(r->keeper[0][0]);
}

static int ring_join(struct race *r, bool producer)
{
	const struct shmring_opts opts = { .size = sizeof(opts), .backend = r->kind->backend };

	return shmring_attach_fd(shmring_fd(r->keeper[0][0]),
				 producer ? SHMRING_ROLE_PRODUCER : SHMRING_ROLE_CONSUMER, &opts,
				 &r->end[0]);
}

static void ring_leave(struct race *r)
{
	shmring_close(r->end[0]);
}

static int ring_put(struct race *r, const uint64_t *record)
{
	return shmring_send(r->end[0], record, RACE_LEN, SHMRING_NOWAIT);
}

static int ring_get(struct race *r, uint64_t *record)
{
	long got = shmring_recv(r->end[0], record, RACE_LEN, SHMRING_NOWAIT);

	if (got == RACE_LEN)
		return 0;
	if (got == -EPIPE)	/* all producers have ended, and there is nothing left */
		return -EAGAIN;
	return got < 0 ? (int)got : -EBADMSG;
}

#define PAIRS(NAME, BACKEND)						\
	.name = NAME, .correct = true, .backend = SHMRING_BACKEND_##BACKEND,	\
	.make = grid_make, .free = grid_free, .join = grid_join, .leave = grid_leave,	\
	.put = grid_put, .get = grid_get

#define RING(NAME, BACKEND, TOPOLOGY)					\
	.name = NAME, .correct = true, .backend = SHMRING_BACKEND_##BACKEND,	\
	.topology = SHMRING_TOPO_##TOPOLOGY, .make = ring_make, .free = ring_free,	\
	.join = ring_join, .leave = ring_leave, .put = ring_put, .get = ring_get

const struct race_kind race_kinds[] = {
	{ .name = "textbook-ring", .put = textbook_put, .get = textbook_get },
	{ .name = "textbook-ring, atomic count", .put = atomic_put, .get = atomic_get },
	{ .name = "textbook-ring, locked", .correct = true, .make = locked_make,
	  .put = locked_put, .get = locked_get },
	{ PAIRS("shmring-memfd, SPSC each pair", MEMFD) },
	{ RING("shmring-memfd, MPSC", MEMFD, MPSC), .one_consumer = true },
	{ RING("shmring-memfd, QUEUE", MEMFD, QUEUE) },
	{ RING("shmring-memfd, BROADCAST", MEMFD, BROADCAST), .everyone = true },
	{ PAIRS("shmring-device, SPSC each pair", DEVICE) },
	{ RING("shmring-device, MPSC", DEVICE, MPSC), .one_consumer = true },
	{ RING("shmring-device, QUEUE", DEVICE, QUEUE) },
	{ RING("shmring-device, BROADCAST", DEVICE, BROADCAST), .everyone = true },
	{ .name = NULL },
};
