// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Random calls on a ring, of which a producer, a consumer or both lie: between any two accesses to
 * shared memory they write something over what their rights let them, and now and then make a call
 * as they should. Then they are killed, or closed, and others take their slots, who do not lie. All
 * but the liars are held against a model of the ring (liars.h). What a liar can do is in
 * Documentation/design.rst; beyond that
 *
 *   - every call returns, soon, and what it returns is what those who lie can bring about: of
 *     nonsense only those are told who read a lane, or write one, that somebody can have spoilt;
 *   - what comes is whole. Of each lane that nobody can have spoilt all comes, once and in order
 *     (OVERWRITE: with gaps; QUEUE: to some consumer); and where no producer ever lied lanes come
 *     in the order of publication;
 *   - when the liars are gone, and their successors and all others have sent two lanes' lengths,
 *     all is as if nobody had ever lied;
 *   - who has received all that there is, or was told, may sleep.
 *
 * A producer can spoil its own lane, and the consumer of a ring that has one can spoil all. So
 * can a consumer of a QUEUE when it is gone, as it may have claimed anything; while it lives, and
 * leaves the fronts alone, the others receive nothing twice. One of a BROADCAST ring spoils
 * nothing.
 *
 * Everything happens in one thread, and nobody waits: liars, and at times other honest endpoints,
 * have their turn from within the call of an honest one. Time is counted in looks at the clock. So
 * all of it depends on the seed, which a failure names. SHMRING_TEST_SEED=N does one seed and tells
 * of each call and lie:
 *
 *   SHMRING_TEST_BACKEND=memfd SHMRING_TEST_ONLY=mpsc SHMRING_TEST_SEED=7 liars
 *
 * SHMRING_STRESS=N does N times as many seeds.
 */
#include "liars_calls.h"

#define SEEDS		100u
#define TIMES		4u		/* that somebody lies in a run */
#define SETTLE		2u		/* lanes' lengths */

static const char *not_here(void)
{
	if (test_backend() == SHMRING_BACKEND_DEVICE)
		return "its pages are not for all to write";
#ifdef __SANITIZE_THREAD__
	return "one thread has no races";
#else
	return NULL;
#endif
}

/* ---- coming and going ----------------------------------------------------------------- */

static int attach(uint32_t role, struct shmring **r, uint32_t *slot)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	int busy, err;

	alone++;
	enter(&busy);
	err = shmring_attach_fd(shmring_fd(m.watch), role, &o, r);
	leave(&busy);
	alone--;
	if (err) {
		CHECK(doubt() && (err == -EPROTO || err == -EAGAIN));
		return err;
	}
	CHECK(!shmring_info(*r, &info));
	*slot = info.slot;
	return 0;
}

/* Close it, or leave it as SIGKILL would. What it has allocated is lost with this process. */
static void detach(struct shmring *r, int kill)
{
	struct flock all = { .l_type = F_UNLCK };
	int busy;

	alone++;
	enter(&busy);
	if (kill)
		CHECK(!fcntl(shmring_fd(r), F_OFD_SETLK, &all));
	else
		shmring_close(r);
	leave(&busy);
	alone--;
}

static void open_producer(int lies)
{
	struct shmring *r;
	struct lane *l;
	uint32_t slot;
	int err = attach(PROD, &r, &slot);

	TELL("producer%s attaches: %d", lies ? " (liar)" : "", err);
	if (err)
		return;
	NEED(slot < m.producers && !m.lane[slot].r);
	l = &m.lane[slot];
	l->r = r;
	l->lies = lies;
	if (lies) {
		l->doubtful = 1;
		m.liar_tx = l;
	}
}

static void open_consumer(int lies)
{
	struct shmring *r;
	struct reader *x;
	uint32_t slot, k;
	int err = attach(CONS, &r, &slot);

	TELL("consumer%s attaches: %d", lies ? " (liar)" : "", err);
	if (err)
		return;
	NEED(slot >= m.producers && slot < m.producers + m.consumers &&
	     !m.reader[slot - m.producers].r);
	x = &m.reader[slot - m.producers];
	x->r = r;
	x->lies = lies;
	for (k = 0; k < m.producers && m.topology == BCAST; k++)
		x->next[k] = m.lane[k].made;
	if (m.topology == BCAST)
		x->latest = 0;
	if (lies)
		m.liar_rx = x;
}

static void close_producer(struct lane *l, int kill)
{
	TELL("producer %u %s", lane_nr(l), kill ? "is killed" : "leaves");
	detach(l->r, kill);
	l->r = NULL;
	l->lies = 0;
	if (m.liar_tx == l)
		m.liar_tx = NULL;
}

static void close_consumer(struct reader *x, int kill)
{
	TELL("consumer %u %s", reader_nr(x), kill ? "is killed" : "leaves");
	detach(x->r, kill);
	x->r = NULL;
	x->lies = 0;
	if (m.liar_rx == x)
		m.liar_rx = NULL;
}

static void all_doubtful(void)
{
	uint32_t k;

	for (k = 0; k < m.producers; k++)
		m.lane[k].doubtful = 1;
}

/* Fronts of a QUEUE are put right when no consumer is left, and lanes by new producers. */
static void close_all(void)
{
	uint32_t k;

	for (k = 0; k < m.producers; k++)
		if (m.lane[k].r)
			close_producer(&m.lane[k], 0);
	for (k = 0; k < m.consumers; k++)
		if (m.reader[k].r)
			close_consumer(&m.reader[k], 0);
}

/* Return: are all there? */
static int open_all(void)
{
	uint32_t k;
	int all = 1;

	for (k = 0; k < m.producers && !test_bad; k++)
		if (!m.lane[k].r) {
			open_producer(0);
			all &= !!m.lane[k].r;
		}
	for (k = 0; k < m.consumers && !test_bad; k++)
		if (!m.reader[k].r) {
			open_consumer(0);
			all &= !!m.reader[k].r;
		}
	return all;
}

/* ---- a run ---------------------------------------------------------------------------- */

/* Somebody honest who is not amid a call makes one. */
static void somebody(void)
{
	uint32_t k = (uint32_t)any(m.producers + m.consumers);
	struct reader *x;
	struct lane *l;

	if (k < m.producers) {
		l = &m.lane[k];
		if (l->r && !l->lies && !l->busy)
			do_send(l, a_batch(), sizeof(struct head), 500);
	} else {
		x = &m.reader[k - m.producers];
		if (x->r && !x->lies && !x->busy)
			do_recv(x);
	}
}

/* Somebody honest leaves, or comes. */
static void come_or_go(void)
{
	uint32_t k = (uint32_t)any(m.producers + m.consumers);

	if (k < m.producers) {
		if (!m.lane[k].r)
			open_producer(0);
		else if (!m.lane[k].lies)
			close_producer(&m.lane[k], 0);
	} else {
		k -= m.producers;
		if (!m.reader[k].r)
			open_consumer(0);
		else if (!m.reader[k].lies)
			close_consumer(&m.reader[k], 0);
	}
}

/* May @x sleep until something comes? Return: 0, or SHMRING_EV_IN, or why else not. */
static int has_more(struct reader *x)
{
	int ret;

	enter(&x->busy);
	ret = shmring_wait(x->r, SHMRING_EV_IN, SHMRING_NOWAIT);
	leave(&x->busy);
	return ret == -EAGAIN ? 0 : ret;
}

/*
 * All of the honest receive what there is, until they may sleep. An SPSC ring's consumer is told of
 * nonsense again and again, until another one takes its place.
 */
static void receive_all(void)
{
	int spsc = m.topology == SHMRING_TOPO_SPSC;
	unsigned int idle = 0, calls = 0, k;
	struct reader *x;
	long ret;

	alone++;
	while (idle < 3 && !test_bad) {
		idle++;
		for (k = 0; k < m.consumers && !test_bad; k++) {
			x = &m.reader[k];
			if (!x->r || x->lies)
				continue;
			ret = do_recv(x);
			if (ret > 0 || (!spsc && has_more(x) == SHMRING_EV_IN))
				idle = 0;
			if (spsc && (ret == -EPROTO || ret == -EBADMSG)) {
				close_consumer(x, 0);
				open_consumer(0);
			}
			NEED(calls++ < 20000);
		}
	}
	alone--;
}

/* After receive_all(), with all there: nothing is missing of what nobody can have spoilt. */
static void check_all(void)
{
	const struct lane *l;
	uint64_t nth;
	uint32_t k, i;

	for (k = 0; k < m.producers && !test_bad; k++) {
		l = &m.lane[k];
		if (l->doubtful)
			continue;
		for (nth = l->first; nth < l->made && m.topology == QUEUE; nth++)
			CHECK(l->rec[nth].taken);
		for (i = 0; i < m.consumers && m.topology != QUEUE && !is_overwrite(); i++)
			CHECK_EQ(m.reader[i].next[k], l->made);
	}
}

/* A few records of each lane, none of which is lost; and then there is nothing to wake up for. */
static void check_flow(void)
{
	uint32_t k, i, round;

	alone++;
	for (round = 0; round < 4; round++)
		for (k = 0; k < m.producers && !test_bad; k++) {
			CHECK_EQ(do_send(&m.lane[k], 1, sizeof(struct head), 200), 1);
			for (i = 0; i < m.consumers; i++)
				CHECK_EQ(has_more(&m.reader[i]), SHMRING_EV_IN);
			receive_all();
			for (i = 0; i < m.consumers && is_overwrite(); i++)
				CHECK_EQ(m.reader[i].next[k], m.lane[k].made);
			for (i = 0; i < m.consumers; i++)
				CHECK_EQ(has_more(&m.reader[i]), 0);
			check_all();
		}
	alone--;
}

/* Nobody lies any more. What was spoilt goes by. */
static void settle(void)
{
	uint32_t round, k, i;
	int all = 0;

	for (round = 0; round < SETTLE * 16 && !test_bad; round++) {
		all = open_all();
		for (k = 0; k < m.producers && !test_bad; k++)
			if (m.lane[k].r)
				do_send(&m.lane[k], 1, m.size / 16, m.size / 16);
		receive_all();
	}
	CHECK(all);
	for (k = 0; k < m.producers && !test_bad; k++) {
		if (!m.lane[k].doubtful)
			continue;
		m.lane[k].doubtful = 0;
		m.lane[k].first = m.lane[k].made;
		for (i = 0; i < m.consumers; i++)
			m.reader[i].next[k] = m.lane[k].made;
	}
	for (i = 0; i < m.consumers; i++)
		m.reader[i].latest = 0;
}

/* Some of those who are there become liars. */
static void begin_to_lie(void)
{
	alone++;
	if (m.tx_lies) {
		close_producer(&m.lane[any(m.producers)], 0);
		receive_all();
		open_producer(1);
	}
	if (m.rx_lies) {
		if (m.topology != BCAST && (m.topology != QUEUE || m.shared))
			all_doubtful();
		close_consumer(&m.reader[any(m.consumers)], 0);
		open_consumer(1);
	}
	alone--;
}

static void end_of_a_producer(void)
{
	if (m.liar_tx)
		close_producer(m.liar_tx, one_in(2));
}

static void end_of_a_consumer(void)
{
	if (!m.liar_rx)
		return;
	if (m.topology == QUEUE)
		all_doubtful();
	close_consumer(m.liar_rx, one_in(2));
	if (m.topology == QUEUE && m.shared)
		close_all();
}

/* They lie to the last. */
static void end_of_the_liars(void)
{
	int first = one_in(2);
	uint64_t k;

	for (k = any(4); k; k--)
		lie_somewhere();
	if (first)
		end_of_a_producer();
	end_of_a_consumer();
	if (one_in(2))
		open_all();
	if (!first)
		end_of_a_producer();
}

static void step(void)
{
	m.step++;
	switch (any(12)) {
	case 0:
	case 1:
		lie_somewhere();
		break;
	case 2:
		if (m.liar_tx)
			do_send(m.liar_tx, a_batch(), sizeof(struct head), 500);
		if (m.liar_rx)
			do_recv(m.liar_rx);
		break;
	case 3:
		if (one_in(6))
			come_or_go();
		break;
	default:
		somebody();
	}
}

static void some_lie(void)
{
	uint64_t steps = 20 + any(400);

	begin_to_lie();
	while (steps-- && !test_bad)
		step();
	if (test_bad)
		return;
	if (one_in(2))
		open_all();
	end_of_the_liars();
	alone++;
	if (one_in(3))
		receive_all();
	alone--;
	if (!test_bad)
		settle();
	if (!test_bad)
		check_flow();
}

static void start_run(uint32_t topology, uint32_t policy, uint64_t seed)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);
	int several = topology == QUEUE || topology == BCAST;
	uint32_t k;

	m.seed = seed;
	m.topology = topology;
	m.policy = policy;
	m.rnd = (seed << 32) + (topology << 28) + ((uint64_t)is_overwrite() << 27);
	m.trace = !!getenv("SHMRING_TEST_SEED");
	m.producers = topology == SHMRING_TOPO_SPSC ? 1 : 1 + (uint32_t)any(LANES);
	m.consumers = several ? 1 + (uint32_t)any(READERS) : 1;
	m.tx_lies = seed % 3 != 1;
	m.rx_lies = seed % 3 != 0;
	m.shared = one_in(3);
	m.often = one_in(3) ? 0 : 5 + (unsigned int)any(100);
	m.others = one_in(3) ? 0 : 10 + (unsigned int)any(100);
	o.topology = topology;
	o.full_policy = policy;
	o.producers = topology == SHMRING_TOPO_SPSC ? 0 : m.producers;
	o.consumers = several ? m.consumers : 0;
	o.data_size = 4096u << any(2);
	m.info.size = sizeof(m.info);
	NEED(!shmring_create(NULL, OBS, &o, &m.watch) && !shmring_info(m.watch, &m.info));
	m.size = m.info.data_size;
	NEED(m.size <= BYTES_MAX);
	m.mem = (mmap)(NULL, m.info.data_offset + m.size * m.producers, PROT_READ | PROT_WRITE,
		       MAP_SHARED, shmring_fd(m.watch), 0);
	NEED(m.mem != MAP_FAILED);
	for (k = 0; k < LANES; k++)
		m.lane[k].rec = records[k];
	CHECK(open_all());
}

static void run(uint32_t topology, uint32_t policy, uint64_t seed)
{
	unsigned int k;

	start_run(topology, policy, seed);
	for (k = 0; k < TIMES && !test_bad; k++)
		some_lie();
	if (test_bad)
		printf("# seed %llu, step %llu: %u producers, %u consumers, lanes of %llu%s\n",
		       (unsigned long long)seed, (unsigned long long)m.step, m.producers,
		       m.consumers, (unsigned long long)m.size, m.shared ? ", and SHARED" : "");
}

/* Each in a process of its own: a crash is told of like any other failure, and nothing leaks. */
static void runs(uint32_t topology, uint32_t policy)
{
	const char *only = getenv("SHMRING_TEST_SEED");
	uint64_t seed, seeds = SEEDS * test_stress();
	int status;
	pid_t pid;

	if (not_here())
		SKIP(not_here());
	if (only) {
		run(topology, policy, strtoull(only, NULL, 0));
		return;
	}
	for (seed = 1; seed <= seeds && !test_bad; seed++) {
		pid = test_fork();
		if (!pid) {
			alarm(TEST_ALARM);
			run(topology, policy, seed);
			test_exit();
		}
		status = test_reap(pid);
		CHECK_EQ(status, 0);
		if (status > 1)
			printf("# seed %llu\n", (unsigned long long)seed);
	}
}

#define LIARS_OF(name, topology, policy)				\
	static void name(void)						\
	{								\
		runs(topology, SHMRING_FULL_##policy);			\
	}

LIARS_OF(spsc, SHMRING_TOPO_SPSC, WAIT)
LIARS_OF(mpsc, MPSC, WAIT)
LIARS_OF(queue, QUEUE, WAIT)
LIARS_OF(broadcast, BCAST, WAIT)
LIARS_OF(overwrite, BCAST, OVERWRITE)

int main(void)
{
	START();
	RUN(spsc);
	RUN(mpsc);
	RUN(queue);
	RUN(broadcast);
	RUN(overwrite);
	DONE();
}
