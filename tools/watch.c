// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings as seen from outside.
 *
 * A ring is joined as an observer for as long as it takes to read its counters, and
 * left again: one that is watched ends when its last user leaves, not when its last
 * spectator does. Counters are read, nothing is written, nobody is woken.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "watch.h"

/* Above this a ring in which nothing moves is called full. */
#define FULL	0.9

struct reading {
	struct watch_list *list;
	const char *only;
};

static int add(uint32_t backend, const struct shmring_ioc_info *info, void *arg)
{
	struct reading *reading = arg;
	struct watch_list *list = reading->list;
	struct watch_ring *ring;

	if (reading->only && strcmp(reading->only, (const char *)info->name))
		return 0;
	ring = reallocarray(list->ring, list->n + 1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	list->ring = ring;
	ring += list->n++;
	memset(ring, 0, sizeof(*ring));
	ring->backend = backend;
	ring->info = *info;
	ring->time = tool_now();
	return 0;
}

static void count(struct watch_ring *ring)
{
	struct shmring_opts opts = { .size = sizeof(opts), .backend = ring->backend };
	struct shmring *r;
	unsigned int i;

	if (!*ring->info.name ||
	    shmring_attach((const char *)ring->info.name, SHMRING_ROLE_OBSERVER, &opts, &r))
		return;
	ring->counted = true;
	ring->time = tool_now();
	for (i = 0; i < ring->info.slots && i < SHMRING_SLOTS_MAX; i++) {
		ring->slot[i].size = sizeof(ring->slot[i]);
		/* Another ring has the name by now. */
		if (shmring_get_stats(r, i, &ring->slot[i]))
			ring->counted = false;
	}
	shmring_close(r);
}

int watch_read(struct watch_list *list, uint32_t backend, const char *only)
{
	struct reading reading = { .list = list, .only = only };
	size_t i;
	int err;

	list->ring = NULL;
	list->n = 0;
	err = shmring_list(backend, add, &reading);
	if (err) {
		watch_free(list);
		return err;
	}
	for (i = 0; i < list->n; i++)
		count(&list->ring[i]);
	return 0;
}

void watch_free(struct watch_list *list)
{
	free(list->ring);
	list->ring = NULL;
	list->n = 0;
}

const struct watch_ring *watch_find(const struct watch_list *list, const struct watch_ring *like)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->ring[i].backend == like->backend &&
		    list->ring[i].info.ring_id == like->info.ring_id)
			return &list->ring[i];
	return NULL;
}

/* A successor may begin at zero again. */
static uint64_t gain(uint64_t now, uint64_t then)
{
	return now >= then ? now - then : now;
}

void watch_add(struct watch_side *side, const struct shmring_stats *now,
	       const struct shmring_stats *then)
{
	static const struct shmring_stats none;

	if (!then)
		then = &none;
	side->live += now->state == SHMRING_SLOT_LIVE;
	side->dead += now->state == SHMRING_SLOT_DEAD;
	side->records += gain(now->records, then->records);
	side->bytes += gain(now->bytes, then->bytes);
	side->stalls += gain(now->stalls, then->stalls);
	side->sleeps += gain(now->sleeps, then->sleeps);
	side->kicks += gain(now->kicks, then->kicks);
	side->kicks_idle += gain(now->kicks_idle, then->kicks_idle);
	side->waits += gain(now->waits, then->waits);
	side->wakes += gain(now->wakes, then->wakes);
	side->spurious += gain(now->spurious, then->spurious);
	if (now->high > side->high)
		side->high = now->high;
}

void watch_flow(struct watch_flow *flow, const struct watch_ring *now,
		const struct watch_ring *then)
{
	const struct shmring_stats *before;
	unsigned int i;

	memset(flow, 0, sizeof(*flow));
	if (then)
		flow->seconds = (double)(now->time - then->time) / 1e9;
	flow->lost = gain(now->info.lost, then ? then->info.lost : 0);
	if (!now->counted || (then && !then->counted)) {
		flow->in.bytes = gain(now->info.produced, then ? then->info.produced : 0);
		flow->out.bytes = gain(now->info.consumed, then ? then->info.consumed : 0);
		return;
	}
	for (i = 0; i < now->info.slots && i < SHMRING_SLOTS_MAX; i++) {
		before = then ? &then->slot[i] : NULL;
		if (now->slot[i].role & SHMRING_ROLE_PRODUCER)
			watch_add(&flow->in, &now->slot[i], before);
		else if (now->slot[i].role & SHMRING_ROLE_CONSUMER)
			watch_add(&flow->out, &now->slot[i], before);
	}
	/* Of a single lane it is known how much is in there now. */
	if (now->info.producers == 1 && tool_used(&now->info) > flow->in.high)
		flow->in.high = tool_used(&now->info);
}

double watch_fill(const struct watch_ring *now)
{
	return now->info.data_size ?
	       (double)tool_used(&now->info) / (double)tool_capacity(&now->info) : 0;
}

/* In a word or two, what somebody who wonders about the ring wants to know first. */
const char *watch_state(const struct watch_ring *now, const struct watch_flow *flow)
{
	double room;

	if (!now->info.slots_live)
		return flow->in.dead || flow->out.dead ? "left, died" :
		       tool_used(&now->info) ? "left, unread" : "unused";
	if (now->info.topology == SHMRING_TOPO_RAW)
		return "in use";
	if (now->counted) {
		/* A death that no peer has noticed yet shows in the locks only. */
		if (flow->in.live + flow->out.live > now->info.slots_live)
			return "an end died";
		if (!flow->in.live)
			return flow->in.dead ? "sender died" : "no sender";
		if (!flow->out.live)
			return flow->out.dead ? "receiver died" : "no receiver";
	}
	if (flow->seconds > 0 && flow->lost)
		return "losing";
	if (flow->seconds > 0 && (flow->in.bytes || flow->out.bytes))
		return "flowing";
	if (flow->seconds <= 0)
		return tool_used(&now->info) ? "holds records" : "empty";
	/* Who is not there has no lane that could be full. */
	room = (double)now->info.data_size * (flow->in.live ? flow->in.live : 1);
	if ((double)tool_used(&now->info) >= FULL * room &&
	    now->info.full_policy != SHMRING_FULL_OVERWRITE)
		return "full, stuck";
	return tool_used(&now->info) ? "not read" : "idle";
}

const char *watch_rate(char *buf, size_t n, uint64_t amount, double seconds)
{
	static const char unit[] = "kMGTPE";
	double v = seconds > 0 ? (double)amount / seconds : (double)amount;
	unsigned int i;

	if (v < 0.005) {
		snprintf(buf, n, "0");
	} else if (v < 999.5) {
		snprintf(buf, n, v < 99.95 && v != floor(v) ? "%.1f" : "%.0f", v);
	} else {
		for (i = 0, v /= 1000; v >= 999.5 && unit[i + 1]; i++)
			v /= 1000;
		snprintf(buf, n, "%.*f%c", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, unit[i]);
	}
	return buf;
}

static json_t *side_json(const struct watch_side *side, double seconds)
{
	json_t *o = json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			      "live", (int)side->live, "dead", (int)side->dead,
			      "records", (json_int_t)side->records,
			      "bytes", (json_int_t)side->bytes,
			      "stalls", (json_int_t)side->stalls,
			      "sleeps", (json_int_t)side->sleeps,
			      "kicks", (json_int_t)side->kicks,
			      "kicks_idle", (json_int_t)side->kicks_idle,
			      "waits", (json_int_t)side->waits,
			      "wakes", (json_int_t)side->wakes,
			      "spurious", (json_int_t)side->spurious,
			      "high", (json_int_t)side->high);

	if (o && seconds > 0) {
		json_object_set_new(o, "records_per_second",
				    json_real((double)side->records / seconds));
		json_object_set_new(o, "bytes_per_second",
				    json_real((double)side->bytes / seconds));
	}
	return o;
}

json_t *watch_json(const struct watch_ring *now, const struct watch_ring *then)
{
	const char *name = (const char *)now->info.name;
	struct watch_flow flow;
	json_t *slots = json_array();
	unsigned int i;
	char id[24];

	watch_flow(&flow, now, then);
	for (i = 0; now->counted && i < now->info.slots && i < SHMRING_SLOTS_MAX; i++)
		json_array_append_new(slots, tool_stats_json(i, &now->slot[i]));
	snprintf(id, sizeof(id), "%llu", (unsigned long long)now->info.ring_id);
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:I, s:i, s:i, s:i, s:o}",
			 "id", id,
			 "name", *name ? json_string(name) : json_null(),
			 "backend", tool_backend_name(now->backend),
			 "topology", tool_topology_name(now->info.topology),
			 "state", watch_state(now, &flow),
			 "data_size", (json_int_t)now->info.data_size,
			 "capacity", (json_int_t)tool_capacity(&now->info),
			 "used", (json_int_t)tool_used(&now->info),
			 "fill", watch_fill(now),
			 "seconds", flow.seconds,
			 "in", side_json(&flow.in, flow.seconds),
			 "out", side_json(&flow.out, flow.seconds),
			 "lost", (json_int_t)flow.lost,
			 "slots", (int)now->info.slots,
			 "slots_live", (int)now->info.slots_live,
			 "observers", (int)now->info.observers,
			 "endpoints", slots);
}

void watch_parse_when(struct argp_state *state, struct watch_args *args, unsigned int nth,
		      const char *arg)
{
	if (nth == 0) {
		args->interval_ns = tool_parse_seconds(state, "SECONDS", arg);
		if (args->interval_ns < 10000000)
			argp_error(state, "SECONDS: %s is less than 0.01", arg);
	} else if (nth == 1) {
		args->count = tool_parse_number(state, "COUNT", arg, 1, UINT64_MAX - 1);
	} else {
		argp_error(state, "'%s' is one argument too many", arg);
	}
}

void watch_sleep(uint64_t when)
{
	const struct timespec until = {
		.tv_sec = (time_t)(when / 1000000000),
		.tv_nsec = (long)(when % 1000000000),
	};

	while (!tool_stopped &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}
