/*
 * Keys and certificates for unit tests, made as they are wanted.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef CERT_H
#define CERT_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

struct cert {
	EVP_PKEY *key;
	X509 *x509;
};

/* "RSA:2048", "EC:P-256", "ED25519". */
static inline EVP_PKEY *
cert_key(const char *kind)
{
	EVP_PKEY *key = NULL;

	if (strncmp(kind, "RSA:", 4) == 0)
		key = EVP_RSA_gen((unsigned int)atoi(kind + 4));
	else if (strncmp(kind, "EC:", 3) == 0)
		key = EVP_EC_gen(kind + 3);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	if (key == NULL)
		abort();
	return key;
}

static inline void
cert_add(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL || X509_add_ext(x509, ext, -1) != 1)
		abort();
	X509_EXTENSION_free(ext);
}

/* name: common name, NULL for none; alt: "DNS:a,email:b", or NULL; days: until
 * it ends; by: who signs it, NULL: itself. */
static inline struct cert
cert_new(const char *kind, const char *name, const char *alt, int days,
    const struct cert *by)
{
	static long serial;
	struct cert c = { cert_key(kind), X509_new() };
	EVP_PKEY *sign = by == NULL ? c.key : by->key;
	X509_NAME *subject = X509_get_subject_name(c.x509);

	X509_set_version(c.x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), -30L * 86400);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), days * 86400L);
	if (name != NULL)
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		    (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(c.x509,
	    by == NULL ? subject : X509_get_subject_name(by->x509));
	X509_set_pubkey(c.x509, c.key);
	if (by == NULL)
		cert_add(c.x509, NID_basic_constraints, "critical,CA:TRUE");
	if (alt != NULL)
		cert_add(c.x509, NID_subject_alt_name, alt);
	if (X509_sign(c.x509, sign,
		EVP_PKEY_is_a(sign, "ED25519") ? NULL : EVP_sha256()) == 0)
		abort();
	return c;
}

static inline void
cert_free(struct cert *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x509);
	memset(c, 0, sizeof(*c));
}

/* A file with these bytes that nobody else has; closed by the caller. */
static inline int
cert_file(const void *p, size_t len)
{
	char path[] = "/tmp/unit-cert-XXXXXX";
	int fd = mkstemp(path);

	if (fd == -1 || write(fd, p, len) != (ssize_t)len)
		abort();
	unlink(path);
	return fd;
}

/* In PEM: the certificates, then the key if it is not NULL. */
static inline int
cert_pem(X509 *const *certs, size_t n, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	size_t i;
	char *p;
	long len;
	int fd;

	for (i = 0; i < n; i++)
		PEM_write_bio_X509(bio, certs[i]);
	if (key != NULL)
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	len = BIO_get_mem_data(bio, &p);
	fd = cert_file(p, (size_t)len);
	BIO_free(bio);
	return fd;
}

#endif
