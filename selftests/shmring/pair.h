/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both endpoints of an SPSC ring in one process: events can be tested step by step.
 */
#ifndef PAIR_H
#define PAIR_H

#include "endpoint.h"

#define IN	SHMRING_EV_IN
#define OUT	SHMRING_EV_OUT
#define PEER	SHMRING_EV_PEER
#define NOW	SHMRING_DEADLINE_NOW
#define NEVER	SHMRING_DEADLINE_NEVER

FIXTURE(pair) {
	int producer, consumer;
	struct endpoint p, c;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
};

FIXTURE_SETUP(pair)
{
	self->producer = ring_create(SPSC, PRODUCER, 4096, NULL);
	ASSERT_LE(0, self->producer);
	self->consumer = ring_attach_fd(CONSUMER, self->producer);
	ASSERT_LE(0, self->consumer);
	ASSERT_EQ(0, endpoint_map(&self->p, self->producer));
	ASSERT_EQ(0, endpoint_map(&self->c, self->consumer));
	ASSERT_EQ(0, tx_init(&self->tx, &self->p));
	rx_init(&self->rx, &self->c);
}

FIXTURE_TEARDOWN(pair)
{
	endpoint_unmap(&self->p);
	endpoint_unmap(&self->c);
	close(self->producer);
	close(self->consumer);
}

HELPER int send_one(FIXTURE_DATA(pair) *self, size_t len)
{
	char buf[4096] = { 0 };

	return tx_try(&self->p, &self->tx, buf, len);
}

HELPER long take_one(FIXTURE_DATA(pair) *self)
{
	char buf[4096];

	return rx_try(&self->c, &self->rx, buf, sizeof(buf));
}

HELPER bool armed(const struct endpoint *e)
{
	return shmring_load(&e->cursor->armed) == SHMRING_ARMED_YES;
}

#endif /* PAIR_H */
