/*
 * MAIL, RCPT and DATA (RFC 5321 3.3, 4.1.1).  Runs in session.  Addresses go
 * from here on only if they are well-formed; who may send what to whom is for
 * the steps to ask.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "idn.h"
#include "session.h"
#include "session_auth.h"
#include "session_param.h"
#include "session_step.h"
#include "session_tls.h"
#include "smtp_addr.h"

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

static uint32_t
offers_of(const struct session *s)
{
	return (s->listen->no_dsn ? 0 : OFFER_DSN) |
	    (s->listen->auth != AUTH_NONE ? OFFER_AUTH : 0);
}

/* RFC 6531 3.3: U-labels are those that IDNA has.  REPLY_NONE, or why the
 * address is not taken. */
static enum reply
utf8_check(const char *addr, bool smtputf8, enum reply bad, const char **why)
{
	char domain[DOMAIN_MAX + 1];

	if (slice_is_ascii(slice_of(addr)))
		return REPLY_NONE;
	if (!smtputf8)
		return REPLY_NEED_UTF8;
	*why = idn_domain(slice_of(smtp_addr_domain(addr)), domain);
	return *why == NULL ? REPLY_NONE : bad;
}

/* The end of "<local part>" without a domain, NULL if it is no such path: '>'
 * and '@' in a quoted string (RFC 5321 4.1.2) are not those. */
static const char *
bare_end(struct slice arg)
{
	bool quoted = false;
	size_t i;

	for (i = 1; i < arg.len && i < LOCAL_PART_MAX + 2; i++) {
		if (quoted && arg.p[i] == '\\')
			i++;
		else if (arg.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && arg.p[i] == '@')
			return NULL;
		else if (!quoted && arg.p[i] == '>')
			return i > 1 ? arg.p + i : NULL;
	}
	return NULL;
}

/*
 * RFC 6409 4.2: all domains are whole when one of ours has handed a message
 * in, so "<bob>" is bob at this host.  NULL, or why the path is no good.
 */
static const char *
path_parse(const struct session *s, struct slice arg, char *addr,
    struct slice *rest)
{
	const char *why = smtp_path_parse_utf8(arg, addr, rest), *end;
	char whole[ADDR_MAX + 3]; /* and the brackets, and a NUL */
	struct slice none;
	size_t len;
	int n;

	if (why == NULL || (s->facts.flags & FACT_SUBMIT) == 0 ||
	    (end = bare_end(arg)) == NULL)
		return why;
	len = (size_t)(end - arg.p);
	n = snprintf(whole, sizeof whole, "%.*s@%s>", (int)len, arg.p,
	    session_mail_name(s));
	if (n < 0 || (size_t)n >= sizeof whole)
		return why;
	*rest = (struct slice){ end + 1, arg.len - len - 1 };
	return smtp_path_parse_utf8(slice_of(whole), addr, &none);
}

/* ---- MAIL ---- */

enum step
step_sender_ok(struct session *s)
{
	session_enter(s, ST_MAIL);
	session_reply(s, REPLY_SENDER_OK, NULL);
	return STEP_ON;
}

/* True if MAIL may be said at all; else the reply is given. */
static bool
may_mail(struct session *s)
{
	if (s->n_mails >= session_conf(s)->max_mails)
		session_bye(s, REPLY_TOO_MANY_MAIL, NULL, "mails");
	else if (session_tls_missing(s))
		session_reply(s, REPLY_TLS_NEEDED, NULL);
	else if (session_auth_missing(s))
		session_reply(s, REPLY_AUTH_NEEDED, NULL);
	else
		return true;
	return false;
}

/* What MAIL says, in a transaction of its own.  REPLY_NONE, or the row to
 * give with *why. */
static enum reply
read_mail(struct session *s, struct slice arg, char *sender,
    struct params *params, const char **why)
{
	enum reply r;

	if (!skip_word(&arg, SLICE("FROM:"))) {
		*why = "The form is MAIL FROM:<address>";
		return REPLY_NEED_ARGUMENT;
	}
	/* RFC 5321 3.3: no blank belongs here, and some clients send one. */
	arg = slice_trim(arg);
	if ((*why = path_parse(s, arg, sender, &arg)) != NULL)
		return REPLY_BAD_SENDER;
	if ((r = params_of_mail(arg, offers_of(s), params, why)) != REPLY_NONE)
		return r;
	return utf8_check(sender, params->smtputf8, REPLY_BAD_SENDER, why);
}

void
cmd_mail(struct session *s, struct slice arg)
{
	uint64_t max = session_conf(s)->max_message_size;
	char sender[ADDR_MAX + 1];
	struct params params;
	const char *why = NULL;
	enum reply r;

	if (!may_mail(s))
		return;
	if ((r = read_mail(s, arg, sender, &params, &why)) != REPLY_NONE) {
		session_reply(s, r, why);
		return;
	}
	if (params.size > max) {
		session_reply_n(s, REPLY_TOO_BIG, max);
		return;
	}
	tx_begin(s);
	if ((s->tx.sender = arena_copy(&s->tx.arena, sender)) == NULL) {
		session_reply(s, REPLY_NO_MEMORY, NULL);
		tx_reset(s);
		return;
	}
	s->tx.size_said = params.size;
	s->tx.params = params.mail;
	if (params.smtputf8)
		s->facts.flags |= FACT_SMTPUTF8;
	session_steps(s, steps_mail);
}

/* ---- RCPT ---- */

uint32_t
session_max_rcpt(const struct session *s)
{
	uint32_t max = s->listen->lmtp ? LMTP_RCPT_MAX : RCPT_MAX;

	return session_conf(s)->max_rcpt < max ? session_conf(s)->max_rcpt :
						 max;
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
		n = snprintf(rcpt, ADDR_MAX + 1, "postmaster@%s",
		    session_mail_name(s));
		return n > ADDR_MAX ? "our own name is too long" : NULL;
	}
	if ((why = path_parse(s, arg, rcpt, rest)) != NULL)
		return why;
	return rcpt[0] == '\0' ? "an empty address" : NULL;
}

static enum reply
read_rcpt(struct session *s, struct slice arg, struct params *params,
    const char **why)
{
	bool smtputf8 = (s->facts.flags & FACT_SMTPUTF8) != 0;
	enum reply r;

	if (!skip_word(&arg, SLICE("TO:"))) {
		*why = "The form is RCPT TO:<address>";
		return REPLY_NEED_ARGUMENT;
	}
	arg = slice_trim(arg);
	if ((*why = rcpt_path(s, arg, s->tx.asked, &arg)) != NULL)
		return REPLY_BAD_RCPT;
	r = params_of_rcpt(arg, offers_of(s), smtputf8, params, why);
	if (r != REPLY_NONE)
		return r;
	return utf8_check(s->tx.asked, smtputf8, REPLY_BAD_RCPT, why);
}

void
cmd_rcpt(struct session *s, struct slice arg)
{
	const char *why = NULL;
	struct params params;
	enum reply r = read_rcpt(s, arg, &params, &why);

	if (r != REPLY_NONE) {
		if (r != REPLY_NO_PARAM && r != REPLY_BAD_VALUE)
			s->tx.asked[0] = '\0';
		session_reply(s, r, why);
		return;
	}
	/* RFC 5321 4.5.3.1.10: 452, and the client sends the rest again. */
	if (s->tx.n_rcpt >= session_max_rcpt(s)) {
		session_reply_n(s, REPLY_TOO_MANY_RCPT, session_max_rcpt(s));
		return;
	}
	s->tx.asked_params = params.rcpt;
	session_steps(s, steps_rcpt);
}

/* ---- DATA ---- */

void
cmd_data(struct session *s, struct slice arg)
{
	(void)arg;
	if (s->tx.params.body == BODY_BINARYMIME) {
		session_reply(s, REPLY_BINARY_DATA, NULL);
		return;
	}
	s->chunk = (struct chunk){ 0 };
	session_steps(s, steps_data);
}
