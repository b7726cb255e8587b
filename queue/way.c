/*
 * The list of routes, and turns, in the queue process.  Does no input or
 * output, keeps no recipient.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way_priv.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "conf.h"
#include "dest.h"
#include "log.h"

#define IDLE_MAX 4000 /* kept for their concurrency */

static uint64_t
key_of(const char *route)
{
	return XXH3_64bits(route, strlen(route));
}

uint32_t
way_allowed(const struct way *w)
{
	if (w->held || w->asked || w->state == WAY_DOWN ||
	    w->state == WAY_PAUSED || (w->rate != NULL && w->rate->tokens == 0))
		return 0;
	return w->state == WAY_PROBE ? 1 : w->limit;
}

/* Jobs that may begin now, as far as the group goes. */
static uint32_t
group_free(const struct ways *ws, const struct way_group *g)
{
	uint32_t left = g->running >= g->max ? 0 : g->max - g->running;

	if (ws->n_unsettled > 0 && g->row != CONF_NONE)
		return 0;
	return g->rate != NULL && g->rate->tokens < left ? g->rate->tokens :
							   left;
}

enum way_trust
way_trust(const struct way *w)
{
	if (w->state == WAY_DOWN || w->state == WAY_PROBE)
		return WAY_DOUBTED;
	return w->proven ? WAY_PROVEN : WAY_UNKNOWN;
}

/* ---- where a route stands ---- */

static enum way_kept
why_kept(const struct way *w)
{
	bool rated = w->rate != NULL && w->rate->rate.n > 0;

	if (w->waiting > 0 || w->running > 0 || w->asking > 0 ||
	    w->gathering > 0 || w->parked || w->held || w->asked ||
	    w->group_asks != NULL || w->state == WAY_DOWN ||
	    w->state == WAY_PAUSED || w->stored != rated)
		return WAY_BUSY;
	return rated ? WAY_RATED : WAY_IDLE;
}

static struct way_list *
kept_list(struct ways *ws, unsigned int kept)
{
	return kept == WAY_IDLE ? &ws->idle : &ws->rated;
}

static void
keep_as(struct ways *ws, struct way *w, enum way_kept kept)
{
	if (w->kept == kept)
		return;
	if (w->kept != WAY_BUSY)
		TAILQ_REMOVE(kept_list(ws, w->kept), w, idle);
	ws->n_idle -= w->kept == WAY_IDLE;
	if (kept != WAY_BUSY)
		TAILQ_INSERT_TAIL(kept_list(ws, kept), w, idle);
	ws->n_idle += kept == WAY_IDLE;
	w->kept = (uint8_t)kept;
}

/* From its list to the end of another. */
static void
stand(struct ways *ws, struct way *w, enum way_stand s, struct way_list *list)
{
	if (w->listed == list)
		return;
	if (w->listed != NULL)
		TAILQ_REMOVE(w->listed, w, turn);
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, w, turn);
	if (w->group != NULL)
		w->group->n_turns +=
		    (s == WAY_IN_ROUND) - (uint32_t)(w->stands == WAY_IN_ROUND);
	if (s == WAY_IN_ROUND)
		w->seq = ++ws->seq;
	w->stands = s;
	w->listed = list;
}

void
way_stand_nowhere(struct ways *ws, struct way *w)
{
	stand(ws, w, WAY_NOWHERE, NULL);
}

static void
stand_in_round(struct ways *ws, struct way *w)
{
	stand(ws, w, WAY_IN_ROUND, &w->side->turns[way_trust(w)]);
}

/* Free places of the group go to those that wait longest. */
void
way_group_release(struct ways *ws, struct way_group *g)
{
	struct way *w;

	while (g->n_turns < group_free(ws, g) &&
	    (w = TAILQ_FIRST(&g->blocked)) != NULL)
		stand_in_round(ws, w);
}

static void
place_turn(struct ways *ws, struct way *w)
{
	struct way_group *g = w->group;

	if (w->waiting == 0 || w->running >= way_allowed(w))
		way_stand_nowhere(ws, w);
	else if (w->stands == WAY_ASIDE)
		return;
	/* In a group nobody overtakes those that wait already. */
	else if (w->stands == WAY_IN_ROUND || g == NULL ||
	    (w->stands == WAY_NOWHERE && TAILQ_EMPTY(&g->blocked) &&
		g->n_turns < group_free(ws, g)))
		stand_in_round(ws, w);
	else if (w->stands == WAY_NOWHERE)
		stand(ws, w, WAY_IN_LINE, &g->blocked);
	if (g != NULL)
		way_group_release(ws, g);
}

static void
place_room(struct way *w)
{
	struct way_room *room =
	    way_trust(w) == WAY_PROVEN ? &w->side->proven : &w->side->unproven;
	struct way_room *closed;

	if (w->room != room) {
		if (w->room != NULL)
			way_room_count(w->room, w, false);
		way_room_count(room, w, true);
		w->room = room;
	}
	closed = way_closed_by(w);
	if (w->pent == closed)
		return;
	if (w->pent != NULL)
		TAILQ_REMOVE(&w->pent->pent, w, wait);
	if (closed != NULL)
		TAILQ_INSERT_TAIL(&closed->pent, w, wait);
	w->pent = closed;
}

/* What a restart found running, of whose group nobody knows yet: it may be any
 * group's, so none begins anything. */
static void
place_unsettled(struct ways *ws, struct way *w)
{
	bool is = w->asked && w->running > 0;
	uint32_t i;

	if (is == w->unsettled)
		return;
	w->unsettled = is;
	ws->n_unsettled = is ? ws->n_unsettled + 1 : ws->n_unsettled - 1;
	for (i = 0; ws->n_unsettled == 0 && i < ws->conf->limit.n; i++) {
		if (ws->group[i] != NULL)
			way_group_release(ws, ws->group[i]);
	}
}

void
way_place(struct ways *ws, struct way *w)
{
	place_unsettled(ws, w);
	place_turn(ws, w);
	place_room(w);
	keep_as(ws, w, why_kept(w));
}

/* ---- the list of them ---- */

static void
free_rate(struct way_rate *r)
{
	if (r != NULL)
		timer_clear(&r->timer);
	free(r);
}

static void
free_way(struct way *w)
{
	timer_clear(&w->timer);
	free_rate(w->rate);
	free(w->last);
	free(w);
}

static void
forget(struct ways *ws, struct way *w)
{
	way_join(ws, w, NULL);
	assert(w->kept != WAY_BUSY && w->listed == NULL && w->pent == NULL);
	keep_as(ws, w, WAY_BUSY);
	hash_del(&ws->hash, &w->node);
	ws->n--;
	free_way(w);
}

static void
init_side(struct way_side *side, uint32_t proven, uint32_t unproven)
{
	unsigned int i;

	for (i = 0; i < WAY_TRUSTS; i++)
		TAILQ_INIT(&side->turns[i]);
	way_room_init(&side->proven, proven);
	way_room_init(&side->unproven, unproven);
}

static void
init_lists(struct ways *ws)
{
	unsigned int i;

	init_side(&ws->side[WAY_OUT], WAYS_PROVEN_RCPTS, WAYS_UNPROVEN_RCPTS);
	init_side(&ws->side[WAY_HERE], WAYS_HERE_RCPTS, WAYS_HERE_RCPTS);
	for (i = 0; i < PROC_MAX; i++)
		TAILQ_INIT(&ws->aside[i]);
	TAILQ_INIT(&ws->idle);
	TAILQ_INIT(&ws->rated);
}

void
ways_init(struct ways *ws, const struct conf *conf, uint32_t (*random)(void))
{
	memset(ws, 0, sizeof *ws);
	ws->conf = conf;
	ws->random = random;
	init_lists(ws);
	if (conf->limit.n > 0)
		ws->group = xcalloc(conf->limit.n, sizeof(struct way_group *));
}

void
ways_free(struct ways *ws)
{
	struct hash_node *node;
	struct way *w;
	size_t i;

	for (i = 0; i < ws->hash.n_slots; i++) {
		while ((node = ws->hash.slot[i]) != NULL) {
			w = (struct way *)node;
			ws->hash.slot[i] = node->next;
			free_way(w);
		}
	}
	hash_free(&ws->hash);
	for (i = 0; ws->group != NULL && i < ws->conf->limit.n; i++) {
		if (ws->group[i] != NULL)
			free_rate(ws->group[i]->rate);
		free(ws->group[i]);
	}
	free(ws->group);
	ws->group = NULL;
	way_users_free(ws);
	init_lists(ws);
	ws->n = ws->n_idle = 0;
}

struct way *
way_find(const struct ways *ws, const char *route)
{
	struct hash_node *node = hash_get(&ws->hash, key_of(route));

	for (; node != NULL; node = hash_more(node)) {
		if (strcmp(((struct way *)node)->route, route) == 0)
			return (struct way *)node;
	}
	return NULL;
}

/* What the configuration says of it. */
static void
set_limits(const struct ways *ws, struct way *w)
{
	char name[DOMAIN_MAX + 1];
	struct dest_limit l;

	dest_of_route(w->route, name);
	w->backoff = backoff_of(ws->conf, name);
	if (way_where(w->route) == WAY_HERE) {
		w->max = w->steady = w->limit =
		    way_here_max(ws->conf, w->route);
		return;
	}
	dest_limit(ws->conf, name, &l);
	w->max = w->steady = l.concurrency;
	w->counted = l.concurrency_at != NULL;
	w->limit = WAY_START < w->max ? WAY_START : w->max;
	w->rate = way_rate_new(l.rate, l.per);
}

struct way *
way_get(struct ways *ws, const char *route)
{
	struct way *w = way_find(ws, route);

	if (w != NULL)
		return w;
	if (ws->n_idle > IDLE_MAX || (ws->n >= WAYS_MAX && ws->n_idle > 0))
		forget(ws, TAILQ_FIRST(&ws->idle));
	else if (ws->n >= WAYS_MAX && !TAILQ_EMPTY(&ws->rated))
		forget(ws, TAILQ_FIRST(&ws->rated));
	if (ws->n >= WAYS_MAX)
		return NULL;
	w = xcalloc(1, sizeof *w);
	w->ways = ws;
	strlcpy(w->route, route, sizeof w->route);
	w->side = &ws->side[way_where(route)];
	set_limits(ws, w);
	w->last_deliver = w->home.at = CONF_NONE;
	TAILQ_INIT(&w->jobs);
	hash_add(&ws->hash, &w->node, key_of(w->route));
	ws->n++;
	way_place(ws, w);
	return w;
}

/* ---- its list ---- */

/* So many jobs and recipients more, or less. */
static void
count(struct way *w, int jobs, int rcpts)
{
	w->waiting += (uint32_t)jobs;
	w->rcpts += (uint32_t)rcpts;
	w->room->jobs += (uint32_t)jobs;
	w->room->rcpts += (uint32_t)rcpts;
	if (w->group != NULL) {
		w->group->room.jobs += (uint32_t)jobs;
		w->group->room.rcpts += (uint32_t)rcpts;
	}
}

void
way_add(struct ways *ws, struct way *w, struct way_job *job)
{
	job->way = w;
	job->room = NULL;
	TAILQ_INSERT_TAIL(&w->jobs, job, entry);
	count(w, 1, (int)job->rcpts);
	way_place(ws, w);
}

void
way_remove(struct ways *ws, struct way_job *job)
{
	struct way *w = job->way;

	TAILQ_REMOVE(&w->jobs, job, entry);
	count(w, -1, -(int)job->rcpts);
	way_place(ws, w);
}

void
way_less(struct ways *ws, struct way_job *job)
{
	assert(job->rcpts > 0);
	job->rcpts--;
	count(job->way, 0, -1);
	way_place(ws, job->way);
}

/* ---- turns ---- */

bool
way_share(const struct way_side *side, const struct way_places *p,
    enum way_trust trust)
{
	bool proven = !TAILQ_EMPTY(&side->turns[WAY_PROVEN]);
	bool unknown = !TAILQ_EMPTY(&side->turns[WAY_UNKNOWN]);
	uint32_t doubted = p->held[WAY_DOUBTED];
	uint32_t unproven = doubted + p->held[WAY_UNKNOWN];
	uint32_t most = proven ? p->all / 2 : p->all - p->all / 4;

	if (trust == WAY_PROVEN)
		return true;
	if (unproven >= (most == 0 ? 1 : most))
		return false;
	if (trust == WAY_UNKNOWN || (!proven && !unknown))
		return true;
	return doubted < (p->all < 4 ? 1 : p->all / 4);
}

struct way *
way_turn(struct ways *ws, struct way_side *side, const bool may[WAY_TRUSTS])
{
	struct way *w, *best = NULL;
	unsigned int i;

	for (i = 0; i < WAY_TRUSTS; i++) {
		if (!may[i])
			continue;
		/* Its group may have become full since. */
		while ((w = TAILQ_FIRST(&side->turns[i])) != NULL &&
		    w->group != NULL && group_free(ws, w->group) == 0) {
			way_stand_nowhere(ws, w);
			TAILQ_INSERT_HEAD(&w->group->blocked, w, turn);
			w->listed = &w->group->blocked;
			w->stands = WAY_IN_LINE;
		}
		if (w != NULL && (best == NULL || w->seq < best->seq))
			best = w;
	}
	return best;
}

void
way_aside(struct ways *ws, struct way *w, uint32_t process)
{
	assert(w->stands == WAY_IN_ROUND && process < PROC_MAX);
	stand(ws, w, WAY_ASIDE, &ws->aside[process]);
	if (w->group != NULL)
		way_group_release(ws, w->group);
}

void
way_back(struct ways *ws, uint32_t process, uint32_t n)
{
	struct way *w;

	for (; n > 0 && (w = TAILQ_FIRST(&ws->aside[process])) != NULL; n--) {
		way_stand_nowhere(ws, w);
		way_place(ws, w);
	}
}

static bool
take_token(struct way_rate *r, int64_t now_msec)
{
	bool marked;

	if (r == NULL)
		return false;
	assert(r->tokens > 0);
	marked = rate_add(&r->rate, now_msec);
	r->tokens = rate_left(&r->rate, now_msec);
	return marked;
}

struct way_job *
way_take(struct ways *ws, struct way *w, int64_t now_msec,
    struct way_marks *marks)
{
	struct way_group *g = w->group;
	struct way_job *job = TAILQ_FIRST(&w->jobs);

	assert(w->stands == WAY_IN_ROUND && job != NULL);
	*marks = (struct way_marks){ 0 };
	marks->way = take_token(w->rate, now_msec);
	if (g != NULL) {
		marks->group = take_token(g->rate, now_msec);
		g->running++;
	}
	TAILQ_REMOVE(&w->jobs, job, entry);
	count(w, -1, -(int)job->rcpts);
	job->room = w->room;
	w->room->running += job->rcpts;
	w->running++;
	/* To the end of the round, if it stays in it. */
	way_stand_nowhere(ws, w);
	way_place(ws, w);
	return job;
}

void
way_tick(struct ways *ws, struct way *w, int64_t now_msec)
{
	if (w->rate != NULL)
		w->rate->tokens = rate_left(&w->rate->rate, now_msec);
	way_place(ws, w);
}

void
way_group_tick(struct ways *ws, struct way_group *g, int64_t now_msec)
{
	if (g->rate != NULL)
		g->rate->tokens = rate_left(&g->rate->rate, now_msec);
	way_group_release(ws, g);
}

void
way_running(struct ways *ws, struct way *w)
{
	w->running++;
	if (w->group != NULL)
		w->group->running++;
	way_place(ws, w);
}

void
way_undo(struct ways *ws, struct way *w)
{
	assert(w->running > 0);
	w->running--;
	if (w->group != NULL)
		w->group->running--;
	way_place(ws, w);
}

void
way_landed(struct ways *ws, struct way_job *job)
{
	(void)ws;
	if (job->room != NULL)
		job->room->running -= job->rcpts;
	job->room = NULL;
}

void
way_asked(struct ways *ws, struct way *w, bool asked)
{
	w->asked = asked;
	way_place(ws, w);
}

void
way_gathers(struct ways *ws, struct way *w, bool gathers)
{
	assert(gathers || w->gathering > 0);
	w->gathering = gathers ? w->gathering + 1 : w->gathering - 1;
	way_place(ws, w);
}

void
way_touch(struct ways *ws, struct way *w)
{
	way_place(ws, w);
}
