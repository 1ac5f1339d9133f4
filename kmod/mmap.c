// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may map what. The right to write is taken away where it was not granted, so
 * that mprotect, mremap and /proc/self/mem do not give it back; the mapping holds
 * the file, and the file the ring, so there is nothing to count here. What others have sent
 * is seen by who may read: a producer that may only write has its own lane and no other.
 */
#include <linux/mm.h>
#include <linux/personality.h>
#include <linux/sched/mm.h>

#include "shmring.h"

#ifdef CONFIG_NUMA
/*
 * What mbind(2) has set, which is nothing: a mapping that answers for itself is not sampled
 * by NUMA balancing, which would take pages out of the page tables now and then, to learn
 * who uses memory that does not move.
 */
static struct mempolicy *shmring_policy SHMRING_POLICY_ARGS
{
	return vma->vm_policy;
}
#endif

static const struct vm_operations_struct shmring_vm_ops = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
#ifdef CONFIG_NUMA
	.get_policy = shmring_policy,
#endif
};

/* In a child of fork(2), or while mremap(2) moves it. */
static void shmring_cursor_open(struct vm_area_struct *vma)
{
	shmring_publisher_add(vma->vm_file->private_data, vma->vm_mm,
			      GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
}

static void shmring_cursor_close(struct vm_area_struct *vma)
{
	shmring_publisher_remove(vma->vm_file->private_data, vma->vm_mm);
}

/* Of the own CURSOR page: who has it can publish. */
static const struct vm_operations_struct shmring_cursor_vm_ops = {
	.open = shmring_cursor_open,
	.close = shmring_cursor_close,
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
#ifdef CONFIG_NUMA
	.get_policy = shmring_policy,
#endif
};

/* Is [start, start + len) one region of the ring, and may @ep have it, and write it? */
static int shmring_region(const struct shmring_ring *ring, const struct shmring_endpoint *ep,
			  u64 start, u64 len, bool *writable)
{
	if (start == 0 && len == ring->control_size) {
		*writable = false;
		return 0;
	}
	if (start >= ring->data_offset && len == ring->data_size) {
		u64 at = start - ring->data_offset;
		bool own = !ring->producers || at == ep->slot * len;

		/* The size is a power of two. */
		if ((at & (len - 1)) || at >= ring->lanes * len)
			return -EINVAL;
		/* The other roles need the right to read. */
		if (!own && !(ep->rights & SHMRING_MAY_READ) && ep->role == SHMRING_ROLE_PRODUCER)
			return -EACCES;
		*writable = (ep->role & SHMRING_ROLE_PRODUCER) && own;
		return 0;
	}
	if (ring->shared_offset && start == ring->shared_offset && len == PAGE_SIZE) {
		*writable = ep->role == (ring->topology == SHMRING_TOPO_QUEUE ?
					 SHMRING_ROLE_CONSUMER : SHMRING_ROLE_PRODUCER);
		return 0;
	}
	if (start >= PAGE_SIZE && start < ring->control_size && len == PAGE_SIZE) {
		*writable = (start >> PAGE_SHIFT) - 1 == ep->slot;
		return 0;
	}
	return -EINVAL;
}

/**
 * shmring_mmap() - map CONTROL, a CURSOR page, SHARED, a lane or DATA
 * @file: endpoint
 * @vma: what is asked for
 *
 * Return: 0; -ENOTCONN, -EINVAL (not a region, or MAP_PRIVATE), -EACCES, -ENOMEM.
 */
int shmring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct shmring_endpoint *ep = file->private_data;
	struct shmring_ring *ring = shmring_ring_of(ep);
	u64 start = (u64)vma->vm_pgoff << PAGE_SHIFT;
	bool writable;
	int err;

	if (!ring)
		return -ENOTCONN;
	/* A descriptor opened read-only has no VM_SHARED, only VM_MAYSHARE. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	err = shmring_region(ring, ep, start, vma->vm_end - vma->vm_start, &writable);
	if (err)
		return err;
	if ((vma->vm_flags & VM_WRITE) && !writable)
		return -EACCES;
	/* READ_IMPLIES_EXEC programs ask for it without meaning it. */
	if ((vma->vm_flags & VM_EXEC) && !(current->personality & READ_IMPLIES_EXEC))
		return -EACCES;

	vma->vm_ops = &shmring_vm_ops;
	if (writable && start < ring->control_size && start != ring->shared_offset) {
		err = shmring_publisher_add(ep, vma->vm_mm, GFP_KERNEL_ACCOUNT);
		if (err)
			return err;
		vma->vm_ops = &shmring_cursor_vm_ops;
	}

	vm_flags_clear(vma, VM_EXEC | VM_MAYEXEC);
	if (!writable)
		vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/**
 * shmring_get_unmapped_area() - where a mapping goes: DATA so that huge pages fit
 * @file: file of /dev/shmring
 * @addr: hint
 * @len: bytes
 * @pgoff: offset in pages
 * @flags: MAP_*
 *
 * Called before mmap touches file->f_mapping, and therefore the gate that an
 * unbound file does not pass: see shmring_bind().
 *
 * Return: an address, -ENOTCONN, or what the architecture says.
 */
unsigned long shmring_get_unmapped_area(struct file *file, unsigned long addr,
					unsigned long len, unsigned long pgoff,
					unsigned long flags)
{
	struct shmring_endpoint *ep = file->private_data;

	if (!shmring_ring_of(ep))
		return -ENOTCONN;
	return shmring_default_unmapped_area(file, addr, len, pgoff, flags);
}
