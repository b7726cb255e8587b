/*
 * Private keys for DKIM and what is signed with them.  Runs in keys alone; a
 * key never leaves it, and nothing is signed but hashes of one length.
 *
 * SPDX-License-Identifier: ISC
 */
#include "keys_sign.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "keys_pem.h"

/* Sets k->alg.  What verifiers would refuse is refused here: RFC 8301 3.2 for
 * RSA; no other kinds are there for DKIM. */
static const char *
check_kind(struct key *k)
{
	int bits = EVP_PKEY_get_bits(k->pkey);

	if (EVP_PKEY_is_a(k->pkey, "ED25519")) {
		k->alg = ALG_ED25519;
		return NULL;
	}
	if (!EVP_PKEY_is_a(k->pkey, "RSA"))
		return "neither an RSA nor an Ed25519 key";
	k->alg = ALG_RSA;
	if (bits < KEY_RSA_MIN)
		return "an RSA key of less than 2048 bits is too weak";
	if (bits > KEY_RSA_MAX)
		return "an RSA key of more than 4096 bits is more than receivers need to verify";
	return NULL;
}

static bool
sign_rsa(EVP_PKEY *pkey, const uint8_t hash[KEY_HASH_LEN], uint8_t *sig,
    size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool good;

	good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_sign(ctx, sig, len, hash, KEY_HASH_LEN) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

bool
key_sign_message(EVP_PKEY *pkey, const uint8_t *p, size_t n, uint8_t *sig,
    size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestSign(ctx, sig, len, p, n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

bool
key_sign(const struct key *k, const uint8_t hash[KEY_HASH_LEN], uint8_t *sig,
    size_t size, size_t *len)
{
	bool good;

	*len = size;
	if (k->pkey == NULL || (size_t)EVP_PKEY_get_size(k->pkey) > size)
		return false;
	if (k->alg == ALG_ED25519)
		/* RFC 8463 3: the hash is the message. */
		good = key_sign_message(k->pkey, hash, KEY_HASH_LEN, sig, len);
	else
		good = sign_rsa(k->pkey, hash, sig, len);
	if (!good) {
		ERR_clear_error();
		*len = 0;
	}
	return good;
}

static bool
verify(EVP_PKEY *pkey, enum conf_alg alg, const uint8_t hash[KEY_HASH_LEN],
    const uint8_t *sig, size_t len)
{
	EVP_PKEY_CTX *ctx;
	EVP_MD_CTX *md;
	bool good;

	if (alg == ALG_ED25519) {
		md = EVP_MD_CTX_new();
		good = md != NULL &&
		    EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey) == 1 &&
		    EVP_DigestVerify(md, sig, len, hash, KEY_HASH_LEN) == 1;
		EVP_MD_CTX_free(md);
		return good;
	}
	ctx = EVP_PKEY_CTX_new(pkey, NULL);
	good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(ctx, sig, len, hash, KEY_HASH_LEN) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

/* Halves that do not belong together would make mail that all refuse. */
static const char *
check_works(const struct key *k)
{
	static const uint8_t hash[KEY_HASH_LEN] = { 1 };
	uint8_t sig[KEY_RSA_MAX / 8];
	size_t len;

	if (!key_sign(k, hash, sig, sizeof(sig), &len) ||
	    !verify(k->pkey, k->alg, hash, sig, len))
		return "a damaged key: what it signs does not verify";
	return NULL;
}

/* Judges a key just read; why: why there is none. */
static const char *
judge(struct key *k, const char *why)
{
	if (why == NULL && (why = check_kind(k)) == NULL)
		why = check_works(k);
	if (why != NULL)
		key_free(k);
	ERR_clear_error();
	return why;
}

const char *
key_load(struct key *k, const void *pem, size_t len)
{
	memset(k, 0, sizeof(*k));
	return judge(k, pem_key_parse(&k->pkey, pem, len));
}

const char *
key_read(struct key *k, int fd)
{
	memset(k, 0, sizeof(*k));
	return judge(k, pem_key_read(&k->pkey, fd));
}

void
key_free(struct key *k)
{
	EVP_PKEY_free(k->pkey);
	memset(k, 0, sizeof(*k));
}
