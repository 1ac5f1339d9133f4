// SPDX-License-Identifier: GPL-2.0-only
/*
 * ask A +|/ B - have shmring_commands.ko compute something
 * ask COUNT   - have it add COUNT times, many requests under way, and check each answer
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <shmring.h>

#include "commands.h"

static struct shmring *requests, *answers;

static void check(long ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, shmring_strerror((int)ret));
}

/* A ring of ours; the module attaches as its other end. */
static struct shmring *make(uint32_t role)
{
	struct shmring_opts opts = {
		.size = sizeof(opts),
		.backend = SHMRING_BACKEND_DEVICE,
		.node = -1,
		.cursor_node = -1,
		.mode = 0600,
		.data_size = 4096,
		.topology = SHMRING_TOPO_SPSC,
		.spin_ns = SHMRING_SPIN_AUTO,
	};
	struct shmring *r;

	check(shmring_create(NULL, role, &opts, &r), "cannot make a ring on the device");
	return r;
}

static void ask(uint64_t id, uint32_t op, uint64_t a, uint64_t b)
{
	struct command command = { .id = id, .op = op, .a = a, .b = b };

	check(shmring_send(requests, &command, sizeof(command), SHMRING_FOREVER), "request");
}

static struct answer hear(void)
{
	struct answer answer;
	long n = shmring_recv(answers, &answer, sizeof(answer), SHMRING_FOREVER);

	check(n, "answer");
	if (n != sizeof(answer))
		errx(1, "an answer of %ld bytes", n);
	return answer;
}

static int ask_many(uint64_t count)
{
	uint64_t under_way = 50, id;
	struct answer answer;

	if (count < under_way)
		under_way = count;
	for (id = 0; id < count + under_way; id++) {
		if (id < count)
			ask(id, COMMAND_ADD, id, 7);
		if (id < under_way)
			continue;
		answer = hear();
		if (answer.id != id - under_way || answer.err || answer.result != answer.id + 7)
			errx(1, "answer %llu is wrong", (unsigned long long)answer.id);
	}
	printf("%llu answers\n", (unsigned long long)count);
	return 0;
}

int main(int argc, char **argv)
{
	int fd = open(COMMAND_DEVICE, O_RDWR | O_CLOEXEC);
	struct command_rings rings;
	struct answer answer;

	if (argc != 2 && argc != 4)
		errx(2, "usage: ask A +|/ B, or ask COUNT");
	if (fd < 0)
		err(1, "%s (is shmring_commands.ko loaded?)", COMMAND_DEVICE);
	requests = make(SHMRING_ROLE_PRODUCER);
	answers = make(SHMRING_ROLE_CONSUMER);
	rings.requests = shmring_fd(requests);
	rings.answers = shmring_fd(answers);
	if (ioctl(fd, COMMAND_SERVE, &rings))
		err(1, "%s", COMMAND_DEVICE);
	if (argc == 2)
		return ask_many(strtoull(argv[1], NULL, 0));

	ask(1, argv[2][0] == '+' ? COMMAND_ADD : argv[2][0] == '/' ? COMMAND_DIVIDE : 0,
	    strtoull(argv[1], NULL, 0), strtoull(argv[3], NULL, 0));
	answer = hear();
	if (answer.err)
		errx(1, "%s", strerror(-answer.err));
	printf("%llu\n", (unsigned long long)answer.result);
	return 0;
}
