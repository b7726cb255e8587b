/*
 * What the SMTP client does upon each reply.  Used by deliver.  Never says
 * DONE before the server has said so of the content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_parts.h"

#include <netinet/in.h>

#include "client_auth.h"
#include "facts.h"
#include "reply_class.h"

/* ---- the transaction goes on ---- */

/*
 * What a reply means here: TLS was offered and did not come to pass, so a
 * refusal by policy is no fault of the sender's.
 */
static void
class_of(const struct client *c, const struct client_reply *r, enum stage stage,
    struct outcome *o)
{
	reply_class(r, stage, o);
	if ((c->tls_failed || c->how.tls_failed) && o->verdict == NEVER &&
	    o->cause == CAUSE_POLICY && stage != STAGE_CONTENT) {
		o->verdict = LATER;
		o->cause = CAUSE_TLS;
	}
}

void
client_decide(struct client *c, const struct client_reply *r)
{
	if (c->decided)
		return;
	c->decided = true;
	class_of(c, r, c->stage, &c->result);
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

/* There is nobody to send it to, and each was told why. */
static void
nobody(struct client *c)
{
	c->decided = true;
	outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, NULL,
	    "no recipient was taken");
	outcome_of_us(&c->result, CAUSE_NONE, STAGE_RCPT);
}

/* After each reply in a transaction; false: the owner was told. */
static bool
proceed(struct client *c)
{
	if (!c->decided && !client_say_more(c))
		return false;
	if (c->n > 0)
		return true;
	if (!c->decided)
		nobody(c);
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
	outcome_of_us(&o, CAUSE_SYSTEM, c->stage);
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
	reply_class(r, c->stage, &o);
	/* Where TLS must be, anybody may have said it that was said before. */
	if (c->how.want.level > TLS_LEVEL_MAY && c->cipher[0] == '\0')
		o.verdict = LATER;
	client_lose(c, &o);
	return false;
}

static bool
do_ready(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	if (c->how.login != NULL)
		return client_auth_begin(c);
	c->state = CLIENT_READY;
	c->owner.ready(c->owner.arg);
	return false;
}

/* ---- TLS ---- */

/* What the policy wants is not to be had here: another host may have it.
 * Returns false. */
static bool
lose_for_tls(struct client *c, enum stage stage, const char *what)
{
	char why[OUTCOME_TEXT_MAX + 1];
	struct outcome o;

	tls_missing(c->how.tls, &c->how.want, what, why, sizeof why);
	outcome_set(&o, LATER, WIDTH_STREAM, 0, "4.7.10", "%s", why);
	outcome_of_us(&o, CAUSE_TLS, stage);
	client_lose(c, &o);
	return false;
}

bool
client_start_tls(struct client *c)
{
	const struct sockaddr_in *in = (const void *)&c->addr.ss;
	const char *why;

	if (c->how.tls == NULL)
		return lose_for_tls(c, STAGE_TLS, "TLS cannot be had here");
	/* The port stands at the same place for both families. */
	why = tls_start(c->how.tls, &c->io, c->addr.name, ntohs(in->sin_port),
	    &c->how.want);
	client_expect(c, SAID_TLS, 0);
	if (why == NULL)
		return true;
	client_lose_words(c, CAUSE_TLS, "4.7.5", why);
	return false;
}

void
client_on_tls(struct client *c)
{
	char why[OUTCOME_TEXT_MAX + 1];
	struct outcome o;

	tls_print(&c->io, c->cipher);
	if (c->how.want.level == TLS_LEVEL_VERIFY && !tls_verified(&c->io)) {
		tls_why(&c->io, why, sizeof why);
		outcome_set(&o, LATER, WIDTH_STREAM, 0, "4.7.5", "%s", why);
		outcome_of_us(&o, CAUSE_TLS, STAGE_TLS);
		client_lose(c, &o);
		return;
	}
	/* RFC 8314 3.3; RFC 3207 4.2: what was known before is forgotten. */
	if (c->how.want.implicit)
		client_expect(c, SAID_GREETING, 0);
	else
		client_say_hello(c, SAID_EHLO);
}

static bool
do_able(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	enum conf_tls_level level = c->how.want.level;
	bool must = level > TLS_LEVEL_MAY;

	if (c->cipher[0] != '\0' || level == TLS_LEVEL_NO ||
	    (c->how.tls == NULL && !must))
		return do_ready(c, r, rcpt);
	if ((c->ext & EXT_STARTTLS) == 0)
		return must ? lose_for_tls(c, STAGE_STARTTLS,
				  "the server does not offer STARTTLS") :
			      do_ready(c, r, rcpt);
	io_printf(&c->io, "STARTTLS\r\n");
	client_expect(c, SAID_STARTTLS, 0);
	return true;
}

/* Who knows no EHLO knows no STARTTLS, and no LMTP. */
static bool
do_helo(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (c->how.lmtp)
		return do_refused(c, r, rcpt);
	if (c->how.want.level > TLS_LEVEL_MAY && c->cipher[0] == '\0')
		return lose_for_tls(c, STAGE_STARTTLS,
		    "the server does not offer STARTTLS");
	client_say_hello(c, SAID_HELO);
	return true;
}

static bool
do_tls(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	return client_start_tls(c);
}

/* RFC 7435: without, rather than not at all; unless somebody wants it. */
static bool
do_plain(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (c->how.want.level > TLS_LEVEL_MAY)
		return do_refused(c, r, rcpt);
	c->tls_failed = true;
	return do_ready(c, r, rcpt);
}

/* ---- a transaction ---- */

static bool
do_mail(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)r;
	(void)rcpt;
	c->in_server = true;
	return proceed(c);
}

static bool
do_no_mail(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	unsigned int ext = client_denies_mail(c, r);

	(void)rcpt;
	if (ext != 0)
		return client_deny(c, ext, r);
	client_decide(c, r);
	return proceed(c);
}

static bool
do_no_data(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	(void)rcpt;
	client_decide(c, r);
	return proceed(c);
}

static bool
do_rcpt(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	unsigned int ext = client_denies_rcpt(c, r);
	struct outcome o;

	if (c->decided)
		return proceed(c);
	if (ext != 0)
		return client_deny(c, ext, r);
	class_of(c, r, STAGE_RCPT, &o);
	if (o.verdict == DONE) {
		if (c->took != NULL)
			c->took[c->taken] = rcpt;
		c->taken++;
	}
	c->owner.rcpt(c->owner.arg, rcpt, &o);
	return proceed(c);
}

static bool
do_content(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	/* RFC 5321 4.1.1.4: no other 3yz asks for content. */
	if (r->code != 354)
		return do_bad(c, r, rcpt);
	if (!c->decided && c->taken > 0)
		return client_begin_content(c);
	if (!c->decided)
		nobody(c);
	if (c->how.lmtp) {
		/* RFC 2033 4.2: there would be no reply to its end. */
		client_lose(c, &c->result);
		return false;
	}
	/* RFC 2920 3.1: it wants content for nobody; it gets none. */
	io_printf(&c->io, ".\r\n");
	client_expect(c, SAID_DOT, 0);
	return true;
}

/* A reply to the content before its end: no good to go on after that. */
static bool
too_early(struct client *c, const struct client_reply *r)
{
	if (!client_is_sending(c))
		return false;
	if (r->code / 100 != 2)
		client_decide(c, r);
	return true;
}

static bool
do_chunk(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (too_early(c, r))
		return do_bad(c, r, rcpt);
	return client_say_chunk(c);
}

/* RFC 2033 4.2: of each who was taken there is a reply, in their order. */
static bool
settle(struct client *c, const struct client_reply *r)
{
	struct outcome o;

	reply_class(r, STAGE_CONTENT, &o);
	o.width = WIDTH_RCPT;
	if (c->settled == 0 || o.verdict == DONE)
		c->result = o;
	c->owner.settled(c->owner.arg, c->took[c->settled++], &o);
	if (c->settled < c->taken) {
		client_expect(c, SAID_DOT, 0);
		return true;
	}
	c->decided = true;
	return proceed(c);
}

/* BDAT is a command that it does not know, whatever it offers: what comes next
 * it takes for commands.  Not where others were answered before (LMTP): then
 * this one was refused. */
static bool
denies_chunks(const struct client *c, const struct client_reply *r)
{
	return c->bdat && c->settled == 0 &&
	    (c->mail.content_facts & CONTENT_BINARY) == 0 && r->code >= 500 &&
	    r->code <= 504;
}

static bool
do_sent(struct client *c, const struct client_reply *r, unsigned int rcpt)
{
	if (denies_chunks(c, r))
		return client_deny(c, EXT_CHUNKING, r);
	if (too_early(c, r))
		return do_bad(c, r, rcpt);
	/* RFC 3030 2: a chunk that was refused leaves the transaction open. */
	c->in_server = c->bdat && r->code / 100 != 2;
	c->part = PART_NONE;
	if (c->how.lmtp && c->dot_said && !c->decided)
		return settle(c, r);
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
	[DO_PLAIN] = do_plain,
	[DO_AUTH] = client_auth_more,
	[DO_AUTHED] = client_auth_done,
	[DO_NO_AUTH] = client_auth_refused,
	[DO_MAIL] = do_mail,
	[DO_NO_MAIL] = do_no_mail,
	[DO_RCPT] = do_rcpt,
	[DO_NO_RCPT] = do_rcpt,
	[DO_CONTENT] = do_content,
	[DO_NO_DATA] = do_no_data,
	[DO_CHUNK] = do_chunk,
	[DO_SENT] = do_sent,
	[DO_NOT_SENT] = do_sent,
	[DO_RESET] = do_reset,
	[DO_GONE] = do_refused,
};
