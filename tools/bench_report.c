// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a figure was measured on, and how far a long run is.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BUSY	0.5	/* load average from which on figures are doubtful */

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

static void clock_source(char *buf, size_t n)
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");

	snprintf(buf, n, "unknown");
	if (!f)
		return;
	if (fgets(buf, (int)n, f))
		buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
}

json_t *bench_environment(const struct bench_place *place)
{
	char model[128], source[32], when[32];
	double cost, step, load = 0;
	struct utsname u;
	time_t t = time(NULL);
	struct tm tm;

	cpu_model(model, sizeof(model));
	clock_source(source, sizeof(source));
	uname(&u);
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	bench_clock_cost(&cost, &step);
	getloadavg(&load, 1);
	return json_pack("{s:f, s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:[i,i], s:s, s:s, s:f, s:f, s:s, s:s}",
			 "load", load,
			 "date", when,
			 "kernel", u.release,
			 "machine", u.machine,
			 "cpu", model,
			 "virtual_machine", is_virtual(),
			 "cpus_online", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
			 "kernel_version", u.version,
			 "pinned_to", place->cpu[0].id, place->cpu[1].id,
			 "topology", place->how,
			 "clock_source", source,
			 "clock_cost_ns", cost,
			 "clock_step_ns", step,
			 "library", shmring_version(),
#ifdef __clang__
			 "compiler", "clang " __clang_version__
#else
			 "compiler", "gcc " __VERSION__
#endif
			);
}

void bench_print_environment(const json_t *env, FILE *f)
{
	const json_t *cpus = json_object_get(env, "pinned_to");

	double load = json_real_value(json_object_get(env, "load"));

	fprintf(f, "machine   %s, %lld CPUs%s, %s\n",
		json_string_value(json_object_get(env, "cpu")),
		(long long)json_integer_value(json_object_get(env, "cpus_online")),
		json_is_true(json_object_get(env, "virtual_machine")) ? " (virtual)" : "",
		json_string_value(json_object_get(env, "machine")));
	fprintf(f, "kernel    %s\n", json_string_value(json_object_get(env, "kernel")));
	fprintf(f, "placed    CPU %lld and CPU %lld: %s\n",
		(long long)json_integer_value(json_array_get(cpus, 0)),
		(long long)json_integer_value(json_array_get(cpus, 1)),
		json_string_value(json_object_get(env, "topology")));
	fprintf(f, "clock     %s, %.0f ns a reading\n",
		json_string_value(json_object_get(env, "clock_source")),
		json_real_value(json_object_get(env, "clock_cost_ns")));
	fprintf(f, "load      %.2f before%s\n", load,
		load > BUSY ? ": others use the CPUs, so take the figures with care" : "");
	fprintf(f, "built by  %s; library %s; %s\n",
		json_string_value(json_object_get(env, "compiler")),
		json_string_value(json_object_get(env, "library")),
		json_string_value(json_object_get(env, "date")));
}

void bench_progress_init(struct bench_progress *p, unsigned int total)
{
	p->on = isatty(STDERR_FILENO);
	p->done = 0;
	p->total = total;
	p->began = bench_now();
}

void bench_progress(struct bench_progress *p, const char *fmt, ...)
{
	uint64_t spent = bench_now() - p->began;
	va_list ap;

	p->done++;
	if (!p->on)
		return;
	fprintf(stderr, "\r\033[K[%u/%u] ", p->done, p->total);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (p->done > 4)
		fprintf(stderr, ", %.0f s left",
			(double)spent / p->done * (p->total - p->done) / 1e9);
	fflush(stderr);
}

void bench_progress_end(struct bench_progress *p)
{
	if (p->on)
		fputs("\r\033[K", stderr);
	p->on = false;
}
