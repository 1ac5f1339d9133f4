// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench - the table of benchmarks
 */
#include "bench.h"

static const struct tool_command benches[] = {
	{ "pc",	"one producer, one consumer: against semaphores and a plain ring",	bench_pc },
	{ "guide", "every way to pass data, and which to take for what",
	  bench_guide },
	{ "peers", "shmring against rings and queues that others made",	bench_peers },
	{ "many", "several producers and consumers, against queues that others made", bench_many },
	{ "sem", "adding to one counter: guards, memories, and a holder that is killed",
	  bench_sem },
	{ "false-sharing", "counters in one cache line, and on lines of their own",
	  bench_false_sharing },
	{ "numa", "bandwidth and latency from every node to the memory of every node",
	  bench_numa },
	{ "compare", "what changed between two results, beyond noise",	bench_compare },
	{ "html", "results as one HTML file with plots",		bench_html },
	{ NULL,	NULL,									NULL },
};

int cmd_bench(int argc, char **argv)
{
	return tool_dispatch("shmring bench",
			     "Measure, here and now, each contender in processes of its own. A run whose data "
			     "is wrong is an error (exit status 6), never a figure.",
			     NULL, benches, argc, argv);
}
