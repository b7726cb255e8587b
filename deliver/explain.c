/*
 * The answer to hosts_ask: hosts in order, TLS, signing key, found by what a
 * job uses.  Runs in deliver; connects to nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "explain.h"

#include <arpa/inet.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dest.h"
#include "group.h"
#include "log.h"
#include "mx.h"
#include "policy.h"
#include "smtp_addr.h"
#include "source.h"

/* A host of the route, and what was found. */
struct explain_host {
	struct mx_route route;
	struct mx_list list;
	struct outcome why; /* without addresses */
};

struct explain {
	TAILQ_ENTRY(explain) entry;
	struct deliver *d;
	struct ipc_chan *from;
	uint64_t id;
	struct explain_route about;
	struct mx_route route;
	struct relay_wait relay;
	struct explain_host *host; /* those of the route, in order */
	unsigned int n_host, at;   /* at: the one that is being found */
	struct mx_find *find;
	struct dns_ask mx; /* for its group */
	uint32_t group;    /* row of conf.limit */
	struct dest_limit limit;
	struct helo_wait helo;
	const char *name;           /* what we say we are */
	char ours[IP_TEXT_MAX + 1]; /* where we connect from; "": anywhere */
	struct hosts_is is;
	size_t used; /* bytes of is.is.text */
	bool full;
};

/* A step; at: the line that decided, or NULL. */
static void __attribute__((format(printf, 4, 5))) step(struct explain *e,
    const char *name, const struct conf_at *at, const char *fmt, ...)
{
	char text[512], where[CONF_AT_MAX] = "";
	size_t room = sizeof e->is.is.text - e->used;
	va_list ap;
	int n;

	if (at != NULL)
		conf_at_print(e->d->conf, at, where, sizeof where);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	n = snprintf(e->is.is.text + e->used, room, "%s\t%s\t%s\n", name, where,
	    text);
	if (e->full || n < 0 || (size_t)n >= room) {
		e->is.is.text[e->used] = '\0';
		e->full = true;
		return;
	}
	e->used += (size_t)n;
}

static void
explain_free(struct explain *e)
{
	TAILQ_REMOVE(&e->d->explains, e, entry);
	e->d->n_explains--;
	relay_cancel(&e->relay);
	helo_cancel(&e->helo);
	dns_cancel(&e->mx);
	mx_free(&e->find);
	free(e->host);
	free(e);
}

static const struct conf_action *
action_of(const struct explain *e)
{
	return CONF_ACTION(e->d->conf, e->about.action);
}

/* ---- what a connection would be like ---- */

/* One host; before: its name, where there are several. */
static void
say_tls_of(struct explain *e, const char *before, const struct mx_route *host,
    const char *dest)
{
	const struct policy_about about = { .action = e->about.action,
		.scheme = (enum conf_scheme)host->scheme,
		.mx = host->mx,
		.login =
		    host->label[0] != '\0' && action_of(e)->auth != CONF_NONE,
		.dest = dest,
		.host = host->name };
	struct tls_want want;
	char text[400];

	policy_conf(e->d->conf, &about, &want);
	if (e->d->tls == NULL)
		snprintf(text, sizeof text, "none: OpenSSL is not available");
	else
		policy_say(e->d->conf, &want, text, sizeof text);
	step(e, "tls", want.at, "%s%s", before, text);
}

static void
say_tls(struct explain *e)
{
	char dest[DOMAIN_MAX + 1], name[HOST_MAX + 3];
	unsigned int i;

	if (!e->route.list) {
		say_tls_of(e, "", &e->route,
		    e->route.lmtp ? e->route.name :
				    dest_of_route(e->about.route, dest));
		return;
	}
	for (i = 0; i < e->n_host; i++) {
		snprintf(name, sizeof name, "%s: ", e->host[i].route.name);
		say_tls_of(e, name, &e->host[i].route, e->host[i].route.name);
	}
}

static void
say_helo(struct explain *e)
{
	const struct conf_action *a = action_of(e);

	step(e, "helo",
	    a->helo != 0 || a->helo_src != CONF_NONE ? &a->at : NULL, "%s",
	    e->name);
}

static void
say_source(struct explain *e)
{
	const struct conf_action *a = action_of(e);
	const struct dest_limit *l = &e->limit;

	if (a->src != CONF_NONE)
		step(e, "source", &a->at, "%u of IPv4, %u of IPv6%s%s",
		    relay_srcs(e->d->relays, e->about.action, AF_INET),
		    relay_srcs(e->d->relays, e->about.action, AF_INET6),
		    e->ours[0] == '\0' ? "" : "; the next one is ", e->ours);
	if (l->inet != 0)
		step(e, "source", l->inet_at, "by IPv%u alone", l->inet);
	if (a->backup && e->route.mx)
		step(e, "backup", &a->at,
		    "only mail servers that are better than %s",
		    conf_text(e->d->conf,
			a->backup_mx != 0 ? a->backup_mx :
					    e->d->conf->hostname));
	if (e->group != CONF_NONE)
		step(e, "group", &CONF_LIMIT(e->d->conf, e->group)->at,
		    "its limits hold for all routes with these mail servers together");
}

static void
say_row(struct explain *e, uint32_t row)
{
	static const char *const algs[] = {
		[ALG_RSA] = "rsa",
		[ALG_ED25519] = "ed25519",
	};
	const struct conf *c = e->d->conf;
	const struct conf_dkim *dkim = CONF_DKIM(c, row);

	step(e, "key", &dkim->at, "domain %s selector %s, %s",
	    conf_text(c, dkim->domain), conf_text(c, dkim->selector),
	    algs[e->d->keys.alg[row] - 1]);
}

/* The author's domain chooses the key; here the sender stands for it. */
static void
say_key(struct explain *e)
{
	const struct conf *c = e->d->conf;
	const char *domain = smtp_addr_domain(e->about.sender);
	uint32_t first, rows[DKIM_SIGS];
	int i, n;

	if (e->route.lmtp) {
		step(e, "key", NULL,
		    "none: the mail is for users of this host");
		return;
	}
	if (c->dkim.n == 0) {
		step(e, "key", NULL, "none: no dkim line");
		return;
	}
	if ((e->about.flags & ROUTE_ORIGIN) == 0) {
		if (c->arc_seal != 0)
			step(e, "key", NULL,
			    "that of \"%s\" seals it, if it was verified when it came",
			    conf_text(c, c->arc_seal));
		else
			step(e, "key", NULL, "none: the mail is a stranger's");
		return;
	}
	if ((first = dkim_row_for(c, domain)) == CONF_NONE) {
		step(e, "key", NULL, "none for the domain \"%s\"", domain);
		return;
	}
	n = dkim_rows(c, &e->d->keys, first, rows);
	if (n == DKIM_LATER)
		step(e, "key", &CONF_DKIM(c, first)->at,
		    "later: the key has not been read");
	for (i = 0; i < n; i++)
		say_row(e, rows[i]);
}

/* ---- hosts ---- */

/* Of the family that `limit` leaves out there; at: its line. */
static bool
is_limited(const struct explain *e, const struct mx_route *host,
    const struct mx_addr *a, const struct conf_at **at)
{
	const struct conf *c = e->d->conf;
	struct dest_limit l = e->limit;
	unsigned int inet;
	uint32_t row;

	/* Each host of a list is a destination of its own. */
	if (e->route.list)
		dest_limit(c, host->name, &l);
	inet = l.inet;
	*at = l.inet_at;
	if (inet == 0 && host->mx &&
	    (row = dest_limit_mx(c, a->name)) != CONF_NONE) {
		inet = CONF_LIMIT(c, row)->inet;
		*at = &CONF_LIMIT(c, row)->at;
	}
	return inet != 0 && (inet == 6) != (a->ss.ss_family == AF_INET6);
}

/* NULL, or why it is not tried; at: the line that says so. */
static const char *
left_out(const struct explain *e, const struct mx_route *host,
    const struct mx_addr *a, const struct conf_at **at)
{
	int family = a->ss.ss_family;

	if (is_limited(e, host, a, at))
		return family == AF_INET6 ? "by IPv4 alone" : "by IPv6 alone";
	*at = &action_of(e)->at;
	if (action_of(e)->src != CONF_NONE &&
	    relay_srcs(e->d->relays, e->about.action, family) == 0)
		return "no address of src is of its family";
	return NULL;
}

/* Those that are tried. */
static unsigned int
count_tried(const struct explain *e, const struct explain_host *h)
{
	const struct conf_at *at;
	unsigned int i, n = 0;

	for (i = 0; i < h->list.n; i++)
		n += left_out(e, &h->route, &h->list.addr[i], &at) == NULL;
	return n;
}

/* What the memory has against an address. */
static void
say_host(struct explain *e, const struct mx_route *host,
    const struct mx_addr *a, const struct conf_at *at)
{
	char relay[RELAY_MAX + 1];
	const struct conf_at *out_at;
	struct seen_about about;
	enum seen_state state;
	const char *why;

	mx_addr_print(a, relay);
	if ((why = left_out(e, host, a, &out_at)) != NULL) {
		step(e, "skipped", out_at, "%s: %s", relay, why);
		return;
	}
	state =
	    seen_addr(e->d->seen, &a->ss, e->about.route, loop_msec(), &about);
	if (state == SEEN_WELL)
		step(e, "host", at, "%s", relay);
	else
		step(e, "host", at,
		    "%s (%s, %lld seconds ago; left alone for %lld more)",
		    relay, about.why, (long long)(about.ago / 1000),
		    (long long)(about.still / 1000));
}

/* All that there is to be known is known. */
static void
answer(struct explain *e)
{
	const struct conf_at *at = e->route.mx ? NULL : &action_of(e)->at;
	struct explain_host *h;
	unsigned int i, k, n = 0;

	for (i = 0; i < e->n_host; i++)
		n += count_tried(e, &e->host[i]);
	for (i = 0; i < e->n_host; i++) {
		h = &e->host[i];
		if (count_tried(e, h) > 0)
			continue;
		if (h->list.n > 0)
			outcome_set(&h->why, LATER, WIDTH_SITE, 0, "4.3.5",
			    "%s has no address of the family that limit or src asks for",
			    h->route.name);
		if (n == 0)
			e->is.is.outcome = h->why;
		step(e, n == 0 && h->why.verdict == NEVER ? "never" : "later",
		    at, "%s", h->why.text);
	}
	/* Those at the end go first when there is no room. */
	say_helo(e);
	say_source(e);
	say_tls(e);
	say_key(e);
	for (i = 0; i < e->n_host; i++) {
		h = &e->host[i];
		for (k = 0; k < h->list.n; k++)
			say_host(e, &h->route, &h->list.addr[k], at);
	}
	hosts_is_send(e->from, e->id, &e->is, -1);
	explain_free(e);
}

/* Its socket is the only way, and there is no TLS on it. */
static void
answer_socket(struct explain *e)
{
	say_helo(e);
	step(e, "tls", NULL, "never: it is a socket of this host");
	say_key(e);
	step(e, "host", &action_of(e)->at, "%s", e->route.name);
	hosts_is_send(e->from, e->id, &e->is, -1);
	explain_free(e);
}

/* Nothing can be said of hosts. */
static void
answer_later(struct explain *e, const struct outcome *why)
{
	e->is.is.outcome = *why;
	step(e, "later", &action_of(e)->at, "%s", why->text);
	say_helo(e);
	say_key(e);
	hosts_is_send(e->from, e->id, &e->is, -1);
	explain_free(e);
}

static void
on_helo(void *arg, const char *name, const struct outcome *why)
{
	struct explain *e = arg;

	if (why != NULL) {
		answer_later(e, why);
		return;
	}
	if (name[0] != '\0')
		e->name = name;
	answer(e);
}

/* The first address that can be connected from here. */
static void
ask_helo(struct explain *e)
{
	const struct conf_action *a = action_of(e);
	const struct mx_list *list = &e->host[0].list;
	struct sockaddr_storage src = { 0 };
	const struct conf_at *at;
	unsigned int i;

	for (i = 0; i < list->n && e->ours[0] == '\0'; i++) {
		if (left_out(e, &e->host[0].route, &list->addr[i], &at) != NULL)
			continue;
		if (a->src != CONF_NONE &&
		    !relay_src(e->d->relays, e->about.action,
			list->addr[i].ss.ss_family, loop_msec(), &src))
			continue;
		source_of(&src, &list->addr[i], e->ours);
	}
	if (a->helo_src == CONF_NONE || e->ours[0] == '\0')
		answer(e);
	else
		helo_find(e->d->helos, &e->helo, e->about.action, e->ours,
		    on_helo, e);
}

static void
on_mx(void *arg, const struct dns_answer *mx)
{
	struct explain *e = arg;

	e->group = group_of(e->d->conf, e->route.name, mx);
	ask_helo(e);
}

static void find_next(struct explain *e);

static void
on_found(void *arg, const struct mx_list *list, const struct outcome *why)
{
	struct explain *e = arg;
	struct explain_host *h = &e->host[e->at];

	h->list = *list;
	h->why = *why;
	seen_order(e->d->seen, e->about.route, &h->list, loop_msec());
	mx_free(&e->find);
	e->at++;
	find_next(e);
}

static void
find_next(struct explain *e)
{
	struct mx_self who;

	if (e->at < e->n_host) {
		mx_self_of(e->d->conf, e->about.action, &who);
		who.helos = e->d->helos;
		e->find = mx_find(e->d->p->loop, e->d->dns,
		    &e->host[e->at].route, &who, on_found, e);
	} else if (e->route.mx && !e->route.literal && group_any(e->d->conf))
		dns_ask(e->d->dns, &e->mx, e->route.name, DNS_MX, on_mx, e);
	else
		ask_helo(e);
}

static void
find_hosts(struct explain *e, const struct mx_route *host, unsigned int n)
{
	unsigned int i;

	e->host = xcalloc(n + 1, sizeof *e->host);
	e->n_host = n;
	for (i = 0; i < n; i++)
		e->host[i].route = host[i];
	find_next(e);
}

static void
on_relay(void *arg, const struct relay_info *info, const struct outcome *why)
{
	struct explain *e = arg;
	struct outcome none;

	outcome_set(&none, LATER, WIDTH_SITE, 0, "4.3.5",
	    "the action has no host");
	if (why == NULL && e->route.list && info->n_host == 0)
		why = &none;
	if (why != NULL)
		answer_later(e, why);
	else if (e->route.list)
		find_hosts(e, info->host, info->n_host);
	else
		find_hosts(e, &e->route, 1);
}

static void
say_no(struct ipc_chan *from, uint64_t id, const char *why)
{
	struct hosts_is is;

	memset(&is, 0, sizeof is);
	outcome_set(&is.is.outcome, LATER, WIDTH_RCPT, 0, "4.3.2", "%s", why);
	hosts_is_send(from, id, &is, -1);
}

void
explain_on_hosts(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct deliver *d = self;
	const struct hosts_ask *ask = msg->body;
	const struct conf_action *a;
	char dest[DOMAIN_MAX + 1];
	struct mx_route route;
	struct explain *e;
	const char *why;

	if (ask->about.action >= d->conf->action.n) {
		say_no(from, msg->id, "no such action in this configuration");
		return;
	}
	if ((why = mx_route_parse(ask->about.route, &route)) != NULL ||
	    (why = mx_route_server(d->conf, ask->about.action, &route)) !=
		NULL) {
		say_no(from, msg->id, why);
		return;
	}
	if (d->stopping || d->n_explains >= EXPLAINS_MAX) {
		say_no(from, msg->id, "too much is asked at once");
		return;
	}
	e = xcalloc(1, sizeof *e);
	e->d = d;
	e->from = from;
	e->id = msg->id;
	e->about = ask->about;
	e->route = route;
	outcome_set(&e->is.is.outcome, DONE, WIDTH_RCPT, 0, NULL, "%s",
	    "hosts found");
	TAILQ_INSERT_TAIL(&d->explains, e, entry);
	d->n_explains++;
	a = action_of(e);
	e->name =
	    conf_text(d->conf, a->helo != 0 ? a->helo : d->conf->hostname);
	dest_limit(d->conf, dest_of_route(e->about.route, dest), &e->limit);
	e->group = CONF_NONE;
	if (route.socket)
		answer_socket(e);
	else if (route.list || a->src != CONF_NONE)
		relay_find(d->relays, &e->relay, e->about.action, on_relay, e);
	else
		find_hosts(e, &e->route, 1);
}

void
explain_forget(struct deliver *d, const struct ipc_chan *from)
{
	struct explain *e, *next;

	for (e = TAILQ_FIRST(&d->explains); e != NULL; e = next) {
		next = TAILQ_NEXT(e, entry);
		if (from == NULL || e->from == from)
			explain_free(e);
	}
}
