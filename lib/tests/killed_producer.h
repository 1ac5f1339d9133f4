/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * A producer's calls, any of which it may be killed in, and what the model says to them.
 */
#ifndef SHMRING_TEST_KILLED_PRODUCER_H
#define SHMRING_TEST_KILLED_PRODUCER_H

#include "killed.h"

static void call_send(void)
{
	call.ret = shmring_send(call.r, buf[0], call.len, SHMRING_NOWAIT);
}

static void call_send_batch(void)
{
	call.ret = shmring_send_batch(call.r, call.msgs, call.n, SHMRING_NOWAIT);
}

static void call_reserve(void)
{
	call.ret = shmring_reserve(call.r, call.len, &call.payload, SHMRING_NOWAIT);
}

static void call_put(void)
{
	call.ret = shmring_put(call.r, call.len);
}

static void call_commit(void)
{
	call.ret = shmring_commit(call.r, call.len);
}

static void call_flush(void)
{
	call.ret = shmring_flush(call.r);
}

/* The record after so many others that a call is to publish. */
static void make(struct lane *l, void *to, unsigned int after, size_t len)
{
	struct head head = { lane_nr(l), (uint32_t)len, l->made + after };
	struct record *rec = &l->rec[head.nth];

	memset(rec, 0, sizeof(*rec));
	rec->id = ++m.ids;
	rec->len = head.len;
	memcpy(to, &head, sizeof(head));
	test_fill((char *)to + sizeof(head), len - sizeof(head), rec->id);
}

static size_t any_len(void)
{
	size_t len = one_in(8) ? any(m.max + 1) : one_in(4) ? any(600) : any(80);

	return len < sizeof(struct head) ? sizeof(struct head) : len;
}

static void producer_dies(struct lane *l)
{
	TELL("producer %u dies; of %llu records %llu are certain", lane_nr(l),
	     (unsigned long long)l->made, (unsigned long long)l->certain);
	l->r = NULL;
	l->lost_before += l->lost;
	l->lost = 0;
	l->reserved = 0;
	bury(&l->owned);
}

/* It was killed in a call that may lose a record. */
static void producer_dies_losing(struct lane *l)
{
	l->lost_perhaps++;
	producer_dies(l);
}

/* The first slot that is free is taken; asking for it takes longer than all the rest. */
static void open_producer(void)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct lane *l = m.lane;

	call.role = PROD;
	if (is_killed(&m.next, call_attach)) {
		TELL("a producer dies attaching");
		bury(&m.next);
		return;
	}
	NEED(!call.ret);
	while (l->r)
		l++;
	NEED(lane_nr(l) < m.producers);
	l->r = call.r;
	l->owned = m.next;
	disown(&m.next);
	own_fds(&l->owned);
	NEED(!shmring_get_stats(m.watch, lane_nr(l), &stats));
	TELL("producer %u attaches; of %llu records, %llu certain, there are %llu", lane_nr(l),
	     (unsigned long long)l->made, (unsigned long long)l->certain,
	     (unsigned long long)stats.records);
	CHECK(stats.records >= l->certain && stats.records <= l->made);
	l->made = stats.records;
	are_told(l);
	CHECK_EQ(shmring_lost(l->r), 0);
}

/* There was no room. */
static void no_room(struct lane *l, long ret)
{
	l->lost += ret == -ENOBUFS;
	if (ret == -EPIPE || ret == -EOWNERDEAD)
		CHECK(m.topology != BCAST && !live_consumers());
	else
		CHECK_EQ(ret, m.policy == SHMRING_FULL_DROP_NEWEST ? -ENOBUFS : -EAGAIN);
	CHECK(!is_overwrite());
}

/* Of @n that were to be published, the first @ret are. */
static void published(struct lane *l, unsigned int n, long ret, int killed)
{
	TELL("producer %u: send of %u, %ld", lane_nr(l), n, killed ? 0 : ret);
	l->reserved = 0;
	if (killed) {
		l->made += n;
		producer_dies_losing(l);
		return;
	}
	if (ret < 0) {
		no_room(l, ret);
		return;
	}
	NEED(ret <= (long)n);
	l->made += (uint64_t)ret;
	are_told(l);
}

static void send_one(struct lane *l, size_t len)
{
	int killed;

	call.r = l->r;
	call.len = len;
	make(l, buf[0], 0, len);
	killed = is_killed(&l->owned, call_send);
	published(l, 1, call.ret ? call.ret : 1, killed);
}

/* @len: of each; 0: any. */
static void send_many(struct lane *l, unsigned int n, size_t len)
{
	unsigned int k;
	int killed;

	call.r = l->r;
	call.n = n;
	for (k = 0; k < n; k++) {
		call.msgs[k].iov_base = buf[k];
		call.msgs[k].iov_len = len ? len : any_len();
		make(l, buf[k], k, call.msgs[k].iov_len);
	}
	killed = is_killed(&l->owned, call_send_batch);
	published(l, n, call.ret, killed);
}

static void do_reserve(struct lane *l)
{
	int killed;

	call.r = l->r;
	call.len = any_len();
	l->reserved = 0;
	killed = is_killed(&l->owned, call_reserve);
	TELL("producer %u: reserve %zu, %ld", lane_nr(l), call.len, call.ret);
	if (killed) {
		producer_dies_losing(l);
	} else if (call.ret) {
		no_room(l, call.ret);
	} else {
		l->payload = call.payload;
		l->reserved = call.len;
	}
}

static void do_finish(struct lane *l)
{
	int put = one_in(2), killed;

	call.r = l->r;
	call.len = l->reserved;
	make(l, l->payload, 0, call.len);
	l->reserved = 0;
	l->made++;
	killed = is_killed(&l->owned, put ? call_put : call_commit);
	TELL("producer %u: %s", lane_nr(l), put ? "put" : "commit");
	if (killed) {
		producer_dies(l);
		return;
	}
	CHECK_EQ(call.ret, 0);
	if (!put)
		are_told(l);
}

static void do_flush(struct lane *l)
{
	int killed;

	call.r = l->r;
	killed = is_killed(&l->owned, call_flush);
	TELL("producer %u: flush", lane_nr(l));
	if (killed) {
		producer_dies(l);
		return;
	}
	CHECK_EQ(call.ret, 0);
	are_told(l);
}

/* What others left undone is made up for. */
static void do_probe_producer(struct lane *l)
{
	int killed;

	call.r = l->r;
	killed = is_killed(&l->owned, call_probe);
	TELL("producer %u: probe, %ld", lane_nr(l), call.ret);
	if (killed)
		producer_dies(l);
}

static void do_close_producer(struct lane *l)
{
	int killed;

	call.r = l->r;
	killed = is_killed(&l->owned, call_close);
	TELL("producer %u: close", lane_nr(l));
	if (killed) {
		producer_dies(l);
		return;
	}
	l->r = NULL;
	l->lost_before += l->lost;
	l->lost = 0;
	l->reserved = 0;
	are_told(l);
	disown(&l->owned);
}

static void produce(struct lane *l)
{
	switch (any(12)) {
	case 0:
	case 1:
	case 2:
		send_one(l, any_len());
		break;
	case 3:
	case 4:
		send_many(l, 1 + (unsigned int)any(BATCH), 0);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		if (l->reserved)
			do_finish(l);
		else
			do_reserve(l);
		break;
	case 9:
		do_flush(l);
		break;
	case 10:
		do_probe_producer(l);
		break;
	default:
		if (one_in(2))
			producer_dies(l);
		else if (one_in(2))
			do_close_producer(l);
	}
}

#endif /* SHMRING_TEST_KILLED_PRODUCER_H */
