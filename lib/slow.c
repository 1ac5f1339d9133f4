// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Where the inline functions go when the ring is full or empty, when the peer
 * sleeps or is gone, and when the handle has not the role for what is asked.
 *
 * A peer that is gone is told to a producer at once, to a consumer after the last
 * record. That the peer was found gone is kept by taking the known space away, so
 * that the next reservation comes here and asks META.
 */
#include <errno.h>

#include "internal.h"

/* How far to let the other side get ahead: a part of DATA. */
#define SHMRING_AHEAD_PART	4
/* Pauses before the first look how far it is, doubled for each further one. */
#define SHMRING_AHEAD_FIRST	8
#define SHMRING_AHEAD_LAST	1024

static int shmring_no_role(const struct shmring_handle *h)
{
	return h->geo.topology == SHMRING_TOPO_RAW ? -EOPNOTSUPP : -EACCES;
}

static void shmring_stalled(struct shmring_handle *h)
{
	shmring_store(&h->mine->stalls, shmring_load(&h->mine->stalls) + 1);
}

/*
 * Let the peer get ahead while it is busy, so that whole runs of lines change hands
 * and not one line at a time. A look takes the line from the peer and holds it up, so
 * there are few. Whatever it says about itself decides no more than how long this
 * lasts. Return: how far it got beyond @from.
 */
static uint64_t shmring_let_ahead(const struct shmring_cursor *peer, uint64_t from, uint64_t mask)
{
	unsigned int pauses = SHMRING_AHEAD_FIRST, k;
	uint64_t ahead = 0, before;

	do {
		before = ahead;
		for (k = 0; k < pauses; k++)
			shmring_pause();
		pauses *= 2;
		ahead = shmring_load(&peer->pos) - from;
	} while (ahead > before && ahead < mask / SHMRING_AHEAD_PART &&
		 pauses <= SHMRING_AHEAD_LAST);
	return ahead;
}

static void shmring_wake(struct shmring_handle *h)
{
	shmring_store(&h->mine->kicks, shmring_load(&h->mine->kicks) + 1);
	h->ops->wake(h);
}

/* ---- producer -------------------------------------------------------------- */

int __shmring_commit(struct shmring *r, int kick)
{
	if (kick > 0)
		shmring_wake(shmring_handle(r));
	else
		r->tx.limit = r->tx.tail;
	return 0;
}

/* Look at the consumer's position. */
static int shmring_look_out(struct shmring_handle *h, size_t len, void **payload)
{
	struct shmring_spsc_tx *tx = &h->core.tx;
	int err = shmring_spsc_refresh(tx);

	if (err)
		return err;
	*payload = shmring_spsc_reserve(tx, len);
	return *payload ? 0 : -EAGAIN;
}

int __shmring_reserve(struct shmring *r, size_t len, void **payload, uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	uint64_t need = shmring_record_size(len);
	bool stalled = false;
	int err = 0, look;

	r->reserved = 0;
	if (!shmring_is_producer(h))
		return shmring_no_role(h);
	if (len > r->max_record)
		return -EMSGSIZE;
	for (;;) {
		look = shmring_gone(h);
		if (look)
			r->tx.limit = r->tx.tail;
		else
			look = shmring_look_out(h, len, payload);
		if (!look) {
			r->reserved = (uint64_t)len + 1;
			return 0;
		}
		shmring_flush(r);	/* what is held back would never become space */
		if (look != -EAGAIN)
			return look;
		if (err)
			return err;
		if (!stalled) {
			stalled = true;
			shmring_stalled(h);
			shmring_store(&h->mine->want, need);
		}
		if (deadline == SHMRING_NOWAIT) {
			err = -EAGAIN;
			shmring_probe_due(h);
			continue;
		}
		shmring_let_ahead(r->tx.peer, r->tx.seen, r->tx.mask);
		if (!shmring_spin_first(h, SHMRING_EV_OUT, need, deadline, true))
			err = shmring_sleep(h, SHMRING_EV_OUT, need, deadline);
	}
}

int __shmring_send(struct shmring *r, const void *buf, size_t len, uint64_t deadline)
{
	void *payload;
	int err = shmring_reserve(r, len, &payload, deadline);

	if (err)
		return err;
	memcpy(payload, buf, len);
	return shmring_commit(r, len);
}

/* ---- consumer -------------------------------------------------------------- */

int __shmring_release(struct shmring *r, int kick)
{
	if (kick > 0)
		shmring_wake(shmring_handle(r));
	return 0;
}

static long shmring_look_in(struct shmring_handle *h, const void **payload)
{
	struct shmring_spsc_rx *rx = &h->core.rx;
	long len = shmring_spsc_peek(rx, payload);

	if (len >= 0)
		shmring_spsc_next(rx, len);
	return len;
}

/*
 * The producer's position is not needed to receive, but must not contradict the
 * header words: a producer that wrote nonsense would be waited for in vain.
 */
static long shmring_check_in(struct shmring_handle *h, const void **payload)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;
	/* pairs with the store-release in shmring_spsc_publish() */
	uint64_t end = shmring_load_acquire(&rx->peer->pos);
	long len = shmring_look_in(h, payload);

	if (len != -EAGAIN)
		return len;
	return shmring_spsc_used(end, rx->head, h->geo.data_size) ? -EPROTO : -EAGAIN;
}

/* The ring ran dry: let the producer get ahead if it seems to be busy. */
static void shmring_pace_in(struct shmring_handle *h)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;

	if (shmring_pace_dry(&h->pace, rx->done))
		shmring_pace_got(&h->pace, shmring_let_ahead(rx->peer, rx->done, rx->mask));
}

long __shmring_peek(struct shmring *r, const void **payload, uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	bool check = true;
	int err = 0, gone;
	long len;

	if (!shmring_is_consumer(h))
		return shmring_no_role(h);
	if (deadline == SHMRING_NOWAIT) {
		err = -EAGAIN;
		check = shmring_probe_due(h);
	} else {
		shmring_pace_in(h);
	}
	len = shmring_look_in(h, payload);
	if (len != -EAGAIN)
		return len;
	shmring_stalled(h);
	while (deadline != SHMRING_NOWAIT && !shmring_gone(h)) {
		if (shmring_spin_first(h, SHMRING_EV_IN, 0, deadline, true)) {
			len = shmring_look_in(h, payload);
			if (len != -EAGAIN)
				return len;
			continue;
		}
		/* The line with the position is the producer's: rarely look at it. */
		len = shmring_check_in(h, payload);
		if (len != -EAGAIN)
			return len;
		err = shmring_sleep(h, SHMRING_EV_IN, 0, deadline);
		len = shmring_look_in(h, payload);
		if (len != -EAGAIN || err)
			break;
	}
	if (len != -EAGAIN)
		return len;
	gone = shmring_gone(h);	/* before the ring: what a peer left is seen first */
	len = check ? shmring_check_in(h, payload) : shmring_look_in(h, payload);
	if (len != -EAGAIN)
		return len;
	return gone ? gone : err;
}
