/*
 * Routes: "mx:DOMAIN", "host:URL" or "hosts:ACTION"; those that end on this
 * host are in lookup_local.c.  Runs in lookup; asks no DNS, and a value that
 * cannot be used is LATER, never guessed at.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_route.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include "conf_net.h"
#include "idn.h"
#include "lookup_forward.h"
#include "lookup_local.h"
#include "smtp_addr.h"

static const char *const schemes[] = {
#define X(name, word) [SCHEME_##name] = (word),
	CONF_SCHEMES(X)
#undef X
};

/* "host:SCHEME://[label@]HOST:PORT", in lower case but for the label; an IPv6
 * address gets brackets. */
static const char *
print_host(enum conf_scheme scheme, struct slice label, const char *name,
    unsigned int port, char out[ROUTE_MAX + 1])
{
	struct in6_addr addr;
	bool six = inet_pton(AF_INET6, name, &addr) == 1;
	char host[HOST_MAX + 1];
	int n;

	if (!slice_copy(slice_of(name), host, sizeof(host)))
		return "a host name that is too long";
	text_lower(host);
	if (six) /* one route, however it was written */
		inet_ntop(AF_INET6, &addr, host, sizeof(host));
	n = snprintf(out, ROUTE_MAX + 1, ROUTE_HOST "%s://%.*s%s%s%s%s:%u",
	    schemes[scheme], (int)label.len, label.len != 0 ? label.p : "",
	    label.len != 0 ? "@" : "", six ? "[" : "", host, six ? "]" : "",
	    port);
	if (n > 0 && n <= ROUTE_MAX)
		return NULL;
	out[0] = '\0';
	return "a URL that is too long for a route";
}

const char *
route_host(const struct conf *c, const struct conf_host *h,
    char out[ROUTE_MAX + 1])
{
	return print_host(h->scheme, slice_of(conf_text(c, h->label)),
	    conf_text(c, h->name), h->port, out);
}

const char *
route_url(const char *url, char out[ROUTE_MAX + 1])
{
	const struct conf_net_scheme *scheme;
	struct conf_url u;
	const char *why;

	out[0] = '\0';
	if ((why = conf_net_url(url, &u)) != NULL)
		return why;
	if ((scheme = conf_net_scheme(u.scheme)) == NULL)
		return "an unknown scheme";
	if (u.port == 0 && scheme->port == 0)
		return "no port behind the host, as in lmtp://HOST:24";
	return print_host(scheme->scheme, u.label, u.host,
	    u.port != 0 ? u.port : scheme->port, out);
}

/* "hosts:NAME".  Routes stand between blanks in lists and logs, the names of
 * actions may have any character. */
static bool
print_hosts(const char *action, char out[ROUTE_MAX + 1])
{
	static const char kind[] = "hosts:";
	size_t n = sizeof(kind) - 1;

	memcpy(out, kind, sizeof(kind));
	for (; *action != '\0'; action++) {
		if (n + 3 > ROUTE_MAX)
			return false;
		if (*action > ' ' && *action <= '~' && *action != '%') {
			out[n++] = *action;
			out[n] = '\0';
		} else
			n += (size_t)snprintf(out + n, 4, "%%%02X",
			    (unsigned int)(unsigned char)*action);
	}
	return true;
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
	text_lower(out);
	return n > 0 && n <= ROUTE_MAX;
}

static void
later(struct route_is *is, const char *text)
{
	is->route[0] = '\0';
	outcome_set(&is->outcome, LATER, WIDTH_RCPT, 0, "4.3.5", "%s", text);
	outcome_of_us(&is->outcome, CAUSE_CONFIG, STAGE_LOOKUP);
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
	bool ok;

	is->route[0] = '\0';
	if (a->domain != CONF_NONE)
		return by_table(q, a, domain, is);
	if (a->host.n > 1 || a->host_table != CONF_NONE)
		ok = print_hosts(conf_text(conf, a->name), is->route);
	else if (a->host.n == 1)
		ok = route_host(conf, CONF_HOST(conf, a->host, 0), is->route) ==
		    NULL;
	else
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
	bool here = t->kind != TARGET_ADDRESS, known;
	uint32_t row = t->match != CONF_NONE ? t->match : x->match;
	const struct conf_match *m = CONF_MATCH(conf, row);
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
	known = here ? local_route(q, x, t, a, is) :
		       find_route(q, a, smtp_addr_domain(t->addr), is);
	if (!known)
		return false;
	if (is->route[0] == '\0') {
		is->action = CONF_NONE;
		return true;
	}
	if (!here && !forward_sender(q, x, t, is->sender))
		return false;
	if (!here && t->expanded && strlen(t->addr) < sizeof(is->rcpt))
		memcpy(is->rcpt, t->addr, strlen(t->addr) + 1);
	if (!here && rules_origin(conf, t->match, &e))
		is->flags = ROUTE_ORIGIN;
	outcome_set(&is->outcome, DONE, WIDTH_RCPT, 0, NULL, "rule at %s",
	    conf_at_print(conf, &m->at, where, sizeof(where)));
	return true;
}
