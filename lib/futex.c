// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * futex(2) between processes, with absolute CLOCK_MONOTONIC deadlines.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "memfd.h"

/* Where time_t can be of 64 bits and long is not, the kernel has a call for each. */
#ifdef SYS_futex_time64
#define SHMRING_SYS_WAIT	(sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex)
#else
#define SHMRING_SYS_WAIT	SYS_futex
#endif

/* Return: 0 (woken, or the word differs), -ETIMEDOUT, -EINTR. */
int shmring_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline / 1000000000u),
		.tv_nsec = (long)(deadline % 1000000000u),
	};

	if (!syscall(SHMRING_SYS_WAIT, word, FUTEX_WAIT_BITSET, value, &ts, NULL,
		     FUTEX_BITSET_MATCH_ANY) || errno == EAGAIN)
		return 0;
	return -errno;
}

/* Return: how many slept there. */
unsigned int shmring_futex_wake(uint32_t *word)
{
	long woken = syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);

	return woken > 0 ? (unsigned int)woken : 0;
}
