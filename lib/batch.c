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
			memcpy(to, iov[k].iov_base, iov[k].iov_len);
		to += iov[k].iov_len;
	}
	return shmring_commit(r, len);
}

/*
 * Put as many records as there is known room for. The first of what is not shown yet
 * keeps its header zero and hides the others, so only the last needs a zero after it.
 */
static unsigned int shmring_fill(struct shmring *r, const struct iovec *msgs, unsigned int n)
{
	struct shmring_spsc_tx *tx = &r->tx;
	const uint64_t limit = tx->limit, max = r->max_record;
	uint64_t tail = tx->tail;
	unsigned int k;

	for (k = 0; k < n; k++) {
		const size_t len = msgs[k].iov_len;
		uint32_t word = SHMRING_REC_READY | (uint32_t)len;
		uint32_t *header = shmring_spsc_word(tx, tail);

		if (len > max || limit - tail < shmring_record_size(len) + SHMRING_REC_TAIL)
			break;
		if (len)
			shmring_copy(header + 2, msgs[k].iov_base, len);
		if (tx->hold_word) {
			shmring_store(header, word | tx->chain);
		} else {
			tx->hold_pos = tail;
			tx->hold_word = word;
		}
		tail += shmring_record_size(len);
	}
	if (k) {
		shmring_store(shmring_spsc_word(tx, tail), 0);
		tx->tail = tail;
		tx->records += k;
	}
	return k;
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
		err = shmring_reserve(r, msgs[sent].iov_len, &payload, deadline);
		if (err)
			break;
		if (msgs[sent].iov_len)
			memcpy(payload, msgs[sent].iov_base, msgs[sent].iov_len);
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

/* From a pair's ring: what is there, without a call for each. */
static unsigned int shmring_drain(struct shmring_spsc_rx *rx, struct iovec *msgs,
				  unsigned int n)
{
	struct shmring_spsc_rx at = *rx;
	const void *payload;
	unsigned int k;

	for (k = 0; k < n; k++) {
		long len = shmring_spsc_peek(&at, &payload);

		if (len < 0 || (size_t)len > msgs[k].iov_len)
			break;
		if (len)
			shmring_copy(msgs[k].iov_base, payload, (size_t)len);
		msgs[k].iov_len = (size_t)len;
		shmring_spsc_next(&at, len);
	}
	rx->head = at.head;
	rx->ahead = at.ahead;
	return k;
}

static long shmring_copy_batch(struct shmring_handle *h, struct iovec *msgs, unsigned int n,
			       const void *payload, size_t first)
{
	unsigned int got = 1;
	long len;

	if (first)
		shmring_copy(msgs[0].iov_base, payload, first);
	msgs[0].iov_len = first;
	if (h->in == &shmring_pair_in)
		return got + shmring_drain(&h->core.rx, msgs + 1, n - 1);
	for (; got < n; got++) {
		len = shmring_more(h, &payload, msgs[got].iov_len);
		if (len < 0)
			break;
		if (len)
			memcpy(msgs[got].iov_base, payload, (size_t)len);
		msgs[got].iov_len = (size_t)len;
	}
	return got;
}

long shmring_recv_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	const void *payload;
	long len, got;

	if (!n)
		return -EINVAL;
	do {
		len = shmring_first(r, &payload, n, deadline);
		if (len < 0)
			return len;
		if ((size_t)len > msgs[0].iov_len)
			return -EMSGSIZE;
		got = shmring_copy_batch(h, msgs, n, payload, (size_t)len);
	} while (shmring_release(r));	/* overwritten meanwhile: once more */
	return got;
}

long shmring_consume(struct shmring *r, int (*fn)(const void *payload, size_t len, void *arg),
		     void *arg, uint64_t max, uint64_t deadline)
{
	const void *payload;
	uint64_t taken = 0;
	bool stop = false;
	long len;

	if (!fn)
		return -EINVAL;
	while (!stop && (!max || taken < max) && taken < LONG_MAX) {
		len = shmring_peek(r, &payload, taken ? SHMRING_NOWAIT : deadline);
		if (len < 0) {
			if (taken && len != -EAGAIN && shmring_handle(r)->group)
				shmring_handle(r)->untold = len;
			return taken ? (long)taken : len;
		}
		stop = fn(payload, (size_t)len, arg);
		if (!shmring_release(r))
			taken++;
	}
	return (long)taken;
}
