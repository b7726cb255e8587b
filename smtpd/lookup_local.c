/*
 * Mailboxes, commands and files: as whom, where, and by which route.  Runs in
 * lookup; whether it may be so is spawn's to say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_local.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "lookup_leaf.h"
#include "num.h"

#define HASH_LEN 17 /* behind a route that is cut */

static void
later(struct route_is *is, const char *text, const char *more)
{
	is->route[0] = '\0';
	memset(&is->local, 0, sizeof(is->local));
	outcome_set(&is->outcome, LATER, WIDTH_RCPT, 0, "4.3.5", "%s%s%s", text,
	    more[0] == '\0' ? "" : ": ", more);
	outcome_of_us(&is->outcome, CAUSE_CONFIG, STAGE_LOOKUP);
}

/* ---- names of routes ---- */

/* One that does not fit is cut, and has a hash of all of it at its end. */
static void
print_route(const char *kind, const char *text, char out[ROUTE_MAX + 1])
{
	size_t n = strlen(kind), room = ROUTE_MAX - n, len;
	char word[3 * (LOCAL_TEXT_MAX + 1) + 1];

	len = leaf_word(text, word, sizeof(word));
	memcpy(out, kind, n);
	if (len <= room) {
		memcpy(out + n, word, len);
		out[n + len] = '\0';
		return;
	}
	memcpy(out + n, word, room - HASH_LEN);
	snprintf(out + ROUTE_MAX - HASH_LEN, HASH_LEN + 1, "#%016llX",
	    (unsigned long long)XXH3_64bits(text, strlen(text)));
}

static void
print_pair(const char *kind, const char *one, const char *other,
    char out[ROUTE_MAX + 1])
{
	char text[LOCAL_TEXT_MAX + 1];

	snprintf(text, sizeof(text), "%s/%s", one, other);
	print_route(kind, text, out);
}

/* ---- as whom ---- */

/* "uid:gid:home" as it was checked, or as it comes from a table.  False: it is
 * not that. */
static bool
read_info(const char *info, uint32_t *uid, uint32_t *gid,
    char home[LOCAL_HOME_MAX + 1])
{
	uint32_t *out[] = { uid, gid };
	char number[16];
	uint64_t n;
	size_t i, len;

	for (i = 0; i < 2; i++) {
		len = strcspn(info, ":");
		if (info[len] != ':' ||
		    !slice_copy((struct slice){ info, len }, number,
			sizeof(number)) ||
		    num_parse(number, 0, UINT32_MAX - 1, &n) != NULL)
			return false;
		*out[i] = (uint32_t)n;
		info += len + 1;
	}
	return slice_copy(slice_of(info), home, LOCAL_HOME_MAX + 1);
}

/* A user of the system, by a name of the configuration.  False: a table is
 * awaited; *info is NULL if there is none, as said. */
static bool
find_other(struct question *q, const char *name, const char **info,
    struct route_is *is)
{
	switch (question_user(q, name, info)) {
	case TABLE_WAIT:
		return false;
	case TABLE_YES:
		return true;
	case TABLE_NO:
		later(is, "there is no user", name);
		break;
	case TABLE_UNKNOWN:
		later(is, "the users of the system cannot be asked now", "");
		is->outcome.cause = CAUSE_SYSTEM;
		break;
	}
	*info = NULL;
	return true;
}

/* It runs as a user that the configuration names.  False: awaited. */
static bool
as_other(struct question *q, const char *name, struct route_is *is)
{
	struct local_to *to = &is->local;
	char home[LOCAL_HOME_MAX + 1];
	const char *info;

	if (!find_other(q, name, &info, is))
		return false;
	if (info == NULL)
		return true;
	if (!read_info(info, &to->uid, &to->gid, home) ||
	    !slice_copy(slice_of(name), to->as, sizeof(to->as))) {
		later(is, "a user that cannot be used", name);
		return true;
	}
	to->flags |= LOCAL_OTHER;
	/* Nobody else's mailbox it is. */
	if (to->user[0] == '\0') {
		memcpy(to->user, to->as, sizeof(to->user));
		memcpy(to->home, home, sizeof(to->home));
	}
	return true;
}

/* ---- where ---- */

/* Root's mail goes into a file that root opens, or nowhere. */
static bool
check_root(const struct conf_action *a, const struct target *t,
    struct route_is *is)
{
	const struct local_to *to = &is->local;

	if (to->uid != 0 ||
	    (t->kind == TARGET_MAILBOX && a->method == METHOD_MBOX &&
		(to->flags & LOCAL_OTHER) == 0))
		return true;
	later(is, "mail for root needs an alias", "");
	return false;
}

static bool
to_mailbox(struct question *q, const struct expansion *x,
    const struct target *t, const struct conf_action *a, struct route_is *is)
{
	const struct conf *c = q->all->conf;
	struct local_to *to = &is->local;

	if (t->info == NULL ||
	    !slice_copy(slice_of(t->user), to->user, sizeof(to->user))) {
		later(is, "the user is not known", "");
		return true;
	}
	if (!read_info(t->info, &to->uid, &to->gid, to->home)) {
		later(is, "the user's home cannot be used", t->info);
		return true;
	}
	to->what = LOCAL_MAILBOX;
	if ((x->facts->flags & FACT_JUNK) != 0)
		to->flags |= LOCAL_JUNK;
	print_pair("local:", conf_text(c, a->name), t->user, is->route);
	return a->user == 0 || as_other(q, conf_text(c, a->user), is);
}

/* The server at the other end delivers, as whoever it likes.  deliver says the
 * user's name alone, which is what stands before the `@`, or with `rcpt-to` all
 * of the address. */
static void
to_lmtp(struct question *q, const struct expansion *x, const struct target *t,
    const struct conf_action *a, struct route_is *is)
{
	const struct conf *c = q->all->conf;
	const char *at = strrchr(x->rcpt, '@');
	size_t len = at == NULL ? strlen(x->rcpt) : (size_t)(at - x->rcpt);
	int n = 0;

	print_route("lmtp:", conf_text(c, a->name), is->route);
	if (a->lmtp_rcpt_to && strcmp(t->addr, x->rcpt) != 0)
		n = snprintf(is->rcpt, sizeof(is->rcpt), "%s", t->addr);
	else if (!a->lmtp_rcpt_to &&
	    (len != strlen(t->user) || strncmp(x->rcpt, t->user, len) != 0))
		n = snprintf(is->rcpt, sizeof(is->rcpt), "%s@%s", t->user,
		    conf_mail_name(c));
	if (n < 0 || (size_t)n >= sizeof(is->rcpt))
		later(is, "the user's address is too long", "");
}

/* A command or file of a .forward is that user's, one of an alias somebody's
 * who may do little. */
static bool
to_local(struct question *q, const struct target *t,
    const struct conf_action *a, struct route_is *is)
{
	const struct conf *c = q->all->conf;
	const char *text = t->kind == TARGET_NOTHING ? "/dev/null" : t->text;
	struct local_to *to = &is->local;
	char hash[16];

	to->what = t->kind == TARGET_PIPE ? LOCAL_PIPE : LOCAL_FILE;
	if (!slice_copy(slice_of(text), to->text, sizeof(to->text))) {
		later(is, "a command or path that is too long", "");
		return true;
	}
	if (t->user == NULL) {
		if (!as_other(q,
			a->user == 0 ? LOCAL_NOBODY : conf_text(c, a->user),
			is))
			return false;
		if (to->as[0] == '\0')
			return true;
	} else if (!slice_copy(slice_of(t->user), to->user, sizeof(to->user)) ||
	    !read_info(t->info, &to->uid, &to->gid, to->home)) {
		later(is, "the user is not known", t->user);
		return true;
	}
	snprintf(hash, sizeof(hash), "%08X", leaf_hash(text));
	if (t->kind == TARGET_PIPE)
		print_pair("program:", to->user, hash, is->route);
	else
		print_route("file:", text, is->route);
	return true;
}

bool
local_route(struct question *q, const struct expansion *x,
    const struct target *t, const struct conf_action *a, struct route_is *is)
{
	bool known = true;

	/* A mailbox for who is there no more: the method has changed. */
	if (t->kind == TARGET_MAILBOX &&
	    (a->method == METHOD_RELAY || a->method == METHOD_EXPAND_ONLY ||
		a->method == METHOD_FORWARD_ONLY)) {
		later(is, "the action delivers nothing on this host", "");
		return true;
	}
	if (t->kind == TARGET_MAILBOX && a->method == METHOD_LMTP)
		to_lmtp(q, x, t, a, is);
	else if (t->kind == TARGET_MAILBOX)
		known = to_mailbox(q, x, t, a, is);
	else
		known = to_local(q, t, a, is);
	if (known && is->route[0] != '\0' && is->local.what != LOCAL_NONE)
		(void)check_root(a, t, is);
	return known;
}

/* ---- for smtpctl explain ---- */

static const char *const methods[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};

void
local_note(struct question *q, const struct target *t,
    const struct conf_action *a, const struct route_is *is)
{
	const struct local_to *to = &is->local;
	const char *as = to->flags & LOCAL_OTHER ? to->as : to->user;
	const char *arg = conf_text(q->all->conf, a->arg);

	switch (to->what) {
	case LOCAL_MAILBOX:
		question_note(q, "mailbox", &a->at,
		    "%s%s%s of %s, home %s, as %s (uid %u, gid %u)",
		    methods[a->method], arg[0] == '\0' ? "" : " ", arg,
		    to->user, to->home, as, to->uid, to->gid);
		break;
	case LOCAL_PIPE:
		question_note(q, "program", &a->at,
		    "%s, as %s (uid %u, gid %u)", to->text, as, to->uid,
		    to->gid);
		break;
	case LOCAL_FILE:
		question_note(q, "file", &a->at, "%s, as %s (uid %u, gid %u)",
		    to->text, as, to->uid, to->gid);
		break;
	default:
		question_note(q, "mailbox", &a->at, "%s %s, for %s",
		    methods[a->method], arg, t->user);
		break;
	}
}
