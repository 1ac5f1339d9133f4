// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The endpoints of an SPSC ring, as the slow paths see them: what the inline functions
 * of spsc.h do not settle at first sight.
 */
#include <errno.h>

#include "internal.h"

/* Record in place whose end is asked for while it is waited for; longer ones gain nothing. */
#define SHMRING_FAR_MOST	32768

/**
 * shmring_pair_kick() - what publishing or releasing said is to be done
 * @h: handle
 * @kick: as shmring_spsc_armed() returned it, not 0 and no error
 */
void shmring_pair_kick(struct shmring_handle *h, int kick)
{
	if (kick > 1) {
		shmring_bias_due(h);
		return;
	}
	shmring_wake(h, h->peers);
	shmring_bias_met(h);
}

/* ---- consumer -------------------------------------------------------------- */

static int shmring_pair_start_in(struct shmring_handle *h)
{
	struct shmring_spsc_rx *rx = &h->core.rx;
	/* pairs with the store-release in shmring_spsc_publish() */
	uint64_t end = shmring_load_acquire(&h->cursor[0]->pos);
	uint64_t pos = shmring_load(&h->mine->pos), kept;

	if ((pos & (SHMRING_REC_ALIGN - 1)) ||
	    shmring_spsc_used(end, pos, h->geo.data_size) == SHMRING_SPSC_IMPOSSIBLE)
		return -EPROTO;
	rx->data = h->data;
	rx->mask = h->geo.data_size - 1;
	/* What a predecessor said to have read need not end at a record: then all of it counts. */
	kept = shmring_kept(h, 0, rx->data, pos);
	if (kept != pos) {
		pos = kept;
		/* pairs with the load-acquire in shmring_spsc_refresh() */
		shmring_store_release(&h->mine->pos, pos);
		h->ops->wake(h, 0);
	}
	rx->done = pos;
	rx->head = pos;
	rx->bound = pos;
	rx->records = shmring_load(&h->mine->records);
	rx->fence = !(h->geo.flags & SHMRING_CREATE_SPIN);
	rx->mine = h->mine;
	rx->peer = h->cursor[0];
	h->pace.mark = rx->done;
	h->dry = rx->done;
	h->dry_records = rx->records;
	h->far_most = shmring_can_push_out() ? shmring_record_size(__SHMRING_LONG) :
					       SHMRING_FAR_MOST;
	return 0;
}

static long shmring_pair_peek(struct shmring_handle *h, const void **payload)
{
	return shmring_spsc_peek(&h->core.rx, payload);
}

static void shmring_pair_next(struct shmring_handle *h, long len)
{
	shmring_spsc_next(&h->core.rx, len);
}

/*
 * The producer's position is not needed to receive, but must not contradict the
 * header words: a producer that wrote nonsense would be waited for in vain.
 */
static int shmring_pair_check(struct shmring_handle *h)
{
	/* A copy, at what is not released: the short way of shmring_recv() leaves head behind. */
	struct shmring_spsc_rx rx = h->core.rx;
	/* pairs with the store-release in shmring_spsc_publish() */
	uint64_t end = shmring_load_acquire(&rx.peer->pos);
	const void *payload;

	shmring_spsc_rewind(&rx);
	if (shmring_spsc_peek(&rx, &payload) != -EAGAIN)
		return 0;
	return shmring_spsc_used(end, rx.head, h->geo.data_size) ? -EPROTO : 0;
}

static void shmring_pair_rewind(struct shmring_handle *h)
{
	shmring_spsc_rewind(&h->core.rx);
}

static int shmring_pair_release(struct shmring_handle *h, int kick)
{
	if (kick > 0)
		shmring_pair_kick(h, kick);
	return 0;
}

/**
 * shmring_pair_dry() - a consumer found nothing, and is about to wait
 * @h: handle of a consumer
 * @in_place: the record will not be copied, perhaps not be read as a whole
 *
 * What it will look at after the header is asked for with each look at that, so that both come
 * from the other CPU at once, not one after the other. That is the next line, unless two answer
 * each other in place: then the next record is likely to be as long as the last one, and its end
 * is looked at, and the header there. (Who reads all of a record comes by its end anyway, and
 * leaves it to a producer that fills it.) Where a producer pushes the end out, and of very long
 * records, that is left to it, and only the first word is asked for: it may be in the next line.
 */
void shmring_pair_dry(struct shmring_handle *h, bool in_place)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;
	uint64_t size = rx->done - h->dry;

	h->far = 0;
	if (in_place && rx->records - h->dry_records == 1 && size > 2 * SHMRING_AHEAD_LINE)
		h->far = size <= h->far_most ? (uint32_t)size - 1 : sizeof(struct shmring_record);
	h->dry = rx->done;
	h->dry_records = rx->records;
}

/* Is there a record? Only the header word is looked at, as in shmring_spsc_peek(). */
static bool shmring_pair_ready_in(struct shmring_handle *h, const struct shmring_goal *goal)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;
	const unsigned char *at = rx->data + (rx->done & rx->mask);
	const void *rec = at;
	uint64_t used;

	if (!h->far) {
		shmring_prefetch(at + SHMRING_AHEAD_LINE);
	} else {
		shmring_prefetch(at + h->far);
		shmring_prefetch(at + h->far + 1);
	}
	if (!goal->need && !goal->records)
		/* pairs with the store-release in shmring_spsc_publish() */
		return shmring_load_acquire(&((const struct shmring_record *)rec)->word);
	/*
	 * A position that cannot be is ready: receiving will tell. Records are counted, where there
	 * may be as many: what a producer, or its predecessor, says to have sent is only its word.
	 * Pairs with the store-release in shmring_spsc_publish().
	 */
	used = shmring_spsc_used(shmring_load_acquire(&rx->peer->pos), rx->done, rx->mask + 1);
	return (goal->need && used >= goal->need) ||
	       (goal->records && used / sizeof(struct shmring_record) >= goal->records &&
		shmring_lane_records(rx->data, rx->mask, rx->done, goal->records) ==
		goal->records);
}

static uint64_t shmring_pair_amount(const struct shmring_handle *h, bool records)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;

	if (records)
		return shmring_lane_records(rx->data, rx->mask, rx->done, rx->mask);
	/* pairs with the store-release in shmring_spsc_publish() */
	return shmring_lane_bytes(rx->data, rx->mask, rx->done,
				  shmring_load_acquire(&rx->peer->pos));
}

static bool shmring_pair_gap(const struct shmring_handle *h)
{
	const struct shmring_spsc_rx *rx = &h->core.rx;

	/* pairs with the store-release in shmring_spsc_publish() */
	return shmring_lane_gap(rx->data, rx->mask, rx->done, shmring_load_acquire(&rx->peer->pos));
}

const struct shmring_in shmring_pair_in = {
	.start = shmring_pair_start_in,
	.peek = shmring_pair_peek,
	.next = shmring_pair_next,
	.check = shmring_pair_check,
	.rewind = shmring_pair_rewind,
	.release = shmring_pair_release,
	.ready = shmring_pair_ready_in,
	.amount = shmring_pair_amount,
	.gap = shmring_pair_gap,
};

/* ---- producer -------------------------------------------------------------- */

static int shmring_pair_start_out(struct shmring_handle *h)
{
	struct shmring_spsc_tx *tx = &h->core.tx;
	int err;

	tx->peer = h->cursor[1];
	h->pushes = shmring_can_push_out();
	err = shmring_spsc_recover(tx);
	if (err > 0)
		h->ops->wake(h, 1);
	return err < 0 ? err : 0;
}

static int shmring_pair_refresh(struct shmring_handle *h, size_t len)
{
	(void)len;
	return shmring_spsc_refresh(&h->core.tx);
}

/* Are so many bytes free? A position that cannot be is ready: reserving will tell. */
static bool shmring_pair_ready_out(const struct shmring_handle *h, uint64_t need)
{
	const struct shmring_spsc_tx *tx = &h->core.tx;
	/* pairs with the store-release in shmring_spsc_release() */
	uint64_t used = tx->tail - shmring_load_acquire(&tx->peer->pos);

	return used > tx->mask + 1 || tx->mask + 1 - used >= need + SHMRING_REC_TAIL;
}

const struct shmring_out shmring_pair_out = {
	.start = shmring_pair_start_out,
	.refresh = shmring_pair_refresh,
	.ready = shmring_pair_ready_out,
};
