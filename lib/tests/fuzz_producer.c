// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Producers of each topology, and their successors, against consumers that write nonsense
 * and predecessors that left it: nothing is written outside of the lane, and every call
 * comes back.
 */
#define FUZZ_SEEDS	"fuzz_producer.seeds"
#include "fuzz.h"

static const __u32 topologies[] = { SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE,
				    SHMRING_TOPO_BROADCAST, SHMRING_TOPO_BROADCAST };
static struct ring rings[5];
static struct ring_tx tx[2];

static long put(struct ring_tx *t, size_t len)
{
	size_t max = r.overwrite ? shmring_overwrite_max(FUZZ_SIZE) : shmring_record_max(FUZZ_SIZE);
	int err;
	void *p;

	if (len > max)
		len = max;
	p = ring_reserve(t, len, &err);
	if (!p)
		return err;
	memset(p, 0xa5, len);
	shmring_spsc_put(&t->tx, len);
	fuzz_delivered++;
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	__u32 kind, op, lane, len, k;

	fuzz_begin(data, size);
	kind = fuzz_byte();
	if (!rings[kind % 5].meta)
		ring_make(&rings[kind % 5], topologies[kind % 5], kind % 5 ? 2 : 1,
			  kind % 5 > 1 ? 2 : 1, FUZZ_SIZE, kind % 5 == 4);
	r = rings[kind % 5];
	ring_reset(&r);
	for (k = 0; k < r.producers; k++)
		ring_tx_begin(&r, k, &tx[k]);
	for (k = r.producers; k < r.producers + r.consumers; k++)
		ring_state(&r, k, SHMRING_SLOT_LIVE);
	while (fuzz_at < fuzz_end) {
		op = fuzz_byte();
		lane = op >> 4 & (r.producers - 1);
		fuzz_within = op >> 7;
		switch (op & 7) {
		case 0:
			/* Nobody of this name produces until it may. */
			if (FUZZ_CALL(ring_tx_begin(&r, lane, &tx[lane])) < 0) {
				memset(r.cursor[r.producers], 0, RING_PAGE);
				ring_tx_begin(&r, lane, &tx[lane]);
			}
			break;
		case 1:
		case 2:
			fuzz_scribble();
			break;
		case 3:
			FUZZ_CALL(ring_publish(&tx[lane]));
			break;
		default:
			len = op & 8 ? fuzz_byte() * 16 : fuzz_byte();
			if (FUZZ_CALL(put(&tx[lane], len)) == 0 && op & 1)
				FUZZ_CALL(ring_publish(&tx[lane]));
			break;
		}
	}
	return 0;
}
