// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring show - everything about one ring, looked at as an observer
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

struct show_args {
	struct tool_args common;
	const char *name;
};

/* A ring that a name or an identity was found for. */
struct found {
	const char *wanted;
	uint32_t backend;
	struct shmring_ioc_info info;
	bool any;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "'%s' is one argument too many", arg);
		args->name = tool_parse_name(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (!args->name)
			argp_error(state, "which ring? its name or id is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int match(uint32_t backend, const struct shmring_ioc_info *info, void *arg)
{
	struct found *f = arg;
	char id[24];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)info->ring_id);
	if (strcmp(id, f->wanted))
		return 0;
	f->backend = backend;
	f->info = *info;
	f->any = true;
	return 1;
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static long long number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *node_text(char *buf, size_t n, const json_t *o, const char *key)
{
	const json_t *node = json_object_get(o, key);

	if (!json_is_integer(node))
		return "-";
	snprintf(buf, n, "%lld", (long long)json_integer_value(node));
	return buf;
}

static void print_ring(const json_t *ring)
{
	const char *name = text(ring, "name");
	char a[32], b[32], lanes[32] = "", node[16];
	size_t i;
	json_t *o;

	printf("ring      %s (id %s), %s, %s backend\n", name ? name : "without a name",
	       text(ring, "id"), text(ring, "topology"), text(ring, "backend"));
	json_array_foreach(json_object_get(ring, "flags"), i, o)
		printf("flag      %s\n", json_string_value(o));
	printf("owner     %s (uid %lld, gid %lld), mode %s\n", text(ring, "user"),
	       number(ring, "uid"), number(ring, "gid"), text(ring, "mode"));
	if (number(ring, "producers") > 1)
		snprintf(lanes, sizeof(lanes), "%lld lanes of ", number(ring, "producers"));
	printf("memory    %s%s in pages of %s, node %s (asked for: %s)\n", lanes,
	       tool_size(a, sizeof(a), (uint64_t)number(ring, "data_size")),
	       tool_size(b, sizeof(b), (uint64_t)number(ring, "page_size")),
	       node_text(node, sizeof(node), ring, "data_node"), text(ring, "placement"));
	if (number(ring, "max_record")) {
		printf("records   up to %lld bytes; when it is full: %s\n",
		       number(ring, "max_record"), text(ring, "policy"));
		printf("position  %lld written, %lld read, %lld between them (%.1f %% full)\n",
		       number(ring, "produced"), number(ring, "consumed"), number(ring, "used"),
		       100.0 * (double)number(ring, "used") / (double)number(ring, "capacity"));
		if (strcmp(text(ring, "policy"), "wait"))
			printf("lost      %lld records\n", number(ring, "lost"));
	}
	printf("users     %lld of %lld endpoints live, %lld observers\n",
	       number(ring, "slots_live"), number(ring, "slots"), number(ring, "observers"));
}

static void print_parts(const json_t *ring)
{
	char node[16];
	json_t *o;
	size_t i;

	printf("\n%-10s %12s %12s  %-14s %-8s %s\n", "REGION", "OFFSET", "BYTES",
	       "WRITTEN BY", "READ BY", "NODE");
	json_array_foreach(json_object_get(ring, "regions"), i, o)
		printf("%-10s %12lld %12lld  %-14s %-8s %s\n", text(o, "region"),
		       number(o, "offset"), number(o, "size"), text(o, "written_by"),
		       text(o, "read_by"), node_text(node, sizeof(node), o, "node"));
	if (!json_boolean_value(json_object_get(ring, "writers_enforced")))
		puts("(memfd: the library keeps to this; who may send or receive could write all of it)");
	printf("\n%4s  %-9s %-8s %8s %14s %12s %10s %10s %10s %10s %10s %10s\n", "SLOT", "ROLE",
	       "STATE", "PID", "BYTES", "RECORDS", "STALLS", "SLEEPS", "KICKS", "WAKES", "SPURIOUS",
	       "HIGH");
	json_array_foreach(json_object_get(ring, "endpoints"), i, o)
		printf("%4lld  %-9s %-8s %8s %14lld %12lld %10lld %10lld %10lld %10lld %10lld %10lld\n",
		       number(o, "slot"), text(o, "role"), text(o, "state"),
		       node_text(node, sizeof(node), o, "pid"),
		       number(o, "bytes"), number(o, "records"), number(o, "stalls"),
		       number(o, "sleeps"), number(o, "kicks"), number(o, "wakes"),
		       number(o, "spurious"), number(o, "high"));
}

/* Takes @ring. */
static int print(const struct show_args *args, json_t *ring)
{
	if (args->common.json || !ring)
		return tool_print_json(ring);
	print_ring(ring);
	if (json_object_get(ring, "regions"))
		print_parts(ring);
	json_decref(ring);
	return tool_flush_stdout(TOOL_OK);
}

/* A number may be a name as well; the name was tried first. */
static int show_by_id(struct show_args *args)
{
	struct found f = { .wanted = args->name };
	const char *name;
	struct shmring *r;
	json_t *ring;
	int err;

	err = shmring_list(args->common.opts.backend, match, &f);
	if (err < 0)
		return tool_fail(err, "cannot list the rings");
	if (!f.any)
		return tool_say(TOOL_ERROR, "there is no ring '%s' that you may read: shmring list shows those there are",
				args->name);
	if (!*f.info.name)	/* nothing to attach by: what the list tells is all */
		return print(args, tool_info_json(f.backend, &f.info));
	args->common.opts.backend = f.backend;
	name = (const char *)f.info.name;
	err = shmring_attach(name, SHMRING_ROLE_OBSERVER, &args->common.opts, &r);
	if (err)
		return tool_fail(err, "cannot look at ring '%s'", name);
	ring = tool_ring_json(r);
	shmring_close(r);
	return print(args, ring);
}

int cmd_show(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		NULL, parse, "NAME|ID",
		"Show everything about the ring of that name, or of that id: regions and who may write "
		"them, endpoints and what they have done."
		"\v"
		"Looks as an observer, which disturbs nobody. Of a ring without a name only what "
		"`shmring list` knows can be told.",
		children, NULL, NULL
	};
	struct show_args args = { 0 };
	struct shmring *r;
	json_t *ring;
	int err;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring show", argc, argv, &args);
	signal(SIGPIPE, SIG_IGN);
	err = shmring_attach(args.name, SHMRING_ROLE_OBSERVER, &args.common.opts, &r);
	if (err == -ENOENT && (args.common.opts.backend != SHMRING_BACKEND_DEVICE ||
			       !access(TOOL_DEVICE, F_OK)))
		return show_by_id(&args);
	if (err)
		return tool_look_failed(err, args.common.opts.backend, args.name);
	ring = tool_ring_json(r);
	shmring_close(r);
	return print(&args, ring);
}
