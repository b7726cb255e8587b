/*
 * Which addresses a route leads to.  Used by deliver.  Never talks to any of
 * them, and never says NEVER for what the DNS did not say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mx.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "log.h"
#include "num.h"
#include "resolv.h"
#include "smtp_addr.h"

#define SMTP_PORT 25

/* ---- routes ---- */

/* Columns: how the text begins, by MX, without TLS. */
static const struct {
	struct slice prefix;
	bool mx, notls;
} schemes[] = {
	{ { "mx:", 3 }, true, false },
	{ { "host:smtp://", 12 }, false, false },
	{ { "host:smtp+notls://", 18 }, false, true },
};

/* "[...]" or a bare address becomes an address as text. */
static const char *
literal(struct mx_route *r)
{
	struct dns_server server;
	struct slice name = slice_of(r->name);
	char ip[IP_TEXT_MAX + 1];
	const char *why = NULL;

	if (r->name[0] == '[') {
		if (name.len > 2 && r->name[name.len - 1] == ']' &&
		    resolv_address((struct slice){ name.p + 1, name.len - 2 },
			0, &server)) {
			r->name[name.len - 1] = '\0';
			memmove(r->name, r->name + 1, name.len - 1);
		} else if ((why = smtp_literal_parse(name, ip)) == NULL)
			strlcpy(r->name, ip, sizeof r->name);
		r->literal = why == NULL;
		return why;
	}
	r->literal = resolv_address(name, 0, &server);
	return NULL;
}

const char *
mx_route_parse(const char *text, struct mx_route *r)
{
	size_t i, n = sizeof schemes / sizeof schemes[0];
	const char *why, *colon;
	struct slice name;
	uint64_t port;

	memset(r, 0, sizeof *r);
	for (i = 0; i < n; i++) {
		if (strncmp(text, schemes[i].prefix.p, schemes[i].prefix.len) ==
		    0)
			break;
	}
	if (i == n)
		return "a route of no kind that is known";
	r->mx = schemes[i].mx;
	r->notls = schemes[i].notls;
	name = slice_of(text + schemes[i].prefix.len);
	if (!r->mx) {
		if ((colon = strrchr(name.p, ':')) == NULL)
			return "a host without a port";
		if ((why = num_parse(colon + 1, 1, UINT16_MAX, &port)) != NULL)
			return why;
		r->port = (uint16_t)port;
		name.len = (size_t)(colon - name.p);
	}
	if (name.len == 0 || !slice_copy(name, r->name, sizeof r->name))
		return "a name of a wrong length";
	return literal(r);
}

/* ---- ourselves ---- */

void
mx_self_of(const struct conf *conf, uint32_t action, struct mx_self *self)
{
	const struct conf_action *a = CONF_ACTION(conf, action);

	*self = (struct mx_self){ .conf = conf,
		.helo = conf_text(conf, a->helo),
		.port = a->port };
}

bool
mx_own_name(const struct mx_self *self, const char *name)
{
	const struct conf *c = self->conf;
	uint32_t i;

	if (name[0] == '\0')
		return false;
	if (strcasecmp(name, conf_text(c, c->hostname)) == 0 ||
	    (self->helo != NULL && strcasecmp(name, self->helo) == 0))
		return true;
	for (i = 0; i < c->listen.n; i++) {
		if (strcasecmp(name,
			conf_text(c, CONF_LISTEN(c, i)->hostname)) == 0)
			return true;
	}
	return false;
}

/* The address without its port; a mapped one as the IPv4 address it means.
 * Returns its length, 0 if there is none. */
static size_t
addr_bytes(const struct sockaddr_storage *ss, uint8_t out[16])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	switch (ss->ss_family) {
	case AF_INET:
		memcpy(out, &in->sin_addr, 4);
		return 4;
	case AF_INET6:
		memcpy(out, &in6->sin6_addr, 16);
		if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			return 16;
		memmove(out, out + 12, 4);
		return 4;
	default:
		return 0;
	}
}

static uint16_t
addr_port(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

	/* Both families keep it in the same place. */
	return ntohs(in->sin_port);
}

static bool
addr_any(const uint8_t *a, size_t len)
{
	static const uint8_t zero[16];

	return memcmp(a, zero, len) == 0;
}

static bool
addr_loopback(const uint8_t *a, size_t len)
{
	return len == 4 ? a[0] == 127 : a[15] == 1 && addr_any(a, 15);
}

/* An address of this host, as the parent found them. */
static bool
addr_local(const struct conf *c, const uint8_t *a, size_t len)
{
	struct dns_server have;
	uint8_t bytes[16];
	const char *text;
	uint32_t i;

	if (addr_loopback(a, len))
		return true;
	for (i = 0; i < c->local_addr.n; i++) {
		text = conf_text(c, CONF_ENTRY(c, c->local_addr, i)->key);
		if (resolv_address(slice_of(text), 0, &have) &&
		    addr_bytes(&have.ss, bytes) == len &&
		    memcmp(bytes, a, len) == 0)
			return true;
	}
	return false;
}

bool
mx_own_addr(const struct mx_self *self, const struct sockaddr_storage *ss)
{
	const struct conf *c = self->conf;
	const struct conf_listen *l;
	uint8_t a[16], there[16];
	size_t len = addr_bytes(ss, a), n;
	bool local = addr_local(c, a, len);
	uint32_t i;

	/* RFC 5321 5.1 speaks of hosts; where it names another port on this
	 * host, it is another server. */
	if (local && addr_port(ss) == SMTP_PORT)
		return true;
	for (i = 0; i < c->listen.n; i++) {
		l = CONF_LISTEN(c, i);
		if (l->local || addr_port(&l->ss) != addr_port(ss))
			continue;
		n = addr_bytes(&l->ss, there);
		if ((n != 0 && addr_any(there, n) && local) ||
		    (n == len && memcmp(there, a, len) == 0))
			return true;
	}
	return false;
}

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

const char *
mx_addr_print(const struct mx_addr *a, char *out)
{
	char ip[INET6_ADDRSTRLEN] = "";
	uint8_t bytes[16];
	size_t len = addr_bytes(&a->ss, bytes);

	if (len != 0)
		inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, ip, sizeof ip);
	snprintf(out, RELAY_MAX + 1, "%s[%s]:%u", a->name, ip,
	    addr_port(&a->ss));
	return out;
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
