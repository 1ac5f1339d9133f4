// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel as a producer: from every context there is, on top of each other, into full
 * rings, for consumers that sleep, lie, or die. What was written is received, in order;
 * what was refused is counted, exactly.
 */
#include "kernel.h"
#include "nodes.h"

FIXTURE(produce) {
	int loaded;
};

FIXTURE_SETUP(produce)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(produce)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

/* A ring of 4096 byte lanes, and a user of the module that holds it. */
static int make(struct __test_metadata *_metadata, __u32 topology, __u32 policy,
		__u32 producers, int *ring)
{
	struct shmring_ioc_create arg = create_args(topology, OBSERVER, 4096);
	int user;

	arg.full_policy = policy;
	arg.producers = producers;
	*ring = ring_create_with(&arg);
	ASSERT_LE(0, *ring) return -1;
	user = kt_get(*ring);
	EXPECT_LE(0, user);
	return user;
}

/* ---- every context --------------------------------------------------------- */

FIXTURE(context) {
	int loaded;
};

FIXTURE_VARIANT(context) {
	__u32 context;
	__u64 count;
	__u32 reserve;
};

FIXTURE_VARIANT_ADD(context, task) { KT_TASK, 3000, 0 };
FIXTURE_VARIANT_ADD(context, task_reserve) { KT_TASK, 3000, 1 };
FIXTURE_VARIANT_ADD(context, softirq) { KT_SOFTIRQ, 3000, 0 };
FIXTURE_VARIANT_ADD(context, hardirq) { KT_HARDIRQ, 3000, 0 };
FIXTURE_VARIANT_ADD(context, hardirq_reserve) { KT_HARDIRQ, 3000, 1 };
FIXTURE_VARIANT_ADD(context, tracepoint) { KT_TRACEPOINT, 300, 0 };
FIXTURE_VARIANT_ADD(context, nmi) { KT_NMI, 1000, 0 };
FIXTURE_VARIANT_ADD(context, nmi_reserve) { KT_NMI, 1000, 1 };

FIXTURE_SETUP(context)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(context)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

/* Receive until the producer has gone, asleep while there is nothing. */
static void receive_all(int ring, struct received *r, bool ordered)
{
	struct kt_record rec;
	struct member m;
	long len;
	int ret;

	CHECK(member_attach(&m, CONSUMER, ring));
	for (;;) {
		len = member_record(&m, &rec);
		if (len >= 0) {
			CHECK(received_add(r, &rec, ordered));
			continue;
		}
		CHECK_EQ(-EAGAIN, len);
		ret = ring_wait(m.fd, IN, NEVER);
		if (ret == -EPIPE)
			break;
		CHECK_EQ(IN, ret);
	}
	while (member_record(&m, &rec) >= 0)
		CHECK(received_add(r, &rec, ordered));
	member_close(&m);
}

/* A child receives while this one has the kernel write; its counts come by a pipe. */
static pid_t receiver(struct __test_metadata *_metadata, struct child *c, int ring, int result,
		      bool ordered)
{
	pid_t pid = child_start(c);

	if (pid == 0) {
		struct received r = { 0 };

		CHECK(tell(c->sock));
		receive_all(ring, &r, ordered);
		CHECK_EQ(sizeof(r), write(result, &r, sizeof(r)));
		_exit(0);
	}
	ASSERT_LT(0, pid) return -1;
	EXPECT_TRUE(hear(c->sock));
	return pid;
}

TEST_F(context, all_is_received_or_counted)
{
	struct kt_produce p = produce_args(variant->context, variant->count, 48);
	struct shmring_ioc_info info;
	int ring, user, result[2], ret;
	struct received r;
	struct child c;

	NEED_MODULE();
	p.reserve = variant->reserve;
	user = make(_metadata, MPSC, DROP, 2, &ring);
	ASSERT_EQ(0, pipe(result));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	receiver(_metadata, &c, ring, result[1], true);
	ret = kt_with(user, KT_PRODUCE, &p);
	if (ret == -EOPNOTSUPP && variant->context == KT_NMI) {
		child_kill(&c);
		close(user);
		SKIP(return, "no NMI can be sent to oneself here");
	}
	ASSERT_EQ(0, ret);
	EXPECT_EQ(variant->count, p.written + p.full);
	EXPECT_EQ(0, p.busy + p.again + p.gone + p.other);
	EXPECT_EQ(p.full, kt_lost(user));
	ASSERT_EQ(0, ring_info(ring, &info));
	EXPECT_EQ(p.full, info.lost);
	ASSERT_EQ(0, kt(user, KT_DETACH_TX, 0));
	ASSERT_EQ(0, child_end(&c));
	ASSERT_EQ(sizeof(r), read(result[0], &r, sizeof(r)));
	EXPECT_EQ(p.written, r.all);
	EXPECT_EQ(p.written, r.count[variant->context]);
	close(user);
}

/* ---- contexts on top of each other ----------------------------------------- */

static void produce_in_child(struct child *c, int user, __u32 context, __u64 count, int result)
{
	struct kt_produce p = produce_args(context, count, 40);

	if (child_start(c))
		return;
	CHECK_EQ(0, kt_with(user, KT_PRODUCE, &p));
	CHECK_EQ(count, p.written + refused(&p));
	CHECK_EQ(sizeof(p), write(result, &p, sizeof(p)));
	_exit(0);
}

/* Soft and hard interrupts, tasks and a tracepoint, on two CPUs. */
static void all_at_once(struct __test_metadata *_metadata, int ring, int user, bool lanes)
{
	static const __u64 count[] = { 2000, 2000, 2000, 200 };
	struct kt_produce p, sum = { 0 };
	struct child c[4], rx;
	int result[2], got[2];
	struct received r;
	__u64 all = 0;

	ASSERT_EQ(0, pipe(result));
	ASSERT_EQ(0, pipe(got));
	receiver(_metadata, &rx, ring, got[1], !lanes);
	for (__u32 context = KT_TASK; context <= KT_TRACEPOINT; context++) {
		produce_in_child(&c[context], user, context, count[context], result[1]);
		all += count[context];
	}
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, child_end(&c[i]));
		ASSERT_EQ(sizeof(p), read(result[0], &p, sizeof(p)));
		sum.written += p.written;
		sum.busy += p.busy;
		sum.full += p.full;
		sum.other += p.again + p.gone + p.other;
	}
	EXPECT_EQ(all, sum.written + sum.busy + sum.full);
	EXPECT_EQ(0, sum.other);
	if (lanes)
		EXPECT_EQ(0, sum.busy);
	EXPECT_EQ(sum.busy + sum.full, kt_lost(user));
	ASSERT_EQ(0, kt(user, KT_DETACH_TX, 0));
	ASSERT_EQ(0, child_end(&rx));
	ASSERT_EQ(sizeof(r), read(got[0], &r, sizeof(r)));
	EXPECT_EQ(sum.written, r.all);
	close(user);
}

TEST_F(produce, all_contexts_in_one_lane)
{
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	all_at_once(_metadata, ring, user, false);
}

TEST_F(produce, all_contexts_in_lanes_of_cpus)
{
	int ring, user;

	NEED_MODULE();
	if (sysconf(_SC_NPROCESSORS_CONF) > 7)
		SKIP(return, "more CPUs than a ring has lanes for: some would share");
	user = make(_metadata, MPSC, DROP, 4 * (__u32)sysconf(_SC_NPROCESSORS_CONF), &ring);
	ASSERT_EQ(0, kt(user, KT_LANES, 4));
	all_at_once(_metadata, ring, user, true);
}

TEST_F(produce, interrupt_on_top_of_a_writer_is_lost_and_counted)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 3, 16);
	struct kt_record rec;
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_NEST, &p));
	EXPECT_EQ(3, p.busy);
	EXPECT_EQ(0, p.written);
	EXPECT_EQ(3, kt_lost(user));
	EXPECT_EQ(16, member_record(&m, &rec));
	EXPECT_EQ(KT_TASK, rec.context);
	EXPECT_EQ(-EAGAIN, member_record(&m, &rec));
	close(user);
}

TEST_F(produce, interrupt_on_top_of_a_writer_has_a_lane)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 3, 16);
	struct kt_record rec;
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 2, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_LANES, 2));
	ASSERT_EQ(0, kt_with(user, KT_NEST, &p));
	EXPECT_EQ(3, p.written);
	EXPECT_EQ(0, kt_lost(user));
	/* In the order of commits: the reservation's came last. */
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(16, member_record(&m, &rec));
		EXPECT_EQ(KT_HARDIRQ, rec.context);
	}
	EXPECT_EQ(16, member_record(&m, &rec));
	EXPECT_EQ(KT_TASK, rec.context);
	close(user);
}

/* A record that waits is the caller's, not lost. */
TEST_F(produce, busy_is_not_lost_where_producers_wait)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 3, 16);
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, SHMRING_FULL_WAIT, 1, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_NEST, &p));
	EXPECT_EQ(3, p.busy);
	EXPECT_EQ(0, kt_lost(user));
	close(user);
}

TEST_F(produce, whichever_call_while_a_record_is_reserved)
{
	struct kt_produce reserve = produce_args(KT_TASK, 3, 16), batch = reserve, one = reserve;
	struct kt_record rec;
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt(user, KT_RESERVE, 0));
	reserve.reserve = 1;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &reserve));
	EXPECT_EQ(3, reserve.busy);
	EXPECT_EQ(3, kt_lost(user));
	batch.batch = 3;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &batch));
	EXPECT_EQ(0, batch.written);
	EXPECT_EQ(6, kt_lost(user));
	/* What is discarded was never there. */
	ASSERT_EQ(0, kt(user, KT_DISCARD, 0));
	EXPECT_EQ(-EAGAIN, member_record(&m, &rec));
	one.count = 1;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &one));
	EXPECT_EQ(1, one.written);
	EXPECT_EQ(16, member_record(&m, &rec));
	EXPECT_EQ(6, kt_lost(user));
	close(user);
}

TEST_F(produce, interrupt_finds_all_lanes_of_its_cpu_busy)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 3, 16);
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_EQ(0, kt(user, KT_LANES, 1));
	ASSERT_EQ(0, kt_with(user, KT_NEST, &p));
	EXPECT_EQ(3, p.busy);
	EXPECT_EQ(3, kt_lost(user));
	close(user);
}

/* ---- consumers that wait for several records -------------------------------- */

TEST_F(produce, wakes_for_as_many_records_as_are_asked_for)
{
	struct shmring_ioc_wait arg = {
		.size = sizeof(arg),
		.events = SHMRING_EV_IN,
		.need_records = 5,
		.deadline = SHMRING_DEADLINE_NEVER,
	};
	struct kt_produce p = produce_args(KT_TASK, 4, 16);
	int ring, user, fd;
	struct child c;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 2, &ring);
	fd = ring_attach_fd(CONSUMER, ring);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(0, dev_ioctl(fd, SHMRING_IOC_WAIT, &arg));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_TRUE(until_asleep(c.pid));
	p.count = 1;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(0, child_end(&c));
	close(fd);
	close(user);
}

/* ---- beginning, and what a record needs besides room ------------------------ */

TEST_F(produce, begins_at_no_position_that_cannot_be)
{
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	shmring_store(&m.mine->lane[0].pos, 3);
	EXPECT_EQ(-EPROTO, kt(user, KT_PRODUCER, 0));
	shmring_store(&m.mine->lane[0].pos, 0);
	EXPECT_EQ(0, kt(user, KT_PRODUCER, 0));
	close(user);
}

/* Each in a batch makes room, for which those before it have to be published. */
TEST_F(produce, overwrites_with_batches_larger_than_the_ring)
{
	struct kt_produce p = produce_args(KT_TASK, 400, 100);
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, BROADCAST, SHMRING_FULL_OVERWRITE, 1, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	p.batch = 50;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(400, p.written);
	EXPECT_EQ(0, kt_lost(user));
	close(user);
}

/* The record is published to whoever comes; the next one is told that nobody is there. */
TEST_F(produce, learns_that_the_consumer_has_gone)
{
	struct kt_produce p = produce_args(KT_TASK, 1, 16);
	int ring, user, fd;

	NEED_MODULE();
	user = make(_metadata, SPSC, DROP, 1, &ring);
	fd = ring_attach_fd(CONSUMER, ring);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(1, p.written);
	close(fd);
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(1, p.written);
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(0, p.written);
	EXPECT_EQ(1, p.gone);
	EXPECT_EQ(-EOWNERDEAD, p.err);
	close(user);
}

/* A new one is told of the consumers that there were, not a lane's length later. */
TEST_F(produce, learns_that_the_consumer_had_gone_before)
{
	static const __u32 topologies[] = { SPSC, MPSC, QUEUE };

	NEED_MODULE();
	for (unsigned int t = 0; t < ARRAY_SIZE(topologies); t++) {
		struct kt_produce p = produce_args(KT_TASK, 1, 16);
		int ring, user, fd;

		user = make(_metadata, topologies[t], DROP, 1, &ring);
		fd = ring_attach_fd(CONSUMER, ring);
		ASSERT_LE(0, fd);
		close(fd);
		ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_EQ(0, p.written);
		EXPECT_EQ(1, p.gone);
		EXPECT_EQ(-EOWNERDEAD, p.err);
		EXPECT_EQ(0, kt_lost(user));
		fd = ring_attach_fd(CONSUMER, ring);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_EQ(1, p.written);
		close(fd);
		close(user);
		close(ring);
	}
}

/* ---- consumers that come and go meanwhile ---------------------------------- */

static int consumer_on(int ring, int node)
{
	struct shmring_ioc_attach arg = attach_fd_args(CONSUMER, ring);

	arg.cursor_placement = SHMRING_PLACE_STRICT;
	arg.cursor_node = node;
	return open_and(SHMRING_IOC_ATTACH, &arg);
}

/*
 * A successor on another node has another CURSOR page: the one that there was when the
 * record was reserved is gone by the time it is committed, and nobody is armed there.
 */
TEST_F(produce, wakes_a_consumer_that_came_after_the_reservation)
{
	struct pollfd told = { .events = POLLIN };
	int ring, user, fd;

	NEED_MODULE();
	if (!node_has("has_memory", 1))
		SKIP(return, "one NUMA node");
	user = make(_metadata, SPSC, DROP, 1, &ring);
	fd = consumer_on(ring, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt(user, KT_RESERVE, 0));
	close(fd);
	fd = consumer_on(ring, 1);
	ASSERT_LE(0, fd);
	told.fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_EQ(0, ring_eventfd(fd, SHMRING_EV_IN, told.fd));
	EXPECT_EQ(0, poll(&told, 1, 0));
	ASSERT_EQ(0, kt(user, KT_COMMIT, 0));
	EXPECT_EQ(1, poll(&told, 1, 10000));
	close(told.fd);
	close(fd);
	close(user);
	close(ring);
}

/* ---- full rings ------------------------------------------------------------ */

#define FITS	((4096 - 8) / 24)	/* records of 16 bytes in a lane of 4096 */

FIXTURE(full) {
	int loaded;
};

FIXTURE_VARIANT(full) {
	__u32 topology;
	__u32 policy;
};

FIXTURE_VARIANT_ADD(full, spsc_wait) { SPSC, SHMRING_FULL_WAIT };
FIXTURE_VARIANT_ADD(full, spsc_drop) { SPSC, DROP };
FIXTURE_VARIANT_ADD(full, mpsc_wait) { MPSC, SHMRING_FULL_WAIT };
FIXTURE_VARIANT_ADD(full, mpsc_drop) { MPSC, DROP };
FIXTURE_VARIANT_ADD(full, queue_wait) { QUEUE, SHMRING_FULL_WAIT };
FIXTURE_VARIANT_ADD(full, queue_drop) { QUEUE, DROP };
FIXTURE_VARIANT_ADD(full, broadcast_wait) { BROADCAST, SHMRING_FULL_WAIT };
FIXTURE_VARIANT_ADD(full, broadcast_drop) { BROADCAST, DROP };

FIXTURE_SETUP(full)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(full)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

TEST_F(full, told_or_counted)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, FITS + 10, 16);
	struct shmring_ioc_info info;
	int ring, user, consumer;
	struct endpoint e;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, 1, &ring);
	consumer = ring_attach_fd(CONSUMER, ring);
	ASSERT_LE(0, consumer);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(FITS, p.written);
	EXPECT_EQ(variant->policy == DROP ? 10 : 0, p.full);
	EXPECT_EQ(variant->policy == DROP ? 0 : 10, p.again);
	EXPECT_EQ(0, p.busy + p.gone + p.other);
	EXPECT_EQ(p.full, kt_lost(user));
	ASSERT_EQ(0, ring_info(ring, &info));
	EXPECT_EQ(p.full, info.lost);
	EXPECT_EQ(FITS * 24, info.produced);
	ASSERT_EQ(0, endpoint_map(&e, ring));
	EXPECT_EQ(FITS * 24, shmring_load(&endpoint_slot_cursor(&e, 0)->high));
	endpoint_unmap(&e);
	close(user);
}

TEST_F(full, batch_is_cut_where_it_is_full)
{
	struct kt_produce p = produce_args(KT_TASK, 4 * 60, 16);
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, 1, &ring);
	ASSERT_LE(0, ring_attach_fd(CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	p.batch = 60;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(FITS, p.written);
	EXPECT_EQ(variant->policy == DROP ? 4 * 60 - FITS : 0, kt_lost(user));
	close(user);
}

/* Both sides count what is overwritten; every one of them is found in one or the other. */
TEST_F(produce, overwrites_the_oldest)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 1000, 16);
	struct kt_record rec = { 0 };
	struct member m;
	int ring, user;
	__u64 got = 0;
	long len;

	NEED_MODULE();
	user = make(_metadata, BROADCAST, SHMRING_FULL_OVERWRITE, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	m.merge.overwrite = 1;
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(1000, p.written);
	EXPECT_EQ(0, kt_lost(user));
	while ((len = member_record(&m, &rec)) != -EAGAIN) {
		ASSERT_EQ(16, len);
		got++;
	}
	EXPECT_EQ(1000, rec.seq);
	EXPECT_LT(100, got);
	EXPECT_EQ(1000, got + shmring_load(&m.mine->lost));
	close(user);
}

TEST_F(produce, record_that_never_fits)
{
	struct kt_produce p = produce_args(KT_TASK, 1, 16);
	struct shmring_ioc_create arg = create_args(BROADCAST, OBSERVER, 4096);
	int ring, user;

	NEED_MODULE();
	arg.full_policy = SHMRING_FULL_OVERWRITE;
	ring = ring_create_with(&arg);
	user = kt_get(ring);
	ASSERT_LE(0, user);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	EXPECT_EQ(-EMSGSIZE, kt(user, KT_TX_WAIT, 4096));
	EXPECT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(1, p.written);
	close(user);
}

/* A task of a module sleeps until a consumer has released. */
TEST_F(produce, waits_for_space)
{
	struct kt_produce p = produce_args(KT_TASK, FITS, 16);
	struct kt_record rec;
	struct member m;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, SHMRING_FULL_WAIT, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	ASSERT_EQ(FITS, p.written);
	if (!child_start(&c)) {
		CHECK_EQ(0, kt(user, KT_TX_WAIT, 16));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(16, member_record(&m, &rec));
	EXPECT_EQ(0, child_end(&c));
	p.count = 2;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(1, p.written);
	EXPECT_EQ(1, p.again);
	close(user);
}

/* ---- sleepers -------------------------------------------------------------- */

enum sleep { BY_WAIT, BY_POLL, BY_EPOLL, BY_EVENTFD };

FIXTURE(sleeper) {
	int loaded;
};

FIXTURE_VARIANT(sleeper) {
	__u32 topology;
	enum sleep how;
	__u32 context;
	int rounds;
};

FIXTURE_VARIANT_ADD(sleeper, wait_hardirq) { MPSC, BY_WAIT, KT_HARDIRQ, 500 };
FIXTURE_VARIANT_ADD(sleeper, wait_softirq) { MPSC, BY_WAIT, KT_SOFTIRQ, 500 };
FIXTURE_VARIANT_ADD(sleeper, wait_nmi) { MPSC, BY_WAIT, KT_NMI, 200 };
FIXTURE_VARIANT_ADD(sleeper, wait_tracepoint) { MPSC, BY_WAIT, KT_TRACEPOINT, 100 };
FIXTURE_VARIANT_ADD(sleeper, poll_hardirq) { MPSC, BY_POLL, KT_HARDIRQ, 500 };
FIXTURE_VARIANT_ADD(sleeper, epoll_hardirq) { MPSC, BY_EPOLL, KT_HARDIRQ, 500 };
FIXTURE_VARIANT_ADD(sleeper, eventfd_hardirq) { MPSC, BY_EVENTFD, KT_HARDIRQ, 500 };
FIXTURE_VARIANT_ADD(sleeper, broadcast_hardirq) { BROADCAST, BY_EPOLL, KT_HARDIRQ, 500 };

FIXTURE_SETUP(sleeper)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(sleeper)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

struct sleeping {
	enum sleep how;
	int ep;
	int efd;
};

static void sleep_begin(struct sleeping *s, const struct member *m, enum sleep how)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	s->how = how;
	s->ep = -1;
	s->efd = -1;
	if (how == BY_EPOLL) {
		s->ep = epoll_create1(0);
		CHECK_EQ(0, epoll_ctl(s->ep, EPOLL_CTL_ADD, m->fd, &ev));
	}
	if (how == BY_EVENTFD) {
		s->efd = eventfd(0, 0);
		CHECK_EQ(0, ring_eventfd(m->fd, IN, s->efd));
	}
}

static void sleep_once(struct sleeping *s, const struct member *m)
{
	struct pollfd p = { .fd = m->fd, .events = POLLIN };
	struct epoll_event ev;
	__u64 n;

	switch (s->how) {
	case BY_WAIT:
		CHECK_EQ(IN, ring_wait(m->fd, IN, NEVER));
		break;
	case BY_POLL:
		CHECK_EQ(1, poll(&p, 1, -1));
		break;
	case BY_EPOLL:
		CHECK_EQ(1, epoll_wait(s->ep, &ev, 1, -1));
		break;
	case BY_EVENTFD:
		/* Asks for the next signal, and signals at once if there is a record. */
		CHECK_EQ(0, ring_eventfd(m->fd, IN, s->efd));
		CHECK_EQ(sizeof(n), read(s->efd, &n, sizeof(n)));
		break;
	}
}

/* One record at a time: each must wake, or the test hangs here. */
TEST_F(sleeper, no_wake_up_is_lost)
{
	struct kt_produce p = produce_args(variant->context, 1, 24);
	int ring, user, ret;
	struct child c;

	NEED_MODULE();
	user = make(_metadata, variant->topology, DROP, 2, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	if (!child_start(&c)) {
		struct sleeping s;
		struct kt_record rec;
		struct member m;

		CHECK(member_attach(&m, CONSUMER, ring));
		sleep_begin(&s, &m, variant->how);
		CHECK(tell(c.sock));
		for (int i = 1; i <= variant->rounds; i++) {
			long len;

			while ((len = member_record(&m, &rec)) == -EAGAIN)
				sleep_once(&s, &m);
			CHECK_EQ(24, len);
			CHECK_EQ(i, rec.seq);
			CHECK(tell(c.sock));
		}
		_exit(0);
	}
	ASSERT_TRUE(hear(c.sock));
	for (int i = 0; i < variant->rounds; i++) {
		/* Half of them meet one that sleeps, the others one that is about to. */
		if (i & 1)
			ASSERT_TRUE(until_asleep(c.pid));
		ret = kt_with(user, KT_PRODUCE, &p);
		if (ret == -EOPNOTSUPP && variant->context == KT_NMI) {
			child_kill(&c);
			close(user);
			SKIP(return, "no NMI can be sent to oneself here");
		}
		ASSERT_EQ(0, ret);
		ASSERT_EQ(1, p.written);
		ASSERT_TRUE(hear(c.sock));
	}
	EXPECT_EQ(0, child_end(&c));
	close(user);
}

/* One that sleeps until there are many is not woken for each. */
TEST_F(produce, threshold_is_kept)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 9, 16);
	const struct shmring_cursor *producer;
	struct member m;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	if (!child_start(&c)) {
		CHECK_EQ(IN, ring_wait_need(m.fd, IN, 10 * 24, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	producer = m.cursor[0];
	EXPECT_EQ(0, shmring_load(&producer->kicks));
	p.count = 1;
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(0, child_end(&c));
	EXPECT_EQ(1, shmring_load(&producer->kicks));
	close(user);
}

/* ---- hostile consumers, and dead ones -------------------------------------- */

/* What was known to be free before is. */
TEST_F(produce, impossible_position)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 2, 16);
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(2, p.written);
	shmring_store(&m.mine->lane[0].pos, 1ull << 40);
	p = produce_args(KT_HARDIRQ, 2 * FITS, 16);
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(FITS - 2, p.written);
	EXPECT_EQ(FITS + 2, p.other);
	EXPECT_EQ(-EPROTO, p.err);
	close(user);
}

/* A liar led the consumer on, and the producer begins behind it: to ask for room wakes it. */
TEST_F(produce, begins_behind_who_sleeps)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 1, 16);
	struct member m, liar;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	ASSERT_TRUE(member_attach(&liar, PRODUCER, ring));
	member_close(&liar);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	shmring_store(&m.mine->lane[0].pos, 64);
	if (!child_start(&c)) {
		CHECK_EQ(IN, ring_wait(m.fd, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(0, p.written);
	EXPECT_EQ(-EPROTO, p.err);
	EXPECT_EQ(0, child_end(&c));
	close(user);
}

/* Scribbles over all that it may write while interrupts write records. */
static void scribble(int ring, __u32 topology)
{
	unsigned int seed = 1;
	struct member m;
	__u64 *words;

	CHECK(member_attach(&m, CONSUMER, ring));
	words = (void *)m.mine;
	for (;;) {
		for (int i = 0; i < 64; i++)
			shmring_store(&words[(unsigned int)rand_r(&seed) % 512],
				      ((__u64)rand_r(&seed) << 32 | (__u64)rand_r(&seed)) >>
				      (rand_r(&seed) % 64));
		if (topology == QUEUE)
			shmring_store(&m.shared->head[0].claim, (__u64)rand_r(&seed) << 6);
		ring_kick(m.fd);
		ring_wait(m.fd, IN, NOW);
	}
}

FIXTURE(hostile) {
	int loaded;
};

FIXTURE_VARIANT(hostile) {
	__u32 topology;
};

FIXTURE_VARIANT_ADD(hostile, mpsc) { MPSC };
FIXTURE_VARIANT_ADD(hostile, queue) { QUEUE };
FIXTURE_VARIANT_ADD(hostile, broadcast) { BROADCAST };

FIXTURE_SETUP(hostile)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(hostile)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

TEST_F(hostile, consumer_cannot_stop_the_kernel)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 5000, 40);
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, DROP, 2, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	if (!child_start(&c))
		scribble(ring, variant->topology);
	for (__u32 context = KT_TASK; context <= KT_HARDIRQ; context++) {
		p.context = context;
		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_EQ(5000, p.written + refused(&p));
	}
	EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	close(user);
}

/* A consumer that is killed while interrupts write; the next one goes on. */
TEST_F(produce, consumer_is_killed)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 2000, 40);
	struct kt_record rec;
	int ring, user;
	struct member m;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	for (int round = 0; round < 5; round++) {
		struct received r = { 0 };
		struct child c;

		if (!child_start(&c)) {
			CHECK(member_attach(&m, CONSUMER, ring));
			CHECK(tell(c.sock));
			for (;;)
				if (member_record(&m, &rec) == -EAGAIN)
					ring_wait(m.fd, IN, NEVER);
		}
		ASSERT_TRUE(hear(c.sock));
		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_EQ(2000, p.written + p.full + p.gone);
		EXPECT_EQ(128 + SIGKILL, child_kill(&c));
		/* Told at the next record, and not lost: there is nobody to lose it. */
		p.count = 2 * 4096 / 48;
		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_LT(0, p.gone);
		EXPECT_EQ(-EOWNERDEAD, p.err);
		ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
		while (member_record(&m, &rec) >= 0)
			ASSERT_TRUE(received_add(&r, &rec, true));
		p.count = 2;
		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_EQ(2, p.written);
		EXPECT_EQ(40, member_record(&m, &rec));
		member_close(&m);
		p.count = 2000;
	}
	close(user);
}

/* Its page is replaced for a consumer on another node, while interrupts look at it. */
TEST_F(produce, consumers_come_and_go_on_other_nodes)
{
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, BROADCAST, DROP, 2, &ring);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	if (!child_start(&c)) {
		struct shmring_ioc_attach arg;
		int fd, node = 0;

		for (;;) {
			arg = attach_fd_args(CONSUMER, ring);
			arg.cursor_placement = SHMRING_PLACE_PREFERRED;
			arg.cursor_node = node ^= 1;
			fd = open_and(SHMRING_IOC_ATTACH, &arg);
			CHECK(fd >= 0 || fd == -ENXIO);
			close(fd);
		}
	}
	for (int i = 0; i < 20; i++) {
		struct kt_produce p = produce_args(KT_HARDIRQ, 1000, 16);

		ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
		EXPECT_EQ(1000, p.written + p.full);
	}
	EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	close(user);
}

/* Waits for records as a consumer whose page is on @node; whether somebody woke it. */
static bool comes_and_is_woken(int ring, int node)
{
	struct shmring_ioc_attach arg = attach_fd_args(CONSUMER, ring);
	__u64 late = now_ns() + 30000000000ull;
	int fd, ret;

	arg.cursor_placement = SHMRING_PLACE_PREFERRED;
	arg.cursor_node = node;
	fd = open_and(SHMRING_IOC_ATTACH, &arg);
	CHECK(fd >= 0);
	while ((ret = ring_wait(fd, IN, late)) == -EOWNERDEAD)
		sched_yield();		/* no producer yet */
	close(fd);
	/* When its time is over WAIT looks once more. */
	return ret == IN && now_ns() < late;
}

/*
 * A producer looks through a lane whose end it was not told. Meanwhile the page of the consumer
 * is replaced, and who comes with the new one sleeps.
 */
TEST_F(produce, takes_over_while_a_consumer_comes_on_another_node)
{
	struct shmring_ioc_create arg = create_args(SPSC, OBSERVER, 256 << 10);
	struct shmring_spsc_tx tx;
	struct endpoint e;
	__u64 word = 0;
	struct child c;
	int ring, user;

	NEED_MODULE();
	if (!node_has("has_memory", 1))
		SKIP(return, "one node");
	ring = ring_create_with(&arg);
	ASSERT_LE(0, ring);
	ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
	ASSERT_EQ(0, tx_init(&tx, &e));
	while (!tx_try(&e, &tx, &word, sizeof(word)))
		word++;
	for (int round = 0; round < 20; round++) {
		shmring_store(&e.cursor->pos, 0);
		endpoint_unmap(&e);
		close(e.fd);
		ASSERT_LE(0, child_start(&c));
		if (!c.pid) {
			usleep((unsigned int)round * 500);
			_exit(!comes_and_is_woken(ring, round & 1));
		}
		user = kt_get(ring);
		EXPECT_EQ(0, kt(user, KT_PRODUCER, 0));
		EXPECT_EQ(0, child_end(&c));
		close(user);
		ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
		EXPECT_EQ(word, shmring_load(&e.cursor->records));
		EXPECT_EQ(tx.tail, shmring_load(&e.cursor->pos));
	}
	endpoint_unmap(&e);
	close(e.fd);
	close(ring);
}

TEST_F(produce, detaching_is_closing)
{
	struct kt_produce p = produce_args(KT_TASK, 3, 16);
	struct kt_record rec;
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, DROP, 1, &ring);
	ASSERT_TRUE(member_attach(&m, CONSUMER, ring));
	EXPECT_EQ(SHMRING_SLOT_VACANT, m.meta->slot[0].state);
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	EXPECT_EQ(SHMRING_SLOT_LIVE, m.meta->slot[0].state);
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	ASSERT_EQ(0, kt(user, KT_DETACH_TX, 0));
	EXPECT_EQ(SHMRING_SLOT_CLOSED, m.meta->slot[0].state);
	EXPECT_EQ(IN, ring_wait(m.fd, IN, NOW));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(16, member_record(&m, &rec));
	EXPECT_EQ(-EPIPE, ring_wait(m.fd, IN, NOW));
	/* Again, behind what is there. */
	ASSERT_EQ(0, kt(user, KT_PRODUCER, 0));
	ASSERT_EQ(0, kt_with(user, KT_PRODUCE, &p));
	EXPECT_EQ(16, member_record(&m, &rec));
	EXPECT_EQ(4, rec.seq);
	close(user);
}

TEST_HARNESS_MAIN
