/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files behind linux/shmring_kernel.h share.
 *
 *   kernel_ref.c     how another module gets hold of a ring, and hands it on
 *   kernel_member.c  what its producers and consumers have in common
 *   kernel_tx.c      its producers
 *   kernel_lanes.c   a producer in each CPU
 *   kernel_rx.c      its consumers
 *   kernel_in.c      how consumers of each topology work
 *
 * A member looks at its peers' CURSOR pages without a lock, and a page may be replaced
 * when a slot changes hands: such looks are made with preemption off or under
 * rcu_read_lock(), which shmring_cursor_place() waits for, or with a reference to the page.
 */
#ifndef SHMRING_KERNEL_INTERNAL_H
#define SHMRING_KERNEL_INTERNAL_H

#include <linux/irq_work.h>
#include <linux/shmring_kernel.h>
#include <linux/workqueue.h>
#include <shmring/broadcast.h>
#include <shmring/queue.h>

#include "shmring.h"

/**
 * struct shmring_ref - a ring that another module holds
 * @ring: the ring
 * @rights: SHMRING_MAY_* that it may be used with
 */
struct shmring_ref {
	struct shmring_ring *ring;
	u32 rights;
};

/**
 * struct shmring_member - an endpoint of another module
 * @ep: the endpoint
 * @ring: its ring
 * @map: its lanes, each mapped twice in a row
 */
struct shmring_member {
	struct shmring_endpoint ep;
	struct shmring_ring *ring;
	unsigned char *map;
};

/**
 * struct shmring_producer - a producer
 * @m: the endpoint
 * @busy: somebody writes; what follows is theirs
 * @open: bytes that are reserved
 * @tx: the core's private state
 * @group: its view of the others
 * @tickets: publications take tickets
 * @alone: without consumers it goes on
 * @max_record: largest payload
 * @lost: what was lost in this slot before this endpoint came
 * @kick: wakes consumers, from a context where that may be done
 * @kick_later: the same when the ring was in use by whom @kick interrupted
 */
struct shmring_producer {
	struct shmring_member m;
	atomic_t busy ____cacheline_aligned;
	size_t open;
	struct shmring_spsc_tx tx;
	struct shmring_group group;
	bool tickets;
	bool alone;
	u64 max_record;
	u64 lost;
	struct irq_work kick;
	struct work_struct kick_later;
};

struct shmring_consumer;

/**
 * struct shmring_kernel_in - how the consumers of a topology work
 * @start: set the private state up from what is in the ring: 0, -EPROTO, -EAGAIN
 * @peek: the next record: payload bytes, -EAGAIN, -EBADMSG
 * @next: step over it
 * @check: nothing was found: can that be? 0 or -EPROTO; of several lanes told once
 * @release: give back what was stepped over: 0, -ESTALE (it had been overwritten)
 *
 * All but @start, which may sleep, under rcu_read_lock().
 */
struct shmring_kernel_in {
	int (*start)(struct shmring_consumer *c);
	long (*peek)(struct shmring_consumer *c, const void **payload);
	void (*next)(struct shmring_consumer *c, long len);
	int (*check)(struct shmring_consumer *c);
	int (*release)(struct shmring_consumer *c);
};

/**
 * struct shmring_consumer - a consumer
 * @m: the endpoint
 * @in: how it works
 * @rx: SPSC: the core's private state
 * @merge: MPSC, BROADCAST: likewise
 * @claims: QUEUE: likewise
 * @ahead: records that were stepped over and not released
 * @opts: whom to call; without record() nobody is
 * @copy: where to copy a record that record() gets, or NULL
 * @copied: OVERWRITE: payload bytes there that record() has not taken, or -1
 * @max_record: largest payload
 * @paused: record() did not want the last one, and nobody has resumed since
 * @told: which events were told since the last record
 * @wait: in the endpoint's wait queue: queues @work
 * @work: calls
 */
struct shmring_consumer {
	struct shmring_member m;
	const struct shmring_kernel_in *in;
	union {
		struct shmring_spsc_rx rx;
		struct shmring_merge merge;
		struct shmring_claims claims;
	};
	u32 ahead;
	struct shmring_consumer_opts opts;
	void *copy;
	ssize_t copied;
	u64 max_record;
	bool paused;
	u32 told;
	wait_queue_entry_t wait;
	struct work_struct work;
};

/* Where a lane is mapped. */
static inline unsigned char *shmring_member_lane(const struct shmring_member *m, u32 lane)
{
	u32 first = m->ep.role == SHMRING_ROLE_PRODUCER ? m->ep.slot : 0;

	return m->map + 2 * m->ring->data_size * (lane - first);
}

/* A word anywhere, for shmring_copy(). */
struct shmring_word {
	u64 word;
} __packed;

/*
 * memcpy() is one instruction on x86 (rep movsb), which takes twenty times as long on some
 * processors (Zen 3) if the place to go to is up to 31 bytes further on in its page than the one to
 * come from. Records come by all places.
 */
static inline void shmring_copy(void *to, const void *from, size_t len)
{
	const struct shmring_word *f = from;
	struct shmring_word *t = to;

	if (!IS_ENABLED(CONFIG_X86) || ((unsigned long)to - (unsigned long)from) % 4096 - 1 >= 31) {
		memcpy(to, from, len);
		return;
	}
	for (; len >= sizeof(*t); len -= sizeof(*t)) {
		data_race((t++)->word = (f++)->word);	/* as memcpy(), for who checks */
		barrier();	/* not to be made a memcpy() */
	}
	memcpy(t, f, len);
}

/* kernel_member.c */
int shmring_member_attach(struct shmring_member *m, const struct shmring_ref *ref, u32 role,
			  int node);
void shmring_member_detach(struct shmring_member *m);
void shmring_member_group(const struct shmring_member *m, struct shmring_group *g);
int shmring_member_wait(struct shmring_member *m, u32 event, u64 need, u64 deadline);

/* kernel_tx.c */
bool shmring_tx_lock(struct shmring_producer *p);
void shmring_tx_unlock(struct shmring_producer *p);
void shmring_tx_refused(struct shmring_producer *p);
void *shmring_tx_reserve(struct shmring_producer *p, size_t len);
int shmring_tx_write(struct shmring_producer *p, const void *buf, size_t len);

/* kernel_in.c */
const struct shmring_kernel_in *shmring_kernel_in_of(const struct shmring_ring *ring);

#endif /* SHMRING_KERNEL_INTERNAL_H */
