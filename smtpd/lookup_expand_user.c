/*
 * Expansion: users, their .forward files, and lists in files.  Runs in lookup,
 * which may read neither: they are read by a process that is the user (or
 * lookup's own, for the lists of aliases), and only for mail that was accepted.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "lookup_expand_parts.h"
#include "num.h"

#define FORWARD ".forward"

/* ---- who he is ---- */

/* It becomes a part of paths and arguments: nobody has such a name. */
static bool
is_login(const char *name)
{
	const char *p;

	if (*name == '\0' || *name == '-' || *name == '.' ||
	    strlen(name) > LOCAL_USER_MAX)
		return false;
	for (p = name; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '/' ||
		    *p == ':')
			return false;
	}
	return true;
}

static enum table_answer
ask_user(struct expand_work *w, const struct conf_action *a, const char *user,
    const char **info)
{
	if (!is_login(user))
		return TABLE_NO;
	if (a->userbase == CONF_NONE)
		return question_user(w->q, user, info);
	return question_table(w->q, a->userbase, SERVICE_USERINFO, user, info);
}

bool
expand_find_user(struct expand_work *w, struct expand_name *n,
    const struct conf_action *a, const char *user, const char **info)
{
	switch (ask_user(w, a, user, info)) {
	case TABLE_WAIT:
		w->waits = true;
		return false;
	case TABLE_UNKNOWN:
		expand_fail_table(w, n, &a->at);
		return false;
	case TABLE_NO:
		question_note(w->q, "user", &a->at, "no user \"%s\"", user);
		expand_fail_with(w, n, NEVER, "5.1.1", "no such user here");
		return false;
	case TABLE_YES:
		break;
	}
	question_note(w->q, "user", &a->at, "\"%s\" is a user", user);
	return true;
}

/* A number and a colon; false: there is none. */
static bool
take_number(const char **text, uint32_t *out)
{
	size_t len = strcspn(*text, ":");
	char number[16];
	uint64_t n;

	if ((*text)[len] != ':' ||
	    !slice_copy((struct slice){ *text, len }, number, sizeof(number)) ||
	    num_parse(number, 0, UINT32_MAX - 1, &n) != NULL)
		return false;
	*out = (uint32_t)n;
	*text += len + 1;
	return true;
}

bool
expand_user_parse(struct expand_work *w, struct expand_name *n,
    const char *name, const char *info, struct expand_user *user)
{
	const char *home = info;

	*user = (struct expand_user){ .info = info,
		.name = arena_copy(&w->q->work, name) };
	if (user->name == NULL) {
		expand_no_room(w);
		return false;
	}
	user->origin = user->name;
	if (take_number(&home, &user->uid) && take_number(&home, &user->gid) &&
	    home[0] == '/' && strlen(home) <= LOCAL_HOME_MAX) {
		user->home = home;
		return true;
	}
	expand_fail_conf(w, n, "the user's home cannot be used", info);
	return false;
}

/* ---- his .forward ---- */

enum table_answer
expand_forward(struct expand_work *w, const struct expand_user *user,
    const char *ext, const char **text, struct outcome *why)
{
	struct text_ask ask;
	int len;

	memset(&ask, 0, sizeof(ask));
	ask.what = TEXT_FORWARD;
	ask.uid = user->uid;
	ask.gid = user->gid;
	/* A stranger wrote it. */
	if (strchr(ext, '/') != NULL)
		return TABLE_NO;
	len = ext[0] == '\0' ?
	    snprintf(ask.name, sizeof(ask.name), FORWARD) :
	    snprintf(ask.name, sizeof(ask.name), FORWARD "%c%s",
		w->conf->sub_addr_delim, ext);
	if (len < 0 || (size_t)len >= sizeof(ask.name) ||
	    !slice_copy(slice_of(user->name), ask.user, sizeof(ask.user)) ||
	    !slice_copy(slice_of(user->home), ask.home, sizeof(ask.home)))
		return TABLE_NO;
	return question_text(w->q, &ask, text, why);
}

/* The one that he has: for the sub-address, else the usual one. */
static enum table_answer
find_forward(struct expand_work *w, struct expand_user *user,
    const struct expand_local *l, const char **text, struct outcome *why)
{
	enum table_answer a = TABLE_NO;

	if (l->tagged[0] != '\0') {
		a = expand_forward(w, user, l->tagged + strlen(l->user) + 1,
		    text, why);
		user->origin = arena_copy(&w->q->work, l->tagged);
		if (user->origin == NULL) {
			expand_no_room(w);
			return TABLE_WAIT;
		}
	}
	if (a == TABLE_NO) {
		user->origin = user->name;
		a = expand_forward(w, user, "", text, why);
	}
	return a;
}

/* As in OpenSMTPD: where an action delivers as somebody else, the users'
 * files are not read, but that one's. */
static bool
has_forward(const struct expand_work *w, const struct conf_action *a,
    const char *user)
{
	return a->user == 0 || strcmp(conf_text(w->conf, a->user), user) == 0;
}

static void
to_mailbox(struct expand_work *w, struct expand_name *n,
    const struct conf_action *a, const struct expand_user *user,
    const char *what)
{
	struct target *t;

	question_note(w->q, "no-forward", NULL, "%s: %s", user->name, what);
	if (a->method == METHOD_FORWARD_ONLY) {
		expand_fail_conf(w, n,
		    "the user has no .forward, and nothing is delivered here",
		    "");
		return;
	}
	/* Of a list that has become one user, he is in one part alone. */
	t = expand_target(w, n, TARGET_MAILBOX);
	if (t == NULL)
		return;
	t->user = user->name;
	t->info = user->info;
}

/* What stands below n is the file's. */
static void
open_forward(struct expand_work *w, struct expand_name *n,
    const struct conf_action *a, const struct expand_user *user,
    const char *text)
{
	struct expand_name *k = expand_keep(w, n);
	struct expand_user *of = arena_alloc(&w->q->work, sizeof(*of));
	char name[NODE_TEXT_MAX + 16];
	size_t len = strlen(text);

	if (k == NULL || of == NULL) {
		expand_no_room(w);
		return;
	}
	*of = *user;
	k->user = of;
	k->key = NULL;
	question_note(w->q, "forward", NULL, "%s: %.*s%s", user->origin,
	    (int)(len < 500 ? len : 500), text, len < 500 ? "" : "...");
	snprintf(name, sizeof(name), FORWARD " of %s", user->origin);
	if (!expand_list(w, k, text, true, name))
		to_mailbox(w, k, a, user, "nothing in .forward");
}

static void
open_user(struct expand_work *w, struct expand_name *n,
    const struct conf_action *a, const struct expand_user *found,
    const struct expand_local *l)
{
	struct expand_user user = *found;
	struct outcome why;
	const char *text;

	if (!has_forward(w, a, user.name)) {
		to_mailbox(w, n, a, &user,
		    "not asked, the action delivers as another user");
		return;
	}
	switch (find_forward(w, &user, l, &text, &why)) {
	case TABLE_WAIT:
		w->waits = true;
		break;
	case TABLE_UNKNOWN:
		expand_fail(w, n, &why);
		break;
	case TABLE_NO:
		to_mailbox(w, n, a, &user, "no .forward");
		break;
	case TABLE_YES:
		open_forward(w, n, a, &user, text);
		break;
	}
}

void
expand_open(struct expand_work *w, struct target *t)
{
	struct expand_name *n = t->name->kept;
	const struct conf_action *a = expand_action(w, n->match);
	struct expand_user user;
	struct expand_local l;
	const char *info;

	expand_split(w, n->text, strlen(n->text), &l);
	if (!expand_find_user(w, n, a, l.user, &info) ||
	    !expand_user_parse(w, n, l.user, info, &user))
		return;
	if (t->kind == TARGET_USER) {
		open_user(w, n, a, &user, &l);
		return;
	}
	if ((t = expand_target(w, n, TARGET_MAILBOX)) == NULL)
		return;
	t->user = user.name;
	t->info = user.info;
}

void
expand_check(struct expand_work *w)
{
	const struct conf_action *a;
	unsigned int checked = 0;
	struct expand_local l;
	struct target *t;
	const char *info;

	STAILQ_FOREACH(t, &w->x->targets, entry) {
		if (t->kind != TARGET_USER && t->kind != TARGET_MAILBOX)
			continue;
		if (checked++ == EXPAND_CHECKED)
			return;
		a = expand_action(w, t->match);
		expand_split(w, t->name->text, strlen(t->name->text), &l);
		(void)expand_find_user(w, t->name->kept, a, l.user, &info);
	}
}

/* ---- lists in files ---- */

static bool
ask_include(const struct expand_name *n, struct text_ask *ask)
{
	const struct expand_user *user = n->user;

	memset(ask, 0, sizeof(*ask));
	ask->what = TEXT_INCLUDE;
	ask->uid = user == NULL ? UINT32_MAX : user->uid;
	ask->gid = user == NULL ? UINT32_MAX : user->gid;
	return slice_copy(slice_of(user == NULL ? "" : user->name), ask->user,
		   sizeof(ask->user)) &&
	    slice_copy(slice_of(user == NULL ? "/" : user->home), ask->home,
		sizeof(ask->home)) &&
	    slice_copy(slice_of(n->text), ask->name, sizeof(ask->name));
}

void
expand_include(struct expand_work *w, struct expand_name *n)
{
	struct outcome why;
	struct text_ask ask;
	const char *text;

	question_note(w->q, "include", NULL, "%s%s", n->text,
	    w->x->reads ? "" : ": not read before mail is accepted");
	if (!w->x->reads) {
		w->unread = true;
		return;
	}
	if ((n = expand_keep(w, n)) == NULL)
		return;
	n->key = n->parent->key;
	if (w->files++ >= EXPAND_FILES || !ask_include(n, &ask)) {
		expand_no_room(w);
		return;
	}
	switch (question_text(w->q, &ask, &text, &why)) {
	case TABLE_WAIT:
		w->waits = true;
		break;
	case TABLE_UNKNOWN:
		expand_fail(w, NULL, &why);
		break;
	case TABLE_NO:
		expand_fail_conf(w, NULL, "a list is not there", n->text);
		break;
	case TABLE_YES:
		if (!expand_list(w, n, text, true, n->text))
			w->empty = true;
		break;
	}
}
