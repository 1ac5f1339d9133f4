/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench guide: what is known of each way to pass data that no benchmark tells.
 */
#ifndef SHMRING_BENCH_GUIDE_H
#define SHMRING_BENCH_GUIDE_H

#include "bench_pc.h"

#define GUIDE_KERNEL	1	/* the kernel holds the data: a peer cannot change it afterwards */
#define GUIDE_RIGHTS	2	/* shared, but each side may write only what is its own */
#define GUIDE_NAMED	4	/* processes that are not related find it by a name */
#define GUIDE_LASTS	8	/* the data outlives all processes */
#define GUIDE_LEFT	16	/* its name stays until somebody removes it */
#define GUIDE_SPINS	32	/* keeps a CPU busy while it waits */
#define GUIDE_SIGNAL	64	/* carries no data */

struct guide_way {
	const struct pc_contender *who;
	unsigned int is;	/* GUIDE_* */
};

extern const struct guide_way guide_ways[];
extern const unsigned int guide_n;

/* Writes the table of advice to @f, and adds it to @doc as "advice". */
void guide_advise(json_t *doc, FILE *f);

#endif /* SHMRING_BENCH_GUIDE_H */
