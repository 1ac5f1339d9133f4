// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring list - the rings that the caller may read, as a table or as JSON
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define COLUMNS	12

static const char *const titles[COLUMNS] = {
	"ID", "NAME", "KIND", "SIZE", "USED", "OWNER", "MODE", "NODE", "PAGE", "BACKEND", "ENDS", "WATCH",
};

static const bool right[COLUMNS] = { true, false, false, true, true, false, false, true, true };

struct row {
	char *cell[COLUMNS];
};

struct listing {
	struct row *rows;
	size_t n;
	json_t *json;
};

static char *cell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *cell(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return s;
}

static int add_row(struct listing *l, uint32_t backend, const struct shmring_ioc_info *info)
{
	struct row *rows = reallocarray(l->rows, l->n + 1, sizeof(*rows));
	char size[32], page[32], user[64];
	unsigned int i;
	uint64_t used;
	struct row *r;

	if (!rows)
		return -ENOMEM;
	l->rows = rows;
	r = &rows[l->n++];
	r->cell[0] = cell("%llu", (unsigned long long)info->ring_id);
	r->cell[1] = cell("%s", *info->name ? (const char *)info->name : "-");
	r->cell[2] = cell("%s", tool_topology_name(info->topology));
	r->cell[3] = cell("%s", tool_size(size, sizeof(size), tool_capacity(info)));
	used = tool_used(info) * 100 / tool_capacity(info);
	r->cell[4] = info->topology == SHMRING_TOPO_RAW ? cell("-") :
		     cell("%llu%%", (unsigned long long)used);
	r->cell[5] = cell("%s", tool_user(user, sizeof(user), info->uid));
	r->cell[6] = cell("%04o", info->mode);
	/* The memfd backend lists by reading files: where the pages are is seen by mapping them. */
	r->cell[7] = !info->data_page_size ? cell("-") :
		     info->data_node < 0 ? cell("*") : cell("%d", info->data_node);
	r->cell[8] = cell("%s", info->data_page_size ?
			  tool_size(page, sizeof(page), info->data_page_size) : "-");
	r->cell[9] = cell("%s", tool_backend_name(backend));
	r->cell[10] = cell("%u/%u", info->slots_live, info->slots);
	r->cell[11] = cell("%u", info->observers);
	for (i = 0; i < COLUMNS; i++)
		if (!r->cell[i])
			return -ENOMEM;
	return 0;
}

static int add(uint32_t backend, const struct shmring_ioc_info *info, void *arg)
{
	struct listing *l = arg;

	if (l->json)
		return json_array_append_new(l->json, tool_info_json(backend, info)) ? -ENOMEM : 0;
	return add_row(l, backend, info);
}

static void print_cell(const char *text, unsigned int column, const size_t *width)
{
	const char *end = column == COLUMNS - 1 ? "\n" : "  ";

	if (column == COLUMNS - 1)
		printf("%s%s", text, end);
	else if (right[column])
		printf("%*s%s", (int)width[column], text, end);
	else
		printf("%-*s%s", (int)width[column], text, end);
}

static void print_rows(const struct listing *l)
{
	size_t width[COLUMNS], i;
	unsigned int c;

	for (c = 0; c < COLUMNS; c++) {
		width[c] = strlen(titles[c]);
		for (i = 0; i < l->n; i++)
			if (strlen(l->rows[i].cell[c]) > width[c])
				width[c] = strlen(l->rows[i].cell[c]);
	}
	for (c = 0; c < COLUMNS; c++)
		print_cell(titles[c], c, width);
	for (i = 0; i < l->n; i++)
		for (c = 0; c < COLUMNS; c++)
			print_cell(l->rows[i].cell[c], c, width);
}

static void free_rows(struct listing *l)
{
	size_t i;
	unsigned int c;

	for (i = 0; i < l->n; i++)
		for (c = 0; c < COLUMNS; c++)
			free(l->rows[i].cell[c]);
	free(l->rows);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct tool_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = args;
		state->child_inputs[1] = args;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many (shmring show tells about one ring)",
			   arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_list(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		NULL, parse, "", "List the rings that you may read, on both backends unless -b says which."
		"\v"
		"USED is the part of the ring that holds records not yet received. NODE * means several. "
		"ENDS are the live endpoints of those there can be, WATCH the observers. Rings without "
		"a name (-) are listed on the device only. Files of memfd rings whose users were all "
		"killed are removed on the way, as `shmring rm` would.",
		children, NULL, NULL
	};
	struct listing l = { 0 };
	struct tool_args args;
	int err;

	tool_args_init(&args);
	tool_parse(&argp, "shmring list", argc, argv, &args);
	signal(SIGPIPE, SIG_IGN);
	if (args.json)
		l.json = json_array();
	if (args.opts.backend == SHMRING_BACKEND_DEVICE && access(TOOL_DEVICE, F_OK))
		err = tool_say(TOOL_ERROR, "cannot list the rings: " TOOL_NO_DEVICE);
	else
		err = shmring_list(args.opts.backend, add, &l);
	if (err) {
		free_rows(&l);
		json_decref(l.json);
		return err > 0 ? err : tool_fail(err, "cannot list the rings");
	}
	if (args.json)
		return tool_print_json(l.json);
	print_rows(&l);
	free_rows(&l);
	return tool_flush_stdout(TOOL_OK);
}
