/*
 * Commands: which there are, when each is legal, whether it has an argument
 * (RFC 5321 4.1, 4.3); and the small ones.  Runs in session.  What a client
 * says goes from here on only if it is well-formed.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "session_auth.h"
#include "session_guard.h"
#include "session_tls.h"

/* Commands that bring no mail and are free; each one more is an error. */
#define IDLE_MAX 100

/* ---- small ones ---- */

static void
cmd_rset(struct session *s, struct slice arg)
{
	struct outcome o;

	(void)arg;
	reply_outcome(&o, REPLY_OK, NULL);
	if (tx_is_open(s)) {
		tx_drop(s, &o, false);
		return;
	}
	/* Before HELO there is nothing to forget, HELO least of all. */
	if (s->state != ST_CONNECT) {
		tx_reset(s);
		session_enter(s, ST_READY);
	}
	session_say(s, &o);
}

static void
cmd_noop(struct session *s, struct slice arg)
{
	(void)arg;
	session_reply(s, REPLY_OK, NULL);
}

/* RFC 6531 3.7.4.2: a name that is not ASCII, and SMTPUTF8 behind it. */
static void
cmd_vrfy(struct session *s, struct slice arg)
{
	static const struct slice word = { " SMTPUTF8", 9 };
	bool said = arg.len > word.len &&
	    slice_eqcase((struct slice){ arg.p + arg.len - word.len, word.len },
		word);

	if (!slice_is_utf8(arg))
		session_reply(s, REPLY_BAD_BYTES, NULL);
	else if (!slice_is_ascii(arg) && !said)
		session_reply(s, REPLY_NEED_UTF8, NULL);
	else
		/* RFC 5321 3.5.3, 7.3: it would tell anybody which addresses
		 * exist. */
		session_reply(s, REPLY_VRFY, NULL);
}

static void cmd_help(struct session *s, struct slice arg);

static void
cmd_quit(struct session *s, struct slice arg)
{
	(void)arg;
	s->quit = true;
	session_bye(s, REPLY_GOODBYE, s->hostname, "quit");
}

/* RFC 3207 4: once, and not where it was not offered. */
static void
cmd_starttls(struct session *s, struct slice arg)
{
	(void)arg;
	if ((s->facts.flags & FACT_TLS) != 0)
		session_reply(s, REPLY_TLS_TWICE, NULL);
	else if (!session_tls_offered(s))
		session_reply(s, REPLY_NOT_HERE, NULL);
	else
		session_tls_command(s);
}

/* ---- the table ---- */

enum argument { ARG_NONE, ARG_MAY, ARG_MUST };

/* Where a command is known at all. */
enum place { SMTP = 1, LMTP = 2, BOTH = SMTP | LMTP };

struct verb {
	struct slice name;
	session_cmd *fn; /* NULL: 502 */
	enum place place;
	enum argument argument;
	bool idle;                  /* it brings no mail nearer */
	enum reply no[ST_COMMANDS]; /* REPLY_NONE: legal */
};

/* clang-format off */
#define VERB(name) { name, sizeof name - 1 }
#define LEGAL      { REPLY_NONE, REPLY_NONE, REPLY_NONE, REPLY_NONE, REPLY_NONE }
#define BETWEEN    { REPLY_HELO_FIRST, REPLY_NONE, REPLY_IN_MAIL, REPLY_IN_MAIL, REPLY_IN_MAIL }

/*
 * Columns: verb, what does it, where, argument, idle, and the reply in each
 * state where it is not legal: before HELO; after it; with a sender; with
 * recipients; between chunks.
 */
static const struct verb verbs[] = {
	{ VERB("HELO"), cmd_helo, SMTP, ARG_MUST, true,  LEGAL },
	{ VERB("EHLO"), cmd_ehlo, SMTP, ARG_MUST, true,  LEGAL },
	{ VERB("LHLO"), cmd_lhlo, LMTP, ARG_MUST, true,  LEGAL },
	{ VERB("MAIL"), cmd_mail, BOTH, ARG_MUST, false, { REPLY_HELO_FIRST, REPLY_NONE, REPLY_MAIL_TWICE, REPLY_MAIL_TWICE, REPLY_MAIL_TWICE } },
	{ VERB("RCPT"), cmd_rcpt, BOTH, ARG_MUST, false, { REPLY_HELO_FIRST, REPLY_MAIL_FIRST, REPLY_NONE, REPLY_NONE, REPLY_IN_CHUNKS } },
	{ VERB("DATA"), cmd_data, BOTH, ARG_NONE, false, { REPLY_HELO_FIRST, REPLY_MAIL_FIRST, REPLY_RCPT_FIRST, REPLY_NONE, REPLY_IN_CHUNKS } },
	/* Its bytes follow in each state: it knows itself when it is legal. */
	{ VERB("BDAT"), cmd_bdat, BOTH, ARG_MAY,  false, LEGAL },
	{ VERB("RSET"), cmd_rset, BOTH, ARG_NONE, true,  LEGAL },
	{ VERB("NOOP"), cmd_noop, BOTH, ARG_MAY,  true,  LEGAL },
	{ VERB("VRFY"), cmd_vrfy, BOTH, ARG_MUST, true,  LEGAL },
	{ VERB("HELP"), cmd_help, BOTH, ARG_MAY,  true,  LEGAL },
	{ VERB("QUIT"), cmd_quit, BOTH, ARG_NONE, false, LEGAL },
	{ VERB("STARTTLS"), cmd_starttls, BOTH, ARG_NONE, true, BETWEEN },
	{ VERB("AUTH"), session_auth_command, BOTH, ARG_MUST, true, { REPLY_HELO_FIRST, REPLY_NONE, REPLY_AUTH_IN_MAIL, REPLY_AUTH_IN_MAIL, REPLY_AUTH_IN_MAIL } },
	{ VERB("XCLIENT"), cmd_xclient, BOTH, ARG_MUST, true, { REPLY_NONE, REPLY_NONE, REPLY_IN_MAIL, REPLY_IN_MAIL, REPLY_IN_MAIL } },
	/* Known, and not offered. */
	{ VERB("BURL"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("ETRN"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("ATRN"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("EXPN"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("TURN"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("SEND"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("SOML"),     NULL, BOTH, ARG_MAY, true, LEGAL },
	{ VERB("SAML"),     NULL, BOTH, ARG_MAY, true, LEGAL },
};
/* clang-format on */

#define N_VERBS (sizeof verbs / sizeof verbs[0])

static enum place
place_of(const struct session *s)
{
	return s->listen->lmtp ? LMTP : SMTP;
}

static void
cmd_help(struct session *s, struct slice arg)
{
	char text[256] = "Commands:";
	size_t i;

	(void)arg;
	for (i = 0; i < N_VERBS; i++) {
		size_t n = strlen(text);

		if (verbs[i].fn != NULL && (verbs[i].place & place_of(s)) != 0)
			snprintf(text + n, sizeof text - n, " %s",
			    verbs[i].name.p);
	}
	session_reply(s, REPLY_HELP, text);
}

static const struct verb *
find_verb(const struct session *s, struct slice name)
{
	size_t i;

	for (i = 0; i < N_VERBS; i++) {
		if ((verbs[i].place & place_of(s)) != 0 &&
		    slice_eqcase(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

/* RFC 5321 4.1.2: no control characters; what is above ASCII is left to those
 * who read the argument. */
static bool
has_control(struct slice arg)
{
	size_t i;

	for (i = 0; i < arg.len; i++) {
		if (((unsigned char)arg.p[i] < ' ' && arg.p[i] != '\t') ||
		    arg.p[i] == 127)
			return true;
	}
	return false;
}

/* A browser can be made to send what looks like mail in what it hands to a web
 * server: its first line is the last. */
static bool
is_http(struct slice arg)
{
	static const struct slice word = { "HTTP/", 5 };
	size_t at = arg.len;

	while (at > 0 && arg.p[at - 1] != ' ')
		at--;
	return arg.len - at > word.len &&
	    slice_eqcase((struct slice){ arg.p + at, word.len }, word);
}

static void
unknown(struct session *s, struct slice arg)
{
	if (!is_http(arg)) {
		session_reply(s, REPLY_UNKNOWN, NULL);
		return;
	}
	session_did(s, DID_ERROR, 1);
	session_bye(s, REPLY_HTTP, NULL, "http");
}

void
session_command(struct session *s, struct slice line)
{
	struct slice name = { line.p, 0 }, arg;
	const struct verb *verb;

	while (name.len < line.len && line.p[name.len] != ' ')
		name.len++;
	arg = slice_trim((struct slice){ line.p + name.len,
	    line.len - name.len });
	s->command = NULL;
	if ((verb = find_verb(s, slice_trim(name))) == NULL) {
		unknown(s, arg);
		return;
	}
	s->command = verb->name.p;
	/* But for BDAT: what is no size of it ends the session. */
	if (has_control(arg) && verb->fn != cmd_bdat) {
		session_reply(s, REPLY_BAD_BYTES, NULL);
		return;
	}
	if (verb->idle && ++s->n_idle > IDLE_MAX)
		s->n_errors++;
	if (verb->fn == NULL)
		session_reply(s, REPLY_NOT_HERE, NULL);
	else if (verb->no[s->state] != REPLY_NONE)
		session_reply(s, verb->no[s->state], NULL);
	else if (verb->argument == ARG_NONE && arg.len > 0)
		session_reply(s, REPLY_NO_ARGUMENT, verb->name.p);
	else if (verb->argument == ARG_MUST && arg.len == 0)
		session_reply(s, REPLY_NEED_ARGUMENT, "An argument is missing");
	else
		verb->fn(s, arg);
}
