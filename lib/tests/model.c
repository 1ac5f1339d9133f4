// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Random calls on a ring of random size and shape, each held against a model of the ring.
 *
 * The model is what the header promises, told without memory that is shared: each lane has a list
 * of all records that its producer ever made, all of them have one order, that of publication, and
 * a consumer has a place in it. From that follows what a call may return, and which record comes
 * next:
 *
 *   SPSC, MPSC, BROADCAST   the order, from where the consumer is
 *   OVERWRITE               of each lane the order with gaps; received and lost are all there were
 *   QUEUE                   each record once, and to nobody while another consumer looks at it;
 *                           what is shown in one call is one claim: a row of one lane
 *
 * Everything happens in one thread, and nobody waits: a call is made with SHMRING_NOWAIT or with a
 * deadline that has passed. So it is decided which records there are, and both backends do the
 * same. How many records a consumer of a QUEUE claims at once depends on how quick it is: which of
 * several gets a record is not in the model. Which calls are made depends on the seed.
 *
 * A failure names both. SHMRING_TEST_SEED=N does one seed and tells of each call:
 *
 *   SHMRING_TEST_BACKEND=memfd SHMRING_TEST_ONLY=queue_wait SHMRING_TEST_SEED=7 model
 *
 * SHMRING_STRESS=N does N times as many seeds.
 */
#include "model_consumer.h"
#include "model_producer.h"

#define SEEDS		10u
#define STEPS		1000u

/* ---- coming and going ----------------------------------------------------------------- */

static void do_open_producer(void)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *r;
	struct lane *l;

	NEED(!shmring_attach_fd(shmring_fd(m.watch), PROD, &o, &r));
	NEED(!shmring_info(r, &info) && info.slot < m.producers && !m.lane[info.slot].r);
	l = &m.lane[info.slot];
	l->r = r;
	l->slot = info.slot;
	l->reserved = 0;
	l->lost = 0;
	/* OVERWRITE: whoever is new makes room for a mark of its own. */
	made_room_to(&l->written_most, l->tail + 2 * SHMRING_REC_TAIL + m.size / SHMRING_MARKS,
		     m.size / SHMRING_MARKS);
	CHECK_EQ(shmring_lost(r), 0);
}

/* What is held back is shown, what is reserved is not. */
static void do_close_producer(struct lane *l)
{
	shmring_close(l->r);
	l->r = NULL;
	all_shown(l);
	l->lost_before += l->lost;
	l->lost = 0;
}

static void do_open_consumer(void)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *r;
	struct reader *x;
	uint32_t k;

	NEED(!shmring_attach_fd(shmring_fd(m.watch), CONS, &o, &r));
	NEED(!shmring_info(r, &info) && info.slot >= m.producers &&
	     info.slot < m.producers + m.consumers && !m.reader[info.slot - m.producers].r);
	x = &m.reader[info.slot - m.producers];
	x->r = r;
	x->slot = info.slot;
	CHECK_EQ(shmring_lost(r), 0);
	if (m.topology != BCAST)
		return;
	x->at = m.shown;
	x->joined = m.shown;
	for (k = 0; k < m.producers; k++) {
		x->pos[k] = m.lane[k].told;
		x->next[k] = m.lane[k].shown;
	}
}

/* What it looks at and did not give back is for the next one, or for others. */
static void do_close_consumer(struct reader *x)
{
	uint32_t k;
	uint64_t nth;

	x->lost_before += shmring_lost(x->r);
	x->got_before += x->got;
	x->got = 0;
	forget(x);
	shmring_close(x->r);
	x->r = NULL;
	for (k = 0; k < m.producers && m.topology == QUEUE; k++)
		for (nth = m.lane[k].untaken; nth < m.lane[k].shown; nth++)
			if (m.lane[k].rec[nth].holder == reader_nr(x) + 1)
				m.lane[k].rec[nth].holder = 0;
}

/* Whoever looks at several leaves all of them, or all but the first. */
static void do_close_amid(struct reader *x)
{
	do_peek_batch(x);
	if (one_in(2) && !test_bad) {
		do_peek(x);
		do_release(x);
	}
	if (!test_bad)
		do_close_consumer(x);
}

/* ---- counts --------------------------------------------------------------------------- */

static void count_consumers(void)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	const struct reader *x;
	uint32_t k;

	for (k = 0; k < m.consumers; k++) {
		x = &m.reader[k];
		NEED(!shmring_get_stats(m.watch, m.producers + k, &stats));
		CHECK_EQ(stats.records, x->got + x->got_before);
		CHECK_EQ(stats.lost, x->lost_before + (x->r ? shmring_lost(x->r) : 0));
	}
}

static void count(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	uint64_t produced = 0, consumed = 0, lost = 0;
	uint32_t k;

	for (k = 0; k < m.producers; k++) {
		look_shown(&m.lane[k]);
		produced += m.lane[k].told;
		consumed += gate(&m.lane[k]);
		lost += m.lane[k].lost + m.lane[k].lost_before;
	}
	NEED(!shmring_info(m.watch, &info));
	CHECK_EQ(info.produced, produced);
	count_consumers();
	if (is_overwrite())
		return;		/* what was lost lies between what was consumed */
	CHECK_EQ(info.consumed, consumed);
	CHECK_EQ(info.lost, lost);
}

/* ---- a run ---------------------------------------------------------------------------- */

/* How often a producer makes each call, and how often while it has a reservation. */
static const struct {
	const char *name;
	void (*fn)(struct lane *l);
	unsigned int often[2];
} producer_calls[] = {
	{ "reserve", do_reserve, { 6, 2 } },
	{ "reserve too much", do_reserve_too_much, { 1, 1 } },
	{ "put", do_put, { 1, 6 } },
	{ "commit", do_commit, { 1, 6 } },
	{ "flush", do_flush, { 2, 6 } },
	{ "send", do_send, { 6, 1 } },
	{ "sendv", do_sendv, { 2, 1 } },
	{ "send_batch", do_send_batch, { 4, 1 } },
	{ "send_batch of none", do_send_no_batch, { 1, 1 } },
	{ "drain", do_drain, { 2, 6 } },
	{ "wait_for room", do_wait_for_room, { 2, 2 } },
	{ "close", do_close_producer, { 1, 1 } },
};

static const struct {
	const char *name;
	void (*fn)(struct reader *x);
	unsigned int often;
} consumer_calls[] = {
	{ "peek", do_peek, 4 },
	{ "peek_batch", do_peek_batch, 4 },
	{ "peek_batch of none", do_peek_no_batch, 1 },
	{ "release", do_release, 6 },
	{ "recv", do_recv, 3 },
	{ "recv of 64", do_recv_64, 3 },
	{ "recv_batch", do_recv_batch, 4 },
	{ "consume", do_consume, 2 },
	{ "wait_for records", do_wait_for_records, 2 },
	{ "close", do_close_consumer, 1 },
	{ "peek_batch, perhaps release, close", do_close_amid, 1 },
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* Which step it was, when it has failed or is asked for. */
static void told(const char *who, uint32_t nr, const char *call)
{
	if (m.trace || test_bad)
		printf("# seed %llu, step %llu, %llu shown: %s %u: %s%s\n",
		       (unsigned long long)m.seed, (unsigned long long)m.step,
		       (unsigned long long)m.shown, who, nr, call,
		       m.late == -ETIMEDOUT ? ", until long ago" : "");
}

static void produce(struct lane *l)
{
	unsigned int open = !!l->reserved, sum = 0, k;
	uint64_t nth;

	for (k = 0; k < COUNT(producer_calls); k++)
		sum += producer_calls[k].often[open];
	nth = any(sum);
	for (k = 0; nth >= producer_calls[k].often[open]; k++)
		nth -= producer_calls[k].often[open];
	producer_calls[k].fn(l);
	if (l->r) {
		look_shown(l);
		CHECK_EQ(shmring_lost(l->r), l->lost);
	}
	told("producer", lane_nr(l), producer_calls[k].name);
}

static void consume(struct reader *x)
{
	unsigned int sum = 0, k;
	uint64_t nth;

	for (k = 0; k < COUNT(consumer_calls); k++)
		sum += consumer_calls[k].often;
	nth = any(sum);
	for (k = 0; nth >= consumer_calls[k].often; k++)
		nth -= consumer_calls[k].often;
	consumer_calls[k].fn(x);
	told("consumer", reader_nr(x), consumer_calls[k].name);
}

/* What is random in a step does not depend on what came before it. */
static void begin(uint64_t nth, int phase)
{
	m.rnd = (m.seed << 32) + (m.topology << 28) + (m.policy << 24) + ((uint64_t)phase << 23) +
		nth;
}

/* A hundred steps long a ring is mostly empty, or mostly full: of 12 calls a producer's. */
static unsigned int busy(void)
{
	begin(m.step / 100, 1);
	return 2 + (unsigned int)any(9);
}

/* One call, by somebody. */
static void step(void)
{
	unsigned int producers = busy(), counts;
	struct reader *x;
	struct lane *l;

	begin(m.step, 0);
	any_deadline();
	counts = one_in(20);
	if (any(12) < producers) {
		l = &m.lane[any(m.producers)];
		if (l->r) {
			produce(l);
		} else if (one_in(3)) {
			do_open_producer();
			told("producers, now", live_producers(), "attach");
		}
	} else {
		x = &m.reader[any(m.consumers)];
		if (x->r) {
			consume(x);
		} else if (one_in(3)) {
			do_open_consumer();
			told("consumers, now", live_consumers(), "attach");
		}
	}
	if (counts && !test_bad) {
		count();
		told("observer", 0, "info, get_stats");
	}
}

/* All that there is arrives, and is counted. */
static void finish_run(void)
{
	uint32_t k, round;
	uint64_t got;

	m.late = -EAGAIN;
	m.deadline = SHMRING_NOWAIT;
	for (k = 0; k < m.producers; k++)
		if (m.lane[k].r)
			do_flush(&m.lane[k]);
	/* Whoever joins a BROADCAST ring begins at its end; of others nothing may get lost. */
	for (k = 0; k < m.consumers && m.topology != BCAST && m.seed % 2; k++)
		if (m.reader[k].r)
			do_close_consumer(&m.reader[k]);
	while (live_consumers() < m.consumers && !test_bad)
		do_open_consumer();
	/* Once more: others may have looked at what is given back now. */
	for (round = 0; round < 2; round++)
		for (k = 0; k < m.consumers; k++)
			do {
				got = m.reader[k].got;
				do_release(&m.reader[k]);
				do_recv_batch(&m.reader[k]);
			} while ((m.reader[k].got != got || m.reader[k].seen) && !test_bad);
	if (m.topology == QUEUE && !test_bad)
		CHECK_EQ(untaken(), 0);
	if (!test_bad)
		count();
	told("everybody", 0, "receive all");
}

static void close_all(void)
{
	uint32_t k;

	for (k = 0; k < m.producers; k++)
		if (m.lane[k].r)
			shmring_close(m.lane[k].r);
	for (k = 0; k < m.consumers; k++)
		if (m.reader[k].r)
			shmring_close(m.reader[k].r);
	shmring_close(m.watch);
}

static void start_run(uint32_t topology, uint32_t policy, uint64_t seed)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	int several = topology == QUEUE || topology == BCAST;
	uint32_t k;

	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.topology = topology;
	m.policy = policy;
	m.trace = !!getenv("SHMRING_TEST_SEED");
	begin(STEPS, 0);
	m.producers = topology == SHMRING_TOPO_SPSC ? 1 : 1 + (uint32_t)any(LANES);
	m.consumers = several ? 1 + (uint32_t)any(READERS) : 1;
	o.topology = topology;
	o.full_policy = policy;
	o.producers = topology == SHMRING_TOPO_SPSC ? 0 : m.producers;
	o.consumers = several ? m.consumers : 0;
	o.data_size = 4096u << any(3);
	NEED(!shmring_create(NULL, OBS, &o, &m.watch));
	NEED(!shmring_info(m.watch, &info) && info.data_size <= BYTES_MAX);
	m.size = info.data_size;
	m.max = info.max_record;
	for (k = 0; k < LANES; k++) {
		m.lane[k].rec = records[k];
		m.lane[k].slot = k;
	}
	for (k = 0; k < m.producers && !test_bad; k++)
		do_open_producer();
	for (k = 0; k < m.consumers && !test_bad; k++)
		do_open_consumer();
}

static void run(uint32_t topology, uint32_t policy, uint64_t seed)
{
	start_run(topology, policy, seed);
	for (; m.step < STEPS && m.made < MOST - BATCH && !test_bad; m.step++)
		step();
	if (!test_bad)
		finish_run();
	if (test_bad)
		printf("# seed %llu, %u producers, %u consumers, lanes of %llu\n",
		       (unsigned long long)seed, m.producers, m.consumers,
		       (unsigned long long)m.size);
	if (m.watch)
		close_all();
}

static void runs(uint32_t topology, uint32_t policy)
{
	const char *only = getenv("SHMRING_TEST_SEED");
	uint64_t seed, seeds = test_rounds(SEEDS) * test_stress();

	if (only) {
		run(topology, policy, strtoull(only, NULL, 0));
		return;
	}
	for (seed = 1; seed <= seeds && !test_bad; seed++)
		run(topology, policy, seed);
}

#define MODEL(name, topology, policy)					\
	static void name(void)						\
	{								\
		runs(topology, SHMRING_FULL_##policy);			\
	}

MODEL(spsc_wait, SHMRING_TOPO_SPSC, WAIT)
MODEL(spsc_drop_newest, SHMRING_TOPO_SPSC, DROP_NEWEST)
MODEL(mpsc_wait, MPSC, WAIT)
MODEL(mpsc_drop_newest, MPSC, DROP_NEWEST)
MODEL(queue_wait, QUEUE, WAIT)
MODEL(queue_drop_newest, QUEUE, DROP_NEWEST)
MODEL(broadcast_wait, BCAST, WAIT)
MODEL(broadcast_drop_newest, BCAST, DROP_NEWEST)
MODEL(broadcast_overwrite, BCAST, OVERWRITE)

int main(void)
{
	START();
	RUN(spsc_wait);
	RUN(spsc_drop_newest);
	RUN(mpsc_wait);
	RUN(mpsc_drop_newest);
	RUN(queue_wait);
	RUN(queue_drop_newest);
	RUN(broadcast_wait);
	RUN(broadcast_drop_newest);
	RUN(broadcast_overwrite);
	DONE();
}
