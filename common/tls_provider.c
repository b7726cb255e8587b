/*
 * The provider: what OpenSSL asks of a key, answered from its public half by
 * OpenSSL's own provider, and the one operation that needs the private half,
 * which goes to the keys process.  Used by session and deliver; never sees a
 * private key, and has nothing signed but what a handshake wants signed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls_provider.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "log.h"

#define NAME "postern"
/* Any provider but this one: keys made so do not come back to us. */
#define OTHERS "provider!=" NAME
#define OWNER  "postern-owner" /* parameter: struct owner */

enum kind { KIND_RSA, KIND_EC, KIND_ED25519, KINDS };

/* Columns, by kind: the name of keys, and that of our signatures, which nobody
 * else asks for. */
static const struct {
	const char *key, *signature;
} kinds[KINDS] = {
	[KIND_RSA] = { "RSA", "POSTERN-RSA" },
	[KIND_EC] = { "EC", "POSTERN-ECDSA" },
	[KIND_ED25519] = { "ED25519", "POSTERN-ED25519" },
};

/* Columns: kind, RSA-PSS, digest ("": the message itself), scheme. */
static const struct scheme {
	enum kind kind;
	bool pss;
	const char *digest;
	enum tls_sign_scheme scheme;
} schemes[] = {
	{ KIND_RSA, false, "SHA256", TLS_SIGN_RSA_PKCS1_SHA256 },
	{ KIND_RSA, false, "SHA384", TLS_SIGN_RSA_PKCS1_SHA384 },
	{ KIND_RSA, false, "SHA512", TLS_SIGN_RSA_PKCS1_SHA512 },
	{ KIND_RSA, true, "SHA256", TLS_SIGN_RSA_PSS_SHA256 },
	{ KIND_RSA, true, "SHA384", TLS_SIGN_RSA_PSS_SHA384 },
	{ KIND_RSA, true, "SHA512", TLS_SIGN_RSA_PSS_SHA512 },
	{ KIND_EC, false, "SHA256", TLS_SIGN_ECDSA_SHA256 },
	{ KIND_EC, false, "SHA384", TLS_SIGN_ECDSA_SHA384 },
	{ KIND_EC, false, "SHA512", TLS_SIGN_ECDSA_SHA512 },
	{ KIND_ED25519, false, "", TLS_SIGN_ED25519 },
};

/* Whose the key is. */
struct owner {
	const struct tls_signer *signer; /* NULL: a public key, no more */
	uint32_t pki;
};

struct key {
	enum kind kind;
	EVP_PKEY *pub; /* of another provider */
	struct owner owner;
};

/* A signature to be made. */
struct signature {
	const struct key *key;
	EVP_MD *md; /* NULL: the message itself */
	bool pss;
};

/* ---- keys ---- */

static struct key *
key_new(enum kind kind)
{
	struct key *k = xcalloc(1, sizeof(*k));

	k->kind = kind;
	return k;
}

static void *
key_new_rsa(void *provider)
{
	(void)provider;
	return key_new(KIND_RSA);
}

static void *
key_new_ec(void *provider)
{
	(void)provider;
	return key_new(KIND_EC);
}

static void *
key_new_ed25519(void *provider)
{
	(void)provider;
	return key_new(KIND_ED25519);
}

static void
key_free(void *key)
{
	struct key *k = key;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->pub);
	free(k);
}

static int
key_has(const void *key, int selection)
{
	const struct key *k = key;

	if (k == NULL || k->pub == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
	    k->owner.signer != NULL;
}

static int
key_match(const void *key, const void *other, int selection)
{
	const struct key *a = key, *b = other;

	(void)selection;
	return a->pub != NULL && b->pub != NULL &&
	    EVP_PKEY_eq(a->pub, b->pub) == 1;
}

/* The public half, and, from tls_provider_key(), whose it is. */
static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct key *k = key;
	const OSSL_PARAM *own = OSSL_PARAM_locate_const(params, OWNER);
	EVP_PKEY_CTX *ctx;
	int good;

	(void)selection;
	if (k->pub != NULL)
		return 0;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, kinds[k->kind].key, OTHERS);
	/* Parameters that it does not know are nothing to it. */
	good = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &k->pub, EVP_PKEY_PUBLIC_KEY,
		(OSSL_PARAM *)(uintptr_t)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (good && own != NULL && own->data_size == sizeof(k->owner))
		memcpy(&k->owner, own->data, sizeof(k->owner));
	return good;
}

/* There is no private half to give away: whoever wants it all gets nothing,
 * and OpenSSL comes back to us for the signature. */
static int
key_export(void *key, int selection, OSSL_CALLBACK *fn, void *arg)
{
	struct key *k = key;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    k->pub == NULL)
		return 0;
	return EVP_PKEY_export(k->pub, selection, fn, arg);
}

/* What keys are made of, in parameters. */
static const OSSL_PARAM *
key_parts(int selection)
{
	/* clang-format off */
	static const OSSL_PARAM parts[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OWNER, NULL, 0),
		OSSL_PARAM_END
	};
	/* clang-format on */

	(void)selection;
	return parts;
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	struct key *k = key;

	return k->pub != NULL && EVP_PKEY_get_params(k->pub, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	/* clang-format off */
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END
	};
	/* clang-format on */

	(void)provider;
	return known;
}

static const char *
name_rsa(int operation)
{
	(void)operation;
	return kinds[KIND_RSA].signature;
}

static const char *
name_ec(int operation)
{
	(void)operation;
	return kinds[KIND_EC].signature;
}

static const char *
name_ed25519(int operation)
{
	(void)operation;
	return kinds[KIND_ED25519].signature;
}

/* ---- signatures ---- */

static void *
signature_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return xcalloc(1, sizeof(struct signature));
}

static void
signature_free(void *signature)
{
	struct signature *s = signature;

	if (s == NULL)
		return;
	EVP_MD_free(s->md);
	free(s);
}

/* "pkcs1" or "pss", also by number; the salt is as long as the digest (RFC
 * 8446 4.2.3), whatever is said of it. */
static int
signature_set(void *signature, const OSSL_PARAM params[])
{
	struct signature *s = signature;
	const OSSL_PARAM *p;
	int mode = 0;

	if (params == NULL ||
	    (p = OSSL_PARAM_locate_const(params,
		 OSSL_SIGNATURE_PARAM_PAD_MODE)) == NULL)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		mode = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ?
		    RSA_PKCS1_PSS_PADDING :
		    strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ?
		    RSA_PKCS1_PADDING :
		    0;
	else if (!OSSL_PARAM_get_int(p, &mode))
		return 0;
	s->pss = mode == RSA_PKCS1_PSS_PADDING;
	return s->pss || mode == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
signature_settable(void *signature, void *provider)
{
	/* clang-format off */
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END
	};
	/* clang-format on */

	(void)signature;
	(void)provider;
	return known;
}

static int
signature_init(void *signature, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signature *s = signature;

	s->key = key;
	if (s->key == NULL || s->key->owner.signer == NULL)
		return 0;
	if (digest != NULL && digest[0] != '\0' &&
	    (s->md = EVP_MD_fetch(NULL, digest, NULL)) == NULL)
		return 0;
	return signature_set(s, params);
}

static enum tls_sign_scheme
find_scheme(const struct signature *s)
{
	const struct scheme *row;
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		row = &schemes[i];
		if (row->kind != s->key->kind || row->pss != s->pss)
			continue;
		if (s->md == NULL ? row->digest[0] == '\0' :
				    EVP_MD_is_a(s->md, row->digest))
			return row->scheme;
	}
	return TLS_SIGN_NONE;
}

/* What is to be signed, in the form that keys takes. */
static bool
fill(const struct signature *s, const void *p, size_t len, struct tls_sign *m)
{
	unsigned int n = 0;

	memset(m, 0, sizeof(*m));
	m->pki = s->key->owner.pki;
	m->scheme = find_scheme(s);
	if (m->scheme == TLS_SIGN_NONE)
		return false;
	if (s->md == NULL) {
		if (len > sizeof(m->data))
			return false;
		memcpy(m->data, p, len);
		m->len = (uint32_t)len;
		return true;
	}
	if (EVP_Digest(p, len, m->data, &n, s->md, NULL) != 1)
		return false;
	m->len = n;
	return true;
}

/* Without room for it: how long it may get. */
static int
signature_make(void *signature, unsigned char *out, size_t *len, size_t size,
    const unsigned char *p, size_t n)
{
	const struct signature *s = signature;
	const struct tls_signer *signer = s->key->owner.signer;
	struct tls_signed is;
	struct tls_sign ask;

	if (out == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->key->pub);
		return 1;
	}
	memset(&is, 0, sizeof(is));
	if (!fill(s, p, n, &ask) || !signer->sign(signer->arg, &ask, &is) ||
	    is.outcome.verdict != DONE || is.len > sizeof(is.sig) ||
	    is.len > size)
		return 0;
	memcpy(out, is.sig, is.len);
	*len = is.len;
	return 1;
}

/* ---- what OpenSSL is told ---- */

/* clang-format off */
#define FN(fn) ((void (*)(void))(fn))
#define KEY(name, kind) \
	static const OSSL_DISPATCH name[] = { \
		{ OSSL_FUNC_KEYMGMT_NEW, FN(key_new_##kind) }, \
		{ OSSL_FUNC_KEYMGMT_FREE, FN(key_free) }, \
		{ OSSL_FUNC_KEYMGMT_HAS, FN(key_has) }, \
		{ OSSL_FUNC_KEYMGMT_MATCH, FN(key_match) }, \
		{ OSSL_FUNC_KEYMGMT_IMPORT, FN(key_import) }, \
		{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FN(key_parts) }, \
		{ OSSL_FUNC_KEYMGMT_EXPORT, FN(key_export) }, \
		{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FN(key_parts) }, \
		{ OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(key_get_params) }, \
		{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FN(key_gettable) }, \
		{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(name_##kind) }, \
		{ 0, NULL } \
	}

KEY(key_rsa, rsa);
KEY(key_ec, ec);
KEY(key_ed25519, ed25519);

static const OSSL_DISPATCH signature[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, FN(signature_new) },
	{ OSSL_FUNC_SIGNATURE_FREECTX, FN(signature_free) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, FN(signature_init) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, FN(signature_make) },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, FN(signature_set) },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, FN(signature_settable) },
	{ 0, NULL }
};

static const OSSL_ALGORITHM key_algorithms[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" NAME, key_rsa, NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" NAME, key_ec, NULL },
	{ "ED25519:1.3.101.112", "provider=" NAME, key_ed25519, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM signature_algorithms[] = {
	{ "POSTERN-RSA", "provider=" NAME, signature, NULL },
	{ "POSTERN-ECDSA", "provider=" NAME, signature, NULL },
	{ "POSTERN-ED25519", "provider=" NAME, signature, NULL },
	{ NULL, NULL, NULL, NULL }
};
/* clang-format on */

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return key_algorithms;
	if (operation == OSSL_OP_SIGNATURE)
		return signature_algorithms;
	return NULL;
}

static int
init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(query) },
		{ 0, NULL },
	};

	(void)core;
	(void)in;
	*out = functions;
	*provider = NULL;
	return 1;
}

/* ---- public ---- */

const char *
tls_provider_load(OSSL_PROVIDER **p)
{
	EVP_KEYMGMT *rsa;
	bool ours;

	/* Beside those that are loaded anyway, not instead of them. */
	if (OSSL_PROVIDER_add_builtin(NULL, NAME, init) != 1 ||
	    (*p = OSSL_PROVIDER_try_load(NULL, NAME, 1)) == NULL)
		return "OpenSSL takes no provider of ours";
	/* Keys of others are not for us, if they are given the choice. */
	if (!EVP_default_properties_is_fips_enabled(NULL) &&
	    EVP_set_default_properties(NULL, "?" OTHERS) != 1)
		return "OpenSSL takes no default for providers";
	if ((rsa = EVP_KEYMGMT_fetch(NULL, "RSA", NULL)) == NULL)
		return "OpenSSL has no RSA: see its configuration";
	ours = strcmp(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(rsa)),
		   NAME) == 0;
	EVP_KEYMGMT_free(rsa);
	return ours ? "OpenSSL has no provider but ours" : NULL;
}

void
tls_provider_unload(OSSL_PROVIDER **p)
{
	if (*p != NULL)
		OSSL_PROVIDER_unload(*p);
	*p = NULL;
}

static const char *
kind_name(const EVP_PKEY *pub)
{
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if (EVP_PKEY_is_a(pub, kinds[i].key))
			return kinds[i].key;
	}
	return NULL;
}

/* Adds whose it is to what the public half is made of. */
static OSSL_PARAM *
with_owner(OSSL_PARAM *parts, struct owner *owner)
{
	OSSL_PARAM more[2];

	more[0] =
	    OSSL_PARAM_construct_octet_string(OWNER, owner, sizeof(*owner));
	more[1] = OSSL_PARAM_construct_end();
	return OSSL_PARAM_merge(parts, more);
}

EVP_PKEY *
tls_provider_key(EVP_PKEY *pub, uint32_t pki, const struct tls_signer *signer)
{
	struct owner owner;
	OSSL_PARAM *parts = NULL, *all = NULL;
	const char *name = kind_name(pub);
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *key = NULL;

	memset(&owner, 0, sizeof(owner));
	owner.signer = signer;
	owner.pki = pki;
	if (name != NULL)
		ctx = EVP_PKEY_CTX_new_from_name(NULL, name, "provider=" NAME);
	if (ctx != NULL &&
	    EVP_PKEY_todata(pub, EVP_PKEY_PUBLIC_KEY, &parts) == 1)
		all = with_owner(parts, &owner);
	if (all == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) != 1)
		key = NULL;
	OPENSSL_free(all);
	OSSL_PARAM_free(parts);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}
