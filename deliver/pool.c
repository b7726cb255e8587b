/*
 * Idle connections.  Used by deliver.  Never keeps one that has said
 * something on its own, or longer than others would like.
 *
 * SPDX-License-Identifier: ISC
 */
#include "pool.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"

struct idle {
	TAILQ_ENTRY(idle) entry;
	struct pool *pool;
	struct client *client;
	struct timer timer;
	bool quitting;
	uint32_t action;
	char route[ROUTE_MAX + 1];
};

TAILQ_HEAD(idles, idle);

struct pool {
	struct loop *loop;
	struct idles ready, quitting; /* the newest first */
	unsigned int n_ready, n_quitting, max;
};

/* Out of its list; what it held is the caller's. */
static struct client *
idle_free(struct idle *i)
{
	struct pool *p = i->pool;
	struct client *c = i->client;

	timer_clear(&i->timer);
	if (i->quitting) {
		TAILQ_REMOVE(&p->quitting, i, entry);
		p->n_quitting--;
	} else {
		TAILQ_REMOVE(&p->ready, i, entry);
		p->n_ready--;
	}
	free(i);
	return c;
}

/* The server closed it, or QUIT was answered. */
static void
on_lost(void *arg, const struct outcome *o)
{
	struct client *c = idle_free(arg);

	(void)o;
	client_free(&c);
}

/* Politely, unless too many say good-bye already. */
static void
quit(struct idle *i)
{
	struct pool *p = i->pool;
	struct client *c;

	if (p->n_quitting >= p->max || !client_usable(i->client)) {
		c = idle_free(i);
		client_free(&c);
		return;
	}
	timer_clear(&i->timer);
	TAILQ_REMOVE(&p->ready, i, entry);
	p->n_ready--;
	i->quitting = true;
	TAILQ_INSERT_HEAD(&p->quitting, i, entry);
	p->n_quitting++;
	client_quit(i->client);
}

static void
on_idle(void *arg)
{
	quit(arg);
}

struct pool *
pool_new(struct loop *l, unsigned int max)
{
	struct pool *p = xcalloc(1, sizeof *p);

	p->loop = l;
	p->max = max;
	TAILQ_INIT(&p->ready);
	TAILQ_INIT(&p->quitting);
	return p;
}

void
pool_free(struct pool **p)
{
	struct client *c;
	struct idle *i;

	if (*p == NULL)
		return;
	while ((i = TAILQ_FIRST(&(*p)->ready)) != NULL ||
	    (i = TAILQ_FIRST(&(*p)->quitting)) != NULL) {
		c = idle_free(i);
		client_free(&c);
	}
	free(*p);
	*p = NULL;
}

void
pool_put(struct pool *p, const char *route, uint32_t action, uint32_t messages,
    struct client **c)
{
	struct client_owner owner = { .lost = on_lost };
	struct idle *i;

	if (!client_usable(*c)) {
		client_free(c);
		return;
	}
	i = xcalloc(1, sizeof *i);
	i->pool = p;
	i->client = *c;
	*c = NULL;
	i->action = action;
	memcpy(i->route, route, strnlen(route, ROUTE_MAX));
	owner.arg = i;
	client_owner(i->client, &owner);
	TAILQ_INSERT_HEAD(&p->ready, i, entry);
	p->n_ready++;
	if (i->client->mails >= messages ||
	    i->client->mails >= client_mail_max(i->client)) {
		quit(i);
		return;
	}
	timer_set(p->loop, &i->timer, POOL_IDLE_MS, on_idle, i);
	if (p->n_ready > p->max)
		quit(TAILQ_LAST(&p->ready, idles));
}

/* Out of the pool; NULL: it went meanwhile. */
static struct client *
take(struct idle *i)
{
	struct client *c = idle_free(i);

	if (!client_usable(c))
		client_free(&c);
	return c;
}

struct client *
pool_take(struct pool *p, const char *route, uint32_t action)
{
	struct client *c;
	struct idle *i, *next;

	for (i = TAILQ_FIRST(&p->ready); i != NULL; i = next) {
		next = TAILQ_NEXT(i, entry);
		if (i->action == action && strcmp(i->route, route) == 0 &&
		    (c = take(i)) != NULL)
			return c;
	}
	return NULL;
}

/* It could have been made for this. */
static bool
is_like(const struct client *c, const struct mx_addr *addr,
    const struct client_how *how)
{
	return c->how.action == how->action && c->how.lmtp == how->lmtp &&
	    c->addr.len == addr->len &&
	    memcmp(&c->addr.ss, &addr->ss, addr->len) == 0 &&
	    strcasecmp(c->addr.name, addr->name) == 0 &&
	    c->how.login == how->login &&
	    memcmp(c->how.count, how->count, sizeof how->count) == 0 &&
	    strcmp(c->how.label, how->label) == 0 &&
	    (how->without & ~c->how.without) == 0 &&
	    policy_same(&c->how.want, &how->want);
}

struct client *
pool_take_like(struct pool *p, const struct mx_addr *addr,
    const struct client_how *how)
{
	struct client *c;
	struct idle *i, *next;

	for (i = TAILQ_FIRST(&p->ready); i != NULL; i = next) {
		next = TAILQ_NEXT(i, entry);
		if (is_like(i->client, addr, how) && (c = take(i)) != NULL)
			return c;
	}
	return NULL;
}

static struct idle *
counted(struct idles *list, const struct count *k)
{
	struct idle *i;

	TAILQ_FOREACH_REVERSE(i, list, idles, entry)
	{
		if (i->client->how.count[0] == k ||
		    i->client->how.count[1] == k)
			break;
	}
	return i;
}

void
pool_spare(struct pool *p, const struct count *k, bool hard)
{
	struct idle *i = counted(&p->ready, k);
	struct client *c;

	if (i != NULL)
		quit(i);
	else if (hard && (i = counted(&p->quitting, k)) != NULL) {
		c = idle_free(i);
		client_free(&c);
	}
}

void
pool_uncount(struct pool *p)
{
	struct idle *i, *next;

	for (i = TAILQ_FIRST(&p->ready); i != NULL; i = next) {
		next = TAILQ_NEXT(i, entry);
		if (i->client->how.count[0] != NULL ||
		    i->client->how.count[1] != NULL)
			quit(i);
	}
}
