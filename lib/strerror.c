// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * One sentence for each errno of the contract: what it means here and what to do.
 * Constant strings only, so that any context may ask.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "internal.h"

static const struct {
	int err;
	const char *sentence;
} shmring_sentences[] = {
	{ 0,
	  "Success.",
	},
	{ ENOTTY,
	  "This is not shmring's device, or its module is older than the library: load the matching module.",
	},
	{ EINVAL,
	  "An argument has a value that never means anything (check name, role and its events, counts, sizes, flags, a node without placement, reserved fields), or no reservation is that large.",
	},
	{ E2BIG,
	  "A struct is longer than what is understood here: update the library or the module.",
	},
	{ EFAULT,
	  "An argument points at memory that cannot be read or written: pass a valid pointer.",
	},
	{ EOPNOTSUPP,
	  "A known request that this ring or backend does not offer: choose another topology, policy, flag or backend; after fork(2) the parent has the thread that polls.",
	},
	{ ENOTCONN,
	  "The descriptor is not bound to a ring yet: create or attach one first.",
	},
	{ EISCONN,
	  "The descriptor is bound to a ring already: open another one.",
	},
	{ EACCES,
	  "The ring's owner and mode, or this endpoint's role, do not allow this: ask the owner, who can also remove what nobody uses any more (shmring rm), or attach in another role.",
	},
	{ EPERM,
	  "Not permitted: another user left a ring of this name behind, which they or root can remove (shmring rm), or a container keeps the device from you.",
	},
	{ ERANGE,
	  "A size is beyond what there can be: all lanes together have at most 1 GiB, huge pages want lanes of 2 MiB and more, and nobody can wait for more than a lane holds.",
	},
	{ ENXIO,
	  "There is no such NUMA node, or it is offline: see numactl --hardware.",
	},
	{ ENODEV,
	  "The NUMA node has no memory: choose one that has, or a preferred placement.",
	},
	{ ENAMETOOLONG,
	  "The name is too long: use at most 63 bytes.",
	},
	{ EEXIST,
	  "A ring of this name exists: attach to it or choose another name.",
	},
	{ ENOENT,
	  "No such ring, or no /dev/shmring: create the ring, check name and backend, or load the module.",
	},
	{ EBADF,
	  "The descriptor is not open: pass one that is.",
	},
	{ EBADFD,
	  "The descriptor is open but not what is asked for: pass an endpoint of a ring (or an eventfd).",
	},
	{ EBUSY,
	  "The role is taken by a live endpoint, or no slot is free: wait until it leaves.",
	},
	{ EDQUOT,
	  "The locked-memory limit is used up: raise RLIMIT_MEMLOCK or make smaller rings.",
	},
	{ ENOSPC,
	  "No room for more rings: raise the module's limit (device) or enlarge /dev/shm (memfd).",
	},
	{ ENOMEDIUM,
	  "A ring with a name needs a tmpfs at /dev/shm that you may write to, or the module: mount one (mode 1777), or load it.",
	},
	{ ENOMEM,
	  "Not enough memory (on the wanted node, or as 2 MiB pages), or no thread to poll by: make the ring smaller, relax the placement, or raise RLIMIT_NPROC.",
	},
	{ EAGAIN,
	  "Not ready: nothing to receive or no space to send now; try again or wait.",
	},
	{ ETIMEDOUT,
	  "Not ready when the deadline passed: try again with a later one.",
	},
	{ EINTR,
	  "A signal handler ran while waiting: call again to go on waiting.",
	},
	{ EPIPE,
	  "The other side has closed in order, so that nothing more comes and nobody takes any more: attach a new peer or close.",
	},
	{ EOWNERDEAD,
	  "The other side died without closing, so that nothing more comes and nobody takes any more: attach a new peer or close.",
	},
	{ EPROTO,
	  "The other side wrote positions that cannot be: close the ring, do not trust that peer.",
	},
	{ EBADMSG,
	  "The other side wrote a record or message that cannot be: close the ring, do not trust that peer.",
	},
	{ EMSGSIZE,
	  "The record does not fit: make the ring larger (send) or the buffer larger (receive).",
	},
	{ ENOBUFS,
	  "The ring is full and drops what is new: the record was counted as lost; receive faster or make the ring larger.",
	},
	{ ESTALE,
	  "The record was overwritten while it was looked at, and is counted as lost: copy it with recv, or receive faster.",
	},
	{ EMFILE,
	  "Too many open files: close some or raise RLIMIT_NOFILE.",
	},
	{ ENFILE,
	  "Too many open files: close some or raise RLIMIT_NOFILE.",
	},
	{ ENOSYS,
	  "The kernel lacks a system call that the backend needs, or /proc is not mounted: use a newer kernel, or mount it.",
	},
};

#define SHMRING_NO_SENTENCE \
	"An error that shmring gives no meaning to: see errno(3) for its number."

/* What the C library has for it, where that is a constant string: not in musl. */
static const char *shmring_errno_text(int err)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
	/* The smallest has no counterpart. */
	return strerrordesc_np(err < 0 && err >= -INT_MAX ? -err : err);
#else
	(void)err;
	return NULL;
#endif
}

const char *shmring_strerror(int err)
{
	const char *text;
	size_t k;

	for (k = 0; k < sizeof(shmring_sentences) / sizeof(*shmring_sentences); k++)
		if (err == shmring_sentences[k].err || err == -shmring_sentences[k].err)
			return shmring_sentences[k].sentence;
	text = shmring_errno_text(err);
	return text ? text : SHMRING_NO_SENTENCE;
}

const char *shmring_version(void)
{
	return SHMRING_VERSION;
}
