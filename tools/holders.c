// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has a ring open: the descriptors of all processes, as /proc shows them. The
 * device tells ring and role in fdinfo; a ring in a file is known by the file.
 * Whoever has a ring mapped and its descriptor closed is not found.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "holders.h"

struct wanted {
	uint64_t ring_id;	/* 0: a file */
	dev_t dev;
	ino_t ino;
};

/* The command line, as far as it goes; what is not printable becomes a blank. */
static void read_command(const char *pid, struct holder *holder)
{
	char path[300], *c;
	size_t n = 0, i;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(holder->command, 1, sizeof(holder->command) - 1, f);
		fclose(f);
	}
	for (i = 0; i < n; i++)
		if (!isgraph((unsigned char)holder->command[i]))
			holder->command[i] = ' ';
	while (n && holder->command[n - 1] == ' ')
		n--;
	holder->command[n] = 0;
	if (!n)
		strcpy(holder->command, "?");
	/* Where the program lies says nothing here. */
	i = strcspn(holder->command, " ");
	c = memrchr(holder->command, '/', i);
	if (c)
		memmove(holder->command, c + 1, strlen(c + 1) + 1);
}

/* Does fdinfo say that this is the ring, and in which role? */
static bool is_ring(const char *path, uint64_t ring_id, struct holder *holder)
{
	FILE *f = fopen(path, "re");
	unsigned long long id;
	bool hit = false;
	char line[160];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "shmring-id: %llu", &id) == 1)
			hit = id == ring_id;
		else
			sscanf(line, "shmring-role: %23s", holder->role);
	}
	fclose(f);
	return hit;
}

/* What others have open may be a file of a server that never answers: it is not asked. */
static bool is_file(const char *path, const struct wanted *w)
{
	struct statx st;

	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) && st.stx_ino == w->ino &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == w->dev;
}

static bool is_wanted(const struct wanted *w, const char *pid, const char *fd,
		      struct holder *holder)
{
	char path[600], link[64];
	ssize_t n;

	memset(holder, 0, sizeof(*holder));
	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	if (!w->ring_id)
		return is_file(path, w);
	/* Most descriptors are something else: no need to open their fdinfo. */
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = 0;
	if (!strstr(link, "shmring"))
		return false;
	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	return is_ring(path, w->ring_id, holder);
}

static int look_at(struct holders *h, const struct wanted *w, const char *pid)
{
	struct holder *more, found;
	const struct dirent *entry;
	char path[300];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir) {
		h->hidden += errno == EACCES || errno == EPERM;
		return 0;
	}
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name) ||
		    !is_wanted(w, pid, entry->d_name, &found))
			continue;
		found.pid = (pid_t)atoi(pid);
		read_command(pid, &found);
		/* The memfd backend may have the file open twice. */
		if (h->n && h->holder[h->n - 1].pid == found.pid &&
		    !strcmp(h->holder[h->n - 1].role, found.role))
			continue;
		more = reallocarray(h->holder, h->n + 1, sizeof(*more));
		if (!more) {
			closedir(dir);
			return -ENOMEM;
		}
		h->holder = more;
		h->holder[h->n++] = found;
	}
	closedir(dir);
	return 0;
}

static int look_everywhere(struct holders *h, const struct wanted *w)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");
	int err = 0;

	memset(h, 0, sizeof(*h));
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name) && atoi(entry->d_name) != getpid())
			err = look_at(h, w, entry->d_name);
	closedir(dir);
	if (err)
		holders_free(h);
	return err;
}

int holders_of_ring(struct holders *h, uint64_t ring_id)
{
	const struct wanted w = { .ring_id = ring_id };

	return look_everywhere(h, &w);
}

int holders_of_file(struct holders *h, dev_t dev, ino_t ino)
{
	const struct wanted w = { .dev = dev, .ino = ino };

	return look_everywhere(h, &w);
}

void holders_free(struct holders *h)
{
	free(h->holder);
	h->holder = NULL;
	h->n = 0;
}

char *holders_text(const struct holders *h)
{
	char *text = NULL;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (i = 0; i < h->n; i++)
		fprintf(f, "%s%s (pid %d%s%s)", i ? ", " : "", h->holder[i].command,
			h->holder[i].pid, *h->holder[i].role ? ", " : "", h->holder[i].role);
	if (!h->n)
		fputs(h->hidden ? "a process that only root may look into" :
				  "nobody whom /proc shows here", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

json_t *holders_json(const struct holders *h)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < h->n; i++)
		json_array_append_new(list, json_pack("{s:i, s:s, s:o}",
						      "pid", (int)h->holder[i].pid,
						      "command", h->holder[i].command,
						      "role", *h->holder[i].role ?
						      json_string(h->holder[i].role) :
						      json_null()));
	return list;
}
