/*
 * ARC (RFC 8617): the chain of those who handled a message before us, and our
 * own link of it.
 *
 *	a = arc_begin(m, now)             when m->header_done
 *	arc_wants(a, i, name)             for i below arc_keys(a): the key
 *	                                  record to ask for
 *	arc_key(a, i, &found)             when it is there, in any order
 *	arc_finish(a)                     after mail_read_end() and all keys
 *	arc_result(a), arc_vouches(a, author) ...
 *	arc_free(&a)
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ARC_H
#define COMMON_ARC_H

#include <stdbool.h>
#include <stdint.h>

#include "auth_result.h"
#include "bounds.h"
#include "dkim_key.h"
#include "dkim_sign.h"
#include "mail_read.h"

#define ARC_SETS_MAX 50 /* RFC 8617 4.2.1 */

struct arc;

/* RES_NONE, RES_PASS, RES_FAIL; RES_TEMPERROR where the DNS does not say (an
 * error that may pass is no verdict on the chain).  Set by arc_finish(), or by
 * arc_begin() where nothing needs to be asked. */
struct arc_is {
	enum auth_result result;
	const char *why;     /* a constant text, or NULL */
	unsigned int sets;   /* in the chain */
	unsigned int oldest; /* of a chain that passes: the lowest set whose
			      * message signature is known to hold (RFC 8617
			      * 5.2, oldest-pass); 0: all do */
	bool sealed_fail;    /* the newest seal says cv=fail */
};

struct arc *arc_begin(struct mail_read *m, int64_t now);
/* Key records that are to be asked for: their number.  All are known from the
 * beginning: the newest ARC-Message-Signature and each ARC-Seal. */
unsigned int arc_keys(const struct arc *a);
bool arc_wants(const struct arc *a, unsigned int i, char name[HOST_MAX + 1]);
void arc_key(struct arc *a, unsigned int i, const struct key_found *found);
void arc_finish(struct arc *a);
/* The same, a signature at a time, each of which may take a millisecond.
 * False: all is known. */
bool arc_step(struct arc *a);
const struct arc_is *arc_result(const struct arc *a);
void arc_free(struct arc **a);

/* d= of the seal of set i (from 1), "" where there is none. */
const char *arc_sealer(const struct arc *a, unsigned int i);

/*
 * Of a chain that passes: the newest set whose ARC-Authentication-Results say
 * that author (a domain) was vouched for when it came there: dmarc=pass for
 * that header.from, or spf=pass or dkim=pass for the very domain.  Whoever
 * trusts that trusts the sealers of this set and of all above it.  0: none.
 */
unsigned int arc_vouches(const struct arc *a, const char *author);

/* ---- sealing ---- */

/* What our set says. */
struct arc_say {
	const char *authserv; /* our authserv-id */
	/* The rest of our Authentication-Results, "spf=pass ...; dkim=...", as
	 * auth_field.h makes it, folded or not; "none" where nobody looked. */
	struct slice results;
	/* "arc=...", in place of what results say of it; NULL: as they do. */
	const char *arc;
	/* What arc_finish() found when the message came: RES_NONE, RES_PASS,
	 * RES_FAIL. */
	enum auth_result cv;
	/* Bytes of all three fields, 0: no bound.  Where results are too many,
	 * those of spf, arc and dmarc stay, then the first ones of dkim, then
	 * others. */
	size_t max;
};

/*
 * The three fields of our set (RFC 8617 5.1).  arc_seal_begin() writes the
 * message signature up to its "b="; the digest signature.digest is signed by
 * whoever has the key; arc_seal_middle() takes that, writes
 * ARC-Authentication-Results and gives seal.digest; arc_seal_end() takes that
 * signature, which is not longer than the first.
 */
struct arc_seal {
	unsigned int instance;
	struct dkim_made signature; /* ARC-Message-Signature */
	struct buf results;         /* ARC-Authentication-Results, with CRLF */
	struct dkim_made seal;      /* ARC-Seal */
};

/*
 * w: domain, selector, algorithm, time.  m is at its end, and hash is that of
 * its body, relaxed; what m and say point to stays until the end.  NULL, or why
 * it is not to be sealed: the chain is at its end (ARC_SETS_MAX), or failed
 * before us (RFC 8617 5.1, step 2), or is another one than cv was said of, or
 * the message must not be signed.
 */
const char *arc_seal_begin(struct arc_seal *s, const struct mail_read *m,
    int hash, const struct dkim_wish *w, const struct arc_say *say);
const char *arc_seal_middle(struct arc_seal *s, const struct mail_read *m,
    const struct dkim_wish *w, const struct arc_say *say, const uint8_t *sig,
    size_t len);
/* False: it does not fit. */
bool arc_seal_end(struct arc_seal *s, const uint8_t *sig, size_t len);
/* ARC-Seal, ARC-Message-Signature, ARC-Authentication-Results, in this order,
 * each with its CRLF.  False: out is full. */
bool arc_seal_print(const struct arc_seal *s, struct buf *out);
/* Also after arc_seal_begin() has said why not, and of zeros. */
void arc_seal_free(struct arc_seal *s);

#endif
