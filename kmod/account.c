// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for ring memory. It cannot be swapped, so it is charged three times
 * over and given back once, when the ring goes:
 *
 *  - to the user's locked memory, as io_uring, perf and XDP charge theirs, against
 *    RLIMIT_MEMLOCK of the process that creates the ring (not with CAP_IPC_LOCK);
 *  - to the user, against the module's max_user_bytes;
 *  - to the machine, against the module's max_bytes.
 *
 * The memory cgroup is charged by the page cache itself.
 *
 * shmring_account_lock (spinlock, innermost) guards the list of users and their
 * counts; the machine's count is under it too.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "trace.h"

static unsigned long max_bytes;
module_param(max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes,
		 "Bytes of all rings together; 0 at load: half of memory, 0 later: no limit");

static unsigned long max_user_bytes;
module_param(max_user_bytes, ulong, 0644);
MODULE_PARM_DESC(max_user_bytes, "Bytes of the rings of one user; 0: no limit (default)");

/* The module's count for one user, while there is anything to count. */
struct shmring_account {
	struct list_head link;
	kuid_t uid;
	unsigned long pages;
};

static DEFINE_SPINLOCK(shmring_account_lock);
static LIST_HEAD(shmring_accounts);
static unsigned long shmring_total_pages;

/* Are @more pages too many for a limit of the module? 0 bytes: there is none. */
static bool over(enum shmring_limit which, unsigned long pages, unsigned long more,
		 unsigned long limit_bytes)
{
	unsigned long limit = limit_bytes >> PAGE_SHIFT;

	if (!limit_bytes || (pages <= limit && more <= limit - pages))
		return false;
	trace_shmring_refuse(which, current_uid(), pages, more, limit);
	return true;
}

/* Find the caller's account, or make @fresh it. Under shmring_account_lock. */
static struct shmring_account *account_of(kuid_t uid, struct shmring_account *fresh)
{
	struct shmring_account *account;

	list_for_each_entry(account, &shmring_accounts, link)
		if (uid_eq(account->uid, uid))
			return account;
	fresh->uid = uid;
	list_add(&fresh->link, &shmring_accounts);
	return fresh;
}

static int charge_module(struct shmring_charge *charge, unsigned long pages)
{
	struct shmring_account *fresh, *account;
	int err = 0;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return -ENOMEM;

	spin_lock(&shmring_account_lock);
	account = account_of(current_uid(), fresh);
	if (over(SHMRING_LIMIT_USER, account->pages, pages, READ_ONCE(max_user_bytes))) {
		err = -EDQUOT;
	} else if (over(SHMRING_LIMIT_TOTAL, shmring_total_pages, pages,
			READ_ONCE(max_bytes))) {
		err = -ENOSPC;
	} else {
		account->pages += pages;
		shmring_total_pages += pages;
		charge->account = account;
	}
	if (!account->pages)
		list_del(&account->link);	/* it is @fresh, refused */
	else if (account == fresh)
		fresh = NULL;
	spin_unlock(&shmring_account_lock);

	kfree(fresh);
	return err;
}

static void uncharge_module(struct shmring_charge *charge)
{
	struct shmring_account *account = charge->account;

	spin_lock(&shmring_account_lock);
	shmring_total_pages -= charge->pages;
	account->pages -= charge->pages;
	if (account->pages)
		account = NULL;
	else
		list_del(&account->link);
	spin_unlock(&shmring_account_lock);

	kfree(account);
}

static int charge_user(struct shmring_charge *charge, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();
	unsigned long have, want;
	bool unlimited = capable(CAP_IPC_LOCK);

	have = atomic_long_read(&user->locked_vm);
	do {
		want = have + pages;
		if (!unlimited && (want < have || want > limit)) {
			trace_shmring_refuse(SHMRING_LIMIT_MEMLOCK, current_uid(), have, pages,
					     limit);
			return -EDQUOT;
		}
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &have, want));

	/* Holds the user; free_uid() is not exported by every 6.1. */
	charge->cred = get_current_cred();
	return 0;
}

/**
 * shmring_charge() - charge the caller for a ring
 * @charge: what was charged, for shmring_uncharge()
 * @pages: how many pages the ring will have
 *
 * Context: process; may sleep.
 * Return: 0, -EDQUOT, -ENOSPC or -ENOMEM.
 */
int shmring_charge(struct shmring_charge *charge, unsigned long pages)
{
	int err;

	charge->pages = pages;
	err = charge_module(charge, pages);
	if (err)
		return err;
	err = charge_user(charge, pages);
	if (err)
		uncharge_module(charge);
	return err;
}

/**
 * shmring_uncharge() - give back what shmring_charge() took
 * @charge: the charge
 *
 * Context: any that may free memory.
 */
void shmring_uncharge(struct shmring_charge *charge)
{
	atomic_long_sub(charge->pages, &charge->cred->user->locked_vm);
	put_cred(charge->cred);
	uncharge_module(charge);
}

/**
 * shmring_account_init() - set the limit that depends on the machine
 */
void __init shmring_account_init(void)
{
	if (!max_bytes)
		max_bytes = (totalram_pages() / 2) << PAGE_SHIFT;
}
