/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * A consumer's calls, any of which it may be killed in, and what the model says to them.
 */
#ifndef SHMRING_TEST_KILLED_CONSUMER_H
#define SHMRING_TEST_KILLED_CONSUMER_H

#include "killed.h"

static void call_recv(void)
{
	call.ret = shmring_recv(call.r, buf[0], BYTES_MAX, SHMRING_NOWAIT);
}

static void call_recv_batch(void)
{
	call.ret = shmring_recv_batch(call.r, call.msgs, call.n, SHMRING_NOWAIT);
}

static void call_peek_batch(void)
{
	call.ret = shmring_peek_batch(call.r, call.msgs, call.n, SHMRING_NOWAIT);
}

static void call_release(void)
{
	call.ret = shmring_release(call.r);
}

static void reader_leaves(struct reader *x)
{
	x->r = NULL;
	x->seen = 0;
	drop_holds(x);
}

static void reader_dies(struct reader *x)
{
	TELL("consumer %u dies", reader_nr(x));
	reader_leaves(x);
	bury(&x->owned);
}

/* It was killed in a call that receives up to @n: nobody knows which. */
static void reader_dies_receiving(struct reader *x, unsigned int n)
{
	uint32_t k;

	x->got_perhaps += n;
	for (k = 0; k < m.producers; k++)
		x->slack[k] += n;
	reader_dies(x);
}

static void open_consumer(void)
{
	struct reader *x = m.reader;
	uint32_t k;

	call.role = CONS;
	if (is_killed(&m.next, call_attach)) {
		TELL("a consumer dies attaching");
		bury(&m.next);
		return;
	}
	NEED(!call.ret);
	while (x->r)
		x++;
	NEED(reader_nr(x) < m.consumers);
	TELL("consumer %u attaches", reader_nr(x));
	x->r = call.r;
	x->owned = m.next;
	disown(&m.next);
	own_fds(&x->owned);
	CHECK_EQ(shmring_lost(x->r), 0);
	if (m.topology != BCAST)
		return;
	x->latest = 0;
	x->here = 0;
	x->least = 0;
	x->most = 0;
	for (k = 0; k < m.producers; k++) {
		/* What somebody was killed publishing may have been seen, and be new to it. */
		x->next[k] = m.lane[k].told;
		x->slack[k] = m.lane[k].made - m.lane[k].told;
		x->least += m.lane[k].told;
		x->most += m.lane[k].made;
	}
}

/* What comes next of a lane: without a gap, but for what a dead one may have taken. */
static int follows(struct reader *x, uint64_t *next, const struct head *head)
{
	uint32_t k = head->lane;
	int ok = head->nth >= next[k] && (is_overwrite() || head->nth - next[k] <= x->slack[k]);

	if (!is_overwrite() && x->slack[k]) {
		x->next[k] += head->nth - next[k];
		x->slack[k] = 0;
	}
	next[k] = head->nth + 1;
	return ok;
}

/* @x is shown the first @n of @msgs, and looks at them. */
static void shown(struct reader *x, const struct iovec *msgs, unsigned int n)
{
	uint64_t next[LANES], latest = x->latest;
	struct head head;
	struct record *rec;
	unsigned int k;

	memcpy(next, x->next, sizeof(next));
	x->seen = 0;
	for (k = 0; k < n && !test_bad; k++) {
		NEED(msgs[k].iov_len >= sizeof(head));
		memcpy(&head, msgs[k].iov_base, sizeof(head));
		TELL("consumer %u: is shown %u/%llu", reader_nr(x), head.lane,
		     (unsigned long long)head.nth);
		NEED(head.lane < m.producers && head.nth < m.lane[head.lane].made);
		rec = &m.lane[head.lane].rec[head.nth];
		CHECK(head.len == msgs[k].iov_len && head.len == rec->len);
		CHECK(test_match((const char *)msgs[k].iov_base + sizeof(head),
				 msgs[k].iov_len - sizeof(head), rec->id));
		are_certain(&m.lane[head.lane], head.nth + 1);
		if (m.topology == QUEUE) {
			CHECK(!rec->taken && (!rec->holder || rec->holder == reader_nr(x) + 1));
			rec->holder = (unsigned char)(reader_nr(x) + 1);
		} else {
			CHECK(follows(x, next, &head));
			/* What was there before another was made comes before it. */
			CHECK(rec->known >= latest);
			latest = rec->id > latest ? rec->id : latest;
		}
		x->what[k].lane = head.lane;
		x->what[k].nth = head.nth;
	}
	x->seen = n;
}

/* What @x looks at is given back. */
static void taken(struct reader *x)
{
	struct record *rec;
	unsigned int k;

	for (k = 0; k < x->seen; k++) {
		rec = &m.lane[x->what[k].lane].rec[x->what[k].nth];
		rec->taken = 1;
		rec->holder = 0;
		x->next[x->what[k].lane] = x->what[k].nth + 1;
		x->latest = rec->id > x->latest ? rec->id : x->latest;
		x->got++;
		x->here++;
	}
	x->seen = 0;
}

static void nothing(struct reader *x, long ret)
{
	x->seen = 0;
	CHECK(ret == -EAGAIN || (!live_producers() && (ret == -EPIPE || ret == -EOWNERDEAD)));
}

static void do_recv(struct reader *x)
{
	int killed;

	call.r = x->r;
	killed = is_killed(&x->owned, call_recv);
	TELL("consumer %u: recv, %ld", reader_nr(x), call.ret);
	if (killed) {
		reader_dies_receiving(x, 1);
		return;
	}
	if (call.ret < 0) {
		nothing(x, call.ret);
		return;
	}
	call.msgs[0].iov_base = buf[0];
	call.msgs[0].iov_len = (size_t)call.ret;
	shown(x, call.msgs, 1);
	taken(x);
}

static void do_recv_batch(struct reader *x)
{
	unsigned int k;
	int killed;

	call.r = x->r;
	call.n = 1 + (unsigned int)any(BATCH);
	for (k = 0; k < call.n; k++) {
		call.msgs[k].iov_base = buf[k];
		call.msgs[k].iov_len = BYTES_MAX;
	}
	killed = is_killed(&x->owned, call_recv_batch);
	TELL("consumer %u: recv_batch of %u, %ld", reader_nr(x), call.n, call.ret);
	if (killed) {
		reader_dies_receiving(x, call.n);
		return;
	}
	if (call.ret < 0) {
		nothing(x, call.ret);
		return;
	}
	NEED(call.ret <= (long)call.n);
	shown(x, call.msgs, (unsigned int)call.ret);
	taken(x);
}

/* Up to @n. Of those that it looked at before, it looks at the first ones again. */
static void do_peek(struct reader *x, unsigned int n)
{
	int killed;

	call.r = x->r;
	call.n = n;
	killed = is_killed(&x->owned, call_peek_batch);
	TELL("consumer %u: peek_batch of %u, %ld", reader_nr(x), call.n, call.ret);
	if (killed) {
		reader_dies(x);
		return;
	}
	if (call.ret < 0) {
		nothing(x, call.ret);
		return;
	}
	NEED(call.ret <= (long)call.n);
	shown(x, call.msgs, (unsigned int)call.ret);
}

static void do_release(struct reader *x)
{
	unsigned int k;
	int killed;

	call.r = x->r;
	killed = is_killed(&x->owned, call_release);
	TELL("consumer %u: release %u, %ld", reader_nr(x), x->seen, call.ret);
	if (killed) {
		x->got_perhaps += x->seen;
		for (k = 0; k < x->seen; k++) {
			m.lane[x->what[k].lane].rec[x->what[k].nth].perhaps = 1;
			x->slack[x->what[k].lane]++;
		}
		reader_dies(x);
		return;
	}
	if (is_overwrite() && call.ret == -ESTALE) {
		x->seen = 0;
		return;
	}
	CHECK_EQ(call.ret, 0);
	taken(x);
}

static void do_probe_consumer(struct reader *x)
{
	int killed;

	call.r = x->r;
	killed = is_killed(&x->owned, call_probe);
	TELL("consumer %u: probe, %ld", reader_nr(x), call.ret);
	if (killed)
		reader_dies(x);
}

static void do_close_consumer(struct reader *x)
{
	int killed;

	call.r = x->r;
	killed = is_killed(&x->owned, call_close);
	TELL("consumer %u: close", reader_nr(x));
	if (killed) {
		reader_dies(x);
		return;
	}
	reader_leaves(x);
	disown(&x->owned);
}

static void consume(struct reader *x)
{
	switch (any(12)) {
	case 0:
	case 1:
		do_recv(x);
		break;
	case 2:
		do_recv_batch(x);
		break;
	case 3:
	case 4:
	case 5:
		do_peek(x, 1 + (unsigned int)any(BATCH));
		break;
	case 6:		/* what follows may give back a part */
		do_peek(x, 1 + (unsigned int)any(2));
		break;
	case 7:
	case 8:
		do_release(x);
		break;
	case 9:
		do_probe_consumer(x);
		break;
	default:
		if (one_in(2))
			reader_dies(x);
		else if (one_in(3))
			do_close_consumer(x);
	}
}

#endif /* SHMRING_TEST_KILLED_CONSUMER_H */
