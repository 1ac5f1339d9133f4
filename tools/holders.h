/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has a ring open.
 */
#ifndef SHMRING_HOLDERS_H
#define SHMRING_HOLDERS_H

#include <sys/types.h>

#include "tool.h"

/**
 * struct holder - a descriptor of a ring
 * @pid: its process
 * @command: its command line, or the beginning of it
 * @role: in words; empty where it cannot be told
 */
struct holder {
	pid_t pid;
	char command[64];
	char role[24];
};

/**
 * struct holders - who has it open, as far as the caller may look
 * @holder: they
 * @n: how many
 * @hidden: processes whose descriptors the caller may not see
 */
struct holders {
	struct holder *holder;
	size_t n;
	unsigned int hidden;
};

/* Of a ring of the device, by its identity; of a file. 0 or -errno. */
int holders_of_ring(struct holders *h, uint64_t ring_id);
int holders_of_file(struct holders *h, dev_t dev, ino_t ino);
void holders_free(struct holders *h);

/* "shmring recv x (pid 12, consumer), ..." or what is known instead; to be freed. */
char *holders_text(const struct holders *h);
json_t *holders_json(const struct holders *h);

#endif /* SHMRING_HOLDERS_H */
