/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */
/*
 * What the tests of rings with several producers and consumers share.
 */
#ifndef SHMRING_TEST_MANY_H
#define SHMRING_TEST_MANY_H

#include "test.h"

#define MPSC	SHMRING_TOPO_MPSC
#define QUEUE	SHMRING_TOPO_QUEUE
#define BCAST	SHMRING_TOPO_BROADCAST

/* A record says whose it is and which; the rest of it depends on that. */
struct many_head {
	uint32_t producer;
	uint32_t len;
	uint64_t nth;
};

#define MANY_MAX	512

static inline struct shmring_opts many_opts(uint32_t topology, uint32_t producers,
					    uint32_t consumers, int64_t spin)
{
	struct shmring_opts o = test_opts(4096, spin);

	o.topology = topology;
	o.producers = producers;
	o.consumers = topology == MPSC ? 0 : consumers;
	return o;
}

static inline size_t many_make(void *buf, uint32_t producer, uint64_t nth, size_t len)
{
	struct many_head head = { producer, (uint32_t)len, nth };

	memcpy(buf, &head, sizeof(head));
	test_fill((char *)buf + sizeof(head), len - sizeof(head), nth ^ producer);
	return len;
}

static inline int many_send(struct shmring *p, uint32_t producer, uint64_t nth, size_t len,
			    uint64_t deadline)
{
	unsigned char buf[MANY_MAX];

	return shmring_send(p, buf, many_make(buf, producer, nth, len), deadline);
}

static inline int many_check(const void *buf, long len, struct many_head *head)
{
	if (len < (long)sizeof(*head))
		return 0;
	memcpy(head, buf, sizeof(*head));
	return head->len == (size_t)len &&
	       test_match((const char *)buf + sizeof(*head), (size_t)len - sizeof(*head),
			  head->nth ^ head->producer);
}

/* Receive one. Return: its length, or an error; a record that is wrong is a failure. */
static inline long many_recv(struct shmring *c, struct many_head *head, uint64_t deadline)
{
	unsigned char buf[MANY_MAX];
	long len = shmring_recv(c, buf, sizeof(buf), deadline);

	if (len >= 0)
		CHECK(many_check(buf, len, head));
	return len;
}

/* Memory that a test and its children share. */
static inline void *many_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

#endif /* SHMRING_TEST_MANY_H */
