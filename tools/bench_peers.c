// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench peers, bench many - start the program that is built with the peers'
 * libraries: it lies beside this one, or where it was installed.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define PROGRAM	"shmring-bench-peers"

/* As @name, by which it knows what is wanted. */
static int start(const char *name, char **argv)
{
	char self[PATH_MAX], path[PATH_MAX + sizeof(PROGRAM) + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dir;

	argv[0] = (char *)(uintptr_t)name;
	if (n < 0)
		return tool_fail(-errno, "cannot find " PROGRAM);
	self[n] = '\0';
	dir = dirname(self);
	snprintf(path, sizeof(path), "%s/" PROGRAM, dir);
	execv(path, argv);
	if (errno == ENOENT) {
		snprintf(path, sizeof(path), "%s/../libexec/shmring/" PROGRAM, dir);
		execv(path, argv);
	}
	if (errno == ENOENT)
		return tool_say(TOOL_ERROR, "the peers are not built here: 'make bench-peers' in the sources installs their libraries and builds them");
	return tool_fail(-errno, "cannot start %s", path);
}

int bench_peers(int argc, char **argv)
{
	(void)argc;
	return start("peers", argv);
}

int bench_many(int argc, char **argv)
{
	(void)argc;
	return start("many", argv);
}
