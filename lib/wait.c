// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Waiting: what holds now, who is gone, spinning, arming, sleeping.
 *
 * Arming is store wake_at, store-release armed, full fence, look once more. The
 * fence in shmring_arm_begin() pairs with the one in shmring_fence_published(): either
 * the sleeper sees the new position, or the publisher sees armed and wakes (bias.c has
 * what a publisher does without that fence). Who clears armed for another endpoint wakes
 * it afterwards.
 *
 * META tells who lives. On the device the kernel keeps it true; on the memfd backend
 * it is true after shmring_probe(), which asks the lock of each endpoint that is
 * said to live; who has no slot asks for itself (shmring_slot_state()). A peer that is gone
 * is asked for anew each time: a new endpoint may have taken its slot.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "internal.h"

#define SHMRING_EV_DATA		(SHMRING_EV_IN | SHMRING_EV_OUT)
#define SHMRING_PROBE_NS	10000000ull
/* Without a deadline and without sleep: how often to look up from the ring. */
#define SHMRING_SPIN_SLICE_NS	1000000ull
#define SHMRING_SPIN_LOOKS	16
/* So many times that, and then the CPU is offered to others each time. */
#define SHMRING_SPIN_STAY	4
/* Further away than any position that a ring gets to. */
#define SHMRING_FAR		(1ull << 62)

static uint64_t shmring_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t shmring_now(void)
{
	return shmring_clock(CLOCK_MONOTONIC);
}

/**
 * shmring_slot_state() - what is true of a slot of which META says something
 * @h: handle
 * @slot: the slot
 * @state: what META says: SHMRING_SLOT_*
 *
 * Who has no slot does not correct META, and may be the only one who is left.
 */
uint32_t shmring_slot_state(const struct shmring_handle *h, unsigned int slot, uint32_t state)
{
	uint64_t at = h->geo.cursor_offset + slot * h->geo.cursor_stride;
	uint32_t copy;
	const uint32_t *closed;

	if (state != SHMRING_SLOT_LIVE || h->mine || !h->ops->lives || h->ops->lives(h, slot))
		return state;
	closed = shmring_look_at(h, at + offsetof(struct shmring_cursor, closed), sizeof(copy),
				 &copy);
	return closed && shmring_load(closed) ? SHMRING_SLOT_CLOSED : SHMRING_SLOT_DEAD;
}

/**
 * shmring_gone() - did every peer that there was go?
 * @h: handle
 *
 * Return: 0, -EPIPE (in order), -EOWNERDEAD.
 */
int shmring_gone(const struct shmring_handle *h)
{
	struct shmring_slot copy[SHMRING_SLOTS_MAX];
	const struct shmring_slot *slots = shmring_look_at(h, offsetof(struct shmring_meta, slot),
							   sizeof(copy), copy);
	unsigned int slot;
	int err = 0;

	for (slot = h->peers; slots && slot < h->peers_end; slot++) {
		if (slot == h->slot)
			continue;
		/* pairs with the store-release of whoever ends or begins an endpoint */
		switch (shmring_slot_state(h, slot, shmring_load_acquire(&slots[slot].state))) {
		case SHMRING_SLOT_LIVE:
			return 0;
		case SHMRING_SLOT_DEAD:
			err = -EOWNERDEAD;
			break;
		case SHMRING_SLOT_CLOSED:
			if (!err)
				err = -EPIPE;
			break;
		}
	}
	return err;
}

/*
 * The same where it is an error: a producer of a BROADCAST ring goes on alone, and a consumer
 * of a QUEUE is to have first what others have left.
 */
int shmring_ended(const struct shmring_handle *h)
{
	return h->lone || shmring_claim_again(h) ? 0 : shmring_gone(h);
}

/*
 * Make META true about the peers; only who has a slot writes there. Who did so, or came, and was
 * killed before it had woken all has left that to do.
 */
void shmring_probe(struct shmring_handle *h)
{
	const struct shmring_meta *meta = shmring_meta(h);
	unsigned int slot;

	if (!h->ops->probe || !h->mine)
		return;
	for (slot = 0; slot < h->geo.slots; slot++)
		if (slot != h->slot &&
		    shmring_load(&meta->slot[slot].state) == SHMRING_SLOT_LIVE)
			h->ops->probe(h, slot);
	h->ops->probe(h, h->slot);
}

/* The same for callers that come by very often. Return: was it time? */
bool shmring_probe_due(struct shmring_handle *h)
{
	uint64_t now;

	now = shmring_clock(CLOCK_MONOTONIC_COARSE);
	if (now - h->pace.probed < SHMRING_PROBE_NS)
		return false;
	h->pace.probed = now;
	shmring_probe(h);
	return true;
}

static uint64_t shmring_need(const struct shmring_handle *h, uint64_t need)
{
	if (need)
		return need;
	need = h->mine ? shmring_load(&h->mine->want) : 0;
	return need ? need : sizeof(struct shmring_record);
}

static bool shmring_ready(struct shmring_handle *h, const struct shmring_goal *goal)
{
	return ((goal->events & SHMRING_EV_IN) && (h->untold || h->in->ready(h, goal))) ||
	       ((goal->events & SHMRING_EV_OUT) &&
		h->out->ready(h, shmring_need(h, goal->need)));
}

/**
 * shmring_events() - which of some events hold
 * @h: handle
 * @goal: events that its role can have, and how much of it
 */
uint32_t shmring_events(struct shmring_handle *h, const struct shmring_goal *goal)
{
	uint32_t ready = 0;

	if (shmring_ready(h, goal))
		ready = goal->events & SHMRING_EV_DATA;
	if ((goal->events & SHMRING_EV_PEER) && shmring_gone(h))
		ready |= SHMRING_EV_PEER;
	return ready;
}

/*
 * From which position of the peer, or bytes in a lane, on there may be enough. Where a thread
 * sleeps as well for who polls (notify.c), that one was woken does not say that a record is taken.
 */
static uint64_t shmring_wake_at(const struct shmring_handle *h, const struct shmring_goal *goal)
{
	uint64_t any = h->group && h->notify ? SHMRING_WAKE_NEXT : SHMRING_WAKE_ANY;
	uint64_t pos = h->group && h->in ? 0 : shmring_load(&h->mine->pos), share;

	if (h->group && h->in && goal->need) {
		share = shmring_share(h, goal->need, false);
		return share > SHMRING_WAKE_ANY ? share : SHMRING_WAKE_NEXT;
	}
	if (goal->events & SHMRING_EV_OUT)
		return pos + shmring_need(h, goal->need) + SHMRING_REC_TAIL - h->geo.data_size;
	if ((goal->events & SHMRING_EV_IN) && (goal->need || !goal->records))
		return pos + (goal->need ? goal->need : any);
	return pos + SHMRING_FAR;
}

static uint64_t shmring_wake_records(const struct shmring_handle *h,
				     const struct shmring_goal *goal)
{
	if (!(goal->events & SHMRING_EV_IN) || !goal->records)
		return SHMRING_WAKE_NEVER;
	return h->group ? shmring_share(h, goal->records, true) :
			  goal->records + h->core.rx.records;
}

/* Whose bit says that this endpoint is armed; NULL: no bits, or they are the kernel's. */
static __aligned_u64 *shmring_armed_word(const struct shmring_handle *h)
{
	struct shmring_meta *meta = shmring_meta(h);

	if (!h->group || h->ops->arm)
		return NULL;
	return h->in ? &meta->rx_state : &meta->tx_state;
}

/*
 * What came while a share of what is missing was made out has not been asked for its own:
 * then every publication wakes.
 */
static void shmring_arm_share(struct shmring_handle *h, const struct shmring_goal *goal)
{
	if (shmring_wake_at(h, goal) == shmring_load(&h->mine->wake_at) &&
	    shmring_wake_records(h, goal) == shmring_load(&h->mine->wake_records))
		return;
	shmring_store(&h->mine->wake_at, SHMRING_WAKE_NEXT);
	/* pairs with the fence in shmring_group_check(), shmring_bias_catch_up() */
	shmring_fence();
}

void shmring_arm_begin(struct shmring_handle *h, const struct shmring_goal *goal)
{
	__aligned_u64 *word = shmring_armed_word(h);

	shmring_store(&h->mine->wake_at, shmring_wake_at(h, goal));
	shmring_store(&h->mine->wake_records, shmring_wake_records(h, goal));
	/* pairs with the load-acquire in shmring_spsc_armed() */
	shmring_store_release(&h->mine->armed, SHMRING_ARMED_YES);
	if (word)
		/* pairs with the load-acquire in shmring_group_check() */
		__atomic_fetch_or(word, 1ull << h->slot, __ATOMIC_SEQ_CST);
	shmring_fence();	/* pairs with the fence in shmring_spsc_armed(), group_check() */
	shmring_bias_meet(h);
	if (h->group && h->in && (goal->need || goal->records))
		shmring_arm_share(h, goal);
}

void shmring_arm_end(struct shmring_handle *h)
{
	__aligned_u64 *word = shmring_armed_word(h);

	if (word)
		__atomic_fetch_and(word, ~(1ull << h->slot), __ATOMIC_SEQ_CST);
	shmring_store(&h->mine->armed, SHMRING_ARMED_NO);
}

/*
 * Look at the ring until something is there, nobody is left, or the time is over. With @give_way
 * others soon get this CPU: where there are more processes than CPUs what is waited for may need
 * it. Two of an SPSC ring that spin have one each, and whoever else waits for them would keep
 * it for milliseconds.
 */
static bool shmring_spin(struct shmring_handle *h, const struct shmring_goal *goal,
			 uint64_t now, uint64_t until, bool give_way)
{
	uint64_t probe = now + SHMRING_PROBE_NS;
	unsigned int k, slice = 0;

	do {
		if (now >= probe) {
			probe = now + SHMRING_PROBE_NS;
			shmring_probe(h);
			if (shmring_gone(h))
				return false;
		}
		if (give_way && ++slice > SHMRING_SPIN_STAY)
			sched_yield();
		for (k = 0; k < SHMRING_SPIN_LOOKS; k++) {
			if (shmring_ready(h, goal))
				return true;
			shmring_pause();
		}
		now = shmring_now();
	} while (now < until);
	return false;
}

/*
 * Spinning does not pay, so maybe who is waited for needs this CPU: to run it costs less
 * than to sleep and to be woken. Among many somebody does; of two it is learnt.
 */
static bool shmring_give_way(struct shmring_handle *h, const struct shmring_goal *goal)
{
	uint64_t since;
	bool ready;

	if (h->group) {
		sched_yield();
		return shmring_ready(h, goal);
	}
	if (!shmring_pace_yields(&h->pace))
		return false;
	since = shmring_now();
	sched_yield();
	ready = shmring_ready(h, goal);
	shmring_pace_yielded(&h->pace, ready, shmring_now() - since);
	return ready;
}

/**
 * shmring_spin_first() - spin, as the handle and the ring have it
 * @h: handle
 * @goal: what for
 * @deadline: not SHMRING_NOWAIT
 * @always: obey SHMRING_SPIN_ALWAYS and SHMRING_CREATE_SPIN
 *
 * Return: true: look again, and do not sleep; false: nothing came, sleep.
 */
bool shmring_spin_first(struct shmring_handle *h, const struct shmring_goal *goal,
			uint64_t deadline, bool always)
{
	bool forever = h->pace.spin_max == UINT64_MAX || (h->geo.flags & SHMRING_CREATE_SPIN);
	uint64_t now, until, budget;

	if (!h->pace.spin_max && !h->pace.learn && !forever)
		return false;
	if (forever && !always)
		return false;
	budget = forever ? SHMRING_SPIN_SLICE_NS : shmring_pace_budget(&h->pace);
	if (!budget)
		return shmring_give_way(h, goal);
	now = shmring_now();
	until = now + budget < now ? UINT64_MAX : now + budget;
	if (until > deadline)
		until = deadline;
	if (shmring_spin(h, goal, now, until, forever && h->group)) {
		shmring_pace_won(&h->pace);
		return true;
	}
	if (forever) {
		shmring_probe_due(h);
		return shmring_now() < deadline;
	}
	shmring_pace_lost(&h->pace, budget);
	return false;
}

/* Is it too late to look again? For what seemed to be ready and was not. Return: 0, -ETIMEDOUT. */
int shmring_late(uint64_t deadline)
{
	return deadline != SHMRING_FOREVER && shmring_now() >= deadline ? -ETIMEDOUT : 0;
}

/**
 * shmring_sleep() - sleep until something may have happened
 * @h: handle
 * @goal: what for
 * @deadline: not SHMRING_NOWAIT
 *
 * Return: 0: look again; -ETIMEDOUT, -EINTR and the like: look once more, then fail.
 */
int shmring_sleep(struct shmring_handle *h, const struct shmring_goal *goal, uint64_t deadline)
{
	int err = shmring_late(deadline);

	if (!err) {
		if (h->mine)
			shmring_store(&h->mine->sleeps, shmring_load(&h->mine->sleeps) + 1);
		err = h->ops->sleep(h, goal, deadline);
	}
	/* It may be that no sleep of this caller lasts until deaths are looked for. */
	if (err)
		shmring_probe_due(h);
	return err;
}

/* May this handle wait for these events? */
int shmring_check_events(const struct shmring_handle *h, uint32_t events)
{
	uint32_t known = SHMRING_EV_PEER;

	if (shmring_is_producer(h))
		known |= SHMRING_EV_OUT;
	if (shmring_is_consumer(h))
		known |= SHMRING_EV_IN;
	return !events || (events & ~known) ? -EINVAL : 0;
}

/* What holds, or that nothing more will come. What was left is enough, however little. */
static int shmring_wait_look(struct shmring_handle *h, const struct shmring_goal *goal)
{
	const struct shmring_goal any = { goal->events, 0, 0 };
	int gone = shmring_gone(h);	/* before the ring: what a peer left is seen first */
	bool in = goal->events & SHMRING_EV_IN;
	uint32_t ready = shmring_events(h, gone && in ? &any : goal);

	if (gone && !h->lone && !(goal->events & SHMRING_EV_PEER) && !(ready & SHMRING_EV_IN) &&
	    !shmring_claim_again(h))
		return gone;
	return (int)ready;
}

/*
 * About to sleep for records: a producer that tells of some that are not there is not waited
 * for. Receiving will tell: now, or when it comes to where they should be.
 */
static bool shmring_wait_lies(struct shmring_handle *h, const struct shmring_goal *goal)
{
	int err;

	if (!(goal->events & SHMRING_EV_IN))
		return false;
	err = h->in->check(h);
	if (err && h->group)
		h->untold = err;	/* such a lane is told of once */
	return err || ((goal->need || goal->records) && h->in->gap(h));
}

static int shmring_wait_goal(struct shmring_handle *h, const struct shmring_goal *goal,
			     uint64_t deadline)
{
	int ready, err = 0;

	if (goal->events & SHMRING_EV_OUT)
		shmring_flush(&h->core);	/* nobody can free what he does not see */
	if (deadline == SHMRING_NOWAIT) {
		shmring_probe(h);
		ready = shmring_wait_look(h, goal);
		return ready ? ready : -EAGAIN;
	}
	for (;;) {
		ready = shmring_wait_look(h, goal);
		if (ready)
			return ready;
		if (err)
			return err;
		if ((goal->events & SHMRING_EV_DATA) &&
		    shmring_spin_first(h, goal, deadline, false))
			continue;
		if (shmring_wait_lies(h, goal))
			return SHMRING_EV_IN;
		err = shmring_sleep(h, goal, deadline);
	}
}

int shmring_wait_for(struct shmring *r, uint32_t events, uint64_t bytes, uint64_t records,
		     uint64_t deadline)
{
	struct shmring_handle *h = shmring_handle(r);
	struct shmring_goal goal = { events, bytes, records };
	int err = shmring_check_events(h, events);

	if (err)
		return err;
	if ((bytes && !(events & SHMRING_EV_DATA)) || (records && !(events & SHMRING_EV_IN)))
		return -EINVAL;
	if ((events & SHMRING_EV_OUT) && bytes) {
		if (bytes > h->geo.max_record)
			return -ERANGE;
		goal.need = shmring_record_size(bytes);
	}
	if ((events & SHMRING_EV_IN) &&
	    (bytes > h->geo.data_size - SHMRING_REC_TAIL ||
	     records > h->geo.data_size / sizeof(struct shmring_record) - 1))
		return -ERANGE;
	if ((h->geo.flags & SHMRING_CREATE_SPIN) && (events & SHMRING_EV_DATA) &&
	    deadline != SHMRING_NOWAIT)
		return -EOPNOTSUPP;
	return shmring_wait_goal(h, &goal, deadline);
}

int shmring_wait(struct shmring *r, uint32_t events, uint64_t deadline)
{
	return shmring_wait_for(r, events, 0, 0, deadline);
}

int shmring_arm(struct shmring *r, uint32_t events)
{
	struct shmring_handle *h = shmring_handle(r);
	const struct shmring_goal goal = { events, 0, 0 };
	/*
	 * Who polls may be busy when it is told: of a QUEUE it is told besides another, as who
	 * has a threshold.
	 */
	const struct shmring_goal besides = {
		events, events & SHMRING_EV_IN && h->geo.topology == SHMRING_TOPO_QUEUE, 0
	};
	uint32_t data = events & SHMRING_EV_DATA;
	int ready, err = shmring_check_events(h, events);

	if (err)
		return err;
	if (events & SHMRING_EV_OUT)
		shmring_flush(r);
	if (h->ops->rearm)
		h->ops->rearm(h, events);
	if ((h->geo.flags & SHMRING_CREATE_SPIN) && data) {
		ready = shmring_wait_look(h, &goal);
		return ready > 0 ? ready : ready < 0 ? (int)data : -EOPNOTSUPP;
	}
	if (data) {
		shmring_arm_begin(h, &besides);
		if (h->ops->arm && (h->group || shmring_bias_unfenced(h)))
			h->ops->arm(h, events);
	}
	ready = shmring_wait_look(h, &goal);
	if (ready) {
		if (data)
			shmring_arm_end(h);
		/* Gone, and not asked about it: the next call on the ring tells. */
		return ready > 0 ? ready : (int)data;
	}
	if (h->ops->armed)
		h->ops->armed(h, events);
	return 0;
}

int shmring_pollfd(struct shmring *r)
{
	struct shmring_handle *h = shmring_handle(r);

	return h->ops->pollfd(h);
}

int shmring_set_eventfd(struct shmring *r, uint32_t events, int efd)
{
	struct shmring_handle *h = shmring_handle(r);
	int err = shmring_check_events(h, events);

	if (err)
		return err;
	if (efd < -1)
		return -EBADF;
	if ((h->geo.flags & SHMRING_CREATE_SPIN) && (events & SHMRING_EV_DATA))
		return -EOPNOTSUPP;
	return h->ops->set_eventfd(h, events, efd);
}
