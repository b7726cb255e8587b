/*
 * What a signature is made of (RFC 6376 5, RFC 8463): which fields are signed,
 * the text of the field, the digest that a key signs.  Who has the key is
 * elsewhere: deliver asks keys, smtpctl has read it from a file.  Also ARC's
 * message signature, which differs in its name and in two tags (RFC 8617
 * 4.1.2).
 *
 *	mail_read_init(), mail_read_header() ...
 *	why = dkim_sign_check(&m)            when m.header_done
 *	hash = mail_read_want(&m, form of the body, UINT64_MAX)
 *	mail_read_body() ..., mail_read_end()
 *	why = dkim_sign_begin(&made, &m, hash, &wish)
 *	whoever has the key signs made.digest (Ed25519: as the message)
 *	dkim_sign_end(&made, sig, len)
 *	dkim_made_free(&made)
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DKIM_SIGN_H
#define COMMON_DKIM_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "dkim_canon.h"
#include "dkim_key.h"
#include "mail_read.h"

/* What is to be signed, and as whom. */
struct dkim_wish {
	const char *domain, *selector; /* A-labels */
	enum dkim_alg alg;
	enum dkim_canon_form header, body;
	int64_t now;           /* t= */
	unsigned int instance; /* i= of ARC-Message-Signature; 0: DKIM */
};

struct dkim_made {
	struct buf text; /* the field, up to "b=", then whole with CRLF */
	uint8_t digest[32];
};

/* Why this message must not be signed (not exactly one From field; a header
 * section that is too large), NULL: it may.  A constant text. */
const char *dkim_sign_check(const struct mail_read *m);

/* Writes the field up to "b=" and the digest for it; m is at its end, and hash
 * is that of its body in the wished form.  NULL, or why not (a constant text;
 * nothing is to be freed then). */
const char *dkim_sign_begin(struct dkim_made *d, const struct mail_read *m,
    int hash, const struct dkim_wish *w);
/* Adds the value.  False: it does not fit SIG_MAX. */
bool dkim_sign_end(struct dkim_made *d, const uint8_t *sig, size_t len);
void dkim_made_free(struct dkim_made *d);

#endif
