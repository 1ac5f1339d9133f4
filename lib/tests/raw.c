// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * RAW rings: the user's own semaphores and mutexes in ring memory, between processes
 * that map it at addresses of their own, and memory that a reader cannot write.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>

#include "test.h"

struct shared {
	sem_t ping, pong;
	pthread_mutex_t lock;
	uint64_t counter;
};

static struct shmring_opts raw_opts(void)
{
	struct shmring_opts o = test_opts(65536, 0);

	o.topology = SHMRING_TOPO_RAW;
	return o;
}

static void semaphores(void)
{
	struct shmring_opts o = raw_opts();
	struct shmring *a, *b;
	struct shared *s;
	size_t bytes = 0;
	pid_t pid;
	int n;

	NEED(!shmring_create(NULL, PROD, &o, &a));
	s = shmring_raw(a, &bytes);
	NEED(s && bytes == 65536);
	CHECK_EQ(sem_init(&s->ping, 1, 0), 0);
	CHECK_EQ(sem_init(&s->pong, 1, 0), 0);
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(a), PROD | CONS, &o, &b), 0);
		if (test_bad)
			test_exit();
		s = shmring_raw(b, NULL);
		for (n = 0; n < 20000; n++) {
			sem_wait(&s->ping);
			s->counter++;
			sem_post(&s->pong);
		}
		shmring_close(b);
		test_exit();
	}
	for (n = 0; n < 20000; n++) {
		sem_post(&s->ping);
		sem_wait(&s->pong);
		if (s->counter != (uint64_t)n + 1)
			break;
	}
	CHECK_EQ(s->counter, 20000);
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(a);
}

static void robust_mutex(void)
{
	struct shmring_opts o = raw_opts();
	pthread_mutexattr_t attr;
	struct shmring *a, *b;
	struct shared *s;
	pid_t pid;
	int n;

	NEED(!shmring_create(NULL, PROD, &o, &a));
	s = shmring_raw(a, NULL);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&s->lock, &attr), 0);
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(a), PROD, &o, &b), 0);
		if (test_bad)
			test_exit();
		s = shmring_raw(b, NULL);
		for (n = 0; n < 50000; n++) {
			pthread_mutex_lock(&s->lock);
			s->counter++;
			pthread_mutex_unlock(&s->lock);
		}
		test_exit();
	}
	for (n = 0; n < 50000; n++) {
		pthread_mutex_lock(&s->lock);
		s->counter++;
		pthread_mutex_unlock(&s->lock);
	}
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(s->counter, 100000);
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(a), PROD, &o, &b), 0);
		if (test_bad)
			test_exit();
		s = shmring_raw(b, NULL);
		pthread_mutex_lock(&s->lock);
		kill(getpid(), SIGKILL);
	}
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	CHECK_EQ(pthread_mutex_lock(&s->lock), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&s->lock), 0);
	CHECK_EQ(pthread_mutex_unlock(&s->lock), 0);
	shmring_close(a);
}

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

/* Does a store to @p fault? */
static int faults(volatile char *p)
{
	struct sigaction sa = { .sa_handler = on_fault }, old;
	int sig;

	sigaction(SIGSEGV, &sa, &old);
	sig = sigsetjmp(fault, 1);
	if (!sig)
		*p = 1;
	sigaction(SIGSEGV, &old, NULL);
	return sig == SIGSEGV;
}

static void readers_do_not_write(void)
{
	struct shmring_opts o = raw_opts();
	struct shmring *w, *r, *b;
	size_t bytes;
	char *p;

	NEED(!shmring_create(NULL, PROD, &o, &w));
	NEED(!shmring_attach_fd(shmring_fd(w), CONS, &o, &r));
	NEED(!shmring_attach_fd(shmring_fd(w), OBS, &o, &b));
	p = shmring_raw(w, &bytes);
	CHECK(!faults(p) && !faults(p + bytes - 1));
	CHECK_EQ(((char *)shmring_raw(r, NULL))[bytes - 1], 1);
	CHECK_EQ(((char *)shmring_raw(b, NULL))[bytes - 1], 1);
	CHECK(faults(shmring_raw(r, NULL)));
	CHECK(faults(shmring_raw(b, NULL)));
	shmring_close(b);
	shmring_close(r);
	shmring_close(w);
}

/* Consumers of a record ring cannot write records. */
static void consumers_do_not_write(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	const void *in;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, "x", 1, 0), 0);
	CHECK_EQ(shmring_peek(c, &in, 0), 1);
	CHECK(faults((char *)(uintptr_t)in));
	shmring_close(c);
	shmring_close(p);
}

static void slots(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = raw_opts();
	struct shmring *r[SHMRING_SLOTS_MAX], *more;
	unsigned int k;

	o.slots = SHMRING_SLOTS_MAX;
	NEED(!shmring_create(NULL, PROD, &o, &r[0]));
	for (k = 1; k < SHMRING_SLOTS_MAX; k++)
		NEED(!shmring_attach_fd(shmring_fd(r[0]), k & 1 ? CONS : PROD, &o, &r[k]));
	CHECK_EQ(shmring_attach_fd(shmring_fd(r[0]), CONS, &o, &more), -EBUSY);
	CHECK_EQ(shmring_info(r[5], &info), 0);
	CHECK_EQ(info.slots, SHMRING_SLOTS_MAX);
	CHECK_EQ(info.slots_live, SHMRING_SLOTS_MAX);
	CHECK_EQ(info.slot, 5);
	CHECK_EQ(info.max_record, 0);
	shmring_close(r[7]);
	CHECK_EQ(shmring_attach_fd(shmring_fd(r[0]), CONS, &o, &r[7]), 0);
	for (k = 1; k < SHMRING_SLOTS_MAX; k++)
		shmring_close(r[k]);
	CHECK_EQ(shmring_wait(r[0], SHMRING_EV_PEER, SHMRING_FOREVER), SHMRING_EV_PEER);
	shmring_close(r[0]);
	o.slots = 0;
	NEED(!shmring_create(NULL, PROD, &o, &r[0]));
	CHECK_EQ(shmring_info(r[0], &info), 0);
	CHECK_EQ(info.slots, 16);
	shmring_close(r[0]);
}

int main(void)
{
	START();
	RUN(semaphores);
	RUN(robust_mutex);
	RUN(readers_do_not_write);
	RUN(consumers_do_not_write);
	RUN(slots);
	DONE();
}
