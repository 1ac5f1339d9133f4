// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT, KICK and CANCEL as commands of io_uring (file_operations.uring_cmd).
 *
 * A WAIT that has to wait is a &struct shmring_uring_waiter in the queue of its endpoint.
 * Whoever wakes that queue holds locks that looking at the ring needs, so the waiter is
 * handed over to its task (io_uring's task work), which looks again, and ends the command
 * or waits on. It is the task's as soon as it is handed over, and is not handed over twice.
 *
 * Where io_uring cannot have a pending command cancelled (SHMRING_URING_PENDS) nothing
 * pends: a WAIT that does not hold is refused with -EAGAIN while it must not block, and
 * io_uring calls again from a worker thread, which sleeps in shmring_wait() and which
 * io_uring knows how to interrupt.
 *
 * shmring_endpoint.wq.lock (interrupts off, innermost) guards a waiter's state and the
 * pointer to it in its command. The queue's order is that of shmring_wait(): queue, arm,
 * look (wake.c says why).
 *
 * The task may be busy, and see its completion whenever it comes to it: so of a QUEUE's
 * consumers who waits here is told in addition to one that sleeps for itself.
 */
#include <linux/slab.h>

#include "trace.h"

/**
 * struct shmring_uring_waiter - a pending WAIT
 * @wqe: in the queue of @ep
 * @cmd: the command; it holds the file, the file @ep
 * @ep: endpoint
 * @timer: of the deadline
 * @arg: what is waited for
 * @sleeps: how many times it was let go
 * @busy: a task has it, or is about to: it is not handed over; by ep->wq.lock
 * @missed: it would have been, meanwhile; likewise
 * @late: the deadline has passed; likewise
 * @cancelled: likewise
 */
struct shmring_uring_waiter {
	struct wait_queue_entry wqe;
	struct io_uring_cmd *cmd;
	struct shmring_endpoint *ep;
	struct hrtimer timer;
	struct shmring_ioc_wait arg;
	unsigned int sleeps;
	bool busy;
	bool missed;
	bool late;
	bool cancelled;
};

/* What a command keeps of its own while it pends. */
struct shmring_uring_pdu {
	struct shmring_uring_waiter *waiter;
};

static struct shmring_uring_pdu *pdu_of(struct io_uring_cmd *cmd)
{
	BUILD_BUG_ON(sizeof(struct shmring_uring_pdu) > sizeof(cmd->pdu));
	return (struct shmring_uring_pdu *)cmd->pdu;
}

/* It is the caller's alone from now on. Under ep->wq.lock. */
static void shmring_uring_take(struct shmring_uring_waiter *w)
{
	w->busy = true;
	__remove_wait_queue(&w->ep->wq, &w->wqe);
	pdu_of(w->cmd)->waiter = NULL;
}

/* Complete the command of a waiter that the caller has taken. */
static void shmring_uring_end(struct shmring_uring_waiter *w, int ret, unsigned int issue_flags)
{
	struct io_uring_cmd *cmd = w->cmd;

	hrtimer_cancel(&w->timer);
	shmring_wait_end(w->ep, w->ep->ring, w->arg.events, ret);
	trace_shmring_wait_end(w->ep, w->ep->ring, ret, w->sleeps);
	kfree(w);
	/* Last: with the command goes the file, and with that perhaps the module. */
	shmring_uring_done(cmd, ret, issue_flags);
}

/* Let its task look. Under ep->wq.lock, in any context that may wake. */
static void shmring_uring_hand_over(struct shmring_uring_waiter *w)
{
	if (w->busy) {
		w->missed = true;
		return;
	}
	w->busy = true;
	io_uring_cmd_complete_in_task(w->cmd, shmring_uring_again_tw);
}

/* Whoever has it has it wait: unless somebody came meanwhile. Under ep->wq.lock. */
static void shmring_uring_let_go(struct shmring_uring_waiter *w)
{
	w->sleeps++;
	w->busy = false;
	if (w->missed)
		shmring_uring_hand_over(w);
}

/**
 * shmring_uring_again() - look again: end a pending WAIT, or have it wait on
 * @cmd: the command; its waiter has been handed over
 * @issue_flags: io_uring's
 *
 * Context: process; task work of whoever submitted the command, or of a worker for it.
 */
void shmring_uring_again(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct shmring_endpoint *ep = cmd->file->private_data;
	struct shmring_uring_waiter *w = pdu_of(cmd)->waiter;
	bool late, cancelled;
	int ret;

	spin_lock_irq(&ep->wq.lock);
	w->missed = false;
	late = w->late;
	cancelled = w->cancelled;
	spin_unlock_irq(&ep->wq.lock);

	ret = shmring_wait_look(ep, ep->ring, &w->arg, true);
	if (!ret)
		ret = cancelled ? -ECANCELED : late ? -ETIMEDOUT : 0;
	if (!ret)
		shmring_wait_on(ep, ep->ring, true);

	spin_lock_irq(&ep->wq.lock);
	if (ret)
		shmring_uring_take(w);
	else
		shmring_uring_let_go(w);
	spin_unlock_irq(&ep->wq.lock);
	if (ret)
		shmring_uring_end(w, ret, issue_flags);
}

static int shmring_uring_woken(struct wait_queue_entry *wqe, unsigned int mode, int sync,
			       void *key)
{
	shmring_uring_hand_over(container_of(wqe, struct shmring_uring_waiter, wqe));
	return 1;
}

static enum hrtimer_restart shmring_uring_expired(struct hrtimer *timer)
{
	struct shmring_uring_waiter *w = container_of(timer, struct shmring_uring_waiter, timer);
	struct shmring_endpoint *ep = w->ep;
	unsigned long flags;

	spin_lock_irqsave(&ep->wq.lock, flags);
	w->late = true;
	shmring_uring_hand_over(w);
	spin_unlock_irqrestore(&ep->wq.lock, flags);
	return HRTIMER_NORESTART;
}

/* Become a waiter. Return: -EIOCBQUEUED, or what WAIT has come to already. */
static int shmring_uring_queue(struct io_uring_cmd *cmd, struct shmring_endpoint *ep,
			       const struct shmring_ioc_wait *arg, unsigned int issue_flags)
{
	struct shmring_uring_waiter *w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!w)
		return -ENOMEM;
	w->cmd = cmd;
	w->ep = ep;
	w->arg = *arg;
	w->busy = true;		/* until it is complete: its task may run on another CPU */
	init_waitqueue_func_entry(&w->wqe, shmring_uring_woken);
	shmring_hrtimer_setup(&w->timer, shmring_uring_expired);

	trace_shmring_wait_begin(ep, ep->ring, arg);
	add_wait_queue(&ep->wq, &w->wqe);
	ret = shmring_wait_look(ep, ep->ring, arg, true);
	if (ret) {
		remove_wait_queue(&ep->wq, &w->wqe);
		shmring_wait_end(ep, ep->ring, arg->events, ret);
		trace_shmring_wait_end(ep, ep->ring, ret, 0);
		kfree(w);
		return ret;
	}
	shmring_wait_on(ep, ep->ring, false);
	pdu_of(cmd)->waiter = w;
	if (arg->deadline < KTIME_MAX)
		hrtimer_start(&w->timer, ns_to_ktime(arg->deadline), HRTIMER_MODE_ABS);
	shmring_uring_mark(cmd, issue_flags);

	spin_lock_irq(&ep->wq.lock);
	shmring_uring_let_go(w);
	spin_unlock_irq(&ep->wq.lock);
	return -EIOCBQUEUED;	/* and @w may be gone */
}

/* io_uring wants a pending command to end: now, or when who has its waiter lets go. */
static int shmring_uring_cancel(struct io_uring_cmd *cmd, struct shmring_endpoint *ep,
				unsigned int issue_flags)
{
	struct shmring_uring_waiter *w;
	bool mine = false;

	spin_lock_irq(&ep->wq.lock);
	w = pdu_of(cmd)->waiter;
	if (w) {
		w->cancelled = true;
		w->missed = true;
		mine = !w->busy;
		if (mine)
			shmring_uring_take(w);
	}
	spin_unlock_irq(&ep->wq.lock);
	if (mine)
		shmring_uring_end(w, -ECANCELED, issue_flags);
	return 0;
}

/* CANCEL: how many WAITs of this file are told to end. */
static int shmring_uring_cancel_all(struct shmring_endpoint *ep)
{
	struct wait_queue_entry *wqe;
	int count = 0;

	if (!SHMRING_URING_PENDS)
		return -EOPNOTSUPP;
	spin_lock_irq(&ep->wq.lock);
	list_for_each_entry(wqe, &ep->wq.head, entry) {
		struct shmring_uring_waiter *w;

		if (wqe->func != shmring_uring_woken)
			continue;
		w = container_of(wqe, struct shmring_uring_waiter, wqe);
		count += !w->cancelled;
		w->cancelled = true;
		shmring_uring_hand_over(w);
	}
	spin_unlock_irq(&ep->wq.lock);
	return count;
}

/*
 * What a driver returns is not always what the program gets: -EAGAIN asks for another call,
 * and a worker of 6.1 drops what is positive.
 */
static int shmring_uring_result(struct io_uring_cmd *cmd, int ret, unsigned int issue_flags)
{
	if (ret <= 0 && ret != -EAGAIN)
		return ret;
	shmring_uring_done(cmd, ret, issue_flags);
	return -EIOCBQUEUED;
}

static int shmring_uring_wait(struct io_uring_cmd *cmd, struct shmring_endpoint *ep,
			      const struct shmring_uring_wait *req, unsigned int issue_flags)
{
	bool may_block = !(issue_flags & IO_URING_F_NONBLOCK);
	struct shmring_ioc_wait arg = {
		.events = req->events,
		.deadline = shmring_deadline_to_host(req->deadline),
	};
	int ret;

	if (req->flags & ~SHMRING_URING_RECORDS)
		return -EINVAL;
	if (req->flags & SHMRING_URING_RECORDS)
		arg.need_records = req->need;
	else
		arg.need = req->need;
	ret = shmring_wait_check(ep, ep->ring, &arg);
	if (ret)
		return ret;

	if (SHMRING_URING_PENDS && arg.deadline != SHMRING_DEADLINE_NOW) {
		ret = shmring_uring_queue(cmd, ep, &arg, issue_flags);
		return shmring_uring_result(cmd, ret, issue_flags);
	}
	if (may_block && arg.deadline != SHMRING_DEADLINE_NOW) {
		ret = shmring_wait(ep, &arg, false);
		/* No signal reaches a worker but io_uring's own. */
		if (ret == -ERESTARTNOHAND)
			ret = -ECANCELED;
		return shmring_uring_result(cmd, ret ?: arg.revents, issue_flags);
	}
	ret = shmring_wait_look(ep, ep->ring, &arg, false);
	if (ret || arg.deadline == SHMRING_DEADLINE_NOW)
		return shmring_uring_result(cmd, ret ?: -EAGAIN, issue_flags);
	return -EAGAIN;		/* call again from a worker */
}

/**
 * shmring_uring_cmd() - IORING_OP_URING_CMD on a file of /dev/shmring
 * @cmd: the command; its payload is the program's memory, read once
 * @issue_flags: io_uring's
 *
 * Context: process; sleeps, for a WAIT only without IO_URING_F_NONBLOCK.
 * Return: the result, -EIOCBQUEUED (it comes later), or -EAGAIN (call again where it may
 * block): -ENOTTY, -ENOTCONN, -EINVAL, and what SHMRING_URING_WAIT and _KICK give.
 */
int shmring_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct shmring_endpoint *ep = cmd->file->private_data;
	const struct shmring_uring_wait *from;
	struct shmring_uring_wait req;

	if (shmring_uring_is_cancel(issue_flags))
		return shmring_uring_cancel(cmd, ep, issue_flags);
	if (cmd->cmd_op != SHMRING_URING_WAIT && cmd->cmd_op != SHMRING_URING_KICK &&
	    cmd->cmd_op != SHMRING_URING_CANCEL)
		return -ENOTTY;
	if (!shmring_ring_of(ep))
		return -ENOTCONN;
	from = shmring_uring_payload(cmd);
	req.deadline = READ_ONCE(from->deadline);
	req.need = READ_ONCE(from->need);
	req.events = READ_ONCE(from->events);
	req.flags = READ_ONCE(from->flags);
	if (cmd->cmd_op == SHMRING_URING_WAIT)
		return shmring_uring_wait(cmd, ep, &req, issue_flags);
	if (memchr_inv(&req, 0, sizeof(req)))
		return -EINVAL;
	if (cmd->cmd_op == SHMRING_URING_KICK)
		return shmring_kick(ep);
	return shmring_uring_result(cmd, shmring_uring_cancel_all(ep), issue_flags);
}
