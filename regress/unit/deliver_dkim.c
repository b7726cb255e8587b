/*
 * deliver/dkim*.c: choosing a key, the field.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "conf_image.h"
#include "dkim.h"

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
	memcpy(digest[0], d.sig[0].made.digest, 32);
	memcpy(digest[1], d.sig[1].made.digest, 32);
	CHECK("field: own hash for each", memcmp(digest[0], digest[1], 32));
	dkim_free(&d);
	for (cut = 0; cut <= len; cut++) {
		n = sign(&d, c, &keys, "x@y.example", message, len, cut, text);
		same = same && n == 2 && strcmp(text, first) == 0 &&
		    memcmp(d.sig[0].made.digest, digest[0], 32) == 0 &&
		    memcmp(d.sig[1].made.digest, digest[1], 32) == 0;
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
	memcpy(digest, d.sig[0].made.digest, 32);
	dkim_free(&d);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sign(&d, c, &keys, "", cases[i].message,
		    strlen(cases[i].message), 0, text);
		CHECK(cases[i].name,
		    (memcmp(d.sig[0].made.digest, digest, 32) == 0) ==
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
	    dkim_field(&d, text, d.sig[0].made.text.len + 1) ==
		d.sig[0].made.text.len);
	dkim_free(&d);
	dkim_keys_free(&keys);
	free(c);
}

int
main(void)
{
	test_rows();
	test_field();
	test_messages();
	test_cover();
	test_bounds();
	test_answers();
	return unit_end();
}
