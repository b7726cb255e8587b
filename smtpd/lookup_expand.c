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

#include "lookup_node.h"
#include "smtp_addr.h"

#define BUCKETS 4096

/* A name or an address on its way. */
struct name {
	STAILQ_ENTRY(name) entry;
	struct name *hash;
	const struct name *parent; /* NULL: the recipient */
	enum node_kind kind;       /* ADDRESS, USER, SAME */
	uint32_t match;            /* USER, SAME: rule that it came under */
	uint32_t depth;
	const char *text;
};

STAILQ_HEAD(names, name);

struct work {
	struct question *q;
	struct expansion *x;
	const struct conf *conf;
	struct names todo;
	struct name **met; /* hashed; NULL: nothing was expanded yet */
	uint32_t n;
	bool waits;
	bool full; /* a bound was reached */
};

/* ---- outcomes ---- */

/* The first that is later stays; else the first that is never. */
static void
fail(struct work *w, const struct outcome *o)
{
	struct outcome *have = &w->x->outcome;

	question_note(w->q, o->verdict == LATER ? "later" : "never", NULL,
	    "%u %u.%u.%u %s", o->code, o->ecode[0], o->ecode[1], o->ecode[2],
	    o->text);
	if (have->verdict == LATER ||
	    (have->verdict == NEVER && o->verdict == NEVER))
		return;
	*have = *o;
}

static void
fail_with(struct work *w, enum verdict v, const char *ecode, const char *text)
{
	struct outcome o;

	outcome_set(&o, v, WIDTH_RCPT, v == LATER ? 451 : 550, ecode, "%s",
	    text);
	fail(w, &o);
}

static void
no_room(struct work *w)
{
	if (!w->full)
		fail_with(w, LATER, "4.2.4",
		    "this recipient stands for too many others");
	w->full = true;
}

/* A table cannot answer: the operator is told of which line, a stranger
 * not. */
static void
fail_table(struct work *w, const struct conf_at *at)
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
	fail(w, &o);
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
fail_rule(struct work *w, const char *text)
{
	char addr[ADDR_MAX + 1];
	struct outcome o;

	outcome_set(&o, NEVER, WIDTH_RCPT, 550, "5.7.1", "%s: <%s>", text,
	    plain(w->x->rcpt, addr));
	fail(w, &o);
}

/* ---- names ---- */

static const struct conf_action *
action_of(const struct work *w, uint32_t match)
{
	return CONF_ACTION(w->conf, CONF_MATCH(w->conf, match)->action);
}

/* Case does not matter; sub-addresses do. */
static uint64_t
name_sum(const struct name *n)
{
	char low[NODE_TEXT_MAX + 1];
	size_t i;

	for (i = 0; n->text[i] != '\0' && i < sizeof(low); i++)
		low[i] = (char)tolower((unsigned char)n->text[i]);
	return XXH3_64bits_withSeed(low, i, (uint64_t)n->kind);
}

/* Aliases differ from action to action, addresses do not. */
static bool
name_same(const struct work *w, const struct name *a, const struct name *b)
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
meet(struct work *w, struct name *n)
{
	struct name **bucket = &w->met[name_sum(n) % BUCKETS], *other;

	for (other = *bucket; other != NULL; other = other->hash) {
		if (name_same(w, n, other))
			return false;
	}
	n->hash = *bucket;
	*bucket = n;
	return true;
}

/* What parent stands for is met and put behind what there is to do. */
static void
add(struct work *w, const struct name *parent, uint32_t match,
    enum node_kind kind, const char *text)
{
	struct arena *arena = &w->q->work;
	struct name *n;

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

/* By enum node_kind: why it is later. */
static const char *const not_here[] = {
	[NODE_FILE] = "delivery to a file is not in this version",
	[NODE_PIPE] = "delivery to a program is not in this version",
	[NODE_INCLUDE] = "lists in files of their own are not in this version",
};

/* The elements of a table's value. */
static void
add_value(struct work *w, const struct name *parent, uint32_t match,
    const char *value)
{
	struct slice rest = slice_of(value);
	struct outcome o;
	struct node node;
	const char *why;

	while (rest.len > 0 && !w->full) {
		if ((why = node_next(&rest, &node)) != NULL) {
			question_note(w->q, "bad", NULL, "%s", why);
			fail_with(w, LATER, "4.3.5",
			    "what this recipient stands for cannot be understood");
			continue;
		}
		if (node.kind == NODE_ERROR) {
			node_error(node.text, &o);
			fail(w, &o);
		} else if (not_here[node.kind] != NULL)
			fail_with(w, LATER, "4.3.5", not_here[node.kind]);
		else if (node.kind != NODE_END)
			add(w, parent, match, node.kind, node.text);
	}
}

/* ---- look-ups ---- */

enum found {
	FOUND_NOTHING,
	FOUND_SOME,
	FOUND_TROUBLE /* awaited, or it has failed: said */
};

/* Is there anything in it but blanks and commas? */
static bool
is_empty(const char *value)
{
	return value[strspn(value, " \t\r\n,")] == '\0';
}

static enum found
find_value(struct work *w, const struct name *n, uint32_t match, uint32_t table,
    const char *key)
{
	const struct conf_table *row = CONF_TABLE(w->conf, table);
	char name[QUESTION_NAME_SIZE];
	const char *value;

	question_table_name(w->conf, row, name);
	switch (question_table(w->q, table, SERVICE_ALIAS, key, &value)) {
	case TABLE_WAIT:
		w->waits = true;
		return FOUND_TROUBLE;
	case TABLE_UNKNOWN:
		question_note(w->q, "table", &row->at,
		    "%s cannot answer for \"%s\"", name, key);
		fail_table(w, &action_of(w, match)->at);
		return FOUND_TROUBLE;
	case TABLE_NO:
		break;
	case TABLE_YES:
		if (is_empty(value))
			break;
		question_note(w->q, "alias", &row->at, "%s \"%s\" is %s", name,
		    key, value);
		add_value(w, n, match, value);
		return FOUND_SOME;
	}
	question_note(w->q, "no-alias", &row->at, "%s has no \"%s\"", name,
	    key);
	return FOUND_NOTHING;
}

/* A local part or user name in lower case, and the same without its
 * sub-address; tagged is empty if it has none. */
struct local {
	char tagged[NODE_TEXT_MAX + 1];
	char user[NODE_TEXT_MAX + 1];
};

static void
split(const struct work *w, const char *text, size_t len, struct local *l)
{
	char *tag;
	size_t i;

	for (i = 0; i < len && i < NODE_TEXT_MAX; i++)
		l->user[i] = (char)tolower((unsigned char)text[i]);
	l->user[i] = '\0';
	l->tagged[0] = '\0';
	tag = strchr(l->user, w->conf->sub_addr_delim);
	if (tag == NULL || tag == l->user || w->conf->sub_addr_delim == '\0')
		return;
	memcpy(l->tagged, l->user, i + 1);
	*tag = '\0';
}

/* Columns: with the sub-address, with the user, with the domain.  In the order
 * in which OpenSMTPD looks them up. */
static const struct {
	bool tag, user, domain;
} virtual_keys[] = {
	{ true, true, true },
	{ false, true, true },
	{ true, true, false },
	{ false, true, false },
	{ false, false, true },
	{ false, false, false },
};

/* Without a domain, of a user name, there is no catch-all. */
static enum found
find_virtual(struct work *w, const struct name *n, uint32_t match,
    const char *local, size_t len, const char *domain)
{
	uint32_t table = action_of(w, match)->virtual_;
	char key[NODE_TEXT_MAX + DOMAIN_MAX + 2];
	struct local l;
	enum found found;
	size_t i;

	split(w, local, len, &l);
	for (i = 0; i < sizeof(virtual_keys) / sizeof(virtual_keys[0]); i++) {
		if (virtual_keys[i].tag && l.tagged[0] == '\0')
			continue;
		if (domain == NULL &&
		    (virtual_keys[i].domain || !virtual_keys[i].user))
			continue;
		snprintf(key, sizeof(key), "%s%s%s",
		    !virtual_keys[i].user   ? "" :
			virtual_keys[i].tag ? l.tagged :
					      l.user,
		    virtual_keys[i].domain || !virtual_keys[i].user ? "@" : "",
		    virtual_keys[i].domain ? domain : "");
		found = find_value(w, n, match, table, key);
		if (found != FOUND_NOTHING)
			return found;
	}
	return FOUND_NOTHING;
}

static enum found
find_alias(struct work *w, const struct name *n)
{
	uint32_t table = action_of(w, n->match)->alias;
	enum found found = FOUND_NOTHING;
	struct local l;

	split(w, n->text, strlen(n->text), &l);
	if (l.tagged[0] != '\0')
		found = find_value(w, n, n->match, table, l.tagged);
	if (found == FOUND_NOTHING)
		found = find_value(w, n, n->match, table, l.user);
	return found;
}

/* ---- a user ---- */

static enum table_answer
find_user(struct work *w, const struct conf_action *a, const char *user)
{
	const char *value;

	if (a->userbase == CONF_NONE)
		return question_user(w->q, user, &value);
	return question_table(w->q, a->userbase, SERVICE_USERINFO, user,
	    &value);
}

/* Nothing expands it: it is a user, or nobody. */
static void
at_user(struct work *w, const struct name *n)
{
	const struct conf_action *a = action_of(w, n->match);
	struct local l;

	split(w, n->text, strlen(n->text), &l);
	switch (find_user(w, a, l.user)) {
	case TABLE_WAIT:
		w->waits = true;
		return;
	case TABLE_UNKNOWN:
		fail_table(w, &a->at);
		return;
	case TABLE_NO:
		question_note(w->q, "user", &a->at, "no user \"%s\"", l.user);
		fail_with(w, NEVER, "5.1.1", "no such user here");
		return;
	case TABLE_YES:
		break;
	}
	question_note(w->q, "user", &a->at, "\"%s\" is a user", l.user);
	/* An action that delivers here would add its target. */
	fail_with(w, LATER, "4.3.5",
	    "the .forward file of a user is not read in this version");
}

static void
do_user(struct work *w, const struct name *n)
{
	const struct conf_action *a = action_of(w, n->match);
	enum found found = FOUND_NOTHING;

	question_note(w->q, "name", &a->at, "%s%s", n->text,
	    n->kind == NODE_SAME ? ": as a user" : "");
	if (n->kind == NODE_USER && a->alias != CONF_NONE)
		found = find_alias(w, n);
	else if (n->kind == NODE_USER && a->virtual_ != CONF_NONE)
		found = find_virtual(w, n, n->match, n->text, strlen(n->text),
		    NULL);
	if (found == FOUND_NOTHING)
		at_user(w, n);
}

/* ---- an address ---- */

static void
at_target(struct work *w, const struct name *n, uint32_t match)
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

/* An action that expands. */
static void
open_address(struct work *w, struct name *n, uint32_t match)
{
	const char *domain = smtp_addr_domain(n->text);
	size_t len = (size_t)(domain - n->text) - 1;
	struct local l;
	enum found found;

	if (n->parent == NULL) {
		if ((w->x->facts->flags & FACT_EXPANDED) != 0) {
			/* Or two that name each other go on for ever. */
			fail_with(w, LATER, "4.3.5",
			    "it came out of an alias and is not expanded again");
			return;
		}
		w->met = arena_alloc(&w->q->work, BUCKETS * sizeof(*w->met));
		if (w->met == NULL) {
			no_room(w);
			return;
		}
		meet(w, n);
	}
	if (action_of(w, match)->virtual_ == CONF_NONE) {
		split(w, n->text, len, &l);
		add(w, n, match, NODE_USER,
		    l.tagged[0] != '\0' ? l.tagged : l.user);
		return;
	}
	found = find_virtual(w, n, match, n->text, len, domain);
	if (found == FOUND_NOTHING)
		fail_with(w, NEVER, "5.1.1", "no such user here");
}

static void
do_address(struct work *w, struct name *n)
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
		fail_table(w, &CONF_MATCH(w->conf, row)->at);
		return;
	case RULE_NONE:
		if (w->x->accepted)
			fail_with(w, LATER, "4.3.5",
			    "no rule for this recipient");
		else
			fail_rule(w, "relay not permitted");
		return;
	case RULE_FOUND:
		break;
	}
	m = CONF_MATCH(w->conf, row);
	if (n->parent == NULL)
		w->x->match = row;
	if (m->reject)
		fail_rule(w, "recipient refused by the rules here");
	else if (m->action == CONF_NONE)
		fail_with(w, LATER, "4.3.5", "no such action");
	else if (action_of(w, row)->method != METHOD_RELAY)
		open_address(w, n, row);
	else if (!w->x->accepted && rules_routed(w->conf, row, &e))
		fail_rule(w, "relay not permitted: the address has a route");
	else
		at_target(w, n, row);
}

/* ---- all of it ---- */

static bool
is_too_deep(struct work *w, const struct name *n)
{
	if (n->depth <= EXPAND_DEPTH)
		return false;
	fail_with(w, NEVER, "5.4.6",
	    "aliases that go too deep, or in a circle");
	return true;
}

static void
sum_up(struct work *w)
{
	struct expansion *x = w->x;
	struct target *t;

	if (x->outcome.verdict == DONE && x->n == 0)
		fail_with(w, NEVER, "5.4.6",
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
	struct work w = { .q = q, .x = x, .conf = q->all->conf };
	char rcpt[ADDR_MAX + 1];
	struct name *n;

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
		fail_with(&w, NEVER, "5.1.3", "not an address");
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
			do_user(&w, n);
	}
	if (w.waits && !w.full)
		return false;
	sum_up(&w);
	return true;
}
