/*
 * What the files of TLS on the way out share: tls.c begins a handshake and
 * tells what became of it, tls_ctx.c makes contexts, tls_cert.c judges
 * certificates, tls_session.c keeps sessions.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_TLS_PARTS_H
#define DELIVER_TLS_PARTS_H

#include <sys/queue.h>

#include <openssl/ssl.h>

#include "tls.h"
#include "tls_provider.h"

#define TLS_NAMES_MAX 200 /* bytes of the names that a certificate has */

/* One way to speak TLS, as the configuration wants it somewhere. */
struct tls_ctx {
	LIST_ENTRY(tls_ctx) entry;
	struct tls *tls;
	uint32_t ca, pki;
	const char *ciphers, *protocols;
	bool strict; /* for level VERIFY */
	SSL_CTX *ctx;
};

/* A session that may be taken up again. */
struct tls_kept {
	TAILQ_ENTRY(tls_kept) age;
	LIST_ENTRY(tls_kept) same; /* in one bucket */
	uint64_t hash;
	SSL_SESSION *session;
	const struct tls_ctx *ctx;
	struct conf_span name;
	uint16_t port;
	char host[]; /* in lower case */
};

#define TLS_BUCKETS 256

struct tls_sessions {
	TAILQ_HEAD(tls_ages, tls_kept) age; /* the newest first */
	LIST_HEAD(, tls_kept) bucket[TLS_BUCKETS];
	unsigned int n;
};

struct tls {
	const struct conf *conf;           /* NULL: none (tests) */
	struct ossl_provider_st *provider; /* NULL: no certificate of ours */
	struct tls_signer signer;
	struct ipc_chan *keys;
	msec silent; /* keys did not answer: until then it is not asked */
	X509_STORE *system;      /* authorities; NULL: there are none */
	char *system_pem;        /* until somebody has to be judged by them */
	STACK_OF(X509) * *chain; /* by row of conf.pki */
	EVP_PKEY **key;          /* likewise: what keys signs with */
	X509_STORE **ca;         /* by row of conf.ca */
	LIST_HEAD(, tls_ctx) ctxs;
	struct tls_sessions sessions;
	struct tls_peer *now; /* whose handshake goes on, in this call */
	int index;            /* of struct tls_peer in an SSL */
};

/* Who is at the other end; as long as its SSL. */
struct tls_peer {
	struct tls_ctx *ctx;
	const struct tls_want *want;
	uint64_t hash; /* of its sessions */
	uint16_t port;
	bool literal;       /* host is an address */
	bool done;          /* the handshake is */
	const char *unmade; /* why keys did not sign, or NULL */
	/* what was wrong with its certificate */
	int depth;
	char names[TLS_NAMES_MAX + 1];
	char host[HOST_MAX + 1]; /* in lower case, as DNS has it */
};

struct tls_peer *tls_peer(const SSL *ssl);

/* ---- tls_ctx.c ---- */

/* The one for want, made if there is none yet.  NULL: *why. */
struct tls_ctx *tls_ctx(struct tls *t, const struct tls_want *want,
    const char **why);
void tls_ctxs_free(struct tls *t);

/* ---- tls_cert.c ---- */

/* As SSL_CTX_set_cert_verify_callback(3) wants it. */
int tls_judge(X509_STORE_CTX *x, void *arg);

/* The certificate ended after its session began. */
bool tls_cert_ended(const X509 *cert);

/* ---- tls_session.c ---- */

void tls_sessions_init(struct tls_sessions *s);
void tls_sessions_free(struct tls_sessions *s);

/* Sets p->hash, and takes up a session with this peer if there is one. */
void tls_session_take(struct tls_sessions *s, SSL *ssl, struct tls_peer *p);

/* As SSL_CTX_sess_set_new_cb(3) wants it. */
int tls_session_keep(SSL *ssl, SSL_SESSION *session);

/* With this peer something is wrong: begin anew the next time. */
void tls_session_drop(struct tls_sessions *s, const struct tls_peer *p);

#endif
