/*
 * Waiting times of the queue process.  Does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "backoff.h"

#include "dest.h"

#define JITTER 15 /* percent, either way */

struct backoff
backoff_of(const struct conf *c, const char *name)
{
	const struct conf_retry *rule = dest_retry(c, name);
	struct backoff b = { 0 };

	if (rule == NULL)
		return b;
	b.max = rule->max;
	b.n_steps = rule->step.n;
	if (b.n_steps > 0)
		b.steps = CONF_STEP(c, rule->step, 0);
	return b;
}

uint32_t
backoff_step(const struct backoff *b, uint32_t failures)
{
	uint64_t max = b->max == 0 ? BACKOFF_MAX : b->max;
	uint64_t wait = BACKOFF_DEFAULT;
	uint32_t i, left = failures == 0 ? 1 : failures;

	for (i = 0; i < b->n_steps; i++) {
		wait = b->steps[i].seconds == 0 ? 1 : b->steps[i].seconds;
		if (left <= b->steps[i].times)
			return (uint32_t)(wait < max ? wait : max);
		left -= b->steps[i].times;
	}
	if (b->n_steps == 0)
		left--;
	for (; left > 0 && wait < max; left--)
		wait *= 2;
	return (uint32_t)(wait < max ? wait : max);
}

uint32_t
backoff_seconds(const struct backoff *b, uint32_t failures, uint32_t random)
{
	uint64_t max = b->max == 0 ? BACKOFF_MAX : b->max;
	uint64_t wait = backoff_step(b, failures), top, spread;

	/* Low enough that the upper end of the jitter is the ceiling; of a few
	 * seconds one is much, and none is lost by rounding. */
	top = (max * 100 + 99 + JITTER) / (100 + JITTER);
	if (wait > top)
		wait = top;
	spread = wait * JITTER / 100;
	wait = wait - spread + random % (2 * spread + 1);
	if (wait > max)
		wait = max;
	return (uint32_t)(wait == 0 ? 1 : wait);
}

int64_t
backoff_warn_next(const uint32_t warn[CONF_WARN_MAX], int64_t arrived,
    int64_t after)
{
	int i;

	for (i = 0; i < CONF_WARN_MAX && warn[i] != 0; i++) {
		if (arrived + warn[i] > after)
			return arrived + warn[i];
	}
	return 0;
}

uint32_t
backoff_warn_last(const uint32_t warn[CONF_WARN_MAX], int64_t arrived,
    int64_t now)
{
	uint32_t last = 0;
	int i;

	for (i = 0; i < CONF_WARN_MAX && warn[i] != 0; i++) {
		if (arrived + warn[i] <= now)
			last = warn[i];
	}
	return last;
}

bool
backoff_warn_due(const uint32_t warn[CONF_WARN_MAX], int64_t arrived,
    int64_t since, int64_t now)
{
	int64_t next = backoff_warn_next(warn, arrived, since);

	return next != 0 && next <= now;
}
