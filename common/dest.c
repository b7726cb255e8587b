/*
 * Which rules of `retry`, `limit` and `tls` a destination has.  Used by queue
 * and deliver; asks nobody, keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dest.h"

#include <string.h>
#include <strings.h>

#include "idn.h"
#include "slice.h"
#include "smtp_addr.h"

/* Without what a literal has around it. */
static struct slice
unbracket(struct slice name)
{
	static const char v6[] = "IPv6:";

	if (name.len < 2 || name.p[0] != '[' || name.p[name.len - 1] != ']')
		return name;
	name = (struct slice){ name.p + 1, name.len - 2 };
	if (name.len > strlen(v6) && strncasecmp(name.p, v6, strlen(v6)) == 0) {
		name.p += strlen(v6);
		name.len -= strlen(v6);
	}
	return name;
}

static const char *
name_of(struct slice name, char out[DOMAIN_MAX + 1])
{
	/* What is no name stays empty, and no rule names it. */
	idn_domain(unbracket(name), out);
	return out;
}

/* The host of a relay URL, with the brackets of an address. */
static struct slice
host_of(const char *url)
{
	const char *name = strstr(url, "://"), *at, *end;

	if (name == NULL)
		return (struct slice){ url, 0 };
	name += 3;
	/* A label may have anything in it but blanks; a host has no `@`. */
	if ((at = strrchr(name, '@')) != NULL)
		name = at + 1;
	end = name[0] == '[' ? strchr(name, ']') : NULL;
	if (end != NULL)
		return (struct slice){ name, (size_t)(end - name) + 1 };
	return (struct slice){ name, strcspn(name, ":") };
}

const char *
dest_of_route(const char *route, char out[DOMAIN_MAX + 1])
{
	out[0] = '\0';
	if (strncmp(route, "mx:", 3) == 0)
		return name_of(slice_of(route + 3), out);
	if (strncmp(route, "host:", 5) == 0)
		return name_of(host_of(route + 5), out);
	return out;
}

const char *
dest_of_addr(const char *addr, char out[DOMAIN_MAX + 1])
{
	return name_of(slice_of(smtp_addr_domain(addr)), out);
}

static bool
fits(const char *rule, const char *name)
{
	size_t len = strlen(name), tail;

	if (rule[0] != '*')
		return strcasecmp(rule, name) == 0;
	tail = strlen(rule + 1);
	return len > tail && strcasecmp(rule + 1, name + len - tail) == 0;
}

/* True if name is in domains, a span of struct conf_entry. */
static bool
dest_in(const struct conf *c, struct conf_span domains, const char *name)
{
	uint32_t i;

	for (i = 0; i < domains.n && name[0] != '\0'; i++) {
		if (fits(conf_text(c, CONF_ENTRY(c, domains, i)->key), name))
			return true;
	}
	return false;
}

const struct conf_retry *
dest_retry(const struct conf *c, const char *name)
{
	const struct conf_retry *rule;
	uint32_t i;

	for (i = 0; i < c->retry.n; i++) {
		rule = CONF_RETRY(c, i);
		if (dest_in(c, rule->domain, name))
			return rule;
	}
	return c->retry.n == 0 ? NULL : CONF_RETRY(c, 0);
}

/* What is not known yet, from this line. */
static void
take(struct dest_limit *l, const struct conf_limit *row)
{
	if (row->concurrency != 0 && l->concurrency_at == NULL) {
		l->concurrency = row->concurrency;
		l->concurrency_at = &row->at;
	}
	if (row->messages != 0 && l->messages_at == NULL) {
		l->messages = row->messages;
		l->messages_at = &row->at;
	}
	if (row->rate != 0 && row->per != 0 && l->rate_at == NULL) {
		l->rate = row->rate;
		l->per = row->per;
		l->rate_at = &row->at;
	}
	if (row->inet != 0 && l->inet_at == NULL) {
		l->inet = row->inet;
		l->inet_at = &row->at;
	}
}

void
dest_limit(const struct conf *c, const char *name, struct dest_limit *l)
{
	const struct conf_limit *row;
	uint32_t i;

	*l = (struct dest_limit){ .messages = DEST_MESSAGES };
	for (i = 0; i < c->limit.n; i++) {
		row = CONF_LIMIT(c, i);
		if (dest_in(c, row->domain, name))
			take(l, row);
	}
	for (i = 0; i < c->limit.n; i++) {
		row = CONF_LIMIT(c, i);
		if (row->domain.n == 0 && row->mx.n == 0)
			take(l, row);
	}
	if (l->concurrency_at == NULL)
		l->concurrency =
		    c->route_concurrency == 0 ? 1 : c->route_concurrency;
}

uint32_t
dest_limit_mx(const struct conf *c, const char *host)
{
	char name[DOMAIN_MAX + 1];
	uint32_t i;

	name_of(slice_of(host), name);
	for (i = 0; i < c->limit.n; i++) {
		if (dest_in(c, CONF_LIMIT(c, i)->mx, name))
			return i;
	}
	return CONF_NONE;
}

const struct conf_tls *
dest_tls(const struct conf *c, const char *name)
{
	uint32_t i;

	for (i = 0; i < c->tls.n; i++) {
		if (dest_in(c, CONF_TLS(c, i)->domain, name))
			return CONF_TLS(c, i);
	}
	return NULL;
}
