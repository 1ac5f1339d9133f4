// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * There and back, round after round, in each topology and by each way of waiting: a wake-up
 * that is lost hangs (without slices: wakeup.sh), a spin that was not asked for or a sleep
 * that was forbidden is counted, and who waits for nothing does nothing.
 *
 * SHMRING_STRESS=N makes N times as many rounds.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "many.h"

#define ROUNDS		2000u

enum way {
	BLOCK,			/* in the call: futex or WAIT */
	WAIT,			/* shmring_wait() */
	THRESHOLD,		/* shmring_wait_for() two records */
	POLL,
	EPOLL_LEVEL,
	EPOLL_EDGE,
	EVENTFD,
};

struct side {
	struct shmring *in;
	struct shmring *out;
	enum way way;
	int fd;			/* what to wait on */
	int ep;
};

static int side_open(struct side *s)
{
	struct epoll_event event = { .events = EPOLLIN };

	s->fd = -1;
	s->ep = -1;
	if (s->way == EVENTFD) {
		s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		return s->fd < 0 ? -1 : shmring_set_eventfd(s->in, SHMRING_EV_IN, s->fd);
	}
	if (s->way < POLL)
		return 0;
	s->fd = shmring_pollfd(s->in);
	if (s->fd < 0 || s->way == POLL)
		return s->fd < 0 ? -1 : 0;
	if (s->way == EPOLL_EDGE)
		event.events |= EPOLLET;
	s->ep = epoll_create1(EPOLL_CLOEXEC);
	return epoll_ctl(s->ep, EPOLL_CTL_ADD, s->fd, &event);
}

static void side_close(struct side *s)
{
	if (s->ep >= 0)
		close(s->ep);
	if (s->way == EVENTFD)
		close(s->fd);
	shmring_close(s->in);
	shmring_close(s->out);
}

/* The ring is empty, and @due records are still to come. */
static void side_sleep(const struct side *s, uint64_t due)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
	struct epoll_event event;
	eventfd_t count;
	int ret;

	switch (s->way) {
	case BLOCK:
		break;
	case WAIT:
		ret = shmring_wait(s->in, SHMRING_EV_IN, SHMRING_FOREVER);
		CHECK(ret == SHMRING_EV_IN || ret == -EPIPE);
		break;
	case THRESHOLD:
		ret = shmring_wait_for(s->in, SHMRING_EV_IN, 0, due, SHMRING_FOREVER);
		CHECK(ret == SHMRING_EV_IN || ret == -EPIPE);
		break;
	default:
		if (shmring_arm(s->in, SHMRING_EV_IN))
			break;
		if (s->ep >= 0)
			CHECK_EQ(epoll_wait(s->ep, &event, 1, -1), 1);
		else
			CHECK_EQ(poll(&pfd, 1, -1), 1);
		if (s->way == EVENTFD)
			CHECK_EQ(eventfd_read(s->fd, &count), 0);
		break;
	}
}

static long side_recv(const struct side *s, uint64_t *in, uint64_t due)
{
	uint64_t deadline = s->way == BLOCK ? SHMRING_FOREVER : SHMRING_NOWAIT;
	long len;

	while ((len = shmring_recv(s->in, in, sizeof(*in), deadline)) == -EAGAIN && !test_bad)
		side_sleep(s, due);
	return len;
}

/* Two records at a time: the first of them wakes, or with a threshold the second. */
static void side_send(const struct side *s, uint64_t nth)
{
	CHECK_EQ(shmring_send(s->out, &nth, sizeof(nth), SHMRING_FOREVER), 0);
	nth++;
	CHECK_EQ(shmring_send(s->out, &nth, sizeof(nth), SHMRING_FOREVER), 0);
}

static void side_expect(const struct side *s, uint64_t nth)
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
	struct side s = { .way = way };
	uint64_t n;

	CHECK_EQ(shmring_attach_fd(there, CONS, o, &s.in), 0);
	CHECK_EQ(shmring_attach_fd(back, PROD, o, &s.out), 0);
	if (!test_bad)
		CHECK_EQ(side_open(&s), 0);
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
	uint64_t rounds = test_rounds(ROUNDS) * test_stress(), n;
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct side s = { .way = way };
	int ready[2];
	pid_t pid;

	NEED(!pipe(ready));
	NEED(!shmring_create(NULL, PROD, &o, &s.out));
	NEED(!shmring_create(NULL, CONS, &o, &s.in));
	pid = test_fork();
	if (!pid)
		other_side(shmring_fd(s.out), shmring_fd(s.in), &o, way, rounds, ready[1]);
	NEED(!side_open(&s) && !test_hear(ready[0]));
	for (n = 0; n < rounds && !test_bad; n++) {
		side_send(&s, 2 * n);
		side_expect(&s, 2 * n);
	}
	CHECK_EQ(test_reap(pid), 0);
	NEED(!shmring_info(s.in, &info) && !shmring_get_stats(s.in, info.slot, &stats));
	CHECK_EQ(stats.records, 2 * rounds);
	if (way <= THRESHOLD)
		CHECK(stats.sleeps > 0);
	close(ready[0]);
	close(ready[1]);
	side_close(&s);
}

static void rounds_by(enum way way)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	unsigned int k;

	for (k = 0; k < 4 && !test_bad; k++) {
		rounds_of(topologies[k], way);
		if (test_bad)
			printf("# topology %u\n", topologies[k]);
	}
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
		struct side s = { .way = way };

		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &s.in), 0);
		CHECK_EQ(side_open(&s), 0);
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
	idle_by(SHMRING_TOPO_SPSC, BLOCK);
	idle_by(MPSC, THRESHOLD);
	idle_by(QUEUE, EPOLL_EDGE);
	idle_by(BCAST, EVENTFD);
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
	RUN(thresholds_of_several);
	RUN(spinning_is_as_long_as_asked_for);
	RUN(idle_costs_nothing);
	DONE();
}
