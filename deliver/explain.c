/*
 * The answer to hosts_ask: hosts in order, TLS, signing key, found by what a
 * job uses.  Runs in deliver; connects to nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mx.h"
#include "smtp_addr.h"

struct explain {
	TAILQ_ENTRY(explain) entry;
	struct deliver *d;
	struct ipc_chan *from;
	uint64_t id;
	struct explain_route about;
	struct mx_route route;
	struct mx_find *find;
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
	mx_free(&e->find);
	free(e);
}

static const struct conf_action *
action_of(const struct explain *e)
{
	return CONF_ACTION(e->d->conf, e->about.action);
}

/* ---- what a connection would be like ---- */

static void
say_tls(struct explain *e)
{
	const struct conf_at *at = &action_of(e)->at;

	if (e->route.notls)
		step(e, "tls", at, "never: smtp+notls");
	else if (e->d->tls == NULL)
		step(e, "tls", NULL, "none: OpenSSL is not available here");
	else
		step(e, "tls", at,
		    "by STARTTLS if it is offered, else without; certificates are not checked");
}

static void
say_helo(struct explain *e)
{
	const struct conf *c = e->d->conf;
	const struct conf_action *a = action_of(e);

	step(e, "helo", a->helo != 0 ? &a->at : NULL, "%s",
	    conf_text(c, a->helo != 0 ? a->helo : c->hostname));
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

	if (c->dkim.n == 0) {
		step(e, "key", NULL, "none: no dkim line");
		return;
	}
	if ((e->about.flags & ROUTE_ORIGIN) == 0) {
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

static void
on_found(void *arg, const struct mx_list *list, const struct outcome *why)
{
	struct explain *e = arg;
	const struct conf_at *at = e->route.mx ? NULL : &action_of(e)->at;
	char relay[RELAY_MAX + 1];
	unsigned int i;

	if (list->n == 0) {
		e->is.is.outcome = *why;
		step(e, why->verdict == NEVER ? "never" : "later", at, "%s",
		    why->text);
	}
	/* Those at the end go first when there is no room. */
	say_helo(e);
	say_tls(e);
	say_key(e);
	for (i = 0; i < list->n; i++)
		step(e, "host", at, "%s", mx_addr_print(&list->addr[i], relay));
	hosts_is_send(e->from, e->id, &e->is, -1);
	explain_free(e);
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
	struct mx_route route;
	struct mx_self who;
	struct explain *e;
	const char *why;

	if (ask->about.action >= d->conf->action.n) {
		say_no(from, msg->id, "no such action in this configuration");
		return;
	}
	if ((why = mx_route_parse(ask->about.route, &route)) != NULL) {
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
	mx_self_of(d->conf, e->about.action, &who);
	e->find = mx_find(d->p->loop, d->dns, &e->route, &who, on_found, e);
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
