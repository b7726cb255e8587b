/*
 * Public keys from the numbers of a JWK, and signatures by OpenSSL.  Runs in
 * lookup; keys are made at start and never changed, signatures are checked in
 * threads.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_jwk.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base64.h"
#include "log.h"

enum {
	RSA_BYTES_MIN = 256, /* RFC 7518 3.3: 2048 bits or more */
	RSA_BYTES_MAX = 1024,
	EXPONENT_BYTES = 8,
	POINT_BYTES = 48, /* of one coordinate, the longest */
	SIG_DER_MAX = 160
};

static const struct {
	const char *name, *kty, *crv, *digest;
	bool pss;
} algs[JWK_ALG_N] = {
#define X(alg, name, kty, crv, digest, pss)                                    \
	[JWK_##alg] = { name, kty, crv, digest, pss },
	JWK_ALGS(X)
#undef X
};

struct jwk {
	EVP_PKEY *key;
	char *id;              /* NULL: none */
	const char *kty, *crv; /* of algs */
	enum jwk_alg only;     /* "alg"; JWK_ALG_N: any of its type */
};

enum jwk_alg
jwk_alg_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < JWK_ALG_N && strcmp(algs[i].name, name) != 0; i++)
		;
	return i;
}

/* ---- numbers ---- */

/* The text of a member; "": there is none. */
static const char *
text_of(const json_t *json, const char *member)
{
	const char *text = json_string_value(json_object_get(json, member));

	return text == NULL ? "" : text;
}

/* The bytes of a member; 0: none, or more than size. */
static size_t
bytes_of(const json_t *json, const char *member, uint8_t *out, size_t size)
{
	size_t len;

	if (base64_parse(BASE64_URL, slice_of(text_of(json, member)), out, size,
		&len) != NULL)
		return 0;
	return len;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
make_rsa(const json_t *json, const char *crv, const char **why)
{
	uint8_t n[RSA_BYTES_MAX], e[EXPONENT_BYTES];
	size_t n_len = bytes_of(json, "n", n, sizeof n);
	size_t e_len = bytes_of(json, "e", e, sizeof e);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn = NULL, *be = NULL;
	EVP_PKEY *key = NULL;

	(void)crv;
	if (n_len < RSA_BYTES_MIN || e_len == 0)
		*why = "an RSA key of 2048 to 8192 bits has n and e";
	else if (bld != NULL && (bn = BN_bin2bn(n, (int)n_len, NULL)) != NULL &&
	    (be = BN_bin2bn(e, (int)e_len, NULL)) != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return key;
}

/* Both coordinates have the length of the field (RFC 7518 6.2.1.2). */
static EVP_PKEY *
make_ec(const json_t *json, const char *crv, const char **why)
{
	uint8_t point[1 + 2 * POINT_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
	size_t size = strcmp(crv, "P-256") == 0 ? 32 : 48;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (bytes_of(json, "x", point + 1, size) != size ||
	    bytes_of(json, "y", point + 1 + size, size) != size)
		*why = "x and y of an EC key are as long as its curve says";
	else if (bld != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
		crv, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
		point, 1 + 2 * size) == 1)
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static EVP_PKEY *
make_okp(const json_t *json, const char *crv, const char **why)
{
	uint8_t x[32];

	(void)crv;
	if (bytes_of(json, "x", x, sizeof x) != sizeof x) {
		*why = "x of an Ed25519 key has 32 bytes";
		return NULL;
	}
	return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x,
	    sizeof x);
}

/* Columns: "kty", what makes a key of it. */
static const struct {
	const char *kty;
	EVP_PKEY *(*make)(const json_t *json, const char *crv,
	    const char **why);
} makers[] = {
	{ "RSA", make_rsa },
	{ "EC", make_ec },
	{ "OKP", make_okp },
};

/* ---- a key ---- */

/* "use" and "key_ops": is it meant for signatures at all? */
static bool
is_for_signatures(const json_t *json)
{
	const char *use = text_of(json, "use");
	const json_t *ops = json_object_get(json, "key_ops"), *op;
	size_t i;

	if (use[0] != '\0' && strcmp(use, "sig") != 0)
		return false;
	if (!json_is_array(ops))
		return true;
	json_array_foreach(ops, i, op)
	{
		if (json_is_string(op) &&
		    strcmp(json_string_value(op), "verify") == 0)
			return true;
	}
	return false;
}

/* The algorithm of this type, curve and (unless empty) name that stands first
 * in the table. */
static enum jwk_alg
find_type(const char *kty, const char *crv, const char *name)
{
	unsigned int i;

	for (i = 0; i < JWK_ALG_N; i++) {
		if (strcmp(algs[i].kty, kty) == 0 &&
		    (algs[i].crv[0] == '\0' || strcmp(algs[i].crv, crv) == 0) &&
		    (name[0] == '\0' || strcmp(algs[i].name, name) == 0))
			break;
	}
	return i;
}

struct jwk *
jwk_new(const json_t *json, const char **why)
{
	const char *kty = text_of(json, "kty"), *crv = text_of(json, "crv");
	const char *name = text_of(json, "alg");
	enum jwk_alg alg = find_type(kty, crv, name);
	EVP_PKEY *key = NULL;
	struct jwk *k;
	size_t i;

	*why = "";
	if (alg == JWK_ALG_N || !is_for_signatures(json))
		return NULL;
	for (i = 0; i < sizeof makers / sizeof makers[0]; i++) {
		if (strcmp(makers[i].kty, kty) == 0)
			key = makers[i].make(json, crv, why);
	}
	if (key == NULL) {
		if ((*why)[0] == '\0')
			*why = "its numbers are no key";
		return NULL;
	}
	k = xcalloc(1, sizeof *k);
	k->key = key;
	k->kty = algs[alg].kty;
	k->crv = algs[alg].crv;
	k->only = name[0] == '\0' ? JWK_ALG_N : alg;
	if (json_is_string(json_object_get(json, "kid")))
		k->id = xstrdup(text_of(json, "kid"));
	return k;
}

void
jwk_free(struct jwk **kp)
{
	struct jwk *k = *kp;

	*kp = NULL;
	EVP_PKEY_free(k->key);
	free(k->id);
	free(k);
}

const char *
jwk_id(const struct jwk *k)
{
	return k->id;
}

bool
jwk_fits(const struct jwk *k, enum jwk_alg alg)
{
	if (k->only != JWK_ALG_N)
		return k->only == alg;
	return strcmp(k->kty, algs[alg].kty) == 0 &&
	    strcmp(k->crv, algs[alg].crv) == 0;
}

/* ---- signatures ---- */

/* Two numbers side by side (RFC 7518 3.4), as OpenSSL wants them.  Bytes of
 * der; 0: it is none. */
static size_t
ecdsa_der(enum jwk_alg alg, const uint8_t *sig, size_t n_sig,
    uint8_t der[SIG_DER_MAX])
{
	size_t size = alg == JWK_ES256 ? 32 : 48;
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = NULL, *t = NULL;
	int n = 0;

	if (n_sig == 2 * size && s != NULL) {
		r = BN_bin2bn(sig, (int)size, NULL);
		t = BN_bin2bn(sig + size, (int)size, NULL);
	}
	if (r != NULL && t != NULL && ECDSA_SIG_set0(s, r, t) == 1) {
		n = i2d_ECDSA_SIG(s, NULL);
		n = n > 0 && n <= SIG_DER_MAX ? i2d_ECDSA_SIG(s, &der) : 0;
	} else {
		BN_free(r);
		BN_free(t);
	}
	ECDSA_SIG_free(s);
	return n > 0 ? (size_t)n : 0;
}

bool
jwk_verify(const struct jwk *k, enum jwk_alg alg, struct slice signed_,
    const uint8_t *sig, size_t n_sig)
{
	const char *digest =
	    algs[alg].digest[0] == '\0' ? NULL : algs[alg].digest;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[SIG_DER_MAX];
	EVP_PKEY_CTX *pctx = NULL;
	bool ok = ctx != NULL;

	if (strcmp(algs[alg].kty, "EC") == 0) {
		n_sig = ecdsa_der(alg, sig, n_sig, der);
		sig = der;
		ok = ok && n_sig > 0;
	}
	ok = ok &&
	    EVP_DigestVerifyInit_ex(ctx, &pctx, digest, NULL, NULL, k->key,
		NULL) == 1;
	/* RFC 7518 3.5: the salt is as long as the digest. */
	if (ok && algs[alg].pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx,
			 RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
			RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok &&
	    EVP_DigestVerify(ctx, sig, n_sig, (const uint8_t *)signed_.p,
		signed_.len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}
