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

SIZE(shmring_ioc_create, 128);
AT(shmring_ioc_create, flags, 4);
AT(shmring_ioc_create, topology, 8);
AT(shmring_ioc_create, role, 12);
AT(shmring_ioc_create, data_size, 16);
AT(shmring_ioc_create, full_policy, 24);
AT(shmring_ioc_create, slots, 28);
AT(shmring_ioc_create, mode, 32);
AT(shmring_ioc_create, placement, 36);
AT(shmring_ioc_create, node, 40);
AT(shmring_ioc_create, cursor_placement, 44);
AT(shmring_ioc_create, cursor_node, 48);
AT(shmring_ioc_create, resv, 52);
AT(shmring_ioc_create, ring_id, 56);
AT(shmring_ioc_create, name, 64);

SIZE(shmring_ioc_attach, 96);
AT(shmring_ioc_attach, flags, 4);
AT(shmring_ioc_attach, role, 8);
AT(shmring_ioc_attach, fd, 12);
AT(shmring_ioc_attach, cursor_placement, 16);
AT(shmring_ioc_attach, cursor_node, 20);
AT(shmring_ioc_attach, ring_id, 24);
AT(shmring_ioc_attach, name, 32);

SIZE(shmring_ioc_info, 216);
AT(shmring_ioc_info, flags, 4);
AT(shmring_ioc_info, ring_id, 8);
AT(shmring_ioc_info, topology, 16);
AT(shmring_ioc_info, full_policy, 20);
AT(shmring_ioc_info, role, 24);
AT(shmring_ioc_info, slot, 28);
AT(shmring_ioc_info, slots, 32);
AT(shmring_ioc_info, slots_live, 36);
AT(shmring_ioc_info, observers, 40);
AT(shmring_ioc_info, rights, 44);
AT(shmring_ioc_info, control_size, 48);
AT(shmring_ioc_info, cursor_offset, 56);
AT(shmring_ioc_info, cursor_stride, 64);
AT(shmring_ioc_info, data_offset, 72);
AT(shmring_ioc_info, data_size, 80);
AT(shmring_ioc_info, max_record, 88);
AT(shmring_ioc_info, data_page_size, 96);
AT(shmring_ioc_info, placement, 104);
AT(shmring_ioc_info, data_node, 108);
AT(shmring_ioc_info, cursor_node, 112);
AT(shmring_ioc_info, meta_node, 116);
AT(shmring_ioc_info, mode, 120);
AT(shmring_ioc_info, uid, 124);
AT(shmring_ioc_info, gid, 128);
AT(shmring_ioc_info, resv, 132);
AT(shmring_ioc_info, produced, 136);
AT(shmring_ioc_info, consumed, 144);
AT(shmring_ioc_info, name, 152);

SIZE(shmring_ioc_eventfd, 16);
AT(shmring_ioc_eventfd, events, 8);
AT(shmring_ioc_eventfd, fd, 12);

SIZE(shmring_ioc_wait, 32);
AT(shmring_ioc_wait, events, 8);
AT(shmring_ioc_wait, revents, 12);
AT(shmring_ioc_wait, need, 16);
AT(shmring_ioc_wait, deadline, 24);

SIZE(shmring_slot, 16);
AT(shmring_slot, state, 0);
AT(shmring_slot, role, 4);
AT(shmring_slot, generation, 8);
AT(shmring_slot, pid, 12);

SIZE(shmring_meta, 768);
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
AT(shmring_meta, resv, 64);
AT(shmring_meta, slot, 256);

SIZE(shmring_cursor, 512);
AT(shmring_cursor, pos, 0);
AT(shmring_cursor, armed, 128);
AT(shmring_cursor, wake_at, 136);
AT(shmring_cursor, want, 256);
AT(shmring_cursor, closed, 264);
AT(shmring_cursor, records, 384);
AT(shmring_cursor, stalls, 392);
AT(shmring_cursor, sleeps, 400);
AT(shmring_cursor, kicks, 408);

SIZE(shmring_record, 8);
AT(shmring_record, word, 0);
AT(shmring_record, aux, 4);

AT(shmring_handle, core, 0);

#ifdef __LP64__
SIZE(shmring_opts, 64);
AT(shmring_opts, backend, 8);
AT(shmring_opts, data_size, 16);
AT(shmring_opts, spin_ns, 56);
SIZE(shmring_stats, 64);
AT(shmring_stats, bytes, 16);
AT(shmring_stats, pid, 56);
/* The inline functions of programs that are already compiled know these. */
SIZE(shmring, 208);
AT(shmring, max_record, 80);
AT(shmring, reserved, 88);
AT(shmring, rx, 144);
#endif
