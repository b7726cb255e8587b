/*
 * Routes that have limits in common (`limit mx`): a deliver process is asked,
 * once for each route by MX, whose limits hold; the answer is good for a time.
 * Until the first one comes nothing goes there.  What a group with a rate sent
 * is kept in the index.  Runs in the queue process; without such a line
 * nothing is asked.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/string.h>

#include <stdlib.h>
#include <string.h>

#include "log.h"

#define ASK_MSEC 30000 /* for the answer; then without a group */
#define AGAIN    60    /* seconds, when there was none */
#define TTL_MIN  60    /* seconds */
#define TTL_MAX  86400 /* likewise */

/* A question; it waits for a process that may be asked, or for its answer. */
struct group_ask_open {
	struct way *way;
	struct ipc_req req;
	struct timer deadline; /* until it is asked */
	bool sent;
};

static int64_t
now_msec(void)
{
	return now_usec() / 1000;
}

/* ---- what it sent ---- */

static void on_rate(void *arg);

static void
wait_for_rate(struct queue *qu, struct way_group *g)
{
	msec wait;

	if (way_rate_wait(g->rate, now_msec(), &wait))
		timer_set(qu->p.loop, &g->rate->timer, wait, on_rate, g);
}

static void
store(struct queue *qu, struct way_group *g)
{
	struct rate *r = &g->rate->rate;
	struct index_way row;

	if (r->n == 0) {
		if (g->stored)
			queue_index_ok(qu, index_del_way(qu->index, g->name));
		g->stored = false;
	} else {
		memset(&row, 0, sizeof row);
		strlcpy(row.route, g->name, sizeof row.route);
		row.n_marks = rate_save(r, row.mark);
		if (g->rate->tokens == 0)
			row.ready = rate_next(r, now_msec()) / 1000;
		queue_index_ok(qu, index_put_way(qu->index, &row));
		g->stored = true;
	}
	queue_changed(qu);
}

static void
on_rate(void *arg)
{
	struct way_group *g = arg;
	struct queue *qu = g->owner;

	way_group_tick(&qu->ways, g, now_msec());
	if (rate_empty(&g->rate->rate, now_msec()))
		store(qu, g);
	wait_for_rate(qu, g);
	queue_run_soon(qu);
}

void
group_took(struct queue *qu, struct way_group *g, bool marked)
{
	if (g->rate == NULL)
		return;
	/* Before it goes out: a queue that is killed now counts it too. */
	if (marked) {
		store(qu, g);
		queue_commit(qu);
	}
	wait_for_rate(qu, g);
}

/* row: what the index has of it, or NULL. */
static void
recall(struct queue *qu, struct way_group *g, const struct index_way *row)
{
	g->owner = qu;
	if (g->rate == NULL)
		return;
	if (row != NULL) {
		rate_load(&g->rate->rate, row->mark, row->n_marks, now_msec());
		g->stored = true;
	} else if (qu->forgot) {
		rate_assume(&g->rate->rate, now_msec());
		store(qu, g);
	}
	way_group_tick(&qu->ways, g, now_msec());
	wait_for_rate(qu, g);
}

static struct way_group *
group_get(struct queue *qu, uint32_t limit)
{
	struct way_group *g = way_group(&qu->ways, limit);

	if (g->owner == NULL)
		recall(qu, g, NULL);
	return g;
}

bool
group_recall(struct queue *qu, const struct index_way *row)
{
	const struct conf *c = qu->p.conf;
	struct way_group *g;
	uint32_t i;

	if (strncmp(row->route, "limit:", 6) != 0)
		return false;
	for (i = 0; i < c->limit.n; i++) {
		if (CONF_LIMIT(c, i)->mx.n == 0)
			continue;
		g = way_group(&qu->ways, i);
		if (strcmp(g->name, row->route) != 0)
			continue;
		recall(qu, g, row);
		if (g->rate != NULL)
			return true;
	}
	/* The configuration has no such rate any more. */
	queue_index_ok(qu, index_del_way(qu->index, row->route));
	queue_changed(qu);
	return true;
}

/* ---- whose limits hold ---- */

bool
group_is_row(const struct queue *qu, uint32_t limit)
{
	const struct conf *c = qu->p.conf;

	return limit < c->limit.n && CONF_LIMIT(c, limit)->mx.n > 0;
}

static void
settle(struct queue *qu, struct group_ask_open *a, const struct group_is *is)
{
	struct way *w = a->way;
	bool known = is != NULL && is->outcome.verdict == DONE;
	uint32_t ttl = AGAIN;

	timer_clear(&a->deadline);
	w->group_asks = NULL;
	free(a);
	if (known) {
		ttl = is->ttl < TTL_MIN ? TTL_MIN : is->ttl;
		ttl = ttl > TTL_MAX ? TTL_MAX : ttl;
	}
	w->group_until = now_sec() + ttl;
	/* Who was in a group stays there until another is known. */
	if (known && group_is_row(qu, is->limit))
		way_join(&qu->ways, w, group_get(qu, is->limit));
	else if (known)
		way_join(&qu->ways, w, NULL);
	if (way_is_over(w))
		route_park_all(qu, w);
	way_asked(&qu->ways, w, false);
	route_refill(qu, w);
	queue_run_soon(qu);
}

static void
on_group(void *arg, struct ipc_msg *answer)
{
	struct group_ask_open *a = arg;

	settle(a->way->owner, a, answer == NULL ? NULL : answer->body);
}

static void
on_nobody(void *arg)
{
	struct group_ask_open *a = arg;

	settle(a->way->owner, a, NULL);
}

struct ipc_chan *
group_whom(struct queue *qu)
{
	const struct deliverer *d;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		/* Who has never wanted a job has another configuration. */
		d = &qu->deliverer[++qu->group_turn % PROC_MAX];
		if (d->wants && d->chan != NULL && d->chan->fd != -1)
			return d->chan;
	}
	return NULL;
}

static void
ask(struct queue *qu, struct group_ask_open *a)
{
	struct ipc_chan *c = group_whom(qu);
	struct group_ask m;

	if (a->sent || c == NULL)
		return;
	timer_clear(&a->deadline);
	a->sent = true;
	memset(&m, 0, sizeof m);
	strlcpy(m.route, a->way->route, sizeof m.route);
	group_ask_ask(c, &a->req, &m, on_group, a, ASK_MSEC);
}

bool
group_wanted(const struct queue *qu, const char *route)
{
	uint32_t i;

	for (i = 0; i < qu->p.conf->limit.n; i++) {
		if (group_is_row(qu, i))
			return strncmp(route, "mx:", 3) == 0;
	}
	return false;
}

void
group_look(struct queue *qu, struct way *w)
{
	struct group_ask_open *a;

	if (w->group_asks != NULL || !group_wanted(qu, w->route) ||
	    (w->group_until != 0 && now_sec() < w->group_until))
		return;
	a = xcalloc(1, sizeof *a);
	a->way = w;
	w->group_asks = a;
	/* Asked again: as before, meanwhile. */
	way_asked(&qu->ways, w, w->group_until == 0);
	timer_set(qu->p.loop, &a->deadline, ASK_MSEC, on_nobody, a);
	ask(qu, a);
}

void
group_ask_all(struct queue *qu)
{
	struct hash_node *node, *next;
	struct way *w;
	size_t i;

	for (i = 0; i < qu->ways.hash.n_slots; i++) {
		for (node = qu->ways.hash.slot[i]; node != NULL; node = next) {
			next = node->next;
			w = (struct way *)node;
			if (w->group_asks != NULL)
				ask(qu, w->group_asks);
		}
	}
}
