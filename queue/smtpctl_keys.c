/*
 * Keys for verbs.  Run by an operator; asks the name servers that it was told,
 * and waits for them.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_keys.h"

#include <err.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "dkim_verify.h"
#include "log.h"

struct keys;

/* One question. */
struct key_row {
	struct keys *keys;
	unsigned int i;
	struct dns_ask ask;
};

struct keys {
	keys_take *take;
	void *arg;
	unsigned int open;
	bool done;
};

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct key_row *row = arg;
	struct keys *k = row->keys;
	struct key_found found = { .status = a->status, .why = a->why };

	if (a->status == DNS_FOUND && a->n > 0) {
		found.n = a->n + a->more;
		found.text = dns_text(a, 0);
	}
	if (found.text.len > KEY_TEXT_MAX) {
		found.text.len = KEY_TEXT_MAX;
		found.cut = true;
	}
	k->take(k->arg, row->i, &found);
	k->done = --k->open == 0;
}

void
keys_ask(struct asker *a, unsigned int n, keys_wants *wants, keys_take *take,
    void *arg)
{
	struct keys k = { .take = take, .arg = arg, .done = true };
	struct key_row *row = xcalloc(n + 1, sizeof(*row));
	char name[HOST_MAX + 1];
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!wants(arg, i, name))
			continue;
		row[i].keys = &k;
		row[i].i = i;
		k.open++;
		k.done = false;
		dns_ask(a->dns, &row[i].ask, name, DNS_TXT, on_answer, &row[i]);
	}
	asker_wait(a, &k.done);
	free(row);
}

/* ---- private keys ---- */

bool
keys_names(const char *domain, const char *selector, char d[DOMAIN_MAX + 1],
    char s[DOMAIN_MAX + 1])
{
	char name[HOST_MAX + 1];

	if (dkim_domain_read(slice_of(domain), d) == NULL &&
	    dkim_selector_read(slice_of(selector), s) == NULL &&
	    dkim_key_name(s, d, name))
		return true;
	warnx("domain \"%s\" and selector \"%s\" are no name for the DNS",
	    domain, selector);
	return false;
}

bool
keys_alg(EVP_PKEY *pkey, enum dkim_alg *alg)
{
	int bits = EVP_PKEY_get_bits(pkey);

	*alg = DKIM_RSA_SHA256;
	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*alg = DKIM_ED25519_SHA256;
		return true;
	}
	return EVP_PKEY_is_a(pkey, "RSA") && bits >= DKIM_RSA_BITS_MIN &&
	    bits <= DKIM_RSA_BITS_MAX;
}

static bool
sign_rsa(EVP_PKEY *pkey, const uint8_t digest[32], uint8_t *sig, size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool good;

	good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_sign(ctx, sig, len, digest, 32) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static bool
sign_ed25519(EVP_PKEY *pkey, const uint8_t digest[32], uint8_t *sig,
    size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestSign(ctx, sig, len, digest, 32) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

size_t
keys_sign(EVP_PKEY *pkey, const uint8_t digest[32], uint8_t sig[KEY_SIG_MAX])
{
	size_t len = KEY_SIG_MAX;
	enum dkim_alg alg;
	bool good;

	if (!keys_alg(pkey, &alg))
		return 0;
	if (alg == DKIM_RSA_SHA256)
		good = sign_rsa(pkey, digest, sig, &len);
	else
		good = sign_ed25519(pkey, digest, sig, &len);
	return good ? len : 0;
}
