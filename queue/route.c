/*
 * Routes as the index and the operator know them: who waits there because a
 * route is down, held or full, when it is tried again, and how the list in
 * memory is filled again.  Runs in the queue process; whose turn it is, is
 * way.c's.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/string.h>

#include <stdio.h>
#include <string.h>

#include "log.h"

#define FULL_MSEC 1000 /* memory is full: looked at again then */
#define FEED_MAX  20   /* routes that are fed in one turn of the loop */

static void on_time(void *arg);
static void on_rate(void *arg);

/* ---- the row of a route ---- */

static int64_t
now_msec(void)
{
	return now_usec() / 1000;
}

/* What a route with a rate sent lately. */
static void
fill_rate(struct way *w, struct index_way *row)
{
	if (w->rate == NULL)
		return;
	row->n_marks = rate_save(&w->rate->rate, row->mark);
	if (w->rate->tokens == 0)
		row->ready = rate_next(&w->rate->rate, now_msec()) / 1000;
}

/* A row stands while the route is down, held, has recipients in the index
 * alone, or a rate that looks back, so that a restart finds them. */
static void
store(struct queue *qu, struct way *w)
{
	bool rated = w->rate != NULL && w->rate->rate.n > 0;
	bool rests = w->state == WAY_DOWN || w->state == WAY_PAUSED;
	struct index_way row;

	if (!rests && !w->parked && !w->held && !rated) {
		if (w->stored)
			queue_index_ok(qu, index_del_way(qu->index, w->route));
		w->stored = false;
	} else {
		memset(&row, 0, sizeof row);
		strlcpy(row.route, w->route, sizeof row.route);
		row.failures = w->failures;
		row.next = rests ? w->next : 0;
		row.since = w->since;
		row.paused = w->state == WAY_PAUSED;
		if (w->last != NULL)
			row.last = *w->last;
		fill_rate(w, &row);
		queue_index_ok(qu, index_put_way(qu->index, &row));
		w->stored = true;
	}
	queue_changed(qu);
	way_touch(&qu->ways, w);
}

static void
wait_for(struct queue *qu, struct way *w)
{
	int64_t wait = w->next - now_sec();

	timer_set(qu->p.loop, &w->timer, wait < 0 ? 0 : (msec)wait * 1000,
	    on_time, w);
}

/* Until it may send again, or what it sent is to be forgotten. */
static void
wait_for_rate(struct queue *qu, struct way *w)
{
	msec wait;

	if (way_rate_wait(w->rate, now_msec(), &wait))
		timer_set(qu->p.loop, &w->rate->timer, wait, on_rate, w);
}

static void
on_rate(void *arg)
{
	struct way *w = arg;
	struct queue *qu = w->owner;

	way_tick(&qu->ways, w, now_msec());
	if (rate_empty(&w->rate->rate, now_msec()))
		store(qu, w);
	wait_for_rate(qu, w);
	route_refill(qu, w);
	queue_run_soon(qu);
}

void
route_took(struct queue *qu, struct way *w, const struct way_marks *marks)
{
	if (w->group != NULL)
		group_took(qu, w->group, marks->group);
	if (w->rate == NULL)
		return;
	/* Before it goes out: a queue that is killed now counts it too. */
	if (marks->way) {
		store(qu, w);
		queue_commit(qu);
	}
	wait_for_rate(qu, w);
}

/* What is known of its past: nothing (row NULL), or what the row says. */
static void
recall_rate(struct queue *qu, struct way *w, const struct index_way *row)
{
	struct rate *r = &w->rate->rate;

	if (row != NULL)
		rate_load(r, row->mark, row->n_marks, now_msec());
	else if (qu->forgot) {
		rate_assume(r, now_msec());
		store(qu, w);
	}
	way_tick(&qu->ways, w, now_msec());
	wait_for_rate(qu, w);
}

static void
hold_name(const char *route, char *name, size_t size)
{
	snprintf(name, size, "hold:%s", route);
}

/* It did not work for what we were told: a queue that starts may have been told
 * better, since a new configuration comes with one. */
static bool
may_be_mended(const struct index_way *row)
{
	return row->last.cause == CAUSE_CONFIG || row->last.cause == CAUSE_TLS;
}

struct way *
route_get(struct queue *qu, const char *route)
{
	struct way *w = way_get(&qu->ways, route);
	char name[ROUTE_MAX + 8], value[8];
	struct index_way row;

	if (w == NULL || w->known)
		return w;
	w->known = true;
	w->owner = qu;
	hold_name(route, name, sizeof name);
	if (index_fact_get(qu->index, name, value, sizeof value))
		way_hold(&qu->ways, w, true);
	if (index_get_way(qu->index, route, &row) == INDEX_OK) {
		w->stored = w->parked = true;
		if (row.next != 0) {
			if (may_be_mended(&row))
				row.next = now_sec();
			way_restore(&qu->ways, w, &row);
			wait_for(qu, w);
		}
		if (w->rate != NULL)
			recall_rate(qu, w, &row);
		way_touch(&qu->ways, w);
	} else if (w->rate != NULL)
		recall_rate(qu, w, NULL);
	return w;
}

/* ---- parking ---- */

void
route_parked(struct queue *qu, struct way *w)
{
	w->drained = false;
	if (w->parked) {
		way_touch(&qu->ways, w);
		return;
	}
	w->parked = true;
	store(qu, w);
}

void
route_park(struct queue *qu, struct way *w, struct rcpt *r)
{
	struct index_rcpt row;

	rcpt_row(qu, r, &row);
	row.parked = 1;
	row.next = schedule_latest(qu, r->msg, r->notify, r->ttl, now_sec());
	strlcpy(row.route, w->route, sizeof row.route);
	if (w->last != NULL)
		row.last = *w->last;
	rcpt_leave(qu, r, &row);
	route_parked(qu, w);
}

void
route_park_all(struct queue *qu, struct way *w)
{
	struct way_job *turn;
	struct job *j;
	struct msg *m;

	while ((turn = TAILQ_FIRST(&w->jobs)) != NULL) {
		j = job_of_turn(turn);
		m = j->msg;
		/* With its last recipient the job goes. */
		while (TAILQ_FIRST(&w->jobs) == turn)
			route_park(qu, w, TAILQ_FIRST(&j->rcpts));
		msg_settle(qu, m);
	}
}

/* ---- back from the index ---- */

/* One that is parked; false: none behind the cursor. */
static bool
unpark_one(struct queue *qu, struct way *w, bool *taken)
{
	struct index_rcpt row;
	struct rcpt *r;
	struct msg *m;
	uint64_t id;
	uint32_t n;

	*taken = false;
	if (!queue_index_ok(qu,
		index_walk_route(qu->index, &w->cursor, w->route, true, &id,
		    &n)))
		return false;
	if (rcpt_find(qu, id, n) != NULL)
		return true;
	if (!queue_index_ok(qu, index_get_rcpt(qu->index, id, n, &row)) ||
	    !rcpt_state_open(row.state) || (m = msg_load(qu, id)) == NULL)
		return true;
	r = rcpt_add(qu, m, &row);
	r->for_way = w;
	way_asks(&qu->ways, w);
	schedule_ask(qu, r);
	*taken = true;
	return true;
}

void
route_refill_soon(struct queue *qu, struct way *w)
{
	/* A route that is down has its timer already. */
	if (w->parked && !w->timer.set)
		timer_set(qu->p.loop, &w->timer, 0, on_time, w);
}

void
route_refill(struct queue *qu, struct way *w)
{
	uint32_t want = qu->open && !qu->stopping ? way_hunger(w) : 0;
	bool from_start, taken, seen = false;
	int step;

	if (!w->parked || want == 0 ||
	    (w->drained && w->waiting + w->asking + w->running > 0))
		return;
	if (qu->rcpts.n >= MEM_RCPTS) {
		timer_set(qu->p.loop, &w->timer, FULL_MSEC, on_time, w);
		return;
	}
	from_start = !w->cursor.begun;
	/* What is in memory is stepped over, so the steps are bounded too. */
	for (step = 0; want > 0 && step < 2 * WAY_WAITING; step++) {
		if (unpark_one(qu, w, &taken)) {
			seen = true;
			want -= taken;
			continue;
		}
		memset(&w->cursor, 0, sizeof w->cursor);
		if (!from_start) {
			from_start = true;
			continue;
		}
		/* All were seen.  Those in memory still stand there as
		 * parked, so the route is not forgotten before they end. */
		w->drained = seen;
		w->parked = seen;
		if (!seen)
			store(qu, w);
		break;
	}
	way_touch(&qu->ways, w);
}

void
route_feed(struct queue *qu)
{
	struct way *w;
	int i;

	for (i = 0; i < FEED_MAX; i++) {
		if (qu->rcpts.n >= MEM_RCPTS ||
		    (w = way_feed(&qu->ways)) == NULL)
			return;
		route_refill(qu, w);
		/* It may have to wait for another room. */
		way_touch(&qu->ways, w);
	}
	queue_run_soon(qu);
}

/* ---- what happens to a route ---- */

static void
rose(struct queue *qu, struct way *w)
{
	timer_clear(&w->timer);
	log_event(0, "route-up", "route=%s", q(w->route));
	store(qu, w);
	route_refill(qu, w);
}

static void
fell(struct queue *qu, struct way *w)
{
	char text[OUTCOME_TEXT_MAX + 64];

	log_event(0, "route-down", "failures=%u wait=%lld route=%s reply=%s",
	    w->failures, (long long)(w->next - now_sec()), q(w->route),
	    q(outcome_print(w->last, text, sizeof text)));
	store(qu, w);
	wait_for(qu, w);
	route_park_all(qu, w);
}

static void
slowed(struct queue *qu, struct way *w)
{
	char text[OUTCOME_TEXT_MAX + 64];

	log_event(0, "route-slow",
	    "pauses=%u wait=%lld concurrency=%u route=%s reply=%s", w->pauses,
	    (long long)(w->next - now_sec()), w->limit, q(w->route),
	    q(outcome_print(w->last, text, sizeof text)));
	store(qu, w);
	wait_for(qu, w);
	route_park_all(qu, w);
}

static void
on_time(void *arg)
{
	struct way *w = arg;
	struct queue *qu = w->owner;

	if (w->state == WAY_DOWN || w->state == WAY_PAUSED) {
		if (!way_wake(&qu->ways, w, now_sec())) {
			wait_for(qu, w);
			return;
		}
		store(qu, w);
	}
	route_refill(qu, w);
	queue_run_soon(qu);
}

void
route_ended(struct queue *qu, struct way *w, const struct outcome *o)
{
	enum way_change change = way_ended(&qu->ways, w, o, now_sec());

	if (change == WAY_FELL)
		fell(qu, w);
	else if (change == WAY_SLOWED)
		slowed(qu, w);
	else if (change == WAY_ROSE)
		rose(qu, w);
	else
		route_refill(qu, w);
}

void
route_flush(struct queue *qu, const char *route)
{
	struct way *w = route[0] == '\0' ? NULL : way_find(&qu->ways, route);

	if (w == NULL || (w->state != WAY_DOWN && w->state != WAY_PAUSED))
		return;
	timer_clear(&w->timer);
	way_forgive(&qu->ways, w);
	store(qu, w);
	route_refill(qu, w);
}

bool
route_hold(struct queue *qu, const char *route, bool hold)
{
	char name[ROUTE_MAX + 8];
	struct way *w;

	hold_name(route, name, sizeof name);
	if (!index_fact_put(qu->index, name, hold ? "1" : NULL))
		return false;
	if ((w = route_get(qu, route)) == NULL)
		return true;
	way_hold(&qu->ways, w, hold);
	store(qu, w);
	if (hold)
		route_park_all(qu, w);
	else
		route_refill(qu, w);
	queue_run_soon(qu);
	return true;
}

void
route_start(struct queue *qu)
{
	struct index_cursor c = { 0 };
	struct index_way row;
	struct way *w;

	while (queue_index_ok(qu, index_walk_way(qu->index, &c, &row))) {
		if (group_recall(qu, &row))
			continue;
		if ((w = route_get(qu, row.route)) == NULL)
			break;
		route_refill(qu, w);
	}
}
