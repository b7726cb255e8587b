/*
 * Keys for verbs of smtpctl(8): records of the DNS for those that verify
 * signatures, a private key for those that make them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_KEYS_H
#define QUEUE_SMTPCTL_KEYS_H

#include <stdbool.h>

#include "bounds.h"
#include "dkim_key.h"
#include "smtpctl_asker.h"

/* False: nothing is to be asked for number i. */
typedef bool keys_wants(void *arg, unsigned int i, char name[HOST_MAX + 1]);
/* What there is for number i; found does not stay. */
typedef void keys_take(void *arg, unsigned int i,
    const struct key_found *found);

/* Asks for numbers 0 to n - 1, and waits until all answers were taken. */
void keys_ask(struct asker *a, unsigned int n, keys_wants *wants,
    keys_take *take, void *arg);

/* ---- private keys ---- */

struct evp_pkey_st;

/* The names that a signature says, as the DNS has them (RFC 8616), and as who
 * verifies takes them.  False: they are none, was said. */
bool keys_names(const char *domain, const char *selector,
    char d[DOMAIN_MAX + 1], char s[DOMAIN_MAX + 1]);

#define KEY_SIG_MAX (DKIM_RSA_BITS_MAX / 8) /* bytes of a signature */

/* With which algorithm a key signs.  RFC 8301 3.2: verifiers take 1024 bits at
 * least; those that are made here have more.  False: with none. */
bool keys_alg(struct evp_pkey_st *pkey, enum dkim_alg *alg);

/* Signs a SHA-256 digest (Ed25519: as the message, RFC 8463 3).  Bytes of sig;
 * 0: OpenSSL does not sign with it. */
size_t keys_sign(struct evp_pkey_st *pkey, const uint8_t digest[32],
    uint8_t sig[KEY_SIG_MAX]);

#endif
