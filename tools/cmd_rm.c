// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring rm - remove names of rings that were left behind
 *
 * Only the memfd backend can leave any: a file in /dev/shm whose users were all
 * killed. The library removes such a file when it meets it, so asking for the ring is
 * the removal; what is left to do here is to say what happened, and --force.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holders.h"

struct rm_args {
	struct tool_args common;
	char **name;
	unsigned int names;
	bool all;
	bool force;
	json_t *told;
};

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0,
	  "All names that were left behind and are yours to remove; rings in use are passed over",
	  1 },
	{ "force", 'f', NULL, 0,
	  "Also the name of a ring in use: its users keep it, nobody else finds it", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rm_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		state->child_inputs[1] = &args->common;
		return 0;
	case 'a':
		args->all = true;
		return 0;
	case 'f':
		args->force = true;
		return 0;
	case ARGP_KEY_ARG:
		tool_parse_name(state, arg);
		args->name = state->argv + state->next - 1;
		args->names = (unsigned int)(state->argc - state->next + 1);
		for (; state->next < state->argc; state->next++)
			tool_parse_name(state, state->argv[state->next]);
		return 0;
	case ARGP_KEY_END:
		if (args->names && args->all)
			argp_error(state, "--all and names exclude each other");
		if (args->force && args->all)
			argp_error(state, "--force is for rings that are named one by one");
		if (!args->names && !args->all)
			argp_error(state, "which ring? its name is missing (--all: what was left behind)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void note(struct rm_args *args, const char *name, const char *backend, bool removed,
		 const char *why, const struct holders *h)
{
	if (args->told)
		json_array_append_new(args->told,
				      json_pack("{s:s, s:s?, s:b, s:s?, s:o}", "name", name,
						"backend", backend, "removed", removed, "why", why,
						"holders", h ? holders_json(h) : json_array()));
	else if (removed)
		printf("removed %s%s\n", name, h && h->n ? " (its users keep the ring)" : "");
}

/* Says that @name cannot be removed as it is in use; returns the exit code. */
static int in_use(struct rm_args *args, const char *name, uint32_t backend,
		  const struct holders *h)
{
	char *who = holders_text(h);

	note(args, name, tool_backend_name(backend), false, "in use", h);
	if (backend == SHMRING_BACKEND_DEVICE)
		tool_say(0, "ring '%s' is on the device, where nothing is left behind: it ends with its last user; end %s",
			 name, who ? who : "its users");
	else
		tool_say(0, "ring '%s' is in use by %s: end its users, or take its name away with --force",
			 name, who ? who : "somebody");
	free(who);
	return TOOL_ERROR;
}

static int rm_forced(struct rm_args *args, const char *name, const char *path, struct shmring *r)
{
	struct stat here, there;
	struct holders h = { 0 };

	/* Being a user of the ring, we keep its name from going to another meanwhile. */
	if (fstat(shmring_fd(r), &here) || lstat(path, &there) ||
	    here.st_dev != there.st_dev || here.st_ino != there.st_ino)
		return tool_say(TOOL_ERROR, "ring '%s' has just ended", name);
	if (unlink(path)) {
		note(args, name, "memfd", false, strerror(errno), NULL);
		return tool_say(TOOL_ERROR, "cannot remove %s: %s", path, strerror(errno));
	}
	holders_of_file(&h, here.st_dev, here.st_ino);
	note(args, name, "memfd", true, NULL, &h);
	holders_free(&h);
	return TOOL_OK;
}

/* @path exists. */
static int rm_file(struct rm_args *args, const char *name, const char *path)
{
	struct shmring_opts opts = { .size = sizeof(opts), .backend = SHMRING_BACKEND_MEMFD };
	struct holders h = { 0 };
	struct shmring *r;
	struct stat st;
	int code, err;

	err = shmring_attach(name, SHMRING_ROLE_OBSERVER, &opts, &r);
	if (!err) {
		if (args->force) {
			code = rm_forced(args, name, path, r);
		} else {
			if (!fstat(shmring_fd(r), &st))
				holders_of_file(&h, st.st_dev, st.st_ino);
			code = args->all ? TOOL_OK : in_use(args, name, SHMRING_BACKEND_MEMFD, &h);
			holders_free(&h);
		}
		shmring_close(r);
		return code;
	}
	if (err == -ENOENT && lstat(path, &st) && errno == ENOENT) {
		note(args, name, "memfd", true, NULL, NULL);
		return TOOL_OK;
	}
	/* Of somebody else, whose concern it is; root removes what is anybody's. */
	if (args->all && geteuid() && !lstat(path, &st) && st.st_uid != geteuid())
		return TOOL_OK;
	/* Not ours, not a ring, or one that contradicts itself. */
	if (args->force && !unlink(path)) {
		note(args, name, "memfd", true, NULL, NULL);
		return TOOL_OK;
	}
	if (err == -EACCES || err == -EPERM || err == -ENOENT || (args->force && errno == EPERM)) {
		note(args, name, "memfd", false, "not yours", NULL);
		return tool_say(TOOL_ERROR, "cannot remove ring '%s': %s is not yours: be its owner or root",
				name, path);
	}
	if (err == -EBUSY) {
		note(args, name, "memfd", false, "locked", NULL);
		return tool_say(TOOL_ERROR, "somebody keeps %s locked, who is no user of a ring: remove it with --force",
				path);
	}
	note(args, name, "memfd", false, shmring_strerror(err), NULL);
	return tool_say(TOOL_ERROR, "%s is not a ring that can be understood here: remove it with --force",
			path);
}

/* There is no file of that name: is there a ring on the device? */
static int rm_device(struct rm_args *args, const char *name)
{
	struct shmring_opts opts = { .size = sizeof(opts), .backend = SHMRING_BACKEND_DEVICE };
	struct shmring_ioc_info info = { .size = sizeof(info) };
	struct holders h = { 0 };
	struct shmring *r;
	int code, err;

	err = shmring_attach(name, SHMRING_ROLE_OBSERVER, &opts, &r);
	if (!err) {
		err = shmring_info(r, &info);
		shmring_close(r);
		if (!err)
			err = holders_of_ring(&h, info.ring_id);
		code = in_use(args, name, SHMRING_BACKEND_DEVICE, &h);
		holders_free(&h);
		return code;
	}
	if (err == -EACCES && !access(TOOL_DEVICE, R_OK | W_OK)) {
		h.hidden = 1;
		return in_use(args, name, SHMRING_BACKEND_DEVICE, &h);
	}
	note(args, name, NULL, false, "no such ring", NULL);
	if (args->common.opts.backend == SHMRING_BACKEND_DEVICE)
		return tool_ring_failed(err, SHMRING_BACKEND_DEVICE, "find", name);
	return tool_say(TOOL_ERROR, "there is no ring '%s': shmring list shows those there are",
			name);
}

static int rm_one(struct rm_args *args, const char *name)
{
	char path[sizeof(TOOL_SHM_DIR "/" TOOL_SHM_PREFIX) + SHMRING_NAME_MAX];
	struct stat st;

	snprintf(path, sizeof(path), TOOL_SHM_DIR "/" TOOL_SHM_PREFIX "%s", name);
	if (args->common.opts.backend != SHMRING_BACKEND_DEVICE && !lstat(path, &st))
		return rm_file(args, name, path);
	if (args->common.opts.backend != SHMRING_BACKEND_MEMFD)
		return rm_device(args, name);
	note(args, name, NULL, false, "no such ring", NULL);
	return tool_say(TOOL_ERROR, "there is no ring '%s' on the memfd backend", name);
}

static int rm_all(struct rm_args *args)
{
	const size_t prefix = sizeof(TOOL_SHM_PREFIX) - 1;
	const struct dirent *entry;
	int code = TOOL_OK;
	DIR *dir;

	/* The device has nothing to remove. */
	if (args->common.opts.backend == SHMRING_BACKEND_DEVICE)
		return TOOL_OK;
	dir = opendir(TOOL_SHM_DIR);
	if (!dir)
		return errno == ENOENT ? TOOL_OK :
		       tool_say(TOOL_ERROR, "cannot read " TOOL_SHM_DIR ": %s", strerror(errno));
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, TOOL_SHM_PREFIX, prefix) && entry->d_name[prefix] &&
		    strlen(entry->d_name + prefix) < SHMRING_NAME_MAX &&
		    rm_one(args, entry->d_name + prefix))
			code = TOOL_ERROR;
	closedir(dir);
	return code;
}

int cmd_rm(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		options, parse, "NAME...\n--all",
		"Remove names of rings that were left behind in /dev/shm by users that were killed."
		"\v"
		"A ring in use is not removed, and who uses it is told. Rings of the device cannot be "
		"left behind: they end with their last user, whom rm names where it may look. Exit "
		"status 1: something could not be removed.",
		children, NULL, NULL
	};
	struct rm_args args = { 0 };
	int code = TOOL_OK, out;
	unsigned int i;

	tool_args_init(&args.common);
	tool_parse(&argp, "shmring rm", argc, argv, &args);
	signal(SIGPIPE, SIG_IGN);
	if (args.common.json)
		args.told = json_array();
	if (args.all)
		code = rm_all(&args);
	for (i = 0; i < args.names; i++)
		if (rm_one(&args, args.name[i]))
			code = TOOL_ERROR;
	out = args.told ? tool_print_json(args.told) : tool_flush_stdout(TOOL_OK);
	return code ? code : out;
}
