/*
 * Groups of routes, by the names of their best hosts.  Used by deliver.
 * Connects to nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "dest.h"
#include "log.h"
#include "mx.h"

struct group {
	TAILQ_ENTRY(group) entry;
	struct deliver *d;
	struct ipc_chan *from;
	uint64_t id;
	struct mx_route route;
	struct dns_ask ask;
};

bool
group_any(const struct conf *c)
{
	uint32_t i;

	for (i = 0; i < c->limit.n; i++) {
		if (CONF_LIMIT(c, i)->mx.n != 0)
			return true;
	}
	return false;
}

uint32_t
group_of(const struct conf *c, const char *name, const struct dns_answer *mx)
{
	uint32_t best = UINT16_MAX, row, found = CONF_NONE;
	unsigned int i;

	if (mx->status == DNS_NODATA) /* RFC 5321 5.1: the implicit MX */
		return dest_limit_mx(c, name);
	if (mx->status != DNS_FOUND)
		return CONF_NONE;
	for (i = 0; i < mx->n; i++) {
		if (mx->rr[i].pref < best)
			best = mx->rr[i].pref;
	}
	/* Of several best hosts any may be the one; the first row holds. */
	for (i = 0; i < mx->n; i++) {
		if (mx->rr[i].pref != best)
			continue;
		row = dest_limit_mx(c, mx->rr[i].name);
		if (row < found)
			found = row;
	}
	return found;
}

static void
say(struct ipc_chan *from, uint64_t id, uint32_t row, uint32_t ttl,
    const struct outcome *why)
{
	struct group_is m;

	memset(&m, 0, sizeof m);
	if (why != NULL)
		m.outcome = *why;
	else
		outcome_set(&m.outcome, DONE, WIDTH_SITE, 0, NULL, "known");
	m.limit = row;
	m.ttl = ttl < GROUP_TTL_MIN ? GROUP_TTL_MIN :
	    ttl > GROUP_TTL_MAX     ? GROUP_TTL_MAX :
				      ttl;
	group_is_send(from, id, &m, -1);
}

static void
group_free(struct group *g)
{
	TAILQ_REMOVE(&g->d->groups, g, entry);
	dns_cancel(&g->ask);
	free(g);
}

static void
on_mx(void *arg, const struct dns_answer *answer)
{
	struct group *g = arg;
	struct outcome later;

	outcome_set(&later, LATER, WIDTH_SITE, 0, "4.4.3",
	    "the mail servers of %s are not known now: %s", g->route.name,
	    answer->why == NULL ? "no answer" : answer->why);
	outcome_of_us(&later, CAUSE_DNS, STAGE_DNS);
	say(g->from, g->id, group_of(g->d->conf, g->route.name, answer),
	    answer->ttl,
	    answer->status == DNS_LATER || answer->status == DNS_ALIAS ?
		&later :
		NULL);
	group_free(g);
}

void
group_on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct group_ask *ask = msg->body;
	struct deliver *d = self;
	struct mx_route route;
	struct group *g;

	if (!group_any(d->conf) || mx_route_parse(ask->route, &route) != NULL ||
	    !route.mx || route.literal) {
		say(from, msg->id, CONF_NONE, GROUP_TTL_MAX, NULL);
		return;
	}
	g = xcalloc(1, sizeof *g);
	g->d = d;
	g->from = from;
	g->id = msg->id;
	g->route = route;
	TAILQ_INSERT_TAIL(&d->groups, g, entry);
	dns_ask(d->dns, &g->ask, route.name, DNS_MX, on_mx, g);
}

void
group_forget(struct deliver *d, const struct ipc_chan *from)
{
	struct group *g, *next;

	for (g = TAILQ_FIRST(&d->groups); g != NULL; g = next) {
		next = TAILQ_NEXT(g, entry);
		if (from == NULL || g->from == from)
			group_free(g);
	}
}
