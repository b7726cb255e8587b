/*
 * deliver/dkim*.c: canonical forms, choosing a key, the field.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <openssl/evp.h>

#include "conf_image.h"
#include "dkim.h"

/* ---- canonical forms ---- */

static const struct {
	const char *field, *canon; /* NULL: refused */
} fields[] = {
	/* RFC 6376 3.4.5 */
	{ "A: X\r\n", "a:X" },
	{ "B : Y\t\r\n\tZ  \r\n", "b:Y Z" },
	{ "Subject: a: b :c\r\n", "subject:a: b :c" },
	{ "Subject:\r\n", "subject:" },
	{ "Subject: \t \r\n", "subject:" },
	{ "Subject:", "subject:" },
	{ "SUBJECT:x", "subject:x" },
	{ "X:\r\n y\r\n", "x:y" },
	{ "X: a\tb  \t c \r\n", "x:a b c" },
	{ "X: a\r\n  b\r\n\t\r\n", "x:a b" },
	{ "X: \xc3\xa4\r\n", "x:\xc3\xa4" },
	{ ":x\r\n", ":x" },
	{ "no colon\r\n", NULL },
	{ "", NULL },
};

static void
test_fields(void)
{
	struct slice s;
	struct buf out;
	size_t i, cut;
	bool good;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		s.len = strlen(fields[i].field);
		s.p = unit_guard(fields[i].field, s.len);
		buf_init(&out, 0);
		good = dkim_canon_field(s, &out);
		if (fields[i].canon == NULL)
			CHECK("field refused", !good);
		else
			CHECK(fields[i].canon,
			    good && out.len == strlen(fields[i].canon) &&
				memcmp(buf_data(&out), fields[i].canon,
				    out.len) == 0);
		buf_free(&out);
		/* Cut short it may not read on. */
		for (cut = 0; cut < s.len; cut++) {
			struct slice part = { unit_guard(s.p, cut), cut };

			buf_init(&out, 0);
			dkim_canon_field(part, &out);
			buf_free(&out);
		}
	}
}

static const struct {
	const char *name, *body, *canon;
} bodies[] = {
	{ "RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" },
	{ "body: empty", "", "" },
	{ "body: one empty line", "\r\n", "" },
	{ "body: empty lines", "\r\n\r\n\r\n", "" },
	{ "body: white space alone", " \t", "" },
	{ "body: white lines", " \r\n\t\r\n", "" },
	{ "body: no line end", "a", "a\r\n" },
	{ "body: no line end, blank", "a ", "a\r\n" },
	{ "body: empty lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	{ "body: empty lines between", "a\r\n \r\n\t\r\nb",
	    "a\r\n\r\n\r\nb\r\n" },
	{ "body: white space first", "  a\r\n", " a\r\n" },
	{ "body: bare CR stays", "a\rb\r\n", "a\rb\r\n" },
	{ "body: CR CR LF", "a\r\r\n", "a\r\r\n" },
	{ "body: blank CR blank", "a \r b\r\n", "a \r b\r\n" },
	{ "body: CR at the end", "a\r", "a\r\r\n" },
	{ "body: bare LF stays", "a\nb\r\n", "a\nb\r\n" },
	{ "body: dots are content", ".\r\n..\r\n", ".\r\n..\r\n" },
};

static void
collect(void *arg, const uint8_t *p, size_t len)
{
	buf_add(arg, p, len);
}

/* In three pieces: cut at i and j. */
static bool
body_is(const char *body, size_t i, size_t j, const char *canon)
{
	struct dkim_body b;
	struct buf out;
	size_t len = strlen(body);
	bool good;

	buf_init(&out, 0);
	dkim_body_init(&b, collect, &out);
	dkim_body_feed(&b, (uint8_t *)unit_guard(body, i), i);
	dkim_body_feed(&b, (const uint8_t *)body + i, j - i);
	dkim_body_feed(&b, (const uint8_t *)body + j, len - j);
	dkim_body_end(&b);
	good = out.len == strlen(canon) &&
	    memcmp(buf_data(&out), canon, out.len) == 0;
	buf_free(&out);
	return good;
}

static void
test_bodies(void)
{
	size_t i, j, k, len;
	bool good;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		len = strlen(bodies[i].body);
		good = true;
		for (j = 0; j <= len; j++)
			for (k = j; k <= len; k++)
				good = good &&
				    body_is(bodies[i].body, j, k,
					bodies[i].canon);
		CHECK(bodies[i].name, good);
	}
}

/* More than one chunk of output, and more pending line ends than bytes. */
static void
test_long_body(void)
{
	struct dkim_body b;
	struct buf in, out;
	size_t i;

	buf_init(&in, 0);
	buf_init(&out, 0);
	for (i = 0; i < 50000; i++)
		buf_puts(&in, "\r\n");
	for (i = 0; i < 50000; i++)
		buf_puts(&in, "x");
	buf_puts(&in, "\r\n");
	dkim_body_init(&b, collect, &out);
	dkim_body_feed(&b, buf_data(&in), in.len);
	dkim_body_end(&b);
	CHECK("body: long",
	    out.len == in.len &&
		memcmp(buf_data(&in), buf_data(&out), in.len) == 0);
	buf_free(&in);
	buf_free(&out);
}

/* ---- the RFC's own example: RFC 8463 appendix A ---- */

static const char rfc_body[] =
    "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
static const char rfc_body_hash[] =
    "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";
/* In the order of its h=, then its own field without a value for b=. */
static const char *const rfc_fields[] = {
	"From: Joe SixPack <joe@football.example.com>\r\n",
	"To: Suzie Q <suzie@shopping.example.net>\r\n",
	"Subject: Is dinner ready?\r\n",
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n",
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n",
	"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	" d=football.example.com; i=@football.example.com;\r\n"
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
	" subject : date : message-id : from : subject : date;\r\n"
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	" b=",
};
static const char rfc_public[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char rfc_sig[] =
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";

static bool
verify_ed25519(const char *public_b64, const uint8_t digest[32],
    const uint8_t *sig)
{
	uint8_t key[64];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *pkey;
	bool good;

	EVP_DecodeBlock(key, (const uint8_t *)public_b64,
	    (int)strlen(public_b64));
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
	good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, sig, 64, digest, 32) == 1;
	EVP_PKEY_free(pkey);
	EVP_MD_CTX_free(ctx);
	return good;
}

static void
test_rfc8463(void)
{
	struct dkim_body b;
	struct buf canon;
	uint8_t digest[32], sig[96];
	char b64[64];
	size_t i, n = sizeof(rfc_fields) / sizeof(rfc_fields[0]);

	buf_init(&canon, 0);
	dkim_body_init(&b, collect, &canon);
	dkim_body_feed(&b, (const uint8_t *)rfc_body, strlen(rfc_body));
	dkim_body_end(&b);
	EVP_Digest(buf_data(&canon), canon.len, digest, NULL, EVP_sha256(),
	    NULL);
	EVP_EncodeBlock((uint8_t *)b64, digest, 32);
	CHECK("RFC 8463 body hash", strcmp(b64, rfc_body_hash) == 0);
	buf_free(&canon);

	for (i = 0; i < n; i++) {
		dkim_canon_field(slice_of(rfc_fields[i]), &canon);
		if (i + 1 < n)
			buf_puts(&canon, "\r\n");
	}
	EVP_Digest(buf_data(&canon), canon.len, digest, NULL, EVP_sha256(),
	    NULL);
	EVP_DecodeBlock(sig, (const uint8_t *)rfc_sig, (int)strlen(rfc_sig));
	CHECK("RFC 8463 signature", verify_ed25519(rfc_public, digest, sig));
	buf_free(&canon);
}

/* ---- whose key ---- */

static const struct {
	const char *value, *domains; /* each with a blank in front */
} authors[] = {
	{ " a@Example.org\r\n", " example.org" },
	{ " A <a@example.org>", " example.org" },
	{ " <a@example.org>\r\n", " example.org" },
	{ " \"b@evil.example\" <a@example.org>", " example.org" },
	{ " \"x, y\" <a@example.org>, c@example.net",
	    " example.org example.net" },
	{ " b@evil.example <a@example.org>", " example.org" },
	{ " a@example.org (b@evil.example)", " example.org" },
	{ " (c (nested \\) b@x) d) a@example.org", " example.org" },
	{ " a@(comment)example.org", " example.org" },
	{ " a@example . org", " example.org" },
	{ " a@example.org evil", "" },
	{ " \"a@b\"@example.org", " example.org" },
	{ " \"a\\\"@b\"@example.org", " example.org" },
	{ " group: a@example.org, b@example.net;, c@x.example",
	    " example.org example.net x.example" },
	{ " undisclosed:;", "" },
	{ " <@r.example,@s.example:a@example.org>", " example.org" },
	{ " a@[192.0.2.1]", "" },
	{ " =?utf-8?q?J=C3=B6rg?= <j@example.org>", " example.org" },
	{ " Foo\r\n <a@example.org>\r\n", " example.org" },
	{ " a@example.org,", " example.org" },
	{ " ,,a@example.org", " example.org" },
	{ " a", "" },
	{ " a@", "" },
	{ " <a@example.org", "" },
	{ " \"unclosed a@example.org", "" },
	{ " (unclosed a@example.org", "" },
	{ " <a@example.org> b@evil.example", " example.org" },
	{ " a@\"example.org\"", "" },
	{ "", "" },
};

static void
test_authors(void)
{
	char domain[DOMAIN_MAX + 1];
	struct slice rest;
	struct buf out;
	size_t i, cut, len;

	for (i = 0; i < sizeof(authors) / sizeof(authors[0]); i++) {
		len = strlen(authors[i].value);
		for (cut = 0; cut <= len; cut++) {
			buf_init(&out, 0);
			rest.p = unit_guard(authors[i].value, cut);
			rest.len = cut;
			while (dkim_from_next(&rest, domain))
				buf_printf(&out, " %s", domain);
			if (cut == len)
				CHECK(authors[i].value,
				    out.len == strlen(authors[i].domains) &&
					memcmp(buf_data(&out),
					    authors[i].domains, out.len) == 0);
			buf_free(&out);
		}
	}
}

static void
test_long_author(void)
{
	char value[DOMAIN_MAX + 64], domain[DOMAIN_MAX + 1];
	struct slice rest;

	memset(value, 'a', sizeof(value));
	value[1] = '@';
	rest.p = unit_guard(value, DOMAIN_MAX + 2);
	rest.len = DOMAIN_MAX + 2;
	CHECK("author: 255 bytes",
	    dkim_from_next(&rest, domain) && strlen(domain) == DOMAIN_MAX);
	rest.p = unit_guard(value, DOMAIN_MAX + 3);
	rest.len = DOMAIN_MAX + 3;
	CHECK("author: 256 bytes", !dkim_from_next(&rest, domain));
}

/* ---- the field ---- */

enum { ROW_RSA, ROW_ED, ROW_SUB, ROW_IDN, ROW_LATE, ROWS };

/* example.org with both kinds, sub.example.net, a domain that is written in
 * other letters too, and a row that keys has not spoken of. */
static struct conf *
make_conf(struct dkim_keys *keys)
{
	struct conf *c = image_new();
	struct conf_dkim rows[] = {
		[ROW_RSA] = { .domain = image_text(c, "example.org"),
		    .selector = image_text(c, "r1") },
		[ROW_ED] = { .domain = image_text(c, "example.org"),
		    .selector = image_text(c, "e1") },
		[ROW_SUB] = { .domain = image_text(c, "sub.example.net"),
		    .selector = image_text(c, "s1") },
		[ROW_IDN] = { .domain = image_text(c, "xn--bcher-kva.example"),
		    .selector = image_text(c, "i1") },
		[ROW_LATE] = { .domain = image_text(c, "late.example"),
		    .selector = image_text(c, "l1") },
	};
	struct sign_key m = { 0 };

	image_rows(c, &c->dkim, rows, ROWS, sizeof(rows[0]));
	dkim_keys_init(keys, c);
	m.key = ROW_RSA;
	m.alg = ALG_RSA;
	dkim_keys_set(keys, &m);
	m.key = ROW_ED;
	m.alg = ALG_ED25519;
	dkim_keys_set(keys, &m);
	m.key = ROW_SUB;
	dkim_keys_set(keys, &m);
	m.key = ROW_IDN;
	dkim_keys_set(keys, &m);
	return c;
}

static void
test_rows(void)
{
	static const struct {
		const char *domain;
		uint32_t row;
	} cases[] = {
		{ "example.org", ROW_RSA },
		{ "EXAMPLE.org", ROW_RSA },
		{ "a.b.example.org", ROW_RSA },
		{ "xexample.org", CONF_NONE },
		{ "org", CONF_NONE },
		{ "example.net", CONF_NONE },
		{ "sub.example.net", ROW_SUB },
		{ "", CONF_NONE },
		{ ".", CONF_NONE },
	};
	struct dkim_keys keys;
	struct conf *c = make_conf(&keys);
	struct sign_key m = { .key = ROWS };
	uint32_t rows[DKIM_SIGS];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(cases[i].domain,
		    dkim_row_for(c, cases[i].domain) == cases[i].row);
	CHECK("rows: both kinds",
	    dkim_rows(c, &keys, ROW_RSA, rows) == 2 && rows[0] == ROW_RSA &&
		rows[1] == ROW_ED);
	CHECK("rows: one",
	    dkim_rows(c, &keys, ROW_SUB, rows) == 1 && rows[0] == ROW_SUB);
	CHECK("rows: not yet known",
	    dkim_rows(c, &keys, ROW_LATE, rows) == DKIM_LATER);
	CHECK("keys: no such row", !dkim_keys_set(&keys, &m));
	m.key = 0;
	m.alg = 2;
	CHECK("keys: no such algorithm", !dkim_keys_set(&keys, &m));
	dkim_keys_free(&keys);
	free(c);
}

static const char message[] =
    "Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    "From: Joe SixPack <joe@example.org>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner\r\n"
    "\tready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "X-Other: is not signed\r\n"
    "\r\n"
    "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

/* Signs with made-up signatures; text gets what dkim_field() gives. */
static int
sign(struct dkim_sign *d, const struct conf *c, const struct dkim_keys *keys,
    const char *sender, const char *in, size_t len, size_t cut,
    char text[SIG_MAX + 1])
{
	struct sign_is is = { 0 };
	int i, n;

	dkim_start(d, c, keys, sender);
	dkim_feed(d, unit_guard(in, cut), cut);
	dkim_feed(d, in + cut, len - cut);
	n = dkim_finish(d, 1528637909);
	text[0] = '\0';
	for (i = 0; i < n; i++) {
		struct sign_ask ask;

		dkim_ask(d, (unsigned int)i, &ask);
		is.outcome.verdict = DONE;
		is.alg = keys->alg[ask.key] - 1;
		is.len = is.alg == ALG_RSA ? 256 : 64;
		memset(is.sig, 'x', is.len);
		if (dkim_signed(d, (unsigned int)i, &is) != NULL)
			return -2;
	}
	if (n > 0)
		dkim_field(d, text, SIG_MAX + 1);
	return n;
}

static const char expected[] =
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=r1;\r\n"
    "\tt=1528637909; h=from:from:reply-to:subject:subject:date:date:to:to:\r\n"
    "\tcc:message-id:message-id;\r\n"
    "\tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=\r\n";

static void
test_field(void)
{
	struct dkim_keys keys;
	struct conf *c = make_conf(&keys);
	struct dkim_sign d;
	char text[SIG_MAX + 1], first[SIG_MAX + 1];
	uint8_t digest[2][32];
	size_t cut, len = strlen(message), longest = 0, column = 0, i;
	bool same = true;
	int n;

	n = sign(&d, c, &keys, "x@y.example", message, len, 0, first);
	CHECK("field: two signatures", n == 2);
	CHECK("field: begins as expected",
	    strncmp(first, expected, strlen(expected)) == 0);
	CHECK("field: second",
	    strstr(first, "\r\nDKIM-Signature: v=1; a=ed25519-sha256;") !=
		NULL);
	CHECK("field: ends in CRLF",
	    strcmp(first + strlen(first) - 2, "\r\n") == 0);
	for (i = 0; first[i] != '\0'; i++) {
		column = first[i] == '\n' ? 0 : column + 1;
		longest = column > longest ? column : longest;
	}
	CHECK("field: folded", longest <= 78);
	memcpy(digest[0], d.sig[0].digest, 32);
	memcpy(digest[1], d.sig[1].digest, 32);
	CHECK("field: own hash for each", memcmp(digest[0], digest[1], 32));
	dkim_free(&d);
	for (cut = 0; cut <= len; cut++) {
		n = sign(&d, c, &keys, "x@y.example", message, len, cut, text);
		same = same && n == 2 && strcmp(text, first) == 0 &&
		    memcmp(d.sig[0].digest, digest[0], 32) == 0 &&
		    memcmp(d.sig[1].digest, digest[1], 32) == 0;
		dkim_free(&d);
	}
	CHECK("field: split anywhere", same);
	dkim_keys_free(&keys);
	free(c);
}

static const struct {
	const char *name, *sender, *message, *h; /* h: part of it */
	int n;
} messages[] = {
	{ "message: no From", "a@example.org", "To: b\r\n\r\nx", NULL, 0 },
	{ "message: two From", "",
	    "From: a@example.org\r\nFrom: b@example.org\r\n\r\n", NULL, 0 },
	{ "message: empty", "a@example.org", "", NULL, 0 },
	{ "message: body alone", "a@example.org", "\r\nFrom: a@example.org\r\n",
	    NULL, 0 },
	{ "message: other author", "a@x.example", "From: a@y.example\r\n\r\n",
	    NULL, 0 },
	{ "message: by its sender", "a@example.org",
	    "From: a@y.example\r\n\r\n", "d=example.org", 2 },
	{ "message: null sender", "", "From: a@sub.example.net\r\n\r\n",
	    "d=sub.example.net", 1 },
	{ "message: below the domain", "", "From: a@b.example.org\r\n\r\n",
	    "d=example.org", 2 },
	{ "message: second author", "",
	    "From: a@b.example, c@example.org\r\n\r\n", "d=example.org", 2 },
	{ "message: RFC 8616, an author in other letters", "",
	    "From: J\xc3\xbcrgen <j\xc3\xbcrgen@B\xc3\xbc"
	    "cher.example>\r\n\r\n",
	    "d=xn--bcher-kva.example;", 1 },
	{ "message: RFC 8616, the envelope's sender",
	    "j\xc3\xbcrgen@b\xc3\xbc"
	    "cher.example",
	    "From: a@y.example\r\n\r\n", "d=xn--bcher-kva.example;", 1 },
	{ "message: no end of the last line", "",
	    "From: a@example.org\r\n\r\nx",
	    "bh=s14J+iztnrytnRYzb7lhFG/jS/vrxWJnnahfijFMnco=", 2 },
	{ "message: key not yet known", "", "From: a@late.example\r\n\r\n",
	    NULL, DKIM_LATER },
	{ "message: no body at all", "", "From: a@example.org\r\n",
	    "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 2 },
	{ "message: empty body", "", "From: a@example.org\r\n\r\n",
	    "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 2 },
	{ "message: header not ended", "", "From: a@example.org",
	    "h=from:from:", 2 },
	{ "message: odd case and blanks", "", "FROM : a@example.org\r\n\r\n",
	    "h=from:from:", 2 },
	{ "message: oversigned when absent", "", "From: a@example.org\r\n\r\n",
	    "h=from:from:reply-to:subject:to:cc;", 2 },
	{ "message: repeated field", "",
	    "To: a\r\nTo: b\r\nFrom: a@example.org\r\n\r\n",
	    "subject:to:to:", 2 },
	{ "message: line without a colon", "",
	    "garbage\r\nFrom: a@example.org\r\n\r\n", "h=from:from:", 2 },
};

static void
test_messages(void)
{
	struct dkim_keys keys;
	struct conf *c = make_conf(&keys);
	struct dkim_sign d;
	char text[SIG_MAX + 1];
	size_t i;
	int n;

	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		const char *m = messages[i].message;

		n = sign(&d, c, &keys, messages[i].sender, m, strlen(m), 0,
		    text);
		CHECK(messages[i].name,
		    n == messages[i].n &&
			(messages[i].h == NULL ||
			    strstr(text, messages[i].h) != NULL));
		if (n == DKIM_LATER)
			CHECK("message: why later", d.why != NULL);
		dkim_free(&d);
	}
	dkim_keys_free(&keys);
	free(c);
}

/* Whether a change of the message changes what is signed. */
static void
test_cover(void)
{
	static const struct {
		const char *name, *message;
		bool same;
	} cases[] = {
		{ "cover: unsigned field",
		    "From: a@example.org\r\nX: 1\r\nTo: b\r\nTo: c\r\n\r\nx\r\n",
		    true },
		{ "cover: folding",
		    "From:\r\n a@example.org\r\nTo: b\r\nTo: c\r\n\r\nx \r\n\r\n",
		    true },
		{ "cover: order of equal names",
		    "From: a@example.org\r\nTo: c\r\nTo: b\r\n\r\nx\r\n",
		    false },
		{ "cover: signed field",
		    "From: a@example.org\r\nTo: b\r\nTo: d\r\n\r\nx\r\n",
		    false },
		{ "cover: body",
		    "From: a@example.org\r\nTo: b\r\nTo: c\r\n\r\ny\r\n",
		    false },
	};
	static const char base[] =
	    "From: a@example.org\r\nTo: b\r\nTo: c\r\n\r\nx\r\n";
	struct dkim_keys keys;
	struct conf *c = make_conf(&keys);
	struct dkim_sign d;
	char text[SIG_MAX + 1];
	uint8_t digest[32];
	size_t i;

	sign(&d, c, &keys, "", base, strlen(base), 0, text);
	memcpy(digest, d.sig[0].digest, 32);
	dkim_free(&d);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sign(&d, c, &keys, "", cases[i].message,
		    strlen(cases[i].message), 0, text);
		CHECK(cases[i].name,
		    (memcmp(d.sig[0].digest, digest, 32) == 0) ==
			cases[i].same);
		dkim_free(&d);
	}
	dkim_keys_free(&keys);
	free(c);
}

static void
test_bounds(void)
{
	struct dkim_keys keys;
	struct conf *c = make_conf(&keys), *none = image_new();
	struct dkim_sign d;
	struct buf m;
	char text[SIG_MAX + 1];
	size_t i;
	int n;

	/* The largest signatures, and every field often. */
	buf_init(&m, 0);
	buf_puts(&m, "From: a@example.org\r\n");
	for (i = 0; i < 50; i++)
		buf_puts(&m,
		    "To: x\r\nCc: x\r\nReferences: x\r\nSender: x\r\nContent-Transfer-Encoding: x\r\nList-Unsubscribe-Post: x\r\nResent-Message-ID: x\r\nReply-To: x\r\nIn-Reply-To: x\r\n");
	buf_puts(&m, "\r\n");
	n = sign(&d, c, &keys, "", (const char *)buf_data(&m), m.len, 0, text);
	CHECK("bounds: names",
	    n == 2 && strlen(text) <= SIG_MAX &&
		strstr(text, "a=rsa-sha256") != NULL);
	dkim_free(&d);

	buf_puts(&m, "From: ");
	buf_free(&m);
	buf_puts(&m, "From: a@example.org\r\nX: ");
	memset(buf_room(&m, DKIM_HEADER_MAX), 'x', DKIM_HEADER_MAX);
	buf_filled(&m, DKIM_HEADER_MAX);
	buf_puts(&m, "\r\n\r\nx\r\n");
	n = sign(&d, c, &keys, "", (const char *)buf_data(&m), m.len, 5000,
	    text);
	CHECK("bounds: header too large",
	    n == 0 && d.why != NULL && !dkim_wants(&d));
	dkim_free(&d);
	buf_free(&m);

	dkim_start(&d, none, &keys, "");
	CHECK("bounds: no rows, nothing wanted", !dkim_wants(&d));
	CHECK("bounds: no rows, not signed", dkim_finish(&d, 0) == 0);
	dkim_free(&d);
	dkim_free(&d);
	dkim_keys_free(&keys);
	free(none);
	free(c);
}

static void
test_answers(void)
{
	struct dkim_keys keys;
	struct conf *c = make_conf(&keys);
	struct dkim_sign d;
	struct sign_is is = { 0 };
	char text[SIG_MAX + 1];

	dkim_start(&d, c, &keys, "");
	dkim_feed(&d, message, strlen(message));
	CHECK("answer: two", dkim_finish(&d, 1) == 2);
	CHECK("answer: none", dkim_signed(&d, 0, NULL) != NULL);
	is.len = 256;
	CHECK("answer: later", dkim_signed(&d, 0, &is) != NULL);
	is.outcome.verdict = DONE;
	is.alg = ALG_ED25519;
	CHECK("answer: other algorithm", dkim_signed(&d, 0, &is) != NULL);
	is.alg = ALG_RSA;
	is.len = 1025;
	CHECK("answer: too long", dkim_signed(&d, 0, &is) != NULL);
	is.len = 0;
	CHECK("answer: empty", dkim_signed(&d, 0, &is) != NULL);
	is.len = 1024;
	CHECK("answer: longest", dkim_signed(&d, 0, &is) == NULL);
	CHECK("answer: one is missing",
	    dkim_field(&d, text, sizeof(text)) == 0 && text[0] == '\0');
	is.len = 64;
	is.alg = ALG_ED25519;
	CHECK("answer: the other", dkim_signed(&d, 1, &is) == NULL);
	CHECK("answer: both", dkim_field(&d, text, sizeof(text)) > 1024);
	CHECK("answer: room for one",
	    dkim_field(&d, text, d.sig[0].text.len + 1) == d.sig[0].text.len);
	dkim_free(&d);
	dkim_keys_free(&keys);
	free(c);
}

int
main(void)
{
	test_fields();
	test_bodies();
	test_long_body();
	test_rfc8463();
	test_authors();
	test_long_author();
	test_rows();
	test_field();
	test_messages();
	test_cover();
	test_bounds();
	test_answers();
	return unit_end();
}
