/*
 * The end of a spool file: 96 bytes of text that say how long its parts are,
 * what the content is like and what it sums to, so that a reader need not
 * read the content again.  The session writes it, queue and deliver rely on
 * it.
 *
 *   head | content | trace fields | trailer
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TRAILER_H
#define COMMON_TRAILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAILER_LEN 96

struct trailer {
	uint64_t content, trace; /* bytes */
	uint32_t content_facts;  /* CONTENT_* */
	uint64_t sum;            /* XXH3-64 over content, then trace */
};

/* Writes TRAILER_LEN bytes, no NUL, to out. */
void trailer_print(const struct trailer *t, char *out);

/* Reads TRAILER_LEN bytes; NULL or why not. */
const char *trailer_parse(const char *in, size_t len, struct trailer *t);

#endif
