// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways to share memory, side by side: what each takes to make it and to find it
 * from another program.
 *
 * What has a name outlives whoever made it, so every name is removed as soon as
 * everybody has come. A RAW ring's goes with its last endpoint.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_crew.h"

#define RING_ENDPOINTS	SHMRING_SLOTS_MAX

static int map_fd(struct bench_memory *m)
{
	m->base = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, m->fd, 0);
	if (m->base != MAP_FAILED)
		return 0;
	m->base = NULL;
	return -errno;
}

static int fill_fd(struct bench_memory *m)
{
	/* Not ftruncate(2): a full disk shall be an error now and no SIGBUS later. */
	int err = -posix_fallocate(m->fd, 0, (off_t)m->bytes);

	return err ? err : map_fd(m);
}

static void release_fd(struct bench_memory *m)
{
	if (m->base)
		munmap(m->base, m->bytes);
	if (m->fd >= 0)
		close(m->fd);
}

/* A name that no other process, and no other memory of this one, has. */
static void own_name(struct bench_memory *m, const char *prefix)
{
	static unsigned int serial;

	snprintf(m->name, sizeof(m->name), "%sshmring-bench-%ld-%u", prefix, (long)getpid(),
		 serial++);
}

/* ---- anonymous mmap ---------------------------------------------------------- */

static int anonymous_make(struct bench_memory *m)
{
	m->base = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (m->base != MAP_FAILED)
		return 0;
	m->base = NULL;
	return -errno;
}

/* ---- POSIX shared memory ------------------------------------------------------ */

static int posix_make(struct bench_memory *m)
{
	own_name(m, "/");
	m->fd = shm_open(m->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (m->fd < 0)
		return -errno;
	m->named = true;
	return fill_fd(m);
}

static int posix_attach(struct bench_memory *m)
{
	m->fd = shm_open(m->name, O_RDWR | O_CLOEXEC, 0);
	return m->fd < 0 ? -errno : map_fd(m);
}

static void posix_unname(struct bench_memory *m)
{
	shm_unlink(m->name);
}

/* ---- memfd --------------------------------------------------------------------- */

static int memfd_make(struct bench_memory *m)
{
	m->fd = memfd_create("shmring-bench", MFD_CLOEXEC);
	if (m->fd < 0)
		return -errno;
	/* It has no name, but whoever may trace this process can open it here. */
	snprintf(m->name, sizeof(m->name), "/proc/%ld/fd/%d", (long)getpid(), m->fd);
	return fill_fd(m);
}

static int open_attach(struct bench_memory *m)
{
	m->fd = open(m->name, O_RDWR | O_CLOEXEC);
	return m->fd < 0 ? -errno : map_fd(m);
}

/* ---- a mapped file --------------------------------------------------------------- */

static int file_make(struct bench_memory *m)
{
	const char *dir = getenv("TMPDIR");

	if (!dir || !*dir)
		dir = "/tmp";
	if (strlen(dir) > sizeof(m->name) - 64)
		return -ENAMETOOLONG;
	snprintf(m->name, sizeof(m->name), "%s/shmring-bench-XXXXXX", dir);
	m->fd = mkostemp(m->name, O_CLOEXEC);
	if (m->fd < 0)
		return -errno;
	m->named = true;
	return fill_fd(m);
}

static void file_unname(struct bench_memory *m)
{
	unlink(m->name);
}

/* ---- RAW rings -------------------------------------------------------------------- */

static int ring_make(struct bench_memory *m, uint32_t backend)
{
	const struct shmring_opts opts = {
		.size = sizeof(opts),
		.backend = backend,
		.topology = SHMRING_TOPO_RAW,
		.data_size = m->bytes,
		.slots = RING_ENDPOINTS,
		.placement = m->node < 0 ? SHMRING_PLACE_LOCAL : SHMRING_PLACE_STRICT,
		.node = m->node,
		.cursor_node = -1,
	};
	int err;

	own_name(m, "");
	err = shmring_create(m->name, SHMRING_ROLE_PRODUCER, &opts, &m->ring);
	if (!err)
		m->base = shmring_raw(m->ring, NULL);
	return err;
}

static int ring_attach(struct bench_memory *m, uint32_t backend)
{
	const struct shmring_opts opts = {
		.size = sizeof(opts), .backend = backend, .node = -1, .cursor_node = -1,
	};
	size_t bytes;
	int err;

	err = shmring_attach(m->name, SHMRING_ROLE_PRODUCER, &opts, &m->ring);
	if (err)
		return err;
	m->base = shmring_raw(m->ring, &bytes);
	return m->base && bytes >= m->bytes ? 0 : -EBADFD;
}

static int ring_memfd_make(struct bench_memory *m)
{
	return ring_make(m, SHMRING_BACKEND_MEMFD);
}

static int ring_memfd_attach(struct bench_memory *m)
{
	return ring_attach(m, SHMRING_BACKEND_MEMFD);
}

static int ring_device_make(struct bench_memory *m)
{
	return ring_make(m, SHMRING_BACKEND_DEVICE);
}

static int ring_device_attach(struct bench_memory *m)
{
	return ring_attach(m, SHMRING_BACKEND_DEVICE);
}

static void ring_release(struct bench_memory *m)
{
	shmring_close(m->ring);
}

/* ---- all ---------------------------------------------------------------------------- */

const struct bench_memory_kind bench_memory_kinds[BENCH_MEMORIES] = {
	{ "anonymous", "mmap(MAP_SHARED | MAP_ANONYMOUS): inherited, so for related processes only",
	  anonymous_make, NULL, NULL, release_fd },
	{ "posix-shm", "shm_open(3): found by its name in /dev/shm, stays until unlinked",
	  posix_make, posix_attach, posix_unname, release_fd },
	{ "memfd", "memfd_create(2): no name; found through /proc, or passed over a socket",
	  memfd_make, open_attach, NULL, release_fd },
	{ "file", "a mapped file in $TMPDIR or /tmp: found by its path, stays until unlinked",
	  file_make, open_attach, file_unname, release_fd },
	{ "ring-memfd", "a RAW ring of libshmring without the module: found by its name",
	  ring_memfd_make, ring_memfd_attach, NULL, ring_release },
	{ "ring-device", "a RAW ring of /dev/shmring: found by its name, goes with its last user",
	  ring_device_make, ring_device_attach, NULL, ring_release },
};

const struct bench_memory_kind *bench_memory_find(const char *name)
{
	size_t i;

	for (i = 0; i < BENCH_MEMORIES; i++)
		if (!strcmp(bench_memory_kinds[i].name, name))
			return &bench_memory_kinds[i];
	return NULL;
}

static void prepare(struct bench_memory *m, const struct bench_memory_kind *kind, size_t bytes)
{
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->bytes = bytes;
	m->fd = -1;
	m->node = -1;
}

int bench_memory_make(struct bench_memory *m, const struct bench_memory_kind *kind, size_t bytes,
		      int node)
{
	int err;

	prepare(m, kind, bytes);
	m->node = node;
	err = kind->make(m);
	if (err)
		bench_memory_free(m);
	return err;
}

int bench_memory_attach(struct bench_memory *m, const struct bench_memory_kind *kind,
			const char *name, size_t bytes)
{
	int err;

	prepare(m, kind, bytes);
	if (!kind->attach)
		return -EOPNOTSUPP;
	snprintf(m->name, sizeof(m->name), "%s", name);
	err = kind->attach(m);
	if (err)
		bench_memory_free(m);
	return err;
}

void bench_memory_unname(struct bench_memory *m)
{
	if (m->named && m->kind->unname)
		m->kind->unname(m);
	m->named = false;
}

void bench_memory_free(struct bench_memory *m)
{
	bench_memory_unname(m);
	m->kind->release(m);
	m->ring = NULL;
	m->base = NULL;
	m->fd = -1;
}

const char *bench_memory_obstacle(const struct bench_memory_kind *kind, int err)
{
	const char *where = kind->make == file_make ? "TMPDIR or /tmp: " :
			    kind->make == posix_make ? "/dev/shm: " : "";
	static char text[128];

	if (err == -ENOENT && kind->make == ring_device_make)
		return "there is no /dev/shmring, so the module is not loaded";
	if (kind->make == ring_device_make || kind->make == ring_memfd_make)
		return shmring_strerror(err);
	snprintf(text, sizeof(text), "%s%s", where, strerror(-err));
	return text;
}
