/*
 * Routes with limits in common, and the one process that has all connections
 * that are counted.  In the queue process; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way_priv.h"

#include <bsd/string.h>

#include <stdio.h>
#include <string.h>

#include "log.h"

#define RATE_LOOK 3600000 /* the clock is looked at this often at least */

struct way_rate *
way_rate_new(uint32_t n, uint32_t per)
{
	struct way_rate *r;

	if (n == 0 || per == 0)
		return NULL;
	r = xcalloc(1, sizeof *r);
	rate_init(&r->rate, n, per);
	r->tokens = n;
	return r;
}

bool
way_rate_wait(struct way_rate *w, int64_t now_msec, msec *wait)
{
	struct rate *r = &w->rate;
	msec left;

	if (r->n == 0)
		return false;
	left = w->tokens == 0 ? rate_next(r, now_msec) - now_msec :
				r->mark[r->n - 1].at + r->window - now_msec;
	*wait = left < 0 ? 0 : left > RATE_LOOK ? RATE_LOOK : left;
	return true;
}

/* ---- one process for all connections that are counted ---- */

static const struct way_home *
home_of(const struct way *w, uint32_t *running)
{
	if (w->group != NULL && w->group->counted) {
		*running = w->group->running;
		return &w->group->home;
	}
	*running = w->running;
	return w->counted ? &w->home : NULL;
}

uint32_t
way_home(const struct way *w, int64_t now)
{
	uint32_t running;
	const struct way_home *h = home_of(w, &running);

	return h != NULL && (running > 0 || now < h->leaves) ? h->at :
							       CONF_NONE;
}

void
way_at(struct way *w, uint32_t process, int64_t now)
{
	const struct way_home h = { .at = process,
		.leaves = now + WAY_HOME_MSEC };

	w->home = h;
	if (w->group != NULL)
		w->group->home = h;
	w->last_deliver = process;
}

/* ---- groups ---- */

/* As it stands in the configuration. */
static void
group_name(const struct conf *c, const struct conf_limit *row, char *out,
    size_t size)
{
	size_t used = strlcpy(out, "limit:", size);
	uint32_t i;
	int n;

	for (i = 0; i < row->mx.n && used < size; i++) {
		n = snprintf(out + used, size - used, "%s%s", i > 0 ? "," : "",
		    conf_text(c, CONF_ENTRY(c, row->mx, i)->key));
		used += n < 0 ? size : (size_t)n;
	}
}

struct way_group *
way_group(struct ways *ws, uint32_t row)
{
	const struct conf_limit *l = CONF_LIMIT(ws->conf, row);
	struct way_group *g = ws->group[row];

	if (g != NULL)
		return g;
	g = ws->group[row] = xcalloc(1, sizeof *g);
	g->row = row;
	g->max = l->concurrency == 0 ? UINT32_MAX : l->concurrency;
	g->counted = l->concurrency != 0;
	g->rate = way_rate_new(l->rate, l->per);
	g->home.at = CONF_NONE;
	TAILQ_INIT(&g->blocked);
	way_room_init(&g->room, WAY_GROUP_RCPTS);
	group_name(ws->conf, l, g->name, sizeof g->name);
	return g;
}

void
way_join(struct ways *ws, struct way *w, struct way_group *g)
{
	struct way_group *old = w->group;

	if (old == g)
		return;
	way_stand_nowhere(ws, w);
	if (old != NULL) {
		way_room_count(&old->room, w, false);
		old->running -= w->running;
		old->n_ways--;
	}
	if (w->pent != NULL) {
		TAILQ_REMOVE(&w->pent->pent, w, wait);
		w->pent = NULL;
	}
	w->group = g;
	if (g != NULL) {
		g->n_ways++;
		way_room_count(&g->room, w, true);
		g->running += w->running;
		if (w->running > 0 && g->home.at == CONF_NONE)
			g->home = w->home;
	}
	if (old != NULL) {
		way_group_release(ws, old);
		way_user_left(ws, old);
	}
	way_place(ws, w);
}
