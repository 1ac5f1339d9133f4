// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The inline functions of the public header, once more as real functions, for
 * languages and tools that cannot compile the header.
 */
#include <stddef.h>
#include <stdint.h>

#define SHMRING_INLINE __attribute__((visibility("default")))

struct shmring;

int shmring_reserve(struct shmring *r, size_t len, void **payload, uint64_t deadline);
int shmring_put(struct shmring *r, size_t len);
int shmring_flush(struct shmring *r);
int shmring_commit(struct shmring *r, size_t len);
int shmring_send(struct shmring *r, const void *buf, size_t len, uint64_t deadline);
long shmring_peek(struct shmring *r, const void **payload, uint64_t deadline);
int shmring_release(struct shmring *r);
long shmring_recv(struct shmring *r, void *buf, size_t cap, uint64_t deadline);

#include "internal.h"
