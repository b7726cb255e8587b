/*
 * What a program says on its standard error, on the way to the log.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PROGRAM_LOG_H
#define COMMON_PROGRAM_LOG_H

#include "buf.h"
#include "loop.h"

#define PROGRAM_LOG_LINES 20    /* in each ... */
#define PROGRAM_LOG_MSEC  60000 /* ... of these; the others are counted */

struct program_log {
	struct loop *loop;
	const char *what, *name; /* "table", and which */
	int fd;
	struct watch watch;
	struct timer quiet;
	struct buf line;
	unsigned int said, dropped;
};

/* Closed, so far.  what and name stay. */
void program_log_init(struct program_log *g, struct loop *l, const char *what,
    const char *name);

/* Takes fd over; of the program before it nothing is read any more. */
void program_log_open(struct program_log *g, int fd);
void program_log_close(struct program_log *g);

#endif
