/*
 * Routes: "mx:DOMAIN" or "host:URL".  Runs in lookup; asks no DNS, and what
 * has no machinery in deliver is LATER.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_route.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "conf_net.h"
#include "idn.h"
#include "smtp_addr.h"

#define SMTP_PORT 25

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* "host:smtp://NAME:PORT"; an IPv6 address gets brackets.  False: too
 * long. */
static bool
print_host(enum conf_scheme scheme, const char *host, unsigned int port,
    char out[ROUTE_MAX + 1])
{
	static const char *const schemes[] = {
#define X(name, word) [SCHEME_##name] = (word),
		CONF_SCHEMES(X)
#undef X
	};
	bool bare6 = host[0] != '[' && strchr(host, ':') != NULL;
	int n;

	n = snprintf(out, ROUTE_MAX + 1,
	    bare6 ? "host:%s://[%s]:%u" : "host:%s://%s:%u", schemes[scheme],
	    host, port);
	lower(out);
	return n > 0 && n <= ROUTE_MAX;
}

/* "mx:DOMAIN" or "mx:[ADDRESS]". */
static bool
print_mx(const char *domain, char out[ROUTE_MAX + 1])
{
	char ip[IP_TEXT_MAX + 1], name[DOMAIN_MAX + 1];
	int n;

	if (smtp_literal_parse(slice_of(domain), ip) == NULL) {
		n = snprintf(out, ROUTE_MAX + 1,
		    strchr(ip, ':') != NULL ? "mx:[IPv6:%s]" : "mx:[%s]", ip);
		return n > 0 && n <= ROUTE_MAX;
	}
	/* One route for a domain, however it was written; what is no name is
	 * left for deliver to say so. */
	if (idn_domain(slice_of(domain), name) == NULL)
		domain = name;
	n = snprintf(out, ROUTE_MAX + 1, "mx:%s", domain);
	lower(out);
	return n > 0 && n <= ROUTE_MAX;
}

/* Columns: word, what it means.  Those that deliver can speak. */
static const struct {
	const char *word;
	enum conf_scheme scheme;
} spoken[] = {
	{ "", SCHEME_SMTP },
	{ "smtp", SCHEME_SMTP },
	{ "smtp+notls", SCHEME_SMTP_NOTLS },
};

const char *
route_url(const char *url, char out[ROUTE_MAX + 1])
{
	size_t i, n = sizeof(spoken) / sizeof(spoken[0]);
	char host[DOMAIN_MAX + 1];
	struct conf_url u;
	const char *why;

	out[0] = '\0';
	if ((why = conf_net_url(url, &u)) != NULL)
		return why;
	for (i = 0; i < n && strcmp(spoken[i].word, u.scheme) != 0; i++)
		;
	if (i == n)
		return "its scheme is not in this version";
	if (u.label)
		return "a label is not in this version";
	if (idn_domain(slice_of(u.host), host) != NULL)
		return "a bad host name";
	if (!print_host(spoken[i].scheme, host,
		u.port != 0 ? u.port : SMTP_PORT, out)) {
		out[0] = '\0';
		return "a host name that is too long";
	}
	return NULL;
}

static void
later(struct route_is *is, const char *text)
{
	is->route[0] = '\0';
	outcome_set(&is->outcome, LATER, WIDTH_RCPT, 0, "4.3.5", "%s", text);
}

/* By `relay domain <table>`.  A domain that is not in it waits, as in
 * OpenSMTPD: its MX may well be ourselves.  False: it is awaited. */
static bool
by_table(struct question *q, const struct conf_action *a, const char *domain,
    struct route_is *is)
{
	const struct conf *conf = q->all->conf;
	const struct conf_table *row = CONF_TABLE(conf, a->domain);
	char name[QUESTION_NAME_SIZE];
	const char *value, *why;

	question_table_name(conf, row, name);
	switch (question_table(q, a->domain, SERVICE_RELAYHOST, domain,
	    &value)) {
	case TABLE_WAIT:
		return false;
	case TABLE_UNKNOWN:
		later(is, "the table of relay hosts cannot answer now");
		return true;
	case TABLE_NO:
		question_note(q, "relay", &row->at, "%s has no %s", name,
		    domain);
		later(is, "the table of relay hosts does not have this domain");
		return true;
	case TABLE_YES:
		break;
	}
	question_note(q, "relay", &row->at, "%s %s is %s", name, domain, value);
	if ((why = route_url(value, is->route)) != NULL) {
		question_note(q, "bad", &row->at, "%s: %s", value, why);
		later(is,
		    "the table of relay hosts has a value that cannot be used");
	}
	return true;
}

/* False: a table is awaited. */
static bool
find_route(struct question *q, const struct conf_action *a, const char *domain,
    struct route_is *is)
{
	const struct conf *conf = q->all->conf;
	const struct conf_host *h;
	bool ok;

	is->route[0] = '\0';
	if (a->domain != CONF_NONE)
		return by_table(q, a, domain, is);
	if (a->host.n != 0) {
		h = CONF_HOST(conf, a->host, 0);
		ok = print_host(h->scheme, conf_text(conf, h->name), h->port,
		    is->route);
	} else
		ok = print_mx(domain, is->route);
	if (!ok)
		later(is, "the route is too long");
	return true;
}

bool
route_of(struct question *q, const struct expansion *x, const struct target *t,
    struct route_is *is)
{
	const struct conf *conf = q->all->conf;
	const struct conf_match *m = CONF_MATCH(conf, t->match);
	const struct conf_action *a = CONF_ACTION(conf, m->action);
	struct envelope e = { .facts = x->facts,
		.sender = x->sender,
		.rcpt = t->addr,
		.expanded =
		    t->expanded || (x->facts->flags & FACT_EXPANDED) != 0 };
	char where[CONF_AT_MAX];

	memset(is, 0, sizeof(*is));
	is->action = m->action;
	is->line = m->at.line;
	is->ttl = a->ttl;
	if (!find_route(q, a, smtp_addr_domain(t->addr), is))
		return false;
	if (is->route[0] == '\0') {
		is->action = CONF_NONE;
		return true;
	}
	if (t->expanded && strlen(t->addr) < sizeof(is->rcpt))
		memcpy(is->rcpt, t->addr, strlen(t->addr) + 1);
	if (rules_origin(conf, t->match, &e))
		is->flags = ROUTE_ORIGIN;
	outcome_set(&is->outcome, DONE, WIDTH_RCPT, 0, NULL, "rule at %s",
	    conf_at_print(conf, &m->at, where, sizeof(where)));
	return true;
}
