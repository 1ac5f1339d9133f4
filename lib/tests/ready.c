// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Readiness through poll, epoll (level- and edge-triggered) and eventfd: always arm
 * first, wait only if told to, and never lose a record or an end.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "test.h"

/* Take everything that is there. Return: -EAGAIN or the end. */
static long drain(struct shmring *c, uint64_t *nth)
{
	uint64_t in;
	long len;

	while ((len = shmring_recv(c, &in, sizeof(in), SHMRING_NOWAIT)) >= 0) {
		CHECK_EQ(len, 8);
		CHECK_EQ(in, *nth);
		++*nth;
	}
	return len;
}

/* Records in bursts with pauses between, sent by a child that then closes. */
static pid_t burst_child(struct shmring *c, struct shmring_opts *o, uint64_t count)
{
	uint64_t nth, rnd = 3;
	struct shmring *p;
	pid_t pid = test_fork();

	if (pid)
		return pid;
	CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, o, &p), 0);
	if (test_bad)
		test_exit();
	for (nth = 0; nth < count; nth++) {
		if (shmring_send(p, &nth, sizeof(nth), SHMRING_FOREVER))
			break;
		if (test_random(&rnd) % 8 == 0)
			sched_yield();
	}
	CHECK_EQ(nth, count);
	shmring_close(p);
	test_exit();
	return -1;
}

#define COUNT	50000u

static void poll_consumer(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	uint64_t nth = 0, polls = 0;
	struct shmring *c;
	long end;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pfd.fd = shmring_pollfd(c);
	NEED(pfd.fd >= 0);
	pid = burst_child(c, &o, COUNT);
	while ((end = drain(c, &nth)) == -EAGAIN && !test_bad) {
		if (shmring_arm(c, SHMRING_EV_IN | SHMRING_EV_PEER))
			continue;
		polls++;
		CHECK_EQ(poll(&pfd, 1, -1), 1);
		CHECK(pfd.revents & (POLLIN | POLLHUP));
	}
	CHECK_EQ(end, -EPIPE);
	CHECK_EQ(nth, COUNT);
	CHECK(polls > 0);
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(c);
}

static void epoll_consumer(uint32_t mode)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct epoll_event ev = { .events = EPOLLIN | mode };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct shmring *c;
	uint64_t nth = 0;
	long end;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	NEED(!epoll_ctl(ep, EPOLL_CTL_ADD, shmring_pollfd(c), &ev));
	pid = burst_child(c, &o, COUNT);
	while ((end = drain(c, &nth)) == -EAGAIN && !test_bad) {
		if (!shmring_arm(c, SHMRING_EV_IN | SHMRING_EV_PEER))
			CHECK_EQ(epoll_wait(ep, &ev, 1, -1), 1);
	}
	CHECK_EQ(end, -EPIPE);
	CHECK_EQ(nth, COUNT);
	CHECK_EQ(test_reap(pid), 0);
	close(ep);
	shmring_close(c);
}

static void epoll_level_triggered(void) { epoll_consumer(0); }
static void epoll_edge_triggered(void) { epoll_consumer(EPOLLET); }

static void eventfd_consumer(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	int efd = eventfd(0, EFD_CLOEXEC);
	struct shmring *c;
	uint64_t nth = 0;
	eventfd_t count;
	long end;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN | SHMRING_EV_PEER, efd), 0);
	pid = burst_child(c, &o, COUNT);
	while ((end = drain(c, &nth)) == -EAGAIN && !test_bad) {
		if (!shmring_arm(c, SHMRING_EV_IN | SHMRING_EV_PEER))
			CHECK_EQ(eventfd_read(efd, &count), 0);
	}
	CHECK_EQ(end, -EPIPE);
	CHECK_EQ(nth, COUNT);
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, -1), 0);
	close(efd);
	shmring_close(c);
}

static void poll_producer(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN | POLLOUT };
	static char buf[1000];
	struct shmring *p;
	uint64_t n = 0;
	pid_t pid;
	int err;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	pfd.fd = shmring_pollfd(p);
	NEED(pfd.fd >= 0);
	pid = test_fork();
	if (!pid) {
		struct shmring *c;
		uint64_t got;

		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		for (got = 0; got < COUNT && !test_bad; got++)
			CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER), sizeof(buf));
		shmring_close(c);
		test_exit();
	}
	while (n < COUNT && !test_bad) {
		err = shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT);
		if (!err) {
			n++;
			continue;
		}
		CHECK_EQ(err, -EAGAIN);
		if (!shmring_arm(p, SHMRING_EV_OUT | SHMRING_EV_PEER))
			CHECK_EQ(poll(&pfd, 1, -1), 1);
	}
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_FOREVER), SHMRING_EV_PEER);
	shmring_close(p);
}

static void poll_tells_of_a_kill(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *c;
	int pipes[2], ready;
	char buf[8];
	pid_t pid;

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!shmring_create(NULL, CONS, &o, &c));
	pfd.fd = shmring_pollfd(c);
	NEED(pfd.fd >= 0 && !pipe(pipes));
	pid = test_fork();
	if (!pid) {
		struct shmring *p;

		CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, &o, &p), 0);
		test_tell(pipes[1]);
		pause();
	}
	NEED(!test_hear(pipes[0]));
	ready = shmring_arm(c, SHMRING_EV_IN | SHMRING_EV_PEER);
	CHECK_EQ(ready, 0);
	kill(pid, SIGKILL);
	test_reap(pid);
	while (!(ready = shmring_arm(c, SHMRING_EV_IN | SHMRING_EV_PEER)))
		CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(ready, SHMRING_EV_PEER);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_NOWAIT), -EOWNERDEAD);
	close(pipes[0]);
	close(pipes[1]);
	shmring_close(c);
}

/* An observer is told of both ends' death: nobody is left who would write it down. */
static void observer_is_told_of_a_kill(void)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *watch, *p, *c;
	int pipes[2], turn;
	pid_t pid;

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!shmring_create(NULL, OBS, &o, &watch) && !pipe(pipes));
	NEED((pfd.fd = shmring_pollfd(watch)) >= 0);
	for (turn = 0; turn < 2; turn++) {
		pid = test_fork();
		if (!pid) {
			CHECK_EQ(shmring_attach_fd(shmring_fd(watch), PROD, &o, &p), 0);
			CHECK_EQ(shmring_attach_fd(shmring_fd(watch), CONS, &o, &c), 0);
			test_tell(pipes[1]);
			pause();
		}
		NEED(!test_hear(pipes[0]));
		CHECK_EQ(shmring_get_stats(watch, 0, &stats), 0);
		CHECK_EQ(stats.state, SHMRING_SLOT_LIVE);
		CHECK_EQ(shmring_wait(watch, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
		CHECK_EQ(shmring_arm(watch, SHMRING_EV_PEER), 0);
		kill(pid, SIGKILL);
		test_reap(pid);
		if (!turn)
			CHECK_EQ(shmring_wait(watch, SHMRING_EV_PEER, SHMRING_FOREVER),
				 SHMRING_EV_PEER);
		else
			CHECK_EQ(poll(&pfd, 1, -1), 1);
		while (!shmring_arm(watch, SHMRING_EV_PEER))
			CHECK_EQ(poll(&pfd, 1, -1), 1);
		CHECK_EQ(shmring_get_stats(watch, 1, &stats), 0);
		CHECK_EQ(stats.state, SHMRING_SLOT_DEAD);
	}
	close(pipes[0]);
	close(pipes[1]);
	shmring_close(watch);
}

static void eventfd_tells_of_an_end(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	int efd = eventfd(0, EFD_CLOEXEC);
	struct shmring *p, *c;
	eventfd_t count;

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_PEER, efd), 0);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_PEER), 0);
	shmring_close(p);
	CHECK_EQ(eventfd_read(efd, &count), 0);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_PEER), SHMRING_EV_PEER);
	close(efd);
	shmring_close(c);
}

static void eventfd_is_signalled_at_once_if_it_holds(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct shmring *p, *c;
	eventfd_t count;
	char buf[8] = "";

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), 0);
	CHECK_EQ(eventfd_read(efd, &count), -1);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, -1), 0);
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), 0);
	CHECK_EQ(eventfd_read(efd, &count), 0);
	close(efd);
	shmring_close(c);
	shmring_close(p);
}

/* Thread-local data of which the library knows nothing; some C libraries keep it in stacks. */
static __thread volatile char much[1 << 20];

static void beside_thread_local_data(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *p, *c;

	much[0] = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED((pfd.fd = shmring_pollfd(c)) >= 0);
	while (!shmring_arm(c, SHMRING_EV_IN)) {
		CHECK_EQ(shmring_send(p, "abc", 3, SHMRING_NOWAIT), 0);
		CHECK_EQ(poll(&pfd, 1, -1), 1);
	}
	shmring_close(c);
	shmring_close(p);
}

/* The caller may close the eventfd and reuse its number: nobody writes there. */
static void closed_eventfd_is_not_written(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	int efd = eventfd(0, EFD_CLOEXEC), other;
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *p, *c;
	eventfd_t count;
	char buf[8] = "";

	NEED(!test_pair(&o, &p, &c));
	NEED((pfd.fd = shmring_pollfd(c)) >= 0);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), 0);
	close(efd);
	other = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK_EQ(other, efd);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), 0);
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(eventfd_read(other, &count), -1);
	shmring_close(c);
	CHECK_EQ(eventfd_read(other, &count), -1);
	close(other);
	shmring_close(p);
}

/* One that is full tells all there is to tell: nobody waits until it is read. */
static void full_eventfd_holds_nobody_up(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	int efd = eventfd(0, EFD_CLOEXEC);
	struct shmring *p, *c;
	eventfd_t count;

	NEED(!test_pair(&o, &p, &c));
	NEED((pfd.fd = shmring_pollfd(c)) >= 0);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), 0);
	CHECK_EQ(eventfd_write(efd, UINT64_MAX - 1), 0);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), 0);
	CHECK_EQ(shmring_send(p, "signal", 6, SHMRING_NOWAIT), 0);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), 0);
	shmring_close(p);
	shmring_close(c);
	CHECK_EQ(eventfd_read(efd, &count), 0);
	CHECK(count >= UINT64_MAX - 1);	/* the kernel goes one further */
	close(efd);
}

/* It is not "nothing is ready, try again" where no thread can be had. */
static void no_thread_to_be_had(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	const struct rlimit none = { 0, 0 };
	struct shmring *p, *c;
	int efd;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device needs no thread");
	pid = test_fork();
	if (pid) {
		CHECK_EQ(test_reap(pid), 0);
		return;
	}
	/* Root has no such limit. */
	CHECK_EQ(setrlimit(RLIMIT_NPROC, &none), 0);
	CHECK(geteuid() || (!setgid(54321) && !setuid(54321)));
	CHECK_EQ(test_pair(&o, &p, &c), 0);
	efd = eventfd(0, EFD_CLOEXEC);
	CHECK_EQ(shmring_pollfd(c), -ENOMEM);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), -ENOMEM);
	shmring_close(c);
	shmring_close(p);
	test_exit();
}

/* A child has not the thread. It may have its parent's number, in a namespace of its own. */
static void a_child_has_no_thread(int same_pid)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	pid_t outer, pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device needs no thread");
	outer = test_fork();
	if (outer) {
		pid = test_reap(outer);
		if (pid == 77)
			SKIP("no namespace of process ids to be had");
		CHECK_EQ(pid, 0);
		return;
	}
	alarm(10);		/* the first of a namespace ignores it */
	if (same_pid && unshare(CLONE_NEWPID))
		_exit(77);
	pid = fork();
	if (pid)
		_exit(test_reap(pid));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK_EQ(test_pair(&o, &p, &c), 0);
	CHECK(shmring_pollfd(c) >= 0);
	if (same_pid)
		CHECK_EQ(unshare(CLONE_NEWPID), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK(!same_pid || getpid() == getppid() + 1);
		CHECK_EQ(shmring_pollfd(c), -EOPNOTSUPP);
		CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, -1), -EOPNOTSUPP);
		shmring_close(c);
		shmring_close(p);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
	CHECK(shmring_pollfd(c) >= 0);
	shmring_close(c);
	shmring_close(p);
	test_exit();
}

static void a_child_of_another_number(void) { a_child_has_no_thread(0); }
static void a_child_of_the_same_number(void) { a_child_has_no_thread(1); }

/* What was armed is signalled, whatever is asked for besides before it is polled. */
static void asked_for_besides(int by_eventfd)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	int efd = eventfd(0, EFD_CLOEXEC);
	struct shmring *p, *c;
	uint64_t in;

	NEED(!test_pair(&o, &p, &c));
	pfd.fd = shmring_pollfd(c);
	NEED(pfd.fd >= 0);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), 0);
	CHECK_EQ(shmring_send(p, "sent it", 8, SHMRING_NOWAIT), 0);
	CHECK_EQ(poll(&pfd, 1, 5000), 1);
	if (by_eventfd)
		CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_PEER, efd), 0);
	else
		CHECK_EQ(shmring_arm(c, SHMRING_EV_PEER), 0);
	CHECK_EQ(poll(&pfd, 1, 1000), 1);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), SHMRING_EV_IN);
	CHECK_EQ(shmring_recv(c, &in, sizeof(in), SHMRING_NOWAIT), 8);
	/* It was told, so it is not signalled any more. */
	CHECK_EQ(shmring_arm(c, SHMRING_EV_PEER), 0);
	CHECK_EQ(poll(&pfd, 1, 10), 0);
	close(efd);
	shmring_close(c);
	shmring_close(p);
}

static void an_end_is_asked_for_besides(void) { asked_for_besides(0); }
static void an_eventfd_is_set_besides(void) { asked_for_besides(1); }

/*
 * Of a QUEUE one who sleeps is woken for a record. A handler holds up a consumer that had armed as
 * well: it is not asleep, though who would signal it for that is.
 */
static int held[2], go[2];

static void hold_up(int sig)
{
	(void)sig;
	test_tell(held[1]);
	test_hear(go[0]);
}

static pid_t asleep_child(struct shmring *c, int armed, int got)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	pid_t pid = test_fork();
	char buf[8];

	if (pid)
		return pid;
	if (armed) {
		signal(SIGUSR1, hold_up);
		CHECK(shmring_pollfd(c) >= 0);
		CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), 0);
		nanosleep(&moment, NULL);	/* the thread is to sleep, too */
	}
	test_tell(got);
	CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER), armed ? -EINTR : 8);
	test_tell(got);
	test_exit();
	return -1;
}

static void who_is_held_up_is_not_woken_alone(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *p, *c[2];
	pid_t first, second;
	int one[2], other[2], k;

	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 2;
	NEED(!pipe(held) && !pipe(go) && !pipe(one) && !pipe(other));
	NEED(!shmring_create(NULL, PROD, &o, &p));
	for (k = 0; k < 2; k++)		/* who joins wakes all */
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c[k]));
	first = asleep_child(c[0], 1, one[1]);
	CHECK_EQ(test_hear(one[0]), 0);
	CHECK_EQ(test_until_asleep(first), 0);
	second = asleep_child(c[1], 0, other[1]);
	CHECK_EQ(test_hear(other[0]), 0);
	CHECK_EQ(test_until_asleep(second), 0);
	kill(first, SIGUSR1);
	CHECK_EQ(test_hear(held[0]), 0);
	CHECK_EQ(shmring_send(p, "a record", 8, SHMRING_NOWAIT), 0);
	pfd.fd = other[0];
	CHECK_EQ(poll(&pfd, 1, 5000), 1);
	if (test_bad)
		kill(second, SIGKILL);
	test_tell(go[1]);
	CHECK_EQ(test_reap(first), 0);
	CHECK_EQ(test_reap(second), 0);
	shmring_close(p);
	for (k = 0; k < 2; k++) {
		shmring_close(c[k]);
		close(held[k]);
		close(go[k]);
		close(one[k]);
		close(other[k]);
	}
}

/* Who armed and then blocks for something else disarms: the signal that was to come does. */
static void blocking_after_arming(uint32_t topology, uint64_t bytes, uint64_t records)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *p, *c;

	o.topology = topology;
	NEED(!test_pair(&o, &p, &c));
	NEED((pfd.fd = shmring_pollfd(c)) >= 0);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), 0);
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, bytes, records, test_in_ms(20)), -ETIMEDOUT);
	CHECK_EQ(shmring_send(p, "a record", 8, SHMRING_NOWAIT), 0);
	CHECK_EQ(poll(&pfd, 1, 5000), 1);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), SHMRING_EV_IN);
	shmring_close(c);
	shmring_close(p);
}

static void signalled_after_blocking(void)
{
	blocking_after_arming(SHMRING_TOPO_SPSC, 0, 0);
	blocking_after_arming(SHMRING_TOPO_SPSC, 1000, 0);
	blocking_after_arming(SHMRING_TOPO_QUEUE, 0, 0);
	blocking_after_arming(SHMRING_TOPO_QUEUE, 0, 10);
}

int main(void)
{
	START();
	RUN(poll_consumer);
	RUN(epoll_level_triggered);
	RUN(epoll_edge_triggered);
	RUN(eventfd_consumer);
	RUN(poll_producer);
	RUN(poll_tells_of_a_kill);
	RUN(observer_is_told_of_a_kill);
	RUN(eventfd_tells_of_an_end);
	RUN(eventfd_is_signalled_at_once_if_it_holds);
	RUN(closed_eventfd_is_not_written);
	RUN(full_eventfd_holds_nobody_up);
	RUN(beside_thread_local_data);
	RUN(no_thread_to_be_had);
	RUN(a_child_of_another_number);
	RUN(a_child_of_the_same_number);
	RUN(an_end_is_asked_for_besides);
	RUN(an_eventfd_is_set_besides);
	RUN(who_is_held_up_is_not_woken_alone);
	RUN(signalled_after_blocking);
	DONE();
}
