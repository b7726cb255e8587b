/*
 * mime_7bit, mime_qp, mime_field: what becomes of 8-bit content, whole and in
 * pieces of every size.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mime_7bit.h"

#include "unit.h"

#define E "\r\n"

/* ---- quoted-printable ---- */

static const struct {
	const char *name, *in, *out;
} qps[] = {
	{ "plain", "hello", "hello\r\n" },
	{ "8-bit", "gr\xc3\xbc\xc3\x9f", "gr=C3=BC=C3=9F\r\n" },
	{ "equals sign", "a=b", "a=3Db\r\n" },
	{ "blank inside", "a b", "a b\r\n" },
	{ "blank at the end", "a ", "a=20\r\n" },
	{ "two blanks at the end", "a  ", "a =20\r\n" },
	{ "tab at the end", "a\t", "a=09\r\n" },
	{ "only a blank", " ", "=20\r\n" },
	{ "empty", "", "\r\n" },
	{ "control", "a\x01\x7f", "a=01=7F\r\n" },
	{ "bare CR and LF", "a\rb\nc", "a=0Db=0Ac\r\n" },
	{ "76 stay",
	    "123456789012345678901234567890123456789012345678901234567890123456789012345",
	    "123456789012345678901234567890123456789012345678901234567890123456789012345\r\n" },
	{ "77 are broken",
	    "12345678901234567890123456789012345678901234567890123456789012345678901234567",
	    "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n67\r\n" },
	{ "an encoded byte is not broken",
	    "1234567890123456789012345678901234567890123456789012345678901234567890123\xff",
	    "1234567890123456789012345678901234567890123456789012345678901234567890123=\r\n=FF\r\n" },
	{ "a hyphen behind a break",
	    "123456789012345678901234567890123456789012345678901234567890123456789012345--b",
	    "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n=2D-b\r\n" },
	{ "a hyphen at the beginning", "--b", "--b\r\n" },
};

static void
test_qp(void)
{
	uint8_t out[2048];
	size_t i, n, len, at;
	struct qp q;
	char name[96];

	for (i = 0; i < sizeof qps / sizeof qps[0]; i++) {
		len = strlen(qps[i].in);
		q = (struct qp){ 0 };
		n = qp_put(&q, (uint8_t *)unit_guard(qps[i].in, len), len, out);
		n += qp_end(&q, true, out + n);
		snprintf(name, sizeof name, "qp: %s", qps[i].name);
		CHECK(name,
		    n == strlen(qps[i].out) && n <= QP_ROOM(len) &&
			memcmp(out, qps[i].out, n) == 0);
		q = (struct qp){ 0 };
		for (at = n = 0; at < len; at++)
			n += qp_put(&q, (const uint8_t *)qps[i].in + at, 1,
			    out + n);
		n += qp_end(&q, true, out + n);
		snprintf(name, sizeof name, "qp: %s, byte by byte",
		    qps[i].name);
		CHECK(name,
		    n == strlen(qps[i].out) && memcmp(out, qps[i].out, n) == 0);
	}
}

/* ---- fields ---- */

static const struct {
	const char *name, *in, *type, *subtype, *boundary;
} types[] = {
	{ "plain", " text/plain", "text", "plain", "" },
	{ "upper case", "TEXT/HTML; Charset=X", "text", "html", "" },
	{ "boundary", " multipart/mixed; boundary=abc", "multipart", "mixed",
	    "abc" },
	{ "quoted", " multipart/mixed;\r\n\tboundary=\"a b;c\\\"d\"\r\n",
	    "multipart", "mixed", "a b;c\"d" },
	{ "second parameter", "a/b; x=y; BOUNDARY=\"=_1\"", "a", "b", "=_1" },
	{ "comments",
	    "(x) text (a\\)b) / (c) plain (d); (e) boundary (f) = (g) q",
	    "text", "plain", "q" },
	{ "the first boundary counts", "a/b; boundary=1; boundary=2", "a", "b",
	    "1" },
	{ "not quoted, as many write it",
	    "a/b; boundary=----=_Part_1/2:3?4; charset=x", "a", "b",
	    "----=_Part_1/2:3?4" },
	{ "not quoted, and a comment", "a/b; boundary==_1(x)", "a", "b",
	    "=_1" },
	{ "semicolon at the end", "a/b;", "a", "b", "" },
	{ "no value", "a/b; boundary", "a", "b", "" },
	{ "quoted without end", "a/b; boundary=\"abc", "a", "b", "" },
	{ "boundary of 70",
	    "a/b; boundary=1234567890123456789012345678901234567890123456789012345678901234567890",
	    "a", "b",
	    "1234567890123456789012345678901234567890123456789012345678901234567890" },
	{ "boundary of 71",
	    "a/b; boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
	    "a", "b", "" },
	{ "no slash", "text", "", "", "" },
	{ "no subtype", "text/", "", "", "" },
	{ "nothing", "", "", "", "" },
	{ "8-bit", "te\xfct/plain", "", "", "" },
	{ "comment without end", "(text/plain", "", "", "" },
};

static const struct {
	const char *in, *out; /* "": it is none */
} words[] = {
	{ " 8bit", "8bit" },
	{ "Quoted-Printable \r\n", "quoted-printable" },
	{ " (x) base64 (y)", "base64" },
	{ "8 bit", "" },
	{ "", "" },
	{ "8bit;", "" },
};

static void
test_fields(void)
{
	char name[96], word[MIME_WORD_MAX + 1];
	struct mime_type t;
	const char *why;
	struct slice s;
	size_t i, n;
	bool good;

	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		s = slice_of(types[i].in);
		s.p = unit_guard(s.p, s.len);
		why = mime_type_parse(s, &t);
		snprintf(name, sizeof name, "type: %s", types[i].name);
		CHECK(name,
		    (why == NULL) == (types[i].type[0] != '\0') &&
			strcmp(t.type, types[i].type) == 0 &&
			strcmp(t.subtype, types[i].subtype) == 0 &&
			strcmp(t.boundary, types[i].boundary) == 0);
		for (good = true, n = 0; n < s.len; n++) {
			struct slice cut = { unit_guard(types[i].in, n), n };

			(void)mime_type_parse(cut, &t);
			good = good && strlen(t.boundary) <= n;
		}
		snprintf(name, sizeof name, "type: %s, cut short",
		    types[i].name);
		CHECK(name, good);
	}
	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		s = slice_of(words[i].in);
		s.p = unit_guard(s.p, s.len);
		why = mime_encoding_parse(s, word);
		snprintf(name, sizeof name, "encoding: %s", words[i].in);
		CHECK(name,
		    (why == NULL) == (words[i].out[0] != '\0') &&
			strcmp(word, words[i].out) == 0);
	}
}

/* ---- content ---- */

#define CTE "Content-Transfer-Encoding: "
#define MIX "MIME-Version: 1.0" E "Content-Type: multipart/mixed; boundary=b" E

/* out NULL: refused; all: it takes a second round. */
static const struct {
	const char *name;
	bool all;
	const char *in, *out;
} cases[] = {
	{ "a message without MIME", false, "Subject: x" E E "gr\xc3\xbc" E,
	    "Subject: x" E "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE
	    "quoted-printable" E E "gr=C3=BC" E },
	{ "text of 8bit", false,
	    "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE "8bit" E "X: y" E E
	    "\xc3\xbc" E,
	    "MIME-Version: 1.0" E "Content-Type: text/plain; charset=utf-8" E
	    "X: y" E CTE "quoted-printable" E E "=C3=BC" E },
	{ "binary is 8-bit too", false,
	    "MIME-Version: 1.0" E "Content-Type: a/b" E CTE "BINARY" E E
	    "\xff" E,
	    "MIME-Version: 1.0" E "Content-Type: a/b" E CTE
	    "quoted-printable" E E "=FF" E },
	{ "an encoding over two lines", false,
	    "MIME-Version: 1.0" E "Content-Type: a/b" E
	    "Content-Transfer-Encoding:" E " 8bit" E E "\xff" E,
	    "MIME-Version: 1.0" E "Content-Type: a/b" E CTE
	    "quoted-printable" E E "=FF" E },
	{ "base64 stays", false,
	    "MIME-Version: 1.0" E "Content-Type: a/b" E CTE "base64" E E
	    "YWJj" E,
	    "MIME-Version: 1.0" E "Content-Type: a/b" E CTE "base64" E E
	    "YWJj" E },
	{ "8-bit in base64", false,
	    "MIME-Version: 1.0" E CTE "base64" E E "YW\xffJj" E, NULL },
	{ "8-bit in quoted-printable", false,
	    "MIME-Version: 1.0" E CTE "quoted-printable" E E "a=20\xff=" E
	    "b" E,
	    "MIME-Version: 1.0" E CTE "quoted-printable" E E "a=20=FF=" E
	    "b" E },
	{ "8-bit in what nobody knows", false,
	    "MIME-Version: 1.0" E CTE "x-uuencode" E E "\xff" E, NULL },
	{ "two encodings", false,
	    "MIME-Version: 1.0" E CTE "8bit" E CTE "base64" E E "\xff" E,
	    NULL },
	{ "one part of three", false,
	    MIX CTE "8bit" E E "pre\xff" E "--b" E E "seven" E "--b" E CTE
		    "8bit" E E "\xc3\xbc " E "--b " E CTE "base64" E E "YQ==" E
		    "--b--" E "post" E,
	    MIX CTE "7bit" E E "pre?" E "--b" E E "seven" E "--b" E CTE
		    "quoted-printable" E E "=C3=BC=20" E "--b " E CTE
		    "base64" E E "YQ==" E "--b--" E "post" E },
	{ "a part that says nothing", true,
	    MIX E "--b" E E "\xc3\xbc" E "--b--" E,
	    MIX E "--b" E CTE "quoted-printable" E E "=C3=BC" E "--b--" E },
	{ "a part that lies", true,
	    MIX E "--b" E CTE "7bit" E E "\xc3\xbc" E "--b--" E,
	    MIX E "--b" E CTE "quoted-printable" E E "=C3=BC" E "--b--" E },
	{ "parts in parts", false,
	    MIX E "--b" E "Content-Type: multipart/alternative;" E
		  " boundary=\"b2\"" E E "--b2" E CTE "8bit" E E "\xff" E
		  "--b2--" E "--b" E CTE "8bit" E E "--b2" E "\xfe" E "--b--" E,
	    MIX E "--b" E "Content-Type: multipart/alternative;" E
		  " boundary=\"b2\"" E E "--b2" E CTE "quoted-printable" E E
		  "=FF" E "--b2--" E "--b" E CTE "quoted-printable" E E "--b2" E
		  "=FE" E "--b--" E },
	{ "the outer boundary ends the inner", false,
	    MIX E "--b" E "Content-Type: multipart/mixed; boundary=c" E E
		  "--c" E CTE "8bit" E E "\xff" E "--b" E E "x" E "--b--" E,
	    MIX E "--b" E "Content-Type: multipart/mixed; boundary=c" E E
		  "--c" E CTE "quoted-printable" E E "=FF" E "--b" E E "x" E
		  "--b--" E },
	{ "a part without a body", false,
	    MIX E "--b" E CTE "8bit" E "--b" E CTE "8bit" E E "\xff" E "--b--",
	    MIX E "--b" E CTE "quoted-printable" E "--b" E CTE
		  "quoted-printable" E E "=FF" E "--b--" E },
	{ "a boundary that goes on is none", false,
	    MIX E "--b" E CTE "8bit" E E "--bc\xff" E "--b--" E,
	    MIX E "--b" E CTE "quoted-printable" E E "--bc=FF" E "--b--" E },
	{ "a message in it", false,
	    MIX E "--b" E "Content-Type: message/rfc822" E CTE "8bit" E E
		  "Subject: in" E "MIME-Version: 1.0" E
		  "Content-Type: a/b" E CTE "8bit" E E "\xff" E "--b--" E,
	    MIX E "--b" E "Content-Type: message/rfc822" E CTE "7bit" E E
		  "Subject: in" E "MIME-Version: 1.0" E
		  "Content-Type: a/b" E CTE "quoted-printable" E E "=FF" E
		  "--b--" E },
	{ "a message in a digest", true,
	    "MIME-Version: 1.0" E
	    "Content-Type: multipart/digest; boundary=b" E E "--b" E E
	    "Subject: in" E E "\xff" E "--b--" E,
	    "MIME-Version: 1.0" E
	    "Content-Type: multipart/digest; boundary=b" E E "--b" E E
	    "Subject: in" E "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE
	    "quoted-printable" E E "=FF" E "--b--" E },
	{ "signed", false,
	    "MIME-Version: 1.0" E
	    "Content-Type: multipart/signed; boundary=b" E E "--b" E CTE
	    "8bit" E E "\xff" E "--b--" E,
	    NULL },
	{ "signed, and 7-bit", false,
	    MIX E "--b" E "Content-Type: multipart/signed; boundary=s" E E
		  "--s" E E "a" E "--s--" E "--b" E CTE "8bit" E E "\xff" E
		  "--b--" E,
	    MIX E "--b" E "Content-Type: multipart/signed; boundary=s" E E
		  "--s" E E "a" E "--s--" E "--b" E CTE "quoted-printable" E E
		  "=FF" E "--b--" E },
	{ "a multipart without boundary", false,
	    "MIME-Version: 1.0" E "Content-Type: multipart/mixed" E E "\xff" E,
	    NULL },
	{ "an encoded multipart", false, MIX CTE "base64" E E "\xff" E, NULL },
	{ "a multipart without a part", false, MIX E "gr\xc3\xbc" E, NULL },
	{ "... that has an end", false, MIX E "gr\xc3\xbc" E "--b--" E, NULL },
	{ "... in another", false,
	    MIX E "--b" E "Content-Type: multipart/mixed; boundary=c" E E
		  "gr\xc3\xbc" E "--b" E E "x" E "--b--" E,
	    NULL },
	{ "... where nothing is lost", false,
	    MIX E "--b" E "Content-Type: multipart/mixed; boundary=c" E E "x" E
		  "--b" E CTE "8bit" E E "\xff" E "--b--" E,
	    MIX E "--b" E "Content-Type: multipart/mixed; boundary=c" E E "x" E
		  "--b" E CTE "quoted-printable" E E "=FF" E "--b--" E },
	{ "8-bit in a header stays", false, "Subject: \xc3\xbc" E E "a" E,
	    "Subject: \xc3\xbc" E "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE
	    "quoted-printable" E E "a" E },
	{ "no line end at the end", false,
	    "MIME-Version: 1.0" E CTE "8bit" E E "\xff ",
	    "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE
	    "quoted-printable" E E "=FF=20" },
	{ "only a header without line end", false, "Subject: \xc3\xbc",
	    "Subject: \xc3\xbc" E "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE
	    "quoted-printable" E },
	{ "only a header", false, "Subject: x" E,
	    "Subject: x" E "MIME-Version: 1.0" E
	    "Content-Type: text/plain; charset=utf-8" E CTE
	    "quoted-printable" E },
};

static uint8_t made[65536];
static size_t n_made;

static void
keep(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	if (n_made + len > sizeof made)
		abort();
	memcpy(made + n_made, p, len);
	n_made += len;
}

/* In pieces; why, and what was made. */
static const char *
convert(const char *in, size_t len, size_t piece, bool all, bool *again)
{
	struct mime_7bit m;
	const char *why = NULL;
	size_t n, at;

	n_made = 0;
	mime_7bit_start(&m, "utf-8", all, keep, NULL);
	for (at = 0; at < len && why == NULL; at += n) {
		n = len - at < piece ? len - at : piece;
		why = mime_7bit_feed(&m,
		    (const uint8_t *)unit_guard(in + at, n), n);
	}
	if (why == NULL)
		why = mime_7bit_end(&m);
	*again = m.mislabelled;
	mime_7bit_free(&m);
	return why;
}

static bool
as_said(const char *in, const char *out, bool all, size_t piece)
{
	const char *why;
	bool again;

	why = convert(in, strlen(in), piece, false, &again);
	if (why != NULL && again)
		why = convert(in, strlen(in), piece, true, &again);
	else if (all)
		return false;
	if (out == NULL)
		return why != NULL;
	return why == NULL && n_made == strlen(out) &&
	    memcmp(made, out, n_made) == 0;
}

static void
test_content(void)
{
	static const size_t pieces[] = { 100000, 1, 2, 3, 7, 64 };
	char name[96];
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
			snprintf(name, sizeof name, "%s, by %zu", cases[i].name,
			    pieces[k]);
			CHECK(name,
			    as_said(cases[i].in, cases[i].out, cases[i].all,
				pieces[k]));
		}
	}
}

/* What is bounded. */
static void
test_bounds(void)
{
	static char in[60000];
	size_t n, i, line, longest = 0;
	bool again;

	n = (size_t)snprintf(in, sizeof in,
	    "MIME-Version: 1.0" E CTE "8bit" E E);
	memset(in + n, 0xe4, 5000);
	memcpy(in + n + 5000, E "end" E, 7);
	CHECK("a long line", convert(in, n + 5007, 100, false, &again) == NULL);
	for (i = line = 0; i < n_made; i++) {
		line = made[i] == '\n' ? 0 : line + 1;
		if (line > longest)
			longest = line;
	}
	CHECK("is broken into short ones", longest <= 77 && n_made > 15000);

	n = (size_t)snprintf(in, sizeof in, "MIME-Version: 1.0" E CTE);
	memset(in + n, 'x', 30000);
	CHECK("an encoding without end",
	    convert(in, n + 30000, 1000, false, &again) != NULL && !again);

	for (i = n = 0; i < 20; i++)
		n += (size_t)snprintf(in + n, sizeof in - n,
		    "Content-Type: multipart/mixed; boundary=b%zu" E E
		    "--b%zu" E,
		    i, i);
	CHECK("parts in too many parts",
	    convert(in, n, 1000, false, &again) != NULL);
	for (i = n = 0; i < 20; i++)
		n += (size_t)snprintf(in + n, sizeof in - n,
		    "Content-Type: message/rfc822" E E);
	CHECK("messages in too many messages",
	    convert(in, n, 1000, false, &again) != NULL);
}

int
main(void)
{
	test_qp();
	test_fields();
	test_content();
	test_bounds();
	return unit_end();
}
