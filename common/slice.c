/*
 * Slices: comparing, trimming and copying bytes that somebody else owns.
 * Used by every process; never allocates.
 *
 * SPDX-License-Identifier: ISC
 */
#include "slice.h"

#include <string.h>

struct slice
slice_of(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
slice_eqcase(struct slice a, struct slice b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++) {
		unsigned char x = (unsigned char)a.p[i];
		unsigned char y = (unsigned char)b.p[i];

		if (x >= 'A' && x <= 'Z')
			x += 'a' - 'A';
		if (y >= 'A' && y <= 'Z')
			y += 'a' - 'A';
		if (x != y)
			return false;
	}
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice
without(struct slice s, bool (*drop)(char c))
{
	while (s.len > 0 && drop(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && drop(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct slice
slice_trim(struct slice s)
{
	return without(s, is_blank);
}

struct slice
slice_strip(struct slice s)
{
	return without(s, slice_is_space);
}

int
slice_utf8_step(struct slice s)
{
	/* Columns: range of the first byte, bytes, least and greatest
	 * second byte: what is overlong, a surrogate or too large is in none
	 * of the rows (RFC 3629 4). */
	static const struct {
		unsigned char first, last, len, low, high;
	} rows[] = {
		{ 0x00, 0x7f, 1, 0, 0 },
		{ 0xc2, 0xdf, 2, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },
		{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },
	};
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i, n;

	if (s.len == 0)
		return 0;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (p[0] >= rows[i].first && p[0] <= rows[i].last)
			break;
	}
	if (i == sizeof rows / sizeof rows[0])
		return 0;
	for (n = 1; n < rows[i].len; n++) {
		if (n >= s.len)
			return -1;
		if (n == 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
			return 0;
		if (n > 1 && (p[n] & 0xc0) != 0x80)
			return 0;
	}
	return rows[i].len;
}

size_t
slice_utf8(struct slice s)
{
	int n = slice_utf8_step(s);

	return n > 0 ? (size_t)n : 0;
}

bool
slice_is_ascii(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] > 127)
			return false;
	}
	return true;
}

bool
slice_is_utf8(struct slice s)
{
	size_t n;

	for (; s.len > 0; s.p += n, s.len -= n) {
		if ((n = slice_utf8(s)) == 0)
			return false;
	}
	return true;
}

bool
slice_copy(struct slice s, char *out, size_t size)
{
	out[0] = '\0';
	if (s.len >= size || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL))
		return false;
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return true;
}

void
text_lower(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
	}
}
