/*
 * The parameters of MAIL and RCPT that travel with a message (RFC 3461,
 * RFC 6152, RFC 6533): their words, and the addresses in them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DSN_PARAM_H
#define COMMON_DSN_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "facts.h"
#include "slice.h"

#define NOTIFY_TEXT_MAX 32 /* "SUCCESS,FAILURE,DELAY", NUL included */

/* Words in any case.  NULL, or why it is no such value; NEVER stands alone
 * (RFC 3461 4.1). */
const char *notify_parse(struct slice in, uint8_t *notify);
const char *ret_parse(struct slice in, uint8_t *ret);
const char *body_parse(struct slice in, uint8_t *body);

/* The words again; "" for what was not said.  Returns out. */
const char *notify_print(unsigned int notify, char out[NOTIFY_TEXT_MAX]);
const char *ret_name(unsigned int ret);
const char *body_name(unsigned int body);

/* Decodes xtext (RFC 3461 4) into out (size bytes).  False: it is none, or
 * does not fit; out is then empty. */
bool xtext_decode(struct slice in, char *out, size_t size);

/*
 * An ORCPT apart: its type in lower case, and the address as it was before it
 * was encoded (RFC 3461 4.2; type utf-8: RFC 6533 3).  False: it is none.
 */
#define ORCPT_TYPE_MAX 32 /* NUL included */
bool orcpt_decode(const char *orcpt, char type[ORCPT_TYPE_MAX],
    char addr[ORCPT_MAX + 1]);

/* "rfc822;..." or "utf-8;..." for an address, 7-bit.  False: it is longer than
 * an ORCPT may be; out is then empty. */
bool orcpt_of(const char *addr, char out[ORCPT_MAX + 1]);

/* The same ORCPT in its 7-bit form, for who does not take UTF-8.  False, and
 * out is empty: there is none. */
bool orcpt_7bit(const char *orcpt, char out[ORCPT_MAX + 1]);

/* An address with each character beyond ASCII as "\x{...}" (RFC 6533 3,
 * utf-8-addr-xtext).  Returns out, "" if it does not fit. */
const char *addr_7bit(const char *addr, char *out, size_t size);

/* True for text with a byte over 127. */
bool has_8bit(const char *text);

#endif
