// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Several records, or several pieces of one, in one call: one publication and one
 * release for all of them.
 */
#include <errno.h>

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

long shmring_send_batch(struct shmring *r, const struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	unsigned int sent;
	void *payload;
	int err = -EINVAL;

	for (sent = 0; sent < n; sent++) {
		err = shmring_reserve(r, msgs[sent].iov_len, &payload, deadline);
		if (err)
			break;
		if (msgs[sent].iov_len)
			memcpy(payload, msgs[sent].iov_base, msgs[sent].iov_len);
		shmring_put(r, msgs[sent].iov_len);
	}
	shmring_flush(r);
	return sent ? (long)sent : err;
}

long shmring_peek_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	const void *payload;
	unsigned int seen;
	long len;

	if (!n)
		return -EINVAL;
	len = shmring_peek(r, &payload, deadline);
	if (len < 0)
		return len;
	for (seen = 0;;) {
		msgs[seen].iov_base = (void *)(uintptr_t)payload;
		msgs[seen].iov_len = (size_t)len;
		if (++seen == n)
			break;
		len = shmring_spsc_peek(&r->rx, &payload);
		if (len < 0)	/* empty, or wrong: the next call tells */
			break;
		shmring_spsc_next(&r->rx, len);
	}
	return seen;
}

long shmring_recv_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline)
{
	const void *payload;
	unsigned int got;
	long len;

	if (!n)
		return -EINVAL;
	len = shmring_peek(r, &payload, deadline);
	if (len < 0)
		return len;
	if ((size_t)len > msgs[0].iov_len)
		return -EMSGSIZE;
	for (got = 0;;) {
		if (len)
			memcpy(msgs[got].iov_base, payload, (size_t)len);
		msgs[got].iov_len = (size_t)len;
		if (++got == n)
			break;
		len = shmring_spsc_peek(&r->rx, &payload);
		if (len < 0 || (size_t)len > msgs[got].iov_len)
			break;
		shmring_spsc_next(&r->rx, len);
	}
	shmring_release(r);
	return got;
}
