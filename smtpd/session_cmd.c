/*
 * Commands: which there are, when each is legal, what its argument must be
 * (RFC 5321 4.1, 4.3; RFC 1870, RFC 2920, RFC 6152).  Runs in session.  What
 * a client says goes from here on only if it is well-formed.
 *
 * SPDX-License-Identifier: ISC
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "num.h"
#include "session.h"
#include "smtp_addr.h"

/* Commands that bring no mail and are free; each one more is an error. */
#define IDLE_MAX 100

/* ---- small things ---- */

static void
ready(struct session *s)
{
	tx_reset(s);
	session_enter(s, ST_READY);
}

/* If s begins with the word, in either case: true, and s is the rest. */
static bool
skip_word(struct slice *s, struct slice word)
{
	if (s->len < word.len ||
	    !slice_eqcase((struct slice){ s->p, word.len }, word))
		return false;
	s->p += word.len;
	s->len -= word.len;
	return true;
}

/* Takes the text before the first stop off the front of s, and the stop. */
static struct slice
take_until(struct slice *s, char stop)
{
	const char *at = s->len == 0 ? NULL : memchr(s->p, stop, s->len);
	struct slice word = { s->p, at == NULL ? s->len : (size_t)(at - s->p) };

	s->p += word.len + (at == NULL ? 0 : 1);
	s->len -= word.len + (at == NULL ? 0 : 1);
	return word;
}

/* ---- HELO, EHLO ---- */

static bool
ehlo_size(const struct session *s, char *out, size_t size)
{
	return snprintf(out, size, "SIZE %" PRIu64,
		   session_conf(s)->max_message_size) > 0;
}

/* What EHLO lists.  Columns: the line, or who makes it. */
static const struct {
	const char *line;
	bool (*make)(const struct session *s, char *out, size_t size);
} keywords[] = {
	{ "PIPELINING", NULL },
	{ NULL, ehlo_size },
	{ "8BITMIME", NULL },
	{ "ENHANCEDSTATUSCODES", NULL },
	{ "HELP", NULL },
};

#define N_KEYWORDS (sizeof keywords / sizeof keywords[0])

/*
 * RFC 5321 4.1.4: a name that is not the client's own is no reason to refuse,
 * so this asks only that it can be written into a Received field.  Underscores
 * are not in host names (RFC 952), and many a host has one.
 */
static const char *
helo_check(struct slice name)
{
	static const char others[] = "-_.";
	char ip[IP_TEXT_MAX + 1];
	size_t i;

	if (name.len > HOST_MAX)
		return "too long";
	if (name.len > 0 && name.p[0] == '[')
		return smtp_literal_parse(name, ip);
	for (i = 0; i < name.len; i++) {
		char c = name.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z'))
			continue;
		if (c == '\0' || strchr(others, c) == NULL)
			return "a character that no name has";
		if (c == '.' && (i == 0 || name.p[i - 1] == '.'))
			return "an empty label";
	}
	return NULL;
}

/* True if the name was good; else the reply is given. */
static bool
greet(struct session *s, struct slice name)
{
	const char *why = helo_check(name);

	if (why != NULL) {
		session_reply(s, REPLY_BAD_HELO, why);
		return false;
	}
	(void)slice_copy(name, s->facts.helo, sizeof s->facts.helo);
	/* RFC 5321 4.1.4: EHLO in a session is also a RSET. */
	ready(s);
	return true;
}

static void
cmd_helo(struct session *s, struct slice arg)
{
	if (!greet(s, arg))
		return;
	s->facts.flags &= ~(uint32_t)FACT_ESMTP;
	session_reply(s, REPLY_HELO, s->hostname);
}

static void
cmd_ehlo(struct session *s, struct slice arg)
{
	char line[64];
	size_t i;

	if (!greet(s, arg))
		return;
	s->facts.flags |= FACT_ESMTP;
	io_printf(&s->io, "250-%s\r\n", s->hostname);
	for (i = 0; i < N_KEYWORDS; i++) {
		if (keywords[i].line != NULL)
			snprintf(line, sizeof line, "%s", keywords[i].line);
		else if (!keywords[i].make(s, line, sizeof line))
			continue;
		io_printf(&s->io, "250%c%s\r\n", i + 1 < N_KEYWORDS ? '-' : ' ',
		    line);
	}
}

/* ---- parameters of MAIL and RCPT ---- */

struct params {
	uint64_t size; /* 0: not said */
};

/* NULL, or what is wrong with the value. */
typedef const char *param_fn(struct params *p, struct slice value);

struct param {
	struct slice name;
	param_fn *fn;
};

/* RFC 1870 6.1: 1 to 20 digits. */
static const char *
param_size(struct params *p, struct slice value)
{
	char text[21];

	if (value.len == 0 || !slice_copy(value, text, sizeof text) ||
	    num_parse(text, 0, UINT64_MAX, &p->size) != NULL)
		return "SIZE is a number of bytes";
	return NULL;
}

/* RFC 6152: said for those who cannot take 8-bit content; we can, and look at
 * the content itself. */
static const char *
param_body(struct params *p, struct slice value)
{
	(void)p;
	if (!slice_eqcase(value, SLICE("7BIT")) &&
	    !slice_eqcase(value, SLICE("8BITMIME")))
		return "BODY is 7BIT or 8BITMIME";
	return NULL;
}

/* Columns: keyword, what reads its value. */
static const struct param mail_params[] = {
	{ { "SIZE", 4 }, param_size },
	{ { "BODY", 4 }, param_body },
};

/* One "KEYWORD=value".  True if it was good; else the reply is given. */
static bool
take_param(struct session *s, const struct param *table, size_t n,
    struct slice word, struct params *out, uint32_t *seen)
{
	struct slice name = take_until(&word, '=');
	const char *why = NULL;
	size_t i;

	for (i = 0; i < n && !slice_eqcase(table[i].name, name); i++)
		;
	if (i == n) {
		session_reply(s, REPLY_NO_PARAM, NULL);
		return false;
	}
	if ((*seen & (uint32_t)1 << i) != 0)
		why = "given twice";
	else
		why = table[i].fn(out, word);
	*seen |= (uint32_t)1 << i;
	if (why != NULL)
		session_reply(s, REPLY_BAD_VALUE, why);
	return why == NULL;
}

/* What stands behind a path.  True if all of it was good. */
static bool
take_params(struct session *s, const struct param *table, size_t n,
    struct slice rest, struct params *out)
{
	uint32_t seen = 0;
	struct slice word;

	*out = (struct params){ 0 };
	if (rest.len > 0 && rest.p[0] != ' ') {
		session_reply(s, REPLY_NEED_ARGUMENT,
		    "A blank must stand between address and parameters");
		return false;
	}
	while (rest.len > 0) {
		word = take_until(&rest, ' ');
		if (word.len > 0 && !take_param(s, table, n, word, out, &seen))
			return false;
	}
	return true;
}

/* ---- the transaction ---- */

static void
cmd_mail(struct session *s, struct slice arg)
{
	const struct conf *conf = session_conf(s);
	char sender[ADDR_MAX + 1];
	struct params params;
	const char *why;

	if (s->n_mails >= conf->max_mails) {
		session_bye(s, REPLY_TOO_MANY_MAIL, NULL, "mails");
		return;
	}
	if (!skip_word(&arg, SLICE("FROM:"))) {
		session_reply(s, REPLY_NEED_ARGUMENT,
		    "The form is MAIL FROM:<address>");
		return;
	}
	/* RFC 5321 3.3: no blank belongs here, and some clients send one. */
	arg = slice_trim(arg);
	if ((why = smtp_path_parse(arg, sender, &arg)) != NULL) {
		session_reply(s, REPLY_BAD_SENDER, why);
		return;
	}
	if (!take_params(s, mail_params,
		sizeof mail_params / sizeof mail_params[0], arg, &params))
		return;
	if (params.size > conf->max_message_size) {
		session_reply_n(s, REPLY_TOO_BIG, conf->max_message_size);
		return;
	}
	tx_begin(s);
	s->tx.size_said = params.size;
	if ((s->tx.sender = arena_copy(&s->tx.arena, sender)) == NULL) {
		session_reply(s, REPLY_NO_MEMORY, NULL);
		tx_reset(s);
		return;
	}
	session_enter(s, ST_MAIL);
	session_reply(s, REPLY_SENDER_OK, NULL);
}

/* RFC 5321 4.5.1: "<postmaster>" needs no domain, and is this host's.  NULL,
 * or why the path is no good. */
static const char *
rcpt_path(const struct session *s, struct slice arg, char *rcpt,
    struct slice *rest)
{
	static const struct slice postmaster = { "<postmaster>", 12 };
	const char *why;
	int n;

	if (skip_word(&arg, postmaster)) {
		*rest = arg;
		n = snprintf(rcpt, ADDR_MAX + 1, "postmaster@%s", s->hostname);
		return n > ADDR_MAX ? "our own name is too long" : NULL;
	}
	if ((why = smtp_path_parse(arg, rcpt, rest)) != NULL)
		return why;
	return rcpt[0] == '\0' ? "an empty address" : NULL;
}

static void
cmd_rcpt(struct session *s, struct slice arg)
{
	const struct conf *conf = session_conf(s);
	struct params params;
	const char *why;

	if (!skip_word(&arg, SLICE("TO:"))) {
		session_reply(s, REPLY_NEED_ARGUMENT,
		    "The form is RCPT TO:<address>");
		return;
	}
	arg = slice_trim(arg);
	if ((why = rcpt_path(s, arg, s->tx.asked, &arg)) != NULL) {
		s->tx.asked[0] = '\0';
		session_reply(s, REPLY_BAD_RCPT, why);
		return;
	}
	if (!take_params(s, NULL, 0, arg, &params))
		return;
	/* RFC 5321 4.5.3.1.10: 452, and the client sends the rest again. */
	if (s->tx.n_rcpt >= conf->max_rcpt || s->tx.n_rcpt >= RCPT_MAX) {
		session_reply_n(s, REPLY_TOO_MANY_RCPT, conf->max_rcpt);
		return;
	}
	tx_judge(s);
}

static void
cmd_data(struct session *s, struct slice arg)
{
	(void)arg;
	tx_want_file(s);
}

/* ---- the others ---- */

static void
cmd_rset(struct session *s, struct slice arg)
{
	(void)arg;
	/* Before HELO there is nothing to forget, HELO least of all. */
	if (s->state != ST_CONNECT)
		ready(s);
	session_reply(s, REPLY_OK, NULL);
}

static void
cmd_noop(struct session *s, struct slice arg)
{
	(void)arg;
	session_reply(s, REPLY_OK, NULL);
}

static void
cmd_vrfy(struct session *s, struct slice arg)
{
	(void)arg;
	/* RFC 5321 3.5.3, 7.3: it would tell anybody which addresses exist. */
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

/* ---- the table ---- */

enum argument { ARG_NONE, ARG_MAY, ARG_MUST };

struct verb {
	struct slice name;
	void (*fn)(struct session *s, struct slice arg); /* NULL: 502 */
	enum argument argument;
	bool idle;                  /* it brings no mail nearer */
	enum reply no[ST_COMMANDS]; /* REPLY_NONE: legal */
};

/* clang-format off */
#define VERB(name) { name, sizeof name - 1 }
#define LEGAL      { REPLY_NONE, REPLY_NONE, REPLY_NONE, REPLY_NONE }

/*
 * Columns: verb, what does it, argument, idle, and the reply in each state
 * where it is not legal: before HELO; after it; with a sender; with
 * recipients.
 */
static const struct verb verbs[] = {
	{ VERB("HELO"), cmd_helo, ARG_MUST, true,  LEGAL },
	{ VERB("EHLO"), cmd_ehlo, ARG_MUST, true,  LEGAL },
	{ VERB("MAIL"), cmd_mail, ARG_MUST, false, { REPLY_HELO_FIRST, REPLY_NONE, REPLY_MAIL_TWICE, REPLY_MAIL_TWICE } },
	{ VERB("RCPT"), cmd_rcpt, ARG_MUST, false, { REPLY_HELO_FIRST, REPLY_MAIL_FIRST, REPLY_NONE, REPLY_NONE } },
	{ VERB("DATA"), cmd_data, ARG_NONE, false, { REPLY_HELO_FIRST, REPLY_MAIL_FIRST, REPLY_RCPT_FIRST, REPLY_NONE } },
	{ VERB("RSET"), cmd_rset, ARG_NONE, true,  LEGAL },
	{ VERB("NOOP"), cmd_noop, ARG_MAY,  true,  LEGAL },
	{ VERB("VRFY"), cmd_vrfy, ARG_MUST, true,  LEGAL },
	{ VERB("HELP"), cmd_help, ARG_MAY,  true,  LEGAL },
	{ VERB("QUIT"), cmd_quit, ARG_NONE, false, LEGAL },
	/* Known, and not offered. */
	{ VERB("STARTTLS"), NULL, ARG_MAY, true, LEGAL },
	{ VERB("AUTH"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("BDAT"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("BURL"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("ETRN"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("ATRN"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("EXPN"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("TURN"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("SEND"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("SOML"),     NULL, ARG_MAY, true, LEGAL },
	{ VERB("SAML"),     NULL, ARG_MAY, true, LEGAL },
};
/* clang-format on */

#define N_VERBS (sizeof verbs / sizeof verbs[0])

static void
cmd_help(struct session *s, struct slice arg)
{
	char text[256] = "Commands:";
	size_t i;

	(void)arg;
	for (i = 0; i < N_VERBS; i++) {
		size_t n = strlen(text);

		if (verbs[i].fn != NULL)
			snprintf(text + n, sizeof text - n, " %s",
			    verbs[i].name.p);
	}
	session_reply(s, REPLY_HELP, text);
}

static const struct verb *
find_verb(struct slice name)
{
	size_t i;

	for (i = 0; i < N_VERBS; i++) {
		if (slice_eqcase(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

/* RFC 5321 4.1.1: no control characters; what is above ASCII is left to those
 * who read the argument. */
static bool
has_control(struct slice line)
{
	size_t i;

	for (i = 0; i < line.len; i++) {
		if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') ||
		    line.p[i] == 127)
			return true;
	}
	return false;
}

void
session_command(struct session *s, struct slice line)
{
	struct slice name, arg = line;
	const struct verb *verb;

	if (has_control(line)) {
		session_reply(s, REPLY_BAD_BYTES, NULL);
		return;
	}
	name = take_until(&arg, ' ');
	arg = slice_trim(arg);
	if ((verb = find_verb(slice_trim(name))) == NULL) {
		session_reply(s, REPLY_UNKNOWN, NULL);
		return;
	}
	s->command = verb->name.p;
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
