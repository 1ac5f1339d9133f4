/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench pc: shmring as a contender: its channel, and the loops that use it in place.
 */
#ifndef SHMRING_BENCH_PC_SHMRING_H
#define SHMRING_BENCH_PC_SHMRING_H

#include <sys/uio.h>

#include "bench_pc.h"

/**
 * struct pc_channel - a ring
 * @keeper: holds it open while the processes are made
 * @r: this process's end
 * @opts: how it was made
 * @msg: where the records of a batch are
 */
struct pc_channel {
	struct shmring *keeper;
	struct shmring *r;
	struct shmring_opts opts;
	struct iovec msg[PC_BATCH];
};

/* bench_pc_place.c: as the members of struct pc_contender that are called so */
const char *pc_place_unfit(const struct pc_shape *shape);
int pc_place_produce(struct pc_channel *c, uint64_t first, uint64_t count, size_t len);
int pc_place_consume(struct pc_channel *c, uint64_t first, uint64_t count, size_t len);
int pc_place_client(struct pc_channel *out, struct pc_channel *in, uint64_t first, uint64_t count,
		    size_t len, uint32_t *ns);
int pc_place_server(struct pc_channel *in, struct pc_channel *out, uint64_t first, uint64_t count,
		    size_t len);

#endif /* SHMRING_BENCH_PC_SHMRING_H */
