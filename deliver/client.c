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

#include "client_auth.h"
#include "log.h"
#include "reply_class.h"

#define IN_MAX 8192

_Static_assert(IN_MAX >= REPLY_LINE_MAX, "a line fits");

/* ---- hearing ---- */

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
		reply_class(&r, STAGE_QUIT, &o);
		o.verdict = LATER;
		client_lose(c, &o);
		return false;
	}
	said = client_heard(c, &rcpt);
	c->stage = client_table[said].stage;
	if (r.code != 421)
		return client_acts[client_table[said].on[r.code / 100 - 2]](c,
		    &r, rcpt);
	/* RFC 5321 3.8: the server closes, whatever was said. */
	if (c->stage == STAGE_CONTENT)
		client_decide(c, &r);
	reply_class(&r, c->stage, &o);
	client_lose(c, &o);
	return false;
}

/* The next line, or as much of it as counts.  NULL, or why it is none. */
static const char *
hear_line(struct client *c, struct slice line)
{
	struct slice text;
	const char *why = client_reply_line(&c->reply, line, &text);

	if (why != NULL)
		return why;
	if (client_awaits(c, SAID_EHLO) && c->reply.lines > 1)
		client_offer(c, text);
	if (client_awaits(c, SAID_AUTH))
		client_auth_hear(c, text);
	return NULL;
}

/* All whole lines; false: the owner was told. */
static bool
hear(struct client *c)
{
	enum smtp_line kind;
	struct slice line;
	const char *why;
	size_t used;

	for (;;) {
		kind = smtp_line_get(buf_data(&c->io.in), c->io.in.len,
		    REPLY_LINE_MAX, &line, &used);
		if (kind == LINE_MORE)
			return true;
		if (kind == LINE_LONG)
			line.len = used;
		why = c->in_long_line ? client_reply_skip(&c->reply, used) :
					hear_line(c, line);
		if (why != NULL) {
			client_lose_words(c, CAUSE_SYSTEM, "4.5.0", why);
			return false;
		}
		c->in_long_line = kind == LINE_LONG;
		buf_drain(&c->io.in, used);
		if (c->reply.done && !c->in_long_line && !act(c))
			return false;
	}
}

/* The connection is up. */
static void
on_connected(struct client *c)
{
	if (c->how.want.implicit)
		(void)client_start_tls(c);
	else
		client_expect(c, SAID_GREETING, 0);
}

/* The connection is up, or the handshake is done. */
static void
on_ready(struct client *c)
{
	unsigned int rcpt;

	if (client_heard(c, &rcpt) == SAID_CONNECT)
		on_connected(c);
	else
		client_on_tls(c);
}

/* It broke, or was closed; of a handshake TLS knows more. */
static void
lose_connection(struct client *c, const char *what)
{
	char why[OUTCOME_TEXT_MAX + 1];
	struct outcome o;

	if (!client_awaits(c, SAID_TLS)) {
		client_lose_words(c,
		    client_awaits(c, SAID_STARTTLS) ? CAUSE_TLS : CAUSE_NETWORK,
		    client_awaits(c, SAID_CONNECT) ? "4.4.1" : "4.4.2", what);
		return;
	}
	outcome_set(&o, LATER, WIDTH_STREAM, 0, "4.7.5", "%s",
	    tls_why(&c->io, why, sizeof why));
	outcome_of_us(&o, CAUSE_TLS, STAGE_TLS);
	client_lose(c, &o);
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
	lose_connection(c, error);
}

/*
 * Nothing came, or not enough of it.  A server that has answered MAIL, and not
 * what was said together with it, may have lost that: one that says PIPELINING
 * and does not do it (RFC 2920 3.2).
 */
static void
on_timeout(struct client *c)
{
	if (c->state == CLIENT_IN_MAIL && c->in_server && !c->decided &&
	    (c->ext & EXT_PIPELINING) != 0 &&
	    (client_awaits(c, SAID_RCPT) || client_awaits(c, SAID_DATA)))
		c->denied = EXT_PIPELINING;
	client_lose_words(c,
	    client_awaits(c, SAID_TLS) ? CAUSE_TLS : CAUSE_NETWORK,
	    client_awaits(c, SAID_CONNECT) ? "4.4.1" : "4.4.2", "timed out");
}

/* Everything that was to be sent is with the kernel. */
static void
on_sent(struct client *c)
{
	if (client_is_sending(c)) {
		client_send_content(c);
		return;
	}
	if (c->dot_said)
		c->until = c->how.lmtp ? loop_msec() + CLIENT_TALK_MS : 0;
	if (client_awaits(c, SAID_DOT) || client_awaits(c, SAID_CHUNK))
		client_set_deadline(c);
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
		on_sent(c);
		break;
	case IO_EOF:
		lose_connection(c, "connection closed");
		break;
	case IO_TIMEOUT:
		on_timeout(c);
		break;
	case IO_ERROR:
		(void)io;
		on_error(c);
		break;
	}
}

/* ---- public ---- */

struct client *
client_new(struct loop *l)
{
	struct client *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->io.fd = -1;
	return c;
}

void
client_free(struct client **c)
{
	if (*c == NULL)
		return;
	client_auth_free(*c);
	free((*c)->took);
	io_close(&(*c)->io);
	timer_clear(&(*c)->soon);
	count_leave((*c)->how.count);
	free(*c);
	*c = NULL;
}

/* Whom we talk to. */
static void
opening(struct client *c, const struct mx_addr *addr,
    const struct client_how *how, const struct client_owner *owner)
{
	assert(c->state == CLIENT_CLOSED);
	c->state = CLIENT_OPENING;
	c->addr = *addr;
	c->how = *how;
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

/* It is not the network, nor who is to be connected. */
static bool
is_lack_of_ours(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	    error == ENOMEM;
}

/* A socket that is being connected; -1: result says why not. */
static int
begin_connect(struct client *c)
{
	const struct sockaddr *to = (const struct sockaddr *)&c->addr.ss;
	const struct sockaddr *from = (const struct sockaddr *)&c->how.src;
	int one = 1, fd, error;

	fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd != -1)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	/* Nobody else may have the address while we use it as our own. */
	if (fd != -1 && from->sa_family != AF_UNSPEC &&
	    bind(fd, from,
		from->sa_family == AF_INET ?
		    sizeof(struct sockaddr_in) :
		    sizeof(struct sockaddr_in6)) == -1) {
		outcome_set(&c->result, LATER, WIDTH_STREAM, 0, "4.3.5",
		    "the source address cannot be used: %s", strerror(errno));
		outcome_of_us(&c->result, CAUSE_CONFIG, STAGE_CONNECT);
		close(fd);
		return -1;
	}
	if (fd != -1 &&
	    (connect(fd, to, c->addr.len) == 0 || errno == EINPROGRESS))
		return fd;
	error = errno;
	outcome_set(&c->result, LATER, WIDTH_STREAM, 0,
	    is_lack_of_ours(error) ? "4.3.0" : "4.4.1",
	    "%s while waiting for the connection", strerror(error));
	outcome_of_us(&c->result,
	    is_lack_of_ours(error) ? CAUSE_SYSTEM : CAUSE_NETWORK,
	    STAGE_CONNECT);
	if (fd != -1)
		close(fd);
	return -1;
}

void
client_connect(struct client *c, const struct mx_addr *addr,
    const struct client_how *how, const struct client_owner *owner)
{
	int fd;

	opening(c, addr, how, owner);
	if ((fd = begin_connect(c)) == -1) {
		timer_set(c->loop, &c->soon, 0, on_refused, c);
		return;
	}
	io_connecting(&c->io, c->loop, fd, IN_MAX, CLIENT_OUT_MAX, on_io, c);
	client_expect(c, SAID_CONNECT, 0);
}

void
client_adopt(struct client *c, int fd, const struct mx_addr *addr,
    const struct client_how *how, const struct client_owner *owner)
{
	opening(c, addr, how, owner);
	io_open(&c->io, c->loop, fd, IN_MAX, CLIENT_OUT_MAX, on_io, c);
	on_connected(c);
}

void
client_owner(struct client *c, const struct client_owner *owner)
{
	c->owner = *owner;
}

static void
on_decided(void *arg)
{
	struct client *c = arg;

	if (c->decided)
		client_mail_over(c);
	else
		client_lose(c, &c->result);
}

/* So long may it take, whatever happens. */
static msec
whole_time(const struct client *c)
{
	uint64_t mib = client_mail_size(&c->mail) >> 20;

	return CLIENT_TALK_MS + ((msec)mib + 1) * CLIENT_MIB_MS;
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
	c->settled = 0;
	c->mail_ext = 0;
	c->rcpt_ext = 0;
	c->until = loop_msec() + whole_time(c);
	if (c->how.lmtp) {
		free(c->took);
		c->took = xcalloc(m->n_rcpt, sizeof *c->took);
	}
	if (client_refuses(c, &c->result)) {
		/* Another host may do what this one does not. */
		c->decided = c->result.width != WIDTH_STREAM;
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
