/*
 * The generations that are no longer at work, or never were: their processes
 * finish what is open and end; who serves them ends last.  Runs in the
 * parent.
 *
 * SPDX-License-Identifier: ISC
 */

#include "log.h"
#include "parent.h"

/* Who may have something to finish; the others of a generation serve these.
 * spawn does both. */
static bool
may_finish(const struct child *ch)
{
	return ch->kind == PROC_SESSION || ch->kind == PROC_DELIVER ||
	    ch->kind == PROC_CONTROL || ch->kind == PROC_SPAWN;
}

/* Who has. */
static bool
finishes(const struct child *ch)
{
	return may_finish(ch) &&
	    (ch->kind != PROC_SPAWN || ch->state == CHILD_DRAINING);
}

struct tally {
	const struct generation *gen;
	unsigned int all, finish;
};

static void
add_to_tally(struct child *ch, void *arg)
{
	struct tally *t = arg;

	if (ch->gen != t->gen)
		return;
	t->all++;
	t->finish += finishes(ch);
}

static struct tally
tally(struct parent *p, const struct generation *g)
{
	struct tally t = { .gen = g };

	child_each(p, add_to_tally, &t);
	return t;
}

bool
drain_needs(struct parent *p, const struct child *ch)
{
	if (ch->gen == p->now)
		return true;
	return !ch->gen->dismissed &&
	    (ch->kind == PROC_SPAWN || !may_finish(ch)) &&
	    tally(p, ch->gen).finish > 0;
}

static void
stop_child(struct child *ch, void *arg)
{
	if (ch->gen == arg)
		child_stop(ch);
}

static void
stop_finisher(struct child *ch, void *arg)
{
	if (ch->gen == arg && may_finish(ch))
		child_stop(ch);
}

static void
drain_child(struct child *ch, void *arg)
{
	if (ch->gen == arg && may_finish(ch))
		child_drain(ch);
}

void
drain_look(struct parent *p, struct generation *g)
{
	if (g != p->now && g != p->next) {
		if (tally(p, g).finish == 0)
			child_each(p, stop_child, g);
		if (tally(p, g).all == 0) {
			if (!g->dismissed)
				log_event(0, "generation-ended",
				    "generation=%u", g->number);
			generation_free(p, &g);
		}
	}
	reload_drained(p);
	reload_again(p);
}

void
drain_begin(struct parent *p, struct generation *g)
{
	generation_close_listeners(g);
	child_each(p, drain_child, g);
	drain_look(p, g);
}

void
drain_dismiss(struct parent *p, struct generation *g)
{
	g->dismissed = true;
	generation_close_listeners(g);
	child_each(p, stop_child, g);
	drain_look(p, g);
}

void
drain_told(struct child *ch, uint32_t left)
{
	struct parent *p = ch->parent;

	if (ch->state != CHILD_DRAINING)
		return;
	ch->told = true;
	ch->left = left;
	if (left == 0 && ch->kind == PROC_SPAWN) {
		/* From now on it serves. */
		ch->state = CHILD_READY;
		drain_look(p, ch->gen);
		return;
	}
	if (left == 0)
		child_stop(ch);
	reload_drained(p);
}

static void
count_untold(struct child *ch, void *arg)
{
	unsigned int *n = arg;

	*n += ch->kind == PROC_SESSION && ch->state == CHILD_DRAINING &&
	    !ch->told;
}

bool
drain_all_told(struct parent *p)
{
	unsigned int n = 0;

	child_each(p, count_untold, &n);
	return n == 0;
}

/* ---- bounds ---- */

/* The oldest of those that are not at work, NULL if one is going already;
 * n: how many there are. */
static struct generation *
oldest(struct parent *p, unsigned int *n)
{
	struct generation *g, *found = NULL;
	bool going = false;

	*n = 0;
	TAILQ_FOREACH(g, &p->all, entry) {
		if (g == p->now || g == p->next)
			continue;
		(*n)++;
		going = going || g->stopping || g->dismissed;
		if (found == NULL)
			found = g;
	}
	return going ? NULL : found;
}

static bool
slots_short(const struct parent *p)
{
	unsigned int k;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		if (k != PROC_QUEUE && child_room(p, k) < p->count[k])
			return true;
	}
	return false;
}

bool
drain_room(struct parent *p)
{
	unsigned int n;
	struct generation *g = oldest(p, &n);

	if (n < GENERATION_MAX && !slots_short(p))
		return true;
	if (g != NULL) {
		g->stopping = true;
		log_event(0, "drain-over", "generation=%u", g->number);
		child_each(p, stop_finisher, g);
	}
	return n == 0;
}

static void
count_busy(struct child *ch, void *arg)
{
	unsigned int *n = arg;

	*n += (ch->kind == PROC_SESSION || ch->kind == PROC_DELIVER) &&
	    ch->state == CHILD_DRAINING && ch->left > 0;
}

unsigned int
drain_count(struct parent *p)
{
	unsigned int n = 0;

	child_each(p, count_busy, &n);
	return n;
}
