// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Producers that wait for space, by each way of waiting and in each topology, beside others
 * that do: everything arrives, and a wake-up that is lost hangs (without slices: wakeup.sh).
 *
 * SHMRING_STRESS=N sends N times as much.
 */
#include "many.h"
#include "ways.h"

#define COUNT	2000u
#define BIG	480u		/* some to a lane, so that it is full all the time */

static struct shmring_opts space_opts(uint32_t topology)
{
	struct shmring_opts o = many_opts(topology, 2, topology == MPSC ? 1 : 2,
					  SHMRING_SPIN_NEVER);

	if (topology == SHMRING_TOPO_SPSC)
		o.producers = o.consumers = 0;
	return o;
}

/* Return: what ended it. */
static int produce(struct waiter *w, uint32_t self, uint64_t count)
{
	uint64_t nth = 0;
	int err = 0;

	while (nth < count && !test_bad) {
		err = many_send(w->r, self, nth, BIG, waiter_deadline(w));
		if (!err)
			nth++;
		else if (err == -EAGAIN)
			waiter_sleep(w, 2 * BIG, 0);
		else
			break;
	}
	CHECK_EQ(nth, count);
	return nth == count ? 0 : err;
}

static void other_producer(int fd, struct shmring_opts *o, enum way way, uint64_t count)
{
	struct waiter w = { .way = way, .event = SHMRING_EV_OUT };

	CHECK_EQ(shmring_attach_fd(fd, PROD, o, &w.r), 0);
	if (test_bad)
		test_exit();
	CHECK_EQ(waiter_open(&w), 0);
	CHECK_EQ(produce(&w, 1, count), 0);
	waiter_close(&w);
	test_exit();
}

/* Until the end. Numbers of a producer rise; of a QUEUE others have some of them. */
static void consumer(int fd, struct shmring_opts *o, int ready, int go, uint64_t *got)
{
	uint64_t next[2] = { 0, 0 };
	pid_t producer = getppid();
	struct many_head head;
	struct shmring *c;
	long len;

	CHECK_EQ(shmring_attach_fd(fd, CONS, o, &c), 0);
	if (test_bad)
		test_exit();
	test_tell(ready);
	/* Not before a producer has found its lane full. */
	CHECK_EQ(test_hear(go), 0);
	CHECK_EQ(test_until_asleep(producer), 0);
	while ((len = many_recv(c, &head, SHMRING_FOREVER)) >= 0 && !test_bad) {
		CHECK(head.producer < 2 && head.nth >= next[head.producer & 1]);
		if (o->topology != QUEUE)
			CHECK_EQ(head.nth, next[head.producer & 1]);
		next[head.producer & 1] = head.nth + 1;
		__atomic_fetch_add(got, 1, __ATOMIC_RELAXED);
	}
	CHECK_EQ(len, -EPIPE);
	shmring_close(c);
	test_exit();
}

static void space_of(uint32_t topology, enum way way)
{
	unsigned int consumers = topology == QUEUE || topology == BCAST ? 2 : 1, n = 0, k;
	unsigned int producers = topology == SHMRING_TOPO_SPSC ? 1 : 2;
	struct shmring_opts o = space_opts(topology);
	struct waiter w = { .way = way, .event = SHMRING_EV_OUT };
	uint64_t count = test_rounds(COUNT) * test_stress();
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	uint64_t *got = many_shared(sizeof(*got));
	struct shmring *watch;
	pid_t pids[3];
	int ready[2], go[2];

	NEED(got && !pipe(ready) && !pipe(go) && !shmring_create(NULL, OBS, &o, &watch));
	for (k = 0; k < consumers; k++) {
		pids[n] = test_fork();
		if (!pids[n++])
			consumer(shmring_fd(watch), &o, ready[1], go[0], got);
	}
	for (k = 0; k < consumers; k++)
		NEED(!test_hear(ready[0]));
	if (producers > 1) {
		pids[n] = test_fork();
		if (!pids[n++])
			other_producer(shmring_fd(watch), &o, way, count);
	}
	/* Not before: whom it forks would keep it alive. */
	NEED(!shmring_attach_fd(shmring_fd(watch), PROD, &o, &w.r) && !waiter_open(&w));
	for (k = 0; k < consumers; k++)
		test_tell(go[1]);
	CHECK_EQ(produce(&w, 0, count), 0);
	/* This one goes last, so that consumers see the end once. */
	if (producers > 1)
		CHECK_EQ(test_reap(pids[--n]), 0);
	NEED(!shmring_info(w.r, &info) && !shmring_get_stats(w.r, info.slot, &stats));
	if (way <= THRESHOLD)
		w.slept = stats.sleeps;
	CHECK(w.slept > 0);
	waiter_close(&w);
	while (n)
		CHECK_EQ(test_reap(pids[--n]), 0);
	CHECK_EQ(*got, producers * count * (topology == BCAST ? consumers : 1));
	printf("# topology %u: %llu records, this producer slept %llu times\n", topology,
	       (unsigned long long)*got, (unsigned long long)w.slept);
	munmap(got, sizeof(*got));
	shmring_close(watch);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

static void space_by(enum way way)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	unsigned int k;

	for (k = 0; k < 4 && !test_bad; k++)
		space_of(topologies[k], way);
}

static void blocking(void) { space_by(BLOCK); }
static void waiting(void) { space_by(WAIT); }
static void thresholds(void) { space_by(THRESHOLD); }
static void polling(void) { space_by(POLL); }
static void epoll_level(void) { space_by(EPOLL_LEVEL); }
static void epoll_edge(void) { space_by(EPOLL_EDGE); }
static void eventfds(void) { space_by(EVENTFD); }

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
	DONE();
}
