// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Producers of MPSC, QUEUE and BROADCAST rings: each has a lane, and what differs is who
 * gates it.
 */
#include <errno.h>

#include "internal.h"

static void shmring_lane_start(struct shmring_handle *h)
{
	bool tickets = shmring_has_tickets(&h->geo);

	h->core.tickets = tickets;
	h->core.tx.chain = tickets ? SHMRING_REC_CHAIN : 0;
	shmring_group_start(h, &h->core.group);
}

/* Records were found that nobody was told of: those who sleep are. */
static void shmring_lane_found(struct shmring_handle *h)
{
	unsigned int slot;

	for (slot = h->peers; slot < h->peers_end; slot++)
		h->ops->wake(h, slot);
}

static bool shmring_lane_fits(const struct shmring_handle *h, uint64_t gate, uint64_t need)
{
	const struct shmring_spsc_tx *tx = &h->core.tx;
	uint64_t used = tx->tail - gate;

	return used > tx->mask + 1 || tx->mask + 1 - used >= need + SHMRING_REC_TAIL;
}

/*
 * The same where a gate may lie behind what was seen: a claim that is about to be taken back, or a
 * consumer that goes back. Then there is nothing new.
 */
static bool shmring_lane_fits_still(const struct shmring_handle *h, uint64_t gate, uint64_t need)
{
	return (int64_t)(gate - h->core.tx.seen) >= 0 && shmring_lane_fits(h, gate, need);
}

/* ---- MPSC ------------------------------------------------------------------ */

static const struct shmring_lane_pos *shmring_mpsc_pos(const struct shmring_handle *h)
{
	return &h->cursor[h->geo.producers]->lane[h->slot];
}

static int shmring_mpsc_start(struct shmring_handle *h)
{
	/* pairs with the store-release in shmring_merge_tell() */
	uint64_t from = shmring_load_acquire(&shmring_mpsc_pos(h)->pos);

	if (from & (SHMRING_REC_ALIGN - 1))
		return -EPROTO;
	shmring_lane_start(h);
	if (shmring_lane_recover(&h->core.tx, from))
		shmring_lane_found(h);
	return 0;
}

static int shmring_mpsc_look(struct shmring_handle *h, size_t len)
{
	int err = shmring_mpsc_refresh(&h->core.tx, h->group);

	(void)len;
	if (err)	/* a consumer that is ahead may be asleep, and is to look */
		shmring_lane_found(h);
	return err;
}

static bool shmring_mpsc_ready(const struct shmring_handle *h, uint64_t need)
{
	/* pairs with the store-release in shmring_merge_tell() */
	return shmring_lane_fits(h, shmring_load_acquire(&shmring_mpsc_pos(h)->pos), need);
}

const struct shmring_out shmring_mpsc_out = {
	.start = shmring_mpsc_start,
	.refresh = shmring_mpsc_look,
	.ready = shmring_mpsc_ready,
};

/* ---- QUEUE ----------------------------------------------------------------- */

static int shmring_queue_start(struct shmring_handle *h)
{
	int err;

	shmring_lane_start(h);
	err = shmring_queue_recover(&h->core.tx, h->group);
	if (err > 0)
		shmring_lane_found(h);
	return err < 0 ? err : 0;
}

static int shmring_queue_look(struct shmring_handle *h, size_t len)
{
	(void)len;
	return shmring_queue_refresh(&h->core.tx, h->group);
}

static bool shmring_queue_ready(const struct shmring_handle *h, uint64_t need)
{
	__u64 gate;

	return shmring_queue_gate(h->group, h->slot, &gate) ||
	       shmring_lane_fits_still(h, gate, need);
}

const struct shmring_out shmring_queue_out = {
	.start = shmring_queue_start,
	.refresh = shmring_queue_look,
	.ready = shmring_queue_ready,
};

/* ---- BROADCAST ------------------------------------------------------------- */

static int shmring_broadcast_begin(struct shmring_handle *h)
{
	bool overwrite = h->geo.full_policy == SHMRING_FULL_OVERWRITE;

	shmring_lane_start(h);
	if (shmring_broadcast_recover(&h->core.tx, overwrite))
		shmring_lane_found(h);
	return 0;
}

static int shmring_broadcast_look(struct shmring_handle *h, size_t len)
{
	(void)len;
	shmring_broadcast_refresh(&h->core.tx, h->group);
	return 0;
}

/* While somebody joins nothing is known; it wakes those who sleep when it is done. */
static bool shmring_broadcast_ready(const struct shmring_handle *h, uint64_t need)
{
	__u64 gate;

	return !shmring_broadcast_gate(h->group, h->slot, h->core.tx.tail, &gate) &&
	       shmring_lane_fits_still(h, gate, need);
}

const struct shmring_out shmring_broadcast_out = {
	.start = shmring_broadcast_begin,
	.refresh = shmring_broadcast_look,
	.ready = shmring_broadcast_ready,
};

static int shmring_overwrite_look(struct shmring_handle *h, size_t len)
{
	struct shmring_spsc_tx *tx = &h->core.tx;

	shmring_flush(&h->core);
	if (tx->limit - tx->tail < shmring_record_size(len) + SHMRING_REC_TAIL)
		shmring_overwrite_advance(tx, len);
	return 0;
}

static bool shmring_overwrite_ready(const struct shmring_handle *h, uint64_t need)
{
	(void)h;
	(void)need;
	return true;
}

const struct shmring_out shmring_overwrite_out = {
	.start = shmring_broadcast_begin,
	.refresh = shmring_overwrite_look,
	.ready = shmring_overwrite_ready,
};
