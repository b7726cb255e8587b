/*
 * The words of `protocols` in smtpd.conf: which versions of TLS are spoken.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_PROTOCOLS_H
#define COMMON_TLS_PROTOCOLS_H

#include "slice.h"

/* Versions as they stand in a handshake (RFC 8446 4.1.2), and as OpenSSL
 * numbers them. */
enum { TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

/*
 * "TLSv1.2,TLSv1.3", "secure", "all", "all:!tlsv1.2": words with commas or
 * colons between them, in any case; a `!` takes a version away, from all if
 * nothing stands before it.  An empty text means both versions.
 *
 * Stores the lowest and the highest of what is left, and returns NULL; or
 * returns why not, as in "found ..., WHY", and stores nothing.
 */
const char *tls_protocols_parse(struct slice text, unsigned int *min,
    unsigned int *max);

#endif
