// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaving in order when asked to.
 *
 * A handler can only set a flag, and a flag that is set just before a call that
 * sleeps would be slept over. So the first signal starts a timer whose own signal
 * keeps on interrupting calls until the program has looked. The second signal of
 * a kind ends the program as if there were no handler.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define TICK_NS	20000000

volatile sig_atomic_t tool_stopped;

static timer_t tick;

static void on_tick(int sig)
{
	(void)sig;
}

static void on_stop(int sig)
{
	const struct itimerspec often = {
		.it_value.tv_nsec = TICK_NS,
		.it_interval.tv_nsec = TICK_NS,
	};

	tool_stopped = sig;
	timer_settime(tick, 0, &often, NULL);
}

void tool_signals_init(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct sigaction act, old;
	size_t i;

	memset(&act, 0, sizeof(act));
	sigemptyset(&act.sa_mask);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
	/* Without a timer the flag alone has to do. */
	if (!timer_create(CLOCK_MONOTONIC, &ev, &tick)) {
		act.sa_handler = on_tick;
		sigaction(SIGALRM, &act, NULL);
	}
	act.sa_handler = on_stop;
	act.sa_flags = SA_RESETHAND;
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		/* What nohup(1) and a shell's & ignore stays ignored. */
		if (!sigaction(stops[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaction(stops[i], &act, NULL);
	}
}

void tool_signals_seen(void)
{
	const struct itimerspec never = { 0 };

	if (tool_stopped)
		timer_settime(tick, 0, &never, NULL);
}

int tool_signal_exit(void)
{
	return TOOL_SIGNAL + (int)tool_stopped;
}
