/*
 * What lookup says of a session beside its recipients: listed clients,
 * filters, the addresses of an authenticated user.  Runs in session; asks only
 * where the configuration has something to be asked, and knows no table.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_filter.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

/* Longer than lookup itself waits for a table. */
#define ASK_MS 30000

/* ---- lookup ---- */

static struct ipc_chan *
lookup_of(struct session *s)
{
	return proc_chan(&s->server->proc, PROC_LOOKUP, (unsigned int)s->id);
}

static uint32_t
listen_row(const struct session *s)
{
	return (uint32_t)(s->listen - CONF_LISTEN(session_conf(s), 0));
}

/* No lookup, or no answer of it: before the greeting there is nothing to go on
 * with. */
static void
no_answer(struct session *s, bool greeted)
{
	struct outcome o;

	reply_outcome(&o, greeted ? REPLY_LOCAL_ERROR : REPLY_LOST_QUEUE, NULL);
	if (!greeted)
		session_bye_say(s, &o, "lookup");
	else if (tx_is_open(s))
		tx_drop(s, &o, false);
	else
		session_say(s, &o);
}

static void
stop_steps(struct session *s)
{
	session_stop_steps(s);
	session_run(s);
}

/* ---- listed clients ---- */

/* Local, authenticated or listed: one of ours (RFC 6409). */
static void
find_submit(struct session *s)
{
	bool ours = (s->facts.flags & FACT_LOCAL) != 0 ||
	    s->facts.auth[0] != '\0' || s->listen->submission ||
	    (s->peer & PEER_SUBMIT) != 0;

	s->facts.flags &= ~(uint32_t)FACT_SUBMIT;
	if (ours)
		s->facts.flags |= FACT_SUBMIT;
}

/* The name that we have at the address it came to; else the listener's. */
static void
find_hostname(struct session *s, const char *name)
{
	const struct conf *conf = session_conf(s);
	conf_str usual =
	    s->listen->hostname != 0 ? s->listen->hostname : conf->hostname;

	free(s->own_name);
	s->own_name = name[0] == '\0' ? NULL : xstrdup(name);
	s->hostname =
	    s->own_name == NULL ? conf_text(conf, usual) : s->own_name;
}

static void
on_peer_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct peer_is *m = msg == NULL ? NULL : msg->body;

	if (m == NULL)
		no_answer(s, false);
	else if (m->outcome.verdict != DONE)
		session_bye_say(s, &m->outcome, "lookup");
	else {
		s->peer = m->flags;
		find_submit(s);
		find_hostname(s, m->hostname);
		session_go_on(s);
		return;
	}
	stop_steps(s);
}

/* Does a table say anything of a client of this listener? */
static bool
has_peers(const struct session *s)
{
	const struct conf *conf = session_conf(s);
	const struct conf_listen *l = s->listen;
	const uint32_t tables[] = { l->proxy, l->xclient, l->submission_table,
		l->hostnames, conf->limit_except, conf->grey_except };
	size_t i;

	for (i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		if (tables[i] != CONF_NONE)
			return true;
	}
	return false;
}

enum step
step_peer(struct session *s)
{
	struct ipc_chan *lookup;
	struct peer_ask m;

	s->peer = 0;
	find_submit(s);
	if ((s->facts.flags & FACT_SOCKET) != 0 || !has_peers(s))
		return STEP_ON;
	if ((lookup = lookup_of(s)) == NULL) {
		no_answer(s, false);
		return STEP_STOP;
	}
	memset(&m, 0, sizeof m);
	m.listen = listen_row(s);
	memcpy(m.client, s->facts.client, sizeof m.client);
	memcpy(m.ours, s->ours, sizeof m.ours);
	peer_ask_ask(lookup, &s->ask, &m, on_peer_is, s, ASK_MS);
	return STEP_WAIT;
}

/* ---- senders ---- */

static void
on_sender_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct sender_is *m = msg == NULL ? NULL : msg->body;

	if (m != NULL && m->outcome.verdict == DONE) {
		session_go_on(s);
		return;
	}
	if (m == NULL)
		no_answer(s, true);
	else
		session_say(s, &m->outcome);
	stop_steps(s);
}

enum step
step_sender(struct session *s)
{
	struct ipc_chan *lookup;
	struct sender_ask m;

	if (s->facts.auth[0] == '\0' || s->listen->senders == CONF_NONE)
		return STEP_ON;
	if ((lookup = lookup_of(s)) == NULL) {
		no_answer(s, true);
		return STEP_STOP;
	}
	memset(&m, 0, sizeof m);
	m.listen = listen_row(s);
	m.facts = s->facts;
	memcpy(m.sender, s->tx.sender, strlen(s->tx.sender) + 1);
	sender_ask_ask(lookup, &s->ask, &m, on_sender_is, s, ASK_MS);
	return STEP_WAIT;
}

/* ---- which filters there are ---- */

static bool
asks_names(const struct conf_filter *f)
{
	return f->kind == FILTER_BUILTIN &&
	    (f->cond == FCOND_RDNS || f->cond == FCOND_FCRDNS);
}

static bool
rule_asks_names(const struct conf *c, const struct conf_match *m)
{
	uint32_t i;

	for (i = 0; i < m->cond.n; i++) {
		if (CONF_COND(c, m->cond, i)->kind == COND_FROM_RDNS)
			return true;
	}
	return false;
}

bool
filter_wants_names(const struct conf *c, const struct conf_listen *l)
{
	const struct conf_filter *f;
	uint32_t i, n;

	for (i = 0; i < c->match.n; i++) {
		if (rule_asks_names(c, CONF_MATCH(c, i)))
			return true;
	}
	for (i = 0; i < l->filter.n; i++) {
		f = CONF_FILTER(c, CONF_REF(c, l->filter, i)->i);
		if (asks_names(f))
			return true;
		for (n = 0; n < f->member.n; n++) {
			if (asks_names(CONF_FILTER(c,
				CONF_REF(c, f->member, n)->i)))
				return true;
		}
	}
	return false;
}

static uint32_t
phase_bit(const struct conf_filter *f)
{
	return f->kind == FILTER_BUILTIN ? 1u << f->phase : 0;
}

static uint32_t
phases_of(const struct conf *c, const struct conf_listen *l)
{
	const struct conf_filter *f;
	uint32_t i, n, phases = 0;

	for (i = 0; i < l->filter.n; i++) {
		f = CONF_FILTER(c, CONF_REF(c, l->filter, i)->i);
		phases |= phase_bit(f);
		for (n = 0; n < f->member.n; n++)
			phases |= phase_bit(CONF_FILTER(c,
			    CONF_REF(c, f->member, n)->i));
	}
	return phases;
}

/* Found once for each listener, so that who has no filters pays nothing. */
static bool
has_phase(struct session *s, enum conf_phase phase)
{
	const struct conf *c = session_conf(s);
	struct server *srv = s->server;
	uint32_t i;

	if (srv->phases == NULL) {
		srv->phases = xcalloc(c->listen.n + 1, sizeof *srv->phases);
		for (i = 0; i < c->listen.n; i++)
			srv->phases[i] = phases_of(c, CONF_LISTEN(c, i));
	}
	return (srv->phases[listen_row(s)] & 1u << phase) != 0;
}

/* ---- what they say ---- */

static const char *const phase_words[] = {
#define X(name, word) [PHASE_##name] = (word),
	CONF_PHASES(X)
#undef X
};

/* Lines of "DECISION<tab>FILTER<tab>TEXT". */
static void
log_decisions(const struct session *s, const char *phase, const char *lines)
{
	char line[sizeof((struct filter_is *)0)->report], *name, *text;
	const char *end;

	for (; (end = strchr(lines, '\n')) != NULL; lines = end + 1) {
		(void)slice_copy((struct slice){ lines, (size_t)(end - lines) },
		    line, sizeof line);
		if ((name = strchr(line, '\t')) == NULL ||
		    (text = strchr(name + 1, '\t')) == NULL)
			continue;
		*name++ = *text++ = '\0';
		if (strcmp(line, "report") == 0)
			log_event(s->id, "filter-report",
			    "phase=%s filter=%s text=%s", phase, q(name),
			    q(text));
		else
			log_event(s->id, "filter",
			    "phase=%s decision=%s filter=%s text=%s", phase,
			    line, q(name), q(text));
	}
}

/* What lookup has checked is put in the place of the old.  False: no room, and
 * the reply is given. */
static bool
rewrite(struct session *s, enum conf_phase phase, const char *text)
{
	struct slice value = slice_of(text);
	const char *copy;
	bool ok = true;

	switch (phase) {
	case PHASE_HELO:
	case PHASE_EHLO:
		ok = slice_copy(value, s->facts.helo, sizeof s->facts.helo);
		break;
	case PHASE_MAIL_FROM:
		copy = value.len > ADDR_MAX ? NULL :
					      arena_copy(&s->tx.arena, text);
		if ((ok = copy != NULL))
			s->tx.sender = copy;
		break;
	case PHASE_RCPT_TO:
		ok = slice_copy(value, s->tx.asked, sizeof s->tx.asked);
		break;
	default:
		break;
	}
	if (!ok)
		session_reply(s, REPLY_NO_MEMORY, NULL);
	return ok;
}

static void
refuse(struct session *s, enum conf_phase phase, const struct filter_is *m)
{
	/* RFC 5321 3.1: who is refused before the greeting has nothing more to
	 * say. */
	if ((m->flags & FILTER_DISCONNECT) != 0 || phase == PHASE_CONNECT)
		session_bye_say(s, &m->outcome, "filter");
	else if (phase == PHASE_COMMIT)
		tx_drop(s, &m->outcome, false);
	else
		session_say(s, &m->outcome);
}

/* True: the next step. */
static bool
heed(struct session *s, enum conf_phase phase, const struct filter_is *m)
{
	log_decisions(s, phase_words[phase], m->report);
	if (m->outcome.verdict != DONE) {
		refuse(s, phase, m);
		return false;
	}
	if ((m->flags & FILTER_JUNK) != 0)
		s->facts.flags |= FACT_JUNK;
	return (m->flags & FILTER_REWRITE) == 0 || rewrite(s, phase, m->text);
}

/* ---- the phases ---- */

static void
answered(struct session *s, enum conf_phase phase, const struct ipc_msg *msg)
{
	if (msg == NULL)
		no_answer(s, phase != PHASE_CONNECT);
	else if (heed(s, phase, msg->body)) {
		session_go_on(s);
		return;
	}
	stop_steps(s);
}

static enum step
ask(struct session *s, enum conf_phase phase, ipc_answer *fn)
{
	struct ipc_chan *lookup;
	struct filter_ask m;

	if (!has_phase(s, phase))
		return STEP_ON;
	if ((lookup = lookup_of(s)) == NULL) {
		no_answer(s, phase != PHASE_CONNECT);
		return STEP_STOP;
	}
	memset(&m, 0, sizeof m);
	m.listen = listen_row(s);
	m.phase = phase;
	m.facts = s->facts;
	if (phase >= PHASE_MAIL_FROM && s->tx.sender != NULL)
		memcpy(m.sender, s->tx.sender, strlen(s->tx.sender) + 1);
	if (phase == PHASE_RCPT_TO)
		memcpy(m.rcpt, s->tx.asked, sizeof m.rcpt);
	filter_ask_ask(lookup, &s->ask, &m, fn, s, ASK_MS);
	return STEP_WAIT;
}

/* clang-format off */
/* Columns: step, phase. */
#define FILTER_STEPS(X) \
	X(step_filter_connect, PHASE_CONNECT) \
	X(step_filter_helo,    PHASE_HELO) \
	X(step_filter_ehlo,    PHASE_EHLO) \
	X(step_filter_auth,    PHASE_AUTH) \
	X(step_filter_mail,    PHASE_MAIL_FROM) \
	X(step_filter_rcpt,    PHASE_RCPT_TO) \
	X(step_filter_data,    PHASE_DATA) \
	X(step_filter_commit,  PHASE_COMMIT)

#define X(name, phase) \
	static void \
	on_##name(void *arg, struct ipc_msg *msg) \
	{ \
		answered(arg, phase, msg); \
	} \
	enum step \
	name(struct session *s) \
	{ \
		return ask(s, phase, on_##name); \
	}
FILTER_STEPS(X)
#undef X
/* clang-format on */
