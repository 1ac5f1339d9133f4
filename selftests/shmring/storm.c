// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once: processes with threads do whatever the device allows on descriptors
 * and names that they share and close under each other. Each call has its few errnos for
 * that; some of the processes are killed in the midst of it; and nothing is left.
 */
#include <grp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "endpoint.h"

#define USER		1000
#define LIMIT_PAGES	1024	/* of locked memory: the storm runs into it */
#define PROCESSES	4
#define KILLED		2	/* of them */
#define THREADS		3
#define CALLS		1000	/* of a thread that is not killed */
#define FDS		12	/* descriptors that a process works on */
#define MAPS		6	/* mappings that a thread holds */
#define FIRST_FD	200
#define WAIT_NS		300000

struct mapping {
	void *at;
	size_t size;
	bool writable;
};

struct thread {
	pthread_t id;
	unsigned int seed;
	unsigned int calls;	/* 0: for ever */
	int post;		/* where descriptors are sent to and received from */
	struct mapping map[MAPS];
};

static unsigned int pick(struct thread *t, unsigned int n)
{
	return (unsigned int)rand_r(&t->seed) % n;
}

static int pick_fd(struct thread *t)
{
	return FIRST_FD + (int)pick(t, FDS);
}

static const char *pick_name(struct thread *t)
{
	static const char *const name[] = { "storm-a", "storm-b", "storm-c", NULL };

	return name[pick(t, ARRAY_SIZE(name))];
}

/* Errors that an operation may have at any time, ending with 0. */
#define MAY(err, ...) do {							\
	const int may_[] = { __VA_ARGS__, 0 };			\
	int seen_ = (err);							\
	unsigned int i_ = 0;							\
	while (seen_ < 0 && may_[i_] && may_[i_] != -seen_)			\
		i_++;								\
	if (seen_ < 0 && !may_[i_]) {						\
		fprintf(stderr, "# child: %s:%d: %s is %d\n", __FILE__, __LINE__,	\
			#err, seen_);						\
		_exit(1);							\
	}									\
} while (0)

/* Another file for this number, in one step: the others never see it closed. */
static void do_open(struct thread *t)
{
	int fd = dev_open();

	CHECK(fd >= 0);
	CHECK(dup3(fd, pick_fd(t), O_CLOEXEC) >= 0);
	close(fd);
}

static void do_create(struct thread *t)
{
	static const __u32 flags[] = { 0, 0, SHMRING_CREATE_SPIN, SHMRING_CREATE_SMALL };
	static const __u32 roles[] = { PRODUCER, CONSUMER, OBSERVER };
	struct shmring_ioc_create arg = create_args(SPSC + pick(t, RAW),
						    roles[pick(t, ARRAY_SIZE(roles))],
						    page_size() << pick(t, 4));

	if (arg.topology == SHMRING_TOPO_BROADCAST)
		arg.full_policy = pick(t, 3);
	arg.flags = flags[pick(t, ARRAY_SIZE(flags))];
	set_name(arg.name, pick_name(t));
	MAY(dev_ioctl(pick_fd(t), SHMRING_IOC_CREATE, &arg), EISCONN, EEXIST, EDQUOT);
}

static void do_attach(struct thread *t)
{
	static const __u32 roles[] = { PRODUCER, CONSUMER, OBSERVER, PRODUCER | CONSUMER };
	const char *name = pick_name(t);
	struct shmring_ioc_attach arg = attach_args(roles[pick(t, ARRAY_SIZE(roles))], name);

	if (!name)
		arg = attach_fd_args(arg.role, pick_fd(t));
	arg.cursor_placement = pick(t, 2) ? SHMRING_PLACE_LOCAL : SHMRING_PLACE_PREFERRED;
	if (arg.cursor_placement == SHMRING_PLACE_PREFERRED)
		arg.cursor_node = 0;
	/* EINVAL: both roles in an SPSC ring */
	MAY(dev_ioctl(pick_fd(t), SHMRING_IOC_ATTACH, &arg), EISCONN, EBUSY,
	    name ? ENOENT : EBADFD, arg.role == (PRODUCER | CONSUMER) ? EINVAL : EBUSY);
}

static void do_mmap(struct thread *t)
{
	struct mapping *m = &t->map[pick(t, MAPS)];
	struct shmring_ioc_info info;
	int fd = pick_fd(t), prot = PROT_READ | (pick(t, 2) ? PROT_WRITE : 0);
	__u64 offset = 0, size;
	void *p;

	if (m->at)
		return;
	if (ring_info(fd, &info))
		return;
	switch (pick(t, 4)) {
	case 0:
		size = info.control_size;
		break;
	case 1:
		offset = info.shared_offset;	/* 0, if there is none: META alone is refused */
		size = page_size();
		break;
	case 2:
		offset = info.cursor_offset + pick(t, info.slots) * info.cursor_stride;
		size = info.cursor_stride;
		break;
	default:
		offset = info.data_offset;
		size = info.data_size;
		if (info.producers)
			offset += pick(t, info.producers) * size;
	}
	/* Another ring's by now, perhaps, or nobody's. */
	p = mmap(NULL, (size_t)size, prot, MAP_SHARED, fd, (off_t)offset);
	if (p == MAP_FAILED) {
		MAY(-errno, EACCES, EINVAL, ENOTCONN);
		return;
	}
	*m = (struct mapping){ p, (size_t)size, prot & PROT_WRITE };
}

static void do_touch(struct thread *t)
{
	struct mapping *m = &t->map[pick(t, MAPS)];
	volatile __u64 *word;

	if (!m->at)
		return;
	word = (void *)((char *)m->at + pick(t, (unsigned int)(m->size / 8)) * 8);
	if (m->writable)
		*word = (__u64)pick(t, 4) << pick(t, 64);
	else
		(void)*word;
}

static void do_munmap(struct thread *t)
{
	struct mapping *m = &t->map[pick(t, MAPS)];

	if (m->at)
		CHECK(!munmap(m->at, m->size));
	m->at = NULL;
}

static void do_wait(struct thread *t)
{
	static const __u32 events[] = { SHMRING_EV_IN, SHMRING_EV_OUT, SHMRING_EV_PEER,
					SHMRING_EV_IN | SHMRING_EV_PEER };
	__u64 deadline = pick(t, 3) ? SHMRING_DEADLINE_NOW : now_ns() + WAIT_NS;

	/* EINVAL: not this endpoint's event */
	MAY(ring_wait(pick_fd(t), events[pick(t, ARRAY_SIZE(events))], deadline),
	    ENOTCONN, EINVAL, EOPNOTSUPP, EAGAIN, ETIMEDOUT, EPIPE, EOWNERDEAD, EPROTO);
}

/* EINVAL: no consumer of a QUEUE, or not its orphan */
static void do_adopt(struct thread *t)
{
	struct shmring_ioc_adopt arg = {
		.size = sizeof(arg),
		.op = pick(t, 2) ? SHMRING_ADOPT_TAKE : SHMRING_ADOPT_DONE,
		.slot = pick(t, SHMRING_SLOTS_MAX),
	};

	MAY(dev_ioctl(pick_fd(t), SHMRING_IOC_ADOPT, &arg), ENOTCONN, EINVAL, ENOENT);
}

static void do_kick(struct thread *t)
{
	MAY(ring_kick(pick_fd(t)), ENOTCONN, EOPNOTSUPP);
}

static void do_eventfd(struct thread *t)
{
	int efd = pick(t, 2) ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	MAY(ring_eventfd(pick_fd(t), 1u << pick(t, 3), efd), ENOTCONN, EINVAL, EOPNOTSUPP);
	if (efd >= 0)
		close(efd);
}

static void do_poll(struct thread *t)
{
	struct timespec ts = { 0, pick(t, 2) ? WAIT_NS : 0 };
	struct pollfd p[3];

	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = (struct pollfd){ pick_fd(t), POLLIN | POLLOUT, 0 };
	CHECK(ppoll(p, ARRAY_SIZE(p), &ts, NULL) >= 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
		CHECK(!(p[i].revents & POLLNVAL));
}

static void do_epoll(struct thread *t)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET }, got[4];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epoll >= 0);
	for (int i = 0; i < 3; i++)
		MAY(epoll_ctl(epoll, EPOLL_CTL_ADD, pick_fd(t), &ev) ? -errno : 0, EEXIST);
	for (int i = 0; i < 3; i++)
		CHECK(epoll_wait(epoll, got, ARRAY_SIZE(got), (int)pick(t, 2)) >= 0);
	close(epoll);
}

static void do_info(struct thread *t)
{
	struct shmring_ioc_info info;
	char path[64], text[1024];
	int fd = pick_fd(t), fdinfo;

	MAY(ring_info(fd, &info), ENOTCONN);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	fdinfo = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fdinfo >= 0);
	CHECK(read(fdinfo, text, sizeof(text)) > 0);
	close(fdinfo);
}

static void do_list(struct thread *t)
{
	struct shmring_ioc_info info;
	__u64 seen = 0;
	int err;

	while (!(err = ring_list(pick_fd(t), seen, &info))) {
		CHECK(info.ring_id > seen);
		seen = info.ring_id;
	}
	CHECK_EQ(-ENOENT, err);
}

/* To whoever receives it, of whatever process. */
static void do_send(struct thread *t)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = pick_fd(t);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	MAY(sendmsg(t->post, &msg, MSG_DONTWAIT) < 0 ? -errno : 0, EAGAIN, ETOOMANYREFS);
}

static void do_receive(struct thread *t)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(t->post, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd;

	if (n < 0) {
		MAY(-errno, EAGAIN);
		return;
	}
	CHECK(cmsg);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	CHECK(dup3(fd, pick_fd(t), O_CLOEXEC) >= 0);
	close(fd);
}

static void *storm(void *arg)
{
	static void (*const calls[])(struct thread *) = {
		do_open, do_open, do_create, do_create, do_attach, do_attach, do_attach,
		do_mmap, do_mmap, do_mmap, do_touch, do_touch, do_munmap, do_munmap,
		do_wait, do_wait, do_adopt, do_kick, do_kick,
		do_eventfd, do_eventfd, do_poll, do_poll,
		do_epoll, do_info, do_list, do_send, do_receive,
	};
	struct thread *t = arg;

	for (unsigned int i = 0; !t->calls || i < t->calls; i++)
		calls[pick(t, ARRAY_SIZE(calls))](t);
	return NULL;
}

static void become_user(rlim_t pages)
{
	struct rlimit limit = { pages * page_size(), pages * page_size() };

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setgroups(0, NULL));
	CHECK(!setresgid(USER, USER, USER));
	CHECK(!setresuid(USER, USER, USER));
}

static void storm_process(struct child *c, int post, unsigned int seed, bool killed, bool apart)
{
	struct thread t[THREADS];

	/* The same names, other rings; those of the others come by descriptor alone. */
	if (apart)
		CHECK(!unshare(CLONE_NEWIPC));
	become_user(LIMIT_PAGES);
	CHECK(tell(c->sock));
	for (unsigned int i = 0; i < THREADS; i++) {
		t[i] = (struct thread){ .seed = seed + i, .post = post,
					.calls = killed ? 0 : CALLS };
		CHECK(!pthread_create(&t[i].id, NULL, storm, &t[i]));
	}
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(t[i].id, NULL));
	_exit(0);
}

/* The device for everybody, and an IPC namespace in which there is nothing else. */
FIXTURE(storm) {
	struct stat before;
};

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	ASSERT_EQ(0, stat(DEVICE, &self->before));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
}

FIXTURE_TEARDOWN(storm)
{
	chmod(DEVICE, self->before.st_mode & 0777);
}

/* Every page that USER may lock is free to lock, and there is no ring. */
static void expect_nothing_left(struct __test_metadata *_metadata)
{
	struct shmring_ioc_info info;
	int fd = dev_open();
	struct child c;

	EXPECT_EQ(-ENOENT, ring_list(fd, 0, &info));
	close(fd);
	ASSERT_LE(0, child_start(&c));
	if (!c.pid) {
		struct shmring_ioc_create arg = create_args(SPSC, PRODUCER, 512 * page_size());
		int more;

		become_user(512 + 3);
		arg.flags = SHMRING_CREATE_SMALL;
		fd = ring_create_with(&arg);
		CHECK(fd >= 0);
		more = ring_create(SPSC, PRODUCER, page_size(), NULL);
		CHECK_EQ(-EDQUOT, more);
		_exit(0);
	}
	EXPECT_EQ(0, child_end(&c));
}

TEST_F(storm, leaves_nothing)
{
	struct child c[PROCESSES];
	int post[2];

	expect_nothing_left(_metadata);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, post));
	for (int i = 0; i < FDS; i++) {
		int fd = dev_open();

		ASSERT_EQ(FIRST_FD + i, dup3(fd, FIRST_FD + i, O_CLOEXEC));
		close(fd);
	}
	for (int i = 0; i < PROCESSES; i++) {
		ASSERT_LE(0, child_start(&c[i]));
		if (!c[i].pid)
			storm_process(&c[i], post[i & 1], 1000u * (unsigned int)i + 1,
				      i < KILLED, i & 1);
		ASSERT_TRUE(hear(c[i].sock));
	}
	for (int i = PROCESSES - 1; i >= KILLED; i--)
		EXPECT_EQ(0, child_end(&c[i]));
	for (int i = 0; i < KILLED; i++)
		EXPECT_EQ(128 + SIGKILL, child_kill(&c[i]));
	for (int i = 0; i < FDS; i++)
		close(FIRST_FD + i);
	close(post[0]);
	close(post[1]);
	expect_nothing_left(_metadata);
}

/* ---- two calls at once on one file that is not bound yet ---- */

struct racer {
	pthread_barrier_t *start;
	int fd;
	int via;		/* -1: CREATE */
	int err;
	__u64 ring_id;
};

static void *race_to_bind(void *arg)
{
	struct racer *r = arg;
	struct shmring_ioc_create create = create_args(SPSC, PRODUCER, page_size());
	struct shmring_ioc_attach attach = attach_fd_args(CONSUMER, r->via);

	pthread_barrier_wait(r->start);
	if (r->via < 0) {
		r->err = dev_ioctl(r->fd, SHMRING_IOC_CREATE, &create);
		r->ring_id = create.ring_id;
	} else {
		r->err = dev_ioctl(r->fd, SHMRING_IOC_ATTACH, &attach);
		r->ring_id = attach.ring_id;
	}
	return NULL;
}

TEST_F(storm, one_bind_wins)
{
	int via = ring_create(SPSC, OBSERVER, page_size(), NULL), created = 0;
	struct shmring_ioc_info info;
	pthread_barrier_t start;

	ASSERT_LE(0, via);
	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 4));
	for (int round = 0; round < 100; round++) {
		struct racer r[4];
		pthread_t id[4];
		int fd = dev_open(), winner = -1;

		for (int i = 0; i < 4; i++) {
			r[i] = (struct racer){ &start, fd, (i ^ round) & 1 ? via : -1, 0, 0 };
			ASSERT_EQ(0, pthread_create(&id[i], NULL, race_to_bind, &r[i]));
		}
		for (int i = 0; i < 4; i++) {
			pthread_join(id[i], NULL);
			if (!r[i].err) {
				EXPECT_EQ(-1, winner);
				winner = i;
			} else {
				EXPECT_EQ(-EISCONN, r[i].err);
			}
		}
		ASSERT_LE(0, winner);
		created += r[winner].via < 0;
		ASSERT_EQ(0, ring_info(fd, &info));
		EXPECT_EQ(r[winner].ring_id, info.ring_id);
		EXPECT_EQ(r[winner].via < 0 ? PRODUCER : CONSUMER, info.role);
		close(fd);
		/* The slot is free again, and the losers' rings are nowhere. */
		ASSERT_EQ(0, ring_info(via, &info));
		EXPECT_EQ(0, info.slots_live);
		EXPECT_EQ(-ENOENT, ring_list(via, info.ring_id, &info));
	}
	TH_LOG("CREATE won %d of 100", created);
	pthread_barrier_destroy(&start);
	close(via);
	expect_nothing_left(_metadata);
}

static void *create_later(void *arg)
{
	struct shmring_ioc_create create = create_args(SPSC, PRODUCER, page_size());
	struct racer *r = arg;

	create.flags = SHMRING_CREATE_SMALL;
	pthread_barrier_wait(r->start);
	r->err = dev_ioctl(r->fd, SHMRING_IOC_CREATE, &create);
	return NULL;
}

/* Before it is bound there is nothing to map; from then on it is all there. */
TEST_F(storm, mapping_is_of_a_whole_ring)
{
	size_t page = page_size();
	pthread_barrier_t start;
	int early = 0;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
	for (int round = 0; round < 100; round++) {
		struct racer r = { .start = &start, .fd = dev_open() };
		const struct shmring_meta *meta;
		pthread_t id;
		char *data;

		ASSERT_EQ(0, pthread_create(&id, NULL, create_later, &r));
		pthread_barrier_wait(&start);
		while ((meta = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, r.fd, 0)) ==
		       MAP_FAILED) {
			ASSERT_EQ(ENOTCONN, errno);
			early++;
		}
		EXPECT_EQ(SHMRING_MAGIC, meta->magic);
		EXPECT_EQ(SHMRING_SLOT_LIVE, meta->slot[0].state);
		data = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd,
			    (off_t)(3 * page));
		ASSERT_NE(MAP_FAILED, (void *)data);
		data[0] = 1;
		pthread_join(id, NULL);
		EXPECT_EQ(0, r.err);
		close(r.fd);
		EXPECT_EQ(SHMRING_SLOT_LIVE, meta->slot[0].state);
		munmap((void *)(uintptr_t)meta, 3 * page);
		munmap(data, page);
	}
	TH_LOG("too early %d times", early);
	pthread_barrier_destroy(&start);
	expect_nothing_left(_metadata);
}

TEST_HARNESS_MAIN
