/*
 * TLS for connections we make: a layer under common/io.h.
 *
 * Opportunistic (RFC 7435): the certificate is not judged, an encrypted
 * channel to whoever answers is better than none.  TLS 1.2 and up.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_TLS_H
#define DELIVER_TLS_H

#include <stddef.h>

#include "io.h"

struct tls;

/* Before the jail: reads OpenSSL's configuration.  NULL: TLS cannot be had;
 * *why is a text. */
struct tls *tls_new(const char **why);
void tls_free(struct tls **t);

/*
 * Starts a handshake on a connected io; IO_READY tells when it is done,
 * IO_ERROR, IO_EOF when it failed.  What was read in plain is dropped: it was
 * not said by whom we talk to from now on (RFC 3207 4.2).  name: the host, for
 * SNI.  NULL, or why not; then io is good for nothing but io_close().
 */
const char *tls_start(struct tls *t, struct io *io, const char *name);

/* "TLSv1.3:TLS_AES_256_GCM_SHA384" to out, "" without TLS. */
void tls_print(const struct io *io, char *out, size_t size);

#endif
