/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * A consumer's calls, and what the model says to them.
 */
#ifndef SHMRING_TEST_MODEL_CONSUMER_H
#define SHMRING_TEST_MODEL_CONSUMER_H

#include "model.h"

static void forget(struct reader *x)
{
	x->seen = 0;
}

/* One was given back. */
static void take(struct reader *x, const struct record *rec)
{
	struct lane *l = &m.lane[rec->lane];

	x->got++;
	x->pos[rec->lane] = rec->end;
	x->next[rec->lane] = rec->nth + 1;
	if (in_order())
		x->at++;
	l->rec[rec->nth].taken++;
	l->rec[rec->nth].holder = 0;
	while (l->untaken < l->shown && l->rec[l->untaken].taken)
		l->untaken++;
}

/* QUEUE: is this one for @x? @before: what it was shown before, in the same call. */
static const struct record *claimed(struct reader *x, const struct iovec *msg,
				    const struct record *before)
{
	struct record *rec = which(msg);

	CHECK(rec);
	if (!rec)
		return NULL;
	CHECK_EQ(rec->taken, 0);
	CHECK(!rec->holder || rec->holder == reader_nr(x) + 1);
	if (before) {
		CHECK_EQ(rec->lane, before->lane);
		CHECK_EQ(rec->nth, before->nth + 1);
	}
	rec->holder = reader_nr(x) + 1;
	return rec;
}

/* OVERWRITE: is this one whole, and none that @x has had? */
static const struct record *left(struct reader *x, const struct iovec *msg)
{
	const struct record *rec = which(msg);

	CHECK(rec && rec->nth >= x->next[rec->lane]);
	return rec;
}

/* What these @n are that a consumer is shown, in @what: they are what is next for it. */
static void identify(struct reader *x, const struct iovec *msgs, unsigned int n,
		     const struct record **what)
{
	unsigned int k;

	for (k = 0; k < n && !test_bad; k++) {
		if (is_overwrite()) {
			what[k] = left(x, &msgs[k]);
		} else if (m.topology == QUEUE) {
			what[k] = claimed(x, &msgs[k], k ? what[k - 1] : NULL);
		} else {
			NEED(x->at + k < m.shown);
			what[k] = order[x->at + k];
			CHECK(is_record(&msgs[k], what[k]));
		}
	}
}

static void take_all(struct reader *x, const struct record **what, unsigned int n)
{
	unsigned int k;

	for (k = 0; k < n && !test_bad; k++) {
		if (is_overwrite())	/* nor one of these */
			CHECK(what[k]->nth >= x->next[what[k]->lane]);
		take(x, what[k]);
	}
}

static void received(struct reader *x, const struct iovec *msgs, unsigned int n)
{
	const struct record *what[BATCH];

	forget(x);
	identify(x, msgs, n, what);
	take_all(x, what, n);
}

/* A consumer looks at the first @n of x->msgs. What it looked at before is among them. */
static void looks_at(struct reader *x, unsigned int n)
{
	const struct record *first = x->seen ? x->what[0] : NULL;

	identify(x, x->msgs, n, x->what);
	/* OVERWRITE: that may be gone. */
	if (first && !is_overwrite() && !test_bad)
		CHECK(x->what[0] == first);
	x->seen = n;
}

/* @ret: there was nothing. */
static void judge_none(struct reader *x, long ret)
{
	forget(x);
	if (m.topology == QUEUE) {
		/* What is left others have claimed, though it may not have been shown to them. */
		CHECK(ret == m.late || (ret == -EPIPE && !live_producers()));
		CHECK(untaken() <= (live_consumers() - 1) * BATCH);
		return;
	}
	CHECK_EQ(ret, live_producers() ? m.late : -EPIPE);
	if (is_overwrite())
		CHECK_EQ(x->got + shmring_lost(x->r), m.shown - x->joined);
	else
		CHECK_EQ(x->at, m.shown);
}

static void do_peek(struct reader *x)
{
	const void *payload;
	long ret = shmring_peek(x->r, &payload, m.deadline);

	if (ret < 0) {
		judge_none(x, ret);
		return;
	}
	x->msgs[0].iov_base = (void *)(uintptr_t)payload;
	x->msgs[0].iov_len = (size_t)ret;
	looks_at(x, 1);
}

static void do_peek_batch(struct reader *x)
{
	unsigned int n = 1 + (unsigned int)any(one_in(4) ? 2 : BATCH);
	struct iovec msgs[BATCH];
	long ret = shmring_peek_batch(x->r, msgs, n, m.deadline);

	if (ret < 0) {
		judge_none(x, ret);
		return;
	}
	NEED(ret > 0 && ret <= (long)n);
	memcpy(x->msgs, msgs, sizeof(msgs));
	looks_at(x, (unsigned int)ret);
	if (in_order() && ret < (long)n)
		CHECK_EQ(x->at + (uint64_t)ret, m.shown);
}

static void do_peek_no_batch(struct reader *x)
{
	struct iovec msg = { NULL, 0 };

	CHECK_EQ(shmring_peek_batch(x->r, &msg, 0, m.deadline), -EINVAL);
	CHECK_EQ(shmring_recv_batch(x->r, &msg, 0, m.deadline), -EINVAL);
}

/* Has what @x looks at been overwritten since? @can: can it have been? */
static int overwritten(const struct reader *x, int can)
{
	const struct lane *l;
	unsigned int k;

	for (k = 0; k < x->seen; k++) {
		l = &m.lane[x->what[k]->lane];
		if ((can ? l->written_most : l->written) > x->what[k]->start + m.size)
			return 1;
	}
	return 0;
}

static void do_release(struct reader *x)
{
	int must = overwritten(x, 0), can = overwritten(x, 1), ret;
	unsigned int n = x->seen, k;

	/* Until then they stay as they were. */
	for (k = 0; k < n && !must && !(can && is_overwrite()); k++)
		CHECK(is_record(&x->msgs[k], x->what[k]));
	ret = shmring_release(x->r);
	forget(x);
	if (is_overwrite() && ret == -ESTALE) {
		CHECK(can);
		return;
	}
	CHECK(!must);
	CHECK_EQ(ret, 0);
	take_all(x, x->what, n);
}

/* The first did not fit: it stays, and a look tells its size. */
static void judge_too_long(struct reader *x, size_t cap)
{
	do_peek(x);
	if (!test_bad)
		CHECK(x->seen == 1 && x->msgs[0].iov_len > cap);
}

static void judge_recv(struct reader *x, size_t cap, long ret)
{
	struct iovec msg = { buf[0], (size_t)ret };

	if (ret == -EMSGSIZE) {
		judge_too_long(x, cap);
		return;
	}
	if (ret < 0) {
		judge_none(x, ret);
		return;
	}
	CHECK((size_t)ret <= cap);
	received(x, &msg, 1);
}

static void do_recv(struct reader *x)
{
	size_t cap = one_in(3) ? any(100) : m.max;

	judge_recv(x, cap, shmring_recv(x->r, buf[0], cap, m.deadline));
}

/* A buffer that the compiler knows: the header has a way of its own. */
static void do_recv_64(struct reader *x)
{
	judge_recv(x, 64, shmring_recv(x->r, buf[0], 64, m.deadline));
}

static void do_recv_batch(struct reader *x)
{
	unsigned int n = 1 + (unsigned int)any(one_in(4) ? 2 : BATCH), k;
	size_t cap = one_in(3) ? any(120) : BYTES_MAX;
	struct iovec msgs[BATCH], was[BATCH];
	long ret;

	for (k = 0; k < n; k++) {
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = one_in(20) ? any(120) : cap;
	}
	memcpy(was, msgs, n * sizeof(msgs[0]));
	ret = shmring_recv_batch(x->r, msgs, n, m.deadline);
	/* Of what was not received nothing is said. */
	for (k = ret < 0 ? 0 : (unsigned int)ret; k < n; k++)
		CHECK_EQ(msgs[k].iov_len, was[k].iov_len);
	if (ret == -EMSGSIZE) {
		judge_too_long(x, was[0].iov_len);
		return;
	}
	if (ret < 0) {
		judge_none(x, ret);
		return;
	}
	NEED(ret > 0 && ret <= (long)n);
	for (k = 0; k < (unsigned int)ret; k++)
		CHECK(msgs[k].iov_len <= was[k].iov_len);
	received(x, msgs, (unsigned int)ret);
	if (in_order() && ret < (long)n && !test_bad)
		CHECK(x->at == m.shown || order[x->at]->len > was[ret].iov_len);
}

struct called {
	struct reader *x;
	unsigned int n;
	unsigned int stop;
};

static int called(const void *payload, size_t len, void *arg)
{
	struct iovec msg = { (void *)(uintptr_t)payload, len };
	struct called *c = arg;

	received(c->x, &msg, 1);
	return ++c->n == c->stop || test_bad;
}

static void do_consume(struct reader *x)
{
	struct called c = { .x = x, .stop = 1 + (unsigned int)any(BATCH) };
	uint64_t max = one_in(2) ? 1 + any(12) : 0;
	long ret;

	forget(x);
	ret = shmring_consume(x->r, called, &c, max, m.deadline);
	if (test_bad)
		return;
	CHECK_EQ(ret < 0 ? 0 : ret, c.n);
	CHECK(!max || c.n <= max);
	if (ret < 0)
		judge_none(x, ret);
	else if (in_order() && c.n != max && c.n != c.stop)
		CHECK_EQ(x->at, m.shown);
}

static int is_enough(const struct reader *x, uint64_t bytes, uint64_t n)
{
	uint64_t have = 0, k;

	for (k = x->at; k < m.shown; k++)
		have += order[k]->end - order[k]->start;
	if ((!bytes && !n) || !live_producers())
		return have > 0;
	return (bytes && have >= bytes) || (n && m.shown - x->at >= n);
}

static void do_wait_for_records(struct reader *x)
{
	int little = one_in(2), ret;
	uint64_t bytes = one_in(2) ? any(little ? 200 : m.size + 16) : 0;
	uint64_t n = one_in(2) ? any(little ? 12 : m.size / 8 + 2) : 0;

	ret = shmring_wait_for(x->r, SHMRING_EV_IN, bytes, n, m.deadline);
	if (bytes > m.size - 8 || n > m.size / 8 - 1)
		CHECK_EQ(ret, -ERANGE);
	else if (!in_order())
		CHECK(ret == SHMRING_EV_IN || ret == m.late ||
		      (ret == -EPIPE && !live_producers()));
	else if (is_enough(x, bytes, n))
		CHECK_EQ(ret, SHMRING_EV_IN);
	else
		CHECK_EQ(ret, live_producers() ? m.late : -EPIPE);
}

#endif /* SHMRING_TEST_MODEL_CONSUMER_H */
