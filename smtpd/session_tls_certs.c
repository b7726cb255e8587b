/*
 * Contexts of OpenSSL: certificates, authorities, versions and ciphers, as the
 * configuration has them; who signs; which certificate for which name.  Runs
 * in session; never sees a private key.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_tls_certs.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "io_tls.h"
#include "log.h"
#include "session_tls_ticket.h"
#include "tls_chain.h"

#define SIGN_MS   2000  /* a handshake waits for its signature, and all do */
#define SILENT_MS 10000 /* so long keys is left alone after that */

_Noreturn void
session_certs_fail(struct session_certs *c, const struct conf_at *where,
    const char *what, conf_str path, const char *why)
{
	const struct conf *conf = c->proc->conf;
	char at[CONF_AT_MAX];

	proc_fail(c->proc, "%s: %s %s: %s",
	    conf_at_print(conf, where, at, sizeof(at)), what,
	    conf_text(conf, path), why);
}

/* ---- who signs ---- */

static struct ipc_chan *
keys(const struct session_certs *c)
{
	return proc_chan(c->proc, PROC_KEYS, 0);
}

bool
session_certs_silent(const struct session_certs *c)
{
	return loop_msec() < c->silent;
}

bool
session_certs_can_sign(const struct session_certs *c)
{
	const struct ipc_chan *chan = keys(c);

	return chan != NULL && chan->fd != -1 && !session_certs_silent(c);
}

static bool
on_sign(void *arg, const struct tls_sign *ask, struct tls_signed *is)
{
	struct session_certs *c = arg;

	if (!session_certs_can_sign(c)) {
		c->unmade = "the keys process is away";
		return false;
	}
	if (ipc_ask_block(keys(c), IPC_TLS_SIGN, ask, is, SIGN_MS)) {
		if (is->outcome.verdict != DONE)
			c->unmade = "the keys process did not sign";
		return is->outcome.verdict == DONE;
	}
	c->unmade = "the keys process went away";
	if (keys(c)->fd == -1)
		return false;
	/* It lives and says nothing.  Other sessions wait with this one, so
	 * this is not tried for each. */
	c->unmade = "the keys process is silent";
	c->silent = loop_msec() + SILENT_MS;
	log_warn("keys-silent", "wait=%d", SILENT_MS / 1000);
	return false;
}

/* ---- which certificate ---- */

const struct conf_pki *
tls_host_row(const struct tls_site *site, const struct tls_host *h, uint32_t i,
    uint32_t *row)
{
	const struct conf *conf = site->certs->proc->conf;

	*row = CONF_REF(conf, site->listen->pki, h->first + i)->i;
	return CONF_PKI(conf, *row);
}

/* flags: of X509_check_host(). */
static bool
cert_has(const struct tls_site *site, const struct tls_host *h,
    const char *name, unsigned int flags)
{
	uint32_t i, row;

	for (i = 0; i < h->n; i++) {
		(void)tls_host_row(site, h, i, &row);
		if (X509_check_host(sk_X509_value(site->certs->chain[row], 0),
			name, 0, flags, NULL) == 1)
			return true;
	}
	return false;
}

static bool
is_named(const struct tls_site *site, const struct tls_host *h,
    const char *name)
{
	(void)site;
	return strcasecmp(h->name, name) == 0;
}

static bool
is_in_cert(const struct tls_site *site, const struct tls_host *h,
    const char *name)
{
	return cert_has(site, h, name, X509_CHECK_FLAG_NO_WILDCARDS);
}

static bool
is_below_cert(const struct tls_site *site, const struct tls_host *h,
    const char *name)
{
	return cert_has(site, h, name, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
}

static bool
is_any(const struct tls_site *site, const struct tls_host *h, const char *name)
{
	(void)site;
	(void)name;
	return strcmp(h->name, "*") == 0;
}

/* By what the operator calls it, by names in certificates, by wildcards
 * there, `pki *`. */
static const struct tls_host *
find_host(const struct tls_site *site, const char *name)
{
	static bool (*const tests[])(const struct tls_site *site,
	    const struct tls_host *h,
	    const char *name) = { is_named, is_in_cert, is_below_cert, is_any };
	uint32_t i;
	size_t t;

	for (t = 0; t < sizeof(tests) / sizeof(tests[0]); t++) {
		for (i = 0; i < site->n; i++) {
			if (tests[t](site, &site->host[i], name))
				return &site->host[i];
		}
	}
	return NULL;
}

/* RFC 6066 3: who asks for a name that we do not have gets the default; most
 * clients of port 25 do not look. */
int
tls_host_asked(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_site *site = arg;
	const struct tls_host *h;

	(void)alert;
	if (name == NULL || (h = find_host(site, name)) == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_get_SSL_CTX(ssl) != h->ctx)
		SSL_set_SSL_CTX(ssl, h->ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* ---- sites ---- */

/* The addresses of one statement are one site, and hold memory once. */
static bool
same_site(const struct conf_listen *a, const struct conf_listen *b)
{
	return a->tls == b->tls && a->pki.off == b->pki.off &&
	    a->pki.n == b->pki.n && a->verify == b->verify && a->ca == b->ca &&
	    a->ciphers == b->ciphers && a->protocols == b->protocols;
}

/* The rows of a name stand together in a listener's list. */
static void
make_site(struct session_certs *c, uint32_t i)
{
	const struct conf *conf = c->proc->conf;
	const struct conf_listen *l = CONF_LISTEN(conf, i);
	struct tls_site *site = &c->site[i];
	const char *name, *last = NULL;
	uint32_t r;

	*site = (struct tls_site){ .certs = c, .listen = l };
	if (l->tls == LISTEN_CLEAR || l->pki.n == 0)
		return;
	for (r = 0; r < i; r++) {
		if (same_site(c->site[r].listen, l)) {
			site->as = c->site[r].as;
			return;
		}
	}
	site->as = site;
	site->host = xcalloc(l->pki.n, sizeof(*site->host));
	for (r = 0; r < l->pki.n; r++) {
		name = conf_text(conf,
		    CONF_PKI(conf, CONF_REF(conf, l->pki, r)->i)->name);
		if (last == NULL || strcmp(name, last) != 0) {
			site->host[site->n].name = name;
			site->host[site->n++].first = r;
		}
		site->host[site->n - 1].n++;
		last = name;
	}
	for (r = 0; r < site->n; r++)
		tls_host_start(site, &site->host[r]);
}

/* ---- public ---- */

struct session_certs *
session_certs_new(struct proc *p)
{
	const struct conf_listen *l, *tls = NULL, *system = NULL;
	const struct conf *conf = p->conf;
	struct session_certs *c;
	const char *why = NULL;
	char at[CONF_AT_MAX], *pem = NULL;
	SSL_CTX *ctx;
	uint32_t i;

	for (i = 0; i < conf->listen.n; i++) {
		l = CONF_LISTEN(conf, i);
		if (l->tls == LISTEN_CLEAR)
			continue;
		tls = l;
		if (l->verify && l->ca == CONF_NONE)
			system = l;
	}
	if (tls == NULL)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	/* Once, for what OpenSSL reads then. */
	if ((ctx = io_tls_ctx(true, &why)) == NULL ||
	    (why = tls_provider_load(&c->provider)) != NULL)
		proc_fail(p, "TLS: %s", why);
	SSL_CTX_free(ctx);
	c->proc = p;
	c->signer = (struct tls_signer){ on_sign, c };
	c->chain = xcalloc(conf->pki.n + 1, sizeof(STACK_OF(X509) *));
	c->ca = xcalloc(conf->ca.n + 1, sizeof(STACK_OF(X509) *));
	c->site = xcalloc(conf->listen.n, sizeof(*c->site));
	if (system != NULL &&
	    ((pem = tls_chain_system()) == NULL ||
		(c->system = X509_STORE_new()) == NULL ||
		!tls_chain_store(c->system, pem)))
		proc_fail(p,
		    "%s: `verify` without `ca`: the system's authorities are not to be found",
		    conf_at_print(conf, &system->at, at, sizeof(at)));
	free(pem);
	ERR_clear_error();
	return c;
}

void
session_certs_file(struct session_certs *c, const struct proc_file *m, int fd)
{
	const struct conf *conf;
	const char *why;

	if (c == NULL)
		return;
	conf = c->proc->conf;
	if (m->of == FILE_CERT && m->index < conf->pki.n) {
		tls_chain_free(&c->chain[m->index]);
		why = tls_chain_read(&c->chain[m->index], fd, TLS_CHAIN_MAX);
		if (why != NULL)
			session_certs_fail(c, &CONF_PKI(conf, m->index)->at,
			    "certificate file", CONF_PKI(conf, m->index)->cert,
			    why);
	}
	if (m->of == FILE_CA && m->index < conf->ca.n) {
		tls_chain_free(&c->ca[m->index]);
		why = tls_chain_read(&c->ca[m->index], fd, TLS_CA_MAX);
		if (why != NULL)
			session_certs_fail(c, &CONF_CA(conf, m->index)->at,
			    "certificate file", CONF_CA(conf, m->index)->cert,
			    why);
	}
}

void
session_certs_start(struct session_certs *c)
{
	const struct conf *conf = c->proc->conf;
	const struct conf_listen *l;
	uint32_t i;

	for (i = 0; i < conf->listen.n; i++) {
		l = CONF_LISTEN(conf, i);
		if (l->tls != LISTEN_CLEAR && l->verify && l->ca != CONF_NONE &&
		    c->ca[l->ca] == NULL)
			session_certs_fail(c, &CONF_CA(conf, l->ca)->at,
			    "certificate file", CONF_CA(conf, l->ca)->cert,
			    "was not handed in");
		make_site(c, i);
	}
}

SSL *
session_certs_ssl(struct session_certs *c, uint32_t listen)
{
	SSL *ssl;

	ERR_clear_error();
	if (listen >= c->proc->conf->listen.n || c->site[listen].as == NULL ||
	    (ssl = SSL_new(c->site[listen].as->host[0].ctx)) == NULL)
		return NULL;
	SSL_set_accept_state(ssl);
	session_ticket_prepare(c, ssl);
	return ssl;
}

bool
session_certs_one(const struct session_certs *c, uint32_t listen)
{
	const struct tls_site *site = c->site[listen].as;

	return site != NULL && site->n == 1 && site->host[0].n == 1;
}

void
session_certs_free(struct session_certs **cp)
{
	struct session_certs *c = *cp;
	uint32_t i, h;

	if (c == NULL)
		return;
	for (i = 0; i < c->proc->conf->listen.n; i++) {
		for (h = 0; h < c->site[i].n; h++)
			SSL_CTX_free(c->site[i].host[h].ctx);
		free(c->site[i].host);
	}
	for (i = 0; i < c->proc->conf->pki.n; i++)
		tls_chain_free(&c->chain[i]);
	for (i = 0; i < c->proc->conf->ca.n; i++)
		tls_chain_free(&c->ca[i]);
	X509_STORE_free(c->system);
	tls_provider_unload(&c->provider);
	free(c->site);
	free(c->chain);
	free(c->ca);
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
	*cp = NULL;
}
