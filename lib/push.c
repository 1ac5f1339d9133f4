// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Lines pushed out of the own cache, to the one that all CPUs share: whoever looks at them next
 * need not have them fetched from here. It is a hint (CLDEMOTE): no contents and no order change.
 */
#include "internal.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define SHMRING_LEAF_FEATURES	7
#define SHMRING_HAS_CLDEMOTE	(1u << 25)	/* in ECX */

/* Is the hint taken here? */
bool shmring_can_push_out(void)
{
	static int known;	/* 1: no, 2: yes; all threads find the same */
	int can = __atomic_load_n(&known, __ATOMIC_RELAXED);
	unsigned int a, b, c, d;

	if (!can) {
		can = __get_cpuid_count(SHMRING_LEAF_FEATURES, 0, &a, &b, &c, &d) &&
		      (c & SHMRING_HAS_CLDEMOTE) ? 2 : 1;
		__atomic_store_n(&known, can, __ATOMIC_RELAXED);
	}
	return can == 2;
}

void shmring_push_out(const void *line)
{
	__asm__ __volatile__("cldemote %0" : : "m"(*(const char *)line));
}
#else
bool shmring_can_push_out(void)
{
	return false;
}

void shmring_push_out(const void *line)
{
	(void)line;
}
#endif
