// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Random calls on a ring, any of which may end amid an access to shared memory with the death of
 * who made it; whoever comes after it is held against a model of the ring (killed.h).
 *
 * What was committed, or anybody has seen, is there to stay. What a call that was killed would
 * have published is there or not, and it is told by what the next producer of the lane begins
 * with; what it would have received is received or not. Beyond that the model knows what comes:
 *
 *   SPSC, MPSC, BROADCAST   each lane whole and in order, and lanes in the order of publication
 *   OVERWRITE               the same with gaps; received and lost are all there were
 *   QUEUE                   each record once, and to nobody while another consumer looks at it
 *
 * At the end all endpoints are alive again, everything that is there arrives and is counted, and
 * there is room for the longest record: nobody waits for the dead.
 *
 * Everything happens in one thread, and nobody waits; where a call ends depends on the seed. The
 * tests named after a topology make many calls, of which one in several is killed. Those named
 * *_in_a_row have a few in a new ring, most of which are: what one was killed amid is what the
 * next one is killed amid of putting right.
 *
 * A failure names the seed. SHMRING_TEST_SEED=N does one seed and tells of each call:
 *
 *   SHMRING_TEST_BACKEND=memfd SHMRING_TEST_ONLY=queue_in_a_row SHMRING_TEST_SEED=7 killed
 *
 * SHMRING_STRESS=N does N times as many seeds.
 */
#include "killed_row.h"

#define SEEDS		24u	/* of many calls */
#define STEPS		400u
#define SEEDS_IN_A_ROW	300u
#define SEEDS_OF_ONE	25u	/* done by one process, which leaks what the killed had allocated */

static const char *not_here(void)
{
	if (test_backend() == SHMRING_BACKEND_DEVICE)
		return "the kernel ends its endpoints itself";
#ifdef __SANITIZE_THREAD__
	return "one thread has no races, and seems to keep the locks of all who died";
#else
	return NULL;
#endif
}

/* ---- many calls ----------------------------------------------------------------------- */

/* One call, by somebody: of 12 so many are a producer's. */
static void step(unsigned int producers)
{
	struct reader *x;
	struct lane *l;

	if (any(12) < producers) {
		l = &m.lane[any(m.producers)];
		if (l->r)
			produce(l);
		else if (one_in(2))
			open_producer();
	} else {
		x = &m.reader[any(m.consumers)];
		if (x->r)
			consume(x);
		else if (one_in(2))
			open_consumer();
	}
	until_kill = 0;
}

static int have_room(void)
{
	uint32_t k;

	for (k = 0; k < m.producers; k++)
		if (m.lane[k].made > MOST - 2 * BATCH)
			return 0;
	return 1;
}

/* A hundred steps long a ring is mostly empty, or mostly full. */
static void run(uint32_t topology, uint32_t policy, uint64_t seed)
{
	unsigned int often = seed % 2 ? 2 : 5;

	start_run(topology, policy, seed, 1);
	for (; m.step < STEPS && have_room() && !test_bad; m.step++) {
		begin(m.step);
		if (one_in(often))
			until_kill = 1 + (unsigned int)any(one_in(2) ? 30 : ACCESSES);
		step(2 + (unsigned int)(m.seed + m.step / 100) % 8);
	}
	end_run();
}

/* ---- known ones ----------------------------------------------------------------------- */

/*
 * Only the first record of a batch has a ticket. Whoever is killed giving back a part of one, and
 * what came before it in another lane, gives back that first.
 */
static unsigned int release_part(void)
{
	uint64_t kills;
	unsigned int k;

	for (k = 1; !test_bad; k++) {
		start_ring(MPSC, SHMRING_FULL_WAIT, 2, 1);
		if (!test_bad)
			send_one(&m.lane[1], 40);
		if (!test_bad)
			send_many(&m.lane[0], 3, 40);
		if (!test_bad)
			do_peek(m.reader, 3);
		CHECK_EQ(m.reader->seen, 3);
		kills = m.kills;
		until_kill = k;
		if (!test_bad)
			do_release(m.reader);
		kills = m.kills - kills;
		end_run();
		if (!kills)
			break;
	}
	return k;
}

static void part_of_a_batch(void)
{
	pid_t pid;

	if (not_here())
		SKIP(not_here());
	pid = test_fork();
	if (!pid) {
		CHECK(release_part() > 3);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
}

/* ---- all runs ------------------------------------------------------------------------- */

/* In a child: a crash is told of like any other failure, and what leaks is gone with it. */
static void seeds(void (*fn)(uint32_t topology, uint32_t policy, uint64_t seed), uint64_t n,
		  uint32_t topology, uint32_t policy)
{
	const char *only = getenv("SHMRING_TEST_SEED");
	uint64_t first, *at;
	int status;
	pid_t pid;

	if (not_here())
		SKIP(not_here());
	if (only) {
		fn(topology, policy, strtoull(only, NULL, 0));
		return;
	}
	at = many_shared(sizeof(*at));
	NEED(at);
	n *= test_stress();
	for (first = 1; first <= n && !test_bad; first += SEEDS_OF_ONE) {
		*at = first;
		pid = test_fork();
		if (!pid) {
			for (; *at < first + SEEDS_OF_ONE && *at <= n && !test_bad; ++*at) {
				alarm(TEST_ALARM);
				fn(topology, policy, *at);
			}
			test_exit();
		}
		status = test_reap(pid);
		CHECK_EQ(status, 0);
		if (status > 1)
			printf("# seed %llu\n", (unsigned long long)*at);
	}
	munmap(at, sizeof(*at));
}

#define KILLED(name, topology, policy)					\
	static void name(void)						\
	{								\
		seeds(run, SEEDS, topology, SHMRING_FULL_##policy);	\
	}								\
									\
	static void name##_in_a_row(void)				\
	{								\
		/* Most of all there is to put right of a QUEUE, where claims change hands. */ \
		seeds(run_in_a_row, SEEDS_IN_A_ROW * ((topology) == QUEUE ? 4 : 1), \
		      topology, SHMRING_FULL_##policy);			\
	}

KILLED(spsc, SHMRING_TOPO_SPSC, WAIT)
KILLED(mpsc, MPSC, WAIT)
KILLED(queue, QUEUE, WAIT)
KILLED(broadcast, BCAST, WAIT)
KILLED(overwrite, BCAST, OVERWRITE)

int main(void)
{
	START();
	RUN(spsc);
	RUN(mpsc);
	RUN(queue);
	RUN(broadcast);
	RUN(overwrite);
	RUN(spsc_in_a_row);
	RUN(mpsc_in_a_row);
	RUN(queue_in_a_row);
	RUN(broadcast_in_a_row);
	RUN(overwrite_in_a_row);
	RUN(part_of_a_batch);
	DONE();
}
