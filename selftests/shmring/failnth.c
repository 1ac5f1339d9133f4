// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can fail inside a call of the device fails, one after the other
 * (sweep.h).
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "sweep.h"

#define HUGE	(2u << 20)

/* ---- files, before the call ---- */

static bool an_mpsc(struct trial *t)
{
	bool ok = create_as(t, MPSC, PRODUCER, 4096);

	t->create.producers = 3;
	t->create.placement = SHMRING_PLACE_INTERLEAVE;
	return ok;
}

static bool a_queue(struct trial *t)
{
	bool ok = create_as(t, QUEUE, CONSUMER, 4096);

	t->create.producers = 2;
	t->create.consumers = 2;
	t->create.full_policy = SHMRING_FULL_DROP_NEWEST;
	t->create.cursor_placement = SHMRING_PLACE_PREFERRED;
	t->create.cursor_node = 0;
	return ok;
}

static bool a_broadcast(struct trial *t)
{
	bool ok = create_as(t, BROADCAST, OBSERVER, 8192);

	t->create.full_policy = SHMRING_FULL_OVERWRITE;
	t->create.placement = SHMRING_PLACE_STRICT;
	t->create.node = 0;
	return ok;
}

static bool a_raw(struct trial *t)
{
	return create_as(t, RAW, PRODUCER | CONSUMER, 16384);
}

/*
 * 2 MiB pages if they can be had, so a failure that is no failure. Where they cannot, there are
 * hundreds of pages to fail at, all alike.
 */
static bool a_large(struct trial *t)
{
	return create_as(t, SPSC, PRODUCER, HUGE);
}

static bool a_huge(struct trial *t)
{
	bool ok = create_as(t, SPSC, PRODUCER, HUGE);

	t->create.flags = SHMRING_CREATE_HUGE;
	return ok;
}

static bool a_nameless(struct trial *t)
{
	bool ok = create_as(t, SPSC, CONSUMER, 4096);

	set_name(t->create.name, NULL);
	t->create.flags = SHMRING_CREATE_SPIN | SHMRING_CREATE_SMALL;
	return ok;
}

/* ---- endpoints, before the call ---- */

static bool ring_and_file(struct trial *t)
{
	if (!a_ring(t))
		return false;
	t->peer = t->fd;
	return unbound(t);
}

static bool attach_by_name(struct trial *t)
{
	t->attach = attach_args(CONSUMER, NAME);
	return ring_and_file(t);
}

static bool attach_by_fd(struct trial *t)
{
	bool ok = ring_and_file(t);

	t->attach = attach_fd_args(CONSUMER, t->peer);
	return ok;
}

/* The CURSOR page has to be replaced by one on the other node, or need not be. */
static bool attach_elsewhere(struct trial *t, __u32 placement)
{
	struct shmring_ioc_info info = { 0 };
	bool ok = attach_by_name(t) && !ring_info(t->peer, &info);

	/* The ring's pages are where it was made: on any of them. */
	t->attach.cursor_placement = placement;
	t->attach.cursor_node = access("/sys/devices/system/node/node1", F_OK) ? 0 :
				info.meta_node == 0;
	return ok;
}

static bool attach_strictly(struct trial *t)
{
	return attach_elsewhere(t, SHMRING_PLACE_STRICT);
}

static bool attach_preferably(struct trial *t)
{
	return attach_elsewhere(t, SHMRING_PLACE_PREFERRED);
}

static bool attach_to_broadcast(struct trial *t)
{
	if (!a_broadcast(t) || dev_ioctl(t->fd, SHMRING_IOC_CREATE, &t->create))
		return false;
	t->peer = t->fd;
	t->attach = attach_fd_args(CONSUMER, t->peer);
	return unbound(t);
}

static bool ring_and_eventfd(struct trial *t)
{
	t->other = eventfd(0, EFD_CLOEXEC);
	return t->other >= 0 && a_ring(t);
}

static bool ring_and_epoll(struct trial *t)
{
	t->other = epoll_create1(EPOLL_CLOEXEC);
	return t->other >= 0 && a_ring(t);
}

/* A dead consumer's claim, and the consumer that is going to take it. */
static bool an_orphan(struct trial *t)
{
	struct member dead;

	t->peer = group_create(QUEUE, SHMRING_FULL_WAIT, 1, 2);
	if (t->peer < 0 || !member_attach(&t->sender, PRODUCER, t->peer) ||
	    member_send(&t->sender, 8, 'x') || !member_attach(&dead, CONSUMER, t->peer) ||
	    member_get(&dead) != 'x')
		return false;
	member_close(&dead);
	t->fd = ring_attach_fd(CONSUMER, t->peer);
	return t->fd >= 0;
}

static bool an_adopted_orphan(struct trial *t)
{
	return an_orphan(t) && !ring_adopt(t->fd, &t->adopt, SHMRING_ADOPT_TAKE);
}

/* Unmapped when nothing fails any more: munmap(2) allocates, too. */
static int map_region(struct trial *t, size_t size, int prot, off_t offset)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, t->fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	t->map = p;
	t->size = size;
	return 0;
}

static bool a_mapping(struct trial *t)
{
	if (!a_ring(t))
		return false;
	return !map_region(t, (size_t)t->create.data_size, PROT_READ | PROT_WRITE,
			   3 * (off_t)page_size());
}

/* ---- calls: 0 or -errno ---- */

static int call_open(struct trial *t)
{
	if (t->fd < 0)
		t->fd = dev_open();
	return t->fd < 0 ? t->fd : 0;
}

static int call_create(struct trial *t)
{
	return dev_ioctl(t->fd, SHMRING_IOC_CREATE, &t->create);
}

static int call_attach(struct trial *t)
{
	return dev_ioctl(t->fd, SHMRING_IOC_ATTACH, &t->attach);
}

static int call_info(struct trial *t)
{
	struct shmring_ioc_info info;

	return ring_info(t->fd, &info);
}

static int call_list(struct trial *t)
{
	struct shmring_ioc_info info;

	return ring_list(t->fd, 0, &info);
}

static int call_fdinfo(struct trial *t)
{
	char path[64], text[1024];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", t->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = read(fd, text, sizeof(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int call_eventfd(struct trial *t)
{
	return ring_eventfd(t->fd, SHMRING_EV_OUT | SHMRING_EV_PEER, t->other);
}

static int call_kick(struct trial *t)
{
	return ring_kick(t->fd);
}

static int call_wait_ready(struct trial *t)
{
	int ret = ring_wait(t->fd, SHMRING_EV_OUT, SHMRING_DEADLINE_NEVER);

	return ret < 0 ? ret : 0;
}

/* Sleeps until a time that has passed. (To ask for the time is a call that may fail, too.) */
static int call_wait_late(struct trial *t)
{
	int ret = ring_wait(t->fd, SHMRING_EV_PEER, 1);

	return ret == -ETIMEDOUT ? 0 : ret < 0 ? ret : -ENOTRECOVERABLE;
}

static int call_adopt_take(struct trial *t)
{
	return ring_adopt(t->fd, &t->adopt, SHMRING_ADOPT_TAKE);
}

static int call_adopt_done(struct trial *t)
{
	return ring_adopt(t->fd, &t->adopt, SHMRING_ADOPT_DONE);
}

static int call_poll(struct trial *t)
{
	int ret = poll_now(t->fd, POLLIN | POLLOUT);

	return ret < 0 ? ret : 0;
}

static int call_epoll(struct trial *t)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };

	return epoll_ctl(t->other, EPOLL_CTL_ADD, t->fd, &ev) ? -errno : 0;
}

static int call_mmap_control(struct trial *t)
{
	return map_region(t, 3 * page_size(), PROT_READ, 0);
}

static int call_mmap_cursor(struct trial *t)
{
	return map_region(t, page_size(), PROT_READ | PROT_WRITE, (off_t)page_size());
}

static int call_mmap_data(struct trial *t)
{
	return map_region(t, (size_t)t->create.data_size, PROT_READ | PROT_WRITE,
			  3 * (off_t)page_size());
}

static int call_populate(struct trial *t)
{
	return madvise(t->map, t->size, MADV_POPULATE_WRITE) ? -errno : 0;
}

/* It cannot fail, so it must not depend on anything that can. */
static int call_close(struct trial *t)
{
	int fd = t->fd;

	t->fd = -1;
	return close(fd) ? -errno : 0;
}

FIXTURE(fail) {};

FIXTURE_SETUP(fail)
{
	SWEEP_SETUP();
}

FIXTURE_TEARDOWN(fail) {}

TEST_F(fail, open_and_close)
{
	SWEEP({ "open", nothing, call_open, { ENOMEM, EFAULT } },
	      { "close unbound", unbound, call_close },
	      { "close producer", a_ring, call_close },
	      { "close consumer with an orphan", an_adopted_orphan, call_close });
}

TEST_F(fail, create)
{
	SWEEP({ "create spsc", an_spsc, call_create, { ENOMEM, EFAULT } },
	      { "create mpsc", an_mpsc, call_create, { ENOMEM, EFAULT } },
	      { "create queue", a_queue, call_create, { ENOMEM, EFAULT } },
	      { "create broadcast", a_broadcast, call_create, { ENOMEM, EFAULT } },
	      { "create raw", a_raw, call_create, { ENOMEM, EFAULT } },
	      { "create without a name", a_nameless, call_create, { ENOMEM, EFAULT } },
	      { "create large", a_large, call_create, { ENOMEM, EFAULT }, 50 },
	      { "create huge", a_huge, call_create, { ENOMEM, EFAULT } });
}

TEST_F(fail, attach)
{
	SWEEP({ "attach by name", attach_by_name, call_attach, { ENOMEM, EFAULT } },
	      { "attach by fd", attach_by_fd, call_attach, { ENOMEM, EFAULT } },
	      { "attach strict", attach_strictly, call_attach, { ENOMEM, EFAULT } },
	      { "attach preferred", attach_preferably, call_attach, { ENOMEM, EFAULT } },
	      { "attach to broadcast", attach_to_broadcast, call_attach, { ENOMEM, EFAULT } });
}

TEST_F(fail, endpoint)
{
	SWEEP({ "info", a_ring, call_info, { EFAULT } },
	      { "list", a_ring, call_list, { EFAULT } },
	      { "fdinfo", a_ring, call_fdinfo, { ENOMEM, EFAULT } },
	      { "eventfd", ring_and_eventfd, call_eventfd, { EFAULT } },
	      { "kick", a_ring, call_kick },
	      { "wait", a_ring, call_wait_ready, { EFAULT } },
	      { "wait in vain", a_ring, call_wait_late, { EFAULT } },
	      { "adopt take", an_orphan, call_adopt_take, { EFAULT } },
	      { "adopt done", an_adopted_orphan, call_adopt_done, { EFAULT } },
	      { "poll", a_ring, call_poll, { ENOMEM, EFAULT } },
	      { "epoll", ring_and_epoll, call_epoll, { ENOMEM, EFAULT } });
}

TEST_F(fail, map)
{
	SWEEP({ "mmap control", a_ring, call_mmap_control, { ENOMEM } },
	      { "mmap cursor", a_ring, call_mmap_cursor, { ENOMEM } },
	      { "mmap data", a_ring, call_mmap_data, { ENOMEM } },
	      { "populate data", a_mapping, call_populate, { ENOMEM, EFAULT } });
}

TEST_HARNESS_MAIN
