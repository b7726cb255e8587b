/*
 * `smtpctl dkim`: keys for DKIM and the records to publish for them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_DKIM_H
#define QUEUE_SMTPCTL_DKIM_H

#include "buf.h"

struct evp_pkey_st;

/*
 * argv[0] is "dkim", then one of
 *
 *	key DOMAIN SELECTOR [-a rsa|ed25519] [-o FILE]
 *	show FILE DOMAIN SELECTOR
 *
 * json: prints an object, not lines of a zone.  Returns an exit status of
 * sysexits(3); what went wrong is on stderr.
 */
int smtpctl_dkim(int argc, char **argv, bool json);

/*
 * Adds the TXT record for a key to out, as a zone file has it (RFC 6376
 * 3.6.1, RFC 8463 4).  False: not a key for DKIM.
 */
bool smtpctl_dkim_record(struct evp_pkey_st *pkey, const char *domain,
    const char *selector, struct buf *out);

/* The same as a JSON object, with the path of the private key. */
bool smtpctl_dkim_json(struct evp_pkey_st *pkey, const char *domain,
    const char *selector, const char *file, struct buf *out);

#endif
