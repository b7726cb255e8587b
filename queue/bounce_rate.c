/*
 * Notifications to strangers are counted, in rows of the index: so a queue
 * that comes after this one knows of them, and memory does not grow with the
 * addresses.  Runs in the queue process.
 *
 * What may not go yet stays owed, in the file, and is looked at again at a
 * time of its own: each that is put off gets the next place at the pace that
 * is allowed, so that not all of them come back at once.  Who has no place
 * for a window's length comes back then and asks anew: so an operator who
 * removes what waits need not wait for their places.
 *
 * SPDX-License-Identifier: ISC
 */
#include "bounce_rate.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <string.h>

#include "queue.h"

#define SWEEP_MSEC 60000 /* between walks over the rows */
#define SWEEP_STEP 200   /* rows in one turn of the loop */

/* ---- one limit ---- */

static int64_t
window(const struct conf_rate *limit)
{
	return (int64_t)limit->per * 1000;
}

/* What the row tells, as it was. */
static void
load(const struct index_told *t, const struct conf_rate *limit, struct rate *r)
{
	uint32_t i;

	rate_init(r, limit->n, limit->per);
	r->n = t->n_marks;
	for (i = 0; i < t->n_marks; i++) {
		r->mark[i] = t->mark[i];
		r->sum += t->mark[i].n;
	}
}

static void
save(struct index_told *t, const struct rate *r)
{
	int64_t last = r->n == 0 ? 0 : r->mark[r->n - 1].at + r->window;

	t->n_marks = r->n;
	memcpy(t->mark, r->mark, r->n * sizeof *r->mark);
	t->until = last > t->slot ? last : t->slot;
}

void
told_assume(struct index_told *t, const struct conf_rate *limit, int64_t now)
{
	struct rate r;

	if (limit->n == 0)
		return;
	rate_init(&r, limit->n, limit->per);
	rate_assume(&r, now);
	save(t, &r);
}

bool
told_may(struct index_told *t, const struct conf_rate *limit, int64_t now)
{
	struct rate r;

	if (limit->n == 0)
		return true;
	load(t, limit, &r);
	return rate_left(&r, now) > 0;
}

void
told_add(struct index_told *t, const struct conf_rate *limit, int64_t now)
{
	struct rate r;

	if (limit->n == 0)
		return;
	load(t, limit, &r);
	rate_add(&r, now);
	save(t, &r);
}

int64_t
told_put_off(struct index_told *t, const struct conf_rate *limit, int64_t now)
{
	int64_t next, most = now + window(limit);
	struct rate r;

	load(t, limit, &r);
	next = rate_next(&r, now);
	if (t->slot > next)
		next = t->slot;
	if (next >= most)
		next = most + (int64_t)arc4random_uniform(limit->per) * 1000;
	else
		t->slot = next + window(limit) / limit->n;
	save(t, &r);
	return next;
}

/* ---- both ---- */

bool
bounce_is_limited(const struct msg *m)
{
	const uint32_t ours =
	    FACT_SUBMIT | FACT_LOCAL | FACT_SOCKET | FACT_OURS;

	return (m->fact_flags & ours) == 0 && m->facts->auth[0] == '\0';
}

struct limited {
	const struct conf_rate *limit;
	struct index_told told;
	bool may;
};

static void
recall(struct queue *qu, struct limited *l, const char *to, int64_t now)
{
	memset(&l->told, 0, sizeof l->told);
	strlcpy(l->told.to, to, sizeof l->told.to);
	if (l->limit->n == 0) {
		l->may = true;
		return;
	}
	queue_index_ok(qu, index_get_told(qu->index, &l->told));
	l->may = told_may(&l->told, l->limit, now);
}

static void sweep(void *arg);

static void
store(struct queue *qu, const struct limited *l)
{
	if (l->limit->n == 0)
		return;
	queue_index_ok(qu, index_put_told(qu->index, &l->told));
	queue_changed(qu);
	if (!qu->told_timer.set)
		timer_set(qu->p.loop, &qu->told_timer, SWEEP_MSEC, sweep, qu);
}

int64_t
bounce_rate_take(struct queue *qu, const struct msg *m)
{
	struct limited limits[] = {
		{ .limit = &qu->p.conf->bounce_rate },
		{ .limit = &qu->p.conf->bounce_address_rate },
	};
	int64_t now = now_usec() / 1000, when = 0, next;
	struct limited *l;

	recall(qu, &limits[0], "", now);
	recall(qu, &limits[1], m->sender, now);
	for (l = limits; l < limits + 2; l++) {
		if (limits[0].may && limits[1].may) {
			told_add(&l->told, l->limit, now);
		} else if (l->may) {
			continue;
		} else {
			next = told_put_off(&l->told, l->limit, now);
			if (next > when)
				when = next;
		}
		store(qu, l);
	}
	return when == 0 ? 0 : when / 1000 + 1;
}

/* ---- rows that say nothing any more ---- */

static void
sweep(void *arg)
{
	struct queue *qu = arg;
	int64_t now = now_usec() / 1000;
	bool began = !qu->told_sweep.begun;
	int i;

	if (qu->stopping)
		return;
	for (i = 0; i < SWEEP_STEP; i++) {
		if (!queue_index_ok(qu,
			index_sweep_told(qu->index, &qu->told_sweep, now)))
			break;
	}
	/* One that is left can wait for the next. */
	if (i == 0 && began)
		return;
	queue_changed(qu);
	timer_set(qu->p.loop, &qu->told_timer, i < SWEEP_STEP ? SWEEP_MSEC : 0,
	    sweep, qu);
}

void
bounce_rate_start(struct queue *qu)
{
	struct limited all = { .limit = &qu->p.conf->bounce_rate };

	/* Of one address nothing is assumed: an index that is made anew would
	 * keep every one of them waiting. */
	if (qu->forgot) {
		told_assume(&all.told, all.limit, now_usec() / 1000);
		store(qu, &all);
	}
	timer_set(qu->p.loop, &qu->told_timer, SWEEP_MSEC, sweep, qu);
}
