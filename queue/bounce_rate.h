/*
 * How many notifications may go to strangers: all together and to one address
 * (`bounce rate`, `bounce address-rate` of the configuration).  Who brings
 * mail in another's name would have him told of it as often as he likes.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_BOUNCE_RATE_H
#define QUEUE_BOUNCE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "index_told.h"

struct queue;
struct msg;

/* The sender of m may be forged: nobody of ours brought it. */
bool bounce_is_limited(const struct msg *m);

/*
 * A notification is to go to m's sender.  0: it may, and was counted; else
 * when to ask again, in seconds since 1970.
 */
int64_t bounce_rate_take(struct queue *qu, const struct msg *m);

/* Rows that say nothing any more go, from now on; what an index that was made
 * anew has forgotten is assumed. */
void bounce_rate_start(struct queue *qu);

/* ---- one of the two, for what calls it and for tests ---- */

/* All times: milliseconds since 1970. */

/* What was sent before is not known: a whole window was just sent. */
void told_assume(struct index_told *t, const struct conf_rate *limit,
    int64_t now);
bool told_may(struct index_told *t, const struct conf_rate *limit, int64_t now);
/* One goes. */
void told_add(struct index_told *t, const struct conf_rate *limit, int64_t now);
/* One cannot go: when it is to ask again. */
int64_t told_put_off(struct index_told *t, const struct conf_rate *limit,
    int64_t now);

#endif
