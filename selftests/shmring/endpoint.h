/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An endpoint with its pages mapped, and the ring core on top of it: what a library
 * does, in as few lines as a test can do with.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "shmring_test.h"
#include <shmring/spsc.h>

#define PMD_SIZE	(2ul << 20)

struct endpoint {
	int fd;
	struct shmring_ioc_info info;
	const struct shmring_meta *meta;
	struct shmring_cursor *cursor;		/* own page; NULL for an observer */
	unsigned char *data;			/* twice in a row */
	void *span;
	size_t span_size;
};

/* 0 or -errno. What is mapped stays mapped on failure: the test ends there. */
HELPER int endpoint_map(struct endpoint *e, int fd)
{
	int prot = PROT_READ, err;
	size_t size;
	void *p;

	memset(e, 0, sizeof(*e));
	e->fd = fd;
	err = ring_info(fd, &e->info);
	if (err)
		return err;
	size = (size_t)e->info.data_size;
	p = mmap(NULL, (size_t)e->info.control_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	e->meta = p;
	if (e->info.slot != SHMRING_NO_SLOT) {
		p = mmap(NULL, (size_t)e->info.cursor_stride, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, (off_t)(e->info.cursor_offset +
				     e->info.slot * e->info.cursor_stride));
		if (p == MAP_FAILED)
			return -errno;
		e->cursor = p;
	}
	if (e->info.role & PRODUCER)
		prot |= PROT_WRITE;
	e->span_size = 2 * size + PMD_SIZE;
	e->span = mmap(NULL, e->span_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->span == MAP_FAILED)
		return -errno;
	e->data = (void *)(((uintptr_t)e->span + PMD_SIZE - 1) & ~(PMD_SIZE - 1));
	for (int half = 0; half < 2; half++) {
		p = mmap(e->data + half * size, size, prot, MAP_SHARED | MAP_FIXED, fd,
			 (off_t)e->info.data_offset);
		if (p == MAP_FAILED)
			return -errno;
	}
	return 0;
}

HELPER void endpoint_unmap(struct endpoint *e)
{
	munmap(e->span, e->span_size);
	if (e->cursor)
		munmap(e->cursor, (size_t)e->info.cursor_stride);
	munmap((void *)(uintptr_t)e->meta, (size_t)e->info.control_size);
}

HELPER const struct shmring_cursor *endpoint_slot_cursor(const struct endpoint *e, __u32 slot)
{
	return (const void *)((const char *)e->meta + e->info.cursor_offset +
			      slot * e->info.cursor_stride);
}

/* Of an SPSC ring's two. */
HELPER const struct shmring_cursor *endpoint_peer(const struct endpoint *e)
{
	return endpoint_slot_cursor(e, e->info.slot ^ 1);
}

HELPER int tx_init(struct shmring_spsc_tx *tx, const struct endpoint *e)
{
	int ret;

	memset(tx, 0, sizeof(*tx));
	tx->data = e->data;
	tx->mask = e->info.data_size - 1;
	tx->fence = !(e->info.flags & SHMRING_CREATE_SPIN);
	tx->mine = e->cursor;
	tx->peer = endpoint_peer(e);
	ret = shmring_spsc_recover(tx);
	return ret > 0 ? ring_kick(e->fd) : ret;
}

HELPER void rx_init(struct shmring_spsc_rx *rx, const struct endpoint *e)
{
	memset(rx, 0, sizeof(*rx));
	rx->data = e->data;
	rx->mask = e->info.data_size - 1;
	rx->fence = !(e->info.flags & SHMRING_CREATE_SPIN);
	rx->mine = e->cursor;
	rx->peer = endpoint_peer(e);
	rx->done = shmring_load(&rx->mine->pos);
	rx->head = rx->done;
	rx->bound = rx->done;
	rx->records = shmring_load(&rx->mine->records);
}

/* Publish without waiting: 0, -EAGAIN when full, -EPIPE when nobody will read it. */
HELPER int tx_try(const struct endpoint *e, struct shmring_spsc_tx *tx, const void *buf,
		  size_t len)
{
	void *to = shmring_spsc_reserve(tx, len);
	int ret;

	if (!to) {
		ret = shmring_spsc_refresh(tx);
		if (ret)
			return ret;
		to = shmring_spsc_reserve(tx, len);
		if (!to) {
			shmring_store(&tx->mine->want, shmring_record_size(len));
			return -EAGAIN;
		}
	}
	memcpy(to, buf, len);
	shmring_spsc_put(tx, len);
	ret = shmring_spsc_publish(tx);
	if (ret > 0)
		ret = ring_kick(e->fd);
	return ret;
}

HELPER int tx_send(const struct endpoint *e, struct shmring_spsc_tx *tx, const void *buf,
		   size_t len)
{
	int ret;

	while ((ret = tx_try(e, tx, buf, len)) == -EAGAIN) {
		ret = ring_wait(e->fd, SHMRING_EV_OUT, SHMRING_DEADLINE_NEVER);
		if (ret < 0)
			break;
	}
	return ret;
}

/* Take one record without waiting: its length or -errno. A gone producer is no error here. */
HELPER long rx_try(const struct endpoint *e, struct shmring_spsc_rx *rx, void *buf, size_t cap)
{
	const void *from;
	long len = shmring_spsc_peek(rx, &from);

	if (len < 0)
		return len;
	if ((size_t)len > cap)
		return -EMSGSIZE;
	memcpy(buf, from, (size_t)len);
	shmring_spsc_next(rx, len);
	if (shmring_spsc_release(rx) > 0)
		ring_kick(e->fd);
	return len;
}

HELPER long rx_recv(const struct endpoint *e, struct shmring_spsc_rx *rx, void *buf, size_t cap)
{
	long len;
	int ret;

	while ((len = rx_try(e, rx, buf, cap)) == -EAGAIN) {
		ret = ring_wait(e->fd, SHMRING_EV_IN, SHMRING_DEADLINE_NEVER);
		if (ret < 0)
			return ret;
	}
	return len;
}

/*
 * Ask to be kicked once the peer's pos reaches @wake_at. True: asleep is safe now.
 * False: it has been reached already. Armed either way: a poller may rely on it.
 */
HELPER bool cursor_arm(struct shmring_cursor *mine, const struct shmring_cursor *peer,
		       __u64 wake_at)
{
	shmring_store(&mine->wake_at, wake_at);
	shmring_store(&mine->wake_records, SHMRING_WAKE_NEVER);
	/* pairs with the load-acquire of armed in shmring_spsc_armed() */
	shmring_store_release(&mine->armed, SHMRING_ARMED_YES);
	/* pairs with the fence in shmring_spsc_armed() */
	shmring_fence();
	return (__s64)(shmring_load_acquire(&peer->pos) - wake_at) < 0;
}

#endif /* ENDPOINT_H */
