// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams context switches into a ring: the smallest useful producer.
 *
 *   # insmod shmring_sched.ko
 *   # sched_decode
 *
 * The module makes a ring by name, with a lane for each CPU, and writes a record from the
 * probe of the sched_switch tracepoint, where the run queue is locked. Nobody needs to
 * read: what has no room is dropped, and counted (shmring show sched_switch).
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/shmring_kernel.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>

#include "sched.h"

static unsigned int lane_kib = 256;
module_param(lane_kib, uint, 0444);
MODULE_PARM_DESC(lane_kib, "KiB of ring for each CPU");

static struct shmring_lanes *lanes;
static struct tracepoint *sched_switch;

static void fill(struct sched_task *to, const struct task_struct *task)
{
	to->pid = task->pid;
	to->prio = task->prio;
	strscpy_pad(to->comm, task->comm, sizeof(to->comm));
}

/* Interrupts are off, and the run queue is locked: no more than filling in. */
static void probe(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
		  unsigned int prev_state)
{
	struct shmring_producer *p;
	struct sched_record *rec;

	rec = shmring_lanes_reserve(lanes, sizeof(*rec), &p);
	if (IS_ERR(rec))
		return;		/* counted, or there is nobody to tell */
	rec->time = ktime_get_mono_fast_ns();
	rec->cpu = raw_smp_processor_id();
	rec->state = preempt ? 0 : prev_state;
	fill(&rec->prev, prev);
	fill(&rec->next, next);
	shmring_commit(p, sizeof(*rec));
}

static void find(struct tracepoint *tp, void *name)
{
	if (!strcmp(tp->name, name))
		sched_switch = tp;
}

static int __init sched_init(void)
{
	struct shmring_ioc_create arg = {
		.size = sizeof(arg),
		.topology = SHMRING_TOPO_MPSC,
		.full_policy = SHMRING_FULL_DROP_NEWEST,
		.producers = min(nr_cpu_ids, SHMRING_SLOTS_MAX - 1u),
		.data_size = (u64)lane_kib << 10,
		.mode = 0640,
		.node = NUMA_NO_NODE,
		.name = SCHED_RING,
	};
	struct shmring_ref *ring;
	int err;

	for_each_kernel_tracepoint(find, "sched_switch");
	if (!sched_switch)
		return -EOPNOTSUPP;
	ring = shmring_create(&arg);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	lanes = shmring_lanes_attach(ring, 1);	/* no interrupt switches tasks */
	shmring_put(ring);
	if (IS_ERR(lanes))
		return PTR_ERR(lanes);
	err = tracepoint_probe_register(sched_switch, probe, NULL);
	if (err)
		shmring_lanes_detach(lanes);
	return err;
}

static void __exit sched_exit(void)
{
	tracepoint_probe_unregister(sched_switch, probe, NULL);
	tracepoint_synchronize_unregister();	/* nobody writes any more */
	shmring_lanes_detach(lanes);
}

module_init(sched_init);
module_exit(sched_exit);

MODULE_DESCRIPTION("Sample: context switches through shmring");
MODULE_LICENSE("GPL");
