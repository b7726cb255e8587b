/*
 * What a failure asks of a route and of a recipient: pure functions of an
 * outcome.  The one place that says so.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_PACE_H
#define QUEUE_PACE_H

#include <stdint.h>

#include "verdict.h"

#define PACE_TIRED 10 /* jobs in a row that end so, before it is a pause */
#define PACE_ASKED 5  /* times that who names a time is believed */

/* What the route does; a later one is more. */
enum pace_route {
	PACE_KEEP,   /* nothing: it is not about the route */
	PACE_TIRE,   /* does not grow; PACE_TIRED in a row are PACE_PAUSE */
	PACE_SHRINK, /* half as many jobs at once */
	PACE_PAUSE,  /* ... and no new ones for a time; it works, but not so */
	PACE_DOWN    /* does not work: one job will try in a time */
};

/* When the recipient is tried again. */
enum pace_rcpt {
	PACE_OWN, /* when it asks for, else by the steps of `retry` */
	PACE_PARK /* when its route is */
};

struct pace {
	enum pace_route route;
	enum pace_rcpt rcpt;
};

/* By cause and width; for DONE and NEVER nothing. */
struct pace pace_of(const struct outcome *o);

/*
 * Seconds until the recipient's next attempt.  step: what the steps say after
 * so many attempts; random: any number.  Where the outcome names a time it is
 * no sooner, and a little later, so that not all come at once; who names one
 * again and again gets the steps, if those are longer.
 */
uint32_t pace_seconds(const struct outcome *o, uint32_t step, uint32_t attempts,
    uint32_t random);

#endif
