// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_bpf [EVENTS [ROUNDS]] - the same kernel event through BPF's ring buffer and shmring
 *
 * The event is the entry of a system call, getppid(2), which this program makes as often
 * as asked, on CPU 0. A probe on the tracepoint sys_enter writes a record of 16 bytes for
 * each: a BPF program by bpf_ringbuf_output(), or shmring_test.ko by shmring_lanes_write().
 * A thread on another CPU takes them, asleep while there are none: by libbpf's
 * ring_buffer__poll(), or by libshmring without spinning. Both buffers have 256 KiB.
 *
 * Rounds alternate: nobody listens, BPF, shmring. Needs root, the test module and a
 * kernel with BPF; meant for the guest ("make bench-bpf").
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <shmring.h>

#include "kernel_test.h"

#define SIZE		(256 << 10)
#define ROUNDS_MAX	99
#define MODULE		"/modules/shmring_test.ko"

struct record {
	__u64 pid_tgid;
	__u64 id;
};

struct round {
	double ns;		/* for an event, as the producer sees it */
	unsigned long received;
};

static atomic_bool producing;
static atomic_ulong received;
static unsigned long events = 50000;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "sched_setaffinity");
}

static void count(const void *data, size_t len)
{
	const struct record *rec = data;

	if (len != sizeof(*rec) || rec->id != SYS_getppid)
		errx(1, "a record that nobody wrote");
	atomic_fetch_add_explicit(&received, 1, memory_order_relaxed);
}

/* The events, with a thread that takes them. */
static struct round run(void *(*consumer)(void *), void *arg)
{
	struct round round;
	pthread_t thread;
	uint64_t start;

	atomic_store(&received, 0);
	atomic_store(&producing, true);
	if (consumer && pthread_create(&thread, NULL, consumer, arg))
		errx(1, "pthread_create");
	start = now();
	for (unsigned long i = 0; i < events; i++)
		syscall(SYS_getppid);
	round.ns = (double)(now() - start) / (double)events;
	atomic_store(&producing, false);
	if (consumer)
		pthread_join(thread, NULL);
	round.received = atomic_load(&received);
	return round;
}

/* ---- BPF ---------------------------------------------------------------------------- */

static int bpf_record(void *ctx, void *data, size_t len)
{
	(void)ctx;
	count(data, len);
	return 0;
}

static void *bpf_consumer(void *rb)
{
	pin(1);
	/* Once more after the last event: what is there stays there. */
	while (atomic_load(&producing))
		ring_buffer__poll(rb, 100);
	ring_buffer__consume(rb);
	return NULL;
}

static struct round run_bpf(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "events", 0, 0, SIZE, NULL);
	/* if (id == getppid && tgid == ours) bpf_ringbuf_output({ pid_tgid, id }) */
	struct bpf_insn prog[] = {
		{ BPF_LDX | BPF_MEM | BPF_DW, 7, 1, 8, 0 },
		{ BPF_JMP | BPF_JNE | BPF_K, 7, 0, 15, SYS_getppid },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_pid_tgid },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 1, 0, 0, 0 },
		{ BPF_ALU64 | BPF_RSH | BPF_K, 1, 0, 0, 32 },
		{ BPF_JMP | BPF_JNE | BPF_K, 1, 0, 11, getpid() },
		{ BPF_STX | BPF_MEM | BPF_DW, 10, 0, -16, 0 },
		{ BPF_STX | BPF_MEM | BPF_DW, 10, 7, -8, 0 },
		{ BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map },
		{ 0, 0, 0, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -16 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 16 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_JA, 0, 0, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	struct ring_buffer *rb;
	struct round round;
	int fd, link;

	if (map < 0)
		err(1, "BPF ring buffer");
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "bench", "GPL", prog,
			   sizeof(prog) / sizeof(prog[0]), NULL);
	if (fd < 0)
		err(1, "BPF program");
	link = bpf_raw_tracepoint_open("sys_enter", fd);
	rb = ring_buffer__new(map, bpf_record, NULL, NULL);
	if (link < 0 || !rb)
		err(1, "BPF attach");
	round = run(bpf_consumer, rb);
	ring_buffer__free(rb);
	close(link);
	close(fd);
	close(map);
	return round;
}

/* ---- shmring ------------------------------------------------------------------------- */

static int shmring_record_fn(const void *payload, size_t len, void *arg)
{
	(void)arg;
	count(payload, len);
	return 0;
}

static void *shmring_consumer_fn(void *r)
{
	long n;

	pin(1);
	do {
		n = shmring_consume(r, shmring_record_fn, NULL, 0, now() + 100000000);
	} while (n >= 0 || (n == -ETIMEDOUT && atomic_load(&producing)));
	if (n != -ETIMEDOUT)
		errx(1, "shmring: %s", shmring_strerror((int)n));
	return NULL;
}

static struct round run_shmring(int kt, uint64_t *lost)
{
	struct shmring_opts opts = {
		.size = sizeof(opts),
		.backend = SHMRING_BACKEND_DEVICE,
		.node = -1,
		.cursor_node = -1,
		.topology = SHMRING_TOPO_MPSC,
		.full_policy = SHMRING_FULL_DROP_NEWEST,
		.producers = 1,
		.data_size = SIZE,
		.spin_ns = 0,
	};
	struct round round;
	struct shmring *r;
	int ret = shmring_create(NULL, SHMRING_ROLE_CONSUMER, &opts, &r);

	if (ret)
		errx(1, "shmring: %s", shmring_strerror(ret));
	if (ioctl(kt, KT_GET, shmring_fd(r)) || ioctl(kt, KT_LANES, 1) ||
	    ioctl(kt, KT_TRACE, SYS_getppid))
		err(1, "shmring_test.ko");
	round = run(shmring_consumer_fn, r);
	if (ioctl(kt, KT_LOST, lost) || ioctl(kt, KT_TRACE, -1) || ioctl(kt, KT_DETACH_TX, 0) ||
	    ioctl(kt, KT_PUT, 0))
		err(1, "shmring_test.ko");
	shmring_close(r);
	return round;
}

/* ---- the rounds ------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double tell(const char *what, double *ns, unsigned int rounds, unsigned long lost)
{
	qsort(ns, rounds, sizeof(*ns), compare);
	printf("%-8s %10.0f ns an event (%.0f to %.0f), %9.0f events/s, %lu of %lu lost\n", what,
	       ns[rounds / 2], ns[0], ns[rounds - 1], 1e9 / ns[rounds / 2], lost,
	       rounds * events);
	return ns[rounds / 2];
}

int main(int argc, char **argv)
{
	static double none[ROUNDS_MAX], bpf[ROUNDS_MAX], ours[ROUNDS_MAX], ratio[ROUNDS_MAX];
	unsigned int rounds = 9;
	unsigned long bpf_lost = 0, our_lost = 0;
	int module, kt;

	if (argc > 1)
		events = strtoul(argv[1], NULL, 0);
	if (argc > 2)
		rounds = (unsigned int)strtoul(argv[2], NULL, 0);
	if (!events || !rounds || rounds > ROUNDS_MAX)
		errx(2, "usage: bench_bpf [EVENTS [ROUNDS, at most %d]]", ROUNDS_MAX);
	module = open(MODULE, O_RDONLY | O_CLOEXEC);
	if (module < 0 || syscall(SYS_finit_module, module, "", 0))
		err(1, "%s", MODULE);
	kt = open("/dev/shmring_test", O_RDWR | O_CLOEXEC);
	if (kt < 0)
		err(1, "/dev/shmring_test");

	pin(0);
	for (unsigned int i = 0; i < rounds; i++) {
		struct round round;
		uint64_t lost = 0;

		none[i] = run(NULL, NULL).ns;
		round = run_bpf();
		bpf[i] = round.ns;
		bpf_lost += events - round.received;
		round = run_shmring(kt, &lost);
		ours[i] = round.ns;
		our_lost += events - round.received;
		if (round.received + lost != events)
			errx(1, "%lu received and %llu counted as lost are not %lu", round.received,
			     (unsigned long long)lost, events);
		ratio[i] = bpf[i] / ours[i];
	}
	close(kt);
	close(module);
	if (syscall(SYS_delete_module, "shmring_test", O_NONBLOCK))
		err(1, "rmmod shmring_test");

	printf("%lu calls of getppid(2) a round, %u rounds in turn, medians (least to most)\n",
	       events, rounds);
	tell("nobody", none, rounds, 0);
	tell("bpf", bpf, rounds, bpf_lost);
	tell("shmring", ours, rounds, our_lost);
	qsort(ratio, rounds, sizeof(*ratio), compare);
	printf("shmring handles %.2f times as many as bpf (%.2f to %.2f by round)\n",
	       ratio[rounds / 2], ratio[0], ratio[rounds - 1]);
	return 0;
}
