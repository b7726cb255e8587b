/*
 * Private keys in PEM.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_KEYS_PEM_H
#define SMTPD_KEYS_PEM_H

#include <stddef.h>

struct evp_pkey_st;

#define KEY_PEM_MAX 65536 /* bytes of a key file */

/* The first private key of a text.  NULL, or why there is none; then *pkey is
 * NULL. */
const char *pem_key_parse(struct evp_pkey_st **pkey, const void *pem,
    size_t len);

/* The same of a file, which is read from its start and stays open. */
const char *pem_key_read(struct evp_pkey_st **pkey, int fd);

#endif
