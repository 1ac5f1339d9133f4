/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * shmring - message rings in NUMA-local shared memory
 *
 * This header is the whole contract between the kernel module, the library and
 * any program that speaks to /dev/shmring directly: the ioctl commands first,
 * the layout of the mapped pages after them.
 *
 * An open file of /dev/shmring is unbound. SHMRING_IOC_CREATE makes a ring and
 * binds the file to it, SHMRING_IOC_ATTACH binds it to a ring that exists. From
 * then on the file is an *endpoint*: dup(2), fork(2) and SCM_RIGHTS share it, and
 * it lives until its last descriptor is closed and its last mapping is gone.
 *
 * Rules that hold for every command with a struct:
 *
 *  - @size is the first field and holds sizeof(struct) as the caller knows it.
 *    Smaller than the first published version: EINVAL. Larger than what the
 *    module knows, with anything but zeros in the tail: E2BIG.
 *  - Reserved fields and unknown flag bits must be zero, otherwise EINVAL.
 *  - Output is written back only on success.
 *  - All structs have the same layout for 32-bit and 64-bit programs.
 *
 * One meaning per errno:
 *
 *  ENOTTY        no such command
 *  EINVAL        a field holds a value that never means anything
 *  E2BIG         the struct has a tail that this module does not know
 *  EFAULT        the argument is not readable or writable memory
 *  EOPNOTSUPP    a known value, but not offered here or by this ring
 *  ENOTCONN      the file is not bound to a ring yet
 *  EISCONN       the file is bound to a ring already
 *  EACCES        the ring's owner and mode, or the descriptor, do not grant this
 *  ERANGE        data_size or need is beyond what a ring (this ring) can hold
 *  ENXIO         there is no such NUMA node, or it is offline
 *  ENODEV        the NUMA node exists but has no memory
 *  ENAMETOOLONG  the name is not terminated within SHMRING_NAME_MAX bytes
 *  EEXIST        a ring of this name exists
 *  ENOENT        no ring of this name, or no further ring to list
 *  EBADF         the fd argument is not an open descriptor
 *  EBADFD        the fd argument is open, but not what is asked for
 *  EBUSY         the role is taken by a live endpoint, no slot is free, or there are
 *                SHMRING_OBSERVERS_MAX observers
 *  EDQUOT        RLIMIT_MEMLOCK, or the module's limit per user
 *  ENOSPC        the module's limit for all rings together
 *  ENOMEM        no memory (on the wanted node, when the placement is strict)
 *  EAGAIN        not ready, and the deadline said not to wait
 *  ECANCELED     io_uring: the WAIT was cancelled
 *  ETIMEDOUT     not ready when the deadline passed
 *  EPIPE         the peer has closed and nothing is left
 *  EOWNERDEAD    the peer died without closing and nothing is left
 *  EPROTO        a peer wrote positions that cannot be
 *
 * In DATA every producer has a *lane* of its own, @data_size bytes that it alone
 * writes; an SPSC ring has one. So whatever a producer does, the records of the
 * others are as they wrote them.
 */
#ifndef _UAPI_LINUX_SHMRING_H
#define _UAPI_LINUX_SHMRING_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SHMRING_MAGIC		0x676e7273	/* "srng", little-endian */
#define SHMRING_ABI		1
#define SHMRING_NAME_MAX	64		/* with the terminating NUL */
#define SHMRING_SLOTS_MAX	32
#define SHMRING_OBSERVERS_MAX	1024
#define SHMRING_NO_SLOT		0xffffffffu

/* data_size: a power of two after rounding up; at least one page. */
#define SHMRING_DATA_MAX	(1u << 30)

/**
 * DOC: topologies
 *
 * SPSC: one producer, one consumer.
 * MPSC: many producers, one consumer. What was committed before another commit
 *	began, by whomever, is read before it.
 * QUEUE: many producers, many consumers; each record goes to exactly one consumer, the
 *	records of one producer are taken in their order.
 * BROADCAST: many producers, many consumers; each consumer reads every record that was
 *	published after it joined, in an order as that of MPSC.
 * RAW: plain shared memory for the user's own structures.
 *
 * Slots of producers come first, slots of consumers after them.
 */
#define SHMRING_TOPO_SPSC	1
#define SHMRING_TOPO_MPSC	2
#define SHMRING_TOPO_QUEUE	3
#define SHMRING_TOPO_BROADCAST	4
#define SHMRING_TOPO_RAW	5

/**
 * DOC: roles
 *
 * A ring of records takes exactly one role. RAW takes PRODUCER (may write DATA),
 * CONSUMER (may only read it), or both, which is the same as PRODUCER. An OBSERVER
 * may read everything, writes nothing, takes no slot and is seen by nobody.
 */
#define SHMRING_ROLE_PRODUCER	0x1
#define SHMRING_ROLE_CONSUMER	0x2
#define SHMRING_ROLE_OBSERVER	0x4

/**
 * DOC: full policies
 *
 * What happens when a lane is full. WAIT: the producer waits for space, or is told
 * EAGAIN, as it asks. DROP_NEWEST: the new record is not taken and counted as lost
 * in the producer's CURSOR page. OVERWRITE (BROADCAST only): the oldest records make
 * room; a consumer that had not read them counts them as lost in its own.
 */
#define SHMRING_FULL_WAIT		0
#define SHMRING_FULL_DROP_NEWEST	1
#define SHMRING_FULL_OVERWRITE		2

/**
 * DOC: placements
 *
 * LOCAL: the node of the CPU that makes the call, else the nearest with memory.
 * STRICT: @node and no other. PREFERRED: @node, else the nearest with memory.
 * INTERLEAVE: page after page over all nodes with memory (DATA only).
 * @node is -1 for LOCAL and INTERLEAVE.
 */
#define SHMRING_PLACE_LOCAL		0
#define SHMRING_PLACE_STRICT		1
#define SHMRING_PLACE_PREFERRED		2
#define SHMRING_PLACE_INTERLEAVE	3

/*
 * Nobody sleeps on this ring: WAIT refuses to sleep with EOPNOTSUPP, EVENTFD
 * and poll tell of a peer's death only, and commit and release need no fence.
 */
#define SHMRING_CREATE_SPIN		0x1
/* 2 MiB pages for DATA or nothing: ENOMEM when they cannot be had. */
#define SHMRING_CREATE_HUGE		0x2
/* Base pages for DATA whatever its size. */
#define SHMRING_CREATE_SMALL		0x4

/* What WAIT, EVENTFD and poll can tell. */
#define SHMRING_EV_IN		0x1	/* consumer: a record is there (EPOLLIN) */
#define SHMRING_EV_OUT		0x2	/* producer: there is space (EPOLLOUT) */
#define SHMRING_EV_PEER		0x4	/* every peer there was is gone (EPOLLHUP) */

/**
 * struct shmring_ioc_create - argument of SHMRING_IOC_CREATE
 * @size: sizeof(struct shmring_ioc_create)
 * @flags: SHMRING_CREATE_*
 * @topology: SHMRING_TOPO_*
 * @role: SHMRING_ROLE_* of the endpoint that this file becomes
 * @data_size: in: wanted bytes of a lane, at least 1; out: what it became (next power
 *	of two, at least a page); all lanes together at most SHMRING_DATA_MAX
 * @full_policy: SHMRING_FULL_*
 * @slots: RAW: how many endpoints at once, 1 to SHMRING_SLOTS_MAX, 0 for 16;
 *	otherwise 0, or the sum of @producers and @consumers
 * @producers: how many producers at once; 0 for the default: 8, of an SPSC ring 1
 * @consumers: how many consumers at once; 0 for the default: 8, of SPSC and MPSC 1;
 *	together with @producers at most SHMRING_SLOTS_MAX
 * @mode: permission bits of the ring, 0 to 0777 (read: consume, write: produce);
 *	the owner is the caller's fsuid and fsgid
 * @placement: SHMRING_PLACE_* of DATA
 * @node: its NUMA node, or -1
 * @cursor_placement: SHMRING_PLACE_* of this endpoint's CURSOR page
 * @cursor_node: its NUMA node, or -1
 * @resv: zero
 * @ring_id: out: the ring's identity, not used again while the module is loaded
 * @name: empty (starts with NUL), or letters, digits and "._-", not starting
 *	with a dot; unique within the caller's IPC namespace
 *
 * The endpoint made by CREATE may pass on every right to the ring.
 */
struct shmring_ioc_create {
	__u32 size;
	__u32 flags;
	__u32 topology;
	__u32 role;
	__aligned_u64 data_size;
	__u32 full_policy;
	__u32 slots;
	__u32 producers;
	__u32 consumers;
	__u32 mode;
	__u32 placement;
	__s32 node;
	__u32 cursor_placement;
	__s32 cursor_node;
	__u32 resv;
	__aligned_u64 ring_id;
	__u8 name[SHMRING_NAME_MAX];
};

/* @fd names the ring, @name is empty. Without it @name does, and @fd is -1. */
#define SHMRING_ATTACH_FD	0x1

/**
 * struct shmring_ioc_attach - argument of SHMRING_IOC_ATTACH
 * @size: sizeof(struct shmring_ioc_attach)
 * @flags: SHMRING_ATTACH_*
 * @role: SHMRING_ROLE_*
 * @fd: an endpoint of the ring, or -1
 * @cursor_placement: SHMRING_PLACE_* of this endpoint's CURSOR page
 * @cursor_node: its NUMA node, or -1
 * @ring_id: out: the ring's identity
 * @name: the ring's name, or empty
 *
 * By name, the ring's owner and mode decide; CAP_IPC_OWNER overrides them. By fd,
 * the rights of that endpoint decide and are inherited.
 */
struct shmring_ioc_attach {
	__u32 size;
	__u32 flags;
	__u32 role;
	__s32 fd;
	__u32 cursor_placement;
	__s32 cursor_node;
	__aligned_u64 ring_id;
	__u8 name[SHMRING_NAME_MAX];
};

/**
 * struct shmring_ioc_info - argument of SHMRING_IOC_INFO and SHMRING_IOC_LIST
 * @size: sizeof(struct shmring_ioc_info)
 * @flags: out: SHMRING_CREATE_* of the ring
 * @ring_id: out; LIST: also in: the last identity seen, 0 to begin
 * @topology: out: SHMRING_TOPO_*
 * @full_policy: out: SHMRING_FULL_*
 * @role: out: role of this endpoint; 0 from LIST
 * @slot: out: slot of this endpoint, SHMRING_NO_SLOT where it has none
 * @slots: out: number of slots
 * @producers: out: how many of them are producers' (and lanes); 0 for RAW
 * @consumers: out: how many are consumers'; 0 for RAW
 * @slots_live: out: slots held by live endpoints
 * @observers: out: number of live observers
 * @rights: out: what this endpoint may pass on (bits as in a mode: 4 read, 2
 *	write); from LIST what the caller would get
 * @control_size: out: bytes of CONTROL (META, all CURSOR pages, SHARED), at offset 0
 * @cursor_offset: out: offset of the CURSOR page of slot 0
 * @cursor_stride: out: distance between CURSOR pages (the page size)
 * @shared_offset: out: offset of SHARED, one page; 0 where the ring has none
 * @data_offset: out: offset of DATA, the first lane
 * @data_size: out: bytes of a lane; of DATA where there are no lanes
 * @max_record: out: largest payload of a record; 0 where there are no records
 * @data_page_size: out: bytes of the pages that DATA was made of (the smallest, if
 *	several)
 * @placement: out: SHMRING_PLACE_* that was asked for DATA
 * @data_node: out: the NUMA node of DATA, -1 where it is on several
 * @cursor_node: out: the NUMA node of this endpoint's CURSOR page, -1 without one
 * @meta_node: out: the NUMA node of META
 * @mode: out: permission bits
 * @uid: out: owner, as seen from the caller's user namespace
 * @gid: out: group, likewise
 * @resv: zero
 * @produced: out: bytes ever published, headers included
 * @consumed: out: bytes ever released, headers included; of a BROADCAST ring by the
 *	slowest live consumer; of an OVERWRITE ring at least what was overwritten
 * @lost: out: records lost, by all endpoints that the slots ever had
 * @name: out: the ring's name, empty where it has none
 */
struct shmring_ioc_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 ring_id;
	__u32 topology;
	__u32 full_policy;
	__u32 role;
	__u32 slot;
	__u32 slots;
	__u32 producers;
	__u32 consumers;
	__u32 slots_live;
	__u32 observers;
	__u32 rights;
	__aligned_u64 control_size;
	__aligned_u64 cursor_offset;
	__aligned_u64 cursor_stride;
	__aligned_u64 shared_offset;
	__aligned_u64 data_offset;
	__aligned_u64 data_size;
	__aligned_u64 max_record;
	__aligned_u64 data_page_size;
	__u32 placement;
	__s32 data_node;
	__s32 cursor_node;
	__s32 meta_node;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 resv;
	__aligned_u64 produced;
	__aligned_u64 consumed;
	__aligned_u64 lost;
	__u8 name[SHMRING_NAME_MAX];
};

/**
 * struct shmring_ioc_eventfd - argument of SHMRING_IOC_EVENTFD
 * @size: sizeof(struct shmring_ioc_eventfd)
 * @flags: zero
 * @events: SHMRING_EV_*, at least one
 * @fd: the eventfd(2) to signal from now on in place of any earlier one, or -1
 *	for none
 *
 * The eventfd is a hint, never a count. It is signalled at once if an event holds
 * already. After a signal the endpoint asks for the next one by arming itself:
 * see &struct shmring_cursor.
 */
struct shmring_ioc_eventfd {
	__u32 size;
	__u32 flags;
	__u32 events;
	__s32 fd;
};

#define SHMRING_DEADLINE_NOW	0ULL
#define SHMRING_DEADLINE_NEVER	(~0ULL)

/**
 * struct shmring_ioc_wait - argument of SHMRING_IOC_WAIT
 * @size: sizeof(struct shmring_ioc_wait)
 * @flags: zero
 * @events: SHMRING_EV_* to wait for, at least one
 * @revents: out: those that hold
 * @need: IN: bytes of records to be readable; OUT: bytes of a record, header
 *	included, to fit; 0: one record, for OUT of the size that @want in this
 *	endpoint's CURSOR page tells
 * @need_records: IN: records to be readable, by the counts that producers tell; with @need as
 *	well, either is enough; 0: not asked for
 * @deadline: absolute CLOCK_MONOTONIC time in ns, of the caller's time namespace, or
 *	SHMRING_DEADLINE_*
 *
 * What is left in the ring is told before the peer's end is.
 */
struct shmring_ioc_wait {
	__u32 size;
	__u32 flags;
	__u32 events;
	__u32 revents;
	__aligned_u64 need;
	__aligned_u64 need_records;
	__aligned_u64 deadline;
};

#define SHMRING_ADOPT_TAKE	1
#define SHMRING_ADOPT_DONE	2

/**
 * struct shmring_ioc_adopt - argument of SHMRING_IOC_ADOPT
 * @size: sizeof(struct shmring_ioc_adopt)
 * @op: SHMRING_ADOPT_*
 * @slot: DONE: what TAKE told; TAKE: out: the caller's own
 * @lane: TAKE: out: where they are
 * @pos: TAKE: out: from here
 * @end: TAKE: out: to here
 *
 * Consumers of a QUEUE: TAKE makes the caller the one who reads what a dead consumer
 * had claimed and not released (ENOENT: there is nothing), DONE says that it did, or that
 * its hold has them now. Until then TAKE tells the same again. Of a caller that dies in
 * between somebody else inherits. Who attaches to a slot that left something has taken it:
 * ask before the first claim.
 */
struct shmring_ioc_adopt {
	__u32 size;
	__u32 op;
	__u32 slot;
	__u32 lane;
	__aligned_u64 pos;
	__aligned_u64 end;
};

/*
 * The type is in no other driver's range; the size travels in the struct.
 * KICK takes no argument (0): it wakes every sleeper whose event holds.
 */
#define SHMRING_IOC_TYPE	0xBB
#define SHMRING_IOC_CREATE	_IO(SHMRING_IOC_TYPE, 0x40)
#define SHMRING_IOC_ATTACH	_IO(SHMRING_IOC_TYPE, 0x41)
#define SHMRING_IOC_INFO	_IO(SHMRING_IOC_TYPE, 0x42)
#define SHMRING_IOC_LIST	_IO(SHMRING_IOC_TYPE, 0x43)
#define SHMRING_IOC_EVENTFD	_IO(SHMRING_IOC_TYPE, 0x44)
#define SHMRING_IOC_KICK	_IO(SHMRING_IOC_TYPE, 0x45)
#define SHMRING_IOC_WAIT	_IO(SHMRING_IOC_TYPE, 0x46)
#define SHMRING_IOC_ADOPT	_IO(SHMRING_IOC_TYPE, 0x47)

/**
 * DOC: io_uring
 *
 * IORING_OP_URING_CMD on a file of /dev/shmring takes these in cmd_op, and 16 bytes in
 * sqe->cmd; what an SQE of 128 bytes has besides is not looked at.
 *
 * WAIT: as SHMRING_IOC_WAIT, with &struct shmring_uring_wait; the result is the events
 *	that hold, or an error. ECANCELED: by CANCEL, by IORING_OP_ASYNC_CANCEL, or
 *	because the task or its io_uring ends.
 * KICK: as SHMRING_IOC_KICK; the 16 bytes are zero.
 * CANCEL: ends every WAIT of this file; the 16 bytes are zero; the result is how many
 *	there were.
 *
 * A request holds its file: until its WAITs have ended a closed endpoint lives.
 *
 * Before Linux 6.7 a WAIT sleeps in a kernel thread of io_uring, one for each: there
 * IORING_OP_ASYNC_CANCEL ends it, and CANCEL is EOPNOTSUPP. Since then it takes no thread,
 * and ASYNC_CANCEL does not find it.
 */
#define SHMRING_URING_WAIT	_IO(SHMRING_IOC_TYPE, 0x60)
#define SHMRING_URING_KICK	_IO(SHMRING_IOC_TYPE, 0x61)
#define SHMRING_URING_CANCEL	_IO(SHMRING_IOC_TYPE, 0x62)

/* @need counts records, not bytes. */
#define SHMRING_URING_RECORDS	0x1

/**
 * struct shmring_uring_wait - payload of SHMRING_URING_WAIT
 * @deadline: as in &struct shmring_ioc_wait
 * @need: as its need, with SHMRING_URING_RECORDS as its need_records
 * @events: SHMRING_EV_* to wait for, at least one
 * @flags: SHMRING_URING_*
 */
struct shmring_uring_wait {
	__aligned_u64 deadline;
	__u32 need;
	__u16 events;
	__u16 flags;
};

/*
 * The mapped file
 * ===============
 *
 *   0             META     one page        the kernel writes, all read
 *   cursor_offset CURSOR   a page a slot   its endpoint writes, all read
 *   shared_offset SHARED   one page        all of one role write, all read; MPSC and
 *                                          BROADCAST: producers; QUEUE: consumers
 *   data_offset   DATA     lanes           each producer writes its own, all who may read
 *                                          the ring read
 *
 * These mappings are granted, each exactly, MAP_SHARED, without PROT_EXEC: CONTROL
 * (everything before DATA, offset 0, control_size bytes) read-only; one CURSOR page,
 * read-write if it is the endpoint's own; SHARED, read-write for the role that writes
 * it; one lane (data_size bytes at data_offset + lane * data_size), read-write for its
 * producer, which has no other lane if its rights lack read; DATA of a RAW ring,
 * read-write for producers. Anything else: EINVAL for a wrong range, EACCES for a right
 * that is not there. A lane may be mapped any number of times, so that two mappings in a
 * row make every record contiguous.
 *
 * (k) kernel writes   (u) the endpoint that owns the page writes   (s) shared: all of
 * a role write. On the module-free backend the library writes what (k) writes here.
 */

/* state of a slot */
#define SHMRING_SLOT_VACANT	0	/* never attached */
#define SHMRING_SLOT_LIVE	1
#define SHMRING_SLOT_CLOSED	2	/* closed in order */
#define SHMRING_SLOT_DEAD	3	/* gone without closing */

/**
 * struct shmring_slot - what META says of one slot
 * @state: (k) SHMRING_SLOT_*
 * @role: (k) SHMRING_ROLE_* of the present or last endpoint
 * @generation: (k) how many endpoints this slot has had
 * @pid: (k) process that attached, in its own PID namespace; module-free backend
 *	only, for people to read, never for decisions
 */
struct shmring_slot {
	__u32 state;
	__u32 role;
	__u32 generation;
	__u32 pid;
};

/* state of an orphan */
#define SHMRING_ORPHAN_NONE	0
#define SHMRING_ORPHAN_WAITING	1	/* nobody has it yet */
#define SHMRING_ORPHAN_TAKEN	2	/* the slot's consumer reads it */

/**
 * struct shmring_orphan - what a dead consumer had claimed in a QUEUE; in the entry of its
 *	slot, or of the consumer that has taken it over
 * @state: (k) SHMRING_ORPHAN_*, written last
 * @lane: (k)
 * @pos: (k) from here
 * @end: (k) to here
 * @resv: zero
 */
struct shmring_orphan {
	__u32 state;
	__u32 lane;
	__aligned_u64 pos;
	__aligned_u64 end;
	__aligned_u64 resv;
};

/**
 * struct shmring_witness - what the kernel saw of all endpoints that a slot ever had
 * @waits: (k) times one slept in WAIT
 * @wakes: (k) times one was woken, or its eventfd signalled
 * @spurious: (k) times one was woken in WAIT and did not find what it waited for
 * @kicks: (k) KICK calls
 * @kicks_idle: (k) KICK calls that woke nobody
 * @resv: zero
 *
 * Off the data path's lines, and written only where the kernel is called anyway. What an
 * endpoint tells of itself is in its CURSOR page.
 */
struct shmring_witness {
	__aligned_u64 waits;
	__aligned_u64 wakes;
	__aligned_u64 spurious;
	__aligned_u64 kicks;
	__aligned_u64 kicks_idle;
	__aligned_u64 resv;
};

/* features */
#define SHMRING_FEATURE_UNFENCED	0x1	/* the kernel makes up for an endpoint's unfenced */

/**
 * struct shmring_meta - the META page
 * @magic: (k) SHMRING_MAGIC, written last
 * @abi: (k) SHMRING_ABI
 * @ring_id: (k)
 * @data_size: (k)
 * @data_offset: (k)
 * @cursor_offset: (k)
 * @cursor_stride: (k)
 * @flags: (k) SHMRING_CREATE_*
 * @topology: (k)
 * @full_policy: (k)
 * @slots: (k)
 * @producers: (k)
 * @consumers: (k)
 * @shared_offset: (k)
 * @features: (k) SHMRING_FEATURE_*
 * @wake_due: (k) module-free backend only: somebody came or went, and not all were woken yet
 * @resv: zero
 * @slot: (k)
 * @rx_state: (k) consumers of MPSC, QUEUE and BROADCAST: a bit for each slot that is
 *	armed, and in the upper half how often a consumer came or went
 * @tx_state: (k) the same of producers
 * @orphans: (k) a bit for each @orphan that is waiting
 * @orphan: (k) by slot
 * @witness: (k) by slot
 * @begin: (k) by slot: where the predecessor of a lane's present producer told to have ended,
 *	so where that one began; of MPSC and BROADCAST rings. Written before the slot's generation
 * @resv3: zero
 */
struct shmring_meta {
	__u32 magic;
	__u32 abi;
	__aligned_u64 ring_id;
	__aligned_u64 data_size;
	__aligned_u64 data_offset;
	__aligned_u64 cursor_offset;
	__aligned_u64 cursor_stride;
	__u32 flags;
	__u32 topology;
	__u32 full_policy;
	__u32 slots;
	__u32 producers;
	__u32 consumers;
	__aligned_u64 shared_offset;
	__u32 features;
	__u32 wake_due;
	__aligned_u64 resv[21];
	struct shmring_slot slot[SHMRING_SLOTS_MAX];

	__aligned_u64 rx_state;
	__aligned_u64 resv1[15];

	__aligned_u64 tx_state;
	__aligned_u64 orphans;
	__aligned_u64 resv2[14];

	struct shmring_orphan orphan[SHMRING_SLOTS_MAX];
	struct shmring_witness witness[SHMRING_SLOTS_MAX];
	__aligned_u64 begin[SHMRING_SLOTS_MAX];
	__aligned_u64 resv3[32];
};

/* values of armed */
#define SHMRING_ARMED_NO	0	/* awake: publish and go on */
#define SHMRING_ARMED_YES	1	/* asleep or about to: kick when wake_at is reached */
#define SHMRING_ARMED_GONE	2	/* closed or dead: look at META */

#define SHMRING_MARKS		8

/**
 * struct shmring_mark - the beginning of a record that a lapped consumer can go on from
 * @pos: (u) where; SHMRING_MARK_NONE while it is being written
 * @records: (u) how many records were published before it
 */
struct shmring_mark {
	__aligned_u64 pos;
	__aligned_u64 records;
};

#define SHMRING_MARK_NONE	(~0ULL)

/**
 * struct shmring_lane_pos - how far a consumer is in one lane
 * @pos: (u) end of what is released; SHMRING_POS_JOINING: not known yet
 * @tally: (u) as in &struct shmring_cursor, of this lane
 * @left: (u, k) also of a QUEUE: the header word at @left_at is no record, and is not waited
 *	for: that word, and in the upper half the generation of the lane's producer; 0: none.
 *	While nothing of it has changed the lane has no records for IN
 * @left_at: (u) the lane's position, of a QUEUE its front, when that was found
 * @left_limit: (u) of an OVERWRITE ring the producer's limit before that: with another the lane
 *	is to be looked into
 * @resv: zero
 */
struct shmring_lane_pos {
	__aligned_u64 pos;
	__aligned_u64 tally[2];
	__aligned_u64 left;
	__aligned_u64 left_at;
	__aligned_u64 left_limit;
	__aligned_u64 resv[2];
};

#define SHMRING_POS_JOINING	(~0ULL)

#define SHMRING_FENCED		0
#define SHMRING_UNFENCED	1
#define SHMRING_FENCES_NEEDED	2	/* it cannot call membarrier(2): its peer shall fence */

/*
 * A position is a multiple of 8: shifted left by 3 it leaves six bits. In @hold: the
 * lane, and that it is valid. In &struct shmring_shared: who took what is before it.
 */
#define SHMRING_TAG_SHIFT	3
#define SHMRING_TAG_MASK	0x3fULL
#define SHMRING_HOLD_VALID	0x20ULL

/**
 * struct shmring_cursor - a CURSOR page, one block of 128 bytes or more per use
 * @pos: (u) producer: end of what is published; consumer of an SPSC ring: end of
 *	what is released; bytes since the ring was made, never wraps
 * @armed: (u, k) SHMRING_ARMED_*: does a peer that publishes have to KICK
 * @wake_at: (u, k) valid while armed. SPSC, and OUT: the peer's position from which on
 *	it has to. IN otherwise: bytes in any one lane from which on
 * @wake_records: (u, k) likewise in records; SPSC: the producer's @records from which
 *	on. SHMRING_WAKE_NEVER: not asked for
 * @want: (u) producer: bytes of the record that its last failed reservation was
 *	for, header included; EPOLLOUT means that such a record fits. What else a
 *	record needs (room for the next header) the kernel adds itself
 * @closed: (u, k) the process (getpid(2)) that is about to close in order; of several that
 *	share the endpoint only the last one's word counts: others' is zeroed when it leaves
 * @unfenced: (u) SHMRING_FENCED, ...: does it publish or release without a full barrier?
 *	Of rings that have SHMRING_FEATURE_UNFENCED
 * @records: (u) records published or released
 * @stalls: (u) times the ring was found full (producer) or empty (consumer)
 * @sleeps: (u) times the endpoint slept
 * @kicks: (u) times the endpoint had to KICK
 * @lost: (u) producer: records not taken by a full lane; consumer: records that were
 *	overwritten before it had read them
 * @high: (u) producer: most bytes that its lane was seen to hold, each time it looked how
 *	far the consumers are: at least once a lap, and whenever it found the lane full. Not
 *	kept where the oldest are overwritten
 * @tally: (u, k) the count that belongs to the last two positions (of a QUEUE's consumer:
 *	holds), so that a count can be corrected that its owner was killed in the middle of:
 *	shmring/tally.h. A consumer of MPSC or BROADCAST notes it by lane, and here says 1
 *	once it does
 * @limit: (u) producer of a BROADCAST ring: nothing was or will be written at or after
 *	it; what is more than data_size before it may be overwritten
 * @mark: (u) producer of an OVERWRITE ring
 * @hold: (u) consumer of a QUEUE: the position from which on it is reading, tagged
 *	with the lane and SHMRING_HOLD_VALID; 0: it holds nothing
 * @hold_end: (u) where that ends; written before @hold
 * @lane: (u) consumer of an MPSC or BROADCAST ring: positions by lane; of a QUEUE what it
 *	leaves out
 *
 * To arm: write wake_at, then armed, full barrier, look at the peer's position
 * once more, sleep only if it has not moved. To publish: write the position, full
 * barrier (none on a SPIN ring, and none while @unfenced: then who arms has the kernel make
 * up for it, by poll(2); on the module-free backend by membarrier(2)), read armed.
 * Whoever clears armed wakes the endpoint after it. With more than two endpoints the bits
 * in META stand for the armed of all.
 */
struct shmring_cursor {
	__aligned_u64 pos;
	__aligned_u64 resv0[15];

	__u32 armed;
	__u32 resv1;
	__aligned_u64 wake_at;
	__aligned_u64 wake_records;
	__aligned_u64 resv2[13];

	__aligned_u64 want;
	__u32 closed;
	__u32 unfenced;
	__aligned_u64 resv4[14];

	__aligned_u64 records;
	__aligned_u64 stalls;
	__aligned_u64 sleeps;
	__aligned_u64 kicks;
	__aligned_u64 lost;
	__aligned_u64 high;
	__aligned_u64 tally[2];
	__aligned_u64 resv5[8];

	__aligned_u64 limit;
	__aligned_u64 resv6[15];
	struct shmring_mark mark[SHMRING_MARKS];

	__aligned_u64 hold;
	__aligned_u64 hold_end;
	__aligned_u64 resv7[14];

	__aligned_u64 resv8[144];
	struct shmring_lane_pos lane[SHMRING_SLOTS_MAX];
};

#define SHMRING_WAKE_NEVER	(~0ULL)

/**
 * struct shmring_shared_head - the front of one lane of a QUEUE
 * @claim: (s) end of what consumers have claimed, tagged with the slot of the one that
 *	claimed last, plus one
 * @resv: zero
 */
struct shmring_shared_head {
	__aligned_u64 claim;
	__aligned_u64 resv[7];
};

/**
 * struct shmring_shared - the SHARED page
 * @tickets: (s) MPSC, BROADCAST: how many publications there were; each takes the next
 *	number
 * @head: (s) QUEUE: by lane
 * @proof: (s) QUEUE: by lane * consumers + consumer: end of the last claim of this
 *	consumer in this lane that another one has gone past
 */
struct shmring_shared {
	__extension__ union {
		__aligned_u64 tickets;
		struct shmring_shared_head head[SHMRING_SLOTS_MAX];
	};
	__aligned_u64 proof[SHMRING_SLOTS_MAX * SHMRING_SLOTS_MAX / 4];
};

/**
 * struct shmring_record - header of a record in DATA; the payload follows
 * @word: 0: not there yet; else SHMRING_REC_READY | payload length
 * @aux: MPSC, BROADCAST: the ticket of the publication, modulo 2^32; otherwise zero
 *
 * Records start at multiples of SHMRING_REC_ALIGN and may run over the end of
 * DATA into its beginning.
 */
struct shmring_record {
	__u32 word;
	__u32 aux;
};

#define SHMRING_REC_ALIGN	8
#define SHMRING_REC_READY	0x80000000u
/* MPSC, BROADCAST: of one publication with the record before it; no ticket. */
#define SHMRING_REC_CHAIN	0x40000000u
#define SHMRING_REC_LEN		0x3fffffffu

#endif /* _UAPI_LINUX_SHMRING_H */
