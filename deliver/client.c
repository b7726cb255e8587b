/*
 * The SMTP client: says, hears, and tells its owner.  Used by deliver.  Never
 * blocks, never waits without a deadline, keeps no content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client.h"

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "facts.h"
#include "log.h"
#include "num.h"

#define IN_MAX      REPLY_BYTES_MAX
#define PIECE       32768 /* bytes of content read at once */
#define OUT_MAX     ((size_t)6 * PIECE)
#define CONTENT_LOW ((size_t)2 * PIECE) /* out holds less: read on */
#define COMMAND_LOW ((size_t)16384)     /* out holds less: say more */

/* ---- the end of it ---- */

/* The words for what we wait for. */
static const char *
waiting_for(const struct client *c)
{
	if (c->part != PART_NONE)
		return "room for the content";
	if (c->n == 0)
		return "nothing";
	return client_table[c->fifo[c->head].said].what;
}

/*
 * Closes and tells the owner, who may free the client: the caller returns at
 * once.  Before the content's end nothing has happened, and another host may
 * be tried; after it nobody knows, and that is later (RFC 1047).
 */
static void
lose(struct client *c, const struct outcome *o)
{
	struct client_owner owner = c->owner;
	bool in_mail = c->state == CLIENT_IN_MAIL;
	bool sent = c->dot_said && c->io.out.len == 0;
	struct outcome copy = *o;

	io_close(&c->io);
	timer_clear(&c->soon);
	c->state = CLIENT_CLOSED;
	if (in_mail && !c->decided && sent) {
		outcome_set(&copy, LATER, WIDTH_MESSAGE, 0, "4.4.2",
		    "connection lost after the final dot: may be delivered twice (%s)",
		    o->text);
		owner.over(owner.arg, &copy);
	} else if (in_mail && c->decided) {
		copy = c->result;
		owner.over(owner.arg, &copy);
	} else
		owner.lost(owner.arg, &copy);
}

static void
lose_words(struct client *c, const char *ecode, const char *what)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_STREAM, 0, ecode,
	    "%s while waiting for %s", what, waiting_for(c));
	lose(c, &o);
}

/* ---- saying ---- */

static void
set_deadline(struct client *c)
{
	enum client_said said;
	bool sending = c->part != PART_NONE || c->io.out.len > 0;

	if (c->n == 0) {
		io_deadline(&c->io, 0);
		return;
	}
	said = c->fifo[c->head].said;
	io_deadline(&c->io,
	    said == SAID_DOT && sending ? CLIENT_BLOCK_MS :
					  client_table[said].wait);
}

/* A reply to this is due. */
static void
expect(struct client *c, enum client_said said, unsigned int rcpt)
{
	unsigned int i = (c->head + c->n) % CLIENT_FIFO;

	assert(c->n < CLIENT_FIFO);
	c->fifo[i].said = (uint8_t)said;
	c->fifo[i].rcpt = rcpt;
	if (c->n++ == 0)
		set_deadline(c);
}

static enum client_said
heard(struct client *c, unsigned int *rcpt)
{
	enum client_said said = c->fifo[c->head].said;

	assert(c->n > 0);
	*rcpt = c->fifo[c->head].rcpt;
	c->head = (c->head + 1) % CLIENT_FIFO;
	c->n--;
	set_deadline(c);
	return said;
}

static bool
awaits(const struct client *c, enum client_said said)
{
	return c->n > 0 && c->fifo[c->head].said == said;
}

static void
say_hello(struct client *c, enum client_said said)
{
	c->ext = 0;
	c->max_size = 0;
	io_printf(&c->io, "%s %s\r\n", said == SAID_EHLO ? "EHLO" : "HELO",
	    c->helo);
	expect(c, said, 0);
}

static uint64_t
mail_size(const struct client_mail *m)
{
	return strlen(m->field) + m->trace_len + m->content_len;
}

static void
say_mail(struct client *c)
{
	char size[32] = "";
	const char *body = "";

	if (c->ext & EXT_SIZE)
		snprintf(size, sizeof size, " SIZE=%llu",
		    (unsigned long long)mail_size(&c->mail));
	/*
	 * RFC 6152 3: content with 8-bit bytes goes only to who offers
	 * 8BITMIME, else it is converted or returned.  Until there is a
	 * conversion it is sent as it is, which every server of today takes.
	 */
	if ((c->ext & EXT_8BITMIME) && (c->mail.content_facts & CONTENT_8BIT))
		body = " BODY=8BITMIME";
	io_printf(&c->io, "MAIL FROM:<%s>%s%s\r\n", c->mail.sender, size, body);
	expect(c, SAID_MAIL, 0);
}

/* As much as can be said now: all at once with PIPELINING, else one by one. */
static void
say_more(struct client *c)
{
	bool pipe = (c->ext & EXT_PIPELINING) != 0;

	while (c->next_rcpt < c->mail.n_rcpt) {
		if (pipe ?
			c->n > CLIENT_FIFO - 2 || c->io.out.len > COMMAND_LOW :
			c->n > 0)
			return;
		io_printf(&c->io, "RCPT TO:<%s>\r\n",
		    c->mail.rcpt[c->next_rcpt]);
		expect(c, SAID_RCPT, c->next_rcpt++);
	}
	if (c->data_said || (c->n > 0 && !pipe) || c->n == CLIENT_FIFO)
		return;
	/* Everybody was answered, and refused. */
	if (c->n == 0 && c->taken == 0)
		return;
	io_printf(&c->io, "DATA\r\n");
	c->data_said = true;
	expect(c, SAID_DATA, 0);
}

/* ---- content ---- */

/* Moves to the next part when one is at its end. */
static void
next_part(struct client *c)
{
	c->part++;
	c->part_off = 0;
}

/* Where the bytes of the present part stand, if in the file. */
static uint64_t
part_len(const struct client *c, uint64_t *off)
{
	*off = c->part == PART_TRACE ? c->mail.trace_off : c->mail.content_off;
	return c->part == PART_TRACE ? c->mail.trace_len : c->mail.content_len;
}

/* Puts some of the present part into out; false: the file cannot be read. */
static bool
put_piece(struct client *c)
{
	uint8_t piece[PIECE], *out;
	uint64_t off, left;
	size_t n;
	ssize_t got;

	switch (c->part) {
	case PART_FIELD:
		n = strlen(c->mail.field);
		if ((out = buf_room(&c->io.out, 2 * n)) == NULL)
			return false;
		buf_filled(&c->io.out,
		    smtp_stuff_out(&c->stuff, (const uint8_t *)c->mail.field, n,
			out));
		next_part(c);
		return true;
	case PART_TRACE:
	case PART_CONTENT:
		left = part_len(c, &off) - c->part_off;
		if (left == 0) {
			next_part(c);
			return true;
		}
		n = left < sizeof piece ? (size_t)left : sizeof piece;
		got = pread(c->mail.fd, piece, n, (off_t)(off + c->part_off));
		if (got <= 0 ||
		    (out = buf_room(&c->io.out, 2 * (size_t)got)) == NULL)
			return false;
		buf_filled(&c->io.out,
		    smtp_stuff_out(&c->stuff, piece, (size_t)got, out));
		c->part_off += (size_t)got;
		return true;
	case PART_END:
		if ((out = buf_room(&c->io.out, 5)) == NULL)
			return false;
		buf_filled(&c->io.out, smtp_stuff_end(&c->stuff, out));
		c->part = PART_NONE;
		c->dot_said = true;
		return true;
	case PART_NONE:
		break;
	}
	return true;
}

/* Fills out again; false: the owner was told. */
static bool
send_content(struct client *c)
{
	while (c->part != PART_NONE && c->io.out.len < CONTENT_LOW) {
		if (put_piece(c))
			continue;
		/* Without its final dot it is no message (RFC 5321 4.1.1.4),
		 * so the connection ends here. */
		c->decided = true;
		outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, "4.3.0",
		    "the message cannot be read here");
		lose(c, &c->result);
		return false;
	}
	set_deadline(c);
	io_kick(&c->io);
	return true;
}

/* ---- the transaction goes on ---- */

/* The first word is the last one. */
static void
decide(struct client *c, const struct client_reply *r)
{
	if (c->decided)
		return;
	c->decided = true;
	client_reply_outcome(r, WIDTH_MESSAGE, &c->result);
}

/* Nothing more is due: the owner is told. */
static bool
mail_over(struct client *c)
{
	struct client_owner owner = c->owner;
	struct outcome o = c->result;

	if (c->in_server) {
		c->in_server = false;
		io_printf(&c->io, "RSET\r\n");
		expect(c, SAID_RSET, 0);
		return true;
	}
	c->state = CLIENT_READY;
	owner.over(owner.arg, &o);
	return false;
}

/* After each reply in a transaction; false: the owner was told. */
static bool
proceed(struct client *c)
{
	if (!c->decided)
		say_more(c);
	if (c->n > 0)
		return true;
	if (!c->decided) {
		c->decided = true;
		outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, NULL,
		    "no recipient was taken");
	}
	return mail_over(c);
}

/* ---- upon a reply ---- */

/* The reply, and which recipient it is about.  False: the owner was told,
 * and the client may be gone. */
typedef bool client_act(struct client *c, const struct client_reply *r,
    unsigned int rcpt);

static bool
do_bad(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	struct outcome o;

	(void)rcpt;
	outcome_set(&o, LATER, WIDTH_STREAM, 0, "4.5.0",
	    "unexpected reply: %u %s", r->code, r->text);
	lose(c, &o);
	return false;
}

static bool
do_hello(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	say_hello(c, SAID_EHLO);
	return true;
}

static bool
do_refused(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	struct outcome o;

	(void)rcpt;
	client_reply_outcome(r, WIDTH_MESSAGE, &o);
	lose(c, &o);
	return false;
}

static bool
do_ready(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	c->state = CLIENT_READY;
	c->owner.ready(c->owner.arg);
	return false;
}

static bool
do_able(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (c->tls == NULL || c->cipher[0] != '\0' || !(c->ext & EXT_STARTTLS))
		return do_ready(c, r, rcpt);
	io_printf(&c->io, "STARTTLS\r\n");
	expect(c, SAID_STARTTLS, 0);
	return true;
}

static bool
do_helo(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	say_hello(c, SAID_HELO);
	return true;
}

static bool
do_tls(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	const char *why = tls_start(c->tls, &c->io, c->addr.name);

	(void)r;
	(void)rcpt;
	expect(c, SAID_TLS, 0);
	if (why == NULL)
		return true;
	c->tls_failed = true;
	lose_words(c, "4.7.5", why);
	return false;
}

static bool
do_mail(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	c->in_server = true;
	return proceed(c);
}

static bool
do_no(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)rcpt;
	decide(c, r);
	return proceed(c);
}

static bool
do_rcpt(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	struct outcome o;

	if (!c->decided) {
		client_reply_outcome(r, WIDTH_RCPT, &o);
		if (o.verdict == DONE)
			c->taken++;
		c->owner.rcpt(c->owner.arg, rcpt, &o);
	}
	return proceed(c);
}

static bool
do_content(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	if (c->decided || c->taken == 0) {
		/* RFC 2920 3.1: it wants content for nobody; it gets none. */
		io_printf(&c->io, ".\r\n");
		if (!c->decided) {
			c->decided = true;
			outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, NULL,
			    "no recipient was taken");
		}
		expect(c, SAID_DOT, 0);
		return true;
	}
	c->stuff = (struct smtp_stuff){ 0 };
	c->part = PART_FIELD;
	c->part_off = 0;
	expect(c, SAID_DOT, 0);
	return send_content(c);
}

/* A reply to the content before its end: no good to go on after that. */
static bool
too_early(struct client *c, const struct client_reply *r)
{
	if (c->part == PART_NONE && c->io.out.len == 0)
		return false;
	if (r->code / 100 != 2)
		decide(c, r);
	return true;
}

static bool
do_sent(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (too_early(c, r))
		return do_bad(c, r, rcpt);
	c->in_server = false;
	decide(c, r);
	return proceed(c);
}

static bool
do_reset(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	return proceed(c);
}

static client_act *const acts[CLIENT_DOES] = {
	[DO_BAD] = do_bad,
	[DO_HELLO] = do_hello,
	[DO_REFUSED] = do_refused,
	[DO_ABLE] = do_able,
	[DO_HELO] = do_helo,
	[DO_READY] = do_ready,
	[DO_TLS] = do_tls,
	[DO_PLAIN] = do_ready,
	[DO_MAIL] = do_mail,
	[DO_NO_MAIL] = do_no,
	[DO_RCPT] = do_rcpt,
	[DO_NO_RCPT] = do_rcpt,
	[DO_CONTENT] = do_content,
	[DO_NO_DATA] = do_no,
	[DO_SENT] = do_sent,
	[DO_NOT_SENT] = do_sent,
	[DO_RESET] = do_reset,
	[DO_GONE] = do_refused,
};

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
		lose(c, &o);
		return false;
	}
	said = heard(c, &rcpt);
	if (r.code != 421)
		return acts[client_table[said].on[r.code / 100 - 2]](c, &r,
		    rcpt);
	/* RFC 5321 3.8: the server closes, whatever was said. */
	if (said == SAID_DOT)
		decide(c, &r);
	client_reply_outcome(&r, WIDTH_STREAM, &o);
	lose(c, &o);
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
			lose_words(c, "4.5.0", why);
			return false;
		}
		if (awaits(c, SAID_EHLO) && c->reply.lines > 1)
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

	if (heard(c, &rcpt) == SAID_CONNECT) {
		expect(c, SAID_GREETING, 0);
		return;
	}
	/* RFC 3207 4.2: what was known before is forgotten. */
	tls_print(&c->io, c->cipher, sizeof c->cipher);
	say_hello(c, SAID_EHLO);
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
	const char *ecode = awaits(c, SAID_CONNECT) ? "4.4.1" : "4.4.2";
	uint8_t *room;
	int want;
	long n;

	c->tls_failed = awaits(c, SAID_TLS);
	if (!c->io.connecting && !c->tls_failed && c->state == CLIENT_IN_MAIL &&
	    (room = buf_room(&c->io.in, c->io.in.max - c->io.in.len)) != NULL) {
		n = c->io.layer->read(&c->io, room, c->io.in.max - c->io.in.len,
		    &want);
		if (n > 0) {
			buf_filled(&c->io.in, (size_t)n);
			if (!hear(c))
				return;
		}
	}
	lose_words(c, ecode, error);
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
			send_content(c);
		else if (awaits(c, SAID_DOT))
			set_deadline(c);
		break;
	case IO_EOF:
		c->tls_failed = awaits(c, SAID_TLS);
		lose_words(c, "4.4.2", "connection closed");
		break;
	case IO_TIMEOUT:
		c->tls_failed = awaits(c, SAID_TLS);
		lose_words(c, awaits(c, SAID_CONNECT) ? "4.4.1" : "4.4.2",
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

	lose(c, &c->result);
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
	io_connecting(&c->io, c->loop, fd, IN_MAX, OUT_MAX, on_io, c);
	expect(c, SAID_CONNECT, 0);
}

void
client_adopt(struct client *c, int fd, const struct mx_addr *addr,
    struct tls *tls, const struct client_owner *owner)
{
	opening(c, addr, tls, owner);
	io_open(&c->io, c->loop, fd, IN_MAX, OUT_MAX, on_io, c);
	expect(c, SAID_GREETING, 0);
}

void
client_owner(struct client *c, const struct client_owner *owner)
{
	c->owner = *owner;
}

static void
on_decided(void *arg)
{
	mail_over(arg);
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
	if (c->max_size != 0 && mail_size(m) > c->max_size) {
		/* RFC 1870 6.1: it has said that it would refuse. */
		c->decided = true;
		outcome_set(&c->result, NEVER, WIDTH_MESSAGE, 552, "5.3.4",
		    "the message has %llu bytes, the server takes %llu",
		    (unsigned long long)mail_size(m),
		    (unsigned long long)c->max_size);
		timer_set(c->loop, &c->soon, 0, on_decided, c);
		return;
	}
	say_mail(c);
	if (c->ext & EXT_PIPELINING)
		say_more(c);
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
	expect(c, SAID_QUIT, 0);
}
