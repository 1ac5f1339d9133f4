/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Let the nth thing that can fail in a system call fail: an allocation, or a copy from or
 * to user space. The kernel has to be built for it (CONFIG_FAILSLAB, FAIL_PAGE_ALLOC,
 * FAULT_INJECTION_USERCOPY), and the caller needs CAP_SYS_RESOURCE.
 */
#ifndef FAULT_H
#define FAULT_H

#include "shmring_test.h"

#define FAULT_DIR	"/sys/kernel/debug/"

/* What the kernel leaves out unless it is told otherwise; and no word of it in the log. */
HELPER bool fault_all(void)
{
	static const char *const knob[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
		{ "fail_futex/verbose", "0" },
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(knob); i++) {
		snprintf(path, sizeof(path), FAULT_DIR "%s", knob[i][0]);
		if (!write_text(path, knob[i][1]))
			return false;
	}
	return true;
}

/* For the calling thread: a descriptor, or -errno; -ENOENT: the kernel cannot. */
HELPER int fault_open(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

HELPER void fault_arm(int fault, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fault, text, (size_t)len, 0) != len)
		abort();
}

/* Whether what was armed has failed. Asking and disarming copy, too, and can be hit. */
HELPER bool fault_disarm(int fault)
{
	char left[16] = "";
	bool hit = pread(fault, left, sizeof(left) - 1, 0) > 0 && !strcmp(left, "0\n");

	if (pwrite(fault, "0", 1, 0) != 1 && (errno != EFAULT || pwrite(fault, "0", 1, 0) != 1))
		abort();
	return hit;
}

#endif /* FAULT_H */
