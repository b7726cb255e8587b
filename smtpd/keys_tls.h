/*
 * Private keys for TLS, and the signatures of handshakes (RFC 8446 4.2.3).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_KEYS_TLS_H
#define SMTPD_KEYS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "ipc_table.h"

struct evp_pkey_st;
struct stack_st_X509;

#define TLS_KEY_RSA_MIN 2048 /* bits */
#define TLS_KEY_RSA_MAX 4096 /* what a message of signatures has room for */

/* A row of conf.pki. */
struct tls_key {
	struct evp_pkey_st *pkey;    /* NULL: was not handed in */
	struct stack_st_X509 *chain; /* likewise */
};

/* Take a key and certificates from a file, which is read from its start and
 * stays open.  NULL, or why not. */
const char *tls_key_read(struct tls_key *k, int fd);
const char *tls_key_certs(struct tls_key *k, int fd);

/* Both are there: NULL if they belong together and work, or why not. */
const char *tls_key_check(const struct tls_key *k);

/* What an operator should look at although it works: a chain out of order, or
 * a certificate that ends soon (now: seconds since 1970).  NULL: nothing. */
const char *tls_key_odd(const struct tls_key *k, int64_t now);

/* Whose handshake it is. */
enum tls_end { TLS_SERVER, TLS_CLIENT };

/*
 * Signs what this end of a handshake wants signed: a digest as long as those
 * of its scheme are, or, for Ed25519, a message in the form of TLS, as that end
 * has it.  NULL and *len bytes in sig, or why not.
 */
const char *tls_key_sign(const struct tls_key *k, enum tls_end end,
    const struct tls_sign *ask, uint8_t *sig, size_t size, size_t *len);

/* Row pki of the configuration may be shown by a client: a relay or a
 * `tls domain` names it. */
bool tls_key_shown(const struct conf *c, uint32_t pki);

void tls_key_free(struct tls_key *k);

#endif
