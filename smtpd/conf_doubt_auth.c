/*
 * What smtpd.conf may say about who sent mail, and is hardly meant: of results
 * that nobody finds.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "conf_parse.h"

/* What each statement is called. */
static const char *const said_words[CONF_SAIDS] = {
	[CONF_SAID_SPF] = "spf",
	[CONF_SAID_DMARC] = "dmarc",
	[CONF_SAID_ARC] = "arc",
};

/* Of the mail of this listener: everybody is one of ours. */
static bool
has_no_strangers(const struct conf_listen *l)
{
	return l->local || l->submission || l->auth == AUTH_NEEDED;
}

/* Is there a listener whose mail is verified?  Warns of those that say so and
 * have nobody to verify. */
static bool
look_at_listeners(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(struct conf_listen));
	struct conf_at last = { 0 };
	const struct conf_listen *l;
	bool verifies = false;

	for (i = 0; i < n; i++) {
		l = conf_item(&p->listen, i, sizeof(*l));
		verifies = verifies || l->auth_results;
		if (!l->auth_results || !has_no_strangers(l) ||
		    (l->at.line == last.line && l->at.file == last.file))
			continue;
		last = l->at;
		conf_warn(p, &l->at,
		    "found `auth-results` with `%s`, where all mail is our own, and only that of strangers is verified",
		    l->submission ? "submission" : "auth");
	}
	return verifies;
}

/* The first condition of a rule between two kinds that stands without a `!`,
 * or NULL. */
static const struct conf_cond *
find_cond(const struct conf_parser *p, const struct conf_match *m,
    uint64_t kinds)
{
	const struct conf_cond *c;
	uint32_t i;

	for (i = 0; i < m->cond.n; i++) {
		c = conf_item(&p->cond, m->cond.off + i, sizeof(*c));
		if (kinds & UINT64_C(1) << c->kind)
			return c;
	}
	return NULL;
}

#define BIT(name) (UINT64_C(1) << COND_##name)
#define RESULTS   (BIT(SPF) | BIT(DKIM) | BIT(DMARC) | BIT(ARC))
#define OURS      (BIT(FROM_LOCAL) | BIT(FROM_SOCKET) | BIT(FROM_AUTH) | BIT(AUTH))

static void
look_at_rule(struct conf_parser *p, const struct conf_match *m, bool verifies)
{
	const struct conf_cond *ours;

	if (find_cond(p, m, RESULTS) == NULL)
		return;
	if (!verifies) {
		conf_warn(p, &m->at,
		    "found `auth-results` in a rule, but on no listener, so that this rule never holds: expected `listen on ... auth-results`");
		return;
	}
	/* Another rule may be for what aliases send on. */
	ours = find_cond(p, m, OURS);
	if (ours == NULL || ours->not_ || (!m->reject && !m->junk && !m->hold))
		return;
	conf_warn(p, &m->at,
	    "found `auth-results` in a rule for our own mail%s, which is not verified, so that it never holds: expected `from any`",
	    ours->kind == COND_FROM_LOCAL ?
		" (`from local`, as where no `from` is said)" :
		"");
}

/* Behind `auth` or `rdns` a word that is not reserved is a name, as in
 * OpenSMTPD; `hold` was hardly meant so. */
static void
look_for_names(struct conf_parser *p, const struct conf_match *m)
{
	const struct conf_cond *c;
	const struct conf_table *t;
	const struct conf_entry *e;
	uint32_t i;

	for (i = 0; i < m->cond.n; i++) {
		c = conf_item(&p->cond, m->cond.off + i, sizeof(*c));
		if ((c->kind != COND_AUTH && c->kind != COND_FROM_AUTH &&
			c->kind != COND_FROM_RDNS) ||
		    c->table == CONF_NONE)
			continue;
		t = conf_item(&p->table, c->table, sizeof(*t));
		if (t->name != 0 || t->entries.n != 1)
			continue;
		e = conf_item(&p->entry, t->entries.off, sizeof(*e));
		if (strcmp(conf_pool_text(p, e->key), "hold") == 0)
			conf_warn(p, &m->at,
			    "`%s`: `hold` behind it is taken for a name, as OpenSMTPD takes it: to hold mail, write it before that",
			    c->kind == COND_FROM_RDNS ? "rdns" : "auth");
	}
}

void
conf_doubt_auth(struct conf_parser *p)
{
	bool verifies = look_at_listeners(p);
	uint32_t i, n = conf_count(&p->match, sizeof(struct conf_match));
	const struct conf_match *m;

	for (i = 0; i < CONF_SAIDS && !verifies; i++) {
		if (conf_auth_says(&p->f.conf, (enum conf_said)i))
			conf_warn(p, &p->said[i],
			    "found `%s`, but no mail is verified: expected `listen on ... auth-results`",
			    said_words[i]);
	}
	if (p->f.conf.dmarc_temperror == DMARC_TEMPERROR_LATER &&
	    p->f.conf.dmarc_reject != DMARC_ACT_REJECT &&
	    p->f.conf.dmarc_quarantine != DMARC_ACT_REJECT)
		conf_warn(p, &p->said[CONF_SAID_TEMPERROR],
		    "found `dmarc temperror later`, but nothing would be refused, so that nothing waits: expected `dmarc reject reject` with it");
	for (i = 0; i < n; i++) {
		m = conf_item(&p->match, i, sizeof(*m));
		look_at_rule(p, m, verifies);
		look_for_names(p, m);
	}
}
