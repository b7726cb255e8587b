/*
 * Load over TLS for `make bench`: so many connections one after the other in
 * each of a few threads, each with a full handshake and so many messages.
 * smtp-source(1) does the same without TLS.
 *
 *   load ADDRESS PORT tls|clear THREADS CONNECTIONS MESSAGES SIZE
 *
 * CONNECTIONS and MESSAGES (of each connection) are of all threads together,
 * and of one connection.  Prints the seconds that it took.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define THREADS_MAX 64
#define LINE_LEN    64

struct load {
	struct sockaddr_in peer;
	bool tls;
	atomic_int left; /* connections */
	int messages;
	size_t size;
	char *content; /* with its final dot */
	SSL_CTX *ctx;
};

struct conn {
	int fd;
	SSL *ssl;
	char in[4096];
	size_t len;
};

static void
quit(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(1);
}

static long
conn_read(struct conn *c, void *p, size_t len)
{
	return c->ssl != NULL ? SSL_read(c->ssl, p, (int)len) :
				read(c->fd, p, len);
}

static void
conn_write(struct conn *c, const char *p, size_t len)
{
	long n;

	while (len > 0) {
		n = c->ssl != NULL ? SSL_write(c->ssl, p, (int)len) :
				     write(c->fd, p, len);
		if (n <= 0)
			quit("cannot write");
		p += n;
		len -= (size_t)n;
	}
}

/* The reply of one command, which must be of this class. */
static void
expect(struct conn *c, char class)
{
	char *end;
	long n;

	for (;;) {
		while ((end = memchr(c->in, '\n', c->len)) == NULL) {
			if (c->len == sizeof(c->in))
				quit("a reply that is too long");
			n = conn_read(c, c->in + c->len,
			    sizeof(c->in) - c->len);
			if (n <= 0)
				quit("the server closed");
			c->len += (size_t)n;
		}
		if (c->in[0] != class) {
			*end = '\0';
			quit(c->in);
		}
		n = end + 1 - c->in;
		class = c->in[0];
		if (n > 4 && c->in[3] != '-')
			class = '\0';
		c->len -= (size_t)n;
		memmove(c->in, end + 1, c->len);
		if (class == '\0')
			return;
	}
}

static void
say(struct conn *c, char class, const char *line)
{
	conn_write(c, line, strlen(line));
	expect(c, class);
}

static void
start_tls(struct load *l, struct conn *c)
{
	say(c, '2', "STARTTLS\r\n");
	c->ssl = SSL_new(l->ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_connect(c->ssl) != 1)
		quit("the handshake failed");
	say(c, '2', "EHLO bench.test\r\n");
}

static void
one(struct load *l)
{
	struct conn c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	int on = 1, i;

	if (c.fd == -1 ||
	    connect(c.fd, (struct sockaddr *)&l->peer, sizeof(l->peer)) == -1)
		quit("cannot connect");
	(void)setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	expect(&c, '2');
	say(&c, '2', "EHLO bench.test\r\n");
	if (l->tls)
		start_tls(l, &c);
	for (i = 0; i < l->messages; i++) {
		say(&c, '2', "MAIL FROM:<bench@c.test>\r\n");
		say(&c, '2', "RCPT TO:<bench@x.test>\r\n");
		say(&c, '3', "DATA\r\n");
		say(&c, '2', l->content);
	}
	say(&c, '2', "QUIT\r\n");
	if (c.ssl != NULL) {
		SSL_shutdown(c.ssl);
		SSL_free(c.ssl);
	}
	close(c.fd);
}

static void *
run(void *arg)
{
	struct load *l = arg;

	while (atomic_fetch_sub(&l->left, 1) > 0)
		one(l);
	return NULL;
}

static char *
make_content(size_t size)
{
	static const char head[] = "Subject: bench\r\n\r\n";
	size_t len = sizeof(head) - 1, i;
	char *p = malloc(size + sizeof(head) + 2 * LINE_LEN + 8);

	if (p == NULL)
		quit("no memory");
	memcpy(p, head, len);
	while (len < size) {
		for (i = 0; i < LINE_LEN; i++)
			p[len++] = (char)('a' + i % 26);
		memcpy(p + len, "\r\n", 2);
		len += 2;
	}
	memcpy(p + len, ".\r\n", 4);
	return p;
}

int
main(int argc, char *argv[])
{
	pthread_t thread[THREADS_MAX];
	struct timespec begin, end;
	struct load l = { 0 };
	int threads, i;

	if (argc != 8)
		quit("usage: load ADDRESS PORT tls|clear THREADS CONNECTIONS MESSAGES SIZE");
	l.peer.sin_family = AF_INET;
	if (inet_pton(AF_INET, argv[1], &l.peer.sin_addr) != 1)
		quit("not an address");
	l.peer.sin_port = htons((uint16_t)atoi(argv[2]));
	l.tls = strcmp(argv[3], "tls") == 0;
	threads = atoi(argv[4]);
	atomic_init(&l.left, atoi(argv[5]));
	l.messages = atoi(argv[6]);
	l.content = make_content((size_t)atoi(argv[7]));
	if (threads < 1 || threads > THREADS_MAX)
		quit("1 to 64 threads");
	l.ctx = SSL_CTX_new(TLS_client_method());
	if (l.ctx == NULL)
		quit("no TLS");
	/* Each handshake a whole one. */
	SSL_CTX_set_session_cache_mode(l.ctx, SSL_SESS_CACHE_OFF);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], NULL, run, &l) != 0)
			quit("no thread");
	}
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.4f\n",
	    (double)(end.tv_sec - begin.tv_sec) +
		(double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	SSL_CTX_free(l.ctx);
	free(l.content);
	return 0;
}
