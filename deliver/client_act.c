/*
 * What the SMTP client does upon each reply.  Used by deliver.  Never says
 * DONE before the server has said so of the content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_parts.h"

#include <string.h>

/* ---- the transaction goes on ---- */

void
client_decide(struct client *c, const struct client_reply *r)
{
	if (c->decided)
		return;
	c->decided = true;
	client_reply_outcome(r, WIDTH_MESSAGE, &c->result);
}

/* Nothing more is due: the owner is told. */
bool
client_mail_over(struct client *c)
{
	struct client_owner owner = c->owner;
	struct outcome o = c->result;

	if (c->in_server) {
		c->in_server = false;
		io_printf(&c->io, "RSET\r\n");
		client_expect(c, SAID_RSET, 0);
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
	if (!c->decided && !client_say_more(c))
		return false;
	if (c->n > 0)
		return true;
	if (!c->decided) {
		c->decided = true;
		outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, NULL,
		    "no recipient was taken");
	}
	return client_mail_over(c);
}

/* ---- upon a reply ---- */

static bool
do_bad(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	struct outcome o;

	(void)rcpt;
	outcome_set(&o, LATER, WIDTH_STREAM, 0, "4.5.0",
	    "unexpected reply: %u %s", r->code, r->text);
	client_lose(c, &o);
	return false;
}

static bool
do_hello(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	client_say_hello(c, SAID_EHLO);
	return true;
}

static bool
do_refused(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	struct outcome o;

	(void)rcpt;
	client_reply_outcome(r, WIDTH_MESSAGE, &o);
	client_lose(c, &o);
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
	client_expect(c, SAID_STARTTLS, 0);
	return true;
}

static bool
do_helo(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	client_say_hello(c, SAID_HELO);
	return true;
}

static bool
do_tls(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	const char *why = tls_start(c->tls, &c->io, c->addr.name);

	(void)r;
	(void)rcpt;
	client_expect(c, SAID_TLS, 0);
	if (why == NULL)
		return true;
	client_lose_words(c, "4.7.5", why);
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
	client_decide(c, r);
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
		client_expect(c, SAID_DOT, 0);
		return true;
	}
	return client_begin_content(c);
}

/* A reply to the content before its end: no good to go on after that. */
static bool
too_early(struct client *c, const struct client_reply *r)
{
	if (c->part == PART_NONE && c->io.out.len == 0)
		return false;
	if (r->code / 100 != 2)
		client_decide(c, r);
	return true;
}

static bool
do_sent(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (too_early(c, r))
		return do_bad(c, r, rcpt);
	/* RFC 3030 2: a chunk that was refused leaves the transaction open. */
	c->in_server = c->bdat && r->code / 100 != 2;
	client_decide(c, r);
	return proceed(c);
}

static bool
do_reset(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	return proceed(c);
}

client_act *const client_acts[CLIENT_DOES] = {
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
