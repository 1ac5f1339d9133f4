/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shmring for other kernel modules: the kernel as an endpoint
 *
 * A module gets hold of a ring (&struct shmring_ref), attaches to it as a producer or a
 * consumer, and speaks to user space, or to other modules, by the same records, full
 * policies and counts as everybody. Documentation/kernel-api.rst is the guide.
 *
 * Contexts, as each function states them:
 *
 *   task    process context, may sleep
 *   atomic  process context, preemptible or not, interrupts on or off, but no lock is held that
 *           a hard or soft interrupt may wait for: the ring's own lock is taken, which others
 *           hold with interrupts on
 *   any     also hard and soft interrupts, tracepoints (preemption off, rq lock held),
 *           NMI; RCU has to be watching. Never sleeps, allocates, faults or takes a lock
 *
 * The other side may be hostile: what it writes is checked, and costs an error at most.
 * A payload that is looked at in place can change under a consumer's eyes if its
 * producer wants it to: copy first what must not change between check and use.
 */
#ifndef _LINUX_SHMRING_KERNEL_H
#define _LINUX_SHMRING_KERNEL_H

#include <linux/shmring.h>
#include <linux/types.h>

struct file;
struct kvec;

struct shmring_ref;
struct shmring_producer;
struct shmring_consumer;
struct shmring_lanes;

/* ---- a ring ----------------------------------------------------------------- */

struct shmring_ref *shmring_create(const struct shmring_ioc_create *arg);
struct shmring_ref *shmring_get_by_fd(int fd);
void shmring_put(struct shmring_ref *ref);
void shmring_describe(const struct shmring_ref *ref, struct shmring_ioc_info *info);
struct file *shmring_file(const struct shmring_ref *ref, u32 role);

/* ---- a producer: one lane, one writer at a time ------------------------------- */

struct shmring_producer *shmring_producer_attach(const struct shmring_ref *ref, int node);
void shmring_producer_detach(struct shmring_producer *p);
void *shmring_reserve(struct shmring_producer *p, size_t len);
void shmring_commit(struct shmring_producer *p, size_t len);
void shmring_discard(struct shmring_producer *p);
int shmring_write(struct shmring_producer *p, const void *buf, size_t len);
int shmring_write_batch(struct shmring_producer *p, const struct kvec *vec, unsigned int count);
int shmring_producer_wait(struct shmring_producer *p, size_t len, u64 deadline);
u64 shmring_producer_lost(const struct shmring_producer *p);

/* ---- a producer in each CPU --------------------------------------------------- */

#define SHMRING_LANES_DEPTH_MAX	4	/* task, softirq, hard interrupt, NMI */

struct shmring_lanes *shmring_lanes_attach(const struct shmring_ref *ref, unsigned int depth);
void shmring_lanes_detach(struct shmring_lanes *lanes);
void *shmring_lanes_reserve(struct shmring_lanes *lanes, size_t len,
			    struct shmring_producer **p);
int shmring_lanes_write(struct shmring_lanes *lanes, const void *buf, size_t len);
u64 shmring_lanes_lost(const struct shmring_lanes *lanes);

/* ---- a consumer --------------------------------------------------------------- */

/*
 * record() gets a copy that no producer can change; of an OVERWRITE ring always. Takes as
 * much memory as the largest record that the ring can hold.
 */
#define SHMRING_CONSUMER_COPY	0x1

/**
 * struct shmring_consumer_opts - a consumer that is called
 * @size: sizeof(struct shmring_consumer_opts)
 * @flags: SHMRING_CONSUMER_*
 * @record: a record; 0: it is done with, anything else: not now, keep it and call again
 *	after shmring_consumer_resume(). Context: task, of a workqueue, one at a time
 * @event: something that is no record, each told once until there is one: -EPIPE,
 *	-EOWNERDEAD (every producer there was has closed, or died, and nothing is left),
 *	-EBADMSG (a producer wrote what cannot be a record; of several lanes its lane is
 *	left out until something else is there), -EPROTO (its position, or so many records,
 *	cannot be). May be NULL.
 *	Context: as of @record
 * @ctx: what both get
 * @budget: records to take before others of the workqueue get their turn; 0: 64
 */
struct shmring_consumer_opts {
	size_t size;
	u32 flags;
	int (*record)(void *ctx, const void *payload, size_t len);
	void (*event)(void *ctx, int err);
	void *ctx;
	unsigned int budget;
};

struct shmring_consumer *shmring_consumer_attach(const struct shmring_ref *ref, int node,
						 const struct shmring_consumer_opts *opts);
void shmring_consumer_detach(struct shmring_consumer *c);
void shmring_consumer_resume(struct shmring_consumer *c);
ssize_t shmring_peek(struct shmring_consumer *c, const void **payload);
int shmring_release(struct shmring_consumer *c);
ssize_t shmring_read(struct shmring_consumer *c, void *buf, size_t cap);
int shmring_consumer_wait(struct shmring_consumer *c, u64 deadline);

#endif /* _LINUX_SHMRING_KERNEL_H */
