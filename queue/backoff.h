/*
 * When to try again, and when to tell the sender: pure functions of time and
 * configuration.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_BACKOFF_H
#define QUEUE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

#define BACKOFF_DEFAULT 300        /* seconds, where nothing is configured */
#define BACKOFF_MAX     (4 * 3600) /* the ceiling, likewise */

/* A rule of `retry`. */
struct backoff {
	const struct conf_step *steps;
	uint32_t n_steps;
	uint32_t max; /* seconds, 0: BACKOFF_MAX */
};

/* The rule for a destination (dest.h). */
struct backoff backoff_of(const struct conf *c, const char *name);

/*
 * Seconds to wait after the failures-th failure in a row (from 1).  The steps
 * in their order, then the last one doubled each time, never above the
 * ceiling; changed by up to 15 % either way as random (any number) says, so
 * that what failed together does not come back together.  At least 1.
 */
uint32_t backoff_seconds(const struct backoff *b, uint32_t failures,
    uint32_t random);

/* The same without jitter. */
uint32_t backoff_step(const struct backoff *b, uint32_t failures);

/*
 * Delay warnings: warn holds seconds of age, rising, 0 ends.  The first time
 * after `after` (seconds since 1970) at which the sender is to be told, or 0.
 */
int64_t backoff_warn_next(const uint32_t warn[CONF_WARN_MAX], int64_t arrived,
    int64_t after);

/* The age in seconds of the last such time that is not after now, or 0. */
uint32_t backoff_warn_last(const uint32_t warn[CONF_WARN_MAX], int64_t arrived,
    int64_t now);

/* True if such a time lies after since and not after now. */
bool backoff_warn_due(const uint32_t warn[CONF_WARN_MAX], int64_t arrived,
    int64_t since, int64_t now);

#endif
