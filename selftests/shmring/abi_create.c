// SPDX-License-Identifier: GPL-2.0-only
/*
 * CREATE: each wrong argument has its own errno, leaves the struct as it was and the
 * file unbound; each right one is taken.
 */
#include "shmring_test.h"

#define FIELD(name)	offsetof(struct shmring_ioc_create, name), \
			sizeof(((struct shmring_ioc_create *)0)->name)

struct poke {
	size_t at, len;
	__u64 value;
};

static void poke(void *arg, const struct poke *p)
{
	__u32 word = (__u32)p->value;

	if (p->len == sizeof(word))
		memcpy((char *)arg + p->at, &word, sizeof(word));
	else
		memcpy((char *)arg + p->at, &p->value, p->len);
}

/* What has to be true of a file after a CREATE that failed: nothing happened. */
static void expect_untouched(struct __test_metadata *_metadata, int fd)
{
	struct shmring_ioc_create good = create_args(SPSC, PRODUCER, page_size());
	struct shmring_ioc_info info;

	EXPECT_EQ(-ENOTCONN, ring_info(fd, &info));
	EXPECT_EQ(0, dev_ioctl(fd, SHMRING_IOC_CREATE, &good));
	EXPECT_EQ(0, ring_info(fd, &info));
	EXPECT_EQ(good.ring_id, info.ring_id);
}

/* ---- wrong values ---- */

FIXTURE(refused) {
	int fd;
};

FIXTURE_VARIANT(refused) {
	__u32 topology;			/* 0: SPSC */
	struct poke poke[3];
	const char *name;
	int err;
};

FIXTURE_SETUP(refused)
{
	self->fd = dev_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(refused)
{
	close(self->fd);
}

TEST_F(refused, with_its_errno)
{
	struct shmring_ioc_create arg, before;

	arg = create_args(variant->topology ?: SPSC, PRODUCER, page_size());
	for (unsigned int i = 0; i < ARRAY_SIZE(variant->poke); i++)
		if (variant->poke[i].len)
			poke(&arg, &variant->poke[i]);
	if (variant->name)
		set_name(arg.name, variant->name);
	before = arg;
	EXPECT_EQ(-variant->err, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &arg));
	EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg)));
	expect_untouched(_metadata, self->fd);
}

#define REFUSED(what, error, ...) \
	FIXTURE_VARIANT_ADD(refused, what) { .err = error, .poke = { __VA_ARGS__ } }
#define REFUSED_RAW(what, error, ...) \
	FIXTURE_VARIANT_ADD(refused, what) \
	{ .err = error, .topology = RAW, .poke = { __VA_ARGS__ } }
#define REFUSED_NAME(what, error, text) \
	FIXTURE_VARIANT_ADD(refused, what) { .err = error, .name = text }
#define POKE(field, value)	{ FIELD(field), (__u64)(value) }

REFUSED(size_zero, EINVAL, POKE(size, 0));
REFUSED(size_short, EINVAL, POKE(size, sizeof(struct shmring_ioc_create) - 1));
REFUSED(flags_unknown, EINVAL, POKE(flags, 0x8));
REFUSED(flags_unknown_top, EINVAL, POKE(flags, 0x80000000));
REFUSED(flags_huge_and_small, EINVAL,
	POKE(flags, SHMRING_CREATE_HUGE | SHMRING_CREATE_SMALL), POKE(data_size, 2u << 20));
REFUSED(topology_zero, EINVAL, POKE(topology, 0));
REFUSED(topology_unknown, EINVAL, POKE(topology, 6));
REFUSED(topology_all_ones, EINVAL, POKE(topology, 0xffffffff));
REFUSED(role_zero, EINVAL, POKE(role, 0));
REFUSED(role_unknown, EINVAL, POKE(role, 0x8));
REFUSED(role_and_unknown, EINVAL, POKE(role, PRODUCER | 0x8));
REFUSED(role_both, EINVAL, POKE(role, PRODUCER | CONSUMER));
REFUSED(role_producer_observer, EINVAL, POKE(role, PRODUCER | OBSERVER));
REFUSED(role_consumer_observer, EINVAL, POKE(role, CONSUMER | OBSERVER));
REFUSED_RAW(raw_role_zero, EINVAL, POKE(role, 0));
REFUSED_RAW(raw_role_producer_observer, EINVAL, POKE(role, PRODUCER | OBSERVER));
REFUSED_RAW(raw_role_all, EINVAL, POKE(role, PRODUCER | CONSUMER | OBSERVER));
REFUSED(data_size_zero, ERANGE, POKE(data_size, 0));
REFUSED(data_size_over, ERANGE, POKE(data_size, SHMRING_DATA_MAX + 1ull));
REFUSED(data_size_all_ones, ERANGE, POKE(data_size, ~0ull));
REFUSED(data_size_wraps, ERANGE, POKE(data_size, 1ull << 63));
REFUSED(data_size_high_word, ERANGE, POKE(data_size, 1ull << 32));
REFUSED(full_overwrite, EOPNOTSUPP, POKE(full_policy, SHMRING_FULL_OVERWRITE));
REFUSED(full_unknown, EINVAL, POKE(full_policy, 3));
REFUSED(slots_one, EINVAL, POKE(slots, 1));
REFUSED(slots_three, EINVAL, POKE(slots, 3));
REFUSED(producers_two, EINVAL, POKE(producers, 2));
REFUSED(consumers_two, EINVAL, POKE(consumers, 2));
REFUSED_RAW(raw_full_drop, EOPNOTSUPP, POKE(full_policy, SHMRING_FULL_DROP_NEWEST));
REFUSED_RAW(raw_producers, EINVAL, POKE(producers, 1));
REFUSED_RAW(raw_consumers, EINVAL, POKE(consumers, 1));
REFUSED_RAW(raw_slots_over, EINVAL, POKE(slots, SHMRING_SLOTS_MAX + 1));
REFUSED_RAW(raw_slots_all_ones, EINVAL, POKE(slots, 0xffffffff));
REFUSED(mode_sticky, EINVAL, POKE(mode, 01600));
REFUSED(mode_high, EINVAL, POKE(mode, 0x80000000));
REFUSED(placement_unknown, EINVAL, POKE(placement, 4));
REFUSED(node_with_local, EINVAL, POKE(node, 0));
REFUSED(node_with_interleave, EINVAL,
	POKE(placement, SHMRING_PLACE_INTERLEAVE), POKE(node, 0));
REFUSED(node_minus_two, EINVAL, POKE(node, -2));
REFUSED(strict_without_node, EINVAL, POKE(placement, SHMRING_PLACE_STRICT));
REFUSED(preferred_without_node, EINVAL, POKE(placement, SHMRING_PLACE_PREFERRED));
REFUSED(strict_node_out_of_range, ENXIO,
	POKE(placement, SHMRING_PLACE_STRICT), POKE(node, 0x7fffffff));
REFUSED(preferred_node_out_of_range, ENXIO,
	POKE(placement, SHMRING_PLACE_PREFERRED), POKE(node, 0x7fffffff));
REFUSED(cursor_placement_unknown, EINVAL, POKE(cursor_placement, 4));
REFUSED(cursor_interleave, EINVAL, POKE(cursor_placement, SHMRING_PLACE_INTERLEAVE));
REFUSED(cursor_node_with_local, EINVAL, POKE(cursor_node, 0));
REFUSED(cursor_strict_without_node, EINVAL, POKE(cursor_placement, SHMRING_PLACE_STRICT));
REFUSED(cursor_node_out_of_range, ENXIO,
	POKE(cursor_placement, SHMRING_PLACE_STRICT), POKE(cursor_node, 0x7fffffff));
REFUSED(resv, EINVAL, POKE(resv, 1));
REFUSED_NAME(name_leading_dot, EINVAL, ".hidden");
REFUSED_NAME(name_dot, EINVAL, ".");
REFUSED_NAME(name_slash, EINVAL, "a/b");
REFUSED_NAME(name_space, EINVAL, "a b");
REFUSED_NAME(name_newline, EINVAL, "a\n");
REFUSED_NAME(name_high_bit, EINVAL, "a\xc3\xa4");
REFUSED_NAME(name_control, EINVAL, "a\x7f");
REFUSED_NAME(name_unterminated, ENAMETOOLONG,
	     "0123456789012345678901234567890123456789012345678901234567890123");

/* ---- wrong memory, wrong state ---- */

FIXTURE(create) {
	int fd;
	struct shmring_ioc_create arg;
	struct shmring_ioc_info info;
};

FIXTURE_SETUP(create)
{
	self->fd = dev_open();
	ASSERT_LE(0, self->fd);
	self->arg = create_args(SPSC, PRODUCER, page_size());
}

FIXTURE_TEARDOWN(create)
{
	close(self->fd);
}

TEST_F(create, null_argument)
{
	EXPECT_EQ(-EFAULT, dev_ioctl(self->fd, SHMRING_IOC_CREATE, NULL));
	expect_untouched(_metadata, self->fd);
}

TEST_F(create, argument_runs_off_its_page)
{
	char *p = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *arg = p + page_size() - sizeof(self->arg) + 8;

	ASSERT_NE(MAP_FAILED, (void *)p);
	memcpy(arg, &self->arg, sizeof(self->arg));
	ASSERT_EQ(0, munmap(p + page_size(), page_size()));
	EXPECT_EQ(-EFAULT, dev_ioctl(self->fd, SHMRING_IOC_CREATE, arg));
	expect_untouched(_metadata, self->fd);
}

/* The ring is made before its identity can be written back: it has to go again. */
TEST_F(create, argument_read_only)
{
	const char *name = unique_name();
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	set_name(self->arg.name, name);
	memcpy(page, &self->arg, sizeof(self->arg));
	ASSERT_EQ(0, mprotect(page, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, dev_ioctl(self->fd, SHMRING_IOC_CREATE, page));
	EXPECT_EQ(-ENOENT, ring_list_find(self->fd, name, &self->info));
	EXPECT_EQ(-ENOENT, ring_attach(CONSUMER, name));
	expect_untouched(_metadata, self->fd);
}

TEST_F(create, tail_zero_is_taken)
{
	struct {
		struct shmring_ioc_create arg;
		__u64 later[3];
	} big = { .arg = self->arg };

	big.arg.size = sizeof(big);
	EXPECT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &big));
	EXPECT_NE(0, big.arg.ring_id);
}

TEST_F(create, tail_not_zero)
{
	struct {
		struct shmring_ioc_create arg;
		__u64 later[3];
	} big = { .arg = self->arg, .later = { 0, 0, 1 } };

	big.arg.size = sizeof(big);
	EXPECT_EQ(-E2BIG, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &big));
	expect_untouched(_metadata, self->fd);
}

TEST_F(create, bound_already)
{
	ASSERT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &self->arg));
	EXPECT_EQ(-EISCONN, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &self->arg));
}

TEST_F(create, name_exists)
{
	const char *name = unique_name();
	int fd = ring_create(SPSC, PRODUCER, page_size(), name);

	ASSERT_LE(0, fd);
	set_name(self->arg.name, name);
	EXPECT_EQ(-EEXIST, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &self->arg));
	expect_untouched(_metadata, self->fd);
	close(fd);
	fd = ring_create(SPSC, PRODUCER, page_size(), name);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(create, node_offline)
{
	char path[64];

	self->arg.placement = SHMRING_PLACE_STRICT;
	for (self->arg.node = 0; ; self->arg.node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", self->arg.node);
		if (access(path, F_OK))
			break;
	}
	EXPECT_EQ(-ENXIO, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &self->arg));
	expect_untouched(_metadata, self->fd);
}

/* ---- right values ---- */

TEST_F(create, name_of_every_character)
{
	struct shmring_ioc_info info;
	char name[SHMRING_NAME_MAX];
	int fd;

	/* 26 + 26 + 10 + 1 makes the 63 that fit; the rest is in the second name. */
	strcpy(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
	ASSERT_EQ(SHMRING_NAME_MAX - 1, strlen(name));
	set_name(self->arg.name, name);
	ASSERT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &self->arg));
	ASSERT_EQ(0, ring_info(self->fd, &info));
	EXPECT_STREQ(name, (const char *)info.name);
	fd = ring_create(SPSC, PRODUCER, page_size(), "_.-");
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(create, unnamed_rings_do_not_clash)
{
	int fd = ring_create(SPSC, PRODUCER, page_size(), NULL);

	EXPECT_LE(0, fd);
	EXPECT_EQ(0, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &self->arg));
	close(fd);
}

TEST_F(create, identity_is_never_used_again)
{
	__u64 seen = 0;

	for (int i = 0; i < 8; i++) {
		int fd;

		self->arg.ring_id = 0;
		fd = ring_create_with(&self->arg);
		ASSERT_LE(0, fd);
		EXPECT_LT(seen, self->arg.ring_id);
		seen = self->arg.ring_id;
		close(fd);
	}
}

FIXTURE(accepted) {
	struct shmring_ioc_info info;
};

FIXTURE_VARIANT(accepted) {
	__u32 topology, role, slots, mode;
	__u64 data_size;
	__u32 want_slots;
	__u64 want_size;	/* in pages; 0: data_size */
};

FIXTURE_SETUP(accepted) {}
FIXTURE_TEARDOWN(accepted) {}

TEST_F(accepted, and_told_by_info)
{
	struct shmring_ioc_create arg;
	__u64 want_size = variant->want_size ? variant->want_size * page_size() :
			  variant->data_size;
	int fd;

	arg = create_args(variant->topology, variant->role, variant->data_size);
	arg.slots = variant->slots;
	arg.mode = variant->mode;
	fd = ring_create_with(&arg);
	ASSERT_LE(0, fd);
	EXPECT_EQ(want_size, arg.data_size);
	ASSERT_EQ(0, ring_info(fd, &self->info));
	EXPECT_EQ(want_size, self->info.data_size);
	EXPECT_EQ(arg.ring_id, self->info.ring_id);
	EXPECT_EQ(variant->topology, self->info.topology);
	EXPECT_EQ(variant->role, self->info.role);
	EXPECT_EQ(variant->mode, self->info.mode);
	EXPECT_EQ(variant->want_slots, self->info.slots);
	EXPECT_EQ((1 + variant->want_slots) * page_size(), self->info.control_size);
	EXPECT_LE(self->info.control_size, self->info.data_offset);
	close(fd);
}

#define ACCEPTED(what, ...)	FIXTURE_VARIANT_ADD(accepted, what) { __VA_ARGS__ }

ACCEPTED(producer, SPSC, PRODUCER, 0, 0, 1, 2, 1);
ACCEPTED(consumer, SPSC, CONSUMER, 2, 0777, 1, 2, 1);
ACCEPTED(observer, SPSC, OBSERVER, 0, 0444, 1, 2, 1);
ACCEPTED(page_and_a_byte, SPSC, PRODUCER, 0, 0600, 4097, 2, 2);
ACCEPTED(three_pages, SPSC, PRODUCER, 0, 0600, 3 * 4096, 2, 4);
ACCEPTED(one_mib, SPSC, PRODUCER, 0, 0600, 1 << 20, 2, 0);
ACCEPTED(four_mib, SPSC, PRODUCER, 0, 0600, 4 << 20, 2, 0);
ACCEPTED(raw_both, RAW, PRODUCER | CONSUMER, 0, 0600, 1, 16, 1);
ACCEPTED(raw_one_slot, RAW, PRODUCER, 1, 0600, 1, 1, 1);
ACCEPTED(raw_all_slots, RAW, CONSUMER, SHMRING_SLOTS_MAX, 0600, 1, SHMRING_SLOTS_MAX, 1);

/* ---- a file that may only read ---- */

FIXTURE(read_only) {
	int fd;
};

FIXTURE_VARIANT(read_only) {
	__u32 role;
	int err;
};

FIXTURE_VARIANT_ADD(read_only, producer) { PRODUCER, EACCES };
FIXTURE_VARIANT_ADD(read_only, consumer) { CONSUMER, EACCES };
FIXTURE_VARIANT_ADD(read_only, observer) { OBSERVER, 0 };

FIXTURE_SETUP(read_only)
{
	self->fd = dev_open_as(O_RDONLY);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(read_only)
{
	close(self->fd);
}

TEST_F(read_only, may_observe)
{
	struct shmring_ioc_create arg = create_args(SPSC, variant->role, page_size());

	EXPECT_EQ(-variant->err, dev_ioctl(self->fd, SHMRING_IOC_CREATE, &arg));
}

TEST_HARNESS_MAIN
