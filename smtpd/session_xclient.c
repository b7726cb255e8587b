/*
 * XCLIENT: the session of another client, as who may speak for it says.  Runs
 * in session.  What is said is checked as if the client had said it; the
 * steps of a connection are taken again, for the one who is named.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_xclient.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "dsn_param.h"
#include "log.h"
#include "num.h"
#include "session.h"
#include "session_guard.h"
#include "session_step.h"
#include "smtp_addr.h"

#define X(name) " " #name
const char xclient_words[] = "XCLIENT" XCLIENT_TABLE(X);
#undef X

/* ---- the words ---- */

/* An address as inet_ntop prints it, "IPV6:" in front of the one kind. */
static bool
ip_parse(const char *text, struct sockaddr_storage *ss)
{
	static const struct slice tag = { "IPV6:", 5 };
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	struct slice all = slice_of(text);

	memset(ss, 0, sizeof *ss);
	if (all.len > tag.len &&
	    slice_eqcase((struct slice){ all.p, tag.len }, tag))
		text += tag.len;
	else if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		ss->ss_family = AF_INET;
		return true;
	}
	ss->ss_family = AF_INET6;
	return inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1;
}

static bool
is_ip(const char *text)
{
	struct sockaddr_storage ss;

	return ip_parse(text, &ss);
}

static bool
is_port(const char *text)
{
	uint64_t port;

	return num_parse(text, 1, UINT16_MAX, &port) == NULL;
}

static bool
is_proto(const char *text)
{
	return slice_eqcase(slice_of(text), SLICE("SMTP")) ||
	    slice_eqcase(slice_of(text), SLICE("ESMTP"));
}

static bool
is_name(const char *text)
{
	return strlen(text) <= HOST_MAX &&
	    smtp_domain_check(slice_of(text)) == NULL;
}

static bool
is_helo(const char *text)
{
	return text[0] != '\0' && session_helo_check(slice_of(text)) == NULL;
}

/* It goes into logs and fields, where each is quoted. */
static bool
is_login(const char *text)
{
	return text[0] != '\0' && slice_is_utf8(slice_of(text));
}

/* Columns: attribute, what it may be. */
static const struct {
	struct slice name;
	bool (*good)(const char *text);
} attrs[XCLIENT_ATTRS] = {
	[XCLIENT_NAME] = { { "NAME", 4 }, is_name },
	[XCLIENT_ADDR] = { { "ADDR", 4 }, is_ip },
	[XCLIENT_PORT] = { { "PORT", 4 }, is_port },
	[XCLIENT_PROTO] = { { "PROTO", 5 }, is_proto },
	[XCLIENT_HELO] = { { "HELO", 4 }, is_helo },
	[XCLIENT_LOGIN] = { { "LOGIN", 5 }, is_login },
	[XCLIENT_DESTADDR] = { { "DESTADDR", 8 }, is_ip },
	[XCLIENT_DESTPORT] = { { "DESTPORT", 8 }, is_port },
};

static const char *
attr_parse(struct slice word, struct xclient *out)
{
	const char *equals = memchr(word.p, '=', word.len);
	struct slice name, value;
	size_t i;

	if (equals == NULL)
		return "the form is NAME=value";
	name = (struct slice){ word.p, (size_t)(equals - word.p) };
	value = (struct slice){ equals + 1, word.len - name.len - 1 };
	for (i = 0; i < XCLIENT_ATTRS; i++) {
		if (slice_eqcase(name, attrs[i].name))
			break;
	}
	if (i == XCLIENT_ATTRS)
		return "an attribute that is not offered";
	if (out->attr[i].state != XCLIENT_UNSAID)
		return "an attribute is given twice";
	out->attr[i].state = XCLIENT_SAID;
	if (slice_eqcase(value, SLICE("[UNAVAILABLE]")))
		out->attr[i].state = XCLIENT_UNKNOWN;
	else if (slice_eqcase(value, SLICE("[TEMPUNAVAIL]")))
		out->attr[i].state = XCLIENT_DOUBT;
	else if (!xtext_decode(value, out->attr[i].text,
		     sizeof out->attr[i].text) ||
	    !attrs[i].good(out->attr[i].text))
		return "a value that is none";
	return NULL;
}

const char *
xclient_parse(struct slice in, struct xclient *out)
{
	const char *why = NULL;
	uint64_t port = 0;
	struct slice word;

	memset(out, 0, sizeof *out);
	while (in.len > 0 && why == NULL) {
		for (word = in, word.len = 0; word.len < in.len; word.len++) {
			if (in.p[word.len] == ' ')
				break;
		}
		in.p += word.len;
		in.len -= word.len;
		if (word.len > 0)
			why = attr_parse(word, out);
		else {
			in.p++;
			in.len--;
		}
	}
	if (out->attr[XCLIENT_PORT].state == XCLIENT_SAID &&
	    num_parse(out->attr[XCLIENT_PORT].text, 1, UINT16_MAX, &port) ==
		NULL)
		out->port = (uint16_t)port;
	return why;
}

/* ---- the command ---- */

/* It would be who the proxy is, whom we may trust with more. */
static bool
is_nobody(const struct xclient *x)
{
	return x->attr[XCLIENT_ADDR].state == XCLIENT_UNKNOWN ||
	    x->attr[XCLIENT_ADDR].state == XCLIENT_DOUBT;
}

static void
new_address(struct session *s, const struct xclient *x)
{
	struct sockaddr_storage ss;

	if (x->attr[XCLIENT_ADDR].state != XCLIENT_SAID)
		return;
	(void)ip_parse(x->attr[XCLIENT_ADDR].text, &ss);
	if (session_claim(session_conf(s), &s->facts, &ss)) {
		/* Another address has another name. */
		s->facts.rdns[0] = '\0';
		s->facts.flags &= ~(uint32_t)(FACT_FCRDNS | FACT_RDNS_DOUBT);
	}
}

static void
new_name(struct session *s, const struct xclient *x)
{
	struct facts *f = &s->facts;

	if (x->attr[XCLIENT_NAME].state == XCLIENT_UNSAID)
		return;
	f->flags &= ~(uint32_t)(FACT_FCRDNS | FACT_RDNS_DOUBT);
	(void)slice_copy(slice_of(x->attr[XCLIENT_NAME].text), f->rdns,
	    sizeof f->rdns);
	if (x->attr[XCLIENT_NAME].state == XCLIENT_SAID)
		f->flags |= FACT_FCRDNS;
	else if (x->attr[XCLIENT_NAME].state == XCLIENT_DOUBT)
		f->flags |= FACT_RDNS_DOUBT;
}

static void
new_place(struct session *s, const struct xclient *x)
{
	struct sockaddr_storage ss;
	struct facts there = { 0 };

	if (x->port != 0)
		s->facts.port = x->port;
	if (x->attr[XCLIENT_DESTADDR].state != XCLIENT_SAID)
		return;
	(void)ip_parse(x->attr[XCLIENT_DESTADDR].text, &ss);
	if (session_address(session_conf(s), &there, &ss))
		memcpy(s->ours, there.client, sizeof s->ours);
}

static void
new_words(struct session *s, const struct xclient *x)
{
	struct facts *f = &s->facts;

	(void)slice_copy(slice_of(x->attr[XCLIENT_HELO].text), f->helo,
	    sizeof f->helo);
	(void)slice_copy(slice_of(x->attr[XCLIENT_LOGIN].text), f->auth,
	    sizeof f->auth);
	if (slice_eqcase(slice_of(x->attr[XCLIENT_PROTO].text), SLICE("ESMTP")))
		f->flags |= FACT_ESMTP;
}

enum step
step_xclient(struct session *s)
{
	/* What it said its name was has been told. */
	if (s->facts.helo[0] != '\0')
		session_enter(s, ST_READY);
	return STEP_ON;
}

void
cmd_xclient(struct session *s, struct slice arg)
{
	struct xclient x;
	const char *why;

	if (!s->xclient) {
		session_reply(s, REPLY_NO_XCLIENT, NULL);
		return;
	}
	why = xclient_parse(arg, &x);
	if (why == NULL && is_nobody(&x))
		why = "a client without an address";
	if (why != NULL) {
		session_reply(s, REPLY_BAD_XCLIENT, why);
		return;
	}
	tx_reset(s);
	session_guard_shut(s);
	session_forget(s);
	s->lent = true;
	s->facts.flags &= ~(uint32_t)FACT_JUNK;
	new_address(s, &x);
	new_name(s, &x);
	new_place(s, &x);
	new_words(s, &x);
	log_event(s->id, "xclient", "client=%s port=%u helo=%s user=%s",
	    s->facts.client, s->facts.port, q(s->facts.helo), q(s->facts.auth));
	s->greeted = false;
	session_steps(s, steps_xclient);
}
