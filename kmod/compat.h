/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that shmring builds on, 6.1 and later. No other
 * file asks for a version.
 */
#ifndef SHMRING_COMPAT_H
#define SHMRING_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/version.h>

/* commands of io_uring have a header of their own since 6.8 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring.h>
#else
#include <linux/io_uring/cmd.h>
#endif

/* by 7.2 the header of folio batches has another name; sparse cannot be asked */
#ifdef __has_include
#if __has_include("linux/folio_batch.h")
#define SHMRING_FOLIO_BATCH
#endif
#endif
#ifdef SHMRING_FOLIO_BATCH
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

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

/* a mapping is asked for its policy with a place to put an index since 6.7 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define SHMRING_POLICY_ARGS	(struct vm_area_struct *vma, unsigned long addr)
#else
#define SHMRING_POLICY_ARGS	(struct vm_area_struct *vma, unsigned long addr, pgoff_t *ilx)
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

/* the payload of a command, 16 bytes that the program may still write to; in the SQE since 6.5 */
static inline const void *shmring_uring_payload(const struct io_uring_cmd *cmd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return cmd->cmd;
#else
	return cmd->sqe->cmd;
#endif
}

/*
 * Since 6.7 io_uring tells the driver when a pending command has to end. Before, nobody
 * does: a command that pends would keep its io_uring, and a task that calls exec, until
 * whatever it waits for happens.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define SHMRING_URING_PENDS	false
static inline bool shmring_uring_is_cancel(unsigned int issue_flags)
{
	return false;
}

static inline void shmring_uring_mark(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
}
#else
#define SHMRING_URING_PENDS	true
static inline bool shmring_uring_is_cancel(unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_CANCEL;
}

static inline void shmring_uring_mark(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
}
#endif

/* uring.c; the task work of a command is given the request by 7.0 */
void shmring_uring_again(struct io_uring_cmd *cmd, unsigned int issue_flags);
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define shmring_uring_again_tw	shmring_uring_again
#else
static inline void shmring_uring_again_tw(struct io_tw_req req, io_tw_token_t tw)
{
	shmring_uring_again(io_uring_cmd_from_tw(req), IO_URING_CMD_TASK_WORK_ISSUE_FLAGS);
}
#endif

/* io_uring_cmd_done() lost the second result by 6.18 */
static inline void shmring_uring_done(struct io_uring_cmd *cmd, int ret, unsigned int issue_flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
	io_uring_cmd_done(cmd, ret, 0, issue_flags);
#else
	io_uring_cmd_done(cmd, ret, issue_flags);
#endif
}

/* hrtimer_setup() is all there is by 6.18; it came in 6.13 */
static inline void shmring_hrtimer_setup(struct hrtimer *timer,
					 enum hrtimer_restart (*fn)(struct hrtimer *))
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	timer->function = fn;
#else
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
#endif
}

/*
 * Which CPUs run programs of an address space. x86 keeps the mask true, for its own TLBs;
 * others need not, and arm64 does not.
 */
#define SHMRING_KNOWS_CPUS	IS_ENABLED(CONFIG_X86)
static inline const struct cpumask *shmring_cpus_of(const struct mm_struct *mm)
{
	return mm_cpumask((struct mm_struct *)mm);
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
