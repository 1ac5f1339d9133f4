// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched_decode [COUNT] - print what shmring_sched.ko writes, and what was lost
 *
 * One line a switch, as they happened; ends after COUNT of them, or when the module goes.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <shmring.h>

#include "sched.h"

static uint64_t lost(const struct shmring *r)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };

	return shmring_info(r, &info) ? 0 : info.lost;
}

int main(int argc, char **argv)
{
	unsigned long left = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, seen = 0;
	struct sched_record rec;
	struct shmring *r;
	uint64_t before;
	long n;

	n = shmring_attach(SCHED_RING, SHMRING_ROLE_CONSUMER, NULL, &r);
	if (n)
		errx(1, "%s: %s (is shmring_sched.ko loaded?)", SCHED_RING,
		     shmring_strerror((int)n));
	before = lost(r);
	for (;;) {
		n = shmring_recv(r, &rec, sizeof(rec), SHMRING_FOREVER);
		if (n != sizeof(rec))
			break;
		printf("%llu.%09llu cpu %u: %d %.*s [%d] -> %d %.*s [%d]\n",
		       (unsigned long long)rec.time / 1000000000,
		       (unsigned long long)rec.time % 1000000000, rec.cpu, rec.prev.pid,
		       SCHED_COMM, rec.prev.comm, rec.prev.prio, rec.next.pid, SCHED_COMM,
		       rec.next.comm, rec.next.prio);
		if (++seen == left)
			break;
	}
	fprintf(stderr, "%lu switches, %llu lost since the start, %llu of them before it\n", seen,
		(unsigned long long)lost(r), (unsigned long long)before);
	shmring_close(r);
	if (n < 0 && n != -EPIPE)
		errx(1, "%s", shmring_strerror((int)n));
	return 0;
}
