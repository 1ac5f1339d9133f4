// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The ring core, access by access: SHMRING_STEP() comes before every access to a shared
 * word, and whoever calls it can be stopped there, for a while or for good.
 *
 * Each scenario has two actors. All their interleavings (with at most so many preemptions)
 * are run on sequentially consistent memory, whole, and then with each actor killed at each
 * of its steps in turn; each actor also alone in a child that SIGKILL ends. After every run
 * the endpoints that died are ended as the kernel does it, successors take over, and:
 * what was committed comes exactly once and in order, what was not is gone, nobody waits.
 */
static void hook(void);
#define SHMRING_STEP()	hook()

#include <ucontext.h>

#include "ring.h"

#define SIZE	4096u
#define BIG	1336u		/* three of these fill a lane */
#define DEPTH	400
#define STACK	65536

/* Shared with children that are killed. */
struct world {
	struct ring_tx tx[RING_SLOTS];
	struct ring_rx rx[RING_SLOTS];
	__u32 acked;		/* records whose commit has returned */
	__u32 next;		/* the next that is to be committed */
	__u32 told[2];		/* records whose release has returned */
	__u32 blamed;		/* how often nonsense was told of after the setup */
	__u32 sleeps, woken;	/* the producer, until it has what it waits for */
	__u32 first;		/* OVERWRITE, joining: the first that was delivered, plus one */
	__u32 last;
	unsigned char seen[64];
};

struct scenario {
	const char *name;
	__u32 topology, producers, consumers, overwrite;
	__u32 bound;		/* preemptions; those with a kill get one less */
	void (*setup)(void);

	void (*actor[2])(void);
	__u32 slot[3];		/* whose end a killed actor is; of the second one's, one more + 1 */
	void (*check)(int victim);
};

static struct ring r;
static struct world *w;
static ucontext_t scheduler, context[2];
static char stack[2][STACK];
static int current = -1;
static int done[2];
static unsigned int until_kill;

static void hook(void)
{
	if (until_kill && !--until_kill)
		raise(SIGKILL);
	if (current >= 0)
		swapcontext(&context[current], &scheduler);
}

/* ---- the explorer -------------------------------------------------------------------- */

static const struct scenario *now;
static unsigned char choice[DEPTH], may[DEPTH];
static unsigned long runs;

static void trampoline(void)
{
	int me = current;

	now->actor[me]();
	done[me] = 1;
	current = -1;
	setcontext(&scheduler);
}

static void reset(void)
{
	ring_reset(&r);
	memset(w, 0, sizeof(*w));
	now->setup();
}

static void prepare(int k)
{
	getcontext(&context[k]);
	context[k].uc_stack.ss_sp = stack[k];
	context[k].uc_stack.ss_size = STACK;
	context[k].uc_link = &scheduler;
	makecontext(&context[k], trampoline, 0);
	done[k] = 0;
}

/* One that sends for several is killed with all of them, one that claims and sends as both. */
static void bury(const struct scenario *s, int victim)
{
	__u32 k;

	if (!victim && s->producers > 1)
		for (k = 1; k < s->producers; k++)
			ring_end(&r, k, SHMRING_SLOT_DEAD);
	if (victim && s->slot[2])
		ring_end(&r, s->slot[2] - 1, SHMRING_SLOT_DEAD);
	ring_end(&r, s->slot[victim], SHMRING_SLOT_DEAD);
}

/* One run by choice[]; at @kill_at steps @victim is no more. Return: was it killed. */
static int run(int victim, unsigned int kill_at, unsigned int bound, unsigned int *len)
{
	unsigned int d = 0, used = 0, steps[2] = { 0, 0 };
	int me = 0, k, killed = 0;

	reset();
	for (k = 0; k < 2; k++)
		prepare(k);
	while (!done[0] || !done[1]) {
		if (!done[0] && !done[1]) {
			if (d >= DEPTH)
				abort();
			if (d >= *len) {
				choice[d] = 0;
				*len = d + 1;
			}
			may[d] = !d || used < bound;
			if (choice[d]) {
				me = !me;
				used += !!d;
			}
			d++;
		} else {
			me = done[0];
		}
		if (me == victim && steps[me] == kill_at) {
			done[me] = 1;
			killed = 1;
			continue;
		}
		steps[me]++;
		current = me;
		swapcontext(&scheduler, &context[me]);
		current = -1;
	}
	*len = d;
	runs++;
	return killed;
}

static int explore(const struct scenario *s, int victim, unsigned int kill_at)
{
	unsigned int len = 0, d;
	int killed = 0, was, bad = test_bad;

	for (;;) {
		was = run(victim, kill_at, victim < 0 ? s->bound : s->bound - 1, &len);
		killed |= was;
		if (was)
			bury(s, victim);
		s->check(was ? victim : -1);
		if (test_bad != bad) {
			printf("# %s: victim %d at step %u, switches at", s->name, victim, kill_at);
			for (d = 0; d < len; d++)
				if (choice[d])
					printf(" %u", d);
			printf("\n");
			return 0;
		}
		for (d = len; d && (choice[d - 1] || !may[d - 1]); d--)
			;
		if (!d)
			return killed;
		choice[d - 1] = 1;
		len = d;
	}
}

/* A process of its own, killed by its kernel at each step. */
static void alone(const struct scenario *s, int victim)
{
	unsigned int k;
	int status;
	pid_t pid;

	for (k = 1;; k++) {
		reset();
		pid = test_fork();
		if (!pid) {
			until_kill = k;
			s->actor[victim]();
			_exit(0);
		}
		status = test_reap(pid);
		if (!status)
			break;
		CHECK_EQ(status, 128 + SIGKILL);
		bury(s, victim);
		s->check(victim);
		if (test_bad) {
			printf("# %s: %d alone, at step %u\n", s->name, victim, k);
			return;
		}
	}
}

static void scenario(const struct scenario *s)
{
	unsigned int k;
	int victim;

	now = s;
	runs = 0;
	ring_make(&r, s->topology, s->producers, s->consumers, SIZE, (int)s->overwrite);
	explore(s, -1, 0);
	for (victim = 0; victim < 2 && !test_bad; victim++) {
		for (k = 1; explore(s, victim, k); k++)
			;
		alone(s, victim);
	}
	printf("# %s: %lu interleavings\n", s->name, runs);
	ring_free(&r);
}

/* ---- endpoints ----------------------------------------------------------------------- */

static void settle(void)
{
	__u32 k;
	int changed;

	for (k = 0; k < r.producers; k++)
		if (w->tx[k].r)
			shmring_group_armed(&w->tx[k].g, &changed);
}

static void begin(void)
{
	__u32 k;

	for (k = 0; k < r.producers; k++)
		ring_tx_begin(&r, k, &w->tx[k]);
	for (k = 0; k < r.consumers; k++)
		ring_rx_begin(&r, r.producers + k, &w->rx[k]);
	settle();
}

/* Send the next record, of which every step shows. Return: as ring_send(). */
static int send_next(__u32 lane, size_t len)
{
	__u32 *p;
	int err;

	p = ring_reserve(&w->tx[lane], len, &err);
	if (!p)
		return err;
	__atomic_store_n(p, w->next, __ATOMIC_RELAXED);
	hook();
	ring_fill(p, len, w->next);
	shmring_spsc_put(&w->tx[lane].tx, len);
	w->next++;
	err = ring_publish(&w->tx[lane]);
	w->acked = w->next;
	return err;
}

/* A QUEUE's producer waits until all was read, another one for room. */
static int lacks(__u32 k)
{
	__u64 gate, tail = w->tx[0].tx.tail;

	if (r.topology == SHMRING_TOPO_QUEUE)
		return !shmring_queue_gate(&w->rx[k].c.g, 0, &gate) && gate != tail;
	return !shmring_broadcast_gate(&w->rx[k].m.g, 0, tail, &gate) &&
	       gate + SIZE - tail < shmring_record_size(BIG) + SHMRING_REC_TAIL;
}

/* Somebody is armed: wake the producer if it has what it waits for. The kernel looks, too. */
static void notice(__u32 k, int kick)
{
	int looks;

	if (!kick || !w->sleeps)
		return;
	for (looks = 0; looks < 2; looks++)
		if (lacks(k))
			return;
	w->woken = 1;
}

/* Deliver one; it is told what was released. */
static long take(__u32 who, __u32 k)
{
	__u32 id = ~0u;
	long len = ring_next(&w->rx[k], &id, 1);

	notice(k, w->rx[k].kick);
	w->blamed += len == -EBADMSG;
	if (len < 0)
		return len;
	CHECK(id < 64);
	hook();
	if (r.topology != SHMRING_TOPO_QUEUE) {
		CHECK_EQ(id, w->told[who]);
	} else {
		CHECK_EQ(id, ring_id(r.data[w->rx[k].c.lane] +
				     (w->rx[k].c.pos & (SIZE - 1)) + 8, len));
		CHECK(!w->seen[id & 63]++);
	}
	notice(k, ring_release(&w->rx[k]));
	w->told[who]++;
	return len;
}

/* Who is dead has a successor, and 20 more records come through. */
static void go_on(__u32 consumer)
{
	__u32 got = 0, id, sent = 0, k;
	long len;

	for (k = 0; k < r.producers; k++)
		if (r.meta->slot[k].state != SHMRING_SLOT_LIVE)
			CHECK(ring_tx_begin(&r, k, &w->tx[k]) >= 0);
	settle();
	if (r.topology == SHMRING_TOPO_MPSC || r.topology == SHMRING_TOPO_BROADCAST)
		shmring_merge_join(&w->rx[consumer].m);
	for (k = 0; k < 400 && got < 20; k++) {
		if (sent < 20 && ring_send(&w->tx[sent % r.producers], 1000 + sent, BIG) >= 0)
			sent++;
		len = ring_next(&w->rx[consumer], &id, 1);
		if (len < 0)
			continue;
		ring_release(&w->rx[consumer]);
		if (r.topology != SHMRING_TOPO_QUEUE)
			CHECK_EQ(id, 1000 + got);
		got++;
	}
	CHECK_EQ(got, 20);
}

/* Records that the endpoints of one role count, whoever was killed where. */
static __u64 counted(__u32 first, __u32 n)
{
	__u64 sum = 0;

	for (; n; n--)
		sum += r.cursor[first++]->records;
	return sum;
}

/* ---- one stream: SPSC, MPSC, BROADCAST ----------------------------------------------- */

static void produce(void)
{
	send_next(0, 8);
	send_next(0, 20);
}

static void produce_batch(void)
{
	if (ring_put(&w->tx[0], w->next, 8) || ring_put(&w->tx[0], w->next + 1, 24))
		return;
	w->next += 2;
	ring_publish(&w->tx[0]);
	w->acked = w->next;
}

/* One commit after the other, by different producers: this is their order. */
static void produce_in_turn(void)
{
	__u32 k;

	for (k = 0; k < 3; k++)
		send_next(k & 1, 8);
}

static void produce_full(void)
{
	__u32 k;

	for (k = 0; k < 3; k++)
		send_next(0, BIG);
}

static void consume(void)
{
	__u32 k;

	for (k = 0; k < 3; k++)
		take(0, 0);
}

static void full(void)
{
	begin();
	while (send_next(0, BIG) >= 0)
		;
}

static void check_stream(int victim)
{
	__u32 k, id;

	if (victim == 1) {
		ring_rx_begin(&r, r.producers, &w->rx[0]);
		if (r.topology == SHMRING_TOPO_BROADCAST) {
			go_on(0);
			return;
		}
		/* The last release may have told its position, and died before it returned. */
		if (ring_next(&w->rx[0], &id, 1) < 0)
			id = w->next;
		CHECK(id == w->told[0] || id == w->told[0] + 1);
		CHECK_EQ(counted(r.producers, 1), id);
		w->told[0] = id;
		ring_rewind(&w->rx[0]);
	}
	for (k = 0; k < r.producers; k++)
		if (r.meta->slot[k].state != SHMRING_SLOT_LIVE)
			CHECK(ring_tx_begin(&r, k, &w->tx[k]) >= 0);
	if (r.topology != SHMRING_TOPO_SPSC)
		shmring_merge_join(&w->rx[0].m);
	while (take(0, 0) >= 0 && !test_bad)
		;
	CHECK(w->told[0] >= w->acked && w->told[0] <= w->next + 1);
	if (victim)
		CHECK_EQ(w->told[0], w->next);
	CHECK_EQ(counted(0, r.producers), w->told[0]);
	CHECK_EQ(counted(r.producers, 1), w->told[0]);
	go_on(0);
}

/* ---- QUEUE --------------------------------------------------------------------------- */

static void two_records(void)
{
	begin();
	send_next(0, 8);
	send_next(0, 8);
}

static void one_record(void)
{
	begin();
	send_next(0, 8);
}

/* The producer is armed and asleep: shmring_drain(). */
static void sleep_until_drained(void)
{
	w->sleeps = 1;
	r.meta->tx_state |= 1;
}

static void one_record_drained(void)
{
	one_record();
	sleep_until_drained();
}

static void two_records_drained(void)
{
	two_records();
	sleep_until_drained();
}

static void claim_0(void)
{
	take(0, 0);
	take(0, 0);
}

static void claim_1(void)
{
	take(1, 1);
	take(1, 1);
}

/* Goes past whoever has just claimed, and lets the producer look. */
static void claim_and_refill(void)
{
	take(1, 1);
	send_next(0, BIG);
	take(1, 1);
	send_next(0, BIG);
}

static void refill(void)
{
	send_next(0, BIG);
	send_next(0, BIG);
}

/* Two claimed at once, released one after the other. */
static void claim_two(void)
{
	__u32 k, id;

	if (shmring_claim(&w->rx[0].c, 2))
		return;
	for (k = 0; k < 2 && ring_next(&w->rx[0], &id, 2) >= 0; k++) {
		hook();
		CHECK(id < 64 && !w->seen[id & 63]++);
		ring_release(&w->rx[0]);
	}
}

/* Consumer 0 died with what it had claimed: two records. */
static void orphaned(void)
{
	two_records();
	if (shmring_claim(&w->rx[0].c, 2))
		abort();
	ring_end(&r, r.producers, SHMRING_SLOT_DEAD);
	send_next(0, 8);
}

/* Adopts, reads, gives back, and goes on to what is in the lane. */
static void adopt(__u32 k)
{
	__u32 id;

	ring_adopt(&w->rx[k]);
	while (w->rx[k].c.pos != w->rx[k].c.end && ring_next(&w->rx[k], &id, 1) >= 0) {
		hook();
		CHECK(id < 64 && !w->seen[id & 63]++);
		ring_release(&w->rx[k]);
	}
	take(k, k);
}

static void adopt_1(void)
{
	adopt(1);
}

static void claim_2_and_refill(void)
{
	take(1, 2);
	send_next(0, BIG);
	send_next(0, BIG);
}

/* What a victim had not released comes once more, to somebody else; nothing else does. */
static void check_queue(int victim)
{
	struct ring_rx *spare = &w->rx[r.consumers - 1];
	__u32 slot, id;
	__u64 pos;

	/* Who ends a dead one wakes everybody. */
	if (victim < 0)
		CHECK_EQ(w->woken, w->sleeps);
	for (slot = r.producers; slot < r.producers + r.consumers; slot++) {
		struct shmring_orphan *o = &r.meta->orphan[slot];

		if (o->state != SHMRING_ORPHAN_WAITING)
			continue;
		CHECK(victim >= 0);
		for (pos = o->pos; pos != o->end; pos += shmring_record_size(8)) {
			id = ring_id(r.data[o->lane] + (pos & (SIZE - 1)) + 8, 8);
			CHECK(id < 64 && w->seen[id & 63] <= 1);
			w->seen[id & 63] = 0;
		}
		CHECK(ring_adopt(spare));
		while (spare->c.pos != spare->c.end && !test_bad)
			CHECK(take(0, r.consumers - 1) >= 0);
	}
	if (r.meta->slot[0].state != SHMRING_SLOT_LIVE)
		CHECK(ring_tx_begin(&r, 0, &w->tx[0]) >= 0);
	while (take(0, r.consumers - 1) >= 0 && !test_bad)
		;
	for (id = 0; id < w->acked; id++)
		CHECK_EQ(w->seen[id], 1);
	for (id = w->next + 1; id < 64; id++)
		CHECK_EQ(w->seen[id], 0);
	CHECK_EQ(counted(0, r.producers), counted(r.producers, r.consumers));
	go_on(r.consumers - 1);
}

/* ---- a successor, and a consumer that knows of its predecessor's nonsense --------------- */

static void left_nonsense_before(__u64 told)
{
	__u32 k, id;

	begin();
	r.cursor[0]->pos = told;
	__atomic_store_n((__u32 *)(void *)r.data[0], 0x12345678, __ATOMIC_RELEASE);
	for (k = 0; k < r.consumers; k++)
		CHECK_EQ(ring_next(&w->rx[k], &id, 1), -EBADMSG);
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
}

static void left_nonsense(void)
{
	left_nonsense_before(0);
}

/* The successor does not begin where the nonsense is, but further on. */
static void left_nonsense_far(void)
{
	left_nonsense_before(64);
}

/* What was told leaves no room for a record, unless the nonsense is stepped over. */
static void left_no_room(void)
{
	left_nonsense_before(SIZE - BIG);
}

/* A record where none can be, by what was told: consumers stopped before it, or are about to. */
static void left_beyond(void)
{
	__u32 k;

	begin();
	__atomic_store_n((__u32 *)(void *)r.data[0], SHMRING_REC_READY | 8, __ATOMIC_RELEASE);
	r.cursor[0]->pos = 0 - (SIZE - 8ull);
	((__u32 *)(void *)r.data[0])[2] = SHMRING_REC_READY | (SIZE - 24);	/* from there */
	for (k = 0; k < r.consumers && r.topology == SHMRING_TOPO_QUEUE; k++)
		w->rx[k].c.told[0] = r.cursor[0]->pos;
	ring_end(&r, 0, SHMRING_SLOT_DEAD);
}

static void left_beyond_and_judged(void)
{
	__u32 k, id;

	left_beyond();
	for (k = 0; k < r.consumers; k++)
		CHECK_EQ(ring_next(&w->rx[k], &id, 1), -EPROTO);
}

static void succeed(void)
{
	ring_tx_begin(&r, 0, &w->tx[0]);
	send_next(0, 8);
	send_next(0, 8);
}

static void succeed_and_wait(void)
{
	ring_tx_begin(&r, 0, &w->tx[0]);
	if (send_next(0, BIG) != -EAGAIN)
		return;
	hook();
	__atomic_fetch_or(&r.meta->tx_state, 1, __ATOMIC_SEQ_CST);
	w->sleeps = 1;
	if (send_next(0, BIG) >= 0)
		w->sleeps = 0;
}

/* It is heard, whenever consumers noticed it, and blamed for nothing. */
static void check_successor(int victim)
{
	/* Who ends a dead one wakes everybody. Who comes wakes consumers: one more look. */
	if (victim < 0 && w->sleeps) {
		take(0, 0);
		CHECK(w->woken);
	}
	check_stream(victim);
	CHECK_EQ(w->blamed, 0);
}

/*
 * If there were two of them by the time that the consumer looks, it goes on where the second one
 * began: what the first sent before that is lost with the nonsense.
 */
static void check_successor_further_on(int victim)
{
	__u32 id;

	if (victim) {
		check_successor(victim);
		return;
	}
	CHECK(ring_tx_begin(&r, 0, &w->tx[0]) >= 0);
	CHECK(ring_tx_begin(&r, 1, &w->tx[1]) >= 0);
	while (ring_next(&w->rx[0], &id, 1) >= 0)
		ring_release(&w->rx[0]);
	go_on(0);
}

static void check_queue_successor(int victim)
{
	check_queue(victim);
	CHECK_EQ(w->blamed, 0);
}

/* ---- joining, overwriting ------------------------------------------------------------ */

static void producer_only(void)
{
	ring_tx_begin(&r, 0, &w->tx[0]);
	send_next(0, BIG);
}

/* In a row and whole, from wherever it began. */
static void take_from(__u32 k)
{
	__u32 id = ~0u;
	__u64 lost = r.overwrite ? w->rx[k].m.lost : 0;

	if (ring_next(&w->rx[k], &id, 1) < 0)
		return;
	if (r.overwrite) {
		hook();
		if (!shmring_merge_whole(&w->rx[k].m)) {
			ring_rewind(&w->rx[k]);
			return;
		}
	}
	if (w->first)
		CHECK_EQ(id, w->last + 1 + (w->rx[k].m.lost - lost));
	else
		w->first = id + 1;
	w->last = id;
	ring_release(&w->rx[k]);
	w->told[0]++;
}

static void join_and_take(void)
{
	ring_rx_enter(&r, 1, &w->rx[0]);
	ring_join(&w->rx[0]);
	take_from(0);
	take_from(0);
}

static void produce_five(void)
{
	__u32 k;

	for (k = 0; k < 5; k++)
		send_next(0, BIG);
}

static void check_join(int victim)
{
	__u32 k;

	if (victim == 0)
		CHECK(ring_tx_begin(&r, 0, &w->tx[0]) >= 0);
	if (victim == 1 || !w->rx[0].r) {
		ring_rx_begin(&r, 1, &w->rx[0]);
	} else {
		settle();
		shmring_merge_join(&w->rx[0].m);
		for (k = 0; k < 8; k++)
			take_from(0);
		CHECK(!w->first || w->last + 1 >= w->acked);
	}
	go_on(0);
}

static void produce_over(void)
{
	__u32 k;

	for (k = 0; k < 3; k++)
		send_next(0, 1200);
}

static void over_setup(void)
{
	__u32 k;

	begin();
	for (k = 0; k < 3; k++)
		send_next(0, 1200);
}

static void take_over(void)
{
	__u32 id = ~0u, k;
	const void *p = NULL;
	long len;

	for (k = 0; k < 3; k++) {
		len = shmring_merge_peek(&w->rx[0].m, &p);
		if (len < 0)
			continue;
		id = __atomic_load_n((const __u32 *)p, __ATOMIC_RELAXED);
		hook();
		id = id == ring_id(p, len) ? id : ~0u;
		shmring_merge_next(&w->rx[0].m, len);
		if (!shmring_merge_whole(&w->rx[0].m)) {
			ring_rewind(&w->rx[0]);
			continue;
		}
		/* All that was before it was delivered or is counted as lost. */
		CHECK_EQ(id, w->rx[0].m.records + w->rx[0].m.lost);
		ring_release(&w->rx[0]);
	}
}

static void check_over(int victim)
{
	__u32 k;

	if (victim == 0)
		CHECK(ring_tx_begin(&r, 0, &w->tx[0]) >= 0);
	if (victim == 1)
		ring_rx_begin(&r, 1, &w->rx[0]);
	else
		shmring_merge_join(&w->rx[0].m);
	for (k = 0; k < 3 && victim != 1; k++)
		take_over();
	if (victim != 1) {
		CHECK(w->rx[0].m.records + w->rx[0].m.lost >= w->acked);
		CHECK(w->rx[0].m.records + w->rx[0].m.lost <= w->next + 1);
		CHECK_EQ(w->tx[0].tx.records, w->rx[0].m.records + w->rx[0].m.lost);
	}
}

#define STREAM(topo, nr) SHMRING_TOPO_##topo, nr, 1, 0, 3

static const struct scenario scenarios[] = {
	{ "spsc", STREAM(SPSC, 1), begin, { produce, consume }, { 0, 1 }, check_stream },
	{ "spsc batch", STREAM(SPSC, 1), begin, { produce_batch, consume }, { 0, 1 },
	  check_stream },
	{ "spsc full", STREAM(SPSC, 1), full, { produce_full, consume }, { 0, 1 }, check_stream },
	{ "mpsc", STREAM(MPSC, 2), begin, { produce_in_turn, consume }, { 0, 2 }, check_stream },
	{ "mpsc batch", STREAM(MPSC, 2), begin, { produce_batch, consume }, { 0, 2 },
	  check_stream },
	{ "mpsc full", STREAM(MPSC, 2), full, { produce_full, consume }, { 0, 2 }, check_stream },
	{ "broadcast", STREAM(BROADCAST, 2), begin, { produce_in_turn, consume }, { 0, 2 },
	  check_stream },
	{ "broadcast batch", STREAM(BROADCAST, 2), begin, { produce_batch, consume }, { 0, 2 },
	  check_stream },
	{ "broadcast full", STREAM(BROADCAST, 1), full, { produce_full, consume }, { 0, 1 },
	  check_stream },
	{ "mpsc successor", STREAM(MPSC, 2), left_nonsense, { succeed, consume }, { 0, 2 },
	  check_successor },
	{ "broadcast successor", STREAM(BROADCAST, 2), left_nonsense, { succeed, consume },
	  { 0, 2 }, check_successor },
	{ "broadcast successor further on", STREAM(BROADCAST, 2), left_nonsense_far,
	  { succeed, consume }, { 0, 2 }, check_successor_further_on },
	{ "room of nonsense", STREAM(BROADCAST, 1), left_no_room, { succeed_and_wait, consume },
	  { 0, 1 }, check_successor },
	{ "queue successor", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, left_nonsense, { succeed, claim_1 },
	  { 0, 2 }, check_queue_successor },
	{ "spsc beyond", STREAM(SPSC, 1), left_beyond, { succeed, consume }, { 0, 1 },
	  check_successor },
	{ "mpsc beyond", STREAM(MPSC, 2), left_beyond, { succeed, consume }, { 0, 2 },
	  check_successor },
	{ "mpsc beyond, judged", STREAM(MPSC, 2), left_beyond_and_judged, { succeed, consume },
	  { 0, 2 }, check_successor },
	{ "queue beyond", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, left_beyond, { succeed, claim_1 },
	  { 0, 2 }, check_queue_successor },
	{ "queue beyond, judged", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, left_beyond_and_judged,
	  { succeed, claim_1 }, { 0, 2 }, check_queue_successor },
	{ "last record", SHMRING_TOPO_QUEUE, 1, 3, 0, 4, one_record, { claim_0, claim_1 }, { 1, 2 },
	  check_queue },
	{ "two records", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, two_records, { claim_0, claim_1 },
	  { 1, 2 }, check_queue },
	{ "drained of one", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, one_record_drained,
	  { claim_0, claim_1 }, { 1, 2 }, check_queue },
	{ "drained of two", SHMRING_TOPO_QUEUE, 1, 3, 0, 2, two_records_drained,
	  { claim_0, claim_1 }, { 1, 2 }, check_queue },
	{ "claim and refill", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, full, { claim_0, refill }, { 1, 0 },
	  check_queue },
	{ "gone past", SHMRING_TOPO_QUEUE, 1, 3, 0, 2, full, { claim_0, claim_and_refill },
	  { 1, 2, 1 }, check_queue },
	{ "released in parts", SHMRING_TOPO_QUEUE, 1, 3, 0, 3, two_records, { claim_two, claim_1 },
	  { 1, 2 }, check_queue },
	{ "adopted", SHMRING_TOPO_QUEUE, 1, 4, 0, 2, orphaned, { adopt_1, claim_2_and_refill },
	  { 2, 3, 1 }, check_queue },
	{ "join", SHMRING_TOPO_BROADCAST, 1, 1, 0, 3, producer_only,
	  { produce_five, join_and_take },
	  { 0, 1 }, check_join },
	{ "overwrite", SHMRING_TOPO_BROADCAST, 1, 1, 1, 2, over_setup, { produce_over, take_over },
	  { 0, 1 }, check_over },
};

int main(void)
{
	const char *backend = getenv("SHMRING_TEST_BACKEND");
	size_t k;

	START();
	/* Nothing of the kernel is in it, and an emulated one would take minutes. */
	if (backend && !strcmp(backend, "device"))
		test_skip = " # SKIP the same on either backend";
#ifdef __SANITIZE_THREAD__
	test_skip = " # SKIP ThreadSanitizer does not know these contexts";
#endif
	w = ring_map((sizeof(*w) + RING_PAGE - 1) & ~(size_t)(RING_PAGE - 1), -1, 1);
	for (k = 0; k < sizeof(scenarios) / sizeof(scenarios[0]); k++) {
		test_bad = 0;
		test_alarm();
		if (!test_skip)
			scenario(&scenarios[k]);
		test_failures += !!test_bad;
		printf("%sok %d - %s%s\n", test_bad ? "not " : "", ++test_nr, scenarios[k].name,
		       test_skip ? test_skip : "");
	}
	DONE();
}
