// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Rings and io_uring: waiting by WAIT and by multishot poll, for one ring and for many with
 * one io_uring; ends, deadlines and cancelling; a ring's memory as registered buffers, and
 * files read into it and written from it past the page cache.
 */
#include "test.h"

#include <shmring_uring.h>

#define IN	SHMRING_EV_IN
#define COUNT	20000u
#define MANY	64
#define BURST	300u

static struct io_uring uring;

/* False, and the reason told, where there is no io_uring for us. */
static bool start(unsigned int entries)
{
	int err = io_uring_queue_init(entries, &uring, 0);

	if (err == -ENOSYS || err == -EPERM)
		test_skip = "no io_uring for this process";
	else
		CHECK_EQ(err, 0);
	return !err;
}

/* The next completion: its result; its user_data in @data. */
static int complete(uint64_t *data, uint32_t *flags)
{
	struct io_uring_cqe *cqe;
	int res;

	do {
		res = io_uring_submit_and_wait(&uring, 1);
	} while (res == -EINTR);
	if (res < 0)
		return res;
	res = io_uring_peek_cqe(&uring, &cqe);
	if (res)
		return res;
	res = cqe->res;
	if (data)
		*data = cqe->user_data;
	if (flags)
		*flags = cqe->flags;
	io_uring_cqe_seen(&uring, cqe);
	return res;
}

static int submit_wait(struct shmring *r, uint32_t events, uint64_t deadline, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	int err = shmring_uring_prep_wait(sqe, r, events, deadline);

	io_uring_sqe_set_data64(sqe, data);
	return err ? err : io_uring_submit(&uring) == 1 ? 0 : -EIO;
}

static int submit_poll(struct shmring *r, uint32_t events)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);
	int err = shmring_uring_prep_poll(sqe, r, events);

	return err ? err : io_uring_submit(&uring) == 1 ? 0 : -EIO;
}

/* Take everything that is there. Return: -EAGAIN or the end. */
static long drain(struct shmring *c, uint64_t *nth)
{
	uint64_t in;
	long len;

	while ((len = shmring_recv(c, &in, sizeof(in), SHMRING_NOWAIT)) >= 0) {
		CHECK_EQ(in, *nth);
		++*nth;
	}
	return len;
}

/* A child that sends in bursts to some rings, and then leaves them in order. */
static pid_t sender(struct shmring **c, unsigned int rings, uint64_t count, struct shmring_opts *o)
{
	uint64_t nth[MANY] = { 0 }, rnd = 7, left = count * rings;
	struct shmring *p[MANY];
	pid_t pid = test_fork();
	unsigned int k;

	if (pid)
		return pid;
	for (k = 0; k < rings; k++)
		CHECK_EQ(shmring_attach_fd(shmring_fd(c[k]), PROD, o, &p[k]), 0);
	while (left && !test_bad) {
		k = (unsigned int)(test_random(&rnd) % rings);
		if (nth[k] == count)
			continue;
		if (shmring_send(p[k], &nth[k], sizeof(nth[k]), SHMRING_FOREVER))
			test_bad++;
		nth[k]++;
		left--;
		if (test_random(&rnd) % 16 == 0)
			sched_yield();
	}
	for (k = 0; k < rings; k++)
		shmring_close(p[k]);
	test_exit();
	return -1;
}

static void wait_for_records(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	uint64_t nth = 0, waits = 0;
	struct shmring *c;
	long end;
	int res;
	pid_t pid;

	if (!start(8))
		return;
	NEED(!shmring_create(NULL, CONS, &o, &c));
	pid = sender(&c, 1, COUNT, &o);
	while ((end = drain(c, &nth)) == -EAGAIN && !test_bad) {
		CHECK_EQ(submit_wait(c, IN, SHMRING_FOREVER, 0), 0);
		res = shmring_uring_result(c, IN, complete(NULL, NULL));
		CHECK(res == IN || res == -EAGAIN || res == -EPIPE);
		waits++;
	}
	CHECK_EQ(end, -EPIPE);
	CHECK_EQ(nth, COUNT);
	CHECK(waits > 0);
	io_uring_queue_exit(&uring);
	shmring_close(c);
	CHECK_EQ(test_reap(pid), 0);
}

static void multishot_poll(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	uint64_t nth = 0, polls = 0;
	struct shmring *c;
	uint32_t flags;
	long end;
	pid_t pid;

	if (!start(8))
		return;
	NEED(!shmring_create(NULL, CONS, &o, &c));
	CHECK_EQ(submit_poll(c, IN), 0);
	pid = sender(&c, 1, COUNT, &o);
	while ((end = drain(c, &nth)) == -EAGAIN && !test_bad) {
		if (shmring_arm(c, IN))
			continue;
		CHECK(complete(NULL, &flags) > 0);
		/* Where completions found no place, it has ended. */
		if (!(flags & IORING_CQE_F_MORE))
			CHECK_EQ(submit_poll(c, IN), 0);
		polls++;
	}
	CHECK_EQ(end, -EPIPE);
	CHECK_EQ(nth, COUNT);
	CHECK(polls > 0);
	io_uring_queue_exit(&uring);
	shmring_close(c);
	CHECK_EQ(test_reap(pid), 0);
}

/* What a server does: one io_uring, one wait for each of many rings. */
static void many_rings(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	uint64_t nth[MANY] = { 0 }, k;
	struct shmring *c[MANY];
	unsigned int open;
	long end;
	pid_t pid;
	int res;

	if (!start(MANY))
		return;
	for (k = 0; k < MANY; k++)
		NEED(!shmring_create(NULL, CONS, &o, &c[k]));
	pid = sender(c, MANY, BURST, &o);
	for (k = 0; k < MANY; k++)
		CHECK_EQ(submit_wait(c[k], IN, SHMRING_FOREVER, k), 0);
	for (open = MANY; open && !test_bad;) {
		res = complete(&k, NULL);
		NEED(k < MANY);
		res = shmring_uring_result(c[k], IN, res);
		CHECK(res == IN || res == -EAGAIN || res == -EPIPE);
		end = drain(c[k], &nth[k]);
		if (end == -EAGAIN) {
			CHECK_EQ(submit_wait(c[k], IN, SHMRING_FOREVER, k), 0);
			continue;
		}
		CHECK_EQ(end, -EPIPE);
		CHECK_EQ(nth[k], BURST);
		open--;
	}
	CHECK_EQ(test_reap(pid), 0);
	io_uring_queue_exit(&uring);
	for (k = 0; k < MANY; k++)
		shmring_close(c[k]);
}

static void deadline(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	bool device = test_backend() == SHMRING_BACKEND_DEVICE;
	struct shmring *c;

	if (!start(8))
		return;
	NEED(!shmring_create(NULL, CONS, &o, &c));
	CHECK_EQ(submit_wait(c, IN, SHMRING_NOWAIT, 0), 0);
	CHECK_EQ(shmring_uring_result(c, IN, complete(NULL, NULL)), -EAGAIN);
	CHECK_EQ(submit_wait(c, IN, 1, 0), device ? 0 : -EOPNOTSUPP);
	CHECK_EQ(complete(NULL, NULL), device ? -ETIMEDOUT : 0);
	CHECK_EQ(submit_wait(c, IN | SHMRING_EV_OUT, SHMRING_FOREVER, 0), device ? 0 : -EINVAL);
	CHECK_EQ(complete(NULL, NULL), device ? -EINVAL : 0);
	io_uring_queue_exit(&uring);
	shmring_close(c);
}

/* How a ring is left while it is waited for. */
static void cancel(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *c, *p;
	struct io_uring_sqe *sqe;
	uint64_t data;
	int left, res;

	if (!start(8))
		return;
	NEED(!shmring_create(NULL, CONS, &o, &c));
	NEED(!shmring_attach_fd(shmring_fd(c), PROD, &o, &p));
	CHECK_EQ(submit_wait(c, IN, SHMRING_FOREVER, 1), 0);
	sqe = io_uring_get_sqe(&uring);
	shmring_uring_prep_cancel(sqe, c);
	io_uring_sqe_set_data64(sqe, 2);
	for (left = 2; left && !test_bad; left--) {
		res = complete(&data, NULL);
		if (data == 1) {
			CHECK_EQ(res, -ECANCELED);
		} else if (res == -EOPNOTSUPP) {	/* before Linux 6.7 */
			sqe = io_uring_get_sqe(&uring);
			io_uring_prep_cancel_fd(sqe, shmring_fd(c), IORING_ASYNC_CANCEL_ALL);
			io_uring_sqe_set_data64(sqe, 3);
			left++;
		} else if (data == 2) {
			CHECK_EQ(res, 1);
		} else {
			CHECK(res >= 0);	/* what is running already is not counted */
		}
	}
	shmring_close(c);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_FOREVER), SHMRING_EV_PEER);
	io_uring_queue_exit(&uring);
	shmring_close(p);
}

static void kick(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct io_uring_sqe *sqe;
	struct shmring *p;

	if (!start(8))
		return;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	sqe = io_uring_get_sqe(&uring);
	shmring_uring_prep_kick(sqe, p);
	CHECK_EQ(complete(NULL, NULL), 0);
	io_uring_queue_exit(&uring);
	shmring_close(p);
}

/* ---- files ---- */

#define PIECE	4096u
#define PIECES	16u

/* A file that is read and written past the page cache, or -errno. */
static int direct_file(void)
{
	const char *dir = getenv("SHMRING_TEST_DISK");
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), "%s/shmring-direct.XXXXXX", dir ? dir : ".");
	fd = mkostemp(path, O_DIRECT | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	/* Also where O_DIRECT is refused: that comes after it was made. */
	if (!err || err == -EINVAL)
		unlink(path);
	return err ? err : fd;
}

/* From a ring's memory to a file, and back into another place of it. */
static void registered_memory(void)
{
	struct shmring_opts o = test_opts(2 * PIECES * PIECE, 0);
	struct io_uring_sqe *sqe;
	struct iovec iov;
	struct shmring *r;
	unsigned char *at, *back;
	unsigned int k;
	int fd, err;

	o.topology = SHMRING_TOPO_RAW;
	if (!start(2 * PIECES))
		return;
	fd = direct_file();
	if (fd == -EINVAL)
		SKIP("no file system here that knows O_DIRECT: set SHMRING_TEST_DISK");
	NEED(fd >= 0);
	NEED(!shmring_create(NULL, PROD, &o, &r));
	iov.iov_base = shmring_data(r, &iov.iov_len);
	CHECK(iov.iov_base == shmring_raw(r, NULL));
	CHECK_EQ(iov.iov_len, 2 * PIECES * PIECE);
	err = io_uring_register_buffers(&uring, &iov, 1);
	if (err == -EOPNOTSUPP && test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("Linux before 6.5 registers no memory of devices");
	CHECK_EQ(err, 0);
	at = (unsigned char *)iov.iov_base;
	back = at + PIECES * PIECE;
	for (k = 0; k < PIECES; k++) {
		memset(at + k * PIECE, (int)k + 1, PIECE);
		sqe = io_uring_get_sqe(&uring);
		io_uring_prep_write_fixed(sqe, fd, at + k * PIECE, PIECE, k * PIECE, 0);
	}
	for (k = 0; k < PIECES; k++)
		CHECK_EQ(complete(NULL, NULL), PIECE);
	for (k = 0; k < PIECES; k++) {
		sqe = io_uring_get_sqe(&uring);
		io_uring_prep_read_fixed(sqe, fd, back + k * PIECE, PIECE, k * PIECE, 0);
	}
	for (k = 0; k < PIECES; k++)
		CHECK_EQ(complete(NULL, NULL), PIECE);
	CHECK_EQ(memcmp(at, back, PIECES * PIECE), 0);
	CHECK_EQ(back[PIECES * PIECE - 1], PIECES);
	io_uring_queue_exit(&uring);
	shmring_close(r);
	close(fd);
}

/* A record with room for a piece, so that the piece is where a disk wants it. */
static unsigned char *aligned(void *payload)
{
	return (unsigned char *)(((uintptr_t)payload + 511) & ~(uintptr_t)511);
}

/* A file read into records, zero-copy, and written from them by who receives them. */
static void file_through_a_ring(void)
{
	struct shmring_opts o = test_opts(16 * PIECE, 0);
	unsigned char want[PIECE], *to;
	struct shmring *p, *c;
	struct io_uring_sqe *sqe;
	const void *from;
	struct iovec iov;
	void *payload;
	int in, out, err;
	unsigned int k;

	if (!start(8))
		return;
	in = direct_file();
	out = direct_file();
	if (in == -EINVAL)
		SKIP("no file system here that knows O_DIRECT: set SHMRING_TEST_DISK");
	CHECK(in >= 0);
	NEED(out >= 0);
	NEED(!shmring_create(NULL, PROD, &o, &p));
	NEED(!shmring_attach_fd(shmring_fd(p), CONS, &o, &c));
	to = (unsigned char *)mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (k = 0; k < PIECES; k++) {
		memset(to, (int)k + 1, PIECE);
		CHECK_EQ(pwrite(in, to, PIECE, k * PIECE), PIECE);
	}
	iov.iov_base = shmring_data(p, &iov.iov_len);
	err = io_uring_register_buffers(&uring, &iov, 1);
	if (err == -EOPNOTSUPP && test_backend() == SHMRING_BACKEND_DEVICE)
		printf("# not registered: Linux before 6.5 registers no memory of devices\n");
	else
		CHECK_EQ(err, 0);
	for (k = 0; k < PIECES && !test_bad; k++) {
		NEED(!shmring_reserve(p, PIECE + 512, &payload, SHMRING_FOREVER));
		sqe = io_uring_get_sqe(&uring);
		if (err)
			io_uring_prep_read(sqe, in, aligned(payload), PIECE, k * PIECE);
		else
			io_uring_prep_read_fixed(sqe, in, aligned(payload), PIECE, k * PIECE, 0);
		CHECK_EQ(complete(NULL, NULL), PIECE);
		CHECK_EQ(shmring_commit(p, PIECE + 512), 0);
		/* The consumer maps it elsewhere, at the same place within a page. */
		CHECK_EQ(shmring_peek(c, &from, SHMRING_NOWAIT), PIECE + 512);
		sqe = io_uring_get_sqe(&uring);
		io_uring_prep_write(sqe, out, aligned((void *)(uintptr_t)from), PIECE, k * PIECE);
		CHECK_EQ(complete(NULL, NULL), PIECE);
		CHECK_EQ(shmring_release(c), 0);
	}
	for (k = 0; k < PIECES; k++) {
		memset(want, (int)k + 1, PIECE);
		CHECK_EQ(pread(out, to, PIECE, k * PIECE), PIECE);
		CHECK_EQ(memcmp(to, want, PIECE), 0);
	}
	io_uring_queue_exit(&uring);
	munmap(to, PIECE);
	shmring_close(p);
	shmring_close(c);
	close(in);
	close(out);
}

int main(void)
{
	START();
	RUN(wait_for_records);
	RUN(multishot_poll);
	RUN(many_rings);
	RUN(deadline);
	RUN(cancel);
	RUN(kick);
	RUN(registered_memory);
	RUN(file_through_a_ring);
	DONE();
}
