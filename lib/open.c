// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Making, joining and leaving rings: options are checked here, the rest is the
 * backend's. A handle is handed out complete or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define SHMRING_DATA_DEFAULT	(1u << 20)
#define SHMRING_LANE_DEFAULT	(1u << 17)
#define SHMRING_MODE_DEFAULT	0600
/* A struct of this size or more is some future version's, not a mistake's. */
#define SHMRING_OPTS_LIMIT	4096

/*
 * A node means something for two placements only. With another, zero is what a struct has that
 * nobody filled in; any other node was meant to be one.
 */
static int shmring_node_default(uint32_t placement, int32_t *node)
{
	if (placement == SHMRING_PLACE_STRICT || placement == SHMRING_PLACE_PREFERRED)
		return 0;
	if (*node != 0 && *node != -1)
		return -EINVAL;
	*node = -1;
	return 0;
}

/* Copy the caller's options, whatever version of the struct it knows. */
static int shmring_opts_copy(const struct shmring_opts *user, struct shmring_opts *opts)
{
	size_t k;

	memset(opts, 0, sizeof(*opts));
	if (user) {
		const unsigned char *tail = (const unsigned char *)(user + 1);

		/* So far there is one version: nothing smaller was ever published. */
		if (user->size < sizeof(*opts))
			return -EINVAL;
		if (user->size > SHMRING_OPTS_LIMIT)
			return -E2BIG;
		for (k = 0; k < user->size - sizeof(*opts); k++)
			if (tail[k])
				return -E2BIG;
		*opts = *user;
	}
	opts->size = sizeof(*opts);
	if (!opts->topology)
		opts->topology = SHMRING_TOPO_SPSC;
	if (!opts->data_size)
		opts->data_size = shmring_is_group(opts->topology) ? SHMRING_LANE_DEFAULT :
								     SHMRING_DATA_DEFAULT;
	if (!opts->mode)
		opts->mode = SHMRING_MODE_DEFAULT;
	if (shmring_node_default(opts->cursor_placement, &opts->cursor_node))
		return -EINVAL;
	if (!opts->claim_max)
		opts->claim_max = SHMRING_CLAIM_MOST;
	if (opts->backend > SHMRING_BACKEND_MEMFD || opts->spin_ns < SHMRING_SPIN_ALWAYS ||
	    opts->claim_max > SHMRING_CLAIM_MOST || opts->resv)
		return -EINVAL;
	return 0;
}

/* Does the role mean anything in this topology? */
int shmring_check_role(uint32_t topology, uint32_t role)
{
	if (role == SHMRING_ROLE_PRODUCER || role == SHMRING_ROLE_CONSUMER ||
	    role == SHMRING_ROLE_OBSERVER)
		return 0;
	if (topology == SHMRING_TOPO_RAW &&
	    role == (SHMRING_ROLE_PRODUCER | SHMRING_ROLE_CONSUMER))
		return 0;
	return -EINVAL;
}

static struct shmring_handle *shmring_alloc(const struct shmring_ops *ops,
					    const struct shmring_opts *opts)
{
	void *p;
	struct shmring_handle *h;

	if (posix_memalign(&p, SHMRING_LINE, sizeof(*h)))
		return NULL;
	h = memset(p, 0, sizeof(*h));
	h->ops = ops;
	h->fd = -1;
	h->slot = SHMRING_NO_SLOT;
	h->claim_max = opts->claim_max;
	shmring_pace_init(h, opts->spin_ns);
	return h;
}

/* The last step of every way in, and the undoing of a way that failed. */
static int shmring_finish(struct shmring_handle *h, int err, struct shmring **out)
{
	if (err) {
		if (h->mine)	/* nobody died */
			shmring_store(&h->mine->closed, (uint32_t)getpid());
		shmring_unmap(h);
		if (h->ops->undo)
			h->ops->undo(h);
		if (h->fd >= 0)
			close(h->fd);
		free(h);
		return err;
	}
	*out = &h->core;
	return 0;
}

static int shmring_try_create(const struct shmring_ops *ops, const char *name, uint32_t role,
			      const struct shmring_opts *opts, struct shmring **out)
{
	struct shmring_handle *h = shmring_alloc(ops, opts);

	if (!h)
		return -ENOMEM;
	return shmring_finish(h, ops->create(h, name, role, opts), out);
}

static int shmring_try_attach(const struct shmring_ops *ops, const char *name, uint32_t role,
			      const struct shmring_opts *opts, struct shmring **out)
{
	struct shmring_handle *h = shmring_alloc(ops, opts);

	if (!h)
		return -ENOMEM;
	return shmring_finish(h, ops->attach(h, name, role, opts), out);
}

int shmring_create(const char *name, uint32_t role, const struct shmring_opts *user,
		   struct shmring **out)
{
	struct shmring_opts opts;
	int err;

	if (!out || (name && !*name))
		return -EINVAL;
	err = shmring_opts_copy(user, &opts);
	if (err)
		return err;
	if (shmring_node_default(opts.placement, &opts.node))
		return -EINVAL;
	if (!name)
		name = "";
	if (strnlen(name, SHMRING_NAME_MAX) == SHMRING_NAME_MAX)
		return -ENAMETOOLONG;
	if (opts.backend == SHMRING_BACKEND_MEMFD ||
	    (opts.backend == SHMRING_BACKEND_AUTO && !shmring_device_usable()))
		return shmring_try_create(&shmring_memfd_ops, name, role, &opts, out);
	return shmring_try_create(&shmring_device_ops, name, role, &opts, out);
}

int shmring_attach(const char *name, uint32_t role, const struct shmring_opts *user,
		   struct shmring **out)
{
	struct shmring_opts opts;
	int err;

	if (!out || !name || !*name)
		return -EINVAL;
	err = shmring_opts_copy(user, &opts);
	if (err)
		return err;
	if (strnlen(name, SHMRING_NAME_MAX) == SHMRING_NAME_MAX)
		return -ENAMETOOLONG;
	if (opts.backend == SHMRING_BACKEND_DEVICE ||
	    (opts.backend == SHMRING_BACKEND_AUTO && shmring_device_usable())) {
		err = shmring_try_attach(&shmring_device_ops, name, role, &opts, out);
		if (err != -ENOENT || opts.backend == SHMRING_BACKEND_DEVICE)
			return err;
	}
	return shmring_try_attach(&shmring_memfd_ops, name, role, &opts, out);
}

int shmring_open(const char *name, uint32_t role, const struct shmring_opts *opts,
		 struct shmring **out)
{
	int err;

	/* Each turn lost means that another process made or ended the ring. */
	for (;;) {
		err = shmring_attach(name, role, opts, out);
		if (err != -ENOENT)
			return err;
		err = shmring_create(name, role, opts, out);
		if (err != -EEXIST)
			return err;
	}
}

int shmring_attach_fd(int fd, uint32_t role, const struct shmring_opts *user,
		      struct shmring **out)
{
	const struct shmring_ops *ops = &shmring_memfd_ops;
	struct shmring_handle *h;
	struct shmring_opts opts;
	struct stat st;
	int err;

	if (!out)
		return -EINVAL;
	err = shmring_opts_copy(user, &opts);
	if (err)
		return err;
	if (fstat(fd, &st))
		return -errno;
	if (shmring_device_is(fd))
		ops = &shmring_device_ops;
	else if (!S_ISREG(st.st_mode))
		return -EBADFD;
	if (opts.backend != SHMRING_BACKEND_AUTO && opts.backend != ops->backend)
		return -EBADFD;
	h = shmring_alloc(ops, &opts);
	if (!h)
		return -ENOMEM;
	return shmring_finish(h, ops->attach_fd(h, fd, role, &opts), out);
}

void shmring_close(struct shmring *r)
{
	struct shmring_handle *h = shmring_handle(r);

	if (!h)
		return;
	if (h->out)
		shmring_flush(r);
	h->ops->leave(h);
	shmring_unmap(h);
	free(h);
}

int shmring_fd(const struct shmring *r)
{
	return shmring_handle(r)->fd;
}

uint32_t shmring_backend(const struct shmring *r)
{
	return shmring_handle(r)->ops->backend;
}
