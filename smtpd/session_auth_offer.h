/*
 * Which mechanisms there are for a client.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_AUTH_OFFER_H
#define SMTPD_SESSION_AUTH_OFFER_H

#include "session.h"

extern const struct slice auth_names[SASL_MECHS];

/* What can be checked for this listener at all: bits 1 << SASL_*. */
uint32_t auth_known(const struct session *s);

/* ... and now, to this client. */
uint32_t auth_offered(const struct session *s);

/* Nobody else can listen, or the operator does not mind. */
bool auth_is_private(const struct session *s);

#endif
