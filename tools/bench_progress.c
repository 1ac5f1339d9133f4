// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far a long run is.
 */
#include <stdarg.h>
#include <unistd.h>

#include "bench.h"

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
	tool_signals_seen();
	if (p->on)
		fputs("\r\033[K", stderr);
	p->on = false;
}
