/*
 * Bytes that somebody else owns: what comes in.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SLICE_H
#define COMMON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
	const char *p;
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

/* A slice of a NUL-terminated string. */
struct slice slice_of(const char *s);

/* Same bytes; the second also when ASCII case differs. */
bool slice_eq(struct slice a, struct slice b);
bool slice_eqcase(struct slice a, struct slice b);

/* Without blanks and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* A blank, or an end of line. */
static inline bool
slice_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks and ends of lines at both ends. */
struct slice slice_strip(struct slice s);

/* Bytes of the UTF-8 character (RFC 3629) in front of s: 1 to 4; 0: there is
 * none, or it is cut short, overlong, a surrogate, or beyond U+10FFFF. */
size_t slice_utf8(struct slice s);
/* The same, but -1 if it is good as far as it goes and s ends it. */
int slice_utf8_step(struct slice s);

/* Whether all of s is ASCII; or UTF-8. */
bool slice_is_ascii(struct slice s);
bool slice_is_utf8(struct slice s);

/*
 * Copies s into out (size bytes) with a NUL.  False, and out is empty, if it
 * does not fit or holds a NUL.
 */
bool slice_copy(struct slice s, char *out, size_t size);

/* A to Z as a to z, in place; what is not ASCII stays. */
void text_lower(char *text);

#endif
