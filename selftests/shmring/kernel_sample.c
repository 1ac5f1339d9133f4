// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring_commands.ko whose file is closed while it waits for space for an answer: no timer
 * outlives the file. One that does is seen by kernels that debug objects, or memory; another is
 * lucky to go on.
 *
 * Requests stay in their ring, and answers in theirs, so each round begins with both full.
 */
#include <sys/prctl.h>

#include "kernel.h"
#include "commands.h"

#define ROUNDS		400
#define REQUESTS	300	/* more than there is room for answers */
#define LATEST		12000	/* us to wait before closing: a retry, and some */

FIXTURE(sample) {
	int loaded;
	struct command_rings rings;
	struct endpoint p, c;
};

FIXTURE_SETUP(sample)
{
	struct command command = { .op = COMMAND_ADD };
	const char *dir = getenv("SHMRING_MODULES");
	struct shmring_spsc_tx tx;
	char path[512];
	int i;

	snprintf(path, sizeof(path), "%s/shmring_commands.ko", dir ? dir : "");
	self->loaded = dir ? module_load(path) : -ENOENT;
	self->rings.requests = ring_create(SPSC, PRODUCER, 1 << 16, NULL);
	ASSERT_LE(0, self->rings.requests);
	self->rings.answers = ring_create(SPSC, CONSUMER, 4096, NULL);
	ASSERT_LE(0, self->rings.answers);
	ASSERT_EQ(0, endpoint_map(&self->p, self->rings.requests));
	ASSERT_EQ(0, endpoint_map(&self->c, self->rings.answers));
	ASSERT_EQ(0, tx_init(&tx, &self->p));
	for (i = 0; i < REQUESTS; i++)
		ASSERT_EQ(0, tx_try(&self->p, &tx, &command, sizeof(command)));
}

FIXTURE_TEARDOWN(sample)
{
	endpoint_unmap(&self->p);
	endpoint_unmap(&self->c);
	close(self->rings.requests);
	close(self->rings.answers);
	if (!self->loaded)
		EXPECT_EQ(0, module_unload("shmring_commands"));
}

/* How often there was no space for an answer. */
static __u64 stalls(const struct endpoint *answers)
{
	return shmring_load(&endpoint_peer(answers)->stalls);
}

/* An open file with requests that wait, or -errno. */
static int serve(const struct endpoint *answers, struct command_rings *rings)
{
	int fd = open(COMMAND_DEVICE, O_RDWR | O_CLOEXEC), err;
	__u64 before = stalls(answers);

	if (fd < 0)
		return -errno;
	err = kt_with(fd, COMMAND_SERVE, rings);
	if (err) {
		close(fd);
		return err;
	}
	while (stalls(answers) == before)
		sched_yield();
	return fd;
}

static void rounds(struct __test_metadata *_metadata, FIXTURE_DATA(sample) *self)
{
	int fd, i;

	srand(1);
	for (i = 0; i < ROUNDS; i++) {
		fd = serve(&self->c, &self->rings);
		ASSERT_LE(0, fd);
		usleep((unsigned int)rand() % LATEST);
		close(fd);
	}
	usleep(LATEST);
}

TEST_F(sample, closed_while_it_waits)
{
	NEED_MODULE();
	rounds(_metadata, self);
}

/* With others about, attaching is interrupted for longer than it takes to try again. */
TEST_F(sample, tried_again_while_it_attaches)
{
	struct child busy[2];
	int i;

	NEED_MODULE();
	for (i = 0; i < 2; i++)
		if (!child_start(&busy[i])) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				;
		}
	rounds(_metadata, self);
	for (i = 0; i < 2; i++)
		child_kill(&busy[i]);
}

TEST_HARNESS_MAIN
