// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Claims alone: each record once, what is held stays, who had made a claim that died, and
 * what becomes of it.
 */
#include "unit.h"

static void queue_once(void)
{
	uint64_t random = 3;
	__u32 id = 0, got, k;
	unsigned char *seen = calloc(1, 30000);
	__u32 left = 0;

	begin(SHMRING_TOPO_QUEUE, 3, 3, 0);
	while (id < 20000 || left) {
		k = (__u32)test_random(&random) % 6;
		if (k < 3 && id < 20000) {
			if (!ring_send(&tx[k], id << 2 | k,
				       4 + test_random(&random) % 300 / 4 * 4)) {
				id++;
				left++;
			}
		} else if (k >= 3) {
			if (ring_next(&rx[k - 3], &got, 1 + (__u32)test_random(&random) % 3) >= 0) {
				CHECK(!seen[got >> 2]++);
				left--;
			} else if (rx[k - 3].c.ahead) {
				CHECK_EQ(ring_release(&rx[k - 3]), 0);
			}
		}
	}
	for (k = 0; k < 3; k++)
		ring_release(&rx[k]);
	CHECK_EQ(r.cursor[3]->records + r.cursor[4]->records + r.cursor[5]->records, 20000);
	free(seen);
	ring_free(&r);
}

/* What is held is not overwritten, whoever went past it. */
static void queue_hold(void)
{
	__u32 sent = 0;

	begin(SHMRING_TOPO_QUEUE, 1, 2, 0);
	while (!ring_send(&tx[0], sent, 24))
		sent++;
	NEXT(0, 0);
	while (ring_next(&rx[1], &sent, 1) >= 0)
		ring_release(&rx[1]);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	ring_rewind(&rx[0]);
	NEXT(0, 0);
	NOTHING(0);		/* release first */
	CHECK_EQ(ring_release(&rx[0]), 0);
	CHECK_EQ(ring_send(&tx[0], 9, 24), 0);
	CHECK_EQ(ring_send(&tx[0], 9, 24), 0);
	ring_free(&r);
}

/* Claimed; claimed and others went on; only said so; released; nonsense. */
static void queue_claim_made(void)
{
	struct shmring_orphan o = { 0 };
	struct shmring_group g;
	struct shmring_cursor *dead;
	__u32 id, n;

	for (n = 0; n < 2; n++) {
		begin(SHMRING_TOPO_QUEUE, 1, 3, 0);
		g = ring_group(&r, 0);
		dead = r.cursor[1];
		for (id = 0; id < 9; id++)
			CHECK_EQ(ring_send(&tx[0], id, 8), 0);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		CHECK_EQ(shmring_claim(&rx[0].c, 2), 0);
		if (n) {	/* twice: proof is of the first who goes past */
			CHECK_EQ(shmring_claim(&rx[1].c, 1), 0);
			CHECK_EQ(shmring_claim(&rx[2].c, 1), 0);
		}
		CHECK(shmring_claim_made(&g, 1, &o, SIZE - 1));
		CHECK_EQ(o.lane, 0);
		CHECK_EQ(o.pos, 0);
		CHECK_EQ(o.end, 32);
		rx[0].c.head = rx[0].c.end;
		ring_release(&rx[0]);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		/* Said, not made: the front is before its end, or somebody else's. */
		dead->hold_end = n ? 80 : 48;
		dead->hold = shmring_tagged(32, SHMRING_HOLD_VALID);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		CHECK_EQ(shmring_claim(&rx[1].c, 1), 0);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		/* Nonsense */
		dead->hold_end = 8;
		dead->hold = shmring_tagged(0, SHMRING_HOLD_VALID | 3);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		dead->hold = shmring_tagged(8, SHMRING_HOLD_VALID);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		dead->hold_end = 8 + SIZE + 8;
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		/* As long as the lane: a record in it could be longer than any. */
		dead->hold = shmring_tagged(0, SHMRING_HOLD_VALID);
		dead->hold_end = SIZE;
		r.shared->head[0].claim = shmring_tagged(SIZE, 1 + 1);
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		dead->hold_end = SIZE - 8;
		r.shared->head[0].claim = shmring_tagged(SIZE - 8, 1 + 1);
		CHECK(shmring_claim_made(&g, 1, &o, SIZE - 1));
		dead->hold_end = 12;
		CHECK(!shmring_claim_made(&g, 1, &o, SIZE - 1));
		ring_free(&r);
	}
}

/* A dead consumer's records gate the producer until somebody else has read them. */
static void queue_orphan(void)
{
	__u32 id, sent = 0;

	begin(SHMRING_TOPO_QUEUE, 1, 2, 0);
	while (!ring_send(&tx[0], sent, 24))
		sent++;
	CHECK_EQ(shmring_claim(&rx[0].c, 2), 0);
	NEXT(1, 2);
	ring_release(&rx[1]);
	ring_end(&r, 1, SHMRING_SLOT_DEAD);
	settle();
	CHECK_EQ(r.meta->orphan[1].state, SHMRING_ORPHAN_WAITING);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	CHECK(ring_adopt(&rx[1]));
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	NEXT(1, 0);
	NEXT(1, 1);
	NOTHING(1);
	CHECK_EQ(ring_release(&rx[1]), 0);
	settle();
	for (id = 0; id < 3; id++)
		CHECK_EQ(ring_send(&tx[0], sent + id, 24), 0);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	ring_free(&r);
}

/* Where there is plenty a claim has more, but twice as much stays for everybody else. */
static void queue_plenty(void)
{
	__u32 id, n;

	begin(SHMRING_TOPO_QUEUE, 1, 2, 0);
	rx[0].c.most = 4;
	rx[1].c.most = 4;
	for (id = 0; id < 24; id++)
		CHECK_EQ(ring_send(&tx[0], id, 8), 0);
	CHECK_EQ(shmring_claim(&rx[0].c, 1), 0);	/* of 24, a quarter is 6 */
	CHECK_EQ(rx[0].c.claimed, 4);
	CHECK_EQ(shmring_claim(&rx[1].c, 1), 0);
	CHECK_EQ(rx[1].c.pos, 4 * 16);
	CHECK_EQ(rx[1].c.claimed, 4);
	rx[0].c.most = 1;
	for (id = 0; id < 4; id++)
		NEXT(0, id);
	NOTHING(0);
	ring_release(&rx[0]);
	NEXT(0, 8);
	CHECK_EQ(rx[0].c.claimed, 1);
	ring_release(&rx[0]);
	/* One is asked for, and what is plenty shrinks. */
	rx[0].c.most = 16;
	for (id = 9; id < 24; id += n) {
		CHECK_EQ(shmring_claim(&rx[0].c, 1), 0);
		n = rx[0].c.claimed;
		CHECK(n == 1 || 4 * n < 24 - id + 4);
		rx[0].c.head = rx[0].c.end;
		rx[0].c.ahead = n;
		ring_release(&rx[0]);
	}
	CHECK_EQ(n, 1);
	/* A producer that tells nonsense decides no more than that. */
	r.cursor[0]->pos = 1ull << 40;
	CHECK_EQ(ring_send(&tx[0], 24, 8), 0);
	r.cursor[0]->pos = 1ull << 40;
	NEXT(0, 24);
	NOTHING(0);
	ring_free(&r);
}

/* A front that cannot be is an error for the producer, and no record for consumers. */
static void queue_forged_front(void)
{
	begin(SHMRING_TOPO_QUEUE, 1, 1, 0);
	while (!ring_send(&tx[0], 1, 24))
		;
	r.shared->head[0].claim = shmring_tagged(SIZE + 64, 2);
	CHECK_EQ(ring_send(&tx[0], 1, 24), -EPROTO);
	r.shared->head[0].claim = shmring_tagged(1ull << 60, 63);
	CHECK_EQ(ring_send(&tx[0], 1, 24), -EPROTO);
	ring_free(&r);
}

/*
 * Nonsense at a front is told once, and the lane left out until there is something else, or the
 * front has moved; others are served all the while.
 */
static void queue_broken(void)
{
	__u32 k, got, told = 0;
	long len;

	begin(SHMRING_TOPO_QUEUE, 2, 1, 0);
	for (k = 0; k < 300; k++) {
		record(0, 0)->word = 1 + k;
		CHECK_EQ(ring_send(&tx[1], k, 8), 0);
		len = ring_next(&rx[0], &got, 1);
		if (len == -EBADMSG) {
			told++;
			len = ring_next(&rx[0], &got, 1);
		}
		CHECK_EQ(len, 8);
		CHECK_EQ(got, k);
		ring_release(&rx[0]);
	}
	CHECK_EQ(told, 1);
	record(0, 0)->word = 0;
	CHECK_EQ(ring_send(&tx[0], 1000, 8), 0);
	NEXT(0, 1000);
	ring_release(&rx[0]);
	record(0, 16)->word = 1;
	CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
	NOTHING(0);
	record(0, 32)->word = SHMRING_REC_READY | 8;
	r.shared->head[0].claim = shmring_tagged(32, 0);
	CHECK_EQ(ring_next(&rx[0], &got, 1), 8);
	ring_release(&rx[0]);
	/* One producer after the other with nonsense: both are told of, each once. */
	record(0, 48)->word = 1;
	CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
	NOTHING(0);
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	NOTHING(0);
	record(0, 48)->word = 2;
	CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
	NOTHING(0);
	ring_free(&r);
}

/* 300 records came and went, and then headers lead round the lane in a circle. */
static void circle(void)
{
	__u64 pos;
	__u32 n;

	begin(SHMRING_TOPO_QUEUE, 1, 2, 0);
	for (n = 0; n < 300; n++) {
		CHECK_EQ(ring_send(&tx[0], n, 24), 0);
		NEXT(0, n);
		ring_release(&rx[0]);
	}
	for (pos = 0; pos < SIZE; pos += 32)
		record(0, pos)->word = SHMRING_REC_READY | 24;
}

static long drain(unsigned int most, unsigned int claim)
{
	unsigned int n;
	__u32 id;
	long len = 0;

	for (n = 0; n < most && len >= 0; n++) {
		len = ring_next(&rx[0], &id, claim);
		if (len >= 0)
			ring_release(&rx[0]);
	}
	return len;
}

/* What is remembered as nonsense is the word at the front, not one that was looked at as well. */
static void queue_word_of_nonsense(void)
{
	__u64 front;

	circle();
	front = tx[0].tx.tail;
	for (; front < tx[0].tx.tail + SIZE; front += 32) {
		record(0, front)->word = SHMRING_REC_READY | 24;
		record(0, front + 32)->word = 0;
		if (drain(1, 8) == -EPROTO)
			break;
	}
	CHECK_EQ(rx[0].c.broken, 1);
	shmring_claim_mend(&rx[0].c);
	CHECK_EQ(rx[0].c.broken, 1);
	NOTHING(0);
	ring_free(&r);
}

/* A consumer sets the front back and is gone, as the producer is: nothing of that is endless. */
static void queue_front_set_back(void)
{
	__u64 back;

	for (back = 1ull << 20; back <= 1ull << 40; back <<= 20) {
		circle();
		r.cursor[0]->pos += 1ull << 44;
		r.shared->head[0].claim += shmring_tagged(1ull << 44, 0);
		CHECK_EQ(drain(10 * SIZE, 1), -EPROTO);
		ring_end(&r, 0, SHMRING_SLOT_DEAD);
		r.shared->head[0].claim -= shmring_tagged(back, 0);
		ring_end(&r, 2, SHMRING_SLOT_DEAD);
		CHECK(drain(10 * SIZE, 1) < 0);
		ring_free(&r);
	}
}

/* Where tagged positions wrap and others do not no producer begins. */
static void queue_front_at_the_end(void)
{
	begin(SHMRING_TOPO_QUEUE, 1, 2, 0);
	r.shared->head[0].claim = shmring_tagged((1ull << 61) - 2 * SIZE, 3);
	ring_end(&r, 2, SHMRING_SLOT_DEAD);
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK_EQ(ring_tx_begin(&r, 0, &tx[0]), -EPROTO);
	ring_free(&r);
}

/*
 * One that lost a race for a record of long ago says to hold it, and is stopped before it takes
 * that back. Who has to ask anew, for somebody came, has the room that was free before.
 */
static void queue_hold_of_long_ago(void)
{
	__u32 n, id;

	begin(SHMRING_TOPO_QUEUE, 1, 3, 0);
	for (n = 0; !ring_send(&tx[0], n, 24); n++)
		;
	while (ring_next(&rx[1], &id, 1) >= 0)
		ring_release(&rx[1]);
	CHECK_EQ(ring_send(&tx[0], n, 24), 0);
	r.cursor[1]->hold_end = 32;
	r.cursor[1]->hold = shmring_tagged(0, SHMRING_HOLD_VALID);
	tx[0].tx.limit = tx[0].tx.tail;
	for (id = 1; id < n; id++)
		CHECK_EQ(ring_send(&tx[0], n + id, 24), 0);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	CHECK_EQ(tx[0].tx.tail - tx[0].tx.seen, n * 32ull);
	ring_free(&r);
}

int main(void)
{
	START();
	RUN(queue_once);
	RUN(queue_hold);
	RUN(queue_claim_made);
	RUN(queue_orphan);
	RUN(queue_plenty);
	RUN(queue_forged_front);
	RUN(queue_broken);
	RUN(queue_word_of_nonsense);
	RUN(queue_front_set_back);
	RUN(queue_front_at_the_end);
	RUN(queue_hold_of_long_ago);
	DONE();
}
