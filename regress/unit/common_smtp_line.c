/*
 * Line endings and dots: what ends a line, what ends a message, and that
 * nothing else does, however the bytes are cut.
 *
 * SPDX-License-Identifier: ISC
 */
#include "facts.h"
#include "smtp_line.h"
#include "unit.h"

/* A string with its NULs. */
#define B(literal) literal, sizeof(literal) - 1

/* ---- command lines ---- */

/* Columns: input, max, result, text, bytes used. */
static const struct {
	const char *in;
	size_t len, max;
	enum smtp_line got;
	const char *line;
	size_t used;
} lines[] = {
	{ B(""), 10, LINE_MORE, "", 0 },
	{ B("NOOP"), 10, LINE_MORE, "", 0 },
	{ B("NOOP\r"), 10, LINE_MORE, "", 0 },
	{ B("NOOP\r\n"), 10, LINE_CRLF, "NOOP", 6 },
	{ B("\r\n"), 10, LINE_CRLF, "", 2 },
	{ B("NOOP\r\nQUIT\r\n"), 20, LINE_CRLF, "NOOP", 6 },
	{ B("NOOP\n"), 10, LINE_BARE, "NOOP", 5 },
	{ B("\n"), 10, LINE_BARE, "", 1 },
	{ B("NO\rOP\r\n"), 10, LINE_BARE, "NO\rOP", 7 },
	{ B("NOOP\r\r\n"), 10, LINE_BARE, "NOOP\r", 7 },
	{ B("\rNOOP\r\n"), 10, LINE_BARE, "\rNOOP", 7 },
	{ B("NOOP\nQUIT\r\n"), 20, LINE_BARE, "NOOP", 5 },
	/* exactly max, and one more */
	{ B("12345678\r\n"), 10, LINE_CRLF, "12345678", 10 },
	{ B("123456789\r\n"), 10, LINE_LONG, "", 10 },
	{ B("1234567890"), 10, LINE_LONG, "", 10 },
	{ B("123456789"), 10, LINE_MORE, "", 0 },
	{ B("1234567890\r\n"), 10, LINE_LONG, "", 10 },
	/* the rest of the two above */
	{ B("\n"), 10, LINE_BARE, "", 1 },
	{ B("a\0b\r\n"), 10, LINE_CRLF, "a\0b", 5 },
};

static void
test_lines(void)
{
	struct slice line;
	char name[64];
	size_t i, used;
	int ok;

	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		const char *in = unit_guard(lines[i].in, lines[i].len);
		enum smtp_line got = smtp_line_get((const uint8_t *)in,
		    lines[i].len, lines[i].max, &line, &used);

		ok = got == lines[i].got && used == lines[i].used;
		if (got == LINE_CRLF || got == LINE_BARE)
			ok = ok &&
			    memcmp(line.p, lines[i].line, line.len) == 0 &&
			    (line.len == strlen(lines[i].line) ||
				memchr(line.p, '\0', line.len) != NULL);
		snprintf(name, sizeof name, "line %zu", i);
		CHECK(name, ok);
	}
}

/* A line without an end is dropped in pieces, and its end is found. */
static void
test_long_line(void)
{
	enum { LEN = 100000, MAX = 512 };
	uint8_t *in = malloc(LEN + 8);
	size_t at = 0, used, pieces = 0;
	struct slice line;
	enum smtp_line got;

	memset(in, 'a', LEN);
	memcpy(in + LEN, "\r\nQUIT\r\n", 8);
	do {
		got = smtp_line_get(in + at, LEN + 8 - at, MAX, &line, &used);
		at += used;
		pieces++;
	} while (got == LINE_LONG);
	CHECK("the long line ends", got != LINE_MORE && pieces > 100);
	got = smtp_line_get(in + at, LEN + 8 - at, MAX, &line, &used);
	CHECK("the next line is whole",
	    got == LINE_CRLF && line.len == 4 &&
		memcmp(line.p, "QUIT", 4) == 0);
	free(in);
}

/* ---- content ---- */

enum { OUT_MAX = 1 << 18 };

struct made {
	uint8_t out[OUT_MAX];
	size_t out_len, used;
	struct smtp_data d;
};

/* The last len bytes before a page nobody may touch. */
static uint8_t *
guarded_room(size_t len)
{
	static char *end;
	static char zeros[OUT_MAX];

	if (end == NULL)
		end = unit_guard(zeros, sizeof zeros) + sizeof zeros;
	return (uint8_t *)end - len;
}

/* Feeds in[0..cut), then the rest; cut 0: byte by byte. */
static void
feed(struct made *m, const char *in, size_t len, size_t cut, size_t max_line,
    size_t max_header)
{
	size_t at = 0, n, made, used;
	uint8_t *room;

	m->out_len = 0;
	smtp_data_init(&m->d, FORM_DOTS, max_line, max_header);
	while (at < len && !m->d.done) {
		n = cut == 0 ? 1 : at < cut && cut < len ? cut - at : len - at;
		/* Exactly the room that the header promises. */
		room = guarded_room(2 * n + 4);
		used = smtp_data_in(&m->d, (const uint8_t *)in + at, n, room,
		    &made);
		memcpy(m->out + m->out_len, room, made);
		m->out_len += made;
		if (used != n && !m->d.done)
			abort();
		at += used;
	}
	m->used = at;
}

/*
 * Columns: what follows DATA, content kept, bytes used (0: all, and it is not
 * the end), DATA_*, CONTENT_*.
 */
static const struct {
	const char *in;
	size_t len;
	const char *out;
	size_t out_len, used;
	uint32_t seen, content;
} contents[] = {
	{ B(".\r\n"), B(""), 3, 0, 0 },
	{ B("\r\n.\r\n"), B("\r\n"), 5, 0, 0 },
	{ B("a\r\n.\r\n"), B("a\r\n"), 6, 0, 0 },
	{ B("a\r\n.\r\nQUIT\r\n"), B("a\r\n"), 6, 0, 0 },
	{ B("a\r\n..\r\n.\r\n"), B("a\r\n.\r\n"), 10, 0, CONTENT_DOT },
	{ B("..\r\n.\r\n"), B(".\r\n"), 7, 0, CONTENT_DOT },
	{ B(".a\r\n.\r\n"), B("a\r\n"), 7, 0, 0 },
	{ B("...\r\n.\r\n"), B("..\r\n"), 8, 0, CONTENT_DOT },
	{ B("a.\r\n.\r\n"), B("a.\r\n"), 7, 0, 0 },
	{ B("\r\n\r\n.\r\n"), B("\r\n\r\n"), 7, 0, 0 },
	{ B("a"), B("a"), 0, 0, 0 },
	{ B("a\r\n."), B("a\r\n"), 0, 0, 0 },
	{ B("a\r\n.\r"), B("a\r\n"), 0, 0, 0 },
	/* what is bare becomes CRLF, and is told of */
	{ B("a\nb\r\n.\r\n"), B("a\r\nb\r\n"), 8, DATA_BARE_LF, 0 },
	{ B("a\rb\r\n.\r\n"), B("a\r\nb\r\n"), 8, DATA_BARE_CR, 0 },
	{ B("a\r\r\n.\r\n"), B("a\r\n\r\n"), 7, DATA_BARE_CR, 0 },
	{ B("\n.\r\n\r\n.\r\n"), B("\r\n.\r\n\r\n"), 9, DATA_BARE_LF,
	    CONTENT_DOT },
	{ B(".\n\r\n.\r\n"), B("\r\n\r\n"), 7, DATA_BARE_LF, 0 },
	{ B(".\rx\r\n.\r\n"), B("\r\nx\r\n"), 8, DATA_BARE_CR, 0 },
	/* bytes */
	{ B("a\0b\r\n.\r\n"), B("a\0b\r\n"), 8, DATA_NUL, 0 },
	{ B("\xe4\r\n.\r\n"), B("\xe4\r\n"), 6, 0,
	    CONTENT_8BIT | CONTENT_UTF8 },
	{ B("\r\n\xe4\r\n.\r\n"), B("\r\n\xe4\r\n"), 8, 0, CONTENT_8BIT },
	{ B("\x7f\x80\r\n.\r\n"), B("\x7f\x80\r\n"), 7, 0,
	    CONTENT_8BIT | CONTENT_UTF8 },
};

static int
content_ok(const struct made *m, size_t row)
{
	size_t used =
	    contents[row].used == 0 ? contents[row].len : contents[row].used;

	return m->d.done == (contents[row].used != 0) && m->used == used &&
	    m->out_len == contents[row].out_len &&
	    memcmp(m->out, contents[row].out, m->out_len) == 0 &&
	    m->d.size == m->out_len && m->d.seen == contents[row].seen &&
	    m->d.content == contents[row].content;
}

static void
test_contents(void)
{
	static struct made m;
	char name[64];
	size_t i, cut;

	for (i = 0; i < sizeof contents / sizeof contents[0]; i++) {
		const char *in = unit_guard(contents[i].in, contents[i].len);
		int ok = 1;

		/* Whole, byte by byte (0), and cut at every place. */
		for (cut = 0; cut <= contents[i].len; cut++) {
			feed(&m, in, contents[i].len, cut, 1000, 1000);
			ok = ok && content_ok(&m, i);
		}
		snprintf(name, sizeof name, "content %zu, cut everywhere", i);
		CHECK(name, ok);
	}
}

/*
 * BDAT (RFC 3030): no dots, no end.  Columns: text or binary, content as it
 * comes, as it is kept, DATA_*, CONTENT_*.
 */
static const struct {
	enum smtp_form form;
	const char *in;
	size_t len;
	const char *out;
	size_t out_len;
	uint32_t seen, content;
} chunks[] = {
	{ FORM_TEXT, B(""), B(""), 0, 0 },
	{ FORM_TEXT, B("a\r\n"), B("a\r\n"), 0, 0 },
	{ FORM_TEXT, B("a"), B("a"), 0, CONTENT_NO_EOL },
	{ FORM_TEXT, B(".\r\n"), B(".\r\n"), 0, CONTENT_DOT },
	{ FORM_TEXT, B("a\r\n.\r\nb\r\n"), B("a\r\n.\r\nb\r\n"), 0,
	    CONTENT_DOT },
	{ FORM_TEXT, B("..\r\n"), B("..\r\n"), 0, CONTENT_DOT },
	{ FORM_TEXT, B("a\nb\r\n"), B("a\r\nb\r\n"), DATA_BARE_LF, 0 },
	{ FORM_TEXT, B("a\rb\r\n"), B("a\r\nb\r\n"), DATA_BARE_CR, 0 },
	{ FORM_TEXT, B("a\r"), B("a\r\n"), DATA_BARE_CR, 0 },
	{ FORM_TEXT, B("a\r\r\n"), B("a\r\n\r\n"), DATA_BARE_CR, 0 },
	{ FORM_TEXT, B("\0\r\n"), B("\0\r\n"), DATA_NUL, 0 },
	{ FORM_TEXT, B("\r\n\xe4"), B("\r\n\xe4"), 0,
	    CONTENT_8BIT | CONTENT_NO_EOL },
	{ FORM_BINARY, B("a\r\n.\r\n"), B("a\r\n.\r\n"), 0, CONTENT_DOT },
	{ FORM_BINARY, B("a: b\r\n\r\nc"), B("a: b\r\n\r\nc"), 0,
	    CONTENT_NO_EOL },
	{ FORM_BINARY, B("a\nb\r\n"), B("a\nb\r\n"), 0, CONTENT_BINARY },
	{ FORM_BINARY, B("a\rb\r\n"), B("a\rb\r\n"), 0, CONTENT_BINARY },
	{ FORM_BINARY, B("\r\r\n"), B("\r\r\n"), 0, CONTENT_BINARY },
	{ FORM_BINARY, B("a\r"), B("a\r"), 0, CONTENT_BINARY | CONTENT_NO_EOL },
	{ FORM_BINARY, B("\0\r\n"), B("\0\r\n"), 0, CONTENT_BINARY },
	{ FORM_BINARY, B("\n"), B("\n"), 0, CONTENT_BINARY },
};

static int
chunk_ok(size_t i, size_t cut)
{
	static struct made m;
	const struct smtp_data *d = &m.d;
	size_t at, n, made;
	uint8_t *room;

	smtp_data_init(&m.d, chunks[i].form, 1000, 1000);
	m.out_len = 0;
	for (at = 0; at < chunks[i].len; at += n) {
		n = cut == 0 ? 1 : at < cut ? cut : chunks[i].len - at;
		room = guarded_room(2 * n + 4);
		if (smtp_data_in(&m.d,
			(const uint8_t *)unit_guard(chunks[i].in + at, n), n,
			room, &made) != n)
			return 0;
		memcpy(m.out + m.out_len, room, made);
		m.out_len += made;
		if (d->done)
			return 0;
	}
	room = guarded_room(2);
	made = smtp_data_end(&m.d, room);
	memcpy(m.out + m.out_len, room, made);
	m.out_len += made;
	return d->done && m.out_len == chunks[i].out_len &&
	    memcmp(m.out, chunks[i].out, m.out_len) == 0 &&
	    d->size == m.out_len && d->seen == chunks[i].seen &&
	    d->content == chunks[i].content;
}

static void
test_chunks(void)
{
	char name[64];
	size_t i, cut;
	int ok;

	for (i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		ok = 1;
		for (cut = 0; cut < chunks[i].len; cut++)
			ok = ok && chunk_ok(i, cut);
		if (chunks[i].len == 0)
			ok = chunk_ok(i, 0);
		snprintf(name, sizeof name, "chunk %zu, cut everywhere", i);
		CHECK(name, ok);
	}
}

/*
 * What some server somewhere took for the end of a message.  Each stands
 * between "a" and a second message, which must stay content.
 */
static const struct {
	const char *end;
	size_t len;
} smuggled[] = {
	{ B("\n.\n") },
	{ B("\n.\r\n") },
	{ B("\r\n.\n") },
	{ B("\r.\r") },
	{ B("\r.\r\n") },
	{ B("\r\n.\r") },
	{ B("\r.\n") },
	{ B("\n.\r") },
	{ B("\n\n.\n\n") },
	{ B("\n\n.\r\n") },
	{ B("\r\r.\r\r") },
	{ B("\r\r\n.\r\r\n") },
	{ B("\r\n.\r\r\n") },
	{ B("\n\r.\r\n") },
	{ B("\n\r.\n\r") },
	{ B("\r\n\r.\r\n") },
	{ B("\r\n\n.\r\n") },
	{ B("\r\n.\n\r\n") },
	{ B("\r\n\0.\r\n") },
	{ B("\r\n.\0\r\n") },
	{ B("\r\n.\r\0\n") },
	{ B("\r\0\n.\r\n") },
	{ B("\r\n. \r\n") },
	{ B("\r\n .\r\n") },
	{ B("\r\n..\r\n") },
	{ B("\r\n.\t\r\n") },
	{ B("\r\n.\v\r\n") },
	{ B("\r\n.\f\r\n") },
	{ B("\x85.\x85") },
	{ B("\xe2\x80\xa8.\xe2\x80\xa8") },
	{ B("\r\n\x00\r\n.\n") },
	{ B("\r\n\xef\xbc\x8e\r\n") },
	{ B(".\r\n") },
};

static void
test_smuggling(void)
{
	static const char tail[] = "MAIL FROM:<evil@example.org>\r\n";
	static struct made m;
	char in[256], name[64];
	size_t i, n, cut;
	int ok;

	for (i = 0; i < sizeof smuggled / sizeof smuggled[0]; i++) {
		n = 0;
		in[n++] = 'a';
		memcpy(in + n, smuggled[i].end, smuggled[i].len);
		n += smuggled[i].len;
		memcpy(in + n, tail, sizeof tail - 1);
		n += sizeof tail - 1;
		ok = 1;
		for (cut = 0; cut <= n; cut++) {
			feed(&m, in, n, cut, 1000, 1000);
			ok = ok && !m.d.done;
		}
		/* And the true end after it is found, at its very place. */
		memcpy(in + n, ".\r\nQUIT", 7);
		for (cut = 0; cut <= n; cut++) {
			feed(&m, in, n + 7, cut, 1000, 1000);
			ok = ok && m.d.done && m.used == n + 3;
		}
		snprintf(name, sizeof name, "no end: variant %zu", i);
		CHECK(name, ok);
	}
}

/* Where "\r\n.\r\n" is in "\r\n" and in[0..len): bytes of in up to its end, 0
 * if nowhere. */
static size_t
true_end(const char *in, size_t len)
{
	char all[32] = "\r\n";
	size_t i;

	memcpy(all + 2, in, len);
	for (i = 0; i + 5 <= len + 2; i++) {
		if (memcmp(all + i, "\r\n.\r\n", 5) == 0)
			return i + 3;
	}
	return 0;
}

/* The same as above, thought the simple way: bare ones become CRLF, then the
 * dot after each true CRLF goes. */
static size_t
plain_content(const char *in, size_t len, uint8_t *out)
{
	size_t i, n = 0;
	int line = 1;

	for (i = 0; i < len; i++) {
		if (line && in[i] == '.') {
			line = 0;
			continue;
		}
		line = 0;
		if (in[i] == '\r' && i + 1 < len && in[i + 1] == '\n') {
			i++;
			line = 1;
		}
		if (line || in[i] == '\r' || in[i] == '\n') {
			out[n++] = '\r';
			out[n++] = '\n';
		} else
			out[n++] = (uint8_t)in[i];
	}
	return n;
}

/* Every text of up to nine of these four characters. */
static void
test_all_texts(void)
{
	static const char alphabet[] = "\r\n.x";
	enum { LEN = 9 };
	static struct made m;
	uint8_t want[32];
	char in[LEN];
	unsigned long n, total, code;
	size_t len, i, end, want_len;
	int ends = 1, texts = 1;

	for (len = 1; len <= LEN; len++) {
		total = 1UL << (2 * len);
		for (n = 0; n < total; n++) {
			for (i = 0, code = n; i < len; i++, code >>= 2)
				in[i] = alphabet[code & 3];
			end = true_end(in, len);
			/* A cut somewhere: the place changes with n. */
			feed(&m, in, len, n % (len + 1), 1000, 1000);
			ends = ends && m.d.done == (end != 0) &&
			    m.used == (end != 0 ? end : len);
			if (end == 0)
				continue;
			want_len = plain_content(in, end - 3, want);
			texts = texts && m.out_len == want_len &&
			    memcmp(m.out, want, want_len) == 0;
		}
	}
	CHECK("all texts: only CRLF.CRLF ends", ends);
	CHECK("all texts: content is as thought", texts);
}

/* ---- limits and counts ---- */

static void
test_limits(void)
{
	static struct made m;
	static char in[4096];
	size_t n, cut;
	int ok = 1;

	memset(in, 'a', sizeof in);
	/* A line of exactly max_line bytes, CRLF included, and one more. */
	memcpy(in + 98, "\r\n.\r\n", 5);
	feed(&m, in, 103, 1, 100, 4000);
	CHECK("line at the limit", m.d.done && m.d.seen == 0);
	memset(in, 'a', 128);
	memcpy(in + 99, "\r\n.\r\n", 5);
	for (cut = 0; cut < 104; cut++) {
		feed(&m, in, 104, cut, 100, 4000);
		ok = ok && m.d.done && m.d.seen == DATA_LONG_LINE;
	}
	CHECK("line over the limit", ok);

	memset(in, 'a', sizeof in);
	memcpy(in + 998, "\r\n.\r\n", 5);
	feed(&m, in, 1003, 500, 4000, 4000);
	CHECK("998 bytes are not long", m.d.content == 0);
	memset(in, 'a', sizeof in);
	memcpy(in + 999, "\r\n.\r\n", 5);
	feed(&m, in, 1004, 500, 4000, 4000);
	CHECK("999 bytes are long", m.d.content == CONTENT_LONG);

	/* Header: 10 lines of 10 bytes; the empty line is of it too. */
	for (n = 0; n < 100; n += 10)
		memcpy(in + n, "X: aaaaa\r\n", 10);
	memcpy(in + 100, "\r\nbody, much longer\r\n.\r\n", 24);
	feed(&m, in, 124, 50, 1000, 102);
	CHECK("header at the limit", m.d.done && m.d.seen == 0);
	feed(&m, in, 124, 50, 1000, 101);
	CHECK("header over the limit", m.d.seen == DATA_BIG_HEADER);
}

static void
test_hops(void)
{
	static const char in[] = "Received: a\r\n"
				 "received: b\r\n"
				 "\tReceived: folded, not a field\r\n"
				 "RECEIVED \t: c\r\n"
				 "Received-SPF: pass\r\n"
				 "X-Received: d\r\n"
				 "Receive: e\r\n"
				 "Received\r\n"
				 "\r\n"
				 "Received: in the body\r\n"
				 ".\r\n";
	static struct made m;
	size_t cut;
	int ok = 1;

	for (cut = 0; cut < sizeof in - 1; cut++) {
		feed(&m, in, sizeof in - 1, cut, 1000, 1000);
		ok = ok && m.d.done && m.d.hops == 3;
	}
	CHECK("three hops", ok);
}

/* ---- content going out ---- */

/* Columns: content, as it leaves. */
static const struct {
	const char *in;
	size_t len;
	const char *out;
	size_t out_len;
} stuffed[] = {
	{ B(""), B(".\r\n") },
	{ B("\r\n"), B("\r\n.\r\n") },
	{ B("a\r\n"), B("a\r\n.\r\n") },
	{ B("a"), B("a\r\n.\r\n") },
	{ B(".\r\n"), B("..\r\n.\r\n") },
	{ B("..\r\n"), B("...\r\n.\r\n") },
	{ B(".a\r\n.b\r\n"), B("..a\r\n..b\r\n.\r\n") },
	{ B("a.\r\n"), B("a.\r\n.\r\n") },
	{ B("a\r\n.\r\nb\r\n"), B("a\r\n..\r\nb\r\n.\r\n") },
	{ B("."), B("..\r\n.\r\n") },
	{ B("a\r"), B("a\r\r\n.\r\n") },
	{ B("a\n"), B("a\n\r\n.\r\n") },
	{ B("a\n."), B("a\n.\r\n.\r\n") },
};

static size_t
stuff(const char *in, size_t len, size_t cut, uint8_t *out)
{
	struct smtp_stuff s = { 0 };
	size_t at = 0, n, total = 0;
	uint8_t *room;

	while (at < len) {
		n = cut == 0 ? 1 : at < cut && cut < len ? cut - at : len - at;
		room = guarded_room(2 * n);
		n = smtp_stuff_out(&s, (const uint8_t *)in + at, n, room);
		memcpy(out + total, room, n);
		total += n;
		at += cut == 0            ? 1 :
		    at < cut && cut < len ? cut - at :
					    len - at;
	}
	return total + smtp_stuff_end(&s, out + total);
}

static void
test_stuffing(void)
{
	static uint8_t out[512];
	char name[64];
	size_t i, cut, n;

	for (i = 0; i < sizeof stuffed / sizeof stuffed[0]; i++) {
		const char *in = unit_guard(stuffed[i].in, stuffed[i].len);
		int ok = 1;

		for (cut = 0; cut <= stuffed[i].len; cut++) {
			n = stuff(in, stuffed[i].len, cut, out);
			ok = ok && n == stuffed[i].out_len &&
			    memcmp(out, stuffed[i].out, n) == 0;
		}
		snprintf(name, sizeof name, "stuffing %zu, cut everywhere", i);
		CHECK(name, ok);
	}
}

/* What leaves comes in as it was. */
static void
test_round_trip(void)
{
	static const char *const words[] = { ".", "..", "a", "\r\n", "\r\n.",
		"\r\n\r\n", "bc" };
	static struct made m;
	static uint8_t out[4096];
	static char in[1024];
	unsigned int seed = 1, turn;
	size_t len, n, i;
	int ok = 1;

	for (turn = 0; turn < 20000; turn++) {
		for (len = 0, i = 0; i < 12; i++) {
			const char *word;

			seed = seed * 1103515245 + 12345;
			word = words[(seed >> 16) % 7];
			memcpy(in + len, word, strlen(word));
			len += strlen(word);
		}
		memcpy(in + len, "\r\n", 2);
		len += 2;
		n = stuff(in, len, (seed >> 8) % len, out);
		feed(&m, (const char *)out, n, (seed >> 4) % n, 1000, 1000);
		ok = ok && m.d.done && m.used == n && m.out_len == len &&
		    memcmp(m.out, in, len) == 0;
	}
	CHECK("round trip", ok);
}

int
main(void)
{
	test_lines();
	test_long_line();
	test_contents();
	test_chunks();
	test_smuggling();
	test_all_texts();
	test_limits();
	test_hops();
	test_stuffing();
	test_round_trip();
	return unit_end();
}
