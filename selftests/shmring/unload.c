// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules are unloaded, and loaded again, while processes open, bind, map, wait and close:
 * each attempt is refused or succeeds, what was opened works whole, and what was not is told
 * so. In each round attempts go on until the processes have made their steps and one has
 * succeeded, which it must when everything is closed.
 */
#include "kernel.h"
#include "uring.h"

#define ROUNDS	6
#define STEPS	60	/* of a worker in a round */
#define WORKERS	3

/* A worker's step: open, use, and let go of everything. False: there is nothing to open. */
struct storm {
	bool (*step[WORKERS])(unsigned int seed);
	int (*unload)(void);
	int (*load)(void);
};

/* The node is gone, or still there without a driver. */
static bool may_be_unloaded(int fd)
{
	if (fd >= 0)
		return false;
	CHECK(fd == -ENOENT || fd == -ENODEV || fd == -ENXIO);
	return true;
}

static int attach(int via, __u32 role)
{
	int fd = ring_attach_fd(role, via);

	CHECK(fd >= 0);		/* @via holds the module */
	return fd;
}

static bool create(int *fd, __u32 topology)
{
	struct shmring_ioc_create arg = create_args(topology, PRODUCER, 4096);

	*fd = dev_open();
	if (may_be_unloaded(*fd))
		return false;
	CHECK_EQ(0, dev_ioctl(*fd, SHMRING_IOC_CREATE, &arg));
	return true;
}

/* The last that holds the ring is a descriptor, or a mapping. */
static bool map_and_close(unsigned int seed)
{
	struct endpoint p, c;
	int fd;

	if (!create(&fd, SPSC))
		return false;
	CHECK_EQ(0, endpoint_map(&p, fd));
	CHECK_EQ(0, endpoint_map(&c, attach(fd, CONSUMER)));
	p.data[0] = 1;
	CHECK_EQ(-EAGAIN, ring_wait(c.fd, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	CHECK_EQ(0, ring_kick(fd));
	if (seed & 1)
		close(fd);
	endpoint_unmap(&c);
	endpoint_unmap(&p);
	if (!(seed & 1))
		close(fd);
	close(c.fd);
	return true;
}

/* Left to io_uring, which holds files, and has to have its WAITs ended. */
static bool wait_and_close(unsigned int seed)
{
	struct io_uring_cqe cqe;
	struct uring u;
	int fd, consumer;

	if (!create(&fd, MPSC))
		return false;
	consumer = attach(fd, CONSUMER);
	if (!uring_open(&u)) {
		CHECK_EQ(0, uring_cmd_wait(&u, consumer, SHMRING_EV_IN, SHMRING_DEADLINE_NEVER));
		CHECK_EQ(0, uring_poll(&u, consumer, POLLIN, IORING_POLL_ADD_MULTI));
		CHECK_EQ(0, uring_cmd(&u, fd, SHMRING_URING_KICK, NULL, 0));
		while (!uring_wait(&u, &cqe, 0))
			CHECK(cqe.user_data != SHMRING_URING_KICK || !cqe.res);
		if (seed & 1)
			uring_close(&u);
	} else {
		u.fd = -1;
	}
	close(consumer);
	close(fd);
	if (!(seed & 1) && u.fd >= 0)
		uring_close(&u);
	return true;
}

/* An endpoint that ends by a signal. */
static bool fork_and_kill(unsigned int seed)
{
	struct child c;
	int fd;

	if (!create(&fd, QUEUE))
		return false;
	CHECK(child_start(&c) >= 0);
	if (!c.pid) {
		struct member m;

		CHECK(member_attach(&m, seed & 1 ? CONSUMER : PRODUCER, fd));
		close(fd);
		CHECK(tell(c.sock));
		pause();
	}
	CHECK(hear(c.sock));
	close(fd);
	CHECK_EQ(128 + SIGKILL, child_kill(&c));
	return true;
}

static int user_with_ring(void)
{
	struct shmring_ioc_create arg = create_args(MPSC, 0, 4096);
	int user = kt_open();

	if (!may_be_unloaded(user))
		CHECK_EQ(0, kt_with(user, KT_CREATE, &arg));
	return user;
}

/* Written from an interrupt, so that wake-ups are under way when all is let go. */
static bool produce_and_close(unsigned int seed)
{
	struct kt_consumer called = { .flags = KT_CALLED };
	struct kt_produce p = produce_args(seed & 1 ? KT_HARDIRQ : KT_SOFTIRQ, 50, 32);
	int user = user_with_ring();

	if (user < 0)
		return false;
	CHECK_EQ(0, kt_with(user, KT_CONSUMER, &called));
	CHECK_EQ(0, seed & 2 ? kt(user, KT_PRODUCER, 0) : kt(user, KT_LANES, 1));
	CHECK_EQ(0, kt_with(user, KT_PRODUCE, &p));
	CHECK_EQ(50, p.written + refused(&p));
	close(user);
	return true;
}

/* A program at the other end, that may outlive the module's part in it. */
static bool serve_and_close(unsigned int seed)
{
	int user = user_with_ring(), fd;

	if (user < 0)
		return false;
	fd = kt(user, KT_FILE, CONSUMER);
	CHECK(fd >= 0);
	CHECK_EQ(0, kt(user, KT_PRODUCER, 0));
	CHECK_EQ(-EAGAIN, ring_wait(fd, SHMRING_EV_IN, SHMRING_DEADLINE_NOW));
	if (seed & 1)
		close(user);
	close(fd);
	if (!(seed & 1))
		close(user);
	return true;
}

static bool consume_and_close(unsigned int seed)
{
	struct kt_consumer called = { .flags = seed & 1 ? KT_CALLED : 0 };
	int user = user_with_ring(), ring;
	struct member m;

	if (user < 0)
		return false;
	ring = kt(user, KT_FILE, PRODUCER);
	CHECK_EQ(0, kt_with(user, KT_CONSUMER, &called));
	CHECK(member_start(&m, ring));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(0, member_send(&m, 100, i));
	close(user);
	member_close(&m);
	return true;
}

/* ---- what is unloaded, and loaded again ---- */

static int device_unload(void)
{
	return module_unload("shmring");
}

static int device_load(void)
{
	return module_load(getenv("SHMRING_KO"));
}

/* Its user is in the way, then goes; and what is left of rings may keep the device's. */
static int both_unload(void)
{
	int err = module_unload("shmring_test");

	return err ? err : module_unload("shmring") == 0 ? 0 : -EINPROGRESS;
}

static int both_load(void)
{
	int err = device_load();

	return err && err != -EEXIST ? err : kt_load();
}

FIXTURE(unload) {
	struct stat before;
};

FIXTURE_SETUP(unload)
{
	ASSERT_EQ(0, stat(DEVICE, &self->before));
}

/* devtmpfs has made the node anew */
FIXTURE_TEARDOWN(unload)
{
	EXPECT_EQ(0, chown(DEVICE, self->before.st_uid, self->before.st_gid));
	EXPECT_EQ(0, chmod(DEVICE, self->before.st_mode & 0777));
}

static void work(const struct storm *s, int n, int sock)
{
	unsigned int seed = 0;

	while (hear(sock)) {
		for (int k = 0; k < STEPS; k++, seed++)
			if (!s->step[n](seed))
				sched_yield();
		CHECK(tell(sock));
	}
	_exit(0);
}

static bool has_told(const struct child *c)
{
	char byte;

	return recv(c->sock, &byte, 1, MSG_DONTWAIT) == 1;
}

static void run(struct __test_metadata *_metadata, const struct storm *s)
{
	unsigned int refused = 0, unloaded = 0;
	struct child c[WORKERS];

	for (int i = 0; i < WORKERS; i++) {
		ASSERT_LE(0, child_start(&c[i]));
		if (!c[i].pid)
			work(s, i, c[i].sock);
	}
	for (int round = 0; round < ROUNDS; round++) {
		bool busy[WORKERS], done = false;
		int working = 0;

		/* All, or one alone: between its steps there may be nobody else. */
		for (int i = 0; i < WORKERS; i++) {
			busy[i] = (!(round & 1) || round / 2 % WORKERS == i) && tell(c[i].sock);
			working += busy[i];
		}
		while (working || !done) {
			int err = s->unload();

			for (int i = 0; i < WORKERS; i++)
				if (busy[i] && has_told(&c[i])) {
					busy[i] = false;
					working--;
				}
			done = !err;
			if (err == -EWOULDBLOCK) {
				refused++;
				sched_yield();
				continue;
			}
			if (err)
				ASSERT_EQ(-EINPROGRESS, err);
			ASSERT_EQ(0, s->load());
			unloaded += done;
		}
	}
	/* The last first: those before have no copy of its socket. */
	for (int i = WORKERS - 1; i >= 0; i--)
		EXPECT_EQ(0, child_end(&c[i]));
	TH_LOG("unloaded %u times, refused %u times", unloaded, refused);
}

TEST_F(unload, device)
{
	static const struct storm s = {
		.step = { map_and_close, wait_and_close, fork_and_kill },
		.unload = device_unload,
		.load = device_load,
	};

	if (!getenv("SHMRING_KO"))
		SKIP(return, "SHMRING_KO does not name the module");
	run(_metadata, &s);
}

TEST_F(unload, user_of_the_kernel_api)
{
	static const struct storm s = {
		.step = { produce_and_close, serve_and_close, consume_and_close },
		.unload = both_unload,
		.load = both_load,
	};
	int err = kt_load();

	if (err == -ENOENT || !getenv("SHMRING_KO"))
		SKIP(return, "SHMRING_KO and SHMRING_MODULES do not say where the modules are");
	ASSERT_EQ(0, err);
	run(_metadata, &s);
	EXPECT_EQ(0, module_unload("shmring_test"));
}

TEST_HARNESS_MAIN
