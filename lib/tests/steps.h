/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * A stop point before every access to a word that is shared, and who maps what is known: killed.c
 * and, for it, the library are compiled with this before anything else.
 */
#ifndef SHMRING_TEST_STEPS_H
#define SHMRING_TEST_STEPS_H

#include <sys/mman.h>

void test_step(void);
void *test_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int test_munmap(void *at, size_t len);

#define SHMRING_STEP()	test_step()

/* What the library does not do by way of barrier.h. */
#define __atomic_fetch_or(p, v, m)	(test_step(), __atomic_fetch_or(p, v, m))
#define __atomic_fetch_and(p, v, m)	(test_step(), __atomic_fetch_and(p, v, m))
#define __atomic_fetch_add(p, v, m)	(test_step(), __atomic_fetch_add(p, v, m))
#define __atomic_exchange_n(p, v, m)	(test_step(), __atomic_exchange_n(p, v, m))
#define __atomic_compare_exchange_n(p, e, v, w, m, n) \
	(test_step(), __atomic_compare_exchange_n(p, e, v, w, m, n))

#define mmap(...)	test_mmap(__VA_ARGS__)
#define munmap(at, len)	test_munmap(at, len)

#endif /* SHMRING_TEST_STEPS_H */
