// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/* The ring core, headers that lead round a lane in a circle: they are records for a while only. */
#include "unit.h"

#define LEN	24u		/* bytes, 32 with the header: a lane's length is a multiple */
#define LAP	(SIZE / 32)
#define HEARD	1000u		/* what the others' records say */

/* What the liar says about its position: so far from where it is. */
static const __s64 lies[] = {
	0, -32, -(__s64)SIZE / 2, SIZE / 2, SIZE - 32, SIZE, -(__s64)SIZE, 2 * (__s64)SIZE, 7,
	-2 * (__s64)SIZE, 1ll << 40, -(1ll << 40), (__s64)(1ull << 63),
};

/* Consumer @k takes what there is. Return: why no more; *@n: how many. */
static long drain(__u32 k, __u32 *n, int *heard)
{
	__u32 id = 0;
	long len;

	for (*n = 0; *n < 10 * LAP; (*n)++) {
		len = ring_next(&rx[k], &id, 1);
		if (len < 0)
			return len;
		*heard += id == HEARD;
		ring_release(&rx[k]);
	}
	return 0;
}

/* Lane 0 is full of headers; its producer may tell of it, and is gone. */
static void liar(__s64 lie)
{
	__u32 at;

	for (at = 0; at < SIZE; at += 32)
		record(0, at)->word = SHMRING_REC_READY | LEN;
	r.cursor[0]->pos += (__u64)lie;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
}

static void circle(__u32 topology, __u32 producers, __u32 consumers, __s64 lie, __u32 before)
{
	__u32 n, k, id, all = 0;
	int heard = 0;
	long len;

	begin(topology, producers, consumers, 0);
	for (n = 0; n < before; n++) {
		CHECK_EQ(ring_send(&tx[0], n, LEN), 0);
		for (k = 0; k < (topology == SHMRING_TOPO_BROADCAST ? consumers : 1); k++) {
			NEXT(k, n);
			ring_release(&rx[k]);
		}
	}
	liar(lie);
	if (producers > 1)
		CHECK_EQ(ring_send(&tx[1], HEARD, 8), 0);
	for (k = 0; k < consumers; k++) {
		len = drain(k, &n, &heard);
		all += n;
		/* All of a QUEUE's records may be another's, and so may the news. */
		CHECK(len == -EPROTO || (len == -EAGAIN && topology == SHMRING_TOPO_QUEUE && k));
		len = drain(k, &n, &heard);
		all += n;
		CHECK_EQ(len, topology == SHMRING_TOPO_SPSC ? -EPROTO : -EAGAIN);
	}
	CHECK(all <= 2 * LAP * (topology == SHMRING_TOPO_BROADCAST ? consumers : 1) + consumers);
	CHECK_EQ(heard, producers > 1 ? (topology == SHMRING_TOPO_BROADCAST ? consumers : 1) : 0);
	/*
	 * Its successor is heard at once; of a BROADCAST ring, where it begins at a consumer's
	 * position if the liar's cannot be, after as many as a lane holds.
	 */
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	for (k = 0; k < consumers; k++) {
		CHECK_EQ(drain(k, &n, &heard), -EAGAIN);
		CHECK(n <= (topology == SHMRING_TOPO_BROADCAST ? LAP : 0));
	}
	for (n = 0; n < 3 * LAP && !test_bad; n++) {
		CHECK_EQ(ring_send(&tx[0], n, LEN), 0);
		for (k = 0; k < (topology == SHMRING_TOPO_BROADCAST ? consumers : 1); k++) {
			NEXT(k, n);
			ring_release(&rx[k]);
		}
	}
	for (k = 0; k < consumers; k++)
		CHECK_EQ(ring_next(&rx[k], &id, 1), -EAGAIN);
	ring_free(&r);
}

static void circles(__u32 topology, __u32 producers, __u32 consumers)
{
	static const __u32 before[] = { 0, 1, 5, LAP - 1, LAP, 3 * LAP + 7 };
	size_t k, b;

	for (b = 0; b < sizeof(before) / sizeof(before[0]); b++) {
		for (k = 0; k < sizeof(lies) / sizeof(lies[0]) && !test_bad; k++)
			circle(topology, producers, consumers, lies[k], before[b]);
	}
}

static void spsc_circle(void)
{
	circles(SHMRING_TOPO_SPSC, 1, 1);
}

static void mpsc_circle(void)
{
	circles(SHMRING_TOPO_MPSC, 1, 1);
	circles(SHMRING_TOPO_MPSC, 2, 1);
}

static void queue_circle(void)
{
	circles(SHMRING_TOPO_QUEUE, 1, 1);
	circles(SHMRING_TOPO_QUEUE, 2, 2);
}

static void broadcast_circle(void)
{
	circles(SHMRING_TOPO_BROADCAST, 1, 1);
	circles(SHMRING_TOPO_BROADCAST, 2, 2);
}

int main(void)
{
	RUN(spsc_circle);
	RUN(mpsc_circle);
	RUN(queue_circle);
	RUN(broadcast_circle);
	DONE();
}
