/*
 * Contexts of OpenSSL, one for each way to speak TLS that the configuration
 * has: authorities, certificates of ours, versions, ciphers.  Used by deliver;
 * reads no file, never sees a private key.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#include "io_tls.h"
#include "log.h"
#include "tls_ciphers.h"
#include "tls_parts.h"
#include "tls_protocols.h"

/*
 * Who would send in plain rather than not at all takes what there is: a weak
 * key keeps more eyes out than none (RFC 7435), and whether it was good enough
 * is in the log.  Where a certificate decides, OpenSSL's own level holds.
 */
#define LENIENT_LEVEL 0

#define NEVER_CIPHERS ":!aNULL:!eNULL"

/* What keys signs. */
#define SIGALGS                                                                \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"                      \
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"                        \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* ---- certificates of ours ---- */

/* Another row of the same name: for the same host, with a key of another
 * kind. */
static bool
same_name(const struct conf *c, uint32_t a, uint32_t b)
{
	return strcasecmp(conf_text(c, CONF_PKI(c, a)->name),
		   conf_text(c, CONF_PKI(c, b)->name)) == 0;
}

/* The certificates behind the first of a chain; NULL: no memory. */
static STACK_OF(X509) * rest_of(STACK_OF(X509) * chain)
{
	STACK_OF(X509) *rest = sk_X509_dup(chain);

	if (rest != NULL)
		(void)sk_X509_shift(rest);
	return rest;
}

static const char *
use_row(struct tls *t, SSL_CTX *ctx, uint32_t row)
{
	const char *why = NULL;
	STACK_OF(X509) * rest;
	X509 *cert;

	if (t->chain[row] == NULL)
		return "the certificate was not handed in";
	cert = sk_X509_value(t->chain[row], 0);
	if (t->key[row] == NULL)
		t->key[row] =
		    tls_provider_key(X509_get0_pubkey(cert), row, &t->signer);
	if (t->key[row] == NULL)
		return "a certificate for neither an RSA, EC nor Ed25519 key";
	rest = rest_of(t->chain[row]);
	if (rest == NULL ||
	    SSL_CTX_use_cert_and_key(ctx, cert, t->key[row], rest, 0) != 1)
		why = io_tls_reason("OpenSSL does not take the certificate");
	sk_X509_free(rest);
	return why;
}

/*
 * The server wants a certificate.  In TLS 1.2 what is signed is the whole of
 * the handshake (RFC 5246 7.4.8), and Ed25519 signs no digests: that is longer
 * than what keys is asked to sign, so these certificates are not shown there.
 */
static int
on_wanted(SSL *ssl, void *arg)
{
	struct tls_ctx *c = arg;
	struct tls *t = c->tls;
	STACK_OF(X509) * rest;
	uint32_t i;

	if (SSL_version(ssl) >= TLS1_3_VERSION)
		return 1;
	SSL_certs_clear(ssl);
	for (i = 0; i < t->conf->pki.n; i++) {
		if (!same_name(t->conf, i, c->pki) || t->key[i] == NULL ||
		    EVP_PKEY_is_a(t->key[i], "ED25519"))
			continue;
		rest = rest_of(t->chain[i]);
		if (rest != NULL)
			SSL_use_cert_and_key(ssl, sk_X509_value(t->chain[i], 0),
			    t->key[i], rest, 0);
		sk_X509_free(rest);
	}
	ERR_clear_error();
	return 1;
}

static const char *
set_pki(struct tls_ctx *c)
{
	struct tls *t = c->tls;
	const char *why = NULL;
	uint32_t i;

	if (c->pki == CONF_NONE)
		return NULL;
	if (t->provider == NULL &&
	    (why = tls_provider_load(&t->provider)) != NULL)
		return why;
	SSL_CTX_set_mode(c->ctx, SSL_MODE_NO_AUTO_CHAIN);
	if (SSL_CTX_set1_client_sigalgs_list(c->ctx, SIGALGS) != 1)
		return io_tls_reason("out of memory");
	SSL_CTX_set_cert_cb(c->ctx, on_wanted, c);
	for (i = 0; i < t->conf->pki.n && why == NULL; i++) {
		if (same_name(t->conf, i, c->pki))
			why = use_row(t, c->ctx, i);
	}
	return why;
}

/* ---- the rest ---- */

static const char *
set_authorities(struct tls_ctx *c)
{
	X509_STORE *store = c->tls->system;

	if (c->ca != CONF_NONE && (store = c->tls->ca[c->ca]) == NULL)
		return "the certificates of its ca were not handed in";
	/* Without any, no certificate is good. */
	if (store != NULL && SSL_CTX_set1_verify_cert_store(c->ctx, store) != 1)
		return io_tls_reason("out of memory");
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ctx, tls_judge, NULL);
	return NULL;
}

static const char *
set_versions(struct tls_ctx *c)
{
	unsigned int min, max;

	if (tls_protocols_parse(slice_of(c->protocols), &min, &max) != NULL)
		return "protocols: no such version of TLS";
	SSL_CTX_set_min_proto_version(c->ctx, (int)min);
	SSL_CTX_set_max_proto_version(c->ctx, (int)max);
	return NULL;
}

/* A word that stands for a list means what OpenSSL uses by itself. */
static const char *
set_ciphers(struct tls_ctx *c)
{
	if (!c->strict)
		SSL_CTX_set_security_level(c->ctx, LENIENT_LEVEL);
	if (tls_ciphers_word(c->ciphers) ||
	    tls_ciphers_use(c->ctx, c->ciphers, "DEFAULT", NEVER_CIPHERS))
		return NULL;
	return "ciphers: OpenSSL knows no such list";
}

/* What happens in a handshake: who is signed for, and when it is done. */
static void
on_info(const SSL *ssl, int where, int ret)
{
	struct tls_peer *p = tls_peer(ssl);

	(void)ret;
	if (p == NULL)
		return;
	p->ctx->tls->now = p;
	if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
		p->done = true;
}

static const char *
set_sessions(struct tls_ctx *c)
{
	SSL_CTX_set_session_cache_mode(c->ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, tls_session_keep);
	SSL_CTX_set_info_callback(c->ctx, on_info);
	return NULL;
}

static void
ctx_free(struct tls_ctx *c)
{
	SSL_CTX_free(c->ctx);
	free(c);
}

static struct tls_ctx *
ctx_new(struct tls *t, const struct tls_want *want, const char **why)
{
	static const char *(*const steps[])(struct tls_ctx *
	    c) = { set_versions, set_ciphers, set_authorities, set_sessions,
		set_pki };
	struct tls_ctx *c = xcalloc(1, sizeof *c);
	size_t i;

	*c = (struct tls_ctx){ .tls = t,
		.ca = want->ca,
		.pki = want->pki,
		.ciphers = want->ciphers == NULL ? "" : want->ciphers,
		.protocols = want->protocols == NULL ? "" : want->protocols,
		.strict = want->level == TLS_LEVEL_VERIFY };
	*why = NULL;
	if ((c->ctx = io_tls_ctx(false, why)) != NULL)
		SSL_CTX_set_app_data(c->ctx, t);
	for (i = 0; i < sizeof steps / sizeof steps[0] && *why == NULL; i++)
		*why = steps[i](c);
	if (*why == NULL)
		return c;
	ctx_free(c);
	return NULL;
}

static bool
is_for(const struct tls_ctx *c, const struct tls_want *want)
{
	return c->ca == want->ca && c->pki == want->pki &&
	    c->strict == (want->level == TLS_LEVEL_VERIFY) &&
	    strcmp(c->ciphers, want->ciphers == NULL ? "" : want->ciphers) ==
	    0 &&
	    strcmp(c->protocols,
		want->protocols == NULL ? "" : want->protocols) == 0;
}

/* ---- public ---- */

struct tls_ctx *
tls_ctx(struct tls *t, const struct tls_want *want, const char **why)
{
	struct tls_ctx *c;

	LIST_FOREACH(c, &t->ctxs, entry) {
		if (is_for(c, want))
			return c;
	}
	if ((c = ctx_new(t, want, why)) != NULL)
		LIST_INSERT_HEAD(&t->ctxs, c, entry);
	ERR_clear_error();
	return c;
}

void
tls_ctxs_free(struct tls *t)
{
	struct tls_ctx *c;

	while ((c = LIST_FIRST(&t->ctxs)) != NULL) {
		LIST_REMOVE(c, entry);
		ctx_free(c);
	}
}
