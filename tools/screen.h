/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A terminal that is drawn on, and given back as it was.
 */
#ifndef SHMRING_SCREEN_H
#define SHMRING_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Is there a terminal on stdin and stdout that can be drawn on? */
bool screen_there(void);

/* Takes the terminal; 0 or -errno. Every way out of the program gives it back. */
int screen_open(void);
void screen_close(void);

/* How large it is now. */
void screen_size(unsigned int *rows, unsigned int *columns);

/* Shows @text, whose lines are cut to what fits. */
void screen_draw(const char *text);

#define SCREEN_TIME	0	/* the time has come */
#define SCREEN_AGAIN	(-1)	/* the terminal is ours anew, or has another size */
#define SCREEN_END	(-2)	/* a signal asked for the end (tool_stopped), or input ended */

/* Waits until @when for a key, which is returned, or one of the above. */
int screen_wait(uint64_t when);

#endif /* SHMRING_SCREEN_H */
