/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's players: endpoints that follow the protocol, on rings that others scribble
 * over. They fill lanes, claim records, and end in the midst of it; without them no ring
 * ever holds what an honest one does, and nobody leaves an orphan.
 */
#ifndef FUZZ_PLAY_H
#define FUZZ_PLAY_H

#include "fuzz_ioctl.h"

/* In order, or as if it had been killed. */
HELPER void player_end(struct fuzz *f, struct member *m)
{
	if (!m->meta)
		return;
	if (one_in(f, 3))
		shmring_store(&m->mine->closed, (__u32)getpid());
	member_close(m);
	m->meta = NULL;
}

HELPER void player_begin(struct fuzz *f, struct member *m, __u32 role, int via)
{
	int fd = ring_attach_fd(role, via);

	if (documented(counted(f, COUNT_ATTACH, fd)) < 0)
		return;
	player_end(f, m);
	if (!member_start(m, fd)) {
		/* What it mapped by then stays, and the endpoint with it. */
		m->meta = NULL;
		close(fd);
		return;
	}
	if (role == CONSUMER && m->info.topology != QUEUE)
		m->merge.overwrite = m->info.full_policy == SHMRING_FULL_OVERWRITE;
	if (one_in(f, 4))
		put_fd(f, dup(fd));	/* to be waited on, and passed on */
}

/* Several at one ring, of both roles; in place of whoever played before. */
HELPER void fuzz_team(struct fuzz *f)
{
	static bool (*const kinds[])(int err, const struct shmring_ioc_info *info) = {
		group_has_room, queue_has_room,
	};
	struct shmring_ioc_info info;
	int via = aimed_fd(f, ONE_OF(f, kinds), &info);
	unsigned int n = 2 + below(f, 3), at = below(f, FUZZ_PLAYERS);
	__u32 role = 1 + below(f, 2);

	if (!info.shared_offset)
		return;
	for (; n; n--, role ^= PRODUCER | CONSUMER)
		player_begin(f, &f->player[at++ % FUZZ_PLAYERS], role, via);
}

HELPER void player_adopt(struct fuzz *f, struct member *m)
{
	struct shmring_ioc_adopt arg = { .slot = m->info.slot };
	int err = ring_adopt(m->fd, &arg, SHMRING_ADOPT_TAKE);

	if (!documented(counted(f, COUNT_ADOPT, err)) && one_in(f, 2))
		documented(counted(f, COUNT_ADOPT, ring_adopt(m->fd, &arg, SHMRING_ADOPT_DONE)));
}

/* Its next moves: records out or in, some of them claimed and not released. */
HELPER void fuzz_play(struct fuzz *f)
{
	struct member *m = &f->player[below(f, FUZZ_PLAYERS)];
	unsigned int n = 1 + below(f, 6);
	size_t len = below(f, 900);

	if (!m->meta)
		return;
	if (one_in(f, 8)) {
		player_end(f, m);
		return;
	}
	if (m->info.role == CONSUMER && m->info.topology == QUEUE && one_in(f, 2))
		player_adopt(f, m);
	while (n--)
		if (m->info.role == PRODUCER)
			counted(f, COUNT_SEND, member_send(m, len, (int)n));
		else
			counted(f, COUNT_TAKE, one_in(f, 3) ? member_get(m) : member_take(m));
}

#endif /* FUZZ_PLAY_H */
