/*
 * TLS by OpenSSL under a struct io.  Used by session and deliver.  Never holds
 * a private key of its own, never blocks (but where a handshake is signed by
 * keys: session_tls.c, tls.c).
 *
 * SPDX-License-Identifier: ISC
 */
#include "io_tls.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "log.h"

/* What only the handshake needs: an idle session is to be small. */
struct hello {
	struct timer soon;  /* the owner is told, from the loop */
	const char *failed; /* why there is none, or NULL */
	struct watch wr;    /* the handshake cannot write */
	BIO *early;         /* what came before it and belongs to it, or NULL */
};

/* What io->layer_state points to. */
struct tls_state {
	SSL *ssl;
	struct hello *hello; /* NULL: the handshake is done */
	size_t plain;        /* bytes of io->out that go before it */
	unsigned int noise;  /* since the handshake */
};

static void on_wr(int fd, int what, void *arg);

const char *
io_tls_reason(const char *otherwise)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return why == NULL ? otherwise : why;
}

/* ---- what is no data ---- */

/*
 * OpenSSL answers each request for new keys, and each for a renegotiation that
 * is refused, inside of one call for data; only here can it be told that it
 * is enough.
 */
static void
on_message(int sent, int version, int type, const void *p, size_t len, SSL *ssl,
    void *arg)
{
	struct tls_state *s = arg;

	(void)version;
	(void)p;
	(void)len;
	if (s->hello != NULL)
		return;
	if (type != SSL3_RT_ALERT && (sent || type != SSL3_RT_HANDSHAKE))
		return;
	if (++s->noise > IO_TLS_NOISE_MAX)
		SSL_set_shutdown(ssl,
		    SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

/* ---- moving bytes ---- */

/* What a call of OpenSSL that did not succeed means to io. */
static long
trouble(struct io *io, int rc, int *want)
{
	struct tls_state *s = io->layer_state;
	int e = errno;

	if (s->noise > IO_TLS_NOISE_MAX) {
		ERR_clear_error();
		io->error = "flood of TLS messages";
		errno = EPROTO;
		return -1;
	}
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
		io->error = io_tls_reason("TLS error");
		errno = EPROTO;
		return -1;
	}
}

static void
on_done(void *arg)
{
	struct io *io = arg;
	struct tls_state *s = io->layer_state;

	watch_clear(&s->hello->wr);
	free(s->hello);
	s->hello = NULL;
	/* Data may have come with the last words of the handshake, and the
	 * socket does not show it any more. */
	if (!io->paused)
		io_resume(io);
	io->fn(io, IO_READY, io->arg);
}

static void
on_failed(void *arg)
{
	struct io *io = arg;
	struct tls_state *s = io->layer_state;

	watch_clear(&io->rd);
	io->error = s->hello->failed;
	io->fn(io, IO_ERROR, io->arg);
}

/* Nobody may be there to whom it could be said now, and nothing more may come
 * that could be read. */
static void
fail_soon(struct io *io, const char *why)
{
	struct tls_state *s = io->layer_state;

	s->hello->failed = why;
	timer_set(io->loop, &s->hello->soon, 0, on_failed, io);
}

/* What came early has been read: now from the socket. */
static bool
early_over(struct tls_state *s)
{
	BIO *sock = SSL_get_wbio(s->ssl);

	if (s->hello->early == NULL || BIO_pending(s->hello->early) > 0)
		return false;
	s->hello->early = NULL;
	BIO_up_ref(sock);
	SSL_set0_rbio(s->ssl, sock);
	return true;
}

/* Goes on with the handshake; -1 as for io, also when it has just ended: the
 * owner hears it from the loop. */
static long
handshake(struct io *io, int *want)
{
	struct tls_state *s = io->layer_state;
	long r;
	int rc;

	*want = LOOP_READ;
	if (s->hello->soon.set || s->hello->failed != NULL) {
		errno = EAGAIN;
		return -1;
	}
	do {
		ERR_clear_error();
		errno = 0;
		rc = SSL_do_handshake(s->ssl);
	} while (rc != 1 && SSL_get_error(s->ssl, rc) == SSL_ERROR_WANT_READ &&
	    early_over(s));
	if (rc == 1) {
		timer_set(io->loop, &s->hello->soon, 0, on_done, io);
		errno = EAGAIN;
		return -1;
	}
	r = trouble(io, rc, want);
	if (r == -1 && errno == EAGAIN && *want == LOOP_WRITE)
		watch_set(io->loop, &s->hello->wr, io->fd, LOOP_WRITE, on_wr,
		    io);
	return r;
}

/* A step of the handshake that nobody waits for. */
static void
step(struct io *io)
{
	int want;
	long r = handshake(io, &want);

	if (r == 0)
		fail_soon(io, "connection closed");
	else if (errno != EAGAIN)
		fail_soon(io, io->error);
}

/* Room to write again. */
static void
on_wr(int fd, int what, void *arg)
{
	struct io *io = arg;
	struct tls_state *s = io->layer_state;

	(void)fd;
	(void)what;
	watch_clear(&s->hello->wr);
	step(io);
}

static long
tls_read(struct io *io, void *p, size_t len, int *want)
{
	struct tls_state *s = io->layer_state;
	size_t n = 0;
	int rc;

	if (s->hello != NULL)
		return handshake(io, want);
	ERR_clear_error();
	errno = 0;
	if ((rc = SSL_read_ex(s->ssl, p, len, &n)) == 1)
		return (long)n;
	return trouble(io, rc, want);
}

/* What stood in io->out when the handshake was asked for. */
static long
write_plain(struct io *io, const void *p, size_t len, int *want)
{
	struct tls_state *s = io->layer_state;
	size_t n = len < s->plain ? len : s->plain;
	ssize_t sent = send(io->fd, p, n, MSG_NOSIGNAL);

	*want = LOOP_WRITE;
	if (sent == -1 && errno == EINTR)
		errno = EAGAIN;
	if (sent == -1 && errno != EAGAIN)
		io->error = strerror(errno);
	if (sent > 0)
		s->plain -= (size_t)sent;
	return sent;
}

static long
tls_write(struct io *io, const void *p, size_t len, int *want)
{
	struct tls_state *s = io->layer_state;
	size_t n = 0;
	int rc;

	if (s->plain > 0)
		return write_plain(io, p, len, want);
	if (s->hello != NULL)
		return handshake(io, want);
	ERR_clear_error();
	errno = 0;
	if ((rc = SSL_write_ex(s->ssl, p, len, &n)) == 1)
		return (long)n;
	return trouble(io, rc, want);
}

static void
tls_free(struct io *io)
{
	struct tls_state *s = io->layer_state;

	io_tls_bye(io);
	if (s->hello != NULL) {
		timer_clear(&s->hello->soon);
		watch_clear(&s->hello->wr);
		free(s->hello);
	}
	SSL_free(s->ssl);
	free(s);
	io->layer_state = NULL;
}

static const struct io_layer layer = { tls_read, tls_write, tls_free };

/* ---- public ---- */

SSL_CTX *
io_tls_ctx(bool server, const char **why)
{
	SSL_CTX *ctx = NULL;

	ERR_clear_error();
	if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1)
		ctx = SSL_CTX_new(server ? TLS_server_method() :
					   TLS_client_method());
	if (ctx == NULL) {
		*why = io_tls_reason("OpenSSL does not start");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* One system call for a record, not two. */
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

/* True if ssl reads and writes by io->fd, but what is in io->in first. */
static bool
set_bytes(struct io *io, SSL *ssl, BIO **early)
{
	*early = NULL;
	if (SSL_set_fd(ssl, io->fd) != 1)
		return false;
	if (io->in.len == 0)
		return true;
	if ((*early = BIO_new(BIO_s_mem())) == NULL)
		return false;
	SSL_set0_rbio(ssl, *early);
	return BIO_write(*early, buf_data(&io->in), (int)io->in.len) ==
	    (int)io->in.len;
}

const char *
io_tls_start(struct io *io, SSL *ssl, bool keep)
{
	struct tls_state *s;
	BIO *early;

	assert(io->layer_state == NULL);
	if (!keep)
		buf_drain(&io->in, io->in.len);
	if (io->eof || !set_bytes(io, ssl, &early)) {
		SSL_free(ssl);
		return io->eof ? "connection closed" :
				 io_tls_reason("TLS does not start");
	}
	buf_drain(&io->in, io->in.len);
	buf_trim(&io->in);
	s = xcalloc(1, sizeof *s);
	s->ssl = ssl;
	s->hello = xcalloc(1, sizeof *s->hello);
	s->hello->early = early;
	s->plain = io->out.len;
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, s);
	io->layer = &layer;
	io->layer_state = s;
	if (SSL_is_server(ssl)) {
		io_resume(io);
		return NULL;
	}
	/* The first flight; the answer may already be there. */
	step(io);
	return NULL;
}

SSL *
io_tls_begun(const struct io *io)
{
	const struct tls_state *s = io->layer_state;

	return io->layer == &layer ? s->ssl : NULL;
}

SSL *
io_tls(const struct io *io)
{
	const struct tls_state *s = io->layer_state;

	if (io->layer != &layer || s->hello != NULL)
		return NULL;
	return s->ssl;
}

void
io_tls_bye(const struct io *io)
{
	SSL *ssl = io_tls(io);

	if (ssl == NULL)
		return;
	ERR_clear_error();
	SSL_shutdown(ssl);
	ERR_clear_error();
}
