/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that shmring builds on, 6.1 and later. No other
 * file asks for a version.
 */
#ifndef SHMRING_COMPAT_H
#define SHMRING_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/version.h>

/* vma->vm_flags is written through helpers since 6.3 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* eventfd_signal() lost its count in 6.8 */
static inline void shmring_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* replacing a page of the page cache speaks of folios since 6.2 */
static inline void shmring_replace_folio(struct folio *old, struct folio *new)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	replace_page_cache_page(&old->page, &new->page);
#else
	replace_page_cache_folio(old, new);
#endif
}

/* Order of a huge page; 0 where the kernel has none to give. */
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
#define SHMRING_HUGE_ORDER	HPAGE_PMD_ORDER
#define shmring_default_unmapped_area	thp_get_unmapped_area
#else
#define SHMRING_HUGE_ORDER	0
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define shmring_default_unmapped_area(file, addr, len, pgoff, flags) \
	(current->mm->get_unmapped_area(file, addr, len, pgoff, flags))
#else
#define shmring_default_unmapped_area(file, addr, len, pgoff, flags) \
	mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags)
#endif
#endif

#endif /* SHMRING_COMPAT_H */
