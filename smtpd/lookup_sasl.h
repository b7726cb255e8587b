/*
 * SASL mechanisms: what a client's messages look like, and what is made of
 * them.  A parser gets the whole message, allocates nothing, and returns NULL
 * or why it is none.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_SASL_H
#define SMTPD_LOOKUP_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "scram.h"
#include "slice.h"

struct auth;

/* A step of an exchange: ends with one of the calls of lookup_auth_parts.h. */
typedef void sasl_step(struct auth *a);

/* A name as we take it: UTF-8 without control characters, at most ADDR_MAX
 * bytes, not empty.  NULL, or why not. */
const char *sasl_name_check(struct slice name);

/* ---- PLAIN (RFC 4616), lookup_sasl_plain.c ---- */

struct sasl_plain {
	struct slice authzid, authcid, password; /* in the message */
};
const char *sasl_plain_parse(struct slice message, struct sasl_plain *out);
sasl_step sasl_plain;

/* ---- CRAM-MD5 (RFC 2195), lookup_sasl_cram.c ---- */

#define CRAM_DIGEST 32 /* characters */
struct sasl_cram {
	struct slice user, digest; /* in the message */
};
const char *sasl_cram_parse(struct slice message, struct sasl_cram *out);
/* The digest of a challenge under a password, in lower case hexadecimal.
 * False: the library failed. */
bool sasl_cram_digest(const char *password, struct slice challenge,
    char out[CRAM_DIGEST + 1]);
sasl_step sasl_cram_first, sasl_cram_last;

/* ---- SCRAM-SHA-256 and -PLUS (RFC 5802, 7677), lookup_sasl_scram.c ---- */

enum scram_binding {
	BINDING_NONE,      /* "n": the client has none */
	BINDING_UNOFFERED, /* "y": it thinks that we have none */
	BINDING_USED       /* "p": it uses one */
};

struct scram_first {
	enum scram_binding binding;
	struct slice binding_name; /* BINDING_USED */
	struct slice header;       /* gs2-header, its commas included */
	struct slice bare;         /* what stands behind it */
	struct slice nonce;
	char authzid[ADDR_MAX + 1]; /* empty: none */
	char user[ADDR_MAX + 1];    /* decoded and prepared */
};
const char *scram_first_parse(struct slice message, struct scram_first *out);

struct scram_final {
	struct slice binding;       /* base64, as it came */
	struct slice nonce;         /* the client's and ours */
	struct slice without_proof; /* of the message */
	uint8_t proof[SCRAM_KEY];
};
const char *scram_final_parse(struct slice message, struct scram_final *out);

/* Is the proof that of s, for this AuthMessage (RFC 5802 3)?  If so, our
 * signature of it. */
bool scram_proof_is_good(const struct scram_secret *s, const char *message,
    size_t len, const uint8_t proof[SCRAM_KEY], uint8_t signature[SCRAM_KEY]);

sasl_step sasl_scram_first, sasl_scram_final, sasl_scram_end;

/* ---- OAUTHBEARER (RFC 7628) and XOAUTH2, lookup_sasl_oauth.c ---- */

struct sasl_oauth {
	char user[ADDR_MAX + 1]; /* empty: none is named */
	struct slice token;      /* in the message */
};
const char *sasl_oauth_parse(struct slice message, struct sasl_oauth *out);
const char *sasl_xoauth2_parse(struct slice message, struct sasl_oauth *out);
sasl_step sasl_oauth;

/* ---- EXTERNAL (RFC 4422 A), lookup_sasl_external.c ---- */

sasl_step sasl_external;

#endif
