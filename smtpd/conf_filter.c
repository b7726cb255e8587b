/*
 * Statements of smtpd.conf about filters: `filter` and `proc`, and the lists
 * of filters that listeners and relays name.  Runs in the parent; starts no
 * program.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_parse.h"

#define BIT(cond)  (1u << FCOND_##cond)
#define OF_CLIENT  (BIT(RDNS) | BIT(FCRDNS) | BIT(SRC))
#define OF_HELO    (OF_CLIENT | BIT(HELO))
#define OF_SESSION (OF_HELO | BIT(AUTH))
#define OF_MAIL    (OF_SESSION | BIT(MAIL_FROM))

/* What is known in a phase, and how it is called. */
static const struct {
	const char *word;
	unsigned int conds;
} phases[] = {
	[PHASE_CONNECT] = { "connect", OF_CLIENT },
	[PHASE_HELO] = { "helo", OF_HELO },
	[PHASE_EHLO] = { "ehlo", OF_HELO },
	[PHASE_AUTH] = { "auth", OF_SESSION },
	[PHASE_MAIL_FROM] = { "mail-from", OF_MAIL },
	[PHASE_RCPT_TO] = { "rcpt-to", OF_MAIL | BIT(RCPT_TO) },
	[PHASE_DATA] = { "data", OF_MAIL },
	[PHASE_COMMIT] = { "commit", OF_MAIL },
};

static const char *const cond_words[] = {
#define X(name, word) word,
	CONF_FILTER_CONDS(X)
#undef X
};

/* What a condition asks its table. */
static const enum conf_service services[] = {
	[FCOND_RDNS] = SERVICE_DOMAIN,
	[FCOND_FCRDNS] = SERVICE_DOMAIN, /* asks none */
	[FCOND_SRC] = SERVICE_NETADDR,
	[FCOND_HELO] = SERVICE_DOMAIN,
	[FCOND_AUTH] = SERVICE_STRING,
	[FCOND_MAIL_FROM] = SERVICE_MAILADDR,
	[FCOND_RCPT_TO] = SERVICE_MAILADDR,
};

/* ---- programs ---- */

bool
conf_proc_end(struct conf_parser *p)
{
	return conf_add_named(p, NAMED_PROC);
}

bool
conf_read_filter_proc(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.filter.kind = FILTER_PROC;
	return conf_read_name_ref(p, w);
}

bool
conf_read_filter_exec(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.filter.kind = FILTER_EXEC;
	return conf_read_text(p, w);
}

/* ---- lists of filters ---- */

/* Rows of conf.proc that a filter talks to. */
static uint32_t
proc_of(const struct conf_parser *p, uint32_t filter)
{
	const struct conf_filter *f = conf_item(&p->filter, filter, sizeof(*f));

	return f->kind == FILTER_PROC || f->kind == FILTER_EXEC ? f->proc :
								  CONF_NONE;
}

static bool
check_member(struct conf_parser *p, uint32_t filter)
{
	const struct conf_filter *f = conf_item(&p->filter, filter, sizeof(*f));
	const char *name = conf_pool_text(p, f->name);
	char shown[CONF_SHOWN_SIZE];
	uint32_t i;

	if (f->kind == FILTER_CHAIN)
		return conf_refuse(p,
		    "found the chain %s in a list, expected filters only: name its members",
		    conf_shown(name, shown));
	for (i = 0; i < p->f.stmt.chained; i++) {
		if (p->f.stmt.chain[i] == filter)
			return conf_refuse(p,
			    "found the filter %s twice in a list, expected it once",
			    conf_shown(name, shown));
		if (p->f.stmt.chain[i] != CONF_NONE &&
		    proc_of(p, filter) != CONF_NONE &&
		    proc_of(p, filter) == proc_of(p, p->f.stmt.chain[i]))
			return conf_refuse(p,
			    "found the filter %s, whose program is in the list already",
			    conf_shown(name, shown));
	}
	return true;
}

static bool
read_member(struct conf_parser *p, void *arg)
{
	struct conf_stmt *s = &p->f.stmt;
	uint32_t filter;

	(void)arg;
	if (!conf_name_ref(p, NAMED_FILTER, "a filter's name", &filter))
		return false;
	if (s->chained == CONF_CHAIN_MAX)
		return conf_refuse(p, "more than %d filters in a list",
		    CONF_CHAIN_MAX);
	if (filter != CONF_NONE && !check_member(p, filter))
		return false;
	s->chain[s->chained++] = filter;
	return true;
}

/* One name, which may be that of a chain, or a list. */
static bool
read_filters(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_stmt *s = &p->f.stmt;

	if (p->lex.tok == '{')
		return conf_list(p, "a filter's name", read_member, NULL);
	return conf_name_ref(p, NAMED_FILTER, w->what, &s->chain[s->chained++]);
}

bool
conf_read_filter_chain(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.filter.kind = FILTER_CHAIN;
	if (p->lex.tok != '{')
		return conf_expected(p, w->what);
	return read_filters(p, w);
}

bool
conf_read_listen_filter(struct conf_parser *p, const struct conf_word *w)
{
	return read_filters(p, w);
}

bool
conf_read_action_filter(struct conf_parser *p, const struct conf_word *w)
{
	return read_filters(p, w);
}

/* ---- built in ---- */

static bool
read_fcond(struct conf_parser *p, const struct conf_word *w, bool may,
    bool must)
{
	struct conf_filter *f = &p->f.stmt.filter;
	enum conf_service service = services[w->value];

	f->kind = FILTER_BUILTIN;
	f->cond = (uint8_t)w->value;
	f->not_cond = p->negated;
	if (may && conf_lex_is(&p->lex, "regex")) {
		conf_lex_next(&p->lex);
		f->regex = 1;
		service = SERVICE_REGEX;
	}
	p->use = w->word;
	if (!must && !f->regex && !(may && conf_is_set(p)))
		return true;
	if (!conf_set(p,
		f->regex ? "a regular expression, <table> or { list }" :
			   w->what,
		service, SHAPE_ANY, &f->table))
		return false;
	return true;
}

bool
conf_read_fcond(struct conf_parser *p, const struct conf_word *w)
{
	return read_fcond(p, w, false, false);
}

bool
conf_read_fcond_maybe(struct conf_parser *p, const struct conf_word *w)
{
	return read_fcond(p, w, true, false);
}

bool
conf_read_fcond_set(struct conf_parser *p, const struct conf_word *w)
{
	return read_fcond(p, w, true, true);
}

bool
conf_filter_cond_end(struct conf_parser *p)
{
	const struct conf_filter *f = &p->f.stmt.filter;

	if (phases[f->phase].conds & (1u << f->cond))
		return true;
	return conf_refuse(p,
	    "found `%s` in phase `%s`, expected a condition that is known by then",
	    cond_words[f->cond], phases[f->phase].word);
}

static bool
decide(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.filter.decision = (uint8_t)w->value;
	if (p->f.stmt.filter.phase == PHASE_COMMIT &&
	    (w->value == DECIDE_JUNK || w->value == DECIDE_BYPASS))
		return conf_refuse(p,
		    "found `%s` in phase `commit`, expected `disconnect`, `reject`, `rewrite` or `report`",
		    w->word);
	return true;
}

bool
conf_read_decision(struct conf_parser *p, const struct conf_word *w)
{
	return decide(p, w);
}

bool
conf_read_decision_text(struct conf_parser *p, const struct conf_word *w)
{
	if (!conf_need_text(p, w->what))
		return false;
	p->f.stmt.filter.text = conf_take_text(p);
	return decide(p, w);
}

bool
conf_filter_end(struct conf_parser *p)
{
	struct conf_filter *f = &p->f.stmt.filter;

	if (f->kind == FILTER_CHAIN)
		f->member =
		    conf_add_refs(p, p->f.stmt.chain, p->f.stmt.chained);
	if (f->kind == FILTER_EXEC) {
		/* A row without a name: nobody else can use it. */
		f->proc = conf_named_count(p, NAMED_PROC);
		if (!conf_add_named(p, NAMED_PROC))
			return false;
	}
	return conf_add_named(p, NAMED_FILTER);
}
