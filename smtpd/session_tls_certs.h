/*
 * What the sessions of a process share for TLS: a context for each listener
 * and name, whose private keys are elsewhere, and the keys of tickets.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_TLS_CERTS_H
#define SMTPD_SESSION_TLS_CERTS_H

#include <stdbool.h>

#include "session_tls.h"
#include "tls_provider.h"

struct ssl_ctx_st;
struct ssl_st;
struct stack_st_X509;
struct x509_store_st;

#define TLS_TICKET_KEYS 8 /* that are known at once, by age */

struct session_certs;

/* A name that a listener has certificates for. */
struct tls_host {
	const char *name;
	struct ssl_ctx_st *ctx;
	uint32_t first, n; /* in the listener's list of conf.pki */
};

/* A row of conf.listen. */
struct tls_site {
	const struct tls_site *as; /* the one whose contexts are its own;
				    * NULL: no TLS here */
	struct session_certs *certs;
	const struct conf_listen *listen;
	struct tls_host *host; /* the first is the default */
	uint32_t n;
};

struct session_certs {
	struct proc *proc;
	struct ossl_provider_st *provider; /* ours */
	struct tls_signer signer;
	struct x509_store_st *system; /* authorities; NULL: not needed */
	struct stack_st_X509 **chain; /* by row of conf.pki */
	struct stack_st_X509 **ca;    /* by row of conf.ca */
	struct tls_site *site;        /* by row of conf.listen */
	struct ticket_key ticket[TLS_TICKET_KEYS]; /* by age */
	bool has_ticket[TLS_TICKET_KEYS];
	msec silent; /* keys did not answer: until then it is not asked */
	const char *unmade; /* why the last signature was not made, or NULL */
};

/* What was handed in is no good: file and line, what it is, why.  The process
 * ends. */
_Noreturn void session_certs_fail(struct session_certs *c,
    const struct conf_at *where, const char *what, conf_str path,
    const char *why);

/* Certificate i of a host: its row of conf.pki, and the number of that. */
const struct conf_pki *tls_host_row(const struct tls_site *site,
    const struct tls_host *h, uint32_t i, uint32_t *row);

/* Makes the context of a host (session_tls_ctx.c). */
void tls_host_start(struct tls_site *site, struct tls_host *h);

/* As SSL_CTX_set_tlsext_servername_callback(3) wants it; arg: the site. */
int tls_host_asked(struct ssl_st *ssl, int *alert, void *arg);

/* Keys can be asked for a signature now. */
bool session_certs_can_sign(const struct session_certs *c);
/* It was asked, and was silent: better not to begin. */
bool session_certs_silent(const struct session_certs *c);

/* The server's end of a handshake at this row of conf.listen; the caller has
 * it.  NULL: OpenSSL has no memory. */
struct ssl_st *session_certs_ssl(struct session_certs *c, uint32_t listen);

/* This end has one certificate only to show at that row. */
bool session_certs_one(const struct session_certs *c, uint32_t listen);

#endif
