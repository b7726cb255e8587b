/*
 * A provider of OpenSSL 3 whose keys hold no secret: RSA, EC and Ed25519 keys
 * that know their public half and a number, and have somebody else sign.
 * libssl uses them as any other key.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_PROVIDER_H
#define COMMON_TLS_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc_table.h"

struct evp_pkey_st;
struct ossl_provider_st;

/* Who signs.  False: it cannot be had now, and the handshake fails. */
struct tls_signer {
	bool (*sign)(void *arg, const struct tls_sign *ask,
	    struct tls_signed *is);
	void *arg;
};

/* Once, before the first context is made.  NULL, or why not. */
const char *tls_provider_load(struct ossl_provider_st **p);
void tls_provider_unload(struct ossl_provider_st **p);

/* A key for SSL_CTX_use_PrivateKey() with the public half of pub, of row pki
 * of the configuration.  signer stays.  NULL: of a kind that is not known
 * here; else the caller frees it. */
struct evp_pkey_st *tls_provider_key(struct evp_pkey_st *pub, uint32_t pki,
    const struct tls_signer *signer);

#endif
