// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * How long to spin before a sleep, and whether to let the other side get ahead when the
 * ring ran dry. All of it is private to one handle and none of it decides
 * what is right, only what is fast.
 *
 * Spinning pays when the other side answers at once from another CPU. It never
 * does when both share one, and cannot while the other side idles. So it is halved
 * each time that a sleep follows it, until there is none; one wait in many tries
 * again at full length, less and less often while that fails, and one success
 * restores it.
 *
 * Where spinning does not pay the other side may share this CPU, and then to run it now costs
 * half of what to sleep and to be woken does. But a CPU that was offered may be taken by a
 * stranger, for milliseconds: an offer has to pay soon, or the next ones are left out likewise.
 */
#include <unistd.h>

#include "internal.h"

#define SHMRING_SPIN_LEAST_NS	1000
#define SHMRING_TRY_FIRST	16
#define SHMRING_TRY_LAST	1024
#define SHMRING_HOLD		1024	/* stalls */
#define SHMRING_YIELD_PAYS_NS	50000	/* a sleep would not have taken longer */
#define SHMRING_YIELD_PATIENCE	4	/* so many in vain, and half as many are made */
#define SHMRING_YIELD_STRANGER	20	/* one that a stranger took is as many in vain */
#define SHMRING_YIELD_FAILS	40	/* from then on one wait in 1024 */

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
	pace->hold = 1;		/* the first run tells what is usual */
	pace->yield_in = 1;
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

/* Shall this wait offer the CPU to others before it sleeps? */
bool shmring_pace_yields(struct shmring_pace *pace)
{
	return !--pace->yield_in;
}

/*
 * It did, for so long, and found what it waited for or not. A few offers in vain cost little,
 * one that a stranger took costs a lot.
 */
void shmring_pace_yielded(struct shmring_pace *pace, bool ready, uint64_t ns)
{
	if (ns >= SHMRING_YIELD_PAYS_NS)
		pace->yield_fails += SHMRING_YIELD_STRANGER;
	else if (ready)
		pace->yield_fails = 0;
	else
		pace->yield_fails++;
	if (pace->yield_fails > SHMRING_YIELD_FAILS)
		pace->yield_fails = SHMRING_YIELD_FAILS;
	pace->yield_in = 1u << pace->yield_fails / SHMRING_YIELD_PATIENCE;
}

/**
 * shmring_pace_dry() - a consumer ran dry: shall it let the producer get ahead?
 * @pace: of a consumer
 * @pos: its position
 *
 * Two sides that meet at one cache line slow each other down. But a wait must pay in
 * the run that follows, or it is only delay: two processes that answer each other send
 * as much in a turn as before, however long one waits.
 */
bool shmring_pace_dry(struct shmring_pace *pace, uint64_t pos)
{
	uint64_t run = pos - pace->mark;

	pace->mark = pos;
	if (!pace->hold)
		return true;
	pace->hold--;
	pace->base = run;
	return false;
}

/* How far the producer got: unless that doubles the run, look at once for a good while. */
void shmring_pace_got(struct shmring_pace *pace, uint64_t ahead)
{
	if (!ahead || ahead < 2 * pace->base)
		pace->hold = SHMRING_HOLD;
}
