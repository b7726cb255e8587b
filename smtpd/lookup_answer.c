/*
 * The answers of lookup: to session, queue and smtpctl, from one expansion.
 * Runs in lookup.  What is said to a session names no file of this host; what
 * is said to queue and smtpctl does.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_answer.h"

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include <xxhash.h>

#include "log.h"
#include "lookup_expand.h"
#include "lookup_route.h"
#include "slice.h"

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
	const struct conf_match *m = CONF_MATCH(conf, x->match);
	char where[CONF_AT_MAX];

	is->action = m->action;
	is->flags = ROUTE_EXPANDS;
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
	/* For smtpctl, which asks deliver and queue about it. */
	question_note(q, "target", &a->at, "%u %u %s %s", is.action, is.flags,
	    is.route, t->addr);
	return true;
}

/* The expansion as at RCPT, and each target's route as at an attempt. */
static bool
explain(struct question *q, const struct explain_ask *ask,
    const struct facts *facts, struct outcome *outcome)
{
	struct expansion x = { .facts = facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt };
	struct target *t;
	unsigned int shown = 0;
	bool known = true;

	q->traced = true;
	q->trace_max = QUESTION_TRACE_MAX / 2;
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

/* That of `listen on socket`. */
static void
socket_tag(const struct conf *c, char tag[TAG_MAX + 1])
{
	uint32_t i;

	for (i = 0; i < c->listen.n; i++) {
		if (CONF_LISTEN(c, i)->local)
			(void)slice_copy(slice_of(conf_text(c,
					     CONF_LISTEN(c, i)->tag)),
			    tag, TAG_MAX + 1);
	}
}

bool
judge_explain(struct question *q)
{
	const struct explain_ask *ask = q->ask;
	uint64_t question = question_of(2, &ask->facts, ask->sender, ask->rcpt);
	struct facts facts = ask->facts;
	struct outcome outcome;
	struct pages *p = NULL;

	/* What a session would have seen by itself. */
	if (facts.client[0] != '\0' &&
	    rules_own_addr(q->all->conf, facts.client))
		facts.flags |= FACT_LOCAL;
	if ((facts.flags & FACT_SOCKET) != 0 && facts.tag[0] == '\0')
		socket_tag(q->all->conf, facts.tag);
	if (ask->page != 0)
		p = pages_find(q->all->arg, question, 0);
	if (p == NULL) {
		if (!explain(q, ask, &facts, &outcome))
			return false;
		p = pages_new(q->all->arg, question, 0, &outcome);
		keep_steps(q, p);
	}
	say_steps(q, p);
	return true;
}
