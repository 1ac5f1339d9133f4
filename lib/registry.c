// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Names of memfd rings: files in /dev/shm. A file appears there complete and locked
 * by its first endpoint, so that a file without locks is always a leftover.
 *
 * A name is only ever removed under the exclusive guard of the file that it was seen
 * to lead to, and whoever attaches looks under the same guard whether it still
 * does: nobody joins a ring that has lost its name, and nobody removes another's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfd.h"

#define SHMRING_PATH_MAX	(sizeof(SHMRING_SHM_DIR "/" SHMRING_SHM_PREFIX) + SHMRING_NAME_MAX)

static void shmring_name_path(char *path, const char *name)
{
	snprintf(path, SHMRING_PATH_MAX, "%s/%s%s", SHMRING_SHM_DIR, SHMRING_SHM_PREFIX, name);
}

int shmring_name_check(const char *name)
{
	size_t len = strnlen(name, SHMRING_NAME_MAX), k;

	if (len == SHMRING_NAME_MAX)
		return -ENAMETOOLONG;
	if (name[0] == '.')
		return -EINVAL;
	for (k = 0; k < len; k++) {
		char c = name[k];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || strchr("._-", c)))
			return -EINVAL;
	}
	return 0;
}

static bool shmring_name_leads_to(const char *path, int fd)
{
	struct stat there, here;

	return !lstat(path, &there) && !fstat(fd, &here) &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* The file of @fd through a new description, by its name and without /proc. */
int shmring_name_reopen(const char *name, int fd)
{
	char path[SHMRING_PATH_MAX];
	struct stat there, here;
	int again;

	shmring_name_path(path, name);
	again = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (again < 0)
		return -errno;
	if (!fstat(again, &there) && !fstat(fd, &here) &&
	    there.st_dev == here.st_dev && there.st_ino == here.st_ino)
		return again;
	close(again);
	return -ENOSYS;
}

/* Under the exclusive guard of @fd, with nobody holding the ring. */
void shmring_name_unlink(int fd, const char *name)
{
	char path[SHMRING_PATH_MAX];

	if (!name[0] || shmring_name_check(name))
		return;
	shmring_name_path(path, name);
	if (shmring_name_leads_to(path, fd))
		unlink(path);
}

/**
 * shmring_name_open() - open a named ring and take its guard
 * @name: checked
 * @role: SHMRING_ROLE_*
 * @tries: how often to try for the guard; 0: wait for it
 *
 * Return: a descriptor that holds the guard, or with @tries one of a ring in use that may not;
 * -ENOENT also for a leftover, which is removed; -EPERM: which may not be; -EACCES; -EBUSY:
 * somebody keeps the guard.
 */
int shmring_name_open(const char *name, uint32_t role, unsigned int tries)
{
	char path[SHMRING_PATH_MAX];
	bool shared;
	int fd, err;

	shmring_name_path(path, name);
	for (;;) {
		shared = false;
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0 && errno == EACCES && role == SHMRING_ROLE_OBSERVER) {
			shared = true;
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		}
		if (fd < 0)
			return -errno;
		err = tries ? shmring_guard_try(fd, shared, tries) : shmring_guard(fd, shared);
		if (err && err != -EBUSY)
			goto err_close;
		if (!shmring_name_leads_to(path, fd)) {
			shmring_guard_close(fd);	/* its last endpoint has left meanwhile */
			continue;
		}
		if (shmring_held(fd))
			return fd;
		if (err)
			goto err_close;
		/* -ENOENT promises that the name is free. */
		err = shared || (unlink(path) && errno != ENOENT) ? -EPERM : -ENOENT;
		goto err_close;
	}

err_close:
	shmring_guard_close(fd);
	return err;
}

/**
 * shmring_name_link() - give a complete ring its name
 * @fd: its file, which has none yet
 * @name: checked
 *
 * Return: 0, -EEXIST, -EPERM (a leftover that may not be removed), -ENOSYS (there is no /proc),
 * or what linkat(2) gives.
 */
int shmring_name_link(int fd, const char *name)
{
	char path[SHMRING_PATH_MAX], self[SHMRING_FD_PATH_MAX];
	int other;

	shmring_name_path(path, name);
	shmring_fd_path(self, fd);
	for (;;) {
		if (!linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			return errno == ENOENT ? -ENOSYS : -errno;
		/*
		 * Opening a leftover removes it; then the name is free to try again. To look is
		 * enough to see that it is one which this caller may not remove.
		 */
		other = shmring_name_open(name, SHMRING_ROLE_OBSERVER, SHMRING_GUARD_TRIES);
		if (other >= 0) {
			shmring_guard_close(other);
			return -EEXIST;
		}
		if (other != -ENOENT)
			return other == -EINTR || other == -EPERM ? other : -EEXIST;
	}
}

static int shmring_list_one(const char *name, struct shmring_ioc_info *info)
{
	struct shmring_handle h = { .slot = SHMRING_NO_SLOT };
	int err;

	h.fd = shmring_name_open(name, SHMRING_ROLE_OBSERVER, 1);
	if (h.fd < 0)
		return h.fd;
	shmring_unguard(h.fd);
	err = shmring_memfd_check(h.fd, &h.geo);
	if (err)
		goto out_close;
	/* What a file in the wrong place says of itself is of no use. */
	memset(h.geo.name, 0, sizeof(h.geo.name));
	strcpy((char *)h.geo.name, name);
	h.ops = &shmring_memfd_ops;
	err = shmring_map_control(&h, false);
	if (err)
		goto out_close;
	info->size = sizeof(*info);
	err = h.ops->info(&h, info);
	shmring_unmap(&h);
out_close:
	close(h.fd);
	return err;
}

int shmring_memfd_list(int (*fn)(uint32_t backend, const struct shmring_ioc_info *info,
				 void *arg), void *arg)
{
	const size_t prefix = sizeof(SHMRING_SHM_PREFIX) - 1;
	struct shmring_ioc_info info;
	const struct dirent *entry;
	DIR *dir;
	int err = 0;

	dir = opendir(SHMRING_SHM_DIR);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(dir))) {
		const char *name = entry->d_name + prefix;

		if (strncmp(entry->d_name, SHMRING_SHM_PREFIX, prefix) || !*name ||
		    shmring_name_check(name))
			continue;
		/* Not readable, gone meanwhile, or no ring: not in the list. */
		if (!shmring_list_one(name, &info))
			err = fn(SHMRING_BACKEND_MEMFD, &info, arg);
	}
	closedir(dir);
	return err;
}
