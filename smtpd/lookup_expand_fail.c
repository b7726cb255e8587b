/*
 * Expansion: what comes to nothing, and in which words.  Runs in lookup.  A
 * stranger is told of no file of this host.
 *
 * When a recipient comes in, one part that fails makes the whole fail, as in
 * OpenSMTPD: later if any part is later, else never.  When it was accepted, a
 * name that fails beside others goes a way of its own, and keeps nobody from
 * his mail.
 *
 * SPDX-License-Identifier: ISC
 */

#include "lookup_expand_parts.h"

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

/* The recipient, or the one name that it has become: it would be tried again in
 * every message that comes out of this one. */
static bool
is_recipient(const struct expand_work *w, const struct expand_name *n)
{
	const struct expand_name *up = n->parent;

	return up == NULL ||
	    (up->parent == NULL &&
		(w->root.kept == NULL || w->root.kept->key == NULL));
}

/* It may go a way of its own. */
static void
remember(struct expand_work *w, struct expand_name *n)
{
	if (n == NULL || is_recipient(w, n)) {
		w->whole = true;
		return;
	}
	if (!w->x->accepted || (n = expand_keep(w, n)) == NULL || n->failed)
		return;
	n->failed = true;
	w->n_failed++;
	STAILQ_INSERT_TAIL(&w->failed, n, entry);
}

void
expand_fail(struct expand_work *w, struct expand_name *n,
    const struct outcome *o)
{
	struct outcome *have = &w->x->outcome;

	question_note(w->q, o->verdict == LATER ? "later" : "never", NULL,
	    "%u %u.%u.%u %s", o->code, o->ecode[0], o->ecode[1], o->ecode[2],
	    o->text);
	w->n_seen++;
	if (n != NULL && !expand_is_mine(w, n->text))
		return;
	remember(w, n);
	if (have->verdict == LATER ||
	    (have->verdict == NEVER && o->verdict == NEVER))
		return;
	*have = *o;
	if (have->cause == CAUSE_NONE)
		have->cause = (uint8_t)cause_of(have);
	have->stage = STAGE_LOOKUP;
}

void
expand_fail_with(struct expand_work *w, struct expand_name *n, enum verdict v,
    const char *ecode, const char *text)
{
	struct outcome o;

	outcome_set(&o, v, WIDTH_RCPT, v == LATER ? 451 : 550, ecode, "%s",
	    text);
	expand_fail(w, n, &o);
}

void
expand_fail_conf(struct expand_work *w, struct expand_name *n, const char *text,
    const char *more)
{
	bool tell = w->x->accepted && more[0] != '\0';
	struct outcome o;

	if (!w->x->accepted && more[0] != '\0')
		question_note(w->q, "bad", NULL, "%s", more);
	outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.5", "%s%s%s", text,
	    tell ? ": " : "", tell ? more : "");
	expand_fail(w, n, &o);
}

void
expand_no_room(struct expand_work *w)
{
	if (!w->full)
		expand_fail_with(w, NULL, LATER, "4.2.4",
		    "this recipient stands for too many others");
	w->full = true;
}

/* A table cannot answer: the operator is told of which line, a stranger
 * not. */
void
expand_fail_table(struct expand_work *w, struct expand_name *n,
    const struct conf_at *at)
{
	char where[CONF_AT_MAX];
	struct outcome o;

	/* It would, but we have asked enough. */
	if (w->q->lookups > QUESTION_LOOKUPS) {
		expand_no_room(w);
		return;
	}
	if (w->x->accepted)
		outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.0",
		    "a table that %s needs cannot answer now",
		    conf_at_print(w->conf, at, where, sizeof(where)));
	else
		outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.0",
		    "a table that is needed for this recipient cannot answer now");
	expand_fail(w, n, &o);
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

void
expand_fail_rule(struct expand_work *w, struct expand_name *n, const char *text)
{
	char addr[ADDR_MAX + 1];
	struct outcome o;

	outcome_set(&o, NEVER, WIDTH_RCPT, 550, "5.7.1", "%s: <%s>", text,
	    plain(w->x->rcpt, addr));
	expand_fail(w, n, &o);
}
