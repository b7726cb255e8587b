/*
 * The words of `ciphers` in smtpd.conf: what TLS is encrypted with.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_CIPHERS_H
#define COMMON_TLS_CIPHERS_H

#include <stdbool.h>

struct ssl_ctx_st;

/* The text is a word of tls_config_set_ciphers(3) that stands for a list
 * ("secure", "compat", ...), or empty: whoever reads it has one. */
bool tls_ciphers_word(const char *text);

/*
 * Has a context use these: a list in the form of OpenSSL, names with commas,
 * colons or blanks between them; those of TLS 1.3 begin with "TLS_", and
 * without any of them OpenSSL's own are used.  usual: instead of a word, and
 * where nothing is said of TLS 1.2; never: added at the end, as ":!kRSA", or
 * "".  False: OpenSSL knows no such list.
 */
bool tls_ciphers_use(struct ssl_ctx_st *ctx, const char *text,
    const char *usual, const char *never);

#endif
