// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds: one rule for each topology, computed from the ring's positions.
 *
 * Positions are what endpoints wrote into their CURSOR pages and into SHARED, so they
 * may be anything. They decide who wakes and nothing else. A distance that cannot be is
 * EPROTO for whom it stops: the consumer of an SPSC ring, and a producer. A consumer of
 * several lanes is told to look, leaves the liar's lane out, and says so in its CURSOR page:
 * it is not told of the same again. A lying front of a
 * QUEUE is no more than a lane without records, and a consumer of a BROADCAST ring that
 * says to be farther behind than can be is a slow one.
 *
 * Callers hold ring->lock, so nobody comes or goes meanwhile; positions move.
 */
#include <shmring/broadcast.h>
#include <shmring/queue.h>

#include "shmring.h"

#define SHMRING_LOOKS	4	/* at positions that move apart while they are read */

/**
 * shmring_data_event() - the event of records or space that an endpoint can have
 * @ep: endpoint
 * @ring: its ring
 *
 * Return: SHMRING_EV_IN, SHMRING_EV_OUT, or 0: none.
 */
u32 shmring_data_event(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	if (!ring->producers)
		return 0;
	switch (ep->role) {
	case SHMRING_ROLE_PRODUCER:
		return SHMRING_EV_OUT;
	case SHMRING_ROLE_CONSUMER:
		return SHMRING_EV_IN;
	default:
		return 0;
	}
}

/**
 * shmring_need_of() - what has to be there for an event to hold
 * @ep: endpoint
 * @ring: its ring
 * @event: SHMRING_EV_IN or SHMRING_EV_OUT
 * @bytes: as in &struct shmring_ioc_wait
 * @records: likewise
 */
struct shmring_need shmring_need_of(const struct shmring_endpoint *ep,
				    const struct shmring_ring *ring, u32 event, u64 bytes,
				    u64 records)
{
	struct shmring_need need = { .bytes = bytes, .records = records ?: U64_MAX };

	if (event == SHMRING_EV_IN) {
		if (!bytes)
			need.bytes = records ? U64_MAX : 1;
		return need;
	}
	if (!bytes)
		bytes = max_t(u64, READ_ONCE(ring->cursor[ep->slot]->want),
			      sizeof(struct shmring_record));
	need.bytes = min_t(u64, bytes, ring->data_size - SHMRING_REC_TAIL) + SHMRING_REC_TAIL;
	return need;
}

/* Records published and not released, as far as endpoints tell. */
static u64 shmring_records_ahead(const struct shmring_endpoint *ep,
				 const struct shmring_ring *ring)
{
	u64 ahead = -READ_ONCE(ring->cursor[ep->slot]->records);
	u32 slot;

	for (slot = 0; slot < ring->producers; slot++)
		ahead += READ_ONCE(ring->cursor[slot]->records);
	return (s64)ahead > 0 ? ahead : 0;
}

/*
 * The consumer's position is read first: it is behind. Both may move in between when
 * another thread works on the ring while this one waits, so a distance that cannot be
 * counts only if the consumer stood still; if it never does, there is something to do.
 */
static int shmring_holds_spsc(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			      u32 event, const struct shmring_need *need, bool gone)
{
	const u64 *consumer = &ring->cursor[SHMRING_SLOT_CONSUMER]->pos;
	const u64 *producer = &ring->cursor[SHMRING_SLOT_PRODUCER]->pos;
	int looks;

	for (looks = 0; looks < SHMRING_LOOKS; looks++) {
		/* pairs with the store-release in shmring_spsc_release() */
		u64 head = smp_load_acquire(consumer);
		/* pairs with the store-release in shmring_spsc_publish() */
		u64 tail = smp_load_acquire(producer);
		u64 used = shmring_spsc_used(tail, head, ring->data_size);

		if (used == SHMRING_SPSC_IMPOSSIBLE) {
			if (READ_ONCE(*consumer) == head)
				return -EPROTO;
			continue;
		}
		if (event == SHMRING_EV_OUT)
			return ring->data_size - used >= need->bytes;
		return used >= need->bytes ||
		       (used && (gone || shmring_records_ahead(ep, ring) >= need->records));
	}
	return 1;
}

/*
 * Has a consumer looked at what is in a lane, and found it to be no record? Its own word for
 * that may be a lie as well, to its own loss. A lane that is overwritten may have records
 * elsewhere by now: with another limit it is to look again.
 */
static bool shmring_lane_left(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			      u32 lane, u64 pos)
{
	const struct shmring_lane_pos *mine = &ring->cursor[ep->slot]->lane[lane];
	u64 left = READ_ONCE(mine->left);

	return left && READ_ONCE(mine->left_at) == pos &&
	       upper_32_bits(left) == ring->meta->slot[lane].generation &&
	       lower_32_bits(left) == shmring_lane_word(ring, lane, pos) &&
	       (ring->full_policy != SHMRING_FULL_OVERWRITE ||
		READ_ONCE(mine->left_limit) == READ_ONCE(ring->cursor[lane]->limit));
}

/*
 * Is there a record that its producer was killed over before it had told its position? Consumers
 * find it, and nobody else tells them of it.
 */
static bool shmring_lane_untold(const struct shmring_ring *ring, u32 lane, u64 pos)
{
	return ring->meta->slot[lane].state == SHMRING_SLOT_DEAD &&
	       shmring_lane_word(ring, lane, pos);
}

/*
 * Is a consumer ahead of where its lane's producer tells to be, with nothing published there? It
 * is to look, and to go back: the rule is that of shmring_merge_farther().
 */
static bool shmring_lane_farther(const struct shmring_ring *ring, u32 lane, u64 pos, u64 told)
{
	return ring->topology != SHMRING_TOPO_QUEUE &&
	       ring->full_policy != SHMRING_FULL_OVERWRITE &&
	       ring->meta->slot[lane].generation > 1 &&
	       (ring->topology == SHMRING_TOPO_BROADCAST || told != ring->meta->begin[lane] ||
		/* pairs with the write barrier in shmring_lane_recover() */
		smp_load_acquire(&ring->cursor[lane]->want)) &&
	       IS_ALIGNED(told, SHMRING_REC_ALIGN) && pos - told - 1 < ring->data_size - 1 &&
	       !shmring_lane_word(ring, lane, told) &&
	       READ_ONCE(ring->cursor[lane]->pos) == told;
}

/* Bytes that a consumer finds in a lane; SHMRING_SPSC_IMPOSSIBLE: let it look. */
static u64 shmring_lane_used(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			     u32 lane)
{
	bool queue = ring->topology == SHMRING_TOPO_QUEUE;
	bool overwrite = ring->full_policy == SHMRING_FULL_OVERWRITE;
	const u64 *head = queue ? &ring->group.shared->head[lane].claim :
				  &ring->cursor[ep->slot]->lane[lane].pos;
	int looks;

	for (looks = 0; looks < SHMRING_LOOKS; looks++) {
		/* pairs with the swap in shmring_claim_try(), shmring_merge_tell() */
		u64 word = smp_load_acquire(head);
		u64 pos = queue ? shmring_tagged_pos(word) : word;
		/* pairs with the store-release in shmring_lane_publish() */
		u64 tail = smp_load_acquire(&ring->cursor[lane]->pos);
		u64 used = shmring_spsc_used(tail, pos, ring->data_size);

		/* Lapped, or where a liar sent it: a mark says where it goes on. */
		if (overwrite && shmring_overwritten(ring->cursor[lane], pos, ring->data_size))
			used = ring->data_size;
		if (!used && shmring_lane_untold(ring, lane, pos))
			used = sizeof(struct shmring_record);
		if (!used && shmring_lane_farther(ring, lane, pos, tail))
			used = SHMRING_SPSC_IMPOSSIBLE;
		if (used && shmring_lane_left(ep, ring, lane, pos))
			return 0;
		if (used != SHMRING_SPSC_IMPOSSIBLE)
			return used;
		if (READ_ONCE(*head) == word)
			return queue ? 0 : SHMRING_SPSC_IMPOSSIBLE;
	}
	return SHMRING_SPSC_IMPOSSIBLE;
}

/*
 * Does a consumer of a QUEUE have records in its hands? It may have claimed more than it
 * has looked at, and as in the other topologies a record is there until it is released.
 */
static bool shmring_in_hands(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	return (READ_ONCE(ring->cursor[ep->slot]->hold) & SHMRING_HOLD_VALID) ||
	       ring->meta->orphan[ep->slot].state != SHMRING_ORPHAN_NONE;
}

static int shmring_holds_in(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			    const struct shmring_need *need, bool gone)
{
	u64 total = 0;
	u32 lane;

	if (ring->topology == SHMRING_TOPO_QUEUE &&
	    (ring->meta->orphans || shmring_in_hands(ep, ring)))
		return 1;
	for (lane = 0; lane < ring->producers; lane++) {
		u64 used = shmring_lane_used(ep, ring, lane);

		if (used == SHMRING_SPSC_IMPOSSIBLE)
			return 1;
		total += used;
	}
	return total >= need->bytes ||
	       (total && (gone || shmring_records_ahead(ep, ring) >= need->records));
}

/* How far nobody reads in a producer's lane any more. -EAGAIN: a consumer is joining. */
static int shmring_lane_gated(const struct shmring_ring *ring, u32 lane, u64 tail, u64 *gate)
{
	switch (ring->topology) {
	case SHMRING_TOPO_MPSC:
		/* pairs with the store-release in shmring_merge_tell() */
		*gate = smp_load_acquire(&ring->cursor[ring->producers]->lane[lane].pos);
		return 0;
	case SHMRING_TOPO_QUEUE:
		return shmring_queue_gate(&ring->group, lane, gate);
	default:
		return shmring_broadcast_gate(&ring->group, lane, tail, gate);
	}
}

static int shmring_holds_out(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
			     const struct shmring_need *need)
{
	const u64 *producer = &ring->cursor[ep->slot]->pos;
	u64 gate, again, tail, used;
	int looks;

	if (ring->full_policy == SHMRING_FULL_OVERWRITE)
		return 1;
	for (looks = 0; looks < SHMRING_LOOKS; looks++) {
		if (shmring_lane_gated(ring, ep->slot, READ_ONCE(*producer), &gate))
			return 0;
		/* pairs with the store-release in shmring_lane_publish() */
		tail = smp_load_acquire(producer);
		used = shmring_spsc_used(tail, gate, ring->data_size);
		if (used != SHMRING_SPSC_IMPOSSIBLE)
			return ring->data_size - used >= need->bytes;
		if (shmring_lane_gated(ring, ep->slot, READ_ONCE(*producer), &again))
			return 0;
		if (again != gate)
			continue;
		/* Far behind: a claim that is about to be taken back, or one who goes back. */
		return ring->topology != SHMRING_TOPO_MPSC && (s64)(tail - gate) > 0 ? 0 : -EPROTO;
	}
	return 1;
}

/**
 * shmring_holds() - does the event of records or space hold?
 * @ep: endpoint
 * @ring: its ring; ring->lock is held
 * @event: SHMRING_EV_IN or SHMRING_EV_OUT
 * @need: what has to be there
 * @gone: all producers are: what is left is all there will be
 *
 * Return: 0, 1, or -EPROTO.
 */
int shmring_holds(const struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 event,
		  const struct shmring_need *need, bool gone)
{
	if (!shmring_is_group(ring))
		return shmring_holds_spsc(ep, ring, event, need, gone);
	return event == SHMRING_EV_IN ? shmring_holds_in(ep, ring, need, gone) :
					shmring_holds_out(ep, ring, need);
}

/**
 * shmring_peers_gone() - did every peer go that there ever was?
 * @ep: endpoint; its peers are those of the other role, where there are roles
 * @ring: its ring; without ring->lock the answer is that of a moment ago
 *
 * Return: 0, -EPIPE, -EOWNERDEAD.
 */
int shmring_peers_gone(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	u32 first = 0, end = ring->slots, slot;
	int err = 0;

	if (ring->producers && ep->role == SHMRING_ROLE_PRODUCER)
		first = ring->producers;
	else if (ring->producers && ep->role == SHMRING_ROLE_CONSUMER)
		end = ring->producers;
	for (slot = first; slot < end; slot++) {
		if (slot == ep->slot)
			continue;
		/* pairs with the store-release in shmring_join(), shmring_unbind() */
		switch (smp_load_acquire(&ring->meta->slot[slot].state)) {
		case SHMRING_SLOT_LIVE:
			return 0;
		case SHMRING_SLOT_DEAD:
			err = -EOWNERDEAD;
			break;
		case SHMRING_SLOT_CLOSED:
			err = err ?: -EPIPE;
			break;
		}
	}
	return err;
}

/**
 * shmring_lane_share() - how much must be in some lane before all have what is needed
 * @ep: consumer of several lanes
 * @ring: its ring; ring->lock is held
 * @need: what all lanes together shall have
 * @records: out: records that some producer has to add
 *
 * What is missing some live producer has to add its share of. A producer that joins makes
 * the share smaller: see shmring_look_again().
 *
 * Return: bytes.
 */
u64 shmring_lane_share(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
		       const struct shmring_need *need, u64 *records)
{
	u64 rest = need->bytes, ahead;
	u32 lane, live = 0;

	for (lane = 0; lane < ring->producers; lane++) {
		if (ring->meta->slot[lane].state == SHMRING_SLOT_LIVE)
			live++;
		if (rest != U64_MAX)
			rest -= min(rest, shmring_lane_used(ep, ring, lane));
	}
	live = max(live, 1u);
	*records = SHMRING_WAKE_NEVER;
	if (need->records != U64_MAX) {
		ahead = shmring_records_ahead(ep, ring);
		*records = max(need->records - min(need->records, ahead), (u64)live);
		*records = div_u64(*records, live);
	}
	return rest == U64_MAX ? SHMRING_WAKE_NEVER : max(div_u64(rest, live), 1ULL);
}

/**
 * shmring_share_reached() - does a lane have what an armed consumer asked each for?
 * @ep: consumer of several lanes, armed
 * @ring: its ring; ring->lock is held
 *
 * Of records the kernel does not know how many are in which lane: they may.
 */
bool shmring_share_reached(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	const struct shmring_cursor *cursor = ring->cursor[ep->slot];
	u64 at = READ_ONCE(cursor->wake_at);
	u32 lane;

	if (READ_ONCE(cursor->wake_records) != SHMRING_WAKE_NEVER)
		return true;
	for (lane = 0; lane < ring->producers; lane++)
		if (shmring_lane_used(ep, ring, lane) >= at)
			return true;
	return false;
}
