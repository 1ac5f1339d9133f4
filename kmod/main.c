// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading. Everything else begins with an open of /dev/shmring, or with
 * another module's call.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include <shmring/version.h>

#include "shmring.h"

static struct miscdevice shmring_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shmring",
	.fops = &shmring_fops,
	.mode = 0660,
};

/* Where other modules' consumers are called, and wake-ups go that an interrupt cannot make. */
struct workqueue_struct *shmring_wq;

static int __init shmring_init(void)
{
	int err = shmring_barrier_init();

	if (err)
		return err;
	shmring_wq = alloc_workqueue("shmring", WQ_UNBOUND, 0);
	if (!shmring_wq) {
		err = -ENOMEM;
		goto err_barrier;
	}
	shmring_account_init();
	err = misc_register(&shmring_device);
	if (err)
		goto err_destroy_wq;
	return 0;

err_destroy_wq:
	destroy_workqueue(shmring_wq);
err_barrier:
	shmring_barrier_exit();
	return err;
}

static void __exit shmring_exit(void)
{
	misc_deregister(&shmring_device);
	destroy_workqueue(shmring_wq);
	shmring_barrier_exit();
}

module_init(shmring_init);
module_exit(shmring_exit);

MODULE_DESCRIPTION("Message rings in NUMA-local shared memory");
MODULE_LICENSE("GPL");
MODULE_VERSION(SHMRING_VERSION);
