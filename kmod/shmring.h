/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects of the module and who owns them.
 *
 *   file of /dev/shmring --owns--> endpoint --holds--> ring --owns--> inode, pages
 *
 * A mapping holds its file, so an endpoint outlives its descriptors while it is
 * mapped. A ring lives as long as it has endpoints. Its pages live in the page
 * cache of an inode of its own.
 *
 * Locks, outermost first:
 *
 *   shmring_endpoint.bind_lock  mutex: one CREATE or ATTACH at a time per file;
 *                               user memory may be touched under it, so nothing
 *                               that mmap or a page fault calls may take it
 *   shmring_registry_lock       mutex: names, identities, a ring's last reference
 *   shmring_ring.lock           spinlock: slots, endpoint list, cursor pointers,
 *                               arming and waking
 */
#ifndef SHMRING_INTERNAL_H
#define SHMRING_INTERNAL_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/shmring.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <shmring/group.h>

#include "compat.h"

struct cred;
struct eventfd_ctx;
struct io_uring_cmd;
struct mm_struct;
struct seq_file;
struct user_namespace;
struct workqueue_struct;

#define SHMRING_SLOT_PRODUCER	0	/* of an SPSC ring */
#define SHMRING_SLOT_CONSUMER	1
#define SHMRING_EVENTS		3	/* IN, OUT, PEER */
#define SHMRING_EV_DATA		(SHMRING_EV_IN | SHMRING_EV_OUT)

/* Bits of a ring's mode and of what an endpoint may pass on. */
#define SHMRING_MAY_READ	4
#define SHMRING_MAY_WRITE	2

/**
 * struct shmring_charge - what a ring has been charged for
 * @cred: whoever created the ring: their user's locked memory it counts as
 * @account: the module's own count for that user
 * @pages: how many
 */
struct shmring_charge {
	const struct cred *cred;
	struct shmring_account *account;
	unsigned long pages;
};

/* What can refuse a ring. */
enum shmring_limit {
	SHMRING_LIMIT_MEMLOCK,		/* RLIMIT_MEMLOCK of the caller */
	SHMRING_LIMIT_USER,		/* max_user_bytes */
	SHMRING_LIMIT_TOTAL,		/* max_bytes */
};

/**
 * struct shmring_place - where pages are wanted
 * @placement: SHMRING_PLACE_*
 * @node: a node that exists, or NUMA_NO_NODE
 */
struct shmring_place {
	u32 placement;
	int node;
};

/**
 * struct shmring_need - what has to be there for an event to hold; either is enough
 * @bytes: IN: of records; OUT: of space
 * @records: IN; U64_MAX: not asked for
 */
struct shmring_need {
	u64 bytes;
	u64 records;
};

/**
 * struct shmring_ring - a ring
 * @refs: one per endpoint and per &struct shmring_ref; the last is dropped under
 *	shmring_registry_lock
 * @lock: see above
 * @endpoints: all endpoints, observers included; by @lock
 * @observers: how many of them are, or are about to be, observers; by @lock
 * @slots_live: how many are not; by @lock
 * @members: how many of those are other modules': they look at CURSOR pages without
 *	@lock, under RCU; by @lock
 * @slot: the endpoint that holds each slot; by @lock
 * @cursor: the CURSOR page of each slot; by @lock
 * @turn: QUEUE: the consumer to think of first; by @lock
 * @meta: the META page
 * @group: the core's view of META, CURSOR pages and SHARED
 * @inode: owns the pages
 * @charge: what is accounted for them
 * @place: where DATA was wanted
 * @data_node: where DATA is; -1: on several nodes
 * @data_page_size: bytes of its smallest page
 * @id: identity
 * @flags: SHMRING_CREATE_*
 * @topology: SHMRING_TOPO_*
 * @full_policy: SHMRING_FULL_*
 * @slots: number of slots
 * @producers: how many of them, the first, are producers'; 0: RAW
 * @consumers: how many are consumers'
 * @lanes: in how many pieces DATA is
 * @data_size: bytes of each
 * @data_offset: where the first is in the file
 * @shared_offset: where SHARED is, or 0
 * @control_size: where CONTROL ends
 * @listed: found by name and in the list; by shmring_registry_lock
 * @name_node: in the table of names, if it has one
 * @ns: identity of the IPC namespace that the name belongs to; holds its user_ns
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @name: name, or empty
 */
struct shmring_ring {
	refcount_t refs;
	spinlock_t lock;		/* innermost */
	struct list_head endpoints;
	u32 observers;
	u32 slots_live;
	u32 members;
	struct shmring_endpoint *slot[SHMRING_SLOTS_MAX];
	struct shmring_cursor *cursor[SHMRING_SLOTS_MAX];
	u32 turn;
	struct shmring_meta *meta;
	struct shmring_group group;
	struct inode *inode;
	struct shmring_charge charge;
	struct shmring_place place;
	int data_node;
	unsigned long data_page_size;
	u64 id;
	u32 flags;
	u32 topology;
	u32 full_policy;
	u32 slots;
	u32 producers;
	u32 consumers;
	u32 lanes;
	u64 data_size;
	u64 data_offset;
	u64 shared_offset;
	u64 control_size;
	bool listed;
	struct hlist_node name_node;
	struct shmring_ns {
		const void *ptr;
		unsigned int inum;
		struct user_namespace *user_ns;
	} ns;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	char name[SHMRING_NAME_MAX];
};

/**
 * struct shmring_endpoint - what an open file is, once it is bound
 * @ring: its ring; NULL until bound, then constant; published last, with release
 * @bind_lock: see above
 * @link: in @ring->endpoints; by @ring->lock
 * @wq: sleepers in WAIT and poll
 * @eventfd: registered, by event bit; by @ring->lock
 * @need: while armed in META: what the first of its sleepers waits for; by @ring->lock
 * @sleepers: of those in @wq, how many are sure to look at the ring once they are woken: in
 *	WAIT by ioctl, or a module's; not in poll, in WAIT by io_uring, or for peers' end alone
 * @publishers: address spaces from which its CURSOR page can be written; by @ring->lock
 * @role: SHMRING_ROLE_*
 * @slot: its slot, or SHMRING_NO_SLOT
 * @rights: SHMRING_MAY_* that it may pass on; without MAY_READ others' lanes are not mapped
 * @pid: process that bound it, in the initial PID namespace; for people to read
 */
struct shmring_endpoint {
	struct shmring_ring *ring;
	struct mutex bind_lock;		/* outermost */
	struct list_head link;
	wait_queue_head_t wq;
	struct eventfd_ctx *eventfd[SHMRING_EVENTS];
	struct shmring_need need;
	atomic_t sleepers;
	struct list_head publishers;
	u32 role;
	u32 slot;
	u32 rights;
	pid_t pid;
};

/* The ring of a file, or NULL while it is unbound. */
static inline struct shmring_ring *shmring_ring_of(const struct shmring_endpoint *ep)
{
	/* pairs with the store-release in shmring_bind() */
	return smp_load_acquire(&ep->ring);
}

/* Are there lanes, SHARED, and a state word a role? (An SPSC ring does without.) */
static inline bool shmring_is_group(const struct shmring_ring *ring)
{
	return ring->shared_offset;
}

/* The state word in META of a role's endpoints; the kernel writes it, under ring->lock. */
static inline u64 *shmring_state_of(const struct shmring_ring *ring, u32 role)
{
	return role == SHMRING_ROLE_PRODUCER ? &ring->meta->tx_state : &ring->meta->rx_state;
}

/* Tell that endpoints of a role came or went, after META says how. Under ring->lock. */
static inline void shmring_state_count(const struct shmring_ring *ring, u32 role)
{
	u64 *state = shmring_state_of(ring, role);

	/* pairs with the load-acquire in shmring_group_armed() and of gates */
	smp_store_release(state, *state + SHMRING_STATE_ARMED + 1);
}

/* What META says the kernel saw of an endpoint; written under ring->lock. NULL: observer. */
static inline struct shmring_witness *shmring_witness_of(const struct shmring_endpoint *ep,
							 const struct shmring_ring *ring)
{
	return ep->slot == SHMRING_NO_SLOT ? NULL : &ring->meta->witness[ep->slot];
}

static inline void shmring_count(u64 *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

/* main.c */
extern struct workqueue_struct *shmring_wq;

/* device.c */
extern const struct file_operations shmring_fops;
int shmring_create_check(const struct shmring_ioc_create *arg);
struct shmring_ring *shmring_find_fd(int fd, u32 *rights);

/* ring.c */
struct shmring_ring *shmring_ring_create(const struct shmring_ioc_create *arg,
					 const struct shmring_place *data,
					 const struct shmring_place *cursor);
void shmring_ring_put(struct shmring_ring *ring);

/* endpoint.c */
void shmring_endpoint_init(struct shmring_endpoint *ep);
int shmring_role_check(u32 topology, u32 role);
u32 shmring_role_rights(u32 role);
int shmring_endpoint_prepare(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 role,
			     u32 rights, const struct shmring_place *cursor);
int shmring_slot_take(struct shmring_ring *ring, struct shmring_endpoint *ep, u32 role);
void shmring_slot_give_back(struct shmring_endpoint *ep, struct shmring_ring *ring);
void shmring_join(struct shmring_endpoint *ep, struct shmring_ring *ring);
void shmring_bind(struct file *file, struct shmring_endpoint *ep, struct shmring_ring *ring);
void shmring_leave(struct shmring_endpoint *ep);
void shmring_unbind(struct shmring_endpoint *ep);

/* memory.c */
int shmring_place_check(u32 placement, s32 node, bool may_interleave,
			struct shmring_place *place);
int shmring_memory_alloc(struct shmring_ring *ring, const struct shmring_place *cursor,
			 u32 slot);
void shmring_memory_free(struct shmring_ring *ring);
int shmring_node_of(const void *addr);
u32 shmring_lane_word(const struct shmring_ring *ring, u32 lane, u64 pos);
int shmring_cursor_place(struct shmring_ring *ring, u32 slot,
			 const struct shmring_place *place);

/* account.c */
int shmring_charge(struct shmring_charge *charge, unsigned long pages);
void shmring_uncharge(struct shmring_charge *charge);
void shmring_account_init(void);

/* registry.c */
int shmring_name_check(const u8 *name);
u32 shmring_rights(const struct shmring_ring *ring);
int shmring_register(struct shmring_ring *ring);
void shmring_publish(struct shmring_ring *ring);
bool shmring_put_and_unregister(struct shmring_ring *ring);
struct shmring_ring *shmring_find_name(const u8 *name);
struct shmring_ring *shmring_find_next(u64 after);

/* barrier.c */
int shmring_publisher_add(struct shmring_endpoint *ep, const struct mm_struct *mm, gfp_t gfp);
void shmring_publisher_remove(struct shmring_endpoint *ep, const struct mm_struct *mm);
void shmring_meet(const struct shmring_endpoint *ep, struct shmring_ring *ring);
int shmring_barrier_init(void);
void shmring_barrier_exit(void);

/* mmap.c */
int shmring_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long shmring_get_unmapped_area(struct file *file, unsigned long addr,
					unsigned long len, unsigned long pgoff,
					unsigned long flags);

/* orphan.c */
void shmring_orphan_enter(struct shmring_ring *ring, u32 slot);
void shmring_orphan_return(struct shmring_ring *ring, u32 slot);
void shmring_orphan_leave(struct shmring_ring *ring, u32 slot);
int shmring_adopt(struct shmring_endpoint *ep, struct shmring_ioc_adopt *arg);

/* ready.c */
u32 shmring_data_event(const struct shmring_endpoint *ep, const struct shmring_ring *ring);
struct shmring_need shmring_need_of(const struct shmring_endpoint *ep,
				    const struct shmring_ring *ring, u32 event, u64 bytes,
				    u64 records);
int shmring_holds(const struct shmring_endpoint *ep, const struct shmring_ring *ring, u32 event,
		  const struct shmring_need *need, bool gone);
int shmring_peers_gone(const struct shmring_endpoint *ep, const struct shmring_ring *ring);
bool shmring_share_reached(const struct shmring_endpoint *ep, const struct shmring_ring *ring);
u64 shmring_lane_share(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
		       const struct shmring_need *need, u64 *records);

/* wake.c */
int shmring_ready(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 events, u64 bytes,
		  u64 records, bool arm);
void shmring_disarm(struct shmring_endpoint *ep, struct shmring_ring *ring, bool empty);
void shmring_signal(struct shmring_endpoint *ep, u32 events);
void shmring_wake_all(struct shmring_ring *ring);
void shmring_look_again(struct shmring_ring *ring, u32 lane);
unsigned int shmring_kick_role(struct shmring_ring *ring, u32 role);
void shmring_kick_peers(const struct shmring_endpoint *ep, struct shmring_ring *ring);
int shmring_kick(struct shmring_endpoint *ep);

/* wait.c */
u64 shmring_deadline_to_host(u64 deadline);
int shmring_wait_check(const struct shmring_endpoint *ep, const struct shmring_ring *ring,
		       const struct shmring_ioc_wait *arg);
int shmring_wait_look(struct shmring_endpoint *ep, struct shmring_ring *ring,
		      const struct shmring_ioc_wait *arg, bool arm);
void shmring_wait_on(const struct shmring_endpoint *ep, struct shmring_ring *ring, bool again);
void shmring_wait_end(struct shmring_endpoint *ep, struct shmring_ring *ring, u32 events, int ret);
int shmring_wait(struct shmring_endpoint *ep, struct shmring_ioc_wait *arg, bool looks);
int shmring_set_eventfd(struct shmring_endpoint *ep, const struct shmring_ioc_eventfd *arg);
__poll_t shmring_poll(struct file *file, poll_table *wait);

/* uring.c */
int shmring_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* info.c */
void shmring_info(struct shmring_ring *ring, const struct shmring_endpoint *ep,
		  struct shmring_ioc_info *info);
void shmring_show_fdinfo(struct seq_file *m, struct file *file);

#endif /* SHMRING_INTERNAL_H */
