// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel as a consumer: called from a workqueue or asked, for producers that are
 * honest, lie, or die; and what a module can rely on when it stops.
 */
#include "kernel.h"

FIXTURE(consume) {
	int loaded;
};

FIXTURE_SETUP(consume)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(consume)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

/* A user of the module with the ring, and no endpoint yet. */
static int make(struct __test_metadata *_metadata, __u32 topology, __u32 policy, int *ring)
{
	struct shmring_ioc_create arg = create_args(topology, OBSERVER, 4096);
	int user;

	arg.full_policy = policy;
	*ring = ring_create_with(&arg);
	ASSERT_LE(0, *ring) return -1;
	user = kt_get(*ring);
	EXPECT_LE(0, user);
	return user;
}

static int consume(int user, __u32 flags, __u32 budget)
{
	struct kt_consumer arg = { .flags = flags, .budget = budget };

	return kt_with(user, KT_CONSUMER, &arg);
}

/* A record as KT_PRODUCE writes it; 0, -EAGAIN, -errno. */
static int send_record(struct member *m, __u64 seq, size_t len)
{
	struct kt_record rec = { .seq = seq, .context = KT_TASK };
	unsigned char *to;
	int err, changed;
	__u64 at;

	err = member_put(m, len, (__u8)seq);
	if (err)
		return err;
	at = m->tx.tail - shmring_record_size(len);
	to = m->tx.data + (at & m->tx.mask) + sizeof(struct shmring_record);
	memcpy(to, &rec, sizeof(rec));
	if (shmring_lane_publish(&m->tx, &m->g, m->tx.chain != 0) &&
	    shmring_group_armed(&m->g, &changed))
		return ring_kick(m->fd);
	return 0;
}

static int send_record_wait(struct member *m, __u64 seq, size_t len)
{
	int err;

	while ((err = send_record(m, seq, len)) == -EAGAIN) {
		err = ring_wait(m->fd, OUT, NEVER);
		if (err < 0)
			break;
	}
	return err;
}

FIXTURE(topology) {
	int loaded;
};

FIXTURE_VARIANT(topology) {
	__u32 topology;
	__u32 policy;
	__u32 flags;
	__u32 budget;
};

FIXTURE_VARIANT_ADD(topology, mpsc) { MPSC, SHMRING_FULL_WAIT, KT_CALLED, 0 };
FIXTURE_VARIANT_ADD(topology, mpsc_one_by_one) { MPSC, SHMRING_FULL_WAIT, KT_CALLED, 1 };
FIXTURE_VARIANT_ADD(topology, mpsc_copied) { MPSC, SHMRING_FULL_WAIT, KT_CALLED | KT_COPY, 0 };
FIXTURE_VARIANT_ADD(topology, queue) { QUEUE, SHMRING_FULL_WAIT, KT_CALLED, 0 };
FIXTURE_VARIANT_ADD(topology, broadcast) { BROADCAST, SHMRING_FULL_WAIT, KT_CALLED, 0 };

FIXTURE_SETUP(topology)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(topology)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

/* Two producers that wait for space, in processes of their own. */
TEST_F(topology, takes_all)
{
	const __u64 each = 2000;
	struct kt_counts counts;
	struct child c[2];
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	for (int i = 0; i < 2; i++) {
		if (!child_start(&c[i])) {
			struct member m;

			CHECK(member_attach(&m, PRODUCER, ring));
			for (__u64 seq = 1; seq <= each; seq++)
				CHECK_EQ(0, send_record_wait(&m, seq, 16 + seq % 100));
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, child_end(&c[i]));
	until_calls(user, 2 * each);
	/* Both died: nothing is left, and so is nobody. */
	until_events(user, 1);
	counts = kt_counts(user);
	EXPECT_EQ(2 * each, counts.calls);
	EXPECT_EQ(0, counts.bad);
	/* One may have been gone before the other came: that is told, too. */
	EXPECT_GE(2, counts.events);
	EXPECT_EQ(-EOWNERDEAD, counts.last_event);
	close(user);
}

/* "Not now" keeps the record, and what is behind it; the producer finds the ring full. */
TEST_F(topology, refused_is_kept)
{
	struct kt_counts counts;
	struct member m;
	int ring, user, err;
	__u64 sent = 0;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_REFUSE));
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	while (!(err = send_record(&m, sent + 1, 24)))
		sent++;
	EXPECT_EQ(-EAGAIN, err);
	EXPECT_EQ((4096 - 8) / 32, sent);
	counts = kt_counts(user);
	EXPECT_EQ(0, counts.calls);
	EXPECT_EQ(0, ring_wait(m.fd, OUT, NOW) & OUT ? 1 : 0);
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_TAKE));
	EXPECT_EQ(OUT, ring_wait(m.fd, OUT, NEVER));
	until_calls(user, sent);
	counts = kt_counts(user);
	EXPECT_EQ(sent, counts.calls);
	EXPECT_EQ(0, counts.bad);
	close(user);
}

/* No wake-up of the workqueue is lost: one record at a time. */
TEST_F(topology, each_is_taken_at_once)
{
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	for (__u64 seq = 1; seq <= 500; seq++) {
		ASSERT_EQ(0, send_record_wait(&m, seq, 32));
		until_calls(user, seq);
	}
	EXPECT_EQ(0, kt_counts(user).bad);
	close(user);
}

TEST_F(topology, closing_is_told_after_the_last_record)
{
	struct kt_counts counts;
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	ASSERT_EQ(0, send_record(&m, 1, 16));
	shmring_store(&m.mine->closed, (__u32)getpid());
	member_close(&m);
	until_events(user, 1);
	counts = kt_counts(user);
	EXPECT_EQ(-EPIPE, counts.last_event);
	EXPECT_EQ(1, counts.calls);
	/* A new one, and it is news again. */
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	ASSERT_EQ(0, send_record(&m, 2, 16));
	until_calls(user, 2);
	member_close(&m);
	until_events(user, 2);
	EXPECT_EQ(-EOWNERDEAD, kt_counts(user).last_event);
	close(user);
}

/* ---- asked ----------------------------------------------------------------- */

TEST_F(topology, asked_for)
{
	struct kt_record got;
	struct kt_read arg = { .buf = (uintptr_t)&got, .cap = sizeof(got) };
	struct member m;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, 0, 0));
	for (arg.peek = 0; arg.peek < 2; arg.peek++)
		EXPECT_EQ(-EAGAIN, kt_with(user, KT_READ, &arg));
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	for (__u64 seq = 1; seq <= 600; seq++) {
		ASSERT_EQ(0, send_record(&m, seq, 16));
		arg.peek = seq & 1;
		ASSERT_EQ(16, kt_with(user, KT_READ, &arg));
		ASSERT_EQ(seq, got.seq);
	}
	/* Too large for the buffer: it stays. */
	ASSERT_EQ(0, send_record(&m, 601, 100));
	arg.peek = 0;
	EXPECT_EQ(-EMSGSIZE, kt_with(user, KT_READ, &arg));
	arg.peek = 1;
	EXPECT_EQ(100, kt_with(user, KT_READ, &arg));
	arg.peek = 0;
	EXPECT_EQ(-EAGAIN, kt_with(user, KT_READ, &arg));

	/* And asleep. */
	arg.deadline = NEVER;
	if (!child_start(&c)) {
		CHECK_EQ(16, kt_with(user, KT_READ, &arg));
		CHECK_EQ(602, got.seq);
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c.pid));
	ASSERT_EQ(0, send_record(&m, 602, 16));
	EXPECT_EQ(0, child_end(&c));
	member_close(&m);
	EXPECT_EQ(-EOWNERDEAD, kt_with(user, KT_READ, &arg));
	arg.deadline = 0;
	for (arg.peek = 0; arg.peek < 2; arg.peek++)
		EXPECT_EQ(-EOWNERDEAD, kt_with(user, KT_READ, &arg));
	close(user);
}

/* ---- SPSC and OVERWRITE ---------------------------------------------------- */

TEST_F(consume, spsc)
{
	struct kt_record rec = { 0 };
	struct shmring_spsc_tx tx;
	struct endpoint e;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, SPSC, SHMRING_FULL_WAIT, &ring);
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
	ASSERT_EQ(0, tx_init(&tx, &e));
	for (int i = 0; i < 2000; i++) {
		rec.seq++;
		ASSERT_EQ(0, tx_send(&e, &tx, &rec, sizeof(rec)));
	}
	until_calls(user, 2000);
	EXPECT_EQ(0, kt_counts(user).bad);
	/* A position beyond what was written can only be a lie. */
	shmring_store(&e.cursor->pos, tx.tail + 64);
	ASSERT_EQ(0, ring_kick(e.fd));
	until_events(user, 1);
	EXPECT_EQ(-EPROTO, kt_counts(user).last_event);
	/* And a header that cannot be: told, and not told again with every kick. */
	shmring_store(shmring_spsc_word(&tx, tx.tail), 0x7fffffff);
	ASSERT_EQ(0, ring_kick(e.fd));
	until_events(user, 2);
	EXPECT_EQ(-EBADMSG, kt_counts(user).last_event);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, ring_kick(e.fd));
	endpoint_unmap(&e);
	close(e.fd);
	until_events(user, 3);
	EXPECT_EQ(-EOWNERDEAD, kt_counts(user).last_event);
	EXPECT_EQ(3, kt_counts(user).events);
	EXPECT_EQ(2000, kt_counts(user).calls);
	/* A successor finds the end of what is whole. */
	ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
	ASSERT_EQ(0, tx_init(&tx, &e));
	ASSERT_EQ(0, tx_send(&e, &tx, &rec, sizeof(rec)));
	until_calls(user, 2001);
	close(user);
}

/* Headers that lead round the ring are no work without end, and its next producer is heard. */
TEST_F(consume, spsc_headers_in_a_circle)
{
	struct kt_record rec = { 0 };
	struct shmring_spsc_tx tx;
	struct kt_counts counts;
	struct endpoint e;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, SPSC, SHMRING_FULL_WAIT, &ring);
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
	ASSERT_EQ(0, tx_init(&tx, &e));
	for (__u64 at = 0; at < 4096; at += 32)
		shmring_store(shmring_spsc_word(&tx, at), SHMRING_REC_READY | 24);
	shmring_store(&e.cursor->pos, 32);
	ASSERT_EQ(0, ring_kick(e.fd));
	until_events(user, 1);
	EXPECT_EQ(-EPROTO, kt_counts(user).last_event);
	endpoint_unmap(&e);
	close(e.fd);
	until_events(user, 2);
	EXPECT_EQ(-EOWNERDEAD, kt_counts(user).last_event);
	counts = kt_counts(user);
	EXPECT_GE(4096 / 32, counts.calls);
	ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
	ASSERT_EQ(0, tx_init(&tx, &e));
	for (int i = 0; i < 500; i++) {
		rec.seq++;
		ASSERT_EQ(0, tx_send(&e, &tx, &rec, sizeof(rec)));
	}
	until_calls(user, counts.calls + 500);
	EXPECT_EQ(counts.bad, kt_counts(user).bad);
	close(user);
}

/* A former consumer's position inside of a record is none: what is there counts as read. */
TEST_F(consume, begins_at_a_record)
{
	struct kt_record rec = { .seq = 1 };
	struct kt_record got;
	struct kt_read arg = { .buf = (uintptr_t)&got, .cap = sizeof(got) };
	struct shmring_spsc_tx tx;
	struct endpoint e, was;
	struct member m, rx;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, SPSC, SHMRING_FULL_WAIT, &ring);
	ASSERT_EQ(0, endpoint_map(&e, ring_attach_fd(PRODUCER, ring)));
	ASSERT_EQ(0, tx_init(&tx, &e));
	ASSERT_EQ(0, endpoint_map(&was, ring_attach_fd(CONSUMER, ring)));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, tx_send(&e, &tx, &rec, sizeof(rec)));
	shmring_store(&was.cursor->pos, 8);
	endpoint_unmap(&was);
	close(was.fd);
	ASSERT_EQ(0, consume(user, 0, 0));
	EXPECT_EQ(-EAGAIN, kt_with(user, KT_READ, &arg));
	rec.seq = 7;
	ASSERT_EQ(0, tx_send(&e, &tx, &rec, sizeof(rec)));
	EXPECT_EQ(sizeof(rec), kt_with(user, KT_READ, &arg));
	EXPECT_EQ(7, got.seq);
	endpoint_unmap(&e);
	close(e.fd);
	close(user);

	user = make(_metadata, MPSC, SHMRING_FULL_WAIT, &ring);
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	ASSERT_TRUE(member_attach(&rx, CONSUMER, ring));
	for (__u64 seq = 1; seq <= 3; seq++)
		ASSERT_EQ(0, send_record(&m, seq, 16));
	shmring_store(&rx.mine->lane[m.info.slot].pos, 8);
	member_close(&rx);
	ASSERT_EQ(0, consume(user, 0, 0));
	EXPECT_EQ(-EAGAIN, kt_with(user, KT_READ, &arg));
	ASSERT_EQ(0, send_record(&m, 7, 16));
	EXPECT_EQ(16, kt_with(user, KT_READ, &arg));
	EXPECT_EQ(7, got.seq);
	member_close(&m);
	close(user);
}

/* What record() gets is whole, and everything is taken or counted. */
TEST_F(consume, overwritten_is_counted)
{
	struct kt_produce p = produce_args(KT_HARDIRQ, 5000, 100);
	struct shmring_ioc_info info;
	struct kt_counts counts;
	int ring, user, tx;

	NEED_MODULE();
	user = make(_metadata, BROADCAST, SHMRING_FULL_OVERWRITE, &ring);
	tx = kt_get(ring);
	ASSERT_EQ(0, kt(tx, KT_PRODUCER, 0));
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_EQ(0, kt_with(tx, KT_PRODUCE, &p));
	ASSERT_EQ(5000, p.written);
	ASSERT_EQ(0, kt(tx, KT_DETACH_TX, 0));
	until_events(user, 1);
	counts = kt_counts(user);
	ASSERT_EQ(0, ring_info(ring, &info));
	EXPECT_EQ(0, counts.bad);
	EXPECT_EQ(5000, counts.calls + info.lost);
	close(tx);
	close(user);
}

/* What is there already has been written for others. */
TEST_F(consume, overwrite_begins_at_the_end)
{
	struct kt_record got;
	struct kt_read arg = { .buf = (uintptr_t)&got, .cap = sizeof(got) };
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, BROADCAST, SHMRING_FULL_OVERWRITE, &ring);
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	for (__u64 seq = 1; seq <= 5; seq++)
		ASSERT_EQ(0, send_record(&m, seq, 16));
	ASSERT_EQ(0, consume(user, 0, 0));
	EXPECT_EQ(-EAGAIN, kt_with(user, KT_READ, &arg));
	ASSERT_EQ(0, send_record(&m, 6, 16));
	EXPECT_EQ(16, kt_with(user, KT_READ, &arg));
	EXPECT_EQ(6, got.seq);
	member_close(&m);
	close(user);
}

/* A limit that no mark belongs to is a lie: told once, and no matter of the successor's. */
TEST_F(consume, overwrite_limit_without_a_mark)
{
	struct kt_record got;
	struct kt_read arg = { .buf = (uintptr_t)&got, .cap = sizeof(got) };
	struct member m;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, BROADCAST, SHMRING_FULL_OVERWRITE, &ring);
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	ASSERT_EQ(0, send_record(&m, 1, 16));
	shmring_store(&m.mine->limit, 1ULL << 40);
	ASSERT_EQ(0, consume(user, 0, 0));
	EXPECT_EQ(-EPROTO, kt_with(user, KT_READ, &arg));
	EXPECT_EQ(-EAGAIN, kt_with(user, KT_READ, &arg));
	member_close(&m);
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	ASSERT_EQ(0, send_record(&m, 2, 16));
	EXPECT_EQ(16, kt_with(user, KT_READ, &arg));
	EXPECT_EQ(2, got.seq);
	member_close(&m);
	close(user);
}

static bool is_armed(const struct member *m, __u32 slot)
{
	return shmring_load(&m->meta->rx_state) & 1ull << slot;
}

/*
 * That every producer is gone is not told any more once there is a record of one who came since:
 * here while event() tells of a lie that the first one left.
 */
TEST_F(consume, end_is_not_told_after_a_successor)
{
	struct kt_counts counts;
	struct member first, next;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, MPSC, SHMRING_FULL_WAIT, &ring);
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_BLOCK));
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_TRUE(member_attach(&first, PRODUCER, ring));
	ASSERT_EQ(0, send_record(&first, 1, 16));
	while (!kt_counts(user).blocked)
		sched_yield();
	shmring_store(&first.mine->pos, first.tx.tail + 64);
	member_close(&first);
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_BLOCK_EVENT));
	until_events(user, 1);
	EXPECT_EQ(-EPROTO, kt_counts(user).last_event);
	ASSERT_TRUE(member_attach(&next, PRODUCER, ring));
	ASSERT_EQ(0, send_record(&next, 2, 16));
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_TAKE));
	/* Until it has gone to sleep: it was kicked for that record. */
	until_calls(user, 2);
	while (!is_armed(&next, next.g.producers))
		sched_yield();
	usleep(100000);
	counts = kt_counts(user);
	EXPECT_EQ(1, counts.events);
	EXPECT_EQ(-EPROTO, counts.last_event);
	EXPECT_EQ(0, counts.bad);
	/* It is told when it is so. */
	member_close(&next);
	until_events(user, 2);
	EXPECT_EQ(-EOWNERDEAD, kt_counts(user).last_event);
	close(user);
}

/* ---- several at a time ----------------------------------------------------- */

/* A program and the module share a queue: each record to one of them. */
TEST_F(consume, queue_with_a_program)
{
	struct kt_counts counts;
	struct member tx, rx;
	int ring, user, got;
	__u64 mine = 0;

	NEED_MODULE();
	user = make(_metadata, QUEUE, SHMRING_FULL_WAIT, &ring);
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_TRUE(member_attach(&rx, CONSUMER, ring));
	ASSERT_TRUE(member_attach(&tx, PRODUCER, ring));
	for (__u64 seq = 1; seq <= 2000; seq++) {
		ASSERT_EQ(0, send_record_wait(&tx, seq, 16));
		got = member_take(&rx);
		if (got >= 0)
			mine++;
		else
			ASSERT_EQ(-EAGAIN, got);
	}
	until_calls(user, 2000 - mine);
	counts = kt_counts(user);
	EXPECT_EQ(2000 - mine, counts.calls);
	EXPECT_EQ(0, counts.bad);
	close(user);
}

/* What a program had claimed when it was killed is the module's. */
TEST_F(consume, queue_orphan_is_adopted)
{
	struct member tx;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, QUEUE, SHMRING_FULL_WAIT, &ring);
	ASSERT_TRUE(member_attach(&tx, PRODUCER, ring));
	if (!child_start(&c)) {
		struct member rx;

		CHECK(member_attach(&rx, CONSUMER, ring));
		CHECK(tell(c.sock));
		CHECK(hear(c.sock));
		CHECK(member_get(&rx) >= 0);
		CHECK(tell(c.sock));
		pause();
	}
	ASSERT_TRUE(hear(c.sock));
	for (__u64 seq = 1; seq <= 3; seq++)
		ASSERT_EQ(0, send_record(&tx, seq, 16));
	ASSERT_TRUE(tell(c.sock));
	ASSERT_TRUE(hear(c.sock));
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	until_calls(user, 2);
	EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	until_calls(user, 3);
	EXPECT_EQ(0, kt_counts(user).bad);
	close(user);
}

/* Whatever wakes its endpoint: it is not asked again before it is resumed. */
TEST_F(consume, refused_is_not_asked_again)
{
	struct member tx, other;
	struct kt_counts counts;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, QUEUE, SHMRING_FULL_WAIT, &ring);
	ASSERT_TRUE(member_attach(&tx, PRODUCER, ring));
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_REFUSE));
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_EQ(0, send_record(&tx, 1, 16));
	while (!kt_counts(user).refused)
		sched_yield();
	/* The end of an endpoint wakes everybody. */
	ASSERT_TRUE(member_attach(&other, CONSUMER, ring));
	member_close(&other);
	ASSERT_EQ(0, send_record(&tx, 2, 16));
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_TAKE));
	until_calls(user, 2);
	counts = kt_counts(user);
	EXPECT_EQ(1, counts.refused);
	EXPECT_EQ(0, counts.bad);
	close(user);
}

/* What the module had claimed and not taken when it stopped is somebody else's. */
TEST_F(consume, queue_leaves_what_it_did_not_take)
{
	struct shmring_ioc_adopt orphan;
	struct member tx, rx;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, QUEUE, SHMRING_FULL_WAIT, &ring);
	ASSERT_TRUE(member_attach(&tx, PRODUCER, ring));
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_REFUSE));
	ASSERT_EQ(0, consume(user, KT_CALLED, 0));
	ASSERT_EQ(0, send_record(&tx, 1, 16));
	while (!kt_counts(user).refused)
		sched_yield();
	ASSERT_TRUE(member_attach(&rx, CONSUMER, ring));
	EXPECT_EQ(-ENOENT, ring_adopt(rx.fd, &orphan, SHMRING_ADOPT_TAKE));
	ASSERT_EQ(0, kt(user, KT_DETACH_RX, 0));
	EXPECT_EQ(0, ring_adopt(rx.fd, &orphan, SHMRING_ADOPT_TAKE));
	EXPECT_EQ(0, orphan.pos);
	EXPECT_EQ(24, orphan.end);
	close(user);
}

/* Requests on one ring, answers on another. */
TEST_F(consume, answers)
{
	struct shmring_ioc_create arg = create_args(QUEUE, OBSERVER, 4096);
	struct member tx, rx;
	int requests, answers, user, echo;

	NEED_MODULE();
	arg.producers = 1;
	arg.consumers = 1;
	requests = ring_create_with(&arg);
	answers = ring_create_with(&arg);
	user = kt_get(requests);
	echo = kt_get(answers);
	ASSERT_LE(0, user);
	ASSERT_LE(0, echo);
	ASSERT_TRUE(member_attach(&tx, PRODUCER, requests));
	ASSERT_TRUE(member_attach(&rx, CONSUMER, answers));
	ASSERT_EQ(0, kt(user, KT_ANSWER, (unsigned long)echo));
	ASSERT_EQ(0, consume(user, KT_CALLED | KT_ECHO, 0));
	for (__u64 seq = 1; seq <= 500; seq++) {
		ASSERT_EQ(0, send_record_wait(&tx, seq, 16));
		ASSERT_EQ(IN, ring_wait(rx.fd, IN, NEVER));
		ASSERT_EQ((__u8)seq, member_take(&rx));
	}
	close(user);
	close(echo);
}

/* ---- hostile producers ----------------------------------------------------- */

TEST_F(topology, nonsense_is_told_and_its_lane_left_out)
{
	struct kt_counts counts;
	struct member bad, good;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&bad, PRODUCER, ring));
	ASSERT_TRUE(member_attach(&good, PRODUCER, ring));
	shmring_store(shmring_spsc_word(&bad.tx, 0), 0x7fffffff);
	shmring_store(&bad.mine->pos, 4096);
	ASSERT_EQ(0, ring_kick(bad.fd));
	until_events(user, 1);
	EXPECT_EQ(-EBADMSG, kt_counts(user).last_event);
	for (__u64 seq = 1; seq <= 500; seq++)
		ASSERT_EQ(0, send_record_wait(&good, seq, 16));
	until_calls(user, 500);
	counts = kt_counts(user);
	EXPECT_EQ(0, counts.bad);
	EXPECT_EQ(1, counts.events);
	close(user);
}

/* Headers that lead round a lane are no work without end, and its next producer is heard. */
TEST_F(topology, headers_in_a_circle)
{
	struct member bad, good, next;
	struct kt_counts counts;
	int ring, user;
	__u64 at;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&good, PRODUCER, ring));
	ASSERT_TRUE(member_attach(&bad, PRODUCER, ring));
	for (at = 32; at <= 4096; at += 32)
		shmring_store(shmring_spsc_word(&bad.tx, at), SHMRING_REC_READY | 24);
	shmring_store(&bad.mine->pos, 32);
	ASSERT_EQ(0, ring_kick(bad.fd));
	member_close(&bad);
	until_events(user, 1);
	counts = kt_counts(user);
	EXPECT_EQ(-EPROTO, counts.last_event);
	EXPECT_GE(4096 / 32, counts.calls);
	ASSERT_TRUE(member_attach(&next, PRODUCER, ring));
	ASSERT_EQ(bad.info.slot, next.info.slot);
	for (__u64 seq = 1; seq <= 500; seq++) {
		ASSERT_EQ(0, send_record_wait(&good, seq, 16));
		ASSERT_EQ(0, send_record_wait(&next, seq, 24));
	}
	until_calls(user, counts.calls + 1000);
	EXPECT_EQ(counts.bad, kt_counts(user).bad);
	EXPECT_EQ(1, kt_counts(user).events);
	close(user);
}

/* Everything that it may write, written anew all the time, and kicks. */
TEST_F(topology, scribbling_producer)
{
	struct member good;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&good, PRODUCER, ring));
	if (!child_start(&c)) {
		unsigned int seed = 7;
		__u64 *words[3];
		struct member m;
		int n = 2;

		CHECK(member_attach(&m, PRODUCER, ring));
		words[0] = (void *)m.mine;
		words[1] = (void *)m.lane[m.info.slot];
		if (variant->topology != QUEUE)
			words[n++] = (void *)m.shared;
		CHECK(tell(c.sock));
		for (;;) {
			for (int i = 0; i < 64; i++)
				shmring_store(&words[rand_r(&seed) % n][rand_r(&seed) % 512],
					      ((__u64)rand_r(&seed) << 32 |
					       (__u64)rand_r(&seed)) >> (rand_r(&seed) % 64));
			ring_kick(m.fd);
		}
	}
	ASSERT_TRUE(hear(c.sock));
	for (__u64 seq = 1; seq <= 1000; seq++)
		ASSERT_EQ(0, send_record_wait(&good, seq, 16));
	EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	/* All of the good one's are among what was taken. */
	until_calls(user, 1000);
	close(user);
}

/* ---- stopping -------------------------------------------------------------- */

/* Detaching waits for the call that is under way, and no call comes after it. */
TEST_F(topology, detach_waits_for_a_call)
{
	struct kt_counts before, after;
	struct member m;
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_BLOCK));
	ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
	ASSERT_TRUE(member_attach(&m, PRODUCER, ring));
	for (__u64 seq = 1; seq <= 10; seq++)
		ASSERT_EQ(0, send_record(&m, seq, 16));
	while (!kt_counts(user).blocked)
		sched_yield();
	if (!child_start(&c)) {
		CHECK(tell(c.sock));
		CHECK_EQ(0, kt(user, KT_DETACH_RX, 0));
		CHECK_EQ(0, kt_counts(user).blocked);
		CHECK(tell(c.sock));
		_exit(0);
	}
	ASSERT_TRUE(hear(c.sock));
	/* It sleeps in the kernel, and only in one place. */
	for (;;) {
		char path[64], state[512] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/wchan", c.pid);
		fd = open(path, O_RDONLY);
		ASSERT_LE(0, fd);
		EXPECT_LE(0, read(fd, state, sizeof(state) - 1));
		close(fd);
		if (strcmp(state, "0"))
			break;
		sched_yield();
	}
	EXPECT_EQ(1, kt_counts(user).blocked);
	ASSERT_EQ(0, kt(user, KT_RECORD, KT_TAKE));
	ASSERT_TRUE(hear(c.sock));
	EXPECT_EQ(0, child_end(&c));
	before = kt_counts(user);
	EXPECT_EQ(SHMRING_SLOT_CLOSED, shmring_load(&m.meta->slot[m.g.producers].state));
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(0, send_record(&m, 11, 16));
		EXPECT_EQ(0, ring_kick(m.fd));
	}
	after = kt_counts(user);
	EXPECT_EQ(before.calls, after.calls);
	EXPECT_EQ(before.events, after.events);
	close(user);
}

/* Attaching and detaching while records come in all the time. */
TEST_F(topology, comes_and_goes)
{
	struct child c;
	int ring, user;

	NEED_MODULE();
	user = make(_metadata, variant->topology, variant->policy, &ring);
	if (!child_start(&c)) {
		struct member m;
		__u64 seq = 1;

		CHECK(member_attach(&m, PRODUCER, ring));
		for (;;)
			if (!send_record(&m, seq, 16))
				seq++;
	}
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, consume(user, variant->flags, variant->budget));
		if (i & 1)
			until_calls(user, kt_counts(user).calls + 1);
		ASSERT_EQ(0, kt(user, KT_DETACH_RX, 0));
	}
	EXPECT_EQ(128 + SIGKILL, child_kill(&c));
	EXPECT_EQ(0, kt_counts(user).bad);
	close(user);
}

TEST_HARNESS_MAIN
