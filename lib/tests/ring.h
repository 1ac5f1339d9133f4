/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * A ring of any topology on plain memory, for tests of the ring core alone: META, CURSOR
 * pages, SHARED and lanes are as they are mapped from a device, and endpoints begin and
 * end as the kernel makes them. Memory is shared with children, not with anybody else.
 *
 * Begin and end are for one process at a time: that is the lock of the real thing.
 */
#ifndef SHMRING_TESTS_RING_H
#define SHMRING_TESTS_RING_H

#include "test.h"

#include <shmring/broadcast.h>
#include <shmring/mpsc.h>
#include <shmring/overwrite.h>
#include <shmring/queue.h>

#define RING_SLOTS	8
#define RING_PAGE	4096u
#define RING_GUARD	65536u

struct ring {
	__u32 topology;
	__u32 producers;
	__u32 consumers;
	__u32 overwrite;
	__u64 size;
	struct shmring_meta *meta;
	struct shmring_shared *shared;
	struct shmring_cursor *cursor[RING_SLOTS];
	unsigned char *data[RING_SLOTS];
	void *control;
	size_t control_size;
};

struct ring_tx {
	struct ring *r;
	struct shmring_group g;
	struct shmring_spsc_tx tx;
};

struct ring_rx {
	struct ring *r;
	__u32 slot;
	int kick;		/* what the last look for a record found to do, of several lanes */
	union {
		struct shmring_spsc_rx rx;
		struct shmring_merge m;
		struct shmring_claims c;
	};
};

/* Pages with nothing before and after them. */
static inline void *ring_map(size_t size, int fd, size_t times)
{
	unsigned char *p = mmap(NULL, times * size + 2 * RING_GUARD, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t k;

	if (p == MAP_FAILED)
		abort();
	for (k = 0; k < times; k++)
		if (mmap(p + RING_GUARD + k * size, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0),
			 fd, 0) == MAP_FAILED)
			abort();
	return p + RING_GUARD;
}

static inline void ring_unmap(void *p, size_t size)
{
	munmap((unsigned char *)p - RING_GUARD, size + 2 * RING_GUARD);
}

/* Empty, all slots vacant. */
static inline void ring_reset(struct ring *r)
{
	__u32 k;

	memset(r->control, 0, r->control_size);
	r->meta->topology = r->topology;
	r->meta->producers = r->producers;
	for (k = 0; k < r->producers; k++)
		memset(r->data[k], 0, r->size);
}

static inline void ring_make(struct ring *r, __u32 topology, __u32 producers, __u32 consumers,
			     __u64 size, int overwrite)
{
	unsigned char *p;
	__u32 k;
	int fd;

	memset(r, 0, sizeof(*r));
	r->topology = topology;
	r->producers = producers;
	r->consumers = consumers;
	r->overwrite = (__u32)overwrite;
	r->size = size;
	r->control_size = (2 + producers + consumers) * RING_PAGE;
	p = ring_map(r->control_size, -1, 1);
	r->control = p;
	r->meta = (void *)p;
	for (k = 0; k < producers + consumers; k++)
		r->cursor[k] = (void *)(p + (1 + k) * RING_PAGE);
	r->shared = (void *)(p + (1 + producers + consumers) * RING_PAGE);
	for (k = 0; k < producers; k++) {
		fd = memfd_create("lane", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)size))
			abort();
		r->data[k] = ring_map(size, fd, 2);
		close(fd);
	}
	ring_reset(r);
}

static inline void ring_free(struct ring *r)
{
	__u32 k;

	for (k = 0; k < r->producers; k++)
		ring_unmap(r->data[k], 2 * r->size);
	ring_unmap(r->control, r->control_size);
}

static inline struct shmring_group ring_group(struct ring *r, __u32 slot)
{
	struct shmring_group g = {
		.meta = r->meta,
		.cursor = r->cursor,
		.shared = r->shared,
		.peers = slot < r->producers ? &r->meta->rx_state : &r->meta->tx_state,
		.producers = r->producers,
		.consumers = r->consumers,
		.slot = slot,
	};

	g.quiet = __atomic_load_n(g.peers, __ATOMIC_ACQUIRE) & ~SHMRING_STATE_ARMED;
	return g;
}

/* Those who look at the slots of this one's role are to look again. */
static inline void ring_count(struct ring *r, __u32 slot)
{
	__u64 *count = slot < r->producers ? &r->meta->tx_state : &r->meta->rx_state;

	__atomic_fetch_add(count, SHMRING_STATE_ARMED + 1, __ATOMIC_SEQ_CST);
}

/* The state of a slot changes, and then the count of those who came or went. */
static inline void ring_state(struct ring *r, __u32 slot, __u32 state)
{
	if (state == SHMRING_SLOT_LIVE)
		r->meta->slot[slot].generation++;
	SHMRING_STEP();
	__atomic_store_n(&r->meta->slot[slot].state, state, __ATOMIC_RELEASE);
	SHMRING_STEP();
	ring_count(r, slot);
}

static inline int ring_tickets(const struct ring *r)
{
	return (r->topology == SHMRING_TOPO_MPSC || r->topology == SHMRING_TOPO_BROADCAST) &&
	       r->producers > 1;
}

/*
 * As by a library: the slot is live, and everybody may know it, before the lane is in order.
 * Return: as the functions of the core that recover.
 */
static inline int ring_tx_begin(struct ring *r, __u32 slot, struct ring_tx *t)
{
	struct shmring_spsc_tx *tx = &t->tx;
	__u64 pos;
	int ret;

	memset(t, 0, sizeof(*t));
	t->r = r;
	t->g = ring_group(r, slot);
	tx->data = r->data[slot];
	tx->mask = r->size - 1;
	tx->fence = 1;
	tx->mine = r->cursor[slot];
	if (ring_tickets(r))
		tx->chain = SHMRING_REC_CHAIN;
	tx->mine->want = 0;
	if (r->topology == SHMRING_TOPO_BROADCAST || r->topology == SHMRING_TOPO_MPSC) {
		pos = shmring_load(&tx->mine->pos);
		if (r->topology == SHMRING_TOPO_BROADCAST && !r->overwrite) {
			pos = shmring_broadcast_told(&t->g, slot, r->size);
			shmring_store(&tx->mine->pos, pos);
		}
		shmring_store(&r->meta->begin[slot], pos);
	}
	ring_state(r, slot, SHMRING_SLOT_LIVE);
	switch (r->topology) {
	case SHMRING_TOPO_SPSC:
		tx->peer = r->cursor[1];
		ret = shmring_spsc_recover(tx);
		break;
	case SHMRING_TOPO_MPSC:
		pos = shmring_load_acquire(&r->cursor[r->producers]->lane[slot].pos);
		ret = pos & (SHMRING_REC_ALIGN - 1) ? -EPROTO : shmring_lane_recover(tx, pos);
		break;
	case SHMRING_TOPO_QUEUE:
		ret = shmring_queue_recover(tx, &t->g);
		break;
	default:
		ret = shmring_broadcast_recover(tx, (int)r->overwrite);
		break;
	}
	if (ret < 0)
		ring_state(r, slot, SHMRING_SLOT_CLOSED);
	return ret;
}

static inline void *ring_reserve(struct ring_tx *t, size_t len, int *err)
{
	struct shmring_spsc_tx *tx = &t->tx;
	void *p = shmring_spsc_reserve(tx, len);

	*err = 0;
	if (p)
		return p;
	switch (t->r->topology) {
	case SHMRING_TOPO_SPSC:
		*err = shmring_spsc_refresh(tx);
		break;
	case SHMRING_TOPO_MPSC:
		*err = shmring_mpsc_refresh(tx, &t->g);
		break;
	case SHMRING_TOPO_QUEUE:
		*err = shmring_queue_refresh(tx, &t->g);
		break;
	default:
		if (!t->r->overwrite)
			shmring_broadcast_refresh(tx, &t->g);
		else if (!tx->hold_word)
			shmring_overwrite_advance(tx, len);
		break;
	}
	if (*err)
		return NULL;
	p = shmring_spsc_reserve(tx, len);
	if (!p)
		*err = -EAGAIN;
	return p;
}

static inline int ring_publish(struct ring_tx *t)
{
	if (!t->tx.hold_word)
		return 0;
	if (t->r->topology == SHMRING_TOPO_SPSC)
		return shmring_spsc_publish(&t->tx);
	return shmring_lane_publish(&t->tx, &t->g, ring_tickets(t->r));
}

/*
 * A payload: words that all say which record it is, so that a torn one is seen. Relaxed:
 * of an OVERWRITE ring it is read while it is written.
 */
static inline void ring_fill(void *p, size_t len, __u32 id)
{
	size_t k;

	for (k = 0; k < len / 4; k++)
		__atomic_store_n((__u32 *)p + k, id, __ATOMIC_RELAXED);
}

/* Return: what record it is, or ~0: not whole. */
static inline __u32 ring_id(const void *p, long len)
{
	__u32 id = __atomic_load_n((const __u32 *)p, __ATOMIC_RELAXED);
	long k;

	for (k = 1; k < len / 4; k++)
		if (__atomic_load_n((const __u32 *)p + k, __ATOMIC_RELAXED) != id)
			return ~0u;
	return id;
}

static inline int ring_put(struct ring_tx *t, __u32 id, size_t len)
{
	int err;
	void *p = ring_reserve(t, len, &err);

	if (!p)
		return err;
	ring_fill(p, len, id);
	shmring_spsc_put(&t->tx, len);
	return 0;
}

static inline int ring_send(struct ring_tx *t, __u32 id, size_t len)
{
	int err = ring_put(t, id, len);

	return err ? err : ring_publish(t);
}

/* An OVERWRITE lane: where to begin. */
static inline int ring_mark(struct ring *r, __u32 l, struct shmring_merge_lane *lane)
{
	return shmring_overwrite_mark(r->cursor[l], r->size, 1, &lane->done, &lane->records);
}

/* A consumer of a BROADCAST ring is live: this is where it begins. */
static inline void ring_join_lanes(struct ring_rx *x)
{
	struct ring *r = x->r;
	__u32 l;

	for (l = 0; l < r->producers && !r->overwrite; l++)
		shmring_store_release(&x->m.mine->lane[l].pos,
				      shmring_broadcast_join(r->cursor[l]));
}

/* What a consumer of MPSC or BROADCAST does then: of the device in a call of its own. */
static inline void ring_join_start(struct ring_rx *x)
{
	struct ring *r = x->r;
	struct shmring_merge *m = &x->m;
	__u32 l;

	for (l = 0; l < r->producers; l++) {
		struct shmring_merge_lane *lane = &m->lane[l];

		lane->data = r->data[l];
		shmring_merge_producer(m, l);
		if (!r->overwrite)
			lane->done = shmring_load(&m->mine->lane[l].pos);
		else if (ring_mark(r, l, lane))
			abort();	/* nobody writes while somebody joins here */
	}
	shmring_merge_begin(m);
	shmring_merge_join(m);
}

static inline void ring_join(struct ring_rx *x)
{
	if (x->r->topology == SHMRING_TOPO_BROADCAST)
		ring_join_lanes(x);
	ring_join_start(x);
}

/* Everything but what looks at the producers: see ring_join(). */
static inline void ring_rx_enter(struct ring *r, __u32 slot, struct ring_rx *x)
{
	struct shmring_cursor *mine = r->cursor[slot];
	__u32 l;

	memset(x, 0, sizeof(*x));
	x->r = r;
	x->slot = slot;
	if (r->topology == SHMRING_TOPO_SPSC) {
		x->rx.data = r->data[0];
		x->rx.mask = r->size - 1;
		x->rx.done = mine->pos;
		x->rx.head = mine->pos;
		x->rx.bound = mine->pos;
		x->rx.records = mine->records;
		x->rx.fence = 1;
		x->rx.mine = mine;
		x->rx.peer = r->cursor[0];
	} else if (r->topology == SHMRING_TOPO_QUEUE) {
		mine->hold = 0;
		x->c.g = ring_group(r, slot);
		x->c.mine = mine;
		x->c.mask = r->size - 1;
		x->c.records = mine->records;
		x->c.fence = 1;
		for (l = 0; l < r->producers; l++)
			x->c.data[l] = r->data[l];
	} else {
		x->m.g = ring_group(r, slot);
		x->m.mine = mine;
		x->m.mask = r->size - 1;
		x->m.records = mine->records;
		x->m.lost = mine->lost;
		x->m.last = SHMRING_NO_LANE;
		x->m.turn = SHMRING_NO_LANE;
		x->m.first = SHMRING_NO_LANE;
		x->m.tickets = (__u32)ring_tickets(r);
		x->m.fence = 1;
		x->m.overwrite = r->overwrite;
		x->m.rejoin = r->topology == SHMRING_TOPO_BROADCAST;
		for (l = 0; l < r->producers && r->topology == SHMRING_TOPO_BROADCAST; l++)
			__atomic_store_n(&mine->lane[l].pos, SHMRING_POS_JOINING,
					 __ATOMIC_RELEASE);
	}
	ring_state(r, slot, SHMRING_SLOT_LIVE);
}

static inline void ring_rx_begin(struct ring *r, __u32 slot, struct ring_rx *x)
{
	ring_rx_enter(r, slot, x);
	if (r->topology == SHMRING_TOPO_MPSC || r->topology == SHMRING_TOPO_BROADCAST)
		ring_join(x);
}

/* As everybody does before a claim: who came or went? */
static inline void ring_look(struct ring_rx *x)
{
	struct shmring_group *g = &x->c.g;
	__u64 state = shmring_load_acquire(g->peers) & ~SHMRING_STATE_ARMED;

	if (state == g->quiet)
		return;
	g->quiet = state;
	shmring_claim_join(&x->c);
}

/*
 * The next record, stepped over. @claim: how many a QUEUE consumer claims at once.
 * Return: bytes, or an error; *@id: which.
 */
static inline long ring_next(struct ring_rx *x, __u32 *id, unsigned int claim)
{
	const void *p = NULL;
	long len;

	if (x->r->topology == SHMRING_TOPO_SPSC) {
		len = shmring_spsc_peek(&x->rx, &p);
	} else if (x->r->topology == SHMRING_TOPO_QUEUE) {
		ring_look(x);
		len = shmring_claim(&x->c, claim);
		x->kick = shmring_claim_withdrawn(&x->c);
		if (!len)
			len = shmring_claim_peek(&x->c, &p);
	} else {
		len = shmring_merge_peek(&x->m, &p);
		x->kick = shmring_merge_skipped(&x->m);
	}
	if (len < 0)
		return len;
	*id = ring_id(p, len);
	if (x->r->topology == SHMRING_TOPO_SPSC)
		shmring_spsc_next(&x->rx, len);
	else if (x->r->topology == SHMRING_TOPO_QUEUE)
		shmring_claim_next(&x->c, len);
	else
		shmring_merge_next(&x->m, len);
	return len;
}

static inline void ring_rewind(struct ring_rx *x)
{
	if (x->r->topology == SHMRING_TOPO_SPSC)
		shmring_spsc_rewind(&x->rx);
	else if (x->r->topology == SHMRING_TOPO_QUEUE)
		shmring_claim_rewind(&x->c);
	else
		shmring_merge_rewind(&x->m);
}

/*
 * Take over what a dead consumer of a QUEUE had claimed, the own slot's first. Return:
 * whether there was any.
 */
static inline int ring_adopt(struct ring_rx *x)
{
	struct ring *r = x->r;
	struct shmring_orphan *mine = &r->meta->orphan[x->slot], *o;
	__u32 slot;

	for (slot = r->producers; mine->state == SHMRING_ORPHAN_NONE; slot++) {
		if (slot == r->producers + r->consumers)
			return 0;
		o = &r->meta->orphan[slot];
		if (o->state != SHMRING_ORPHAN_WAITING)
			continue;
		mine->lane = o->lane;
		mine->pos = o->pos;
		mine->end = o->end;
		__atomic_store_n(&mine->state, SHMRING_ORPHAN_TAKEN, __ATOMIC_RELEASE);
		ring_count(r, x->slot);
		__atomic_store_n(&o->state, SHMRING_ORPHAN_NONE, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&mine->state, SHMRING_ORPHAN_TAKEN, __ATOMIC_RELEASE);
	if (shmring_claim_adopted(&x->c, mine->lane, mine->pos, mine->end))
		abort();
	ring_count(r, x->slot);
	SHMRING_STEP();
	__atomic_store_n(&mine->state, SHMRING_ORPHAN_NONE, __ATOMIC_RELEASE);
	return 1;
}

static inline int ring_release(struct ring_rx *x)
{
	if (x->r->topology == SHMRING_TOPO_SPSC)
		return shmring_spsc_release(&x->rx);
	if (x->r->topology != SHMRING_TOPO_QUEUE)
		return shmring_merge_release(&x->m);
	return shmring_claim_release(&x->c);
}

/* An endpoint is gone. What a consumer of a QUEUE held becomes an orphan before. */
static inline void ring_end(struct ring *r, __u32 slot, __u32 state)
{
	struct shmring_orphan *o = &r->meta->orphan[slot];
	struct shmring_group g = ring_group(r, slot);

	shmring_tally_settle(r->meta, r->cursor[slot], slot);
	if (r->topology == SHMRING_TOPO_QUEUE && slot >= r->producers &&
	    (o->state == SHMRING_ORPHAN_TAKEN || shmring_claim_made(&g, slot, o, r->size - 1)))
		__atomic_store_n(&o->state, SHMRING_ORPHAN_WAITING, __ATOMIC_RELEASE);
	ring_state(r, slot, state);
}

#endif /* SHMRING_TESTS_RING_H */
