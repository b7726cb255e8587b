/*
 * Rows of the index about who was told of what came back, and how often
 * lately (bounce_rate.h).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_INDEX_TOLD_H
#define QUEUE_INDEX_TOLD_H

#include <stdint.h>

#include "bounds.h"
#include "index.h"
#include "rate.h"

/* Times are milliseconds since 1970. */
struct index_told {
	char to[ADDR_MAX + 1]; /* in any case; empty: all addresses together */
	int64_t slot;          /* who waits has a place up to then */
	int64_t until;         /* it says nothing any more from then on */
	uint32_t n_marks;      /* as they are, not by rate_save() */
	struct rate_mark mark[RATE_MARKS];
};

/* t->to says which.  INDEX_NONE, and all but that is zero: there is none. */
enum index_error index_get_told(struct index *ix, struct index_told *t);
enum index_error index_put_told(struct index *ix, const struct index_told *t);

/* Looks at the next row (in any order); removes it if it was until `now` or
 * before.  INDEX_NONE: that was the last one, and the cursor is at the
 * beginning again. */
enum index_error index_sweep_told(struct index *ix, struct index_cursor *c,
    int64_t now);

#endif
