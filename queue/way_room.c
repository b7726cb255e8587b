/*
 * How much of each route may be in memory, in the queue process: enough that
 * no place of a deliver process stays empty, and no more.  The rest waits in
 * the index.  Does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way_priv.h"

#include <assert.h>

void
way_room_init(struct way_room *room, uint32_t max)
{
	*room = (struct way_room){ .max = max };
	TAILQ_INIT(&room->pent);
}

void
way_room_count(struct way_room *room, const struct way *w, bool in)
{
	room->jobs = in ? room->jobs + w->waiting : room->jobs - w->waiting;
	room->rcpts = in ? room->rcpts + w->rcpts : room->rcpts - w->rcpts;
	room->asking = in ? room->asking + w->asking : room->asking - w->asking;
}

/* Running ones of those that work end soon. */
static uint32_t
used(const struct way *w, const struct way_room *room)
{
	uint32_t running = room == &w->side->unproven ? room->running : 0;

	return room->rcpts + running + room->asking;
}

static bool
is_crowded(const struct way *w, const struct way_room *room)
{
	return used(w, room) >= room->max / 2;
}

static bool
is_full(const struct way *w, const struct way_room *room)
{
	return used(w, room) >= room->max;
}

/* The group has no token for one more. */
static bool
is_spent(const struct way_group *g)
{
	return g->rate != NULL &&
	    g->rate->tokens <= g->room.jobs + g->room.asking;
}

/* Jobs that may wait in memory. */
static uint32_t
jobs_of(const struct way *w)
{
	uint32_t n = w->ways->conf->mta_max_deferred;

	if (n == 0)
		n = WAY_WAITING;
	if (n > WAY_CROWDED &&
	    (is_crowded(w, w->room) ||
		(w->group != NULL && is_crowded(w, &w->group->room))))
		n = WAY_CROWDED;
	return w->rate != NULL && w->rate->tokens < n ? w->rate->tokens : n;
}

bool
way_open(const struct way *w)
{
	const struct way_group *g = w->group;

	if (w->held || w->state == WAY_DOWN || w->state == WAY_PAUSED ||
	    w->waiting >= jobs_of(w) || w->rcpts >= WAY_RCPTS ||
	    used(w, w->room) - w->room->asking >= w->room->max)
		return false;
	return g == NULL ||
	    (g->room.rcpts < g->room.max &&
		(g->rate == NULL || g->rate->tokens > g->room.jobs));
}

bool
way_is_over(const struct way *w)
{
	const struct way_group *g = w->group;

	return g != NULL &&
	    (g->room.rcpts > g->room.max ||
		(g->rate != NULL && g->rate->tokens < g->room.jobs));
}

/* What it could use if it were alone. */
static uint32_t
own_hunger(const struct way *w)
{
	uint32_t have = w->waiting + w->asking, jobs = jobs_of(w);

	if (way_allowed(w) == 0 || w->rcpts + w->asking >= WAY_RCPTS)
		return 0;
	if (w->state == WAY_PROBE)
		return have + w->running == 0 ? 1 : 0;
	/* Filled up when half empty, so that the index is asked seldom. */
	return have >= (jobs + 1) / 2 ? 0 : jobs - have;
}

struct way_room *
way_closed_by(const struct way *w)
{
	struct way_group *g = w->group;

	if (!w->parked ||
	    (w->drained && w->waiting + w->asking + w->running > 0) ||
	    own_hunger(w) == 0)
		return NULL;
	if (g != NULL && (is_full(w, &g->room) || is_spent(g)))
		return &g->room;
	return is_full(w, w->room) ? w->room : NULL;
}

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What a room has left. */
static uint32_t
left(const struct way *w, const struct way_room *room)
{
	return is_full(w, room) ? 0 : room->max - used(w, room);
}

uint32_t
way_hunger(const struct way *w)
{
	const struct way_group *g = w->group;
	uint32_t n = least(own_hunger(w), left(w, w->room));

	if (g == NULL)
		return n;
	n = least(n, left(w, &g->room));
	if (g->rate == NULL)
		return n;
	if (is_spent(g))
		return 0;
	return least(n, g->rate->tokens - g->room.jobs - g->room.asking);
}

void
way_asks(struct ways *ws, struct way *w)
{
	w->asking++;
	w->room->asking++;
	if (w->group != NULL)
		w->group->room.asking++;
	way_place(ws, w);
}

void
way_unasks(struct ways *ws, struct way *w)
{
	assert(w->asking > 0);
	w->asking--;
	w->room->asking--;
	if (w->group != NULL)
		w->group->room.asking--;
	way_place(ws, w);
}

/* The first that waits for this room, if there is enough again that it is
 * worth while to look into the index. */
static struct way *
feed_from(struct way_room *room, const struct way_group *g)
{
	struct way *w = TAILQ_FIRST(&room->pent);

	if (w == NULL || is_crowded(w, room) || (g != NULL && is_spent(g)))
		return NULL;
	TAILQ_REMOVE(&room->pent, w, wait);
	w->pent = NULL;
	return w;
}

struct way *
way_feed(struct ways *ws)
{
	struct way *w = NULL;
	uint32_t i;

	for (i = 0; w == NULL && i < WAY_SIDES; i++) {
		w = feed_from(&ws->side[i].proven, NULL);
		if (w == NULL)
			w = feed_from(&ws->side[i].unproven, NULL);
	}
	for (i = 0; w == NULL && i < ws->conf->limit.n; i++) {
		if (ws->group[i] != NULL)
			w = feed_from(&ws->group[i]->room, ws->group[i]);
	}
	return w;
}
