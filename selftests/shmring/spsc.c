// SPDX-License-Identifier: GPL-2.0-only
/*
 * A million records and more of every length through the device, between two processes that
 * know of each other by the ring's name alone, with a checksum over all bytes.
 */
#include "endpoint.h"

#define LEN_MAX		1000u

/* Fletcher's sum, 64 bits: order counts. */
struct sum {
	__u32 a, b;
};

static void sum_add(struct sum *s, const unsigned char *p, size_t len)
{
	while (len--) {
		s->a += *p++;
		s->b += s->a;
	}
}

static __u32 next_random(__u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Mostly short, up to a quarter of the smallest ring, zero included. */
static size_t record_len(__u32 *state)
{
	__u32 r = next_random(state);

	return r & 0xf ? r >> 4 & 0x1f : (r >> 4) % (LEN_MAX + 1);
}

struct outcome {
	struct sum sum;
	__u64 bytes;
};

FIXTURE(stream) {
	struct child producer;
	char name[SHMRING_NAME_MAX];
};

FIXTURE_VARIANT(stream) {
	__u64 data_size;
	__u32 flags;
	unsigned int batch;
	__u32 records;
};

FIXTURE_VARIANT_ADD(stream, page) { 4096, 0, 1, 1000000 };
FIXTURE_VARIANT_ADD(stream, page_batch) { 4096, 0, 7, 200000 };
FIXTURE_VARIANT_ADD(stream, large) { 1 << 20, 0, 1, 200000 };
FIXTURE_VARIANT_ADD(stream, huge_batch) { 2 << 20, 0, 64, 200000 };
FIXTURE_VARIANT_ADD(stream, spin) { 64 << 10, SHMRING_CREATE_SPIN, 1, 200000 };

FIXTURE_SETUP(stream)
{
	strcpy(self->name, unique_name());
	ASSERT_LE(0, child_start(&self->producer));
}

FIXTURE_TEARDOWN(stream) {}

/* Wait for room; on a ring without sleepers, by trying again. */
static void *reserve(const struct endpoint *e, struct shmring_spsc_tx *tx, size_t len)
{
	void *to;

	while (!(to = shmring_spsc_reserve(tx, len))) {
		if (tx->hold_word)		/* what is held back keeps the ring full */
			if (shmring_spsc_publish(tx) > 0)
				CHECK_EQ(0, ring_kick(e->fd));
		CHECK_EQ(0, shmring_spsc_refresh(tx));
		to = shmring_spsc_reserve(tx, len);
		if (to)
			break;
		if (!tx->fence) {
			sched_yield();
			continue;
		}
		shmring_store(&tx->mine->want, shmring_record_size(len));
		CHECK_EQ(SHMRING_EV_OUT, ring_wait(e->fd, SHMRING_EV_OUT, SHMRING_DEADLINE_NEVER));
	}
	return to;
}

static void produce(const char *name, __u32 records, unsigned int batch, int report)
{
	struct shmring_spsc_tx tx;
	struct outcome out = { { 1, 0 }, 0 };
	__u32 state = 0x2545f491, fill = 1;
	struct endpoint e;
	unsigned char *to;
	size_t len;

	CHECK_EQ(0, endpoint_map(&e, ring_attach(PRODUCER, name)));
	CHECK_EQ(0, tx_init(&tx, &e));
	for (__u32 i = 1; i <= records; i++) {
		len = record_len(&state);
		to = reserve(&e, &tx, len);
		for (size_t j = 0; j < len; j++)
			to[j] = (unsigned char)(fill++ * 167 >> 3);
		sum_add(&out.sum, to, len);
		out.bytes += len;
		shmring_spsc_put(&tx, len);
		if (i % batch && i < records)
			continue;
		if (shmring_spsc_publish(&tx) > 0)
			CHECK_EQ(0, ring_kick(e.fd));
	}
	shmring_store(&e.cursor->closed, (__u32)getpid());
	CHECK_EQ(sizeof(out), write(report, &out, sizeof(out)));
	_exit(0);
}

TEST_F(stream, arrives_whole)
{
	struct outcome in = { { 1, 0 }, 0 }, out;
	struct shmring_ioc_create arg;
	struct shmring_spsc_rx rx;
	__u32 state = 0x2545f491, count = 0;
	const void *from;
	struct endpoint e;
	long len;
	int ret = 0;

	if (!self->producer.pid) {
		CHECK(hear(self->producer.sock));
		produce(self->name, variant->records, variant->batch, self->producer.sock);
	}
	arg = create_args(SPSC, CONSUMER, variant->data_size);
	arg.flags = variant->flags;
	set_name(arg.name, self->name);
	ASSERT_EQ(0, endpoint_map(&e, ring_create_with(&arg)));
	rx_init(&rx, &e);
	ASSERT_TRUE(tell(self->producer.sock));
	for (;;) {
		len = shmring_spsc_peek(&rx, &from);
		if (len == -EAGAIN && variant->flags & SHMRING_CREATE_SPIN) {
			if (count == variant->records)
				break;
			sched_yield();
			continue;
		}
		if (len == -EAGAIN) {
			/* what is not released counts as there */
			if (rx.ahead && shmring_spsc_release(&rx) > 0)
				ASSERT_EQ(0, ring_kick(e.fd));
			ret = ring_wait(e.fd, SHMRING_EV_IN, SHMRING_DEADLINE_NEVER);
			if (ret < 0)
				break;
			continue;
		}
		ASSERT_EQ((long)record_len(&state), len);
		sum_add(&in.sum, from, (size_t)len);
		in.bytes += (__u64)len;
		count++;
		shmring_spsc_next(&rx, len);
		if (count % variant->batch == 0 || rx.head - rx.done > e.info.data_size / 4)
			if (shmring_spsc_release(&rx) > 0)
				ASSERT_EQ(0, ring_kick(e.fd));
	}
	shmring_spsc_release(&rx);
	if (!(variant->flags & SHMRING_CREATE_SPIN))
		EXPECT_EQ(-EPIPE, ret);		/* closed in order, and all of it read */
	EXPECT_EQ(variant->records, count);
	ASSERT_EQ((ssize_t)sizeof(out), read(self->producer.sock, &out, sizeof(out)));
	EXPECT_EQ(out.bytes, in.bytes);
	EXPECT_EQ(out.sum.a, in.sum.a);
	EXPECT_EQ(out.sum.b, in.sum.b);
	EXPECT_EQ(0, child_end(&self->producer));
	ASSERT_EQ(0, ring_info(e.fd, &e.info));
	EXPECT_EQ(e.info.produced, e.info.consumed);
	EXPECT_EQ(variant->records, endpoint_peer(&e)->records);
	EXPECT_EQ(variant->records, e.cursor->records);
	endpoint_unmap(&e);
	close(e.fd);
}

TEST_HARNESS_MAIN
