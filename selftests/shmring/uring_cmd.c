// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT, KICK and CANCEL as commands of io_uring: what they answer and when, on rings of
 * all kinds that io_uring has; what is refused; and what becomes of a WAIT that pends when
 * its peer, its descriptor, its io_uring or its task ends. Lost wake-ups are wakeup.c's.
 */
#include "pair.h"
#include "uring.h"

#define ROUNDS	200
#define LOST	10	/* seconds after which a completion will not come any more */
#define MS	1000000ull

/* Where a pending WAIT needs no thread, CANCEL ends it; elsewhere ASYNC_CANCEL does. */
static bool waits_pend(void)
{
	int fd = ring_create(SPSC, CONSUMER, 4096, NULL);
	struct io_uring_cqe cqe = { .res = -EOPNOTSUPP };
	struct uring u;

	if (uring_open(&u))
		return false;
	if (!uring_cmd(&u, fd, SHMRING_URING_CANCEL, NULL, 0))
		uring_wait(&u, &cqe, LOST);
	uring_close(&u);
	close(fd);
	return cqe.res == 0;
}

/* The result of a command that cannot wait for anything. */
static int result(struct uring *u, int fd, __u32 op, const void *payload)
{
	struct io_uring_cqe cqe;
	int err = uring_cmd(u, fd, op, payload, 0) ?: uring_wait(u, &cqe, LOST);

	return err ? err : cqe.res;
}

static int result_wait(struct uring *u, int fd, struct shmring_uring_wait w)
{
	return result(u, fd, SHMRING_URING_WAIT, &w);
}

/* ---- what it answers, however io_uring is set up ---- */

FIXTURE(kind) {
	FIXTURE_DATA(pair) pair;
	struct uring u;
	__u8 flags;
};

FIXTURE_VARIANT(kind) {
	unsigned int setup;
	__u8 flags;
};

FIXTURE_VARIANT_ADD(kind, plain) { 0, 0 };

FIXTURE_VARIANT_ADD(kind, sqe128) { IORING_SETUP_SQE128, 0 };

FIXTURE_VARIANT_ADD(kind, cqe32) { IORING_SETUP_CQE32, 0 };

FIXTURE_VARIANT_ADD(kind, defer_taskrun) {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0
};

FIXTURE_VARIANT_ADD(kind, by_a_worker) { 0, IOSQE_ASYNC };

FIXTURE_SETUP(kind)
{
	pair_setup(_metadata, &self->pair, NULL);
	self->u.fd = -1;
	self->flags = variant->flags;
}

FIXTURE_TEARDOWN(kind)
{
	if (self->u.fd >= 0)
		uring_close(&self->u);
	pair_teardown(_metadata, &self->pair, NULL);
}

static int start_wait(FIXTURE_DATA(kind) *self, int fd, struct shmring_uring_wait w)
{
	return uring_cmd(&self->u, fd, SHMRING_URING_WAIT, &w, self->flags);
}

TEST_F(kind, wait_for_records)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, NEVER)));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		ASSERT_EQ(0, send_one(&self->pair, 8));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("record %d", i);
		ASSERT_EQ(IN, cqe.res);
		/* It holds already. */
		ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, NEVER)));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
		ASSERT_EQ(IN, cqe.res);
		ASSERT_EQ(8, take_one(&self->pair));
	}
	EXPECT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
}

TEST_F(kind, wait_for_space)
{
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	while (!send_one(&self->pair, 1000))
		;
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, start_wait(self, self->pair.producer, wait_args(OUT, NEVER)));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		ASSERT_EQ(1000, take_one(&self->pair));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("record %d", i);
		ASSERT_EQ(OUT, cqe.res);
		ASSERT_EQ(0, send_one(&self->pair, 1000));
		ASSERT_EQ(-EAGAIN, send_one(&self->pair, 1000));
	}
}

TEST_F(kind, thresholds)
{
	struct shmring_uring_wait bytes = wait_args(IN, NEVER), records = bytes;
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	bytes.need = 3 * 16;
	records.need = 3;
	records.flags = SHMRING_URING_RECORDS;
	for (int i = 0; i < ROUNDS; i++) {
		const struct shmring_uring_wait *w = i & 1 ? &bytes : &records;

		ASSERT_EQ(0, start_wait(self, self->pair.consumer, *w));
		ASSERT_EQ(0, send_one(&self->pair, 8));
		ASSERT_EQ(0, send_one(&self->pair, 8));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		ASSERT_EQ(0, send_one(&self->pair, 8));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("round %d", i);
		ASSERT_EQ(IN, cqe.res);
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(8, take_one(&self->pair));
	}
}

/* The first of several has enough; the others wait on. */
TEST_F(kind, several_waits)
{
	struct shmring_uring_wait three = wait_args(IN, NEVER);
	struct io_uring_cqe cqe;

	URING_OPEN_AS(&self->u, variant->setup);
	three.need = 3 * 16;
	ASSERT_EQ(0, start_wait(self, self->pair.consumer, three));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, NEVER)));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		ASSERT_EQ(0, send_one(&self->pair, 8));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("record %d", i);
		ASSERT_EQ(IN, cqe.res);
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
		ASSERT_EQ(8, take_one(&self->pair));
	}
	for (int k = 0; k < 3; k++)
		ASSERT_EQ(0, send_one(&self->pair, 8));
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(IN, cqe.res);
}

TEST_F(kind, deadlines)
{
	struct io_uring_cqe cqe;
	__u64 until;

	URING_OPEN_AS(&self->u, variant->setup);
	ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, NOW)));
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(-EAGAIN, cqe.res);
	ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, 1)));
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(-ETIMEDOUT, cqe.res);
	until = now_ns() + 50 * MS;
	ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, until)));
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(-ETIMEDOUT, cqe.res);
	EXPECT_LE(until, now_ns());
	/* What holds at the deadline holds. */
	ASSERT_EQ(0, send_one(&self->pair, 8));
	ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, 1)));
	ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST));
	EXPECT_EQ(IN, cqe.res);
}

/* Deadlines that pass while the record comes: it is one or the other, once. */
TEST_F(kind, deadline_against_record)
{
	struct io_uring_cqe cqe;
	int late = 0;

	URING_OPEN_AS(&self->u, variant->setup);
	for (int i = 0; i < ROUNDS; i++) {
		__u64 until = now_ns() + (__u64)(i % 20) * 10000;

		ASSERT_EQ(0, start_wait(self, self->pair.consumer, wait_args(IN, until)));
		while (now_ns() < until)
			;
		ASSERT_EQ(0, send_one(&self->pair, 8));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("round %d", i);
		ASSERT_TRUE(cqe.res == IN || cqe.res == -ETIMEDOUT) TH_LOG("%d", cqe.res);
		late += cqe.res == -ETIMEDOUT;
		ASSERT_EQ(8, take_one(&self->pair));
		ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
	}
	TH_LOG("%d of %d were late", late, ROUNDS);
}

/*
 * Each has a name of its own: of several alike io_uring may find, again, the one that it
 * has interrupted already. None that a worker is just about to begin is found at all.
 */
TEST_F(kind, cancelled)
{
	const struct shmring_uring_wait w = wait_args(IN, NEVER);
	bool pend = waits_pend();
	struct io_uring_cqe cqe;
	int left = 3, told = 0;

	URING_OPEN_AS(&self->u, variant->setup);
	for (int k = 1; k <= left; k++)
		ASSERT_EQ(0, uring_cmd_as(&self->u, self->pair.consumer, SHMRING_URING_WAIT, &w,
					  self->flags, k));
	ASSERT_EQ(-ETIME, uring_wait(&self->u, &cqe, 0));
	if (!pend) {
		EXPECT_EQ(-EOPNOTSUPP, result(&self->u, self->pair.consumer,
					      SHMRING_URING_CANCEL, NULL));
		for (int k = 1; k <= left; k++)
			ASSERT_EQ(0, uring_async_cancel(&self->u, k));
	}
	while (left) {
		/* Ends what has begun: what a worker is to begin may not have. */
		if (pend && told < 3)
			ASSERT_EQ(0, uring_cmd(&self->u, self->pair.consumer,
					       SHMRING_URING_CANCEL, NULL, 0));
		ASSERT_EQ(0, uring_wait(&self->u, &cqe, LOST)) TH_LOG("%d left", left);
		if (cqe.user_data <= 3) {
			EXPECT_EQ(-ECANCELED, cqe.res);
			left--;
		} else if (cqe.user_data == SHMRING_URING_CANCEL) {
			told += cqe.res;
		} else if (cqe.res == -ENOENT) {
			ASSERT_EQ(0, uring_async_cancel(&self->u, ~cqe.user_data));
		}
	}
	if (pend && !variant->flags)
		EXPECT_EQ(3, told);
	/* Others do not ask to be kicked any more, and are not. */
	EXPECT_FALSE(armed(&self->pair.c));
}

/* ---- KICK ---- */

TEST_F(pair, kick_by_uring)
{
	const __aligned_u64 *slept = &self->c.meta->witness[self->c.info.slot].waits;
	struct io_uring_cqe cqe;
	struct uring u;
	__u64 waits;
	void *to;

	URING_OPEN(&u);
	for (int i = 0; i < ROUNDS; i++) {
		waits = shmring_load(slept);
		ASSERT_EQ(0, uring_cmd_wait(&u, self->consumer, IN, NEVER));
		ASSERT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
		/* A worker takes its time, and looks once more after it has armed. */
		while (shmring_load(slept) == waits)
			sched_yield();
		ASSERT_TRUE(armed(&self->c));
		to = shmring_spsc_reserve(&self->tx, 8);
		ASSERT_NE(NULL, to);
		memset(to, i, 8);
		ASSERT_EQ(1, shmring_spsc_commit(&self->tx, 8));	/* says: kick */
		ASSERT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
		ASSERT_EQ(0, uring_cmd(&u, self->producer, SHMRING_URING_KICK, NULL, 0));
		for (int k = 0; k < 2; k++) {
			ASSERT_EQ(0, uring_wait(&u, &cqe, LOST)) TH_LOG("round %d", i);
			ASSERT_EQ(cqe.user_data == SHMRING_URING_WAIT ? IN : 0, cqe.res);
		}
		ASSERT_EQ(8, take_one(self));
	}
	uring_close(&u);
}

/* ---- what is refused ---- */

TEST_F(pair, refused)
{
	const __u8 junk[16] = { [15] = 1 };
	struct shmring_uring_wait w = wait_args(IN, NOW);
	struct uring u;
	int fd;

	URING_OPEN(&u);
	EXPECT_EQ(-EAGAIN, result_wait(&u, self->consumer, w));
	EXPECT_EQ(-ENOTTY, result(&u, self->consumer, SHMRING_IOC_WAIT, NULL));
	EXPECT_EQ(-ENOTTY, result(&u, self->consumer, SHMRING_URING_CANCEL + 1, NULL));
	EXPECT_EQ(-ENOTTY, result(&u, self->consumer, 0, NULL));
	EXPECT_EQ(-EINVAL, result(&u, self->consumer, SHMRING_URING_KICK, junk));
	EXPECT_EQ(-EINVAL, result(&u, self->consumer, SHMRING_URING_CANCEL, junk));
	for (unsigned int bit = 1; bit < 16; bit++) {
		w.flags = (__u16)(1u << bit);
		EXPECT_EQ(-EINVAL, result_wait(&u, self->consumer, w));
	}
	for (unsigned int bit = 3; bit < 16; bit++)
		EXPECT_EQ(-EINVAL, result_wait(&u, self->consumer,
					       wait_args((__u16)(IN | 1u << bit), NOW)));
	EXPECT_EQ(-EINVAL, result_wait(&u, self->consumer, wait_args(0, NOW)));
	EXPECT_EQ(-EINVAL, result_wait(&u, self->consumer, wait_args(OUT, NOW)));
	EXPECT_EQ(-EINVAL, result_wait(&u, self->producer, wait_args(IN, NOW)));
	w = wait_args(PEER, NOW);
	w.need = 1;
	EXPECT_EQ(-EINVAL, result_wait(&u, self->consumer, w));
	w = wait_args(OUT, NOW);
	w.need = 1;
	w.flags = SHMRING_URING_RECORDS;
	EXPECT_EQ(-EINVAL, result_wait(&u, self->producer, w));
	w = wait_args(IN, NOW);
	w.need = 4096 - SHMRING_REC_TAIL + 1;
	EXPECT_EQ(-ERANGE, result_wait(&u, self->consumer, w));
	w.need = ~0u;
	EXPECT_EQ(-ERANGE, result_wait(&u, self->consumer, w));
	w.flags = SHMRING_URING_RECORDS;
	EXPECT_EQ(-ERANGE, result_wait(&u, self->consumer, w));

	fd = dev_open();
	EXPECT_EQ(-ENOTCONN, result_wait(&u, fd, wait_args(PEER, NOW)));
	EXPECT_EQ(-ENOTCONN, result(&u, fd, SHMRING_URING_KICK, NULL));
	EXPECT_EQ(-ENOTCONN, result(&u, fd, SHMRING_URING_CANCEL, NULL));
	EXPECT_EQ(-ENOTTY, result(&u, fd, 0, NULL));
	close(fd);
	EXPECT_EQ(-EBADF, result_wait(&u, fd, wait_args(PEER, NOW)));
	fd = ring_create(RAW, PRODUCER, 4096, NULL);
	EXPECT_EQ(-EOPNOTSUPP, result(&u, fd, SHMRING_URING_KICK, NULL));
	EXPECT_EQ(-EINVAL, result_wait(&u, fd, wait_args(OUT, NOW)));
	close(fd);
	uring_close(&u);
}

TEST(spin_rings_have_no_sleepers)
{
	struct shmring_ioc_create arg = create_args(SPSC, CONSUMER, 4096);
	struct uring u;
	int fd;

	URING_OPEN(&u);
	arg.flags = SHMRING_CREATE_SPIN;
	fd = ring_create_with(&arg);
	EXPECT_EQ(-EOPNOTSUPP, result_wait(&u, fd, wait_args(IN, NEVER)));
	EXPECT_EQ(-EAGAIN, result_wait(&u, fd, wait_args(IN, NOW)));
	close(fd);
	uring_close(&u);
}

/*
 * io_uring itself refuses commands there, or, since 7.1, has them as anywhere else; but nobody
 * sleeps until they end.
 */
TEST(iopoll)
{
	int fd = ring_create(SPSC, CONSUMER, 4096, NULL), ret;
	struct io_uring_cqe cqe;
	struct uring u;

	URING_OPEN_AS(&u, IORING_SETUP_IOPOLL);
	ret = result_wait(&u, fd, wait_args(IN, NOW));
	if (ret == -EOPNOTSUPP) {
		EXPECT_EQ(-EOPNOTSUPP, result_wait(&u, fd, wait_args(IN, NEVER)));
	} else {
		EXPECT_EQ(-EAGAIN, ret);
		ASSERT_EQ(0, uring_cmd_wait(&u, fd, IN, now_ns() + 10 * MS));
		while (uring_wait(&u, &cqe, 0))
			sched_yield();
		EXPECT_EQ(-ETIMEDOUT, cqe.res);
	}
	uring_close(&u);
	close(fd);
}

/* Payloads that are nothing but bits: answered, or pending until io_uring is closed. */
TEST_F(pair, any_payload)
{
	unsigned int seed = 1;
	struct uring u;

	for (int round = 0; round < 50; round++) {
		struct io_uring_cqe cqe;

		URING_OPEN_AS(&u, round & 1 ? IORING_SETUP_SQE128 : 0);
		for (int k = 0; k < URING_ENTRIES; k++) {
			__u32 op = SHMRING_URING_WAIT - 1 + (__u32)rand_r(&seed) % 5;
			__u8 payload[16] = { 0 };

			for (size_t i = 0; i < sizeof(payload); i++)
				if (rand_r(&seed) & 1)
					payload[i] = (__u8)rand_r(&seed);
			ASSERT_EQ(0, uring_cmd(&u, k & 1 ? self->producer : self->consumer, op,
					       payload, 0));
		}
		while (!uring_wait(&u, &cqe, 0))
			;
		uring_close(&u);
	}
	ASSERT_EQ(0, send_one(self, 8));
	EXPECT_EQ(8, take_one(self));
}

/* ---- ends ---- */

/* What is left first, then how the peer went. */
static void peer_ends(struct __test_metadata *_metadata, bool in_order, __u16 events, int want)
{
	int consumer = ring_create(SPSC, CONSUMER, 4096, NULL);
	int producer = ring_attach_fd(PRODUCER, consumer);
	struct io_uring_cqe cqe;
	struct endpoint p;
	struct uring u;

	URING_OPEN(&u);
	ASSERT_EQ(0, endpoint_map(&p, producer));
	ASSERT_EQ(0, uring_cmd_wait(&u, consumer, events, NEVER));
	ASSERT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	if (in_order)
		shmring_store(&p.cursor->closed, (__u32)getpid());
	endpoint_unmap(&p);
	close(producer);
	ASSERT_EQ(0, uring_wait(&u, &cqe, LOST));
	EXPECT_EQ(want, cqe.res);
	EXPECT_EQ(want, result_wait(&u, consumer, wait_args(events, NEVER)));
	uring_close(&u);
	close(consumer);
}

TEST(peer_dies)
{
	peer_ends(_metadata, false, IN, -EOWNERDEAD);
}

TEST(peer_closes)
{
	peer_ends(_metadata, true, IN, -EPIPE);
}

TEST(peer_ends_as_asked)
{
	peer_ends(_metadata, false, IN | PEER, PEER);
	peer_ends(_metadata, true, PEER, PEER);
}

/* A request holds its file: the endpoint ends with the last WAIT, not before. */
TEST(descriptor_closed)
{
	int consumer = ring_create(SPSC, CONSUMER, 4096, NULL);
	int producer = ring_attach_fd(PRODUCER, consumer);
	struct shmring_spsc_tx tx;
	struct io_uring_cqe cqe;
	struct endpoint p;
	struct uring u;

	URING_OPEN(&u);
	ASSERT_EQ(0, endpoint_map(&p, producer));
	ASSERT_EQ(0, tx_init(&tx, &p));
	ASSERT_EQ(0, uring_cmd_wait(&u, consumer, IN, NEVER));
	/* A worker that had yet to look would find the record, and end the endpoint at once. */
	while (shmring_load(&tx.peer->armed) != SHMRING_ARMED_YES)
		sched_yield();
	ASSERT_EQ(-ETIME, uring_wait(&u, &cqe, 0));
	close(consumer);
	EXPECT_EQ(-EAGAIN, ring_wait(producer, PEER, NOW));
	EXPECT_EQ(0, tx_try(&p, &tx, "last", 5));
	ASSERT_EQ(0, uring_wait(&u, &cqe, LOST));
	EXPECT_EQ(IN, cqe.res);
	EXPECT_EQ(PEER, ring_wait(producer, PEER, now_ns() + LOST * 1000 * MS));
	uring_close(&u);
	endpoint_unmap(&p);
	close(producer);
}

/* How a task leaves its WAITs behind. */
enum leave { CLOSE_URING, EXIT, KILLED, EXEC };

FIXTURE(left) {
	int producer, consumer;
};

FIXTURE_VARIANT(left) {
	enum leave how;
	unsigned int setup;
	__u8 flags;
};

#define DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

FIXTURE_VARIANT_ADD(left, by_close) { CLOSE_URING, 0, 0 };
FIXTURE_VARIANT_ADD(left, by_exit) { EXIT, 0, 0 };
FIXTURE_VARIANT_ADD(left, by_kill) { KILLED, 0, 0 };
FIXTURE_VARIANT_ADD(left, by_exec) { EXEC, 0, 0 };
FIXTURE_VARIANT_ADD(left, by_close_deferred) { CLOSE_URING, DEFER, 0 };
FIXTURE_VARIANT_ADD(left, by_exit_deferred) { EXIT, DEFER, 0 };
FIXTURE_VARIANT_ADD(left, by_kill_deferred) { KILLED, DEFER, 0 };
FIXTURE_VARIANT_ADD(left, by_exec_deferred) { EXEC, DEFER, 0 };
FIXTURE_VARIANT_ADD(left, by_close_of_a_worker) { CLOSE_URING, 0, IOSQE_ASYNC };
FIXTURE_VARIANT_ADD(left, by_exit_of_a_worker) { EXIT, 0, IOSQE_ASYNC };
FIXTURE_VARIANT_ADD(left, by_kill_of_a_worker) { KILLED, 0, IOSQE_ASYNC };

static void sleep_for_good(void)
{
	execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(1);
}

FIXTURE_SETUP(left)
{
	self->producer = ring_create(SPSC, PRODUCER, 4096, NULL);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_LE(0, self->consumer);
}

FIXTURE_TEARDOWN(left)
{
	close(self->producer);
}

/* The endpoint ends with it, at once and not at some deadline. */
TEST_F(left, ends_the_endpoint)
{
	struct shmring_uring_wait w = wait_args(IN, NEVER);
	struct io_uring_cqe cqe;
	struct child c;
	struct uring u;

	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		int err;

		close(self->producer);
		err = uring_open_as(&u, variant->setup);
		if (err == -ENOSYS || err == -EPERM)
			_exit(KSFT_SKIP);
		CHECK_EQ(0, err);
		for (int k = 0; k < 4; k++) {
			if (k == 3)	/* one with a timer */
				w.deadline = now_ns() + 1000000 * MS;
			CHECK_EQ(0, uring_cmd(&u, self->consumer, SHMRING_URING_WAIT, &w,
					      variant->flags));
		}
		CHECK_EQ(-ETIME, uring_wait(&u, &cqe, 0));
		close(self->consumer);
		CHECK(tell(c.sock));
		if (variant->how == CLOSE_URING) {
			uring_close(&u);
			hear(c.sock);
		} else if (variant->how == KILLED) {
			pause();
		} else if (variant->how == EXEC) {
			sleep_for_good();
		}
		_exit(0);
	}
	close(self->consumer);
	if (!hear(c.sock)) {
		ASSERT_EQ(KSFT_SKIP, child_end(&c));
		SKIP(return, "no io_uring");
	}
	if (variant->how == KILLED)
		EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	EXPECT_EQ(PEER, ring_wait(self->producer, PEER, now_ns() + LOST * 1000 * MS));
	if (variant->how == EXEC)
		child_kill(&c);
	else if (variant->how != KILLED)
		EXPECT_EQ(0, child_end(&c));
}

/* Tasks that end while they are woken: nobody is woken who is not there any more. */
TEST_F(left, while_woken)
{
	struct shmring_spsc_tx tx;
	struct endpoint p;
	struct child c;
	struct uring u;
	int ret;

	ASSERT_EQ(0, endpoint_map(&p, self->producer));
	ASSERT_EQ(0, tx_init(&tx, &p));
	for (int i = 0; i < 40; i++) {
		ASSERT_LE(0, child_start(&c));
		if (!c.pid) {
			int err = uring_open_as(&u, variant->setup);

			if (err == -ENOSYS || err == -EPERM)
				_exit(KSFT_SKIP);
			for (int k = 0; k < URING_ENTRIES; k++) {
				struct shmring_uring_wait w =
					wait_args(IN, now_ns() + (__u64)k * MS / 2);

				CHECK_EQ(0, uring_cmd(&u, self->consumer, SHMRING_URING_WAIT,
						      &w, variant->flags));
			}
			CHECK(tell(c.sock));
			if (variant->how == CLOSE_URING)
				uring_close(&u);
			else if (variant->how == KILLED)
				pause();
			else if (variant->how == EXEC)
				sleep_for_good();
			_exit(0);
		}
		if (!hear(c.sock)) {
			ASSERT_EQ(KSFT_SKIP, child_end(&c));
			SKIP(return, "no io_uring");
		}
		for (int k = 0; k < i % 8; k++)
			ring_kick(self->producer);
		if (!i)		/* from now on everything holds at once, or is late */
			tx_try(&p, &tx, "woken", 6);
		ret = variant->how == KILLED || variant->how == EXEC ? child_kill(&c) :
								      child_end(&c);
		EXPECT_EQ(variant->how == KILLED || variant->how == EXEC ? 128 + SIGKILL : 0, ret);
	}
	endpoint_unmap(&p);
	close(self->consumer);
}

TEST_HARNESS_MAIN
