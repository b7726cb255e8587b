/*
 * Numbers, sizes and times from text.  Used by the parser of the
 * configuration and by everything that reads a number from outside.
 *
 * SPDX-License-Identifier: ISC
 */
#include "num.h"

#include <stddef.h>

/* Reads digits from *p on; NULL and moves *p, or why not. */
static const char *
digits(const char **p, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return "not a number";
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return "too large";
	}
	*p = s;
	*out = v;
	return NULL;
}

static const char *
in_range(uint64_t v, uint64_t min, uint64_t max, uint64_t *out)
{
	if (v < min)
		return "too small";
	if (v > max)
		return "too large";
	*out = v;
	return NULL;
}

const char *
num_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *why;
	uint64_t v;

	if ((why = digits(&text, &v)) != NULL)
		return why;
	if (*text != '\0')
		return "not a number";
	return in_range(v, min, max, out);
}

/* Columns: letter (lower case), factor. */
struct unit {
	char letter;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ 'k', 1024 },
	{ 'm', 1024 * 1024 },
	{ 'g', 1024 * 1024 * 1024 },
	{ 0, 0 },
};

static const struct unit times[] = {
	{ 's', 1 },
	{ 'm', 60 },
	{ 'h', 60 * 60 },
	{ 'd', 24 * 60 * 60 },
	{ 'w', 7 * 24 * 60 * 60 },
	{ 0, 0 },
};

static uint64_t
factor_of(const struct unit *u, char c)
{
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	for (; u->letter != 0; u++) {
		if (u->letter == c)
			return u->factor;
	}
	return 0;
}

const char *
num_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *why;
	uint64_t v, factor;

	if ((why = digits(&text, &v)) != NULL)
		return why;
	if (*text != '\0') {
		if ((factor = factor_of(sizes, *text)) == 0 || text[1] != '\0')
			return "not a size";
		if (__builtin_mul_overflow(v, factor, &v))
			return "too large";
	}
	return in_range(v, min, max, out);
}

const char *
num_parse_time(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *why;
	uint64_t sum = 0, v, factor;

	do {
		if ((why = digits(&text, &v)) != NULL)
			return "not a time";
		if ((factor = factor_of(times, *text)) == 0)
			return "a time needs a unit: s, m, h, d or w";
		text++;
		if (__builtin_mul_overflow(v, factor, &v) ||
		    __builtin_add_overflow(sum, v, &sum))
			return "too large";
	} while (*text != '\0');
	return in_range(sum, min, max, out);
}

int
num_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
