// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench numa: the results as the document that every benchmark leaves, and for people
 * the matrix of nodes, and what it says.
 */
#include "bench_numa.h"
#include "bench_result.h"

#define TEXT_MAX	256

static const struct {
	const char *title;
	const char *metric;
	const char *unit;
	bool less_is_better;
} metrics[NUMA_METRICS] = {
	{ "Writing", "bandwidth", "MB/s", false },
	{ "Reading", "bandwidth", "MB/s", false },
	{ "Loads that need the one before", "latency", "ns", true },
};

static int add_cell(json_t *doc, const struct numa_report *report, const struct numa_cell *c,
		    enum numa_metric metric)
{
	int worker = report->topology->worker[c->worker], node = c->place->node;
	char group[96], contender[64];
	const struct bench_result out = {
		.group = group, .contender = contender, .metric = metrics[metric].metric,
		.unit = metrics[metric].unit, .less_is_better = metrics[metric].less_is_better,
		.payload = -1, .rounds = c->v[metric], .n = report->rounds,
		.extra = json_pack("{s:i, s:i, s:i, s:s, s:I, s:b}", "worker_node", worker,
				   "memory_node", node, "distance", numa_far(worker, node),
				   "placed_by", numa_placers[c->place->placer].name, "page_bytes",
				   (json_int_t)c->place->page_bytes, "pages_looked_at",
				   c->place->told),
	};

	snprintf(group, sizeof(group), "%s, memory placed by %s", metrics[metric].title,
		 numa_placers[c->place->placer].name);
	snprintf(contender, sizeof(contender), "worker on node %d, memory on %d", worker, node);
	return bench_doc_add(doc, &out);
}

static json_t *document(const struct numa_report *report)
{
	unsigned int i, metric;
	int err = 0;
	json_t *doc;

	doc = bench_doc_new("numa", json_incref(report->environment),
			    json_pack("{s:i, s:I, s:i, s:i}", "rounds", (int)report->rounds, "bytes",
				      (json_int_t)report->bytes, "nodes_with_memory",
				      (int)report->topology->memories, "nodes_with_cpus",
				      (int)report->topology->workers));
	if (!doc)
		return NULL;
	json_object_set(doc, "skipped", report->skipped);
	for (metric = 0; metric < NUMA_METRICS; metric++)
		for (i = 0; i < report->cells && !err; i++)
			err = add_cell(doc, report, &report->cell[i], metric);
	for (i = 0; i < report->cells; i++)
		bench_doc_checked(doc, report->cell[i].checked);
	if (err) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}

static double value(const struct numa_report *report, const struct numa_cell *c,
		    enum numa_metric metric)
{
	struct bench_stats s;

	bench_stats(c->v[metric], report->rounds, &s);
	return s.median;
}

static const struct numa_cell *find(const struct numa_report *report, unsigned int placer,
				    unsigned int worker, int node)
{
	unsigned int i;

	for (i = 0; i < report->cells; i++) {
		const struct numa_cell *c = &report->cell[i];

		if (c->place->placer == placer && c->worker == worker && c->place->node == node)
			return c;
	}
	return NULL;
}

static void print_matrix(FILE *f, const struct numa_report *report, unsigned int placer,
			 enum numa_metric metric)
{
	const struct numa_topology *t = report->topology;
	const struct numa_cell *c;
	unsigned int w, m;

	fprintf(f, "\n%s, %s, memory placed by %s\n%-16s", metrics[metric].title,
		metrics[metric].unit, numa_placers[placer].name, "");
	for (m = 0; m < t->memories; m++)
		fprintf(f, "  memory %3d", t->memory[m]);
	fputc('\n', f);
	for (w = 0; w < t->workers; w++) {
		fprintf(f, "worker on %-6d", t->worker[w]);
		for (m = 0; m < t->memories; m++) {
			c = find(report, placer, w, t->memory[m]);
			if (c)
				fprintf(f, " %11.1f", value(report, c, metric));
			else
				fprintf(f, " %11s", "-");
		}
		fputc('\n', f);
	}
}

static void print_distances(FILE *f, const struct numa_topology *t)
{
	unsigned int w, m;

	fprintf(f, "\nDistance as the firmware tells it (10: local)\n%-16s", "");
	for (m = 0; m < t->memories; m++)
		fprintf(f, "  memory %3d", t->memory[m]);
	fputc('\n', f);
	for (w = 0; w < t->workers; w++) {
		fprintf(f, "worker on %-6d", t->worker[w]);
		for (m = 0; m < t->memories; m++)
			fprintf(f, " %11d", numa_far(t->worker[w], t->memory[m]));
		fputc('\n', f);
	}
}

/*
 * How many times as long a far load takes as a near one: the most there is, of what is
 * more than noise, so in every round.
 */
static double worst(const struct numa_report *report)
{
	const struct numa_topology *t = report->topology;
	const struct numa_cell *near;
	struct bench_ratio ratio;
	double most = 0;
	unsigned int i;

	for (i = 0; i < report->cells; i++) {
		const struct numa_cell *c = &report->cell[i];

		near = find(report, c->place->placer, c->worker, t->worker[c->worker]);
		if (!near || near == c)
			continue;
		bench_ratio(c->v[NUMA_LATENCY], near->v[NUMA_LATENCY], report->rounds, false,
			    &ratio);
		if (ratio.ahead == report->rounds && ratio.median > most)
			most = ratio.median;
	}
	return most;
}

static void print_advice(FILE *f, const struct numa_report *report)
{
	const struct numa_topology *t = report->topology;
	bool told = true;
	unsigned int i;
	double ratio;

	for (i = 0; i < report->cells; i++)
		told &= report->cell[i].place->told;
	if (told)
		fputs("\nWhere every page is was asked of the kernel: all are on the node that they were placed on.\n",
		      f);
	else
		fputs("\nThe kernel does not tell here on which node pages are, so that they are where they should be is not proved.\n",
		      f);
	if (t->memories == 1 && t->workers == 1) {
		fprintf(f, "This machine has one NUMA node: all memory is equally near, and there is nothing to place. "
			"The figures are those of local memory.\n");
		return;
	}
	ratio = worst(report);
	if (ratio > 1.1)
		fprintf(f, "A load from the farthest node takes up to %.2f times as long as a local one. Put a ring on the node of who reads it "
			"(shmring create --node N): a\nwriter does not wait for its stores, a reader waits for its loads.\n",
			ratio);
	else
		fprintf(f, "Here it makes no difference on which node memory is: the nodes are emulated, or others were in the way. "
			"What was asked for was done all the same.\n");
	if (json_is_true(json_object_get(report->environment, "virtual_machine")))
		fprintf(f, "This is a virtual machine: its nodes are as far apart as its host makes them.\n");
}

int numa_print(const struct numa_report *report)
{
	enum bench_form form = report->json ? BENCH_JSON : report->tsv ? BENCH_TSV : BENCH_TEXT;
	unsigned int placer, metric, i;
	char *advice = NULL;
	size_t size;
	json_t *doc;
	FILE *f;
	int code;

	doc = document(report);
	f = doc ? open_memstream(&advice, &size) : NULL;
	if (!f) {
		json_decref(doc);
		return tool_fail(-ENOMEM, "cannot hold the results");
	}
	fprintf(f, "The same as matrices: in a row what a worker there finds");
	for (placer = 0; placer < NUMA_PLACERS; placer++) {
		for (i = 0; i < report->cells && report->cell[i].place->placer != placer; i++)
			;
		for (metric = 0; i < report->cells && metric < NUMA_METRICS; metric++)
			print_matrix(f, report, placer, metric);
	}
	print_distances(f, report->topology);
	print_advice(f, report);
	fclose(f);
	if (advice && size)
		advice[size - 1] = '\0';	/* the newline, which is printed behind it */
	code = bench_doc_print(doc, form, advice);
	free(advice);
	return code;
}
