/*
 * Lists of addresses as people and programs write them: the fields of a
 * header (RFC 5322 3.4 with what 4.4 still allows, RFC 6854, RFC 6532), and
 * the command line of sendmail(8).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_ADDRESS_H
#define SMTPD_SESSION_ADDRESS_H

#include <stdbool.h>

#include "slice.h"

/* One entry of a list.  All slices point into the list. */
struct address {
	struct slice entry; /* all of it, with the comma behind it */
	struct slice spec;  /* what is or should be local@domain; empty: the
			     * entry names nobody */
	struct slice place; /* what another address would stand for: spec, or
			     * all between < and > */
	bool has_domain;    /* there is an '@' in it */
	bool odd;           /* it cannot be read, as "Bob Smith": let it be */
};

/*
 * Takes the first entry off the list.  At the end its slice is empty.  NULL,
 * or why the rest of the list cannot be read: a quote, a comment or a bracket
 * without its end.
 */
const char *address_next(struct slice *list, struct address *a);

#endif
