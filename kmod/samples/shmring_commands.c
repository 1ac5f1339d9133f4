// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes commands from one ring and answers on another: the smallest useful consumer.
 *
 * A program makes both rings, which are charged to it, and gives the module their
 * descriptors. Requests are answered from a workqueue. When the ring of answers is full
 * the request is not taken, and tried again when the program has read: by a work item
 * that waits for space.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/shmring_kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "commands.h"

/**
 * struct server - one open file
 * @lock: one COMMAND_SERVE at a time
 * @requests: consumer
 * @answers: producer
 * @wait: waits for space for an answer
 */
struct server {
	struct mutex lock;	/* outermost */
	struct shmring_consumer *requests;
	struct shmring_producer *answers;
	struct delayed_work wait;
};

static void run(const struct command *command, struct answer *answer)
{
	answer->id = command->id;
	switch (command->op) {
	case COMMAND_ADD:
		answer->result = command->a + command->b;
		break;
	case COMMAND_DIVIDE:
		if (command->b)
			answer->result = command->a / command->b;
		else
			answer->err = -EDOM;
		break;
	default:
		answer->err = -EINVAL;
	}
}

/* The program can change the request while it is looked at: take a copy first. */
static int request(void *ctx, const void *payload, size_t len)
{
	struct answer answer = { };
	struct server *server = ctx;
	struct command command;
	int err;

	if (len == sizeof(command)) {
		memcpy(&command, payload, sizeof(command));
		run(&command, &answer);
	} else {
		answer.err = -EINVAL;
	}
	err = shmring_write(server->answers, &answer, sizeof(answer));
	if (err != -EAGAIN)
		return 0;	/* answered, or nobody reads answers any more */
	schedule_delayed_work(&server->wait, 1);
	return err;
}

static void try_again(struct work_struct *work)
{
	struct server *server = container_of(to_delayed_work(work), struct server, wait);

	shmring_consumer_resume(server->requests);
}

static int attach(struct server *server, const struct command_rings *rings)
{
	struct shmring_consumer_opts opts = {
		.size = sizeof(opts),
		.record = request,
		.ctx = server,
	};
	struct shmring_ref *ref;

	ref = shmring_get_by_fd(rings->answers);
	if (IS_ERR(ref))
		return PTR_ERR(ref);
	server->answers = shmring_producer_attach(ref, NUMA_NO_NODE);
	shmring_put(ref);
	if (IS_ERR(server->answers))
		return PTR_ERR(server->answers);

	ref = shmring_get_by_fd(rings->requests);
	if (IS_ERR(ref)) {
		server->requests = ERR_CAST(ref);
	} else {
		server->requests = shmring_consumer_attach(ref, NUMA_NO_NODE, &opts);
		shmring_put(ref);
	}
	if (IS_ERR(server->requests)) {
		shmring_producer_detach(server->answers);
		return PTR_ERR(server->requests);
	}
	return 0;
}

static long commands_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct server *server = file->private_data;
	struct command_rings rings;
	int err;

	if (cmd != COMMAND_SERVE)
		return -ENOTTY;
	if (copy_from_user(&rings, (void __user *)arg, sizeof(rings)))
		return -EFAULT;
	mutex_lock(&server->lock);
	err = server->requests ? -EISCONN : attach(server, &rings);
	if (err && err != -EISCONN)
		server->requests = NULL;
	mutex_unlock(&server->lock);
	return err;
}

static int commands_open(struct inode *inode, struct file *file)
{
	struct server *server = kzalloc(sizeof(*server), GFP_KERNEL_ACCOUNT);

	if (!server)
		return -ENOMEM;
	mutex_init(&server->lock);
	INIT_DELAYED_WORK(&server->wait, try_again);
	file->private_data = server;
	return nonseekable_open(inode, file);
}

static int commands_release(struct inode *inode, struct file *file)
{
	struct server *server = file->private_data;

	if (server->requests) {
		cancel_delayed_work_sync(&server->wait);
		shmring_consumer_detach(server->requests);	/* no request() after this */
		shmring_producer_detach(server->answers);
	}
	kfree(server);
	return 0;
}

static const struct file_operations commands_fops = {
	.owner = THIS_MODULE,
	.open = commands_open,
	.release = commands_release,
	.unlocked_ioctl = commands_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice commands_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shmring_commands",
	.fops = &commands_fops,
	.mode = 0600,
};
module_misc_device(commands_device);

MODULE_DESCRIPTION("Sample: commands and answers through shmring");
MODULE_LICENSE("GPL");
