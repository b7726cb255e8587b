/*
 * A context of OpenSSL as the configuration wants it: versions, ciphers,
 * authorities, certificates.  Runs in session, at its start; never sees a
 * private key.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io_tls.h"
#include "log.h"
#include "session_tls_certs.h"
#include "session_tls_ticket.h"
#include "tls_ciphers.h"
#include "tls_protocols.h"

#define CA_NAMES_MAX 32 /* authorities that a client is told the names of */
#define VERIFY_DEPTH 8

/* What TLS 1.2 may use; 1.3 has its own, all of which are good.  Keys are
 * always agreed on anew (RFC 9325 4.1): who sees a private key later cannot
 * read what was said before. */
#define CIPHERS       "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
#define NEVER_CIPHERS ":!kRSA:!aNULL:!eNULL"
#define CIPHERS_DHE   CIPHERS ":DHE+AESGCM:DHE+CHACHA20:DHE+AES"

/* What keys signs. */
#define SIGALGS                                                                \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"                      \
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"                        \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

static void
set_versions(const struct tls_site *site, SSL_CTX *ctx)
{
	struct session_certs *c = site->certs;
	const struct conf_listen *l = site->listen;
	unsigned int min, max;
	const char *why;

	why = tls_protocols_parse(slice_of(conf_text(c->proc->conf,
				      l->protocols)),
	    &min, &max);
	if (why != NULL)
		session_certs_fail(c, &l->at, "protocols", l->protocols, why);
	SSL_CTX_set_min_proto_version(ctx, (int)min);
	SSL_CTX_set_max_proto_version(ctx, (int)max);
}

static void
set_ciphers(const struct tls_site *site, SSL_CTX *ctx, bool dhe)
{
	struct session_certs *c = site->certs;
	const struct conf *conf = c->proc->conf;
	const struct conf_listen *l = site->listen;
	conf_str said = l->ciphers != 0 ? l->ciphers : conf->smtp_ciphers;

	/* Whoever lists what needs a private key to decrypt (kRSA) has no such
	 * cipher: ours only sign. */
	if (!tls_ciphers_use(ctx, conf_text(conf, said),
		dhe ? CIPHERS_DHE : CIPHERS, NEVER_CIPHERS))
		session_certs_fail(c, &l->at,
		    l->ciphers != 0 ? "ciphers" : "smtp ciphers", said,
		    "OpenSSL knows no such list of ciphers");
}

/* `pki N dhe auto`, `dhe legacy`: DHE for old clients.  True if any row of the
 * name says so. */
static bool
set_dhe(const struct tls_site *site, const struct tls_host *h, SSL_CTX *ctx)
{
	const struct conf_pki *k;
	bool dhe = false;
	uint32_t i, row;

	for (i = 0; i < h->n; i++) {
		k = tls_host_row(site, h, i, &row);
		if (k->dhe == DHE_NONE)
			continue;
		/* 1: as strong as the certificate's key; 2: 1024 bits, or the
		 * least that OpenSSL's security level lets through. */
		SSL_CTX_set_dh_auto(ctx, k->dhe == DHE_LEGACY ? 2 : 1);
		dhe = true;
	}
	return dhe;
}

/* ECDHE only: the large groups of the other kind would cost us more than the
 * client that asks for them. */
static bool
set_groups(SSL_CTX *ctx)
{
	/* The first is known from OpenSSL 3.5 on. */
	static const char *const lists[] = {
		"X25519MLKEM768:X25519:P-256:P-384:P-521",
		"X25519:P-256:P-384:P-521",
	};
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (SSL_CTX_set1_groups_list(ctx, lists[i]) == 1)
			return true;
	}
	return false;
}

/* Who shows no certificate that one of these signed has no session. */
static bool
set_verify(const struct tls_site *site, SSL_CTX *ctx)
{
	struct session_certs *c = site->certs;
	const struct conf_listen *l = site->listen;
	STACK_OF(X509) * ca;
	X509_STORE *store;
	bool good = true;
	int i;

	if (!l->verify)
		return true;
	SSL_CTX_set_verify(ctx,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(ctx, VERIFY_DEPTH);
	if (l->ca == CONF_NONE)
		return SSL_CTX_set1_verify_cert_store(ctx, c->system) == 1;
	ca = c->ca[l->ca];
	if ((store = X509_STORE_new()) == NULL)
		return false;
	for (i = 0; i < sk_X509_num(ca) && good; i++) {
		good = X509_STORE_add_cert(store, sk_X509_value(ca, i)) == 1;
		if (good && sk_X509_num(ca) <= CA_NAMES_MAX)
			good = SSL_CTX_add_client_CA(ctx,
				   sk_X509_value(ca, i)) == 1;
	}
	good = good && SSL_CTX_set0_verify_cert_store(ctx, store) == 1;
	if (!good)
		X509_STORE_free(store);
	return good;
}

static void
add_cert(const struct tls_site *site, SSL_CTX *ctx, const struct conf_pki *row,
    uint32_t i)
{
	struct session_certs *c = site->certs;
	STACK_OF(X509) *chain = c->chain[i], *rest;
	const char *why = NULL;
	EVP_PKEY *key;
	X509 *cert;

	if (chain == NULL)
		session_certs_fail(c, &row->at, "certificate file", row->cert,
		    "was not handed in");
	cert = sk_X509_value(chain, 0);
	key = tls_provider_key(X509_get0_pubkey(cert), i, &c->signer);
	if (key == NULL)
		session_certs_fail(c, &row->at, "certificate file", row->cert,
		    "a certificate for neither an RSA, EC nor Ed25519 key");
	rest = sk_X509_dup(chain);
	if (rest == NULL || sk_X509_shift(rest) == NULL)
		fatal("out of memory");
	ERR_clear_error();
	/* 0: there is none of that kind yet. */
	if (SSL_CTX_use_cert_and_key(ctx, cert, key, rest, 0) != 1) {
		why = ERR_GET_REASON(ERR_peek_last_error()) ==
			SSL_R_NOT_REPLACING_CERTIFICATE ?
		    "another certificate of this pki has a key of the same kind" :
		    io_tls_reason("OpenSSL does not take it");
		session_certs_fail(c, &row->at, "certificate file", row->cert,
		    why);
	}
	sk_X509_free(rest);
	EVP_PKEY_free(key);
}

void
tls_host_start(struct tls_site *site, struct tls_host *h)
{
	struct session_certs *c = site->certs;
	const struct conf_pki *row;
	const char *why = NULL;
	char context[32];
	uint32_t i, at;

	if ((h->ctx = io_tls_ctx(true, &why)) == NULL)
		proc_fail(c->proc, "TLS: %s", why);
	/* Chains are what the files have. */
	SSL_CTX_set_mode(h->ctx, SSL_MODE_NO_AUTO_CHAIN);
	/* What a client says may be a password. */
	SSL_CTX_set_options(h->ctx,
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_tlsext_servername_callback(h->ctx, tls_host_asked);
	SSL_CTX_set_tlsext_servername_arg(h->ctx, site);
	/* A ticket is good where it was given, and nowhere else: there a
	 * client may have shown a certificate. */
	snprintf(context, sizeof(context), "listen %u",
	    (unsigned int)(site - c->site));
	if (SSL_CTX_set_session_id_context(h->ctx, (const uint8_t *)context,
		(unsigned int)strlen(context)) != 1 ||
	    SSL_CTX_set1_sigalgs_list(h->ctx, SIGALGS) != 1 ||
	    !set_groups(h->ctx) || !set_verify(site, h->ctx))
		proc_fail(c->proc, "TLS: %s", io_tls_reason("out of memory"));
	set_versions(site, h->ctx);
	set_ciphers(site, h->ctx, set_dhe(site, h, h->ctx));
	session_ticket_use(h->ctx, c);
	for (i = 0; i < h->n; i++) {
		row = tls_host_row(site, h, i, &at);
		add_cert(site, h->ctx, row, at);
	}
}
