/*
 * The answers of lookup: to session, queue and smtpctl, from one expansion.
 * Runs in lookup.  What is said to a session names no file of this host; what
 * is said to queue and smtpctl does.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_answer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include <xxhash.h>

#include "log.h"
#include "lookup_expand.h"
#include "lookup_filter.h"
#include "lookup_peer.h"
#include "lookup_relay.h"
#include "lookup_route.h"
#include "slice.h"
#include "smtp_addr.h"

/* ---- a recipient comes in ---- */

static void
log_refused(const struct conf *conf, const struct expansion *x)
{
	char where[CONF_AT_MAX] = "none";

	if (x->match != CONF_NONE)
		conf_at_print(conf, &CONF_MATCH(conf, x->match)->at, where,
		    sizeof(where));
	log_debug("not accepted: rule=%s verdict=%s rcpt=%s", where,
	    verdict_name(x->outcome.verdict), q(x->rcpt));
}

bool
judge_rcpt(struct question *q)
{
	const struct rcpt_ask *ask = q->ask;
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt };
	struct rcpt_is is;

	if (!expand(q, &x))
		return false;
	memset(&is, 0, sizeof(is));
	is.outcome = x.outcome;
	if (x.outcome.verdict != DONE)
		log_refused(q->all->conf, &x);
	rcpt_is_send(q->from, q->id, &is, -1);
	return true;
}

/* ---- where it goes ---- */

static void
say_expands(const struct conf *conf, const struct expansion *x,
    struct route_is *is)
{
	const struct conf_match *m;
	char where[CONF_AT_MAX];

	is->flags = ROUTE_EXPANDS;
	if (x->match == CONF_NONE) {
		/* A sender came back that no rule is for (SRS). */
		outcome_set(&is->outcome, DONE, WIDTH_RCPT, 0, NULL,
		    "%u addresses", x->n);
		return;
	}
	m = CONF_MATCH(conf, x->match);
	is->action = m->action;
	is->line = m->at.line;
	is->ttl = CONF_ACTION(conf, m->action)->ttl;
	outcome_set(&is->outcome, DONE, WIDTH_RCPT, 0, NULL,
	    "%u addresses, by the rule at %s", x->n,
	    conf_at_print(conf, &m->at, where, sizeof(where)));
}

bool
judge_route(struct question *q)
{
	const struct route_ask *ask = q->ask;
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt,
		.of = ask->of,
		.accepted = true };
	const struct conf *conf = q->all->conf;
	struct route_is is;

	if (!expand(q, &x))
		return false;
	memset(&is, 0, sizeof(is));
	is.action = CONF_NONE;
	if (x.outcome.verdict != DONE) {
		is.outcome = x.outcome;
		is.outcome.code = 0; /* no server spoke */
		if (x.match != CONF_NONE)
			is.line = CONF_MATCH(conf, x.match)->at.line;
	} else if (x.n > 1)
		say_expands(conf, &x, &is);
	else if (!route_of(q, &x, STAILQ_FIRST(&x.targets), &is))
		return false;
	route_is_send(q->from, q->id, &is, -1);
	return true;
}

/* ---- long answers ---- */

static void
pages_free(struct pages *p)
{
	buf_free(&p->text);
	buf_free(&p->ends);
	memset(p, 0, sizeof(*p));
}

void
answers_init(struct answers *a)
{
	memset(a, 0, sizeof(*a));
}

void
answers_stale(struct answers *a)
{
	size_t i;

	for (i = 0; i < PAGES_MAX; i++)
		pages_free(&a->pages[i]);
	memset(a->said, 0, sizeof(a->said));
}

void
answers_free(struct answers *a)
{
	answers_stale(a);
}

static struct pages *
pages_find(struct answers *a, uint64_t question, uint64_t sum)
{
	struct pages *p;

	for (p = a->pages; p < a->pages + PAGES_MAX; p++) {
		if (p->question == question && p->sum == sum &&
		    loop_msec() - p->at < PAGE_MSEC)
			return p;
	}
	return NULL;
}

/* An empty one for this question: that of an earlier answer to it, else the
 * oldest. */
static struct pages *
pages_new(struct answers *a, uint64_t question, uint64_t sum,
    const struct outcome *o)
{
	struct pages *p, *old = a->pages;

	for (p = a->pages; p < a->pages + PAGES_MAX; p++) {
		if (p->question == question) {
			old = p;
			break;
		}
		if (p->at < old->at)
			old = p;
	}
	pages_free(old);
	buf_init(&old->text, PAGES_BYTES);
	buf_init(&old->ends, 0);
	old->question = question;
	old->sum = sum;
	old->at = loop_msec();
	old->outcome = *o;
	return old;
}

/* False: no room. */
static bool
pages_add(struct pages *p, const char *item, size_t len)
{
	uint32_t end;

	if (!buf_add(&p->text, item, len))
		return false;
	end = (uint32_t)p->text.len;
	if (!buf_add(&p->ends, &end, sizeof(end)))
		return false;
	p->n++;
	return true;
}

static uint32_t
pages_end(const struct pages *p, uint32_t i)
{
	uint32_t end;

	if (i == 0)
		return 0;
	memcpy(&end, buf_data(&p->ends) + (i - 1) * sizeof(end), sizeof(end));
	return end;
}

/* As many items from number `from` on as fit; returns how many. */
static uint32_t
pages_copy(const struct pages *p, uint32_t from, char *out, size_t size)
{
	uint32_t start, to = from;

	if (from >= p->n)
		return 0;
	start = pages_end(p, from);
	while (to < p->n && pages_end(p, to + 1) - start <= size)
		to++;
	memcpy(out, buf_data(&p->text) + start, pages_end(p, to) - start);
	return to - from;
}

/* ---- what it stands for ---- */

static uint64_t
question_of(uint64_t seed, const struct facts *f, const char *sender,
    const char *rcpt)
{
	uint64_t sum = XXH3_64bits_withSeed(f, sizeof(*f), seed);

	sum = XXH3_64bits_withSeed(sender, strlen(sender) + 1, sum);
	sum = XXH3_64bits_withSeed(rcpt, strlen(rcpt) + 1, sum);
	return sum == 0 ? 1 : sum;
}

static void
say_page(struct question *q, const struct pages *p)
{
	const struct expand_ask *ask = q->ask;
	struct expand_is is;

	memset(&is, 0, sizeof(is));
	is.outcome = p->outcome;
	is.sum = p->sum;
	is.total = p->n;
	is.from = ask->from;
	is.n = pages_copy(p, ask->from, is.text, sizeof(is.text));
	expand_is_send(q->from, q->id, &is, -1);
}

bool
judge_expand(struct question *q)
{
	const struct expand_ask *ask = q->ask;
	uint64_t question = question_of(1, &ask->facts, ask->sender, ask->rcpt);
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt,
		.accepted = true };
	struct pages *p = NULL;
	struct target *t;

	if (ask->sum != 0)
		p = pages_find(q->all->arg, question, ask->sum);
	if (p != NULL) {
		say_page(q, p);
		return true;
	}
	if (!expand(q, &x))
		return false;
	if (x.outcome.verdict != DONE)
		x.outcome.code = 0;
	p = pages_new(q->all->arg, question, x.sum, &x.outcome);
	if (x.outcome.verdict == DONE) {
		STAILQ_FOREACH(t, &x.targets, entry) {
			if (!pages_add(p, t->addr, strlen(t->addr) + 1))
				outcome_set(&p->outcome, LATER, WIDTH_RCPT, 0,
				    "4.2.4", "no room for what it stands for");
		}
	}
	say_page(q, p);
	return true;
}

/* ---- why ---- */

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

/* Steps of one target; false: a table is awaited. */
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
		question_note(q, "later", &a->at, "%s", is.outcome.text);
		*outcome = is.outcome;
		return true;
	}
	explain_sender(q, a, x, &is);
	if (!explain_relay(q, a, is.action, outcome))
		return false;
	/* For smtpctl, which asks deliver and queue about it. */
	question_note(q, "target", &a->at, "%u %u %s %s", is.action, is.flags,
	    is.route, t->addr);
	return true;
}

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

/* The listener, if there is one; the expansion as at RCPT, and
 * each target's route as at an attempt. */
static bool
explain(struct question *q, struct filter_ask *ask, struct outcome *outcome)
{
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt };
	struct target *t;
	unsigned int shown = 0;
	bool known = true;

	q->traced = true;
	q->trace_max = QUESTION_TRACE_MAX / 2;
	outcome->verdict = DONE;
	if (!explain_listener(q, ask, outcome))
		return false;
	if (outcome->verdict != DONE)
		return true;
	if (!expand(q, &x))
		return false;
	*outcome = x.outcome;
	if (q->trace_cut) {
		q->trace_max = QUESTION_TRACE_MAX;
		question_note(q, "more", NULL, "steps that are not shown");
	}
	q->trace_max = QUESTION_TRACE_MAX;
	if (x.outcome.verdict != DONE)
		return true;
	if (x.n > 1)
		question_note(q, "several", NULL,
		    "%u addresses, in a message of their own", x.n);
	STAILQ_FOREACH(t, &x.targets, entry) {
		if (shown++ == EXPLAIN_TARGETS) {
			question_note(q, "more", NULL,
			    "%u addresses that are not shown",
			    x.n - EXPLAIN_TARGETS);
			break;
		}
		known = explain_target(q, &x, t, outcome) && known;
	}
	return known;
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
	uint64_t question = question_of(2 + ((uint64_t)ask->port << 8),
	    &ask->facts, ask->sender, ask->rcpt);
	struct outcome outcome = { 0 };
	struct pages *p = NULL;
	struct filter_ask m;

	if (ask->page != 0)
		p = pages_find(q->all->arg, question, 0);
	if (p == NULL) {
		memset(&m, 0, sizeof(m));
		m.facts = ask->facts;
		memcpy(m.sender, ask->sender, sizeof(m.sender));
		memcpy(m.rcpt, ask->rcpt, sizeof(m.rcpt));
		find_facts(q->all->conf, ask, &m);
		if (!explain(q, &m, &outcome))
			return false;
		p = pages_new(q->all->arg, question, 0, &outcome);
		keep_steps(q, p);
	}
	say_steps(q, p);
	return true;
}
