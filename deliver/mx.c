/*
 * Which addresses a route leads to.  Used by deliver.  Never talks to any of
 * them, and never says NEVER for what the DNS did not say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mx.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "log.h"
#include "resolv.h"

/* ---- hosts in order ---- */

static bool
is_backup(const struct mx_self *self, const char *name)
{
	return self->backup != NULL && strcasecmp(self->backup, name) == 0;
}

bool
mx_lists(const struct dns_answer *mx, const char *name)
{
	unsigned int i;

	for (i = 0; i < mx->n; i++) {
		if (strcasecmp(mx->rr[i].name, name) == 0)
			return true;
	}
	return false;
}

unsigned int
mx_sort(const struct dns_answer *mx, const struct mx_self *self,
    uint32_t (*pick)(uint32_t below), struct mx_host *out, bool *own)
{
	const struct dns_rr *rr[DNS_RR_MAX], *swap;
	unsigned int n = 0, i, j, first;
	uint32_t limit = UINT16_MAX + 1;
	bool ours;

	*own = false;
	for (i = 0; i < mx->n && n < DNS_RR_MAX; i++) {
		if (mx->rr[i].name[0] == '\0')
			continue;
		rr[n++] = &mx->rr[i];
		ours = mx_own_name(self, mx->rr[i].name);
		*own = *own || ours;
		if ((ours || is_backup(self, mx->rr[i].name)) &&
		    mx->rr[i].pref < limit)
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

/* The address of a record, without a port. */
static void
rr_addr(const struct dns_rr *rr, enum dns_type type,
    struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (type == DNS_A) {
		in->sin_family = AF_INET;
		in->sin_addr = rr->a;
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = rr->aaaa;
	}
}

/* One record; a host with many has some of each family. */
static void
add_addr(struct mx_host *h, enum dns_type type, const struct dns_rr *rr)
{
	struct sockaddr_storage ss;

	rr_addr(rr, type, &ss);
	if (!mx_usable(&ss))
		inet_ntop(ss.ss_family,
		    type == DNS_A ? (const void *)&rr->a : &rr->aaaa, h->odd,
		    sizeof h->odd);
	else if (type == DNS_A && h->n4 < MX_PER_HOST)
		h->a[h->n4++] = rr->a;
	else if (type == DNS_AAAA && h->n6 < MX_PER_HOST)
		h->aaaa[h->n6++] = rr->aaaa;
}

void
mx_host_add(struct mx_host *h, const struct dns_question *q,
    const struct dns_answer *answer)
{
	unsigned int i;

	for (i = 0; i < answer->n && answer->status == DNS_FOUND; i++)
		add_addr(h, q->type, &answer->rr[i]);
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
	bool best;     /* self.backup is the best of them */
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

/* Nobody knows now, or the owner has to mend something. */
static void __attribute__((format(printf, 4, 5))) later(struct mx_find *f,
    enum cause cause, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	outcome_vset(&f->why, LATER, WIDTH_SITE, 0, ecode, fmt, ap);
	va_end(ap);
	outcome_of_us(&f->why, cause, STAGE_DNS);
}

/* The DNS says no; code 0: in no protocol's words. */
static void __attribute__((format(printf, 5, 6)))
never(struct mx_find *f, enum cause cause, unsigned int code, const char *ecode,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	outcome_vset(&f->why, NEVER, WIDTH_MESSAGE, code, ecode, fmt, ap);
	va_end(ap);
	outcome_of_us(&f->why, cause, STAGE_DNS);
}

/* A host has an address that cannot be used. */
static const struct mx_host *
odd_host(const struct mx_find *f)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (f->host[i].odd[0] != '\0')
			return &f->host[i];
	}
	return NULL;
}

/* No address is left to try, of hosts that are all known: why. */
static void
explain_known(struct mx_find *f, bool gone)
{
	const char *name = f->route.name;
	const struct mx_host *odd = odd_host(f);

	if (f->self.backup != NULL && f->route.mx && (f->own || f->best))
		later(f, CAUSE_CONFIG, "4.4.4",
		    "%s is to be a backup for %s, and no mail server is better than it",
		    f->self.backup, name);
	else if (f->own)
		never(f, CAUSE_CONFIG, 0, "5.4.6",
		    "mail for %s would come back to this host", name);
	else if (!f->route.mx && odd != NULL)
		later(f, CAUSE_CONFIG, "4.4.4",
		    "the relay host %s has the address %s, which no server can have",
		    name, odd->odd);
	else if (!f->route.mx)
		/* The owner named it: an error to be mended, not a "no". */
		later(f, CAUSE_DNS, "4.4.4", "the relay host %s has no address",
		    name);
	else if (odd != NULL)
		never(f, CAUSE_DNS, 0, "5.4.4",
		    "%s, where mail for %s goes, has the address %s, which no mail server can have",
		    odd->name, name, odd->odd);
	else if (!f->implicit)
		never(f, CAUSE_DNS, 0, "5.4.4",
		    "none of the mail servers of %s has a usable address",
		    name);
	else
		never(f, CAUSE_DNS, 0, "5.1.2",
		    gone ?
			"the domain %s does not exist" :
			"the domain %s has neither MX records nor an address",
		    name);
}

/* No address is left to try: why. */
static void
explain(struct mx_find *f)
{
	bool gone = f->n > 0;
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		gone = gone && f->host[i].status == DNS_NXDOMAIN;
		if (f->host[i].status != DNS_LATER)
			continue;
		later(f, CAUSE_DNS, "4.4.3",
		    "the address of %s is not known now: %s", f->host[i].name,
		    f->host[i].why);
		return;
	}
	explain_known(f, gone);
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

/* RFC 6761 6.3: the DNS is not asked for these. */
static bool
is_localhost(const char *name)
{
	static const char localhost[] = ".localhost";
	const size_t tail = strlen(localhost), len = strlen(name);

	return strcasecmp(name, localhost + 1) == 0 ||
	    (len > tail && strcasecmp(name + len - tail, localhost) == 0);
}

static void
loopback(struct mx_host *h)
{
	h->status = DNS_FOUND;
	h->n4 = h->n6 = 1;
	h->a[0].s_addr = htonl(INADDR_LOOPBACK);
	h->aaaa[0] = in6addr_loopback;
}

static void
on_loopback(void *arg)
{
	addresses_known(arg);
}

/* The one host is name itself. */
static void
only_host(struct mx_find *f)
{
	f->n = 1;
	strlcpy(f->host[0].name, f->route.name, sizeof f->host[0].name);
	f->host[0].status = DNS_NODATA;
	if (is_localhost(f->route.name)) {
		loopback(&f->host[0]);
		timer_set(f->loop, &f->soon, 0, on_loopback, f);
	} else
		ask_addresses(f);
}

/* RFC 5321 5.1: the implicit MX. */
static void
no_mx(struct mx_find *f)
{
	f->implicit = true;
	if (f->self.backup != NULL) {
		later(f, CAUSE_CONFIG, "4.4.4",
		    "%s is to be a backup for %s, which has no MX records",
		    f->self.backup, f->route.name);
		tell(f);
		return;
	}
	if (!mx_own_name(&f->self, f->route.name)) {
		only_host(f);
		return;
	}
	f->own = true;
	explain(f);
	tell(f);
}

/* There are MX records. */
static void
some_mx(struct mx_find *f, const struct dns_answer *answer)
{
	const char *name = f->route.name;

	if (answer->n == 1 && answer->rr[0].name[0] == '\0') {
		never(f, CAUSE_DNS, 556, "5.1.10",
		    "the domain %s takes no mail (null MX)", name);
		tell(f);
		return;
	}
	if (f->self.backup != NULL && !mx_lists(answer, f->self.backup)) {
		later(f, CAUSE_CONFIG, "4.4.4",
		    "%s is to be a backup for %s, and is not among its mail servers",
		    f->self.backup, name);
		tell(f);
		return;
	}
	f->n = mx_sort(answer, &f->self, arc4random_uniform, f->host, &f->own);
	if (f->n > 0) {
		ask_addresses(f);
		return;
	}
	f->best = true;
	explain(f);
	tell(f);
}

static void
on_mx(void *arg, const struct dns_answer *answer)
{
	struct mx_find *f = arg;
	const char *name = f->route.name;

	switch (answer->status) {
	case DNS_FOUND:
		some_mx(f, answer);
		return;
	case DNS_NODATA:
		no_mx(f);
		return;
	case DNS_NXDOMAIN:
		never(f, CAUSE_DNS, 0, "5.1.2", "the domain %s does not exist",
		    name);
		break;
	case DNS_LATER:
	case DNS_ALIAS:
		later(f, CAUSE_DNS, "4.4.3",
		    "the mail servers of %s are not known now: %s", name,
		    answer->why == NULL ? "no answer" : answer->why);
		break;
	}
	tell(f);
}

/* The route is an address, and no mail server's. */
static void
no_literal(struct mx_find *f)
{
	const char *name = f->route.name;

	if (f->own)
		explain(f);
	else if (f->route.mx)
		never(f, CAUSE_MAILBOX, 0, "5.1.2",
		    "no mail server can have the address %s", name);
	else
		later(f, CAUSE_CONFIG, "4.4.4",
		    "no relay host can have the address %s", name);
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
		f->list.n = !f->own && mx_usable(&a->ss);
	}
	if (f->list.n == 0)
		no_literal(f);
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
