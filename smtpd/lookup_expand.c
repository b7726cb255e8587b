/*
 * Expansion: alias, virtual and userbase of the actions, .forward files, lists
 * in files.  Runs in lookup; opens no file (spawn has them read), and what it
 * cannot know is LATER.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_expand.h"

#include <string.h>

#include <xxhash.h>

#include "lookup_expand_parts.h"
#include "lookup_forward.h"
#include "smtp_addr.h"

const struct conf_action *
expand_action(const struct expand_work *w, uint32_t match)
{
	return CONF_ACTION(w->conf, CONF_MATCH(w->conf, match)->action);
}

/* ---- targets ---- */

/* Of several who are not kept it need not be known who they are. */
static void
not_kept(struct expand_work *w, struct expand_name *n, enum target_kind kind)
{
	if (w->n_seen == 1 && kind == TARGET_USER)
		w->alone = expand_keep(w, n);
}

struct target *
expand_target(struct expand_work *w, struct expand_name *n,
    enum target_kind kind)
{
	struct expansion *x = w->x;
	struct target *t;

	if (w->finds)
		return NULL;
	w->n_seen++;
	if (!expand_is_mine(w, n->text)) {
		not_kept(w, n, kind);
		return NULL;
	}
	if (x->n >= EXPAND_MAX) {
		w->over = true;
		return NULL;
	}
	if ((n = expand_keep(w, n)) == NULL)
		return NULL;
	if ((t = arena_alloc(&w->q->work, sizeof(*t))) == NULL) {
		expand_no_room(w);
		return NULL;
	}
	t->name = n;
	t->kind = kind;
	t->match = n->match;
	t->expanded = n->parent != NULL;
	t->addr = kind == TARGET_ADDRESS ? n->text : expand_addr_of(w, n);
	t->leaf = "";
	STAILQ_INSERT_TAIL(&x->targets, t, entry);
	x->n++;
	return t;
}

/* ---- an address ---- */

/* A rule takes it. */
static void
at_rule(struct expand_work *w, struct expand_name *n, const struct envelope *e)
{
	if (CONF_MATCH(w->conf, n->match)->action == CONF_NONE)
		expand_fail_with(w, n, LATER, "4.3.5", "no such action");
	else if (expand_action(w, n->match)->method != METHOD_RELAY)
		expand_address(w, n);
	else if (!w->x->accepted && rules_routed(w->conf, n->match, e))
		expand_fail_rule(w, n,
		    "relay not permitted: the address has a route");
	else
		expand_target(w, n, TARGET_ADDRESS);
}

/* A sender that was rewritten here comes back.  False: it does not. */
static bool
came_back(struct expand_work *w, struct expand_name *n, uint32_t row)
{
	struct expand_name below = { .parent = n,
		.kind = NODE_ADDRESS,
		.match = CONF_NONE };
	char addr[ADDR_MAX + 1];
	struct outcome o;

	switch (forward_back(w->q, w->x, n->text, row, addr, &o)) {
	case BACK_NO:
		return false;
	case BACK_YES:
		if (expand_keep(w, n) == NULL)
			return true;
		below.text = addr;
		expand_add(w, &below);
		return true;
	case BACK_NEVER:
	case BACK_LATER:
		break;
	}
	expand_fail(w, n, &o);
	return true;
}

/* Row `row` is for it. */
static void
judge_address(struct expand_work *w, struct expand_name *n,
    const struct envelope *e, uint32_t row)
{
	n->match = row;
	if (came_back(w, n, row))
		return;
	if (row != CONF_NONE)
		at_rule(w, n, e);
	else if (w->x->accepted)
		expand_fail_with(w, n, LATER, "4.3.5",
		    "no rule for this recipient");
	else
		expand_fail_rule(w, n, "relay not permitted");
}

/* One that has an action of its own becomes a choice. */
static void
add_choice(const struct expand_work *w, uint32_t row, const struct envelope *e,
    struct rules_open *choice)
{
	uint32_t i, action = CONF_MATCH(w->conf, row)->action;

	if (rules_refuse(w->conf, row, e))
		return;
	for (i = 0; i < choice->n; i++) {
		if (CONF_MATCH(w->conf, choice->row[i])->action == action)
			return;
	}
	choice->row[choice->n++] = row;
}

/*
 * Results that are not known yet decide between some rules.  True: *row is the
 * one that is tried: the sure one first, then those in doubt; who comes under
 * none that would take him is refused.
 */
static bool
choose(struct expand_work *w, const struct expand_name *n,
    const struct envelope *e, const struct rules_open *open, uint32_t *row)
{
	struct rules_open choice = { 0 };
	struct expansion *x = w->x;
	uint32_t i, pick = n->parent == NULL ? x->pick : 0;

	if (n->parent == NULL)
		x->rules = rules_effect(w->conf, open, *row, e);
	if (open->n == 0)
		return false;
	if (*row != CONF_NONE)
		add_choice(w, *row, e, &choice);
	for (i = 0; i < open->n && choice.n < EXPAND_PICKS; i++) {
		if (i < RULES_OPEN_MAX)
			add_choice(w, open->row[i], e, &choice);
	}
	if (n->parent == NULL)
		x->picks = choice.n;
	if (pick >= choice.n)
		return false;
	*row = choice.row[pick];
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
	uint32_t row = CONF_NONE;
	struct rules_open open;
	enum rule_answer a;

	question_note(w->q, "address", NULL, "%s", n->text);
	a = rules_match_open(w->q, &e, &row, &open);
	if ((a == RULE_FOUND || a == RULE_NONE) &&
	    choose(w, n, &e, &open, &row))
		a = RULE_FOUND;
	if (n->parent == NULL && (a == RULE_UNKNOWN || a == RULE_FOUND))
		w->x->match = row;
	switch (a) {
	case RULE_WAIT:
		w->waits = true;
		return;
	case RULE_UNKNOWN:
		expand_fail_table(w, n, &CONF_MATCH(w->conf, row)->at);
		return;
	case RULE_NONE:
		judge_address(w, n, &e, CONF_NONE);
		return;
	case RULE_FOUND:
		break;
	}
	if (CONF_MATCH(w->conf, row)->reject)
		expand_fail_rule(w, n, "recipient refused by the rules here");
	else
		judge_address(w, n, &e, row);
}

/* ---- below it ---- */

void
expand_add(struct expand_work *w, struct expand_name *n)
{
	if (w->full || w->over)
		return;
	n->depth = n->parent->depth + 1;
	if (n->depth > EXPAND_DEPTH) {
		expand_fail_with(w, NULL, NEVER, "5.4.6",
		    "aliases that go too deep, or in a circle");
		return;
	}
	if (!expand_was_met(w, n))
		expand_walk(w, n);
}

void
expand_walk(struct expand_work *w, struct expand_name *n)
{
	if (n->kind == NODE_ADDRESS)
		do_address(w, n);
	else if (n->kind == NODE_INCLUDE)
		expand_include(w, n);
	else
		expand_user(w, n);
}

/* ---- all of it ---- */

/* The recipient stands for one only, of whom more must be known.  He is no
 * target then. */
static struct target *
take_alone(struct expand_work *w)
{
	struct expansion *x = w->x;
	struct target *t = STAILQ_FIRST(&x->targets);
	struct expand_name *n = w->alone;

	if (!x->reads || x->outcome.verdict != DONE || w->full || w->over ||
	    w->n_seen != 1)
		return NULL;
	w->alone = NULL;
	if (n != NULL) {
		/* It was nobody's of this part, as far as was known. */
		t = arena_alloc(&w->q->work, sizeof(*t));
		if (t == NULL)
			return NULL;
		*t = (struct target){ .name = n,
			.kind = TARGET_USER,
			.match = n->match };
		w->n_seen = 0;
		return t;
	}
	if (t == NULL || t->info != NULL ||
	    (t->kind != TARGET_USER && t->kind != TARGET_MAILBOX))
		return NULL;
	STAILQ_REMOVE_HEAD(&x->targets, entry);
	x->n = 0;
	w->n_seen = 0;
	return t;
}

/* Nobody at all. */
static void
end_of_none(struct expand_work *w)
{
	uint32_t row = w->root.match;
	struct target *t;

	if (w->unread)
		return; /* who knows */
	if (w->empty && w->parts == 1) {
		expand_fail_conf(w, NULL, "a list that has no members", "");
		return;
	}
	/* The members of a part, who are in no list now; who was followed in a
	 * message before this one; or an alias says so. */
	if ((w->parts > 1 || w->holes || w->chained) && row != CONF_NONE &&
	    expand_action(w, row)->method != METHOD_RELAY) {
		w->parts = 1;
		w->root.kept = NULL;
		t = expand_target(w, &w->root, TARGET_NOTHING);
		if (t != NULL)
			t->addr = w->root.text;
		return;
	}
	expand_fail_with(w, NULL, NEVER, "5.4.6",
	    "aliases that go in a circle and come to nothing");
}

static void
sum_up(struct expand_work *w)
{
	struct expansion *x = w->x;
	struct target *t;

	STAILQ_FOREACH(t, &x->targets, entry) {
		x->sum =
		    XXH3_64bits_withSeed(t->addr, strlen(t->addr) + 1, x->sum);
		x->sum =
		    XXH3_64bits_withSeed(t->leaf, strlen(t->leaf) + 1, x->sum);
	}
	/* 0 says in a question: whatever it is now. */
	x->sum += x->sum == 0;
}

static void
finish(struct expand_work *w)
{
	struct expansion *x = w->x;

	if (!x->reads && x->outcome.verdict == DONE)
		expand_check(w);
	/* It stands for as many as a message has, and more: that is known. */
	if (w->over && !w->full && !w->whole) {
		outcome_set(&x->outcome, DONE, WIDTH_RCPT, 250, "2.1.5",
		    "recipient ok");
		if (x->accepted)
			expand_by_parts(w);
	} else if (x->outcome.verdict == DONE && x->n == 0)
		end_of_none(w);
	if (x->accepted && !w->full)
		expand_leaves(w);
	if (x->outcome.verdict == DONE)
		sum_up(w);
}

/* The recipient as it is asked about: its address, or its leaf.  False: it is
 * neither, as said. */
static bool
begin(struct expand_work *w, struct leaf *leaf)
{
	struct expansion *x = w->x;
	char rcpt[ADDR_MAX + 1];
	struct facts *facts;
	const char *why;

	/* Without a domain it is ours: RFC 5321 4.5.1 has "postmaster". */
	if (node_address(slice_of(x->rcpt), conf_mail_name(w->conf), rcpt) !=
	    NULL) {
		expand_fail_with(w, NULL, NEVER, "5.1.3", "not an address");
		return false;
	}
	w->root.kind = NODE_ADDRESS;
	w->root.match = CONF_NONE;
	if ((w->root.text = arena_copy(&w->q->work, rcpt)) == NULL) {
		expand_no_room(w);
		return false;
	}
	if (x->leaf == NULL || x->leaf[0] == '\0')
		return true;
	if ((why = leaf_parse(x->leaf, leaf)) != NULL) {
		expand_fail_conf(w, NULL, why, x->leaf);
		return false;
	}
	w->leaf = leaf;
	w->part = leaf->part;
	w->parts = leaf->kind == LEAF_LIST ? leaf->parts : 1;
	if (leaf->from != FROM_RCPT)
		return true;
	/* It is as it came from outside. */
	if ((facts = arena_alloc(&w->q->work, sizeof(*facts))) == NULL) {
		expand_no_room(w);
		return false;
	}
	*facts = *x->facts;
	facts->flags &= ~(uint32_t)FACT_EXPANDED;
	x->facts = facts;
	return true;
}

bool
expand(struct question *q, struct expansion *x)
{
	struct expand_work w = { .q = q,
		.x = x,
		.conf = q->all->conf,
		.parts = 1 };
	struct target *t;
	struct leaf leaf;

	outcome_set(&x->outcome, DONE, WIDTH_RCPT, 250, "2.1.5",
	    "recipient ok");
	x->match = CONF_NONE;
	x->picks = 1;
	x->rules = 0;
	x->n = 0;
	x->sum = 0;
	x->owner = NULL;
	STAILQ_INIT(&x->targets);
	STAILQ_INIT(&w.failed);
	if (!begin(&w, &leaf))
		return true;
	if (w.leaf == NULL || w.leaf->from == FROM_RCPT)
		do_address(&w, &w.root);
	else
		expand_from_leaf(&w);
	while (!w.waits && (t = take_alone(&w)) != NULL)
		expand_open(&w, t);
	if (w.waits && !w.full)
		return false;
	finish(&w);
	/* What is not read in this pass may be awaited at its end, too. */
	return !w.waits || w.full;
}

bool
expand_is_several(const struct expansion *x)
{
	const struct target *t = STAILQ_FIRST(&x->targets);

	return x->n > 1 || (t != NULL && t->kind == TARGET_LIST) ||
	    (x->owner != NULL && x->sender[0] != '\0');
}
