/*
 * The SMTP client: the connection, and what is heard on it.  Used by deliver.
 * Never blocks, never listens without a deadline.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_parts.h"

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "log.h"
#include "num.h"

#define IN_MAX REPLY_BYTES_MAX

/* ---- hearing ---- */

/* A line of the reply to EHLO but the first (RFC 5321 4.1.1.1). */
static void
ehlo_line(struct client *c, struct slice text)
{
	struct slice word = { text.p, 0 };
	char number[24];
	unsigned int i;

	while (word.len < text.len && text.p[word.len] != ' ')
		word.len++;
	for (i = 0; i < client_n_exts; i++) {
		if (!slice_eqcase(word, slice_of(client_exts[i].keyword)))
			continue;
		c->ext |= client_exts[i].flag;
		if (client_exts[i].flag != EXT_SIZE)
			continue;
		text.p += word.len;
		text.len -= word.len;
		/* RFC 1870 4: no number or 0 is no limit that is known. */
		if (!slice_copy(slice_trim(text), number, sizeof number) ||
		    num_parse(number, 0, UINT64_MAX, &c->max_size) != NULL)
			c->max_size = 0;
	}
}

/* The reply is whole; false: the owner was told. */
static bool
act(struct client *c)
{
	struct client_reply r = c->reply;
	enum client_said said;
	unsigned int rcpt;
	struct outcome o;

	memset(&c->reply, 0, sizeof c->reply);
	if (c->n == 0) {
		/* To nothing that was said: time-outs are told so. */
		client_reply_outcome(&r, WIDTH_STREAM, &o);
		o.verdict = LATER;
		client_lose(c, &o);
		return false;
	}
	said = client_heard(c, &rcpt);
	if (r.code != 421)
		return client_acts[client_table[said].on[r.code / 100 - 2]](c,
		    &r, rcpt);
	/* RFC 5321 3.8: the server closes, whatever was said. */
	if (said == SAID_DOT)
		client_decide(c, &r);
	client_reply_outcome(&r, WIDTH_STREAM, &o);
	client_lose(c, &o);
	return false;
}

/* All whole lines; false: the owner was told. */
static bool
hear(struct client *c)
{
	enum smtp_line kind;
	struct slice line, text;
	const char *why;
	size_t used;

	for (;;) {
		kind = smtp_line_get(buf_data(&c->io.in), c->io.in.len,
		    REPLY_LINE_MAX, &line, &used);
		if (kind == LINE_MORE)
			return true;
		why = kind == LINE_LONG ?
		    "a reply line without end" :
		    client_reply_line(&c->reply, line, &text);
		if (why != NULL) {
			client_lose_words(c, "4.5.0", why);
			return false;
		}
		if (client_awaits(c, SAID_EHLO) && c->reply.lines > 1)
			ehlo_line(c, text);
		buf_drain(&c->io.in, used);
		if (c->reply.done && !act(c))
			return false;
	}
}

/* The connection is up, or the handshake is done. */
static void
on_ready(struct client *c)
{
	unsigned int rcpt;

	if (client_heard(c, &rcpt) == SAID_CONNECT) {
		client_expect(c, SAID_GREETING, 0);
		return;
	}
	/* RFC 3207 4.2: what was known before is forgotten. */
	tls_print(&c->io, c->cipher, sizeof c->cipher);
	client_say_hello(c, SAID_EHLO);
}

/*
 * The connection broke.  A server that closes in the middle of the content
 * often says why first, and writing meets the end before reading meets the
 * words.
 */
static void
on_error(struct client *c)
{
	const char *error = c->io.error;
	const char *ecode = client_awaits(c, SAID_CONNECT) ? "4.4.1" : "4.4.2";
	uint8_t *room;
	int want;
	long n;

	if (c->state == CLIENT_IN_MAIL &&
	    (room = buf_room(&c->io.in, c->io.in.max - c->io.in.len)) != NULL) {
		n = c->io.layer->read(&c->io, room, c->io.in.max - c->io.in.len,
		    &want);
		if (n > 0) {
			buf_filled(&c->io.in, (size_t)n);
			if (!hear(c))
				return;
		}
	}
	client_lose_words(c, ecode, error);
}

static void
on_io(struct io *io, enum io_event e, void *arg)
{
	struct client *c = arg;

	switch (e) {
	case IO_READY:
		on_ready(c);
		break;
	case IO_INPUT:
		hear(c);
		break;
	case IO_LOW:
		if (c->part != PART_NONE)
			client_send_content(c);
		else if (client_awaits(c, SAID_DOT))
			client_set_deadline(c);
		break;
	case IO_EOF:
		client_lose_words(c, "4.4.2", "connection closed");
		break;
	case IO_TIMEOUT:
		client_lose_words(c,
		    client_awaits(c, SAID_CONNECT) ? "4.4.1" : "4.4.2",
		    "timed out");
		break;
	case IO_ERROR:
		(void)io;
		on_error(c);
		break;
	}
}

/* ---- public ---- */

struct client *
client_new(struct loop *l, const char *helo)
{
	struct client *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->helo = helo;
	c->io.fd = -1;
	return c;
}

void
client_free(struct client **c)
{
	if (*c == NULL)
		return;
	io_close(&(*c)->io);
	timer_clear(&(*c)->soon);
	free(*c);
	*c = NULL;
}

/* Whom we talk to. */
static void
opening(struct client *c, const struct mx_addr *addr, struct tls *tls,
    const struct client_owner *owner)
{
	assert(c->state == CLIENT_CLOSED);
	c->state = CLIENT_OPENING;
	c->addr = *addr;
	c->tls = tls;
	c->owner = *owner;
	mx_addr_print(addr, c->relay);
}

/* The connection failed before the loop could see it. */
static void
on_refused(void *arg)
{
	struct client *c = arg;

	client_lose(c, &c->result);
}

void
client_connect(struct client *c, const struct mx_addr *addr, struct tls *tls,
    const struct client_owner *owner)
{
	int one = 1, fd;

	opening(c, addr, tls, owner);
	fd = socket(addr->ss.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (fd == -1 ||
	    (connect(fd, (const struct sockaddr *)&addr->ss, addr->len) == -1 &&
		errno != EINPROGRESS)) {
		outcome_set(&c->result, LATER, WIDTH_STREAM, 0, "4.4.1",
		    "%s while waiting for the connection", strerror(errno));
		if (fd != -1)
			close(fd);
		timer_set(c->loop, &c->soon, 0, on_refused, c);
		return;
	}
	io_connecting(&c->io, c->loop, fd, IN_MAX, CLIENT_OUT_MAX, on_io, c);
	client_expect(c, SAID_CONNECT, 0);
}

void
client_adopt(struct client *c, int fd, const struct mx_addr *addr,
    struct tls *tls, const struct client_owner *owner)
{
	opening(c, addr, tls, owner);
	io_open(&c->io, c->loop, fd, IN_MAX, CLIENT_OUT_MAX, on_io, c);
	client_expect(c, SAID_GREETING, 0);
}

void
client_owner(struct client *c, const struct client_owner *owner)
{
	c->owner = *owner;
}

static void
on_decided(void *arg)
{
	client_mail_over(arg);
}

void
client_mail(struct client *c, const struct client_mail *m)
{
	assert(c->state == CLIENT_READY && m->n_rcpt > 0);
	c->state = CLIENT_IN_MAIL;
	c->mails++;
	c->mail = *m;
	c->next_rcpt = 0;
	c->taken = 0;
	c->data_said = false;
	c->dot_said = false;
	c->in_server = false;
	c->decided = false;
	c->part = PART_NONE;
	if (client_refuses(c, &c->result)) {
		c->decided = true;
		timer_set(c->loop, &c->soon, 0, on_decided, c);
		return;
	}
	client_say_mail(c);
	if ((c->ext & EXT_PIPELINING) != 0)
		(void)client_say_more(c); /* no content yet: MAIL is due */
}

bool
client_usable(const struct client *c)
{
	return c->state == CLIENT_READY && c->io.in.len == 0 && !c->io.eof;
}

bool
client_in_content(const struct client *c)
{
	return c->state == CLIENT_IN_MAIL && !c->decided &&
	    (c->part != PART_NONE || c->dot_said);
}

void
client_quit(struct client *c)
{
	assert(c->state == CLIENT_READY && c->n == 0);
	c->state = CLIENT_QUITTING;
	io_printf(&c->io, "QUIT\r\n");
	client_expect(c, SAID_QUIT, 0);
}
