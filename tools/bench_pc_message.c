// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contenders that the kernel carries as messages: UNIX seqpacket socket, POSIX message
 * queue, System V message queue. A POSIX queue's name is gone as soon as it is open; a
 * System V queue is removed by who made it.
 */
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_pc_loops.h"

struct pc_channel {
	int from;
	int to;
	struct {
		long type;
		char text[];
	} *msg;			/* System V: what is sent begins with a type */
};

static inline int unix_seq_send(struct pc_channel *c, const void *buf, size_t len)
{
	ssize_t n = send(c->to, buf, len, MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EMSGSIZE;
}

static inline int unix_seq_recv(struct pc_channel *c, void *buf, size_t len)
{
	ssize_t n = recv(c->from, buf, len, MSG_TRUNC);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EBADMSG;
}

PC_LOOPS(unix_seq)

static inline int posix_mq_send(struct pc_channel *c, const void *buf, size_t len)
{
	return mq_send(c->to, buf, len, 0) ? -errno : 0;
}

static inline int posix_mq_recv(struct pc_channel *c, void *buf, size_t len)
{
	ssize_t n = mq_receive(c->from, buf, len, NULL);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EBADMSG;
}

PC_LOOPS(posix_mq)

static inline int sysv_msg_send(struct pc_channel *c, const void *buf, size_t len)
{
	c->msg->type = 1;
	memcpy(c->msg->text, buf, len);
	return msgsnd(c->to, c->msg, len, 0) ? -errno : 0;
}

static inline int sysv_msg_recv(struct pc_channel *c, void *buf, size_t len)
{
	ssize_t n = msgrcv(c->from, c->msg, len, 0, 0);

	if (n < 0)
		return -errno;
	memcpy(buf, c->msg->text, (size_t)n);
	return n == (ssize_t)len ? 0 : -EBADMSG;
}

PC_LOOPS(sysv_msg)

static int new_channel(int from, int to, struct pc_channel **out)
{
	struct pc_channel *c = calloc(1, sizeof(*c));

	if (!c) {
		close(from);
		if (to != from)
			close(to);
		return -ENOMEM;
	}
	c->from = from;
	c->to = to;
	*out = c;
	return 0;
}

static void message_destroy(struct pc_channel *c)
{
	close(c->from);
	if (c->to != c->from)
		close(c->to);
	free(c);
}

static int unix_seq_make(const struct pc_shape *shape, struct pc_channel **out)
{
	int fd[2], want = (int)(2 * shape->len), have = 0;
	socklen_t n = sizeof(have);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		return -errno;
	/* A message has to fit the sender's buffer; only root gets more than a limit. */
	getsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &have, &n);
	if (have < want && setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)))
		setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	return new_channel(fd[0], fd[1], out);
}

static uint64_t unix_seq_memory(const struct pc_channel *c)
{
	int sent = 0, received = 0;
	socklen_t n = sizeof(int);

	getsockopt(c->to, SOL_SOCKET, SO_SNDBUF, &sent, &n);
	getsockopt(c->from, SOL_SOCKET, SO_RCVBUF, &received, &n);
	return (uint64_t)sent + (uint64_t)received;
}

/* The system's default limit: 10 messages; and a length that root may exceed. */
static int posix_mq_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = (long)shape->len };
	static unsigned int number;
	char name[64];
	mqd_t q;

	snprintf(name, sizeof(name), "/shmring-bench-%d-%u", (int)getpid(), number++);
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (q < 0)
		return -errno;
	mq_unlink(name);
	return new_channel(q, q, out);
}

static uint64_t posix_mq_memory(const struct pc_channel *c)
{
	struct mq_attr attr;

	if (mq_getattr(c->to, &attr))
		return 0;
	return (uint64_t)attr.mq_maxmsg * (uint64_t)attr.mq_msgsize;
}

static int sysv_msg_make(const struct pc_shape *shape, struct pc_channel **out)
{
	struct pc_channel *c = calloc(1, sizeof(*c));
	int q, err;

	if (!c)
		return -ENOMEM;
	c->msg = malloc(sizeof(*c->msg) + shape->len);
	if (!c->msg) {
		free(c);
		return -ENOMEM;
	}
	q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (q < 0) {
		err = -errno;
		free(c->msg);
		free(c);
		return err;
	}
	c->from = q;
	c->to = q;
	*out = c;
	return 0;
}

static void sysv_msg_destroy(struct pc_channel *c)
{
	msgctl(c->to, IPC_RMID, NULL);
	free(c->msg);
	free(c);
}

static uint64_t sysv_msg_memory(const struct pc_channel *c)
{
	struct msqid_ds ds;

	return msgctl(c->to, IPC_STAT, &ds) ? 0 : ds.msg_qbytes;
}

/* By trying: a kernel or a sandbox may be without. */

static const struct pc_shape least = { .len = 8, .batch = 1, .ring_bytes = 4096, .slots = 1 };

static int unix_seq_available(void)
{
	struct pc_channel *c;
	int err = unix_seq_make(&least, &c);

	if (!err)
		message_destroy(c);
	return err;
}

static int posix_mq_available(void)
{
	struct pc_channel *c;
	int err = posix_mq_make(&least, &c);

	if (!err)
		message_destroy(c);
	return err;
}

static int sysv_msg_available(void)
{
	struct pc_channel *c;
	int err = sysv_msg_make(&least, &c);

	if (!err)
		sysv_msg_destroy(c);
	return err;
}

static const char *unix_seq_unfit(const struct pc_shape *shape)
{
	struct pc_channel *c;
	socklen_t n = sizeof(int);
	int room = 0;

	if (unix_seq_make(shape, &c))
		return "no socket can be made";
	getsockopt(c->to, SOL_SOCKET, SO_SNDBUF, &room, &n);
	message_destroy(c);
	if (room < (int)shape->len + 64)
		return "longer than /proc/sys/net/core/wmem_max allows";
	return NULL;
}

static const char *posix_mq_unfit(const struct pc_shape *shape)
{
	struct pc_channel *c;

	if (posix_mq_make(shape, &c))
		return "longer than /proc/sys/fs/mqueue/msgsize_max or RLIMIT_MSGQUEUE allow";
	message_destroy(c);
	return NULL;
}

static const char *sysv_msg_unfit(const struct pc_shape *shape)
{
	struct msginfo info;

	if (msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&info) < 0)
		return "its limits are not told";
	if (shape->len > (size_t)info.msgmax)
		return "longer than /proc/sys/kernel/msgmax allows";
	return NULL;
}

#define MESSAGE_CONTENDER(NAME, TITLE, WHAT, DESTROY)	\
const struct pc_contender pc_##NAME = {			\
	.name = TITLE,					\
	.what = WHAT,					\
	.available = NAME##_available,			\
	.unfit = NAME##_unfit,				\
	.make = NAME##_make,				\
	.destroy = DESTROY,				\
	.join = pc_join_nothing,			\
	.leave = pc_leave_nothing,			\
	.memory = NAME##_memory,			\
	.produce = NAME##_produce,			\
	.consume = NAME##_consume,			\
	.client = NAME##_client,			\
	.server = NAME##_server,			\
}

MESSAGE_CONTENDER(unix_seq, "unix-seqpacket", "UNIX socket pair, SOCK_SEQPACKET",
		  message_destroy);
MESSAGE_CONTENDER(posix_mq, "posix-mq", "POSIX message queue of 10 messages", message_destroy);
MESSAGE_CONTENDER(sysv_msg, "sysv-msg", "System V message queue", sysv_msg_destroy);
