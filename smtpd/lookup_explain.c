/*
 * What smtpctl explain is told: the steps of the same judging that mail gets,
 * when it comes in and at an attempt.  Runs in lookup.  Who asks is root, and
 * sees files and commands of this host.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "log.h"
#include "lookup_answer.h"
#include "lookup_expand.h"
#include "lookup_filter.h"
#include "lookup_local.h"
#include "lookup_peer.h"
#include "lookup_relay.h"
#include "lookup_route.h"
#include "slice.h"
#include "smtp_addr.h"

#define LEVELS_MAX 3 /* messages that come out of messages */

static const char *const methods[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};

/* The values of a list, "a, b, c", as a step; from: the first of n. */
static void
note_list(struct question *q, const char *step, const struct conf_at *at,
    const char **from, uint32_t n)
{
	struct buf text;
	uint32_t i;

	buf_init(&text, QUESTION_NOTE_MAX);
	for (i = 0; i < n; i++) {
		buf_printf(&text, "%s%s", i == 0 ? "" : ", ", *from);
		*from += strlen(*from) + 1;
	}
	question_note(q, step, at, "%.*s", (int)text.len,
	    (const char *)buf_data(&text));
	buf_free(&text);
}

/* Our name at each address that we connect from; false: a table is
 * awaited. */
static bool
explain_names(struct question *q, const struct conf_action *a, uint32_t action,
    const char *src, uint32_t n)
{
	struct helo_is helo;
	bool known = true;
	uint32_t i;

	for (i = 0; i < n && i < EXPLAIN_NAMES; i++) {
		if (!relay_helo(q, action, src, &helo))
			known = false;
		else if (helo.outcome.verdict != DONE)
			question_note(q, "later", &a->at, "%s",
			    helo.outcome.text);
		else if (helo.name[0] != '\0')
			question_note(q, "helo", &a->at, "%s from %s",
			    helo.name, src);
		src += strlen(src) + 1;
	}
	return known;
}

/* Hosts and addresses of an action that deliver has to ask for; false: a table
 * is awaited. */
static bool
explain_relay(struct question *q, const struct conf_action *a, uint32_t action,
    struct outcome *outcome)
{
	struct relay_is is;
	const char *text = is.text, *src;

	if (a->host.n <= 1 && a->host_table == CONF_NONE && a->src == CONF_NONE)
		return true;
	if (!relay_find(q, action, &is))
		return false;
	if (is.outcome.verdict != DONE) {
		question_note(q, "later", &a->at, "%s", is.outcome.text);
		*outcome = is.outcome;
		return true;
	}
	if (is.n_host > 0)
		note_list(q, "relay", &a->at, &text, is.n_host);
	if (is.n_src == 0)
		return true;
	src = text;
	note_list(q, "src", &a->at, &text, is.n_src);
	return a->helo_src == CONF_NONE ||
	    explain_names(q, a, action, src, is.n_src);
}

/* `mail-from` of the action, behind what SRS made of the sender. */
static void
explain_sender(struct question *q, const struct conf_action *a,
    const struct expansion *x, const struct route_is *is)
{
	const char *own = is->sender[0] != '\0' ? is->sender : x->sender;
	char made[SMTP_REWRITTEN_SIZE];
	const char *said =
	    smtp_addr_rewrite(conf_text(q->all->conf, a->mail_from), own, made);

	if (said != own)
		question_note(q, "mail-from", &a->at,
		    "the sender is said to be <%s>", said);
}

/* Steps of one target that is complete; false: a table is awaited. */
static bool
explain_target(struct question *q, const struct expansion *x,
    const struct target *t, struct outcome *outcome)
{
	const struct conf *conf = q->all->conf;
	const struct conf_action *a;
	struct route_is is;

	if (!route_of(q, x, t, &is))
		return false;
	a = CONF_ACTION(conf, CONF_MATCH(conf, t->match)->action);
	question_note(q, "action", &a->at, "\"%s\" %s, for <%s>",
	    conf_text(conf, a->name), methods[a->method], t->addr);
	if (is.outcome.verdict != DONE) {
		question_note(q, "waits", &a->at, "%s", is.outcome.text);
		*outcome = is.outcome;
		return true;
	}
	if (t->kind != TARGET_ADDRESS)
		local_note(q, t, a, &is);
	else {
		explain_sender(q, a, x, &is);
		if (!explain_relay(q, a, is.action, outcome))
			return false;
	}
	/* For smtpctl, which asks deliver and queue about it. */
	question_note(q, "target", &a->at, "%u %u %s %s", is.action, is.flags,
	    is.route, t->addr);
	return true;
}

/* ---- all targets ---- */

struct explaining {
	struct question *q;
	struct outcome *outcome;
	unsigned int shown; /* targets */
};

/* Those of one message that came out of another: a level each. */
struct level {
	const struct expansion *x;
	struct target *next;
	struct expansion own; /* x, of all but the first */
};

/*
 * A target of level[*n - 1], which is on top; what it stands for itself comes
 * on top of that.  False: something is awaited.
 */
static bool
explain_next(struct explaining *e, struct level level[LEVELS_MAX], size_t *n)
{
	const struct expansion *x = level[*n - 1].x;
	struct target *t = level[*n - 1].next;
	struct facts *facts;
	struct level *up;

	level[*n - 1].next = STAILQ_NEXT(t, entry);
	if (t->kind == TARGET_ADDRESS || !expand_is_several(x))
		return explain_target(e->q, x, t, e->outcome);
	if (*n == LEVELS_MAX ||
	    (facts = arena_alloc(&e->q->work, sizeof(*facts))) == NULL) {
		question_note(e->q, "more", NULL, "what <%s> stands for",
		    t->addr);
		return true;
	}
	*facts = *x->facts;
	facts->flags |= FACT_EXPANDED;
	up = &level[*n];
	up->own = (struct expansion){ .facts = facts,
		.sender = x->owner != NULL ? x->owner : x->sender,
		.rcpt = t->addr,
		.of = x->rcpt,
		.leaf = t->leaf,
		.accepted = true,
		.reads = true };
	up->x = &up->own;
	if (!expand(e->q, &up->own))
		return false;
	if (up->own.outcome.verdict != DONE) {
		question_note(e->q, "waits", NULL, "<%s>: %s", t->addr,
		    up->own.outcome.text);
		return true;
	}
	up->next = STAILQ_FIRST(&up->own.targets);
	(*n)++;
	return true;
}

/* False: something is awaited. */
static bool
explain_targets(struct explaining *e, const struct expansion *x)
{
	struct level level[LEVELS_MAX] = { { .x = x,
	    .next = STAILQ_FIRST(&x->targets) } };
	bool known = true;
	size_t n = 1;

	if (expand_is_several(x))
		question_note(e->q, "several", NULL,
		    "%u addresses, in a message of their own", x->n);
	while (n > 0) {
		if (level[n - 1].next == NULL) {
			n--;
			continue;
		}
		if (e->shown++ == EXPLAIN_TARGETS) {
			question_note(e->q, "more", NULL,
			    "%u addresses that are not shown",
			    x->n - EXPLAIN_TARGETS);
			break;
		}
		known = explain_next(e, level, &n) && known;
	}
	return known;
}

/* ---- the whole ---- */

/* What its listener asks of a client: who he is, filters, and whether he may
 * send so.  False: something is awaited. */
static bool
explain_listener(struct question *q, struct filter_ask *ask, struct outcome *o)
{
	const struct conf_listen *l;
	const char *user = ask->facts.auth;

	if (ask->listen == CONF_NONE)
		return true;
	l = CONF_LISTEN(q->all->conf, ask->listen);
	if (l->auth == AUTH_NEEDED && user[0] == '\0')
		outcome_set(o, NEVER, WIDTH_MESSAGE, 530, "5.7.0",
		    "Authentication required");
	else {
		if (!filter_explain(q, ask, o))
			return false;
		if (o->verdict != DONE)
			return true;
		if (user[0] != '\0' && !sender_may(q, l, user, ask->sender, o))
			return false;
	}
	if (o->verdict != DONE)
		question_note(q, o->verdict == NEVER ? "never" : "later",
		    &l->at, "%u %u.%u.%u %s", o->code, o->ecode[0], o->ecode[1],
		    o->ecode[2], o->text);
	return true;
}

/*
 * The listener, if there is one; the expansion as when it comes in, and if it
 * may, as at an attempt, with files that are read then, and each target's
 * route.
 */
static bool
explain(struct question *q, struct filter_ask *ask, struct outcome *outcome)
{
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt };
	struct explaining e = { .q = q, .outcome = outcome };

	q->traced = true;
	q->trace_max = QUESTION_TRACE_MAX / 2;
	outcome->verdict = DONE;
	if (!explain_listener(q, ask, outcome))
		return false;
	if (outcome->verdict != DONE)
		return true;
	q->traced = false;
	if (!expand(q, &x))
		return false;
	q->traced = true;
	x.accepted = x.reads = x.outcome.verdict == DONE;
	if (!expand(q, &x))
		return false;
	*outcome = x.outcome;
	if (q->trace_cut) {
		q->trace_max = QUESTION_TRACE_MAX;
		question_note(q, "more", NULL, "steps that are not shown");
	}
	q->trace_max = QUESTION_TRACE_MAX;
	if (x.outcome.verdict == DONE)
		return explain_targets(&e, &x);
	if (x.accepted && x.outcome.verdict == LATER)
		question_note(q, "waits", NULL, "%s", x.outcome.text);
	return true;
}

static void
keep_steps(const struct question *q, struct pages *p)
{
	const char *at = (const char *)buf_data(&q->trace);
	size_t left = q->trace.len;
	const char *nl;

	while (left > 0 && (nl = memchr(at, '\n', left)) != NULL) {
		if (!pages_add(p, at, (size_t)(nl - at) + 1))
			break;
		left -= (size_t)(nl - at) + 1;
		at = nl + 1;
	}
}

/* The number of a page is that of its first step. */
static void
say_steps(struct question *q, const struct pages *p)
{
	const struct explain_ask *ask = q->ask;
	struct explain_is is;
	uint32_t n;

	memset(&is, 0, sizeof(is));
	is.outcome = p->outcome;
	n = pages_copy(p, ask->page, is.text, sizeof(is.text) - 1);
	if (n != 0 && ask->page + n < p->n)
		is.next = ask->page + n;
	explain_is_send(q->from, q->id, &is, -1);
}

static uint32_t
port_of(const struct conf_listen *l)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&l->ss;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&l->ss;

	return ntohs(l->ss.ss_family == AF_INET6 ? sin6->sin6_port :
						   sin->sin_port);
}

/* The row of conf.listen that it came to: the socket, or the first of a port;
 * CONF_NONE: who asks did not say. */
static uint32_t
find_listener(const struct conf *c, const struct facts *f, uint32_t port)
{
	bool local = (f->flags & FACT_SOCKET) != 0 && port == 0;
	const struct conf_listen *l;
	uint32_t i;

	for (i = 0; i < c->listen.n; i++) {
		l = CONF_LISTEN(c, i);
		if (local ? l->local :
			    !l->local && port != 0 && port_of(l) == port)
			return i;
	}
	return CONF_NONE;
}

/* What a session would have seen by itself. */
static void
find_facts(const struct conf *c, const struct explain_ask *ask,
    struct filter_ask *m)
{
	struct facts *f = &m->facts;

	m->listen = find_listener(c, f, ask->port);
	if (f->client[0] != '\0' && rules_own_addr(c, f->client))
		f->flags |= FACT_LOCAL;
	if (m->listen != CONF_NONE && f->tag[0] == '\0')
		(void)slice_copy(slice_of(conf_text(c,
				     CONF_LISTEN(c, m->listen)->tag)),
		    f->tag, sizeof(f->tag));
}

bool
judge_explain(struct question *q)
{
	const struct explain_ask *ask = q->ask;
	uint64_t question = pages_question(2 + ((uint64_t)ask->port << 8),
	    &ask->facts, ask->sender, ask->rcpt, "");
	struct outcome outcome = { 0 };
	struct answers *answers = q->all->arg;
	struct pages *p = NULL;
	struct filter_ask m;

	if (ask->page != 0)
		p = pages_find(answers->pages, question, 0);
	if (p == NULL) {
		memset(&m, 0, sizeof(m));
		m.facts = ask->facts;
		memcpy(m.sender, ask->sender, sizeof(m.sender));
		memcpy(m.rcpt, ask->rcpt, sizeof(m.rcpt));
		find_facts(q->all->conf, ask, &m);
		if (!explain(q, &m, &outcome))
			return false;
		p = pages_new(answers->pages, question, 0, &outcome);
		keep_steps(q, p);
	}
	say_steps(q, p);
	return true;
}
