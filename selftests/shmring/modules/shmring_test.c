// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uses the kernel's API as a test tells it to (kernel_test.h), from process context, soft
 * and hard interrupts, a tracepoint's probe, and NMIs that it sends itself.
 *
 * Only for guests: it lets root do in a moment what modules ought to think about.
 */
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/shmring_kernel.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "kernel_test.h"

#ifdef CONFIG_X86_64
#include <asm/apic.h>
#include <asm/nmi.h>
#endif

#define KT_LEN_MAX	512
#define KT_BATCH_MAX	64
#define KT_AT_ONCE	64	/* records from one interrupt */

/**
 * struct kt_user - one open file
 * @lock: attaching and detaching; not held while records are written
 * @ref: its ring
 * @producer: its producer
 * @lanes: its lanes
 * @consumer: its consumer
 * @room: what KT_RESERVE_LEN got, for KT_COMMIT_LEN or KT_DISCARD
 * @called: by record(), which it is only then resumed for
 * @seq: the last number of each context
 * @trace: number of the system call that is traced, or -1
 * @tgid: whose
 * @record: what record() does: KT_TAKE, ...
 * @echo: record() answers
 * @unblock: waited for by a record() that blocks
 * @counts: what record() and event() saw; one call at a time
 */
struct kt_user {
	struct mutex lock;	/* outermost */
	struct shmring_ref *ref;
	struct shmring_producer *producer;
	struct shmring_lanes *lanes;
	struct shmring_consumer *consumer;
	void *room;
	bool called;
	atomic64_t seq[KT_CONTEXTS];
	long trace;
	pid_t tgid;
	u32 record;
	bool echo;
	wait_queue_head_t unblock;
	struct kt_counts counts;
};

/* ---- writing, in whatever context ------------------------------------------ */

/* One KT_PRODUCE under way; only one context at a time touches it. */
struct kt_job {
	struct kt_user *user;
	struct kt_produce *arg;
	u64 left;
	struct irq_work irq;
	struct tasklet_struct tasklet;
	struct completion done;
};

static const struct file_operations kt_fops;

static void kt_fill(struct kt_user *user, u32 context, void *payload, size_t len)
{
	struct kt_record rec = {
		.seq = atomic64_inc_return(&user->seq[context]),
		.context = context,
		.cpu = raw_smp_processor_id(),
	};

	memset(payload, (u8)rec.seq, len);
	memcpy(payload, &rec, sizeof(rec));
}

static void kt_account(struct kt_produce *arg, int err)
{
	if (!err) {
		arg->written++;
		return;
	}
	arg->err = err;
	switch (err) {
	case -EBUSY:
		arg->busy++;
		break;
	case -ENOBUFS:
		arg->full++;
		break;
	case -EAGAIN:
		arg->again++;
		break;
	case -EPIPE:
	case -EOWNERDEAD:
		arg->gone++;
		break;
	default:
		arg->other++;
	}
}

static int kt_write(struct kt_user *user, u32 context, size_t len, bool reserve)
{
	struct shmring_producer *p = user->producer;
	u8 buf[KT_LEN_MAX];
	void *payload;

	if (!reserve) {
		kt_fill(user, context, buf, len);
		return p ? shmring_write(p, buf, len) : shmring_lanes_write(user->lanes, buf, len);
	}
	payload = p ? shmring_reserve(p, len) : shmring_lanes_reserve(user->lanes, len, &p);
	if (IS_ERR(payload)) {
		atomic64_inc(&user->seq[context]);
		return PTR_ERR(payload);
	}
	kt_fill(user, context, payload, len);
	shmring_commit(p, len);
	return 0;
}

static void kt_write_some(struct kt_job *job, u64 some)
{
	for (; some && job->left; some--, job->left--)
		kt_account(job->arg, kt_write(job->user, job->arg->context, job->arg->len,
					      job->arg->reserve));
}

static int kt_batch(struct kt_job *job)
{
	struct kt_produce *arg = job->arg;
	struct kvec vec[KT_BATCH_MAX];
	u8 *buf;
	int i, n;

	buf = kmalloc_array(arg->batch, arg->len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	/* Nothing is no record that somebody is in the way of. */
	if (shmring_write_batch(job->user->producer, vec, 0) != -EINVAL) {
		kfree(buf);
		return -EPROTO;
	}
	for (; job->left >= arg->batch; job->left -= arg->batch) {
		for (i = 0; i < arg->batch; i++) {
			vec[i].iov_base = buf + i * arg->len;
			vec[i].iov_len = arg->len;
			kt_fill(job->user, arg->context, vec[i].iov_base, arg->len);
		}
		n = shmring_write_batch(job->user->producer, vec, arg->batch);
		for (i = 0; i < arg->batch; i++)
			kt_account(arg, i < n ? 0 : n < 0 ? n : -ENOBUFS);
	}
	kfree(buf);
	return 0;
}

static void kt_tasklet(struct tasklet_struct *tasklet)
{
	struct kt_job *job = container_of(tasklet, struct kt_job, tasklet);

	kt_write_some(job, KT_AT_ONCE);
	complete(&job->done);
}

static void kt_irq(struct irq_work *irq)
{
	struct kt_job *job = container_of(irq, struct kt_job, irq);

	kt_write_some(job, KT_AT_ONCE);
	complete(&job->done);
}

/* ---- a tracepoint ---------------------------------------------------------- */

static void kt_find_sched_switch(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "sched_switch"))
		*(struct tracepoint **)found = tp;
}

/* On any CPU, with its run queue locked: there may be two at a time. */
static void kt_sched_switch(void *data, bool preempt, struct task_struct *prev,
			    struct task_struct *next, unsigned int prev_state)
{
	struct kt_job *job = data;
	static DEFINE_SPINLOCK(one);

	/* The job is not for two; the producer would be. */
	if (!spin_trylock(&one))
		return;
	kt_write_some(job, 1);
	spin_unlock(&one);
}

static int kt_tracepoint(struct kt_job *job)
{
	struct tracepoint *tp = NULL;
	int err;

	for_each_kernel_tracepoint(kt_find_sched_switch, &tp);
	if (!tp)
		return -EOPNOTSUPP;
	err = tracepoint_probe_register(tp, kt_sched_switch, job);
	if (err)
		return err;
	/* Each sleep is a switch. */
	while (READ_ONCE(job->left) && !signal_pending(current))
		schedule_timeout_interruptible(1);
	tracepoint_probe_unregister(tp, kt_sched_switch, job);
	tracepoint_synchronize_unregister();
	return READ_ONCE(job->left) ? -EINTR : 0;
}

/* KT_TRACE: what bench_bpf has a BPF program do; number -1: stop. */
struct kt_syscall {
	u64 pid_tgid;
	u64 id;
};

static void kt_sys_enter(void *data, struct pt_regs *regs, long id)
{
	struct kt_user *user = data;
	struct kt_syscall rec;

	if (id != user->trace || current->tgid != user->tgid)
		return;
	rec.pid_tgid = (u64)current->tgid << 32 | current->pid;
	rec.id = id;
	shmring_lanes_write(user->lanes, &rec, sizeof(rec));
}

static void kt_find_sys_enter(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "sys_enter"))
		*(struct tracepoint **)found = tp;
}

/* Under user->lock. */
static int kt_trace(struct kt_user *user, long id)
{
	struct tracepoint *tp = NULL;
	int err = 0;

	for_each_kernel_tracepoint(kt_find_sys_enter, &tp);
	if (!tp)
		return -EOPNOTSUPP;
	if (user->trace >= 0) {
		tracepoint_probe_unregister(tp, kt_sys_enter, user);
		tracepoint_synchronize_unregister();
	}
	user->trace = -1;
	if (id < 0 || !user->lanes)
		return id < 0 ? 0 : -EINVAL;
	user->tgid = current->tgid;
	user->trace = id;
	err = tracepoint_probe_register(tp, kt_sys_enter, user);
	if (err)
		user->trace = -1;
	return err;
}

/* ---- NMI: to oneself ------------------------------------------------------- */

#ifdef CONFIG_X86_64
static struct kt_job *kt_nmi_job;

static int kt_nmi_handler(unsigned int type, struct pt_regs *regs)
{
	struct kt_job *job = READ_ONCE(kt_nmi_job);

	if (!job || !job->left)
		return NMI_DONE;
	kt_write_some(job, 1);
	return NMI_HANDLED;
}

/* By hand: what sends one is exported by no kernel. Interrupts are off. */
static void kt_nmi_self(void)
{
	u32 me = native_apic_mem_read(APIC_ID) >> 24;

	native_apic_mem_write(APIC_ICR2, SET_XAPIC_DEST_FIELD(me));
	native_apic_mem_write(APIC_ICR, APIC_DEST_PHYSICAL | APIC_DM_NMI);
}

static int kt_nmi(struct kt_job *job)
{
	static DEFINE_MUTEX(one);
	unsigned long flags;
	u64 was;
	int err, looks;

	if (x2apic_enabled())
		return -EOPNOTSUPP;
	mutex_lock(&one);
	err = register_nmi_handler(NMI_LOCAL, kt_nmi_handler, 0, "shmring_test");
	if (err)
		goto out_unlock;
	WRITE_ONCE(kt_nmi_job, job);
	while (job->left && !err) {
		local_irq_save(flags);
		was = job->left;
		kt_nmi_self();
		/* Not masked, but not at once either. */
		for (looks = 0; READ_ONCE(job->left) == was && looks < 1000000; looks++)
			cpu_relax();
		local_irq_restore(flags);
		if (READ_ONCE(job->left) == was)
			err = -EIO;
	}
	WRITE_ONCE(kt_nmi_job, NULL);
	unregister_nmi_handler(NMI_LOCAL, "shmring_test");
out_unlock:
	mutex_unlock(&one);
	return err;
}
#else
static int kt_nmi(struct kt_job *job)
{
	return -EOPNOTSUPP;
}
#endif

/* ---- KT_PRODUCE, KT_NEST --------------------------------------------------- */

static int kt_produce_run(struct kt_job *job)
{
	struct kt_produce *arg = job->arg;

	switch (arg->context) {
	case KT_TASK:
		if (arg->batch)
			return kt_batch(job);
		while (job->left) {
			kt_write_some(job, KT_AT_ONCE);
			cond_resched();
		}
		return 0;
	case KT_SOFTIRQ:
		while (job->left) {
			tasklet_schedule(&job->tasklet);
			wait_for_completion(&job->done);
		}
		tasklet_kill(&job->tasklet);
		return 0;
	case KT_HARDIRQ:
		while (job->left) {
			irq_work_queue(&job->irq);
			wait_for_completion(&job->done);
		}
		irq_work_sync(&job->irq);
		return 0;
	case KT_TRACEPOINT:
		return kt_tracepoint(job);
	default:
		return kt_nmi(job);
	}
}

static int kt_produce(struct kt_user *user, struct kt_produce *arg)
{
	struct kt_job *job;
	int err;

	if (arg->context >= KT_CONTEXTS || arg->len < sizeof(struct kt_record) ||
	    arg->len > KT_LEN_MAX || arg->batch > KT_BATCH_MAX ||
	    (!user->producer && (!user->lanes || arg->batch)))
		return -EINVAL;
	job = kzalloc(sizeof(*job), GFP_KERNEL);
	if (!job)
		return -ENOMEM;
	job->user = user;
	job->arg = arg;
	job->left = arg->count;
	init_irq_work(&job->irq, kt_irq);
	tasklet_setup(&job->tasklet, kt_tasklet);
	init_completion(&job->done);
	arg->written = 0;
	arg->busy = 0;
	arg->full = 0;
	arg->again = 0;
	arg->gone = 0;
	arg->other = 0;
	arg->err = 0;
	err = kt_produce_run(job);
	kfree(job);
	return err;
}

/* An interrupt writes while a task has a record reserved. */
static int kt_nest(struct kt_user *user, struct kt_produce *arg)
{
	struct shmring_producer *p = user->producer;
	size_t len = sizeof(struct kt_record);
	void *payload;
	int err;

	payload = p ? shmring_reserve(p, len) :
		      user->lanes ? shmring_lanes_reserve(user->lanes, len, &p) : ERR_PTR(-EINVAL);
	if (IS_ERR(payload))
		return PTR_ERR(payload);
	kt_fill(user, KT_TASK, payload, len);
	err = kt_produce(user, arg);
	shmring_commit(p, len);
	return err;
}

/* KT_RESERVE: the caller goes back to user space with a record half written. */
static int kt_reserve(struct kt_user *user)
{
	size_t len = sizeof(struct kt_record);
	void *payload;

	if (!user->producer)
		return -EINVAL;
	payload = shmring_reserve(user->producer, len);
	if (IS_ERR(payload))
		return PTR_ERR(payload);
	kt_fill(user, KT_TASK, payload, len);
	return 0;
}

static int kt_commit(struct kt_user *user)
{
	if (!user->producer)
		return -EINVAL;
	shmring_commit(user->producer, sizeof(struct kt_record));
	return 0;
}

static int kt_discard(struct kt_user *user)
{
	if (!user->producer)
		return -EINVAL;
	user->room = NULL;
	shmring_discard(user->producer);
	return 0;
}

/* ---- consuming ------------------------------------------------------------- */

static bool kt_is_good(const void *payload, size_t len)
{
	struct kt_record rec;

	if (len < sizeof(rec))
		return false;
	memcpy(&rec, payload, sizeof(rec));
	return !memchr_inv(payload + sizeof(rec), (u8)rec.seq, len - sizeof(rec));
}

/* Sleep as long as it is @how that was asked for. */
static void kt_block(struct kt_user *user, u32 how)
{
	if (READ_ONCE(user->record) != how)
		return;
	WRITE_ONCE(user->counts.blocked, 1);
	wait_event(user->unblock, READ_ONCE(user->record) != how);
	WRITE_ONCE(user->counts.blocked, 0);
}

static int kt_record(void *ctx, const void *payload, size_t len)
{
	struct kt_user *user = ctx;
	struct kt_counts *counts = &user->counts;

	kt_block(user, KT_BLOCK);
	if (READ_ONCE(user->record) == KT_REFUSE ||
	    (user->echo && shmring_write(user->producer, payload, len))) {
		WRITE_ONCE(counts->refused, counts->refused + 1);
		return -EAGAIN;
	}
	if (!kt_is_good(payload, len))
		WRITE_ONCE(counts->bad, counts->bad + 1);
	WRITE_ONCE(counts->bytes, counts->bytes + len);
	/* pairs with the load-acquire in kt_counts_of() */
	smp_store_release(&counts->calls, counts->calls + 1);
	return 0;
}

static void kt_event(void *ctx, int err)
{
	struct kt_user *user = ctx;

	WRITE_ONCE(user->counts.last_event, err);
	/* likewise */
	smp_store_release(&user->counts.events, user->counts.events + 1);
	kt_block(user, KT_BLOCK_EVENT);
}

/* While record() and event() may be called: the rest is at least as new as calls and events. */
static struct kt_counts kt_counts_of(const struct kt_user *user)
{
	const struct kt_counts *from = &user->counts;
	struct kt_counts counts = {
		/* pairs with the store-release in kt_record() */
		.calls = smp_load_acquire(&from->calls),
		/* pairs with the store-release in kt_event() */
		.events = smp_load_acquire(&from->events),
	};

	counts.refused = READ_ONCE(from->refused);
	counts.bytes = READ_ONCE(from->bytes);
	counts.bad = READ_ONCE(from->bad);
	counts.last_event = READ_ONCE(from->last_event);
	counts.blocked = READ_ONCE(from->blocked);
	return counts;
}

static int kt_consumer(struct kt_user *user, const struct kt_consumer *arg)
{
	struct shmring_consumer_opts opts = {
		.size = sizeof(opts),
		.flags = arg->flags & KT_COPY ? SHMRING_CONSUMER_COPY : 0,
		.record = kt_record,
		.event = kt_event,
		.ctx = user,
		.budget = arg->budget,
	};
	struct shmring_consumer *c;

	if (!user->ref || user->consumer)
		return -EINVAL;
	user->echo = arg->flags & KT_ECHO;
	c = shmring_consumer_attach(user->ref, NUMA_NO_NODE, arg->flags & KT_CALLED ? &opts : NULL);
	if (IS_ERR(c))
		return PTR_ERR(c);
	user->called = arg->flags & KT_CALLED;
	user->consumer = c;
	return 0;
}

static long kt_read(struct kt_user *user, const struct kt_read *arg)
{
	u8 buf[KT_LEN_MAX];
	const void *payload = buf;
	ssize_t len;
	int err;

	if (!user->consumer || arg->cap > sizeof(buf))
		return -EINVAL;
	if (arg->deadline) {
		err = shmring_consumer_wait(user->consumer, arg->deadline);
		if (err)
			return err;
	}
	if (arg->peek)
		len = shmring_peek(user->consumer, &payload);
	else
		len = shmring_read(user->consumer, buf, arg->cap);
	if (len < 0)
		return len;
	err = copy_to_user(u64_to_user_ptr(arg->buf), payload, min_t(size_t, len, arg->cap)) ?
	      -EFAULT : 0;
	if (arg->peek)
		err = shmring_release(user->consumer) ?: err;
	return err ?: len;
}

/* ---- whatever a program says ------------------------------------------------ */

static long kt_io_write(struct kt_user *user, const struct kt_io *io, u8 *buf)
{
	struct kvec vec[KT_IO_MOST];
	size_t len = 0;
	u32 i;

	for (i = 0; i < io->count; i++) {
		vec[i].iov_base = buf + len;
		vec[i].iov_len = io->len[i];
		len += io->len[i];
	}
	if (copy_from_user(buf, u64_to_user_ptr(io->buf), len))
		return -EFAULT;
	switch (io->op) {
	case KT_WRITE:
		return shmring_write(user->producer, buf, io->len[0]);
	case KT_BATCH:
		return shmring_write_batch(user->producer, vec, io->count);
	default:
		memcpy(user->room, buf, io->len[0]);
		user->room = NULL;
		shmring_commit(user->producer, io->len[0]);
		return 0;
	}
}

static long kt_io_peek(struct kt_user *user, const struct kt_io *io)
{
	const void *payload;
	ssize_t len = shmring_peek(user->consumer, &payload);

	if (len >= 0 && copy_to_user(u64_to_user_ptr(io->buf), payload,
				     min_t(size_t, len, io->len[0])))
		return -EFAULT;
	return len;
}

static long kt_io(struct kt_user *user, const struct kt_io *io)
{
	bool consumes = io->op == KT_PEEK || io->op == KT_RELEASE || io->op == KT_WAIT_IN;
	void *room;
	long ret;
	u8 *buf;
	u32 i;

	if (io->op >= KT_OPS || !io->count || io->count > KT_IO_MOST ||
	    (consumes ? !user->consumer : !user->producer))
		return -EINVAL;
	for (i = 0; i < io->count; i++)
		if (io->len[i] > KT_LEN_MAX)
			return -EINVAL;
	switch (io->op) {
	case KT_PEEK:
		return kt_io_peek(user, io);
	case KT_RELEASE:
		return shmring_release(user->consumer);
	case KT_WAIT_IN:
		return shmring_consumer_wait(user->consumer, SHMRING_DEADLINE_NOW);
	case KT_WAIT_OUT:
		return shmring_producer_wait(user->producer, io->len[0], SHMRING_DEADLINE_NOW);
	case KT_RESERVE_LEN:
		room = shmring_reserve(user->producer, io->len[0]);
		if (IS_ERR(room))
			return PTR_ERR(room);
		user->room = room;
		return 0;
	default:
		break;
	}
	buf = kmalloc(KT_IO_MOST * KT_LEN_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = kt_io_write(user, io, buf);
	kfree(buf);
	return ret;
}

static void kt_set_record(struct kt_user *user, u32 record)
{
	WRITE_ONCE(user->record, record);
	wake_up_all(&user->unblock);
	if (record != KT_TAKE)
		return;
	/* Somebody who detaches has the lock, and waits for the record() that was let go. */
	if (!mutex_trylock(&user->lock))
		return;
	if (user->consumer && user->called)
		shmring_consumer_resume(user->consumer);
	mutex_unlock(&user->lock);
}

/* ---- the file -------------------------------------------------------------- */

static int kt_hold(struct kt_user *user, struct shmring_ref *ref)
{
	if (IS_ERR(ref))
		return PTR_ERR(ref);
	if (user->ref) {
		shmring_put(ref);
		return -EISCONN;
	}
	user->ref = ref;
	return 0;
}

static int kt_create(struct kt_user *user, void __user *argp)
{
	struct shmring_ioc_create arg;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	return kt_hold(user, shmring_create(&arg));
}

static int kt_file(struct kt_user *user, u32 role)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = shmring_file(user->ref, role);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/* Become a producer of another ring than the one that is held. */
static int kt_answer(struct kt_user *user, int kt_fd)
{
	struct file *file = fget(kt_fd);
	struct shmring_producer *p = ERR_PTR(-EBADFD);

	if (!file)
		return -EBADF;
	if (file->f_op == &kt_fops && !user->producer)
		p = shmring_producer_attach(((struct kt_user *)file->private_data)->ref,
					    NUMA_NO_NODE);
	fput(file);
	if (IS_ERR(p))
		return PTR_ERR(p);
	user->producer = p;
	return 0;
}

static int kt_attach_tx(struct kt_user *user, unsigned int depth)
{
	struct shmring_producer *p;
	struct shmring_lanes *lanes;

	if (!user->ref || user->producer || user->lanes)
		return -EINVAL;
	if (depth) {
		lanes = shmring_lanes_attach(user->ref, depth);
		if (IS_ERR(lanes))
			return PTR_ERR(lanes);
		user->lanes = lanes;
		return 0;
	}
	p = shmring_producer_attach(user->ref, NUMA_NO_NODE);
	if (IS_ERR(p))
		return PTR_ERR(p);
	user->producer = p;
	return 0;
}

static void kt_detach_tx(struct kt_user *user)
{
	if (user->producer)
		shmring_producer_detach(user->producer);
	if (user->lanes)
		shmring_lanes_detach(user->lanes);
	user->producer = NULL;
	user->lanes = NULL;
}

static void kt_detach_rx(struct kt_user *user)
{
	if (user->consumer)
		shmring_consumer_detach(user->consumer);
	user->consumer = NULL;
}

static void kt_put(struct kt_user *user)
{
	if (user->ref)
		shmring_put(user->ref);
	user->ref = NULL;
}

static long kt_attach(struct kt_user *user, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct shmring_ioc_info info;
	struct kt_consumer consumer;

	switch (cmd) {
	case KT_CREATE:
		return kt_create(user, argp);
	case KT_GET:
		return kt_hold(user, shmring_get_by_fd(arg));
	case KT_PUT:
		kt_put(user);
		return 0;
	case KT_FILE:
		return user->ref ? kt_file(user, arg) : -EINVAL;
	case KT_INFO:
		if (!user->ref)
			return -EINVAL;
		shmring_describe(user->ref, &info);
		return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
	case KT_PRODUCER:
		return kt_attach_tx(user, 0);
	case KT_LANES:
		return arg ? kt_attach_tx(user, arg) : -EINVAL;
	case KT_CONSUMER:
		if (copy_from_user(&consumer, argp, sizeof(consumer)))
			return -EFAULT;
		return kt_consumer(user, &consumer);
	case KT_ANSWER:
		return kt_answer(user, arg);
	case KT_TRACE:
		return kt_trace(user, (long)arg);
	case KT_DETACH_TX:
		kt_trace(user, -1);
		kt_detach_tx(user);
		return 0;
	case KT_DETACH_RX:
		kt_detach_rx(user);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* What several processes do at a time with one file; none attaches or detaches meanwhile. */
static long kt_use(struct kt_user *user, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct kt_produce produce;
	struct kt_counts counts;
	struct kt_read read;
	struct kt_io io;
	u64 lost;
	int err;

	switch (cmd) {
	case KT_PRODUCE:
	case KT_NEST:
		if (copy_from_user(&produce, argp, sizeof(produce)))
			return -EFAULT;
		err = cmd == KT_NEST ? kt_nest(user, &produce) : kt_produce(user, &produce);
		if (!err && copy_to_user(argp, &produce, sizeof(produce)))
			err = -EFAULT;
		return err;
	case KT_RESERVE:
		return kt_reserve(user);
	case KT_COMMIT:
		return kt_commit(user);
	case KT_DISCARD:
		return kt_discard(user);
	case KT_IO:
		if (copy_from_user(&io, argp, sizeof(io)))
			return -EFAULT;
		return kt_io(user, &io);
	case KT_LOST:
		lost = user->producer ? shmring_producer_lost(user->producer) :
		       user->lanes ? shmring_lanes_lost(user->lanes) : 0;
		return copy_to_user(argp, &lost, sizeof(lost)) ? -EFAULT : 0;
	case KT_READ:
		if (copy_from_user(&read, argp, sizeof(read)))
			return -EFAULT;
		return kt_read(user, &read);
	case KT_RECORD:
		kt_set_record(user, arg);
		return 0;
	case KT_COUNTS:
		counts = kt_counts_of(user);
		return copy_to_user(argp, &counts, sizeof(counts)) ? -EFAULT : 0;
	case KT_TX_WAIT:
		if (!user->producer)
			return -EINVAL;
		return shmring_producer_wait(user->producer, arg, SHMRING_DEADLINE_NEVER);
	default:
		return -ENOTTY;
	}
}

static long kt_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kt_user *user = file->private_data;
	long ret = kt_use(user, cmd, arg);

	if (ret != -ENOTTY)
		return ret;
	mutex_lock(&user->lock);
	ret = kt_attach(user, cmd, arg);
	mutex_unlock(&user->lock);
	return ret;
}

static int kt_open(struct inode *inode, struct file *file)
{
	struct kt_user *user = kzalloc(sizeof(*user), GFP_KERNEL);

	if (!user)
		return -ENOMEM;
	mutex_init(&user->lock);
	init_waitqueue_head(&user->unblock);
	user->trace = -1;
	file->private_data = user;
	return nonseekable_open(inode, file);
}

static int kt_release(struct inode *inode, struct file *file)
{
	struct kt_user *user = file->private_data;

	kt_set_record(user, KT_TAKE);
	kt_detach_rx(user);
	kt_trace(user, -1);
	if (user->room)
		kt_discard(user);
	kt_detach_tx(user);
	kt_put(user);
	kfree(user);
	return 0;
}

static const struct file_operations kt_fops = {
	.owner = THIS_MODULE,
	.open = kt_open,
	.release = kt_release,
	.unlocked_ioctl = kt_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice kt_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shmring_test",
	.fops = &kt_fops,
	.mode = 0600,
};
module_misc_device(kt_device);

MODULE_DESCRIPTION("Tests of shmring as other modules use it");
MODULE_LICENSE("GPL");
