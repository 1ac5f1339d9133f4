/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * The calls of a ring's endpoints, amid of which others have their turn, and what the model says
 * to them.
 */
#ifndef SHMRING_TEST_LIARS_CALLS_H
#define SHMRING_TEST_LIARS_CALLS_H

#include "liars.h"

#define ACCESSES	1000000u	/* more than any call makes, with all that is within it */

/* ---- turns within a call -------------------------------------------------------------- */

#define DEPTH		3u

static unsigned int depth;	/* calls within calls */
static unsigned int accesses;	/* by the outermost one; 0: there is none */
static int alone;		/* nobody else has a turn */

static void somebody(void);	/* makes a call */

/* The library's clock: little time goes by, and now and then much. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	static uint64_t now = 1000000000, looks;

	(void)id;
	now += ++looks % 16 ? 1000 : 20000000;
	ts->tv_sec = (time_t)(now / 1000000000);
	ts->tv_nsec = (long)(now % 1000000000);
	return 0;
}

void *test_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (mmap)(at, len, prot, flags, fd, offset);
}

int test_munmap(void *at, size_t len)
{
	return (munmap)(at, len);
}

static void others_turn(void)
{
	if (!alone && depth < DEPTH)
		somebody();
}

void test_step(void)
{
	if (!depth)
		return;
	if (accesses++ == ACCESSES) {
		printf("# seed %llu, step %llu: a call that does not end\n",
		       (unsigned long long)m.seed, (unsigned long long)m.step);
		fflush(stdout);
		abort();
	}
	if (m.often && one_in(m.often))
		lie_somewhere();
	if (m.others && one_in(m.others))
		others_turn();
}

static void enter(int *busy)
{
	*busy = 1;
	if (!depth++)
		accesses = 0;
}

static void leave(int *busy)
{
	depth--;
	*busy = 0;
}

/* ---- what a call may return ----------------------------------------------------------- */

static int doubt(void)
{
	uint32_t k;
	int doubtful = 0;

	for (k = 0; k < m.producers; k++)
		doubtful |= m.lane[k].doubtful;
	return doubtful;
}

static void judge_send(const struct lane *l, long ret)
{
	if (ret == -EPROTO)
		CHECK(l->doubtful);
	else if (ret == -EPIPE)
		CHECK(m.topology != BCAST);
	else
		CHECK(ret > 0 || ret == -EAGAIN || ret == -ETIMEDOUT);
}

static void judge_recv(long ret)
{
	if (ret == -EPROTO || ret == -EBADMSG)
		CHECK(doubt());
	else if (ret == -ESTALE)
		CHECK(is_overwrite());
	else
		CHECK(ret > 0 || ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EPIPE ||
		      ret == -EOWNERDEAD);
}

static uint64_t a_deadline(void)
{
	return one_in(3) ? 1 : SHMRING_NOWAIT;
}

/* ---- records -------------------------------------------------------------------------- */

static uint64_t mark_of(const struct head *head)
{
	uint64_t seed = (uint64_t)head->lane << 48 ^ (uint64_t)head->len << 32 ^ head->nth;

	return test_random(&seed);
}

static void make_record(unsigned char *buf, uint32_t lane, uint64_t nth, size_t len)
{
	struct head head = { .lane = lane, .len = (uint32_t)len, .nth = nth };

	head.mark = mark_of(&head);
	memcpy(buf, &head, sizeof(head));
	test_fill(buf + sizeof(head), len - sizeof(head), head.mark);
}

/* Is this one that an honest producer made, and all of it? */
static int is_record(const struct iovec *msg, struct head *head)
{
	const unsigned char *p = msg->iov_base;

	if (msg->iov_len < sizeof(*head))
		return 0;
	memcpy(head, p, sizeof(*head));
	return head->lane < m.producers && head->len == msg->iov_len &&
	       head->mark == mark_of(head) &&
	       test_match(p + sizeof(*head), msg->iov_len - sizeof(*head), head->mark);
}

/* ---- producers ------------------------------------------------------------------------ */

/* Up to @n records of @least bytes and up to @most more. Return: how many it were, or an error. */
static long do_send(struct lane *l, unsigned int n, size_t least, size_t most)
{
	static unsigned char bufs[DEPTH][BATCH][BYTES_MAX];
	unsigned char (*buf)[BYTES_MAX] = bufs[depth];
	struct iovec msgs[BATCH];
	uint64_t begun = ++m.clock;
	unsigned int k;
	long ret;

	for (k = 0; k < n; k++) {
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = least + any(one_in(4) ? most : 40);
		make_record(buf[k], l->lies ? LIAR : lane_nr(l), l->made + k, msgs[k].iov_len);
		l->rec[l->made + k].begun = begun;
		l->rec[l->made + k].sent = UINT64_MAX;
	}
	enter(&l->busy);
	l->begun = l->made + n;
	if (n > 1)
		ret = shmring_send_batch(l->r, msgs, n, a_deadline());
	else
		ret = shmring_send(l->r, buf[0], msgs[0].iov_len, a_deadline()) ? : 1;
	leave(&l->busy);
	TELL("producer %u%s sends %u from %llu: %ld", lane_nr(l), l->lies ? " (liar)" : "", n,
	     (unsigned long long)l->made, ret);
	l->begun = l->made;
	if (l->lies)
		return ret;
	judge_send(l, ret);
	m.clock++;
	for (k = 0; ret > 0 && k < (unsigned int)ret; k++)
		l->rec[l->made++].sent = m.clock;
	l->begun = l->made;
	return ret;
}

static unsigned int a_batch(void)
{
	return one_in(4) ? 1 + (unsigned int)any(BATCH) : 1;
}

/* ---- consumers ------------------------------------------------------------------------ */

/* One that somebody has received of a lane that nobody can have spoilt. */
static void judge_record(struct reader *x, struct lane *l, uint64_t nth)
{
	struct record *rec = &l->rec[nth];
	uint64_t *next = &x->next[lane_nr(l)];

	CHECK(nth >= l->first);
	if (m.topology == QUEUE) {
		CHECK(!rec->taken);
		rec->taken = 1;
		return;
	}
	if (is_overwrite())
		CHECK(nth >= *next);
	else
		CHECK_EQ(nth, *next);
	*next = nth + 1;
	if (m.tx_lies || doubt())
		return;
	CHECK(rec->sent > x->latest);
	if (rec->begun > x->latest)
		x->latest = rec->begun;
}

/* What a liar sent, or may have made of its lane, can be anything. */
static void received(struct reader *x, const struct iovec *msg)
{
	struct head head;
	struct lane *l;

	CHECK(msg->iov_len <= m.info.max_record);
	if (x->lies)
		return;
	if (!is_record(msg, &head)) {
		CHECK(doubt());
		return;
	}
	l = &m.lane[head.lane];
	TELL("consumer %u has %llu of lane %u", reader_nr(x), (unsigned long long)head.nth,
	     head.lane);
	CHECK(head.nth < l->begun);
	if (!l->doubtful)
		judge_record(x, l, head.nth);
}

/* Look at several, perhaps twice and while others go on, and give them back. */
static long look(struct reader *x, struct iovec *msgs, unsigned int n)
{
	struct iovec seen[BATCH];
	long ret = shmring_peek_batch(x->r, seen, n, a_deadline());
	int k, err;

	for (k = (int)any(30); ret > 0 && m.others && k; k--)
		others_turn();
	if (ret > 0 && one_in(2))
		ret = shmring_peek_batch(x->r, seen, n, a_deadline());
	/* What is seen can change, and OVERWRITE can make it stale. */
	for (k = 0; k < ret; k++) {
		CHECK(seen[k].iov_len <= m.info.max_record);
		msgs[k].iov_len = seen[k].iov_len;
		memcpy(msgs[k].iov_base, seen[k].iov_base, seen[k].iov_len);
	}
	if (ret <= 0)
		return ret;
	err = shmring_release(x->r);
	return err ? err : ret;
}

static long do_recv(struct reader *x)
{
	unsigned int n = 1 + (unsigned int)any(BATCH), how = (unsigned int)any(3);
	struct iovec msgs[BATCH];
	long ret, k;

	for (k = 0; k < BATCH; k++) {
		msgs[k].iov_base = x->buf[k];
		msgs[k].iov_len = BYTES_MAX;
	}
	enter(&x->busy);
	if (how == 0) {
		ret = shmring_recv(x->r, x->buf[0], BYTES_MAX, a_deadline());
		msgs[0].iov_len = (size_t)ret;
		ret = ret < 0 ? ret : 1;
	} else if (how == 1) {
		ret = shmring_recv_batch(x->r, msgs, n, a_deadline());
	} else {
		ret = look(x, msgs, n);
	}
	leave(&x->busy);
	TELL("consumer %u%s receives: %ld", reader_nr(x), x->lies ? " (liar)" : "", ret);
	for (k = 0; k < ret && !test_bad; k++)
		received(x, &msgs[k]);
	if (!x->lies)
		judge_recv(ret);
	return ret;
}

#endif /* SHMRING_TEST_LIARS_CALLS_H */
