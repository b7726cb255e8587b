/*
 * Rules of smtpd.conf: `match`.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <assert.h>
#include <stdio.h>

#include "auth_result.h"
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

/* ---- auth-results ---- */

/* What a method can find (RFC 8601 2.7, RFC 8617 4.1). */
#define RES(name) (1u << RES_##name)
static const struct {
	enum conf_cond_kind kind;
	uint32_t results;
} methods[BY_METHODS] = {
	[BY_SPF] = { COND_SPF,
	    RES(NONE) | RES(NEUTRAL) | RES(PASS) | RES(FAIL) | RES(SOFTFAIL) |
		RES(TEMPERROR) | RES(PERMERROR) },
	[BY_DKIM] = { COND_DKIM,
	    RES(NONE) | RES(NEUTRAL) | RES(PASS) | RES(FAIL) | RES(POLICY) |
		RES(TEMPERROR) | RES(PERMERROR) },
	[BY_DMARC] = { COND_DMARC,
	    RES(NONE) | RES(PASS) | RES(FAIL) | RES(TEMPERROR) |
		RES(PERMERROR) },
	[BY_ARC] = { COND_ARC,
	    RES(NONE) | RES(PASS) | RES(FAIL) | RES(TEMPERROR) },
};
#undef RES

/* The results of one method, being read. */
struct results {
	enum auth_method method;
	uint32_t bits;
};

/* "`spf` has: none, neutral, ..." */
static bool
expected_result(struct conf_parser *p, enum auth_method m)
{
	char text[160];
	enum auth_result r;
	size_t n;

	n = (size_t)snprintf(text, sizeof(text),
	    "a result of `%s`:", auth_method_word(m));
	for (r = RES_NONE; r < RES_RESULTS; r++) {
		if (methods[m].results & 1u << r)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    " `%s`", auth_result_word(r));
	}
	return conf_expected(p, text);
}

static bool
read_result(struct conf_parser *p, void *arg)
{
	struct results *out = arg;
	enum auth_result r;

	if (!conf_is_text(p))
		return expected_result(p, out->method);
	r = auth_result_of(p->lex.text);
	if (r == RES_RESULTS || !(methods[out->method].results & 1u << r))
		return expected_result(p, out->method);
	out->bits |= 1u << r;
	conf_lex_next(&p->lex);
	return true;
}

/* BY_METHODS: the word at hand is none. */
static enum auth_method
method_at_hand(const struct conf_parser *p)
{
	enum auth_method m;

	for (m = BY_SPF; m < BY_METHODS; m++) {
		if (conf_lex_is(&p->lex, auth_method_word(m)))
			break;
	}
	return m;
}

/* `spf pass` at hand. */
static bool
read_method(struct conf_parser *p, enum auth_method m)
{
	struct conf_cond c = { .kind = (uint8_t)methods[m].kind,
		.not_ = p->negated,
		.table = CONF_NONE };
	struct results results = { .method = m };

	if (find_cond(p, methods[m].kind, methods[m].kind) != NULL)
		return conf_wrong(p,
		    "found `%s` twice in one rule, expected it once: several results are { a, b }",
		    auth_method_word(m));
	conf_lex_next(&p->lex);
	if (p->lex.tok == '{' ?
		!conf_list(p, "a result", read_result, &results) :
		!read_result(p, &results))
		return false;
	c.results = results.bits;
	add_cond(p, c);
	return true;
}

/* `auth-results spf pass dkim { pass, none } ...`: the walk looks at the word
 * behind the last. */
bool
conf_read_cond_results(struct conf_parser *p, const struct conf_word *w)
{
	enum auth_method m = method_at_hand(p);
	unsigned int n = 0;

	(void)w;
	if (m == BY_METHODS)
		return conf_expected(p, "`spf`, `dkim`, `dmarc` or `arc`");
	for (; m != BY_METHODS; m = method_at_hand(p)) {
		/* "Not both" or "neither": who reads it could take it for
		 * either. */
		if (n++ > 0 && p->negated)
			return conf_wrong(p,
			    "found `%s` in one `! auth-results` with another, expected each in its own: `! auth-results spf pass ! auth-results dkim pass`",
			    p->lex.text);
		if (!read_method(p, m))
			return false;
	}
	return true;
}

/* ---- the whole ---- */

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

/* What is done with a message that is refused is nothing. */
static bool
check_once(struct conf_parser *p)
{
	const struct conf_match *m = &p->f.stmt.match;

	if (!m->reject || (!m->junk && !m->hold))
		return true;
	return conf_refuse(p,
	    "found `%s` with `reject`, expected one of them: what is refused is not kept",
	    m->junk ? "junk" : "hold");
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

	if (!check_conds(p) || !check_once(p))
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
