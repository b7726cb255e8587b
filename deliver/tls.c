/*
 * TLS for connections we make, by common/io_tls.h: how it begins, and what
 * became of it.  Used by deliver.  Never holds a private key.  A handshake
 * with a certificate of ours waits for keys to sign, for two seconds at most,
 * and all of this process with it; the rest of it waits for nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "idn.h"
#include "io_tls.h"
#include "log.h"
#include "slice.h"
#include "tls_chain.h"
#include "tls_parts.h"

#define SIGN_MS   2000  /* a handshake waits for its signature, and all do */
#define SILENT_MS 10000 /* so long keys is left alone after that */

/* ---- who signs ---- */

static const char *
ask_keys(struct tls *t, const struct tls_sign *ask, struct tls_signed *is)
{
	struct cert_sign m;
	struct cert_signed answer;

	if (t->keys == NULL || t->keys->fd == -1 || loop_msec() < t->silent)
		return "the keys process is away";
	memset(&m, 0, sizeof m);
	m.sign = *ask;
	if (ipc_ask_block(t->keys, IPC_CERT_SIGN, &m, &answer, SIGN_MS)) {
		*is = answer.is;
		return is->outcome.verdict == DONE ?
		    NULL :
		    "the keys process did not sign";
	}
	if (t->keys->fd == -1)
		return "the keys process went away";
	/* It lives and says nothing.  All others wait with this one, so this is
	 * not tried for each. */
	t->silent = loop_msec() + SILENT_MS;
	log_warn("keys-silent", "wait=%d", SILENT_MS / 1000);
	return "the keys process is silent";
}

static bool
on_sign(void *arg, const struct tls_sign *ask, struct tls_signed *is)
{
	struct tls *t = arg;
	struct tls_peer *p = t->now;
	const char *why = ask_keys(t, ask, is);

	if (why != NULL && p != NULL)
		p->unmade = why;
	return why == NULL;
}

/* ---- the other end ---- */

/* Its SSL goes, and it with it. */
static void
peer_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
    void *argp)
{
	struct tls_peer *p = ptr;

	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	if (p == NULL)
		return;
	/* A session may have been what was wrong. */
	if (!p->done)
		tls_session_drop(&p->ctx->tls->sessions, p);
	if (p->ctx->tls->now == p)
		p->ctx->tls->now = NULL;
	free(p);
}

struct tls_peer *
tls_peer(const SSL *ssl)
{
	const struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return SSL_get_ex_data(ssl, t->index);
}

static bool
is_literal(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) == 1 ||
	    inet_pton(AF_INET6, name, &a) == 1;
}

static struct tls_peer *
peer_new(struct tls_ctx *c, const char *host, uint16_t port,
    const struct tls_want *want)
{
	struct tls_peer *p = xcalloc(1, sizeof *p);
	struct slice name = slice_of(host);

	p->ctx = c;
	p->want = want;
	p->port = port;
	p->literal = is_literal(host);
	if (name.len > 1 && name.p[name.len - 1] == '.')
		name.len--;
	/* What DNS could not have stays empty, and no certificate is for it. */
	(void)idn_domain(name, p->host);
	return p;
}

/* ---- what came of it ---- */

/* A session that was taken up has what was found when it began. */
static bool
is_verified(const SSL *ssl)
{
	const X509 *cert = SSL_get0_peer_certificate(ssl);

	return cert != NULL && SSL_get_verify_result(ssl) == X509_V_OK &&
	    (!SSL_session_reused((SSL *)ssl) || !tls_cert_ended(cert));
}

/* Names that would do. */
static const char *
print_wanted(const struct tls_peer *p, char out[TLS_NAMES_MAX + 1])
{
	const struct conf *c = p->ctx->tls->conf;
	size_t used = 0;
	uint32_t i;
	int n;

	snprintf(out, TLS_NAMES_MAX + 1, "%.*s", TLS_NAMES_MAX, p->host);
	for (i = 0; i < p->want->name.n && used < TLS_NAMES_MAX; i++) {
		n = snprintf(out + used, TLS_NAMES_MAX + 1 - used, "%s%s",
		    i == 0 ? "" : " or ",
		    conf_text(c, CONF_ENTRY(c, p->want->name, i)->key));
		used += n < 0 ? 0 : (size_t)n;
	}
	return out;
}

static void
print_cert_trouble(const struct tls_peer *p, long result, const char *policy,
    char *out, size_t size)
{
	bool none = p->ctx->ca == CONF_NONE && p->ctx->tls->system == NULL;
	char wanted[TLS_NAMES_MAX + 1];

	snprintf(out, size,
	    "the certificate is not good: %s at depth %d%s; policy: %s; name wanted: %s; names found: %s",
	    X509_verify_cert_error_string(result), p->depth,
	    none ? ", and this system has no authorities" : "", policy,
	    print_wanted(p, wanted), p->names[0] == '\0' ? "none" : p->names);
}

/* ---- public ---- */

struct tls *
tls_new(const struct conf *c, const char **why)
{
	static const struct tls_want any = { .level = TLS_LEVEL_MAY,
		.ca = CONF_NONE,
		.pki = CONF_NONE };
	struct tls *t = xcalloc(1, sizeof *t);

	t->conf = c;
	t->signer = (struct tls_signer){ on_sign, t };
	t->index = SSL_get_ex_new_index(0, NULL, NULL, NULL, peer_free);
	t->chain = xcalloc(c == NULL ? 1 : c->pki.n + 1, sizeof *t->chain);
	t->key = xcalloc(c == NULL ? 1 : c->pki.n + 1, sizeof *t->key);
	t->ca = xcalloc(c == NULL ? 1 : c->ca.n + 1, sizeof *t->ca);
	LIST_INIT(&t->ctxs);
	tls_sessions_init(&t->sessions);
	t->system_pem = tls_chain_system();
	if (t->system_pem != NULL && (t->system = X509_STORE_new()) == NULL)
		fatal("out of memory");
	/* The one that nearly all use, and what OpenSSL reads for the first. */
	if (t->index == -1 || tls_ctx(t, &any, why) == NULL) {
		tls_free(&t);
		return NULL;
	}
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;
	uint32_t i;

	if (t == NULL)
		return;
	tls_sessions_free(&t->sessions);
	tls_ctxs_free(t);
	for (i = 0; t->conf != NULL && i < t->conf->pki.n; i++) {
		EVP_PKEY_free(t->key[i]);
		tls_chain_free(&t->chain[i]);
	}
	for (i = 0; t->conf != NULL && i < t->conf->ca.n; i++)
		X509_STORE_free(t->ca[i]);
	X509_STORE_free(t->system);
	free(t->system_pem);
	tls_provider_unload(&t->provider);
	free(t->chain);
	free(t->key);
	free(t->ca);
	free(t);
	*tp = NULL;
}

const char *
tls_cert(struct tls *t, uint32_t row, int fd)
{
	if (row >= t->conf->pki.n)
		return NULL;
	tls_chain_free(&t->chain[row]);
	return tls_chain_read(&t->chain[row], fd, TLS_CHAIN_MAX);
}

const char *
tls_ca(struct tls *t, uint32_t row, int fd)
{
	STACK_OF(X509) * certs;
	X509_STORE *store;
	const char *why;
	int i;

	if (row >= t->conf->ca.n)
		return NULL;
	if ((why = tls_chain_read(&certs, fd, TLS_CA_MAX)) != NULL)
		return why;
	if ((store = X509_STORE_new()) == NULL)
		why = "out of memory";
	for (i = 0; i < sk_X509_num(certs) && why == NULL; i++) {
		if (X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1)
			why = io_tls_reason("OpenSSL does not take it");
	}
	tls_chain_free(&certs);
	/* What the operator trusts is trusted, be it root or not. */
	if (why != NULL ||
	    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1) {
		X509_STORE_free(store);
		return why == NULL ? "out of memory" : why;
	}
	X509_STORE_free(t->ca[row]);
	t->ca[row] = store;
	return NULL;
}

/* A walk over what the configuration has. */
struct making {
	struct tls *tls;
	const struct conf_at *at;
	const char *why;
};

static bool
make(void *arg, const struct tls_want *want)
{
	struct making *m = arg;

	m->at = want->at;
	return tls_ctx(m->tls, want, &m->why) != NULL;
}

const char *
tls_ready(struct tls *t, const struct conf_at **at)
{
	struct making m = { .tls = t };

	if (t->conf != NULL)
		policy_each(t->conf, make, &m);
	*at = m.at;
	return m.why;
}

void
tls_keys(struct tls *t, struct ipc_chan *keys)
{
	t->keys = keys;
}

const char *
tls_start(struct tls *t, struct io *io, const char *host, uint16_t port,
    const struct tls_want *want)
{
	const char *why = NULL;
	struct tls_peer *p;
	struct tls_ctx *c;
	SSL *ssl;

	ERR_clear_error();
	if ((c = tls_ctx(t, want, &why)) == NULL)
		return why;
	if ((ssl = SSL_new(c->ctx)) == NULL)
		return io_tls_reason("TLS does not start");
	p = peer_new(c, host, port, want);
	if (SSL_set_ex_data(ssl, t->index, p) != 1) {
		free(p);
		SSL_free(ssl);
		return io_tls_reason("out of memory");
	}
	/* RFC 6066 3: an address is no server name. */
	if (!p->literal && p->host[0] != '\0')
		(void)SSL_set_tlsext_host_name(ssl, p->host);
	tls_session_take(&t->sessions, ssl, p);
	SSL_set_connect_state(ssl);
	return io_tls_start(io, ssl, false);
}

void
tls_print(const struct io *io, char out[TLS_TEXT_MAX + 1])
{
	SSL *ssl = io_tls(io);

	out[0] = '\0';
	if (ssl == NULL)
		return;
	snprintf(out, TLS_TEXT_MAX + 1, "%s:%s:%s", SSL_get_version(ssl),
	    SSL_get_cipher_name(ssl),
	    is_verified(ssl) ? "verified" : "unverified");
}

bool
tls_verified(const struct io *io)
{
	SSL *ssl = io_tls(io);

	return ssl != NULL && is_verified(ssl);
}

const char *
tls_why(const struct io *io, char *out, size_t size)
{
	const char *error = io->error == NULL || io->error[0] == '\0' ?
	    "connection closed" :
	    io->error;
	char policy[CONF_AT_MAX + 80];
	SSL *ssl = io_tls_begun(io);
	struct tls_peer *p = NULL;
	long result;

	if (ssl == NULL || (p = tls_peer(ssl)) == NULL) {
		snprintf(out, size, "TLS did not begin: %s", error);
		return out;
	}
	policy_print(p->ctx->tls->conf, p->want, policy, sizeof policy);
	result = SSL_get_verify_result(ssl);
	if (p->done && result == X509_V_OK && !is_verified(ssl))
		result = X509_V_ERR_CERT_HAS_EXPIRED;
	if (p->want->level == TLS_LEVEL_VERIFY && result != X509_V_OK)
		print_cert_trouble(p, result, policy, out, size);
	else if (p->unmade != NULL)
		snprintf(out, size,
		    "the handshake failed: our certificate: %s; policy: %s",
		    p->unmade, policy);
	else
		snprintf(out, size, "the handshake failed: %s; policy: %s",
		    error, policy);
	return out;
}

const char *
tls_missing(const struct tls *t, const struct tls_want *want, const char *what,
    char *out, size_t size)
{
	char policy[CONF_AT_MAX + 80];

	snprintf(out, size, "%s; policy: %s", what,
	    policy_print(t == NULL ? NULL : t->conf, want, policy,
		sizeof policy));
	return out;
}

/* RFC 9266: of TLS 1.3.  In TLS 1.2 servers differ in what an empty context is
 * (RFC 5705 4), and the extended master secret must be there too. */
bool
tls_exporter(const struct io *io, uint8_t out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	SSL *ssl = io_tls(io);
	bool good;

	good = ssl != NULL && SSL_version(ssl) >= TLS1_3_VERSION &&
	    SSL_export_keying_material(ssl, out, 32, label, sizeof label - 1,
		NULL, 0, 0) == 1;
	ERR_clear_error();
	return good;
}
