/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a program speaks to shmring_commands.ko: by a ring of requests and one of answers.
 */
#ifndef SHMRING_SAMPLE_COMMANDS_H
#define SHMRING_SAMPLE_COMMANDS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define COMMAND_DEVICE	"/dev/shmring_commands"

#define COMMAND_ADD	1	/* answer: a + b */
#define COMMAND_DIVIDE	2	/* answer: a / b; -EDOM for b == 0 */

/**
 * struct command - a record of the ring of requests
 * @id: what the answer shall be known by
 * @op: COMMAND_*
 * @resv: not looked at
 * @a: operand
 * @b: operand
 */
struct command {
	__u64 id;
	__u32 op;
	__u32 resv;
	__u64 a;
	__u64 b;
};

/**
 * struct answer - a record of the ring of answers
 * @id: of the request
 * @result: what it asked for
 * @err: 0, -EINVAL (no such command), -EDOM
 * @resv: zero
 */
struct answer {
	__u64 id;
	__u64 result;
	__s32 err;
	__u32 resv;
};

/**
 * struct command_rings - argument of COMMAND_SERVE
 * @requests: descriptor of an endpoint that may pass on the right to read
 * @answers: descriptor of an endpoint that may pass on the right to write
 *
 * From then on until the file is closed requests are answered.
 */
struct command_rings {
	__s32 requests;
	__s32 answers;
};

#define COMMAND_SERVE	_IOW(0xBD, 1, struct command_rings)

#endif /* SHMRING_SAMPLE_COMMANDS_H */
