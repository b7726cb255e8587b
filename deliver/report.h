/*
 * What deliver has to say to queue: results, kept until queue has noted
 * them; ends of jobs; signatures; the wish for more.  In order, however often
 * queue dies in between.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_REPORT_H
#define DELIVER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc.h"
#include "loop.h"

struct report;

struct report *report_new(struct loop *l);
void report_free(struct report **r);

/* Queue is there: what it has not noted is said again after the next
 * report_listed().  Begin with job_held, then report_listed(). */
void report_up(struct report *r, struct ipc_chan *queue);
void report_down(struct report *r);

/* Says one message, now or as soon as queue reads.  While queue is away,
 * job_want and job_held are dropped: report_up() is where they begin anew. */
void report_say(struct report *r, enum ipc_type type, const void *body);

/* All held recipients were said. */
void report_listed(struct report *r);

void report_noted(struct report *r, const struct job_noted *m);

/* Nothing is left that queue does not know. */
bool report_empty(const struct report *r);

#endif
