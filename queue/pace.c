/*
 * The rules of pace, in the queue process.  Does no input or output, keeps
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "pace.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WIDTHS      (WIDTH_STREAM + 1)
#define JITTER_MAX  60 /* seconds */
#define JITTER_PART 10 /* of the time named: one in so many */

/* clang-format off */
#define KEEP   { PACE_KEEP, PACE_OWN }
#define TIRE   { PACE_TIRE, PACE_OWN }
#define SHRINK { PACE_SHRINK, PACE_OWN }
#define PAUSE  { PACE_PAUSE, PACE_OWN }
#define HALT   { PACE_PAUSE, PACE_PARK }
#define DOWN   { PACE_DOWN, PACE_PARK }

/*
 * Columns: by width.  One recipient that is put off (a full mailbox) says
 * nothing of the others; what is said of us or of the pace holds for them too,
 * when it is said to each.
 */
static const struct pace rules[CAUSES_N][WIDTHS] = {
	/*                      RCPT  MESSAGE SITE  STREAM */
	[CAUSE_NONE] =       { KEEP, KEEP,   DOWN, SHRINK },
	[CAUSE_MAILBOX] =    { KEEP, KEEP,   DOWN, SHRINK },
	[CAUSE_CONTENT] =    { KEEP, KEEP,   DOWN, KEEP },
	[CAUSE_POLICY] =     { KEEP, KEEP,   DOWN, SHRINK },
	[CAUSE_REPUTATION] = { TIRE, TIRE,   DOWN, SHRINK },
	[CAUSE_RATE] =       { TIRE, TIRE,   HALT, PAUSE },
	[CAUSE_CONFIG] =     { KEEP, KEEP,   DOWN, SHRINK },
	[CAUSE_NETWORK] =    { KEEP, TIRE,   DOWN, SHRINK },
	[CAUSE_DNS] =        { KEEP, KEEP,   DOWN, SHRINK },
	[CAUSE_TLS] =        { KEEP, KEEP,   DOWN, SHRINK },
	[CAUSE_SYSTEM] =     { KEEP, TIRE,   DOWN, SHRINK },
};
/* clang-format on */

static unsigned int
in_table(unsigned int v, unsigned int n)
{
	return v < n ? v : 0;
}

/* By name: each sender and recipient has to have called once before any may
 * come, so a pause would only put the others off. */
static bool
is_greylisting(const struct outcome *o)
{
	static const char *const names[] = { "greylist", "graylist",
		"grey-list", "gray-list", "grey list", "gray list" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcasestr(o->text, names[i]) != NULL)
			return true;
	}
	return false;
}

struct pace
pace_of(const struct outcome *o)
{
	const struct pace nothing = KEEP;

	if (o->verdict != LATER)
		return nothing;
	/* Trouble of our own with one message is not the route's; but who goes
	 * away in the middle of each is no server that works. */
	if (o->local && o->cause != CAUSE_NETWORK &&
	    (o->width == WIDTH_RCPT || o->width == WIDTH_MESSAGE))
		return nothing;
	if (o->cause == CAUSE_RATE && !o->local &&
	    (o->width == WIDTH_RCPT || o->width == WIDTH_MESSAGE) &&
	    is_greylisting(o))
		return nothing;
	return rules[in_table(o->cause, CAUSES_N)][in_table(o->width, WIDTHS)];
}

uint32_t
pace_seconds(const struct outcome *o, uint32_t step, uint32_t attempts,
    uint32_t random)
{
	uint32_t spread;

	if (o->verdict != LATER || o->after == 0)
		return step;
	if (attempts > PACE_ASKED && step > o->after)
		return step;
	spread = o->after / JITTER_PART;
	if (spread > JITTER_MAX)
		spread = JITTER_MAX;
	/* Counted in whole seconds, of which the first has begun. */
	return o->after + 1 + random % (spread + 1);
}
