/*
 * Public keys of DKIM (RFC 6376 3.6.1, RFC 8301, RFC 8463).  Runs in session
 * and smtpctl, over records that strangers publish; asks nobody, keeps
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_key.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "dkim_tags.h"
#include "dns_packet.h"
#include "idn.h"
#include "smtp_addr.h"

enum {
	ED25519_BYTES = 32,
	EXPONENT_BITS = 64, /* with a larger one verifying takes long */
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_SEQUENCE = 0x30,
	NAME_BYTES = 253
};

/* Columns: k= of a key record, a= of a signature. */
static const struct {
	const char *key, *signature;
} algs[] = {
	[DKIM_RSA_SHA256] = { "rsa", "rsa-sha256" },
	[DKIM_ED25519_SHA256] = { "ed25519", "ed25519-sha256" },
};

const char *
dkim_alg_word(enum dkim_alg alg)
{
	return algs[alg].signature;
}

bool
dkim_alg_of(struct slice word, enum dkim_alg *alg)
{
	size_t i;

	for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if (!slice_eq(word, slice_of(algs[i].signature)))
			continue;
		*alg = (enum dkim_alg)i;
		return true;
	}
	return false;
}

/* ---- the record ---- */

/* Whether word or other is in a list with colons. */
static bool
has_member(struct slice list, const char *word, const char *other)
{
	struct slice member;

	while (tags_member(&list, &member))
		if (slice_eq(member, slice_of(word)) ||
		    (other != NULL && slice_eq(member, slice_of(other))))
			return true;
	return false;
}

/* What the record says besides its key.  NULL, or why it is none for a
 * signature of this algorithm. */
static const char *
check_tags(const struct tags *t, enum dkim_alg alg, struct dkim_key *k)
{
	const struct slice *v = tags_get(t, "v"), *h = tags_get(t, "h");
	const struct slice *type = tags_get(t, "k"), *s = tags_get(t, "s");
	const struct slice *flags = tags_get(t, "t"), *p = tags_get(t, "p");

	if (v != NULL &&
	    (v != &t->tag[0].value || !slice_eq(*v, SLICE("DKIM1"))))
		return "the key record has another version";
	if (p == NULL)
		return "the key record has no key";
	if (p->len == 0)
		return "the key is revoked";
	if (h != NULL && !has_member(*h, "sha256", NULL))
		return "the key is for other hashes";
	if (!slice_eq(type != NULL ? *type : SLICE("rsa"),
		slice_of(algs[alg].key)))
		return "the key is for another algorithm";
	if (s != NULL && !has_member(*s, "*", "email"))
		return "the key is for other services";
	if (flags != NULL) {
		k->testing = has_member(*flags, "y", NULL);
		k->strict = has_member(*flags, "s", NULL);
	}
	return NULL;
}

/* ---- the key ---- */

/* Takes one element of DER (X.690 8.1, 10.1) with this tag off the front of in.
 * False: there is none, or its length is not written as it has to be. */
static bool
der_take(struct slice *in, uint8_t tag, struct slice *out)
{
	const uint8_t *p = (const uint8_t *)in->p;
	size_t head = 2, len;

	if (in->len < head || p[0] != tag)
		return false;
	len = p[1];
	if (len == 0x81 || len == 0x82) {
		head += len & 3;
		if (in->len < head)
			return false;
		len = head == 3 ? p[2] : (size_t)p[2] << 8 | p[3];
		if (len < (head == 3 ? 0x80u : 0x100u))
			return false;
	} else if (len > 0x7f)
		return false;
	if (len > in->len - head)
		return false;
	*out = (struct slice){ in->p + head, len };
	in->p += head + len;
	in->len -= head + len;
	return true;
}

/* A positive INTEGER, without the zero in front that DER may want. */
static bool
der_number(struct slice *in, struct slice *out)
{
	const struct slice zero = { "", 1 };

	if (!der_take(in, DER_INTEGER, out) || out->len == 0 ||
	    (out->p[0] & 0x80) != 0)
		return false;
	if (slice_eq((struct slice){ out->p, 1 }, zero)) {
		out->p++;
		out->len--;
	}
	return out->len > 0 && out->p[0] != '\0';
}

/* RSAPublicKey (RFC 8017 A.1.1): all of in. */
static bool
der_rsa(struct slice in, struct slice *n, struct slice *e)
{
	struct slice key;

	return der_take(&in, DER_SEQUENCE, &key) && in.len == 0 &&
	    der_number(&key, n) && der_number(&key, e) && key.len == 0;
}

/* SubjectPublicKeyInfo (RFC 3279 2.3.1), as the examples of RFC 6376 and nearly
 * all have it; or RSAPublicKey, as the text of its 3.6.1 has it. */
static bool
der_public(struct slice in, struct slice *n, struct slice *e)
{
	static const char rsa[] =
	    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
	struct slice all = in, info, alg, bits;

	if (der_rsa(in, n, e))
		return true;
	if (!der_take(&all, DER_SEQUENCE, &info) || all.len != 0 ||
	    !der_take(&info, DER_SEQUENCE, &alg) ||
	    !der_take(&info, DER_BIT_STRING, &bits) || info.len != 0)
		return false;
	/* The name of rsaEncryption, and no parameters. */
	if (alg.len < sizeof(rsa) - 1 ||
	    memcmp(alg.p, rsa, sizeof(rsa) - 1) != 0)
		return false;
	alg.p += sizeof(rsa) - 1;
	alg.len -= sizeof(rsa) - 1;
	if (alg.len != 0 && !slice_eq(alg, SLICE("\x05\0")))
		return false;
	if (bits.len == 0 || bits.p[0] != '\0')
		return false;
	return der_rsa((struct slice){ bits.p + 1, bits.len - 1 }, n, e);
}

static unsigned int
bits_of(struct slice number)
{
	unsigned int first = (uint8_t)number.p[0], bits = 0;

	for (; first != 0; first >>= 1)
		bits++;
	return bits + 8 * (unsigned int)(number.len - 1);
}

/* A key of OpenSSL from its two numbers. */
static EVP_PKEY *
make_rsa(struct slice n, struct slice e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *bn = BN_bin2bn((const uint8_t *)n.p, (int)n.len, NULL);
	BIGNUM *be = BN_bin2bn((const uint8_t *)e.p, (int)e.len, NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (bld != NULL && ctx != NULL && bn != NULL && be != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1 &&
	    (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
	    EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(bn);
	BN_free(be);
	return pkey;
}

/*
 * The DER is read here: it is three sequences and two numbers, strangers wrote
 * it, and d2i_PUBKEY() would try every kind of key that OpenSSL knows, which
 * also takes ten times as long as the signature.
 */
static enum auth_result
read_rsa(const struct buf *der, struct dkim_key *k, const char **why)
{
	struct slice in = { (const char *)buf_data(der), der->len }, n, e;

	if (!der_public(in, &n, &e) || (n.p[n.len - 1] & 1) == 0) {
		*why = "the key record has no usable key";
		return RES_PERMERROR;
	}
	k->bits = bits_of(n);
	if (k->bits < DKIM_RSA_BITS_MIN)
		*why = "the key is too small";
	else if (k->bits > DKIM_RSA_BITS_MAX)
		*why = "the key is too large";
	else if (bits_of(e) > EXPONENT_BITS)
		*why = "the exponent of the key is too large";
	if (*why != NULL)
		return RES_POLICY;
	k->pkey = make_rsa(n, e);
	return RES_PASS;
}

static enum auth_result
read_key(const struct buf *der, struct dkim_key *k, const char **why)
{
	enum auth_result r = RES_PASS;

	if (k->alg == DKIM_RSA_SHA256)
		r = read_rsa(der, k, why);
	else if (der->len == ED25519_BYTES) {
		k->bits = 8 * ED25519_BYTES;
		k->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
		    buf_data(der), der->len);
	}
	if (r == RES_PASS && k->pkey == NULL) {
		*why = "the key record has no usable key";
		return RES_PERMERROR;
	}
	return r;
}

static enum auth_result
read_record(struct slice text, struct dkim_key *k, const char **why)
{
	struct tags t;
	struct buf der;
	enum auth_result r = RES_PERMERROR;

	if (tags_parse(text, &t) != NULL) {
		*why = "the key record is malformed";
		return RES_PERMERROR;
	}
	if ((*why = check_tags(&t, k->alg, k)) != NULL)
		return RES_PERMERROR;
	buf_init(&der, KEY_TEXT_MAX);
	if (tags_base64(*tags_get(&t, "p"), &der) != NULL)
		*why = "the key is no base64";
	else
		r = read_key(&der, k, why);
	buf_free(&der);
	return r;
}

enum auth_result
dkim_key_read(const struct key_found *found, enum dkim_alg alg,
    struct dkim_key *k, const char **why)
{
	enum auth_result r;

	memset(k, 0, sizeof(*k));
	k->alg = alg;
	*why = NULL;
	switch (found->status) {
	case DNS_FOUND:
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		*why = "there is no key record";
		return RES_PERMERROR;
	default:
		/* found->why is not there for long. */
		*why = "the DNS does not say the key";
		return RES_TEMPERROR;
	}
	if (found->n != 1) {
		*why = found->n == 0 ? "there is no key record" :
				       "there are several key records";
		return RES_PERMERROR;
	}
	if (found->cut) {
		*why = "the key record is too long";
		return RES_POLICY;
	}
	r = read_record(found->text, k, why);
	if (r != RES_PASS)
		dkim_key_free(k);
	ERR_clear_error();
	return r;
}

void
dkim_key_free(struct dkim_key *k)
{
	EVP_PKEY_free(k->pkey);
	k->pkey = NULL;
}

/* ---- the signature ---- */

static bool
verify_rsa(EVP_PKEY *pkey, const uint8_t digest[32], const uint8_t *sig,
    size_t len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool good;

	good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(ctx, sig, len, digest, 32) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static bool
verify_ed25519(EVP_PKEY *pkey, const uint8_t digest[32], const uint8_t *sig,
    size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, sig, len, digest, 32) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

bool
dkim_key_verify(const struct dkim_key *k, const uint8_t digest[32],
    const uint8_t *sig, size_t len)
{
	bool good;

	if (k->alg == DKIM_ED25519_SHA256)
		good = verify_ed25519(k->pkey, digest, sig, len);
	else
		good = verify_rsa(k->pkey, digest, sig, len);
	/* What OpenSSL says of it would be taken for an error of TLS. */
	ERR_clear_error();
	return good;
}

/* ---- its name ---- */

bool
dkim_key_name(const char *selector, const char *domain, char out[HOST_MAX + 1])
{
	static const char middle[] = "._domainkey.";
	char s[DOMAIN_MAX + 1], d[DOMAIN_MAX + 1];

	out[0] = '\0';
	if (idn_domain(slice_of(selector), s) != NULL ||
	    idn_domain(slice_of(domain), d) != NULL ||
	    !smtp_labels_check(s, 1) || !smtp_labels_check(d, 1) ||
	    strlen(s) + strlen(middle) + strlen(d) > NAME_BYTES)
		return false;
	memcpy(out, s, strlen(s));
	memcpy(out + strlen(s), middle, strlen(middle));
	memcpy(out + strlen(s) + strlen(middle), d, strlen(d) + 1);
	return true;
}
