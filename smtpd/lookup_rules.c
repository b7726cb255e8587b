/*
 * The match rules, asked when a recipient comes in and again at each attempt
 * to deliver: what is kept with a message are facts, not decisions.  Runs in
 * lookup; changes nothing, and where a table cannot answer it says later.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_rules.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp_addr.h"

/* ---- the parts of a rule ---- */

static enum table_answer
yes_or_no(bool truth)
{
	return truth ? TABLE_YES : TABLE_NO;
}

static enum table_answer
negated(enum table_answer a, bool not )
{
	if (!not || a == TABLE_UNKNOWN)
		return a;
	return a == TABLE_YES ? TABLE_NO : TABLE_YES;
}

/* Without a domain it is ours: RFC 5321 4.5.1 has "postmaster". */
static const char *
rcpt_domain(const struct conf *conf, const char *rcpt)
{
	const char *domain = smtp_addr_domain(rcpt);

	return *domain != '\0' ? domain : conf_text(conf, conf->hostname);
}

/* Is it an address of this host? */
static bool
own_address(const struct conf *conf, const char *ip)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	struct table_net net, own;
	uint32_t i;

	if (!table_addr_parse(ip, &net))
		return false;
	if (net.family == 4 && net.addr[0] == 127)
		return true;
	if (net.family == 6 && memcmp(net.addr, loopback6, 16) == 0)
		return true;
	for (i = 0; i < conf->local_addr.n; i++) {
		const struct conf_entry *e =
		    CONF_ENTRY(conf, conf->local_addr, i);

		if (table_addr_parse(conf_text(conf, e->key), &own) &&
		    memcmp(&own, &net, sizeof(net)) == 0)
			return true;
	}
	return false;
}

static bool
for_local(const struct conf *conf, const char *domain)
{
	char ip[IP_TEXT_MAX + 1];

	if (strcasecmp(domain, "localhost") == 0 ||
	    strcasecmp(domain, conf_text(conf, conf->hostname)) == 0)
		return true;
	return smtp_literal_parse(slice_of(domain), ip) == NULL &&
	    own_address(conf, ip);
}

static enum table_answer
match_from(const struct rules *r, const struct conf_match *m,
    const struct facts *f)
{
	switch ((enum conf_from)m->from) {
	case FROM_LOCAL:
		return yes_or_no(f->flags &
		    (FACT_LOCAL | FACT_SOCKET | FACT_OURS));
	case FROM_SOCKET:
		return yes_or_no(f->flags & FACT_SOCKET);
	case FROM_ANY:
		return TABLE_YES;
	case FROM_SRC:
		if (m->from_table == CONF_NONE)
			return TABLE_UNKNOWN;
		return table_has_addr(&r->tables[m->from_table], f->client);
	}
	return TABLE_UNKNOWN;
}

static enum table_answer
match_for(const struct rules *r, const struct conf_match *m, const char *domain)
{
	switch ((enum conf_for)m->for_) {
	case FOR_LOCAL:
		return yes_or_no(for_local(r->conf, domain));
	case FOR_ANY:
		return TABLE_YES;
	case FOR_DOMAIN:
		if (m->for_table == CONF_NONE)
			return TABLE_UNKNOWN;
		return table_has_domain(&r->tables[m->for_table], domain);
	}
	return TABLE_UNKNOWN;
}

static enum table_answer
match_tag(const struct rules *r, const struct conf_match *m,
    const struct facts *f)
{
	const char *tag = conf_text(r->conf, m->tag);

	if (*tag == '\0')
		return TABLE_YES;
	return negated(yes_or_no(strcmp(tag, f->tag) == 0), m->not_tag);
}

/* One part that says no settles it, also where another cannot answer. */
static enum table_answer
match_rule(const struct rules *r, const struct conf_match *m,
    const struct facts *facts, const char *domain)
{
	enum table_answer from, to;

	if (match_tag(r, m, facts) == TABLE_NO)
		return TABLE_NO;
	from = negated(match_from(r, m, facts), m->not_from);
	if (from == TABLE_NO)
		return TABLE_NO;
	to = negated(match_for(r, m, domain), m->not_for);
	if (to == TABLE_NO)
		return TABLE_NO;
	return from == TABLE_YES ? to : from;
}

enum rule_answer
rules_match(const struct rules *r, const struct facts *facts,
    const char *domain, uint32_t *row)
{
	enum table_answer a;
	uint32_t i;

	for (i = 0; i < r->conf->match.n; i++) {
		a = match_rule(r, CONF_MATCH(r->conf, i), facts, domain);
		if (a == TABLE_NO)
			continue;
		*row = i;
		return a == TABLE_YES ? RULE_FOUND : RULE_UNKNOWN;
	}
	return RULE_NONE;
}

/* ---- answers ---- */

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

static void
say_unknown(const struct rules *r, uint32_t row, struct outcome *o)
{
	outcome_set(o, LATER, WIDTH_RCPT, 451, "4.3.0",
	    "a table that the rule at line %u needs cannot be read",
	    CONF_MATCH(r->conf, row)->line);
}

static void
say_reject(const char *rcpt, struct outcome *o)
{
	char addr[ADDR_MAX + 1];

	outcome_set(o, NEVER, WIDTH_RCPT, 550, "5.7.1",
	    "recipient refused by the rules here: <%s>", plain(rcpt, addr));
}

void
rules_rcpt(const struct rules *r, const struct rcpt_ask *ask,
    struct rcpt_is *is)
{
	const char *domain = rcpt_domain(r->conf, ask->rcpt);
	char addr[ADDR_MAX + 1];
	uint32_t row = CONF_NONE;

	memset(is, 0, sizeof(*is));
	switch (rules_match(r, &ask->facts, domain, &row)) {
	case RULE_UNKNOWN:
		say_unknown(r, row, &is->outcome);
		return;
	case RULE_NONE:
		outcome_set(&is->outcome, NEVER, WIDTH_RCPT, 550, "5.7.1",
		    "relay not permitted: <%s>", plain(ask->rcpt, addr));
		return;
	case RULE_FOUND:
		break;
	}
	if (CONF_MATCH(r->conf, row)->reject)
		say_reject(ask->rcpt, &is->outcome);
	else
		outcome_set(&is->outcome, DONE, WIDTH_RCPT, 250, "2.1.5",
		    "recipient ok");
}

/* Our own mail and that of those whom a rule names may be signed; that of
 * strangers, and of all but somebody, not. */
static bool
is_origin(const struct conf_match *m, const struct facts *f)
{
	if (f->flags & FACT_OURS || f->auth[0] != '\0')
		return true;
	return m->from != FROM_ANY && !m->not_from;
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* "host:smtp://NAME:PORT"; an IPv6 address gets brackets. */
static int
print_host(const struct rules *r, const struct conf_action *a, char *out,
    size_t size)
{
	static const char *const schemes[] = {
		[SCHEME_SMTP] = "smtp",
		[SCHEME_SMTP_NOTLS] = "smtp+notls",
	};
	const char *host = conf_text(r->conf, a->host);
	bool bare6 = host[0] != '[' && strchr(host, ':') != NULL;
	int n;

	n = snprintf(out, size, bare6 ? "host:%s://[%s]:%u" : "host:%s://%s:%u",
	    schemes[a->scheme], host, a->port);
	lower(out);
	return n;
}

/* "mx:DOMAIN" or "mx:[ADDRESS]". */
static int
print_mx(const char *domain, char *out, size_t size)
{
	char ip[IP_TEXT_MAX + 1];
	int n;

	if (smtp_literal_parse(slice_of(domain), ip) == NULL)
		return snprintf(out, size,
		    strchr(ip, ':') != NULL ? "mx:[IPv6:%s]" : "mx:[%s]", ip);
	n = snprintf(out, size, "mx:%s", domain);
	lower(out);
	return n;
}

static bool
print_route(const struct rules *r, const struct conf_action *a,
    const char *domain, struct route_is *is)
{
	int n;

	if (*conf_text(r->conf, a->host) != '\0')
		n = print_host(r, a, is->route, sizeof(is->route));
	else
		n = print_mx(domain, is->route, sizeof(is->route));
	if (n < 0 || (size_t)n >= sizeof(is->route)) {
		is->route[0] = '\0';
		return false;
	}
	return true;
}

void
rules_route(const struct rules *r, const struct route_ask *ask,
    struct route_is *is)
{
	const char *domain = rcpt_domain(r->conf, ask->rcpt);
	const struct conf_match *m;
	uint32_t row = CONF_NONE;

	memset(is, 0, sizeof(*is));
	is->action = CONF_NONE;
	switch (rules_match(r, &ask->facts, domain, &row)) {
	case RULE_UNKNOWN:
		is->line = CONF_MATCH(r->conf, row)->line;
		say_unknown(r, row, &is->outcome);
		return;
	case RULE_NONE:
		/* It was accepted once: a rule is missing, not the mail. */
		outcome_set(&is->outcome, LATER, WIDTH_RCPT, 0, "4.3.5",
		    "no rule for this recipient");
		return;
	case RULE_FOUND:
		break;
	}
	m = CONF_MATCH(r->conf, row);
	is->line = m->line;
	if (m->reject) {
		say_reject(ask->rcpt, &is->outcome);
		return;
	}
	if (m->action == CONF_NONE) {
		outcome_set(&is->outcome, LATER, WIDTH_RCPT, 0, "4.3.5",
		    "no such action");
		return;
	}
	if (!print_route(r, CONF_ACTION(r->conf, m->action), domain, is)) {
		outcome_set(&is->outcome, LATER, WIDTH_RCPT, 0, "4.3.5",
		    "the route is too long");
		return;
	}
	is->action = m->action;
	if (is_origin(m, &ask->facts))
		is->flags = ROUTE_ORIGIN;
	outcome_set(&is->outcome, DONE, WIDTH_RCPT, 0, NULL, "rule at line %u",
	    m->line);
}
