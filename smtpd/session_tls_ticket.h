/*
 * Session tickets (RFC 5077, RFC 8446 4.6.1) that each session process can
 * open: sealed with the keys that the keys process makes and tells.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_TLS_TICKET_H
#define SMTPD_SESSION_TLS_TICKET_H

#include "session_tls_certs.h"

struct ssl_ctx_st;

/* A client may come back with a ticket for so long (seconds): less than keys
 * keeps what it was sealed with. */
#define TLS_TICKET_LIFE (3 * 60 * 60)

/* Tickets of this context are sealed with the keys of c. */
void session_ticket_use(struct ssl_ctx_st *ctx, struct session_certs *c);

/* Before a handshake: none is given while there is no key for it. */
void session_ticket_prepare(const struct session_certs *c, struct ssl_st *ssl);

#endif
