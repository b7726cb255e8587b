/*
 * What deliver asks about an action: its hosts, its addresses to connect from,
 * and our name at such an address.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_RELAY_H
#define SMTPD_LOOKUP_RELAY_H

#include "ipc_table.h"
#include "lookup_question.h"

/* A program names one at a time: it is asked so often for all of them. */
#define RELAY_ASKS 16

/*
 * Fills all of is for row `action` of conf.action.  A value that cannot be
 * used is left out, and the log has it.  False: a table is awaited, and is has
 * no meaning.
 */
bool relay_find(struct question *q, uint32_t action, struct relay_is *is);

/* `helo-src` for our address, likewise. */
bool relay_helo(struct question *q, uint32_t action, const char *ours,
    struct helo_is *is);

/* Each is a question_judge. */
bool judge_relay(struct question *q); /* relay_ask */
bool judge_helo(struct question *q);  /* helo_ask */

#endif
