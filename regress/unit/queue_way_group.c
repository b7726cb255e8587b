/*
 * Routes that share something: groups with limits in common, the places of a
 * deliver process, memory; and a route whose replies want less of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_image.h"
#include "pace.h"
#include "unit.h"
#include "way.h"

#define JOBS 40000

static struct way_job jobs[JOBS];
static int n_jobs;
static const bool all[WAY_TRUSTS] = { true, true, true };

static uint32_t
no_random(void)
{
	return 0;
}

/* Rows of `limit mx`: 0, three at once; 1, two messages in 10 s; 2, as many
 * as may be. */
enum { THREE, SLOW, FREE, ROWS };

static struct conf *
make_conf(void)
{
	static const struct conf_step steps[] = { { 100, 1 } };
	struct conf *c = image_new();
	struct conf_retry rule = { .max = 1000 };
	struct conf_limit l[ROWS] = { { .concurrency = 3 },
		{ .rate = 2, .per = 10 }, { .messages = 1 } };
	struct conf_entry name = { .key = image_text(c, "*.mx.test") };
	int i;

	c->route_concurrency = 20;
	for (i = 0; i < ROWS; i++)
		image_rows(c, &l[i].mx, &name, 1, sizeof name);
	image_rows(c, &rule.step, steps, 1, sizeof steps[0]);
	image_rows(c, &c->retry, &rule, 1, sizeof rule);
	image_rows(c, &c->limit, l, ROWS, sizeof l[0]);
	return c;
}

static void
start(struct ways *ws)
{
	ways_init(ws, make_conf(), no_random);
	n_jobs = 0;
}

static void
stop(struct ways *ws)
{
	const struct conf *c = ws->conf;

	ways_free(ws);
	free((void *)c);
}

static struct way *
member(struct ways *ws, const char *route, uint32_t row)
{
	struct way *w = way_get(ws, route);

	way_join(ws, w, way_group(ws, row));
	return w;
}

static void
add(struct ways *ws, struct way *w, int n, uint32_t rcpts)
{
	while (n-- > 0) {
		jobs[n_jobs].rcpts = rcpts;
		way_add(ws, w, &jobs[n_jobs++]);
	}
}

static struct way_job *
take(struct ways *ws, int64_t now_msec)
{
	struct way *w = way_turn(ws, &ws->side[WAY_OUT], all);
	struct way_marks marks;

	return w == NULL ? NULL : way_take(ws, w, now_msec, &marks);
}

/* The ways of the next n jobs as letters: the last of their route. */
static const char *
turns(struct ways *ws, int n, int64_t now_msec)
{
	static char out[64];
	struct way_job *job;
	int i;

	for (i = 0; i < n && (job = take(ws, now_msec)) != NULL; i++)
		out[i] = job->way->route[strlen(job->way->route) - 1];
	out[i] = '\0';
	return out;
}

static enum way_change
end(struct ways *ws, struct way *w, enum verdict v, enum width width,
    enum cause cause, int64_t now)
{
	struct outcome o;

	outcome_set(&o, v, width, 450, NULL, "said");
	o.local = 0;
	o.cause = (uint8_t)cause;
	return way_ended(ws, w, &o, now);
}

static enum way_change
done(struct ways *ws, struct way *w)
{
	return end(ws, w, DONE, WIDTH_STREAM, CAUSE_NONE, 0);
}

/* ---- groups ---- */

static void
check_group(void)
{
	struct way *a, *b, *c, *x;
	struct ways ws;
	bool none[WAY_TRUSTS] = { false };

	start(&ws);
	a = member(&ws, "mx:a", THREE);
	b = member(&ws, "mx:b", THREE);
	c = member(&ws, "mx:c", THREE);
	x = way_get(&ws, "mx:x");
	add(&ws, a, 20, 1);
	add(&ws, b, 20, 1);
	add(&ws, x, 3, 1);
	CHECK("as many as the group may, others beside it",
	    strcmp(turns(&ws, 20, 0), "abxaxx") == 0);
	CHECK("counted", a->group->running == 3 && a->running == 2);
	CHECK("a full group has nobody in the round",
	    a->group->n_turns == 0 &&
		way_turn(&ws, &ws.side[WAY_OUT], all) == NULL);
	add(&ws, c, 5, 1);
	CHECK("who comes to a full one waits", take(&ws, 0) == NULL);
	done(&ws, a);
	CHECK("a free place goes to who waits longest",
	    strcmp(turns(&ws, 9, 0), "b") == 0);
	done(&ws, b);
	done(&ws, b);
	CHECK("each in turn", strcmp(turns(&ws, 9, 0), "ac") == 0);
	done(&ws, a);
	done(&ws, a);
	done(&ws, c);
	CHECK("none is passed over", strcmp(turns(&ws, 9, 0), "bac") == 0);
	CHECK("nobody may: nobody does",
	    way_turn(&ws, &ws.side[WAY_OUT], none) == NULL);
	way_undo(&ws, a);
	CHECK("what came to nothing frees a place",
	    strcmp(turns(&ws, 9, 0), "b") == 0);
	stop(&ws);
}

/* A hundred routes, for two thousand places: each has its share. */
static void
check_fair(void)
{
	struct way *w[100], *turn;
	struct way_job *job;
	struct ways ws;
	char route[32];
	int i, low = JOBS, high = 0, had[100] = { 0 };

	start(&ws);
	for (i = 0; i < 100; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		w[i] = member(&ws, route, THREE);
		/* One has much more. */
		add(&ws, w[i], i == 0 ? 200 : 40, 1);
	}
	for (i = 0; i < 2000; i++) {
		job = take(&ws, 0);
		if (job == NULL) {
			CHECK("somebody may run", 0);
			break;
		}
		turn = job->way;
		had[atoi(turn->route + 3)]++;
		if (turn->group->running == 3)
			done(&ws, turn);
	}
	for (i = 0; i < 100; i++) {
		low = had[i] < low ? had[i] : low;
		high = had[i] > high ? had[i] : high;
	}
	CHECK("all have as many turns", low >= 19 && high <= 21);
	stop(&ws);
}

static void
check_group_rate(void)
{
	struct way *a, *b;
	struct way_group *g;
	struct ways ws;

	start(&ws);
	a = member(&ws, "mx:a", SLOW);
	b = member(&ws, "mx:b", SLOW);
	g = a->group;
	CHECK("no more than may go comes in", way_hunger(a) == 2);
	add(&ws, a, 1, 1);
	CHECK("what one has, another has not", way_hunger(b) == 1);
	add(&ws, b, 5, 1);
	CHECK("two of all", strcmp(turns(&ws, 9, 100000), "ab") == 0);
	CHECK("spent",
	    g->rate->tokens == 0 && !way_open(a) && !way_open(b) &&
		way_hunger(a) == 0);
	CHECK("the rate of each route is none", a->rate == NULL);
	done(&ws, a);
	done(&ws, b);
	CHECK("ends change nothing", take(&ws, 105000) == NULL);
	b->parked = true;
	way_remove(&ws, TAILQ_FIRST(&b->jobs));
	while (b->waiting > 0)
		way_remove(&ws, TAILQ_FIRST(&b->jobs));
	CHECK("it waits for the group", b->pent == &g->room);
	CHECK("and is not fed now", way_feed(&ws) == NULL);
	way_group_tick(&ws, g, 110000);
	CHECK("two more at their time", g->rate->tokens == 2);
	CHECK("fed then", way_feed(&ws) == b && way_hunger(b) == 2);
	way_asks(&ws, b);
	way_asks(&ws, b);
	CHECK("those on their way are counted", way_hunger(a) == 0);
	way_unasks(&ws, b);
	CHECK("until they are there", way_hunger(a) == 1);
	way_unasks(&ws, b);
	CHECK("a name for the index", strcmp(g->name, "limit:*.mx.test") == 0);
	stop(&ws);
}

static void
check_join(void)
{
	struct way *a, *b;
	struct ways ws;

	start(&ws);
	a = way_get(&ws, "mx:a");
	b = member(&ws, "mx:b", THREE);
	add(&ws, a, 20, 2);
	add(&ws, b, 20, 2);
	turns(&ws, 4, 0);
	CHECK("two run outside", a->running == 2 && b->running == 2);
	way_asked(&ws, a, true);
	while (take(&ws, 0) != NULL)
		;
	CHECK("while it is asked for nothing of it begins, nor of a group",
	    a->running == 2 && b->running == 2);
	way_join(&ws, a, way_group(&ws, THREE));
	way_asked(&ws, a, false);
	CHECK("it brings what runs with it", a->group->running == 4);
	CHECK("and what waits",
	    a->group->room.rcpts == 2 * (18 + 18) && a->group->room.jobs == 36);
	CHECK("more than may is waited for", take(&ws, 0) == NULL);
	done(&ws, a);
	CHECK("as it is full", take(&ws, 0) == NULL);
	done(&ws, b);
	CHECK("then it goes on", take(&ws, 0) != NULL);
	way_join(&ws, a, NULL);
	CHECK("out of it again",
	    b->group->running == b->running && a->group == NULL &&
		way_turn(&ws, &ws.side[WAY_OUT], all) != NULL);
	stop(&ws);
}

static void
check_home(void)
{
	struct way *a, *b, *x;
	struct ways ws;

	start(&ws);
	a = member(&ws, "mx:a", THREE);
	b = member(&ws, "mx:b", THREE);
	x = member(&ws, "mx:x", FREE);
	CHECK("anybody may", way_home(a, 0) == CONF_NONE);
	add(&ws, a, 5, 1);
	add(&ws, b, 5, 1);
	add(&ws, x, 5, 1);
	take(&ws, 0);
	way_at(a, 7, 1000);
	CHECK("one has all of the group", way_home(b, 1000) == 7);
	CHECK("where nobody counts, anybody may",
	    way_home(x, 1000) == CONF_NONE);
	CHECK("while it runs", way_home(b, 1000000) == 7);
	done(&ws, a);
	way_at(a, 7, 2000);
	CHECK("and while a connection may be idle",
	    way_home(b, 2000 + WAY_HOME_MSEC - 1) == 7 &&
		way_home(b, 2000 + WAY_HOME_MSEC) == CONF_NONE);
	CHECK("whose turn", way_turn(&ws, &ws.side[WAY_OUT], all) == b);
	way_aside(&ws, b, 7);
	CHECK("aside it is not in the way",
	    way_turn(&ws, &ws.side[WAY_OUT], all) == x);
	way_back(&ws, 6, 9);
	CHECK("another process does not bring it back",
	    b->stands == WAY_ASIDE && TAILQ_FIRST(&ws.aside[7]) == b);
	way_back(&ws, 7, 1);
	CHECK("its own does",
	    b->stands == WAY_IN_ROUND && TAILQ_EMPTY(&ws.aside[7]));
	stop(&ws);
}

/* ---- places of a process ---- */

/* Columns: name, places, held by doubted, unknown, proven; who waits beside
 * (P, U); whether one doubted, unknown, proven may have one more. */
static const struct {
	const char *name;
	uint32_t all, held[WAY_TRUSTS];
	const char *wait;
	const char *may;
} shares[] = {
	{ "an empty process", 100, { 0, 0, 0 }, "PU", "dup" },
	{ "a quarter for those that failed", 100, { 25, 0, 0 }, "PU", "-up" },
	{ "also beside unknown ones alone", 100, { 25, 0, 0 }, "U", "-up" },
	{ "more, if nobody else is there", 100, { 25, 0, 0 }, "", "dup" },
	{ "half for those that have not proved it", 100, { 20, 30, 0 }, "P",
	    "--p" },
	{ "less than half", 100, { 20, 29, 0 }, "P", "dup" },
	{ "more than half, where none that works waits", 100, { 20, 30, 0 },
	    "U", "dup" },
	{ "never the last quarter", 100, { 25, 50, 0 }, "", "--p" },
	{ "never, of failed ones", 100, { 75, 0, 0 }, "", "--p" },
	{ "what works takes nothing away", 100, { 0, 10, 90 }, "", "dup" },
	{ "those that work may have all", 100, { 0, 0, 100 }, "PU", "dup" },
	{ "more places are lent", 200, { 20, 30, 100 }, "P", "dup" },
	{ "one place is for anybody", 1, { 0, 0, 0 }, "PU", "dup" },
	{ "until somebody has it", 1, { 0, 1, 0 }, "", "--p" },
	{ "of three too", 3, { 1, 0, 0 }, "", "dup" },
	{ "no places", 0, { 0, 0, 0 }, "", "dup" },
};

static void
check_share(void)
{
	struct way_places p;
	struct ways ws;
	struct way *w;
	size_t i;
	bool good;
	int t;

	for (i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		start(&ws);
		if (strchr(shares[i].wait, 'U') != NULL)
			add(&ws, way_get(&ws, "mx:u"), 1, 1);
		if (strchr(shares[i].wait, 'P') != NULL) {
			w = way_get(&ws, "mx:p");
			add(&ws, w, 2, 1);
			take(&ws, 0);
			if (w->running == 0)
				take(&ws, 0);
			done(&ws, w);
		}
		p = (struct way_places){ .all = shares[i].all };
		memcpy(p.held, shares[i].held, sizeof p.held);
		good = true;
		for (t = 0; t < WAY_TRUSTS; t++)
			good = good &&
			    way_share(&ws.side[WAY_OUT], &p, t) ==
				(shares[i].may[t] != '-');
		/* The unknown one may have been taken instead. */
		CHECK(shares[i].name, good);
		stop(&ws);
	}
}

static void
check_trust(void)
{
	struct way *a, *b;
	struct ways ws;
	bool proven[WAY_TRUSTS] = { [WAY_PROVEN] = true };

	start(&ws);
	a = way_get(&ws, "mx:a");
	b = way_get(&ws, "mx:b");
	add(&ws, a, 9, 1);
	add(&ws, b, 9, 1);
	CHECK("nothing is known", way_trust(a) == WAY_UNKNOWN);
	CHECK("none that works",
	    way_turn(&ws, &ws.side[WAY_OUT], proven) == NULL);
	turns(&ws, 2, 0);
	end(&ws, b, NEVER, WIDTH_SITE, CAUSE_POLICY, 0);
	CHECK("who answers works", way_trust(b) == WAY_PROVEN);
	CHECK("and has its turn before others may",
	    way_turn(&ws, &ws.side[WAY_OUT], proven) == b);
	CHECK("but not before its turn",
	    way_turn(&ws, &ws.side[WAY_OUT], all) == a);
	end(&ws, a, LATER, WIDTH_SITE, CAUSE_NETWORK, 0);
	CHECK("who fails is doubted", way_trust(a) == WAY_DOUBTED);
	way_wake(&ws, a, a->next);
	CHECK("on probe too", way_trust(a) == WAY_DOUBTED);
	stop(&ws);
}

/* ---- memory ---- */

static void
check_crowd(void)
{
	struct way *a, *b, *good;
	struct ways ws;
	char route[32];
	uint32_t n = 0;
	int i;

	start(&ws);
	good = way_get(&ws, "mx:good");
	add(&ws, good, 1, 1);
	way_landed(&ws, take(&ws, 0));
	done(&ws, good);
	good->parked = true; /* so that it is not forgotten */
	way_touch(&ws, good);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 20, 100);
	CHECK("recipients are bounded, not jobs alone",
	    !way_open(a) && way_hunger(a) == 0 && a->waiting < WAY_WAITING);
	for (i = 0; i < 2000; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		b = way_get(&ws, route);
		for (; way_open(b) && n < JOBS; n++)
			add(&ws, b, 1, 1);
	}
	CHECK("many unknown ones have so much together",
	    ws.side[WAY_OUT].unproven.rcpts >= WAYS_UNPROVEN_RCPTS &&
		ws.side[WAY_OUT].unproven.rcpts < WAYS_UNPROVEN_RCPTS + 10);
	CHECK("each of them little, from the half on",
	    way_find(&ws, "mx:30")->waiting <= WAY_CROWDED);
	CHECK("one that works is not kept from it",
	    way_open(good) && way_hunger(good) == WAY_WAITING);
	b = way_get(&ws, "mx:late");
	CHECK("one that comes late waits in the index", !way_open(b));
	b->parked = true;
	way_touch(&ws, b);
	CHECK("for room",
	    b->pent == &ws.side[WAY_OUT].unproven && way_feed(&ws) == NULL);
	/* What runs counts too. */
	for (i = 0; i < 50; i++)
		take(&ws, 0);
	CHECK("of what runs too", !way_open(b) && way_feed(&ws) == NULL);
	for (i = 0; i < 2000; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		a = way_find(&ws, route);
		while (a != NULL && a->waiting > 0)
			way_remove(&ws, TAILQ_FIRST(&a->jobs));
	}
	CHECK("room: it is fed", way_feed(&ws) == b && way_hunger(b) > 0);
	CHECK("once", way_feed(&ws) == NULL);
	stop(&ws);
}

static void
check_counts(void)
{
	struct way_job *job;
	struct way *a;
	struct ways ws;

	start(&ws);
	a = member(&ws, "mx:a", FREE);
	add(&ws, a, 2, 10);
	way_less(&ws, &jobs[0]);
	CHECK("one recipient less",
	    a->rcpts == 19 && ws.side[WAY_OUT].unproven.rcpts == 19 &&
		a->group->room.rcpts == 19);
	job = take(&ws, 0);
	CHECK("they run",
	    a->rcpts == 10 && ws.side[WAY_OUT].unproven.running == 9 &&
		ws.side[WAY_OUT].unproven.rcpts == 10);
	done(&ws, a);
	CHECK("with what is known they change rooms",
	    ws.side[WAY_OUT].proven.rcpts == 10 &&
		ws.side[WAY_OUT].unproven.rcpts == 0);
	way_landed(&ws, job);
	way_landed(&ws, job);
	CHECK("those that ran are counted once",
	    ws.side[WAY_OUT].unproven.running == 0);
	way_remove(&ws, &jobs[1]);
	CHECK("nothing is left",
	    ws.side[WAY_OUT].proven.rcpts == 0 &&
		ws.side[WAY_OUT].proven.jobs == 0 &&
		a->group->room.rcpts == 0 && a->group->room.jobs == 0);
	stop(&ws);
}

static void
check_max_deferred(void)
{
	struct conf *c = make_conf();
	struct ways ws;
	struct way *a;

	c->mta_max_deferred = 7;
	ways_init(&ws, c, no_random);
	n_jobs = 0;
	a = way_get(&ws, "mx:a");
	CHECK("as configured", way_hunger(a) == 7);
	add(&ws, a, 7, 1);
	CHECK("no more", !way_open(a));
	stop(&ws);
}

/* ---- less of it ---- */

static void
check_pause(void)
{
	struct way *a;
	struct ways ws;
	struct outcome o;
	int i;

	start(&ws);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 100, 1);
	for (i = 0; i < 15; i++) {
		while (take(&ws, 0) != NULL)
			;
		done(&ws, a);
	}
	CHECK("it has grown", a->limit == 20);
	CHECK("421 for the rate: a pause by the steps",
	    end(&ws, a, LATER, WIDTH_STREAM, CAUSE_RATE, 1000) == WAY_SLOWED &&
		a->next == 1085 && a->state == WAY_PAUSED);
	CHECK("half as many", a->limit == 10);
	CHECK("those beside it are the same pause",
	    end(&ws, a, LATER, WIDTH_STREAM, CAUSE_RATE, 1001) == WAY_SAME &&
		a->pauses == 1 && a->limit == 10);
	CHECK("a success of before does not end it",
	    done(&ws, a) == WAY_SAME && a->state == WAY_PAUSED &&
		take(&ws, 0) == NULL && !way_open(a));
	CHECK("it still works", way_trust(a) == WAY_PROVEN);
	while (a->running > 0)
		way_undo(&ws, a);
	CHECK("not before its time", !way_wake(&ws, a, 1084));
	CHECK("then it goes on, without a probe",
	    way_wake(&ws, a, 1085) && a->state == WAY_UP);
	for (i = 0; i < 9; i++) {
		while (take(&ws, 0) != NULL)
			;
		done(&ws, a);
	}
	CHECK("and grows slowly", a->limit == 10);
	take(&ws, 0);
	done(&ws, a);
	CHECK("by one for as many as may run", a->limit == 11);
	CHECK("after which pauses begin anew", a->pauses == 0);
	outcome_set(&o, LATER, WIDTH_SITE, 421, NULL, "in 7 seconds");
	o.cause = CAUSE_RATE;
	o.after = 7;
	way_ended(&ws, a, &o, 2000);
	CHECK("as long as it asks for", a->next == 2008);
	way_forgive(&ws, a);
	CHECK("the operator may end it", a->state == WAY_PROBE);
	stop(&ws);
}

static void
check_tire(void)
{
	struct way *a;
	struct ways ws;
	enum way_change change = WAY_SAME;
	int i;

	start(&ws);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 100, 1);
	take(&ws, 0);
	CHECK("one that is put off stops nobody",
	    end(&ws, a, LATER, WIDTH_RCPT, CAUSE_RATE, 0) == WAY_SAME &&
		a->limit == WAY_START && way_open(a));
	for (i = 2; i < PACE_TIRED; i++) {
		take(&ws, 0);
		end(&ws, a, LATER, WIDTH_RCPT, CAUSE_RATE, 0);
	}
	take(&ws, 0);
	done(&ws, a);
	for (i = 0; i < PACE_TIRED && change == WAY_SAME; i++) {
		take(&ws, 0);
		change = end(&ws, a, LATER, WIDTH_RCPT, CAUSE_RATE, 0);
	}
	CHECK("many in a row with nothing taken do",
	    change == WAY_SLOWED && i == PACE_TIRED);
	stop(&ws);
}

/* A server that goes away within a message. */
static void
check_gone_within(void)
{
	struct outcome o;
	struct way *a;
	struct ways ws;

	start(&ws);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 2, 1);
	take(&ws, 0);
	done(&ws, a);
	CHECK("who answers is known to work", way_trust(a) == WAY_PROVEN);
	take(&ws, 0);
	outcome_set(&o, LATER, WIDTH_MESSAGE, 0, "4.4.2", "closed");
	o.cause = CAUSE_NETWORK;
	CHECK("who goes away may have more",
	    way_ended(&ws, a, &o, 0) == WAY_SAME && way_open(a));
	CHECK("but not before those that are known to work",
	    way_trust(a) == WAY_UNKNOWN);
	stop(&ws);
}

/* What does not fill its places shows nothing. */
static void
check_idle_growth(void)
{
	struct way *a;
	struct ways ws;
	int i;

	start(&ws);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 100, 1);
	for (i = 0; i < 50; i++) {
		take(&ws, 0);
		done(&ws, a);
	}
	CHECK("one at a time does not let it grow", a->limit == WAY_START);
	stop(&ws);
}

static void
check_restored_pause(void)
{
	struct index_way row = { .paused = 1, .next = 500 };
	struct way *a;
	struct ways ws;

	start(&ws);
	a = way_get(&ws, "mx:a");
	outcome_set(&row.last, LATER, WIDTH_SITE, 421, NULL, "slow");
	way_restore(&ws, a, &row);
	CHECK("a pause outlives a restart",
	    a->state == WAY_PAUSED && !way_open(a));
	CHECK("to its end", way_wake(&ws, a, 500) && a->state == WAY_UP);
	stop(&ws);
}

int
main(void)
{
	check_group();
	check_fair();
	check_group_rate();
	check_join();
	check_home();
	check_share();
	check_trust();
	check_crowd();
	check_counts();
	check_max_deferred();
	check_pause();
	check_tire();
	check_gone_within();
	check_idle_growth();
	check_restored_pause();
	return unit_end();
}
