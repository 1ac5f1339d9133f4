// SPDX-License-Identifier: GPL-2.0-only
/*
 * How another module gets hold of a ring, and hands it to user space.
 *
 * A &struct shmring_ref holds the ring: it lives as long as there are endpoints or refs.
 * Rights come from the descriptor that it was got by and are never more than that; a
 * module that made the ring has all of them.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/slab.h>

#include "kernel.h"

static struct shmring_ref *shmring_ref_new(struct shmring_ring *ring, u32 rights)
{
	struct shmring_ref *ref = kmalloc(sizeof(*ref), GFP_KERNEL);

	if (!ref) {
		shmring_ring_put(ring);
		return ERR_PTR(-ENOMEM);
	}
	ref->ring = ring;
	ref->rights = rights;
	return ref;
}

/**
 * shmring_create() - make a ring
 * @arg: as for SHMRING_IOC_CREATE, with size set; role, cursor_placement, cursor_node,
 *	ring_id are not looked at
 *
 * The ring belongs to the calling process: its fsuid and fsgid own it, its locked memory,
 * user and memory cgroup are charged as they would be by the ioctl, and a name is given
 * in its IPC namespace. So a ring that is made on behalf of a user is made in the user's
 * own call; one that is made while a module loads is charged to whoever loads it.
 *
 * A name is found by others as soon as this returns.
 *
 * Context: task; a fatal signal interrupts it.
 * Return: the ring, for shmring_put(), or an error pointer as the ioctl's errors.
 */
struct shmring_ref *shmring_create(const struct shmring_ioc_create *arg)
{
	struct shmring_place nowhere = { .placement = SHMRING_PLACE_LOCAL, .node = NUMA_NO_NODE };
	struct shmring_ioc_create own = *arg;
	struct shmring_place data;
	struct shmring_ring *ring;
	struct shmring_ref *ref;
	int err;

	if (own.size != sizeof(own))
		return ERR_PTR(-EINVAL);
	own.role = SHMRING_ROLE_OBSERVER;	/* no endpoint comes with it */
	err = shmring_create_check(&own) ?:
	      shmring_place_check(own.placement, own.node, true, &data);
	if (err)
		return ERR_PTR(err);
	ring = shmring_ring_create(&own, &data, &nowhere);
	if (IS_ERR(ring))
		return ERR_CAST(ring);
	ref = shmring_ref_new(ring, SHMRING_MAY_READ | SHMRING_MAY_WRITE);
	if (!IS_ERR(ref))
		shmring_publish(ring);
	return ref;
}
EXPORT_SYMBOL_GPL(shmring_create);

/**
 * shmring_get_by_fd() - hold the ring of an endpoint
 * @fd: a descriptor of the calling process, of an endpoint in any role
 *
 * What the ref may be used for is what that endpoint may pass on: as producer if it has
 * the right to write, as consumer if it has the right to read.
 *
 * Context: task.
 * Return: the ring, for shmring_put(), or an error pointer: -EBADF (not open), -EBADFD
 * (not an endpoint), -ENOMEM.
 */
struct shmring_ref *shmring_get_by_fd(int fd)
{
	struct shmring_ring *ring;
	u32 rights;

	ring = shmring_find_fd(fd, &rights);
	if (IS_ERR(ring))
		return ERR_CAST(ring);
	return shmring_ref_new(ring, rights);
}
EXPORT_SYMBOL_GPL(shmring_get_by_fd);

/**
 * shmring_put() - let go of a ring
 * @ref: what shmring_create() or shmring_get_by_fd() returned
 *
 * What was attached by it stays attached.
 *
 * Context: task.
 */
void shmring_put(struct shmring_ref *ref)
{
	shmring_ring_put(ref->ring);
	kfree(ref);
}
EXPORT_SYMBOL_GPL(shmring_put);

/**
 * shmring_describe() - what a ring is and has done
 * @ref: ring
 * @info: out: as by SHMRING_IOC_INFO for somebody who is no endpoint, with the ref's rights
 *
 * Context: task.
 */
void shmring_describe(const struct shmring_ref *ref, struct shmring_ioc_info *info)
{
	info->size = sizeof(*info);
	shmring_info(ref->ring, NULL, info);
	info->rights = ref->rights;
}
EXPORT_SYMBOL_GPL(shmring_describe);

/**
 * shmring_file() - make an endpoint for user space
 * @ref: ring
 * @role: SHMRING_ROLE_*
 *
 * The file is an endpoint like one of /dev/shmring that has attached, and may pass on
 * what its own role needs: a consumer's descriptor never becomes a producer. Install it
 * with fd_install() when nothing can fail any more, or drop it with fput().
 *
 * Context: task.
 * Return: the file, or an error pointer: -EACCES (not within the ref's rights), -EINVAL
 * (no such role), -EBUSY (no slot is free), -ENFILE, -ENOMEM.
 */
struct file *shmring_file(const struct shmring_ref *ref, u32 role)
{
	struct shmring_place local = { .placement = SHMRING_PLACE_LOCAL, .node = NUMA_NO_NODE };
	struct shmring_ring *ring = ref->ring;
	struct shmring_endpoint *ep;
	struct file *file;
	int err;

	ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	if (!ep)
		return ERR_PTR(-ENOMEM);
	shmring_endpoint_init(ep);
	err = shmring_endpoint_prepare(ep, ring, role, ref->rights, &local);
	if (err)
		goto err_free;
	ep->rights = shmring_role_rights(role);
	/* Takes the module reference that the last fput() drops. */
	file = anon_inode_getfile("[shmring]", &shmring_fops, ep, O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_give_back;
	}
	refcount_inc(&ring->refs);
	shmring_bind(file, ep, ring);
	return file;

err_give_back:
	shmring_slot_give_back(ep, ring);
err_free:
	kfree(ep);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(shmring_file);
