/*
 * The SMTP client at one end of a socketpair, a scripted server at the other,
 * and an owner that writes down what it hears.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef CLIENT_BENCH_H
#define CLIENT_BENCH_H

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "client.h"
#include "unit.h"

/* ---- the server ---- */

/*
 * What the server waits for and then says.  want: how the client's line
 * begins, NULL for nothing, "<dot>" for content up to its end, "<12>" for so
 * many bytes of content.  say: with
 * CRLFs, NULL or "<close>" to close the connection, "" to stay silent.  Both
 * NULL: the end.
 */
struct step {
	const char *want, *say;
};

struct server {
	struct loop *loop;
	int fd;
	struct watch rd, wr;
	const char *rest; /* of what it says, and there was no room for */
	size_t n_rest;
	const struct step *step;
	char in[65536];
	size_t n;
	char content[65536];
	char wrong[256]; /* the line that was not as expected */
};

static void
server_write(int fd, int what, void *arg)
{
	struct server *s = arg;
	ssize_t n = write(fd, s->rest, s->n_rest);

	(void)what;
	if (n == -1 && errno != EPIPE && errno != EAGAIN)
		abort();
	if (n > 0) {
		s->rest += n;
		s->n_rest -= (size_t)n;
	}
	watch_clear(&s->wr);
	if (s->n_rest > 0 && (n > 0 || errno == EAGAIN))
		watch_set(s->loop, &s->wr, fd, LOOP_WRITE, server_write, s);
}

static void
server_say(struct server *s, const char *words)
{
	if (words == NULL || strcmp(words, "<close>") == 0) {
		watch_clear(&s->rd);
		watch_clear(&s->wr);
		close(s->fd);
		s->fd = -1;
		return;
	}
	s->rest = words;
	s->n_rest = strlen(words);
	if (s->n_rest > 0)
		server_write(s->fd, LOOP_WRITE, s);
}

/* True for "<12>". */
static bool
is_bytes(const char *want, size_t *len)
{
	return sscanf(want, "<%zu>", len) == 1;
}

/* Bytes of the first thing in s->in that is whole, 0 if there is none. */
static size_t
server_whole(struct server *s)
{
	char *end;
	size_t len;

	s->in[s->n] = '\0';
	if (is_bytes(s->step->want, &len))
		return s->n >= len ? len : 0;
	if (strcmp(s->step->want, "<dot>") != 0) {
		end = strstr(s->in, "\r\n");
		return end == NULL ? 0 : (size_t)(end - s->in) + 2;
	}
	if (strncmp(s->in, ".\r\n", 3) == 0)
		return 3;
	end = strstr(s->in, "\r\n.\r\n");
	return end == NULL ? 0 : (size_t)(end - s->in) + 5;
}

static void
server_go(struct server *s)
{
	size_t len;

	while (s->fd != -1 && (s->step->want != NULL || s->step->say != NULL)) {
		if (s->step->want != NULL) {
			if ((len = server_whole(s)) == 0)
				return;
			if (s->step->want[0] == '<') {
				memcpy(s->content, s->in, len);
				s->content[len] = '\0';
			} else if (strncmp(s->in, s->step->want,
				       strlen(s->step->want)) != 0 &&
			    s->wrong[0] == '\0')
				snprintf(s->wrong, sizeof s->wrong,
				    "%.*s for %s", (int)len - 2, s->in,
				    s->step->want);
			memmove(s->in, s->in + len, s->n - len);
			s->n -= len;
		}
		server_say(s, s->step++->say);
	}
}

static void
server_read(int fd, int what, void *arg)
{
	struct server *s = arg;
	ssize_t n;

	(void)what;
	n = read(fd, s->in + s->n, sizeof s->in - 1 - s->n);
	if (n <= 0) {
		watch_clear(&s->rd);
		return;
	}
	s->n += (size_t)n;
	server_go(s);
}

/* ---- the client's owner ---- */

struct run {
	struct loop *loop;
	struct client *client;
	struct client_mail mail;
	struct client_how how;
	struct outcome last; /* of over, or lost */
	char log[4096];
	bool over;
	unsigned int mails; /* transactions to make */
	struct timer end;
};

static void note(struct run *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct run *r, const char *fmt, ...)
{
	size_t n = strlen(r->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->log + n, sizeof r->log - n, fmt, ap);
	va_end(ap);
}

static void
on_ready(void *arg)
{
	struct run *r = arg;

	note(r, "ready ");
	client_mail(r->client, &r->mail);
}

static void
on_rcpt(void *arg, unsigned int i, const struct outcome *o)
{
	note(arg, "rcpt%u=%u ", i, o->code);
}

static void
on_settled(void *arg, unsigned int i, const struct outcome *o)
{
	note(arg, "set%u=%u ", i, o->code);
}

static void
on_over(void *arg, const struct outcome *o)
{
	struct run *r = arg;

	r->last = *o;
	note(r, "over=%s/%u%s ", verdict_name(o->verdict), o->code,
	    client_usable(r->client) ? "" : "/closed");
	if (strstr(o->text, "delivered twice") != NULL)
		note(r, "twice ");
	if (--r->mails > 0) {
		client_mail(r->client, &r->mail);
		return;
	}
	r->over = true;
	loop_stop(r->loop);
}

static void
on_lost(void *arg, const struct outcome *o)
{
	struct run *r = arg;

	if (r->over)
		return; /* it closed when all was done */
	r->last = *o;
	note(r, "lost=%s/%u%s%s ", verdict_name(o->verdict), o->code,
	    r->client->tls_failed ? "/tls" : "",
	    r->client->denied != 0 ? "/denied" : "");
	r->over = true;
	loop_stop(r->loop);
}

/* Nothing happened any more: the client's deadline has come. */
static void
on_silence(void *arg)
{
	struct run *r = arg;

	note(r, "silence ");
	if (r->client->io.deadline.set) {
		timer_clear(&r->client->io.deadline);
		r->client->io.deadline.fn(r->client->io.deadline.arg);
	}
	loop_stop(r->loop);
}

static int
spool_file(const char *content, const char *trace)
{
	int fd = memfd_create("spool", MFD_CLOEXEC);

	if (fd == -1 || dprintf(fd, "%s%s", content, trace) < 0)
		abort();
	return fd;
}

static const struct client_rcpt two[] = { { .addr = "a@example.org" },
	{ .addr = "b@example.org" } };

static void
run_init(struct run *r, int fd, const char *content, const char *trace)
{
	memset(r, 0, sizeof *r);
	r->loop = loop_new();
	r->mails = 1;
	r->mail = (struct client_mail){ .sender = "s@example.com",
		.rcpt = two,
		.n_rcpt = 2,
		.field = "",
		.fd = fd,
		.content_len = strlen(content),
		.trace_off = strlen(content),
		.trace_len = strlen(trace) };
	r->how = (struct client_how){ .helo = "me.example.com",
		.want = { .level = TLS_LEVEL_NO,
		    .ca = CONF_NONE,
		    .pki = CONF_NONE,
		    .ciphers = "",
		    .protocols = "" } };
	r->client = client_new(r->loop);
}

static const struct client_owner bench_owner = { .ready = on_ready,
	.settled = on_settled,
	.rcpt = on_rcpt,
	.over = on_over,
	.lost = on_lost };

static void
run_go_for(struct run *r, int sock, struct tls *tls, msec ms)
{
	struct client_owner owner = bench_owner;
	struct mx_addr addr = { .name = "mx.example.org" };

	owner.arg = r;
	r->how.tls = tls;
	if (tls != NULL && r->how.want.level == TLS_LEVEL_NO)
		r->how.want.level = TLS_LEVEL_MAY;
	client_adopt(r->client, sock, &addr, &r->how, &owner);
	timer_set(r->loop, &r->end, ms, on_silence, r);
	loop_run(r->loop);
}

static void
run_go(struct run *r, int sock, struct tls *tls)
{
	/* TLS costs time under a sanitizer. */
	run_go_for(r, sock, tls, tls != NULL ? 5000 : 150);
}

static void
run_free(struct run *r)
{
	timer_clear(&r->end);
	client_free(&r->client);
	loop_free(&r->loop);
	close(r->mail.fd);
}

static void
pair(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		sv) == -1)
		abort();
}

/* Runs a script; the caller looks at r and s and frees r. */
static void
play(struct run *r, struct server *s, const struct step *steps, struct tls *tls)
{
	int sv[2];

	pair(sv);
	memset(s, 0, sizeof *s);
	s->loop = r->loop;
	s->fd = sv[1];
	s->step = steps;
	watch_set(r->loop, &s->rd, s->fd, LOOP_READ, server_read, s);
	server_go(s);
	run_go(r, sv[0], tls);
	watch_clear(&s->rd);
	watch_clear(&s->wr);
	if (s->fd != -1)
		close(s->fd);
}

/* What was noted is want, nothing unexpected was said, and good. */
static inline void
went(const char *name, const struct run *r, const struct server *s,
    const char *want, bool good)
{
	good = good && strcmp(r->log, want) == 0 && s->wrong[0] == '\0';
	CHECK(name, good);
	if (!good)
		printf("# heard %s, wrong %s, %s\n", r->log, s->wrong,
		    r->last.text);
}

/* ---- steps of a script ---- */

#define HI                                                                     \
	{                                                                      \
		NULL, "220 mx ESMTP\r\n"                                       \
	}
#define PLAIN                                                                  \
	{                                                                      \
		"EHLO me.example.com\r\n", "250 mx\r\n"                        \
	}
#define PIPE                                                                   \
	{                                                                      \
		"EHLO me.example.com\r\n", "250-mx\r\n250 PIPELINING\r\n"      \
	}
#define MAIL                                                                   \
	{                                                                      \
		"MAIL FROM:<s@example.com>\r\n", "250 ok\r\n"                  \
	}
#define RCPT                                                                   \
	{                                                                      \
		"RCPT TO:<a@example.org>\r\n", "250 ok\r\n"                    \
	}
#define RCPT2                                                                  \
	{                                                                      \
		"RCPT TO:<b@example.org>\r\n", "250 ok\r\n"                    \
	}
#define DATA                                                                   \
	{                                                                      \
		"DATA\r\n", "354 go\r\n"                                       \
	}
#define SENT                                                                   \
	{                                                                      \
		"<dot>", "250 2.0.0 queued\r\n"                                \
	}
#define RSET                                                                   \
	{                                                                      \
		"RSET\r\n", "250 ok\r\n"                                       \
	}
#define END                                                                    \
	{                                                                      \
		NULL, NULL                                                     \
	}

#endif
