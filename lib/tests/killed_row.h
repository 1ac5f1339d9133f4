/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * Kills in a row: somebody dies, and those are killed who are putting right what that left.
 */
#ifndef SHMRING_TEST_KILLED_ROW_H
#define SHMRING_TEST_KILLED_ROW_H

#include "killed_run.h"

static struct reader *any_reader(void)
{
	return &m.reader[any(m.consumers)];
}

static struct lane *any_lane(void)
{
	return &m.lane[any(m.producers)];
}

/* In the next call, after up to so many accesses; or not at all. */
static void kill_within(unsigned int accesses, int kill)
{
	until_kill = kill ? 1 + (unsigned int)any(accesses) : 0;
}

static void open_any(int kill)
{
	kill_within(ACCESSES, kill);
	if (one_in(3)) {
		if (live_producers() < m.producers)
			open_producer();
	} else if (live_consumers() < m.consumers) {
		open_consumer();
	}
}

/* Something is there, and consumers look at some of it. */
static void prepare(void)
{
	unsigned int n = 2 + (unsigned int)any(6), k;
	struct reader *x;
	struct lane *l;

	for (k = 0; k < n && !test_bad; k++) {
		l = any_lane();
		send_one(l, any_len());
	}
	for (k = 0; k < m.consumers && !test_bad; k++) {
		x = &m.reader[k];
		if (one_in(2))
			do_peek(x, 1 + (unsigned int)any(3));
		if (x->seen && one_in(4))
			do_release(x);
	}
}

/* One dies between its calls, which another one sees, or not. */
static void one_dies(void)
{
	struct reader *x = any_reader();
	struct lane *l = any_lane();

	if (one_in(m.topology == QUEUE ? 6 : 2)) {
		producer_dies(l);
	} else {
		if (!x->seen)
			do_peek(x, 1 + (unsigned int)any(3));
		if (!test_bad)
			reader_dies(x);
	}
	l = any_lane();
	x = any_reader();
	if (test_bad || one_in(2))
		return;
	if (l->r)
		do_probe_producer(l);
	else if (x->r)
		do_probe_consumer(x);
}

static void act_as_producer(struct lane *l, int kill)
{
	if (!l->r)
		return;
	kill_within(ACCESSES, kill);
	if (one_in(3)) {
		do_close_producer(l);
	} else {
		kill_within(ACCESSES / 3, kill);
		produce(l);
	}
}

static void act_as_consumer(struct reader *x, int kill)
{
	if (!x->r)
		return;
	kill_within(ACCESSES / 3, kill);
	switch (any(8)) {
	case 0:
		do_release(x);
		break;
	case 1:
		do_probe_consumer(x);
		break;
	case 2:
		kill_within(ACCESSES, kill);
		do_close_consumer(x);
		break;
	case 3:
	case 4:
		do_peek(x, 1 + (unsigned int)any(3));
		break;
	default:
		do_recv(x);
	}
}

/* By whom something is put right, or left half done. */
static void act(int kill)
{
	struct reader *x = any_reader();
	struct lane *l = any_lane();

	if (one_in(3))
		open_any(kill);
	else if (one_in(m.topology == QUEUE ? 6 : 2))
		act_as_producer(l, kill);
	else
		act_as_consumer(x, kill);
	until_kill = 0;
}

/* One dies, two in a row are killed at work, others go on. */
static void run_in_a_row(uint32_t topology, uint32_t policy, uint64_t seed)
{
	unsigned int k;

	start_run(topology, policy, seed, 2);
	for (k = 0; k < 10 && !test_bad; k++) {
		m.step++;
		begin(m.step);
		switch (k) {
		case 0:
			prepare();
			break;
		case 1:
			one_dies();
			break;
		case 2:
		case 3:
			act(1);
			break;
		case 4:
			if (one_in(2))
				open_any(0);
			break;
		default:
			act(0);
		}
	}
	end_run();
}

#endif /* SHMRING_TEST_KILLED_ROW_H */
