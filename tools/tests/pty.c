// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a program on a terminal of its own and does with it what a person does, one
 * step after the other:
 *
 *	pty STEP... -- PROGRAM [ARGS]
 *
 *	expect=TEXT	wait until it has printed TEXT, since the last step that waited
 *	type=TEXT	type it; ^C and ^Z are Ctrl-C and Ctrl-Z
 *	size=R,C	make the terminal R rows high and C columns wide
 *	signal=N	send it signal N
 *	stopped		wait until it is suspended
 *	taken, free	the terminal has to be set up for drawing, or as it was at first
 *	exit=N		wait until it ends, which has to be with status N (128 + signal)
 *
 * What it printed goes to stdout. Exit status: 0; 1: a step did not hold, which stderr
 * names; 2: a step makes no sense. A program that hangs is killed after 60 seconds, by
 * SHMRING_TEST_PATIENCE or later.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int terminal, keep;
static pid_t child;
static struct termios before;
static char seen[1 << 20];
static size_t have, from;
static int draining;	/* after what is still on its way */
static time_t end;

static int failed(const char *step, const char *why)
{
	fprintf(stderr, "pty: %s: %s\n", step, why);
	if (child > 0) {
		kill(child, SIGKILL);
		kill(child, SIGCONT);
	}
	return 1;
}

/* Takes what there is; waits for some at most that long. */
static void take(int ms)
{
	struct pollfd pfd = { .fd = terminal, .events = POLLIN };
	ssize_t n;

	if (poll(&pfd, 1, ms) <= 0)
		return;
	if (have == sizeof(seen) - 1) {
		have = 0;
		from = 0;
	}
	n = read(terminal, seen + have, sizeof(seen) - 1 - have);
	if (n <= 0)
		return;
	if (draining && !seen[have + (size_t)n - 1]) {
		draining = 0;
		n--;
	}
	if (fwrite(seen + have, 1, (size_t)n, stdout) != (size_t)n)
		exit(failed("output", "cannot be written"));
	have += (size_t)n;
	seen[have] = 0;
}

static int expect(const char *step, const char *text)
{
	const char *hit;

	while (!(hit = memmem(seen + from, have - from, text, strlen(text)))) {
		if (time(NULL) > end)
			return failed(step, "did not appear");
		take(100);
	}
	from = (size_t)(hit - seen) + strlen(text);
	return 0;
}

static int type(const char *text)
{
	char key;

	for (; *text; text++) {
		key = *text;
		if (key == '^' && text[1])
			key = *++text & 0x1f;
		if (write(terminal, &key, 1) != 1)
			return failed("type", strerror(errno));
	}
	return 0;
}

static int resize(const char *text)
{
	struct winsize size = { 0 };

	if (sscanf(text, "%hu,%hu", &size.ws_row, &size.ws_col) != 2)
		return 2;
	return ioctl(terminal, TIOCSWINSZ, &size) ? failed("size", strerror(errno)) : 0;
}

/* The other side of a terminal has the modes; @keep holds it open. */
static int modes(const char *step, int want_taken)
{
	struct termios now;

	if (tcgetattr(keep, &now))
		return failed(step, strerror(errno));
	if (want_taken != !(now.c_lflag & ICANON))
		return failed(step, want_taken ? "the terminal is not" : "the terminal is taken");
	if (!want_taken && (now.c_lflag != before.c_lflag || now.c_iflag != before.c_iflag ||
			    now.c_oflag != before.c_oflag ||
			    memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc))))
		return failed(step, "the terminal is not as it was");
	return 0;
}

static int await(const char *step, int options, int *status)
{
	pid_t got;

	while (!(got = waitpid(child, status, options | WNOHANG))) {
		if (time(NULL) > end)
			return failed(step, "did not happen");
		take(20);
	}
	/* What it printed last is still on its way: all has come when this byte has. */
	draining = write(keep, "", 1) == 1;
	while (draining && time(NULL) <= end)
		take(20);
	return got == child ? 0 : failed(step, strerror(errno));
}

static int ended(const char *step, int want)
{
	int status, code;

	if (await(step, 0, &status))
		return 1;
	child = 0;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (code == want)
		return 0;
	fprintf(stderr, "pty: %s: status %d\n", step, code);
	return 1;
}

static int do_step(const char *step)
{
	int status;

	if (!strncmp(step, "expect=", 7))
		return expect(step, step + 7);
	if (!strncmp(step, "type=", 5))
		return type(step + 5);
	if (!strncmp(step, "size=", 5))
		return resize(step + 5);
	if (!strncmp(step, "signal=", 7))
		return kill(child, atoi(step + 7)) ? failed(step, strerror(errno)) : 0;
	if (!strcmp(step, "stopped"))
		return await(step, WUNTRACED, &status) ? 1 :
		       WIFSTOPPED(status) ? 0 : failed(step, "it ended");
	if (!strcmp(step, "taken") || !strcmp(step, "free"))
		return modes(step, *step == 't');
	if (!strncmp(step, "exit=", 5))
		return ended(step, atoi(step + 5));
	fprintf(stderr, "pty: '%s' is no step\n", step);
	return 2;
}

int main(int argc, char **argv)
{
	const char *patience = getenv("SHMRING_TEST_PATIENCE");
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int i, program, err = 0;
	pid_t leader;

	for (program = 1; program < argc && strcmp(argv[program], "--");)
		program++;
	if (program + 1 >= argc) {
		fprintf(stderr, "usage: pty STEP... -- PROGRAM [ARGS]\n");
		return 2;
	}
	if (openpty(&terminal, &keep, NULL, NULL, &size) || tcgetattr(keep, &before)) {
		perror("pty");
		return 2;
	}
	end = time(NULL) + (patience ? atoi(patience) : 60);
	/* As a shell: leader of a session, whose jobs can be suspended as it waits for them. */
	leader = fork();
	if (leader) {
		while (waitpid(leader, &err, 0) < 0 && errno == EINTR)
			;
		return WIFEXITED(err) ? WEXITSTATUS(err) : 1;
	}
	signal(SIGTTOU, SIG_IGN);
	if (setsid() < 0 || ioctl(keep, TIOCSCTTY, 0)) {
		perror("pty");
		return 2;
	}
	child = fork();
	if (!child) {
		setpgid(0, 0);
		tcsetpgrp(keep, getpid());
		signal(SIGTTOU, SIG_DFL);
		setenv("TERM", "xterm", 1);
		dup2(keep, STDIN_FILENO);
		dup2(keep, STDOUT_FILENO);
		dup2(keep, STDERR_FILENO);
		close(terminal);
		close(keep);
		execvp(argv[program + 1], argv + program + 1);
		perror(argv[program + 1]);
		_exit(127);
	}
	setpgid(child, child);
	for (i = 1; i < program && !err; i++)
		err = do_step(argv[i]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return fflush(stdout) ? 1 : err;
}
