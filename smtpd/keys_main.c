/*
 * Process: keys.  Runs as _smtpk, root directory empty.
 * Holds: the private keys for DKIM.
 * Asked by: deliver (sign_ask).
 * Asks: nobody.
 * Never: anything else; it opens nothing, and no key leaves it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "keys_sign.h"
#include "log.h"
#include "proc.h"

struct keys {
	struct proc *proc;
	struct key *key; /* by row of conf.dkim */
	uint32_t n;
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
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
		    OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
		NULL) != 1)
		proc_fail(p, "OpenSSL's configuration cannot be loaded");
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (sha256 == NULL)
		proc_fail(p, "OpenSSL has no SHA-256: see its configuration");
	EVP_MD_free(sha256);
}

static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct keys *k = self;
	const struct proc_file *m = msg->body;
	const struct conf *conf = k->proc->conf;
	const struct conf_dkim *row;
	const char *why;

	(void)from;
	if (m->index >= k->n)
		return;
	row = CONF_DKIM(conf, m->index);
	key_free(&k->key[m->index]);
	why = key_read(&k->key[m->index], msg->fd);
	if (why != NULL)
		proc_fail(k->proc, "%s:%u: key file %s: %s",
		    conf_text(conf, conf->path), row->at.line,
		    conf_text(conf, row->path), why);
}

/* What each row signs with, so that deliver can write the field. */
static void
tell(struct keys *k, struct ipc_chan *c)
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
		tell(k, c);
}

static void
start(void *self, struct proc *p)
{
	struct keys *k = self;
	const struct conf *conf = p->conf;
	uint32_t i;

	for (i = 0; i < k->n; i++) {
		const struct conf_dkim *row = CONF_DKIM(conf, i);

		if (k->key[i].pkey == NULL)
			proc_fail(p, "%s:%u: key file %s: was not handed in",
			    conf_text(conf, conf->path), row->at.line,
			    conf_text(conf, row->path));
	}
}

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

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_FILE] = on_file,
	[IPC_SIGN_ASK] = on_sign_ask,
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

	return proc_main(&p, &hooks, &self);
}
