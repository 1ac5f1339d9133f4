// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file operations of /dev/shmring: arguments in, checked, results out.
 *
 * A command whose effect cannot be undone copies its results out before that
 * effect, so that EFAULT leaves everything as it was.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "shmring.h"

/* Layout is ABI: the same for 32-bit and 64-bit programs, and for ever. */
static_assert(sizeof(struct shmring_ioc_create) == 136);
static_assert(sizeof(struct shmring_ioc_attach) == 96);
static_assert(sizeof(struct shmring_ioc_info) == 240);
static_assert(sizeof(struct shmring_ioc_eventfd) == 16);
static_assert(sizeof(struct shmring_ioc_wait) == 40);
static_assert(sizeof(struct shmring_uring_wait) == 16);
static_assert(sizeof(struct shmring_record) == 8);
static_assert(sizeof(struct shmring_slot) == 16);
static_assert(sizeof(struct shmring_witness) == 48);
static_assert(sizeof(struct shmring_meta) == 4096);
static_assert(offsetof(struct shmring_meta, slot) == 256);
static_assert(sizeof(struct shmring_ioc_adopt) == 32);
static_assert(sizeof(struct shmring_cursor) == 4096);
static_assert(sizeof(struct shmring_shared) == 4096);
static_assert(offsetof(struct shmring_cursor, armed) == 128);
static_assert(offsetof(struct shmring_cursor, want) == 256);
static_assert(offsetof(struct shmring_cursor, records) == 384);
static_assert(sizeof(struct shmring_meta) <= PAGE_SIZE);
static_assert(sizeof(struct shmring_cursor) <= PAGE_SIZE);
static_assert(sizeof(struct shmring_shared) <= PAGE_SIZE);

/**
 * struct shmring_request - one ioctl under way
 * @file: file of /dev/shmring
 * @ep: its endpoint
 * @user: the caller's struct
 * @size: how much of it the caller knows
 * @arg: our copy, zero where the caller knows less
 */
struct shmring_request {
	struct file *file;
	struct shmring_endpoint *ep;
	void __user *user;
	size_t size;
	union {
		struct shmring_ioc_create create;
		struct shmring_ioc_attach attach;
		struct shmring_ioc_info info;
		struct shmring_ioc_eventfd eventfd;
		struct shmring_ioc_wait wait;
		struct shmring_ioc_adopt adopt;
	} arg;
};

static int shmring_reply(struct shmring_request *req, size_t size)
{
	return copy_to_user(req->user, &req->arg, min(size, req->size)) ? -EFAULT : 0;
}

/* Does the descriptor allow it? Whoever has a CURSOR page has to write it. */
static int shmring_file_check(const struct file *file, u32 role)
{
	return role == SHMRING_ROLE_OBSERVER || (file->f_mode & FMODE_WRITE) ? 0 : -EACCES;
}

/**
 * shmring_create_check() - check what does not depend on who asks
 * @arg: as for CREATE; role, placements and slots are checked elsewhere
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP, -ERANGE, -ENAMETOOLONG.
 */
int shmring_create_check(const struct shmring_ioc_create *arg)
{
	u32 known = SHMRING_CREATE_SPIN | SHMRING_CREATE_HUGE | SHMRING_CREATE_SMALL;
	u64 huge = (u64)PAGE_SIZE << SHMRING_HUGE_ORDER;

	if ((arg->flags & ~known) || arg->resv || (arg->mode & ~0777u) ||
	    (arg->flags & SHMRING_CREATE_HUGE && arg->flags & SHMRING_CREATE_SMALL))
		return -EINVAL;
	switch (arg->full_policy) {
	case SHMRING_FULL_WAIT:
		break;
	case SHMRING_FULL_DROP_NEWEST:
		if (arg->topology == SHMRING_TOPO_RAW)
			return -EOPNOTSUPP;
		break;
	case SHMRING_FULL_OVERWRITE:
		if (arg->topology != SHMRING_TOPO_BROADCAST)
			return -EOPNOTSUPP;
		break;
	default:
		return -EINVAL;
	}
	if (arg->data_size == 0 || arg->data_size > SHMRING_DATA_MAX)
		return -ERANGE;
	if (arg->flags & SHMRING_CREATE_HUGE) {
		if (!SHMRING_HUGE_ORDER)
			return -EOPNOTSUPP;
		if (arg->data_size <= huge / 2)
			return -ERANGE;
	}
	return shmring_name_check(arg->name);
}

static int shmring_ioctl_create(struct shmring_request *req)
{
	struct shmring_ioc_create *arg = &req->arg.create;
	struct shmring_endpoint *ep = req->ep;
	struct shmring_place data, cursor;
	struct shmring_ring *ring;
	int err;

	err = shmring_create_check(arg) ?:
	      shmring_role_check(arg->topology, arg->role) ?:
	      shmring_place_check(arg->placement, arg->node, true, &data) ?:
	      shmring_place_check(arg->cursor_placement, arg->cursor_node, false, &cursor) ?:
	      shmring_file_check(req->file, arg->role);
	if (err)
		return err;

	if (mutex_lock_killable(&ep->bind_lock))
		return -EINTR;
	if (ep->ring) {
		err = -EISCONN;
		goto out_unlock;
	}
	ring = shmring_ring_create(arg, &data, &cursor);
	if (IS_ERR(ring)) {
		err = PTR_ERR(ring);
		goto out_unlock;
	}
	shmring_slot_take(ring, ep, arg->role);		/* the first one has its choice */
	ep->rights = SHMRING_MAY_READ | SHMRING_MAY_WRITE;

	arg->data_size = ring->data_size;
	arg->ring_id = ring->id;
	err = shmring_reply(req, sizeof(*arg));
	if (err) {
		shmring_ring_put(ring);
		goto out_unlock;
	}
	shmring_bind(req->file, ep, ring);
	shmring_publish(ring);
out_unlock:
	mutex_unlock(&ep->bind_lock);
	return err;
}

/**
 * shmring_find_fd() - find the ring of an endpoint's descriptor
 * @fd: the caller's descriptor
 * @rights: out: SHMRING_MAY_* that the endpoint may pass on
 *
 * Return: the ring, referenced, or an error pointer: -EBADF, -EBADFD.
 */
struct shmring_ring *shmring_find_fd(int fd, u32 *rights)
{
	struct shmring_ring *ring = NULL;
	struct shmring_endpoint *via;
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &shmring_fops) {
		via = file->private_data;
		ring = shmring_ring_of(via);
	}
	if (ring) {
		refcount_inc(&ring->refs);	/* @via holds one as long as we hold it */
		*rights = via->rights;
	}
	fput(file);
	return ring ?: ERR_PTR(-EBADFD);
}

/* Find the ring to attach to, and what the caller may do with it. */
static struct shmring_ring *shmring_attach_find(const struct shmring_ioc_attach *arg, u32 *rights)
{
	struct shmring_ring *ring;

	if (arg->flags & SHMRING_ATTACH_FD)
		return shmring_find_fd(arg->fd, rights);
	ring = shmring_find_name(arg->name);
	if (!ring)
		return ERR_PTR(-ENOENT);
	*rights = shmring_rights(ring);
	return ring;
}

static int shmring_attach_check(const struct shmring_ioc_attach *arg)
{
	int err = shmring_name_check(arg->name);

	if (err)
		return err;
	if (arg->flags & ~SHMRING_ATTACH_FD)
		return -EINVAL;
	if (arg->flags & SHMRING_ATTACH_FD)
		return arg->name[0] ? -EINVAL : 0;
	return arg->name[0] && arg->fd == -1 ? 0 : -EINVAL;
}

static int shmring_ioctl_attach(struct shmring_request *req)
{
	struct shmring_ioc_attach *arg = &req->arg.attach;
	struct shmring_endpoint *ep = req->ep;
	struct shmring_place cursor;
	struct shmring_ring *ring;
	u32 rights;
	int err;

	err = shmring_attach_check(arg) ?:
	      shmring_role_check(SHMRING_TOPO_RAW, arg->role) ?:
	      shmring_place_check(arg->cursor_placement, arg->cursor_node, false, &cursor) ?:
	      shmring_file_check(req->file, arg->role);
	if (err)
		return err;

	if (mutex_lock_killable(&ep->bind_lock))
		return -EINTR;
	if (ep->ring) {
		err = -EISCONN;
		goto out_unlock;
	}
	ring = shmring_attach_find(arg, &rights);
	if (IS_ERR(ring)) {
		err = PTR_ERR(ring);
		goto out_unlock;
	}
	err = shmring_endpoint_prepare(ep, ring, arg->role, rights, &cursor);
	if (err)
		goto err_put;

	arg->ring_id = ring->id;
	err = shmring_reply(req, sizeof(*arg));
	if (err)
		goto err_give_back;
	shmring_bind(req->file, ep, ring);
	mutex_unlock(&ep->bind_lock);
	return 0;

err_give_back:
	shmring_slot_give_back(ep, ring);
err_put:
	shmring_ring_put(ring);
out_unlock:
	mutex_unlock(&ep->bind_lock);
	return err;
}

static int shmring_ioctl_info(struct shmring_request *req)
{
	shmring_info(req->ep->ring, req->ep, &req->arg.info);
	return shmring_reply(req, sizeof(req->arg.info));
}

static int shmring_ioctl_list(struct shmring_request *req)
{
	struct shmring_ring *ring = shmring_find_next(req->arg.info.ring_id);

	if (!ring)
		return -ENOENT;
	shmring_info(ring, NULL, &req->arg.info);
	shmring_ring_put(ring);
	return shmring_reply(req, sizeof(req->arg.info));
}

static int shmring_ioctl_eventfd(struct shmring_request *req)
{
	return shmring_set_eventfd(req->ep, &req->arg.eventfd);
}

static int shmring_ioctl_wait(struct shmring_request *req)
{
	struct shmring_ioc_wait *arg = &req->arg.wait;
	u64 deadline = arg->deadline;
	int err;

	arg->deadline = shmring_deadline_to_host(deadline);
	err = shmring_wait(req->ep, arg, true);
	/* Who waits again with the same struct means the same time. */
	arg->deadline = deadline;
	return err ?: shmring_reply(req, sizeof(*arg));
}

static int shmring_ioctl_adopt(struct shmring_request *req)
{
	struct shmring_ioc_adopt *arg = &req->arg.adopt;
	int err = shmring_adopt(req->ep, arg);

	/* Who cannot be told what it has taken asks again. */
	return err || arg->op != SHMRING_ADOPT_TAKE ? err : shmring_reply(req, sizeof(*arg));
}

/**
 * struct shmring_ioctl - a command with a struct
 * @cmd: SHMRING_IOC_*
 * @bound: it needs a ring
 * @size: bytes of its struct as this module knows it
 * @min_size: bytes of the first version ever published
 * @run: does it
 */
struct shmring_ioctl {
	unsigned int cmd;
	bool bound;
	size_t size;
	size_t min_size;
	int (*run)(struct shmring_request *req);
};

static const struct shmring_ioctl shmring_ioctls[] = {
	{ SHMRING_IOC_CREATE, false, sizeof(struct shmring_ioc_create), 136,
	  shmring_ioctl_create },
	{ SHMRING_IOC_ATTACH, false, sizeof(struct shmring_ioc_attach), 96,
	  shmring_ioctl_attach },
	{ SHMRING_IOC_INFO, true, sizeof(struct shmring_ioc_info), 240, shmring_ioctl_info },
	{ SHMRING_IOC_LIST, false, sizeof(struct shmring_ioc_info), 240, shmring_ioctl_list },
	{ SHMRING_IOC_EVENTFD, true, sizeof(struct shmring_ioc_eventfd), 16,
	  shmring_ioctl_eventfd },
	{ SHMRING_IOC_WAIT, true, sizeof(struct shmring_ioc_wait), 40, shmring_ioctl_wait },
	{ SHMRING_IOC_ADOPT, true, sizeof(struct shmring_ioc_adopt), 32, shmring_ioctl_adopt },
};

static int shmring_ioctl_run(const struct shmring_ioctl *op, struct shmring_request *req)
{
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)req->user))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	req->size = size;
	err = copy_struct_from_user(&req->arg, op->size, req->user, size);
	if (err)
		return err;
	*(u32 *)&req->arg = size;	/* it may have changed; all structs begin with it */
	if (op->bound && !shmring_ring_of(req->ep))
		return -ENOTCONN;
	return op->run(req);
}

static long shmring_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct shmring_request req = {
		.file = file,
		.ep = file->private_data,
		.user = (void __user *)arg,
	};
	int i;

	if (cmd == SHMRING_IOC_KICK) {
		if (!shmring_ring_of(req.ep))
			return -ENOTCONN;
		return arg ? -EINVAL : shmring_kick(req.ep);
	}
	for (i = 0; i < ARRAY_SIZE(shmring_ioctls); i++)
		if (shmring_ioctls[i].cmd == cmd)
			return shmring_ioctl_run(&shmring_ioctls[i], &req);
	return -ENOTTY;
}

static int shmring_open(struct inode *inode, struct file *file)
{
	struct shmring_endpoint *ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);

	if (!ep)
		return -ENOMEM;
	shmring_endpoint_init(ep);
	file->private_data = ep;
	return nonseekable_open(inode, file);
}

/* A process is done with the file, in whatever way; others may have it as well. */
static int shmring_flush(struct file *file, fl_owner_t id)
{
	shmring_leave(file->private_data);
	return 0;
}

static int shmring_close(struct inode *inode, struct file *file)
{
	struct shmring_endpoint *ep = file->private_data;

	if (ep->ring)
		shmring_unbind(ep);
	kfree(ep);
	return 0;
}

const struct file_operations shmring_fops = {
	.owner = THIS_MODULE,
	.open = shmring_open,
	.flush = shmring_flush,
	.release = shmring_close,
	.unlocked_ioctl = shmring_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = shmring_mmap,
	.get_unmapped_area = shmring_get_unmapped_area,
	.poll = shmring_poll,
	.uring_cmd = shmring_uring_cmd,
	.show_fdinfo = shmring_show_fdinfo,
};
