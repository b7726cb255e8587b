/*
 * Bearer tokens that are JSON Web Tokens (RFC 7519), signed (RFC 7515) with a
 * key of a set (RFC 7517) that the operator gave us.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_JWT_H
#define SMTPD_LOOKUP_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "slice.h"

#define JWKS_FILE_MAX ((size_t)256 << 10) /* bytes of a set */
#define JWKS_MAX      64                  /* keys in it */
#define JWT_MAX       9216                /* bytes of a token */
#define JWT_LEEWAY    60                  /* seconds that clocks may differ */

struct jwks;

/* A set of keys, as text.  Those of a kind that we cannot use are passed over,
 * but one must be left.  *out is the caller's; NULL, or why not. */
const char *jwks_parse(struct slice text, struct jwks **out);
void jwks_free(struct jwks **keys);

/* What a token must be. */
struct jwt_want {
	const char *issuer, *audience;
	const char *user; /* the claim that names the user; empty: "email",
			   * else "sub" */
	int64_t now;
};

/*
 * Is it signed by one of keys, and what is wanted?  user: whom it names.
 * NULL, or why not; user is then empty.  Changes and keeps nothing, so that
 * it may be called in a thread.
 */
const char *jwt_check(struct slice token, const struct jwks *keys,
    const struct jwt_want *want, char user[ADDR_MAX + 1]);

/* The second half of it: what a token whose signature is good claims, as JSON.
 */
const char *jwt_claims_check(struct slice json, const struct jwt_want *want,
    char user[ADDR_MAX + 1]);

/* Of a token that is ours to show, not to judge: when it expires, as it claims
 * itself.  False: it is no such token, or does not say. */
bool jwt_exp(struct slice token, int64_t *at);

#endif
