/*
 * Turns, concurrency and failures of routes, in the queue process.  Does no
 * input or output, keeps no recipient.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "conf.h"
#include "dest.h"
#include "log.h"

#define IDLE_MAX 1000 /* kept for their concurrency */

static uint64_t
key_of(const char *route)
{
	return XXH3_64bits(route, strlen(route));
}

/* Jobs that may run at once now. */
static uint32_t
allowed(const struct way *w)
{
	if (w->held || w->state == WAY_DOWN ||
	    (w->rate != NULL && w->rate->tokens == 0))
		return 0;
	return w->state == WAY_PROBE ? 1 : w->limit;
}

static enum way_kept
why_kept(const struct way *w)
{
	bool rated = w->rate != NULL && w->rate->rate.n > 0;

	if (w->waiting > 0 || w->running > 0 || w->asking > 0 || w->parked ||
	    w->held || w->state == WAY_DOWN || w->stored != rated)
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

static void
free_way(struct way *w)
{
	timer_clear(&w->timer);
	if (w->rate != NULL)
		timer_clear(&w->rate->timer);
	free(w->rate);
	free(w->last);
	free(w);
}

static void
forget(struct ways *ws, struct way *w)
{
	assert(w->kept != WAY_BUSY && !w->in_turn);
	keep_as(ws, w, WAY_BUSY);
	hash_del(&ws->hash, &w->node);
	ws->n--;
	free_way(w);
}

/* Puts it where it belongs after any change: in the round, or among those
 * that may be forgotten. */
static void
place(struct ways *ws, struct way *w)
{
	bool turn = w->waiting > 0 && w->running < allowed(w);

	if (turn && !w->in_turn)
		TAILQ_INSERT_TAIL(&ws->turns, w, turn);
	if (!turn && w->in_turn)
		TAILQ_REMOVE(&ws->turns, w, turn);
	w->in_turn = turn;
	keep_as(ws, w, why_kept(w));
}

void
ways_init(struct ways *ws, const struct conf *conf, uint32_t (*random)(void))
{
	*ws = (struct ways){ .conf = conf, .random = random };
	TAILQ_INIT(&ws->turns);
	TAILQ_INIT(&ws->idle);
	TAILQ_INIT(&ws->rated);
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
	TAILQ_INIT(&ws->turns);
	TAILQ_INIT(&ws->idle);
	TAILQ_INIT(&ws->rated);
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
	dest_limit(ws->conf, name, &l);
	w->backoff = backoff_of(ws->conf, name);
	w->max = l.concurrency;
	w->counted = l.concurrency_at != NULL;
	w->limit = WAY_START < w->max ? WAY_START : w->max;
	if (l.rate == 0)
		return;
	w->rate = xcalloc(1, sizeof *w->rate);
	rate_init(&w->rate->rate, l.rate, l.per);
	w->rate->tokens = l.rate;
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
	strlcpy(w->route, route, sizeof w->route);
	set_limits(ws, w);
	w->last_deliver = CONF_NONE;
	TAILQ_INIT(&w->jobs);
	hash_add(&ws->hash, &w->node, key_of(w->route));
	ws->n++;
	place(ws, w);
	return w;
}

/* Jobs that may wait in memory. */
static uint32_t
room_of(const struct way *w)
{
	return w->rate != NULL && w->rate->tokens < WAY_WAITING ?
	    w->rate->tokens :
	    WAY_WAITING;
}

bool
way_open(const struct way *w)
{
	return !w->held && w->state != WAY_DOWN && w->waiting < room_of(w);
}

uint32_t
way_hunger(const struct way *w)
{
	uint32_t have = w->waiting + w->asking;
	uint32_t room = room_of(w);

	if (allowed(w) == 0)
		return 0;
	if (w->state == WAY_PROBE)
		return have + w->running == 0 ? 1 : 0;
	/* Filled up when half empty, so that the index is asked seldom. */
	return have >= (room + 1) / 2 ? 0 : room - have;
}

void
way_add(struct ways *ws, struct way *w, struct way_job *job)
{
	job->way = w;
	TAILQ_INSERT_TAIL(&w->jobs, job, entry);
	w->waiting++;
	place(ws, w);
}

void
way_remove(struct ways *ws, struct way_job *job)
{
	struct way *w = job->way;

	TAILQ_REMOVE(&w->jobs, job, entry);
	w->waiting--;
	place(ws, w);
}

static bool
take_token(struct way *w, int64_t now_msec)
{
	bool marked;

	if (w->rate == NULL)
		return false;
	assert(w->rate->tokens > 0);
	marked = rate_add(&w->rate->rate, now_msec);
	w->rate->tokens = rate_left(&w->rate->rate, now_msec);
	return marked;
}

struct way_job *
way_take(struct ways *ws, int64_t now_msec, bool *marked)
{
	struct way *w = TAILQ_FIRST(&ws->turns);
	struct way_job *job;

	*marked = false;
	if (w == NULL)
		return NULL;
	*marked = take_token(w, now_msec);
	job = TAILQ_FIRST(&w->jobs);
	TAILQ_REMOVE(&w->jobs, job, entry);
	w->waiting--;
	w->running++;
	/* To the end of the round, if it stays in it. */
	TAILQ_REMOVE(&ws->turns, w, turn);
	w->in_turn = false;
	place(ws, w);
	return job;
}

void
way_tick(struct ways *ws, struct way *w, int64_t now_msec)
{
	if (w->rate != NULL)
		w->rate->tokens = rate_left(&w->rate->rate, now_msec);
	place(ws, w);
}

void
way_running(struct ways *ws, struct way *w)
{
	w->running++;
	place(ws, w);
}

void
way_undo(struct ways *ws, struct way *w)
{
	assert(w->running > 0);
	w->running--;
	place(ws, w);
}

static void
keep_last(struct way *w, const struct outcome *last)
{
	if (w->last == NULL)
		w->last = xcalloc(1, sizeof *w->last);
	*w->last = *last;
}

static void
fall(struct ways *ws, struct way *w, const struct outcome *site, int64_t now)
{
	w->failures++;
	if (w->since == 0)
		w->since = now;
	w->next = now + backoff_seconds(&w->backoff, w->failures, ws->random());
	w->state = WAY_DOWN;
	w->limit = w->limit > 1 ? w->limit / 2 : 1;
	keep_last(w, site);
}

static void
rise(struct way *w)
{
	w->state = WAY_UP;
	w->failures = 0;
	w->next = w->since = 0;
	free(w->last);
	w->last = NULL;
}

enum way_change
way_ended(struct ways *ws, struct way *w, const struct outcome *site,
    int64_t now)
{
	enum way_change change = WAY_SAME;

	assert(w->running > 0);
	w->running--;
	if (site->verdict == LATER && site->width == WIDTH_SITE) {
		/* Those that ran beside the one that failed are the same
		 * failure. */
		if (w->state != WAY_DOWN) {
			fall(ws, w, site, now);
			change = WAY_FELL;
		}
	} else if (site->verdict == LATER) {
		if (site->width == WIDTH_STREAM)
			w->limit = w->limit > 1 ? w->limit / 2 : 1;
	} else {
		/* It spoke to us: also who refuses for good is there. */
		if (w->state != WAY_UP)
			change = WAY_ROSE;
		else if (site->verdict == DONE && w->limit < w->max)
			w->limit++;
		rise(w);
	}
	place(ws, w);
	return change;
}

bool
way_wake(struct ways *ws, struct way *w, int64_t now)
{
	if (w->state != WAY_DOWN || w->next > now)
		return false;
	w->state = WAY_PROBE;
	place(ws, w);
	return true;
}

void
way_forgive(struct ways *ws, struct way *w)
{
	if (w->state == WAY_UP)
		return;
	w->state = WAY_PROBE;
	w->failures = 0;
	w->next = 0;
	place(ws, w);
}

void
way_restore(struct ways *ws, struct way *w, uint32_t failures, int64_t next,
    int64_t since, const struct outcome *last)
{
	w->state = WAY_DOWN;
	w->failures = failures;
	w->next = next;
	w->since = since;
	w->limit = 1;
	keep_last(w, last);
	place(ws, w);
}

void
way_hold(struct ways *ws, struct way *w, bool held)
{
	w->held = held;
	place(ws, w);
}

void
way_touch(struct ways *ws, struct way *w)
{
	place(ws, w);
}
