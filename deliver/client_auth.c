/*
 * AUTH of the SMTP client: what the server offers goes to lookup, what lookup
 * says to the server, and what that answers back.  Used by deliver.  Never
 * says a secret to who has not proved who it is (unless the configuration
 * says so), and never takes a 235 before the server has done its part.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_auth.h"

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "deliver.h"
#include "log.h"
#include "proc.h"
#include "reply_class.h"

/* RFC 4954 4: the command with an initial response is a command line as any
 * other, what comes after it may be longer. */
#define COMMAND_LINE 512
#define ANSWER_LINE  12288
#define MESSAGE_MAX  ((ANSWER_LINE - 2) / 4 * 3)

/* Of a challenge, in base64. */
#define CHALLENGE_MAX BASE64_LEN(sizeof((struct sasl_ask *)0)->data)

/* Columns: by mechanism; its name, the client speaks first. */
static const struct {
	const char *name;
	bool client_first;
} mechs[SASL_MECHS] = {
	[SASL_PLAIN] = { "PLAIN", true },
	[SASL_LOGIN] = { "LOGIN", false },
	[SASL_CRAM_MD5] = { "CRAM-MD5", false },
	[SASL_SCRAM] = { "SCRAM-SHA-256", true },
	[SASL_SCRAM_PLUS] = { "SCRAM-SHA-256-PLUS", true },
	[SASL_OAUTHBEARER] = { "OAUTHBEARER", true },
	[SASL_XOAUTH2] = { "XOAUTH2", true },
	/* By a certificate, which has no label. */
	[SASL_EXTERNAL] = { "EXTERNAL", false },
};

/* Another try with another mechanism, or another token, may do. */
enum again { AGAIN_NOT, AGAIN_MECH, AGAIN_TOKEN };

/* An exchange under way. */
struct client_auth {
	TAILQ_ENTRY(client_auth) entry;
	struct client *client;
	struct ipc_req req;
	struct sasl_ask ask;
	bool chosen;  /* ask.mech is what lookup said */
	bool waiting; /* the message waits for the challenge without words */
	bool bound;   /* something that counts was said by this mechanism */
	bool proved;
	struct outcome refused; /* of a mechanism before this one; code 0: none
				 */
	struct buf message;     /* from lookup, on its way out */
	size_t n_text;
	bool bad_text;
	char text[CHALLENGE_MAX]; /* of the challenge that is being heard */
};

/* ---- what the server offers ---- */

/* Takes a word off the front of s; false: there is none. */
static bool
take_word(struct slice *s, struct slice *word)
{
	*s = slice_trim(*s);
	*word = (struct slice){ s->p, 0 };
	while (word->len < s->len && s->p[word->len] != ' ' &&
	    s->p[word->len] != '\t')
		word->len++;
	s->p += word->len;
	s->len -= word->len;
	return word->len > 0;
}

void
client_auth_offer(struct client *c, struct slice line)
{
	static const struct slice auth = { "AUTH", 4 };
	struct slice word;
	size_t i;

	if (line.len < auth.len + 1 ||
	    !slice_eqcase((struct slice){ line.p, auth.len }, auth) ||
	    (line.p[auth.len] != ' ' && line.p[auth.len] != '='))
		return;
	line.p += auth.len + 1;
	line.len -= auth.len + 1;
	while (take_word(&line, &word)) {
		for (i = 0; i < SASL_MECHS; i++) {
			if (slice_eqcase(word, slice_of(mechs[i].name)))
				c->auth_mechs |= 1u << i;
		}
	}
}

/* ---- the end of it ---- */

void
client_auth_free(struct client *c)
{
	struct client_auth *a = c->auth;

	if (a == NULL)
		return;
	c->auth = NULL;
	TAILQ_REMOVE(&c->how.login->auths, a, entry);
	ipc_cancel(&a->req);
	buf_free(&a->message);
	explicit_bzero(a, sizeof *a);
	free(a);
}

/* Without it no mail goes over this connection.  Returns false. */
static bool
give_up(struct client *c, const struct outcome *o)
{
	struct outcome copy = *o;

	log_warn("login-failed", "label=%s relay=%s mech=%s text=%s",
	    q(c->how.label), c->relay,
	    c->auth == NULL || !c->auth->chosen ? "none" :
						  mechs[c->auth->ask.mech].name,
	    q(copy.text));
	client_lose(c, &copy);
	return false;
}

static bool
give_up_saying(struct client *c, enum cause cause, const char *why)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_STREAM, 0, "4.7.0", "%s", why);
	outcome_of_us(&o, cause, STAGE_AUTH);
	return give_up(c, &o);
}

/* ---- what is said ---- */

/* The message as a line of its own, or behind words; it is gone then. */
static void
say_message(struct client *c, const char *words, bool has_message)
{
	struct client_auth *a = c->auth;
	char *text = xcalloc(1, BASE64_LEN(a->message.len) + 1);
	size_t n;

	n = base64_print(BASE64_PLAIN, buf_data(&a->message), a->message.len,
	    text);
	/* RFC 4954 4: "=" is the initial response that is empty. */
	(void)io_write(&c->io, words, strlen(words));
	if (has_message && n == 0 && words[0] != '\0')
		(void)io_write(&c->io, "=", 1);
	if (has_message)
		(void)io_write(&c->io, text, n);
	(void)io_write(&c->io, "\r\n", 2);
	explicit_bzero(text, n);
	free(text);
	buf_free(&a->message);
	client_expect(c, SAID_AUTH, 0);
}

static void
say_command(struct client *c)
{
	struct client_auth *a = c->auth;
	bool first = mechs[a->ask.mech].client_first;
	char words[64];
	size_t n;

	/* With nothing behind it, a blank is none too many. */
	n = (size_t)snprintf(words, sizeof words, "AUTH %s ",
	    mechs[a->ask.mech].name);
	if (first && n + BASE64_LEN(a->message.len) + 2 <= COMMAND_LINE) {
		say_message(c, words, true);
		return;
	}
	a->waiting = first;
	io_printf(&c->io, "AUTH %s\r\n", mechs[a->ask.mech].name);
	client_expect(c, SAID_AUTH, 0);
}

/* ---- lookup ---- */

static void ask(struct client *c);

static bool
is_whole(const struct client_auth *a, const struct sasl_is *is)
{
	return is->mech < SASL_MECHS && is->mech != SASL_EXTERNAL &&
	    (a->ask.step == 0 || is->mech == a->ask.mech) &&
	    is->n_before <= sizeof a->ask.before && is->bytes == a->message.len;
}

static void
on_answer(void *arg, struct ipc_msg *msg)
{
	struct client *c = arg;
	struct client_auth *a = c->auth;
	const struct sasl_is *is = msg == NULL ? NULL : msg->body;
	struct outcome o;

	if (is != NULL && is->outcome.verdict != DONE) {
		/* The first refusal says more than that nothing is left. */
		o = a->refused.code != 0 ? a->refused : is->outcome;
		give_up(c, &o);
		return;
	}
	if (is == NULL || !is_whole(a, is)) {
		give_up_saying(c, CAUSE_SYSTEM,
		    "the credentials cannot be asked for now");
		return;
	}
	a->ask.mech = is->mech;
	a->chosen = true;
	a->ask.n_before = is->n_before;
	memcpy(a->ask.before, is->before, is->n_before);
	a->proved = is->proved != 0;
	if (a->ask.step == 0) {
		say_command(c);
		return;
	}
	if (a->message.len > 0)
		a->bound = true;
	say_message(c, "", true);
}

/* What lookup said in pieces for an earlier question is none of this one's. */
static void
ask(struct client *c)
{
	struct client_auth *a = c->auth;
	struct deliver *d = c->how.login;

	buf_free(&a->message);
	a->ask.sasl = ++d->n_auths;
	sasl_ask_ask(proc_chan(d->p, PROC_LOOKUP, 0), &a->req, &a->ask,
	    on_answer, c, CLIENT_AUTH_MS);
	/* Lookup's deadline is ours. */
	io_deadline(&c->io, 0);
}

void
client_auth_data(struct deliver *d, const struct sasl_data *m)
{
	struct client_auth *a;

	TAILQ_FOREACH(a, &d->auths, entry) {
		if (a->ask.sasl != m->sasl || a->req.chan == NULL)
			continue;
		/* One that is too long is not what sasl_is says it is. */
		if (m->n <= sizeof m->data)
			(void)buf_add(&a->message, m->data, m->n);
		return;
	}
}

void
client_auth_lookup_up(struct deliver *d)
{
	struct client_auth *a;

	TAILQ_FOREACH(a, &d->auths, entry) {
		if (a->req.chan != NULL)
			buf_free(&a->message);
	}
}

/* ---- the exchange ---- */

/* From the first step. */
static bool
start(struct client *c)
{
	struct client_auth *a = c->auth;

	a->ask.step = 0;
	a->ask.n_before = 0;
	a->ask.n = 0;
	a->waiting = false;
	a->bound = false;
	a->proved = false;
	ask(c);
	return true;
}

static uint16_t
port_of(const struct sockaddr_storage *ss)
{
	/* Both kinds have it at the same place. */
	return ntohs(((const struct sockaddr_in *)(const void *)ss)->sin_port);
}

static bool
may_be_said(struct client *c, char *why, size_t size)
{
	char tls[OUTCOME_TEXT_MAX + 1];

	if (c->how.insecure || tls_verified(&c->io))
		return true;
	if (c->cipher[0] == '\0')
		snprintf(why, size,
		    "no TLS with %s: label %s is not authenticated there",
		    c->relay, c->how.label);
	else
		snprintf(why, size,
		    "the certificate of %s is not verified (%s): label %s is not authenticated there",
		    c->relay, tls_why(&c->io, tls, sizeof tls), c->how.label);
	return false;
}

bool
client_auth_begin(struct client *c)
{
	struct deliver *d = c->how.login;
	char why[OUTCOME_TEXT_MAX + 1];
	struct client_auth *a;

	if (!may_be_said(c, why, sizeof why))
		return give_up_saying(c, CAUSE_TLS, why);
	if (c->auth_mechs == 0) {
		snprintf(why, sizeof why,
		    "%s offers no AUTH that we know, and label %s wants it",
		    c->relay, c->how.label);
		return give_up_saying(c, CAUSE_CONFIG, why);
	}
	if (proc_chan(d->p, PROC_LOOKUP, 0) == NULL)
		return give_up_saying(c, CAUSE_SYSTEM,
		    "there is nobody to ask for the credentials");
	a = c->auth = xcalloc(1, sizeof *a);
	a->client = c;
	TAILQ_INSERT_TAIL(&d->auths, a, entry);
	buf_init(&a->message, MESSAGE_MAX);
	a->message.wipe = true;
	c->io.out.wipe = true;
	a->ask.action = c->how.action;
	a->ask.mechs = c->auth_mechs;
	a->ask.port = port_of(&c->addr.ss);
	(void)slice_copy(slice_of(c->how.label), a->ask.label,
	    sizeof a->ask.label);
	(void)slice_copy(slice_of(c->addr.name), a->ask.host,
	    sizeof a->ask.host);
	if (tls_exporter(&c->io, a->ask.exporter))
		a->ask.n_exporter = sizeof a->ask.exporter;
	return start(c);
}

void
client_auth_hear(struct client *c, struct slice text)
{
	struct client_auth *a = c->auth;

	/* A challenge is one line (RFC 4954 4). */
	a->bad_text = c->reply.lines > 1 || text.len > sizeof a->text;
	a->n_text = a->bad_text ? 0 : text.len;
	memcpy(a->text, text.p, a->n_text);
}

bool
client_auth_more(struct client *c, const struct client_reply *r,
    unsigned int rcpt)
{
	struct client_auth *a = c->auth;
	struct slice text = { a->text, a->n_text };
	const char *why = NULL;
	size_t n = 0;

	(void)rcpt;
	if (r->code != 334)
		return client_acts[DO_BAD](c, r, rcpt);
	if (a->waiting) {
		/* Whatever its words: it is told what it waits for. */
		a->waiting = false;
		say_message(c, "", true);
		return true;
	}
	if (a->bad_text)
		why = "a challenge that is too long";
	else if (base64_parse(BASE64_PLAIN, slice_trim(text), a->ask.data,
		     sizeof a->ask.data, &n) != NULL)
		why = "a challenge that is not base64";
	if (why != NULL)
		return give_up_saying(c, CAUSE_CONFIG, why);
	a->ask.n = (uint32_t)n;
	a->ask.step++;
	ask(c);
	return true;
}

bool
client_auth_done(struct client *c, const struct client_reply *r,
    unsigned int rcpt)
{
	struct client_auth *a = c->auth;

	(void)rcpt;
	if (r->code != 235)
		return client_acts[DO_BAD](c, r, rcpt);
	if (!a->proved || a->waiting)
		return give_up_saying(c, CAUSE_CONFIG,
		    "the server says that we are authenticated, but has not proved that it knows the password");
	log_event(0, "login", "label=%s relay=%s mech=%s", q(c->how.label),
	    c->relay, mechs[a->ask.mech].name);
	client_auth_free(c);
	/* What goes out from now on is no secret. */
	buf_trim(&c->io.out);
	c->io.out.wipe = false;
	c->state = CLIENT_READY;
	c->owner.ready(c->owner.arg);
	return false;
}

/* RFC 4954 6, RFC 5248: this mechanism is not done there, another may be.  One
 * that binds to the channel may be meant otherwise there (RFC 5802 6); nothing
 * was said yet that a password could be guessed by. */
static enum again
may_try_again(const struct client_auth *a, const struct client_reply *r)
{
	bool token =
	    a->ask.mech == SASL_OAUTHBEARER || a->ask.mech == SASL_XOAUTH2;

	if (r->code == 504 || r->code == 534 || r->code == 432)
		return AGAIN_MECH;
	if (a->ask.mech == SASL_SCRAM_PLUS && !a->bound && r->code >= 500)
		return AGAIN_MECH;
	if (token && a->ask.fresh == 0 && r->code >= 500)
		return AGAIN_TOKEN;
	return AGAIN_NOT;
}

bool
client_auth_refused(struct client *c, const struct client_reply *r,
    unsigned int rcpt)
{
	struct client_auth *a = c->auth;
	struct outcome o;

	(void)rcpt;
	reply_class(r, STAGE_AUTH, &o);
	switch (may_try_again(a, r)) {
	case AGAIN_NOT:
		break;
	case AGAIN_MECH:
		a->refused = o;
		a->ask.mechs &= ~(1u << a->ask.mech);
		/* "y" would say that we believe it cannot bind. */
		if (a->ask.mech == SASL_SCRAM_PLUS)
			a->ask.n_exporter = 0;
		return start(c);
	case AGAIN_TOKEN:
		a->ask.fresh = 1;
		return start(c);
	}
	return give_up(c, &o);
}
