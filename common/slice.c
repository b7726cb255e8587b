/*
 * Slices: comparing, trimming and copying bytes that somebody else owns.
 * Used by every process; never allocates.
 *
 * SPDX-License-Identifier: ISC
 */
#include "slice.h"

#include <string.h>
#include <strings.h>

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
