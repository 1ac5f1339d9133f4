// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The backend of rings that belong to the kernel: every operation is an ioctl of
 * /dev/shmring, and what the kernel says is the answer. It witnesses deaths, arms
 * sleepers and wakes them; nothing here has to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

#define SHMRING_DEVICE		"/dev/shmring"

static int shmring_device_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static int shmring_device_open(uint32_t role)
{
	int fd = open(SHMRING_DEVICE, O_RDWR | O_CLOEXEC);

	/* Reading is enough for an observer. */
	if (fd < 0 && errno == EACCES && role == SHMRING_ROLE_OBSERVER)
		fd = open(SHMRING_DEVICE, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool shmring_device_usable(void)
{
	int fd = shmring_device_open(SHMRING_ROLE_OBSERVER);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* An endpoint, or an open device. What a module hands out is no character device. */
bool shmring_device_is(int fd)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };

	return !ioctl(fd, SHMRING_IOC_INFO, &info) || errno == ENOTCONN;
}

static int shmring_device_info(const struct shmring_handle *h, struct shmring_ioc_info *info)
{
	return shmring_device_ioctl(h->fd, SHMRING_IOC_INFO, info);
}

/* The file is bound: learn the geometry, map, start. */
static int shmring_device_join(struct shmring_handle *h, uint32_t role)
{
	int err;

	h->role = role;
	h->geo.size = sizeof(h->geo);
	err = shmring_device_info(h, &h->geo);
	if (err)
		return err;
	h->slot = h->geo.slot;
	err = shmring_map(h, false);
	return err ? err : shmring_start(h);
}

static int shmring_device_create(struct shmring_handle *h, const char *name, uint32_t role,
				 const struct shmring_opts *opts)
{
	struct shmring_ioc_create arg = {
		.size = sizeof(arg),
		.flags = opts->flags,
		.topology = opts->topology,
		.role = role,
		.data_size = opts->data_size,
		.full_policy = opts->full_policy,
		.slots = opts->slots,
		.producers = opts->producers,
		.consumers = opts->consumers,
		.mode = opts->mode,
		.placement = opts->placement,
		.node = opts->node,
		.cursor_placement = opts->cursor_placement,
		.cursor_node = opts->cursor_node,
	};
	int err;

	memcpy(arg.name, name, strlen(name));
	h->fd = shmring_device_open(SHMRING_ROLE_PRODUCER);
	if (h->fd < 0)
		return h->fd;
	err = shmring_device_ioctl(h->fd, SHMRING_IOC_CREATE, &arg);
	return err ? err : shmring_device_join(h, role);
}

static int shmring_device_bind(struct shmring_handle *h, struct shmring_ioc_attach *arg,
			       const struct shmring_opts *opts)
{
	int err;

	arg->size = sizeof(*arg);
	arg->cursor_placement = opts->cursor_placement;
	arg->cursor_node = opts->cursor_node;
	h->fd = shmring_device_open(arg->role);
	if (h->fd < 0)
		return h->fd;
	err = shmring_device_ioctl(h->fd, SHMRING_IOC_ATTACH, arg);
	return err ? err : shmring_device_join(h, arg->role);
}

static int shmring_device_attach(struct shmring_handle *h, const char *name, uint32_t role,
				 const struct shmring_opts *opts)
{
	struct shmring_ioc_attach arg = { .role = role, .fd = -1 };

	memcpy(arg.name, name, strlen(name));
	return shmring_device_bind(h, &arg, opts);
}

static int shmring_device_attach_fd(struct shmring_handle *h, int fd, uint32_t role,
				    const struct shmring_opts *opts)
{
	struct shmring_ioc_attach arg = {
		.flags = SHMRING_ATTACH_FD,
		.role = role,
		.fd = fd,
	};

	return shmring_device_bind(h, &arg, opts);
}

/*
 * The kernel sees the end when the last mapping is gone too, and this process's part in it
 * when the descriptor is closed. That comes at once: another process that leaves in between
 * voids what was said.
 */
static void shmring_device_leave(struct shmring_handle *h)
{
	if (h->mine)
		shmring_store_release(&h->mine->closed, (uint32_t)getpid());
	close(h->fd);
	shmring_unmap(h);
}

/*
 * The kernel cannot count the records that a consumer of QUEUE or BROADCAST is to have; of the
 * others it has the counts that producers tell, which are of use only while they agree with the
 * records. Otherwise it is bytes: so many records as are missing have so many at least, and then
 * it is time to look again. Bytes are looked at first: what comes in between is not missing, and
 * was not among them either.
 *
 * In a QUEUE another consumer may take large records and small ones come in their place: then
 * what is waited for is there in fewer bytes. Nobody wakes for that, so the sum is made anew now
 * and then.
 */
#define SHMRING_OTHERS_NS	100000000ull

static bool shmring_device_counts(const struct shmring_handle *h)
{
	uint64_t ahead = 0 - shmring_load(&h->mine->records);
	uint32_t l;

	if (h->geo.topology == SHMRING_TOPO_QUEUE || h->geo.topology == SHMRING_TOPO_BROADCAST)
		return false;
	for (l = 0; l < h->geo.producers; l++)
		ahead += shmring_load(&h->cursor[l]->records);
	return ahead == h->in->amount(h, true);
}

static void shmring_device_bytes(const struct shmring_handle *h, const struct shmring_goal *goal,
				 struct shmring_ioc_wait *arg)
{
	uint64_t most = (h->geo.data_size - SHMRING_REC_TAIL) * h->geo.producers;
	uint64_t bytes = h->in->amount(h, false), have = h->in->amount(h, true), need;

	need = bytes + (goal->records - have) * sizeof(struct shmring_record);
	if (have >= goal->records)
		need = 1;	/* since the caller has looked */
	if (goal->need && goal->need < need)
		need = goal->need;
	arg->need = need < most ? need : most;
	arg->need_records = 0;
	if (arg->need > bytes || have >= goal->records || (goal->need && bytes >= goal->need))
		return;
	/* There is no room for as many: they will not come before others have taken some. */
	arg->events = SHMRING_EV_PEER;
	arg->need = 0;
}

static int shmring_device_sleep(struct shmring_handle *h, const struct shmring_goal *goal,
				uint64_t deadline)
{
	struct shmring_ioc_wait arg = {
		.size = sizeof(arg),
		.events = goal->events,
		.need = goal->need,
		.need_records = goal->records,
		.deadline = deadline,
	};
	uint64_t again = SHMRING_FOREVER;
	int err;

	if ((goal->events & SHMRING_EV_IN) && goal->records && !shmring_device_counts(h)) {
		shmring_device_bytes(h, goal, &arg);
		if ((h->geo.topology == SHMRING_TOPO_QUEUE && h->geo.consumers > 1) ||
		    arg.events != goal->events)
			again = shmring_now() + SHMRING_OTHERS_NS;
	}
	if (again < deadline)
		arg.deadline = again;
	err = shmring_device_ioctl(h->fd, SHMRING_IOC_WAIT, &arg);
	return err == -ETIMEDOUT && arg.deadline != deadline ? 0 : err;
}

static bool shmring_device_wake(struct shmring_handle *h, unsigned int slot)
{
	(void)slot;
	ioctl(h->fd, SHMRING_IOC_KICK, 0);
	return true;
}

static int shmring_device_adopt(struct shmring_handle *h, struct shmring_ioc_adopt *orphan)
{
	return shmring_device_ioctl(h->fd, SHMRING_IOC_ADOPT, orphan);
}

/* The bits in META are the kernel's: looking by poll(2) sets ours. */
static void shmring_device_arm(struct shmring_handle *h, uint32_t events)
{
	struct pollfd pfd = {
		.fd = h->fd,
		.events = (short)((events & SHMRING_EV_IN ? POLLIN : 0) |
				  (events & SHMRING_EV_OUT ? POLLOUT : 0)),
	};

	poll(&pfd, 1, 0);
}

static int shmring_device_pollfd(struct shmring_handle *h)
{
	return h->fd;
}

static int shmring_device_set_eventfd(struct shmring_handle *h, uint32_t events, int efd)
{
	struct shmring_ioc_eventfd arg = {
		.size = sizeof(arg),
		.events = events,
		.fd = efd,
	};

	return shmring_device_ioctl(h->fd, SHMRING_IOC_EVENTFD, &arg);
}

static int shmring_device_list(int (*fn)(uint32_t backend, const struct shmring_ioc_info *info,
					 void *arg), void *arg)
{
	int fd = shmring_device_open(SHMRING_ROLE_OBSERVER), err;
	struct shmring_ioc_info info = { .size = sizeof(info) };

	if (fd < 0)
		return fd;
	while (!(err = shmring_device_ioctl(fd, SHMRING_IOC_LIST, &info))) {
		err = fn(SHMRING_BACKEND_DEVICE, &info, arg);
		if (err)
			goto out_close;
	}
	if (err == -ENOENT)
		err = 0;
out_close:
	close(fd);
	return err;
}

const struct shmring_ops shmring_device_ops = {
	.backend = SHMRING_BACKEND_DEVICE,
	.create = shmring_device_create,
	.attach = shmring_device_attach,
	.attach_fd = shmring_device_attach_fd,
	.leave = shmring_device_leave,
	.info = shmring_device_info,
	.sleep = shmring_device_sleep,
	.wake = shmring_device_wake,
	.wakes_all = true,
	.adopt = shmring_device_adopt,
	.arm = shmring_device_arm,
	.pollfd = shmring_device_pollfd,
	.set_eventfd = shmring_device_set_eventfd,
	.list = shmring_device_list,
};
