/*
 * Sessions that may be taken up again (RFC 8446 2.2, RFC 5077), by who the
 * other end is and what was wanted of it.  Used by deliver; they live in the
 * memory of this process alone.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xxhash.h>

#include "log.h"
#include "tls_parts.h"

#define TICKETS_MAX 4 /* of one peer, for as many connections at once */

static void
drop(struct tls_sessions *s, struct tls_kept *k)
{
	TAILQ_REMOVE(&s->age, k, age);
	LIST_REMOVE(k, same);
	s->n--;
	SSL_SESSION_free(k->session);
	free(k);
}

/* Levels have contexts of their own, so that what was good enough for one is
 * not taken for another; and names that were found are those of the rule. */
static bool
is_of(const struct tls_kept *k, const struct tls_peer *p)
{
	return k->hash == p->hash && k->ctx == p->ctx && k->port == p->port &&
	    k->name.off == p->want->name.off && k->name.n == p->want->name.n &&
	    strcmp(k->host, p->host) == 0;
}

static bool
is_good(const SSL_SESSION *session)
{
	X509 *cert = SSL_SESSION_get0_peer((SSL_SESSION *)session);

	return SSL_SESSION_is_resumable(session) == 1 &&
	    SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session) >
	    time(NULL) &&
	    cert != NULL && !tls_cert_ended(cert);
}

static bool
is_once(const SSL_SESSION *session)
{
	return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

/* ---- public ---- */

void
tls_sessions_init(struct tls_sessions *s)
{
	size_t i;

	TAILQ_INIT(&s->age);
	for (i = 0; i < TLS_BUCKETS; i++)
		LIST_INIT(&s->bucket[i]);
}

void
tls_sessions_free(struct tls_sessions *s)
{
	struct tls_kept *k;

	while ((k = TAILQ_FIRST(&s->age)) != NULL)
		drop(s, k);
}

void
tls_session_take(struct tls_sessions *s, SSL *ssl, struct tls_peer *p)
{
	struct tls_kept *k, *next;

	p->hash = XXH3_64bits_withSeed(p->host, strlen(p->host), p->port);
	for (k = LIST_FIRST(&s->bucket[p->hash % TLS_BUCKETS]); k != NULL;
	     k = next) {
		next = LIST_NEXT(k, same);
		if (!is_of(k, p))
			continue;
		if (!is_good(k->session) ||
		    SSL_set_session(ssl, k->session) != 1) {
			drop(s, k);
			continue;
		}
		/* RFC 8446 C.4: a ticket that is shown twice tells who watches
		 * that it is the same client. */
		if (is_once(k->session))
			drop(s, k);
		return;
	}
}

int
tls_session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct tls_peer *p = tls_peer(ssl);
	struct tls_sessions *s = &p->ctx->tls->sessions;
	unsigned int n = 0, most = is_once(session) ? TICKETS_MAX : 1;
	size_t len = strlen(p->host) + 1;
	struct tls_kept *k, *next, *new;

	new = xcalloc(1, sizeof *new + len);
	new->hash = p->hash;
	new->session = session;
	new->ctx = p->ctx;
	new->name = p->want->name;
	new->port = p->port;
	memcpy(new->host, p->host, len);
	LIST_INSERT_HEAD(&s->bucket[p->hash % TLS_BUCKETS], new, same);
	TAILQ_INSERT_HEAD(&s->age, new, age);
	s->n++;
	for (k = LIST_FIRST(&s->bucket[p->hash % TLS_BUCKETS]); k != NULL;
	     k = next) {
		next = LIST_NEXT(k, same);
		if (is_of(k, p) && ++n > most)
			drop(s, k);
	}
	if (s->n > TLS_SESSIONS)
		drop(s, TAILQ_LAST(&s->age, tls_ages));
	return 1;
}

void
tls_session_drop(struct tls_sessions *s, const struct tls_peer *p)
{
	struct tls_kept *k, *next;

	for (k = LIST_FIRST(&s->bucket[p->hash % TLS_BUCKETS]); k != NULL;
	     k = next) {
		next = LIST_NEXT(k, same);
		if (is_of(k, p))
			drop(s, k);
	}
}
