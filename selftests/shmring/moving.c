// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two positions cannot be read at once: whoever looks at a ring while others work on it
 * sees them apart by more than the ring holds, and that is no error.
 */
#include <pthread.h>

#include "pair.h"

#define LOOKS		40000

static void run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

struct mover {
	struct shmring_cursor *producer, *consumer;
	bool stop;
	__u64 laps;
};

/* What both ends tell of a ring that is full and empty by turns, as fast as it goes. */
static void *move(void *arg)
{
	struct mover *m = arg;
	__u64 pos = 0;

	run_on_cpu(1);
	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		pos += 4088;
		shmring_store_release(&m->producer->pos, pos);
		shmring_store_release(&m->consumer->pos, pos);
	}
	m->laps = pos / 4088;
	return NULL;
}

TEST_F(pair, is_no_error)
{
	struct mover m = { .producer = self->p.cursor, .consumer = self->c.cursor };
	pthread_t thread;
	int err = 0, wrong = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	ASSERT_EQ(0, pthread_create(&thread, NULL, move, &m));
	run_on_cpu(0);
	for (int i = 0; i < LOOKS; i++) {
		int in = ring_wait(self->consumer, IN, NOW);
		int out = ring_wait(self->producer, OUT, NOW);

		if (in != IN && in != -EAGAIN)
			err = in;
		else if (out != OUT && out != -EAGAIN)
			err = out;
		else if ((poll_now(self->consumer, POLLIN) & ~POLLIN) ||
			 (poll_now(self->producer, POLLOUT) & ~POLLOUT))
			err = POLLERR;
		else
			continue;
		wrong++;
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, wrong);
	TH_LOG("%d looks at %llu laps", LOOKS, (unsigned long long)m.laps);
}

TEST_HARNESS_MAIN
