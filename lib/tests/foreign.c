// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Whoever looks at the rings of others trusts none of them: files in /dev/shm that are cut
 * under an observer, whose guard somebody keeps, that have any number of locks or another's
 * name cost an error at most, and no signal, no endless wait.
 */
#include <sys/mount.h>

#include "test.h"

#define GUARD		(1ll << 62)	/* as in lib/memfd.h */
#define OBSERVERS	(GUARD + 1024)
#define LOCKS		600
#define COUNTED		256

static char name[SHMRING_NAME_MAX], path[128];

static void new_name(void)
{
	static int nth;

	snprintf(name, sizeof(name), "foreign-%d-%d", (int)getpid(), nth++);
	snprintf(path, sizeof(path), "/dev/shm/shmring.%s", name);
}

static int lock(int fd, long long at)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = at, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &fl);
}

/* In a process of its own: what is done to the file is done to all who have it mapped. */
static pid_t stranger(int (*act)(void))
{
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return -1;
	pid = test_fork();
	if (!pid) {
		CHECK_EQ(act(), 0);
		if (test_bad)
			test_exit();
		test_tell(pipes[1]);
		pause();
	}
	close(pipes[1]);
	if (test_hear(pipes[0]))
		pid = -1;
	close(pipes[0]);
	return pid;
}

static void stranger_gone(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK_EQ(test_reap(pid), 128 + SIGKILL);
	unlink(path);
}

static int make_ring(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *p;

	return shmring_create(name, PROD, &o, &p);
}

static int count_it(uint32_t backend, const struct shmring_ioc_info *info, void *arg)
{
	(void)backend;
	if (!strcmp((const char *)info->name, name))
		++*(int *)arg;
	return 0;
}

static int listed(void)
{
	int count = 0;

	CHECK_EQ(shmring_list(test_backend(), count_it, &count), 0);
	return count;
}

/* ---- files that are cut -------------------------------------------------------- */

static void look_at_what_was_cut(off_t left)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *watch;
	int fd;

	NEED(!shmring_attach(name, OBS, &o, &watch));
	CHECK_EQ(shmring_info(watch, &info), 0);
	CHECK_EQ(info.slots_live, 1);
	CHECK_EQ(shmring_get_stats(watch, 0, &stats), 0);
	CHECK_EQ(stats.state, SHMRING_SLOT_LIVE);
	CHECK_EQ(shmring_wait(watch, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	NEED((fd = open(path, O_RDWR | O_CLOEXEC)) >= 0);
	CHECK_EQ(ftruncate(fd, left), 0);
	CHECK_EQ(shmring_info(watch, &info), -EPROTO);
	CHECK_EQ(shmring_get_stats(watch, 1, &stats), -EPROTO);
	CHECK_EQ(shmring_wait(watch, SHMRING_EV_PEER, SHMRING_NOWAIT), -EAGAIN);
	CHECK_EQ(shmring_wait(watch, SHMRING_EV_PEER, test_in_ms(20)), -ETIMEDOUT);
	CHECK(shmring_pollfd(watch) >= 0);
	CHECK_EQ(shmring_arm(watch, SHMRING_EV_PEER), 0);
	CHECK_EQ(listed(), 0);
	shmring_close(watch);
	close(fd);
}

static void cut(off_t left)
{
	pid_t pid, looker;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no file to cut");
	new_name();
	NEED((pid = stranger(make_ring)) > 0);
	looker = test_fork();
	if (!looker) {
		look_at_what_was_cut(left);
		test_exit();
	}
	CHECK_EQ(test_reap(looker), 0);
	stranger_gone(pid);
}

static void file_is_cut_to_nothing(void) { cut(0); }
static void file_is_cut_behind_meta(void) { cut(sysconf(_SC_PAGESIZE)); }

/* ---- guards that are kept ------------------------------------------------------ */

static int keep_guard(void)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : lock(fd, GUARD);
}

static int make_and_keep_guard(void)
{
	int err = make_ring();

	return err ? err : keep_guard();
}

static int keep_guard_of_no_ring(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : lock(fd, GUARD);
}

static void guard_is_kept(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *r;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no guard");
	new_name();
	NEED((pid = stranger(make_and_keep_guard)) > 0);
	CHECK_EQ(listed(), 1);
	NEED(!shmring_attach(name, OBS, &o, &r));
	CHECK_EQ(shmring_info(r, &info), 0);
	CHECK_EQ(info.slots_live, 1);
	shmring_close(r);
	CHECK_EQ(shmring_create(name, PROD, &o, &r), -EEXIST);
	stranger_gone(pid);
}

static void guard_of_no_ring_is_kept(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *r;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no guard");
	new_name();
	NEED((pid = stranger(keep_guard_of_no_ring)) > 0);
	CHECK_EQ(listed(), 0);
	CHECK_EQ(shmring_attach(name, OBS, &o, &r), -EBUSY);
	CHECK_EQ(shmring_create(name, PROD, &o, &r), -EEXIST);
	stranger_gone(pid);
}

/* ---- locks without number ------------------------------------------------------ */

/* From the last to the first: each is found before the one on its left. */
static int take_locks(void)
{
	struct rlimit limit;
	int k, fd, err = make_ring();

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	if (limit.rlim_cur < 2 * LOCKS && limit.rlim_max >= 2 * LOCKS)
		limit.rlim_cur = 2 * LOCKS;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	for (k = LOCKS; !err && k; k--) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		err = fd < 0 ? -errno : lock(fd, OBSERVERS + 2 * k);
	}
	return err;
}

static void many_locks(void)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_opts o = test_opts(0, 0);
	struct shmring *watch;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no locks");
	new_name();
	NEED((pid = stranger(take_locks)) > 0);
	NEED(!shmring_attach(name, OBS, &o, &watch));
	CHECK_EQ(shmring_info(watch, &info), 0);
	CHECK_EQ(info.observers, COUNTED + 1);	/* and this one */
	shmring_close(watch);
	stranger_gone(pid);
}

/* ---- another's name ------------------------------------------------------------ */

/* Listed is the name that leads to a ring, not the one that it says to have. */
static void name_is_that_of_the_file(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	char first[sizeof(path)];
	struct shmring *r;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device has no files");
	new_name();
	NEED(!shmring_create(name, PROD, &o, &r));
	strcpy(first, path);
	CHECK_EQ(listed(), 1);
	new_name();
	CHECK_EQ(link(first, path), 0);
	CHECK_EQ(listed(), 1);
	unlink(path);
	shmring_close(r);
}

/* ---- what another one left and nobody may remove ------------------------------- */

#define OWNER	54321
#define OTHER	54322

static mode_t left_mode;

static int leave_as_owner(void)
{
	int fd;

	if (setgid(OWNER) || setuid(OWNER))
		return -errno;
	umask(0);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, left_mode);
	return fd < 0 ? -errno : 0;
}

/* "Attach, or make it if there is none": neither can be done, and nobody tries for ever. */
static void leftover_of_another(uint32_t role, mode_t mode)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *r;
	pid_t owner, pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device leaves nothing");
	if (geteuid())
		SKIP("needs two users: run it as root");
	new_name();
	left_mode = mode;
	NEED((owner = stranger(leave_as_owner)) > 0);
	pid = test_fork();
	if (!pid) {
		alarm(20);
		CHECK_EQ(setgid(OTHER) || setuid(OTHER), 0);
		CHECK_EQ(shmring_attach(name, role, &o, &r), -EPERM);
		CHECK_EQ(shmring_create(name, role, &o, &r), -EPERM);
		CHECK_EQ(shmring_open(name, role, &o, &r), -EPERM);
		test_exit();
	}
	CHECK_EQ(test_reap(pid), 0);
	stranger_gone(owner);
}

static void leftover_of_another_to_write(void) { leftover_of_another(CONS, 0666); }
static void leftover_of_another_to_read(void) { leftover_of_another(OBS, 0644); }

/* A leftover that another file is mounted over, in a namespace of this process's own. */
static int mount_over(void)
{
	int fd;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev/shm", "tmpfs", 0, "mode=1777"))
		return -1;
	fd = open("/dev/shm/other", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	close(fd);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	close(fd);
	return mount("/dev/shm/other", path, NULL, MS_BIND, NULL);
}

static void leftover_that_is_in_use(void)
{
	struct shmring_opts o = test_opts(4096, 0);
	struct shmring *r;
	int status;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("the device leaves nothing");
	new_name();
	pid = test_fork();
	if (!pid) {
		alarm(20);
		if (mount_over())
			_exit(77);
		CHECK_EQ(shmring_attach(name, PROD, &o, &r), -EPERM);
		CHECK_EQ(shmring_create(name, PROD, &o, &r), -EPERM);
		CHECK_EQ(shmring_open(name, PROD, &o, &r), -EPERM);
		test_exit();
	}
	status = test_reap(pid);
	if (status == 77)
		SKIP("no namespace with mounts of its own can be had here");
	CHECK_EQ(status, 0);
}

int main(void)
{
	START();
	RUN(file_is_cut_to_nothing);
	RUN(file_is_cut_behind_meta);
	RUN(guard_is_kept);
	RUN(guard_of_no_ring_is_kept);
	RUN(many_locks);
	RUN(name_is_that_of_the_file);
	RUN(leftover_of_another_to_write);
	RUN(leftover_of_another_to_read);
	RUN(leftover_that_is_in_use);
	DONE();
}
