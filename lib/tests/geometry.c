// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Files of rings that lie about their shape, on the memfd backend: in one field, in many,
 * and while somebody is attached. Whoever attaches gets an error, or a ring that can be used;
 * every call comes back, and none reads or writes where nothing is (ASan looks on).
 *
 * On the device META is the kernel's; what a peer may write there is scribble.c's.
 */
#include "many.h"

#define LIES		1500u		/* files with several lies, of each topology */
#define ROUNDS		150u		/* attached to one that changes, in each role */
#define FILE_MAX	(16u * 4096)

/* What the library keeps beside META in the file of a ring: see lib/memfd.h. */
#define NOTE		offsetof(struct shmring_meta, resv3)

static const uint32_t topologies[] = { SHMRING_TOPO_SPSC, MPSC, QUEUE, BCAST, SHMRING_TOPO_RAW };
static const uint32_t roles[] = { CONS, PROD, OBS };

static unsigned char image[FILE_MAX];	/* of a ring that nobody is in */
static size_t image_len;
static uint64_t attached, refused;
static volatile unsigned char sink;	/* what is read goes somewhere */

static struct shmring_opts shape(uint32_t topology)
{
	struct shmring_opts o = many_opts(topology, 2, 2, SHMRING_SPIN_NEVER);

	if (topology == SHMRING_TOPO_SPSC || topology == SHMRING_TOPO_RAW)
		o.producers = o.consumers = 0;
	if (topology == SHMRING_TOPO_RAW)
		o.slots = 4;
	return o;
}

static int take_image(uint32_t topology)
{
	struct shmring_opts o = shape(topology);
	struct shmring *p, *watch;
	ssize_t len;
	int err = shmring_create(NULL, OBS, &o, &watch);

	if (err)
		return err;
	/* A few records for those who come. */
	err = shmring_attach_fd(shmring_fd(watch), PROD, &o, &p);
	if (!err && topology != SHMRING_TOPO_RAW)
		err = shmring_send(p, "record", 6, 0) || shmring_send(p, "another", 7, 0);
	shmring_close(p);
	len = pread(shmring_fd(watch), image, sizeof(image), 0);
	image_len = (size_t)len;
	shmring_close(watch);
	return err || len <= 0 || image_len == sizeof(image);
}

static int file_of(const unsigned char *bytes)
{
	int fd = memfd_create("lie", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, image_len) != (ssize_t)image_len)
		abort();
	return fd;
}

/* What any call may say of a ring that lies. */
static int told(long ret)
{
	return ret >= 0 || ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EBADMSG ||
	       ret == -EPROTO || ret == -EPIPE || ret == -EOWNERDEAD || ret == -EMSGSIZE ||
	       ret == -ENOBUFS || ret == -ESTALE || ret == -ERANGE || ret == -EOPNOTSUPP;
}

#define TOLD(call)							\
	do {								\
		long long ret_ = (call);				\
									\
		if (!told((long)ret_))					\
			CHECK_EQ(ret_, -EPROTO);			\
	} while (0)

/* The same, of attaching. */
#define ATTACH_TOLD(err)						\
	do {								\
		if ((err) != -EBADFD && (err) != -EAGAIN && (err) != -EOPNOTSUPP && (err)) \
			CHECK_EQ(err, -EPROTO);				\
	} while (0)

/* Everything that its role can do, without waiting long. */
static void use(struct shmring *r, uint32_t topology, uint32_t role)
{
	struct shmring_stats stats = { .size = sizeof(stats) };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	uint32_t event = role == PROD ? SHMRING_EV_OUT : SHMRING_EV_IN, k;
	static unsigned char buf[8192];
	unsigned char sum = 0;
	struct iovec msgs[4];
	size_t bytes, at;
	long n;

	CHECK_EQ(shmring_info(r, &info), 0);
	for (k = 0; k < info.slots; k++)
		CHECK_EQ(shmring_get_stats(r, k, &stats), 0);
	CHECK_EQ(shmring_get_stats(r, info.slots, &stats), -EINVAL);
	if (topology == SHMRING_TOPO_RAW) {
		unsigned char *raw = shmring_raw(r, &bytes);

		CHECK(raw && bytes == 4096);
		sink = (unsigned char)(raw[0] + raw[bytes - 1]);
		return;
	}
	if (role == OBS)
		return;
	for (k = 0; k < 6 && role == PROD; k++)
		TOLD(shmring_send(r, buf, k * 300, SHMRING_NOWAIT));
	for (k = 0; k < 3 && role == CONS; k++)
		TOLD(shmring_recv(r, buf, sizeof(buf), SHMRING_NOWAIT));
	n = role == CONS ? shmring_peek_batch(r, msgs, 4, SHMRING_NOWAIT) : 0;
	TOLD(n);
	for (k = 0; n > 0 && k < (size_t)n; k++) {
		CHECK(msgs[k].iov_len <= 4096);
		for (at = 0; at < msgs[k].iov_len; at++)
			sum ^= ((unsigned char *)msgs[k].iov_base)[at];
	}
	sink = sum;
	if (n > 0)
		shmring_release(r);
	TOLD(shmring_wait(r, event, test_now()));
	TOLD(shmring_wait_for(r, event, 100, role == CONS ? 2 : 0, test_now() + 10000));
}

/* Return: what attaching gave. */
static int attach_to(int fd, uint32_t topology, uint32_t role)
{
	struct shmring_opts o = test_opts(4096, SHMRING_SPIN_NEVER);
	struct shmring *r;
	int err = shmring_attach_fd(fd, role, &o, &r);

	if (err) {
		refused++;
		return err;
	}
	attached++;
	use(r, topology, role);
	shmring_close(r);
	return 0;
}

/* ---- one lie --------------------------------------------------------------------------- */

enum field { MAGIC, ABI, ID, DATA_SIZE, DATA_OFFSET, CURSOR_OFFSET, STRIDE, FLAGS, TOPOLOGY,
	     POLICY, SLOTS, PRODUCERS, CONSUMERS, SHARED, MODE, PLACEMENT, FIELDS };

#define META(name, bytes) { #name, offsetof(struct shmring_meta, name), bytes }

static const struct {
	const char *name;
	size_t at;
	size_t bytes;
} fields[FIELDS] = {
	[MAGIC] = META(magic, 4),
	[ABI] = META(abi, 4),
	[ID] = META(ring_id, 8),
	[DATA_SIZE] = META(data_size, 8),
	[DATA_OFFSET] = META(data_offset, 8),
	[CURSOR_OFFSET] = META(cursor_offset, 8),
	[STRIDE] = META(cursor_stride, 8),
	[FLAGS] = META(flags, 4),
	[TOPOLOGY] = META(topology, 4),
	[POLICY] = META(full_policy, 4),
	[SLOTS] = META(slots, 4),
	[PRODUCERS] = META(producers, 4),
	[CONSUMERS] = META(consumers, 4),
	[SHARED] = META(shared_offset, 8),
	[MODE] = { "mode", NOTE, 4 },
	[PLACEMENT] = { "placement", NOTE + 4, 4 },
};

/* What attaching must give when @field says @value in place of @was. */
static int expected(uint32_t topology, enum field field, uint64_t value, uint64_t was)
{
	if (value == was)
		return 0;
	switch (field) {
	case MAGIC:
		return -EBADFD;
	case ABI:
		return -EOPNOTSUPP;
	case ID:
	case MODE:
	case PLACEMENT:
		return 0;
	case FLAGS:
		if (value > 7)
			return -EOPNOTSUPP;
		return (value & SHMRING_CREATE_HUGE) && (value & SHMRING_CREATE_SMALL) ?
		       -EPROTO : 0;
	case TOPOLOGY:
		if (value < SHMRING_TOPO_SPSC || value > SHMRING_TOPO_RAW)
			return -EOPNOTSUPP;
		return topology >= MPSC && topology <= BCAST && value >= QUEUE && value <= BCAST ?
		       0 : -EPROTO;
	case POLICY:
		if (value == SHMRING_FULL_DROP_NEWEST)
			return topology == SHMRING_TOPO_RAW ? -EPROTO : 0;
		return value == SHMRING_FULL_OVERWRITE && topology == BCAST ? 0 : -EPROTO;
	case SLOTS:
		/* Fewer pages in front of DATA than there could be. */
		return topology == SHMRING_TOPO_RAW && value && value < was ? 0 : -EPROTO;
	default:
		return -EPROTO;
	}
}

/* Numbers around what is there, and around what breaks arithmetic. */
static size_t lies_about(uint64_t was, uint64_t *to)
{
	const uint64_t base[] = { 0, was, was * 2, was / 2, 8, 16, 32, 256, 4096, 8192, 1ull << 30,
				  1ull << 31, 1ull << 32, 1ull << 40, 1ull << 62, 1ull << 63,
				  -was, -4096ull };
	size_t n = 0, k;
	int by;

	for (k = 0; k < sizeof(base) / sizeof(base[0]); k++)
		for (by = -1; by <= 1; by++)
			to[n++] = base[k] + (uint64_t)(int64_t)by;
	for (k = 0; k < 64; k++)
		to[n++] = was ^ 1ull << k;
	to[n++] = was + 4096;
	to[n++] = was - 4096;
	return n;
}

static void one_lie(uint32_t topology, enum field field, uint64_t value)
{
	static unsigned char bytes[FILE_MAX];
	static unsigned int turn;
	uint64_t was = 0, now = 0;
	int fd, err, want;

	memcpy(bytes, image, image_len);
	memcpy(&was, bytes + fields[field].at, fields[field].bytes);
	memcpy(bytes + fields[field].at, &value, fields[field].bytes);
	memcpy(&now, bytes + fields[field].at, fields[field].bytes);
	want = expected(topology, field, now, was);
	fd = file_of(bytes);
	memcpy(&topology, bytes + fields[TOPOLOGY].at, 4);
	err = attach_to(fd, topology, roles[turn++ % 3]);
	if (err != want)
		printf("# topology %u, %s: %llu, was %llu\n", topology, fields[field].name,
		       (unsigned long long)now, (unsigned long long)was);
	CHECK_EQ(err, want);
	close(fd);
}

static void one_field_lies(void)
{
	uint64_t was, values[128];
	size_t n, k, t;
	enum field f;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("META is the kernel's");
	attached = refused = 0;
	for (t = 0; t < 5; t++) {
		NEED(!take_image(topologies[t]));
		for (f = 0; f < FIELDS; f++) {
			was = 0;
			memcpy(&was, image + fields[f].at, fields[f].bytes);
			n = lies_about(was, values);
			for (k = 0; k < n && !test_bad; k++)
				one_lie(topologies[t], f, values[k]);
		}
	}
	printf("# %llu attached, %llu refused\n", (unsigned long long)attached,
	       (unsigned long long)refused);
}

/* A file that is shorter or longer than what it says. */
static void the_file_has_another_size(void)
{
	static const long by[] = { 1, -1, 8, -8, 4096, -4096, 8192, -8192, 1 << 20, -(1 << 20) };
	size_t t, k;
	int fd;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("META is the kernel's");
	for (t = 0; t < 5; t++) {
		NEED(!take_image(topologies[t]));
		for (k = 0; k < sizeof(by) / sizeof(by[0]); k++) {
			off_t len = (off_t)image_len + by[k];

			fd = file_of(image);
			NEED(!ftruncate(fd, len < 0 ? 0 : len));
			CHECK_EQ(attach_to(fd, topologies[t], roles[k % 3]),
				 len < (off_t)sizeof(struct shmring_meta) ? -EBADFD : -EPROTO);
			close(fd);
		}
	}
}

/* ---- many lies ------------------------------------------------------------------------- */

static uint64_t a_value(uint64_t *rnd)
{
	uint64_t x = test_random(rnd);

	switch (x & 7) {
	case 0:
		return x >> 8 & 0xff;
	case 1:
		return x >> 8 & 0x3f8;
	case 2:
		return SHMRING_REC_READY | (x >> 8 & 0xff);
	case 3:
		return (x >> 8 & 0xff) << 3 | SHMRING_HOLD_VALID | (x >> 16 & 1);
	case 4:
		return ~(x >> 8 & 0xff);
	case 5:
		return 1ull << (x >> 8 & 63);
	case 6:
		return x >> 8 & 3;
	default:
		return x;
	}
}

/* A word anywhere: of a page it is mostly one that means something. */
static size_t a_place(uint64_t *rnd)
{
	uint64_t x = test_random(rnd);
	size_t page = (x >> 8) % (image_len / 4096) * 4096;

	if (x & 1)
		return page + (x >> 32 & 0xff8);
	if (page)
		return page + (x >> 32 & 0x3f8);
	/* Of META all but the shape: slots, states, orphans. */
	return 256 + (x >> 32) % (2048 - 256) / 8 * 8;
}

static void many_words_lie(void)
{
	static unsigned char bytes[FILE_MAX];
	uint64_t rnd = 11, value;
	unsigned int k, n;
	size_t t;
	int fd, err;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("META is the kernel's");
	attached = refused = 0;
	for (t = 0; t < 5; t++) {
		NEED(!take_image(topologies[t]));
		for (k = 0; k < LIES * test_stress() && !test_bad; k++) {
			memcpy(bytes, image, image_len);
			for (n = 1 + test_random(&rnd) % 30; n; n--) {
				value = a_value(&rnd);
				memcpy(bytes + a_place(&rnd), &value,
				       test_random(&rnd) & 1 ? 4 : 8);
			}
			fd = file_of(bytes);
			err = attach_to(fd, topologies[t], roles[k % 3]);
			ATTACH_TOLD(err);
			/* What one has left is the next one's to cope with. */
			err = attach_to(fd, topologies[t], roles[k / 3 % 3]);
			ATTACH_TOLD(err);
			close(fd);
		}
	}
	printf("# %llu attached, %llu refused\n", (unsigned long long)attached,
	       (unsigned long long)refused);
	CHECK(attached > refused);
}

/* ---- lies that change ------------------------------------------------------------------ */

/* Writes nonsense into META, and what was there before, for ever. */
static void change(int fd, uint64_t seed, int ready)
{
	unsigned char *file = mmap(NULL, image_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t rnd = seed, value, was, n;
	size_t at;

	if (file == MAP_FAILED)
		abort();
	test_tell(ready);
	for (;;) {
		at = test_random(&rnd) % 512 ? 256 + test_random(&rnd) % 1792 :
					       test_random(&rnd) % 80;
		at = at / 8 * 8;
		value = a_value(&rnd);
		memcpy(&was, image + at, 8);
		__atomic_store_n((uint64_t *)(void *)(file + at), value, __ATOMIC_RELAXED);
		for (n = test_random(&rnd) % 1000; n && at < 80; n--)
			__asm__ __volatile__("" ::: "memory");
		/* The shape only now and then and for a moment, or nobody would get in. */
		if (at < 80 || test_random(&rnd) & 1)
			__atomic_store_n((uint64_t *)(void *)(file + at), was, __ATOMIC_RELAXED);
	}
}

static void it_changes_while_attached(void)
{
	uint64_t rounds = ROUNDS * test_stress(), k;
	int fd, err, ready[2];
	size_t t;
	pid_t pid;

	if (test_backend() == SHMRING_BACKEND_DEVICE)
		SKIP("META is the kernel's");
	attached = refused = 0;
	for (t = 0; t < 5; t++) {
		NEED(!take_image(topologies[t]) && !pipe(ready));
		fd = file_of(image);
		pid = test_fork();
		if (!pid)
			change(fd, t + 1, ready[1]);
		NEED(!test_hear(ready[0]));
		for (k = 0; k < 3 * rounds && !test_bad; k++) {
			err = attach_to(fd, topologies[t], roles[k % 3]);
			ATTACH_TOLD(err);
		}
		kill(pid, SIGKILL);
		CHECK_EQ(test_reap(pid), 128 + SIGKILL);
		close(fd);
		close(ready[0]);
		close(ready[1]);
	}
	printf("# %llu attached, %llu refused\n", (unsigned long long)attached,
	       (unsigned long long)refused);
	CHECK(attached > 0);
}

int main(void)
{
	START();
	RUN(one_field_lies);
	RUN(the_file_has_another_size);
	RUN(many_words_lie);
	RUN(it_changes_while_attached);
	DONE();
}
