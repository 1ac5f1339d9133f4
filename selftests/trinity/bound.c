// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loaded before trinity's libraries: a file of /dev/shmring that it opens is an endpoint of
 * a ring. By itself it would never get that far: its ioctls are random.
 *
 * Files are nodes of the device, and the last character of their names says of which
 * topology and role: see kinds[].
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/shmring.h>

#define RINGS	"/tmp/rings/"

static const struct {
	unsigned int topology;
	unsigned int role;
} kinds[] = {
	{ SHMRING_TOPO_SPSC, SHMRING_ROLE_PRODUCER },
	{ SHMRING_TOPO_SPSC, SHMRING_ROLE_CONSUMER },
	{ SHMRING_TOPO_MPSC, SHMRING_ROLE_PRODUCER },
	{ SHMRING_TOPO_MPSC, SHMRING_ROLE_CONSUMER },
	{ SHMRING_TOPO_QUEUE, SHMRING_ROLE_PRODUCER },
	{ SHMRING_TOPO_QUEUE, SHMRING_ROLE_CONSUMER },
	{ SHMRING_TOPO_BROADCAST, SHMRING_ROLE_PRODUCER },
	{ SHMRING_TOPO_BROADCAST, SHMRING_ROLE_CONSUMER },
	{ SHMRING_TOPO_RAW, SHMRING_ROLE_PRODUCER },
	{ SHMRING_TOPO_RAW, SHMRING_ROLE_OBSERVER },
};

/* Whether that can be or not: a descriptor for reading only stays as it is. */
static void bind_to_ring(int fd, const char *path)
{
	struct shmring_ioc_create arg = {
		.size = sizeof(arg),
		.data_size = 65536,
		.mode = 0600,
		.node = -1,
		.cursor_node = -1,
	};
	unsigned int kind;

	if (strncmp(path, RINGS, sizeof(RINGS) - 1))
		return;
	kind = (unsigned int)(path[strlen(path) - 1] - '0');
	if (kind >= sizeof(kinds) / sizeof(kinds[0]))
		return;
	arg.topology = kinds[kind].topology;
	arg.role = kinds[kind].role;
	ioctl(fd, SHMRING_IOC_CREATE, &arg);
}

int open(const char *path, int flags, ...)
{
	static int (*next)(const char *path, int flags, ...);
	va_list args;
	int mode, fd;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
	va_end(args);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "open");
	fd = next(path, flags, mode);
	if (fd >= 0)
		bind_to_ring(fd, path);
	return fd;
}

/* What it takes more often. */
FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *path, const char *mode);
	FILE *file;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "fopen");
	file = next(path, mode);
	if (file)
		bind_to_ring(fileno(file), path);
	return file;
}
