// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Waiting until all that was sent has been received, in each topology: not earlier, not
 * without end when a consumer dies or leaves, and told by the last release.
 */
#include "many.h"

#define COUNT	8

static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };

static struct shmring_opts drain_opts(uint32_t topology)
{
	unsigned int consumers = topology == QUEUE || topology == BCAST ? 2 : 1;
	struct shmring_opts o = many_opts(topology, topology == SHMRING_TOPO_SPSC ? 1 : 2,
					  consumers, SHMRING_SPIN_AUTO);

	return o;
}

static void drain_send(struct shmring *p, uint64_t count)
{
	uint64_t n;

	for (n = 0; n < count; n++)
		CHECK_EQ(shmring_send(p, &n, sizeof(n), SHMRING_NOWAIT), 0);
}

/* The last release, and no other, tells the producer that sleeps. */
static void told_by_the_last(uint32_t topology)
{
	struct shmring_opts o = drain_opts(topology);
	pid_t pid, producer = getpid();
	struct shmring *p, *c;
	uint64_t in, n;
	int ready[2];

	NEED(!pipe(ready) && !shmring_create(NULL, PROD, &o, &p));
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		test_tell(ready[1]);
		for (n = 0; n < COUNT && !test_bad; n++) {
			CHECK_EQ(test_until_asleep(producer), 0);
			CHECK_EQ(shmring_recv(c, &in, sizeof(in), SHMRING_FOREVER), 8);
			CHECK_EQ(in, n);
		}
		test_exit();
	}
	NEED(!test_hear(ready[0]));
	drain_send(p, COUNT);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), 0);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), 0);
	CHECK_EQ(test_reap(pid), 0);
	shmring_close(p);
	close(ready[0]);
	close(ready[1]);
}

static void last_release_tells(void)
{
	unsigned int k;

	for (k = 0; k < 4; k++)
		told_by_the_last(topologies[k]);
}

static void peeked_is_not_received(uint32_t topology)
{
	struct shmring_opts o = drain_opts(topology);
	const void *payload;
	struct shmring *p, *c;

	NEED(!test_pair(&o, &p, &c));
	drain_send(p, 1);
	CHECK_EQ(shmring_peek(c, &payload, SHMRING_NOWAIT), 8);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_drain(p, test_in_ms(20)), -ETIMEDOUT);
	CHECK_EQ(shmring_release(c), 0);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), 0);
	/* What was put is shown, and then it is missing. */
	CHECK_EQ(shmring_reserve(p, 8, (void **)(uintptr_t)&payload, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_put(p, 8), 0);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_peek(c, &payload, SHMRING_NOWAIT), 8);
	CHECK_EQ(shmring_release(c), 0);
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), 0);
	/* What it received before it left counts. */
	shmring_close(c);
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), 0);
	shmring_close(p);
}

static void release_is_receiving(void)
{
	unsigned int k;

	for (k = 0; k < 4; k++)
		peeked_is_not_received(topologies[k]);
}

/* A consumer ends while the producer waits for it: in order, or killed. */
static void ends(uint32_t topology, int killed)
{
	struct shmring_opts o = drain_opts(topology);
	pid_t pid, producer = getpid();
	struct shmring *p, *c;
	int ready[2], want;
	uint64_t in;

	NEED(!pipe(ready) && !shmring_create(NULL, PROD, &o, &p));
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		test_tell(ready[1]);
		CHECK_EQ(shmring_recv(c, &in, sizeof(in), SHMRING_FOREVER), 8);
		CHECK_EQ(test_until_asleep(producer), 0);
		if (killed)
			raise(SIGKILL);
		shmring_close(c);
		test_exit();
	}
	NEED(!test_hear(ready[0]));
	drain_send(p, COUNT);
	/* Who joins a BROADCAST ring has no claim to what was sent before. */
	want = topology == BCAST ? 0 : killed ? -EOWNERDEAD : -EPIPE;
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), want);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), want);
	if (want)
		CHECK_EQ(shmring_send(p, &in, sizeof(in), SHMRING_NOWAIT), want);
	CHECK_EQ(test_reap(pid), killed ? 128 + SIGKILL : 0);
	shmring_close(p);
	close(ready[0]);
	close(ready[1]);
}

static void consumer_leaves(void)
{
	unsigned int k;

	for (k = 0; k < 4; k++)
		ends(topologies[k], 0);
}

static void consumer_dies(void)
{
	unsigned int k;

	if (test_no_slices())
		SKIP("nobody looks for deaths");
	for (k = 0; k < 4; k++)
		ends(topologies[k], 1);
}

/* What a dead consumer of a QUEUE had in its hands, another one has to receive. */
static void orphans_are_not_received(void)
{
	struct shmring_opts o = drain_opts(QUEUE);
	struct shmring *p, *c, *dead;
	const void *payload;
	uint64_t in;
	int ready[2];
	pid_t pid;

	NEED(!pipe(ready) && !test_pair(&o, &p, &c));
	drain_send(p, 1);
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &dead), 0);
		CHECK_EQ(shmring_peek(dead, &payload, SHMRING_FOREVER), 8);
		test_tell(ready[1]);
		pause();
	}
	NEED(!test_hear(ready[0]));
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_recv(c, &in, sizeof(in), SHMRING_FOREVER), 8);
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), 0);
	shmring_close(c);
	shmring_close(p);
	close(ready[0]);
	close(ready[1]);
}

/* Two consumers release the last records at the same time: one of them tells. */
static void both_make_room(void)
{
	struct shmring_opts o = drain_opts(QUEUE);
	uint64_t rounds = test_rounds(500) * test_stress(), n;
	struct shmring *p, *c;
	pid_t pid[2];
	unsigned int k;
	uint64_t in;

	o.spin_ns = SHMRING_SPIN_NEVER;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	for (k = 0; k < 2; k++) {
		pid[k] = test_fork();
		if (pid[k])
			continue;
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
		while (!test_bad && shmring_recv(c, &in, sizeof(in), SHMRING_FOREVER) == 8)
			;
		test_exit();
	}
	for (n = 0; n < rounds && !test_bad; n++) {
		drain_send(p, 4);
		CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), 0);
	}
	for (k = 0; k < 2; k++) {
		CHECK_EQ(kill(pid[k], SIGKILL), 0);
		CHECK_EQ(test_reap(pid[k]), 128 + SIGKILL);
	}
	shmring_close(p);
}

static void errors(void)
{
	struct shmring_opts o = drain_opts(SHMRING_TOPO_SPSC);
	struct shmring *p, *c;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_drain(c, SHMRING_NOWAIT), -EACCES);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), 0);
	shmring_close(c);
	shmring_close(p);

	/* Nobody has come yet: what was sent waits for a consumer, and so does this. */
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), 0);
	drain_send(p, 1);
	CHECK_EQ(shmring_drain(p, test_in_ms(20)), -ETIMEDOUT);
	shmring_close(p);

	o.flags = SHMRING_CREATE_SPIN;
	NEED(!test_pair(&o, &p, &c));
	drain_send(p, 1);
	CHECK_EQ(shmring_drain(p, test_in_ms(20)), -ETIMEDOUT);
	shmring_close(c);
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), -EPIPE);
	shmring_close(p);

	o = drain_opts(BCAST);
	o.full_policy = SHMRING_FULL_OVERWRITE;
	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), -EOPNOTSUPP);
	shmring_close(c);
	shmring_close(p);

	o = test_opts(4096, 0);
	o.topology = SHMRING_TOPO_RAW;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_drain(p, SHMRING_FOREVER), -EOPNOTSUPP);
	shmring_close(p);
}

int main(void)
{
	START();
	RUN(last_release_tells);
	RUN(release_is_receiving);
	RUN(consumer_leaves);
	RUN(consumer_dies);
	RUN(orphans_are_not_received);
	RUN(both_make_room);
	RUN(errors);
	DONE();
}
