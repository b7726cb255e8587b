/*
 * Process: keys.  Runs as _smtpk, root directory empty.
 * Holds: the private keys for DKIM and TLS, the keys of session tickets.
 * Asked by: deliver (sign_ask, cert_sign), session (tls_sign).
 * Asks: nobody; tells each session what tickets are sealed with.
 * Never: anything else; it opens nothing, decrypts nothing, and no private key
 * leaves it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "keys_sign.h"
#include "keys_ticket.h"
#include "keys_tls.h"
#include "log.h"
#include "proc.h"

#define LOOK_MS ((msec)24 * 60 * 60 * 1000) /* at certificates that end */

struct keys {
	struct proc *proc;
	struct key *key; /* by row of conf.dkim */
	uint32_t n;
	struct tls_key *tls; /* by row of conf.pki */
	uint32_t n_tls;
	struct ticket_keys tickets;
	struct timer turn; /* of tickets */
	struct timer look; /* at certificates */
};

/* OpenSSL's configuration, providers and algorithms cannot be reached from
 * the jail, so all that will be used is used once. */
static void
load_openssl(void *self, struct proc *p)
{
	struct keys *k = self;
	EVP_MD *sha256;

	k->proc = p;
	k->n = p->conf->dkim.n;
	if (k->n != 0)
		k->key = xcalloc(k->n, sizeof(*k->key));
	k->n_tls = p->conf->pki.n;
	if (k->n_tls != 0)
		k->tls = xcalloc(k->n_tls, sizeof(*k->tls));
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
		    OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
		NULL) != 1)
		proc_fail(p, "OpenSSL's configuration cannot be loaded");
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (sha256 == NULL)
		proc_fail(p, "OpenSSL has no SHA-256: see its configuration");
	EVP_MD_free(sha256);
}

/* ---- files ---- */

/* A file is no good, or was not handed in. */
static _Noreturn void
fail(struct keys *k, const struct conf_at *where, const char *what,
    conf_str path, const char *why)
{
	const struct conf *conf = k->proc->conf;
	char at[CONF_AT_MAX];

	proc_fail(k->proc, "%s: %s %s: %s",
	    conf_at_print(conf, where, at, sizeof(at)), what,
	    conf_text(conf, path), why);
}

static void
on_dkim(struct keys *k, uint32_t i, int fd)
{
	const struct conf_dkim *row = CONF_DKIM(k->proc->conf, i);
	const char *why;

	key_free(&k->key[i]);
	if ((why = key_read(&k->key[i], fd)) != NULL)
		fail(k, &row->at, "key file", row->path, why);
}

static void
on_tls(struct keys *k, enum proc_file_of of, uint32_t i, int fd)
{
	const struct conf_pki *row = CONF_PKI(k->proc->conf, i);
	const char *why;

	if (of == FILE_KEY && (why = tls_key_read(&k->tls[i], fd)) != NULL)
		fail(k, &row->at, "key file", row->key, why);
	if (of == FILE_CERT && (why = tls_key_certs(&k->tls[i], fd)) != NULL)
		fail(k, &row->at, "certificate file", row->cert, why);
}

static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct keys *k = self;
	const struct proc_file *m = msg->body;

	(void)from;
	if (m->of == FILE_DKIM && m->index < k->n)
		on_dkim(k, m->index, msg->fd);
	if ((m->of == FILE_KEY || m->of == FILE_CERT) && m->index < k->n_tls)
		on_tls(k, m->of, m->index, msg->fd);
}

/* ---- what others are told ---- */

/* What each row signs with, so that deliver can write the field. */
static void
tell_deliver(struct keys *k, struct ipc_chan *c)
{
	struct sign_key m;
	uint32_t i;

	for (i = 0; i < k->n; i++) {
		memset(&m, 0, sizeof(m));
		m.key = i;
		m.alg = k->key[i].alg;
		sign_key_send(c, 0, &m, -1);
	}
}

static void
on_peer_up(void *self, struct ipc_chan *c)
{
	struct keys *k = self;

	if (c->peer == PROC_DELIVER)
		tell_deliver(k, c);
	if (c->peer == PROC_SESSION)
		ticket_keys_send(&k->tickets, c);
}

/* A new key for tickets, and all sessions hear of it. */
static void
on_turn(void *arg)
{
	struct keys *k = arg;
	struct ipc_chan *c;
	uint32_t i;

	timer_set(k->proc->loop, &k->turn, TICKET_TURN_MS, on_turn, k);
	if (!ticket_keys_turn(&k->tickets)) {
		log_warn("ticket-key", "why=%s", q("no random numbers"));
		return;
	}
	for (i = 0; i < PROC_MAX; i++) {
		if ((c = k->proc->peer[PROC_SESSION][i]) != NULL)
			ticket_keys_send(&k->tickets, c);
	}
}

/* ---- the beginning ---- */

/* A certificate is good when it is loaded, and one day it is not. */
static void
on_look(void *arg)
{
	struct keys *k = arg;
	const struct conf *conf = k->proc->conf;
	const struct conf_pki *row;
	char at[CONF_AT_MAX];
	const char *odd;
	uint32_t i;

	timer_set(k->proc->loop, &k->look, LOOK_MS, on_look, k);
	for (i = 0; i < k->n_tls; i++) {
		row = CONF_PKI(conf, i);
		if ((odd = tls_key_odd(&k->tls[i], time(NULL))) == NULL)
			continue;
		conf_at_print(conf, &row->at, at, sizeof(at));
		log_warn("certificate", "at=%s path=%s why=%s", q(at),
		    q(conf_text(conf, row->cert)), q(odd));
	}
}

static void
check_tls(struct keys *k, uint32_t i)
{
	const struct conf_pki *row = CONF_PKI(k->proc->conf, i);
	const char *why;

	if (k->tls[i].pkey == NULL)
		fail(k, &row->at, "key file", row->key, "was not handed in");
	if (k->tls[i].chain == NULL)
		fail(k, &row->at, "certificate file", row->cert,
		    "was not handed in");
	if ((why = tls_key_check(&k->tls[i])) != NULL)
		fail(k, &row->at, "key file", row->key, why);
}

static void
start(void *self, struct proc *p)
{
	struct keys *k = self;
	uint32_t i;

	for (i = 0; i < k->n; i++) {
		const struct conf_dkim *row = CONF_DKIM(p->conf, i);

		if (k->key[i].pkey == NULL)
			fail(k, &row->at, "key file", row->path,
			    "was not handed in");
	}
	for (i = 0; i < k->n_tls; i++)
		check_tls(k, i);
	if (k->n_tls == 0)
		return;
	on_look(k);
	on_turn(k);
}

/* ---- questions ---- */

static void
on_sign_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct keys *k = self;
	const struct sign_ask *ask = msg->body;
	struct sign_is is;
	size_t len;

	memset(&is, 0, sizeof(is));
	if (ask->key >= k->n) {
		outcome_set(&is.outcome, LATER, WIDTH_MESSAGE, 0, "4.3.5",
		    "no such key");
	} else if (!key_sign(&k->key[ask->key], ask->digest, is.sig,
		       sizeof(is.sig), &len)) {
		log_warn("sign-failed", "key=%u", ask->key);
		outcome_set(&is.outcome, LATER, WIDTH_MESSAGE, 0, "4.3.0",
		    "the signature could not be made");
	} else {
		is.alg = k->key[ask->key].alg;
		is.len = (uint32_t)len;
		outcome_set(&is.outcome, DONE, WIDTH_MESSAGE, 0, NULL,
		    "signed");
	}
	sign_is_send(from, msg->id, &is, -1);
}

/* Signs, or says why not. */
static void
sign_handshake(struct keys *k, enum tls_end end, const struct tls_sign *ask,
    struct tls_signed *is)
{
	static const char *const
	    ends[] = { [TLS_SERVER] = "server", [TLS_CLIENT] = "client" };
	const char *why = NULL;
	size_t len = 0;

	if (ask->pki >= k->n_tls ||
	    (end == TLS_CLIENT && !tls_key_shown(k->proc->conf, ask->pki)))
		why = "no such key";
	else
		why = tls_key_sign(&k->tls[ask->pki], end, ask, is->sig,
		    sizeof(is->sig), &len);
	if (why == NULL) {
		is->len = (uint32_t)len;
		outcome_set(&is->outcome, DONE, WIDTH_STREAM, 0, NULL,
		    "signed");
		return;
	}
	log_warn("tls-sign", "end=%s pki=%u scheme=%u why=%s", ends[end],
	    ask->pki, ask->scheme, q(why));
	outcome_set(&is->outcome, LATER, WIDTH_STREAM, 0, "4.7.0", "%s", why);
}

static void
on_tls_sign(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct tls_signed is;

	memset(&is, 0, sizeof(is));
	sign_handshake(self, TLS_SERVER, msg->body, &is);
	tls_signed_send(from, msg->id, &is, -1);
}

static void
on_cert_sign(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct cert_sign *ask = msg->body;
	struct cert_signed is;

	memset(&is, 0, sizeof(is));
	sign_handshake(self, TLS_CLIENT, &ask->sign, &is.is);
	cert_signed_send(from, msg->id, &is, -1);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_FILE] = on_file,
	[IPC_SIGN_ASK] = on_sign_ask,
	[IPC_TLS_SIGN] = on_tls_sign,
	[IPC_CERT_SIGN] = on_cert_sign,
};

static const struct proc_hooks hooks = {
	.kind = PROC_KEYS,
	.handlers = handlers,
	.pre_jail = load_openssl,
	.start = start,
	.peer_up = on_peer_up,
};

int
main(void)
{
	static struct keys self;
	struct proc p = { 0 };
	uint32_t i;
	int status = proc_main(&p, &hooks, &self);

	for (i = 0; i < self.n; i++)
		key_free(&self.key[i]);
	for (i = 0; i < self.n_tls; i++)
		tls_key_free(&self.tls[i]);
	ticket_keys_wipe(&self.tickets);
	return status;
}
