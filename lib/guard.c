// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * How an endpoint takes the guard: through a description that is opened for it, so that two
 * threads of one process, or two processes that share the endpoint after fork(2), exclude each
 * other too.
 *
 * Later there may be no way to open one: privileges were dropped, no descriptor is left, /proc
 * is not there. For that case each handle has a spare from the start. It is shared by all who
 * share the handle, and to them its lock is one: a mutex in memory that they share makes them
 * take turns. Order: mutex, then guard. Whoever is killed with both leaves the mutex to the next
 * of them, with the guard, which the spare still has: to all who do not share it, and to
 * descriptions that are opened anew, somebody holds it. So the mutex is taken first in any case.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memfd.h"

struct shmring_spare {
	pthread_mutex_t lock;
	int fd;
};

/**
 * shmring_spare_open() - get what the guard can be taken by when nothing can be opened
 * @h: handle with @fd, open for writing
 * @name: by which it was found; NULL: by none
 *
 * Return: 0, -ENOSYS (there is no /proc, and no name to go by), -EMFILE, ...
 */
int shmring_spare_open(struct shmring_handle *h, const char *name)
{
	int fd = shmring_reopen(h->fd, O_RDWR);
	struct shmring_spare *spare;
	pthread_mutexattr_t attr;

	if (fd == -ENOSYS && name)
		fd = shmring_name_reopen(name, h->fd);
	if (fd < 0)
		return fd;
	spare = mmap(NULL, sizeof(*spare), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (spare == MAP_FAILED) {
		int err = -errno;

		close(fd);
		return err;
	}
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&spare->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	spare->fd = fd;
	h->spare = spare;
	return 0;
}

/* Others who share it may go on: the mutex is not destroyed. */
void shmring_spare_close(struct shmring_handle *h)
{
	if (!h->spare)
		return;
	close(h->spare->fd);
	munmap(h->spare, sizeof(*h->spare));
	h->spare = NULL;
}

static int shmring_guard_by(int fd, unsigned int tries)
{
	int err;

	do
		err = tries ? shmring_guard_try(fd, false, tries) : shmring_guard(fd, false);
	while (err == -EINTR);
	return err;
}

/* Take the mutex, and give up what was left with it. Return: 0, -EBUSY. */
static int shmring_spare_lock(struct shmring_spare *spare, bool wait)
{
	int err = wait ? pthread_mutex_lock(&spare->lock) : pthread_mutex_trylock(&spare->lock);

	if (err == EOWNERDEAD) {
		err = pthread_mutex_consistent(&spare->lock);
		shmring_unguard(spare->fd);
	}
	return -err;
}

/**
 * shmring_spare_settle() - do not keep the guard for somebody who was killed
 * @h: handle
 */
void shmring_spare_settle(const struct shmring_handle *h)
{
	if (h->spare && !shmring_spare_lock(h->spare, false))
		pthread_mutex_unlock(&h->spare->lock);
}

/**
 * shmring_guard_take() - take the guard of a handle's ring
 * @h: handle
 * @tries: how often to try; 0: wait for it
 *
 * Return: a descriptor for shmring_guard_drop(), which has the guard; -EBUSY; -EACCES: an
 * observer that may not write.
 */
int shmring_guard_take(const struct shmring_handle *h, unsigned int tries)
{
	struct shmring_spare *spare = h->spare;
	/* Those who share it have it no longer than they try. */
	int err = spare ? shmring_spare_lock(spare, tries != 1) : 0, fd;

	if (err)
		return err;
	fd = shmring_reopen(h->fd, O_RDWR);
	if (fd < 0 && !spare)
		return fd;
	if (fd < 0)
		fd = spare->fd;
	err = shmring_guard_by(fd, tries);
	if (!err)
		return fd;
	if (!spare || fd != spare->fd)
		close(fd);
	if (spare)
		pthread_mutex_unlock(&spare->lock);
	return err;
}

void shmring_guard_drop(const struct shmring_handle *h, int fd)
{
	if (h->spare && fd == h->spare->fd)
		shmring_unguard(fd);
	else
		shmring_guard_close(fd);
	if (h->spare)
		pthread_mutex_unlock(&h->spare->lock);
}
