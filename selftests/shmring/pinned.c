// SPDX-License-Identifier: GPL-2.0-only
/*
 * An endpoint may have pinned its CURSOR page for a device or for io_uring, which then
 * writes it without a mapping and after the endpoint's end, or hold it otherwise: by then
 * the page must be no part of the ring that a successor writes.
 */
#include "endpoint.h"
#include "uring.h"

FIXTURE(pinned) {
	struct uring u;
	struct endpoint observer;
	int source[2];			/* a pipe: where fixed reads read from */
};

FIXTURE_VARIANT(pinned) {
	__u32 role;
	__u32 placement;
	int node;
};

FIXTURE_VARIANT_ADD(pinned, producer) { PRODUCER, SHMRING_PLACE_LOCAL, -1 };
FIXTURE_VARIANT_ADD(pinned, consumer) { CONSUMER, SHMRING_PLACE_LOCAL, -1 };
FIXTURE_VARIANT_ADD(pinned, producer_same_node) { PRODUCER, SHMRING_PLACE_STRICT, 0 };
FIXTURE_VARIANT_ADD(pinned, consumer_preferred) { CONSUMER, SHMRING_PLACE_PREFERRED, 0 };

FIXTURE_SETUP(pinned)
{
	int fd = ring_create(SPSC, OBSERVER, 4096, NULL);
	cpu_set_t set;

	/* On node 0, where the page is: its node is no reason to replace it. */
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	ASSERT_EQ(0, endpoint_map(&self->observer, fd));
	ASSERT_EQ(0, pipe(self->source));
	self->u.fd = -1;
}

FIXTURE_TEARDOWN(pinned)
{
	if (self->u.fd >= 0)
		uring_close(&self->u);
	endpoint_unmap(&self->observer);
	close(self->observer.fd);
	close(self->source[0]);
	close(self->source[1]);
}

static int attach(const FIXTURE_DATA(pinned) *self, __u32 role, __u32 placement, int node)
{
	struct shmring_ioc_attach arg = attach_fd_args(role, self->observer.fd);

	arg.cursor_placement = placement;
	arg.cursor_node = node;
	return open_and(SHMRING_IOC_ATTACH, &arg);
}

/* Write a word to @to, which is in the one registered buffer: 0 or -errno. */
static int write_through_pin(FIXTURE_DATA(pinned) *self, void *to, __u64 word)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = self->source[0],
		.addr = (uintptr_t)to,
		.len = sizeof(word),
		.off = ~0ull,
		.buf_index = 0,
	};
	struct io_uring_cqe cqe;
	int err;

	if (write(self->source[1], &word, sizeof(word)) != sizeof(word))
		return -errno;
	err = uring_submit(&self->u, &sqe) ?: uring_wait(&self->u, &cqe, 10);
	if (err)
		return err;
	return cqe.res == sizeof(word) ? 0 : cqe.res < 0 ? cqe.res : -EIO;
}

TEST_F(pinned, page_is_not_the_successors)
{
	struct endpoint old, new;
	const struct shmring_cursor *seen;
	struct shmring_cursor before;
	struct iovec buffer;
	int err;

	err = uring_open(&self->u);
	if (err == -ENOSYS || err == -EPERM)
		SKIP(return, "no io_uring: %s", strerror(-err));
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, endpoint_map(&old, attach(self, variant->role, SHMRING_PLACE_STRICT, 0)));
	seen = endpoint_slot_cursor(&self->observer, old.info.slot);
	buffer = (struct iovec){ old.cursor, page_size() };
	if (syscall(SYS_io_uring_register, self->u.fd, IORING_REGISTER_BUFFERS, &buffer, 1)) {
		err = errno;
		endpoint_unmap(&old);
		close(old.fd);
		ASSERT_EQ(EOPNOTSUPP, err);
		SKIP(return, "this kernel's io_uring pins no file-backed memory");
	}

	/* While it lives it may. */
	ASSERT_EQ(0, write_through_pin(self, &old.cursor->want, 64));
	ASSERT_EQ(64, shmring_load(&seen->want));
	endpoint_unmap(&old);
	close(old.fd);
	ASSERT_EQ(SHMRING_SLOT_DEAD, self->observer.meta->slot[old.info.slot].state);

	ASSERT_EQ(0, endpoint_map(&new, attach(self, variant->role, variant->placement,
					       variant->node)));
	ASSERT_EQ(old.info.slot, new.info.slot);
	new.cursor->stalls = 7;
	ASSERT_EQ(7, shmring_load(&seen->stalls));	/* all see the same page */
	memcpy(&before, new.cursor, sizeof(before));
	for (size_t at = 0; at < sizeof(before); at += sizeof(__u64))
		ASSERT_EQ(0, write_through_pin(self, (char *)old.cursor + at, ~0ull << 32 | at));
	EXPECT_EQ(0, memcmp(&before, new.cursor, sizeof(before)));
	EXPECT_EQ(0, memcmp(&before, seen, sizeof(before)));
	EXPECT_EQ(0, poll_now(self->observer.fd, 0));
	EXPECT_EQ(variant->role == PRODUCER ? POLLOUT : 0, poll_now(new.fd, POLLIN | POLLOUT));

	/* The page after that is not pinned, and is wherever it was wanted. */
	if (variant->node >= 0)
		EXPECT_EQ(variant->node, new.info.cursor_node);
	endpoint_unmap(&new);
	close(new.fd);
	ASSERT_EQ(0, endpoint_map(&new, attach(self, variant->role, SHMRING_PLACE_LOCAL, -1)));
	EXPECT_EQ(7, shmring_load(&new.cursor->stalls));
	endpoint_unmap(&new);
	close(new.fd);
}

/* Not all who write pages pin them: before 6.3 a read with O_DIRECT has a reference alone. */
TEST_F(pinned, held_page_is_not_the_successors)
{
	struct shmring_cursor *seen;
	struct endpoint old, new;
	struct iovec page;
	int held[2];

	ASSERT_EQ(0, pipe(held));
	seen = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)seen);
	ASSERT_EQ(0, endpoint_map(&old, attach(self, variant->role, SHMRING_PLACE_STRICT, 0)));
	page = (struct iovec){ old.cursor, page_size() };
	ASSERT_EQ(page_size(), vmsplice(held[1], &page, 1, 0));
	old.cursor->stalls = 1;
	endpoint_unmap(&old);
	close(old.fd);

	ASSERT_EQ(0, endpoint_map(&new, attach(self, variant->role, variant->placement,
					       variant->node)));
	ASSERT_EQ(old.info.slot, new.info.slot);
	EXPECT_EQ(1, new.cursor->stalls);
	new.cursor->stalls = 7;
	ASSERT_EQ(page_size(), read(held[0], seen, page_size()));
	EXPECT_EQ(1, seen->stalls);	/* what is held is what it was at the end */
	EXPECT_EQ(7, endpoint_slot_cursor(&self->observer, new.info.slot)->stalls);
	endpoint_unmap(&new);
	close(new.fd);
	close(held[0]);
	close(held[1]);
}

TEST_HARNESS_MAIN
