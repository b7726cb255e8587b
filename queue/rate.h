/*
 * How many messages went to a destination lately: never more than so many in
 * any window of so long.  A pure function of what was sent and the clock,
 * which is a parameter, in milliseconds since 1970.
 *
 * What was sent is kept as at most RATE_MARKS marks, each the number of some
 * messages in a row and the time of the last of them: so a window may take a
 * little less than it could (a mark leaves it as a whole), never more.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_RATE_H
#define QUEUE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_MARKS 32

struct rate_mark {
	int64_t at; /* of the last of them */
	uint32_t n;
};

struct rate {
	uint32_t max; /* messages in a window */
	int64_t window;
	uint32_t n, sum;                   /* marks; messages in them */
	struct rate_mark mark[RATE_MARKS]; /* the oldest first */
};

/* max messages in per seconds; nothing was sent yet. */
void rate_init(struct rate *r, uint32_t max, uint32_t per);

/* How many may go now. */
uint32_t rate_left(struct rate *r, int64_t now);

/* When the next one may go: now or later. */
int64_t rate_next(struct rate *r, int64_t now);

/* One goes.  True: it begins a mark, so that rate_save() gives more than
 * before. */
bool rate_add(struct rate *r, int64_t now);

/* The marks as a later life should find them: the last one stands for all that
 * it may come to.  Returns their number. */
uint32_t rate_save(const struct rate *r, struct rate_mark out[RATE_MARKS]);

/* As rate_save() gave them; the last one may have grown until now. */
void rate_load(struct rate *r, const struct rate_mark *mark, uint32_t n,
    int64_t now);

/* Nothing is known of the past: as if a whole window had just been sent, evenly
 * over its length. */
void rate_assume(struct rate *r, int64_t now);

/* True if all that was sent has left the window. */
bool rate_empty(struct rate *r, int64_t now);

#endif
