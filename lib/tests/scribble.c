// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * A peer, in a process of its own, that writes random values over all that it may write
 * while the other side works: a producer over its lane, its CURSOR page and SHARED, a
 * consumer over its CURSOR page (and of a QUEUE SHARED). The honest side gets records or
 * errors that are told, comes back from every call, and never reads where nothing is.
 *
 * On the device the kernel decides what may be written; on the memfd backend everything
 * could be, and the same is.
 */
#include "many.h"

#define LIVES		20u		/* of the scribbler: a new one mends what can be mended */
#define CALLS		500u		/* in each of them */

static uint64_t all_good;

struct words {
	uint32_t *at;
	size_t n;
};

static struct words map_words(struct shmring *r, uint64_t offset, uint64_t size)
{
	struct words w = { NULL, size / 4 };
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, shmring_fd(r),
		       (off_t)offset);

	if (p != MAP_FAILED)
		w.at = p;
	return w;
}

/* Values that mean something somewhere, and some that mean nothing. */
static uint32_t a_value(uint64_t *rnd)
{
	uint64_t x = test_random(rnd);

	switch (x & 7) {
	case 0:
		return 0;
	case 1:
		return SHMRING_REC_READY | (uint32_t)(x >> 8 & 0x3f8);
	case 2:
		return SHMRING_REC_READY | SHMRING_REC_CHAIN | (uint32_t)(x >> 8 & 0xff);
	case 3:
		return (uint32_t)(x >> 8 & 0xfff8);
	case 4:
		return (uint32_t)(x >> 8 & 3);
	default:
		return (uint32_t)(x >> 32);
	}
}

static void scribble(int fd, struct shmring_opts *o, uint32_t role, uint64_t seed, int ready)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct words where[3] = { { NULL, 0 } };
	unsigned char buf[8192];
	struct shmring *r;
	uint64_t rnd = seed;
	unsigned int n = 0;
	int shared, err = shmring_attach_fd(fd, role, o, &r);

	/* What its predecessor left may be too much. */
	CHECK(!err || err == -EPROTO || err == -EAGAIN);
	if (err)
		test_exit();
	CHECK_EQ(shmring_info(r, &info), 0);
	where[n++] = map_words(r, info.cursor_offset + info.slot * info.cursor_stride,
			       info.cursor_stride);
	shared = (o->topology == QUEUE) == (role == CONS) && info.shared_offset;
	if (shared)
		where[n++] = map_words(r, info.shared_offset, info.cursor_stride);
	if (role == PROD)
		where[n++] = map_words(r, info.data_offset + info.slot * info.data_size,
				       info.data_size);
	while (n--)
		CHECK(where[n].at);
	test_tell(ready);
	if (test_bad)
		test_exit();
	for (;;) {
		struct words *w = &where[test_random(&rnd) % 3];
		size_t k;

		/* Mostly it does what it should. */
		if (test_random(&rnd) % 4) {
			if (role == PROD)
				shmring_send(r, buf, test_random(&rnd) % 100, SHMRING_NOWAIT);
			else
				shmring_recv(r, buf, sizeof(buf), SHMRING_NOWAIT);
			continue;
		}
		if (!w->at)
			continue;
		k = test_random(&rnd) % w->n;
		/* What matters is at the beginning. */
		if (test_random(&rnd) & 1)
			k %= 256;
		__atomic_store_n(&w->at[k], a_value(&rnd), __ATOMIC_RELAXED);
	}
}

static int told(long err)
{
	return err == -EAGAIN || err == -EBADMSG || err == -EPROTO || err == -ENOBUFS ||
	       err == -ESTALE || err == -EPIPE || err == -EOWNERDEAD || err == -EMSGSIZE ||
	       err == -ETIMEDOUT;
}

/* Every byte of what is received is read. Return: how much came, or an error. */
static long receive(struct shmring *c, unsigned int how)
{
	static unsigned char buf[8192];
	struct iovec msgs[4];
	const void *payload;
	volatile unsigned char sum = 0;
	long ret, k, n;

	switch (how % 4) {
	case 0:
		return shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT);
	case 1:
		return shmring_recv(c, buf, 8, test_now() + 100000);
	case 2:
		ret = shmring_wait_for(c, SHMRING_EV_IN, 64, 2, test_now() + 100000);
		return ret < 0 ? ret : shmring_peek(c, &payload, SHMRING_NOWAIT);
	default:
		n = shmring_peek_batch(c, msgs, 4, SHMRING_NOWAIT);
		for (k = 0; k < n; k++) {
			const unsigned char *p = msgs[k].iov_base;
			size_t at;

			CHECK(msgs[k].iov_len <= 4096);
			for (at = 0; at < msgs[k].iov_len; at++)
				sum += p[at];
		}
		if (n > 0)
			shmring_release(c);
		return n;
	}
}

/* One life of a scribbler, and of an honest peer. Return: calls that succeeded. */
static uint64_t life(int fd, struct shmring_opts *o, uint32_t role, uint64_t seed)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	uint64_t k, rnd = seed, good = 0;
	static char buf[1000];
	struct shmring *mine;
	int ready[2];
	pid_t pid;
	long ret;

	if (pipe(ready))
		return 0;
	pid = test_fork();
	if (!pid)
		scribble(fd, o, role, seed, ready[1]);
	close(ready[1]);
	if (test_hear(ready[0])) {
		CHECK_EQ(test_reap(pid), 0);
		close(ready[0]);
		return 0;
	}
	ret = shmring_attach_fd(fd, role == PROD ? CONS : PROD, o, &mine);
	CHECK(!ret || ret == -EPROTO || ret == -EAGAIN);
	for (k = 0; k < CALLS && !ret && !test_bad; k++) {
		long got = role == PROD ?
			   receive(mine, (unsigned int)test_random(&rnd)) :
			   shmring_send(mine, buf, test_random(&rnd) % sizeof(buf),
					k % 16 ? SHMRING_NOWAIT : test_now() + 100000);

		good += got >= 0;
		if (got < 0 && !told(got))
			CHECK_EQ(got, -EAGAIN);
		if (!(k % 64))
			shmring_info(mine, &info);
	}
	kill(pid, SIGKILL);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	if (!ret)
		shmring_close(mine);
	close(ready[0]);
	return good;
}

static void against(uint32_t topology, uint32_t policy, uint32_t role)
{
	struct shmring_opts o = many_opts(topology, 2, 2, SHMRING_SPIN_NEVER);
	uint64_t lives = test_rounds(LIVES) * test_stress(), k, good = 0;
	struct shmring *watch;

	if (topology == SHMRING_TOPO_SPSC)
		o.producers = o.consumers = 0;
	o.full_policy = policy;
	for (k = 0; k < lives && !test_bad; k++) {
		/* Some rings have had several of them. */
		if (!(k % 4))
			NEED(!shmring_create(NULL, OBS, &o, &watch));
		good += life(shmring_fd(watch), &o, role, k * 64 + topology * 8 + policy);
		if (k % 4 == 3 || k + 1 == lives)
			shmring_close(watch);
	}
	printf("# %llu of %llu calls\n", (unsigned long long)good,
	       (unsigned long long)(lives * CALLS));
	all_good += good;
}

#define SCRIBBLED(name, topology, policy)				\
	static void name##_producer(void)				\
	{								\
		against(topology, SHMRING_FULL_##policy, PROD);		\
	}								\
									\
	static void name##_consumer(void)				\
	{								\
		against(topology, SHMRING_FULL_##policy, CONS);		\
	}

SCRIBBLED(spsc, SHMRING_TOPO_SPSC, WAIT)
SCRIBBLED(mpsc, MPSC, WAIT)
SCRIBBLED(queue, QUEUE, WAIT)
SCRIBBLED(broadcast, BCAST, WAIT)
SCRIBBLED(overwrite, BCAST, OVERWRITE)
SCRIBBLED(dropping, MPSC, DROP_NEWEST)

/* A peer that scribbles may spoil every call of some kind; not all of all kinds. */
static void something_came_through(void)
{
	CHECK(all_good > 0);
}

int main(void)
{
	START();
	RUN(spsc_producer);
	RUN(spsc_consumer);
	RUN(mpsc_producer);
	RUN(mpsc_consumer);
	RUN(queue_producer);
	RUN(queue_consumer);
	RUN(broadcast_producer);
	RUN(broadcast_consumer);
	RUN(overwrite_producer);
	RUN(overwrite_consumer);
	RUN(dropping_producer);
	RUN(dropping_consumer);
	RUN(something_came_through);
	DONE();
}
