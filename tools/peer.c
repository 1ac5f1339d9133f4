// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other end of a ring: is it there, has it left and how; and sending to it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"

#define NAP_NS		50000000	/* how often a ring that was left is looked at */
#define SLICE_NS	100000000ULL	/* how often a signal is looked for where nobody sleeps */

uint64_t tool_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t tool_deadline(uint64_t timeout_ns)
{
	if (timeout_ns == UINT64_MAX)
		return SHMRING_FOREVER;
	return timeout_ns ? tool_now() + timeout_ns : SHMRING_NOWAIT;
}

static bool has_left(const struct shmring_stats *stats)
{
	return stats->state == SHMRING_SLOT_CLOSED || stats->state == SHMRING_SLOT_DEAD;
}

/* Who is in a slot of the other side, or was the last there; vacant if that cannot be told. */
static void look_at(const struct tool_peer *peer, unsigned int k, struct shmring_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	if (shmring_get_stats(peer->r, peer->first + k, stats))
		stats->state = SHMRING_SLOT_VACANT;
}

/* Had it left before this end came? */
static bool is_old(const struct tool_peer *peer, unsigned int k, const struct shmring_stats *stats)
{
	const struct tool_end *old = &peer->old[k];

	return old->state && old->state == stats->state && old->pid == stats->pid &&
	       old->bytes == stats->bytes;
}

/* Return: is anybody there? */
static bool remember_ends(struct tool_peer *peer)
{
	struct shmring_stats stats;
	bool live = false;
	unsigned int k;

	for (k = 0; k < peer->slots; k++) {
		look_at(peer, k, &stats);
		live |= stats.state == SHMRING_SLOT_LIVE;
		if (!has_left(&stats))
			continue;
		peer->old[k] = (struct tool_end){ stats.state, stats.pid, stats.bytes };
		peer->stale = true;
	}
	return live;
}

void tool_peer_init(struct tool_peer *peer, struct shmring *r, uint32_t role)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	bool sends = role == SHMRING_ROLE_PRODUCER, left, live;

	memset(peer, 0, sizeof(*peer));
	peer->r = r;
	if (shmring_info(r, &info) || info.topology == SHMRING_TOPO_RAW)
		return;
	peer->first = sends ? info.producers : 0;
	peer->slots = sends ? info.consumers : info.producers;
	peer->many = info.topology != SHMRING_TOPO_SPSC;
	peer->lone = sends && info.topology == SHMRING_TOPO_BROADCAST;
	peer->spin = info.flags & SHMRING_CREATE_SPIN;
	if (peer->many && info.full_policy == SHMRING_FULL_OVERWRITE)
		peer->room = info.data_size;	/* no record is longer, whoever wrote it */
	/* Of who was killed nobody may have taken notice yet: this does. */
	shmring_wait(r, SHMRING_EV_PEER, SHMRING_NOWAIT);
	/* In this order: one that comes in between is there, and what it sends was not left. */
	left = shmring_info(r, &info) || info.produced != info.consumed;
	live = remember_ends(peer);
	/*
	 * What senders left behind is to be received, and their ends with it: but for where one is
	 * there, whose it is more likely than that of one that left a session before.
	 */
	if (!live && !sends && left && info.topology != SHMRING_TOPO_BROADCAST) {
		memset(peer->old, 0, sizeof(peer->old));
		peer->stale = false;
	}
}

void tool_peer_free(struct tool_peer *peer)
{
	free(peer->copy);
	peer->copy = NULL;
}

bool tool_peer_stale(struct tool_peer *peer)
{
	struct shmring_stats stats;
	unsigned int k;

	for (k = 0; peer->stale && k < peer->slots; k++) {
		look_at(peer, k, &stats);
		peer->stale = stats.state == SHMRING_SLOT_VACANT || is_old(peer, k, &stats);
	}
	return peer->stale;
}

int tool_peer_left(const struct tool_peer *peer, int err)
{
	struct shmring_stats stats;
	unsigned int k;

	if (err != -EOWNERDEAD)
		return err;
	for (k = 0; k < peer->slots; k++) {
		look_at(peer, k, &stats);
		if (stats.state == SHMRING_SLOT_DEAD && !is_old(peer, k, &stats))
			return -EOWNERDEAD;
	}
	return -EPIPE;
}

/*
 * Nothing signals that an endpoint comes, so this looks now and then. It is only
 * needed on rings that somebody keeps from one sender to the next.
 */
int tool_peer_wait(struct tool_peer *peer, uint64_t deadline)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	while (tool_peer_stale(peer)) {
		if (tool_stopped)
			return -EINTR;
		if (tool_now() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
	}
	return 0;
}

uint64_t tool_peer_slice(const struct tool_peer *peer, uint64_t deadline)
{
	uint64_t slice = tool_now() + SLICE_NS;

	return peer->spin && deadline > slice ? slice : deadline;
}

int tool_reserve(struct tool_peer *peer, size_t len, void **payload, uint64_t timeout_ns)
{
	uint64_t deadline, until;
	int err;

	err = shmring_reserve(peer->r, len, payload, SHMRING_NOWAIT);
	if (!err)
		return 0;
	deadline = tool_deadline(timeout_ns);
	while (!tool_stopped) {
		if ((err == -EPIPE || err == -EOWNERDEAD) && tool_peer_stale(peer))
			err = tool_peer_wait(peer, deadline);
		else if (err != -EAGAIN && err != -EINTR)
			return tool_peer_left(peer, err);
		if (err == -ETIMEDOUT)
			return err;
		until = tool_peer_slice(peer, deadline);
		err = shmring_reserve(peer->r, len, payload, until);
		if (!err)
			return 0;
		if (err == -EAGAIN)
			return -ETIMEDOUT;
		if (err == -ETIMEDOUT && until != deadline)
			err = -EAGAIN;
	}
	return -EINTR;
}

int tool_put(struct tool_peer *peer, const void *data, size_t len, uint64_t timeout_ns)
{
	void *payload;
	int err;

	err = tool_reserve(peer, len, &payload, timeout_ns);
	if (err == -ENOBUFS)
		peer->dropped++;
	if (err)
		return err;
	if (len)
		memcpy(payload, data, len);
	return shmring_put(peer->r, len);
}

void tool_tell_dropped(const struct tool_peer *peer, const char *name)
{
	if (peer->dropped)
		tool_say(0, "%llu records found ring '%s' full, which drops what is new",
			 (unsigned long long)peer->dropped, name);
}

/*
 * How the receivers left: -EOWNERDEAD; -EPIPE if one left something unread; 0 if any is
 * there, or took all there was and left in order. That is no error until there is
 * more: whether there is, only the input can tell, and the next receiver may come. Of
 * several, what is unread may be another sender's: the next record tells.
 */
static int left_how(struct tool_peer *peer, bool *there)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_stats stats;
	bool left = false;
	unsigned int k;

	*there = false;
	if (tool_peer_stale(peer))
		return 0;
	for (k = 0; k < peer->slots; k++) {
		look_at(peer, k, &stats);
		*there |= stats.state == SHMRING_SLOT_LIVE;
		left |= has_left(&stats);
	}
	*there |= !left;
	if (*there || peer->lone)
		return 0;
	if (tool_peer_left(peer, -EOWNERDEAD) == -EOWNERDEAD)
		return -EOWNERDEAD;
	if (peer->many || shmring_info(peer->r, &info) || info.produced == info.consumed)
		return 0;
	return -EPIPE;
}

/*
 * Waits until @fd can be read, which is 0; -EPIPE or -EOWNERDEAD: the receiver left
 * what it should have read; -EINTR: a signal asked for the end.
 */
int tool_wait_input(struct tool_peer *peer, int fd)
{
	struct pollfd pfd[2] = { { .fd = fd, .events = POLLIN }, { .fd = -1 } };
	bool there;
	int err;

	/* The device tells of an end by POLLHUP, and POLLIN would be of space. */
	if (shmring_backend(peer->r) == SHMRING_BACKEND_MEMFD)
		pfd[1].events = POLLIN;
	/* A descriptor that cannot be polled is always ready. */
	while (!poll(pfd, 1, 0)) {
		if (tool_stopped)
			return -EINTR;
		err = left_how(peer, &there);
		if (err)
			return err;
		/* Rings on which nobody sleeps have nothing to poll: the next record tells. */
		pfd[1].fd = there ? shmring_pollfd(peer->r) : -1;
		if (pfd[1].fd < 0 || shmring_arm(peer->r, SHMRING_EV_PEER) <= 0)
			poll(pfd, 2, -1);
	}
	return tool_stopped ? -EINTR : 0;
}

/* What nobody has taken yet, in all lanes; 0 also where the positions cannot be. */
static unsigned long long unread(const struct shmring_ioc_info *info)
{
	uint64_t bytes = info->produced - info->consumed;

	return bytes > info->data_size * (info->producers ? info->producers : 1) ? 0 : bytes;
}

/* Why sending ended, in a sentence with figures; returns the exit code. */
int tool_send_failed(struct shmring *r, const char *name, int err)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	unsigned long long left = 0;

	if (err == -EINTR)
		return tool_signal_exit();
	if (!shmring_info(r, &info))
		left = unread(&info);
	if (err == -EOWNERDEAD && !left)
		return tool_say(TOOL_PEER_DIED,
				"the receiver of ring '%s' died without closing: it had taken all that was sent so far, but there was more to send",
				name);
	if (err == -EOWNERDEAD)
		return tool_say(TOOL_PEER_DIED,
				"the receiver of ring '%s' died without closing and left %llu bytes unread",
				name, left);
	if (err == -EPIPE && !left)
		return tool_say(TOOL_PEER_CLOSED,
				"the receiver of ring '%s' closed it before it had everything: it had taken all that was sent so far, but there was more to send",
				name);
	if (err == -EPIPE)
		return tool_say(TOOL_PEER_CLOSED,
				"the receiver of ring '%s' closed it before it had everything; %llu bytes are unread",
				name, left);
	if (err == -ETIMEDOUT)
		return tool_say(TOOL_TIMEOUT,
				"nobody emptied ring '%s' in time, %llu bytes are in it: start shmring recv %s",
				name, left, name);
	return tool_fail(err, "cannot send to ring '%s'", name);
}

/*
 * Waits until the ring is empty: the largest record fits then and not before. The
 * reservation is simply not used.
 */
int tool_drain(struct tool_peer *peer, const char *name, uint64_t timeout_ns)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	void *payload;
	int err;

	err = shmring_info(peer->r, &info);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", name);
	if (info.produced == info.consumed)
		return TOOL_OK;
	err = tool_reserve(peer, info.max_record, &payload, timeout_ns);
	/* A receiver that took everything and left has done its work. */
	if (err == -EPIPE || err == -EOWNERDEAD)
		if (!shmring_info(peer->r, &info) && info.produced == info.consumed)
			err = 0;
	return err ? tool_send_failed(peer->r, name, err) : TOOL_OK;
}

/*
 * What is cut must not look whole: such a sender leaves as if it were killed, after all that
 * it had put, and the receiver says that it died. Where nobody is there to be told it closes,
 * for a ring of the memfd backend whose last user is killed stays behind.
 */
void tool_leave(struct shmring *r, bool cut)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };

	if (cut) {
		shmring_flush(r);
		/* The process ends now, and its place with it. */
		if (!shmring_info(r, &info) && info.slots_live + info.observers > 1)
			return;
	}
	shmring_close(r);
}
