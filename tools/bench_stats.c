// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clock and statistics. Medians throughout: a mean of a machine's bad moments says
 * nothing about the machine.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t bench_cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void bench_clock_cost(double *cost_ns, double *step_ns)
{
	enum { READS = 20000 };
	uint64_t begin = bench_now(), last = begin, least = UINT64_MAX, t;
	int i;

	for (i = 0; i < READS; i++) {
		t = bench_now();
		if (t != last && t - last < least)
			least = t - last;
		last = t;
	}
	*cost_ns = (double)(last - begin) / READS;
	*step_ns = (double)least;
}

double bench_call_cost(void)
{
	enum { CALLS = 2000 };
	uint64_t begin = bench_now();
	int i;

	for (i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return (double)(bench_now() - begin) / CALLS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

void bench_stats(const double *v, unsigned int n, struct bench_stats *out)
{
	double *copy = malloc(n * sizeof(*copy));
	unsigned int i;

	memset(out, 0, sizeof(*out));
	if (!copy || !n) {
		free(copy);
		return;
	}
	memcpy(copy, v, n * sizeof(*copy));
	out->median = median(copy, n);
	out->min = copy[0];
	out->max = copy[n - 1];
	for (i = 0; i < n; i++)
		copy[i] = fabs(v[i] - out->median);
	out->mad = median(copy, n);
	free(copy);
}

void bench_ratio(const double *v, const double *base, unsigned int n, bool less_is_better,
		 struct bench_ratio *out)
{
	double *ratio = malloc(n * sizeof(*ratio));
	struct bench_stats s;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	if (!ratio)
		return;
	for (i = 0; i < n; i++) {
		ratio[i] = less_is_better ? base[i] / v[i] : v[i] / base[i];
		out->ahead += ratio[i] > 1;
	}
	bench_stats(ratio, n, &s);
	out->median = s.median;
	out->min = s.min;
	out->max = s.max;
	free(ratio);
}

static int by_word(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

double bench_percentile(uint32_t *v, size_t n, double p)
{
	size_t i = (size_t)(p / 100 * (double)(n - 1) + 0.5);

	qsort(v, n, sizeof(*v), by_word);
	return v[i];
}
