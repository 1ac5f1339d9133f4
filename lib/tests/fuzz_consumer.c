// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Consumers of each topology against producers, and other consumers, that write nonsense:
 * every byte of every record that is told is read.
 */
#define FUZZ_SEEDS	"fuzz_consumer.seeds"
#include "fuzz.h"

static const __u32 topologies[] = { SHMRING_TOPO_SPSC, SHMRING_TOPO_MPSC, SHMRING_TOPO_QUEUE,
				    SHMRING_TOPO_BROADCAST, SHMRING_TOPO_BROADCAST };
static struct ring rings[5];
static struct ring_tx tx[2];
static struct ring_rx rx;

static long receive(unsigned int n)
{
	const unsigned char *last;
	const void *p = NULL;
	long len;

	if (r.topology == SHMRING_TOPO_SPSC) {
		if (rx.rx.head == rx.rx.done)
			p = shmring_spsc_expect(&rx.rx, 8 * n);
		len = p ? 8 * (long)n : shmring_spsc_peek(&rx.rx, &p);
	} else if (r.topology != SHMRING_TOPO_QUEUE) {
		len = shmring_merge_peek(&rx.m, &p);
		shmring_merge_skipped(&rx.m);
	} else {
		len = shmring_claim(&rx.c, n) ? -EAGAIN : shmring_claim_peek(&rx.c, &p);
		shmring_claim_withdrawn(&rx.c);
	}
	if (len < 0)
		return len;
	if (len > FUZZ_SIZE)
		abort();
	last = (const unsigned char *)p + len;
	while (last != p)
		(void)*(volatile const unsigned char *)(last -= 1);
	fuzz_delivered++;
	if (r.topology == SHMRING_TOPO_SPSC)
		shmring_spsc_next(&rx.rx, len);
	else if (r.topology != SHMRING_TOPO_QUEUE)
		shmring_merge_next(&rx.m, len);
	else
		shmring_claim_next(&rx.c, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	__u32 kind, op, lanes, first, k;
	struct shmring_orphan o;

	fuzz_begin(data, size);
	kind = fuzz_byte();
	if (!rings[kind % 5].meta)
		ring_make(&rings[kind % 5], topologies[kind % 5], kind % 5 ? 2 : 1,
			  kind % 5 > 1 ? 2 : 1, FUZZ_SIZE, kind % 5 == 4);
	r = rings[kind % 5];
	lanes = r.producers;
	first = lanes;
	ring_reset(&r);
	r.shared->tickets = r.topology == SHMRING_TOPO_QUEUE ? 0 : fuzz_value();
	for (k = 0; k < lanes; k++)
		ring_tx_begin(&r, k, &tx[k]);
	ring_rx_begin(&r, first, &rx);
	while (fuzz_at < fuzz_end) {
		op = fuzz_byte();
		fuzz_within = op >> 7;
		switch (op & 15) {
		case 0:
		case 1:
		case 2:
		case 3:		/* an honest record between others */
			fuzz_within = 0;
			FUZZ_CALL(ring_send(&tx[op >> 4 & (lanes - 1)], op, 4 + fuzz_byte() * 4));
			break;
		case 4:
			FUZZ_CALL(ring_release(&rx));
			break;
		case 5:
			FUZZ_CALL((ring_rewind(&rx), 0));
			break;
		case 6:
			if (r.topology == SHMRING_TOPO_QUEUE)
				FUZZ_CALL(shmring_claim_made(&rx.c.g, first + (op >> 4 & 1), &o,
							     FUZZ_SIZE - 1));
			else if (r.topology != SHMRING_TOPO_SPSC)
				FUZZ_CALL((shmring_merge_join(&rx.m), 0));
			break;
		case 7:
			if (r.overwrite)
				FUZZ_CALL(shmring_merge_whole(&rx.m));
			break;
		case 8:
		case 9:
		case 10:
			fuzz_scribble();
			break;
		default:
			FUZZ_CALL(receive(1 + (op >> 4 & 3)));
			break;
		}
	}
	return 0;
}
