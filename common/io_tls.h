/*
 * TLS under a struct io (common/io.h), for both ends of a connection.  The
 * private key is somebody else's affair: a context is handed in.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IO_TLS_H
#define COMMON_IO_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "io.h"

struct ssl_ctx_st;
struct ssl_st;

/* What a peer may send after the handshake that is no data: new keys (RFC
 * 8446 4.6.3), tickets, alerts.  AES-GCM asks for new keys after 2^24 full
 * records, so an honest peer never comes near. */
#define IO_TLS_NOISE_MAX 32

/*
 * A context with what both ends want: TLS 1.2 and up, no renegotiation, no
 * compression, no cache, buffers given back while nothing moves.  Reads
 * OpenSSL's configuration: before the jail.  NULL: *why is a text.
 */
struct ssl_ctx_st *io_tls_ctx(bool server, const char **why);

/* Why OpenSSL's last call did not succeed, for a log; forgets it. */
const char *io_tls_reason(const char *otherwise);

/*
 * Starts a handshake on a connected io; ssl was told which end it is
 * (SSL_set_accept_state, SSL_set_connect_state), and is taken over, also on
 * failure.  IO_READY tells when it is done; IO_ERROR, IO_EOF when it failed.
 *
 * What was read in plain is dropped: it was not said by whom we talk to from
 * now on (RFC 3207 4.2).  But with keep (TLS from the first byte, RFC 8314) it
 * is the beginning of the handshake.  What io->out holds is still sent in
 * plain.
 *
 * NULL, or why not; then io is good for nothing but io_close().
 */
const char *io_tls_start(struct io *io, struct ssl_st *ssl, bool keep);

/* What OpenSSL knows of it; NULL: io is plain, or closed, or the handshake is
 * not done. */
struct ssl_st *io_tls(const struct io *io);

/* The same from the beginning of the handshake on, and when it has failed. */
struct ssl_st *io_tls_begun(const struct io *io);

/* Nothing more will be sent: says so to the peer (RFC 8446 6.1), whose words
 * can still be read.  io_close() says it too; nothing if io is plain. */
void io_tls_bye(const struct io *io);

#endif
