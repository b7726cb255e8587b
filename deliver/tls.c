/*
 * TLS for connections we make, by common/io_tls.h.  Used by deliver.  Never
 * holds a private key, never blocks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io_tls.h"
#include "log.h"

struct tls {
	SSL_CTX *ctx;
};

struct tls *
tls_new(const char **why)
{
	struct tls *t = xcalloc(1, sizeof *t);

	if ((t->ctx = io_tls_ctx(false, why)) == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
tls_free(struct tls **t)
{
	if (*t == NULL)
		return;
	SSL_CTX_free((*t)->ctx);
	free(*t);
	*t = NULL;
}

/* RFC 6066 3: an address is no server name. */
static bool
is_name(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) != 1 &&
	    inet_pton(AF_INET6, name, &a) != 1;
}

const char *
tls_start(struct tls *t, struct io *io, const char *name)
{
	SSL *ssl;

	ERR_clear_error();
	if ((ssl = SSL_new(t->ctx)) == NULL ||
	    (is_name(name) && SSL_set_tlsext_host_name(ssl, name) != 1)) {
		SSL_free(ssl);
		return io_tls_reason("TLS does not start");
	}
	SSL_set_connect_state(ssl);
	return io_tls_start(io, ssl, false);
}

void
tls_print(const struct io *io, char *out, size_t size)
{
	SSL *ssl = io_tls(io);

	out[0] = '\0';
	if (ssl == NULL)
		return;
	snprintf(out, size, "%s:%s", SSL_get_version(ssl),
	    SSL_get_cipher_name(ssl));
}
