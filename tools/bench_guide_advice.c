// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench guide: the table of advice. What may be taken for a need follows from what each
 * way is; which of those is best, from what was measured. What was not measured, since it
 * was not asked for or cannot run here, takes no part.
 */
#include "bench_guide.h"

#define FIGURE	256

/* What to look for, and how it is told. */
struct wish {
	const char *metric;
	int64_t payload;	/* below 0: the longest there is */
	const char *percentile;	/* instead of the median */
	unsigned int must;
	unsigned int mustnt;
	unsigned int either;	/* at least one of them, unless 0 */
};

static unsigned int traits(const char *name)
{
	unsigned int i;

	for (i = 0; i < guide_n; i++)
		if (!strcmp(guide_ways[i].who->name, name))
			return guide_ways[i].is;
	return GUIDE_SIGNAL;
}

static const char *name_of(const json_t *result)
{
	return json_string_value(json_object_get(result, "contender"));
}

static int64_t payload_of(const json_t *result)
{
	return json_integer_value(json_object_get(result, "payload"));
}

static double extra(const json_t *result, const char *key)
{
	const json_t *v = json_object_get(json_object_get(result, "extra"), key);

	return json_is_number(v) ? json_number_value(v) : -1;
}

static double value(const json_t *result, const struct wish *w)
{
	if (w->percentile)
		return json_number_value(json_object_get(json_object_get(result, "percentiles"),
							 w->percentile));
	return json_number_value(json_object_get(result, "median"));
}

static bool granted(const json_t *result, const struct wish *w)
{
	unsigned int is = traits(name_of(result));

	return !strcmp(json_string_value(json_object_get(result, "metric")), w->metric) &&
	       (w->payload < 0 || payload_of(result) == w->payload) && (is & w->must) == w->must &&
	       !(is & w->mustnt) && (!w->either || is & w->either);
}

static const json_t *best(const json_t *doc, const struct wish *w)
{
	const json_t *o, *top = NULL;
	bool less = !strcmp(w->metric, "latency");
	size_t i;

	json_array_foreach(json_object_get(doc, "results"), i, o) {
		if (!granted(o, w))
			continue;
		/* Records of one length are compared, and longer ones are what is asked for. */
		if (top && payload_of(o) < payload_of(top))
			continue;
		if (top && payload_of(o) == payload_of(top) &&
		    (less ? value(o, w) >= value(top, w) : value(o, w) <= value(top, w)))
			continue;
		top = o;
	}
	return top;
}

static const char *rate(char *buf, const json_t *result)
{
	double v = json_number_value(json_object_get(result, "median"));
	char n[32];

	if (v * (double)payload_of(result) >= 1e8 && payload_of(result) >= 16384)
		snprintf(buf, FIGURE, "%s GB/s",
			 bench_number(n, sizeof(n), v * (double)payload_of(result) / 1e9));
	else
		snprintf(buf, FIGURE, "%s million records/s", bench_number(n, sizeof(n), v / 1e6));
	return buf;
}

static const char *calls(char *buf, const json_t *result)
{
	double n = extra(result, "calls");

	if (n < 0)
		snprintf(buf, FIGURE, "system calls not counted");
	else
		snprintf(buf, FIGURE, "%.2g system calls a record", n);
	return buf;
}

/* The second best for comparison: the best that the kernel carries. */
static void beside_kernel(char *buf, const json_t *doc, struct wish w, const json_t *top)
{
	const json_t *o;
	char r[FIGURE];

	buf[0] = '\0';
	w.payload = payload_of(top);
	w.must |= GUIDE_KERNEL;
	w.either = 0;
	o = best(doc, &w);
	if (o && o != top)
		snprintf(buf, FIGURE, "; through the kernel %s %s", name_of(o), rate(r, o));
}

static void say(json_t *doc, FILE *f, const char *need, const char *take, const char *why)
{
	json_t *list = json_object_get(doc, "advice");

	if (!list) {
		list = json_array();
		json_object_set_new(doc, "advice", list);
		fprintf(f, "\n%-20s %-20s %s\n", "for", "take", "because here");
	}
	fprintf(f, "%-20s %-20s %s\n", need, take, why);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "need", need, "take", take,
					      "why", why));
}

static void by_rate(json_t *doc, FILE *f, const char *need, const struct wish *w, const char *also)
{
	const json_t *top = best(doc, w);
	char r[FIGURE], c[FIGURE], k[FIGURE], why[4 * FIGURE];

	if (!top)
		return;
	beside_kernel(k, doc, *w, top);
	snprintf(why, sizeof(why), "%s of %lld bytes, %s%s%s", rate(r, top),
		 (long long)payload_of(top), calls(c, top), k, also);
	say(doc, f, need, name_of(top), why);
}

static void by_tail(json_t *doc, FILE *f, const char *need, const struct wish *w, const char *also)
{
	const json_t *top = best(doc, w), *p;
	char a[32], b[32], c[32], why[2 * FIGURE];

	if (!top)
		return;
	p = json_object_get(top, "percentiles");
	snprintf(why, sizeof(why), "round trip p50 %s us, p99.9 %s us, longest %s us%s",
		 bench_number(a, sizeof(a), json_number_value(json_object_get(p, "p50")) / 1e3),
		 bench_number(b, sizeof(b), json_number_value(json_object_get(p, "p999")) / 1e3),
		 bench_number(c, sizeof(c), json_number_value(json_object_get(p, "max")) / 1e3),
		 also);
	say(doc, f, need, name_of(top), why);
}

/* Those that were measured and whose names are, or are not, left behind. */
static void list(char *buf, size_t n, const json_t *doc, bool left)
{
	const json_t *results = json_object_get(doc, "results"), *o;
	size_t i, k, len = 0;

	buf[0] = '\0';
	json_array_foreach(results, i, o) {
		for (k = 0; k < i && strcmp(name_of(json_array_get(results, k)), name_of(o)); k++)
			;
		if (k < i || left != !!(traits(name_of(o)) & GUIDE_LEFT) || len >= n)
			continue;
		len += (size_t)snprintf(buf + len, n - len, "%s%s", len ? ", " : "", name_of(o));
	}
}

static void clean_up(json_t *doc, FILE *f)
{
	const json_t *results = json_object_get(doc, "results"), *o, *least = NULL;
	char gone[FIGURE], left[FIGURE], why[3 * FIGURE];
	size_t i;

	json_array_foreach(results, i, o)
		if (!(traits(name_of(o)) & (GUIDE_LEFT | GUIDE_SIGNAL)) &&
		    (!least || extra(o, "memory") < extra(least, "memory")))
			least = o;
	if (!least)
		return;
	list(gone, sizeof(gone), doc, false);
	list(left, sizeof(left), doc, true);
	snprintf(why, sizeof(why), "%.0f KiB and no name; gone with their last user, unnamed: %s%s%s",
		 extra(least, "memory") / 1024, gone,
		 *left ? "; removed by hand: " : "", left);
	say(doc, f, "clean-up", name_of(least), why);
}

void guide_advise(json_t *doc, FILE *f)
{
	static const struct wish
	large = { .metric = "throughput", .payload = -1, .mustnt = GUIDE_SIGNAL },
	tail = { .metric = "latency", .payload = -1, .percentile = "p999", .mustnt = GUIDE_SIGNAL },
	sleeps = { .metric = "latency", .payload = -1, .percentile = "p999",
		   .mustnt = GUIDE_SIGNAL | GUIDE_SPINS },
	often = { .metric = "throughput", .payload = 64,
		  .mustnt = GUIDE_SIGNAL | GUIDE_SPINS },
	lasts = { .metric = "throughput", .payload = 64, .must = GUIDE_LASTS },
	named = { .metric = "throughput", .payload = 64, .must = GUIDE_NAMED,
		  .mustnt = GUIDE_SPINS | GUIDE_SIGNAL },
	hostile = { .metric = "throughput", .payload = 64, .mustnt = GUIDE_SIGNAL | GUIDE_SPINS,
		    .either = GUIDE_KERNEL | GUIDE_RIGHTS };

	by_rate(doc, f, "large data", &large, "");
	by_tail(doc, f, "real-time", &tail, "; what spins keeps a CPU busy while it waits");
	by_tail(doc, f, "real-time, sleeping", &sleeps, "; costs no CPU while idle");
	by_rate(doc, f, "frequent exchange", &often, "");
	by_rate(doc, f, "persistence", &lasts, "; the data outlives all processes, msync(2) it");
	by_rate(doc, f, "unrelated processes", &named, "; found by a name");
	by_rate(doc, f, "untrusted peers", &hostile,
		"; what was sent is out of the peer's reach");
	clean_up(doc, f);
}
