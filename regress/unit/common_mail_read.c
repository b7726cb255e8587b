/*
 * common/mail_read.c: what is a field, where the header ends, hashes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <openssl/evp.h>

#include "mail_read.h"

static const struct {
	const char *name, *mail;
	/* names and values, with bars between; why */
	const char *fields;
	bool malformed;
	const char *body; /* NULL: none was there */
} rows[] = {
	{ "nothing", "", "", false, NULL },
	{ "empty line", "\r\n", "", false, NULL },
	{ "body alone", "\r\nbody\r\n", "", false, "body\r\n" },
	{ "no body", "A: b\r\n", "A= b|", false, NULL },
	{ "no line end", "A: b", "A= b|", false, NULL },
	{ "cut in a line end", "A: b\r", "A= b\r|", true, NULL },
	{ "empty body", "A: b\r\n\r\n", "A= b|", false, NULL },
	{ "body", "A: b\r\n\r\nx: y\r\n", "A= b|", false, "x: y\r\n" },
	{ "two", "A: b\r\nC:\r\n\r\n", "A= b|C=|", false, NULL },
	{ "the same twice", "A: b\r\na:c\r\n\r\n", "A= b|a=c|", false, NULL },
	{ "folded", "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n",
	    "A= b\r\n c\r\n\td|E= f|", false, NULL },
	{ "folded white line", "A: b\r\n \r\nE: f\r\n\r\n", "A= b\r\n |E= f|",
	    false, NULL },
	{ "folded at once", "A:\r\n b\r\n\r\n", "A=\r\n b|", false, NULL },
	{ "blanks before the colon", "A \t: b\r\n\r\n", "A= b|", false, NULL },
	{ "colons", "A:::\r\n\r\n", "A=::|", false, NULL },
	{ "no colon", "A: b\r\nC\r\nD: e\r\n\r\n", "A= b|D= e|", true, NULL },
	{ "no colon, folded", "A: b\r\nC\r\n d: e\r\nF:\r\n\r\n", "A= b|F=|",
	    true, NULL },
	{ "no colon at the end", "A: b\r\nC", "A= b|", true, NULL },
	{ "folded first", " A: b\r\nC: d\r\n\r\n", "C= d|", true, NULL },
	{ "blank in a name", "A B: c\r\n\r\n", "", true, NULL },
	{ "no name", ": c\r\n\r\n", "", true, NULL },
	{ "blank name", " : c\r\n\r\n", "", true, NULL },
	{ "8-bit name", "\xc3\xa4: c\r\n\r\n", "", true, NULL },
	{ "control name", "a\x01: c\r\n\r\n", "", true, NULL },
	{ "8-bit value", "a:\xc3\xa4\xff\r\n\r\n", "a=\xc3\xa4\xff|", false,
	    NULL },
	{ "From line", "From a@b Mon\r\nA: b\r\n\r\n", "A= b|", false, NULL },
	{ ">From line", ">From a@b 0:0\r\nA: b\r\n\r\n", "A= b|", false, NULL },
	{ "From line further down", "A: b\r\nFrom a@b\r\n\r\n", "A= b|", true,
	    NULL },
	{ "From with a blank", "From : a@b\r\n\r\n", "From= a@b|", false,
	    NULL },
	{ "bare LF", "A: b\nC: d\r\n\r\n", "A= b\nC: d|", true, NULL },
	{ "bare CR", "A: b\rC: d\r\n\r\n", "A= b\rC: d|", true, NULL },
	{ "LF LF ends nothing", "A: b\n\nC: d\r\n\r\nx", "A= b\n\nC: d|", true,
	    "x" },
	{ "CR CR LF ends nothing", "A: b\r\n\r\r\nC: d\r\n\r\nx", "A= b|C= d|",
	    true, "x" },
	{ "CR before a line end", "A: b\r\r\n\r\nx", "A= b\r|", true, "x" },
};

static void
digest_of(const char *p, size_t len, uint8_t digest[32])
{
	EVP_Digest(p, len, digest, NULL, EVP_sha256(), NULL);
}

/* What was read of mail, in pieces of step bytes, is what the row says. */
static bool
reads(size_t row, size_t step)
{
	const char *mail = rows[row].mail, *body = rows[row].body;
	size_t len = strlen(mail), n, used;
	const uint8_t *p = (const uint8_t *)unit_guard(mail, len), *got;
	struct mail_read m;
	struct buf text;
	uint8_t want[32];
	uint64_t bytes;
	uint32_t i;
	int hash = -1;
	bool good;

	mail_read_init(&m, 1000);
	for (; len > 0; p += n, len -= n) {
		n = step < len ? step : len;
		used = mail_read_header(&m, p, n);
		if (m.header_done && hash == -1)
			hash = mail_read_want(&m, CANON_SIMPLE, UINT64_MAX);
		mail_read_body(&m, p + used, n - used);
	}
	mail_read_finish_header(&m);
	if (hash == -1)
		hash = mail_read_want(&m, CANON_SIMPLE, UINT64_MAX);
	mail_read_end(&m);
	buf_init(&text, 0);
	for (i = 0; i < m.n_field; i++) {
		const struct mail_field *f = &m.field[i];

		buf_add(&text, f->name.p, f->name.len);
		buf_puts(&text, "=");
		buf_add(&text, f->value.p, f->value.len);
		buf_puts(&text, "|");
	}
	good = text.len == strlen(rows[row].fields) &&
	    memcmp(buf_data(&text), rows[row].fields, text.len) == 0 &&
	    (m.malformed != NULL) == rows[row].malformed && m.why == NULL;
	got = mail_read_digest(&m, hash, &bytes);
	if (body == NULL)
		body = "";
	if (body[0] == '\0' || body[strlen(body) - 1] != '\n') {
		char with[100];

		snprintf(with, sizeof(with), "%s\r\n", body);
		digest_of(with, strlen(with), want);
		good = good && bytes == strlen(with);
	} else
		digest_of(body, strlen(body), want);
	good = good && memcmp(want, got, 32) == 0;
	buf_free(&text);
	mail_read_free(&m);
	return good;
}

static void
test_fields(void)
{
	size_t i, step;
	bool good;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		good = true;
		for (step = 1; good && step < 40; step += 1 + step / 4)
			good = reads(i, step);
		CHECK(rows[i].name, good && reads(i, 1000));
	}
}

static void
feed(struct mail_read *m, const char *text)
{
	size_t used = mail_read_header(m, (const uint8_t *)text, strlen(text));

	mail_read_body(m, (const uint8_t *)text + used, strlen(text) - used);
}

static void
test_looking(void)
{
	struct mail_read m;
	struct slice a = SLICE("a"), none = SLICE("x");

	mail_read_init(&m, 0);
	CHECK("looking before there is anything",
	    mail_read_above(&m, a, 5) == -1 &&
		mail_read_below(&m, a, -1) == -1);
	feed(&m, "A: 0\r\nB: 1\r\na: 2\r\nC: 3\r\nA : 4\r\n\r\n");
	CHECK("five", m.header_done && m.n_field == 5);
	CHECK("from the bottom", mail_read_above(&m, a, 5) == 4);
	CHECK("above 4", mail_read_above(&m, a, 4) == 2);
	CHECK("above 3", mail_read_above(&m, a, 3) == 2);
	CHECK("above 2", mail_read_above(&m, a, 2) == 0);
	CHECK("above 0", mail_read_above(&m, a, 0) == -1);
	CHECK("from the top", mail_read_below(&m, a, -1) == 0);
	CHECK("below 0", mail_read_below(&m, a, 0) == 2);
	CHECK("below 2", mail_read_below(&m, a, 2) == 4);
	CHECK("below 4", mail_read_below(&m, a, 4) == -1);
	CHECK("none",
	    mail_read_above(&m, none, 5) == -1 &&
		mail_read_below(&m, none, -1) == -1);
	mail_read_free(&m);
	mail_read_free(&m);
}

static void
test_wants(void)
{
	struct mail_read m;
	uint8_t want[32];
	uint64_t n;
	int a, b, c, d, i;

	mail_read_init(&m, 0);
	feed(&m, "\r\n");
	a = mail_read_want(&m, CANON_RELAXED, UINT64_MAX);
	b = mail_read_want(&m, CANON_RELAXED, 3);
	c = mail_read_want(&m, CANON_SIMPLE, 0);
	d = mail_read_want(&m, CANON_SIMPLE, 100);
	CHECK("equal wants share one",
	    mail_read_want(&m, CANON_RELAXED, 3) == b && m.n_hash == 4);
	feed(&m, "a  b\r\n");
	feed(&m, "c\r\n\r\n");
	CHECK("too late", mail_read_want(&m, CANON_SIMPLE, 7) == -1);
	mail_read_end(&m);
	mail_read_end(&m);
	digest_of("a b\r\nc\r\n", 8, want);
	CHECK("all",
	    memcmp(mail_read_digest(&m, a, &n), want, 32) == 0 && n == 8);
	digest_of("a b", 3, want);
	CHECK("limit",
	    memcmp(mail_read_digest(&m, b, &n), want, 32) == 0 && n == 8);
	digest_of("", 0, want);
	CHECK("limit 0",
	    memcmp(mail_read_digest(&m, c, &n), want, 32) == 0 && n == 9);
	digest_of("a  b\r\nc\r\n", 9, want);
	CHECK("limit beyond",
	    memcmp(mail_read_digest(&m, d, &n), want, 32) == 0 && n == 9);
	mail_read_free(&m);

	mail_read_init(&m, 0);
	for (i = 0; i < MAIL_HASHES_MAX; i++)
		mail_read_want(&m, CANON_SIMPLE, (uint64_t)i);
	CHECK("too many",
	    m.n_hash == MAIL_HASHES_MAX &&
		mail_read_want(&m, CANON_SIMPLE, 99) == -1 &&
		mail_read_want(&m, CANON_SIMPLE, 1) == 1);
	mail_read_free(&m);
}

static void
test_bounds(void)
{
	struct mail_read m;
	struct buf text;
	unsigned int i;

	mail_read_init(&m, 20);
	feed(&m, "A: b\r\nC: 890123456789\r\nD: e\r\n\r\nbody");
	CHECK("too large",
	    m.header_done && m.why != NULL && m.n_field == 1 &&
		m.header.len == 20);
	mail_read_end(&m);
	mail_read_free(&m);

	mail_read_init(&m, 20);
	feed(&m, "A: b\r\nC: 890123456789");
	feed(&m, "0123");
	CHECK("too large, without an end", !m.header_done && m.why != NULL);
	mail_read_finish_header(&m);
	CHECK("its end", m.header_done && m.n_field == 1);
	mail_read_free(&m);

	mail_read_init(&m, 10);
	feed(&m, "A: bcde\r\n");
	feed(&m, "\r\n");
	CHECK("just too large", m.why != NULL && m.header_done);
	mail_read_free(&m);
	mail_read_init(&m, 11);
	feed(&m, "A: bcde\r\n");
	feed(&m, "\r\n");
	CHECK("just fits", m.why == NULL && m.n_field == 1);
	mail_read_free(&m);

	buf_init(&text, 0);
	for (i = 0; i < MAIL_FIELDS_MAX; i++)
		buf_printf(&text, "%s%u: b\r\n", "Same-", i % 100);
	buf_add(&text, "", 1);
	mail_read_init(&m, 0);
	feed(&m, (const char *)buf_data(&text));
	feed(&m, "\r\n");
	CHECK("as many fields as may be",
	    m.why == NULL && m.n_field == MAIL_FIELDS_MAX &&
		mail_read_below(&m, slice_of("same-7"), 7) == 107);
	mail_read_free(&m);
	mail_read_init(&m, 0);
	feed(&m, (const char *)buf_data(&text));
	feed(&m, "One: more\r\n\r\n");
	CHECK("too many fields", m.why != NULL && m.n_field == MAIL_FIELDS_MAX);
	mail_read_free(&m);
	buf_free(&text);
}

int
main(void)
{
	test_fields();
	test_looking();
	test_wants();
	test_bounds();
	return unit_end();
}
