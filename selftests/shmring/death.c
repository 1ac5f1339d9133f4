// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of an endpoint, by SIGKILL in every state and in order: the survivor is told
 * by EPOLLHUP, by its eventfd, by META and by WAIT, after it has read what was left; the
 * role is free again and its successor goes on where the records end.
 */
#include <sys/eventfd.h>

#include "endpoint.h"

#define PEER_END	((int)SHMRING_EV_PEER)

/* What the victim is doing when it is killed. */
enum state {
	IDLE,
	WAITING,		/* asleep in WAIT */
	POLLING,		/* asleep in poll */
	RESERVED,		/* a record written, but not put */
	HELD_BACK,		/* put, not published */
	HEADER_ONLY,		/* published, its position not told */
	NOT_KICKED,		/* published, nobody woken */
	MAPPED_ONLY,		/* its descriptor closed, its mappings left */
	CLOSING,		/* said that it closes */
};

FIXTURE(killed) {
	struct child victim;
	struct endpoint e;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
	char name[SHMRING_NAME_MAX];
	__u32 mine, its;
	__u32 visible;		/* records of the victim that count */
	int efd;
};

FIXTURE_VARIANT(killed) {
	__u32 role;		/* of the victim */
	enum state state;
	__u32 records;		/* published before it gets into its state */
};

FIXTURE_VARIANT_ADD(killed, producer_idle) { PRODUCER, IDLE, 0 };
FIXTURE_VARIANT_ADD(killed, producer_idle_3) { PRODUCER, IDLE, 3 };
FIXTURE_VARIANT_ADD(killed, producer_waiting) { PRODUCER, WAITING, 63 };
FIXTURE_VARIANT_ADD(killed, producer_polling) { PRODUCER, POLLING, 63 };
FIXTURE_VARIANT_ADD(killed, producer_reserved) { PRODUCER, RESERVED, 3 };
FIXTURE_VARIANT_ADD(killed, producer_held_back) { PRODUCER, HELD_BACK, 3 };
FIXTURE_VARIANT_ADD(killed, producer_header_only) { PRODUCER, HEADER_ONLY, 3 };
FIXTURE_VARIANT_ADD(killed, producer_header_only_first) { PRODUCER, HEADER_ONLY, 0 };
FIXTURE_VARIANT_ADD(killed, producer_not_kicked) { PRODUCER, NOT_KICKED, 3 };
FIXTURE_VARIANT_ADD(killed, producer_mapped_only) { PRODUCER, MAPPED_ONLY, 3 };
FIXTURE_VARIANT_ADD(killed, producer_closing) { PRODUCER, CLOSING, 3 };
FIXTURE_VARIANT_ADD(killed, consumer_idle) { CONSUMER, IDLE, 0 };
FIXTURE_VARIANT_ADD(killed, consumer_waiting) { CONSUMER, WAITING, 0 };
FIXTURE_VARIANT_ADD(killed, consumer_polling) { CONSUMER, POLLING, 0 };
FIXTURE_VARIANT_ADD(killed, consumer_mapped_only) { CONSUMER, MAPPED_ONLY, 0 };
FIXTURE_VARIANT_ADD(killed, consumer_closing) { CONSUMER, CLOSING, 0 };

/* 64 bytes a record with its header: 63 of them and the next header fill a page. */
#define PAYLOAD	56

static int send_nth(const struct endpoint *e, struct shmring_spsc_tx *tx, unsigned int nth)
{
	unsigned char buf[PAYLOAD];

	memset(buf, (int)nth, sizeof(buf));
	return tx_try(e, tx, buf, sizeof(buf));
}

static void put_nth(struct shmring_spsc_tx *tx, unsigned int nth, bool put)
{
	void *to = shmring_spsc_reserve(tx, PAYLOAD);

	CHECK(to);
	memset(to, (int)nth, PAYLOAD);
	if (put)
		shmring_spsc_put(tx, PAYLOAD);
}

static void victim(const char *name, __u32 role, enum state state, __u32 records, int sock)
{
	struct pollfd p = { .events = role == PRODUCER ? POLLOUT : POLLIN };
	struct shmring_spsc_tx tx = { 0 };
	struct endpoint e;

	CHECK_EQ(0, endpoint_map(&e, ring_attach(role, name)));
	if (role == PRODUCER) {
		CHECK_EQ(0, tx_init(&tx, &e));
		for (__u32 i = 0; i < records; i++)
			CHECK_EQ(0, send_nth(&e, &tx, i));
	}
	switch (state) {
	case WAITING:
		shmring_store(&e.cursor->want, 64);
		CHECK(tell(sock));
		ring_wait(e.fd, role == PRODUCER ? SHMRING_EV_OUT : SHMRING_EV_IN,
			  SHMRING_DEADLINE_NEVER);
		_exit(2);
	case POLLING:
		shmring_store(&e.cursor->want, 64);
		CHECK(tell(sock));
		p.fd = e.fd;
		poll(&p, 1, -1);
		_exit(2);
	case RESERVED:
		put_nth(&tx, records, false);
		break;
	case HELD_BACK:
		put_nth(&tx, records, true);
		put_nth(&tx, records + 1, true);
		break;
	case HEADER_ONLY:
		put_nth(&tx, records, true);
		shmring_store_release(shmring_spsc_word(&tx, tx.hold_pos), tx.hold_word);
		break;
	case NOT_KICKED:
		put_nth(&tx, records, true);
		shmring_spsc_publish(&tx);
		break;
	case MAPPED_ONLY:
		close(e.fd);
		break;
	case CLOSING:
		shmring_store(&e.cursor->closed, (__u32)getpid());
		break;
	default:
		break;
	}
	CHECK(tell(sock));
	pause();
	_exit(2);
}

FIXTURE_SETUP(killed)
{
	int fd, err = 0;

	strcpy(self->name, unique_name());
	ASSERT_LE(0, child_start(&self->victim));
	if (!self->victim.pid) {
		CHECK(hear(self->victim.sock));
		victim(self->name, variant->role, variant->state, variant->records,
		       self->victim.sock);
	}
	self->mine = variant->role == PRODUCER ? CONSUMER : PRODUCER;
	self->visible = variant->records +
			(variant->state == HEADER_ONLY || variant->state == NOT_KICKED);
	fd = ring_create(SPSC, self->mine, page_size(), self->name);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&self->e, fd));
	self->its = self->e.info.slot ^ 1;
	if (self->mine == PRODUCER)
		err = tx_init(&self->tx, &self->e);
	else
		rx_init(&self->rx, &self->e);
	ASSERT_EQ(0, err);
	self->efd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(0, ring_eventfd(fd, SHMRING_EV_PEER, self->efd));
	ASSERT_TRUE(tell(self->victim.sock));
	ASSERT_TRUE(hear(self->victim.sock));
	ASSERT_TRUE((variant->state != WAITING && variant->state != POLLING) ||
		    until_asleep(self->victim.pid));
}

FIXTURE_TEARDOWN(killed)
{
	endpoint_unmap(&self->e);
	close(self->e.fd);
	close(self->efd);
}

static void expect_records(struct __test_metadata *_metadata, FIXTURE_DATA(killed) *self,
			   unsigned int first, unsigned int end)
{
	unsigned char buf[64];

	for (unsigned int i = first; i < end; i++) {
		ASSERT_EQ(PAYLOAD, rx_try(&self->e, &self->rx, buf, sizeof(buf)));
		EXPECT_EQ((unsigned char)i, buf[0]);
		EXPECT_EQ((unsigned char)i, buf[PAYLOAD - 1]);
	}
	EXPECT_EQ(-EAGAIN, rx_try(&self->e, &self->rx, buf, sizeof(buf)));
}

TEST_F(killed, survivor_is_told)
{
	__u32 state = variant->state == CLOSING ? SHMRING_SLOT_CLOSED : SHMRING_SLOT_DEAD;
	int err = variant->state == CLOSING ? -EPIPE : -EOWNERDEAD;
	__u32 event = self->mine == PRODUCER ? SHMRING_EV_OUT : SHMRING_EV_IN;
	__u64 n;

	EXPECT_EQ(0, poll_now(self->e.fd, POLLIN | POLLOUT) & POLLHUP);
	EXPECT_EQ(-EAGAIN, ring_wait(self->e.fd, PEER_END, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(SHMRING_SLOT_LIVE, shmring_load(&self->e.meta->slot[self->its].state));
	EXPECT_EQ(-1, read(self->efd, &n, sizeof(n)));

	ASSERT_EQ(128 + SIGKILL, child_kill(&self->victim));
	EXPECT_EQ(POLLHUP, poll_now(self->e.fd, 0));
	EXPECT_EQ(sizeof(n), read(self->efd, &n, sizeof(n)));
	EXPECT_EQ(PEER_END, ring_wait(self->e.fd, PEER_END, SHMRING_DEADLINE_NEVER));
	EXPECT_EQ(state, shmring_load(&self->e.meta->slot[self->its].state));
	EXPECT_EQ(SHMRING_ARMED_GONE, shmring_load(&endpoint_peer(&self->e)->armed));
	ASSERT_EQ(0, ring_info(self->e.fd, &self->e.info));
	EXPECT_EQ(1, self->e.info.slots_live);

	if (self->mine == CONSUMER) {
		if (variant->records) {		/* what is left comes first */
			EXPECT_EQ((int)event, ring_wait(self->e.fd, event, SHMRING_DEADLINE_NEVER));
			EXPECT_EQ((int)event, ring_wait_need(self->e.fd, event, 4000,
							     SHMRING_DEADLINE_NEVER));
		}
		expect_records(_metadata, self, 0, self->visible);
	} else {	/* from the word that it reads anyway */
		EXPECT_EQ(-EPIPE, send_nth(&self->e, &self->tx, 1));
	}
	EXPECT_EQ(err, ring_wait(self->e.fd, event, SHMRING_DEADLINE_NEVER));
	EXPECT_EQ(err, ring_wait(self->e.fd, event, SHMRING_DEADLINE_NOW));
	EXPECT_EQ(PEER_END, PEER_END & ring_wait(self->e.fd, event | PEER_END,
						 SHMRING_DEADLINE_NEVER));
	EXPECT_EQ(POLLHUP, POLLHUP & poll_now(self->e.fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, poll_now(self->e.fd, POLLIN | POLLOUT) & POLLERR);
}

TEST_F(killed, successor_goes_on)
{
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
	struct endpoint next;
	unsigned char buf[64];

	EXPECT_EQ(-EBUSY, ring_attach(variant->role, self->name));
	for (unsigned int i = 0; i < 3 && self->mine == PRODUCER; i++) {
		put_nth(&self->tx, i, true);
		shmring_spsc_publish(&self->tx);	/* and no kick: it sleeps on */
	}
	ASSERT_EQ(128 + SIGKILL, child_kill(&self->victim));
	ASSERT_EQ(0, endpoint_map(&next, ring_attach(variant->role, self->name)));
	EXPECT_EQ(0, poll_now(self->e.fd, POLLIN | POLLOUT) & POLLHUP);
	EXPECT_EQ(SHMRING_SLOT_LIVE, shmring_load(&self->e.meta->slot[self->its].state));
	EXPECT_EQ(2, shmring_load(&self->e.meta->slot[self->its].generation));
	EXPECT_EQ(SHMRING_ARMED_NO, shmring_load(&next.cursor->armed));
	EXPECT_EQ(0, next.cursor->closed);
	if (variant->role == PRODUCER) {
		ASSERT_EQ(0, tx_init(&tx, &next));
		if (variant->records < 63)
			EXPECT_EQ(0, send_nth(&next, &tx, self->visible));
		expect_records(_metadata, self, 0,
			       self->visible + (variant->records < 63));
	} else {
		rx_init(&rx, &next);
		for (unsigned int i = 0; i < 3; i++) {
			ASSERT_EQ(PAYLOAD, rx_try(&next, &rx, buf, sizeof(buf)));
			EXPECT_EQ(i, buf[0]);
		}
		EXPECT_EQ(0, send_nth(&self->e, &self->tx, 3));
		EXPECT_EQ(PAYLOAD, rx_try(&next, &rx, buf, sizeof(buf)));
		EXPECT_EQ(3, buf[0]);
	}
	endpoint_unmap(&next);
	close(next.fd);
}

/* ---- a survivor that sleeps when it happens ---- */

FIXTURE(asleep) {
	struct child victim, sleeper;
	char name[SHMRING_NAME_MAX];
};

FIXTURE_VARIANT(asleep) {
	__u32 role;		/* of the victim */
	__u32 closed;
	int err;
};

FIXTURE_VARIANT_ADD(asleep, consumer_sleeps) { PRODUCER, 0, EOWNERDEAD };
FIXTURE_VARIANT_ADD(asleep, producer_sleeps) { CONSUMER, 0, EOWNERDEAD };
FIXTURE_VARIANT_ADD(asleep, consumer_sleeps_closed) { PRODUCER, 1, EPIPE };
FIXTURE_VARIANT_ADD(asleep, producer_sleeps_closed) { CONSUMER, 1, EPIPE };

/* Neither has anything that the other opened. */
FIXTURE_SETUP(asleep)
{
	struct endpoint e;

	strcpy(self->name, unique_name());
	ASSERT_LE(0, child_start(&self->victim));
	if (!self->victim.pid) {
		CHECK_EQ(0, endpoint_map(&e, ring_create(SPSC, variant->role, page_size(),
							 self->name)));
		shmring_store(&e.cursor->closed, variant->closed ? (__u32)getpid() : 0);
		CHECK(tell(self->victim.sock));
		pause();
		_exit(2);
	}
	ASSERT_TRUE(hear(self->victim.sock));
}

FIXTURE_TEARDOWN(asleep) {}

static void sleep_until_end(const char *name, __u32 role, __u32 events, int want, int sock)
{
	struct shmring_spsc_tx tx;
	struct endpoint e;

	CHECK_EQ(0, endpoint_map(&e, ring_attach(role, name)));
	if (role == PRODUCER) {
		CHECK_EQ(0, tx_init(&tx, &e));
		while (!send_nth(&e, &tx, 0))
			;
	}
	CHECK(tell(sock));
	CHECK_EQ(want, ring_wait(e.fd, events, SHMRING_DEADLINE_NEVER));
	_exit(0);
}

TEST_F(asleep, wait)
{
	__u32 role = variant->role ^ PRODUCER ^ CONSUMER;

	ASSERT_LE(0, child_start(&self->sleeper));
	if (!self->sleeper.pid)
		sleep_until_end(self->name, role,
				role == PRODUCER ? SHMRING_EV_OUT : SHMRING_EV_IN,
				-variant->err, self->sleeper.sock);
	ASSERT_TRUE(hear(self->sleeper.sock));
	ASSERT_TRUE(until_asleep(self->sleeper.pid));
	ASSERT_EQ(128 + SIGKILL, child_kill(&self->victim));
	EXPECT_EQ(0, child_end(&self->sleeper));
}

TEST_F(asleep, wait_for_the_peer)
{
	__u32 role = variant->role ^ PRODUCER ^ CONSUMER;

	ASSERT_LE(0, child_start(&self->sleeper));
	if (!self->sleeper.pid)
		sleep_until_end(self->name, role, PEER_END, PEER_END, self->sleeper.sock);
	ASSERT_TRUE(hear(self->sleeper.sock));
	ASSERT_TRUE(until_asleep(self->sleeper.pid));
	ASSERT_EQ(128 + SIGKILL, child_kill(&self->victim));
	EXPECT_EQ(0, child_end(&self->sleeper));
}

TEST_F(asleep, poll)
{
	__u32 role = variant->role ^ PRODUCER ^ CONSUMER;
	struct pollfd p = { 0 };

	ASSERT_LE(0, child_start(&self->sleeper));
	if (!self->sleeper.pid) {
		p.fd = ring_attach(role, self->name);
		CHECK_EQ(0, p.fd < 0);
		CHECK(tell(self->sleeper.sock));
		CHECK_EQ(1, poll(&p, 1, -1));
		CHECK_EQ(POLLHUP, p.revents);
		_exit(0);
	}
	ASSERT_TRUE(hear(self->sleeper.sock));
	ASSERT_TRUE(until_asleep(self->sleeper.pid));
	ASSERT_EQ(128 + SIGKILL, child_kill(&self->victim));
	EXPECT_EQ(0, child_end(&self->sleeper));
}

TEST_HARNESS_MAIN
