/*
 * deliver/tls*.c with files of the configuration: certificates of ours that a
 * server is shown, whose private keys are elsewhere, and authorities by name.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls_bench.h"

enum { ROWS = 6 };

/* ---- who signs ---- */

struct signer {
	const struct cert *cert[ROWS]; /* by row of conf.pki */
	unsigned int asked;
	uint32_t row, scheme, len; /* of the last question */
	bool away;
};

/* Columns, by scheme: digest, RSA-PSS. */
static const struct {
	const char *digest;
	bool pss;
} forms[TLS_SIGNS] = {
	[TLS_SIGN_RSA_PKCS1_SHA256] = { "SHA256", false },
	[TLS_SIGN_RSA_PKCS1_SHA384] = { "SHA384", false },
	[TLS_SIGN_RSA_PKCS1_SHA512] = { "SHA512", false },
	[TLS_SIGN_RSA_PSS_SHA256] = { "SHA256", true },
	[TLS_SIGN_RSA_PSS_SHA384] = { "SHA384", true },
	[TLS_SIGN_RSA_PSS_SHA512] = { "SHA512", true },
	[TLS_SIGN_ECDSA_SHA256] = { "SHA256", false },
	[TLS_SIGN_ECDSA_SHA384] = { "SHA384", false },
	[TLS_SIGN_ECDSA_SHA512] = { "SHA512", false },
};

static bool
sign_message(EVP_PKEY *key, const struct tls_sign *ask, uint8_t *sig,
    size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, sig, len, ask->data, ask->len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static bool
sign_digest(EVP_PKEY *key, const struct tls_sign *ask, uint8_t *sig,
    size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool good;

	good = EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx,
		EVP_get_digestbyname(forms[ask->scheme].digest)) == 1 &&
	    (!forms[ask->scheme].pss ||
		(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) ==
			1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
			RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	    EVP_PKEY_sign(ctx, sig, len, ask->data, ask->len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static bool
on_sign(void *arg, const struct tls_sign *ask, struct tls_signed *is)
{
	struct signer *s = arg;
	size_t len = sizeof is->sig;
	bool good;

	s->asked++;
	s->row = ask->pki;
	s->scheme = ask->scheme;
	s->len = ask->len;
	if (s->away)
		return false;
	good = ask->scheme == TLS_SIGN_ED25519 ?
	    sign_message(s->cert[ask->pki]->key, ask, is->sig, &len) :
	    sign_digest(s->cert[ask->pki]->key, ask, is->sig, &len);
	is->len = (uint32_t)len;
	is->outcome.verdict = good ? DONE : LATER;
	return good;
}

/* ---- the configuration ---- */

/* Columns: name of the pki, kind of its key. */
static const struct {
	const char *name, *kind;
} pkis[ROWS] = {
	{ "rsa.test", "RSA:2048" },
	{ "ec.test", "EC:P-256" },
	{ "ec3.test", "EC:P-384" },
	{ "ed.test", "ED25519" },
	{ "both.test", "ED25519" },
	{ "Both.test", "RSA:2048" },
};

static struct conf *
make_conf(void)
{
	struct conf *c = image_new();
	struct conf_pki row[ROWS];
	struct conf_ca ca[3];
	size_t i;

	memset(row, 0, sizeof row);
	memset(ca, 0, sizeof ca);
	for (i = 0; i < ROWS; i++)
		row[i].name = image_text(c, pkis[i].name);
	ca[0].name = image_text(c, "house");
	ca[1].name = image_text(c, "world");
	ca[2].name = image_text(c, "none");
	image_rows(c, &c->pki, row, ROWS, sizeof row[0]);
	image_rows(c, &c->ca, ca, 3, sizeof ca[0]);
	return c;
}

static struct tls *
make_tls(const struct conf *c, struct signer *s, struct cert cert[ROWS])
{
	const char *why = NULL;
	struct tls *t = tls_new(c, &why);
	uint32_t i;
	int fd;

	if (t == NULL)
		abort();
	t->signer = (struct tls_signer){ on_sign, s };
	for (i = 0; i < ROWS; i++) {
		s->cert[i] = &cert[i];
		fd = cert_pem(&cert[i].x509, 1, NULL);
		if (tls_cert(t, i, fd) != NULL)
			abort();
		close(fd);
	}
	return t;
}

/* ---- which certificate is shown ---- */

/* clang-format off */
/* Columns: row, versions of TLS, what the server sees: common name, kind of
 * key; its row; whether it is a message that is signed. */
static const struct {
	uint32_t row;
	int max;
	const char *name, *kind;
	uint32_t signs;
	bool message;
} shown[] = {
	{ 0, 0, "rsa.test", "RSA", 0, false },
	{ 1, 0, "ec.test", "EC", 1, false },
	{ 2, 0, "ec3.test", "EC", 2, false },
	{ 3, 0, "ed.test", "ED25519", 3, true },
	{ 0, TLS1_2_VERSION, "rsa.test", "RSA", 0, false },
	{ 1, TLS1_2_VERSION, "ec.test", "EC", 1, false },
	{ 2, TLS1_2_VERSION, "ec3.test", "EC", 2, false },
	/* What is signed would be the whole handshake. */
	{ 3, TLS1_2_VERSION, "", "", CONF_NONE, false },
	{ 5, TLS1_2_VERSION, "Both.test", "RSA", 5, false },
	{ CONF_NONE, 0, "", "", CONF_NONE, false },
	{ CONF_NONE, TLS1_2_VERSION, "", "", CONF_NONE, false },
};
/* clang-format on */

static void
test_shown(struct tls *t, struct signer *s, const struct cert *server_cert)
{
	struct server server = { .cert = server_cert, .wants_cert = true };
	struct tls_want want;
	struct seen seen;
	char name[60];
	bool good;
	size_t i;

	for (i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		server.max = shown[i].max;
		server_start(&server);
		want = want_of(TLS_LEVEL_MAY);
		want.pki = shown[i].row;
		s->asked = 0;
		/* Another port each time: no session is taken up. */
		shake(t, &server, "mx.test", (uint16_t)(1000 + i), &want,
		    &seen);
		good = seen.ready && seen.server_done &&
		    strcmp(seen.cert, shown[i].name) == 0 &&
		    strcmp(seen.kind, shown[i].kind) == 0;
		if (shown[i].signs == CONF_NONE)
			good = good && s->asked == 0;
		else
			good = good && s->asked == 1 &&
			    s->row == shown[i].signs &&
			    (s->scheme == TLS_SIGN_ED25519) == shown[i].message;
		snprintf(name, sizeof name, "certificate: shown, row %zu", i);
		CHECK(name, good);
		if (!good)
			printf("# %s %s %u %s\n", seen.cert, seen.kind,
			    s->asked, seen.why);
		SSL_CTX_free(server.ctx);
	}
	/* Of a name with keys of two kinds either will do. */
	server.max = 0;
	server_start(&server);
	want = want_of(TLS_LEVEL_MAY);
	want.pki = 4;
	shake(t, &server, "mx.test", 999, &want, &seen);
	CHECK("certificate: one of two",
	    seen.ready && strcasecmp(seen.cert, "both.test") == 0);
	server.wants_cert = false;
	SSL_CTX_free(server.ctx);
	server_start(&server);
	s->asked = 0;
	shake(t, &server, "mx.test", 998, &want, &seen);
	CHECK("certificate: to nobody who does not ask",
	    seen.ready && seen.cert[0] == '\0' && s->asked == 0);
	SSL_CTX_free(server.ctx);
}

/* It is shown to nobody who is not who he should be. */
static void
test_not_shown(struct tls *t, struct signer *s, const struct cert *server_cert)
{
	struct server server = { .cert = server_cert, .wants_cert = true };
	struct tls_want want = want_of(TLS_LEVEL_VERIFY);
	struct seen seen;

	server_start(&server);
	want.pki = 1;
	s->asked = 0;
	shake(t, &server, "other.test", 25, &want, &seen);
	CHECK("certificate: not to somebody else",
	    seen.failed && s->asked == 0);
	SSL_CTX_free(server.ctx);
}

static void
test_unsigned(struct tls *t, struct signer *s, const struct cert *server_cert)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct server server = { .cert = server_cert, .wants_cert = true };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	struct seen seen;
	size_t i;

	want.pki = 0;
	for (i = 0; i < 2; i++) {
		server.max = versions[i];
		server_start(&server);
		s->away = true;
		shake(t, &server, "mx.test", 25, &want, &seen);
		CHECK("certificate: nobody signs",
		    seen.failed && !seen.ready &&
			strstr(seen.why, "the handshake failed: ") == seen.why);
		CHECK("certificate: OpenSSL has forgotten it", !seen.leaks);
		s->away = false;
		shake(t, &server, "mx.test", 25, &want, &seen);
		CHECK("certificate: somebody does",
		    seen.ready && strcmp(seen.cert, "rsa.test") == 0);
		SSL_CTX_free(server.ctx);
	}
}

/* Without a channel to keys, of which deliver/tls.c itself is to speak. */
static void
test_no_keys(const struct conf *c, struct cert cert[ROWS],
    const struct cert *server_cert)
{
	struct server server = { .cert = server_cert, .wants_cert = true };
	struct tls_want want = want_of(TLS_LEVEL_MAY);
	struct tls_signer own;
	struct signer s = { .asked = 0 };
	const char *why = NULL;
	struct tls *t = tls_new(c, &why);
	struct seen seen;

	own = t->signer;
	tls_free(&t);
	t = make_tls(c, &s, cert);
	own.arg = t;
	t->signer = own;
	want.pki = 0;
	server_start(&server);
	shake(t, &server, "mx.test", 25, &want, &seen);
	CHECK("certificate: keys is away",
	    seen.failed &&
		strstr(seen.why, "our certificate: the keys process is away") !=
		    NULL);
	SSL_CTX_free(server.ctx);
	tls_free(&t);
}

/* ---- authorities by name ---- */

static void
test_authorities(struct tls *t, const struct cert *house,
    const struct cert *world)
{
	struct cert between = cert_between("between", world);
	struct cert by_house =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, house);
	struct cert by_world =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, world);
	struct cert by_between =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &between);
	/* Columns: certificate, row of conf.ca, whether it verifies. */
	const struct {
		const struct cert *cert;
		uint32_t ca;
		bool good;
	} rows[] = {
		{ &by_house, 0, true },
		{ &by_world, 0, false },
		/* The system's are not asked where one is named. */
		{ &by_world, CONF_NONE, true },
		{ &by_house, CONF_NONE, false },
		/* One that stands between is as good as a root. */
		{ &by_between, 1, true },
		{ &by_world, 1, false },
		{ &by_between, 0, false },
	};
	struct server server = { 0 };
	struct tls_want want;
	struct seen seen;
	char name[60];
	size_t i;
	int fd;

	fd = cert_pem(&house->x509, 1, NULL);
	CHECK("ca: taken", tls_ca(t, 0, fd) == NULL);
	close(fd);
	fd = cert_pem(&between.x509, 1, NULL);
	CHECK("ca: one that is no root", tls_ca(t, 1, fd) == NULL);
	close(fd);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		server.cert = rows[i].cert;
		server_start(&server);
		want = want_of(TLS_LEVEL_VERIFY);
		want.ca = rows[i].ca;
		shake(t, &server, "mx.test", (uint16_t)(2000 + i), &want,
		    &seen);
		snprintf(name, sizeof name, "ca: row %zu", i);
		CHECK(name,
		    seen.verified == rows[i].good &&
			seen.failed == !rows[i].good);
		SSL_CTX_free(server.ctx);
	}
	want.ca = 2;
	server_start(&server);
	shake(t, &server, "mx.test", 25, &want, &seen);
	CHECK("ca: was not handed in",
	    seen.not_started != NULL &&
		strstr(seen.not_started, "not handed in") != NULL);
	SSL_CTX_free(server.ctx);
	cert_free(&between);
	cert_free(&by_house);
	cert_free(&by_world);
	cert_free(&by_between);
}

/* ---- what was handed in ---- */

static void
test_files(const struct conf *c)
{
	const char *why = NULL;
	struct tls *t = tls_new(c, &why);
	int fd = cert_file("no certificate", 14);

	why = tls_cert(t, 0, fd);
	CHECK("files: no certificate",
	    why != NULL && strstr(why, "no certificate") != NULL);
	why = tls_ca(t, 0, fd);
	CHECK("files: no authority",
	    why != NULL && strstr(why, "no certificate") != NULL);
	CHECK("files: rows that are not there",
	    tls_cert(t, ROWS, fd) == NULL && tls_ca(t, 3, fd) == NULL);
	close(fd);
	tls_free(&t);
}

/* clang-format off */
/* Columns: names of pki and ca, ciphers, protocols of an action; the line of
 * what is wrong, a word of why; NULL: nothing. */
static const struct {
	const char *pki, *ca, *ciphers, *protocols;
	uint32_t line;
	const char *why;
} ready[] = {
	{ "", "", "", "", 0, NULL },
	{ "rsa.test", "", "", "", 0, NULL },
	{ "both.test", "", "", "tlsv1.3", 0, NULL },
	{ "", "house", "", "", 7, "not handed in" },
	{ "", "", "ROT13", "", 7, "ciphers" },
	/* What has no row is for the job that uses it. */
	{ "nobody.test", "", "", "", 0, NULL },
	{ "", "nowhere", "", "", 0, NULL },
};
/* clang-format on */

static void
test_ready(struct cert cert[ROWS])
{
	const struct conf_at *at;
	struct conf_action a;
	struct signer s = { .asked = 0 };
	const char *why;
	struct tls *t;
	struct conf *c;
	char name[60];
	size_t i;

	for (i = 0; i < sizeof ready / sizeof ready[0]; i++) {
		c = make_conf();
		a = (struct conf_action){ .method = METHOD_RELAY,
			.pki = image_text(c, ready[i].pki),
			.ca = image_text(c, ready[i].ca),
			.ciphers = image_text(c, ready[i].ciphers),
			.protocols = image_text(c, ready[i].protocols),
			.at.line = 7 };
		image_rows(c, &c->action, &a, 1, sizeof a);
		t = make_tls(c, &s, cert);
		why = tls_ready(t, &at);
		snprintf(name, sizeof name, "ready: row %zu", i);
		CHECK(name,
		    ready[i].why == NULL ?
			why == NULL :
			why != NULL && strstr(why, ready[i].why) != NULL &&
			    at->line == ready[i].line);
		tls_free(&t);
		free(c);
	}
}

/* Certificates that were not handed in. */
static void
test_not_ready(void)
{
	struct conf *c = make_conf();
	struct conf_action a = { .method = METHOD_RELAY,
		.pki = image_text(c, "ec.test") };
	const struct conf_at *at;
	const char *why = NULL;
	struct tls *t;

	image_rows(c, &c->action, &a, 1, sizeof a);
	t = tls_new(c, &why);
	why = tls_ready(t, &at);
	CHECK("ready: no certificate",
	    why != NULL && strstr(why, "not handed in") != NULL);
	tls_free(&t);
	free(c);
}

int
main(void)
{
	struct cert world = cert_new("EC:P-256", "world", NULL, LONG, NULL);
	struct cert house = cert_new("EC:P-256", "house", NULL, LONG, NULL);
	struct cert server_cert =
	    cert_new("EC:P-256", NULL, "DNS:mx.test", LONG, &world);
	struct cert cert[ROWS];
	struct signer s = { .asked = 0 };
	struct conf *c = make_conf();
	char path[] = "/tmp/unit-tls-XXXXXX";
	struct tls *t;
	FILE *file;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	if ((file = fdopen(mkstemp(path), "w")) == NULL)
		abort();
	PEM_write_X509(file, world.x509);
	fclose(file);
	setenv(X509_get_default_cert_file_env(), path, 1);
	the_loop = loop_new();
	for (i = 0; i < ROWS; i++)
		cert[i] =
		    cert_new(pkis[i].kind, pkis[i].name, NULL, LONG, NULL);
	t = make_tls(c, &s, cert);
	test_shown(t, &s, &server_cert);
	test_not_shown(t, &s, &server_cert);
	test_unsigned(t, &s, &server_cert);
	test_authorities(t, &house, &world);
	tls_free(&t);
	test_no_keys(c, cert, &server_cert);
	test_files(c);
	test_ready(cert);
	test_not_ready();
	for (i = 0; i < ROWS; i++)
		cert_free(&cert[i]);
	cert_free(&server_cert);
	cert_free(&house);
	cert_free(&world);
	loop_free(&the_loop);
	unlink(path);
	free(c);
	return unit_end();
}
