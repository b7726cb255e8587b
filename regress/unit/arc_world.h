/*
 * A world of messages and keys for ARC: records that a name server would have,
 * a chain verified as session does it, and sealed as deliver does it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef ARC_WORLD_H
#define ARC_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "arc.h"
#include "base64.h"
#include "buf.h"
#include "dns_packet.h"
#include "log.h"
#include "mail_read.h"

#define WORLD_KEYS   64
#define WORLD_HEADER ((size_t)1 << 20)

/* A record: name, its text; NULL: the DNS does not say. */
struct world {
	struct {
		char *name, *text;
	} key[WORLD_KEYS];
	unsigned int n;
};

/* One message, and what was found. */
struct mail {
	struct mail_read m;
	struct arc *arc;
	const struct arc_is *is;
	int hash; /* of its body, relaxed */
};

static inline void
world_key(struct world *w, const char *name, const char *text)
{
	unsigned int i;

	for (i = 0; i < w->n && strcmp(w->key[i].name, name) != 0; i++)
		;
	if (i == WORLD_KEYS)
		abort();
	if (i == w->n) {
		w->n++;
		w->key[i].name = strdup(name);
	} else
		free(w->key[i].text);
	w->key[i].text = text == NULL ? NULL : strdup(text);
}

static inline void
world_free(struct world *w)
{
	while (w->n > 0) {
		w->n--;
		free(w->key[w->n].name);
		free(w->key[w->n].text);
	}
}

/* Publishes a key. */
static inline void
world_publish(struct world *w, const char *name, EVP_PKEY *key)
{
	bool rsa = EVP_PKEY_is_a(key, "RSA");
	uint8_t raw[32], *der = raw;
	size_t len = sizeof raw;
	char *text, *b64;

	if (rsa) {
		der = NULL;
		len = (size_t)i2d_PUBKEY(key, &der);
	} else if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1)
		abort();
	b64 = malloc(BASE64_LEN(len) + 1);
	base64_print(BASE64_PLAIN, der, len, b64);
	if (asprintf(&text, "v=DKIM1; k=%s; p=%s", rsa ? "rsa" : "ed25519",
		b64) == -1)
		abort();
	world_key(w, name, text);
	free(text);
	free(b64);
	if (rsa)
		OPENSSL_free(der);
}

static inline void
world_answer(const struct world *w, struct arc *a, unsigned int i)
{
	struct key_found found = { .status = DNS_NODATA };
	char name[HOST_MAX + 1];
	unsigned int n;

	if (!arc_wants(a, i, name))
		return;
	for (n = 0; n < w->n && strcmp(w->key[n].name, name) != 0; n++)
		;
	if (n < w->n && w->key[n].text == NULL) {
		found.status = DNS_LATER;
		found.why = "the name server is silent";
	} else if (n < w->n) {
		found.status = DNS_FOUND;
		found.n = 1;
		found.text = slice_of(w->key[n].text);
	}
	arc_key(a, i, &found);
}

/* Reads and verifies; w NULL: reads alone. */
static inline void
mail_open(struct mail *mail, const struct world *w, const void *p, size_t len)
{
	size_t used;
	unsigned int i;

	memset(mail, 0, sizeof *mail);
	mail_read_init(&mail->m, WORLD_HEADER);
	used = mail_read_header(&mail->m, p, len);
	mail_read_finish_header(&mail->m);
	mail->arc = arc_begin(&mail->m, 1700000000);
	mail->hash = mail_read_want(&mail->m, CANON_RELAXED, UINT64_MAX);
	mail_read_body(&mail->m, (const uint8_t *)p + used, len - used);
	mail_read_end(&mail->m);
	for (i = 0; w != NULL && i < arc_keys(mail->arc); i++)
		world_answer(w, mail->arc, i);
	arc_finish(mail->arc);
	mail->is = arc_result(mail->arc);
}

static inline void
mail_close(struct mail *mail)
{
	arc_free(&mail->arc);
	mail_read_free(&mail->m);
}

/* What is found of a message. */
static inline struct arc_is
mail_verify(const struct world *w, const void *p, size_t len)
{
	struct arc_is is;
	struct mail mail;

	mail_open(&mail, w, p, len);
	is = *mail.is;
	mail_close(&mail);
	return is;
}

/* As keys does it.  Bytes of the signature. */
static inline size_t
key_sign(EVP_PKEY *key, const uint8_t digest[32], uint8_t sig[1024])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	size_t len = 1024;
	int good;

	if (EVP_PKEY_is_a(key, "RSA")) {
		ctx = EVP_PKEY_CTX_new(key, NULL);
		good = EVP_PKEY_sign_init(ctx) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		    EVP_PKEY_sign(ctx, sig, &len, digest, 32) == 1;
	} else
		good = EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestSign(md, sig, &len, digest, 32) == 1;
	if (!good)
		abort();
	EVP_PKEY_CTX_free(ctx);
	EVP_MD_CTX_free(md);
	return len;
}

/* Puts a set on top of a message.  NULL, or why not. */
static inline const char *
mail_seal(struct mail *mail, EVP_PKEY *key, const char *domain,
    const char *selector, const struct arc_say *say, struct buf *out)
{
	struct dkim_wish wish = { .domain = domain,
		.selector = selector,
		.alg = EVP_PKEY_is_a(key, "RSA") ? DKIM_RSA_SHA256 :
						   DKIM_ED25519_SHA256,
		.header = CANON_RELAXED,
		.body = CANON_RELAXED,
		.now = 1600000000 };
	struct arc_seal s;
	uint8_t sig[1024];
	const char *why;
	size_t len;

	why = arc_seal_begin(&s, &mail->m, mail->hash, &wish, say);
	if (why == NULL) {
		len = key_sign(key, s.signature.digest, sig);
		why = arc_seal_middle(&s, &mail->m, &wish, say, sig, len);
	}
	if (why == NULL) {
		len = key_sign(key, s.seal.digest, sig);
		if (!arc_seal_end(&s, sig, len) || !arc_seal_print(&s, out))
			why = "no room";
	}
	arc_seal_free(&s);
	return why;
}

#endif
