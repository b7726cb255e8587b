/*
 * How much of something happened lately.  Nothing is forgotten before its
 * window is over, and all when an eighth more of it is.  A pure
 * function of what was added and the clock, which is a parameter.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_METER_H
#define SMTPD_GUARD_METER_H

#include <stdint.h>

#include "num.h"

#define METER_SLOTS 9 /* eight make a window, and the one that begins */

/* Zeros: nothing happened. */
struct meter {
	int64_t last; /* number of the newest slot, since the clock began */
	uint32_t slot[METER_SLOTS];
};

/* What happened in the window, which is at least 1 second. */
uint32_t meter_sum(struct meter *m, uint32_t seconds, msec now);

/* n more, now. */
void meter_add(struct meter *m, uint32_t seconds, uint32_t n, msec now);

/* n of what was added last did not happen. */
void meter_take_back(struct meter *m, uint32_t n);

#endif
