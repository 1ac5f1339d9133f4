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
 * pair.c    endpoints of SPSC rings               orphan.c    what dead consumers had claimed
 * lane.c    producers of the others               registry.c  names under /dev/shm
 * merge.c   consumers of MPSC and BROADCAST       numa.c      placement by mbind(2)
 * claim.c   consumers of QUEUE                    notify.c    the thread behind pollfd
 * group.c   whom to wake, who came and went       scm.c       passing descriptors
 * wait.c    spinning, sleeping, arming            batch.c     batches
 * pace.c    how long to spin, when to hold back   info.c      what a ring is and has done
 * bias.c    publishing without a fence            push.c      lines out of the own cache
 *                                                 guard.c     how to exclude each other
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
#include <shmring/broadcast.h>
#include <shmring/mpsc.h>
#include <shmring/queue.h>
#pragma GCC visibility pop

#define SHMRING_LINE		128

#define SHMRING_SPIN_AUTO_NS	20000

/* How far to let the other side get ahead: a part of a lane. */
#define SHMRING_AHEAD_PART	4
/* Pauses before the first look how far it is, doubled for each further one. */
#define SHMRING_AHEAD_FIRST	8
#define SHMRING_AHEAD_LAST	1024

/*
 * wake_at of a consumer of a ring with several endpoints: it takes any record, or it polls, or
 * has a threshold which the next record may reach. Sizes are multiples of 8, so a publisher comes
 * to the same with both, but for what it may take the consumer for (shmring_wake()).
 */
#define SHMRING_WAKE_ANY	1
#define SHMRING_WAKE_NEXT	2

struct shmring_handle;
struct shmring_notify;

/**
 * struct shmring_goal - what is waited for
 * @events: SHMRING_EV_*
 * @need: IN: bytes; OUT: bytes to be free, header included; 0: one record, for OUT of the
 *	size that the last failed reservation wanted
 * @records: IN: records; 0: not asked for
 */
struct shmring_goal {
	uint32_t events;
	uint64_t need;
	uint64_t records;
};

/**
 * struct shmring_in - how the consumers of a topology work
 * @start: set the private state up from what is in the ring
 * @peek: the next record: payload bytes, -EAGAIN, -EBADMSG
 * @next: step over it
 * @check: nothing was found: can that be, by the producers' positions? 0, or -EPROTO
 * @rewind: go back to the first record that is not released
 * @release: 0, or -ESTALE; @kick as __shmring_release() has it
 * @ready: is there as much as the goal says
 * @amount: how much is there in all lanes together, in records or in bytes
 * @gap: does a producer's position say more than the records that are there
 * @join: producers came or went; NULL where there is one
 * @recv: copy the next record and give it back, if it takes no search to know which it is:
 *	payload bytes, or -EAGAIN: the long way; NULL: there is no short one
 * @drain: copy what is there behind the record that was stepped over, without waiting, up to
 *	@n records that fit: how many; NULL: shmring_take_there()
 * @ahead: bytes that producers say to have published and nobody has taken; NULL likewise
 */
struct shmring_in {
	int (*start)(struct shmring_handle *h);
	long (*peek)(struct shmring_handle *h, const void **payload);
	void (*next)(struct shmring_handle *h, long len);
	int (*check)(struct shmring_handle *h);
	void (*rewind)(struct shmring_handle *h);
	int (*release)(struct shmring_handle *h, int kick);
	bool (*ready)(struct shmring_handle *h, const struct shmring_goal *goal);
	uint64_t (*amount)(const struct shmring_handle *h, bool records);
	bool (*gap)(const struct shmring_handle *h);
	void (*join)(struct shmring_handle *h);
	long (*recv)(struct shmring_handle *h, void *buf, size_t cap);
	unsigned int (*drain)(struct shmring_handle *h, struct iovec *msgs, unsigned int n);
	uint64_t (*ahead)(const struct shmring_handle *h);
};

/**
 * struct shmring_out - how the producers of a topology work
 * @start: take over from earlier producers
 * @refresh: look how far the consumers are, or make room for @len bytes: 0 or -EPROTO
 * @ready: are @need bytes free
 */
struct shmring_out {
	int (*start)(struct shmring_handle *h);
	int (*refresh)(struct shmring_handle *h, size_t len);
	bool (*ready)(const struct shmring_handle *h, uint64_t need);
};

extern const struct shmring_in shmring_pair_in;
extern const struct shmring_in shmring_merge_in;
extern const struct shmring_in shmring_claim_in;
extern const struct shmring_out shmring_pair_out;
extern const struct shmring_out shmring_mpsc_out;
extern const struct shmring_out shmring_queue_out;
extern const struct shmring_out shmring_broadcast_out;
extern const struct shmring_out shmring_overwrite_out;

/**
 * struct shmring_many - what a consumer of a ring with several endpoints has besides
 * @away: takes the place of both CURSOR pages for the inline functions: what is written
 *	to it is nobody's, and it always wants to be woken, which leads to the slow path
 * @since: QUEUE: when the last claim was made, 0: nothing is to be learnt from that
 * @adopt_at: QUEUE: records of the dead could not be taken over: when to try again, or 0
 * @merge: MPSC, BROADCAST
 * @claims: QUEUE
 */
struct shmring_many {
	struct shmring_cursor away;
	uint64_t since;
	uint64_t adopt_at;
	union {
		struct shmring_merge merge;
		struct shmring_claims claims;
	};
};

/**
 * struct shmring_ops - one backend
 * @backend: SHMRING_BACKEND_*
 * @create: make a ring, bind @fd, fill @geo, map everything
 * @attach: join by name, likewise
 * @attach_fd: join by descriptor, likewise
 * @undo: of a way in that failed, what closing @fd does not; NULL: nothing
 * @leave: tell the peers and close @fd; drops mappings only where it must
 * @info: the present state
 * @sleep: arm, look once more, sleep: 0 after anything that is worth a look,
 *	-ETIMEDOUT, -EINTR
 * @wake: wake the endpoint in a slot if it armed itself: did somebody sleep there
 * @wakes_all: @wake looks after everybody, and says so
 * @adopt: as SHMRING_IOC_ADOPT; -EBUSY: not now
 * @arm: arm as the rest of the backend's way to wait needs it; NULL: the CURSOR page and
 *	META are enough
 * @probe: make META say whether the peer in @slot lives; of the own slot: make up for what the
 *	dead have left undone
 * @lives: is there an endpoint in @slot, by what is not in META; NULL: META says so
 * @copy: copy a part of CONTROL, which others could take away while it is looked at: 0, or
 *	-EPROTO: it is gone; NULL: nobody can
 * @pollfd: as shmring_pollfd()
 * @armed: the endpoint armed itself for @events and will not look again
 * @rearm: take back what was signalled on pollfd: @events are looked for
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
	void (*undo)(struct shmring_handle *h);
	void (*leave)(struct shmring_handle *h);
	int (*info)(const struct shmring_handle *h, struct shmring_ioc_info *info);
	int (*sleep)(struct shmring_handle *h, const struct shmring_goal *goal,
		     uint64_t deadline);
	bool (*wake)(struct shmring_handle *h, unsigned int slot);
	bool wakes_all;
	int (*adopt)(struct shmring_handle *h, struct shmring_ioc_adopt *orphan);
	void (*arm)(struct shmring_handle *h, uint32_t events);
	void (*probe)(struct shmring_handle *h, unsigned int slot);
	bool (*lives)(const struct shmring_handle *h, unsigned int slot);
	int (*copy)(const struct shmring_handle *h, uint64_t offset, size_t len, void *to);
	int (*pollfd)(struct shmring_handle *h);
	void (*rearm)(struct shmring_handle *h, uint32_t events);
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
 * @yield_fails: SPSC: offers of the CPU before a sleep that were in vain
 * @yield_in: waits until the next of them
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
	uint32_t yield_fails;
	uint32_t yield_in;
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
 *	observers that may not write. Who has no slot looks by shmring_look_at()
 * @control_size: bytes mapped there
 * @mine: own CURSOR page, writable; NULL without a slot
 * @own_cursor: @mine is a mapping of its own
 * @own_shared: @shared is a mapping of its own
 * @shared: SHARED, writable if the role is the one that writes it
 * @cursor: CURSOR pages by slot
 * @data: the lanes that are mapped, each twice in a row; RAW: DATA
 * @first_lane: the first of them
 * @lanes: how many
 * @peers: first slot of the other role
 * @peers_end: the slot after the last
 * @in: how this endpoint consumes, or NULL
 * @out: how it produces, or NULL
 * @group: its view of the others; NULL where there are two slots, or no records
 * @many: consumers with a group
 * @batch: QUEUE: how many records to claim
 * @claim_max: QUEUE: and how many at most where there is plenty
 * @untold: an error that a batch came upon after its first record
 * @lone: a producer that goes on without consumers
 * @lost: what was lost before this endpoint came
 * @pace: how to wait
 * @dry: consumer of an SPSC ring: its position when it last found nothing
 * @dry_records: and how many it had received
 * @far: bytes from its header to what it is likely to look at next; 0: the next line
 * @far_most: bytes of the longest record in place whose end it asks for
 * @pushes: producer of an SPSC ring: lines can be pushed out of this CPU's cache
 * @awaited: when it last looked all it had sent was received
 * @look_in: long records committed in place until it looks once more
 * @bias: records when the last sleeper was met
 * @spare: memfd: what the guard can be taken by when nothing can be opened any more
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
	bool own_shared;
	struct shmring_shared *shared;
	struct shmring_cursor *cursor[SHMRING_SLOTS_MAX];
	unsigned char *data;
	unsigned int first_lane;
	unsigned int lanes;
	unsigned int peers;
	unsigned int peers_end;
	const struct shmring_in *in;
	const struct shmring_out *out;
	struct shmring_group *group;
	struct shmring_many *many;
	unsigned int batch;
	unsigned int claim_max;
	long untold;
	bool lone;
	uint64_t lost;
	struct shmring_pace pace;
	uint64_t dry;
	uint64_t dry_records;
	uint32_t far;
	uint32_t far_most;
	bool pushes;
	bool awaited;
	uint32_t look_in;
	uint64_t bias;
	struct shmring_spare *spare;
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

/* One more of what the kernel counts in META, where there is one. Several may at a time. */
static inline void shmring_tally(__u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static inline bool shmring_is_producer(const struct shmring_handle *h)
{
	return h->geo.topology != SHMRING_TOPO_RAW && h->role == SHMRING_ROLE_PRODUCER;
}

static inline bool shmring_is_consumer(const struct shmring_handle *h)
{
	return h->geo.topology != SHMRING_TOPO_RAW && h->role == SHMRING_ROLE_CONSUMER;
}

/* Do META's words and a SHARED page belong to this topology? */
static inline bool shmring_is_group(uint32_t topology)
{
	return topology != SHMRING_TOPO_SPSC && topology != SHMRING_TOPO_RAW;
}

/* Do publications take the numbers of one counter? */
static inline bool shmring_has_tickets(const struct shmring_ioc_info *geo)
{
	return geo->producers > 1 && (geo->topology == SHMRING_TOPO_MPSC ||
				      geo->topology == SHMRING_TOPO_BROADCAST);
}

/* How many mappings of a lane there are in a row, and how many lanes. */
static inline unsigned int shmring_maps(const struct shmring_ioc_info *geo)
{
	return geo->topology == SHMRING_TOPO_RAW ? 1 : 2;
}

static inline unsigned int shmring_lanes(const struct shmring_ioc_info *geo)
{
	return geo->topology == SHMRING_TOPO_RAW ? 1 : geo->producers;
}

static inline const unsigned char *shmring_lane(const struct shmring_handle *h, unsigned int lane)
{
	return h->data + (size_t)(lane - h->first_lane) * shmring_maps(&h->geo) *
	       (size_t)h->geo.data_size;
}

/* open.c */
int shmring_check_role(uint32_t topology, uint32_t role);

/* device.c */
bool shmring_device_usable(void);
bool shmring_device_is(int fd);

/* map.c */
int shmring_map(struct shmring_handle *h, bool control_writable);
int shmring_map_control(struct shmring_handle *h, bool writable);
unsigned char *shmring_map_room(size_t size, size_t align);
size_t shmring_data_align(const struct shmring_ioc_info *geo);
void shmring_unmap_data(struct shmring_handle *h);
void shmring_unmap(struct shmring_handle *h);
int shmring_start(struct shmring_handle *h);

/* wait.c */
uint64_t shmring_now(void);
uint32_t shmring_slot_state(const struct shmring_handle *h, unsigned int slot, uint32_t state);
int shmring_gone(const struct shmring_handle *h);
int shmring_ended(const struct shmring_handle *h);
void shmring_probe(struct shmring_handle *h);
uint32_t shmring_events(struct shmring_handle *h, const struct shmring_goal *goal);
void shmring_arm_begin(struct shmring_handle *h, const struct shmring_goal *goal);
void shmring_arm_end(struct shmring_handle *h);
bool shmring_spin_first(struct shmring_handle *h, const struct shmring_goal *goal,
			uint64_t deadline, bool always);
int shmring_late(uint64_t deadline);
int shmring_lapped(uint64_t deadline, unsigned int *laps);
int shmring_sleep(struct shmring_handle *h, const struct shmring_goal *goal, uint64_t deadline);
bool shmring_probe_due(struct shmring_handle *h);
int shmring_check_events(const struct shmring_handle *h, uint32_t events);

/* bias.c */
void shmring_bias_start(struct shmring_handle *h);
void shmring_bias_due(struct shmring_handle *h);
void shmring_bias_met(struct shmring_handle *h);
void shmring_bias_meet(const struct shmring_handle *h);
bool shmring_bias_unsure(const struct shmring_handle *h);
bool shmring_bias_unfenced(const struct shmring_handle *h);
void shmring_bias_catch_up(struct shmring_handle *h);

/* claim.c */
bool shmring_claim_left(const struct shmring_handle *h);
uint64_t shmring_claim_again(const struct shmring_handle *h);

/* pair.c */
void shmring_pair_kick(struct shmring_handle *h, int kick);
void shmring_pair_dry(struct shmring_handle *h, bool in_place);

/* info.c */
const void *shmring_look_at(const struct shmring_handle *h, uint64_t offset, size_t len,
			    void *copy);
int shmring_totals(const struct shmring_handle *h, struct shmring_ioc_info *info);

/* slow.c */
int shmring_make_space(struct shmring *r, size_t len, void **payload, uint64_t deadline,
		       bool drops);

/* group.c */
void shmring_group_start(struct shmring_handle *h, struct shmring_group *g);
void shmring_group_look(struct shmring_handle *h);
uint64_t shmring_kept(const struct shmring_handle *h, uint32_t lane, const unsigned char *data,
		      uint64_t from);
uint64_t shmring_lane_records(const unsigned char *data, uint64_t mask, uint64_t from,
			      uint64_t most);
uint64_t shmring_lane_bytes(const unsigned char *data, uint64_t mask, uint64_t from, uint64_t end);
bool shmring_amount_ready(const struct shmring_handle *h, const struct shmring_goal *goal);
uint64_t shmring_share(const struct shmring_handle *h, uint64_t want, bool records);
uint64_t shmring_records_of(const struct shmring_handle *h, unsigned int slot);
bool shmring_wake(struct shmring_handle *h, unsigned int slot);
void shmring_notice(struct shmring_handle *h, int kick);
void shmring_group_pace_in(struct shmring_handle *h);
void shmring_group_pace_out(struct shmring_handle *h);

/* push.c */
bool shmring_can_push_out(void);
void shmring_push_out(const void *line);

/* pace.c */
void shmring_pace_init(struct shmring_handle *h, int64_t spin_ns);
uint64_t shmring_pace_budget(struct shmring_pace *pace);
void shmring_pace_won(struct shmring_pace *pace);
void shmring_pace_lost(struct shmring_pace *pace, uint64_t budget);
bool shmring_pace_yields(struct shmring_pace *pace);
void shmring_pace_yielded(struct shmring_pace *pace, bool ready, uint64_t ns);
bool shmring_pace_dry(struct shmring_pace *pace, uint64_t pos);
void shmring_pace_got(struct shmring_pace *pace, uint64_t ahead);

#endif /* SHMRING_LIB_INTERNAL_H */
