// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the producers and consumers of other modules have in common: a slot, the ring's
 * pages mapped twice in a row, a beginning and an end.
 *
 * A member ends in order (CLOSED): a module cannot die.
 */
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kernel.h"

/* The pages of one lane, from the page cache, which keeps them as long as the ring lives. */
static int shmring_lane_pages(const struct shmring_ring *ring, u32 lane, struct page **pages)
{
	pgoff_t first = (ring->data_offset + lane * ring->data_size) >> PAGE_SHIFT;
	unsigned long count = ring->data_size >> PAGE_SHIFT, have = 0, k;
	pgoff_t next = first, end = first + count - 1;
	struct folio_batch batch;
	unsigned int i;

	folio_batch_init(&batch);
	while (have < count && filemap_get_folios(ring->inode->i_mapping, &next, end, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			/* Split meanwhile or not, its pages are where they were. */
			for (k = first + have - folio->index; k < folio_nr_pages(folio) &&
			     have < count; k++)
				pages[have++] = folio_page(folio, k);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
	if (WARN_ON_ONCE(have != count))
		return -EIO;
	memcpy(pages + count, pages, count * sizeof(*pages));
	return 0;
}

/* Of a producer its own lane, to write; of a consumer all lanes, to read. */
static int shmring_member_map(struct shmring_member *m)
{
	const struct shmring_ring *ring = m->ring;
	bool producer = m->ep.role == SHMRING_ROLE_PRODUCER;
	u32 lanes = producer ? 1 : ring->lanes, lane;
	unsigned long each = 2 * (ring->data_size >> PAGE_SHIFT);
	struct page **pages;
	int err = 0;

	pages = kvmalloc_array(lanes * each, sizeof(*pages), GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return -ENOMEM;
	for (lane = 0; lane < lanes && !err; lane++)
		err = shmring_lane_pages(ring, producer ? m->ep.slot : lane, pages + lane * each);
	if (!err) {
		m->map = vmap(pages, lanes * each, VM_MAP, producer ? PAGE_KERNEL : PAGE_KERNEL_RO);
		if (!m->map)
			err = -ENOMEM;
	}
	kvfree(pages);
	return err;
}

/**
 * shmring_member_attach() - take a slot
 * @m: zeroed memory
 * @ref: ring
 * @role: SHMRING_ROLE_PRODUCER or SHMRING_ROLE_CONSUMER
 * @node: where its CURSOR page should be, or NUMA_NO_NODE
 *
 * Return: 0; -EOPNOTSUPP (no records in this ring), -EACCES, -EBUSY, -ENOMEM.
 */
int shmring_member_attach(struct shmring_member *m, const struct shmring_ref *ref, u32 role,
			  int node)
{
	bool here = node == NUMA_NO_NODE;
	struct shmring_place place = {
		.placement = here ? SHMRING_PLACE_LOCAL : SHMRING_PLACE_PREFERRED,
		.node = node,
	};
	struct shmring_ring *ring = ref->ring;
	int err;

	if (!ring->producers)
		return -EOPNOTSUPP;
	shmring_endpoint_init(&m->ep);
	m->ring = ring;
	err = shmring_endpoint_prepare(&m->ep, ring, role, ref->rights, &place);
	if (err)
		return err;
	err = shmring_member_map(m);
	if (err) {
		shmring_slot_give_back(&m->ep, ring);
		return err;
	}

	refcount_inc(&ring->refs);
	m->ep.ring = ring;
	spin_lock(&ring->lock);
	ring->members++;	/* before it looks at anybody's CURSOR page */
	spin_unlock(&ring->lock);
	shmring_join(&m->ep, ring);
	return 0;
}

/**
 * shmring_member_detach() - give the slot back, in order
 * @m: member that nobody uses any more
 */
void shmring_member_detach(struct shmring_member *m)
{
	struct shmring_ring *ring = m->ring;

	WRITE_ONCE(ring->cursor[m->ep.slot]->closed, 1);
	spin_lock(&ring->lock);
	ring->members--;
	spin_unlock(&ring->lock);
	vunmap(m->map);
	shmring_unbind(&m->ep);
}

/**
 * shmring_member_group() - an endpoint's view of the others
 * @m: member of a ring with several
 * @g: out
 */
void shmring_member_group(const struct shmring_member *m, struct shmring_group *g)
{
	struct shmring_ring *ring = m->ring;

	*g = ring->group;
	g->peers = m->ep.role == SHMRING_ROLE_PRODUCER ? &ring->meta->rx_state :
							 &ring->meta->tx_state;
	/* pairs with the store-release of the count by whoever begins an endpoint */
	g->quiet = smp_load_acquire(g->peers) & ~SHMRING_STATE_ARMED;
	g->slot = m->ep.slot;
}

/**
 * shmring_member_wait() - sleep until there are records, or space
 * @m: member
 * @event: SHMRING_EV_IN or SHMRING_EV_OUT
 * @need: as in &struct shmring_ioc_wait
 * @deadline: likewise
 *
 * Return: 0, or as WAIT; -EINTR for a signal.
 */
int shmring_member_wait(struct shmring_member *m, u32 event, u64 need, u64 deadline)
{
	struct shmring_ioc_wait arg = {
		.size = sizeof(arg),
		.events = event,
		.need = need,
		.deadline = deadline,
	};
	int err = shmring_wait(&m->ep, &arg, true);

	return err == -ERESTARTNOHAND ? -EINTR : err;
}
