/*
 * From a target on this host to who delivers it and as whom: route_is.local,
 * and its route.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_LOCAL_H
#define SMTPD_LOOKUP_LOCAL_H

#include "ipc_table.h"
#include "lookup_expand.h"

/*
 * Fills route, rcpt and local of is for a target of x that is a MAILBOX, PIPE,
 * FILE or NOTHING, which action a delivers; or the outcome says why it cannot
 * be, and route is empty.  False: a table is awaited, and is has no meaning.
 */
bool local_route(struct question *q, const struct expansion *x,
    const struct target *t, const struct conf_action *a, struct route_is *is);

/* What is done there, for smtpctl explain: "maildir ~/Maildir as joe". */
void local_note(struct question *q, const struct target *t,
    const struct conf_action *a, const struct route_is *is);

#endif
