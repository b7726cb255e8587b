/*
 * Two ends of a TLS connection in one process: what deliver/tls.c makes, and a
 * server of OpenSSL that shows what it is told to.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef TLS_BENCH_H
#define TLS_BENCH_H

#include <sys/socket.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include <bsd/string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "cert.h"
#include "conf_image.h"
#include "io_tls.h"
#include "tls_parts.h"
#include "unit.h"

enum { LONG = 1000, TURNS = 60 };

static struct loop *the_loop;

/* ---- certificates ---- */

/* After something of it was changed. */
static inline void
sign_again(struct cert *c, const struct cert *by)
{
	EVP_PKEY *key = by == NULL ? c->key : by->key;

	if (X509_sign(c->x509, key,
		EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) == 0)
		abort();
}

/* One that may sign others. */
static inline struct cert
cert_between(const char *name, const struct cert *by)
{
	struct cert c = cert_new("EC:P-256", name, NULL, LONG, by);

	cert_add(c.x509, NID_basic_constraints, "critical,CA:TRUE");
	sign_again(&c, by);
	return c;
}

/* ---- the server ---- */

struct server {
	SSL_CTX *ctx;
	const struct cert *cert, *more; /* more: goes with it, or NULL */
	int min, max;                   /* versions; 0: as it is */
	bool wants_cert;                /* of the client, and takes any */
	bool no_session;                /* takes none up again */
	int tickets;                    /* of TLS 1.3; 0: two */
	const char *sigalgs;            /* NULL: as it is */
};

static inline int
any_cert(int good, X509_STORE_CTX *x)
{
	(void)good;
	(void)x;
	return 1;
}

static inline void
server_start(struct server *s)
{
	static const uint8_t name[] = "bench";

	if ((s->ctx = SSL_CTX_new(TLS_server_method())) == NULL)
		abort();
	/* Weak keys are for the other end to judge. */
	SSL_CTX_set_security_level(s->ctx, 0);
	if (SSL_CTX_use_certificate(s->ctx, s->cert->x509) != 1 ||
	    SSL_CTX_use_PrivateKey(s->ctx, s->cert->key) != 1 ||
	    SSL_CTX_set_session_id_context(s->ctx, name, sizeof name) != 1 ||
	    (s->more != NULL &&
		SSL_CTX_add1_chain_cert(s->ctx, s->more->x509) != 1))
		abort();
	SSL_CTX_set_mode(s->ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_min_proto_version(s->ctx, s->min);
	SSL_CTX_set_max_proto_version(s->ctx, s->max);
	if (s->wants_cert)
		SSL_CTX_set_verify(s->ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, any_cert);
	if (s->no_session)
		SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET);
	if (s->no_session)
		SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	if (s->sigalgs != NULL &&
	    SSL_CTX_set1_sigalgs_list(s->ctx, s->sigalgs) != 1)
		abort();
	if (s->tickets != 0)
		SSL_CTX_set_num_tickets(s->ctx, (size_t)s->tickets);
}

/* ---- one connection ---- */

struct seen {
	const char *not_started; /* what tls_start() said */
	bool ready, failed;
	bool server_done;
	bool leaks; /* an error of ours stayed with OpenSSL */
	bool verified;
	char text[TLS_TEXT_MAX + 1]; /* tls_print() */
	char why[OUTCOME_TEXT_MAX + 1];
	char sni[256]; /* as the server saw it */
	bool resumed;
	char cert[64]; /* common name of what the client showed */
	char kind[16]; /* ... and its key */
	uint8_t exporter[2][32];
	bool exports;
};

static inline void
on_io(struct io *io, enum io_event e, void *arg)
{
	struct seen *s = arg;

	(void)io;
	if (e == IO_READY)
		s->ready = true;
	if (e == IO_EOF || e == IO_ERROR)
		s->failed = true;
}

static inline void
turn(void)
{
	event_base_loop(the_loop->base, EVLOOP_NONBLOCK);
}

static inline void
look_at_client(SSL *ssl, struct seen *seen)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	EVP_PKEY *key;

	if (cert == NULL)
		return;
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
	    seen->cert, sizeof seen->cert);
	key = X509_get0_pubkey(cert);
	strlcpy(seen->kind,
	    EVP_PKEY_is_a(key, "RSA")         ? "RSA" :
		EVP_PKEY_is_a(key, "ED25519") ? "ED25519" :
						"EC",
	    sizeof seen->kind);
}

static inline void
look_at_server(const struct io *io, SSL *ssl, struct seen *seen)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (sni != NULL)
		strlcpy(seen->sni, sni, sizeof seen->sni);
	seen->resumed = SSL_session_reused(ssl);
	look_at_client(ssl, seen);
	seen->exports = tls_exporter(io, seen->exporter[0]);
	(void)SSL_export_keying_material(ssl, seen->exporter[1], 32, label,
	    sizeof label - 1, NULL, 0, 0);
}

/* From the first byte to the end of the handshake, and what came of it. */
static inline void
shake(struct tls *t, const struct server *server, const char *host,
    uint16_t port, const struct tls_want *want, struct seen *seen)
{
	SSL *ssl = SSL_new(server->ctx);
	struct io io;
	int sv[2], i, rc = 0;

	memset(seen, 0, sizeof *seen);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1)
		abort();
	io_open(&io, the_loop, sv[0], 65536, 65536, on_io, seen);
	seen->not_started = tls_start(t, &io, host, port, want);
	SSL_set_fd(ssl, sv[1]);
	SSL_set_accept_state(ssl);
	for (i = 0; i < TURNS && seen->not_started == NULL && !seen->failed;
	     i++) {
		turn();
		seen->leaks |= ERR_peek_error() != 0;
		if (rc != 1)
			rc = SSL_do_handshake(ssl);
		ERR_clear_error();
		if (rc == 1 && seen->ready)
			break;
	}
	seen->server_done = rc == 1;
	/* What comes after the handshake: tickets. */
	for (i = 0; i < 4; i++)
		turn();
	if (seen->ready && rc == 1)
		look_at_server(&io, ssl, seen);
	seen->verified = tls_verified(&io);
	tls_print(&io, seen->text);
	tls_why(&io, seen->why, sizeof seen->why);
	io_close(&io);
	seen->leaks |= ERR_peek_error() != 0;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
	close(sv[1]);
}

static inline struct tls_want
want_of(enum conf_tls_level level)
{
	return (struct tls_want){ .level = level,
		.ca = CONF_NONE,
		.pki = CONF_NONE,
		.ciphers = "",
		.protocols = "",
		.source = "default" };
}

#endif
