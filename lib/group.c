// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What the endpoints of MPSC, QUEUE and BROADCAST rings have in common: whom to wake
 * after a publication or a release, and that peers come and go.
 *
 * A bit in META stands for an endpoint that is armed; what it wants is in its CURSOR
 * page. Those who are not there yet where they want to be are left asleep: their bit
 * stays, and each publication comes by here until it is enough.
 */
#include <errno.h>

#include "internal.h"

/* An endpoint's view of the others. */
void shmring_group_start(struct shmring_handle *h, struct shmring_group *g)
{
	struct shmring_meta *meta = shmring_meta(h);

	g->meta = meta;
	g->cursor = h->cursor;
	g->shared = h->shared;
	g->peers = h->role == SHMRING_ROLE_PRODUCER ? &meta->rx_state : &meta->tx_state;
	/* pairs with the store-release of the count by whoever begins an endpoint */
	g->quiet = shmring_load_acquire(g->peers) & ~SHMRING_STATE_ARMED;
	g->producers = h->geo.producers;
	g->consumers = h->geo.consumers;
	g->slot = h->slot;
	h->group = g;
	h->core.shared = 1;
}

/**
 * shmring_kept() - where a consumer begins
 * @h: consumer of an SPSC or MPSC ring
 * @lane: the lane
 * @data: that, mapped twice in a row
 * @from: where its predecessor was, by what it said
 */
uint64_t shmring_kept(const struct shmring_handle *h, uint32_t lane, const unsigned char *data,
		      uint64_t from)
{
	const __u64 *pos = &h->cursor[lane]->pos, mask = h->geo.data_size - 1;
	/* pairs with the store-release in shmring_spsc_publish(), shmring_lane_publish() */
	uint64_t end = shmring_load_acquire(pos), kept = shmring_lane_kept(data, mask, from, end);

	if (kept == from || shmring_load_acquire(pos) == end)
		return kept;
	return shmring_lane_kept(data, mask, from, shmring_load_acquire(pos));
}

/**
 * shmring_lane_records() - how many records are in a lane
 * @data: the lane, mapped twice in a row
 * @mask: its bytes - 1
 * @from: position of the first
 * @most: so many are enough
 */
uint64_t shmring_lane_records(const unsigned char *data, uint64_t mask, uint64_t from,
			      uint64_t most)
{
	uint64_t pos = from, k;
	uint32_t word;
	long len;

	for (k = 0; k < most; k++) {
		const void *header = data + (pos & mask);

		/* pairs with the store-release in shmring_lane_publish() */
		word = shmring_load_acquire(&((const struct shmring_record *)header)->word);
		len = shmring_lane_header(word, SHMRING_REC_CHAIN, mask - (pos - from));
		if (len < 0)
			break;
		pos += shmring_record_size((uint64_t)len);
	}
	return k;
}

/**
 * shmring_lane_bytes() - how much is in a lane
 * @data: the lane, mapped twice in a row
 * @mask: its bytes - 1
 * @from: position of the first record
 * @end: the producer's position, loaded by acquire
 *
 * Also what its producer was killed over before it had told: the kernel counts that as well, be it
 * a record or not. A position that cannot be is nothing.
 */
uint64_t shmring_lane_bytes(const unsigned char *data, uint64_t mask, uint64_t from, uint64_t end)
{
	const void *header = data + (from & mask);
	uint64_t used = shmring_spsc_used(end, from, mask + 1);
	uint32_t word;
	long len;

	if (used)
		return used == SHMRING_SPSC_IMPOSSIBLE ? 0 : used;
	/* pairs with the store-release in shmring_lane_publish() */
	word = shmring_load_acquire(&((const struct shmring_record *)header)->word);
	len = shmring_lane_header(word, SHMRING_REC_CHAIN, mask);
	if (len < 0)
		return word ? sizeof(struct shmring_record) : 0;
	return shmring_record_size((uint64_t)len);
}

/* Is there as much as a threshold asks for? */
bool shmring_amount_ready(const struct shmring_handle *h, const struct shmring_goal *goal)
{
	return (goal->need && h->in->amount(h, false) >= goal->need) ||
	       (goal->records && h->in->amount(h, true) >= goal->records);
}

/**
 * shmring_share() - how much must be in some lane before all together have enough
 * @h: consumer
 * @want: what they shall have
 * @records: records, or bytes
 *
 * What is missing some live producer has to add its share of. Whoever has that much in its
 * lane wakes the consumer, which looks anew.
 */
uint64_t shmring_share(const struct shmring_handle *h, uint64_t want, bool records)
{
	uint64_t have = h->in->amount(h, records);
	unsigned int slot, live = 0;

	for (slot = 0; slot < h->geo.producers; slot++)
		live += shmring_group_live(h->group, slot);
	if (have >= want || want - have <= live || !live)
		return 1;
	return (want - have) / live;
}

/* What of this producer's lane does the consumer in @slot not have yet? */
static uint64_t shmring_unread_from(const struct shmring_handle *h, unsigned int slot)
{
	const struct shmring_group *g = h->group;

	/* pairs with the swap in shmring_claim_try() */
	if (h->geo.topology == SHMRING_TOPO_QUEUE)
		return shmring_tagged_pos(shmring_load_acquire(&g->shared->head[g->slot].claim));
	/* pairs with the store-release in shmring_merge_tell() */
	return shmring_load_acquire(&g->cursor[slot]->lane[g->slot].pos);
}

/**
 * shmring_records_of() - how many records an armed consumer says to wait for
 * @h: handle
 * @slot: its slot
 *
 * On the device nobody waits for records that others take, or of which it has some from
 * before: who says so would only have everybody count, at each publication.
 */
uint64_t shmring_records_of(const struct shmring_handle *h, unsigned int slot)
{
	return h->ops->wakes_all && h->geo.topology != SHMRING_TOPO_MPSC ?
	       SHMRING_WAKE_NEVER : shmring_load(&h->cursor[slot]->wake_records);
}

/* Is what this producer has published enough for the consumer in @slot? */
static bool shmring_enough_in(const struct shmring_handle *h, unsigned int slot)
{
	const struct shmring_cursor *peer = h->cursor[slot];
	const struct shmring_spsc_tx *tx = &h->core.tx;
	uint64_t from = shmring_unread_from(h, slot), used = tx->tail - from;
	uint64_t records = shmring_records_of(h, slot);

	if ((int64_t)used <= 0)
		return false;
	/* Where no record can begin none is looked for: waking it costs less. */
	if (used > tx->mask || (from & (SHMRING_REC_ALIGN - 1)) ||
	    used >= shmring_load(&peer->wake_at))
		return true;
	return records <= used / sizeof(struct shmring_record) &&
	       shmring_lane_records(tx->data, tx->mask, from, records) == records;
}

/* Is there room enough for the producer in @slot, now that this consumer released? */
static bool shmring_enough_out(const struct shmring_handle *h, unsigned int slot)
{
	const struct shmring_group *g = h->group;
	const struct shmring_cursor *peer = h->cursor[slot];
	__u64 gate;
	int err = 0;

	switch (h->geo.topology) {
	case SHMRING_TOPO_QUEUE:
		err = shmring_queue_gate(g, slot, &gate);
		break;
	case SHMRING_TOPO_BROADCAST:
		/* pairs with the store-release in shmring_lane_publish() */
		err = shmring_broadcast_gate(g, slot, shmring_load_acquire(&peer->pos), &gate);
		break;
	default:
		gate = shmring_load(&h->mine->lane[slot].pos);
	}
	return err || (int64_t)(gate - shmring_load(&peer->wake_at)) >= 0;
}

/**
 * shmring_wake() - wake an endpoint if it armed itself
 * @h: handle
 * @slot: its slot
 *
 * A consumer that waits for more than a record takes none before there is enough, and one
 * that polls perhaps not now. What it waits for is asked after it was woken: if it has armed
 * anew it has looked since.
 *
 * Return: it slept, and takes any record at once: of a QUEUE nobody else need be woken for one.
 */
bool shmring_wake(struct shmring_handle *h, unsigned int slot)
{
	shmring_store(&h->mine->kicks, shmring_load(&h->mine->kicks) + 1);
	return h->ops->wake(h, slot) &&
	       (h->ops->wakes_all || shmring_load(&h->cursor[slot]->wake_at) == SHMRING_WAKE_ANY);
}

/**
 * shmring_notice() - after publishing or releasing: somebody is armed, or came or went
 * @h: handle with a group
 * @kick: as shmring_group_check() returned it, not 0
 *
 * A publication in a QUEUE is for one consumer that was asleep: one that is armed may have
 * been stopped or killed in its sleep, or has looked for the last time just before. Those
 * who poll, and those whose threshold it may reach, are woken besides.
 */
void shmring_notice(struct shmring_handle *h, int kick)
{
	bool producer = h->role == SHMRING_ROLE_PRODUCER, enough;
	bool one = h->ops->wakes_all || (producer && h->geo.topology == SHMRING_TOPO_QUEUE);
	bool met = false;
	unsigned int slot;
	uint32_t armed;
	int changed;

	if (kick > 1) {
		shmring_bias_due(h);
		return;
	}
	armed = shmring_group_armed(h->group, &changed);
	if (changed && producer && !h->lone)
		h->core.tx.limit = h->core.tx.tail;	/* the next reservation asks META */
	if (changed && !producer)
		h->in->join(h);
	if (armed)
		shmring_bias_catch_up(h);
	for (; armed; armed &= armed - 1) {
		slot = (unsigned int)__builtin_ctz(armed);
		if (slot < h->peers || slot >= h->peers_end)
			continue;
		enough = producer ? shmring_enough_in(h, slot) : shmring_enough_out(h, slot);
		if (enough) {
			met = true;
			if (shmring_wake(h, slot) && one)
				break;
		}
	}
	if (met)
		shmring_bias_met(h);
}

/* If peers came or went since the last look, let the consumer know. */
void shmring_group_look(struct shmring_handle *h)
{
	struct shmring_group *g = h->group;
	/* pairs with the store-release of the count by whoever begins or ends */
	uint64_t state = shmring_load_acquire(g->peers) & ~SHMRING_STATE_ARMED;

	if (state != g->quiet) {
		g->quiet = state;
		h->in->join(h);
	}
}

/*
 * Let busy producers get ahead, as shmring_let_ahead() does where there is one. What they
 * say decides no more than how long this lasts.
 */
void shmring_group_pace_in(struct shmring_handle *h)
{
	uint64_t enough = h->geo.data_size / SHMRING_AHEAD_PART, ahead = 0, before;
	unsigned int pauses = SHMRING_AHEAD_FIRST, k;

	if (!shmring_pace_dry(&h->pace, shmring_load(&h->mine->pos)))
		return;
	do {
		before = ahead;
		for (k = 0; k < pauses; k++)
			shmring_pause();
		pauses *= 2;
		ahead = h->in->ahead(h);
	} while (ahead > before && ahead < enough && pauses <= SHMRING_AHEAD_LAST);
	shmring_pace_got(&h->pace, ahead);
}

/* The lane is full: let busy consumers make room for more than one record. */
void shmring_group_pace_out(struct shmring_handle *h)
{
	const struct shmring_spsc_tx *tx = &h->core.tx;
	uint64_t enough = h->geo.data_size / SHMRING_AHEAD_PART, before;
	unsigned int pauses = SHMRING_AHEAD_FIRST, k;

	do {
		before = tx->limit;
		for (k = 0; k < pauses; k++)
			shmring_pause();
		pauses *= 2;
		if (h->out->refresh(h, 0))
			return;		/* the caller will find out */
	} while (tx->limit != before && tx->limit - tx->tail < enough &&
		 pauses <= SHMRING_AHEAD_LAST);
}
