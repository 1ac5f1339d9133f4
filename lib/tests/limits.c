// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * As many endpoints as a ring can have, and one more: in each topology, with the slots
 * shared out in each way. All of them work, the one too many gets EBUSY, and who leaves
 * makes room for another.
 */
#include "many.h"

#define MOST	SHMRING_SLOTS_MAX

static struct shmring *p[MOST], *c[MOST];

static struct shmring_opts limit_opts(uint32_t topology, uint32_t producers, uint32_t consumers)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);

	o.topology = topology;
	o.producers = producers;
	o.consumers = consumers;
	return o;
}

/* Every producer sends a record; every consumer gets what the topology says. */
static void all_work(uint32_t topology, uint32_t producers, uint32_t consumers)
{
	uint64_t seen[MOST] = { 0 };
	struct many_head head;
	uint32_t k, n, each = topology == QUEUE ? 1 : producers;

	/* Of a QUEUE in turns, so that each consumer has one to take. */
	for (k = 0; k < (topology == QUEUE ? consumers : producers); k++)
		CHECK_EQ(many_send(p[k % producers], k % producers, 7, 16, SHMRING_NOWAIT), 0);
	for (k = 0; k < consumers; k++) {
		for (n = 0; n < each; n++) {
			CHECK_EQ(many_recv(c[k], &head, SHMRING_NOWAIT), 16);
			CHECK(head.producer < producers && head.nth == 7);
			if (test_bad)
				return;
			seen[head.producer]++;
		}
	}
	for (k = 0; k < producers && topology != QUEUE; k++)
		CHECK_EQ(seen[k], consumers);
	for (k = 0; k < consumers; k++)
		CHECK_EQ(many_recv(c[k], &head, SHMRING_NOWAIT), -EAGAIN);
}

/* One leaves, from the middle: another one gets its slot, and again all work. */
static void one_for_another(int fd, uint32_t role, struct shmring **of, uint32_t count,
			    uint32_t first)
{
	struct shmring_opts o = test_opts(0, SHMRING_SPIN_NEVER);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *more;

	CHECK_EQ(shmring_attach_fd(fd, role, &o, &more), -EBUSY);
	shmring_close(of[count / 2]);
	NEED(!shmring_attach_fd(fd, role, &o, &of[count / 2]));
	CHECK_EQ(shmring_info(of[count / 2], &info), 0);
	CHECK_EQ(info.slot, first + count / 2);
	CHECK_EQ(shmring_attach_fd(fd, role, &o, &more), -EBUSY);
}

static void full_house(uint32_t topology, uint32_t producers, uint32_t consumers)
{
	struct shmring_opts o = limit_opts(topology, producers, consumers);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *watch;
	uint32_t k;

	NEED(!shmring_create(NULL, OBS, &o, &watch));
	for (k = 0; k < consumers; k++)
		NEED(!shmring_attach_fd(shmring_fd(watch), CONS, &o, &c[k]));
	for (k = 0; k < producers; k++)
		NEED(!shmring_attach_fd(shmring_fd(watch), PROD, &o, &p[k]));
	CHECK_EQ(shmring_info(watch, &info), 0);
	CHECK_EQ(info.slots, producers + consumers);
	CHECK_EQ(info.slots_live, producers + consumers);
	all_work(topology, producers, consumers);
	one_for_another(shmring_fd(watch), PROD, p, producers, 0);
	one_for_another(shmring_fd(watch), CONS, c, consumers, producers);
	all_work(topology, producers, consumers);
	for (k = 0; k < producers; k++)
		shmring_close(p[k]);
	for (k = 0; k < consumers; k++)
		shmring_close(c[k]);
	CHECK_EQ(shmring_info(watch, &info), 0);
	CHECK_EQ(info.slots_live, 0);
	if (test_bad)
		printf("# topology %u, %u producers, %u consumers\n", topology, producers,
		       consumers);
	shmring_close(watch);
}

static void not_to_be_had(uint32_t topology, uint32_t producers, uint32_t consumers)
{
	struct shmring_opts o = limit_opts(topology, producers, consumers);
	struct shmring *r;

	CHECK_EQ(shmring_create(NULL, OBS, &o, &r), -EINVAL);
}

static void spsc(void)
{
	full_house(SHMRING_TOPO_SPSC, 1, 1);
	not_to_be_had(SHMRING_TOPO_SPSC, 2, 1);
	not_to_be_had(SHMRING_TOPO_SPSC, 1, 2);
}

static void mpsc(void)
{
	full_house(MPSC, MOST - 1, 1);
	full_house(MPSC, 1, 1);
	not_to_be_had(MPSC, MOST, 1);
	not_to_be_had(MPSC, MOST, 0);
	not_to_be_had(MPSC, 2, 2);
	not_to_be_had(MPSC, ~0u, 1);
}

static void several(uint32_t topology)
{
	full_house(topology, MOST / 2, MOST / 2);
	full_house(topology, MOST - 1, 1);
	full_house(topology, 1, MOST - 1);
	not_to_be_had(topology, MOST / 2, MOST / 2 + 1);
	not_to_be_had(topology, MOST / 2 + 1, MOST / 2);
	not_to_be_had(topology, MOST, 1);
	not_to_be_had(topology, 1, MOST);
	not_to_be_had(topology, ~0u, 2);
	not_to_be_had(topology, 2, ~0u);
}

static void queue(void) { several(QUEUE); }
static void broadcast(void) { several(BCAST); }

/* Slots of a RAW ring are for either role. */
static void raw(void)
{
	struct shmring_opts o = limit_opts(SHMRING_TOPO_RAW, 0, 0);
	struct shmring *watch, *more;
	uint32_t k;

	o.slots = MOST + 1;
	CHECK_EQ(shmring_create(NULL, OBS, &o, &more), -EINVAL);
	o.slots = MOST;
	NEED(!shmring_create(NULL, OBS, &o, &watch));
	for (k = 0; k < MOST; k++)
		NEED(!shmring_attach_fd(shmring_fd(watch), k & 1 ? PROD : CONS, &o, &p[k]));
	CHECK_EQ(shmring_attach_fd(shmring_fd(watch), PROD, &o, &more), -EBUSY);
	CHECK_EQ(shmring_attach_fd(shmring_fd(watch), CONS, &o, &more), -EBUSY);
	CHECK_EQ(shmring_attach_fd(shmring_fd(watch), PROD | CONS, &o, &more), -EBUSY);
	shmring_close(p[MOST - 1]);
	NEED(!shmring_attach_fd(shmring_fd(watch), PROD | CONS, &o, &p[MOST - 1]));
	for (k = 0; k < MOST; k++)
		shmring_close(p[k]);
	shmring_close(watch);
}

/* Observers take no slot: there may be more of them than of those. */
static void observers(void)
{
	struct shmring_opts o = limit_opts(SHMRING_TOPO_SPSC, 0, 0);
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *watch[2 * MOST], *prod;
	uint32_t k;

	NEED(!shmring_create(NULL, PROD, &o, &prod));
	for (k = 0; k < 2 * MOST; k++)
		NEED(!shmring_attach_fd(shmring_fd(prod), OBS, &o, &watch[k]));
	CHECK_EQ(shmring_info(prod, &info), 0);
	CHECK_EQ(info.observers, 2 * MOST);
	CHECK_EQ(info.slots_live, 1);
	for (k = 0; k < 2 * MOST; k++)
		shmring_close(watch[k]);
	shmring_close(prod);
}

/* All lanes together have the limit of one. */
static void lanes_together(void)
{
	struct shmring_opts o = limit_opts(MPSC, 2, 1);
	struct shmring *r;

	o.data_size = SHMRING_DATA_MAX;
	CHECK_EQ(shmring_create(NULL, OBS, &o, &r), -ERANGE);
	o.data_size = SHMRING_DATA_MAX / 2 + 1;
	CHECK_EQ(shmring_create(NULL, OBS, &o, &r), -ERANGE);
	o.producers = MOST - 1;
	o.data_size = SHMRING_DATA_MAX / 16;
	CHECK_EQ(shmring_create(NULL, OBS, &o, &r), -ERANGE);
}

int main(void)
{
	START();
	RUN(spsc);
	RUN(mpsc);
	RUN(queue);
	RUN(broadcast);
	RUN(raw);
	RUN(observers);
	RUN(lanes_together);
	DONE();
}
