// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Several records, or several pieces of one, in one call: one publication and one
 * release for all of them.
 */
#include <errno.h>
#include <limits.h>

#include "internal.h"

int shmring_sendv(struct shmring *r, const struct iovec *iov, unsigned int n,
		  uint64_t deadline)
{
	unsigned char *to;
	void *payload;
	size_t len = 0;
	unsigned int k;
	int err;

	r->reserved = 0;
	for (k = 0; k < n; k++) {
		if (iov[k].iov_len > SIZE_MAX - len)
			return -EMSGSIZE;
		len += iov[k].iov_len;
	}
	err = shmring_reserve(r, len, &payload, deadline);
	if (err)
		return err;
	to = payload;
	for (k = 0; k < n; k++) {
		if (iov[k].iov_len)
			shmring_copy(to, iov[k].iov_base, iov[k].iov_len);
		to += iov[k].iov_len;
	}
	return shmring_commit(r, len);
}

/*
 * Records of one length in a row are a run; after at most so many bytes of them the next
 * lines are asked for.
 */
#define SHMRING_RUN	512

/* Records of an OVERWRITE ring in one call. */
#define SHMRING_WHOLE_MOST	64

/* How many of @n records fit @room bytes and one run. */
static inline __attribute__((always_inline))
unsigned int shmring_run(uint64_t size, uint64_t room, unsigned int n)
{
	if (size > room)
		return 0;
	if (room > SHMRING_RUN)
		room = size < SHMRING_RUN ? SHMRING_RUN : size;
	return n < room / size ? n : (unsigned int)(room / size);
}

/*
 * Put records that are as long as the first, where there is known room. The first of what
 * is not shown yet keeps its header zero and hides the others, so only the last needs a
 * zero after it.
 */
static inline __attribute__((always_inline))
unsigned int shmring_fill_len(struct shmring_spsc_tx *tx, const struct iovec *msgs, unsigned int n,
			      size_t len)
{
	const uint64_t size = shmring_record_size(len);
	const int64_t room = (int64_t)(tx->limit - tx->tail - SHMRING_REC_TAIL);
	const uint32_t word = SHMRING_REC_READY | (uint32_t)len, more = word | tx->chain;
	unsigned char *rec = tx->data + (tx->tail & tx->mask);
	uint64_t tail;
	unsigned int k = 0;

	n = shmring_run(size, room < 0 ? 0 : (uint64_t)room, n);
	if (!n)
		return 0;
	if (!tx->hold_word) {
		if (len)
			shmring_copy(rec + sizeof(struct shmring_record), msgs->iov_base, len);
		tx->hold_pos = tx->tail;
		tx->hold_word = word;
		rec += size;
		k = 1;
	}
	for (; k < n && msgs[k].iov_len == len; k++) {
		void *header = rec;

		if (len)
			shmring_copy(rec + sizeof(struct shmring_record), msgs[k].iov_base, len);
		shmring_store(&((struct shmring_record *)header)->word, more);
		rec += size;
		if (size >= SHMRING_AHEAD_LINE)
			shmring_spsc_ahead_write(tx, tx->tail + k * size,
						 tx->tail + (k + 1) * size);
	}
	tail = tx->tail + k * size;
	if (size < SHMRING_AHEAD_LINE)
		shmring_spsc_ahead_write(tx, tx->tail, tail);
	shmring_store(shmring_spsc_word(tx, tail), 0);
	tx->tail = tail;
	tx->records += k;
	return k;
}

static unsigned int shmring_fill_run(struct shmring_spsc_tx *tx, const struct iovec *msgs,
				     unsigned int n)
{
	const size_t len = msgs->iov_len;

	/* The usual short ones have code of their own. */
	switch (len) {
	case 8:
		return shmring_fill_len(tx, msgs, n, 8);
	case 16:
		return shmring_fill_len(tx, msgs, n, 16);
	case 32:
		return shmring_fill_len(tx, msgs, n, 32);
	case 64:
		return shmring_fill_len(tx, msgs, n, 64);
	default:
		return shmring_fill_len(tx, msgs, n, len);
	}
}

static unsigned int shmring_fill(struct shmring *r, const struct iovec *msgs, unsigned int n)
{
	unsigned int done = 0, k;

	while (done < n && msgs[done].iov_len <= r->max_record) {
		k = shmring_fill_run(&r->tx, msgs + done, n - done);
		if (!k)
			break;
		done += k;
	}
	return done;
}

long shmring_send_batch(struct shmring *r, const struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	unsigned int sent = 0;
	void *payload;
	int err = -EINVAL;

	r->reserved = 0;
	for (;;) {
		sent += shmring_fill(r, msgs + sent, n - sent);
		if (sent == n)
			break;
		/* What ends a batch of which some were sent is the caller's, and not lost. */
		err = shmring_make_space(r, msgs[sent].iov_len, &payload, deadline, !sent);
		if (err)
			break;
		if (msgs[sent].iov_len)
			shmring_copy_in(payload, msgs[sent].iov_base, msgs[sent].iov_len);
		shmring_put(r, msgs[sent++].iov_len);
	}
	shmring_flush(r);
	return sent ? (long)sent : err;
}

/*
 * The next record of a batch, if it is not larger than @cap. An empty ring ends the
 * batch; what is wrong with it the next call tells.
 */
static long shmring_more(struct shmring_handle *h, const void **payload, size_t cap)
{
	long len = h->in->peek(h, payload);

	if (len >= 0 && (size_t)len <= cap) {
		h->in->next(h, len);
		return len;
	}
	if (len < 0 && len != -EAGAIN && h->group)
		h->untold = len;
	return -1;
}

/* The first of up to @n records; a QUEUE claims as many. */
static long shmring_first(struct shmring *r, const void **payload, unsigned int n,
			  uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	long len;

	h->batch = n;
	len = shmring_peek(r, payload, deadline);
	h->batch = 1;
	return len;
}

long shmring_peek_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	const void *payload;
	unsigned int seen;
	long len;

	if (!n)
		return -EINVAL;
	len = shmring_first(r, &payload, n, deadline);
	if (len < 0)
		return len;
	for (seen = 0;;) {
		msgs[seen].iov_base = (void *)(uintptr_t)payload;
		msgs[seen].iov_len = (size_t)len;
		if (++seen == n)
			break;
		len = shmring_more(h, &payload, SIZE_MAX);
		if (len < 0)
			break;
	}
	return seen;
}

/* Take records that are as long as the first, which was peeked at. */
static inline __attribute__((always_inline))
unsigned int shmring_take_len(struct shmring_spsc_rx *rx, struct iovec *msgs, unsigned int n,
			      size_t len)
{
	const uint64_t size = shmring_record_size(len);
	const unsigned char *rec = rx->data + (rx->head & rx->mask);
	uint64_t head, room = rx->mask - (rx->head - rx->done);
	unsigned int k;

	/* The first one, at least, is not beyond the bound. */
	if (room > rx->bound - rx->head)
		room = rx->bound - rx->head;
	n = shmring_run(size, room, n);
	for (k = 0; k < n; k++) {
		const void *header = rec;

		/* pairs with the store-release in shmring_spsc_publish() */
		if (shmring_load_acquire(&((const struct shmring_record *)header)->word) !=
		    (SHMRING_REC_READY | len))
			break;
		/* Who calls in a loop has it from the call before. */
		if (shmring_unlikely(msgs[k].iov_len != len)) {
			if (msgs[k].iov_len < len)
				break;
			msgs[k].iov_len = len;
		}
		if (len)
			shmring_copy(msgs[k].iov_base, rec + sizeof(struct shmring_record), len);
		rec += size;
		if (size >= SHMRING_AHEAD_LINE)
			shmring_spsc_ahead_read(rx, rx->head + k * size, rx->head + (k + 1) * size);
	}
	head = rx->head + k * size;
	if (size < SHMRING_AHEAD_LINE)
		shmring_spsc_ahead_read(rx, rx->head, head);
	rx->head = head;
	rx->ahead += k;
	return k;
}

static unsigned int shmring_take_run(struct shmring_spsc_rx *rx, struct iovec *msgs,
				     unsigned int n, size_t len)
{
	switch (len) {
	case 8:
		return shmring_take_len(rx, msgs, n, 8);
	case 16:
		return shmring_take_len(rx, msgs, n, 16);
	case 32:
		return shmring_take_len(rx, msgs, n, 32);
	case 64:
		return shmring_take_len(rx, msgs, n, 64);
	default:
		return shmring_take_len(rx, msgs, n, len);
	}
}

/* From a pair's ring: what is there, without a call for each. */
static unsigned int shmring_take_there(struct shmring_spsc_rx *rx, struct iovec *msgs,
				       unsigned int n)
{
	const void *payload;
	unsigned int done = 0, k;

	while (done < n) {
		long len = shmring_spsc_peek(rx, &payload);

		if (len < 0)
			break;
		k = shmring_take_run(rx, msgs + done, n - done, (size_t)len);
		if (!k)
			break;
		done += k;
	}
	return done;
}

static long shmring_copy_batch(struct shmring_handle *h, struct iovec *msgs, unsigned int n,
			       const void *payload, size_t first)
{
	if (first)
		shmring_copy(msgs[0].iov_base, payload, first);
	msgs[0].iov_len = first;
	return 1 + (h->in->drain ? h->in->drain(h, msgs + 1, n - 1) :
				   shmring_take_there(&h->core.rx, msgs + 1, n - 1));
}

/* Return: how many were copied, to be released. */
static long shmring_copy_some(struct shmring *r, struct iovec *msgs, unsigned int n,
			      uint64_t deadline)
{
	const void *payload;
	long len = shmring_first(r, &payload, n, deadline);

	if (len < 0)
		return len;
	if ((size_t)len > msgs[0].iov_len)
		return -EMSGSIZE;
	return shmring_copy_batch(shmring_handle(r), msgs, n, payload, (size_t)len);
}

/*
 * Of an OVERWRITE ring copies are records once they are known to be whole. What was overwritten
 * meanwhile leaves no length behind, and the next attempt is for fewer.
 */
static long shmring_recv_whole(struct shmring *r, struct iovec *msgs, unsigned int n,
			       uint64_t deadline)
{
	size_t caps[SHMRING_WHOLE_MOST];
	unsigned int laps = 0, k;
	long got;
	int err;

	if (n > SHMRING_WHOLE_MOST)
		n = SHMRING_WHOLE_MOST;
	for (k = 0; k < n; k++)
		caps[k] = msgs[k].iov_len;
	do {
		got = shmring_copy_some(r, msgs, n, deadline);
		if (got < 0 || !shmring_release(r))
			return got;
		for (k = 0; k < n; k++)
			msgs[k].iov_len = caps[k];
		n = (n + 1) / 2;
		err = shmring_lapped(deadline, &laps);
	} while (!err);
	return err;
}

long shmring_recv_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	long got;

	if (!n)
		return -EINVAL;
	if (shmring_handle(r)->geo.full_policy == SHMRING_FULL_OVERWRITE)
		return shmring_recv_whole(r, msgs, n, deadline);
	got = shmring_copy_some(r, msgs, n, deadline);
	if (got > 0)
		shmring_release(r);
	return got;
}

long shmring_consume(struct shmring *r, int (*fn)(const void *payload, size_t len, void *arg),
		     void *arg, uint64_t max, uint64_t deadline)
{
	const void *payload;
	unsigned int laps = 0;
	uint64_t taken = 0;
	bool stop = false;
	long len;
	int err;

	if (!fn)
		return -EINVAL;
	while (!stop && (!max || taken < max) && taken < LONG_MAX) {
		len = shmring_peek(r, &payload, taken ? SHMRING_NOWAIT : deadline);
		if (len < 0) {
			/* Nonsense is told of once; of an end the next call asks anew. */
			if (taken && (len == -EBADMSG || len == -EPROTO) &&
			    shmring_handle(r)->group)
				shmring_handle(r)->untold = len;
			return taken ? (long)taken : len;
		}
		stop = fn(payload, (size_t)len, arg);
		if (!shmring_release(r)) {
			taken++;
			laps = 0;
			continue;
		}
		err = shmring_lapped(taken ? SHMRING_NOWAIT : deadline, &laps);
		if (err)
			return taken ? (long)taken : err;
	}
	return (long)taken;
}
