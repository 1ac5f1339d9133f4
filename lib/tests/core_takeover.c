// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The ring core, one endpoint taken over from at each of its accesses: by a successor of a
 * successor, whose counts have to be right, and while somebody else looks.
 */
static void between(void);
#define SHMRING_STEP()	between()

#include <setjmp.h>

#include "unit.h"

#define LEN	24u		/* bytes, 32 with the header: a lane's length is a multiple */
#define RECORDS	2000u

static jmp_buf killed;
static int left = -1;		/* accesses to go; -1: nothing happens */
static void (*then)(void);	/* NULL: whoever is there is killed */

static void between(void)
{
	if (left < 0 || left--)
		return;
	if (then)
		then();
	else
		longjmp(killed, 1);
}

static __u64 received(const struct ring_rx *x)
{
	if (x->r->topology == SHMRING_TOPO_SPSC)
		return x->rx.records;
	return x->r->topology == SHMRING_TOPO_QUEUE ? x->c.records : x->m.records;
}

static void take(__u32 k)
{
	__u32 id;

	if (ring_next(&rx[k], &id, 1) >= 0)
		ring_release(&rx[k]);
}

/*
 * A producer is killed in its sixth publication, its successor in the takeover; the third one has
 * to count what was published. @read: how many of the first five the consumer has read before that;
 * 6: and the last one before the takeover. Return: whether the second was killed.
 */
static int kill_two(__u32 topology, unsigned int read, int at_send, int at_takeover)
{
	volatile int again = 0;
	volatile __u32 n;
	__u64 published;

	begin(topology, 1, 1, 0);
	for (n = 0; n < 5; n++)
		CHECK_EQ(ring_send(&tx[0], n, LEN), 0);
	for (n = 0; n < read && n < 5; n++)
		take(0);
	left = at_send;
	if (!setjmp(killed))
		ring_send(&tx[0], 5, LEN);
	left = -1;
	if (read > 5)
		take(0);
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	left = at_takeover;
	if (!setjmp(killed))
		ring_tx_begin(&r, 0, &tx[0]);
	else
		again = 1;
	left = -1;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	do {
		published = received(&rx[0]);
		take(0);
	} while (received(&rx[0]) != published);
	CHECK_EQ(tx[0].tx.records, published);
	CHECK_EQ(shmring_load(&r.cursor[0]->records), published);
	ring_free(&r);
	return again;
}

static void count_after_two_kills(__u32 topology)
{
	unsigned int read;
	int at_send, at_takeover;

	for (read = 0; read <= 6; read++)
		for (at_send = 0; at_send < 30 && !test_bad; at_send++)
			for (at_takeover = 0; kill_two(topology, read, at_send, at_takeover);)
				at_takeover++;
}

static void count_after_two_kills_spsc(void)
{
	count_after_two_kills(SHMRING_TOPO_SPSC);
}

static void count_after_two_kills_mpsc(void)
{
	count_after_two_kills(SHMRING_TOPO_MPSC);
}

static void count_after_two_kills_queue(void)
{
	count_after_two_kills(SHMRING_TOPO_QUEUE);
}

static void count_after_two_kills_broadcast(void)
{
	count_after_two_kills(SHMRING_TOPO_BROADCAST);
}

static void succeed(void)
{
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
}

/* Consumer @k takes what there is. Return: why no more; counts what is the successor's. */
static long drain(__u32 k, __u32 *own, __u32 *other)
{
	__u32 id = 0;
	long len;

	while ((len = ring_next(&rx[k], &id, 1)) >= 0) {
		if (id >= RECORDS)
			(*own)++;
		else
			(*other)++;
		ring_release(&rx[k]);
	}
	/* Changed after it was claimed: as the library does, go on behind it. */
	if (rx[k].c.head != rx[k].c.end && !rx[k].c.ahead) {
		rx[k].c.head = rx[k].c.end;
		ring_release(&rx[k]);
	}
	return len;
}

/*
 * A consumer of a QUEUE looks at a header that does not hold because it leads round the lane in a
 * circle, and meanwhile a successor cuts it off. Whoever claims it all the same puts the front
 * where the successor never was. Return: whether there was time for that.
 */
static int cut_off(unsigned int most, int at)
{
	__u32 n, own = 0, other = 0, errors = 0, k, id;
	__u64 pos;

	begin(SHMRING_TOPO_QUEUE, 1, 2, 0);
	for (n = 0; n < 300; n++) {
		CHECK_EQ(ring_send(&tx[0], n, LEN), 0);
		take(n & 1);
	}
	for (pos = 0; pos < SIZE; pos += 32)
		record(0, pos)->word = SHMRING_REC_READY | LEN;
	CHECK_EQ(drain(0, &own, &other), -EPROTO);
	rx[1].c.most = most;
	then = succeed;
	left = at;
	if (ring_next(&rx[1], &id, 1) >= 0)
		ring_release(&rx[1]);
	then = NULL;
	at = left;
	left = -1;
	if (at < 0) {
		drain(1, &own, &other);
		for (n = 0, own = 0; n < RECORDS; n++) {
			errors += ring_send(&tx[0], RECORDS + n, LEN + 16) < 0;
			for (k = 0; k < 2; k++)
				drain(k, &own, &other);
		}
		CHECK_EQ(errors, 0);
		CHECK_EQ(own, RECORDS);
	}
	ring_free(&r);
	return at < 0;
}

static void cut_off_while_claimed(void)
{
	unsigned int most;
	int at;

	for (most = 1; most <= 2; most++)
		for (at = 0; cut_off(most, at) && !test_bad;)
			at++;
}

/* Over and over, with payload where headers were. */
static void lap(void)
{
	__u32 n;

	for (n = 0; n < 100; n++)
		CHECK_EQ(ring_send(&tx[0], 0x40000000, 40), 0);
}

/*
 * A lane is lapped while a consumer looks into it. What it took for a ticket must not have the
 * lane wait behind all others. Return: whether there was time for that.
 */
static int lapped_at(int at)
{
	__u32 n, k, id = 0, got[2] = { 0, 0 };

	begin(SHMRING_TOPO_BROADCAST, 2, 1, 1);
	for (n = 0; n < 10; n++) {
		CHECK_EQ(ring_send(&tx[n & 1], n, LEN), 0);
		take(0);
	}
	CHECK_EQ(ring_send(&tx[0], n++, LEN), 0);
	/* The other lane never runs empty. */
	for (; n < 91; n += 2)
		CHECK_EQ(ring_send(&tx[1], n, LEN), 0);
	then = lap;
	left = at;
	if (ring_next(&rx[0], &id, 1) >= 0 && shmring_merge_whole(&rx[0].m))
		ring_release(&rx[0]);
	at = left;
	left = -1;
	then = NULL;
	for (; n < RECORDS && at < 0; n++) {
		for (k = 0; k < 2; k++)
			CHECK_EQ(ring_send(&tx[k], n, LEN), 0);
		ring_rewind(&rx[0]);
		if (ring_next(&rx[0], &id, 1) < 0 || !shmring_merge_whole(&rx[0].m))
			continue;
		got[rx[0].m.last]++;
		ring_release(&rx[0]);
	}
	if (at < 0) {
		CHECK(got[0] > RECORDS / 4);
		CHECK(got[1] > RECORDS / 4);
	}
	if (test_bad)
		printf("# at access %d: %u and %u\n", at, got[0], got[1]);
	ring_free(&r);
	return at < 0;
}

static void lapped_while_looked_at(void)
{
	int at;

	for (at = 0; lapped_at(at) && !test_bad;)
		at++;
	printf("# %d accesses\n", at);
}

static unsigned int races;
static __u64 held, behind;

/*
 * At each access of consumer 0: whenever it is about to claim consumer 1 is faster. The last time
 * that leaves a claim of which nobody knows but by the front, and consumer 2 is behind by one.
 */
static void outrun(void)
{
	__u64 hold = r.cursor[1]->hold, *proof = shmring_proof(&rx[0].c.g, 0, 2);
	__u32 id;

	if ((hold & SHMRING_HOLD_VALID) && hold != held) {
		held = hold;
		if (++races < SHMRING_CLAIM_TRIES)
			take(1);
		if (races == SHMRING_CLAIM_TRIES - 1) {
			behind = shmring_tagged_pos(r.shared->head[0].claim);
			CHECK(ring_next(&rx[1], &id, 1) >= 0);
		}
	} else if (races == SHMRING_CLAIM_TRIES && behind) {
		CHECK(shmring_swap_if(proof, *proof, behind));
		behind = 0;
	}
	left = 0;
}

/* Whoever moves a front on has left the proof of the claim before, however many were faster. */
static void proof_after_many_races(void)
{
	__u32 n, id;

	begin(SHMRING_TOPO_QUEUE, 1, 3, 0);
	for (n = 0; n < 100; n++)
		CHECK_EQ(ring_send(&tx[0], n, LEN), 0);
	take(1);
	races = 0;
	then = outrun;
	left = 0;
	ring_next(&rx[0], &id, 1);
	left = -1;
	then = NULL;
	CHECK_EQ(races, SHMRING_CLAIM_TRIES);
	CHECK_EQ(behind, 0);
	ring_end(&r, 2, SHMRING_SLOT_DEAD);
	CHECK_EQ(r.meta->orphan[2].state, SHMRING_ORPHAN_WAITING);
	ring_free(&r);
}

int main(void)
{
	START();
	RUN(count_after_two_kills_spsc);
	RUN(count_after_two_kills_mpsc);
	RUN(count_after_two_kills_queue);
	RUN(count_after_two_kills_broadcast);
	RUN(cut_off_while_claimed);
	RUN(proof_after_many_races);
	RUN(lapped_while_looked_at);
	DONE();
}
