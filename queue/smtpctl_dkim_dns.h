/*
 * `smtpctl dkim rotate`: whether the record of a key is in the DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_DKIM_DNS_H
#define QUEUE_SMTPCTL_DKIM_DNS_H

#include <stdbool.h>

#include "slice.h"

struct dkim_dns;

/* server: "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53"; NULL: those of
 * resolv.conf(5).  NULL, and why is on stderr. */
struct dkim_dns *dkim_dns_open(const char *server);
void dkim_dns_close(struct dkim_dns **d);

enum dkim_found {
	DKIM_PUBLISHED,
	DKIM_MISSING,   /* the DNS says that there is none */
	DKIM_DIFFERENT, /* there is another one */
	DKIM_UNKNOWN    /* the DNS does not say */
};

/* What there is of this key at SELECTOR._domainkey.DOMAIN; waits for it.
 * *why: a few constant words. */
enum dkim_found dkim_dns_look(struct dkim_dns *d, const char *domain,
    const char *selector, const char *alg, const char *b64, const char **why);

/*
 * The text of a TXT record, its strings joined, against a key (RFC 6376
 * 3.6.1).  NULL: it is the record of that key; else why it is not.
 */
const char *dkim_record_check(struct slice text, const char *alg,
    const char *b64);

#endif
