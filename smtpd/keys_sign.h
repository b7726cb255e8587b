/*
 * Private keys for DKIM, and what is signed with them (RFC 6376 3.3, RFC
 * 8301, RFC 8463).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_KEYS_SIGN_H
#define SMTPD_KEYS_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

#define KEY_RSA_MIN  2048 /* bits: RFC 8301 3.2 */
#define KEY_RSA_MAX  4096 /* beyond it verifiers need not follow */
#define KEY_HASH_LEN 32   /* SHA-256 */

struct evp_pkey_st;

struct key {
	struct evp_pkey_st *pkey; /* NULL: none was loaded */
	enum conf_alg alg;
};

/* Takes a private key from PEM, after trying it.  NULL, or why not; then k
 * holds none. */
const char *key_load(struct key *k, const void *pem, size_t len);

/* The same for a file, which is read from its start and stays open. */
const char *key_read(struct key *k, int fd);

/*
 * Signs a SHA-256 hash: RSASSA-PKCS1-v1_5 over it, or Ed25519 over its bytes.
 * sig has room for size bytes, *len are used.  False: it did not work.
 */
bool key_sign(const struct key *k, const uint8_t hash[KEY_HASH_LEN],
    uint8_t *sig, size_t size, size_t *len);

/* PureEdDSA over a message; the same of sig and *len. */
bool key_sign_message(struct evp_pkey_st *pkey, const uint8_t *p, size_t n,
    uint8_t *sig, size_t *len);

void key_free(struct key *k);

#endif
