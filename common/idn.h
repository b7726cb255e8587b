/*
 * Internationalised domain names (RFC 5890): the one form in which domains
 * are compared and looked up.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IDN_H
#define COMMON_IDN_H

#include "bounds.h"
#include "slice.h"

/*
 * The domain as DNS has it, in out: ASCII in lower case, labels of other
 * scripts as "xn--..." (RFC 5891, with the mapping of UTS 46, so that case and
 * width do not matter).  ASCII is only put into lower case: what it may
 * contain is for smtp_domain_check(), and no other sign comes out than it saw.
 * NULL, or why it is none; out is then the empty text.
 */
const char *idn_domain(struct slice in, char out[DOMAIN_MAX + 1]);

#endif
