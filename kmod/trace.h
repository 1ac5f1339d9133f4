/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: everything that happens to a ring but the passing of records, which no
 * call comes with. See Documentation/trace.rst for what to do with them.
 *
 * In all of them @ring is the ring's identity and @slot the endpoint's place in it
 * (observers: -1). Positions are what endpoints wrote into their CURSOR pages, so they may
 * be anything. The process that makes the call is the event's own common_pid; @pid is the
 * one that attached the endpoint, as the initial PID namespace numbers it.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shmring

#if !defined(SHMRING_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SHMRING_TRACE_H

#include <linux/tracepoint.h>

#include "shmring.h"

#ifndef SHMRING_TRACE_HELPERS
#define SHMRING_TRACE_HELPERS

static inline const struct shmring_cursor *
shmring_trace_cursor(const struct shmring_endpoint *ep, const struct shmring_ring *ring)
{
	return ep->slot == SHMRING_NO_SLOT ? NULL : ring->cursor[ep->slot];
}

static inline u64 shmring_trace_pos(const struct shmring_endpoint *ep,
				    const struct shmring_ring *ring)
{
	const struct shmring_cursor *cursor = shmring_trace_cursor(ep, ring);

	return cursor ? READ_ONCE(cursor->pos) : 0;
}

static inline u64 shmring_trace_records(const struct shmring_endpoint *ep,
					const struct shmring_ring *ring)
{
	const struct shmring_cursor *cursor = shmring_trace_cursor(ep, ring);

	return cursor ? READ_ONCE(cursor->records) : 0;
}

#endif /* SHMRING_TRACE_HELPERS */

#define shmring_show_topology(topology)					\
	__print_symbolic(topology,					\
			 { SHMRING_TOPO_SPSC, "spsc" },			\
			 { SHMRING_TOPO_MPSC, "mpsc" },			\
			 { SHMRING_TOPO_QUEUE, "queue" },		\
			 { SHMRING_TOPO_BROADCAST, "broadcast" },	\
			 { SHMRING_TOPO_RAW, "raw" })

#define shmring_show_policy(policy)					\
	__print_symbolic(policy,					\
			 { SHMRING_FULL_WAIT, "wait" },			\
			 { SHMRING_FULL_DROP_NEWEST, "drop-newest" },	\
			 { SHMRING_FULL_OVERWRITE, "overwrite" })

#define shmring_show_role(role)						\
	__print_flags(role, "|",					\
		      { SHMRING_ROLE_PRODUCER, "producer" },		\
		      { SHMRING_ROLE_CONSUMER, "consumer" },		\
		      { SHMRING_ROLE_OBSERVER, "observer" })

#define shmring_show_events(events)					\
	__print_flags(events, "|",					\
		      { SHMRING_EV_IN, "in" },				\
		      { SHMRING_EV_OUT, "out" },			\
		      { SHMRING_EV_PEER, "peer" })

#define shmring_show_slot_state(state)					\
	__print_symbolic(state,						\
			 { SHMRING_SLOT_VACANT, "none" },		\
			 { SHMRING_SLOT_LIVE, "live" },			\
			 { SHMRING_SLOT_CLOSED, "closed" },		\
			 { SHMRING_SLOT_DEAD, "dead" })

#define shmring_show_orphan_state(state)				\
	__print_symbolic(state,						\
			 { SHMRING_ORPHAN_NONE, "done" },		\
			 { SHMRING_ORPHAN_WAITING, "waiting" },		\
			 { SHMRING_ORPHAN_TAKEN, "taken" })

#define shmring_show_limit(limit)					\
	__print_symbolic(limit,						\
			 { SHMRING_LIMIT_MEMLOCK, "memlock" },		\
			 { SHMRING_LIMIT_USER, "max_user_bytes" },	\
			 { SHMRING_LIMIT_TOTAL, "max_bytes" })

TRACE_DEFINE_ENUM(SHMRING_LIMIT_MEMLOCK);
TRACE_DEFINE_ENUM(SHMRING_LIMIT_USER);
TRACE_DEFINE_ENUM(SHMRING_LIMIT_TOTAL);

DECLARE_EVENT_CLASS(shmring_ring,
	TP_PROTO(const struct shmring_ring *ring),
	TP_ARGS(ring),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, data_size)
		__field(u64, page_size)
		__field(u32, topology)
		__field(u32, policy)
		__field(u32, producers)
		__field(u32, consumers)
		__field(u32, slots)
		__field(int, node)
		__array(char, name, SHMRING_NAME_MAX)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->data_size = ring->data_size;
		__entry->page_size = ring->data_page_size;
		__entry->topology = ring->topology;
		__entry->policy = ring->full_policy;
		__entry->producers = ring->producers;
		__entry->consumers = ring->consumers;
		__entry->slots = ring->slots;
		__entry->node = ring->data_node;
		memcpy(__entry->name, ring->name, SHMRING_NAME_MAX);
	),
	TP_printk("ring=%llu name=%s topology=%s policy=%s producers=%u consumers=%u slots=%u data_size=%llu page_size=%llu node=%d",
		  __entry->ring, __entry->name, shmring_show_topology(__entry->topology),
		  shmring_show_policy(__entry->policy), __entry->producers, __entry->consumers,
		  __entry->slots, __entry->data_size, __entry->page_size, __entry->node)
);

/**
 * shmring_create - a ring has been made and is about to be found by others
 * @ring: the ring
 */
DEFINE_EVENT(shmring_ring, shmring_create,
	TP_PROTO(const struct shmring_ring *ring),
	TP_ARGS(ring)
);

/**
 * shmring_destroy - a ring has lost its last endpoint; its pages go now
 * @ring: the ring
 */
DEFINE_EVENT(shmring_ring, shmring_destroy,
	TP_PROTO(const struct shmring_ring *ring),
	TP_ARGS(ring)
);

DECLARE_EVENT_CLASS(shmring_endpoint,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 state),
	TP_ARGS(ep, ring, state),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, pos)
		__field(u64, records)
		__field(int, slot)
		__field(u32, role)
		__field(u32, state)
		__field(pid_t, pid)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->pos = shmring_trace_pos(ep, ring);
		__entry->records = shmring_trace_records(ep, ring);
		__entry->slot = ep->slot;
		__entry->role = ep->role;
		__entry->state = state;
		__entry->pid = ep->pid;
	),
	TP_printk("ring=%llu slot=%d role=%s pid=%d state=%s pos=%llu records=%llu",
		  __entry->ring, __entry->slot, shmring_show_role(__entry->role), __entry->pid,
		  shmring_show_slot_state(__entry->state), __entry->pos, __entry->records)
);

/**
 * shmring_attach - a file has become an endpoint, of a new ring or of one that was there
 * @ep: the endpoint
 * @ring: its ring
 * @state: SHMRING_SLOT_LIVE
 *
 * @pos and @records are where its predecessor in the slot ended.
 */
DEFINE_EVENT(shmring_endpoint, shmring_attach,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 state),
	TP_ARGS(ep, ring, state)
);

/**
 * shmring_detach - an endpoint has ended: no descriptor and no mapping is left
 * @ep: the endpoint
 * @ring: its ring
 * @state: SHMRING_SLOT_CLOSED (in order), SHMRING_SLOT_DEAD, or for an observer
 *	SHMRING_SLOT_VACANT
 */
DEFINE_EVENT(shmring_endpoint, shmring_detach,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 state),
	TP_ARGS(ep, ring, state)
);

/**
 * shmring_wait_begin - an endpoint waits: SHMRING_IOC_WAIT
 * @ep: the endpoint
 * @ring: its ring
 * @arg: what for, and until when; checked
 */
TRACE_EVENT(shmring_wait_begin,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
		 const struct shmring_ioc_wait *arg),
	TP_ARGS(ep, ring, arg),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, pos)
		__field(u64, need)
		__field(u64, need_records)
		__field(u64, deadline)
		__field(int, slot)
		__field(u32, role)
		__field(u32, events)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->pos = shmring_trace_pos(ep, ring);
		__entry->need = arg->need;
		__entry->need_records = arg->need_records;
		__entry->deadline = arg->deadline;
		__entry->slot = ep->slot;
		__entry->role = ep->role;
		__entry->events = arg->events;
	),
	TP_printk("ring=%llu slot=%d role=%s events=%s need=%llu need_records=%llu deadline=%llu pos=%llu",
		  __entry->ring, __entry->slot, shmring_show_role(__entry->role),
		  shmring_show_events(__entry->events), __entry->need, __entry->need_records,
		  __entry->deadline, __entry->pos)
);

/**
 * shmring_wait_end - the wait is over
 * @ep: the endpoint
 * @ring: its ring
 * @result: SHMRING_EV_* that hold, or -errno; -ERESTARTNOHAND: a signal
 * @sleeps: how many times the caller slept; 0: it did not have to
 */
TRACE_EVENT(shmring_wait_end,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring, int result,
		 unsigned int sleeps),
	TP_ARGS(ep, ring, result, sleeps),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, pos)
		__field(int, slot)
		__field(u32, role)
		__field(int, result)
		__field(unsigned int, sleeps)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->pos = shmring_trace_pos(ep, ring);
		__entry->slot = ep->slot;
		__entry->role = ep->role;
		__entry->result = result;
		__entry->sleeps = sleeps;
	),
	TP_printk("ring=%llu slot=%d role=%s result=%d sleeps=%u pos=%llu",
		  __entry->ring, __entry->slot, shmring_show_role(__entry->role), __entry->result,
		  __entry->sleeps, __entry->pos)
);

/**
 * shmring_kick - an endpoint has published or released and found somebody armed
 * @ep: the endpoint that calls
 * @ring: its ring
 * @woken: how many endpoints it woke; 0: in vain
 */
TRACE_EVENT(shmring_kick,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
		 unsigned int woken),
	TP_ARGS(ep, ring, woken),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, pos)
		__field(int, slot)
		__field(u32, role)
		__field(unsigned int, woken)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->pos = shmring_trace_pos(ep, ring);
		__entry->slot = ep->slot;
		__entry->role = ep->role;
		__entry->woken = woken;
	),
	TP_printk("ring=%llu slot=%d role=%s woken=%u pos=%llu", __entry->ring, __entry->slot,
		  shmring_show_role(__entry->role), __entry->woken, __entry->pos)
);

/**
 * shmring_wake - an endpoint is woken, and its eventfds are signalled
 * @ep: the endpoint that is woken
 * @ring: its ring
 * @events: SHMRING_EV_* that it is told of; 0: to compute anew what it waits for
 *
 * Who wakes it is current, except where the kernel itself publishes from an interrupt.
 */
TRACE_EVENT(shmring_wake,
	TP_PROTO(const struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 events),
	TP_ARGS(ep, ring, events),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, pos)
		__field(int, slot)
		__field(u32, role)
		__field(u32, events)
		__field(pid_t, pid)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->pos = shmring_trace_pos(ep, ring);
		__entry->slot = ep->slot;
		__entry->role = ep->role;
		__entry->events = events;
		__entry->pid = ep->pid;
	),
	TP_printk("ring=%llu slot=%d role=%s pid=%d events=%s pos=%llu", __entry->ring,
		  __entry->slot, shmring_show_role(__entry->role), __entry->pid,
		  shmring_show_events(__entry->events), __entry->pos)
);

/**
 * shmring_recover - a new consumer found a position that cannot be, and was given another
 * @ring: the ring
 * @slot: the consumer's slot
 * @lane: the lane whose position it was
 * @was: what was there
 * @now: where it begins
 */
TRACE_EVENT(shmring_recover,
	TP_PROTO(const struct shmring_ring *ring, u32 slot, u32 lane, u64 was, u64 now),
	TP_ARGS(ring, slot, lane, was, now),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, was)
		__field(u64, now)
		__field(int, slot)
		__field(u32, lane)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->was = was;
		__entry->now = now;
		__entry->slot = slot;
		__entry->lane = lane;
	),
	TP_printk("ring=%llu slot=%d lane=%u was=%llu now=%llu", __entry->ring, __entry->slot,
		  __entry->lane, __entry->was, __entry->now)
);

/**
 * shmring_orphan - what a dead consumer of a QUEUE had claimed changes hands
 * @ring: the ring
 * @slot: in whose entry it is: that of the consumer that left it, or has adopted it
 * @state: SHMRING_ORPHAN_WAITING (left), _TAKEN (the slot's consumer reads it), _NONE (that
 *	is done with it, or it has moved to another's entry)
 */
TRACE_EVENT(shmring_orphan,
	TP_PROTO(const struct shmring_ring *ring, u32 slot, u32 state),
	TP_ARGS(ring, slot, state),
	TP_STRUCT__entry(
		__field(u64, ring)
		__field(u64, pos)
		__field(u64, end)
		__field(int, slot)
		__field(u32, state)
		__field(u32, lane)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->pos = ring->meta->orphan[slot].pos;
		__entry->end = ring->meta->orphan[slot].end;
		__entry->slot = slot;
		__entry->state = state;
		__entry->lane = ring->meta->orphan[slot].lane;
	),
	TP_printk("ring=%llu slot=%d state=%s lane=%u pos=%llu end=%llu", __entry->ring,
		  __entry->slot, shmring_show_orphan_state(__entry->state), __entry->lane,
		  __entry->pos, __entry->end)
);

/**
 * shmring_refuse - a limit was met and a ring not made
 * @limit: which
 * @uid: the user who asked
 * @have: pages that count against the limit already
 * @want: pages that were asked for
 * @most: pages that the limit allows
 */
TRACE_EVENT(shmring_refuse,
	TP_PROTO(enum shmring_limit limit, kuid_t uid, unsigned long have, unsigned long want,
		 unsigned long most),
	TP_ARGS(limit, uid, have, want, most),
	TP_STRUCT__entry(
		__field(unsigned long, have)
		__field(unsigned long, want)
		__field(unsigned long, most)
		__field(u32, limit)
		__field(uid_t, uid)
	),
	TP_fast_assign(
		__entry->have = have;
		__entry->want = want;
		__entry->most = most;
		__entry->limit = limit;
		__entry->uid = from_kuid(&init_user_ns, uid);
	),
	TP_printk("limit=%s uid=%u have=%lu want=%lu most=%lu", shmring_show_limit(__entry->limit),
		  __entry->uid, __entry->have, __entry->want, __entry->most)
);

#endif /* SHMRING_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
