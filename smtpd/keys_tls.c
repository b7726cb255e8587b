/*
 * Private keys for TLS and what is signed with them.  Runs in keys alone; a
 * key never leaves it, nothing is decrypted, and nothing is signed but what a
 * handshake of TLS 1.2 or 1.3 has signed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "keys_tls.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "keys_pem.h"
#include "keys_sign.h"
#include "tls_chain.h"

#define DAY       86400
#define SOON_DAYS 14 /* a certificate that ends by then is worth a word */

/* Columns, by scheme: kind of key, padding, digest (NULL: the message itself),
 * its length. */
static const struct form {
	const char *kind;
	int padding;
	const char *digest;
	uint32_t len;
} forms[TLS_SIGNS] = {
	[TLS_SIGN_RSA_PKCS1_SHA256] = { "RSA", RSA_PKCS1_PADDING, "SHA256",
	    32 },
	[TLS_SIGN_RSA_PKCS1_SHA384] = { "RSA", RSA_PKCS1_PADDING, "SHA384",
	    48 },
	[TLS_SIGN_RSA_PKCS1_SHA512] = { "RSA", RSA_PKCS1_PADDING, "SHA512",
	    64 },
	[TLS_SIGN_RSA_PSS_SHA256] = { "RSA", RSA_PKCS1_PSS_PADDING, "SHA256",
	    32 },
	[TLS_SIGN_RSA_PSS_SHA384] = { "RSA", RSA_PKCS1_PSS_PADDING, "SHA384",
	    48 },
	[TLS_SIGN_RSA_PSS_SHA512] = { "RSA", RSA_PKCS1_PSS_PADDING, "SHA512",
	    64 },
	[TLS_SIGN_ECDSA_SHA256] = { "EC", 0, "SHA256", 32 },
	[TLS_SIGN_ECDSA_SHA384] = { "EC", 0, "SHA384", 48 },
	[TLS_SIGN_ECDSA_SHA512] = { "EC", 0, "SHA512", 64 },
	[TLS_SIGN_ED25519] = { "ED25519", 0, NULL, 0 },
};

/* ---- signing ---- */

/* RFC 8446 4.4.3: what each end signs in TLS 1.3, after 64 blanks and before a
 * NUL and the hash of the handshake. */
static const char *const labels[] = {
	[TLS_SERVER] = "TLS 1.3, server CertificateVerify",
	[TLS_CLIENT] = "TLS 1.3, client CertificateVerify",
};

static bool
is_verify(const char *label, const uint8_t *p, size_t len)
{
	enum { PAD = 64 };
	size_t i, n = strlen(label) + 1;

	for (i = 0; i < PAD && i < len && p[i] == ' '; i++)
		;
	return i == PAD && len > PAD + n && memcmp(p + PAD, label, n) == 0;
}

/* RFC 8422 5.4: what a server signs in TLS 1.2: the two random numbers, then
 * the parameters of a named curve. */
static bool
is_key_exchange(const uint8_t *p, size_t len)
{
	enum { RANDOM = 64, NAMED_CURVE = 3, CURVE = 4 };

	return len > RANDOM + CURVE && p[RANDOM] == NAMED_CURVE &&
	    len == RANDOM + CURVE + (size_t)p[RANDOM + CURVE - 1];
}

/* What a client signs in TLS 1.2 is its whole handshake, and longer than what
 * may be asked for. */
static bool
is_handshake(enum tls_end end, const uint8_t *p, size_t len)
{
	return is_verify(labels[end], p, len) ||
	    (end == TLS_SERVER && is_key_exchange(p, len));
}

static bool
set_form(EVP_PKEY_CTX *ctx, const struct form *form)
{
	if (EVP_PKEY_CTX_set_signature_md(ctx,
		EVP_get_digestbyname(form->digest)) != 1)
		return false;
	if (form->padding == 0)
		return true;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, form->padding) != 1)
		return false;
	/* RFC 8446 4.2.3: the salt is as long as the digest. */
	return form->padding != RSA_PKCS1_PSS_PADDING ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
sign_digest(EVP_PKEY *pkey, const struct form *form, const uint8_t *digest,
    uint8_t *sig, size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool good;

	good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
	    set_form(ctx, form) &&
	    EVP_PKEY_sign(ctx, sig, len, digest, form->len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

const char *
tls_key_sign(const struct tls_key *k, enum tls_end end,
    const struct tls_sign *ask, uint8_t *sig, size_t size, size_t *len)
{
	const struct form *form;
	bool good;

	*len = 0;
	if (ask->scheme == TLS_SIGN_NONE || ask->scheme >= TLS_SIGNS)
		return "no such scheme";
	form = &forms[ask->scheme];
	if (k->pkey == NULL || !EVP_PKEY_is_a(k->pkey, form->kind))
		return "not a scheme of this key";
	if ((size_t)EVP_PKEY_get_size(k->pkey) > size)
		return "no room";
	if (ask->len > sizeof(ask->data) ||
	    (form->digest != NULL && ask->len != form->len) ||
	    (form->digest == NULL && !is_handshake(end, ask->data, ask->len)))
		return "not what a handshake has signed";
	*len = size;
	if (form->digest == NULL)
		good = key_sign_message(k->pkey, ask->data, ask->len, sig, len);
	else
		good = sign_digest(k->pkey, form, ask->data, sig, len);
	if (good)
		return NULL;
	ERR_clear_error();
	*len = 0;
	return "it did not work";
}

/* True if the name, as an option has it, is that of the row. */
static bool
is_row(const struct conf *c, conf_str name, const struct conf_pki *row)
{
	return name != 0 &&
	    strcasecmp(conf_text(c, name), conf_text(c, row->name)) == 0;
}

bool
tls_key_shown(const struct conf *c, uint32_t pki)
{
	const struct conf_pki *row = CONF_PKI(c, pki);
	uint32_t i;

	for (i = 0; i < c->action.n; i++) {
		if (is_row(c, CONF_ACTION(c, i)->pki, row))
			return true;
	}
	for (i = 0; i < c->tls.n; i++) {
		if (is_row(c, CONF_TLS(c, i)->pki, row))
			return true;
	}
	return false;
}

/* ---- judging ---- */

static const char *
check_kind(const EVP_PKEY *pkey)
{
	static const char *const curves[] = { "prime256v1", "secp384r1",
		"secp521r1" };
	int bits = EVP_PKEY_get_bits(pkey);
	char curve[32] = "";
	size_t i;

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return NULL;
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		if (bits < TLS_KEY_RSA_MIN)
			return "an RSA key of less than 2048 bits is too weak";
		if (bits > TLS_KEY_RSA_MAX)
			return "an RSA key of more than 4096 bits costs more than it is worth";
		return NULL;
	}
	if (!EVP_PKEY_is_a(pkey, "EC"))
		return "neither an RSA, EC nor Ed25519 key";
	(void)EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL);
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (strcmp(curve, curves[i]) == 0)
			return NULL;
	}
	return "an EC key of another curve than P-256, P-384 and P-521";
}

const char *
tls_key_read(struct tls_key *k, int fd)
{
	const char *why;

	EVP_PKEY_free(k->pkey);
	why = pem_key_read(&k->pkey, fd);
	if (why == NULL && (why = check_kind(k->pkey)) != NULL) {
		EVP_PKEY_free(k->pkey);
		k->pkey = NULL;
	}
	ERR_clear_error();
	return why;
}

const char *
tls_key_certs(struct tls_key *k, int fd)
{
	tls_chain_free(&k->chain);
	return tls_chain_read(&k->chain, fd, TLS_CHAIN_MAX);
}

/* What it signs verifies by its own public half: a damaged key would be found
 * by each client. */
static bool
works(EVP_PKEY *pkey)
{
	static const uint8_t text[] = "a text to be signed";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = EVP_PKEY_is_a(pkey, "ED25519") ? NULL : EVP_sha256();
	uint8_t sig[TLS_KEY_RSA_MAX / 8];
	size_t len = sizeof(sig);
	bool good;

	good = ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, md, NULL, pkey) == 1 &&
	    EVP_DigestSign(ctx, sig, &len, text, sizeof(text)) == 1 &&
	    EVP_MD_CTX_reset(ctx) == 1 &&
	    EVP_DigestVerifyInit(ctx, NULL, md, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, sig, len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

const char *
tls_key_check(const struct tls_key *k)
{
	const char *why = NULL;
	int i, n = sk_X509_num(k->chain);

	if (X509_check_private_key(sk_X509_value(k->chain, 0), k->pkey) != 1)
		why = "the key does not belong to the certificate";
	for (i = 1; why != NULL && i < n; i++) {
		if (X509_check_private_key(sk_X509_value(k->chain, i),
			k->pkey) == 1)
			why =
			    "the certificate of the key must be the first of its file";
	}
	if (why == NULL && !works(k->pkey))
		why = "a damaged key: what it signs does not verify";
	ERR_clear_error();
	return why;
}

const char *
tls_key_odd(const struct tls_key *k, int64_t now)
{
	const X509 *cert = sk_X509_value(k->chain, 0);
	time_t today = (time_t)now, soon = today + SOON_DAYS * DAY;
	int i, n = sk_X509_num(k->chain);

	for (i = 0; i + 1 < n; i++) {
		if (X509_check_issued(sk_X509_value(k->chain, i + 1),
			sk_X509_value(k->chain, i)) != X509_V_OK)
			return "a certificate is not followed by that of its issuer";
	}
	if (X509_cmp_time(X509_get0_notBefore(cert), &today) > 0)
		return "the certificate is not yet valid";
	if (X509_cmp_time(X509_get0_notAfter(cert), &today) < 0)
		return "the certificate has expired";
	if (X509_cmp_time(X509_get0_notAfter(cert), &soon) < 0)
		return "the certificate expires within two weeks";
	return NULL;
}

void
tls_key_free(struct tls_key *k)
{
	EVP_PKEY_free(k->pkey);
	tls_chain_free(&k->chain);
	k->pkey = NULL;
}
