/*
 * The answer to limits_ask: what holds for a route, with the line of the
 * configuration that says so, by the code that keeps it.  Runs in the queue
 * process; changes nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dest.h"
#include "smtpctl_print.h"

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
	step(qu, is, "limit", l.messages_at,
	    "at most %u messages on one connection", l.messages);
	if (l.rate == 0)
		return;
	left = w == NULL || w->rate == NULL ? l.rate : w->rate->tokens;
	step(qu, is, "limit", l.rate_at,
	    "at most %u messages in %s, %u more now", l.rate,
	    print_span(l.per, per), left);
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

void
limits_on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct limits_ask *ask = msg->body;
	const struct explain_route *r = &ask->about;
	char of_route[DOMAIN_MAX + 1], of_rcpt[DOMAIN_MAX + 1];
	const struct conf_retry *rcpt, *route;
	struct limits_is m;

	memset(&m, 0, sizeof m);
	outcome_set(&m.is.outcome, DONE, WIDTH_RCPT, 0, NULL, "known");
	dest_of_route(r->route, of_route);
	dest_of_addr(r->rcpt, of_rcpt);
	say_limits(qu, r->route, of_route, &m.is);
	rcpt = dest_retry(qu->p.conf, of_rcpt);
	route = dest_retry(qu->p.conf, of_route);
	say_retry(qu, "", rcpt, &m.is);
	if (route != rcpt)
		say_retry(qu, "where the route fails: ", route, &m.is);
	say_ttl(qu, r->action, &m.is);
	say_warn(qu, r->sender, &m.is);
	limits_is_send(from, msg->id, &m, -1);
}
