/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that look at what shmring_test.ko does by the kernel's API: the module is
 * loaded for each test and unloaded after it, so whatever it left behind is seen.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "endpoint.h"
#include "group.h"
#include "modules/kernel_test.h"

#define KT_DEVICE	"/dev/shmring_test"
#define DROP		SHMRING_FULL_DROP_NEWEST

HELPER int module_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return err;
}

/* 0; -ENOENT: there is no such module here; -errno. */
HELPER int kt_load(void)
{
	const char *dir = getenv("SHMRING_MODULES");
	char path[512];

	if (!dir)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/shmring_test.ko", dir);
	return module_load(path);
}

HELPER int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

/* A value that is no errno comes back as it is. */
HELPER int kt(int fd, unsigned long cmd, unsigned long arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

HELPER int kt_with(int fd, unsigned long cmd, void *arg)
{
	return kt(fd, cmd, (unsigned long)arg);
}

HELPER int kt_open(void)
{
	int fd = open(KT_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A user of the module with the ring of @ring_fd, or -errno. */
HELPER int kt_get(int ring_fd)
{
	int fd = kt_open(), err;

	if (fd < 0)
		return fd;
	err = kt(fd, KT_GET, (unsigned long)ring_fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

HELPER struct kt_produce produce_args(__u32 context, __u64 count, __u32 len)
{
	return (struct kt_produce) { .context = context, .count = count, .len = len };
}

HELPER __u64 refused(const struct kt_produce *p)
{
	return p->busy + p->full + p->again + p->gone + p->other;
}

HELPER __u64 kt_lost(int fd)
{
	__u64 lost = 0;

	return kt_with(fd, KT_LOST, &lost) ? ~0ull : lost;
}

HELPER struct kt_counts kt_counts(int fd)
{
	struct kt_counts counts;

	memset(&counts, 0, sizeof(counts));
	kt_with(fd, KT_COUNTS, &counts);
	return counts;
}

/* Until record() was called so often: what a test waits for, and hangs if it never is. */
HELPER void until_calls(int fd, __u64 calls)
{
	while (kt_counts(fd).calls < calls)
		sched_yield();
}

HELPER void until_events(int fd, __u32 events)
{
	while (kt_counts(fd).events < events)
		sched_yield();
}

/* The next record of a consumer with several lanes, checked: its payload bytes, or -errno. */
HELPER long member_record(struct member *m, struct kt_record *rec)
{
	const unsigned char *payload;
	const void *from = NULL;
	long len, i;

	shmring_merge_join(&m->merge);
	len = shmring_merge_peek(&m->merge, &from);
	if (len < 0)
		return len;
	payload = from;
	if ((size_t)len < sizeof(*rec))
		return -EBADMSG;
	memcpy(rec, payload, sizeof(*rec));
	for (i = sizeof(*rec); i < len; i++)
		if (payload[i] != (__u8)rec->seq)
			return -EBADMSG;
	shmring_merge_next(&m->merge, len);
	if (m->merge.overwrite && !shmring_merge_whole(&m->merge)) {
		shmring_merge_rewind(&m->merge);
		return -ESTALE;
	}
	return member_release(m) ? -EIO : len;
}

/* What a consumer received, by context of the writer. */
struct received {
	__u64 count[KT_CONTEXTS];
	__u64 last[KT_CONTEXTS];
	__u64 all;
};

/* Count a record; false if it is out of order within its context. */
HELPER bool received_add(struct received *r, const struct kt_record *rec, bool ordered)
{
	if (rec->context >= KT_CONTEXTS || (ordered && rec->seq <= r->last[rec->context]))
		return false;
	r->last[rec->context] = rec->seq;
	r->count[rec->context]++;
	r->all++;
	return true;
}

#define NEED_MODULE() do {							\
	if (self->loaded == -ENOENT)						\
		SKIP(return, "SHMRING_MODULES does not say where shmring_test.ko is");	\
	ASSERT_EQ(0, self->loaded);						\
} while (0)

#endif /* KERNEL_H */
