// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * BROADCAST alone: gates, joining, and a lane whose producer waits for nobody: what was
 * lost is counted, what was torn is never delivered, and a successor goes on with both.
 */
#include "unit.h"

static void broadcast_gate(void)
{
	__u32 sent = 0, k;

	begin(SHMRING_TOPO_BROADCAST, 1, 2, 0);
	while (!ring_send(&tx[0], sent, 24))
		sent++;
	CHECK_EQ(sent, (SIZE - 8) / 32);
	for (k = 0; k < sent; k++)
		NEXT(0, k);
	ring_release(&rx[0]);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	NEXT(1, 0);
	ring_release(&rx[1]);
	CHECK_EQ(ring_send(&tx[0], sent, 24), 0);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	/* Nobody waits for the dead, or for one that is ahead of all. */
	ring_end(&r, 2, SHMRING_SLOT_DEAD);
	settle();
	CHECK_EQ(ring_send(&tx[0], sent + 1, 24), 0);
	r.cursor[1]->lane[0].pos = 1ull << 40;
	CHECK_EQ(shmring_spsc_used(0, 0, SIZE), 0);
	for (k = 0; k < 1000; k++)
		CHECK_EQ(ring_send(&tx[0], k, 24), 0);
	ring_end(&r, 1, SHMRING_SLOT_CLOSED);
	settle();
	for (k = 0; k < 1000; k++)
		CHECK_EQ(ring_send(&tx[0], k, 24), 0);
	/* One that is just joining stops all, and sees what comes from then on. */
	ring_rx_enter(&r, 1, &rx[0]);
	settle();
	for (k = 0; ring_send(&tx[0], k, 24) == 0; k++)
		CHECK(k < SIZE / 32);
	ring_join(&rx[0]);
	NOTHING(0);
	CHECK_EQ(ring_send(&tx[0], 77, 24), 0);
	NEXT(0, 77);
	ring_free(&r);
}

/* One that tells to be as far as can be from all does not hide who is slow. */
static void broadcast_gate_beside_a_lie(void)
{
	__u32 sent = 0, k;

	begin(SHMRING_TOPO_BROADCAST, 1, 3, 0);
	while (!ring_send(&tx[0], sent, 24))
		sent++;
	for (k = 0; k < sent; k++)
		NEXT(2, k);
	ring_release(&rx[2]);
	r.cursor[2]->lane[0].pos = (1ull << 63) + 8;
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	NEXT(0, 0);
	ring_release(&rx[0]);
	CHECK_EQ(ring_send(&tx[0], sent, 24), 0);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	ring_free(&r);
}

/* What is held back is not published, and not overwritten even where nobody reads. */
static void broadcast_held_back(void)
{
	__u32 n = 0, k;

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 0);
	ring_end(&r, 1, SHMRING_SLOT_CLOSED);
	settle();
	while (!ring_put(&tx[0], n, 24))
		n++;
	CHECK_EQ(n, (SIZE - 8) / 32);
	ring_rx_begin(&r, 1, &rx[0]);
	settle();
	CHECK_EQ(ring_publish(&tx[0]), 0);
	for (k = 0; k < n; k++)
		NEXT(0, k);
	NOTHING(0);
	ring_free(&r);
}

/* Delivered and lost together are all, and what is delivered is in order and whole. */
static void overwrite_counts(void)
{
	__u64 lost;
	uint64_t random = 11;
	__u32 id = 0, got, last = 0, k, n, first = 1;
	__u32 delivered = 0;

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
	for (n = 0; n < 3000; n++) {
		for (k = (__u32)test_random(&random) % 100; k; k--)
			CHECK_EQ(ring_send(&tx[0], id++,
					   4 + test_random(&random) % 500 / 4 * 4), 0);
		for (k = (__u32)test_random(&random) % 20; k; k--) {
			if (ring_next(&rx[0], &got, 1) < 0)
				continue;
			CHECK(first || got > last);
			first = 0;
			last = got;
			delivered++;
			CHECK(shmring_merge_whole(&rx[0].m));
			ring_release(&rx[0]);
			CHECK_EQ(rx[0].m.lost + delivered, got + 1);
		}
	}
	while (delivered + rx[0].m.lost < id) {
		lost = rx[0].m.lost;
		if (ring_next(&rx[0], &got, 1) >= 0)
			delivered++;
		else
			CHECK(rx[0].m.lost > lost);
		ring_release(&rx[0]);
		if (test_bad)
			break;
	}
	CHECK_EQ(got, id - 1);
	CHECK(rx[0].m.lost > 0);
	CHECK_EQ(r.cursor[1]->lost, rx[0].m.lost);
	ring_free(&r);
}

/* Overwritten between look and release: not whole, lost, and the next is further on. */
static void overwrite_torn(void)
{
	__u32 id, got, k;

	begin(SHMRING_TOPO_BROADCAST, 2, 1, 1);
	for (id = 0; id < 8; id++)
		CHECK_EQ(ring_send(&tx[id & 1], id, 24), 0);
	NEXT(0, 0);
	NEXT(0, 1);
	NEXT(0, 2);
	CHECK(shmring_merge_whole(&rx[0].m));
	for (; id < 1000; id++)
		CHECK_EQ(ring_send(&tx[1], id, 24), 0);
	CHECK(!shmring_merge_whole(&rx[0].m));
	ring_rewind(&rx[0]);
	NEXT(0, 0);
	NEXT(0, 2);
	NEXT(0, 4);
	NEXT(0, 6);
	CHECK(shmring_merge_whole(&rx[0].m));
	for (k = 7, got = 0; ring_next(&rx[0], &got, 1) >= 0; k = got)
		CHECK(got > k);
	CHECK_EQ(got, id - 1);
	CHECK(shmring_merge_whole(&rx[0].m));
	CHECK_EQ(ring_release(&rx[0]), 0);
	CHECK_EQ(rx[0].m.lost + rx[0].m.records, id);
	ring_free(&r);
}

/* Records of the largest size: there is always a mark, and the newest can be read. */
static void overwrite_largest(void)
{
	size_t len = shmring_overwrite_max(SIZE) & ~3u, small;
	uint64_t random = 5;
	__u32 id, got;

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
	for (id = 0; id < 2000; id++) {
		small = 4 + test_random(&random) % len / 4 * 4;
		CHECK_EQ(ring_send(&tx[0], id, id % 3 ? len : small), 0);
		if (id % 7)
			continue;
		got = ~0u;
		while (ring_next(&rx[0], &got, 1) >= 0 || rx[0].m.lost + rx[0].m.records <= id) {
			CHECK(shmring_merge_whole(&rx[0].m));
			ring_release(&rx[0]);
			if (test_bad)
				break;
		}
		CHECK_EQ(rx[0].m.lost + rx[0].m.records, id + 1);
	}
	ring_free(&r);
}

/* A successor counts on from what was published, told or not. */
static void overwrite_successor(void)
{
	__u32 id, got, n;
	__u64 told, records;

	for (n = 0; n < 3; n++) {
		begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
		for (id = 0; id < 300; id++)
			CHECK_EQ(ring_send(&tx[0], id, 24), 0);
		told = r.cursor[0]->pos;
		records = r.cursor[0]->records;
		CHECK_EQ(ring_send(&tx[0], id++, 24), 0);
		if (n)			/* killed after the header word, or the number */
			r.cursor[0]->pos = told;
		if (n == 1)
			r.cursor[0]->records = records;
		ring_end(&r, 0, SHMRING_SLOT_DEAD);
		CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
		for (; id < 600; id++)
			CHECK_EQ(ring_send(&tx[0], id, 24), 0);
		while (ring_next(&rx[0], &got, 1) >= 0 || rx[0].m.lost == 0)
			;
		ring_release(&rx[0]);
		CHECK_EQ(got, id - 1);
		CHECK_EQ(rx[0].m.lost + rx[0].m.records, id);
		CHECK_EQ(r.cursor[0]->records, id);
		ring_free(&r);
	}
}

/* Room that a predecessor made stays made: it may have written there already. */
static void overwrite_limit(void)
{
	__u64 limit;
	__u32 id;
	int err;

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
	for (id = 0; id < 300; id++)
		CHECK_EQ(ring_send(&tx[0], id, 24), 0);
	CHECK(ring_reserve(&tx[0], shmring_overwrite_max(SIZE), &err));
	limit = r.cursor[0]->limit;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	for (; id < 400; id++) {
		CHECK_EQ(ring_send(&tx[0], id, 8), 0);
		CHECK(r.cursor[0]->limit >= limit);
	}
	/* A forged one does not stop the successor from telling the truth. */
	r.cursor[0]->limit = 1ull << 50;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	CHECK_EQ(ring_send(&tx[0], id, 8), 0);
	CHECK(r.cursor[0]->limit < tx[0].tx.tail + SIZE);
	ring_free(&r);
}

/* A record that is longer than any can be is told of once, and others are heard. */
static void overwrite_too_long(void)
{
	__u32 id;

	begin(SHMRING_TOPO_BROADCAST, 2, 1, 1);
	CHECK_EQ(ring_send(&tx[0], 0, 24), 0);
	CHECK_EQ(ring_send(&tx[1], 1, 24), 0);
	record(0, 0)->word = SHMRING_REC_READY | (__u32)(shmring_overwrite_max(SIZE) + 4);
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EBADMSG);
	NEXT(0, 1);
	ring_release(&rx[0]);
	NOTHING(0);
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EAGAIN);
	ring_free(&r);
}

/*
 * A record that leads beyond the limit leads back to a mark, and would for ever: once for each
 * limit. That nobody moves, and that somebody does, is seen of a lane that is left out as well.
 */
static void overwrite_beyond_the_limit(void)
{
	__u32 id, n;
	long len = 0;

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
	CHECK_EQ(ring_send(&tx[0], 0, 24), 0);
	CHECK_EQ(shmring_merge_moving(&rx[0].m), 0);
	record(0, 0)->word = SHMRING_REC_READY | 1000u;
	CHECK(1008 > r.cursor[0]->limit);
	for (n = 0; n < 100 && len >= 0; n++) {
		len = ring_next(&rx[0], &id, 1);
		ring_release(&rx[0]);
	}
	CHECK_EQ(len, -EPROTO);
	CHECK(n < 10);
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EAGAIN);
	CHECK_EQ(shmring_merge_moving(&rx[0].m), 0);
	r.cursor[0]->limit += SIZE / 8;
	CHECK_EQ(shmring_merge_moving(&rx[0].m), 1);
	ring_next(&rx[0], &id, 1);
	ring_release(&rx[0]);
	CHECK_EQ(ring_next(&rx[0], &id, 1) >= 0 || !shmring_merge_moving(&rx[0].m), 1);
	ring_free(&r);

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
	CHECK_EQ(ring_send(&tx[0], 0, 24), 0);
	NEXT(0, 0);
	ring_release(&rx[0]);
	CHECK_EQ(shmring_merge_moving(&rx[0].m), 0);
	r.cursor[0]->limit = 3 * SIZE;
	CHECK_EQ(shmring_merge_moving(&rx[0].m), 1);
	ring_free(&r);
}

/* The lane's producer is replaced, and consumers have noticed. */
static void replace(__u32 consumers)
{
	__u32 k;

	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	for (k = 0; k < consumers; k++)
		shmring_merge_join(&rx[k].m);
	settle();
}

/*
 * Nonsense before the position that a producer told: it costs those who had not read that
 * far what lies between, is told once, and its successor is heard by all and held up by none.
 */
static void nonsense_of_a_predecessor(void)
{
	__u32 k, id, got;

	begin(SHMRING_TOPO_BROADCAST, 1, 2, 0);
	for (k = 0; k < 4; k++)
		CHECK_EQ(ring_send(&tx[0], k, 24), 0);
	for (k = 0; k < 4; k++)
		NEXT(1, k);
	ring_release(&rx[1]);
	record(0, 32)->word = 0x12345678;
	replace(2);
	NEXT(0, 0);
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EAGAIN);	/* while a record before is held */
	ring_release(&rx[0]);
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EBADMSG);
	for (k = 0; k < 500; k++) {
		CHECK(ring_send(&tx[0], k, 24) >= 0);
		NEXT(0, k);
		NEXT(1, k);
		ring_release(&rx[0]);
		ring_release(&rx[1]);
	}
	/* The present producer's own is another thing. */
	CHECK(ring_send(&tx[0], k, 24) >= 0);
	record(0, rx[0].m.lane[0].head)->word = 0x12345678;
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EBADMSG);
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EAGAIN);
	ring_free(&r);

	begin(SHMRING_TOPO_BROADCAST, 1, 1, 1);
	for (id = 0; id < 100; id++)
		CHECK_EQ(ring_send(&tx[0], id, 24), 0);
	NEXT(0, 0);
	ring_release(&rx[0]);
	record(0, 64)->word = 0x12345678;
	replace(1);
	NEXT(0, 1);
	ring_release(&rx[0]);
	CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
	for (k = 0; k < 10; k++)
		CHECK_EQ(ring_send(&tx[0], id++, 24), 0);
	while (ring_next(&rx[0], &got, 1) >= 0)
		ring_release(&rx[0]);
	CHECK_EQ(got, id - 1);
	CHECK(rx[0].m.lost > 0);
	CHECK_EQ(rx[0].m.lost + rx[0].m.records, id);
	ring_free(&r);
}

/* The same, left and taken over before a consumer that is counted already has begun to look. */
static void nonsense_of_a_predecessor_meanwhile(void)
{
	__u32 k, id;

	ring_make(&r, SHMRING_TOPO_BROADCAST, 1, 1, SIZE, 0);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	for (k = 0; k < 4; k++)
		CHECK_EQ(ring_send(&tx[0], k, 24), 0);
	ring_rx_enter(&r, 1, &rx[0]);
	ring_join_lanes(&rx[0]);
	record(0, tx[0].tx.tail)->word = 0x12345678;
	r.cursor[0]->pos += 512;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	ring_join_start(&rx[0]);
	settle();
	CHECK_EQ(ring_next(&rx[0], &id, 1), -EBADMSG);
	for (k = 0; k < 500 && !test_bad; k++) {
		CHECK(ring_send(&tx[0], k, 24) >= 0);
		NEXT(0, k);
		ring_release(&rx[0]);
	}
	ring_free(&r);
}

/* A consumer that lies about its position does not decide where a lane goes on. */
static void forged_position_and_a_successor(void)
{
	static const __u64 forged[] = { 1ull << 50, 1ull << 20, 3, 1ull << 62 };
	__u32 k, n, liar;

	for (n = 0; n < 8; n++) {
		begin(SHMRING_TOPO_BROADCAST, 1, 2, 0);
		liar = n & 1;
		for (k = 0; k < 3; k++)
			CHECK_EQ(ring_send(&tx[0], k, 24), 0);
		r.cursor[1 + liar]->lane[0].pos = forged[n / 2];
		replace(2);
		CHECK_EQ(tx[0].tx.tail, 96);
		CHECK_EQ(ring_send(&tx[0], 3, 24), 0);
		for (k = 0; k < 4; k++)
			NEXT(!liar, k);
		ring_free(&r);
	}
	/* One that its producer made up is not believed either, if nobody can be there. */
	begin(SHMRING_TOPO_BROADCAST, 1, 2, 0);
	CHECK_EQ(ring_send(&tx[0], 0, 24), 0);
	r.cursor[0]->pos = 1ull << 40;
	replace(2);
	CHECK_EQ(tx[0].tx.tail, 32);
	CHECK_EQ(ring_send(&tx[0], 1, 24), 0);
	NEXT(0, 0);
	NEXT(1, 0);
	NEXT(0, 1);
	NEXT(1, 1);
	ring_free(&r);
}

/* A consumer is stopped while tickets come round: after that there is order. */
static void overwrite_away(void)
{
	static const __u64 away[] = {
		0, 0x70000000, 0x80000000, 0xc0000000, 0xfff00000, 1ull << 32, 3ull << 31,
	};
	__u32 id, n, next, round;
	size_t k;

	for (k = 0; k < sizeof(away) / sizeof(*away); k++) {
		begin(SHMRING_TOPO_BROADCAST, 2, 1, 1);
		for (n = 0; n < 200; n++) {
			CHECK(ring_send(&tx[n & 1], n, 24) >= 0);
			NEXT(0, n);
			ring_release(&rx[0]);
		}
		r.shared->tickets += away[k];
		for (n = 0; n < 1000; n++) {
			CHECK(ring_send(&tx[0], 0, 24) >= 0);
			CHECK(ring_send(&tx[1], 0, 24) >= 0);
		}
		while (ring_next(&rx[0], &id, 1) >= 0)
			ring_release(&rx[0]);
		for (next = 1, round = 0; round < 1000 && !test_bad; round++) {
			/* Those of one lane, and then one of the other. */
			for (n = 0; n < 6; n++)
				CHECK(ring_send(&tx[n == 5], next + n, 24) >= 0);
			for (n = 0; n < 6; n++, next++) {
				NEXT(0, next);
				ring_release(&rx[0]);
			}
		}
		ring_free(&r);
	}
}

/* The same where a record is known of, and the counter may be asked for before any lane. */
static void overwrite_away_with_a_record(void)
{
	__u32 id, n, next, round, phase;

	for (phase = 0; phase < SHMRING_LOOKS_AGAIN && !test_bad; phase++) {
		begin(SHMRING_TOPO_BROADCAST, 3, 1, 1);
		for (n = 0; n < 200 + phase; n++) {
			CHECK(ring_send(&tx[n % 3], n, 24) >= 0);
			NEXT(0, n);
			ring_release(&rx[0]);
		}
		CHECK(ring_send(&tx[1], n, 24) >= 0);
		CHECK(ring_send(&tx[2], n + 1, 24) >= 0);
		NEXT(0, n);
		ring_release(&rx[0]);
		r.shared->tickets += 0x80000000;
		for (n = 0; n < 2000; n++)
			CHECK(ring_send(&tx[0], 0, 24) >= 0);
		while (ring_next(&rx[0], &id, 1) >= 0)
			ring_release(&rx[0]);
		for (next = 1, round = 0; round < 1000 && !test_bad; round++) {
			for (n = 0; n < 6; n++)
				CHECK(ring_send(&tx[n != 5], next + n, 24) >= 0);
			for (n = 0; n < 6; n++, next++) {
				NEXT(0, next);
				ring_release(&rx[0]);
			}
		}
		if (test_bad)
			printf("# phase %u\n", phase);
		ring_free(&r);
	}
}

/*
 * A producer and a consumer, both liars and both gone, have a successor begin far behind all
 * others: these hear it all the same.
 */
static void begun_far_behind(void)
{
	__u32 id, n, k, got[2] = { 0, 0 }, errors = 0;
	long len;

	ring_make(&r, SHMRING_TOPO_BROADCAST, 1, 3, SIZE, 0);
	r.cursor[0]->pos = 1ull << 40;
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	for (k = 0; k < 3; k++)
		ring_rx_begin(&r, 1 + k, &rx[k]);
	settle();
	for (n = 0; n < 300; n++) {
		CHECK(ring_send(&tx[0], n, 24) >= 0);
		for (k = 0; k < 3; k++) {
			NEXT(k, n);
			ring_release(&rx[k]);
		}
	}
	r.cursor[0]->pos -= 1ull << 36;
	r.cursor[3]->lane[0].pos -= 1ull << 36;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	ring_end(&r, 3, SHMRING_SLOT_DEAD);
	settle();
	for (n = 0; n < 2000; n++) {
		CHECK(ring_send(&tx[0], n, 24) >= 0);
		for (k = 0; k < 2; k++) {
			while ((len = ring_next(&rx[k], &id, 1)) != -EAGAIN) {
				errors += len < 0;
				if (len < 0)
					continue;
				got[k]++;
				ring_release(&rx[k]);
			}
			/* As before a sleep. */
			errors += shmring_merge_check(&rx[k].m) < 0;
		}
	}
	/* With one of the liar's that lies where it begins. */
	CHECK(got[0] >= 2000 && got[0] <= 2001);
	CHECK(got[1] >= 2000 && got[1] <= 2001);
	CHECK(errors <= 4);
	ring_free(&r);
}

/* What was looked at first is lost before it was taken: then what was sent next comes next. */
static void overwrite_what_was_first(void)
{
	__u32 k, id, last = 0;

	begin(SHMRING_TOPO_BROADCAST, 2, 1, 1);
	CHECK_EQ(ring_send(&tx[0], 0, 24), 0);
	CHECK_EQ(ring_send(&tx[1], 1, 24), 0);
	NEXT(0, 0);
	for (k = 2; k < 1000; k++)
		CHECK_EQ(ring_send(&tx[0], k, 24), 0);
	ring_rewind(&rx[0]);
	NEXT(0, 1);
	while (ring_next(&rx[0], &id, 1) >= 0) {
		CHECK(id > last);
		last = id;
	}
	CHECK_EQ(last, 999);
	ring_free(&r);
}

int main(void)
{
	START();
	RUN(nonsense_of_a_predecessor);
	RUN(nonsense_of_a_predecessor_meanwhile);
	RUN(forged_position_and_a_successor);
	RUN(broadcast_gate);
	RUN(broadcast_gate_beside_a_lie);
	RUN(broadcast_held_back);
	RUN(overwrite_counts);
	RUN(overwrite_torn);
	RUN(overwrite_what_was_first);
	RUN(overwrite_largest);
	RUN(overwrite_successor);
	RUN(overwrite_limit);
	RUN(overwrite_too_long);
	RUN(overwrite_beyond_the_limit);
	RUN(overwrite_away);
	RUN(overwrite_away_with_a_record);
	RUN(begun_far_behind);
	DONE();
}
