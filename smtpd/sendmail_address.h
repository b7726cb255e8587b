/*
 * Lists of addresses, as in a header field or on the command line.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SENDMAIL_ADDRESS_H
#define SMTPD_SENDMAIL_ADDRESS_H

#include "slice.h"

/* The next address of a list (RFC 5322 3.4): *address points into it, and is
 * empty at its end.  NULL, or why it cannot be read. */
const char *address_next(struct slice *list, struct slice *address);

#endif
