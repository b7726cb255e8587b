/*
 * session_header.c: however the bytes are cut the same comes out; what is
 * complete stays as it is; a body passes untouched; no more is held than is
 * allowed, and nothing is said of who is a blind copy.  Of a stranger's nothing
 * is lost but what speaks in our name, and nothing is added.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "session_header.h"

/* Few bytes, so that fields do not fit; and more than any of them has. */
#define HELD_FEW 512
#define HELD_ALL (1024 * 1024)

/* The first byte of the input: what is wanted, and where it is cut. */
enum { MASKS = 1, NOBODY = 2, CUTS = 252 };

static struct buf
pass(const struct header_wish *wish, size_t held, const uint8_t *in, size_t len,
    size_t piece)
{
	struct header *h = header_new(wish, held);
	struct buf out;
	size_t at, n;

	buf_init(&out, 0);
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		MUST(header_in(h, in + at, n, &out));
	}
	MUST(header_end(h, &out));
	header_free(&h);
	return out;
}

static void
must_be_same(const struct buf *a, const struct buf *b)
{
	MUST(a->len == b->len && memcmp(buf_data(a), buf_data(b), a->len) == 0);
}

/* A line of the header section that begins so, in any case. */
static bool
has_line(const struct buf *b, const char *begins)
{
	const char *p = (const char *)buf_data(b);
	size_t i, n = strlen(begins);

	for (i = 0; i + n <= b->len; i++) {
		if (i >= 4 && memcmp(p + i - 4, "\r\n\r\n", 4) == 0)
			return false;
		if ((i == 0 ||
			(i >= 2 && p[i - 1] == '\n' && p[i - 2] == '\r')) &&
		    strncasecmp(p + i, begins, n) == 0)
			return true;
	}
	return false;
}

/* What stands behind the header section. */
static void
must_keep_body(const struct header_wish *wish, const uint8_t *in, size_t len)
{
	static const char section[] = "Subject: x\r\n\r\n";
	struct buf all, out;

	buf_init(&all, 0);
	MUST(buf_puts(&all, section) && buf_add(&all, in, len));
	out = pass(wish, HELD_FEW, buf_data(&all), all.len, all.len);
	MUST(out.len >= len &&
	    memcmp(buf_data(&out) + out.len - len, in, len) == 0);
	buf_free(&all);
	buf_free(&out);
}

/* What came out is what came in, but for pieces that are gone. */
static void
must_be_left_of(const struct buf *out, const uint8_t *in, size_t len)
{
	const uint8_t *p = buf_data(out);
	size_t i, n = 0;

	for (i = 0; i < len && n < out->len; i++)
		n += in[i] == p[n];
	MUST(n == out->len);
}

static void
try_stranger(const uint8_t *in, size_t len, size_t piece)
{
	struct header_wish wish = { .authserv = "mx.test", .stranger = true };
	struct buf one = pass(&wish, HELD_FEW, in, len, len + 1);
	struct buf two = pass(&wish, HELD_FEW, in, len, piece);

	must_be_same(&one, &two);
	must_be_left_of(&one, in, len);
	MUST(!has_line(&one, "Authentication-Results: mx.test;") &&
	    !has_line(&one, "X-Spam:") && !has_line(&one, "X-DMARC:"));
	buf_free(&one);
	buf_free(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct header_wish wish = { .sender = "ann@c.test",
		.hostname = "mx.test",
		.mail_name = "mx.test",
		.id = 1,
		.when = 1700000000 };
	struct buf one, two;
	size_t piece;

	if (len < 1)
		return 0;
	if ((in[0] & MASKS) != 0)
		wish.from = wish.sender;
	else if ((in[0] & NOBODY) != 0)
		wish.sender = "";
	piece = (size_t)(in[0] & CUTS) / 4 + 1;
	try_stranger(in + 1, len - 1, piece);
	one = pass(&wish, HELD_FEW, in + 1, len - 1, len);
	two = pass(&wish, HELD_FEW, in + 1, len - 1, piece);
	must_be_same(&one, &two);
	buf_free(&one);
	buf_free(&two);
	one = pass(&wish, HELD_ALL, in + 1, len - 1, len);
	two = pass(&wish, HELD_ALL, buf_data(&one), one.len, piece);
	must_be_same(&one, &two);
	buf_free(&two);
	MUST(!has_line(&one, "Bcc:") && !has_line(&one, "Resent-Bcc:"));
	MUST(has_line(&one, "From") && has_line(&one, "Date") &&
	    has_line(&one, "Message-ID"));
	must_keep_body(&wish, in + 1, len - 1);
	buf_free(&one);
	return 0;
}
