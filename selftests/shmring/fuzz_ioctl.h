/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's ioctls: structs that are nearly right, in memory of all kinds. The oracle,
 * besides a kernel that is quiet: no errno that the UAPI header does not name.
 */
#ifndef FUZZ_IOCTL_H
#define FUZZ_IOCTL_H

#include "fuzz.h"

static const int fuzz_errnos[] = {
	ENOTTY, EINVAL, E2BIG, EFAULT, EOPNOTSUPP, ENOTCONN, EISCONN, EACCES, ERANGE, ENXIO,
	ENODEV, ENAMETOOLONG, EEXIST, ENOENT, EBADF, EBADFD, EBUSY, EDQUOT, ENOSPC, ENOMEM,
	EAGAIN, ETIMEDOUT, EPIPE, EOWNERDEAD, EPROTO, ECANCELED,
};

HELPER int documented(int ret)
{
	for (size_t i = 0; ret < 0 && i < ARRAY_SIZE(fuzz_errnos); i++)
		if (ret == -fuzz_errnos[i])
			return ret;
	CHECK(ret >= 0);
	return ret;
}

/* Spoil up to three words of what is right. */
HELPER void mutate(struct fuzz *f, void *arg, size_t size)
{
	unsigned int n = below(f, 4);

	if (!one_in(f, 4))
		return;
	while (n--) {
		size_t at = below(f, (unsigned int)size / 4) * 4;
		__u64 word = strange(f);

		memcpy((char *)arg + at, &word, one_in(f, 2) && at + 8 <= size ? 8 : 4);
	}
}

/* Where the struct is when the kernel looks: mostly where it should be. */
HELPER void *placed(struct fuzz *f, const void *arg, size_t size, bool in_ring)
{
	const struct fuzz_map *m = &f->map[below(f, FUZZ_MAPS)];
	char *to = f->page;

	switch (below(f, 24)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(uintptr_t)strange(f);
	case 2:
		to += page_size() - size;			/* just fits */
		break;
	case 3:
		to += page_size() - size + 8;			/* just does not */
		break;
	case 4:
		if (in_ring && m->at && m->size >= page_size())
			to = m->at + below(f, (unsigned int)(page_size() - size));
		break;
	}
	fuzz_copy(to, arg, size);
	return to;
}

HELPER int fuzz_ioctl(struct fuzz *f, enum fuzz_count what, int fd, unsigned long cmd, void *arg,
		      size_t size, bool in_ring)
{
	static const __u32 sizes[] = { 0, 4, 8, 4096, 4097 };
	__u32 told = (__u32)size;

	if (one_in(f, 12))
		told = one_in(f, 2) ? ONE_OF(f, sizes) : (__u32)size + below(f, 17) - 8;
	memcpy(arg, &told, sizeof(told));
	return documented(counted(f, what, dev_ioctl(fd, cmd, placed(f, arg, size, in_ring))));
}

HELPER const char *any_name(struct fuzz *f)
{
	static const char *const names[] = { "fuzz-a", "fuzz-b", "fuzz-c", "fuzz-d", "fuzz-e",
					     "fuzz-f", NULL, NULL };

	return ONE_OF(f, names);
}

HELPER __u32 any_role(struct fuzz *f)
{
	static const __u32 roles[] = { PRODUCER, CONSUMER, PRODUCER, CONSUMER, OBSERVER,
				       PRODUCER | CONSUMER, 0, 8 };

	return ONE_OF(f, roles);
}

HELPER __u32 any_placement(struct fuzz *f, __s32 *node)
{
	__u32 placement = below(f, one_in(f, 2) ? 3 : 5);

	*node = placement == SHMRING_PLACE_STRICT || placement == SHMRING_PLACE_PREFERRED ?
		(__s32)below(f, 3) : -1;
	return placement;
}

/* A file that can be bound: a new one, if there is none. */
HELPER int unbound_fd(struct fuzz *f)
{
	struct shmring_ioc_info info;
	int fd = aimed_fd(f, is_unbound, &info);

	if (!info.ring_id && one_in(f, 2))
		return fd;
	fd = dev_open();
	put_fd(f, fd);
	return fd;
}

/* A ring that there can be, of any kind. */
HELPER struct shmring_ioc_create sane_create(struct fuzz *f)
{
	static const __u32 flags[] = { 0, 0, 0, SHMRING_CREATE_SPIN, SHMRING_CREATE_SMALL };
	__u32 topology = 1 + below(f, 5);
	struct shmring_ioc_create arg = create_args(topology, 1 + below(f, 2),
						    page_size() << below(f, 3));

	arg.flags = ONE_OF(f, flags);
	arg.mode = 0666;
	arg.producers = 1 + below(f, 3);
	arg.consumers = 1 + below(f, 3);
	if (topology == SHMRING_TOPO_SPSC || topology == RAW)
		arg.producers = 0;
	if (topology == SHMRING_TOPO_SPSC || topology == SHMRING_TOPO_MPSC || topology == RAW)
		arg.consumers = 0;
	if (topology != RAW)
		arg.full_policy = below(f, 2);
	if (topology == SHMRING_TOPO_BROADCAST)
		arg.full_policy = below(f, 3);
	return arg;
}

/* A ring that there cannot be, most of the time. */
HELPER struct shmring_ioc_create strange_create(struct fuzz *f)
{
	static const __u32 slots[] = { 0, 0, 1, 2, 3, 31, 32, 33 };
	struct shmring_ioc_create arg = create_args(1 + below(f, 5), any_role(f),
						    page_size() << below(f, 5));

	arg.flags = below(f, 8);
	if (arg.flags & SHMRING_CREATE_HUGE)
		arg.data_size = 2u << 20;
	arg.full_policy = below(f, 4);
	arg.slots = ONE_OF(f, slots);
	arg.producers = ONE_OF(f, slots);
	arg.consumers = ONE_OF(f, slots);
	arg.mode = below(f, 01001);
	mutate(f, &arg, sizeof(arg));
	return arg;
}

HELPER void fuzz_create(struct fuzz *f)
{
	struct shmring_ioc_create arg = one_in(f, 4) ? strange_create(f) : sane_create(f);
	int fd = unbound_fd(f);

	if (one_in(f, 3)) {
		arg.placement = any_placement(f, &arg.node);
		arg.cursor_placement = any_placement(f, &arg.cursor_node);
	}
	if (one_in(f, 3))
		set_name(arg.name, any_name(f));
	fuzz_ioctl(f, COUNT_CREATE, fd, SHMRING_IOC_CREATE, &arg, sizeof(arg), true);
}

HELPER void fuzz_attach(struct fuzz *f)
{
	static bool (*const kinds[])(int err, const struct shmring_ioc_info *info) = {
		is_bound, has_room, group_has_room, queue_has_room,
	};
	const char *name = one_in(f, 3) ? any_name(f) : NULL;
	__u32 role = one_in(f, 6) ? any_role(f) : 1 + below(f, 2);
	struct shmring_ioc_attach arg = attach_args(role, name);
	struct shmring_ioc_info info;
	int fd = unbound_fd(f);

	if (!name)
		arg = attach_fd_args(role, one_in(f, 16) ? f->epoll :
						aimed_fd(f, ONE_OF(f, kinds), &info));
	if (one_in(f, 3))
		arg.cursor_placement = any_placement(f, &arg.cursor_node);
	mutate(f, &arg, sizeof(arg));
	fuzz_ioctl(f, COUNT_ATTACH, fd, SHMRING_IOC_ATTACH, &arg, sizeof(arg), true);
}

HELPER void fuzz_info(struct fuzz *f)
{
	struct shmring_ioc_info arg = { 0 };
	bool list = one_in(f, 2);

	if (list && one_in(f, 2))
		arg.ring_id = strange(f);
	mutate(f, &arg, sizeof(arg));
	fuzz_ioctl(f, list ? COUNT_LIST : COUNT_INFO, any_fd(f),
		   list ? SHMRING_IOC_LIST : SHMRING_IOC_INFO, &arg, sizeof(arg), true);
}

HELPER void fuzz_eventfd(struct fuzz *f)
{
	struct shmring_ioc_info info;
	int fd = aimed_fd(f, is_bound, &info);
	struct shmring_ioc_eventfd arg = {
		.events = any_events(f, &info),
		.fd = one_in(f, 4) ? -1 : one_in(f, 8) ? any_fd(f) : f->eventfd,
	};

	mutate(f, &arg, sizeof(arg));
	fuzz_ioctl(f, COUNT_EVENTFD, fd, SHMRING_IOC_EVENTFD, &arg, sizeof(arg), true);
}

/* Never in memory that a peer writes: the deadline has to stay what it is. */
HELPER void fuzz_wait(struct fuzz *f)
{
	struct shmring_ioc_info info;
	int fd = aimed_fd(f, is_bound, &info);
	struct shmring_ioc_wait arg = { .events = any_events(f, &info) };

	if (one_in(f, 6))
		arg.need = one_in(f, 2) ? strange(f) : below(f, 4096);
	if (one_in(f, 6))
		arg.need_records = one_in(f, 2) ? strange(f) : below(f, 4);
	mutate(f, &arg, sizeof(arg));
	arg.deadline = one_in(f, 4) ? now_ns() + FUZZ_NAP_NS : SHMRING_DEADLINE_NOW;
	fuzz_ioctl(f, COUNT_WAIT, fd, SHMRING_IOC_WAIT, &arg, sizeof(arg), false);
}

HELPER void fuzz_adopt(struct fuzz *f)
{
	struct shmring_ioc_info info;
	int fd = aimed_fd(f, is_queue_consumer, &info);
	struct shmring_ioc_adopt arg = {
		.op = 1 + below(f, 2),
		.slot = one_in(f, 4) ? below(f, SHMRING_SLOTS_MAX + 2) : info.slot,
	};

	mutate(f, &arg, sizeof(arg));
	fuzz_ioctl(f, COUNT_ADOPT, fd, SHMRING_IOC_ADOPT, &arg, sizeof(arg), true);
}

HELPER void fuzz_kick(struct fuzz *f)
{
	void *arg = one_in(f, 16) ? f->page : NULL;
	struct shmring_ioc_info info;
	int fd = aimed_fd(f, is_bound, &info);

	documented(counted(f, COUNT_KICK, dev_ioctl(fd, SHMRING_IOC_KICK, arg)));
}

/* Commands that are none, and those of all files. */
HELPER void fuzz_other_ioctl(struct fuzz *f)
{
	unsigned long cmd = one_in(f, 2) ? (unsigned long)strange(f) :
		_IOC(below(f, 4), SHMRING_IOC_TYPE, 0x38 + below(f, 32), below(f, 256));

	/* Of what could sleep for ever in memory that anybody writes: not here. */
	if (cmd == SHMRING_IOC_WAIT)
		return;
	COUNTED(f, COUNT_OTHER_IOCTL, ioctl(any_fd(f), cmd, placed(f, f->page, 64, true)));
}

#endif /* FUZZ_IOCTL_H */
