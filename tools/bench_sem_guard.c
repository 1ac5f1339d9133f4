// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench sem: the guards. All but the atomic add enclose the same load, add and store,
 * which alone is what loses additions.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_sem.h"

static inline uint64_t step(struct sem_area *a)
{
	uint64_t v = __atomic_load_n(&a->counter, __ATOMIC_RELAXED) + 1;

	__atomic_store_n(&a->counter, v, __ATOMIC_RELAXED);
	return v;
}

/*
 * The loop of a guard: ENTER and LEAVE are statements that set err. What a log costs is
 * part of the critical section, so that times are in the order of the values.
 */
#define SEM_ADD_LOOP(NAME, ENTER, STEP, LEAVE)				\
static int NAME##_add(struct sem_area *a, struct sem_step *log)	\
{									\
	uint64_t i, steps = a->steps, v;				\
	int err = 0;							\
									\
	for (i = 0; i < steps; i++) {					\
		ENTER;							\
		if (err)						\
			return err;					\
		v = STEP;						\
		if (log) {						\
			log[i].ns = bench_now();			\
			log[i].value = v;				\
		}							\
		LEAVE;							\
		if (err)						\
			return err;					\
	}								\
	return err;							\
}

/* ---- none ------------------------------------------------------------------------ */

static int none_init(struct sem_area *a)
{
	(void)a;
	return 0;
}

SEM_ADD_LOOP(none, (void)0, step(a), (void)0)

/* ---- atomic add -------------------------------------------------------------------- */

SEM_ADD_LOOP(atomic, (void)0, __atomic_add_fetch(&a->counter, 1, __ATOMIC_RELAXED), (void)0)

/* ---- POSIX semaphore --------------------------------------------------------------- */

static int sem_guard_init(struct sem_area *a)
{
	return sem_init(&a->sem, 1, 1) ? -errno : 0;
}

static int sem_lock(struct sem_area *a)
{
	while (sem_wait(&a->sem))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int sem_unlock(struct sem_area *a)
{
	return sem_post(&a->sem) ? -errno : 0;
}

SEM_ADD_LOOP(sem, err = sem_lock(a), step(a), err = sem_unlock(a))

/* ---- robust mutex -------------------------------------------------------------------- */

static int mutex_init(struct sem_area *a)
{
	pthread_mutexattr_t attr;
	int err;

	err = pthread_mutexattr_init(&attr);
	if (err)
		return -err;
	err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!err)
		err = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (!err)
		err = pthread_mutex_init(&a->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

static int mutex_lock(struct sem_area *a)
{
	return -pthread_mutex_lock(&a->mutex);
}

static int mutex_repaired(struct sem_area *a)
{
	return -pthread_mutex_consistent(&a->mutex);
}

static int mutex_unlock(struct sem_area *a)
{
	return -pthread_mutex_unlock(&a->mutex);
}

SEM_ADD_LOOP(mutex, err = mutex_lock(a), step(a), err = mutex_unlock(a))

/* ---- a lock of a futex word: 0 free, 1 held, 2 held and perhaps waited for ----------- */

static int futex_lock(struct sem_area *a)
{
	uint32_t was = 0;

	if (__atomic_compare_exchange_n(&a->futex, &was, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return 0;
	/* Whoever has waited cannot know whether others do, so it takes the word as 2. */
	while (__atomic_exchange_n(&a->futex, 2, __ATOMIC_ACQUIRE)) {
		if (!syscall(SYS_futex, &a->futex, FUTEX_WAIT, 2, NULL, NULL, 0))
			continue;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

static int futex_unlock(struct sem_area *a)
{
	if (__atomic_exchange_n(&a->futex, 0, __ATOMIC_RELEASE) != 2)
		return 0;
	return syscall(SYS_futex, &a->futex, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? -errno : 0;
}

SEM_ADD_LOOP(futex, err = futex_lock(a), step(a), err = futex_unlock(a))

/* ---- all -------------------------------------------------------------------------------- */

const struct sem_guard sem_guards[SEM_GUARDS] = {
	{
		.name = "none", .what = "load, add, store: what two do at a time is lost",
		.init = none_init, .add = none_add,
	}, {
		.name = "atomic", .what = "one atomic add: nothing to hold, nothing to wait for",
		.right = true, .init = none_init, .add = atomic_add,
	}, {
		.name = "sem", .what = "a process-shared sem_t, sem_wait(3) and sem_post(3)",
		.right = true, .init = sem_guard_init, .lock = sem_lock, .unlock = sem_unlock,
		.add = sem_add,
	}, {
		.name = "mutex", .what = "a process-shared robust pthread mutex",
		.right = true, .recovers = true, .init = mutex_init, .lock = mutex_lock,
		.repaired = mutex_repaired, .unlock = mutex_unlock, .add = mutex_add,
	}, {
		.name = "futex", .what = "a word and futex(2): what a lock is made of, written out",
		.right = true, .init = none_init, .lock = futex_lock, .unlock = futex_unlock,
		.add = futex_add,
	},
};
