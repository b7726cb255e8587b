/*
 * dkim*.c: the same signature however the content is cut, a field within its
 * bounds that is one field, and domains of a From field within theirs.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "author.h"
#include "conf_image.h"
#include "dkim.h"

static struct conf *conf;
static struct dkim_keys keys;

static void
begin(void)
{
	struct conf_dkim rows[3] = { 0 };
	struct sign_key key = { 0 };

	conf = image_new();
	for (key.key = 0; key.key < 3; key.key++) {
		rows[key.key].domain = image_text(conf,
		    key.key < 2 ? "example.org" : "sub.example.org");
		rows[key.key].selector = image_text(conf, "s");
	}
	image_rows(conf, &conf->dkim, rows, 3, sizeof rows[0]);
	dkim_keys_init(&keys, conf);
	for (key.key = 0; key.key < 3; key.key++) {
		key.alg = key.key == 1 ? ALG_ED25519 : ALG_RSA;
		MUST(dkim_keys_set(&keys, &key));
	}
}

/* A whole field or more: CRLF where a line ends, and folded lines alone. */
static void
must_be_fields(const char *field, size_t len)
{
	const char *p;

	MUST(len <= SIG_MAX && strlen(field) == len);
	MUST(len > 2 && memcmp(field + len - 2, "\r\n", 2) == 0);
	for (p = field; (p = strchr(p, '\n')) != NULL; p++) {
		MUST(p[-1] == '\r');
		MUST(p[1] == '\0' || p[1] == '\t' || p[1] == 'D');
	}
}

/* Signs, and writes the fields to out, SIG_MAX + 1 bytes. */
static size_t
sign(struct slice in, size_t step, char *out)
{
	struct sign_is is = { .outcome = { .verdict = DONE }, .len = 256 };
	struct dkim_sign d;
	struct sign_ask ask;
	size_t len = 0;
	int i, n;

	dkim_start(&d, conf, &keys, "a@example.org");
	while (in.len > 0) {
		struct slice piece = fuzz_take(&in, step);

		dkim_feed(&d, piece.p, piece.len);
	}
	n = dkim_finish(&d, 1);
	MUST(n >= 0 && n <= DKIM_SIGS);
	for (i = 0; i < n; i++) {
		dkim_ask(&d, (unsigned int)i, &ask);
		/* What is signed shows in the signature. */
		memcpy(is.sig, ask.digest, sizeof ask.digest);
		is.alg = keys.alg[ask.key] - 1;
		MUST(dkim_signed(&d, (unsigned int)i, &is) == NULL);
	}
	if (n > 0) {
		len = dkim_field(&d, out, SIG_MAX + 1);
		must_be_fields(out, len);
	}
	dkim_free(&d);
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char one[SIG_MAX + 1] = "", two[SIG_MAX + 1] = "";
	struct slice all = { (const char *)in, len }, rest;
	char domain[DOMAIN_MAX + 1];
	size_t step, before, n;
	struct buf canon;

	if (conf == NULL)
		begin();
	step = 1 + fuzz_byte(&all) % 32;
	n = sign(all, all.len + 1, one);
	MUST(sign(all, step, two) == n && memcmp(one, two, n) == 0);
	for (rest = all; before = rest.len, author_next(&rest, domain);) {
		MUST(rest.len < before);
		MUST(domain[0] != '\0' && strlen(domain) <= DOMAIN_MAX);
	}
	buf_init(&canon, 0);
	if (dkim_canon_field(CANON_RELAXED, all, &canon))
		MUST(canon.len <= all.len &&
		    memchr(buf_data(&canon), ':', canon.len) != NULL);
	buf_free(&canon);
	return 0;
}
