/*
 * Addresses: RFC 5321 4.1.2 paths, mailboxes, domains, address literals; RFC
 * 6531 3.3 for those that are not ASCII.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SMTP_ADDR_H
#define COMMON_SMTP_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "bounds.h"
#include "slice.h"

/*
 * Reads "<mailbox>" (or "<>", or a source route, which is dropped as RFC 5321
 * C says) from the front of in.  The mailbox without brackets goes to addr
 * (ADDR_MAX + 1 bytes, "" for <>), *rest is what follows.  NULL, or why not.
 */
const char *smtp_path_parse(struct slice in, char *addr, struct slice *rest);
/* The same where SMTPUTF8 may be said: local part and labels may be UTF-8 (RFC
 * 6531 3.3); lengths are in octets. */
const char *smtp_path_parse_utf8(struct slice in, char *addr,
    struct slice *rest);

/* A whole mailbox "local@domain": NULL, or why not.  Quoted local parts and
 * address literals are allowed. */
const char *smtp_mailbox_check(struct slice in);
const char *smtp_mailbox_check_utf8(struct slice in);

/*
 * The bytes that this local part (quotes included) may have: LOCAL_PART_MAX,
 * but ADDR_MAX for one of the Sender Rewriting Scheme ("SRS0=...", "SRS1+...",
 * in any case).  That holds a whole address, and others do not count it.
 */
size_t smtp_local_max(struct slice local);

/* A domain name as in EHLO or an address (LDH labels, dots; no trailing dot
 * in mail).  NULL, or why not. */
const char *smtp_domain_check(struct slice in);

/* Labels of small letters, digits, '-', and '_' as names have that are no
 * hosts'; so many at least. */
bool smtp_labels_check(const char *name, unsigned int least);

/* Is name the domain, in any case, or below it?  Nothing is below "". */
bool smtp_domain_is_below(const char *name, const char *domain);

/* "[192.0.2.1]" or "[IPv6:...]": NULL and the address as inet_ntop prints it
 * in ip (IP_TEXT_MAX + 1 bytes), or why not. */
const char *smtp_literal_parse(struct slice in, char *ip);

/* The part after the last '@'; "" if none.  Points into addr. */
const char *smtp_addr_domain(const char *addr);

/*
 * own as `mail-from` says it: how is "user@domain", or one of "user" and
 * "@domain", the rest being that of own; "": own.  Never the null sender,
 * whose replies must not come back (RFC 5321 6.1).  Returns own as it is, or
 * out.
 */
#define SMTP_REWRITTEN_SIZE (2 * ADDR_MAX + 2)
const char *smtp_addr_rewrite(const char *how, const char *own,
    char out[SMTP_REWRITTEN_SIZE]);

#endif
