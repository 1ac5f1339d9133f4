/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's mappings: made, cut, moved, re-protected, pinned, given advice about, and
 * scribbled over.
 */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <linux/futex.h>

#include "fuzz.h"

HELPER struct fuzz_map *any_map(struct fuzz *f)
{
	return &f->map[below(f, FUZZ_MAPS)];
}

HELPER void forget(struct fuzz_map *m)
{
	if (m->at)
		munmap(m->at, m->size);
	m->at = NULL;
}

/* A region as the ring has it, if there is a ring. Return: how it may be mapped. */
HELPER int any_region(struct fuzz *f, const struct shmring_ioc_info *info, __u64 *offset,
		      __u64 *size)
{
	__u32 slot = one_in(f, 3) ? below(f, SHMRING_SLOTS_MAX) : info->slot, lane = slot;
	bool own = false;

	*size = page_size();
	*offset = 0;
	switch (below(f, 4)) {
	case 0:
		*size = info->control_size;
		break;
	case 1:
		*offset = (__u64)cursor_offset(info, slot);
		own = slot == info->slot;
		break;
	case 2:
		*offset = info->shared_offset;
		own = writes_shared(info);
		break;
	default:
		own = info->role & PRODUCER && (!info->producers || slot == info->slot);
		if (!own && info->producers && !one_in(f, 8))
			lane = below(f, info->producers);
		*size = info->data_size;
		*offset = (__u64)lane_offset(info, info->producers ? lane : 0);
	}
	if (one_in(f, 12))
		*offset = strange(f);
	if (one_in(f, 12))
		*size = strange(f) & 0xffffff;
	return own ? PROT_READ | PROT_WRITE : PROT_READ;
}

HELPER void fuzz_mmap(struct fuzz *f)
{
	static const int flags[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_SHARED | MAP_POPULATE,
				     MAP_SHARED | MAP_LOCKED, MAP_PRIVATE, MAP_SHARED_VALIDATE,
				     MAP_SHARED_VALIDATE | MAP_SYNC, MAP_SHARED | MAP_HUGETLB };
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
				     PROT_WRITE, PROT_NONE, PROT_READ | PROT_EXEC };
	struct fuzz_map *m = any_map(f);
	struct shmring_ioc_info info;
	int fd = aimed_fd(f, is_bound, &info), flag = MAP_SHARED, prot;
	bool over = one_in(f, 4);
	__u64 offset, size;
	void *p;

	prot = any_region(f, &info, &offset, &size);
	if (one_in(f, 2)) {
		flag = ONE_OF(f, flags);
		prot = ONE_OF(f, prots);
	}
	if (over && m->at && size <= m->size) {
		p = mmap(m->at, (size_t)size, prot, flag | MAP_FIXED, fd, (off_t)offset);
		/* Then what was there may be gone, and the addresses be anybody's. */
		if (COUNTED(f, COUNT_MMAP, p == MAP_FAILED ? -1 : 0))
			forget(m);
		return;
	}
	p = mmap(NULL, (size_t)size, prot, flag, fd, (off_t)offset);
	if (COUNTED(f, COUNT_MMAP, p == MAP_FAILED ? -1 : 0))
		return;
	forget(m);
	*m = (struct fuzz_map){ p, (size_t)size };
}

HELPER void fuzz_munmap(struct fuzz *f)
{
	struct fuzz_map *m = any_map(f);
	size_t half = m->size / 2 & ~(page_size() - 1);
	bool part = one_in(f, 3);

	if (m->at && part && half) {
		COUNTED(f, COUNT_MEMORY, munmap(m->at + half, m->size - half));
		m->size = half;
	} else if (m->at) {
		COUNTED(f, COUNT_MEMORY, munmap(m->at, m->size));
		m->at = NULL;
	}
}

HELPER void fuzz_mremap(struct fuzz *f)
{
	struct fuzz_map *m = any_map(f);
	size_t size = one_in(f, 2) ? m->size : m->size * 2;
	void *p;

	if (one_in(f, 3))
		size = page_size();
	if (!m->at)
		return;
	p = mremap(m->at, m->size, size, MREMAP_MAYMOVE);
	if (!COUNTED(f, COUNT_MEMORY, p == MAP_FAILED ? -1 : 0))
		*m = (struct fuzz_map){ p, size };
}

HELPER void fuzz_mprotect(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	int prot = (int)below(f, 8);

	if (m->at)
		COUNTED(f, COUNT_MEMORY, mprotect(m->at, one_in(f, 2) ? m->size : page_size(),
						  prot));
}

/* All there is but poison (100 and 101). */
HELPER void fuzz_madvise(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	int advice = (int)below(f, 27);

	if (m->at)
		COUNTED(f, COUNT_MEMORY, madvise(m->at, m->size, advice));
}

HELPER void fuzz_move_pages(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	void *page = m->at;
	int node = (int)below(f, 3), status;

	if (m->at)
		COUNTED(f, COUNT_MEMORY, syscall(SYS_move_pages, 0, 1ul, &page, &node, &status, 2));
}

HELPER void fuzz_lock(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);

	if (m->at)
		COUNTED(f, COUNT_MEMORY, one_in(f, 2) ? mlock(m->at, m->size) :
							munlock(m->at, m->size));
}

HELPER void fuzz_msync(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	unsigned char in_core[64];

	if (!m->at)
		return;
	COUNTED(f, COUNT_MEMORY, one_in(f, 2) ? msync(m->at, m->size, (int)below(f, 8)) :
						mincore(m->at, page_size(), in_core));
}

/* The kernel reads and writes ring memory for us: as a pipe's pages, and by GUP. */
HELPER void fuzz_gup(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	struct iovec ring = { m->at, page_size() }, own = { f->page, page_size() };
	unsigned int how = below(f, 4);

	if (!m->at)
		return;
	if (how == 0)
		COUNTED(f, COUNT_MEMORY, vmsplice(f->pipe[1], &ring, 1, SPLICE_F_NONBLOCK));
	else if (how == 1)
		COUNTED(f, COUNT_MEMORY, read(f->pipe[0], f->page, page_size()));
	else if (how == 2)
		COUNTED(f, COUNT_MEMORY, process_vm_readv(getpid(), &own, 1, &ring, 1, 0));
	else
		COUNTED(f, COUNT_MEMORY, process_vm_writev(getpid(), &own, 1, &ring, 1, 0));
}

HELPER void fuzz_futex(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	struct timespec nap = { 0, FUZZ_NAP_NS };
	size_t at = below(f, 1024) * 4;

	if (m->at)
		COUNTED(f, COUNT_MEMORY, syscall(SYS_futex, m->at + at,
						 one_in(f, 2) ? FUTEX_WAKE : FUTEX_WAIT,
						 below(f, 2), &nap, NULL, 0));
}

/* The words that mean something, mostly; with anything in them. */
HELPER void fuzz_scribble(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	unsigned int n = 1 + below(f, 16);

	if (!m->at)
		return;
	while (n--) {
		size_t at = one_in(f, 2) ? below(f, 16) * 16 : below(f, 512);
		__u64 word = strange(f);

		/* What the other side has, or nearly. */
		if (one_in(f, 3))
			word = below(f, 64) * 8;
		fuzz_copy(m->at + at * 8, &word, sizeof(word));
	}
	COUNTED(f, COUNT_SCRIBBLE, 0);
}

HELPER void fuzz_wipe(struct fuzz *f)
{
	const struct fuzz_map *m = any_map(f);
	int byte = (int)below(f, 256);

	if (m->at)
		fuzz_fill(m->at, byte, m->size);
	COUNTED(f, COUNT_SCRIBBLE, 0);
}

#endif /* FUZZ_MEMORY_H */
