/*
 * One key of a set (RFC 7517, 7518 6, 8037), and signatures by it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_JWK_H
#define SMTPD_LOOKUP_JWK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "slice.h"

/* Signature algorithms (RFC 7518 3.1, RFC 8037 3.1).  Columns: enum, "alg",
 * "kty", "crv" (empty: none), digest (empty: the key's own), RSA-PSS. */
#define JWK_ALGS(X)                                                            \
	X(RS256, "RS256", "RSA", "", "SHA256", 0)                              \
	X(PS256, "PS256", "RSA", "", "SHA256", 1)                              \
	X(ES256, "ES256", "EC", "P-256", "SHA256", 0)                          \
	X(ES384, "ES384", "EC", "P-384", "SHA384", 0)                          \
	X(EDDSA, "EdDSA", "OKP", "Ed25519", "", 0)

enum jwk_alg {
#define X(name, ...) JWK_##name,
	JWK_ALGS(X)
#undef X
	    JWK_ALG_N
};

/* The algorithm of this name; JWK_ALG_N: none of ours, "none" and those of
 * shared secrets among them. */
enum jwk_alg jwk_alg_find(const char *name);

struct jwk; /* a public key */

/* Reads it from JSON.  NULL with *why empty: of a kind or for a use that is
 * not ours. */
struct jwk *jwk_new(const json_t *json, const char **why);
void jwk_free(struct jwk **k);

/* Its "kid", NULL: it has none. */
const char *jwk_id(const struct jwk *k);

/* May it be used for this algorithm? */
bool jwk_fits(const struct jwk *k, enum jwk_alg alg);

/* Is sig its signature of signed_? */
bool jwk_verify(const struct jwk *k, enum jwk_alg alg, struct slice signed_,
    const uint8_t *sig, size_t n_sig);

#endif
