/*
 * From a job's route to an address that is to be connected, and on to the next
 * one when that was no good: hosts in order, addresses of each, what is wanted
 * there, from where and under which name.  Used by deliver.  Never connects to
 * what others have just found silent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "dest.h"
#include "log.h"
#include "source.h"

enum { FAMILY_4 = 1, FAMILY_6 = 2 }; /* bits of job.unreached */

static void next_host(struct job *j);

static unsigned int
family_bit(int family)
{
	return family == AF_INET6 ? FAMILY_6 : FAMILY_4;
}

/* ---- trouble ---- */

/* How much a trouble tells to who has to read about one of several. */
static int
tells(const struct outcome *o)
{
	if (o->code != 0)
		return 3; /* a server's words */
	if (o->cause == CAUSE_TLS || o->cause == CAUSE_CONFIG)
		return 2; /* somebody has to mend it */
	return 1;
}

/* Remembers the trouble of a host, if it tells as much as what is known.  What
 * one host refuses another may take: that a third is in trouble counts. */
static void
trouble(struct job *j, const struct outcome *o, const char *relay,
    const char *tls)
{
	bool refusal = j->trouble.verdict == NEVER && o->verdict != NEVER;

	if (j->trouble.text[0] != '\0' && !refusal &&
	    tells(o) < tells(&j->trouble))
		return;
	j->trouble = *o;
	strlcpy(j->relay_of, relay, sizeof j->relay_of);
	strlcpy(j->tls_of, tls, sizeof j->tls_of);
}

/* The same, of an address that was not connected. */
static void __attribute__((format(printf, 6, 7)))
not_tried(struct job *j, const struct mx_addr *a, enum cause cause,
    enum stage stage, const char *ecode, const char *fmt, ...)
{
	char relay[RELAY_MAX + 1] = "";
	struct outcome o;
	va_list ap;

	va_start(ap, fmt);
	outcome_vset(&o, LATER, WIDTH_SITE, 0, ecode, fmt, ap);
	va_end(ap);
	outcome_of_us(&o, cause, stage);
	if (a != NULL)
		mx_addr_print(a, relay);
	j->all_refused = false;
	trouble(j, &o, relay, "");
}

/* ---- from here ---- */

static void
connect_counted(void *arg)
{
	struct job *j = arg;
	const struct mx_addr *a = &j->list.addr[j->at - 1];
	msec now = loop_msec();

	seen_addr_try(j->d->seen, &a->ss, now);
	seen_family_try(j->d->seen, j->take.route, a->ss.ss_family, now);
	job_connect(j, a);
}

static void
connect_now(struct job *j)
{
	if (count_ask(&j->count, connect_counted, j))
		connect_counted(j);
}

static void
on_helo(void *arg, const char *name, const struct outcome *why)
{
	struct job *j = arg;

	if (why != NULL) {
		job_end(j, why, why, 0);
		return;
	}
	if (name[0] != '\0')
		j->how.helo = name;
	connect_now(j);
}

/* A source address for this connection, in j->how.src; false: there is none,
 * and that is said. */
static bool
choose_source(struct job *j, const struct mx_addr *a)
{
	const struct conf *c = j->d->conf;
	uint32_t action = j->take.action;
	int family = a->ss.ss_family, error;
	char ours[IP_TEXT_MAX + 1];
	msec now = loop_msec();

	while (relay_src(j->d->relays, action, family, now, &j->how.src)) {
		if ((error = source_try(&j->how.src, a)) == 0)
			return true;
		if (error != EADDRNOTAVAIL) {
			not_tried(j, a, CAUSE_NETWORK, STAGE_CONNECT, "4.4.1",
			    "%s, from our source address", strerror(error));
			return false;
		}
		source_of(&j->how.src, a, ours);
		log_warn("source-failed", "action=%s address=%s error=%s",
		    q(conf_text(c, CONF_ACTION(c, action)->name)), ours,
		    q(strerror(error)));
		relay_src_bad(j->d->relays, action, &j->how.src, now);
	}
	not_tried(j, a, CAUSE_CONFIG, STAGE_CONNECT, "4.3.5",
	    "none of the source addresses of the action can be used now");
	return false;
}

/* What is wanted of the host is known, and no connection to it is idle. */
static void
leave_from(struct job *j)
{
	const struct conf_action *act = CONF_ACTION(j->d->conf, j->take.action);
	const struct mx_addr *a = &j->list.addr[j->at - 1];
	char ours[IP_TEXT_MAX + 1];

	if (act->src != CONF_NONE && !choose_source(j, a)) {
		job_walk_on(j);
		return;
	}
	if (act->helo_src == CONF_NONE || !source_of(&j->how.src, a, ours)) {
		connect_now(j);
		return;
	}
	helo_find(j->d->helos, &j->helo, j->take.action, ours, on_helo, j);
}

/* ---- what is wanted there ---- */

static void
fill_how(struct job *j, const struct mx_route *host)
{
	const struct conf *c = j->d->conf;
	const struct conf_action *a = CONF_ACTION(c, j->take.action);

	memset(&j->how, 0, sizeof j->how);
	j->how.helo = conf_text(c, a->helo != 0 ? a->helo : c->hostname);
	j->how.lmtp = host->scheme == SCHEME_LMTP;
	j->how.tls = j->d->tls;
	j->how.want = j->want;
	j->how.action = j->take.action;
	memcpy(j->how.count, j->count.of, sizeof j->how.count);
	j->how.without = j->without;
	/* Whatever happened: only where nobody forbids it. */
	if (j->no_tls && j->want.level == TLS_LEVEL_MAY) {
		j->how.want.level = TLS_LEVEL_NO;
		j->how.tls_failed = true;
	}
	if (host->label[0] == '\0' || a->auth == CONF_NONE)
		return;
	j->how.login = j->d;
	j->how.insecure = a->auth_insecure;
	memcpy(j->how.label, host->label, sizeof j->how.label);
}

/* The route, or the host of its list that is being tried. */
static const struct mx_route *
host_of(const struct job *j)
{
	return &j->host[j->order[j->host_at - 1]];
}

static void
wanted(struct job *j)
{
	const struct mx_addr *a = &j->list.addr[j->at - 1];
	struct client *c;

	fill_how(j, host_of(j));
	if ((c = pool_take_like(j->d->pool, a, &j->how)) != NULL)
		job_reuse(j, c);
	else
		leave_from(j);
}

static void
on_policy(void *arg, const struct tls_want *want, const struct outcome *why)
{
	struct job *j = arg;
	const struct mx_addr *a = &j->list.addr[j->at - 1];
	char relay[RELAY_MAX + 1];

	if (why != NULL) {
		j->all_refused = false;
		trouble(j, why, mx_addr_print(a, relay), "");
		job_walk_on(j);
		return;
	}
	j->want = *want;
	memcpy(j->want_of, a->name, sizeof j->want_of);
	wanted(j);
}

static void
ask_policy(struct job *j, const struct mx_addr *a)
{
	const struct mx_route *host = host_of(j);
	char name[DOMAIN_MAX + 1];
	struct policy_about about = { .action = j->take.action,
		.scheme = (enum conf_scheme)host->scheme,
		.mx = host->mx,
		.login = host->label[0] != '\0' &&
		    CONF_ACTION(j->d->conf, j->take.action)->auth != CONF_NONE,
		.dest = host->name,
		.host = a->name };

	if (!j->route.list && !j->route.lmtp)
		about.dest = dest_of_route(j->take.route, name);
	policy_ask(j->d, &j->policy, &about, on_policy, j);
}

/* ---- addresses ---- */

/* Others found it silent, and it is not yet time: that is said, if there is
 * nothing else to say. */
static bool
is_down(struct job *j, const struct mx_addr *a, msec now)
{
	struct seen_about about;

	if (seen_addr(j->d->seen, &a->ss, j->take.route, now, &about) !=
		SEEN_DOWN ||
	    about.own)
		return false;
	if (j->trouble.text[0] == '\0')
		not_tried(j, a, CAUSE_NETWORK, STAGE_CONNECT, "4.4.1",
		    "not tried: %s, %lld seconds ago; left alone for %lld more",
		    about.why, (long long)(about.ago / 1000),
		    (long long)(about.still / 1000) + 1);
	j->all_refused = false;
	return true;
}

/* The address that was begun last: what is wanted there, if that is not known
 * yet. */
static void
try_addr(struct job *j)
{
	const struct mx_addr *a = &j->list.addr[j->at - 1];

	if (strcmp(a->name, j->want_of) == 0 && a->name[0] != '\0')
		wanted(j);
	else
		ask_policy(j, a);
}

void
job_walk_on(struct job *j)
{
	msec now = loop_msec();

	job_enter(j, JOB_FINDING);
	/* What was learned of the address before is not true of others. */
	j->no_tls = false;
	j->without = 0;
	while (j->at < j->list.n) {
		if (is_down(j, &j->list.addr[j->at++], now))
			continue;
		try_addr(j);
		return;
	}
	next_host(j);
}

void
job_walk_again(struct job *j)
{
	job_enter(j, JOB_FINDING);
	if (j->route.socket) {
		job_sock(j);
		return;
	}
	/* Also if it is down to others now: we have just been there. */
	try_addr(j);
}

/* 4 or 6: the family that `limit` asks for at this host; 0: any. */
static uint8_t
inet_of(const struct job *j, const struct mx_addr *a)
{
	const struct conf *c = j->d->conf;
	uint32_t row = j->route.mx ? dest_limit_mx(c, a->name) : CONF_NONE;

	if (j->inet != 0 || row == CONF_NONE)
		return j->inet;
	return CONF_LIMIT(c, row)->inet;
}

/* False: `limit`, or what we can connect from, leaves it out. */
static bool
may_be_tried(const struct job *j, const struct mx_addr *a)
{
	const struct conf_action *act = CONF_ACTION(j->d->conf, j->take.action);
	uint8_t inet = inet_of(j, a);
	int family = a->ss.ss_family;

	if (inet != 0 && (inet == 6) != (family == AF_INET6))
		return false;
	return act->src == CONF_NONE ||
	    relay_srcs(j->d->relays, j->take.action, family) > 0;
}

/* Leaves out what must not be tried, and puts last what is not likely to
 * work.  Returns how many are down. */
static unsigned int
arrange(struct job *j, const struct mx_list *found)
{
	unsigned int i;

	j->list.n = 0;
	j->at = 0;
	for (i = 0; i < found->n; i++) {
		if (may_be_tried(j, &found->addr[i]))
			j->list.addr[j->list.n++] = found->addr[i];
	}
	if (j->list.n == 0)
		not_tried(j, NULL, CAUSE_CONFIG, STAGE_CONNECT, "4.3.5",
		    "%s has no address of the family that `limit` or `src` asks for",
		    host_of(j)->name);
	return seen_order(j->d->seen, j->take.route, &j->list, loop_msec());
}

/* ---- hosts ---- */

static void
on_found(void *arg, const struct mx_list *list, const struct outcome *why)
{
	struct job *j = arg;
	struct mx_list found = *list;
	struct outcome o = *why, site = *why;
	unsigned int n_down;

	mx_free(&j->find);
	if (found.n == 0 && j->n_host == 1) {
		/* What the DNS denies works, in its way: the others of this
		 * route hear the same. */
		if (o.verdict == NEVER)
			site.verdict = DONE;
		job_end(j, &o, &site, 0);
		return;
	}
	if (found.n == 0) {
		j->all_refused = false;
		trouble(j, &o, "", "");
		next_host(j);
		return;
	}
	n_down = arrange(j, &found);
	/* A host of a list that is known to be dead is for the end. */
	if (n_down > 0 && n_down == j->list.n && j->host_at <= j->n_host &&
	    j->n_host > 1) {
		j->order[j->n_order++] = j->order[j->host_at - 1];
		next_host(j);
		return;
	}
	job_walk_on(j);
}

/* Each host of a list is a destination of its own. */
static void
limits_of_host(struct job *j)
{
	struct dest_limit limit;

	dest_limit(j->d->conf, host_of(j)->name, &limit);
	j->messages = limit.messages;
	j->inet = limit.inet;
}

static void
next_host(struct job *j)
{
	struct mx_self self;

	if (j->host_at == j->n_order) {
		job_walk_end(j);
		return;
	}
	j->host_at++;
	j->list.n = 0;
	j->at = 0;
	j->want_of[0] = '\0';
	if (j->route.list)
		limits_of_host(j);
	mx_self_of(j->d->conf, j->take.action, &self);
	self.helos = j->d->helos;
	j->find =
	    mx_find(j->d->p->loop, j->d->dns, host_of(j), &self, on_found, j);
}

static void
walk_hosts(struct job *j, const struct mx_route *host, unsigned int n)
{
	unsigned int i;

	j->host = host;
	j->n_host = j->n_order = n;
	j->host_at = 0;
	for (i = 0; i < n; i++)
		j->order[i] = (uint8_t)i;
	next_host(j);
}

static void
no_relay(struct job *j, const char *why)
{
	not_tried(j, NULL, CAUSE_CONFIG, STAGE_LOOKUP, "4.3.5", "%s", why);
	job_walk_end(j);
}

static void
on_relay(void *arg, const struct relay_info *info, const struct outcome *why)
{
	struct job *j = arg;
	const struct conf_action *a = CONF_ACTION(j->d->conf, j->take.action);
	const size_t size = sizeof info->host[0];

	if (why != NULL) {
		job_end(j, why, why, 0);
		return;
	}
	if (a->src != CONF_NONE && info->n_src == 0) {
		no_relay(j, "the action has no address to connect from");
		return;
	}
	if (!j->route.list) {
		walk_hosts(j, &j->route, 1);
		return;
	}
	if (info->n_host == 0) {
		no_relay(j, "the action has no host");
		return;
	}
	if (j->list_host == NULL)
		j->list_host = arena_alloc(&j->arena, RELAY_HOSTS * size);
	if (j->list_host == NULL) {
		job_end_later(j, "4.3.0", NULL);
		return;
	}
	memcpy(j->list_host, info->host, info->n_host * size);
	walk_hosts(j, j->list_host, info->n_host);
}

/* ---- public ---- */

void
job_walk(struct job *j)
{
	uint32_t action = j->take.action;

	job_enter(j, JOB_FINDING);
	memset(&j->trouble, 0, sizeof j->trouble);
	j->relay_of[0] = j->tls_of[0] = '\0';
	j->all_refused = true;
	j->no_tls = false;
	j->without = 0;
	j->unfit = false;
	j->unreached = 0;
	if (j->route.socket)
		job_sock(j);
	else if (j->route.list ||
	    CONF_ACTION(j->d->conf, action)->src != CONF_NONE)
		relay_find(j->d->relays, &j->relay, action, on_relay, j);
	else
		walk_hosts(j, &j->route, 1);
}

/* It is about this message, as far as anybody knows: a host works, but does
 * not do for it, or went away without a word while it was told of it. */
static bool
is_of_message(const struct job *j)
{
	return j->unfit || (j->broken > 0 && j->trouble.code == 0);
}

/* RFC 5321 3.1, 554: if each of them said so, that is the answer.  A relay of
 * ours that says so has to be mended, and its mail waits; unless it is this
 * message that it cannot have. */
void
job_walk_end(struct job *j)
{
	struct outcome o = j->trouble, site;

	if (j->all_refused && (j->route.mx || j->unfit)) {
		o.verdict = NEVER;
		o.width = WIDTH_MESSAGE;
	} else {
		o.verdict = LATER;
		o.width = is_of_message(j) ? WIDTH_MESSAGE : WIDTH_SITE;
	}
	site = o;
	if (o.verdict == NEVER || j->unfit)
		site.verdict = DONE;
	job_end(j, &o, &site, 0);
}

/* Nobody answered there; not that something else did not work. */
static bool
is_unreached(const struct job *j, const struct outcome *o, msec now)
{
	if (o->code != 0 || o->cause != CAUSE_NETWORK)
		return false;
	return o->stage == STAGE_CONNECT ||
	    (o->stage == STAGE_GREETING && now - j->since >= JOB_SILENT_MS);
}

void
job_walk_failed(struct job *j, const struct outcome *o)
{
	const struct client *c = j->client;
	msec now = loop_msec();

	if (is_unreached(j, o, now)) {
		seen_addr_bad(j->d->seen, &c->addr.ss, j->take.route, o->text,
		    now);
		j->unreached |= family_bit(c->addr.ss.ss_family);
	} else if (o->stage != STAGE_CONNECT) /* else the trouble is ours */
		seen_addr_good(j->d->seen, &c->addr.ss);
	if (o->verdict != NEVER)
		j->all_refused = false;
	else if (o->stage >= STAGE_MAIL)
		j->unfit = true;
	if (o->verdict != NEVER || j->all_refused)
		trouble(j, o, c->relay, c->cipher);
}

void
job_walk_good(struct job *j)
{
	const struct sockaddr_storage *ss = &j->client->addr.ss;
	int family = ss->ss_family;
	int other = family == AF_INET6 ? AF_INET : AF_INET6;

	seen_addr_good(j->d->seen, ss);
	seen_family_good(j->d->seen, j->take.route, family);
	if ((j->unreached & family_bit(other)) != 0)
		seen_family_bad(j->d->seen, j->take.route, other, loop_msec());
	j->unreached = 0;
}

void
job_walk_free(struct job *j)
{
	relay_cancel(&j->relay);
	helo_cancel(&j->helo);
	policy_cancel(&j->policy);
	ipc_cancel(&j->sock);
	mx_free(&j->find);
}
