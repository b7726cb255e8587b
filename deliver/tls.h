/*
 * TLS for connections we make: a layer under common/io.h.
 *
 * Opportunistic unless a policy wants more (RFC 7435): then the certificate is
 * not what decides, an encrypted channel to whoever answers is better than
 * none; but it is judged, so that the log can say which.  TLS 1.2 and up, SNI
 * always, sessions resumed.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_TLS_H
#define DELIVER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "conf.h"
#include "io.h"
#include "ipc.h"
#include "policy.h"

#define TLS_SESSIONS 1000 /* kept, the oldest goes first */

struct tls;

/* Before the jail: reads OpenSSL's configuration and the system's authorities.
 * c stays.  NULL: TLS cannot be had; *why is a text. */
struct tls *tls_new(const struct conf *c, const char **why);
/* All connections are closed before. */
void tls_free(struct tls **t);

/* FILE_CERT, FILE_CA: row of conf.pki, conf.ca, read from fd, which stays
 * open.  NULL, or why it is no good. */
const char *tls_cert(struct tls *t, uint32_t row, int fd);
const char *tls_ca(struct tls *t, uint32_t row, int fd);

/*
 * All files are there, or not: makes a context for each way to speak TLS that
 * the configuration has.  NULL, or why one cannot be had, and *at is the line
 * that wants it so.
 */
const char *tls_ready(struct tls *t, const struct conf_at **at);

/* The channel to keys, which signs for certificates of ours; NULL: it is
 * away. */
void tls_keys(struct tls *t, struct ipc_chan *keys);

/*
 * Starts a handshake on a connected io; IO_READY tells when it is done,
 * IO_ERROR, IO_EOF when it failed.  What was read in plain is dropped: it was
 * not said by whom we talk to from now on (RFC 3207 4.2).  host: its name or
 * address, for SNI and, with VERIFY, to be in the certificate.  want lives as
 * long as io.  NULL, or why not; then io is good for nothing but io_close().
 */
const char *tls_start(struct tls *t, struct io *io, const char *host,
    uint16_t port, const struct tls_want *want);

/* "TLSv1.3:TLS_AES_256_GCM_SHA384:verified" (or ":unverified") to out, ""
 * without TLS. */
void tls_print(const struct io *io, char out[TLS_TEXT_MAX + 1]);

/* The certificate is one for this host, by whom we trust. */
bool tls_verified(const struct io *io);

/* After a handshake that failed, or was not good enough: which certificate,
 * names wanted and found, whose policy.  Returns out. */
const char *tls_why(const struct io *io, char *out, size_t size);

/* The same where TLS is wanted and it does not come so far: what happened, and
 * whose policy it is.  t may be NULL.  Returns out. */
const char *tls_missing(const struct tls *t, const struct tls_want *want,
    const char *what, char *out, size_t size);

/* Keying material for channel binding (RFC 9266).  False: there is none. */
bool tls_exporter(const struct io *io, uint8_t out[32]);

#endif
