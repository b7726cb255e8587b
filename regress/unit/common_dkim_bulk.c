/*
 * Many messages in one process, for regress/e2e/test_dkim_differential.py:
 * what common/dkim_verify.c finds of each, and what common/dkim_sign.c writes.
 * Without an argument it tries itself on the examples of the RFCs.
 *
 * A file of orders, each a line, maybe with bytes behind it:
 *
 *	key NAME TEXT              the record at NAME, from now on
 *	now SECONDS
 *	verify LEN CRLF message    prints "RESULT:D:WHY|RESULT:D:WHY", or "none"
 *	sign DOMAIN SELECTOR KEYFILE HEADER BODY LEN CRLF message
 *	                           prints "LEN CRLF field", or "0"
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_world.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "dkim_sign.h"

enum { KEYS_MAX = 64, KEY_LINE = 4500 };

struct bulk {
	struct world_key keys[KEYS_MAX + 1];
	unsigned int n;
	int64_t now;
	struct buf out;
};

static void
verify(struct bulk *b, const char *mail, size_t len)
{
	struct world w = { .now = b->now, .max = 1 << 20 };
	unsigned int i;

	world_verify(&w, b->keys, mail, len);
	for (i = 0; i < w.v.n; i++)
		buf_printf(&b->out, "%s%s:%s:%s", i == 0 ? "" : "|",
		    auth_result_word(w.v.check[i].result), w.v.check[i].domain,
		    w.v.check[i].why == NULL ? "" : w.v.check[i].why);
	buf_puts(&b->out, w.v.n == 0 ? "none\n" : "\n");
	world_free(&w);
}

static size_t
key_sign(EVP_PKEY *pkey, enum dkim_alg alg, const uint8_t digest[32],
    uint8_t *sig, size_t size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	size_t len = size;

	if (alg == DKIM_ED25519_SHA256) {
		EVP_DigestSignInit(md, NULL, NULL, NULL, pkey);
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

static void
sign(struct bulk *b, struct dkim_wish *w, const char *file, const char *mail,
    size_t len)
{
	FILE *f = fopen(file, "r");
	EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	struct mail_read m;
	struct dkim_made d;
	uint8_t sig[1024];
	size_t used;
	int hash;

	fclose(f);
	w->now = b->now;
	w->alg =
	    EVP_PKEY_is_a(pkey, "RSA") ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
	mail_read_init(&m, 1 << 20);
	used = mail_read_header(&m, (const uint8_t *)mail, len);
	mail_read_finish_header(&m);
	hash = mail_read_want(&m, w->body, UINT64_MAX);
	mail_read_body(&m, (const uint8_t *)mail + used, len - used);
	mail_read_end(&m);
	if (dkim_sign_check(&m) == NULL &&
	    dkim_sign_begin(&d, &m, hash, w) == NULL) {
		used = key_sign(pkey, w->alg, d.digest, sig, sizeof(sig));
		dkim_sign_end(&d, sig, used);
		buf_printf(&b->out, "%zu\n", d.text.len);
		buf_add(&b->out, buf_data(&d.text), d.text.len);
		dkim_made_free(&d);
	} else
		buf_puts(&b->out, "0\n");
	mail_read_free(&m);
	EVP_PKEY_free(pkey);
}

/* One order at the front of in, which is stepped over.  False: it is none. */
static bool
order(struct bulk *b, struct slice *in)
{
	char line[KEY_LINE], one[KEY_LINE], two[KEY_LINE], file[512];
	const char *lf = memchr(in->p, '\n', in->len);
	struct dkim_wish w = { 0 };
	unsigned int header, body;
	size_t n = 0;

	if (lf == NULL || (size_t)(lf - in->p) >= sizeof(line))
		return false;
	memcpy(line, in->p, (size_t)(lf - in->p));
	line[lf - in->p] = '\0';
	in->len -= (size_t)(lf + 1 - in->p);
	in->p = lf + 1;
	if (sscanf(line, "key %s %[^\n]", one, two) == 2 && b->n < KEYS_MAX) {
		b->keys[b->n].name = strdup(one);
		b->keys[b->n++].text = strdup(two);
	} else if (strncmp(line, "now ", 4) == 0)
		b->now = strtoll(line + 4, NULL, 10);
	else if (sscanf(line, "verify %zu", &n) == 1 && n <= in->len)
		verify(b, in->p, n);
	else if (sscanf(line, "sign %s %s %511s %u %u %zu", one, two, file,
		     &header, &body, &n) == 6 &&
	    n <= in->len) {
		w.domain = one;
		w.selector = two;
		w.header = header ? CANON_RELAXED : CANON_SIMPLE;
		w.body = body ? CANON_RELAXED : CANON_SIMPLE;
		sign(b, &w, file, in->p, n);
	} else
		return false;
	in->p += n;
	in->len -= n;
	return true;
}

static bool
run(struct slice in, struct buf *out)
{
	struct bulk b = { .now = 1600000000 };
	unsigned int i;
	bool good = true;

	buf_init(&b.out, 0);
	while (good && in.len > 0)
		good = order(&b, &in);
	for (i = 0; i < b.n; i++) {
		free((char *)b.keys[i].name);
		free((char *)b.keys[i].text);
	}
	*out = b.out;
	return good;
}

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "r");
	struct buf in, out;
	char piece[65536];
	size_t n;
	bool good;

	if (f == NULL)
		return 2;
	buf_init(&in, 0);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&in, piece, n);
	fclose(f);
	good = run((struct slice){ (const char *)buf_data(&in), in.len }, &out);
	fwrite(buf_data(&out), 1, out.len, stdout);
	buf_free(&in);
	buf_free(&out);
	return good ? 0 : 1;
}

static void
test_self(void)
{
	static const char want[] =
	    "pass:example.com:\n"
	    "pass:football.example.com:|pass:football.example.com:\nnone\n";
	struct buf in, out;
	unsigned int i;

	buf_init(&in, 0);
	for (i = 0; world_keys[i].name != NULL; i++)
		buf_printf(&in, "key %s %s\n", world_keys[i].name,
		    world_keys[i].text);
	buf_printf(&in, "verify %zu\n%s", strlen(rfc6376_mail), rfc6376_mail);
	buf_printf(&in, "verify %zu\n%s", strlen(rfc8463_mail), rfc8463_mail);
	buf_puts(&in, "verify 4\n\r\n\r\n");
	CHECK("bulk: the examples",
	    run((struct slice){ (const char *)buf_data(&in), in.len }, &out) &&
		out.len == strlen(want) &&
		memcmp(buf_data(&out), want, out.len) == 0);
	buf_free(&out);
	CHECK("bulk: no order", !run(SLICE("what\n"), &out));
	buf_free(&out);
	buf_free(&in);
}

int
main(int argc, char **argv)
{
	if (argc == 2)
		return run_file(argv[1]);
	test_self();
	return unit_end();
}
