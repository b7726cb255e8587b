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

/*
 * Copies s into out (size bytes) with a NUL.  False, and out is empty, if it
 * does not fit or holds a NUL.
 */
bool slice_copy(struct slice s, char *out, size_t size);

#endif
