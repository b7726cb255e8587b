/*
 * common/dkim_sign.c: what it signs can be verified, in every form, and is no
 * longer valid when a field is added that it forbids.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_world.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base64.h"
#include "dkim_sign.h"

static const char message[] =
    "Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=x; h=from;\r\n"
    "\tbh=AAAA; b=AAAA\r\n"
    "Authentication-Results: b; spf=pass\r\n"
    "ARC-Seal: i=1; cv=none\r\n"
    "From: Joe SixPack <joe@example.org>\r\n"
    "Subject: Is  dinner\r\n\tready? \r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "List-Id: one\r\nList-Id: two\r\nX-Other: no\r\n"
    "\r\n"
    " Hi.  \r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\n\r\n";

static EVP_PKEY *keys[2];
static char records[2][1024];
static struct world_key published[] = {
	{ "s._domainkey.example.org", NULL },
	{ NULL, NULL },
};

static void
make_keys(void)
{
	unsigned char *der = NULL, raw[32];
	size_t n = sizeof(raw);
	char b64[900];
	int len;

	keys[DKIM_RSA_SHA256] = EVP_RSA_gen(1024);
	keys[DKIM_ED25519_SHA256] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	len = i2d_PUBKEY(keys[DKIM_RSA_SHA256], &der);
	base64_print(BASE64_PLAIN, der, (size_t)len, b64);
	OPENSSL_free(der);
	snprintf(records[0], sizeof(records[0]), "v=DKIM1; p=%s", b64);
	EVP_PKEY_get_raw_public_key(keys[DKIM_ED25519_SHA256], raw, &n);
	base64_print(BASE64_PLAIN, raw, n, b64);
	snprintf(records[1], sizeof(records[1]), "k=ed25519; p=%s", b64);
}

static size_t
key_sign(enum dkim_alg alg, const uint8_t digest[32], uint8_t *sig, size_t size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(keys[alg], NULL);
	size_t len = size;

	if (alg == DKIM_ED25519_SHA256) {
		EVP_DigestSignInit(md, NULL, NULL, NULL, keys[alg]);
		EVP_DigestSign(md, sig, &len, digest, 32);
	} else {
		EVP_PKEY_sign_init(ctx);
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
		EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
		EVP_PKEY_sign(ctx, sig, &len, digest, 32);
	}
	EVP_MD_CTX_free(md);
	EVP_PKEY_CTX_free(ctx);
	return len;
}

/* The signed message in out.  False: it was not signed. */
static bool
sign(const struct dkim_wish *w, const char *mail, struct buf *out)
{
	struct mail_read m;
	struct dkim_made d;
	uint8_t sig[1024];
	size_t used, len;
	int hash;
	bool good;

	buf_init(out, 0);
	mail_read_init(&m, 65536);
	used = mail_read_header(&m, (const uint8_t *)mail, strlen(mail));
	mail_read_finish_header(&m);
	hash = mail_read_want(&m, w->body, UINT64_MAX);
	mail_read_body(&m, (const uint8_t *)mail + used, strlen(mail) - used);
	mail_read_end(&m);
	good = dkim_sign_check(&m) == NULL &&
	    dkim_sign_begin(&d, &m, hash, w) == NULL;
	if (good) {
		len = key_sign(w->alg, d.digest, sig, sizeof(sig));
		good = dkim_sign_end(&d, sig, len) &&
		    buf_add(out, buf_data(&d.text), d.text.len) &&
		    buf_puts(out, mail);
		dkim_made_free(&d);
	}
	mail_read_free(&m);
	return good;
}

static enum auth_result
verify(const struct buf *mail, enum dkim_alg alg)
{
	struct world w = { .now = 1600000000 };
	enum auth_result r;

	published[0].text = records[alg];
	world_verify(&w, published, buf_data(mail), mail->len);
	r = w.v.n == 0 ? RES_NONE : w.v.check[0].result;
	world_free(&w);
	return r;
}

static const char *
text_of(struct buf *b)
{
	buf_add(b, "", 1);
	return (const char *)buf_data(b);
}

static void
test_forms(void)
{
	static const char *const more[] = { "Subject: x\r\n", "From: a@b\r\n",
		"Reply-To: c@d\r\n", "To: x\r\n" };
	struct dkim_wish w = { .domain = "example.org",
		.selector = "s",
		.now = 1600000000 };
	struct buf out, front;
	unsigned int alg, header, body, i, bad = 0;

	for (alg = 0; alg < 2; alg++)
		for (header = 0; header < 2; header++)
			for (body = 0; body < 2; body++) {
				w.alg = alg;
				w.header = header;
				w.body = body;
				CHECK("signed",
				    sign(&w, message, &out) &&
					verify(&out, alg) == RES_PASS);
				for (i = 0; i < 4; i++) {
					buf_init(&front, 0);
					buf_puts(&front, more[i]);
					buf_add(&front, buf_data(&out),
					    out.len);
					bad += verify(&front, alg) != RES_FAIL;
					buf_free(&front);
				}
				buf_free(&out);
			}
	CHECK("none can be added", bad == 0);
}

static bool
is_at(const char *text, const char *front)
{
	return strncmp(text, front, strlen(front)) == 0;
}

static void
test_fields(void)
{
	struct dkim_wish w = { .domain = "example.org",
		.selector = "s",
		.now = 1600000000,
		.header = CANON_SIMPLE,
		.body = CANON_RELAXED,
		.alg = DKIM_ED25519_SHA256 };
	const char *text, *end;
	struct buf out;

	sign(&w, message, &out);
	text = text_of(&out);
	CHECK("its front",
	    is_at(text,
		"DKIM-Signature: v=1; a=ed25519-sha256; c=simple/relaxed; d=example.org; s=s;\r\n"
		"\tt=1600000000; h=from:from:reply-to:subject:subject:date:date:to:cc:\r\n"));
	end = strstr(text, "Received:");
	CHECK("which fields",
	    memmem(text, (size_t)(end - text), "list-id:", 8) != NULL &&
		memmem(text, (size_t)(end - text), "list-id;", 8) != NULL &&
		memmem(text, (size_t)(end - text), "authentication", 14) ==
		    NULL &&
		memmem(text, (size_t)(end - text), "arc-", 4) == NULL &&
		memmem(text, (size_t)(end - text), "dkim-", 5) == NULL);
	buf_free(&out);

	w.instance = 3;
	sign(&w, message, &out);
	text = text_of(&out);
	end = strstr(text, "Received:");
	CHECK("ARC: its front",
	    is_at(text,
		"ARC-Message-Signature: i=3; a=ed25519-sha256; c=simple/relaxed;"));
	CHECK("ARC: which fields",
	    memmem(text, (size_t)(end - text), "v=1", 3) == NULL &&
		memmem(text, (size_t)(end - text), ":dkim-signature", 15) !=
		    NULL &&
		memmem(text, (size_t)(end - text), "authentication", 14) ==
		    NULL &&
		memmem(text, (size_t)(end - text), "arc-", 4) == NULL);
	buf_free(&out);
}

static void
test_refused(void)
{
	static const struct {
		const char *name, *mail;
		bool good;
	} rows[] = {
		{ "one From", "From: a@b\r\n\r\n", true },
		{ "no empty line", "From: a@b\r\n", true },
		{ "empty", "", false },
		{ "no From", "To: a@b\r\n\r\n", false },
		{ "an empty From", "From:\r\n\r\n", false },
		{ "blanks", "From: \r\n \t\r\n\r\n", false },
		{ "two From", "From: a@b\r\nfrom: c@d\r\n\r\n", false },
		{ "in the body", "To: a@b\r\n\r\nFrom: a@b\r\n", false },
	};
	struct dkim_wish w = { .domain = "example.org", .selector = "s" };
	char domain[DOMAIN_MAX + 1];
	struct buf out, in;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(rows[i].name,
		    sign(&w, rows[i].mail, &out) == rows[i].good);
		buf_free(&out);
	}
	buf_init(&in, 0);
	buf_puts(&in, "From: a@b\r\n");
	while (in.len < 70000)
		buf_puts(&in, "X: y\r\n");
	CHECK("too large", !sign(&w, text_of(&in), &out));
	buf_free(&out);
	buf_free(&in);

	/* The most there can be: names as often as they may be, the longest
	 * domain. */
	memset(domain, 'd', DOMAIN_MAX);
	domain[DOMAIN_MAX] = '\0';
	w.domain = w.selector = domain;
	buf_init(&in, 0);
	buf_puts(&in, "From: a@b\r\n");
	for (i = 0; i < 6; i++)
		buf_puts(&in,
		    "Content-Transfer-Encoding: x\r\nList-Unsubscribe-Post: x\r\n"
		    "Resent-Message-ID: x\r\nList-Unsubscribe: x\r\n"
		    "In-Reply-To: x\r\nReferences: x\r\nMIME-Version: x\r\n"
		    "Content-Type: x\r\nMessage-ID: x\r\nSubject: x\r\n"
		    "To: x\r\nCc: x\r\nReply-To: x\r\nSender: x\r\nDate: x\r\n");
	CHECK("largest", sign(&w, text_of(&in), &out));
	buf_free(&out);
	buf_free(&in);
}

int
main(void)
{
	make_keys();
	test_forms();
	test_fields();
	test_refused();
	EVP_PKEY_free(keys[0]);
	EVP_PKEY_free(keys[1]);
	return unit_end();
}
