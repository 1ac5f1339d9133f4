/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * An endpoint that lies: what it may write, and what it writes there. And the model of the ring
 * that liars.c holds the calls of all others against.
 */
#ifndef SHMRING_TEST_LIARS_H
#define SHMRING_TEST_LIARS_H

#include "many.h"

#define LANES		3u
#define READERS		3u
#define BATCH		5u
#define MOST		(1u << 15)	/* records of a lane in one run */
#define BYTES_MAX	8192u		/* of a lane */
#define LIAR		0xbadu		/* says in a liar's records whose they are */

/* A record says whose it is and which, in a way that nothing else does. */
struct head {
	uint32_t lane;
	uint32_t len;
	uint64_t nth;
	uint64_t mark;
};

struct record {
	uint64_t begun;		/* when the call that sent it was made, ... */
	uint64_t sent;		/* ... and when it returned */
	unsigned char taken;	/* QUEUE: received */
};

struct lane {
	struct shmring *r;	/* its producer; NULL: has none */
	int busy;		/* amid a call */
	int lies;
	int doubtful;		/* somebody lied, and may have spoilt this lane */
	uint64_t first;		/* of this producer's records */
	uint64_t made;		/* so many are sent, ... */
	uint64_t begun;		/* ... or amid of it */
	struct record *rec;
};

struct reader {
	struct shmring *r;	/* NULL: nobody */
	int busy;
	int lies;
	uint64_t next[LANES];	/* what comes; OVERWRITE: at least */
	uint64_t latest;	/* of what came, when the last that was sent was begun */
	unsigned char buf[BATCH][BYTES_MAX];
};

static struct {
	uint64_t seed;
	uint32_t topology;
	uint32_t policy;
	uint32_t producers;
	uint32_t consumers;
	struct shmring *watch;
	struct shmring_ioc_info info;
	uint64_t size;		/* of a lane */
	unsigned char *mem;	/* all of the ring, writable */
	struct lane lane[LANES];
	struct reader reader[READERS];
	struct lane *liar_tx;	/* who lies, if anybody does */
	struct reader *liar_rx;
	int tx_lies;		/* in this run, one producer after the other */
	int rx_lies;
	int shared;		/* they write SHARED, too */
	unsigned int often;	/* before one in so many accesses somebody lies; 0: never */
	unsigned int others;	/* before one in so many another honest one has its turn */
	uint64_t rnd;
	uint64_t clock;		/* counts calls */
	uint64_t step;
	int trace;
} m;

static struct record records[LANES][MOST + BATCH];

static uint64_t any(uint64_t n)
{
	return n ? test_random(&m.rnd) % n : 0;
}

static int one_in(uint64_t n)
{
	return !any(n);
}

#define TELL(...)							\
	do {								\
		if (m.trace) {						\
			printf("# %llu: ", (unsigned long long)m.step);	\
			printf(__VA_ARGS__);				\
			printf("\n");					\
		}							\
	} while (0)

static int is_overwrite(void)
{
	return m.policy == SHMRING_FULL_OVERWRITE;
}

static uint32_t lane_nr(const struct lane *l)
{
	return (uint32_t)(l - m.lane);
}

static uint32_t reader_nr(const struct reader *x)
{
	return (uint32_t)(x - m.reader);
}

/* ---- what it writes ------------------------------------------------------------------- */

static struct shmring_cursor *cursor(uint32_t slot)
{
	return (void *)(m.mem + m.info.cursor_offset + slot * m.info.cursor_stride);
}

static struct shmring_shared *shared(void)
{
	return (void *)(m.mem + m.info.shared_offset);
}

/* Word @at of a lane that begins anew behind its end. */
static uint32_t *word(const struct lane *l, uint64_t at)
{
	unsigned char *data = m.mem + m.info.data_offset + lane_nr(l) * m.size;

	return (void *)(data + (at & (m.size - 1) & ~3ull));
}

static void lie(__u64 *at, uint64_t value)
{
	TELL("lie: %#llx instead of %#llx", (unsigned long long)value, (unsigned long long)*at);
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static void lie_32(uint32_t *at, uint32_t value)
{
	TELL("lie: %#x instead of %#x", value, *at);
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* A position near @near, a lane's length or a half of all from it, or anywhere. */
static uint64_t a_position(uint64_t near)
{
	uint64_t little = 8 * any(8);

	switch (any(12)) {
	case 0:
		return near + little;
	case 1:
		return near - little;
	case 2:
		return near + m.size + little - 16;
	case 3:
		return near - m.size + little - 16;
	case 4:
		return near + 8 * any(m.size / 4);
	case 5:
		return near - 8 * any(m.size / 4);
	case 6:
		return near + ((uint64_t)any(4) << 31);
	case 7:
		return near - ((uint64_t)any(4) << 31);
	case 8:
		return near + (1ull << 63) + little - 8;
	case 9:
		return any(2) - 1;
	case 10:
		return 1ull << any(64);
	default:
		return test_random(&m.rnd);
	}
}

static uint32_t a_header(void)
{
	switch (any(6)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return SHMRING_REC_READY | (uint32_t)any(600);
	case 3:
		return SHMRING_REC_READY | SHMRING_REC_CHAIN | (uint32_t)any(200);
	case 4:
		return SHMRING_REC_READY | (uint32_t)(m.size - 8 * any(5));
	default:
		return (uint32_t)test_random(&m.rnd);
	}
}

/* What goes by when somebody sleeps, and counters. */
static void lie_of_sleep(struct shmring_cursor *c, uint64_t near)
{
	switch (any(4)) {
	case 0:
		lie_32(&c->armed, (uint32_t)any(4));
		lie(&c->wake_at, a_position(near));
		lie(&c->wake_records, a_position(0));
		break;
	case 1:
		lie_32(&c->unfenced, (uint32_t)any(4));
		lie(&c->want, a_position(0));
		break;
	case 2:
		lie(&c->records, any(2) ? c->records + any(3) - 1 : test_random(&m.rnd));
		lie(&c->lost, test_random(&m.rnd));
		break;
	default:
		lie(&c->tally[any(2)], any(2) ? any(2) : test_random(&m.rnd));
	}
}

static void lie_of_lane(const struct lane *l, uint64_t near)
{
	uint64_t step = 8 * (1 + any(40)), at;
	uint32_t header = a_header();

	if (one_in(4)) {
		for (at = 0; at < m.size; at += step)
			lie_32(word(l, at), header);
		return;
	}
	at = one_in(3) ? near : near + 8 * any(20);
	lie_32(word(l, at), header);
	if (one_in(2))
		lie_32(word(l, at + 4), (uint32_t)test_random(&m.rnd));
}

static void lie_as_producer(const struct lane *l)
{
	struct shmring_cursor *c = cursor(lane_nr(l)), *reader;
	uint64_t near = c->pos, step = m.size / SHMRING_MARKS;
	unsigned int k = (unsigned int)any(SHMRING_MARKS);

	/* Where a consumer is. */
	reader = cursor(m.producers + (uint32_t)any(m.consumers));
	if (one_in(3))
		near = m.topology == SHMRING_TOPO_SPSC ? reader->pos : reader->lane[lane_nr(l)].pos;
	switch (any(10)) {
	case 0:
	case 1:
		lie(&c->pos, a_position(near));
		break;
	case 2:
		lie(&c->limit, one_in(2) ? a_position(near) : a_position(near) / step * step);
		break;
	case 3:
		lie(&c->mark[k].pos, a_position(near));
		lie(&c->mark[k].records, one_in(2) ? any(1000) : test_random(&m.rnd));
		break;
	case 4:
		lie_of_sleep(c, near);
		break;
	case 5:
		if (m.shared && (m.topology == MPSC || m.topology == BCAST))
			lie(&shared()->tickets, one_in(2) ? shared()->tickets + any(200) - 100 :
							    a_position(shared()->tickets));
		break;
	default:
		lie_of_lane(l, near);
	}
}

static void lie_of_fronts(uint32_t lane)
{
	__u64 *front = &shared()->head[lane].claim;
	uint64_t pos = *front >> SHMRING_TAG_SHIFT & ~7ull;

	if (one_in(2))
		lie(front, (a_position(pos) & ~7ull) << SHMRING_TAG_SHIFT | any(64));
	else
		lie(&shared()->proof[any(m.producers * m.consumers)], a_position(pos));
}

static void lie_as_consumer(const struct reader *x)
{
	struct shmring_cursor *c = cursor(m.producers + reader_nr(x));
	uint32_t lane = (uint32_t)any(m.producers);
	struct shmring_lane_pos *p = &c->lane[lane];
	uint64_t near = one_in(2) ? cursor(lane)->pos : p->pos;

	switch (any(7)) {
	case 0:
		lie(&p->pos, a_position(near));
		break;
	case 1:
		lie(&p->left, test_random(&m.rnd));
		lie(&p->left_at, a_position(near));
		lie(&p->tally[any(2)], test_random(&m.rnd));
		break;
	case 2:
		lie(&c->pos, a_position(cursor(lane)->pos));
		break;
	case 3:
		if (one_in(2))
			lie(&c->hold_end, a_position(near) & ~7ull);
		lie(&c->hold, one_in(3) ? 0 : a_position(near) << SHMRING_TAG_SHIFT |
					      SHMRING_HOLD_VALID | lane);
		break;
	case 4:
		if (m.shared && m.topology == QUEUE)
			lie_of_fronts(lane);
		break;
	default:
		lie_of_sleep(c, near);
	}
}

static void lie_somewhere(void)
{
	if (m.liar_tx && (!m.liar_rx || one_in(2)))
		lie_as_producer(m.liar_tx);
	else if (m.liar_rx)
		lie_as_consumer(m.liar_rx);
}

#endif /* SHMRING_TEST_LIARS_H */
