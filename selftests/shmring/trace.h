/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trace of our own: an instance of tracefs, so that nobody else's is disturbed.
 */
#ifndef TRACE_H
#define TRACE_H

#include <dirent.h>
#include <stdarg.h>
#include <sys/mount.h>

#include "shmring_test.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/kst"
#define EVENTS		INSTANCE "/events/shmring"

/*
 * Everything of ours is traced from here on. False: see errno.
 *
 * The option record-cmd is left alone. It holds a probe in the scheduler for all instances,
 * also for the event that a guest of vm/run-vm starts with, and writing it would patch
 * schedule() while other CPUs run it (Documentation/testing.rst).
 */
HELPER bool trace_start(void)
{
	if (access(TRACEFS "/events", F_OK) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		return false;
	rmdir(INSTANCE);	/* of a test that was killed */
	return !mkdir(INSTANCE, 0700) && write_text(EVENTS "/enable", "1");
}

HELPER bool trace_end(void)
{
	return write_text(EVENTS "/enable", "0") && !rmdir(INSTANCE);
}

HELPER bool trace_clear(void)
{
	int fd = open(INSTANCE "/trace", O_WRONLY | O_TRUNC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The text of a file under tracefs; to be freed. NULL: see errno. */
HELPER char *trace_text(const char *path)
{
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room + 1);
	int fd = open(path, O_RDONLY);
	ssize_t n = -1;

	while (fd >= 0 && text && (n = read(fd, text + size, room - size)) > 0) {
		size += (size_t)n;
		if (size == room)
			text = realloc(text, (room *= 2) + 1);
	}
	if (fd >= 0)
		close(fd);
	if (n || !text) {
		free(text);
		return NULL;
	}
	text[size] = 0;
	return text;
}

/* How often there is an event of ours whose text, or its beginning, is this. */
__attribute__((unused, format(printf, 1, 2)))
static int trace_count(const char *format, ...)
{
	char *text = trace_text(INSTANCE "/trace"), *line, *rest;
	char want[512];
	va_list args;
	int n = 0;

	if (!text)
		return -errno;
	va_start(args, format);
	vsnprintf(want, sizeof(want), format, args);
	va_end(args);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *event = strstr(line, ": shmring_");

		if (*line != '#' && event && !strncmp(event + 2, want, strlen(want)))
			n++;
	}
	free(text);
	return n;
}

/* For people who wonder why a test failed. */
HELPER void trace_show(void)
{
	char *text = trace_text(INSTANCE "/trace"), *line, *rest;

	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest))
		if (*line != '#')
			fprintf(stderr, "# %s\n", line);
	free(text);
}

#endif /* TRACE_H */
