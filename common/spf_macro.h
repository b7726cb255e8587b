/*
 * Macros of SPF (RFC 7208 7): their syntax, and what they stand for.  Pure
 * functions.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SPF_MACRO_H
#define COMMON_SPF_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns_packet.h"
#include "slice.h"

/* RFC 7208 7.1: where a text stands says what it may have. */
enum spf_text {
	SPF_DOMAIN_SPEC,  /* of a mechanism, `redirect`, `exp` */
	SPF_MACRO_STRING, /* of any other modifier */
	SPF_EXPLANATION   /* what `exp` leads to: blanks, and "c", "r", "t" */
};

/* A letter of a macro as a bit: SPF_LETTER('p'). */
#define SPF_LETTER(c) (UINT32_C(1) << ((c) - 'a'))

/* NULL: *letters are those that it has, upper case as lower.  Else why it has
 * no right syntax, a constant text. */
const char *spf_macro_check(struct slice text, enum spf_text kind,
    uint32_t *letters);

/* What letters stand for, "a" being the first; each that a text has is set. */
struct spf_values {
	const char *of['z' - 'a' + 1];
};

/*
 * The name that a domain-spec, which was checked, makes: without a dot at the
 * end; of one that is too long the left labels go (RFC 7208 7.3).  Of any
 * bytes, as dns_question_any() has them.  False, and out is empty: too long
 * even so.
 */
bool spf_macro_domain(struct slice spec, const struct spf_values *v,
    char out[DNS_NAME_MAX + 1]);

/* The text that an explanation, which was checked, makes; cut to size. */
void spf_macro_explain(struct slice text, const struct spf_values *v, char *out,
    size_t size);

#endif
