// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The ring core alone, on plain memory mapped twice: wrapping, batches, hostile words,
 * recovery after a death at each step, and two threads for the sanitizers.
 */
#include <pthread.h>

#include "test.h"

#define SIZE	4096u

struct core {
	struct shmring_cursor *p, *c;
	unsigned char *data;
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
};

static void core_init(struct core *k)
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	memset(k, 0, sizeof(*k));
	if (fd < 0 || ftruncate(fd, SIZE))
		abort();
	k->p = aligned_alloc(128, 512);
	k->c = aligned_alloc(128, 512);
	memset(k->p, 0, 512);
	memset(k->c, 0, 512);
	k->data = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(k->data, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	mmap(k->data + SIZE, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	k->tx.data = k->data;
	k->tx.mask = SIZE - 1;
	k->tx.limit = SIZE;
	k->tx.fence = 1;
	k->tx.mine = k->p;
	k->tx.peer = k->c;
	k->rx.data = k->data;
	k->rx.mask = SIZE - 1;
	k->rx.fence = 1;
	k->rx.mine = k->c;
	k->rx.peer = k->p;
}

static void core_free(struct core *k)
{
	munmap(k->data, 2 * SIZE);
	free(k->p);
	free(k->c);
}

static int core_send(struct core *k, uint64_t nth, size_t len)
{
	void *p = shmring_spsc_reserve(&k->tx, len);

	if (!p) {
		if (shmring_spsc_refresh(&k->tx))
			return -EPROTO;
		p = shmring_spsc_reserve(&k->tx, len);
		if (!p)
			return -EAGAIN;
	}
	test_fill(p, len, nth);
	shmring_spsc_put(&k->tx, len);
	return shmring_spsc_publish(&k->tx);
}

/* Return: length of record @nth, or an error. */
static long core_recv(struct core *k, uint64_t nth)
{
	const void *p;
	long len;

	shmring_spsc_rewind(&k->rx);
	len = shmring_spsc_peek(&k->rx, &p);
	if (len < 0)
		return len;
	if (!test_match(p, (size_t)len, nth))
		return -EILSEQ;
	shmring_spsc_next(&k->rx, len);
	shmring_spsc_release(&k->rx);
	return len;
}

static void wrap_at_every_length(void)
{
	size_t len, max = shmring_record_max(SIZE);
	uint64_t nth = 0;
	struct core k;
	int turn;

	core_init(&k);
	for (len = 0; len <= max; len++) {
		for (turn = 0; turn < 4; turn++, nth++) {
			CHECK_EQ(core_send(&k, nth, len), 0);
			CHECK_EQ(core_recv(&k, nth), len);
			if (test_bad)
				goto out;
		}
	}
	CHECK(!shmring_spsc_reserve(&k.tx, max + 1));
	CHECK_EQ(core_recv(&k, 0), -EAGAIN);
	CHECK(k.tx.tail > 100 * SIZE);
out:
	core_free(&k);
}

static void fill_to_the_brim(void)
{
	uint64_t rnd = 1, sent = 0, got = 0;
	struct core k;
	int turn;

	core_init(&k);
	for (turn = 0; turn < 5000; turn++) {
		size_t len = test_random(&rnd) % 300;

		while (core_send(&k, sent, len) == 0) {
			sent++;
			len = test_random(&rnd) % 300;
		}
		CHECK(k.tx.tail - k.rx.done <= SIZE - SHMRING_REC_TAIL);
		for (len = test_random(&rnd) % 40; len && core_recv(&k, got) >= 0; len--)
			got++;
	}
	while (core_recv(&k, got) >= 0)
		got++;
	CHECK_EQ(got, sent);
	CHECK_EQ(k.p->records, sent);
	CHECK_EQ(k.c->records, got);
	CHECK_EQ(k.p->pos, k.c->pos);
	core_free(&k);
}

static void batch_is_hidden_until_published(void)
{
	struct core k;
	int i, round;

	core_init(&k);
	for (round = 0; round < 300; round++) {
		for (i = 0; i < 7; i++) {
			void *p = shmring_spsc_reserve(&k.tx, 40);

			if (!p) {
				CHECK_EQ(shmring_spsc_refresh(&k.tx), 0);
				p = shmring_spsc_reserve(&k.tx, 40);
			}
			NEED(p);
			test_fill(p, 40, (uint64_t)i);
			shmring_spsc_put(&k.tx, 40);
			CHECK_EQ(core_recv(&k, 0), -EAGAIN);
		}
		shmring_spsc_publish(&k.tx);
		for (i = 0; i < 7; i++)
			CHECK_EQ(core_recv(&k, (uint64_t)i), 40);
		CHECK_EQ(core_recv(&k, 0), -EAGAIN);
	}
	core_free(&k);
}

static void hostile_header_words(void)
{
	static const uint32_t words[] = {
		1, 8, SHMRING_REC_LEN, 0x40000000u, 0xc0000000u,
		SHMRING_REC_READY | SHMRING_REC_LEN,
		SHMRING_REC_READY | SIZE, SHMRING_REC_READY | (SIZE - 8), 0xffffffffu,
	};
	const void *p;
	struct core k;
	size_t i;

	core_init(&k);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		((struct shmring_record *)(void *)k.data)->word = words[i];
		CHECK_EQ(shmring_spsc_peek(&k.rx, &p), -EBADMSG);
	}
	((struct shmring_record *)(void *)k.data)->word = SHMRING_REC_READY | (SIZE - 16);
	CHECK_EQ(shmring_spsc_peek(&k.rx, &p), SIZE - 16);
	core_free(&k);
}

static void expected_length_is_compared(void)
{
	static const uint64_t lengths[] = { 0, 8, 23, 25, 32, SIZE - 8, SHMRING_REC_LEN };
	const void *p;
	uint32_t *word;
	struct core k;
	size_t i;

	core_init(&k);
	word = shmring_spsc_word(&k.tx, 0);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		CHECK(!shmring_spsc_expect(&k.rx, lengths[i]));
	CHECK_EQ(core_send(&k, 1, 24), 0);
	CHECK(!shmring_spsc_expect(&k.rx, 24));		/* the first one is asked about */
	CHECK_EQ(shmring_spsc_peek(&k.rx, &p), 24);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		CHECK(!shmring_spsc_expect(&k.rx, lengths[i]));
	CHECK(shmring_spsc_expect(&k.rx, 24) == k.data + sizeof(struct shmring_record));
	*word = 24;				/* not READY */
	CHECK(!shmring_spsc_expect(&k.rx, 24));
	*word = SHMRING_REC_READY | (SIZE - 8);	/* no room for the next header */
	CHECK(!shmring_spsc_expect(&k.rx, SIZE - 8));
	*word = SHMRING_REC_READY | SHMRING_REC_LEN;
	CHECK(!shmring_spsc_expect(&k.rx, SHMRING_REC_LEN));
	*word = SHMRING_REC_READY | (SIZE - 16);
	CHECK(shmring_spsc_expect(&k.rx, SIZE - 16));
	core_free(&k);
}

static void hostile_consumer_position(void)
{
	static const uint64_t wrong[] = { 1ull << 63, ~0ull, 4096, 1ull << 32, 33 };
	struct core k;
	size_t i;

	core_init(&k);
	CHECK_EQ(core_send(&k, 0, 16), 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t limit = k.tx.limit;

		k.c->pos = wrong[i];
		CHECK_EQ(shmring_spsc_refresh(&k.tx), -EPROTO);
		CHECK_EQ(k.tx.limit, limit);
	}
	k.c->pos = 24;
	CHECK_EQ(shmring_spsc_refresh(&k.tx), 0);
	k.c->pos = 0;		/* backwards */
	CHECK_EQ(shmring_spsc_refresh(&k.tx), -EPROTO);
	core_free(&k);
}

static void endless_loop_of_records_ends(void)
{
	struct core k;
	uint32_t at;

	core_init(&k);
	for (at = 0; at < SIZE; at += 8)
		((struct shmring_record *)(void *)(k.data + at))->word = SHMRING_REC_READY;
	CHECK_EQ(shmring_spsc_recover(&k.tx), 0);
	CHECK(k.tx.tail < SIZE);
	CHECK_EQ(*shmring_spsc_word(&k.tx, k.tx.tail), 0);
	k.c->pos = 4;
	CHECK_EQ(shmring_spsc_recover(&k.tx), -EPROTO);
	core_free(&k);
}

/* The producer's stores in order; death after @step of them. */
static void die_at(struct core *k, int step)
{
	struct shmring_spsc_tx *tx = &k->tx;
	uint64_t next = tx->tail + shmring_record_size(24);
	void *p;

	CHECK_EQ(shmring_spsc_refresh(tx), 0);
	p = shmring_spsc_reserve(tx, 24);
	if (!step--)
		return;
	test_fill(p, 24, 99);
	if (!step--)
		return;
	shmring_store(shmring_spsc_word(tx, next), 0);
	if (!step--)
		return;
	shmring_store_release(shmring_spsc_word(tx, tx->tail), SHMRING_REC_READY | 24);
	if (!step--)
		return;
	shmring_store_release(&tx->mine->pos, next);
}

static void recover_after_death_at_each_step(void)
{
	int step, turn, i;

	for (step = 0; step <= 4; step++) {
		for (turn = 0; turn < 200; turn++) {
			struct shmring_spsc_tx fresh;
			struct core k;

			core_init(&k);
			for (i = 0; i < turn; i++) {
				CHECK_EQ(core_send(&k, (uint64_t)i, 24), 0);
				if (i < turn - 3)
					CHECK_EQ(core_recv(&k, (uint64_t)i), 24);
			}
			die_at(&k, step);
			fresh = (struct shmring_spsc_tx){
				.data = k.data, .mask = SIZE - 1, .fence = 1,
				.mine = k.p, .peer = k.c,
			};
			k.tx = fresh;
			CHECK_EQ(shmring_spsc_recover(&k.tx), 0);
			for (i = turn < 3 ? 0 : turn - 3; i < turn; i++)
				CHECK_EQ(core_recv(&k, (uint64_t)i), 24);
			if (step >= 3)
				CHECK_EQ(core_recv(&k, 99), 24);
			CHECK_EQ(core_recv(&k, 0), -EAGAIN);
			CHECK_EQ(core_send(&k, 7, 24), 0);
			CHECK_EQ(core_recv(&k, 7), 24);
			core_free(&k);
			if (test_bad)
				return;
		}
	}
}

static void recover_drops_a_hidden_batch(void)
{
	struct core k;
	int i;

	core_init(&k);
	CHECK_EQ(core_send(&k, 1, 24), 0);
	for (i = 0; i < 5; i++) {
		test_fill(shmring_spsc_reserve(&k.tx, 24), 24, 50);
		shmring_spsc_put(&k.tx, 24);
	}
	CHECK_EQ(shmring_spsc_recover(&k.tx), 0);
	CHECK_EQ(core_send(&k, 2, 40), 0);
	CHECK_EQ(core_recv(&k, 1), 24);
	CHECK_EQ(core_recv(&k, 2), 40);
	CHECK_EQ(core_recv(&k, 3), -EAGAIN);
	core_free(&k);
}

static void armed_says_kick_from_wake_at_on(void)
{
	struct core k;

	core_init(&k);
	k.c->wake_at = 32;
	k.c->wake_records = SHMRING_WAKE_NEVER;
	k.c->armed = SHMRING_ARMED_YES;
	CHECK_EQ(core_send(&k, 0, 8), 0);	/* 16 */
	CHECK_EQ(core_send(&k, 1, 8), 1);	/* 32 */
	CHECK_EQ(core_send(&k, 2, 8), 1);
	k.c->armed = SHMRING_ARMED_NO;
	CHECK_EQ(core_send(&k, 3, 8), 0);
	k.c->armed = SHMRING_ARMED_GONE;
	CHECK_EQ(core_send(&k, 4, 8), -EPIPE);
	core_free(&k);
}

/*
 * Each lap of the ring is handed over twice, which takes as long as the machine's load
 * makes it: so there are thousands of laps, and not more.
 */
#define ROUNDS	200000u

static void *producer_thread(void *arg)
{
	struct core *k = arg;
	uint64_t nth = 0, rnd = 5;

	while (nth < ROUNDS) {
		int n = (int)(test_random(&rnd) % 5) + 1;

		while (n-- && nth < ROUNDS) {
			size_t len = test_random(&rnd) % 100;
			void *p;

			while (!(p = shmring_spsc_reserve(&k->tx, len))) {
				if (k->tx.hold_word)
					shmring_spsc_publish(&k->tx);
				if (shmring_spsc_refresh(&k->tx))
					abort();
				sched_yield();
			}
			test_fill(p, len, nth++);
			shmring_spsc_put(&k->tx, len);
		}
		shmring_spsc_publish(&k->tx);
	}
	return NULL;
}

static void two_threads(void)
{
	uint64_t nth = 0, wrong = 0;
	pthread_t thread;
	struct core k;

	core_init(&k);
	NEED(!pthread_create(&thread, NULL, producer_thread, &k));
	while (nth < ROUNDS) {
		long len = core_recv(&k, nth);

		if (len == -EAGAIN) {
			sched_yield();
			continue;
		}
		wrong += len < 0;
		nth++;
		if (wrong)
			abort();
	}
	pthread_join(thread, NULL);
	CHECK_EQ(k.p->pos, k.c->pos);
	CHECK_EQ(k.p->records, ROUNDS);
	core_free(&k);
}

/* As many records as the largest ring can hold, noted by one release. */
static void note_of_all_there_can_be(void)
{
	const __u64 most = (1ull << 30) / SHMRING_REC_ALIGN - 1;
	__u64 tally[2] = { 0 }, records = 0;
	__u32 noted = 0;

	shmring_tally_note(tally, &noted, shmring_tally_key(1ull << 30), most);
	CHECK(shmring_tally_find(tally, shmring_tally_key(1ull << 30), &records));
	CHECK_EQ(records, most);
}

int main(void)
{
	START();
	RUN(wrap_at_every_length);
	RUN(fill_to_the_brim);
	RUN(batch_is_hidden_until_published);
	RUN(hostile_header_words);
	RUN(expected_length_is_compared);
	RUN(hostile_consumer_position);
	RUN(endless_loop_of_records_ends);
	RUN(recover_after_death_at_each_step);
	RUN(recover_drops_a_hidden_batch);
	RUN(armed_says_kick_from_wake_at_on);
	RUN(note_of_all_there_can_be);
	RUN(two_threads);
	DONE();
}
