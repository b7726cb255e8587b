/*
 * Rules of smtpd.conf: `match`.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <assert.h>

#include "conf_parse.h"

/* What a condition asks its table.  Columns: shape that the table must have,
 * service. */
static const struct {
	enum conf_shape shape;
	enum conf_service service;
} conds[CONDS] = {
	[COND_FROM_AUTH] = { SHAPE_ANY, SERVICE_STRING },
	[COND_FROM_MAIL_FROM] = { SHAPE_ANY, SERVICE_MAILADDR },
	[COND_FROM_RDNS] = { SHAPE_LIST, SERVICE_DOMAIN },
	[COND_FROM_SRC] = { SHAPE_LIST, SERVICE_NETADDR },
	[COND_FOR_DOMAIN] = { SHAPE_LIST, SERVICE_DOMAIN },
	[COND_FOR_RCPT_TO] = { SHAPE_ANY, SERVICE_MAILADDR },
	[COND_AUTH] = { SHAPE_ANY, SERVICE_STRING },
	[COND_HELO] = { SHAPE_LIST, SERVICE_DOMAIN },
	[COND_MAIL_FROM] = { SHAPE_ANY, SERVICE_MAILADDR },
	[COND_RCPT_TO] = { SHAPE_ANY, SERVICE_MAILADDR },
	[COND_TAG] = { SHAPE_LIST, SERVICE_STRING },
};

/* Columns: a condition, and that in `from` or `for` which says the same. */
static const struct {
	enum conf_cond_kind cond, from;
	const char *word;
} same[] = {
	{ COND_AUTH, COND_FROM_AUTH, "auth" },
	{ COND_MAIL_FROM, COND_FROM_MAIL_FROM, "mail-from" },
	{ COND_RCPT_TO, COND_FOR_RCPT_TO, "rcpt-to" },
};

static void
add_cond(struct conf_parser *p, struct conf_cond c)
{
	/* Each word once: there is room for all. */
	assert(p->f.stmt.conds < CONF_COND_MAX);
	p->f.stmt.cond[p->f.stmt.conds++] = c;
}

/* With a set behind it if there must or may be one. */
static bool
read_cond(struct conf_parser *p, const struct conf_word *w, bool must)
{
	struct conf_cond c = { .kind = (uint8_t)w->value, .table = CONF_NONE };
	enum conf_service service = conds[c.kind].service;
	enum conf_shape shape = conds[c.kind].shape;

	c.not_ = w->place == PLACE_MATCH ? p->negated : p->f.stmt.not_;
	if (conf_lex_is(&p->lex, "regex")) {
		conf_lex_next(&p->lex);
		c.regex = 1;
		service = SERVICE_REGEX;
		shape = SHAPE_LIST;
	}
	p->use = w->word;
	if ((must || c.regex || conf_is_set(p)) &&
	    !conf_set(p,
		c.regex ? "a regular expression, <table> or { list }" : w->what,
		service, shape, &c.table))
		return false;
	add_cond(p, c);
	return true;
}

bool
conf_read_cond(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_cond c = { .kind = (uint8_t)w->value, .table = CONF_NONE };

	c.not_ = w->place == PLACE_MATCH ? p->negated : p->f.stmt.not_;
	add_cond(p, c);
	return true;
}

bool
conf_read_cond_maybe(struct conf_parser *p, const struct conf_word *w)
{
	return read_cond(p, w, false);
}

bool
conf_read_cond_set(struct conf_parser *p, const struct conf_word *w)
{
	return read_cond(p, w, true);
}

/* The condition of this kind, or NULL; last: one from kind to last. */
static const struct conf_cond *
find_cond(const struct conf_parser *p, enum conf_cond_kind kind,
    enum conf_cond_kind last)
{
	uint32_t i;

	for (i = 0; i < p->f.stmt.conds; i++) {
		if (p->f.stmt.cond[i].kind >= kind &&
		    p->f.stmt.cond[i].kind <= last)
			return &p->f.stmt.cond[i];
	}
	return NULL;
}

static bool
check_conds(struct conf_parser *p)
{
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		if (find_cond(p, same[i].cond, same[i].cond) != NULL &&
		    find_cond(p, same[i].from, same[i].from) != NULL)
			return conf_refuse(p,
			    "found `%s` twice, alone and behind `%s`, expected it once",
			    same[i].word,
			    same[i].from == COND_FOR_RCPT_TO ? "for" : "from");
	}
	return true;
}

static void
add_row(struct conf_parser *p, struct conf_cond c)
{
	buf_add(&p->cond, &c, sizeof(c));
	p->f.stmt.match.cond.n++;
}

bool
conf_match_end(struct conf_parser *p)
{
	struct conf_match *m = &p->f.stmt.match;
	struct conf_cond implicit = { .implicit = 1, .table = CONF_NONE };
	uint32_t i;

	if (!check_conds(p))
		return false;
	m->at = conf_here(p);
	m->cond.off = conf_count(&p->cond, sizeof(struct conf_cond));
	implicit.kind = COND_FROM_LOCAL;
	if (find_cond(p, COND_FROM_ANY, COND_FROM_SRC) == NULL)
		add_row(p, implicit);
	implicit.kind = COND_FOR_LOCAL;
	if (find_cond(p, COND_FOR_ANY, COND_FOR_RCPT_TO) == NULL)
		add_row(p, implicit);
	for (i = 0; i < p->f.stmt.conds; i++)
		add_row(p, p->f.stmt.cond[i]);
	return conf_add(p, &p->match, m, sizeof(*m), CONF_MATCH_MAX, "rules");
}
