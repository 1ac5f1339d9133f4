/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * A producer's calls, and what the model says to them.
 */
#ifndef SHMRING_TEST_MODEL_PRODUCER_H
#define SHMRING_TEST_MODEL_PRODUCER_H

#include "model.h"

/* What put() held back is shown all at once, when room is needed or later: as is told. */
static void look_shown(struct lane *l)
{
	struct shmring_stats stats = { .size = sizeof(stats) };

	NEED(!shmring_get_stats(m.watch, l->slot, &stats));
	if (l->shown < l->made && stats.bytes == l->tail)
		model_show(l);
	CHECK_EQ(stats.bytes, l->told);
	CHECK_EQ(stats.records, l->shown);
}

/* All of it was to be shown. */
static void all_shown(struct lane *l)
{
	model_show(l);
	look_shown(l);
}

/* @len bytes were asked for, with this result. */
static void judge_room(struct lane *l, size_t len, long ret)
{
	int full = m.policy == SHMRING_FULL_DROP_NEWEST ? -ENOBUFS : m.late;

	l->reserved = 0;
	look_shown(l);
	l->lost += ret == -ENOBUFS;
	if (!ret)
		CHECK(fits(l, len));
	else if (is_alone())	/* known by then, or by the next look */
		CHECK_EQ(ret, -EPIPE);
	else
		CHECK_EQ(ret, fits(l, len) ? 0 : full);
}

/* There is room up to @end; OVERWRITE: room is made in whole steps. */
static void made_room_to(uint64_t *written, uint64_t end, uint64_t step)
{
	end = (end + step - 1) / step * step;
	if (end > *written)
		*written = end;
}

static void made_room(struct lane *l, size_t len)
{
	uint64_t end = l->tail + shmring_record_size(len) + SHMRING_REC_TAIL;

	made_room_to(&l->written, end, 1);
	made_room_to(&l->written_most, end, m.size / SHMRING_MARKS);
}

static void sent(struct lane *l, size_t len)
{
	made_room(l, len);
	model_make(l, len);
}

static size_t any_len(void)
{
	size_t least = least_len(), len;

	switch (any(10)) {
	case 0:
		len = least;
		break;
	case 1:
		len = m.max;
		break;
	case 2:
		len = any(m.max + 1);
		break;
	case 3:
		len = m.max - any(20);
		break;
	case 4:
		len = any(600);
		break;
	default:
		len = any(80);
	}
	return len < least ? least : len;
}

static void do_reserve(struct lane *l)
{
	size_t len = any_len();
	int ret = shmring_reserve(l->r, len, &l->payload, m.deadline);

	judge_room(l, len, ret);
	if (ret)
		return;
	l->reserved = len + 1;
	made_room(l, len);
}

static void do_reserve_too_much(struct lane *l)
{
	CHECK_EQ(shmring_reserve(l->r, m.max + 1 + any(3), &l->payload, m.deadline), -EMSGSIZE);
	CHECK_EQ(shmring_commit(l->r, 0), -EINVAL);
	CHECK_EQ(shmring_send(l->r, buf, SIZE_MAX - any(40), m.deadline), -EMSGSIZE);
	l->reserved = 0;
}

/* Put or commit what was reserved, or less of it. */
static void finish(struct lane *l, int (*call)(struct shmring *r, size_t len))
{
	size_t len;

	if (!l->reserved) {
		CHECK_EQ(call(l->r, any(30)), -EINVAL);
		return;
	}
	if (one_in(8))
		CHECK_EQ(call(l->r, l->reserved + any(5)), -EINVAL);
	len = one_in(2) ? l->reserved - 1 : any(l->reserved);
	if (len < least_len())
		len = least_len();
	fill(l->payload, lane_nr(l), l->made, len);
	CHECK_EQ(call(l->r, len), 0);
	model_make(l, len);
}

static void do_put(struct lane *l)
{
	finish(l, shmring_put);
}

static void do_commit(struct lane *l)
{
	int had = !!l->reserved;

	finish(l, shmring_commit);
	if (had)
		model_show(l);
}

static void do_flush(struct lane *l)
{
	CHECK_EQ(shmring_flush(l->r), 0);
	model_show(l);
}

static void judge_send(struct lane *l, size_t len, int ret)
{
	if (ret) {
		judge_room(l, len, ret);
		return;
	}
	model_show(l);
	CHECK(fits(l, len));
	sent(l, len);
	all_shown(l);
}

static void do_send(struct lane *l)
{
	size_t len = any_len();

	fill(buf[0], lane_nr(l), l->made, len);
	judge_send(l, len, shmring_send(l->r, buf[0], len, m.deadline));
}

static void do_sendv(struct lane *l)
{
	size_t len = any_len(), from = 0;
	struct iovec iov[5];
	unsigned int n = 1 + (unsigned int)any(5), k;

	fill(buf[0], lane_nr(l), l->made, len);
	for (k = 0; k < n; k++) {
		iov[k].iov_base = buf[0] + from;
		iov[k].iov_len = k == n - 1 ? len - from : any(len - from + 1);
		from += iov[k].iov_len;
	}
	judge_send(l, len, shmring_sendv(l->r, iov, n, m.deadline));
}

static unsigned int any_batch(struct lane *l, struct iovec *msgs)
{
	unsigned int n = 1 + (unsigned int)any(one_in(4) ? 2 : BATCH), k;
	size_t same = one_in(2) ? 16 + any(80) : 0, len;

	for (k = 0; k < n; k++) {
		len = same && !one_in(20) ? same : any_len();
		fill(buf[k], lane_nr(l), l->made + k, len);
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = len;
	}
	return n;
}

static void do_send_batch(struct lane *l)
{
	struct iovec msgs[BATCH];
	unsigned int n = any_batch(l, msgs);
	long ret = shmring_send_batch(l->r, msgs, n, m.deadline), k;

	if (ret < 0) {
		judge_room(l, msgs[0].iov_len, ret);
		return;
	}
	l->reserved = 0;
	model_show(l);
	NEED(ret > 0 && ret <= (long)n);
	for (k = 0; k < ret; k++) {
		/* What of the batch fills the lane is shown, if need be, to make room. */
		if (!fits(l, msgs[k].iov_len))
			model_show(l);
		CHECK(fits(l, msgs[k].iov_len));
		sent(l, msgs[k].iov_len);
	}
	all_shown(l);
	if (ret < (long)n)
		CHECK(is_alone() || !fits(l, msgs[ret].iov_len));
}

static void do_send_no_batch(struct lane *l)
{
	CHECK_EQ(shmring_send_batch(l->r, NULL, 0, m.deadline), -EINVAL);
	l->reserved = 0;
	model_show(l);
}

static void do_drain(struct lane *l)
{
	int ret = shmring_drain(l->r, m.deadline);

	if (is_overwrite()) {
		CHECK_EQ(ret, -EOPNOTSUPP);
		return;
	}
	model_show(l);
	if (gate(l) == l->tail)
		CHECK_EQ(ret, 0);
	else
		CHECK_EQ(ret, is_alone() ? -EPIPE : m.late);
}

static void do_wait_for_room(struct lane *l)
{
	size_t len = 1 + any(m.max + 2);
	int ret = shmring_wait_for(l->r, SHMRING_EV_OUT, len, 0, m.deadline);

	look_shown(l);
	if (len > m.max)
		CHECK_EQ(ret, -ERANGE);
	else if (is_alone())
		CHECK_EQ(ret, -EPIPE);
	else
		CHECK_EQ(ret, fits(l, len) ? SHMRING_EV_OUT : m.late);
}

#endif /* SHMRING_TEST_MODEL_PRODUCER_H */
