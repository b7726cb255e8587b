/*
 * Wrong passwords: each earns a delay twice as long as the one before, up to
 * a minute, and an hour without any forgets them.  Pure functions; times are
 * given by the caller.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_GRUDGE_H
#define SMTPD_GUARD_GRUDGE_H

#include "guard_party.h"

#define GRUDGE_FIRST_MS  1000
#define GRUDGE_MAX_MS    60000
#define GRUDGE_FORGET_MS 3600000

/* Nobody waits longer than this for his turn: he is refused. */
#define GRUDGE_TURN_MS 120000

/* One more. */
void grudge_add(struct party *p, msec now);

/* What those that are not forgotten have earned: milliseconds. */
msec grudge_delay(const struct party *p, msec now);

/*
 * A password is to be checked: how long it must wait.  Tries at once stand in
 * a queue, each as long behind the other as the delay is.  -1: the queue is
 * too long, this one is not in it.
 */
msec grudge_turn(struct party *p, msec now);

/* A password was right: the delays are over. */
void grudge_clear(struct party *p);

/* Was any wrong that is not forgotten, whatever came after it? */
bool grudge_recent(const struct party *p, msec now);

#endif
