// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Rings with names: made, found, listed, guarded by owner and mode, and gone with the
 * last endpoint, whatever ends it.
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "test.h"

static char name[SHMRING_NAME_MAX];

/* A name of our own for each test, so that runs do not meet. */
static void new_name(void)
{
	static int nth;

	snprintf(name, sizeof(name), "test-%d-%d", (int)getpid(), nth++);
}

static int leftover(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/shm/shmring.%s", name);
	return !access(path, F_OK);
}

static int count_it(uint32_t backend, const struct shmring_ioc_info *info, void *arg)
{
	int *count = arg;

	CHECK_EQ(backend, test_backend());
	if (!strcmp((const char *)info->name, name)) {
		++*count;
		CHECK_EQ(info->size, sizeof(*info));
		CHECK_EQ(info->role, 0);
		CHECK_EQ(info->slot, SHMRING_NO_SLOT);
		CHECK(info->ring_id);
	}
	return 0;
}

static int listed(void)
{
	int count = 0;

	CHECK_EQ(shmring_list(test_backend(), count_it, &count), 0);
	return count;
}

static void create_attach_close(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring_ioc_info a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
	struct shmring *p, *c, *again;
	char buf[8] = "";

	new_name();
	NEED(!shmring_create(name, PROD, &o, &p));
	CHECK_EQ(shmring_create(name, PROD, &o, &again), -EEXIST);
	CHECK_EQ(shmring_create(name, CONS, &o, &again), -EEXIST);
	CHECK_EQ(shmring_attach(name, PROD, &o, &again), -EBUSY);
	NEED(!shmring_attach(name, CONS, &o, &c));
	CHECK_EQ(shmring_attach(name, CONS, &o, &again), -EBUSY);
	CHECK_EQ(shmring_info(p, &a), 0);
	CHECK_EQ(shmring_info(c, &b), 0);
	CHECK_EQ(a.ring_id, b.ring_id);
	CHECK(!strcmp((const char *)a.name, name));
	CHECK(!strcmp((const char *)b.name, name));
	CHECK_EQ(a.slots_live, 2);
	CHECK_EQ(listed(), 1);
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	shmring_close(p);
	CHECK_EQ(listed(), 1);
	CHECK_EQ(shmring_recv(c, buf, 8, 0), 8);
	shmring_close(c);
	CHECK_EQ(listed(), 0);
	CHECK(!leftover());
	CHECK_EQ(shmring_attach(name, CONS, &o, &c), -ENOENT);
}

static int stop_at_once(uint32_t backend, const struct shmring_ioc_info *info, void *arg)
{
	(void)backend;
	(void)info;
	++*(int *)arg;
	return 42;
}

static void list_ends_when_told(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *a, *b;
	int calls = 0;

	new_name();
	NEED(!shmring_create(name, PROD, &o, &a));
	new_name();
	NEED(!shmring_create(name, PROD, &o, &b));
	CHECK_EQ(shmring_list(test_backend(), stop_at_once, &calls), 42);
	CHECK_EQ(calls, 1);
	shmring_close(a);
	shmring_close(b);
}

static void open_makes_or_joins(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p, *c;
	char buf[8] = "";

	new_name();
	NEED(!shmring_open(name, PROD, &o, &p));
	NEED(!shmring_open(name, CONS, &o, &c));
	CHECK_EQ(shmring_send(p, buf, 8, 0), 0);
	CHECK_EQ(shmring_recv(c, buf, 8, 0), 8);
	CHECK_EQ(shmring_open(name, CONS, &o, &c), -EBUSY);
	shmring_close(c);
	shmring_close(p);
}

/* Whoever is in a ring finds it under its name. */
static void name_leads_here(struct shmring *r)
{
	struct shmring_ioc_info mine = { .size = sizeof(mine) }, its = { .size = sizeof(its) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *b;
	int err = shmring_attach(name, OBS, &o, &b);

	CHECK_EQ(err, 0);
	if (err)
		return;
	CHECK_EQ(shmring_info(r, &mine), 0);
	CHECK_EQ(shmring_info(b, &its), 0);
	CHECK(mine.ring_id == its.ring_id);
	shmring_close(b);
}

/* Many processes open and leave one name: each gets a working ring or EBUSY. */
static void open_race(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	pid_t pid[8];
	int k, n;

	new_name();
	for (k = 0; k < 8; k++) {
		pid[k] = test_fork();
		if (pid[k])
			continue;
		for (n = 0; n < 1000; n++) {
			struct shmring *r;
			int err = shmring_open(name, k & 1 ? PROD : CONS, &o, &r);

			if (err == -EBUSY)
				continue;
			CHECK_EQ(err, 0);
			if (err)
				break;
			if (n % 3 == 0)
				name_leads_here(r);
			shmring_close(r);
			if (test_bad)
				break;
		}
		test_exit();
	}
	for (k = 0; k < 8; k++)
		CHECK_EQ(test_reap(pid[k]), 0);
	CHECK(!leftover());
	CHECK_EQ(listed(), 0);
}

static void observer_keeps_the_name(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p, *a, *b;

	new_name();
	NEED(!shmring_create(name, OBS, &o, &a));
	NEED(!shmring_attach(name, OBS, &o, &b));
	NEED(!shmring_attach(name, PROD, &o, &p));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.observers, 2);
	CHECK_EQ(info.slots_live, 1);
	shmring_close(p);
	CHECK_EQ(shmring_info(a, &info), 0);
	CHECK_EQ(info.observers, 2);
	CHECK_EQ(info.slots_live, 0);
	CHECK_EQ(info.role, OBS);
	CHECK_EQ(info.slot, SHMRING_NO_SLOT);
	shmring_close(a);
	CHECK_EQ(listed(), 1);
	shmring_close(b);
	CHECK_EQ(listed(), 0);
	CHECK(!leftover());
}

static pid_t holder(void)
{
	struct shmring_opts o = test_opts(0, 0);
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return -1;
	pid = test_fork();
	if (!pid) {
		struct shmring *p;

		CHECK_EQ(shmring_create(name, PROD, &o, &p), 0);
		test_tell(pipes[1]);
		pause();
	}
	close(pipes[1]);
	if (test_hear(pipes[0]))
		pid = -1;
	close(pipes[0]);
	return pid;
}

static void killed_holder_leaves_nothing(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *r;
	pid_t pid;

	new_name();
	NEED((pid = holder()) > 0);
	CHECK_EQ(listed(), 1);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_EQ(listed(), 0);
	CHECK(!leftover());

	NEED((pid = holder()) > 0);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_EQ(shmring_attach(name, CONS, &o, &r), -ENOENT);
	CHECK(!leftover());

	NEED((pid = holder()) > 0);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_EQ(shmring_create(name, CONS, &o, &r), 0);
	CHECK_EQ(listed(), 1);
	shmring_close(r);
	CHECK(!leftover());
}

static void survivor_of_a_kill_cleans_up(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *c;
	char buf[8];
	pid_t pid;

	new_name();
	NEED((pid = holder()) > 0);
	NEED(!shmring_attach(name, CONS, &o, &c));
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_EQ(shmring_recv(c, buf, 8, SHMRING_FOREVER), -EOWNERDEAD);
	shmring_close(c);
	CHECK(!leftover());
	CHECK_EQ(listed(), 0);
}

/* What another user gets: attach in a role, or the list. */
static void as_other(uint32_t mode, uint32_t role, int want, int want_listed)
{
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *p, *r;
	pid_t pid;
	int err;

	o.mode = mode;
	new_name();
	NEED(!shmring_create(name, OBS, &o, &p));
	pid = test_fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			test_exit();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		err = shmring_attach(name, role, &o, &r);
		/* A device that this user may not even open is refused all the same. */
		CHECK_EQ(err, want);
		if (!err)
			shmring_close(r);
		if (want_listed >= 0)
			CHECK_EQ(listed(), want_listed);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
	CHECK_EQ(listed(), 1);
	shmring_close(p);
	CHECK_EQ(listed(), 0);
}

static void other_users(void)
{
	if (geteuid())
		SKIP("needs root to become another user");
	if (test_backend() == SHMRING_BACKEND_DEVICE && chmod("/dev/shmring", 0666))
		SKIP("cannot let other users open the device");
	as_other(0600, PROD, -EACCES, 0);
	as_other(0600, CONS, -EACCES, 0);
	as_other(0600, OBS, -EACCES, 0);
	as_other(0666, PROD, 0, 1);
	as_other(0666, CONS, 0, 1);
	as_other(0666, OBS, 0, 1);
	as_other(0604, OBS, 0, 1);
	as_other(0604, PROD, -EACCES, 1);
}

/* Who may only write sends all the same, among others who do. */
static void write_alone(void)
{
	static const uint32_t topology[] = {
		SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE, SHMRING_TOPO_BROADCAST,
	};

	if (test_backend() != SHMRING_BACKEND_DEVICE)
		SKIP("a consumer of memfd writes, and a producer reads");
	if (geteuid())
		SKIP("needs root to become another user");
	if (chmod("/dev/shmring", 0666))
		SKIP("cannot let other users open the device");
	for (unsigned int i = 0; i < sizeof(topology) / sizeof(topology[0]); i++) {
		struct shmring_opts o = test_opts(0, 0);
		struct shmring *c, *p = NULL, *r;
		char buf[8];
		pid_t pid;

		o.mode = 0622;
		o.topology = topology[i];
		new_name();
		NEED(!shmring_create(name, CONS, &o, &c));
		if (topology[i] != SHMRING_TOPO_SPSC)
			NEED(!shmring_attach(name, PROD, &o, &p));
		pid = test_fork();
		if (!pid) {
			if (setgid(65534) || setuid(65534))
				test_exit();
			CHECK_EQ(shmring_attach(name, CONS, &o, &r), -EACCES);
			CHECK_EQ(shmring_attach(name, PROD, &o, &r), 0);
			if (!test_bad) {
				CHECK_EQ(shmring_send(r, "mine", 5, SHMRING_NOWAIT), 0);
				shmring_close(r);
			}
			test_exit();
		}
		CHECK_EQ(test_reap(pid), 0);
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT), 5);
		if (p)
			shmring_close(p);
		shmring_close(c);
	}
}

static void the_mode_is_not_masked(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(0, 0);
	mode_t old = umask(077);
	struct shmring *p;

	o.mode = 0666;
	new_name();
	NEED(!shmring_create(name, PROD, &o, &p));
	umask(old);
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.mode, 0666);
	CHECK_EQ(info.uid, geteuid());
	CHECK_EQ(info.gid, getegid());
	CHECK_EQ(info.rights, 6);
	shmring_close(p);
	o.mode = 0;
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_info(p, &info), 0);
	CHECK_EQ(info.mode, 0600);
	shmring_close(p);
}

/* A full table of descriptors is an error, not half a ring. */
static void no_descriptors_left(void)
{
	struct shmring_opts o = test_opts(0, 0);
	struct rlimit old, low;
	struct shmring *p, *r;
	int fd, n, err;

	new_name();
	NEED(!shmring_create(name, PROD, &o, &p));
	NEED(!getrlimit(RLIMIT_NOFILE, &old));
	fd = dup(0);
	close(fd);
	for (n = 0; n < 3; n++) {
		low = old;
		low.rlim_cur = (rlim_t)(fd + n);
		NEED(!setrlimit(RLIMIT_NOFILE, &low));
		err = shmring_attach(name, CONS, &o, &r);
		setrlimit(RLIMIT_NOFILE, &old);
		CHECK(err == 0 || err == -EMFILE);
		if (n == 0 || (n == 1 && test_backend() == SHMRING_BACKEND_MEMFD))
			CHECK_EQ(err, -EMFILE);	/* memfd has a spare one from the start */
		if (!err)
			shmring_close(r);
	}
	NEED(!shmring_attach(name, CONS, &o, &r));
	/* Nobody needs one to leave, nor the last one to take the name along. */
	low = old;
	low.rlim_cur = (rlim_t)fd;
	NEED(!setrlimit(RLIMIT_NOFILE, &low));
	shmring_close(r);
	CHECK_EQ(shmring_wait(p, SHMRING_EV_PEER, SHMRING_FOREVER), SHMRING_EV_PEER);
	CHECK_EQ(shmring_send(p, "", 1, SHMRING_NOWAIT), -EPIPE);
	shmring_close(p);
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK(!leftover());
}

/* What stands in the place of /dev/shm, in a namespace of the child's own. */
static int put_at_dev_shm(const char *what)
{
	if (!strcmp(what, "nothing"))
		return mount("/sys", "/dev", NULL, MS_BIND | MS_REC, NULL);
	if (!strcmp(what, "another file system"))
		return mount("none", "/dev/shm", "ramfs", 0, NULL);
	if (mount("none", "/dev/shm", "tmpfs", 0, "mode=0755"))
		return -1;
	if (!strcmp(what, "read-only"))
		return mount("none", "/dev/shm", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL);
	if (!strcmp(what, "another user's"))
		return setuid(12345);
	return 0;
}

/* Return: whether it could be tried. */
static int without_dev_shm(const char *what, int want)
{
	struct shmring_opts o = test_opts(0, 0);
	pid_t pid = test_fork();
	int status;

	if (!pid) {
		struct shmring *r;

		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    put_at_dev_shm(what))
			_exit(77);
		CHECK_EQ(shmring_open(name, PROD, &o, &r), want);
		CHECK_EQ(shmring_create(NULL, PROD, &o, &r), 0);	/* needs no directory */
		if (test_bad)
			printf("# with %s at /dev/shm\n", what);
		test_exit();
	}
	status = test_reap(pid);
	if (status != 77)
		CHECK_EQ(status, 0);
	return status != 77;
}

/* The place for names is missing: that is said, and not something about a descriptor. */
static void no_dev_shm(void)
{
	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("names of the device are the module's");
	if (geteuid())
		SKIP("needs root to mount something else there");
	new_name();
	if (!without_dev_shm("a tmpfs", 0))
		SKIP("no namespace with mounts of its own can be had here");
	without_dev_shm("nothing", -ENOMEDIUM);
	without_dev_shm("another file system", -ENOMEDIUM);
	without_dev_shm("read-only", -ENOMEDIUM);
	without_dev_shm("another user's", -ENOMEDIUM);
}

/* Without /proc nothing can be made; that is not said to be about a ring. */
static void no_proc(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p, *c, *r;
	char buf[8];
	pid_t pid, peer;
	int status;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device needs no /proc");
	if (geteuid())
		SKIP("needs root to unmount it");
	new_name();
	NEED((peer = holder()) > 0);
	NEED(!shmring_create(NULL, PROD, &o, &p));
	pid = test_fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    umount2("/proc", MNT_DETACH))
			_exit(77);
		CHECK_EQ(shmring_create(NULL, PROD, &o, &r), -ENOSYS);
		CHECK_EQ(shmring_create("no-proc", PROD, &o, &r), -ENOSYS);
		CHECK_EQ(shmring_open("no-proc", PROD, &o, &r), -ENOSYS);
		CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &r), -ENOSYS);
		/* By its name a ring can be had, and who was there is seen to die. */
		CHECK_EQ(shmring_attach(name, CONS, &o, &c), 0);
		if (!test_bad) {
			kill(peer, SIGKILL);
			CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER), -EOWNERDEAD);
			shmring_close(c);
			CHECK(!leftover());
		}
		test_exit();
	}
	status = test_reap(pid);
	kill(peer, SIGKILL);
	test_reap(peer);
	shmring_close(p);
	if (status == 77)
		SKIP("no namespace with mounts of its own can be had here");
	CHECK_EQ(status, 0);
}

/* In a thread: everything that has the kernel open a descriptor anew. */
static void with_descriptors(void)
{
	struct shmring_opts o = test_opts(0, 0);
	int efd = eventfd(0, EFD_CLOEXEC);
	struct shmring *p, *c;
	char buf[8];

	NEED(efd >= 0);
	NEED(!shmring_create(NULL, PROD, &o, &p));
	CHECK_EQ(shmring_attach_fd(shmring_fd(p), CONS, &o, &c), 0);
	if (!test_bad) {
		CHECK_EQ(shmring_set_eventfd(c, SHMRING_EV_IN, efd), 0);
		CHECK_EQ(shmring_send(p, "it", 2, SHMRING_NOWAIT), 0);
		shmring_close(p);
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_NOWAIT), 2);
		CHECK_EQ(shmring_recv(c, buf, sizeof(buf), SHMRING_FOREVER), -EPIPE);
		shmring_close(c);
	}
	NEED(!shmring_create(name, PROD, &o, &p));
	CHECK_EQ(shmring_attach(name, CONS, &o, &c), 0);
	shmring_close(p);
	if (!test_bad)
		shmring_close(c);
	CHECK(!leftover());
}

static void *after_the_first_thread(void *arg)
{
	pthread_t *first = arg;

	CHECK_EQ(pthread_join(*first, NULL), 0);
	with_descriptors();
	test_exit();
	return NULL;
}

/* A program goes on when main() has left by pthread_exit(3). */
static void without_the_first_thread(void)
{
	pthread_t first = pthread_self(), thread;
	pid_t pid;

	new_name();
	pid = test_fork();
	if (!pid) {
		if (pthread_create(&thread, NULL, after_the_first_thread, &first))
			abort();
		/* As pthread_exit(3), which needs a library of the compiler's. */
		syscall(SYS_exit, 0);
	}
	CHECK_EQ(test_reap(pid), 0);
}

static void *with_a_table_alone(void *arg)
{
	int fd, last = 0;

	(void)arg;
	if (unshare(CLONE_FILES))
		abort();
	/* What is lowest here is something else there. */
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && fd < 64)
		last = fd;
	while (last > 2)
		close(last--);
	with_descriptors();
	return NULL;
}

/* A thread that left the others' table of descriptors has numbers of its own. */
static void descriptors_of_a_thread_alone(void)
{
	pthread_t thread;
	pid_t pid;
	int k;

	new_name();
	pid = test_fork();
	if (!pid) {
		for (k = 0; k < 64; k++)
			if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
				abort();
		if (pthread_create(&thread, NULL, with_a_table_alone, NULL))
			abort();
		pthread_join(thread, NULL);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
}

int main(void)
{
	START();
	RUN(create_attach_close);
	RUN(list_ends_when_told);
	RUN(open_makes_or_joins);
	RUN(open_race);
	RUN(observer_keeps_the_name);
	RUN(killed_holder_leaves_nothing);
	RUN(survivor_of_a_kill_cleans_up);
	RUN(other_users);
	RUN(write_alone);
	RUN(the_mode_is_not_masked);
	RUN(no_descriptors_left);
	RUN(no_dev_shm);
	RUN(no_proc);
	RUN(without_the_first_thread);
	RUN(descriptors_of_a_thread_alone);
	DONE();
}
