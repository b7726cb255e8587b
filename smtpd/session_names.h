/*
 * A session's question for the name of its client in the DNS, and for what
 * lists say of it: asked beside all else, waited for where it is needed.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_NAMES_H
#define SMTPD_SESSION_NAMES_H

#include "session.h"

/* Asks, if the configuration has a use for it. */
void names_begin(struct session *s);

/* Cancels the question, and forgets its answer. */
void names_forget(struct session *s);

#endif
