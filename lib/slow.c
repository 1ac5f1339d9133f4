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

#define SHMRING_LOOK_EVERY	32	/* long records committed in place */
#define SHMRING_LAPS_MOST	16	/* records overwritten while they were copied */

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

/* ---- producer -------------------------------------------------------------- */

int __shmring_commit(struct shmring *r, int kick)
{
	struct shmring_handle *h = shmring_handle(r);

	if (h->group)
		shmring_notice(h, kick);
	else if (kick > 0)
		shmring_pair_kick(h, kick);
	else
		r->tx.limit = r->tx.tail;
	return 0;
}

/*
 * A record of several lines was committed, of which perhaps only the first and the last one were
 * written. If somebody waits for it these are pushed out. That takes a producer as long as many
 * short records do, so it is done where consumers are found to have received all before the next
 * record is begun: now and then that has the next reservation look.
 */
void __shmring_committed_long(struct shmring *r, size_t len)
{
	struct shmring_handle *h = shmring_handle(r);
	struct shmring_spsc_tx *tx = &r->tx;

	if (h->awaited) {
		shmring_push_out(tx->data + ((tx->tail - 1) & tx->mask));
		shmring_push_out(tx->data + ((tx->tail - shmring_record_size(len)) & tx->mask));
	}
	if (h->pushes && !h->look_in--) {
		h->look_in = SHMRING_LOOK_EVERY - 1;
		tx->limit = tx->tail;
	}
}

/* Look how far the consumers are. */
static int shmring_look_out(struct shmring_handle *h, size_t len, void **payload)
{
	struct shmring_spsc_tx *tx = &h->core.tx;
	int err = h->out->refresh(h, len);

	if (err)
		return err;
	*payload = shmring_spsc_reserve(tx, len);
	return *payload ? 0 : -EAGAIN;
}

/**
 * shmring_make_space() - as __shmring_reserve()
 * @r: handle
 * @len: payload bytes
 * @payload: out: where they go
 * @deadline: how long to wait
 * @drops: a record that is not taken by a full ring that drops the newest is lost; false: the
 *	caller is told that it was not sent
 */
int shmring_make_space(struct shmring *r, size_t len, void **payload, uint64_t deadline,
		       bool drops)
{
	struct shmring_handle *h = shmring_handle(r);
	const struct shmring_goal goal = { SHMRING_EV_OUT, shmring_record_size(len), 0 };
	bool stalled = false, held;
	int err = 0, look;

	r->reserved = 0;
	if (!h->out)
		return shmring_no_role(h);
	if (len > r->max_record)
		return -EMSGSIZE;
	for (;;) {
		look = shmring_ended(h);
		if (look)
			r->tx.limit = r->tx.tail;
		else
			look = shmring_look_out(h, len, payload);
		if (!look) {
			h->awaited = h->pushes && !stalled && r->tx.seen == r->tx.tail;
			r->reserved = (uint64_t)len + 1;
			return 0;
		}
		held = r->tx.hold_word;
		shmring_flush(r);	/* what is held back would never become space */
		if (look != -EAGAIN)
			return look;
		if (held)		/* and now it may be: where nobody has joined to read it */
			continue;
		if (err)
			return err;
		if (!stalled) {
			stalled = true;
			shmring_stalled(h);
			shmring_store(&h->mine->want, goal.need);
		}
		if (h->geo.full_policy == SHMRING_FULL_DROP_NEWEST) {
			shmring_probe_due(h);
			if (drops)
				shmring_store(&h->mine->lost, shmring_load(&h->mine->lost) + 1);
			return -ENOBUFS;
		}
		if (deadline == SHMRING_NOWAIT) {
			err = -EAGAIN;
			shmring_probe_due(h);
			continue;
		}
		if (h->group)
			shmring_group_pace_out(h);
		else
			shmring_let_ahead(r->tx.peer, r->tx.seen, r->tx.mask);
		if (!shmring_spin_first(h, &goal, deadline, true))
			err = shmring_sleep(h, &goal, deadline);
		else
			err = shmring_late(deadline);
	}
}

int __shmring_reserve(struct shmring *r, size_t len, void **payload, uint64_t deadline)
{
	return shmring_make_space(r, len, payload, deadline, true);
}

int __shmring_send(struct shmring *r, const void *buf, size_t len, uint64_t deadline)
{
	void *payload;
	int err = shmring_reserve(r, len, &payload, deadline);

	if (err)
		return err;
	shmring_copy_in(payload, buf, len);
	return shmring_commit(r, len);
}

/* Does nobody read before the end of what was published any more? */
static int shmring_look_drained(struct shmring_handle *h)
{
	const struct shmring_spsc_tx *tx = &h->core.tx;
	int err = h->out->refresh(h, 0);

	if (err)
		return err;
	return tx->seen == tx->tail ? 0 : -EAGAIN;
}

int shmring_drain(struct shmring *r, uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	/* Room for as much as a lane can hold: there is nothing else in it. */
	const struct shmring_goal goal = {
		SHMRING_EV_OUT, h->geo.data_size - SHMRING_REC_TAIL, 0
	};
	int err = 0, gone, look;

	if (!h->out)
		return shmring_no_role(h);
	if (h->geo.full_policy == SHMRING_FULL_OVERWRITE)
		return -EOPNOTSUPP;
	shmring_flush(r);
	for (;;) {
		gone = shmring_ended(h);	/* before the ring: what it received counts */
		look = shmring_look_drained(h);
		if (gone)
			r->tx.limit = r->tx.tail;
		if (look != -EAGAIN)
			return look;
		if (gone || err)
			return gone ? gone : err;
		if (deadline == SHMRING_NOWAIT) {
			shmring_probe_due(h);
			err = -EAGAIN;
		} else if (!shmring_spin_first(h, &goal, deadline, true)) {
			err = shmring_sleep(h, &goal, deadline);
		} else {
			err = shmring_late(deadline);
		}
	}
}

/* ---- consumer -------------------------------------------------------------- */

int __shmring_release(struct shmring *r, int kick)
{
	struct shmring_handle *h = shmring_handle(r);

	return h->in->release(h, kick);
}

/* Step over the next record; with @check see whether the positions can be. */
static long shmring_look(struct shmring_handle *h, const void **payload, bool check)
{
	long len = h->in->peek(h, payload);
	int err;

	if (len >= 0)
		h->in->next(h, len);
	if (len != -EAGAIN || !check)
		return len;
	err = h->in->check(h);
	return err ? err : len;
}

static const struct shmring_goal shmring_one_in = { SHMRING_EV_IN, 0, 0 };

/* The ring ran dry: let the producer get ahead if it seems to be busy. */
static void shmring_pace_in(struct shmring_handle *h)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;

	if (h->group)
		shmring_group_pace_in(h);
	else if (shmring_pace_dry(&h->pace, rx->done))
		shmring_pace_got(&h->pace, shmring_let_ahead(rx->peer, rx->done, rx->mask));
}

static long shmring_next_in(struct shmring *r, const void **payload, uint64_t deadline,
			    bool in_place)
{
	struct shmring_handle *h = shmring_handle(r);
	bool check = true;
	int err = 0, gone;
	long len;

	if (!h->in)
		return shmring_no_role(h);
	/* Of an SPSC ring the caller has looked already: it is empty. */
	r->rx.near = r->rx.done + SHMRING_AHEAD_READ;
	if (h->group) {
		len = h->untold;
		h->untold = 0;
		if (len)
			return len;
		h->in->rewind(h);
		len = shmring_look(h, payload, false);
		if (len != -EAGAIN)
			return len;
	} else {
		shmring_pair_dry(h, in_place);
	}
	if (deadline == SHMRING_NOWAIT) {
		err = -EAGAIN;
		check = shmring_probe_due(h);
	} else {
		shmring_pace_in(h);
	}
	len = shmring_look(h, payload, false);
	if (len != -EAGAIN)
		return len;
	shmring_stalled(h);
	do {
		while (deadline != SHMRING_NOWAIT && !shmring_ended(h)) {
			if (shmring_spin_first(h, &shmring_one_in, deadline, true)) {
				len = shmring_look(h, payload, false);
				if (len != -EAGAIN)
					return len;
				err = shmring_late(deadline);
				if (err)
					break;
				continue;
			}
			/* The line with the position is the producer's: rarely look at it. */
			len = shmring_look(h, payload, true);
			if (len != -EAGAIN)
				return len;
			err = shmring_sleep(h, &shmring_one_in, deadline);
			len = shmring_look(h, payload, false);
			if (len != -EAGAIN || err)
				break;
		}
		if (len != -EAGAIN)
			return len;
		/* before the ring: what a peer left is seen first */
		gone = shmring_ended(h);
		len = shmring_look(h, payload, check);
		if (len != -EAGAIN)
			return len;
	} while (!gone && !err);	/* a producer has come just now */
	return gone ? gone : err;
}

long __shmring_peek(struct shmring *r, const void **payload, uint64_t deadline)
{
	return shmring_next_in(r, payload, deadline, true);
}

/**
 * shmring_lapped() - what was copied had been overwritten meanwhile: once more?
 * @deadline: the caller's
 * @laps: how often that happened in a row
 *
 * A producer can have it happen each time.
 *
 * Return: 0: yes; -EAGAIN, -ETIMEDOUT.
 */
int shmring_lapped(uint64_t deadline, unsigned int *laps)
{
	if (deadline == SHMRING_NOWAIT)
		return ++*laps < SHMRING_LAPS_MOST ? 0 : -EAGAIN;
	return shmring_late(deadline);
}

/* Of a ring with many: the next record by the short way, or as it is found. */
long __shmring_recv(struct shmring *r, void *buf, size_t cap, uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	unsigned int laps = 0;
	const void *payload;
	long len;
	int err;

	if (h->in && h->in->recv) {
		len = h->in->recv(h, buf, cap);
		if (shmring_likely(len >= 0))
			return len;
	}
	do {
		len = shmring_next_in(r, &payload, deadline, false);
		if (len < 0)
			return len;
		if ((size_t)len > cap)
			return -EMSGSIZE;
		shmring_copy(buf, payload, (size_t)len);
		if (!shmring_release(r))
			return len;
		err = shmring_lapped(deadline, &laps);
	} while (!err);
	return err;
}
