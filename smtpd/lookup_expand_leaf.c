/*
 * Expansion: what is kept of a target that is not an address, and how it is
 * found again at each attempt.  Runs in lookup.  A command or file that is not
 * where it was is not guessed: it is the only one there now, or the mail waits.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "lookup_expand_parts.h"
#include "smtp_addr.h"

/* ---- the address ---- */

const char *
expand_addr_of(struct expand_work *w, const struct expand_name *n)
{
	const struct expand_name *of = n, *up;
	const char *domain;
	char addr[ADDR_MAX + NODE_TEXT_MAX];

	/* Of a command or file: who has it. */
	while (of->parent != NULL && of->kind != NODE_ADDRESS &&
	    of->kind != NODE_USER && of->kind != NODE_SAME)
		of = of->parent;
	if (of->kind == NODE_ADDRESS)
		return of->text;
	if (of->parent->kind == NODE_ADDRESS)
		return of->parent->text;
	for (up = of->parent; up->kind != NODE_ADDRESS && up->parent != NULL;)
		up = up->parent;
	domain = smtp_addr_domain(up->text);
	snprintf(addr, sizeof(addr), "%s@%s", of->text, domain);
	if (smtp_mailbox_check_utf8(slice_of(addr)) != NULL)
		snprintf(addr, sizeof(addr), "\"%s\"@%s", of->text, domain);
	if (strlen(addr) > ADDR_MAX ||
	    smtp_mailbox_check_utf8(slice_of(addr)) != NULL)
		return w->root.text;
	domain = arena_copy(&w->q->work, addr);
	return domain == NULL ? w->root.text : domain;
}

/* ---- making them ---- */

/* Those on the way to n, and before it, of which something was followed.
 * False: too many. */
static bool
make_chain(const struct expand_work *w, const struct expand_name *n,
    struct leaf *leaf)
{
	if (w->leaf != NULL) {
		memcpy(leaf->chain, w->leaf->chain, sizeof(leaf->chain));
		leaf->n_chain = w->leaf->n_chain;
	}
	for (n = n->parent; n != NULL; n = n->parent) {
		if (n == w->root.kept && w->leaf != NULL &&
		    w->leaf->from != FROM_RCPT)
			break; /* its leaf was followed, not it */
		if (n->kind != NODE_ADDRESS && n->kind != NODE_USER)
			continue;
		if (leaf->n_chain == LEAF_CHAIN_MAX)
			return false;
		leaf->chain[leaf->n_chain++] = expand_chain_hash(w, n);
	}
	return true;
}

static bool
make_words(const struct expand_work *w, const struct expand_name *n,
    const char *name, struct leaf *leaf)
{
	const struct conf_action *a = expand_action(w, n->match);

	return slice_copy(slice_of(conf_text(w->conf, a->name)), leaf->action,
		   sizeof(leaf->action)) &&
	    slice_copy(slice_of(name), leaf->name, sizeof(leaf->name));
}

/* To be expanded again: all of n. */
static bool
make_list(const struct expand_work *w, const struct expand_name *n,
    struct leaf *leaf)
{
	leaf->kind = LEAF_LIST;
	leaf->parts = 1;
	if (!make_chain(w, n, leaf))
		return false;
	leaf->from = FROM_ADDR;
	if (n->kind == NODE_ADDRESS)
		return true;
	leaf->from = n->user_only ? FROM_USER : FROM_ALIAS;
	return make_words(w, n, n->text, leaf);
}

/* A command or file, by where it stands. */
static bool
make_local(const struct expand_work *w, const struct target *t,
    struct leaf *leaf)
{
	const struct expand_name *n = t->name;
	const struct expand_name *of = n->parent;

	leaf->kind = t->kind == TARGET_PIPE ? LEAF_PIPE : LEAF_FILE;
	leaf->hash = leaf_hash(t->text);
	leaf->from = n->user != NULL ? FROM_USER : FROM_ALIAS;
	return make_words(w, n, n->user != NULL ? n->user->origin : of->key,
	    leaf);
}

/* False: it does not fit. */
static bool
make_leaf(const struct expand_work *w, const struct target *t,
    struct leaf *leaf)
{
	struct expand_local l;

	memset(leaf, 0, sizeof(*leaf));
	switch (t->kind) {
	case TARGET_ADDRESS:
		break;
	case TARGET_USER:
	case TARGET_LIST:
		return make_list(w, t->name, leaf);
	case TARGET_MAILBOX:
		leaf->kind = LEAF_MAILBOX;
		expand_split(w, t->name->text, strlen(t->name->text), &l);
		return make_words(w, t->name, l.user, leaf);
	case TARGET_PIPE:
	case TARGET_FILE:
		return make_local(w, t, leaf);
	case TARGET_NOTHING:
		leaf->kind = LEAF_NOTHING;
		return make_words(w, t->name, "", leaf);
	}
	return true;
}

static void
give_leaf(struct expand_work *w, struct target *t)
{
	char text[LEAF_TEXT_MAX + 1];
	struct leaf leaf;

	if (t->kind == TARGET_ADDRESS)
		return;
	if (!make_leaf(w, t, &leaf))
		expand_fail_with(w, NULL, NEVER, "5.4.6",
		    "aliases that go too deep, or in a circle");
	else if (!leaf_print(&leaf, text))
		expand_fail_conf(w, NULL, "a name is too long", t->addr);
	else if ((t->leaf = arena_copy(&w->q->work, text)) == NULL)
		expand_no_room(w);
}

/* Those who failed beside others go ways of their own. */
static void
add_failed(struct expand_work *w)
{
	struct expansion *x = w->x;
	struct expand_name *n;

	if (x->outcome.verdict == DONE || w->whole || w->n_failed + x->n <= 1)
		return;
	outcome_set(&x->outcome, DONE, WIDTH_RCPT, 250, "2.1.5",
	    "recipient ok");
	STAILQ_FOREACH(n, &w->failed, entry)
		expand_target(w, n, TARGET_LIST);
	if (w->over)
		expand_by_parts(w);
}

void
expand_leaves(struct expand_work *w)
{
	struct expansion *x = w->x;
	struct target *t;

	add_failed(w);
	if (x->outcome.verdict != DONE || (!x->listed && !expand_is_several(x)))
		return;
	STAILQ_FOREACH(t, &x->targets, entry) {
		if (t->leaf[0] == '\0')
			give_leaf(w, t);
	}
}

void
expand_by_parts(struct expand_work *w)
{
	struct expansion *x = w->x;
	struct leaf leaf = { .kind = LEAF_LIST, .from = FROM_RCPT };
	uint32_t i, parts = w->parts * EXPAND_PARTS;
	char text[LEAF_TEXT_MAX + 1];
	struct target *t;

	STAILQ_INIT(&x->targets);
	x->n = 0;
	w->n_failed = 0;
	if (parts > LEAF_PARTS_MAX) {
		expand_no_room(w);
		return;
	}
	if (w->leaf != NULL)
		leaf = *w->leaf;
	leaf.parts = parts;
	for (i = 0; i < EXPAND_PARTS; i++) {
		/* Of whom the hash modulo w->parts is w->part. */
		leaf.part = w->part + i * w->parts;
		t = arena_alloc(&w->q->work, sizeof(*t));
		if (!leaf_print(&leaf, text) || t == NULL ||
		    (t->leaf = arena_copy(&w->q->work, text)) == NULL) {
			expand_no_room(w);
			return;
		}
		t->kind = TARGET_LIST;
		t->addr = w->root.text;
		STAILQ_INSERT_TAIL(&x->targets, t, entry);
		x->n++;
	}
}

/* ---- finding them again ---- */

/* A rule that has the action of this name; CONF_NONE: there is none now. */
static uint32_t
find_match(const struct conf *c, const char *action)
{
	const struct conf_match *m;
	uint32_t i;

	for (i = 0; i < c->match.n; i++) {
		m = CONF_MATCH(c, i);
		if (m->action != CONF_NONE &&
		    strcmp(conf_text(c, CONF_ACTION(c, m->action)->name),
			action) == 0)
			return i;
	}
	return CONF_NONE;
}

/* The one that is meant, of those that were found below n. */
static void
take_found(struct expand_work *w, struct expand_name *n,
    const struct expand_user *user)
{
	bool is_pipe = w->leaf->kind == LEAF_PIPE;
	struct target *t;

	w->finds = false;
	if (w->waits || w->x->outcome.verdict != DONE)
		return;
	if (!w->is_found && w->n_found != 1) {
		expand_fail_conf(w, NULL,
		    is_pipe ? "the command is gone from where it was" :
			      "the file is gone from where it was",
		    w->leaf->name);
		return;
	}
	t = expand_target(w, n, is_pipe ? TARGET_PIPE : TARGET_FILE);
	if (t == NULL)
		return;
	t->addr = w->root.text;
	t->text = w->found;
	t->user = user == NULL ? NULL : user->name;
	t->info = user == NULL ? NULL : user->info;
}

static void
find_in_alias(struct expand_work *w, struct expand_name *n)
{
	const struct conf_action *a = expand_action(w, n->match);
	uint32_t table = a->alias != CONF_NONE ? a->alias : a->virtual_;
	const char *value = "";
	enum table_answer found = TABLE_NO;

	if (table != CONF_NONE)
		found =
		    question_table(w->q, table, SERVICE_ALIAS, n->text, &value);
	if (found == TABLE_WAIT)
		w->waits = true;
	else if (found == TABLE_UNKNOWN)
		expand_fail_table(w, NULL, &a->at);
	else if (found == TABLE_YES && (n = expand_keep(w, n)) != NULL) {
		n->key = n->text;
		(void)expand_list(w, n, value, false, n->text);
	}
	if (n != NULL)
		take_found(w, n, NULL);
}

static void
find_in_forward(struct expand_work *w, struct expand_name *n)
{
	const struct conf_action *a = expand_action(w, n->match);
	struct expand_user *user;
	const char *info, *text;
	struct expand_local l;
	struct outcome why;

	expand_split(w, n->text, strlen(n->text), &l);
	user = arena_alloc(&w->q->work, sizeof(*user));
	if (user == NULL || (n = expand_keep(w, n)) == NULL) {
		expand_no_room(w);
		return;
	}
	if (!expand_find_user(w, n, a, l.user, &info) ||
	    !expand_user_parse(w, n, l.user, info, user))
		return;
	switch (expand_forward(w, user,
	    l.tagged[0] == '\0' ? "" : l.tagged + strlen(l.user) + 1, &text,
	    &why)) {
	case TABLE_WAIT:
		w->waits = true;
		break;
	case TABLE_UNKNOWN:
		expand_fail(w, NULL, &why);
		break;
	case TABLE_NO:
		break;
	case TABLE_YES:
		n->user = user;
		(void)expand_list(w, n, text, true, n->text);
		break;
	}
	take_found(w, n, user);
}

/* Columns: where a command or file stands, how it is found. */
static void (*const finders[])(struct expand_work *w, struct expand_name *n) = {
	[FROM_ALIAS] = find_in_alias,
	[FROM_USER] = find_in_forward,
};

/* A name under an action, or nobody. */
static void
from_name(struct expand_work *w, struct expand_name *n)
{
	const struct leaf *leaf = w->leaf;
	struct target *t;

	switch (leaf->kind) {
	case LEAF_MAILBOX:
		n->kind = NODE_SAME;
		expand_add(w, n);
		break;
	case LEAF_PIPE:
	case LEAF_FILE:
		w->finds = true;
		finders[leaf->from](w, n);
		w->finds = false;
		break;
	case LEAF_LIST:
		/* Who was an alias may be in its own chain, as the user. */
		n->user_only = leaf->from == FROM_USER;
		expand_walk(w, n);
		break;
	case LEAF_NOTHING:
		if ((t = expand_target(w, &w->root, TARGET_NOTHING)) != NULL)
			t->addr = w->root.text;
		break;
	case LEAF_NONE:
		break;
	}
}

void
expand_from_leaf(struct expand_work *w)
{
	const struct leaf *leaf = w->leaf;
	struct expand_name n = { .parent = &w->root,
		.kind = NODE_USER,
		.text = leaf->name,
		.match = CONF_NONE };

	if (leaf->from == FROM_ADDR) {
		n.kind = NODE_ADDRESS;
		n.text = w->root.text;
		expand_walk(w, &n);
		w->root.match = n.match;
		return;
	}
	n.match = w->root.match = find_match(w->conf, leaf->action);
	if (n.match == CONF_NONE)
		expand_fail_conf(w, NULL, "the action that it was for is gone",
		    leaf->action);
	else
		from_name(w, &n);
}
