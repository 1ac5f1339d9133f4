// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Endpoints are killed at random moments, and replaced, while all of them work: in each
 * topology, with each full policy. At the end what was committed was delivered once, what
 * was only reserved never, everybody counts the same, and nobody hangs.
 *
 * Each life of a producer has a number, and says in shared memory how many records it has
 * begun to commit and how many calls have returned. A consumer says what it is about to
 * release, releases, and marks it as delivered: of a killed one's last records either
 * nobody knows whether it had released them, or somebody else gets them.
 *
 * SHMRING_STRESS=N kills N times as many.
 */
#include "many.h"

#define KILLS		60u
#define CAP		(64u << 20)	/* marks of all lives together */
#define BATCH		4u
#define UNMARKED	0xffffffffu

struct life {
	uint64_t begun;		/* producers: records that a commit may have shown */
	uint64_t acked;		/* that one has certainly */
	uint64_t dropped;
	uint64_t missing;	/* the witness: lost, as it counts */
	uint32_t held_life[BATCH];	/* consumers: about to be released; UNMARKED: nothing */
	uint32_t held_nth[BATCH];
};

struct storm {
	uint32_t stop;		/* producers are to leave */
	uint32_t drain;		/* consumers are to leave when nothing is left */
	uint32_t bad;
	uint32_t pad;
	struct life life[];
};

static struct storm *storm;
static unsigned char *marks;	/* by life and record: how often it was delivered */
static uint64_t per_life;	/* records of one */
static uint32_t lives;
static uint32_t lives_max;

static void fail(const char *what, uint32_t self, uint64_t a, uint64_t b)
{
	if (!__atomic_exchange_n(&storm->bad, 1, __ATOMIC_SEQ_CST))
		printf("# life %u: %s: %llu, %llu\n", self, what, (unsigned long long)a,
		       (unsigned long long)b);
	test_bad++;
	test_exit();
}

static int told(const uint32_t *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static int is_gone(long err)
{
	return err == -EPIPE || err == -EOWNERDEAD;
}

/* ---- producers ----------------------------------------------------------------------- */

/* Several in one publication: they are there together, or are not. */
static long send_some(struct shmring *p, uint32_t self, uint64_t nth, unsigned int n, uint64_t *rnd)
{
	static unsigned char buf[BATCH][MANY_MAX];
	struct iovec msgs[BATCH];
	void *payload;
	unsigned int k;
	int err;

	for (k = 0; k < n; k++) {
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = many_make(buf[k], self, nth + k,
					    sizeof(struct many_head) + test_random(rnd) % 100);
	}
	/* One that is never committed. */
	if (!(test_random(rnd) % 8)) {
		err = shmring_reserve(p, 100, &payload, SHMRING_NOWAIT);
		if (!err)
			many_make(payload, self, ~0ull, 100);
		storm->life[self].dropped += err == -ENOBUFS;
	}
	if (n == 1)
		return shmring_send(p, buf[0], msgs[0].iov_len, SHMRING_FOREVER) ?: 1;
	return shmring_send_batch(p, msgs, n, SHMRING_FOREVER);
}

static void produce(int fd, struct shmring_opts *o, uint32_t self)
{
	struct life *life = &storm->life[self];
	uint64_t rnd = self, nth = 0;
	/* A batch that does not fit does not tell whether it was the full lane. */
	unsigned int n = self & 1 || o->full_policy == SHMRING_FULL_DROP_NEWEST ? 1 : BATCH;
	struct shmring *p;
	long sent = shmring_attach_fd(fd, PROD, o, &p);

	if (sent)
		fail("producer attaches", self, (uint64_t)-sent, 0);
	while (!told(&storm->stop)) {
		if (nth + n > per_life) {
			sched_yield();
			continue;
		}
		__atomic_store_n(&life->begun, nth + n, __ATOMIC_RELEASE);
		sent = send_some(p, self, nth, n, &rnd);
		if (sent > 0) {
			nth += (uint64_t)sent;
			__atomic_store_n(&life->acked, nth, __ATOMIC_RELEASE);
		} else if (sent == -ENOBUFS) {
			life->dropped++;
		} else if (is_gone(sent)) {
			sched_yield();		/* until the next consumer */
		} else {
			fail("producer sends", self, (uint64_t)-sent, nth);
		}
	}
	shmring_close(p);
	test_exit();
}

/* ---- consumers ----------------------------------------------------------------------- */

struct reader {
	uint32_t self;
	uint32_t topology;
	int gaps;		/* OVERWRITE */
	int witness;		/* was there before the first record */
	uint64_t *next;		/* BROADCAST: by life */
};

static void deliver(struct reader *x, const struct many_head *head)
{
	unsigned char *mark = &marks[head->producer * per_life + head->nth];
	uint64_t *next;

	if (x->topology != BCAST) {
		if (__atomic_fetch_add(mark, 1, __ATOMIC_RELAXED))
			fail("delivered twice", x->self, head->producer, head->nth);
		return;
	}
	next = &x->next[head->producer];
	if (head->nth < *next ||
	    (!x->gaps && head->nth != *next && (*next || x->witness)))
		fail("not what is next", x->self, head->nth, *next);
	*next = head->nth + 1;
	if (x->witness)
		*mark = 1;
}

static void take(struct reader *x, struct shmring *c, struct iovec *msgs, unsigned int n)
{
	static unsigned char buf[BATCH][MANY_MAX];
	struct life *life = &storm->life[x->self];
	struct many_head head[BATCH];
	unsigned int k;
	int err;

	for (k = 0; k < n; k++) {
		if (msgs[k].iov_len > MANY_MAX || msgs[k].iov_len < sizeof(head[k]))
			msgs[k].iov_len = sizeof(head[k]);	/* torn, or the check will tell */
		memcpy(buf[k], msgs[k].iov_base, msgs[k].iov_len);
		memcpy(&head[k], buf[k], sizeof(head[k]));
		life->held_nth[k] = (uint32_t)head[k].nth;
		__atomic_store_n(&life->held_life[k], head[k].producer, __ATOMIC_RELEASE);
	}
	err = shmring_release(c);
	for (k = 0; k < n && !err; k++) {
		if (!many_check(buf[k], (long)msgs[k].iov_len, &head[k]) ||
		    head[k].producer >= lives_max || head[k].nth >= per_life)
			fail("not whole", x->self, head[k].producer, head[k].nth);
		deliver(x, &head[k]);
	}
	for (k = 0; k < BATCH; k++)
		__atomic_store_n(&life->held_life[k], UNMARKED, __ATOMIC_RELEASE);
	if (err && !x->gaps)
		fail("release", x->self, (uint64_t)-err, 0);
}

static void consume(int fd, struct shmring_opts *o, uint32_t self, int witness)
{
	struct reader x = {
		.self = self,
		.topology = o->topology,
		.gaps = o->full_policy == SHMRING_FULL_OVERWRITE,
		.witness = witness,
		.next = calloc(lives_max, sizeof(uint64_t)),
	};
	unsigned int n = self & 1 ? BATCH : 1;
	struct iovec msgs[BATCH];
	struct shmring *c;
	long got = shmring_attach_fd(fd, CONS, o, &c);

	if (got)
		fail("consumer attaches", self, (uint64_t)-got, 0);
	__atomic_store_n(&storm->life[self].acked, 1, __ATOMIC_RELEASE);
	for (;;) {
		int last = told(&storm->drain);

		got = shmring_peek_batch(c, msgs, n, SHMRING_FOREVER);
		if (got > 0)
			take(&x, c, msgs, (unsigned int)got);
		else if (is_gone(got) && last)
			break;
		else if (is_gone(got))
			sched_yield();		/* until the next producer */
		else
			fail("consumer receives", self, (uint64_t)-got, 0);
	}
	storm->life[self].missing = shmring_lost(c);
	shmring_close(c);
	test_exit();
}

/* ---- the storm ----------------------------------------------------------------------- */

struct child {
	pid_t pid;
	uint32_t role;
	uint32_t life;
};

static void start(struct child *child, int fd, struct shmring_opts *o, uint32_t role, int witness)
{
	uint32_t k;

	child->role = role;
	child->life = lives++;
	for (k = 0; k < BATCH; k++)
		storm->life[child->life].held_life[k] = UNMARKED;
	o->spin_ns = child->life % 3 ? 0 : SHMRING_SPIN_NEVER;
	child->pid = test_fork();
	if (child->pid)
		return;
	if (role == PROD)
		produce(fd, o, child->life);
	consume(fd, o, child->life, witness);
}

static void reap_all(struct child *child, unsigned int n, uint32_t role)
{
	unsigned int k;

	for (k = 0; k < n; k++)
		if (child[k].role == role)
			CHECK_EQ(test_reap(child[k].pid), 0);
}

/* Somewhere in the next 2 ms. */
static void a_moment(uint64_t *rnd)
{
	struct timespec ts = { 0, (long)(test_random(rnd) % 2000000) };

	nanosleep(&ts, NULL);
}

/* However short the storm left each of them alive: those who outlive it get records through. */
static void get_through(const struct child *child, uint32_t producers)
{
	uint32_t k;

	for (k = 0; k < producers; k++)
		while (!told(&storm->bad) &&
		       !__atomic_load_n(&storm->life[child[k].life].acked, __ATOMIC_ACQUIRE))
			sched_yield();
}

/* Every lane has had an orderly end: what was published and not told of is found. */
static void end_lanes(int fd, struct shmring_opts *o, uint32_t producers)
{
	struct shmring *p[SHMRING_SLOTS_MAX];
	uint32_t k;

	for (k = 0; k < producers; k++)
		NEED(!shmring_attach_fd(fd, PROD, o, &p[k]));
	for (k = 0; k < producers; k++)
		shmring_close(p[k]);
}

/* What is left when all are gone: the orphans of those who died last. */
static void drain(int fd, struct shmring_opts *o)
{
	struct reader x = { .self = lives++, .topology = o->topology };
	struct shmring *c;
	struct iovec msg;
	uint32_t k;

	for (k = 0; k < BATCH; k++)
		storm->life[x.self].held_life[k] = UNMARKED;
	NEED(!shmring_attach_fd(fd, CONS, o, &c));
	/* Who is dead is looked for here; then there are orphans, or none. */
	shmring_wait(c, SHMRING_EV_IN | SHMRING_EV_PEER, SHMRING_NOWAIT);
	while (shmring_peek_batch(c, &msg, 1, SHMRING_NOWAIT) == 1)
		take(&x, c, &msg, 1);
	shmring_close(c);
}

/* Was this record in the hands of somebody who was killed? */
static int held(uint32_t life, uint64_t nth)
{
	uint32_t other, k;

	for (other = 0; other < lives; other++)
		for (k = 0; k < BATCH; k++)
			if (storm->life[other].held_life[k] == life &&
			    storm->life[other].held_nth[k] == (uint32_t)nth)
				return 1;
	return 0;
}

/* Delivered, as marked; *@unknown: so many more may have been. */
static uint64_t judge_life(uint32_t u, int gaps, uint64_t *unknown)
{
	const struct life *life = &storm->life[u];
	uint64_t nth, delivered = 0;

	for (nth = 0; nth < per_life; nth++) {
		unsigned int mark = marks[u * per_life + nth];

		delivered += mark;
		if (mark) {
			CHECK(nth < life->begun);
			continue;
		}
		if (nth >= life->begun)
			break;
		if (held(u, nth))
			(*unknown)++;
		else if (nth < life->acked && !gaps)
			CHECK_EQ(mark, 1);
	}
	return delivered;
}

static void judge(struct shmring *watch, const struct shmring_opts *o, const struct child *child,
		  unsigned int n, uint32_t kills)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_stats stats = { .size = sizeof(stats) };
	uint64_t produced = 0, consumed = 0, delivered = 0, unknown = 0, dropped = 0, lost = 0;
	int gaps = o->full_policy == SHMRING_FULL_OVERWRITE;
	uint32_t k, u;

	NEED(!shmring_info(watch, &info));
	for (k = 0; k < info.slots; k++) {
		NEED(!shmring_get_stats(watch, k, &stats));
		if (k < info.producers) {
			produced += stats.records;
			lost += stats.lost;
		} else {
			consumed += stats.records;
		}
	}
	for (u = 0; u < lives; u++) {
		dropped += storm->life[u].dropped;
		if (storm->life[u].begun)
			delivered += judge_life(u, gaps, &unknown);
	}
	/* Each that was killed may not have lived to count what it had counted as lost. */
	CHECK(lost >= dropped && lost - dropped <= kills);
	if (o->topology == BCAST) {
		/* The witness's own are all, but for what it had lost. */
		for (k = 0; k < n; k++)
			if (child[k].role == CONS && k == n - 1)
				CHECK_EQ(delivered + storm->life[child[k].life].missing, produced);
	} else {
		CHECK(produced >= delivered && produced <= delivered + unknown);
		CHECK_EQ(consumed, produced);
		CHECK_EQ(info.consumed, info.produced);
	}
	printf("# %u killed; %llu records, of %llu of them nobody knows\n", kills,
	       (unsigned long long)produced, (unsigned long long)unknown);
	CHECK(produced > 0);
}

static void blow(uint32_t topology, uint32_t policy, uint32_t producers, uint32_t consumers)
{
	struct shmring_opts o = many_opts(topology, producers, consumers, 0);
	uint32_t kills = (uint32_t)test_rounds(KILLS * test_stress()), n = producers + consumers, k;
	uint64_t rnd = topology * 8 + policy;
	struct child child[8];
	struct shmring *watch;
	size_t size;

	if (topology == SHMRING_TOPO_SPSC)
		o.producers = o.consumers = 0;
	o.full_policy = policy;
	lives = 0;
	lives_max = kills + n + 2;
	per_life = CAP / lives_max < 20000 ? CAP / lives_max : 20000;
	size = sizeof(*storm) + lives_max * sizeof(storm->life[0]);
	storm = many_shared(size);
	marks = many_shared(lives_max * per_life);
	NEED(storm && marks && !shmring_create(NULL, OBS, &o, &watch));
	/* The last one of a BROADCAST ring sees all and is spared. */
	for (k = n; k-- > 0;) {
		start(&child[k], shmring_fd(watch), &o, k < producers ? PROD : CONS, k == n - 1);
		while (k == n - 1 && !told(&storm->bad) &&
		       !__atomic_load_n(&storm->life[child[k].life].acked, __ATOMIC_ACQUIRE))
			sched_yield();
	}
	for (k = 0; k < kills && !told(&storm->bad); k++) {
		struct child *victim = &child[test_random(&rnd) % (n - (topology == BCAST))];

		a_moment(&rnd);
		kill(victim->pid, SIGKILL);
		CHECK_EQ(test_reap(victim->pid), 128 + SIGKILL);
		if (test_random(&rnd) & 1)
			a_moment(&rnd);
		start(victim, shmring_fd(watch), &o, victim->role, 0);
	}
	get_through(child, producers);
	__atomic_store_n(&storm->stop, 1, __ATOMIC_RELEASE);
	reap_all(child, n, PROD);
	end_lanes(shmring_fd(watch), &o, producers);
	__atomic_store_n(&storm->drain, 1, __ATOMIC_RELEASE);
	/* Those who sleep are woken by an end. */
	end_lanes(shmring_fd(watch), &o, producers);
	reap_all(child, n, CONS);
	if (topology != BCAST)
		drain(shmring_fd(watch), &o);
	if (!test_bad)
		judge(watch, &o, child, n, kills);
	shmring_close(watch);
	munmap(marks, lives_max * per_life);
	munmap(storm, size);
}

#define STORM(name, topology, policy, producers, consumers)		\
	static void name(void)						\
	{								\
		blow(topology, SHMRING_FULL_##policy, producers, consumers); \
	}

STORM(spsc_wait, SHMRING_TOPO_SPSC, WAIT, 1, 1)
STORM(spsc_drop_newest, SHMRING_TOPO_SPSC, DROP_NEWEST, 1, 1)
STORM(mpsc_wait, MPSC, WAIT, 3, 1)
STORM(mpsc_drop_newest, MPSC, DROP_NEWEST, 3, 1)
STORM(queue_wait, QUEUE, WAIT, 2, 3)
STORM(queue_drop_newest, QUEUE, DROP_NEWEST, 2, 3)
STORM(broadcast_wait, BCAST, WAIT, 2, 3)
STORM(broadcast_drop_newest, BCAST, DROP_NEWEST, 2, 3)
STORM(broadcast_overwrite, BCAST, OVERWRITE, 2, 3)

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
