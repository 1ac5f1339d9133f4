// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench guide - which way to pass data to choose: all of them in the harness of
 * bench pc, with what each costs besides time, and the advice that follows.
 */
#include "bench_guide.h"

const struct guide_way guide_ways[] = {
	{ &pc_pipe,		GUIDE_KERNEL },
	{ &pc_fifo,		GUIDE_KERNEL | GUIDE_NAMED | GUIDE_LEFT },
	{ &pc_unix,		GUIDE_KERNEL | GUIDE_NAMED },
	{ &pc_unix_seq,		GUIDE_KERNEL | GUIDE_NAMED },
	{ &pc_tcp,		GUIDE_KERNEL | GUIDE_NAMED },
	{ &pc_posix_mq,		GUIDE_KERNEL | GUIDE_NAMED | GUIDE_LEFT },
	{ &pc_sysv_msg,		GUIDE_KERNEL | GUIDE_NAMED | GUIDE_LEFT },
	{ &pc_sysv_semop,	GUIDE_NAMED | GUIDE_LEFT },
	{ &pc_posix_sem,	GUIDE_NAMED | GUIDE_LEFT },
	{ &pc_file_sem,		GUIDE_NAMED | GUIDE_LEFT | GUIDE_LASTS },
	{ &pc_eventfd,		GUIDE_KERNEL | GUIDE_SIGNAL },
	{ &pc_uring,		GUIDE_KERNEL | GUIDE_NAMED },
	{ &pc_memfd,		GUIDE_NAMED },
	{ &pc_memfd_spin,	GUIDE_NAMED | GUIDE_SPINS },
	{ &pc_device,		GUIDE_NAMED | GUIDE_RIGHTS },
	{ &pc_device_spin,	GUIDE_NAMED | GUIDE_RIGHTS | GUIDE_SPINS },
};

const unsigned int guide_n = sizeof(guide_ways) / sizeof(guide_ways[0]);

#define LEGEND								\
	"calls: system calls of both sides for each record, counted by ptrace in a run of its own; " \
	"switches: voluntary context switches and cpu_ns: CPU time of both sides for each record; " \
	"memory: bytes that a channel in one direction holds or may come to hold.\n" \
	"A round trip is there and back; one way is about half. p999 is the median of the rounds, longest the longest of all.\n" \
	"io_uring: one send or receive at a time over a UNIX stream socket. eventfd: signals only, which may be taken several at once.\n"

static char *advise(json_t *doc)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	fputs(LEGEND, f);
	guide_advise(doc, f);
	fclose(f);
	return text;
}

int bench_guide(int argc, char **argv)
{
	static const struct pc_args defaults = {
		.baseline = &pc_pipe, .sizes = { 8, 64, 1024, 32768, 1048576 }, .n_sizes = 5,
		.trip_sizes = { 8 }, .n_trip_sizes = 1, .rounds = 3, .target_ns = 10000000,
		.trip_target_ns = 40000000, .ring_bytes = 65536, .least_slots = 4,
		.throughput = true, .round_trip = true, .trace = true,
	};
	const struct pc_contender *all[PC_CONTENDERS_MAX];
	const struct pc_bench bench = {
		.name = "guide",
		.self = "shmring bench guide",
		.doc =
		"Measure every way to pass data from one process to another, and say which to take for what."
		"\v"
		"Takes about 20 seconds. Every record carries its number and a pattern and is checked in "
		"full; a wrong one ends the benchmark with exit status 6. The advice at the end is filled "
		"in with what was measured, so it holds for this machine and this moment.",
		.legend = LEGEND,
		.advise = advise,
		.costs = true,
		.small_slots = true,
		.all = all,
		.n = guide_n,
		.defaults = &defaults,
	};
	unsigned int i;

	for (i = 0; i < guide_n; i++)
		all[i] = guide_ways[i].who;
	return pc_bench_run(&bench, argc, argv);
}
