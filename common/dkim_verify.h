/*
 * DKIM signatures of a message that came (RFC 6376 6, RFC 8301, 8463, 8616).
 *
 *	dkim_verify_begin(&v, m, now)     when m->header_done: reads the
 *	                                  signatures, wants hashes of the body
 *	dkim_verify_wants(&v, i, name)    for each: the key record to ask for
 *	dkim_verify_key(&v, i, &found)    when it is there, in any order, before
 *	                                  or after the end of the body
 *	dkim_verify_finish(&v)            after mail_read_end() and all keys:
 *	                                  every result is set
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DKIM_VERIFY_H
#define COMMON_DKIM_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "dkim_key.h"
#include "mail_read.h"

/* Signatures that are verified: the top ones of those that can be read.  Those
 * below are RES_POLICY "too many signatures", and more than DKIM_SHOWN are not
 * even counted.  Where none is seen in the part of a header section that is
 * within our bounds, one that is RES_POLICY stands for what may be behind
 * it. */
#define DKIM_VERIFY_MAX 8
#define DKIM_SHOWN      64
#define DKIM_SIG_BYTES  4096 /* of b=: more than any key that we take makes */

struct dkim_check {
	/* what it says of itself; "" where that cannot be read */
	char domain[DOMAIN_MAX + 1];   /* d=, lower case, A-labels */
	char selector[DOMAIN_MAX + 1]; /* s= */
	char identity[ADDR_MAX + 1];   /* i=, default "@" d= */
	char b[9];                     /* first 8 characters of b= (RFC 6008) */
	enum dkim_alg alg;
	bool alg_known;
	bool cut;     /* l= is less than the body: who reads more than that
		       * reads what nobody signed */
	bool testing; /* t=y of the key */
	bool unasked; /* its key is still to come */
	enum auth_result result;
	const char *why; /* a constant text; NULL: nothing to say */
	/* private */
	struct slice field;          /* all of it */
	struct slice names, value_b; /* h=, b= within field */
	uint8_t canon_header, canon_body;
	int hash; /* of mail_read_want(); -1 none */
	uint8_t bh[32];
	bool limited; /* l= is there */
	uint64_t limit;
	struct dkim_key key;
};

struct dkim_verify {
	const struct mail_read *m;
	struct dkim_check *check; /* n of them, the top one first */
	unsigned int n;
};

/* now: seconds since 1970, for t= and x=. */
void dkim_verify_begin(struct dkim_verify *v, struct mail_read *m, int64_t now);
/* False: nothing is to be asked for signature i. */
bool dkim_verify_wants(const struct dkim_verify *v, unsigned int i,
    char name[HOST_MAX + 1]);
void dkim_verify_key(struct dkim_verify *v, unsigned int i,
    const struct key_found *found);
/* A key that was not given is RES_TEMPERROR. */
void dkim_verify_finish(struct dkim_verify *v);
void dkim_verify_free(struct dkim_verify *v);

/* The best of all: pass, else (where there is any) temperror, policy, fail,
 * permerror, neutral; RES_NONE without a signature. */
enum auth_result dkim_verify_result(const struct dkim_verify *v);

/* ---- for ARC too ---- */

/* Adds a signature's own field to out in canonical form, without the value of
 * b= and without CRLF (RFC 6376 3.7).  value_b points into field.  False: out
 * is full. */
bool dkim_field_without(enum dkim_canon_form form, struct slice field,
    struct slice value_b, struct buf *out);

/* What a signature is read as: that of DKIM, or ARC-Message-Signature, which
 * has no v=, and a number in i= that is not looked at here (RFC 8617 4.1.2). */
enum dkim_kind { KIND_DKIM, KIND_ARC };

/*
 * Reads the value of a field into c (whose field and hash are set, as are
 * result and why if it cannot be used).  True: c->result is RES_UNSAID, and
 * all of c but its key is known.  now: for x=.
 */
bool dkim_check_read(struct dkim_check *c, const struct mail_field *f,
    enum dkim_kind kind, int64_t now);
/* Wants the hash of the body that c has to have.  False: there are too many,
 * result and why are set. */
bool dkim_check_want(struct dkim_check *c, struct mail_read *m);
/* The key that was found.  True: c->key is set, else result and why, or
 * neither: the DNS does not say. */
bool dkim_check_key(struct dkim_check *c, const struct key_found *found);
/* The end, of one whose result is RES_UNSAID: sets result and why. */
void dkim_check_finish(struct dkim_check *c, const struct mail_read *m);
/* Frees its key. */
void dkim_check_free(struct dkim_check *c);

/* d= or s= as the DNS has it: A-labels, lower case.  NULL, or why not (a
 * constant text). */
const char *dkim_domain_read(struct slice in, char out[DOMAIN_MAX + 1]);
const char *dkim_selector_read(struct slice in, char out[DOMAIN_MAX + 1]);

#endif
