/*
 * Routes: fair turns, concurrency that grows and shrinks, down, probe and
 * wake, groups, shares of what all have, by a clock that the test turns.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_image.h"
#include "unit.h"
#include "way.h"

#define JOBS 1000

static struct way_job jobs[JOBS];
static int n_jobs;

/* In the middle of the jitter, so that waits are what the steps say. */
static uint32_t
no_random(void)
{
	return 0;
}

/* 100 and 200 s; 10 and 40 s where the name ends in "quick.test". */
static struct conf *
make_conf(uint32_t concurrency)
{
	static const struct conf_step steps[] = { { 100, 1 }, { 200, 1 } };
	static const struct conf_step quick[] = { { 10, 1 }, { 40, 1 } };
	struct conf *c = image_new();
	struct conf_retry rules[2] = { { .max = 1000 }, { .max = 1000 } };
	struct conf_entry name = { .key = image_text(c, "*.quick.test") };

	c->route_concurrency = concurrency;
	image_rows(c, &rules[0].step, steps, 2, sizeof steps[0]);
	image_rows(c, &rules[1].step, quick, 2, sizeof quick[0]);
	image_rows(c, &rules[1].domain, &name, 1, sizeof name);
	image_rows(c, &c->retry, rules, 2, sizeof rules[0]);
	return c;
}

/* The same, and limits: three at once at one.test, two messages in 10 s at
 * slow.test. */
static struct conf *
make_limits(void)
{
	struct conf *c = make_conf(20);
	struct conf_limit l[2] = { { .concurrency = 3 },
		{ .rate = 2, .per = 10 } };
	struct conf_entry one = { .key = image_text(c, "one.test") };
	struct conf_entry slow = { .key = image_text(c, "*.slow.test") };

	image_rows(c, &l[0].domain, &one, 1, sizeof one);
	image_rows(c, &l[1].domain, &slow, 1, sizeof slow);
	image_rows(c, &c->limit, l, 2, sizeof l[0]);
	return c;
}

static void
start(struct ways *ws, uint32_t concurrency)
{
	ways_init(ws, make_conf(concurrency), no_random);
	n_jobs = 0;
}

static void
stop(struct ways *ws)
{
	ways_free(ws);
	free((void *)ws->conf);
}

static const bool all[WAY_TRUSTS] = { true, true, true };

static struct way_job *
take_at(struct ways *ws, int64_t now_msec, bool *marked)
{
	struct way_marks marks = { 0 };
	struct way *w = way_turn(ws, &ws->side[WAY_OUT], all);
	struct way_job *job =
	    w == NULL ? NULL : way_take(ws, w, now_msec, &marks);

	*marked = marks.way;
	return job;
}

static struct way_job *
take(struct ways *ws)
{
	bool marked;

	return take_at(ws, 0, &marked);
}

static void
add(struct ways *ws, struct way *w, int n)
{
	while (n-- > 0) {
		jobs[n_jobs].rcpts = 1;
		way_add(ws, w, &jobs[n_jobs++]);
	}
}

/* The ways of the next n jobs as letters: the last of their route. */
static const char *
turns(struct ways *ws, int n)
{
	static char out[64];
	struct way_job *job;
	int i;

	for (i = 0; i < n && (job = take(ws)) != NULL; i++)
		out[i] = job->way->route[strlen(job->way->route) - 1];
	out[i] = '\0';
	return out;
}

static struct outcome
site(enum verdict v, enum width width)
{
	struct outcome o;

	outcome_set(&o, v, width, 0, NULL, "site");
	return o;
}

static enum way_change
end(struct ways *ws, struct way *w, enum verdict v, enum width width,
    int64_t now)
{
	struct outcome o = site(v, width);

	return way_ended(ws, w, &o, now);
}

/* How many jobs it runs at once. */
static uint32_t
runs(struct ways *ws, struct way *w)
{
	while (take(ws) != NULL)
		;
	return w->running;
}

static void
check_turns(void)
{
	struct ways ws;
	struct way *a, *b, *c;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	b = way_get(&ws, "mx:b");
	c = way_get(&ws, "mx:c");
	CHECK("found again", way_get(&ws, "mx:a") == a && a != b);
	CHECK("not made by looking", way_find(&ws, "mx:none") == NULL);
	add(&ws, a, 100);
	add(&ws, b, 2);
	add(&ws, c, 2);
	CHECK("a long list waits like a short one",
	    strcmp(turns(&ws, 6), "abcabc") == 0);
	CHECK("then it has what is left", strcmp(turns(&ws, 9), "aaa") == 0);
	CHECK("as many as may run", a->running == WAY_START);
	add(&ws, b, 1);
	CHECK("another one comes at once", strcmp(turns(&ws, 9), "b") == 0);
	way_undo(&ws, a);
	CHECK("what came to nothing frees a place",
	    strcmp(turns(&ws, 9), "a") == 0);
	stop(&ws);
}

static void
check_remove(void)
{
	struct ways ws;
	struct way *a;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 3);
	way_remove(&ws, &jobs[1]);
	CHECK("one less waits", a->waiting == 2);
	CHECK("first in order", take(&ws) == &jobs[0]);
	CHECK("without the one removed", take(&ws) == &jobs[2]);
	CHECK("none left", take(&ws) == NULL);
	stop(&ws);
}

static void
check_concurrency(void)
{
	struct ways ws;
	struct way *a;
	int i;

	start(&ws, 8);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 100);
	CHECK("starts low", runs(&ws, a) == WAY_START);
	CHECK("success changes nothing else",
	    end(&ws, a, DONE, WIDTH_SITE, 0) == WAY_SAME);
	CHECK("one more for each success", runs(&ws, a) == WAY_START + 1);
	for (i = 0; i < 10; i++) {
		end(&ws, a, DONE, WIDTH_SITE, 0);
		runs(&ws, a);
	}
	CHECK("never above the ceiling", a->running == 8);
	end(&ws, a, LATER, WIDTH_STREAM, 0);
	CHECK("a broken connection halves it", a->limit == 4);
	CHECK("but it stays up", a->state == WAY_UP);
	end(&ws, a, NEVER, WIDTH_SITE, 0);
	CHECK("who refuses for good does not let it grow", a->limit == 4);
	end(&ws, a, LATER, WIDTH_RCPT, 0);
	CHECK("nor does what is about a recipient", a->limit == 4);
	stop(&ws);
	start(&ws, 2);
	a = way_get(&ws, "mx:a");
	CHECK("configured lower than the start", a->limit == 2);
	stop(&ws);
	start(&ws, 0);
	CHECK("none configured is one", way_get(&ws, "mx:a")->limit == 1);
	stop(&ws);
}

static void
check_down(void)
{
	struct ways ws;
	struct way *a, *b;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	b = way_get(&ws, "mx:b");
	add(&ws, a, 20);
	add(&ws, b, 1);
	runs(&ws, a);
	CHECK("it falls", end(&ws, a, LATER, WIDTH_SITE, 1000) == WAY_FELL);
	CHECK("until the first step", a->next == 1085);
	CHECK("nobody may come in", !way_open(a) && way_hunger(a) == 0);
	CHECK("who ran beside it is the same failure",
	    end(&ws, a, LATER, WIDTH_SITE, 1001) == WAY_SAME &&
		a->failures == 1);
	CHECK("nothing of it runs", take(&ws) == NULL);
	CHECK("others are not touched", b->state == WAY_UP);
	while (a->running > 0)
		way_undo(&ws, a);
	CHECK("not before its time", !way_wake(&ws, a, 1084));
	CHECK("at its time", way_wake(&ws, a, 1085));
	CHECK("one tries", runs(&ws, a) == 1);
	CHECK("and no second", take(&ws) == NULL && way_hunger(a) == 0);
	CHECK("it fails again",
	    end(&ws, a, LATER, WIDTH_SITE, 1085) == WAY_FELL);
	CHECK("waits longer", a->next == 1085 + 170 && a->failures == 2);
	CHECK("since the first", a->since == 1000);
	CHECK("words are kept", strcmp(a->last->text, "site") == 0);
	way_wake(&ws, a, 1255);
	runs(&ws, a);
	CHECK("one success wakes it",
	    end(&ws, a, DONE, WIDTH_SITE, 1256) == WAY_ROSE);
	CHECK("nothing is left of the failures",
	    a->failures == 0 && a->next == 0 && a->last == NULL);
	CHECK("at a low pace", runs(&ws, a) == 1);
	end(&ws, a, DONE, WIDTH_SITE, 1257);
	CHECK("that grows", runs(&ws, a) == 2);
	stop(&ws);
}

static void
check_rise_while_down(void)
{
	struct ways ws;
	struct way *a;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 20);
	runs(&ws, a);
	end(&ws, a, LATER, WIDTH_SITE, 1000);
	CHECK("a success that was under way wakes it",
	    end(&ws, a, DONE, WIDTH_SITE, 1001) == WAY_ROSE);
	CHECK("with half the jobs", a->limit == WAY_START / 2);
	end(&ws, a, LATER, WIDTH_SITE, 1002);
	way_forgive(&ws, a);
	CHECK("forgiven: on probe, no failures",
	    a->state == WAY_PROBE && a->failures == 0);
	end(&ws, a, LATER, WIDTH_RCPT, 1003);
	CHECK("a recipient's trouble proves nothing", a->state == WAY_PROBE);
	end(&ws, a, NEVER, WIDTH_SITE, 1003);
	CHECK("a refusal proves that it is there", a->state == WAY_UP);
	stop(&ws);
}

static void
check_hold(void)
{
	struct ways ws;
	struct way *a;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	add(&ws, a, 2);
	way_hold(&ws, a, true);
	CHECK("held: nothing runs", take(&ws) == NULL);
	CHECK("held: nobody comes in", !way_open(a) && way_hunger(a) == 0);
	way_hold(&ws, a, false);
	CHECK("released: it runs", runs(&ws, a) == 2);
	stop(&ws);
}

static void
check_restore(void)
{
	struct ways ws;
	struct index_way row = { .failures = 3, .next = 5000, .since = 4000 };
	struct way *a;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	row.last = site(LATER, WIDTH_SITE);
	way_restore(&ws, a, &row);
	CHECK("restored: down", !way_open(a) && !way_wake(&ws, a, 4999));
	CHECK("restored: until its time", way_wake(&ws, a, 5000));
	way_running(&ws, a);
	add(&ws, a, 1);
	CHECK("one that a restart found running is the probe",
	    take(&ws) == NULL);
	stop(&ws);
}

static void
check_bounds(void)
{
	struct ways ws;
	struct way *a, *b;
	char route[32];
	int i;

	start(&ws, 20);
	a = way_get(&ws, "mx:a");
	CHECK("an empty list is hungry", way_hunger(a) == WAY_WAITING);
	add(&ws, a, WAY_WAITING / 2);
	CHECK("a half full one is not", way_hunger(a) == 0 && way_open(a));
	add(&ws, a, WAY_WAITING / 2);
	CHECK("a full one takes nobody", !way_open(a));
	b = way_get(&ws, "mx:b");
	way_gathers(&ws, b, true);
	way_gathers(&ws, b, true);
	way_gathers(&ws, b, false);
	for (i = 0; i < 3 * WAYS_MAX; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		way_get(&ws, route);
	}
	CHECK("idle ones are forgotten", ws.n < 5000);
	CHECK("busy ones are not", way_find(&ws, "mx:a") == a);
	CHECK("nor those for which a job gathers", way_find(&ws, "mx:b") == b);
	way_gathers(&ws, b, false);
	for (i = 0; i < 2 * WAYS_MAX; i++) {
		struct way *w;

		snprintf(route, sizeof route, "mx:%d", i);
		if ((w = way_get(&ws, route)) == NULL)
			break;
		way_hold(&ws, w, true);
	}
	CHECK("there is a bound", ws.n == WAYS_MAX && i < WAYS_MAX);
	way_hold(&ws, way_find(&ws, "mx:7"), false);
	CHECK("one that is idle makes room", way_get(&ws, "mx:x") != NULL);
	stop(&ws);
}

static void
check_rules(void)
{
	struct ways ws;
	struct way *a, *b;

	ways_init(&ws, make_limits(), no_random);
	n_jobs = 0;
	a = way_get(&ws, "mx:one.test");
	b = way_get(&ws, "host:smtp://a.quick.test:25");
	add(&ws, a, 20);
	add(&ws, b, 20);
	CHECK("its own concurrency", runs(&ws, a) == 3);
	CHECK("and that of others", b->running == WAY_START);
	end(&ws, a, DONE, WIDTH_SITE, 0);
	CHECK("it does not grow over it", runs(&ws, a) == 3);
	CHECK("its own back-off, by the host's name",
	    end(&ws, b, LATER, WIDTH_SITE, 1000) == WAY_FELL &&
		b->next == 1000 + 9);
	stop(&ws);
}

static void
check_rate(void)
{
	struct ways ws;
	struct way *a, *b;
	bool marked;

	ways_init(&ws, make_limits(), no_random);
	n_jobs = 0;
	a = way_get(&ws, "mx:a.slow.test");
	b = way_get(&ws, "mx:b");
	CHECK("as many as it may send", way_hunger(a) == 2);
	add(&ws, a, 1);
	CHECK("room for one more", way_open(a) && way_hunger(a) == 0);
	add(&ws, a, 1);
	CHECK("and for no third", !way_open(a));
	add(&ws, a, 1); /* it gathered before */
	add(&ws, b, 3);
	CHECK("each is counted",
	    take_at(&ws, 100000, &marked) == &jobs[0] && marked);
	take_at(&ws, 100000, &marked);
	CHECK("one without a rate is not", !marked);
	CHECK("the second", take_at(&ws, 103000, &marked) == &jobs[1]);
	CHECK("no third", strcmp(turns(&ws, 9), "bb") == 0 && !way_open(a));
	CHECK("nothing more is wanted from the index", way_hunger(a) == 0);
	while (a->running > 0)
		way_ended(&ws, a, &(struct outcome){ .verdict = DONE }, 0);
	CHECK("ends change nothing", take(&ws) == NULL);
	way_tick(&ws, a, 109999);
	CHECK("not before its time", take(&ws) == NULL);
	way_tick(&ws, a, 110000);
	CHECK("one at its time",
	    take_at(&ws, 110000, &marked) == &jobs[2] && !way_open(a));
	way_tick(&ws, a, 113000);
	CHECK("and the next one", way_open(a) && a->rate->tokens == 1);
	way_undo(&ws, a);
	stop(&ws);
}

/* What a route sent is not forgotten with it, if its row tells it. */
static void
check_rate_kept(void)
{
	struct ways ws;
	struct way *a;
	char route[32];
	bool marked;
	int i;

	ways_init(&ws, make_limits(), no_random);
	n_jobs = 0;
	a = way_get(&ws, "mx:a.slow.test");
	add(&ws, a, 1);
	take_at(&ws, 1000, &marked);
	way_undo(&ws, a);
	for (i = 0; i < 3 * WAYS_MAX; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		way_get(&ws, route);
	}
	CHECK("kept without a row", way_find(&ws, "mx:a.slow.test") == a);
	a->stored = true;
	way_touch(&ws, a);
	for (i = 0; i < 3 * WAYS_MAX; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		way_get(&ws, route);
	}
	CHECK("kept with one, where there is room",
	    way_find(&ws, "mx:a.slow.test") == a);
	for (i = 0; i < WAYS_MAX; i++) {
		snprintf(route, sizeof route, "mx:%d", i);
		if ((a = way_get(&ws, route)) != NULL)
			way_hold(&ws, a, true);
	}
	CHECK("gone where there is none",
	    way_find(&ws, "mx:a.slow.test") == NULL && ws.n == WAYS_MAX);
	stop(&ws);
}

int
main(void)
{
	check_turns();
	check_rules();
	check_rate();
	check_rate_kept();
	check_remove();
	check_concurrency();
	check_down();
	check_rise_while_down();
	check_hold();
	check_restore();
	check_bounds();
	return unit_end();
}
