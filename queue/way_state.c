/*
 * Concurrency and failures of routes, in the queue process: what pace.h says
 * they do.  Does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"
#include "pace.h"

static void
keep_last(struct way *w, const struct outcome *last)
{
	if (w->last == NULL)
		w->last = xcalloc(1, sizeof *w->last);
	*w->last = *last;
}

static void
forget_last(struct way *w)
{
	free(w->last);
	w->last = NULL;
}

static void
halve(struct way *w)
{
	w->limit = w->limit > 1 ? w->limit / 2 : 1;
	w->grown = 0;
}

/* From half of what was too much on it grows slowly. */
static void
shrink(struct way *w)
{
	halve(w);
	w->steady = w->limit;
}

/*
 * One more for each success, up to what once was too much; from there on one
 * more when as many jobs as may run at once have succeeded.  Jobs that never
 * were as many show nothing.
 */
static void
grow(struct way *w, uint32_t ran)
{
	if (w->limit >= w->max || ran <= w->limit / 2)
		return;
	if (w->limit >= w->steady && ++w->grown < w->limit)
		return;
	w->grown = 0;
	if (w->limit >= w->steady)
		w->pauses = 0;
	w->limit++;
}

/* What it asks for, else what the steps say after so many failures. */
static int64_t
wait_of(const struct ways *ws, const struct way *w, const struct outcome *o,
    uint32_t failures)
{
	uint32_t step = backoff_seconds(&w->backoff, failures, ws->random());

	return pace_seconds(o, step, failures, ws->random());
}

static enum way_change
fall(struct ways *ws, struct way *w, const struct outcome *o, int64_t now)
{
	/* Those that ran beside the one that failed are the same failure. */
	if (w->state == WAY_DOWN)
		return WAY_SAME;
	w->failures++;
	if (w->since == 0)
		w->since = now;
	w->next = now + wait_of(ws, w, o, w->failures);
	w->state = WAY_DOWN;
	w->proven = false;
	w->tired = 0;
	halve(w);
	keep_last(w, o);
	return WAY_FELL;
}

static enum way_change
pause_way(struct ways *ws, struct way *w, const struct outcome *o, int64_t now)
{
	if (w->state == WAY_DOWN || w->state == WAY_PAUSED)
		return WAY_SAME;
	w->pauses++;
	w->next = now + wait_of(ws, w, o, w->pauses);
	w->state = WAY_PAUSED;
	w->tired = 0;
	shrink(w);
	keep_last(w, o);
	return WAY_SLOWED;
}

/* It spoke to us: also who refuses for good is there.  A pause goes on. */
static enum way_change
rise(struct way *w)
{
	bool rose = w->state == WAY_DOWN || w->state == WAY_PROBE;

	w->proven = true;
	w->failures = 0;
	w->since = 0;
	if (w->state == WAY_PAUSED)
		return WAY_SAME;
	w->state = WAY_UP;
	w->next = 0;
	forget_last(w);
	return rose ? WAY_ROSE : WAY_SAME;
}

static enum way_change
tire(struct ways *ws, struct way *w, const struct outcome *o, int64_t now)
{
	enum way_change change = o->code != 0 ? rise(w) : WAY_SAME;

	/* Where nobody spoke it is not known any more whether it works. */
	if (o->code == 0)
		w->proven = false;
	if (++w->tired < PACE_TIRED)
		return change;
	return pause_way(ws, w, o, now);
}

static enum way_change
answered(struct way *w, const struct outcome *o, uint32_t ran)
{
	bool was_up = w->state == WAY_UP;
	enum way_change change = rise(w);

	w->tired = 0;
	if (was_up && o->verdict == DONE)
		grow(w, ran);
	return change;
}

enum way_change
way_ended(struct ways *ws, struct way *w, const struct outcome *o, int64_t now)
{
	enum way_change change = WAY_SAME;
	uint32_t ran = w->running;

	assert(w->running > 0);
	w->running--;
	if (w->group != NULL)
		w->group->running--;
	if (o->verdict != LATER)
		change = answered(w, o, ran);
	else {
		switch (pace_of(o).route) {
		case PACE_KEEP:
			break;
		case PACE_TIRE:
			change = tire(ws, w, o, now);
			break;
		case PACE_SHRINK:
			shrink(w);
			break;
		case PACE_PAUSE:
			change = pause_way(ws, w, o, now);
			break;
		case PACE_DOWN:
			change = fall(ws, w, o, now);
			break;
		}
	}
	way_place(ws, w);
	return change;
}

bool
way_wake(struct ways *ws, struct way *w, int64_t now)
{
	if ((w->state != WAY_DOWN && w->state != WAY_PAUSED) || w->next > now)
		return false;
	if (w->state == WAY_DOWN)
		w->state = WAY_PROBE;
	else {
		w->state = WAY_UP;
		w->next = 0;
		forget_last(w);
	}
	way_place(ws, w);
	return true;
}

void
way_forgive(struct ways *ws, struct way *w)
{
	if (w->state == WAY_UP)
		return;
	w->state = WAY_PROBE;
	w->failures = 0;
	w->pauses = 0;
	w->next = 0;
	way_place(ws, w);
}

void
way_restore(struct ways *ws, struct way *w, const struct index_way *row)
{
	w->state = row->paused != 0 ? WAY_PAUSED : WAY_DOWN;
	w->failures = row->failures;
	w->next = row->next;
	w->since = row->since;
	w->limit = 1;
	keep_last(w, &row->last);
	way_place(ws, w);
}

void
way_hold(struct ways *ws, struct way *w, bool held)
{
	w->held = held;
	way_place(ws, w);
}
