/*
 * common/dkim_canon.c: canonical forms of fields and bodies, however they are
 * cut.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "dkim_canon.h"

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
		good = dkim_canon_field(CANON_RELAXED, s, &out);
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
			dkim_canon_field(CANON_RELAXED, part, &out);
			buf_free(&out);
		}
	}
}

/* Simple: every byte stays. */
static void
test_simple_fields(void)
{
	static const struct {
		const char *field, *canon;
	} rows[] = {
		{ "A: X\r\n", "A: X" },
		{ "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  " },
		{ "C:", "C:" },
		{ "no colon\r\n", NULL },
	};
	struct buf out;
	struct slice s;
	size_t i;
	bool good;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s.len = strlen(rows[i].field);
		s.p = unit_guard(rows[i].field, s.len);
		buf_init(&out, 0);
		good = dkim_canon_field(CANON_SIMPLE, s, &out);
		if (rows[i].canon == NULL)
			CHECK("simple field refused", !good && out.len == 0);
		else
			CHECK("simple field",
			    good && out.len == strlen(rows[i].canon) &&
				memcmp(buf_data(&out), rows[i].canon,
				    out.len) == 0);
		buf_free(&out);
	}
	buf_init(&out, 3);
	CHECK("no room",
	    !dkim_canon_field(CANON_SIMPLE, slice_of("A: b"), &out) &&
		!dkim_canon_field(CANON_RELAXED, slice_of("A: b"), &out));
	buf_free(&out);
}

/* ---- bodies ---- */

static const struct {
	const char *name, *body, *relaxed, *simple;
} bodies[] = {
	{ "RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n",
	    " C \r\nD \t E\r\n" },
	{ "body: empty", "", "", "\r\n" },
	{ "body: one empty line", "\r\n", "", "\r\n" },
	{ "body: empty lines", "\r\n\r\n\r\n", "", "\r\n" },
	{ "body: white space alone", " \t", "", " \t\r\n" },
	{ "body: white lines", " \r\n\t\r\n", "", " \r\n\t\r\n" },
	{ "body: no line end", "a", "a\r\n", "a\r\n" },
	{ "body: no line end, blank", "a ", "a\r\n", "a \r\n" },
	{ "body: empty lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n",
	    "\r\n\r\na\r\n" },
	{ "body: empty lines between", "a\r\n \r\n\t\r\nb",
	    "a\r\n\r\n\r\nb\r\n", "a\r\n \r\n\t\r\nb\r\n" },
	{ "body: white space first", "  a\r\n", " a\r\n", "  a\r\n" },
	{ "body: bare CR stays", "a\rb\r\n", "a\rb\r\n", "a\rb\r\n" },
	{ "body: CR CR LF", "a\r\r\n", "a\r\r\n", "a\r\r\n" },
	{ "body: CR alone at the end of a line", "a\r\n\r\r\n", "a\r\n\r\r\n",
	    "a\r\n\r\r\n" },
	{ "body: blank CR blank", "a \r b\r\n", "a \r b\r\n", "a \r b\r\n" },
	{ "body: CR at the end", "a\r", "a\r\r\n", "a\r\r\n" },
	{ "body: bare LF stays", "a\nb\r\n", "a\nb\r\n", "a\nb\r\n" },
	{ "body: bare LF at the end", "a\r\n\n", "a\r\n\n\r\n", "a\r\n\n\r\n" },
	{ "body: dots are content", ".\r\n..\r\n", ".\r\n..\r\n",
	    ".\r\n..\r\n" },
	{ "body: eight at once", "abcdefg h  ijk\tlmnopqr st  \r\n",
	    "abcdefg h ijk lmnopqr st\r\n",
	    "abcdefg h  ijk\tlmnopqr st  \r\n" },
};

static void
collect(void *arg, const uint8_t *p, size_t len)
{
	buf_add(arg, p, len);
}

static void
canon(enum dkim_canon_form form, const char *body, size_t len, size_t i,
    size_t j, struct buf *out)
{
	struct dkim_body b;

	buf_init(out, 0);
	dkim_body_init(&b, form, collect, out);
	dkim_body_feed(&b, (const uint8_t *)body, i);
	dkim_body_feed(&b, (const uint8_t *)body + i, j - i);
	dkim_body_feed(&b, (const uint8_t *)body + j, len - j);
	dkim_body_end(&b);
}

/* In three pieces: cut at i and j. */
static bool
body_is(enum dkim_canon_form form, const char *body, size_t i, size_t j,
    const char *want)
{
	struct buf out;
	bool good;

	canon(form, body, strlen(body), i, j, &out);
	good = out.len == strlen(want) &&
	    memcmp(buf_data(&out), want, out.len) == 0;
	buf_free(&out);
	return good;
}

static void
test_bodies(void)
{
	size_t i, j, k, len;
	const char *body;
	bool good;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		len = strlen(bodies[i].body);
		body = bodies[i].body;
		good = true;
		for (j = 0; j <= len; j++)
			for (k = j; k <= len; k++)
				good = good &&
				    body_is(CANON_RELAXED, body, j, k,
					bodies[i].relaxed) &&
				    body_is(CANON_SIMPLE, body, j, k,
					bodies[i].simple);
		CHECK(bodies[i].name, good);
	}
}

/* The forms as RFC 6376 3.4.3 and 3.4.4 describe them, one line after
 * another. */
static void
plainly(enum dkim_canon_form form, const char *p, size_t len, struct buf *out)
{
	const char *end = p + len, *eol, *q;
	size_t empty = 0;
	bool wsp;

	buf_init(out, 0);
	for (; p < end; p = eol + 2) {
		eol = memmem(p, (size_t)(end - p), "\r\n", 2);
		if (eol == NULL)
			eol = end;
		struct buf line;

		buf_init(&line, 0);
		wsp = false;
		for (q = p; q < eol; q++) {
			if (form == CANON_RELAXED &&
			    (*q == ' ' || *q == '\t')) {
				wsp = true;
				continue;
			}
			if (wsp)
				buf_puts(&line, " ");
			wsp = false;
			buf_add(&line, q, 1);
		}
		if (line.len == 0)
			empty++;
		else {
			for (; empty > 0; empty--)
				buf_puts(out, "\r\n");
			buf_add(out, buf_data(&line), line.len);
			buf_puts(out, "\r\n");
		}
		buf_free(&line);
		if (eol == end)
			break;
	}
	if (out->len == 0 && form == CANON_SIMPLE)
		buf_puts(out, "\r\n");
}

static void
test_random(void)
{
	static const char bytes[] = "ab  \t\r\n\r\n\0\xffwords";
	char body[200], *guarded;
	struct buf want, got;
	unsigned int seed = 6376, bad = 0, i, n;
	size_t len, cut1, cut2;
	int form;

	for (i = 0; i < 6000; i++) {
		len = (size_t)rand_r(&seed) % sizeof(body);
		for (n = 0; n < len; n++) {
			body[n] =
			    bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
			/* Also whole lines. */
			if (n > 0 && rand_r(&seed) % 8 == 0) {
				body[n - 1] = '\r';
				body[n] = '\n';
			}
		}
		cut1 = (size_t)rand_r(&seed) % (len + 1);
		cut2 = cut1 + (size_t)rand_r(&seed) % (len - cut1 + 1);
		guarded = unit_guard(body, len);
		for (form = CANON_SIMPLE; form <= CANON_RELAXED; form++) {
			plainly(form, body, len, &want);
			canon(form, guarded, len, cut1, cut2, &got);
			if (want.len != got.len ||
			    memcmp(buf_data(&want), buf_data(&got), got.len) !=
				0)
				bad++;
			buf_free(&want);
			buf_free(&got);
		}
	}
	CHECK("body: as the RFC describes it", bad == 0);
}

/* More than one chunk of output, and more pending line ends than bytes. */
static void
test_long_body(void)
{
	struct buf in, out;
	size_t i;
	int form;

	buf_init(&in, 0);
	for (i = 0; i < 50000; i++)
		buf_puts(&in, "\r\n");
	for (i = 0; i < 50000; i++)
		buf_puts(&in, "x");
	buf_puts(&in, "\r\n");
	for (form = CANON_SIMPLE; form <= CANON_RELAXED; form++) {
		canon(form, (const char *)buf_data(&in), in.len, 1, 2, &out);
		CHECK("body: long",
		    out.len == in.len &&
			memcmp(buf_data(&in), buf_data(&out), in.len) == 0);
		buf_free(&out);
	}
	buf_free(&in);
}

int
main(void)
{
	test_fields();
	test_simple_fields();
	test_bodies();
	test_random();
	test_long_body();
	return unit_end();
}
