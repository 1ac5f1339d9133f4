// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can fail inside the kernel's API fails, one after the other (sweep.h), as
 * shmring_test.ko calls it; what fails in that module itself, too. Writing records allocates
 * nothing, and the end of an endpoint must not depend on anything that can fail.
 */
#include "sweep.h"

#define RECORDS	4

/* ---- users of the module, before the call ---- */

static bool a_user(struct trial *t)
{
	t->user = kt_open();
	return t->user >= 0;
}

static bool user_and_args(struct trial *t, __u32 topology)
{
	t->create = create_args(topology, 0, 4096);
	t->create.mode = 0666;
	t->create.producers = topology == SPSC ? 1 : 3;
	set_name(t->create.name, NAME);
	return a_user(t);
}

static bool an_spsc_of_it(struct trial *t)
{
	return user_and_args(t, SPSC);
}

static bool a_broadcast_of_it(struct trial *t)
{
	return user_and_args(t, BROADCAST);
}

static bool ring_and_user(struct trial *t)
{
	return a_user(t) && a_ring(t);
}

static bool a_ring_of_it(struct trial *t)
{
	return user_and_args(t, MPSC) && !kt_with(t->user, KT_CREATE, &t->create);
}

static bool a_queue_of_it(struct trial *t)
{
	return user_and_args(t, QUEUE) && !kt_with(t->user, KT_CREATE, &t->create);
}

static bool a_producer(struct trial *t)
{
	return a_ring_of_it(t) && !kt(t->user, KT_PRODUCER, 0);
}

static bool lanes(struct trial *t)
{
	return a_ring_of_it(t) && !kt(t->user, KT_LANES, 1);
}

static bool attach_consumer(struct trial *t, __u32 flags)
{
	struct kt_consumer arg = { .flags = flags };

	return !kt_with(t->user, KT_CONSUMER, &arg);
}

static bool a_consumer(struct trial *t)
{
	return a_queue_of_it(t) && attach_consumer(t, 0);
}

static bool a_called_consumer(struct trial *t)
{
	return a_ring_of_it(t) && attach_consumer(t, KT_CALLED);
}

static int write_some(struct trial *t, __u32 batch)
{
	struct kt_produce p = produce_args(KT_TASK, RECORDS, 32);
	int err;

	p.batch = batch;
	err = kt_with(t->user, KT_PRODUCE, &p);
	return err ? err : p.written == RECORDS ? 0 : -ENOTRECOVERABLE;
}

static bool records_to_read(struct trial *t)
{
	return a_producer(t) && attach_consumer(t, 0) && !write_some(t, 0);
}

static bool nothing_to_read(struct trial *t)
{
	return a_producer(t) && attach_consumer(t, 0);
}

/* ---- calls: 0 or -errno ---- */

static int call_create(struct trial *t)
{
	return kt_with(t->user, KT_CREATE, &t->create);
}

static int call_get(struct trial *t)
{
	return kt(t->user, KT_GET, (unsigned long)t->fd);
}

static int call_file(struct trial *t)
{
	int fd = kt(t->user, KT_FILE, CONSUMER);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int call_producer(struct trial *t)
{
	return kt(t->user, KT_PRODUCER, 0);
}

static int call_lanes(struct trial *t)
{
	return kt(t->user, KT_LANES, 1);
}

static int call_consumer(struct trial *t)
{
	return kt_with(t->user, KT_CONSUMER, &(struct kt_consumer) { .flags = 0 });
}

/* One that has no memory for copies has not been there: producers wait for the first. */
static int call_copying_consumer(struct trial *t)
{
	struct kt_consumer arg = { .flags = KT_CALLED | KT_COPY };
	int err = kt_with(t->user, KT_CONSUMER, &arg);

	return err == -ENOMEM && write_some(t, 0) ? -EPIPE : err;
}

static int call_called_consumer(struct trial *t)
{
	struct kt_consumer arg = { .flags = KT_CALLED };

	return kt_with(t->user, KT_CONSUMER, &arg);
}

static int call_write(struct trial *t)
{
	return write_some(t, 0);
}

static int call_write_batch(struct trial *t)
{
	return write_some(t, RECORDS);
}

/* Of several there are, for a failed copy to user space takes one. */
static int call_read(struct trial *t)
{
	char buf[64];
	struct kt_read arg = { .buf = (uintptr_t)buf, .cap = sizeof(buf) };
	int ret = kt_with(t->user, KT_READ, &arg);

	return ret < 0 ? ret : 0;
}

static int call_read_late(struct trial *t)
{
	struct kt_read arg = { .deadline = 1 };
	int ret = kt_with(t->user, KT_READ, &arg);

	return ret == -ETIMEDOUT ? 0 : ret < 0 ? ret : -ENOTRECOVERABLE;
}

static int call_detach_tx(struct trial *t)
{
	return kt(t->user, KT_DETACH_TX, 0);
}

static int call_detach_rx(struct trial *t)
{
	return kt(t->user, KT_DETACH_RX, 0);
}

static int call_put(struct trial *t)
{
	return kt(t->user, KT_PUT, 0);
}

static int call_close(struct trial *t)
{
	int user = t->user;

	t->user = -1;
	return close(user) ? -errno : 0;
}

/* ---- the sweeps ---- */

FIXTURE(fail) {
	int loaded;
};

FIXTURE_SETUP(fail)
{
	self->loaded = kt_load();
	NEED_MODULE();
	ASSERT_EQ(0, chmod(KT_DEVICE, 0666));
	SWEEP_SETUP();
}

FIXTURE_TEARDOWN(fail)
{
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_test"));
}

TEST_F(fail, rings)
{
	SWEEP({ "create spsc", an_spsc_of_it, call_create, { ENOMEM, EFAULT } },
	      { "create broadcast", a_broadcast_of_it, call_create, { ENOMEM, EFAULT } },
	      { "get", ring_and_user, call_get, { ENOMEM, EFAULT } },
	      { "file", a_ring_of_it, call_file, { ENOMEM, EFAULT } },
	      { "put", a_ring_of_it, call_put },
	      { "close", a_called_consumer, call_close });
}

TEST_F(fail, producers)
{
	SWEEP({ "producer", a_ring_of_it, call_producer, { ENOMEM, EFAULT } },
	      { "lanes", a_ring_of_it, call_lanes, { ENOMEM, EFAULT } },
	      { "write", a_producer, call_write, { ENOMEM, EFAULT } },
	      { "write in batches", a_producer, call_write_batch, { ENOMEM, EFAULT } },
	      { "write into lanes", lanes, call_write, { ENOMEM, EFAULT } },
	      { "detach producer", a_producer, call_detach_tx },
	      { "detach lanes", lanes, call_detach_tx });
}

TEST_F(fail, consumers)
{
	SWEEP({ "consumer of mpsc", a_ring_of_it, call_consumer, { ENOMEM, EFAULT } },
	      { "consumer of queue", a_queue_of_it, call_consumer, { ENOMEM, EFAULT } },
	      { "called consumer", a_ring_of_it, call_called_consumer, { ENOMEM, EFAULT } },
	      { "called with copies", a_producer, call_copying_consumer, { ENOMEM, EFAULT } },
	      { "read", records_to_read, call_read, { ENOMEM, EFAULT } },
	      { "read in vain", nothing_to_read, call_read_late, { ENOMEM, EFAULT } },
	      { "detach consumer", a_consumer, call_detach_rx },
	      { "detach called consumer", a_called_consumer, call_detach_rx });
}

TEST_HARNESS_MAIN
