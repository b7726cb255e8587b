/*
 * Records of SPF (RFC 7208 4.5, 4.6, 5, 6, 12): which text is one, and its
 * terms.  Pure functions; what they find points into the text.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SPF_PARSE_H
#define COMMON_SPF_PARSE_H

#include <netinet/in.h>

#include <stdbool.h>
#include <stdint.h>

#include "auth_result.h"
#include "slice.h"

enum spf_kind {
	SPF_END, /* there is no term */
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_UNKNOWN /* a modifier that means nothing here */
};

struct spf_term {
	enum spf_kind kind;
	struct slice text;         /* as it is written */
	enum auth_result result;   /* of a mechanism that matches */
	struct slice domain;       /* domain-spec; none: that of the record */
	uint32_t letters;          /* its macros (spf_macro.h) */
	unsigned int bits4, bits6; /* A, MX, IP4, IP6: of the network */
	struct in_addr ip4;
	struct in6_addr ip6;
};

/* RFC 7208 4.5: it is a record of SPF; *terms is what follows the version. */
bool spf_is_record(struct slice text, struct slice *terms);

/* The next of *terms; steps over it.  NULL, t->kind SPF_END at the end; else
 * why it is none, a constant text; t->text is then what it was. */
const char *spf_term_next(struct slice *terms, struct spf_term *t);

/* A record that was looked at as a whole (RFC 7208 4.6). */
struct spf_record {
	struct slice terms;
	struct spf_term redirect, exp; /* kind SPF_END: there is none */
};

/* NULL; or why the record is none, a constant text, and *bad is the term. */
const char *spf_record_read(struct slice terms, struct spf_record *r,
    struct slice *bad);

#endif
