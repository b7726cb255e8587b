/*
 * The SMTP client and STARTTLS: a handshake that succeeds, that is refused,
 * that fails, and what is forgotten after it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/wait.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "client_bench.h"

static SSL_CTX *
server_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
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

/* One line, or content up to its dot, in TLS. */
static void
tls_line(SSL *ssl, char *line, size_t size, int dot)
{
	size_t n = 0;

	while (n + 1 < size && SSL_read(ssl, line + n, 1) == 1) {
		line[++n] = '\0';
		if (n >= 2 && line[n - 1] == '\n' &&
		    (!dot || strstr(line, "\r\n.\r\n") != NULL))
			break;
	}
	line[n] = '\0';
}

/* Another process, since it blocks: greets, takes STARTTLS and one message.
 * Exits with 0 if all was as it should be. */
static void
tls_server(int fd)
{
	static const struct {
		const char *want, *say;
	} steps[] = {
		{ "EHLO ", "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n" },
		{ "MAIL ", "250 ok\r\n" },
		{ "RCPT ", "250 ok\r\n" },
		{ "RCPT ", "250 ok\r\n" },
		{ "DATA", "354 go\r\n" },
		{ "", "250 ok\r\n" },
	};
	static const char hello[] = "220 mx\r\n";
	static const char ext[] = "250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n";
	/* What is said in plain after 220 must not count. */
	static const char go[] = "220 go\r\n250 injected\r\n";
	static char line[65536];
	SSL *ssl = SSL_new(server_ctx());
	size_t i;

	fcntl(fd, F_SETFL, 0);
	if (write(fd, hello, sizeof hello - 1) < 0 ||
	    read(fd, line, sizeof line) <= 0 ||
	    write(fd, ext, sizeof ext - 1) < 0 ||
	    read(fd, line, sizeof line) <= 0 ||
	    strncmp(line, "STARTTLS\r\n", 10) != 0 ||
	    write(fd, go, sizeof go - 1) < 0)
		_exit(1);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		_exit(2);
	if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == NULL ||
	    strcmp(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
		"mx.example.org") != 0)
		_exit(3);
	for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		tls_line(ssl, line, sizeof line, steps[i].want[0] == '\0');
		if (strncmp(line, steps[i].want, strlen(steps[i].want)) != 0)
			_exit((int)(10 + i));
		SSL_write(ssl, steps[i].say, (int)strlen(steps[i].say));
	}
	_exit(strcmp(line, "a\r\n.\r\n") == 0 ? 0 : 4);
}

static void
starttls(struct tls *tls)
{
	struct run r;
	int sv[2], status = -1;
	pid_t pid;

	pair(sv);
	if ((pid = fork()) == 0) {
		close(sv[0]);
		tls_server(sv[1]);
	}
	close(sv[1]);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	run_go(&r, sv[0], tls);
	CHECK("client: a message in TLS",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=done/250 ") == 0);
	CHECK("client: TLS is named",
	    strncmp(r.client->cipher, "TLSv1.3:TLS_", 12) == 0);
	CHECK("client: what was known before TLS is forgotten",
	    r.client->max_size == 0 && (r.client->ext & EXT_SIZE) == 0);
	run_free(&r);
	waitpid(pid, &status, 0);
	CHECK("client: the TLS server saw what it should", status == 0);
}

#define OFFERS                                                                 \
	{                                                                      \
		"EHLO ", "250-mx\r\n250 STARTTLS\r\n"                          \
	}

/* clang-format off */
static const struct {
	const char *name;
	struct step steps[10];
	const char *want;
} tls_cases[] = {
	{ "STARTTLS 4yz, plain", { HI, OFFERS, { "STARTTLS\r\n", "454 not now\r\n" },
	    MAIL, RCPT, RCPT2, DATA, SENT }, "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "STARTTLS 5yz, plain", { HI, OFFERS, { "STARTTLS\r\n", "502 what\r\n" },
	    MAIL, RCPT, RCPT2, DATA, SENT }, "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "STARTTLS 421", { HI, OFFERS, { "STARTTLS\r\n", "421 bye\r\n" } }, "lost=later/421 " },
	{ "STARTTLS not offered", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "closed upon STARTTLS", { HI, OFFERS, { "STARTTLS\r\n", NULL } }, "lost=later/0/tls " },
	{ "garbage upon STARTTLS", { HI, OFFERS, { "STARTTLS\r\n", "what\r\n" } }, "lost=later/0/tls " },
	{ "closed in the handshake", { HI, OFFERS, { "STARTTLS\r\n", "220 go\r\n" }, { NULL, "<close>" } },
	    "lost=later/0/tls " },
};
/* clang-format on */

static void
tls_trouble(struct tls *tls)
{
	static struct server s;
	char name[80];
	struct run r;
	size_t i;
	int good;

	for (i = 0; i < sizeof tls_cases / sizeof tls_cases[0]; i++) {
		run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
		play(&r, &s, tls_cases[i].steps, tls);
		snprintf(name, sizeof name, "client: %s", tls_cases[i].name);
		good = strcmp(r.log, tls_cases[i].want) == 0;
		CHECK(name, good);
		if (!good)
			printf("# %s| %s\n", r.log, s.wrong);
		run_free(&r);
	}
}

/* The answer to the handshake is no TLS. */
static void
tls_no_tls(struct tls *tls)
{
	static const char plain[] = "220 mx\r\n";
	static const char ext[] = "250 STARTTLS\r\n";
	static const char go[] = "220 go\r\n";
	static const char junk[] = "500 what is this\r\n";
	static char line[4096];
	struct run r;
	int sv[2];
	pid_t pid;

	pair(sv);
	if ((pid = fork()) == 0) {
		close(sv[0]);
		fcntl(sv[1], F_SETFL, 0);
		if (write(sv[1], plain, sizeof plain - 1) > 0 &&
		    read(sv[1], line, sizeof line) > 0 &&
		    write(sv[1], "250-mx\r\n", 8) > 0 &&
		    write(sv[1], ext, sizeof ext - 1) > 0 &&
		    read(sv[1], line, sizeof line) > 0 &&
		    write(sv[1], go, sizeof go - 1) > 0 &&
		    read(sv[1], line, sizeof line) > 0 &&
		    write(sv[1], junk, sizeof junk - 1) > 0 &&
		    read(sv[1], line, sizeof line) > 0)
			_exit(1);
		_exit(0);
	}
	close(sv[1]);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	run_go(&r, sv[0], tls);
	CHECK("client: a handshake with who knows no TLS",
	    strcmp(r.log, "lost=later/0/tls ") == 0);
	run_free(&r);
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	const char *why = NULL;
	struct tls *tls;

	signal(SIGPIPE, SIG_IGN);
	tls = tls_new(NULL, &why);
	CHECK("client: TLS is to be had", tls != NULL);
	starttls(tls);
	tls_trouble(tls);
	tls_no_tls(tls);
	tls_free(&tls);
	return unit_end();
}
