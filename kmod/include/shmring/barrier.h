/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * The only memory accesses and barriers that the ring core uses on shared words.
 *
 * Two bodies, one meaning: the kernel's own primitives, and the C11 ones spelled
 * as compiler builtins so that C and C++ programs can include this header alike.
 * Every use in the core names its partner.
 */
#ifndef SHMRING_BARRIER_H
#define SHMRING_BARRIER_H

#ifdef __KERNEL__

#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/prefetch.h>
#include <linux/processor.h>
#include <linux/sched.h>

#define shmring_load(p)			READ_ONCE(*(p))
#define shmring_store(p, v)		WRITE_ONCE(*(p), (v))
#define shmring_load_acquire(p)		smp_load_acquire(p)	/* partner: at each use */
#define shmring_store_release(p, v)	smp_store_release(p, v)	/* partner: at each use */
#define shmring_fence()			smp_mb()		/* partner: at each use */
#define shmring_rmb()			smp_rmb()		/* partner: at each use */
#define shmring_wmb()			smp_wmb()		/* partner: at each use */
/* For the compiler alone: whoever is on the other side has it done on all CPUs. */
#define shmring_light_fence()		barrier()
#define shmring_add(p, n)		((__u64)atomic64_fetch_add(n, (atomic64_t *)(p)))
#define shmring_swap_if(p, old, new)	\
	({ __u64 __shmring_was = (old); cmpxchg(p, __shmring_was, new) == __shmring_was; })
/* A pointer that another CPU may replace; what it points to stays as long as RCU says. */
#define shmring_pointer(p)		READ_ONCE(*(p))
#define shmring_pause()			cpu_relax()
/* In the middle of much work: may others have the CPU? */
#define shmring_resched()		cond_resched()
#define shmring_prefetch(p)		prefetch(p)
#define shmring_prefetch_write(p)	prefetchw(p)
#define shmring_likely(x)		likely(x)
#define shmring_unlikely(x)		unlikely(x)

#else /* !__KERNEL__ */

/*
 * Tests that stop a process between any two accesses to shared words define this as
 * a call; each access is announced before it is made.
 */
#ifndef SHMRING_STEP
#define SHMRING_STEP()			((void)0)
#endif

#define shmring_load(p)			(SHMRING_STEP(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define shmring_store(p, v)		\
	(SHMRING_STEP(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define shmring_load_acquire(p)		(SHMRING_STEP(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define shmring_store_release(p, v)	\
	(SHMRING_STEP(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))

/* Full barriers, both: add and tell what was there; store @new if @old is there. */
#define shmring_add(p, n)		\
	(SHMRING_STEP(), __atomic_fetch_add((p), (n), __ATOMIC_SEQ_CST))
#define shmring_swap_if(p, old, new)	\
	(SHMRING_STEP(), __sync_bool_compare_and_swap((p), (old), (new)))

#define shmring_resched()		((void)0)

/* In a program nobody replaces a pointer. */
#define shmring_pointer(p)		(*(p))

#ifdef __SANITIZE_THREAD__
/*
 * ThreadSanitizer does not model fences. A locked instruction on a private word
 * is the same full barrier on the machines that it runs on; it orders nothing in
 * its model, which needs nothing: every word the core shares is atomic.
 */
static inline void shmring_fence(void)
{
	unsigned int word = 0;

	__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
}

/* Nor loads or stores that a fence orders: those loads are acquire loads there. */
#define shmring_rmb()			((void)0)
#define shmring_wmb()			((void)0)
#else
#define shmring_fence()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define shmring_rmb()			__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define shmring_wmb()			__atomic_thread_fence(__ATOMIC_RELEASE)
#endif

/* For the compiler alone: whoever is on the other side calls membarrier(2). */
#define shmring_light_fence()		__atomic_signal_fence(__ATOMIC_SEQ_CST)

static inline void shmring_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ __volatile__("yield" ::: "memory");
#else
	__asm__ __volatile__("" ::: "memory");
#endif
}

/* Hints that order nothing: the line at @p will soon be read, or written. */
#define shmring_prefetch(p)		__builtin_prefetch(p)

static inline void shmring_prefetch_write(const void *p)
{
#ifdef __x86_64__
	/* Every one of them knows it; by default compilers ask for reading instead. */
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#define shmring_likely(x)		__builtin_expect(!!(x), 1)
#define shmring_unlikely(x)		__builtin_expect(!!(x), 0)

#endif /* __KERNEL__ */

#endif /* SHMRING_BARRIER_H */
