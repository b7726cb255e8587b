/*
 * The SMTP client against a scripted server at the other end of a socketpair:
 * each stage, each class of reply, with and without PIPELINING, in TLS, and
 * with a server that cheats.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "client.h"
#include "facts.h"
#include "unit.h"

/* ---- the server ---- */

/*
 * What the server waits for and then says.  want: how the client's line
 * begins, NULL for nothing, "<dot>" for content up to its end.  say: with
 * CRLFs, NULL or "<close>" to close the connection, "" to stay silent.  Both
 * NULL: the end.
 */
struct step {
	const char *want, *say;
};

struct server {
	struct loop *loop;
	int fd;
	struct watch rd;
	const struct step *step;
	char in[65536];
	size_t n;
	char content[65536];
	char wrong[256]; /* the line that was not as expected */
};

static void
server_say(struct server *s, const char *words)
{
	size_t len;

	if (words == NULL || strcmp(words, "<close>") == 0) {
		watch_clear(&s->rd);
		close(s->fd);
		s->fd = -1;
		return;
	}
	len = strlen(words);
	if (write(s->fd, words, len) != (ssize_t)len && errno != EPIPE)
		abort();
}

/* Bytes of the first thing in s->in that is whole, 0 if there is none. */
static size_t
server_whole(struct server *s)
{
	char *end;

	s->in[s->n] = '\0';
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
			if (strcmp(s->step->want, "<dot>") == 0)
				snprintf(s->content, sizeof s->content, "%.*s",
				    (int)len, s->in);
			else if (strncmp(s->in, s->step->want,
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
	char log[4096];
	bool over;
	unsigned int mails; /* transactions to make */
	struct timer end;
};

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
on_over(void *arg, const struct outcome *o)
{
	struct run *r = arg;

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
	note(r, "lost=%s/%u%s ", verdict_name(o->verdict), o->code,
	    r->client->tls_failed ? "/tls" : "");
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

static const char *const two[] = { "a@example.org", "b@example.org" };

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
	r->client = client_new(r->loop, "me.example.com");
}

static void
run_go(struct run *r, int sock, struct tls *tls)
{
	struct client_owner owner = { on_ready, on_rcpt, on_over, on_lost, r };
	struct mx_addr addr = { .name = "mx.example.org" };

	client_adopt(r->client, sock, &addr, tls, &owner);
	/* TLS costs time under a sanitizer. */
	timer_set(r->loop, &r->end, tls != NULL ? 5000 : 150, on_silence, r);
	loop_run(r->loop);
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
	if (s->fd != -1)
		close(s->fd);
}

/* ---- stage by class ---- */

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

/* clang-format off */
/* Columns: name, script (a step that closes is followed by nothing), what the
 * owner hears. */
static const struct {
	const char *name;
	struct step steps[12];
	const char *want;
} cases[] = {
	{ "all is well", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "all is well, at once", { HI, PIPE, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },

	{ "greeting 3yz", { { NULL, "354 go\r\n" } }, "lost=later/0 " },
	{ "greeting 4yz", { { NULL, "450 busy\r\n" } }, "lost=later/450 " },
	{ "greeting 421", { { NULL, "421 busy\r\n" } }, "lost=later/421 " },
	{ "greeting 554", { { NULL, "554 no mail here\r\n" } }, "lost=never/554 " },
	{ "greeting cut short", { { NULL, "22" }, { NULL, "<close>" } }, "lost=later/0 " },
	{ "no greeting", { { "<dot>", "" } }, "silence lost=later/0 " },
	{ "greeting garbage", { { NULL, "SSH-2.0-x\r\n" } }, "lost=later/0 " },
	{ "greeting of two codes", { { NULL, "220-a\r\n250 b\r\n" } }, "lost=later/0 " },

	{ "EHLO 3yz", { HI, { "EHLO ", "354 go\r\n" } }, "lost=later/0 " },
	{ "EHLO 4yz", { HI, { "EHLO ", "450 busy\r\n" } }, "lost=later/450 " },
	{ "EHLO 421", { HI, { "EHLO ", "421 busy\r\n" } }, "lost=later/421 " },
	{ "EHLO 5yz, HELO", { HI, { "EHLO ", "502 what\r\n" },
	    { "HELO me.example.com\r\n", "250 mx\r\n" }, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "EHLO and HELO 5yz", { HI, { "EHLO ", "502 what\r\n" },
	    { "HELO ", "550 go\r\n" } }, "lost=never/550 " },
	{ "HELO 4yz", { HI, { "EHLO ", "502 what\r\n" },
	    { "HELO ", "450 busy\r\n" } }, "lost=later/450 " },
	{ "closed upon EHLO", { HI, { "EHLO ", NULL } }, "lost=later/0 " },
	{ "silent upon EHLO", { HI, { "EHLO ", "" } }, "silence lost=later/0 " },

	{ "MAIL 3yz", { HI, PLAIN, { "MAIL ", "354 go\r\n" } }, "ready lost=later/0 " },
	{ "MAIL 4yz", { HI, PLAIN, { "MAIL ", "451 no\r\n" } }, "ready over=later/451 " },
	{ "MAIL 5yz", { HI, PLAIN, { "MAIL ", "550 no\r\n" } }, "ready over=never/550 " },
	{ "MAIL 421", { HI, PLAIN, { "MAIL ", "421 bye\r\n" } }, "ready lost=later/421 " },
	{ "closed upon MAIL", { HI, PLAIN, { "MAIL ", NULL } }, "ready lost=later/0 " },
	{ "silent upon MAIL", { HI, PLAIN, { "MAIL ", "" } }, "ready silence lost=later/0 " },
	{ "MAIL 4yz, at once", { HI, PIPE, { "MAIL ", "451 no\r\n" },
	    { "RCPT ", "503 no\r\n" }, { "RCPT ", "503 no\r\n" }, { "DATA\r\n", "503 no\r\n" } },
	    "ready over=later/451 " },
	{ "MAIL 5yz, yet 354, at once", { HI, PIPE, { "MAIL ", "550 no\r\n" },
	    { "RCPT ", "250 ok\r\n" }, { "RCPT ", "503 no\r\n" }, { "DATA\r\n", "354 go\r\n" },
	    { "<dot>", "250 ok\r\n" } },
	    "ready over=never/550 " },

	{ "RCPT 3yz", { HI, PLAIN, MAIL, { "RCPT ", "354 go\r\n" } }, "ready lost=later/0 " },
	{ "RCPT 4yz and 2yz", { HI, PLAIN, MAIL, { "RCPT ", "450 full\r\n" }, RCPT2, DATA, SENT },
	    "ready rcpt0=450 rcpt1=250 over=done/250 " },
	{ "RCPT 2yz and 5yz", { HI, PLAIN, MAIL, RCPT, { "RCPT ", "550 who\r\n" }, DATA, SENT },
	    "ready rcpt0=250 rcpt1=550 over=done/250 " },
	{ "RCPT 251", { HI, PLAIN, MAIL, { "RCPT ", "251 will forward\r\n" }, RCPT2, DATA, SENT },
	    "ready rcpt0=251 rcpt1=250 over=done/250 " },
	{ "RCPT all 5yz", { HI, PLAIN, MAIL, { "RCPT ", "550 a\r\n" }, { "RCPT ", "551 b\r\n" }, RSET },
	    "ready rcpt0=550 rcpt1=551 over=later/0 " },
	{ "RCPT 421", { HI, PLAIN, MAIL, RCPT, { "RCPT ", "421 bye\r\n" } },
	    "ready rcpt0=250 lost=later/421 " },
	{ "closed upon RCPT", { HI, PLAIN, MAIL, RCPT, { "RCPT ", NULL } },
	    "ready rcpt0=250 lost=later/0 " },
	{ "RCPT all 4yz, DATA 5yz, at once", { HI, PIPE, MAIL, { "RCPT ", "450 a\r\n" },
	    { "RCPT ", "451 b\r\n" }, { "DATA\r\n", "554 nobody\r\n" }, RSET },
	    "ready rcpt0=450 rcpt1=451 over=never/554 " },
	{ "RCPT all 5yz, yet 354, at once", { HI, PIPE, MAIL, { "RCPT ", "550 a\r\n" },
	    { "RCPT ", "550 b\r\n" }, DATA, { "<dot>", "554 empty\r\n" } },
	    "ready rcpt0=550 rcpt1=550 over=later/0 " },

	{ "DATA 2yz", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "250 ok\r\n" } },
	    "ready rcpt0=250 rcpt1=250 lost=later/0 " },
	{ "DATA 4yz", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "451 no\r\n" }, RSET },
	    "ready rcpt0=250 rcpt1=250 over=later/451 " },
	{ "DATA 5yz", { HI, PIPE, MAIL, RCPT, RCPT2, { "DATA\r\n", "554 no\r\n" }, RSET },
	    "ready rcpt0=250 rcpt1=250 over=never/554 " },
	{ "DATA 421", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 lost=later/421 " },
	{ "silent upon DATA", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "" } },
	    "ready rcpt0=250 rcpt1=250 silence lost=later/0 " },

	{ "dot 3yz", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "354 go\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "dot 4yz", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "451 no\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/451 " },
	{ "dot 5yz", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "554 spam\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=never/554 " },
	{ "dot 421", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/421/closed " },
	{ "closed upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", NULL } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "silent upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "" } },
	    "ready rcpt0=250 rcpt1=250 silence over=later/0/closed twice " },
	{ "garbage upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "\x16\x03\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "half a reply upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250-" }, { NULL, "<close>" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },

	{ "RSET 5yz", { HI, PLAIN, MAIL, { "RCPT ", "550 a\r\n" }, { "RCPT ", "551 b\r\n" },
	    { "RSET\r\n", "500 what\r\n" } },
	    "ready rcpt0=550 rcpt1=551 over=later/0/closed " },
	{ "closed upon RSET", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "554 no\r\n" }, { "RSET\r\n", NULL } },
	    "ready rcpt0=250 rcpt1=250 over=never/554/closed " },
	{ "a reply to nothing", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 ok\r\n421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=done/250/closed " },
	{ "bare LF in replies", { { NULL, "220 mx\n" }, { "EHLO ", "250-mx\n250 PIPELINING\n" }, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "too large for the server", { HI, { "EHLO ", "250-mx\r\n250 SIZE 10\r\n" } },
	    "ready over=never/552 " },
	{ "STARTTLS is not for us", { HI, { "EHLO ", "250-mx\r\n250 STARTTLS\r\n" }, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
};
/* clang-format on */

static void
table(void)
{
	static struct server s;
	char name[128];
	struct run r;
	size_t i;
	int good;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		run_init(&r, spool_file("Subject: x\r\n\r\nhello\r\n", ""),
		    "Subject: x\r\n\r\nhello\r\n", "");
		play(&r, &s, cases[i].steps, NULL);
		snprintf(name, sizeof name, "client: %s", cases[i].name);
		good = strcmp(r.log, cases[i].want) == 0 && s.wrong[0] == '\0';
		CHECK(name, good);
		if (!good)
			printf("# %s| %s\n", r.log, s.wrong);
		run_free(&r);
	}
}

/* ---- what is said ---- */

static void
content(void)
{
	static const struct step steps[] = { HI,
		{ "EHLO ",
		    "250-mx\r\n250-size 1000\r\n250-8bitmime\r\n250 PIPELINING\r\n" },
		{ "MAIL FROM:<> SIZE=65 BODY=8BITMIME\r\n", "250 ok\r\n" },
		RCPT, RCPT2, DATA, SENT, END };
	static const char body[] = "Subject: x\r\n\r\n.dot\r\n\xe4\r\n..\r\n";
	static const char trace[] = "Received: by me\r\n";
	static struct server s;
	struct run r;

	run_init(&r, spool_file(body, trace), body, trace);
	r.mail.sender = "";
	r.mail.field = "DKIM-Signature: v=1\r\n";
	r.mail.content_facts = CONTENT_8BIT | CONTENT_DOT;
	play(&r, &s, steps, NULL);
	CHECK("client: null sender, SIZE and BODY",
	    s.wrong[0] == '\0' && strstr(r.log, "over=done") != NULL);
	CHECK("client: signature, trace, content, stuffed",
	    strcmp(s.content,
		"DKIM-Signature: v=1\r\nReceived: by me\r\nSubject: x\r\n\r\n"
		"..dot\r\n\xe4\r\n...\r\n.\r\n") == 0);
	run_free(&r);
}

static void
twice(void)
{
	static const struct step steps[] = { HI, PIPE, MAIL, RCPT,
		{ "RCPT ", "550 who\r\n" }, DATA, SENT, MAIL,
		{ "RCPT ", "450 a\r\n" }, { "RCPT ", "450 b\r\n" },
		{ "DATA\r\n", "503 nobody\r\n" }, RSET, MAIL, RCPT, RCPT2, DATA,
		SENT, END };
	static struct server s;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.mails = 3;
	play(&r, &s, steps, NULL);
	CHECK("client: three transactions",
	    s.wrong[0] == '\0' &&
		strcmp(r.log,
		    "ready rcpt0=250 rcpt1=550 over=done/250 rcpt0=450 "
		    "rcpt1=450 over=never/503 rcpt0=250 rcpt1=250 "
		    "over=done/250 ") == 0);
	run_free(&r);
}

/* More recipients than the FIFO is long, with a server that takes them all. */
static void
many(void)
{
	enum { MANY = 1000 };
	static struct step steps[MANY + 8] = { HI, PIPE, MAIL };
	static const char *rcpt[MANY];
	static struct server s;
	struct run r;
	size_t i;

	for (i = 0; i < MANY; i++) {
		rcpt[i] = "a@example.org";
		steps[3 + i] = (struct step)RCPT;
	}
	steps[3 + MANY] = (struct step)DATA;
	steps[4 + MANY] = (struct step)SENT;
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.mail.rcpt = rcpt;
	r.mail.n_rcpt = MANY;
	play(&r, &s, steps, NULL);
	CHECK("client: a thousand recipients",
	    s.wrong[0] == '\0' && r.client->taken == MANY);
	run_free(&r);
}

/* A message larger than all buffers; the server reads it whole. */
static void
large(void)
{
	enum { LINES = 600 };
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2, DATA,
		SENT, END };
	static char body[LINES * 100 + 1];
	static struct server s;
	struct run r;
	int i;

	for (i = 0; i < LINES; i++)
		snprintf(body + i * 100, 101, ".%097d\r\n", i);
	run_init(&r, spool_file(body, ""), body, "");
	play(&r, &s, steps, NULL);
	CHECK("client: large content",
	    strstr(r.log, "over=done/250 ") != NULL &&
		strlen(s.content) == LINES * 101 + 3);
	run_free(&r);
}

/* The file ends before it should: no dot may be said. */
static void
unreadable(void)
{
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2, DATA,
		SENT, END };
	static struct server s;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.mail.content_len = 1000;
	play(&r, &s, steps, NULL);
	CHECK("client: file too short is later, without a dot",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=later/0/closed ") ==
		    0 &&
		s.content[0] == '\0');
	run_free(&r);
}

/* A server that says why in mid-content, and closes. */
static void
last_words(void)
{
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2,
		{ "DATA\r\n", "354 go\r\n552 too much\r\n" },
		{ NULL, "<close>" } };
	static char body[500001];
	static struct server s;
	struct run r;

	memset(body, 'a', sizeof body - 1);
	run_init(&r, spool_file(body, ""), body, "");
	play(&r, &s, steps, NULL);
	CHECK("client: refused in mid-content",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=never/552/closed ") ==
		0);
	run_free(&r);
}

/* ---- without end ---- */

static void
endless(void)
{
	static char lines[200 * 9 + 1], line[9000];
	static struct step many_lines[] = { { NULL, lines }, END };
	static struct step long_line[] = { { NULL, line }, END };
	static struct server s;
	struct run r;
	int i;

	for (i = 0; i < 200; i++)
		memcpy(lines + i * 9, "220-aaa\r\n", 9);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	play(&r, &s, many_lines, NULL);
	CHECK("client: endless greeting", strcmp(r.log, "lost=later/0 ") == 0);
	run_free(&r);
	memset(line, 'a', sizeof line - 1);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	play(&r, &s, long_line, NULL);
	CHECK("client: endless line", strcmp(r.log, "lost=later/0 ") == 0);
	run_free(&r);
}

/* A byte at a time does not stretch the deadline. */
static void
drip(void)
{
	static const struct step steps[] = { { NULL, "2" }, { "<dot>", "" } };
	static struct server s;
	struct event before;
	struct run r;
	int sv[2];

	pair(sv);
	memset(&s, 0, sizeof s);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	s.loop = r.loop;
	s.fd = sv[1];
	s.step = steps;
	server_go(&s);
	run_go(&r, sv[0], NULL);
	/* on_silence() has made the deadline come: nothing set it again. */
	memcpy(&before, &r.client->io.deadline.ev, sizeof before);
	CHECK("client: a byte does not stretch the wait",
	    strcmp(r.log, "silence lost=later/0 ") == 0);
	run_free(&r);
	close(sv[1]);
}

/* RFC 5321 4.5.3.2: no wait may be shorter than this. */
static void
waits(void)
{
	static const struct {
		enum client_said said;
		msec least;
	} rows[] = {
		{ SAID_GREETING, 300000 },
		{ SAID_MAIL, 300000 },
		{ SAID_RCPT, 300000 },
		{ SAID_DATA, 120000 },
		{ SAID_DOT, 600000 },
	};
	char name[80];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(name, sizeof name, "client: time for %s",
		    client_table[rows[i].said].what);
		CHECK(name, client_table[rows[i].said].wait >= rows[i].least);
	}
	CHECK("client: time for a block", CLIENT_BLOCK_MS >= 180000);
}

/* ---- TLS ---- */

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
	table();
	content();
	twice();
	many();
	large();
	unreadable();
	last_words();
	endless();
	drip();
	waits();
	tls = tls_new(&why);
	CHECK("client: TLS is to be had", tls != NULL);
	starttls(tls);
	tls_trouble(tls);
	tls_no_tls(tls);
	tls_free(&tls);
	return unit_end();
}
