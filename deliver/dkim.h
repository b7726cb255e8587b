/*
 * DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed, made in deliver
 * without a key: keys signs the digest.
 *
 * The walk, for a message that may be signed (ROUTE_ORIGIN) and has no
 * signature from an earlier attempt:
 *
 *	dkim_start(&job->dkim, conf, &self->dkim_keys, job->sender);
 *	while there is content and dkim_wants(&job->dkim):
 *		dkim_feed(...)      content_len bytes of the file, from
 *		                    content_off on; not the trace fields
 *	n = dkim_finish(&job->dkim, time(NULL));
 *	n == DKIM_LATER             the job is LATER, job->dkim.why says why
 *	n == 0                      send it without
 *	for i below n:
 *		dkim_ask(&job->dkim, i, &ask);  sign_ask_ask(keys, ..., &ask)
 *		on the answer:
 *		why = dkim_signed(&job->dkim, i, sign_is);
 *		why != NULL: the job is LATER, for this reason
 *	dkim_field(&job->dkim, m.field, sizeof(m.field))    when all are there
 *	dkim_free(&job->dkim);
 *
 * A struct dkim_sign is a member of the job, and stays where it is.  It holds
 * the header section (DKIM_HEADER_MAX at most) until dkim_finish(), and never
 * the body.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_DKIM_H
#define DELIVER_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "buf.h"
#include "conf.h"
#include "dkim_sign.h"
#include "ipc_table.h"
#include "mail_read.h"

#define DKIM_HEADER_MAX ((size_t)1 << 20) /* a larger one is not signed */
#define DKIM_SIGS       2 /* per message: one RSA, one Ed25519 */
#define DKIM_LATER      (-1)

/* What keys has said of the rows of conf.dkim: one per deliver process. */
struct dkim_keys {
	uint8_t *alg; /* by row: 0 not yet said, else 1 + enum conf_alg */
	uint32_t n;   /* rows */
};

/* Zero rows are fine.  Before the jail: mail_read_ready(). */
void dkim_keys_init(struct dkim_keys *k, const struct conf *conf);
void dkim_keys_free(struct dkim_keys *k);

/* From the handler of SIGN_KEY.  False, and nothing changed: no such row or
 * algorithm. */
bool dkim_keys_set(struct dkim_keys *k, const struct sign_key *m);

/* One signature that is being made. */
struct dkim_sig {
	uint32_t row; /* of conf.dkim */
	uint8_t alg;  /* enum conf_alg */
	bool done;    /* its value is in text */
	struct dkim_made made;
};

struct dkim_sign {
	const struct conf *conf;
	const struct dkim_keys *keys;
	const char *sender; /* borrowed: envelope sender */
	const char *why;    /* after DKIM_LATER; after 0 too, if not NULL */
	uint8_t part;       /* where in the content we are */
	uint32_t row;       /* whose domain signs */
	struct mail_read mail;
	int hash; /* of its body */
	unsigned int n;
	struct dkim_sig sig[DKIM_SIGS];
};

/*
 * Begins.  conf, keys and sender stay the caller's and must outlive d; d need
 * not be clean, but must not be in use.
 */
void dkim_start(struct dkim_sign *d, const struct conf *conf,
    const struct dkim_keys *keys, const char *sender);

/* The content as it is stored, header and body with CRLF, in pieces of any
 * size. */
void dkim_feed(struct dkim_sign *d, const void *p, size_t len);

/* False: it will not be signed, so no more need be fed. */
bool dkim_wants(const struct dkim_sign *d);

/*
 * All was fed.  now: seconds since 1970, for t=.  Returns the number of
 * signatures to ask for, 0 to DKIM_SIGS; 0 when no row of conf.dkim is for
 * this author or sender, or the message has not exactly one From field (why
 * may say more).
 * DKIM_LATER: it is to be signed, but keys has not said with what.
 */
int dkim_finish(struct dkim_sign *d, int64_t now);

/* Fills the question for signature i. */
void dkim_ask(const struct dkim_sign *d, unsigned int i, struct sign_ask *ask);

/* Takes the answer for signature i (NULL: none came).  NULL, or why it is not
 * usable: then later. */
const char *dkim_signed(struct dkim_sign *d, unsigned int i,
    const struct sign_is *is);

/*
 * The text to prepend: a DKIM-Signature field for each signature, each with
 * its CRLF at the end, then a NUL.  size is SIG_MAX + 1 at least; if two do
 * not fit, the first alone is given.  Returns bytes without the NUL; 0 and an
 * empty text if a signature is missing.
 */
size_t dkim_field(const struct dkim_sign *d, char *out, size_t size);

/* Gives all memory back.  A struct of zeros, or one freed, may be freed. */
void dkim_free(struct dkim_sign *d);

/* ---- dkim_select.c ---- */

/*
 * Which domain of conf.dkim speaks for domain: itself, or the nearest above
 * it.  Returns a row (the first with that domain), CONF_NONE if there is
 * none.
 */
uint32_t dkim_row_for(const struct conf *conf, const char *domain);

/*
 * The rows to sign with: one for each algorithm, the first RSA one before the
 * first Ed25519 one, of the domain of row first.  Returns their number in
 * rows[DKIM_SIGS], or DKIM_LATER while keys has not spoken of all of them.
 */
int dkim_rows(const struct conf *conf, const struct dkim_keys *keys,
    uint32_t first, uint32_t rows[DKIM_SIGS]);

#endif
