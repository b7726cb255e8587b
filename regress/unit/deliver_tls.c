/*
 * deliver/tls*.c: which certificates are good, for whom, and what is said of
 * others; sessions that are taken up again and those that must not be.
 *
 * SPDX-License-Identifier: ISC
 */
#include <malloc.h>
#include <time.h>

#include "tls_bench.h"

static struct cert root, other_root;

/* ---- certificates ---- */

/* How a server's certificate comes to be. */
enum made {
	GOOD,
	SELF_SIGNED,
	EXPIRED,
	NOT_YET,
	BROKEN_CHAIN, /* the one between is not shown */
	WHOLE_CHAIN,  /* it is */
	STRANGER,     /* by an authority that is not known */
	WEAK,         /* RSA of 1024 bits */
	FOR_CLIENTS   /* by its extended key usage */
};

/* clang-format off */
/* Columns: name of the case, how it is made, common name, alternative names,
 * host, whether it verifies, a word of why not, another word of that. */
static const struct judged {
	const char *name;
	enum made made;
	const char *cn, *alt, *host;
	bool good;
	const char *why, *more;
} judged[] = {
	{ "good", GOOD, NULL, "DNS:mx.test", "mx.test", true, NULL, NULL },
	{ "upper case", GOOD, NULL, "DNS:MX.Test", "mx.TEST", true, NULL, NULL },
	{ "a dot behind", GOOD, NULL, "DNS:mx.test", "mx.test.", true, NULL, NULL },
	{ "one of several", GOOD, NULL, "DNS:a.test,DNS:mx.test", "mx.test", true, NULL, NULL },
	{ "whole chain", WHOLE_CHAIN, NULL, "DNS:mx.test", "mx.test", true, NULL, NULL },
	{ "common name alone", GOOD, "mx.test", NULL, "mx.test", true, NULL, NULL },
	{ "expired", EXPIRED, NULL, "DNS:mx.test", "mx.test", false, "expired at depth 0", "names found: mx.test" },
	{ "not yet", NOT_YET, NULL, "DNS:mx.test", "mx.test", false, "not yet valid at depth 0", "names found: mx.test" },
	{ "self-signed", SELF_SIGNED, NULL, "DNS:mx.test", "mx.test", false, "self-signed certificate at depth 0", "name wanted: mx.test" },
	{ "broken chain", BROKEN_CHAIN, NULL, "DNS:mx.test", "mx.test", false, "unable to get local issuer certificate at depth 0", "" },
	{ "unknown authority", STRANGER, NULL, "DNS:mx.test", "mx.test", false, "issuer certificate at depth 0", "" },
	{ "weak key", WEAK, NULL, "DNS:mx.test", "mx.test", false, "key too weak", "" },
	{ "for clients", FOR_CLIENTS, NULL, "DNS:mx.test", "mx.test", false, "purpose", "" },
	{ "other name", GOOD, NULL, "DNS:a.test,DNS:b.test", "mx.test", false, "hostname mismatch at depth 0", "name wanted: mx.test; names found: a.test, b.test" },
	{ "no name", GOOD, NULL, NULL, "mx.test", false, "hostname mismatch", "names found: none" },
	{ "common name beside others", GOOD, "mx.test", "DNS:a.test", "mx.test", false, "hostname mismatch", "names found: a.test" },
	{ "part of a name", GOOD, NULL, "DNS:amx.test", "mx.test", false, "hostname mismatch", "" },
	{ "name below", GOOD, NULL, "DNS:test", "mx.test", false, "hostname mismatch", "" },
	{ "wildcard", GOOD, NULL, "DNS:*.x.test", "mx.x.test", true, NULL, NULL },
	{ "wildcard, one label", GOOD, NULL, "DNS:*.x.test", "a.mx.x.test", false, "hostname mismatch", "names found: *.x.test" },
	{ "wildcard, not itself", GOOD, NULL, "DNS:*.x.test", "x.test", false, "hostname mismatch", "" },
	{ "wildcard, a part", GOOD, NULL, "DNS:m*.x.test", "mx.x.test", false, "hostname mismatch", "" },
	{ "wildcard, in the middle", GOOD, NULL, "DNS:a.*.test", "a.x.test", false, "hostname mismatch", "" },
	{ "address", GOOD, NULL, "IP:192.0.2.1", "192.0.2.1", true, NULL, NULL },
	{ "address, IPv6", GOOD, NULL, "IP:2001:db8::1", "2001:db8::1", true, NULL, NULL },
	{ "other address", GOOD, NULL, "IP:192.0.2.2", "192.0.2.1", false, "IP address mismatch", "names found: 192.0.2.2" },
	{ "address as a name", GOOD, NULL, "DNS:192.0.2.1", "192.0.2.1", false, "IP address mismatch", "" },
	{ "name for an address", GOOD, NULL, "DNS:mx.test", "192.0.2.1", false, "IP address mismatch", "names found: mx.test" },
	{ "IDN", GOOD, NULL, "DNS:mx.xn--bcher-kva.test", "mx.b\xc3\xbc" "cher.test", true, NULL, NULL },
	{ "no host at all", GOOD, NULL, "DNS:mx.test", "", false, "hostname mismatch", "" },
};
/* clang-format on */

static struct cert
make(const struct judged *row, const struct cert *between)
{
	const struct cert *by = &root;
	struct cert c;

	if (row->made == STRANGER)
		by = &other_root;
	if (row->made == BROKEN_CHAIN || row->made == WHOLE_CHAIN)
		by = between;
	if (row->made == SELF_SIGNED)
		by = NULL;
	c = cert_new(row->made == WEAK ? "RSA:1024" : "EC:P-256", row->cn,
	    row->alt, row->made == EXPIRED ? -1 : LONG, by);
	if (row->made == NOT_YET)
		X509_gmtime_adj(X509_getm_notBefore(c.x509), 86400);
	if (row->made == FOR_CLIENTS)
		cert_add(c.x509, NID_ext_key_usage, "clientAuth");
	sign_again(&c, by);
	return c;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* Whoever need not be known is talked to all the same, and what was found is
 * told; with VERIFY there is no handshake. */
static void
judge(struct tls *t, const struct judged *row, const struct cert *between)
{
	static const enum conf_tls_level levels[] = { TLS_LEVEL_MAY,
		TLS_LEVEL_REQUIRE, TLS_LEVEL_VERIFY };
	struct cert c = make(row, between);
	struct server s = { .cert = &c,
		.more = row->made == WHOLE_CHAIN ? between : NULL };
	struct tls_want want;
	struct seen seen;
	char name[120];
	bool good, ready;
	size_t i;

	server_start(&s);
	for (i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		want = want_of(levels[i]);
		shake(t, &s, row->host, 25, &want, &seen);
		ready = row->good || levels[i] != TLS_LEVEL_VERIFY;
		good = seen.not_started == NULL && seen.ready == ready &&
		    seen.failed == !ready && seen.verified == row->good;
		if (ready)
			good = good &&
			    strncmp(seen.text, "TLSv1.3:TLS_", 12) == 0 &&
			    ends_with(seen.text,
				row->good ? ":verified" : ":unverified");
		else
			good = good && seen.text[0] == '\0' &&
			    strstr(seen.why, row->why) != NULL &&
			    strstr(seen.why, row->more) != NULL &&
			    strstr(seen.why, "policy: verify by the default") !=
				NULL;
		snprintf(name, sizeof name, "tls: %s, %s", row->name,
		    policy_level(&want));
		CHECK(name, good);
		if (!good)
			printf("# %s|%s|%s\n", seen.text, seen.why,
			    seen.not_started == NULL ? "" : seen.not_started);
		CHECK("tls: OpenSSL has forgotten it", !seen.leaks);
	}
	SSL_CTX_free(s.ctx);
	cert_free(&c);
}

static void
test_judged(struct tls *t)
{
	struct cert between = cert_between("between", &root);
	size_t i;

	for (i = 0; i < sizeof judged / sizeof judged[0]; i++)
		judge(t, &judged[i], &between);
	cert_free(&between);
}

/* What a certificate says of itself goes no farther than the log has room. */
static void
test_names_found(struct tls *t)
{
	struct tls_want want = want_of(TLS_LEVEL_VERIFY);
	struct cert c =
	    cert_new("EC:P-256", "a\nb\x1b[2J \"c\"", NULL, LONG, &root);
	struct server s = { .cert = &c };
	char alt[2000] = "DNS:n0.test";
	struct seen seen;
	size_t n, i;

	server_start(&s);
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("tls: a name of control characters",
	    ends_with(seen.why, "names found: a?b?[2J?\"c\""));
	SSL_CTX_free(s.ctx);
	cert_free(&c);
	for (i = 1; i < 100; i++) {
		n = strlen(alt);
		snprintf(alt + n, sizeof alt - n, ",DNS:n%zu.test", i);
	}
	c = cert_new("EC:P-256", NULL, alt, LONG, &root);
	server_start(&s);
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("tls: a hundred names",
	    strstr(seen.why, "names found: n0.test, n1.test, ") != NULL &&
		strlen(seen.why) < 400);
	SSL_CTX_free(s.ctx);
	cert_free(&c);
}

/* ---- names of a rule ---- */

/* clang-format off */
/* Columns: names wanted, the one that the certificate has, whether it fits. */
static const struct {
	const char *wanted[3], *alt;
	bool good;
} names[] = {
	{ { "a.test", NULL }, "DNS:a.test", true },
	{ { "a.test", NULL }, "DNS:mx.test", false }, /* the host's own is not meant */
	{ { "a.test", "b.test", NULL }, "DNS:b.test", true },
	{ { "a.test", "b.test", NULL }, "DNS:c.test", false },
	{ { "*.a.test", NULL }, "DNS:x.a.test", true },
	{ { "*.a.test", NULL }, "DNS:*.a.test", true },
	{ { "*.a.test", NULL }, "DNS:a.test", false },
	{ { "*.a.test", NULL }, "DNS:x.y.a.test", false },
	{ { "*.a.test", NULL }, "DNS:xa.test", false },
	{ { "*.a.test", NULL }, "DNS:x.b.test", false },
	{ { "b.test", "*.a.test", NULL }, "DNS:mx.a.test", true },
	{ { "B\xc3\xbc" "cher.test", NULL }, "DNS:xn--bcher-kva.test", true },
	{ { "*.b\xc3\xbc" "cher.test", NULL }, "DNS:x.xn--bcher-kva.test", true },
	{ { "a..test", NULL }, "DNS:a.test", false },
};
/* clang-format on */

static void
test_names_wanted(void)
{
	struct conf_entry entry[3];
	const char *why = NULL;
	struct tls_want want;
	struct server s = { 0 };
	struct seen seen;
	struct conf *c;
	struct cert cert;
	struct tls *t;
	size_t i, n;
	char name[60];

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		c = image_new();
		want = want_of(TLS_LEVEL_VERIFY);
		for (n = 0; names[i].wanted[n] != NULL; n++)
			entry[n].key = image_text(c, names[i].wanted[n]);
		image_rows(c, &want.name, entry, (uint32_t)n, sizeof entry[0]);
		t = tls_new(c, &why);
		cert = cert_new("EC:P-256", NULL, names[i].alt, LONG, &root);
		s.cert = &cert;
		server_start(&s);
		shake(t, &s, "mx.test", 25, &want, &seen);
		snprintf(name, sizeof name, "tls: names of a rule, row %zu", i);
		CHECK(name,
		    seen.verified == names[i].good &&
			seen.failed == !names[i].good);
		CHECK("tls: the names wanted are told",
		    names[i].good || names[i].wanted[1] == NULL ||
			strstr(seen.why, "name wanted: a.test or b.test;") !=
			    NULL);
		SSL_CTX_free(s.ctx);
		cert_free(&cert);
		tls_free(&t);
		free(c);
	}
}

/* Where the system knows no authorities nobody is verified, and that is
 * said. */
static void
test_no_authorities(void)
{
	struct tls_want want = want_of(TLS_LEVEL_VERIFY);
	struct cert c = cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server s = { .cert = &c };
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct seen seen;

	X509_STORE_free(t->system);
	t->system = NULL;
	free(t->system_pem);
	t->system_pem = NULL;
	server_start(&s);
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("tls: no authorities",
	    seen.failed && !seen.verified &&
		strstr(seen.why, ", and this system has no authorities;") !=
		    NULL);
	SSL_CTX_free(s.ctx);
	tls_free(&t);

	t = tls_new(NULL, &why);
	memset(strstr(t->system_pem, "-----\n") + 6, 'A', 64);
	server_start(&s);
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("tls: damaged authorities", seen.failed && !seen.verified);
	CHECK("tls: which are read once", t->system_pem == NULL);
	SSL_CTX_free(s.ctx);
	tls_free(&t);
	cert_free(&c);
}

/* ---- SNI ---- */

static void
test_sni(struct tls *t)
{
	/* Columns: host, what the server is asked for. */
	static const char *const rows[][2] = {
		{ "mx.test", "mx.test" },
		{ "MX.Test.", "mx.test" },
		{ "mx.b\xc3\xbc"
		  "cher.test",
		    "mx.xn--bcher-kva.test" },
		{ "192.0.2.1", "" },
		{ "2001:db8::1", "" },
		{ "", "" },
	};
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	struct server s = { .cert = &root };
	struct seen seen;
	size_t i;

	server_start(&s);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		shake(t, &s, rows[i][0], 26, &want, &seen);
		CHECK("tls: SNI",
		    seen.ready && strcmp(seen.sni, rows[i][1]) == 0);
		CHECK("tls: both ends export the same",
		    seen.exports &&
			memcmp(seen.exporter[0], seen.exporter[1], 32) == 0);
	}
	SSL_CTX_free(s.ctx);
}

/* ---- sessions ---- */

/* Two connections, of which the second is resumed or is not. */
static bool
resumes(struct tls *t, const struct server *s, const char *host, uint16_t port,
    enum conf_tls_level level, struct seen *seen)
{
	struct tls_want want = want_of(level);

	shake(t, s, host, port, &want, seen);
	return seen->ready && seen->server_done && seen->resumed;
}

static void
test_sessions(int version)
{
	struct cert good =
	    cert_new("EC:P-256", NULL, "DNS:mx.test,DNS:mx2.test", LONG, &root);
	struct cert bad = cert_new("EC:P-256", NULL, "DNS:a.test", LONG, &root);
	struct server s = { .cert = &good, .max = version };
	struct server b = { .cert = &bad, .max = version };
	struct server none = { .cert = &good,
		.max = version,
		.no_session = true };
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct seen seen;
	int i;

	server_start(&s);
	server_start(&b);
	server_start(&none);
	CHECK("sessions: the first is new",
	    !resumes(t, &s, "mx.test", 25, TLS_LEVEL_MAY, &seen) && seen.ready);
	for (i = 0; i < 3; i++)
		CHECK("sessions: taken up, and verified as before",
		    resumes(t, &s, "mx.test", 25, TLS_LEVEL_MAY, &seen) &&
			seen.verified);
	CHECK("sessions: of the same level class",
	    resumes(t, &s, "mx.test", 25, TLS_LEVEL_REQUIRE, &seen));
	CHECK("sessions: none for another port",
	    !resumes(t, &s, "mx.test", 587, TLS_LEVEL_MAY, &seen) &&
		seen.ready);
	CHECK("sessions: none for another host",
	    !resumes(t, &s, "mx2.test", 25, TLS_LEVEL_MAY, &seen) &&
		seen.ready);
	CHECK("sessions: none for who must be verified",
	    !resumes(t, &s, "mx.test", 25, TLS_LEVEL_VERIFY, &seen) &&
		seen.ready && seen.verified);
	CHECK("sessions: of who was verified",
	    resumes(t, &s, "mx.test", 25, TLS_LEVEL_VERIFY, &seen) &&
		seen.verified);
	CHECK("sessions: one with a certificate that was no good",
	    !resumes(t, &b, "other.test", 25, TLS_LEVEL_MAY, &seen) &&
		!seen.verified);
	CHECK("sessions: ... stays so",
	    resumes(t, &b, "other.test", 25, TLS_LEVEL_MAY, &seen) &&
		!seen.verified && ends_with(seen.text, ":unverified"));
	CHECK("sessions: ... and is none for who must be verified",
	    !resumes(t, &b, "other.test", 25, TLS_LEVEL_VERIFY, &seen) &&
		seen.failed);
	/* Another server behind the same name knows none of it. */
	CHECK("sessions: a server that forgot",
	    !resumes(t, &none, "mx.test", 25, TLS_LEVEL_MAY, &seen) &&
		seen.ready);
	CHECK("sessions: OpenSSL has forgotten it", !seen.leaks);
	SSL_CTX_free(s.ctx);
	SSL_CTX_free(b.ctx);
	SSL_CTX_free(none.ctx);
	tls_free(&t);
	cert_free(&good);
	cert_free(&bad);
}

static unsigned int
kept(const struct tls *t)
{
	struct tls_kept *k;
	unsigned int n = 0;

	TAILQ_FOREACH(k, &t->sessions.age, age)
		n++;
	return n == t->sessions.n ? n : UINT_MAX;
}

static void
test_sessions_kept(void)
{
	struct cert good =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server many = { .cert = &good, .tickets = 9 };
	struct server old = { .cert = &good, .max = TLS1_2_VERSION };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct tls_kept *k;
	struct seen seen;

	server_start(&many);
	server_start(&old);
	shake(t, &many, "mx.test", 25, &want, &seen);
	CHECK("sessions: tickets of one host are few", kept(t) == 4);
	shake(t, &old, "old.test", 25, &want, &seen);
	CHECK("sessions: of TLS 1.2 there is one", kept(t) == 5);
	shake(t, &old, "old.test", 25, &want, &seen);
	CHECK("sessions: ... that is used again", seen.resumed && kept(t) == 5);
	TAILQ_FOREACH(k, &t->sessions.age, age)
		SSL_SESSION_set_time(k->session, time(NULL) - 30L * 86400);
	shake(t, &old, "old.test", 25, &want, &seen);
	CHECK("sessions: not after their time",
	    seen.ready && !seen.resumed && kept(t) == 5);
	SSL_CTX_free(many.ctx);
	SSL_CTX_free(old.ctx);
	tls_free(&t);
	cert_free(&good);
}

/* RFC 8446 C.4: a ticket is shown once, also if nothing comes of it. */
static void
test_sessions_once(void)
{
	struct cert good =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server s = { .cert = &good, .tickets = 1 };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct seen seen;
	struct io io;
	int sv[2];

	server_start(&s);
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("sessions: one ticket", kept(t) == 1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1)
		abort();
	io_open(&io, the_loop, sv[0], 65536, 65536, on_io, &seen);
	CHECK("sessions: gone when it is shown",
	    tls_start(t, &io, "mx.test", 25, &want) == NULL && kept(t) == 0);
	io_close(&io);
	close(sv[1]);
	SSL_CTX_free(s.ctx);
	tls_free(&t);
	cert_free(&good);
}

/* A handshake that does not come to its end forgets what it began with. */
static void
test_sessions_dropped(void)
{
	struct cert good =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server old = { .cert = &good, .max = TLS1_2_VERSION };
	struct server new = { .cert = &good, .min = TLS1_3_VERSION };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	struct tls_want no_13 = want_of(TLS_LEVEL_MAY);
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct seen seen;

	no_13.protocols = "tlsv1.2";
	server_start(&old);
	server_start(&new);
	shake(t, &old, "mx.test", 25, &no_13, &seen);
	CHECK("sessions: one", kept(t) == 1);
	shake(t, &new, "mx.test", 25, &no_13, &seen);
	CHECK("sessions: dropped by a failure",
	    seen.failed && kept(t) == 0 &&
		strstr(seen.why, "the handshake failed: ") == seen.why);
	shake(t, &old, "mx.test", 25, &want, &seen);
	CHECK("sessions: and again one", kept(t) == 1 && !seen.resumed);
	SSL_CTX_free(old.ctx);
	SSL_CTX_free(new.ctx);
	tls_free(&t);
	cert_free(&good);
}

/* The certificate ended since: who must be verified is looked at anew. */
static void
test_sessions_ended(void)
{
	struct cert c = cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server s = { .cert = &c, .max = TLS1_2_VERSION };
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct seen seen;
	X509 *peer;

	server_start(&s);
	(void)resumes(t, &s, "mx.test", 25, TLS_LEVEL_VERIFY, &seen);
	CHECK("sessions: before its end",
	    resumes(t, &s, "mx.test", 25, TLS_LEVEL_VERIFY, &seen));
	peer = SSL_SESSION_get0_peer(TAILQ_FIRST(&t->sessions.age)->session);
	X509_gmtime_adj(X509_getm_notAfter(peer), -1);
	CHECK("sessions: after its end",
	    !resumes(t, &s, "mx.test", 25, TLS_LEVEL_VERIFY, &seen) &&
		seen.ready);
	SSL_CTX_free(s.ctx);
	tls_free(&t);
	cert_free(&c);
}

static void
test_sessions_bound(void)
{
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	const char *why = NULL;
	struct tls *t = tls_new(NULL, &why);
	struct seen seen;
	char host[40];
	struct io io;
	SSL *ssl;
	int sv[2];
	unsigned int i;

	for (i = 0; i < TLS_SESSIONS + 10; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) ==
		    -1)
			abort();
		io_open(&io, the_loop, sv[0], 65536, 65536, on_io, &seen);
		snprintf(host, sizeof host, "host%u.test", i);
		if (tls_start(t, &io, host, 25, &want) != NULL)
			abort();
		ssl = io_tls_begun(&io);
		tls_peer(ssl)->done = true;
		tls_session_keep(ssl, SSL_SESSION_new());
		io_close(&io);
		close(sv[1]);
	}
	CHECK("sessions: no more than so many", kept(t) == TLS_SESSIONS);
	CHECK("sessions: the oldest went",
	    strcmp(TAILQ_FIRST(&t->sessions.age)->host, host) == 0 &&
		strcmp(TAILQ_LAST(&t->sessions.age, tls_ages)->host,
		    "host10.test") == 0);
	tls_free(&t);
}

/* ---- versions, ciphers, strength ---- */

/* clang-format off */
/* Columns: protocols, ciphers, versions of the server, what is spoken (NULL:
 * nothing). */
static const struct {
	const char *protocols, *ciphers;
	int min, max;
	const char *text;
} spoken[] = {
	{ "", "", 0, 0, "TLSv1.3:TLS_AES_256_GCM_SHA384:" },
	{ "", "", 0, TLS1_2_VERSION, "TLSv1.2:ECDHE-ECDSA-AES256-GCM-SHA384:" },
	{ "", "", 0, TLS1_1_VERSION, NULL },
	{ "tlsv1.2", "", 0, 0, "TLSv1.2:" },
	{ "tlsv1.3", "", 0, 0, "TLSv1.3:" },
	{ "tlsv1.3", "", 0, TLS1_2_VERSION, NULL },
	{ "tlsv1.2", "", TLS1_3_VERSION, 0, NULL },
	{ "all:!tlsv1.3", "", 0, 0, "TLSv1.2:" },
	{ "", "secure", 0, 0, "TLSv1.3:" },
	{ "tlsv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", 0, 0, "TLSv1.2:ECDHE-ECDSA-CHACHA20-POLY1305:" },
	{ "", "TLS_CHACHA20_POLY1305_SHA256", 0, 0, "TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:" },
	{ "", "TLS_CHACHA20_POLY1305_SHA256", 0, TLS1_2_VERSION, "TLSv1.2:ECDHE-" },
	{ "tlsv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 0, 0, NULL }, /* its key is none of RSA */
	{ "tlsv1.2", "aNULL:eNULL:ECDHE-ECDSA-AES128-GCM-SHA256", 0, 0, "TLSv1.2:ECDHE-ECDSA-AES128-GCM-SHA256:" },
};
/* clang-format on */

static void
test_spoken(struct tls *t)
{
	static const enum conf_tls_level levels[] = { TLS_LEVEL_MAY,
		TLS_LEVEL_VERIFY };
	struct cert good =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server s = { .cert = &good };
	struct tls_want want;
	struct seen seen;
	char name[60];
	size_t i, l;

	for (i = 0; i < sizeof spoken / sizeof spoken[0]; i++) {
		s.min = spoken[i].min;
		s.max = spoken[i].max;
		server_start(&s);
		for (l = 0; l < 2; l++) {
			want = want_of(levels[l]);
			want.protocols = spoken[i].protocols;
			want.ciphers = spoken[i].ciphers;
			shake(t, &s, "mx.test", (uint16_t)(1000 + i), &want,
			    &seen);
			snprintf(name, sizeof name, "tls: spoken, row %zu", i);
			CHECK(name,
			    spoken[i].text == NULL ?
				seen.failed && seen.text[0] == '\0' :
				strncmp(seen.text, spoken[i].text,
				    strlen(spoken[i].text)) == 0);
		}
		SSL_CTX_free(s.ctx);
	}
	cert_free(&good);
}

/* Signatures by SHA-1 are as good as none for who must know the other end, and
 * keep more eyes out than no TLS for who need not. */
static void
test_weak(struct tls *t)
{
	struct cert c = cert_new("RSA:2048", NULL, "DNS:mx.test", LONG, &root);
	struct server s = { .cert = &c,
		.max = TLS1_2_VERSION,
		.sigalgs = "RSA+SHA1" };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	struct seen seen;

	server_start(&s);
	shake(t, &s, "mx.test", 3000, &want, &seen);
	CHECK("tls: weak where it may be", seen.ready);
	want.level = TLS_LEVEL_VERIFY;
	shake(t, &s, "mx.test", 3000, &want, &seen);
	CHECK("tls: not weak where it must be good",
	    seen.failed && !seen.ready);
	SSL_CTX_free(s.ctx);
	cert_free(&c);
}

static void
test_wrong(struct tls *t)
{
	struct server s = { .cert = &root };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	struct seen seen;

	server_start(&s);
	want.ciphers = "ROT13";
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("tls: no such ciphers",
	    seen.not_started != NULL &&
		strstr(seen.not_started, "ciphers") != NULL &&
		strstr(seen.why, "TLS did not begin") == seen.why);
	want.ciphers = "";
	want.protocols = "tlsv9";
	shake(t, &s, "mx.test", 25, &want, &seen);
	CHECK("tls: no such version",
	    seen.not_started != NULL &&
		strstr(seen.not_started, "version") != NULL);
	SSL_CTX_free(s.ctx);
}

/* ---- who speaks no TLS ---- */

static void
test_no_tls(struct tls *t)
{
	static const char *const says[] = { "500 what is this\r\n", "",
		"\x15\x03\x03\x00\x02\x02\x28", "\x16\x03\x03\xff\xff\x02" };
	struct tls_want want = want_of(TLS_LEVEL_VERIFY);
	char out[OUTCOME_TEXT_MAX + 1];
	struct seen seen;
	struct io io;
	int sv[2], turns;
	size_t i;

	for (i = 0; i < 2 * (sizeof says / sizeof says[0]); i++) {
		const char *words = says[i / 2];

		memset(&seen, 0, sizeof seen);
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) ==
		    -1)
			abort();
		io_open(&io, the_loop, sv[0], 65536, 65536, on_io, &seen);
		/* Before the first flight, or after it. */
		if (i % 2 == 0 && write(sv[1], words, strlen(words)) == -1)
			abort();
		CHECK("tls: it begins",
		    tls_start(t, &io, "mx.test", 25, &want) == NULL &&
			!seen.failed);
		if (i % 2 == 1 && write(sv[1], words, strlen(words)) == -1)
			abort();
		shutdown(sv[1], SHUT_WR);
		for (turns = 0; turns < TURNS && !seen.failed; turns++)
			turn();
		CHECK("tls: who speaks none",
		    seen.failed && !seen.ready && !tls_verified(&io) &&
			strstr(tls_why(&io, out, sizeof out),
			    "the handshake failed: ") == out);
		io_close(&io);
		close(sv[1]);
	}
	io = (struct io){ .error = "" };
	CHECK("tls: of a plain connection",
	    !tls_verified(&io) && !tls_exporter(&io, (uint8_t *)out) &&
		strcmp(tls_why(&io, out, sizeof out),
		    "TLS did not begin: connection closed") == 0);
}

/* ---- memory ---- */

/* Connections of all kinds, again and again, and no more is held after them
 * than before. */
static void
test_growth(struct tls *t)
{
	struct cert good =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &root);
	struct server s = { .cert = &good };
	struct tls_want want = want_of(TLS_LEVEL_VERIFY);
	struct seen seen;
	size_t before = 0, after;
	int i;

	server_start(&s);
	for (i = 0; i < 400; i++) {
		if (i == 100)
			before = mallinfo2().uordblks;
		shake(t, &s, i % 2 == 0 ? "mx.test" : "other.test", 25, &want,
		    &seen);
	}
	after = mallinfo2().uordblks;
	SSL_CTX_free(s.ctx);
	cert_free(&good);
	CHECK("tls: nothing is left of a connection",
	    after < before + 100 * 1024);
}

int
main(void)
{
	const char *why = NULL;
	struct tls *t;
	char path[] = "/tmp/unit-tls-XXXXXX";
	FILE *file;

	signal(SIGPIPE, SIG_IGN);
	root = cert_new("EC:P-256", "root", NULL, LONG, NULL);
	other_root = cert_new("EC:P-256", "other", NULL, LONG, NULL);
	/* The system's authorities: ours alone. */
	if ((file = fdopen(mkstemp(path), "w")) == NULL)
		abort();
	PEM_write_X509(file, root.x509);
	fclose(file);
	setenv(X509_get_default_cert_file_env(), path, 1);
	the_loop = loop_new();
	t = tls_new(NULL, &why);
	CHECK("tls: is to be had", t != NULL);
	test_judged(t);
	test_names_found(t);
	test_names_wanted();
	test_no_authorities();
	test_sni(t);
	test_sessions(TLS1_2_VERSION);
	test_sessions(TLS1_3_VERSION);
	test_sessions_kept();
	test_sessions_once();
	test_sessions_dropped();
	test_sessions_ended();
	test_sessions_bound();
	test_spoken(t);
	test_weak(t);
	test_wrong(t);
	test_no_tls(t);
	test_growth(t);
	tls_free(&t);
	unlink(path);
	loop_free(&the_loop);
	cert_free(&root);
	cert_free(&other_root);
	return unit_end();
}
