/*
 * What the guard knows of a client and what it may still do: limits, its name
 * in the DNS, lists; and the queue's memory of triplets (greylisting).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_GUARD_H
#define SMTPD_SESSION_GUARD_H

#include "session_step.h"

/* Before the greeting: client_open, which may refuse; begins names_ask, for
 * which nobody waits yet. */
session_step step_client;
/* Waits for names_ask, where somebody needs it: facts.rdns, FACT_FCRDNS. */
session_step step_names;
/* `greet-delay`: waits in ST_SILENT; who speaks before us is no mail server. */
session_step step_greet_delay;
/* Bytes came in ST_SILENT: last words.  To be called from session_run(). */
void session_early(struct session *s);
/* MAIL: may it send another message? */
session_step step_may_mail;
/* RCPT, first: may it have another recipient? */
session_step step_may_rcpt;
/* RCPT: refuses what the lists say (s->score), and marks junk. */
session_step step_lists;
/* RCPT, after lookup's yes: grey_ask. */
session_step step_grey;

/* Counts DID_RCPT (after the 250), DID_UNKNOWN and DID_ERROR (after the 5xx),
 * tells the guard now and then, and does what it answers, from the loop. */
void session_did(struct session *s, enum client_did did, uint32_t n);

/* AUTH, before and after the check: DID_AUTH_TRY waits for the delay that
 * earlier failures have earned. */
session_step step_auth_try, step_auth_failed, step_auth_passed;

/* The guard came (again): who is here. */
void session_guard_up(struct server *srv, struct ipc_chan *guard);
/* The session ends, or is another client's from here on (XCLIENT): what the
 * guard holds for it is let go. */
void session_guard_shut(struct session *s);

/* How long a reply of this code is held back (`tarpit`); 0: not. */
msec session_tarpit(const struct session *s, unsigned int code);

#endif
