// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: each one is provoked and has to be there once, with the right fields, and
 * none that the module has is missing from this table.
 */
#include <grp.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "endpoint.h"
#include "group.h"
#include "trace.h"

#define USER	1000

/* A ring and its two endpoints; the ring's identity is in the fields of every event. */
struct pair {
	struct endpoint p, c;
	unsigned long long id;
};

static void pair_open(struct __test_metadata *_metadata, struct pair *pair, const char *name)
{
	int fd = ring_create(SPSC, PRODUCER, page_size(), name);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, endpoint_map(&pair->p, fd));
	ASSERT_EQ(0, endpoint_map(&pair->c, ring_attach_fd(CONSUMER, fd)));
	pair->id = pair->p.info.ring_id;
}

static void endpoint_close(struct endpoint *e)
{
	endpoint_unmap(e);
	close(e->fd);
}

static void pair_close(struct pair *pair)
{
	endpoint_close(&pair->p);
	endpoint_close(&pair->c);
}

static void create(struct __test_metadata *_metadata)
{
	const char *name = unique_name();
	struct shmring_ioc_create arg = create_args(MPSC, OBSERVER, 4096);
	struct shmring_ioc_info info;
	int fd;

	set_name(arg.name, name);
	arg.full_policy = SHMRING_FULL_DROP_NEWEST;
	arg.producers = 3;
	fd = ring_create_with(&arg);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ring_info(fd, &info));
	EXPECT_EQ(1, trace_count("shmring_create: ring=%llu name=%s topology=mpsc "
				 "policy=drop-newest producers=3 consumers=1 slots=4 data_size=4096 "
				 "page_size=4096 node=%d", info.ring_id, name, info.data_node));
	close(fd);
}

static void destroy(struct __test_metadata *_metadata)
{
	struct pair pair;

	pair_open(_metadata, &pair, NULL);
	endpoint_close(&pair.p);
	EXPECT_EQ(0, trace_count("shmring_destroy:"));
	endpoint_close(&pair.c);
	EXPECT_EQ(1, trace_count("shmring_destroy: ring=%llu name= topology=spsc policy=wait "
				 "producers=1 consumers=1 slots=2 data_size=%zu page_size=%zu node=",
				 pair.id, page_size(), page_size()));
}

static void attach(struct __test_metadata *_metadata)
{
	struct shmring_spsc_tx tx;
	struct pair pair;
	int fd;

	pair_open(_metadata, &pair, NULL);
	EXPECT_EQ(1, trace_count("shmring_attach: ring=%llu slot=0 role=producer pid=%d "
				 "state=live pos=0 records=0", pair.id, getpid()));
	EXPECT_EQ(1, trace_count("shmring_attach: ring=%llu slot=1 role=consumer pid=%d "
				 "state=live pos=0 records=0", pair.id, getpid()));
	fd = ring_attach_fd(OBSERVER, pair.c.fd);
	EXPECT_EQ(1, trace_count("shmring_attach: ring=%llu slot=-1 role=observer pid=%d "
				 "state=live pos=0 records=0", pair.id, getpid()));
	close(fd);
	/* A successor sees where its predecessor ended. */
	ASSERT_EQ(0, tx_init(&tx, &pair.p));
	ASSERT_EQ(0, tx_try(&pair.p, &tx, "12345", 5));
	endpoint_close(&pair.p);
	ASSERT_EQ(0, endpoint_map(&pair.p, ring_attach_fd(PRODUCER, pair.c.fd)));
	EXPECT_EQ(1, trace_count("shmring_attach: ring=%llu slot=0 role=producer pid=%d "
				 "state=live pos=16 records=1", pair.id, getpid()));
	pair_close(&pair);
}

static void detach(struct __test_metadata *_metadata)
{
	struct pair pair;
	struct child c;
	int fd;

	pair_open(_metadata, &pair, NULL);
	fd = ring_attach_fd(OBSERVER, pair.c.fd);
	close(fd);
	EXPECT_EQ(1, trace_count("shmring_detach: ring=%llu slot=-1 role=observer pid=%d "
				 "state=none pos=0 records=0", pair.id, getpid()));
	pair.p.cursor->closed = (__u32)getpid();
	endpoint_close(&pair.p);
	EXPECT_EQ(1, trace_count("shmring_detach: ring=%llu slot=0 role=producer pid=%d "
				 "state=closed pos=0 records=0", pair.id, getpid()));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK(ring_attach_fd(PRODUCER, pair.c.fd) >= 0);
		CHECK(tell(c.sock));
		pause();
	}
	ASSERT_TRUE(hear(c.sock));
	ASSERT_EQ(128 + SIGKILL, child_kill(&c));
	EXPECT_EQ(1, trace_count("shmring_detach: ring=%llu slot=0 role=producer pid=%d "
				 "state=dead pos=0 records=0", pair.id, c.pid));
	endpoint_close(&pair.c);
}

static void wait_begin(struct __test_metadata *_metadata)
{
	struct pair pair;

	pair_open(_metadata, &pair, NULL);
	ASSERT_EQ(-EAGAIN, ring_wait_records(pair.c.fd, 40, 7, NOW));
	EXPECT_EQ(1, trace_count("shmring_wait_begin: ring=%llu slot=1 role=consumer events=in "
				 "need=40 need_records=7 deadline=0 pos=0", pair.id));
	ASSERT_EQ(OUT, ring_wait(pair.p.fd, OUT | PEER, NEVER));
	EXPECT_EQ(1, trace_count("shmring_wait_begin: ring=%llu slot=0 role=producer "
				 "events=out|peer need=0 need_records=0 "
				 "deadline=18446744073709551615 pos=0", pair.id));
	/* One that makes no sense has not begun. */
	ASSERT_EQ(-EINVAL, ring_wait(pair.p.fd, IN, NOW));
	EXPECT_EQ(2, trace_count("shmring_wait_begin:"));
	pair_close(&pair);
}

static void wait_end(struct __test_metadata *_metadata)
{
	struct pair pair;

	pair_open(_metadata, &pair, NULL);
	ASSERT_EQ(-EAGAIN, ring_wait(pair.c.fd, IN, NOW));
	EXPECT_EQ(1, trace_count("shmring_wait_end: ring=%llu slot=1 role=consumer result=%d "
				 "sleeps=0 pos=0", pair.id, -EAGAIN));
	ASSERT_EQ(OUT, ring_wait(pair.p.fd, OUT, NEVER));
	EXPECT_EQ(1, trace_count("shmring_wait_end: ring=%llu slot=0 role=producer result=%d "
				 "sleeps=0 pos=0", pair.id, OUT));
	ASSERT_EQ(-ETIMEDOUT, ring_wait(pair.c.fd, IN, now_ns() + 1000000));
	EXPECT_EQ(1, trace_count("shmring_wait_end: ring=%llu slot=1 role=consumer result=%d "
				 "sleeps=1 pos=0", pair.id, -ETIMEDOUT));
	pair_close(&pair);
}

/* A child that waits for a record, asleep. */
static void sleeper(struct __test_metadata *_metadata, struct child *c, int fd)
{
	ASSERT_LE(0, child_start(c));
	if (!c->pid) {
		CHECK_EQ(IN, ring_wait(fd, IN, NEVER));
		_exit(0);
	}
	ASSERT_TRUE(until_asleep(c->pid));
}

static void kick(struct __test_metadata *_metadata)
{
	struct shmring_spsc_tx tx;
	struct pair pair;
	struct child c;

	pair_open(_metadata, &pair, NULL);
	ASSERT_EQ(0, tx_init(&tx, &pair.p));
	sleeper(_metadata, &c, pair.c.fd);
	ASSERT_EQ(0, ring_kick(pair.p.fd));
	EXPECT_EQ(1, trace_count("shmring_kick: ring=%llu slot=0 role=producer woken=0 pos=0",
				 pair.id));
	ASSERT_EQ(0, tx_try(&pair.p, &tx, "1234", 4));
	EXPECT_EQ(1, trace_count("shmring_kick: ring=%llu slot=0 role=producer woken=1 pos=16",
				 pair.id));
	EXPECT_EQ(0, child_end(&c));
	pair_close(&pair);
}

static void wake(struct __test_metadata *_metadata)
{
	struct shmring_spsc_tx tx;
	struct pair pair;
	struct child c;

	pair_open(_metadata, &pair, NULL);
	ASSERT_EQ(0, tx_init(&tx, &pair.p));
	sleeper(_metadata, &c, pair.c.fd);
	ASSERT_EQ(0, trace_count("shmring_wake:"));
	ASSERT_EQ(0, tx_try(&pair.p, &tx, "1234", 4));
	EXPECT_EQ(0, child_end(&c));
	EXPECT_EQ(1, trace_count("shmring_wake: ring=%llu slot=1 role=consumer pid=%d events=in pos=0",
				 pair.id, getpid()));
	EXPECT_EQ(1, trace_count("shmring_wait_end: ring=%llu slot=1 role=consumer result=%d "
				 "sleeps=1 pos=0", pair.id, IN));
	endpoint_close(&pair.c);
	EXPECT_EQ(1, trace_count("shmring_wake: ring=%llu slot=0 role=producer pid=%d "
				 "events=out|peer pos=16", pair.id, getpid()));
	endpoint_close(&pair.p);
}

static void recover(struct __test_metadata *_metadata)
{
	struct pair pair;

	pair_open(_metadata, &pair, NULL);
	pair.c.cursor->pos = 12345;
	endpoint_close(&pair.c);
	ASSERT_EQ(0, endpoint_map(&pair.c, ring_attach_fd(CONSUMER, pair.p.fd)));
	EXPECT_EQ(1, trace_count("shmring_recover: ring=%llu slot=1 lane=0 was=12345 now=0",
				 pair.id));
	pair_close(&pair);
}

static void orphan(struct __test_metadata *_metadata)
{
	struct shmring_ioc_adopt adopt = { 0 };
	struct member p, heir;
	struct child c;
	int ring = group_create(QUEUE, SHMRING_FULL_WAIT, 1, 2);

	ASSERT_LE(0, ring);
	ASSERT_TRUE(member_attach(&p, PRODUCER, ring));
	ASSERT_EQ(0, member_send(&p, 24, 'a'));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		struct member m;

		CHECK(member_attach(&m, CONSUMER, ring));
		CHECK(member_get(&m) == 'a');
		CHECK(tell(c.sock));
		pause();
	}
	ASSERT_TRUE(hear(c.sock));
	ASSERT_EQ(128 + SIGKILL, child_kill(&c));
	EXPECT_EQ(1, trace_count("shmring_orphan: ring=%llu slot=1 state=waiting lane=0 pos=0 end=32",
				 p.info.ring_id));
	/* The first slot is the heir's, too. */
	ASSERT_TRUE(member_attach(&heir, CONSUMER, ring));
	ASSERT_EQ(0, ring_adopt(heir.fd, &adopt, SHMRING_ADOPT_TAKE));
	EXPECT_EQ(1, trace_count("shmring_orphan: ring=%llu slot=1 state=taken lane=0 pos=0 end=32",
				 p.info.ring_id));
	ASSERT_EQ(0, ring_adopt(heir.fd, &adopt, SHMRING_ADOPT_DONE));
	EXPECT_EQ(1, trace_count("shmring_orphan: ring=%llu slot=1 state=done lane=0 pos=0 end=32",
				 p.info.ring_id));
	member_close(&heir);
	member_close(&p);
	close(ring);
}

static int create_as(uid_t uid, rlim_t memlock)
{
	struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 4 * page_size());
	struct rlimit limit = { memlock, memlock };
	int fd = dev_open();

	CHECK_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK_EQ(0, setgroups(0, NULL));
	CHECK_EQ(0, setresuid(uid, uid, uid));
	return dev_ioctl(fd, SHMRING_IOC_CREATE, &arg);
}

static void refuse(struct __test_metadata *_metadata)
{
	long long user_was = read_number(PARAM_DIR "max_user_bytes");
	long long total_was = read_number(PARAM_DIR "max_bytes");
	char text[32];
	struct child c;

	/* Seven pages are asked for: four of DATA, three of CONTROL. */
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(-EDQUOT, create_as(USER, 5 * page_size()));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
	EXPECT_EQ(1, trace_count("shmring_refuse: limit=memlock uid=%d have=0 want=7 most=5",
				 USER));

	snprintf(text, sizeof(text), "%zu", 6 * page_size());
	ASSERT_TRUE(write_text(PARAM_DIR "max_user_bytes", text));
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		CHECK_EQ(-EDQUOT, create_as(USER, RLIM_INFINITY));
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
	snprintf(text, sizeof(text), "%lld", user_was);
	ASSERT_TRUE(write_text(PARAM_DIR "max_user_bytes", text));
	EXPECT_EQ(1, trace_count("shmring_refuse: limit=max_user_bytes uid=%d have=0 want=7 most=6",
				 USER));

	snprintf(text, sizeof(text), "%zu", 4 * page_size());
	ASSERT_TRUE(write_text(PARAM_DIR "max_bytes", text));
	ASSERT_EQ(-ENOSPC, ring_create(SPSC, PRODUCER, 4 * page_size(), NULL));
	snprintf(text, sizeof(text), "%lld", total_was);
	ASSERT_TRUE(write_text(PARAM_DIR "max_bytes", text));
	EXPECT_EQ(1, trace_count("shmring_refuse: limit=max_bytes uid=0 have=0 want=7 most=4"));
}

static const struct {
	const char *event;
	void (*provoke)(struct __test_metadata *_metadata);
} table[] = {
	{ "shmring_attach", attach },
	{ "shmring_create", create },
	{ "shmring_destroy", destroy },
	{ "shmring_detach", detach },
	{ "shmring_kick", kick },
	{ "shmring_orphan", orphan },
	{ "shmring_recover", recover },
	{ "shmring_refuse", refuse },
	{ "shmring_wait_begin", wait_begin },
	{ "shmring_wait_end", wait_end },
	{ "shmring_wake", wake },
};

#define TABLE	(sizeof(table) / sizeof(*table))

FIXTURE(trace) {
	struct stat device;
};

FIXTURE_SETUP(trace)
{
	ASSERT_EQ(0, stat(DEVICE, &self->device));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
	ASSERT_TRUE(trace_start());
}

FIXTURE_TEARDOWN(trace)
{
	if (!_metadata->passed)
		trace_show();
	EXPECT_TRUE(trace_end());
	chmod(DEVICE, self->device.st_mode & 0777);
}

/* Each by itself, from an empty trace. */
TEST_F(trace, every_event_is_seen_with_its_fields)
{
	for (size_t i = 0; i < TABLE && _metadata->passed; i++) {
		ASSERT_TRUE(trace_clear());
		table[i].provoke(_metadata);
		EXPECT_LE(1, trace_count("%s: ", table[i].event)) {
			TH_LOG("%s was not seen", table[i].event);
		}
		if (!_metadata->passed)
			TH_LOG("while looking for %s", table[i].event);
	}
}

TEST_F(trace, no_event_is_missing_from_the_table)
{
	struct dirent *entry;
	DIR *dir = opendir(EVENTS);
	size_t i, events = 0;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		events++;
		for (i = 0; i < TABLE && strcmp(table[i].event, entry->d_name);)
			i++;
		EXPECT_LT(i, TABLE) {
			TH_LOG("%s is not tested", entry->d_name);
		}
	}
	closedir(dir);
	EXPECT_EQ(TABLE, events);
}

/* Records pass without an event: there is no call that could have one. */
TEST_F(trace, records_pass_without_an_event)
{
	struct shmring_spsc_tx tx;
	struct shmring_spsc_rx rx;
	struct pair pair;
	char buf[8];

	pair_open(_metadata, &pair, NULL);
	ASSERT_EQ(0, tx_init(&tx, &pair.p));
	rx_init(&rx, &pair.c);
	ASSERT_TRUE(trace_clear());
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, tx_try(&pair.p, &tx, "1234567", 8));
		ASSERT_EQ(8, rx_try(&pair.c, &rx, buf, sizeof(buf)));
	}
	EXPECT_EQ(0, trace_count("shmring_"));
	pair_close(&pair);
}

/* The recipe of Documentation/trace.rst: one wake-up is one measured latency. */
#define SYNTHETIC	TRACEFS "/synthetic_events"
#define LATENCY		"shmring_latency u64 ring; u64 us"
#define BEGIN_HIST	"hist:keys=ring,slot:t0=common_timestamp.usecs"
#define END_HIST	"hist:keys=ring,slot:us=common_timestamp.usecs-$t0:"	\
			"onmatch(shmring.shmring_wake).shmring_latency(ring,$us)"
#define TABLE_HIST	"hist:keys=ring,us.log2"

TEST_F(trace, histogram_of_wake_ups)
{
	static const char wake_trigger[] = EVENTS "/shmring_wake/trigger";
	static const char end_trigger[] = EVENTS "/shmring_wait_end/trigger";
	static const char table_trigger[] = INSTANCE "/events/synthetic/shmring_latency/trigger";
	char *hist;

	if (access(SYNTHETIC, F_OK))
		SKIP(return, "a kernel without synthetic events");
	ASSERT_TRUE(write_text(SYNTHETIC, LATENCY));
	ASSERT_TRUE(write_text(wake_trigger, BEGIN_HIST));
	ASSERT_TRUE(write_text(end_trigger, END_HIST));
	ASSERT_TRUE(write_text(table_trigger, TABLE_HIST));
	kick(_metadata);
	hist = trace_text(INSTANCE "/events/synthetic/shmring_latency/hist");
	ASSERT_NE(NULL, hist);
	EXPECT_NE(NULL, strstr(hist, "Hits: 1\n")) {
		TH_LOG("%s", hist);
	}
	free(hist);
	EXPECT_TRUE(write_text(table_trigger, "!" TABLE_HIST));
	EXPECT_TRUE(write_text(end_trigger, "!" END_HIST));
	EXPECT_TRUE(write_text(wake_trigger, "!" BEGIN_HIST));
	EXPECT_TRUE(write_text(SYNTHETIC, "!" LATENCY));
}

TEST_HARNESS_MAIN
