// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The ring core with two producers and two consumers as threads, as fast as they go: for
 * the sanitizers, and for machines that order less than x86. Lanes are small, so that all
 * meet at full and at empty.
 */
#include <pthread.h>

#include "ring.h"

#define SIZE	4096u
#define COUNT	20000u

static struct ring r;
static struct ring_tx tx[2];
static struct ring_rx rx[2];
static unsigned char *seen;
static __u32 taken, finished, bad;

static void *producer(void *arg)
{
	struct ring_tx *t = arg;
	__u32 k = 0, lane = (__u32)(t - tx);

	while (k < COUNT) {
		if (ring_send(t, k << 1 | lane, 4 + k % 13 * 4) >= 0)
			k++;
		else
			sched_yield();
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* The records of a producer come in its order; of a QUEUE each to one only. */
static void *consumer(void *arg)
{
	struct ring_rx *x = arg;
	__u32 next[2] = { 0, 0 }, id, ended, got = 0, total = r.producers * COUNT;

	for (;;) {
		ended = __atomic_load_n(&finished, __ATOMIC_ACQUIRE) == r.producers;
		if (ring_next(x, &id, 2) < 0) {
			ring_release(x);
			if (r.topology == SHMRING_TOPO_QUEUE) {
				if (__atomic_load_n(&taken, __ATOMIC_RELAXED) == total)
					return NULL;
			} else if (got == total ||
				   (r.overwrite && ended && got + x->m.lost == total)) {
				return NULL;
			}
			sched_yield();
			continue;
		}
		if (r.overwrite && !shmring_merge_whole(&x->m)) {
			ring_rewind(x);
			continue;
		}
		if (id >> 1 >= COUNT || id >> 1 < next[id & 1] ||
		    (r.topology != SHMRING_TOPO_QUEUE && !r.overwrite && id >> 1 != next[id & 1]))
			__atomic_store_n(&bad, id + 1, __ATOMIC_RELAXED);
		next[id & 1] = (id >> 1) + 1;
		got++;
		if (r.topology == SHMRING_TOPO_QUEUE) {
			if (__atomic_exchange_n(&seen[id], 1, __ATOMIC_RELAXED))
				__atomic_store_n(&bad, id + 1, __ATOMIC_RELAXED);
			__atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
		}
		if (r.topology != SHMRING_TOPO_QUEUE && (r.overwrite || !(got % 3)))
			ring_release(x);
	}
}

static void threads(__u32 topology, __u32 producers, __u32 consumers, int overwrite)
{
	pthread_t id[4];
	__u32 k;

	ring_make(&r, topology, producers, consumers, SIZE, overwrite);
	seen = calloc(1, 2 * COUNT);
	taken = 0;
	finished = 0;
	bad = 0;
	for (k = 0; k < producers; k++)
		CHECK(ring_tx_begin(&r, k, &tx[k]) >= 0);
	for (k = 0; k < consumers; k++) {
		ring_rx_begin(&r, producers + k, &rx[k]);
		if (topology == SHMRING_TOPO_QUEUE)
			rx[k].c.most = k ? 4 : 0;	/* not all alike */
	}
	for (k = 0; k < producers + consumers; k++)
		if (pthread_create(&id[k], NULL, k < producers ? producer : consumer,
				   k < producers ? (void *)&tx[k] : (void *)&rx[k - producers]))
			abort();
	for (k = 0; k < producers + consumers; k++)
		pthread_join(id[k], NULL);
	CHECK_EQ(bad, 0);
	free(seen);
	ring_free(&r);
}

static void spsc(void)
{
	threads(SHMRING_TOPO_SPSC, 1, 1, 0);
}

static void mpsc(void)
{
	threads(SHMRING_TOPO_MPSC, 2, 1, 0);
}

static void queue(void)
{
	threads(SHMRING_TOPO_QUEUE, 2, 2, 0);
}

static void broadcast(void)
{
	threads(SHMRING_TOPO_BROADCAST, 2, 2, 0);
}

static void overwrite(void)
{
	threads(SHMRING_TOPO_BROADCAST, 2, 2, 1);
}

int main(void)
{
	START();
	RUN(spsc);
	RUN(mpsc);
	RUN(queue);
	RUN(broadcast);
	RUN(overwrite);
	DONE();
}
