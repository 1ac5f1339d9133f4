// SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
/*
 * Compile-time proof that the structs of the UAPI header and of the public header
 * have the layout that was published, on 32-bit and 64-bit machines. No code.
 */
#include <assert.h>
#include <stddef.h>

#include "internal.h"

#define SIZE(type, bytes) \
	static_assert(sizeof(struct type) == (bytes), #type " has changed its size")
#define AT(type, field, bytes) \
	static_assert(offsetof(struct type, field) == (bytes), #type "." #field " has moved")

SIZE(shmring_ioc_create, 136);
AT(shmring_ioc_create, flags, 4);
AT(shmring_ioc_create, topology, 8);
AT(shmring_ioc_create, role, 12);
AT(shmring_ioc_create, data_size, 16);
AT(shmring_ioc_create, full_policy, 24);
AT(shmring_ioc_create, slots, 28);
AT(shmring_ioc_create, mode, 40);
AT(shmring_ioc_create, placement, 44);
AT(shmring_ioc_create, node, 48);
AT(shmring_ioc_create, cursor_placement, 52);
AT(shmring_ioc_create, cursor_node, 56);
AT(shmring_ioc_create, resv, 60);
AT(shmring_ioc_create, ring_id, 64);
AT(shmring_ioc_create, name, 72);
AT(shmring_ioc_create, producers, 32);
AT(shmring_ioc_create, consumers, 36);

SIZE(shmring_ioc_attach, 96);
AT(shmring_ioc_attach, flags, 4);
AT(shmring_ioc_attach, role, 8);
AT(shmring_ioc_attach, fd, 12);
AT(shmring_ioc_attach, cursor_placement, 16);
AT(shmring_ioc_attach, cursor_node, 20);
AT(shmring_ioc_attach, ring_id, 24);
AT(shmring_ioc_attach, name, 32);

SIZE(shmring_ioc_info, 240);
AT(shmring_ioc_info, flags, 4);
AT(shmring_ioc_info, ring_id, 8);
AT(shmring_ioc_info, topology, 16);
AT(shmring_ioc_info, full_policy, 20);
AT(shmring_ioc_info, role, 24);
AT(shmring_ioc_info, slot, 28);
AT(shmring_ioc_info, slots, 32);
AT(shmring_ioc_info, slots_live, 44);
AT(shmring_ioc_info, observers, 48);
AT(shmring_ioc_info, rights, 52);
AT(shmring_ioc_info, control_size, 56);
AT(shmring_ioc_info, cursor_offset, 64);
AT(shmring_ioc_info, cursor_stride, 72);
AT(shmring_ioc_info, data_offset, 88);
AT(shmring_ioc_info, data_size, 96);
AT(shmring_ioc_info, max_record, 104);
AT(shmring_ioc_info, data_page_size, 112);
AT(shmring_ioc_info, placement, 120);
AT(shmring_ioc_info, data_node, 124);
AT(shmring_ioc_info, cursor_node, 128);
AT(shmring_ioc_info, meta_node, 132);
AT(shmring_ioc_info, mode, 136);
AT(shmring_ioc_info, uid, 140);
AT(shmring_ioc_info, gid, 144);
AT(shmring_ioc_info, resv, 148);
AT(shmring_ioc_info, produced, 152);
AT(shmring_ioc_info, consumed, 160);
AT(shmring_ioc_info, name, 176);
AT(shmring_ioc_info, producers, 36);
AT(shmring_ioc_info, consumers, 40);
AT(shmring_ioc_info, shared_offset, 80);
AT(shmring_ioc_info, lost, 168);

SIZE(shmring_ioc_eventfd, 16);
AT(shmring_ioc_eventfd, events, 8);
AT(shmring_ioc_eventfd, fd, 12);

SIZE(shmring_uring_wait, 16);
SIZE(shmring_ioc_wait, 40);
AT(shmring_ioc_wait, events, 8);
AT(shmring_ioc_wait, revents, 12);
AT(shmring_ioc_wait, need, 16);
AT(shmring_ioc_wait, deadline, 32);
AT(shmring_ioc_wait, need_records, 24);

SIZE(shmring_slot, 16);
AT(shmring_slot, state, 0);
AT(shmring_slot, role, 4);
AT(shmring_slot, generation, 8);
AT(shmring_slot, pid, 12);

SIZE(shmring_witness, 48);
AT(shmring_witness, waits, 0);
AT(shmring_witness, wakes, 8);
AT(shmring_witness, spurious, 16);
AT(shmring_witness, kicks, 24);
AT(shmring_witness, kicks_idle, 32);

SIZE(shmring_meta, 4096);
AT(shmring_meta, magic, 0);
AT(shmring_meta, abi, 4);
AT(shmring_meta, ring_id, 8);
AT(shmring_meta, data_size, 16);
AT(shmring_meta, data_offset, 24);
AT(shmring_meta, cursor_offset, 32);
AT(shmring_meta, cursor_stride, 40);
AT(shmring_meta, flags, 48);
AT(shmring_meta, topology, 52);
AT(shmring_meta, full_policy, 56);
AT(shmring_meta, slots, 60);
AT(shmring_meta, features, 80);
AT(shmring_meta, resv, 88);
AT(shmring_meta, slot, 256);
AT(shmring_meta, producers, 64);
AT(shmring_meta, consumers, 68);
AT(shmring_meta, shared_offset, 72);
AT(shmring_meta, rx_state, 768);
AT(shmring_meta, tx_state, 896);
AT(shmring_meta, orphans, 904);
AT(shmring_meta, orphan, 1024);
AT(shmring_meta, witness, 2048);
AT(shmring_meta, begin, 3584);
AT(shmring_meta, resv3, 3840);

SIZE(shmring_cursor, 4096);
AT(shmring_cursor, pos, 0);
AT(shmring_cursor, armed, 128);
AT(shmring_cursor, wake_at, 136);
AT(shmring_cursor, want, 256);
AT(shmring_cursor, closed, 264);
AT(shmring_cursor, records, 384);
AT(shmring_cursor, stalls, 392);
AT(shmring_cursor, sleeps, 400);
AT(shmring_cursor, kicks, 408);
AT(shmring_cursor, wake_records, 144);
AT(shmring_cursor, lost, 416);
AT(shmring_cursor, high, 424);
AT(shmring_cursor, tally, 432);
AT(shmring_cursor, limit, 512);
AT(shmring_cursor, mark, 640);
AT(shmring_cursor, hold, 768);
AT(shmring_cursor, hold_end, 776);
AT(shmring_cursor, lane, 2048);

SIZE(shmring_record, 8);
AT(shmring_record, word, 0);
AT(shmring_record, aux, 4);

SIZE(shmring_ioc_adopt, 32);
AT(shmring_ioc_adopt, op, 4);
AT(shmring_ioc_adopt, slot, 8);
AT(shmring_ioc_adopt, lane, 12);
AT(shmring_ioc_adopt, pos, 16);
AT(shmring_ioc_adopt, end, 24);

SIZE(shmring_orphan, 32);
AT(shmring_orphan, state, 0);
AT(shmring_orphan, lane, 4);
AT(shmring_orphan, pos, 8);
AT(shmring_orphan, end, 16);
AT(shmring_orphan, resv, 24);

SIZE(shmring_mark, 16);
AT(shmring_mark, records, 8);

SIZE(shmring_lane_pos, 64);
AT(shmring_lane_pos, pos, 0);
AT(shmring_lane_pos, tally, 8);
AT(shmring_lane_pos, left, 24);
AT(shmring_lane_pos, left_at, 32);
AT(shmring_lane_pos, left_limit, 40);

SIZE(shmring_shared, 4096);
AT(shmring_shared, tickets, 0);
AT(shmring_shared, head, 0);
AT(shmring_shared, proof, 2048);

AT(shmring_handle, core, 0);

#ifdef __LP64__
SIZE(shmring_opts, 80);
AT(shmring_opts, backend, 8);
AT(shmring_opts, data_size, 16);
AT(shmring_opts, spin_ns, 56);
AT(shmring_opts, producers, 64);
AT(shmring_opts, claim_max, 72);
SIZE(shmring_stats, 112);
AT(shmring_stats, bytes, 16);
AT(shmring_stats, lost, 56);
AT(shmring_stats, pid, 64);
AT(shmring_stats, high, 72);
AT(shmring_stats, kicks_idle, 104);
/* The inline functions of programs that are already compiled know these. */
SIZE(shmring, 288);
AT(shmring, max_record, 88);
AT(shmring, reserved, 96);
AT(shmring, shared, 104);
AT(shmring, rx, 144);
AT(shmring, group, 232);
#endif
