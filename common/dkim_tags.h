/*
 * Tag lists, "name=value; name=value" (RFC 6376 3.2): DKIM-Signature fields,
 * key records, ARC's fields, DMARC records.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DKIM_TAGS_H
#define COMMON_DKIM_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

#define TAGS_MAX 64 /* in one list */

struct tag {
	struct slice name;
	struct slice value; /* without white space at both ends */
};

struct tags {
	struct tag tag[TAGS_MAX];
	unsigned int n;
};

/*
 * Reads a whole list; texts point into in.  NULL, or why it is none (a
 * constant text): a tag without '=', a name that is no ALPHA *ALNUMPUNC, a
 * name twice, a byte that no value may have (NUL, control bytes; 8-bit only as
 * RFC 8616 has it: UTF-8), too many, none at all.  One ';' may end it.
 */
const char *tags_parse(struct slice in, struct tags *t);

/* The value of a name (case matters); NULL: it is not there. */
const struct slice *tags_get(const struct tags *t, const char *name);

/* base64 with white space within (FWS, RFC 6376 2.10) added to out as bytes.
 * NULL, or why not (a constant text; out may then hold a part of it): a bad
 * character, wrong padding, bits beyond the last byte, too long for out. */
const char *tags_base64(struct slice value, struct buf *out);

/* Decimal digits, at most `digits` of them; UINT64_MAX for what is more.  NULL,
 * or why not (a constant text). */
const char *tags_number(struct slice value, unsigned int digits, uint64_t *n);

/* The next member of a list with colons ("h=from : to"), trimmed, maybe empty:
 * an empty list has one such.  False: no more, and rest->p is NULL. */
bool tags_member(struct slice *rest, struct slice *member);

#endif
