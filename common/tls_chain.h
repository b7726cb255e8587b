/*
 * Certificates in PEM, as a file has them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_CHAIN_H
#define COMMON_TLS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

struct stack_st_X509;
struct x509_store_st;

#define TLS_CHAIN_MAX     16                /* certificates that a host shows */
#define TLS_CA_MAX        4096              /* authorities in one file */
#define TLS_CHAIN_PEM_MAX (8 * 1024 * 1024) /* bytes of a file */

/*
 * Reads the certificates of a file, which is read from its start and stays
 * open; max: more are refused.  NULL and *chain with at least one, to be freed
 * by tls_chain_free(); or why not, and *chain is NULL.
 */
const char *tls_chain_read(struct stack_st_X509 **chain, int fd, int max);

void tls_chain_free(struct stack_st_X509 **chain);

/* The authorities that the system trusts, in PEM, for free().  Reads files:
 * before the jail.  NULL: they are not to be found. */
char *tls_chain_system(void);

/* Puts them into a store; that takes as long as some handshakes do.  false:
 * there was none in it. */
bool tls_chain_store(struct x509_store_st *store, const char *pem);

#endif
