// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Who lives, on the memfd backend: locks of open file descriptions say so, and META
 * is written after them, under the guard lock.
 *
 * The guard dies with its holder like any other lock (guard.c says how it is taken).
 * Order: guard, then a slot's lock. Nobody waits for a slot's lock.
 *
 * Whoever may read the file can take the guard and keep it: then those who share the ring
 * wait for it. Who only looks from outside (observers, lists, a name that is taken) does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "memfd.h"

#define SHMRING_COUNT_MOST	256	/* observers; more are not counted */

static int shmring_lock(int fd, int cmd, short type, uint64_t start, uint64_t len)
{
	struct flock fl = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)start,
		.l_len = (off_t)len,
	};

	return fcntl(fd, cmd, &fl) < 0 ? -errno : 0;
}

/* Does another description hold a lock in the range? Where is it? */
static bool shmring_locked(int fd, uint64_t start, uint64_t len, uint64_t *from, uint64_t *to)
{
	struct flock fl = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)start,
		.l_len = (off_t)len,
	};

	/* An error says nothing about a death: take it for alive. */
	if (fcntl(fd, F_OFD_GETLK, &fl) < 0) {
		*from = start;
		*to = start + len;
		return true;
	}
	if (fl.l_type == F_UNLCK)
		return false;
	*from = (uint64_t)fl.l_start;
	*to = fl.l_len ? (uint64_t)fl.l_start + (uint64_t)fl.l_len : UINT64_MAX;
	return true;
}

void shmring_fd_path(char *path, int fd)
{
	snprintf(path, SHMRING_FD_PATH_MAX, SHMRING_PROC_SELF "/fd/%d", fd);
}

/* The same file through a new description. -ENOSYS: there is no /proc. */
int shmring_reopen(int fd, int flags)
{
	char path[SHMRING_FD_PATH_MAX];
	int again;

	shmring_fd_path(path, fd);
	again = open(path, flags | O_CLOEXEC);
	if (again < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOSYS : -errno;
	return again;
}

/* Take the guard; shared is all that a description opened read-only can have. */
int shmring_guard(int fd, bool shared)
{
	return shmring_lock(fd, F_OFD_SETLKW, shared ? F_RDLCK : F_WRLCK, SHMRING_LOCK_GUARD, 1);
}

/* The same, without waiting for more than a moment. Return: 0, -EBUSY. */
int shmring_guard_try(int fd, bool shared, unsigned int tries)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int err;

	for (;;) {
		err = shmring_lock(fd, F_OFD_SETLK, shared ? F_RDLCK : F_WRLCK,
				   SHMRING_LOCK_GUARD, 1);
		if (err != -EAGAIN && err != -EACCES)
			return err;
		if (!--tries)
			return -EBUSY;
		nanosleep(&moment, NULL);
	}
}

void shmring_unguard(int fd)
{
	shmring_lock(fd, F_OFD_SETLK, F_UNLCK, SHMRING_LOCK_GUARD, 1);
}

/*
 * Close a description that may hold the guard. Explicitly: a child that was forked meanwhile
 * has the description too, and would keep the guard from everybody for as long as it lives.
 */
void shmring_guard_close(int fd)
{
	shmring_unguard(fd);
	close(fd);
}

/* All locks of a description that nobody was given. */
void shmring_unlock_all(int fd)
{
	shmring_lock(fd, F_OFD_SETLK, F_UNLCK, SHMRING_LOCK_GUARD,
		     SHMRING_LOCK_OBSERVER + SHMRING_LOCK_OBSERVERS - SHMRING_LOCK_GUARD);
}

/* Return: 0, -EBUSY, or what fcntl(2) gives. */
int shmring_slot_lock(int fd, unsigned int slot)
{
	int err = shmring_lock(fd, F_OFD_SETLK, F_WRLCK, SHMRING_LOCK_SLOT + slot, 1);

	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}

bool shmring_slot_locked(int fd, unsigned int slot)
{
	uint64_t from, to;

	return shmring_locked(fd, SHMRING_LOCK_SLOT + slot, 1, &from, &to);
}

/* Observers share nothing, so that they can be counted: each takes a random byte. */
int shmring_observer_lock(int fd)
{
	uint32_t nth;

	if (getrandom(&nth, sizeof(nth), 0) != sizeof(nth))
		return -errno;
	return shmring_lock(fd, F_OFD_SETLK, F_RDLCK, SHMRING_LOCK_OBSERVER + nth, 1);
}

/*
 * Locks in a range, up to @most: anybody may take any number of them, and each costs a call,
 * and may cost a stack frame.
 */
static unsigned int shmring_count(int fd, uint64_t start, uint64_t end, unsigned int most)
{
	unsigned int count = 0;
	uint64_t from, to;

	/* The kernel tells any one lock in the range: count to its left, go on right. */
	while (count < most && start < end &&
	       shmring_locked(fd, start, end - start, &from, &to)) {
		count++;
		if (from > start)
			count += shmring_count(fd, start, from, most - count);
		start = to;
	}
	return count;
}

/* How many observers other than @fd itself. */
unsigned int shmring_observers(int fd)
{
	return shmring_count(fd, SHMRING_LOCK_OBSERVER,
			     SHMRING_LOCK_OBSERVER + SHMRING_LOCK_OBSERVERS, SHMRING_COUNT_MOST);
}

/* Is there any endpoint other than @fd itself? */
bool shmring_held(int fd)
{
	uint64_t from, to;

	return shmring_locked(fd, SHMRING_LOCK_SLOT,
			      SHMRING_LOCK_OBSERVER + SHMRING_LOCK_OBSERVERS - SHMRING_LOCK_SLOT,
			      &from, &to);
}

static void shmring_pos_repair_one(const struct shmring_handle *h, __u64 *pos,
				   const struct shmring_cursor *producer)
{
	uint64_t head = shmring_load(pos);
	/* pairs with the store-release in shmring_spsc_publish(), shmring_lane_publish() */
	uint64_t tail = shmring_load_acquire(&producer->pos);

	if ((head & (SHMRING_REC_ALIGN - 1)) ||
	    shmring_spsc_used(tail, head, h->geo.data_size) == SHMRING_SPSC_IMPOSSIBLE)
		shmring_store(pos, tail & ~(uint64_t)(SHMRING_REC_ALIGN - 1));
}

/* The front of a lane of a QUEUE, which consumers share: what it should be if it cannot be. */
static bool shmring_front_repaired(const struct shmring_handle *h, unsigned int lane, __u64 *pos)
{
	__u64 was = shmring_tagged_pos(shmring_load(&h->shared->head[lane].claim));
	/* pairs with the store-release in shmring_lane_publish() */
	__u64 told = shmring_load_acquire(&h->cursor[lane]->pos);

	*pos = shmring_queue_repaired(was, told, h->geo.data_size);
	return *pos != was;
}

/*
 * Who claims meanwhile would be taken aback, so nobody may live; and what the dead had claimed is
 * told by the front as they left it.
 */
static void shmring_fronts_repair(struct shmring_handle *h)
{
	unsigned int slot, lane, broken = 0;
	__u64 pos;

	for (lane = 0; lane < h->geo.producers; lane++)
		broken += shmring_front_repaired(h, lane, &pos);
	for (slot = h->geo.producers; broken && slot < h->geo.slots; slot++) {
		if (shmring_load(&shmring_meta(h)->slot[slot].state) != SHMRING_SLOT_LIVE)
			continue;
		if (shmring_slot_locked(h->fd, slot))
			return;
		shmring_slot_end(h, slot);
	}
	for (lane = 0; broken && lane < h->geo.producers; lane++)
		if (shmring_front_repaired(h, lane, &pos))
			shmring_store(&h->shared->head[lane].claim, shmring_tagged(pos, 0));
}

/*
 * A consumer that left a position which cannot be must not spoil the ring for its
 * successor: what is there counts as read. Under the guard. A producer's successor does
 * not believe its predecessor's position; but consumers of a BROADCAST ring do, as soon
 * as the slot is live.
 */
void shmring_pos_repair(struct shmring_handle *h)
{
	const struct shmring_group g = {
		.meta = shmring_meta(h),
		.cursor = h->cursor,
		.producers = h->geo.producers,
		.consumers = h->geo.consumers,
	};
	unsigned int lane;

	if (shmring_is_producer(h) && h->geo.topology == SHMRING_TOPO_BROADCAST &&
	    h->geo.full_policy != SHMRING_FULL_OVERWRITE)
		shmring_store(&h->mine->pos, shmring_broadcast_told(&g, h->slot,
								    h->geo.data_size));
	if (!shmring_is_consumer(h))
		return;
	if (h->geo.topology == SHMRING_TOPO_SPSC)
		shmring_pos_repair_one(h, &h->mine->pos, h->cursor[0]);
	for (lane = 0; h->geo.topology == SHMRING_TOPO_MPSC && lane < h->geo.producers; lane++)
		shmring_pos_repair_one(h, &h->mine->lane[lane].pos, h->cursor[lane]);
	if (h->geo.topology == SHMRING_TOPO_QUEUE)
		shmring_fronts_repair(h);
}

/* The word of META that the endpoint in a slot is armed in and counted; or NULL. */
__aligned_u64 *shmring_state_word(const struct shmring_handle *h, unsigned int slot)
{
	struct shmring_meta *meta = shmring_meta(h);

	if (!shmring_is_group(h->geo.topology))
		return NULL;
	return slot < h->geo.producers ? &meta->tx_state : &meta->rx_state;
}

/* Somebody came or went, META says it, and now the others are to look. */
static void shmring_state_count(struct shmring_handle *h, unsigned int slot)
{
	__aligned_u64 *word = shmring_state_word(h, slot);

	if (!word)
		return;
	__atomic_fetch_and(word, ~(1ull << slot), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(word, SHMRING_STATE_ARMED + 1, __ATOMIC_SEQ_CST);
}

/* Consumers believe what is told of a lane when its producer is new. */
static void shmring_lane_begin(struct shmring_handle *h)
{
	struct shmring_group g = {
		.meta = shmring_meta(h),
		.cursor = h->cursor,
		.producers = h->geo.producers,
		.consumers = h->geo.consumers,
	};
	uint64_t told;

	if (!shmring_is_producer(h) || (h->geo.topology != SHMRING_TOPO_MPSC &&
					h->geo.topology != SHMRING_TOPO_BROADCAST))
		return;
	told = shmring_load(&h->mine->pos);
	if (h->geo.topology == SHMRING_TOPO_BROADCAST &&
	    h->geo.full_policy != SHMRING_FULL_OVERWRITE) {
		told = shmring_broadcast_told(&g, h->slot, h->geo.data_size);
		shmring_store(&h->mine->pos, told);
	}
	shmring_store(&shmring_meta(h)->begin[h->slot], told);
}

/* The endpoint's slot becomes live. Under the guard, with the slot's lock held. */
void shmring_slot_begin(struct shmring_handle *h)
{
	struct shmring_slot *slot = &shmring_meta(h)->slot[h->slot];
	bool joins = h->geo.topology == SHMRING_TOPO_BROADCAST && shmring_is_consumer(h);
	unsigned int lane;

	shmring_store(&shmring_meta(h)->wake_due, 1);
	shmring_orphan_begin(h);
	for (lane = 0; joins && lane < h->geo.producers; lane++)
		shmring_store(&h->mine->lane[lane].pos, SHMRING_POS_JOINING);
	shmring_store(&h->mine->closed, 0);
	shmring_store(&h->mine->want, 0);
	shmring_store(&h->mine->armed, SHMRING_ARMED_NO);
	shmring_store(&slot->role, h->role);
	shmring_lane_begin(h);
	/* pairs with the load-acquire in shmring_merge_producer() */
	shmring_store_release(&slot->generation, shmring_load(&slot->generation) + 1);
	shmring_store(&slot->pid, (uint32_t)getpid());
	/* pairs with the load-acquire in shmring_gone() */
	shmring_store_release(&slot->state, SHMRING_SLOT_LIVE);
	shmring_state_count(h, h->slot);
	/* pairs with the load-acquire in shmring_broadcast_gate() */
	for (lane = 0; joins && lane < h->geo.producers; lane++)
		shmring_store_release(&h->mine->lane[lane].pos,
				      shmring_broadcast_join(h->cursor[lane]));
	/*
	 * Who joins gates others; who waits for so much reckons with those who bring it; and if
	 * the slot was a dead one's nobody has been told of that.
	 */
	shmring_memfd_wake_all(h);
}

/* A slot's endpoint is gone. Under the guard. State first: GONE sends the peer there. */
void shmring_slot_end(struct shmring_handle *h, unsigned int slot)
{
	struct shmring_cursor *cursor = h->cursor[slot];
	bool closed = shmring_load(&cursor->closed);

	/* Whoever has this done and is killed before it has woken all leaves it to who probes. */
	shmring_store(&shmring_meta(h)->wake_due, 1);
	shmring_tally_settle(shmring_meta(h), cursor, slot);
	shmring_orphan_end(h, slot);
	shmring_store_release(&shmring_meta(h)->slot[slot].state,
			      closed ? SHMRING_SLOT_CLOSED : SHMRING_SLOT_DEAD);
	/* pairs with the load-acquire in shmring_spsc_armed() */
	shmring_store_release(&cursor->armed, SHMRING_ARMED_GONE);
	shmring_state_count(h, slot);
}

/**
 * shmring_memfd_probe() - if the endpoint in a slot is gone, let META say so
 * @h: handle
 * @slot: another slot, said to be live; or its own: somebody who was killed may have left the
 *	guard, or others to be woken
 *
 * Observers leave it to those who write.
 */
void shmring_memfd_probe(struct shmring_handle *h, unsigned int slot)
{
	struct shmring_meta *meta = shmring_meta(h);
	int guard;

	if (slot == h->slot)
		shmring_spare_settle(h);
	if (slot == h->slot ? !shmring_load(&meta->wake_due) : shmring_slot_locked(h->fd, slot))
		return;
	/* Who holds the guard may be stopped, and callers have deadlines: they ask again. */
	guard = shmring_guard_take(h, 1);
	if (guard < 0)
		return;
	if (shmring_load(&meta->slot[slot].state) == SHMRING_SLOT_LIVE &&
	    !shmring_slot_locked(guard, slot))
		shmring_slot_end(h, slot);
	if (shmring_load(&meta->wake_due))
		shmring_memfd_wake_all(h);
	shmring_guard_drop(h, guard);
}
