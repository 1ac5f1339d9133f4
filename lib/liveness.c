// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Who lives, on the memfd backend: locks of open file descriptions say so, and META
 * is written after them, under the guard lock.
 *
 * The guard is taken through a description of its own, so that two threads of one
 * process exclude each other too; it dies with its holder like any other lock.
 * Order: guard, then a slot's lock. Nobody waits for a slot's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "memfd.h"

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

/* The same file through a new description. */
int shmring_reopen(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

/* Take the guard; shared is all that a description opened read-only can have. */
int shmring_guard(int fd, bool shared)
{
	return shmring_lock(fd, F_OFD_SETLKW, shared ? F_RDLCK : F_WRLCK, SHMRING_LOCK_GUARD, 1);
}

void shmring_unguard(int fd)
{
	shmring_lock(fd, F_OFD_SETLK, F_UNLCK, SHMRING_LOCK_GUARD, 1);
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

static unsigned int shmring_count(int fd, uint64_t start, uint64_t end)
{
	unsigned int count = 0;
	uint64_t from, to;

	/* The kernel tells any one lock in the range: count to its left, go on right. */
	while (start < end && shmring_locked(fd, start, end - start, &from, &to)) {
		count++;
		if (from > start)
			count += shmring_count(fd, start, from);
		start = to;
	}
	return count;
}

/* How many observers other than @fd itself. */
unsigned int shmring_observers(int fd)
{
	return shmring_count(fd, SHMRING_LOCK_OBSERVER,
			     SHMRING_LOCK_OBSERVER + SHMRING_LOCK_OBSERVERS);
}

/* Is there any endpoint other than @fd itself? */
bool shmring_held(int fd)
{
	uint64_t from, to;

	return shmring_locked(fd, SHMRING_LOCK_SLOT,
			      SHMRING_LOCK_OBSERVER + SHMRING_LOCK_OBSERVERS - SHMRING_LOCK_SLOT,
			      &from, &to);
}

/*
 * A consumer that left a position which cannot be must not spoil the ring for its
 * successor: what is there counts as read. Under the guard. (A producer's successor
 * does not believe its predecessor's position anyway.)
 */
void shmring_pos_repair(struct shmring_handle *h)
{
	uint64_t head, tail;

	if (!shmring_is_consumer(h))
		return;
	head = shmring_load(&h->mine->pos);
	/* pairs with the store-release in shmring_spsc_publish() */
	tail = shmring_load_acquire(&shmring_cursor(h, 0)->pos);
	if ((head & (SHMRING_REC_ALIGN - 1)) ||
	    shmring_spsc_used(tail, head, h->geo.data_size) == SHMRING_SPSC_IMPOSSIBLE)
		shmring_store(&h->mine->pos, tail);
}

/* The endpoint's slot becomes live. Under the guard, with the slot's lock held. */
void shmring_slot_begin(struct shmring_handle *h)
{
	struct shmring_slot *slot = &shmring_meta(h)->slot[h->slot];

	shmring_store(&h->mine->closed, 0);
	shmring_store(&h->mine->want, 0);
	shmring_store(&h->mine->armed, SHMRING_ARMED_NO);
	shmring_store(&slot->role, h->role);
	shmring_store(&slot->generation, shmring_load(&slot->generation) + 1);
	shmring_store(&slot->pid, (uint32_t)getpid());
	/* pairs with the load-acquire in shmring_gone() */
	shmring_store_release(&slot->state, SHMRING_SLOT_LIVE);
}

/* A slot's endpoint is gone. Under the guard. State first: GONE sends the peer there. */
void shmring_slot_end(struct shmring_handle *h, unsigned int slot)
{
	struct shmring_cursor *cursor = shmring_cursor(h, slot);
	bool closed = shmring_load(&cursor->closed);

	shmring_store_release(&shmring_meta(h)->slot[slot].state,
			      closed ? SHMRING_SLOT_CLOSED : SHMRING_SLOT_DEAD);
	/* pairs with the load-acquire in shmring_spsc_armed() */
	shmring_store_release(&cursor->armed, SHMRING_ARMED_GONE);
}

/**
 * shmring_memfd_probe() - if the endpoint in a slot is gone, let META say so
 * @h: handle
 * @slot: another slot, said to be live
 *
 * An observer that may not write leaves it to those who may.
 */
void shmring_memfd_probe(struct shmring_handle *h, unsigned int slot)
{
	int guard;

	if (shmring_slot_locked(h->fd, slot))
		return;
	guard = shmring_reopen(h->fd, O_RDWR);
	if (guard < 0 || !h->mine)
		goto out_close;
	if (shmring_guard(guard, false))
		goto out_close;
	if (shmring_load(&shmring_meta(h)->slot[slot].state) == SHMRING_SLOT_LIVE &&
	    !shmring_slot_locked(guard, slot))
		shmring_slot_end(h, slot);
out_close:
	if (guard >= 0)
		close(guard);
}
