/*
 * Routes that end on this host: which they are, how many jobs they may run, and
 * turns and memory of their own beside those that leave.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "conf_image.h"
#include "unit.h"
#include "way.h"

#define JOBS 6000

static struct way_job jobs[JOBS];
static int n_jobs;

static const bool all[WAY_TRUSTS] = { true, true, true };

static uint32_t
no_random(void)
{
	return 0;
}

static struct conf *
make_conf(void)
{
	static const struct conf_step steps[] = { { 100, 1 } };
	struct conf *c = image_new();
	struct conf_retry retry = { .max = 1000 };
	struct conf_action actions[] = {
		{ .name = image_text(c, "box"), .method = METHOD_MBOX },
		{ .name = image_text(c, "dir"), .method = METHOD_MAILDIR },
		{ .name = image_text(c, "an/odd one"), .method = METHOD_MDA },
	};

	c->route_concurrency = 20;
	image_rows(c, &retry.step, steps, 1, sizeof steps[0]);
	image_rows(c, &c->retry, &retry, 1, sizeof retry);
	image_rows(c, &c->action, actions, 3, sizeof actions[0]);
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
	ways_free(ws);
	free((void *)ws->conf);
}

static void
add(struct ways *ws, struct way *w, int n)
{
	while (n-- > 0) {
		jobs[n_jobs].rcpts = 1;
		way_add(ws, w, &jobs[n_jobs++]);
	}
}

static struct way_job *
take(struct ways *ws, enum way_where side)
{
	struct way *w = way_turn(ws, &ws->side[side], all);
	struct way_marks marks;

	return w == NULL ? NULL : way_take(ws, w, 0, &marks);
}

/* Columns: name, route, where it leads, jobs at once at the start. */
static const struct {
	const char *name, *route;
	enum way_where where;
	uint32_t limit;
} routes[] = {
	{ "by MX", "mx:local", WAY_OUT, WAY_START },
	{ "a host", "host:smtp://file:25", WAY_OUT, WAY_START },
	{ "LMTP", "lmtp:box", WAY_OUT, WAY_START },
	{ "an mbox, one after the other", "local:box/ann", WAY_HERE, 1 },
	{ "a Maildir", "local:dir/ann", WAY_HERE, WAY_HERE_MAX },
	{ "an action's name with a slash", "local:an/odd one/ann", WAY_HERE,
	    WAY_HERE_MAX },
	{ "an action that is gone: as careful as may be", "local:gone/ann",
	    WAY_HERE, 1 },
	{ "no action", "local:", WAY_HERE, 1 },
	{ "a program", "program:ann/0123abcd", WAY_HERE, WAY_HERE_MAX },
	{ "a file", "file:/var/mail/list", WAY_HERE, 1 },
	{ "nothing", "", WAY_OUT, WAY_START },
};

static void
check_routes(void)
{
	struct ways ws;
	struct way *w;
	size_t i;

	start(&ws);
	for (i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		w = way_get(&ws, routes[i].route);
		CHECK(routes[i].name,
		    way_where(routes[i].route) == routes[i].where &&
			w->side == &ws.side[routes[i].where] &&
			w->limit == routes[i].limit);
	}
	stop(&ws);
}

static void
check_turns(void)
{
	struct outcome done = { .verdict = DONE };
	struct way *out, *box, *dir;
	struct ways ws;
	int n;

	start(&ws);
	out = way_get(&ws, "mx:a.test");
	box = way_get(&ws, "local:box/ann");
	dir = way_get(&ws, "local:dir/bob");
	add(&ws, box, 3);
	add(&ws, dir, 9);
	CHECK("sides: nothing leaves", take(&ws, WAY_OUT) == NULL);
	add(&ws, out, 1);
	CHECK("sides: who leaves has his turn at once",
	    take(&ws, WAY_OUT)->way == out && take(&ws, WAY_OUT) == NULL);
	CHECK("sides: the first here", take(&ws, WAY_HERE)->way == box);
	for (n = 0; take(&ws, WAY_HERE) != NULL; n++)
		;
	CHECK("sides: others beside one that takes turns",
	    n == WAY_HERE_MAX && box->running == 1 && dir->running == 5);
	way_ended(&ws, box, &done, 0);
	CHECK("sides: and its next", take(&ws, WAY_HERE)->way == box);
	for (n = 0; n < 20; n++) {
		way_ended(&ws, dir, &done, 0);
		add(&ws, dir, 1);
		take(&ws, WAY_HERE);
	}
	CHECK("sides: never more than that", dir->limit == WAY_HERE_MAX);
	stop(&ws);
}

/* Those that wait here leave room for those that leave. */
static void
check_room(void)
{
	struct way_side *here;
	char route[32];
	struct ways ws;
	struct way *w;
	int i;

	start(&ws);
	here = &ws.side[WAY_HERE];
	for (i = 0; i < JOBS; i++) {
		snprintf(route, sizeof route, "local:dir/u%d", i / 50);
		w = way_get(&ws, route);
		if (way_open(w))
			add(&ws, w, 1);
	}
	CHECK("room: it is full", here->unproven.rcpts == WAYS_HERE_RCPTS);
	CHECK("room: of who leaves there is all of it",
	    ws.side[WAY_OUT].unproven.rcpts == 0 &&
		way_open(way_get(&ws, "mx:a.test")));
	w = way_get(&ws, "local:dir/last");
	w->parked = true;
	way_touch(&ws, w);
	CHECK("room: the last waits for it", w->pent == &here->unproven);
	while (here->unproven.rcpts > WAYS_HERE_RCPTS / 4)
		way_remove(&ws, TAILQ_FIRST(&jobs[--n_jobs].way->jobs));
	CHECK("room: and has it when there is some", way_feed(&ws) == w);
	stop(&ws);
}

static void
check_share(void)
{
	struct way_places p = { .all = 4, .held = { 0, 3, 0 } };
	struct ways ws;

	start(&ws);
	add(&ws, way_get(&ws, "mx:a.test"), 1);
	CHECK("share: a quarter is for those that work",
	    !way_share(&ws.side[WAY_HERE], &p, WAY_UNKNOWN) &&
		way_share(&ws.side[WAY_HERE], &p, WAY_PROVEN));
	p.held[WAY_UNKNOWN] = 0;
	p.held[WAY_DOUBTED] = 1;
	CHECK("share: who waits on the other side takes no place",
	    way_share(&ws.side[WAY_HERE], &p, WAY_DOUBTED) &&
		!way_share(&ws.side[WAY_OUT], &p, WAY_DOUBTED));
	stop(&ws);
}

int
main(void)
{
	check_routes();
	check_turns();
	check_room();
	check_share();
	return unit_end();
}
