// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * There and back, round after round, in each topology and by each way of waiting: a wake-up
 * that is lost hangs (without slices: wakeup.sh), a spin that was not asked for or a sleep
 * that was forbidden is counted, and who waits for nothing does nothing.
 *
 * SHMRING_STRESS=N makes N times as many rounds.
 */
#include <sys/timerfd.h>

#include "many.h"
#include "ways.h"

#define ROUNDS		2000u

struct side {
	struct waiter in;
	struct shmring *out;
};

static int side_open(struct side *s, enum way way)
{
	s->in.way = way;
	s->in.event = SHMRING_EV_IN;
	return waiter_open(&s->in);
}

static void side_close(struct side *s)
{
	waiter_close(&s->in);
	shmring_close(s->out);
}

/* @due records are still to come. */
static long side_recv(struct side *s, uint64_t *in, uint64_t due)
{
	struct waiter *w = &s->in;
	long len;

	while ((len = shmring_recv(w->r, in, sizeof(*in), waiter_deadline(w))) == -EAGAIN &&
	       !test_bad)
		waiter_sleep(w, 0, due);
	return len;
}

/* Two records at a time: the first of them wakes, or with a threshold the second. */
static void side_send(const struct side *s, uint64_t nth)
{
	CHECK_EQ(shmring_send(s->out, &nth, sizeof(nth), SHMRING_FOREVER), 0);
	nth++;
	CHECK_EQ(shmring_send(s->out, &nth, sizeof(nth), SHMRING_FOREVER), 0);
}

static void side_expect(struct side *s, uint64_t nth)
{
	uint64_t in, k;

	for (k = 0; k < 2 && !test_bad; k++) {
		CHECK_EQ(side_recv(s, &in, 2 - k), 8);
		CHECK_EQ(in, nth + k);
	}
}

static void other_side(int there, int back, struct shmring_opts *o, enum way way, uint64_t rounds,
		       int ready)
{
	struct side s = { .out = NULL };
	uint64_t n;

	CHECK_EQ(shmring_attach_fd(there, CONS, o, &s.in.r), 0);
	CHECK_EQ(shmring_attach_fd(back, PROD, o, &s.out), 0);
	if (!test_bad)
		CHECK_EQ(side_open(&s, way), 0);
	test_tell(ready);	/* what is broadcast before is not for this one */
	for (n = 0; n < rounds && !test_bad; n++) {
		side_expect(&s, 2 * n);
		side_send(&s, 2 * n);
	}
	if (!test_bad)
		side_close(&s);
	test_exit();
}

static void rounds_of(uint32_t topology, enum way way)
{
	struct shmring_opts o = many_opts(topology, 0, 0, SHMRING_SPIN_NEVER);
	/* Library and kernel reckon together there: what is wrong for a moment takes many. */
	uint64_t rounds = (way == THRESHOLD ? ROUNDS : test_rounds(ROUNDS)) * test_stress(), n;
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct side s = { .out = NULL };
	int ready[2];
	pid_t pid;

	NEED(!pipe(ready));
	NEED(!shmring_create(NULL, PROD, &o, &s.out));
	NEED(!shmring_create(NULL, CONS, &o, &s.in.r));
	pid = test_fork();
	if (!pid)
		other_side(shmring_fd(s.out), shmring_fd(s.in.r), &o, way, rounds, ready[1]);
	NEED(!side_open(&s, way) && !test_hear(ready[0]));
	for (n = 0; n < rounds && !test_bad; n++) {
		side_send(&s, 2 * n);
		side_expect(&s, 2 * n);
	}
	CHECK_EQ(test_reap(pid), 0);
	NEED(!shmring_info(s.in.r, &info) && !shmring_get_stats(s.in.r, info.slot, &stats));
	CHECK_EQ(stats.records, 2 * rounds);
	if (way <= THRESHOLD)
		s.in.slept = stats.sleeps;
	CHECK(s.in.slept > 0);
	printf("# topology %u: %llu rounds, this side slept %llu times\n", topology,
	       (unsigned long long)n, (unsigned long long)s.in.slept);
	close(ready[0]);
	close(ready[1]);
	side_close(&s);
}

static void rounds_by(enum way way)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	unsigned int k;

	for (k = 0; k < 4 && !test_bad; k++)
		rounds_of(topologies[k], way);
}

static void blocking(void) { rounds_by(BLOCK); }
static void waiting(void) { rounds_by(WAIT); }
static void thresholds(void) { rounds_by(THRESHOLD); }
static void polling(void) { rounds_by(POLL); }
static void epoll_level(void) { rounds_by(EPOLL_LEVEL); }
static void epoll_edge(void) { rounds_by(EPOLL_EDGE); }
static void eventfds(void) { rounds_by(EVENTFD); }

/*
 * What several producers bring makes a threshold together, and in whatever order: the
 * consumer sleeps in earnest before the last of it comes.
 */
static void threshold_of_several(uint32_t topology, uint64_t bytes, uint64_t records)
{
	struct shmring_opts o = many_opts(topology, 3, 1, SHMRING_SPIN_NEVER);
	struct shmring *p[3], *c;
	int ready[2], k;
	pid_t pid;

	NEED(!pipe(ready) && !shmring_create(NULL, PROD, &o, &p[0]));
	for (k = 1; k < 3; k++)
		NEED(!shmring_attach_fd(shmring_fd(p[0]), PROD, &o, &p[k]));
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(p[0]), CONS, &o, &c), 0);
		test_tell(ready[1]);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, bytes, records, SHMRING_FOREVER),
			 SHMRING_EV_IN);
		/* And not before. */
		for (k = 0; k < 5; k++)
			CHECK_EQ(many_recv(c, &(struct many_head){ 0 }, SHMRING_NOWAIT), 16);
		CHECK_EQ(many_recv(c, &(struct many_head){ 0 }, SHMRING_NOWAIT), -EAGAIN);
		test_exit();
	}
	NEED(!test_hear(ready[0]));
	for (k = 0; k < 3; k++)
		CHECK_EQ(many_send(p[0], 0, (uint64_t)k, 16, SHMRING_FOREVER), 0);
	CHECK_EQ(test_until_asleep(pid), 0);
	CHECK_EQ(many_send(p[1], 1, 0, 16, SHMRING_FOREVER), 0);
	CHECK_EQ(test_until_asleep(pid), 0);
	CHECK_EQ(many_send(p[2], 2, 0, 16, SHMRING_FOREVER), 0);
	CHECK_EQ(test_reap(pid), 0);
	for (k = 0; k < 3; k++)
		shmring_close(p[k]);
	close(ready[0]);
	close(ready[1]);
}

static void thresholds_of_several(void)
{
	static const uint32_t topologies[] = { MPSC, QUEUE, BCAST };
	unsigned int t;

	for (t = 0; t < 3; t++) {
		threshold_of_several(topologies[t], 5 * 24, 0);
		threshold_of_several(topologies[t], 0, 5);
	}
}

/* ---- spinning as asked for ------------------------------------------------------------ */

/* A record that comes only after a while. Return: how often the receiver slept. */
static uint64_t sleeps_of(int64_t spin_ns, int until_asleep)
{
	struct shmring_opts o = test_opts(4096, spin_ns);
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct timespec ts = { 0, 5000000 };
	struct shmring *c;
	pid_t pid, self = getpid();
	char buf[8] = "";

	if (shmring_create(NULL, CONS, &o, &c))
		return ~0ull;
	pid = test_fork();
	if (!pid) {
		struct shmring *p;

		CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, &o, &p), 0);
		if (until_asleep)
			test_until_asleep(self);
		else
			nanosleep(&ts, NULL);
		CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
		test_exit();
	}
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), 8);
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(shmring_get_stats(c, 1, &stats), 0);
	shmring_close(c);
	return stats.sleeps;
}

static void spinning_is_as_long_as_asked_for(void)
{
	CHECK_EQ(sleeps_of(SHMRING_SPIN_ALWAYS, 0), 0);
	CHECK_EQ(sleeps_of(600000000000, 0), 0);	/* ten minutes */
	CHECK(sleeps_of(SHMRING_SPIN_NEVER, 1) > 0);
	CHECK(sleeps_of(1000, 1) > 0);
	CHECK(sleeps_of(SHMRING_SPIN_AUTO, 1) > 0);
}

/* ---- idle ------------------------------------------------------------------------------ */

/* How often a process has left the CPU of itself, all threads together. */
static long switches_of(pid_t pid)
{
	char path[64], line[128];
	long sum = 0, n;
	unsigned int tid;
	FILE *f, *tasks;

	snprintf(path, sizeof(path), "ls /proc/%d/task", (int)pid);
	tasks = popen(path, "r");
	while (tasks && fscanf(tasks, "%u", &tid) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/task/%u/status", (int)pid, tid);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
				sum += n;
		if (f)
			fclose(f);
	}
	if (tasks)
		pclose(tasks);
	return sum;
}

/*
 * What a sleeper does while a second passes: nothing; on the memfd backend it asks every
 * 100 ms whether its peers live. Whoever is late only makes it less.
 */
static void idle_by(uint32_t topology, enum way way)
{
	struct shmring_opts o = many_opts(topology, 0, 0, SHMRING_SPIN_AUTO);
	struct itimerspec second = { .it_value = { 1, 0 } };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), ready[2];
	uint64_t count, since, ms, in;
	struct shmring *p;
	long before, after;
	pid_t pid;

	NEED(timer >= 0 && !pipe(ready));
	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = test_fork();
	if (!pid) {
		struct side s = { .out = NULL };

		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &s.in.r), 0);
		CHECK_EQ(side_open(&s, way), 0);
		test_tell(ready[1]);
		CHECK_EQ(side_recv(&s, &in, 1), 8);
		CHECK_EQ(side_recv(&s, &in, 1), 8);
		test_exit();
	}
	NEED(!test_hear(ready[0]));
	CHECK_EQ(test_until_asleep(pid), 0);
	/* Past the short slices that a sleep begins with. */
	timerfd_settime(timer, 0, &second, NULL);
	CHECK_EQ(read(timer, &count, sizeof(count)), 8);
	since = test_now();
	before = switches_of(pid);
	timerfd_settime(timer, 0, &second, NULL);
	CHECK_EQ(read(timer, &count, sizeof(count)), 8);
	after = switches_of(pid);
	ms = (test_now() - since) / 1000000;
	if (test_backend() == SHMRING_BACKEND_DEVICE || test_no_slices())
		CHECK_EQ(after - before, 0);
	else
		CHECK((uint64_t)(after - before) <= ms / 100 + 1);
	in = 0;
	CHECK_EQ(shmring_send(p, &in, 8, 0), 0);
	CHECK_EQ(shmring_send(p, &in, 8, 0), 0);
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(p);
	close(timer);
	close(ready[0]);
	close(ready[1]);
}

static void idle_costs_nothing(void)
{
#ifdef __SANITIZE_THREAD__
	SKIP("ThreadSanitizer has a thread of its own that wakes up");
#endif
	idle_by(SHMRING_TOPO_SPSC, BLOCK);
	idle_by(MPSC, THRESHOLD);
	idle_by(QUEUE, EPOLL_EDGE);
	idle_by(BCAST, EVENTFD);
}

/*
 * Bursts that are long enough for both sides to go without fences where they may, after each of
 * which somebody sleeps: then it is for the sleeper to make the fence. The last record of a
 * burst comes, or goes, a moment after the others, when the other side is on its way to bed.
 */
#define BURST	1200u

struct burst {
	struct shmring_opts opts;
	uint64_t rounds;
	uint64_t got;		/* received so far; of space one more, so that 0 is not there yet */
	uint64_t full;		/* sent when the ring had no more room */
};

/* Each on a CPU of its own, if there are two: else neither ever meets the other. */
static void apart(unsigned int nth)
{
	cpu_set_t all, one;
	int cpu;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	for (cpu = 0; !CPU_ISSET(cpu, &all) || nth--; cpu++)
		;
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void burst_pause(uint64_t *random)
{
	uint64_t p;

	for (p = test_random(random) % 64; p; p--)
		shmring_pause();
}

static void burst_await(const uint64_t *word, uint64_t at_least)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < at_least && !test_bad)
		sched_yield();
}

/* What an endpoint's pages say. */
struct burst_view {
	const struct shmring_meta *meta;
	const struct shmring_cursor *mine;
};

static struct burst_view burst_view(const struct shmring *r)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct burst_view v;
	char *p;

	CHECK_EQ(shmring_info(r, &info), 0);
	p = mmap(NULL, info.control_size, PROT_READ, MAP_SHARED, shmring_fd(r), 0);
	CHECK(p != MAP_FAILED);
	v.meta = (const void *)p;
	v.mine = (const void *)(p + info.cursor_offset + info.slot * info.cursor_stride);
	return v;
}

/* Does this side say that it makes no fences? */
static uint64_t burst_unfenced(const struct burst_view *v)
{
	return __atomic_load_n(&v->mine->unfenced, __ATOMIC_RELAXED) == SHMRING_UNFENCED;
}

/* They are needed where nobody makes up for them: this kernel, or no membarrier(2). */
static void burst_judge(const char *who, uint64_t unfenced, uint64_t rounds,
			const struct burst_view *v)
{
	printf("# %s without fences in %llu of %llu bursts\n", who,
	       (unsigned long long)unfenced, (unsigned long long)rounds);
	CHECK(unfenced || !(v->meta->features & SHMRING_FEATURE_UNFENCED) ||
	      __atomic_load_n(&v->mine->unfenced, __ATOMIC_RELAXED) == SHMRING_FENCES_NEEDED);
}

static void burst_sender(int ring, struct burst *b)
{
	uint64_t n, k, random = 1, seq = 0, unfenced = 0;
	struct burst_view view;
	struct shmring *r;

	apart(1);
	CHECK_EQ(shmring_attach_fd(ring, PROD, &b->opts, &r), 0);
	view = burst_view(r);
	for (n = 0; n < b->rounds && !test_bad; n++) {
		for (k = 1; k <= BURST; k++, seq++) {
			if (k == BURST)
				burst_pause(&random);
			CHECK_EQ(shmring_send(r, &seq, sizeof(seq), SHMRING_FOREVER), 0);
		}
		unfenced += burst_unfenced(&view);
		burst_await(&b->got, seq);
	}
	burst_judge("producer", unfenced, n, &view);
	shmring_close(r);
	test_exit();
}

static struct burst *burst_make(uint32_t topology, uint64_t bytes, unsigned int rounds)
{
	struct burst *b = many_shared(sizeof(*b));

	if (!b)
		return NULL;
	/* With one producer, so that there are no tickets. */
	b->opts = many_opts(topology, 1, topology == QUEUE || topology == BCAST ? 2 : 1,
			    SHMRING_SPIN_NEVER);
	b->opts.data_size = bytes;
	b->rounds = test_rounds(rounds) * test_stress();
	return b;
}

static void bursts_by(enum way way, uint32_t topology)
{
	struct burst *b = burst_make(topology, 65536, ROUNDS);
	struct side s = { .out = NULL };
	uint64_t in, n;
	cpu_set_t cpus;
	pid_t pid;

	NEED(b && !shmring_create(NULL, CONS, &b->opts, &s.in.r));
	pid = test_fork();
	if (!pid)
		burst_sender(shmring_fd(s.in.r), b);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	apart(0);
	NEED(!side_open(&s, way));
	for (n = 0; n < b->rounds * BURST && !test_bad; n++) {
		CHECK_EQ(side_recv(&s, &in, 1), 8);
		CHECK_EQ(in, n);
		__atomic_store_n(&b->got, n + 1, __ATOMIC_RELEASE);
	}
	CHECK_EQ(test_reap(pid), 0);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	munmap(b, sizeof(*b));
	waiter_close(&s.in);
}

static void bursts(void)
{
	bursts_by(BLOCK, SHMRING_TOPO_SPSC);
	bursts_by(EPOLL_EDGE, SHMRING_TOPO_SPSC);
	bursts_by(BLOCK, QUEUE);
	bursts_by(EPOLL_EDGE, QUEUE);
	bursts_by(BLOCK, BCAST);
}

/*
 * The same of space: the producer fills the ring, tells, and sleeps until the consumer has
 * taken one record; the rest is read before the next round.
 */
static void burst_receiver(int ring, struct burst *b)
{
	uint64_t n, in, next = 0, end, random = 1, unfenced = 0;
	struct burst_view view;
	struct shmring *r;

	apart(1);
	CHECK_EQ(shmring_attach_fd(ring, CONS, &b->opts, &r), 0);
	view = burst_view(r);
	__atomic_store_n(&b->got, 1, __ATOMIC_RELEASE);
	for (n = 0; n < b->rounds && !test_bad; n++) {
		burst_await(&b->full, next + BURST);
		burst_pause(&random);
		end = __atomic_load_n(&b->full, __ATOMIC_ACQUIRE) + 1;
		for (; next < end && !test_bad; next++) {
			CHECK_EQ(shmring_recv(r, &in, sizeof(in), SHMRING_FOREVER), 8);
			CHECK_EQ(in, next);
		}
		unfenced += burst_unfenced(&view);
		__atomic_store_n(&b->got, next + 1, __ATOMIC_RELEASE);
	}
	burst_judge("consumer", unfenced, n, &view);
	shmring_close(r);
	test_exit();
}

static void bursts_of_space_in(uint32_t topology)
{
	struct burst *b = burst_make(topology, 32768, ROUNDS / 4);
	uint64_t n, seq = 0;
	struct shmring *r;
	cpu_set_t cpus;
	pid_t pid;

	NEED(b && !shmring_create(NULL, PROD, &b->opts, &r));
	pid = test_fork();
	if (!pid)
		burst_receiver(shmring_fd(r), b);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	apart(0);
	for (n = 0; n < b->rounds && !test_bad; n++) {
		burst_await(&b->got, seq + 1);
		while (!shmring_send(r, &seq, sizeof(seq), SHMRING_NOWAIT))
			seq++;
		__atomic_store_n(&b->full, seq, __ATOMIC_RELEASE);
		CHECK_EQ(shmring_send(r, &seq, sizeof(seq), SHMRING_FOREVER), 0);
		seq++;
	}
	CHECK_EQ(test_reap(pid), 0);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	munmap(b, sizeof(*b));
	shmring_close(r);
}

static void bursts_of_space(void)
{
	bursts_of_space_in(SHMRING_TOPO_SPSC);
	bursts_of_space_in(MPSC);
	bursts_of_space_in(QUEUE);
	bursts_of_space_in(BCAST);
}

int main(void)
{
	START();
	RUN(blocking);
	RUN(waiting);
	RUN(thresholds);
	RUN(polling);
	RUN(epoll_level);
	RUN(epoll_edge);
	RUN(eventfds);
	RUN(bursts);
	RUN(bursts_of_space);
	RUN(thresholds_of_several);
	RUN(spinning_is_as_long_as_asked_for);
	RUN(idle_costs_nothing);
	DONE();
}
