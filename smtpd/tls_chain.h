/*
 * Certificates in PEM, as a file has them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_TLS_CHAIN_H
#define SMTPD_TLS_CHAIN_H

#include <stddef.h>

struct stack_st_X509;

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

#endif
