// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * What is told about a ring: geometry, placement as it truly is, statistics.
 */
#include <sys/syscall.h>

#include "test.h"

static void geometry(void)
{
	static const struct {
		uint64_t want, is;
	} sizes[] = {
		{ 0, 1 << 20 }, { 1, 4096 }, { 4096, 4096 }, { 4097, 8192 },
		{ 3 << 20, 4 << 20 }, { 2 << 20, 2 << 20 },
	};
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring *p;
	size_t k;

	for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct shmring_opts o = test_opts(sizes[k].want, 0);

		NEED(!shmring_create(NULL, PROD, &o, &p));
		CHECK_EQ(shmring_info(p, &info), 0);
		CHECK_EQ(info.data_size, sizes[k].is);
		CHECK_EQ(info.max_record, sizes[k].is - 16);
		CHECK_EQ(info.topology, SHMRING_TOPO_SPSC);
		CHECK_EQ(info.slots, 2);
		CHECK_EQ(info.slot, 0);
		CHECK_EQ(info.control_size, 3 * info.cursor_stride);
		if (info.data_size >= 2 << 20)
			CHECK_EQ(info.data_offset % (2 << 20), 0);
		CHECK_EQ(shmring_backend(p), test_backend());
		shmring_close(p);
	}
}

static void statistics(void)
{
	struct shmring_stats s = { .size = sizeof(s) };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	char buf[56] = "";
	int n;

	NEED(!test_pair(&o, &p, &c));
	for (n = 0; n < 10; n++)
		CHECK_EQ(shmring_send(p, buf, sizeof(buf), 0), 0);
	for (n = 0; n < 4; n++)
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), 0), sizeof(buf));
	CHECK_EQ(shmring_get_stats(c, 0, &s), 0);
	CHECK_EQ(s.state, SHMRING_SLOT_LIVE);
	CHECK_EQ(s.role, PROD);
	CHECK_EQ(s.bytes, 640);
	CHECK_EQ(s.records, 10);
	CHECK_EQ(s.kicks, 0);
	CHECK_EQ(shmring_get_stats(p, 1, &s), 0);
	CHECK_EQ(s.role, CONS);
	CHECK_EQ(s.bytes, 256);
	CHECK_EQ(s.records, 4);
	if (test_backend() == SHMRING_BACKEND_MEMFD)
		CHECK_EQ(s.pid, getpid());
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.produced, 640);
	CHECK_EQ(info.consumed, 256);
	shmring_close(c);
	CHECK_EQ(shmring_get_stats(p, 1, &s), 0);
	CHECK_EQ(s.state, SHMRING_SLOT_CLOSED);
	shmring_close(p);
}

/* A ring that was full says so exactly; one that was not, at least what it was seen to hold. */
static void high_water(uint32_t topology)
{
	struct shmring_stats s = { .size = sizeof(s) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	char buf[56] = "";
	int n;

	o.topology = topology;
	if (topology != SHMRING_TOPO_SPSC)
		o.producers = 1;
	NEED(!test_pair(&o, &p, &c));
	for (n = 0; n < 1000; n++) {
		CHECK_EQ(shmring_send(p, buf, sizeof(buf), 0), 0);
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), 0), sizeof(buf));
	}
	CHECK_EQ(shmring_get_stats(p, 0, &s), 0);
	CHECK(s.high <= 64);
	for (n = 0; !shmring_send(p, buf, sizeof(buf), SHMRING_NOWAIT); n++)
		;
	CHECK_EQ(n, 63);	/* the last place is for the next header */
	CHECK_EQ(shmring_get_stats(c, 0, &s), 0);
	CHECK_EQ(s.high, 63 * 64);
	while (shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT) > 0)
		;
	CHECK_EQ(shmring_get_stats(c, 0, &s), 0);
	CHECK_EQ(s.high, 63 * 64);
	CHECK_EQ(shmring_get_stats(c, 1, &s), 0);
	CHECK_EQ(s.high, 0);
	shmring_close(c);
	shmring_close(p);
}

static void high_water_spsc(void) { high_water(SHMRING_TOPO_SPSC); }
static void high_water_mpsc(void) { high_water(SHMRING_TOPO_MPSC); }
static void high_water_queue(void) { high_water(SHMRING_TOPO_QUEUE); }
static void high_water_broadcast(void) { high_water(SHMRING_TOPO_BROADCAST); }

/* A sleeper and who wakes it: each counted once, where whoever did it is not asked. */
static void sleep_and_wake(void)
{
	struct shmring_stats s = { .size = sizeof(s) };
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *p, *c;
	char buf[4];
	pid_t pid;

	NEED(!test_pair(&o, &p, &c));
	pid = test_fork();
	if (!pid)
		_exit(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER) != 4);
	NEED(pid > 0);
	do {	/* armed is there before it is counted */
		CHECK_EQ(shmring_get_stats(p, 1, &s), 0);
		sched_yield();
	} while (!s.waits);
	CHECK_EQ(shmring_send(p, "abcd", 4, 0), 0);
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(shmring_get_stats(p, 1, &s), 0);
	CHECK_EQ(s.sleeps, 1);
	CHECK_EQ(s.waits, 1);
	CHECK_EQ(s.wakes, 1);
	CHECK_EQ(s.spurious, 0);
	CHECK_EQ(s.kicks, 0);
	CHECK_EQ(shmring_get_stats(p, 0, &s), 0);
	CHECK_EQ(s.kicks, 1);
	CHECK_EQ(s.kicks_idle, 0);
	CHECK_EQ(s.waits, 0);
	CHECK_EQ(s.wakes, 0);
	shmring_close(c);
	shmring_close(p);
}

/* A program that was compiled when there was less to tell, and one for which there is more. */
static void statistics_of_other_versions(void)
{
	struct { struct shmring_stats s; uint64_t more; } later = { .s.size = sizeof(later) };
	struct shmring_stats s = { .size = 72, .high = 4711 };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_send(p, "abcd", 4, 0), 0);
	CHECK_EQ(shmring_get_stats(p, 0, &s), 0);
	CHECK_EQ(s.size, 72);
	CHECK_EQ(s.records, 1);
	CHECK_EQ(s.high, 4711);
	later.more = 4711;
	CHECK_EQ(shmring_get_stats(p, 0, &later.s), 0);
	CHECK_EQ(later.s.size, sizeof(later));
	CHECK_EQ(later.s.records, 1);
	CHECK_EQ(later.more, 0);
	s.size = 71;
	CHECK_EQ(shmring_get_stats(p, 0, &s), -EINVAL);
	shmring_close(c);
	shmring_close(p);
}

/* Which nodes have memory? Bit mask of the first 64. */
static uint64_t nodes_with_memory(void)
{
	unsigned int from, to;
	uint64_t mask = 0;
	FILE *f = fopen("/sys/devices/system/node/has_memory", "r");
	int c;

	if (!f)
		return 1;
	while (fscanf(f, "%u", &from) == 1) {
		to = from;
		c = fgetc(f);
		if (c == '-' && fscanf(f, "%u", &to) == 1)
			c = fgetc(f);
		for (; from <= to && from < 64; from++)
			mask |= 1ull << from;
	}
	fclose(f);
	return mask;
}

/* The node of each page of memory, by move_pages(2). */
static int all_on(const void *p, size_t bytes, int node)
{
	size_t at;

	for (at = 0; at < bytes; at += 4096) {
		void *page = (char *)(uintptr_t)p + at;
		int status = -1;

		if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0) || status != node)
			return 0;
	}
	return 1;
}

static void placement(uint32_t how, uint64_t size)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	uint64_t nodes = nodes_with_memory();
	struct shmring *p;
	int node, err;

	for (node = 0; node < 64; node++) {
		struct shmring_opts o = test_opts(size, 0);

		if (!(nodes >> node & 1))
			continue;
		o.topology = SHMRING_TOPO_RAW;
		o.placement = how;
		o.node = node;
		o.cursor_placement = how;
		o.cursor_node = node;
		err = shmring_create(NULL, PROD, &o, &p);
		CHECK_EQ(err, 0);
		if (err)
			return;
		CHECK_EQ(shmring_info(p, &info), 0);
		CHECK_EQ(info.placement, how);
		CHECK_EQ(info.data_node, node);
		CHECK_EQ(info.cursor_node, node);
		CHECK(all_on(shmring_raw(p, NULL), info.data_size, node));
		shmring_close(p);
	}
}

static void strict_small(void) { placement(SHMRING_PLACE_STRICT, 1 << 20); }
static void strict_large(void) { placement(SHMRING_PLACE_STRICT, 8 << 20); }
static void preferred(void) { placement(SHMRING_PLACE_PREFERRED, 1 << 20); }

static void interleaved(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(1 << 20, 0);
	uint64_t nodes = nodes_with_memory();
	struct shmring *p;

	o.placement = SHMRING_PLACE_INTERLEAVE;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.placement, SHMRING_PLACE_INTERLEAVE);
	if (nodes & (nodes - 1))
		CHECK_EQ(info.data_node, -1);
	else
		CHECK(info.data_node >= 0);
	shmring_close(p);
}

static void huge_pages(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4 << 20, 0);
	struct shmring *p, *c;
	int err;

	o.flags = SHMRING_CREATE_HUGE;
	err = shmring_create(NULL, PROD, &o, &p);
	if (err == -ENOMEM)
		SKIP("no 2 MiB pages to be had");
	NEED(!err);
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.data_page_size, 2 << 20);
	CHECK_EQ(info.flags, SHMRING_CREATE_HUGE);
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	CHECK_EQ(shmring_info(c, &info), 0);
	CHECK_EQ(info.data_page_size, 2 << 20);
	CHECK_EQ(shmring_send(p, "abc", 3, 0), 0);
	CHECK_EQ(shmring_recv(c, &info, 3, 0), 3);
	shmring_close(c);
	shmring_close(p);
	o.flags = SHMRING_CREATE_SMALL;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	info.size = sizeof(info);
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.data_page_size, sysconf(_SC_PAGESIZE));
	shmring_close(p);
}

/* Has the mapping at an address a flag in smaps? -1: there is none. */
static int vm_flag(const void *at, const char *flag)
{
	unsigned long from, to, here = (unsigned long)at;
	FILE *f = fopen("/proc/self/smaps", "r");
	int in = 0, has = -1;
	char line[512];

	if (!f)
		return -1;
	while (has < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			in = from <= here && here < to;
		else if (in && !strncmp(line, "VmFlags:", 8))
			has = !!strstr(line, flag);
	}
	fclose(f);
	return has;
}

/* DATA stays out of core dumps, each of its mappings. */
static void data_is_not_dumped(const char *name, uint32_t topology)
{
	struct shmring_opts o = test_opts(1 << 20, 0);
	struct shmring *r[2];
	char *data;
	size_t bytes, at;
	int k;

	o.topology = topology;
	NEED(!shmring_create(name, PROD, &o, &r[0]));
	NEED(!shmring_attach_fd(shmring_fd(r[0]), CONS, &o, &r[1]));
	for (k = 0; k < 2; k++) {
		data = shmring_data(r[k], &bytes);
		for (at = 0; at < bytes; at += 1 << 20)
			CHECK_EQ(vm_flag(data + at, " dd"), 1);
		shmring_close(r[k]);
	}
}

/* What a consumer has in its hands is in the ring; so is what one left that was killed. */
static void held_is_not_consumed(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	const void *payload;
	char buf[24] = "";
	pid_t pid;
	int n;

	o.topology = SHMRING_TOPO_QUEUE;
	NEED(!test_pair(&o, &p, &c));
	for (n = 0; n < 2; n++)
		CHECK_EQ(shmring_send(p, buf, sizeof(buf), 0), 0);
	CHECK_EQ(shmring_peek(c, &payload, 0), sizeof(buf));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.produced, 64);
	CHECK_EQ(info.consumed, 0);
	CHECK_EQ(shmring_release(c), 0);
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.consumed, 32);
	pid = fork();
	if (!pid) {
		if (shmring_attach_fd(shmring_fd(p), CONS, &o, &c) ||
		    shmring_peek(c, &payload, 0) != sizeof(buf))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	NEED(waitpid(pid, &n, 0) == pid);
	CHECK(WIFSIGNALED(n));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.consumed, 32);
	CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER), sizeof(buf));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.consumed, 64);
	shmring_close(c);
	shmring_close(p);
}

/* Nobody waits for a consumer of a BROADCAST ring that was killed, whoever asks. */
static void dead_are_not_the_slowest(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c, *look;
	char buf[24] = "";
	pid_t pid;
	int n;

	o.topology = SHMRING_TOPO_BROADCAST;
	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_attach_fd(shmring_fd(p), OBS, &o, &look));
	pid = fork();
	if (!pid) {
		struct shmring *other;

		if (shmring_attach_fd(shmring_fd(p), CONS, &o, &other))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	NEED(waitpid(pid, &n, 0) == pid);
	CHECK(WIFSIGNALED(n));
	for (n = 0; n < 2; n++)
		CHECK_EQ(shmring_send(p, buf, sizeof(buf), 0), 0);
	CHECK_EQ(shmring_recv(c, buf, sizeof(buf), 0), sizeof(buf));
	for (n = 0; n < 3; n++) {
		CHECK_EQ(shmring_info(n == 0 ? look : n == 1 ? p : c, &info), 0);
		CHECK_EQ(info.slots_live, 2);
		CHECK_EQ(info.produced, 64);
		CHECK_EQ(info.consumed, 32);
	}
	shmring_close(look);
	shmring_close(c);
	shmring_close(p);
}

/* What was overwritten is not there to be read, in whichever lane: what is, is told. */
static void overwritten_is_gone(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	uint64_t left;
	char buf[56] = "";
	int n;

	o.topology = SHMRING_TOPO_BROADCAST;
	o.full_policy = SHMRING_FULL_OVERWRITE;
	o.producers = 3;
	NEED(!test_pair(&o, &p, &c));
	for (n = 1; n <= 1000; n++) {
		CHECK_EQ(shmring_send(p, buf, sizeof(buf), 0), 0);
		CHECK_EQ(shmring_info(c, &info), 0);
		CHECK_EQ(info.produced, 64u * (unsigned int)n);
		left = info.produced - info.consumed;
		CHECK(left <= info.data_size && (left > info.data_size / 2 || !info.consumed));
	}
	for (n = 0; shmring_recv(c, buf, sizeof(buf), 0) >= 0; n++)
		;
	/* Who was lapped keeps a distance. */
	CHECK(n > 0 && left >= 64u * (unsigned int)n);
	CHECK_EQ(shmring_info(c, &info), 0);
	CHECK_EQ(info.consumed, info.produced);
	shmring_close(c);
	shmring_close(p);
}

static void no_core_dump(void)
{
	char name[64];

	if (vm_flag(name, "") < 0)
		SKIP("this kernel does not tell of mappings");
	snprintf(name, sizeof(name), "info-%d", (int)getpid());
	data_is_not_dumped(NULL, SHMRING_TOPO_SPSC);
	data_is_not_dumped(NULL, SHMRING_TOPO_MPSC);
	data_is_not_dumped(NULL, SHMRING_TOPO_RAW);
	data_is_not_dumped(name, SHMRING_TOPO_SPSC);
}

int main(void)
{
	START();
	RUN(geometry);
	RUN(statistics);
	RUN(high_water_spsc);
	RUN(high_water_mpsc);
	RUN(high_water_queue);
	RUN(high_water_broadcast);
	RUN(sleep_and_wake);
	RUN(held_is_not_consumed);
	RUN(overwritten_is_gone);
	RUN(dead_are_not_the_slowest);
	RUN(statistics_of_other_versions);
	RUN(strict_small);
	RUN(strict_large);
	RUN(preferred);
	RUN(interleaved);
	RUN(huge_pages);
	RUN(no_core_dump);
	DONE();
}
