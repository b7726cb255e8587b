/*
 * `smtpctl dkim`: keys for DKIM and the records to publish for them.  Rotating
 * them is smtpctl_dkim_rotate.c's.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_DKIM_H
#define QUEUE_SMTPCTL_DKIM_H

#include <stddef.h>

#include "buf.h"

struct evp_pkey_st;
struct smtpctl;

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

/*
 * Next key of argv[0], which is "rotate", domain and folder:
 *
 *	rotate [--dry-run] [--force] [--clean] [--keep TIME]
 *	    [-a rsa|ed25519] [-r ADDRESS[:PORT]] DOMAIN DIR
 */
int smtpctl_dkim_rotate(struct smtpctl *c, int argc, char **argv);

/*
 * argv[0] is "verify", then maybe -c CONF: the signatures of the message on
 * standard input, a line each.  The exit status is that of asker_status(), or
 * of sysexits(3).  (smtpctl_dkim_verify.c)
 */
int smtpctl_dkim_verify(struct smtpctl *c, int argc, char **argv);

/*
 * argv[0] is "sign": prints the message on standard input with a signature on
 * top; or nothing, and says why.  (smtpctl_dkim_sign.c)
 *
 *	sign -d DOMAIN -s SELECTOR -k FILE [--canon HEADER/BODY]
 */
int smtpctl_dkim_sign(int argc, char **argv);

/* ---- what these share ---- */

/* How all of them are used, on stderr.  EX_USAGE. */
int smtpctl_dkim_usage(void);

#define DKIM_BASE64_MAX 1024 /* p= of the largest key, NUL included */

/* The p= of a key in out (DKIM_BASE64_MAX bytes), and "rsa" or "ed25519".
 * NULL, or why it is no key for DKIM. */
const char *dkim_key_public(struct evp_pkey_st *pkey, char *out,
    const char **alg);

/* Makes a key of this algorithm in a new file that only its owner may read,
 * on disk.  EX_OK, or an exit status; what went wrong is on stderr. */
int dkim_key_make(const char *alg, const char *path);

/* Reads a private key.  NULL: why is on stderr. */
struct evp_pkey_st *dkim_key_load(const char *path);

/* Whether these can stand in the name of a record.  EX_OK, or EX_USAGE, and
 * why is on stderr. */
int dkim_names_check(const char *domain, const char *selector);

#endif
