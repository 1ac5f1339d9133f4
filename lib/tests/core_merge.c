// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The merge of lanes alone: the order that tickets make, over the end of their numbers and
 * with forged ones; batches, going back, nonsense, and how far a producer may go.
 */
#include "unit.h"

/* Sent alternately, in a pattern; received in the order of sending. */
static void order(__u32 topology)
{
	uint64_t random = 7;
	__u32 id = 0, seen = 0, k;

	begin(topology, 3, 1, 0);
	while (seen < 20000) {
		k = (__u32)test_random(&random) % 4;
		if (k < 3) {
			if (!ring_send(&tx[k], id, 4 + test_random(&random) % 40 / 4 * 4))
				id++;
			continue;
		}
		for (k = (__u32)test_random(&random) % 8; k && seen < id; k--)
			NEXT(0, seen++);
		ring_release(&rx[0]);
	}
	while (seen < id)
		NEXT(0, seen++);
	NOTHING(0);
	ring_free(&r);
}

static void mpsc_order(void)
{
	order(SHMRING_TOPO_MPSC);
}

static void broadcast_order(void)
{
	order(SHMRING_TOPO_BROADCAST);
}

/* The counter passes 2^31 and 2^32 while nobody looks, or between two looks. */
static void ticket_wrap(void)
{
	static const __u64 at[] = { 0x7ffffffcu, 0x80000010u, 0xfffffffcu, 0x1fffffffcull };
	__u32 id, k, n;

	for (n = 0; n < 4; n++) {
		ring_make(&r, SHMRING_TOPO_MPSC, 2, 1, SIZE, 0);
		r.shared->tickets = at[n];
		CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
		CHECK(ring_tx_begin(&r, 1, &tx[1]) >= 0);
		for (id = 0; id < 4; id++)	/* lane 1, 1, 0, 0: not the order of lanes */
			CHECK_EQ(ring_send(&tx[!(id / 2)], id, 8), 0);
		ring_rx_begin(&r, 2, &rx[0]);
		settle();
		for (k = 0; k < 2; k++)
			NEXT(0, k);
		for (; id < 12; id++)
			CHECK_EQ(ring_send(&tx[id & 1], id, 8), 0);
		for (; k < 12; k++)
			NEXT(0, k);
		NOTHING(0);
		ring_free(&r);
	}
}

/* Going back gives the same records in the same order, whatever was known of lanes. */
static void merge_rewind(void)
{
	__u32 id, until, k;

	for (until = 1; until <= 9; until++) {
		begin(SHMRING_TOPO_MPSC, 3, 1, 0);
		for (id = 0; id < 12; id++)
			CHECK_EQ(ring_send(&tx[id % 3], id, 8), 0);
		NEXT(0, 0);
		CHECK_EQ(ring_release(&rx[0]), 0);
		for (k = 1; k <= until; k++)
			NEXT(0, k);
		ring_rewind(&rx[0]);
		for (k = 1; k < 12; k++)
			NEXT(0, k);
		NOTHING(0);
		ring_rewind(&rx[0]);
		for (k = 1; k < 12; k++)
			NEXT(0, k);
		CHECK_EQ(ring_release(&rx[0]), 0);
		CHECK_EQ(rx[0].m.records, 12);
		CHECK_EQ(r.cursor[3]->records, 12);
		ring_free(&r);
	}
}

/* Looking twice is the same as looking once, also where tickets are equal. */
static void merge_peek_twice(void)
{
	const void *once = NULL, *twice = NULL;
	__u32 k, n;
	long len;

	begin(SHMRING_TOPO_MPSC, 3, 1, 0);
	for (k = 0; k < 12; k++)
		CHECK_EQ(ring_send(&tx[k % 3], k, 8), 0);
	for (k = 0; k < 3; k++)
		for (n = 0; n < 4; n++)
			record(k, n * 16)->aux = 0;
	for (k = 0; k < 12; k++) {
		len = shmring_merge_peek(&rx[0].m, &once);
		CHECK_EQ(len, 8);
		CHECK_EQ(shmring_merge_peek(&rx[0].m, &twice), 8);
		CHECK(once == twice);
		CHECK_EQ(ring_id(once, 8), k);	/* equal tickets: in turn */
		shmring_merge_next(&rx[0].m, len);
	}
	NOTHING(0);
	ring_free(&r);
}

/* A batch takes one number, however many records it has: what follows it keeps its turn. */
static void merge_batches_in_turn(void)
{
	__u32 id = 0, seen = 0, round, k;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
	for (round = 0; round < 20; round++) {
		for (k = 0; k < 6; k++)
			CHECK_EQ(ring_put(&tx[0], id++, 8), 0);
		CHECK_EQ(ring_publish(&tx[0]), 0);
		CHECK_EQ(ring_send(&tx[0], id++, 8), 0);
		CHECK_EQ(ring_send(&tx[1], id++, 8), 0);
		CHECK_EQ(ring_put(&tx[0], id++, 8), 0);
		CHECK_EQ(ring_put(&tx[0], id++, 8), 0);
		CHECK_EQ(ring_publish(&tx[0]), 0);
		CHECK_EQ(ring_send(&tx[1], id++, 8), 0);
		while (round % 3 && seen < id)	/* a consumer that is behind, and one that is not */
			NEXT(0, seen++);
		CHECK_EQ(ring_release(&rx[0]), 0);
	}
	ring_free(&r);
}

/* Going back into the middle of a batch, past others, does not cost it its turn. */
static void merge_back_into_batch(void)
{
	__u32 k;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
	for (k = 0; k < 5; k++)
		CHECK_EQ(ring_put(&tx[1], k, 8), 0);
	CHECK_EQ(ring_publish(&tx[1]), 0);
	CHECK_EQ(ring_send(&tx[1], 5, 8), 0);
	CHECK_EQ(ring_send(&tx[0], 6, 8), 0);
	CHECK_EQ(ring_send(&tx[0], 7, 8), 0);
	NEXT(0, 0);
	CHECK_EQ(ring_release(&rx[0]), 0);
	for (k = 1; k < 8; k++)
		NEXT(0, k);
	ring_rewind(&rx[0]);
	for (k = 1; k < 8; k++)
		NEXT(0, k);
	NOTHING(0);
	ring_free(&r);
}

/* A batch is one publication: in a row, and hidden until its end. */
static void merge_chain(void)
{
	__u32 k;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
	for (k = 0; k < 4; k++)
		CHECK_EQ(ring_put(&tx[0], k, 8 + 4 * k), 0);
	NOTHING(0);
	CHECK_EQ(ring_send(&tx[1], 100, 8), 0);
	CHECK_EQ(ring_publish(&tx[0]), 0);
	CHECK_EQ(ring_send(&tx[1], 101, 8), 0);
	NEXT(0, 100);
	NEXT(0, 0);
	NEXT(0, 1);
	CHECK_EQ(ring_release(&rx[0]), 0);	/* in the middle of it */
	NEXT(0, 2);
	ring_rewind(&rx[0]);
	NEXT(0, 2);
	NEXT(0, 3);
	NEXT(0, 101);
	NOTHING(0);
	ring_free(&r);
}

/*
 * Tickets, the counter and the position forged: the others are served within a bound, nothing
 * is lost.
 */
static void forged_tickets(void)
{
	static const __u32 forged[] = { 0, 1, 0x7fffffff, 0x80000000u, 0xffffffffu };
	__u32 n, k, id, got, seen, mine;

	for (n = 0; n < 10; n++) {
		begin(SHMRING_TOPO_MPSC, 2, 1, 0);
		mine = 0;
		seen = 0;
		for (id = 0; id < 3000; id++) {
			/* Lane 1 is never empty and says whatever ticket it likes. */
			while (!ring_put(&tx[1], 1u << 20, 8)) {
				__u64 pos = tx[1].tx.hold_pos;

				if (n < 5)
					r.shared->tickets += 1;
				else
					r.shared->tickets = forged[n - 5];
				record(1, pos)->aux = forged[n % 5];
				__atomic_store_n(&record(1, pos)->word, tx[1].tx.hold_word,
						 __ATOMIC_RELEASE);
				tx[1].tx.hold_word = 0;
			}
			r.cursor[1]->pos = n & 1 ? tx[1].tx.tail + SIZE / 2 : id;
			if (mine == seen && !ring_send(&tx[0], mine, 8))
				mine++;
			for (k = 0; k < 4; k++) {
				if (ring_next(&rx[0], &got, 1) < 0)
					break;
				if (got < 1u << 20)
					CHECK_EQ(got, seen++);
			}
			ring_release(&rx[0]);
		}
		/* With the counter going on, as many come first as fit into the lane. */
		if (n < 2)
			CHECK(seen > 40);
		CHECK(mine - seen <= 1);
		/* And where the forger has nothing, there is nothing to wait for. */
		while (ring_next(&rx[0], &got, 1) >= 0)
			if (got < 1u << 20)
				CHECK_EQ(got, seen++);
		CHECK_EQ(seen, mine);
		ring_free(&r);
	}
}

/* Nonsense is told once, the lane left out until somebody comes or goes, others go on. */
static void merge_broken(void)
{
	static const __u32 words[] = { 1, 0x40000010u, SHMRING_REC_READY | SIZE, 0xffffffffu };
	__u32 n, k, got;

	for (n = 0; n < 4; n++) {
		begin(SHMRING_TOPO_MPSC, 2, 1, 0);
		CHECK_EQ(ring_send(&tx[1], 7, 8), 0);
		record(0, 0)->word = words[n];
		CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
		NEXT(0, 7);
		NOTHING(0);
		for (k = 0; k < 300; k++) {
			ring_release(&rx[0]);
			CHECK_EQ(ring_send(&tx[1], k, 8), 0);
			NEXT(0, k);
		}
		/* A successor finds the lane as it is to be. */
		ring_end(&r, 0, SHMRING_SLOT_DEAD);
		CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
		CHECK_EQ(ring_send(&tx[0], 1000, 8), 0);
		shmring_merge_join(&rx[0].m);
		NEXT(0, 1000);
		NOTHING(0);
		ring_free(&r);
	}
}

/*
 * Another word is looked at, without a sign in META, but not told of again: one that changes
 * all the time does not keep others from being heard.
 */
static void merge_broken_again(void)
{
	__u32 k, got, told = 0;
	long len;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
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
	/* Further on it is another piece of nonsense; going back does not hide what was there. */
	CHECK_EQ(ring_send(&tx[0], 1001, 8), 0);
	NEXT(0, 1001);
	record(0, 32)->word = 1;
	CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
	NOTHING(0);
	ring_rewind(&rx[0]);
	NEXT(0, 1000);
	NEXT(0, 1001);
	NOTHING(0);
	ring_free(&r);
}

/* A consumer that comes late finds lanes full of records without payload, and their order. */
static void merge_begins_with_empty_records(void)
{
	__u32 got, n;

	ring_make(&r, SHMRING_TOPO_MPSC, 2, 1, SIZE, 0);
	for (n = 0; n < 2; n++)
		CHECK(ring_tx_begin(&r, n, &tx[n]) >= 0);
	for (n = 0; n < 500; n++)
		CHECK_EQ(ring_send(&tx[0], 0, 0), 0);
	CHECK_EQ(ring_send(&tx[1], 1000, 8), 0);
	for (n = 0; n < 500; n++)
		CHECK_EQ(ring_send(&tx[1], 0, 0), 0);
	ring_rx_begin(&r, 2, &rx[0]);
	for (n = 0; n < 1001; n++)
		CHECK_EQ(ring_next(&rx[0], &got, 1), n == 500 ? 8 : 0);
	NOTHING(0);
	ring_free(&r);
}

/* A lane is idle while tickets come round. What is peeked at then has its place a second time. */
static void merge_rewind_after_long(void)
{
	__u32 id, k, n;

	for (k = 1; k < 8 && !test_bad; k++) {
		begin(SHMRING_TOPO_MPSC, 2, 1, 0);
		for (id = 0; id < 200 * k; id++) {
			if (!(id % 200))
				r.shared->tickets += 1u << 29;
			CHECK_EQ(ring_send(&tx[0], id, 8), 0);
			NEXT(0, id);
			ring_release(&rx[0]);
		}
		CHECK_EQ(ring_send(&tx[1], id, 8), 0);
		NEXT(0, id);
		ring_rewind(&rx[0]);
		NEXT(0, id++);
		ring_release(&rx[0]);
		for (; id < 5000 && !test_bad; id += 3) {
			for (n = 0; n < 3; n++)
				CHECK_EQ(ring_send(&tx[n == 0], id + n, 8), 0);
			for (n = 0; n < 3; n++) {
				NEXT(0, id + n);
				ring_release(&rx[0]);
			}
		}
		if (test_bad)
			printf("# after %u times 2^29\n", k);
		ring_free(&r);
	}
}

/* A lane is left out while tickets come round. Its next producer has its place among the others. */
static void merge_broken_for_long(void)
{
	__u32 got, id, k, n;

	for (k = 1; k < 8 && !test_bad; k++) {
		begin(SHMRING_TOPO_MPSC, 2, 1, 0);
		record(1, 0)->word = 1;
		CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
		for (id = 0; id < 200 * k; id++) {
			if (!(id % 200))
				r.shared->tickets += 1u << 29;
			CHECK_EQ(ring_send(&tx[0], id, 8), 0);
			NEXT(0, id);
			ring_release(&rx[0]);
		}
		ring_end(&r, 1, SHMRING_SLOT_DEAD);
		CHECK(ring_tx_begin(&r, 1, &tx[1]) >= 0);
		settle();
		for (; id < 5000 && !test_bad; id += 3) {
			for (n = 0; n < 3; n++)
				CHECK_EQ(ring_send(&tx[n == 0], id + n, 8), 0);
			for (n = 0; n < 3; n++) {
				NEXT(0, id + n);
				ring_release(&rx[0]);
			}
		}
		if (test_bad)
			printf("# after %u times 2^29\n", k);
		ring_free(&r);
	}
}

/* A producer forges its last ticket, and is gone: its successor has its place among the others. */
static void forged_ticket_is_not_inherited(void)
{
	__u32 id;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
	CHECK_EQ(ring_send(&tx[1], 0, 8), 0);
	record(1, 0)->aux += 1u << 30;
	NEXT(0, 0);
	ring_release(&rx[0]);
	ring_end(&r, 1, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 1, &tx[1]) >= 0);
	settle();
	for (id = 1; id < 201; id++)
		CHECK_EQ(ring_send(&tx[id % 2], id, 8), 0);
	for (id = 1; id < 201 && !test_bad; id++)
		NEXT(0, id);
	ring_free(&r);
}

/*
 * A producer tells of more than it has, and is gone. What its successor sends is not delivered in
 * a row up to there: once that one is noticed, what others had committed before comes first.
 */
static void forged_position_is_not_inherited(void)
{
	__u32 way, id;

	for (way = 0; way < 2 && !test_bad; way++) {
		begin(SHMRING_TOPO_MPSC, 2, 1, 0);
		for (id = 0; id < 4; id++)
			CHECK_EQ(ring_send(&tx[id != 1], id, 8), 0);
		r.cursor[1]->pos = tx[1].tx.tail + SIZE / 2;
		NEXT(0, 0);
		NEXT(0, 1);
		if (way)
			NEXT(0, 2);
		ring_release(&rx[0]);
		ring_end(&r, 1, SHMRING_SLOT_DEAD);
		CHECK(ring_tx_begin(&r, 1, &tx[1]) >= 0);
		settle();
		if (way)	/* by a release, amid a row of that lane; else by the next search */
			shmring_merge_join(&rx[0].m);
		else
			NEXT(0, 2);
		for (; id < 200; id++)
			CHECK_EQ(ring_send(&tx[id % 2], id, 8), 0);
		for (id = 3; id < 200 && !test_bad; id++)
			NEXT(0, id);
		if (test_bad)
			printf("# way %u\n", way);
		ring_free(&r);
	}
}

/* What a consumer takes for nonsense its successor's producer takes for the end. */
static void recover_flags(void)
{
	__u32 got;

	begin(SHMRING_TOPO_SPSC, 1, 1, 0);
	record(0, 0)->word = SHMRING_REC_READY | SHMRING_REC_CHAIN | 8;
	CHECK_EQ(ring_next(&rx[0], &got, 1), -EBADMSG);
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
	CHECK(ring_tx_begin(&r, 0, &tx[0]) >= 0);
	CHECK_EQ(ring_send(&tx[0], 5, 8), 0);
	NEXT(0, 5);
	ring_free(&r);
}

/* A lane is full at its size; released space is found again, forged positions are not. */
static void mpsc_full(void)
{
	__u32 sent = 0, k;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
	while (!ring_send(&tx[0], sent, 24))
		sent++;
	CHECK_EQ(sent, (SIZE - 8) / 32);
	CHECK_EQ(ring_send(&tx[1], 1, 24), 0);
	for (k = 0; k <= sent; k++)
		NEXT(0, k < sent ? k : 1);
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EAGAIN);
	CHECK_EQ(ring_release(&rx[0]), 0);
	CHECK_EQ(ring_send(&tx[0], 0, 24), 0);
	while (!ring_send(&tx[0], 0, 24))
		;
	r.cursor[2]->lane[0].pos = tx[0].tx.tail + 8;
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EPROTO);
	r.cursor[2]->lane[0].pos = 0;
	CHECK_EQ(ring_send(&tx[0], 0, 24), -EPROTO);
	ring_free(&r);
}

/* A batch has one ticket: what the same producer commits next is before what others then do. */
static void a_batch_lifts_nothing(void)
{
	__u32 id;

	begin(SHMRING_TOPO_MPSC, 2, 1, 0);
	for (id = 0; id < 3; id++)
		CHECK_EQ(ring_put(&tx[0], id, 8), 0);
	CHECK_EQ(ring_publish(&tx[0]), 0);
	CHECK_EQ(ring_send(&tx[0], 3, 8), 0);
	CHECK_EQ(ring_send(&tx[1], 4, 8), 0);
	CHECK_EQ(ring_send(&tx[0], 5, 8), 0);
	for (id = 0; id < 6; id++)
		NEXT(0, id);
	NOTHING(0);
	ring_free(&r);
}

int main(void)
{
	START();
	RUN(a_batch_lifts_nothing);
	RUN(mpsc_order);
	RUN(broadcast_order);
	RUN(ticket_wrap);
	RUN(merge_rewind);
	RUN(merge_peek_twice);
	RUN(merge_batches_in_turn);
	RUN(merge_back_into_batch);
	RUN(merge_chain);
	RUN(forged_tickets);
	RUN(forged_ticket_is_not_inherited);
	RUN(forged_position_is_not_inherited);
	RUN(merge_broken);
	RUN(merge_broken_again);
	RUN(merge_broken_for_long);
	RUN(merge_rewind_after_long);
	RUN(merge_begins_with_empty_records);
	RUN(recover_flags);
	RUN(mpsc_full);
	DONE();
}
