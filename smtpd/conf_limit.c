/*
 * Statements of smtpd.conf about pace: `retry`, `limit route`, `limit domain`
 * and `limit mx`; and the limits that OpenSMTPD has, of which some say the
 * same.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "conf_parse.h"
#include "num.h"

/* ---- domains ---- */

static const char *
domain_at(const struct conf_parser *p, struct conf_span span, uint32_t i)
{
	const struct conf_entry *e =
	    conf_item(&p->entry, span.off + i, sizeof(*e));

	return conf_pool_text(p, e->key);
}

bool
conf_check_domains(struct conf_parser *p, struct conf_span mine,
    struct conf_span other, struct conf_at at, const char *word)
{
	char shown[CONF_SHOWN_SIZE];
	uint32_t i, j;

	for (i = 0; i < mine.n; i++) {
		for (j = 0; j < other.n; j++) {
			if (strcmp(domain_at(p, mine, i),
				domain_at(p, other, j)) != 0)
				continue;
			return conf_refuse(p,
			    "found `%s` for %s, which line %u has already",
			    word, conf_shown(domain_at(p, mine, i), shown),
			    at.line);
		}
	}
	return true;
}

/* ---- retry ---- */

bool
conf_retry_end(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->retry, sizeof(struct conf_retry));
	struct conf_retry *retry = &p->f.stmt.retry, *row;

	retry->at = conf_here(p);
	row = conf_item(&p->retry, 0, sizeof(*row));
	if (retry->domain.n == 0) {
		if (row->at.line != 0)
			return conf_refuse(p,
			    "found a second `retry` for all domains, expected that of line %u alone",
			    row->at.line);
		*row = *retry;
		return true;
	}
	for (i = 1; i < n; i++) {
		row = conf_item(&p->retry, i, sizeof(*row));
		if (!conf_check_domains(p, retry->domain, row->domain, row->at,
			"retry"))
			return false;
	}
	return conf_add(p, &p->retry, retry, sizeof(*retry), CONF_DOMAINS_MAX,
	    "`retry domain`");
}

/* ---- limit ---- */

#define FIELD(field, max)                                                      \
	{                                                                      \
#field, offsetof(struct conf_limit, field),                    \
		    sizeof(((struct conf_limit *)0)->field), max               \
	}

/* What a row may say.  Columns: word, which is the field too, most (as in
 * CONF_SETTINGS) where OpenSMTPD has the same. */
enum { SAYS_CONCURRENCY, SAYS_MESSAGES, SAYS_INET, SAYS_RATE, SAYS };
static const struct {
	const char *word;
	size_t off, size;
	uint64_t max;
} fields[SAYS] = {
	[SAYS_CONCURRENCY] = FIELD(concurrency, 10000),
	[SAYS_MESSAGES] = FIELD(messages, 1000000),
	[SAYS_INET] = FIELD(inet, 0),
	[SAYS_RATE] = FIELD(rate, 0),
};

static bool
says(const struct conf_limit *l, int field)
{
	static const char nothing[sizeof(uint32_t)];

	return memcmp((const char *)l + fields[field].off, nothing,
		   fields[field].size) != 0;
}

static bool
is_of_routes(const struct conf_limit *l)
{
	return l->domain.n == 0 && l->mx.n == 0;
}

/* `limit route` may stand in several lines, if each says something else. */
static bool
check_limit(struct conf_parser *p, const struct conf_limit *mine,
    const struct conf_limit *row)
{
	int i;

	for (i = 0; i < SAYS && is_of_routes(mine) && is_of_routes(row); i++) {
		if (says(mine, i) && says(row, i))
			return conf_refuse(p,
			    "found `%s` of `limit route` again, which line %u has already",
			    fields[i].word, row->at.line);
	}
	return conf_check_domains(p, mine->domain, row->domain, row->at,
		   "limit domain") &&
	    conf_check_domains(p, mine->mx, row->mx, row->at, "limit mx");
}

static bool
add_limit(struct conf_parser *p, const struct conf_limit *mine)
{
	uint32_t i, n = conf_count(&p->limit, sizeof(*mine));

	for (i = 0; i < n; i++) {
		if (!check_limit(p, mine,
			conf_item(&p->limit, i, sizeof(*mine))))
			return false;
	}
	return conf_add(p, &p->limit, mine, sizeof(*mine), CONF_DOMAINS_MAX,
	    "`limit`");
}

/* How many connections a route has where nothing else is said. */
static void
set_concurrency(struct conf_parser *p, const struct conf_limit *l)
{
	if (is_of_routes(l) && l->concurrency != 0)
		p->f.conf.route_concurrency = l->concurrency;
}

bool
conf_limit_end(struct conf_parser *p)
{
	struct conf_limit *limit = &p->f.stmt.limit;

	limit->at = conf_here(p);
	if (!add_limit(p, limit))
		return false;
	set_concurrency(p, limit);
	return true;
}

/* ---- limits of OpenSMTPD ---- */

enum { SAYS_NONE = SAYS };

/* Columns: family, word, what it says of ours. */
static const struct limit_word {
	enum conf_limits family;
	const char *word;
	int field;
} limits[] = {
#define X(family, word, field) { LIMITS_##family, word, SAYS_##field },
	CONF_LIMITS(X)
#undef X
};

/* One of them being read. */
struct reading {
	enum conf_limits family;
	struct conf_limit *ours; /* what it says that we have */
	struct buf rest;         /* and that we have not, as text */
};

static const struct limit_word *
find_limit(const struct conf_parser *p, enum conf_limits family)
{
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].family == family &&
		    conf_lex_is(&p->lex, limits[i].word))
			return &limits[i];
	}
	return NULL;
}

/* The number of a limit that our programs have. */
static bool
read_ours(struct conf_parser *p, struct conf_limit *ours,
    const struct limit_word *l)
{
	char shown[CONF_SHOWN_SIZE];
	uint32_t n32;
	uint64_t n;

	if (p->lex.tok != TOK_WORD ||
	    num_parse(p->lex.text, 1, fields[l->field].max, &n) != NULL)
		return conf_wrong(p,
		    "`%s`: found %s, expected a number from 1 to %llu", l->word,
		    conf_lex_shown(&p->lex, shown),
		    (unsigned long long)fields[l->field].max);
	n32 = (uint32_t)n;
	memcpy((char *)ours + fields[l->field].off, &n32, sizeof(n32));
	conf_lex_next(&p->lex);
	return true;
}

/* Of one that they have not. */
static bool
read_rest(struct conf_parser *p, struct buf *rest, const struct limit_word *l)
{
	char shown[CONF_SHOWN_SIZE];
	uint64_t n;

	if (p->lex.tok != TOK_WORD ||
	    num_parse(p->lex.text, 0, INT64_MAX, &n) != NULL)
		return conf_wrong(p, "`%s`: found %s, expected a number",
		    l->word, conf_lex_shown(&p->lex, shown));
	buf_printf(rest, " %s %llu", l->word, (unsigned long long)n);
	conf_lex_next(&p->lex);
	return true;
}

/* `max-conn-per-host 10`, `inet4` */
static bool
read_limit(struct conf_parser *p, struct reading *r)
{
	const struct limit_word *l = find_limit(p, r->family);
	const char *file = p->lex.file;
	uint32_t line = p->lex.line;
	char text[64];

	if (r->family == LIMITS_MTA &&
	    (conf_lex_is(&p->lex, "inet4") || conf_lex_is(&p->lex, "inet6"))) {
		r->ours->inet = conf_lex_is(&p->lex, "inet4") ? 4 : 6;
		conf_lex_next(&p->lex);
		return true;
	}
	if (l == NULL)
		return conf_expected(p, "a limit that OpenSMTPD has");
	conf_lex_next(&p->lex);
	if (l->field != SAYS_NONE)
		return read_ours(p, r->ours, l);
	if (r->family == LIMITS_MTA) {
		snprintf(text, sizeof(text), "`mta limit %s`", l->word);
		conf_not_yet(p, text, file, line);
	}
	return read_rest(p, &r->rest, l);
}

/* `for domain D` */
static bool
read_for_domain(struct conf_parser *p, struct conf_span *span)
{
	char domain[DOMAIN_MAX + 1], shown[CONF_SHOWN_SIZE];
	struct conf_entry e = { 0 };
	const char *why;

	conf_lex_next(&p->lex);
	if (!conf_lex_is(&p->lex, "domain"))
		return conf_expected(p, "`domain`");
	conf_lex_next(&p->lex);
	if (!conf_need_text(p, "a domain"))
		return false;
	if ((why = conf_domain(p->lex.text, DOMAIN_STARS, domain)) != NULL)
		return conf_wrong(p, "found %s, %s, expected a domain",
		    conf_lex_shown(&p->lex, shown), why);
	*span = (struct conf_span){ conf_count(&p->entry, sizeof(e)), 1 };
	e.key = conf_pool_add(p, domain);
	buf_add(&p->entry, &e, sizeof(e));
	conf_lex_next(&p->lex);
	return true;
}

static bool
read_limits(struct conf_parser *p, struct reading *r)
{
	if (r->family == LIMITS_MTA && conf_lex_is(&p->lex, "for") &&
	    !read_for_domain(p, &r->ours->domain))
		return false;
	while (!conf_at_end(p)) {
		if (!read_limit(p, r))
			return false;
	}
	return true;
}

/* The row about the same destination: of `mta limit` the last one holds. */
static struct conf_limit *
same_limit(struct conf_parser *p, const struct conf_limit *mine, int field)
{
	uint32_t i, n = conf_count(&p->limit, sizeof(*mine));
	struct conf_limit *row;

	for (i = 0; i < n; i++) {
		row = conf_item(&p->limit, i, sizeof(*row));
		if (row->mx.n != 0 || row->domain.n != mine->domain.n ||
		    (field != SAYS_NONE && !says(row, field)))
			continue;
		if (row->domain.n == 0 ||
		    (row->domain.n == 1 &&
			strcmp(domain_at(p, row->domain, 0),
			    domain_at(p, mine->domain, 0)) == 0))
			return row;
	}
	return NULL;
}

/* What `mta limit` says of ours, into rows of `limit`. */
static bool
put_ours(struct conf_parser *p, const struct conf_limit *ours)
{
	struct conf_limit *row, rest = *ours;
	bool any = false;
	int i;

	for (i = 0; i < SAYS; i++) {
		if (!says(ours, i))
			continue;
		row = same_limit(p, ours, i);
		if (row == NULL)
			row = same_limit(p, ours, SAYS_NONE);
		any = any || row == NULL;
		if (row == NULL)
			continue;
		memcpy((char *)row + fields[i].off,
		    (const char *)ours + fields[i].off, fields[i].size);
		memset((char *)&rest + fields[i].off, 0, fields[i].size);
	}
	set_concurrency(p, ours);
	return !any || add_limit(p, &rest);
}

/* What no program of ours has is kept as a text. */
static bool
put_rest(struct conf_parser *p, const struct reading *r)
{
	static const char *const begins[] = { [LIMITS_MTA] = "mta limit",
		[LIMITS_MDA] = "mda limit",
		[LIMITS_SCHEDULER] = "scheduler limit" };
	struct conf_other other = { .at = conf_here(p) };
	struct buf text;

	if (r->rest.len == 0 && r->family == LIMITS_MTA)
		return true;
	buf_init(&text, 0);
	buf_puts(&text, begins[r->family]);
	if (r->ours->domain.n != 0)
		buf_printf(&text, " for domain \"%s\"",
		    domain_at(p, r->ours->domain, 0));
	buf_add(&text, buf_data(&r->rest), r->rest.len);
	buf_add(&text, "", 1);
	other.text = conf_pool_add(p, (const char *)buf_data(&text));
	buf_free(&text);
	return conf_add(p, &p->other, &other, sizeof(other), CONF_NAMES_MAX,
	    "limits");
}

bool
conf_read_limits(struct conf_parser *p, const struct conf_word *w)
{
	struct reading r = { .family = (enum conf_limits)w->value,
		.ours = &p->f.stmt.limit };
	bool good;

	r.ours->at = conf_here(p);
	buf_init(&r.rest, 0);
	good = read_limits(p, &r) && put_ours(p, r.ours) && put_rest(p, &r);
	buf_free(&r.rest);
	return good;
}
