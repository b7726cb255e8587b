/*
 * Content on its way into a mailbox: line ends, Return-Path, loops, spam,
 * From_ lines; whole and in pieces of every size.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "buf.h"
#include "local_content.h"

#define RCPT "bob@here.test"

enum { LOOP = 1, SPAM = 2 };

/* Columns: name, how, what comes, what goes out, what was seen. */
static const struct row {
	const char *name;
	unsigned int how;
	const char *in, *out;
	int seen;
} rows[] = {
	{ "nothing", 0, "", "", 0 },
	{ "line ends", 0, "A: b\r\n\r\nx\r\ny\r\n", "A: b\n\nx\ny\n", 0 },
	{ "no end at the end", 0, "A: b\r\n\r\nx", "A: b\n\nx\n", 0 },
	{ "a CR at the end", 0, "A: b\r\n\r\nx\r", "A: b\n\nx\r\n", 0 },
	{ "bare CR stays", 0, "A: b\r\n\r\nx\ry\r\r\n", "A: b\n\nx\ry\r\n", 0 },
	{ "bare LF is a line", 0, "A: b\n\nx\n", "A: b\n\nx\n", 0 },
	{ "no header", 0, "\r\nReturn-Path: <x>\r\n", "\nReturn-Path: <x>\n",
	    0 },
	{ "header alone", 0, "A: b\r\n", "A: b\n", 0 },
	{ "dots are not touched", 0, "A: b\r\n\r\n.\r\n..\r\n",
	    "A: b\n\n.\n..\n", 0 },

	{ "Return-Path goes", 0, "Return-Path: <x>\r\nA: b\r\n\r\n", "A: b\n\n",
	    0 },
	{ "all of them, folded, in any case", 0,
	    "A: b\r\nRETURN-PATH: <x>\r\n y\r\n\tz\r\nreturn-path:\r\nC: d\r\n",
	    "A: b\nC: d\n", 0 },
	{ "with blanks before the colon", 0, "Return-Path \t: <x>\r\nA: b\r\n",
	    "A: b\n", 0 },
	{ "as the last line", 0, "A: b\r\nReturn-Path: <x>", "A: b\n", 0 },
	{ "others do not", 0, "X-Return-Path: <x>\r\nReturn-Paths: y\r\n",
	    "X-Return-Path: <x>\nReturn-Paths: y\n", 0 },
	{ "nor in the body", 0, "A: b\r\n\r\nReturn-Path: <x>\r\n",
	    "A: b\n\nReturn-Path: <x>\n", 0 },
	{ "nor what a field goes on with", 0, "A: b\r\n Return-Path: <x>\r\n",
	    "A: b\n Return-Path: <x>\n", 0 },
	{ "a header without an empty line ends too", 0,
	    "A: b\r\nthis is text\r\nReturn-Path: <x>\r\n",
	    "A: b\nthis is text\nReturn-Path: <x>\n", 0 },
	{ "a word is no field", 0, "word\r\nReturn-Path: <x>\r\n",
	    "word\nReturn-Path: <x>\n", 0 },
	{ "as it is", COPY_AS_IS, "Return-Path: <x>\nDelivered-To: " RCPT "\n",
	    "Return-Path: <x>\nDelivered-To: " RCPT "\n", 0 },

	{ "loop", 0, "Delivered-To: " RCPT "\r\n\r\n",
	    "Delivered-To: " RCPT "\n\n", LOOP },
	{ "loop in another case", 0, "dELIVERED-tO:BOB@HERE.TEST\r\n",
	    "dELIVERED-tO:BOB@HERE.TEST\n", LOOP },
	{ "loop, folded", 0, "Delivered-To:\r\n\t" RCPT " \r\nA: b\r\n",
	    "Delivered-To:\n\t" RCPT " \nA: b\n", LOOP },
	{ "loop in brackets", 0, "Delivered-To: <" RCPT ">\r\n",
	    "Delivered-To: <" RCPT ">\n", LOOP },
	{ "loop in the last line", 0, "Delivered-To: " RCPT,
	    "Delivered-To: " RCPT "\n", LOOP },
	{ "loop, second of two", 0,
	    "Delivered-To: a@b\r\nDelivered-To: " RCPT "\r\n",
	    "Delivered-To: a@b\nDelivered-To: " RCPT "\n", LOOP },
	{ "somebody else's", 0, "Delivered-To: x" RCPT "\r\n",
	    "Delivered-To: x" RCPT "\n", 0 },
	{ "in two parts", 0, "Delivered-To: bob@\r\n here.test\r\n",
	    "Delivered-To: bob@\n here.test\n", 0 },
	{ "in the body", 0, "A: b\r\n\r\nDelivered-To: " RCPT "\r\n",
	    "A: b\n\nDelivered-To: " RCPT "\n", 0 },
	{ "in another field", 0, "X-Delivered-To: " RCPT "\r\n",
	    "X-Delivered-To: " RCPT "\n", 0 },

	{ "spam", 0, "X-Spam: yes\r\n", "X-Spam: yes\n", SPAM },
	{ "spam flag", 0, "x-spam-flag:  YES \r\n", "x-spam-flag:  YES \n",
	    SPAM },
	{ "with a score", 0, "X-Spam: Yes, score=9\r\n",
	    "X-Spam: Yes, score=9\n", SPAM },
	{ "spam as it is", COPY_AS_IS, "X-Spam: yes\n", "X-Spam: yes\n", SPAM },
	{ "no spam", 0, "X-Spam: no\r\nX-Spam-Flag: yesterday\r\n",
	    "X-Spam: no\nX-Spam-Flag: yesterday\n", 0 },
	{ "of another field", 0, "X-Spam-Status: Yes\r\n",
	    "X-Spam-Status: Yes\n", 0 },
	{ "spam in the body", 0, "\r\nX-Spam: yes\r\n", "\nX-Spam: yes\n", 0 },

	{ "From_ in the body", COPY_FROM,
	    "A: b\r\n\r\nFrom x\r\nfrom y\r\n>From z\r\nFromm\r\nFrom",
	    "A: b\n\n>From x\nfrom y\n>From z\nFromm\nFrom\n", 0 },
	{ "From_ first", COPY_FROM, "From x\r\nA: b\r\n", ">From x\nA: b\n",
	    0 },
	{ "From_ after a bare LF", COPY_FROM, "\r\nx\nFrom y\r\n",
	    "\nx\n>From y\n", 0 },
	{ "From: is a field", COPY_FROM, "From: x\r\nFrom : y\r\n",
	    "From: x\nFrom : y\n", 0 },
	{ "From_ with many blanks", COPY_FROM,
	    "A: b\r\nFrom                              x\r\n",
	    "A: b\n>From                              x\n", 0 },
	{ "a name of 8-bit bytes", 0, "\xff\xc3\xa9: x\r\nReturn-Path: y\r\n",
	    "\xff\xc3\xa9: x\n", 0 },
	{ "From_ elsewhere is nothing", 0, "A: b\r\n\r\nFrom x\r\n",
	    "A: b\n\nFrom x\n", 0 },
	{ "From_ goes on a field", COPY_FROM, "A: b\r\n From x\r\n",
	    "A: b\n From x\n", 0 },
	{ "From with a tab", COPY_FROM, "\r\nFrom\tx\r\n", "\nFrom\tx\n", 0 },
};

struct sink {
	struct buf got;
	size_t room; /* bytes that it takes */
};

static bool
put(void *arg, const void *p, size_t len)
{
	struct sink *s = arg;

	return s->got.len + len <= s->room && buf_add(&s->got, p, len);
}

static bool
goes(const struct row *r, size_t piece)
{
	size_t len = strlen(r->in), at, n;
	struct sink s = { .room = 1 << 20 };
	struct content c;
	char *copy = unit_guard(r->in, len);
	bool good = true;

	buf_init(&s.got, 0);
	content_start(&c, r->how, RCPT, put, &s);
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		good = good && content_feed(&c, copy + at, n);
	}
	good = good && content_end(&c) && c.in == len &&
	    s.got.len == strlen(r->out) &&
	    memcmp(buf_data(&s.got), r->out, s.got.len) == 0 &&
	    c.loop == ((r->seen & LOOP) != 0) &&
	    c.spam == ((r->seen & SPAM) != 0);
	if (!good)
		printf("# %zu: %.*s\n", piece, (int)s.got.len,
		    (const char *)buf_data(&s.got));
	buf_free(&s.got);
	return good;
}

/* A line of a megabyte, of each kind of field; bytes of all values. */
static void
check_long(void)
{
	static const char *const names[] = { "Delivered-To: ", "X-Spam: ",
		"Return-Path: ", "Subject: ", "", "Nocolon" };
	struct sink s = { .room = 8 << 20 };
	static char piece[65536];
	struct content c;
	bool good = true;
	size_t i, k;

	for (i = 0; i < sizeof piece; i++)
		piece[i] = (char)(i % 256 == '\n' || i % 256 == '\r' ? 'x' : i);
	piece[0] = 'x';
	buf_init(&s.got, 0);
	content_start(&c, COPY_FROM, RCPT, put, &s);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		good = good && content_feed(&c, names[i], strlen(names[i]));
		for (k = 0; k < 16; k++)
			good = good && content_feed(&c, piece, sizeof piece);
		good = good && content_feed(&c, "\r\n", 2);
	}
	good = good && content_end(&c);
	CHECK("long lines", good && !c.loop && !c.spam);
	/* All but Return-Path and what belonged to it. */
	CHECK("long lines: what is left",
	    s.got.len == 5 * (16 * sizeof piece + 1) + 14 + 8 + 9 + 7);
	buf_free(&s.got);
}

static void
check_full(void)
{
	struct sink s = { .room = 100 };
	static char piece[65536];
	struct content c;
	int i;

	memset(piece, 'x', sizeof piece);
	buf_init(&s.got, 0);
	content_start(&c, 0, RCPT, put, &s);
	CHECK("a sink that is full: later at once",
	    content_feed(&c, "\r\n", 2) &&
		!content_feed(&c, piece, sizeof piece));
	for (i = 0; i < 3; i++)
		CHECK("a sink that is full", !content_feed(&c, "x\r\n", 3));
	CHECK("a sink that is full, at the end", !content_end(&c));
	buf_free(&s.got);
}

int
main(void)
{
	size_t i, piece;
	bool good;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		good = goes(&rows[i], 1 << 20);
		for (piece = 1; piece <= 8; piece++)
			good = good && goes(&rows[i], piece);
		CHECK(rows[i].name, good);
	}
	check_long();
	check_full();
	return unit_end();
}
