/*
 * Statements of smtpd.conf that OpenSMTPD has not: `dkim`, `resolver`,
 * `retry`, `limit domain`, `metrics`; and the limits that only it has.  Runs
 * in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>
#include <strings.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "num.h"

/* ---- dkim ---- */

/* This selector was not said before. */
static bool
check_dkim(struct conf_parser *p, const struct conf_dkim *d)
{
	uint32_t i, n = conf_count(&p->dkim, sizeof(*d));
	const struct conf_dkim *other;

	for (i = 0; i < n; i++) {
		other = conf_item(&p->dkim, i, sizeof(*other));
		if (strcmp(conf_pool_text(p, other->domain),
			conf_pool_text(p, d->domain)) == 0 &&
		    strcasecmp(conf_pool_text(p, other->selector),
			conf_pool_text(p, d->selector)) == 0)
			return conf_refuse(p,
			    "found this domain and selector again, expected those of line %u once",
			    other->at.line);
	}
	return true;
}

bool
conf_dkim_end(struct conf_parser *p)
{
	struct conf_dkim *d = &p->f.stmt.dkim;

	d->at = conf_here(p);
	return check_dkim(p, d) &&
	    conf_add(p, &p->dkim, d, sizeof(*d), CONF_DKIM_MAX, "keys");
}

/* ---- resolver and metrics ---- */

static bool
set_address(struct conf_parser *p, struct sockaddr_storage *ss,
    const char *word, uint16_t port)
{
	if (ss->ss_family != 0)
		return conf_refuse(p, "found a second `%s`, expected one",
		    word);
	*ss = p->f.stmt.address;
	conf_net_set_port(ss, p->f.stmt.port != 0 ? p->f.stmt.port : port);
	return true;
}

bool
conf_resolver_end(struct conf_parser *p)
{
	return set_address(p, &p->f.conf.resolver, "resolver",
	    CONF_PORT_RESOLVER);
}

bool
conf_metrics_end(struct conf_parser *p)
{
	return set_address(p, &p->f.conf.metrics, "metrics", CONF_PORT_METRICS);
}

/* ---- retry and limit ---- */

static const char *
domain_at(const struct conf_parser *p, struct conf_span span, uint32_t i)
{
	const struct conf_entry *e =
	    conf_item(&p->entry, span.off + i, sizeof(*e));

	return conf_pool_text(p, e->key);
}

/* The statement's domains are not those of another. */
static bool
check_domains(struct conf_parser *p, struct conf_span other, struct conf_at at,
    const char *word)
{
	struct conf_span mine = p->f.stmt.domains;
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

bool
conf_retry_end(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->retry, sizeof(struct conf_retry));
	struct conf_retry *retry = &p->f.stmt.retry, *row;

	retry->at = conf_here(p);
	retry->domain = p->f.stmt.domains;
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
		if (!check_domains(p, row->domain, row->at, "retry"))
			return false;
	}
	return conf_add(p, &p->retry, retry, sizeof(*retry), CONF_DOMAINS_MAX,
	    "`retry domain`");
}

bool
conf_limit_end(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->limit, sizeof(struct conf_limit));
	struct conf_limit *limit = &p->f.stmt.limit;
	const struct conf_limit *row;

	limit->at = conf_here(p);
	limit->domain = p->f.stmt.domains;
	for (i = 0; i < n; i++) {
		row = conf_item(&p->limit, i, sizeof(*row));
		if (!check_domains(p, row->domain, row->at, "limit"))
			return false;
	}
	return conf_add(p, &p->limit, limit, sizeof(*limit), CONF_DOMAINS_MAX,
	    "`limit domain`");
}

/* ---- limits of OpenSMTPD alone ---- */

/* Columns: family, word. */
static const struct {
	enum conf_limits family;
	const char *word;
} limits[] = {
#define X(family, word) { LIMITS_##family, word },
	CONF_LIMITS(X)
#undef X
};

static bool
is_limit(const struct conf_parser *p, enum conf_limits family)
{
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].family == family &&
		    conf_lex_is(&p->lex, limits[i].word))
			return true;
	}
	return false;
}

/* `max-conn-per-host 10` */
static bool
read_limit(struct conf_parser *p, enum conf_limits family, struct buf *text)
{
	char shown[CONF_SHOWN_SIZE];
	uint64_t n;

	if (family == LIMITS_MTA &&
	    (conf_lex_is(&p->lex, "inet4") || conf_lex_is(&p->lex, "inet6"))) {
		buf_printf(text, " %s", p->lex.text);
		conf_lex_next(&p->lex);
		return true;
	}
	if (!is_limit(p, family))
		return conf_expected(p, "a limit that OpenSMTPD has");
	buf_printf(text, " %s", p->lex.text);
	conf_lex_next(&p->lex);
	if (p->lex.tok != TOK_WORD ||
	    num_parse(p->lex.text, 0, INT64_MAX, &n) != NULL)
		return conf_wrong(p, "found %s, expected a number",
		    conf_lex_shown(&p->lex, shown));
	buf_printf(text, " %llu", (unsigned long long)n);
	conf_lex_next(&p->lex);
	return true;
}

/* `for domain D` */
static bool
read_limit_domain(struct conf_parser *p, struct buf *text)
{
	char domain[DOMAIN_MAX + 1], shown[CONF_SHOWN_SIZE];
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
	buf_printf(text, " for domain \"%s\"", domain);
	conf_lex_next(&p->lex);
	return true;
}

static bool
read_limits(struct conf_parser *p, enum conf_limits family, struct buf *text)
{
	static const char *const begins[] = { [LIMITS_MTA] = "mta limit",
		[LIMITS_MDA] = "mda limit",
		[LIMITS_SCHEDULER] = "scheduler limit" };

	buf_puts(text, begins[family]);
	if (family == LIMITS_MTA && conf_lex_is(&p->lex, "for") &&
	    !read_limit_domain(p, text))
		return false;
	while (!conf_at_end(p)) {
		if (!read_limit(p, family, text))
			return false;
	}
	return true;
}

/* Kept as a text: no program of ours has such limits. */
bool
conf_read_limits(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_other other = { .at = conf_here(p) };
	struct buf text;
	bool good;

	buf_init(&text, 0);
	good = read_limits(p, (enum conf_limits)w->value, &text);
	if (good) {
		buf_add(&text, "", 1);
		other.text = conf_pool_add(p, (const char *)buf_data(&text));
		good = conf_add(p, &p->other, &other, sizeof(other),
		    CONF_NAMES_MAX, "limits");
	}
	buf_free(&text);
	return good;
}
