/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * How a run begins, and how it ends: with all endpoints alive, and everything counted.
 */
#ifndef SHMRING_TEST_KILLED_RUN_H
#define SHMRING_TEST_KILLED_RUN_H

#include "killed_consumer.h"
#include "killed_producer.h"

#define ACCESSES	130u	/* most calls make less */

/* ---- the end of a run ----------------------------------------------------------------- */

/* All come again, and what those held back or look at who lived on is given to others. */
static void all_live(void)
{
	uint32_t k;

	for (k = 0; k < m.producers && !test_bad; k++)
		if (m.lane[k].r)
			do_flush(&m.lane[k]);
	while (live_producers() < m.producers && !test_bad)
		open_producer();
	/* Whoever joins a BROADCAST ring begins at its end. */
	while (live_consumers() < m.consumers && m.topology != BCAST && !test_bad)
		open_consumer();
	for (k = 0; k < m.producers && !test_bad; k++)
		do_probe_producer(&m.lane[k]);
	for (k = 0; k < m.consumers && !test_bad; k++)
		if (m.reader[k].r && m.reader[k].seen)
			do_release(&m.reader[k]);
}

static void receive_all(void)
{
	unsigned int idle = 0;
	uint32_t k;

	/* Twice: of a QUEUE the first may have looked before another died, and was found dead. */
	while (idle < 2 && !test_bad) {
		idle++;
		for (k = 0; k < m.consumers && !test_bad; k++) {
			if (!m.reader[k].r)
				continue;
			do_peek(&m.reader[k], BATCH);
			if (test_bad || !m.reader[k].seen)
				continue;
			do_release(&m.reader[k]);
			idle = 0;
		}
	}
}

static void check_lane(struct lane *l)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	uint64_t missing = 0, perhaps = 0, nth;
	uint32_t nr = lane_nr(l), k;
	struct reader *x;

	NEED(!shmring_get_stats(m.watch, nr, &stats));
	CHECK_EQ(stats.records, l->made);
	CHECK(stats.lost >= l->lost_before + l->lost &&
	      stats.lost <= l->lost_before + l->lost + l->lost_perhaps);
	CHECK_EQ(shmring_lost(l->r), l->lost);
	for (k = 0; k < m.consumers; k++) {
		x = &m.reader[k];
		perhaps += x->got_perhaps;
		if (x->r && m.topology != QUEUE && !is_overwrite())
			CHECK(x->next[nr] + x->slack[nr] >= l->made);
	}
	for (nth = 0; nth < l->made && m.topology == QUEUE; nth++)
		missing += !l->rec[nth].taken && !l->rec[nth].perhaps;
	CHECK(missing <= perhaps);
	if (live_consumers() || m.topology == BCAST) {
		call.r = l->r;
		call.len = m.max;
		call_reserve();
		CHECK_EQ(call.ret, 0);
	}
}

static void check_reader(struct reader *x)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	uint64_t made = 0, had;
	uint32_t k;

	NEED(!shmring_get_stats(m.watch, m.producers + reader_nr(x), &stats));
	CHECK(stats.records >= x->got && stats.records <= x->got + x->got_perhaps);
	if (!x->r)
		return;
	for (k = 0; k < m.producers; k++)
		made += m.lane[k].made;
	had = x->here + shmring_lost(x->r);
	if (is_overwrite())
		CHECK(had + x->most >= made && had + x->least <= made);
	else
		CHECK_EQ(shmring_lost(x->r), 0);
}

static void finish(void)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	uint64_t consumed = 0, produced = 0;
	uint32_t k;

	until_kill = 0;
	m.step++;
	all_live();
	receive_all();
	for (k = 0; k < m.producers && !test_bad; k++) {
		produced += m.lane[k].made;
		check_lane(&m.lane[k]);
	}
	for (k = 0; k < m.consumers && !test_bad; k++) {
		check_reader(&m.reader[k]);
		CHECK(!shmring_get_stats(m.watch, m.producers + k, &stats));
		consumed += stats.records;
	}
	CHECK(!shmring_info(m.watch, &info));
	if (m.topology != BCAST)
		CHECK_EQ(consumed, produced);
	if (live_consumers() && !is_overwrite())
		CHECK_EQ(info.consumed, info.produced);
}

/* ---- a run ---------------------------------------------------------------------------- */

/* What is random in a step does not depend on what came before it. */
static void begin(uint64_t nth)
{
	m.rnd = (m.seed << 32) + (m.topology << 28) + ((uint64_t)is_overwrite() << 27) + nth;
}

static void start_ring(uint32_t topology, uint32_t policy, uint32_t producers, uint32_t consumers)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	const uint64_t seed = m.seed;
	uint32_t k;

	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.topology = topology;
	m.policy = policy;
	m.producers = producers;
	m.consumers = consumers;
	m.trace = !!getenv("SHMRING_TEST_SEED");
	o.topology = topology;
	o.full_policy = policy;
	o.producers = topology == SHMRING_TOPO_SPSC ? 0 : producers;
	o.consumers = topology == QUEUE || topology == BCAST ? consumers : 0;
	NEED(!shmring_create(NULL, OBS, &o, &m.watch));
	NEED(!shmring_info(m.watch, &info) && info.data_size <= BYTES_MAX);
	m.max = info.max_record;
	own_fds(&m.owned);
	for (k = 0; k < LANES; k++)
		m.lane[k].rec = records[k];
	for (k = 0; k < producers && !test_bad; k++)
		open_producer();
	for (k = 0; k < consumers && !test_bad; k++)
		open_consumer();
}

/* What the seed says, with so many consumers at least where there can be several. */
static void start_run(uint32_t topology, uint32_t policy, uint64_t seed, uint32_t consumers)
{
	int several = topology == QUEUE || topology == BCAST;
	uint32_t producers;

	m.seed = seed;
	m.topology = topology;
	m.policy = policy;
	begin(1u << 16);
	if (policy == SHMRING_FULL_WAIT && one_in(3))
		policy = SHMRING_FULL_DROP_NEWEST;
	producers = topology == SHMRING_TOPO_SPSC ? 1 : 1 + (uint32_t)any(LANES);
	consumers = several ? consumers + (uint32_t)any(READERS + 1 - consumers) : 1;
	start_ring(topology, policy, producers, consumers);
}

static void end_run(void)
{
	uint32_t k;

	if (!test_bad)
		finish();
	if (test_bad)
		printf("# seed %llu, step %llu: %u producers, %u consumers, policy %u, %llu died\n",
		       (unsigned long long)m.seed, (unsigned long long)m.step, m.producers,
		       m.consumers, m.policy, (unsigned long long)m.kills);
	for (k = 0; k < m.producers; k++)
		shmring_close(m.lane[k].r);
	for (k = 0; k < m.consumers; k++)
		shmring_close(m.reader[k].r);
	shmring_close(m.watch);
}

#endif /* SHMRING_TEST_KILLED_RUN_H */
