/*
 * What a server says, from a name or an outcome to the line that leaves.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_REPLY_H
#define SMTPD_SESSION_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "reply_table.h"
#include "verdict.h"

#define REPLY_LINE_MAX 512 /* RFC 5321 4.5.3.1.5: CRLF included */

/* Fills o from the table; detail takes the place of `$`, may be NULL. */
void reply_outcome(struct outcome *o, enum reply r, const char *detail);

/*
 * Prints o as one reply line, CRLF and NUL included, into out.  What a line
 * may not hold becomes '?', what does not fit is cut.  utf8: the client has
 * said SMTPUTF8 (RFC 6531 3.5), else all that is not ASCII is '?'.  Another
 * process's outcome is made to agree with itself: LATER is a 4xx and NEVER a
 * 5xx whatever its code says.  Returns bytes without the NUL.
 */
size_t reply_print(const struct outcome *o, bool utf8,
    char out[REPLY_LINE_MAX + 1]);

/* The code that reply_print() gives o. */
unsigned int reply_code(const struct outcome *o);

#endif
