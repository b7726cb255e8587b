/*
 * smtpd/keys_tls.c, keys_ticket.c, tls_chain.c: which keys and certificates
 * are taken, what is signed and what is not, and how ticket keys grow old.
 *
 * SPDX-License-Identifier: ISC
 */
#include "keys_tls.h"

#include <time.h>

#include "cert.h"
#include "conf_image.h"
#include "keys_ticket.h"
#include "tls_chain.h"
#include "unit.h"

#define NEVER_ENDS 1000

static const char *
read_key(struct tls_key *k, EVP_PKEY *key)
{
	int fd = cert_pem(NULL, 0, key);
	const char *why = tls_key_read(k, fd);

	close(fd);
	return why;
}

static const char *
read_certs(struct tls_key *k, X509 *const *certs, size_t n, EVP_PKEY *key)
{
	int fd = cert_pem(certs, n, key);
	const char *why = tls_key_certs(k, fd);

	close(fd);
	return why;
}

/* ---- kinds of keys ---- */

/* clang-format off */
/* Columns: kind, a word of why it is refused, NULL: it is taken. */
static const struct {
	const char *kind, *why;
} kinds[] = {
	{ "RSA:2048", NULL },
	{ "RSA:1024", "too weak" },
	{ "EC:P-256", NULL },
	{ "EC:P-384", NULL },
	{ "EC:P-521", NULL },
	{ "EC:P-224", "another curve" },
	{ "EC:secp256k1", "another curve" },
	{ "ED25519", NULL },
	{ "ED448", "neither" },
	{ "X25519", "neither" },
};
/* clang-format on */

static void
test_kinds(void)
{
	struct tls_key k = { 0 };
	const char *why;
	char name[80];
	EVP_PKEY *key;
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		key = cert_key(kinds[i].kind);
		why = read_key(&k, key);
		snprintf(name, sizeof name, "keys: %s", kinds[i].kind);
		CHECK(name,
		    kinds[i].why == NULL ?
			why == NULL && k.pkey != NULL :
			why != NULL && strstr(why, kinds[i].why) != NULL &&
			    k.pkey == NULL);
		EVP_PKEY_free(key);
	}
	tls_key_free(&k);
}

static void
test_files(void)
{
	struct cert c = cert_new("EC:P-256", "a", NULL, NEVER_ENDS, NULL);
	BIO *bio = BIO_new(BIO_s_mem());
	struct tls_key k = { 0 };
	char pass[] = "secret", *p;
	const char *why;
	long len;
	int fd;

	CHECK("keys: certificates are no key",
	    (fd = cert_pem(&c.x509, 1, NULL)) != -1 &&
		(why = tls_key_read(&k, fd)) != NULL &&
		strstr(why, "no private key") != NULL);
	close(fd);
	PEM_write_bio_PrivateKey(bio, c.key, EVP_aes_256_cbc(), NULL, 0, NULL,
	    pass);
	len = BIO_get_mem_data(bio, &p);
	fd = cert_file(p, (size_t)len);
	why = tls_key_read(&k, fd);
	CHECK("keys: an encrypted key",
	    why != NULL && strstr(why, "encrypted") != NULL);
	close(fd);
	fd = cert_file("", 0);
	CHECK("keys: an empty file is no key", tls_key_read(&k, fd) != NULL);
	why = tls_key_certs(&k, fd);
	CHECK("keys: and no certificate",
	    why != NULL && strstr(why, "no certificate") != NULL);
	close(fd);
	CHECK("keys: a key beside the certificate",
	    read_certs(&k, &c.x509, 1, c.key) == NULL &&
		sk_X509_num(k.chain) == 1);
	BIO_free(bio);
	tls_key_free(&k);
	cert_free(&c);
}

static void
test_chain_text(void)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
	static const char end[] = "-----END CERTIFICATE-----\n";
	/* Columns: text, a word of why not. */
	static const struct {
		const char *text[3], *why;
	} rows[] = {
		{ { "", "", "" }, "no certificate" },
		{ { "x", "y", "z" }, "no certificate" },
		{ { begin, "", "" }, "without its end" },
		{ { begin, "AAAA\n", end }, "damaged" },
		{ { begin, "", end }, "damaged" },
		{ { begin, "*!\n", end }, "damaged" },
		{ { end, begin, "" }, "without its end" },
	};
	struct cert c = cert_new("EC:P-256", "a", NULL, NEVER_ENDS, NULL);
	X509 *many[TLS_CHAIN_MAX + 1];
	struct tls_key k = { 0 };
	STACK_OF(X509) * chain;
	const char *why;
	char text[256];
	size_t i;
	int fd;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, "%s%s%s", rows[i].text[0],
		    rows[i].text[1], rows[i].text[2]);
		fd = cert_file(text, strlen(text));
		why = tls_chain_read(&chain, fd, TLS_CHAIN_MAX);
		CHECK("chain: text",
		    why != NULL && strstr(why, rows[i].why) != NULL &&
			chain == NULL);
		close(fd);
	}
	for (i = 0; i < TLS_CHAIN_MAX + 1; i++)
		many[i] = c.x509;
	CHECK("chain: as many as may be",
	    read_certs(&k, many, TLS_CHAIN_MAX, NULL) == NULL &&
		sk_X509_num(k.chain) == TLS_CHAIN_MAX);
	why = read_certs(&k, many, TLS_CHAIN_MAX + 1, NULL);
	CHECK("chain: one too many",
	    why != NULL && strstr(why, "too many") != NULL && k.chain == NULL);
	tls_key_free(&k);
	cert_free(&c);
}

/* ---- key and certificates ---- */

static void
test_belong(void)
{
	struct cert ca = cert_new("EC:P-256", "ca", NULL, NEVER_ENDS, NULL);
	struct cert a = cert_new("RSA:2048", "a", "DNS:a", NEVER_ENDS, &ca);
	struct cert b = cert_new("RSA:2048", "b", "DNS:b", NEVER_ENDS, &ca);
	struct cert old = cert_new("ED25519", "o", "DNS:o", -1, &ca);
	struct cert soon = cert_new("ED25519", "s", "DNS:s", 10, &ca);
	X509 *good[] = { a.x509, ca.x509 }, *turned[] = { ca.x509, a.x509 };
	X509 *mixed[] = { a.x509, b.x509 };
	struct tls_key k = { 0 };
	int64_t now = time(NULL);
	const char *why;

	if (read_key(&k, a.key) != NULL || read_certs(&k, good, 2, NULL))
		abort();
	CHECK("keys: they belong together", tls_key_check(&k) == NULL);
	CHECK("keys: nothing odd", tls_key_odd(&k, now) == NULL);
	CHECK("keys: not yet valid",
	    (why = tls_key_odd(&k, now - 40 * 86400)) != NULL &&
		strstr(why, "not yet") != NULL);
	(void)read_certs(&k, mixed, 2, NULL);
	CHECK("keys: a chain that is none",
	    tls_key_check(&k) == NULL && (why = tls_key_odd(&k, now)) != NULL &&
		strstr(why, "issuer") != NULL);
	(void)read_certs(&k, turned, 2, NULL);
	CHECK("keys: the wrong order",
	    (why = tls_key_check(&k)) != NULL && strstr(why, "first") != NULL);
	(void)read_certs(&k, &b.x509, 1, NULL);
	CHECK("keys: another's certificate",
	    (why = tls_key_check(&k)) != NULL &&
		strstr(why, "does not belong") != NULL);
	(void)read_certs(&k, &old.x509, 1, NULL);
	CHECK("keys: of another kind", tls_key_check(&k) != NULL);
	(void)read_key(&k, old.key);
	CHECK("keys: expired is odd, no more",
	    tls_key_check(&k) == NULL && (why = tls_key_odd(&k, now)) != NULL &&
		strstr(why, "has expired") != NULL);
	(void)read_key(&k, soon.key);
	(void)read_certs(&k, &soon.x509, 1, NULL);
	CHECK("keys: soon",
	    tls_key_check(&k) == NULL && (why = tls_key_odd(&k, now)) != NULL &&
		strstr(why, "two weeks") != NULL);
	tls_key_free(&k);
	cert_free(&a);
	cert_free(&b);
	cert_free(&old);
	cert_free(&soon);
	cert_free(&ca);
}

/* ---- what is signed ---- */

/* clang-format off */
/* Columns: scheme, key, digest, its length, RSA-PSS. */
static const struct {
	enum tls_sign_scheme scheme;
	const char *kind, *digest;
	uint32_t len;
	bool pss;
} schemes[] = {
	{ TLS_SIGN_RSA_PKCS1_SHA256, "RSA", "SHA256", 32, false },
	{ TLS_SIGN_RSA_PKCS1_SHA384, "RSA", "SHA384", 48, false },
	{ TLS_SIGN_RSA_PKCS1_SHA512, "RSA", "SHA512", 64, false },
	{ TLS_SIGN_RSA_PSS_SHA256,   "RSA", "SHA256", 32, true },
	{ TLS_SIGN_RSA_PSS_SHA384,   "RSA", "SHA384", 48, true },
	{ TLS_SIGN_RSA_PSS_SHA512,   "RSA", "SHA512", 64, true },
	{ TLS_SIGN_ECDSA_SHA256,     "EC",  "SHA256", 32, false },
	{ TLS_SIGN_ECDSA_SHA384,     "EC",  "SHA384", 48, false },
	{ TLS_SIGN_ECDSA_SHA512,     "EC",  "SHA512", 64, false },
};
/* clang-format on */

static bool
verifies(EVP_PKEY *key, const char *digest, bool pss, const uint8_t *hash,
    size_t n, const uint8_t *sig, size_t len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool good;

	good = EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(digest)) ==
		1 &&
	    (!pss ||
		(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) ==
			1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
			RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	    EVP_PKEY_verify(ctx, sig, len, hash, n) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static void
test_schemes(void)
{
	struct cert rsa = cert_new("RSA:2048", "r", NULL, NEVER_ENDS, NULL);
	struct cert ec = cert_new("EC:P-256", "e", NULL, NEVER_ENDS, NULL);
	struct tls_key r = { rsa.key, NULL }, e = { ec.key, NULL };
	struct tls_sign ask;
	uint8_t sig[512];
	size_t i, len;

	for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		bool is_rsa = strcmp(schemes[i].kind, "RSA") == 0;
		const struct tls_key *k = is_rsa ? &r : &e;

		memset(&ask, 7, sizeof ask);
		ask.scheme = schemes[i].scheme;
		ask.len = schemes[i].len;
		CHECK("keys: signs",
		    tls_key_sign(k, TLS_SERVER, &ask, sig, sizeof sig, &len) ==
			    NULL &&
			verifies(k->pkey, schemes[i].digest, schemes[i].pss,
			    ask.data, ask.len, sig, len));
		CHECK("keys: not with another kind of key",
		    tls_key_sign(is_rsa ? &e : &r, TLS_SERVER, &ask, sig,
			sizeof sig, &len) != NULL &&
			len == 0);
		ask.len--;
		CHECK("keys: not less than the digest",
		    tls_key_sign(k, TLS_SERVER, &ask, sig, sizeof sig, &len) !=
			NULL);
		ask.len += 2;
		CHECK("keys: not more than the digest",
		    tls_key_sign(k, TLS_SERVER, &ask, sig, sizeof sig, &len) !=
			NULL);
		ask.len = UINT32_MAX;
		CHECK("keys: not more than there is",
		    tls_key_sign(k, TLS_SERVER, &ask, sig, sizeof sig, &len) !=
			NULL);
	}
	ask.len = 32;
	ask.scheme = TLS_SIGN_NONE;
	CHECK("keys: no scheme",
	    tls_key_sign(&r, TLS_SERVER, &ask, sig, sizeof sig, &len) != NULL);
	ask.scheme = TLS_SIGNS;
	CHECK("keys: no such scheme",
	    tls_key_sign(&r, TLS_SERVER, &ask, sig, sizeof sig, &len) != NULL);
	ask.scheme = TLS_SIGN_RSA_PSS_SHA256;
	CHECK("keys: no room",
	    tls_key_sign(&r, TLS_SERVER, &ask, sig, 255, &len) != NULL);
	cert_free(&rsa);
	cert_free(&ec);
}

/* Ed25519 signs messages, not digests: only those that a handshake has. */
static void
test_ed25519(void)
{
	static const char label[] = "TLS 1.3, server CertificateVerify";
	struct cert ed = cert_new("ED25519", "e", NULL, NEVER_ENDS, NULL);
	struct tls_key k = { ed.key, NULL };
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct tls_sign ask;
	uint8_t sig[512];
	size_t len = 0;
	uint32_t n;

	memset(&ask, 0, sizeof ask);
	ask.scheme = TLS_SIGN_ED25519;
	memset(ask.data, ' ', 64);
	memcpy(ask.data + 64, label, sizeof label);
	ask.len = 64 + sizeof label + 32;
	CHECK("Ed25519: TLS 1.3",
	    tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) == NULL &&
		len == 64 &&
		EVP_DigestVerifyInit(md, NULL, NULL, NULL, ed.key) == 1 &&
		EVP_DigestVerify(md, sig, len, ask.data, ask.len) == 1);
	for (n = 0; n < 64 + sizeof label; n++) {
		ask.len = n;
		if (tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) ==
		    NULL)
			break;
	}
	CHECK("Ed25519: cut short", n == 64 + sizeof label);
	ask.len = 64 + sizeof label + 32;
	ask.data[70] ^= 1;
	CHECK("Ed25519: another label",
	    tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) != NULL);
	ask.data[70] ^= 1;
	memcpy(ask.data + 73, "client", 6);
	CHECK("Ed25519: what a client signs",
	    tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) != NULL);
	memset(ask.data, 0x5a, sizeof ask.data);
	ask.data[64] = 3; /* a named curve, X25519 */
	ask.data[65] = 0;
	ask.data[66] = 29;
	ask.data[67] = 32;
	ask.len = 64 + 4 + 32;
	CHECK("Ed25519: TLS 1.2",
	    tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) == NULL);
	ask.len++;
	CHECK("Ed25519: TLS 1.2, and more",
	    tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) != NULL);
	ask.len = 32;
	CHECK("Ed25519: a digest, as DKIM has it",
	    tls_key_sign(&k, TLS_SERVER, &ask, sig, sizeof sig, &len) != NULL);
	EVP_MD_CTX_free(md);
	cert_free(&ed);
}

/* Columns: who signs, the label, whether it is signed. */
static const struct {
	enum tls_end end;
	const char *label;
	bool good;
} ends[] = {
	{ TLS_SERVER, "TLS 1.3, server CertificateVerify", true },
	{ TLS_SERVER, "TLS 1.3, client CertificateVerify", false },
	{ TLS_CLIENT, "TLS 1.3, client CertificateVerify", true },
	{ TLS_CLIENT, "TLS 1.3, server CertificateVerify", false },
	{ TLS_CLIENT, "TLS 1.3, client CertificateVerifx", false },
	{ TLS_CLIENT, "", false },
};

/* A relay may not be a server by a client's signatures, nor the reverse. */
static void
test_ends(void)
{
	struct cert ed = cert_new("ED25519", "e", NULL, NEVER_ENDS, NULL);
	struct cert rsa = cert_new("RSA:2048", "r", NULL, NEVER_ENDS, NULL);
	struct tls_key k = { ed.key, NULL }, r = { rsa.key, NULL };
	struct tls_sign ask;
	uint8_t sig[512];
	size_t i, len, n;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		memset(&ask, 0, sizeof ask);
		ask.scheme = TLS_SIGN_ED25519;
		memset(ask.data, ' ', 64);
		n = strlen(ends[i].label) + 1;
		memcpy(ask.data + 64, ends[i].label, n);
		ask.len = (uint32_t)(64 + n + 32);
		CHECK("keys: whose label it is",
		    (tls_key_sign(&k, ends[i].end, &ask, sig, sizeof sig,
			 &len) == NULL) == ends[i].good);
	}
	memset(ask.data, 0x5a, sizeof ask.data);
	ask.data[64] = 3;
	ask.data[67] = 32;
	ask.len = 64 + 4 + 32;
	CHECK("keys: a client signs no key exchange",
	    tls_key_sign(&k, TLS_CLIENT, &ask, sig, sizeof sig, &len) != NULL);
	ask.scheme = TLS_SIGN_RSA_PSS_SHA256;
	ask.len = 32;
	CHECK("keys: a client signs a digest",
	    tls_key_sign(&r, TLS_CLIENT, &ask, sig, sizeof sig, &len) == NULL &&
		verifies(rsa.key, "SHA256", true, ask.data, 32, sig, len));
	cert_free(&ed);
	cert_free(&rsa);
}

/* Which rows a client may show at all. */
static void
test_shown(void)
{
	struct conf *c = image_new();
	struct conf_pki pki[4] = { { .name = image_text(c, "a.test") },
		{ .name = image_text(c, "b.test") },
		{ .name = image_text(c, "b.test") },
		{ .name = image_text(c, "c.test") } };
	struct conf_action action[2] = { { .method = METHOD_RELAY },
		{ .method = METHOD_RELAY, .pki = image_text(c, "B.test") } };
	struct conf_tls tls = { .pki = image_text(c, "c.test") };

	image_rows(c, &c->pki, pki, 4, sizeof pki[0]);
	CHECK("keys: nobody names one", !tls_key_shown(c, 0));
	image_rows(c, &c->action, action, 2, sizeof action[0]);
	image_rows(c, &c->tls, &tls, 1, sizeof tls);
	CHECK("keys: not named", !tls_key_shown(c, 0));
	CHECK("keys: all rows of a name that a relay has",
	    tls_key_shown(c, 1) && tls_key_shown(c, 2));
	CHECK("keys: of tls domain", tls_key_shown(c, 3));
	free(c);
}

/* ---- keys of tickets ---- */

static void
test_tickets(void)
{
	struct ticket_keys t = { 0 };
	struct ticket_key first;
	uint32_t i;

	CHECK("tickets: none", t.n == 0);
	CHECK("tickets: the first", ticket_keys_turn(&t) && t.n == 1);
	first = t.key[0];
	CHECK("tickets: it is to be used", first.age == 0);
	CHECK("tickets: the second is another",
	    ticket_keys_turn(&t) && t.n == 2 &&
		memcmp(t.key[0].name, first.name, 16) != 0 &&
		memcmp(t.key[0].cipher, first.cipher, 32) != 0 &&
		memcmp(t.key[0].mac, first.mac, 32) != 0);
	CHECK("tickets: the first is older",
	    t.key[1].age == 1 && memcmp(t.key[1].mac, first.mac, 32) == 0);
	for (i = 2; i < TICKET_KEYS; i++)
		(void)ticket_keys_turn(&t);
	CHECK("tickets: the first is the last",
	    t.n == TICKET_KEYS &&
		memcmp(t.key[TICKET_KEYS - 1].mac, first.mac, 32) == 0);
	(void)ticket_keys_turn(&t);
	for (i = 0; i < t.n; i++) {
		if (memcmp(t.key[i].mac, first.mac, 32) == 0)
			break;
	}
	CHECK("tickets: the first is forgotten", i == TICKET_KEYS);
	ticket_keys_wipe(&t);
	CHECK("tickets: all are", t.n == 0 && t.key[0].mac[0] == 0);
}

int
main(void)
{
	test_kinds();
	test_files();
	test_chain_text();
	test_belong();
	test_schemes();
	test_ed25519();
	test_ends();
	test_shown();
	test_tickets();
	return unit_end();
}
