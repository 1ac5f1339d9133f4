// SPDX-License-Identifier: GPL-2.0-only
/*
 * A producer in each CPU, for events that come on all of them and in any context.
 *
 * CPUs are the columns. In each there are depth lanes: a writer takes the first that is
 * not busy, so an interrupt on top of a writer takes the next one, and loses nothing
 * where there are as many lanes as contexts that nest. With more CPUs than columns some
 * share them, and then may find all busy.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/topology.h>

#include "kernel.h"

struct shmring_lanes {
	unsigned int columns;
	unsigned int depth;
	struct shmring_producer *lane[SHMRING_SLOTS_MAX];	/* column by column */
};

static void shmring_lanes_free(struct shmring_lanes *lanes, unsigned int count)
{
	while (count--)
		shmring_producer_detach(lanes->lane[count]);
	kfree(lanes);
}

/**
 * shmring_lanes_attach() - become a producer in each CPU
 * @ref: MPSC, QUEUE or BROADCAST ring with at least @depth producers
 * @depth: how many contexts may write on top of each other without a loss, 1 to
 *	SHMRING_LANES_DEPTH_MAX
 *
 * Takes @depth producers' slots for each possible CPU. If the ring has fewer, CPUs share
 * them; none are left for others then, but for what does not divide.
 *
 * Context: task.
 * Return: the lanes, for shmring_lanes_detach(), or an error pointer: -EINVAL (@depth),
 * or as shmring_producer_attach().
 */
struct shmring_lanes *shmring_lanes_attach(const struct shmring_ref *ref, unsigned int depth)
{
	struct shmring_lanes *lanes;
	unsigned int i, cpu;

	if (!depth || depth > SHMRING_LANES_DEPTH_MAX)
		return ERR_PTR(-EINVAL);
	if (!ref->ring->producers)
		return ERR_PTR(-EOPNOTSUPP);
	if (depth > ref->ring->producers)
		return ERR_PTR(-EINVAL);
	lanes = kzalloc(sizeof(*lanes), GFP_KERNEL);
	if (!lanes)
		return ERR_PTR(-ENOMEM);
	lanes->depth = depth;
	lanes->columns = min(nr_cpu_ids, ref->ring->producers / depth);
	for (i = 0; i < lanes->columns * depth; i++) {
		struct shmring_producer *p;

		cpu = i / depth;
		p = shmring_producer_attach(ref, cpu_possible(cpu) ? cpu_to_node(cpu) :
					    NUMA_NO_NODE);
		if (IS_ERR(p)) {
			shmring_lanes_free(lanes, i);
			return ERR_CAST(p);
		}
		lanes->lane[i] = p;
	}
	return lanes;
}
EXPORT_SYMBOL_GPL(shmring_lanes_attach);

/**
 * shmring_lanes_detach() - stop being a producer in each CPU
 * @lanes: lanes, used no more: as for shmring_producer_detach()
 *
 * Context: task.
 */
void shmring_lanes_detach(struct shmring_lanes *lanes)
{
	shmring_lanes_free(lanes, lanes->columns * lanes->depth);
}
EXPORT_SYMBOL_GPL(shmring_lanes_detach);

/* This CPU's first lane that nobody writes, locked; or NULL. Preemption is off. */
static struct shmring_producer *shmring_lanes_lock(struct shmring_lanes *lanes)
{
	unsigned int first = raw_smp_processor_id() % lanes->columns * lanes->depth, i;

	for (i = first; i < first + lanes->depth; i++)
		if (shmring_tx_lock(lanes->lane[i]))
			return lanes->lane[i];
	shmring_tx_refused(lanes->lane[first]);
	return NULL;
}

/**
 * shmring_lanes_reserve() - find room for a record in a lane of this CPU
 * @lanes: lanes
 * @len: payload bytes
 * @p: out: whose record it is, for shmring_commit() or shmring_discard()
 *
 * Context: any.
 * Return: as shmring_reserve(); -EBUSY: all lanes of this CPU are being written.
 */
void *shmring_lanes_reserve(struct shmring_lanes *lanes, size_t len, struct shmring_producer **p)
{
	void *payload = ERR_PTR(-EBUSY);

	preempt_disable_notrace();
	*p = shmring_lanes_lock(lanes);
	if (*p) {
		payload = shmring_tx_reserve(*p, len);
		if (IS_ERR(payload))
			shmring_tx_unlock(*p);
	}
	preempt_enable_notrace();
	return payload;
}
EXPORT_SYMBOL_GPL(shmring_lanes_reserve);

/**
 * shmring_lanes_write() - write a record into a lane of this CPU
 * @lanes: lanes
 * @buf: payload
 * @len: its bytes
 *
 * Context: any.
 * Return: 0 or an error as shmring_lanes_reserve().
 */
int shmring_lanes_write(struct shmring_lanes *lanes, const void *buf, size_t len)
{
	struct shmring_producer *p;
	int err = -EBUSY;

	preempt_disable_notrace();
	p = shmring_lanes_lock(lanes);
	if (p)
		err = shmring_tx_write(p, buf, len);
	preempt_enable_notrace();
	return err;
}
EXPORT_SYMBOL_GPL(shmring_lanes_write);

/**
 * shmring_lanes_lost() - records that were lost since the lanes were attached
 * @lanes: lanes
 *
 * Context: any.
 */
u64 shmring_lanes_lost(const struct shmring_lanes *lanes)
{
	u64 lost = 0;
	unsigned int i;

	for (i = 0; i < lanes->columns * lanes->depth; i++)
		lost += shmring_producer_lost(lanes->lane[i]);
	return lost;
}
EXPORT_SYMBOL_GPL(shmring_lanes_lost);
