// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Consumers of QUEUE rings: claims (queue.h), what dead consumers left behind, and the
 * chain of wake-ups: a publication wakes one consumer, and one that leaves something for
 * others wakes the next.
 */
#include <errno.h>

#include "internal.h"

#define SHMRING_CLAIM_QUICK_NS	10000	/* a record */
#define SHMRING_ADOPT_AGAIN_NS	10000000ull

static int shmring_claim_start(struct shmring_handle *h)
{
	struct shmring_claims *c = &h->many->claims;
	uint32_t l;

	shmring_group_start(h, &c->g);
	c->mine = h->mine;
	c->mask = h->geo.data_size - 1;
	c->records = shmring_load(&h->mine->records);
	c->fence = !(h->geo.flags & SHMRING_CREATE_SPIN);
	c->turn = h->slot % h->geo.producers;	/* not all at the same lane */
	for (l = 0; l < h->geo.producers; l++) {
		c->data[l] = shmring_lane(h, l);
		c->generation[l] = shmring_load(&c->g.meta->slot[l].generation);
	}
	c->most = 1;
	h->batch = 1;
	return 0;
}

/*
 * A claim costs two cache lines that other consumers want, so where there is plenty of
 * records more than one is claimed: twice as many each time while this consumer is quick
 * with them, and one after the other if it is not, lest records wait for it that others
 * could have.
 */
static void shmring_claim_learn(struct shmring_handle *h)
{
	struct shmring_many *many = h->many;
	struct shmring_claims *c = &many->claims;
	uint64_t now, quick = (uint64_t)c->claimed * SHMRING_CLAIM_QUICK_NS;

	if (c->claimed < c->most || h->claim_max < 2) {	/* no plenty: nothing to learn */
		many->since = 0;
		return;
	}
	now = shmring_now();
	if (many->since && now - many->since > quick)
		c->most = 1;
	else if (many->since && c->most < h->claim_max)
		c->most = c->most * 2 < h->claim_max ? c->most * 2 : h->claim_max;
	many->since = now;
}

/**
 * shmring_claim_left() - are there records of the dead to be read
 * @h: handle; of any kind, and in any thread
 *
 * By anybody or by this slot's consumer.
 */
bool shmring_claim_left(const struct shmring_handle *h)
{
	const struct shmring_meta *meta = shmring_meta(h);

	return h->in == &shmring_claim_in &&
	       (shmring_load(&meta->orphans) ||
		shmring_load(&meta->orphan[h->slot].state) != SHMRING_ORPHAN_NONE);
}

/* And is it time to try? */
static bool shmring_claim_orphans(const struct shmring_handle *h)
{
	return shmring_claim_left(h) &&
	       (!h->many->adopt_at || h->many->adopt_at <= shmring_now());
}

/**
 * shmring_claim_again() - when to ask again for records that the dead have left
 * @h: handle
 *
 * Until then they are not ready; nor is the ring at its end, although it may seem so.
 *
 * Return: 0: there are none, or nothing keeps them from this endpoint.
 */
uint64_t shmring_claim_again(const struct shmring_handle *h)
{
	return h->many && h->many->adopt_at && shmring_claim_left(h) ? h->many->adopt_at : 0;
}

/* Return: 0, or -EAGAIN: somebody else was first, or keeps everybody from them. */
static int shmring_claim_adopt(struct shmring_handle *h)
{
	struct shmring_claims *c = &h->many->claims;
	struct shmring_ioc_adopt orphan = {
		.size = sizeof(orphan),
		.op = SHMRING_ADOPT_TAKE,
	};
	int err = h->ops->adopt(h, &orphan);

	h->many->adopt_at = err == -EBUSY ? shmring_now() + SHMRING_ADOPT_AGAIN_NS : 0;
	if (err == -EBUSY)
		return -EAGAIN;
	if (err)
		return err == -ENOENT ? -EAGAIN : err;
	/* On the memfd backend anybody may have written it. */
	err = shmring_claim_adopted(c, orphan.lane, orphan.pos, orphan.end);
	if (err)
		return err;
	orphan.op = SHMRING_ADOPT_DONE;
	h->ops->adopt(h, &orphan);
	return 0;
}

static uint64_t shmring_claim_front(const struct shmring_claims *c, uint32_t l)
{
	/* pairs with the swap in shmring_claim_try() */
	return shmring_tagged_pos(shmring_load_acquire(&c->g.shared->head[l].claim));
}

static bool shmring_claim_lane_ready(const struct shmring_claims *c, uint32_t l,
				     uint64_t need, uint64_t records)
{
	uint64_t front = shmring_claim_front(c, l);

	if (!need && !records)
		/* pairs with the store-release in shmring_lane_publish() */
		return shmring_load_acquire(shmring_claim_word(c, l, front));
	/* pairs with the store-release in shmring_lane_publish() */
	if (need && (int64_t)(shmring_load_acquire(&c->g.cursor[l]->pos) - front - need) >= 0)
		return true;
	return records && records != SHMRING_WAKE_NEVER &&
	       shmring_lane_records(c->data[l], c->mask, front, records) == records;
}

static bool shmring_claim_any(const struct shmring_claims *c, uint64_t need, uint64_t records)
{
	uint32_t l;

	for (l = 0; l < c->g.producers; l++)
		if (!(c->broken & 1u << l) && shmring_claim_lane_ready(c, l, need, records))
			return true;
	return false;
}

static uint64_t shmring_claim_amount(const struct shmring_handle *h, bool records)
{
	const struct shmring_claims *c = &h->many->claims;
	uint64_t sum = 0, front, end;
	uint32_t l;

	for (l = 0; l < c->g.producers; l++) {
		if (c->broken & 1u << l)
			continue;
		front = shmring_claim_front(c, l);
		/* pairs with the store-release in shmring_lane_publish() */
		end = shmring_load_acquire(&c->g.cursor[l]->pos);
		if (records)
			sum += shmring_lane_records(c->data[l], c->mask, front, c->mask);
		else
			sum += shmring_lane_bytes(c->data[l], c->mask, front, end);
	}
	return sum;
}

static bool shmring_claim_gap(const struct shmring_handle *h)
{
	const struct shmring_claims *c = &h->many->claims;
	uint64_t front;
	uint32_t l;

	for (l = 0; l < c->g.producers; l++) {
		if (c->broken & 1u << l)
			continue;
		front = shmring_claim_front(c, l);
		/* pairs with the store-release in shmring_lane_publish() */
		if (shmring_lane_gap(c->data[l], c->mask, front,
				     shmring_load_acquire(&c->g.cursor[l]->pos)) &&
		    /* The front after the words: what was claimed may be written again. */
		    shmring_claim_front(c, l) == front)
			return true;
	}
	return false;
}

/* There is more than what was claimed: the next sleeper's turn, as in shmring_notice(). */
static void shmring_claim_chain(struct shmring_handle *h)
{
	const struct shmring_claims *c = &h->many->claims;
	/* pairs with the full fence between the bit and the look in whoever arms */
	uint32_t armed = (uint32_t)shmring_load_acquire(&c->g.meta->rx_state);
	const struct shmring_cursor *other;
	unsigned int slot;

	for (armed &= ~(1u << h->slot); armed; armed &= armed - 1) {
		slot = (unsigned int)__builtin_ctz(armed);
		if (slot < h->geo.producers || slot >= h->geo.slots)
			continue;
		other = h->cursor[slot];
		if (shmring_claim_any(c, shmring_load(&other->wake_at),
				      shmring_records_of(h, slot)) &&
		    shmring_wake(h, slot))
			return;
	}
}

static int shmring_claim_more(struct shmring_handle *h)
{
	struct shmring_claims *c = &h->many->claims;
	int err = -EAGAIN, kick;

	if (c->head != c->end)
		return 0;
	if (c->ahead)
		return -EAGAIN;		/* a batch is one claim */
	if (shmring_unlikely(shmring_claim_orphans(h)))
		err = shmring_claim_adopt(h);
	if (err != -EAGAIN)
		return err;
	shmring_group_look(h);
	shmring_claim_learn(h);
	err = shmring_claim(c, h->batch);
	kick = shmring_claim_withdrawn(c);
	if (shmring_unlikely(kick))
		shmring_notice(h, kick);
	if (!err && shmring_unlikely((uint32_t)shmring_load(&c->g.meta->rx_state)))
		shmring_claim_chain(h);
	return err;
}

static void shmring_claim_back(struct shmring_handle *h)
{
	shmring_claim_rewind(&h->many->claims);
}

static int shmring_claim_give_back(struct shmring_handle *h, int kick)
{
	struct shmring_claims *c = &h->many->claims;

	shmring_store(&h->mine->pos, shmring_load(&h->mine->pos) + (c->head - c->pos));
	kick = shmring_claim_release(c);
	if (kick)
		shmring_notice(h, kick);
	return 0;
}

static long shmring_claim_first(struct shmring_handle *h, const void **payload)
{
	struct shmring_claims *c = &h->many->claims;
	long len = shmring_claim_more(h);

	if (len)
		return len;
	len = shmring_claim_peek(c, payload);
	if (len < 0 && c->ahead)
		return -EAGAIN;		/* a batch ends there; told of when it is the first */
	if (len < 0) {
		/* Changed after it was claimed: nobody can read it. The lane goes on behind it. */
		c->head = c->end;
		shmring_claim_give_back(h, 0);
	}
	return len;
}

static int shmring_claim_lies(struct shmring_handle *h)
{
	return shmring_claim_check(&h->many->claims);
}

static void shmring_claim_over(struct shmring_handle *h, long len)
{
	shmring_claim_next(&h->many->claims, len);
	h->core.rx.ahead++;
}

static bool shmring_claim_ready(struct shmring_handle *h, const struct shmring_goal *goal)
{
	struct shmring_claims *c = &h->many->claims;

	shmring_group_look(h);
	if (shmring_unlikely(c->broken))
		shmring_claim_mend(c);
	return c->pos != c->end || shmring_claim_orphans(h) ||
	       (!goal->need && !goal->records ? shmring_claim_any(c, 0, 0) :
						shmring_amount_ready(h, goal));
}

static void shmring_claim_joined(struct shmring_handle *h)
{
	shmring_claim_join(&h->many->claims);
}

/* Of what is claimed already. */
static long shmring_claim_recv(struct shmring_handle *h, void *buf, size_t cap)
{
	struct shmring_claims *c = &h->many->claims;
	const void *payload;
	long len;
	int kick;

	if (c->ahead || h->untold)
		return -EAGAIN;
	len = shmring_claim_peek(c, &payload);
	if (len < 0 || (size_t)len > cap)
		return -EAGAIN;
	shmring_copy(buf, payload, (size_t)len);
	shmring_claim_next(c, len);
	shmring_store(&h->mine->pos, shmring_load(&h->mine->pos) + (c->head - c->pos));
	kick = shmring_claim_release(c);
	if (kick)
		shmring_notice(h, kick);
	return len;
}

/* A batch is one claim. */
static unsigned int shmring_claim_drain(struct shmring_handle *h, struct iovec *msgs,
					unsigned int n)
{
	struct shmring_claims *c = &h->many->claims;
	const void *payload;
	unsigned int k;
	long len;

	for (k = 0; k < n; k++) {
		len = shmring_claim_peek(c, &payload);
		if (len < 0 || (size_t)len > msgs[k].iov_len)
			break;
		if (len)
			shmring_copy(msgs[k].iov_base, payload, (size_t)len);
		if (shmring_unlikely(msgs[k].iov_len != (size_t)len))
			msgs[k].iov_len = (size_t)len;
		shmring_claim_next(c, len);
	}
	h->core.rx.ahead += k;
	return k;
}

static uint64_t shmring_claim_ahead(const struct shmring_handle *h)
{
	const struct shmring_claims *c = &h->many->claims;
	uint64_t ahead = 0, more;
	uint32_t l;

	for (l = 0; l < c->g.producers; l++) {
		if (c->broken & 1u << l)
			continue;
		more = shmring_load(&c->g.cursor[l]->pos) - shmring_claim_front(c, l);
		ahead += (int64_t)more > 0 ? more : 0;
	}
	return ahead;
}

const struct shmring_in shmring_claim_in = {
	.start = shmring_claim_start,
	.peek = shmring_claim_first,
	.next = shmring_claim_over,
	.check = shmring_claim_lies,
	.rewind = shmring_claim_back,
	.release = shmring_claim_give_back,
	.ready = shmring_claim_ready,
	.amount = shmring_claim_amount,
	.gap = shmring_claim_gap,
	.join = shmring_claim_joined,
	.recv = shmring_claim_recv,
	.drain = shmring_claim_drain,
	.ahead = shmring_claim_ahead,
};
