/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * libshmring - message rings in NUMA-local shared memory
 *
 * A ring belongs to the kernel (backend "device", /dev/shmring) or to a file of
 * shared memory (backend "memfd", needs no module). Both behave the same here,
 * but for what only the kernel can give: README says what that is.
 *
 * A handle is one endpoint of a ring in one role. Every function returns 0 (or
 * what it says) on success and a negative errno on failure; shmring_strerror()
 * makes a sentence of it. The library prints nothing, keeps no global state,
 * installs no signal handler, and starts no thread but the one that
 * shmring_pollfd() and shmring_set_eventfd() document for the memfd backend.
 *
 * Threads: one thread at a time per handle; different handles are independent.
 * A producer handle and a consumer handle of one ring may be used by two threads.
 * Fork: parent and child share the endpoint; one of them at a time may use it.
 * Signals: no function is async-signal-safe unless it says so.
 *
 * Deadlines are absolute CLOCK_MONOTONIC times in nanoseconds. SHMRING_NOWAIT
 * never waits (-EAGAIN); SHMRING_FOREVER waits until it is done, a signal
 * handler ran while it slept (-EINTR), or the peer is gone (-EPIPE, -EOWNERDEAD).
 * Who only spins (SHMRING_CREATE_SPIN, SHMRING_SPIN_ALWAYS) is not interrupted.
 *
 * Of several peers the end is told when all are gone: -EOWNERDEAD if the last
 * endpoint of any of their slots died, else -EPIPE. It is told at once, each time,
 * until another one has come; nothing signals that. A producer of a BROADCAST ring
 * goes on alone.
 *
 * Functions marked "fast path" are inline here and exported from the library
 * under the same name, for other languages.
 */
#ifndef SHMRING_H
#define SHMRING_H

#include <stdint.h>
#include <sys/uio.h>

/* The core asks for it; of the C libraries musl has it not. */
#ifndef __always_inline
#define __always_inline	inline __attribute__((__always_inline__))
#endif

#include <linux/shmring.h>
#include <shmring/group.h>
#include <shmring/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMRING_NOWAIT		SHMRING_DEADLINE_NOW
#define SHMRING_FOREVER		SHMRING_DEADLINE_NEVER

#define SHMRING_BACKEND_AUTO	0	/* the device where it can be opened, else memfd */
#define SHMRING_BACKEND_DEVICE	1
#define SHMRING_BACKEND_MEMFD	2

#define SHMRING_SPIN_AUTO	0	/* some microseconds, none where both share a CPU */
#define SHMRING_SPIN_NEVER	(-1)	/* sleep at once */
#define SHMRING_SPIN_ALWAYS	(-2)	/* never sleep in send and receive calls */

#define SHMRING_CLAIM_MOST	16	/* opts.claim_max */

/**
 * struct shmring_opts - how to make a ring or join one; zero means the default
 * @size: sizeof(struct shmring_opts), always
 * @backend: SHMRING_BACKEND_*
 * @flags: SHMRING_CREATE_* (create only)
 * @data_size: bytes of a lane (each producer has one), rounded up to a power of two;
 *	default 1 MiB, of rings for several producers 128 KiB
 * @topology: SHMRING_TOPO_*; default SPSC
 * @full_policy: SHMRING_FULL_*
 * @slots: RAW: endpoints at once; default 16
 * @producers: how many at once; default 8, of an SPSC ring 1
 * @consumers: how many at once; default 8, of SPSC and MPSC rings 1
 * @mode: permission bits; default 0600. Device: read to consume and observe, write to
 *	produce; memfd: both for either side, read to observe
 * @placement: SHMRING_PLACE_* of DATA; default LOCAL
 * @node: NUMA node of DATA for STRICT and PREFERRED; else 0 or -1
 * @cursor_placement: SHMRING_PLACE_* of this endpoint's CURSOR page
 * @cursor_node: its node for STRICT and PREFERRED; else 0 or -1
 * @spin_ns: how long blocking calls spin before they sleep, or SHMRING_SPIN_*
 * @claim_max: consumer of a QUEUE: most records that it claims at once, 1 to
 *	SHMRING_CLAIM_MOST, which is the default. Where there is plenty, one that takes
 *	records one by one and quickly claims more than it is given, and keeps them from all
 *	others until it has received them: 1 where some can take long. A batch claims what it
 *	asks for, if that is more
 * @resv: zero
 */
struct shmring_opts {
	size_t size;
	uint32_t backend;
	uint32_t flags;
	uint64_t data_size;
	uint32_t topology;
	uint32_t full_policy;
	uint32_t slots;
	uint32_t mode;
	uint32_t placement;
	int32_t node;
	uint32_t cursor_placement;
	int32_t cursor_node;
	int64_t spin_ns;
	uint32_t producers;
	uint32_t consumers;
	uint32_t claim_max;
	uint32_t resv;
};

/**
 * struct shmring_stats - what the endpoints of one slot have done
 * @size: sizeof(struct shmring_stats), set by the caller
 * @state: SHMRING_SLOT_*
 * @role: SHMRING_ROLE_*
 * @bytes: bytes published or released, headers included
 * @records: records published or released
 * @stalls: times the ring was found full (producer) or empty (consumer)
 * @sleeps: times it slept
 * @kicks: times it had to wake the other side with a system call
 * @lost: producer: records that a full ring did not take; consumer: records that were
 *	overwritten before it had read them
 * @pid: process that attached; 0 where the backend does not tell
 * @high: producer: most bytes that its lane was seen to hold: exact where it was ever full,
 *	otherwise at least this. 0 where the oldest are overwritten
 * @waits: times it slept, as whoever put it to sleep counts them: on the device the kernel
 * @wakes: times it was woken, by a peer or by a peer's end
 * @spurious: times it was woken and did not find what it waited for
 * @kicks_idle: times it went to wake somebody and there was nobody to be woken
 *
 * Endpoints tell of themselves; on the device the last four are the kernel's own. Reading
 * them disturbs nobody: see Documentation/design.rst.
 */
struct shmring_stats {
	size_t size;
	uint32_t state;
	uint32_t role;
	uint64_t bytes;
	uint64_t records;
	uint64_t stalls;
	uint64_t sleeps;
	uint64_t kicks;
	uint64_t lost;
	uint32_t pid;
	uint32_t resv;
	uint64_t high;
	uint64_t waits;
	uint64_t wakes;
	uint64_t spurious;
	uint64_t kicks_idle;
};

/*
 * A handle. Programs hold pointers to it and never look inside: the fields are
 * here for the inline functions alone. The library allocates it, with more
 * behind.
 */
struct shmring {
	struct shmring_spsc_tx tx;
	uint64_t max_record;	/* of a producer; 0 sends every reserve to the slow path */
	uint64_t reserved;	/* bytes reserved and not committed, plus one; 0: none */
	uint32_t shared;	/* there may be more than one producer and one consumer */
	uint32_t tickets;	/* publications take tickets */
	uint64_t resv[4];
	struct shmring_spsc_rx rx;
	struct shmring_group group;	/* of a producer, if @shared */
};

/* ---- making, joining, leaving ------------------------------------------- */

/**
 * shmring_create() - make a ring and become an endpoint of it
 * @name: its name, or NULL for a ring that is reached through shmring_fd() only
 * @role: SHMRING_ROLE_*
 * @opts: options, or NULL for all defaults
 * @out: the handle, to be closed with shmring_close()
 *
 * Return: 0; -EEXIST, -EPERM (memfd: another user left such a name behind), -EINVAL, -E2BIG,
 * -ERANGE, -ENXIO, -ENODEV, -EDQUOT, -ENOSPC, -ENOMEM, -EOPNOTSUPP, -ENAMETOOLONG, -ENOMEDIUM
 * (memfd, with a name: /dev/shm is no tmpfs that may be written to), or what opening the device
 * gives: -ENOENT (SHMRING_BACKEND_DEVICE, and there is none), -EACCES, ...
 */
int shmring_create(const char *name, uint32_t role, const struct shmring_opts *opts,
		   struct shmring **out);

/**
 * shmring_attach() - become an endpoint of a ring that has a name
 * @name: its name
 * @role: SHMRING_ROLE_*
 * @opts: options, or NULL; those that describe the ring are ignored
 * @out: the handle
 *
 * With SHMRING_BACKEND_AUTO the device is asked first, then the memfd backend.
 *
 * Return: 0; -ENOENT (no such ring, or no device), -EACCES, -EBUSY (the role is taken by a live
 * endpoint), -EPERM (memfd: another user left such a name behind), ...
 */
int shmring_attach(const char *name, uint32_t role, const struct shmring_opts *opts,
		   struct shmring **out);

/**
 * shmring_open() - attach to a ring, make it if there is none
 * @name: its name
 * @role: SHMRING_ROLE_*
 * @opts: options, or NULL
 * @out: the handle
 *
 * Return: 0, or as shmring_create() and shmring_attach().
 */
int shmring_open(const char *name, uint32_t role, const struct shmring_opts *opts,
		 struct shmring **out);

/**
 * shmring_attach_fd() - become an endpoint of the ring behind a descriptor
 * @fd: what shmring_fd() gave, here or in another process; it stays the caller's
 * @role: SHMRING_ROLE_*
 * @opts: options, or NULL
 * @out: the handle
 *
 * Return: 0; -EBADF, -EBADFD (not a ring), -EACCES, -EBUSY, ...
 */
int shmring_attach_fd(int fd, uint32_t role, const struct shmring_opts *opts,
		      struct shmring **out);

/**
 * shmring_close() - leave the ring in order
 * @r: handle, or NULL
 *
 * Publishes what shmring_put() held back, tells the peer, and frees the handle. No
 * other thread may be in a call on it.
 * Peers read what is left and then get -EPIPE. Of a process that dies without
 * this they get -EOWNERDEAD.
 */
void shmring_close(struct shmring *r);

/**
 * shmring_fd() - the descriptor behind a handle
 * @r: handle
 *
 * For shmring_attach_fd() in this or, passed on, another process. It belongs to
 * the handle: do not close it.
 */
int shmring_fd(const struct shmring *r);

/**
 * shmring_send_fd() - pass a ring over a UNIX socket (SCM_RIGHTS)
 * @sock: connected UNIX socket
 * @r: handle
 *
 * Return: 0, or what sendmsg(2) gives.
 */
int shmring_send_fd(int sock, const struct shmring *r);

/**
 * shmring_recv_fd() - receive what shmring_send_fd() sent
 * @sock: connected UNIX socket
 *
 * Return: a descriptor for shmring_attach_fd(), to be closed by the caller, with
 * close-on-exec set; -EPIPE if the socket was closed; -EBADMSG if something else
 * was sent; or what recvmsg(2) gives.
 */
int shmring_recv_fd(int sock);

/* ---- slow paths of the inline functions; not for use by themselves ------- */

int __shmring_reserve(struct shmring *r, size_t len, void **payload, uint64_t deadline);
int __shmring_commit(struct shmring *r, int kick);
#define __SHMRING_LONG	512	/* longer ones take the next: its time is nothing to them */
void __shmring_committed_long(struct shmring *r, size_t len);
long __shmring_peek(struct shmring *r, const void **payload, uint64_t deadline);
long __shmring_recv(struct shmring *r, void *buf, size_t cap, uint64_t deadline);
int __shmring_release(struct shmring *r, int kick);
int __shmring_send(struct shmring *r, const void *buf, size_t len, uint64_t deadline);

/*
 * What is written before stays before for the compiler as well. Most records lie in two lines, and
 * each should change hands once: with the second one written before the first is complete, or with
 * a store to elsewhere between, the CPU asks for one after the other, and a consumer that looks at
 * both while it waits takes the first one back meanwhile.
 */
#define __SHMRING_ASCEND()	__atomic_signal_fence(__ATOMIC_SEQ_CST)

typedef uint64_t __shmring_half __attribute__((vector_size(16), aligned(1), may_alias));

/* memcpy() of 8 to 16, of 16 to 32 and of 32 to 64 bytes, by parts that may overlap */
static inline void shmring_copy_16(unsigned char *t, const unsigned char *f, size_t len)
{
	uint64_t head, tail;

	memcpy(&head, f, sizeof(head));
	memcpy(&tail, f + len - sizeof(tail), sizeof(tail));
	memcpy(t, &head, sizeof(head));
	memcpy(t + len - sizeof(tail), &tail, sizeof(tail));
}

static inline void shmring_copy_32(unsigned char *t, const unsigned char *f, size_t len)
{
	const __shmring_half head = *(const __shmring_half *)f;
	const __shmring_half tail = *(const __shmring_half *)(f + len - sizeof(tail));

	*(__shmring_half *)t = head;
	__SHMRING_ASCEND();
	*(__shmring_half *)(t + len - sizeof(tail)) = tail;
}

static inline void shmring_copy_64(unsigned char *t, const unsigned char *f, size_t len)
{
	/* All are loaded first: what the compiler has no register for is stored before as well. */
	const __shmring_half a = *(const __shmring_half *)f;
	const __shmring_half b = *(const __shmring_half *)(f + 16);
	const __shmring_half c = *(const __shmring_half *)(f + (len > 48 ? 32 : 16));
	const __shmring_half d = *(const __shmring_half *)(f + len - 16);

	*(__shmring_half *)t = a;
	__SHMRING_ASCEND();
	*(__shmring_half *)(t + 16) = b;
	__SHMRING_ASCEND();
	if (len > 48)
		*(__shmring_half *)(t + 32) = c;
	__SHMRING_ASCEND();
	*(__shmring_half *)(t + len - 16) = d;
}

/* gcc would take a copy of it for a buffer of a few bytes, and warn of what is never done. */
#if defined(__GNUC__) && !defined(__clang__)
#define __SHMRING_APART	__attribute__((noinline, noclone, unused))
#else
#define __SHMRING_APART	__attribute__((noinline, unused))
#endif

/* The same for more than 64: a function, for the code would be too much at each place. */
static void __SHMRING_APART
shmring_copy_lines(unsigned char *t, const unsigned char *f, size_t len)
{
	for (; len > 64; len -= 64, t += 64, f += 64) {
		shmring_copy_64(t, f, 64);
		__SHMRING_ASCEND();
	}
	if (len > 32)
		shmring_copy_64(t, f, len);
	else if (len > 16)
		shmring_copy_32(t, f, len);
	else	/* a little of the line before once more, at most */
		shmring_copy_16(t + len - 16, f + len - 16, 16);
}

#define __SHMRING_BY_LINES	512

/*
 * memcpy() has x86 processors move long strings by an instruction that takes twenty times as long
 * on some (Zen 3) if the place to go to is so little further on in its page than the one to come
 * from. Records come by all places: three in 512 of them.
 */
static inline int shmring_copy_slow(const void *to, const void *from, size_t len)
{
	return len > __SHMRING_BY_LINES && (((uintptr_t)to - (uintptr_t)from) & 4095) - 1 < 31;
}

/*
 * memcpy() without the call for 8 to 64 bytes; the two sides do not overlap. For more
 * the library's own is at least as fast, but there.
 */
static inline void shmring_copy(void *to, const void *from, size_t len)
{
	unsigned char *t = (unsigned char *)to;
	const unsigned char *f = (const unsigned char *)from;

	if (len < 8 || len > 64) {
		if (shmring_unlikely(shmring_copy_slow(t, f, len)))
			shmring_copy_lines(t, f, len);
		else
			memcpy(t, f, len);
	} else if (len <= 16) {
		shmring_copy_16(t, f, len);
	} else if (len <= 32) {
		shmring_copy_32(t, f, len);
	} else {
		shmring_copy_64(t, f, len);
	}
}

/* The same into a ring. Of longer records the order is worth less than what memcpy() gains. */
static inline void shmring_copy_in(void *payload, const void *from, size_t len)
{
	if (len <= 64 || len > __SHMRING_BY_LINES)
		shmring_copy(payload, from, len);
	else
		shmring_copy_lines((unsigned char *)payload, (const unsigned char *)from, len);
}

/* A call would be a third of what 8 bytes cost. Define it otherwise where size matters. */
#ifndef SHMRING_INLINE
#define SHMRING_INLINE static inline __attribute__((__always_inline__))
#endif

/* ---- sending -------------------------------------------------------------- */

/**
 * shmring_reserve() - room for a record, zero-copy (fast path)
 * @r: producer
 * @len: payload bytes
 * @payload: out: where to write them
 * @deadline: how long to wait for space
 *
 * Nothing needs to be done to give a reservation up. The next shmring_reserve(),
 * shmring_send(), shmring_sendv() or shmring_send_batch() ends it, also one that fails.
 *
 * Return: 0; -EMSGSIZE (no ring of this size can take it), -EAGAIN, -ETIMEDOUT,
 * -EINTR, -EPIPE, -EOWNERDEAD, -EPROTO, -EACCES (not a producer), -EOPNOTSUPP (RAW),
 * -ENOBUFS (the lane is full and drops what is new, whatever the deadline: counted as lost).
 */
SHMRING_INLINE int shmring_reserve(struct shmring *r, size_t len, void **payload,
				   uint64_t deadline)
{
	if (shmring_likely(len <= r->max_record)) {
		*payload = shmring_spsc_reserve(&r->tx, len);
		if (shmring_likely(*payload)) {
			r->reserved = (uint64_t)len + 1;
			return 0;
		}
	}
	return __shmring_reserve(r, len, payload, deadline);
}

/**
 * shmring_put() - finish the reserved record, but do not show it yet (fast path)
 * @r: producer
 * @len: payload bytes, at most those reserved
 *
 * The records of a batch become visible together: by shmring_flush(), shmring_commit(), a
 * call that sends, shmring_drain(), shmring_close(), or what asks for space: shmring_arm(),
 * shmring_wait() and shmring_wait_for() with SHMRING_EV_OUT, and a reservation that does not
 * find it at once.
 *
 * Return: 0, or -EINVAL without a reservation that is large enough.
 */
SHMRING_INLINE int shmring_put(struct shmring *r, size_t len)
{
	if (shmring_unlikely(len >= r->reserved))
		return -EINVAL;
	shmring_spsc_put(&r->tx, len);
	__SHMRING_ASCEND();
	r->reserved = 0;
	return 0;
}

/**
 * shmring_flush() - show everything that was put (fast path)
 * @r: producer
 *
 * Return: 0.
 */
SHMRING_INLINE int shmring_flush(struct shmring *r)
{
	int kick;

	if (!r->tx.hold_word)
		return 0;
	kick = shmring_unlikely(r->shared) ?
	       shmring_lane_publish(&r->tx, &r->group, (int)r->tickets) :
	       shmring_spsc_publish(&r->tx);
	if (shmring_unlikely(kick))
		return __shmring_commit(r, kick);
	return 0;
}

/**
 * shmring_commit() - finish the reserved record and show it (fast path)
 * @r: producer
 * @len: payload bytes, at most those reserved
 *
 * Return: 0, or -EINVAL without a reservation that is large enough. That the
 * consumer is gone is told by the next reservation, not here: the record is in
 * the ring.
 */
SHMRING_INLINE int shmring_commit(struct shmring *r, size_t len)
{
	int err, kick;

	if (shmring_unlikely(r->tx.hold_word | r->shared)) {
		err = shmring_put(r, len);
		return err ? err : shmring_flush(r);
	}
	if (shmring_unlikely(len >= r->reserved))
		return -EINVAL;
	if (len <= SHMRING_AHEAD_PLACE)
		kick = shmring_spsc_commit(&r->tx, len);
	else
		kick = shmring_spsc_commit_in_place(&r->tx, len);
	if (len > __SHMRING_LONG)
		__shmring_committed_long(r, len);
	__SHMRING_ASCEND();
	r->reserved = 0;
	if (shmring_unlikely(kick))
		return __shmring_commit(r, kick);
	return 0;
}

/**
 * shmring_send() - copy a record into the ring (fast path)
 * @r: producer
 * @buf: payload
 * @len: its bytes
 * @deadline: how long to wait for space
 *
 * Return: 0, or as shmring_reserve(): then nothing was sent.
 */
SHMRING_INLINE int shmring_send(struct shmring *r, const void *buf, size_t len,
				uint64_t deadline)
{
	/* A copy: for all the compiler knows, the payload could lie over the handle. */
	struct shmring_spsc_tx tx = r->tx;
	void *payload;
	int kick;

	/* What is longer than any ring takes would overflow. */
	if (shmring_unlikely((tx.hold_word | r->shared) || len > SHMRING_REC_LEN))
		return __shmring_send(r, buf, len, deadline);
	payload = shmring_spsc_reserve(&tx, len);
	if (shmring_unlikely(!payload))
		return __shmring_send(r, buf, len, deadline);
	shmring_copy_in(payload, buf, len);
	kick = shmring_spsc_commit(&tx, len);
	r->tx.tail = tx.tail;
	r->tx.records = tx.records;
	if (shmring_unlikely(r->reserved))
		r->reserved = 0;
	if (shmring_unlikely(kick))
		return __shmring_commit(r, kick);
	return 0;
}

/**
 * shmring_sendv() - gather one record from several pieces
 * @r: producer
 * @iov: the pieces
 * @n: how many
 * @deadline: how long to wait for space
 *
 * Return: 0, or as shmring_reserve(): then nothing was sent.
 */
int shmring_sendv(struct shmring *r, const struct iovec *iov, unsigned int n,
		  uint64_t deadline);

/**
 * shmring_send_batch() - send several records, shown together where they fit
 * @r: producer
 * @msgs: a record each
 * @n: how many
 * @deadline: how long to wait for space
 *
 * Return: how many were sent, at least one; or an error if none was: as shmring_reserve(),
 * -EINVAL (@n is 0). Where a full lane drops what is new one is counted as lost only if none was
 * sent.
 */
long shmring_send_batch(struct shmring *r, const struct iovec *msgs, unsigned int n,
			uint64_t deadline);

/**
 * shmring_drain() - wait until all that was sent has been received
 * @r: producer
 * @deadline: how long
 *
 * Shows what was put, then waits until consumers have given back every record that this
 * endpoint, or an earlier one in its place, has published: of a BROADCAST ring the consumers
 * that are there. A consumer that is expected and has not come yet is waited for.
 * shmring_close() alone does not wait: with the last endpoint a ring ends, and what is in it.
 *
 * Return: 0, also if the consumer has left since; -EAGAIN (some is left, and SHMRING_NOWAIT),
 * -ETIMEDOUT, -EINTR, -EPIPE or -EOWNERDEAD (no consumer is left to receive the rest),
 * -EPROTO, -EACCES (not a producer), -EOPNOTSUPP (the oldest are overwritten: nobody waits for
 * consumers there).
 */
int shmring_drain(struct shmring *r, uint64_t deadline);

/* ---- receiving ------------------------------------------------------------ */

/**
 * shmring_peek() - look at the next record, zero-copy (fast path)
 * @r: consumer
 * @payload: out: where it is, read-only, until shmring_release()
 * @deadline: how long to wait for a record
 *
 * Peeking again without releasing shows the same record.
 *
 * Return: payload bytes; -EAGAIN, -ETIMEDOUT, -EINTR, -EPIPE or -EOWNERDEAD
 * (nothing is left and the producer is gone), -EBADMSG or -EPROTO (the producer
 * wrote nonsense), -EACCES (not a consumer), -EOPNOTSUPP (RAW).
 */
SHMRING_INLINE long shmring_peek(struct shmring *r, const void **payload, uint64_t deadline)
{
	long len;

	shmring_spsc_rewind(&r->rx);
	len = shmring_spsc_peek(&r->rx, payload);
	if (shmring_likely(len >= 0)) {
		shmring_spsc_next(&r->rx, len);
		return len;
	}
	return __shmring_peek(r, payload, deadline);
}

/**
 * shmring_release() - give back what the last peek showed (fast path)
 * @r: consumer
 *
 * Return: 0, also when there is nothing to give back; -ESTALE (OVERWRITE only): some of
 * what was peeked at was overwritten before this call and is counted as lost; none of it can
 * be trusted, nothing was given back, and the next peek begins behind it.
 */
SHMRING_INLINE int shmring_release(struct shmring *r)
{
	int kick;

	if (shmring_unlikely(!r->rx.ahead))
		return 0;
	kick = shmring_spsc_release(&r->rx);
	if (shmring_unlikely(kick))
		return __shmring_release(r, kick);
	return 0;
}

/* The largest buffer of a constant size that a record is guessed to fill. */
#define SHMRING_RECV_GUESS	4096

/**
 * shmring_recv() - copy the next record out of the ring (fast path)
 * @r: consumer
 * @buf: where to
 * @cap: bytes there
 * @deadline: how long to wait for a record
 *
 * Return: payload bytes; -EMSGSIZE if they do not fit (the record stays, and
 * shmring_peek() tells its size); or as shmring_peek(). OVERWRITE: what was overwritten
 * while it was copied is tried again: for ever, until the deadline (-ETIMEDOUT), or with
 * SHMRING_NOWAIT a few times (-EAGAIN).
 */
SHMRING_INLINE long shmring_recv(struct shmring *r, void *buf, size_t cap, uint64_t deadline)
{
	/* A copy: for all the compiler knows, the buffer could lie over the handle. */
	struct shmring_spsc_rx rx = r->rx;
	const void *payload;
	long len;
	int kick;

	/* A buffer for one kind of record, most likely. */
	if (__builtin_constant_p(cap) && cap <= SHMRING_RECV_GUESS) {
		payload = shmring_spsc_expect(&rx, cap);
		if (shmring_likely(payload)) {
			shmring_copy(buf, payload, cap);
			shmring_spsc_rewind(&rx);
			shmring_spsc_next(&rx, (long)cap);
			kick = shmring_spsc_release(&rx);
			r->rx.done = rx.done;
			r->rx.records = rx.records;
			r->rx.noted = rx.noted;
			r->rx.ahead = 0;
			if (shmring_unlikely(kick))
				__shmring_release(r, kick);
			return (long)cap;
		}
	}
	if (r->shared)
		return __shmring_recv(r, buf, cap, deadline);
	shmring_spsc_rewind(&r->rx);
	len = shmring_spsc_peek(&r->rx, &payload);
	if (shmring_unlikely(len < 0))
		return __shmring_recv(r, buf, cap, deadline);
	shmring_spsc_next(&r->rx, len);
	if (shmring_unlikely((size_t)len > cap))
		return -EMSGSIZE;
	shmring_copy(buf, payload, (size_t)len);
	shmring_release(r);
	return len;
}

/**
 * shmring_peek_batch() - look at several records at once
 * @r: consumer
 * @msgs: out: where each is
 * @n: how many at most
 * @deadline: how long to wait for the first
 *
 * shmring_release() gives all of them back.
 *
 * Return: how many, at least one; -EINVAL (@n is 0); or as shmring_peek().
 */
long shmring_peek_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline);

/**
 * shmring_recv_batch() - copy several records out of the ring
 * @r: consumer
 * @msgs: in: buffers; out: their iov_len is the payload's
 * @n: how many at most
 * @deadline: how long to wait for the first
 *
 * Stops before a record that does not fit its buffer.
 *
 * Return: how many, at least one; -EMSGSIZE if the first does not fit; -EINVAL (@n is 0);
 * or as shmring_recv().
 */
long shmring_recv_batch(struct shmring *r, struct iovec *msgs, unsigned int n,
			uint64_t deadline);

/**
 * shmring_consume() - have a function called for record after record
 * @r: consumer
 * @fn: gets the payload, which is valid until it returns; non-zero: stop after this one
 * @arg: for @fn
 * @max: how many records at most; 0: no limit
 * @deadline: how long to wait for the first
 *
 * Takes what is there, and returns when there is no more. Each record is given back
 * when @fn has returned, also the one that stopped it. On an OVERWRITE ring @fn may see
 * a record that is being overwritten: such a record is counted as lost, not as taken.
 *
 * Return: how many records were taken, at least one, or 0 if @fn stopped at one that had been
 * overwritten; -EINVAL (no @fn); or as shmring_recv(), but for -EMSGSIZE.
 */
long shmring_consume(struct shmring *r, int (*fn)(const void *payload, size_t len, void *arg),
		     void *arg, uint64_t max, uint64_t deadline);

/* ---- waiting --------------------------------------------------------------- */

/**
 * shmring_wait() - sleep until something can be done
 * @r: handle
 * @events: SHMRING_EV_*, those of its role
 * @deadline: how long
 *
 * Return: the SHMRING_EV_* that hold; -EAGAIN, -ETIMEDOUT, -EINTR, -EINVAL,
 * -EOPNOTSUPP (IN or OUT of a SPIN ring, and a deadline), -EPIPE or -EOWNERDEAD (the peer
 * is gone and PEER was not asked for: at once, each time, until another one has come).
 */
int shmring_wait(struct shmring *r, uint32_t events, uint64_t deadline);

/**
 * shmring_wait_for() - sleep until there is enough to do
 * @r: handle
 * @events: SHMRING_EV_*, those of its role
 * @bytes: IN: so many bytes of records, headers included, of all producers together; OUT:
 *	room for a payload of so many bytes; 0: one record
 * @records: IN: so many records, likewise; with @bytes as well either is enough
 * @deadline: how long
 *
 * What a peer left when it ended is always enough. Before that, a producer whose lane has no
 * room for a record waits for the consumer, and the consumer for more: neither goes on, unless
 * @bytes + the longest payload that is sent or waited for + 16 is at most a lane. For @records
 * reckon with that many of the longest, each with its header of 8 and rounded up to 8. A
 * producer in shmring_drain() waits for the last record: a consumer must not wait for more then.
 *
 * Return: as shmring_wait(); -ERANGE: more than a lane can hold.
 */
int shmring_wait_for(struct shmring *r, uint32_t events, uint64_t bytes, uint64_t records,
		     uint64_t deadline);

/**
 * shmring_pollfd() - a descriptor for poll(2), select(2), epoll(7), io_uring
 * @r: handle
 *
 * POLLIN when shmring_arm() should be called: a record (consumer), space
 * (producer: POLLOUT as well on the device), or the peer's end. On the device it
 * is the endpoint itself. On the memfd backend it is an eventfd that a thread of
 * the library serves from the first call on, with all signals blocked; a child
 * after fork(2) has no such thread.
 *
 * Use: call shmring_arm(); if it says 0, poll; then call it again.
 *
 * On the memfd backend it is signalled once for a peer's end, and not when the next one comes.
 *
 * Return: the descriptor, which belongs to the handle; -EOPNOTSUPP (a child after fork(2),
 * and the parent had it); -EMFILE, -ENFILE, -ENOMEM (memfd: no memory, or no thread).
 */
int shmring_pollfd(struct shmring *r);

/**
 * shmring_arm() - ask to be signalled, unless there is no need to wait
 * @r: handle
 * @events: SHMRING_EV_*, those of its role
 *
 * To be called when the ring was found empty (full), before waiting on
 * shmring_pollfd() or on an eventfd of shmring_set_eventfd(). On the memfd
 * backend it also takes back the last signal of shmring_pollfd().
 *
 * Return: the SHMRING_EV_* that hold already: do not wait; 0: a signal will come; -EINVAL,
 * -EOPNOTSUPP (a SPIN ring, and nothing is there). If the peer is gone and PEER was not asked
 * for it is IN or OUT, though there is no record or no space: the next call on the ring tells.
 */
int shmring_arm(struct shmring *r, uint32_t events);

/**
 * shmring_set_eventfd() - have an eventfd signalled
 * @r: handle
 * @events: SHMRING_EV_*, those of its role
 * @efd: an eventfd, which stays the caller's; -1: none any more
 *
 * One eventfd per handle and event. A signal is a hint: look, and shmring_arm()
 * before waiting for the next. The memfd backend serves it from its thread: see
 * shmring_pollfd().
 *
 * Return: 0, -EBADF, -EBADFD (not an eventfd), -EINVAL, -EOPNOTSUPP (IN or OUT of a SPIN
 * ring), or as shmring_pollfd().
 */
int shmring_set_eventfd(struct shmring *r, uint32_t events, int efd);

/* ---- looking ---------------------------------------------------------------- */

/**
 * shmring_raw() - the memory of a RAW ring
 * @r: handle
 * @bytes: out: how much, may be NULL
 *
 * Return: its address (read-only mapped for a CONSUMER or OBSERVER), or NULL if the
 * ring is not RAW. It stays valid until shmring_close().
 */
void *shmring_raw(struct shmring *r, size_t *bytes);

/**
 * shmring_data() - the memory that payloads lie in
 * @r: handle
 * @bytes: out: how much, may be NULL
 *
 * For what wants memory to be told beforehand: io_uring_register_buffers(), RDMA. A
 * producer has its lane there, twice in a row, a consumer or observer all lanes,
 * read-only, and everybody all of a RAW ring. What the kernel has pinned stays
 * after shmring_close() until it is let go. io_uring registers only what may be written,
 * and memory of the device since Linux 6.5 (-EOPNOTSUPP before).
 *
 * Return: its address; it stays valid until shmring_close().
 */
void *shmring_data(const struct shmring *r, size_t *bytes);

/**
 * shmring_info() - what the ring is
 * @r: handle
 * @info: out: @info->size must be sizeof(struct shmring_ioc_info)
 *
 * Return: 0, -EINVAL or -ENOMEM; -EPROTO for an observer if the ring's file has been cut.
 */
int shmring_info(const struct shmring *r, struct shmring_ioc_info *info);

/**
 * shmring_get_stats() - what one endpoint has done
 * @r: handle
 * @slot: whose: producers first, consumers after them (of an SPSC ring 0 and 1)
 * @stats: out; @stats->size is sizeof(struct shmring_stats) as the program was compiled
 *
 * Return: 0, or -EINVAL; -EPROTO as shmring_info().
 */
int shmring_get_stats(const struct shmring *r, unsigned int slot, struct shmring_stats *stats);

/**
 * shmring_lost() - how many records this endpoint has lost
 * @r: handle
 *
 * Producer: what a full ring did not take (SHMRING_FULL_DROP_NEWEST). Consumer: what was
 * overwritten before it was read (SHMRING_FULL_OVERWRITE), as far as it has come.
 */
uint64_t shmring_lost(const struct shmring *r);

/**
 * shmring_backend() - the backend behind a handle
 * @r: handle
 *
 * Return: SHMRING_BACKEND_DEVICE or SHMRING_BACKEND_MEMFD.
 */
uint32_t shmring_backend(const struct shmring *r);

/**
 * shmring_list() - the rings that the caller may read
 * @backend: SHMRING_BACKEND_*; AUTO: both
 * @fn: called for each; a non-zero return ends the list and is returned
 * @arg: for @fn
 *
 * Unnamed rings are listed on the device only.
 *
 * The file of a named ring of the memfd backend whose users were all killed is removed on the
 * way, as by whoever opens it.
 *
 * Return: 0, what @fn returned, or an error: -ENOENT (SHMRING_BACKEND_DEVICE, and there is none).
 */
int shmring_list(uint32_t backend,
		 int (*fn)(uint32_t backend, const struct shmring_ioc_info *info, void *arg),
		 void *arg);

/**
 * shmring_strerror() - what an error means and what to do about it
 * @err: an error as returned, negative or positive
 *
 * Async-signal-safe and thread-safe.
 *
 * Return: a sentence; never NULL.
 */
const char *shmring_strerror(int err);

/**
 * shmring_version() - the library's version
 *
 * Return: "MAJOR.MINOR.PATCH", what SHMRING_VERSION was when it was built.
 */
const char *shmring_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SHMRING_H */
