/*
 * AUTH (RFC 4954): the exchange of a SASL mechanism, whose words go to lookup
 * as they come, and are wiped here.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_AUTH_H
#define SMTPD_SESSION_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "session_step.h"

#define AUTH_LINE_MAX   12288 /* RFC 4954 4: bytes of a line, CRLF included */
#define AUTH_FAILED_MAX 3     /* in one session; then 421 */

/* A statement of lookup. */
void session_auth_mechs(struct server *srv, const struct auth_mechs *m);

/* The line of EHLO's answer, as "AUTH PLAIN LOGIN"; false: not offered now. */
bool session_auth_keyword(const struct session *s, char *out, size_t size);

/* "AUTH ..."; arg: what stands behind it.  Replies, or begins an exchange. */
void session_auth_command(struct session *s, struct slice arg);

/* ST_AUTH: a line of the client, without its CRLF; its bytes are wiped. */
void session_auth_line(struct session *s, struct slice line);
/* ... that is too long or holds a bare CR or LF. */
void session_auth_bad_line(struct session *s);

/* Whom the exchange under way named, also when it failed; "": nobody.  The
 * guard counts failures of each user (step_auth_failed, step_auth_passed). */
const char *session_auth_user(const struct session *s);

/* The listener wants authentication before MAIL, and there was none. */
bool session_auth_missing(const struct session *s);

/* The guard says no, even to who is right: the end of the exchange. */
void session_auth_held_off(struct session *s);

/* Forgets an exchange under way, and wipes what it holds. */
void session_auth_free(struct session *s);

#endif
