/*
 * TLS by OpenSSL under a struct io.  Used by deliver.  Never holds a private
 * key, never blocks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "log.h"

struct tls {
	SSL_CTX *ctx;
};

/* What io->layer_state points to. */
struct session {
	SSL *ssl;
	bool done; /* the handshake */
	struct timer soon;
	struct watch wr; /* a handshake that cannot write */
};

static void on_wr(int fd, int what, void *arg);

static const char *
reason(const char *otherwise)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return why == NULL ? otherwise : why;
}

/* What a call of OpenSSL that did not succeed means to io. */
static long
trouble(struct io *io, int rc, int *want)
{
	struct session *s = io->layer_state;
	int e = errno;

	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*want = LOOP_READ;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		*want = LOOP_WRITE;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		io->error = e != 0 ? strerror(e) : "connection closed";
		errno = EIO;
		return -1;
	default:
		io->error = reason("TLS error");
		errno = EPROTO;
		return -1;
	}
}

static void
on_done(void *arg)
{
	struct io *io = arg;

	io->fn(io, IO_READY, io->arg);
}

/* Goes on with the handshake; -1 as for io, also when it has just ended: the
 * owner hears it from the loop. */
static long
handshake(struct io *io, int *want)
{
	struct session *s = io->layer_state;
	long r;
	int rc;

	ERR_clear_error();
	errno = 0;
	if ((rc = SSL_do_handshake(s->ssl)) == 1) {
		s->done = true;
		watch_clear(&s->wr);
		timer_set(io->loop, &s->soon, 0, on_done, io);
		*want = LOOP_READ;
		errno = EAGAIN;
		return -1;
	}
	r = trouble(io, rc, want);
	if (r == -1 && errno == EAGAIN && *want == LOOP_WRITE)
		watch_set(io->loop, &s->wr, io->fd, LOOP_WRITE, on_wr, io);
	return r;
}

/* Room to write again; an error is met again by the next read. */
static void
on_wr(int fd, int what, void *arg)
{
	struct io *io = arg;
	struct session *s = io->layer_state;
	int want;

	(void)fd;
	(void)what;
	watch_clear(&s->wr);
	handshake(io, &want);
}

static long
tls_read(struct io *io, void *p, size_t len, int *want)
{
	struct session *s = io->layer_state;
	size_t n = 0;
	int rc;

	if (!s->done)
		return handshake(io, want);
	ERR_clear_error();
	errno = 0;
	if ((rc = SSL_read_ex(s->ssl, p, len, &n)) == 1)
		return (long)n;
	return trouble(io, rc, want);
}

static long
tls_write(struct io *io, const void *p, size_t len, int *want)
{
	struct session *s = io->layer_state;
	size_t n = 0;
	int rc;

	if (!s->done)
		return handshake(io, want);
	ERR_clear_error();
	errno = 0;
	if ((rc = SSL_write_ex(s->ssl, p, len, &n)) == 1)
		return (long)n;
	return trouble(io, rc, want);
}

static void
session_free(struct io *io)
{
	struct session *s = io->layer_state;

	timer_clear(&s->soon);
	watch_clear(&s->wr);
	if (s->done) {
		/* Says good-bye; nobody waits for an answer. */
		ERR_clear_error();
		SSL_shutdown(s->ssl);
		ERR_clear_error();
	}
	SSL_free(s->ssl);
	free(s);
	io->layer_state = NULL;
}

static const struct io_layer layer = { tls_read, tls_write, session_free };

struct tls *
tls_new(const char **why)
{
	struct tls *t = xcalloc(1, sizeof *t);

	if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 ||
	    (t->ctx = SSL_CTX_new(TLS_client_method())) == NULL) {
		*why = reason("OpenSSL does not start");
		free(t);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_options(t->ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(t->ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
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
	struct session *s = xcalloc(1, sizeof *s);
	int want;
	long r;

	ERR_clear_error();
	if ((s->ssl = SSL_new(t->ctx)) == NULL ||
	    SSL_set_fd(s->ssl, io->fd) != 1 ||
	    (is_name(name) && SSL_set_tlsext_host_name(s->ssl, name) != 1)) {
		SSL_free(s->ssl);
		free(s);
		return reason("TLS does not start");
	}
	SSL_set_connect_state(s->ssl);
	buf_drain(&io->in, io->in.len);
	io->layer = &layer;
	io->layer_state = s;
	/* The first flight; trouble with it shows when the answer is read. */
	r = handshake(io, &want);
	if (r == -1 && errno == EAGAIN)
		return NULL;
	return r == 0 ? "connection closed" : io->error;
}

void
tls_print(const struct io *io, char *out, size_t size)
{
	const struct session *s = io->layer_state;

	out[0] = '\0';
	if (io->layer != &layer || !s->done)
		return;
	snprintf(out, size, "%s:%s", SSL_get_version(s->ssl),
	    SSL_get_cipher_name(s->ssl));
}
