/*
 * Expansion: alias, virtual and userbase of the actions.  Runs in lookup;
 * reads no file, and what it cannot know is LATER.
 *
 * As in OpenSMTPD, one part that fails makes the whole recipient fail: later
 * if any part is later, else never.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_expand.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "lookup_expand_parts.h"
#include "lookup_forward.h"
#include "smtp_addr.h"

#define BUCKETS 4096

/* ---- outcomes ---- */

/* By its enhanced code (RFC 3463 3), as it is said here and in tables. */
static enum cause
cause_of(const struct outcome *o)
{
	switch (o->ecode[1]) {
	case 3:
		return o->ecode[2] == 5 ? CAUSE_CONFIG : CAUSE_SYSTEM;
	case 4:
		return CAUSE_CONFIG; /* a loop */
	case 7:
		return CAUSE_POLICY;
	default:
		return CAUSE_MAILBOX;
	}
}

void
expand_fail(struct expand_work *w, const struct outcome *o)
{
	struct outcome *have = &w->x->outcome;

	question_note(w->q, o->verdict == LATER ? "later" : "never", NULL,
	    "%u %u.%u.%u %s", o->code, o->ecode[0], o->ecode[1], o->ecode[2],
	    o->text);
	if (have->verdict == LATER ||
	    (have->verdict == NEVER && o->verdict == NEVER))
		return;
	*have = *o;
	if (have->cause == CAUSE_NONE)
		have->cause = (uint8_t)cause_of(have);
	have->stage = STAGE_LOOKUP;
}

void
expand_fail_with(struct expand_work *w, enum verdict v, const char *ecode,
    const char *text)
{
	struct outcome o;

	outcome_set(&o, v, WIDTH_RCPT, v == LATER ? 451 : 550, ecode, "%s",
	    text);
	expand_fail(w, &o);
}

static void
no_room(struct expand_work *w)
{
	if (!w->full)
		expand_fail_with(w, LATER, "4.2.4",
		    "this recipient stands for too many others");
	w->full = true;
}

/* A table cannot answer: the operator is told of which line, a stranger
 * not. */
void
expand_fail_table(struct expand_work *w, const struct conf_at *at)
{
	char where[CONF_AT_MAX];
	struct outcome o;

	/* It would, but we have asked enough. */
	if (w->q->lookups > QUESTION_LOOKUPS) {
		no_room(w);
		return;
	}
	if (w->x->accepted)
		outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.0",
		    "a table that %s needs cannot answer now",
		    conf_at_print(w->conf, at, where, sizeof(where)));
	else
		outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.0",
		    "a table that is needed for this recipient cannot answer now");
	expand_fail(w, &o);
}

/* An address as a stranger wrote it, fit for a reply line. */
static const char *
plain(const char *addr, char out[ADDR_MAX + 1])
{
	size_t i;

	for (i = 0; addr[i] != '\0' && i < ADDR_MAX; i++)
		out[i] = addr[i] < ' ' || addr[i] > '~' ? '?' : addr[i];
	out[i] = '\0';
	return out;
}

static void
fail_rule(struct expand_work *w, const char *text)
{
	char addr[ADDR_MAX + 1];
	struct outcome o;

	outcome_set(&o, NEVER, WIDTH_RCPT, 550, "5.7.1", "%s: <%s>", text,
	    plain(w->x->rcpt, addr));
	expand_fail(w, &o);
}

/* ---- names ---- */

/* Case does not matter; sub-addresses do. */
static uint64_t
name_sum(const struct expand_name *n)
{
	char low[NODE_TEXT_MAX + 1];
	size_t i;

	for (i = 0; n->text[i] != '\0' && i < sizeof(low); i++)
		low[i] = (char)tolower((unsigned char)n->text[i]);
	return XXH3_64bits_withSeed(low, i, (uint64_t)n->kind);
}

/* Aliases differ from action to action, addresses do not. */
static bool
name_same(const struct expand_work *w, const struct expand_name *a,
    const struct expand_name *b)
{
	if (a->kind != b->kind ||
	    !slice_eqcase(slice_of(a->text), slice_of(b->text)))
		return false;
	return a->kind == NODE_ADDRESS ||
	    CONF_MATCH(w->conf, a->match)->action ==
	    CONF_MATCH(w->conf, b->match)->action;
}

/* False: it was met before. */
static bool
meet(struct expand_work *w, struct expand_name *n)
{
	struct expand_name **bucket = &w->met[name_sum(n) % BUCKETS], *other;

	for (other = *bucket; other != NULL; other = other->hash) {
		if (name_same(w, n, other))
			return false;
	}
	n->hash = *bucket;
	*bucket = n;
	return true;
}

void
expand_add(struct expand_work *w, const struct expand_name *parent,
    uint32_t match, enum node_kind kind, const char *text)
{
	struct arena *arena = &w->q->work;
	struct expand_name *n;

	if (w->n++ >= EXPAND_NODES ||
	    (n = arena_alloc(arena, sizeof(*n))) == NULL ||
	    (n->text = arena_copy(arena, text)) == NULL) {
		no_room(w);
		return;
	}
	n->parent = parent;
	n->match = match;
	n->kind = kind;
	n->depth = parent->depth + 1;
	/* A user who is named in his own alias is the user. */
	if (kind == NODE_USER && parent->kind != NODE_ADDRESS &&
	    strcmp(parent->text, text) == 0)
		n->kind = NODE_SAME;
	if (!meet(w, n)) {
		question_note(w->q, "merged", NULL, "%s: was met before", text);
		return;
	}
	STAILQ_INSERT_TAIL(&w->todo, n, entry);
}

/* ---- an address ---- */

static void
at_target(struct expand_work *w, const struct expand_name *n, uint32_t match)
{
	struct expansion *x = w->x;
	struct target *t;

	if (x->n >= EXPAND_MAX ||
	    (t = arena_alloc(&w->q->work, sizeof(*t))) == NULL) {
		no_room(w);
		return;
	}
	t->addr = n->text;
	t->match = match;
	t->expanded = n->parent != NULL;
	STAILQ_INSERT_TAIL(&x->targets, t, entry);
	x->n++;
}

/* The recipient itself stands for others.  False: it may not, or there is no
 * room. */
static bool
begin(struct expand_work *w, struct expand_name *n)
{
	if ((w->x->facts->flags & FACT_EXPANDED) != 0) {
		/* Or two that name each other go on for ever. */
		expand_fail_with(w, LATER, "4.3.5",
		    "it came out of an alias and is not expanded again");
		return false;
	}
	w->met = arena_alloc(&w->q->work, BUCKETS * sizeof(*w->met));
	if (w->met == NULL) {
		no_room(w);
		return false;
	}
	meet(w, n);
	return true;
}

/* An action that expands. */
static void
open_address(struct expand_work *w, struct expand_name *n, uint32_t match)
{
	const char *domain = smtp_addr_domain(n->text);
	size_t len = (size_t)(domain - n->text) - 1;
	struct expand_local l;
	enum expand_found found;

	if (n->parent == NULL && !begin(w, n))
		return;
	if (expand_action(w, match)->virtual_ == CONF_NONE) {
		expand_split(w, n->text, len, &l);
		expand_add(w, n, match, NODE_USER,
		    l.tagged[0] != '\0' ? l.tagged : l.user);
		return;
	}
	found = expand_virtual(w, n, match, n->text, len, domain);
	if (found == FOUND_NOTHING)
		expand_fail_with(w, NEVER, "5.1.1", "no such user here");
}

/* A rule takes it. */
static void
at_rule(struct expand_work *w, struct expand_name *n, uint32_t row,
    const struct envelope *e)
{
	if (CONF_MATCH(w->conf, row)->action == CONF_NONE)
		expand_fail_with(w, LATER, "4.3.5", "no such action");
	else if (expand_action(w, row)->method != METHOD_RELAY)
		open_address(w, n, row);
	else if (!w->x->accepted && rules_routed(w->conf, row, e))
		fail_rule(w, "relay not permitted: the address has a route");
	else
		at_target(w, n, row);
}

/* A sender that was rewritten here comes back.  False: it does not. */
static bool
came_back(struct expand_work *w, struct expand_name *n, uint32_t row)
{
	char addr[ADDR_MAX + 1];
	struct outcome o;

	switch (forward_back(w->q, w->x, n->text, row, addr, &o)) {
	case BACK_NO:
		return false;
	case BACK_YES:
		if (n->parent != NULL || begin(w, n))
			expand_add(w, n, row, NODE_ADDRESS, addr);
		return true;
	case BACK_NEVER:
	case BACK_LATER:
		break;
	}
	expand_fail(w, &o);
	return true;
}

static void
do_address(struct expand_work *w, struct expand_name *n)
{
	struct envelope e = { .facts = w->x->facts,
		.sender = w->x->sender,
		.rcpt = n->text,
		.expanded = n->parent != NULL ||
		    (w->x->facts->flags & FACT_EXPANDED) != 0 };
	const struct conf_match *m;
	uint32_t row = CONF_NONE;

	question_note(w->q, "address", NULL, "%s", n->text);
	switch (rules_match(w->q, &e, &row)) {
	case RULE_WAIT:
		w->waits = true;
		return;
	case RULE_UNKNOWN:
		if (n->parent == NULL)
			w->x->match = row;
		expand_fail_table(w, &CONF_MATCH(w->conf, row)->at);
		return;
	case RULE_NONE:
		row = CONF_NONE;
		break;
	case RULE_FOUND:
		if (n->parent == NULL)
			w->x->match = row;
		m = CONF_MATCH(w->conf, row);
		if (!m->reject)
			break;
		fail_rule(w, "recipient refused by the rules here");
		return;
	}
	if (came_back(w, n, row))
		return;
	if (row != CONF_NONE)
		at_rule(w, n, row, &e);
	else if (w->x->accepted)
		expand_fail_with(w, LATER, "4.3.5",
		    "no rule for this recipient");
	else
		fail_rule(w, "relay not permitted");
}

/* ---- all of it ---- */

static bool
is_too_deep(struct expand_work *w, const struct expand_name *n)
{
	if (n->depth <= EXPAND_DEPTH)
		return false;
	expand_fail_with(w, NEVER, "5.4.6",
	    "aliases that go too deep, or in a circle");
	return true;
}

static void
sum_up(struct expand_work *w)
{
	struct expansion *x = w->x;
	struct target *t;

	if (x->outcome.verdict == DONE && x->n == 0)
		expand_fail_with(w, NEVER, "5.4.6",
		    "aliases that go in a circle and come to nothing");
	if (x->outcome.verdict != DONE)
		return;
	STAILQ_FOREACH(t, &x->targets, entry)
		x->sum =
		    XXH3_64bits_withSeed(t->addr, strlen(t->addr) + 1, x->sum);
	/* 0 says in a question: whatever it is now. */
	x->sum += x->sum == 0;
}

bool
expand(struct question *q, struct expansion *x)
{
	struct expand_work w = { .q = q, .x = x, .conf = q->all->conf };
	char rcpt[ADDR_MAX + 1];
	struct expand_name *n;

	outcome_set(&x->outcome, DONE, WIDTH_RCPT, 250, "2.1.5",
	    "recipient ok");
	x->match = CONF_NONE;
	x->n = 0;
	x->sum = 0;
	STAILQ_INIT(&x->targets);
	STAILQ_INIT(&w.todo);
	/* Without a domain it is ours: RFC 5321 4.5.1 has "postmaster". */
	if (node_address(slice_of(x->rcpt), conf_text(w.conf, w.conf->hostname),
		rcpt) != NULL) {
		expand_fail_with(&w, NEVER, "5.1.3", "not an address");
		return true;
	}
	if ((n = arena_alloc(&q->work, sizeof(*n))) == NULL ||
	    (n->text = arena_copy(&q->work, rcpt)) == NULL) {
		no_room(&w);
		return true;
	}
	n->kind = NODE_ADDRESS;
	n->match = CONF_NONE;
	STAILQ_INSERT_TAIL(&w.todo, n, entry);
	while ((n = STAILQ_FIRST(&w.todo)) != NULL && !w.full) {
		STAILQ_REMOVE_HEAD(&w.todo, entry);
		if (is_too_deep(&w, n))
			continue;
		if (n->kind == NODE_ADDRESS)
			do_address(&w, n);
		else
			expand_user(&w, n);
	}
	if (w.waits && !w.full)
		return false;
	sum_up(&w);
	return true;
}
