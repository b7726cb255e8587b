/*
 * Who wrote a message, as its header says it (RFC 5322 3.6.2): the domains of
 * From.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_AUTHOR_H
#define COMMON_AUTHOR_H

#include <stdbool.h>

#include "bounds.h"
#include "mail_read.h"
#include "slice.h"

/* Author Domains (RFC 9989).  MANY: several fields, or addresses of different
 * domains. */
enum author_is { AUTHOR_NONE, AUTHOR_ONE, AUTHOR_MANY };

/*
 * The next domain of a From field's value (RFC 5322 3.4: mailboxes, groups,
 * display names, comments), in lower case.  *rest is moved behind it.  False:
 * there is no more.  A mailbox without a domain name is skipped.
 */
bool author_next(struct slice *rest, char domain[DOMAIN_MAX + 1]);

/* A domain as the DNS has it: A-labels, in lower case.  False, and domain is
 * empty: it is no name that can be asked for. */
bool author_name(struct slice name, char domain[DOMAIN_MAX + 1]);

/* The Author Domain of a message (A-labels), whose header section is done.
 * Where a mailbox beside it cannot be read, or a part of the section is beyond
 * our bounds, it is AUTHOR_MANY: others may see another author there.
 * *fields: From fields that it has.  domain: of AUTHOR_ONE, else "". */
enum author_is author_find(const struct mail_read *m, unsigned int *fields,
    char domain[DOMAIN_MAX + 1]);

#endif
