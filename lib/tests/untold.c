// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Who should have woken a sleeper died on the way there, and who was woken has no use for
 * it: somebody else is told. The sleeper polls, so that nothing but a signal ends it: calls
 * that block look up by themselves.
 *
 * What a process does up to the moment in which it is killed is written by hand where that
 * moment is inside of a call.
 */
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "many.h"
#include "ways.h"

#define PATIENCE_MS	10000
#define BIG		200u

static struct waiter waiter(struct shmring *r, uint32_t event)
{
	struct waiter w = { .r = r, .event = event, .way = POLL };

	CHECK_EQ(waiter_open(&w), 0);
	CHECK_EQ(shmring_arm(r, event), 0);
	return w;
}

static void told(struct waiter *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = w->events };
	uint32_t ready;

	do {
		CHECK_EQ(poll(&pfd, 1, PATIENCE_MS), 1);
		ready = (uint32_t)shmring_arm(w->r, w->event);
	} while (!ready && !test_bad);
	CHECK_EQ(ready, w->event);
}

/* CONTROL as everybody may write it on the memfd backend. */
struct pages {
	struct shmring_meta *meta;
	struct shmring_cursor *cursor[3];
	struct shmring_shared *shared;
};

static struct pages pages(const struct shmring *r)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct pages p = { .meta = NULL };
	unsigned int k;
	char *at;

	CHECK_EQ(shmring_info(r, &info), 0);
	at = mmap(NULL, info.control_size, PROT_READ | PROT_WRITE, MAP_SHARED, shmring_fd(r), 0);
	CHECK(at != MAP_FAILED);
	p.meta = (void *)at;
	for (k = 0; k < 3 && k < info.slots; k++)
		p.cursor[k] = (void *)(at + info.cursor_offset + k * info.cursor_stride);
	p.shared = (void *)(at + info.shared_offset);
	return p;
}

/* A child that joins, says so, waits for its turn, and does @fn. */
struct child {
	pid_t pid;
	int turn;
};

static struct child child_of(struct shmring *r, uint32_t role, struct shmring_opts *o,
			     void (*fn)(struct shmring *mine))
{
	struct child c = { .pid = -1 };
	struct shmring *mine;
	int ready[2], turn[2];

	if (pipe(ready) || pipe(turn))
		return c;
	c.pid = test_fork();
	if (!c.pid) {
		CHECK_EQ(shmring_attach_fd(shmring_fd(r), role, o, &mine), 0);
		if (test_bad)
			test_exit();
		test_tell(ready[1]);
		if (!test_hear(turn[0]))
			fn(mine);
		test_exit();
	}
	close(ready[1]);
	close(turn[0]);
	c.turn = turn[1];
	CHECK_EQ(test_hear(ready[0]), 0);
	close(ready[0]);
	return c;
}

static void child_goes_on(struct child *c)
{
	test_tell(c->turn);
	close(c->turn);
}

static void child_is_killed(struct child *c)
{
	kill(c->pid, SIGKILL);
	CHECK_EQ(test_reap(c->pid), 128 + SIGKILL);
}

static void child_dies(struct child *c)
{
	child_goes_on(c);
	CHECK_EQ(test_reap(c->pid), 128 + SIGKILL);
}

static void does_nothing(struct shmring *r)
{
	(void)r;
	pause();
}

/* ---- whoever buries the dead looks for itself too -------------------------------- */

static void fill(struct shmring *p)
{
	while (!many_send(p, 0, 0, BIG, SHMRING_NOWAIT))
		;
}

/* The slow one of two consumers was all that the producer waited for. */
static void gate_of_a_dead_consumer(void)
{
	struct shmring_opts o = many_opts(BCAST, 1, 2, SHMRING_SPIN_NEVER);
	struct shmring *p, *c;
	struct many_head head;
	struct child slow;
	struct waiter w;

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!test_pair(&o, &p, &c));
	slow = child_of(p, CONS, &o, does_nothing);
	fill(p);
	while (many_recv(c, &head, SHMRING_NOWAIT) >= 0)
		;
	w = waiter(p, SHMRING_EV_OUT);
	child_is_killed(&slow);
	told(&w);
	shmring_close(c);
	waiter_close(&w);
}

static int claimed;

static void claims_one(struct shmring *c)
{
	const void *payload;

	CHECK_EQ(shmring_peek(c, &payload, SHMRING_NOWAIT), BIG);
	if (!test_bad)
		test_tell(claimed);
	pause();
}

/* What it had claimed is the other's, who sleeps. */
static void claim_of_a_dead_consumer(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct many_head head;
	struct shmring *p, *c;
	struct child other;
	struct waiter w;
	int pipes[2];

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!pipe(pipes) && !test_pair(&o, &p, &c));
	claimed = pipes[1];
	other = child_of(p, CONS, &o, claims_one);
	CHECK_EQ(many_send(p, 0, 0, BIG, SHMRING_NOWAIT), 0);
	child_goes_on(&other);
	NEED(!test_hear(pipes[0]));
	close(pipes[0]);
	close(pipes[1]);
	w = waiter(c, SHMRING_EV_IN);
	child_is_killed(&other);
	told(&w);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	waiter_close(&w);
	shmring_close(p);
}

/* As far as a publication goes before it looks for sleepers. */
static void publishes(struct shmring *p)
{
	void *out;

	CHECK_EQ(shmring_reserve(p, BIG, &out, SHMRING_NOWAIT), 0);
	if (test_bad)
		return;
	many_make(out, 1, 0, BIG);
	memset((char *)out + BIG, 0, 8);
	shmring_store_release((uint32_t *)out - 2, SHMRING_REC_READY | BIG);
	shmring_store_release(&p->tx.mine->pos, p->tx.tail + shmring_record_size(BIG));
}

/* ... and before it tells its position. */
static void publishes_untold_and_dies(struct shmring *p)
{
	uint64_t told = shmring_load(&p->tx.mine->pos);

	publishes(p);
	shmring_store(&p->tx.mine->pos, told);
	if (!test_bad)
		raise(SIGKILL);
}

static void publishes_and_dies(struct shmring *p)
{
	publishes(p);
	if (!test_bad)
		raise(SIGKILL);
}

static void record_of_a_dead_producer(void)
{
	struct shmring_opts o = many_opts(QUEUE, 2, 1, SHMRING_SPIN_NEVER);
	struct many_head head;
	struct shmring *p, *c;
	struct child other;
	struct waiter w;

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!test_pair(&o, &p, &c));
	other = child_of(p, PROD, &o, publishes_and_dies);
	w = waiter(c, SHMRING_EV_IN);
	child_dies(&other);
	told(&w);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	CHECK_EQ(head.producer, 1);
	waiter_close(&w);
	shmring_close(p);
}

/* As shmring_memfd_wake() begins. */
/* What was produced is what was consumed, though its producer never said so. */
static void counts_of_a_dead_producer(void)
{
	static const uint32_t topology[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct many_head head;
	struct shmring *p, *c;
	struct child other;
	unsigned int k;

	for (k = 0; k < sizeof(topology) / sizeof(*topology); k++) {
		struct shmring_opts o = many_opts(topology[k], 1, 1, SHMRING_SPIN_NEVER);

		NEED(!test_pair(&o, &p, &c));
		shmring_close(p);
		other = child_of(c, PROD, &o, publishes_untold_and_dies);
		child_dies(&other);
		CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
		CHECK_EQ(shmring_info(c, &info), 0);
		CHECK_EQ(info.consumed, info.produced);
		shmring_close(c);
	}
}

static void takes_the_bit_and_dies(struct shmring *p)
{
	struct pages all = pages(p);

	__atomic_fetch_and(&all.meta->rx_state, ~(1ull << 2), __ATOMIC_SEQ_CST);
	if (!test_bad)
		raise(SIGKILL);
}

static void bit_that_a_dead_waker_took(void)
{
	struct shmring_opts o = many_opts(QUEUE, 2, 1, SHMRING_SPIN_NEVER);
	struct shmring *p, *c;
	struct child waker;
	struct waiter w;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel wakes");
	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!test_pair(&o, &p, &c));
	waker = child_of(p, PROD, &o, takes_the_bit_and_dies);
	w = waiter(c, SHMRING_EV_IN);
	child_dies(&waker);
	CHECK_EQ(many_send(p, 0, 0, BIG, SHMRING_NOWAIT), 0);
	told(&w);
	waiter_close(&w);
	shmring_close(p);
}

/* Who asks more often than the thread looks for deaths does not keep it from that. */
static void end_that_is_asked_for_often(void)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct pollfd pfd = { .events = POLLIN };
	struct shmring *c;
	struct child other;
	int asked = 0, ready;

	if (test_no_slices())
		SKIP("a death is only seen by looking");
	NEED(!shmring_create(NULL, CONS, &o, &c));
	other = child_of(c, PROD, &o, does_nothing);
	pfd.fd = shmring_pollfd(c);
	child_is_killed(&other);
	while (!(ready = shmring_arm(c, SHMRING_EV_PEER)) && asked++ < PATIENCE_MS / 20)
		poll(&pfd, 1, 20);
	CHECK_EQ(ready, SHMRING_EV_PEER);
	shmring_close(c);
}

/*
 * Whoever says of another that it is dead, or comes, and is killed then: nobody else will find
 * that out, and those who sleep are not woken yet.
 */
static void end_that_nobody_lived_to_tell(void)
{
	struct shmring_opts o = many_opts(BCAST, 1, 2, SHMRING_SPIN_NEVER);
	struct many_head head;
	struct shmring *p, *c;
	struct pages all;
	struct child slow;
	struct waiter w;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel tells");
	if (test_no_slices())
		SKIP("it is seen by looking");
	NEED(!test_pair(&o, &p, &c));
	all = pages(p);
	slow = child_of(p, CONS, &o, does_nothing);
	fill(p);
	while (many_recv(c, &head, SHMRING_NOWAIT) >= 0)
		;
	w = waiter(p, SHMRING_EV_OUT);
	shmring_store(&all.meta->wake_due, 1);
	shmring_store_release(&all.meta->slot[2].state, SHMRING_SLOT_DEAD);
	child_is_killed(&slow);
	told(&w);
	CHECK_EQ(shmring_load(&all.meta->wake_due), 0);
	shmring_close(c);
	waiter_close(&w);
}

/*
 * Whoever takes over what a dead consumer had claimed may be killed at each of these steps. It is
 * read, and nobody looks for it any longer.
 */
static void orphan_that_was_being_moved(void)
{
	struct shmring_opts o = many_opts(QUEUE, 2, 2, SHMRING_SPIN_NEVER);
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct many_head head;
	struct shmring *p, *c, *late;
	struct pages all;
	struct child other;
	struct waiter w;
	uint64_t sleeps;
	int ready[2], step, k;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel moves them");
	if (test_no_slices())
		SKIP("it is seen by looking");
	for (step = 0; step < 4; step++) {
		NEED(!pipe(ready) && !test_pair(&o, &p, &c));
		all = pages(p);
		CHECK_EQ(many_send(p, 0, 0, BIG, SHMRING_NOWAIT), 0);
		claimed = ready[1];
		other = child_of(p, CONS, &o, claims_one);
		child_goes_on(&other);
		CHECK_EQ(test_hear(ready[0]), 0);
		child_is_killed(&other);
		while (!shmring_load(&all.meta->orphans) && !test_bad)
			CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, SHMRING_NOWAIT), SHMRING_EV_OUT);
		late = NULL;
		if (step < 3) {		/* a successor in its slot, which never came to live */
			shmring_store(&all.meta->orphan[3].state, SHMRING_ORPHAN_TAKEN);
			shmring_store(&all.meta->wake_due, 1);
			shmring_store(&all.meta->orphans, step ? 0 : 8);
			/* Whoever comes meanwhile has all woken as well. */
			if (step == 2)
				CHECK_EQ(shmring_attach_fd(shmring_fd(p), PROD, &o, &late), 0);
			if (step == 1) {
				w = waiter(c, SHMRING_EV_IN);
				told(&w);
			}
			CHECK_EQ(many_recv(c, &head, test_in_ms(PATIENCE_MS)), BIG);
		} else {		/* by another, up to the bit */
			shmring_store(&all.meta->orphan[3].state, SHMRING_ORPHAN_NONE);
		}
		CHECK_EQ(shmring_get_stats(c, 2, &stats), 0);
		sleeps = stats.sleeps;
		for (k = 0; k < 2; k++)
			CHECK_EQ(many_recv(c, &head, test_in_ms(100)), -ETIMEDOUT);
		CHECK_EQ(shmring_get_stats(c, 2, &stats), 0);
		CHECK(stats.sleeps - sleeps < 10);
		CHECK_EQ(shmring_load(&all.meta->orphans), 0);
		if (late)
			shmring_close(late);
		shmring_close(c);
		shmring_close(p);
		close(ready[0]);
		close(ready[1]);
	}
}

/*
 * Or it is, and the slot that it was to be moved from is taken before anybody sees that. It is
 * read once.
 */
static void orphan_that_was_moved_by_half(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct child first, second;
	struct shmring_orphan *to;
	struct many_head head;
	struct shmring *p, *c;
	struct pages all;
	int ready[2];

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel moves them");
	if (test_no_slices())
		SKIP("it is seen by looking");
	NEED(!pipe(ready) && !shmring_create(NULL, PROD, &o, &p));
	all = pages(p);
	CHECK_EQ(many_send(p, 0, 0, BIG, SHMRING_NOWAIT), 0);
	claimed = ready[1];
	first = child_of(p, CONS, &o, claims_one);
	second = child_of(p, CONS, &o, does_nothing);
	child_goes_on(&first);
	CHECK_EQ(test_hear(ready[0]), 0);
	child_is_killed(&first);
	while (!shmring_load(&all.meta->orphans) && !test_bad)
		CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, SHMRING_NOWAIT), SHMRING_EV_OUT);
	to = &all.meta->orphan[2];
	to->lane = all.meta->orphan[1].lane;
	to->pos = all.meta->orphan[1].pos;
	to->end = all.meta->orphan[1].end;
	shmring_store_release(&to->state, SHMRING_ORPHAN_TAKEN);
	child_is_killed(&second);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	while (shmring_load(&all.meta->slot[2].state) == SHMRING_SLOT_LIVE && !test_bad)
		CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, SHMRING_NOWAIT), SHMRING_EV_OUT);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), 0);
	shmring_close(c);
	shmring_close(p);
	close(ready[0]);
	close(ready[1]);
}

/* ---- whoever comes in the place of a dead one ------------------------------------ */

/* All of the lane, as far as a release goes before it looks for sleepers. */
static void frees_all_and_dies(struct shmring *c)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct pages all = pages(c);
	uint64_t end = all.cursor[0]->pos;

	CHECK_EQ(shmring_info(c, &info), 0);
	if (info.topology == QUEUE)
		shmring_store_release(&all.shared->head[0].claim, end << SHMRING_TAG_SHIFT);
	else if (info.topology == MPSC)
		shmring_store_release(&all.cursor[1]->lane[0].pos, end);
	else
		shmring_store_release(&all.cursor[1]->pos, end);
	if (!test_bad)
		raise(SIGKILL);
}

/* The slot is taken before anybody saw that its owner was dead. */
static void room_that_a_predecessor_left(void)
{
	static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE };
	struct shmring *p, *c;
	struct many_head head;
	struct child dead;
	struct waiter w;
	unsigned int k;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel sees a death before the slot is free");
	for (k = 0; k < 3; k++) {
		struct shmring_opts o = many_opts(topologies[k], 1, 1, SHMRING_SPIN_NEVER);

		NEED(!shmring_create(NULL, PROD, &o, &p));
		dead = child_of(p, CONS, &o, frees_all_and_dies);
		fill(p);
		w = waiter(p, SHMRING_EV_OUT);
		child_dies(&dead);
		NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
		CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), -EAGAIN);
		told(&w);
		shmring_close(c);
		waiter_close(&w);
	}
}

/* Joins with addresses for CONTROL, and none for a lane. */
static void joins_in_vain(int ring, struct shmring_opts *o)
{
	struct rlimit limit = { 0, RLIM_INFINITY };
	unsigned long pages_mapped = 0;
	struct shmring *r;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%lu", &pages_mapped) == 1);
	limit.rlim_cur = pages_mapped * (rlim_t)sysconf(_SC_PAGESIZE) + o->data_size / 4;
	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	CHECK_EQ(shmring_attach_fd(ring, PROD, o, &r), -ENOMEM);
	test_exit();
}

/* Whoever took the slot, and saw that its owner was dead, fails to begin there. */
static void record_that_a_predecessor_left(void)
{
	struct shmring_opts o = many_opts(QUEUE, 2, 1, SHMRING_SPIN_NEVER);
	struct many_head head;
	struct shmring *p, *c;
	struct child dead;
	struct waiter w;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel sees a death before the slot is free");
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	SKIP("sanitizers need more addresses than there would be");
#endif
	o.data_size = 1 << 20;
	NEED(!test_pair(&o, &p, &c));
	dead = child_of(p, PROD, &o, publishes_and_dies);
	w = waiter(c, SHMRING_EV_IN);
	child_dies(&dead);
	pid = test_fork();
	if (!pid)
		joins_in_vain(shmring_fd(p), &o);
	CHECK_EQ(test_reap(pid), 0);
	told(&w);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	waiter_close(&w);
	shmring_close(p);
}

/* ---- whoever was woken has no use for it ------------------------------------------- */

static void receives_one(struct shmring *c)
{
	struct many_head head;

	CHECK_EQ(many_recv(c, &head, SHMRING_FOREVER), BIG);
	pause();
}

/* In the ring, not on its way there. */
static void until_asleep(struct shmring *r, unsigned int slot, pid_t pid)
{
	struct shmring_stats stats = { .size = sizeof(stats) };

	do
		CHECK_EQ(shmring_get_stats(r, slot, &stats), 0);
	while (!stats.sleeps && !test_bad && !sched_yield());
	CHECK_EQ(test_until_asleep(pid), 0);
}

/* Its bit and armed stay, and it does not sleep there any more. */
static void stops(struct child *c, int sig)
{
	siginfo_t info;

	kill(c->pid, sig);
	CHECK_EQ(waitid(P_PID, (id_t)c->pid, &info, WEXITED | WSTOPPED | WNOWAIT), 0);
}

/*
 * Records for one consumer, or for two of which the first wakes the next. One that would be
 * asked before this process's is armed and does not sleep.
 */
static void sleeper_stops(int sig, unsigned int records)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 3, SHMRING_SPIN_NEVER);
	struct child first = { .pid = -1 }, sleeper;
	unsigned char buf[2][BIG];
	struct iovec msgs[2];
	struct many_head head;
	struct shmring *p, *c;
	struct waiter w;
	unsigned int k;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	if (records > 1) {
		first = child_of(p, CONS, &o, receives_one);
		child_goes_on(&first);
		until_asleep(p, 1, first.pid);
	}
	sleeper = child_of(p, CONS, &o, receives_one);
	child_goes_on(&sleeper);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	until_asleep(p, records, sleeper.pid);
	w = waiter(c, SHMRING_EV_IN);
	stops(&sleeper, sig);
	for (k = 0; k < records; k++) {
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = many_make(buf[k], 0, k, BIG);
	}
	CHECK_EQ(shmring_send_batch(p, msgs, records, SHMRING_NOWAIT), records);
	told(&w);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	if (records > 1)
		child_is_killed(&first);
	child_is_killed(&sleeper);
	waiter_close(&w);
	shmring_close(p);
}

static void sleeper_is_stopped(void) { sleeper_stops(SIGSTOP, 1); }
static void sleeper_is_killed(void) { sleeper_stops(SIGKILL, 1); }
static void next_sleeper_is_stopped(void) { sleeper_stops(SIGSTOP, 2); }
static void next_sleeper_is_killed(void) { sleeper_stops(SIGKILL, 2); }

/*
 * The same of one that waits for more than there is: its share of it is there, so that it
 * has to look, and it leaves all to others.
 */
static uint64_t threshold_bytes, threshold_records;

static void waits_for_more(struct shmring *c)
{
	shmring_wait_for(c, SHMRING_EV_IN, threshold_bytes, threshold_records, SHMRING_FOREVER);
	pause();
}

static void threshold_first(unsigned int records)
{
	struct shmring_opts o = many_opts(QUEUE, 2, 3, SHMRING_SPIN_NEVER);
	struct child first = { .pid = -1 }, patient;
	unsigned char buf[5][BIG];
	struct iovec msgs[5];
	struct shmring *p, *other, *c;
	struct many_head head;
	struct waiter w;
	unsigned int k;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	NEED(!shmring_attach_fd(shmring_fd(p), PROD, &o, &other));
	if (records > 4) {
		first = child_of(p, CONS, &o, receives_one);
		child_goes_on(&first);
		until_asleep(p, 2, first.pid);
	}
	patient = child_of(p, CONS, &o, waits_for_more);
	child_goes_on(&patient);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	until_asleep(p, records > 4 ? 3 : 2, patient.pid);
	w = waiter(c, SHMRING_EV_IN);
	for (k = 0; k < records; k++) {
		msgs[k].iov_base = buf[k];
		msgs[k].iov_len = many_make(buf[k], 0, k, BIG);
	}
	CHECK_EQ(shmring_send_batch(p, msgs, records, SHMRING_NOWAIT), records);
	told(&w);
	CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	if (records > 4)
		child_is_killed(&first);
	child_is_killed(&patient);
	waiter_close(&w);
	shmring_close(other);
	shmring_close(p);
}

static void threshold_of_bytes_first(void)
{
	threshold_bytes = 7 * BIG;
	threshold_records = 0;
	threshold_first(4);
	threshold_first(5);
}

static void threshold_of_records_first(void)
{
	threshold_bytes = 0;
	threshold_records = 7;
	threshold_first(4);
	threshold_first(5);
}

static void receives_in_time(struct shmring *c)
{
	uint64_t until = test_in_ms(PATIENCE_MS);
	struct many_head head;

	CHECK_EQ(many_recv(c, &head, until), BIG);
	CHECK(test_now() < until);	/* and was not found by a last look */
}

/* The library's thread, on the memfd backend, has seen what it is to wait for. */
static void until_thread_sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	pid_t last = 0;

	CHECK(tasks);
	while (tasks && (task = readdir(tasks)))
		if (atoi(task->d_name) > last)
			last = atoi(task->d_name);
	if (tasks)
		closedir(tasks);
	if (last != getpid())
		CHECK_EQ(test_until_asleep(last), 0);
}

/* One that polls is told, and has something else to do. */
static void poller_is_busy(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct child sleeper;
	struct shmring *p, *c;
	struct waiter busy;

	NEED(!test_pair(&o, &p, &c));
	sleeper = child_of(p, CONS, &o, receives_in_time);
	child_goes_on(&sleeper);
	until_asleep(p, 2, sleeper.pid);
	busy = waiter(c, SHMRING_EV_IN);
	until_thread_sleeps();
	CHECK_EQ(many_send(p, 0, 0, BIG, SHMRING_NOWAIT), 0);
	CHECK_EQ(test_reap(sleeper.pid), 0);
	waiter_close(&busy);
	shmring_close(p);
}

/* ---- whoever looked for sleepers too early ------------------------------------------ */

static void forbid_membarrier(void)
{
	struct sock_filter ops[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(ops) / sizeof(ops[0]), ops };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

/*
 * A producer makes no fences: its look at the sleepers may come before its record is seen.
 * One that joins cannot make the fence for it.
 */
static void record_without_a_fence(void)
{
	struct shmring_opts o = many_opts(QUEUE, 1, 2, SHMRING_SPIN_NEVER);
	struct many_head head;
	struct shmring *p, *c;
	struct pages all;
	struct waiter w;
	uint64_t nth;
	int ready[2];
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the kernel makes the fence");
	if (test_no_slices())
		SKIP("it is seen by looking");
	NEED(!pipe(ready) && !test_pair(&o, &p, &c));
	all = pages(p);
	for (nth = 0; nth < 5000 && !test_bad; nth++) {
		CHECK_EQ(many_send(p, 0, nth, BIG, SHMRING_NOWAIT), 0);
		CHECK_EQ(many_recv(c, &head, SHMRING_NOWAIT), BIG);
	}
	if (shmring_load(&all.cursor[0]->unfenced) != SHMRING_UNFENCED) {
		shmring_close(c);
		shmring_close(p);
		SKIP("membarrier(2) is missing for all");
	}
	pid = test_fork();
	if (!pid) {
		forbid_membarrier();
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &w.r), 0);
		if (test_bad)
			test_exit();
		w = waiter(w.r, SHMRING_EV_IN);
		CHECK_EQ(shmring_load(&all.cursor[2]->unfenced), SHMRING_FENCES_NEEDED);
		test_tell(ready[1]);
		told(&w);
		CHECK_EQ(many_recv(w.r, &head, SHMRING_NOWAIT), BIG);
		test_exit();
	}
	NEED(!test_hear(ready[0]));
	publishes(p);
	CHECK_EQ(test_reap(pid), 0);
	close(ready[0]);
	close(ready[1]);
	shmring_close(c);
	shmring_close(p);
}

int main(void)
{
	START();
	RUN(gate_of_a_dead_consumer);
	RUN(claim_of_a_dead_consumer);
	RUN(record_of_a_dead_producer);
	RUN(counts_of_a_dead_producer);
	RUN(bit_that_a_dead_waker_took);
	RUN(end_that_is_asked_for_often);
	RUN(end_that_nobody_lived_to_tell);
	RUN(orphan_that_was_being_moved);
	RUN(orphan_that_was_moved_by_half);
	RUN(room_that_a_predecessor_left);
	RUN(record_that_a_predecessor_left);
	RUN(sleeper_is_stopped);
	RUN(sleeper_is_killed);
	RUN(next_sleeper_is_stopped);
	RUN(next_sleeper_is_killed);
	RUN(threshold_of_bytes_first);
	RUN(threshold_of_records_first);
	RUN(poller_is_busy);
	RUN(record_without_a_fence);
	DONE();
}
