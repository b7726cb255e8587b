/*
 * Whom a certificate of a client names.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_TLS_NAME_H
#define SMTPD_SESSION_TLS_NAME_H

#include <stdbool.h>

#include "bounds.h"

struct x509_st;

/* The first mail address among its names (RFC 8398: of the alternative names,
 * else of the subject), else its common name; only what is printable ASCII.
 * False: there is none, and out is empty. */
bool tls_cert_name(const struct x509_st *cert, char out[ADDR_MAX + 1]);

#endif
