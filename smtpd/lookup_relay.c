/*
 * Hosts, source addresses and names of an action, from lists and tables.  Runs
 * in lookup; asks no DNS.  Of a list with a bad value the others are used;
 * where none is left, nothing is sent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_relay.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "log.h"
#include "lookup_answer.h"
#include "lookup_route.h"
#include "smtp_addr.h"

static const char *const services[SERVICES] = {
#define X(name, word) [SERVICE_##name] = (word),
	CONF_SERVICES(X)
#undef X
};

/* ---- what cannot be used ---- */

/* Deliver asks again and again: the same is said once, until a table
 * changes. */
static void
log_bad(struct answers *a, const char *table, enum conf_service s,
    const char *value, const char *why)
{
	uint64_t sum = XXH3_64bits_withSeed(value, strlen(value), (uint64_t)s);
	size_t i;

	sum = XXH3_64bits_withSeed(why, strlen(why), sum);
	sum = XXH3_64bits_withSeed(table, strlen(table), sum);
	for (i = 0; i < SAID_MAX; i++) {
		if (a->said[i] == sum)
			return;
	}
	a->said[a->next_said++ % SAID_MAX] = sum;
	log_warn("table-value", "table=%s service=%s error=%s key=%s", q(table),
	    services[s], q(why), q(value));
}

static void
later(struct outcome *o, const char *ecode, enum cause cause, const char *text)
{
	outcome_set(o, LATER, WIDTH_SITE, 0, ecode, "%s", text);
	outcome_of_us(o, cause, STAGE_LOOKUP);
}

/* ---- a list in the making ---- */

/* Reads a value into out, or says why it is none. */
typedef const char *read_fn(const char *value, char out[ROUTE_MAX + 1]);

struct list {
	struct question *q;
	struct relay_is *is;
	size_t len; /* of is->text in use */
	/* of the part that is being made */
	const char *table;
	enum conf_service service;
	size_t begin;
	uint32_t n, max;
	bool unknown; /* a table did not answer */
};

static bool
has(const struct list *l, const char *text)
{
	const char *p = l->is->text + l->begin;
	const char *end = l->is->text + l->len;

	for (; p < end; p += strlen(p) + 1) {
		if (strcmp(p, text) == 0)
			return true;
	}
	return false;
}

static void
bad(struct list *l, const char *value, const char *why)
{
	question_note(l->q, "bad", NULL, "%s: %s", value, why);
	log_bad(l->q->all->arg, l->table, l->service, value, why);
}

static void
add(struct list *l, const char *text)
{
	size_t size = strlen(text) + 1;

	if (has(l, text))
		return;
	if (l->n == l->max || size > sizeof(l->is->text) - 1 - l->len) {
		bad(l, text, "there are too many");
		return;
	}
	memcpy(l->is->text + l->len, text, size);
	l->len += size;
	l->n++;
}

static void
begin(struct list *l, const char *table, enum conf_service s, uint32_t max)
{
	l->table = table;
	l->service = s;
	l->begin = l->len;
	l->n = 0;
	l->max = max;
	l->unknown = false;
}

/* All values of row `table`.  False: some are awaited. */
static bool
add_table(struct list *l, uint32_t table, read_fn *read)
{
	const struct conf *c = l->q->all->conf;
	bool program = CONF_TABLE(c, table)->kind == TABLE_PROC, known = true;
	/* One more than are used, so that it is known that there are more. */
	uint32_t i, most = program ? RELAY_ASKS : l->max + 1;
	char key[16], text[ROUTE_MAX + 1];
	const char *value, *why;
	enum table_answer a = TABLE_YES;

	for (i = 0; i < most && a != TABLE_NO; i++) {
		snprintf(key, sizeof(key), "%c%u", TABLE_ENTRY, i);
		a = question_table(l->q, table, l->service, key, &value);
		known = known && a != TABLE_WAIT;
		if (a == TABLE_UNKNOWN) {
			l->unknown = true;
			break;
		}
		if (a != TABLE_YES || !known)
			continue;
		if ((why = read(value, text)) == NULL)
			add(l, text);
		else
			bad(l, value, why);
	}
	return known;
}

/* ---- hosts ---- */

static const char *
read_host(const char *value, char out[ROUTE_MAX + 1])
{
	char route[ROUTE_MAX + 1];
	const char *why = route_url(value, route);

	if (why == NULL)
		snprintf(out, ROUTE_MAX + 1, "%s", route + strlen(ROUTE_HOST));
	return why;
}

static bool
add_hosts(struct list *l, const struct conf_action *a)
{
	const struct conf *c = l->q->all->conf;
	char route[ROUTE_MAX + 1];
	const char *why;
	uint32_t i;

	begin(l, "", SERVICE_RELAYHOST, RELAY_HOSTS);
	if (a->host_table != CONF_NONE) {
		l->table = conf_text(c, CONF_TABLE(c, a->host_table)->name);
		return add_table(l, a->host_table, read_host);
	}
	for (i = 0; i < a->host.n; i++) {
		const struct conf_host *h = CONF_HOST(c, a->host, i);

		if ((why = route_host(c, h, route)) == NULL)
			add(l, route + strlen(ROUTE_HOST));
		else
			bad(l, conf_text(c, h->name), why);
	}
	return true;
}

/* ---- addresses ---- */

static const char *
read_address(const char *value, char out[ROUTE_MAX + 1])
{
	struct table_net net;

	if (!table_addr_parse(value, &net) ||
	    inet_ntop(net.family == 4 ? AF_INET : AF_INET6, net.addr, out,
		ROUTE_MAX) == NULL)
		return "not an address";
	return NULL;
}

static bool
add_sources(struct list *l, const struct conf_action *a)
{
	const struct conf *c = l->q->all->conf;

	begin(l, "", SERVICE_SOURCE, RELAY_SRCS);
	if (a->src == CONF_NONE)
		return true;
	l->table = conf_text(c, CONF_TABLE(c, a->src)->name);
	return add_table(l, a->src, read_address);
}

/* ---- both ---- */

/* The part that was made has to have something.  False: it has not, as the
 * outcome says. */
static bool
check(const struct list *l, const char *unknown, const char *none)
{
	if (l->n != 0)
		return true;
	if (l->unknown)
		later(&l->is->outcome, "4.3.0", CAUSE_SYSTEM, unknown);
	else
		later(&l->is->outcome, "4.3.5", CAUSE_CONFIG, none);
	return false;
}

bool
relay_find(struct question *q, uint32_t action, struct relay_is *is)
{
	const struct conf *c = q->all->conf;
	struct list l = { .q = q, .is = is };
	const struct conf_action *a;
	bool known, good = true;

	memset(is, 0, sizeof(*is));
	if (action >= c->action.n) {
		later(&is->outcome, "4.3.5", CAUSE_CONFIG, "no such action");
		return true;
	}
	a = CONF_ACTION(c, action);
	known = add_hosts(&l, a);
	is->n_host = l.n;
	if (a->host.n != 0 || a->host_table != CONF_NONE)
		good = check(&l, "the table of relay hosts cannot answer now",
		    "no relay host is left that can be used");
	/* Also where hosts are awaited: both at once. */
	known = add_sources(&l, a) && known;
	is->n_src = l.n;
	if (good && a->src != CONF_NONE)
		good =
		    check(&l, "the table of source addresses cannot answer now",
			"no address is left to connect from");
	if (good)
		outcome_set(&is->outcome, DONE, WIDTH_SITE, 0, NULL,
		    "%u hosts, %u addresses", is->n_host, is->n_src);
	return known;
}

bool
relay_helo(struct question *q, uint32_t action, const char *ours,
    struct helo_is *is)
{
	const struct conf *c = q->all->conf;
	char ip[IP_TEXT_MAX + 1];
	uint32_t table = CONF_NONE;
	const char *value, *name;

	memset(is, 0, sizeof(*is));
	if (action < c->action.n)
		table = CONF_ACTION(c, action)->helo_src;
	outcome_set(&is->outcome, DONE, WIDTH_SITE, 0, NULL, "known");
	if (table == CONF_NONE)
		return true;
	name = conf_text(c, CONF_TABLE(c, table)->name);
	switch (question_table(q, table, SERVICE_ADDRNAME, ours, &value)) {
	case TABLE_WAIT:
		return false;
	case TABLE_YES:
		if ((smtp_domain_check(slice_of(value)) == NULL ||
			smtp_literal_parse(slice_of(value), ip) == NULL) &&
		    slice_copy(slice_of(value), is->name, sizeof(is->name)))
			break;
		question_note(q, "bad", NULL, "%s: not a host name", value);
		log_bad(q->all->arg, name, SERVICE_ADDRNAME, value,
		    "not a host name");
		break;
	case TABLE_NO:
		break;
	case TABLE_UNKNOWN:
		later(&is->outcome, "4.3.0", CAUSE_SYSTEM,
		    "the table of names for EHLO cannot answer now");
		break;
	}
	return true;
}

/* ---- asked by deliver ---- */

bool
judge_relay(struct question *q)
{
	const struct relay_ask *ask = q->ask;
	struct relay_is is;

	if (!relay_find(q, ask->action, &is))
		return false;
	relay_is_send(q->from, q->id, &is, -1);
	return true;
}

bool
judge_helo(struct question *q)
{
	const struct helo_ask *ask = q->ask;
	struct helo_is is;

	if (!relay_helo(q, ask->action, ask->ours, &is))
		return false;
	helo_is_send(q->from, q->id, &is, -1);
	return true;
}
