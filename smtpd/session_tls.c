/*
 * TLS of a session: its beginning, what became of it, and what others want to
 * know of it.  Runs in session; never sees a private key.  A handshake waits
 * for keys to sign, for two seconds at most, and all sessions of the process
 * with it; the rest of it waits for nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_tls.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "io_tls.h"
#include "log.h"
#include "session_tls_certs.h"
#include "session_tls_name.h"

#define HANDSHAKE_MS 60000 /* at most; else as long as a command */
#define KEYS_MS      5000  /* keys is started again by then, or trouble is */
#define AGAIN_MS     100

struct session_tls {
	SSL *ssl;   /* io's, which frees it; NULL: no handshake yet */
	bool first; /* smtps: the steps go on behind it */
	msec keys;  /* until when keys is waited for */
	/* of io, while the handshake has its place */
	void (*fn)(struct io *io, enum io_event e, void *arg);
	/* when it is done */
	const char *version;
	const SSL_CIPHER *cipher;
	char *cert; /* whom the client's certificate names, or NULL */
};

static struct session_certs *
certs(const struct session *s)
{
	return s->server->certs;
}

static uint32_t
row(const struct session *s)
{
	return (uint32_t)(s->listen - CONF_LISTEN(session_conf(s), 0));
}

/* ---- what became of it ---- */

static const char *
asked_name(const struct session *s)
{
	const char *name;

	if (s->tls->ssl == NULL)
		return "";
	name = SSL_get_servername(s->tls->ssl, TLSEXT_NAMETYPE_host_name);
	return name == NULL ? "" : name;
}

static void
failed(struct session *s, const char *why)
{
	log_event(s->id, "tls", "result=failed client=%s why=%s sni=%s",
	    s->facts.client, q(why), q(asked_name(s)));
	session_end(s, "tls");
}

/* The client's certificate was not good, or there was none. */
static const char *
verify_trouble(const struct session *s)
{
	long r = SSL_get_verify_result(s->tls->ssl);

	return r == X509_V_OK ? NULL : X509_verify_cert_error_string(r);
}

static const char *
trouble(struct session *s)
{
	const char *why = certs(s)->unmade;

	/* It was the last thing that happened, in the same call. */
	certs(s)->unmade = NULL;
	if (why == NULL && (why = verify_trouble(s)) == NULL)
		why = s->io.error;
	return why;
}

/* Who comes back with a ticket does not show the certificate again: the ticket
 * has it, as it was found good, and it may have ended since. */
static const char *
learn_cert(struct session *s)
{
	char name[ADDR_MAX + 1];
	const char *why;
	X509 *cert;

	if (!s->listen->verify)
		return NULL;
	if ((why = verify_trouble(s)) != NULL)
		return why;
	if ((cert = SSL_get0_peer_certificate(s->tls->ssl)) == NULL)
		return "no certificate of the client";
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return "the certificate has expired";
	if (tls_cert_name(cert, name))
		s->tls->cert = xstrdup(name);
	return NULL;
}

static void
done(struct session *s)
{
	struct session_tls *t = s->tls;
	const char *why;

	t->version = SSL_get_version(t->ssl);
	t->cipher = SSL_get_current_cipher(t->ssl);
	if ((why = learn_cert(s)) != NULL) {
		failed(s, why);
		return;
	}
	log_event(s->id, "tls",
	    "result=ok version=%s cipher=%s resumed=%d sni=%s cert=%s",
	    t->version, SSL_CIPHER_get_name(t->cipher),
	    SSL_session_reused(t->ssl), q(asked_name(s)),
	    q(t->cert == NULL ? "" : t->cert));
	s->facts.flags |= FACT_TLS;
	if (t->first)
		session_enter(s, ST_STEP);
	else
		session_forget(s);
}

static void
on_handshake(struct io *io, enum io_event e, void *arg)
{
	struct session *s = arg;
	bool first = s->tls->first;

	switch (e) {
	case IO_INPUT:
	case IO_LOW: /* the reply to STARTTLS */
		return;
	case IO_READY:
		io->fn = s->tls->fn;
		/* Else its last words were said meanwhile. */
		if (s->state == ST_HANDSHAKE)
			done(s);
		break;
	case IO_EOF:
		failed(s, "connection closed");
		break;
	case IO_TIMEOUT:
		failed(s, "timeout");
		break;
	case IO_ERROR:
		failed(s, trouble(s));
		break;
	}
	if (first && !session_gone(s))
		session_go_on(s);
	else
		session_run(s);
}

/* ---- the beginning ---- */

/*
 * From the loop: the reply to STARTTLS is on its way, and the handler of the
 * command has returned.  What came behind the command is dropped here, unread
 * (RFC 3207 4.2; io_tls.h).
 */
static void
on_begin(void *arg)
{
	struct session *s = arg;
	struct session_tls *t = s->tls;
	const char *why;

	if (session_gone(s))
		return;
	/* It is being started again: soon. */
	if (!session_certs_can_sign(certs(s)) && loop_msec() < t->keys) {
		timer_set(s->io.loop, &s->pause, AGAIN_MS, on_begin, s);
		return;
	}
	if ((t->ssl = session_certs_ssl(certs(s), row(s))) == NULL) {
		failed(s, "out of memory");
		session_run(s);
		return;
	}
	t->fn = s->io.fn;
	s->io.fn = on_handshake;
	if ((why = io_tls_start(&s->io, t->ssl, t->first)) != NULL) {
		t->ssl = NULL;
		failed(s, why);
		session_run(s);
	}
}

static void
begin(struct session *s, bool first)
{
	msec ms = (msec)session_conf(s)->smtp_timeout * 1000;

	session_tls_free(s);
	s->tls = xcalloc(1, sizeof(*s->tls));
	s->tls->first = first;
	s->tls->keys = loop_msec() + KEYS_MS;
	session_enter(s, ST_HANDSHAKE);
	io_deadline(&s->io, ms < HANDSHAKE_MS ? ms : HANDSHAKE_MS);
	timer_set(s->io.loop, &s->pause, 0, on_begin, s);
}

/* ---- public ---- */

bool
session_tls_offered(const struct session *s)
{
	return certs(s) != NULL && (s->facts.flags & FACT_TLS) == 0 &&
	    (s->listen->tls == LISTEN_TLS ||
		s->listen->tls == LISTEN_TLS_REQUIRE);
}

bool
session_tls_missing(const struct session *s)
{
	return s->listen->tls == LISTEN_TLS_REQUIRE &&
	    (s->facts.flags & FACT_TLS) == 0;
}

enum step
step_tls(struct session *s)
{
	if (s->listen->tls != LISTEN_SMTPS || certs(s) == NULL)
		return STEP_ON;
	begin(s, true);
	return STEP_WAIT;
}

void
session_tls_command(struct session *s)
{
	/* RFC 3207 4: 454, and the client may try another time, or without. */
	if (session_certs_silent(certs(s))) {
		session_reply(s, REPLY_TLS_LATER, NULL);
		return;
	}
	session_reply(s, REPLY_TLS_READY, NULL);
	if (!session_gone(s))
		begin(s, false);
}

void
session_tls_print(const struct session *s, char out[TLS_TEXT_MAX + 1])
{
	const struct session_tls *t = s->tls;

	out[0] = '\0';
	if (t == NULL || t->cipher == NULL)
		return;
	snprintf(out, TLS_TEXT_MAX + 1, "%s cipher %s (%d bits)", t->version,
	    SSL_CIPHER_get_name(t->cipher),
	    SSL_CIPHER_get_bits(t->cipher, NULL));
}

const char *
session_tls_cert(const struct session *s)
{
	/* Whom the authorities of all the world know is no user of ours, and
	 * a proxy's is not of those for whom it speaks. */
	if (s->tls == NULL || s->listen->ca == CONF_NONE || s->lent)
		return NULL;
	return s->tls->cert;
}

/* RFC 9266: of TLS 1.3.  In TLS 1.2 clients differ in what an empty context is
 * (RFC 5705 4), and the extended master secret must be there too. */
size_t
session_tls_exporter(const struct session *s, uint8_t out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	SSL *ssl = io_tls(&s->io);

	if (ssl == NULL || SSL_version(ssl) < TLS1_3_VERSION ||
	    SSL_export_keying_material(ssl, out, 32, label, sizeof(label) - 1,
		NULL, 0, 0) != 1)
		return 0;
	return 32;
}

/* RFC 5929 4.1: the hash of our certificate, by the hash of its signature but
 * for old ones; where the signature has none, there is no such binding. */
size_t
session_tls_end_point(const struct session *s, uint8_t out[64])
{
	SSL *ssl = io_tls(&s->io);
	unsigned int len = 0;
	int digest = NID_undef;
	X509 *cert;

	if (ssl == NULL || (cert = SSL_get_certificate(ssl)) == NULL)
		return 0;
	/* Which one it was the first time, a ticket does not say. */
	if (SSL_session_reused(ssl) && !session_certs_one(certs(s), row(s)))
		return 0;
	if (X509_get_signature_info(cert, &digest, NULL, NULL, NULL) != 1 ||
	    digest == NID_undef)
		return 0;
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	if (X509_digest(cert, EVP_get_digestbynid(digest), out, &len) != 1)
		return 0;
	return len;
}

void
session_tls_free(struct session *s)
{
	if (s->tls == NULL)
		return;
	free(s->tls->cert);
	free(s->tls);
	s->tls = NULL;
}
