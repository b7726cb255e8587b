/*
 * Reads the subject of a message, for a notification about it.  Used by the
 * queue process; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn_title.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base64.h"

#define RAW_MAX  2000 /* bytes of a field that are looked at */
#define WORD_MAX 1000 /* of an encoded word; RFC 2047 2 allows 75 */

struct text {
	size_t len;
	char p[2 * RAW_MAX + 1];
};

static void
add(struct text *t, char c)
{
	if (t->len < sizeof t->p)
		t->p[t->len++] = c;
}

/* ---- the field ---- */

/* One line with its end; what is left of s is moved on. */
static struct slice
take_line(struct slice *s)
{
	const char *nl = memchr(s->p, '\n', s->len);
	struct slice line = { s->p,
		nl == NULL ? s->len : (size_t)(nl - s->p) + 1 };

	s->p += line.len;
	s->len -= line.len;
	return line;
}

/* Its blanks and line ends become one blank each. */
static void
add_unfolded(struct text *t, struct slice line)
{
	size_t i;

	for (i = 0; i < line.len && t->len < RAW_MAX; i++) {
		if (!slice_is_space(line.p[i]))
			add(t, line.p[i]);
		else if (t->len > 0 && t->p[t->len - 1] != ' ')
			add(t, ' ');
	}
}

static void
find(struct slice header, const char *name, struct text *t)
{
	size_t len = strlen(name);
	struct slice line;
	bool found = false;

	while (header.len > 0) {
		line = take_line(&header);
		if (line.p[0] == '\n' || line.p[0] == '\r')
			return;
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			if (found)
				add_unfolded(t, line);
			continue;
		}
		if (found)
			return;
		found = line.len > len && line.p[len] == ':' &&
		    slice_eqcase((struct slice){ line.p, len }, slice_of(name));
		if (found)
			add_unfolded(t,
			    (struct slice){ line.p + len + 1,
				line.len - len - 1 });
	}
}

/* ---- encoded words (RFC 2047) ---- */

struct word {
	struct slice charset, text;
	char encoding; /* lower case */
	size_t len;    /* all of it */
};

/* "=?charset?encoding?text?=" in front of s. */
static bool
word_read(struct slice s, struct word *w)
{
	struct slice piece[3];
	size_t i = 2, begin;
	int n;

	if (s.len < 2 || s.p[0] != '=' || s.p[1] != '?')
		return false;
	for (n = 0; n < 3; n++, i++) {
		for (begin = i; i < s.len && s.p[i] != '?'; i++) {
			if (s.p[i] == ' ' || i > WORD_MAX)
				return false;
		}
		if (i == s.len)
			return false;
		piece[n] = (struct slice){ s.p + begin, i - begin };
	}
	if (i == s.len || s.p[i] != '=' || piece[1].len != 1)
		return false;
	*w = (struct word){ piece[0], piece[2],
		(char)tolower((unsigned char)piece[1].p[0]), i + 1 };
	return true;
}

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = strchr(digits, tolower((unsigned char)c));

	return c == '\0' || p == NULL ? -1 : (int)(p - digits);
}

/* RFC 2047 4.2; what is no code stands for itself.  Returns bytes. */
static size_t
quoted(struct slice in, uint8_t *out)
{
	size_t i, n = 0;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] == '=' && i + 2 < in.len && hex(in.p[i + 1]) >= 0 &&
		    hex(in.p[i + 2]) >= 0) {
			out[n++] =
			    (uint8_t)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2]));
			i += 2;
		} else
			out[n++] = (uint8_t)(in.p[i] == '_' ? ' ' : in.p[i]);
	}
	return n;
}

/* Columns: charset, whether it is Latin-1. */
static const struct {
	const char *name;
	bool latin;
} charsets[] = {
	{ "utf-8", false },
	{ "us-ascii", false },
	{ "iso-8859-1", true },
};

static void
add_bytes(struct text *t, const uint8_t *p, size_t len, bool latin)
{
	size_t i;

	for (i = 0; i < len; i++) {
		/* No end of the text, nor a blank of the header. */
		uint8_t c = p[i] == '\0' ? '\x7f' : p[i];

		if (latin && c >= 0x80) {
			add(t, (char)(0xc0 | c >> 6));
			c = 0x80 | (c & 0x3f);
		}
		add(t, (char)c);
	}
}

/* False: it is not one that we read. */
static bool
add_decoded(struct text *t, const struct word *w)
{
	const char *star = memchr(w->charset.p, '*', w->charset.len);
	uint8_t bytes[WORD_MAX + 1];
	struct slice name = w->charset;
	size_t i, len;

	if (star != NULL) /* a language: RFC 2231 5 */
		name.len = (size_t)(star - name.p);
	for (i = 0; i < sizeof charsets / sizeof charsets[0]; i++) {
		if (slice_eqcase(name, slice_of(charsets[i].name)))
			break;
	}
	if (i == sizeof charsets / sizeof charsets[0])
		return false;
	if (w->encoding == 'q')
		len = quoted(w->text, bytes);
	else if (w->encoding != 'b' ||
	    base64_parse(BASE64_PLAIN, w->text, bytes, sizeof bytes, &len) !=
		NULL)
		return false;
	add_bytes(t, bytes, len, charsets[i].latin);
	return true;
}

/* Blanks between two encoded words separate nothing (RFC 2047 6.2). */
static void
decode(const struct text *in, struct text *out)
{
	struct slice left = { in->p, in->len };
	bool after_word = false;
	struct word w;
	size_t blank, n;

	for (; left.len > 0; left.p += n, left.len -= n) {
		blank = left.p[0] == ' ';
		n = 1;
		if (word_read((struct slice){ left.p + blank,
				  left.len - blank },
			&w)) {
			size_t before = out->len;

			if (blank && !after_word)
				add(out, ' ');
			if (add_decoded(out, &w)) {
				n = blank + w.len;
				after_word = true;
				continue;
			}
			out->len = before;
		}
		add(out, left.p[0]);
		after_word = false;
	}
}

/* ---- fit for a line of text ---- */

/* U+0085 and the like; U+2028 to U+202E, U+2066 to U+2069: ends of lines, and
 * what makes a reader see another order than there is. */
static bool
is_unfit(const char *p, size_t len)
{
	unsigned char a = (unsigned char)p[0], c = (unsigned char)p[len - 1];

	if (len == 1)
		return a < ' ' || a == 0x7f;
	if (len == 2)
		return a == 0xc2 && c < 0xa0;
	return len == 3 &&
	    ((memcmp(p, "\xe2\x80", 2) == 0 && c >= 0xa8 && c <= 0xae) ||
		(memcmp(p, "\xe2\x81", 2) == 0 && c >= 0xa6 && c <= 0xa9));
}

static void
make_fit(struct slice in, char out[DSN_TITLE_SIZE])
{
	size_t len, used = 0;
	int n;

	for (n = 0; in.len > 0 && n < DSN_TITLE_MAX; n++) {
		len = slice_utf8(in);
		if (len == 0 || is_unfit(in.p, len)) {
			out[used++] = '?';
			len = len == 0 ? 1 : len;
		} else {
			memcpy(out + used, in.p, len);
			used += len;
		}
		in.p += len;
		in.len -= len;
	}
	memcpy(out + used, in.len > 0 ? "..." : "", in.len > 0 ? 4 : 1);
}

void
dsn_title(struct slice header, const char *name, char out[DSN_TITLE_SIZE])
{
	struct text raw = { 0 }, text = { 0 };

	find(header, name, &raw);
	decode(&raw, &text);
	make_fit(slice_strip((struct slice){ text.p, text.len }), out);
}
