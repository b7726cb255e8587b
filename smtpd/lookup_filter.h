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
 * All phases of ask->listen, one after the other, for a message with the facts,
 * sender and recipient of ask; they become what `rewrite` makes of them.  *o:
 * DONE, or the first refusal.  False: a table is awaited.
 */
bool filter_explain(struct question *q, struct filter_ask *ask,
    struct outcome *o);

/* filter_ask; a question_judge. */
bool judge_filter(struct question *q);

#endif
