// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading. Everything else begins with an open of /dev/shmring.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "shmring.h"

static struct miscdevice shmring_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shmring",
	.fops = &shmring_fops,
	.mode = 0660,
};

static int __init shmring_init(void)
{
	shmring_account_init();
	return misc_register(&shmring_device);
}

static void __exit shmring_exit(void)
{
	misc_deregister(&shmring_device);
}

module_init(shmring_init);
module_exit(shmring_exit);

MODULE_DESCRIPTION("Message rings in NUMA-local shared memory");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
