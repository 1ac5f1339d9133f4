// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can fail inside a command of io_uring fails, one after the other
 * (sweep.h); what fails in io_uring itself before the command is reached, too.
 */
#include "sweep.h"

#define LOST	10	/* seconds after which a completion will not come any more */

static bool ring_and_uring(struct trial *t)
{
	return !uring_open(&t->u) && a_ring(t);
}

/* One for a peer that is there, so that a WAIT for its end does not hold. */
static bool pair_and_uring(struct trial *t)
{
	if (!ring_and_uring(t))
		return false;
	t->peer = ring_attach_fd(CONSUMER, t->fd);
	return t->peer >= 0;
}

/* The result, or what kept it from there being one; a request left behind is the next call's. */
static int command(struct trial *t, __u32 op, const struct shmring_uring_wait *w)
{
	struct io_uring_cqe cqe;
	int err = uring_cmd(&t->u, t->fd, op, w, 0) ?: uring_wait(&t->u, &cqe, LOST);

	return err ? err : cqe.res;
}

static int call_ready(struct trial *t)
{
	struct shmring_uring_wait w = wait_args(OUT, NEVER);
	int ret = command(t, SHMRING_URING_WAIT, &w);

	return ret == OUT ? 0 : ret < 0 ? ret : -ENOTRECOVERABLE;
}

/* By a worker, on kernels where a WAIT has to sleep. */
static int call_late(struct trial *t)
{
	struct shmring_uring_wait w = wait_args(PEER, 1);
	int ret = command(t, SHMRING_URING_WAIT, &w);

	return ret == -ETIMEDOUT ? 0 : ret < 0 ? ret : -ENOTRECOVERABLE;
}

static int call_kick(struct trial *t)
{
	return command(t, SHMRING_URING_KICK, NULL);
}

static int call_cancel(struct trial *t)
{
	int ret = command(t, SHMRING_URING_CANCEL, NULL);

	return ret == -EOPNOTSUPP ? 0 : ret;
}

FIXTURE(fail) {};

FIXTURE_SETUP(fail)
{
	struct uring u;

	URING_OPEN(&u);
	uring_close(&u);
	SWEEP_SETUP();
}

FIXTURE_TEARDOWN(fail) {}

/* EAGAIN: no request; ECANCELED: no worker, or one that could not say why. */
TEST_F(fail, commands)
{
	SWEEP({ "wait", ring_and_uring, call_ready, { ENOMEM, EFAULT, EAGAIN } },
	      { "wait in vain", pair_and_uring, call_late, { ENOMEM, EFAULT, EAGAIN, ECANCELED } },
	      { "kick", ring_and_uring, call_kick, { ENOMEM, EFAULT, EAGAIN } },
	      { "cancel", ring_and_uring, call_cancel, { ENOMEM, EFAULT, EAGAIN } });
}

TEST_HARNESS_MAIN
