// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map of NUMA nodes: a field for each pair, the better the greener.
 */
#include <math.h>
#include <string.h>

#include "bench_plot.h"

#define NODES	64
#define NUMBERS	8	/* more nodes than that and the fields are too small for them */
#define LEFT	110.0
#define TOP	44.0
#define MOST	340.0	/* width of all fields */

/* Where the two nodes of a result are told: in "extra" */
static bool nodes_of(const json_t *o, int *worker, int *memory)
{
	const json_t *extra = json_object_get(o, "extra");
	const json_t *a = json_object_get(extra, "worker_node");
	const json_t *b = json_object_get(extra, "memory_node");

	if (!json_is_integer(a) || !json_is_integer(b))
		return false;
	*worker = (int)json_integer_value(a);
	*memory = (int)json_integer_value(b);
	return *worker >= 0 && *worker < NODES && *memory >= 0 && *memory < NODES;
}

struct map {
	double least;
	double most;
	int nodes;
	double field;
};

static bool measure(const struct html_series *s, struct map *m)
{
	int worker, memory;
	double v;
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (!nodes_of(s->result[i], &worker, &memory))
			return false;
		m->nodes = worker >= m->nodes ? worker + 1 : m->nodes;
		m->nodes = memory >= m->nodes ? memory + 1 : m->nodes;
		v = html_number(s->result[i], "median");
		m->least = v < m->least ? v : m->least;
		m->most = v > m->most ? v : m->most;
	}
	m->field = m->nodes > 5 ? MOST / m->nodes : 66;
	return s->n;
}

static void put_field(FILE *f, const json_t *o, const struct map *m)
{
	double v = html_number(o, "median"), t = 1, x, y;
	int worker, memory;
	char text[32];

	nodes_of(o, &worker, &memory);
	if (m->most > m->least)
		t = (v - m->least) / (m->most - m->least);
	if (m->most > m->least && json_is_true(json_object_get(o, "less_is_better")))
		t = 1 - t;
	x = LEFT + m->field * memory;
	y = TOP + m->field * worker;
	fprintf(f, "<rect class=\"heat\" style=\"--good:%.2f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
		t, x, y, m->field - 2, m->field - 2);
	if (m->nodes > NUMBERS)
		return;
	/* "1.7 k" of MB/s would be a prefix of a prefix. */
	if (!strcmp(html_text(o, "unit"), "MB/s"))
		snprintf(text, sizeof(text), "%.0f", v);
	else
		plot_number(text, sizeof(text), v, html_text(o, "unit"));
	plot_label(f, "name", x + m->field / 2 - 1, y + m->field / 2 + 3, "middle", text);
}

bool html_plot_heat(FILE *f, const struct html_series *s)
{
	struct map m = { .least = HUGE_VAL };
	char text[64];
	size_t i;
	int node;

	if (!measure(s, &m))
		return false;
	snprintf(text, sizeof(text), "%.24s, median%s", plot_unit(html_text(s->result[0], "unit")),
		 m.nodes == 1 ? "; one node" : "");
	plot_open(f, s, text, TOP + m.field * m.nodes + 6);
	plot_label(f, "dim", LEFT + m.field * m.nodes / 2, 14, "middle", "memory on node");
	for (node = 0; node < m.nodes; node++) {
		snprintf(text, sizeof(text), "%d", node);
		plot_label(f, "name", LEFT + m.field * (node + 0.5), TOP - 8, "middle", text);
		snprintf(text, sizeof(text), "CPU on node %d", node);
		plot_label(f, "name", LEFT - 8, TOP + m.field * (node + 0.5) + 3, "end", text);
	}
	for (i = 0; i < s->n; i++)
		put_field(f, s->result[i], &m);
	plot_close(f, s, NULL);
	return true;
}
