/*
 * What lookup says of a session beside its recipients: listed clients,
 * filters, and the addresses of an authenticated user.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_FILTER_H
#define SMTPD_SESSION_FILTER_H

#include "session_step.h"

/* peer_ask: s->peer, FACT_SUBMIT, the host name; where a table must be asked
 * for it. */
session_step step_peer;

/* filter_ask, where a filter of the listener has that phase.  The new value of
 * `rewrite` is put where the old one was: facts.helo, tx.sender, tx.asked. */
session_step step_filter_connect, step_filter_helo, step_filter_ehlo,
    step_filter_auth, step_filter_mail, step_filter_rcpt, step_filter_data,
    step_filter_commit;

/* MAIL of an authenticated user: `senders`. */
session_step step_sender;

/* True if a filter, or a rule, asks for the client's name in the DNS. */
bool filter_wants_names(const struct conf *c, const struct conf_listen *l);

#endif
