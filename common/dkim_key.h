/*
 * Public keys as the DNS has them (RFC 6376 3.6.1, RFC 8301, RFC 8463), and
 * what they say of a signature.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DKIM_KEY_H
#define COMMON_DKIM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth_result.h"
#include "bounds.h"
#include "slice.h"

/* RFC 8301 3.2 wants 1024 to 4096 verified; beyond 8192 it costs too much. */
#define DKIM_RSA_BITS_MIN 1024
#define DKIM_RSA_BITS_MAX 8192

enum dkim_alg { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 };

/* "rsa-sha256", as a= has it (RFC 6376 3.3, RFC 8463 3). */
const char *dkim_alg_word(enum dkim_alg alg);
/* False: it is none of them. */
bool dkim_alg_of(struct slice word, enum dkim_alg *alg);

struct evp_pkey_st;

/* A key record that was read. */
struct dkim_key {
	struct evp_pkey_st *pkey;
	enum dkim_alg alg;
	bool testing; /* t=y */
	bool strict;  /* t=s: the domain of i= is d=, not one below it */
	unsigned int bits;
};

/* What the DNS said of a name where a key record should be.  A text of more
 * than KEY_TEXT_MAX bytes is DNS_FOUND with cut set. */
#define KEY_TEXT_MAX 3584
struct key_found {
	uint32_t status; /* enum dns_status (dns_packet.h) */
	uint32_t n;      /* records; text is that of the first */
	bool cut;
	struct slice text;
	const char *why; /* DNS_LATER */
};

/*
 * Reads a record for a signature of algorithm alg.  service: "email"; hash:
 * "sha256" (h= of the record must allow it).  RES_PASS: *k is to be freed by
 * dkim_key_free().  Else what the signature's result is, and *why, a constant
 * text: RES_PERMERROR (no record, several, syntax, revoked, another algorithm
 * or service), RES_TEMPERROR (the DNS does not say), RES_POLICY (its key is too
 * small or too large).
 */
enum auth_result dkim_key_read(const struct key_found *found, enum dkim_alg alg,
    struct dkim_key *k, const char **why);
void dkim_key_free(struct dkim_key *k);

/* Is sig (len bytes) that of the digest (SHA-256)?  Ed25519 signs the digest
 * itself (RFC 8463 3). */
bool dkim_key_verify(const struct dkim_key *k, const uint8_t digest[32],
    const uint8_t *sig, size_t len);

/* "SELECTOR._domainkey.DOMAIN", in lower case and A-labels (RFC 8616).  False:
 * that is no name for the DNS. */
bool dkim_key_name(const char *selector, const char *domain,
    char out[HOST_MAX + 1]);

#endif
