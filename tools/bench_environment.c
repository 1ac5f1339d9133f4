// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a figure was measured on: everything that a second machine would have to
 * share to give the same one.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BUSY	0.5	/* load average from which on figures are doubtful */
#define CPU	"/sys/devices/system/cpu/"
#define NODE	"/sys/devices/system/node/"
#define THP	"/sys/kernel/mm/transparent_hugepage/"

/* The first line of @path, or @otherwise. */
static const char *first_line(char *buf, size_t n, const char *path, const char *otherwise)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(buf, (int)n, f))
		snprintf(buf, n, "%s", otherwise);
	if (f)
		fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

/* The value behind @key in a file of "key : value" lines. */
static void cpu_model(char *buf, size_t n)
{
	static const char *const keys[] = { "model name", "Hardware", "cpu model", "CPU part" };
	char line[256], *value;
	size_t k;
	FILE *f;

	snprintf(buf, n, "unknown");
	f = fopen("/proc/cpuinfo", "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		value = strchr(line, ':');
		if (!value)
			continue;
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (!strncmp(line, keys[k], strlen(keys[k])))
				break;
		if (k == sizeof(keys) / sizeof(keys[0]))
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = '\0';
		snprintf(buf, n, "%.*s", (int)n - 1, value);
		break;
	}
	fclose(f);
}

static bool is_virtual(void)
{
	char line[4096];
	bool hit = false;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "flags", 5) && strstr(line, " hypervisor"))
			hit = true;
	if (f)
		fclose(f);
	return hit;
}

/* {"spectre_v2": "Mitigation: ...", ...} */
static json_t *mitigations(void)
{
	char path[512], line[256];
	const struct dirent *e;
	json_t *o = json_object();
	DIR *d = opendir(CPU "vulnerabilities");

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CPU "vulnerabilities/%s", e->d_name);
		json_object_set_new(o, e->d_name,
				    json_string(first_line(line, sizeof(line), path, "unknown")));
	}
	if (d)
		closedir(d);
	return o;
}

/* [{"level": 1, "type": "Data", "size": "48K", "shared_by": "0-1"}, ...] of one CPU */
static json_t *caches(int cpu)
{
	char path[128], level[16], type[32], size[32], shared[128];
	json_t *a = json_array();
	int i;

	for (i = 0; ; i++) {
		snprintf(path, sizeof(path), CPU "cpu%d/cache/index%d/level", cpu, i);
		first_line(level, sizeof(level), path, "");
		if (!*level)
			return a;
		snprintf(path, sizeof(path), CPU "cpu%d/cache/index%d/type", cpu, i);
		first_line(type, sizeof(type), path, "unknown");
		snprintf(path, sizeof(path), CPU "cpu%d/cache/index%d/size", cpu, i);
		first_line(size, sizeof(size), path, "unknown");
		snprintf(path, sizeof(path), CPU "cpu%d/cache/index%d/shared_cpu_list", cpu, i);
		first_line(shared, sizeof(shared), path, "unknown");
		json_array_append_new(a, json_pack("{s:i, s:s, s:s, s:s}", "level", atoi(level),
						   "type", type, "size", size,
						   "shared_by", shared));
	}
}

static double node_mib(int node)
{
	char path[64], line[128];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), NODE "node%d/meminfo", node);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Node %*d MemTotal: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 1024;
}

/* [{"id": 0, "cpus": "0-1", "mib": 7950, "distances": "10 20"}, ...] */
static json_t *nodes(void)
{
	char path[512], cpus[256], distances[256];
	const struct dirent *e;
	json_t *a = json_array();
	DIR *d = opendir(NODE);
	int node;

	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, "node%d", &node) != 1)
			continue;
		snprintf(path, sizeof(path), NODE "%s/cpulist", e->d_name);
		first_line(cpus, sizeof(cpus), path, "");
		snprintf(path, sizeof(path), NODE "%s/distance", e->d_name);
		first_line(distances, sizeof(distances), path, "");
		json_array_append_new(a, json_pack("{s:i, s:s, s:f, s:s}", "id", node,
						   "cpus", cpus, "mib", node_mib(node),
						   "distances", distances));
	}
	if (d)
		closedir(d);
	return a;
}

static json_t *hugepages(void)
{
	char thp[128], shmem[128], pool[32];

	first_line(thp, sizeof(thp), THP "enabled", "unknown");
	first_line(shmem, sizeof(shmem), THP "shmem_enabled", "unknown");
	first_line(pool, sizeof(pool), "/proc/sys/vm/nr_hugepages", "0");
	return json_pack("{s:s, s:s, s:i}", "transparent", tool_chosen(thp),
			 "shmem", tool_chosen(shmem), "pool", atoi(pool));
}

static void add_machine(json_t *env, int cpu)
{
	char path[128], line[128];

	snprintf(path, sizeof(path), CPU "cpu%d/cpufreq/scaling_governor", cpu);
	json_object_set_new(env, "governor",
			    json_string(first_line(line, sizeof(line), path, "none")));
	first_line(line, sizeof(line), CPU "smt/control", "unknown");
	json_object_set_new(env, "smt", json_string(line));
	json_object_set_new(env, "isolated",
			    json_string(first_line(line, sizeof(line), CPU "isolated", "")));
	json_object_set_new(env, "caches", caches(cpu));
	json_object_set_new(env, "nodes", nodes());
	json_object_set_new(env, "hugepages", hugepages());
	json_object_set_new(env, "mitigations", mitigations());
}

json_t *bench_environment(const struct bench_place *place)
{
	char model[128], source[32], when[32];
	double cost, step, load = 0;
	struct utsname u;
	time_t t = time(NULL);
	struct tm tm;
	json_t *env;

	cpu_model(model, sizeof(model));
	first_line(source, sizeof(source),
		   "/sys/devices/system/clocksource/clocksource0/current_clocksource", "unknown");
	uname(&u);
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	bench_clock_cost(&cost, &step);
	getloadavg(&load, 1);
	env = json_pack("{s:f, s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:s, s:f, s:f, s:f, s:s, s:s}",
			"load", load,
			"date", when,
			"kernel", u.release,
			"machine", u.machine,
			"cpu", model,
			"virtual_machine", is_virtual(),
			"cpus_online", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
			"kernel_version", u.version,
			"clock_source", source,
			"clock_cost_ns", cost,
			"clock_step_ns", step,
			"call_cost_ns", bench_call_cost(),
			"library", shmring_version(),
#ifdef __clang__
			"compiler", "clang " __clang_version__
#else
			"compiler", "gcc " __VERSION__
#endif
			);
	if (place) {
		json_object_set_new(env, "pinned_to",
				    json_pack("[i, i]", place->cpu[0].id, place->cpu[1].id));
		json_object_set_new(env, "topology", json_string(place->how));
	}
	add_machine(env, place ? place->cpu[0].id : 0);
	return env;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "unknown";
}

static const char *if_any(char *buf, size_t n, const char *before, const char *what)
{
	snprintf(buf, n, "%s%s", before, what);
	return strcmp(what, "none") && strcmp(what, "unknown") ? buf : "";
}

bool bench_busy(const json_t *env)
{
	return json_number_value(json_object_get(env, "load")) > BUSY;
}

void bench_print_environment(const json_t *env, FILE *f)
{
	const json_t *cpus = json_object_get(env, "pinned_to");
	const json_t *huge = json_object_get(env, "hugepages");
	double load = json_number_value(json_object_get(env, "load"));
	size_t n = json_array_size(json_object_get(env, "nodes"));
	char governor[160];

	fprintf(f, "machine   %s, %lld CPUs%s, %s%s\n", text(env, "cpu"),
		(long long)json_integer_value(json_object_get(env, "cpus_online")),
		json_is_true(json_object_get(env, "virtual_machine")) ? " (virtual)" : "",
		text(env, "machine"),
		if_any(governor, sizeof(governor), ", governor ", text(env, "governor")));
	fprintf(f, "kernel    %s\n", text(env, "kernel"));
	fprintf(f, "memory    %zu NUMA node%s; transparent huge pages: %s, in shared memory: %s\n",
		n, n == 1 ? "" : "s", text(huge, "transparent"), text(huge, "shmem"));
	if (cpus)
		fprintf(f, "placed    CPU %lld and CPU %lld: %s\n",
			(long long)json_integer_value(json_array_get(cpus, 0)),
			(long long)json_integer_value(json_array_get(cpus, 1)),
			text(env, "topology"));
	fprintf(f, "clock     %s, %.0f ns a reading; a system call that does nothing: %.0f ns\n",
		text(env, "clock_source"), json_number_value(json_object_get(env, "clock_cost_ns")),
		json_number_value(json_object_get(env, "call_cost_ns")));
	fprintf(f, "load      %.2f before%s\n", load,
		bench_busy(env) ? ": others use the CPUs, so take the figures with care" : "");
	fprintf(f, "built by  %s; library %s; %s\n", text(env, "compiler"), text(env, "library"),
		text(env, "date"));
}
