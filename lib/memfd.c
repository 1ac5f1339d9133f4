// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * The backend that needs no module: a ring is a file of shared memory, unnamed
 * (memfd, sealed) or in /dev/shm, with the layout of the device's mapping. The
 * library writes META, locks witness deaths (liveness.c), futexes wake.
 *
 * Whoever may open the file may write all of it: endpoints are checked against
 * mistakes and hostile words, not kept from each other's pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "memfd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL		0x0008u
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

#define SHMRING_FLAGS_KNOWN	(SHMRING_CREATE_SPIN | SHMRING_CREATE_HUGE | SHMRING_CREATE_SMALL)
#define SHMRING_SLOTS_DEFAULT	16
#define SHMRING_SIDE_DEFAULT	8
/* How long to sleep before asking the locks; the wake-up tests build without. */
#ifndef SHMRING_SLICE_LAST_NS
/*
 * A signal handler that runs between two slices ends no sleep. Timers go off after round times:
 * no slice ends then, nor do several one after the other.
 */
#define SHMRING_SLICE_FIRST_NS	10450000ull
#define SHMRING_SLICE_LAST_NS	99600000ull
#else
#define SHMRING_SLICE_FIRST_NS	SHMRING_SLICE_LAST_NS
#endif

static struct shmring_memfd_note *shmring_note(const struct shmring_handle *h)
{
	return (struct shmring_memfd_note *)(void *)(h->control + SHMRING_NOTE_OFFSET);
}

/* ---- making ------------------------------------------------------------------ */

/* Producers and consumers of a topology; 0 where the caller leaves it to us. */
static unsigned int shmring_producers(const struct shmring_opts *opts)
{
	if (opts->topology == SHMRING_TOPO_RAW)
		return 0;
	if (opts->producers)
		return opts->producers;
	return opts->topology == SHMRING_TOPO_SPSC ? 1 : SHMRING_SIDE_DEFAULT;
}

static unsigned int shmring_consumers(const struct shmring_opts *opts)
{
	if (opts->topology == SHMRING_TOPO_RAW)
		return 0;
	if (opts->consumers)
		return opts->consumers;
	return opts->topology == SHMRING_TOPO_SPSC || opts->topology == SHMRING_TOPO_MPSC ?
	       1 : SHMRING_SIDE_DEFAULT;
}

static int shmring_topology_check(const struct shmring_opts *opts)
{
	uint64_t producers = shmring_producers(opts), consumers = shmring_consumers(opts);

	switch (opts->topology) {
	case SHMRING_TOPO_RAW:
		if (opts->slots > SHMRING_SLOTS_MAX || opts->producers || opts->consumers)
			return -EINVAL;
		return 0;
	case SHMRING_TOPO_SPSC:
		if (producers != 1 || consumers != 1)
			return -EINVAL;
		break;
	case SHMRING_TOPO_MPSC:
		if (consumers != 1)
			return -EINVAL;
		break;
	case SHMRING_TOPO_QUEUE:
	case SHMRING_TOPO_BROADCAST:
		break;
	default:
		return -EINVAL;
	}
	if (producers + consumers > SHMRING_SLOTS_MAX ||
	    (opts->slots && opts->slots != producers + consumers))
		return -EINVAL;
	return 0;
}

static int shmring_policy_check(uint32_t topology, uint32_t policy)
{
	switch (policy) {
	case SHMRING_FULL_WAIT:
		return 0;
	case SHMRING_FULL_DROP_NEWEST:
		return topology == SHMRING_TOPO_RAW ? -EOPNOTSUPP : 0;
	case SHMRING_FULL_OVERWRITE:
		return topology == SHMRING_TOPO_BROADCAST ? 0 : -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static bool shmring_flags_contradict(uint32_t flags)
{
	return (flags & SHMRING_CREATE_HUGE) && (flags & SHMRING_CREATE_SMALL);
}

static int shmring_create_check(const char *name, uint32_t role,
				const struct shmring_opts *opts)
{
	int err;

	if ((opts->flags & ~SHMRING_FLAGS_KNOWN) || (opts->mode & ~0777u) ||
	    shmring_flags_contradict(opts->flags))
		return -EINVAL;
	err = shmring_topology_check(opts);
	if (!err)
		err = shmring_policy_check(opts->topology, opts->full_policy);
	if (err)
		return err;
	if (opts->data_size > SHMRING_DATA_MAX ||
	    ((opts->flags & SHMRING_CREATE_HUGE) && opts->data_size <= SHMRING_HUGE_BYTES / 2))
		return -ERANGE;
	err = shmring_name_check(name);
	if (!err)
		err = shmring_check_role(opts->topology, role);
	if (!err)
		err = shmring_place_check(opts->placement, opts->node, true);
	if (!err)
		err = shmring_place_check(opts->cursor_placement, opts->cursor_node, false);
	return err;
}

static uint64_t shmring_max_record(const struct shmring_ioc_info *geo)
{
	if (geo->topology == SHMRING_TOPO_RAW)
		return 0;
	return geo->full_policy == SHMRING_FULL_OVERWRITE ?
	       shmring_overwrite_max(geo->data_size) : shmring_record_max(geo->data_size);
}

/* Where everything goes in the file. DATA starts where a huge page may. */
static void shmring_layout(struct shmring_ioc_info *geo, const struct shmring_opts *opts)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), align = page;

	geo->flags = opts->flags;
	geo->topology = opts->topology;
	geo->full_policy = opts->full_policy;
	geo->producers = shmring_producers(opts);
	geo->consumers = shmring_consumers(opts);
	geo->slots = geo->producers + geo->consumers;
	if (!geo->slots)
		geo->slots = opts->slots ? opts->slots : SHMRING_SLOTS_DEFAULT;
	geo->cursor_offset = page;
	geo->cursor_stride = page;
	geo->shared_offset = shmring_is_group(geo->topology) ? page * (1 + geo->slots) : 0;
	geo->control_size = page * (1 + geo->slots) + (geo->shared_offset ? page : 0);
	for (geo->data_size = page; geo->data_size < opts->data_size;)
		geo->data_size *= 2;
	if (geo->data_size >= SHMRING_HUGE_BYTES && !(geo->flags & SHMRING_CREATE_SMALL))
		align = SHMRING_HUGE_BYTES;
	geo->data_offset = (geo->control_size + align - 1) & ~(align - 1);
	geo->max_record = shmring_max_record(geo);
}

static bool shmring_is_shared_memory(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (unsigned long)fs.f_type == TMPFS_MAGIC;
}

/* What is wrong with the directory is one error: nothing of it is about the ring. */
static int shmring_file_make_there(void)
{
	int fd = open(SHMRING_SHM_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EOPNOTSUPP ||
		       errno == EACCES || errno == EROFS ? -ENOMEDIUM : -errno;
	if (shmring_is_shared_memory(fd))
		return fd;
	close(fd);
	return -ENOMEDIUM;
}

/* A file that nobody else can find yet. */
static int shmring_file_make(const char *name)
{
	int fd;

	if (name[0])
		return shmring_file_make_there();
	fd = memfd_create("shmring", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("shmring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/*
 * In parts: on Linux 6.1 a signal undoes the call that it comes in, and there may be one each
 * millisecond, or more. So parts get shorter until one is done.
 */
static int shmring_file_alloc(int fd, uint64_t start, uint64_t len)
{
	const uint64_t end = start + len, page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t most = SHMRING_HUGE_BYTES, part;

	while (start < end) {
		part = end - start < most ? end - start : most;
		if (!fallocate(fd, 0, (off_t)start, (off_t)part))
			start += part;
		else if (errno != EINTR)
			return -errno;
		else if (most > page)
			most /= 2;
	}
	return 0;
}

static uint64_t shmring_data_bytes(const struct shmring_ioc_info *geo)
{
	return geo->data_size * shmring_lanes(geo);
}

/* All of DATA in a row, to give it its pages. */
static unsigned char *shmring_data_map_once(struct shmring_handle *h, size_t size, bool huge)
{
	unsigned char *at = shmring_map_room(size, shmring_data_align(&h->geo));
	void *p;

	if (!at)
		return NULL;
	p = mmap(at, size, PROT_READ, MAP_SHARED | MAP_FIXED, h->fd, (off_t)h->geo.data_offset);
	if (p == MAP_FAILED) {
		int err = errno;

		munmap(at, size);
		errno = err;
		return NULL;
	}
	if (huge)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/*
 * DATA: policy first, then pages. Faults can give 2 MiB pages where the system allows
 * them for who asks; what they leave, or cannot get, fallocate(2) tells as an error
 * and not as a SIGBUS.
 */
static int shmring_data_make(struct shmring_handle *h, const struct shmring_opts *opts)
{
	uint64_t size = shmring_data_bytes(&h->geo);
	bool huge = h->geo.data_size >= SHMRING_HUGE_BYTES &&
		    !(opts->flags & SHMRING_CREATE_SMALL);
	unsigned char *data;
	int err;

	err = shmring_place_room(opts->placement, opts->node, size);
	if (err)
		return err;
	data = shmring_data_map_once(h, size, huge);
	if (!data)
		return -errno;
	err = shmring_place(data, size, opts->placement, opts->node);
	if (err)
		goto out_unmap;
	if (huge)
		madvise(data, size, MADV_POPULATE_READ);
	err = shmring_file_alloc(h->fd, h->geo.data_offset, size);
	if (err)
		goto out_unmap;
	if (opts->placement == SHMRING_PLACE_STRICT &&
	    shmring_place(data, size, opts->placement, opts->node))
		err = -ENOMEM;
	if (err || !huge)
		goto out_unmap;
	madvise(data, size, MADV_POPULATE_READ);
	if (shmring_page_size_of(data, size) == SHMRING_HUGE_BYTES)
		goto out_unmap;
	/* Interleaved pages would end up together. */
	if (opts->placement != SHMRING_PLACE_INTERLEAVE)
		madvise(data, size, MADV_COLLAPSE);
	if ((opts->flags & SHMRING_CREATE_HUGE) &&
	    shmring_page_size_of(data, size) != SHMRING_HUGE_BYTES)
		err = -ENOMEM;
out_unmap:
	munmap(data, size);
	return err;
}

static void shmring_meta_fill(struct shmring_handle *h, const char *name,
			      const struct shmring_opts *opts)
{
	struct shmring_meta *meta = shmring_meta(h);
	struct shmring_memfd_note *note = shmring_note(h);

	meta->abi = SHMRING_ABI;
	meta->ring_id = h->geo.ring_id;
	meta->data_size = h->geo.data_size;
	meta->data_offset = h->geo.data_offset;
	meta->cursor_offset = h->geo.cursor_offset;
	meta->cursor_stride = h->geo.cursor_stride;
	meta->flags = h->geo.flags;
	meta->topology = h->geo.topology;
	meta->full_policy = h->geo.full_policy;
	meta->slots = h->geo.slots;
	meta->producers = h->geo.producers;
	meta->consumers = h->geo.consumers;
	meta->shared_offset = h->geo.shared_offset;
	meta->features = SHMRING_FEATURE_UNFENCED;
	note->mode = opts->mode;
	note->placement = opts->placement;
	memcpy(note->name, name, strlen(name));
	shmring_store_release(&meta->magic, SHMRING_MAGIC);
}

/* Take the role's slot, or the first free one. Under the guard, or unseen. */
static int shmring_take(struct shmring_handle *h, uint32_t role)
{
	unsigned int first = 0, end = h->geo.slots, slot;
	int err = -EBUSY;

	h->role = role;
	if (role == SHMRING_ROLE_OBSERVER)
		return shmring_observer_lock(h->fd);
	if (h->geo.topology != SHMRING_TOPO_RAW && role == SHMRING_ROLE_CONSUMER)
		first = h->geo.producers;
	else if (h->geo.topology != SHMRING_TOPO_RAW)
		end = h->geo.producers;
	for (slot = first; err == -EBUSY && slot < end; slot++) {
		err = shmring_slot_lock(h->fd, slot);
		if (err)
			continue;
		if (shmring_load(&shmring_meta(h)->slot[slot].state) == SHMRING_SLOT_LIVE)
			shmring_slot_end(h, slot);	/* it died and nobody saw it */
		h->slot = slot;
	}
	return err;
}

/* The last steps of every way in; nothing that can fail comes after them. */
static int shmring_enter(struct shmring_handle *h, const struct shmring_opts *opts,
			 bool writable)
{
	int err = shmring_map(h, writable);

	if (h->slot == SHMRING_NO_SLOT)
		return err ? err : shmring_start(h);
	if (!err)
		err = shmring_place_page(h->mine, h->geo.cursor_stride,
					 opts->cursor_placement, opts->cursor_node);
	if (err)
		goto err_wake;
	shmring_pos_repair(h);
	shmring_slot_begin(h);
	err = shmring_start(h);
	if (!err)
		return 0;
	shmring_store(&h->mine->closed, (uint32_t)getpid());
	shmring_slot_end(h, h->slot);
err_wake:
	/* The slot may have been a dead one's, of which nobody has been told. */
	shmring_memfd_wake_all(h);
	return err;
}

static int shmring_memfd_create(struct shmring_handle *h, const char *name, uint32_t role,
				const struct shmring_opts *opts)
{
	int err = shmring_create_check(name, role, opts);

	if (err)
		return err;
	shmring_layout(&h->geo, opts);
	if (shmring_data_bytes(&h->geo) > SHMRING_DATA_MAX)
		return -ERANGE;
	h->role = role;
	if (getrandom(&h->geo.ring_id, sizeof(h->geo.ring_id), 0) != sizeof(h->geo.ring_id))
		return -errno;
	h->geo.ring_id |= 1;	/* never 0 */

	h->fd = shmring_file_make(name);
	if (h->fd < 0)
		return h->fd;
	/* Before the mode, which may keep out even the owner. */
	err = shmring_spare_open(h, NULL);
	if (err)
		return err;
	/* Who was given the descriptor of an unnamed one must be able to open it anew. */
	if (fchmod(h->fd, name[0] ? opts->mode : 0666))
		return -errno;
	if (ftruncate(h->fd, (off_t)(h->geo.data_offset + shmring_data_bytes(&h->geo))))
		return -errno;
	err = shmring_file_alloc(h->fd, 0, h->geo.control_size);
	if (!err)
		err = shmring_map_control(h, true);
	if (!err)
		err = shmring_data_make(h, opts);
	if (err)
		return err;
	if (!name[0] && fcntl(h->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	shmring_meta_fill(h, name, opts);
	err = shmring_memfd_check(h->fd, &h->geo);
	if (!err)
		err = shmring_take(h, role);
	if (!err)
		err = shmring_enter(h, opts, true);
	if (!err && name[0])
		err = shmring_name_link(h->fd, name);
	return err;
}

/* ---- joining ----------------------------------------------------------------- */

/* Believe nothing that the file says before it fits the file. */
static int shmring_geo_check(struct shmring_ioc_info *geo, uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), control;

	if (geo->topology < SHMRING_TOPO_SPSC || geo->topology > SHMRING_TOPO_RAW ||
	    (geo->flags & ~SHMRING_FLAGS_KNOWN))
		return -EOPNOTSUPP;
	if (shmring_flags_contradict(geo->flags) ||
	    geo->cursor_offset != page || geo->cursor_stride != page ||
	    geo->slots < 1 || geo->slots > SHMRING_SLOTS_MAX)
		return -EPROTO;
	if (geo->topology == SHMRING_TOPO_RAW) {
		if (geo->producers || geo->consumers)
			return -EPROTO;
	} else if (!geo->producers || !geo->consumers ||
		   geo->producers > geo->slots || geo->slots - geo->producers != geo->consumers) {
		return -EPROTO;
	}
	if ((geo->topology == SHMRING_TOPO_SPSC && geo->slots != 2) ||
	    (geo->topology == SHMRING_TOPO_MPSC && geo->consumers != 1) ||
	    shmring_policy_check(geo->topology, geo->full_policy))
		return -EPROTO;
	control = page * (1 + geo->slots);
	if (geo->shared_offset != (shmring_is_group(geo->topology) ? control : 0))
		return -EPROTO;
	if (geo->shared_offset)
		control += page;
	if (geo->data_size < page || geo->data_size > SHMRING_DATA_MAX ||
	    (geo->data_size & (geo->data_size - 1)) ||
	    (geo->data_offset & (page - 1)) || geo->data_offset < control ||
	    shmring_data_bytes(geo) > SHMRING_DATA_MAX ||
	    geo->data_offset > bytes || bytes - geo->data_offset != shmring_data_bytes(geo))
		return -EPROTO;
	geo->control_size = control;
	return 0;
}

/**
 * shmring_memfd_check() - is this the file of a ring, and of what shape
 * @fd: a regular file
 * @geo: out: the shape, a private copy
 *
 * Return: 0; -EBADFD (not a ring), -EPROTO (a ring that contradicts itself),
 * -EOPNOTSUPP (of another version).
 */
int shmring_memfd_check(int fd, struct shmring_ioc_info *geo)
{
	struct shmring_memfd_note note;
	struct shmring_meta meta;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !shmring_is_shared_memory(fd) ||
	    pread(fd, &meta, sizeof(meta), 0) != (ssize_t)sizeof(meta) ||
	    pread(fd, &note, sizeof(note), SHMRING_NOTE_OFFSET) != (ssize_t)sizeof(note) ||
	    meta.magic != SHMRING_MAGIC)
		return -EBADFD;
	if (meta.abi != SHMRING_ABI)
		return -EOPNOTSUPP;
	geo->ring_id = meta.ring_id;
	geo->flags = meta.flags;
	geo->topology = meta.topology;
	geo->full_policy = meta.full_policy;
	geo->slots = meta.slots;
	geo->producers = meta.producers;
	geo->consumers = meta.consumers;
	geo->shared_offset = meta.shared_offset;
	geo->cursor_offset = meta.cursor_offset;
	geo->cursor_stride = meta.cursor_stride;
	geo->data_offset = meta.data_offset;
	geo->data_size = meta.data_size;
	err = shmring_geo_check(geo, (uint64_t)st.st_size);
	if (err)
		return err;
	/* Holes would be SIGBUS on a full file system. */
	if ((uint64_t)st.st_blocks * 512 < geo->control_size + shmring_data_bytes(geo))
		return -EPROTO;
	geo->max_record = shmring_max_record(geo);
	geo->placement = note.placement;
	geo->mode = note.mode;
	geo->uid = st.st_uid;
	geo->gid = st.st_gid;
	note.name[SHMRING_NAME_MAX - 1] = 0;
	memset(geo->name, 0, sizeof(geo->name));
	if (!shmring_name_check(note.name))
		strcpy((char *)geo->name, note.name);
	return 0;
}

/* The file is open as @h->fd and its guard is held. @name: by which it was found, or NULL. */
static int shmring_join(struct shmring_handle *h, const char *name, uint32_t role,
			const struct shmring_opts *opts, bool writable)
{
	int err = shmring_memfd_check(h->fd, &h->geo);

	if (!err && writable)
		err = shmring_spare_open(h, name);
	if (!err)
		err = shmring_check_role(h->geo.topology, role);
	if (!err)
		err = shmring_map_control(h, writable);
	if (!err)
		err = shmring_take(h, role);
	if (!err)
		err = shmring_enter(h, opts, writable);
	if (!err)
		shmring_unguard(h->fd);
	return err;
}

static int shmring_attach_check(uint32_t role, const struct shmring_opts *opts)
{
	int err = shmring_check_role(SHMRING_TOPO_RAW, role);

	return err ? err : shmring_place_check(opts->cursor_placement, opts->cursor_node, false);
}

static bool shmring_fd_writable(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static int shmring_memfd_attach(struct shmring_handle *h, const char *name, uint32_t role,
				const struct shmring_opts *opts)
{
	int err = shmring_name_check(name);

	if (!err)
		err = shmring_attach_check(role, opts);
	if (err)
		return err;
	h->fd = shmring_name_open(name, role, role == SHMRING_ROLE_OBSERVER ? 1 : 0);
	if (h->fd < 0)
		return h->fd;
	return shmring_join(h, name, role, opts, shmring_fd_writable(h->fd));
}

/* The given descriptor is another's endpoint: its locks are not ours. */
static int shmring_memfd_attach_fd(struct shmring_handle *h, int fd, uint32_t role,
				   const struct shmring_opts *opts)
{
	bool writable = shmring_fd_writable(fd);
	int err = shmring_attach_check(role, opts);

	if (err)
		return err;
	err = shmring_memfd_check(fd, &h->geo);
	if (err)
		return err;
	/* An endpoint's rights are what it can pass on. */
	if (!writable && role != SHMRING_ROLE_OBSERVER)
		return -EACCES;
	h->fd = shmring_reopen(fd, writable ? O_RDWR : O_RDONLY);
	if (h->fd < 0)
		return h->fd;
	if (role != SHMRING_ROLE_OBSERVER) {
		err = shmring_guard(h->fd, false);
		if (err)
			return err;
	}
	return shmring_join(h, NULL, role, opts, writable);
}

/* ---- leaving ----------------------------------------------------------------- */

/* A child that was forked meanwhile has the description too: it is to keep nothing. */
static void shmring_memfd_undo(struct shmring_handle *h)
{
	if (h->fd >= 0)
		shmring_unlock_all(h->fd);
	shmring_spare_close(h);
}

/*
 * Return: how many slept there: 0 if it was about to, and if it was stopped or killed in its
 * sleep; negative: it was not armed.
 */
int shmring_memfd_wake(struct shmring_handle *h, unsigned int slot)
{
	__aligned_u64 *word = shmring_state_word(h, slot);
	struct shmring_cursor *cursor = h->cursor[slot];
	__u32 armed = SHMRING_ARMED_YES;

	/* The bit first: who arms again in between is armed with it. */
	if (word)
		__atomic_fetch_and(word, ~(1ull << slot), __ATOMIC_SEQ_CST);
	/* pairs with the futex's own look at armed: cleared first, woken after it */
	if (!__atomic_compare_exchange_n(&cursor->armed, &armed, SHMRING_ARMED_NO, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return -1;
	shmring_tally(&shmring_meta(h)->witness[slot].wakes);
	return (int)shmring_futex_wake(&cursor->armed);
}

static bool shmring_memfd_kick(struct shmring_handle *h, unsigned int slot)
{
	struct shmring_witness *w = &shmring_meta(h)->witness[h->slot];
	int woken = shmring_memfd_wake(h, slot);

	shmring_tally(&w->kicks);
	if (woken < 0)
		shmring_tally(&w->kicks_idle);
	return woken > 0;
}

/*
 * Somebody came or went. What a dead one published, released or took over it may not have
 * lived to tell, and whom it had begun to wake may have lost its bit: everybody is to look,
 * this endpoint too, which another thread may wait for (notify.c). What it was killed in the
 * middle of moving is put right before that. Under the guard.
 */
void shmring_memfd_wake_all(struct shmring_handle *h)
{
	unsigned int slot;

	shmring_orphan_settle(h);
	for (slot = 0; slot < h->geo.slots; slot++)
		shmring_memfd_wake(h, slot);
	shmring_store(&shmring_meta(h)->wake_due, 0);
}

/*
 * The endpoint ends with the last descriptor and the last mapping of its description.
 * Ours go first. The guard, held through another description, which is mapped in the
 * place of CONTROL, lets us see whether others are left: after fork(2) they may be.
 */
static int shmring_leave_guarded(struct shmring_handle *h, int guard)
{
	bool observer = h->slot == SHMRING_NO_SLOT;

	if (mmap(h->control, h->control_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 guard, 0) == MAP_FAILED)
		return -errno;
	shmring_unmap_data(h);
	/* Once more: who shares the endpoint may have left, and voided it, before we got here. */
	if (!observer)
		shmring_store_release(&h->mine->closed, (uint32_t)getpid());
	close(h->fd);
	if (!observer && shmring_slot_locked(guard, h->slot)) {
		shmring_store_release(&h->mine->closed, 0);
	} else if (!observer) {
		shmring_slot_end(h, h->slot);
		shmring_memfd_wake_all(h);
	}
	if (!shmring_held(guard))
		shmring_name_unlink(guard, (const char *)h->geo.name);
	return 0;
}

static void shmring_memfd_leave(struct shmring_handle *h)
{
	int guard;

	shmring_notify_stop(h);
	if (h->mine)
		shmring_store_release(&h->mine->closed, (uint32_t)getpid());
	guard = shmring_guard_take(h, h->slot == SHMRING_NO_SLOT ? SHMRING_GUARD_TRIES : 0);
	/* Without a guard the survivors find the lock gone and read closed. */
	if (guard < 0 || shmring_leave_guarded(h, guard))
		close(h->fd);
	if (guard >= 0)
		shmring_guard_drop(h, guard);
	shmring_spare_close(h);
}

/* ---- the rest ---------------------------------------------------------------- */

static int shmring_memfd_info(const struct shmring_handle *h, struct shmring_ioc_info *info)
{
	uint32_t size = info->size;
	unsigned int slot;

	*info = h->geo;
	info->size = size;
	info->role = h->role;
	info->slot = h->slot;
	info->rights = shmring_fd_writable(h->fd) ? 6 : 4;
	info->observers = shmring_observers(h->fd) + (h->role == SHMRING_ROLE_OBSERVER);
	for (slot = 0; slot < h->geo.slots; slot++)
		info->slots_live += slot == h->slot || shmring_slot_locked(h->fd, slot);
	info->meta_node = shmring_node_of(h->control);
	info->cursor_node = h->mine ? shmring_node_of(h->mine) : -1;
	info->data_node = -1;
	if (h->data) {
		info->data_page_size = shmring_page_size_of(h->data, h->geo.data_size);
		info->data_node = shmring_node_of_range(h->data, h->geo.data_size,
							info->data_page_size);
	}
	return shmring_totals(h, info);
}

static bool shmring_memfd_lives(const struct shmring_handle *h, unsigned int slot)
{
	return shmring_slot_locked(h->fd, slot);
}

static int shmring_memfd_copy(const struct shmring_handle *h, uint64_t offset, size_t len, void *to)
{
	return pread(h->fd, to, len, (off_t)offset) == (ssize_t)len ? 0 : -EPROTO;
}

/*
 * Sleep on the own armed word; whoever publishes clears it and wakes. In slices, after
 * each of which the locks are asked whether anybody is left to do so.
 */
static int shmring_memfd_sleep(struct shmring_handle *h, const struct shmring_goal *goal,
			       uint64_t deadline)
{
	uint64_t slice = SHMRING_SLICE_FIRST_NS, until, again;
	/* An observer has no word to sleep on. */
	uint32_t none = SHMRING_ARMED_YES;
	uint32_t *word = h->mine ? &h->mine->armed : &none;
	struct shmring_witness *w = h->mine ? &shmring_meta(h)->witness[h->slot] : NULL;
	bool slept = false;
	int err = 0;

	shmring_notify_blocks(h);
	if (h->mine)
		shmring_arm_begin(h, goal);
	while (!shmring_events(h, goal) && !shmring_ended(h)) {
		if (w && !slept)
			shmring_tally(&w->waits);
		slept = true;
		until = shmring_now() + slice;
		again = shmring_claim_again(h);
		if (again && until > again)
			until = again;
		if (until > deadline)
			until = deadline;
		err = shmring_futex_wait(word, SHMRING_ARMED_YES, until);
		if (err != -ETIMEDOUT || until == deadline)
			break;
		err = 0;
		shmring_probe(h);
		if (slice < SHMRING_SLICE_LAST_NS)
			slice *= 2;
		if (slice > SHMRING_SLICE_LAST_NS)
			slice = SHMRING_SLICE_LAST_NS;
	}
	if (h->mine)
		shmring_arm_end(h);
	if (w && slept && !err && !shmring_events(h, goal) && !shmring_ended(h))
		shmring_tally(&w->spurious);
	return err;
}

const struct shmring_ops shmring_memfd_ops = {
	.backend = SHMRING_BACKEND_MEMFD,
	.create = shmring_memfd_create,
	.attach = shmring_memfd_attach,
	.attach_fd = shmring_memfd_attach_fd,
	.undo = shmring_memfd_undo,
	.leave = shmring_memfd_leave,
	.info = shmring_memfd_info,
	.sleep = shmring_memfd_sleep,
	.wake = shmring_memfd_kick,
	.adopt = shmring_memfd_adopt,
	.probe = shmring_memfd_probe,
	.lives = shmring_memfd_lives,
	.copy = shmring_memfd_copy,
	.pollfd = shmring_notify_pollfd,
	.rearm = shmring_notify_rearm,
	.armed = shmring_notify_armed,
	.set_eventfd = shmring_notify_set,
	.list = shmring_memfd_list,
};
