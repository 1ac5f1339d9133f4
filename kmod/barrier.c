// SPDX-License-Identifier: GPL-2.0-only
/*
 * Full barriers on the CPUs of those that publish without one.
 *
 * An endpoint may leave out the fence between its position and the look at its peers' armed,
 * and says so in its CURSOR page (unfenced). Then whoever arms makes up for it, as
 * membarrier(2) does between programs: the programs that can publish are those that have the
 * page mapped, and a CPU that runs one of them is in its address space's mask, which is also
 * what takes entries out of that CPU's TLB. So a word of a peer costs the CPUs an interrupt
 * that run the peer, or last did, and no others.
 *
 * ring->lock is not held meanwhile: another module may wait for it with interrupts off (but not
 * with a lock that an interrupt may wait for: linux/shmring_kernel.h).
 *
 * Ordering:
 *
 *   shmring_meet()      armed, smp_mb, unfenced, the mask, interrupts, positions
 *     pairs with        unfenced = 1, full fence, armed (library: shmring_bias_say())
 *     so that           who does without from now on is interrupted, or sees armed at once
 *   shmring_interrupt() smp_mb on a CPU of the mask
 *     pairs with        position, armed there: before it the position is seen by whoever
 *                       armed, after it armed is seen
 *   a CPU that comes to run such a program, or ceases to, has a full barrier in between: it
 *   enters or leaves the mask by an atomic operation, or was in it already, and the
 *   scheduler has its own
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "shmring.h"

/* The CPUs that this CPU is about to interrupt; preemption is disabled. */
static DEFINE_PER_CPU(cpumask_var_t, shmring_meet_cpus);

/* An address space that has the CURSOR page of an endpoint mapped writable. */
struct shmring_publisher {
	struct list_head link;		/* in ep->publishers; by ring->lock */
	const struct mm_struct *mm;	/* is there: its mapping is */
	unsigned int mappings;
};

static struct shmring_publisher *shmring_publisher_find(const struct shmring_endpoint *ep,
							const struct mm_struct *mm)
{
	struct shmring_publisher *p;

	list_for_each_entry(p, &ep->publishers, link)
		if (p->mm == mm)
			return p;
	return NULL;
}

/**
 * shmring_publisher_add() - a mapping more from which an endpoint can publish
 * @ep: endpoint
 * @mm: whose mapping it is; its end is told by shmring_publisher_remove()
 * @gfp: with __GFP_NOFAIL it cannot fail
 *
 * Context: process; sleeps.
 * Return: 0 or -ENOMEM.
 */
int shmring_publisher_add(struct shmring_endpoint *ep, const struct mm_struct *mm, gfp_t gfp)
{
	struct shmring_publisher *new = kzalloc(sizeof(*new), gfp), *p;

	if (!new)
		return -ENOMEM;
	spin_lock(&ep->ring->lock);
	p = shmring_publisher_find(ep, mm);
	if (!p) {
		p = new;
		p->mm = mm;
		list_add(&p->link, &ep->publishers);
		new = NULL;
	}
	p->mappings++;
	spin_unlock(&ep->ring->lock);
	kfree(new);
	return 0;
}

/**
 * shmring_publisher_remove() - one less
 * @ep: endpoint
 * @mm: as for shmring_publisher_add()
 */
void shmring_publisher_remove(struct shmring_endpoint *ep, const struct mm_struct *mm)
{
	struct shmring_publisher *p;

	spin_lock(&ep->ring->lock);
	p = shmring_publisher_find(ep, mm);
	if (--p->mappings)
		p = NULL;
	else
		list_del(&p->link);
	spin_unlock(&ep->ring->lock);
	kfree(p);
}

static void shmring_interrupt(void *unused)
{
	smp_mb();	/* of whoever runs here: see above */
}

/**
 * shmring_meet() - @ep is armed: have peers that make no fence make one
 * @ep: endpoint, after armed and a full barrier
 * @ring: its ring; ring->lock is held, but not all the time: who may be kicked meanwhile is
 *	queued already, and looks afterwards
 *
 * Context: interrupts are enabled; waits for other CPUs' interrupts.
 */
void shmring_meet(const struct shmring_endpoint *ep, struct shmring_ring *ring)
	__must_hold(&ring->lock)
{
	bool producer = ep->role == SHMRING_ROLE_PRODUCER;
	u32 slot = producer ? ring->producers : 0;
	u32 end = producer ? ring->slots : ring->producers;
	const struct shmring_publisher *p;
	struct cpumask *cpus;

	if (!(ring->meta->features & SHMRING_FEATURE_UNFENCED))
		return;
	preempt_disable();
	cpus = this_cpu_cpumask_var_ptr(shmring_meet_cpus);
	cpumask_clear(cpus);
	for (; slot < end; slot++) {
		if (!ring->slot[slot] ||
		    READ_ONCE(ring->cursor[slot]->unfenced) != SHMRING_UNFENCED)
			continue;
		list_for_each_entry(p, &ring->slot[slot]->publishers, link)
			cpumask_or(cpus, cpus, shmring_cpus_of(p->mm));
	}
	if (!cpumask_empty(cpus)) {
		spin_unlock(&ring->lock);
		on_each_cpu_mask(cpus, shmring_interrupt, NULL, true);
		preempt_enable();
		spin_lock(&ring->lock);
	} else {
		preempt_enable();
	}
}

/**
 * shmring_barrier_init() - room for the CPUs to interrupt
 *
 * Return: 0 or -ENOMEM.
 */
int shmring_barrier_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var_node(&per_cpu(shmring_meet_cpus, cpu), GFP_KERNEL,
					     cpu_to_node(cpu))) {
			shmring_barrier_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

/* shmring_barrier_exit() - undo shmring_barrier_init() */
void shmring_barrier_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(shmring_meet_cpus, cpu));
}
