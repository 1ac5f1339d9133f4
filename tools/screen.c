// SPDX-License-Identifier: GPL-2.0-only
/*
 * A terminal that is drawn on, and given back as it was: at the end, when a signal ends
 * the program, when it is suspended, and when it crashes.
 *
 * Signals that have a meaning here are blocked and read from a descriptor, so they come
 * between two things and never in the middle of one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "screen.h"
#include "tool.h"

#define ENTER	"\033[?1049h\033[?25l"	/* the other screen, no cursor */
#define LEAVE	"\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t taken;
static int signals = -1;
static sigset_t watched;

bool screen_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb");
}

static void put(const char *text, size_t len)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	ssize_t n;

	while (len) {
		n = write(STDOUT_FILENO, text, len);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			poll(&pfd, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return;		/* hung up */
		}
	}
}

static int take(void)
{
	struct termios raw = before;

	/* Ctrl-C and Ctrl-Z stay signals. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		return -errno;
	taken = 1;
	put(ENTER, sizeof(ENTER) - 1);
	return 0;
}

/* Only calls that a signal handler may make. */
static void give_back(void)
{
	if (!taken)
		return;
	taken = 0;
	/* In the background the terminal is somebody else's, and as they want it. */
	if (tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	put(LEAVE, sizeof(LEAVE) - 1);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void on_crash(int sig)
{
	give_back();
	raise(sig);	/* reset by SA_RESETHAND: ends the program when we return */
}

int screen_open(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	static const int asked[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
	struct sigaction act = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND };
	size_t i;
	int err;

	if (tcgetattr(STDIN_FILENO, &before))
		return -errno;
	sigemptyset(&watched);
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		sigaddset(&watched, asked[i]);
	sigprocmask(SIG_BLOCK, &watched, NULL);
	signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return -errno;
	for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &act, NULL);
	atexit(give_back);
	err = take();
	if (err)
		close(signals);
	return err;
}

void screen_close(void)
{
	give_back();
	close(signals);
}

void screen_size(unsigned int *rows, unsigned int *columns)
{
	struct winsize size;

	*rows = 24;
	*columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	*rows = size.ws_row;
	*columns = size.ws_col;
}

/* Text is ASCII but for sequences that move nothing (\033[...m). */
static void cut_line(FILE *f, const char *from, size_t len, unsigned int columns)
{
	unsigned int column = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (from[i] == '\033') {
			while (i < len && from[i] != 'm')
				fputc(from[i++], f);
			if (i < len)
				fputc(from[i], f);
		} else if (column < columns) {
			fputc(from[i], f);
			column++;
		}
	}
}

void screen_draw(const char *text)
{
	unsigned int rows, columns, row;
	char *frame = NULL;
	size_t size, len;
	FILE *f = open_memstream(&frame, &size);

	if (!f)
		return;
	screen_size(&rows, &columns);
	fputs("\033[H", f);
	for (row = 0; *text && row < rows; row++) {
		len = strcspn(text, "\n");
		if (row)
			fputs("\r\n", f);
		cut_line(f, text, len, columns);
		fputs("\033[m\033[K", f);
		text += len + (text[len] == '\n');
	}
	fputs("\033[J", f);
	/* All at once, so that nothing flickers. */
	if (!fclose(f))
		put(frame, size);
	free(frame);
}

/* Until somebody lets us go on. */
static int suspend(void)
{
	sigset_t stop;

	give_back();
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);	/* it happens here */
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (take())
		return SCREEN_END;
	return SCREEN_AGAIN;
}

static int on_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return SCREEN_AGAIN;
	switch (info.ssi_signo) {
	case SIGWINCH:
		return SCREEN_AGAIN;
	case SIGCONT:
		/* Stopped by SIGSTOP, of which nothing is told: others used the terminal. */
		return take() ? SCREEN_END : SCREEN_AGAIN;
	case SIGTSTP:
		return suspend();
	default:
		tool_stopped = (int)info.ssi_signo;
		return SCREEN_END;
	}
}

int screen_wait(uint64_t when)
{
	struct pollfd pfd[2] = {
		{ .fd = signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN },
	};
	uint64_t now = tool_now(), left = when > now ? when - now : 0;
	const struct timespec timeout = {
		.tv_sec = (time_t)(left / 1000000000),
		.tv_nsec = (long)(left % 1000000000),
	};
	unsigned char key;
	int n;

	n = ppoll(pfd, 2, &timeout, NULL);
	if (n < 0)
		return errno == EINTR ? SCREEN_AGAIN : SCREEN_END;
	if (!n)
		return SCREEN_TIME;
	if (pfd[0].revents)
		return on_signal();
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key ? key : SCREEN_AGAIN;
	return SCREEN_END;
}
