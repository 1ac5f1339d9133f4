/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How tests drive shmring_test.ko, a module that uses the kernel's API: a file of
 * /dev/shmring_test is one user of it, with at most one ring, producer, lanes, consumer.
 * Only the module and the tests speak this; it is no ABI.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum kt_context {
	KT_TASK,
	KT_SOFTIRQ,
	KT_HARDIRQ,
	KT_TRACEPOINT,	/* sched_switch */
	KT_NMI,
	KT_CONTEXTS
};

/* What a record begins with; the rest is the low byte of seq. */
struct kt_record {
	__u64 seq;		/* counted for each context, from 1, also when it is refused */
	__u32 context;
	__u32 cpu;
};

/**
 * struct kt_produce - KT_PRODUCE: write records
 * @context: from where
 * @len: payload bytes
 * @count: how many
 * @reserve: by reserve and commit, not write
 * @batch: TASK: so many with each call
 * @written: out
 * @busy: out: refused with EBUSY
 * @full: out: refused with ENOBUFS
 * @again: out: refused with EAGAIN
 * @gone: out: refused with EPIPE or EOWNERDEAD
 * @other: out: refused with anything else
 * @err: out: the last refusal
 */
struct kt_produce {
	__u32 context;
	__u32 len;
	__u64 count;
	__u32 reserve;
	__u32 batch;
	__s32 err;
	__u32 resv;
	__u64 written;
	__u64 busy;
	__u64 full;
	__u64 again;
	__u64 gone;
	__u64 other;
};

/* KT_CONSUMER */
#define KT_CALLED	0x1	/* with record(), which counts */
#define KT_COPY		0x2
#define KT_ECHO		0x4	/* record() answers with the payload: KT_ANSWER first */

/* KT_RECORD: what record() does from now on */
#define KT_TAKE		0
#define KT_REFUSE	1	/* not now; TAKE resumes */
#define KT_BLOCK	2	/* sleeps in the next call until TAKE */
#define KT_BLOCK_EVENT	3	/* takes; event() sleeps in the next call until TAKE */

struct kt_consumer {
	__u32 flags;
	__u32 budget;
};

/**
 * struct kt_counts - KT_COUNTS
 * @calls: of record(), which it took
 * @refused: of record(), which it did not
 * @bytes: payload of those
 * @bad: records that were not what KT_PRODUCE, or a test, writes
 * @events: calls of event()
 * @last_event: the errno
 * @blocked: a call of record() or event() is blocked now
 */
struct kt_counts {
	__u64 calls;
	__u64 refused;
	__u64 bytes;
	__u64 bad;
	__u32 events;
	__s32 last_event;
	__u32 blocked;
	__u32 resv;
};

/**
 * struct kt_read - KT_READ: shmring_read() or peek and release
 * @buf: where to
 * @cap: its bytes
 * @deadline: wait until then first, unless 0
 * @peek: how
 */
struct kt_read {
	__u64 buf;
	__u64 cap;
	__u64 deadline;
	__u32 peek;
	__u32 resv;
};

/* KT_IO: one call of the kernel's API, with what the program says */
enum kt_op {
	KT_WRITE,	/* the first record, copied */
	KT_BATCH,
	KT_RESERVE_LEN,	/* room for the first one */
	KT_COMMIT_LEN,	/* the first one, into that room */
	KT_PEEK,	/* into @buf; returns payload bytes */
	KT_RELEASE,
	KT_WAIT_IN,	/* until now */
	KT_WAIT_OUT,	/* likewise, for the first record */
	KT_OPS
};

#define KT_IO_MOST	8

/**
 * struct kt_io - KT_IO
 * @buf: payloads, one after the other
 * @op: KT_WRITE, ...
 * @count: BATCH: how many
 * @len: payload bytes of each; PEEK: room in @buf
 */
struct kt_io {
	__u64 buf;
	__u32 op;
	__u32 count;
	__u32 len[KT_IO_MOST];
};

#define KT_TYPE		0xBC
#define KT_CREATE	_IO(KT_TYPE, 1)		/* struct shmring_ioc_create * */
#define KT_GET		_IO(KT_TYPE, 2)		/* fd */
#define KT_PUT		_IO(KT_TYPE, 3)
#define KT_FILE		_IO(KT_TYPE, 4)		/* role; returns a descriptor */
#define KT_INFO		_IO(KT_TYPE, 5)		/* struct shmring_ioc_info * */
#define KT_PRODUCER	_IO(KT_TYPE, 6)
#define KT_LANES	_IO(KT_TYPE, 7)		/* depth */
#define KT_CONSUMER	_IO(KT_TYPE, 8)		/* struct kt_consumer * */
#define KT_DETACH_TX	_IO(KT_TYPE, 9)
#define KT_DETACH_RX	_IO(KT_TYPE, 10)
#define KT_PRODUCE	_IO(KT_TYPE, 11)	/* struct kt_produce * */
#define KT_NEST		_IO(KT_TYPE, 12)	/* reserve, be interrupted by a writer, commit */
#define KT_LOST		_IO(KT_TYPE, 13)	/* __u64 * */
#define KT_READ		_IO(KT_TYPE, 14)	/* struct kt_read *; returns payload bytes */
#define KT_RECORD	_IO(KT_TYPE, 15)	/* KT_TAKE, KT_REFUSE, KT_BLOCK */
#define KT_COUNTS	_IO(KT_TYPE, 16)	/* struct kt_counts * */
#define KT_TX_WAIT	_IO(KT_TYPE, 17)	/* payload bytes: until they fit */
#define KT_ANSWER	_IO(KT_TYPE, 18)	/* another file: become producer of its ring */
#define KT_TRACE	_IO(KT_TYPE, 19)	/* write this caller's system calls of a number */
#define KT_RESERVE	_IO(KT_TYPE, 20)	/* a record, which stays reserved until */
#define KT_COMMIT	_IO(KT_TYPE, 21)
#define KT_DISCARD	_IO(KT_TYPE, 22)	/* or until then */
#define KT_IO		_IO(KT_TYPE, 23)	/* struct kt_io * */

#endif /* KERNEL_TEST_H */
