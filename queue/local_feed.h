/*
 * The content of a message, on its way into a pipe: trace fields, then what
 * came, as they are on the wire.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_LOCAL_FEED_H
#define QUEUE_LOCAL_FEED_H

#include <stdint.h>

#include "loop.h"

/* Where it stands in its file, and its XXH3-64: of content, then trace. */
struct feed_of {
	uint64_t content_off, content_len;
	uint64_t trace_off, trace_len;
	uint64_t sum;
};

enum feed_end {
	FEED_WHOLE,   /* all is written */
	FEED_SHUT,    /* nobody reads any more */
	FEED_DAMAGED, /* the sum is wrong; not all was written */
	FEED_UNREAD   /* the file cannot be read; likewise */
};

struct feed;

/* Takes pipe over, a writing end that does not block; file is borrowed. */
struct feed *feed_new(int file, int pipe, const struct feed_of *of);

/* Begins.  done is called once, from the loop, with the pipe still open; it may
 * free the feed. */
void feed_start(struct feed *f, struct loop *l,
    void (*done)(void *arg, enum feed_end end), void *arg);

/* Closes the pipe: what was not written by now never is.  *f may be NULL. */
void feed_free(struct feed **f);

#endif
