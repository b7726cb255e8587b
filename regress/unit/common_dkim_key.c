/*
 * common/dkim_key.c: key records, keys that are none, names of records.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_world.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base64.h"

#define RSA RFC8463_RSA
#define ED  RFC8463_ED25519

enum { RSA_KEY = DKIM_RSA_SHA256, ED_KEY = DKIM_ED25519_SHA256 };

static const struct {
	const char *name, *text;
	int alg;
	enum auth_result result;
	const char *why;
} records[] = {
	{ "shortest", "p=" RSA, RSA_KEY, RES_PASS, NULL },
	{ "all tags",
	    "v=DKIM1; h=sha1:sha256; k=rsa; n=notes=20; p=" RSA
	    "; s=email:x; t=z; g=*",
	    RSA_KEY, RES_PASS, NULL },
	{ "Ed25519", "v=DKIM1; k=ed25519; p=" ED, ED_KEY, RES_PASS, NULL },
	{ "white space in the key",
	    "p=MIGf MA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/by\tYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQA B ;",
	    RSA_KEY, RES_PASS, NULL },
	{ "any service", "s=*; p=" RSA, RSA_KEY, RES_PASS, NULL },
	{ "empty", "", RSA_KEY, RES_PERMERROR, "malformed" },
	{ "SPF", "v=spf1 -all", RSA_KEY, RES_PERMERROR, "version" },
	{ "DMARC", "v=DMARC1; p=none", RSA_KEY, RES_PERMERROR, "version" },
	{ "v= not first", "k=rsa; v=DKIM1; p=" RSA, RSA_KEY, RES_PERMERROR,
	    "version" },
	{ "v=DKIM2", "v=DKIM2; p=" RSA, RSA_KEY, RES_PERMERROR, "version" },
	{ "v=dkim1", "v=dkim1; p=" RSA, RSA_KEY, RES_PERMERROR, "version" },
	{ "no p", "v=DKIM1; k=rsa", RSA_KEY, RES_PERMERROR, "no key" },
	{ "revoked", "v=DKIM1; p=", RSA_KEY, RES_PERMERROR, "revoked" },
	{ "revoked, white space", "p= ; t=y", RSA_KEY, RES_PERMERROR,
	    "revoked" },
	{ "h= without sha256", "h=sha1; p=" RSA, RSA_KEY, RES_PERMERROR,
	    "hashes" },
	{ "h= empty", "h=; p=" RSA, RSA_KEY, RES_PERMERROR, "hashes" },
	{ "k= unknown", "k=dsa; p=" RSA, RSA_KEY, RES_PERMERROR, "algorithm" },
	{ "k= empty", "k=; p=" RSA, RSA_KEY, RES_PERMERROR, "algorithm" },
	{ "RSA for Ed25519", "k=rsa; p=" RSA, ED_KEY, RES_PERMERROR,
	    "algorithm" },
	{ "Ed25519 for RSA", "k=ed25519; p=" ED, RSA_KEY, RES_PERMERROR,
	    "algorithm" },
	{ "default is RSA", "p=" ED, ED_KEY, RES_PERMERROR, "algorithm" },
	{ "s= another", "s=tlsrpt; p=" RSA, RSA_KEY, RES_PERMERROR,
	    "services" },
	{ "s= empty", "s=; p=" RSA, RSA_KEY, RES_PERMERROR, "services" },
	{ "a tag twice", "p=" RSA "; p=" RSA, RSA_KEY, RES_PERMERROR,
	    "malformed" },
	{ "no base64", "p=MIGf!", RSA_KEY, RES_PERMERROR, "base64" },
	{ "base64 cut short", "p=MIGfM", RSA_KEY, RES_PERMERROR, "base64" },
	{ "no DER", "p=AAAA", RSA_KEY, RES_PERMERROR, "no usable key" },
	{ "DER cut short",
	    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6",
	    RSA_KEY, RES_PERMERROR, "no usable key" },
	{ "more behind the DER", "p=" RSA "AAAA", RSA_KEY, RES_PERMERROR,
	    NULL },
	{ "Ed25519 too short", "k=ed25519; p=AAAA", ED_KEY, RES_PERMERROR,
	    "no usable key" },
	{ "Ed25519 in RSA", "k=rsa; p=" ED, RSA_KEY, RES_PERMERROR,
	    "no usable key" },
	{ "Ed25519 as SubjectPublicKeyInfo in RSA",
	    "p=MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
	    RSA_KEY, RES_PERMERROR, "no usable key" },
	{ "Ed25519 as SubjectPublicKeyInfo",
	    "k=ed25519; "
	    "p=MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
	    ED_KEY, RES_PERMERROR, "no usable key" },
};

static enum auth_result
read_text(struct slice text, int alg, struct dkim_key *k, const char **why)
{
	struct key_found found = { .status = DNS_FOUND, .n = 1, .text = text };

	return dkim_key_read(&found, (enum dkim_alg)alg, k, why);
}

static void
test_records(void)
{
	struct dkim_key k;
	struct slice text;
	const char *why;
	enum auth_result r;
	size_t i, cut;

	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		text.len = strlen(records[i].text);
		text.p = unit_guard(records[i].text, text.len);
		r = read_text(text, records[i].alg, &k, &why);
		CHECK(records[i].name,
		    r == records[i].result &&
			(k.pkey != NULL) == (r == RES_PASS) &&
			(why == NULL) == (r == RES_PASS) &&
			(records[i].why == NULL ||
			    strstr(why, records[i].why) != NULL));
		dkim_key_free(&k);
		for (cut = 0; cut < text.len; cut += 1 + cut / 16) {
			struct slice part = { unit_guard(text.p, cut), cut };

			read_text(part, records[i].alg, &k, &why);
			dkim_key_free(&k);
		}
	}
	CHECK("nothing is left of the errors", ERR_peek_error() == 0);
	read_text(SLICE("p=" RSA "; t= y : s"), RSA_KEY, &k, &why);
	CHECK("flags", k.testing && k.strict && k.bits == 1024);
	dkim_key_free(&k);
	read_text(SLICE("p=" RSA "; t=ys"), RSA_KEY, &k, &why);
	CHECK("other flags", !k.testing && !k.strict);
	dkim_key_free(&k);
}

static void
test_found(void)
{
	static const struct {
		const char *name;
		struct key_found found;
		enum auth_result result;
	} rows[] = {
		{ "no name", { .status = DNS_NXDOMAIN }, RES_PERMERROR },
		{ "no record", { .status = DNS_NODATA }, RES_PERMERROR },
		{ "no answer", { .status = DNS_LATER }, RES_TEMPERROR },
		{ "no sense", { .status = 77 }, RES_TEMPERROR },
		{ "found none", { .status = DNS_FOUND }, RES_PERMERROR },
		{ "several", { .status = DNS_FOUND, .n = 2 }, RES_PERMERROR },
		{ "cut", { .status = DNS_FOUND, .n = 1, .cut = true },
		    RES_POLICY },
	};
	struct key_found found;
	struct dkim_key k;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		found = rows[i].found;
		found.text = SLICE("p=" RSA);
		CHECK(rows[i].name,
		    dkim_key_read(&found, DKIM_RSA_SHA256, &k, &why) ==
			    rows[i].result &&
			why != NULL && k.pkey == NULL);
	}
}

/* A public key of so many bits, with this exponent; no one has the other
 * half. */
static EVP_PKEY *
made_up(int bits, const char *e_hex)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = NULL;
	OSSL_PARAM *params;
	EVP_PKEY *pkey = NULL;

	BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_hex2bn(&e, e_hex);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
	params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_fromdata_init(ctx);
	EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return pkey;
}

/* Its record, in SubjectPublicKeyInfo, or as RSAPublicKey. */
static void
print_record(EVP_PKEY *pkey, bool bare, struct buf *out)
{
	unsigned char *der = NULL;
	char b64[8192];
	int len = bare ? i2d_PublicKey(pkey, &der) : i2d_PUBKEY(pkey, &der);

	base64_print(BASE64_PLAIN, der, (size_t)len, b64);
	buf_init(out, 0);
	buf_printf(out, "p=%s", b64);
	OPENSSL_free(der);
}

static void
test_sizes(void)
{
	static const struct {
		const char *name;
		int bits;
		const char *e;
		enum auth_result result;
	} rows[] = {
		{ "512 bits", 512, "10001", RES_POLICY },
		{ "1023 bits", 1023, "10001", RES_POLICY },
		{ "1024 bits", 1024, "10001", RES_PASS },
		{ "2048 bits", 2048, "3", RES_PASS },
		{ "4096 bits", 4096, "10001", RES_PASS },
		{ "8192 bits", 8192, "10001", RES_PASS },
		{ "8193 bits", 8193, "10001", RES_POLICY },
		{ "16384 bits", 16384, "10001", RES_POLICY },
		{ "an exponent of 64 bits", 2048, "FFFFFFFFFFFFFFFF",
		    RES_PASS },
		{ "an exponent of 65 bits", 2048, "1FFFFFFFFFFFFFFFF",
		    RES_POLICY },
	};
	struct buf text;
	struct dkim_key k;
	EVP_PKEY *pkey;
	const char *why;
	size_t i;
	int bare;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pkey = made_up(rows[i].bits, rows[i].e);
		for (bare = 0; bare < 2; bare++) {
			print_record(pkey, bare, &text);
			CHECK(rows[i].name,
			    text.len <= KEY_TEXT_MAX &&
				read_text((struct slice){ (const char *)
							      buf_data(&text),
					      text.len },
				    RSA_KEY, &k, &why) == rows[i].result &&
				(rows[i].result != RES_PASS ||
				    k.bits == (unsigned int)rows[i].bits));
			dkim_key_free(&k);
			buf_free(&text);
		}
		EVP_PKEY_free(pkey);
	}
}

/* Each bit of what stands in front of the modulus, of either form: with another
 * it is no key.  And a modulus that is even. */
static void
test_der(void)
{
	static const char whole[] = RSA;
	uint8_t der[200], wrong[200];
	char text[400] = "p=";
	struct dkim_key k;
	const char *why;
	size_t len, i, front, passed = 0;
	int bare, bit;

	base64_parse(BASE64_PLAIN, slice_of(whole), der, sizeof(der), &len);
	for (bare = 0; bare < 2; bare++) {
		front = bare ? 6 : 28;
		for (i = 0; i < front * 8; i++) {
			bit = 1 << i % 8;
			memcpy(wrong, der, len);
			wrong[i / 8] = (uint8_t)(wrong[i / 8] ^ bit);
			base64_print(BASE64_PLAIN, wrong, len, text + 2);
			passed += read_text(slice_of(text), RSA_KEY, &k,
				      &why) == RES_PASS;
			dkim_key_free(&k);
		}
		/* RSAPublicKey is in the BIT STRING of the other. */
		memmove(der, der + 22, len - 22);
		len -= 22;
		base64_print(BASE64_PLAIN, der, len, text + 2);
		CHECK("bare key",
		    bare ||
			read_text(slice_of(text), RSA_KEY, &k, &why) ==
			    RES_PASS);
		if (!bare)
			dkim_key_free(&k);
	}
	CHECK("other DER", passed == 0);
	base64_parse(BASE64_PLAIN, slice_of(whole), der, sizeof(der), &len);
	der[29 + 127] &= 0xfe;
	base64_print(BASE64_PLAIN, der, len, text + 2);
	CHECK("an even modulus",
	    read_text(slice_of(text), RSA_KEY, &k, &why) == RES_PERMERROR);
}

/* Signatures that cannot be any: too short, too long, all zeros. */
static void
test_verify(void)
{
	static const uint8_t digest[32] = { 1 };
	uint8_t sig[600] = { 0 };
	struct dkim_key k;
	const char *why;
	size_t len;
	bool any = false;

	read_text(SLICE("p=" RSA), RSA_KEY, &k, &why);
	for (len = 0; len < sizeof(sig); len++)
		any = any || dkim_key_verify(&k, digest, sig, len);
	dkim_key_free(&k);
	read_text(SLICE("k=ed25519; p=" ED), ED_KEY, &k, &why);
	for (len = 0; len < sizeof(sig); len++)
		any = any || dkim_key_verify(&k, digest, sig, len);
	dkim_key_free(&k);
	CHECK("no signature", !any);
	CHECK("nothing is left of the errors", ERR_peek_error() == 0);
}

static void
test_names(void)
{
	static const struct {
		const char *selector, *domain, *name; /* NULL: none */
	} rows[] = {
		{ "s", "d.example", "s._domainkey.d.example" },
		{ "S.T", "D.Example", "s.t._domainkey.d.example" },
		{ "s_1", "_d.example", "s_1._domainkey._d.example" },
		{ "\xc3\xa4",
		    "b\xc3\xbc"
		    "cher.example",
		    "xn--4ca._domainkey.xn--bcher-kva.example" },
		{ "", "d.example", NULL },
		{ "s", "", NULL },
		{ "s.", "d.example", NULL },
		{ ".s", "d.example", NULL },
		{ "s", "d..example", NULL },
		{ "a b", "d.example", NULL },
		{ "a\\.b", "d.example", NULL },
		{ "*", "d.example", NULL },
		{ "s", "\xff", NULL },
		{ "a123456789012345678901234567890123456789012345678901234567890123",
		    "d.example", NULL },
	};
	char out[HOST_MAX + 1], label[64], domain[300] = "";
	size_t i, left;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good =
		    dkim_key_name(rows[i].selector, rows[i].domain, out);

		CHECK(rows[i].name == NULL ? "no name" : rows[i].name,
		    good == (rows[i].name != NULL) &&
			strcmp(out, good ? rows[i].name : "") == 0);
	}
	/* 253 bytes and one more. */
	memset(label, 'a', 63);
	label[63] = '\0';
	snprintf(domain, sizeof(domain), "%s.%s.%s.", label, label, label);
	left = 253 - strlen("s._domainkey.") - strlen(domain);
	snprintf(domain + strlen(domain), sizeof(domain) - strlen(domain),
	    "%.*s", (int)left, label);
	CHECK("longest", dkim_key_name("s", domain, out) && strlen(out) == 253);
	CHECK("too long", !dkim_key_name("st", domain, out) && out[0] == '\0');
}

int
main(void)
{
	test_records();
	test_found();
	test_sizes();
	test_der();
	test_verify();
	test_names();
	return unit_end();
}
