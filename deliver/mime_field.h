/*
 * The fields of MIME that say how a body is built: Content-Type and
 * Content-Transfer-Encoding (RFC 2045 5, 6).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_MIME_FIELD_H
#define DELIVER_MIME_FIELD_H

#include "slice.h"

#define MIME_BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */
#define MIME_WORD_MAX     79 /* of a type, of an encoding */

struct mime_type {
	char type[MIME_WORD_MAX + 1], subtype[MIME_WORD_MAX + 1];
	char boundary[MIME_BOUNDARY_MAX + 1]; /* empty: none */
};

/* The value of Content-Type, folded or not.  NULL, or why not; then *t is all
 * empty. */
const char *mime_type_parse(struct slice value, struct mime_type *t);

/* The value of Content-Transfer-Encoding, in lower case.  NULL, or why not. */
const char *mime_encoding_parse(struct slice value,
    char out[MIME_WORD_MAX + 1]);

#endif
