/*
 * What names stand for by the tables of an action: alias, virtual.  Runs in
 * lookup; what it cannot know is LATER.
 *
 * SPDX-License-Identifier: ISC
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lookup_expand_parts.h"
#include "smtp_addr.h"

enum found {
	FOUND_NOTHING,
	FOUND_SOME,
	FOUND_TROUBLE /* awaited, or it has failed: said */
};

/* Is there nothing in a value but blanks and commas? */
static bool
expand_is_empty(const char *value)
{
	return value[strspn(value, " \t\r\n,")] == '\0';
}

/* ---- who owns a list ---- */

/* The address of n, or a name on the way from it to what n is an alias for. */
static bool
is_recipient(const struct expand_work *w, const struct expand_name *n)
{
	return n->parent == NULL || n->parent == &w->root ||
	    n->parent == w->root.kept;
}

/* The first one on the way counts. */
static void
set_owner(struct expand_work *w, const struct expand_name *n, const char *owner)
{
	const char *addr;

	if (w->x->owner != NULL)
		return;
	addr = arena_printf(&w->q->work, "%.*s@%s", (int)strcspn(owner, "@"),
	    owner, smtp_addr_domain(expand_addr_of(w, n)));
	if (addr == NULL || strlen(addr) > ADDR_MAX ||
	    smtp_mailbox_check_utf8(slice_of(addr)) != NULL)
		return;
	question_note(w->q, "owner", NULL, "the sender will be <%s>", addr);
	w->x->owner = addr;
}

/*
 * RFC 5321 3.9.2: what becomes of mail to a list is for who owns the list.  The
 * message for the members has the owner's address as its sender; where the list
 * is a member itself, they get one of their own.  True: that is all of n here,
 * or it is not known.
 */
static bool
look_for_owner(struct expand_work *w, struct expand_name *n, uint32_t table,
    const char *key)
{
	char owner[NODE_TEXT_MAX + 1];
	const char *value;
	int len;

	if (!w->x->accepted || w->x->sender[0] == '\0' || key[0] == '@' ||
	    strncmp(key, "owner-", 6) == 0)
		return false;
	len = snprintf(owner, sizeof(owner), "owner-%s", key);
	if (len < 0 || (size_t)len >= sizeof(owner))
		return false;
	switch (question_table(w->q, table, SERVICE_ALIAS, owner, &value)) {
	case TABLE_WAIT:
		w->waits = true;
		return true;
	case TABLE_UNKNOWN:
		expand_fail_table(w, n, &expand_action(w, n->match)->at);
		return true;
	case TABLE_NO:
		return false;
	case TABLE_YES:
		break;
	}
	if (expand_is_empty(value))
		return false;
	if (!is_recipient(w, n)) {
		expand_target(w, n, TARGET_LIST);
		return true;
	}
	set_owner(w, n, owner);
	return false;
}

/* ---- look-ups ---- */

/* n is an alias, by this key. */
static void
open_name(struct expand_work *w, struct expand_name *n, uint32_t table,
    const char *key, const char *value)
{
	struct expand_name *k;
	char called[NODE_TEXT_MAX + 16];

	if (look_for_owner(w, n, table, key))
		return;
	if ((k = expand_keep(w, n)) == NULL)
		return;
	if ((k->key = arena_copy(&w->q->work, key)) == NULL) {
		expand_no_room(w);
		return;
	}
	snprintf(called, sizeof(called), "alias %s", key);
	(void)expand_list(w, k, value, false, called);
}

static enum found
find_value(struct expand_work *w, struct expand_name *n, uint32_t table,
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
		expand_fail_table(w, n, &expand_action(w, n->match)->at);
		return FOUND_TROUBLE;
	case TABLE_NO:
		break;
	case TABLE_YES:
		if (expand_is_empty(value))
			break;
		question_note(w->q, "alias", &row->at, "%s \"%s\" is %s", name,
		    key, value);
		open_name(w, n, table, key, value);
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

/* What the `virtual` table has for local (len bytes) at domain; domain NULL: a
 * user name, for which there is no catch-all. */
static enum found
find_virtual(struct expand_work *w, struct expand_name *n, const char *local,
    size_t len, const char *domain)
{
	uint32_t table = expand_action(w, n->match)->virtual_;
	char key[NODE_TEXT_MAX + DOMAIN_MAX + 2];
	struct expand_local l;
	enum found found;
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
		found = find_value(w, n, table, key);
		if (found != FOUND_NOTHING)
			return found;
	}
	return FOUND_NOTHING;
}

static enum found
find_alias(struct expand_work *w, struct expand_name *n)
{
	uint32_t table = expand_action(w, n->match)->alias;
	enum found found = FOUND_NOTHING;
	struct expand_local l;

	expand_split(w, n->text, strlen(n->text), &l);
	if (l.tagged[0] != '\0')
		found = find_value(w, n, table, l.tagged);
	if (found == FOUND_NOTHING)
		found = find_value(w, n, table, l.user);
	return found;
}

/* ---- what is found ---- */

void
expand_address(struct expand_work *w, struct expand_name *n)
{
	const char *domain = smtp_addr_domain(n->text);
	size_t len = (size_t)(domain - n->text) - 1;
	struct expand_name user = { .parent = n,
		.kind = NODE_USER,
		.match = n->match };
	struct expand_local l;

	if (expand_action(w, n->match)->virtual_ == CONF_NONE) {
		expand_split(w, n->text, len, &l);
		user.text = l.tagged[0] != '\0' ? l.tagged : l.user;
		expand_add(w, &user);
	} else if (find_virtual(w, n, n->text, len, domain) == FOUND_NOTHING)
		expand_fail_with(w, n, NEVER, "5.1.1", "no such user here");
}

/* Nothing expands it: it is a user, or nobody. */
static void
at_user(struct expand_work *w, struct expand_name *n)
{
	const struct conf_action *a = expand_action(w, n->match);
	bool same = n->kind == NODE_SAME;

	if (a->method == METHOD_EXPAND_ONLY) {
		question_note(w->q, "user", &a->at,
		    "\"%s\" has no mailbox: the action is expand-only",
		    n->text);
		expand_fail_with(w, n, NEVER, "5.1.1", "no such user here");
		return;
	}
	if (same && a->method == METHOD_FORWARD_ONLY) {
		expand_fail_conf(w, n, "nothing is delivered on this host",
		    "the action is forward-only");
		return;
	}
	if (!same && !n->user_only) {
		/* He may be there already, as one who is no alias. */
		n->user_only = true;
		if (expand_was_met(w, n))
			return;
	}
	expand_target(w, n, same ? TARGET_MAILBOX : TARGET_USER);
}

void
expand_user(struct expand_work *w, struct expand_name *n)
{
	const struct conf_action *a = expand_action(w, n->match);
	enum found found = FOUND_NOTHING;

	question_note(w->q, "name", &a->at, "%s%s", n->text,
	    n->kind == NODE_SAME ? ": his mailbox" :
		n->user_only     ? ": as a user" :
				   "");
	if (n->kind != NODE_USER || n->user_only)
		;
	else if (a->alias != CONF_NONE)
		found = find_alias(w, n);
	else if (a->virtual_ != CONF_NONE)
		found = find_virtual(w, n, n->text, strlen(n->text), NULL);
	if (found == FOUND_NOTHING)
		at_user(w, n);
}
