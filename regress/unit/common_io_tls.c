/*
 * TLS under a struct io, as a server: how it begins, what may come before it,
 * and what a peer may not do when it is there.
 *
 * SPDX-License-Identifier: ISC
 */
#include "io_tls.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <signal.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "log.h"
#include "unit.h"

static struct loop *the_loop;
static SSL_CTX *server_ctx, *client_ctx;
static SSL *client;
static struct io io;
static int peer = -1;
static int events[IO_ERROR + 1];
static char seen[65536];
static size_t n_seen;

static void
on_io(struct io *i, enum io_event e, void *arg)
{
	(void)arg;
	events[e]++;
	if (e != IO_INPUT || i->paused)
		return;
	if (n_seen + i->in.len <= sizeof seen)
		memcpy(seen + n_seen, buf_data(&i->in), i->in.len);
	n_seen += i->in.len;
	buf_drain(&i->in, i->in.len);
}

static void
turn(void)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(the_loop->base, EVLOOP_NONBLOCK);
}

static SSL_CTX *
make_server(void)
{
	const char *why = NULL;
	SSL_CTX *ctx = io_tls_ctx(true, &why);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	if (ctx == NULL || key == NULL || cert == NULL)
		abort();
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	if (SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static void
reset(int version)
{
	int pair[2];

	io_close(&io);
	SSL_free(client);
	if (peer != -1)
		close(peer);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	peer = pair[1];
	memset(events, 0, sizeof events);
	n_seen = 0;
	io_open(&io, the_loop, pair[0], 65536, 65536, on_io, NULL);
	client = SSL_new(client_ctx);
	SSL_set_fd(client, peer);
	SSL_set_connect_state(client);
	SSL_set_max_proto_version(client, version);
}

static const char *
begin(bool keep)
{
	SSL *ssl = SSL_new(server_ctx);

	SSL_set_accept_state(ssl);
	return io_tls_start(&io, ssl, keep);
}

/* The client's steps between turns of the loop, until it is done or fails. */
static int
shake(void)
{
	int i, rc = 0;

	for (i = 0; i < 20; i++) {
		if ((rc = SSL_do_handshake(client)) == 1)
			break;
		turn();
	}
	turn();
	return rc == 1;
}

static const char *
say(const char *text)
{
	n_seen = 0;
	memset(seen, 0, sizeof seen);
	if (text[0] != '\0' && SSL_write(client, text, (int)strlen(text)) <= 0)
		return "(not sent)";
	turn();
	return seen;
}

static const char *
hear(void)
{
	static char text[4096];
	int n;

	turn();
	n = SSL_read(client, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
test_versions(int version, const char *name)
{
	reset(version);
	CHECK("tls: starts", begin(false) == NULL);
	CHECK("tls: not there before the handshake", io_tls(&io) == NULL);
	CHECK("tls: handshake", shake() && events[IO_READY] == 1);
	CHECK("tls: is there",
	    io_tls(&io) != NULL &&
		strcmp(SSL_get_version(io_tls(&io)), name) == 0);
	CHECK("tls: reads", strcmp(say("hello"), "hello") == 0);
	io_printf(&io, "to you");
	CHECK("tls: writes", strcmp(hear(), "to you") == 0);
	io_tls_bye(&io);
	(void)hear();
	CHECK("tls: says good-bye",
	    SSL_get_shutdown(client) == SSL_RECEIVED_SHUTDOWN);
	CHECK("tls: and still reads", strcmp(say("last"), "last") == 0);
	SSL_shutdown(client);
	turn();
	CHECK("tls: the client's good-bye", events[IO_EOF] == 1);
}

/* RFC 3207 4.2. */
static void
test_before(void)
{
	static const char line[] = "MAIL FROM:<evil@example.org>\r\n";
	char out[64] = "";

	reset(TLS1_3_VERSION);
	io_pause(&io);
	if (write(peer, line, strlen(line)) < 0)
		abort();
	io.paused = false;
	io_resume(&io);
	/* Read and not yet handled, as behind a command. */
	turn();
	n_seen = 0;
	if (!buf_add(&io.in, line, strlen(line)))
		abort();
	io_printf(&io, "220 go\r\n");
	CHECK("tls: begins behind plain words", begin(false) == NULL);
	CHECK("tls: what stood there is gone", io.in.len == 0);
	turn();
	CHECK("tls: the reply leaves in plain",
	    read(peer, out, sizeof out) == 8 && memcmp(out, "220 go", 6) == 0);
	CHECK("tls: then the handshake", shake() && events[IO_READY] == 1);
	CHECK("tls: nothing of before is seen",
	    strcmp(say("good"), "good") == 0);

	/* It arrived, and was not read when the handshake began. */
	reset(TLS1_3_VERSION);
	if (write(peer, line, strlen(line)) < 0)
		abort();
	CHECK("tls: plain words in the socket", begin(false) == NULL);
	turn();
	CHECK("tls: they are no handshake",
	    events[IO_ERROR] > 0 && events[IO_INPUT] == 0);
}

/* RFC 8314: the client does not wait, and neither do its bytes. */
static void
test_early(void)
{
	reset(TLS1_3_VERSION);
	(void)SSL_do_handshake(client);
	io_resume(&io);
	n_seen = sizeof seen + 1; /* on_io keeps nothing */
	io_pause(&io);
	event_base_loop(the_loop->base, EVLOOP_NONBLOCK);
	io.in.len = 0;
	{
		uint8_t hello[4096];
		ssize_t n = read(io.fd, hello, sizeof hello);

		if (n > 0 && !buf_add(&io.in, hello, (size_t)n))
			abort();
	}
	n_seen = 0;
	CHECK("tls: bytes of the handshake were read before",
	    io.in.len > 0 && begin(true) == NULL && io.in.len == 0);
	CHECK("tls: and count", shake() && events[IO_READY] == 1);
	CHECK("tls: data after them", strcmp(say("data"), "data") == 0);
}

static void
test_data_with_finished(void)
{
	int i;

	reset(TLS1_3_VERSION);
	if (begin(false) != NULL)
		abort();
	for (i = 0; i < 10 && SSL_do_handshake(client) != 1; i++)
		turn();
	/* Behind the last words of the handshake, before the server saw
	 * them. */
	n_seen = 0;
	memset(seen, 0, sizeof seen);
	SSL_write(client, "EHLO", 4);
	turn();
	CHECK("tls: data in one read with the end of the handshake",
	    events[IO_READY] == 1 && strcmp(seen, "EHLO") == 0);
}

/* New keys again and again, each of which we would have to answer. */
static void
test_flood(void)
{
	int i;

	reset(TLS1_3_VERSION);
	if (begin(false) != NULL || !shake())
		abort();
	for (i = 0; i < IO_TLS_NOISE_MAX / 2; i++) {
		SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(client);
	}
	CHECK("tls: some new keys", strcmp(say("still"), "still") == 0);
	(void)hear();
	for (i = 0; i < 4 * IO_TLS_NOISE_MAX; i++) {
		SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED);
		if (SSL_do_handshake(client) != 1)
			break;
	}
	SSL_write(client, "after", 5);
	turn();
	CHECK("tls: a flood of them ends it",
	    events[IO_ERROR] > 0 && strcmp(seen, "after") != 0 &&
		strcmp(io.error, "flood of TLS messages") == 0);
}

static void
test_renegotiation(void)
{
	int i, n;

	reset(TLS1_2_VERSION);
	if (begin(false) != NULL || !shake())
		abort();
	for (i = 0, n = 0; i < 3 && SSL_renegotiate(client) == 1; i++) {
		SSL_do_handshake(client);
		turn();
		n += SSL_do_handshake(client) == 1;
	}
	CHECK("tls: no renegotiation", n == 0);
}

static void
test_trouble(void)
{
	reset(TLS1_3_VERSION);
	SSL_set_min_proto_version(client, TLS1_1_VERSION);
	SSL_set_max_proto_version(client, TLS1_1_VERSION);
	SSL_set_cipher_list(client, "ALL:@SECLEVEL=0");
	if (begin(false) != NULL)
		abort();
	CHECK("tls: 1.1 is refused", !shake() && events[IO_ERROR] > 0);

	reset(TLS1_3_VERSION);
	if (begin(false) != NULL)
		abort();
	(void)SSL_do_handshake(client);
	shutdown(peer, SHUT_RDWR);
	turn();
	CHECK("tls: the client goes in the handshake",
	    events[IO_READY] == 0 && events[IO_ERROR] + events[IO_EOF] > 0);

	reset(TLS1_3_VERSION);
	shutdown(peer, SHUT_WR);
	turn();
	CHECK("tls: it had gone before", begin(false) != NULL);
}

int
main(void)
{
	const char *why = NULL;

	signal(SIGPIPE, SIG_IGN);
	log_to_stderr("test", false);
	the_loop = loop_new();
	server_ctx = make_server();
	client_ctx = io_tls_ctx(false, &why);
	test_versions(TLS1_3_VERSION, "TLSv1.3");
	test_versions(TLS1_2_VERSION, "TLSv1.2");
	test_before();
	test_early();
	test_data_with_finished();
	test_flood();
	test_renegotiation();
	test_trouble();
	io_close(&io);
	SSL_free(client);
	close(peer);
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	loop_free(&the_loop);
	return unit_end();
}
