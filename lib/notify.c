// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The thread behind shmring_pollfd() and shmring_set_eventfd() on the memfd backend: it
 * sleeps where the kernel would have to, on the endpoint's armed word, and turns a
 * wake-up into eventfd signals. One per handle that asks, from the first call on.
 *
 * It looks at CURSOR pages and META only, never at the private state of the handle,
 * which belongs to the thread that uses it. So it cannot look at the ring now and then as
 * those who block do; where they have to (shmring_bias_unsure(), and what the dead have left
 * and could not be taken over) it signals instead, and has the user look. What both touch:
 *
 *   seq       counts requests; the thread sleeps on it while nothing is armed
 *   pending   the endpoint armed itself and has not been signalled since
 *   told      the peer's end was signalled
 *   efd       under lock
 *   pid       of the process that has the thread, in a page that is zero in its children: in a
 *	       namespace of its own a child may have the same one
 *
 * The user alone has owed: data was asked for by arming, and not looked for by that since. Who
 * arms for the peer's end alone meanwhile took back the signal for it, which is given again.
 *
 * No signal is lost: arming takes back the old signal, then arms, then sets pending;
 * the thread clears pending, then signals, and so does a user that blocks, for it arms anew and
 * disarms. A signal too many is a hint too many.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memfd.h"

#define SHMRING_EVENTS		3
#ifdef SHMRING_SLICE_LAST_NS
#define SHMRING_NOTIFY_SLICE_NS	SHMRING_SLICE_LAST_NS
#else
#define SHMRING_NOTIFY_SLICE_NS	100000000ull
#endif
#define SHMRING_NOTIFY_STACK	(256u << 10)

struct shmring_notify {
	struct shmring_handle *h;
	pthread_t thread;
	pid_t *pid;
	int pollfd;
	uint32_t seq;
	uint32_t stop;
	uint32_t pending;
	uint32_t told;
	bool owed;
	pthread_mutex_t lock;
	int efd[SHMRING_EVENTS];
};

/* The user's may block. If it is full it is signalled. */
static void shmring_signal_one(int efd)
{
	struct pollfd pfd = { .fd = efd, .events = POLLOUT };

	if (poll(&pfd, 1, 0) == 1)
		eventfd_write(efd, 1);
}

static void shmring_signal(struct shmring_notify *n, uint32_t events)
{
	unsigned int k;

	eventfd_write(n->pollfd, 1);
	pthread_mutex_lock(&n->lock);
	for (k = 0; k < SHMRING_EVENTS; k++)
		if ((events & 1u << k) && n->efd[k] >= 0)
			shmring_signal_one(n->efd[k]);
	pthread_mutex_unlock(&n->lock);
}

static void shmring_request(struct shmring_notify *n)
{
	__atomic_fetch_add(&n->seq, 1, __ATOMIC_SEQ_CST);
	shmring_futex_wake(&n->seq);
}

static void *shmring_notify_run(void *arg)
{
	struct shmring_notify *n = arg;
	struct shmring_handle *h = n->h;
	uint32_t *armed = h->mine ? &h->mine->armed : NULL;
	uint64_t until = shmring_now() + SHMRING_NOTIFY_SLICE_NS;
	uint32_t seq;
	bool wait_armed;
	int err;

	for (;;) {
		seq = __atomic_load_n(&n->seq, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&n->stop, __ATOMIC_SEQ_CST))
			return NULL;
		wait_armed = armed && __atomic_load_n(&n->pending, __ATOMIC_SEQ_CST);
		if (wait_armed && shmring_load_acquire(armed) != SHMRING_ARMED_YES) {
			__atomic_store_n(&n->pending, 0, __ATOMIC_SEQ_CST);
			shmring_signal(n, SHMRING_EV_IN | SHMRING_EV_OUT);
			continue;
		}
		if (!shmring_gone(h)) {
			__atomic_store_n(&n->told, 0, __ATOMIC_SEQ_CST);
		} else if (!__atomic_exchange_n(&n->told, 1, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&n->pending, 0, __ATOMIC_SEQ_CST);
			shmring_signal(n, SHMRING_EV_IN | SHMRING_EV_OUT | SHMRING_EV_PEER);
			continue;
		}
		err = wait_armed ? shmring_futex_wait(armed, SHMRING_ARMED_YES, until) :
				   shmring_futex_wait(&n->seq, seq, until);
		/* Not from the last request on: there may be one after the other. */
		if (err != -ETIMEDOUT)
			continue;
		shmring_probe(h);
		if (wait_armed && (shmring_bias_unsure(h) || shmring_claim_left(h))) {
			__atomic_store_n(&n->pending, 0, __ATOMIC_SEQ_CST);
			shmring_signal(n, SHMRING_EV_IN | SHMRING_EV_OUT);
		}
		until = shmring_now() + SHMRING_NOTIFY_SLICE_NS;
	}
}

static int shmring_add_tls(struct dl_phdr_info *info, size_t size, void *sum)
{
	unsigned int k;

	(void)size;
	for (k = 0; k < info->dlpi_phnum; k++)
		if (info->dlpi_phdr[k].p_type == PT_TLS)
			*(size_t *)sum += info->dlpi_phdr[k].p_memsz + info->dlpi_phdr[k].p_align;
	return 0;
}

/* What the thread needs; the program's thread-local data may have to lie in its stack. */
static size_t shmring_stack(void)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);
	size_t tls = 0;

	dl_iterate_phdr(shmring_add_tls, &tls);
	return SHMRING_NOTIFY_STACK + (least > 0 ? (size_t)least : 0) + tls;
}

static bool shmring_notify_here(const struct shmring_notify *n)
{
	return *n->pid == getpid();
}

static int shmring_notify_start(struct shmring_handle *h)
{
	struct shmring_notify *n;
	pthread_attr_t attr;
	sigset_t all, old;
	unsigned int k;
	int err;

	if (h->notify)
		return shmring_notify_here(h->notify) ? 0 : -EOPNOTSUPP;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->h = h;
	n->pid = mmap(NULL, sizeof(*n->pid), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (n->pid == MAP_FAILED) {
		err = -errno;
		goto err_free;
	}
	madvise(n->pid, sizeof(*n->pid), MADV_WIPEONFORK);
	*n->pid = getpid();
	for (k = 0; k < SHMRING_EVENTS; k++)
		n->efd[k] = -1;
	pthread_mutex_init(&n->lock, NULL);
	/* Signalled from the start: the first thing to do is to look. */
	n->pollfd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->pollfd < 0) {
		err = -errno;
		goto err_unmap;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, shmring_stack());
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	/* Why it cannot be had is EAGAIN most of all, which is "not ready" here. */
	err = pthread_create(&n->thread, &attr, shmring_notify_run, n) ? -ENOMEM : 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		goto err_close;
	h->notify = n;
	return 0;

err_close:
	close(n->pollfd);
err_unmap:
	pthread_mutex_destroy(&n->lock);
	munmap(n->pid, sizeof(*n->pid));
err_free:
	free(n);
	return err;
}

void shmring_notify_stop(struct shmring_handle *h)
{
	struct shmring_notify *n = h->notify;
	unsigned int k;

	if (!n)
		return;
	/* In a child after fork(2) there is a copy of the state but no thread. */
	if (shmring_notify_here(n)) {
		__atomic_store_n(&n->stop, 1, __ATOMIC_SEQ_CST);
		if (h->mine) {
			shmring_arm_end(h);
			shmring_futex_wake(&h->mine->armed);
		}
		shmring_request(n);
		pthread_join(n->thread, NULL);
	}
	for (k = 0; k < SHMRING_EVENTS; k++)
		if (n->efd[k] >= 0)
			close(n->efd[k]);
	close(n->pollfd);
	pthread_mutex_destroy(&n->lock);
	munmap(n->pid, sizeof(*n->pid));
	free(n);
	h->notify = NULL;
}

int shmring_notify_pollfd(struct shmring_handle *h)
{
	int err = shmring_notify_start(h);

	return err ? err : h->notify->pollfd;
}

void shmring_notify_rearm(struct shmring_handle *h, uint32_t events)
{
	eventfd_t count;

	if (!h->notify)
		return;
	eventfd_read(h->notify->pollfd, &count);
	if (events & (SHMRING_EV_IN | SHMRING_EV_OUT))
		h->notify->owed = false;
}

void shmring_notify_armed(struct shmring_handle *h, uint32_t events)
{
	struct shmring_notify *n = h->notify;

	if (!n)
		return;
	if (events & (SHMRING_EV_IN | SHMRING_EV_OUT)) {
		n->owed = true;
		__atomic_store_n(&n->pending, 1, __ATOMIC_SEQ_CST);
	} else if (n->owed && !__atomic_load_n(&n->pending, __ATOMIC_SEQ_CST)) {
		eventfd_write(n->pollfd, 1);
	}
	/* Who was told of the end and waits for what the dead have left is told by the slice. */
	if (!shmring_claim_again(h))
		__atomic_store_n(&n->told, 0, __ATOMIC_SEQ_CST);
	shmring_request(n);
}

/*
 * This endpoint is about to arm for what its user blocks for, and to disarm after that: what was
 * armed before ends here, so whoever polls is to look. The thread need not sleep there, too.
 */
void shmring_notify_blocks(struct shmring_handle *h)
{
	struct shmring_notify *n = h->notify;

	if (!n || !__atomic_load_n(&n->pending, __ATOMIC_SEQ_CST) || !shmring_notify_here(n))
		return;
	if (__atomic_exchange_n(&n->pending, 0, __ATOMIC_SEQ_CST))
		shmring_signal(n, SHMRING_EV_IN | SHMRING_EV_OUT);
	shmring_futex_wake(&h->mine->armed);
}

static int shmring_eventfd_check(int efd)
{
	char path[SHMRING_FD_PATH_MAX], is[64];
	ssize_t len;

	if (fcntl(efd, F_GETFD) < 0)
		return -errno;
	shmring_fd_path(path, efd);
	len = readlink(path, is, sizeof(is) - 1);
	if (len < 0)
		return 0;
	is[len] = 0;
	return strstr(is, "[eventfd]") ? 0 : -EBADFD;
}

/*
 * The descriptor is duplicated, so that the thread never writes to whatever its
 * number means after the caller has closed it.
 */
int shmring_notify_set(struct shmring_handle *h, uint32_t events, int efd)
{
	int old[SHMRING_EVENTS], own[SHMRING_EVENTS] = { -1, -1, -1 };
	struct shmring_notify *n;
	unsigned int k;
	int err;

	if (efd >= 0) {
		err = shmring_eventfd_check(efd);
		if (err)
			return err;
	}
	err = shmring_notify_start(h);
	if (err)
		return err;
	n = h->notify;
	for (k = 0; efd >= 0 && k < SHMRING_EVENTS; k++) {
		if (!(events & 1u << k))
			continue;
		own[k] = fcntl(efd, F_DUPFD_CLOEXEC, 0);
		if (own[k] < 0) {
			err = -errno;
			goto err_close;
		}
	}
	pthread_mutex_lock(&n->lock);
	for (k = 0; k < SHMRING_EVENTS; k++) {
		old[k] = -1;
		if (events & 1u << k) {
			old[k] = n->efd[k];
			n->efd[k] = own[k];
		}
	}
	pthread_mutex_unlock(&n->lock);
	for (k = 0; k < SHMRING_EVENTS; k++)
		if (old[k] >= 0)
			close(old[k]);
	if (efd >= 0) {
		int ready = shmring_arm(&h->core, events);

		if (ready > 0)
			shmring_signal(n, (uint32_t)ready);
	}
	return 0;

err_close:
	for (k = 0; k < SHMRING_EVENTS; k++)
		if (own[k] >= 0)
			close(own[k]);
	return err;
}
