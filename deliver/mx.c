/*
 * Which addresses a route leads to.  Used by deliver.  Never talks to any of
 * them, and never says NEVER for what the DNS did not say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mx.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "log.h"
#include "resolv.h"

/* ---- hosts in order ---- */

unsigned int
mx_sort(const struct dns_answer *mx, const struct mx_self *self,
    uint32_t (*pick)(uint32_t below), struct mx_host *out, bool *own)
{
	const struct dns_rr *rr[DNS_RR_MAX], *swap;
	unsigned int n = 0, i, j, first;
	uint32_t limit = UINT16_MAX + 1;

	*own = false;
	for (i = 0; i < mx->n && n < DNS_RR_MAX; i++) {
		if (mx->rr[i].name[0] == '\0')
			continue;
		rr[n++] = &mx->rr[i];
		if (!mx_own_name(self, mx->rr[i].name))
			continue;
		*own = true;
		if (mx->rr[i].pref < limit)
			limit = mx->rr[i].pref;
	}
	for (i = 1; i < n; i++) {
		swap = rr[i];
		for (j = i; j > 0 && rr[j - 1]->pref > swap->pref; j--)
			rr[j] = rr[j - 1];
		rr[j] = swap;
	}
	for (i = 0, first = 0; i < n; i++) {
		if (rr[i]->pref != rr[first]->pref)
			first = i;
		j = i - pick(i - first + 1);
		swap = rr[i];
		rr[i] = rr[j];
		rr[j] = swap;
	}
	for (i = 0; i < n && i < MX_HOSTS && rr[i]->pref < limit; i++) {
		memset(&out[i], 0, sizeof out[i]);
		strlcpy(out[i].name, rr[i]->name, sizeof out[i].name);
		out[i].pref = rr[i]->pref;
		out[i].status = DNS_NODATA;
	}
	return i;
}

/* What no mail server can have: "this network", multicast, reserved. */
static bool
usable4(const struct in_addr *a)
{
	uint32_t ip = ntohl(a->s_addr);

	return ip >> 24 != 0 && ip >> 28 < 14;
}

static bool
usable6(const struct in6_addr *a)
{
	struct in_addr mapped;

	if (IN6_IS_ADDR_V4MAPPED(a)) {
		memcpy(&mapped, a->s6_addr + 12, sizeof mapped);
		return usable4(&mapped);
	}
	return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_MULTICAST(a) &&
	    !IN6_IS_ADDR_LINKLOCAL(a) && !IN6_IS_ADDR_V4COMPAT(a);
}

void
mx_host_add(struct mx_host *h, const struct dns_question *q,
    const struct dns_answer *answer)
{
	unsigned int i;

	for (i = 0; i < answer->n && answer->status == DNS_FOUND; i++) {
		if (q->type == DNS_A && h->n4 < MX_PER_HOST &&
		    usable4(&answer->rr[i].a))
			h->a[h->n4++] = answer->rr[i].a;
		if (q->type == DNS_AAAA && h->n6 < MX_PER_HOST &&
		    usable6(&answer->rr[i].aaaa))
			h->aaaa[h->n6++] = answer->rr[i].aaaa;
	}
	if (h->n4 + h->n6 > 0)
		h->status = DNS_FOUND;
	else if (answer->status == DNS_LATER) {
		h->status = DNS_LATER;
		h->why = answer->why;
	} else if (answer->status == DNS_NXDOMAIN && h->status == DNS_NODATA)
		h->status = DNS_NXDOMAIN;
}

/* The i-th address of h, the families by turns, IPv6 first; false: no more. */
static bool
host_addr(const struct mx_host *h, unsigned int i, uint16_t port,
    struct mx_addr *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->ss;
	unsigned int both = 2 * (h->n4 < h->n6 ? h->n4 : h->n6);
	bool six = i < both ? i % 2 == 0 : h->n6 > h->n4;
	unsigned int k = i < both ? i / 2 : i - both / 2;

	if (i >= h->n4 + h->n6)
		return false;
	memset(out, 0, sizeof *out);
	strlcpy(out->name, h->name, sizeof out->name);
	if (six) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_addr = h->aaaa[k];
		out->len = sizeof *in6;
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr = h->a[k];
		out->len = sizeof *in;
	}
	return true;
}

/* The preference from which on mail would come back to us. */
static uint32_t
own_pref(const struct mx_host *host, unsigned int n, const struct mx_self *self,
    uint16_t port, bool *own)
{
	struct mx_addr addr;
	unsigned int i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; host_addr(&host[i], k, port, &addr); k++) {
			if (mx_own_addr(self, &addr.ss)) {
				*own = true;
				return host[i].pref;
			}
		}
	}
	return UINT16_MAX + 1;
}

void
mx_arrange(const struct mx_host *host, unsigned int n,
    const struct mx_self *self, uint16_t port, struct mx_list *list, bool *own)
{
	uint32_t limit = UINT16_MAX + 1;
	unsigned int i, k;

	list->n = 0;
	if (self != NULL)
		limit = own_pref(host, n, self, port, own);
	for (i = 0; i < n && host[i].pref < limit; i++) {
		for (k = 0; list->n < MX_ADDRS &&
		     host_addr(&host[i], k, port, &list->addr[list->n]);
		     k++)
			list->n++;
	}
}

/* ---- the search ---- */

struct host_ask {
	struct mx_find *find;
	struct mx_host *host;
	struct dns_ask ask;
};

struct mx_find {
	struct loop *loop;
	struct dns *dns;
	struct mx_route route;
	struct mx_self self;
	uint16_t port;
	mx_fn *fn;
	void *arg;
	struct timer soon; /* a literal needs no question */
	struct dns_ask mx;
	bool implicit; /* no MX: the domain itself */
	bool own;      /* we are one of the hosts */
	unsigned int n, open;
	struct mx_host host[MX_HOSTS];
	struct host_ask ask[2 * MX_HOSTS];
	struct mx_list list;
	struct outcome why;
};

static void
tell(struct mx_find *f)
{
	f->fn(f->arg, &f->list, &f->why);
}

/* No address is left to try: why. */
static void
explain(struct mx_find *f)
{
	const char *name = f->route.name;
	bool gone = f->n > 0;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		gone = gone && f->host[i].status == DNS_NXDOMAIN;
		if (f->host[i].status != DNS_LATER)
			continue;
		outcome_set(&f->why, LATER, WIDTH_SITE, 0, "4.4.3",
		    "the address of %s is not known now: %s", f->host[i].name,
		    f->host[i].why);
		return;
	}
	if (f->own)
		outcome_set(&f->why, NEVER, WIDTH_MESSAGE, 0, "5.4.6",
		    "mail for %s would come back to this host", name);
	else if (!f->route.mx)
		/* The owner named it: an error to be mended, not a "no". */
		outcome_set(&f->why, LATER, WIDTH_SITE, 0, "4.4.4",
		    "the relay host %s has no address", name);
	else if (!f->implicit)
		outcome_set(&f->why, NEVER, WIDTH_MESSAGE, 0, "5.4.4",
		    "none of the mail servers of %s has a usable address",
		    name);
	else
		outcome_set(&f->why, NEVER, WIDTH_MESSAGE, 0, "5.1.2",
		    gone ?
			"the domain %s does not exist" :
			"the domain %s has neither MX records nor an address",
		    name);
}

static void
addresses_known(struct mx_find *f)
{
	mx_arrange(f->host, f->n, f->route.mx ? &f->self : NULL, f->port,
	    &f->list, &f->own);
	if (f->list.n == 0)
		explain(f);
	tell(f);
}

static void
on_addr(void *arg, const struct dns_answer *answer)
{
	struct host_ask *a = arg;
	struct mx_find *f = a->find;

	mx_host_add(a->host, &a->ask.q, answer);
	if (--f->open == 0)
		addresses_known(f);
}

static void
ask_addresses(struct mx_find *f)
{
	static const enum dns_type types[2] = { DNS_AAAA, DNS_A };
	unsigned int i;
	struct host_ask *a;

	f->open = 2 * f->n;
	for (i = 0; i < 2 * f->n; i++) {
		a = &f->ask[i];
		a->find = f;
		a->host = &f->host[i / 2];
		dns_ask(f->dns, &a->ask, a->host->name, types[i % 2], on_addr,
		    a);
	}
}

/* The one host is name itself. */
static void
only_host(struct mx_find *f)
{
	f->n = 1;
	strlcpy(f->host[0].name, f->route.name, sizeof f->host[0].name);
	f->host[0].status = DNS_NODATA;
	ask_addresses(f);
}

static void
on_mx(void *arg, const struct dns_answer *answer)
{
	struct mx_find *f = arg;
	const char *name = f->route.name;

	switch (answer->status) {
	case DNS_FOUND:
		break;
	case DNS_NODATA:
		/* RFC 5321 5.1: the implicit MX. */
		f->implicit = true;
		if (!mx_own_name(&f->self, name)) {
			only_host(f);
			return;
		}
		f->own = true;
		explain(f);
		tell(f);
		return;
	case DNS_NXDOMAIN:
		outcome_set(&f->why, NEVER, WIDTH_MESSAGE, 0, "5.1.2",
		    "the domain %s does not exist", name);
		tell(f);
		return;
	case DNS_LATER:
	case DNS_ALIAS:
		outcome_set(&f->why, LATER, WIDTH_SITE, 0, "4.4.3",
		    "the mail servers of %s are not known now: %s", name,
		    answer->why == NULL ? "no answer" : answer->why);
		tell(f);
		return;
	}
	if (answer->n == 1 && answer->rr[0].name[0] == '\0') {
		outcome_set(&f->why, NEVER, WIDTH_MESSAGE, 556, "5.1.10",
		    "the domain %s takes no mail (null MX)", name);
		tell(f);
		return;
	}
	f->n = mx_sort(answer, &f->self, arc4random_uniform, f->host, &f->own);
	if (f->n > 0) {
		ask_addresses(f);
		return;
	}
	explain(f);
	tell(f);
}

/* The route is an address. */
static void
on_literal(void *arg)
{
	struct mx_find *f = arg;
	struct mx_addr *a = &f->list.addr[0];
	struct dns_server server;

	if (resolv_address(slice_of(f->route.name), f->port, &server)) {
		a->ss = server.ss;
		a->len = server.len;
		strlcpy(a->name, f->route.name, sizeof a->name);
		f->own = f->route.mx && mx_own_addr(&f->self, &a->ss);
		f->list.n = f->own ? 0 : 1;
	}
	if (f->list.n == 0)
		explain(f);
	tell(f);
}

struct mx_find *
mx_find(struct loop *l, struct dns *dns, const struct mx_route *route,
    const struct mx_self *self, mx_fn *fn, void *arg)
{
	struct mx_find *f = xcalloc(1, sizeof *f);

	f->loop = l;
	f->dns = dns;
	f->route = *route;
	f->self = *self;
	f->port = route->port != 0 ? route->port : self->port;
	f->self.port = f->port;
	f->fn = fn;
	f->arg = arg;
	if (route->literal)
		timer_set(l, &f->soon, 0, on_literal, f);
	else if (route->mx)
		dns_ask(dns, &f->mx, route->name, DNS_MX, on_mx, f);
	else
		only_host(f);
	return f;
}

void
mx_free(struct mx_find **f)
{
	unsigned int i;

	if (*f == NULL)
		return;
	timer_clear(&(*f)->soon);
	dns_cancel(&(*f)->mx);
	for (i = 0; i < 2 * MX_HOSTS; i++)
		dns_cancel(&(*f)->ask[i].ask);
	free(*f);
	*f = NULL;
}
