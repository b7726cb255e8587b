/*
 * Bearer tokens: signed here with keys made here, and told as what they are
 * worth; the vectors of the RFCs; what is no token, and no key.
 *
 * SPDX-License-Identifier: ISC
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base64.h"
#include "lookup_jwk.h"
#include "lookup_jwt.h"
#include "unit.h"

#define NOW    1800000000
#define ISSUER "https://id.example.org/"

/* ---- keys ---- */

enum { KEY_RSA, KEY_EC, KEY_EC384, KEY_ED, KEYS };

static EVP_PKEY *keys[KEYS], *other_rsa;
static char set_text[8192]; /* JWKS of all of them */

static void
add_number(char *out, size_t size, const char *name, const uint8_t *p,
    size_t len)
{
	char b64[1400];

	base64_print(BASE64_URL, p, len, b64);
	snprintf(out + strlen(out), size - strlen(out), ",\"%s\":\"%s\"", name,
	    b64);
}

static void
add_bn(char *out, size_t size, const char *name, EVP_PKEY *key,
    const char *param, int len)
{
	uint8_t bytes[1024];
	BIGNUM *bn = NULL;

	EVP_PKEY_get_bn_param(key, param, &bn);
	if (len == 0)
		len = BN_num_bytes(bn);
	BN_bn2binpad(bn, bytes, len);
	add_number(out, size, name, bytes, (size_t)len);
	BN_free(bn);
}

static void
print_rsa(EVP_PKEY *key, const char *more, char *out, size_t size)
{
	snprintf(out, size, "{\"kty\":\"RSA\"%s", more);
	add_bn(out, size, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
	add_bn(out, size, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
	snprintf(out + strlen(out), size - strlen(out), "}");
}

static void
print_ec(EVP_PKEY *key, const char *crv, int len, const char *more, char *out,
    size_t size)
{
	snprintf(out, size, "{\"kty\":\"EC\",\"crv\":\"%s\"%s", crv, more);
	add_bn(out, size, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, len);
	add_bn(out, size, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, len);
	snprintf(out + strlen(out), size - strlen(out), "}");
}

static void
print_ed(EVP_PKEY *key, const char *more, char *out, size_t size)
{
	uint8_t x[32];
	size_t len = sizeof x;

	EVP_PKEY_get_raw_public_key(key, x, &len);
	snprintf(out, size, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"%s", more);
	add_number(out, size, "x", x, len);
	snprintf(out + strlen(out), size - strlen(out), "}");
}

static void
make_keys(void)
{
	char rsa[2048], ec[512], ec384[512], ed[512];

	keys[KEY_RSA] = EVP_RSA_gen(2048);
	keys[KEY_EC] = EVP_EC_gen("P-256");
	keys[KEY_EC384] = EVP_EC_gen("P-384");
	keys[KEY_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	other_rsa = EVP_RSA_gen(2048);
	print_rsa(keys[KEY_RSA], ",\"kid\":\"r\",\"use\":\"sig\"", rsa,
	    sizeof rsa);
	print_ec(keys[KEY_EC], "P-256", 32, ",\"kid\":\"e\"", ec, sizeof ec);
	print_ec(keys[KEY_EC384], "P-384", 48,
	    ",\"kid\":\"e3\",\"alg\":\"ES384\"", ec384, sizeof ec384);
	print_ed(keys[KEY_ED], ",\"kid\":\"d\"", ed, sizeof ed);
	snprintf(set_text, sizeof set_text,
	    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},%s,%s,%s,%s]}", rsa,
	    ec, ec384, ed);
}

static void
free_keys(void)
{
	int i;

	for (i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	EVP_PKEY_free(other_rsa);
}

/* ---- signing ---- */

static size_t
sign(EVP_PKEY *key, const char *digest, bool pss, const char *text,
    uint8_t *sig, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t len = size;

	EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL, key, NULL);
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	if (EVP_DigestSign(ctx, sig, &len, (const uint8_t *)text,
		strlen(text)) != 1)
		len = 0;
	EVP_MD_CTX_free(ctx);
	return len;
}

/* From DER to two numbers side by side. */
static size_t
raw_ecdsa(uint8_t *sig, size_t len, int size)
{
	const uint8_t *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)len);

	BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, size);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + size, size);
	ECDSA_SIG_free(s);
	return 2 * (size_t)size;
}

static size_t
sign_alg(const char *alg, EVP_PKEY *key, const char *text, uint8_t *sig,
    size_t size)
{
	size_t len;

	if (strcmp(alg, "EdDSA") == 0)
		return sign(key, NULL, false, text, sig, size);
	if (strcmp(alg, "RS256") == 0 || strcmp(alg, "PS256") == 0)
		return sign(key, "SHA256", alg[0] == 'P', text, sig, size);
	if (strcmp(alg, "ES256") == 0) {
		len = sign(key, "SHA256", false, text, sig, size);
		return raw_ecdsa(sig, len, 32);
	}
	if (strcmp(alg, "ES384") == 0) {
		len = sign(key, "SHA384", false, text, sig, size);
		return raw_ecdsa(sig, len, 48);
	}
	if (strcmp(alg, "HS256") == 0) { /* with what is public */
		unsigned int n = 0;

		HMAC(EVP_sha256(), set_text, (int)strlen(set_text),
		    (const uint8_t *)text, strlen(text), sig, &n);
		return n;
	}
	return 0; /* none */
}

static char *
token_of(const char *alg, EVP_PKEY *key, const char *header, const char *claims)
{
	static char out[JWT_MAX * 2];
	uint8_t sig[1024];
	size_t n, len;

	n = base64_print(BASE64_URL, header, strlen(header), out);
	out[n++] = '.';
	n += base64_print(BASE64_URL, claims, strlen(claims), out + n);
	len = sign_alg(alg, key, out, sig, sizeof sig);
	out[n++] = '.';
	base64_print(BASE64_URL, sig, len, out + n);
	return out;
}

/* ---- rows ---- */

#define CLAIMS                                                                 \
	"\"iss\":\"" ISSUER                                                    \
	"\",\"aud\":\"mail\",\"exp\":1800000100,\"email\":\"alice@example.org\""
#define GOOD "{" CLAIMS "}"

/* Columns: what it shows; alg, key, header, claims; the user's claim; whom it
 * names, NULL: nobody. */
static const struct {
	const char *name, *alg;
	int key; /* KEYS: the one that is in no set */
	const char *header, *claims, *claim, *user;
} rows[] = {
	{ "RS256", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}", GOOD, "",
	    "alice@example.org" },
	{ "PS256", "PS256", KEY_RSA, "{\"alg\":\"PS256\"}", GOOD, "",
	    "alice@example.org" },
	{ "ES256", "ES256", KEY_EC, "{\"alg\":\"ES256\"}", GOOD, "",
	    "alice@example.org" },
	{ "ES384", "ES384", KEY_EC384, "{\"alg\":\"ES384\"}", GOOD, "",
	    "alice@example.org" },
	{ "EdDSA", "EdDSA", KEY_ED, "{\"alg\":\"EdDSA\"}", GOOD, "",
	    "alice@example.org" },
	{ "kid", "RS256", KEY_RSA,
	    "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}", GOOD, "",
	    "alice@example.org" },
	{ "an access token", "RS256", KEY_RSA,
	    "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", GOOD, "",
	    "alice@example.org" },

	{ "another kid", "RS256", KEY_RSA, "{\"alg\":\"RS256\",\"kid\":\"x\"}",
	    GOOD, "", NULL },
	{ "the kid of another kind", "RS256", KEY_RSA,
	    "{\"alg\":\"RS256\",\"kid\":\"e\"}", GOOD, "", NULL },
	{ "kid is a number", "RS256", KEY_RSA, "{\"alg\":\"RS256\",\"kid\":1}",
	    GOOD, "", NULL },
	{ "none", "none", KEY_RSA, "{\"alg\":\"none\"}", GOOD, "", NULL },
	{ "None", "none", KEY_RSA, "{\"alg\":\"None\"}", GOOD, "", NULL },
	{ "no alg", "RS256", KEY_RSA, "{}", GOOD, "", NULL },
	{ "alg is a list", "RS256", KEY_RSA, "{\"alg\":[\"RS256\"]}", GOOD, "",
	    NULL },
	{ "HS256 with what is public", "HS256", KEY_RSA, "{\"alg\":\"HS256\"}",
	    GOOD, "", NULL },
	{ "RS256 said, PS256 made", "PS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    GOOD, "", NULL },
	{ "PS256 said, RS256 made", "RS256", KEY_RSA, "{\"alg\":\"PS256\"}",
	    GOOD, "", NULL },
	{ "a wrong key", "RS256", KEYS, "{\"alg\":\"RS256\",\"kid\":\"r\"}",
	    GOOD, "", NULL },
	{ "crit", "RS256", KEY_RSA,
	    "{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", GOOD, "",
	    NULL },
	{ "of another type", "RS256", KEY_RSA,
	    "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", GOOD, "", NULL },
	{ "alg twice", "RS256", KEY_RSA, "{\"alg\":\"none\",\"alg\":\"RS256\"}",
	    GOOD, "", NULL },
	{ "a header that is a list", "RS256", KEY_RSA, "[\"RS256\"]", GOOD, "",
	    NULL },
	{ "a header that is none", "RS256", KEY_RSA, "RS256", GOOD, "", NULL },

	{ "claims that are none", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}", "x",
	    "", NULL },
	{ "claims in a list", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}", "[]", "",
	    NULL },
	{ "iss twice", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"x\"," CLAIMS "}", "", NULL },
	{ "another issuer", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":1800000100,\"sub\":\"a\"}",
	    "", NULL },
	{ "no issuer", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"aud\":\"mail\",\"exp\":1800000100,\"sub\":\"a\"}", "", NULL },
	{ "one of several audiences", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":[\"web\",\"mail\"],\"exp\":1800000100,\"sub\":\"a\"}",
	    "", "a" },
	{ "another audience", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":[\"web\",\"mai\",7],\"exp\":1800000100,\"sub\":\"a\"}",
	    "", NULL },
	{ "an audience in an object", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":{\"mail\":\"mail\"},\"exp\":1800000100,\"sub\":\"a\"}",
	    "", NULL },
	{ "no audience", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER "\",\"exp\":1800000100,\"sub\":\"a\"}", "",
	    NULL },
	{ "no exp", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER "\",\"aud\":\"mail\",\"sub\":\"a\"}", "",
	    NULL },
	{ "exp as text", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":\"mail\",\"exp\":\"1800000100\",\"sub\":\"a\"}",
	    "", NULL },
	{ "expired, within the leeway", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":\"mail\",\"exp\":1799999941,\"sub\":\"a\"}",
	    "", "a" },
	{ "expired", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":\"mail\",\"exp\":1799999940,\"sub\":\"a\"}",
	    "", NULL },
	{ "not yet, within the leeway", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"nbf\":1800000060,\"iat\":1800000060," CLAIMS "}", "",
	    "alice@example.org" },
	{ "not yet", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"nbf\":1800000061," CLAIMS "}", "", NULL },
	{ "from the future", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iat\":1800000061," CLAIMS "}", "", NULL },
	{ "nbf as text", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"nbf\":\"1\"," CLAIMS "}", "", NULL },

	{ "sub", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER
	    "\",\"aud\":\"mail\",\"exp\":1.8000001e9,\"sub\":\"17\"}",
	    "", "17" },
	{ "a claim of the operator's", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"login\":\"al\"," CLAIMS "}", "login", "al" },
	{ "which is not there", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}", GOOD,
	    "login", NULL },
	{ "a user that is a number", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"login\":17," CLAIMS "}", "login", NULL },
	{ "an empty user", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"login\":\"\"," CLAIMS "}", "login", NULL },
	{ "a user in two lines", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"login\":\"a\\nb\"," CLAIMS "}", "login", NULL },
	{ "a NUL in it", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"login\":\"a\\u0000b\"," CLAIMS "}", "login", NULL },
	{ "a verified address", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"email_verified\":true," CLAIMS "}", "", "alice@example.org" },
	{ "an address that is not", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"email_verified\":false," CLAIMS "}", "", NULL },
	{ "the same, of a claim that was chosen", "RS256", KEY_RSA,
	    "{\"alg\":\"RS256\"}", "{\"email_verified\":false," CLAIMS "}",
	    "email", NULL },
	{ "verified, and chosen", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"email_verified\":true," CLAIMS "}", "email",
	    "alice@example.org" },
	{ "said in a text", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"email_verified\":\"False\"," CLAIMS "}", "", NULL },
	{ "said in a number", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"email_verified\":0," CLAIMS "}", "", NULL },
	{ "verified, in a text", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"email_verified\":\"true\"," CLAIMS "}", "",
	    "alice@example.org" },
	{ "nobody", "RS256", KEY_RSA, "{\"alg\":\"RS256\"}",
	    "{\"iss\":\"" ISSUER "\",\"aud\":\"mail\",\"exp\":1800000100}", "",
	    NULL },
};

static struct jwks *set;

static const char *
check(const char *token, const char *claim, char user[ADDR_MAX + 1])
{
	struct jwt_want want = { .issuer = ISSUER,
		.audience = "mail",
		.user = claim,
		.now = NOW };
	size_t n = strlen(token);

	return jwt_check((struct slice){ unit_guard(token, n), n }, set, &want,
	    user);
}

static void
test_rows(void)
{
	char user[ADDR_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		EVP_PKEY *key =
		    rows[i].key == KEYS ? other_rsa : keys[rows[i].key];
		const char *why = check(token_of(rows[i].alg, key,
					    rows[i].header, rows[i].claims),
		    rows[i].claim, user);

		if (rows[i].user != NULL && why != NULL)
			printf("# %s\n", why);
		CHECK(rows[i].name,
		    rows[i].user == NULL ?
			why != NULL && user[0] == '\0' :
			why == NULL && strcmp(user, rows[i].user) == 0);
	}
}

/* Each byte of a good token counts. */
static void
test_changed(void)
{
	char token[2048], user[ADDR_MAX + 1];
	size_t i, n, passed = 0;

	snprintf(token, sizeof token, "%s",
	    token_of("ES256", keys[KEY_EC], "{\"alg\":\"ES256\"}", GOOD));
	n = strlen(token);
	for (i = 0; i < n; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		passed += check(token, "", user) == NULL;
		token[i] = was;
	}
	CHECK("a letter changed", passed == 0);
	for (i = 0; i < n; i++) {
		char was = token[i];

		token[i] = '\0';
		passed += check(token, "", user) == NULL;
		token[i] = was;
	}
	CHECK("cut short", passed == 0);
	CHECK("as it was", check(token, "", user) == NULL);
	snprintf(token + n, sizeof token - n, ".x");
	CHECK("a fourth part", check(token, "", user) != NULL);
	snprintf(token + n, sizeof token - n, "=");
	CHECK("padding", check(token, "", user) != NULL);
}

static void
test_size(void)
{
	static char token[JWT_MAX + 2], claims[JWT_MAX];
	char user[ADDR_MAX + 1];

	memset(token, 'a', sizeof token - 1);
	CHECK("too long", check(token, "", user) != NULL);
	snprintf(claims, sizeof claims, "{\"x\":\"%06000d\"," CLAIMS "}", 0);
	CHECK("long",
	    check(token_of("RS256", keys[KEY_RSA], "{\"alg\":\"RS256\"}",
		      claims),
		"", user) == NULL);
}

/* ---- vectors ---- */

static bool
verifies(const char *jwk, enum jwk_alg alg, const char *signed_,
    const char *sig)
{
	json_error_t error;
	json_t *json = json_loads(jwk, 0, &error);
	const char *why;
	struct jwk *k = jwk_new(json, &why);
	uint8_t bytes[512];
	size_t len;
	bool ok;

	json_decref(json);
	if (k == NULL ||
	    base64_parse(BASE64_URL, slice_of(sig), bytes, sizeof bytes,
		&len) != NULL)
		return false;
	ok = jwk_fits(k, alg) &&
	    jwk_verify(k, alg, slice_of(signed_), bytes, len);
	bytes[len / 2] ^= 1;
	ok = ok && !jwk_verify(k, alg, slice_of(signed_), bytes, len);
	jwk_free(&k);
	return ok;
}

static void
test_vectors(void)
{
	CHECK("RFC 7515 A.3",
	    verifies("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
		JWK_ES256,
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"));
	CHECK("RFC 8037 A.4",
	    verifies("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		JWK_EDDSA,
		"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"));
}

/* ---- sets ---- */

static void
test_sets(void)
{
	static const char *const bad[] = {
		"", "x", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}",
		"{\"keys\":[1]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"AQAB\"}]}",
		/* not on the curve */
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"key_ops\":[\"sign\"],\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"x\":\"a\"}]}"
	};
	struct jwks *none;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK("no set",
		    jwks_parse((struct slice){ unit_guard(bad[i],
						   strlen(bad[i])),
				   strlen(bad[i]) },
			&none) != NULL &&
			none == NULL);
}

int
main(void)
{
	make_keys();
	CHECK("a set", jwks_parse(slice_of(set_text), &set) == NULL);
	test_rows();
	test_changed();
	test_size();
	test_vectors();
	test_sets();
	jwks_free(&set);
	free_keys();
	return unit_end();
}
