// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * One order: what was committed before another commit began is received before it, whoever
 * the two producers are. A token says when: producers hand it round, and whoever has it
 * commits the next number, or a batch of the next.
 */
#include "many.h"

#define PRODUCERS	3u
#define TURNS		3000u

struct token {
	uint32_t next;		/* number of the next record */
	uint32_t ready;
};

static struct token *token;
static int pass[PRODUCERS][2];	/* to each producer: a byte is the token */

static void produce(int fd, struct shmring_opts *o, uint32_t self, uint32_t turns)
{
	struct iovec msgs[3];
	uint64_t nr[3];
	struct shmring *p;
	uint32_t turn, k, n;

	CHECK_EQ(shmring_attach_fd(fd, PROD, o, &p), 0);
	__atomic_fetch_add(&token->ready, 1, __ATOMIC_SEQ_CST);
	for (turn = self; turn < turns && !test_bad && !test_hear(pass[self][0]);
	     turn += PRODUCERS) {
		n = turn % 7 ? 1 : 3;
		for (k = 0; k < n; k++) {
			nr[k] = token->next + k;
			msgs[k].iov_base = &nr[k];
			msgs[k].iov_len = sizeof(nr[k]);
		}
		token->next += n;
		for (k = 0; k < n && !test_bad;) {
			long sent = shmring_send_batch(p, msgs + k, n - k, SHMRING_FOREVER);

			CHECK(sent > 0);
			k += (uint32_t)sent;
		}
		test_tell(pass[(turn + 1) % PRODUCERS][1]);
	}
	shmring_close(p);
	test_exit();
}

static void consume(int fd, struct shmring_opts *o)
{
	struct shmring *c;
	uint64_t nr, want = 0;
	long len;

	CHECK_EQ(shmring_attach_fd(fd, CONS, o, &c), 0);
	__atomic_fetch_add(&token->ready, 1, __ATOMIC_SEQ_CST);
	while ((len = shmring_recv(c, &nr, sizeof(nr), SHMRING_FOREVER)) == 8 && !test_bad)
		CHECK_EQ(nr, want++);
	if (!test_bad)
		CHECK_EQ(len, -EPIPE);
	CHECK_EQ(want, token->next);
	shmring_close(c);
	test_exit();
}

static void in_turn(uint32_t topology, uint32_t consumers)
{
	struct shmring_opts o = many_opts(topology, PRODUCERS, consumers, 0);
	uint32_t turns = (uint32_t)(test_rounds(TURNS) * test_stress()), k;
	pid_t pids[2 * PRODUCERS];
	struct shmring *watch;

	token = many_shared(sizeof(*token));
	NEED(token && !shmring_create(NULL, OBS, &o, &watch));
	for (k = 0; k < PRODUCERS; k++)
		NEED(!pipe(pass[k]));
	for (k = 0; k < PRODUCERS + consumers; k++) {
		pids[k] = test_fork();
		if (!pids[k] && k < PRODUCERS)
			produce(shmring_fd(watch), &o, k, turns);
		if (!pids[k])
			consume(shmring_fd(watch), &o);
	}
	/* Nobody sends before all are there: what is broadcast before is not for them. */
	while (__atomic_load_n(&token->ready, __ATOMIC_SEQ_CST) < PRODUCERS + consumers)
		sched_yield();
	test_tell(pass[0][1]);
	for (k = 0; k < PRODUCERS + consumers; k++)
		CHECK_EQ(test_reap(pids[k]), 0);
	for (k = 0; k < PRODUCERS; k++) {
		close(pass[k][0]);
		close(pass[k][1]);
	}
	shmring_close(watch);
	munmap(token, sizeof(*token));
}

static void mpsc(void)
{
	in_turn(MPSC, 1);
}

static void broadcast(void)
{
	in_turn(BCAST, 2);
}

int main(void)
{
	START();
	RUN(mpsc);
	RUN(broadcast);
	DONE();
}
