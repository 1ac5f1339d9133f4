// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * One sentence for each errno of the contract: what it means here and what to do.
 * Constant strings only, so that any context may ask.
 */
#include <errno.h>

#include "internal.h"

const char *shmring_strerror(int err)
{
	switch (err < 0 ? -(unsigned int)err : (unsigned int)err) {
	case 0:
		return "Success.";
	case ENOTTY:
		return "This is not shmring's device, or its module is older than the library: load the matching module.";
	case EINVAL:
		return "An argument has a value that never means anything: check sizes, flags, role and reserved fields.";
	case E2BIG:
		return "A struct is longer than what is understood here: update the library or the module.";
	case EFAULT:
		return "An argument points at memory that cannot be read or written: pass a valid pointer.";
	case EOPNOTSUPP:
		return "A known request that this ring or backend does not offer: choose another topology, policy, flag or backend.";
	case ENOTCONN:
		return "The descriptor is not bound to a ring yet: create or attach one first.";
	case EISCONN:
		return "The descriptor is bound to a ring already: open another one.";
	case EACCES:
	case EPERM:
		return "The ring's owner and mode, or this endpoint's role, do not allow this: ask the owner, or attach in another role.";
	case ERANGE:
		return "The size is beyond what a ring can hold: ask for at most 1 GiB.";
	case ENXIO:
		return "There is no such NUMA node, or it is offline: see numactl --hardware.";
	case ENODEV:
		return "The NUMA node has no memory: choose one that has, or a preferred placement.";
	case ENAMETOOLONG:
		return "The name is too long: use at most 63 bytes.";
	case EEXIST:
		return "A ring of this name exists: attach to it or choose another name.";
	case ENOENT:
		return "No such ring, or no /dev/shmring: create the ring, check name and backend, or load the module.";
	case EBADF:
		return "The descriptor is not open: pass one that is.";
	case EBADFD:
		return "The descriptor is open but not what is asked for: pass an endpoint of a ring (or an eventfd).";
	case EBUSY:
		return "The role is taken by a live endpoint, or no slot is free: wait until it leaves.";
	case EDQUOT:
		return "The locked-memory limit is used up: raise RLIMIT_MEMLOCK or make smaller rings.";
	case ENOSPC:
		return "No room for more rings: raise the module's limit (device) or enlarge /dev/shm (memfd).";
	case ENOMEM:
		return "Not enough memory (on the wanted node, or as 2 MiB pages): make the ring smaller or relax the placement.";
	case EAGAIN:
		return "Not ready: nothing to receive or no space to send now; try again or wait.";
	case ETIMEDOUT:
		return "Not ready when the deadline passed: try again with a later one.";
	case EINTR:
		return "A signal handler ran while waiting: call again to go on waiting.";
	case EPIPE:
		return "The other side has closed in order and nothing is left: attach a new peer or close.";
	case EOWNERDEAD:
		return "The other side died without closing and nothing is left: attach a new peer or close.";
	case EPROTO:
		return "The other side wrote positions that cannot be: close the ring, do not trust that peer.";
	case EBADMSG:
		return "The other side wrote a record or message that cannot be: close the ring, do not trust that peer.";
	case EMSGSIZE:
		return "The record does not fit: make the ring larger (send) or the buffer larger (receive).";
	case EMFILE:
	case ENFILE:
		return "Too many open files: close some or raise RLIMIT_NOFILE.";
	case ENOSYS:
		return "This kernel lacks a system call that the backend needs: use a newer kernel.";
	default:
		return "An error that shmring does not give meaning to: see errno(3) for its number.";
	}
}

const char *shmring_version(void)
{
	return "0.1";
}
