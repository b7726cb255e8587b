/*
 * Counted connections.  Used by deliver.  Never lets one be too many.
 *
 * SPDX-License-Identifier: ISC
 */
#include "count.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "deliver.h"
#include "dest.h"
#include "log.h"

TAILQ_HEAD(count_waits, count_wait);

static void on_again(void *arg);

struct count {
	LIST_ENTRY(count) entry;
	uint32_t group; /* row of conf.limit; CONF_NONE: a route's */
	char route[ROUTE_MAX + 1];
	uint32_t max;
	uint32_t seats; /* connections, and jobs about to make one */
	uint32_t users; /* jobs that count by it */
	struct count_waits waits;
};

static void
unused(struct count *k)
{
	if (k->seats > 0 || k->users > 0)
		return;
	LIST_REMOVE(k, entry);
	free(k);
}

static struct count *
count_get(struct deliver *d, uint32_t group, const char *route, uint32_t max)
{
	struct count *k;

	LIST_FOREACH(k, &d->counts, entry) {
		if (k->group == group && strcmp(k->route, route) == 0)
			break;
	}
	if (k == NULL) {
		k = xcalloc(1, sizeof *k);
		k->group = group;
		strlcpy(k->route, route, sizeof k->route);
		k->max = max;
		TAILQ_INIT(&k->waits);
		LIST_INSERT_HEAD(&d->counts, k, entry);
	}
	k->users++;
	return k;
}

void
count_init(struct deliver *d, struct count_wait *w, const struct job_take *t)
{
	const struct conf *c = d->conf;
	char name[DOMAIN_MAX + 1];
	struct dest_limit l;
	uint32_t max;

	w->d = d;
	dest_limit(c, dest_of_route(t->route, name), &l);
	if (l.concurrency_at != NULL)
		w->of[0] = count_get(d, CONF_NONE, t->route, l.concurrency);
	if (t->group >= c->limit.n)
		return;
	max = CONF_LIMIT(c, t->group)->concurrency;
	if (max != 0)
		w->of[1] = count_get(d, t->group, "", max);
}

/* The first that has no room, or NULL. */
static struct count *
full(const struct count_wait *w)
{
	int i;

	for (i = 0; i < COUNT_OF; i++) {
		if (w->of[i] != NULL && w->of[i]->seats >= w->of[i]->max)
			return w->of[i];
	}
	return NULL;
}

static void
sit(struct count_wait *w)
{
	int i;

	assert(!w->has_seat);
	for (i = 0; i < COUNT_OF; i++) {
		if (w->of[i] != NULL)
			w->of[i]->seats++;
	}
	w->has_seat = true;
}

/* The first that waits looks again. */
static void
wake(struct count *k)
{
	struct count_wait *w = TAILQ_FIRST(&k->waits);

	if (w != NULL && k->seats < k->max)
		timer_set(w->d->p->loop, &w->again, 0, on_again, w);
}

static void
stop_waiting(struct count_wait *w)
{
	timer_clear(&w->again);
	if (w->waits_for != NULL)
		TAILQ_REMOVE(&w->waits_for->waits, w, entry);
	w->waits_for = NULL;
}

/* hard: who says good-bye has had his time. */
static void
wait_for(struct count_wait *w, struct count *k, bool hard)
{
	stop_waiting(w);
	w->waits_for = k;
	TAILQ_INSERT_TAIL(&k->waits, w, entry);
	timer_set(w->d->p->loop, &w->again, COUNT_QUIT_MS, on_again, w);
	/* Its seat is free when it is closed, and then we are told. */
	pool_spare(w->d->pool, k, hard);
}

static void
on_again(void *arg)
{
	struct count_wait *w = arg;
	struct count *was = w->waits_for, *k = full(w);

	if (k != NULL)
		wait_for(w, k, true);
	else {
		stop_waiting(w);
		sit(w);
	}
	wake(was);
	if (k == NULL)
		w->fn(w->arg);
}

bool
count_ask(struct count_wait *w, void (*fn)(void *arg), void *arg)
{
	struct count *k = full(w);

	w->fn = fn;
	w->arg = arg;
	if (k != NULL) {
		wait_for(w, k, false);
		return false;
	}
	sit(w);
	return true;
}

void
count_seat(struct count_wait *w)
{
	assert(w->has_seat);
	w->has_seat = false;
}

void
count_leave(struct count *const of[COUNT_OF])
{
	int i;

	for (i = 0; i < COUNT_OF; i++) {
		if (of[i] == NULL)
			continue;
		assert(of[i]->seats > 0);
		of[i]->seats--;
		wake(of[i]);
		unused(of[i]);
	}
}

void
count_free(struct count_wait *w)
{
	int i;

	stop_waiting(w);
	if (w->has_seat)
		count_leave(w->of);
	w->has_seat = false;
	for (i = 0; i < COUNT_OF; i++) {
		if (w->of[i] == NULL)
			continue;
		w->of[i]->users--;
		unused(w->of[i]);
		w->of[i] = NULL;
	}
}
