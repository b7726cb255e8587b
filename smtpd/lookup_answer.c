/*
 * The answers of lookup to session and queue, from one expansion.  Runs in
 * lookup.  What is said to a session names no file of this host; what is said
 * to queue does.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_answer.h"

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "log.h"
#include "lookup_expand.h"
#include "lookup_leaf.h"
#include "lookup_route.h"

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

/* He is refused only if each rule that may decide does; later, if any does not
 * know. */
static bool
expand_by_any(struct question *q, struct expansion *x)
{
	struct outcome first;

	if (!expand(q, x))
		return false;
	first = x->outcome;
	while (x->outcome.verdict != DONE && x->pick + 1 < x->picks) {
		x->pick++;
		if (!expand(q, x))
			return false;
		if (first.verdict == NEVER && x->outcome.verdict == LATER)
			first = x->outcome;
	}
	if (x->outcome.verdict != DONE)
		x->outcome = first;
	return true;
}

bool
judge_rcpt(struct question *q)
{
	const struct rcpt_ask *ask = q->ask;
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt };
	struct rcpt_is is;

	if (!expand_by_any(q, &x))
		return false;
	memset(&is, 0, sizeof(is));
	is.outcome = x.outcome;
	if (x.outcome.verdict == DONE)
		is.rules = x.rules;
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

/* A part of a list: the members are told when they are asked for. */
static bool
is_part(const char *text)
{
	struct leaf leaf;

	return text[0] == LEAF_PART && leaf_parse(text, &leaf) == NULL &&
	    leaf.parts > 1;
}

/* Two that name each other would go on for ever. */
static bool
may_expand(const struct route_ask *ask)
{
	return (ask->facts.flags & FACT_EXPANDED) == 0 ||
	    ask->leaf[0] == LEAF_PART;
}

/* It stands for one, of whom it is known where he is. */
static bool
has_route(const struct expansion *x)
{
	return x->n == 1 && STAILQ_FIRST(&x->targets)->kind != TARGET_LIST;
}

bool
judge_route(struct question *q)
{
	const struct route_ask *ask = q->ask;
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt,
		.of = ask->of,
		.leaf = ask->leaf,
		.accepted = true,
		.reads = true };
	const struct conf *conf = q->all->conf;
	struct route_is is;

	memset(&is, 0, sizeof(is));
	is.action = CONF_NONE;
	if (is_part(ask->leaf)) {
		is.flags = ROUTE_EXPANDS;
		outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL,
		    "a part of a list");
		route_is_send(q->from, q->id, &is, -1);
		return true;
	}
	if (!expand(q, &x))
		return false;
	if (x.outcome.verdict == DONE && !has_route(&x) && !may_expand(ask)) {
		outcome_set(&x.outcome, LATER, WIDTH_RCPT, 0, "4.3.5",
		    "it came out of an alias and is not expanded again");
		outcome_of_us(&x.outcome, CAUSE_CONFIG, STAGE_LOOKUP);
	}
	if (x.outcome.verdict != DONE) {
		is.outcome = x.outcome;
		is.outcome.code = 0; /* no server spoke */
		if (x.match != CONF_NONE)
			is.line = CONF_MATCH(conf, x.match)->at.line;
	} else if (expand_is_several(&x) && may_expand(ask))
		say_expands(conf, &x, &is);
	else if (!route_of(q, &x, STAILQ_FIRST(&x.targets), &is))
		return false;
	route_is_send(q->from, q->id, &is, -1);
	return true;
}

/* ---- what it stands for ---- */

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

static void
say_page(struct question *q, const struct pages *p)
{
	const struct expand_ask *ask = q->ask;
	struct expand_is is;

	memset(&is, 0, sizeof(is));
	is.outcome = p->outcome;
	is.sum = p->sum;
	is.total = p->n;
	memcpy(is.sender, p->owner, sizeof(is.sender));
	is.from = ask->from;
	is.n = pages_copy(p, ask->from, is.text, sizeof(is.text));
	expand_is_send(q->from, q->id, &is, -1);
}

static void
keep_targets(struct pages *p, const struct expansion *x)
{
	char item[ADDR_MAX + LEAF_TEXT_MAX + 2];
	const struct target *t;
	int len;

	if (x->owner != NULL)
		strlcpy(p->owner, x->owner, sizeof(p->owner));
	STAILQ_FOREACH(t, &x->targets, entry) {
		len =
		    snprintf(item, sizeof(item), "%s%c%s", t->addr, 0, t->leaf);
		if (len < 0 || (size_t)len >= sizeof(item) ||
		    !pages_add(p, item, (size_t)len + 1))
			outcome_set(&p->outcome, LATER, WIDTH_RCPT, 0, "4.2.4",
			    "no room for what it stands for");
	}
}

bool
judge_expand(struct question *q)
{
	const struct expand_ask *ask = q->ask;
	uint64_t question =
	    pages_question(1, &ask->facts, ask->sender, ask->rcpt, ask->leaf);
	struct expansion x = { .facts = &ask->facts,
		.sender = ask->sender,
		.rcpt = ask->rcpt,
		.of = ask->of,
		.leaf = ask->leaf,
		.accepted = true,
		.reads = true,
		.listed = true };
	struct answers *answers = q->all->arg;
	struct pages *p = NULL;

	if (ask->sum != 0)
		p = pages_find(answers->pages, question, ask->sum);
	if (p != NULL) {
		say_page(q, p);
		return true;
	}
	if (!expand(q, &x))
		return false;
	if (x.outcome.verdict != DONE)
		x.outcome.code = 0;
	p = pages_new(answers->pages, question, x.sum, &x.outcome);
	if (x.outcome.verdict == DONE)
		keep_targets(p, &x);
	say_page(q, p);
	return true;
}
