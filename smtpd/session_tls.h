/*
 * TLS for clients (RFC 3207, RFC 8314): certificates by SNI, handshakes whose
 * signature the keys process makes, tickets that every session process can
 * open.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_TLS_H
#define SMTPD_SESSION_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session_step.h"

struct session_certs;

/* Before the jail: OpenSSL's configuration, and the system's authorities if a
 * listener verifies by them.  NULL if no listener speaks TLS. */
struct session_certs *session_certs_new(struct proc *p);
void session_certs_free(struct session_certs **c);

/* FILE_CERT, FILE_CA: reads fd, which stays open.  What is no good ends the
 * process by proc_fail().  c may be NULL: nobody wants it. */
void session_certs_file(struct session_certs *c, const struct proc_file *m,
    int fd);
/* All files are there: a context for each listener. */
void session_certs_start(struct session_certs *c);
/* A statement of keys; c may be NULL. */
void session_certs_ticket(struct session_certs *c, const struct ticket_key *m);

/* STARTTLS is offered now: the listener has it and it is not yet there. */
bool session_tls_offered(const struct session *s);

/* `tls-require` and no TLS yet: MAIL is refused. */
bool session_tls_missing(const struct session *s);

/* Implicit TLS (smtps): the handshake before the greeting; STEP_ON at once on
 * other listeners. */
session_step step_tls;

/* STARTTLS: after the reply, the handshake; then nothing said before counts
 * (RFC 3207 4.2), buffered bytes included. */
void session_tls_command(struct session *s);

/* "TLSv1.3 cipher TLS_AES_256_GCM_SHA384 (256 bits)" to out, "" without. */
void session_tls_print(const struct session *s, char out[TLS_TEXT_MAX + 1]);

/* Whom a certificate of the client names that a `ca` of ours vouches for: its
 * first mail address, else its common name; NULL: none was shown, or it is not
 * the client's own (XCLIENT). */
const char *session_tls_cert(const struct session *s);

/* Channel bindings; return bytes in out, 0: there is none. */
size_t session_tls_exporter(const struct session *s, uint8_t out[32]);
size_t session_tls_end_point(const struct session *s, uint8_t out[64]);

/* Frees what is not of struct io: the session ends. */
void session_tls_free(struct session *s);

#endif
