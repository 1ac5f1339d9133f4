// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a ring: folios in the page cache of an inode of the ring's own, on
 * a pseudo filesystem that exists while rings do.
 *
 * That makes them ordinary file pages to the rest of the kernel: process-shared
 * futexes work in them, huge folios are mapped by PMD, GUP finds them, the memory
 * cgroup is charged, and the last reference frees them. They are never written
 * back, reclaimed (the mapping is unevictable, the folios stay dirty), or migrated.
 *
 * The pages are allocated all at once, before anybody can see the ring; only a
 * CURSOR page may later be replaced, by one on its endpoint's node, before the
 * endpoint is live. The module needs 64-bit: it reaches META and the CURSOR
 * pages through the kernel's linear mapping.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/topology.h>

#include "shmring.h"

#ifndef CONFIG_64BIT
#error "shmring needs a 64-bit kernel (32-bit programs are served by one)"
#endif

static int shmring_fs_init(struct fs_context *fc)
{
	return init_pseudo(fc, SHMRING_MAGIC) ? 0 : -ENOMEM;
}

/* Pinned once per ring: a mount at init would hold the module for ever. */
static struct file_system_type shmring_fs = {
	.name = "shmring",
	.owner = THIS_MODULE,
	.init_fs_context = shmring_fs_init,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *shmring_mnt;
static int shmring_mnt_count;

#ifdef CONFIG_MIGRATION
/* The kernel reads and writes META and CURSOR pages by address; all stay put. */
static int shmring_migrate_folio(struct address_space *mapping, struct folio *dst,
				 struct folio *src, enum migrate_mode mode)
{
	return -EBUSY;
}
#endif

static const struct address_space_operations shmring_aops = {
	.dirty_folio = noop_dirty_folio,
#ifdef CONFIG_MIGRATION
	.migrate_folio = shmring_migrate_folio,
#endif
};

/**
 * shmring_place_check() - check a placement that came from user space
 * @placement: SHMRING_PLACE_*
 * @node: its node
 * @may_interleave: INTERLEAVE means something here
 * @place: out: the placement
 *
 * Return: 0; -EINVAL, -ENXIO (no such node, or offline), -ENODEV (no memory there).
 */
int shmring_place_check(u32 placement, s32 node, bool may_interleave,
			struct shmring_place *place)
{
	place->placement = placement;
	place->node = NUMA_NO_NODE;
	switch (placement) {
	case SHMRING_PLACE_INTERLEAVE:
		if (!may_interleave)
			return -EINVAL;
		fallthrough;
	case SHMRING_PLACE_LOCAL:
		return node == NUMA_NO_NODE ? 0 : -EINVAL;
	case SHMRING_PLACE_STRICT:
	case SHMRING_PLACE_PREFERRED:
		break;
	default:
		return -EINVAL;
	}
	if (node < 0)
		return -EINVAL;
	if (node >= MAX_NUMNODES)
		return -ENXIO;
	place->node = array_index_nospec(node, MAX_NUMNODES);
	if (!node_online(place->node))
		return -ENXIO;
	if (placement == SHMRING_PLACE_STRICT && !node_state(place->node, N_NORMAL_MEMORY))
		return -ENODEV;
	return 0;
}

/* The node itself, or the nearest one that has memory. */
static int shmring_nearest(int node)
{
	int other, best = node;

	if (node_state(node, N_NORMAL_MEMORY))
		return node;
	for_each_node_state(other, N_NORMAL_MEMORY)
		if (best == node || node_distance(node, other) < node_distance(node, best))
			best = other;
	return best;
}

/* The node to try first for the page after one that was wanted on node @last. */
static int shmring_place_node(const struct shmring_place *place, int last)
{
	switch (place->placement) {
	case SHMRING_PLACE_STRICT:
		return place->node;
	case SHMRING_PLACE_PREFERRED:
		return shmring_nearest(place->node);
	case SHMRING_PLACE_INTERLEAVE:
		return next_node_in(last, node_states[N_NORMAL_MEMORY]);
	default:
		return shmring_nearest(numa_node_id());
	}
}

/* One zeroed folio, charged to nobody yet. */
static struct folio *shmring_folio_alloc(int node, unsigned int order, bool exact)
{
	gfp_t gfp = GFP_USER | __GFP_ZERO | __GFP_NOWARN;
	struct folio *folio;

	gfp |= order ? __GFP_NORETRY : __GFP_RETRY_MAYFAIL;
	if (exact)
		gfp |= __GFP_THISNODE;
	folio = __folio_alloc_node(gfp, order, node);
	if (folio && exact && folio_nid(folio) != node) {
		folio_put(folio);	/* a node without memory has another's zones */
		folio = NULL;
	}
	return folio;
}

/* Make @folio the page of @mapping at @index; consumes the reference. */
static int shmring_folio_add(struct address_space *mapping, struct folio *folio, pgoff_t index)
{
	/* A memory cgroup at its limit says no, instead of killing somebody. */
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	int err = filemap_add_folio(mapping, folio, index, gfp);

	if (!err) {
		folio_mark_uptodate(folio);
		folio_mark_dirty(folio);
		folio_unlock(folio);
	}
	folio_put(folio);	/* the page cache has its own */
	return err;
}

/* A base page at @index, for the kernel to use as well; NULL: no memory. */
static void *shmring_page(struct shmring_ring *ring, pgoff_t index, int node, bool exact)
{
	struct folio *folio = shmring_folio_alloc(node, 0, exact);

	if (!folio || shmring_folio_add(ring->inode->i_mapping, folio, index))
		return NULL;
	return folio_address(folio);
}

/* Allocate the next piece of DATA, of 2 MiB if that is wanted and can be had. */
static struct folio *shmring_data_folio(struct shmring_ring *ring, int node, bool huge)
{
	bool exact = ring->place.placement == SHMRING_PLACE_STRICT;
	struct folio *folio;

	if (huge) {
		/* Small and near is better than huge and far, unless huge is a must. */
		folio = shmring_folio_alloc(node, SHMRING_HUGE_ORDER, true);
		if (!folio && (ring->flags & SHMRING_CREATE_HUGE) && !exact)
			folio = shmring_folio_alloc(node, SHMRING_HUGE_ORDER, false);
		if (folio || (ring->flags & SHMRING_CREATE_HUGE))
			return folio;
	}
	return shmring_folio_alloc(node, 0, exact);
}

/* All lanes in a row; a huge page is part of one lane. */
static int shmring_data_alloc(struct shmring_ring *ring)
{
	bool huge = SHMRING_HUGE_ORDER && !(ring->flags & SHMRING_CREATE_SMALL) &&
		    ring->data_size >= PAGE_SIZE << SHMRING_HUGE_ORDER;
	pgoff_t index = ring->data_offset >> PAGE_SHIFT;
	pgoff_t end = index + (ring->lanes * ring->data_size >> PAGE_SHIFT);
	int node = NUMA_NO_NODE;

	ring->data_page_size = huge ? PAGE_SIZE << SHMRING_HUGE_ORDER : PAGE_SIZE;
	while (index < end) {
		struct folio *folio;
		unsigned long pages;
		int err, nid;

		if (fatal_signal_pending(current))
			return -EINTR;
		node = shmring_place_node(&ring->place, node);
		folio = shmring_data_folio(ring, node,
					   huge && IS_ALIGNED(index, 1UL << SHMRING_HUGE_ORDER));
		if (!folio)
			return -ENOMEM;
		pages = folio_nr_pages(folio);
		nid = folio_nid(folio);
		err = shmring_folio_add(ring->inode->i_mapping, folio, index);
		if (err)
			return err;

		if (pages == 1)
			ring->data_page_size = PAGE_SIZE;
		if (index == ring->data_offset >> PAGE_SHIFT)
			ring->data_node = nid;
		else if (ring->data_node != nid)
			ring->data_node = NUMA_NO_NODE;
		index += pages;
		cond_resched();
	}
	return 0;
}

static int shmring_control_alloc(struct shmring_ring *ring, const struct shmring_place *cursor,
				 u32 slot)
{
	u32 i;

	ring->meta = shmring_page(ring, 0, numa_node_id(), false);
	if (!ring->meta)
		return -ENOMEM;
	for (i = 0; i < ring->slots; i++) {
		bool own = i == slot;
		int node = own ? shmring_place_node(cursor, NUMA_NO_NODE) : numa_node_id();

		ring->cursor[i] = shmring_page(ring, 1 + i, node, own &&
					       cursor->placement == SHMRING_PLACE_STRICT);
		if (!ring->cursor[i])
			return -ENOMEM;
	}
	if (ring->shared_offset) {
		ring->group.shared = shmring_page(ring, ring->shared_offset >> PAGE_SHIFT,
						  numa_node_id(), false);
		if (!ring->group.shared)
			return -ENOMEM;
	}
	return 0;
}

/**
 * shmring_memory_alloc() - allocate and charge all pages of a ring
 * @ring: with flags, place, slots and sizes set
 * @cursor: where the CURSOR page of @slot is wanted
 * @slot: the creator's slot, or SHMRING_NO_SLOT
 *
 * Context: process; sleeps; a fatal signal interrupts it.
 * Return: 0, or an error with nothing left allocated or charged.
 */
int shmring_memory_alloc(struct shmring_ring *ring, const struct shmring_place *cursor, u32 slot)
{
	u64 data = ring->lanes * ring->data_size;
	struct address_space *mapping;
	int err;

	err = shmring_charge(&ring->charge, (ring->control_size + data) >> PAGE_SHIFT);
	if (err)
		return err;
	err = simple_pin_fs(&shmring_fs, &shmring_mnt, &shmring_mnt_count);
	if (err)
		goto err_uncharge;
	ring->inode = alloc_anon_inode(shmring_mnt->mnt_sb);
	if (IS_ERR(ring->inode)) {
		err = PTR_ERR(ring->inode);
		goto err_release_fs;
	}

	mapping = ring->inode->i_mapping;
	mapping->a_ops = &shmring_aops;
	mapping_set_unevictable(mapping);
	mapping_set_large_folios(mapping);
	i_size_write(ring->inode, ring->data_offset + data);

	err = shmring_control_alloc(ring, cursor, slot);
	if (!err)
		err = shmring_data_alloc(ring);
	if (err)
		goto err_iput;
	return 0;

err_iput:
	iput(ring->inode);
err_release_fs:
	simple_release_fs(&shmring_mnt, &shmring_mnt_count);
err_uncharge:
	shmring_uncharge(&ring->charge);
	return err;
}

/**
 * shmring_memory_free() - free and uncharge all pages of a ring
 * @ring: without endpoints, so without mappings
 */
void shmring_memory_free(struct shmring_ring *ring)
{
	iput(ring->inode);
	simple_release_fs(&shmring_mnt, &shmring_mnt_count);
	shmring_uncharge(&ring->charge);
}

/**
 * shmring_node_of() - the NUMA node of a page that is in use
 * @addr: in it
 */
int shmring_node_of(const void *addr)
{
	/* Part of a word whose other bits the LRU sets and clears meanwhile. */
	return data_race(page_to_nid(virt_to_page(addr)));
}

/**
 * shmring_lane_word() - the header word at a position of a lane
 * @ring: ring of records
 * @lane: the lane
 * @pos: any number; it is taken for one where a record can be
 *
 * Context: any.
 */
u32 shmring_lane_word(const struct shmring_ring *ring, u32 lane, u64 pos)
{
	u64 at = ring->data_offset + lane * ring->data_size +
		 ALIGN_DOWN(pos & (ring->data_size - 1), SHMRING_REC_ALIGN);
	struct folio *folio;
	u32 word = 0;

	/* A folio that is being split stays where it is. */
	rcu_read_lock();
	folio = xa_load(&ring->inode->i_mapping->i_pages, at >> PAGE_SHIFT);
	if (!WARN_ON_ONCE(!folio || xa_is_value(folio)))
		word = READ_ONCE(*(u32 *)(folio_address(folio) + (at - folio_pos(folio))));
	rcu_read_unlock();
	return word;
}

/**
 * shmring_cursor_place() - bring a CURSOR page to its endpoint's node
 * @ring: ring
 * @slot: a slot that has been taken, but is not live: nobody writes its page
 * @place: where its page is wanted
 *
 * Peers may have the page mapped and look at it meanwhile: they find the same in
 * the new one as in the old. A page that somebody holds is replaced wherever it is: a
 * former endpoint could write it through that (io_uring, RDMA, a read with O_DIRECT that
 * has not ended) though it is no endpoint any more.
 *
 * Context: process; sleeps; the pages were charged when the ring was made.
 * Return: 0, or -ENOMEM when a new page is a must and there is none.
 */
int shmring_cursor_place(struct shmring_ring *ring, u32 slot, const struct shmring_place *place)
{
	struct address_space *mapping = ring->inode->i_mapping;
	bool exact = place->placement == SHMRING_PLACE_STRICT;
	struct folio *old = virt_to_folio(ring->cursor[slot]), *new;
	bool used = READ_ONCE(ring->meta->slot[slot].generation), held;
	int node = shmring_place_node(place, NUMA_NO_NODE), err = 0;
	bool there = shmring_node_of(ring->cursor[slot]) == node;
	u32 members;

	if (there && !used)
		return 0;
	folio_get(old);
	folio_lock(old);	/* no fault maps it again before it is replaced */
	unmap_mapping_range(mapping, folio_pos(old), PAGE_SIZE, 1);
	/* By others than us and the page cache; pins count as well. If in doubt, yes. */
	held = used && folio_ref_count(old) > 2;
	if (there && !held)
		goto out_unlock;
	new = shmring_folio_alloc(node, 0, exact || !held);
	if (!new) {
		err = exact || held ? -ENOMEM : 0;
		goto out_unlock;
	}

	folio_lock(new);
	memcpy(folio_address(new), folio_address(old), PAGE_SIZE);
	folio_mark_uptodate(new);
	shmring_replace_folio(old, new);
	folio_add_lru(new);
	folio_mark_dirty(new);

	spin_lock(&ring->lock);
	/* What was copied first; pairs with shmring_group_cursor(). */
	smp_store_release(&ring->cursor[slot], folio_address(new));
	members = ring->members;	/* one that comes later finds the new page */
	spin_unlock(&ring->lock);

	folio_unlock(new);
	folio_put(new);		/* the page cache has its own */
	folio_unlock(old);
	if (members)
		synchronize_rcu();	/* they look at it without a lock */
	folio_put(old);
	return 0;

out_unlock:
	folio_unlock(old);
	folio_put(old);
	return err;
}
