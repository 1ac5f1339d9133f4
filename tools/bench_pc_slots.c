// SPDX-License-Identifier: GPL-2.0-only
/*
 * The textbook's producer and consumer: a bounded buffer of slots in shared memory,
 * and two POSIX semaphores in it that count its empty and its full slots. The memory
 * is a System V segment, a POSIX object or an mmap'ed file; the buffer is the same.
 *
 * Names are gone as soon as they have been used, so nothing is left whatever
 * happens; only pc_messages_open() leaves its file to the caller.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "bench_pc_loops.h"

struct pc_channel {
	sem_t empty;
	sem_t full;
	size_t slots;
	size_t bytes;
	bool attached;	/* with shmat(2), not mapped */
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

static inline int slots_send(struct pc_channel *c, const void *buf, size_t len)
{
	int err = sem_take(&c->empty);

	if (err)
		return err;
	memcpy(c->slot + c->in * len, buf, len);
	c->in = (c->in + 1) % c->slots;
	return sem_post(&c->full) ? -errno : 0;
}

static inline int slots_recv(struct pc_channel *c, void *buf, size_t len)
{
	int err = sem_take(&c->full);

	if (err)
		return err;
	memcpy(buf, c->slot + c->out * len, len);
	c->out = (c->out + 1) % c->slots;
	return sem_post(&c->empty) ? -errno : 0;
}

PC_LOOPS(slots)

static size_t bytes_of(size_t slots, size_t len)
{
	return sizeof(struct pc_channel) + slots * len;
}

static int init(struct pc_channel *c, size_t slots, size_t len, bool attached)
{
	if (sem_init(&c->empty, 1, (unsigned int)slots) || sem_init(&c->full, 1, 0))
		return -errno;
	c->slots = slots;
	c->bytes = bytes_of(slots, len);
	c->attached = attached;
	return 0;
}

static void slots_destroy(struct pc_channel *c)
{
	if (c->attached)
		shmdt(c);
	else
		munmap(c, c->bytes);
}

static uint64_t slots_memory(const struct pc_channel *c)
{
	return c->bytes;
}

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

	id = shmget(IPC_PRIVATE, bytes_of(shape->slots, shape->len), IPC_CREAT | 0600);
	if (id < 0)
		return -errno;
	c = shmat(id, NULL, 0);
	if (c == (void *)-1)
		err = -errno;
	/* It goes away with the last process that has it attached. */
	shmctl(id, IPC_RMID, NULL);
	if (err)
		return err;
	err = init(c, shape->slots, shape->len, true);
	if (err)
		shmdt(c);
	else
		*out = c;
	return err;
}

/* Room on the disk first: without it a store would be a signal. */
static int map(int fd, size_t slots, size_t len, struct pc_channel **out)
{
	size_t bytes = bytes_of(slots, len);
	struct pc_channel *c;
	int err;

	err = -posix_fallocate(fd, 0, (off_t)bytes);
	if (err)
		return err;
	c = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (c == MAP_FAILED)
		return -errno;
	err = init(c, slots, len, false);
	if (err)
		munmap(c, bytes);
	else
		*out = c;
	return err;
}

/* One without a name by now, or -errno. */
static int posix_object(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/shmring-bench-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return -errno;
	shm_unlink(name);
	return fd;
}

static int posix_available(void)
{
	int fd = posix_object();

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int posix_make(const struct pc_shape *shape, struct pc_channel **out)
{
	int fd, err;

	fd = posix_object();
	if (fd < 0)
		return fd;
	err = map(fd, shape->slots, shape->len, out);
	close(fd);
	return err;
}

static int file_object(void)
{
	char path[256];
	int fd;

	fd = pc_temporary(path, sizeof(path));
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int file_available(void)
{
	int fd = file_object();

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int file_make_slots(size_t slots, size_t len, struct pc_channel **out)
{
	int fd, err;

	fd = file_object();
	if (fd < 0)
		return fd;
	err = map(fd, slots, len, out);
	close(fd);
	return err;
}

static int file_make(const struct pc_shape *shape, struct pc_channel **out)
{
	return file_make_slots(shape->slots, shape->len, out);
}

static int messages_make(const struct pc_shape *shape, struct pc_channel **out)
{
	(void)shape;
	return file_make_slots(PC_MESSAGES, PC_MESSAGE_LEN, out);
}

static const char *messages_unfit(const struct pc_shape *shape)
{
	return shape->len == PC_MESSAGE_LEN ? NULL : "its messages have 64 bytes";
}

int pc_temporary(char *path, size_t n)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (snprintf(path, n, "%s/shmring-bench.XXXXXX", dir && *dir ? dir : "/tmp") >= (int)n)
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int pc_messages_make(int fd, struct pc_channel **out)
{
	return map(fd, PC_MESSAGES, PC_MESSAGE_LEN, out);
}

int pc_messages_open(const char *path, struct pc_channel **out)
{
	size_t bytes = bytes_of(PC_MESSAGES, PC_MESSAGE_LEN);
	struct pc_channel *c;
	int fd, err = 0;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	c = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		err = -errno;
	else
		*out = c;
	close(fd);
	return err;
}

unsigned int pc_messages_waiting(struct pc_channel *c)
{
	int n = 0;

	sem_getvalue(&c->full, &n);
	return (unsigned int)n;
}

#define SLOTS_CONTENDER(NAME, TITLE, WHAT, WHERE, UNFIT, READY, MAKE)	\
const struct pc_contender pc_##NAME = {				\
	.name = TITLE,						\
	.what = WHAT,						\
	.where = WHERE,						\
	.unfit = UNFIT,						\
	.available = READY,					\
	.make = MAKE,						\
	.destroy = slots_destroy,				\
	.join = pc_join_nothing,				\
	.leave = pc_leave_nothing,				\
	.memory = slots_memory,					\
	.produce = slots_produce,				\
	.consume = slots_consume,				\
	.client = slots_client,					\
	.server = slots_server,					\
}

SLOTS_CONTENDER(sysv_sem, "sysv-sem",
		"textbook: System V shared memory, 1024 slots, two POSIX semaphores", NULL, NULL,
		sysv_available, sysv_make);
SLOTS_CONTENDER(posix_sem, "posix-shm-sem",
		"POSIX shared memory object, slots, two POSIX semaphores",
		"/dev/shm", NULL, posix_available, posix_make);
SLOTS_CONTENDER(file_sem, "mmap-file", "mmap'ed file, slots, two POSIX semaphores in it",
		PC_WHERE_FILES, NULL, file_available, file_make);
SLOTS_CONTENDER(msg_file, "message-file",
		"textbook: buffer of 100 messages of 64 bytes in an mmap'ed file, two semaphores",
		PC_WHERE_FILES, messages_unfit, file_available, messages_make);
