// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Rings with several producers and consumers, as processes: everything arrives, whole and
 * in its producer's order, as often as the topology says; and what was sent is what was
 * received, plus what was lost, plus what is left.
 */
#include "many.h"

#define PEERS	8

struct tally {
	uint64_t got[PEERS][PEERS];	/* by consumer and producer */
	uint32_t ready;
	uint32_t pad;
};

static void produce(int fd, struct shmring_opts *o, uint32_t self, uint64_t count)
{
	uint64_t nth, rnd = self;
	struct shmring *p;
	int err = shmring_attach_fd(fd, PROD, o, &p);

	CHECK_EQ(err, 0);
	if (err)
		test_exit();
	for (nth = 0; nth < count && !err; nth++)
		err = many_send(p, self, nth, sizeof(struct many_head) + test_random(&rnd) % 200,
				SHMRING_FOREVER);
	CHECK_EQ(err, 0);
	shmring_close(p);
	test_exit();
}

/* Until all producers are gone; numbers of a producer rise, by one where none are others'. */
static void consume(int fd, struct shmring_opts *o, struct tally *tally, uint32_t self)
{
	uint64_t next[PEERS] = { 0 };
	struct many_head head;
	struct shmring *c;
	long len = -EPIPE;
	int err = shmring_attach_fd(fd, CONS, o, &c);

	CHECK_EQ(err, 0);
	__atomic_fetch_add(&tally->ready, 1, __ATOMIC_SEQ_CST);
	while (!err && (len = many_recv(c, &head, SHMRING_FOREVER)) >= 0 && !test_bad) {
		CHECK(head.producer < PEERS && head.nth >= next[head.producer]);
		if (o->topology != QUEUE)
			CHECK_EQ(head.nth, next[head.producer]);
		if (test_bad)
			break;
		next[head.producer] = head.nth + 1;
		tally->got[self][head.producer]++;
	}
	if (!test_bad)
		CHECK_EQ(len, -EPIPE);
	shmring_close(c);
	test_exit();
}

static void check_tally(const struct tally *tally, uint32_t topology, uint32_t producers,
			uint32_t consumers, uint64_t count)
{
	uint32_t p, c;
	uint64_t sum;

	for (p = 0; p < producers; p++) {
		for (sum = 0, c = 0; c < consumers; c++) {
			sum += tally->got[c][p];
			if (topology == BCAST)
				CHECK_EQ(tally->got[c][p], count);
		}
		if (topology != BCAST)
			CHECK_EQ(sum, count);
	}
}

static void transfer(uint32_t topology, uint32_t producers, uint32_t consumers, uint64_t count,
		     int64_t spin)
{
	struct shmring_opts o = many_opts(topology, producers, consumers, spin);
	struct tally *tally = many_shared(sizeof(*tally));
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *watch, *hold;
	pid_t pids[2 * PEERS];
	uint32_t k, n = 0;

	count = test_rounds(count);
	NEED(tally && !shmring_create(NULL, OBS, &o, &watch));
	for (k = 0; k < consumers; k++) {
		pids[n] = test_fork();
		if (!pids[n++])
			consume(shmring_fd(watch), &o, tally, k);
	}
	while (__atomic_load_n(&tally->ready, __ATOMIC_SEQ_CST) != consumers && !test_bad)
		sched_yield();
	NEED(!shmring_attach_fd(shmring_fd(watch), PROD, &o, &hold));
	for (k = 1; k < producers; k++) {
		pids[n] = test_fork();
		if (!pids[n++])
			produce(shmring_fd(watch), &o, k, count);
	}
	for (k = 0; k < count; k++)
		if (many_send(hold, 0, k, sizeof(struct many_head) + k % 100, SHMRING_FOREVER))
			break;
	CHECK_EQ(k, count);
	/* The last to leave, so that consumers see the end once. */
	for (k = consumers; k < n; k++)
		CHECK_EQ(test_reap(pids[k]), 0);
	shmring_close(hold);
	for (k = 0; k < consumers; k++)
		CHECK_EQ(test_reap(pids[k]), 0);
	check_tally(tally, topology, producers, consumers, count);
	NEED(!shmring_info(watch, &info));
	CHECK(info.produced > 0);
	CHECK_EQ(info.produced, info.consumed);
	CHECK_EQ(info.lost, 0);
	munmap(tally, sizeof(*tally));
	shmring_close(watch);
}

#define TRANSFER(name, topology, producers, consumers)			\
	static void name(void)						\
	{								\
		transfer(topology, producers, consumers, 20000, 0);	\
	}								\
									\
	static void name##_sleeping(void)				\
	{								\
		transfer(topology, producers, consumers, 10000, SHMRING_SPIN_NEVER); \
	}

TRANSFER(mpsc_1, MPSC, 1, 1)
TRANSFER(mpsc_4, MPSC, 4, 1)
TRANSFER(queue_1_1, QUEUE, 1, 1)
TRANSFER(queue_3_3, QUEUE, 3, 3)
TRANSFER(queue_1_4, QUEUE, 1, 4)
TRANSFER(broadcast_1_1, BCAST, 1, 1)
TRANSFER(broadcast_3_3, BCAST, 3, 3)
TRANSFER(broadcast_1_4, BCAST, 1, 4)

/* What a full lane does not take is counted: attempts = received + lost. */
static void drop_newest(void)
{
	static const uint32_t topologies[] = { MPSC, QUEUE, BCAST };
	struct many_head head;
	struct shmring *p, *c;
	uint64_t sent, got;
	unsigned int t;
	int err;

	for (t = 0; t < 3; t++) {
		struct shmring_opts o = many_opts(topologies[t], 2, 2, 0);

		o.full_policy = SHMRING_FULL_DROP_NEWEST;
		NEED(!test_pair(&o, &p, &c));
		for (sent = 0; sent < 300; sent++) {
			err = many_send(p, 0, sent, 100, SHMRING_FOREVER);
			CHECK(!err || err == -ENOBUFS);
		}
		for (got = 0; many_recv(c, &head, SHMRING_NOWAIT) >= 0; got++)
			CHECK_EQ(head.nth, got);
		CHECK(shmring_lost(p) > 0);
		CHECK_EQ(got + shmring_lost(p), sent);
		shmring_close(p);
		shmring_close(c);
	}
}

/* What a batch does not take of what is left of it is told by the count, and is not lost. */
static void drop_newest_of_a_batch(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	static unsigned char buf[100][100];
	struct iovec msgs[100];
	struct many_head head;
	struct shmring *p, *c;
	unsigned int t, sent, got;
	long n;

	for (t = 0; t < 4; t++) {
		struct shmring_opts o = many_opts(topologies[t], 1, 1, 0);

		o.full_policy = SHMRING_FULL_DROP_NEWEST;
		NEED(!test_pair(&o, &p, &c));
		for (n = 0; n < 100; n++) {
			msgs[n].iov_base = buf[n];
			msgs[n].iov_len = many_make(buf[n], 0, (uint64_t)n, 100);
		}
		for (sent = 0, got = 0; sent < 100 && !test_bad; sent += (unsigned int)n) {
			n = shmring_send_batch(p, msgs + sent, 100 - sent, SHMRING_NOWAIT);
			NEED(n > 0);
			while (many_recv(c, &head, SHMRING_NOWAIT) >= 0)
				CHECK_EQ(head.nth, got++);
		}
		CHECK_EQ(got, 100);
		CHECK_EQ(shmring_lost(p), 0);
		/* One of which nothing is sent ends with an error, as a single record does. */
		CHECK(shmring_send_batch(p, msgs, 100, SHMRING_FOREVER) > 0);
		CHECK_EQ(shmring_lost(p), 0);
		CHECK_EQ(shmring_send_batch(p, msgs, 100, SHMRING_FOREVER), -ENOBUFS);
		CHECK_EQ(shmring_lost(p), 1);
		shmring_close(p);
		shmring_close(c);
	}
}

/* What nobody has joined for is not kept: a lane is not full of what is held back, either. */
static void drop_newest_unless_nobody_reads(void)
{
	struct shmring_opts o = many_opts(BCAST, 1, 1, 0);
	static unsigned char buf[100];
	struct iovec msgs[100];
	struct shmring *p;
	void *payload;
	unsigned int n;

	o.full_policy = SHMRING_FULL_DROP_NEWEST;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	for (n = 0; n < 100 && !test_bad; n++) {
		CHECK_EQ(shmring_reserve(p, 100, &payload, SHMRING_NOWAIT), 0);
		CHECK_EQ(shmring_put(p, 100), 0);
		msgs[n].iov_base = buf;
		msgs[n].iov_len = sizeof(buf);
	}
	CHECK_EQ(shmring_send_batch(p, msgs, 100, SHMRING_NOWAIT), 100);
	CHECK_EQ(shmring_lost(p), 0);
	shmring_close(p);
}

/* A consumer that is lapped knows how many it has lost, and release says ESTALE. */
static void overwrite(void)
{
	struct shmring_opts o = many_opts(BCAST, 2, 2, 0);
	struct many_head head;
	struct shmring *p, *c;
	const void *payload;
	uint64_t sent, got = 0;

	o.full_policy = SHMRING_FULL_OVERWRITE;
	NEED(!test_pair(&o, &p, &c));
	for (sent = 0; sent < 5000; sent++) {
		CHECK_EQ(many_send(p, 0, sent, 16 + sent % 100, SHMRING_NOWAIT), 0);
		if (sent % 97 == 0)
			while (many_recv(c, &head, SHMRING_NOWAIT) >= 0) {
				CHECK_EQ(head.nth, got + shmring_lost(c));
				got++;
			}
	}
	while (many_recv(c, &head, SHMRING_NOWAIT) >= 0)
		got++;
	CHECK(shmring_lost(c) > 0);
	CHECK_EQ(got + shmring_lost(c), sent);
	CHECK_EQ(many_send(p, 0, sent++, 16, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_peek(c, &payload, SHMRING_NOWAIT), 16);
	for (; sent < 6000; sent++)
		CHECK_EQ(many_send(p, 0, sent, 100, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_release(c), -ESTALE);
	while (many_recv(c, &head, SHMRING_NOWAIT) >= 0)
		got++;
	CHECK_EQ(got + shmring_lost(c), sent);
	shmring_close(c);
	shmring_close(p);
}

/* However slow a consumer is: what it is shown was not overwritten before it looked. */
static void overwrite_between_looks(void)
{
	struct shmring_opts o = many_opts(BCAST, 2, 1, SHMRING_SPIN_NEVER);
	struct shmring *p, *q, *c;
	struct many_head head;
	unsigned int look, n;
	const void *payload;
	uint64_t nth = 0;

	o.full_policy = SHMRING_FULL_OVERWRITE;
	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_attach_fd(shmring_fd(p), PROD, &o, &q));
	for (look = 0; look < 20 && !test_bad; look++) {
		for (n = 0; n < 200; n++, nth++) {
			CHECK_EQ(many_send(p, 0, nth, 64, SHMRING_NOWAIT), 0);
			CHECK_EQ(many_send(q, 1, nth, 64, SHMRING_NOWAIT), 0);
		}
		if (look % 2) {
			CHECK_EQ(many_recv(c, &head, 1), 64);	/* long past */
			continue;
		}
		CHECK_EQ(shmring_peek(c, &payload, SHMRING_NOWAIT), 64);
		CHECK(!test_bad && many_check(payload, 64, &head));
		CHECK_EQ(shmring_release(c), 0);
	}
	for (n = look; many_recv(c, &head, SHMRING_NOWAIT) >= 0; n++)
		;
	CHECK_EQ(n + shmring_lost(c), 2 * nth);
	shmring_close(c);
	shmring_close(q);
	shmring_close(p);
}

/* What a consumer of a QUEUE had claimed when it was killed another one reads. */
static void queue_orphans(void)
{
	struct shmring_opts o = many_opts(QUEUE, 2, 3, SHMRING_SPIN_NEVER);
	uint64_t nth, seen[2] = { 0 };
	struct many_head head;
	struct shmring *p, *c;
	const void *payload;
	int pipes[2];
	pid_t pid;
	unsigned int turn;

	NEED(!test_pair(&o, &p, &c) && !pipe(pipes));
	for (turn = 0; turn < 50; turn++) {
		for (nth = 0; nth < 2; nth++)
			CHECK_EQ(many_send(p, 0, nth, 16, SHMRING_FOREVER), 0);
		pid = test_fork();
		if (!pid) {
			struct shmring *other;

			CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &other), 0);
			CHECK_EQ(shmring_peek(other, &payload, SHMRING_FOREVER), 16);
			test_tell(pipes[1]);
			pause();
		}
		NEED(!test_hear(pipes[0]));
		kill(pid, SIGKILL);
		CHECK_EQ(test_reap(pid), 128 + SIGKILL);
		for (nth = 0; nth < 2; nth++) {
			CHECK_EQ(many_recv(c, &head, SHMRING_FOREVER), 16);
			seen[head.nth & 1]++;
		}
		CHECK_EQ(seen[0], turn + 1);
		CHECK_EQ(seen[1], turn + 1);
		CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), -EAGAIN);
	}
	close(pipes[0]);
	close(pipes[1]);
	shmring_close(c);
	shmring_close(p);
}

/* A consumer that peeks at the next record, which is @nth, and is killed. */
static void peek_and_die(struct shmring *r, struct shmring_opts *o, uint64_t nth)
{
	struct many_head head = { 0 };
	const void *payload;
	struct shmring *c;
	long len;
	pid_t pid = test_fork();

	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(r), CONS, o, &c), 0);
		if (!test_bad) {
			len = shmring_peek(c, &payload, SHMRING_NOWAIT);
			CHECK(many_check(payload, len, &head));
			CHECK_EQ(head.nth, nth);
		}
		if (!test_bad)
			raise(SIGKILL);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	/* The memfd backend looks who is dead when it has nothing better to do. */
	shmring_wait(r, SHMRING_EV_PEER, SHMRING_NOWAIT);
}

static void recv_nth(struct shmring *c, uint64_t nth)
{
	struct many_head head;

	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), 16);
	CHECK_EQ(head.nth, nth);
}

/* What was released of what a consumer had left is nobody's any more, however the next one ends. */
static void queue_orphan_read_in_part(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct shmring_stats stats = { .size = sizeof(stats) };
	uint64_t nth, records = 0;
	struct shmring *p, *c;
	struct many_head head;
	struct iovec msgs[6];
	unsigned int slot;
	pid_t pid;

	NEED(!test_pair(&o, &p, &c));
	for (nth = 0; nth < 6; nth++)
		CHECK_EQ(many_send(p, 0, nth, 16, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_peek_batch(c, msgs, 6, SHMRING_NOWAIT), 6);
	shmring_close(c);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	recv_nth(c, 0);
	recv_nth(c, 1);
	shmring_close(c);
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		if (!test_bad)
			recv_nth(c, 2);
		if (!test_bad)
			raise(SIGKILL);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	shmring_wait(p, SHMRING_EV_PEER, SHMRING_NOWAIT);
	for (nth = 3; nth < 6; nth++)
		recv_nth(c, nth);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), -EAGAIN);
	for (slot = 1; slot < 3; slot++) {
		CHECK_EQ(shmring_get_stats(p, slot, &stats), 0);
		records += stats.records;
	}
	CHECK_EQ(records, 6);
	shmring_close(c);
	shmring_close(p);
}

/*
 * While one consumer still reads what a dead one had claimed, the dead one's slot has a new
 * consumer, which dies with a claim as well: nothing is forgotten.
 */
static void queue_slot_of_an_orphan(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct many_head head;
	struct shmring *p, *c;
	const void *payload;
	uint64_t nth;

	NEED(!test_pair(&o, &p, &c));
	for (nth = 0; nth < 4; nth++)
		CHECK_EQ(many_send(p, 0, nth, 16, SHMRING_FOREVER), 0);
	peek_and_die(p, &o, 0);
	peek_and_die(p, &o, 0);		/* its successor is given that, before anything else */
	CHECK_EQ(shmring_peek(c, &payload, SHMRING_FOREVER), 16);
	CHECK(many_check(payload, 16, &head));
	CHECK_EQ(head.nth, 0);
	peek_and_die(p, &o, 1);
	CHECK_EQ(shmring_release(c), 0);
	for (nth = 1; nth < 4; nth++) {
		CHECK_EQ(many_recv(c, &head, SHMRING_FOREVER), 16);
		CHECK_EQ(head.nth, nth);
	}
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), -EAGAIN);
	shmring_close(c);
	shmring_close(p);
}

/* Enough is enough in bytes, in records, and when nobody is left to bring more. */
/* One record for this one, which then has something else to do. */
static void take_one(int fd, struct shmring_opts *o, int tell)
{
	struct many_head head;
	struct shmring *c;

	CHECK_EQ(shmring_attach_fd(fd, CONS, o, &c), 0);
	test_tell(tell);
	CHECK_EQ(many_recv(c, &head, SHMRING_FOREVER), 16);
	if (!test_bad)
		test_tell(tell);
	pause();
}

/* Several records in one publication are as many sleepers' work, not the first one's alone. */
static void queue_publication_for_several(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 3, SHMRING_SPIN_NEVER);
	unsigned char buf[3][16];
	struct iovec msgs[3];
	struct shmring *p;
	int pipes[2], k;
	pid_t pid[3];

	NEED(!shmring_create(NULL, PROD, &o, &p) && !pipe(pipes));
	for (k = 0; k < 3; k++) {
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = many_make(buf[k], 0, (uint64_t)k, 16);
		pid[k] = test_fork();
		if (!pid[k])
			take_one(shmring_fd(p), &o, pipes[1]);
		NEED(!test_hear(pipes[0]));
		CHECK_EQ(test_until_asleep(pid[k]), 0);
	}
	CHECK_EQ(shmring_send_batch(p, msgs, 3, SHMRING_FOREVER), 3);
	for (k = 0; k < 3; k++)
		NEED(!test_hear(pipes[0]));
	for (k = 0; k < 3; k++) {
		kill(pid[k], SIGKILL);
		CHECK_EQ(test_reap(pid[k]), 128 + SIGKILL);
	}
	close(pipes[0]);
	close(pipes[1]);
	shmring_close(p);
}

/* What one consumer keeps from the other when it has received its @taken-th record and stops */
static uint64_t kept_by_one(struct shmring *p, struct shmring *one, struct shmring *other,
			    uint64_t taken)
{
	const uint64_t sent = 300;
	struct many_head head;
	uint64_t nth, got = 0, kept;

	for (nth = 0; nth < sent; nth++)
		CHECK_EQ(many_send(p, 0, nth, 16, SHMRING_NOWAIT), 0);
	for (nth = 0; nth < taken; nth++)
		CHECK_EQ(many_recv(one, &head, SHMRING_NOWAIT), 16);
	while (many_recv(other, &head, SHMRING_NOWAIT) == 16)
		got++;
	kept = sent - taken - got;
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), kept ? -EAGAIN : 0);
	for (nth = 0; nth < kept; nth++)
		CHECK_EQ(many_recv(one, &head, SHMRING_NOWAIT), 16);
	CHECK_EQ(many_recv(one, &head, SHMRING_NOWAIT), -EAGAIN);
	return kept;
}

/* A consumer claims ahead as far as it was allowed to: with 1 it has what it was given. */
static void queue_claims_ahead(void)
{
	static const uint32_t most[] = { 1, 3, 0 };
	struct shmring_opts o = many_opts(QUEUE, 1, 2, 0);
	struct shmring *p, *one, *other;
	uint64_t taken;
	unsigned int k;

	o.data_size = 16384;
	for (k = 0; k < 3; k++) {
		o.claim_max = most[k];
		NEED(!test_pair(&o, &p, &one));
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &other));
		for (taken = 1; taken < 250; taken++)
			CHECK(kept_by_one(p, one, other, taken) <
			      (most[k] ? most[k] : SHMRING_CLAIM_MOST));
		shmring_close(other);
		shmring_close(one);
		shmring_close(p);
	}
}

/* Large records that others take, and small ones in their place: a threshold counts records. */
static void queue_threshold_beside_others(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct shmring *p, *c, *r;
	struct many_head head;
	uint64_t k, from;
	int fds[2];
	pid_t pid;

	NEED(!test_pair(&o, &p, &c) && !pipe(fds));
	for (k = 0; k < 2; k++)
		CHECK_EQ(many_send(p, 0, k, MANY_MAX, 0), 0);
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &r), 0);
		test_tell(fds[1]);
		CHECK_EQ(shmring_wait_for(r, SHMRING_EV_IN, 0, 4, SHMRING_FOREVER), SHMRING_EV_IN);
		shmring_close(r);
		test_exit();
	}
	NEED(!test_hear(fds[0]));
	CHECK_EQ(test_until_asleep(pid), 0);
	from = test_now();
	for (k = 0; k < 2; k++)
		CHECK_EQ(many_recv(c, &head, 0), MANY_MAX);
	for (k = 2; k < 6; k++)
		CHECK_EQ(many_send(p, 0, k, 16, 0), 0);
	CHECK_EQ(test_reap(pid), 0);
	printf("# awake after %llu us\n", (unsigned long long)(test_now() - from) / 1000);
	close(fds[0]);
	close(fds[1]);
	shmring_close(c);
	shmring_close(p);
}

static void thresholds(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	struct shmring *p, *c;
	unsigned int t;

	for (t = 0; t < 4; t++) {
		struct shmring_opts o = many_opts(topologies[t], 0, 0, SHMRING_SPIN_NEVER);

		NEED(!test_pair(&o, &p, &c));
		CHECK_EQ(many_send(p, 0, 0, 16, 0), 0);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 2, 0), -EAGAIN);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 25, 0, 0), -EAGAIN);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 24, 0, 0), SHMRING_EV_IN);
		CHECK_EQ(many_send(p, 0, 1, 16, 0), 0);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 2, SHMRING_FOREVER), SHMRING_EV_IN);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 4097, 0, 0), -ERANGE);
		shmring_close(p);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 3, SHMRING_FOREVER), SHMRING_EV_IN);
		shmring_close(c);
	}
}

/*
 * The rule of shmring_wait_for(): below it one side goes on however the lane is filled. A
 * little above it a threshold and a record are in each other's way.
 */
static void threshold_and_record(uint32_t topology, uint64_t threshold, size_t len, int fit)
{
	struct shmring_opts o = many_opts(topology, 1, 1, SHMRING_SPIN_NEVER);
	static char buf[4096];
	struct shmring *p, *c;
	/* As much as can be there and is not enough. */
	size_t there = (size_t)((threshold - 1) & ~7ull) - 8;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, buf, there, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, threshold, 0, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_wait_for(p, SHMRING_EV_OUT, len, 0, SHMRING_NOWAIT),
		 fit ? SHMRING_EV_OUT : -EAGAIN);
	CHECK_EQ(shmring_send(p, buf, len, SHMRING_NOWAIT), fit ? 0 : -EAGAIN);
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, threshold, 0, SHMRING_NOWAIT),
		 fit ? SHMRING_EV_IN : -EAGAIN);
	shmring_close(c);
	shmring_close(p);
}

static void thresholds_and_records(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	uint64_t threshold;
	unsigned int t;

	for (t = 0; t < 4; t++) {
		for (threshold = 1985; threshold <= 2000 && !test_bad; threshold++)
			threshold_and_record(topologies[t], threshold, 4096 - 16 - threshold, 1);
		threshold_and_record(topologies[t], 1993, 4096 - 16 - 1993 + 2, 0);
		threshold_and_record(topologies[t], 1512 + 488, 3000, 0);
	}
}

static int count_one(const void *payload, size_t len, void *count)
{
	(void)payload;
	(void)len;
	++*(int *)count;
	return 0;
}

/* A call that took the last records says so; if that was all is for the next one to find out. */
static void end_behind_what_was_consumed(uint32_t topology)
{
	struct shmring_opts o = many_opts(topology, 2, 2, 0);
	struct shmring *p, *c;
	int count = 0;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(many_send(p, 0, 0, 100, SHMRING_NOWAIT), 0);
	shmring_close(p);
	CHECK_EQ(shmring_consume(c, count_one, &count, 0, SHMRING_NOWAIT), 1);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(many_send(p, 0, 1, 100, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_consume(c, count_one, &count, 0, SHMRING_NOWAIT), 1);
	CHECK_EQ(count, 2);
	shmring_close(p);
	CHECK_EQ(shmring_consume(c, count_one, &count, 0, SHMRING_NOWAIT), -EPIPE);
	shmring_close(c);
}

static void end_behind_what_was_consumed_mpsc(void) { end_behind_what_was_consumed(MPSC); }
static void end_behind_what_was_consumed_queue(void) { end_behind_what_was_consumed(QUEUE); }
static void end_behind_what_was_consumed_broadcast(void) { end_behind_what_was_consumed(BCAST); }

/*
 * What was reserved stays good when the producer is told that consumers came, or that there is
 * none, and so gives up the room that it knew of. There is no more room than before then.
 */
static void room_after_a_reservation(uint32_t topology, int batch)
{
	const uint32_t consumers = topology == QUEUE ? 2 : 1;
	struct shmring_opts o = many_opts(topology, 1, consumers, SHMRING_SPIN_NEVER);
	const uint64_t fits = (4096 - 8) / 72;
	unsigned char buf[64][64];
	struct shmring *p, *c, *other = NULL;
	struct iovec msgs[64];
	struct many_head head;
	uint64_t nth = 0, k;
	void *to;

	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_reserve(p, 64, &to, SHMRING_NOWAIT));
	if (topology == QUEUE) {
		CHECK_EQ(shmring_put(p, many_make(to, 0, nth++, 64)), 0);
		NEED(!shmring_reserve(p, 64, &to, SHMRING_NOWAIT));
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &other));
		CHECK_EQ(shmring_flush(p), 0);
	} else {
		shmring_close(c);
		CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), 0);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	}
	CHECK_EQ(shmring_commit(p, many_make(to, 0, nth++, 64)), 0);
	if (batch) {
		for (k = 0; k < 64; k++) {
			msgs[k].iov_base = buf[k];
			msgs[k].iov_len = many_make(buf[k], 0, nth + k, 64);
		}
		CHECK_EQ(shmring_send_batch(p, msgs, 64, SHMRING_NOWAIT), fits - nth);
	} else {
		while (nth < 1000 && !many_send(p, 0, nth, 64, SHMRING_NOWAIT))
			nth++;
		CHECK_EQ(nth, fits);
	}
	for (k = 0; k < fits && !test_bad; k++) {
		CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), 64);
		CHECK_EQ(head.nth, k);
	}
	shmring_close(other);
	shmring_close(c);
	shmring_close(p);
}

static void reservations_outlive_what_was_known(void)
{
	room_after_a_reservation(SHMRING_TOPO_SPSC, 0);
	room_after_a_reservation(SHMRING_TOPO_SPSC, 1);
	room_after_a_reservation(QUEUE, 0);
	room_after_a_reservation(QUEUE, 1);
}

int main(void)
{
	START();
	RUN(reservations_outlive_what_was_known);
	RUN(drop_newest);
	RUN(drop_newest_of_a_batch);
	RUN(drop_newest_unless_nobody_reads);
	RUN(overwrite);
	RUN(overwrite_between_looks);
	RUN(queue_orphans);
	RUN(queue_slot_of_an_orphan);
	RUN(queue_orphan_read_in_part);
	RUN(queue_publication_for_several);
	RUN(queue_claims_ahead);
	RUN(queue_threshold_beside_others);
	RUN(thresholds);
	RUN(thresholds_and_records);
	RUN(end_behind_what_was_consumed_mpsc);
	RUN(end_behind_what_was_consumed_queue);
	RUN(end_behind_what_was_consumed_broadcast);
	RUN(mpsc_1);
	RUN(mpsc_1_sleeping);
	RUN(mpsc_4);
	RUN(mpsc_4_sleeping);
	RUN(queue_1_1);
	RUN(queue_1_1_sleeping);
	RUN(queue_3_3);
	RUN(queue_3_3_sleeping);
	RUN(queue_1_4);
	RUN(queue_1_4_sleeping);
	RUN(broadcast_1_1);
	RUN(broadcast_1_1_sleeping);
	RUN(broadcast_3_3);
	RUN(broadcast_3_3_sleeping);
	RUN(broadcast_1_4);
	RUN(broadcast_1_4_sleeping);
	DONE();
}
