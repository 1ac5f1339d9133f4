// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * A peer that writes nonsense into whatever it may write: its records and its CURSOR
 * page, on both backends; META and the file itself, where only memfd gives them.
 * The honest side gets an error, never a wrong access and never an endless wait.
 */
#include <poll.h>
#include <pthread.h>

#include "test.h"

#include <shmring/queue.h>

static uint64_t cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The page of a slot, writable: through a mapping of the endpoint's own descriptor. */
static struct shmring_cursor *cursor_of(struct shmring *r, unsigned int slot)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	void *p;

	if (shmring_info(r, &info))
		return NULL;
	p = mmap(NULL, info.cursor_stride, PROT_READ | PROT_WRITE, MAP_SHARED, shmring_fd(r),
		 (off_t)(info.cursor_offset + slot * info.cursor_stride));
	return p == MAP_FAILED ? NULL : p;
}

static void producer_position_ahead(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	char buf[8];

	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(p, 0));
	cursor->pos = 64;
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EPROTO);
	cursor->pos = 1ull << 40;
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EPROTO);
	munmap(cursor, 4096);
	shmring_close(c);
	shmring_close(p);
}

static void consumer_position_ahead(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	char buf[1000] = "";

	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(c, 1));
	CHECK_EQ(shmring_send(p, buf, 1000, 0), 0);
	cursor->pos = 1 << 20;
	while (!shmring_send(p, buf, 1000, SHMRING_NOWAIT))
		;
	CHECK_EQ(shmring_send(p, buf, 1000, SHMRING_FOREVER), -EPROTO);
	munmap(cursor, 4096);
	shmring_close(c);
	shmring_close(p);
}

static void wrong_record(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	void *out;
	char buf[8];

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
	((uint32_t *)out)[-2] = SHMRING_REC_READY | 100000;
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EBADMSG);
	((uint32_t *)out)[-2] = 17;
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EBADMSG);
	shmring_close(c);
	shmring_close(p);
}

/* What is wrong with the record after a batch the next call tells: it is to be waited for. */
static void wrong_record_after_a_batch(void)
{
	static const uint32_t topologies[] = {
		SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE, SHMRING_TOPO_BROADCAST
	};
	unsigned int k;

	for (k = 0; k < 3; k++) {
		struct shmring_opts o = test_opts(4096, 0);
		struct shmring *p, *c;
		struct iovec msgs[2];
		char buf[2][8];
		void *out;

		o.topology = topologies[k];
		NEED(!test_pair(&o, &p, &c));
		CHECK_EQ(shmring_send(p, "record", 7, 0), 0);
		CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
		((uint32_t *)out)[-2] = SHMRING_REC_READY | 100000;
		msgs[0] = (struct iovec){ buf[0], 8 };
		msgs[1] = (struct iovec){ buf[1], 8 };
		CHECK_EQ(shmring_recv_batch(c, msgs, 2, 0), 1);
		CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, test_in_ms(1000)), SHMRING_EV_IN);
		CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), SHMRING_EV_IN);
		CHECK_EQ(shmring_recv(c, buf[0], 8, 0), -EBADMSG);
		CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_NOWAIT), -EAGAIN);
		shmring_close(c);
		shmring_close(p);
	}
}

/* A position that cannot be: what is there counts as read, and the ring goes on. */
static void next_consumer_gets_a_position_that_can_be(void)
{
	static const uint64_t wrong[] = { 12345, 1ull << 50, ~0ull, 0 - 8192ull };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t n, in;
	size_t k;

	NEED(!test_pair(&o, &p, &c));
	for (k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
		n = k;
		CHECK_EQ(shmring_send(p, "lost", 4, 0), 0);
		NEED(cursor = cursor_of(c, 1));
		cursor->pos = wrong[k];
		munmap(cursor, 4096);
		shmring_close(c);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in, n);
	}
	shmring_close(c);
	shmring_close(p);
}

/* Also if the producer's own is no position of a record. */
static void next_consumer_gets_a_position_of_a_record(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring_cursor *tx, *rx;
	struct shmring *p, *c;

	NEED(!test_pair(&o, &p, &c));
	NEED((tx = cursor_of(p, 0)) && (rx = cursor_of(c, 1)));
	tx->pos = 12345;
	rx->pos = 1ull << 50;
	munmap(rx, 4096);
	shmring_close(c);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
	if (!test_bad)
		shmring_close(c);
	munmap(tx, 4096);
	shmring_close(p);
}

static void next_producer_cuts_off_what_makes_no_sense(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	uint64_t n = 7, in;
	void *out;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_reserve(p, 8, &out, 0), 0);
	((uint32_t *)out)[-2] = 0x12345678;
	CHECK_EQ(shmring_recv(c, &in, 8, 0), -EBADMSG);
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
	CHECK_EQ(in, 7);
	shmring_close(p);
	shmring_close(c);
}

/*
 * Of several lanes one with nonsense is told of and left out, for who receives and for who
 * waits; its next producer is heard, though the consumer knew of that one before the lane was
 * in order.
 */
static void next_producer_of_a_lane_is_heard(uint32_t topology)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *other, *c;
	uint64_t n = 7, in = 0;
	uint32_t *lane;
	size_t bytes;

	o.topology = topology;
	o.producers = 2;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &other));
	NEED(lane = shmring_data(p, &bytes));
	lane[0] = 0x12345678;
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EBADMSG);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	NEED(lane = shmring_data(p, &bytes));
	lane[0] = 0x12345678;		/* as it was before the successor got that far */
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	lane[0] = 0;
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_NOWAIT), SHMRING_EV_IN);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
	CHECK_EQ(in, 7);
	shmring_close(other);
	shmring_close(p);
	shmring_close(c);
}

static void next_producer_is_heard_mpsc(void)
{
	next_producer_of_a_lane_is_heard(SHMRING_TOPO_MPSC);
}

static void next_producer_is_heard_queue(void)
{
	next_producer_of_a_lane_is_heard(SHMRING_TOPO_QUEUE);
}

static void next_producer_is_heard_broadcast(void)
{
	next_producer_of_a_lane_is_heard(SHMRING_TOPO_BROADCAST);
}

/*
 * A position with no record before it is told of once, to who receives and to who waits, and
 * costs nothing after that; others are heard, and so is its successor.
 */
static void position_without_a_record(uint32_t topology, uint64_t lie)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *other, *c;
	struct shmring_cursor *cursor;
	uint64_t n = 7, in = 0, cpu;

	o.topology = topology;
	o.producers = 2;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &other));
	NEED(cursor = cursor_of(p, 0));
	cursor->pos = lie;
	if (lie == 64)
		CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), SHMRING_EV_IN);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPROTO);
	cpu = cpu_time();
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, test_now() + 300000000), -ETIMEDOUT);
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 48, 0, test_now() + 300000000), -ETIMEDOUT);
	CHECK_EQ(shmring_recv(c, &in, 8, test_now() + 300000000), -ETIMEDOUT);
	cpu = cpu_time() - cpu;
	CHECK(cpu < 300000000);
	CHECK_EQ(shmring_send(other, &n, 8, 0), 0);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), SHMRING_EV_IN);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
	munmap(cursor, 4096);
	shmring_close(p);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EAGAIN);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	n = 8;
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), 8);
	CHECK_EQ(in, 8);
	shmring_close(other);
	shmring_close(p);
	shmring_close(c);
}

static void position_without_a_record_mpsc(void)
{
	position_without_a_record(SHMRING_TOPO_MPSC, 64);
	position_without_a_record(SHMRING_TOPO_MPSC, 1ull << 40);
}

static void position_without_a_record_queue(void)
{
	position_without_a_record(SHMRING_TOPO_QUEUE, 64);
	position_without_a_record(SHMRING_TOPO_QUEUE, 1ull << 40);
}

static void position_without_a_record_broadcast(void)
{
	position_without_a_record(SHMRING_TOPO_BROADCAST, 1ull << 40);
}

/*
 * A successor begins where its predecessor said to be, and has no room until a consumer that
 * sleeps has stepped over the nonsense before that.
 */
static void room_of_nonsense(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	static char buf[2000];
	struct pollfd in = { .events = POLLIN }, out;
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint32_t *lane;
	size_t bytes;

	o.topology = SHMRING_TOPO_BROADCAST;
	o.producers = 1;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(p, 0));
	NEED(lane = shmring_data(p, &bytes));
	lane[0] = 0x12345678;
	cursor->pos = 3000;
	munmap(cursor, 4096);
	CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT), -EBADMSG);
	in.fd = shmring_pollfd(c);
	while (!shmring_arm(c, SHMRING_EV_IN) && poll(&in, 1, 0) > 0)
		;
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT), -EAGAIN);
	out.fd = shmring_pollfd(p);
	out.events = shmring_backend(p) == SHMRING_BACKEND_DEVICE ? POLLOUT : POLLIN;
	while (!shmring_arm(p, SHMRING_EV_OUT) && poll(&out, 1, 0) > 0)
		;
	CHECK_EQ(poll(&in, 1, 10000), 1);
	CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(poll(&out, 1, 10000), 1);
	CHECK_EQ(shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT), sizeof(buf));
	shmring_close(p);
	shmring_close(c);
}

/* What a consumer of a QUEUE leaves behind is no fault of the producer's. */
static void orphan_of_nonsense(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring_cursor *cursor;
	struct shmring *p, *bad, *c;
	uint64_t n, in = 0;

	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 2;
	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_attach_fd(shmring_fd(c), CONS, &o, &bad));
	NEED(cursor = cursor_of(bad, 2));
	for (n = 0; n < 2; n++)
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	/* Claims both, and says to have read half of the first. */
	CHECK_EQ(shmring_recv(bad, &in, 8, 0), 8);
	CHECK_EQ(shmring_recv(bad, &in, 8, 0), 8);
	shmring_store(&cursor->hold_end, 32);
	shmring_store(&cursor->hold, shmring_tagged(8, SHMRING_HOLD_VALID));
	munmap(cursor, 4096);
	shmring_close(bad);
	n = 7;
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	/* What it points at is a payload, and no header. */
	CHECK_EQ(shmring_recv(c, &in, 8, 0), -EBADMSG);
	CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
	CHECK_EQ(in, 7);
	shmring_close(c);
	shmring_close(p);
}

/*
 * A producer garbles what a consumer holds: that is the consumer's loss, and no matter of the
 * producer's successor.
 */
static void held_record_is_garbled(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	const void *payload;
	uint64_t n, in = 0;
	uint32_t *lane;
	size_t bytes;

	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	for (n = 0; n < 3; n++)
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_peek(c, &payload, 0), 8);
	NEED(lane = shmring_data(p, &bytes));
	lane[0] = 0x12345678;
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	for (; n < 1000; n++) {
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_release(c), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in, n - 2);
		if (test_bad)
			break;
	}
	shmring_close(c);
	shmring_close(p);
}

/* In the middle of a batch: it ends there, and the next call tells of it, once. */
static void held_batch_is_garbled(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct iovec msgs[3];
	struct shmring *p, *c;
	uint64_t n, in[3];
	uint32_t *lane;
	size_t bytes;
	int copies;

	o.topology = SHMRING_TOPO_QUEUE;
	o.producers = 1;
	o.consumers = 1;
	for (copies = 0; copies < 2; copies++) {
		NEED(!test_pair(&o, &p, &c));
		NEED(lane = shmring_data(p, &bytes));
		for (n = 0; n < 3; n++)
			CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_peek_batch(c, msgs, 3, 0), 3);
		lane[4] = 0x12345678;
		for (n = 0; n < 3; n++) {
			msgs[n].iov_base = &in[n];
			msgs[n].iov_len = 8;
		}
		if (copies) {
			CHECK_EQ(shmring_recv_batch(c, msgs, 3, 0), 1);
		} else {
			CHECK_EQ(shmring_peek_batch(c, msgs, 3, 0), 1);
			CHECK_EQ(shmring_release(c), 0);
		}
		CHECK_EQ(shmring_recv(c, &in, 8, 0), -EBADMSG);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), -EAGAIN);
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in[0], 3);
		shmring_close(c);
		shmring_close(p);
	}
}

/*
 * A consumer says to read what is long gone, as one may that is about to take a claim back: nothing
 * is free then, nobody waits longer than it wants to, and a sleeper sleeps.
 */
static void far_behind(uint32_t topology)
{
	static const uint64_t spins[] = { SHMRING_SPIN_NEVER, 10000, SHMRING_SPIN_ALWAYS };
	static char buf[1000];
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t cpu, pos;
	size_t k, n;

	for (k = 0; k < 3; k++) {
		struct shmring_opts o = test_opts(4096, spins[k]);

		o.topology = topology;
		o.producers = 1;
		o.consumers = 1;
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(c, 1));
		for (n = 0; n < 20; n++) {
			CHECK_EQ(shmring_send(p, buf, 1000, 0), 0);
			CHECK_EQ(shmring_recv(c, buf, 1000, 0), 1000);
		}
		if (topology == SHMRING_TOPO_QUEUE)
			shmring_store(&cursor->hold, shmring_tagged(8, SHMRING_HOLD_VALID));
		pos = shmring_load(&cursor->lane[0].pos);
		if (topology != SHMRING_TOPO_QUEUE)
			shmring_store(&cursor->lane[0].pos, 8);
		while (!shmring_send(p, buf, 1000, SHMRING_NOWAIT))
			;
		cpu = cpu_time();
		CHECK_EQ(shmring_send(p, buf, 1000, test_in_ms(300)), -ETIMEDOUT);
		CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, test_in_ms(300)), -ETIMEDOUT);
		CHECK_EQ(shmring_drain(p, test_in_ms(300)), -ETIMEDOUT);
		cpu = cpu_time() - cpu;
		CHECK(cpu < 300000000 || k == 2);
		if (topology == SHMRING_TOPO_QUEUE)
			shmring_store(&cursor->hold, 0);
		else
			shmring_store(&cursor->lane[0].pos, pos);
		while (shmring_recv(c, buf, 1000, SHMRING_NOWAIT) == 1000)
			;
		CHECK_EQ(shmring_send(p, buf, 1000, test_in_ms(10000)), 0);
		CHECK_EQ(shmring_recv(c, buf, 1000, SHMRING_NOWAIT), 1000);
		munmap(cursor, 4096);
		shmring_close(c);
		shmring_close(p);
	}
}

static struct shmring_shared *shared_of(struct shmring *c)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	void *p;

	if (shmring_info(c, &info))
		return NULL;
	p = mmap(NULL, info.cursor_stride, PROT_READ | PROT_WRITE, MAP_SHARED, shmring_fd(c),
		 (off_t)info.shared_offset);
	return p == MAP_FAILED ? NULL : p;
}

/* Where a consumer left the front of a lane is no matter of those who come when all are gone. */
static void front_ends_with_the_liar(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_shared *shared;
	struct shmring *p, *c;
	char buf[24] = "";

	o.topology = SHMRING_TOPO_QUEUE;
	NEED(!test_pair(&o, &p, &c));
	NEED(shared = shared_of(c));
	CHECK_EQ(shmring_send(p, buf, 24, 0), 0);
	shmring_store(&shared->head[0].claim, shmring_tagged(1ull << 40, 0));
	CHECK_EQ(shmring_drain(p, test_in_ms(50)), -EPROTO);
	munmap(shared, 4096);
	shmring_close(c);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	CHECK_EQ(shmring_drain(p, test_in_ms(50)), 0);
	CHECK_EQ(shmring_send(p, buf, 16, test_in_ms(50)), 0);
	CHECK_EQ(shmring_recv(c, buf, 24, test_in_ms(50)), 16);
	CHECK_EQ(shmring_drain(p, test_in_ms(50)), 0);
	shmring_close(c);
	shmring_close(p);
}

/*
 * A producer tells to be where no lane ever gets, or about to get there, and the front is carried
 * on to there by a consumer that comes, or was set there: the next producers can begin, and are
 * heard.
 */
static void front_at_the_end(int set)
{
	static const uint64_t lies[] = { SHMRING_QUEUE_END - 16, SHMRING_QUEUE_END, -4096ull };
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring_shared *shared;
	struct shmring *p, *c;
	char buf[24] = "";
	size_t k, n;

	o.topology = SHMRING_TOPO_QUEUE;
	for (k = (size_t)set; k < sizeof(lies) / sizeof(lies[0]); k++) {
		NEED(!test_pair(&o, &p, &c));
		CHECK_EQ(shmring_send(p, buf, 24, 0), 0);
		CHECK_EQ(shmring_recv(c, buf, 24, 0), 24);
		NEED(cursor = cursor_of(p, 0));
		NEED(shared = shared_of(c));
		shmring_store(&cursor->pos, lies[k]);
		if (set)
			shmring_store(&shared->head[0].claim, shmring_tagged(lies[k], 0));
		munmap(cursor, 4096);
		munmap(shared, 4096);
		shmring_close(c);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		for (n = 0; n < 3; n++) {
			shmring_close(p);
			NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
			CHECK_EQ(shmring_send(p, buf, 16, test_in_ms(50)), 0);
			CHECK_EQ(shmring_recv(c, buf, 24, test_in_ms(50)), 16);
		}
		shmring_close(c);
		shmring_close(p);
	}
}

static void front_is_not_carried_to_the_end(void)
{
	front_at_the_end(0);
}

static void front_does_not_stay_at_the_end(void)
{
	front_at_the_end(1);
}

static void far_behind_queue(void)
{
	far_behind(SHMRING_TOPO_QUEUE);
}

static void far_behind_broadcast(void)
{
	far_behind(SHMRING_TOPO_BROADCAST);
}

/* A lane that a predecessor says to be full to the last byte has no room, and is slept beside. */
static void full_to_the_last_byte(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_QUEUE, SHMRING_TOPO_BROADCAST };
	static char buf[1000];
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	size_t k, n;

	for (k = 0; k < 2; k++) {
		struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
		uint64_t sleeps;

		o.topology = topologies[k];
		o.producers = 1;
		o.consumers = 1;
		NEED(!test_pair(&o, &p, &c));
		for (n = 0; n < 20; n++) {
			CHECK_EQ(shmring_send(p, buf, 1000, 0), 0);
			CHECK_EQ(shmring_recv(c, buf, 1000, 0), 1000);
		}
		NEED(cursor = cursor_of(k ? p : c, k ? 0 : 1));
		if (k)
			shmring_store(&cursor->pos, 20 * 1008 + 4096);
		else
			shmring_store(&cursor->hold,
				      shmring_tagged(20 * 1008 - 4096, SHMRING_HOLD_VALID));
		munmap(cursor, 4096);
		shmring_close(p);
		NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
		NEED(cursor = cursor_of(p, 0));
		sleeps = shmring_load(&cursor->sleeps);
		CHECK_EQ(shmring_send(p, buf, 8, test_in_ms(300)), -ETIMEDOUT);
		CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, test_in_ms(300)), -ETIMEDOUT);
		CHECK(shmring_load(&cursor->sleeps) - sleeps < 20);
		/* Records are nothing that a producer waits for. */
		CHECK_EQ(shmring_wait_for(p, SHMRING_EV_OUT, 8, 1, test_in_ms(50)), -EINVAL);
		munmap(cursor, 4096);
		shmring_close(c);
		shmring_close(p);
	}
}

/* Nor does one that says to have sent less keep a threshold from being reached. */
static void records_told_by_a_predecessor(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t n = 0, in;

	NEED(!test_pair(&o, &p, &c));
	for (; n < 3; n++) {
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
	}
	NEED(cursor = cursor_of(p, 0));
	shmring_store(&cursor->records, 0 - 1000ull);
	munmap(cursor, 4096);
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	while (!shmring_send(p, &n, 8, SHMRING_NOWAIT))
		;
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 5, SHMRING_FOREVER), SHMRING_EV_IN);
	shmring_close(c);
	shmring_close(p);
}

/* A position that cannot be, behind a record: thresholds are not waited for, receiving tells. */
static void position_behind_a_record(void)
{
	static const uint32_t topologies[] = {
		SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE, SHMRING_TOPO_BROADCAST
	};
	static const uint64_t lies[] = { 1ull << 40, 0 - (1ull << 40) };
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t n = 7, in = 0;
	unsigned int k;

	for (k = 0; k < 8; k++) {
		struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);

		o.topology = topologies[k / 2];
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(p, 0));
		/* Of the first record a consumer may ask how far there can be any. */
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		shmring_store(&cursor->pos, lies[k % 2]);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 48, 0, SHMRING_FOREVER), SHMRING_EV_IN);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 5, SHMRING_FOREVER), SHMRING_EV_IN);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPROTO);
		munmap(cursor, 4096);
		shmring_close(c);
		shmring_close(p);
	}
}

static int count_one(const void *payload, size_t len, void *arg)
{
	(void)payload;
	(void)len;
	++*(uint64_t *)arg;
	return 0;
}

/*
 * Headers that lead round a lane in a circle are no records without end: what was told of, or
 * could have been, and the next producer is heard.
 */
static void headers_in_a_circle(void)
{
	static const uint32_t topologies[] = {
		SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE, SHMRING_TOPO_BROADCAST
	};
	struct shmring *p, *c;
	uint64_t n, in, calls;
	size_t bytes, at;
	long took;
	uint32_t *lane;
	unsigned int k;

	for (k = 0; k < 8; k++) {
		struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);

		o.topology = topologies[k / 2];
		o.producers = k < 2 ? 0 : 1 + k % 2;
		NEED(!test_pair(&o, &p, &c));
		NEED(lane = shmring_data(p, &bytes));
		n = k;
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		for (at = 0; at < 4096; at += 16)
			lane[at / 4] = SHMRING_REC_READY | 8;
		if (k % 2)
			shmring_close(p);
		calls = 0;
		do
			took = shmring_consume(c, count_one, &calls, 0, SHMRING_FOREVER);
		while (took > 0);
		CHECK_EQ(took, -EPROTO);
		CHECK(calls >= 255 && calls <= 256);
		/* Of several lanes each is told of once. */
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT),
			 k < 2 ? -EPROTO : k % 2 ? -EPIPE : -EAGAIN);
		if (!(k % 2))
			shmring_close(p);
		NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
		for (n = 0; n < 1000 && !test_bad; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, test_in_ms(10000)), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, test_in_ms(10000)), 8);
			CHECK_EQ(in, n);
		}
		shmring_close(c);
		shmring_close(p);
	}
}

/* A dead consumer's position inside of a record is none: what is there counts as read. */
static void next_consumer_begins_at_a_record(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC };
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	unsigned int k;
	char buf[200];
	uint64_t n;

	memset(buf, 0x55, sizeof(buf));
	for (k = 0; k < 2; k++) {
		struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);

		o.topology = topologies[k];
		o.producers = k;
		NEED(!test_pair(&o, &p, &c));
		while (!shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT))
			;
		NEED(cursor = cursor_of(c, 1));
		if (k)
			shmring_store(&cursor->lane[0].pos, 64);
		else
			shmring_store(&cursor->pos, 64);
		munmap(cursor, 4096);
		shmring_close(c);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		for (n = 0; n < 1000; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, test_in_ms(10000)), 0);
			CHECK_EQ(shmring_recv(c, buf, sizeof(buf), test_in_ms(10000)), 8);
			CHECK(!memcmp(buf, &n, 8));
			if (test_bad)
				break;
		}
		shmring_close(c);
		shmring_close(p);
	}
}

/*
 * A producer changes the header of a record that a consumer looks at, tells to be before it, and is
 * gone: where the old header leads, the successor's records do not. They are heard all the same.
 */
static void header_changed_under_a_reader(uint32_t topology)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	const void *payload;
	uint64_t n = 7, in = 0;
	uint32_t *lane;
	size_t bytes;

	o.topology = topology;
	o.producers = 1;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(p, 0));
	NEED(lane = shmring_data(p, &bytes));
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_peek(c, &payload, 0), 8);
	lane[0] = SHMRING_REC_READY | 40;
	lane[4] = 0x12345678;
	shmring_store(&cursor->pos, 0);
	munmap(cursor, 4096);
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(shmring_release(c), 0);
	CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EBADMSG);
	for (n = 0; n < 1000 && !test_bad; n++) {
		CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
		CHECK_EQ(in, n);
	}
	shmring_close(p);
	shmring_close(c);
}

static void header_changed_under_a_reader_mpsc(void)
{
	header_changed_under_a_reader(SHMRING_TOPO_MPSC);
}

static void header_changed_under_a_reader_broadcast(void)
{
	header_changed_under_a_reader(SHMRING_TOPO_BROADCAST);
}

/*
 * A producer has a consumer go on, takes back what led there, and is gone: its successor begins
 * behind, within a lane. What is sent is received, and not what lies around from before.
 */
static void ahead_of_the_next_producer(uint32_t topology)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	const void *payload;
	uint64_t n = 7, in = 0;
	unsigned int k;
	uint32_t *lane;
	size_t bytes;
	long len;

	o.topology = topology;
	o.producers = 1;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(p, 0));
	NEED(lane = shmring_data(p, &bytes));
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	lane[0] = SHMRING_REC_READY | 2000;
	CHECK_EQ(shmring_peek(c, &payload, 0), 2000);
	if (topology == SHMRING_TOPO_BROADCAST)
		CHECK_EQ(shmring_release(c), 0);
	for (k = 0; k < 1024; k += 4)
		lane[k] = k ? SHMRING_REC_READY | 8 : 0;
	shmring_store(&cursor->pos, topology == SHMRING_TOPO_BROADCAST ? 0 : 16);
	munmap(cursor, 4096);
	shmring_close(p);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	if (topology != SHMRING_TOPO_BROADCAST)
		CHECK_EQ(shmring_release(c), 0);
	/* Of what lies around it may take some before it hears of the new producer. */
	do
		len = shmring_recv(c, &in, 8, SHMRING_NOWAIT);
	while (len == 8 && ++n < 1000);
	CHECK_EQ(len, -EPROTO);
	for (n = 0; n < 1000 && !test_bad; n++) {
		CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
		CHECK_EQ(in, n);
	}
	shmring_close(p);
	shmring_close(c);
}

static void ahead_of_the_next_producer_mpsc(void)
{
	ahead_of_the_next_producer(SHMRING_TOPO_MPSC);
}

static void ahead_of_the_next_producer_broadcast(void)
{
	ahead_of_the_next_producer(SHMRING_TOPO_BROADCAST);
}

static void *late_run(void *arg)
{
	uint64_t in = 0;

	/* Whoever comes back tells so first. */
	CHECK_EQ(shmring_recv(arg, &in, 8, test_in_ms(5000)), -EPROTO);
	return NULL;
}

/*
 * Likewise where the liar told the truth in the end, so that its successor tells the same: it is
 * known to have begun by its asking for room.
 */
static void ahead_of_who_begins_where_told(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	const void *payload;
	uint64_t n = 7, in = 0;
	unsigned int k;
	pthread_t late;
	uint32_t *lane;
	size_t bytes;

	o.topology = SHMRING_TOPO_MPSC;
	o.producers = 1;
	for (k = 0; k < 2; k++) {
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(p, 0));
		NEED(lane = shmring_data(p, &bytes));
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		lane[0] = SHMRING_REC_READY | 2000;
		CHECK_EQ(shmring_peek(c, &payload, 0), 2000);
		lane[0] = 0;
		shmring_store(&cursor->pos, 0);
		munmap(cursor, 4096);
		shmring_close(p);
		NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
		CHECK_EQ(shmring_release(c), 0);
		if (k) {
			NEED(!pthread_create(&late, NULL, late_run, c));
			usleep(100000);
		}
		CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), -EPROTO);
		if (k)
			pthread_join(late, NULL);
		else
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), -EPROTO);
		for (n = 0; n < 1000 && !test_bad; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
			CHECK_EQ(in, n);
		}
		shmring_close(p);
		shmring_close(c);
	}
}

/* Ahead of what its producer tells, and not by a record of its: likewise. */
static void next_consumer_begins_not_ahead(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC };
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	unsigned int k;
	uint64_t n, in = 0;

	for (k = 0; k < 2; k++) {
		struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);

		o.topology = topologies[k];
		o.producers = k;
		NEED(!test_pair(&o, &p, &c));
		for (n = 0; n < 10; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		}
		NEED(cursor = cursor_of(c, 1));
		if (k)
			shmring_store(&cursor->lane[0].pos, 2048);
		else
			shmring_store(&cursor->pos, 2048);
		munmap(cursor, 4096);
		shmring_close(c);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		for (n = 0; n < 1000 && !test_bad; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
			CHECK_EQ(in, n);
		}
		shmring_close(c);
		shmring_close(p);
	}
}

/*
 * A consumer tells to be at a record that it had given back, and is gone. Its successor begins
 * there, and the producer writes over that by what it had seen before. Both go on.
 */
static void next_consumer_is_written_over(void)
{
	/* A record, or two, of so many bytes: it finds there the end of all, payload, a header. */
	static const size_t bytes[] = { 56, 120, 56 };
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	struct iovec msgs[2];
	uint64_t n, in = 0;
	unsigned int k, i;
	char buf[120];

	memset(buf, 0x55, sizeof(buf));
	o.topology = SHMRING_TOPO_MPSC;
	o.producers = 1;
	for (k = 0; k < 3; k++) {
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(c, 1));
		for (i = 0; i < 63; i++)
			CHECK_EQ(shmring_send(p, buf, 56, SHMRING_NOWAIT), 0);
		for (i = 0; i < 32; i++)
			CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT), 56);
		CHECK_EQ(shmring_send(p, buf, 56, SHMRING_NOWAIT), 0);
		shmring_store(&cursor->lane[0].pos, 64);
		munmap(cursor, 4096);
		shmring_close(c);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		for (i = 0; i < 2; i++)
			msgs[i] = (struct iovec){ buf, bytes[k] };
		i = 1 + k / 2;
		CHECK_EQ(shmring_send_batch(p, msgs, i, SHMRING_NOWAIT), i);
		CHECK_EQ(shmring_send(p, buf, 56, SHMRING_NOWAIT), -EPROTO);
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT),
			 k == 1 ? -EBADMSG : -EPROTO);
		for (n = 0; n < 1000 && !test_bad; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, SHMRING_NOWAIT), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
			CHECK_EQ(in, n);
		}
		shmring_close(c);
		shmring_close(p);
	}
}

/* A consumer has a producer begin just before position zero, and is gone: there is one order. */
static void one_order_before_zero(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p[2], *c;
	uint64_t n, in;

	o.topology = SHMRING_TOPO_MPSC;
	o.producers = 2;
	NEED(!test_pair(&o, &p[0], &c));
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p[1]));
	NEED(cursor = cursor_of(c, 2));
	shmring_store(&cursor->lane[0].pos, 0 - 1024ull);
	munmap(cursor, 4096);
	shmring_close(p[0]);
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p[0]));
	shmring_close(c);
	NEED(!shmring_attach_fd(shmring_fd(p[0]), CONS, &o, &c));
	for (n = 0; n < 2; n++) {
		CHECK_EQ(shmring_send(p[!n], &n, 8, SHMRING_NOWAIT), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
		CHECK_EQ(in, n);
	}
	for (n = 0; n < 2; n++)
		CHECK_EQ(shmring_send(p[!n], &n, 8, SHMRING_NOWAIT), 0);
	for (n = 0; n < 2; n++) {
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_NOWAIT), 8);
		CHECK_EQ(in, n);
	}
	shmring_close(p[1]);
	shmring_close(p[0]);
	shmring_close(c);
}

/* Records that a producer tells of, and that are not there, make no threshold, and no work. */
static void forged_records(void)
{
	static const uint32_t topologies[] = {
		SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE, SHMRING_TOPO_BROADCAST
	};
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t n = 7, in = 0, cpu;
	unsigned int k;

	for (k = 0; k < 4; k++) {
		struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);

		o.topology = topologies[k];
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(p, 0));
		CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
		shmring_store(&cursor->records, 1000);
		cpu = cpu_time();
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 5, test_in_ms(300)), -ETIMEDOUT);
		cpu = cpu_time() - cpu;
		CHECK(cpu < 100000000);
		/* Nor a position: what there is will do, and receiving tells. */
		shmring_store(&cursor->pos, 800);
		CHECK_EQ(shmring_wait_for(c, SHMRING_EV_IN, 0, 5, SHMRING_FOREVER), SHMRING_EV_IN);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in, 7);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPROTO);
		munmap(cursor, 4096);
		shmring_close(c);
		shmring_close(p);
	}
}

/*
 * A producer that overwrites tells to be where none of its marks is: its lane is told of once and
 * left out, joining goes on without it, and its successor is heard.
 */
static void limit_without_a_mark(void)
{
	static const uint64_t spins[] = { SHMRING_SPIN_NEVER, SHMRING_SPIN_ALWAYS };
	struct shmring *p, *other, *c, *late;
	struct shmring_cursor *cursor;
	uint64_t n, in = 0, cpu;
	size_t k;

	for (k = 0; k < 2; k++) {
		struct shmring_opts o = test_opts(4096, spins[k]);

		o.topology = SHMRING_TOPO_BROADCAST;
		o.full_policy = SHMRING_FULL_OVERWRITE;
		o.producers = 2;
		o.consumers = 2;
		NEED(!test_pair(&o, &p, &c));
		NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &other));
		NEED(cursor = cursor_of(p, 0));
		shmring_store(&cursor->limit, 1ull << 40);
		CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPROTO);
		cpu = cpu_time();
		CHECK_EQ(shmring_recv(c, &in, 8, test_in_ms(300)), -ETIMEDOUT);
		if (!k)
			CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, test_in_ms(300)), -ETIMEDOUT);
		cpu = cpu_time() - cpu;
		CHECK(cpu < 100000000 || k);
		CHECK_EQ(shmring_attach_fd(shmring_fd(c), CONS, &o, &late), 0);
		n = 7;
		CHECK_EQ(shmring_send(other, &n, 8, 0), 0);
		CHECK_EQ(shmring_recv(c, &in, 8, 0), 8);
		CHECK_EQ(in, 7);
		CHECK_EQ(shmring_recv(late, &in, 8, 0), -EPROTO);
		CHECK_EQ(shmring_recv(late, &in, 8, 0), 8);
		munmap(cursor, 4096);
		shmring_close(p);
		NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
		for (n = 0; n < 1000; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, test_in_ms(10000)), 8);
			CHECK_EQ(in, n);
			CHECK_EQ(shmring_recv(late, &in, 8, test_in_ms(10000)), 8);
			CHECK_EQ(in, n);
			if (test_bad)
				break;
		}
		shmring_close(late);
		shmring_close(other);
		shmring_close(p);
		shmring_close(c);
	}
}

/*
 * A liar has a consumer go on far ahead of all that there is, or begin there, and is gone. Its
 * successor is heard.
 */
static void sent_far_ahead(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t n, in;
	int joins, k;

	o.topology = SHMRING_TOPO_BROADCAST;
	o.full_policy = SHMRING_FULL_OVERWRITE;
	o.producers = 1;
	o.consumers = 2;
	for (joins = 0; joins < 2; joins++) {
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(p, 0));
		shmring_store(&cursor->limit, 1ull << 40);
		if (joins) {
			shmring_store(&cursor->pos, 1ull << 50);
			shmring_close(c);
			NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		} else {
			for (k = 0; k < SHMRING_MARKS; k++)
				shmring_store(&cursor->mark[k].pos, (1ull << 40) - 1016);
			CHECK_EQ(shmring_recv(c, &in, 8, SHMRING_FOREVER), -EPROTO);
		}
		for (k = 0; k < SHMRING_MARKS; k++)
			shmring_store(&cursor->mark[k].pos, 0);
		shmring_store(&cursor->limit, 0);
		shmring_store(&cursor->pos, 0);
		munmap(cursor, 4096);
		shmring_close(p);
		NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
		for (n = 0; n < 10000; n++) {
			CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
			CHECK_EQ(shmring_recv(c, &in, 8, test_in_ms(10000)), 8);
			CHECK_EQ(in, n);
			if (test_bad)
				break;
		}
		shmring_close(c);
		shmring_close(p);
	}
}

/* armed and wake_at of any value cost the forger its own wake-ups only. */
static void forged_arming(void)
{
	static const uint32_t armed[] = { 0, 1, 2, 3, 0x80000000u, 0xffffffffu };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	char buf[8] = "";
	size_t k;

	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(c, 1));
	for (k = 0; k < 6; k++) {
		shmring_store(&cursor->armed, armed[k]);
		shmring_store(&cursor->wake_at, ~0ull / (k + 1));
		CHECK_EQ(shmring_send(p, buf, 8, SHMRING_FOREVER), 0);
		CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), 8);
	}
	munmap(cursor, 4096);
	shmring_close(c);
	shmring_close(p);
}

/*
 * An armed consumer says to have read up to where no record begins, and to wait for so many: its
 * producer counts no headers from there. (Of what is not aligned an acquiring load kills on arm64.)
 */
static void forged_position_of_who_waits(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_cursor *cursor;
	struct shmring_meta *meta;
	struct shmring *p, *c;
	char buf[24] = "";
	uint64_t off;
	int n;

	o.topology = SHMRING_TOPO_MPSC;
	o.producers = 2;
	o.consumers = 1;
	for (off = 1; off < 8; off++) {
		NEED(!test_pair(&o, &p, &c));
		NEED(cursor = cursor_of(c, 2));
		NEED(!shmring_info(c, &info));
		meta = mmap(NULL, info.control_size, PROT_READ, MAP_SHARED, shmring_fd(c), 0);
		NEED(meta != MAP_FAILED);
		for (n = 0; n < 64; n++) {
			CHECK_EQ(shmring_send(p, buf, 24, 0), 0);
			CHECK_EQ(shmring_recv(c, buf, 24, 0), 24);
		}
		NEED(shmring_pollfd(c) >= 0);
		CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), 0);
		while (!(shmring_load(&meta->rx_state) & SHMRING_STATE_ARMED))
			sched_yield();	/* a thread arms, without the module */
		shmring_store(&cursor->lane[0].pos, 1024 + off);
		shmring_store(&cursor->wake_at, 1ull << 50);
		shmring_store(&cursor->wake_records, 3);
		CHECK_EQ(shmring_send(p, buf, 24, 0), 0);
		munmap(cursor, 4096);
		munmap(meta, info.control_size);
		shmring_close(c);
		shmring_close(p);
	}
}

/* Copy the file of a ring, change one field of META, and try to attach. */
static int attach_changed(struct shmring *p, size_t field, uint64_t value, size_t width,
			  int64_t grow)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *c;
	int fd = memfd_create("changed", MFD_CLOEXEC), err;
	static char buf[1 << 16];
	ssize_t len = pread(shmring_fd(p), buf, sizeof(buf), 0);

	if (fd < 0 || len <= 0)
		return -1;
	memcpy(buf + field, &value, width);
	if (pwrite(fd, buf, (size_t)len, 0) != len || ftruncate(fd, len + grow))
		return -1;
	err = shmring_attach_fd(fd, CONS, &o, &c);
	if (!err)
		shmring_close(c);
	close(fd);
	return err;
}

#define CHANGED(field, value)						\
	attach_changed(p, offsetof(struct shmring_meta, field), value,	\
		       sizeof(((struct shmring_meta *)0)->field), 0)

static void meta_that_contradicts_the_file(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("META is the kernel's");
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(CHANGED(magic, SHMRING_MAGIC), 0);
	CHECK_EQ(CHANGED(magic, 0), -EBADFD);
	CHECK_EQ(CHANGED(abi, 2), -EOPNOTSUPP);
	CHECK_EQ(CHANGED(data_size, 0), -EPROTO);
	CHECK_EQ(CHANGED(data_size, 4095), -EPROTO);
	CHECK_EQ(CHANGED(data_size, 8192), -EPROTO);
	CHECK_EQ(CHANGED(data_size, 1ull << 63), -EPROTO);
	CHECK_EQ(CHANGED(data_offset, 0), -EPROTO);
	CHECK_EQ(CHANGED(data_offset, 4096), -EPROTO);
	CHECK_EQ(CHANGED(data_offset, ~0ull & ~4095ull), -EPROTO);
	CHECK_EQ(CHANGED(data_offset, 3 * 4096 + 8), -EPROTO);
	CHECK_EQ(CHANGED(cursor_offset, 0), -EPROTO);
	CHECK_EQ(CHANGED(cursor_stride, 1ull << 40), -EPROTO);
	CHECK_EQ(CHANGED(slots, 0), -EPROTO);
	CHECK_EQ(CHANGED(slots, 1), -EPROTO);
	CHECK_EQ(CHANGED(slots, 33), -EPROTO);
	CHECK_EQ(CHANGED(slots, 0xffffffff), -EPROTO);
	CHECK_EQ(CHANGED(topology, SHMRING_TOPO_MPSC), -EPROTO);
	CHECK_EQ(CHANGED(topology, 77), -EOPNOTSUPP);
	CHECK_EQ(attach_changed(p, 0, SHMRING_MAGIC, 4, 4096), -EPROTO);
	CHECK_EQ(attach_changed(p, 0, SHMRING_MAGIC, 4, -4096), -EPROTO);
	CHECK_EQ(attach_changed(p, 0, SHMRING_MAGIC, 4, -12288), -EPROTO);
	shmring_close(p);
}

static void unnamed_rings_cannot_be_cut(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(ftruncate(shmring_fd(p), 0), -1);
	CHECK_EQ(ftruncate(shmring_fd(p), 1 << 20), -1);
	shmring_close(p);
}

/* A file with holes would be a SIGBUS when memory runs out. */
static void holes_are_refused(void)
{
	struct shmring_opts o = test_opts(65536, 0);
	struct shmring *p, *c;
	struct stat st;
	static char buf[1 << 14];
	int fd;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel allocates");
	NEED(!shmring_create(NULL, PROD, &o, &p));
	fd = memfd_create("holes", MFD_CLOEXEC);
	NEED(!fstat(shmring_fd(p), &st) && !ftruncate(fd, st.st_size));
	NEED(pread(shmring_fd(p), buf, 3 * 4096, 0) == 3 * 4096);
	NEED(pwrite(fd, buf, 3 * 4096, 0) == 3 * 4096);
	CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &c), -EPROTO);
	close(fd);
	shmring_close(p);
}

/* Nobody counts records for one that the kernel cannot have wait for them. */
static void threshold_that_cannot_be(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct pollfd pfd = { .events = POLLIN };
	struct shmring_cursor *cursor;
	struct shmring *p, *c;
	uint64_t n = 7;

	if (test_backend() == SHMRING_BACKEND_MEMFD)
		SKIP("there the library waits for records, and all trust each other");
	o.topology = SHMRING_TOPO_BROADCAST;
	o.producers = 1;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(cursor = cursor_of(c, 1));
	pfd.fd = shmring_fd(c);
	CHECK_EQ(poll(&pfd, 1, 0), 0);		/* arms */
	cursor->wake_at = 1ull << 40;
	cursor->wake_records = 1;
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_send(p, &n, 8, 0), 0);
	CHECK_EQ(shmring_get_stats(p, 0, &stats), 0);
	CHECK_EQ(stats.kicks, 0);
	munmap(cursor, 4096);
	shmring_close(c);
	shmring_close(p);
}

/* ---- a lane that is overwritten as often as somebody has read it ------------- */

#define MILL_LANE	(32u << 20)

struct mill {
	struct shmring_cursor *cursor;
	int stop;
};

/* Its newest mark is always a good one, and gone a little later. */
static void *mill_run(void *arg)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	struct mill *mill = arg;
	uint64_t pos = 0;

	while (!__atomic_load_n(&mill->stop, __ATOMIC_RELAXED)) {
		pos += MILL_LANE;
		shmring_store_release(&mill->cursor->limit, pos);
		shmring_store_release(&mill->cursor->mark[0].pos, pos);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* One that wants to begin there walks through the lane a few times, and gives up. */
static void joining_what_is_overwritten_ends(void)
{
	struct shmring_opts o = test_opts(MILL_LANE, 0);
	struct shmring_record *rec;
	struct mill mill = { 0 };
	uint64_t begin, once;
	struct shmring *p, *c;
	pthread_t thread;
	size_t k, bytes;
	int err;

	o.topology = SHMRING_TOPO_BROADCAST;
	o.full_policy = SHMRING_FULL_OVERWRITE;
	o.producers = 1;
	o.consumers = 1;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	NEED(mill.cursor = cursor_of(p, 0));
	NEED(rec = shmring_data(p, &bytes));
	for (k = 0; k < MILL_LANE / sizeof(*rec); k++)
		rec[k].word = SHMRING_REC_READY;
	begin = cpu_time();
	for (k = 0; k < MILL_LANE / sizeof(*rec); k++)
		if (shmring_load_acquire(&rec[k].word) != SHMRING_REC_READY)
			break;
	once = cpu_time() - begin;
	NEED(k == MILL_LANE / sizeof(*rec));
	NEED(!pthread_create(&thread, NULL, mill_run, &mill));
	begin = cpu_time();
	err = shmring_attach_fd(shmring_fd(p), CONS, &o, &c);
	begin = cpu_time() - begin;
	CHECK(!err || err == -EAGAIN);
	if (!err)
		shmring_close(c);
	/* One that does not give up walks 1000 times; mapping costs something as well. */
	CHECK(begin < 100 * once + 100000000);
	printf("# %llu us, a walk takes %llu\n", (unsigned long long)begin / 1000,
	       (unsigned long long)once / 1000);
	__atomic_store_n(&mill.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	munmap(mill.cursor, 4096);
	shmring_close(p);
}

#define LAP_LANE	(1 << 20)
#define LAP_MARKS	8

struct lap {
	struct shmring_cursor *cursor;
	uint32_t *lane;
	uint64_t limit;
	unsigned int times;
};

/* The lane is overwritten twice, and has a mark to go on from, and a record there. */
static void lap_move(struct lap *lap)
{
	const uint64_t step = LAP_LANE / LAP_MARKS;
	uint64_t k;

	lap->limit += 2 * LAP_LANE;
	for (k = 0; k < LAP_MARKS; k++) {
		shmring_store(&lap->lane[k * step / 4], SHMRING_REC_READY | (uint32_t)step);
		shmring_store_release(&lap->cursor->mark[k].pos, lap->limit - LAP_LANE + k * step);
	}
	shmring_store(&lap->cursor->pos, lap->limit - step);
	shmring_store_release(&lap->cursor->limit, lap->limit);
}

static int lap_seen(const void *payload, size_t len, void *arg)
{
	struct lap *lap = arg;

	(void)payload;
	(void)len;
	lap_move(lap);
	return ++lap->times >= 1000;
}

/* What is looked at was overwritten when it is given back, each time: calls come back. */
static void lapped_again_and_again(void)
{
	struct shmring_opts o = test_opts(LAP_LANE, 0);
	struct lap lap = { 0 };
	struct shmring *p, *c;
	uint64_t until;
	size_t bytes;

	o.topology = SHMRING_TOPO_BROADCAST;
	o.full_policy = SHMRING_FULL_OVERWRITE;
	o.producers = 1;
	o.consumers = 1;
	NEED(!test_pair(&o, &p, &c));
	NEED(lap.cursor = cursor_of(p, 0));
	NEED(lap.lane = shmring_data(p, &bytes));
	lap_move(&lap);
	CHECK_EQ(shmring_consume(c, lap_seen, &lap, 4, SHMRING_NOWAIT), -EAGAIN);
	CHECK(lap.times > 1 && lap.times < 1000);
	until = test_in_ms(50);
	do {
		lap.times = 0;
	} while (!shmring_consume(c, lap_seen, &lap, 4, until));
	CHECK_EQ(shmring_consume(c, lap_seen, &lap, 4, until), -ETIMEDOUT);
	munmap(lap.cursor, 4096);
	shmring_close(p);
	shmring_close(c);
}

struct wander {
	struct shmring_cursor *cursor;
	int stop;
};

static void *wander_run(void *arg)
{
	struct wander *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		__atomic_store_n(&w->cursor->pos, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&w->cursor->pos, 1ull << 40, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* A position that can be and cannot be by turns keeps nobody from what others send. */
static void next_consumer_of_one_that_wanders(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *liar, *p, *c;
	struct wander wander = { 0 };
	pthread_t thread;
	uint64_t n, in;
	long len;

	o.topology = SHMRING_TOPO_MPSC;
	o.producers = 2;
	NEED(!test_pair(&o, &liar, &c));
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	NEED(wander.cursor = cursor_of(liar, 0));
	NEED(!pthread_create(&thread, NULL, wander_run, &wander));
	for (n = 0; n < test_rounds(2000) && !test_bad; n++) {
		shmring_close(c);
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		if (test_bad)
			break;
		CHECK_EQ(shmring_send(p, &n, sizeof(n), SHMRING_NOWAIT), 0);
		do
			len = shmring_recv(c, &in, sizeof(in), SHMRING_NOWAIT);
		while (len == -EPROTO);
		CHECK_EQ(len, sizeof(in));
		CHECK_EQ(in, n);
	}
	__atomic_store_n(&wander.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	munmap(wander.cursor, 4096);
	if (!test_bad)
		shmring_close(c);
	shmring_close(p);
	shmring_close(liar);
}

int main(void)
{
	START();
	RUN(producer_position_ahead);
	RUN(consumer_position_ahead);
	RUN(wrong_record);
	RUN(wrong_record_after_a_batch);
	RUN(next_consumer_gets_a_position_that_can_be);
	RUN(next_consumer_gets_a_position_of_a_record);
	RUN(next_producer_cuts_off_what_makes_no_sense);
	RUN(next_producer_is_heard_mpsc);
	RUN(next_producer_is_heard_queue);
	RUN(next_producer_is_heard_broadcast);
	RUN(position_without_a_record_mpsc);
	RUN(position_without_a_record_queue);
	RUN(position_without_a_record_broadcast);
	RUN(room_of_nonsense);
	RUN(orphan_of_nonsense);
	RUN(held_record_is_garbled);
	RUN(held_batch_is_garbled);
	RUN(front_ends_with_the_liar);
	RUN(front_is_not_carried_to_the_end);
	RUN(front_does_not_stay_at_the_end);
	RUN(far_behind_queue);
	RUN(far_behind_broadcast);
	RUN(full_to_the_last_byte);
	RUN(records_told_by_a_predecessor);
	RUN(position_behind_a_record);
	RUN(headers_in_a_circle);
	RUN(next_consumer_begins_at_a_record);
	RUN(next_consumer_begins_not_ahead);
	RUN(next_consumer_is_written_over);
	RUN(one_order_before_zero);
	RUN(header_changed_under_a_reader_mpsc);
	RUN(header_changed_under_a_reader_broadcast);
	RUN(ahead_of_the_next_producer_mpsc);
	RUN(ahead_of_the_next_producer_broadcast);
	RUN(ahead_of_who_begins_where_told);
	RUN(next_consumer_of_one_that_wanders);
	RUN(forged_records);
	RUN(limit_without_a_mark);
	RUN(sent_far_ahead);
	RUN(forged_arming);
	RUN(forged_position_of_who_waits);
	RUN(meta_that_contradicts_the_file);
	RUN(unnamed_rings_cannot_be_cut);
	RUN(holes_are_refused);
	RUN(threshold_that_cannot_be);
	RUN(joining_what_is_overwritten_ends);
	RUN(lapped_again_and_again);
	DONE();
}
