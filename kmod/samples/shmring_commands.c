// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes commands from one ring and answers on another: the smallest useful consumer.
 *
 * A program makes both rings, which are charged to it, and gives the module their
 * descriptors. Requests are answered from a workqueue. When the ring of answers is full
 * the request is not taken, and tried again when the program has read: by a work item
 * that waits for space.
 *
 * Each of the two calls for the other: request() schedules the work, which resumes request().
 * So neither can be stopped first. Closing says so (closing), by a lock, and then stops both.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/shmring_kernel.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "commands.h"

/**
 * struct server - one open file
 * @lock: one COMMAND_SERVE at a time
 * @requests: consumer; NULL: none, or it is still being attached; by @wait_lock
 * @answers: producer; there before request() is called
 * @wait_lock: whether there is anything to wait for
 * @closing: there is not any more; by @wait_lock
 * @wait: waits for space for an answer
 */
struct server {
	struct mutex lock;	/* outermost */
	struct shmring_consumer *requests;
	struct shmring_producer *answers;
	spinlock_t wait_lock;	/* innermost */
	bool closing;
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

/* No more once the file is being closed: whoever cancels it does so for good. */
static void wait_for_space(struct server *server)
{
	spin_lock(&server->wait_lock);
	if (!server->closing)
		schedule_delayed_work(&server->wait, 1);
	spin_unlock(&server->wait_lock);
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
	wait_for_space(server);
	return err;
}

static void try_again(struct work_struct *work)
{
	struct server *server = container_of(to_delayed_work(work), struct server, wait);
	struct shmring_consumer *requests;

	spin_lock(&server->wait_lock);
	requests = server->requests;
	spin_unlock(&server->wait_lock);
	if (requests)
		shmring_consumer_resume(requests);
	else
		wait_for_space(server);	/* request() came before attaching was done */
}

static int attach_answers(struct server *server, int fd)
{
	struct shmring_ref *ref = shmring_get_by_fd(fd);
	struct shmring_producer *answers;

	if (IS_ERR(ref))
		return PTR_ERR(ref);
	answers = shmring_producer_attach(ref, NUMA_NO_NODE);
	shmring_put(ref);
	if (IS_ERR(answers))
		return PTR_ERR(answers);
	server->answers = answers;
	return 0;
}

/* request() may be called before this returns, and is not if it fails. */
static int attach_requests(struct server *server, int fd)
{
	struct shmring_consumer_opts opts = {
		.size = sizeof(opts),
		.record = request,
		.ctx = server,
	};
	struct shmring_ref *ref = shmring_get_by_fd(fd);
	struct shmring_consumer *requests;

	if (IS_ERR(ref))
		return PTR_ERR(ref);
	requests = shmring_consumer_attach(ref, NUMA_NO_NODE, &opts);
	shmring_put(ref);
	if (IS_ERR(requests))
		return PTR_ERR(requests);
	spin_lock(&server->wait_lock);
	server->requests = requests;
	spin_unlock(&server->wait_lock);
	return 0;
}

static int attach(struct server *server, const struct command_rings *rings)
{
	int err = attach_answers(server, rings->answers);

	if (err)
		return err;
	err = attach_requests(server, rings->requests);
	if (err) {
		shmring_producer_detach(server->answers);
		server->answers = NULL;
	}
	return err;
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
	mutex_unlock(&server->lock);
	return err;
}

static int commands_open(struct inode *inode, struct file *file)
{
	struct server *server = kzalloc(sizeof(*server), GFP_KERNEL_ACCOUNT);

	if (!server)
		return -ENOMEM;
	mutex_init(&server->lock);
	spin_lock_init(&server->wait_lock);
	INIT_DELAYED_WORK(&server->wait, try_again);
	file->private_data = server;
	return nonseekable_open(inode, file);
}

static int commands_release(struct inode *inode, struct file *file)
{
	struct server *server = file->private_data;

	if (server->requests) {
		spin_lock(&server->wait_lock);
		server->closing = true;
		spin_unlock(&server->wait_lock);
		cancel_delayed_work_sync(&server->wait);	/* nobody resumes after this */
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
