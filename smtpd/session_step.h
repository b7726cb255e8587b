/*
 * The steps of a session: their lists, and who makes each.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_STEP_H
#define SMTPD_SESSION_STEP_H

#include "session.h"

/* The lists, each ended by NULL. */
extern session_step *const steps_connect[],
    *const steps_xclient[], *const steps_helo[],
				*const steps_ehlo[],
				    *const steps_mail[],
					*const steps_rcpt[],
					    *const steps_data[],
						*const steps_commit[];

/* Begins with the first of a list; the state before it is where the session
 * returns to, unless a step enters another. */
void session_steps(struct session *s, session_step *const *steps);

/* The next step, for who handles input in a state of its own. */
void session_walk(struct session *s);

/* The last call of each callback of a step that waited: the next step, and
 * what has come in meanwhile.  s may be gone afterwards. */
void session_go_on(struct session *s);

/* No more steps: the reply was given.  A callback calls session_run() then. */
void session_stop_steps(struct session *s);

/* session.c */
session_step step_greeting;
/* session_proxy.c: the header, and then who is asked again about whom it
 * names */
session_step step_proxy, step_proxied;
/* session_xclient.c */
session_step step_xclient;
/* session_ehlo.c */
session_step step_hello;
/* session_mail.c */
session_step step_sender_ok;
/* session_data.c: trace fields and trailer are behind the content */
session_step step_written;
/* session_tx.c */
session_step step_judge, step_rcpt_taken, step_want_file, step_finish;

#endif
