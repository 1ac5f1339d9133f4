// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring bench peers - shmring against the rings and queues that others made, in the
 * harness of bench pc.
 *
 * A program of its own, which "shmring bench peers" starts: it needs the libraries of
 * those others, and shmring needs none. HAVE_* come from the Makefile, which looks for
 * each library's header.
 */
#include "many.h"

static __attribute__((unused)) int absent(void)
{
	return -ENOPKG;
}

/* One that this program was built without: it can be named, and says what it lacks. */
#define ABSENT(NAME, TITLE)			\
static const struct pc_contender NAME = {	\
	.name = TITLE,				\
	.what = "not built in",			\
	.available = absent,			\
}

#ifndef HAVE_CK
ABSENT(no_ck, "ck-ring-spsc");
#endif
#ifndef HAVE_DPDK
ABSENT(no_dpdk, "rte_ring-spsc");
#endif
#ifndef HAVE_BOOST
ABSENT(no_boost, "boost-spsc");
#endif
#ifndef HAVE_MOODYCAMEL
ABSENT(no_moodycamel, "moodycamel-spsc");
#endif
#ifndef HAVE_ICEORYX
ABSENT(no_iceoryx, "iceoryx");
#endif

static const struct pc_contender *const all[] = {
	&peer_limit, &pc_plain, &pc_memfd_spin, &pc_device_spin, &pc_memfd, &pc_device,
#ifdef HAVE_BOOST
	&peer_boost_spsc, &peer_boost_mq,
#else
	&no_boost,
#endif
#ifdef HAVE_CK
	&peer_ck_spsc, &peer_ck_mpmc,
#else
	&no_ck,
#endif
#ifdef HAVE_DPDK
	&peer_rte_spsc, &peer_rte_mpmc, &peer_rte_hts,
#else
	&no_dpdk,
#endif
#ifdef HAVE_MOODYCAMEL
	&peer_rwq, &peer_cq,
#else
	&no_moodycamel,
#endif
#ifdef HAVE_ICEORYX
	&peer_iceoryx,
#else
	&no_iceoryx,
#endif
	&pc_sysv_sem, &pc_posix_mq, &pc_pipe, &pc_unix_seq,
};

static const struct pc_args defaults = {
	.sizes = { 8, 64, 256, 1024, 4096, 65536 }, .n_sizes = 6,
	.trip_sizes = { 64 }, .n_trip_sizes = 1,
	.rounds = 5, .target_ns = 10000000, .ring_bytes = 256 << 10, .least_slots = 64,
	.throughput = true, .round_trip = true, .batches = true,
};

static const struct pc_bench bench = {
	.name = "peers",
	.self = "shmring bench peers",
	.doc =
	"Compare shmring with rings and queues that others made, and with what the kernel has, "
	"in the way of 'shmring bench pc'."
	"\v"
	"Records go in by copy and out by copy, one at a time and 32 at a time, between two "
	"processes, and are checked in full. Each group is compared to its best peer, which is no "
	"shmring, not the plain ring and not the limit. Peers that were not there when this was "
	"built are named as skipped: 'make bench-peers' installs and builds them on Debian 12.",
	.legend = PC_LEGEND "\n"
	"limit: whole blocks of cache lines handed over, and for round trips one shared line: what "
	"this machine allows, and no channel.",
	.all = all,
	.n = sizeof(all) / sizeof(all[0]),
	.defaults = &defaults,
};

/* "shmring bench many" and "shmring bench peers" start this program by these names. */
int main(int argc, char **argv)
{
	if (!strcmp(argv[0], "many"))
		return many_bench(argc, argv);
	return pc_bench_run(&bench, argc, argv);
}
