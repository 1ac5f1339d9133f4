// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Records from process to process: all sizes, all forms of the calls, blocking both
 * ways, deadlines, signals, and no CPU while there is nothing to do.
 */
#include <sys/time.h>

#include "test.h"

static uint64_t sizes_seed;

/* A child that attaches by the inherited descriptor, which keeps the parent's alive. */
static void send_stream(int fd, struct shmring_opts *o, uint64_t count, size_t max)
{
	static unsigned char buf[1 << 17];
	uint64_t nth, rnd = sizes_seed;
	struct shmring *p;
	int err = shmring_attach_fd(fd, PROD, o, &p);

	CHECK_EQ(err, 0);
	if (err)
		test_exit();
	for (nth = 0; nth < count; nth++) {
		size_t len = test_random(&rnd) % (max + 1);

		test_fill(buf, len, nth);
		err = shmring_send(p, buf, len, SHMRING_FOREVER);
		if (err) {
			CHECK_EQ(err, 0);
			break;
		}
	}
	shmring_close(p);
	test_exit();
}

static void stream(uint64_t data_size, size_t max, uint64_t count, int64_t spin)
{
	static unsigned char buf[1 << 17];
	struct shmring_opts o = test_opts(data_size, spin);
	uint64_t nth, rnd = ++sizes_seed;
	struct shmring *c;
	long len = 0;
	pid_t pid;

	count = test_rounds(count);
	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = test_fork();
	if (!pid)
		send_stream(shmring_fd(c), &o, count, max);
	for (nth = 0; nth < count; nth++) {
		size_t want = test_random(&rnd) % (max + 1);

		len = shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER);
		if (len != (long)want || !test_match(buf, want, nth)) {
			printf("# record %llu of %zu bytes: %ld\n", (unsigned long long)nth, want,
			       len);
			test_bad++;
			break;
		}
	}
	if (!test_bad)
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER), -EPIPE);
	shmring_close(c);
	CHECK_EQ(test_reap(pid), 0);
}

static void stream_small_ring(void) { stream(4096, 100, 200000, SHMRING_SPIN_AUTO); }
static void stream_small_ring_sleeping(void) { stream(4096, 100, 100000, SHMRING_SPIN_NEVER); }
static void stream_big_records(void) { stream(1 << 16, 60000, 2000, SHMRING_SPIN_AUTO); }
static void stream_big_ring(void) { stream(4 << 20, 4000, 50000, SHMRING_SPIN_AUTO); }
static void stream_spinning(void) { stream(1 << 16, 64, 100000, SHMRING_SPIN_ALWAYS); }
static void stream_fixed_spin(void) { stream(1 << 14, 64, 100000, 5000); }

/*
 * Nothing is there, wherever the consumer is and whatever lies where it was before: who receives
 * into a buffer of the records' size, a constant, steps over them by a way of its own.
 */
static void nothing_behind_what_was_received(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	uint64_t nothing = 0, in;
	struct shmring *p, *c;
	unsigned int k, n = 0;

	NEED(!test_pair(&o, &p, &c));
	while (!shmring_send(p, &nothing, sizeof(nothing), SHMRING_NOWAIT))
		n++;
	for (k = 0; k < n; k++)
		CHECK_EQ(shmring_recv(c, &in, sizeof(in), SHMRING_NOWAIT), sizeof(in));
	for (k = 0; k < 2 * n && !test_bad; k++) {
		CHECK_EQ(shmring_send(p, &nothing, sizeof(nothing), SHMRING_NOWAIT), 0);
		CHECK_EQ(shmring_recv(c, &in, sizeof(in), SHMRING_NOWAIT), sizeof(in));
		CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, 1), -ETIMEDOUT);
	}
	shmring_close(c);
	shmring_close(p);
}

static void batches(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_AUTO);
	struct shmring *p, *c;
	uint64_t sent = 0, got = 0;
	unsigned char out[16][64], in[8][64];
	struct iovec msgs[16];
	unsigned int k;
	long n;
	int turn;

	NEED(!test_pair(&o, &p, &c));
	for (turn = 0; turn < 3000; turn++) {
		for (k = 0; k < 16; k++) {
			msgs[k].iov_base = out[k];
			msgs[k].iov_len = (sent + k) % 65;
			test_fill(out[k], msgs[k].iov_len, sent + k);
		}
		n = shmring_send_batch(p, msgs, 16, SHMRING_NOWAIT);
		CHECK(n > 0 || n == -EAGAIN);
		if (n > 0)
			sent += (uint64_t)n;
		for (k = 0; k < 8; k++) {
			msgs[k].iov_base = in[k];
			msgs[k].iov_len = 64;
		}
		n = turn & 1 ? shmring_recv_batch(c, msgs, 8, SHMRING_NOWAIT) :
			       shmring_peek_batch(c, msgs, 8, SHMRING_NOWAIT);
		CHECK(n > 0);
		for (k = 0; n > 0 && k < (unsigned int)n; k++, got++) {
			CHECK_EQ(msgs[k].iov_len, got % 65);
			CHECK(test_match(msgs[k].iov_base, msgs[k].iov_len, got));
		}
		CHECK_EQ(shmring_release(c), 0);
		if (test_bad)
			break;
	}
	CHECK(sent - got < 200);
	msgs[0].iov_len = 0;
	CHECK_EQ(shmring_send_batch(p, msgs, 0, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_peek_batch(c, msgs, 0, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_recv_batch(c, msgs, 0, SHMRING_NOWAIT), -EINVAL);
	shmring_close(c);
	shmring_close(p);
}

/* Runs of one length, behind a record that is held back already, and one that differs. */
static void batches_of_equal_records(void)
{
	static const size_t lens[] = { 8, 16, 32, 64, 0, 3, 24, 100, 500, 600 };
	struct shmring_opts o = test_opts(8192, 0);
	struct shmring *p, *c;
	unsigned char out[17][640], in[20][640];
	struct iovec msgs[20];
	uint64_t sent = 0, got = 0, held;
	unsigned int k, turn;
	size_t len;
	long n;

	NEED(!test_pair(&o, &p, &c));
	for (turn = 0; turn < 4000 && !test_bad; turn++) {
		len = lens[turn % 10];
		held = turn / 10 & 1;
		if (held) {
			test_fill(out[0], len, sent);
			CHECK_EQ(shmring_reserve(p, len, &msgs[0].iov_base, SHMRING_NOWAIT), 0);
			memcpy(msgs[0].iov_base, out[0], len);
			CHECK_EQ(shmring_put(p, len), 0);
			sent++;
		}
		for (k = 0; k < 10; k++) {
			msgs[k].iov_base = out[k];
			msgs[k].iov_len = k == 9 ? len + 5 : len;
			test_fill(out[k], msgs[k].iov_len, sent + k);
		}
		CHECK_EQ(shmring_send_batch(p, msgs, 10, SHMRING_NOWAIT), 10);
		sent += 10;
		for (k = 0; k < 20; k++) {
			msgs[k].iov_base = in[k];
			msgs[k].iov_len = sizeof(in[k]);
		}
		n = shmring_recv_batch(c, msgs, 20, SHMRING_NOWAIT);
		CHECK_EQ(n, 10 + (long)held);
		for (k = 0; n > 0 && k < (unsigned int)n; k++, got++) {
			CHECK_EQ(msgs[k].iov_len, got + 1 == sent ? len + 5 : len);
			CHECK(test_match(msgs[k].iov_base, msgs[k].iov_len, got));
		}
	}
	CHECK_EQ(got, sent);
	shmring_close(c);
	shmring_close(p);
}

static void recv_batch_stops_before_what_does_not_fit(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	char a[8], b[4], d[8];
	struct iovec in[3] = { { a, 8 }, { b, 4 }, { d, 8 } };

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, "12345678", 8, 0), 0);
	CHECK_EQ(shmring_send(p, "abcdefgh", 8, 0), 0);
	CHECK_EQ(shmring_recv_batch(c, in, 3, 0), 1);
	CHECK_EQ(in[0].iov_len, 8);
	CHECK(!memcmp(a, "12345678", 8));
	in[0].iov_len = 7;
	CHECK_EQ(shmring_recv_batch(c, in, 3, 0), -EMSGSIZE);
	in[0].iov_len = 8;
	CHECK_EQ(shmring_recv_batch(c, in, 3, 0), 1);
	CHECK(!memcmp(a, "abcdefgh", 8));
	shmring_close(c);
	shmring_close(p);
}

/* Nothing is read or written but the record. */
static void copied(struct shmring *p, struct shmring *c, unsigned char *out, unsigned char *in,
		   size_t len)
{
	uint64_t most = shmring_record_size(len) + SHMRING_REC_TAIL;
	unsigned char *beyond = p->tx.data + ((p->tx.tail + most) & p->tx.mask);
	size_t i;

	test_fill(out, len, len);
	memset(beyond, 0xa5, 128);
	CHECK_EQ(shmring_send(p, out, len, SHMRING_NOWAIT), 0);
	for (i = 0; i < 128; i++)
		CHECK_EQ(beyond[i], 0xa5);
	CHECK_EQ(shmring_recv(c, in, len, SHMRING_NOWAIT), len);
	CHECK(test_match(in, len, len));
}

/* Copied by parts that overlap. */
static void every_length(void)
{
	struct shmring_opts o = test_opts(1 << 16, 0);
	unsigned char *out, *in;
	struct shmring *p, *c;
	size_t len;

	NEED(!test_pair(&o, &p, &c));
	for (len = 0; len <= 600 && !test_bad; len++) {
		out = malloc(len);
		in = malloc(len);
		copied(p, c, out, in, len);
		free(in);
		free(out);
	}
	shmring_close(c);
	shmring_close(p);
}

/* Of two places that are so far apart in their pages long records are copied otherwise. */
static void every_place(void)
{
	static const size_t lengths[] = { 521, 603, 2111, 5005, 8160 };
	struct shmring_opts o = test_opts(1 << 16, 0);
	struct shmring *p, *c;
	size_t k, n;

	NEED(!test_pair(&o, &p, &c));
	for (k = 0; k < sizeof(lengths) / sizeof(lengths[0]) && !test_bad; k++) {
		unsigned char *out = malloc(lengths[k]), *in = malloc(lengths[k]);

		/* Each goes on by an odd multiple of 8. */
		for (n = 0; n < 512 && !test_bad; n++) {
			CHECK(shmring_record_size(lengths[k]) % 16 == 8);
			copied(p, c, out, in, lengths[k]);
		}
		free(in);
		free(out);
	}
	shmring_close(c);
	shmring_close(p);
}

static void gather_and_hold_back(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct iovec iov[3] = { { (char *)"ab", 2 }, { NULL, 0 }, { (char *)"cde", 3 } };
	struct shmring *p, *c;
	const void *in;
	char buf[16];
	void *out;
	int i;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_sendv(p, iov, 3, 0), 0);
	CHECK_EQ(shmring_sendv(p, NULL, 0, 0), 0);
	CHECK_EQ(shmring_recv(c, buf, 16, 0), 5);
	CHECK(!memcmp(buf, "abcde", 5));
	CHECK_EQ(shmring_recv(c, buf, 16, 0), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
		memset(out, 'a' + i, 8);
		CHECK_EQ(shmring_put(p, 8), 0);
	}
	CHECK_EQ(shmring_peek(c, &in, 0), -EAGAIN);
	CHECK_EQ(shmring_flush(p), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(shmring_peek(c, &in, 0), 8);
		CHECK_EQ(shmring_peek(c, &in, 0), 8);	/* the same again */
		CHECK_EQ(*(const char *)in, 'a' + i);
		CHECK_EQ(shmring_release(c), 0);
	}
	/* Held back, shown by a reservation that has to wait. */
	CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
	CHECK_EQ(shmring_put(p, 8), 0);
	CHECK_EQ(shmring_reserve(p, 4080, &out, 0), -EAGAIN);
	CHECK_EQ(shmring_peek(c, &in, 0), 8);
	/* Held back, shown by closing. */
	CHECK_EQ(shmring_release(c), 0);
	CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
	CHECK_EQ(shmring_put(p, 8), 0);
	shmring_close(p);
	CHECK_EQ(shmring_recv(c, buf, 16, 0), 8);
	CHECK_EQ(shmring_recv(c, buf, 16, 0), -EPIPE);
	shmring_close(c);
}

static void deadlines(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_AUTO);
	struct shmring *p, *c;
	uint64_t until;
	char buf[64] = "";

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_recv(c, buf, 64, 1), -ETIMEDOUT);	/* long past */
	until = test_in_ms(20);
	CHECK_EQ(shmring_recv(c, buf, 64, until), -ETIMEDOUT);
	CHECK(test_now() >= until);
	while (!shmring_send(p, buf, 64, SHMRING_NOWAIT))
		;
	until = test_in_ms(20);
	CHECK_EQ(shmring_send(p, buf, 64, until), -ETIMEDOUT);
	CHECK(test_now() >= until);
	until = test_in_ms(20);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, until), -ETIMEDOUT);
	CHECK(test_now() >= until);
	CHECK_EQ(shmring_recv(c, buf, 64, SHMRING_FOREVER), 64);
	CHECK_EQ(shmring_send(p, buf, 64, until), 0);	/* space: the deadline is not asked */
	shmring_close(c);
	shmring_close(p);
}

static void on_signal(int sig)
{
	(void)sig;
}

/*
 * A handler that runs during the call but not in the kernel is not noticed, as with
 * any system call; so the timer goes on until one hits the sleep.
 */
static void interrupted(int restart)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0 };
	struct itimerval on = { { 0, 20000 }, { 0, 20000 } }, off = { { 0, 0 }, { 0, 0 } };
	static char buf[1000];
	struct shmring *p, *c;

	NEED(!test_pair(&o, &p, &c));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &on, NULL);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EINTR);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), -EINTR);
	while (!shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT))
		;
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), SHMRING_FOREVER), -EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_DFL);
	test_alarm();
	shmring_close(c);
	shmring_close(p);
}

static void signal_interrupts(void) { interrupted(0); }
static void signal_interrupts_also_with_restart(void) { interrupted(1); }

/* Two rings, one record there and back: a wake-up that is lost hangs. */
static void ping_pong_never_spinning(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *there, *back;
	struct shmring_stats stats = { .size = sizeof(stats) };
	const uint64_t rounds = test_rounds(100000);
	uint64_t n, in;
	pid_t pid;

	NEED(!shmring_create(NULL, PROD, &o, &there));
	NEED(!shmring_create(NULL, CONS, &o, &back));
	pid = test_fork();
	if (!pid) {
		struct shmring *rx, *tx;

		CHECK_EQ(shmring_attach_fd(shmring_fd(there), CONS, &o, &rx), 0);
		CHECK_EQ(shmring_attach_fd(shmring_fd(back), PROD, &o, &tx), 0);
		for (n = 0; n < rounds && !test_bad; n++) {
			CHECK_EQ(shmring_recv(rx, &in, 8, SHMRING_FOREVER), 8);
			CHECK_EQ(shmring_send(tx, &in, 8, SHMRING_FOREVER), 0);
		}
		shmring_close(tx);
		shmring_close(rx);
		test_exit();
	}
	for (n = 0; n < rounds && !test_bad; n++) {
		CHECK_EQ(shmring_send(there, &n, 8, SHMRING_FOREVER), 0);
		CHECK_EQ(shmring_recv(back, &in, 8, SHMRING_FOREVER), 8);
		CHECK_EQ(in, n);
	}
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(shmring_get_stats(back, 1, &stats), 0);
	CHECK(stats.sleeps > 0);
	CHECK_EQ(stats.records, rounds);
	shmring_close(there);
	shmring_close(back);
}

/* The same where both sleep and are woken by a full and an empty ring in turn. */
static void full_and_empty_never_spinning(void)
{
	stream(4096, 2000, 50000, SHMRING_SPIN_NEVER);
}

static void pin(int nth)
{
	cpu_set_t all, one;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all) && !nth--) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
	}
}

/*
 * Records that arrive just while the consumer goes to sleep: the sender, on a CPU of
 * its own, waits for the last one to be taken and then some hundred ns, never twice
 * the same.
 */
static void send_while_the_consumer_falls_asleep(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	const uint64_t rounds = test_rounds(200000);
	uint64_t n, in, rnd = 23;
	struct shmring_stats stats = { .size = sizeof(stats) };
	cpu_set_t before;
	struct shmring *p;
	unsigned int wait;
	pid_t pid;

	sched_getaffinity(0, sizeof(before), &before);
	if (CPU_COUNT(&before) < 2)
		SKIP("needs two CPUs");
	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = test_fork();
	if (!pid) {
		struct shmring *c;

		pin(1);
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		for (n = 0; n < rounds && !test_bad; n++)
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
		shmring_close(c);
		test_exit();
	}
	pin(0);
	for (n = 0; n < rounds; n++) {
		CHECK_EQ(shmring_send(p, &n, 8, SHMRING_FOREVER), 0);
		do
			shmring_get_stats(p, 1, &stats);
		while (stats.records <= n && stats.state != SHMRING_SLOT_DEAD);
		for (wait = test_random(&rnd) % 256; wait; wait--)
			__asm__ __volatile__("" ::: "memory");
	}
	CHECK_EQ(test_reap(pid), 0);
	printf("# slept %llu times of %llu\n", (unsigned long long)stats.sleeps,
	       (unsigned long long)rounds);
	sched_setaffinity(0, sizeof(before), &before);
	shmring_close(p);
}

static void wait_both_ways(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *c;
	char buf[1024] = "";
	pid_t pid;
	int n;

	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = test_fork();
	if (!pid) {
		struct shmring *p;

		CHECK_EQ(shmring_attach_fd(shmring_fd(c), PROD, &o, &p), 0);
		for (n = 0; n < 5000 && !test_bad; n++) {
			while (shmring_send(p, buf, 1000, SHMRING_NOWAIT) == -EAGAIN)
				CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, SHMRING_FOREVER),
					 SHMRING_EV_OUT);
		}
		shmring_close(p);
		test_exit();
	}
	for (n = 0; n < 5000 && !test_bad; n++) {
		while (shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT) == -EAGAIN)
			CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), SHMRING_EV_IN);
	}
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN | SHMRING_EV_PEER, SHMRING_FOREVER),
		 SHMRING_EV_PEER);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), -EPIPE);
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(c);
}

/* What a sleeper costs: a second of waiting is less than 10 ms of CPU. */
static void idle_receiver_uses_no_cpu(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_AUTO);
	struct rusage before, after;
	struct shmring *p, *c;
	char buf[8];
	long long us;

	NEED(!test_pair(&o, &p, &c));
	getrusage(RUSAGE_SELF, &before);
	CHECK_EQ(shmring_recv(c, buf, 8, test_in_ms(1000)), -ETIMEDOUT);
	getrusage(RUSAGE_SELF, &after);
	us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec +
	      after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000ll +
	     after.ru_utime.tv_usec - before.ru_utime.tv_usec +
	     after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	printf("# %lld us of CPU in 1 s\n", us);
	CHECK(us < 100000);
	shmring_close(c);
	shmring_close(p);
}

static void no_page_fault_after_attach(void)
{
	struct shmring_opts o = test_opts(8 << 20, 0);
	static char buf[4096], sink[4096];
	struct rusage before, after;
	struct shmring *p, *c;
	int n;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	SKIP("the sanitizer's own memory faults");
#endif
	o.flags = SHMRING_CREATE_SMALL;		/* the most faults there could be */
	NEED(!test_pair(&o, &p, &c));
	for (n = 0; n < 8; n++) {	/* buffers and code */
		CHECK_EQ(shmring_send(p, buf, sizeof(buf), 0), 0);
		CHECK_EQ(shmring_recv(c, sink, sizeof(sink), 0), sizeof(sink));
	}
	getrusage(RUSAGE_SELF, &before);
	for (n = 0; n < 5000; n++) {
		if (shmring_send(p, buf, sizeof(buf), 0) ||
		    shmring_recv(c, sink, sizeof(sink), 0) != sizeof(sink))
			test_bad++;
	}
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_minflt - before.ru_minflt < 8);	/* 5000 records touch 5000 pages */
	shmring_close(c);
	shmring_close(p);
}

static int put_in_place(struct shmring *p, uint64_t nth, size_t len)
{
	void *to;
	int err = shmring_reserve(p, len, &to, SHMRING_NOWAIT);

	if (err)
		return err;
	test_fill(to, len, nth);
	return shmring_commit(p, len);
}

static void take_in_place(struct shmring *c, uint64_t nth, size_t len)
{
	const void *at;

	CHECK_EQ(shmring_peek(c, &at, SHMRING_NOWAIT), len);
	CHECK(!test_bad && test_match(at, len, nth));
	CHECK_EQ(shmring_release(c), 0);
}

/*
 * A producer of long records looks now and then whether they are awaited, and treats them
 * differently then: nothing of that is to be seen, and a ring is full when it is.
 */
static void in_place_awaited_or_not(void)
{
	static const size_t lens[] = { 500, 513, 1000, 1024, 1025, 4000 };
	struct shmring_opts o = test_opts(1 << 16, 0);
	unsigned int k, turn, fit, n;
	struct shmring *p, *c;
	uint64_t nth = 0, i;

	NEED(!test_pair(&o, &p, &c));
	for (turn = 0; turn < 5 * 6 && !test_bad; turn++) {
		size_t len = lens[turn % 6];

		for (k = 0; k < 100 && !test_bad; k++, nth++) {
			CHECK_EQ(put_in_place(p, nth, len), 0);
			take_in_place(c, nth, len);
		}
		fit = (unsigned int)(((1 << 16) - SHMRING_REC_TAIL) / shmring_record_size(len));
		for (k = 0; k < 5 && !test_bad; k++, nth += fit) {
			for (n = 0; n < fit; n++)
				CHECK_EQ(put_in_place(p, nth + n, len), 0);
			CHECK_EQ(put_in_place(p, nth + n, len), -EAGAIN);
			for (i = nth; i < nth + fit && !test_bad; i++)
				take_in_place(c, i, len);
		}
	}
	shmring_close(c);
	CHECK_EQ(put_in_place(p, nth, 4000), -EPIPE);
	shmring_close(p);
}

int main(void)
{
	START();
	RUN(stream_small_ring);
	RUN(stream_small_ring_sleeping);
	RUN(stream_big_records);
	RUN(stream_big_ring);
	RUN(stream_spinning);
	RUN(stream_fixed_spin);
	RUN(nothing_behind_what_was_received);
	RUN(batches);
	RUN(batches_of_equal_records);
	RUN(recv_batch_stops_before_what_does_not_fit);
	RUN(every_length);
	RUN(every_place);
	RUN(gather_and_hold_back);
	RUN(in_place_awaited_or_not);
	RUN(deadlines);
	RUN(signal_interrupts);
	RUN(signal_interrupts_also_with_restart);
	RUN(ping_pong_never_spinning);
	RUN(full_and_empty_never_spinning);
	RUN(send_while_the_consumer_falls_asleep);
	RUN(wait_both_ways);
	RUN(idle_receiver_uses_no_cpu);
	RUN(no_page_fault_after_attach);
	DONE();
}
