// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * How long to spin before a sleep, and how long to pause before the next look at a
 * ring that ran dry. All of it is private to one handle and none of it decides
 * what is right, only what is fast.
 *
 * Spinning pays when the other side answers at once from another CPU. It never
 * does when both share one, and cannot while the other side idles. So it is halved
 * each time that a sleep follows it, until there is none; one wait in many tries
 * again at full length, less and less often while that fails, and one success
 * restores it.
 */
#include <unistd.h>

#include "internal.h"

#define SHMRING_SPIN_LEAST_NS	1000
#define SHMRING_TRY_FIRST	16
#define SHMRING_TRY_LAST	1024
#define SHMRING_PAUSES_FIRST	7
#define SHMRING_PAUSES_MAX	63
#define SHMRING_RUN_SHORT	64	/* records */
#define SHMRING_RUN_LONG	256
#define SHMRING_HOLD		256	/* stalls */

void shmring_pace_init(struct shmring_handle *h, int64_t spin_ns)
{
	struct shmring_pace *pace = &h->pace;

	pace->try_every = SHMRING_TRY_FIRST;
	pace->try_in = SHMRING_TRY_FIRST;
	switch (spin_ns) {
	case SHMRING_SPIN_NEVER:
		pace->spin_max = 0;
		break;
	case SHMRING_SPIN_ALWAYS:
		pace->spin_max = UINT64_MAX;
		break;
	case SHMRING_SPIN_AUTO:
		pace->learn = true;
		pace->spin_max = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SHMRING_SPIN_AUTO_NS : 0;
		break;
	default:
		pace->spin_max = (uint64_t)spin_ns;
	}
	pace->spin = pace->spin_max;
}

/**
 * shmring_pace_budget() - how long to spin this time
 * @pace: of a handle that may sleep
 *
 * Return: ns, to be given to shmring_pace_lost() if they were spent in vain.
 */
uint64_t shmring_pace_budget(struct shmring_pace *pace)
{
	if (pace->spin || !pace->learn || --pace->try_in)
		return pace->spin;
	return pace->spin_max;
}

void shmring_pace_won(struct shmring_pace *pace)
{
	pace->spin = pace->spin_max;
	pace->try_every = SHMRING_TRY_FIRST;
	pace->try_in = SHMRING_TRY_FIRST;
}

void shmring_pace_lost(struct shmring_pace *pace, uint64_t budget)
{
	if (!pace->learn || !budget)
		return;
	if (pace->spin) {
		pace->spin /= 2;
		if (pace->spin < SHMRING_SPIN_LEAST_NS)
			pace->spin = 0;
		return;
	}
	if (pace->try_every < SHMRING_TRY_LAST)
		pace->try_every *= 2;
	pace->try_in = pace->try_every;
}

/**
 * shmring_pace_step() - after a stall in mid-stream: pause longer or shorter
 * @pace: of either side
 * @longer: the other side had made little progress since the last stall
 *
 * Two sides that meet at one cache line slow each other down; a side that lets the
 * other get ahead by several lines moves whole runs at a time.
 */
void shmring_pace_step(struct shmring_pace *pace, bool longer)
{
	pace->pauses = longer ? pace->pauses * 2 + 1 : pace->pauses / 2;
	if (pace->pauses > SHMRING_PAUSES_MAX)
		pace->pauses = SHMRING_PAUSES_MAX;
}

/* A pause brought nothing: look at once, for the next many times. */
void shmring_pace_vain(struct shmring_pace *pace)
{
	pace->pauses = 0;
	pace->hold = SHMRING_HOLD;
}

/**
 * shmring_pace_run() - a consumer ran dry: pause before the next look, or not
 * @pace: of a consumer
 * @run: records since it ran dry before
 *
 * A pause must pay in the next run, or it is only delay: two processes that answer
 * each other send as many records in a turn as before, however long one waits. So a
 * pause that does not at least double the run is given up for a good while.
 */
void shmring_pace_run(struct shmring_pace *pace, uint64_t run)
{
	if (pace->hold) {
		pace->hold--;
	} else if (!pace->pauses) {
		pace->base = run;
		if (run && run < SHMRING_RUN_SHORT)
			pace->pauses = SHMRING_PAUSES_FIRST;
	} else if (run < 2 * pace->base) {
		shmring_pace_vain(pace);
	} else if (run < SHMRING_RUN_SHORT) {
		shmring_pace_step(pace, true);
	} else if (run > SHMRING_RUN_LONG) {
		shmring_pace_step(pace, false);
	}
}
