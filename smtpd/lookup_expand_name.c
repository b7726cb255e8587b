/*
 * What names stand for by the tables of an action: alias, virtual, userbase.
 * Runs in lookup; reads no file, and what it cannot know is LATER.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_expand_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct conf_action *
expand_action(const struct expand_work *w, uint32_t match)
{
	return CONF_ACTION(w->conf, CONF_MATCH(w->conf, match)->action);
}

/* By enum node_kind: why it is later. */
static const char *const not_here[] = {
	[NODE_FILE] = "delivery to a file is not in this version",
	[NODE_PIPE] = "delivery to a program is not in this version",
	[NODE_INCLUDE] = "lists in files of their own are not in this version",
};

/* The elements of a table's value. */
static void
add_value(struct expand_work *w, const struct expand_name *parent,
    uint32_t match, const char *value)
{
	struct slice rest = slice_of(value);
	struct outcome o;
	struct node node;
	const char *why;

	while (rest.len > 0 && !w->full) {
		if ((why = node_next(&rest, &node)) != NULL) {
			question_note(w->q, "bad", NULL, "%s", why);
			expand_fail_with(w, LATER, "4.3.5",
			    "what this recipient stands for cannot be understood");
			continue;
		}
		if (node.kind == NODE_ERROR) {
			node_error(node.text, &o);
			expand_fail(w, &o);
		} else if (not_here[node.kind] != NULL)
			expand_fail_with(w, LATER, "4.3.5",
			    not_here[node.kind]);
		else if (node.kind != NODE_END)
			expand_add(w, parent, match, node.kind, node.text);
	}
}

/* ---- look-ups ---- */

/* Is there anything in it but blanks and commas? */
static bool
is_empty(const char *value)
{
	return value[strspn(value, " \t\r\n,")] == '\0';
}

static enum expand_found
find_value(struct expand_work *w, const struct expand_name *n, uint32_t match,
    uint32_t table, const char *key)
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
		expand_fail_table(w, &expand_action(w, match)->at);
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

void
expand_split(const struct expand_work *w, const char *text, size_t len,
    struct expand_local *l)
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

enum expand_found
expand_virtual(struct expand_work *w, const struct expand_name *n,
    uint32_t match, const char *local, size_t len, const char *domain)
{
	uint32_t table = expand_action(w, match)->virtual_;
	char key[NODE_TEXT_MAX + DOMAIN_MAX + 2];
	struct expand_local l;
	enum expand_found found;
	size_t i;

	expand_split(w, local, len, &l);
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

static enum expand_found
find_alias(struct expand_work *w, const struct expand_name *n)
{
	uint32_t table = expand_action(w, n->match)->alias;
	enum expand_found found = FOUND_NOTHING;
	struct expand_local l;

	expand_split(w, n->text, strlen(n->text), &l);
	if (l.tagged[0] != '\0')
		found = find_value(w, n, n->match, table, l.tagged);
	if (found == FOUND_NOTHING)
		found = find_value(w, n, n->match, table, l.user);
	return found;
}

/* ---- a user ---- */

static enum table_answer
find_user(struct expand_work *w, const struct conf_action *a, const char *user)
{
	const char *value;

	if (a->userbase == CONF_NONE)
		return question_user(w->q, user, &value);
	return question_table(w->q, a->userbase, SERVICE_USERINFO, user,
	    &value);
}

/* Nothing expands it: it is a user, or nobody. */
static void
at_user(struct expand_work *w, const struct expand_name *n)
{
	const struct conf_action *a = expand_action(w, n->match);
	struct expand_local l;

	expand_split(w, n->text, strlen(n->text), &l);
	switch (find_user(w, a, l.user)) {
	case TABLE_WAIT:
		w->waits = true;
		return;
	case TABLE_UNKNOWN:
		expand_fail_table(w, &a->at);
		return;
	case TABLE_NO:
		question_note(w->q, "user", &a->at, "no user \"%s\"", l.user);
		expand_fail_with(w, NEVER, "5.1.1", "no such user here");
		return;
	case TABLE_YES:
		break;
	}
	question_note(w->q, "user", &a->at, "\"%s\" is a user", l.user);
	/* An action that delivers here would add its target. */
	expand_fail_with(w, LATER, "4.3.5",
	    "the .forward file of a user is not read in this version");
}

void
expand_user(struct expand_work *w, const struct expand_name *n)
{
	const struct conf_action *a = expand_action(w, n->match);
	enum expand_found found = FOUND_NOTHING;

	question_note(w->q, "name", &a->at, "%s%s", n->text,
	    n->kind == NODE_SAME ? ": as a user" : "");
	if (n->kind == NODE_USER && a->alias != CONF_NONE)
		found = find_alias(w, n);
	else if (n->kind == NODE_USER && a->virtual_ != CONF_NONE)
		found = expand_virtual(w, n, n->match, n->text, strlen(n->text),
		    NULL);
	if (found == FOUND_NOTHING)
		at_user(w, n);
}
