/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * What the files of the memfd backend share.
 *
 * The file has the layout of the device's mapping, and locks far beyond its end:
 *
 *   SHMRING_LOCK_GUARD      attach, leave and burial exclude each other by it
 *   SHMRING_LOCK_SLOT + n   held by the endpoint in slot n as long as it lives
 *   SHMRING_LOCK_OBSERVER   a range in which each observer holds a byte
 *
 * All are locks of open file descriptions: shared by dup(2), fork(2) and SCM_RIGHTS,
 * dropped by the kernel with the last reference, however the holder ends.
 */
#ifndef SHMRING_LIB_MEMFD_H
#define SHMRING_LIB_MEMFD_H

#include "internal.h"

#define SHMRING_LOCK_GUARD	(1ull << 62)
#define SHMRING_LOCK_SLOT	(SHMRING_LOCK_GUARD + 1)
#define SHMRING_LOCK_OBSERVER	(SHMRING_LOCK_GUARD + 1024)
#define SHMRING_LOCK_OBSERVERS	(1ull << 32)

/* Of the thread: the first one may have ended, or not share its descriptors with it. */
#define SHMRING_PROC_SELF	"/proc/thread-self"
#define SHMRING_FD_PATH_MAX	(sizeof(SHMRING_PROC_SELF "/fd/") + 11)

#define SHMRING_SHM_DIR		"/dev/shm"
#define SHMRING_SHM_PREFIX	"shmring."

/* How long to try for the guard where it is not waited for: so many milliseconds. */
#define SHMRING_GUARD_TRIES	100

#define SHMRING_HUGE_BYTES	(2ull << 20)

/**
 * struct shmring_memfd_note - what the device keeps in the kernel; written once
 * @mode: permission bits
 * @placement: SHMRING_PLACE_* that was asked for DATA
 * @resv: zero
 * @name: the ring's name, or empty
 */
struct shmring_memfd_note {
	uint32_t mode;
	uint32_t placement;
	uint64_t resv;
	char name[SHMRING_NAME_MAX];
};

/* in the META page */
#define SHMRING_NOTE_OFFSET	offsetof(struct shmring_meta, resv3)

/* memfd.c */
int shmring_memfd_check(int fd, struct shmring_ioc_info *geo);
int shmring_memfd_wake(struct shmring_handle *h, unsigned int slot);
void shmring_memfd_wake_all(struct shmring_handle *h);

/* guard.c */
int shmring_spare_open(struct shmring_handle *h, const char *name);
void shmring_spare_close(struct shmring_handle *h);
void shmring_spare_settle(const struct shmring_handle *h);
int shmring_guard_take(const struct shmring_handle *h, unsigned int tries);
void shmring_guard_drop(const struct shmring_handle *h, int fd);

/* liveness.c */
void shmring_fd_path(char *path, int fd);
int shmring_reopen(int fd, int flags);
int shmring_guard(int fd, bool shared);
int shmring_guard_try(int fd, bool shared, unsigned int tries);
void shmring_unguard(int fd);
void shmring_guard_close(int fd);
void shmring_unlock_all(int fd);
int shmring_slot_lock(int fd, unsigned int slot);
bool shmring_slot_locked(int fd, unsigned int slot);
int shmring_observer_lock(int fd);
unsigned int shmring_observers(int fd);
bool shmring_held(int fd);
__aligned_u64 *shmring_state_word(const struct shmring_handle *h, unsigned int slot);
void shmring_pos_repair(struct shmring_handle *h);
void shmring_slot_begin(struct shmring_handle *h);
void shmring_slot_end(struct shmring_handle *h, unsigned int slot);
void shmring_memfd_probe(struct shmring_handle *h, unsigned int slot);

/* orphan.c */
void shmring_orphan_settle(struct shmring_handle *h);
void shmring_orphan_begin(struct shmring_handle *h);
void shmring_orphan_end(struct shmring_handle *h, unsigned int slot);
int shmring_memfd_adopt(struct shmring_handle *h, struct shmring_ioc_adopt *arg);

/* registry.c */
int shmring_name_check(const char *name);
int shmring_name_link(int fd, const char *name);
int shmring_name_reopen(const char *name, int fd);
void shmring_name_unlink(int fd, const char *name);
int shmring_name_open(const char *name, uint32_t role, unsigned int tries);
int shmring_memfd_list(int (*fn)(uint32_t backend, const struct shmring_ioc_info *info,
				 void *arg), void *arg);

/* numa.c */
int shmring_place_check(uint32_t placement, int32_t node, bool may_interleave);
int shmring_place(void *addr, size_t len, uint32_t placement, int32_t node);
int shmring_place_page(void *addr, size_t len, uint32_t placement, int32_t node);
int shmring_place_room(uint32_t placement, int32_t node, uint64_t len);
int32_t shmring_node_of(const void *addr);
int32_t shmring_node_of_range(const void *addr, size_t len, size_t step);
uint64_t shmring_page_size_of(const void *addr, size_t len);

/* notify.c */
int shmring_notify_pollfd(struct shmring_handle *h);
void shmring_notify_rearm(struct shmring_handle *h, uint32_t events);
void shmring_notify_armed(struct shmring_handle *h, uint32_t events);
void shmring_notify_blocks(struct shmring_handle *h);
int shmring_notify_set(struct shmring_handle *h, uint32_t events, int efd);
void shmring_notify_stop(struct shmring_handle *h);

/* futex.c */
int shmring_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline);
unsigned int shmring_futex_wake(uint32_t *word);

#endif /* SHMRING_LIB_MEMFD_H */
