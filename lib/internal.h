/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * What the files of the library share and nobody else sees.
 *
 * A handle is the public struct shmring with the library's own state behind it.
 * Everything that differs between the backends is in struct shmring_ops; the
 * data path, the waiting and the memory map are common.
 *
 * open.c    options, making, joining, leaving     device.c    /dev/shmring
 * map.c     the three mappings                    memfd.c     rings made of a file
 * slow.c    slow paths of the inline functions    liveness.c  locks that witness a death
 * wait.c    spinning, sleeping, arming            registry.c  names under /dev/shm
 * pace.c    how long to spin, when to hold back         numa.c      placement by mbind(2)
 * batch.c   batches                               notify.c    the thread behind pollfd
 * info.c    what a ring is and has done           scm.c       passing descriptors
 */
#ifndef SHMRING_LIB_INTERNAL_H
#define SHMRING_LIB_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Everything is hidden (-fvisibility=hidden) but what the public header declares. */
#pragma GCC visibility push(default)
#include <shmring.h>
#pragma GCC visibility pop

#define SHMRING_LINE		128

#define SHMRING_SPIN_AUTO_NS	20000

struct shmring_handle;
struct shmring_notify;

/**
 * struct shmring_ops - one backend
 * @backend: SHMRING_BACKEND_*
 * @create: make a ring, bind @fd, fill @geo, map everything
 * @attach: join by name, likewise
 * @attach_fd: join by descriptor, likewise
 * @leave: tell the peers and close @fd; drops mappings only where it must
 * @info: the present state
 * @sleep: arm, look once more, sleep: 0 after anything that is worth a look,
 *	-ETIMEDOUT, -EINTR; @events and @need as in &struct shmring_ioc_wait
 * @wake: wake the peer that armed itself
 * @probe: make META say whether the peer in @slot lives
 * @pollfd: as shmring_pollfd()
 * @armed: the endpoint armed itself for @events and will not look again
 * @rearm: take back what was signalled on pollfd
 * @set_eventfd: as shmring_set_eventfd()
 * @list: as shmring_list()
 */
struct shmring_ops {
	uint32_t backend;
	int (*create)(struct shmring_handle *h, const char *name, uint32_t role,
		      const struct shmring_opts *opts);
	int (*attach)(struct shmring_handle *h, const char *name, uint32_t role,
		      const struct shmring_opts *opts);
	int (*attach_fd)(struct shmring_handle *h, int fd, uint32_t role,
			 const struct shmring_opts *opts);
	void (*leave)(struct shmring_handle *h);
	int (*info)(const struct shmring_handle *h, struct shmring_ioc_info *info);
	int (*sleep)(struct shmring_handle *h, uint32_t events, uint64_t need,
		     uint64_t deadline);
	void (*wake)(struct shmring_handle *h);
	void (*probe)(struct shmring_handle *h, unsigned int slot);
	int (*pollfd)(struct shmring_handle *h);
	void (*rearm)(struct shmring_handle *h);
	void (*armed)(struct shmring_handle *h, uint32_t events);
	int (*set_eventfd)(struct shmring_handle *h, uint32_t events, int efd);
	int (*list)(int (*fn)(uint32_t backend, const struct shmring_ioc_info *info, void *arg),
		    void *arg);
};

extern const struct shmring_ops shmring_device_ops;
extern const struct shmring_ops shmring_memfd_ops;

/**
 * struct shmring_pace - how to wait for the other side; private to one handle
 * @mark: position at the last stall: how long the run was
 * @base: bytes of the last run without a wait
 * @hold: stalls to come that shall not wait, since waiting did not pay
 * @spin_max: longest spin before a sleep in ns; 0: none; UINT64_MAX: never sleep
 * @spin: present length of it
 * @learn: shorten @spin while spinning does not pay
 * @try_every: with @spin at nothing, waits between two attempts at @spin_max
 * @try_in: waits until the next of them
 * @probed: coarse time of the last look whether the peer lives
 */
struct shmring_pace {
	uint32_t hold;
	uint64_t mark;
	uint64_t base;
	uint64_t spin_max;
	uint64_t spin;
	bool learn;
	uint32_t try_every;
	uint32_t try_in;
	uint64_t probed;
};

/**
 * struct shmring_handle - an endpoint
 * @core: what the inline functions see; first, so that the pointers are the same
 * @ops: the backend
 * @fd: the endpoint's descriptor
 * @role: SHMRING_ROLE_*
 * @slot: own slot or SHMRING_NO_SLOT
 * @geo: private copy of the geometry: nothing is read from META after the checks
 * @control: META and CURSOR pages; writable on the memfd backend except for
 *	observers that may not write
 * @control_size: bytes mapped there
 * @mine: own CURSOR page, writable; NULL without a slot
 * @own_cursor: @mine is a mapping of its own
 * @data: DATA, mapped @data_maps times in a row
 * @data_maps: 2, or 1 for RAW
 * @pace: how to wait
 * @notify: memfd: the thread behind pollfd, once there is one
 * @pollfd: memfd: its eventfd
 */
struct shmring_handle {
	struct shmring core;
	const struct shmring_ops *ops;
	int fd;
	uint32_t role;
	uint32_t slot;
	struct shmring_ioc_info geo;
	unsigned char *control;
	size_t control_size;
	struct shmring_cursor *mine;
	bool own_cursor;
	unsigned char *data;
	unsigned int data_maps;
	struct shmring_pace pace;
	struct shmring_notify *notify;
};

static inline struct shmring_handle *shmring_handle(const struct shmring *r)
{
	return (struct shmring_handle *)(uintptr_t)r;
}

static inline struct shmring_meta *shmring_meta(const struct shmring_handle *h)
{
	return (struct shmring_meta *)(void *)h->control;
}

/* The CURSOR page of @slot in CONTROL. */
static inline struct shmring_cursor *shmring_cursor(const struct shmring_handle *h,
						    unsigned int slot)
{
	return (struct shmring_cursor *)(void *)(h->control + h->geo.cursor_offset +
						 slot * h->geo.cursor_stride);
}

static inline bool shmring_is_producer(const struct shmring_handle *h)
{
	return h->geo.topology == SHMRING_TOPO_SPSC && h->role == SHMRING_ROLE_PRODUCER;
}

static inline bool shmring_is_consumer(const struct shmring_handle *h)
{
	return h->geo.topology == SHMRING_TOPO_SPSC && h->role == SHMRING_ROLE_CONSUMER;
}

/* open.c */
int shmring_check_role(uint32_t topology, uint32_t role);

/* device.c */
bool shmring_device_usable(void);

/* map.c */
int shmring_map(struct shmring_handle *h, bool control_writable);
int shmring_map_control(struct shmring_handle *h, bool writable);
int shmring_map_data(struct shmring_handle *h);
void shmring_unmap(struct shmring_handle *h);
int shmring_start(struct shmring_handle *h);

/* wait.c */
uint64_t shmring_now(void);
int shmring_gone(const struct shmring_handle *h);
void shmring_probe(struct shmring_handle *h);
uint32_t shmring_events(const struct shmring_handle *h, uint32_t events, uint64_t need);
uint64_t shmring_wake_at(const struct shmring_handle *h, uint32_t events, uint64_t need);
void shmring_arm_begin(struct shmring_handle *h, uint64_t wake_at);
void shmring_arm_end(struct shmring_handle *h);
bool shmring_spin_first(struct shmring_handle *h, uint32_t events, uint64_t need,
			uint64_t deadline, bool always);
int shmring_sleep(struct shmring_handle *h, uint32_t events, uint64_t need, uint64_t deadline);
bool shmring_probe_due(struct shmring_handle *h);
int shmring_check_events(const struct shmring_handle *h, uint32_t events);

/* pace.c */
void shmring_pace_init(struct shmring_handle *h, int64_t spin_ns);
uint64_t shmring_pace_budget(struct shmring_pace *pace);
void shmring_pace_won(struct shmring_pace *pace);
void shmring_pace_lost(struct shmring_pace *pace, uint64_t budget);
bool shmring_pace_dry(struct shmring_pace *pace, uint64_t pos);
void shmring_pace_got(struct shmring_pace *pace, uint64_t ahead);

#endif /* SHMRING_LIB_INTERNAL_H */
