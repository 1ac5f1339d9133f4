// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Each wrong argument gives its own errno, and leaves nothing behind.
 */
#include "test.h"

static int fds_open(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Create with one thing wrong; the ring must not exist afterwards. */
static int create_with(void (*wrong)(struct shmring_opts *o), uint32_t role)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *r = NULL;
	int before = fds_open(), err;

	if (wrong)
		wrong(&o);
	err = shmring_create(NULL, role, &o, &r);
	CHECK((err == 0) == !!r);
	shmring_close(r);
	CHECK_EQ(fds_open(), before);
	return err;
}

#define WRONG(name, statement)						\
	static void name(struct shmring_opts *o)			\
	{								\
		statement;						\
	}

WRONG(size_small, o->size = sizeof(*o) - 1)
WRONG(backend_3, o->backend = 3)
WRONG(flag_unknown, o->flags = 0x8)
WRONG(flag_both, o->flags = SHMRING_CREATE_HUGE | SHMRING_CREATE_SMALL)
WRONG(mode_high, o->mode = 01600)
WRONG(topology_mpsc, o->topology = SHMRING_TOPO_MPSC)
WRONG(topology_queue, o->topology = SHMRING_TOPO_QUEUE)
WRONG(topology_broadcast, o->topology = SHMRING_TOPO_BROADCAST)
WRONG(topology_6, o->topology = 6)
WRONG(topology_raw, o->topology = SHMRING_TOPO_RAW)
WRONG(full_drop, o->full_policy = SHMRING_FULL_DROP_NEWEST)
WRONG(full_overwrite, o->full_policy = SHMRING_FULL_OVERWRITE)
WRONG(full_3, o->full_policy = 3)
WRONG(slots_1, o->slots = 1)
WRONG(slots_2, o->slots = 2)
WRONG(slots_33, o->topology = SHMRING_TOPO_RAW; o->slots = 33)
WRONG(data_beyond, o->data_size = SHMRING_DATA_MAX + 1ull)
WRONG(data_beyond_64, o->data_size = ~0ull)
WRONG(huge_small, o->flags = SHMRING_CREATE_HUGE; o->data_size = 65536)
WRONG(placement_4, o->placement = 4)
WRONG(node_negative, o->placement = SHMRING_PLACE_STRICT; o->node = -1)
WRONG(node_absent, o->placement = SHMRING_PLACE_STRICT; o->node = 900)
WRONG(node_beyond, o->placement = SHMRING_PLACE_PREFERRED; o->node = 0x7fffffff)
WRONG(cursor_4, o->cursor_placement = 4)
WRONG(cursor_interleave, o->cursor_placement = SHMRING_PLACE_INTERLEAVE)
WRONG(cursor_absent, o->cursor_placement = SHMRING_PLACE_PREFERRED; o->cursor_node = 900)
WRONG(spin_less, o->spin_ns = -3)
WRONG(claim_more, o->claim_max = SHMRING_CLAIM_MOST + 1)
WRONG(claim_one, o->claim_max = 1)
WRONG(reserved_set, o->resv = 1)
WRONG(node_unplaced, o->placement = SHMRING_PLACE_LOCAL; o->node = 900)
WRONG(node_none, o->node = -1; o->cursor_node = -1)
WRONG(node_interleaved, o->placement = SHMRING_PLACE_INTERLEAVE; o->node = 1)
WRONG(cursor_unplaced, o->cursor_node = 1)
WRONG(interleave, o->placement = SHMRING_PLACE_INTERLEAVE)

static void create_options(void)
{
	CHECK_EQ(create_with(NULL, PROD), 0);
	CHECK_EQ(create_with(NULL, CONS), 0);
	CHECK_EQ(create_with(NULL, OBS), 0);
	CHECK_EQ(create_with(slots_2, PROD), 0);
	CHECK_EQ(create_with(topology_raw, PROD), 0);
	CHECK_EQ(create_with(node_none, PROD), 0);
	CHECK_EQ(create_with(node_unplaced, PROD), -EINVAL);
	CHECK_EQ(create_with(node_interleaved, PROD), -EINVAL);
	CHECK_EQ(create_with(cursor_unplaced, PROD), -EINVAL);
	CHECK_EQ(create_with(interleave, PROD), 0);
	CHECK_EQ(create_with(size_small, PROD), -EINVAL);
	CHECK_EQ(create_with(backend_3, PROD), -EINVAL);
	CHECK_EQ(create_with(flag_unknown, PROD), -EINVAL);
	CHECK_EQ(create_with(flag_both, PROD), -EINVAL);
	CHECK_EQ(create_with(mode_high, PROD), -EINVAL);
	CHECK_EQ(create_with(topology_mpsc, PROD), 0);
	CHECK_EQ(create_with(topology_queue, PROD), 0);
	CHECK_EQ(create_with(topology_broadcast, PROD), 0);
	CHECK_EQ(create_with(topology_6, PROD), -EINVAL);
	CHECK_EQ(create_with(full_drop, PROD), 0);
	CHECK_EQ(create_with(full_overwrite, PROD), -EOPNOTSUPP);
	CHECK_EQ(create_with(full_3, PROD), -EINVAL);
	CHECK_EQ(create_with(slots_1, PROD), -EINVAL);
	CHECK_EQ(create_with(slots_33, PROD), -EINVAL);
	CHECK_EQ(create_with(data_beyond, PROD), -ERANGE);
	CHECK_EQ(create_with(data_beyond_64, PROD), -ERANGE);
	CHECK_EQ(create_with(huge_small, PROD), -ERANGE);
	CHECK_EQ(create_with(placement_4, PROD), -EINVAL);
	CHECK_EQ(create_with(node_negative, PROD), -EINVAL);
	CHECK_EQ(create_with(node_absent, PROD), -ENXIO);
	CHECK_EQ(create_with(node_beyond, PROD), -ENXIO);
	CHECK_EQ(create_with(cursor_4, PROD), -EINVAL);
	CHECK_EQ(create_with(cursor_interleave, PROD), -EINVAL);
	CHECK_EQ(create_with(cursor_absent, PROD), -ENXIO);
	CHECK_EQ(create_with(spin_less, PROD), -EINVAL);
	CHECK_EQ(create_with(claim_one, PROD), 0);
	CHECK_EQ(create_with(claim_more, PROD), -EINVAL);
	CHECK_EQ(create_with(reserved_set, PROD), -EINVAL);
}

static void create_roles(void)
{
	CHECK_EQ(create_with(NULL, 0), -EINVAL);
	CHECK_EQ(create_with(NULL, 8), -EINVAL);
	CHECK_EQ(create_with(NULL, PROD | CONS), -EINVAL);
	CHECK_EQ(create_with(NULL, PROD | OBS), -EINVAL);
	CHECK_EQ(create_with(topology_raw, PROD | CONS), 0);
	CHECK_EQ(create_with(topology_raw, CONS), 0);
	CHECK_EQ(create_with(topology_raw, CONS | OBS), -EINVAL);
}

static void longer_options(void)
{
	struct {
		struct shmring_opts o;
		uint64_t tail[2];
	} future = { .o = test_opts(0, 0) };
	struct shmring *r;

	future.o.size = sizeof(future);
	CHECK_EQ(shmring_create(NULL, PROD, &future.o, &r), 0);
	shmring_close(r);
	future.tail[1] = 1;
	CHECK_EQ(shmring_create(NULL, PROD, &future.o, &r), -E2BIG);
	future.o.size = 1 << 20;
	CHECK_EQ(shmring_create(NULL, PROD, &future.o, &r), -E2BIG);
}

static void names(void)
{
	struct shmring_opts o = test_opts(0, 0);
	char name[SHMRING_NAME_MAX + 1];
	struct shmring *r;

	memset(name, 'n', sizeof(name));
	name[SHMRING_NAME_MAX] = 0;
	CHECK_EQ(shmring_create(name, PROD, &o, &r), -ENAMETOOLONG);
	CHECK_EQ(shmring_attach(name, PROD, &o, &r), -ENAMETOOLONG);
	CHECK_EQ(shmring_create("", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_create(".hidden", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_create("a/b", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_create("a b", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_create("\303\244", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_attach("a/b", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_attach("", PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_attach(NULL, PROD, &o, &r), -EINVAL);
	CHECK_EQ(shmring_attach("no-such-ring", PROD, &o, &r), -ENOENT);
	CHECK_EQ(shmring_create("x", PROD, &o, NULL), -EINVAL);
	CHECK_EQ(shmring_attach("x", PROD, &o, NULL), -EINVAL);
	CHECK_EQ(shmring_attach_fd(0, PROD, &o, NULL), -EINVAL);
}

static void attach_fd(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p, *c, *r;
	int pipes[2], fd;

	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_attach_fd(-1, CONS, &o, &r), -EBADF);
	CHECK_EQ(shmring_attach_fd(200, CONS, &o, &r), -EBADF);
	NEED(!pipe(pipes));
	CHECK_EQ(shmring_attach_fd(pipes[0], CONS, &o, &r), -EBADFD);
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/dev/null", O_RDWR);
	CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &r), -EBADFD);
	o.backend = SHMRING_BACKEND_AUTO;
	CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &r), -EBADFD);
	o.backend = SHMRING_BACKEND_DEVICE;
	CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &r), -EBADFD);
	o.backend = test_backend();
	close(fd);
	fd = memfd_create("not a ring", MFD_CLOEXEC);
	CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &r), -EBADFD);
	CHECK_EQ(ftruncate(fd, 1 << 20), 0);
	CHECK_EQ(shmring_attach_fd(fd, CONS, &o, &r), -EBADFD);
	close(fd);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), 0, &o, &r), -EINVAL);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), PROD | CONS, &o, &r), -EINVAL);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), PROD, &o, &r), -EBUSY);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &r), -EBUSY);
	CHECK_EQ(shmring_attach_fd(shmring_fd(c), CONS, &o, &r), -EBUSY);
	CHECK_EQ(shmring_attach_fd(shmring_fd(c), OBS, &o, &r), 0);
	shmring_close(r);
	shmring_close(c);
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
	shmring_close(c);
	shmring_close(p);
}

static void wrong_role_for_the_call(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p, *c, *b;
	const void *in;
	void *out;
	char buf[8] = "";

	NEED(!test_pair(&o, &p, &c));
	NEED(!shmring_attach_fd(shmring_fd(p), OBS, &o, &b));
	CHECK_EQ(shmring_peek(p, &in, SHMRING_NOWAIT), -EACCES);
	CHECK_EQ(shmring_recv(p, buf, 8, SHMRING_FOREVER), -EACCES);
	CHECK_EQ(shmring_release(p), 0);
	CHECK_EQ(shmring_reserve(c, 0, &out, SHMRING_NOWAIT), -EACCES);
	CHECK_EQ(shmring_reserve(c, 8, &out, SHMRING_FOREVER), -EACCES);
	CHECK_EQ(shmring_send(c, buf, 8, SHMRING_FOREVER), -EACCES);
	CHECK_EQ(shmring_commit(c, 0), -EINVAL);
	CHECK_EQ(shmring_flush(c), 0);
	CHECK_EQ(shmring_send(b, buf, 0, SHMRING_NOWAIT), -EACCES);
	CHECK_EQ(shmring_recv(b, buf, 8, SHMRING_NOWAIT), -EACCES);
	CHECK(!shmring_raw(p, NULL));
	shmring_close(b);
	shmring_close(c);
	shmring_close(p);
}

static void raw_has_no_records(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *r;
	char buf[8] = "";

	o.topology = SHMRING_TOPO_RAW;
	NEED(!shmring_create(NULL, PROD, &o, &r));
	CHECK_EQ(shmring_send(r, buf, 8, SHMRING_NOWAIT), -EOPNOTSUPP);
	CHECK_EQ(shmring_recv(r, buf, 8, SHMRING_NOWAIT), -EOPNOTSUPP);
	CHECK_EQ(shmring_wait(r, SHMRING_EV_IN, SHMRING_NOWAIT), -EINVAL);
	shmring_close(r);
}

static void message_sizes(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4096, 0);
	struct iovec huge[2] = { { NULL, SIZE_MAX }, { NULL, 2 } };
	struct shmring *p, *c;
	static char buf[1 << 16];
	void *out;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.max_record, info.data_size - 16);
	CHECK_EQ(shmring_send(p, buf, info.max_record + 1, SHMRING_FOREVER), -EMSGSIZE);
	CHECK_EQ(shmring_reserve(p, SIZE_MAX, &out, SHMRING_FOREVER), -EMSGSIZE);
	CHECK_EQ(shmring_sendv(p, huge, 2, SHMRING_FOREVER), -EMSGSIZE);
	CHECK_EQ(shmring_send(p, buf, info.max_record, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_send(p, buf, 0, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_recv(c, buf, info.max_record - 1, SHMRING_NOWAIT), -EMSGSIZE);
	CHECK_EQ(shmring_recv(c, buf, info.max_record, SHMRING_NOWAIT), info.max_record);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_send(p, buf, 0, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_recv(c, buf, 0, SHMRING_NOWAIT), 0);
	shmring_close(c);
	shmring_close(p);
}

static void reservations(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	char buf[64] = { 0 };
	const struct iovec iov = { buf, 8 }, endless[] = { { buf, SIZE_MAX }, { buf, 2 } };
	struct shmring *p, *c;
	void *out;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_commit(p, 0), -EINVAL);
	CHECK_EQ(shmring_put(p, 0), -EINVAL);
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_commit(p, 17), -EINVAL);
	CHECK_EQ(shmring_commit(p, 9), 0);
	CHECK_EQ(shmring_commit(p, 1), -EINVAL);
	CHECK_EQ(shmring_recv(c, buf, 64, SHMRING_NOWAIT), 9);
	CHECK_EQ(shmring_recv(c, buf, 64, SHMRING_NOWAIT), -EAGAIN);
	/* What asks for room takes the earlier one with it, also if it fails. */
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_reserve(p, 1 << 20, &out, SHMRING_NOWAIT), -EMSGSIZE);
	CHECK_EQ(shmring_commit(p, 16), -EINVAL);
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_send(p, buf, 8, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_commit(p, 16), -EINVAL);
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_sendv(p, &iov, 1, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_commit(p, 16), -EINVAL);
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_send_batch(p, &iov, 1, SHMRING_NOWAIT), 1);
	CHECK_EQ(shmring_commit(p, 16), -EINVAL);
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_sendv(p, endless, 2, SHMRING_NOWAIT), -EMSGSIZE);
	CHECK_EQ(shmring_commit(p, 16), -EINVAL);
	/* What only shows or waits does not. */
	CHECK_EQ(shmring_reserve(p, 16, &out, SHMRING_NOWAIT), 0);
	CHECK_EQ(shmring_flush(p), 0);
	CHECK_EQ(shmring_drain(p, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, SHMRING_NOWAIT), SHMRING_EV_OUT);
	CHECK_EQ(shmring_commit(p, 16), 0);
	shmring_close(c);
	shmring_close(p);
}

static void waits_and_events(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	int fd;

	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_wait(p, 0, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_IN, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_OUT, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_wait(c, 8, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_wait_for(p, SHMRING_EV_OUT, 8, 1, test_in_ms(10)), -EINVAL);
	CHECK_EQ(shmring_wait_for(p, SHMRING_EV_PEER, 8, 0, test_in_ms(10)), -EINVAL);
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_PEER, 8, 0, SHMRING_NOWAIT), -EINVAL);
	CHECK_EQ(shmring_wait_for(c, SHMRING_EV_PEER, 0, 1, test_in_ms(10)), -EINVAL);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_OUT, SHMRING_NOWAIT), SHMRING_EV_OUT);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN | SHMRING_EV_PEER, test_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(shmring_arm(p, SHMRING_EV_IN), -EINVAL);
	CHECK_EQ(shmring_arm(c, 0), -EINVAL);
	CHECK_EQ(shmring_set_eventfd(c, 0, -1), -EINVAL);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_OUT, -1), -EINVAL);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, 200), -EBADF);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, -2), -EBADF);
	fd = open("/dev/null", O_RDWR);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, fd), -EBADFD);
	close(fd);
	shmring_close(c);
	shmring_close(p);
}

static void spin_rings_do_not_sleep(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c;
	char buf[8] = "";

	o.flags = SHMRING_CREATE_SPIN;
	NEED(!test_pair(&o, &p, &c));
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_FOREVER), -EOPNOTSUPP);
	CHECK_EQ(shmring_wait(c, SHMRING_EV_IN, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, -1), -EOPNOTSUPP);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), -EOPNOTSUPP);
	CHECK_EQ(shmring_recv(c, buf, 8, test_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(shmring_send(p, buf, 8, SHMRING_FOREVER), 0);
	CHECK_EQ(shmring_arm(c, SHMRING_EV_IN), SHMRING_EV_IN);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), 8);
	shmring_close(p);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EPIPE);
	shmring_close(c);
}

static void info_and_stats(void)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_ioc_info info = { .size = 8 };
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *r;

	NEED(!shmring_create(NULL, PROD, &o, &r));
	CHECK_EQ(shmring_info(r, &info), -EINVAL);
	CHECK_EQ(shmring_get_stats(r, 2, &stats), -EINVAL);
	stats.size = 1;
	CHECK_EQ(shmring_get_stats(r, 0, &stats), -EINVAL);
	CHECK_EQ(shmring_list(3, NULL, NULL), -EINVAL);
	CHECK_EQ(shmring_list(test_backend(), NULL, NULL), -EINVAL);
	shmring_close(r);
	shmring_close(NULL);
}

/* How much a kernel gives to a file until the next signal; 0: there are no signals. */
#define SIGNAL_EVERY	(64u << 10)
static off_t until_signal;

/* As Linux 6.1 has it for shared memory: a signal undoes the call that it comes in. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (mode) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (until_signal && len > until_signal) {
		until_signal = SIGNAL_EVERY;
		errno = EINTR;
		return -1;
	}
	if (until_signal)
		until_signal -= len;
	errno = posix_fallocate(fd, offset, len);
	return errno ? -1 : 0;
}

static void signals_while_a_ring_is_made(void)
{
	struct shmring_opts o = test_opts(16u << 20, 0);
	struct shmring *r;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the memory of the device's rings is no file's");
	until_signal = SIGNAL_EVERY;
	NEED(!shmring_create(NULL, PROD, &o, &r));
	until_signal = 0;
	shmring_close(r);
}

static void every_errno_has_its_sentence(void)
{
	static const int errs[] = {
		ENOTTY, EINVAL, E2BIG, EFAULT, EOPNOTSUPP, ENOTCONN, EISCONN, EACCES, ERANGE,
		ENXIO, ENODEV, ENAMETOOLONG, EEXIST, ENOENT, EBADF, EBADFD, EBUSY, EDQUOT,
		ENOSPC, ENOMEM, EAGAIN, ETIMEDOUT, EPIPE, EOWNERDEAD, EPROTO, EBADMSG, EMSGSIZE,
		EINTR, ENOMEDIUM, ENOSYS,
	};
	const size_t n = sizeof(errs) / sizeof(errs[0]);
	size_t i, j;

	for (i = 0; i < n; i++) {
		const char *s = shmring_strerror(-errs[i]);

		CHECK(s == shmring_strerror(errs[i]));
		CHECK(strcmp(s, shmring_strerror(12345)));
		CHECK(s[strlen(s) - 1] == '.');
		for (j = 0; j < i; j++)
			CHECK(strcmp(s, shmring_strerror(errs[j])));
	}
	CHECK(shmring_strerror(-2147483647 - 1));
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
	/* Of sockets and files: what the C library has. */
	CHECK(!strcmp(shmring_strerror(-ENOTSOCK), strerror(ENOTSOCK)));
	CHECK(!strcmp(shmring_strerror(ENOTSOCK), strerror(ENOTSOCK)));
#endif
}

static void one_version(void)
{
	char numbers[32];

	snprintf(numbers, sizeof(numbers), "%d.%d.%d", SHMRING_VERSION_MAJOR,
		 SHMRING_VERSION_MINOR, SHMRING_VERSION_PATCH);
	CHECK(!strcmp(numbers, SHMRING_VERSION));
	CHECK(!strcmp(shmring_version(), SHMRING_VERSION));
}

int main(void)
{
	START();
	RUN(create_options);
	RUN(create_roles);
	RUN(longer_options);
	RUN(names);
	RUN(attach_fd);
	RUN(wrong_role_for_the_call);
	RUN(raw_has_no_records);
	RUN(message_sizes);
	RUN(reservations);
	RUN(waits_and_events);
	RUN(spin_rings_do_not_sleep);
	RUN(info_and_stats);
	RUN(signals_while_a_ring_is_made);
	RUN(every_errno_has_its_sentence);
	RUN(one_version);
	DONE();
}
