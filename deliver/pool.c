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
	if (i->client->mails >= messages) {
		quit(i);
		return;
	}
	timer_set(p->loop, &i->timer, POOL_IDLE_MS, on_idle, i);
	if (p->n_ready > p->max)
		quit(TAILQ_LAST(&p->ready, idles));
}

struct client *
pool_take(struct pool *p, const char *route, uint32_t action)
{
	struct client *c;
	struct idle *i, *next;

	for (i = TAILQ_FIRST(&p->ready); i != NULL; i = next) {
		next = TAILQ_NEXT(i, entry);
		if (i->action != action || strcmp(i->route, route) != 0)
			continue;
		c = idle_free(i);
		if (client_usable(c))
			return c;
		client_free(&c);
	}
	return NULL;
}
