// SPDX-License-Identifier: GPL-2.0-only
/*
 * All rings there are, by identity and by name, and who may have which.
 *
 * A name belongs to the IPC namespace in which it was given. Modules cannot let go
 * of such a namespace, so it is not held but known: by its address, its inode number
 * and the user namespace that owns it, which is held. A dead namespace's names can
 * be met in a new one that got the first two again, so rights never rest on it:
 * owner and mode decide, and capabilities count in the owning user namespace alone.
 *
 * shmring_registry_lock guards everything here, and a ring's last reference is
 * dropped under it, so whatever is found can be referenced.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/hashtable.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/stringhash.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "shmring.h"

static DEFINE_MUTEX(shmring_registry_lock);
static DEFINE_XARRAY(shmring_rings);
static DEFINE_HASHTABLE(shmring_names, 8);
static u64 shmring_last_id;

static struct shmring_ns current_ns(void)
{
	const struct ipc_namespace *ns = current->nsproxy->ipc_ns;

	/* A kernel without System V IPC and POSIX message queues has none, which is one for all. */
	if (!ns)
		return (struct shmring_ns){ .user_ns = &init_user_ns };
	return (struct shmring_ns){ .ptr = ns, .inum = ns->ns.inum, .user_ns = ns->user_ns };
}

static bool same_ns(const struct shmring_ns *a, const struct shmring_ns *b)
{
	return a->ptr == b->ptr && a->inum == b->inum && a->user_ns == b->user_ns;
}

static u32 hash_of(const struct shmring_ns *ns, const char *name)
{
	return full_name_hash(ns->ptr, name, strlen(name));
}

/**
 * shmring_name_check() - check a name that came from user space
 * @name: SHMRING_NAME_MAX bytes
 *
 * Return: 0, -ENAMETOOLONG or -EINVAL; an empty name is fine.
 */
int shmring_name_check(const u8 *name)
{
	size_t len = strnlen(name, SHMRING_NAME_MAX), i;

	if (len == SHMRING_NAME_MAX)
		return -ENAMETOOLONG;
	if (name[0] == '.')
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || !(isalnum(name[i]) || strchr("._-", name[i])))
			return -EINVAL;
	/* What follows the name is reserved like any other field. */
	return memchr_inv(name + len, 0, SHMRING_NAME_MAX - len) ? -EINVAL : 0;
}

/**
 * shmring_rights() - what the caller may do with a ring of its namespace
 * @ring: ring
 *
 * Return: SHMRING_MAY_* bits, as owner and mode give them; CAP_IPC_OWNER over the
 * namespace gives all.
 */
u32 shmring_rights(const struct shmring_ring *ring)
{
	u32 rights = ring->mode, all = SHMRING_MAY_READ | SHMRING_MAY_WRITE;

	if (uid_eq(ring->uid, current_fsuid()))
		rights >>= 6;
	else if (in_group_p(ring->gid))
		rights >>= 3;
	rights &= all;
	if (rights != all && ns_capable_noaudit(ring->ns.user_ns, CAP_IPC_OWNER))
		rights = all;
	return rights;
}

static struct shmring_ring *find_name(const struct shmring_ns *ns, const char *name)
{
	struct shmring_ring *ring;

	hash_for_each_possible(shmring_names, ring, name_node, hash_of(ns, name))
		if (same_ns(&ring->ns, ns) && !strcmp(ring->name, name))
			return ring;
	return NULL;
}

/**
 * shmring_register() - give a ring its identity, and reserve its name
 * @ring: ring
 *
 * Nobody finds the ring before shmring_publish().
 *
 * Return: 0, -EEXIST or -ENOMEM.
 */
int shmring_register(struct shmring_ring *ring)
{
	int err = 0;

	ring->ns = current_ns();
	get_user_ns(ring->ns.user_ns);
	mutex_lock(&shmring_registry_lock);
	if (ring->name[0] && find_name(&ring->ns, ring->name))
		err = -EEXIST;
	if (!err)
		err = xa_insert(&shmring_rings, shmring_last_id + 1, ring, GFP_KERNEL_ACCOUNT);
	if (!err) {
		ring->id = ++shmring_last_id;
		if (ring->name[0])
			hash_add(shmring_names, &ring->name_node, hash_of(&ring->ns, ring->name));
	}
	mutex_unlock(&shmring_registry_lock);
	if (err)
		put_user_ns(ring->ns.user_ns);
	return err;
}

/**
 * shmring_publish() - let others find the ring
 * @ring: registered ring, complete
 */
void shmring_publish(struct shmring_ring *ring)
{
	mutex_lock(&shmring_registry_lock);
	ring->listed = true;
	mutex_unlock(&shmring_registry_lock);
}

/**
 * shmring_put_and_unregister() - drop a reference, and the name with the last
 * @ring: registered ring
 *
 * Return: whether it was the last.
 */
bool shmring_put_and_unregister(struct shmring_ring *ring)
{
	if (!refcount_dec_and_mutex_lock(&ring->refs, &shmring_registry_lock))
		return false;
	xa_erase(&shmring_rings, ring->id);
	if (ring->name[0])
		hash_del(&ring->name_node);
	mutex_unlock(&shmring_registry_lock);
	put_user_ns(ring->ns.user_ns);
	return true;
}

/**
 * shmring_find_name() - find a ring by name in the caller's namespace
 * @name: checked name
 *
 * Return: the ring, referenced, or NULL.
 */
struct shmring_ring *shmring_find_name(const u8 *name)
{
	struct shmring_ns ns = current_ns();
	struct shmring_ring *ring;

	mutex_lock(&shmring_registry_lock);
	ring = find_name(&ns, name);
	if (ring && ring->listed)
		refcount_inc(&ring->refs);
	else
		ring = NULL;
	mutex_unlock(&shmring_registry_lock);
	return ring;
}

/**
 * shmring_find_next() - find the next ring that the caller may read
 * @after: identity of the last one seen, or 0
 *
 * Return: the ring of the caller's namespace with the smallest identity above
 * @after, referenced, or NULL.
 */
struct shmring_ring *shmring_find_next(u64 after)
{
	struct shmring_ns ns = current_ns();
	struct shmring_ring *ring;
	unsigned long id;

	if (after == U64_MAX)
		return NULL;
	mutex_lock(&shmring_registry_lock);
	xa_for_each_start(&shmring_rings, id, ring, after + 1) {
		cond_resched();		/* there may be very many of others */
		if (!ring->listed || !same_ns(&ring->ns, &ns) ||
		    !(shmring_rights(ring) & SHMRING_MAY_READ))
			continue;
		refcount_inc(&ring->refs);
		break;
	}
	mutex_unlock(&shmring_registry_lock);
	return ring;
}
