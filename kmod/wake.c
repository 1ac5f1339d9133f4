// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is woken: arming, and KICK.
 *
 * Of an SPSC ring KICK goes by what the sleeper wrote into its CURSOR page, for it may
 * have armed without a call. With more endpoints only the kernel arms, has the bits in
 * META for its record of who is, and knows what they need.
 *
 * Ordering:
 *
 *   shmring_arm()   wake_at, store-release of armed (and of the bit in META), smp_mb,
 *                   read positions
 *     pairs with    shmring_spsc_armed(): position, full fence, load-acquire of
 *                   armed, wake_at; shmring_group_check(): position, full fence, bits;
 *                   shmring_tx_refresh(): want, full fence, bits
 *     so that       either the sleeper sees the position and does not sleep, or the
 *                   publisher sees armed and kicks
 *     or, where the publisher makes no fence, with shmring_meet() in its place
 *   shmring_wake()  clears armed, then wakes
 *     pairs with    prepare_to_wait() before shmring_ready() in shmring_wait(),
 *                   poll_wait() before it in shmring_poll(), add_wait_queue() before it
 *                   in shmring_uring_queue(): all queue, then look
 *
 * armed is written under ring->lock here, and without it by the endpoint itself.
 * Both may clear it only if a wake-up follows, so that no order of theirs loses one.
 */
#include <linux/eventfd.h>

#include "trace.h"

/* Never, as a position that is ahead of @pos. */
static u64 shmring_far(u64 pos)
{
	return pos + (1ULL << 62);
}

/* The earliest of several sleepers decides; the others sleep on. */
static void shmring_arm_spsc(struct shmring_cursor *cursor, u32 event, u64 size,
			     const struct shmring_need *need)
{
	u64 pos = READ_ONCE(cursor->pos), records = SHMRING_WAKE_NEVER;
	u64 at = need->bytes == U64_MAX ? shmring_far(pos) : pos + need->bytes;

	if (event == SHMRING_EV_OUT)
		at -= size;
	if (need->records != U64_MAX)
		records = READ_ONCE(cursor->records) + need->records;
	if (READ_ONCE(cursor->armed) == SHMRING_ARMED_YES) {
		u64 wake_at = READ_ONCE(cursor->wake_at);

		if ((s64)(at - wake_at) >= 0)
			at = wake_at;
		records = min(records, READ_ONCE(cursor->wake_records));
	}
	WRITE_ONCE(cursor->wake_at, at);
	WRITE_ONCE(cursor->wake_records, records);
}

static void shmring_arm_group(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 event,
			      const struct shmring_need *need)
{
	struct shmring_cursor *cursor = ring->cursor[ep->slot];
	bool again = *shmring_state_of(ring, ep->role) & BIT_ULL(ep->slot);
	u64 at, records = SHMRING_WAKE_NEVER;

	ep->need.bytes = again ? min(ep->need.bytes, need->bytes) : need->bytes;
	ep->need.records = again ? min(ep->need.records, need->records) : need->records;
	if (event == SHMRING_EV_IN)
		at = shmring_lane_share(ep, ring, &ep->need, &records);
	else
		at = READ_ONCE(cursor->pos) + ep->need.bytes - ring->data_size;
	WRITE_ONCE(cursor->wake_at, at);
	WRITE_ONCE(cursor->wake_records, records);
}

/*
 * What came while a share of what is missing was made out has not been asked for its own:
 * then every publication kicks.
 */
static void shmring_arm_share(struct shmring_endpoint *ep, struct shmring_ring *ring)
{
	struct shmring_cursor *cursor = ring->cursor[ep->slot];
	u64 records, at = shmring_lane_share(ep, ring, &ep->need, &records);

	if (at == READ_ONCE(cursor->wake_at) && records == READ_ONCE(cursor->wake_records))
		return;
	WRITE_ONCE(cursor->wake_at, 1);
	smp_mb();	/* pairs with the fence in shmring_group_check() */
}

/* Ask to be kicked when the event holds. Under ring->lock, which is dropped in between. */
static void shmring_arm(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 event,
			const struct shmring_need *need)
{
	struct shmring_cursor *cursor = ring->cursor[ep->slot];

	if (shmring_is_group(ring))
		shmring_arm_group(ep, ring, event, need);
	else
		shmring_arm_spsc(cursor, event, ring->data_size, need);
	/* wake_at first: pairs with the load-acquire in shmring_spsc_armed() */
	smp_store_release(&cursor->armed, SHMRING_ARMED_YES);
	if (shmring_is_group(ring)) {
		u64 *state = shmring_state_of(ring, ep->role);

		/* pairs with the load-acquire in shmring_group_armed() */
		smp_store_release(state, *state | BIT_ULL(ep->slot));
	}
	smp_mb();	/* pairs with the fence in shmring_spsc_armed(), _group_check() */
	shmring_meet(ep, ring);
	if (shmring_is_group(ring) && event == SHMRING_EV_IN)
		shmring_arm_share(ep, ring);
}

/* Peers need not kick any more. Under ring->lock. */
static void shmring_arm_end(struct shmring_ring *ring, u32 slot, u32 role)
{
	WRITE_ONCE(ring->cursor[slot]->armed, SHMRING_ARMED_NO);
	if (shmring_is_group(ring)) {
		u64 *state = shmring_state_of(ring, role);

		WRITE_ONCE(*state, *state & ~BIT_ULL(slot));
	}
}

/**
 * shmring_ready() - which events hold?
 * @ep: endpoint
 * @ring: its ring; ring->lock is held, with @arm not all the time (see shmring_meet())
 * @events: SHMRING_EV_*
 * @bytes: as need in &struct shmring_ioc_wait
 * @records: likewise
 * @arm: ask to be kicked first
 *
 * Return: SHMRING_EV_*, or -EPROTO.
 */
int shmring_ready(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 events,
		  u64 bytes, u64 records, bool arm)
{
	u32 data = events & SHMRING_EV_DATA;
	struct shmring_need need;
	int ready = 0, gone, holds;

	if (data) {
		need = shmring_need_of(ep, ring, data, bytes, records);
		/* An OVERWRITE producer never waits: spare consumers the kick. */
		if (arm && !(data == SHMRING_EV_OUT &&
			     ring->full_policy == SHMRING_FULL_OVERWRITE))
			shmring_arm(ep, ring, data, &need);
	}
	gone = shmring_peers_gone(ep, ring);
	if (data) {
		holds = shmring_holds(ep, ring, data, &need, gone);
		if (holds < 0)
			return holds;
		if (holds)
			ready |= data;
	}
	if (gone)
		ready |= events & SHMRING_EV_PEER;
	return ready;
}

/**
 * shmring_signal() - signal the eventfds of an endpoint
 * @ep: endpoint; ring->lock is held
 * @events: SHMRING_EV_*
 */
void shmring_signal(struct shmring_endpoint *ep, u32 events)
{
	int i;

	for (i = 0; i < SHMRING_EVENTS; i++)
		if ((events & BIT(i)) && ep->eventfd[i])
			shmring_eventfd_signal(ep->eventfd[i]);
}

/*
 * Wake an endpoint's sleepers. Under ring->lock; armed has been cleared.
 *
 * Without a key: aio and io_uring take a key for the answer and do not ask
 * shmring_poll() again, which is what arms for the next time.
 */
static void shmring_wake(struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 events)
{
	struct shmring_witness *witness = shmring_witness_of(ep, ring);

	trace_shmring_wake(ep, ring, events);
	if (witness)
		shmring_count(&witness->wakes);
	wake_up_all(&ep->wq);
	shmring_signal(ep, events);
}

/**
 * shmring_wake_all() - wake everybody: an endpoint with a slot has gone
 * @ring: ring; ring->lock is held
 */
void shmring_wake_all(struct shmring_ring *ring)
{
	struct shmring_endpoint *ep;

	list_for_each_entry(ep, &ring->endpoints, link)
		shmring_wake(ep, ring, shmring_data_event(ep, ring) |
				       (shmring_peers_gone(ep, ring) ? SHMRING_EV_PEER : 0));
}

/**
 * shmring_look_again() - have consumers compute anew what they ask each producer for
 * @ring: ring to which a producer has come; ring->lock is held
 * @lane: its lane. Who leaves that out is woken: the producer may need the room that
 *	nonsense is in before it can publish anything
 */
void shmring_look_again(struct shmring_ring *ring, u32 lane)
{
	u32 slot;

	for (slot = ring->producers; slot < ring->slots; slot++) {
		if (!(ring->meta->rx_state & BIT_ULL(slot)))
			continue;
		if (READ_ONCE(ring->cursor[slot]->lane[lane].left))
			shmring_wake(ring->slot[slot], ring, SHMRING_EV_IN);
		else if (ring->slot[slot]->need.bytes != 1)
			shmring_wake(ring->slot[slot], ring, 0);
	}
}

static unsigned int shmring_kick_spsc(struct shmring_ring *ring,
				      const struct shmring_endpoint *from)
{
	unsigned int woken = 0;
	u32 slot;

	for (slot = 0; slot < ring->slots; slot++) {
		const struct shmring_cursor *cursor = ring->cursor[slot];
		const struct shmring_cursor *other = ring->cursor[!slot];
		struct shmring_endpoint *peer = ring->slot[slot];

		if (!peer || peer == from || READ_ONCE(cursor->armed) != SHMRING_ARMED_YES)
			continue;
		if ((s64)(READ_ONCE(other->pos) - READ_ONCE(cursor->wake_at)) < 0 &&
		    READ_ONCE(other->records) < READ_ONCE(cursor->wake_records))
			continue;
		shmring_arm_end(ring, slot, peer->role);
		shmring_wake(peer, ring, shmring_data_event(peer, ring));
		woken++;
	}
	return woken;
}

/*
 * Does what an armed endpoint of a ring with several waits for hold? If a lane has its share
 * of a threshold and all together have less, shares are of no more use: from now on every
 * publication kicks.
 */
static bool shmring_holds_armed(const struct shmring_endpoint *ep, struct shmring_ring *ring,
				u32 event)
{
	int gone = shmring_peers_gone(ep, ring);

	if (shmring_holds(ep, ring, event, &ep->need, gone))
		return true;
	if (event != SHMRING_EV_IN || !shmring_share_reached(ep, ring))
		return false;
	WRITE_ONCE(ring->cursor[ep->slot]->wake_at, 1);
	smp_mb();	/* pairs with the fence in shmring_group_check() */
	return shmring_holds(ep, ring, event, &ep->need, gone);
}

/**
 * shmring_kick_role() - wake the endpoints of a role that asked for it
 * @ring: ring with several; ring->lock is held
 * @role: PRODUCER, or CONSUMER: then of a QUEUE in turn, and no more once one is sure to
 *	look, for no record needs two: one in WAIT. Who has asked by poll, an eventfd or io_uring
 *	may be busy with another record, or has asked and gone
 *
 * Return: how many were woken.
 */
unsigned int shmring_kick_role(struct shmring_ring *ring, u32 role)
{
	bool consumer = role == SHMRING_ROLE_CONSUMER;
	bool one = consumer && ring->topology == SHMRING_TOPO_QUEUE;
	u32 event = consumer ? SHMRING_EV_IN : SHMRING_EV_OUT;
	u32 first = consumer ? ring->producers : 0;
	u32 count = consumer ? ring->consumers : ring->producers;
	const u64 *state = shmring_state_of(ring, role);
	unsigned int woken = 0;
	u32 k, slot;

	for (k = 0; k < count && (*state & SHMRING_STATE_ARMED); k++) {
		struct shmring_endpoint *peer;
		bool last;

		slot = first + (one ? (ring->turn + k) % count : k);
		if (!(*state & BIT_ULL(slot)))
			continue;
		peer = ring->slot[slot];
		if (!shmring_holds_armed(peer, ring, event))
			continue;
		/* Before they go. Who ends its WAIT without a record passes the kick on. */
		last = one && atomic_read(&peer->sleepers);
		shmring_arm_end(ring, slot, role);
		shmring_wake(peer, ring, event);
		woken++;
		if (last) {
			ring->turn = (slot - first + 1) % count;
			break;
		}
	}
	return woken;
}

/**
 * shmring_kick_peers() - wake those that asked for it
 * @ep: endpoint that has published, released or claimed
 * @ring: its ring, of records; ring->lock is held
 */
void shmring_kick_peers(const struct shmring_endpoint *ep, struct shmring_ring *ring)
{
	struct shmring_witness *witness = shmring_witness_of(ep, ring);
	unsigned int woken = 0;

	if (!shmring_is_group(ring)) {
		woken = shmring_kick_spsc(ring, ep);
	} else {
		/* A consumer of a QUEUE that found more than its own has the next one woken. */
		if (ep->role != SHMRING_ROLE_CONSUMER || ring->topology == SHMRING_TOPO_QUEUE)
			woken += shmring_kick_role(ring, SHMRING_ROLE_CONSUMER);
		if (ep->role != SHMRING_ROLE_PRODUCER)
			woken += shmring_kick_role(ring, SHMRING_ROLE_PRODUCER);
	}
	trace_shmring_kick(ep, ring, woken);
	if (witness) {
		shmring_count(&witness->kicks);
		if (!woken)
			shmring_count(&witness->kicks_idle);
	}
}

/**
 * shmring_kick() - KICK
 * @ep: endpoint that has published
 *
 * Return: 0, -EOPNOTSUPP (no records in this ring).
 */
int shmring_kick(struct shmring_endpoint *ep)
{
	struct shmring_ring *ring = ep->ring;

	if (!ring->producers)
		return -EOPNOTSUPP;
	spin_lock(&ring->lock);
	shmring_kick_peers(ep, ring);
	spin_unlock(&ring->lock);
	return 0;
}

/**
 * shmring_disarm() - somebody does not sleep any more: spare the peers their kick
 * @ep: endpoint
 * @ring: its ring
 * @empty: it goes without a record: a kick that came meanwhile for this consumer of a
 *	QUEUE is somebody else's
 */
void shmring_disarm(struct shmring_endpoint *ep, struct shmring_ring *ring, bool empty)
{
	spin_lock(&ring->lock);
	/* Who queues, queues before arming under this lock: seen here, or arms after. */
	if (!waitqueue_active(&ep->wq) && !ep->eventfd[ilog2(SHMRING_EV_IN)] &&
	    !ep->eventfd[ilog2(SHMRING_EV_OUT)])
		shmring_arm_end(ring, ep->slot, ep->role);
	if (empty && ring->topology == SHMRING_TOPO_QUEUE && ep->role == SHMRING_ROLE_CONSUMER)
		shmring_kick_role(ring, SHMRING_ROLE_CONSUMER);
	spin_unlock(&ring->lock);
}
