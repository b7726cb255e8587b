/*
 * Expansion: the elements of a table's value, a .forward file or a list in a
 * file.  Runs in lookup, over text that an operator or a user wrote: what
 * cannot be read makes all of it wait, since nobody knows who was meant.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "lookup_expand_parts.h"

/* A value is one line. */
struct elements {
	struct slice rest, line;
	bool is_file;
	uint32_t number; /* of the line */
};

static struct elements
elements_of(const char *text, bool is_file)
{
	struct elements e = { .is_file = is_file };

	*(is_file ? &e.rest : &e.line) = slice_of(text);
	return e;
}

/* False: there is no more.  *why: NULL, or why it cannot be read. */
static bool
next_element(struct elements *e, struct node *node, const char **why)
{
	for (;;) {
		if (e->line.len > 0) {
			*why = node_next(&e->line, node);
			if (*why != NULL || node->kind != NODE_END)
				return true;
		}
		if (!e->is_file || !node_line(&e->rest, &e->line, &e->number))
			return false;
	}
}

/* A list in a file fails as a whole with what it stands in. */
static struct expand_name *
to_blame(struct expand_name *n)
{
	return n->kind == NODE_INCLUDE ? NULL : n;
}

static void
cannot_read(struct expand_work *w, struct expand_name *n,
    const struct elements *e, const char *name, const char *why)
{
	char more[OUTCOME_TEXT_MAX];

	if (e->is_file)
		snprintf(more, sizeof(more), "%s line %u: %s", name, e->number,
		    why);
	else
		snprintf(more, sizeof(more), "%s: %s", name, why);
	expand_fail_conf(w, to_blame(n),
	    "what this recipient stands for cannot be understood", more);
}

/* A command, a file, a list in a file: may it stand there?  NULL, or why not;
 * *more is for the operator. */
static const char *
check_local(const struct expand_work *w, const struct expand_name *n,
    const struct node *node, const char **more)
{
	bool is_include = node->kind == NODE_INCLUDE;

	*more = "";
	if (node->kind != NODE_PIPE && node->kind != NODE_FILE && !is_include)
		return NULL;
	if (n->user != NULL && n->user->uid == 0)
		return "root's .forward may have addresses and users only";
	*more = "the action is forward-only";
	if (!is_include &&
	    expand_action(w, n->match)->method == METHOD_FORWARD_ONLY)
		return "nothing is delivered on this host";
	*more = is_include ?
	    "a list in a file that is not named by its whole path" :
	    "a command that is empty";
	if (is_include ? node->text[0] != '/' : node->text[0] == '\0')
		return "what this recipient stands for cannot be understood";
	return NULL;
}

/*
 * Is it a list to be gone through?  *any: it has elements.  An error in it, or
 * :blackhole:, is all that it says; and what is wrong is found before any of it
 * becomes a target, since n fails as a whole, and is tried again as a whole.
 */
static bool
is_list(struct expand_work *w, struct expand_name *n, struct elements e,
    const char *name, bool *any)
{
	const char *why = NULL, *more;
	struct outcome o;
	struct node node;

	*any = false;
	while (next_element(&e, &node, &why)) {
		*any = true;
		if (why != NULL) {
			cannot_read(w, n, &e, name, why);
			return false;
		}
		if (node.kind == NODE_ERROR || node.kind == NODE_DEFER) {
			node_error(&node, &o);
			expand_fail(w, to_blame(n), &o);
			return false;
		}
		if ((why = check_local(w, n, &node, &more)) != NULL) {
			expand_fail_conf(w, to_blame(n), why, more);
			return false;
		}
		if (node.kind == NODE_NOTHING) {
			w->holes = true;
			question_note(w->q, "nobody", NULL,
			    "%s: :blackhole:", name);
			return false;
		}
	}
	return *any;
}

/* The name of an alias or user that a list in a file is for; else n. */
static struct expand_name *
expand_above(struct expand_name *n)
{
	while (n->kind == NODE_INCLUDE && n->parent != NULL)
		n = n->parent;
	return n;
}

/* ---- each element ---- */

/* Who is named in his own .forward, or alias, is the user. */
static void
add_user(struct expand_work *w, struct expand_name *n)
{
	struct expand_name *of = expand_above(n->parent);
	struct expand_local l;

	expand_split(w, n->text, strlen(n->text), &l);
	if (n->parent->user != NULL &&
	    strcmp(n->parent->user->name, l.user) == 0)
		n->kind = NODE_SAME;
	else if (strcmp(of->text, n->text) == 0 ||
	    (of->key != NULL && strcmp(of->key, n->text) == 0))
		n->user_only = true;
	expand_add(w, n);
}

/* The command or file that a leaf is about? */
static void
look_at(struct expand_work *w, const struct expand_name *n)
{
	enum leaf_kind kind = n->kind == NODE_PIPE ? LEAF_PIPE : LEAF_FILE;
	const char *copy;

	if (w->leaf->kind != kind || w->is_found)
		return;
	if ((copy = arena_copy(&w->q->work, n->text)) == NULL)
		return;
	w->found = copy;
	w->n_found++;
	w->is_found = leaf_hash(n->text) == w->leaf->hash;
}

static void
add_local(struct expand_work *w, struct expand_name *n)
{
	bool is_pipe = n->kind == NODE_PIPE;
	struct target *t;

	if (w->finds) {
		look_at(w, n);
		return;
	}
	question_note(w->q, is_pipe ? "program" : "file", NULL, "%s", n->text);
	if (expand_was_met(w, n))
		return;
	t = expand_target(w, n, is_pipe ? TARGET_PIPE : TARGET_FILE);
	if (t == NULL)
		return;
	t->text = t->name->text;
	t->user = n->user == NULL ? NULL : n->user->name;
	t->info = n->user == NULL ? NULL : n->user->info;
}

static void
add_element(struct expand_work *w, struct expand_name *parent,
    const struct node *node)
{
	struct expand_name n = { .parent = parent,
		.kind = node->kind,
		.match = parent->match,
		.text = node->text,
		/* Where a command was found is where it is found again. */
		.user = parent->user };

	switch (node->kind) {
	case NODE_USER:
		if (!w->finds)
			add_user(w, &n);
		break;
	case NODE_ADDRESS:
	case NODE_SAME:
		if (!w->finds)
			expand_add(w, &n);
		break;
	case NODE_INCLUDE:
		expand_add(w, &n);
		break;
	case NODE_PIPE:
	case NODE_FILE:
		add_local(w, &n);
		break;
	case NODE_END:
	case NODE_ERROR:
	case NODE_DEFER:
	case NODE_NOTHING:
		break;
	}
}

bool
expand_list(struct expand_work *w, struct expand_name *n, const char *text,
    bool is_file, const char *name)
{
	struct elements e = elements_of(text, is_file);
	const char *why = NULL;
	struct node node;
	bool any;

	if (!is_list(w, n, e, name, &any))
		return any;
	while (!w->full && !w->over && next_element(&e, &node, &why))
		add_element(w, n, &node);
	return true;
}
