/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What shmring doctor looks at, and what it found.
 */
#ifndef SHMRING_DOCTOR_H
#define SHMRING_DOCTOR_H

#include "tool.h"

enum finding {
	FINDING_OK,
	FINDING_NOTE,		/* works, but not as well as it could */
	FINDING_PROBLEM,	/* what was asked for does not work */
};

/**
 * struct doctor - an examination
 * @backend: what has to work: SHMRING_BACKEND_*; AUTO: one of them
 * @json: list of findings, or NULL where they are printed at once
 * @count: of findings of each kind
 * @works: which backend was seen to work
 */
struct doctor {
	uint32_t backend;
	json_t *json;
	unsigned int count[3];
	bool works[SHMRING_BACKEND_MEMFD + 1];
};

/* One finding; @fix is a command, or NULL. */
void doctor_tell(struct doctor *d, enum finding what, const char *check, const char *fix,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A problem where @backend has to work, else a note. */
enum finding doctor_weight(const struct doctor *d, uint32_t backend);

/* First line of a file, or "" */
const char *doctor_read(char *buf, size_t n, const char *path);

/* doctor_device.c: kernel, module, device node, rights, locked memory */
void doctor_kernel(struct doctor *d);
void doctor_module(struct doctor *d);
void doctor_node(struct doctor *d);
void doctor_memlock(struct doctor *d);

/* doctor_memory.c: /dev/shm, huge pages, NUMA */
void doctor_shm(struct doctor *d);
void doctor_huge(struct doctor *d);
void doctor_numa(struct doctor *d);

#endif /* SHMRING_DOCTOR_H */
