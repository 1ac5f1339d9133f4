// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random calls by programs and by the kernel on one ring, each held against a model of the ring:
 * what lib/tests/model.c does with the library.
 *
 * Every lane has a list of the records that its producers published, all of them have one order,
 * and a consumer has a place in it (of a QUEUE: a claim, or what a dead one left). From that
 * follows what a call returns, which record comes next, what holds for WAIT and poll, and what INFO
 * counts. Each endpoint is a program's (the core, as in group.h) or the kernel's (the module's
 * API, by shmring_test.ko). One thread makes all calls, and none of them waits.
 *
 * A failure names the seed and the step; SHMRING_TEST_SEED=N does that one and tells of each call.
 */
#include "kernel.h"

#define LANES	3u
#define READERS	3u
#define STEPS	400u
#define SEEDS	25u
#define MOST	4096u
#define SEEN	16u
#define SIZE	4096u
#define LEN_MAX	300u

struct record {
	__u32 lane, len;
	__u64 nth, start, end;
};

struct span {
	__u32 lane;
	__u64 pos, end;		/* equal: nothing */
};

enum kind { NOBODY, PROGRAM, KERNEL };

/* A program's endpoint; of an SPSC ring @e, of others @m. */
struct side {
	enum kind kind;
	int fd;			/* of the endpoint, or of the module's user */
	__u32 slot;
	struct endpoint e;
	struct member m;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
};

struct lane {
	struct side s;
	struct record rec[MOST];
	__u64 shown, told, front, lost, lost_before;
	bool noticed;		/* it asks whether nobody reads any more */
	__u32 reserved;		/* plus one */
};

struct reader {
	struct side s;
	__u64 at, joined, got, lost_before;
	__u64 pos[LANES], next[LANES];
	__u32 seen;
	const struct record *what[SEEN];
	struct span claim;
	__u64 head;
};

static struct {
	__u32 topology, policy, producers, consumers;
	int ring;
	struct member watch;
	struct lane lane[LANES];
	struct reader reader[READERS];
	struct span orphan[READERS];
	const struct record *order[LANES * MOST];
	__u64 shown, rnd, seed, step;
	bool bad, trace;
} w;

static __u64 any(__u64 n)
{
	w.rnd = w.rnd * 6364136223846793005ull + 1442695040888963407ull;
	return n ? (w.rnd >> 33) % n : 0;
}

static bool one_in(__u64 n)
{
	return !any(n);
}

static void failed(int line, const char *what, long long got, long long want)
{
	if (!w.bad)
		printf("# topology %u, policy %u, seed %llu, step %llu, line %d: %s is %lld, "
		       "not %lld\n", w.topology, w.policy, (unsigned long long)w.seed,
		       (unsigned long long)w.step, line, what, got, want);
	w.bad = true;
}

#define IS(got, want) do {						\
	long long is_got = (long long)(got), is_want = (long long)(want);	\
	if (is_got != is_want)						\
		failed(__LINE__, #got, is_got, is_want);		\
} while (0)

#define TELL(...) do { if (w.trace) printf("# %llu: " __VA_ARGS__); } while (0)

static bool overwrite(void)
{
	return w.policy == SHMRING_FULL_OVERWRITE;
}

static bool is_open(const struct span *s)
{
	return s->pos != s->end;
}

/* ---- the model ------------------------------------------------------------- */

static int gone(__u32 first, __u32 count)
{
	int err = 0;

	for (__u32 k = first; k < first + count; k++) {
		__u32 state = shmring_load(&w.watch.meta->slot[k].state);

		if (state == SHMRING_SLOT_LIVE)
			return 0;
		if (state == SHMRING_SLOT_DEAD)
			err = -EOWNERDEAD;
		else if (state == SHMRING_SLOT_CLOSED && !err)
			err = -EPIPE;
	}
	return err;
}

static int no_producers(void)
{
	return gone(0, w.producers);
}

static int no_consumers(void)
{
	return w.topology == BROADCAST ? 0 : gone(w.producers, w.consumers);
}

static __u32 lane_nr(const struct lane *l)
{
	return (__u32)(l - w.lane);
}

static __u64 gate(const struct lane *l)
{
	__u32 nr = lane_nr(l), k;
	__u64 pos = l->told;

	if (w.topology == SPSC || w.topology == MPSC)
		return w.reader[0].pos[nr];
	if (w.topology == QUEUE)
		pos = l->front;
	for (k = 0; k < w.consumers; k++) {
		const struct reader *x = &w.reader[k];

		if (w.topology == QUEUE) {
			if (is_open(&x->claim) && x->claim.lane == nr && x->claim.pos < pos)
				pos = x->claim.pos;
			if (is_open(&w.orphan[k]) && w.orphan[k].lane == nr &&
			    w.orphan[k].pos < pos)
				pos = w.orphan[k].pos;
		} else if (x->s.kind && x->pos[nr] < pos) {
			pos = x->pos[nr];
		}
	}
	return pos;
}

static bool fits(const struct lane *l, __u64 tail, __u32 len)
{
	return overwrite() ||
	       SIZE - (tail - gate(l)) >= shmring_record_size(len) + SHMRING_REC_TAIL;
}

static void show(struct lane *l, __u32 len)
{
	struct record *rec = &l->rec[l->shown];

	*rec = (struct record) { lane_nr(l), len, l->shown++, l->told, 0 };
	l->told += shmring_record_size(len);
	rec->end = l->told;
	w.order[w.shown++] = rec;
}

static void fill(__u8 *to, __u32 lane, __u64 nth, __u32 len)
{
	struct kt_record head = { .seq = nth, .context = lane, .cpu = len };

	memset(to, (__u8)nth, len);
	memcpy(to, &head, sizeof(head));
}

/* Which record is it? */
static const struct record *which(const __u8 *buf, long len)
{
	const struct record *rec;
	struct kt_record head;
	long k;

	memcpy(&head, buf, sizeof(head));
	if (len < (long)sizeof(head) || head.context >= w.producers ||
	    head.seq >= w.lane[head.context].shown)
		return NULL;
	rec = &w.lane[head.context].rec[head.seq];
	for (k = sizeof(head); k < len; k++)
		if (buf[k] != (__u8)head.seq)
			return NULL;
	return rec->len == len ? rec : NULL;
}

static __u32 reader_nr(const struct reader *x)
{
	return (__u32)(x - w.reader);
}

/* QUEUE: what a consumer has to take before it claims anything, or NULL. */
static struct span *left_to(const struct reader *x)
{
	if (is_open(&w.orphan[reader_nr(x)]))
		return &w.orphan[reader_nr(x)];
	for (__u32 k = 0; k < w.consumers; k++)
		if (is_open(&w.orphan[k]) && !w.reader[k].s.kind)
			return &w.orphan[k];
	return NULL;
}

/* QUEUE: are there records for @x, not to be released first? */
static bool has_more(const struct reader *x)
{
	if (is_open(&x->claim) && x->head != x->claim.end)
		return true;
	if (x->seen)
		return false;
	for (__u32 k = 0; k < w.producers; k++)
		if (w.lane[k].front != w.lane[k].told)
			return true;
	return left_to(x);
}

static void claimed(struct reader *x, const struct record *rec)
{
	struct span *left = left_to(x);

	if (is_open(&x->claim) && x->head != x->claim.end) {
		IS(rec->lane, x->claim.lane);
		IS(rec->start, x->head);
	} else if (left) {
		IS(rec->lane, left->lane);
		IS(rec->start, left->pos);
		x->claim = *left;
		*left = (struct span) { 0 };
	} else {
		IS(rec->start, w.lane[rec->lane].front);
		x->claim = (struct span) { rec->lane, rec->start, rec->end };
		if (x->s.kind == PROGRAM)
			x->claim.end = x->s.m.claims.end;
		w.lane[rec->lane].front = x->claim.end;
	}
	x->head = rec->end;
}

/* @x is shown a record. */
static void shown_to(struct reader *x, const __u8 *buf, long len)
{
	const struct record *rec = which(buf, len);

	IS(!!rec, true);
	if (!rec)
		return;
	if (w.topology == QUEUE)
		claimed(x, rec);
	else if (overwrite())
		IS(rec->nth >= x->next[rec->lane], true);
	else
		IS(rec == w.order[x->at + x->seen], true);
	x->what[x->seen++] = rec;
}

static void released(struct reader *x)
{
	for (__u32 k = 0; k < x->seen; k++) {
		const struct record *rec = x->what[k];

		x->pos[rec->lane] = rec->end;
		x->next[rec->lane] = rec->nth + 1;
		x->got++;
	}
	x->at += x->seen;
	if (x->seen && w.topology == QUEUE)
		x->claim.pos = x->head;
	x->seen = 0;
}

/* ---- coming and going ------------------------------------------------------ */

static __u32 free_slot(__u32 first)
{
	while (shmring_load(&w.watch.meta->slot[first].state) == SHMRING_SLOT_LIVE)
		first++;
	return first;
}

static bool begin_program(struct side *s, __u32 role)
{
	s->fd = ring_attach_fd(role, w.ring);
	IS(s->fd >= 0, true);
	if (w.topology != SPSC) {
		IS(member_start(&s->m, s->fd), true);
		if (role == PRODUCER && w.producers == 1)
			s->m.tx.chain = 0;	/* no tickets */
		return !w.bad;
	}
	IS(endpoint_map(&s->e, s->fd), 0);
	if (w.bad)
		return false;
	if (role == PRODUCER)
		IS(tx_init(&s->tx, &s->e), 0);
	else
		rx_init(&s->rx, &s->e);
	return !w.bad;
}

static void end_program(struct side *s)
{
	struct shmring_cursor *mine = w.topology == SPSC ? s->e.cursor : s->m.mine;

	if (one_in(2))
		shmring_store(&mine->closed, (__u32)getpid());
	if (w.topology != SPSC) {
		member_close(&s->m);
		return;
	}
	endpoint_unmap(&s->e);
	close(s->fd);
}

static void open_producer(void)
{
	__u32 slot = free_slot(0);
	struct lane *l = &w.lane[slot];

	IS(l->s.kind, NOBODY);
	l->s.slot = slot;
	l->reserved = 0;
	l->noticed = true;
	l->lost = 0;
	if (one_in(2)) {
		l->s.kind = PROGRAM;
		begin_program(&l->s, PRODUCER);
	} else {
		l->s.kind = KERNEL;
		l->s.fd = kt_get(w.ring);
		IS(l->s.fd >= 0, true);
		IS(kt(l->s.fd, KT_PRODUCER, 0), 0);
		IS(kt_lost(l->s.fd), 0);
	}
	TELL("producer %u: %s\n", (unsigned long long)w.step, slot,
	     l->s.kind == KERNEL ? "kernel" : "program");
}

/* A program may have put more than it has published. */
static void put_unseen(struct lane *l)
{
	struct side *s = &l->s;

	if (w.topology == SPSC) {
		if (shmring_spsc_reserve(&s->tx, 40))
			shmring_spsc_put(&s->tx, 40);
	} else {
		member_put(&s->m, 40, 1);
	}
}

static void close_producer(struct lane *l)
{
	TELL("producer %u closes\n", (unsigned long long)w.step, l->s.slot);
	if (l->s.kind == PROGRAM) {
		if (one_in(2))
			put_unseen(l);
		end_program(&l->s);
	} else {
		if (l->reserved)
			IS(kt(l->s.fd, KT_DISCARD, 0), 0);
		close(l->s.fd);
	}
	l->s.kind = NOBODY;
	l->lost_before += l->lost;
	l->lost = 0;
}

static __u64 lost_by(const struct reader *x)
{
	return shmring_load(&w.watch.cursor[x->s.slot]->lost);
}

static void start_counts(struct reader *x)
{
	struct shmring_merge *m = &x->s.m.merge;

	if (x->s.kind != PROGRAM || w.topology == SPSC || w.topology == QUEUE)
		return;
	m->records = shmring_load(&m->mine->records);
	m->lost = shmring_load(&m->mine->lost);
	shmring_merge_begin(m);
}

static void open_consumer(void)
{
	__u32 slot = free_slot(w.producers), k;
	struct reader *x = &w.reader[slot - w.producers];
	struct kt_consumer arg = { 0 };

	IS(x->s.kind, NOBODY);
	x->s.slot = slot;
	x->seen = 0;
	x->got = 0;
	x->claim = (struct span) { 0 };
	x->lost_before = lost_by(x);
	x->joined = w.shown;
	/* How many were lost only the kernel's consumers count here. */
	if (one_in(2) && !overwrite()) {
		x->s.kind = PROGRAM;
		begin_program(&x->s, CONSUMER);
		start_counts(x);
		if (w.topology == QUEUE)
			x->s.m.claims.most = one_in(2) ? 16 : 0;
	} else {
		x->s.kind = KERNEL;
		x->s.fd = kt_get(w.ring);
		IS(x->s.fd >= 0, true);
		IS(kt_with(x->s.fd, KT_CONSUMER, &arg), 0);
	}
	for (k = 0; k < w.producers; k++) {
		w.lane[k].noticed = false;
		if (w.topology == BROADCAST) {
			x->pos[k] = w.lane[k].told;
			x->next[k] = w.lane[k].shown;
			x->at = w.shown;
		}
	}
	TELL("consumer %u: %s\n", (unsigned long long)w.step, slot,
	     x->s.kind == KERNEL ? "kernel" : "program");
}

static void close_consumer(struct reader *x)
{
	TELL("consumer %u closes\n", (unsigned long long)w.step, x->s.slot);
	if (x->s.kind == PROGRAM)
		end_program(&x->s);
	else
		close(x->s.fd);
	x->s.kind = NOBODY;
	x->seen = 0;
	if (w.topology == QUEUE && is_open(&x->claim))
		w.orphan[reader_nr(x)] = x->claim;
	x->claim = (struct span) { 0 };
}

/* ---- a producer's calls ---------------------------------------------------- */

static __u32 any_len(void)
{
	return (__u32)(sizeof(struct kt_record) + any(one_in(2) ? 40 : LEN_MAX - 16));
}

/* What the kernel says to a record that is not the caller's fault. */
static long refusal(struct lane *l, int none)
{
	if (none)
		return none;
	if (w.policy == SHMRING_FULL_WAIT)
		return -EAGAIN;
	l->lost++;
	return -ENOBUFS;
}

static void kernel_write(struct lane *l, __u32 n, bool batch)
{
	static __u8 buf[KT_IO_MOST * LEN_MAX];
	struct kt_io io = {
		.buf = (uintptr_t)buf, .op = batch ? KT_BATCH : KT_WRITE, .count = n,
	};
	__u64 tail = l->told, at = 0;
	int none = no_consumers();
	long ret, want = 0;
	__u32 k;

	for (k = 0; k < n; k++) {
		io.len[k] = any_len();
		fill(buf + at, lane_nr(l), l->shown + k, io.len[k]);
		at += io.len[k];
	}
	ret = kt_with(l->s.fd, KT_IO, &io);
	TELL("producer %u writes %u (%u bytes): %ld\n", (unsigned long long)w.step, l->s.slot, n,
	     io.len[0], ret);
	if (l->reserved) {
		IS(ret, -EBUSY);
		if (w.policy != SHMRING_FULL_WAIT)
			l->lost += n;
		return;
	}
	for (k = 0; k < n && !want; k++) {
		bool room = fits(l, tail, io.len[k]);

		/* Whoever did not ask yet does when the room that it knows of is used up. */
		if (!room || (none && (l->noticed || ret == none || (batch && k == ret))))
			want = refusal(l, none);
		else
			tail += shmring_record_size(io.len[k]);
	}
	if (want) {
		k--;
		if (want == -ENOBUFS)
			l->lost += n - k - 1;
	}
	IS(ret, want && !k ? want : batch ? (long)k : 0);
	for (at = 0; at < k && !w.bad; at++)
		show(l, io.len[at]);
	l->noticed = none;
}

static void kernel_reserve(struct lane *l)
{
	__u32 len = any_len();
	struct kt_io io = { .op = KT_RESERVE_LEN, .count = 1, .len = { len } };
	long ret = kt_with(l->s.fd, KT_IO, &io), want = 0;
	int none = no_consumers();

	TELL("producer %u reserves %u: %ld\n", (unsigned long long)w.step, l->s.slot, len, ret);
	if (!fits(l, l->told, len) || (none && (l->noticed || ret == none)))
		want = refusal(l, none);
	IS(ret, want);
	if (!ret)
		l->reserved = len + 1;
	if (!none)
		l->noticed = false;
}

static void kernel_commit(struct lane *l)
{
	static __u8 buf[LEN_MAX];
	__u32 len = (__u32)(16 + any(l->reserved - 16));
	struct kt_io io = {
		.buf = (uintptr_t)buf, .op = KT_COMMIT_LEN, .count = 1, .len = { len },
	};

	l->reserved = 0;
	TELL("producer %u ends its reservation\n", (unsigned long long)w.step, l->s.slot);
	if (one_in(4)) {
		IS(kt(l->s.fd, KT_DISCARD, 0), 0);
		return;
	}
	fill(buf, lane_nr(l), l->shown, len);
	IS(kt_with(l->s.fd, KT_IO, &io), 0);
	show(l, len);
	l->noticed = no_consumers();
}

static void program_send(struct lane *l, __u32 n)
{
	struct member *m = &l->s.m;
	__u64 tail = l->told;
	__u32 len[KT_IO_MOST], k;
	int changed;

	for (k = 0; k < n; k++) {
		static __u8 buf[LEN_MAX];
		bool room;
		int ret;

		len[k] = any_len();
		fill(buf, lane_nr(l), l->shown + k, len[k]);
		room = fits(l, tail, len[k]);
		if (w.topology == SPSC) {
			ret = tx_try(&l->s.e, &l->s.tx, buf, len[k]);
			IS(ret == -EAGAIN, !room);
			if (room)
				show(l, len[k]);
			return;
		}
		if (overwrite() && m->tx.hold_word)	/* not to be given up by oneself */
			shmring_lane_publish(&m->tx, &m->g, 1);
		ret = member_put(m, len[k], 0);
		IS(ret, room ? 0 : -EAGAIN);
		if (ret)
			break;
		memcpy(m->tx.data + ((m->tx.tail - shmring_record_size(len[k])) & m->tx.mask) +
		       sizeof(struct shmring_record), buf, len[k]);
		tail += shmring_record_size(len[k]);
	}
	TELL("producer %u sends %u (%u bytes)\n", (unsigned long long)w.step, l->s.slot, k, len[0]);
	if (k && m->tx.hold_word && shmring_lane_publish(&m->tx, &m->g, m->tx.chain != 0) &&
	    shmring_group_armed(&m->g, &changed))
		IS(ring_kick(m->fd), 0);
	for (n = 0; n < k; n++)
		show(l, len[n]);
}

static void wait_for_room(struct lane *l)
{
	__u32 len = (__u32)any(one_in(2) ? 400 : SIZE - 16);
	struct kt_io io = { .op = KT_WAIT_OUT, .count = 1, .len = { len > 512 ? 512 : len } };
	bool kernel = l->s.kind == KERNEL;
	int none = no_consumers(), ret;

	len = kernel ? io.len[0] : len;
	if (overwrite() && len > shmring_overwrite_max(SIZE))
		return;
	if (kernel)
		ret = kt_with(l->s.fd, KT_IO, &io);
	else
		ret = ring_wait_need(l->s.fd, OUT, shmring_record_size(len), NOW);
	TELL("producer %u waits for %u: %d\n", (unsigned long long)w.step, l->s.slot, len, ret);
	IS(ret, none ? none : !fits(l, l->told, len) ? -EAGAIN : kernel ? 0 : OUT);
}

static void produce(struct lane *l)
{
	__u32 n = one_in(2) ? 1 : 1 + (__u32)any(KT_IO_MOST);

	if (l->shown > MOST - 16)
		return;
	switch (any(12)) {
	case 0:
		close_producer(l);
		break;
	case 1:
	case 2:
		wait_for_room(l);
		break;
	case 3:
	case 4:
	case 5:
		if (l->s.kind == KERNEL) {
			if (l->reserved)
				kernel_commit(l);
			else
				kernel_reserve(l);
			break;
		}
		/* fallthrough */
	default:
		if (l->s.kind == PROGRAM)
			program_send(l, n);
		else
			kernel_write(l, n, n > 1 || one_in(4));
	}
}

/* ---- a consumer's calls ---------------------------------------------------- */

/* Are there records that @x was not shown? */
static bool has_next(const struct reader *x)
{
	return w.topology == QUEUE ? has_more(x) : x->at + x->seen != w.shown;
}

/* The kernel's consumer found nothing. */
static void found_none(struct reader *x, long ret)
{
	IS(ret, x->seen ? -EAGAIN : no_producers() ?: -EAGAIN);
	if (overwrite())
		IS(x->got + lost_by(x) - x->lost_before, w.shown - x->joined);
	else
		IS(has_next(x), false);
}

static void kernel_peek(struct reader *x)
{
	__u8 buf[LEN_MAX];
	struct kt_io io = {
		.buf = (uintptr_t)buf, .op = KT_PEEK, .count = 1, .len = { sizeof(buf) },
	};
	long ret = kt_with(x->s.fd, KT_IO, &io);

	TELL("consumer %u peeks: %ld\n", (unsigned long long)w.step, x->s.slot, ret);
	if (ret < 0)
		found_none(x, ret);
	else
		shown_to(x, buf, ret);
}

static void kernel_release(struct reader *x)
{
	struct kt_io io = { .op = KT_RELEASE, .count = 1 };

	TELL("consumer %u releases %u\n", (unsigned long long)w.step, x->s.slot, x->seen);
	IS(kt_with(x->s.fd, KT_IO, &io), 0);
	released(x);
}

static void kernel_read(struct reader *x)
{
	__u8 buf[LEN_MAX];
	struct kt_read arg = {
		.buf = (uintptr_t)buf, .cap = one_in(4) ? 16 + any(40) : sizeof(buf),
	};
	long ret;

	if (x->seen)
		kernel_release(x);
	ret = kt_with(x->s.fd, KT_READ, &arg);
	TELL("consumer %u reads: %ld\n", (unsigned long long)w.step, x->s.slot, ret);
	if (ret == -EMSGSIZE && !overwrite()) {
		kernel_peek(x);
		IS(x->seen == 1 && x->what[0]->len > arg.cap, true);
	} else if (ret == -EMSGSIZE) {
		return;
	} else if (ret < 0) {
		found_none(x, ret);
	} else {
		shown_to(x, buf, ret);
		released(x);
	}
}

/* Of a QUEUE: what others left, or a claim. */
static int program_claim(struct reader *x)
{
	struct shmring_claims *c = &x->s.m.claims;
	struct shmring_ioc_adopt orphan;
	int ret;

	if (c->head != c->end || c->ahead)
		return shmring_claim(c, 1);
	ret = ring_adopt(x->s.fd, &orphan, SHMRING_ADOPT_TAKE);
	if (ret != -ENOENT) {
		IS(ret, 0);
		IS(shmring_claim_adopted(c, orphan.lane, orphan.pos, orphan.end), 0);
		return ring_adopt(x->s.fd, &orphan, SHMRING_ADOPT_DONE);
	}
	shmring_claim_join(c);
	ret = shmring_claim(c, 1 + (unsigned int)any(4));
	IS(shmring_claim_withdrawn(c), 0);
	return ret;
}

static long program_look(struct reader *x, const void **from)
{
	struct side *s = &x->s;
	long ret;

	if (w.topology == SPSC) {
		ret = shmring_spsc_peek(&s->rx, from);
		if (ret >= 0)
			shmring_spsc_next(&s->rx, ret);
		return ret;
	}
	if (w.topology == QUEUE) {
		ret = program_claim(x);
		if (ret)
			return ret;
		ret = shmring_claim_peek(&s->m.claims, from);
		if (ret >= 0)
			shmring_claim_next(&s->m.claims, ret);
		return ret;
	}
	shmring_merge_join(&s->m.merge);
	ret = shmring_merge_peek(&s->m.merge, from);
	IS(s->m.merge.skipped, 0);
	if (ret >= 0)
		shmring_merge_next(&s->m.merge, ret);
	return ret;
}

static void program_peek(struct reader *x)
{
	const void *from = NULL;
	long ret = program_look(x, &from);

	TELL("consumer %u looks: %ld\n", (unsigned long long)w.step, x->s.slot, ret);
	if (ret >= 0) {
		shown_to(x, from, ret);
		return;
	}
	IS(ret, -EAGAIN);
	IS(has_next(x), false);
}

static void program_release(struct reader *x)
{
	TELL("consumer %u releases %u\n", (unsigned long long)w.step, x->s.slot, x->seen);
	if (w.topology == SPSC) {
		if (shmring_spsc_release(&x->s.rx) > 0)
			IS(ring_kick(x->s.fd), 0);
	} else {
		IS(member_release(&x->s.m), 0);
	}
	released(x);
}

static void peek(struct reader *x)
{
	if (x->s.kind == KERNEL)
		kernel_peek(x);
	else
		program_peek(x);
}

static void release(struct reader *x)
{
	if (x->s.kind == KERNEL)
		kernel_release(x);
	else
		program_release(x);
}

/* What holds for a consumer. */
static bool is_in(const struct reader *x)
{
	if (w.topology != QUEUE)
		return x->at != w.shown;
	return is_open(&x->claim) || has_more(x);
}

static void wait_for_records(struct reader *x)
{
	struct kt_io io = { .op = KT_WAIT_IN, .count = 1 };
	bool kernel = x->s.kind == KERNEL, holds;
	int none = no_producers(), ret;

	if (overwrite()) {
		/* Where it is in which lane the model does not know: as far as it counts. */
		holds = x->got + lost_by(x) - x->lost_before != w.shown - x->joined;
	} else {
		holds = is_in(x);
	}
	if (!kernel && one_in(2)) {
		ret = poll_now(x->s.fd, POLLIN);
		IS(ret, (holds ? POLLIN : 0) | (none ? POLLHUP : 0));
		return;
	}
	ret = kernel ? kt_with(x->s.fd, KT_IO, &io) : ring_wait(x->s.fd, IN, NOW);
	TELL("consumer %u waits: %d\n", (unsigned long long)w.step, x->s.slot, ret);
	IS(ret, holds ? (kernel ? 0 : IN) : none ?: -EAGAIN);
}

static void consume(struct reader *x)
{
	bool kernel = x->s.kind == KERNEL;

	switch (any(12)) {
	case 0:
		close_consumer(x);
		break;
	case 1:
	case 2:
		wait_for_records(x);
		break;
	case 3:
	case 4:
		release(x);
		break;
	case 5:
	case 6:
	case 7:
		if (kernel && (!overwrite() || !x->seen)) {
			kernel_read(x);
			break;
		}
		/* fallthrough */
	default:
		if (overwrite())
			kernel_read(x);	/* what is peeked at may be overwritten */
		else if (x->seen == SEEN)
			release(x);
		else
			peek(x);
	}
}

/* ---- a run ----------------------------------------------------------------- */

static void count(void)
{
	__u64 produced = 0, consumed = 0, lost = 0;
	struct shmring_ioc_info info;

	for (__u32 k = 0; k < w.producers; k++) {
		const struct lane *l = &w.lane[k];

		produced += l->told;
		consumed += gate(l);
		lost += l->lost + l->lost_before;
		if (l->s.kind == KERNEL)
			IS(kt_lost(l->s.fd), l->lost);
	}
	IS(ring_info(w.ring, &info), 0);
	IS(info.produced, produced);
	if (overwrite())
		return;
	IS(info.consumed, consumed);
	IS(info.lost, lost);
}

static void step(void)
{
	/* For a while the ring is mostly empty, or mostly full. */
	__u64 busy = 2 + (w.seed * 7 + w.step / 50 * 5) % 9;

	if (any(12) < busy) {
		struct lane *l = &w.lane[any(w.producers)];

		if (l->s.kind)
			produce(l);
		else if (one_in(3))
			open_producer();
	} else {
		struct reader *x = &w.reader[any(w.consumers)];

		if (x->s.kind)
			consume(x);
		else if (one_in(3))
			open_consumer();
	}
	if (!w.bad && one_in(8))
		count();
}

/* Whatever is left arrives. */
static void finish(void)
{
	for (__u32 k = 0; k < w.producers; k++)
		if (w.lane[k].s.kind)
			close_producer(&w.lane[k]);
	for (__u32 k = 0; k < w.consumers && w.topology != BROADCAST; k++)
		if (w.reader[k].s.kind)
			close_consumer(&w.reader[k]);
	while (w.topology != BROADCAST && !w.reader[0].s.kind && !w.bad)
		open_consumer();
	for (__u32 k = 0; k < w.consumers; k++) {
		struct reader *x = &w.reader[k];
		__u64 got;

		if (!x->s.kind || overwrite())
			continue;
		do {
			release(x);
			got = x->seen;
			peek(x);
		} while (x->seen != got && !w.bad);
	}
	count();
	for (__u32 k = 0; k < w.consumers; k++)
		if (w.reader[k].s.kind)
			close_consumer(&w.reader[k]);
}

static void run(__u32 topology, __u32 policy, __u64 seed)
{
	bool several = topology == QUEUE || topology == BROADCAST;

	memset(&w, 0, sizeof(w));
	w.topology = topology;
	w.policy = policy;
	w.seed = seed;
	w.rnd = seed << 16 | topology << 8 | policy;
	w.trace = !!getenv("SHMRING_TEST_SEED");
	for (int k = 0; k < 8; k++)
		any(2);
	w.producers = topology == SPSC ? 1 : 1 + (__u32)any(LANES);
	w.consumers = several ? 1 + (__u32)any(READERS) : 1;
	w.ring = group_create(topology, policy, w.producers, w.consumers);
	IS(w.ring >= 0, true);
	IS(member_start(&w.watch, w.ring), true);
	for (; w.step < STEPS && !w.bad; w.step++)
		step();
	if (!w.bad)
		finish();
	member_close(&w.watch);
}

FIXTURE(model) {
	int loaded;
};

FIXTURE_VARIANT(model) {
	__u32 topology;
	__u32 policy;
};

#define VARIANT(name, topology, policy)						\
	FIXTURE_VARIANT_ADD(model, name) { topology, SHMRING_FULL_##policy }

VARIANT(spsc_wait, SPSC, WAIT);
VARIANT(spsc_drop_newest, SPSC, DROP_NEWEST);
VARIANT(mpsc_wait, MPSC, WAIT);
VARIANT(mpsc_drop_newest, MPSC, DROP_NEWEST);
VARIANT(queue_wait, QUEUE, WAIT);
VARIANT(queue_drop_newest, QUEUE, DROP_NEWEST);
VARIANT(broadcast_wait, BROADCAST, WAIT);
VARIANT(broadcast_drop_newest, BROADCAST, DROP_NEWEST);
VARIANT(broadcast_overwrite, BROADCAST, OVERWRITE);

FIXTURE_SETUP(model)
{
	self->loaded = kt_load();
}

FIXTURE_TEARDOWN(model)
{
	if (w.bad)		/* with everything open */
		syscall(SYS_close_range, 3, ~0u, 0);
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

TEST_F(model, holds)
{
	const char *only = getenv("SHMRING_TEST_SEED");
	__u64 seed = only ? strtoull(only, NULL, 0) : 1;
	__u64 last = only ? seed : SEEDS;

	NEED_MODULE();
	for (; seed <= last && !w.bad; seed++)
		run(variant->topology, variant->policy, seed);
	fflush(stdout);
	EXPECT_FALSE(w.bad);
}

TEST_HARNESS_MAIN
