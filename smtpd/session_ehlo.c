/*
 * HELO, EHLO, LHLO: who the client says it is, and what it is offered (RFC
 * 5321 4.1.1.1, RFC 2033 4.1).  Runs in session.
 *
 * SPDX-License-Identifier: ISC
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "session_auth.h"
#include "session_step.h"
#include "session_tls.h"
#include "session_xclient.h"
#include "smtp_addr.h"

/* ---- what is offered ---- */

static bool
offer_size(const struct session *s, char *out, size_t size)
{
	return snprintf(out, size, "SIZE %" PRIu64,
		   session_conf(s)->max_message_size) > 0;
}

static bool
offer_dsn(const struct session *s, char *out, size_t size)
{
	return !s->listen->no_dsn && snprintf(out, size, "DSN") > 0;
}

/* RFC 9422 */
static bool
offer_limits(const struct session *s, char *out, size_t size)
{
	return snprintf(out, size, "LIMITS MAILMAX=%u RCPTMAX=%u",
		   session_conf(s)->max_mails, session_max_rcpt(s)) > 0;
}

static bool
offer_tls(const struct session *s, char *out, size_t size)
{
	return session_tls_offered(s) && snprintf(out, size, "STARTTLS") > 0;
}

static bool
offer_xclient(const struct session *s, char *out, size_t size)
{
	return s->xclient && snprintf(out, size, "%s", xclient_words) > 0;
}

/* Columns: the line, or who makes it, and says false if it is not offered.
 * The last is always there. */
static const struct {
	const char *line;
	bool (*make)(const struct session *s, char *out, size_t size);
} offers[] = {
	{ "PIPELINING", NULL },
	{ NULL, offer_size },
	{ "8BITMIME", NULL },
	{ "SMTPUTF8", NULL },
	{ "CHUNKING", NULL },
	{ "BINARYMIME", NULL },
	{ NULL, offer_dsn },
	{ NULL, offer_limits },
	{ NULL, offer_tls },
	{ NULL, session_auth_keyword },
	{ NULL, offer_xclient },
	{ "ENHANCEDSTATUSCODES", NULL },
	{ "HELP", NULL },
};

#define N_OFFERS (sizeof offers / sizeof offers[0])

/* ---- who it is ---- */

/*
 * RFC 5321 4.1.4: a name that is not the client's own is no reason to refuse,
 * so this asks only that it can be written into a Received field.  Underscores
 * are not in host names (RFC 952), and many a host has one.  No UTF-8: nobody
 * has said yet that it is understood (RFC 6531 3.7.1).
 */
const char *
session_helo_check(struct slice name)
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

enum step
step_hello(struct session *s)
{
	char line[REPLY_LINE_MAX - 6];
	size_t i;

	/* RFC 5321 4.1.4: EHLO in a session is also a RSET. */
	tx_reset(s);
	session_enter(s, ST_READY);
	if ((s->facts.flags & FACT_ESMTP) == 0) {
		session_reply(s, REPLY_HELO, s->hostname);
		return STEP_ON;
	}
	session_line(s, 250, true, s->hostname);
	for (i = 0; i < N_OFFERS; i++) {
		if (offers[i].line != NULL)
			session_line(s, 250, i + 1 < N_OFFERS, offers[i].line);
		else if (offers[i].make(s, line, sizeof line))
			session_line(s, 250, true, line);
	}
	return STEP_ON;
}

/* The steps of a greeting, when nothing is left of a transaction. */
static void
begin_hello(struct session *s)
{
	tx_reset(s);
	/* Who is refused has not said its name. */
	session_enter(s, ST_CONNECT);
	session_steps(s,
	    (s->facts.flags & FACT_ESMTP) != 0 ? steps_ehlo : steps_helo);
}

static void
hello(struct session *s, struct slice name, uint32_t flags)
{
	const char *why = session_helo_check(name);

	if (why != NULL) {
		session_reply(s, REPLY_BAD_HELO, why);
		return;
	}
	(void)slice_copy(name, s->facts.helo, sizeof s->facts.helo);
	s->facts.flags &= ~(uint32_t)(FACT_ESMTP | FACT_LMTP);
	s->facts.flags |= flags;
	if (tx_is_open(s))
		tx_drop_then(s, begin_hello);
	else
		begin_hello(s);
}

void
cmd_helo(struct session *s, struct slice arg)
{
	hello(s, arg, 0);
}

void
cmd_ehlo(struct session *s, struct slice arg)
{
	hello(s, arg, FACT_ESMTP);
}

void
cmd_lhlo(struct session *s, struct slice arg)
{
	hello(s, arg, FACT_ESMTP | FACT_LMTP);
}
