/*
 * Filters that are built in: what those of a listener say at a phase.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_FILTER_H
#define SMTPD_LOOKUP_FILTER_H

#include "conf.h"
#include "ipc_table.h"
#include "lookup_question.h"

/*
 * Asks the filters of ask->listen that have ask->phase, in their order, those
 * of a chain in its place.  Fills all of is.  False: a table is awaited, and is
 * has no meaning.
 */
bool filter_walk(struct question *q, const struct filter_ask *ask,
    struct filter_is *is);

/*
 * The reply of a filter's text: "550 5.7.1 Go away", "550 Go away" or "Go
 * away".  What has no code of 4xx or 5xx in front gets `usual`; what has no
 * enhanced code gets one where replies have them.
 */
void filter_reply(struct outcome *o, const char *text, unsigned int usual,
    enum conf_phase phase);

/*
 * All phases of ask->listen, one after the other, for a message with the facts,
 * sender and recipient of ask; they become what `rewrite` makes of them.  *o:
 * DONE, or the first refusal.  False: a table is awaited.
 */
bool filter_explain(struct question *q, struct filter_ask *ask,
    struct outcome *o);

/* filter_ask; a question_judge. */
bool judge_filter(struct question *q);

#endif
