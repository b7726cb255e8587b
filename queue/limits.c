/*
 * The answer to limits_ask: what holds for a route, with the line of the
 * configuration that says so, by the code that keeps it.  Whose limits it
 * shares, a deliver process is asked where nobody has asked yet.  Runs in the
 * queue process; changes nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/string.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dest.h"
#include "log.h"
#include "smtpctl_print.h"

#define GROUP_MSEC 8000 /* for a deliver process to say whose limits hold */

/* Who asks, while a deliver process is asked. */
struct asker {
	struct queue *queue;
	struct ipc_chan *from;
	uint64_t question;
	struct explain_route about;
	struct ipc_req req;
};

/* A step; at: the line that decided, or NULL.  What does not fit is left
 * out. */
static void __attribute__((format(printf, 5, 6)))
step(const struct queue *qu, struct explain_is *is, const char *name,
    const struct conf_at *at, const char *fmt, ...)
{
	char text[1024], where[CONF_AT_MAX] = "";
	size_t used = strlen(is->text);
	va_list ap;
	int n;

	if (at != NULL && at->line != 0)
		conf_at_print(qu->p.conf, at, where, sizeof where);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	n = snprintf(is->text + used, sizeof is->text - used, "%s\t%s\t%s\n",
	    name, where, text);
	if (n < 0 || (size_t)n >= sizeof is->text - used)
		is->text[used] = '\0';
}

/* The user whose the route is; false: nobody knows, until something goes
 * there. */
static bool
user_of(const struct way *w, const char *route, char user[LOCAL_USER_MAX + 1])
{
	if (w == NULL || w->group == NULL)
		return way_user_named(route, user);
	strlcpy(user, w->group->name, LOCAL_USER_MAX + 1);
	return true;
}

/* Of a route that ends here. */
static void
say_here(const struct queue *qu, const char *route, struct explain_is *is)
{
	const struct way *w = way_find(&qu->ways, route);
	char user[LOCAL_USER_MAX + 1];
	const struct way_group *g;

	step(qu, is, "limit", NULL, "at most %u deliveries at once, %u now",
	    way_here_max(qu->p.conf, route), w == NULL ? 0 : w->running);
	if (user_of(w, route, user)) {
		g = way_user(&qu->ways, user);
		step(qu, is, "limit", NULL,
		    "at most %u deliveries at once of user %s, %u now",
		    way_user_max(qu->p.conf, user), user,
		    g == NULL ? 0 : g->running);
	}
	step(qu, is, "limit", NULL,
	    "at most %u deliveries on this host at once, %u now", LOCAL_MAX,
	    qu->locals.n);
}

static void
say_limits(const struct queue *qu, const char *route, const char *name,
    struct explain_is *is)
{
	const struct way *w = way_find(&qu->ways, route);
	char per[PRINT_TIME];
	struct dest_limit l;
	uint32_t left;

	dest_limit(qu->p.conf, name, &l);
	step(qu, is, "limit", l.concurrency_at,
	    "at most %u connections at once, %u now", l.concurrency,
	    w == NULL ? 0 : w->running);
	if (w != NULL && w->limit < l.concurrency)
		step(qu, is, "limit", NULL,
		    "%u at once for now, more as it goes on to work", w->limit);
	if (l.inet != 0)
		step(qu, is, "limit", l.inet_at, "by IPv%u alone", l.inet);
	step(qu, is, "limit", l.messages_at,
	    "at most %u messages on one connection", l.messages);
	if (l.rate == 0)
		return;
	left = w == NULL || w->rate == NULL ? l.rate : w->rate->tokens;
	step(qu, is, "limit", l.rate_at,
	    "at most %u messages in %s, %u more now", l.rate,
	    print_span(l.per, per), left);
}

/* What it has in common with other routes.  limit: row of conf.limit. */
static void
say_group(const struct queue *qu, uint32_t limit, struct explain_is *is)
{
	const struct conf_limit *l = CONF_LIMIT(qu->p.conf, limit);
	const struct way_group *g = qu->ways.group[limit];
	char per[PRINT_TIME], names[256];
	uint32_t i;

	names[0] = '\0';
	for (i = 0; i < l->mx.n; i++) {
		strlcat(names, i > 0 ? ", " : "", sizeof names);
		strlcat(names,
		    conf_text(qu->p.conf,
			CONF_ENTRY(qu->p.conf, l->mx, i)->key),
		    sizeof names);
	}
	if (l->concurrency != 0)
		step(qu, is, "limit", &l->at,
		    "at most %u connections at once to all of MX %s, %u now",
		    l->concurrency, names, g == NULL ? 0 : g->running);
	if (l->messages != 0)
		step(qu, is, "limit", &l->at,
		    "at most %u messages on one connection to MX %s",
		    l->messages, names);
	if (l->inet != 0)
		step(qu, is, "limit", &l->at, "by IPv%u alone to MX %s",
		    l->inet, names);
	if (l->rate != 0)
		step(qu, is, "limit", &l->at,
		    "at most %u messages in %s to all of MX %s, %u more now",
		    l->rate, print_span(l->per, per), names,
		    g == NULL || g->rate == NULL ? l->rate : g->rate->tokens);
}

static void
say_retry(const struct queue *qu, const char *what,
    const struct conf_retry *rule, struct explain_is *is)
{
	const struct conf *c = qu->p.conf;
	char text[512] = "", span[PRINT_TIME];
	const struct conf_step *s;
	size_t used = 0;
	uint32_t i;
	int n;

	for (i = 0; rule != NULL && i < rule->step.n; i++) {
		s = CONF_STEP(c, rule->step, i);
		n = snprintf(text + used, sizeof text - used,
		    s->times > 1 ? "%s%s*%u" : "%s%s", used == 0 ? "" : ", ",
		    print_span(s->seconds, span), s->times);
		if (n < 0 || (size_t)n >= sizeof text - used)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	if (used == 0)
		snprintf(text, sizeof text, "%s",
		    print_span(BACKOFF_DEFAULT, span));
	step(qu, is, "retry", rule == NULL ? NULL : &rule->at,
	    "%safter %s, then doubled up to %s", what, text,
	    print_span(rule == NULL || rule->max == 0 ? BACKOFF_MAX : rule->max,
		span));
}

/* Why nothing goes there now. */
static void
say_state(const struct queue *qu, const char *route, struct explain_is *is)
{
	const struct way *w = way_find(&qu->ways, route);
	char span[PRINT_TIME], about[PRINT_ABOUT];
	char reply[OUTCOME_TEXT_MAX + 64];
	int64_t wait;
	bool paused;

	if (w != NULL && w->held)
		step(qu, is, "retry", NULL, "the route is held");
	if (w == NULL || w->last == NULL)
		return;
	paused = w->state == WAY_PAUSED;
	wait = w->next - now_sec();
	step(qu, is, "retry", NULL,
	    "the route %s, number %u in a row, %s; tried again in %s: %s",
	    paused ? "makes a pause" : "is down",
	    paused ? w->pauses : w->failures, print_about(w->last, about),
	    print_span(wait < 0 ? 0 : wait, span),
	    outcome_print(w->last, reply, sizeof reply));
}

/* Mail that came now would wait, because of the route or of who holds it:
 * then the answer is LATER. */
static void
say_waits(const struct queue *qu, const char *route, struct explain_is *is)
{
	const struct way *w = way_find(&qu->ways, route);
	char since[PRINT_TIME + 8] = "", iso[PRINT_TIME], next[PRINT_TIME];
	char reply[OUTCOME_TEXT_MAX + 64];
	int64_t now = now_sec();

	if (qu->paused || (w != NULL && w->held)) {
		outcome_set(&is->outcome, LATER, WIDTH_SITE, 0, "4.3.2",
		    qu->paused ? "deliveries are paused" : "the route is held");
		step(qu, is, "waits", NULL, "%s", is->outcome.text);
		return;
	}
	if (w == NULL || w->last == NULL ||
	    (w->state != WAY_DOWN && w->state != WAY_PAUSED))
		return;
	is->outcome = *w->last;
	is->outcome.verdict = LATER;
	if (w->since != 0)
		snprintf(since, sizeof since, " since %s",
		    print_iso(w->since, iso));
	step(qu, is, "waits", NULL, "the route %s %s%s, next try in %s: %s",
	    route, w->state == WAY_DOWN ? "is down" : "makes a pause", since,
	    print_span(w->next < now ? 0 : w->next - now, next),
	    outcome_print(w->last, reply, sizeof reply));
}

static void
say_ttl(const struct queue *qu, uint32_t action, struct explain_is *is)
{
	const struct conf *c = qu->p.conf;
	const struct conf_action *a =
	    action < c->action.n ? CONF_ACTION(c, action) : NULL;
	bool own = a != NULL && a->ttl != 0;
	char span[PRINT_TIME];

	step(qu, is, "ttl", own ? &a->at : NULL, "given up after %s",
	    print_span(own ? a->ttl : c->queue_ttl, span));
}

static void
say_warn(const struct queue *qu, const char *sender, struct explain_is *is)
{
	const struct conf *c = qu->p.conf;
	char span[PRINT_TIME];
	int i;

	for (i = 0; sender[0] != '\0' && i < CONF_WARN_MAX && c->warn[i] != 0;
	     i++)
		step(qu, is, "warn", NULL, "the sender is told after %s",
		    print_span(c->warn[i], span));
}

/* limit: row of what it shares; CONF_NONE: nothing.  why: or nobody knows. */
static void
answer(const struct queue *qu, struct ipc_chan *from, uint64_t question,
    const struct explain_route *r, uint32_t limit, const char *why)
{
	char of_route[DOMAIN_MAX + 1], of_rcpt[DOMAIN_MAX + 1];
	const struct conf_retry *rcpt, *route;
	struct limits_is m;

	memset(&m, 0, sizeof m);
	outcome_set(&m.is.outcome, DONE, WIDTH_RCPT, 0, NULL, "known");
	dest_of_route(r->route, of_route);
	dest_of_addr(r->rcpt, of_rcpt);
	if (way_where(r->route) == WAY_HERE)
		say_here(qu, r->route, &m.is);
	else
		say_limits(qu, r->route, of_route, &m.is);
	if (limit != CONF_NONE)
		say_group(qu, limit, &m.is);
	if (why != NULL)
		step(qu, &m.is, "limit", NULL,
		    "whether limit mx holds is not known: %s", why);
	rcpt = dest_retry(qu->p.conf, of_rcpt);
	route = dest_retry(qu->p.conf, of_route);
	say_retry(qu, "", rcpt, &m.is);
	if (route != rcpt)
		say_retry(qu, "where the route fails: ", route, &m.is);
	say_state(qu, r->route, &m.is);
	say_waits(qu, r->route, &m.is);
	say_ttl(qu, r->action, &m.is);
	say_warn(qu, r->sender, &m.is);
	limits_is_send(from, question, &m, -1);
}

static void
on_group(void *arg, struct ipc_msg *msg)
{
	struct asker *a = arg;
	const struct group_is *is = msg == NULL ? NULL : msg->body;
	uint32_t limit = CONF_NONE;
	const char *why = NULL;

	if (is == NULL)
		why = "nobody answered";
	else if (is->outcome.verdict != DONE)
		why = is->outcome.text;
	else if (group_is_row(a->queue, is->limit))
		limit = is->limit;
	answer(a->queue, a->from, a->question, &a->about, limit, why);
	free(a);
}

void
limits_on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct limits_ask *ask = msg->body;
	const struct explain_route *r = &ask->about;
	const struct way *w = way_find(&qu->ways, r->route);
	struct ipc_chan *deliver;
	struct group_ask m;
	struct asker *a;

	if (!group_wanted(qu, r->route)) {
		answer(qu, from, msg->id, r, CONF_NONE, NULL);
		return;
	}
	if (w != NULL && w->group != NULL) {
		answer(qu, from, msg->id, r, w->group->row, NULL);
		return;
	}
	if ((deliver = group_whom(qu)) == NULL) {
		answer(qu, from, msg->id, r, CONF_NONE, "nobody can be asked");
		return;
	}
	a = xcalloc(1, sizeof *a);
	a->queue = qu;
	a->from = from;
	a->question = msg->id;
	a->about = *r;
	memset(&m, 0, sizeof m);
	strlcpy(m.route, r->route, sizeof m.route);
	group_ask_ask(deliver, &a->req, &m, on_group, a, GROUP_MSEC);
}
