/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * The model of a ring: what model.c holds calls against. Nothing here calls the library.
 *
 * Each lane has a list of all records that its producers ever made, of which some may still be
 * held back. All that were shown have one order, that of publication.
 */
#ifndef SHMRING_TEST_MODEL_H
#define SHMRING_TEST_MODEL_H

#include "many.h"

#define LANES		4u
#define READERS		4u
#define BATCH		64u
#define MOST		(1u << 15)	/* records of one run */
#define BYTES_MAX	(1u << 14)	/* of a lane */

struct record {
	uint32_t lane;
	uint32_t len;
	uint64_t nth;		/* in its lane */
	uint64_t start;		/* in its lane; the next one begins at @end */
	uint64_t end;
	uint32_t taken;		/* QUEUE: given back */
	uint32_t holder;	/* QUEUE: consumer that it was shown to, plus one */
};

struct lane {
	struct shmring *r;	/* its producer; NULL: has none */
	uint32_t slot;
	struct record *rec;
	uint64_t made;
	uint64_t shown;		/* of them; the others are held back */
	uint64_t tail;		/* where the last one that was made ends */
	uint64_t told;		/* where the last one that was shown ends */
	uint64_t lost;		/* by this producer */
	uint64_t lost_before;	/* by earlier ones */
	uint64_t untaken;	/* QUEUE: the first that is not given back */
	uint64_t written;	/* so far there may be something written, at least ... */
	uint64_t written_most;	/* ... and, OVERWRITE, at most */
	size_t reserved;	/* plus one; 0: nothing */
	void *payload;
};

struct reader {
	struct shmring *r;	/* NULL: nobody */
	uint32_t slot;
	uint64_t at;		/* the next record, in order */
	uint64_t joined;	/* how many there were then */
	uint64_t got;		/* by this consumer */
	uint64_t got_before;	/* by earlier ones */
	uint64_t lost_before;
	uint64_t pos[LANES];	/* given back up to there */
	uint64_t next[LANES];	/* OVERWRITE: the least number that can come */
	unsigned int seen;	/* records that it looks at */
	struct iovec msgs[BATCH];
	const struct record *what[BATCH];
};

static struct {
	uint32_t topology;
	uint32_t policy;
	uint32_t producers;
	uint32_t consumers;
	uint64_t size;
	size_t max;
	struct shmring *watch;
	struct lane lane[LANES];
	struct reader reader[READERS];
	uint64_t shown;
	uint64_t made;
	uint64_t rnd;
	uint64_t seed;
	uint64_t step;
	uint64_t deadline;
	int late;		/* what a call returns that would have to wait */
	int trace;
} m;

static struct record records[LANES][MOST];
static struct record *order[MOST];
static unsigned char buf[BATCH][BYTES_MAX];

static uint64_t any(uint64_t n)
{
	return n ? test_random(&m.rnd) % n : 0;
}

static int one_in(uint64_t n)
{
	return !any(n);
}

static void any_deadline(void)
{
	int past = one_in(4);

	m.deadline = past ? 1 + any(1000) : SHMRING_NOWAIT;
	m.late = past ? -ETIMEDOUT : -EAGAIN;
}

/* ---- the model ------------------------------------------------------------------------ */

static int is_overwrite(void)
{
	return m.policy == SHMRING_FULL_OVERWRITE;
}

/* Is it told by the order alone which record a consumer gets? */
static int in_order(void)
{
	return m.topology != QUEUE && !is_overwrite();
}

/* What a record has to say for itself where that is not so. */
static size_t least_len(void)
{
	return in_order() ? 0 : sizeof(struct many_head);
}

static unsigned int live_producers(void)
{
	unsigned int k, n = 0;

	for (k = 0; k < m.producers; k++)
		n += !!m.lane[k].r;
	return n;
}

static unsigned int live_consumers(void)
{
	unsigned int k, n = 0;

	for (k = 0; k < m.consumers; k++)
		n += !!m.reader[k].r;
	return n;
}

/* Have all gone for whom this producer could wait? There was a consumer, at first. */
static int is_alone(void)
{
	return m.topology != BCAST && !live_consumers();
}

static uint32_t lane_nr(const struct lane *l)
{
	return (uint32_t)(l - m.lane);
}

static uint32_t reader_nr(const struct reader *x)
{
	return (uint32_t)(x - m.reader);
}

static void fill(void *to, uint32_t lane, uint64_t nth, size_t len)
{
	if (len >= sizeof(struct many_head))
		many_make(to, lane, nth, len);
	else
		test_fill(to, len, nth ^ lane);
}

static int is_record(const struct iovec *msg, const struct record *rec)
{
	struct many_head head;

	if (msg->iov_len != rec->len)
		return 0;
	if (rec->len < sizeof(head))
		return test_match(msg->iov_base, rec->len, rec->nth ^ rec->lane);
	return many_check(msg->iov_base, (long)rec->len, &head) && head.producer == rec->lane &&
	       head.nth == rec->nth;
}

/* Which record is this? NULL: none that was shown. */
static struct record *which(const struct iovec *msg)
{
	struct many_head head;
	struct record *rec;

	if (msg->iov_len < sizeof(head))
		return NULL;
	memcpy(&head, msg->iov_base, sizeof(head));
	if (head.producer >= m.producers || head.nth >= m.lane[head.producer].shown)
		return NULL;
	rec = &m.lane[head.producer].rec[head.nth];
	return is_record(msg, rec) ? rec : NULL;
}

static void model_make(struct lane *l, size_t len)
{
	struct record *rec = &l->rec[l->made];

	rec->lane = lane_nr(l);
	rec->len = (uint32_t)len;
	rec->nth = l->made++;
	rec->start = l->tail;
	l->tail += shmring_record_size(len);
	rec->end = l->tail;
	rec->taken = 0;
	rec->holder = 0;
	l->reserved = 0;
	m.made++;
}

static void model_show(struct lane *l)
{
	for (; l->shown < l->made; l->shown++)
		order[m.shown++] = &l->rec[l->shown];
	l->told = l->tail;
}

/* Before there nobody reads any more. */
static uint64_t gate(const struct lane *l)
{
	uint32_t nr = lane_nr(l), k;
	uint64_t pos = l->told;

	if (m.topology == QUEUE)
		return l->untaken < l->shown ? l->rec[l->untaken].start : l->told;
	if (m.topology != BCAST)
		return m.reader[0].pos[nr];
	for (k = 0; k < m.consumers; k++)
		if (m.reader[k].r && m.reader[k].pos[nr] < pos)
			pos = m.reader[k].pos[nr];
	return pos;
}

static int fits(const struct lane *l, size_t len)
{
	return is_overwrite() ||
	       m.size - (l->tail - gate(l)) >= shmring_record_size(len) + SHMRING_REC_TAIL;
}

/* QUEUE: how many records have not been given back? */
static uint64_t untaken(void)
{
	uint64_t n = 0, nth;
	uint32_t k;

	for (k = 0; k < m.producers; k++)
		for (nth = m.lane[k].untaken; nth < m.lane[k].shown; nth++)
			n += !m.lane[k].rec[nth].taken;
	return n;
}

#endif /* SHMRING_TEST_MODEL_H */
