/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench peers: who takes part besides the contenders of bench pc, and which of them
 * this program was built with.
 */
#ifndef SHMRING_PEERS_H
#define SHMRING_PEERS_H

#ifdef __cplusplus
#include <cerrno>
#include <cstdlib>
#include <cstring>
extern "C" {
#endif

#include <sys/statvfs.h>

#include "bench_pc_loops.h"

/* Slots of a fixed-size queue: a power of two, as the peers want it. */
static inline uint64_t peer_slots(const struct pc_shape *shape)
{
	uint64_t slots = 1;

	while (slots * 2 * shape->len <= shape->ring_bytes)
		slots *= 2;
	return slots;
}

/* Shared with the processes to be made, at the same address; NULL: errno says why. */
static inline void *peer_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * Is there room for @bytes in /dev/shm? Who maps a file there that has no room behind it is
 * told by a signal.
 */
static inline int peer_shm_room(uint64_t bytes)
{
	struct statvfs v;

	if (statvfs("/dev/shm", &v))
		return -errno;
	return v.f_blocks && (uint64_t)v.f_bavail * v.f_frsize < bytes ? -ENOSPC : 0;
}

static inline int peer_ready(void)
{
	return 0;
}

static inline int peer_join(struct pc_channel *c, unsigned int side)
{
	(void)c;
	(void)side;
	return 0;	/* mapped, or open, across fork(2) */
}

static inline void peer_leave(struct pc_channel *c)
{
	(void)c;
}

extern const struct pc_contender peer_limit;		/* limit.c */
extern const struct pc_contender peer_ck_spsc;		/* ck.c */
extern const struct pc_contender peer_ck_mpmc;
extern const struct pc_contender peer_rte_spsc;		/* dpdk.c */
extern const struct pc_contender peer_rte_mpmc;
extern const struct pc_contender peer_rte_hts;
extern const struct pc_contender peer_boost_spsc;	/* boost.cc */
extern const struct pc_contender peer_boost_mq;
extern const struct pc_contender peer_rwq;		/* moodycamel.cc */
extern const struct pc_contender peer_cq;
extern const struct pc_contender peer_iceoryx;		/* iceoryx.cc */

#ifdef __cplusplus
}
#endif

#endif /* SHMRING_PEERS_H */
