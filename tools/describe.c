// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings in words and in JSON.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "tool.h"

const char *tool_backend_name(uint32_t backend)
{
	return backend == SHMRING_BACKEND_DEVICE ? "device" : "memfd";
}

const char *tool_topology_name(uint32_t topology)
{
	switch (topology) {
	case SHMRING_TOPO_SPSC:
		return "spsc";
	case SHMRING_TOPO_MPSC:
		return "mpsc";
	case SHMRING_TOPO_QUEUE:
		return "queue";
	case SHMRING_TOPO_BROADCAST:
		return "broadcast";
	case SHMRING_TOPO_RAW:
		return "raw";
	default:
		return "unknown";
	}
}

const char *tool_placement_name(uint32_t placement)
{
	switch (placement) {
	case SHMRING_PLACE_LOCAL:
		return "local";
	case SHMRING_PLACE_STRICT:
		return "strict";
	case SHMRING_PLACE_PREFERRED:
		return "preferred";
	case SHMRING_PLACE_INTERLEAVE:
		return "interleave";
	default:
		return "unknown";
	}
}

const char *tool_policy_name(uint32_t policy)
{
	switch (policy) {
	case SHMRING_FULL_WAIT:
		return "wait";
	case SHMRING_FULL_DROP_NEWEST:
		return "drop";
	case SHMRING_FULL_OVERWRITE:
		return "overwrite";
	default:
		return "unknown";
	}
}

const char *tool_role_name(uint32_t role)
{
	switch (role) {
	case 0:
		return "none";
	case SHMRING_ROLE_PRODUCER:
		return "producer";
	case SHMRING_ROLE_CONSUMER:
		return "consumer";
	case SHMRING_ROLE_PRODUCER | SHMRING_ROLE_CONSUMER:
		return "both";
	case SHMRING_ROLE_OBSERVER:
		return "observer";
	default:
		return "unknown";
	}
}

const char *tool_state_name(uint32_t state)
{
	switch (state) {
	case SHMRING_SLOT_VACANT:
		return "vacant";
	case SHMRING_SLOT_LIVE:
		return "live";
	case SHMRING_SLOT_CLOSED:
		return "closed";
	case SHMRING_SLOT_DEAD:
		return "dead";
	default:
		return "unknown";
	}
}

const char *tool_size(char *buf, size_t n, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	unsigned int u = 0;

	while (u < 3 && bytes >= 1024 && !(bytes & 1023)) {
		bytes >>= 10;
		u++;
	}
	snprintf(buf, n, "%llu %s", (unsigned long long)bytes, units[u]);
	return buf;
}

/*
 * Local users only: name services would make of a listing a matter of networks,
 * and of a statically linked program an impossible one.
 */
const char *tool_user(char *buf, size_t n, uint32_t uid)
{
	const struct passwd *pw;
	FILE *f = fopen("/etc/passwd", "re");

	snprintf(buf, n, "%u", uid);
	if (!f)
		return buf;
	while ((pw = fgetpwent(f))) {
		if (pw->pw_uid == uid) {
			snprintf(buf, n, "%s", pw->pw_name);
			break;
		}
	}
	fclose(f);
	return buf;
}

uint64_t tool_capacity(const struct shmring_ioc_info *info)
{
	return info->data_size * (info->producers ? info->producers : 1);
}

uint64_t tool_used(const struct shmring_ioc_info *info)
{
	uint64_t used = info->produced - info->consumed, capacity = tool_capacity(info);

	/*
	 * The two are read one after the other, either may be forged, and a consumer that was
	 * overwritten is further behind than there is room.
	 */
	if (info->topology == SHMRING_TOPO_RAW || info->produced <= info->consumed)
		return 0;
	return used < capacity ? used : capacity;
}

static json_t *optional_node(int32_t node)
{
	return node < 0 ? json_null() : json_integer(node);
}

json_t *tool_info_json(uint32_t backend, const struct shmring_ioc_info *info)
{
	const char *name = (const char *)info->name;
	char id[24], mode[8], user[64];
	json_t *flags = json_array();

	if (info->flags & SHMRING_CREATE_SPIN)
		json_array_append_new(flags, json_string("spin"));
	if (info->flags & SHMRING_CREATE_HUGE)
		json_array_append_new(flags, json_string("huge"));
	if (info->flags & SHMRING_CREATE_SMALL)
		json_array_append_new(flags, json_string("small"));
	snprintf(mode, sizeof(mode), "%04o", info->mode);
	/* Text: JSON numbers hold 53 bits in many a program. */
	snprintf(id, sizeof(id), "%llu", (unsigned long long)info->ring_id);
	return json_pack("{s:s, s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:s, s:o, s:i,"
			 " s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:s}",
			 "id", id,
			 "name", *name ? json_string(name) : json_null(),
			 "backend", tool_backend_name(backend),
			 "topology", tool_topology_name(info->topology),
			 "flags", flags,
			 "data_size", (json_int_t)info->data_size,
			 "page_size", (json_int_t)info->data_page_size,
			 "max_record", (json_int_t)info->max_record,
			 "used", (json_int_t)tool_used(info),
			 "placement", tool_placement_name(info->placement),
			 "data_node", optional_node(info->data_node),
			 "meta_node", info->meta_node,
			 "mode", mode,
			 "user", tool_user(user, sizeof(user), info->uid),
			 "uid", (int)info->uid,
			 "gid", (int)info->gid,
			 "slots", (int)info->slots,
			 "producers", (int)info->producers,
			 "consumers", (int)info->consumers,
			 "slots_live", (int)info->slots_live,
			 "observers", (int)info->observers,
			 "control_size", (json_int_t)info->control_size,
			 "produced", (json_int_t)info->produced,
			 "consumed", (json_int_t)info->consumed,
			 "lost", (json_int_t)info->lost,
			 "capacity", (json_int_t)tool_capacity(info),
			 "policy", tool_policy_name(info->full_policy));
}

static json_t *region(const char *name, uint64_t offset, uint64_t size, const char *writer,
		      json_t *node)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:o}", "region", name,
			 "offset", (json_int_t)offset, "size", (json_int_t)size,
			 "written_by", writer, "read_by", "all", "node", node);
}

static const char *cursor_writer(const struct shmring_ioc_info *info, unsigned int slot)
{
	if (info->topology != SHMRING_TOPO_SPSC)
		return "its endpoint";
	return slot ? "the consumer" : "the producer";
}

/* The regions of the mapped file in order, and who writes them by the protocol. */
static json_t *regions_json(uint32_t backend, const struct shmring_ioc_info *info)
{
	json_t *regions = json_array();
	unsigned int i;
	char name[24];

	json_array_append_new(regions,
			      region("META", 0, info->cursor_offset,
				     backend == SHMRING_BACKEND_DEVICE ? "the kernel" : "the library",
				     optional_node(info->meta_node)));
	for (i = 0; i < info->slots; i++) {
		snprintf(name, sizeof(name), "CURSOR %u", i);
		/* Where another endpoint's page lies, only that endpoint is told. */
		json_array_append_new(regions,
				      region(name, info->cursor_offset + i * info->cursor_stride,
					     info->cursor_stride, cursor_writer(info, i),
					     info->slot == i ? optional_node(info->cursor_node) :
							       json_null()));
	}
	if (info->shared_offset)
		json_array_append_new(regions,
				      region("SHARED", info->shared_offset, info->cursor_stride,
					     info->topology == SHMRING_TOPO_QUEUE ? "consumers" :
										    "producers",
					     json_null()));
	if (info->producers <= 1) {
		json_array_append_new(regions, region("DATA", info->data_offset, info->data_size,
						      "producers", optional_node(info->data_node)));
		return regions;
	}
	for (i = 0; i < info->producers; i++) {
		snprintf(name, sizeof(name), "DATA %u", i);
		json_array_append_new(regions,
				      region(name, info->data_offset + i * info->data_size,
					     info->data_size, "its producer",
					     optional_node(info->data_node)));
	}
	return regions;
}

json_t *tool_stats_json(unsigned int slot, const struct shmring_stats *s)
{
	return json_pack("{s:i, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "slot", (int)slot,
			 "state", tool_state_name(s->state),
			 "role", tool_role_name(s->role),
			 "pid", s->pid ? json_integer(s->pid) : json_null(),
			 "bytes", (json_int_t)s->bytes,
			 "records", (json_int_t)s->records,
			 "lost", (json_int_t)s->lost,
			 "stalls", (json_int_t)s->stalls,
			 "sleeps", (json_int_t)s->sleeps,
			 "kicks", (json_int_t)s->kicks,
			 "kicks_idle", (json_int_t)s->kicks_idle,
			 "waits", (json_int_t)s->waits,
			 "wakes", (json_int_t)s->wakes,
			 "spurious", (json_int_t)s->spurious,
			 "high", (json_int_t)s->high);
}

json_t *tool_ring_json(struct shmring *r)
{
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct shmring_stats stats = { .size = sizeof(stats) };
	json_t *root, *slots;
	unsigned int i;

	if (shmring_info(r, &info))
		return NULL;
	root = tool_info_json(shmring_backend(r), &info);
	slots = json_array();
	for (i = 0; i < info.slots; i++)
		if (!shmring_get_stats(r, i, &stats))
			json_array_append_new(slots, tool_stats_json(i, &stats));
	/* Pages of a memfd know no owner: whoever may write the file may write all of it. */
	json_object_set_new(root, "writers_enforced",
			    json_boolean(shmring_backend(r) == SHMRING_BACKEND_DEVICE));
	json_object_set_new(root, "regions", regions_json(shmring_backend(r), &info));
	json_object_set_new(root, "endpoints", slots);
	return root;
}

static int print_json(json_t *json, size_t flags)
{
	if (!json)
		return tool_fail(-ENOMEM, "cannot make the JSON text");
	json_dumpf(json, stdout, flags);
	putchar('\n');
	json_decref(json);
	return tool_flush_stdout(TOOL_OK);
}

int tool_print_json(json_t *json)
{
	return print_json(json, JSON_INDENT(2));
}

int tool_print_json_line(json_t *json)
{
	return print_json(json, JSON_COMPACT);
}

int tool_tell_carried(const char *ring, const char *what, uint64_t records, uint64_t bytes,
		      int code)
{
	json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:i}", "ring", ring, "what", what,
				 "records", (json_int_t)records, "bytes", (json_int_t)bytes,
				 "status", code);

	if (!json)
		return tool_fail(-ENOMEM, "cannot make the JSON text");
	json_dumpf(json, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(json);
	return code;
}
