// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Ends of endpoints: in order, by SIGKILL at any moment, shared after fork, and new
 * endpoints in the place of old ones, with nothing lost and nothing doubled.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "test.h"

/* A child in a role that says when it is attached, and then runs @fn until killed. */
static pid_t spawn(struct shmring *r, uint32_t role, struct shmring_opts *o,
		   void (*fn)(struct shmring *r))
{
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return -1;
	pid = test_fork();
	if (!pid) {
		struct shmring *mine;
		int err = shmring_attach_fd(shmring_fd(r), role, o, &mine);

		CHECK_EQ(err, 0);
		if (err)
			test_exit();
		test_tell(pipes[1]);
		if (fn)
			fn(mine);
		pause();
	}
	close(pipes[1]);
	if (test_hear(pipes[0]))
		pid = -1;
	close(pipes[0]);
	return pid;
}

static void kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
}

static void send_three(struct shmring *p)
{
	uint64_t n;

	for (n = 0; n < 3; n++)
		shmring_send(p, &n, sizeof(n), SHMRING_FOREVER);
	kill(getpid(), SIGKILL);
}

static void producer_killed(int64_t spin)
{
	struct shmring_opts o = test_opts(4096, spin);
	struct shmring *c;
	uint64_t in, n;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = spawn(c, PROD, &o, send_three);
	NEED(pid > 0);
	for (n = 0; n < 3; n++) {
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
		CHECK_EQ(in, n);
	}
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EOWNERDEAD);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EOWNERDEAD);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), -EOWNERDEAD);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	shmring_close(c);
}

static void producer_killed_while_we_sleep(void) { producer_killed(SHMRING_SPIN_NEVER); }
static void producer_killed_while_we_spin(void) { producer_killed(SHMRING_SPIN_ALWAYS); }

static void producer_killed_spin_ring(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *c;
	uint64_t in;
	pid_t pid;

	o.flags = SHMRING_CREATE_SPIN;
	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = spawn(c, PROD, &o, NULL);
	NEED(pid > 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	kill_child(pid);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EOWNERDEAD);
	shmring_close(c);
}

static void consumer_killed(int64_t spin)
{
	struct shmring_opts o = test_opts(4096, spin);
	static char buf[1000];
	struct shmring *p;
	pid_t pid;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	while (!shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT))
		;
	kill_child(pid);
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), SHMRING_FOREVER), -EOWNERDEAD);
	CHECK_EQ(shmring_send(p, buf, 8, SHMRING_NOWAIT), -EOWNERDEAD);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT | SHMRING_EV_PEER, SHMRING_FOREVER) &
		 SHMRING_EV_PEER, SHMRING_EV_PEER);
	shmring_close(p);
}

static void consumer_killed_while_we_sleep(void) { consumer_killed(SHMRING_SPIN_NEVER); }
static void consumer_killed_while_we_spin(void) { consumer_killed(SHMRING_SPIN_ALWAYS); }

/* Killed while we are asleep for certain, not before. */
static void killed_under_a_sleeper(uint32_t role)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	static char buf[1000];
	struct shmring *r;
	pid_t pid, killer, self = getpid();

	NEED(!shmring_create(NULL, role, &o, &r));
	pid = spawn(r, PROD + CONS - role, &o, NULL);
	NEED(pid > 0);
	if (role == PROD)
		while (!shmring_send(r, buf, sizeof(buf), SHMRING_NOWAIT))
			;
	killer = test_fork();
	if (!killer) {
		test_until_asleep(self);
		kill(pid, SIGKILL);
		test_exit();
	}
	if (role == PROD)
		CHECK_EQ(shmring_send(r, buf, sizeof(buf), SHMRING_FOREVER), -EOWNERDEAD);
	else
		CHECK_EQ(shmring_recv(r, buf, sizeof(buf), SHMRING_FOREVER), -EOWNERDEAD);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	CHECK_EQ(test_reap(killer), 0);
	shmring_close(r);
}

static void producer_killed_under_a_sleeper(void) { killed_under_a_sleeper(CONS); }
static void consumer_killed_under_a_sleeper(void) { killed_under_a_sleeper(PROD); }

#define LONG_SPIN_MS	10000u

/* Whoever spins for long is told of an end meanwhile, of one in order too. */
static void ends_under_a_spinner(uint32_t role, int dies, int waits)
{
	struct shmring_opts o = test_opts(4096, LONG_SPIN_MS * 1000000ll);
	uint64_t begin = test_now(), end = test_in_ms(LONG_SPIN_MS / 2);
	long want = dies ? -EOWNERDEAD : -EPIPE;
	static char buf[1000];
	struct shmring *r, *peer;
	pid_t pid;

	NEED(!shmring_create(NULL, role, &o, &r));
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(r), PROD + CONS - role, &o, &peer), 0);
		while (test_now() < begin + 100000000u)
			poll(NULL, 0, 10);
		if (dies)
			kill(getpid(), SIGKILL);
		shmring_close(peer);
		test_exit();
	}
	while (role == PROD && !shmring_send(r, buf, sizeof(buf), SHMRING_NOWAIT))
		;
	if (waits)
		CHECK_EQ(shmring_wait(r, role == PROD ? SHMRING_EV_OUT : SHMRING_EV_IN,
				      SHMRING_FOREVER), want);
	else if (role == PROD)
		CHECK_EQ(shmring_send(r, buf, sizeof(buf), SHMRING_FOREVER), want);
	else
		CHECK_EQ(shmring_recv(r, buf, sizeof(buf), SHMRING_FOREVER), want);
	CHECK(test_now() < end);
	CHECK_EQ(test_reap(pid), dies ? 128 + SIGKILL : 0);
	shmring_close(r);
}

static void ends_while_we_spin_for_long(void)
{
	int k;

	for (k = 0; k < 4; k++) {
		ends_under_a_spinner(PROD, k & 1, k & 2);
		ends_under_a_spinner(CONS, k & 1, k & 2);
	}
}

static void orderly_ends(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	char buf[8] = "";

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	shmring_close(p);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), 8);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EPIPE);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_NOWAIT), -EPIPE);
	shmring_close(c);

	NEED(!test_pair(&o, &p, &c));
	shmring_close(c);
	/* The first may still go in; what it found out is told by the second. */
	CHECK_EQ(shmring_send(p, buf, 8, 0), -EPIPE);
	shmring_close(p);

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	shmring_close(c);
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	CHECK_EQ(shmring_send(p, buf, 8, 0), -EPIPE);
	shmring_close(p);
}

/* An orderly end wakes a sleeper. */
static void close_wakes_a_sleeper(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *c;
	char buf[8];
	pid_t pid, self = getpid();

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = test_fork();
	if (!pid) {
		struct shmring *p;

		CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, &o, &p), 0);
		test_until_asleep(self);
		shmring_close(p);
		test_exit();
	}
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EPIPE);
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(c);
}

static void a_survivor_gets_a_new_producer(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	uint64_t in, n = 100;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = spawn(c, PROD, &o, send_three);
	NEED(pid > 0);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	for (n = 0; n < 3; n++) {
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in, n);
	}
	CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
	CHECK_EQ(in, 100);
	CHECK_EQ(shmring_recv(c, &in, 8, 0), -EAGAIN);
	shmring_close(p);
	CHECK_EQ(shmring_recv(c, &in, 8, 0), -EPIPE);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_recv(c, &in, 8, 0), -EAGAIN);
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
	shmring_close(p);
	shmring_close(c);
}

/*
 * A record that its producer published but lived not to tell of: the next producer finds
 * it where the consumer will look.
 */
static void a_new_producer_finds_what_the_old_one_left(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *c;
	uint64_t in = 0, n = 5;
	void *out;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
	memset(out, 7, 8);
	((uint32_t *)out)[2] = 0;
	shmring_store_release((uint32_t *)out - 2, SHMRING_REC_READY | 8);
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
	CHECK(in == 0x0707070707070707ull);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
	CHECK_EQ(in, 5);
	shmring_close(c);
	shmring_close(p);
}

static void a_survivor_gets_a_new_consumer(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	uint64_t n, in;

	NEED(!test_pair(&o, &p, &c));
	for (n = 0; n < 10; n++)
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	for (n = 0; n < 4; n++)
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
	shmring_close(c);
	n = 10;
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_send(p, &n, 8, 0), -EPIPE);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	n = 11;
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	for (n = 4; n < 12; n++) {
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in, n);
	}
	CHECK_EQ(shmring_recv(c, &in, 8, 0), -EAGAIN);
	shmring_close(c);
	shmring_close(p);
}

/* Sends numbers on from what the pipe says is next; tells each that is committed. */
static int stream_fd;
static uint64_t stream_next;

static void stream_numbers(struct shmring *p)
{
	static const size_t lens[] = { 8, 40, 200, 8, 1000 };
	unsigned char buf[1000];
	uint64_t n;

	for (n = stream_next;; n++) {
		size_t len = lens[n % 5];

		test_fill(buf, len, n);
		memcpy(buf, &n, 8);
		if (shmring_send(p, buf, len, SHMRING_FOREVER))
			return;
		if (write(stream_fd, &n, 8) != 8)
			return;
	}
}

/*
 * Producers killed at random moments, one after the other. Each number that a producer
 * committed arrives once and in order; the one under way may or may not have.
 */
static void producers_killed_at_random(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	uint64_t last, got = 0, rnd = 11, in, turns;
	unsigned char buf[1000];
	struct shmring *c;
	int pipes[2];
	pid_t pid;
	long len;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	for (turns = 0; turns < 300 && !test_bad; turns++) {
		uint64_t until;

		NEED(!pipe(pipes));
		fcntl(pipes[0], F_SETPIPE_SZ, 1 << 20);
		fcntl(pipes[0], F_SETFL, O_NONBLOCK);
		stream_fd = pipes[1];
		stream_next = got;
		last = got - 1;		/* it may die before it tells of any */
		pid = spawn(c, PROD, &o, stream_numbers);
		NEED(pid > 0);
		until = got + test_random(&rnd) % 200;
		for (;;) {
			if (got >= until)
				kill(pid, SIGKILL);
			len = shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER);
			if (len < 0)
				break;
			memcpy(&in, buf, 8);
			CHECK_EQ(in, got);
			got++;
			if (test_bad)
				break;
		}
		CHECK_EQ(len, -EOWNERDEAD);
		kill_child(pid);
		while (read(pipes[0], &last, 8) == 8)
			;
		/* All that it knew to be committed are here, and at most one more. */
		CHECK(got == last + 1 || got == last + 2);
		close(pipes[0]);
		close(pipes[1]);
	}
	printf("# %llu records of %llu producers\n", (unsigned long long)got,
	       (unsigned long long)turns);
	shmring_close(c);
}

static void take_numbers(struct shmring *c)
{
	unsigned char buf[1000];
	uint64_t n;

	while (shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER) >= 8) {
		memcpy(&n, buf, 8);
		if (write(stream_fd, &n, 8) != 8)
			return;
	}
}

/* The same with consumers: what one released, the next does not see again. */
static void consumers_killed_at_random(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	uint64_t sent = 0, rnd = 17, turns, n, expect = 0, untold = 0;
	struct shmring *p, *c;
	int pipes[2], err;
	pid_t pid;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	for (turns = 0; turns < 300 && !test_bad; turns++) {
		uint64_t until = sent + 50 + test_random(&rnd) % 200;

		NEED(!pipe(pipes));
		fcntl(pipes[0], F_SETPIPE_SZ, 1 << 20);
		stream_fd = pipes[1];
		pid = spawn(p, CONS, &o, take_numbers);
		NEED(pid > 0);
		while (sent < until) {
			err = shmring_send(p, &sent, 8, SHMRING_FOREVER);
			CHECK_EQ(err, 0);
			if (err)
				break;
			sent++;
		}
		kill_child(pid);
		close(pipes[1]);
		while (read(pipes[0], &n, 8) == 8) {
			CHECK(n - expect <= untold);
			expect = n + 1;
			untold = 0;
		}
		/* Told after release: this one may have released one and not told. */
		untold++;
		close(pipes[0]);
	}
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	while (shmring_recv(c, &n, 8, SHMRING_NOWAIT) == 8) {
		CHECK(n - expect <= untold);
		expect = n + 1;
		untold = 0;
	}
	CHECK(sent - expect <= untold);
	shmring_close(c);
	shmring_close(p);
}

/* A child that shares the endpoint closes its copy: the endpoint lives on. */
static void shared_after_fork(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	char buf[8] = "";
	pid_t pid;

	NEED(!test_pair(&o, &p, &c));
	pid = test_fork();
	if (!pid) {
		shmring_close(p);
		shmring_close(c);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN | SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	CHECK_EQ(shmring_recv(c, buf, 8, 0), 8);
	shmring_close(p);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EPIPE);
	shmring_close(c);
}

/* Leave when told to: by closing, or by SIGKILL. */
static void leave(struct shmring *r, int turn, int closes)
{
	if (test_hear(turn))
		_exit(1);
	if (closes)
		shmring_close(r);
	else
		raise(SIGKILL);
	_exit(0);
}

/*
 * A process and its child share a producer and leave one after the other. How the last of
 * them leaves is how the producer ends.
 */
static void share_and_leave(int first_closes, int last_closes, int want)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	int first[2], last[2], ready[2];
	struct shmring *c;
	char buf[8] = "";
	pid_t pid;

	NEED(!pipe(first) && !pipe(last) && !pipe(ready));
	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = test_fork();
	if (!pid) {
		struct shmring *p;

		CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, &o, &p), 0);
		CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
		close(last[1]);
		if (!fork()) {
			/* Ends when the test does, if not before. */
			test_tell(ready[1]);
			leave(p, last[0], last_closes);
		}
		leave(p, first[0], first_closes);
	}
	NEED(!test_hear(ready[0]));
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), 8);
	test_tell(first[1]);
	CHECK_EQ(test_reap(pid), first_closes ? 0 : 128 + SIGKILL);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	test_tell(last[1]);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), want);
	close(first[0]);
	close(first[1]);
	close(last[0]);
	close(last[1]);
	close(ready[0]);
	close(ready[1]);
	shmring_close(c);
}

static void the_last_to_leave_decides(void)
{
	share_and_leave(1, 0, -EOWNERDEAD);
	share_and_leave(0, 1, -EPIPE);
	share_and_leave(1, 1, -EPIPE);
	share_and_leave(0, 0, -EOWNERDEAD);
}

/* The endpoint is the descriptor: it lives as long as any process holds it. */
static void lives_while_a_child_holds_it(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	int pipes[2];
	char buf[8] = "";
	pid_t pid, holder;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	NEED(!pipe(pipes));
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, &o, &p), 0);
		holder = fork();
		if (!holder) {
			prctl(PR_SET_PDEATHSIG, 0);
			if (write(pipes[1], &(pid_t){ getpid() }, sizeof(pid_t)) < 0)
				_exit(1);
			pause();
		}
		pause();
	}
	NEED(read(pipes[0], &holder, sizeof(holder)) == sizeof(holder));
	kill_child(pid);
	CHECK_EQ(shmring_recv(c, buf, 8, test_in_ms(50)), -ETIMEDOUT);
	kill(holder, SIGKILL);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EOWNERDEAD);
	close(pipes[0]);
	close(pipes[1]);
	shmring_close(c);
}

static void no_more_descriptors(struct rlimit *old)
{
	struct rlimit none;
	int fd = dup(0);

	close(fd);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, old), 0);
	none = *old;
	none.rlim_cur = (rlim_t)fd;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
}

/* Parent and child share the producer and close it at the same time: that is in order. */
static void both_close(int with_descriptors)
{
	struct shmring_opts o = test_opts(1 << 20, SHMRING_SPIN_NEVER);
	unsigned int *here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);
	unsigned int dead = 0, k;
	struct shmring *p, *c;
	struct rlimit old;
	char buf[8];
	pid_t pid;
	long n;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel has one word for both: who leaves within a microsecond voids it");
	NEED(here != MAP_FAILED);
	for (k = 0; k < 300; k++) {
		*here = 0;
		NEED(!test_pair(&o, &p, &c));
		if (!with_descriptors)
			no_more_descriptors(&old);
		pid = test_fork();
		NEED(pid >= 0);
		__atomic_fetch_add(here, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(here, __ATOMIC_SEQ_CST) < 2)
			sched_yield();
		shmring_close(p);
		if (!pid)
			test_exit();
		CHECK_EQ(test_reap(pid), 0);
		if (!with_descriptors)
			setrlimit(RLIMIT_NOFILE, &old);
		n = shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER);
		dead += n == -EOWNERDEAD;
		CHECK(n == -EOWNERDEAD || n == -EPIPE);
		shmring_close(c);
	}
	CHECK_EQ(dead, 0);
	munmap(here, 4096);
}

static void both_close_at_once(void) { both_close(1); }
static void both_close_without_descriptors(void) { both_close(0); }

/* Who cannot open anything any more sees ends all the same. */
static void end_is_seen_without_descriptors(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *c;
	struct rlimit old;
	char buf[8];
	pid_t pid;
	int turn;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	for (turn = 0; turn < 2; turn++) {
		pid = spawn(c, PROD, &o, NULL);
		NEED(pid > 0);
		if (turn)
			NEED((pfd.fd = shmring_pollfd(c)) >= 0);
		no_more_descriptors(&old);
		kill_child(pid);
		if (!turn)
			CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EOWNERDEAD);
		while (turn && !shmring_arm(c, SHMRING_EV_IN | SHMRING_EV_PEER))
			CHECK_EQ(poll(&pfd, 1, -1), 1);
		setrlimit(RLIMIT_NOFILE, &old);
	}
	shmring_close(c);
}

static void end_is_seen_without_privileges(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	char name[64], buf[8];
	struct shmring *c;
	pid_t pid, user;
	int ready[2];

	if (geteuid())
		SKIP("needs root to become another user");
	snprintf(name, sizeof(name), "death-%d", (int)getpid());
	o.mode = 0600;
	NEED(!pipe(ready) && !shmring_create(name, CONS, &o, &c));
	pid = spawn(c, PROD, &o, NULL);
	NEED(pid > 0);
	user = test_fork();
	if (!user) {
		CHECK_EQ(setgid(54321) || setuid(54321), 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		test_tell(ready[1]);
		CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EOWNERDEAD);
		test_exit();
	}
	NEED(!test_hear(ready[0]));
	kill_child(pid);
	CHECK_EQ(test_reap(user), 0);
	close(ready[0]);
	close(ready[1]);
	shmring_close(c);
}

static void peek_only(struct shmring *c)
{
	const void *payload;

	if (shmring_peek(c, &payload, SHMRING_FOREVER) == 8)
		kill(getpid(), SIGKILL);
}

/* Nor does a consumer of a QUEUE need a descriptor to have what another one had claimed. */
static void orphans_without_descriptors(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *c;
	struct rlimit old;
	uint64_t n = 1;
	pid_t pid;

	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 2;
	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
	pid = spawn(p, CONS, &o, peek_only);
	NEED(pid > 0);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	no_more_descriptors(&old);
	CHECK_EQ(shmring_recv(c, &n, 8, SHMRING_FOREVER), 8);
	CHECK_EQ(n, 1);
	CHECK_EQ(shmring_recv(c, &n, 8, SHMRING_NOWAIT), -EAGAIN);
	shmring_close(c);
	shmring_close(p);
	setrlimit(RLIMIT_NOFILE, &old);
}

/*
 * Somebody who was stopped has the guard: a consumer in the middle of attaching, say. Who has a
 * deadline keeps to it, and asks again.
 */
static int open_again(const struct shmring *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", shmring_fd(r));
	return open(path, O_RDWR | O_CLOEXEC);
}

static int keep_guard(const struct shmring *r)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 1ll << 62, .l_len = 1 };
	int fd = open_again(r);

	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &fl)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void deadlines_while_the_guard_is_kept(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	static char buf[1000];
	struct shmring *p;
	int guard;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no guard");
	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	while (!shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT))
		;
	NEED((guard = keep_guard(p)) >= 0);
	kill_child(pid);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), test_in_ms(50)), -ETIMEDOUT);
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_drain(p, test_in_ms(50)), -ETIMEDOUT);
	close(guard);
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), SHMRING_FOREVER), -EOWNERDEAD);
	shmring_close(p);
}

/* What a dead consumer had claimed cannot be had for a while. It is not waited for, nor lost. */
static void orphans_while_the_guard_is_kept(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *p, *c;
	uint64_t n = 1, in = 0, sleeps;
	int guard, ready;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no guard");
	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 2;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
	pid = spawn(p, CONS, &o, peek_only);
	NEED(pid > 0);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_FOREVER), SHMRING_EV_PEER);
	/* In another slot than the dead one's: what waits there would be its own at once. */
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	kill_child(pid);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	NEED((pfd.fd = shmring_pollfd(c)) >= 0);

	NEED((guard = keep_guard(p)) >= 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_get_stats(c, 2, &stats), 0);
	sleeps = stats.sleeps;
	CHECK_EQ(shmring_recv(c, &in, 8, test_in_ms(200)), -ETIMEDOUT);
	CHECK_EQ(shmring_get_stats(c, 2, &stats), 0);
	CHECK(stats.sleeps - sleeps < 50);
	n = 2;
	CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
	CHECK_EQ(in, 2);
	close(guard);
	shmring_close(p);
	NEED((guard = keep_guard(c)) >= 0);
	/* The end comes after the last record. */
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	ready = shmring_wait(c, SHMRING_EV_IN, test_in_ms(50));
	CHECK(ready == -ETIMEDOUT || ready == SHMRING_EV_IN);	/* it may be time to try again */
	while (shmring_arm(c, SHMRING_EV_IN))
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	close(guard);
	do {
		CHECK_EQ(poll(&pfd, 1, -1), 1);
		ready = shmring_arm(c, SHMRING_EV_IN);
	} while (!ready);
	CHECK_EQ(ready, SHMRING_EV_IN);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
	CHECK_EQ(in, 1);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPIPE);
	shmring_close(c);
}

/* Other threads fork now and then: a child gets what the library has open just then. */
static pid_t forked[64];
static unsigned int forks;
static int fork_now;

int close(int fd)
{
	if (fork_now && forks < 64) {
		forked[forks] = test_fork();
		if (!forked[forks++])
			for (;;)
				pause();
	}
	return (int)syscall(SYS_close, fd);
}

/* With whoever was forked still there. */
static int guard_is_free(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 1ll << 62, .l_len = 1 };
	int err = fcntl(fd, F_OFD_GETLK, &fl);

	CHECK(forks > 0);
	fork_now = 0;
	while (forks)
		kill_child(forked[--forks]);
	return !err && fl.l_type == F_UNLCK;
}

static void a_child_does_not_keep_the_guard(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *c, *r;
	uint64_t n = 1;
	char name[64];
	pid_t pid;
	int fd;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no guard");
	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 2;
	snprintf(name, sizeof(name), "death-%d", (int)getpid());
	NEED(!shmring_create(name, PROD, &o, &p));
	NEED((fd = open_again(p)) >= 0);
	NEED(!shmring_attach(name, CONS, &o, &c));

	NEED(!shmring_attach(name, CONS, &o, &r));
	fork_now = 1;
	shmring_close(r);
	CHECK(guard_is_free(fd));
	fork_now = 1;
	CHECK_EQ(shmring_attach(name, PROD, &o, &r), -EBUSY);
	CHECK(guard_is_free(fd));
	fork_now = 1;
	CHECK_EQ(shmring_create(name, PROD, &o, &r), -EEXIST);
	CHECK(guard_is_free(fd));

	CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
	pid = spawn(p, CONS, &o, peek_only);
	NEED(pid > 0);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	fork_now = 1;
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	CHECK(guard_is_free(fd));
	fork_now = 1;
	CHECK_EQ(shmring_recv(c, &n, 8, SHMRING_NOWAIT), 8);
	CHECK(guard_is_free(fd));
	close(fd);
	shmring_close(c);
	shmring_close(p);
}

/*
 * Waits that are all shorter than the time until the first look for deaths, because of their
 * deadlines or of signals: the end is told all the same. What is done again until it is, or
 * for five seconds.
 */
static uint64_t soon(unsigned int ms)
{
	return ms ? test_in_ms(ms) : 1;
}

static void told_in_short_waits(unsigned int ms)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	uint64_t end = test_in_ms(5000);
	static char buf[1000];
	struct shmring *p, *c;
	long err;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = spawn(c, PROD, &o, NULL);
	NEED(pid > 0);
	kill_child(pid);
	do
		err = shmring_recv(c, buf, sizeof(buf), soon(ms));
	while (err == -ETIMEDOUT && test_now() < end);
	CHECK_EQ(err, -EOWNERDEAD);
	shmring_close(c);

	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	while (!shmring_send(p, buf, sizeof(buf), 1))
		;
	kill_child(pid);
	do
		err = shmring_send(p, buf, sizeof(buf), soon(ms));
	while (err == -ETIMEDOUT && test_now() < end);
	CHECK_EQ(err, -EOWNERDEAD);
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	kill_child(pid);
	do
		err = shmring_drain(p, soon(ms));
	while (err == -ETIMEDOUT && test_now() < end);
	CHECK_EQ(err, -EOWNERDEAD);
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	kill_child(pid);
	do
		err = shmring_wait(p, SHMRING_EV_PEER, soon(ms));
	while (err == -ETIMEDOUT && test_now() < end);
	CHECK_EQ(err, SHMRING_EV_PEER);
	shmring_close(p);
}

static void short_deadlines_tell_of_deaths(void) { told_in_short_waits(2); }
static void past_deadlines_tell_of_deaths(void) { told_in_short_waits(0); }

static void short_deadlines_get_the_space_of_the_dead(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	uint64_t end = test_in_ms(5000);
	static char buf[1000];
	struct shmring *p;
	pid_t pid;
	int err;

	o.topology = SHMRING_TOPO_BROADCAST;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = spawn(p, CONS, &o, NULL);
	NEED(pid > 0);
	while (!shmring_send(p, buf, sizeof(buf), test_in_ms(1)))
		;
	kill_child(pid);
	do
		err = shmring_send(p, buf, sizeof(buf), test_in_ms(2));
	while (err == -ETIMEDOUT && test_now() < end);
	CHECK_EQ(err, 0);
	shmring_close(p);
}

static void nothing(int sig)
{
	(void)sig;
}

static void signals_do_not_keep_deaths_from_us(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = nothing }, old;
	uint64_t end = test_in_ms(5000);
	struct shmring *c;
	char buf[8];
	long err;
	pid_t pid;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = spawn(c, PROD, &o, NULL);
	NEED(pid > 0);
	kill_child(pid);
	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	do
		err = shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER);
	while (err == -EINTR && test_now() < end);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	test_alarm();
	CHECK_EQ(err, -EOWNERDEAD);
	shmring_close(c);
}

#ifdef SYS_fcntl64
#define LOCK_CALL	SYS_fcntl64
#else
#define LOCK_CALL	SYS_fcntl
#endif

/* From now on the kernel kills this process when it gives a lock up, or tries for one. */
static int die_unlocking(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOCK_CALL, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* A child that shares the endpoint and cannot open anything is killed with the guard. */
static void killed_with_the_spare(struct shmring *p)
{
	struct rlimit none = { 0, 0 };
	pid_t pid = test_fork();

	if (!pid) {
		if (setrlimit(RLIMIT_NOFILE, &none) || die_unlocking())
			_exit(77);
		shmring_close(p);
		_exit(78);
	}
	CHECK_EQ(test_reap(pid), 128 + SIGSYS);
}

static void the_guard_of_who_was_killed(int others)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *c;
	pid_t pid, other;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no guard");
	pid = test_fork();
	if (!pid) {
		alarm(10);
		CHECK_EQ(shmring_create(NULL, PROD, &o, &p), 0);
		killed_with_the_spare(p);
		if (test_bad || !others) {
			shmring_close(p);
			test_exit();
		}
		other = test_fork();
		if (!other) {
			alarm(5);
			CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
			shmring_close(c);
			test_exit();
		}
		CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_FOREVER), SHMRING_EV_PEER);
		CHECK_EQ(test_reap(other), 0);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
}

static void the_spare_of_the_dead_at_the_end(void) { the_guard_of_who_was_killed(0); }
static void the_spare_of_the_dead_and_others(void) { the_guard_of_who_was_killed(1); }

int main(void)
{
	START();
	RUN(producer_killed_while_we_sleep);
	RUN(producer_killed_while_we_spin);
	RUN(producer_killed_spin_ring);
	RUN(consumer_killed_while_we_sleep);
	RUN(consumer_killed_while_we_spin);
	RUN(producer_killed_under_a_sleeper);
	RUN(consumer_killed_under_a_sleeper);
	RUN(ends_while_we_spin_for_long);
	RUN(orderly_ends);
	RUN(close_wakes_a_sleeper);
	RUN(a_survivor_gets_a_new_producer);
	RUN(a_new_producer_finds_what_the_old_one_left);
	RUN(a_survivor_gets_a_new_consumer);
	RUN(producers_killed_at_random);
	RUN(consumers_killed_at_random);
	RUN(shared_after_fork);
	RUN(the_last_to_leave_decides);
	RUN(lives_while_a_child_holds_it);
	RUN(both_close_at_once);
	RUN(both_close_without_descriptors);
	RUN(end_is_seen_without_descriptors);
	RUN(end_is_seen_without_privileges);
	RUN(orphans_without_descriptors);
	RUN(deadlines_while_the_guard_is_kept);
	RUN(orphans_while_the_guard_is_kept);
	RUN(a_child_does_not_keep_the_guard);
	RUN(the_spare_of_the_dead_at_the_end);
	RUN(the_spare_of_the_dead_and_others);
	RUN(short_deadlines_tell_of_deaths);
	RUN(past_deadlines_tell_of_deaths);
	RUN(short_deadlines_get_the_space_of_the_dead);
	RUN(signals_do_not_keep_deaths_from_us);
	DONE();
}
